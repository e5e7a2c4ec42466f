//! Daily times (B8): when a schedule of civil times runs next, and whether a run was missed.
//!
//! Pure: the present and the last run come in as values. A time that does not exist on a day (spring) stands
//! for the first instant after the gap; one that occurs twice (autumn) for its first occurrence, so that each
//! scheduled time runs once a day. Two times that fall into one gap are one run.
//!
//! Failure: a clock may have been wrong when a run was recorded. [`believed`] tells the records that count.

use jiff::civil::Time;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

#[cfg(test)]
mod tests;

/// The times of day of a schedule: at least one, sorted, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyTimes(Vec<Time>);

/// A schedule without a time would never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a schedule needs at least one time of day")]
pub struct NoTimes;

impl DailyTimes {
    /// A schedule of these times, in any order, repetitions allowed.
    ///
    /// # Errors
    /// [`NoTimes`] when there is none.
    pub fn new(times: impl IntoIterator<Item = Time>) -> Result<Self, NoTimes> {
        let mut times: Vec<Time> = times.into_iter().collect();
        times.sort_unstable();
        times.dedup();
        if times.is_empty() { Err(NoTimes) } else { Ok(Self(times)) }
    }

    /// The schedule of one time.
    pub fn once_at(time: Time) -> Self {
        Self(vec![time])
    }

    /// The times, sorted.
    pub fn times(&self) -> &[Time] {
        &self.0
    }
}

/// The first instant later than `after` at which the schedule runs in `zone`.
pub fn next_after(times: &DailyTimes, zone: &TimeZone, after: Timestamp) -> Timestamp {
    // The day before, because a gap at midnight moves its last times into the next day; the days after,
    // because a day can be missing altogether where a country changed sides of the date line.
    const DAYS: std::ops::RangeInclusive<i32> = -1..=3;
    let today = after.to_zoned(zone.clone()).date();
    DAYS.filter_map(|offset| today.checked_add(offset.days()).ok())
        .flat_map(|date| times.0.iter().map(move |time| date.to_datetime(*time)))
        .filter_map(|civil| instant_of(civil, zone))
        .filter(|instant| *instant > after)
        .min()
        // only at the end of time, in the year 9999
        .unwrap_or(Timestamp::MAX)
}

/// Has a run been missed: is a scheduled instant later than `last_run` and not later than `now`?
///
/// A schedule that has never run has missed nothing: its first run is its next one.
pub fn missed(times: &DailyTimes, zone: &TimeZone, last_run: Option<Timestamp>, now: Timestamp) -> bool {
    last_run.is_some_and(|last_run| next_after(times, zone, last_run) <= now)
}

/// A record of a last run that may be ahead of the present by so much: a clock that was put right, or that of another
/// machine.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(1);

/// The last run as far as its record is to be believed at `now`: one from more than an hour ahead was made by a clock
/// that was wrong, and counts as none. Believed, it would silence the schedule until that time has come.
pub fn believed(last_run: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    last_run.filter(|last_run| last_run.duration_since(now) <= AHEAD_MAX)
}

/// The instant for which a civil time stands; `None` beyond the range of instants.
fn instant_of(civil: jiff::civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(civil).ok()
        }
        AmbiguousOffset::Gap { before: _, after } => {
            // Read with the offset after the gap it lies before the gap; the gap is the next transition.
            let before_the_gap = after.to_timestamp(civil).ok()?;
            // `following` is strict, so step back in case both are the same instant.
            let from = before_the_gap.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            let transition = zone.following(from).next()?;
            Some(transition.timestamp())
        }
    }
}
