//! TLS for everything that this product connects to: which roots are trusted, which client certificate
//! is shown, and the one crypto provider (aws-lc-rs).
//!
//! Callers describe what they want with [`ClientTls`] and get a [`rustls::ClientConfig`] (TLS 1.2 and
//! 1.3). Host names are always verified against the certificate; there is no switch that weakens the
//! check. For reqwest hand it to `ClientBuilder::tls_backend_preconfigured`; its ALPN list is empty, so
//! that HTTP/1.1 is spoken unless the caller adds `h2`.
//!
//! Failure behaviour: everything is read and checked when the configuration is built; a [`TrustError`]
//! names the file and the reason. Nothing is read later, so a changed file needs a new configuration.
//!
//! Secrets that are kept in the database are sealed: [`seal`].
#![forbid(unsafe_code)]

mod client;
mod error;
mod pem;
mod provider;
pub mod seal;

pub use client::{ClientCertificate, ClientTls, Roots};
pub use error::TrustError;
pub use provider::install_provider;
