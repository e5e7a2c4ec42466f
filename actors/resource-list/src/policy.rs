//! When the list is fetched. Pure.

use std::time::{Duration, Instant};

use base::Backoff;

#[cfg(test)]
mod tests;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The list is to be fetched.
    Wanted,
    /// The time that was asked for has come.
    Timer,
    /// A fetch succeeded, or an empty answer kept a list that is good.
    Fetched,
    /// A fetch failed.
    Failed,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Fetch the list now.
    Fetch,
    /// Send a timer event after this time.
    WakeAfter(Duration),
}

/// One fetch at a time, again after failures until one succeeds.
#[derive(Debug, Clone)]
pub struct Policy {
    retry: Backoff,
    wanted: bool,
    fetching: bool,
    failures: u32,
    not_before: Option<Instant>,
}

impl Policy {
    /// Nothing is wanted.
    pub const fn new(retry: Backoff) -> Self {
        Self { retry, wanted: false, fetching: false, failures: 0, not_before: None }
    }

    /// Takes an event in. `random` is from 0 to 1.
    pub fn on(&mut self, event: Event, now: Instant, random: f64) -> Option<Directive> {
        match event {
            Event::Wanted => {
                // somebody asks: the pause after failures is over
                self.wanted = true;
                self.not_before = None;
            }
            Event::Timer => {}
            Event::Fetched => {
                self.fetching = false;
                self.failures = 0;
                self.not_before = None;
            }
            Event::Failed => {
                self.fetching = false;
                self.wanted = true;
                self.failures = self.failures.saturating_add(1);
                self.not_before = now.checked_add(self.retry.delay(self.failures, random));
            }
        }
        if self.fetching || !self.wanted {
            return None;
        }
        match self.not_before.map(|at| at.saturating_duration_since(now)) {
            Some(left) if !left.is_zero() => Some(Directive::WakeAfter(left)),
            _ => {
                self.fetching = true;
                self.wanted = false;
                Some(Directive::Fetch)
            }
        }
    }
}
