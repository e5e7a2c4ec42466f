//! What an operator says to a run that waits: confirmed or rejected, once, by the first who does.

use jiff::Timestamp;
use tokio_postgres::Transaction;

use super::{STANDS, SettledRun, WithheldSource, mail_of, source_of};
use crate::decisions::overruled::keep_overruled;
use crate::operations::clean;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

/// The longest name of somebody who settles a run, in characters.
const BY_MAX: usize = 200;

impl Store {
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
