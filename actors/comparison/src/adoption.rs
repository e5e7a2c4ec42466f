//! What of Planner's answer counts for which mailbox, and what to ask (B9, B11). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use calendar::placing::to_second;
use calendar::window::Window;
use calendar::{MailAddress, OriginId, Slot};
use connector_planner::CalendarEvent;
use jiff::Timestamp;
use store::adoption::{DueAdoption, HeldEvent};
use store::comparison::DueComparison;

#[cfg(test)]
mod tests;

/// How far before the window an appointment may begin that is looked for when nothing is known of it.
pub const REACH_BACK: Duration = Duration::from_secs(31 * 24 * 3600);

/// The starts between which to ask when adopting: Planner filters by the start, so that what overlaps the window may
/// have begun long before it, and nothing is known of it.
pub fn range(due: &[DueAdoption], window: &Window) -> (Timestamp, Timestamp) {
    let reach_back = window.start.checked_sub(REACH_BACK).unwrap_or(Timestamp::MIN);
    let earliest = due.iter().filter_map(|due| due.earliest).min();
    (earliest.map_or(reach_back, |earliest| earliest.min(reach_back)), window.end)
}

/// The starts between which to ask when comparing: from the earliest among the keys that overlap the window.
pub fn compared_range(due: &[DueComparison], window: &Window) -> (Timestamp, Timestamp) {
    let earliest = due.iter().filter_map(|due| due.earliest).min();
    (earliest.map_or(window.start, |earliest| earliest.min(window.start)), window.end)
}

/// An answer, sorted out by mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// What is held for each mailbox that was asked for, also for those without anything. A key occurs more than once
    /// where its rows differ.
    pub by_mailbox: BTreeMap<MailAddress, Vec<HeldEvent>>,
    /// Rows without origin id (Planner's own): never touched.
    pub without_origin_id: usize,
    /// Rows of an address that was not asked for: never touched.
    pub of_others: usize,
    /// Rows that had occurred before with the same key and times.
    pub duplicates: usize,
}

/// Sorts an answer out. Times are cut to the second (B4).
pub fn sort_out(asked: &[MailAddress], events: Vec<CalendarEvent>) -> Held {
    let mut held = Held::default();
    for mail in asked {
        held.by_mailbox.entry(mail.clone()).or_default();
    }
    let mut seen: BTreeSet<(MailAddress, String, Timestamp, Timestamp)> = BTreeSet::new();
    for event in events {
        if event.origin_system_identifier.is_empty() {
            held.without_origin_id += 1;
            continue;
        }
        let mail = MailAddress::parse(&event.origin_email_address).ok();
        let Some((mail, rows)) =
            mail.and_then(|mail| held.by_mailbox.get_mut(&mail).map(|rows| (mail, rows)))
        else {
            held.of_others += 1;
            continue;
        };
        let slot = Slot { start: to_second(event.start), end: to_second(event.end) };
        if !seen.insert((mail, event.origin_system_identifier.clone(), slot.start, slot.end)) {
            held.duplicates += 1;
            continue;
        }
        rows.push(HeldEvent {
            origin_id: OriginId::new(event.origin_system_identifier),
            slot,
            calendar_event_identifier: event.calendar_event_identifier,
            planner_resource_identifier: event.planner_resource_identifier,
        });
    }
    held
}

/// One row a key, the first, as an adoption takes it: a difference that it takes over wrongly is found by the next
/// comparison.
pub fn one_each(mut rows: Vec<HeldEvent>) -> Vec<HeldEvent> {
    let mut seen = BTreeSet::new();
    rows.retain(|row| seen.insert(row.origin_id.clone()));
    rows
}
