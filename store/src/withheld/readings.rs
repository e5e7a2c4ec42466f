//! What readings say to the runs of a mailbox, in the transaction that stores the rest of them: keys are missing, found again, or
//! seen; and the end of all that waits of a mailbox that is withdrawn.

use calendar::{MailAddress, OriginId};
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};

use super::{MissingKey, WithheldSource, Withholding};
use crate::StoreError;

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
