//! Whom a client trusts.

use std::path::{Path, PathBuf};

use rustls::{ClientConfig, RootCertStore};

use crate::provider::{VERSIONS, provider};
use crate::{TrustError, pem};

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system (`SSL_CERT_FILE` and `SSL_CERT_DIR` are respected).
    #[default]
    System,
    /// Those of the operating system and those of a PEM file: for a municipality's own authority.
    SystemAnd(PathBuf),
    /// Only those of a PEM file.
    Only(PathBuf),
    /// None: every TLS connection fails. For connections that are never encrypted (a Unix socket, plain
    /// http to a simulator), so that they work on a machine without any certificates.
    Nobody,
}

/// What a TLS client that shows no certificate needs to know. One that does is [`MutualTls`](crate::MutualTls).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Which authorities are trusted.
    pub roots: Roots,
}

impl ClientTls {
    /// Reads the files and builds the configuration: TLS 1.2 and 1.3, host names verified, aws-lc-rs.
    ///
    /// # Errors
    /// A [`TrustError`] that names the file: not readable, not PEM or without what is needed.
    pub fn client_config(&self) -> Result<ClientConfig, TrustError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|source| TrustError::Protocol { source })?;
        Ok(builder.with_root_certificates(self.roots.store()?).with_no_client_auth())
    }
}

impl Roots {
    /// The file that this depends on.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::SystemAnd(path) | Self::Only(path) => Some(path),
            Self::System | Self::Nobody => None,
        }
    }

    /// Reads them.
    pub(crate) fn store(&self) -> Result<RootCertStore, TrustError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::System => add_system(&mut store, true)?,
            Self::SystemAnd(path) => {
                // The file alone may be enough: a container without public roots is no error then.
                add_system(&mut store, false)?;
                add_file(&mut store, path)?;
            }
            Self::Only(path) => add_file(&mut store, path)?,
            Self::Nobody => {}
        }
        Ok(store)
    }
}

fn add_system(store: &mut RootCertStore, required: bool) -> Result<(), TrustError> {
    let found = rustls_native_certs::load_native_certs();
    // Systems carry a few certificates that no modern verifier accepts; those are left out.
    let (added, ignored) = store.add_parsable_certificates(found.certs);
    if added == 0 && required {
        let reason = match found.errors.first() {
            Some(error) => error.to_string(),
            None => format!("{ignored} found, none of them usable"),
        };
        return Err(TrustError::NoSystemRoots { reason });
    }
    Ok(())
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), TrustError> {
    // An operator who names a file means every certificate in it: one that cannot be used is an error.
    for (index, certificate) in pem::certificates(path, "root certificate")?.into_iter().enumerate() {
        store.add(certificate).map_err(|source| TrustError::Root {
            number: index + 1,
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
