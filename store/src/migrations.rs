//! The schema, brought up to date.
//!
//! Migrations run under an advisory lock, so that instances that start together do not meet; an older
//! binary tolerates migrations that a newer one has made (expand / contract).

use crate::error::StoreError;
use crate::pool::Store;

mod embedded {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "written by refinery's macro")]
    refinery::embed_migrations!("migrations");
}

/// The advisory lock under which migrations run.
const LOCK: i64 = 0x6b6f_6d6d_756e_6501;

/// Brings the schema up to date and returns the names of the migrations that were applied now.
pub async fn migrate(store: &Store) -> Result<Vec<String>, StoreError> {
    let operation = "migrate the schema";
    let mut client = store.client(operation).await?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await.map_err(StoreError::query(operation))?;
    let report = embedded::migrations::runner()
        .set_abort_missing(false)
        .set_abort_divergent(true)
        .run_async(&mut **client)
        .await;
    let unlocked = client.execute("select pg_advisory_unlock($1)", &[&LOCK]).await;
    let report = report.map_err(|source| StoreError::Migrate { source: Box::new(source) })?;
    unlocked.map_err(StoreError::query(operation))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// A fingerprint of all migrations, so that tests know whether their template is current.
#[cfg(feature = "testing")]
pub(crate) fn fingerprint() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for migration in embedded::migrations::runner().get_migrations() {
        migration.checksum().hash(&mut hasher);
    }
    hasher.finish()
}
