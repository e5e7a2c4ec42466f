//! Goal: invariants of the core under any sequence of events.
//! Method: random events on the paper performer, which itself asserts that nothing is started twice, that
//! only what lives is stopped or killed, and that nothing follows the exit. Here in addition: restarts
//! never exceed the intensity in any window, the shutdown order is the reverse of the start order, no
//! child is left waiting for ever, and a shutdown always comes to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::{Strategy as Generate, *};

use super::testing::*;
use crate::exit::ExitReason;
use crate::strategy::{Restart, Strategy};

#[derive(Debug, Clone)]
enum Event {
    Up(prop::sample::Index),
    Exit(prop::sample::Index, usize),
    Stale(prop::sample::Index, u64),
    Advance(u64),
    Add(u8, Restart),
    Remove(u8),
    RemoveStatic(u8),
}

fn restart() -> impl Generate<Value = Restart> {
    prop::sample::select(ALL_RESTARTS.to_vec())
}

fn event() -> impl Generate<Value = Event> {
    prop_oneof![
        6 => any::<prop::sample::Index>().prop_map(Event::Up),
        5 => (any::<prop::sample::Index>(), 0usize..6).prop_map(|(at, reason)| Event::Exit(at, reason)),
        1 => (any::<prop::sample::Index>(), 0u64..4).prop_map(|(at, before)| Event::Stale(at, before)),
        4 => (0u64..20_000).prop_map(Event::Advance),
        2 => (0u8..6, restart()).prop_map(|(id, restart)| Event::Add(id, restart)),
        1 => (0u8..6).prop_map(Event::Remove),
        1 => (0u8..4).prop_map(Event::RemoveStatic),
    ]
}

/// The start order as the test knows it: static children first, then in the order of adding.
#[derive(Debug, Default)]
struct Order {
    next: u64,
    of: BTreeMap<String, (u64, bool)>,
}

impl Order {
    fn insert(&mut self, id: &str, dynamic: bool) {
        self.next += 1;
        self.of.insert(id.to_owned(), (self.next, dynamic));
    }
}

/// What is told to stop must come last in the start order of all that lives and is not told yet; and all
/// that lives after it must be told already and be dynamic in a one_for_one supervisor.
fn check_stops(paper: &Paper, order: &Order, strategy: Strategy, words: &[String]) {
    let mut stops: Vec<u64> = Vec::new();
    for id in words.iter().filter_map(|word| word.strip_prefix("stop ")) {
        let (at, dynamic) = order.of[id];
        assert!(stops.last().is_none_or(|last| *last > at), "{words:?} is not the reverse order");
        stops.push(at);
        let later = paper.live.iter().filter(|(other, _)| order.of[other.as_str()].0 > at);
        for (other, live) in later {
            assert!(live.told, "{id} was told to stop before {other}");
            assert!(dynamic && strategy == Strategy::OneForOne, "{id} was told while {other} lives");
        }
    }
}

struct Run {
    paper: Paper,
    order: Order,
    strategy: Strategy,
}

impl Run {
    fn new(strategy: Strategy, max_restarts: u32, statics: &[Restart]) -> Self {
        let mut order = Order::default();
        let members: Vec<_> = statics
            .iter()
            .enumerate()
            .map(|(n, restart)| {
                let id = format!("s{n}");
                order.insert(&id, false);
                member(&id, *restart)
            })
            .collect();
        let mut paper = Paper::new(policy(strategy, max_restarts), members);
        paper.start();
        Self { paper, order, strategy }
    }

    fn pick(&self, at: &prop::sample::Index) -> Option<String> {
        let live: Vec<_> = self.paper.live.keys().collect();
        (!live.is_empty()).then(|| at.get(&live).to_string())
    }

    fn apply(&mut self, event: &Event) {
        let words = match event {
            Event::Up(at) => match self.pick(at).filter(|id| !self.paper.live[id.as_str()].up) {
                Some(id) => self.paper.up(&id),
                None => return,
            },
            Event::Exit(at, reason) => match self.pick(at) {
                Some(id) => self.paper.exit(&id, &all_reasons()[*reason]),
                None => return,
            },
            Event::Stale(at, before) => match self.pick(at) {
                Some(id) => {
                    let incarnation = self.paper.live[id.as_str()].incarnation + 1 + before;
                    let words = self.paper.stale_exit(&id, incarnation, &ExitReason::Hung);
                    assert!(words.is_empty(), "{words:?}");
                    return;
                }
                None => return,
            },
            Event::Advance(ms) => self.paper.after(Duration::from_millis(*ms)),
            Event::Add(id, restart) => {
                let id = format!("d{id}");
                match self.paper.add(member(&id, *restart)) {
                    Ok(words) => {
                        self.order.insert(&id, true);
                        words
                    }
                    Err(_) => return,
                }
            }
            // A removal stops its child whatever the order is.
            Event::Remove(id) => {
                let _ = self.paper.remove(&format!("d{id}"));
                return;
            }
            Event::RemoveStatic(id) => {
                let _ = self.paper.remove(&format!("s{id}"));
                return;
            }
        };
        check_stops(&self.paper, &self.order, self.strategy, &words);
        self.check_intensity();
    }

