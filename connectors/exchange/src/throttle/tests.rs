//! Goal: a busy server silences the whole account for as long as it asked, never for less than the minimum,
//! and a flood of answers from calls in flight does not stretch that. Method: the pure gate by table and
//! property; the waiting on paused time.

use std::sync::Arc;

use base::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;

/// The service that is called.
const HERE: &str = "https://mail.sim.test";
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
    drop(throttle.pass(HERE).await.unwrap());
    assert!(throttle.now() - start >= Duration::from_secs(8));

    throttle.busy(throttle.now(), Some(Duration::from_secs(300)));
    let given_up = throttle.pass_stream(HERE).await.unwrap_err();
    assert_eq!(given_up.left, Duration::from_secs(300));
    assert!(matches!(throttle.pass(HERE).await, Err(StillClosed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_while_all_ordinary_calls_are_taken() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(1), 1);
    let _ordinary = throttle.pass(HERE).await.unwrap();
    let began = clock.monotonic();
    for _ in 0..50 {
        throttle.pass_stream(HERE).await.unwrap();
    }
    assert_eq!(clock.monotonic(), began, "no stream waited for a call");
    assert!(tokio::time::timeout(Duration::from_secs(60), throttle.pass(HERE)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_at_one_time_than_allowed() {
    let throttle = throttle(SystemClock::shared(), Duration::from_secs(1), 2);
    let first = throttle.pass(HERE).await.unwrap();
    let _second = throttle.pass(HERE).await.unwrap();
    let third = tokio::time::timeout(Duration::from_secs(60), throttle.pass(HERE));
    assert!(third.await.is_err(), "the third waits");
    drop(first);
    assert!(throttle.pass(HERE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refused_logon_is_tried_seldom_and_ever_more_seldom() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(3_600), 4);
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        let begin = clock.monotonic();
        throttle.refused(HERE, begin);
        // others that were under way say nothing new
        throttle.refused(HERE, begin);
        drop(throttle.pass(HERE).await.unwrap());
        assert_eq!((clock.monotonic() - begin).as_secs(), seconds);
    }
    throttle.worked(HERE, clock.monotonic());
    let begin = clock.monotonic();
    throttle.refused(HERE, begin);
    drop(throttle.pass(HERE).await.unwrap());
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
    drop(throttle.pass(HERE).await.unwrap());
    assert_eq!((clock.monotonic() - begin).as_secs(), 9);
    assert_eq!(throttle.back_off(), None);
    // the failures before count on
    throttle.busy(throttle.now(), None);
    assert_eq!(throttle.back_off().unwrap().failures, 4);
    assert!(moved.has_changed().unwrap());
    let busy = throttle.back_off();
    throttle.refused(HERE, throttle.now() + Duration::from_secs(60));
    assert_eq!(throttle.back_off(), busy, "a refusal is a matter of the service that said it");
    assert_eq!(throttle.refused_at()[0].service, HERE);
}

#[tokio::test(start_paused = true)]
async fn when_a_pause_ends_one_call_finds_out_and_the_others_go_by_that() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(60), 10);
    let elsewhere = "https://elsewhere.sim.test";
    throttle.worked(elsewhere, clock.monotonic());
    throttle.refused(HERE, clock.monotonic());
    let probe = throttle.pass(HERE).await.unwrap();
    let probed_at = clock.monotonic();
    // others wait for it, and for it alone
    drop(throttle.pass(elsewhere).await.unwrap());
    let others = async {
        let (one, other) = tokio::join!(throttle.pass(HERE), throttle.pass_stream(HERE));
        drop((one.unwrap(), other.unwrap()));
        clock.monotonic()
    };
    let found_out = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        throttle.worked(HERE, probed_at);
        drop(probe);
        clock.monotonic()
    };
    let (went, found_out) = tokio::join!(others, found_out);
    assert_eq!(went, found_out, "as soon as it was known");
    // and when it is refused again, nobody else is sent
    throttle.refused(HERE, clock.monotonic());
    let probe = throttle.pass(HERE).await.unwrap();
    throttle.refused(HERE, clock.monotonic());
    drop(probe);
    let began = clock.monotonic();
    drop(throttle.pass(HERE).await.unwrap());
    assert_eq!((clock.monotonic() - began).as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_without_end_for_a_probe() {
    let clock = SystemClock::shared();
    let throttle = throttle(clock.clone(), Duration::from_secs(10), 10);
    throttle.refused(HERE, clock.monotonic());
    let _probe = throttle.pass(HERE).await.unwrap();
    assert_eq!(throttle.pass(HERE).await.unwrap_err(), StillClosed { left: PROBE_AGAIN });
}
