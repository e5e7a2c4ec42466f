//! The calls that Planner saw, with whose they are: its own log of calls put together with the permits in the
//! product's database and the owners of leases.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use simulator_planner::calls::{CallEntry, CallStep};

use super::lives::Lives;
use super::{DEADLINE, PERMIT, bounded, violation};
use crate::torture::contract::Violation;

/// How late Planner may learn that a client had left.
const GRACE: Duration = simulator_planner::meter::GRACE;

/// A permit: a row of `service_call_reference_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// When it was recorded.
    pub at: Timestamp,
    /// The process that owned its lease; not known when the audit did not see who took it.
    pub pid: Option<u32>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Planner's number of it.
    pub number: u64,
    /// The operation.
    pub operation: String,
    /// Appointments, addresses or resources in it.
    pub items: usize,
    /// What it changes: mail address and origin id.
    pub keys: Vec<(String, String)>,
    /// When its body had come.
    pub came: Timestamp,
    /// When it was over for its client; `None` while it is in flight.
    pub went: Option<Timestamp>,
    /// Its permit.
    pub permit: Option<Permit>,
}

impl Call {
    /// Does it change anything?
    pub fn is_change(&self) -> bool {
        self.operation != "GetEvents" && self.operation != "GetResources"
    }

    /// Is it in flight at this time?
    pub fn is_in_flight(&self, at: Timestamp) -> bool {
        self.came <= at && self.went.is_none_or(|went| went > at)
    }
}

/// All calls in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// The calls.
    pub calls: Vec<Call>,
}

impl Book {
    /// Puts Planner's log together with the permits, by correlation id.
    pub fn of(entries: &[CallEntry], permits: &HashMap<String, Permit>) -> Self {
        let mut calls: BTreeMap<u64, Call> = BTreeMap::new();
        for entry in entries {
            let at = Timestamp::from_microsecond(entry.at_us).unwrap_or(Timestamp::MIN);
            match &entry.step {
                CallStep::Came { operation, correlation_id, items, keys } => {
                    let permit = correlation_id.as_deref().and_then(|id| permits.get(id)).cloned();
                    let call = Call {
                        number: entry.call,
                        operation: operation.clone(),
                        items: *items,
                        keys: keys.clone(),
                        came: at,
                        went: None,
                        permit,
                    };
                    calls.insert(entry.call, call);
                }
                CallStep::Went { abandoned } => {
                    if let Some(call) = calls.get_mut(&entry.call) {
                        let grace = if *abandoned { GRACE } else { Duration::ZERO };
                        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::ZERO);
                        call.went = Some(at.checked_sub(grace).unwrap_or(at).max(call.came));
                    }
                }
            }
        }
        Self { calls: calls.into_values().collect() }
    }

    /// Was the process of this call paused at any time from its permit to `until`? Then it may have been stopped
    /// between its last check and its write, or while it should have closed the connection.
    pub fn is_excused(call: &Call, until: Timestamp, lives: &Lives) -> bool {
        let Some(Permit { at, pid: Some(pid) }) = &call.permit else { return false };
        lives.was_paused(*pid, *at, until)
    }

    /// The calls that a process sent which was paused between its permit and its request.
    pub fn late(&self, lives: &Lives) -> usize {
        self.calls.iter().filter(|call| Self::is_excused(call, call.came, lives)).count()
    }

    /// Every call has a permit that was recorded before it.
    pub fn check_permits(&self) -> Vec<Violation> {
        let found = self.calls.iter().filter_map(|call| {
            let words = match &call.permit {
                None => format!("call {} ({}) has no permit in the database", call.number, call.operation),
                Some(permit) if permit.at > call.came => {
                    format!(
                        "call {} ({}) came before its permit of {}",
                        call.number, call.operation, permit.at
                    )
                }
                Some(_) => return None,
            };
            Some(violation(PERMIT, Some(call.came), words))
        });
        bounded(found.collect())
    }
}

