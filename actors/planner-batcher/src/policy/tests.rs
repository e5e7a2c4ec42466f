//! Goal: never more calls in flight than allowed, never two looks at once, never asleep while something is
//! to be done, one call at a time while Planner fails, and an end only when nothing is in flight. Method:
//! a table of stories, and a random environment that obeys the directives.

use base::{Clock as _, SystemClock};
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits(simultaneous_calls: usize) -> Limits {
    Limits {
        simultaneous_calls,
        max_events_per_call: 20,
        update_interval: 20 * SECOND,
        retry: Backoff::try_new(SECOND, 2.0, 60 * SECOND, 0.0).unwrap(),
    }
}

fn started(calls: usize) -> (Policy, Instant) {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(limits(calls));
    assert_eq!(policy.on(Event::News, now, 0.0), [Directive::Look { fresh: true, size: 20 }]);
    (policy, now)
}

const LOOK: Directive = Directive::Look { fresh: false, size: 20 };
const FRESH: Directive = Directive::Look { fresh: true, size: 20 };
const FAILED: Event = Event::Ended(Ended::Failed { known: CallOutcome::Failed, timed_out: false });
const UNKNOWN: Event = Event::Ended(Ended::Failed { known: CallOutcome::Unknown, timed_out: true });

#[test]
fn looks_on_while_there_is_work_and_room() {
    let (mut policy, now) = started(2);
    assert_eq!(policy.on(Event::Looked(Look::Reserved), now, 0.0), [LOOK]);
    assert_eq!(policy.on(Event::Looked(Look::Reserved), now, 0.0), []);
    assert_eq!(policy.in_flight(), 2);
    // no room: the end of a batch makes some
    assert_eq!(policy.on(Event::News, now, 0.0), []);
    assert_eq!(policy.on(Event::Ended(Ended::Answered), now, 0.0), [FRESH]);
}

#[test]
fn sleeps_until_something_is_due_and_at_most_the_interval() {
    let (mut policy, now) = started(1);
    let nothing = |due| Event::Looked(Look::Nothing { due });
    assert_eq!(policy.on(nothing(Some(3 * SECOND)), now, 0.0), [Directive::WakeAt(now + 3 * SECOND)]);
    // a timer that comes too early is asked for again
    assert_eq!(policy.on(Event::Timer, now + 2 * SECOND, 0.0), [Directive::WakeAt(now + 3 * SECOND)]);
    assert_eq!(policy.on(Event::Timer, now + 3 * SECOND, 0.0), [LOOK]);
    assert_eq!(policy.on(nothing(None), now, 0.0), [Directive::WakeAt(now + 20 * SECOND)]);
    assert_eq!(policy.on(Event::News, now, 0.0), [FRESH]);
    assert_eq!(policy.on(Event::Looked(Look::NoRoom(SECOND)), now, 0.0), [Directive::WakeAt(now + SECOND)]);
}

#[test]
fn news_during_a_look_is_not_lost() {
    let (mut policy, now) = started(1);
    assert_eq!(policy.on(Event::News, now, 0.0), []);
    assert_eq!(policy.on(Event::Looked(Look::Nothing { due: None }), now, 0.0), [FRESH]);
}

#[test]
fn an_outage_pauses_all_and_is_tried_by_one_call() {
    let (mut policy, now) = started(3);
    policy.on(Event::Looked(Look::Reserved), now, 0.0);
    policy.on(Event::Looked(Look::Reserved), now, 0.0);
    policy.on(Event::Looked(Look::Nothing { due: None }), now, 0.0);
    let pause = |seconds| Directive::Paused(seconds * SECOND);
    // the second call is still in flight: nothing to wait for but its end
    assert_eq!(policy.on(FAILED, now, 0.0), [pause(1)]);
    assert_eq!(policy.on(FAILED, now, 0.0), [pause(2), Directive::WakeAt(now + 2 * SECOND)]);
    assert_eq!(policy.on(Event::News, now, 0.0), [Directive::WakeAt(now + 2 * SECOND)]);
    let later = now + 2 * SECOND;
    assert_eq!(policy.on(Event::Timer, later, 0.0), [FRESH]);
    assert_eq!(policy.on(Event::Looked(Look::Reserved), later, 0.0), [], "one call tries");
    let resumed = policy.on(Event::Ended(Ended::Answered), later, 0.0);
    assert_eq!(resumed, [Directive::Resumed, LOOK]);
    assert_eq!(policy.on(Event::Looked(Look::Reserved), later, 0.0), [LOOK], "then all do");
}

