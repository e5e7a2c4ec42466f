//! Goal: AG-1 to AG-4 hold for every sequence of events, and the usual walks go as the reference tells.
//! Method: tables; a model that performs the directives and checks the invariants after each step.

use base::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;

fn options() -> GroupOptions {
    GroupOptions::default()
}

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

fn sub(n: u32) -> SubscriptionId {
    SubscriptionId::new(format!("s{n}"))
}

fn members(numbers: &[u32]) -> Event {
    Event::Members(numbers.iter().map(|n| mail(*n)).collect())
}

fn live(n: u32, cookie: Option<&str>) -> Event {
    Event::Live { mailbox: mail(n), subscription: sub(n), cookie: cookie.map(str::to_owned) }
}

fn down(n: u32, own_fault: bool) -> Event {
    Event::Down { mailbox: mail(n), own_fault }
}

fn failed(stream: u64) -> Event {
    Event::Failed { stream, all_lost: false, after: None }
}

fn catch_up(n: u32, spread: bool) -> Directive {
    Directive::CatchUp { mailbox: mail(n), spread }
}

fn open(stream: u64, numbers: &[u32]) -> Directive {
    Directive::Open { stream, members: numbers.iter().map(|n| (mail(*n), sub(*n))).collect() }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Members 1 to 3 listened to on stream 1, open since the returned instant.
fn listening() -> (Policy, Instant) {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(options());
    policy.on(members(&[1, 2, 3]), now, 0.0);
    policy.on(live(1, Some("c")), now, 0.0);
    policy.on(live(2, None), now, 0.0);
    let directives = policy.on(live(3, None), now, 0.0);
    assert_eq!(directives, [], "a moment for others, {policy:?}");
    let now = now + s(1);
    assert_eq!(policy.on(Event::Tick, now, 0.0), [open(1, &[1, 2, 3])]);
    assert_eq!(policy.on(Event::Opened(1), now, 0.0), []);
    (policy, now)
}

#[test]
fn the_anchor_comes_first_and_the_others_follow_within_its_affinity() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(options());
    assert_eq!(policy.on(members(&[2, 1, 3]), now, 0.0), [Directive::Start(mail(1))]);
    assert_eq!(
        policy.on(live(1, Some("be~1")), now, 0.0),
        [
            Directive::Affinity(Some((mail(1), Some("be~1".into())))),
            Directive::Start(mail(2)),
            Directive::Start(mail(3))
        ]
    );
    assert!(!policy.is_ready());
}

#[test]
fn an_anchor_that_cannot_be_used_is_passed_over() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(options());
    policy.on(members(&[1, 2, 3]), now, 0.0);
    assert_eq!(policy.on(down(1, true), now, 0.0), [Directive::Start(mail(2))]);
    // an outage concerns all: wait for it to pass, but not for ever
    assert_eq!(policy.on(down(2, false), now, 0.0), []);
    assert_eq!(policy.on(down(2, false), now, 0.0), []);
    assert_eq!(policy.on(down(2, false), now, 0.0), [Directive::Start(mail(3))]);
    assert_eq!(policy.on(down(3, true), now, 0.0), [Directive::TellNoneLive]);
    assert!(policy.is_ready(), "nothing more can be done for them");
    // the first that recovers becomes the anchor, and alone needs no pause
    let directives = policy.on(live(2, None), now, 0.0);
    assert_eq!(directives, [Directive::Affinity(Some((mail(2), None))), open(1, &[2])]);
}

/// Its actor fails again and again, and so nobody ever says that it is down.
#[test]
fn a_candidate_that_says_nothing_is_passed_over_in_time() {
    let (mut policy, start) = (Policy::new(options()), SystemClock.monotonic());
    assert_eq!(policy.on(members(&[1, 2, 3]), start, 0.0), [Directive::Start(mail(1))]);
    let due = policy.wake_at().unwrap();
    assert_eq!(due, start + ANCHOR_PATIENCE);
    assert_eq!(policy.on(Event::Tick, due - s(1), 0.0), []);
    assert_eq!(policy.on(Event::Tick, due, 0.0), [Directive::Start(mail(2))]);
    // the next one gets as long, and the last one needs no clock
    assert_eq!(policy.wake_at(), Some(due + ANCHOR_PATIENCE));
    assert_eq!(policy.on(Event::Tick, due + ANCHOR_PATIENCE, 0.0), [Directive::Start(mail(3))]);
    assert_eq!(policy.wake_at(), None);
}

