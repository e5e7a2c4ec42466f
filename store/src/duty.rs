//! A duty that one instance does at a time: taking its lease, however long that takes, and learning of its loss.
//!
//! Protocol: [`keep`] takes the lease, hands it over, waits until it is lost and says so; then it ends. Whoever does
//! the duty stops at the loss and begins anew. [`give_back`] hands the lease back at the end in order.
//!
//! Failure: another instance that does the duty is waited for without end (standby), and so is a database that is away.
//! What a dead predecessor left behind runs out within its time to live.

use std::time::Duration;

use base::Backoff;
use calendar::codes;
use tokio_util::sync::CancellationToken;

use crate::StoreError;
use crate::lease::{Attempt, Holder, Lease, LeaseBook};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Longest pause between two tries to begin while the database is away: whoever is back first must not find the others
/// asleep.
pub const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(2);

/// What is told of a duty.
#[derive(Debug)]
pub enum Tidings {
    /// Its lease is held now.
    Held(Lease),
    /// Its lease is lost: stop at once.
    Lost,
    /// Its lease cannot be asked for, and waiting does not heal that.
    Failed(StoreError),
}

/// Takes the duty `key`, tells [`Tidings::Held`], waits for the loss of its lease, and tells [`Tidings::Lost`]. `tell`
/// answers whether anybody listens; without anybody this ends.
pub async fn keep<T, F>(leases: LeaseBook, key: String, tell: T)
where
    T: Fn(Tidings) -> F,
    F: Future<Output = bool>,
{
    let lease = match hold(&leases, &key, || {}).await {
        Ok(lease) => lease,
        Err(error) => {
            tell(Tidings::Failed(error)).await;
            return;
        }
    };
    let lost = lease.lost_signal();
    if tell(Tidings::Held(lease)).await {
        lost.await;
        tell(Tidings::Lost).await;
    }
}

/// Waits until the lease `key` is held: another instance may have it, the database may be away. Calls `standing_by`
/// once when another instance is seen to be alive and to have it.
///
/// # Errors
/// Anything that waiting does not heal.
pub async fn hold(leases: &LeaseBook, key: &str, standing_by: impl Fn()) -> Result<Lease, StoreError> {
    let backoff = Backoff::doubling(Duration::from_millis(200), OUTAGE_PAUSE_MAX);
    let mut failures = 0;
    let mut queue = leases.queue();
    let mut seen: Option<Holder> = None;
    let mut told = false;
    loop {
        match leases.attempt(key).await {
            Ok(Attempt::Held(lease)) => return Ok(lease),
            Ok(Attempt::Taken(holder)) => {
                failures = 0;
                // renewed since the first look: it is no dead one's
                let lives = seen.is_some_and(|seen| seen.expires_at < holder.expires_at);
                if lives && !told {
                    told = true;
                    tracing::info!(
                        event_id = codes::LEASE_STANDBY.id,
                        lease = key,
                        "standing by, another instance owns this"
                    );
                    standing_by();
                }
                seen.get_or_insert(holder);
                queue.turn(&holder).await;
            }
            Err(error) if error.is_outage() => {
                failures += 1;
                tracing::warn!(
                    event_id = codes::DATABASE_UNREACHABLE.id,
                    lease = key,
                    failures,
                    error = &error as &dyn std::error::Error,
                    "a lease cannot be asked for now"
                );
                tokio::time::sleep(backoff.delay_jittered(failures)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Cancels `calls` once `lease` is lost. To be run as a task of its own: calls are then cut off also when the thread of the
/// actor that holds the lease stalls, and are not open any more when a successor makes its own.
pub fn cut_off_when_lost(lease: &Lease, calls: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
    let lost = lease.lost_signal();
    async move {
        lost.await;
        calls.cancel();
    }
}

/// Hands the lease of a duty back, so that another instance can go on at once.
pub async fn give_back(lease: Lease) {
    let key = lease.fence().key;
    if let Err(error) = lease.release().await {
        tracing::warn!(
            lease = key,
            error = &error as &dyn std::error::Error,
            "a lease could not be handed back, it runs out by itself"
        );
    }
}
