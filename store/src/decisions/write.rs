//! The statements of an effect, for those of one mailbox and of many: what [`Store::apply`] and
//! [`Store::apply_together`] are made of.
//!
//! [`Store::apply`]: crate::Store::apply
//! [`Store::apply_together`]: crate::Store::apply_together

use std::collections::HashSet;

use base::TraceContext;
use calendar::reconcile::{Change, Decision};
use calendar::{ItemId, OriginId, Slot, Uid};
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::Effect;
use super::overruled::keep_overruled;
use crate::StoreError;
use crate::conflict::HELD;
use crate::instant::Instant;
use crate::notification_queue::{self, Finished};
use crate::wake::{Channel, News};

/// A decision and the effect that it is of.
pub(super) type Of<'a> = (&'a Effect, &'a (Decision, Option<TraceContext>));

impl Effect {
    fn mail(&self) -> &str {
        self.mail.as_str()
    }

    /// Is it bulk work of whose keys nothing was known, and which wants all of them?
    pub(super) fn only_creates(&self) -> bool {
        let is_first = |decision: &Decision| {
            decision.expected_version == 0 && matches!(decision.change, Change::Create(_))
        };
        self.fresh && self.bulk && self.decisions.iter().all(|(decision, _)| is_first(decision))
    }
}

/// The decisions of these effects in the one order in which everybody locks keys, so that no two wait for each other.
pub(super) fn in_order<'a>(effects: &[&'a Effect]) -> Vec<Of<'a>> {
    let mut decisions: Vec<Of<'a>> = effects
        .iter()
        .flat_map(|effect| effect.decisions.iter().map(move |decision| (*effect, decision)))
        .collect();
    decisions.sort_by(|(a, (one, _)), (b, (other, _))| {
        (a.mail(), &one.origin_id).cmp(&(b.mail(), &other.origin_id))
    });
    decisions
}

/// Which only bring item ids up to date, and which decide something.
pub(super) fn split<'a>(decisions: &[Of<'a>]) -> (Vec<Of<'a>>, Vec<Of<'a>>) {
    decisions.iter().copied().partition(|(_, (decision, _))| decision.change == Change::Refresh)
}

/// A full read need not wait for the disk, and neither need what only ends notifications, since nothing was to be changed:
/// when the database server crashes before the commit is written, all of it is undone together with the ends of the
/// notifications, and the mailbox or the item is read again (they still bear the number of their shard, which claims them
/// anew: [`notification_queue::Wanted::FullReads`], [`notification_queue::Wanted::LeftBehind`]). What was sent on the
/// strength of a full read was recorded by a later commit that did wait, and took this one with it.
pub(super) async fn hurry(tx: &Transaction<'_>, effects: &[&Effect]) -> Result<(), StoreError> {
    if !effects.iter().all(|effect| effect.full_read || effect.only_ends()) {
        return Ok(());
    }
    tx.batch_execute("set local synchronous_commit = off").await.map_err(StoreError::query("store decisions"))
}

/// Decisions as arrays, one a column of `insert!` or [`CREATE`].
struct Columns<'a> {
    mails: Vec<&'a str>,
    decided: Vec<Instant>,
    began: Vec<Instant>,
    origin_ids: Vec<&'a str>,
    uids: Vec<Option<&'a str>>,
    recurrences: Vec<Option<Instant>>,
    items: Vec<Option<&'a str>>,
    starts: Vec<Option<Instant>>,
    ends: Vec<Option<Instant>>,
    traces: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(changed: &[Of<'a>]) -> Self {
        let slots = || changed.iter().map(|(_, (d, _))| slot_of(d.change));
        Self {
            mails: changed.iter().map(|(of, _)| of.mail()).collect(),
            decided: changed.iter().map(|(of, _)| Instant(of.decided_at)).collect(),
            began: changed.iter().map(|(of, _)| Instant(of.reading_began)).collect(),
            origin_ids: changed.iter().map(|(_, (d, _))| d.origin_id.as_str()).collect(),
            uids: changed.iter().map(|(_, (d, _))| d.uid.as_ref().map(Uid::as_str)).collect(),
            recurrences: changed.iter().map(|(_, (d, _))| d.recurrence_time.map(Instant)).collect(),
            items: changed.iter().map(|(_, (d, _))| d.item_id.as_ref().map(ItemId::as_str)).collect(),
            starts: slots().map(|slot| slot.map(|slot| Instant(slot.start))).collect(),
            ends: slots().map(|slot| slot.map(|slot| Instant(slot.end))).collect(),
            traces: changed.iter().map(|(_, (_, trace))| trace.as_ref().map(TraceContext::as_str)).collect(),
        }
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 10] {
        [
            &self.mails,
            &self.decided,
            &self.began,
            &self.origin_ids,
            &self.uids,
            &self.recurrences,
            &self.items,
            &self.starts,
            &self.ends,
            &self.traces,
        ]
    }
}

