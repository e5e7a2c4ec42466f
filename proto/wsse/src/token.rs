//! X.509 certificates: what signing and verifying need of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A certificate with an RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) der: Vec<u8>,
    /// The RSA key (DER of PKCS #1).
    pub(crate) key: Vec<u8>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

impl Token {
    /// Reads a certificate (DER); `None` when it is none or its key is no RSA key.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let public = certificate.public_key();
        if !rest.is_empty() || public.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
            return None;
        }
        let validity = certificate.validity();
        Some(Self {
            der: der.to_vec(),
            key: public.subject_public_key.data.to_vec(),
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        })
    }
}

/// Base64 without line ends.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 with any white space in it, as XML allows.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    // seldom is there any
    if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return STANDARD.decode(text).ok();
    }
    let bare: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(bare).ok()
}
