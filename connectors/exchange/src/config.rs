//! Options of the connector.

use std::time::Duration;

use base::Backoff;
use secrecy::SecretString;
use url::Url;

use crate::ExchangeError;
use crate::accounts::Account;

/// How service accounts log on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Name and password in each request.
    Basic,
    /// NTLMv2, connection by connection.
    Ntlm,
    /// A token in each request; the account's name is the client's id, its password the client's secret.
    OAuth(OAuth),
}

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    /// The token service: `https`, or `http` on loopback.
    pub token_url: Url,
    /// What is asked for.
    pub scope: String,
}

/// How to reach Exchange.
#[derive(Debug, Clone)]
pub struct ExchangeOptions {
    /// The EWS address for all mailboxes, when Autodiscover is not to be used.
    pub service_url: Option<Url>,
    /// Autodiscover's address; goes before `service_url`. It is spoken to in SOAP, and plainly where that is not
    /// there; at once when the address ends in `.xml`.
    pub autodiscover_url: Option<Url>,
    /// How long a mailbox, or a service as a whole, that Autodiscover failed for is not asked for again (B12).
    pub autodiscover_memory: Duration,
    /// The service account to begin with, until [`Exchange::set_accounts`](crate::Exchange::set_accounts) says
    /// otherwise; `None` = every call waits for that.
    pub account: Option<Account>,
    /// Act as the mailbox's owner (`true`) or with rights on the folder.
    pub use_impersonation: bool,
    /// `RequestServerVersion`.
    pub server_version: String,
    /// Roots.
    pub tls: trust::ClientTls,
    /// How accounts log on.
    pub authentication: Authentication,
    /// Take any certificate of a server on this machine: for demonstrations. Those of other servers are refused then.
    pub danger_accept_invalid_certificates: bool,
    /// Longest time of one ordinary call, and of opening a stream.
    pub request_timeout: Duration,
    /// When the server ends a stream as planned: 1 to 30 minutes.
    pub stream_timeout_minutes: u8,
    /// Ordinary calls at one time, of all accounts together.
    pub simultaneous_calls: usize,
    /// Largest answer in bytes, and largest envelope of a stream.
    pub answer_limit_bytes: usize,
    /// Back-off of the account where the server names no time. Its first pause is also the least that is
    /// waited after a time that the server named.
    pub back_off: Backoff,
    /// Longest time that a call waits for the account's back-off to end before it gives up.
    pub back_off_patience: Duration,
}

impl ExchangeOptions {
    /// Options with usual values for everything but address and account.
    pub fn new(user: impl Into<String>, password: SecretString) -> Self {
        Self {
            service_url: None,
            autodiscover_url: None,
            autodiscover_memory: Duration::from_secs(120),
            account: Some(Account::configured(user, password)),
            use_impersonation: true,
            server_version: "Exchange2013_SP1".to_owned(),
            tls: trust::ClientTls::default(),
            authentication: Authentication::Basic,
            danger_accept_invalid_certificates: false,
            request_timeout: Duration::from_secs(60),
            stream_timeout_minutes: 30,
            simultaneous_calls: 10,
            answer_limit_bytes: 16 << 20,
            back_off: Backoff::doubling(Duration::from_millis(500), Duration::from_secs(60)),
            back_off_patience: Duration::from_secs(60),
        }
    }

    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), ExchangeError> {
        let setting = |key, reason| Err(ExchangeError::Setting { key, reason });
        if self.service_url.is_none() && self.autodiscover_url.is_none() {
            return Err(ExchangeError::NoAddress);
        }
        if self.service_url.as_ref().is_some_and(|url| !is_http(url)) {
            return setting("service_url", "it must begin with https:// or http://");
        }
        if self.autodiscover_url.as_ref().is_some_and(|url| !is_http(url)) {
            return setting("autodiscover_url", "it must begin with https:// or http://");
        }
        if let Authentication::OAuth(oauth) = &self.authentication
            && !(oauth.token_url.scheme() == "https"
                || is_http(&oauth.token_url) && is_loopback(&oauth.token_url))
        {
            return setting("oauth_token_url", "it must begin with https:// (the secret goes there)");
        }
        if !(1..=30).contains(&self.stream_timeout_minutes) {
            return setting("exchange_connection_timeout", "it must lie from 1 to 30 minutes");
        }
        if self.simultaneous_calls == 0 {
            return setting("simultaneous_calls", "it must be 1 or more");
        }
        if self.answer_limit_bytes < 64 << 10 {
            return setting("answer_limit_bytes", "it must be 64 KiB or more");
        }
        Ok(())
    }
}

/// Does nothing that is sent there leave this machine?
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http") && url.has_host()
}
