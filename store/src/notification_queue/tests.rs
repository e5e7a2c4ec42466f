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

    fn request<'a>(&'a self, wanted: Wanted<'a>, without: &'a [MailAddress]) -> ClaimRequest<'a> {
        ClaimRequest {
            fence: &self.fence,
            claim: self.claim,
            buckets: &self.buckets,
            wanted,
            without,
            now: at(10),
            limit: 100,
        }
    }

    async fn live(&self, database: &TestDatabase) -> Vec<String> {
        items(&database.store.claim(&self.request(Wanted::New, &[])).await.unwrap())
    }

    async fn left_behind(&self, database: &TestDatabase, in_hand: &[i64]) -> Vec<String> {
        let request = self.request(Wanted::LeftBehind { in_hand }, &[]);
        items(&database.store.claim(&request).await.unwrap())
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
    let claimed = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
    assert_eq!(items(&claimed), ["a", "b", "c"]);
    assert_eq!(claimed[0].mail, mail(1));
    assert_eq!(claimed[0].subject, Subject::Item { id: ItemId::new("a"), old: Some(ItemId::new("old a")) });
    assert_eq!(claimed[0].received_at, at(1));
    assert_eq!(claimed[0].trace.as_ref().unwrap().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(shard.live(&database).await.is_empty());
    let bulk = database
        .store
        .claim(&shard.request(Wanted::FullReads { in_hand: &[], pausing: &[] }, &[]))
        .await
        .unwrap();
    assert_eq!(items(&bulk), ["all of m0001@sim.test"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_buckets_and_left_out_mailboxes_hold() {
    let database = database().await;
    let mut shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(2, "b"), hint(3, "c")]).await.unwrap();
    let without = [mail(1)];
    let mut request = shard.request(Wanted::New, &without);
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
    let claimed = database.store.claim(&first.request(Wanted::New, &[])).await.unwrap();
    finish_all(&database, &[claimed[0].id], "created").await;
    // the process is gone; the next incarnation finds what was not finished
    let second = Shard::new(&database).await;
    assert_eq!(second.left_behind(&database, &[]).await, ["b"]);
    // and the first, should it wake up, can do nothing any more
    let refused = database.store.claim(&first.request(Wanted::New, &[])).await.unwrap_err();
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
    let claimed = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
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
    let claimed = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
    let failures = [
        Failed { id: claimed[0].id, error: "soon again".into(), again_at: Some(at(10)) },
        Failed { id: claimed[1].id, error: "not yet".into(), again_at: Some(at(11)) },
        Failed { id: claimed[2].id, error: "x\0".repeat(5_000), again_at: None },
    ];
    database.store.notifications_failed(&shard.fence, &failures, at(9)).await.unwrap();
    let again = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
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
    assert_eq!(next.left_behind(&database, &[]).await, ["a"]);
    assert_eq!(next.live(&database).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn putting_off_counts_no_try() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
    let ids: Vec<i64> = claimed.iter().map(|one| one.id).collect();
    database.store.postpone_notifications(&shard.fence, &ids[..1], "busy", at(10)).await.unwrap();
    database.store.postpone_notifications(&shard.fence, &ids[1..], "busy", at(11)).await.unwrap();
    let again = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
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
    let seen = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
    database.store.append(&[hint(1, "c")]).await.unwrap();
    // the answer that told of "a" never came; "b" is in hand
    let in_hand = [seen[1].id];
    assert_eq!(shard.left_behind(&database, &in_hand).await, ["a"]);
    assert_eq!(shard.live(&database).await, ["c"]);
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
    let request =
        ClaimRequest { limit: 2, ..shard.request(Wanted::FullReads { in_hand: &[], pausing: &[] }, &[]) };
    let claimed = items(&database.store.claim(&request).await.unwrap());
    assert_eq!(claimed, ["all of m0001@sim.test", "all of m0005@sim.test"]);
}

/// Goal: full reads that wait in one bucket, more than its share of a walk, are claimed once each and up to the limit, the first
/// ones of their mailboxes before the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_reads_that_wait_in_one_bucket_are_claimed_once_each() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into notification (mail, bucket, event_type, received_at, first_read) \
             select 'm' || i || '@sim.test', 7, 'FullRead', now(), i > 12 from generate_series(1, 20) as g (i)",
        )
        .await
        .unwrap();
    let (mut claims, mut in_hand) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let request = ClaimRequest {
            limit: 8,
            ..shard.request(Wanted::FullReads { in_hand: &in_hand, pausing: &[] }, &[])
        };
        let claimed = database.store.claim(&request).await.unwrap();
        in_hand.extend(claimed.iter().map(|one| one.id));
        claims.push(items(&claimed));
    }
    let named = |of: std::ops::RangeInclusive<u32>| -> Vec<String> {
        of.map(|n| format!("all of m{n}@sim.test")).collect()
    };
    assert_eq!(claims, [named(13..=20), named(1..=8), named(9..=12)]);
    let request =
        ClaimRequest { limit: 9, ..shard.request(Wanted::FullReads { in_hand: &[], pausing: &[] }, &[]) };
    let again = items(&database.store.claim(&request).await.unwrap());
    assert_eq!(again, [named(1..=1), named(13..=20)].concat(), "what nobody has in hand is given out again");
}