#[test]
fn a_planned_end_opened_again_in_time_is_no_gap() {
    let (mut policy, start) = listening();
    let end = start + s(1_800);
    assert_eq!(policy.on(Event::Closed(1), end, 0.0), [open(2, &[1, 2, 3])]);
    assert_eq!(policy.on(Event::Opened(2), end + s(10), 0.0), []);
}

#[test]
fn a_planned_end_opened_again_too_late_is_a_gap() {
    let (mut policy, start) = listening();
    let end = start + s(1_800);
    policy.on(Event::Closed(1), end, 0.0);
    let late = policy.on(Event::Opened(2), end + s(11), 0.0);
    assert_eq!(late, [catch_up(1, true), catch_up(2, true), catch_up(3, true)]);
}

/// 150 members come one every 100 ms, each heard of as it comes. How often is the stream opened?
#[test]
fn a_group_that_gets_150_members_opens_its_stream_a_few_times_only() {
    let (mut policy, start) = listening();
    let all: Vec<u32> = (1..=153).collect();
    let mut opened = 0;
    let mut now = start + s(10);
    let mut perform = |policy: &mut Policy, directives: Vec<Directive>, now: Instant| {
        let streams: Vec<u64> = directives
            .iter()
            .filter_map(|one| if let Directive::Open { stream, .. } = one { Some(*stream) } else { None })
            .collect();
        for stream in streams {
            opened += 1;
            policy.on(Event::Opened(stream), now, 0.0);
        }
    };
    let directives = policy.on(members(&all), now, 0.0);
    perform(&mut policy, directives, now);
    for n in 4..=153 {
        now += Duration::from_millis(100);
        for event in [live(n, None), Event::Tick] {
            let directives = policy.on(event, now, 0.0);
            perform(&mut policy, directives, now);
        }
    }
    while let Some(at) = policy.wake_at() {
        now = now.max(at);
        let directives = policy.on(Event::Tick, now, 0.0);
        perform(&mut policy, directives, now);
    }
    assert_eq!(policy.stream_ids().map(BTreeSet::len), Some(153));
    // 1, 1, 2, 4 and 8 s after each other within the 15 s, and once when all are there
    assert!(opened <= 6, "opened {opened} times");
    println!("150 members within 15 s: the stream was opened {opened} times");
}

#[test]
fn an_error_or_silence_is_a_gap_for_all_and_the_stream_is_ordered_anew() {
    let (mut policy, start) = listening();
    let end = start + s(60);
    // at once: how long it takes until it is opened is the business of its supervisor
    assert_eq!(policy.on(failed(1), end, 0.0), [open(2, &[1, 2, 3])]);
    // it fails again: the server's own time is kept
    let busy = Event::Failed { stream: 2, all_lost: false, after: Some(s(5)) };
    assert_eq!(policy.on(busy, end, 0.0), []);
    assert_eq!(policy.wake_at(), Some(end + s(5)));
    assert_eq!(policy.on(Event::Tick, end + s(5), 0.0), [open(3, &[1, 2, 3])]);
    let opened = policy.on(Event::Opened(3), end + s(6), 0.0);
    assert_eq!(opened, [catch_up(1, true), catch_up(2, true), catch_up(3, true)]);
    // caught up once
    policy.on(Event::Closed(3), end + s(60), 0.0);
    assert_eq!(policy.on(Event::Opened(4), end + s(61), 0.0), []);
}

