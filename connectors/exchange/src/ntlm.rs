//! NTLM: connections that an account has logged on, and calls over them.
//!
//! Protocol: NTLM logs a connection on and not a request, so a call has a connection to itself, from its first byte to
//! the end of its answer: [`Connections::send`] takes one that is logged on and idle, or opens one and logs it on by
//! the exchange of messages ([`login`]). [`Lease::give_back`] puts it away for the next call. A stream's is never put
//! away: it ends with the stream. Ordinary calls are bounded by `simultaneous_calls`, and so are their connections;
//! what has been idle for longer than a server keeps a connection is closed.
//!
//! Each connection is made by hand, not by a pool: a request of a login that another connection carries would be
//! refused, and a pool moves requests as it likes. Proxies of the environment are not used, since a login through one
//! would log the proxy's connection on. Over TLS a login is bound to the server's certificate.
//!
//! Failure: a server that asks for less than NTLMv2 gets no answer at all ([`Failure::Weak`]). A connection that was
//! closed while idle is replaced, once, when not one byte of the call was sent on it; in all other cases the call fails
//! as a broken connection. A connection that is no longer logged on is replaced, once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::SharedClock;
use proto_ntlm::header::{self, Offer};
use proto_ntlm::message::Weakness;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Body, Response, StatusCode};
use secrecy::SecretString;
use url::Url;

pub(crate) use connection::Broken;
use connection::Connection;
use login::Login;

mod connection;
mod login;
#[cfg(test)]
mod tests;

/// How long a connection may be idle: less than servers keep one (IIS: 120 s).
const IDLE_MAX: Duration = Duration::from_secs(60);
/// The longest body beside a login message that is read in order to go on with its connection.
const LOGIN_BODY_MAX: usize = 64 << 10;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The address is none.
    #[error("reading the address of the service")]
    Address,
    /// The connection could not be made or broke.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The server does not take NTLM.
    #[error("logging on: the server does not offer ntlm")]
    NotOffered,
    /// The server, or somebody before it, asks for less than NTLMv2.
    #[error("logging on: the server asks for {}", .0.name())]
    Weak(Weakness),
    /// The server's message cannot be read.
    #[error("logging on: the server's message is not understood")]
    Challenge(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server ends the connection in the middle of the login.
    #[error("logging on: the server closes the connection that is to be logged on")]
    Closes,
}

/// The connections of one account.
#[derive(Debug)]
pub(super) struct Connections {
    login: Login,
    tls: Arc<rustls::ClientConfig>,
    connect_timeout: Duration,
    idle_max: usize,
    clock: SharedClock,
    idle: Mutex<VecDeque<Idle>>,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    connection: Connection,
}

/// The connection that an answer comes over.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Connection,
    home: Arc<Connections>,
}

impl Lease {
    /// The answer was read to its end: the connection can serve another call.
    pub(super) fn give_back(self) {
        self.home.keep(self.connection);
    }
}

/// What a call over a connection came to.
enum Outcome {
    Answer(Response),
    /// The connection is no longer logged on.
    LoggedOff,
    /// It had been closed, and nothing was sent.
    Unsent,
}

impl Connections {
    pub(super) fn new(
        user: &str,
        password: SecretString,
        tls: rustls::ClientConfig,
        connect_timeout: Duration,
        idle_max: usize,
        clock: SharedClock,
    ) -> Self {
        let login = Login::new(user, password);
        Self { login, tls: Arc::new(tls), connect_timeout, idle_max, clock, idle: Mutex::default() }
    }

    /// Posts a body and returns the answer with its connection; the answer's body is not read yet.
    pub(super) async fn send(
        self: &Arc<Self>,
        url: &Url,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<(Response, Lease), Failure> {
        while let Some(mut connection) = self.idle_for(url) {
            match call(&mut connection, url, headers, body).await? {
                Outcome::Answer(response) => return Ok((response, self.lease(connection))),
                // others that were idle as long have probably been closed, too: they say so at once
                Outcome::Unsent => {}
                Outcome::LoggedOff => break,
            }
        }
        let mut connection = Connection::open(url, &self.tls, self.connect_timeout).await?;
        let response = self.log_on(&mut connection, url, headers, body).await?;
        Ok((response, self.lease(connection)))
    }

    fn lease(self: &Arc<Self>, connection: Connection) -> Lease {
        Lease { connection, home: Arc::clone(self) }
    }

    /// The exchange of messages; the call itself goes with the last one. Returns the answer to that, or the first
    /// answer that is about something else than the login (the server is busy, there is no service).
    async fn log_on(
        &self,
        connection: &mut Connection,
        url: &Url,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Response, Failure> {
        let (attempt, negotiate) = self.login.begin()?;
        let first = connection.post(url, &with_message(headers, &negotiate), "").await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            // a server that lets everybody in answered an empty request; all else is for the caller to understand
            return if first.status().is_success() { Err(Failure::NotOffered) } else { Ok(first) };
        }
        let values = first.headers().get_all(WWW_AUTHENTICATE).iter();
        let offered = header::offer(values.filter_map(|value| value.to_str().ok()))
            .map_err(|error| Failure::Challenge(error.into()))?;
        let message = match offered {
            Offer::Message(message) => message,
            Offer::None => return Err(Failure::NotOffered),
            // it takes NTLM and refuses to begin: the caller sees the 401
            Offer::Scheme => return Ok(first),
        };
        let answer = attempt.answer(&message, connection.binding())?;
        drain(first).await?;
        if connection.is_closed().await {
            return Err(Failure::Closes);
        }
        Ok(connection.post(url, &with_message(headers, &answer), body).await?)
    }

    /// The idle connection to this server that was used last.
    fn idle_for(&self, url: &Url) -> Option<Connection> {
        let now = self.clock.monotonic();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|one| now.saturating_duration_since(one.since) < IDLE_MAX);
        let place = idle.iter().rposition(|one| one.connection.leads_to(url))?;
        idle.remove(place).map(|one| one.connection)
    }

    fn keep(&self, connection: Connection) {
        let since = self.clock.monotonic();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back(Idle { since, connection });
        while idle.len() > self.idle_max {
            idle.pop_front();
        }
    }
}

/// One call over a connection that was logged on.
async fn call(
    connection: &mut Connection,
    url: &Url,
    headers: &HeaderMap,
    body: &str,
) -> Result<Outcome, Failure> {
    if connection.is_closed().await {
        return Ok(Outcome::Unsent);
    }
    match connection.post(url, headers, body).await {
        Ok(response) if response.status() == StatusCode::UNAUTHORIZED => Ok(Outcome::LoggedOff),
        Ok(response) => Ok(Outcome::Answer(response)),
        Err(Broken::Unsent) => Ok(Outcome::Unsent),
        Err(error) => Err(error.into()),
    }
}

fn with_message(headers: &HeaderMap, message: &[u8]) -> HeaderMap {
    let mut headers = headers.clone();
    let mut value = HeaderValue::try_from(header::value(message)).expect("Base64 is a header's value");
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    headers
}

/// Reads what is beside a login message, so that the connection can go on.
async fn drain(mut response: Response) -> Result<(), Failure> {
    let mut left = LOGIN_BODY_MAX;
    while let Some(piece) = response.chunk().await.map_err(Broken::Body)? {
        left = left.checked_sub(piece.len()).ok_or(Failure::Closes)?;
    }
    Ok(())
}

/// An answer as the rest of the connector reads answers.
fn response_of(response: hyper::Response<hyper::body::Incoming>) -> Response {
    response.map(Body::wrap).into()
}