/// Regression: a full read that failed before and became due again was taken for one that somebody asks for now, and ended the
/// pause of its mailbox; two of one mailbox whose times differ were so tried by turns, each in the pause of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_pause_those_full_reads_are_claimed_that_were_asked_for_since() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    let client = database.store.client("test").await.unwrap();
    database.store.append(&[full_read(1), full_read(2), full_read(1)]).await.unwrap();
    client.execute("update notification set next_attempt_at = $1 where id <= 2", &[&at(5)]).await.unwrap();
    let claim = async |pausing: &[MailAddress]| {
        let request = shard.request(Wanted::FullReads { in_hand: &[3], pausing }, &[]);
        items(&database.store.claim(&request).await.unwrap())
    };
    let pausing = [mail(1)];
    let request = shard.request(Wanted::FullReads { in_hand: &[], pausing: &pausing }, &[]);
    let claimed = database.store.claim(&request).await.unwrap();
    assert_eq!(claimed.iter().map(|one| one.id).collect::<Vec<_>>(), [2, 3], "each was due");
    client.batch_execute("delete from notification where id = 2").await.unwrap();
    assert!(claim(&pausing).await.is_empty());
    assert_eq!(claim(&[]).await, [format!("all of {}", mail(1))], "once the pause is over");
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
    let (mut order, mut in_hand) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let request = ClaimRequest {
            limit: 1,
            now: at(60),
            ..shard.request(Wanted::FullReads { in_hand: &in_hand, pausing: &[] }, &[])
        };
        let claimed = database.store.claim(&request).await.unwrap();
        order.extend(items(&claimed));
        in_hand.extend(claimed.iter().map(|one| one.id));
    }
    let expected = [2, 4, 1, 3].map(|n| format!("all of {}", mail(n)));
    assert_eq!(order, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_aside_can_be_looked_at_and_tried_again() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(1, "b"), hint(2, "c")]).await.unwrap();
    let claimed = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
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
    let claimed = database.store.claim(&shard.request(Wanted::New, &[])).await.unwrap();
    let aside = |one: &Claimed| Failed { id: one.id, error: "ErrorAccessDenied".into(), again_at: None };
    let failures: Vec<Failed> = claimed.iter().map(aside).collect();
    database.store.notifications_failed(&shard.fence, &failures, at(20)).await.unwrap();
    let listed = database.store.set_aside_notifications(&Scope::One(mail(2)), 1).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [claimed[2].id]);
    let others = database.store.set_aside_notifications(&Scope::One(mail(1)), 10).await.unwrap();
    assert_eq!(others.len(), 2);
    for (scope, count) in [(Scope::All, 3), (Scope::One(mail(1)), 2), (Scope::One(mail(2)), 1)] {
        assert_eq!(database.store.set_aside_notification_count(&scope).await.unwrap(), count, "{scope:?}");
    }
}

#[test]
fn a_share_is_twice_what_is_wanted_and_never_more_than_that_of_one_bucket() {
    let shares = [(500, 16), (500, 1), (500, 64), (1, 64), (3, 2), (7, 0)];
    assert_eq!(shares.map(|(wanted, buckets)| share(wanted, buckets)), [63, 500, 16, 1, 3, 7]);
}