#[test]
fn an_opening_that_an_outage_delays_keeps_its_number_is_a_gap_and_follows_the_members() {
    let (mut policy, start) = listening();
    policy.on(Event::Closed(1), start + s(60), 0.0);
    assert_eq!(policy.on(Event::Away(2), start + s(60), 0.0), []);
    assert_eq!(policy.on(Event::Away(2), start + s(61), 0.0), []);
    // in time after a planned end, and yet a gap: the server may have begun to tell
    let mut same = listening().0;
    same.on(Event::Closed(1), start + s(60), 0.0);
    same.on(Event::Away(2), start + s(60), 0.0);
    let opened = same.on(Event::Opened(2), start + s(61), 0.0);
    assert_eq!(opened, [catch_up(1, true), catch_up(2, true), catch_up(3, true)]);
    // meanwhile a member is subscribed anew (AG-5)
    let anew = Event::Live { mailbox: mail(2), subscription: sub(22), cookie: None };
    let changed = start + s(61);
    assert_eq!(policy.on(anew, changed, 0.0), [Directive::Unsubscribe(mail(2), sub(2))]);
    assert_eq!(policy.wake_at(), Some(changed + options().growth_pause));
    let anew = policy.on(Event::Tick, changed + options().growth_pause, 0.0);
    assert_eq!(anew[0], Directive::Close);
    assert!(
        matches!(&anew[1], Directive::Open { stream: 3, members } if members.contains(&(mail(2), sub(22))))
    );
    // that one is on its way and is not disturbed until it is told to be delayed
    let again = Event::Live { mailbox: mail(3), subscription: sub(33), cookie: None };
    let late = changed + s(30);
    assert_eq!(policy.on(again, late, 0.0), [Directive::Unsubscribe(mail(3), sub(3))]);
    assert_eq!(policy.on(Event::Tick, late + s(10), 0.0), []);
}

#[test]
fn a_server_that_closes_young_streams_again_and_again_is_backed_off_from_and_a_sound_one_resets_that() {
    let (mut policy, mut now) = listening();
    let mut pauses = Vec::new();
    for stream in 1..=4 {
        policy.on(Event::Closed(stream), now, 0.0);
        let at = policy.wake_at().unwrap();
        pauses.push((at - now).as_millis());
        now = at;
        assert_eq!(policy.on(Event::Tick, now, 0.0), [open(stream + 1, &[1, 2, 3])]);
        policy.on(Event::Opened(stream + 1), now, 0.0);
    }
    assert_eq!(pauses, [250, 500, 1_000, 2_000]);
    now += options().sound_after;
    assert_eq!(policy.on(Event::Closed(5), now, 0.0), [open(6, &[1, 2, 3])]);
    policy.on(Event::Opened(6), now, 0.0);
    policy.on(Event::Closed(6), now, 0.0);
    assert_eq!(policy.wake_at(), Some(now + Duration::from_millis(250)));
}

#[test]
fn events_of_a_former_stream_change_nothing() {
    let (mut policy, start) = listening();
    policy.on(Event::Closed(1), start + s(60), 0.0);
    for event in [
        Event::Opened(1),
        Event::Closed(1),
        Event::Away(1),
        failed(1),
        Event::Bad { stream: 1, subscriptions: vec![sub(1)] },
        Event::Missed { stream: 1, subscriptions: vec![] },
    ] {
        assert_eq!(policy.on(event, start + s(60), 0.0), []);
    }
}

#[test]
fn a_bad_subscription_is_dropped_the_rest_reopened_at_once_and_the_bad_one_resubscribed() {
    let (mut policy, start) = listening();
    let now = start + s(5);
    let directives = policy.on(Event::Bad { stream: 1, subscriptions: vec![sub(2)] }, now, 0.0);
    assert_eq!(directives, [Directive::Close, Directive::Resubscribe(mail(2)), open(2, &[1, 3])]);
    // what was on its way to us when we closed is lost: those two catch up, the bad one by itself
    assert_eq!(policy.on(Event::Opened(2), now, 0.0), [catch_up(1, true), catch_up(3, true)]);
    // it comes back: the stream grows, not at once
    let anew = Event::Live { mailbox: mail(2), subscription: sub(22), cookie: None };
    assert_eq!(policy.on(anew, now, 0.0), []);
    assert_eq!(policy.wake_at(), Some(now + options().growth_pause));
    let grown = policy.on(Event::Tick, now + options().growth_pause, 0.0);
    assert_eq!(grown[0], Directive::Close);
    assert!(matches!(&grown[1], Directive::Open { stream: 3, members } if members.len() == 3));
}

