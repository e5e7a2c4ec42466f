//! Goal: every notification that was stored is handed out, also after a crash between claiming and
//! finishing; what fails alone does not hold up the others; nothing is handled under a lost lease.
//! Method: a real database a test.

use std::time::Duration;

use base::SystemClock;

use super::*;
use crate::lease::{Lease, LeaseBook};
use crate::notifications::{NewNotification, NotificationKind};
use crate::operations::Scope;
use crate::testing::{TestDatabase, database};

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn hint(n: u32, item: &str) -> NewNotification {
    NewNotification {
        mail: mail(n),
        kind: NotificationKind::Moved,
        item_id: Some(ItemId::new(item)),
        old_item_id: Some(ItemId::new(format!("old {item}"))),
        exchange_timestamp: Some(at(0)),
        received_at: at(1),
        trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
    }
}

fn full_read(n: u32) -> NewNotification {
    NewNotification::full_read(mail(n), at(1), None)
}

async fn lease(database: &TestDatabase, key: &str) -> Lease {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60))
        .acquire(key, Duration::from_secs(5))
        .await
        .unwrap()
}

fn every_bucket() -> Vec<i16> {
    (0..i16::from(MailAddress::BUCKETS)).collect()
}

struct Shard {
    fence: Fence,
    claim: i64,
    buckets: Vec<i16>,
}

impl Shard {
    async fn new(database: &TestDatabase) -> Self {
        let fence = lease(database, "qualifier/0").await.fence();
        Self { fence, claim: database.store.new_claim().await.unwrap(), buckets: every_bucket() }
    }

    fn request<'a>(&'a self, class: Class, without: &'a [MailAddress]) -> ClaimRequest<'a> {
        ClaimRequest {
            fence: &self.fence,
            claim: self.claim,
            buckets: &self.buckets,
            class,
            without,
            in_hand: None,
            now: at(10),
            limit: 100,
        }
    }

    async fn live(&self, database: &TestDatabase) -> Vec<String> {
        items(&database.store.claim(&self.request(Class::Live, &[])).await.unwrap())
    }
}

fn items(claimed: &[Claimed]) -> Vec<String> {
    claimed
        .iter()
        .map(|one| match &one.subject {
            Subject::Item { id, .. } => id.as_str().to_owned(),
            Subject::FullRead => format!("all of {}", one.mail),
        })
        .collect()
}

