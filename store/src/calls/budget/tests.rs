//! Goal: the budget is never exceeded in any 60 s window of *arrivals at Planner*, whatever the latencies,
//! crashes and mixes of work; and both sides keep their fifth. Method: a simulation by seconds with random
//! asks, in which a call arrives anywhere between its permit and its answer, and some calls are never
//! answered (their permit counts from the deadline).

use proptest::prelude::*;

use super::*;

const UNLIMITED: CallLimits =
    CallLimits { simultaneous_calls: 3, calls_per_minute: None, events_per_minute: None };

#[test]
fn slots_are_the_first_limit() {
    let usage = Usage { in_flight: 3, ..Usage::default() };
    assert_eq!(admit(&UNLIMITED, &usage, Class::Live, 20), Err(Full::Slots));
    let usage = Usage { in_flight: 2, calls: 100_000, events: 1_000_000, ..Usage::default() };
    assert_eq!(admit(&UNLIMITED, &usage, Class::Live, 20), Ok(20));
}

#[test]
fn a_call_is_trimmed_to_the_events_that_are_left() {
    let limits = CallLimits { events_per_minute: Some(50), ..UNLIMITED };
    let used = |events| Usage { events, ..Usage::default() };
    assert_eq!(admit(&limits, &used(0), Class::Live, 20), Ok(20));
    assert_eq!(admit(&limits, &used(43), Class::Live, 20), Ok(7));
    assert_eq!(admit(&limits, &used(50), Class::Live, 20), Err(Full::Events));
    // a call that reads sends no appointments
    assert_eq!(admit(&limits, &used(50), Class::Bulk, 0), Ok(0));
}

#[test]
fn both_sides_keep_a_fifth() {
    let limits = CallLimits { calls_per_minute: Some(10), ..UNLIMITED };
    let usage = |calls, bulk_calls, bulk_waits| Usage { calls, bulk_calls, bulk_waits, ..Usage::default() };
    // live work may use everything while no bulk work waits, else all but a fifth
    assert_eq!(admit(&limits, &usage(9, 0, false), Class::Live, 1), Ok(1));
    assert_eq!(admit(&limits, &usage(8, 0, true), Class::Live, 1), Err(Full::Calls));
    assert_eq!(admit(&limits, &usage(9, 2, true), Class::Live, 1), Ok(1));
    // bulk work gets its fifth at any time, and leaves a fifth free otherwise
    assert_eq!(admit(&limits, &usage(9, 1, true), Class::Bulk, 1), Ok(1));
    assert_eq!(admit(&limits, &usage(8, 8, true), Class::Bulk, 1), Err(Full::Calls));
    assert_eq!(admit(&limits, &usage(7, 7, true), Class::Bulk, 1), Ok(1));
    assert_eq!(admit(&limits, &usage(10, 0, true), Class::Bulk, 1), Err(Full::Calls));
}

#[test]
fn a_budget_of_one_serves_both() {
    let limits = CallLimits { calls_per_minute: Some(1), ..UNLIMITED };
    let usage = Usage { bulk_waits: true, ..Usage::default() };
    assert_eq!(admit(&limits, &usage, Class::Live, 1), Ok(1));
    assert_eq!(admit(&limits, &usage, Class::Bulk, 1), Ok(1));
}

/// A call of the simulation; times in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Call {
    arrives: u64,
    ends: u64,
    events: u32,
    bulk: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ask {
    after_ms: u64,
    bulk: bool,
    events: u32,
    latency_ms: u64,
    arrives_at_percent: u64,
    answered: bool,
}

fn ask() -> impl Strategy<Value = Ask> {
    (0u64..3_000, any::<bool>(), 0u32..30, 0u64..20_000, 0u64..=100, prop::bool::weighted(0.9)).prop_map(
        |(after_ms, bulk, events, latency_ms, arrives_at_percent, answered)| Ask {
            after_ms,
            bulk,
            events,
            latency_ms,
            arrives_at_percent,
            answered,
        },
    )
}

const DEADLINE_MS: u64 = 20_000;

fn usage_at(calls: &[Call], now: u64) -> Usage {
    let counting = calls.iter().filter(|call| call.ends + 60_000 > now);
    let mut usage = Usage { bulk_waits: true, ..Usage::default() };
    for call in counting {
        usage.in_flight += u32::from(call.ends > now);
        usage.calls += 1;
        usage.events += call.events;
        if call.bulk {
            usage.bulk_calls += 1;
            usage.bulk_events += call.events;
        }
    }
    usage
}

