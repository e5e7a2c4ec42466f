//! The meter: each violation by itself, the window of 60 s against a plain count, and the withdrawal of
//! violations that stood only because the news that a client had left came late.

use std::time::{Duration, Instant};

use base::Clock as _;
use proptest::prelude::*;
use proto_planner::Operation;

use super::{Allowed, CallFacts, Ending, GRACE, Meter, Violation, WINDOW};

const ALLOWED: Allowed = Allowed {
    items_per_call: 3,
    calls_in_flight: 2,
    calls_per_minute: None,
    events_per_minute: None,
    window: WINDOW,
};

fn now() -> Instant {
    base::SystemClock.monotonic()
}

fn change(keys: &[(&str, &str)]) -> CallFacts {
    CallFacts {
        operation: Operation::UpdateEvents,
        items: keys.len(),
        keys: keys.iter().map(|(mail, origin)| ((*mail).to_owned(), (*origin).to_owned())).collect(),
    }
}

fn count(meter: &Meter, kind: Violation) -> u64 {
    meter.report().violations.get(&kind).copied().unwrap_or(0)
}

#[test]
fn an_orderly_client_violates_nothing() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    for round in 0..100 {
        let at = now + Duration::from_millis(round);
        let one = meter.enter(change(&[("a@x", "1"), ("a@x", "2"), ("a@x", "3")]), at);
        let two = meter.enter(change(&[("b@x", "1")]), at);
        meter.leave(one, Ending::Answered, at);
        meter.leave(two, Ending::Answered, at);
    }
    let report = meter.report();
    assert_eq!((report.violations_total, report.in_flight, report.in_flight_max), (0, 0, 2));
    assert_eq!((report.calls["UpdateEvents"], report.items["UpdateEvents"]), (200, 400));
    assert!(meter.by_key.is_empty() && meter.in_flight.is_empty(), "nothing is kept of what is over");
}

#[test]
fn too_many_items_and_mixed_mailboxes_are_counted() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    let call = meter.enter(change(&[("a@x", "1"), ("a@x", "2"), ("a@x", "3"), ("a@x", "4")]), now);
    meter.leave(call, Ending::Answered, now);
    let call = meter.enter(change(&[("a@x", "1"), ("b@x", "2")]), now);
    meter.leave(call, Ending::Answered, now);
    // Reading may ask for as many mailboxes as it likes.
    meter.enter(CallFacts { operation: Operation::GetEvents, items: 500, keys: vec![] }, now);
    assert_eq!(count(&meter, Violation::TooManyItems), 1);
    assert_eq!(count(&meter, Violation::MixedMailboxes), 1);
    let report = meter.report();
    assert_eq!(report.violations_total, 2);
    assert_eq!(report.latest_violations[0].measured, 4);
    assert_eq!((report.latest_violations[1].call, report.latest_violations[1].measured), (2, 2));
}

#[test]
fn calls_in_flight_are_counted_over_all_operations() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    let read = CallFacts { operation: Operation::GetEvents, items: 1, keys: vec![] };
    let first = meter.enter(read.clone(), now);
    meter.enter(change(&[("a@x", "1")]), now);
    meter.enter(read.clone(), now);
    assert_eq!(count(&meter, Violation::TooManyInFlight), 1);
    meter.leave(first, Ending::Answered, now);
    meter.enter(read, now);
    assert_eq!(count(&meter, Violation::TooManyInFlight), 2, "still one too many");
    assert_eq!(meter.report().in_flight_max, 3);
}

#[test]
fn two_calls_in_flight_for_one_key_are_counted_once_a_call() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    let first = meter.enter(change(&[("a@x", "1"), ("a@x", "2")]), now);
    let second = meter.enter(change(&[("a@x", "1"), ("a@x", "2"), ("a@x", "3")]), now);
    assert_eq!(count(&meter, Violation::SameKeyInFlight), 1);
    let record = meter.report().latest_violations[0].clone();
    assert_eq!((record.call, record.against, record.measured), (second, vec![first], 2));
    meter.leave(first, Ending::Answered, now);
    meter.leave(second, Ending::Answered, now);
    // The same origin id in another mailbox is another key.
    meter.enter(change(&[("a@x", "1")]), now);
    meter.enter(change(&[("b@x", "1")]), now);
    assert_eq!(count(&meter, Violation::SameKeyInFlight), 1);
}

