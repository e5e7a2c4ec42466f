//! Deletions that the mass-delete guard withheld (B8): runs of full reads and comparisons, their keys, and what
//! an operator says to them.
//!
//! Protocol: who finds too many keys missing calls [`withhold`] in the transaction that stores the rest of the
//! run; it takes the place of the run of the same mailbox and source that waits already, unless that lacks the same: then it goes
//! on waiting under the number that operators have in hand. Nothing is decided
//! about the keys then: what was decided before stands, and a deletion that would be pending is not sent
//! (`delete_withheld` makes `pending` false, so no sender has to look here). An operator confirms
//! ([`Store::confirm_withheld`]: the deletions are decided, for keys of which nothing was decided since and that were
//! not seen again) or rejects ([`Store::reject_withheld`]: the keys are left by every later inference). A key ends
//! being withheld or rejected by any decision about it (its version is another then), by being seen again ([`seen`]),
//! and when its time has passed.
//!
//! Locks are taken in one order: runs, withheld keys, keys. So call [`withhold`] and [`seen`] first in a transaction.
//!
//! Failure: an error means that nothing happened (or that this is unknown); a run is settled once, by the first
//! who does.

use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};

use crate::decisions::overruled::keep_overruled;
use crate::operations::clean;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest name of somebody who settles a run, in characters.
const BY_MAX: usize = 200;
/// Most runs of a page.
const LIST_MAX: i64 = 1_000;

/// What found the keys missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithheldSource {
    /// A full read of the mailbox: keys that are there (or adopted) were not found in the calendar (B8).
    FullRead,
    /// A comparison: Planner holds what the store does not know or has decided to be absent (B11).
    Comparison,
}

impl WithheldSource {
    /// The name in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullRead => "full_read",
            Self::Comparison => "comparison",
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::FullRead, Self::Comparison].into_iter().find(|one| one.as_str() == text)
    }
}

/// A key whose deletion is to be withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKey {
    /// The key, together with the mailbox.
    pub origin_id: OriginId,
    /// The version of the decision that the run saw; 0 = none (adopted, or known to Planner alone).
    pub version: i64,
    /// The times it has: as decided, or as Planner holds them.
    pub slot: Slot,
}

/// A run whose inferred deletions are withheld.
#[derive(Debug, Clone, Copy)]
pub struct Withholding<'a> {
    /// Whose keys.
    pub mail: &'a MailAddress,
    /// What kind of run.
    pub source: WithheldSource,
    /// When its reading began.
    pub began: Timestamp,
    /// The present.
    pub at: Timestamp,
    /// Where the window begins that was looked at: what ended before says nothing by not being among the keys.
    pub from: Timestamp,
    /// How many keys were there.
    pub there: usize,
    /// The keys, none twice.
    pub keys: &'a [MissingKey],
}

/// A key that is withheld now, or was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldKey {
    /// Whose.
    pub mail: MailAddress,
    /// The key.
    pub origin_id: OriginId,
    /// What found it missing.
    pub source: WithheldSource,
    /// An operator said that it stays.
    pub rejected: bool,
}

/// A run that waits for an operator, or was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldRun {
    /// Its number.
    pub id: i64,
    /// Whose keys.
    pub mail: MailAddress,
    /// What found them missing.
    pub source: WithheldSource,
    /// When it was withheld.
    pub withheld_at: Timestamp,
    /// How many deletions it withheld …
    pub keys: u32,
    /// … of how many keys that were there.
    pub there: u32,
    /// How many of them a confirmation would delete now; the others were seen again, decided since, or are over.
    pub remaining: u32,
    /// `withheld`, `confirmed`, `rejected`, `cancelled` or `replaced`.
    pub state: String,
    /// Who or what settled it, and when.
    pub settled: Option<(String, Timestamp)>,
}

/// Runs, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldPage {
    /// The oldest first.
    pub runs: Vec<WithheldRun>,
    /// Ask for those before this run next; `None` = these were the last.
    pub next: Option<i64>,
}

/// What settling a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRun {
    /// Whose keys.
    pub mail: MailAddress,
    /// What found them missing.
    pub source: WithheldSource,
    /// Keys whose deletion was decided (confirmed), or that stay (rejected).
    pub keys: u64,
}