/// Goal: an incarnation takes over what its predecessors had in hand, once, and what comes later or is handed back is new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_predecessors_had_in_hand_is_left_behind_and_what_is_handed_back_is_new() {
    let database = database().await;
    let first = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(2, "b")]).await.unwrap();
    assert_eq!(first.live(&database).await, ["a", "b"]);
    let second = Shard::new(&database).await;
    database.store.append(&[hint(1, "c")]).await.unwrap();
    assert_eq!(second.live(&database).await, ["c"], "what a predecessor has is not new");
    let third = Shard::new(&database).await;
    let claimed =
        database.store.claim(&third.request(Wanted::LeftBehind { in_hand: &[] }, &[])).await.unwrap();
    assert_eq!(items(&claimed), ["a", "b", "c"], "of all predecessors");
    let in_hand: Vec<i64> = claimed.iter().map(|one| one.id).collect();
    assert_eq!(third.left_behind(&database, &in_hand).await, Vec::<String>::new());
    database.store.append(&[hint(3, "d")]).await.unwrap();
    database.store.postpone_notifications(&third.fence, &in_hand[..1], "busy", at(10)).await.unwrap();
    assert_eq!(third.live(&database).await, ["a", "d"]);
}

/// Regression: a claim whose commit was still under way at the server when its connection broke was not waited for. The next
/// one saw nothing left behind and nothing new, and its rows were nobody's for as long as the shard was in office.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_the_one_before_whose_end_is_unknown() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(2, "b")]).await.unwrap();
    // what the server still does for the connection that broke
    let mut client = database.store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    lease::guard(&tx, &shard.fence).await.unwrap();
    tx.execute("select pg_advisory_xact_lock($1)", &[&(CLAIM_LOCK + shard.claim)]).await.unwrap();
    tx.execute("update notification set claim = $1", &[&shard.claim]).await.unwrap();
    let request = shard.request(Wanted::LeftBehind { in_hand: &[] }, &[]);
    let next = database.store.claim(&request);
    let commit = async {
        crate::conflict::testing::until_waiting(&database.store).await;
        tx.commit().await.unwrap();
    };
    let (claimed, ()) = tokio::join!(next, commit);
    assert_eq!(items(&claimed.unwrap()), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_behind_is_claimed_up_to_the_limit_and_without_what_is_left_out() {
    let database = database().await;
    let first = Shard::new(&database).await;
    database.store.append(&[hint(1, "a"), hint(2, "b"), hint(3, "c"), full_read(3)]).await.unwrap();
    assert_eq!(first.live(&database).await, ["a", "b", "c"]);
    let second = Shard::new(&database).await;
    let without = [mail(1)];
    let request = ClaimRequest { limit: 1, ..second.request(Wanted::LeftBehind { in_hand: &[] }, &without) };
    let claimed = database.store.claim(&request).await.unwrap();
    assert_eq!(items(&claimed), ["b"]);
    // The clock of the predecessor was ahead: what it claimed was due by that, and is not forgotten.
    let client = database.store.client("test").await.unwrap();
    client.execute("update notification set next_attempt_at = $1", &[&at(1_000)]).await.unwrap();
    assert_eq!(second.left_behind(&database, &[claimed[0].id]).await, ["a", "c"]);
}

/// Goal: a bucket with a flood is walked on when the others had little, so that a claim brings what it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_brings_all_that_it_may_wherever_it_waits() {
    let database = database().await;
    let shard = Shard::new(&database).await;
    let names: Vec<String> = (0..60).map(|n| format!("i{n:02}")).collect();
    let mut batch: Vec<NewNotification> = names.iter().map(|name| hint(1, name)).collect();
    batch.extend((2..=12).map(|n| hint(n, &format!("m{n}"))));
    database.store.append(&batch).await.unwrap();
    let request = ClaimRequest { limit: 50, ..shard.request(Wanted::New, &[]) };
    let claimed = database.store.claim(&request).await.unwrap();
    assert_eq!(claimed.len(), 50);
    assert!(claimed.is_sorted_by_key(|one| one.id));
    let of_one: Vec<Claimed> = claimed.into_iter().filter(|one| one.mail == mail(1)).collect();
    assert_eq!(items(&of_one), names[..of_one.len()], "the oldest of a mailbox first");
    assert_eq!(shard.live(&database).await.len(), 21, "and the next claim brings the rest");
}

/// Rows of `notification` that a plan has looked at.
fn visited(plan: &serde_json::Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let scans = plan["Relation Name"] == "notification"
        && plan["Node Type"].as_str().is_some_and(|node| node.ends_with("Scan"));
    let rows =
        number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
    let own = if scans { rows * number("Actual Loops") } else { 0.0 };
    own + plan["Plans"].as_array().map_or(0.0, |plans| plans.iter().map(visited).sum::<f64>())
}

