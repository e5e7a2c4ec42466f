//! Goal: exactly the deletions that a full read infers are counted and withheld, all or none; what is withheld or
//! rejected is treated as such. Method: tables and properties of the pure part.

use calendar::Slot;
use calendar::testing::single;
use proptest::prelude::*;

use super::*;
use crate::testkit::{mail, slot, window};

fn key(n: usize) -> OriginId {
    OriginId::new(format!("K{n:03}"))
}

fn known(n: usize) -> Known {
    Known {
        origin_id: key(n),
        uid: None,
        recurrence_time: None,
        item_id: Some(ItemId::new(format!("i{n:03}"))),
        version: 1,
        wanted: true,
        slot: Some(slot(2, 9)),
        decided_at: None,
        acknowledged: None,
    }
}

fn decision(n: usize, change: Change) -> Decision {
    Decision {
        origin_id: key(n),
        uid: None,
        recurrence_time: None,
        item_id: Some(ItemId::new(format!("i{n:03}"))),
        expected_version: 1,
        change,
    }
}

fn delete(n: usize, inferred: bool) -> Decision {
    decision(n, Change::Delete { slot: slot(2, 9), inferred })
}

fn withheld(n: usize, source: WithheldSource, rejected: bool) -> WithheldKey {
    WithheldKey { mail: mail(1), origin_id: key(n), source, rejected }
}

/// Guards decisions of a mailbox in which `there` keys were there, and none of them was found.
fn of(there: usize, withheld: &[WithheldKey], decisions: &mut Vec<Decision>) -> Guarded {
    let known: Vec<Known> = (0..there).map(known).collect();
    let case = Case { limits: &GuardLimits::DEFAULT, window: &window(), known: &known, found: &[], withheld };
    guard(&case, decisions)
}

fn withheld_keys(guarded: &Guarded) -> Option<(usize, usize)> {
    match &guarded.run {
        GuardedRun::Withholds { keys, there, .. } => Some((keys.len(), *there)),
        _ => None,
    }
}

#[test]
fn only_beyond_both_limits() {
    for (inferred, there, is_withheld) in [
        (0, 0, false),
        (10, 10, false),
        (11, 11, true),
        (11, 109, true),
        (11, 110, false),
        (100, 1_000, false),
        (101, 1_000, true),
    ] {
        let mut decisions: Vec<Decision> = (0..inferred).map(|n| delete(n, true)).collect();
        let guarded = of(there, &[], &mut decisions);
        assert_eq!(
            withheld_keys(&guarded),
            is_withheld.then_some((inferred, there)),
            "{inferred} of {there}"
        );
        assert_eq!(decisions.len(), if is_withheld { 0 } else { inferred });
    }
}

#[test]
fn reported_deletions_and_other_changes_are_neither_counted_nor_withheld() {
    let slot = slot(3, 9);
    let others = |from: usize| {
        let mut others: Vec<Decision> = (from..from + 30).map(|n| delete(n, false)).collect();
        others.push(decision(from + 30, Change::Create(slot)));
        others.push(decision(from + 31, Change::Update(slot)));
        others.push(decision(from + 32, Change::Refresh));
        others
    };
    let mut decisions: Vec<Decision> = (0..10).map(|n| delete(n, true)).chain(others(10)).collect();
    assert_eq!(of(60, &[], &mut decisions), Guarded::default());
    assert_eq!(decisions.len(), 43);
    let mut decisions: Vec<Decision> = (0..11).map(|n| delete(n, true)).chain(others(11)).collect();
    assert_eq!(withheld_keys(&of(60, &[], &mut decisions)), Some((11, 60)));
    assert_eq!(decisions, others(11), "they are stored as ever");
}

