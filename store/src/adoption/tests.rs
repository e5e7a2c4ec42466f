//! Goal: adoption takes over what Planner holds for what overlaps the window and nothing else, leaves keys
//! about which something newer is known, opens the mailbox once, and asks for a full reading exactly when
//! one is needed. Method: a real database a test.

use super::*;
use crate::calls::{CallBook, CallEnd, CallLimits, CallStart, Class, Permit, ReadCall};
use crate::outbox::testing::{decide, fence, key_row, new_resource, number, resource, slot, sql};
use crate::outbox::{Answer, Batch, KeyAnswer, Outcome, PageSize};
use crate::testing::{TestDatabase, database};

const MAIL: &str = "m0001@sim.test";
const AFTER: Duration = Duration::from_secs(60);

fn mail() -> MailAddress {
    MailAddress::parse(MAIL).unwrap()
}

/// From hour 10 to hour 100.
fn window() -> Slot {
    Slot { start: slot(10).start, end: slot(100).start }
}

fn held(origin_id: &str, slot: Slot) -> HeldEvent {
    HeldEvent {
        origin_id: OriginId::new(origin_id),
        slot,
        calendar_event_identifier: Some(Uuid::from_u128(5)),
        planner_resource_identifier: None,
    }
}

fn book(database: &TestDatabase) -> CallBook {
    let limits = CallLimits { simultaneous_calls: 10, calls_per_minute: None, events_per_minute: None };
    CallBook::new(database.store.clone(), limits)
}

async fn begin(database: &TestDatabase, fence: &Fence) -> CallStart {
    let call = ReadCall { operation: "GetEvents", mail: None, mailboxes: 1, lifetime: AFTER };
    match book(database).begin(fence, &call).await.unwrap() {
        Permit::Granted(start) => start,
        Permit::Wait(_) => panic!("no room"),
    }
}

fn adoption(began: Timestamp, events: Vec<HeldEvent>) -> Adoption {
    let now = slot(0).start;
    Adoption { mail: mail(), began, window: window(), held: events, after_unknown_outcome: AFTER, now }
}

async fn adopt(database: &TestDatabase, fence: &Fence, events: Vec<HeldEvent>) -> Adopted {
    let start = begin(database, fence).await;
    database.store.adopt(fence, &adoption(start.began, events)).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_first_adoption_takes_over_what_overlaps_the_window() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    decide(store, MAIL, "same", Some(slot(20))).await;
    decide(store, MAIL, "moved", Some(slot(21))).await;
    decide(store, MAIL, "lacking", Some(slot(22))).await;
    decide(store, MAIL, "gone", None).await;
    decide(store, MAIL, "outside", Some(slot(200))).await;
    let due = store.adoptions_due(10, &[], window()).await.unwrap();
    assert_eq!(due, [DueAdoption { mail: mail(), earliest: Some(slot(20).start) }]);
    assert_eq!(store.adoptions_due(10, &[mail()], window()).await.unwrap(), []);
    let events = vec![
        held("same", slot(20)),
        held("moved", slot(30)),
        held("gone", slot(31)),
        held("unknown", slot(40)),
        held("before the window", slot(2)),
    ];
    let adopted = adopt(&database, &fence, events).await;
    assert_eq!(adopted, Adopted { corrected: 3, learned: 1, first: true, full_read: false });
    let acknowledged = |id: &'static str| async move {
        key_row(store, MAIL, id).await.map(|row| (row.acknowledged, row.pending))
    };
    assert_eq!(acknowledged("same").await, Some((Some(Some(slot(20))), false)));
    assert_eq!(acknowledged("moved").await, Some((Some(Some(slot(30))), true)));
    assert_eq!(acknowledged("lacking").await, Some((None, true)));
    assert_eq!(acknowledged("gone").await, Some((Some(Some(slot(31))), true)));
    assert_eq!(acknowledged("unknown").await, Some((Some(Some(slot(40))), false)), "no decision yet");
    assert_eq!(key_row(store, MAIL, "unknown").await.unwrap().version, 0);
    assert_eq!(acknowledged("before the window").await, None);
    assert_eq!(
        number(
            store,
            "select count(*) from planner_resource where adopted_at is not null and adopt_due_at is null"
        )
        .await,
        1
    );
    assert_eq!(store.adoptions_due(10, &[], window()).await.unwrap(), []);
    assert_eq!(store.next_adoption().await.unwrap(), None);
}

