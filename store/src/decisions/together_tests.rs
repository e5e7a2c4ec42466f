//! Goal: the decisions about several mailboxes happen together, or none of them does and the caller is told to try each
//! alone. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;

use super::*;
use crate::lease::LeaseBook;
use crate::notifications::NewNotification;
use crate::testing::{TestDatabase, database};

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn slot(start: i64) -> Slot {
    Slot { start: at(start), end: at(start + 3_600) }
}

/// The full read of a mailbox with two appointments, one of a series.
fn full_read(n: u32, expected_version: i64, notification: Option<i64>) -> Effect {
    let decision = |key: &str, slot| Decision {
        origin_id: OriginId::new(key),
        uid: Some(Uid::new("U")),
        recurrence_time: None,
        item_id: Some(ItemId::new(format!("item of {key}"))),
        expected_version,
        change: Change::Create(slot),
    };
    let finished = notification.map(|id| Finished { id, outcome: "full read", text: None });
    Effect {
        mail: mail(n),
        reading_began: at(0),
        decided_at: at(i64::from(n)),
        bulk: true,
        decisions: vec![(decision("b", slot(100)), None), (decision("a", slot(200)), None)],
        series: vec![Series { uid: Uid::new("U"), item_id: ItemId::new("master") }],
        masters_gone: Vec::new(),
        fresh: expected_version == 0,
        finished: finished.into_iter().collect(),
        full_read: true,
        full_read_whole: true,
        full_read_began_db: Some(at(0)),
        guarded: Guarded::default(),
    }
}

struct Place {
    database: TestDatabase,
    fences: [Fence; 2],
    leases: LeaseBook,
}

/// Three mailboxes, each with a full read that waits, and two shards.
async fn place() -> Place {
    let database = database().await;
    let client = database.store.client("test").await.unwrap();
    for n in 1..=3 {
        client
            .execute(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker) values ($1, 0, 'n', 'r', true)",
                &[&mail(n).as_str()],
            )
            .await
            .unwrap();
        database.store.append(&[NewNotification::full_read(mail(n), at(0), None)]).await.unwrap();
    }
    let ttl = Duration::from_secs(60);
    let leases = LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), ttl);
    let mut fences = Vec::new();
    for shard in 0..2 {
        let lease = leases.acquire(&format!("qualifier/{shard}"), Duration::from_secs(5)).await.unwrap();
        fences.push(lease.fence());
    }
    Place { database, fences: fences.try_into().unwrap(), leases }
}

