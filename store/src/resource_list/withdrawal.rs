//! Taking back what Planner holds for a mailbox that is not to be used any more (B10, `block --withdraw`).
//!
//! Protocol: in one transaction the deletions are decided like any others, the mailbox is blocked, and `withdrawn_at`
//! lets its deletions be sent although it is not in use ([`crate::outbox`]). Appointments that are over stay, as in every
//! decision (B4), and so do Planner's own. Nothing is decided about the mailbox afterwards ([`crate::decisions`]); what
//! was stored or sent while the transaction ran is decided by a second pass behind it. What is withheld of the mailbox ends
//! with it ([`crate::withheld`]). Who comes back into use is
//! adopted and read as if new, and that ends the withdrawal.
//!
//! Failure: an error means that nothing was done, or that this is unknown; withdrawing again is harmless.

use calendar::MailAddress;
use jiff::Timestamp;
use tokio_postgres::Transaction;

use super::lists::{self, ListEdit};
use crate::decisions::overruled::keep_decisions;
use crate::decisions::to_stored_precision;
use crate::operations::clean;
use crate::wake::{self, Channel};
use crate::{Store, StoreError, withheld};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest name that is kept, in characters.
const BY_MAX: usize = 200;

/// What a withdrawal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withdrawal {
    /// What the block did.
    pub edit: ListEdit,
    /// Deletions that were decided.
    pub decided: u64,
    /// Deletions that are to be sent now, those that waited already included.
    pub to_send: u64,
    /// Was the acknowledged state taken over from Planner, since the mailbox came into use and since anybody asked for that
    /// last? If not, it may hold more than is known here.
    pub adopted: bool,
}

impl Store {
    /// Blocks a mailbox and decides that nothing of it shall be in Planner any more.
    pub async fn add_to_blacklist_and_withdraw(
        &self,
        mail: &MailAddress,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Withdrawal, StoreError> {
        let operation = "withdraw the appointments of a mailbox";
        let now = to_stored_precision(now);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let by = clean(by, BY_MAX);
        // what is withheld comes before the keys, and they before the resource, as everywhere
        let mut decided = withheld::withdraw(&tx, mail, &by, now).await? + delete_all(&tx, mail, now).await?;
        let edit = lists::block(&tx, mail, reason, &by, now).await?;
        let row = tx
            .query_opt(
                "update planner_resource set withdrawn_at = $2, withdrawn_by = $3 where mail = $1 \
                 returning adopted_at is not null",
                &[&mail.as_str(), &now, &by],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let adopted = match row {
            Some(row) => row.try_get(0).map_err(StoreError::query(operation))?,
            None => false,
        };
        tx.commit().await.map_err(StoreError::query(operation))?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        decided += withheld::withdraw(&tx, mail, &by, now).await? + delete_all(&tx, mail, now).await?;
        let to_send = tx
            .query_one(
                "select count(*) from calendar_event where mail = $1 and pending and not wanted",
                &[&mail.as_str()],
            )
            .await
            .and_then(|row| row.try_get::<_, i64>(0))
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Decision).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Withdrawal { edit, decided, to_send: u64::try_from(to_send).unwrap_or_default(), adopted })
    }
}

/// Decides "absent" for every key that Planner holds, may hold, or was to hold, and that is not over. Readings begin by the
/// database's clock: were the decision to come from later than that, because the clock of the operator's machine is
/// ahead, all readings until then would be discarded when the mailbox comes back.
async fn delete_all(tx: &Transaction<'_>, mail: &MailAddress, now: Timestamp) -> Result<u64, StoreError> {
    let statement = concat!(
        "with theirs as materialized ( \
             select e.* from calendar_event e \
             where e.mail = $1 and not e.planner_own and (e.wanted or e.ack_there or e.uncertain) \
               and coalesce(greatest(e.end_at, e.ack_end), $2::timestamptz) >= $2 \
               and not (e.pending and not e.wanted) \
             order by origin_id for update), \
         stored as (update calendar_event e set \
             version = e.version + 1, wanted = false, start_at = coalesce(e.start_at, e.ack_start), \
             end_at = coalesce(e.end_at, e.ack_end), decided_at = $2, \
             reading_began = greatest(e.reading_began, least($2, clock_timestamp())), bulk = true, decision_trace = null, attempts = 0, \
             put_off = 0, unanswered = 0, next_attempt_at = null, delete_withheld = false \
         from theirs t where e.mail = $1 and e.origin_id = t.origin_id \
         returning e.origin_id)",
        keep_decisions!("theirs o where true"),
        " select count(*) from stored"
    );
    let decided = tx
        .query_one(statement, &[&mail.as_str(), &now])
        .await
        .and_then(|row| row.try_get::<_, i64>(0))
        .map_err(StoreError::query("decide the deletions of a mailbox"))?;
    Ok(u64::try_from(decided).unwrap_or_default())
}
