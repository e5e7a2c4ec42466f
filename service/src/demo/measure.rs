//! From a change to Planner's receipt: pure. Matches the changes that were made with the log of what Planner
//! applied.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::changes::Times;
use super::driver::Change;

/// Changes of one key closer together than this are reported apart: the product may rightly skip all but the
/// last of them.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// One line of Planner's log of accepted changes.
#[derive(Debug, Clone)]
pub struct Applied {
    /// When Planner accepted it.
    pub at: Timestamp,
    /// Mail address and origin id.
    pub key: (String, String),
    /// What it holds since; `None` = deleted.
    pub times: Option<Times>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the changes took at most this.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}

/// The latencies of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latencies {
    /// Of changes whose keys were left alone for 5 s before and after.
    pub apart: Percentiles,
    /// How many these are.
    pub apart_count: usize,
    /// Of changes of keys that were changed again within 5 s, as far as they reached Planner by themselves.
    pub repeated: Percentiles,
    /// How many these are.
    pub repeated_count: usize,
    /// Changes that never showed in Planner by themselves (overtaken by the next of the same key, or lost:
    /// the comparison tells).
    pub overtaken_count: usize,
}

/// Matches changes with what Planner applied. A change counts as received when the last of its keys is.
pub fn latencies(changes: &[Change], applied: &[Applied]) -> Latencies {
    let mut by_key: HashMap<(&str, &str), Vec<&Applied>> = HashMap::new();
    for line in applied {
        by_key.entry((&line.key.0, &line.key.1)).or_default().push(line);
    }
    let mut changed_at: HashMap<(&str, &str), Vec<Timestamp>> = HashMap::new();
    for change in changes {
        for ((mail, origin), _) in &change.expected {
            changed_at.entry((mail, origin)).or_default().push(change.at);
        }
    }
    let (mut apart, mut repeated, mut overtaken_count) = (Vec::new(), Vec::new(), 0);
    for change in changes.iter().filter(|change| !change.expected.is_empty()) {
        let is_repeated = change.expected.iter().any(|((mail, origin), _)| {
            changed_at[&(mail.as_str(), origin.as_str())]
                .iter()
                .any(|at| *at != change.at && at.duration_since(change.at).abs() < REPEATED_WITHIN)
        });
        let received = change.expected.iter().map(|((mail, origin), times)| {
            by_key.get(&(mail.as_str(), origin.as_str()))?.iter().find_map(|line| {
                (line.at >= change.at && line.times == *times).then(|| line.at.duration_since(change.at))
            })
        });
        match received.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max()) {
            Some(latency) if is_repeated => repeated.push(latency),
            Some(latency) => apart.push(latency),
            None => overtaken_count += 1,
        }
    }
    Latencies {
        apart: percentiles(&mut apart),
        apart_count: apart.len(),
        repeated: percentiles(&mut repeated),
        repeated_count: repeated.len(),
        overtaken_count,
    }
}

fn percentiles(values: &mut [SignedDuration]) -> Percentiles {
    values.sort_unstable();
    let at = |share: f64| {
        let index = (values.len() as f64 * share).ceil() as usize;
        values.get(index.saturating_sub(1)).map_or(0.0, |value| (value.as_secs_f64() * 1e4).round() / 10.0)
    };
    Percentiles { p50: at(0.50), p95: at(0.95), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    //! Goal: a change is matched with its own receipt and no other, and repeated ones are kept apart.
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    fn key() -> (String, String) {
        ("m@sim.test".into(), "U".into())
    }

    fn change(ms: i64, times: Option<Times>) -> Change {
        Change { at: at(ms), expected: vec![(key(), times)] }
    }

    fn applied(ms: i64, times: Option<Times>) -> Applied {
        Applied { at: at(ms), key: key(), times }
    }

    #[test]
    fn measures_from_a_change_to_its_own_receipt() {
        let (first, second) = (Some((at(0), at(1))), Some((at(0), at(2))));
        let changes = [change(0, first), change(60_000, second), change(120_000, None)];
        let log = [applied(100, first), applied(60_300, second), applied(120_200, None)];
        let found = latencies(&changes, &log);
        assert_eq!(found.apart, Percentiles { p50: 200.0, p95: 300.0, p99: 300.0 });
        assert_eq!((found.apart_count, found.repeated_count, found.overtaken_count), (3, 0, 0));
    }

    #[test]
    fn changes_close_together_stand_apart_and_overtaken_ones_are_counted() {
        let (first, second) = (Some((at(0), at(1))), Some((at(0), at(2))));
        let changes = [change(0, first), change(1_000, second)];
        let log = [applied(2_500, second)];
        let found = latencies(&changes, &log);
        assert_eq!(found.repeated.p50, 1_500.0);
        assert_eq!((found.apart_count, found.repeated_count, found.overtaken_count), (0, 1, 1));
    }

    #[test]
    fn a_change_that_planner_must_not_notice_is_not_measured() {
        let changes = [Change { at: at(0), expected: vec![] }];
        assert_eq!(latencies(&changes, &[]), Latencies::default());
    }
}
