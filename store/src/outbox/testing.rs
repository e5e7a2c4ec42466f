//! What tests of the sending side need: resources and decisions put in as the other stages would, and a
//! look at what became of a key. Everything panics when the database does not do as told.

use std::time::Duration;

use base::SystemClock;
use calendar::{MailAddress, Slot};
use jiff::Timestamp;

use crate::Store;
use crate::lease::{Fence, LeaseBook};

/// A row of `calendar_event`, as far as sending goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The version of the decision.
    pub version: i64,
    /// Is it still to be sent?
    pub pending: bool,
    /// What Planner holds: `None` = nothing; the slot is `None` where its times are not known.
    pub acknowledged: Option<Option<Slot>>,
    /// Is it open what Planner holds?
    pub uncertain: bool,
    /// Is it Planner's own?
    pub planner_own: bool,
    /// The version that was refused, and the code.
    pub refused: Option<(i64, i32)>,
    /// The version that was set aside.
    pub set_aside: Option<i64>,
    /// Receipts in a row that said "not now".
    pub attempts: i32,
    /// Calls in a row without a receipt.
    pub unanswered: i32,
    /// Does it wait for time?
    pub waits: bool,
}

/// An hour that begins `hour` hours after a fixed instant far in the future.
pub fn slot(hour: i64) -> Slot {
    let start = Timestamp::from_second(1_900_000_800 + hour * 3_600).expect("an instant");
    Slot { start, end: start + Duration::from_secs(3_600) }
}

/// The fence of a lease that nobody renews for a minute.
pub async fn fence(store: &Store, key: &str) -> Fence {
    let book = LeaseBook::new(store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60));
    book.acquire(key, Duration::from_secs(5)).await.expect("the lease is free").fence()
}

/// Runs one statement.
pub async fn sql(store: &Store, statement: &str) {
    let client = store.client("test").await.expect("a connection");
    client.batch_execute(statement).await.expect("the statement works");
}

/// The one number that a statement answers.
pub async fn number(store: &Store, statement: &str) -> i64 {
    let client = store.client("test").await.expect("a connection");
    client.query_one(statement, &[]).await.expect("one row").get(0)
}

/// A resource in use that is to be adopted at once.
pub async fn new_resource(store: &Store, mail: &str) {
    let bucket = i16::from(MailAddress::parse(mail).expect("an address").bucket());
    let client = store.client("test").await.expect("a connection");
    client
        .execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker, adopt_due_at) \
             values ($1, $2, $1, $1, true, now())",
            &[&mail, &bucket],
        )
        .await
        .expect("inserted");
}

/// A resource in use that was adopted and read in full: its differences are sent.
pub async fn resource(store: &Store, mail: &str) {
    new_resource(store, mail).await;
    let client = store.client("test").await.expect("a connection");
    client
        .execute(
            "update planner_resource set adopted_at = now(), full_read_began_at = now(), full_read_whole = true, \
                                         adopt_due_at = null \
             where mail = $1",
            &[&mail],
        )
        .await
        .expect("updated");
}

/// A new decision for a key: wanted at a time, or absent.
pub async fn decide(store: &Store, mail: &str, origin_id: &str, wanted: Option<Slot>) {
    decide_as(store, mail, origin_id, wanted, false, None).await;
}

/// The same as bulk work, or with the trace of the decision; tells the others.
pub async fn decide_as(
    store: &Store,
    mail: &str,
    origin_id: &str,
    wanted: Option<Slot>,
    bulk: bool,
    trace: Option<&str>,
) {
    let mut client = store.client("test").await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    tx.execute(
        "insert into calendar_event as e (mail, origin_id, version, wanted, start_at, end_at, decided_at, bulk, \
                                          decision_trace) \
         values ($1, $2, 1, $3, $4, $5, clock_timestamp(), $6, $7) \
         on conflict (mail, origin_id) do update \
         set version = e.version + 1, wanted = excluded.wanted, bulk = excluded.bulk, \
             start_at = coalesce(excluded.start_at, e.start_at), end_at = coalesce(excluded.end_at, e.end_at), \
             decided_at = excluded.decided_at, decision_trace = excluded.decision_trace, \
             attempts = 0, next_attempt_at = null",
        &[
            &mail,
            &origin_id,
            &wanted.is_some(),
            &wanted.map(|slot| slot.start),
            &wanted.map(|slot| slot.end),
            &bulk,
            &trace,
        ],
    )
    .await
    .expect("decided");
    crate::wake::notify(&tx, crate::wake::Channel::Decision).await.expect("told");
    tx.commit().await.expect("committed");
}

/// What became of a key; `None` when there is none.
pub async fn key_row(store: &Store, mail: &str, origin_id: &str) -> Option<KeyRow> {
    let client = store.client("test").await.expect("a connection");
    let row = client
        .query_opt(
            "select version, pending, ack_there, ack_start, ack_end, uncertain, planner_own, refused_version, \
                    refused_code, set_aside_version, attempts, unanswered, coalesce(next_attempt_at > now(), false) \
             from calendar_event where mail = $1 and origin_id = $2",
            &[&mail, &origin_id],
        )
        .await
        .expect("a query")?;
    let start: Option<Timestamp> = row.get(3);
    let end: Option<Timestamp> = row.get(4);
    let there: bool = row.get(2);
    let refused_version: Option<i64> = row.get(7);
    Some(KeyRow {
        version: row.get(0),
        pending: row.get(1),
        acknowledged: there.then(|| start.zip(end).map(|(start, end)| Slot { start, end })),
        uncertain: row.get(5),
        planner_own: row.get(6),
        refused: refused_version.map(|version| (version, row.get(8))),
        set_aside: row.get(9),
        attempts: row.get(10),
        unanswered: row.get(11),
        waits: row.get(12),
    })
}

/// Waits for a condition, at most half a minute; says its last status when it waited in vain.
#[expect(clippy::panic, reason = "a test ends here")]
pub async fn wait_for<T>(mut condition: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..1_500 {
        match condition().await {
            Ok(value) => return value,
            Err(status) => last = status,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain: {last}");
}
