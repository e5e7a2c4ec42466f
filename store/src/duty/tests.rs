//! Goal: a duty is held by one at a time, its loss is told, and waiting for it is as short as it can be. Method: two
//! books on one real database.

#![expect(clippy::disallowed_methods, reason = "leases live by real time")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use base::SystemClock;
use tokio::sync::mpsc;

use super::*;
use crate::testing::{self, TestDatabase, database};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(400);

fn book(database: &TestDatabase, name: &str, life: Duration) -> LeaseBook {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), name.into(), life)
}

/// Keeps a duty in a task; what is told comes out.
fn keeping(book: &LeaseBook) -> mpsc::Receiver<Tidings> {
    let (sender, told) = mpsc::channel(4);
    let tell = move |tidings| {
        let sender = sender.clone();
        async move { sender.send(tidings).await.is_ok() }
    };
    tokio::spawn(keep(book.clone(), "duty".into(), tell));
    told
}

fn held(tidings: Option<Tidings>) -> Lease {
    match tidings {
        Some(Tidings::Held(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duty_passes_on_when_it_is_given_back_and_its_loss_is_told() {
    let database = database().await;
    let wake = testing::listening(&database.store).await;
    let (first, second) = (book(&database, "first", LONG), book(&database, "second", LONG));
    second.wake_by(&wake);
    let mut of_first = keeping(&first);
    let lease = held(of_first.recv().await);
    let mut of_second = keeping(&second);
    // waits, however long; the other tells its end itself
    give_back(lease).await;
    assert!(matches!(of_first.recv().await, Some(Tidings::Lost)));
    assert!(of_first.recv().await.is_none(), "nothing comes after the loss");
    let lease = held(of_second.recv().await);
    assert!(lease.is_valid());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_one_left_is_taken_when_it_runs_out_and_not_later() {
    let database = database().await;
    let (dead, second) = (book(&database, "dead", SHORT), book(&database, "second", LONG));
    let left = dead.acquire("duty", LONG).await.unwrap();
    let standing_by = AtomicBool::new(false);
    let began = tokio::time::Instant::now();
    let lease = hold(&second, "duty", || standing_by.store(true, Ordering::Relaxed)).await.unwrap();
    let took = began.elapsed();
    assert!(lease.fence().token > left.fence().token);
    assert!(!standing_by.load(Ordering::Relaxed), "nobody renewed it: its owner does not live");
    assert!(took < SHORT * 3, "it ran out after {SHORT:?} and was taken after {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_one_that_lives_says_so_once() {
    let database = database().await;
    let (first, second) = (book(&database, "first", SHORT), book(&database, "second", SHORT));
    let lease = first.acquire("duty", LONG).await.unwrap();
    let said = std::sync::Arc::new(Mutex::new(0));
    let counter = std::sync::Arc::clone(&said);
    let waiting = tokio::spawn(async move { hold(&second, "duty", || *counter.lock().unwrap() += 1).await });
    while *said.lock().unwrap() == 0 {
        first.renew().await.unwrap();
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        first.renew().await.unwrap();
    }
    assert!(!waiting.is_finished());
    give_back(lease).await;
    let taken = waiting.await.unwrap().unwrap();
    assert!(taken.is_valid());
    assert_eq!(*said.lock().unwrap(), 1);
}