#[test]
fn one_unknown_outcome_pauses_nobody_repeated_ones_do_and_make_batches_smaller() {
    let (mut policy, now) = started(1);
    policy.on(Event::Looked(Look::Reserved), now, 0.0);
    assert_eq!(policy.on(UNKNOWN, now, 0.0), [LOOK]);
    policy.on(Event::Looked(Look::Reserved), now, 0.0);
    let directives = policy.on(UNKNOWN, now, 0.0);
    let wake = Directive::WakeAt(now + SECOND);
    assert_eq!(directives, [Directive::Smaller(10), Directive::Paused(SECOND), wake]);
    assert_eq!(policy.batch_size(), 10);
}

#[test]
fn ends_when_nothing_is_in_flight() {
    let (mut policy, now) = started(2);
    policy.on(Event::Looked(Look::Reserved), now, 0.0);
    assert_eq!(policy.on(Event::Stop, now, 0.0), []);
    // the look that was under way still reserves a call: it is made
    assert_eq!(policy.on(Event::Looked(Look::Reserved), now, 0.0), []);
    assert_eq!(policy.on(FAILED, now, 0.0), [Directive::Paused(SECOND)]);
    assert_eq!(policy.on(Event::Ended(Ended::Answered), now, 0.0), [Directive::Resumed, Directive::Finished]);
}

#[derive(Debug, Clone)]
enum Step {
    News,
    Wait(u64),
    Look(u8),
    End(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::News),
        (0u64..40).prop_map(Step::Wait),
        (0u8..5).prop_map(Step::Look),
        (0u8..5).prop_map(Step::End),
    ]
}

proptest! {
    #[test]
    fn in_any_environment(calls in 1usize..5, steps in prop::collection::vec(step(), 0..200), stop in any::<bool>()) {
        let mut now = SystemClock.monotonic();
        let mut policy = Policy::new(limits(calls));
        let (mut looking, mut in_flight, mut timer) = (false, 0usize, None);
        let mut finished = false;
        let mut directives = policy.on(Event::News, now, 0.5);
        let ends = if stop { vec![Event::Stop] } else { vec![] };
        let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
        steps.push(None);
        for step in steps {
            for directive in std::mem::take(&mut directives) {
                match directive {
                    Directive::Look { size, .. } => {
                        prop_assert!(!looking && !finished, "two looks at once");
                        prop_assert!(in_flight < calls && (1..=20).contains(&size));
                        looking = true;
                        timer = None;
                    }
                    Directive::WakeAt(at) => timer = Some(at),
                    Directive::Finished => finished = true,
                    Directive::Smaller(_) | Directive::Paused(_) | Directive::Resumed => {}
                }
            }
            prop_assert!(looking || in_flight > 0 || timer.is_some() || finished, "asleep for ever");
            prop_assert!(in_flight <= calls);
            let event = match step {
                None => match ends.first() { Some(event) => *event, None => break },
                Some(Step::News) => Event::News,
                Some(Step::Wait(seconds)) => {
                    now += Duration::from_secs(seconds);
                    Event::Timer
                }
                Some(Step::Look(which)) if looking => {
                    looking = false;
                    let look = [Look::Reserved, Look::Nothing { due: None }, Look::NoRoom(SECOND), Look::Unfinished,
                                Look::Failed][usize::from(which)];
                    in_flight += usize::from(look == Look::Reserved);
                    Event::Looked(look)
                }
                Some(Step::End(which)) if in_flight > 0 => {
                    in_flight -= 1;
                    let known = |known, timed_out| Ended::Failed { known, timed_out };
                    Event::Ended([Ended::Answered, known(CallOutcome::Failed, false), Ended::Lost,
                                  known(CallOutcome::Unknown, true), Ended::Unsendable][usize::from(which)])
                }
                Some(_) => continue,
            };
            directives = policy.on(event, now, 0.5);
        }
        if stop {
            prop_assert_eq!(directives.contains(&Directive::Finished), !looking && in_flight == 0);
        }
    }
}
