//! Goal: every cell of the table of B4, on both sides of each of its edges, and the two exceptions for what
//! has passed. Method: now is 1 August 2026 10:00 in Copenhagen, so W is [2 August, 2 November).
use proptest::prelude::*;

use super::*;
use crate::appointment::AppointmentKind;

fn policy() -> Policy {
    Policy {
        zones: Zones::named("Europe/Copenhagen").unwrap(),
        months: 3,
        busy_statuses: Policy::BUSY_BY_DEFAULT.into_iter().collect(),
    }
}

fn now() -> Timestamp {
    "2026-08-01T08:00:00Z".parse().unwrap()
}

fn slot(start: &str, end: &str) -> Slot {
    Slot { start: start.parse().unwrap(), end: end.parse().unwrap() }
}

fn fact(slot: Slot, blocking: bool) -> Fact {
    Fact { item_id: ItemId::new("i"), slot, blocking }
}

const IN_W: (&str, &str) = ("2026-08-10T08:00:00Z", "2026-08-10T09:00:00Z");
const ALSO_IN_W: (&str, &str) = ("2026-08-10T08:00:00Z", "2026-08-10T09:00:01Z");
/// Ended an hour ago.
const HISTORY: (&str, &str) = ("2026-08-01T06:00:00Z", "2026-08-01T07:00:00Z");
/// Runs now, ends today.
const RUNNING: (&str, &str) = ("2026-08-01T07:30:00Z", "2026-08-01T09:00:00Z");
/// Entered today, running to Friday.
const SICK_LEAVE: (&str, &str) = ("2026-08-01T05:00:00Z", "2026-08-07T15:00:00Z");
/// Ends exactly where W starts.
const UP_TO_W: (&str, &str) = ("2026-08-01T20:00:00Z", "2026-08-01T22:00:00Z");
/// Starts exactly where W ends.
const FROM_END: (&str, &str) = ("2026-11-01T23:00:00Z", "2026-11-02T08:00:00Z");
const OVER_END: (&str, &str) = ("2026-11-01T22:59:59Z", "2026-11-02T08:00:00Z");

#[test]
fn every_cell_of_the_decision_table() {
    use Verdict as V;
    let window = policy().window(now());
    let there = |times: (&str, &str)| Standing::There(slot(times.0, times.1));
    let adopted = |times: (&str, &str)| Standing::Adopted(slot(times.0, times.1));
    let absent = Standing::Absent;
    let busy = true;
    let free = false;
    for (line, now_fact, standing, verdict) in [
        // wanted
        (1, Some((IN_W, busy)), absent, V::Create),
        (2, Some((IN_W, busy)), there(IN_W), V::Nothing),
        (3, Some((IN_W, busy)), there(ALSO_IN_W), V::Update),
        (4, Some((IN_W, busy)), there(HISTORY), V::Update),
        (5, Some((SICK_LEAVE, busy)), absent, V::Create),
        (6, Some((OVER_END, busy)), absent, V::Create),
        (7, Some((IN_W, busy)), adopted(IN_W), V::Create),
        (8, Some((IN_W, busy)), adopted(ALSO_IN_W), V::Create),
        // not wanted and not known
        (10, None, absent, V::Nothing),
        (11, Some((IN_W, free)), absent, V::Nothing),
        (12, Some((RUNNING, busy)), absent, V::Nothing),
        (13, Some((UP_TO_W, busy)), absent, V::Nothing),
        (14, Some((FROM_END, busy)), absent, V::Nothing),
        // not wanted, known and there
        (20, None, there(IN_W), V::Delete),
        (21, Some((IN_W, free)), there(IN_W), V::Delete),
        (22, Some((FROM_END, busy)), there(IN_W), V::Delete),
        (23, Some((FROM_END, busy)), there(FROM_END), V::Delete),
        (24, Some((RUNNING, busy)), there(IN_W), V::Delete),
        (25, None, adopted(IN_W), V::Delete),
        (26, Some((IN_W, free)), adopted(IN_W), V::Delete),
        // time has passed: still blocking, unchanged, began before W
        (30, Some((RUNNING, busy)), there(RUNNING), V::Nothing),
        (31, Some((UP_TO_W, busy)), there(UP_TO_W), V::Nothing),
        (32, Some((RUNNING, busy)), adopted(RUNNING), V::Nothing),
        (33, Some((RUNNING, free)), there(RUNNING), V::Delete),
        (34, None, there(RUNNING), V::Delete),
        (35, Some((UP_TO_W, busy)), there(RUNNING), V::Delete),
        // history is left alone
        (40, None, there(HISTORY), V::Nothing),
        (41, Some((HISTORY, free)), there(HISTORY), V::Nothing),
        (42, Some((RUNNING, busy)), there(HISTORY), V::Nothing),
        (43, Some((FROM_END, busy)), there(HISTORY), V::Nothing),
        (44, None, adopted(HISTORY), V::Nothing),
        (45, None, there(("2026-08-01T07:00:00Z", "2026-08-01T08:00:00Z")), V::Nothing),
        (46, None, there(("2026-08-01T07:00:00Z", "2026-08-01T08:00:01Z")), V::Delete),
    ] {
        let found = now_fact.map(|(times, blocking)| fact(slot(times.0, times.1), blocking));
        assert_eq!(decide(now(), &window, found.as_ref(), standing), verdict, "line {line}");
    }
}

