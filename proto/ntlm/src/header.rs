//! Login messages in HTTP headers (RFC 4559's form: the scheme's name and the message in Base64).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::NtlmError;
use crate::message::BYTES_MAX;

#[cfg(test)]
mod tests;

/// The scheme's name.
pub const SCHEME: &str = "NTLM";

/// What the `WWW-Authenticate` headers of an answer say of NTLM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Nothing: the server does not take it.
    None,
    /// That the server takes it.
    Scheme,
    /// The server's message.
    Message(Vec<u8>),
}

/// Reads the values of the `WWW-Authenticate` headers of one answer; several schemes may share one.
///
/// # Errors
/// [`NtlmError`]: a message that is no Base64 or too long.
pub fn offer<'a>(values: impl Iterator<Item = &'a str>) -> Result<Offer, NtlmError> {
    let mut found = Offer::None;
    // Base64 has no comma, so that one always stands between schemes or their parameters
    for part in values.flat_map(|value| value.split(',')) {
        match message_in(part) {
            None => {}
            Some(Ok(message)) if message.is_empty() => found = Offer::Scheme,
            Some(message) => return message.map(Offer::Message),
        }
    }
    Ok(found)
}

/// The message in one value such as `NTLM TlRMTVNTUAAB…`: `None` when it is of another scheme, empty when it names
/// the scheme alone.
pub fn message_in(value: &str) -> Option<Result<Vec<u8>, NtlmError>> {
    let mut words = value.split_ascii_whitespace();
    if !words.next()?.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let encoded = words.next().unwrap_or_default();
    if encoded.len() > BYTES_MAX.div_ceil(3) * 4 {
        return Some(Err(NtlmError::TooLong { limit_bytes: BYTES_MAX }));
    }
    if words.next().is_some() {
        return Some(Err(NtlmError::Malformed { field: "base64" }));
    }
    Some(STANDARD.decode(encoded).map_err(|_| NtlmError::Malformed { field: "base64" }))
}

/// A message as a header's value.
pub fn value(message: &[u8]) -> String {
    format!("{SCHEME} {}", STANDARD.encode(message))
}
