//! Goal: each promise about the load is seen broken in a made-up log that breaks it by the least possible, and kept in
//! one that just does not.

use std::time::Duration;

use super::super::calls::tests::call;
use super::super::lives::tests::noted;
use super::*;
use crate::torture::contract::Act;

const LIMITS: Limits = Limits {
    simultaneous_calls: 2,
    events_per_call: 3,
    calls_per_window: Some(3),
    events_per_window: Some(5),
    window: Duration::from_secs(1),
};

fn measured(calls: Vec<Call>) -> Measured {
    measure(&Book { calls }, &Lives::default(), &LIMITS)
}

fn broken(calls: Vec<Call>) -> Vec<String> {
    measured(calls).violations.into_iter().map(|violation| violation.invariant).collect()
}

#[test]
fn calls_in_flight() {
    let two = || {
        vec![
            call(1, 0, Some(100), &["a"], 7),
            call(2, 50, Some(200), &["b"], 7),
            // the first has just gone
            call(3, 100, Some(150), &["c"], 7),
        ]
    };
    let kept = measured(two());
    assert_eq!((kept.violations, kept.in_flight_max), (vec![], 2));
    let mut three = two();
    three[2].came = three[0].went.unwrap() - SignedDuration::from_millis(1);
    assert_eq!(broken(three), [SIMULTANEOUS_CALLS]);
    // one that never ends counts for ever
    let endless =
        vec![call(1, 0, None, &["a"], 7), call(2, 1, None, &["b"], 7), call(3, 90_000, None, &["c"], 7)];
    assert_eq!(broken(endless), [SIMULTANEOUS_CALLS]);
}

#[test]
fn reading_counts_among_calls_and_not_among_appointments() {
    let mut calls: Vec<Call> = (0..3).map(|n| call(1 + n, 10 * n as i64, None, &[], 7)).collect();
    for call in &mut calls {
        call.operation = "GetEvents".into();
        call.items = 40;
    }
    assert_eq!(broken(calls), [SIMULTANEOUS_CALLS]);
}

#[test]
fn the_size_of_a_call() {
    assert_eq!(broken(vec![call(1, 0, Some(1), &["a", "b", "c"], 7)]), [""; 0]);
    assert_eq!(broken(vec![call(1, 0, Some(1), &["a", "b", "c", "d"], 7)]), [CALL_SIZE]);
    let mut mixed = call(1, 0, Some(1), &["a", "b"], 7);
    mixed.keys[1].0 = "somebody else".into();
    assert_eq!(broken(vec![mixed]), [CALL_SIZE]);
}

#[test]
fn calls_in_any_window() {
    let times = |times: [i64; 4]| -> Vec<Call> {
        let calls = times.into_iter().zip(1..);
        calls.map(|(ms, number)| call(number, ms, Some(ms), &["k"], 7)).collect()
    };
    // the fourth comes when the first is out of the window
    let kept = measured(times([0, 400, 999, 1_000]));
    assert_eq!((kept.violations, kept.calls_per_window_max), (vec![], 3));
    assert_eq!(broken(times([0, 400, 998, 999])), [WINDOW]);
    // a window that begins at no round time
    assert_eq!(broken(times([777, 1_000, 1_500, 1_776])), [WINDOW]);
}

#[test]
fn appointments_in_any_window() {
    let two = |third: i64| {
        vec![
            call(1, 0, Some(1), &["a", "b", "c"], 7),
            call(2, 500, Some(501), &["d", "e"], 7),
            call(3, third, Some(third + 1), &["f", "g", "h"], 7),
        ]
    };
    let kept = measured(two(1_000));
    assert_eq!((kept.violations, kept.events_per_window_max), (vec![], 5));
    assert_eq!(broken(two(999)), [WINDOW]);
    let unlimited = Limits { calls_per_window: None, events_per_window: None, ..LIMITS };
    assert_eq!(measure(&Book { calls: two(999) }, &Lives::default(), &unlimited).violations, []);
}

#[test]
fn two_calls_for_one_key() {
    let kept = vec![call(1, 0, Some(100), &["a", "b"], 7), call(2, 100, Some(200), &["b"], 8)];
    assert_eq!(broken(kept), [""; 0]);
    let met = vec![call(1, 0, Some(101), &["a", "b"], 7), call(2, 100, Some(200), &["b"], 8)];
    let found = measured(met).violations;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].invariant, ONE_CALL_PER_KEY);
    assert!(found[0].words.ends_with("was in flight for m b"), "{}", found[0].words);
    // another mailbox's key of the same name is another key
    let mut others = vec![call(1, 0, Some(101), &["a"], 7), call(2, 100, Some(200), &["a"], 8)];
    others[1].keys[0].0 = "n".into();
    assert_eq!(broken(others), [""; 0]);
}

#[test]
fn what_a_paused_process_sends_is_counted_apart() {
    let lives = Lives::of(&[
        noted(0, Act::Started { instance: 1, pid: 7 }),
        noted(95, Act::Paused { instance: 1, pid: 7 }),
        noted(400, Act::Resumed { instance: 1, pid: 7 }),
    ]);
    // process 7 had its permit at 90, slept, and sent after process 8 had taken over
    let mut late = call(2, 410, Some(500), &["a"], 7);
    late.permit.as_mut().unwrap().at = super::super::lives::tests::at(90);
    let calls = vec![call(1, 350, Some(450), &["a"], 8), late];
    let measured = measure(&Book { calls: calls.clone() }, &lives, &LIMITS);
    assert_eq!((measured.violations, measured.excused_meetings), (vec![], 1));
    // the same without the pause is no excuse
    assert_eq!(broken(calls), [ONE_CALL_PER_KEY]);
}

#[test]
fn thousands_of_violations_are_told_in_few_words() {
    let calls = (0..500).map(|n| call(n + 1, 0, None, &["a"], 7)).collect();
    let found = measured(calls).violations;
    let of_keys = found.iter().filter(|violation| violation.invariant == ONE_CALL_PER_KEY).count();
    assert_eq!(of_keys, super::super::TOLD_MAX);
    assert!(found.iter().any(|violation| violation.words.ends_with("more)")));
}
