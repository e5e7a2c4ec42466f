//! The server side: the certificate that it shows and whether clients must show one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::files::Contents;
use crate::provider::{VERSIONS, provider};
use crate::{CertificateFacts, OwnCertificate, Refresh, Roots, TrustError};

#[cfg(test)]
mod tests;

/// Must clients show a certificate?
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ClientsCertificate {
    /// They are not asked for one.
    #[default]
    Ignored,
    /// They may show one; it must then be of an authority of this PEM file.
    Optional(PathBuf),
    /// They must show one of an authority of this PEM file, else there is no connection.
    Required(PathBuf),
}

impl ClientsCertificate {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::Ignored => None,
            Self::Optional(path) | Self::Required(path) => Some(path),
        }
    }
}

/// What a TLS server needs to know.
///
/// ```no_run
/// # fn main() -> Result<(), trust::TrustError> {
/// let tls = trust::ServerTls {
///     certificate: trust::OwnCertificate::pem("server.pem", "server.key"),
///     clients: trust::ClientsCertificate::Optional("clients-root.pem".into()),
/// };
/// let live = tls.open(jiff::Timestamp::UNIX_EPOCH)?; // now, by base::Clock
/// let _config: rustls::ServerConfig = live.server_config(); // for HttpServer::listen_rustls_0_23
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// What is shown.
    pub certificate: OwnCertificate,
    /// What is asked for.
    pub clients: ClientsCertificate,
}

impl ServerTls {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A [`TrustError`] that names the file and the reason.
    pub fn open(&self, now: Timestamp) -> Result<LiveServerTls, TrustError> {
        let contents = Contents::of(&self.files());
        let state = Arc::new(State { current: RwLock::new(Arc::new(self.read(now)?)) });
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|source| TrustError::Protocol { source })?;
        let builder = match self.clients {
            ClientsCertificate::Ignored => builder.with_no_client_auth(),
            ClientsCertificate::Optional(_) | ClientsCertificate::Required(_) => {
                let mandatory = matches!(self.clients, ClientsCertificate::Required(_));
                builder.with_client_cert_verifier(Arc::new(Clients { state: Arc::clone(&state), mandatory }))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&state) as Arc<dyn ResolvesServerCert>);
        if self.clients != ClientsCertificate::Ignored {
            // a resumed session would carry a client's certificate past the roots of now
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        let shared = Shared { description: self.clone(), state, contents: Mutex::new(contents), config };
        Ok(LiveServerTls { shared: Arc::new(shared) })
    }

    fn read(&self, now: Timestamp) -> Result<Current, TrustError> {
        let identity = self.certificate.load(now)?;
        let clients = match self.clients.file() {
            None => None,
            Some(path) => {
                let roots = Arc::new(Roots::Only(path.to_owned()).store()?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                Some(verifier.build().map_err(|source| TrustError::Verifier { source })?)
            }
        };
        Ok(Current { certified: Arc::clone(&identity.certified), facts: identity.facts().clone(), clients })
    }

    fn files(&self) -> Vec<&Path> {
        let mut files = self.certificate.all_files();
        files.extend(self.clients.file());
        files
    }
}

/// An open [`ServerTls`]. A clone is a handle on the same.
#[derive(Debug, Clone)]
pub struct LiveServerTls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    description: ServerTls,
    state: Arc<State>,
    contents: Mutex<Contents>,
    config: ServerConfig,
}

impl LiveServerTls {
    /// The configuration: TLS 1.2 and 1.3. It follows [`LiveServerTls::refresh`] by itself.
    pub fn server_config(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    /// Looks at the files and takes them when they have changed. Reads files.
    pub fn refresh(&self, now: Timestamp) -> Refresh {
        let mut contents = self.shared.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let description = &self.shared.description;
        contents.refresh(&description.files(), || {
            let read = Arc::new(description.read(now)?);
            *self.shared.state.current.write().unwrap_or_else(PoisonError::into_inner) = read;
            Ok(())
        })
    }

    /// What the certificate that is shown says about itself.
    pub fn facts(&self) -> CertificateFacts {
        self.shared.state.current().facts.clone()
    }
}

#[derive(Debug)]
struct State {
    current: RwLock<Arc<Current>>,
}

#[derive(Debug)]
struct Current {
    certified: Arc<CertifiedKey>,
    facts: CertificateFacts,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl State {
    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for State {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().certified))
    }
}

/// Verifies clients by the roots that were read last.
#[derive(Debug)]
struct Clients {
    state: Arc<State>,
    mandatory: bool,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // the roots may change: no hints
        &[]
    }

    fn verify_client_cert(
        &self,
        client: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.state.current().clients {
            Some(verifier) => verifier.verify_client_cert(client, intermediates, now),
            None => Err(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