/// An empty store against a Planner that already holds everything: nothing is to be sent.
#[tokio::test]
async fn the_next_adoption_corrects_also_what_was_uncertain() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    for id in ["applied", "lost"] {
        decide(store, MAIL, id, Some(slot(20))).await;
    }
    sql(
        store,
        "update calendar_event set uncertain = true; update planner_resource set adopt_due_at = now()",
    )
    .await;
    let adopted = adopt(&database, &fence, vec![held("applied", slot(20))]).await;
    assert_eq!(adopted, Adopted { corrected: 2, learned: 0, first: false, full_read: false });
    let applied = key_row(store, MAIL, "applied").await.unwrap();
    assert!(!applied.uncertain && !applied.pending);
    let lost = key_row(store, MAIL, "lost").await.unwrap();
    assert!(!lost.uncertain && lost.pending && lost.acknowledged.is_none());
    assert_eq!(
        number(store, "select count(*) from planner_resource where full_read_began_at is not null").await,
        1
    );
}

/// A mailbox left Planner's list while something was on its way: Planner refused it for good. When the mailbox is back
/// that counts no more (found by torture seed 31).
#[tokio::test]
async fn what_was_refused_or_set_aside_before_is_taken_up_again() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    for (id, slot) in [("refused", None), ("set aside", Some(slot(21))), ("outside", Some(slot(200)))] {
        decide(store, MAIL, id, slot).await;
    }
    sql(
        store,
        "update calendar_event set refused_version = version, refused_code = 3 where origin_id <> 'set aside'; \
         update calendar_event set set_aside_version = version, set_aside_reason = 'converted' \
             where origin_id = 'set aside'; \
         update planner_resource set adopted_at = null, adopt_due_at = now()",
    )
    .await;
    adopt(&database, &fence, vec![held("refused", slot(20))]).await;
    let refused = key_row(store, MAIL, "refused").await.unwrap();
    assert!(refused.pending && refused.refused.is_none());
    assert!(key_row(store, MAIL, "set aside").await.unwrap().pending);
    assert!(!key_row(store, MAIL, "outside").await.unwrap().pending, "nobody asked about it");
}

#[tokio::test]
async fn keys_in_flight_and_keys_answered_since_the_call_began_are_left() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    for id in ["answered", "in flight", "idle"] {
        decide(store, MAIL, id, Some(slot(20))).await;
    }
    let start = begin(&database, &fence).await;
    let book = book(&database);
    let page =
        store.pending_keys(Class::Live, "", PageSize { mailboxes: 1, keys_per_mailbox: 9 }).await.unwrap();
    for id in ["answered", "in flight"] {
        let keys: Vec<_> = page.keys.iter().filter(|key| key.origin_id.as_str() == id).cloned().collect();
        let batch = Batch { mail: mail(), operation: keys[0].operation, class: Class::Live, keys };
        let Permit::Granted(Some(call)) = book.reserve(&fence, &batch, AFTER).await.unwrap() else {
            panic!("no call")
        };
        if id == "answered" {
            let key = KeyAnswer {
                origin_id: OriginId::new(id),
                outcome: Outcome::Acknowledged,
                receipt_code: Some(0),
                text: None,
                calendar_event_identifier: None,
                planner_resource_identifier: None,
            };
            let answer = Answer {
                call_id: call.call_id,
                mail: mail(),
                end: CallEnd::default(),
                keys: vec![key],
                adopt_after: None,
            };
            book.answer(&fence, &answer, false).await.unwrap();
        }
    }
    // the answer of GetEvents is from before: it knows none of them, and one that it got wrong
    let old = vec![held("answered", slot(50)), held("in flight", slot(50)), held("idle", slot(50))];
    let adopted = store.adopt(&fence, &adoption(start.began, old)).await.unwrap().unwrap();
    assert_eq!(adopted.corrected, 1);
    assert_eq!(key_row(store, MAIL, "answered").await.unwrap().acknowledged, Some(Some(slot(20))));
    assert_eq!(key_row(store, MAIL, "in flight").await.unwrap().acknowledged, None);
    assert_eq!(key_row(store, MAIL, "idle").await.unwrap().acknowledged, Some(Some(slot(50))));
}

