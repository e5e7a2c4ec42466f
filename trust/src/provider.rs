//! The process-wide crypto provider.

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;

/// The versions that are spoken, by both sides.
pub(crate) const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Makes aws-lc-rs the provider for every TLS user in this process that asks for the default one
/// (reqwest and the OTLP exporters do). Call it first thing in `main`; calling it again does nothing.
pub fn install_provider() {
    // An error means that a provider is installed already: by an earlier call, or by a test harness.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The provider that this crate builds configurations with, whatever the process default is.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
