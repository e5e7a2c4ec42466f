//! Goal: time passes over a calendar that nobody touches, and a full read every few days takes nothing away
//! from Planner, changes nothing, and adds each appointment once, when the window reaches it.
use proptest::prelude::*;

use super::tests::*;
use super::*;

/// A full read some minutes after [`now`].
fn read_at(known: &mut Vec<Known>, calendar: &[Appointment], after_now: i64) -> Vec<Decision> {
    let at = minutes(after_now);
    let policy = policy();
    let window = policy.window(at);
    let mut found: Vec<Appointment> =
        calendar.iter().filter(|item| window.overlaps(Fact::of(item, &policy).slot)).cloned().collect();
    let more = also_to_read(at, &policy, known, &found);
    found.extend(calendar.iter().filter(|item| more.contains(&item.item_id)).cloned());
    let gone = more.into_iter().filter(|id| calendar.iter().all(|item| item.item_id != *id)).collect();
    let covered = Some(Covered { slot: window.slot(), began: at, reason: Reason::FullRead });
    let scene = Scene { now: at, policy: &policy, known, found: &found, gone: &gone, covered };
    let decisions = reconcile(&scene).decisions;
    apply(known, &decisions, minutes(after_now - 1));
    decisions
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_full_read_of_an_untouched_calendar_takes_nothing_away(
        calendar in any_calendar(), pauses in prop::collection::vec(1..6 * DAY, 1..30),
    ) {
        let mut known = Vec::new();
        let mut at = 0;
        for pause in pauses {
            for decision in read_at(&mut known, &calendar, at) {
                let inferred = matches!(decision.change, Change::Delete { inferred: true, .. });
                prop_assert!(!inferred, "{:?}", decision);
            }
            // what is wanted is there, each once, under whatever name
            let window = policy().window(minutes(at));
            let facts = calendar.iter().map(|item| Fact::of(item, &policy())).filter(|fact| fact.is_wanted(&window));
            let mut wanted: Vec<_> = facts.map(|fact| (fact.item_id, fact.slot.start, fact.slot.end)).collect();
            let held = known.iter().filter_map(|key| Some((key.item_id.clone()?, key.standing().slot()?)));
            let mut held: Vec<_> = held
                .filter(|(_, slot)| window.overlaps(*slot))
                .map(|(id, slot)| (id, slot.start, slot.end))
                .collect();
            wanted.sort();
            held.sort();
            prop_assert_eq!(held, wanted);
            at += pause;
        }
    }

    #[test]
    fn without_duplicates_each_appointment_is_created_once_and_stays(
        items in prop::collection::vec(any_item(), 1..8), pauses in prop::collection::vec(1..6 * DAY, 1..30),
    ) {
        let calendar: Vec<Appointment> = items
            .into_iter()
            .enumerate()
            .map(|(n, item)| Appointment {
                item_id: ItemId::new(format!("i{n}")),
                uid: Some(Uid::new(format!("U{n}"))),
                ..item
            })
            .collect();
        let mut known = Vec::new();
        let mut at = 0;
        for pause in pauses {
            for decision in read_at(&mut known, &calendar, at) {
                prop_assert!(matches!(decision.change, Change::Create(_)), "{:?}", decision);
                prop_assert_eq!(decision.expected_version, 0);
            }
            at += pause;
        }
        prop_assert!(known.iter().all(|key| key.wanted));
    }

    #[test]
    fn a_reading_that_began_before_a_decision_infers_nothing_from_it(
        earlier in any_calendar(), calendar in any_calendar(),
    ) {
        let mut known = known_from(&earlier);
        for key in &mut known {
            key.decided_at = Some(now());
        }
        let decisions = run(&known, &calendar, &ids(&[]), covered(Reason::FullRead));
        for decision in decisions {
            let inferred = matches!(decision.change, Change::Delete { inferred: true, .. });
            prop_assert!(!inferred, "{:?}", decision);
        }
    }
}