/// Withholds the deletions of a run, in the caller's transaction and first in it; answers the run's number, or `None`
/// when nothing of it stands any more (all of the keys were decided about meanwhile). A run of the same mailbox and source
/// that waits is replaced; one with the same keys goes on waiting.
pub async fn withhold(tx: &Transaction<'_>, run: &Withholding<'_>) -> Result<Option<i64>, StoreError> {
    let operation = "withhold deletions";
    if let Some(same) = found_again(tx, run).await? {
        return Ok(Some(same));
    }
    end_open(tx, run.mail, run.source, "replaced", "a newer run", run.at).await?;
    let row = tx
        .query_one(
            "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ($1, $2, $3, $4, $5, $6) returning id",
            &[
                &run.mail.as_str(),
                &run.source.as_str(),
                &run.began,
                &run.at,
                &count(run.keys.len()),
                &count(run.there),
            ],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let id: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
    let KeyColumns { origin_ids, versions, starts, ends } = KeyColumns::of(run.keys);
    // Void rows can be in the way, since runs leave what is withheld or rejected already; and what an operator rejected
    // since the caller looked, which stays so.
    let stored = tx
        .execute(
            "insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select $1, k.origin_id, $2, k.version, k.start_at, k.end_at \
             from unnest($3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[]) \
                  as k (origin_id, version, start_at, end_at) \
             left join calendar_event e on e.mail = $1 and e.origin_id = k.origin_id \
             where coalesce(e.version, 0) = k.version order by k.origin_id \
             on conflict (mail, origin_id) do update set \
                 run = excluded.run, version = excluded.version, start_at = excluded.start_at, \
                 end_at = excluded.end_at, rejected = false \
             where not (withheld_key.rejected and withheld_key.version = excluded.version)",
            &[&run.mail.as_str(), &id, &origin_ids, &versions, &starts, &ends],
        )
        .await
        .map_err(StoreError::query(operation))?;
    if stored == 0 {
        tx.execute("delete from withheld_run where id = $1", &[&id])
            .await
            .map_err(StoreError::query(operation))?;
        return Ok(None);
    }
    if run.source == WithheldSource::Comparison {
        hold_back(tx, run.mail, id).await?;
    }
    Ok(Some(id))
}

/// A number of keys, as a column holds it.
fn count(keys: usize) -> i32 {
    i32::try_from(keys).unwrap_or(i32::MAX)
}

/// Keys as arrays.
struct KeyColumns<'a> {
    origin_ids: Vec<&'a str>,
    versions: Vec<i64>,
    starts: Vec<Timestamp>,
    ends: Vec<Timestamp>,
}

impl<'a> KeyColumns<'a> {
    fn of(keys: &'a [MissingKey]) -> Self {
        Self {
            origin_ids: keys.iter().map(|key| key.origin_id.as_str()).collect(),
            versions: keys.iter().map(|key| key.version).collect(),
            starts: keys.iter().map(|key| key.slot.start).collect(),
            ends: keys.iter().map(|key| key.slot.end).collect(),
        }
    }
}

