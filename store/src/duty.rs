//! A duty that one instance does at a time: taking its lease for as long as that takes.

use std::time::Duration;

use crate::StoreError;
use crate::lease::{Lease, LeaseBook};

/// How long one attempt waits for another owner.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause after an attempt that failed because the database is away.
const AGAIN: Duration = Duration::from_millis(500);

/// Waits until the lease `key` is held: another instance may do the duty now, the database may be away.
///
/// # Errors
/// Anything that waiting does not heal.
pub async fn hold(leases: &LeaseBook, key: &str) -> Result<Lease, StoreError> {
    loop {
        match leases.acquire(key, PATIENCE).await {
            Err(StoreError::LeaseTaken { .. }) => tracing::debug!(key, "another instance does this duty"),
            Err(error) if error.is_outage() => {
                tracing::warn!(key, %error, "the lease of a duty cannot be taken now");
                tokio::time::sleep(AGAIN).await;
            }
            result => return result,
        }
    }
}
