//! Goal: the persisted budget holds in any 60 s as Planner sees it, whatever several processes do: ask at random, answer
//! soon or late, die with calls in flight, take each other's leases over. Method: the real database and several books;
//! time passes by moving everything that was recorded into the past, and an observer notes each arrival by that time.
//! The seed is printed.

use base::{Clock as _, SystemClock};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::outbox::testing::{fence, sql};
use crate::testing::database;

const CALLS: u32 = 7;
const SLOTS: u32 = 3;
const PROCESSES: usize = 3;
const LIFE: Duration = Duration::from_secs(20);

/// Planner's own view, in seconds of the test's time.
#[derive(Debug, Default)]
struct Observer {
    arrivals: Vec<f64>,
    open: u32,
    most_in_a_minute: usize,
}

impl Observer {
    fn arrive(&mut self, now: f64) {
        self.arrivals.push(now);
        self.open += 1;
        let in_a_minute = self.arrivals.iter().filter(|at| now - **at < 60.0).count();
        self.most_in_a_minute = self.most_in_a_minute.max(in_a_minute);
        assert!(in_a_minute <= CALLS as usize, "{in_a_minute} calls in a minute at {now}");
        assert!(self.open <= SLOTS, "{} calls open", self.open);
    }
}

struct Process {
    book: CallBook,
    fence: Fence,
    open: Vec<Open>,
}

struct Open {
    call: CallStart,
    /// When its process ends it at the latest: counted, as the connector does, from before the permit was asked for,
    /// and so never after the deadline that the database knows.
    ends: f64,
}

/// Takes those away that their processes have ended by now.
fn end_overdue(processes: &mut [Process], observer: &mut Observer, now: f64) {
    for process in processes {
        let before = process.open.len();
        process.open.retain(|open| open.ends > now);
        observer.open -= u32::try_from(before - process.open.len()).unwrap();
    }
}

#[tokio::test]
async fn in_any_minute_as_planner_sees_it_the_budget_holds() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let database = database().await;
    let store = &database.store;
    let limits =
        CallLimits { simultaneous_calls: SLOTS, calls_per_minute: Some(CALLS), events_per_minute: None };
    let mut processes = Vec::new();
    for n in 0..PROCESSES {
        let fence = fence(store, &format!("duty {n}")).await;
        processes.push(Process { book: CallBook::new(store.clone(), limits), fence, open: Vec::new() });
    }
    let mut observer = Observer::default();
    // the test's time: what was skipped, and what really passed
    let clock = SystemClock;
    let (mut skipped, began) = (0.0, clock.monotonic());
    for _ in 0..400 {
        let index = random.random_range(0..PROCESSES);
        let now = || skipped + clock.monotonic().saturating_duration_since(began).as_secs_f64();
        end_overdue(&mut processes, &mut observer, now());
        let process = &mut processes[index];
        match random.random_range(0..100) {
            // asks; a call that is granted is at Planner at once, or its process is killed before it left
            0..50 => {
                let operation = if random.random() { "GetEvents" } else { "GetResources" };
                let call = ReadCall { operation, mail: None, mailboxes: 1, lifetime: LIFE };
                let ends = now() + LIFE.as_secs_f64();
                if let Permit::Granted(call) = process.book.begin(&process.fence, &call).await.unwrap()
                    && random.random_bool(0.9)
                {
                    let at = now();
                    // some may have ended while this one asked: the database knew of their deadlines
                    end_overdue(&mut processes, &mut observer, at);
                    observer.arrive(at);
                    processes[index].open.push(Open { call, ends });
                }
            }
            // is answered
            50..75 => {
                if let Some(open) = process.open.pop() {
                    observer.open -= 1;
                    process.book.end(open.call.id, &CallEnd::default()).await.unwrap();
                }
            }
            // dies with its calls, and is followed by another
            75..80 => {
                observer.open -= u32::try_from(process.open.len()).unwrap();
                process.open.clear();
                process.fence = fence(store, &format!("duty {index}")).await;
            }
            // time passes
            _ => {
                let seconds: f64 = random.random_range(0.1..12.0);
                skipped += seconds;
                sql(
                    store,
                    &format!(
                        "update service_call_reference_log set started_at = started_at - interval '{seconds} s', \
                             deadline = deadline - interval '{seconds} s', ended_at = ended_at - interval '{seconds} s'"
                    ),
                )
                .await;
            }
        }
    }
    assert!(observer.arrivals.len() > 20, "{observer:?}");
    // bulk work leaves a fifth free for live changes, unless room is back before they could need it
    assert!(
        observer.most_in_a_minute >= CALLS as usize - 1,
        "the budget is used: {}",
        observer.most_in_a_minute
    );
}
