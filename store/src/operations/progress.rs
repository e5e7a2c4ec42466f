//! How far an operation is, derived from what the stages wrote.

use jiff::Timestamp;

use super::{Operation, OperationKind};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Most mailboxes that are named as waiting.
const WAITING_MAX: i64 = 20;

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Mailboxes for which it is done; for the resource list 0 or 1.
    pub done: u64,
    /// Mailboxes that are meant and in use; for the resource list 1.
    pub of: u64,
    /// Some of those for which it is not done: first those with a known reason.
    pub waiting: Vec<Waiting>,
    /// What came of it, in words (resource list).
    pub outcome: Option<String>,
}

/// A mailbox for which an operation is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its address.
    pub mail: String,
    /// What keeps it, as far as anybody wrote that down.
    pub reason: Option<String>,
}

impl Progress {
    /// Is nothing left to do?
    pub const fn is_done(&self) -> bool {
        self.done >= self.of
    }
}

impl Store {
    /// How far an operation is. Mailboxes that came into use after it was asked for do not count.
    pub async fn operation_progress(&self, operation: &Operation) -> Result<Progress, StoreError> {
        let (done, reason) = match operation.kind {
            OperationKind::ResourceList => return self.list_progress(operation.asked_at).await,
            OperationKind::FullPull => (READ_SINCE, READ_ERROR),
            OperationKind::Comparison => ("r.compared_at >= $2", READ_ERROR),
            OperationKind::Adoption => ("r.adopted_at >= $2", "null::text"),
        };
        self.mailbox_progress(operation, &format!("coalesce({done}, false)"), reason).await
    }

    async fn mailbox_progress(
        &self,
        operation: &Operation,
        done: &str,
        reason: &str,
    ) -> Result<Progress, StoreError> {
        let doing = "look how far an operation is";
        let client = self.client(doing).await?;
        let scope = "r.deleted_date is null and ($1::text is null or r.mail = $1) and r.created_at <= $2";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&operation.scope.mail(), &operation.asked_at];
        let row = client
            .query_one(
                &format!(
                    "select count(*) filter (where {done}), count(*) from planner_resource r where {scope}"
                ),
                &parameters,
            )
            .await
            .map_err(StoreError::query(doing))?;
        let count = |n: usize| -> Result<u64, StoreError> {
            let count: i64 = row.try_get(n).map_err(StoreError::query(doing))?;
            Ok(u64::try_from(count).unwrap_or_default())
        };
        let rows = client
            .query(
                &format!(
                    "select mail, reason from (select r.mail, {reason} as reason from planner_resource r \
                         where {scope} and not {done}) as waiting \
                     order by reason is null, mail limit {WAITING_MAX}"
                ),
                &parameters,
            )
            .await
            .map_err(StoreError::query(doing))?;
        let waiting = |row: &tokio_postgres::Row| -> Result<Waiting, tokio_postgres::Error> {
            Ok(Waiting { mail: row.try_get(0)?, reason: row.try_get(1)? })
        };
        Ok(Progress {
            done: count(0)?,
            of: count(1)?,
            waiting: rows.iter().map(waiting).collect::<Result<_, _>>().map_err(StoreError::query(doing))?,
            outcome: None,
        })
    }

    async fn list_progress(&self, asked_at: Timestamp) -> Result<Progress, StoreError> {
        let outcome = self.list_outcome().await?.filter(|outcome| outcome.began >= asked_at);
        let done = u64::from(outcome.as_ref().is_some_and(|outcome| outcome.answered));
        Ok(Progress { done, of: 1, waiting: Vec::new(), outcome: outcome.map(|outcome| outcome.text) })
    }

    /// How many instances of the service are alive: hold a lease that has not run out.
    pub async fn live_instances(&self) -> Result<u64, StoreError> {
        let operation = "look for running instances";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                "select count(distinct owner) from lease where owner <> '' and expires_at > clock_timestamp()",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let count: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// SQL: was the mailbox `r` read in full since `$2`? By the database's clock, which said when that was asked; by that of
/// the process only where an older version read.
const READ_SINCE: &str =
    "r.full_read_began_at is not null and coalesce(r.full_read_began_db, r.full_read_began_at) >= $2";

/// SQL: why the mailbox `r` is not read: what its full read failed of, or why it cannot be listened to.
const READ_ERROR: &str = "coalesce((select n.last_error from notification n \
     where n.mail = r.mail and n.event_type = 'FullRead' and n.last_error is not null order by n.id desc limit 1), \
     r.error_code)";
