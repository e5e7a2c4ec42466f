//! What people do to their calendars, drawn at random: pure. A model of each calendar remembers what is in it
//! and what Planner should come to hold, so that the time from a change to its receipt can be measured. The
//! final verdict does not rest on this model but on the oracle.

use std::collections::HashMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use proto_ews::FreeBusy;
use rand::Rng;
use rand::seq::IndexedRandom;

/// Times of one appointment.
pub type Times = (Timestamp, Timestamp);
/// What Planner should hold for a key (mail address, origin id) after a change; `None` = nothing.
pub type Expected = ((String, String), Option<Times>);

/// The rhythm of a series, as far as the demo draws them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Every n days.
    Daily(i32),
    /// Every n weeks, on the weekday of the first day.
    Weekly(i32),
    /// Each month, on this day (1-28).
    Monthly(i32),
}

/// A series: `count` occurrences from `first`, at the same local time.
#[derive(Debug, Clone)]
pub struct Series {
    /// The first day.
    pub first: Date,
    /// Local time of day.
    pub at: Time,
    /// How long each takes, in minutes.
    pub minutes: i64,
    /// How they repeat.
    pub rhythm: Rhythm,
    /// How many.
    pub count: i32,
    /// Indexes (from 1) of deleted occurrences.
    pub deleted: Vec<i32>,
    /// Changed occurrences: index → start, end.
    pub changed: HashMap<i32, Times>,
}

/// What an item of a calendar is.
#[derive(Debug, Clone)]
pub enum Content {
    /// One appointment.
    Single {
        /// Start and end.
        times: Times,
    },
    /// Whole days, from and up to (not including).
    AllDay {
        /// First day.
        first: Date,
        /// How many days.
        days: i64,
    },
    /// A series.
    Series(Series),
}

/// An item of a calendar.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose.
    pub mailbox: String,
    /// Its UID.
    pub uid: String,
    /// What it is.
    pub content: Content,
    /// Its status.
    pub free_busy: FreeBusy,
    /// Is it in another folder for now?
    pub away: bool,
}

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Makes a new entry.
    Create,
    /// Changes the times.
    Reschedule,
    /// Changes only what Planner must not know.
    Retitle,
    /// Changes the status.
    Status,
    /// Changes the times of one occurrence (index from 1).
    RescheduleOccurrence(i32, Times),
    /// Deletes one occurrence.
    DeleteOccurrence(i32),
    /// Deletes for good.
    HardDelete,
    /// Deletes to Deleted Items.
    Trash,
    /// Drags it into another folder: it gets another identifier, and is to come back later.
    MoveAway,
    /// Drags it back into the calendar, under yet another identifier.
    MoveBack,
}

/// The window and the zone that expectations are for.
#[derive(Debug, Clone)]
pub struct Horizon {
    /// The configured zone.
    pub zone: TimeZone,
    /// Start of the window.
    pub start: Timestamp,
    /// End of the window.
    pub end: Timestamp,
    /// Tomorrow.
    pub first_day: Date,
}

impl Horizon {
    /// Tomorrow, and `months` months on (B3).
    pub fn at(now: Timestamp, zone: &TimeZone, months: i32) -> Self {
        let first_day = now.to_zoned(zone.clone()).date().saturating_add(1.day());
        let last_day = first_day.saturating_add(Span::new().months(months));
        let midnight = |day: Date| local(zone, day.to_datetime(Time::midnight()));
        Self { zone: zone.clone(), start: midnight(first_day), end: midnight(last_day), first_day }
    }
}

