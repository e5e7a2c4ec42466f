//! Goal: under any interleaving of two senders, decisions, answers, crashes and expiries, no key is ever in
//! two calls, no budget is exceeded, and in the end everything decided is acknowledged. Method: the real
//! database, several senders at once whose every step is drawn at random, and a Planner that is a map in
//! memory and watches what is in flight. Each run prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::testing::{decide, fence, key_row, number, resource, slot, sql};
use super::*;
use crate::calls::{CallBook, CallEnd, CallLimits, Permit};
use crate::lease::Fence;
use crate::testing::database;

const MAILS: [&str; 5] = ["a@x", "b@x", "c@x", "d@x", "e@x"];
const IDS: [&str; 4] = ["1", "2", "3", "4"];
/// As many as `planner.simultaneous_calls` allows at most.
const SIMULTANEOUS: usize = 10;

/// Planner in memory: what it holds, and what it is being asked at this moment.
#[derive(Debug, Default)]
struct Planner {
    held: BTreeMap<(String, String), Slot>,
    in_flight: BTreeSet<(String, String)>,
    calls: usize,
}

type Shared = Arc<Mutex<Planner>>;

fn arrive(planner: &Shared, call: &Reserved) {
    let mut planner = planner.lock().unwrap();
    planner.calls += 1;
    assert!(planner.calls <= SIMULTANEOUS, "too many calls in flight");
    for key in &call.keys {
        assert!(
            planner.in_flight.insert((key.mail.to_string(), key.origin_id.to_string())),
            "two calls for a key"
        );
    }
}

fn leave(planner: &Shared, call: &Reserved, done: bool) -> Vec<i32> {
    let mut planner = planner.lock().unwrap();
    planner.calls -= 1;
    let mut codes = Vec::new();
    for key in &call.keys {
        let name = (key.mail.to_string(), key.origin_id.to_string());
        planner.in_flight.remove(&name);
        let there = planner.held.contains_key(&name);
        codes.push(match call.operation {
            Operation::Create if there => 8,
            Operation::Update | Operation::Delete if !there => 10,
            Operation::Delete if done => {
                planner.held.remove(&name);
                0
            }
            _ if done => {
                planner.held.insert(name, key.slot);
                0
            }
            _ => 0,
        });
    }
    codes
}

fn outcome(operation: Operation, code: i32) -> Outcome {
    match (operation, code) {
        (Operation::Create, 8) => Outcome::Has,
        (Operation::Update, 10) => Outcome::Lacks,
        _ => Outcome::Acknowledged,
    }
}

fn told(call: &Reserved, outcomes: Vec<Outcome>) -> Answer {
    let keys = call.keys.iter().zip(outcomes).map(|(key, outcome)| KeyAnswer {
        origin_id: key.origin_id.clone(),
        outcome,
        receipt_code: None,
        text: None,
        calendar_event_identifier: None,
        planner_resource_identifier: None,
    });
    Answer {
        call_id: call.call_id,
        mail: call.mail.clone(),
        end: CallEnd::default(),
        keys: keys.collect(),
        adopt_after: None,
    }
}

async fn reserve_one(book: &CallBook, fence: &Fence, random: &mut StdRng) -> Option<Reserved> {
    let size = PageSize { mailboxes: 10, keys_per_mailbox: 10 };
    let page = book.store().pending_keys(Class::Live, "", size).await.unwrap();
    if page.keys.is_empty() {
        return None;
    }
    let pick = &page.keys[random.random_range(0..page.keys.len())];
    let keys: Vec<PendingKey> = page
        .keys
        .iter()
        .filter(|key| key.mail == pick.mail && key.operation == pick.operation)
        .take(random.random_range(1..=3))
        .cloned()
        .collect();
    let batch = Batch { mail: pick.mail.clone(), operation: pick.operation, class: Class::Live, keys };
    match book.reserve(fence, &batch, Duration::from_secs(600)).await.unwrap() {
        Permit::Granted(reserved) => reserved,
        Permit::Wait(_) => None,
    }
}

/// One sender: calls, answers of every kind, and a crash now and then (no answer is recorded; its deadline
/// passes when the connection is closed, as the connector's does).
async fn sender(book: CallBook, fence: Fence, planner: Shared, seed: u64, steps: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..steps {
        let Some(call) = reserve_one(&book, &fence, &mut random).await else {
            tokio::task::yield_now().await;
            continue;
        };
        arrive(&planner, &call);
        for _ in 0..random.random_range(0..5) {
            tokio::task::yield_now().await;
        }
        let fate: f64 = random.random();
        let done = fate < 0.85;
        let codes = leave(&planner, &call, done);
        let deletes = call.operation == Operation::Delete;
        let outcomes: Vec<Outcome> = if fate < 0.6 {
            codes.iter().map(|code| outcome(call.operation, *code)).collect()
        } else if !(0.75..0.9).contains(&fate) {
            call.keys.iter().map(|_| Outcome::Unknown { after: Duration::ZERO, own: false }).collect()
        } else {
            // a crash: nothing is recorded, and the deadline passes
            sql(
                book.store(),
                &format!(
                    "update key_in_flight set deadline = now() - interval '1 s' where call_id = '{}'; \
                          update service_call_reference_log set deadline = now() - interval '1 s' \
                          where call_id = '{}'",
                    call.call_id, call.call_id
                ),
            )
            .await;
            book.store().expire_calls(&fence, 9204, Duration::from_secs(60)).await.unwrap();
            continue;
        };
        book.answer(&fence, &told(&call, outcomes), deletes).await.unwrap();
    }
}

async fn decisions(store: Store, seed: u64, steps: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..steps {
        let mail = MAILS[random.random_range(0..MAILS.len())];
        let id = IDS[random.random_range(0..IDS.len())];
        let wanted = random.random_bool(0.7).then(|| slot(random.random_range(0..5)));
        decide(&store, mail, id, wanted).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_interleaving_puts_a_key_into_two_calls_and_all_converges() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let database = database().await;
    let store = &database.store;
    for mail in MAILS {
        resource(store, mail).await;
    }
    let fence = fence(store, "communicator").await;
    let limits = CallLimits {
        simultaneous_calls: u32::try_from(SIMULTANEOUS).unwrap(),
        calls_per_minute: None,
        events_per_minute: None,
    };
    let planner = Shared::default();
    let mut tasks = vec![tokio::spawn(decisions(store.clone(), seed, 150))];
    for n in 1..=12 {
        // books of their own, as in several processes: only the database keeps them apart
        let book = CallBook::new(store.clone(), limits);
        tasks.push(tokio::spawn(sender(book, fence.clone(), planner.clone(), seed ^ n, 60)));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // quiet now: an honest sender brings everything to its end
    let book = CallBook::new(store.clone(), limits);
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..500 {
        let Some(call) = reserve_one(&book, &fence, &mut random).await else { break };
        arrive(&planner, &call);
        let codes = leave(&planner, &call, true);
        let outcomes = codes.iter().map(|code| outcome(call.operation, *code)).collect();
        book.answer(&fence, &told(&call, outcomes), call.operation == Operation::Delete).await.unwrap();
    }
    assert_eq!(number(store, "select count(*) from calendar_event where pending").await, 0);
    assert_eq!(store.keys_in_flight().await.unwrap(), []);
    for mail in MAILS {
        for id in IDS {
            let Some(row) = key_row(store, mail, id).await else { continue };
            let held = planner.lock().unwrap().held.get(&(mail.to_owned(), id.to_owned())).copied();
            assert_eq!(row.acknowledged, held.map(Some), "{mail} {id}");
            assert!(!row.uncertain);
        }
    }
}
