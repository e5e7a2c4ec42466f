//! What can be wrong with the connector itself. Failed calls are [`calendar::SourceError`]s.

use base::Disposition;

/// Why the connector cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// Nothing says where Exchange is.
    #[error("neither exchange.service_url nor exchange.autodiscover_url is set")]
    NoAddress,
    /// A setting cannot be used.
    #[error("exchange: {key} cannot be used: {reason}")]
    Setting {
        /// Which.
        key: &'static str,
        /// Why, with what is allowed.
        reason: &'static str,
    },
    /// Certificates cannot be used.
    #[error("preparing tls for exchange")]
    Trust(#[source] trust::TrustError),
    /// The HTTP client cannot be made.
    #[error("preparing the http client for exchange")]
    Client(#[source] reqwest::Error),
}

impl ExchangeError {
    /// All of these are wrong configuration: nothing gets better by trying again.
    pub const fn disposition(&self) -> Disposition {
        Disposition::Escalate
    }
}
