//! Goal: MS-1 to MS-5 hold for every sequence of events. Method: the usual walks as tables; a model that
//! performs the directives in any order with random outcomes and checks the invariants after each step.

use std::collections::BTreeSet;

use base::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;

fn options() -> SubscriberOptions {
    SubscriberOptions::default()
}

fn folder() -> FolderId {
    FolderId::new("cal")
}

fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        code: "Code".into(),
        description: "words".into(),
        after: None,
        outage: kind == FailureKind::Passing,
    }
}

fn live(policy: &mut Policy, now: Instant) {
    policy.on(Input::Begin, now, 0.0, &options());
    policy.on(Input::Checked(Ok(folder())), now, 0.0, &options());
    policy.on(Input::Subscribed(Ok(SubscriptionId::new("s1"))), now, 0.0, &options());
}

#[test]
fn the_order_is_check_subscribe_listen_and_catch_up() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(Some(SubscriptionId::new("of a former process")));
    assert_eq!(policy.on(Input::Begin, now, 0.0, &options()), [Directive::Check]);
    assert_eq!(
        policy.on(Input::Checked(Ok(folder())), now, 0.0, &options()),
        [Directive::Subscribe { replaces: Some(SubscriptionId::new("of a former process")) }]
    );
    let id = SubscriptionId::new("s1");
    assert_eq!(
        policy.on(Input::Subscribed(Ok(id.clone())), now, 0.0, &options()),
        [Directive::TellLive(id, folder()), Directive::CatchUp { delay: Duration::ZERO }]
    );
    assert_eq!(policy.on(Input::CaughtUp(Ok(())), now, 0.0, &options()), [Directive::RecordSuccess]);
    assert_eq!(policy.on(Input::Timer, now, 0.0, &options()), [], "a quiet mailbox has nothing to do");
}

/// What a former process left behind stayed behind when the first try to replace it failed (torture, gentle seed 139 at a
/// load of 37).
#[test]
fn what_was_left_behind_is_replaced_by_the_first_try_that_succeeds() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(Some(SubscriptionId::new("of a former process")));
    policy.on(Input::Begin, now, 0.0, &options());
    let subscribe = [Directive::Subscribe { replaces: Some(SubscriptionId::new("of a former process")) }];
    for _ in 0..3 {
        assert_eq!(policy.on(Input::Checked(Ok(folder())), now, 0.0, &options()), subscribe);
        policy.on(Input::Subscribed(Err(failure(FailureKind::Passing))), now, 0.0, &options());
        policy.on(Input::Timer, now, 0.0, &options());
    }
}

#[test]
fn a_gap_while_catching_up_makes_another_catch_up_and_gaps_do_not_pile_up() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    live(&mut policy, now);
    for _ in 0..5 {
        assert_eq!(policy.on(Input::Gap { spread: true }, now, 0.5, &options()), []);
    }
    assert_eq!(
        policy.on(Input::CaughtUp(Ok(())), now, 0.0, &options()),
        [Directive::RecordSuccess, Directive::CatchUp { delay: Duration::ZERO }]
    );
    assert_eq!(policy.on(Input::CaughtUp(Ok(())), now, 0.0, &options()), []);
    assert_eq!(
        policy.on(Input::Gap { spread: true }, now, 0.5, &options()),
        [Directive::CatchUp { delay: options().catch_up_jitter.mul_f64(0.5) }]
    );
}

#[test]
fn an_outage_is_retried_soon_and_recorded_only_when_it_lasts() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    policy.on(Input::Begin, now, 0.0, &options());
    let mut recorded = Vec::new();
    for _ in 0..4 {
        let directives = policy.on(Input::Checked(Err(failure(FailureKind::Passing))), now, 0.0, &options());
        assert_eq!(directives[0], Directive::TellDown { own_fault: false });
        recorded.push(directives.iter().any(|d| matches!(d, Directive::RecordFailure { .. })));
        assert!(
            matches!(directives.last(), Some(Directive::Timer(delay)) if *delay <= options().retry.cap())
        );
        assert_eq!(policy.on(Input::Timer, now, 0.0, &options()), [Directive::Check]);
    }
    assert_eq!(recorded, [false, false, true, true]);
}

