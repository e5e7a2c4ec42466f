//! Notifications that were set aside (B7): the list, and another try.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::operations::Scope;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

/// A notification that kept failing by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideNotification {
    /// Its row.
    pub id: i64,
    /// Whose calendar, as it was stored (it may be set aside because this is no address).
    pub mail: String,
    /// What sort of hint (`CreatedEvent` …).
    pub event_type: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// How often it failed.
    pub attempts: u32,
    /// Since when it is set aside.
    pub set_aside_at: Timestamp,
    /// The last error; no appointment content.
    pub error: Option<String>,
}

impl Store {
    /// Notifications that are set aside, of all mailboxes or of one, the oldest first.
    pub async fn set_aside_notifications(
        &self,
        scope: &Scope,
        limit: u32,
    ) -> Result<Vec<SetAsideNotification>, StoreError> {
        let operation = "list the notifications that are set aside";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select id, mail, event_type, received_at, attempts, set_aside_at, last_error from notification \
                 where set_aside_at is not null and ($1::text is null or mail = $1) order by id limit $2",
                &[&scope.mail(), &i64::from(limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }

    /// How many notifications are set aside, of all mailboxes or of one.
    pub async fn set_aside_notification_count(&self, scope: &Scope) -> Result<u64, StoreError> {
        let operation = "count the notifications that are set aside";
        let client = self.client(operation).await?;
        let count: i64 = client
            .query_one(
                "select count(*) from notification \
                 where set_aside_at is not null and ($1::text is null or mail = $1)",
                &[&scope.mail()],
            )
            .await
            .and_then(|row| row.try_get(0))
            .map_err(StoreError::query(operation))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Gives notifications that are set aside as many tries as new ones: those with these numbers, or all of them
    /// (`None`). Answers how many.
    pub async fn retry_notifications(&self, ids: Option<&[i64]>) -> Result<u64, StoreError> {
        let operation = "try notifications again";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let again = tx
            .execute(
                "update notification set set_aside_at = null, attempts = 0, next_attempt_at = null, claim = null \
                 where set_aside_at is not null and ($1::bigint[] is null or id = any ($1))",
                &[&ids],
            )
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Notification).await?;
        wake::notify(&tx, Channel::FullRead).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(again)
    }
}

fn read(row: &Row) -> Result<SetAsideNotification, tokio_postgres::Error> {
    Ok(SetAsideNotification {
        id: row.try_get(0)?,
        mail: row.try_get(1)?,
        event_type: row.try_get(2)?,
        received_at: row.try_get(3)?,
        attempts: u32::try_from(row.try_get::<_, i32>(4)?).unwrap_or_default(),
        set_aside_at: row.try_get(5)?,
        error: row.try_get(6)?,
    })
}
