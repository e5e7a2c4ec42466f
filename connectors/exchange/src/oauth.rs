//! OAuth 2.0 client credentials (RFC 6749 section 4.4): the tokens of one account. The account's name is the client's
//! id and its password the client's secret.
//!
//! Protocol: a token is fetched when the first call needs one, and a next one in time before it expires ([`plan`]): by
//! one call, while the others go on with the one that there is. A token that a server refuses is forgotten
//! ([`Tokens::reject`]), and the call is made once more with a new one.
//!
//! Failure: a token service that is away or refuses is asked again after a growing pause; the calls meanwhile fail with
//! what it said. Answers are read through a limit. No error shows token or secret: of an error answer only its code
//! and its numbers are kept, since its words may repeat what was sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Backoff, SharedClock};
use calendar::SourceError;
use calendar::ids::AccountId;
use calendar::source::SourceErrorKind;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use crate::classify::{self, own};
use crate::config::OAuth;
use crate::reply;
use plan::{Granted, Need, State};

mod plan;
#[cfg(test)]
mod tests;

/// The largest answer of a token service, in bytes; a token may be some KiB.
const ANSWER_MAX: usize = 64 << 10;
/// The largest token that is sent, in bytes: servers take no larger headers.
const TOKEN_MAX: usize = 12 << 10;

/// The tokens of one account.
#[derive(Debug)]
pub(crate) struct Tokens {
    account: AccountId,
    client: Client,
    options: OAuth,
    id: String,
    secret: SecretString,
    clock: SharedClock,
    state: Mutex<State>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

impl Tokens {
    pub(crate) fn new(account: &crate::Account, client: Client, options: OAuth, clock: SharedClock) -> Self {
        Self {
            account: account.id,
            client,
            options,
            id: account.user.clone(),
            secret: account.password.clone(),
            clock,
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The value of `Authorization` for a call that is made now.
    pub(crate) async fn current(&self, operation: &'static str) -> Result<HeaderValue, SourceError> {
        let _fetching = match self.need() {
            Need::Nothing(token) => return Ok(token),
            Need::Renewal(token) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_somebody_fetches) => return Ok(token),
            },
            Need::Token => self.fetching.lock().await,
            Need::Patience { after, error } => return Err(still(operation, *error, after)),
        };
        // somebody else may have fetched while this one waited
        let old = match self.need() {
            Need::Nothing(token) => return Ok(token),
            Need::Patience { after, error } => return Err(still(operation, *error, after)),
            Need::Renewal(token) => Some(token),
            Need::Token => None,
        };
        let outcome = self.fetch(operation).await;
        let now = self.clock.monotonic();
        match outcome {
            Ok(granted) => Ok(self.state().granted(now, granted)),
            Err(error) => {
                self.tell(&error);
                self.state().failed(now, &pauses(), error.clone());
                // the old one is good until it expires
                old.ok_or(error)
            }
        }
    }

    /// A server refused this token.
    pub(crate) fn reject(&self, token: &HeaderValue) {
        self.state().reject(token);
    }

    fn need(&self) -> Need {
        self.state().need(self.clock.monotonic())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, operation: &'static str) -> Result<Granted, SourceError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.id)
            .append_pair("client_secret", self.secret.expose_secret())
            .append_pair("scope", &self.options.scope)
            .finish();
        let sending = self
            .client
            .post(self.options.token_url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form)
            .send();
        let mut response = sending.await.map_err(|error| {
            let broken = reply::broken(operation, &error);
            unavailable(operation, &format!("the token service: {}", broken.text))
        })?;
        let status = response.status().as_u16();
        let after = reply::retry_after(response.headers());
        let body = reply::read(operation, &mut response, ANSWER_MAX).await;
        let body =
            body.map_err(|error| unavailable(operation, &format!("the token service: {}", error.text)))?;
        match status {
            200 => plan::granted(&body).ok_or_else(|| {
                let text = "the token service: its answer holds no bearer token that can be sent";
                unavailable(operation, text)
            }),
            400 | 401 | 403 => Err(plan::refusal(operation, status, &body)),
            _ => {
                let mut error = unavailable(operation, &format!("the token service answers {status}"));
                error.after = after;
                Err(error)
            }
        }
    }

    fn tell(&self, error: &SourceError) {
        let account = self.account.get();
        if error.kind == SourceErrorKind::Credentials {
            tracing::error!(
                event_id = calendar::codes::TOKEN_REFUSED.id,
                account,
                reason = error.text,
                "the token service refuses the service account; check client id, secret, scope and consent"
            );
        } else {
            tracing::warn!(
                event_id = calendar::codes::TOKEN_UNAVAILABLE.id,
                account,
                reason = error.text,
                "no token could be had; a former one is used while it is valid"
            );
        }
    }
}

/// Pauses after a token service failed or refused.
fn pauses() -> Backoff {
    Backoff::doubling(Duration::from_secs(1), Duration::from_secs(60))
}

fn unavailable(operation: &'static str, text: &str) -> SourceError {
    own(operation, SourceErrorKind::Unavailable, classify::TOKEN_UNAVAILABLE, text)
}

/// The error of before, to somebody who asks during the pause after it.
fn still(operation: &'static str, error: SourceError, after: Duration) -> SourceError {
    SourceError { operation, after: Some(after), ..error }
}
