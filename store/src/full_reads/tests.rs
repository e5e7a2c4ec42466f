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
    for (n, target) in [(2, Target::NotLocated), (3, Target::NotInUse), (4, Target::Unknown)] {
        assert_eq!(database.store.target(&mail(n)).await.unwrap(), target, "{n}");
    }
    let located = database.store.target(&mail(1)).await.unwrap();
    let Target::Located { endpoint, account, looked_up_at } = located else { panic!("{located:?}") };
    assert_eq!((endpoint.as_str(), account), ("https://a/EWS", None));
    let client = database.store.client("test").await.unwrap();
    let row = client.query_one("select $1 <= clock_timestamp()", &[&looked_up_at]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    // several at once: in their order, and who is asked about twice is answered twice
    for (table, columns, n) in [
        ("calendar_event", "(mail, origin_id) values ($1, 'a key')", 1),
        ("series", "(mail, uid, item_id) values ($1, 'U', 'M')", 2),
    ] {
        client.execute(&format!("insert into {table} {columns}"), &[&mail(n).as_str()]).await.unwrap();
    }
    let asked: Vec<MailAddress> = [4, 3, 2, 1, 3].map(mail).into();
    let begun = database.store.begin_full_reads(&asked.iter().collect::<Vec<_>>()).await.unwrap();
    let told = |one: &Beginning| (std::mem::discriminant(&one.target), one.is_new);
    let located = Target::Located { endpoint: String::new(), account: None, looked_up_at };
    let expected = [
        (Target::Unknown, true),
        (Target::NotInUse, true),
        (Target::NotLocated, false),
        (located, false),
        (Target::NotInUse, true),
    ];
    let expected = expected.map(|(target, is_new)| (std::mem::discriminant(&target), is_new));
    assert_eq!(begun.iter().map(told).collect::<Vec<_>>(), expected);
    assert!(database.store.begin_full_reads(&[]).await.unwrap().is_empty());
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

fn nightly() -> (DailyTimes, TimeZone) {
    (DailyTimes::once_at(jiff::civil::time(2, 0, 0, 0)), TimeZone::get("Europe/Copenhagen").unwrap())
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_scheduled_time_is_one_pull_whoever_asks() {
    let database = database().await;
    let fence = fence(&database).await;
    for n in 1..=4 {
        resource(&database, n, if n == 4 { "deleted_date = now()" } else { "" }).await;
    }
    let every: Vec<i16> = (0..64).collect();
    let (times, zone) = nightly();
    let look = async |buckets: &[i16], now: &str| {
        let store = &database.store;
        store.ask_for_scheduled_full_reads(&fence, buckets, &times, &zone, instant(now)).await.unwrap()
    };
    // the first start ever has missed nothing
    let first = look(&every, "2026-06-10T12:00:00Z").await;
    assert_eq!((first.ran, first.last_run), (false, instant("2026-06-10T12:00:00Z")));
    assert!(!look(&every, "2026-06-10T23:59:59Z").await.ran, "before its time");
    let run = look(&every, "2026-06-11T00:00:00Z").await;
    assert_eq!((run.ran, run.mailboxes, run.last_run), (true, 3, instant("2026-06-11T00:00:00Z")));
    assert!(!look(&every, "2026-06-11T00:00:01Z").await.ran, "a successor asks again");
    assert_eq!(waiting(&database).await, 3);
    let client = database.store.client("test").await.unwrap();
    client.batch_execute("delete from notification").await.unwrap();
    // down for five days: one run makes up for all; other cuts of the shards change nothing
    let (one, others): (Vec<i16>, Vec<i16>) =
        every.iter().partition(|bucket| **bucket == i16::from(mail(1).bucket()));
    assert_eq!(look(&one, "2026-06-16T10:00:00Z").await.mailboxes, 1);
    let all = look(&every, "2026-06-16T10:00:05Z").await;
    assert_eq!((all.ran, all.mailboxes, all.last_run), (true, 2, instant("2026-06-16T10:00:00Z")));
    assert!(!look(&others, "2026-06-16T10:00:06Z").await.ran);
    assert_eq!(waiting(&database).await, 3);
    // the clock was set back: nothing is asked twice
    assert!(!look(&every, "2026-06-15T10:00:00Z").await.ran);
    let old = Fence { token: fence.token - 1, ..fence.clone() };
    let now = instant("2026-07-01T00:00:00Z");
    let refused = database.store.ask_for_scheduled_full_reads(&old, &every, &times, &zone, now).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
}

/// Regression: runs recorded while the clock was a month ahead silenced the pull for that month.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_from_the_future_stops_no_pull() {
    let database = database().await;
    resource(&database, 1, "").await;
    let fence = fence(&database).await;
    let every: Vec<i16> = (0..64).collect();
    let (times, zone) = nightly();
    let look = async |now: &str| {
        let store = &database.store;
        store.ask_for_scheduled_full_reads(&fence, &every, &times, &zone, instant(now)).await.unwrap()
    };
    look("2026-07-10T12:00:00Z").await;
    let first = look("2026-06-10T12:00:00Z").await;
    assert_eq!((first.ran, first.last_run), (false, instant("2026-06-10T12:00:00Z")));
    assert!(look("2026-06-11T00:00:00Z").await.ran);
    assert!(!look("2026-06-11T00:00:01Z").await.ran, "once");
    // a clock that is put right by less than an hour repeats nothing
    assert!(!look("2026-06-10T23:10:00Z").await.ran);
    assert!(!look("2026-06-11T00:00:00Z").await.ran);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_look_at_the_schedule_at_once_ask_once() {
    let database = database().await;
    resource(&database, 1, "").await;
    let fence = fence(&database).await;
    let every: Vec<i16> = (0..64).collect();
    let (times, zone) = nightly();
    let look = async |now: &str| {
        let store = &database.store;
        store.ask_for_scheduled_full_reads(&fence, &every, &times, &zone, instant(now)).await.unwrap()
    };
    look("2026-06-10T12:00:00Z").await;
    for day in 11..20 {
        let now = format!("2026-06-{day}T00:00:00Z");
        let (a, b) = tokio::join!(look(&now), look(&now));
        assert_eq!(u8::from(a.ran) + u8::from(b.ran), 1, "{day}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_demand_for_all_or_for_one() {
    let database = database().await;
    for n in 1..=3 {
        resource(&database, n, if n == 3 { "deleted_date = now()" } else { "" }).await;
    }
    let ask = async |scope: Scope| database.store.ask_for_full_reads(&scope, at(0)).await.unwrap();
    assert_eq!(ask(Scope::One(mail(3))).await, 0, "not in use");
    assert_eq!(ask(Scope::One(mail(9))).await, 0, "unknown");
    assert_eq!(ask(Scope::One(mail(1))).await, 1);
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute("update notification set next_attempt_at = now() + interval '1 hour'")
        .await
        .unwrap();
    // the one that waits for another try is put forward, not doubled
    assert_eq!(ask(Scope::All).await, 2);
    assert_eq!(waiting(&database).await, 2);
    let put_off = "select count(*) from notification where next_attempt_at is not null";
    assert_eq!(client.query_one(put_off, &[]).await.unwrap().get::<_, i64>(0), 0);
}