#[tokio::test]
async fn a_full_reading_is_asked_for_when_one_may_have_begun_before() {
    // (read before, queued FullRead: None | unclaimed | claimed) → asked for?
    for (read_before, queued, asked) in [
        (false, None, false),
        (true, None, true),
        (false, Some("null"), false),
        (true, Some("null"), false),
        (false, Some("7"), true),
    ] {
        let database = database().await;
        let store = &database.store;
        new_resource(store, MAIL).await;
        if read_before {
            sql(store, "update planner_resource set full_read_began_at = now()").await;
        }
        if let Some(claim) = queued {
            sql(
                store,
                &format!(
                    "insert into notification (mail, bucket, event_type, received_at, claim) \
                                 values ('{MAIL}', 1, 'FullRead', now(), {claim})"
                ),
            )
            .await;
        }
        let fence = fence(store, "communicator/comparison").await;
        let adopted = adopt(&database, &fence, Vec::new()).await;
        assert_eq!(adopted.full_read, asked, "{read_before} {queued:?}");
        let count = i64::from(asked) + i64::from(queued.is_some());
        assert_eq!(
            number(store, "select count(*) from notification where event_type = 'FullRead'").await,
            count
        );
        let waiting = "select count(*) from notification where claim is null and not first_read";
        assert_eq!(number(store, waiting).await, 0, "it does not wait for others: {read_before} {queued:?}");
        // nothing is sent before the reading that follows
        assert_eq!(
            number(store, "select count(*) from planner_resource where full_read_began_at is null").await,
            1
        );
    }
}

/// A mailbox that went out of use and came back before its listener noticed keeps its sync state: no first
/// catch-up will ask for the reading without which nothing is sent.
#[tokio::test]
async fn a_revived_mailbox_that_is_listened_to_is_read_in_full() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    sql(store, &format!("insert into sync_state values ('{MAIL}', 'state', now(), now())")).await;
    let set_aside = "insert into notification (mail, bucket, event_type, received_at, set_aside_at) \
                     values ('m0001@sim.test', 1, 'FullRead', now(), now())";
    sql(store, set_aside).await;
    let fence = fence(store, "communicator/comparison").await;
    assert!(adopt(&database, &fence, Vec::new()).await.full_read);
    let queued = "select count(*) from notification where event_type = 'FullRead' and set_aside_at is null";
    assert_eq!(number(store, queued).await, 1);
    assert!(!adopt(&database, &fence, Vec::new()).await.full_read, "once");
}

#[tokio::test]
async fn an_unknown_outcome_shortly_before_or_during_makes_it_due_for_comparison() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    sql(
        store,
        &format!(
            "insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, outcome, at) \
             values (gen_random_uuid(), '{MAIL}', 'U', 'C', 1, now(), now(), 'unknown', now() - interval '20 s')"
        ),
    )
    .await;
    store.ask_for_adoption(&Scope::All).await.unwrap();
    adopt(&database, &fence, Vec::new()).await;
    let soon = "select count(*) from planner_resource where compare_due_at between now() + interval '30 s' \
                and now() + interval '40 s' and adopt_due_at is null";
    assert_eq!(number(store, soon).await, 1);
}

/// `adopt --all` (B9): as if the mailbox were new.
#[tokio::test]
async fn who_asks_for_an_adoption_stops_the_sending_until_it_is_done() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    resource(store, "blocked@sim.test").await;
    sql(store, "update planner_resource set deleted_date = now() where mail = 'blocked@sim.test'").await;
    decide(store, MAIL, "U", Some(slot(20))).await;
    assert_eq!(
        store.ask_for_adoption(&Scope::One(MailAddress::parse("blocked@sim.test").unwrap())).await.unwrap(),
        0
    );
    assert_eq!(store.ask_for_adoption(&Scope::One(mail())).await.unwrap(), 1);
    let size = PageSize { mailboxes: 1, keys_per_mailbox: 9 };
    assert_eq!(store.pending_keys(Class::Live, "", size).await.unwrap().keys, []);
    let fence = fence(store, "communicator/comparison").await;
    // somebody asks once more while the call runs: that call does not do
    let start = begin(&database, &fence).await;
    assert_eq!(store.ask_for_adoption(&Scope::All).await.unwrap(), 1);
    let first = adoption(start.began, vec![held("U", slot(20))]);
    assert!(store.adopt(&fence, &first).await.unwrap().unwrap().first);
    assert_eq!(store.adoptions_due(9, &[], window()).await.unwrap().len(), 1, "still due");
    assert_eq!(
        number(
            store,
            "select count(*) from planner_resource where adopted_at is not null and deleted_date is null"
        )
        .await,
        0
    );
    adopt(&database, &fence, vec![held("U", slot(20))]).await;
    let done = "select count(*) from planner_resource where adopted_at > now() - interval '1 min' \
                and adopt_due_at is null and full_read_began_at is null and full_read_whole is null \
                and deleted_date is null";
    assert_eq!(number(store, done).await, 1);
    assert!(!key_row(store, MAIL, "U").await.unwrap().pending);
}

