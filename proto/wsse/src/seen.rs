//! Which signed messages came already: a replayed one bears the signature of the first.
//!
//! An answer is bound to its request by the connection (TLS), by being made after the request within the
//! tolerance for clocks ([`Verifier::verify`](crate::Verifier::verify)) and by its signature being new.
//! The profile has no element that names the request: WS-Security 1.0 knows no signature confirmation, and
//! the service no `RelatesTo`. The memory is this process's own and ends with it.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{SignatureId, Verified, WsseError};

#[cfg(test)]
mod tests;

/// The most signatures that are remembered.
pub const SEEN_MAX: usize = 200_000;

/// The signatures seen within their time.
#[derive(Debug)]
pub struct SeenSignatures {
    until: HashMap<SignatureId, Timestamp>,
    limit: usize,
    /// How many were left when those that are over were last forgotten.
    swept: usize,
}

impl Default for SeenSignatures {
    fn default() -> Self {
        Self::with_limit(SEEN_MAX)
    }
}

impl SeenSignatures {
    /// Remembers at most `limit` signatures.
    pub fn with_limit(limit: usize) -> Self {
        Self { until: HashMap::new(), limit, swept: 0 }
    }

    /// Takes a message that was verified at `now`.
    ///
    /// # Errors
    /// [`WsseError::Replayed`] when it came before; [`WsseError::TooManySeen`] when too many came to
    /// remember: then none is taken rather than one twice.
    pub fn admit(&mut self, verified: &Verified, now: Timestamp) -> Result<(), WsseError> {
        if self.until.contains_key(&verified.signature) {
            return Err(WsseError::Replayed);
        }
        // those that are over would be refused by their time: they are forgotten when the memory has doubled
        if self.until.len() >= self.limit || self.until.len() > 2 * self.swept + 1_000 {
            self.until.retain(|_, until| *until >= now);
            self.swept = self.until.len();
        }
        if self.until.len() >= self.limit {
            return Err(WsseError::TooManySeen { limit: self.limit });
        }
        self.until.insert(verified.signature, verified.acceptable_until);
        Ok(())
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.until.len()
    }

    /// Is none remembered?
    pub fn is_empty(&self) -> bool {
        self.until.is_empty()
    }
}
