//! One request by the way that an account logs on: Basic, NTLM or a bearer token.

use std::sync::Arc;

use calendar::SourceError;
use calendar::ids::AccountId;
use calendar::source::SourceErrorKind;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::classify::{self, own};
use crate::ntlm::{Broken, Connections, Failure, Lease};
use crate::oauth::Tokens;
use crate::reply::{broken, chain};

/// Who we say we are.
pub(crate) const USER_AGENT_VALUE: &str = concat!("Kommuneklient/", env!("CARGO_PKG_VERSION"));

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// An ordinary call.
    Calls,
    /// A stream, which has a connection to itself.
    Streams,
}

/// The clients of an account that logs on with each request.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) calls: Client,
    pub(crate) streams: Client,
}

/// How an account logs on.
#[derive(Debug)]
pub(crate) enum Wire {
    /// With name and password in each request.
    Basic { clients: Clients, authorization: HeaderValue },
    /// Connection by connection.
    Ntlm(Arc<Connections>),
    /// With a token in each request.
    Bearer { clients: Clients, tokens: Box<Tokens> },
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) response: Response,
    lease: Option<Lease>,
}

impl Sent {
    /// The body was read to its end: its connection may serve other calls.
    pub(crate) fn was_read(self) {
        if let Some(lease) = self.lease {
            lease.give_back();
        }
    }
}

impl Clients {
    async fn post(
        &self,
        operation: &'static str,
        lane: Lane,
        url: &Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<Sent, SourceError> {
        let client = match lane {
            Lane::Calls => &self.calls,
            Lane::Streams => &self.streams,
        };
        let sending = client.post(url.clone()).headers(headers).body(body).send();
        let response = sending.await.map_err(|error| broken(operation, &error))?;
        Ok(Sent { response, lease: None })
    }
}

impl Wire {
    /// Posts a body. The answer may have any status.
    pub(crate) async fn send(
        &self,
        account: AccountId,
        operation: &'static str,
        lane: Lane,
        url: &Url,
        mut headers: HeaderMap,
        body: String,
    ) -> Result<Sent, SourceError> {
        match self {
            Self::Basic { clients, authorization } => {
                headers.insert(AUTHORIZATION, authorization.clone());
                clients.post(operation, lane, url, headers, body).await
            }
            Self::Bearer { clients, tokens } => {
                let token = tokens.current(operation).await?;
                headers.insert(AUTHORIZATION, token.clone());
                let sent = clients.post(operation, lane, url, headers.clone(), body.clone()).await?;
                if sent.response.status() != StatusCode::UNAUTHORIZED {
                    return Ok(sent);
                }
                // it may have been withdrawn before its time: once more with a new one
                tokens.reject(&token);
                headers.insert(AUTHORIZATION, tokens.current(operation).await?);
                clients.post(operation, lane, url, headers, body).await
            }
            Self::Ntlm(connections) => {
                let sent = connections.send(url, &headers, &body).await;
                let (response, lease) = sent.map_err(|failure| failed(operation, account, &failure))?;
                Ok(Sent { response, lease: Some(lease) })
            }
        }
    }
}

/// What a failure over a connection of NTLM means.
fn failed(operation: &'static str, account: AccountId, failure: &Failure) -> SourceError {
    use SourceErrorKind as K;
    let (kind, code) = match failure {
        Failure::Address => (K::Rediscover, "no connection"),
        Failure::Broken(Broken::Timeout) => (K::Unavailable, "timeout"),
        Failure::Broken(Broken::Connect(_)) => (K::Unavailable, "no connection"),
        Failure::Broken(_) | Failure::Closes => (K::Unavailable, "broken connection"),
        Failure::NotOffered => (K::Credentials, classify::LOGIN_NOT_OFFERED),
        Failure::Weak(_) => (K::Credentials, classify::LOGIN_WEAKENED),
        Failure::Challenge(_) => (K::BadAnswer, classify::MALFORMED),
    };
    match failure {
        Failure::Weak(weakness) => tracing::error!(
            event_id = calendar::codes::LOGIN_WEAKENED.id,
            account = account.get(),
            operation,
            asked_for = weakness.name(),
            "exchange, or somebody before it, asks for a weaker login than ntlmv2: nothing made of the password was sent"
        ),
        Failure::NotOffered => tracing::error!(
            event_id = calendar::codes::LOGIN_NOT_OFFERED.id,
            account = account.get(),
            operation,
            wanted = "ntlm",
            "exchange does not offer the way to log on that exchange.authentication names"
        ),
        _ => {}
    }
    own(operation, kind, code, &chain(failure))
}
