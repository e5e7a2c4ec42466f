//! Goal: the picture changes when the stream does and not otherwise; the last picture stands in the database, also after
//! the database was away, and whoever lost the group writes no more. Method: the picture alone; the task on a real database.

use std::time::Duration;

use base::SystemClock;
use store::lease::LeaseBook;
use store::testing::database;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

#[test]
fn the_picture_changes_with_the_stream() {
    use StreamEvent as E;
    let mut picture = Picture::default();
    // when, what, its code; what is written: open, since when, what
    for (second, event, code, written) in [
        (0, E::Begun, None, Some((false, 0, "begun"))),
        (1, E::Away, Some("timeout"), Some((false, 0, "away"))),
        (2, E::Away, Some("timeout"), None),
        (3, E::Away, Some("HTTP 503"), Some((false, 0, "away"))),
        (4, E::Withdrawn, None, None),
        (5, E::Opened, None, Some((true, 5, "opened"))),
        (6, E::Opened, None, Some((true, 6, "opened"))),
        (7, E::Closed, None, Some((false, 7, "closed"))),
        (8, E::Opened, None, Some((true, 8, "opened"))),
        (9, E::Withdrawn, None, Some((false, 9, "withdrawn"))),
        (10, E::Failed, Some("ErrorAccessDenied"), Some((false, 9, "failed"))),
        (11, E::Silent, None, Some((false, 9, "silent"))),
        (12, E::NotServed, Some("ErrorSubscriptionNotFound"), Some((false, 9, "not_served"))),
        (13, E::NotServed, Some("ErrorSubscriptionNotFound"), None),
    ] {
        let state = picture.happened(event, code, at(second));
        let seen = state.as_ref().map(|state| (state.open, state.since, state.happening.as_str()));
        assert_eq!(seen, written.map(|(open, since, what)| (open, at(since), what)), "at {second}");
        if let Some(state) = state {
            assert_eq!((state.code.as_deref(), state.happened_at), (code, at(second)), "at {second}");
        }
    }
}

/// Waits until the database tells this of the one group.
async fn told(store: &Store, what: &str) {
    let mut last = String::new();
    for _ in 0..1_500 {
        last = match store.work().await {
            Ok(work) => format!("{:?}", work.groups[0].stream.as_ref().map(|state| state.happening.clone())),
            Err(error) => error.to_string(),
        };
        if last == format!("Some({what:?})") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}: {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_picture_stands_in_the_database() {
    let database = database().await;
    let store = &database.store;
    let sql = async |statement: &str| {
        store.client("test").await.unwrap().batch_execute(statement).await.unwrap();
    };
    sql("insert into subscription (id, endpoint, grouping_value, ordinal) overriding system value \
         values (1, 'https://ex', 'g', 1)")
    .await;
    let group = GroupId::new(1);
    let book = LeaseBook::new(store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60));
    let lease = book.acquire(&store::shares::group_lease(group), Duration::from_secs(5)).await.unwrap();
    let mut record = Record::start(&Handle::current(), store.clone(), lease.fence(), group);
    record.happened(StreamEvent::Begun, None, at(0));
    told(store, "begun").await;
    record.happened(StreamEvent::Opened, None, at(1));
    record.happened(StreamEvent::Failed, Some("no connection"), at(2));
    told(store, "failed").await;

    // the database breaks off; it is written when that is over, and nothing needs to happen for it
    let other = store.client("test").await.unwrap();
    other.batch_execute("begin; lock table group_stream in exclusive mode").await.unwrap();
    record.happened(StreamEvent::Opened, None, at(3));
    // not from within the transaction: that sees the connections as they were at its first look
    let watcher = store.client("test").await.unwrap();
    let mut broken_off = 0;
    for _ in 0..1_500 {
        let waiting = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                       where wait_event_type = 'Lock' and query like '%insert into group_stream%'";
        broken_off = watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0);
        if broken_off > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(broken_off, 1, "it waits for the table");
    other.batch_execute("rollback").await.unwrap();
    told(store, "opened").await;
    record.happened(StreamEvent::Closed, None, at(4));
    told(store, "closed").await;

    // somebody else has the group: the task ends, and what happens here is told to nobody
    sql("update lease set token = token + 1").await;
    record.happened(StreamEvent::Opened, None, at(5));
    for _ in 0..1_500 {
        if record.latest.is_closed() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(record.latest.is_closed(), "the task has ended");
    record.happened(StreamEvent::Closed, None, at(6));
    let row = other.query_one("select happening from group_stream", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "closed");
}