impl Place {
    async fn notifications(&self) -> Vec<i64> {
        let client = self.database.store.client("test").await.unwrap();
        let rows = client.query("select id from notification order by mail", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Keys, series, notifications that wait, those in the log, mailboxes read.
    async fn counts(&self) -> [i64; 5] {
        let client = self.database.store.client("test").await.unwrap();
        let row = client
            .query_one(
                "select (select count(*) from calendar_event where wanted and decision_stored_at is not null),
                        (select count(*) from series), (select count(*) from notification),
                        (select count(*) from notification_log where outcome = 'full read'),
                        (select count(*) from planner_resource
                         where full_read_whole and last_full_sync is not null)",
                &[],
            )
            .await
            .unwrap();
        std::array::from_fn(|column| row.get(column))
    }

    async fn together(&self, effects: &[&Effect]) -> Result<bool, StoreError> {
        // as if of two shards
        let fenced: Vec<(&Fence, &Effect)> =
            self.fences.iter().cycle().zip(effects.iter().copied()).collect();
        self.database.store.apply_together(&fenced).await
    }
}

const NOTHING: [i64; 5] = [0, 0, 3, 0, 0];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_mailboxes_take_effect_in_one_transaction() {
    let place = place().await;
    let ids = place.notifications().await;
    let effects: Vec<Effect> =
        (1..=3).map(|n| full_read(n, 0, Some(ids[usize::try_from(n).unwrap() - 1]))).collect();
    assert!(place.together(&effects.iter().collect::<Vec<_>>()).await.unwrap());
    assert_eq!(place.counts().await, [6, 3, 0, 3, 3]);
    let client = place.database.store.client("test").await.unwrap();
    let row = client
        .query_one(
            "select count(distinct xmin::text), count(distinct decided_at), bool_and(item_id = 'item of ' || origin_id)
             from calendar_event",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1)), (1_i64, 3_i64), "one transaction, and each has its own times");
    assert!(row.get::<_, bool>(2), "no column was mixed up with another's");
    // and once more, of rows that there are
    let again: Vec<Effect> = (1..=3).map(|n| full_read(n, 1, None)).collect();
    assert!(place.together(&again.iter().collect::<Vec<_>>()).await.unwrap());
    let version: i64 = client.query_one("select min(version) from calendar_event", &[]).await.unwrap().get(0);
    assert_eq!(version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_somebody_decided_about_meanwhile_keeps_all_from_happening() {
    let place = place().await;
    let store = &place.database.store;
    store.apply(&place.fences[1], &full_read(2, 0, None)).await.unwrap();
    let before = place.counts().await;
    let (good, late) = (full_read(1, 0, None), full_read(2, 5, None));
    assert!(!place.together(&[&good, &late]).await.unwrap());
    assert_eq!(place.counts().await, before);
    assert_eq!(store.apply(&place.fences[0], &good).await.unwrap(), Applied::Done(Done::default()));
    assert_eq!(store.apply(&place.fences[1], &late).await.unwrap(), Applied::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_where_none_was_expected_keeps_all_from_happening_and_none_from_happening_alone() {
    let place = place().await;
    let client = place.database.store.client("test").await.unwrap();
    let adopted = "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end)
                   values ($1, 'a', true, $2, $3)";
    client.execute(adopted, &[&mail(2).as_str(), &at(200), &at(3_800)]).await.unwrap();
    let (one, two) = (full_read(1, 0, None), full_read(2, 0, None));
    let error = place.together(&[&one, &two]).await.unwrap_err();
    assert!(is_refusal(&error), "{error}");
    assert_eq!(place.counts().await, NOTHING);
    for (fence, effect) in place.fences.iter().zip([&one, &two]) {
        let applied = place.database.store.apply(fence, effect).await.unwrap();
        assert_eq!(applied, Applied::Done(Done::default()));
    }
    let kept: bool = client
        .query_one(
            "select ack_there and version = 1 from calendar_event where mail = $1 and origin_id = 'a'",
            &[&mail(2).as_str()],
        )
        .await
        .unwrap()
        .get(0);
    assert!(kept, "what Planner holds is not forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lease_of_one_keeps_all_from_happening() {
    let place = place().await;
    // taken anew: the fence of before is old
    place.leases.acquire("qualifier/1", Duration::from_secs(5)).await.unwrap();
    let error = place.together(&[&full_read(1, 0, None), &full_read(2, 0, None)]).await.unwrap_err();
    assert!(matches!(&error, StoreError::LeaseLost { key } if key == "qualifier/1"), "{error}");
    assert_eq!(place.counts().await, NOTHING);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_went_out_of_use_keeps_all_from_happening() {
    let place = place().await;
    let client = place.database.store.client("test").await.unwrap();
    client
        .execute("update planner_resource set deleted_date = now() where mail = $1", &[&mail(2).as_str()])
        .await
        .unwrap();
    assert!(!place.together(&[&full_read(1, 0, None), &full_read(2, 0, None)]).await.unwrap());
    assert_eq!(place.counts().await, NOTHING);
}

/// The fence of all of them names owners, too: see `of_two_owners_with_the_same_token_only_the_one_in_the_row_writes`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_the_hand_of_another_owner_stops_all_of_them() {
    let place = place().await;
    let effects = [full_read(1, 0, None), full_read(2, 0, None)];
    let forgotten = Fence { owner: "elsewhere".into(), ..place.fences[1].clone() };
    for fences in [[&place.fences[0], &forgotten], [&place.fences[1], &forgotten]] {
        let fenced: Vec<(&Fence, &Effect)> = fences.into_iter().zip(&effects).collect();
        let refused = place.database.store.apply_together(&fenced).await;
        assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
        assert_eq!(place.counts().await, NOTHING);
    }
    let fenced: Vec<(&Fence, &Effect)> = place.fences.iter().zip(&effects).collect();
    assert!(place.database.store.apply_together(&fenced).await.unwrap());
}

/// What comes back when the database server crashes is done again; a decision about a live change is not among that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_decides_about_a_live_change_waits_for_the_disk_and_what_only_ends_notifications_does_not() {
    let place = place().await;
    let client = place.database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "create table waits (of text, setting text); \
             create function note_wait() returns trigger language plpgsql as $$ begin \
                 insert into waits values (old.mail, current_setting('synchronous_commit')); return old; end $$; \
             create trigger note_wait before delete on notification for each row execute function note_wait()",
        )
        .await
        .unwrap();
    let ids = place.notifications().await;
    let live = |n: u32, decides: bool| {
        let whole = full_read(n, 0, Some(ids[n as usize - 1]));
        Effect {
            decisions: if decides { whole.decisions } else { Vec::new() },
            series: Vec::new(),
            bulk: false,
            fresh: false,
            full_read: false,
            full_read_whole: false,
            full_read_began_db: None,
            ..whole
        }
    };
    // alone, and one that decides beside one that only ends its notification
    let alone = place.database.store.apply(&place.fences[0], &live(1, false)).await.unwrap();
    assert_eq!(alone, Applied::Done(Done::default()));
    assert!(place.together(&[&live(2, false), &live(3, true)]).await.unwrap());
    let rows = client.query("select of, setting from waits order by of", &[]).await.unwrap();
    let waits: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [(1, "off"), (2, "on"), (3, "on")].map(|(n, on)| (mail(n).to_string(), on.to_owned()));
    assert_eq!(waits, expected);
}

/// Goal: what is stored by the plain insert of first decisions is what the compare-and-set stores of the same. Method: the
/// same mailbox twice, once with nothing known of it and once without that being said; every column but the keys' owner and the
/// time of storing. With a recurrence, a trace, and without UID, item and trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_insert_stores_what_the_compare_and_set_does() {
    let place = place().await;
    let trace: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let effect = |n: u32, fresh: bool| {
        let mut effect = full_read(1, 0, None);
        effect.mail = mail(n);
        effect.fresh = fresh;
        effect.reading_began = at(-7);
        let bare = Decision {
            origin_id: OriginId::new("c"),
            uid: None,
            item_id: None,
            ..effect.decisions[0].0.clone()
        };
        effect.decisions[1].0.recurrence_time = Some(at(200));
        effect.decisions[1].1 = Some(trace.clone());
        effect.decisions.push((bare, None));
        effect
    };
    let (inserted, compared) = (effect(1, true), effect(2, false));
    assert!(inserted.only_creates() && !compared.only_creates());
    assert!(place.together(&[&inserted, &compared]).await.unwrap());
    let client = place.database.store.client("test").await.unwrap();
    let rows = client
        .query(
            "select mail, string_agg((to_jsonb(e) - 'mail' - 'decision_stored_at')::text, ' ' order by origin_id), \
                    count(*), bool_and(bulk and wanted and version = 1 and pending and decision_stored_at is not null) \
             from calendar_event e group by mail order by mail",
            &[],
        )
        .await
        .unwrap();
    let [one, other] = rows.as_slice() else { panic!("{} mailboxes", rows.len()) };
    assert_eq!(one.get::<_, String>(1), other.get::<_, String>(1));
    assert_eq!((one.get::<_, i64>(2), one.get::<_, bool>(3), other.get::<_, bool>(3)), (3, true, true));
}

/// Which effects go by the plain insert: those of whose keys nothing is known, as bulk work, with nothing but creates.
#[test]
fn only_first_creates_of_bulk_work_are_plain_inserts() {
    assert!(full_read(1, 0, None).only_creates());
    assert!(!Effect { bulk: false, ..full_read(1, 0, None) }.only_creates(), "a live change");
    assert!(!Effect { fresh: false, ..full_read(1, 0, None) }.only_creates(), "something is known");
    let mut later = full_read(1, 0, None);
    later.decisions[1].0.expected_version = 1;
    assert!(!later.only_creates(), "there is a decision");
    let mut deletes = full_read(1, 0, None);
    deletes.decisions[1].0.change = Change::Delete { slot: slot(1), inferred: false };
    assert!(!deletes.only_creates(), "a deletion");
}
