//! The window (B3): the days ahead that are kept in step.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::appointment::Slot;

#[cfg(test)]
mod tests;

/// Window W: from tomorrow's midnight to the midnight of the same day some months later, in the configured
/// zone. Days have 23 to 25 hours there, so it is found by calendar arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Tomorrow 00:00.
    pub start: Timestamp,
    /// The same day `calendar_events_period_in_months` later, 00:00 (exclusive).
    pub end: Timestamp,
    /// The date of `now` in the configured zone.
    pub today: Date,
}

impl Window {
    /// The window at `now`. `months` is `calendar_events_period_in_months`. The 31st plus one month is the
    /// last day of a shorter month. Dates beyond what a calendar can hold end with it.
    pub fn at(now: Timestamp, zone: &TimeZone, months: u32) -> Self {
        let today = now.to_zoned(zone.clone()).date();
        let tomorrow = today.saturating_add(1.day());
        let last = tomorrow.saturating_add(i64::from(months.min(12_000)).months());
        Self { start: midnight(tomorrow, zone), end: midnight(last, zone), today }
    }

    /// Does `slot` share any time with the window? A slot of no length counts when it lies inside.
    pub fn overlaps(&self, slot: Slot) -> bool {
        self.slot().overlaps(slot)
    }

    /// The window as a stretch of time, to be read.
    pub fn slot(&self) -> Slot {
        Slot { start: self.start, end: self.end }
    }
}

impl Slot {
    /// Do the two share any time? (`end > other.start` and `start < other.end`.)
    pub fn overlaps(self, other: Self) -> bool {
        self.end > other.start && self.start < other.end
    }
}

/// The first instant of `date` in `zone`: midnight, or what follows where the clock jumps over it.
pub(crate) fn midnight(date: Date, zone: &TimeZone) -> Timestamp {
    // Both only fail at the very ends of the calendar, thousands of years from any appointment.
    zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(if date.year() > 0 {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    })
}
