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
use deadpool_postgres::Transaction;
use jiff::{Timestamp, ToSpan};
use tokio_postgres::Row;

use crate::conflict;
use crate::erasure::HASH_OF_COLUMN;
use crate::lease::{self, Fence};
use crate::notification_queue::{self, Finished};
use crate::withheld::{self, MissingKey, WithheldSource, Withholding};
use crate::{Store, StoreError};

mod fences;
pub(crate) mod overruled;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
#[cfg(test)]
#[cfg(feature = "testing")]
mod together_tests;
mod write;

/// Most keys in one statement.
const CHUNK: usize = 1_000;

/// Most decisions of [`Store::apply_together`].
pub const DECISIONS_TOGETHER_MAX: usize = 2_000;

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
    /// Nothing was known of the keys of its decisions: there are no rows of them.
    pub fresh: bool,
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
        /// Where the window begins that was read.
        from: Timestamp,
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
        conflict::again(|| self.apply_once(fence, effect)).await
    }

    async fn apply_once(&self, fence: &Fence, effect: &Effect) -> Result<Applied, StoreError> {
        let operation = "store decisions";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let only = [effect];
        let ((), (), in_use) =
            tokio::try_join!(lease::guard(&tx, fence), write::hurry(&tx, &only), in_use(&tx, &only))?;
        if !in_use {
            let finished: Vec<Finished> = effect
                .finished
                .iter()
                .map(|one| Finished { outcome: "not in use", text: None, ..*one })
                .collect();
            notification_queue::finish(
                &tx,
                &finished.iter().map(|one| (one, effect.decided_at)).collect::<Vec<_>>(),
            )
            .await?;
            tx.commit().await.map_err(StoreError::query(operation))?;
            return Ok(Applied::Done(Done::default()));
        }
        let mut done = Done::default();
        match apply_guarded(&tx, effect).await? {
            Some(run) => done.withheld = run,
            None => return Ok(Applied::Conflict),
        }
        for chunk in write::in_order(&[effect]).chunks(CHUNK) {
            let (refreshed, changed) = write::split(chunk);
            write::refresh(&tx, effect, &refreshed).await?;
            let missed = write::decide(&tx, &changed).await?;
            if !missed.is_empty() && !all_later(&tx, effect, &missed).await? {
                return Ok(Applied::Conflict);
            }
            done.discarded.extend(missed.into_iter().cloned());
        }
        base::crash::point("qualifier.decisions-written");
        let news = write::conclude(&tx, &[effect]).await?;
        self.commit(tx, news, operation).await?;
        Ok(Applied::Done(done))
    }

    /// Lets the effects of several readings happen, of different mailboxes and each under its own fence, in one
    /// transaction, which is much cheaper than one each. Answers `false`, and nothing took effect, when that cannot be
    /// because of any of them: let each happen by itself then ([`apply`](Self::apply)), which tells whose fault it is. The
    /// same after an error.
    pub async fn apply_together(&self, effects: &[(&Fence, &Effect)]) -> Result<bool, StoreError> {
        conflict::again(|| self.apply_together_once(effects)).await
    }

    async fn apply_together_once(&self, effects: &[(&Fence, &Effect)]) -> Result<bool, StoreError> {
        let operation = "store the decisions about several mailboxes";
        let decisions: usize = effects.iter().map(|(_, effect)| effect.decisions.len()).sum();
        if decisions > DECISIONS_TOGETHER_MAX || effects.iter().any(|(_, effect)| !effect.is_plain()) {
            return Ok(false);
        }
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let all_fences: Vec<&Fence> = effects.iter().map(|(fence, _)| *fence).collect();
        let effects: Vec<&Effect> = effects.iter().map(|(_, effect)| *effect).collect();
        let (fresh, known): (Vec<&Effect>, Vec<&Effect>) =
            effects.iter().partition(|effect| effect.only_creates());
        let (fresh, known) = (write::in_order(&fresh), write::in_order(&known));
        // All at once: the connection answers in the order in which it is asked, and whatever turns out not to be allowed,
        // or not to be possible, undoes everything. That is the order in which locks are taken, too: so nothing may have to
        // be prepared in between.
        prepare(&tx).await?;
        let ((), (), in_use, (), missed, news) = tokio::try_join!(
            biased;
            fences::guard_all(&tx, &all_fences),
            write::hurry(&tx, &effects),
            in_use(&tx, &effects),
            write::create(&tx, &fresh),
            write::decide(&tx, &known),
            write::conclude(&tx, &effects),
        )?;
        if !in_use || !missed.is_empty() {
            return Ok(false);
        }
        base::crash::point("qualifier.decisions-written");
        self.commit(tx, news, operation).await?;
        Ok(true)
    }
}

/// Prepares what [`Store::apply_together`] asks, where the connection does not know it yet.
async fn prepare(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let (in_use, note_full_reads) = (in_use_sql(), write::note_full_reads_sql());
    for statement in [
        fences::GUARD_ALL,
        &in_use,
        write::CREATE,
        write::DECIDE,
        write::DECIDE_FIRST,
        write::LEARN_SERIES,
        &note_full_reads,
    ] {
        tx.prepare_cached(statement).await.map_err(StoreError::query("prepare the storing of decisions"))?;
    }
    Ok(())
}

impl Effect {
    /// Nothing but keys, series and ends of notifications: it can happen together with others.
    pub fn is_plain(&self) -> bool {
        self.guarded == Guarded::default()
            && self.decisions.iter().all(|(decision, _)| decision.change != Change::Refresh)
    }

    /// Does it end notifications and change nothing else?
    fn only_ends(&self) -> bool {
        self.guarded == Guarded::default()
            && !self.full_read
            && self.decisions.is_empty()
            && self.series.is_empty()
            && self.masters_gone.is_empty()
    }
}

/// May anything be decided about these mailboxes? Not when one went out of use, or was erased, since it was looked up: an
/// operator who withdrew its appointments would see them decided anew, and nobody would delete them again. Nothing is
/// locked: who passes here before such an act commits finds at the keys which that changed that their versions are others.
async fn in_use(tx: &Transaction<'_>, effects: &[&Effect]) -> Result<bool, StoreError> {
    let decided = effects.iter().filter(|effect| effect.full_read || !effect.decisions.is_empty());
    let mails: Vec<&str> = decided.map(|effect| effect.mail.as_str()).collect();
    if mails.is_empty() {
        return Ok(true);
    }
    let operation = "look whether a mailbox is in use";
    let statement = tx.prepare_cached(&in_use_sql()).await.map_err(StoreError::query(operation))?;
    tx.query_one(&statement, &[&mails])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(StoreError::query(operation))
}

fn in_use_sql() -> String {
    format!(
        "select not exists (select from planner_resource where mail = any ($1) and deleted_date is not null) \
            and not exists (select from unnest($1::text[]) as d (mail) \
                            join erased_mailbox e on e.hash = {HASH_OF_COLUMN})"
    )
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
        GuardedRun::Withholds { keys, from, there } => {
            let run = Withholding {
                mail,
                source: WithheldSource::FullRead,
                began: effect.reading_began,
                at: *decided_at,
                from: *from,
                there: *there,
                keys,
            };
            withheld::withhold(tx, &run).await?
        }
    };
    Ok(Some(run))
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
