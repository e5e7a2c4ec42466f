//! Goal: a decision takes effect once and wholly, an older reading never overrules a later one, and a row
//! that changed otherwise makes the caller decide anew. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;

use super::*;
use crate::lease::LeaseBook;
use crate::notifications::{NewNotification, NotificationKind};
use crate::testing::{TestDatabase, database};

fn mail() -> MailAddress {
    MailAddress::parse("m0001@sim.test").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn slot(start: i64) -> Slot {
    Slot { start: at(start), end: at(start + 3_600) }
}

fn decision(key: &str, expected_version: i64, change: Change) -> Decision {
    Decision {
        origin_id: OriginId::new(key),
        uid: Some(Uid::new("U")),
        recurrence_time: None,
        item_id: Some(ItemId::new(format!("item of {key}"))),
        expected_version,
        change,
    }
}

fn effect(began: i64, decisions: Vec<Decision>) -> Effect {
    let trace: Option<TraceContext> = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
    Effect {
        mail: mail(),
        reading_began: at(began),
        decided_at: at(began + 1),
        bulk: false,
        decisions: decisions.into_iter().map(|decision| (decision, trace.clone())).collect(),
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

async fn fence(database: &TestDatabase) -> Fence {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60))
        .acquire("qualifier/0", Duration::from_secs(5))
        .await
        .unwrap()
        .fence()
}

async fn keys(database: &TestDatabase) -> Vec<Known> {
    database
        .store
        .keys(&mail(), &KeyQuery { uids: vec![Uid::new("U")], ..KeyQuery::default() })
        .await
        .unwrap()
}

async fn overlapping(database: &TestDatabase, slot: Slot) -> Vec<Known> {
    database.store.full_read_facts(&mail(), slot, &KeyQuery::default(), at(0)).await.unwrap().known
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_through_its_life() {
    let database = database().await;
    let fence = fence(&database).await;
    let done = Applied::Done(Done::default());
    let store = &database.store;
    let created = effect(0, vec![decision("U", 0, Change::Create(slot(100)))]);
    assert_eq!(store.apply(&fence, &created).await.unwrap(), done);
    assert_eq!(
        keys(&database).await,
        [Known {
            origin_id: OriginId::new("U"),
            uid: Some(Uid::new("U")),
            recurrence_time: None,
            item_id: Some(ItemId::new("item of U")),
            version: 1,
            wanted: true,
            slot: Some(slot(100)),
            decided_at: Some(at(1)),
            acknowledged: None,
        }]
    );
    let updated = effect(10, vec![decision("U", 1, Change::Update(slot(200)))]);
    assert_eq!(store.apply(&fence, &updated).await.unwrap(), done);
    let mut moved = decision("U", 2, Change::Refresh);
    moved.item_id = Some(ItemId::new("new"));
    moved.recurrence_time = Some(at(5));
    assert_eq!(store.apply(&fence, &effect(20, vec![moved])).await.unwrap(), done);
    let known = keys(&database).await.remove(0);
    assert_eq!((known.version, known.slot, known.decided_at), (2, Some(slot(200)), Some(at(11))));
    assert_eq!((known.item_id, known.recurrence_time), (Some(ItemId::new("new")), Some(at(5))));
    let deleted = effect(30, vec![decision("U", 2, Change::Delete { slot: slot(200), inferred: false })]);
    assert_eq!(store.apply(&fence, &deleted).await.unwrap(), done);
    let known = keys(&database).await.remove(0);
    // the times stay, for who looks at what it was
    assert_eq!((known.version, known.wanted, known.slot), (3, false, Some(slot(200))));
    let client = store.client("test").await.unwrap();
    let row = client
        .query_one("select bulk, decision_trace, reading_began from calendar_event", &[])
        .await
        .unwrap();
    assert!(!row.get::<_, bool>(0));
    assert_eq!(row.get::<_, &str>(1), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(row.get::<_, Timestamp>(2), at(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_reading_is_discarded_and_the_rest_of_it_is_not() {
    let database = database().await;
    let fence = fence(&database).await;
    let store = &database.store;
    store.apply(&fence, &effect(50, vec![decision("U", 0, Change::Create(slot(100)))])).await.unwrap();
    let old = effect(
        40,
        vec![
            decision("U", 1, Change::Delete { slot: slot(100), inferred: true }),
            decision("V", 0, Change::Create(slot(300))),
        ],
    );
    assert_eq!(
        store.apply(&fence, &old).await.unwrap(),
        Applied::Done(Done { discarded: vec![OriginId::new("U")], withheld: None })
    );
    let known = keys(&database).await;
    assert_eq!(known.len(), 2);
    assert!(known.iter().all(|key| key.version == 1 && key.wanted));
    // also where the version it was made against is not the stored one
    let old = effect(40, vec![decision("U", 0, Change::Create(slot(900)))]);
    assert_eq!(
        store.apply(&fence, &old).await.unwrap(),
        Applied::Done(Done { discarded: vec![OriginId::new("U")], withheld: None })
    );
    assert_eq!(keys(&database).await[0].slot, Some(slot(100)));
    // an old reading changes no item id either
    let mut moved = decision("U", 1, Change::Refresh);
    moved.item_id = Some(ItemId::new("older"));
    store.apply(&fence, &effect(40, vec![moved])).await.unwrap();
    assert_eq!(keys(&database).await[0].item_id, Some(ItemId::new("item of U")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changed_otherwise_is_a_conflict_and_nothing_is_stored() {
    let database = database().await;
    let fence = fence(&database).await;
    let store = &database.store;
    store.apply(&fence, &effect(0, vec![decision("U", 0, Change::Create(slot(100)))])).await.unwrap();
    let blind = effect(
        10,
        vec![decision("A", 0, Change::Create(slot(100))), decision("U", 0, Change::Create(slot(300)))],
    );
    assert_eq!(store.apply(&fence, &blind).await.unwrap(), Applied::Conflict);
    let known = keys(&database).await;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].slot, Some(slot(100)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adopted_key_gets_its_first_decision() {
    let database = database().await;
    let fence = fence(&database).await;
    let client = database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end)
             values ('m0001@sim.test', 'U', true, $1, $2), ('m0001@sim.test', 'V', true, $1, $2)",
            &[&at(100), &at(200)],
        )
        .await
        .unwrap();
    let window = Slot { start: at(0), end: at(1_000) };
    let known = overlapping(&database, window).await;
    assert_eq!(known.len(), 2);
    assert_eq!(known[0].acknowledged, Some(Slot { start: at(100), end: at(200) }));
    assert_eq!((known[0].version, known[0].wanted, known[0].slot), (0, false, None));
    let held = Slot { start: at(100), end: at(200) };
    let decisions = vec![
        decision("U", 0, Change::Create(held)),
        decision("V", 0, Change::Delete { slot: held, inferred: true }),
    ];
    database.store.apply(&fence, &effect(0, decisions)).await.unwrap();
    let pending = client
        .query("select origin_id from calendar_event where pending order by origin_id", &[])
        .await
        .unwrap();
    // what Planner holds already is not sent, what is absent is
    assert_eq!(pending.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["V"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_found_by_each_of_their_names_and_by_their_time() {
    let database = database().await;
    let fence = fence(&database).await;
    let mut other = decision("S$1", 0, Change::Create(slot(10_000)));
    other.uid = Some(Uid::new("S"));
    let all = effect(0, vec![decision("U", 0, Change::Create(slot(100))), other]);
    database.store.apply(&fence, &all).await.unwrap();
    let find = async |query: KeyQuery| {
        let known = database.store.keys(&mail(), &query).await.unwrap();
        known.iter().map(|key| key.origin_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(find(KeyQuery { uids: vec![Uid::new("S")], ..KeyQuery::default() }).await, ["S$1"]);
    assert_eq!(
        find(KeyQuery { uids: vec![Uid::new("s")], ..KeyQuery::default() }).await,
        Vec::<String>::new()
    );
    let both = KeyQuery {
        uids: vec![Uid::new("S")],
        origin_ids: vec![OriginId::new("S$1"), OriginId::new("U")],
        item_ids: vec![ItemId::new("item of S$1")],
    };
    assert_eq!(find(both).await, ["S$1", "U"]);
    let in_time = async |start: i64, end: i64| {
        let known = overlapping(&database, Slot { start: at(start), end: at(end) }).await;
        known.iter().map(|key| key.origin_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(in_time(0, 100).await, Vec::<String>::new());
    assert_eq!(in_time(0, 101).await, ["U"]);
    assert_eq!(in_time(3_699, 20_000).await, ["S$1", "U"]);
    assert_eq!(in_time(3_700, 20_000).await, ["S$1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_are_learned_replaced_and_forgotten() {
    let database = database().await;
    let fence = fence(&database).await;
    let series = |uid: &str, item: &str| Series { uid: Uid::new(uid), item_id: ItemId::new(item) };
    let mut learned = effect(0, Vec::new());
    learned.series = vec![series("A", "a"), series("B", "b")];
    database.store.apply(&fence, &learned).await.unwrap();
    // the master of A moved (gone and there again in one reading), that of B is gone
    let mut moved = effect(10, Vec::new());
    moved.masters_gone = vec![ItemId::new("a"), ItemId::new("b")];
    moved.series = vec![series("A", "a2")];
    database.store.apply(&fence, &moved).await.unwrap();
    let uids = [Uid::new("A"), Uid::new("B")];
    assert_eq!(database.store.series(&mail(), &[], &uids).await.unwrap(), [series("A", "a2")]);
    assert_eq!(database.store.series(&mail(), &[ItemId::new("a2")], &[]).await.unwrap(), [series("A", "a2")]);
    assert_eq!(database.store.series(&mail(), &[ItemId::new("a")], &[]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_of_a_reading_happens_together_or_not_at_all() {
    let database = database().await;
    let fence = fence(&database).await;
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker)
             values ('m0001@sim.test', 0, 'n', 'r', true)",
        )
        .await
        .unwrap();
    let hint = NewNotification {
        mail: mail(),
        kind: NotificationKind::FullRead,
        item_id: None,
        old_item_id: None,
        exchange_timestamp: None,
        received_at: at(0),
        trace: None,
    };
    database.store.append(&[hint]).await.unwrap();
    let id: i64 = client.query_one("select id from notification", &[]).await.unwrap().get(0);
    let state = async || {
        let row = client
            .query_one(
                "select (select count(*) from calendar_event), (select count(*) from notification),
                        (select count(*) from notification_log), full_read_began_at, last_full_sync
                 from planner_resource",
                &[],
            )
            .await
            .unwrap();
        let counts: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let times: (Option<Timestamp>, Option<Timestamp>) = (row.get(3), row.get(4));
        (counts, times)
    };
    let mut whole = effect(7, vec![decision("U", 0, Change::Create(slot(100)))]);
    whole.finished = vec![Finished { id, outcome: "full read", text: None }];
    whole.full_read = true;
    // a time that PostgreSQL does not know: the data is refused, and nothing happened
    let mut impossible = whole.clone();
    let ancient = Slot { start: "-009000-01-01T00:00:00Z".parse().unwrap(), end: at(0) };
    impossible.decisions.push((decision("V", 0, Change::Create(ancient)), None));
    let refused = database.store.apply(&fence, &impossible).await.unwrap_err();
    assert!(is_refusal(&refused), "{refused:?}");
    assert!(!refused.is_outage());
    // times the wrong way round are refused by the schema
    let mut backwards = whole.clone();
    let turned = Slot { start: at(10), end: at(5) };
    backwards.decisions.push((decision("V", 0, Change::Create(turned)), None));
    assert!(is_refusal(&database.store.apply(&fence, &backwards).await.unwrap_err()));
    let lost = Fence { token: fence.token - 1, ..fence.clone() };
    let error = database.store.apply(&lost, &whole).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost { .. }) && !is_refusal(&error));
    assert_eq!(state().await, ((0, 1, 0), (None, None)));
    database.store.apply(&fence, &whole).await.unwrap();
    assert_eq!(state().await, ((1, 0, 1), (Some(at(7)), Some(at(8)))));
    for is_whole in [true, false] {
        let read = Effect { full_read: true, full_read_whole: is_whole, ..effect(9, Vec::new()) };
        database.store.apply(&fence, &read).await.unwrap();
        let noted = client.query_one("select full_read_whole from planner_resource", &[]).await.unwrap();
        assert_eq!(noted.get::<_, Option<bool>>(0), Some(is_whole));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_go_in_pieces() {
    let database = database().await;
    let fence = fence(&database).await;
    let many = 2 * CHUNK + 1;
    let decisions = (0..many).map(|n| decision(&format!("K{n:05}"), 0, Change::Create(slot(100)))).collect();
    assert_eq!(
        database.store.apply(&fence, &effect(0, decisions)).await.unwrap(),
        Applied::Done(Done::default())
    );
    assert_eq!(keys(&database).await.len(), many);
}

#[test]
fn instants_lose_what_postgresql_does_not_keep() {
    for (instant, stored) in [
        ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("1960-01-01T00:00:00.000000001Z", "1960-01-01T00:00:00Z"),
    ] {
        assert_eq!(to_stored_precision(instant.parse().unwrap()).to_string(), stored);
    }
}
