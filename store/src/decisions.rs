//! Decisions (B4): what is known about the keys of a mailbox, and the one transaction in which a reading of
//! its calendar takes effect: decisions stored by compare-and-set, the series table brought up to date,
//! notifications moved to the log, a full read marked as done, the sender woken.
//!
//! Protocol: load what is known, decide (crate `calendar`), [`Store::apply`]. A decision names the version
//! that it was made against and when its reading began. A row whose latest decision came from a later reading
//! keeps it: the older reading is discarded (an old pull never overrules a live change). A row that changed
//! otherwise is a conflict: nothing is stored, the caller loads and decides anew.
//!
//! Failure: an error means that nothing took effect, or that this is unknown; deciding again is harmless.
//! [`is_refusal`] tells the errors that come from the data itself.

use base::TraceContext;
use calendar::reconcile::{Change, Decision};
use calendar::{ItemId, Known, MailAddress, OriginId, Slot, Uid};
use jiff::{Timestamp, ToSpan};
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use crate::lease::{self, Fence};
use crate::notification_queue::{self, Finished};
use crate::wake::{self, Channel};
use crate::withheld::{self, MissingKey, WithheldSource, Withholding};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Most keys in one statement.
const CHUNK: usize = 1_000;

/// Which keys of a mailbox to load: those that match any of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyQuery {
    /// Of these UIDs.
    pub uids: Vec<Uid>,
    /// With these origin ids.
    pub origin_ids: Vec<OriginId>,
    /// Whose current item is one of these.
    pub item_ids: Vec<ItemId>,
}

/// A series and the item of its pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its UID.
    pub uid: Uid,
    /// Its master.
    pub item_id: ItemId,
}

/// What a reading of a calendar leads to.
#[derive(Debug, Clone)]
pub struct Effect {
    /// Whose calendar.
    pub mail: MailAddress,
    /// When the reading began.
    pub reading_began: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Was it a pull or comparison, and no live change (B9)?
    pub bulk: bool,
    /// The decisions, each with the trace of what caused it; no key twice.
    pub decisions: Vec<(Decision, Option<TraceContext>)>,
    /// Series whose master is known now.
    pub series: Vec<Series>,
    /// Masters that are gone.
    pub masters_gone: Vec<ItemId>,
    /// Notifications that are done with.
    pub finished: Vec<Finished>,
    /// Was the whole window read?
    pub full_read: bool,
    /// Was everything in it readable and stored, too? Of a full read alone. A comparison deletes what nobody knows only
    /// then, since it may be what could not be read (B11).
    pub full_read_whole: bool,
    /// When it began, by the database's clock: not later than it really did. Of a full read alone.
    pub full_read_began_db: Option<Timestamp>,
    /// What the mass-delete guard has to do with it.
    pub guarded: Guarded,
}

/// What a reading means for what is withheld or rejected (B8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Keys that are withheld or rejected and stand in the calendar.
    pub seen: Vec<OriginId>,
    /// What becomes of the mailbox's full read that waits for an operator.
    pub run: GuardedRun,
}

/// What becomes of the run that waits for an operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GuardedRun {
    /// It goes on waiting.
    #[default]
    Stays,
    /// It ends: this reading is newer, and its deletions are among the decisions.
    Ends,
    /// These deletions are withheld, in place of those that wait.
    Withholds {
        /// The keys, none twice.
        keys: Vec<MissingKey>,
        /// How many keys were there.
        there: usize,
    },
}

/// What became of an [`Effect`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It took effect.
    Done(Done),
    /// Somebody else decided about one of the keys since they were loaded: nothing took effect.
    Conflict,
}

/// How an [`Effect`] took effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// But for these keys, whose stored decisions came from later readings.
    pub discarded: Vec<OriginId>,
    /// The run whose deletions were withheld.
    pub withheld: Option<i64>,
}

/// Does the error come from the data (a value that a column or constraint does not take), so that trying
/// again is no use?
pub fn is_refusal(error: &StoreError) -> bool {
    let StoreError::Query { source, .. } = error else { return false };
    source.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)))
}

