//! Logins that a server can ask for: Basic, NTLM (of the connection) and bearer tokens. NTLM is judged by
//! [`proto_ntlm::acceptor`].
//!
//! NTLM logs a connection on, not a request: what a connection told is kept with it ([`ConnectionLogin`]), and an
//! unfinished login of one connection means nothing on another.

use std::sync::{Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use base::Clock;
use proto_ntlm::acceptor::{Pending, Refused, Server, Strength};
use proto_ntlm::header;

#[cfg(test)]
mod tests;

/// From 1601 to 1970, in units of 100 ns: where NTLM's times begin.
const EPOCH: u64 = 116_444_736_000_000_000;

/// What a connection told of who it is.
#[derive(Debug, Default)]
pub struct ConnectionLogin {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
enum State {
    #[default]
    Nobody,
    Challenged(Box<Pending>),
    Known(String),
}

/// What came of a request at a server that takes NTLM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ntlm {
    /// It comes from this account; its connection does from now on.
    Known(String),
    /// It is to be answered with 401 and this value of `WWW-Authenticate`.
    Challenge(HeaderValue),
    /// It says nothing of NTLM, on a connection of nobody.
    Silent,
    /// It is refused.
    Refused(Refused),
}

impl ConnectionLogin {
    /// Judges a request: by what its connection is, or by the NTLM message that it carries. `password_of` finds the
    /// password of an account (user, domain).
    pub fn judge(
        request: &HttpRequest,
        server: &Server,
        strength: impl FnOnce() -> Strength,
        clock: &dyn Clock,
        password_of: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Ntlm {
        let Some(login) = request.conn_data::<Self>() else { return Ntlm::Silent };
        let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        login.judge_value(value, server, strength, file_time(clock), password_of)
    }

    /// Forgets who the connection is.
    pub fn forget(request: &HttpRequest) {
        if let Some(login) = request.conn_data::<Self>() {
            *login.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Nobody;
        }
    }

    fn judge_value(
        &self,
        authorization: Option<&str>,
        server: &Server,
        strength: impl FnOnce() -> Strength,
        now: u64,
        password_of: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Ntlm {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(message) = authorization.and_then(header::message_in) else {
            return match &*state {
                State::Known(user) if authorization.is_none() => Ntlm::Known(user.clone()),
                _ => Ntlm::Silent,
            };
        };
        // whatever comes of it, a login begun ends the one before
        let before = std::mem::take(&mut *state);
        let message = match message {
            Ok(message) => message,
            Err(error) => return Ntlm::Refused(error.into()),
        };
        if let State::Challenged(pending) = before
            && message.get(8) == Some(&3)
        {
            return match pending.judge(&message, now, password_of) {
                Ok(accepted) => {
                    *state = State::Known(accepted.user.clone());
                    Ntlm::Known(accepted.user)
                }
                Err(refused) => Ntlm::Refused(refused),
            };
        }
        match server.challenge(&message, strength(), rand::random(), now) {
            Ok((challenge, pending)) => {
                *state = State::Challenged(Box::new(pending));
                let value = HeaderValue::try_from(header::value(&challenge));
                Ntlm::Challenge(value.expect("Base64 is a header's value"))
            }
            Err(error) => Ntlm::Refused(error.into()),
        }
    }
}

fn file_time(clock: &dyn Clock) -> u64 {
    let since_1970 = u64::try_from(clock.now().as_nanosecond() / 100).unwrap_or_default();
    EPOCH + since_1970
}