/// Inserts the rows of decisions of effects that [only create](Effect::only_creates); a row that there is makes it an error.
pub(super) async fn create(tx: &Transaction<'_>, created: &[Of<'_>]) -> Result<(), StoreError> {
    let operation = "store the first decisions about a mailbox";
    if created.is_empty() {
        return Ok(());
    }
    let statement = tx.prepare_cached(CREATE).await.map_err(StoreError::query(operation))?;
    tx.execute(&statement, &Columns::of(created).parameters())
        .await
        .map(drop)
        .map_err(StoreError::query(operation))
}

/// Inserts or updates the rows of real decisions; answers the keys that were not stored, because something else
/// is known of them by now.
pub(super) async fn decide<'a>(
    tx: &Transaction<'_>,
    changed: &[Of<'a>],
) -> Result<Vec<&'a OriginId>, StoreError> {
    let operation = "store decisions";
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let are_first = changed.iter().all(|(_, (decision, _))| decision.expected_version == 0);
    let statement = if are_first { DECIDE_FIRST } else { DECIDE };
    let statement = tx.prepare_cached(statement).await.map_err(StoreError::query(operation))?;
    let columns = Columns::of(changed);
    let bulk: Vec<bool> = changed.iter().map(|(of, _)| of.bulk).collect();
    let versions: Vec<i64> = changed.iter().map(|(_, (d, _))| d.expected_version + 1).collect();
    let wanted: Vec<bool> = changed.iter().map(|(_, (d, _))| is_wanted(d.change)).collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = columns.parameters().into();
    parameters.extend([&bulk as &(dyn ToSql + Sync), &versions, &wanted]);
    let rows = tx.query(&statement, &parameters).await.map_err(StoreError::query(operation))?;
    if rows.len() == changed.len() {
        return Ok(Vec::new());
    }
    let stored: HashSet<(&str, &str)> = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, _>>()
        .map_err(StoreError::query(operation))?;
    let missed = changed.iter().filter(|(of, (d, _))| !stored.contains(&(of.mail(), d.origin_id.as_str())));
    Ok(missed.map(|(_, (decision, _))| &decision.origin_id).collect())
}

/// SQL: the columns that a decision writes.
macro_rules! columns {
    () => {
        "(mail, origin_id, uid, recurrence_time, item_id, version, wanted, item_known_since, start_at, end_at, \
          decided_at, reading_began, bulk, decision_trace, decision_stored_at)"
    };
}

/// SQL: the arrays of [`Columns`], a row a decision. They are taken apart side by side where they are selected: in a `from` each
/// would be written into a table of its own first, which is a fifth of what the storing of a row costs
/// (docs/performance.md).
macro_rules! unnested {
    () => {
        "unnest($1::text[]) as mail, unnest($2::timestamptz[]) as decided_at, \
         unnest($3::timestamptz[]) as reading_began, unnest($4::text[]) as origin_id, unnest($5::text[]) as uid, \
         unnest($6::timestamptz[]) as recurrence_time, unnest($7::text[]) as item_id, \
         unnest($8::timestamptz[]) as start_at, unnest($9::timestamptz[]) as end_at, unnest($10::text[]) as trace"
    };
}

/// SQL: rows of decisions.
macro_rules! insert {
    () => {
        concat!(
            "insert into calendar_event as e ",
            columns!(),
            " select d.mail, d.origin_id, d.uid, d.recurrence_time, d.item_id, d.version, d.wanted, d.decided_at, \
                     d.start_at, d.end_at, d.decided_at, d.reading_began, d.bulk, d.trace, clock_timestamp() \
              from (select ",
            unnested!(),
            ", unnest($11::boolean[]) as bulk, unnest($12::bigint[]) as version, unnest($13::boolean[]) as wanted) d"
        )
    };
}