async fn finish_all(database: &TestDatabase, ids: &[i64], outcome: &'static str) {
    let finished: Vec<Finished> =
        ids.iter().map(|id| Finished { id: *id, outcome, text: Some("a\0b".into()) }).collect();
    let mut client = database.store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    finish(&tx, &finished.iter().map(|one| (one, at(20))).collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_claimed_once_in_order_and_apart_by_class() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), full_read(1), hint(2, "b"), hint(1, "c")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    assert_eq!(items(&claimed), ["a", "b", "c"]);
    assert_eq!(claimed[0].mail, mail(1));
    assert_eq!(claimed[0].subject, Subject::Item { id: ItemId::new("a"), old: Some(ItemId::new("old a")) });
    assert_eq!(claimed[0].received_at, at(1));
    assert_eq!(claimed[0].trace.as_ref().unwrap().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(shard.live(&database).await.is_empty());
    let bulk = database.store.claim(&shard.request(Class::Bulk, &[])).await.unwrap();
    assert_eq!(items(&bulk), ["all of m0001@sim.test"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_buckets_and_left_out_mailboxes_hold() {
    let database = database().await;
    let mut shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(2, "b"), hint(3, "c")]).await.unwrap();
    let without = [mail(1)];
    let mut request = shard.request(Class::Live, &without);
    request.limit = 1;
    assert_eq!(items(&database.store.claim(&request).await.unwrap()), ["b"]);
    shard.buckets = vec![i16::from(mail(3).bucket())];
    assert_ne!(mail(3).bucket(), mail(1).bucket());
    assert_eq!(shard.live(&database).await, ["c"]);
    shard.buckets = every_bucket();
    assert_eq!(shard.live(&database).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_claiming_and_finishing_loses_nothing() {
    let database = database().await;
    let first = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b")]).await.unwrap();
    let claimed = database.store.claim(&first.request(Class::Live, &[])).await.unwrap();
    finish_all(&database, &[claimed[0].id], "created").await;
    // the process is gone; the next incarnation finds what was not finished
    let second = Shard::new(&database).await;
    assert_eq!(second.live(&database).await, ["b"]);
    // and the first, should it wake up, can do nothing any more
    let refused = database.store.claim(&first.request(Class::Live, &[])).await.unwrap_err();
    assert!(matches!(refused, StoreError::LeaseLost { .. }), "{refused:?}");
    let failed = Failed { id: claimed[1].id, error: "late".into(), again_at: None };
    let refused = database.store.notifications_failed(&first.fence, &[failed], at(11)).await.unwrap_err();
    assert!(matches!(refused, StoreError::LeaseLost { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_finished_stands_in_the_log() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    finish_all(&database, &[claimed[0].id], "updated").await;
    finish_all(&database, &[claimed[0].id], "again").await;
    let client = database.store.client("test").await.unwrap();
    let rows = client.query("select * from notification_log", &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.get::<_, i64>("id"), claimed[0].id);
    assert_eq!(row.get::<_, &str>("mail"), "m0001@sim.test");
    assert_eq!(row.get::<_, &str>("event_type"), "MovedEvent");
    assert_eq!(row.get::<_, Option<&str>>("item_id"), Some("a"));
    assert_eq!(row.get::<_, Option<&str>>("old_item_id"), Some("old a"));
    assert_eq!(row.get::<_, Timestamp>("received_at"), at(1));
    assert_eq!(row.get::<_, Timestamp>("handled_at"), at(20));
    assert_eq!(row.get::<_, &str>("outcome"), "updated");
    assert_eq!(row.get::<_, Option<&str>>("text"), Some("ab"));
    let left = client.query_one("select count(*) from notification", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_count_wait_and_are_set_aside() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b"), hint(1, "c")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    let failures = [
        Failed { id: claimed[0].id, error: "soon again".into(), again_at: Some(at(10)) },
        Failed { id: claimed[1].id, error: "not yet".into(), again_at: Some(at(11)) },
        Failed { id: claimed[2].id, error: "x\0".repeat(5_000), again_at: None },
    ];
    database.store.notifications_failed(&shard.fence, &failures, at(9)).await.unwrap();
    let again = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    assert_eq!(items(&again), ["a"]);
    assert_eq!(again[0].attempts, 1);
    let client = database.store.client("test").await.unwrap();
    let row = client
        .query_one(
            "select set_aside_at, last_error, attempts from notification where id = $1",
            &[&claimed[2].id],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, Option<Timestamp>>(0), Some(at(9)));
    assert_eq!(row.get::<_, &str>(1), "x".repeat(TEXT_MAX));
    assert_eq!(row.get::<_, i32>(2), 1);
    // a new incarnation does not touch what is set aside
    let next = Shard::new(&database).await;
    assert_eq!(next.live(&database).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn putting_off_counts_no_try() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    let ids: Vec<i64> = claimed.iter().map(|one| one.id).collect();
    database.store.postpone_notifications(&shard.fence, &ids[..1], "busy", at(10)).await.unwrap();
    database.store.postpone_notifications(&shard.fence, &ids[1..], "busy", at(11)).await.unwrap();
    let again = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    assert_eq!(items(&again), ["a"]);
    assert_eq!(again[0].attempts, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_nothing_can_be_done_with_are_set_aside() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into notification (mail, bucket, event_type, item_id, received_at) values
             ('no address', 0, 'ModifiedEvent', 'a', now()),
             ('m0001@sim.test', 0, 'ModifiedEvent', null, now()),
             ('m0001@sim.test', 0, 'EventOfTomorrow', 'b', now())",
        )
        .await
        .unwrap();
    assert_eq!(shard.live(&database).await, ["b"]);
    let aside = client
        .query("select last_error from notification where set_aside_at is not null order by id", &[])
        .await
        .unwrap();
    assert_eq!(aside.len(), 2);
    assert_eq!(aside[1].get::<_, &str>(0), "a notification of type ModifiedEvent names no item");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_was_lost_is_made_again() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b")]).await.unwrap();
    let seen = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    database.store.append(&[hint(1, "c")]).await.unwrap();
    // the answer that told of "a" never came; "b" is in hand
    let in_hand = [seen[1].id];
    let request = ClaimRequest { in_hand: Some(&in_hand), ..shard.request(Class::Live, &[]) };
    assert_eq!(items(&database.store.claim(&request).await.unwrap()), ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_full_read_of_a_mailbox_does_not_wait_for_the_end_of_a_pull() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    let client = database.store.client("test").await.unwrap();
    for n in 1..=5 {
        let read_before = (n != 5).then(|| at(0));
        client
            .execute(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker, last_full_sync) \
                 values ($1, $2, 'n', 'r', true, $3)",
                &[&mail(n).as_str(), &i16::from(mail(n).bucket()), &read_before],
            )
            .await
            .unwrap();
        database.store.append(&[full_read(n)]).await.unwrap();
    }
    let request = ClaimRequest { limit: 2, ..shard.request(Class::Bulk, &[]) };
    let claimed = items(&database.store.claim(&request).await.unwrap());
    assert_eq!(claimed, ["all of m0001@sim.test", "all of m0005@sim.test"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_takes_those_first_who_were_not_read_for_longest() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    let client = database.store.client("test").await.unwrap();
    for (n, began) in [(1, 30), (2, 10), (3, 40), (4, 20)] {
        client
            .execute(
                "insert into planner_resource \
                     (mail, bucket, name, rid, is_case_worker, last_full_sync, full_read_began_at) \
                 values ($1, $2, 'n', 'r', true, $3, $3)",
                &[&mail(n).as_str(), &i16::from(mail(n).bucket()), &at(began)],
            )
            .await
            .unwrap();
    }
    database.store.ask_for_full_reads(&Scope::All, at(50)).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..4 {
        let request = ClaimRequest { limit: 1, ..shard.request(Class::Bulk, &[]) };
        order.extend(items(&database.store.claim(&ClaimRequest { now: at(60), ..request }).await.unwrap()));
    }
    let expected = [2, 4, 1, 3].map(|n| format!("all of {}", mail(n)));
    assert_eq!(order, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_aside_can_be_looked_at_and_tried_again() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b"), hint(2, "c")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    let aside = |one: &Claimed| Failed { id: one.id, error: "ErrorAccessDenied".into(), again_at: None };
    let failures: Vec<Failed> = claimed[..2].iter().map(aside).collect();
    database.store.notifications_failed(&shard.fence, &failures, at(20)).await.unwrap();
    let listed = database.store.set_aside_notifications(&Scope::All, 10).await.unwrap();
    assert_eq!(
        listed[0],
        SetAsideNotification {
            id: claimed[0].id,
            mail: "m0001@sim.test".into(),
            event_type: "MovedEvent".into(),
            received_at: at(1),
            attempts: 1,
            set_aside_at: at(20),
            error: Some("ErrorAccessDenied".into()),
        }
    );
    assert_eq!(listed.len(), 2);
    assert_eq!(shard.live(&database).await, Vec::<String>::new());
    assert_eq!(database.store.retry_notifications(Some(&[claimed[0].id, claimed[2].id])).await.unwrap(), 1);
    assert_eq!(shard.live(&database).await, ["a"]);
    assert_eq!(database.store.retry_notifications(None).await.unwrap(), 1);
    assert_eq!(shard.live(&database).await, ["b"]);
    assert_eq!(database.store.set_aside_notifications(&Scope::All, 10).await.unwrap(), []);
}

/// Regression: the limit was applied before the mailbox, so that an operator was told "nothing" of a mailbox whose
/// notifications stood behind those of others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_aside_of_one_mailbox_is_found_behind_that_of_others() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b"), hint(2, "c")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Class::Live, &[])).await.unwrap();
    let aside = |one: &Claimed| Failed { id: one.id, error: "ErrorAccessDenied".into(), again_at: None };
    let failures: Vec<Failed> = claimed.iter().map(aside).collect();
    database.store.notifications_failed(&shard.fence, &failures, at(20)).await.unwrap();
    let listed = database.store.set_aside_notifications(&Scope::One(mail(2)), 1).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [claimed[2].id]);
    let others = database.store.set_aside_notifications(&Scope::One(mail(1)), 10).await.unwrap();
    assert_eq!(others.len(), 2);
}
