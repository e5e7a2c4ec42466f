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
    /// Our correlation id of it.
    pub id: Option<String>,
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
    /// Its client left before Planner answered.
    pub abandoned: bool,
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

    /// Could its client not know at this time how it ends? Planner notes an answer before it gives it; of a client that left
    /// it may learn late, and twice the time that is granted for that is granted here, so that a slow machine accuses nobody.
    fn is_certainly_open(&self, at: Timestamp) -> bool {
        let slack = if self.abandoned { GRACE } else { Duration::ZERO };
        let slack = SignedDuration::try_from(slack).unwrap_or(SignedDuration::ZERO);
        self.came <= at && self.went.is_some_and(|went| went.duration_since(at) > slack)
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
                        id: correlation_id.clone(),
                        operation: operation.clone(),
                        items: *items,
                        keys: keys.clone(),
                        came: at,
                        went: None,
                        abandoned: false,
                        permit,
                    };
                    calls.insert(entry.call, call);
                }
                CallStep::Went { abandoned } => {
                    if let Some(call) = calls.get_mut(&entry.call) {
                        let grace = if *abandoned { GRACE } else { Duration::ZERO };
                        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::ZERO);
                        call.abandoned = *abandoned;
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

/// Keys of a call that were free again before its deadline: its answer was recorded, as it should be, or it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freed {
    /// When.
    pub at: Timestamp,
    /// Our correlation id of the call.
    pub call_id: String,
    /// Its deadline.
    pub until: Timestamp,
    /// The process that freed them.
    pub pid: Option<u32>,
}

/// What a build writes about the end of a call is its own word. Others know better: only the process that made a call can
/// have its answer, and only when Planner has given it or the process has left.
pub fn check_freed(freed: &[Freed], permits: &HashMap<String, Permit>, book: &Book) -> Vec<Violation> {
    let calls = book.calls.iter().filter_map(|call| Some((call.id.as_deref()?, call)));
    let calls: HashMap<&str, &Call> = calls.collect();
    let found = freed.iter().filter_map(|Freed { at, call_id, until, pid }| {
        let caller = permits.get(call_id).and_then(|permit| permit.pid);
        let why = match (*pid, caller) {
            (Some(pid), Some(caller)) if pid != caller => {
                format!("by process {pid}, and {caller} made the call")
            }
            _ if calls.get(call_id.as_str()).is_some_and(|call| call.is_certainly_open(*at)) => {
                "while Planner had not answered".to_owned()
            }
            _ => return None,
        };
        let words = format!("keys of call {call_id} were freed before its deadline of {until}, {why}");
        Some(violation(DEADLINE, Some(*at), words))
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
            id: Some(number.to_string()),
            operation: "CreateEvents".into(),
            items: keys.len(),
            keys: keys.iter().map(|key| ("m".to_owned(), (*key).to_owned())).collect(),
            came: at(came),
            went: went.map(at),
            abandoned: false,
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
    fn keys_are_free_before_the_deadline_only_when_their_caller_knows_the_end() {
        let mut left = call(2, 100, Some(1_000), &["b"], 7);
        left.abandoned = true;
        let book =
            Book { calls: vec![call(1, 100, Some(1_000), &["a"], 7), left, call(3, 100, None, &["c"], 7)] };
        let permit = |id: &str| (id.to_owned(), Permit { at: at(90), pid: Some(7) });
        let permits = HashMap::from(["1", "2", "3", "4"].map(permit));
        let freed = |ms: i64, id: &str, pid: u32| Freed {
            at: at(ms),
            call_id: id.into(),
            until: at(3_000),
            pid: Some(pid),
        };
        let table = [
            // answered by Planner, and not yet
            (freed(1_000, "1", 7), ""),
            (freed(999, "1", 7), "while Planner had not answered"),
            // Planner may learn late that the client had left
            (freed(600, "2", 7), ""),
            (freed(300, "2", 7), "while Planner had not answered"),
            // nothing is known of its end; it never reached Planner
            (freed(200, "3", 7), ""),
            (freed(200, "4", 7), ""),
            // by somebody who cannot have the answer
            (freed(1_100, "1", 8), "by process 8, and 7 made the call"),
            (freed(200, "4", 8), "by process 8, and 7 made the call"),
            // whose permit nobody saw
            (freed(200, "5", 8), ""),
        ];
        for (one, why) in table {
            let found = check_freed(std::slice::from_ref(&one), &permits, &book);
            assert_eq!(found.is_empty(), why.is_empty(), "{one:?}: {found:?}");
            assert!(found.iter().all(|found| found.invariant == DEADLINE && found.words.ends_with(why)));
        }
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
