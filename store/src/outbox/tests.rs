//! Goal: what is shown as pending is exactly what is to be sent and how; a key is in one call at most; an
//! answer does to its key what B9's table says and nothing to others; whoever lost the lease writes
//! nothing. Method: a real database a test, decisions put in as the qualifier would.

use uuid::Uuid;

use super::testing::{decide, decide_as, fence, key_row, number, resource, slot, sql};
use super::*;
use crate::calls::{CallBook, CallEnd, CallLimits, Permit};
use crate::lease::Fence;
use crate::testing::{TestDatabase, database};

mod later;

const MAIL: &str = "m0001@sim.test";
const LIFE: Duration = Duration::from_secs(30);
const SIZE: PageSize = PageSize { mailboxes: 10, keys_per_mailbox: 10 };

fn mail() -> MailAddress {
    MailAddress::parse(MAIL).unwrap()
}

fn book(database: &TestDatabase) -> CallBook {
    let limits = CallLimits { simultaneous_calls: 10, calls_per_minute: None, events_per_minute: None };
    CallBook::new(database.store.clone(), limits)
}

async fn as_of(store: &Store) -> Timestamp {
    let client = store.client("test").await.unwrap();
    client.query_one("select now()", &[]).await.unwrap().get(0)
}

async fn pending(database: &TestDatabase) -> Vec<PendingKey> {
    database.store.pending_keys(Class::Live, "", SIZE).await.unwrap().keys
}

fn batch(keys: Vec<PendingKey>) -> Batch {
    Batch { mail: keys[0].mail.clone(), operation: keys[0].operation, class: Class::Live, keys }
}

async fn reserve(book: &CallBook, fence: &Fence, keys: Vec<PendingKey>) -> Option<Reserved> {
    match book.reserve(fence, &batch(keys), LIFE).await.unwrap() {
        Permit::Granted(reserved) => reserved,
        Permit::Wait(wait) => panic!("no room for {wait:?}"),
    }
}

/// Answers every key of a call with the same outcome.
async fn answer(book: &CallBook, fence: &Fence, call: &Reserved, outcome: Outcome) -> u64 {
    let code = match &outcome {
        Outcome::Refused { code } => Some(*code),
        Outcome::Unknown { .. } | Outcome::Unsure { .. } | Outcome::Unsent => None,
        _ => Some(0),
    };
    let key = |key: &PendingKey| KeyAnswer {
        origin_id: key.origin_id.clone(),
        outcome: outcome.clone(),
        receipt_code: code,
        text: Some("words\0".into()),
        calendar_event_identifier: Some(Uuid::from_u128(7)),
        planner_resource_identifier: None,
    };
    let answer = Answer {
        call_id: call.call_id,
        mail: call.mail.clone(),
        end: CallEnd {
            success: code.is_some(),
            planner_call_id: Some(Uuid::from_u128(9)),
            ..CallEnd::default()
        },
        keys: call.keys.iter().map(key).collect(),
        adopt_after: matches!(outcome, Outcome::Unknown { .. }).then_some(Duration::from_secs(60)),
    };
    book.answer(fence, &answer, call.operation == Operation::Delete).await.unwrap()
}

/// Decides, reserves and answers once.
async fn send(database: &TestDatabase, fence: &Fence, outcome: Outcome) -> Reserved {
    let book = book(database);
    let call = reserve(&book, fence, pending(database).await).await.unwrap();
    assert_eq!(answer(&book, fence, &call, outcome).await, call.keys.len() as u64);
    call
}