#[tokio::test]
async fn a_mailbox_out_of_use_and_a_lost_lease_change_nothing() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    let start = begin(&database, &fence).await;
    sql(store, "update planner_resource set deleted_date = now()").await;
    let events = vec![held("U", slot(20))];
    assert_eq!(store.adopt(&fence, &adoption(start.began, events.clone())).await.unwrap(), None);
    assert_eq!(key_row(store, MAIL, "U").await, None);
    sql(store, "update planner_resource set deleted_date = null; update lease set token = token + 1").await;
    let refused = store.adopt(&fence, &adoption(start.began, events)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(key_row(store, MAIL, "U").await, None);
}

#[tokio::test]
async fn an_adoption_can_be_put_off() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    store.postpone_adoption(&fence, &[mail()], AFTER).await.unwrap();
    assert_eq!(store.adoptions_due(10, &[], window()).await.unwrap(), []);
    let next = store.next_adoption().await.unwrap().unwrap();
    assert!(next > Duration::from_secs(50) && next <= AFTER, "{next:?}");
}

/// Everybody who locks several keys does so by origin id, or two wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_locked_in_the_order_of_their_names() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    for id in ["c", "b", "a"] {
        decide(store, MAIL, id, Some(slot(20))).await;
    }
    let began = begin(&database, &fence).await.began;
    let mut other = store.client("test").await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.execute("select from calendar_event where origin_id = 'a' for update", &[]).await.unwrap();
    let events = ["a", "b", "c"].map(|id| held(id, slot(20))).to_vec();
    // plans that read the rows as they lie, as for a large mailbox
    use secrecy::ExposeSecret;
    let off = ["indexscan", "bitmapscan", "indexonlyscan", "nestloop", "mergejoin"];
    let off: String = off.iter().map(|one| format!("-c enable_{one}=off ")).collect();
    let url = format!("{} options='{off}'", database.url.expose_secret());
    let planned = Store::open(crate::testing::options(url.into())).unwrap();
    let adopting = {
        let fence = fence.clone();
        tokio::spawn(async move { planned.adopt(&fence, &adoption(began, events)).await })
    };
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = tokio::time::Instant::now() + AFTER;
    while number(store, waits).await == 0 {
        assert!(
            tokio::time::Instant::now() < deadline && !adopting.is_finished(),
            "the adoption waits for the key"
        );
        tokio::task::yield_now().await;
    }
    // it waits for the first one and holds none of the others
    tx.execute("select from calendar_event where origin_id in ('b', 'c') for update nowait", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(adopting.await.unwrap().unwrap().unwrap().corrected, 3);
}

