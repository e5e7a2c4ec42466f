//! Calendar files (RFC 5545) as people really have them: exported by Outlook, Google, Apple, Mozilla.
//!
//! Read: `VEVENT` with `UID`, `DTSTART`, `DTEND` or `DURATION`, `RRULE`, `RDATE`, `EXDATE`,
//! `RECURRENCE-ID`, `STATUS`, `TRANSP`, `X-MICROSOFT-CDO-BUSYSTATUS`, `SUMMARY`, `LOCATION`,
//! `DESCRIPTION`, `CATEGORIES`, `CLASS`; zones by IANA or Windows name, by `X-LIC-LOCATION`, or from the
//! rules of a `VTIMEZONE`; times without a zone are in the calendar's (`X-WR-TIMEZONE`) or the mailbox's.
//! Events of one UID become a series with its exceptions; an exception without a series stays a single
//! instance that carries its original start.
//!
//! Lenient: unknown lines and components are read over; an event that cannot be used is skipped, with its
//! line and a reason that holds none of its content.

mod event;
mod line;
mod zones;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::item::{Appointment, Exception, Repetition};
use crate::pattern;
use crate::series::Series;
use crate::zone::Zone;
use event::Event;
use line::{Line, lines};

/// Events in one file, at most.
pub const EVENTS_MAX: usize = 100_000;

/// Why a file is no calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IcsError {
    /// It does not begin as one.
    #[error("the file does not begin with BEGIN:VCALENDAR")]
    NoCalendar,
    /// It ends in its middle: what is missing would be taken for deleted.
    #[error("the file is cut off: something that begins in it does not end")]
    Truncated,
    /// It has too many events.
    #[error("the file has more than {EVENTS_MAX} events")]
    TooLarge,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Its appointments.
    pub appointments: Vec<Appointment>,
    /// Events that cannot be used.
    pub skipped: Vec<Skipped>,
}

/// An event that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The line of its `BEGIN:VEVENT`, from 1, counted after unfolding.
    pub line: usize,
    /// Why.
    pub reason: SkipReason,
}

/// Why an event cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// No begin, or one that is no time.
    #[error("it has no begin that can be read")]
    NoStart,
    /// Its times cannot be read.
    #[error("it has a time that cannot be read")]
    BadTime,
    /// It ends before it begins.
    #[error("it ends before it begins")]
    EndsBeforeStart,
    /// Its recurrence rule cannot be read.
    #[error("its recurrence rule cannot be read")]
    BadRule,
}

/// Reads a file. `zone` is the mailbox's; `now` the time of creation of what names none.
///
/// # Errors
/// [`IcsError`] for something that is no calendar at all.
pub fn read(text: &str, zone: &Arc<Zone>, now: Timestamp) -> Result<Loaded, IcsError> {
    let lines = lines(text);
    let first = lines.iter().find(|line| !line.name.is_empty());
    if !first.is_some_and(|line| line.is("BEGIN", "VCALENDAR")) {
        return Err(IcsError::NoCalendar);
    }
    let last = lines.iter().rev().find(|line| !line.name.is_empty());
    let (begins, ends) = (count(&lines, "BEGIN"), count(&lines, "END"));
    if !last.is_some_and(|line| line.is("END", "VCALENDAR")) || begins != ends {
        return Err(IcsError::Truncated);
    }
    let zones = zones::Zones::of(&lines, zone);
    let mut loaded = Loaded::default();
    let mut by_uid: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    let mut events = 0;
    for (number, properties) in components(&lines, "VEVENT") {
        events += 1;
        if events > EVENTS_MAX {
            return Err(IcsError::TooLarge);
        }
        match event::read(&properties, &zones) {
            Ok(event) => {
                // An event without UID is alone.
                let uid = event.uid.clone().unwrap_or_else(|| format!("\u{0}{number}"));
                by_uid.entry(uid).or_default().push(Event { line: number, ..event });
            }
            Err(reason) => loaded.skipped.push(Skipped { line: number, reason }),
        }
    }
    for events in by_uid.into_values() {
        assemble(events, now, &mut loaded);
    }
    Ok(loaded)
}