#[test]
fn a_violation_is_withdrawn_when_its_client_had_left_shortly_before() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    let first = meter.enter(change(&[("a@x", "1")]), now);
    meter.enter(change(&[("b@x", "1")]), now);
    meter.enter(change(&[("a@x", "1")]), now);
    assert_eq!(meter.report().violations_total, 2, "the key, and three in flight");
    meter.leave(first, Ending::Abandoned, now + GRACE);
    let report = meter.report();
    assert_eq!((report.violations_total, report.abandoned_calls), (0, 1));
    assert!(report.latest_violations.iter().all(|record| record.withdrawn));
}

#[test]
fn a_violation_stands_when_the_earlier_call_was_answered_or_left_late() {
    for (ending, later) in
        [(Ending::Answered, Duration::ZERO), (Ending::Abandoned, GRACE + Duration::from_millis(1))]
    {
        let (mut meter, now) = (Meter::new(ALLOWED), now());
        let first = meter.enter(change(&[("a@x", "1")]), now);
        meter.enter(change(&[("a@x", "1")]), now);
        meter.leave(first, ending, now + later);
        assert_eq!(count(&meter, Violation::SameKeyInFlight), 1, "{ending:?}");
        assert!(!meter.report().latest_violations[0].withdrawn);
    }
}

#[test]
fn one_that_left_excuses_one_too_many_and_not_two() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    let calls: Vec<u64> = ["a", "b", "c", "d"].map(|mail| meter.enter(change(&[(mail, "1")]), now)).into();
    assert_eq!(count(&meter, Violation::TooManyInFlight), 2);
    meter.leave(calls[0], Ending::Abandoned, now);
    assert_eq!(count(&meter, Violation::TooManyInFlight), 1, "the third was alright, the fourth not yet");
    meter.leave(calls[1], Ending::Abandoned, now);
    assert_eq!(count(&meter, Violation::TooManyInFlight), 0);
}

#[test]
fn an_unknown_call_leaves_nothing_behind_and_a_reset_forgets_counts_only() {
    let (mut meter, now) = (Meter::new(ALLOWED), now());
    meter.leave(7, Ending::Abandoned, now);
    assert_eq!(meter.report(), super::MeterReport::default());
    let call = meter.enter(change(&[("a@x", "1")]), now);
    meter.receipt(0);
    meter.refused();
    meter.reset();
    assert_eq!(meter.report(), super::MeterReport { in_flight: 1, ..super::MeterReport::default() });
    meter.enter(change(&[("a@x", "1")]), now);
    assert_eq!(count(&meter, Violation::SameKeyInFlight), 1, "what is in flight is not forgotten");
    meter.leave(call, Ending::Answered, now);
}

proptest! {
    /// The running window against a count of all calls of the 60 s before each call.
    #[test]
    fn any_window_of_a_minute_is_watched(
        calls in prop::collection::vec((0..20_000_u64, 0..4_usize), 1..80),
        allowed_calls in 1..6_usize,
        allowed_events in 1..8_usize,
    ) {
        let begin = now();
        let allowed = Allowed {
            items_per_call: 100,
            calls_in_flight: 100,
            calls_per_minute: Some(allowed_calls),
            events_per_minute: Some(allowed_events),
            window: WINDOW,
        };
        let mut meter = Meter::new(allowed);
        let (mut elapsed, mut history) = (Duration::ZERO, Vec::new());
        let (mut expected_calls, mut expected_events) = (0, 0);
        for (gap, items) in calls {
            elapsed += Duration::from_millis(gap);
            history.push((elapsed, items));
            let within = || history.iter().filter(|(at, _)| elapsed - *at < WINDOW);
            expected_calls += u64::from(within().count() > allowed_calls);
            expected_events += u64::from(within().map(|(_, items)| items).sum::<usize>() > allowed_events);
            let facts = CallFacts { operation: Operation::CreateEvents, items, keys: vec![] };
            let call = meter.enter(facts, begin + elapsed);
            meter.leave(call, Ending::Answered, begin + elapsed);
        }
        prop_assert_eq!(count(&meter, Violation::TooManyCallsPerMinute), expected_calls);
        prop_assert_eq!(count(&meter, Violation::TooManyEventsPerMinute), expected_events);
    }
}