/// The run that waits, if of the window that was looked at it has exactly these keys and nothing was decided about any of them
/// since: it was found by a newer reading now. What it had before that window it has no more.
async fn found_again(tx: &Transaction<'_>, run: &Withholding<'_>) -> Result<Option<i64>, StoreError> {
    let operation = "look for the same withheld run";
    lock_waiting(tx, run.mail).await.map_err(StoreError::query(operation))?;
    let KeyColumns { origin_ids, versions, starts, ends } = KeyColumns::of(run.keys);
    let found = tx
        .query_opt(
            "update withheld_run r set reading_began = $3, keys = cardinality($5::text[]), there = $4 \
             where r.mail = $1 and r.source = $2 and r.state = 'withheld' \
               and (select count(*) from withheld_key w where w.run = r.id and w.end_at > $9) = cardinality($5::text[]) \
               and not exists ( \
                   select from unnest($5::text[], $6::bigint[], $7::timestamptz[], $8::timestamptz[]) \
                        as k (origin_id, version, start_at, end_at) \
                   left join withheld_key w on w.run = r.id and w.mail = r.mail and w.origin_id = k.origin_id \
                        and w.version = k.version and w.start_at = k.start_at and w.end_at = k.end_at and w.end_at > $9 \
                   left join calendar_event e on e.mail = r.mail and e.origin_id = k.origin_id \
                   where w.run is null or coalesce(e.version, 0) <> k.version) \
             returning r.id",
            &[
                &run.mail.as_str(),
                &run.source.as_str(),
                &run.began,
                &count(run.there),
                &origin_ids,
                &versions,
                &starts,
                &ends,
                &run.from,
            ],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let Some(row) = found else { return Ok(None) };
    let id: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
    let left = tx
        .query(
            "delete from withheld_key where run = $1 and end_at <= $2 returning origin_id",
            &[&id, &run.from],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let_go(tx, run.mail, run.source, &left).await?;
    Ok(Some(id))
}

/// Keeps the sender from deletions that were decided long ago and are withheld now.
async fn hold_back(tx: &Transaction<'_>, mail: &MailAddress, run: i64) -> Result<(), StoreError> {
    tx.execute(
        "with standing as materialized ( \
             select e.origin_id from calendar_event e \
             join withheld_key w on w.mail = e.mail and w.origin_id = e.origin_id and w.version = e.version \
             where e.mail = $1 and w.run = $2 and not e.wanted order by e.origin_id for update of e) \
         update calendar_event e set delete_withheld = true from standing s \
         where e.mail = $1 and e.origin_id = s.origin_id",
        &[&mail.as_str(), &run],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("hold deletions back"))
}

/// Ends the run of this mailbox and source that waits, because a newer reading found too little missing to be withheld;
/// in the caller's transaction and first in it. What it still lacks, the caller decides.
pub async fn cancel(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    source: WithheldSource,
    at: Timestamp,
) -> Result<bool, StoreError> {
    end_open(tx, mail, source, "cancelled", "a newer run that is within the limits", at).await
}

/// Ends whatever waits of a mailbox that `by` withdraws, in the caller's transaction and first in it: nothing of it is to
/// stay in Planner, so there is nothing left to ask about. What Planner alone knows, no other statement would find: its
/// deletion is decided here. Answers how many that were.
pub(crate) async fn withdraw(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    by: &str,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let operation = "end what is withheld of a mailbox that is withdrawn";
    lock_waiting(tx, mail).await.map_err(StoreError::query(operation))?;
    let decided = tx
        .execute(
            "insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at, reading_began, \
                                         bulk, ack_there, ack_start, ack_end, ack_at) \
             select w.mail, w.origin_id, 1, false, w.start_at, w.end_at, $2::timestamptz, \
                    least($2, clock_timestamp()), true, true, w.start_at, w.end_at, $2 \
             from withheld_key w join withheld_run r on r.id = w.run \
             where r.mail = $1 and r.state = 'withheld' and r.source = $3 and w.version = 0 and w.end_at >= $2 \
             order by w.origin_id on conflict (mail, origin_id) do nothing",
            &[&mail.as_str(), &at, &WithheldSource::Comparison.as_str()],
        )
        .await
        .map_err(StoreError::query(operation))?;
    for source in [WithheldSource::FullRead, WithheldSource::Comparison] {
        end_open(tx, mail, source, "cancelled", by, at).await?;
    }
    Ok(decided)
}

/// Locks the runs of a mailbox that wait, in the order of all who do.
async fn lock_waiting(tx: &Transaction<'_>, mail: &MailAddress) -> Result<(), tokio_postgres::Error> {
    tx.execute(
        "select from withheld_run where mail = $1 and state = 'withheld' order by id for update",
        &[&mail.as_str()],
    )
    .await
    .map(drop)
}

async fn end_open(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    source: WithheldSource,
    state: &str,
    by: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let operation = "end a withheld run";
    let ended = tx
        .query_opt(
            "update withheld_run set state = $3, settled_at = $4, settled_by = $5 \
             where mail = $1 and source = $2 and state = 'withheld' returning id",
            &[&mail.as_str(), &source.as_str(), &state, &at, &by],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let Some(row) = ended else { return Ok(false) };
    let id: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
    let freed = tx
        .query("delete from withheld_key where run = $1 returning origin_id", &[&id])
        .await
        .map_err(StoreError::query(operation))?;
    let_go(tx, mail, source, &freed).await?;
    Ok(true)
}

/// These keys are withheld no longer: what a comparison kept from the sender goes on.
async fn let_go(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    source: WithheldSource,
    keys: &[Row],
) -> Result<(), StoreError> {
    if source != WithheldSource::Comparison || keys.is_empty() {
        return Ok(());
    }
    let origin_ids: Result<Vec<&str>, _> = keys.iter().map(|row| row.try_get(0)).collect();
    release(tx, mail, &origin_ids.map_err(StoreError::query("let deletions go on"))?).await
}

/// Deletions that are not withheld any longer go on being pending.
async fn release(tx: &Transaction<'_>, mail: &MailAddress, origin_ids: &[&str]) -> Result<(), StoreError> {
    tx.execute(
        "with freed as materialized ( \
             select e.origin_id from calendar_event e \
             where e.mail = $1 and e.origin_id = any ($2) and e.delete_withheld order by e.origin_id for update) \
         update calendar_event e set delete_withheld = false from freed f \
         where e.mail = $1 and e.origin_id = f.origin_id",
        &[&mail.as_str(), &origin_ids],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("let deletions go on"))
}

/// Withheld or rejected keys were seen again: they are like any other, and a run that has none left is cancelled.
/// In the caller's transaction and first in it. `false` when somebody settled one of them meanwhile: then the caller must
/// look anew, since a deletion may have been decided.
pub async fn seen(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    origin_ids: &[OriginId],
    at: Timestamp,
) -> Result<bool, StoreError> {
    let operation = "end what is withheld of keys seen again";
    lock_waiting(tx, mail).await.map_err(StoreError::query(operation))?;
    let origin_ids: Vec<&str> = origin_ids.iter().map(OriginId::as_str).collect();
    let ended = tx
        .execute(
            "with seen as materialized ( \
                 select origin_id from withheld_key where mail = $1 and origin_id = any ($2) \
                 order by origin_id for update) \
             delete from withheld_key k using seen s where k.mail = $1 and k.origin_id = s.origin_id",
            &[&mail.as_str(), &origin_ids],
        )
        .await
        .map_err(StoreError::query(operation))?;
    tx.execute(
        "update withheld_run r set state = 'cancelled', settled_at = $2, settled_by = 'all its keys were seen again' \
         where r.mail = $1 and r.state = 'withheld' and not exists (select from withheld_key k where k.run = r.id)",
        &[&mail.as_str(), &at],
    )
    .await
    .map_err(StoreError::query(operation))?;
    release(tx, mail, &origin_ids).await?;
    Ok(usize::try_from(ended) == Ok(origin_ids.len()))
}

/// SQL: the row `w` of `withheld_key` stands: nothing was decided since, and its time has not passed at `$1`.
const STANDS: &str = "w.end_at > $1::timestamptz and w.version = coalesce((select e.version from calendar_event e \
                      where e.mail = w.mail and e.origin_id = w.origin_id), 0)";

impl Store {
    /// What is withheld or rejected of these mailboxes: keys that no inference may delete (B8, B11).
    pub async fn withheld_keys(
        &self,
        mails: &[MailAddress],
        now: Timestamp,
    ) -> Result<Vec<WithheldKey>, StoreError> {
        let operation = "look at what is withheld";
        let client = self.client(operation).await?;
        let statement = client.prepare_cached(&standing_sql()).await.map_err(StoreError::query(operation))?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        let rows = client.query(&statement, &[&now, &mails]).await.map_err(StoreError::query(operation))?;
        rows.iter().map(|row| key_of(row, operation)).collect()
    }

    /// The runs that wait for an operator, the oldest first; with `settled` also the latest ones that do not, because
    /// they were settled or nothing of them is left. At most a page of the latest.
    pub async fn withheld_runs(&self, settled: bool, now: Timestamp) -> Result<Vec<WithheldRun>, StoreError> {
        Ok(self.withheld_runs_before(settled, now, None).await?.runs)
    }

    /// A page of them: the latest that are older than the run `before`, the oldest first.
    pub async fn withheld_runs_before(
        &self,
        settled: bool,
        now: Timestamp,
        before: Option<i64>,
    ) -> Result<WithheldPage, StoreError> {
        let condition = "(r.state = 'withheld' or $2) and ($4::bigint is null or r.id < $4)";
        let rows = self.withheld_rows(condition, &[&now, &settled, &LIST_MAX, &before]).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= LIST_MAX);
        let mut runs: Vec<WithheldRun> = rows.iter().map(run_of).collect::<Result<_, _>>()?;
        let next = runs.first().map(|run| run.id).filter(|_| full);
        runs.retain(|run| settled || run.remaining > 0);
        Ok(WithheldPage { runs, next })
    }

    /// The run with this number.
    pub async fn withheld_run(&self, id: i64, now: Timestamp) -> Result<Option<WithheldRun>, StoreError> {
        let one: i64 = 1;
        let rows = self.withheld_rows("$2 and r.id = $4", &[&now, &true, &one, &id]).await?;
        rows.first().map(run_of).transpose()
    }

    async fn withheld_rows(
        &self,
        condition: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let operation = "list what is withheld";
        let client = self.client(operation).await?;
        let statement = format!(
            "select id, mail, source, withheld_at, keys, there, remaining, state, settled_by, settled_at from ( \
                 select r.*, (select count(*) from withheld_key w where w.run = r.id and {STANDS}) as remaining \
                 from withheld_run r where {condition} order by r.id desc limit $3) as latest order by id"
        );
        client.query(&statement, parameters).await.map_err(StoreError::query(operation))
    }

    /// Decides the deletions of a run, by order of `by`. Keys that were seen again or decided about since, and those
    /// whose time has passed, are left. `None` when no such run waits.
    pub async fn confirm_withheld(
        &self,
        run: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<SettledRun>, StoreError> {
        let operation = "confirm withheld deletions";
        let now = crate::decisions::to_stored_precision(now);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let Some(mut settled) = settle(&tx, run, "confirmed", by, now).await? else { return Ok(None) };
        let lock = "select from withheld_key where run = $1 order by origin_id for update";
        tx.execute(lock, &[&run]).await.map_err(StoreError::query(operation))?;
        let compared = settled.source == WithheldSource::Comparison;
        // The decision bears the begin of the run's reading: a live reading that began since goes before it.
        let confirmed = tx
            .query_one(
                &format!(
                    "with stored as (insert into calendar_event as e (mail, origin_id, version, wanted, start_at, end_at, decided_at, \
                                                      reading_began, bulk, ack_there, ack_start, ack_end, ack_at) \
                     select w.mail, w.origin_id, w.version + 1, false, w.start_at, w.end_at, $1::timestamptz, \
                            r.reading_began, true, $3::boolean, case when $3 then w.start_at end, \
                            case when $3 then w.end_at end, case when $3 then $1 end \
                     from withheld_key w join withheld_run r on r.id = w.run \
                     where w.run = $2 and {STANDS} \
                       and ($3 or exists (select from calendar_event k \
                                          where k.mail = w.mail and k.origin_id = w.origin_id)) \
                     order by w.origin_id \
                     on conflict (mail, origin_id) do update set \
                         version = excluded.version, wanted = false, start_at = coalesce(e.start_at, excluded.start_at), \
                         end_at = coalesce(e.end_at, excluded.end_at), decided_at = excluded.decided_at, \
                         reading_began = greatest(e.reading_began, excluded.reading_began), bulk = true, \
                         decision_trace = null, attempts = 0, next_attempt_at = null, delete_withheld = false, \
                         ack_there = e.ack_there or excluded.ack_there, \
                         ack_start = case when $3 then excluded.ack_start else e.ack_start end, \
                         ack_end = case when $3 then excluded.ack_end else e.ack_end end \
                     where e.version = excluded.version - 1 \
                     returning e.mail, e.origin_id, e.version){} select count(*) from stored",
                    keep_overruled!()
                ),
                &[&now, &run, &compared],
            )
            .await
            .and_then(|row| row.try_get::<_, i64>(0))
            .map_err(StoreError::query(operation))?;
        settled.keys = u64::try_from(confirmed).unwrap_or_default();
        end_keys(&tx, run).await?;
        tx.execute(
            "update withheld_run set deleted = $2 where id = $1",
            &[&run, &i32::try_from(settled.keys).unwrap_or(i32::MAX)],
        )
        .await
        .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Decision).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Some(settled))
    }

    /// The keys of a run stay, by order of `by`, until each is explicitly deleted or its time passes. `None` when no
    /// such run waits.
    pub async fn reject_withheld(
        &self,
        run: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<SettledRun>, StoreError> {
        let operation = "reject withheld deletions";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let Some(mut settled) = settle(&tx, run, "rejected", by, now).await? else { return Ok(None) };
        settled.keys = tx
            .execute("update withheld_key set rejected = true where run = $1", &[&run])
            .await
            .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Some(settled))
    }
}

/// SQL: what is withheld or rejected at `$1` of the mailboxes `$2`, for [`key_of`].
pub(crate) fn standing_sql() -> String {
    format!(
        "select w.mail, w.origin_id, r.source, w.rejected from withheld_key w join withheld_run r on r.id = w.run \
         where w.mail = any ($2) and {STANDS} order by w.mail, w.origin_id"
    )
}

/// Reads a row of [`standing_sql`].
pub(crate) fn key_of(row: &Row, operation: &'static str) -> Result<WithheldKey, StoreError> {
    Ok(WithheldKey {
        mail: mail_of(row, 0, operation)?,
        origin_id: OriginId::new(row.try_get::<_, String>(1).map_err(StoreError::query(operation))?),
        source: source_of(row, 2, operation)?,
        rejected: row.try_get(3).map_err(StoreError::query(operation))?,
    })
}

/// Forgets the keys of a run; those that were decided about since are pending again if they differ.
async fn end_keys(tx: &Transaction<'_>, run: i64) -> Result<(), StoreError> {
    tx.execute("delete from withheld_key where run = $1", &[&run])
        .await
        .map(drop)
        .map_err(StoreError::query("end withheld keys"))
}

async fn settle(
    tx: &Transaction<'_>,
    run: i64,
    state: &str,
    by: &str,
    now: Timestamp,
) -> Result<Option<SettledRun>, StoreError> {
    let operation = "settle a withheld run";
    let row = tx
        .query_opt(
            "update withheld_run set state = $2, settled_at = $3, settled_by = $4 \
             where id = $1 and state = 'withheld' returning mail, source",
            &[&run, &state, &now, &clean(by, BY_MAX)],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SettledRun {
        mail: mail_of(&row, 0, operation)?,
        source: source_of(&row, 1, operation)?,
        keys: 0,
    }))
}

