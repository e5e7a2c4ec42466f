//! Opening the database that the configuration names.

use std::time::Duration;

use store::embedded::{Embedded, EmbeddedOptions};
use store::{Store, StoreOptions};
use trust::{ClientTls, Roots};

use crate::ServiceError;
use crate::config::{Database, DatabaseConfig};

/// How long the embedded server may take to answer: after a crash it reads its log first.
const EMBEDDED_PATIENCE: Duration = Duration::from_secs(60);
/// What is done with the embedded server at the end.
pub(crate) const STOP: &str = "stop the embedded database";
/// How long to wait for a connection.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(10);
/// How long a transaction of a command may pause.
const COMMANDS_PAUSE: Duration = Duration::from_secs(60);

/// An opened database. Stop the embedded server last.
#[derive(Debug)]
pub struct Opened {
    /// The pool.
    pub store: Store,
    /// The server, when it is embedded.
    pub embedded: Option<Embedded>,
}

/// Opens the database, starting the embedded server where `which` says so. The server knows the connections by the number
/// of this process. Leases live for `lease_life`.
///
/// # Errors
/// [`ServiceError::Database`] when the embedded server does not start or the address cannot be used;
/// [`ServiceError::Trust`] without certificate authorities. A server that is away is found by the first use.
pub async fn open(
    config: &DatabaseConfig,
    which: &Database,
    lease_life: Duration,
) -> Result<Opened, ServiceError> {
    open_with(&format!("kommuneklient/{}", std::process::id()), config, which, lease_life).await
}

/// The same for a command, with the name by which the server knows the connections.
///
/// # Errors
/// As [`open`].
pub async fn open_as(name: &str, config: &DatabaseConfig, which: &Database) -> Result<Opened, ServiceError> {
    open_with(name, config, which, COMMANDS_PAUSE).await
}

async fn open_with(
    name: &str,
    config: &DatabaseConfig,
    which: &Database,
    idle_in_transaction: Duration,
) -> Result<Opened, ServiceError> {
    let failed = |operation| move |source| ServiceError::Database { operation, source };
    let (embedded, url, roots) = match which {
        Database::Embedded => {
            let options = EmbeddedOptions {
                data_dir: config.data_dir.clone(),
                binaries: config.postgres_bin.clone(),
                throw_away: false,
                patience: EMBEDDED_PATIENCE,
            };
            let embedded = Embedded::start(&options).await.map_err(failed("start the embedded database"))?;
            let url = embedded.url();
            // A Unix socket: nothing is encrypted.
            (Some(embedded), url, Roots::Nobody)
        }
        Database::Url(url) => (None, url.clone(), Roots::System),
    };
    let tls = ClientTls { roots }
        .client_config()
        .map_err(|source| ServiceError::Trust { what: "the database", source: Box::new(source) })?;
    let store = Store::open(StoreOptions {
        url,
        pool_size: config.pool_size,
        patience: CONNECTION_PATIENCE,
        idle_in_transaction,
        tls,
        application_name: name.to_owned(),
    })
    .map_err(failed("open the database"))?;
    Ok(Opened { store, embedded })
}
