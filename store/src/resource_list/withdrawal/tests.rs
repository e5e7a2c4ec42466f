//! Goal: what is withdrawn is deleted in Planner although its mailbox is not in use, nothing else is sent for it, nobody
//! decides it anew, and coming back ends it. Method: the other stages' functions on a real database.

#![expect(clippy::disallowed_methods, reason = "what is withdrawn is ahead of now")]

use std::time::Duration;

use calendar::reconcile::{Change, Decision};
use calendar::{OriginId, Slot};
use jiff::Timestamp;

use crate::calls::{CallBook, CallLimits, Class, Permit};
use crate::decisions::{Applied, Effect, Guarded};
use crate::inspect::{Happening, HistoryQuery};
use crate::outbox::testing::{decide, fence, key_row, number, resource, slot, sql};
use crate::outbox::{Batch, Operation, PageSize};
use crate::testing::database;

use super::*;

const SIZE: PageSize = PageSize { mailboxes: 10, keys_per_mailbox: 10 };

fn mail() -> MailAddress {
    MailAddress::parse("a@x.dk").unwrap()
}

fn now() -> Timestamp {
    // before the slots of the tests
    Timestamp::from_second(1_800_000_000).unwrap()
}

async fn withdraw(store: &Store) -> Withdrawal {
    store.add_to_blacklist_and_withdraw(&mail(), "has left", "kim", now()).await.unwrap()
}

/// What Planner holds, as if it had acknowledged the decisions.
async fn acknowledge(store: &Store) {
    sql(
        store,
        "update calendar_event set ack_there = wanted, ack_start = start_at, ack_end = end_at, ack_version = version",
    )
    .await;
}

#[tokio::test]
async fn what_planner_holds_is_deleted_and_nothing_else_is_sent() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    for (key, hour) in [("held", 1), ("own", 2), ("over", 3)] {
        decide(store, "a@x.dk", key, Some(slot(hour))).await;
    }
    acknowledge(store).await;
    sql(store, "update calendar_event set planner_own = true where origin_id = 'own'").await;
    sql(
        store,
        "update calendar_event set start_at = '2020-01-01', end_at = '2020-01-02', ack_start = '2020-01-01', \
         ack_end = '2020-01-02' where origin_id = 'over'",
    )
    .await;
    decide(store, "a@x.dk", "never sent", Some(slot(4))).await;
    // adopted, never decided about
    sql(
        store,
        "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end) \
         select mail, 'adopted', true, ack_start, ack_end from calendar_event where origin_id = 'held'",
    )
    .await;

    let done = withdraw(store).await;
    assert_eq!((done.edit.dropped, done.decided, done.to_send, done.adopted), (1, 3, 2, true));
    let mut found: Vec<(String, Operation)> = Vec::new();
    for class in [Class::Live, Class::Bulk] {
        let page = store.pending_keys(class, "", SIZE).await.unwrap();
        found.extend(page.keys.into_iter().map(|key| (key.origin_id.to_string(), key.operation)));
    }
    found.sort();
    assert_eq!(found, [("adopted".into(), Operation::Delete), ("held".into(), Operation::Delete)]);
    assert!(!key_row(store, "a@x.dk", "never sent").await.unwrap().pending);
    for left in ["own", "over"] {
        assert_eq!(key_row(store, "a@x.dk", left).await.unwrap().version, 1, "{left}");
    }

    let again = withdraw(store).await;
    assert_eq!((again.edit.entries, again.decided, again.to_send), (0, 0, 2), "twice is harmless");
}

/// Who asked for another adoption did so because of doubts in what is known, though there was one before.
#[tokio::test]
async fn a_withdrawal_before_an_adoption_that_was_asked_for_again_says_that_it_is_missing() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "held", Some(slot(1))).await;
    acknowledge(store).await;
    store.ask_for_adoption(&crate::operations::Scope::One(mail())).await.unwrap();
    let done = withdraw(store).await;
    assert_eq!((done.edit.dropped, done.decided, done.to_send, done.adopted), (1, 1, 1, false));
}

#[tokio::test]
async fn a_deletion_of_it_can_be_reserved_and_a_change_of_a_blocked_one_cannot() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "U", Some(slot(1))).await;
    acknowledge(store).await;
    let limits = CallLimits { simultaneous_calls: 2, calls_per_minute: None, events_per_minute: None };
    let book = CallBook::new(store.clone(), limits);
    let fence = fence(store, "communicator").await;
    withdraw(store).await;
    let page = store.pending_keys(Class::Bulk, "", SIZE).await.unwrap();
    let batch = Batch { mail: mail(), operation: Operation::Delete, class: Class::Bulk, keys: page.keys };
    let permit = book.reserve(&fence, &batch, Duration::from_secs(60)).await.unwrap();
    assert!(matches!(permit, Permit::Granted(Some(reserved)) if reserved.keys.len() == 1));

    // a mailbox that was only blocked: nothing goes
    resource(store, "b@x.dk").await;
    decide(store, "b@x.dk", "V", Some(slot(1))).await;
    store.add_to_blacklist(&MailAddress::parse("b@x.dk").unwrap(), "why", "kim", now()).await.unwrap();
    assert!(store.pending_keys(Class::Live, "", SIZE).await.unwrap().keys.is_empty());
}

