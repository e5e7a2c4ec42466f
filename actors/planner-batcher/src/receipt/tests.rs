//! Goal: the receipt table of B9, every cell. Method: a table over operation × code, and properties over
//! all codes.

use std::time::Duration;

use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn policy() -> ReceiptPolicy {
    let retry = Backoff::doubling(Duration::from_secs(1), Duration::from_secs(60));
    ReceiptPolicy { retry, attempts_max: 4 }
}

fn key(operation: Operation) -> PendingKey {
    PendingKey {
        mail: MailAddress::parse("a@b").unwrap(),
        origin_id: OriginId::new("U"),
        operation,
        version: 1,
        slot: Slot { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH },
        decided_at: Timestamp::UNIX_EPOCH,
        trace: None,
        attempts: 0,
        unanswered: 0,
        converted: false,
        put_off: 0,
        others_succeeded: false,
    }
}

/// Every code that has a meaning, all that have none, and the extremes.
fn codes() -> impl Iterator<Item = i32> {
    (-1..=50).chain([250, 1_000, i32::MIN, i32::MAX])
}

#[test]
fn the_table_of_b9() {
    use Operation::{Create, Delete, Update};
    for operation in Operation::ALL {
        for code in codes() {
            let expected = match (operation, code) {
                (_, 0) | (Delete, 10) => Outcome::Acknowledged,
                (Create, 8) => Outcome::Has,
                (Update, 10) => Outcome::Lacks,
                (_, 13) => Outcome::Own,
                (_, 15 | 16) => Outcome::Transient { after: Duration::from_secs(1), own: false },
                _ => Outcome::Refused { code },
            };
            assert_eq!(policy().settle(&key(operation), code, 0.0), expected, "{operation:?} {code}");
        }
    }
}

/// List C of the features: a code above 49 must not make an event outside the reserved 6200 to 6249.
#[test]
fn every_receipt_code_has_an_event_of_the_reserved_range_and_the_unassigned_ones_are_told() {
    for code in codes() {
        let event = calendar::codes::receipt_refused(code).id;
        let expected = if (0..=48).contains(&code) { 6_200 + u16::try_from(code).unwrap() } else { 6_249 };
        assert_eq!(event, expected, "{code}");
        assert_eq!(is_unassigned(code), !(0..=16).contains(&code), "{code}");
    }
}

/// The codes that a row of operators' table is about, by the first cell.
fn codes_of(cell: &str) -> std::ops::RangeInclusive<i32> {
    let (from, to) = cell.split_once('-').unwrap_or((cell, cell));
    from.parse().unwrap()..=to.parse().unwrap()
}

/// The table "Planner's receipts" of docs/operations.md: every code once, its event, and what follows for each operation.
#[test]
fn operators_are_told_of_every_receipt_as_it_is_handled() {
    const OUTSIDE: &str = "below 0, above 48";
    let text = include_str!("../../../../docs/operations.md");
    let (_, section) = text.split_once("### Planner's receipts").unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for code in codes() {
        let covers = |row: &&Vec<&str>| match row[0] {
            OUTSIDE => !(0..=48).contains(&code),
            cell => codes_of(cell).contains(&code),
        };
        let covering: Vec<_> = rows.iter().filter(covers).collect();
        let [row] = &covering[..] else { panic!("{code} does not stand in one row") };
        let [_, event, meaning, create, update, delete, advice] = &row[..] else { panic!("{row:?}") };
        assert!(!meaning.is_empty() && !advice.is_empty(), "{row:?}");
        let id = i32::from(calendar::codes::receipt_refused(code).id);
        assert!(if code == 0 { *event == "–" } else { codes_of(event).contains(&id) }, "{code}: {event}");
        for (operation, told) in
            [(Operation::Create, create), (Operation::Update, update), (Operation::Delete, delete)]
        {
            let follows = match policy().settle(&key(operation), code, 0.0) {
                Outcome::Acknowledged => "done",
                Outcome::Has => "sent as an update",
                Outcome::Lacks => "sent as a creation",
                Outcome::Own => "never sent again",
                Outcome::Transient { .. } => "sent again",
                Outcome::Refused { .. } => "refused",
                other => panic!("{code}: {other:?}"),
            };
            assert_eq!(*told, follows, "{operation:?} {code}");
        }
        // somebody is to say what a code means that nobody has assigned, and no other
        let asks = advice.contains(&calendar::codes::RECEIPT_CODE_UNKNOWN.id.to_string());
        assert_eq!(asks, is_unassigned(code), "{code}: {advice}");
    }
}

