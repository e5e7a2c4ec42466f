//! Waiting for a lease, however long it takes.
//!
//! A lease that a dead predecessor left behind runs out within its time to live; one that another instance
//! holds is waited for without end (standby). While the database is away it is asked for again with back-off.

use std::time::Duration;

use base::Backoff;
use calendar::codes;
use store::StoreError;
use store::lease::{Lease, LeaseBook};

use crate::error::ListenerError;

/// Waits for the lease `key`. Calls `standing_by` when `patience` has passed: another instance has it.
pub(crate) async fn acquire(
    leases: &LeaseBook,
    key: &str,
    patience: Duration,
    standing_by: impl Fn(),
) -> Result<Lease, ListenerError> {
    let backoff = Backoff::doubling(Duration::from_millis(200), Duration::from_secs(10));
    let mut failures = 0;
    let mut told = false;
    loop {
        match leases.acquire(key, patience).await {
            Ok(lease) => return Ok(lease),
            Err(StoreError::LeaseTaken { .. }) => {
                if !told {
                    tracing::info!(
                        event_id = codes::LEASE_STANDBY.id,
                        lease = key,
                        "standing by, another instance owns this"
                    );
                    standing_by();
                    told = true;
                }
            }
            Err(source) if source.is_outage() => {
                failures += 1;
                tracing::warn!(
                    event_id = codes::DATABASE_UNREACHABLE.id,
                    lease = key,
                    error = &source as &dyn std::error::Error,
                    "a lease cannot be asked for"
                );
                tokio::time::sleep(backoff.delay_jittered(failures)).await;
            }
            Err(source) => return Err(ListenerError::Lease { key: key.to_owned(), source }),
        }
    }
}
