//! How many appointments a call carries: the configured maximum, less after repeated timeouts (B9). Pure.

use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Two timeouts within this time are repeated ones (the original's guide speaks of "a short period, e.g. 15
/// minutes").
const REPEATED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// After each such time of success the size grows by one.
const GROWS_EVERY: Duration = Duration::from_secs(60);

/// The size of batches. Kept in memory only: a new process finds out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSize {
    max: usize,
    current: usize,
    last_timeout: Option<Instant>,
    good_since: Option<Instant>,
}

impl BatchSize {
    /// Begins with the maximum (at least 1).
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { max, current: max, last_timeout: None, good_since: None }
    }

    /// The size now: from 1 to the maximum.
    pub const fn get(&self) -> usize {
        self.current
    }

    /// A call ran out of time (6904). A repeated one halves the size. Answers whether it did.
    pub fn timed_out(&mut self, now: Instant) -> bool {
        let repeated = self
            .last_timeout
            .is_some_and(|last| now.saturating_duration_since(last) <= base::pace::scaled(REPEATED_WITHIN));
        self.last_timeout = Some(now);
        self.good_since = None;
        let before = self.current;
        if repeated {
            self.current = (self.current / 2).max(1);
        }
        self.current < before
    }

    /// A call succeeded. After each minute of success the size grows by one.
    pub fn succeeded(&mut self, now: Instant) {
        if self.current >= self.max {
            return;
        }
        let since = *self.good_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= base::pace::scaled(GROWS_EVERY) {
            self.current += 1;
            self.good_since = Some(now);
        }
    }
}
