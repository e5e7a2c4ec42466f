//! The certificate that this side shows, read from its files: PEM or PKCS #12, chosen by the serial number in
//! its subject where a file holds several.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use p12_keystore::Pkcs12Archive;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::facts::{self, CertificateFacts, ITEMS_MAX};
use crate::{TrustError, pem};

#[cfg(test)]
mod tests;

/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Where the password of a key is.
#[derive(Debug, Clone, Default)]
pub enum Password {
    /// There is none: the key stands open in its file.
    #[default]
    None,
    /// In a file, whose last line end does not count.
    File(PathBuf),
    /// Given by the configuration or the environment.
    Given(SecretString),
}

impl Password {
    /// The password, empty when there is none.
    fn read(&self) -> Result<SecretString, TrustError> {
        match self {
            Self::None => Ok(SecretString::default()),
            Self::File(path) => {
                let bytes = Zeroizing::new(pem::read(path, "the password of a key", PASSWORD_BYTES_MAX)?);
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| TrustError::PasswordForm { origin: path.display().to_string() })?;
                Ok(text.trim_end_matches(['\r', '\n']).into())
            }
            Self::Given(password) => Ok(password.clone()),
        }
    }

    /// The file that it stands in.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::None | Self::Given(_) => None,
        }
    }
}

/// The files of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFiles {
    /// Two PEM files, which may be the same one.
    Pem {
        /// The certificate and its intermediates, in any order.
        certificate: PathBuf,
        /// The key: PKCS #8 (open or under the password), PKCS #1 or SEC 1.
        key: PathBuf,
    },
    /// One PKCS #12 file (`.p12`, `.pfx`) under the password.
    Pkcs12 {
        /// The file.
        file: PathBuf,
    },
}

/// The certificate that this side of a connection shows.
#[derive(Debug, Clone)]
pub struct OwnCertificate {
    /// Where it is.
    pub files: CertificateFiles,
    /// What opens its key.
    pub password: Password,
    /// The serial number in the subject of the one that is meant (`CVR:12345678-FID:1`); needed only where
    /// a file holds several.
    pub serial_number: Option<String>,
}

/// A certificate with its chain and key, checked: the key belongs to it and it is valid.
#[derive(Clone)]
pub struct Identity {
    /// For TLS.
    pub(crate) certified: Arc<CertifiedKey>,
    key: Arc<PrivateKeyDer<'static>>,
    facts: CertificateFacts,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Identity {
    /// What the certificate says about itself.
    pub const fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// The certificate itself (DER), without its chain.
    pub fn certificate(&self) -> &[u8] {
        &self.certified.cert[0]
    }

    /// The private key (DER: PKCS #8, PKCS #1 or SEC 1), for signing messages. Keep it out of logs.
    pub fn key(&self) -> &[u8] {
        self.key.secret_der()
    }
}

/// What a file held.
struct Found {
    certificates: Vec<CertificateDer<'static>>,
    keys: Vec<PrivateKeyDer<'static>>,
}

/// A certificate of the file and, when the file has it, its key.
struct Candidate {
    facts: CertificateFacts,
    certificate: CertificateDer<'static>,
    key: Option<PrivateKeyDer<'static>>,
}

impl OwnCertificate {
    /// A certificate and its open key in two PEM files.
    pub fn pem(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let files = CertificateFiles::Pem { certificate: certificate.into(), key: key.into() };
        Self { files, password: Password::None, serial_number: None }
    }

    /// A certificate and its key in one PKCS #12 file.
    pub fn pkcs12(file: impl Into<PathBuf>, password: Password) -> Self {
        Self { files: CertificateFiles::Pkcs12 { file: file.into() }, password, serial_number: None }
    }

    /// Reads the files and takes the one certificate that is meant and valid at `now`, with its key and chain.
    ///
    /// # Errors
    /// A [`TrustError`] that names the file and the reason: not readable, wrong password, none or several fit,
    /// the key belongs to another certificate, expired, not yet valid.
    pub fn load(&self, now: Timestamp) -> Result<Identity, TrustError> {
        let found = self.read()?;
        let Candidate { facts, certificate, key } = self.choose(&found, now)?;
        let key = key.ok_or_else(|| TrustError::KeyOfAnother { path: self.key_file().to_owned() })?;
        let chain = chain(certificate, &found.certificates);
        let certified = CertifiedKey::from_der(chain, key.clone_key(), &crate::provider::provider())
            .map_err(|source| TrustError::OwnCertificate { path: self.file().to_owned(), source })?;
        Ok(Identity { certified: Arc::new(certified), key: Arc::new(key), facts })
    }

    /// The file that is named in errors about the certificate.
    pub fn file(&self) -> &Path {
        match &self.files {
            CertificateFiles::Pem { certificate, .. } => certificate,
            CertificateFiles::Pkcs12 { file } => file,
        }
    }

    fn key_file(&self) -> &Path {
        match &self.files {
            CertificateFiles::Pem { key, .. } => key,
            CertificateFiles::Pkcs12 { file } => file,
        }
    }

    /// All files that this depends on.
    pub(crate) fn all_files(&self) -> Vec<&Path> {
        let mut files = vec![self.file(), self.key_file()];
        files.extend(self.password.file());
        files
    }

    fn read(&self) -> Result<Found, TrustError> {
        let found = match &self.files {
            CertificateFiles::Pem { certificate, key } => {
                let certificates = pem::certificates(certificate, "own certificate")?;
                Found { certificates, keys: vec![self.pem_key(key)?] }
            }
            CertificateFiles::Pkcs12 { file } => self.open_pkcs12(file)?,
        };
        if found.certificates.len() > ITEMS_MAX || found.keys.len() > ITEMS_MAX {
            return Err(TrustError::TooMany { path: self.file().to_owned(), limit: ITEMS_MAX });
        }
        Ok(found)
    }

