//! `[http]`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use trust::{ClientsCertificate, Fingerprint, OwnCertificate, ServerTls};

use super::{Problems, Section, secret};

/// The shortest admin token, in characters: what `openssl rand -hex 16` makes.
const TOKEN_MIN: usize = 32;

/// The service's own listeners: health and metrics on one, admin calls on another where somebody may make them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The address of health and metrics; port 0 picks a free one, which is logged.
    pub listen: SocketAddr,
    /// The address of the admin calls.
    pub admin_listen: SocketAddr,
    /// The token of the admin calls.
    #[serde(deserialize_with = "secret::optional", serialize_with = "secret::hidden")]
    pub admin_token: Option<SecretString>,
    /// A file that holds the token instead.
    pub admin_token_file: Option<PathBuf>,
    /// The certificate that is shown to who makes admin calls (PEM); absent = they are not encrypted.
    pub admin_certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub admin_key: Option<PathBuf>,
    /// The authorities (PEM) whose clients may make admin calls.
    pub admin_client_authorities: Option<PathBuf>,
    /// Which of their clients, as SHA-256 fingerprints; empty = all.
    pub admin_client_pins: Vec<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            admin_token: None,
            admin_token_file: None,
            admin_certificate: None,
            admin_key: None,
            admin_client_authorities: None,
            admin_client_pins: Vec::new(),
        }
    }
}

impl HttpConfig {
    /// May anybody make admin calls?
    pub const fn has_admin(&self) -> bool {
        self.admin_token.is_some() || self.admin_client_authorities.is_some()
    }

    /// How admin calls are encrypted; `None` = they are not.
    pub fn admin_tls(&self) -> Option<ServerTls> {
        let (certificate, key) = (self.admin_certificate.clone()?, self.admin_key.clone()?);
        let clients = match (&self.admin_client_authorities, &self.admin_token) {
            (None, _) => ClientsCertificate::Ignored,
            // who has the token needs no certificate
            (Some(authorities), Some(_)) => ClientsCertificate::Optional(authorities.clone()),
            (Some(authorities), None) => ClientsCertificate::Required(authorities.clone()),
        };
        Some(ServerTls { certificate: OwnCertificate::pem(certificate, key), clients })
    }

    /// The clients that may make admin calls; the check of the section has refused what is no fingerprint.
    pub fn admin_pins(&self) -> Vec<Fingerprint> {
        self.admin_client_pins.iter().filter_map(|text| text.parse().ok()).collect()
    }

    fn check_admin_tls(&self, check: &mut Problems) {
        if self.admin_certificate.is_some() != self.admin_key.is_some() {
            let reason = "and admin_key go together: give both or neither";
            check.add("admin_certificate", reason);
        }
        let encrypted = self.admin_certificate.is_some();
        if self.admin_client_authorities.is_some() && !encrypted {
            let reason = "needs admin_certificate and admin_key: certificates are shown over TLS";
            check.add("admin_client_authorities", reason);
        }
        if !self.admin_client_pins.is_empty() && self.admin_client_authorities.is_none() {
            check.add("admin_client_pins", "needs admin_client_authorities, which it chooses among");
        }
        for pin in &self.admin_client_pins {
            if let Err(error) = pin.parse::<Fingerprint>() {
                check.add("admin_client_pins", format!("{error}: {pin:?}"));
            }
        }
        if !self.has_admin() {
            return;
        }
        if !encrypted && !self.admin_listen.ip().is_loopback() {
            let reason = "is not loopback, and beyond this machine admin calls are encrypted: give admin_certificate and \
                          admin_key, or listen on 127.0.0.1";
            check.add("admin_listen", reason);
        }
        if self.admin_listen == self.listen && self.listen.port() != 0 {
            check.add("admin_listen", "and listen are the same address: each listener needs one of its own");
        }
    }
}

impl Section for HttpConfig {
    const NAME: &'static str = "http";

    fn read_secrets(&mut self, problems: &mut Problems) {
        secret::from_file("admin_token", &mut self.admin_token, self.admin_token_file.as_deref(), problems);
    }

    fn check(&self, check: &mut Problems) {
        if let Some(token) = &self.admin_token {
            let token = token.expose_secret();
            if token.chars().count() < TOKEN_MIN || token.chars().any(|c| !c.is_ascii_graphic()) {
                check.add(
                    "admin_token",
                    format!("must be at least {TOKEN_MIN} letters, digits or signs without blanks: openssl rand -hex 16"),
                );
            }
        }
        self.check_admin_tls(check);
    }
}