#[tokio::test]
async fn a_change_goes_through_create_update_delete() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    for (wanted, operation) in [
        (Some(slot(1)), Operation::Create),
        (Some(slot(2)), Operation::Update),
        (None, Operation::Delete),
        (Some(slot(3)), Operation::Create),
    ] {
        decide(store, MAIL, "U", wanted).await;
        let call = send(&database, &fence, Outcome::Acknowledged).await;
        assert_eq!(call.operation, operation);
        let row = key_row(store, MAIL, "U").await.unwrap();
        assert_eq!(row.acknowledged, wanted.map(Some));
        assert!(!row.pending && !row.uncertain);
        assert_eq!(pending(&database).await, []);
    }
    // what a deletion sent was what Planner held
    let times = number(
        store,
        "select count(*) from sync_log where operation = 'D' and start_at = to_timestamp(1900008000)",
    );
    assert_eq!(times.await, 1);
    assert_eq!(
        number(
            store,
            "select count(*) from service_call_reference_log where success and ended_at is not null"
        )
        .await,
        4
    );
    // deciding the same anew is no change
    decide(store, MAIL, "U", Some(slot(3))).await;
    assert_eq!(pending(&database).await, []);
}

#[tokio::test]
async fn nothing_is_sent_for_mailboxes_that_are_not_ready() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    let keys = pending(&database).await;
    assert_eq!(keys.len(), 1);
    let (fence, book) = (fence(store, "communicator").await, book(&database));
    for not_ready in ["adopted_at = null", "full_read_began_at = null", "deleted_date = now()"] {
        sql(store, &format!("update planner_resource set {not_ready}")).await;
        assert_eq!(pending(&database).await, [], "{not_ready}");
        assert_eq!(reserve(&book, &fence, keys.clone()).await, None, "{not_ready}");
        sql(
            store,
            "update planner_resource set adopted_at = now(), full_read_began_at = now(), deleted_date = null",
        )
        .await;
    }
    assert_eq!(pending(&database).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_in_one_call_and_a_changed_key_is_left_out() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    for id in ["A", "B", "C"] {
        decide(store, MAIL, id, Some(slot(1))).await;
    }
    let (fence, book) = (fence(store, "communicator").await, book(&database));
    let keys = pending(&database).await;
    let first = reserve(&book, &fence, keys[..1].to_vec()).await.unwrap();
    decide(store, MAIL, "B", Some(slot(5))).await;
    let second = reserve(&book, &fence, keys.clone()).await.unwrap();
    let ids = |call: &Reserved| call.keys.iter().map(|key| key.origin_id.to_string()).collect::<Vec<_>>();
    assert_eq!((ids(&first), ids(&second)), (vec!["A".to_owned()], vec!["C".to_owned()]));
    assert_eq!(
        number(
            store,
            "select items::bigint from service_call_reference_log order by started_at desc limit 1"
        )
        .await,
        1
    );
    // nothing left of what was planned: no call, no permit
    assert_eq!(reserve(&book, &fence, keys).await, None);
    assert_eq!(number(store, "select count(*) from service_call_reference_log").await, 2);
    // keys in flight are not shown, the changed one is, with its new times
    let shown = pending(&database).await;
    assert_eq!(
        shown.iter().map(|key| (key.origin_id.as_str(), key.slot)).collect::<Vec<_>>(),
        [("B", slot(5))]
    );
}

#[tokio::test]
async fn a_decision_made_while_in_flight_stays_to_be_sent() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    let (fence, book) = (fence(store, "communicator").await, book(&database));
    let call = reserve(&book, &fence, pending(&database).await).await.unwrap();
    decide(store, MAIL, "U", None).await;
    answer(&book, &fence, &call, Outcome::Acknowledged).await;
    let row = key_row(store, MAIL, "U").await.unwrap();
    assert_eq!(row.acknowledged, Some(Some(slot(1))), "what was sent is acknowledged");
    assert_eq!(pending(&database).await[0].operation, Operation::Delete);
    // and a refusal of the old version does not hold the new one back
    let call = reserve(&book, &fence, pending(&database).await).await.unwrap();
    decide(store, MAIL, "U", Some(slot(9))).await;
    answer(&book, &fence, &call, Outcome::Refused { code: 5 }).await;
    assert_eq!(pending(&database).await[0].operation, Operation::Update);
}

