//! Goal: one fetch at a time, repeated with growing pauses until one succeeds, and a wish during a fetch is
//! not lost.

use base::{Clock as _, SystemClock};

use super::*;

#[test]
fn fetches_again_until_it_works_once() {
    let second = Duration::from_secs(1);
    let mut policy = Policy::new(Backoff::try_new(second, 2.0, 60 * second, 0.0).unwrap());
    let now = SystemClock.monotonic();
    assert_eq!(policy.on(Event::Timer, now, 0.0), None);
    assert_eq!(policy.on(Event::Wanted, now, 0.0), Some(Directive::Fetch));
    assert_eq!(policy.on(Event::Failed, now, 0.0), Some(Directive::WakeAfter(second)));
    assert_eq!(policy.on(Event::Timer, now + second, 0.0), Some(Directive::Fetch));
    assert_eq!(policy.on(Event::Failed, now + second, 0.0), Some(Directive::WakeAfter(2 * second)));
    // a timer that comes too early waits for the rest
    assert_eq!(policy.on(Event::Timer, now + 2 * second, 0.0), Some(Directive::WakeAfter(second)));
    assert_eq!(policy.on(Event::Wanted, now + 2 * second, 0.0), Some(Directive::Fetch), "somebody asks");
    assert_eq!(policy.on(Event::Fetched, now, 0.0), None);
    assert_eq!(policy.on(Event::Timer, now, 0.0), None);
}

#[test]
fn a_wish_during_a_fetch_is_not_lost() {
    let mut policy = Policy::new(Backoff::doubling(Duration::from_secs(1), Duration::from_secs(2)));
    let now = SystemClock.monotonic();
    assert_eq!(policy.on(Event::Wanted, now, 0.0), Some(Directive::Fetch));
    assert_eq!(policy.on(Event::Wanted, now, 0.0), None);
    assert_eq!(policy.on(Event::Fetched, now, 0.0), Some(Directive::Fetch));
}