proptest! {
    #[test]
    fn no_window_of_arrivals_holds_more_than_the_budget(
        asks in prop::collection::vec(ask(), 1..400),
        slots in 1u32..10,
        calls_per_minute in prop::option::of(1u32..60),
        events_per_minute in prop::option::of(1u32..300),
    ) {
        let limits = CallLimits { simultaneous_calls: slots, calls_per_minute, events_per_minute };
        let mut calls: Vec<Call> = Vec::new();
        let mut now = 0;
        for ask in asks {
            now += ask.after_ms;
            let class = if ask.bulk { Class::Bulk } else { Class::Live };
            let Ok(events) = admit(&limits, &usage_at(&calls, now), class, ask.events) else { continue };
            prop_assert!(events <= ask.events);
            prop_assert!(ask.events == 0 || events > 0, "an empty call was granted");
            let life = if ask.answered { ask.latency_ms } else { DEADLINE_MS };
            let arrives = now + life * ask.arrives_at_percent / 100;
            calls.push(Call { arrives, ends: now + life, events, bulk: ask.bulk });
        }
        for first in &calls {
            let window = || calls.iter().filter(|c| (first.arrives..first.arrives + 60_000).contains(&c.arrives));
            if let Some(limit) = calls_per_minute {
                prop_assert!(window().count() <= limit as usize);
            }
            if let Some(limit) = events_per_minute {
                prop_assert!(window().map(|c| c.events).sum::<u32>() <= limit);
            }
            let at_once = calls.iter().filter(|c| c.arrives <= first.arrives && first.arrives < c.ends).count();
            prop_assert!(at_once <= slots as usize);
        }
    }

    /// Under permanent pressure from both sides neither gets less than its fifth of the calls.
    #[test]
    fn neither_side_starves(limit in 5u32..100, live_first in any::<bool>()) {
        let limits = CallLimits { simultaneous_calls: u32::MAX, calls_per_minute: Some(limit), events_per_minute: None };
        let mut calls: Vec<Call> = Vec::new();
        // five minutes, both ask whenever they can, every 100 ms
        for now in (0..300_000).step_by(100) {
            for bulk in [!live_first, live_first] {
                let class = if bulk { Class::Bulk } else { Class::Live };
                while admit(&limits, &usage_at(&calls, now), class, 1).is_ok() {
                    calls.push(Call { arrives: now, ends: now, events: 1, bulk });
                }
            }
        }
        let share = (limit / 5) as usize;
        for minute in 0..4 {
            let of = |bulk: bool| calls.iter()
                .filter(|c| c.bulk == bulk && c.arrives / 60_000 == minute).count();
            prop_assert!(of(true) >= share, "bulk had {} of {limit} in minute {minute}", of(true));
            prop_assert!(of(false) >= share, "live had {} of {limit} in minute {minute}", of(false));
        }
    }
}

/// What becomes of a permit whose process crashes.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(Ask),
    /// The process dies, and its successor takes the lease over after this time.
    Crash {
        takeover_ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => ask().prop_map(Step::Ask),
        1 => (0u64..20_000).prop_map(|takeover_ms| Step::Crash { takeover_ms }),
    ]
}

/// A call as the database knows it and as Planner saw it; times in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Permitted {
    owner: usize,
    deadline: u64,
    /// When its answer is recorded; `None`: never.
    recorded: Option<u64>,
    /// When its request is at Planner; `None`: its process died before.
    arrives: Option<u64>,
    /// Until when its connection is open.
    open_until: u64,
    events: u32,
    bulk: bool,
}

/// What the database says of the permits; `owner` is the one whose lease stands.
fn usage_by_database(calls: &[Permitted], now: u64, owner: usize) -> Usage {
    let mut usage = Usage { bulk_waits: true, ..Usage::default() };
    for call in calls {
        let ended = call.recorded.filter(|at| *at <= now);
        if ended.unwrap_or(call.deadline) + 60_000 <= now {
            continue;
        }
        usage.in_flight += u32::from(ended.is_none() && call.deadline > now && call.owner == owner);
        usage.calls += 1;
        usage.events += call.events;
        if call.bulk {
            usage.bulk_calls += 1;
            usage.bulk_events += call.events;
        }
    }
    usage
}

proptest! {
    /// B9: "in any 60 s window, also across crashes and take-overs". The process may die at any point: before its request
    /// leaves, before the answer, before the answer is recorded.
    #[test]
    fn no_crash_and_no_take_over_opens_the_budget(
        steps in prop::collection::vec(step(), 1..400),
        slots in 1u32..10,
        calls_per_minute in prop::option::of(1u32..60),
        events_per_minute in prop::option::of(1u32..300),
    ) {
        let limits = CallLimits { simultaneous_calls: slots, calls_per_minute, events_per_minute };
        let mut calls: Vec<Permitted> = Vec::new();
        let (mut now, mut owner) = (0, 0);
        for step in steps {
            let ask = match step {
                Step::Ask(ask) => ask,
                Step::Crash { takeover_ms } => {
                    for call in calls.iter_mut().filter(|call| call.recorded.is_none_or(|at| at > now)) {
                        call.recorded = call.recorded.filter(|at| *at <= now);
                        call.arrives = call.arrives.filter(|at| *at <= now);
                        call.open_until = call.open_until.min(now);
                    }
                    now += takeover_ms;
                    owner += 1;
                    continue;
                }
            };
            now += ask.after_ms;
            let class = if ask.bulk { Class::Bulk } else { Class::Live };
            let Ok(events) = admit(&limits, &usage_by_database(&calls, now, owner), class, ask.events) else { continue };
            let life = if ask.answered { ask.latency_ms } else { DEADLINE_MS };
            calls.push(Permitted {
                owner,
                deadline: now + DEADLINE_MS,
                recorded: ask.answered.then_some(now + life),
                arrives: Some(now + life * ask.arrives_at_percent / 100),
                open_until: now + life,
                events,
                bulk: ask.bulk,
            });
        }
        let arrivals: Vec<(u64, Permitted)> = calls.iter().filter_map(|call| Some((call.arrives?, *call))).collect();
        for (first, _) in &arrivals {
            let window = || arrivals.iter().filter(|(at, _)| (*first..*first + 60_000).contains(at));
            if let Some(limit) = calls_per_minute {
                prop_assert!(window().count() <= limit as usize);
            }
            if let Some(limit) = events_per_minute {
                prop_assert!(window().map(|(_, call)| call.events).sum::<u32>() <= limit);
            }
            let open = arrivals.iter().filter(|(at, call)| at <= first && *first < call.open_until).count();
            prop_assert!(open <= slots as usize, "{open} connections at {first}");
        }
    }
}
