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
    }
}

#[test]
fn the_table_of_b9() {
    use Operation::{Create, Delete, Update};
    let settle = |operation, code| policy().settle(&key(operation), code, 0.0);
    for operation in Operation::ALL {
        assert_eq!(settle(operation, 0), Outcome::Acknowledged);
        assert_eq!(settle(operation, 13), Outcome::Own);
        for code in [15, 16] {
            assert_eq!(settle(operation, code), Outcome::Transient { after: Duration::from_secs(1) });
        }
        for code in
            (1..=7).chain([9, 11, 12, 14]).chain(17..=48).chain([49, 50, 1000, -1, i32::MIN, i32::MAX])
        {
            assert_eq!(settle(operation, code), Outcome::Refused { code }, "{operation:?} {code}");
        }
    }
    assert_eq!(settle(Create, 8), Outcome::Has);
    assert_eq!(settle(Update, 8), Outcome::Refused { code: 8 });
    assert_eq!(settle(Delete, 8), Outcome::Refused { code: 8 });
    assert_eq!(settle(Update, 10), Outcome::Lacks);
    assert_eq!(settle(Delete, 10), Outcome::Acknowledged);
    assert_eq!(settle(Create, 10), Outcome::Refused { code: 10 });
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
    let after = |attempts| policy().settle(&PendingKey { attempts, ..key(Operation::Create) }, 15, 0.0);
    assert_eq!(after(1), Outcome::Transient { after: Duration::from_secs(2) });
    assert_eq!(after(2), Outcome::Transient { after: Duration::from_secs(4) });
    assert_eq!(after(3), Outcome::SetAside { reason: NOT_NOW_TOO_OFTEN, there: None });
}

#[test]
fn without_a_receipt_a_key_that_reached_planner_pauses() {
    let of = |known, unanswered| {
        policy().without_receipt(&PendingKey { unanswered, ..key(Operation::Create) }, known, 0.0)
    };
    assert_eq!(of(CallOutcome::NotApplied, 7), Outcome::Unsent);
    assert_eq!(of(CallOutcome::Failed, 0), Outcome::Unsure { after: Duration::from_secs(1) });
    assert_eq!(of(CallOutcome::Unknown, 0), Outcome::Unknown { after: Duration::from_secs(1) });
    assert_eq!(of(CallOutcome::Unknown, 2), Outcome::Unknown { after: Duration::from_secs(4) });
}

proptest! {
    /// No receipt whatever makes a key be sent again without a pause, except the one conversion each way.
    #[test]
    fn nothing_is_sent_again_at_once_twice(code in any::<i32>(), attempts in any::<u32>(),
                                           op in 0usize..3, random in 0.0f64..=1.0) {
        let sent = PendingKey { attempts, converted: true, ..key(Operation::ALL[op]) };
        match policy().settle(&sent, code, random) {
            Outcome::Transient { after } => prop_assert!(after >= Duration::from_millis(500)),
            Outcome::Has | Outcome::Lacks | Outcome::Unknown { .. } | Outcome::Unsure { .. } | Outcome::Unsent =>
                prop_assert!(false, "{code} is sent again at once"),
            Outcome::Acknowledged | Outcome::Own | Outcome::Refused { .. } | Outcome::SetAside { .. } => {}
        }
    }
}