#[test]
fn a_complaint_about_subscriptions_that_nobody_knows_does_not_make_a_loop() {
    let (mut policy, start) = listening();
    let directives = policy.on(Event::Bad { stream: 1, subscriptions: vec![sub(77)] }, start, 0.0);
    assert_eq!(directives, [Directive::Close]);
    assert_eq!(policy.wake_at(), Some(start + Duration::from_millis(250)));
}

/// `mailbox block` or a narrower whitelist: Exchange says on the stream what the group asked for itself.
#[test]
fn a_stream_that_says_that_a_mailbox_which_left_is_not_served_is_opened_anew_quietly() {
    let (mut policy, start) = listening();
    let now = start + s(100);
    let left = policy.on(members(&[1, 3]), now, 0.0);
    assert_eq!(left, [Directive::End(mail(2)), Directive::Close, open(2, &[1, 3])]);
    // where the stream was so young that it is still the old one
    let (mut policy, start) = listening();
    policy.on(members(&[1, 3]), start, 0.0);
    let bad = [sub(2)];
    assert_eq!(policy.lost_among(&bad), 0, "it was ended here");
    let said = Event::Bad { stream: 1, subscriptions: bad.to_vec() };
    assert_eq!(policy.on(said, start, 0.0), [Directive::Close, open(2, &[1, 3])]);
    assert_eq!(policy.on(Event::Opened(2), start, 0.0), [catch_up(1, true), catch_up(3, true)]);
    // one that says so again and again is not asked at once
    assert_eq!(policy.lost_among(&bad), 1);
    let again = Event::Bad { stream: 2, subscriptions: bad.to_vec() };
    assert_eq!(policy.on(again, start, 0.0), [Directive::Close]);
    assert_eq!(policy.wake_at(), Some(start + Duration::from_millis(250)));
}

#[test]
fn a_subscription_that_is_lost_beside_one_that_was_ended_is_told_and_made_anew() {
    let (mut policy, start) = listening();
    policy.on(members(&[1, 3]), start, 0.0);
    let both = vec![sub(2), sub(3)];
    assert_eq!(policy.lost_among(&both), 1);
    let directives = policy.on(Event::Bad { stream: 1, subscriptions: both }, start, 0.0);
    assert_eq!(directives, [Directive::Close, Directive::Resubscribe(mail(3)), open(2, &[1])]);
}

#[test]
fn missed_events_make_those_mailboxes_catch_up_and_keep_the_stream() {
    let (mut policy, start) = listening();
    let one = Event::Missed { stream: 1, subscriptions: vec![sub(2)] };
    assert_eq!(policy.on(one, start, 0.0), [catch_up(2, false)]);
    let all = policy.on(Event::Missed { stream: 1, subscriptions: vec![] }, start, 0.0);
    assert_eq!(all, [catch_up(1, true), catch_up(2, true), catch_up(3, true)]);
}

#[test]
fn when_all_are_lost_the_affinity_is_settled_anew_by_one_and_the_others_follow() {
    for all_at_once in [true, false] {
        let (mut policy, start) = listening();
        let now = start + s(100);
        let event = if all_at_once {
            Event::Failed { stream: 1, all_lost: true, after: None }
        } else {
            Event::Bad { stream: 1, subscriptions: vec![sub(1), sub(2), sub(3)] }
        };
        let directives = policy.on(event, now, 0.0);
        let tail = [Directive::TellAllLost, Directive::Affinity(None), Directive::Resubscribe(mail(1))];
        assert!(directives.ends_with(&tail), "{directives:?}");
        let anew = Event::Live { mailbox: mail(1), subscription: sub(11), cookie: Some("d".into()) };
        assert_eq!(
            policy.on(anew, now, 0.0),
            [
                Directive::Affinity(Some((mail(1), Some("d".into())))),
                Directive::Resubscribe(mail(2)),
                Directive::Resubscribe(mail(3))
            ]
        );
    }
}

#[test]
fn members_come_and_go_and_the_anchor_is_handed_on_with_its_cookie() {
    let (mut policy, start) = listening();
    let now = start + s(100);
    let directives = policy.on(members(&[2, 3, 4]), now, 0.0);
    assert_eq!(
        directives,
        [
            Directive::End(mail(1)),
            Directive::Affinity(Some((mail(2), Some("c".into())))),
            Directive::Start(mail(4)),
        ]
    );
    let at = policy.wake_at().unwrap();
    assert_eq!(at, now + options().growth_pause);
    assert_eq!(policy.on(live(4, None), now, 0.0), [Directive::Close, open(2, &[2, 3, 4])]);
    assert_eq!(policy.on(members(&[]), now, 0.0).len(), 5, "three ends, the affinity, the stream");
}

