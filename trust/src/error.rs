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
    #[error("{} holds no {}", path.display(), bare(what))]
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
    /// A certificate in the file is no X.509 certificate.
    #[error("certificate number {number} in {} cannot be read", path.display())]
    Unreadable {
        /// Counted from 1.
        number: usize,
        /// The file.
        path: PathBuf,
    },
    /// A file with more certificates or keys than one can mean.
    #[error("{} holds more than {limit} certificates or keys", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A PEM file whose name says that it is a PKCS #12 file.
    #[error(
        "{} is a PEM file, and its name says PKCS #12; give it a name that ends in .pem, and name its key, too",
        path.display()
    )]
    PemByAnotherName {
        /// The file.
        path: PathBuf,
    },
    /// The PKCS #12 file cannot be read.
    #[error("{} is no readable PKCS #12 file", path.display())]
    Pkcs12 {
        /// The file.
        path: PathBuf,
        /// Why; its words hold neither key nor password.
        #[source]
        source: Box<p12_keystore::error::Error>,
    },
    /// The password is not there or is no text.
    #[error("no password can be read from {origin}")]
    PasswordForm {
        /// The file or the variable.
        origin: String,
    },
    /// The password does not open the file, or the file has been changed.
    #[error("the key in {} does not open with the password given, or the file is damaged", path.display())]
    Password {
        /// The file.
        path: PathBuf,
    },
    /// None of the certificates has the serial number.
    #[error("no certificate in {} has the serial number {wanted} in its subject; it holds {there}", path.display())]
    NoneMatches {
        /// The configured serial number.
        wanted: String,
        /// Those of the file.
        there: String,
        /// The file.
        path: PathBuf,
    },
    /// More than one certificate fits.
    #[error("several certificates in {} fit ({there}); name one by the serial number in its subject", path.display())]
    SeveralMatch {
        /// Their serial numbers.
        there: String,
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the key in {} does not belong to the certificate", path.display())]
    KeyOfAnother {
        /// The key's file.
        path: PathBuf,
    },
    /// The certificate is over.
    #[error("the certificate of {subject} in {} expired at {end}; it must be renewed", path.display())]
    Expired {
        /// Its subject.
        subject: String,
        /// When.
        end: jiff::Timestamp,
        /// The file.
        path: PathBuf,
    },
    /// The certificate has not begun.
    #[error("the certificate of {subject} in {} is valid only from {from}; is this machine's clock right?", path.display())]
    NotYetValid {
        /// Its subject.
        subject: String,
        /// When it begins.
        from: jiff::Timestamp,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not work together, or the key's kind is not supported.
    #[error("the certificate in {} cannot be used with its key", path.display())]
    OwnCertificate {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The roots cannot verify anybody.
    #[error("nobody can be verified with the configured roots")]
    Verifier {
        /// Why.
        #[source]
        source: rustls::server::VerifierBuilderError,
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

/// What was looked for, without its article.
fn bare(what: &str) -> &str {
    what.strip_prefix("a ").unwrap_or(what)
}

impl TrustError {
    /// All of these are faults of configuration: nothing heals by itself.
    pub const fn disposition(&self) -> Disposition {
        Disposition::Escalate
    }
}
