//! `kommuneklient migrate`: brings the schema up to date and says what it did.

use crate::ServiceError;
use crate::config::Config;
use crate::database;

/// Migrates the database that the configuration names; answers the names of what was applied now.
///
/// # Errors
/// [`ServiceError::Configuration`] without a `database.url`; [`ServiceError::Database`] when the database
/// is away or a migration fails (the failed one is rolled back).
pub fn migrate(config: &Config) -> Result<Vec<String>, ServiceError> {
    let which = config.for_migrate()?;
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    runtime.block_on(async {
        let opened = database::open(&config.database, &which, config.leases.ttl.get()).await?;
        let failed = |operation| move |source| ServiceError::Database { operation, source };
        let applied = store::migrations::migrate(&opened.store).await.map_err(failed("migrate the database"));
        opened.store.close();
        if let Some(embedded) = opened.embedded {
            embedded.stop().await.map_err(failed("stop the embedded database"))?;
        }
        applied
    })
}