fn count(lines: &[Line], name: &str) -> usize {
    lines.iter().filter(|line| line.name == name).count()
}

/// The direct properties of every component of a kind, with the number of its first line. Components
/// inside of it (alarms) are left out.
fn components<'a>(lines: &'a [Line], kind: &'a str) -> impl Iterator<Item = (usize, Vec<&'a Line>)> {
    let begins = lines.iter().enumerate().filter(move |(_, line)| line.is("BEGIN", kind));
    begins.map(move |(begin, _)| {
        let mut depth = 0;
        let mut properties = Vec::new();
        for line in &lines[begin + 1..] {
            match line.name.as_str() {
                "BEGIN" => depth += 1,
                "END" if depth == 0 => break,
                "END" => depth -= 1,
                _ if depth == 0 => properties.push(line),
                _ => {}
            }
        }
        (begin + 1, properties)
    })
}

/// Makes appointments of the events of one UID.
fn assemble(events: Vec<Event>, now: Timestamp, loaded: &mut Loaded) {
    let (instances, mut masters): (Vec<Event>, Vec<Event>) =
        events.into_iter().partition(|event| event.recurrence_id.is_some());
    // The exceptions belong to the series of this UID; other events of it stay on their own.
    masters.sort_by_key(|event| event.rule.is_none());
    let mut instances = Some(instances);
    for event in masters {
        let repeats = event.rule.is_some() || !event.extra.is_empty();
        let own = if repeats { instances.take().unwrap_or_default() } else { Vec::new() };
        let line = event.line;
        match appointment(event, own, now) {
            Ok(appointment) => loaded.appointments.push(appointment),
            Err(reason) => loaded.skipped.push(Skipped { line, reason }),
        }
    }
    for event in instances.unwrap_or_default() {
        let lone_instance = event.recurrence_id.as_ref().map(event::When::instant);
        let appointment = single(event, now);
        loaded.appointments.push(Appointment { lone_instance, ..appointment });
    }
}

fn single(event: Event, now: Timestamp) -> Appointment {
    Appointment {
        uid: event.uid.unwrap_or_else(crate::ops::write::new_uid),
        details: event.details,
        repetition: None,
        lone_instance: None,
        created: event.created.unwrap_or(now),
        modified: event.modified.unwrap_or(now),
    }
}

fn appointment(event: Event, instances: Vec<Event>, now: Timestamp) -> Result<Appointment, SkipReason> {
    let (rule, extra, without) = (event.rule.clone(), event.extra.clone(), event.without.clone());
    let mut appointment = single(event, now);
    if rule.is_none() && extra.is_empty() {
        return Ok(appointment);
    }
    let zone = Arc::clone(&appointment.details.start_zone);
    let first = zone.local(appointment.details.start);
    // A list of dates alone is a rule with one occurrence and additional ones.
    let rule = rule.map_or_else(|| "FREQ=DAILY;COUNT=1".to_owned(), |rule| event::rule_in(&rule, &zone));
    let extra: Vec<_> = extra.iter().map(|time| time.local_in(&zone, first.time())).collect();
    let series = Series::new(first, &rule, extra).map_err(|_| SkipReason::BadRule)?;
    let mut repetition = Repetition::new(series, None);
    if repetition.series.extra().is_empty() {
        repetition.pattern = pattern::recurrence(&repetition.series);
    }
    repetition.deleted = without.iter().map(|time| time.local_in(&zone, first.time())).collect();
    for instance in instances {
        let Some(original) = instance.recurrence_id.map(|time| time.local_in(&zone, first.time())) else {
            continue;
        };
        repetition.deleted.remove(&original);
        let modified = instance.modified.unwrap_or(now);
        repetition.exceptions.insert(original, Exception { patch: instance.details.into_patch(), modified });
    }
    appointment.repetition = Some(repetition);
    Ok(appointment)
}

#[cfg(test)]
mod tests;