#[test]
fn a_mailbox_at_fault_is_recorded_at_once_and_parked() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    policy.on(Input::Begin, now, 0.0, &options());
    let directives = policy.on(Input::Checked(Err(failure(FailureKind::Own))), now, 0.0, &options());
    let minute = Duration::from_secs(60);
    assert_eq!(
        directives,
        [
            Directive::TellDown { own_fault: true },
            Directive::RecordFailure {
                failure: failure(FailureKind::Own),
                retry_after: minute,
                step: Step::Check
            },
            Directive::Timer(minute)
        ]
    );
    // events about it in the meantime change nothing
    assert_eq!(policy.on(Input::SubscriptionLost, now, 0.0, &options()), []);
    assert_eq!(policy.on(Input::Gap { spread: false }, now, 0.0, &options()), []);
}

/// Regression: who gave the rights back and asked for a rediscovery waited an hour for the pause to end.
#[test]
fn a_mailbox_that_waits_is_tried_at_once_when_somebody_asks() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    policy.on(Input::Begin, now, 0.0, &options());
    assert_eq!(policy.on(Input::TryNow, now, 0.0, &options()), [], "it is being tried");
    policy.on(Input::Checked(Err(failure(FailureKind::Own))), now, 0.0, &options());
    assert_eq!(policy.on(Input::TryNow, now, 0.0, &options()), [Directive::Check]);
    assert_eq!(policy.on(Input::TryNow, now, 0.0, &options()), []);
    assert_eq!(policy.on(Input::Timer, now, 0.0, &options()), [], "the timer of before is out of date");
    policy.on(Input::Checked(Ok(folder())), now, 0.0, &options());
    policy.on(Input::Subscribed(Ok(SubscriptionId::new("s1"))), now, 0.0, &options());
    // a catch-up that waits
    policy.on(Input::CaughtUp(Err(failure(FailureKind::Passing))), now, 0.0, &options());
    let at_once = [Directive::CatchUp { delay: Duration::ZERO }];
    assert_eq!(policy.on(Input::TryNow, now, 0.0, &options()), at_once);
    assert_eq!(policy.on(Input::CaughtUp(Ok(())), now, 0.0, &options()), [Directive::RecordSuccess]);
    // a row that says otherwise all the same is put right
    assert_eq!(policy.on(Input::TryNow, now, 0.0, &options()), at_once);
    assert_eq!(policy.on(Input::CaughtUp(Ok(())), now, 0.0, &options()), [Directive::RecordSuccess]);
}

/// Regression: each time that somebody asked in vain doubled the pause until the next try by itself.
#[test]
fn who_asks_in_vain_does_not_lengthen_the_pause() {
    let now = SystemClock.monotonic();
    let pause = |directives: Vec<Directive>| {
        directives.into_iter().find_map(|directive| match directive {
            Directive::Timer(pause) => Some(pause),
            _ => None,
        })
    };
    let mut policy = Policy::new(None);
    policy.on(Input::Begin, now, 0.0, &options());
    let fail = |policy: &mut Policy| {
        pause(policy.on(Input::Checked(Err(failure(FailureKind::Own))), now, 0.0, &options()))
    };
    let first = fail(&mut policy);
    assert!(first.is_some());
    for _ in 0..3 {
        policy.on(Input::TryNow, now, 0.0, &options());
        assert_eq!(fail(&mut policy), first);
    }
    policy.on(Input::Timer, now, 0.0, &options());
    assert!(fail(&mut policy) > first, "a try by itself counts");
}

#[test]
fn the_time_that_the_server_asked_for_is_the_least_pause() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    policy.on(Input::Begin, now, 0.0, &options());
    let busy = Failure { after: Some(Duration::from_secs(297)), ..failure(FailureKind::Passing) };
    let directives = policy.on(Input::Checked(Err(busy)), now, 0.9, &options());
    assert_eq!(directives.last(), Some(&Directive::Timer(Duration::from_secs(297))));
}