/// PostgreSQL keeps microseconds: an instant as it comes back from there.
pub fn to_stored_precision(instant: Timestamp) -> Timestamp {
    let beyond = i64::from(instant.subsec_nanosecond().rem_euclid(1_000));
    instant.checked_sub(beyond.nanoseconds()).unwrap_or(instant)
}

/// SQL: what [`known_of`] reads.
pub(crate) const COLUMNS: &str = "origin_id, uid, recurrence_time, item_id, version, coalesce(wanted, false) as wanted, \
                       start_at, end_at, decided_at, ack_there, ack_start, ack_end";

impl Store {
    /// The keys of a mailbox that match `query`, ordered by origin id.
    pub async fn keys(&self, mail: &MailAddress, query: &KeyQuery) -> Result<Vec<Known>, StoreError> {
        let operation = "load what is known about appointments";
        let client = self.client(operation).await?;
        // One walk through the mailbox's keys: there are no indexes for the parts (V9).
        let statement = client
            .prepare_cached(&format!(
                "select {COLUMNS} from calendar_event \
                 where mail = $1 and (uid = any ($2) or origin_id = any ($3) or item_id = any ($4)) \
                 order by origin_id"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        let uids: Vec<&str> = query.uids.iter().map(Uid::as_str).collect();
        let origin_ids: Vec<&str> = query.origin_ids.iter().map(OriginId::as_str).collect();
        let item_ids: Vec<&str> = query.item_ids.iter().map(ItemId::as_str).collect();
        let rows = client
            .query(&statement, &[&mail.as_str(), &uids, &origin_ids, &item_ids])
            .await
            .map_err(StoreError::query(operation))?;
        rows.iter().map(known_of).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }

    /// The known series of a mailbox that have one of these masters or UIDs.
    pub async fn series(
        &self,
        mail: &MailAddress,
        masters: &[ItemId],
        uids: &[Uid],
    ) -> Result<Vec<Series>, StoreError> {
        let operation = "load the series of a mailbox";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select uid, item_id from series where mail = $1 and item_id = any ($2) \
                 union select uid, item_id from series where mail = $1 and uid = any ($3) order by uid",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let masters: Vec<&str> = masters.iter().map(ItemId::as_str).collect();
        let uids: Vec<&str> = uids.iter().map(Uid::as_str).collect();
        let rows = client
            .query(&statement, &[&mail.as_str(), &masters, &uids])
            .await
            .map_err(StoreError::query(operation))?;
        rows.iter().map(series_of).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }

    /// The UIDs of series that have keys of which the latest decision is not "absent", and whose master nobody
    /// knows.
    pub async fn series_without_master(&self, mail: &MailAddress) -> Result<Vec<Uid>, StoreError> {
        let operation = "load the series without a master";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select distinct e.uid from calendar_event e \
                 where e.mail = $1 and e.wanted and e.recurrence_time is not null and e.uid is not null \
                   and not exists (select from series s where s.mail = e.mail and s.uid = e.uid) \
                 order by e.uid",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let rows = client.query(&statement, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        rows.iter()
            .map(|row| row.try_get::<_, String>(0).map(Uid::from))
            .collect::<Result<_, _>>()
            .map_err(StoreError::query(operation))
    }

    /// Lets the effect of a reading happen, in one transaction under the shard's fence.
    pub async fn apply(&self, fence: &Fence, effect: &Effect) -> Result<Applied, StoreError> {
        let operation = "store decisions";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        tokio::try_join!(lease::guard(&tx, fence), hurry(&tx, effect))?;
        let mut done = Done::default();
        match apply_guarded(&tx, effect).await? {
            Some(run) => done.withheld = run,
            None => return Ok(Applied::Conflict),
        }
        let mut decisions: Vec<&(Decision, Option<TraceContext>)> = effect.decisions.iter().collect();
        // One order for everybody who locks keys, so that no two wait for each other.
        decisions.sort_by(|a, b| a.0.origin_id.cmp(&b.0.origin_id));
        for chunk in decisions.chunks(CHUNK) {
            let (refreshed, changed): (Vec<_>, Vec<_>) =
                chunk.iter().copied().partition(|(decision, _)| decision.change == Change::Refresh);
            refresh(&tx, effect, &refreshed).await?;
            let stored = decide(&tx, effect, &changed).await?;
            let missed: Vec<&OriginId> = changed
                .iter()
                .map(|(decision, _)| &decision.origin_id)
                .filter(|origin_id| !stored.contains(origin_id.as_str()))
                .collect();
            if !missed.is_empty() && !all_later(&tx, effect, &missed).await? {
                return Ok(Applied::Conflict);
            }
            done.discarded.extend(missed.into_iter().cloned());
        }
        // None of these needs the answer of another: they go out together.
        tokio::try_join!(
            update_series(&tx, effect),
            notification_queue::finish(&tx, &effect.finished, effect.decided_at),
            note_full_read(&tx, effect),
            announce(&tx, effect),
        )?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Applied::Done(done))
    }
}

/// A full read need not wait for the disk: when the database server crashes before the commit is written, all of it is
/// undone together with the end of its notification, and the mailbox is read again (the notification still bears the number
/// of its shard, which claims it anew: [`notification_queue::ClaimRequest::in_hand`]). What was sent on the strength of it
/// was recorded by a later commit that did wait, and took this one with it.
async fn hurry(tx: &Transaction<'_>, effect: &Effect) -> Result<(), StoreError> {
    if !effect.full_read {
        return Ok(());
    }
    tx.batch_execute("set local synchronous_commit = off").await.map_err(StoreError::query("store decisions"))
}

async fn note_full_read(tx: &Transaction<'_>, effect: &Effect) -> Result<(), StoreError> {
    if !effect.full_read {
        return Ok(());
    }
    tx.execute_typed(
        "update planner_resource set full_read_began_at = $2, last_full_sync = $3, full_read_whole = $4, \
                full_read_began_db = $5 \
         where mail = $1",
        &[
            (&effect.mail.as_str(), Type::TEXT),
            (&effect.reading_began, Type::TIMESTAMPTZ),
            (&effect.decided_at, Type::TIMESTAMPTZ),
            (&effect.full_read_whole, Type::BOOL),
            (&effect.full_read_began_db, Type::TIMESTAMPTZ),
        ],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("note a full read"))
}

async fn announce(tx: &Transaction<'_>, effect: &Effect) -> Result<(), StoreError> {
    if effect.full_read || !effect.decisions.is_empty() {
        wake::notify(tx, Channel::Decision).await?;
    }
    Ok(())
}

/// What the reading means for what is withheld; answers the run that is withheld now, or `None` on a conflict.
/// Costs nothing where nothing is withheld, and comes first, for the order of locks.
async fn apply_guarded(tx: &Transaction<'_>, effect: &Effect) -> Result<Option<Option<i64>>, StoreError> {
    let Effect { mail, guarded, decided_at, .. } = effect;
    if !guarded.seen.is_empty() && !withheld::seen(tx, mail, &guarded.seen, *decided_at).await? {
        return Ok(None);
    }
    let run = match &guarded.run {
        GuardedRun::Stays => None,
        GuardedRun::Ends => {
            withheld::cancel(tx, mail, WithheldSource::FullRead, *decided_at).await?;
            None
        }
        GuardedRun::Withholds { keys, there } => {
            let run = Withholding {
                mail,
                source: WithheldSource::FullRead,
                began: effect.reading_began,
                at: *decided_at,
                there: *there,
                keys,
            };
            withheld::withhold(tx, &run).await?
        }
    };
    Ok(Some(run))
}

type Traced = (Decision, Option<TraceContext>);

/// Inserts or updates the rows of real decisions; answers the keys that were stored.
async fn decide(
    tx: &deadpool_postgres::Transaction<'_>,
    effect: &Effect,
    changed: &[&Traced],
) -> Result<std::collections::HashSet<String>, StoreError> {
    let operation = "store decisions";
    if changed.is_empty() {
        return Ok(std::collections::HashSet::new());
    }
    let origin_ids: Vec<&str> = changed.iter().map(|(d, _)| d.origin_id.as_str()).collect();
    let uids: Vec<Option<&str>> = changed.iter().map(|(d, _)| d.uid.as_ref().map(Uid::as_str)).collect();
    let recurrences: Vec<Option<Timestamp>> = changed.iter().map(|(d, _)| d.recurrence_time).collect();
    let items: Vec<Option<&str>> =
        changed.iter().map(|(d, _)| d.item_id.as_ref().map(ItemId::as_str)).collect();
    let versions: Vec<i64> = changed.iter().map(|(d, _)| d.expected_version + 1).collect();
    let wanted: Vec<bool> =
        changed.iter().map(|(d, _)| matches!(d.change, Change::Create(_) | Change::Update(_))).collect();
    let slots: Vec<Option<Slot>> = changed
        .iter()
        .map(|(d, _)| match d.change {
            Change::Create(slot) | Change::Update(slot) | Change::Delete { slot, .. } => Some(slot),
            Change::Refresh => None,
        })
        .collect();
    let starts: Vec<Option<Timestamp>> = slots.iter().map(|slot| slot.map(|slot| slot.start)).collect();
    let ends: Vec<Option<Timestamp>> = slots.iter().map(|slot| slot.map(|slot| slot.end)).collect();
    let traces: Vec<Option<&str>> =
        changed.iter().map(|(_, trace)| trace.as_ref().map(TraceContext::as_str)).collect();
    let statement = tx
        .prepare_cached(
            "insert into calendar_event as e (mail, origin_id, uid, recurrence_time, item_id, version, wanted, \
                                              item_known_since, start_at, end_at, decided_at, reading_began, \
                                              bulk, decision_trace) \
             select $1, d.origin_id, d.uid, d.recurrence_time, d.item_id, d.version, d.wanted, $2, d.start_at, \
                    d.end_at, $2, $3, $4, d.trace \
             from unnest($5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::bigint[], $10::boolean[], \
                         $11::timestamptz[], $12::timestamptz[], $13::text[]) \
                  as d (origin_id, uid, recurrence_time, item_id, version, wanted, start_at, end_at, trace) \
             on conflict (mail, origin_id) do update set \
                 uid = excluded.uid, recurrence_time = excluded.recurrence_time, item_id = excluded.item_id, \
                 item_known_since = case when e.item_id = excluded.item_id then e.item_known_since \
                                         else excluded.item_known_since end, \
                 version = excluded.version, wanted = excluded.wanted, \
                 start_at = case when excluded.wanted then excluded.start_at \
                                 else coalesce(e.start_at, excluded.start_at) end, \
                 end_at = case when excluded.wanted then excluded.end_at else coalesce(e.end_at, excluded.end_at) end, \
                 decided_at = excluded.decided_at, reading_began = excluded.reading_began, bulk = excluded.bulk, \
                 decision_trace = excluded.decision_trace, attempts = 0, next_attempt_at = null, \
                 delete_withheld = false \
             where e.version = excluded.version - 1 \
               and (e.reading_began is null or e.reading_began <= excluded.reading_began) \
             returning origin_id",
        )
        .await
        .map_err(StoreError::query(operation))?;
    let rows = tx
        .query(
            &statement,
            &[
                &effect.mail.as_str(),
                &effect.decided_at,
                &effect.reading_began,
                &effect.bulk,
                &origin_ids,
                &uids,
                &recurrences,
                &items,
                &versions,
                &wanted,
                &starts,
                &ends,
                &traces,
            ],
        )
        .await
        .map_err(StoreError::query(operation))?;
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(StoreError::query(operation))
}

/// Brings item ids and identities up to date where nothing else changed.
async fn refresh(tx: &Transaction<'_>, effect: &Effect, refreshed: &[&Traced]) -> Result<(), StoreError> {
    if refreshed.is_empty() {
        return Ok(());
    }
    let operation = "store new item ids";
    let origin_ids: Vec<&str> = refreshed.iter().map(|(d, _)| d.origin_id.as_str()).collect();
    let uids: Vec<Option<&str>> = refreshed.iter().map(|(d, _)| d.uid.as_ref().map(Uid::as_str)).collect();
    let recurrences: Vec<Option<Timestamp>> = refreshed.iter().map(|(d, _)| d.recurrence_time).collect();
    let items: Vec<Option<&str>> =
        refreshed.iter().map(|(d, _)| d.item_id.as_ref().map(ItemId::as_str)).collect();
    let versions: Vec<i64> = refreshed.iter().map(|(d, _)| d.expected_version).collect();
    tx.execute(
        "update calendar_event e set uid = d.uid, recurrence_time = d.recurrence_time, item_id = d.item_id, \
                item_known_since = case when e.item_id = d.item_id then e.item_known_since else $8 end \
         from unnest($3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[]) \
              as d (origin_id, uid, recurrence_time, item_id, version) \
         where e.mail = $1 and e.origin_id = d.origin_id and e.version = d.version \
           and (e.reading_began is null or e.reading_began <= $2)",
        &[
            &effect.mail.as_str(),
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

/// Do all these keys have decisions from later readings?
async fn all_later(tx: &Transaction<'_>, effect: &Effect, keys: &[&OriginId]) -> Result<bool, StoreError> {
    let operation = "look at later decisions";
    let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    let row = tx
        .query_one(
            "select count(*) from calendar_event where mail = $1 and origin_id = any ($2) and reading_began > $3",
            &[&effect.mail.as_str(), &keys, &effect.reading_began],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let later: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
    Ok(usize::try_from(later) == Ok(keys.len()))
}

/// Forgets masters that are gone, then learns the new ones.
async fn update_series(tx: &Transaction<'_>, effect: &Effect) -> Result<(), StoreError> {
    let operation = "store the series of a mailbox";
    let mail = effect.mail.as_str();
    if !effect.masters_gone.is_empty() {
        let gone: Vec<&str> = effect.masters_gone.iter().map(ItemId::as_str).collect();
        tx.execute_typed(
            "delete from series where mail = $1 and item_id = any ($2)",
            &[(&mail, Type::TEXT), (&gone, Type::TEXT_ARRAY)],
        )
        .await
        .map_err(StoreError::query(operation))?;
    }
    if !effect.series.is_empty() {
        let uids: Vec<&str> = effect.series.iter().map(|series| series.uid.as_str()).collect();
        let items: Vec<&str> = effect.series.iter().map(|series| series.item_id.as_str()).collect();
        tx.execute_typed(
            "insert into series (mail, uid, item_id) \
             select distinct on (s.uid) $1, s.uid, s.item_id from unnest($2::text[], $3::text[]) as s (uid, item_id) \
             on conflict (mail, uid) do update set item_id = excluded.item_id",
            &[(&mail, Type::TEXT), (&uids, Type::TEXT_ARRAY), (&items, Type::TEXT_ARRAY)],
        )
        .await
        .map_err(StoreError::query(operation))?;
    }
    Ok(())
}

/// Reads a series.
pub(crate) fn series_of(row: &Row) -> Result<Series, tokio_postgres::Error> {
    let uid: String = row.try_get(0)?;
    let item_id: String = row.try_get(1)?;
    Ok(Series { uid: uid.into(), item_id: item_id.into() })
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn known_of(row: &Row) -> Result<Known, tokio_postgres::Error> {
    let text = |column: &str| row.try_get::<_, Option<String>>(column);
    let slot = |start: &str, end: &str| -> Result<Option<Slot>, tokio_postgres::Error> {
        let (start, end): (Option<Timestamp>, Option<Timestamp>) = (row.try_get(start)?, row.try_get(end)?);
        Ok(start.zip(end).map(|(start, end)| Slot { start, end }))
    };
    let origin_id: String = row.try_get("origin_id")?;
    let ack_there: bool = row.try_get("ack_there")?;
    Ok(Known {
        origin_id: origin_id.into(),
        uid: text("uid")?.map(Uid::from),
        recurrence_time: row.try_get("recurrence_time")?,
        item_id: text("item_id")?.map(ItemId::from),
        version: row.try_get("version")?,
        wanted: row.try_get("wanted")?,
        slot: slot("start_at", "end_at")?,
        decided_at: row.try_get("decided_at")?,
        acknowledged: slot("ack_start", "ack_end")?.filter(|_| ack_there),
    })
}
