//! When schedules last ran (`schedule/<name>` in `store_state`), so that a run missed while the program was
//! down is made up at start (B8), and one that was made is not made again by a successor.
//!
//! Protocol: read [`Store::last_run`], let `base::daily` say whether a run is due, and record it in the
//! transaction that does or asks for what the schedule is about ([`record_run`]); [`Store::record_run`] is for
//! runs that cannot be recorded so. A schedule without a record has never run: record the present, so
//! that its first run is the next one.
//!
//! Failure: an error means that nothing was recorded, or that this is unknown; the run is made again.

use jiff::Timestamp;
use tokio_postgres::Transaction;

use crate::lease::{self, Fence};
use crate::{Store, StoreError, state};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

impl Store {
    /// When the schedule `name` last ran; `None` when it never did (or nobody can read what was recorded).
    pub async fn last_run(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(state::get(self, &key(name)).await?.and_then(|text| text.parse().ok()))
    }

    /// Records a run of the schedule `name`, under the fence of who runs it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn record_run(&self, fence: &Fence, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let operation = "record the run of a schedule";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        record_run(&tx, name, at).await?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// Records a run of the schedule `name` in the caller's transaction.
pub async fn record_run(tx: &Transaction<'_>, name: &str, at: Timestamp) -> Result<(), StoreError> {
    state::put(tx, &key(name), &at.to_string()).await
}

/// The name of a schedule's record in `store_state`.
pub(crate) fn key(name: &str) -> String {
    format!("schedule/{name}")
}
