//! What can be wrong with certificates and keys.

use std::path::PathBuf;

use base::Disposition;

/// A TLS configuration that cannot be built. Each names the file it is about.
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
}

impl TrustError {
    /// All of these are faults of configuration: nothing heals by itself.
    pub const fn disposition(&self) -> Disposition {
        Disposition::Escalate
    }
}
