//! Goal: what nobody should have put into a calendar changes that appointment alone: the others are decided
//! about as if it were not there, and nothing panics or takes for ever.
use proptest::prelude::*;

use super::tests::*;
use super::*;
use crate::appointment::AppointmentKind;

fn lasting(id: &str, start: Timestamp, end: Timestamp) -> Appointment {
    let mut item = single(id, id, DAY);
    item.slot = Slot { start, end };
    item
}

#[test]
fn an_appointment_that_ends_before_it_starts_or_at_once_blocks_nothing() {
    let backwards = lasting("B", minutes(DAY + HOUR), minutes(DAY));
    let empty = lasting("E", minutes(DAY), minutes(DAY));
    let good = single("G", "G", DAY);
    let calendar = [backwards.clone(), empty.clone(), good.clone()];
    assert_eq!(show(&run(&[], &calendar, &ids(&[]), None)), ["create G"]);
    // one that was in order before is taken out of Planner
    let known = decided(&[single("B", "B", DAY), single("E", "E", DAY), good]);
    assert_eq!(show(&run(&known, &calendar, &ids(&[]), None)), ["delete B", "delete E"]);
}

#[test]
fn an_appointment_until_the_year_9999_is_decided_once() {
    // "9999-12-31T23:59:59" is read as the last instant there is
    let endless = lasting("A", minutes(DAY), Timestamp::MAX);
    let mut whole_days = endless.clone();
    (whole_days.item_id, whole_days.uid, whole_days.is_all_day) =
        (ItemId::new("D"), Some(Uid::new("D")), true);
    let ever = lasting("E", Timestamp::MIN, Timestamp::MAX);
    let calendar = [endless, whole_days, ever];
    let mut known = Vec::new();
    let decisions = run(&known, &calendar, &ids(&[]), covered(Reason::FullRead));
    assert_eq!(show(&decisions), ["create A", "create D", "create E"]);
    apply(&mut known, &decisions, minutes(-1));
    // what the database keeps, microseconds, comes back as the same
    for key in &mut known {
        let kept = |at: Timestamp| Timestamp::from_microsecond(at.as_microsecond()).unwrap();
        key.slot = key.slot.map(|slot| Slot { start: kept(slot.start), end: kept(slot.end) });
    }
    assert!(run(&known, &calendar, &ids(&[]), covered(Reason::FullRead)).is_empty());
}

#[test]
fn uids_with_dollar_hash_and_specials_and_500_characters_are_keys_of_their_own() {
    let long = "ø".repeat(499);
    let uids = ["a", "A", "a$", "a#", "a$20260802-100000", "<&>\"'", &long, &format!("{long}x")];
    let mut calendar: Vec<Appointment> =
        uids.iter().enumerate().map(|(n, uid)| single(&format!("i{n}"), uid, DAY)).collect();
    calendar.push(single("n1", "", DAY));
    calendar.push(single("n2", "", DAY));
    // an occurrence of "a" that would have the name of one of them
    calendar.push(occurrence("o", "a", DAY, DAY));
    let decisions = run(&[], &calendar, &ids(&[]), covered(Reason::FullRead));
    let names: BTreeSet<&OriginId> = decisions.iter().map(|decision| &decision.origin_id).collect();
    assert_eq!(names.len(), calendar.len());
    assert!(decisions.iter().all(|decision| matches!(decision.change, Change::Create(_))));
    for uid in uids {
        assert!(names.contains(&OriginId::new(uid)), "{uid:.20}");
    }
    let nameless = |name: &&&OriginId| name.as_str().starts_with("ITEM#");
    assert_eq!(names.iter().filter(nameless).count(), 2);
}

#[test]
fn uids_that_differ_in_case_only_are_two_appointments() {
    let known = decided(&[single("a", "Uid", DAY), single("b", "UID", DAY)]);
    assert_eq!(known.len(), 2);
    let decisions = run(&known, &[single("a", "Uid", DAY)], &ids(&["b"]), None);
    assert_eq!(show(&decisions), ["delete UID"]);
}

#[test]
fn one_that_cannot_be_told_does_not_hide_the_others_of_its_series() {
    let mut odd = occurrence("o1", "S", DAY, DAY);
    odd.item_id = ItemId::new("");
    let calendar = [odd, occurrence("o2", "S", 2 * DAY, 2 * DAY)];
    let none = ids(&[]);
    let policy = policy();
    let scene =
        Scene { now: now(), policy: &policy, known: &[], found: &calendar, gone: &none, covered: None };
    let reconciled = reconcile(&scene);
    assert_eq!(show(&reconciled.decisions), ["create S$20260803-100000"]);
    assert_eq!(reconciled.unrepresentable.len(), 1);
}

