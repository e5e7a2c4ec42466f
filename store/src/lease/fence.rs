//! The proof of ownership, and its check in every protected write.

use std::sync::Arc;

use tokio_postgres::types::Type;

use crate::StoreError;

/// Proof of ownership that goes with each protected write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Which lease.
    pub key: String,
    /// Its fencing token: grows by one with each change of owner.
    pub token: i64,
    /// Who took it. A token alone does not tell two owners apart where a server has lost a commit (a standby took its
    /// place that did not have it): the take-over that it forgot and the next one raise the token to the same.
    pub owner: Arc<str>,
}

/// Makes the caller's transaction fail unless `fence` is the current one, and keeps it current until the
/// transaction ends.
pub async fn guard(transaction: &tokio_postgres::Transaction<'_>, fence: &Fence) -> Result<(), StoreError> {
    if base::sabotage::is_broken(base::sabotage::Safeguard::Fence) {
        return Ok(());
    }
    // typed: one round trip instead of two, for each write there is
    let row = transaction
        .query_typed_opt(
            "select 1 from lease where key = $1 and token = $2 and owner = $3 for key share",
            &[(&fence.key, Type::TEXT), (&fence.token, Type::INT8), (&&*fence.owner, Type::TEXT)],
        )
        .await
        .map_err(StoreError::query("check a lease"))?;
    if row.is_none() {
        tracing::info!(lease = fence.key, token = fence.token, "a write under an old token was refused");
        return Err(StoreError::LeaseLost { key: fence.key.clone() });
    }
    Ok(())
}
