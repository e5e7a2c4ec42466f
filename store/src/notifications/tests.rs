//! Goal: what is appended is what the qualifier will find, in its order, and a sync state never gets ahead of
//! what it covers or falls into the hands of a former owner. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;
use calendar::MailAddress;

use super::*;
use crate::lease::LeaseBook;
use crate::testing::{self, TestDatabase, database};
use crate::wake::Wake;

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn modified(n: u32, item: &str) -> NewNotification {
    NewNotification {
        mail: mail(n),
        kind: NotificationKind::Modified,
        item_id: Some(ItemId::new(item)),
        old_item_id: None,
        exchange_timestamp: Some(at(0)),
        received_at: at(1),
        trace: None,
    }
}

async fn stored(database: &TestDatabase) -> Vec<(String, i16, String, Option<String>, Option<String>)> {
    let client = database.store.client("test").await.unwrap();
    let rows = client
        .query(
            "select mail, bucket, event_type, item_id, old_item_id from notification \
             where claim is null and attempts = 0 and set_aside_at is null order by id",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))).collect()
}

#[test]
fn kinds_come_back_from_their_text() {
    for kind in NotificationKind::ALL {
        assert_eq!(NotificationKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(NotificationKind::parse("NewMailEvent"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_keeps_its_order_and_all_its_fields() {
    let database = database().await;
    let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let moved = NewNotification {
        kind: NotificationKind::Moved,
        old_item_id: Some(ItemId::new("old")),
        trace: Some(trace.clone()),
        ..modified(2, "new")
    };
    let batch = [modified(3, "a"), moved, NewNotification::full_read(mail(1), at(2), None)];
    database.store.append(&batch).await.unwrap();
    database.store.append(&[]).await.unwrap();
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(
        stored(&database).await,
        vec![
            ("m0003@sim.test".into(), i16::from(mail(3).bucket()), "ModifiedEvent".into(), text("a"), None),
            (
                "m0002@sim.test".into(),
                i16::from(mail(2).bucket()),
                "MovedEvent".into(),
                text("new"),
                text("old")
            ),
            ("m0001@sim.test".into(), i16::from(mail(1).bucket()), "FullRead".into(), None, None),
        ]
    );
    let client = database.store.client("test").await.unwrap();
    let row = client
        .query_one(
            "select trace_context, exchange_timestamp, received_at from notification where item_id = 'new'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), trace.as_str());
    assert_eq!((row.get::<_, Timestamp>(1), row.get::<_, Timestamp>(2)), (at(0), at(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_wakes_the_qualifier() {
    let database = database().await;
    let wake = testing::listening(&database.store).await;
    let mut news = wake.subscribe(Channel::Notification);
    database.store.append(&[modified(1, "a")]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), news.changed()).await.expect("woken").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_wake_ups_nobody_is_woken() {
    let database = database().await;
    let (wake, never) = (testing::listening(&database.store).await, Wake::never());
    let (mut news, none) = (wake.subscribe(Channel::Notification), never.subscribe(Channel::Notification));
    database.store.append(&[modified(1, "a")]).await.unwrap();
    // the other one was told, so this one would have been
    tokio::time::timeout(Duration::from_secs(10), news.changed()).await.expect("woken").unwrap();
    assert!(!none.has_changed().expect("it can be waited on"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_state_is_saved_with_what_it_covers_and_only_by_the_owner() {
    let database = database().await;
    let book =
        LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60));
    let lease = book.acquire("affinity-group/1", Duration::ZERO).await.unwrap();
    let store = &database.store;
    assert_eq!(store.sync_state(&mail(1)).await.unwrap(), None);
    let first = SyncState::new("first");
    store
        .append_with_sync_state(&lease.fence(), &mail(1), &first, &[modified(1, "a")], Some(at(0)), at(0))
        .await
        .unwrap();
    assert_eq!(store.sync_state(&mail(1)).await.unwrap(), Some(first));
    assert_eq!(stored(&database).await.len(), 1);

    // an empty page moves the state alone
    let second = SyncState::new("second");
    store.append_with_sync_state(&lease.fence(), &mail(1), &second, &[], Some(at(1)), at(1)).await.unwrap();
    assert_eq!(store.sync_state(&mail(1)).await.unwrap(), Some(second.clone()));

    // a former owner changes nothing, not even by its notifications
    let stale = Fence { token: lease.fence().token - 1, ..lease.fence() };
    let refused = store
        .append_with_sync_state(&stale, &mail(1), &SyncState::new("stale"), &[modified(1, "b")], None, at(2))
        .await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert!(matches!(store.drop_sync_state(&stale, &mail(1)).await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(store.sync_state(&mail(1)).await.unwrap(), Some(second));
    assert_eq!(stored(&database).await.len(), 1);

    store.drop_sync_state(&lease.fence(), &mail(1)).await.unwrap();
    assert_eq!(store.sync_state(&mail(1)).await.unwrap(), None);
}

/// Keys and notifications as the qualifier would have left them: `(origin id, uid, item, known since)`.
async fn world(
    database: &TestDatabase,
    keys: &[(&str, Option<&str>, &str, i64)],
    waiting: &[(&str, Option<&str>, bool)],
) {
    let client = database.store.client("test").await.unwrap();
    for (origin_id, uid, item, since) in keys {
        client
            .execute(
                "insert into calendar_event (mail, origin_id, uid, item_id, item_known_since, version, wanted, start_at, end_at) \
                 values ('m0001@sim.test', $1, $2, $3, $4::timestamptz, 1, true, $4, $4 + interval '1 hour')",
                &[origin_id, uid, item, &at(*since)],
            )
            .await
            .unwrap();
    }
    for (kind, item, claimed) in waiting {
        client
            .execute(
                "insert into notification (mail, bucket, event_type, item_id, received_at, claim) \
                 values ('m0001@sim.test', $1, $2, $3, now(), case when $4 then 7 end)",
                &[&i16::from(mail(1).bucket()), kind, item, claimed],
            )
            .await
            .unwrap();
    }
}

/// Saves the sync state of second 1,000, lets `world` happen, and answers what the next catch-up adds when its page
/// brings `found`.
async fn checks_after(
    keys: &[(&str, Option<&str>, &str, i64)],
    waiting: &[(&str, Option<&str>, bool)],
    found: &[NewNotification],
) -> Vec<(String, Option<String>)> {
    let gap = Gap::new(keys, waiting).await;
    gap.checks(found).await
}

/// A mailbox whose sync state is of second 1,000, and what happened since.
struct Gap {
    database: TestDatabase,
    fence: Fence,
    _book: LeaseBook,
}

impl Gap {
    async fn new(keys: &[(&str, Option<&str>, &str, i64)], waiting: &[(&str, Option<&str>, bool)]) -> Self {
        let database = database().await;
        let book = LeaseBook::new(
            database.store.clone(),
            SystemClock::shared(),
            "test".into(),
            Duration::from_secs(60),
        );
        let fence = book.acquire("affinity-group/1", Duration::ZERO).await.unwrap().fence();
        let gap = Self { database, fence, _book: book };
        gap.catch_up(1_000, &[]).await;
        world(&gap.database, keys, waiting).await;
        gap
    }

    async fn catch_up(&self, second: i64, found: &[NewNotification]) {
        let (store, state) = (&self.database.store, SyncState::new("state"));
        let asked = at(second);
        store.append_with_sync_state(&self.fence, &mail(1), &state, found, Some(asked), asked).await.unwrap();
    }

    /// What the catch-up of second 2,000 adds.
    async fn checks(&self, found: &[NewNotification]) -> Vec<(String, Option<String>)> {
        let before = stored(&self.database).await.len();
        self.catch_up(2_000, found).await;
        let after = stored(&self.database).await.into_iter().skip(before);
        let mut added: Vec<(String, Option<String>)> =
            after.map(|(_, _, kind, item, _)| (kind, item)).collect();
        added.sort();
        added
    }

    /// Withholds the deletions of these keys, as a full read of second 1,200 would; answers the run.
    async fn withhold(&self, keys: &[&str]) -> i64 {
        let client = self.database.store.client("test").await.unwrap();
        let run: i64 = client
            .query_one(
                "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
                 values ('m0001@sim.test', 'full_read', $1, $1, 1, 1) returning id",
                &[&at(1_200)],
            )
            .await
            .unwrap()
            .get(0);
        client
            .execute(
                "insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
                 select mail, origin_id, $1::bigint, version, start_at, end_at from calendar_event \
                 where origin_id = any ($2)",
                &[&run, &keys],
            )
            .await
            .unwrap();
        run
    }
}

const WITHHELD_AND_ORDINARY: [(&str, Option<&str>, &str, i64); 4] = [
    ("A", Some("A"), "missing", 1_100),
    ("U$1", Some("U"), "missing of a series", 1_100),
    ("U$2", Some("U"), "there, of the same series", 1_100),
    ("B", Some("B"), "ordinary", 1_100),
];

/// A deletion that waits for an operator is not decided by the reading of one item (B8).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_is_not_checked() {
    let gap = Gap::new(&WITHHELD_AND_ORDINARY, &[]).await;
    gap.withhold(&["A", "U$1"]).await;
    assert_eq!(gap.checks(&[]).await, [check("ordinary")]);
}

/// What an operator said shall stay, stays until Exchange reports its deletion or its time passes (B8).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_said_shall_stay_is_not_checked() {
    let gap = Gap::new(&WITHHELD_AND_ORDINARY, &[]).await;
    let run = gap.withhold(&["A", "U$1"]).await;
    let rejected = gap.database.store.reject_withheld(run, "Anna", at(1_300)).await.unwrap().unwrap();
    assert_eq!(rejected.keys, 2);
    assert_eq!(gap.checks(&[]).await, [check("ordinary")]);
}

/// What was decided about since, or seen again, is like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_no_more_is_checked() {
    let gap = Gap::new(&WITHHELD_AND_ORDINARY, &[]).await;
    gap.withhold(&["A", "U$1"]).await;
    let client = gap.database.store.client("test").await.unwrap();
    client.execute("update calendar_event set version = 2 where origin_id = 'A'", &[]).await.unwrap();
    client.execute("delete from withheld_key where origin_id = 'U$1'", &[]).await.unwrap();
    drop(client);
    let expected = [check("missing"), check("missing of a series"), check("ordinary")];
    assert_eq!(gap.checks(&[]).await, expected);
}

fn check(item: &str) -> (String, Option<String>) {
    ("SyncCheck".into(), Some(item.into()))
}

/// Items that came and went since a sync state are nowhere in the changes since it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_learnt_since_the_sync_state_is_checked() {
    let keys = [
        ("old", Some("old"), "old item", 900),
        ("U$1", Some("U"), "first of a series", 1_100),
        ("U$2", Some("U"), "second of a series", 1_100),
        // items without a UID have nothing in common
        ("ITEM#1", None, "nameless 1", 1_100),
        ("ITEM#2", None, "nameless 2", 1_100),
    ];
    let expected = [check("first of a series"), check("nameless 1"), check("nameless 2")];
    assert_eq!(checks_after(&keys, &[], &[]).await, expected);
}

/// A qualifier that has read an item before it was deleted stores what it read after the catch-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_qualifier_has_in_hand_is_checked() {
    let waiting = [
        ("CreatedEvent", Some("in hand"), true),
        ("ModifiedEvent", Some("in hand"), true),
        ("CreatedEvent", Some("to be read"), false),
        ("CreatedEvent", Some("in hand and to be read again"), true),
        ("ModifiedEvent", Some("in hand and to be read again"), false),
        ("CreatedEvent", Some("in hand and found"), true),
    ];
    let added = checks_after(&[], &waiting, &[modified(1, "in hand and found")]).await;
    assert_eq!(added, [("ModifiedEvent".into(), Some("in hand and found".into())), check("in hand")]);
    let full_read = || ("FullRead".to_owned(), None);
    assert_eq!(checks_after(&[], &[("FullRead", None, true)], &[]).await, [full_read()]);
    assert_eq!(checks_after(&[], &[("FullRead", None, true), ("FullRead", None, false)], &[]).await, []);
    assert_eq!(checks_after(&[], &[("FullRead", None, false)], &[]).await, []);
}

/// After a first full read everything was learnt since the sync state: one more full read is cheaper than a reading of
/// each, and what it infers is guarded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_items_are_checked_by_one_full_read() {
    let names: Vec<String> = (0..51).map(|n| format!("i{n:02}")).collect();
    let keys: Vec<(&str, Option<&str>, &str, i64)> =
        names.iter().map(|name| (name.as_str(), Some(name.as_str()), name.as_str(), 1_100)).collect();
    let few: Vec<(String, Option<String>)> = names[..50].iter().map(|name| check(name)).collect();
    assert_eq!(checks_after(&keys[..50], &[], &[]).await, few);
    let full_read = || ("FullRead".to_owned(), None);
    assert_eq!(checks_after(&keys, &[], &[]).await, [full_read()]);
    assert_eq!(checks_after(&keys, &[("FullRead", None, true)], &[]).await, [full_read()]);
    assert_eq!(checks_after(&keys, &[("FullRead", None, false)], &[]).await, [], "one waits already");
    // what is in hand is checked all the same
    let in_hand = checks_after(&keys, &[("CreatedEvent", Some("in hand"), true)], &[]).await;
    assert_eq!(in_hand, [full_read(), check("in hand")]);
}