#[test]
fn a_zone_that_nobody_knows_moves_nothing() {
    let mut item = single("a", "A", DAY);
    item.slot = Slot { start: minutes(12 * HOUR), end: minutes(36 * HOUR) };
    item.is_all_day = true;
    let known = decided(std::slice::from_ref(&item));
    item.zone = Some("Nowhere Standard Time".to_owned());
    assert!(run(&known, &[item], &ids(&[]), None).is_empty());
}

/// All work is by sorted or hashed keys: n log n for n occurrences. Were any of it quadratic, 3,000 would
/// take 9 million steps of comparing names, and the second run (with 3,000 known) minutes in a debug build.
#[test]
fn a_series_with_3000_exceptions_is_settled_at_once() {
    let series: Vec<Appointment> = (0..3_000)
        .map(|n| {
            let original = DAY + n * 40;
            occurrence(&format!("m/{n:04}"), "S", original, original + 7)
        })
        .chain(std::iter::once(Appointment {
            kind: AppointmentKind::RecurringMaster,
            ..single("m", "S", DAY)
        }))
        .collect();
    let mut known = Vec::new();
    let decisions = run(&known, &series, &ids(&[]), covered(Reason::Change));
    assert_eq!(decisions.len(), 3_000);
    apply(&mut known, &decisions, minutes(-1));
    assert!(run(&known, &series, &ids(&[]), covered(Reason::Change)).is_empty());
    assert!(also_to_read(now(), &policy(), &known, &series).is_empty());
    // half of them are moved, a quarter is gone
    let mut changed = series[..2_250].to_vec();
    for item in &mut changed[..1_500] {
        item.slot.end += std::time::Duration::from_secs(60);
    }
    let decisions = run(&known, &changed, &ids(&[]), covered(Reason::Change));
    let count = |word: &str| show(&decisions).iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("update"), count("delete"), decisions.len()), (1_500, 750, 2_250));
    // and the master's deletion takes the rest
    apply(&mut known, &decisions, minutes(-1));
    let decisions = run(&known, &[], &ids(&["m"]), covered(Reason::Change));
    assert_eq!(decisions.len(), 2_250);
}

#[test]
fn a_thousand_items_with_one_uid_have_a_thousand_names() {
    let calendar: Vec<Appointment> = (0..1_000).map(|n| single(&format!("{n:04}"), "A", DAY + n)).collect();
    let decisions = run(&[], &calendar, &ids(&[]), None);
    let names: BTreeSet<&OriginId> = decisions.iter().map(|decision| &decision.origin_id).collect();
    assert_eq!(names.len(), 1_000);
    let holder = decisions.iter().find(|decision| decision.origin_id.as_str() == "A").unwrap();
    assert_eq!(holder.item_id, Some(ItemId::new("0000")), "the smallest item id keeps the UID");
}

/// Defect of the original: it queued a deletion and the creation that followed it, and sent them the other way
/// round. Here a key has one latest decision, and the later one stands.
#[test]
fn a_deletion_followed_by_a_creation_stands_as_there() {
    let mut known = decided(&[single("a", "A", DAY)]);
    let gone = run(&known, &[], &ids(&["a"]), None);
    apply(&mut known, &gone, minutes(-2));
    let back = run(&known, &[single("b", "A", DAY)], &ids(&[]), None);
    apply(&mut known, &back, minutes(-1));
    assert_eq!((known.len(), known[0].version), (1, 3));
    assert_eq!(known[0].standing(), Standing::There(single("b", "A", DAY).slot));
}

proptest! {
    #[test]
    fn any_times_at_all_are_decided_without_harm(
        items in prop::collection::vec((any::<i64>(), any::<i64>(), any::<bool>(), prop::option::of(any::<i64>())), 1..8),
    ) {
        let (min, max) = (Timestamp::MIN.as_second() + 1, Timestamp::MAX.as_second());
        // near the present, and anywhere
        let at = |second: i64| {
            let second = if second % 2 == 0 { now().as_second() + second % 10_000_000 } else { second.clamp(min, max) };
            Timestamp::from_second(second).unwrap()
        };
        let calendar: Vec<Appointment> = items
            .iter()
            .enumerate()
            .map(|(n, &(start, end, is_all_day, original))| {
                let mut item = lasting(&format!("i{n}"), at(start), at(end));
                item.is_all_day = is_all_day;
                item.recurrence_id = original.map(at);
                item
            })
            .chain(std::iter::once(single("good", "good", DAY)))
            .collect();
        let mut known = Vec::new();
        let decisions = run(&known, &calendar, &ids(&[]), covered(Reason::FullRead));
        prop_assert!(decisions.iter().any(|decision| decision.origin_id.as_str() == "good"));
        for decision in &decisions {
            let Change::Create(slot) = decision.change else { panic!("{decision:?}") };
            prop_assert!(slot.end > slot.start);
        }
        apply(&mut known, &decisions, minutes(-1));
        prop_assert!(run(&known, &calendar, &ids(&[]), covered(Reason::FullRead)).is_empty());
    }
}