/// SQL: rows of first decisions of full reads ([`Effect::only_creates`]).
pub(super) const CREATE: &str = concat!(
    "insert into calendar_event ",
    columns!(),
    " select d.mail, d.origin_id, d.uid, d.recurrence_time, d.item_id, 1, true, d.decided_at, d.start_at, d.end_at, \
             d.decided_at, d.reading_began, true, d.trace, clock_timestamp() from (select ",
    unnested!(),
    ") d"
);

/// SQL: compare-and-set. A row of another version than expected, or decided by a later reading, is left as it is.
macro_rules! decide {
    () => {
        concat!(
            insert!(),
            " on conflict (mail, origin_id) do update set \
                  uid = excluded.uid, recurrence_time = excluded.recurrence_time, item_id = excluded.item_id, \
                  item_known_since = case when e.item_id = excluded.item_id then e.item_known_since \
                                          else excluded.item_known_since end, \
                  version = excluded.version, wanted = excluded.wanted, \
                  start_at = case when excluded.wanted then excluded.start_at \
                                  else coalesce(e.start_at, excluded.start_at) end, \
                  end_at = case when excluded.wanted then excluded.end_at \
                                else coalesce(e.end_at, excluded.end_at) end, \
                  decided_at = excluded.decided_at, reading_began = excluded.reading_began, bulk = excluded.bulk, \
                  decision_trace = excluded.decision_trace, decision_stored_at = clock_timestamp(), attempts = 0, \
                  next_attempt_at = null, delete_withheld = false \
              where e.version = excluded.version - 1 \
                and (e.reading_began is null or e.reading_began <= excluded.reading_began)"
        )
    };
}

/// Of first decisions alone: there is nothing that they overrule, and it is not looked for.
pub(super) const DECIDE_FIRST: &str = concat!(decide!(), " returning mail, origin_id");

/// The decisions that are overruled are kept ([`overruled`](super::overruled)).
pub(super) const DECIDE: &str = concat!(
    "with stored as (",
    decide!(),
    " returning e.mail, e.origin_id, e.version)",
    keep_overruled!(),
    " select mail, origin_id from stored",
);

const fn is_wanted(change: Change) -> bool {
    matches!(change, Change::Create(_) | Change::Update(_))
}

const fn slot_of(change: Change) -> Option<Slot> {
    match change {
        Change::Create(slot) | Change::Update(slot) | Change::Delete { slot, .. } => Some(slot),
        Change::Refresh => None,
    }
}

