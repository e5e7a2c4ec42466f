//! Goal: the persisted budget holds over several processes and crashes, and each call leaves its log entry.
//! Method: several books on one real database; time is moved by changing what was recorded.

use super::*;
use crate::outbox::testing::{decide, decide_as, fence, number, resource, slot, sql};
use crate::testing::database;

const LIFE: Duration = Duration::from_secs(30);

fn limits(simultaneous_calls: u32, calls_per_minute: Option<u32>) -> CallLimits {
    CallLimits { simultaneous_calls, calls_per_minute, events_per_minute: None }
}

fn read(mailboxes: u32) -> ReadCall<'static> {
    ReadCall { operation: "GetEvents", mail: None, mailboxes, lifetime: LIFE }
}

fn granted(permit: Permit<CallStart>) -> CallStart {
    match permit {
        Permit::Granted(start) => start,
        Permit::Wait(wait) => panic!("no room for {wait:?}"),
    }
}

#[tokio::test]
async fn calls_in_flight_are_limited_over_all_processes_and_a_dead_one_counts_until_its_deadline() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator").await;
    let (first, second) =
        (CallBook::new(store.clone(), limits(2, None)), CallBook::new(store.clone(), limits(2, None)));
    let a = granted(first.begin(&fence, &read(1)).await.unwrap());
    granted(second.begin(&fence, &read(1)).await.unwrap());
    assert!(
        matches!(first.begin(&fence, &read(1)).await.unwrap(), Permit::Wait(wait) if wait > Duration::ZERO)
    );
    first.end(a.id, &CallEnd { success: true, ..CallEnd::default() }).await.unwrap();
    granted(second.begin(&fence, &read(1)).await.unwrap());
    // the others never end: their process died
    assert!(matches!(second.begin(&fence, &read(1)).await.unwrap(), Permit::Wait(_)));
    sql(store, "update service_call_reference_log set deadline = now() where ended_at is null").await;
    granted(second.begin(&fence, &read(1)).await.unwrap());
}

#[tokio::test]
async fn a_permit_counts_until_a_minute_after_its_answer_or_its_deadline() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator").await;
    let book = CallBook::new(store.clone(), limits(10, Some(5)));
    // bulk work leaves a fifth for live changes: four of five
    for _ in 0..4 {
        let start = granted(book.begin(&fence, &read(1)).await.unwrap());
        book.end(start.id, &CallEnd { success: true, ..CallEnd::default() }).await.unwrap();
    }
    let waits = |permit: Permit<CallStart>| matches!(permit, Permit::Wait(_));
    assert!(waits(book.begin(&fence, &read(1)).await.unwrap()));
    // four come back within a second: until then no live change could need more than one
    sql(store, "update service_call_reference_log set ended_at = now() - interval '59 s'").await;
    granted(book.begin(&fence, &read(1)).await.unwrap());
    assert!(waits(book.begin(&fence, &read(1)).await.unwrap()));
    sql(store, "update service_call_reference_log set ended_at = now() - interval '61 s'").await;
    granted(book.begin(&fence, &read(1)).await.unwrap());
    // one that was never answered counts from its deadline
    sql(store, "update service_call_reference_log set ended_at = null, deadline = now() - interval '59 s'")
        .await;
    assert!(waits(book.begin(&fence, &read(1)).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_for_permits_grants_no_more_than_there_are() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator").await;
    let asks = (0..30).map(|_| {
        let (book, fence) = (CallBook::new(store.clone(), limits(4, Some(100))), fence.clone());
        tokio::spawn(async move { book.begin(&fence, &read(1)).await.unwrap() })
    });
    let mut granted = 0;
    for ask in asks.collect::<Vec<_>>() {
        granted += usize::from(matches!(ask.await.unwrap(), Permit::Granted(_)));
    }
    assert_eq!(granted, 4);
}

#[tokio::test]
async fn a_call_leaves_its_log_entry_and_is_closed_once() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator").await;
    let book = CallBook::new(store.clone(), limits(1, None));
    let mail = MailAddress::parse("a@x").unwrap();
    let call = ReadCall { mail: Some(&mail), ..read(1) };
    let start = granted(book.begin(&fence, &call).await.unwrap());
    let end = CallEnd {
        success: false,
        event_id: Some(6904),
        text: Some("no answer\0 in time".into()),
        planner_call_id: Some(Uuid::from_u128(3)),
    };
    book.end(start.id, &end).await.unwrap();
    book.end(start.id, &CallEnd { success: true, ..CallEnd::default() }).await.unwrap();
    // it is found by our correlation id, and holds Planner's
    let kept = format!(
        "select count(*) from service_call_reference_log where call_id = '{}' \
         and operation = 'GetEvents' and mail = 'a@x' \
         and items = 1 and bulk and not success and event_id = 6904 and text = 'no answer in time' \
         and service_call_response_reference_id = '{}' and ended_at >= started_at",
        start.id,
        Uuid::from_u128(3)
    );
    assert_eq!(number(store, &kept).await, 1);
    assert_eq!(number(store, "select count(*) from service_call_reference_log").await, 1);
}

