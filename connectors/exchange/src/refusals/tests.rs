//! Goal: a service that refuses the account silences itself alone, a wrong password is tried as seldom at ten
//! services as at one, and no more than one call finds out. Method: tables, and a property over random histories.

use base::{Clock as _, SystemClock};
use proptest::prelude::*;

use super::*;

const S: Duration = Duration::from_secs(1);

#[test]
fn a_service_that_refuses_holds_up_no_other() {
    let start = SystemClock.monotonic();
    let mut refusals = Refusals::default();
    refusals.worked("b", start);
    assert_eq!(refusals.refused("a", start, start), Some(5 * S));
    assert_eq!(refusals.turn("a", start + S), Turn::Wait(4 * S));
    assert_eq!(refusals.turn("b", start + S), Turn::Go);
    // the second one is refused while others are taken: still a matter of its own
    refusals.worked("b", start + S);
    assert_eq!(refusals.refused("c", start + S, start + S), Some(5 * S));
    assert_eq!((refusals.turn("b", start + S), refusals.turn("d", start + S)), (Turn::Go, Turn::Go));
    let waiting: Vec<_> = refusals.waiting(start + S).collect();
    assert_eq!(waiting, [("a", 4 * S, 1), ("c", 5 * S, 1)]);
}

#[test]
fn when_two_refuse_and_none_takes_it_all_wait_and_attempts_are_counted_together() {
    let start = SystemClock.monotonic();
    let mut refusals = Refusals::default();
    assert_eq!(refusals.refused("a", start, start), Some(5 * S));
    assert_eq!(refusals.turn("b", start), Turn::Go, "one alone says nothing of the others");
    assert_eq!(refusals.refused("b", start, start), Some(10 * S));
    for service in ["a", "b", "never asked"] {
        assert_eq!(refusals.turn(service, start), Turn::Wait(10 * S), "{service}");
    }
    // one finds out for all
    let later = start + 10 * S;
    assert_eq!(refusals.turn("a", later), Turn::Probe);
    assert_eq!((refusals.turn("b", later), refusals.turn("c", later)), (Turn::Probed, Turn::Probed));
    assert_eq!(refusals.refused("a", later, later), Some(20 * S));
    refusals.probed("a");
    assert_eq!(refusals.turn("b", later), Turn::Wait(20 * S));
    // mended: the first that is taken ends it for all that were not refused themselves
    let mended = later + 20 * S;
    assert_eq!(refusals.turn("c", mended), Turn::Probe);
    refusals.worked("c", mended);
    refusals.probed("c");
    assert_eq!(refusals.turn("c", mended), Turn::Go);
    assert_eq!(refusals.turn("a", mended), Turn::Probe, "each finds out by itself");
    refusals.worked("a", mended);
    refusals.probed("a");
    assert_eq!(refusals.turn("a", mended), Turn::Go);
}

#[test]
fn what_was_under_way_says_nothing_new_and_a_probe_that_ends_otherwise_is_made_again() {
    let start = SystemClock.monotonic();
    let mut refusals = Refusals::default();
    assert_eq!(refusals.refused("a", start, start), Some(5 * S));
    assert_eq!(refusals.refused("a", start, start + S), None);
    refusals.worked("a", start);
    assert_eq!(refusals.turn("a", start + S), Turn::Wait(4 * S), "a late answer does not end it");
    assert_eq!(refusals.turn("a", start + 5 * S), Turn::Probe);
    assert_eq!(refusals.turn("a", start + 9 * S), Turn::Probed);
    // the connection broke
    refusals.probed("a");
    assert_eq!(refusals.turn("a", start + 9 * S), Turn::Probe);
}

#[test]
fn what_others_were_told_holds_and_never_shortens() {
    let start = SystemClock.monotonic();
    let mut refusals = Refusals::default();
    refusals.hold("a", start, 60 * S, 4);
    refusals.hold("a", start, S, 9);
    assert_eq!(refusals.turn("a", start), Turn::Wait(60 * S));
    assert_eq!(refusals.refused("a", start + 60 * S, start + 60 * S), Some(80 * S));
}

proptest! {
    /// However many services there are: between two attempts that are all refused lies at least the pause that a
    /// single service would have made, but for one: a second service is asked once before it is known that all refuse.
    #[test]
    fn a_wrong_password_is_tried_as_seldom_at_many_services_as_at_one(
        asks in proptest::collection::vec((0u64..4_000, 0usize..9), 1..400)
    ) {
        let start = SystemClock.monotonic();
        let (mut now, mut attempts) = (start, Vec::new());
        let mut refusals = Refusals::default();
        for (pause_ms, service) in asks {
            now += Duration::from_millis(pause_ms);
            let service = format!("s{service}");
            match refusals.turn(&service, now) {
                Turn::Go | Turn::Probe => {
                    attempts.push((now, service.clone()));
                    prop_assert!(refusals.refused(&service, now, now).is_some());
                    refusals.probed(&service);
                }
                Turn::Wait(left) => prop_assert!(left <= Duration::from_secs(300)),
                Turn::Probed => prop_assert!(false, "no probe is under way"),
            }
        }
        if let Some(second) = attempts.iter().position(|(_, service)| *service != attempts[0].1) {
            attempts.remove(second);
        }
        for (n, pair) in attempts.windows(2).enumerate() {
            let (least, gap) = (pauses().delay(u32::try_from(n).unwrap() + 1, 0.0), pair[1].0 - pair[0].0);
            prop_assert!(gap >= least, "attempt {n} after {gap:?}");
        }
    }

    #[test]
    fn however_many_services_there_are_few_are_remembered(count in 1usize..300) {
        let start = SystemClock.monotonic();
        let mut refusals = Refusals::default();
        for n in 0..count {
            refusals.worked("good", start + n as u32 * S);
            refusals.refused(&format!("s{n}"), start + n as u32 * S, start + n as u32 * S);
        }
        prop_assert!(refusals.services.len() <= SERVICES_MAX);
    }
}