#[test]
fn adopted_keys_count_as_there_and_others_do_not() {
    let adopted = |n| Known {
        version: 0,
        wanted: false,
        slot: None,
        item_id: None,
        acknowledged: Some(slot(2, 9)),
        ..known(n)
    };
    let absent = |n| Known { wanted: false, ..known(n) };
    let outside = |n| Known { slot: Some(slot(400, 9)), ..known(n) };
    let all: Vec<Known> = (0..50)
        .map(known)
        .chain((50..110).map(adopted))
        .chain((110..150).map(absent))
        .chain([outside(150)])
        .collect();
    let case =
        Case { limits: &GuardLimits::DEFAULT, window: &window(), known: &all, found: &[], withheld: &[] };
    let mut decisions: Vec<Decision> = (0..11).map(|n| delete(n, true)).collect();
    assert_eq!(guard(&case, &mut decisions), Guarded::default(), "11 of 110 are not more than 10 %");
    let mut decisions: Vec<Decision> = (0..12).map(|n| delete(n, true)).collect();
    assert_eq!(withheld_keys(&guard(&case, &mut decisions)), Some((12, 110)));
}

#[test]
fn what_was_rejected_or_withheld_by_a_comparison_is_left_and_not_counted() {
    let held = [
        withheld(0, WithheldSource::FullRead, true),
        withheld(1, WithheldSource::Comparison, false),
        withheld(2, WithheldSource::Comparison, true),
    ];
    let mut decisions: Vec<Decision> = (0..13).map(|n| delete(n, true)).collect();
    assert_eq!(of(20, &held, &mut decisions), Guarded::default(), "ten are left of thirteen");
    assert_eq!(decisions, (3..13).map(|n| delete(n, true)).collect::<Vec<_>>());
    // an explicit deletion is carried out
    let mut decisions = vec![delete(0, false), delete(1, false)];
    of(20, &held, &mut decisions);
    assert_eq!(decisions.len(), 2);
}

#[test]
fn a_newer_run_replaces_or_ends_the_one_that_waits() {
    let held: Vec<WithheldKey> = (0..12).map(|n| withheld(n, WithheldSource::FullRead, false)).collect();
    let mut decisions: Vec<Decision> = (0..12).map(|n| delete(n, true)).collect();
    assert_eq!(withheld_keys(&of(20, &held, &mut decisions)), Some((12, 20)));
    let mut decisions: Vec<Decision> = (0..3).map(|n| delete(n, true)).collect();
    let known: Vec<Known> = (0..20).map(known).collect();
    let found: Vec<Appointment> =
        (3..12).map(|n| single(&format!("i{n:03}"), &format!("K{n:03}"), slot(2, 9))).collect();
    let case = Case {
        limits: &GuardLimits::DEFAULT,
        window: &window(),
        known: &known,
        found: &found,
        withheld: &held,
    };
    assert_eq!(guard(&case, &mut decisions).run, GuardedRun::Ends);
    assert_eq!(decisions.len(), 3, "what it still lacks is deleted");
}

#[test]
fn withheld_keys_that_a_reading_does_not_show_count_until_they_are_seen() {
    let waiting = |from: usize, to: usize| -> Vec<WithheldKey> {
        (from..to).map(|n| withheld(n, WithheldSource::FullRead, false)).collect()
    };
    let held = |keys: &[WithheldKey], source, rejected| -> Vec<WithheldKey> {
        keys.iter().map(|key| WithheldKey { source, rejected, ..key.clone() }).collect()
    };
    let all = waiting(0, 40);
    let deletes = |from: usize, to: usize| -> Vec<Decision> { (from..to).map(|n| delete(n, true)).collect() };
    let changed = |from: usize, change: Change| -> Vec<Decision> {
        (from..40).map(|n| decision(n, change)).chain(deletes(0, 8)).collect()
    };
    let rejected = [waiting(0, 8), held(&waiting(8, 40), WithheldSource::FullRead, true)].concat();
    let compared = [waiting(0, 8), held(&waiting(8, 40), WithheldSource::Comparison, false)].concat();
    // (case, withheld, first item that is found, decisions, deletions withheld, deletions carried out)
    let table = [
        ("the rest is hidden", all.clone(), 100, deletes(0, 8), Some(40), 0),
        ("one more is missing", all.clone(), 100, deletes(36, 44), Some(44), 0),
        ("some were seen", all.clone(), 30, deletes(0, 8), Some(30), 0),
        ("nearly all were seen", all.clone(), 10, deletes(0, 8), None, 8),
        ("they have other times", all.clone(), 100, changed(8, Change::Update(slot(3, 9))), None, 8),
        ("new items bear their names", all.clone(), 100, changed(8, Change::Refresh), None, 8),
        (
            "they were deleted",
            all,
            100,
            changed(8, Change::Delete { slot: slot(2, 9), inferred: false }),
            None,
            8,
        ),
        ("they were rejected", rejected, 100, deletes(0, 8), None, 8),
        ("they belong to a comparison", compared, 100, deletes(0, 8), None, 8),
        ("they are unknown or over", waiting(60, 100), 100, deletes(0, 8), None, 8),
    ];
    let known: Vec<Known> = (0..50).map(known).collect();
    for (case, withheld, found_from, mut decisions, withholds, carried_out) in table {
        let found: Vec<Appointment> =
            (found_from..40).map(|n| single(&format!("i{n:03}"), &format!("K{n:03}"), slot(2, 9))).collect();
        let scene = Case {
            limits: &GuardLimits::DEFAULT,
            window: &window(),
            known: &known,
            found: &found,
            withheld: &withheld,
        };
        let guarded = guard(&scene, &mut decisions);
        assert_eq!(withheld_keys(&guarded), withholds.map(|keys| (keys, 50)), "{case}");
        assert_eq!(decisions.iter().filter(|one| is_inferred(one)).count(), carried_out, "{case}");
        if withholds.is_none() {
            assert_eq!(guarded.run, GuardedRun::Ends, "{case}");
        }
    }
}