#[tokio::test]
async fn conversions_follow_the_receipts_and_happen_once() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    let fence = fence(store, "communicator").await;
    assert_eq!(send(&database, &fence, Outcome::Has).await.operation, Operation::Create);
    let key = pending(&database).await.remove(0);
    assert_eq!((key.operation, key.converted), (Operation::Update, false));
    assert_eq!(key_row(store, MAIL, "U").await.unwrap().acknowledged, Some(None), "there, times unknown");
    assert_eq!(send(&database, &fence, Outcome::Lacks).await.operation, Operation::Update);
    let key = pending(&database).await.remove(0);
    assert_eq!(
        (key.operation, key.converted),
        (Operation::Create, true),
        "the second 8 would be one too many"
    );
    send(&database, &fence, Outcome::SetAside { reason: "twice", there: Some(true) }).await;
    let row = key_row(store, MAIL, "U").await.unwrap();
    assert_eq!((row.set_aside, row.pending), (Some(1), false));
    // a new decision starts anew, from what was learned
    decide(store, MAIL, "U", Some(slot(2))).await;
    let key = pending(&database).await.remove(0);
    assert_eq!((key.operation, key.converted), (Operation::Update, false));
}

#[tokio::test]
async fn an_update_that_finds_nothing_is_done_when_the_key_is_not_wanted_any_more() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let (fence, book) = (fence(store, "communicator").await, book(&database));
    decide(store, MAIL, "U", Some(slot(1))).await;
    send(&database, &fence, Outcome::Acknowledged).await;
    decide(store, MAIL, "U", Some(slot(2))).await;
    let call = reserve(&book, &fence, pending(&database).await).await.unwrap();
    decide(store, MAIL, "U", None).await;
    answer(&book, &fence, &call, Outcome::Lacks).await;
    assert!(!key_row(store, MAIL, "U").await.unwrap().pending);
}

#[tokio::test]
async fn own_refused_transient_unknown_unsure_and_unsent() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    let after = Duration::from_secs(60);
    for id in ["own", "refused", "transient", "unknown", "unsure", "unsent"] {
        decide(store, MAIL, id, Some(slot(1))).await;
        let outcome = match id {
            "own" => Outcome::Own,
            "refused" => Outcome::Refused { code: 3 },
            "transient" => Outcome::Transient { after, own: true },
            "unknown" => Outcome::Unknown { after, own: false },
            "unsure" => Outcome::Unsure { after, own: false },
            _ => Outcome::Unsent,
        };
        send(&database, &fence, outcome).await;
        let row = key_row(store, MAIL, id).await.unwrap();
        assert_eq!(row.pending, !["own", "refused"].contains(&id), "{id}");
        assert_eq!(row.waits, ["transient", "unknown", "unsure"].contains(&id), "{id}");
        assert_eq!(row.uncertain, ["unknown", "unsure"].contains(&id), "{id}");
        assert_eq!(
            (row.attempts, row.unanswered),
            (i32::from(id == "transient"), i32::from(id.starts_with("un") && id != "unsent")),
            "{id}"
        );
        // out of the way of the next
        sql(store, "update calendar_event set next_attempt_at = now() + interval '1 h' where pending").await;
    }
    assert_eq!(key_row(store, MAIL, "refused").await.unwrap().refused, Some((1, 3)));
    let soon = store.outbox_due(as_of(store).await).await.unwrap().unwrap();
    assert!(soon > Duration::from_secs(3_000) && soon <= Duration::from_secs(3_600), "{soon:?}");
    // a pause that ended while the walk was under way is due at once, one that ended before is not
    let before = as_of(store).await;
    sql(store, "update calendar_event set next_attempt_at = clock_timestamp() where pending").await;
    assert_eq!(store.outbox_due(before).await.unwrap(), Some(Duration::ZERO));
    assert_eq!(store.outbox_due(as_of(store).await).await.unwrap(), None);
    sql(store, "update calendar_event set next_attempt_at = now() + interval '1 h' where pending").await;
    // the unknown outcome made its mailbox due for a comparison
    assert_eq!(number(store, "select count(*) from planner_resource where compare_due_at > now()").await, 1);
    // Planner's own is never sent again, whatever is decided
    decide(store, MAIL, "own", Some(slot(7))).await;
    decide(store, MAIL, "refused", Some(slot(7))).await;
    let shown: Vec<String> = pending(&database).await.iter().map(|key| key.origin_id.to_string()).collect();
    assert_eq!(shown, ["refused"]);
}

