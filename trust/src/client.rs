//! The client side of a connection: roots and, where the other side asks for one, a certificate.

use std::path::PathBuf;

use rustls::{ClientConfig, RootCertStore};

use crate::provider::provider;
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

/// The certificate that this side shows, as two PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by its intermediates.
    pub cert_pem: PathBuf,
    /// The private key, not encrypted (protect the file instead).
    pub key_pem: PathBuf,
}

/// What a TLS client needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Which authorities are trusted.
    pub roots: Roots,
    /// What is shown when the server asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
}

impl ClientTls {
    /// Reads the files and builds the configuration: TLS 1.2 and 1.3, host names verified, aws-lc-rs.
    ///
    /// # Errors
    /// A [`TrustError`] that names the file: not readable, not PEM, without what is needed, or a key
    /// that does not belong to its certificate.
    pub fn client_config(&self) -> Result<ClientConfig, TrustError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|source| TrustError::Protocol { source })?
            .with_root_certificates(self.root_store()?);
        let Some(certificate) = &self.client_certificate else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = pem::certificates(&certificate.cert_pem, "client certificate")?;
        let key = pem::private_key(&certificate.key_pem)?;
        builder.with_client_auth_cert(chain, key).map_err(|source| TrustError::ClientCertificate {
            certificate: certificate.cert_pem.clone(),
            key: certificate.key_pem.clone(),
            source,
        })
    }

    fn root_store(&self) -> Result<RootCertStore, TrustError> {
        let mut store = RootCertStore::empty();
        match &self.roots {
            Roots::System => add_system(&mut store, true)?,
            Roots::SystemAnd(path) => {
                // The file alone may be enough: a container without public roots is no error then.
                add_system(&mut store, false)?;
                add_file(&mut store, path)?;
            }
            Roots::Only(path) => add_file(&mut store, path)?,
            Roots::Nobody => {}
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

fn add_file(store: &mut RootCertStore, path: &std::path::Path) -> Result<(), TrustError> {
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