#[test]
fn a_moved_mailbox_is_located_anew() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    live(&mut policy, now);
    let directives = policy.on(Input::CaughtUp(Err(failure(FailureKind::Moved))), now, 0.0, &options());
    assert!(directives.contains(&Directive::DoubtLocation), "{directives:?}");
    assert!(directives.contains(&Directive::TellDown { own_fault: true }));
    assert!(!policy.is_live());
}

#[test]
fn a_moved_mailbox_keeps_its_location_where_nobody_would_find_another() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    live(&mut policy, now);
    let options = SubscriberOptions { locates_anew: false, ..options() };
    let directives = policy.on(Input::CaughtUp(Err(failure(FailureKind::Moved))), now, 0.0, &options);
    assert!(!directives.contains(&Directive::DoubtLocation), "{directives:?}");
    assert!(directives.iter().any(|one| matches!(one, Directive::RecordFailure { .. })), "{directives:?}");
}

#[test]
fn an_unknown_failure_gets_few_tries_then_is_parked() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    live(&mut policy, now);
    for _ in 0..options().few_tries {
        let directives = policy.on(Input::CaughtUp(Err(failure(FailureKind::Unknown))), now, 0.0, &options());
        assert!(matches!(directives.last(), Some(Directive::Timer(_))));
        assert!(policy.is_live(), "it is still listened to");
        assert_eq!(
            policy.on(Input::Timer, now, 0.0, &options()),
            [Directive::CatchUp { delay: Duration::ZERO }]
        );
    }
    policy.on(Input::CaughtUp(Err(failure(FailureKind::Unknown))), now, 0.0, &options());
    assert!(!policy.is_live());
}

#[test]
fn a_lost_subscription_is_made_anew_at_once_but_not_again_and_again() {
    let start = SystemClock.monotonic();
    let mut policy = Policy::new(None);
    live(&mut policy, start);
    policy.on(Input::CaughtUp(Ok(())), start, 0.0, &options());
    let later = start + options().sound_after;
    let anew = [Directive::Subscribe { replaces: None }];
    assert_eq!(policy.on(Input::SubscriptionLost, later, 0.0, &options()), anew);
    let directives = policy.on(Input::Subscribed(Ok(SubscriptionId::new("s2"))), later, 0.0, &options());
    assert_eq!(directives[1], Directive::CatchUp { delay: Duration::ZERO }, "the gap before it (MS-2)");
    // dies young, again and again
    let first = policy.on(Input::SubscriptionLost, later, 0.0, &options());
    assert_eq!(first, [Directive::Timer(Duration::from_millis(500))]);
    assert_eq!(policy.on(Input::Timer, later, 0.0, &options()), [Directive::Check]);
    // and once it has lived long enough it is trusted again
    policy.on(Input::Checked(Ok(folder())), later, 0.0, &options());
    policy.on(Input::Subscribed(Ok(SubscriptionId::new("s3"))), later, 0.0, &options());
    let sound = later + options().sound_after;
    assert_eq!(policy.on(Input::SubscriptionLost, sound, 0.0, &options()), anew);
}

#[test]
fn every_class_of_the_source_has_its_treatment() {
    use SourceErrorKind as K;
    for (kind, expected) in [
        (K::Unavailable, FailureKind::Passing),
        (K::BadAnswer, FailureKind::Passing),
        (K::Credentials, FailureKind::Passing),
        (K::Missed, FailureKind::Passing),
        (K::SyncStateRejected, FailureKind::Passing),
        (K::TooMuch, FailureKind::Passing),
        (K::Rediscover, FailureKind::Moved),
        // ErrorProxyRequestNotAllowed as the answer to Subscribe: served elsewhere
        (K::Resubscribe, FailureKind::Moved),
        (K::Mailbox, FailureKind::Own),
        (K::OwnBug, FailureKind::Own),
        (K::Gone, FailureKind::Own),
        (K::Unknown, FailureKind::Unknown),
    ] {
        let error =
            SourceError { operation: "GetFolder", kind, code: "C".into(), text: "T".into(), after: None };
        assert_eq!(Failure::from(&error).kind, expected, "{kind:?}");
    }
}

