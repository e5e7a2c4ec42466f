//! Goal: full reads are asked for once for each mailbox in use, when told and when settings changed, also
//! when the shards are cut differently. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;

use super::*;
use crate::lease::LeaseBook;
use crate::testing::{TestDatabase, database};

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

async fn fence(database: &TestDatabase) -> Fence {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60))
        .acquire("qualifier/0", Duration::from_secs(5))
        .await
        .unwrap()
        .fence()
}

async fn resource(database: &TestDatabase, n: u32, more: &str) {
    let client = database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker) values ($1, $2, 'n', 'r', true)",
            &[&mail(n).as_str(), &i16::from(mail(n).bucket())],
        )
        .await
        .unwrap();
    if !more.is_empty() {
        client
            .execute(&format!("update planner_resource set {more} where mail = $1"), &[&mail(n).as_str()])
            .await
            .unwrap();
    }
}

async fn waiting(database: &TestDatabase) -> i64 {
    let client = database.store.client("test").await.unwrap();
    client
        .query_one("select count(*) from notification where event_type = 'FullRead'", &[])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets() {
    let database = database().await;
    resource(&database, 1, "endpoint = 'https://a/EWS'").await;
    resource(&database, 2, "").await;
    resource(&database, 3, "endpoint = 'https://a/EWS', deleted_date = now()").await;
    for (n, target) in [
        (1, Target::Located { endpoint: "https://a/EWS".into(), account: None }),
        (2, Target::NotLocated),
        (3, Target::NotInUse),
        (4, Target::Unknown),
    ] {
        assert_eq!(database.store.target(&mail(n)).await.unwrap(), target, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_for_when_told_and_when_settings_changed() {
    let database = database().await;
    let fence = fence(&database).await;
    for n in 1..=4 {
        resource(&database, n, if n == 4 { "deleted_date = now()" } else { "" }).await;
    }
    let every: Vec<i16> = (0..64).collect();
    let ask = async |buckets: &[i16], fingerprint: &str, all: bool| {
        database
            .store
            .ask_for_full_reads_at_start(&fence, buckets, fingerprint, all, at(0))
            .await
            .unwrap()
            .mailboxes
    };
    // the first start remembers the settings; nothing was decided with others
    assert_eq!(ask(&every, "months=3", false).await, 0);
    assert_eq!(ask(&every, "months=3", false).await, 0);
    // told to: all in use, and not twice
    assert_eq!(ask(&every, "months=3", true).await, 3);
    assert_eq!(ask(&every, "months=3", true).await, 0);
    let client = database.store.client("test").await.unwrap();
    client.batch_execute("delete from notification").await.unwrap();
    // other settings, shard by shard, and each bucket once
    let (one, others): (Vec<i16>, Vec<i16>) =
        every.iter().partition(|bucket| **bucket == i16::from(mail(1).bucket()));
    assert_eq!(ask(&one, "months=4", false).await, 1);
    assert_eq!(ask(&others, "months=4", false).await, 2);
    assert_eq!(ask(&every, "months=4", false).await, 0);
    assert_eq!(waiting(&database).await, 3);
    // one that is in hand is no reason not to ask again: it may have begun before
    client.batch_execute("update notification set claim = 1").await.unwrap();
    assert_eq!(ask(&every, "months=5", false).await, 3);
}
