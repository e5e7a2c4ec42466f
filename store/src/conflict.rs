//! Transactions that lost a race against another: the server undid them, and they are made again at once.
//!
//! Two that change the same rows of `planner_resource` lock them by address, in that order ([`HELD`]), so that neither
//! waits for the other with what the other waits for. What is left (rows of several tables, a version of this program
//! without that order) ends in a deadlock that the server breaks: it undoes one of them (SQLSTATE 40P01; 40001 where it
//! cannot be put into any order). Nothing of it was done, nothing is wrong with the database, and the other one
//! goes on: so the one that lost is made again at once, a few times. Who loses each time goes on as in an outage.

use crate::StoreError;

#[cfg(test)]
#[cfg(feature = "testing")]
pub(crate) mod testing;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// How often a transaction is made at most.
const TRIES: u32 = 4;

/// The rows of `planner_resource` of the addresses `$1`, locked in the order of the addresses; to be joined by an update
/// that changes several of them. (Not `= any($1)`: where the table is small it is read as a whole, and each row would be compared
/// with one address after the other.)
pub(crate) const HELD: &str = "with held as materialized ( \
    select mail from planner_resource where mail in (select unnest($1::text[])) order by mail for no key update)";

/// The same for the resources in use: all, or that of the address `$1`.
pub(crate) const HELD_SCOPE: &str = "with held as materialized ( \
    select mail from planner_resource where deleted_date is null and ($1::text is null or mail = $1) \
    order by mail for no key update)";

/// Locks the rows of these addresses in the order of the addresses, for updates that follow.
pub(crate) async fn hold_resources(
    tx: &tokio_postgres::Transaction<'_>,
    mails: &[&str],
) -> Result<(), StoreError> {
    tx.execute(&format!("{HELD} select count(*) from held"), &[&mails])
        .await
        .map(drop)
        .map_err(StoreError::query("lock resources"))
}

/// Does `work`, which is one transaction, and does it again at once when it lost a race.
///
/// # Errors
/// As `work`; also when it lost a race each time.
pub(crate) async fn again<T, F>(mut work: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for tried in 1..TRIES {
        match work().await {
            Err(error) if error.is_conflict() => tracing::debug!(
                tried,
                error = &error as &dyn std::error::Error,
                "a transaction lost a race, it is made again"
            ),
            outcome => return outcome,
        }
    }
    work().await
}
