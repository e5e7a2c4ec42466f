//! When a certificate's end is to be told: pure, time comes in as a value.
//!
//! A certificate is told 60, 30, 14 and 3 days before its end and when it is over, each step once for each
//! certificate. A process that starts late tells the step that it finds, not those that it missed.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::{CertificateFacts, Fingerprint};

#[cfg(test)]
mod tests;

/// The most certificates that are watched; the oldest knowledge is forgotten beyond.
const WATCHED_MAX: usize = 1_000;

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExpiryStep {
    /// 60 days or less.
    Days60,
    /// 30 days or less.
    Days30,
    /// 14 days or less.
    Days14,
    /// 3 days or less.
    Days3,
    /// The end has passed.
    Expired,
}

impl ExpiryStep {
    /// The step of a certificate that is valid for so long; `None` while its end is far.
    pub fn of(left: SignedDuration) -> Option<Self> {
        let within = |days: i64| left <= SignedDuration::from_hours(24 * days);
        if left.is_negative() {
            return Some(Self::Expired);
        }
        let steps = [(3, Self::Days3), (14, Self::Days14), (30, Self::Days30), (60, Self::Days60)];
        steps.into_iter().find(|(days, _)| within(*days)).map(|(_, step)| step)
    }
}

/// Remembers which steps were told.
#[derive(Debug, Clone, Default)]
pub struct ExpiryWatch {
    told: HashMap<Fingerprint, ExpiryStep>,
}

impl ExpiryWatch {
    /// The step to tell about this certificate now, if it has not been told. A clock that goes back tells
    /// nothing again.
    pub fn observe(&mut self, certificate: &CertificateFacts, now: Timestamp) -> Option<ExpiryStep> {
        let step = ExpiryStep::of(certificate.left(now))?;
        if self.told.get(&certificate.fingerprint).is_some_and(|told| *told >= step) {
            return None;
        }
        if self.told.len() >= WATCHED_MAX {
            self.told.clear();
        }
        self.told.insert(certificate.fingerprint, step);
        Some(step)
    }
}