#[test]
fn a_subscription_of_a_restarted_actor_replaces_the_old_one_which_is_ended() {
    let (mut policy, start) = listening();
    let anew = Event::Live { mailbox: mail(2), subscription: sub(22), cookie: None };
    let directives = policy.on(anew, start + s(5), 0.0);
    assert_eq!(directives[0], Directive::Unsubscribe(mail(2), sub(2)));
    assert!(
        matches!(&directives[2], Directive::Open { members, .. } if members.contains(&(mail(2), sub(22))))
    );
}

#[test]
fn while_nothing_can_be_heard_everybody_catches_up_from_time_to_time() {
    let (mut policy, start) = listening();
    policy.on(failed(1), start, 0.0);
    let (mut now, mut number) = (start, 2);
    let mut caught_up = 0;
    while now < start + s(200) {
        now = policy.wake_at().unwrap();
        // an outage delays the opening, and now and then it is refused otherwise
        assert_eq!(policy.on(Event::Away(number), now, 0.0), []);
        let directives = policy.on(Event::Tick, now, 0.0);
        assert_eq!(directives, [catch_up(1, true), catch_up(2, true), catch_up(3, true)]);
        caught_up += directives.len();
        assert_eq!(policy.on(failed(number), now, 0.0), [open(number + 1, &[1, 2, 3])]);
        number += 1;
    }
    assert_eq!((caught_up, now), (12, start + s(240)), "three mailboxes at 60, 120, 180 and 240 seconds");
}

#[test]
fn a_server_that_closes_at_once_is_not_asked_again_and_again() {
    let (mut policy, start) = listening();
    assert_eq!(policy.on(Event::Closed(1), start, 0.0), []);
    assert_eq!(policy.wake_at(), Some(start + Duration::from_millis(250)));
}

#[test]
fn no_more_than_a_stream_takes() {
    let now = SystemClock.monotonic();
    let mut policy = Policy::new(options());
    let all: Vec<u32> = (1..=250).collect();
    policy.on(members(&all), now, 0.0);
    for n in all {
        policy.on(live(n, None), now, 0.0);
    }
    let directives = policy.on(Event::Tick, now + s(1), 0.0);
    assert!(matches!(&directives[..], [Directive::Open { members, .. }] if members.len() == STREAM_IDS));
}

/// Performs directives as the actor does.
#[derive(Debug, Default)]
struct World {
    affinity: Option<(MailAddress, Option<String>)>,
    /// Members with an actor at work on a subscription.
    working: BTreeSet<MailAddress>,
    live: BTreeMap<MailAddress, SubscriptionId>,
    stream: Option<(u64, bool, BTreeMap<SubscriptionId, MailAddress>)>,
    /// Subscriptions that may have lost events and have not been caught up since.
    lossy: BTreeSet<SubscriptionId>,
    /// The stream that an outage delays.
    delayed: Option<u64>,
    next: u32,
}

impl World {
    fn end_stream(&mut self, lossy: bool) {
        if let Some((_, open, ids)) = self.stream.take() {
            assert!(open || !ids.is_empty());
            if lossy {
                self.lossy.extend(ids.into_keys());
            }
        }
    }

    fn perform(&mut self, directives: Vec<Directive>, opening: bool) {
        let mut caught_up = BTreeSet::new();
        for directive in directives {
            match directive {
                Directive::Affinity(affinity) => self.affinity = affinity,
                Directive::Start(mail) | Directive::Resubscribe(mail) => {
                    self.live.remove(&mail);
                    self.working.insert(mail);
                }
                Directive::End(mail) => {
                    self.working.remove(&mail);
                    self.live.remove(&mail);
                }
                Directive::Unsubscribe(..) | Directive::TellNoneLive => {}
                Directive::TellAllLost => self.live.clear(),
                Directive::Open { stream, members } => {
                    assert!(self.stream.is_none(), "AG-1");
                    let ids = members.into_iter().map(|(mail, id)| (id, mail)).collect();
                    self.stream = Some((stream, false, ids));
                }
                Directive::Close => self.end_stream(true),
                Directive::CatchUp { mailbox, .. } => {
                    caught_up.insert(mailbox);
                }
            }
        }
        for mail in &caught_up {
            if let Some(id) = self.live.get(mail) {
                self.lossy.remove(id);
            }
        }
        if opening && let Some((_, _, ids)) = &self.stream {
            for (id, mail) in ids {
                let current = self.live.get(mail) == Some(id);
                assert!(!(current && self.lossy.contains(id)), "AG-3 {mail}");
            }
        }
    }