/// A call without an answer that was given up before its deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Early {
    /// When.
    pub at: Timestamp,
    /// Our correlation id of it.
    pub call_id: String,
    /// Its deadline.
    pub until: Timestamp,
}

/// Nobody frees the keys of a call whose process may still be waiting for its answer.
pub fn check_deadlines(early: &[Early]) -> Vec<Violation> {
    let found = early.iter().map(|Early { at, call_id, until }| {
        violation(DEADLINE, Some(*at), format!("call {call_id} was given up before its deadline of {until}"))
    });
    bounded(found.collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::lives::tests::{at, noted};
    use super::*;
    use crate::torture::contract::Act;

    /// A change of `keys` in flight from `came` to `went` under a permit of process `pid` that is 10 ms older.
    pub(crate) fn call(number: u64, came: i64, went: Option<i64>, keys: &[&str], pid: u32) -> Call {
        Call {
            number,
            operation: "CreateEvents".into(),
            items: keys.len(),
            keys: keys.iter().map(|key| ("m".to_owned(), (*key).to_owned())).collect(),
            came: at(came),
            went: went.map(at),
            permit: Some(Permit { at: at(came - 10), pid: Some(pid) }),
        }
    }

    fn entry(ms: i64, call: u64, step: CallStep) -> CallEntry {
        CallEntry { at_us: at(ms).as_microsecond(), call, step }
    }

    fn came(id: &str) -> CallStep {
        let keys = vec![("m".to_owned(), "k".to_owned())];
        CallStep::Came { operation: "CreateEvents".into(), correlation_id: Some(id.into()), items: 1, keys }
    }

    #[test]
    fn both_ends_of_a_call_and_its_permit_come_together() {
        let permits = HashMap::from([("one".to_owned(), Permit { at: at(90), pid: Some(7) })]);
        let entries = [
            entry(100, 1, came("one")),
            entry(150, 2, came("two")),
            entry(300, 1, CallStep::Went { abandoned: false }),
            entry(2_000, 2, CallStep::Went { abandoned: true }),
        ];
        let book = Book::of(&entries, &permits);
        let told: Vec<_> =
            book.calls.iter().map(|call| (call.came, call.went, call.permit.is_some())).collect();
        // of a client that left it is known 500 ms late
        assert_eq!(told, [(at(100), Some(at(300)), true), (at(150), Some(at(1_500)), false)]);
        assert!(book.calls[0].is_in_flight(at(100)) && !book.calls[0].is_in_flight(at(300)));
        let found = book.check_permits();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].words.contains("call 2 ") && found[0].words.contains("no permit"), "{found:?}");
    }

    #[test]
    fn a_permit_that_came_after_its_call_is_a_violation() {
        let mut late = call(1, 100, Some(200), &["a"], 7);
        late.permit = Some(Permit { at: at(101), pid: Some(7) });
        let good = call(2, 100, Some(200), &["b"], 7);
        assert_eq!(Book { calls: vec![good.clone()] }.check_permits(), []);
        assert_eq!(Book { calls: vec![good, late] }.check_permits().len(), 1);
    }

    #[test]
    fn a_call_that_is_given_up_before_its_deadline_is_a_violation() {
        assert_eq!(check_deadlines(&[]), []);
        let found = check_deadlines(&[Early { at: at(100), call_id: "x".into(), until: at(900) }]);
        assert!(found.len() == 1 && found[0].words.starts_with("call x was given up"), "{found:?}");
    }

    #[test]
    fn sends_of_a_process_that_was_paused_since_its_permit_are_counted_apart() {
        let lives = Lives::of(&[
            noted(0, Act::Started { instance: 1, pid: 7 }),
            noted(95, Act::Paused { instance: 1, pid: 7 }),
            noted(99, Act::Resumed { instance: 1, pid: 7 }),
        ]);
        let calls = vec![
            call(1, 50, Some(90), &["a"], 7),
            call(2, 100, Some(200), &["b"], 7),
            call(3, 100, Some(200), &["c"], 8),
        ];
        assert_eq!(Book { calls }.late(&lives), 1);
    }
}