fn local(zone: &TimeZone, at: DateTime) -> Timestamp {
    zone.to_ambiguous_zoned(at).compatible().map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

impl Series {
    /// The local day of the occurrence with this index (from 1).
    pub fn day(&self, index: i32) -> Date {
        let steps = i64::from(index - 1);
        match self.rhythm {
            Rhythm::Daily(n) => self.first.saturating_add((steps * i64::from(n)).days()),
            Rhythm::Weekly(n) => self.first.saturating_add((steps * i64::from(n)).weeks()),
            Rhythm::Monthly(_) => self.first.saturating_add(steps.months()),
        }
    }

    /// Start and end of an occurrence by the pattern.
    pub fn original(&self, index: i32, zone: &TimeZone) -> Times {
        let start = local(zone, self.day(index).to_datetime(self.at));
        (start, start + self.minutes.minutes())
    }

    /// The origin id of an occurrence (B2).
    pub fn origin_id(&self, uid: &str, index: i32) -> String {
        let at = self.day(index).to_datetime(self.at);
        format!("{uid}${}", at.strftime("%Y%m%d-%H%M%S"))
    }
}

impl Entry {
    /// Every key of this entry with the times that Planner should hold, `None` where it should hold nothing.
    pub fn expected(&self, horizon: &Horizon) -> Vec<Expected> {
        let blocks =
            !self.away && matches!(self.free_busy, FreeBusy::Busy | FreeBusy::Tentative | FreeBusy::Oof);
        let wanted = |times: Times| {
            let (start, end) = times;
            (blocks && start < end && end > horizon.start && start < horizon.end).then_some(times)
        };
        let key = |origin: String| (self.mailbox.clone(), origin);
        match &self.content {
            Content::Single { times } => vec![(key(self.uid.clone()), wanted(*times))],
            Content::AllDay { first, days } => {
                let midnight = |day: Date| local(&horizon.zone, day.to_datetime(Time::midnight()));
                let times = (midnight(*first), midnight(first.saturating_add(days.days())));
                vec![(key(self.uid.clone()), wanted(times))]
            }
            Content::Series(series) => (1..=series.count)
                .map(|index| {
                    let times = if series.deleted.contains(&index) {
                        None
                    } else {
                        let times = series.changed.get(&index).copied();
                        wanted(times.unwrap_or_else(|| series.original(index, &horizon.zone)))
                    };
                    (key(series.origin_id(&self.uid, index)), times)
                })
                .collect(),
        }
    }
}

/// Draws a new entry: mostly single appointments in office hours, some whole days, some series.
pub fn draw_entry(rng: &mut impl Rng, mailbox: &str, uid: String, horizon: &Horizon) -> Entry {
    let free_busy = draw_status(rng);
    let content = match rng.random_range(0..100) {
        0..80 => Content::Single { times: draw_times(rng, horizon) },
        80..90 => Content::AllDay { first: draw_day(rng, horizon), days: rng.random_range(1..=5) },
        _ => Content::Series(draw_series(rng, horizon)),
    };
    Entry { mailbox: mailbox.to_owned(), uid, content, free_busy, away: false }
}

/// Draws what somebody does to an entry that is there.
pub fn draw_act(rng: &mut impl Rng, entry: &Entry, horizon: &Horizon) -> Act {
    if entry.away {
        return Act::MoveBack;
    }
    match (&entry.content, rng.random_range(0..100)) {
        (Content::Series(series), 0..60) => {
            let alive: Vec<i32> =
                (1..=series.count).filter(|index| !series.deleted.contains(index)).collect();
            match alive.choose(rng) {
                Some(&index) if rng.random_bool(0.7) => {
                    let (start, end) = series.original(index, &horizon.zone);
                    let later = (15 * rng.random_range(1..8_i64)).minutes();
                    Act::RescheduleOccurrence(index, (start + later, end + later))
                }
                Some(&index) if alive.len() > 1 => Act::DeleteOccurrence(index),
                _ => Act::Trash,
            }
        }
        (Content::Series(_), 60..75) => Act::Status,
        (Content::Series(_), _) => Act::Trash,
        (_, 0..50) => Act::Reschedule,
        (_, 50..60) => Act::Retitle,
        (_, 60..75) => Act::Status,
        (_, 75..82) => Act::HardDelete,
        (_, 82..91) => Act::MoveAway,
        _ => Act::Trash,
    }
}

/// Draws a status: most block, some do not.
pub fn draw_status(rng: &mut impl Rng) -> FreeBusy {
    match rng.random_range(0..100) {
        0..75 => FreeBusy::Busy,
        75..85 => FreeBusy::Tentative,
        85..90 => FreeBusy::Oof,
        90..97 => FreeBusy::Free,
        _ => FreeBusy::WorkingElsewhere,
    }
}

/// Draws times in office hours; one in twenty lies beyond the window.
pub fn draw_times(rng: &mut impl Rng, horizon: &Horizon) -> Times {
    let day = if rng.random_bool(0.05) {
        horizon.first_day.saturating_add(rng.random_range(120..200_i64).days())
    } else {
        draw_day(rng, horizon)
    };
    let quarter = rng.random_range(0..32_i8);
    let start = local(&horizon.zone, day.at(8 + quarter / 4, (quarter % 4) * 15, 0, 0));
    (start, start + (15 * rng.random_range(1..=8_i64)).minutes())
}

fn draw_day(rng: &mut impl Rng, horizon: &Horizon) -> Date {
    horizon.first_day.saturating_add(rng.random_range(0..80_i64).days())
}

/// Draws a series of 2 to 10 occurrences, the first within three weeks.
pub fn draw_series(rng: &mut impl Rng, horizon: &Horizon) -> Series {
    let mut first = horizon.first_day.saturating_add(rng.random_range(0..20_i64).days());
    let rhythm = match rng.random_range(0..10) {
        0..3 => Rhythm::Daily(rng.random_range(1..=3)),
        3..8 => Rhythm::Weekly(rng.random_range(1..=2)),
        _ => {
            let day = rng.random_range(1..=28_i8);
            let with_day = first.with().day(day).build().unwrap_or(first);
            first = if with_day < first { with_day.saturating_add(1.month()) } else { with_day };
            Rhythm::Monthly(i32::from(day))
        }
    };
    Series {
        first,
        at: Time::constant(rng.random_range(8..16), 15 * rng.random_range(0..4_i8), 0, 0),
        minutes: 15 * rng.random_range(1..=6_i64),
        rhythm,
        count: rng.random_range(2..=10),
        deleted: Vec::new(),
        changed: HashMap::new(),
    }
}

#[cfg(test)]
mod tests;
