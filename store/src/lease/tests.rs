//! Goal: two owners are never both able to write under one lease. Method: two books on one real database,
//! short lives, every path by which a lease changes hands.

use super::*;
use crate::testing::{TestDatabase, database};
use base::SystemClock;

const LIFE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(10);

fn book(database: &TestDatabase, owner: &str, life: Duration) -> LeaseBook {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), owner.into(), life)
}

async fn write(store: &Store, fence: &Fence) -> Result<(), StoreError> {
    let mut client = store.client("test").await?;
    let transaction = client.transaction().await.map_err(StoreError::query("test"))?;
    guard(&transaction, fence).await?;
    crate::state::put(&transaction, "written by", &fence.token.to_string()).await?;
    transaction.commit().await.map_err(StoreError::query("test"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_handed_back_and_taken_with_a_greater_token() {
    let database = database().await;
    let (first, second) = (book(&database, "first", PATIENCE), book(&database, "second", PATIENCE));
    let held = first.acquire("group/1", PATIENCE).await.unwrap();
    assert!(held.is_valid());
    write(&database.store, &held.fence()).await.unwrap();
    let refused = second.acquire("group/1", Duration::ZERO).await;
    assert!(matches!(refused, Err(StoreError::LeaseTaken { .. })), "{refused:?}");
    let old = held.fence();
    held.release().await.unwrap();
    let taken = second.acquire("group/1", PATIENCE).await.unwrap();
    assert!(taken.fence().token > old.token);
    assert!(matches!(write(&database.store, &old).await, Err(StoreError::LeaseLost { .. })));
    write(&database.store, &taken.fence()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_not_renewed_runs_out_for_its_owner_before_another_can_have_it() {
    let database = database().await;
    let (first, second) = (book(&database, "first", LIFE), book(&database, "second", LIFE));
    let held = first.acquire("group/1", PATIENCE).await.unwrap();
    held.lost().await;
    assert!(!held.is_valid());
    let taken = second.acquire("group/1", PATIENCE).await.unwrap();
    assert!(matches!(write(&database.store, &held.fence()).await, Err(StoreError::LeaseLost { .. })));
    // the first owner's renewal does not bring it back
    assert_eq!(first.renew().await.unwrap(), 0);
    assert!(taken.is_valid());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewing_keeps_a_lease_beyond_its_life() {
    let database = database().await;
    let first = book(&database, "first", LIFE);
    let held = first.acquire("group/1", PATIENCE).await.unwrap();
    let second = book(&database, "second", LIFE);
    let rival = tokio::spawn(async move { second.acquire("group/1", LIFE * 3).await.map(|_| ()) });
    while !rival.is_finished() {
        assert_eq!(first.renew().await.unwrap(), 1);
        tokio::task::yield_now().await;
    }
    assert!(matches!(rival.await.unwrap(), Err(StoreError::LeaseTaken { .. })));
    assert!(held.is_valid());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_passes_a_guarded_write_and_a_take_over_waits_for_it() {
    let database = database().await;
    let (first, second) = (book(&database, "first", LIFE), book(&database, "second", LIFE));
    let held = first.acquire("group/1", PATIENCE).await.unwrap();
    let mut client = database.store.client("test").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    guard(&transaction, &held.fence()).await.unwrap();
    // must not block on the open transaction
    assert_eq!(first.renew().await.unwrap(), 1);
    held.lost().await;
    let taker = tokio::spawn(async move { second.acquire("group/1", PATIENCE).await });
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    let observer = database.store.client("test").await.unwrap();
    while observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!taker.is_finished(), "took over past a guarded write");
        tokio::task::yield_now().await;
    }
    transaction.commit().await.unwrap();
    assert!(taker.await.unwrap().unwrap().fence().token > held.fence().token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_actor_of_the_same_process_gets_a_token_of_its_own() {
    let database = database().await;
    let first = book(&database, "first", PATIENCE);
    let before = first.acquire("group/1", PATIENCE).await.unwrap();
    let after = first.acquire("group/1", PATIENCE).await.unwrap();
    before.lost().await;
    assert!(after.is_valid());
    assert!(matches!(write(&database.store, &before.fence()).await, Err(StoreError::LeaseLost { .. })));
    write(&database.store, &after.fence()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wake_ups_arrive_and_come_again_after_the_connection_was_cut() {
    let database = database().await;
    let wake = wake::Wake::start(database.store.clone());
    let mut news = wake.subscribe(Channel::Decision);
    news.changed().await.unwrap(); // listening now
    let mut client = database.store.client("test").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    wake::notify(&transaction, Channel::Decision).await.unwrap();
    assert!(!news.has_changed().unwrap(), "before the commit");
    transaction.commit().await.unwrap();
    news.changed().await.unwrap();
    client
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and query like 'listen %'",
            &[],
        )
        .await
        .unwrap();
    news.changed().await.unwrap(); // woken by the new connection itself
}