/// Brings item ids and identities up to date where nothing else changed.
pub(super) async fn refresh(
    tx: &Transaction<'_>,
    effect: &Effect,
    refreshed: &[Of<'_>],
) -> Result<(), StoreError> {
    if refreshed.is_empty() {
        return Ok(());
    }
    let operation = "store new item ids";
    let origin_ids: Vec<&str> = refreshed.iter().map(|(_, (d, _))| d.origin_id.as_str()).collect();
    let uids: Vec<Option<&str>> =
        refreshed.iter().map(|(_, (d, _))| d.uid.as_ref().map(Uid::as_str)).collect();
    let recurrences: Vec<Option<Timestamp>> = refreshed.iter().map(|(_, (d, _))| d.recurrence_time).collect();
    let items: Vec<Option<&str>> =
        refreshed.iter().map(|(_, (d, _))| d.item_id.as_ref().map(ItemId::as_str)).collect();
    let versions: Vec<i64> = refreshed.iter().map(|(_, (d, _))| d.expected_version).collect();
    let statement = tx
        .prepare_cached(
            "update calendar_event e set uid = d.uid, recurrence_time = d.recurrence_time, item_id = d.item_id, \
                    item_known_since = case when e.item_id = d.item_id then e.item_known_since else $8 end \
             from unnest($3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[]) \
                  as d (origin_id, uid, recurrence_time, item_id, version) \
             where e.mail = $1 and e.origin_id = d.origin_id and e.version = d.version \
               and (e.reading_began is null or e.reading_began <= $2)",
        )
        .await
        .map_err(StoreError::query(operation))?;
    tx.execute(
        &statement,
        &[
            &effect.mail(),
            &effect.reading_began,
            &origin_ids,
            &uids,
            &recurrences,
            &items,
            &versions,
            &effect.decided_at,
        ],
    )
    .await
    .map(drop)
    .map_err(StoreError::query(operation))
}

/// What follows the decisions: series, ends of notifications, full reads that are done. None of these needs the answer of
/// another: they go out together, and of errors the first one counts. Answers what is new for the sender.
pub(super) async fn conclude(tx: &Transaction<'_>, effects: &[&Effect]) -> Result<News, StoreError> {
    let finished: Vec<(&Finished, Timestamp)> = effects
        .iter()
        .flat_map(|effect| effect.finished.iter().map(|finished| (finished, effect.decided_at)))
        .collect();
    tokio::try_join!(
        biased;
        update_series(tx, effects),
        notification_queue::finish(tx, &finished),
        note_full_reads(tx, effects),
    )?;
    let is_new = effects.iter().any(|effect| effect.full_read || !effect.decisions.is_empty());
    Ok(News::of(Channel::Decision).when(is_new))
}

/// What is asked to note full reads.
pub(super) fn note_full_reads_sql() -> String {
    format!(
        "{HELD} update planner_resource r set full_read_began_at = d.began, last_full_sync = d.decided, \
                full_read_whole = d.whole, full_read_began_db = d.began_db \
         from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::boolean[], $5::timestamptz[]) \
              as d (mail, began, decided, whole, began_db) join held using (mail) \
         where r.mail = d.mail"
    )
}

async fn note_full_reads(tx: &Transaction<'_>, effects: &[&Effect]) -> Result<(), StoreError> {
    let mut full: Vec<&Effect> = effects.iter().copied().filter(|effect| effect.full_read).collect();
    if full.is_empty() {
        return Ok(());
    }
    full.sort_by_key(|effect| effect.mail());
    let operation = "note full reads";
    let statement = tx.prepare_cached(&note_full_reads_sql()).await.map_err(StoreError::query(operation))?;
    let mails: Vec<&str> = full.iter().map(|effect| effect.mail()).collect();
    let began: Vec<Timestamp> = full.iter().map(|effect| effect.reading_began).collect();
    let decided: Vec<Timestamp> = full.iter().map(|effect| effect.decided_at).collect();
    let whole: Vec<bool> = full.iter().map(|effect| effect.full_read_whole).collect();
    let began_db: Vec<Option<Timestamp>> = full.iter().map(|effect| effect.full_read_began_db).collect();
    tx.execute(&statement, &[&mails, &began, &decided, &whole, &began_db])
        .await
        .map(drop)
        .map_err(StoreError::query(operation))
}

/// What is asked to learn series.
pub(super) const LEARN_SERIES: &str = "insert into series (mail, uid, item_id) select * from unnest($1::text[], $2::text[], $3::text[]) \
         on conflict (mail, uid) do update set item_id = excluded.item_id";

/// Forgets masters that are gone, then learns the new ones.
async fn update_series(tx: &Transaction<'_>, effects: &[&Effect]) -> Result<(), StoreError> {
    let operation = "store the series of a mailbox";
    let gone: Vec<(&str, &str)> = effects
        .iter()
        .flat_map(|effect| effect.masters_gone.iter().map(|item| (effect.mail(), item.as_str())))
        .collect();
    if !gone.is_empty() {
        let (mails, items): (Vec<&str>, Vec<&str>) = gone.into_iter().unzip();
        let statement = tx
            .prepare_cached(
                "delete from series s using unnest($1::text[], $2::text[]) as d (mail, item_id) \
                 where s.mail = d.mail and s.item_id = d.item_id",
            )
            .await
            .map_err(StoreError::query(operation))?;
        tx.execute(&statement, &[&mails, &items]).await.map_err(StoreError::query(operation))?;
    }
    let mut learned: Vec<(&str, &str, &str)> = effects
        .iter()
        .flat_map(|effect| {
            effect.series.iter().map(|one| (effect.mail(), one.uid.as_str(), one.item_id.as_str()))
        })
        .collect();
    if learned.is_empty() {
        return Ok(());
    }
    learned.sort_unstable();
    learned.dedup_by_key(|(mail, uid, _)| (*mail, *uid));
    let mails: Vec<&str> = learned.iter().map(|(mail, _, _)| *mail).collect();
    let uids: Vec<&str> = learned.iter().map(|(_, uid, _)| *uid).collect();
    let items: Vec<&str> = learned.iter().map(|(_, _, item)| *item).collect();
    let statement = tx.prepare_cached(LEARN_SERIES).await.map_err(StoreError::query(operation))?;
    tx.execute(&statement, &[&mails, &uids, &items]).await.map(drop).map_err(StoreError::query(operation))
}