/// Performs directives as the actor does and keeps what is under way.
#[derive(Debug, Default)]
struct World {
    checking: u32,
    subscribing: u32,
    catching_up: u32,
    timer: bool,
    told_live: bool,
    subscriptions: u32,
    /// Gaps and new subscriptions that no catch-up that began later has covered.
    uncovered: bool,
    row_in_error: bool,
    /// What the server has.
    there: BTreeSet<SubscriptionId>,
    replaces: Option<SubscriptionId>,
}

impl World {
    fn perform(&mut self, directives: Vec<Directive>) {
        for directive in directives {
            match directive {
                Directive::Check => self.checking += 1,
                Directive::Subscribe { replaces } => {
                    self.subscribing += 1;
                    self.replaces = replaces;
                }
                Directive::CatchUp { .. } => {
                    self.catching_up += 1;
                    self.uncovered = false;
                }
                Directive::TellLive(..) => self.told_live = true,
                Directive::TellDown { .. } => self.told_live = false,
                Directive::RecordFailure { .. } => self.row_in_error = true,
                Directive::RecordSuccess => self.row_in_error = false,
                Directive::DoubtLocation => {}
                Directive::Timer(delay) => {
                    assert!(delay > Duration::ZERO, "a loop without a pause");
                    self.timer = true;
                }
            }
        }
    }

    fn check(&self, policy: &Policy) {
        assert!(self.checking + self.subscribing <= 1 && self.catching_up <= 1, "MS-1 {self:?}");
        let idle = self.checking + self.subscribing + self.catching_up == 0;
        if policy.is_live() && idle && !self.timer {
            assert!(!self.uncovered, "MS-2 {self:?} {policy:?}");
            assert!(!self.row_in_error, "MS-4 {self:?} {policy:?}");
        }
        assert!(self.there.len() <= 1, "MS-5 {self:?} {policy:?}");
        if idle && !policy.is_live() {
            assert!(self.timer, "MS-3 {self:?} {policy:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_invariants_hold_whatever_happens(
        steps in proptest::collection::vec((0u8..7, 0u8..6, 0.0f64..1.0, 0u64..100_000), 1..200)
    ) {
        let mut now = SystemClock.monotonic();
        let left_behind = SubscriptionId::new("s0");
        let mut policy = Policy::new(Some(left_behind.clone()));
        let mut world = World { there: BTreeSet::from([left_behind]), ..World::default() };
        world.perform(policy.on(Input::Begin, now, 0.0, &options()));
        for (what, outcome, random, wait_ms) in steps {
            now += Duration::from_millis(wait_ms);
            let failed = match outcome {
                0 => Some(failure(FailureKind::Passing)),
                1 => Some(failure(FailureKind::Own)),
                2 => Some(failure(FailureKind::Moved)),
                3 => Some(failure(FailureKind::Unknown)),
                _ => None,
            };
            let input = match what {
                0 if world.checking > 0 => {
                    world.checking -= 1;
                    Input::Checked(failed.map_or(Ok(folder()), Err))
                }
                1 if world.subscribing > 0 => {
                    world.subscribing -= 1;
                    world.subscriptions += 1;
                    // a new subscription is a gap, when it works
                    world.uncovered |= failed.is_none();
                    let id = SubscriptionId::new(format!("s{}", world.subscriptions));
                    if failed.is_none() {
                        world.replaces.take().map(|old| world.there.remove(&old));
                        world.there.insert(id.clone());
                    }
                    Input::Subscribed(failed.map_or(Ok(id), Err))
                }
                2 if world.catching_up > 0 => {
                    world.catching_up -= 1;
                    // a failed one covered nothing
                    world.uncovered |= failed.is_some();
                    Input::CaughtUp(failed.map_or(Ok(()), Err))
                }
                3 if world.timer => {
                    world.timer = false;
                    Input::Timer
                }
                4 if world.told_live => {
                    world.told_live = false;
                    world.there.clear();
                    Input::SubscriptionLost
                }
                5 => {
                    world.uncovered |= policy.is_live();
                    Input::Gap { spread: outcome % 2 == 0 }
                }
                6 => Input::TryNow,
                _ => continue,
            };
            // a parked mailbox begins anew: its coverage is the next subscription's
            world.perform(policy.on(input, now, random, &options()));
            if !policy.is_live() {
                world.uncovered = false;
            }
            world.check(&policy);
        }
    }
}
