//! A client's TLS that goes on working when its files change: with each new connection the resolver and the
//! verifier take what was read last, so that open pools need no rebuilding.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::files::Contents;
use crate::pin::PinSet;
use crate::provider::{VERSIONS, provider};
use crate::{CertificateFacts, Identity, OwnCertificate, Pins, Refresh, Roots, TrustError};

#[cfg(test)]
mod tests;

/// What a TLS client that shows a certificate, or pins its server, needs to know.
#[derive(Debug, Clone, Default)]
pub struct MutualTls {
    /// Which authorities are trusted.
    pub roots: Roots,
    /// What is shown when the server asks for a certificate.
    pub certificate: Option<OwnCertificate>,
    /// Which certificate the server must show besides.
    pub pins: Pins,
    /// A PEM file with the certificates that the other side may sign its messages with. Nothing to TLS; it is
    /// read, watched and renewed with the rest.
    pub signers: Option<PathBuf>,
}

/// Whose a certificate is, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// This side's own one.
    Own,
    /// One that the server is pinned to.
    Pinned,
    /// One that the other side signs messages with.
    Signer,
}

impl Whose {
    /// The word for it in logs and metrics: `own`, `pinned`, `signer`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Pinned => "pinned",
            Self::Signer => "signer",
        }
    }
}

/// A certificate whose end is to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Whose it is, and what for.
    pub whose: Whose,
    /// What it says about itself.
    pub facts: CertificateFacts,
}

impl MutualTls {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A [`TrustError`] that names the file and the reason.
    pub fn open(&self, now: Timestamp) -> Result<LiveTls, TrustError> {
        // before the files are read: what changes in between is read again, not missed
        let contents = Contents::of(&self.files());
        let current = RwLock::new(Arc::new(self.read(now)?));
        let state = Arc::new(State { current });
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|source| TrustError::Protocol { source })?
            .dangerous() // rustls's word for a verifier of one's own; ours asks webpki first, always
            .with_custom_certificate_verifier(Arc::clone(&state) as Arc<dyn ServerCertVerifier>);
        let mut config = match &self.certificate {
            Some(_) => config.with_client_cert_resolver(Arc::clone(&state) as Arc<dyn ResolvesClientCert>),
            None => config.with_no_client_auth(),
        };
        // a resumed session would go on with the certificates of before
        config.resumption = Resumption::disabled();
        let shared = Shared { description: self.clone(), state, contents: Mutex::new(contents), config };
        Ok(LiveTls { shared: Arc::new(shared) })
    }

    fn read(&self, now: Timestamp) -> Result<Current, TrustError> {
        let roots = Arc::new(self.roots.store()?);
        let webpki = if roots.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider());
            Some(builder.build().map_err(|source| TrustError::Verifier { source })?)
        };
        let identity = self.certificate.as_ref().map(|certificate| certificate.load(now)).transpose()?;
        // read as pins are, and never asked in a handshake
        let signers = Pins { file: self.signers.clone(), fingerprints: Vec::new() }.read()?;
        Ok(Current { webpki, roots, pins: self.pins.read()?, signers, identity: identity.map(Arc::new) })
    }

    fn files(&self) -> Vec<&Path> {
        let mut files = self.certificate.as_ref().map(OwnCertificate::all_files).unwrap_or_default();
        files.extend(self.roots.file());
        files.extend(self.pins.file.as_deref());
        files.extend(self.signers.as_deref());
        files
    }
}

/// An open [`MutualTls`]. A clone is a handle on the same.
#[derive(Debug, Clone)]
pub struct LiveTls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    description: MutualTls,
    state: Arc<State>,
    contents: Mutex<Contents>,
    config: ClientConfig,
}

impl LiveTls {
    /// The configuration: TLS 1.2 and 1.3, host names verified, pins asked for, no session resumed. It follows
    /// [`LiveTls::refresh`] by itself.
    pub fn client_config(&self) -> ClientConfig {
        self.shared.config.clone()
    }

    /// Looks at the files and takes them when they have changed. Reads files: not for an async thread that
    /// must not wait.
    pub fn refresh(&self, now: Timestamp) -> Refresh {
        let mut contents = self.shared.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let description = &self.shared.description;
        contents.refresh(&description.files(), || {
            let read = Arc::new(description.read(now)?);
            *self.shared.state.current.write().unwrap_or_else(PoisonError::into_inner) = read;
            Ok(())
        })
    }

    /// This side's certificate, as it would be shown now.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.shared.state.current().identity.clone()
    }

    /// The certificates (DER) that the other side may sign its messages with.
    pub fn signers(&self) -> Vec<Vec<u8>> {
        self.shared.state.current().signers.certificates.iter().map(|der| der.to_vec()).collect()
    }

    /// The certificates whose end is to be watched.
    pub fn watched(&self) -> Vec<Watched> {
        let current = self.shared.state.current();
        let own = current.identity.iter().map(|identity| (Whose::Own, identity.facts()));
        let pinned = current.pins.facts.iter().map(|facts| (Whose::Pinned, facts));
        let signers = current.signers.facts.iter().map(|facts| (Whose::Signer, facts));
        let all = own.chain(pinned).chain(signers);
        all.map(|(whose, facts)| Watched { whose, facts: facts.clone() }).collect()
    }
}

/// What the handshakes ask.
#[derive(Debug)]
struct State {
    current: RwLock<Arc<Current>>,
}

#[derive(Debug)]
struct Current {
    /// `None` when nobody is trusted.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    roots: Arc<RootCertStore>,
    pins: PinSet,
    signers: PinSet,
    identity: Option<Arc<Identity>>,
}

impl State {
    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesClientCert for State {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // there is one certificate; the server says by itself when it is not the one that it wants
        self.current().identity.as_ref().map(|identity| Arc::clone(&identity.certified))
    }

    fn has_certs(&self) -> bool {
        self.current().identity.is_some()
    }
}

impl ServerCertVerifier for State {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let current = self.current();
        let Some(webpki) = &current.webpki else {
            return Err(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer));
        };
        let verified = webpki.verify_server_cert(server, intermediates, name, ocsp, now)?;
        current.pins.check(server, intermediates, &current.roots, name, now)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
