//! What stands in an answer before it is decoded: its status, its headers, its bounded body; and what a connection
//! that failed means.

use std::time::Duration;

use calendar::SourceError;
use calendar::source::SourceErrorKind;
use reqwest::header::{self, HeaderMap};

use crate::classify::{self, own};

/// Where a redirect leads, bounded; `None` for anything else.
pub(crate) fn redirect_target(response: &reqwest::Response) -> Option<String> {
    const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];
    if !REDIRECTS.contains(&response.status().as_u16()) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    Some(location.trim().chars().take(2_048).collect())
}

/// Statuses that tell all there is to know; 200 and 500 are left to the decoder.
pub(crate) fn check_status(operation: &'static str, response: &reqwest::Response) -> Result<(), SourceError> {
    use SourceErrorKind as K;
    let status = response.status();
    let (kind, text) = match status.as_u16() {
        200 | 500 => return Ok(()),
        401 | 403 => (K::Credentials, "user name or password not accepted, or the account may not use ews"),
        300..=399 => (K::Unavailable, "redirected, as exchange does when it is out of order"),
        404 | 405 | 410 | 421 => (K::Rediscover, "there is no exchange at this address"),
        413 => (K::TooMuch, "the request is too large for the server"),
        429 | 502..=504 => (K::Unavailable, "the server or a proxy before it is busy or away"),
        _ => (K::BadAnswer, "a status that exchange does not use"),
    };
    let mut error = own(operation, kind, &format!("HTTP {}", status.as_u16()), text);
    error.after = retry_after(response.headers());
    Err(error)
}

/// `Retry-After` in seconds, at most an hour.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(3_600)))
}

/// Most room that is made for an answer before it comes.
const ROOM_MAX: usize = 256 * 1024;

/// Reads a body, at most `limit` bytes.
pub(crate) async fn read(
    operation: &'static str,
    response: &mut reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, SourceError> {
    let oversized = || {
        own(
            operation,
            SourceErrorKind::BadAnswer,
            classify::OVERSIZED,
            "the answer is larger than answer_limit_bytes",
        )
    };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(oversized());
    }
    // in one piece, where its length is told and no more than a usual one
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut bytes = Vec::with_capacity(announced.unwrap_or_default().min(ROOM_MAX));
    while let Some(piece) = response.chunk().await.map_err(|error| broken(operation, &error))? {
        if bytes.len() + piece.len() > limit {
            return Err(oversized());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A connection that failed or broke, or ran into the timeout. The words hold no address and no content.
pub(crate) fn broken(operation: &'static str, error: &reqwest::Error) -> SourceError {
    let (code, text) = if error.is_timeout() {
        ("timeout", "no complete answer in time".to_owned())
    } else if error.is_connect() {
        ("no connection", chain(error))
    } else {
        ("broken connection", chain(error))
    };
    own(operation, SourceErrorKind::Unavailable, code, &text)
}

/// The innermost reason; the outer layers only repeat the address.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
