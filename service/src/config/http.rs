//! `[http]`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Problems, Section, secret};

/// The shortest admin token, in characters: what `openssl rand -hex 16` makes.
const TOKEN_MIN: usize = 32;

/// The service's own pages: health, metrics and, where a token is configured, admin calls.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The address; port 0 picks a free one, which is logged.
    pub listen: SocketAddr,
    /// The token of the admin calls; absent = there are none.
    #[serde(deserialize_with = "secret::optional", serialize_with = "secret::hidden")]
    pub admin_token: Option<SecretString>,
    /// A file that holds the token instead.
    pub admin_token_file: Option<PathBuf>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_token: None,
            admin_token_file: None,
        }
    }
}

impl Section for HttpConfig {
    const NAME: &'static str = "http";

    fn read_secrets(&mut self, problems: &mut Problems) {
        secret::from_file("admin_token", &mut self.admin_token, self.admin_token_file.as_deref(), problems);
    }

    fn check(&self, check: &mut Problems) {
        let Some(token) = &self.admin_token else { return };
        let token = token.expose_secret();
        if token.chars().count() < TOKEN_MIN || token.chars().any(|c| !c.is_ascii_graphic()) {
            check.add(
                "admin_token",
                format!("must be at least {TOKEN_MIN} letters, digits or signs without blanks: openssl rand -hex 16"),
            );
        }
    }
}
