//! How far the changes of each calendar have been read (B7).
//!
//! Protocol: a sync state is saved only together with what it covers
//! ([`Store::append_with_sync_state`]), under the fence of the mailbox's affinity group. Where there is
//! none, the mailbox starts over: it is walked to its end and read in full.

use calendar::MailAddress;
use calendar::ids::SyncState;
use jiff::Timestamp;

use crate::lease::{self, Fence};
use crate::{Store, StoreError};

impl Store {
    /// The saved sync state of a mailbox.
    pub async fn sync_state(&self, mail: &MailAddress) -> Result<Option<SyncState>, StoreError> {
        let operation = "load a sync state";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached("select state from sync_state where mail = $1")
            .await
            .map_err(StoreError::query(operation))?;
        let row =
            client.query_opt(&statement, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        row.map(|row| row.try_get::<_, String>(0).map(SyncState::from))
            .transpose()
            .map_err(StoreError::query(operation))
    }

    /// Forgets the sync state of a mailbox, so that its next catch-up starts over.
    pub async fn drop_sync_state(&self, fence: &Fence, mail: &MailAddress) -> Result<(), StoreError> {
        let operation = "drop a sync state";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        tx.execute("delete from sync_state where mail = $1", &[&mail.as_str()])
            .await
            .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// Saves the state within the caller's transaction. `asked_at` is when the last page of the catch-up was asked for;
/// `None` in the middle of one, which leaves the time of the catch-up before it.
pub(crate) async fn save(
    tx: &deadpool_postgres::Transaction<'_>,
    mail: &MailAddress,
    state: &SyncState,
    asked_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let operation = "save a sync state";
    let statement = tx
        .prepare_cached(
            "insert into sync_state as s (mail, state, asked_at, saved_at) values ($1, $2, coalesce($3::timestamptz, $4::timestamptz), $4) \
             on conflict (mail) do update set state = excluded.state, saved_at = excluded.saved_at, \
                 asked_at = coalesce($3, s.asked_at)",
        )
        .await
        .map_err(StoreError::query(operation))?;
    tx.execute(&statement, &[&mail.as_str(), &state.as_str(), &asked_at, &now])
        .await
        .map_err(StoreError::query(operation))?;
    Ok(())
}