/// A timeout whose change was applied, followed by a decision that goes back to what was acknowledged: only
/// the mark "uncertain" knows that Planner may hold something else.
#[tokio::test]
async fn an_uncertain_key_is_sent_even_when_nothing_seems_to_differ() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    send(&database, &fence, Outcome::Acknowledged).await;
    decide(store, MAIL, "U", Some(slot(2))).await;
    send(&database, &fence, Outcome::Unknown { after: Duration::ZERO, own: false }).await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    let key = pending(&database).await.remove(0);
    assert_eq!((key.operation, key.slot, key.unanswered), (Operation::Update, slot(1), 1));
    send(&database, &fence, Outcome::Acknowledged).await;
    let row = key_row(store, MAIL, "U").await.unwrap();
    assert!(!row.pending && !row.uncertain && row.unanswered == 0);
    // the same for a creation that was never acknowledged and is not wanted any more
    decide(store, MAIL, "V", Some(slot(1))).await;
    send(&database, &fence, Outcome::Unknown { after: Duration::ZERO, own: false }).await;
    decide(store, MAIL, "V", None).await;
    assert_eq!(pending(&database).await[0].operation, Operation::Delete);
}

#[tokio::test]
async fn a_crashed_call_blocks_its_own_keys_until_the_deadline_and_no_others() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    for id in ["A", "B"] {
        decide(store, MAIL, id, Some(slot(1))).await;
    }
    let (old_fence, book) = (fence(store, "communicator").await, book(&database));
    let keys = pending(&database).await;
    let call = reserve(&book, &old_fence, keys[..1].to_vec()).await.unwrap();
    // a successor takes over
    let fence = fence(store, "communicator").await;
    assert_eq!(pending(&database).await.len(), 1, "B is free");
    let adopt_after = Duration::from_secs(60);
    assert_eq!(store.expire_calls(&fence, 9204, adopt_after).await.unwrap().keys, 0);
    assert!(
        store.outbox_due(as_of(store).await).await.unwrap().unwrap() <= LIFE,
        "it is known when the deadline passes"
    );
    sql(store, "update key_in_flight set deadline = now() - interval '1 s'").await;
    let expired = store.expire_calls(&fence, 9204, adopt_after).await.unwrap();
    assert_eq!((expired.calls, expired.keys), (1, 1));
    let row = key_row(store, MAIL, "A").await.unwrap();
    assert!(row.uncertain && row.pending);
    assert_eq!(number(store, "select count(*) from sync_log where outcome = 'unknown'").await, 1);
    assert_eq!(
        number(
            store,
            "select count(*) from service_call_reference_log where event_id = 9204 and not success"
        )
        .await,
        1
    );
    assert_eq!(
        number(store, "select count(*) from planner_resource where compare_due_at is not null").await,
        1
    );
    // the predecessor wakes up with its answer: too late, twice over
    let acknowledge = Answer {
        call_id: call.call_id,
        mail: mail(),
        end: CallEnd { success: true, ..CallEnd::default() },
        keys: vec![KeyAnswer {
            origin_id: OriginId::new("A"),
            outcome: Outcome::Acknowledged,
            receipt_code: Some(0),
            text: None,
            calendar_event_identifier: None,
            planner_resource_identifier: None,
        }],
        adopt_after: None,
    };
    let refused = book.answer(&old_fence, &acknowledge, false).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    // and under the current lease it finds its keys gone
    assert_eq!(book.answer(&fence, &acknowledge, false).await.unwrap(), 0);
    assert!(key_row(store, MAIL, "A").await.unwrap().uncertain);
}

