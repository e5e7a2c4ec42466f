//! When the schedule is due. Pure; the wall clock comes in as a value.

use std::time::Duration;

use base::daily::{DailyTimes, missed, next_after};
use jiff::Timestamp;
use jiff::tz::TimeZone;

#[cfg(test)]
mod tests;

/// The longest wait between two looks, so that a wall clock that was set takes effect soon.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// The schedule of a duty that is held.
#[derive(Debug, Clone)]
pub struct Schedule {
    times: DailyTimes,
    zone: TimeZone,
    looked_at: Timestamp,
}

/// What a look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Has a time of the schedule come since the last look?
    pub due: bool,
    /// Look again after this time.
    pub again_after: Duration,
}

impl Schedule {
    /// A schedule that last ran at `last_run`; one that never ran begins now.
    pub const fn new(times: DailyTimes, zone: TimeZone, last_run: Timestamp) -> Self {
        Self { times, zone, looked_at: last_run }
    }

    /// Looks whether a run is due. Several times that have passed since the last look are one run.
    pub fn look(&mut self, now: Timestamp) -> Look {
        let due = missed(&self.times, &self.zone, Some(self.looked_at), now);
        self.looked_at = now;
        let left = next_after(&self.times, &self.zone, now).duration_since(now);
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
        Look { due, again_after: left.min(base::pace::scaled(LOOK_AT_LEAST_EVERY)) }
    }
}
