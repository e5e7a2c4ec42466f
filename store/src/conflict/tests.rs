//! Goal: two transactions that change the same resources do not wait for each other, and one that lost a race all the
//! same is made again and is no outage. Method: two real connections, the other one's steps made by hand.

use std::time::Duration;

use base::SystemClock;
use calendar::MailAddress;

use super::testing::until_waiting;
use crate::StoreError;
use crate::lease::{Lease, LeaseBook};
use crate::resources::ResourceFailure;
use crate::testing::{TestDatabase, database};

async fn world() -> (TestDatabase, Lease) {
    let database = database().await;
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker)
             select m || '@sim.test', 0, '', '', true from unnest(array['c', 'b', 'a']) m",
        )
        .await
        .unwrap();
    let book =
        LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60));
    let lease = book.acquire("listener", Duration::ZERO).await.unwrap();
    (database, lease)
}

fn failures(names: &str) -> Vec<(MailAddress, ResourceFailure)> {
    let failure = ResourceFailure { code: "C".into(), description: String::new(), retry_after: None };
    names
        .chars()
        .map(|name| (MailAddress::parse(&format!("{name}@sim.test")).unwrap(), failure.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_several_resources_takes_them_in_the_order_of_their_addresses() {
    let (database, lease) = world().await;
    let mut other = database.store.client("test").await.unwrap();
    let tx = other.transaction().await.unwrap();
    let touch = "update planner_resource set name = 'x' where mail = $1";
    tx.execute(touch, &[&"a@sim.test"]).await.unwrap();
    let (store, fence) = (database.store.clone(), lease.fence());
    let writing = tokio::spawn(async move { store.failed(&fence, &failures("cba")).await });
    until_waiting(&database.store).await;
    // it has none of the others yet, and this is no deadlock
    tx.batch_execute("set local lock_timeout = '500ms'").await.unwrap();
    for mail in ["b@sim.test", "c@sim.test"] {
        tx.execute(touch, &[&mail]).await.unwrap();
    }
    tx.commit().await.unwrap();
    writing.await.unwrap().unwrap();
    let count = "select sum(error_count) from planner_resource";
    assert_eq!(other.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_race_is_made_again_at_once_and_that_is_no_failure() {
    let (database, lease) = world().await;
    let mut other = database.store.client("test").await.unwrap();
    let tx = other.transaction().await.unwrap();
    // the other one never looks for deadlocks, so the product's transaction is the one that loses
    tx.batch_execute("set local deadlock_timeout = '1h'").await.unwrap();
    tx.execute("update planner_resource set name = 'x' where mail = 'a@sim.test'", &[]).await.unwrap();
    let (store, fence) = (database.store.clone(), lease.fence());
    let writing = tokio::spawn(async move { store.failed(&fence, &failures("a")).await });
    until_waiting(&database.store).await;
    // it waits for the resource and keeps its lease: crosswise
    tx.execute("select from lease where key = 'listener' for update", &[]).await.unwrap();
    tx.commit().await.unwrap();
    writing.await.unwrap().unwrap();
    let count = "select error_count from planner_resource where mail = 'a@sim.test'";
    assert_eq!(other.query_one(count, &[]).await.unwrap().get::<_, i32>(0), 1, "made once in the end");
}

#[tokio::test]
async fn who_loses_every_race_says_so_in_the_end_and_other_errors_are_not_tried_again() {
    let database = database().await;
    let client = database.store.client("test").await.unwrap();
    let mut tried = 0;
    let lost = super::again(|| {
        tried += 1;
        let raise = client.batch_execute("do $$ begin raise sqlstate '40P01'; end $$");
        async { raise.await.map_err(StoreError::query("test")) }
    })
    .await
    .unwrap_err();
    assert!(lost.is_conflict() && lost.is_outage(), "{lost:?}");
    assert_eq!(lost.disposition(), base::Disposition::Retry { after: Some(Duration::ZERO) });
    assert_eq!(tried, 4);
    tried = 0;
    let wrong = super::again(|| {
        tried += 1;
        let raise = client.batch_execute("do $$ begin raise sqlstate '22012'; end $$");
        async { raise.await.map_err(StoreError::query("test")) }
    })
    .await
    .unwrap_err();
    assert!(!wrong.is_conflict() && !wrong.is_outage());
    assert_eq!(tried, 1);
}
