//! The pure part: what a token service says, when a token is to be renewed, and who has to wait.

use std::time::{Duration, Instant};

use base::Backoff;
use calendar::SourceError;
use calendar::source::SourceErrorKind;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::TOKEN_MAX;
use crate::classify::{self, own};

/// The life of a token whose service does not say it.
const LIFE_UNSAID: Duration = Duration::from_secs(300);
/// The longest life that is believed.
const LIFE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// A token is not used in the last part of its life, at most this long: it must still hold when it arrives.
const MARGIN_MAX: Duration = Duration::from_secs(60);

/// What a token service gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    /// The value of `Authorization`.
    pub(super) value: HeaderValue,
    /// How long it holds.
    pub(super) life: Duration,
}

#[derive(Debug, Clone)]
struct Token {
    value: HeaderValue,
    renewed_from: Instant,
    used_until: Instant,
}

#[derive(Debug, Clone)]
struct Failed {
    times: u32,
    until: Instant,
    error: SourceError,
}

/// What is known of the tokens of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    token: Option<Token>,
    failed: Option<Failed>,
}

/// What a call has to do for its token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Need {
    /// Use this one.
    Nothing(HeaderValue),
    /// Fetch a new one, unless somebody does; this one still holds.
    Renewal(HeaderValue),
    /// Fetch one, or wait for whoever does.
    Token,
    /// Give up with this error: the service failed or refused not long ago.
    Patience {
        /// How much longer.
        after: Duration,
        /// What it said.
        error: Box<SourceError>,
    },
}

impl State {
    /// What a call at `now` has to do.
    pub(super) fn need(&self, now: Instant) -> Need {
        let failed = self.failed.as_ref().filter(|failed| now < failed.until);
        match (&self.token, failed) {
            (Some(token), _) if now < token.renewed_from => Need::Nothing(token.value.clone()),
            (Some(token), Some(_)) if now < token.used_until => Need::Nothing(token.value.clone()),
            (Some(token), None) if now < token.used_until => Need::Renewal(token.value.clone()),
            (_, Some(failed)) => {
                let after = failed.until.saturating_duration_since(now);
                Need::Patience { after, error: Box::new(failed.error.clone()) }
            }
            _ => Need::Token,
        }
    }

    /// A token came; returns it as it is to be sent.
    pub(super) fn granted(&mut self, now: Instant, granted: Granted) -> HeaderValue {
        let life = granted.life.min(LIFE_MAX);
        let margin = (life / 10).min(MARGIN_MAX);
        let token = Token {
            value: granted.value,
            renewed_from: now + life * 3 / 4,
            used_until: now + (life - margin),
        };
        self.failed = None;
        self.token.insert(token).value.clone()
    }

    /// None came.
    pub(super) fn failed(&mut self, now: Instant, pauses: &Backoff, error: SourceError) {
        let times = self.failed.as_ref().map_or(0, |failed| failed.times).saturating_add(1);
        let pause = pauses.delay(times, 0.0).max(error.after.unwrap_or_default());
        self.failed = Some(Failed { times, until: now + pause, error });
    }

    /// A server refused this one; another one that came meanwhile stays.
    pub(super) fn reject(&mut self, token: &HeaderValue) {
        if self.token.as_ref().is_some_and(|known| known.value == *token) {
            self.token = None;
        }
    }
}

/// What stands in a good answer. Azure AD's older form has the life as a text.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// Reads a good answer; `None` where it holds no bearer token that can be sent.
pub(super) fn granted(body: &[u8]) -> Option<Granted> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let sendable = !answer.access_token.is_empty()
        && answer.access_token.len() <= TOKEN_MAX
        && answer.access_token.bytes().all(|byte| byte.is_ascii_graphic());
    if !answer.token_type.eq_ignore_ascii_case("bearer") || !sendable {
        return None;
    }
    let life = match answer.expires_in {
        None => LIFE_UNSAID,
        Some(Seconds::Number(seconds)) => Duration::from_secs(seconds),
        Some(Seconds::Text(seconds)) => Duration::from_secs(seconds.trim().parse().ok()?),
    };
    let mut value = HeaderValue::try_from(format!("Bearer {}", answer.access_token)).ok()?;
    value.set_sensitive(true);
    Some(Granted { value, life })
}

/// What stands in an error answer (RFC 6749 section 5.2) that may be told: `error`, and the numbers of Azure AD.
#[derive(Deserialize, Default)]
struct ErrorAnswer {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// The error of an answer that refuses.
pub(super) fn refusal(operation: &'static str, status: u16, body: &[u8]) -> SourceError {
    let answer: ErrorAnswer = serde_json::from_slice(body).unwrap_or_default();
    // the codes of RFC 6749 are made of these; anything else may be words of what was sent
    let is_code = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let code = Some(answer.error.as_str()).filter(|text| text.len() <= 60 && is_code(text));
    let numbers: Vec<String> = answer.error_codes.iter().take(5).map(u64::to_string).collect();
    let mut text = format!("the token service refuses with {status}");
    for part in code.into_iter().chain(numbers.iter().map(String::as_str)) {
        text.push(' ');
        text.push_str(part);
    }
    match code {
        Some("temporarily_unavailable" | "server_error" | "slow_down") => {
            super::unavailable(operation, &text)
        }
        _ => own(operation, SourceErrorKind::Credentials, classify::TOKEN_REFUSED, &text),
    }
}
