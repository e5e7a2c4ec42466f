//! Asking the listener and the sender: places to be found anew, and another try for what waits.

use super::Scope;
use crate::conflict::HELD_SCOPE;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

impl Store {
    /// Puts the places of mailboxes in doubt, so that the listener locates them anew at once; what is stored holds until
    /// then. Those that could not be located, or not be listened to, are tried at once: the owners of their groups are woken,
    /// and see it by [`StoredMember::try_now`](crate::subscriptions::StoredMember::try_now). Answers how many mailboxes.
    ///
    /// # Errors
    /// Nothing was asked for, or this is unknown; asking twice is harmless.
    pub async fn ask_for_rediscovery(&self, scope: &Scope) -> Result<u64, StoreError> {
        let operation = "ask for mailboxes to be located anew";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let asked = tx
            .execute(
                &format!(
                    "{HELD_SCOPE} update planner_resource r set retry_at = null, \
                            location_doubted_at = case when endpoint is not null then clock_timestamp() end \
                     from held where r.mail = held.mail and r.deleted_date is null"
                ),
                &[&scope.mail()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Resource).await?;
        wake::notify(&tx, Channel::Group).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(asked)
    }

    /// Ends the pauses of what failed, so that it is sent as soon as the budget allows, and tries again what was set
    /// aside. What Planner refused is not sent again (B9). Answers how many keys.
    ///
    /// # Errors
    /// Part of it was asked for, or this is unknown; asking twice is harmless.
    pub async fn ask_for_resend(&self, scope: &Scope) -> Result<u64, StoreError> {
        let operation = "send again what waits";
        let set_aside = self.retry_set_aside(scope).await?;
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let hurried = tx
            .execute(
                "update calendar_event set next_attempt_at = null \
                 where pending and next_attempt_at is not null and ($1::text is null or mail = $1)",
                &[&scope.mail()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Decision).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(set_aside + hurried)
    }
}