    /// The key of a PEM file, opened with the password where it stands under one.
    fn pem_key(&self, path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
        let Some(sealed) = pem::encrypted_key(path)? else { return pem::private_key(path) };
        let password = self.password.read()?;
        let refused = || TrustError::Password { path: path.to_owned() };
        let sealed = pkcs8::EncryptedPrivateKeyInfoRef::try_from(sealed.as_slice()).map_err(|_| refused())?;
        let open = sealed.decrypt(password.expose_secret()).map_err(|_| refused())?;
        Ok(PrivatePkcs8KeyDer::from(open.as_bytes().to_vec()).into())
    }

    fn open_pkcs12(&self, file: &Path) -> Result<Found, TrustError> {
        let what = "a certificate with its key";
        let bytes = pem::read(file, what, pem::LIMIT_BYTES)?;
        if pem::is_pem(&bytes) {
            return Err(TrustError::PemByAnotherName { path: file.to_owned() });
        }
        let password = self.password.read()?;
        let archive = Pkcs12Archive::from_pkcs12(&bytes, password.expose_secret());
        let archive = archive.map_err(|error| match error {
            p12_keystore::error::Error::MacError(_) => TrustError::Password { path: file.to_owned() },
            source => TrustError::Pkcs12 { path: file.to_owned(), source: Box::new(source) },
        })?;
        let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec().into());
        let keys = archive.keys.iter().map(|bag| PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec()).into());
        let found = Found { certificates: certificates.collect(), keys: keys.collect() };
        if found.certificates.is_empty() || found.keys.is_empty() {
            return Err(TrustError::Nothing { what, path: file.to_owned() });
        }
        Ok(found)
    }

    /// The one candidate that is meant: by serial number, else by having a key; among several the one that is
    /// valid, since a renewed certificate bears the same serial number as the one before.
    fn choose(&self, found: &Found, now: Timestamp) -> Result<Candidate, TrustError> {
        let path = || self.file().to_owned();
        let mut candidates: Vec<Candidate> = Vec::new();
        for (index, certificate) in found.certificates.iter().enumerate() {
            let Some(facts) = CertificateFacts::of(certificate) else {
                return Err(TrustError::Unreadable { number: index + 1, path: path() });
            };
            if candidates.iter().all(|other| other.facts.fingerprint != facts.fingerprint) {
                let key = found.keys.iter().find(|key| belongs(key, &facts)).map(PrivateKeyDer::clone_key);
                candidates.push(Candidate { facts, certificate: certificate.clone(), key });
            }
        }
        match &self.serial_number {
            Some(wanted) => {
                let there = numbers(&candidates);
                candidates
                    .retain(|candidate| candidate.facts.serial_number.as_deref() == Some(wanted.trim()));
                if candidates.is_empty() {
                    return Err(TrustError::NoneMatches { wanted: wanted.clone(), there, path: path() });
                }
                if candidates.iter().any(|candidate| candidate.key.is_some()) {
                    candidates.retain(|candidate| candidate.key.is_some());
                }
            }
            None => candidates.retain(|candidate| candidate.key.is_some()),
        }
        if candidates.is_empty() {
            return Err(TrustError::KeyOfAnother { path: self.key_file().to_owned() });
        }
        if candidates.iter().any(|candidate| candidate.facts.is_valid(now)) {
            candidates.retain(|candidate| candidate.facts.is_valid(now));
        }
        if candidates.len() > 1 {
            return Err(TrustError::SeveralMatch { there: numbers(&candidates), path: path() });
        }
        let chosen = candidates.remove(0);
        let subject = chosen.facts.subject.clone();
        if now < chosen.facts.not_before {
            return Err(TrustError::NotYetValid { subject, from: chosen.facts.not_before, path: path() });
        }
        if now > chosen.facts.not_after {
            return Err(TrustError::Expired { subject, end: chosen.facts.not_after, path: path() });
        }
        Ok(chosen)
    }
}

/// Is this the key of that certificate?
fn belongs(key: &PrivateKeyDer<'_>, certificate: &CertificateFacts) -> bool {
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key.clone_key());
    let public = signing.ok().and_then(|key| key.public_key().map(|public| public.to_vec()));
    public.is_some_and(|public| facts::Fingerprint::of(&public) == certificate.key_fingerprint)
}

/// The serial numbers of the candidates' subjects, for an error; a certificate without one by its subject.
fn numbers(candidates: &[Candidate]) -> String {
    let name = |candidate: &Candidate| {
        candidate.facts.serial_number.clone().unwrap_or_else(|| candidate.facts.subject.clone())
    };
    let names: Vec<String> = candidates.iter().take(8).map(name).collect();
    names.join(", ")
}

/// The certificate, then its issuers as far as the file has them; a self-signed root is not sent.
fn chain(
    certificate: CertificateDer<'static>,
    all: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    let mut chain = vec![certificate];
    while chain.len() <= ITEMS_MAX {
        let Some((_, issuer)) = chain.last().and_then(|last| facts::names(last)) else { break };
        let next = all.iter().find(|other| {
            !chain.contains(other)
                && facts::names(other).is_some_and(|(subject, by)| subject == issuer && by != subject)
        });
        match next {
            Some(next) => chain.push(next.clone()),
            None => break,
        }
    }
    chain
}
