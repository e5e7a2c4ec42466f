//! A small certificate authority that is made at the start and forgotten at the end, so that simulators speak TLS and
//! mutual TLS with certificates as real ones are: valid, expired, not valid yet, for another host, of another authority.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::KitError;

#[cfg(test)]
mod tests;

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The common name.
    pub name: String,
    /// `serialNumber` in the subject, as function certificates carry it: `CVR:12345678-FID:1`.
    pub serial_number: Option<String>,
    /// Host names and addresses; none for a client's certificate.
    pub hosts: Vec<String>,
    /// The first day (year, month, day) that it is valid.
    pub from: (i32, u8, u8),
    /// The day that it is no longer valid.
    pub until: (i32, u8, u8),
    /// Its key's kind.
    pub algorithm: &'static SignatureAlgorithm,
}

impl Wanted {
    /// A server on loopback.
    pub fn loopback() -> Self {
        Self::server(&["127.0.0.1", "::1", "localhost"])
    }

    /// A server of these names and addresses.
    pub fn server(hosts: &[&str]) -> Self {
        Self {
            name: hosts.first().copied().unwrap_or_default().to_owned(),
            serial_number: None,
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            from: (2020, 1, 1),
            until: (2099, 1, 1),
            algorithm: &rcgen::PKCS_RSA_SHA256,
        }
    }

    /// A client with a function certificate's subject.
    pub fn client(name: &str, serial_number: &str) -> Self {
        let serial_number = Some(serial_number.to_owned());
        Self { name: name.to_owned(), serial_number, ..Self::server(&[]) }
    }

    /// One that is no longer valid.
    pub fn expired(self) -> Self {
        Self { until: (2021, 1, 1), ..self }
    }

    /// One that is not valid yet.
    pub fn not_yet_valid(self) -> Self {
        Self { from: (2098, 1, 1), ..self }
    }
}

/// A certificate with its key.
pub struct Issued {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The private key, PEM (PKCS #8, not encrypted).
    pub key_pem: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

/// How a server speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Its configuration.
    pub config: ServerConfig,
    /// What a login over one of its connections is bound by ([`proto_ntlm::binding::end_point`]).
    pub binding: Option<Vec<u8>>,
}

/// Which clients a server lets in.
#[derive(Debug, Clone, Copy)]
pub enum Clients<'a> {
    /// All: no certificate is asked for.
    Any,
    /// Those with a certificate of this authority.
    Of(&'a Authority),
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> KitError {
    KitError::Certificate(source.into())
}

impl Authority {
    /// A new authority of this name.
    ///
    /// # Errors
    /// [`KitError::Certificate`]
    pub fn new(name: &str) -> Result<Self, KitError> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2099, 1, 1);
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).map_err(failed)?;
        Ok(Self { issuer: CertifiedIssuer::self_signed(parameters, key).map_err(failed)? })
    }

    /// Its own certificate, PEM: what the other side has to trust.
    pub fn root_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its own certificate, DER.
    pub fn root_der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate.
    ///
    /// # Errors
    /// [`KitError::Certificate`]
    pub fn issue(&self, wanted: &Wanted) -> Result<Issued, KitError> {
        let mut parameters = CertificateParams::new(wanted.hosts.clone()).map_err(failed)?;
        parameters.distinguished_name.push(DnType::CommonName, wanted.name.as_str());
        if let Some(serial) = &wanted.serial_number {
            parameters.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial.as_str());
        }
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        parameters.extended_key_usages = vec![match wanted.hosts.is_empty() {
            true => ExtendedKeyUsagePurpose::ClientAuth,
            false => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        let date = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        parameters.not_before = date(wanted.from);
        parameters.not_after = date(wanted.until);
        let key = KeyPair::generate_for(wanted.algorithm).map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

impl Issued {
    /// The certificate, DER.
    ///
    /// # Errors
    /// [`KitError::Certificate`]
    pub fn certificate_der(&self) -> Result<CertificateDer<'static>, KitError> {
        CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(failed)
    }

    /// The private key, DER (PKCS #8).
    ///
    /// # Errors
    /// [`KitError::Certificate`]
    pub fn key_der(&self) -> Result<Vec<u8>, KitError> {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(failed)?;
        Ok(key.secret_der().to_vec())
    }

    /// A server that shows this certificate: TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// [`KitError::Certificate`]
    pub fn server_config(&self, clients: Clients<'_>) -> Result<ServerConfig, KitError> {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(failed)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(failed)?;
        let builder = match clients {
            Clients::Any => builder.with_no_client_auth(),
            Clients::Of(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.root_der()).map_err(failed)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(failed)?)
            }
        };
        builder.with_single_cert(vec![self.certificate_der()?], key).map_err(failed)
    }

    /// The same with what logins are bound by.
    ///
    /// # Errors
    /// [`KitError::Certificate`]
    pub fn tls(&self, clients: Clients<'_>) -> Result<Tls, KitError> {
        let binding = proto_ntlm::binding::end_point(&self.certificate_der()?);
        Ok(Tls { config: self.server_config(clients)?, binding })
    }

    /// Writes `NAME.pem` and `NAME.key` into a folder, the key for its owner alone.
    ///
    /// # Errors
    /// [`KitError::WriteCertificate`]
    pub fn write(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf), KitError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        let write = |path: &Path, mode, text: &str| {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(mode).open(path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|source| KitError::WriteCertificate { path: path.to_owned(), source })
        };
        write(&certificate, 0o644, &self.certificate_pem)?;
        write(&key, 0o600, &self.key_pem)?;
        Ok((certificate, key))
    }
}
