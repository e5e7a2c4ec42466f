//! What can be wrong with certificates, keys and sealed secrets.

use std::path::PathBuf;

use base::Disposition;

use crate::seal::{KeyId, Place};

/// A TLS configuration that cannot be built, or a secret that cannot be sealed or opened. Each names the file or
/// the place it is about; none holds a key or a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file cannot be read (missing, no permission, …).
    #[error("cannot read {what} from {}", path.display())]
    Read {
        /// What was looked for in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any PEM file of this kind should be.
    #[error("{} is larger than {limit_bytes} bytes and cannot be a PEM file with {what}", path.display())]
    TooLarge {
        /// What was looked for in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file is not PEM (a DER or PKCS #12 file, or damaged).
    #[error("{} is no readable PEM file; {what} must be given in PEM form", path.display())]
    Pem {
        /// What was looked for in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The file is PEM but holds none of what is needed.
    #[error("{} holds no {what}", path.display())]
    Nothing {
        /// What was looked for in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate in the file cannot be used as a root.
    #[error("certificate number {number} in {} cannot be used as a root", path.display())]
    Root {
        /// Counted from 1.
        number: usize,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The system gave no root certificates at all.
    #[error(
        "the system has no trusted root certificates ({reason}); install the package ca-certificates or name a file with roots"
    )]
    NoSystemRoots {
        /// What the search answered.
        reason: String,
    },
    /// Certificate and key do not belong together, or the key's kind is not supported.
    #[error("the client certificate {} cannot be used with the key {}", certificate.display(), key.display())]
    ClientCertificate {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The crypto provider refuses the protocol versions: a build without TLS 1.2 or 1.3.
    #[error("the crypto provider does not support TLS 1.2 and 1.3")]
    Protocol {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// A text is no sealing key.
    #[error(
        "{origin} holds no sealing key: {reason}; a key is 32 random bytes in base64, made by `kommuneklient secrets generate`"
    )]
    KeyForm {
        /// The file or the setting.
        origin: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No random numbers for a new key.
    #[error("cannot make a sealing key: the operating system gives no random numbers")]
    GenerateKey,
    /// A new key cannot be written.
    #[error("cannot write the new sealing key to {}; a file that exists is never overwritten", path.display())]
    WriteKey {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// More keys than a ring takes.
    #[error("there are more than {limit} sealing keys; rotate, then remove those that are no longer used")]
    TooManyKeys {
        /// The limit.
        limit: usize,
    },
    /// The secret is too long to be one.
    #[error("the secret for {place} is longer than {limit_bytes} bytes")]
    SecretTooLong {
        /// Where it was to be kept.
        place: Place,
        /// The limit.
        limit_bytes: usize,
    },
    /// A secret could not be sealed.
    #[error("cannot seal the secret for {place}: the operating system gives no random numbers")]
    Seal {
        /// Where it was to be kept.
        place: Place,
    },
    /// What is stored is no sealed value.
    #[error("what is stored as {place} is no sealed secret: {reason}")]
    SealedForm {
        /// Where it is kept.
        place: Place,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// None of the configured keys has this id.
    #[error(
        "{place} is sealed under the key {key_id}, which is not configured; give its file in secrets.key_file or secrets.previous_key_files"
    )]
    UnknownKey {
        /// Where it is kept.
        place: Place,
        /// The key that it needs.
        key_id: KeyId,
    },
    /// The key is there and the value does not open.
    #[error(
        "{place} does not open under the key {key_id}: it was sealed for another place, or changed; enter the secret again"
    )]
    Open {
        /// Where it is kept.
        place: Place,
        /// The key that it names.
        key_id: KeyId,
    },
}

impl TrustError {
    /// All of these are faults of configuration: nothing heals by itself.
    pub const fn disposition(&self) -> Disposition {
        Disposition::Escalate
    }
}
