//! `kommuneklient migrate`: brings the schema up to date and says what it did.

use store::{Store, StoreError};

use crate::ServiceError;
use crate::config::Config;
use crate::database;

/// Migrates the database that the configuration names; answers the names of what was applied now.
///
/// # Errors
/// [`ServiceError::Configuration`] without a `database.url`; [`ServiceError::Database`] when the database
/// is away or a migration fails (the failed one is rolled back); [`ServiceError::MayNotMigrate`] when the role may not.
pub fn migrate(config: &Config) -> Result<Vec<String>, ServiceError> {
    let which = config.for_migrate()?;
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    runtime.block_on(async {
        let opened = database::open(&config.database, &which, config.leases.ttl.get()).await?;
        let failed = |operation| move |source| ServiceError::Database { operation, source };
        let applied = in_turn(&opened.store).await;
        let applied = applied.map_err(ServiceError::not_migrated("migrate the database"));
        opened.store.close();
        if let Some(embedded) = opened.embedded {
            embedded.stop().await.map_err(failed("stop the embedded database"))?;
        }
        applied
    })
}

/// How often the lock of the migrations is asked for: with [`store::migrations::LOCK_PATIENCE`], two minutes.
const TURNS: u32 = 12;

/// Migrates when another process that does so has ended; gives up, and says who it is, when it does not.
async fn in_turn(store: &Store) -> Result<Vec<String>, StoreError> {
    for _ in 1..TURNS {
        match store::migrations::migrate(store).await {
            Err(StoreError::MigratorBusy { .. }) => {}
            outcome => return outcome,
        }
    }
    store::migrations::migrate(store).await
}
