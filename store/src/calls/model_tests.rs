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
    open: Vec<CallStart>,
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
        let process = &mut processes[index];
        match random.random_range(0..100) {
            // asks; a call that is granted is at Planner at once, or its process is killed before it left
            0..50 => {
                let operation = if random.random() { "GetEvents" } else { "GetResources" };
                let call = ReadCall { operation, mail: None, mailboxes: 1, lifetime: LIFE };
                if let Permit::Granted(start) = process.book.begin(&process.fence, &call).await.unwrap()
                    && random.random_bool(0.9)
                {
                    let passed = clock.monotonic().saturating_duration_since(began);
                    observer.arrive(skipped + passed.as_secs_f64());
                    process.open.push(start);
                }
            }
            // is answered
            50..75 => {
                if let Some(call) = process.open.pop() {
                    observer.open -= 1;
                    process.book.end(call.id, &CallEnd::default()).await.unwrap();
                }
            }
            // dies with its calls, and is followed by another
            75..80 => {
                observer.open -= u32::try_from(process.open.len()).unwrap();
                process.open.clear();
                process.fence = fence(store, &format!("duty {index}")).await;
            }
            // time passes; calls end by their deadline at the latest, as the connector ends them
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
                let over = "select call_id from service_call_reference_log where ended_at is null and deadline <= now()";
                let client = store.client("test").await.unwrap();
                let over: Vec<Uuid> =
                    client.query(over, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
                for process in &mut processes {
                    let before = process.open.len();
                    process.open.retain(|call| !over.contains(&call.id));
                    observer.open -= u32::try_from(before - process.open.len()).unwrap();
                }
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