#[tokio::test]
async fn whoever_lost_the_lease_reserves_nothing() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    let (old, book) = (fence(store, "communicator").await, book(&database));
    fence(store, "communicator").await;
    let refused = book.reserve(&old, &batch(pending(&database).await), LIFE).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(number(store, "select count(*) from service_call_reference_log").await, 0);
    assert_eq!(store.keys_in_flight().await.unwrap(), []);
}

#[tokio::test]
async fn the_walk_shows_each_class_by_mailbox_and_goes_on_where_it_stopped() {
    let database = database().await;
    let store = &database.store;
    for n in 1..=5 {
        let mail = format!("m{n}@x");
        resource(store, &mail).await;
        for id in ["old", "mid", "new"] {
            decide(store, &mail, id, Some(slot(1))).await;
        }
        decide_as(store, &mail, "bulk", Some(slot(1)), true, None).await;
    }
    sql(store, "update planner_resource set adopted_at = null where mail = 'm2@x'").await;
    let size = PageSize { mailboxes: 2, keys_per_mailbox: 2 };
    let shape = |page: &Page| -> Vec<String> {
        page.keys.iter().map(|key| format!("{} {}", key.mail, key.origin_id)).collect()
    };
    let first = store.pending_keys(Class::Live, "", size).await.unwrap();
    assert_eq!(shape(&first), ["m1@x old", "m1@x mid"]);
    assert_eq!(first.next.as_deref(), Some("m2@x"), "also a mailbox that cannot be sent moves the walk on");
    let second = store.pending_keys(Class::Live, "m2@x", size).await.unwrap();
    assert_eq!(shape(&second), ["m3@x old", "m3@x mid", "m4@x old", "m4@x mid"]);
    let third = store.pending_keys(Class::Live, "m4@x", size).await.unwrap();
    assert_eq!((shape(&third).len(), third.next), (2, None));
    assert_eq!(store.pending_keys(Class::Live, "m9@x", size).await.unwrap(), Page::default());
    let bulk = store.pending_keys(Class::Bulk, "m3@x", SIZE).await.unwrap();
    assert_eq!(shape(&bulk), ["m4@x bulk", "m5@x bulk"]);
}

#[tokio::test]
async fn a_decision_without_any_times_can_still_be_deleted() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    sql(
        store,
        "insert into calendar_event (mail, origin_id, version, wanted, decided_at, ack_there) \
         values ('m0001@sim.test', 'U', 1, false, now(), true)",
    )
    .await;
    let key = pending(&database).await.remove(0);
    assert_eq!(key.operation, Operation::Delete);
    assert!(key.slot.end > key.slot.start);
}

#[tokio::test]
async fn a_receipt_code_is_new_once_also_after_a_restart() {
    let database = database().await;
    let store = &database.store;
    assert!(store.first_sight_of_receipt(6217).await.unwrap());
    assert!(!store.first_sight_of_receipt(6217).await.unwrap());
    assert!(store.first_sight_of_receipt(6249).await.unwrap());
}

#[tokio::test]
async fn withheld_deletions_are_not_sent_and_everything_else_of_the_key_is() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    decide(store, MAIL, "U", Some(slot(1))).await;
    send(&database, &fence, Outcome::Acknowledged).await;
    decide(store, MAIL, "U", None).await;
    let planned = pending(&database).await;
    sql(store, "update calendar_event set delete_withheld = true").await;
    assert_eq!(pending(&database).await, []);
    assert_eq!(reserve(&book(&database), &fence, planned).await, None, "withheld after it was planned");
    // wanted again: what is there is kept in step
    decide(store, MAIL, "U", Some(slot(2))).await;
    assert_eq!(pending(&database).await[0].operation, Operation::Update);
    // let go
    decide(store, MAIL, "U", None).await;
    sql(store, "update calendar_event set delete_withheld = false").await;
    assert_eq!(pending(&database).await[0].operation, Operation::Delete);
}