fn effect(expected_version: i64, slot: Slot, began: Timestamp) -> Effect {
    let decision = Decision {
        origin_id: "U".to_owned().into(),
        uid: None,
        recurrence_time: None,
        item_id: Some("item".to_owned().into()),
        expected_version,
        change: Change::Create(slot),
    };
    Effect {
        mail: mail(),
        reading_began: began,
        decided_at: began,
        bulk: false,
        decisions: vec![(decision, None)],
        series: Vec::new(),
        masters_gone: Vec::new(),
        fresh: false,
        finished: Vec::new(),
        full_read: false,
        full_read_whole: false,
        full_read_began_db: None,
        guarded: Guarded::default(),
    }
}

#[tokio::test]
async fn a_reading_that_was_under_way_decides_nothing_anew() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "U", Some(slot(1))).await;
    acknowledge(store).await;
    let fence = fence(store, "qualifier/0").await;
    withdraw(store).await;
    let later = now() + Duration::from_secs(60);
    for version in [1, 2] {
        // who loaded before the withdrawal, and who loads after it
        let applied = store.apply(&fence, &effect(version, slot(2), later)).await.unwrap();
        assert!(matches!(applied, Applied::Done(_)), "{version}: {applied:?}");
    }
    let key = key_row(store, "a@x.dk", "U").await.unwrap();
    assert_eq!((key.version, key.pending), (2, true), "it is still to be deleted");
}

#[tokio::test]
async fn coming_back_ends_it() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    sql(store, "insert into planner_resource_whitelist (mail, added_by) values ('b@x.dk', 'kim')").await;
    withdraw(store).await;
    let withdrawn = "select count(*) from planner_resource where withdrawn_at is not null";
    assert_eq!(number(store, withdrawn).await, 1);
    store.remove_from_blacklist(&mail()).await.unwrap();
    sql(store, "update planner_resource set deleted_reason = 'P-NonWhitelist'").await;
    store.add_to_whitelist(&[mail()], "kim", true, now()).await.unwrap();
    assert_eq!(number(store, withdrawn).await, 0);
    assert_eq!(number(store, "select count(*) from planner_resource where deleted_date is null").await, 1);
}

#[tokio::test]
async fn a_clock_of_the_operator_that_is_ahead_makes_no_later_reading_an_older_one() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "held", Some(slot(1))).await;
    acknowledge(store).await;
    let ahead = Timestamp::now() + Duration::from_secs(600);
    let done = store.add_to_blacklist_and_withdraw(&mail(), "has left", "kim", ahead).await.unwrap();
    assert_eq!(done.decided, 1);
    let late =
        number(store, "select count(*) from calendar_event where reading_began > clock_timestamp()").await;
    assert_eq!(late, 0, "whoever reads the calendar now would be discarded");
}

/// An operator has said that all of it goes: nothing is left to be asked about, and nothing is held back.
#[tokio::test]
async fn what_is_withheld_of_it_ends_with_it_and_is_deleted() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "missing", Some(slot(1))).await;
    decide(store, "a@x.dk", "absent", Some(slot(2))).await;
    acknowledge(store).await;
    decide(store, "a@x.dk", "absent", None).await;
    sql(
        store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('a@x.dk', 'full_read', now(), now(), 1, 1), ('a@x.dk', 'comparison', now(), now(), 2, 2); \
         insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select e.mail, k.origin_id, r.id, k.version, e.start_at, e.end_at \
             from (values ('full_read', 'missing', 1), ('comparison', 'absent', 2), ('comparison', 'unknown', 0)) \
                  as k (source, origin_id, version) \
             join withheld_run r on r.source = k.source join calendar_event e on e.origin_id = 'missing'; \
         update calendar_event set delete_withheld = true where origin_id = 'absent'",
    )
    .await;
    assert_eq!(store.withheld_runs(false, now()).await.unwrap().len(), 2, "they wait");

    let done = withdraw(store).await;
    assert_eq!((done.decided, done.to_send), (2, 3), "the deletion of the third was decided before");
    let ended = store.withheld_runs(true, now()).await.unwrap();
    let ended: Vec<(&str, Option<&str>)> = ended
        .iter()
        .map(|run| (run.state.as_str(), run.settled.as_ref().map(|(by, _)| by.as_str())))
        .collect();
    assert_eq!(ended, [("cancelled", Some("kim")); 2]);
    assert_eq!(number(store, "select count(*) from withheld_key").await, 0);
    for key in ["missing", "absent", "unknown"] {
        assert!(key_row(store, "a@x.dk", key).await.unwrap().pending, "{key}");
    }
    // and whoever asks why is told who withdrew it, not of a reading
    let (mail, key) = (mail(), OriginId::new("missing"));
    let query = HistoryQuery { mail: &mail, origin_id: Some(&key), since: Timestamp::UNIX_EPOCH, limit: 100 };
    let history = store.history(&query).await.unwrap();
    let by = history.entries.iter().find_map(|entry| match &entry.what {
        Happening::Decided { wanted: false, withdrawn_by, .. } => Some(withdrawn_by.as_deref()),
        _ => None,
    });
    assert_eq!(by, Some(Some("kim")), "{history:?}");
}
