//! `[http]`

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::{Problems, Section};

/// The service's own pages: health and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The address; port 0 picks a free one, which is logged.
    pub listen: SocketAddr,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)) }
    }
}

impl Section for HttpConfig {
    const NAME: &'static str = "http";

    fn check(&self, _check: &mut Problems) {}
}
