//! The service accounts: who makes which call (B12).
//!
//! Protocol: streams and subscriptions belong to the account that made them, so calls about these name their
//! account and are made by no other. Ordinary calls name the account of the mailbox's group. A mailbox
//! without group, or whose group's account this process does not know (yet), gets one of those that there are:
//! always the same while they stay the same, and a different one for as few mailboxes as possible when
//! one comes or goes. Each account has its own connections and its own back-off.
//!
//! Failure: a call that must be made by an account which is not here fails like a service that is away: accounts
//! come (and go) while the program runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use calendar::ids::AccountId;
use calendar::source::SourceErrorKind;
use calendar::{MailAddress, SourceError};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::classify::own;
use crate::config::Authentication;
use crate::insecure;
use crate::ntlm::Connections;
use crate::oauth::Tokens;
use crate::sending::{Clients, Lane, Sent, USER_AGENT_VALUE, Wire};
use crate::throttle::{Common, Throttle};
use crate::{ExchangeError, ExchangeOptions};

#[cfg(test)]
mod tests;

/// How long a caller is asked to wait for an account that is not here.
const ACCOUNT_AGAIN: Duration = Duration::from_secs(2);

/// A service account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Which.
    pub id: AccountId,
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: SecretString,
}

impl Account {
    /// The account of the configuration.
    pub fn configured(user: impl Into<String>, password: SecretString) -> Self {
        Self { id: AccountId::DEFAULT, user: user.into(), password }
    }

    /// Refuses a name that cannot be sent. A colon ends it in Basic authentication, and no directory allows one.
    fn check(&self) -> Result<(), ExchangeError> {
        if self.user.is_empty() || self.user.contains(':') {
            let reason = "it must not be empty and must not hold a colon";
            return Err(ExchangeError::Setting { key: "user", reason });
        }
        Ok(())
    }

    /// Is it used in the same way?
    fn is_same(&self, other: &Self) -> bool {
        let secret = |one: &Self| one.password.expose_secret().to_owned();
        self.id == other.id && self.user == other.user && secret(self) == secret(other)
    }

    /// What goes into the header of every request with Basic authentication.
    fn basic(&self) -> Result<HeaderValue, ExchangeError> {
        let setting = |key, reason| Err(ExchangeError::Setting { key, reason });
        let pair = format!("{}:{}", self.user, self.password.expose_secret());
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let Ok(mut value) = HeaderValue::try_from(text) else {
            return setting("password", "it cannot be sent");
        };
        value.set_sensitive(true);
        Ok(value)
    }
}

/// One account with its connections.
pub(crate) struct Line {
    account: Account,
    wire: Wire,
    pub(crate) throttle: Throttle,
}

impl Line {
    /// Posts a body. The answer may have any status.
    pub(crate) async fn send(
        &self,
        operation: &'static str,
        lane: Lane,
        url: &Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<Sent, SourceError> {
        self.wire.send(self.account.id, operation, lane, url, headers, body).await
    }
}

/// Makes lines.
pub(crate) struct Maker {
    tls: trust::ClientTls,
    any_certificate: bool,
    authentication: Authentication,
    common: Common,
    request_timeout: Duration,
    idle_max: usize,
}

impl Maker {
    pub(crate) fn new(options: &ExchangeOptions, common: Common) -> Self {
        Self {
            tls: options.tls.clone(),
            any_certificate: options.danger_accept_invalid_certificates,
            authentication: options.authentication.clone(),
            common,
            request_timeout: options.request_timeout,
            idle_max: options.simultaneous_calls,
        }
    }

    /// The TLS of an account that is made now; reads the certificates that it trusts.
    pub(crate) fn tls(&self) -> Result<rustls::ClientConfig, ExchangeError> {
        let mut tls = self.tls.client_config().map_err(ExchangeError::Trust)?;
        if self.any_certificate {
            insecure::accept_any_certificate(&mut tls);
        }
        Ok(tls)
    }

    fn connect_timeout(&self) -> Duration {
        self.request_timeout.min(Duration::from_secs(20))
    }

    fn client(&self) -> Result<ClientBuilder, ExchangeError> {
        let builder = Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout())
            .tcp_keepalive(Duration::from_secs(30))
            .user_agent(USER_AGENT_VALUE);
        Ok(builder)
    }

