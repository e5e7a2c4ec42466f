//! The agreement with Planner: calls in flight, their size, calls and appointments in any window, keys in flight.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::calls::{Book, Call};
use super::lives::Lives;
use super::{CALL_SIZE, ONE_CALL_PER_KEY, SIMULTANEOUS_CALLS, WINDOW, bounded, violation};
use crate::torture::contract::{Limits, Violation};

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The most calls in flight.
    pub in_flight_max: usize,
    /// The most calls in any window.
    pub calls_per_window_max: usize,
    /// The most appointments in any window.
    pub events_per_window_max: usize,
    /// Meetings of two calls for one key of which one was sent by a process that had been paused.
    pub excused_meetings: usize,
}

/// Measures all calls.
pub fn measure(book: &Book, lives: &Lives, limits: &Limits) -> Measured {
    let mut measured = Measured::default();
    measured.violations.extend(bounded(sizes(book, limits)));
    in_flight(book, lives, limits, &mut measured);
    windows(book, lives, limits, &mut measured);
    keys(book, lives, &mut measured);
    measured
}

fn sizes(book: &Book, limits: &Limits) -> Vec<Violation> {
    let changes = book.calls.iter().filter(|call| call.is_change());
    changes
        .flat_map(|call| {
            let mails: BTreeSet<&str> = call.keys.iter().map(|(mail, _)| mail.as_str()).collect();
            let too_many = (call.items > limits.events_per_call).then(|| {
                format!(
                    "call {} carries {} appointments, not {}",
                    call.number, call.items, limits.events_per_call
                )
            });
            let mixed = (mails.len() > 1)
                .then(|| format!("call {} carries appointments of {} mailboxes", call.number, mails.len()));
            too_many.into_iter().chain(mixed).map(|words| violation(CALL_SIZE, Some(call.came), words))
        })
        .collect()
}

fn in_flight(book: &Book, lives: &Lives, limits: &Limits, measured: &mut Measured) {
    let mut found = Vec::new();
    // whoever came is in flight with those before that are not over; the number only grows at such moments
    for (index, call) in book.calls.iter().enumerate() {
        if Book::is_excused(call, call.came, lives) {
            continue;
        }
        let others = book.calls[..index]
            .iter()
            .filter(|other| other.is_in_flight(call.came) && !Book::is_excused(other, call.came, lives));
        let count = others.count() + 1;
        measured.in_flight_max = measured.in_flight_max.max(count);
        if count > limits.simultaneous_calls {
            let words = format!(
                "{count} calls in flight when call {} ({}) came, not {}",
                call.number, call.operation, limits.simultaneous_calls
            );
            found.push(violation(SIMULTANEOUS_CALLS, Some(call.came), words));
        }
    }
    measured.violations.extend(bounded(found));
}

fn windows(book: &Book, lives: &Lives, limits: &Limits, measured: &mut Measured) {
    let window = SignedDuration::try_from(limits.window).unwrap_or(SignedDuration::MAX);
    let calls: Vec<&Call> =
        book.calls.iter().filter(|call| !Book::is_excused(call, call.came, lives)).collect();
    let mut found = Vec::new();
    let (mut first, mut events) = (0, 0);
    for (index, call) in calls.iter().enumerate() {
        events += sent(call);
        while call.came.duration_since(calls[first].came) >= window {
            events -= sent(calls[first]);
            first += 1;
        }
        let count = index + 1 - first;
        measured.calls_per_window_max = measured.calls_per_window_max.max(count);
        measured.events_per_window_max = measured.events_per_window_max.max(events);
        let mut tell = |what: &str, number: usize, limit: Option<usize>| {
            if let Some(limit) = limit.filter(|limit| number > *limit) {
                let words = format!(
                    "{number} {what} within {:?} up to call {}, not {limit}",
                    limits.window, call.number
                );
                found.push(violation(WINDOW, Some(call.came), words));
            }
        };
        tell("calls", count, limits.calls_per_window);
        if call.is_change() {
            tell("appointments", events, limits.events_per_window);
        }
    }
    measured.violations.extend(bounded(found));
}

fn sent(call: &Call) -> usize {
    if call.is_change() { call.items } else { 0 }
}

fn keys(book: &Book, lives: &Lives, measured: &mut Measured) {
    let mut latest: HashMap<&(String, String), Vec<&Call>> = HashMap::new();
    let mut found = Vec::new();
    for call in &book.calls {
        for key in &call.keys {
            let before = latest.entry(key).or_default();
            before.retain(|other| other.is_in_flight(call.came));
            for other in before.iter() {
                let excused = [call, other].iter().any(|one| Book::is_excused(one, call.came, lives));
                if excused {
                    measured.excused_meetings += 1;
                } else {
                    let words = format!(
                        "call {} ({}) came while call {} ({}) was in flight for {} {}",
                        call.number, call.operation, other.number, other.operation, key.0, key.1
                    );
                    found.push(violation(ONE_CALL_PER_KEY, Some(call.came), words));
                }
            }
            before.push(call);
        }
    }
    measured.violations.extend(bounded(found));
}

/// The last moment that a call was seen at, for telling whether Planner is at rest.
pub fn latest(book: &Book) -> Option<Timestamp> {
    book.calls.iter().map(|call| call.went.unwrap_or(call.came)).max()
}

#[cfg(test)]
mod tests;