    fn check(&self, policy: &Policy) {
        if self.stream.is_none() && !self.live.is_empty() {
            assert!(policy.wake_at().is_some(), "AG-4 {policy:?}");
        }
        if let Some((number, open, ids)) = &self.stream {
            let live: BTreeSet<&SubscriptionId> = self.live.values().collect();
            let settled = ids.keys().collect::<BTreeSet<_>>() == live;
            let on_its_way = !open && self.delayed != Some(*number);
            assert!(settled || on_its_way || policy.wake_at().is_some(), "AG-2, AG-5 {policy:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_invariants_hold_whatever_happens(
        steps in proptest::collection::vec((0u8..12, any::<u8>(), 0u64..4_000, any::<bool>()), 1..250)
    ) {
        let mut now = SystemClock.monotonic();
        let mut policy = Policy::new(options());
        let mut world = World::default();
        world.perform(policy.on(members(&[1, 2, 3, 4, 5]), now, 0.0), false);
        for (what, which, wait_ms, flag) in steps {
            now += Duration::from_millis(wait_ms);
            let pick = |from: Vec<MailAddress>| from.get(usize::from(which) % from.len().max(1)).cloned();
            let number = world.stream.as_ref().map(|stream| stream.0);
            let mut opening = false;
            let event = match what {
                0 | 1 => {
                    let Some(mailbox) = pick(world.working.iter().cloned().collect()) else { continue };
                    world.working.remove(&mailbox);
                    world.next += 1;
                    let subscription = sub(1_000 + world.next);
                    world.live.insert(mailbox.clone(), subscription.clone());
                    Event::Live { mailbox, subscription, cookie: flag.then(|| "c".to_owned()) }
                }
                2 => {
                    let Some(mailbox) = pick(world.working.iter().cloned().collect()) else { continue };
                    Event::Down { mailbox, own_fault: flag }
                }
                3 => {
                    let Some(mailbox) = pick(world.live.keys().cloned().collect()) else { continue };
                    world.live.remove(&mailbox);
                    world.working.insert(mailbox.clone());
                    Event::Down { mailbox, own_fault: flag }
                }
                4 | 5 => {
                    let Some((number, open, _)) = &mut world.stream else { continue };
                    if *open { continue }
                    *open = true;
                    opening = true;
                    Event::Opened(*number)
                }
                6 => {
                    let Some(number) = number else { continue };
                    world.end_stream(false);
                    Event::Closed(number)
                }
                7 => {
                    let Some(number) = number else { continue };
                    world.end_stream(true);
                    if flag && which % 3 == 0 { world.live.clear(); }
                    Event::Failed { stream: number, all_lost: flag && which % 3 == 0, after: None }
                }
                8 => {
                    let Some((number, _, ids)) = &world.stream else { continue };
                    let bad: Vec<SubscriptionId> =
                        ids.keys().take(usize::from(which) % (ids.len() + 1)).cloned().collect();
                    Event::Bad { stream: *number, subscriptions: bad }
                }
                9 => {
                    let bits = which % 32;
                    let chosen: Vec<u32> = (0u32..5).filter(|n| bits & (1 << n) != 0).map(|n| n + 1).collect();
                    members(&chosen)
                }
                10 => {
                    let Some((number, false, ids)) = &world.stream else { continue };
                    world.lossy.extend(ids.keys().cloned());
                    world.delayed = Some(*number);
                    Event::Away(*number)
                }
                _ => Event::Tick,
            };
            world.perform(policy.on(event, now, 0.0), opening);
            world.check(&policy);
        }
    }
}