#[test]
fn one_conversion_each_way_then_set_aside() {
    let converted = |operation| PendingKey { converted: true, ..key(operation) };
    let second = |there| Outcome::SetAside { reason: CONVERTED_TWICE, there: Some(there) };
    assert_eq!(policy().settle(&converted(Operation::Create), 8, 0.0), second(true));
    assert_eq!(policy().settle(&converted(Operation::Update), 10, 0.0), second(false));
    assert_eq!(policy().settle(&converted(Operation::Delete), 10, 0.0), Outcome::Acknowledged);
}

#[test]
fn not_now_is_spaced_and_ends() {
    let settle = |put_off, attempts| {
        let sent = PendingKey { put_off, attempts, others_succeeded: true, ..key(Operation::Create) };
        policy().settle(&sent, 15, 0.0)
    };
    let after = |seconds| Outcome::Transient { after: Duration::from_secs(seconds), own: true };
    assert_eq!(settle(1, 1), after(2));
    assert_eq!(settle(2, 2), after(4));
    assert_eq!(settle(3, 2), after(8));
    assert_eq!(settle(3, 3), Outcome::SetAside { reason: NOT_NOW_TOO_OFTEN, there: None });
}

/// B9: the attempt limit counts failures of that item alone. While Planner takes nothing at all, an outage cannot be told
/// from that; with a single active mailbox as little as with many.
#[test]
fn not_now_counts_against_a_key_only_when_another_was_taken_meanwhile() {
    for code in [15, 16] {
        for others_succeeded in [false, true] {
            let of = |attempts| {
                let sent = PendingKey { attempts, others_succeeded, ..key(Operation::Update) };
                policy().settle(&sent, code, 0.0)
            };
            assert_eq!(of(0), Outcome::Transient { after: Duration::from_secs(1), own: others_succeeded });
            let last = Outcome::SetAside { reason: NOT_NOW_TOO_OFTEN, there: None };
            assert_eq!(of(3) == last, others_succeeded, "{code} others succeeded {others_succeeded}");
        }
    }
}

#[test]
fn without_a_receipt_a_key_that_reached_planner_pauses() {
    let of = |known, unanswered| {
        policy().without_receipt(&PendingKey { unanswered, ..key(Operation::Create) }, known, true, 0.0)
    };
    let after = Duration::from_secs;
    assert_eq!(of(CallOutcome::NotApplied, 7), Outcome::Unsent);
    assert_eq!(of(CallOutcome::Failed, 0), Outcome::Unsure { after: after(1), own: false });
    assert_eq!(of(CallOutcome::Unknown, 0), Outcome::Unknown { after: after(1), own: false });
    assert_eq!(of(CallOutcome::Unknown, 2), Outcome::Unknown { after: after(4), own: false });
}

/// The attempt limit counts failures of that item alone, never outages.
#[test]
fn a_failed_call_counts_against_a_key_only_when_nothing_else_can_be_blamed() {
    let aside = Outcome::SetAside { reason: FAILS_ALONE, there: None };
    for operation in Operation::ALL {
        for known in [CallOutcome::NotApplied, CallOutcome::Failed, CallOutcome::Unknown] {
            for (alone, others_succeeded) in [(false, false), (false, true), (true, false), (true, true)] {
                let own = alone && others_succeeded && known != CallOutcome::NotApplied;
                let of = |attempts| {
                    let sent = PendingKey { attempts, others_succeeded, ..key(operation) };
                    policy().without_receipt(&sent, known, alone, 0.0)
                };
                let counted =
                    matches!(of(2), Outcome::Unsure { own: true, .. } | Outcome::Unknown { own: true, .. });
                assert_eq!(counted, own, "{known:?} alone {alone} others succeeded {others_succeeded}");
                assert_eq!(
                    of(3) == aside,
                    own,
                    "{known:?} alone {alone} others succeeded {others_succeeded}"
                );
            }
        }
    }
}

proptest! {
    /// No receipt whatever makes a key be sent again without a pause, except the one conversion each way.
    #[test]
    fn nothing_is_sent_again_at_once_twice(code in any::<i32>(), attempts in any::<u32>(),
                                           op in 0usize..3, random in 0.0f64..=1.0) {
        let sent = PendingKey { attempts, converted: true, ..key(Operation::ALL[op]) };
        match policy().settle(&sent, code, random) {
            Outcome::Transient { after, .. } => prop_assert!(after >= Duration::from_millis(500)),
            Outcome::Has | Outcome::Lacks | Outcome::Unknown { .. } | Outcome::Unsure { .. } | Outcome::Unsent =>
                prop_assert!(false, "{code} is sent again at once"),
            Outcome::Acknowledged | Outcome::Own | Outcome::Refused { .. } | Outcome::SetAside { .. } => {}
        }
    }
}
