//! The fences of readings that are stored together.

use std::collections::HashSet;

use deadpool_postgres::Transaction;

use crate::StoreError;
use crate::lease::Fence;

/// What [`guard_all`] asks.
pub(super) const GUARD_ALL: &str = "select l.key from lease l \
     join unnest($1::text[], $2::bigint[], $3::text[]) as f (key, token, owner) \
         on f.key = l.key and f.token = l.token and f.owner = l.owner \
     order by l.key for key share of l";

/// [`guard`](crate::lease::guard) for several fences, which are locked in the order of their keys.
pub(super) async fn guard_all(transaction: &Transaction<'_>, fences: &[&Fence]) -> Result<(), StoreError> {
    if base::sabotage::is_broken(base::sabotage::Safeguard::Fence) {
        return Ok(());
    }
    let operation = "check leases";
    let mut fences = fences.to_vec();
    fences.sort_by(|a, b| (&a.key, a.token, &a.owner).cmp(&(&b.key, b.token, &b.owner)));
    fences.dedup();
    let keys: Vec<&str> = fences.iter().map(|fence| fence.key.as_str()).collect();
    let tokens: Vec<i64> = fences.iter().map(|fence| fence.token).collect();
    let owners: Vec<&str> = fences.iter().map(|fence| &*fence.owner).collect();
    let statement = transaction.prepare_cached(GUARD_ALL).await.map_err(StoreError::query(operation))?;
    let rows = transaction
        .query(&statement, &[&keys, &tokens, &owners])
        .await
        .map_err(StoreError::query(operation))?;
    let held: HashSet<&str> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()
        .map_err(StoreError::query(operation))?;
    // of two tokens, or two owners, of one lease at most one is current
    let lost = fences.iter().find(|fence| !held.contains(fence.key.as_str()));
    let doubled = fences.windows(2).find(|two| two[0].key == two[1].key).map(|two| &two[0]);
    match lost.or(doubled) {
        None => Ok(()),
        Some(fence) => {
            tracing::info!(lease = fence.key, token = fence.token, "a write under an old token was refused");
            Err(StoreError::LeaseLost { key: fence.key.clone() })
        }
    }
}