    fn clients(&self) -> Result<Clients, ExchangeError> {
        let calls = self.client()?.pool_max_idle_per_host(self.idle_max);
        let streams = self.client()?.pool_max_idle_per_host(0);
        Ok(Clients {
            calls: calls.build().map_err(ExchangeError::Client)?,
            streams: streams.build().map_err(ExchangeError::Client)?,
        })
    }

    fn line(&self, account: &Account) -> Result<Line, ExchangeError> {
        let clock = self.common.clock.clone();
        let wire = match &self.authentication {
            Authentication::Basic => {
                Wire::Basic { clients: self.clients()?, authorization: account.basic()? }
            }
            Authentication::Ntlm => Wire::Ntlm(Arc::new(Connections::new(
                &account.user,
                account.password.clone(),
                self.tls()?,
                self.connect_timeout(),
                self.idle_max,
                clock,
            ))),
            Authentication::OAuth(options) => {
                let client = self.client()?.timeout(self.request_timeout);
                let client = client.build().map_err(ExchangeError::Client)?;
                let tokens = Box::new(Tokens::new(account, client, options.clone(), clock));
                Wire::Bearer { clients: self.clients()?, tokens }
            }
        };
        let throttle = Throttle::new(account.id, self.common.clone());
        Ok(Line { account: account.clone(), wire, throttle })
    }
}

/// The accounts that there are.
#[derive(Clone, Default)]
pub(crate) struct Pool {
    lines: BTreeMap<AccountId, Arc<Line>>,
}

impl Pool {
    /// The pool with exactly these accounts. Those that it has already, with the same name and password, keep their
    /// connections and their back-off; a changed one begins anew.
    pub(crate) fn with(&self, accounts: &[Account], maker: &Maker) -> Result<Self, ExchangeError> {
        let mut lines = BTreeMap::new();
        for account in accounts {
            account.check()?;
            let known = self.lines.get(&account.id).filter(|line| line.account.is_same(account));
            let line = match known {
                Some(line) => Arc::clone(line),
                None => Arc::new(maker.line(account)?),
            };
            lines.insert(account.id, line);
        }
        Ok(Self { lines })
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.lines.values()
    }

    /// The line of exactly this account.
    pub(crate) fn exactly(
        &self,
        operation: &'static str,
        account: AccountId,
    ) -> Result<Arc<Line>, SourceError> {
        self.lines.get(&account).cloned().ok_or_else(|| absent(operation, "the service account is not here"))
    }

    /// The line for ordinary calls about a mailbox.
    pub(crate) fn for_mailbox(
        &self,
        operation: &'static str,
        account: Option<AccountId>,
        mailbox: &MailAddress,
    ) -> Result<Arc<Line>, SourceError> {
        let of_group = account.and_then(|account| self.lines.get(&account));
        let chosen = of_group.or_else(|| self.lines.get(&preferred(self.lines.keys().copied(), mailbox)?));
        chosen.cloned().ok_or_else(|| absent(operation, "there is no service account"))
    }

    /// A line for calls to `service` about no single mailbox: of an account that does not wait, if there is one.
    pub(crate) fn any(&self, operation: &'static str, service: &str) -> Result<Arc<Line>, SourceError> {
        let open = self.lines.values().find(|line| !line.throttle.waits_at(service));
        let line = open.or_else(|| self.lines.values().next());
        line.cloned().ok_or_else(|| absent(operation, "there is no service account"))
    }
}

fn absent(operation: &'static str, text: &str) -> SourceError {
    let mut error = own(operation, SourceErrorKind::Unavailable, "no account", text);
    error.after = Some(base::pace::scaled(ACCOUNT_AGAIN));
    error
}

/// The account that a mailbox prefers among these.
fn preferred(accounts: impl Iterator<Item = AccountId>, mailbox: &MailAddress) -> Option<AccountId> {
    accounts.max_by_key(|id| (weight(mailbox, *id), *id))
}

/// How much a mailbox prefers an account (rendezvous hashing): FNV-1a, so that it is the same in every process and
/// version.
fn weight(mailbox: &MailAddress, account: AccountId) -> u64 {
    let bytes = mailbox.as_str().bytes().chain(account.get().to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // the last bytes, those of the account, hardly reach the upper bits by themselves
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