    fn check_intensity(&self) {
        let granted = &self.paper.granted;
        let limit = self.paper.core.policy.intensity.max_restarts as usize;
        for (n, first) in granted.iter().enumerate() {
            let inside = granted[n..].iter().filter(|t| **t - *first < WINDOW).count();
            assert!(inside <= limit, "{inside} restarts in a window, {limit} are allowed");
        }
    }

    /// Answers everything the core asks for and lets time pass, until it asks for nothing more.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let mut words = self.paper.bring_up();
            let told: Vec<_> =
                self.paper.live.iter().filter(|(_, live)| live.told).map(|(id, _)| id.clone()).collect();
            for id in &told {
                let more = self.paper.exit(id.as_str(), &ExitReason::Normal);
                check_stops(&self.paper, &self.order, self.strategy, &more);
                words.extend(more);
            }
            if let Some(at) = self.paper.core.next_timer() {
                words.extend(self.paper.after(at.saturating_duration_since(self.paper.now)));
            } else if words.is_empty() && told.is_empty() {
                return;
            }
        }
        panic!("the core never comes to rest: {:?}", self.paper.core);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn restarts_stay_within_the_intensity_and_stops_are_the_reverse_of_starts(
        strategy in prop::sample::select(ALL_STRATEGIES.to_vec()),
        max_restarts in 0u32..8,
        statics in prop::collection::vec(restart(), 0..5),
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut run = Run::new(strategy, max_restarts, &statics);
        for event in &events {
            run.apply(event);
        }
        run.settle();
        if run.paper.outcome.is_none() {
            // At rest every child that is to live lives: nothing was forgotten on the way.
            let at_rest = run.paper.core.slots.values().all(|slot| matches!(
                slot.phase, super::Phase::Running | super::Phase::Ended
            ));
            prop_assert!(at_rest, "{:?}", run.paper.core);
            let permanent_gone = run.paper.core.slots.values().any(|slot| {
                slot.member.restart == Restart::Permanent && slot.phase == super::Phase::Ended
            });
            prop_assert!(!permanent_gone, "{:?}", run.paper.core);
        }
    }

    #[test]
    fn a_shutdown_at_any_moment_comes_to_its_end(
        strategy in prop::sample::select(ALL_STRATEGIES.to_vec()),
        max_restarts in 0u32..8,
        statics in prop::collection::vec(restart(), 0..5),
        events in prop::collection::vec(event(), 0..40),
        later in prop::collection::vec(event(), 0..20),
    ) {
        let mut run = Run::new(strategy, max_restarts, &statics);
        for event in &events {
            run.apply(event);
        }
        let granted = run.paper.granted.len();
        let words = run.paper.shutdown();
        check_stops(&run.paper, &run.order, strategy, &words);
        for event in &later {
            run.apply(event);
        }
        run.settle();
        prop_assert!(run.paper.outcome.is_some());
        prop_assert_eq!(run.paper.granted.len(), granted, "a restart was granted after the shutdown");
        prop_assert!(run.paper.live.is_empty());
    }

    #[test]
    fn nobody_outlives_the_shutdown_deadline_unkilled(
        strategy in prop::sample::select(ALL_STRATEGIES.to_vec()),
        statics in prop::collection::vec(restart(), 1..5),
    ) {
        let mut run = Run::new(strategy, 3, &statics);
        run.paper.bring_up();
        run.paper.shutdown();
        // Nobody obeys: each is killed at its deadline, and only then does the next one learn of it.
        for _ in 0..statics.len() {
            let killed = run.paper.after(DEADLINE);
            let victim = killed[0].strip_prefix("kill ").unwrap().to_owned();
            run.paper.exit(&victim, &ExitReason::Aborted);
        }
        prop_assert!(run.paper.outcome.is_some());
    }
}
