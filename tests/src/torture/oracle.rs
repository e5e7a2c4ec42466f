//! What Planner must hold by the rules, computed from the simulated Exchange's calendars alone, and what it holds.
//!
//! The rules are those of the demo's oracle ([`kommuneklient::demo::oracle`]), which is written apart from the
//! product's own and looks at a standing state. What is added here: who counts, and what history leaves in place.
//! * Who counts is what Planner lists, without addresses that occur twice (their state is left as it was, B10), and what
//!   operators' black- and whitelist say. Of the others Planner keeps what it has (B10), so nothing is expected.
//! * Planner's own appointments, and those without origin id, are nobody's business (B11).
//! * What began before the window and still stands unchanged in the calendar is left in Planner when its day comes
//!   (B4): a run may cross midnight.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kommuneklient::demo::changes::{Horizon, Times};
use kommuneklient::demo::oracle::{self, Differences, Key, Listed};
use simulator_planner::admin::{EventRow, Resource};

/// The operators' lists, lower-cased.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Never touched.
    pub black: BTreeSet<String>,
    /// Only these, unless there are none.
    pub white: BTreeSet<String>,
}

/// The mailboxes in use: lower-cased addresses.
pub fn in_use(listed: &[Resource], lists: &Lists) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for resource in listed {
        *times.entry(resource.address.trim().to_lowercase()).or_default() += 1;
    }
    let once = times.into_iter().filter(|(_, times)| *times == 1).map(|(address, _)| address);
    once.filter(|address| !lists.black.contains(address))
        .filter(|address| lists.white.is_empty() || lists.white.contains(address))
        .collect()
}

/// What differs between what Planner must hold of the mailboxes in use and what it holds.
pub fn differences(
    calendars: &[Listed],
    held: &[EventRow],
    in_use: &BTreeSet<String>,
    horizon: &Horizon,
) -> Differences {
    let counts = |key: &Key| in_use.contains(&key.0);
    let mut expected = oracle::expected(calendars, horizon);
    expected.retain(|key, _| counts(key));
    let rows = held.iter().filter(|row| !row.planner_own && !row.origin_id.is_empty());
    let there: BTreeMap<Key, Times> = rows
        .map(|row| ((row.mail.to_lowercase(), row.origin_id.clone()), (row.start, row.end)))
        .filter(|(key, _)| counts(key))
        .collect();
    let mut differences = oracle::compare(&expected, &there);
    if !differences.extra.is_empty() {
        let past = oracle::expected(calendars, &Horizon { start: Timestamp::MIN, ..horizon.clone() });
        differences.extra.retain(|key| {
            let times = there[key];
            let stands = past.get(key).is_some_and(|other| *other == times);
            !(stands && times.0 < horizon.start)
        });
    }
    differences
}

/// Leaves these keys out, and everything of these mailboxes (lower-cased).
pub fn leave_out(differences: &mut Differences, mailboxes: &BTreeSet<String>, keys: &BTreeSet<Key>) {
    let Differences { missing, stale, extra } = differences;
    for kind in [missing, stale, extra] {
        kind.retain(|key| !mailboxes.contains(&key.0) && !keys.contains(key));
    }
}

/// The differences in words: at most `most` of each kind.
pub fn in_words(differences: &Differences, most: usize) -> String {
    let kinds =
        [("missing", &differences.missing), ("stale", &differences.stale), ("extra", &differences.extra)];
    let told = kinds.into_iter().filter(|(_, keys)| !keys.is_empty()).map(|(kind, keys)| {
        let some: Vec<String> =
            keys.iter().take(most).map(|(mail, origin)| format!("{mail} {origin}")).collect();
        let more = if keys.len() > most { ", …" } else { "" };
        format!("{} {kind} ({}{more})", keys.len(), some.join(", "))
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