/// Regression: what the first full reading decided about a key while its adoption was being stored was neither corrected nor
/// learned, so that what Planner held already was sent once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_decided_while_an_adoption_is_being_stored_is_adopted_too() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    let began = begin(&database, &fence).await.began;
    // a full reading is deciding about both, and has not committed
    let mut other = store.client("test").await.unwrap();
    let tx = other.transaction().await.unwrap();
    let decision = "insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at) \
                    values ($1, $2, 1, true, $3, $4, clock_timestamp())";
    for (id, hour) in [("held", 20), ("lacking", 21)] {
        tx.execute(decision, &[&MAIL, &id, &slot(hour).start, &slot(hour).end]).await.unwrap();
    }
    let adopting = {
        let (store, fence) = (store.clone(), fence.clone());
        let events = vec![held("held", slot(20)), held("other", slot(30))];
        tokio::spawn(async move { store.adopt(&fence, &adoption(began, events)).await })
    };
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = tokio::time::Instant::now() + AFTER;
    while number(store, waits).await == 0 {
        assert!(
            tokio::time::Instant::now() < deadline && !adopting.is_finished(),
            "the adoption waits for the decision"
        );
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    let adopted = adopting.await.unwrap().unwrap().unwrap();
    assert_eq!((adopted.corrected, adopted.learned), (1, 1));
    let row = key_row(store, MAIL, "held").await.unwrap();
    assert_eq!(
        (row.version, row.acknowledged, row.pending),
        (1, Some(Some(slot(20))), false),
        "nothing to send"
    );
    let row = key_row(store, MAIL, "lacking").await.unwrap();
    assert_eq!((row.acknowledged, row.pending), (None, true));
}

/// Regression (torture seed 27): a first full read was claimed, made and decided between an adoption's look for it and
/// the adoption's commit. It did not know the learned keys, and nobody ever decided about them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_read_waits_while_an_adoption_is_being_stored() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let mut other = store.client("test").await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.execute("select from planner_resource for update", &[]).await.unwrap();
    let reading = {
        let store = store.clone();
        tokio::spawn(async move { store.begin_full_reads(&[&mail()]).await })
    };
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = tokio::time::Instant::now() + AFTER;
    while number(store, waits).await == 0 {
        assert!(
            tokio::time::Instant::now() < deadline && !reading.is_finished(),
            "it waits for the adoption"
        );
        tokio::task::yield_now().await;
    }
    // live changes do not wait
    let found = store.target(&mail()).await.unwrap();
    tx.execute("update planner_resource set error_count = 1", &[]).await.unwrap();
    let key = "insert into calendar_event (mail, origin_id) values ($1, 'learned')";
    tx.execute(key, &[&MAIL]).await.unwrap();
    tx.commit().await.unwrap();
    let begun = reading.await.unwrap().unwrap().remove(0);
    assert_eq!(std::mem::discriminant(&begun.target), std::mem::discriminant(&found));
    assert!(!begun.is_new, "it sees what was learned while it waited");
    // other writers of the row do not make it wait
    let tx = other.transaction().await.unwrap();
    tx.execute("update planner_resource set error_count = 2", &[]).await.unwrap();
    store.begin_full_reads(&[&mail()]).await.unwrap();
    tx.rollback().await.unwrap();
}

/// Who loses such a race nevertheless tries again, and does not end.
#[tokio::test]
async fn a_deadlock_and_a_serialization_failure_are_tried_again() {
    let database = database().await;
    let client = database.store.client("test").await.unwrap();
    for code in ["40P01", "40001"] {
        let raise = format!("do $$ begin raise exception 'lost' using errcode = '{code}'; end $$");
        let error = StoreError::query("test")(client.batch_execute(&raise).await.unwrap_err());
        assert!(error.disposition().is_retry() && !crate::decisions::is_refusal(&error), "{code}: {error:?}");
    }
}

/// An adoption is due again when it is lost, and whatever leaves for Planner because of it has a permit that waits for the disk
/// and takes it along: so it need not wait itself.
#[tokio::test]
async fn an_adoption_does_not_wait_for_the_disk_and_the_next_permit_does() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    sql(
        store,
        "create table waits (what text, setting text); \
         create function note_wait() returns trigger language plpgsql as $$ begin \
             insert into waits values (tg_table_name, current_setting('synchronous_commit')); return new; end $$; \
         create trigger note_wait before update on planner_resource for each row execute function note_wait(); \
         create trigger note_wait before insert on service_call_reference_log \
             for each row execute function note_wait()",
    )
    .await;
    adopt(&database, &fence, vec![held("known to Planner", slot(20))]).await;
    begin(&database, &fence).await;
    let waits = |what: &str| format!("select count(*) from waits where {what}");
    let adoptions = "what = 'planner_resource' and setting = 'off'";
    assert_eq!(number(store, &waits(adoptions)).await, 1);
    let permits = "what = 'service_call_reference_log' and setting = 'on'";
    assert_eq!(number(store, &waits(permits)).await, 2, "before and after");
    assert_eq!(number(store, &waits("true")).await, 3);
}