#[tokio::test]
async fn whoever_lost_the_lease_calls_nobody() {
    let database = database().await;
    let store = &database.store;
    let old = fence(store, "communicator").await;
    fence(store, "communicator").await;
    let book = CallBook::new(store.clone(), limits(1, None));
    assert!(matches!(book.begin(&old, &read(1)).await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(number(store, "select count(*) from service_call_reference_log").await, 0);
}

#[tokio::test]
async fn slots_are_given_in_turn_and_come_back() {
    let database = database().await;
    let book = CallBook::new(database.store.clone(), limits(1, None));
    let held = book.slot().await;
    let mut waiting = tokio_util::task::AbortOnDropHandle::new(tokio::spawn({
        let book = book.clone();
        async move { book.slot().await }
    }));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(held);
    let second = (&mut waiting).await.unwrap();
    drop(second);
    let _third = book.slot().await;
}

/// B9: a successor waits out the deadlines of its predecessor's keys and no others. With one call at a time the dead
/// call's slot would make every other key wait too.
#[tokio::test]
async fn the_call_of_an_owner_that_is_gone_holds_no_slot_and_counts_in_the_budget() {
    let database = database().await;
    let store = &database.store;
    let limits = CallLimits { calls_per_minute: Some(3), ..limits(1, None) };
    let book = CallBook::new(store.clone(), limits);
    let live = |book: &CallBook, fence: &Fence| {
        let (book, fence) = (book.clone(), fence.clone());
        async move { book.begin(&fence, &read(1)).await.unwrap() }
    };
    let waits = |permit: &Permit<CallStart>| matches!(permit, Permit::Wait(_));
    let dead = fence(store, "duty").await;
    let other = fence(store, "another duty").await;
    granted(live(&book, &dead).await);
    assert!(waits(&live(&book, &other).await), "its owner lives");
    // taken over: the owner has cut its call off before that
    let successor = fence(store, "duty").await;
    let second = granted(live(&book, &successor).await);
    assert!(waits(&live(&book, &other).await), "the successor's own call is in flight");
    book.end(second.id, &CallEnd::default()).await.unwrap();
    // two of three are used, and bulk work leaves one for live changes: the dead call counts
    assert!(waits(&live(&book, &other).await));
    sql(
        store,
        "update service_call_reference_log set deadline = now() - interval '61 s' where ended_at is null",
    )
    .await;
    granted(live(&book, &other).await);
    // run out, or handed back: the same
    for gone in ["expires_at = now() - interval '1 s'", "owner = '', expires_at = '-infinity'"] {
        sql(store, "update service_call_reference_log set ended_at = now() - interval '61 s'").await;
        let owner = fence(store, "duty").await;
        granted(live(&book, &owner).await);
        assert!(waits(&live(&book, &other).await));
        sql(store, &format!("update lease set {gone} where key = 'duty'")).await;
        granted(live(&book, &other).await);
    }
    // a call of the version before, which says nothing of its owner
    sql(store, "update service_call_reference_log set ended_at = now() - interval '61 s'").await;
    granted(live(&book, &other).await);
    sql(
        store,
        "update service_call_reference_log set lease_key = null, lease_token = null where ended_at is null",
    )
    .await;
    let newest = fence(store, "another duty").await;
    assert!(waits(&live(&book, &newest).await), "it counts until its deadline");
}

async fn pending(store: &Store, class: Class) -> Vec<crate::outbox::PendingKey> {
    let size = crate::outbox::PageSize { mailboxes: 50, keys_per_mailbox: 1 };
    store.pending_keys(class, "", size).await.unwrap().keys
}

async fn send_one(store: &Store, book: &CallBook, fence: &Fence, class: Class) -> bool {
    let keys = pending(store, class).await.into_iter().take(1).collect::<Vec<_>>();
    let batch =
        crate::outbox::Batch { mail: keys[0].mail.clone(), operation: keys[0].operation, class, keys };
    match book.reserve(fence, &batch, LIFE).await.unwrap() {
        Permit::Granted(reserved) => reserved.is_some(),
        Permit::Wait(_) => false,
    }
}

/// Under a flood of live changes the resource list is still fetched: what only reads is seen to wait.
#[tokio::test]
async fn a_call_that_only_reads_gets_the_room_of_bulk_work_under_a_flood_of_live_changes() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator").await;
    let book = CallBook::new(store.clone(), limits(100, Some(10)));
    for n in 0..12 {
        let mail = format!("m{n:02}@sim.test");
        resource(store, &mail).await;
        decide(store, &mail, "U", Some(slot(1))).await;
    }
    for _ in 0..10 {
        assert!(send_one(store, &book, &fence, Class::Live).await);
    }
    assert!(matches!(book.begin(&fence, &read(1)).await.unwrap(), Permit::Wait(_)), "all is used");
    let one_is_over = "update service_call_reference_log set ended_at = now() - interval '61 s' where call_id = \
                       (select call_id from service_call_reference_log where ended_at is null limit 1)";
    sql(store, one_is_over).await;
    assert!(!send_one(store, &book, &fence, Class::Live).await, "the room is kept for the one that waits");
    granted(book.begin(&fence, &read(1)).await.unwrap());
    sql(store, one_is_over).await;
    assert!(send_one(store, &book, &fence, Class::Live).await, "nobody else waits any more");
}

/// What cannot be sent keeps no room from what can: else a fifth of the budget would lie idle for as long as it waits.
#[tokio::test]
async fn bulk_work_that_cannot_go_keeps_no_room() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator").await;
    let mails = ["live@x", "bulk@x"];
    for mail in mails {
        resource(store, mail).await;
    }
    let hindrances = [
        "update planner_resource set deleted_date = now() where mail = 'bulk@x'",
        "update planner_resource set full_read_began_at = null where mail = 'bulk@x'",
        "update calendar_event set next_attempt_at = now() + interval '1 h' where mail = 'bulk@x'",
        "update planner_resource set compare_due_at = now(), full_read_began_at = now() - interval '2 days' \
         where mail = 'bulk@x'; delete from calendar_event where mail = 'bulk@x'",
    ];
    for (n, hindrance) in std::iter::once("select 1").chain(hindrances).enumerate() {
        sql(store, "delete from key_in_flight; delete from service_call_reference_log").await;
        sql(store, "delete from calendar_event; delete from planner_resource where mail = 'bulk@x'").await;
        resource(store, "bulk@x").await;
        decide_as(store, "bulk@x", "U", Some(slot(1)), true, None).await;
        sql(store, hindrance).await;
        let book = CallBook::new(store.clone(), limits(100, Some(5)));
        let mut sent = 0;
        for _ in 0..5 {
            decide(store, "live@x", &format!("U{sent}"), Some(slot(1))).await;
            sent += usize::from(send_one(store, &book, &fence, Class::Live).await);
        }
        assert_eq!(sent, if n == 0 { 4 } else { 5 }, "{hindrance}");
    }
}
