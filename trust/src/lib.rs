//! TLS for everything that this product connects to and serves: which roots are trusted, which certificate is
//! shown, which one is pinned, and the one crypto provider (aws-lc-rs).
//!
//! **Responsibility.** A client that shows no certificate describes itself with [`ClientTls`]. One that does,
//! or that pins its server, uses [`MutualTls`]: [`MutualTls::open`] gives a [`LiveTls`], whose
//! configuration goes on working when the files change. A server uses [`ServerTls`] in the same way. Own
//! certificates are [`OwnCertificate`]s: PEM or PKCS #12, chosen by the serial number in the subject.
//! When an end comes near is decided by [`ExpiryWatch`], purely.
//!
//! **Protocol.** TLS 1.2 and 1.3 only. Host names are always verified against the certificate; there is no
//! switch that weakens the check, and a pin is asked for in addition to it. For reqwest hand a client's
//! configuration to `ClientBuilder::tls_backend_preconfigured`; its ALPN list is empty, so that HTTP/1.1 is
//! spoken unless the caller adds `h2`.
//!
//! **Failure behaviour.** Everything is read and checked when the configuration is built; a [`TrustError`]
//! names the file and the reason, never a key or a password. Files are read again only by
//! [`LiveTls::refresh`] and [`LiveServerTls::refresh`], which the owner calls at an interval: what is bad then
//! is told and changes nothing.
//!
//! Secrets that are kept in the database are sealed: [`seal`].
#![forbid(unsafe_code)]

#[cfg(test)]
mod authority;
mod client;
mod error;
mod expiry;
mod facts;
mod files;
mod identity;
mod live;
mod pem;
mod pin;
mod provider;
mod refusal;
pub mod seal;
mod server;

pub use client::{ClientTls, Roots};
pub use error::TrustError;
pub use expiry::{ExpiryStep, ExpiryWatch};
pub use facts::{CertificateFacts, Fingerprint, FingerprintForm};
pub use files::Refresh;
pub use identity::{CertificateFiles, Identity, OwnCertificate, Password};
pub use live::{LiveTls, MutualTls, Watched, Whose};
pub use pin::Pins;
pub use provider::install_provider;
pub use refusal::{RefusedCertificate, refused_certificate};
pub use server::{ClientsCertificate, LiveServerTls, ServerTls};