#[test]
fn a_run_that_a_reading_says_nothing_about_goes_on_waiting() {
    for waiting in [5, 40] {
        let held: Vec<WithheldKey> =
            (0..waiting).map(|n| withheld(n, WithheldSource::FullRead, false)).collect();
        let mut decisions = vec![decision(49, Change::Update(slot(3, 9)))];
        assert_eq!(of(50, &held, &mut decisions), Guarded::default(), "{waiting}");
        assert_eq!(decisions.len(), 1);
    }
}

#[test]
fn a_key_is_seen_again_by_its_item_or_by_a_new_item_of_its_name() {
    let held = [0, 1, 2, 3].map(|n| withheld(n, WithheldSource::FullRead, n == 1));
    let known: Vec<Known> = (0..4).map(known).collect();
    let found = [single("i000", "K000", slot(2, 9)), single("i001", "K001", slot(2, 9))];
    let decisions = [decision(2, Change::Refresh), delete(1, false)];
    // 1 is decided about, which says more; 3 is still missing
    assert_eq!(seen(&decisions, &known, &found, &held), [key(0), key(2)]);
    assert_eq!(seen(&decisions, &known, &found, &[]), []);
}

fn changes() -> impl Strategy<Value = Change> {
    let slot: Slot = slot(3, 9);
    prop_oneof![
        3 => Just(Change::Delete { slot, inferred: true }),
        1 => Just(Change::Delete { slot, inferred: false }),
        1 => Just(Change::Create(slot)),
        1 => Just(Change::Refresh),
    ]
}

proptest! {
    #[test]
    fn inferred_deletions_share_their_fate_and_nothing_else_is_touched(
        changes in prop::collection::vec(changes(), 0..60),
        there in 0_usize..300,
        rejected in prop::collection::btree_set(0_usize..60, 0..20),
    ) {
        let before: Vec<Decision> =
            changes.iter().enumerate().map(|(n, change)| decision(n, *change)).collect();
        let held: Vec<WithheldKey> =
            rejected.iter().map(|n| withheld(*n, WithheldSource::FullRead, true)).collect();
        let mut after = before.clone();
        let guarded = of(there, &held, &mut after);
        let other = |one: &&Decision| !is_inferred(one);
        prop_assert!(before.iter().filter(other).eq(after.iter().filter(other)));
        let count = before
            .iter()
            .enumerate()
            .filter(|(n, one)| is_inferred(one) && !rejected.contains(n))
            .count();
        let left = after.iter().filter(|one| is_inferred(one)).count();
        match withheld_keys(&guarded) {
            Some((keys, _)) => {
                prop_assert_eq!((keys, left), (count, 0));
                prop_assert!(count > 10 && count * 10 > there);
            }
            None => {
                prop_assert_eq!(left, count);
                prop_assert!(count <= 10 || count * 10 <= there);
            }
        }
    }
}
