//! Goal: a busy server silences the whole account for as long as it asked, never for less than the minimum,
//! and a flood of answers from calls in flight does not stretch that. Method: the pure gate by table and
//! property; the waiting on paused time.

use std::sync::Arc;

use base::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn policy() -> Backoff {
    Backoff::doubling(Duration::from_millis(400), Duration::from_secs(60))
}

fn throttle(clock: SharedClock, patience: Duration, calls: usize) -> Throttle {
    let calls = Arc::new(Semaphore::new(calls));
    let common = Common { clock, policy: policy(), patience, calls, moved: Arc::default() };
    Throttle::new(AccountId::new(7), common)
}

#[test]
fn the_time_that_was_asked_for_is_kept_and_zero_is_not_believed() {
    let now = SystemClock.monotonic();
    let mut gate = Gate::open(now);
    assert_eq!(gate.busy(&policy(), now, now, Some(15_000 * MS), 0.0), Some(15_000 * MS));
    assert_eq!(gate.wait(now + 5_000 * MS), 10_000 * MS);
    let mut gate = Gate::open(now);
    // the least pause: the first one with all its jitter taken off
    assert_eq!(gate.busy(&policy(), now, now, Some(Duration::ZERO), 0.0), Some(200 * MS));
}

#[test]
fn without_a_time_the_pause_doubles_with_each_new_failure() {
    let start = SystemClock.monotonic();
    let mut gate = Gate::open(start);
    let mut now = start;
    for expected in [400, 800, 1_600, 3_200] {
        assert_eq!(gate.busy(&policy(), now, now, None, 0.0), Some(expected * MS));
        now += expected * MS;
    }
    gate.worked(now);
    assert_eq!(gate.busy(&policy(), now, now, None, 0.0), Some(400 * MS));
}

#[test]
fn calls_in_flight_when_the_gate_closed_count_once() {
    let now = SystemClock.monotonic();
    let mut gate = Gate::open(now);
    assert!(gate.busy(&policy(), now, now, None, 0.0).is_some());
    for _ in 0..50 {
        assert_eq!(gate.busy(&policy(), now, now + MS, None, 0.0), None);
    }
    assert_eq!(gate.wait(now), 400 * MS);
    // but a longer time asked for is kept
    assert_eq!(gate.busy(&policy(), now, now + MS, Some(9_000 * MS), 0.0), Some(9_000 * MS));
    // and a late good answer of an old call does not open it
    gate.worked(now);
    assert!(!gate.wait(now + MS).is_zero());
}

proptest! {
    #[test]
    fn the_gate_never_stays_closed_longer_than_asked_or_the_cap(
        answers in proptest::collection::vec((0u64..5_000, proptest::option::of(0u64..100_000), 0.0f64..1.0), 1..60)
    ) {
        let mut now = SystemClock.monotonic();
        let mut gate = Gate::open(now);
        for (pause_ms, asked_ms, random) in answers {
            now += Duration::from_millis(pause_ms);
            let asked = asked_ms.map(Duration::from_millis);
            let sent = now;
            let before = gate.wait(now);
            gate.busy(&policy(), sent, now, asked, random);
            let longest = before.max(asked.unwrap_or(policy().cap())).max(200 * MS);
            prop_assert!(gate.wait(now) <= longest);
            prop_assert!(gate.wait(now) >= before, "a busy answer never opens the gate");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_waits_and_gives_up_at_its_patience() {
    let clock: SharedClock = Arc::new(SystemClock);
    let throttle = throttle(clock.clone(), Duration::from_secs(10), 2);
    let start = throttle.now();
    throttle.busy(start, Some(Duration::from_secs(8)));
    drop(throttle.pass().await.unwrap());
    assert!(throttle.now() - start >= Duration::from_secs(8));

    throttle.busy(throttle.now(), Some(Duration::from_secs(300)));
    let given_up = throttle.pass_stream().await.unwrap_err();
    assert_eq!(given_up.left, Duration::from_secs(300));
    assert!(matches!(throttle.pass().await, Err(StillClosed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_while_all_ordinary_calls_are_taken() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(1), 1);
    let _ordinary = throttle.pass().await.unwrap();
    let began = clock.monotonic();
    for _ in 0..50 {
        throttle.pass_stream().await.unwrap();
    }
    assert_eq!(clock.monotonic(), began, "no stream waited for a call");
    assert!(tokio::time::timeout(Duration::from_secs(60), throttle.pass()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_at_one_time_than_allowed() {
    let throttle = throttle(SystemClock::shared(), Duration::from_secs(1), 2);
    let first = throttle.pass().await.unwrap();
    let _second = throttle.pass().await.unwrap();
    let third = tokio::time::timeout(Duration::from_secs(60), throttle.pass());
    assert!(third.await.is_err(), "the third waits");
    drop(first);
    assert!(throttle.pass().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refused_logon_is_tried_seldom_and_ever_more_seldom() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(3_600), 4);
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        let begin = clock.monotonic();
        throttle.refused(begin);
        // others that were under way say nothing new
        throttle.refused(begin);
        drop(throttle.pass().await.unwrap());
        assert_eq!((clock.monotonic() - begin).as_secs(), seconds);
    }
    throttle.worked(clock.monotonic());
    let begin = clock.monotonic();
    throttle.refused(begin);
    drop(throttle.pass().await.unwrap());
    assert_eq!((clock.monotonic() - begin).as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_another_user_of_the_account_was_told_holds_here_too_and_never_shortens() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(3_600), 4);
    let moved = throttle.common.moved.subscribe();
    throttle.hold(Duration::from_secs(9), 3, Reason::Busy);
    let waits = throttle.back_off().unwrap();
    assert_eq!((waits.account, waits.failures, waits.reason), (AccountId::new(7), 3, Reason::Busy));
    throttle.hold(Duration::from_secs(1), 8, Reason::Refused);
    assert_eq!(throttle.back_off().unwrap().failures, 3, "a shorter wait says nothing");
    assert!(!moved.has_changed().unwrap(), "what others told is not told again");
    let begin = clock.monotonic();
    drop(throttle.pass().await.unwrap());
    assert_eq!((clock.monotonic() - begin).as_secs(), 9);
    assert_eq!(throttle.back_off(), None);
    // the failures before count on
    throttle.busy(throttle.now(), None);
    assert_eq!(throttle.back_off().unwrap().failures, 4);
    assert!(moved.has_changed().unwrap());
    throttle.refused(throttle.now() + Duration::from_secs(60));
    assert_eq!(throttle.back_off().unwrap().reason, Reason::Refused);
}