#[test]
fn blocking_table() {
    use FreeBusy as B;
    let item = |free_busy, is_cancelled, times: (&str, &str)| Appointment {
        item_id: ItemId::new("i"),
        uid: None,
        kind: AppointmentKind::Single,
        recurrence_id: None,
        slot: slot(times.0, times.1),
        is_all_day: false,
        free_busy,
        is_cancelled,
        zone: None,
    };
    for (free_busy, blocks) in [
        (B::Free, false),
        (B::Tentative, true),
        (B::Busy, true),
        (B::Oof, true),
        (B::WorkingElsewhere, false),
        (B::NoData, false),
    ] {
        assert_eq!(Fact::of(&item(free_busy, false, IN_W), &policy()).blocking, blocks, "{free_busy:?}");
        assert!(!Fact::of(&item(free_busy, true, IN_W), &policy()).blocking, "cancelled, {free_busy:?}");
    }
    assert!(!Fact::of(&item(B::Busy, false, (IN_W.0, IN_W.0)), &policy()).blocking, "no length");
    assert!(!Fact::of(&item(B::Busy, false, (IN_W.1, IN_W.0)), &policy()).blocking, "ends before it starts");
    // a fraction of a second is no length either
    assert!(!Fact::of(&item(B::Busy, false, (IN_W.0, "2026-08-10T08:00:00.9Z")), &policy()).blocking);
    let mut other = policy();
    other.busy_statuses = [B::WorkingElsewhere].into_iter().collect();
    assert!(Fact::of(&item(B::WorkingElsewhere, false, IN_W), &other).blocking);
    assert!(!Fact::of(&item(B::Busy, false, IN_W), &other).blocking);
}

#[test]
fn how_a_key_stands() {
    let known = |version, wanted, slot, acknowledged| Known {
        origin_id: OriginId::new("k"),
        uid: None,
        recurrence_time: None,
        item_id: None,
        version,
        wanted,
        slot,
        decided_at: None,
        acknowledged,
    };
    let (a, b) = (slot(IN_W.0, IN_W.1), slot(ALSO_IN_W.0, ALSO_IN_W.1));
    assert_eq!(known(0, false, None, None).standing(), Standing::Absent);
    assert_eq!(known(0, false, None, Some(a)).standing(), Standing::Adopted(a));
    assert_eq!(known(1, true, Some(b), Some(a)).standing(), Standing::There(b));
    // decided absent, though Planner still holds it
    assert_eq!(known(2, false, Some(b), Some(a)).standing(), Standing::Absent);
}

#[test]
fn the_fingerprint_tells_each_setting() {
    let base = policy();
    let mut others = [base.clone(), base.clone(), base.clone()];
    others[0].months = 4;
    others[1].zones = Zones::named("Europe/London").unwrap();
    others[2].busy_statuses.insert(FreeBusy::Free);
    for other in &others {
        assert_ne!(other.fingerprint(), base.fingerprint());
    }
    assert_eq!(policy().fingerprint(), base.fingerprint());
}

fn any_times() -> impl Strategy<Value = Slot> {
    prop::sample::select(vec![IN_W, ALSO_IN_W, HISTORY, RUNNING, SICK_LEAVE, UP_TO_W, FROM_END, OVER_END])
        .prop_map(|times| slot(times.0, times.1))
}

fn any_standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Absent),
        any_times().prop_map(Standing::There),
        any_times().prop_map(Standing::Adopted),
    ]
}

proptest! {
    #[test]
    fn deciding_again_changes_nothing(
        calendar in prop::option::of((any_times(), any::<bool>())), standing in any_standing(),
    ) {
        let window = policy().window(now());
        let fact = calendar.map(|(slot, blocking)| fact(slot, blocking));
        let verdict = decide(now(), &window, fact.as_ref(), standing);
        let then = match verdict {
            Verdict::Create | Verdict::Update => Standing::There(fact.as_ref().unwrap().slot),
            Verdict::Delete => Standing::Absent,
            Verdict::Nothing => standing,
        };
        prop_assert_eq!(decide(now(), &window, fact.as_ref(), then), Verdict::Nothing);
        // what is wanted stands with its times
        if let Some(fact) = fact.filter(|fact| fact.is_wanted(&window)) {
            prop_assert_eq!(then, Standing::There(fact.slot));
        }
        // nothing is created or changed to what is not wanted, and history stands
        if standing.slot().is_some_and(|slot| slot.end <= now()) {
            prop_assert_ne!(verdict, Verdict::Delete);
        }
    }
}
