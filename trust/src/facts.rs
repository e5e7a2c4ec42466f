//! What is read off an X.509 certificate: who it is, how long it is valid, and what identifies it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The most certificates and keys that one file may hold.
pub(crate) const ITEMS_MAX: usize = 64;

/// A SHA-256 fingerprint: of a whole certificate (DER) or of its public key (SubjectPublicKeyInfo).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")]
pub struct FingerprintForm;

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut value = [0; 32];
        value.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(value)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintForm;

    /// Takes what `openssl x509 -fingerprint -sha256` prints, and bare digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.get(..7).filter(|start| start.eq_ignore_ascii_case("sha256:"));
        let digits: String = text[digits.map_or(0, str::len)..].chars().filter(|c| *c != ':').collect();
        let mut value = [0; 32];
        hex::decode_to_slice(&digits, &mut value).map_err(|_| FingerprintForm)?;
        Ok(Self(value))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What a certificate says about itself. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject's distinguished name, for people; cut at 200 characters.
    pub subject: String,
    /// The subject's attribute `serialNumber` (`CVR:12345678-FID:1` in a FOCES certificate), when it has
    /// one. Not the certificate's own serial number.
    pub serial_number: Option<String>,
    /// Valid from then on.
    pub not_before: Timestamp,
    /// Valid until then.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// SHA-256 of its SubjectPublicKeyInfo: stays when a certificate is renewed with the same key.
    pub key_fingerprint: Fingerprint,
}

impl CertificateFacts {
    /// Reads a certificate (DER); `None` when it is none.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let subject = certificate.subject();
        let serial_number = subject
            .iter_attributes()
            .find(|attribute| *attribute.attr_type() == x509_parser::oid_registry::OID_X509_SERIALNUMBER)
            .and_then(|attribute| attribute.as_str().ok())
            .map(|text| text.trim().to_owned());
        let instant = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        Some(Self {
            subject: subject.to_string().chars().take(200).collect(),
            serial_number,
            not_before: instant(certificate.validity().not_before)?,
            not_after: instant(certificate.validity().not_after)?,
            fingerprint: Fingerprint::of(der),
            key_fingerprint: Fingerprint::of(certificate.public_key().raw),
        })
    }

    /// Is it valid at `now`?
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// How long it is still valid; negative when it is over.
    pub fn left(&self, now: Timestamp) -> SignedDuration {
        self.not_after.duration_since(now)
    }

    /// Whole days that it is still valid; negative when it is over.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.left(now).as_secs().div_euclid(86_400)
    }
}

/// Who issued the certificate, as it stands there (DER of the names): `(subject, issuer)`.
pub(crate) fn names(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some((certificate.subject().as_raw().to_vec(), certificate.issuer().as_raw().to_vec()))
}