fn mail_of(row: &Row, column: usize, operation: &'static str) -> Result<MailAddress, StoreError> {
    let text: &str = row.try_get(column).map_err(StoreError::query(operation))?;
    MailAddress::parse(text).map_err(|_error| StoreError::Content {
        operation,
        reason: "something withheld for no address".into(),
    })
}

fn source_of(row: &Row, column: usize, operation: &'static str) -> Result<WithheldSource, StoreError> {
    let text: &str = row.try_get(column).map_err(StoreError::query(operation))?;
    WithheldSource::of(text).ok_or_else(|| StoreError::Content {
        operation,
        reason: format!("a withheld run of the unknown source {text}"),
    })
}

fn run_of(row: &Row) -> Result<WithheldRun, StoreError> {
    let operation = "list what is withheld";
    let count = |column: usize| -> Result<u32, tokio_postgres::Error> {
        Ok(u32::try_from(row.try_get::<_, i32>(column)?).unwrap_or_default())
    };
    let mail = mail_of(row, 1, operation)?;
    let source = source_of(row, 2, operation)?;
    let read = || -> Result<WithheldRun, tokio_postgres::Error> {
        let by: Option<String> = row.try_get(8)?;
        let at: Option<Timestamp> = row.try_get(9)?;
        Ok(WithheldRun {
            id: row.try_get(0)?,
            mail,
            source,
            withheld_at: row.try_get(3)?,
            keys: count(4)?,
            there: count(5)?,
            remaining: u32::try_from(row.try_get::<_, i64>(6)?).unwrap_or(u32::MAX),
            state: row.try_get(7)?,
            settled: by.zip(at),
        })
    };
    read().map_err(StoreError::query(operation))
}
