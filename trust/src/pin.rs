//! Pins: which certificate a server must show, or which authority must have issued it, besides being
//! trusted. A pin can only refuse more: the ordinary verification always comes first.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::provider::provider;
use crate::{CertificateFacts, Fingerprint, TrustError, pem};

/// What a server's certificate, or one that issued it, must be. Empty: no pin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// A PEM file with certificates of which one must be the server's or its issuer's. More than one, so
    /// that the next certificate can be entered before the change.
    pub file: Option<PathBuf>,
    /// SHA-256 fingerprints, of a certificate or of its public key.
    pub fingerprints: Vec<Fingerprint>,
}

impl Pins {
    /// Reads the file.
    pub(crate) fn read(&self) -> Result<PinSet, TrustError> {
        let certificates = match &self.file {
            Some(path) => pem::certificates(path, "pinned certificate")?,
            None => Vec::new(),
        };
        let mut facts = Vec::with_capacity(certificates.len());
        for (index, certificate) in certificates.iter().enumerate() {
            let path = || self.file.clone().unwrap_or_default();
            let read = CertificateFacts::of(certificate);
            facts.push(read.ok_or_else(|| TrustError::Unreadable { number: index + 1, path: path() })?);
        }
        Ok(PinSet { certificates, facts, fingerprints: self.fingerprints.clone() })
    }
}

/// Pins as they were read.
#[derive(Debug, Default)]
pub(crate) struct PinSet {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) facts: Vec<CertificateFacts>,
    fingerprints: Vec<Fingerprint>,
}

impl PinSet {
    /// Refuses a chain (already verified) that no pin names.
    ///
    /// The intermediates are what the server chose to send: one that is pinned counts only when the server's
    /// certificate is verified against it as the only root.
    pub(crate) fn check(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        roots: &RootCertStore,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.certificates.is_empty() && self.fingerprints.is_empty() {
            return Ok(());
        }
        if self.names(server) {
            return Ok(());
        }
        let sent = intermediates.iter().filter(|certificate| self.names(certificate));
        let pinned = self.certificates.iter().chain(sent);
        if pinned.into_iter().any(|issuer| issued_by(issuer, server, intermediates, name, now)) {
            return Ok(());
        }
        // a pinned root is not sent by the server; it is known by its public key alone
        let by_root = roots.roots.iter().filter(|root| {
            // the anchor keeps the content of the key's SEQUENCE only
            let key = with_der_header(&root.subject_public_key_info);
            self.fingerprints.contains(&Fingerprint::of(&key))
        });
        for root in by_root {
            let store = RootCertStore { roots: vec![root.clone()] };
            if verifies(store, server, intermediates, name, now) {
                return Ok(());
            }
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    /// Is this certificate, or its key, pinned?
    fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        if self.certificates.iter().any(|pinned| pinned == certificate) {
            return true;
        }
        CertificateFacts::of(certificate).is_some_and(|facts| {
            self.fingerprints.contains(&facts.fingerprint)
                || self.fingerprints.contains(&facts.key_fingerprint)
        })
    }
}

fn issued_by(
    issuer: &CertificateDer<'_>,
    server: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> bool {
    let mut only = RootCertStore::empty();
    only.add(issuer.clone().into_owned()).is_ok() && verifies(only, server, intermediates, name, now)
}

fn verifies(
    roots: RootCertStore,
    server: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> bool {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .is_ok_and(|verifier| verifier.verify_server_cert(server, intermediates, name, &[], now).is_ok())
}

/// A SEQUENCE with this content.
fn with_der_header(content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![0x30];
    match length {
        0..=0x7f => der.push(length as u8),
        0x80..=0xff => der.extend([0x81, length as u8]),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend_from_slice(content);
    der
}