/// How many rows of `notification` a statement looks at, and its plan; nothing is changed.
async fn look_at(
    client: &mut deadpool_postgres::Client,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> (f64, serde_json::Value) {
    let tx = client.transaction().await.unwrap();
    let row = tx.query_typed_one(&format!("explain (analyze, format json) {sql}"), parameters).await.unwrap();
    let answer: serde_json::Value = row.get(0);
    tx.rollback().await.unwrap();
    (visited(&answer[0]["Plan"]), answer)
}

/// Regression: a claim of full reads looked for one of each mailbox that had never been read, so that the start of 50,000
/// mailboxes, each with a claim of its own, cost the square of their number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_full_reads_looks_neither_at_mailboxes_nor_at_what_waits() {
    let database = database().await;
    let mut client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker) \
             select 'm' || i || '@sim.test', i % 64, 'n', 'r', true from generate_series(1, 20000) as g (i); \
             insert into notification (mail, bucket, event_type, received_at, first_read) \
             select 'm' || i || '@sim.test', i % 64, 'FullRead', now(), i <= 1000 \
             from generate_series(1, 10000) as g (i)",
        )
        .await
        .unwrap();
    let (buckets, without, in_hand) = (every_bucket(), Vec::<&str>::new(), Vec::<i64>::new());
    let share = i64::try_from(share(128, buckets.len())).unwrap();
    for statistics in [false, true] {
        if statistics {
            client.batch_execute("analyze notification; analyze planner_resource").await.unwrap();
        }
        for first in [true, false] {
            let parameters: [(&(dyn ToSql + Sync), Type); 9] = [
                (&9_i64, Type::INT8),
                (&buckets, Type::INT2_ARRAY),
                (&at(10), Type::TIMESTAMPTZ),
                (&without, Type::TEXT_ARRAY),
                (&128_i64, Type::INT8),
                (&share, Type::INT8),
                (&first, Type::BOOL),
                (&in_hand, Type::INT8_ARRAY),
                (&without, Type::TEXT_ARRAY),
            ];
            let (visited, plan) = look_at(&mut client, &claim_full_reads_sql(), &parameters).await;
            assert!((128.0..=640.0).contains(&visited), "{visited} rows, first {first}: {plan:#}");
            assert!(!plan.to_string().contains("planner_resource"), "{plan:#}");
        }
    }
}

/// Goal: a claim of live changes costs what it claims, not what waits (a flood would cost the square of its size) nor what is
/// in hand, whether the server knows by now how long the table is or not.
/// Method: the plans that are made for 50,000 rows, and what they looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_looks_at_what_it_claims_and_not_at_what_waits() {
    const LIMIT: i64 = 500;
    let database = database().await;
    let mut client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into notification (mail, bucket, event_type, item_id, received_at, claim) \
             select 'm' || i % 2000 || '@sim.test', (i % 2000) % 64, 'ModifiedEvent', 'item ' || i, now(), \
                    case when i <= 500 then 7 end \
             from generate_series(1, 50000) as g (i)",
        )
        .await
        .unwrap();
    let buckets = every_bucket();
    let without: Vec<&str> = vec!["m1@sim.test"];
    let (in_hand, now): (Vec<i64>, Timestamp) = (Vec::new(), at(10));
    let share = i64::try_from(share(500, buckets.len())).unwrap();
    for statistics in [false, true] {
        if statistics {
            client.batch_execute("analyze notification").await.unwrap();
        }
        let new: [(&(dyn ToSql + Sync), Type); 6] = [
            (&9_i64, Type::INT8),
            (&buckets, Type::INT2_ARRAY),
            (&now, Type::TIMESTAMPTZ),
            (&without, Type::TEXT_ARRAY),
            (&LIMIT, Type::INT8),
            (&share, Type::INT8),
        ];
        let left_behind: [(&(dyn ToSql + Sync), Type); 5] = [
            (&9_i64, Type::INT8),
            (&buckets, Type::INT2_ARRAY),
            (&without, Type::TEXT_ARRAY),
            (&LIMIT, Type::INT8),
            (&in_hand, Type::INT8_ARRAY),
        ];
        for (sql, parameters) in [(claim_new_sql(), &new[..]), (claim_left_behind_sql(), &left_behind[..])] {
            let (visited, answer) = look_at(&mut client, &sql, parameters).await;
            assert!(
                (500.0..=2_200.0).contains(&visited),
                "{visited} rows, statistics {statistics}: {answer:#}"
            );
        }
    }
}
