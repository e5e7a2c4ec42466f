//! Goal: bounded calls, never asleep while something is due, an outage pauses all, and mailboxes without a
//! usable answer are told apart.

use base::{Clock as _, SystemClock};
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn started(calls: usize) -> (Policy, Instant) {
    let retry = Backoff::try_new(SECOND, 2.0, 60 * SECOND, 0.0).unwrap();
    let mut policy = Policy::new(Limits { calls, mailboxes: 5, interval: 10 * SECOND, retry });
    let now = SystemClock.monotonic();
    assert_eq!(policy.on(Event::News, now, 0.0), LOOK);
    (policy, now)
}

const LOOK: Option<Directive> = Some(Directive::Look { mailboxes: 5 });

#[test]
fn runs_as_many_calls_as_allowed_and_sleeps_until_the_next_is_due() {
    let (mut policy, now) = started(2);
    assert_eq!(policy.on(Event::Looked(Look::Begun), now, 0.0), LOOK);
    assert_eq!(policy.on(Event::Looked(Look::Begun), now, 0.0), None);
    assert_eq!(policy.on(Event::Ended(Ended::Done), now, 0.0), LOOK);
    let wake = |after| Some(Directive::WakeAt(now + after));
    assert_eq!(policy.on(Event::Looked(Look::Nothing(Some(3 * SECOND))), now, 0.0), wake(3 * SECOND));
    assert_eq!(policy.on(Event::Timer, now + SECOND, 0.0), wake(3 * SECOND));
    assert_eq!(policy.on(Event::Timer, now + 3 * SECOND, 0.0), LOOK);
    assert_eq!(policy.on(Event::Looked(Look::Nothing(None)), now, 0.0), wake(10 * SECOND));
}

#[test]
fn an_outage_pauses_all_and_is_tried_by_one_call() {
    let (mut policy, now) = started(3);
    policy.on(Event::Looked(Look::Begun), now, 0.0);
    policy.on(Event::Looked(Look::Nothing(None)), now, 0.0);
    let wake = |after| Some(Directive::WakeAt(now + after));
    assert_eq!(policy.on(Event::Ended(Ended::Outage), now, 0.0), wake(SECOND));
    assert_eq!(policy.on(Event::News, now, 0.0), wake(SECOND));
    let later = now + SECOND;
    assert_eq!(policy.on(Event::Timer, later, 0.0), LOOK);
    assert_eq!(policy.on(Event::Looked(Look::Begun), later, 0.0), None);
    assert_eq!(policy.on(Event::Ended(Ended::Done), later, 0.0), LOOK);
    assert_eq!(policy.on(Event::Looked(Look::Begun), later, 0.0), LOOK);
}

#[test]
fn after_an_unusable_answer_mailboxes_are_asked_for_one_by_one() {
    let (mut policy, now) = started(1);
    let one = Some(Directive::Look { mailboxes: 1 });
    policy.on(Event::Looked(Look::Begun), now, 0.0);
    assert_eq!(policy.on(Event::Ended(Ended::PutOff), now, 0.0), one);
    for _ in 0..ONE_BY_ONE - 1 {
        policy.on(Event::Looked(Look::Begun), now, 0.0);
        assert_eq!(policy.on(Event::Ended(Ended::Done), now, 0.0), one);
    }
    policy.on(Event::Looked(Look::Begun), now, 0.0);
    assert_eq!(policy.on(Event::Ended(Ended::Done), now, 0.0), LOOK);
}

proptest! {
    #[test]
    fn in_any_environment(calls in 1usize..4, steps in prop::collection::vec((0u8..3, 0u8..3, 0u64..30), 0..200)) {
        let (mut policy, mut now) = started(calls);
        let (mut looking, mut running, mut timer) = (true, 0usize, false);
        for (what, which, seconds) in steps {
            now += Duration::from_secs(seconds);
            let event = match what {
                0 if looking => {
                    looking = false;
                    let look = [Look::Begun, Look::Nothing(None), Look::Failed][usize::from(which)];
                    running += usize::from(look == Look::Begun);
                    Event::Looked(look)
                }
                1 if running > 0 => {
                    running -= 1;
                    Event::Ended([Ended::Done, Ended::Outage, Ended::PutOff][usize::from(which)])
                }
                2 => if which == 0 { Event::News } else { Event::Timer },
                _ => continue,
            };
            match policy.on(event, now, 0.5) {
                Some(Directive::Look { mailboxes }) => {
                    prop_assert!(!looking && running < calls && (1..=5).contains(&mailboxes));
                    looking = true;
                }
                Some(Directive::WakeAt(at)) => {
                    prop_assert!(at > now);
                    timer = true;
                }
                None => {}
            }
            prop_assert!(running <= calls);
            prop_assert!(looking || running > 0 || timer, "asleep for ever");
        }
    }
}
