//! The schema, brought up to date.
//!
//! Protocol: migrations are expand / contract, so that two versions run side by side. They run under an advisory
//! lock, so that instances that start together do not meet; an older binary tolerates migrations that a newer one has
//! made. Each runs in a transaction of its own. Afterwards the role of the service gets its rights ([`rights`]). A process
//! that may not change the schema asks [`missing`] until nothing is.
//!
//! Failure: a process that holds the lock for longer than another waits for it is told of, with who it is ([`LOCK_PATIENCE`],
//! [`StoreError::MigratorBusy`]), and asked for again. One that is paused as a whole does not hold it for ever: the server
//! ends its session when nothing has come from it for [`SESSION_PATIENCE`], and rolls back what it had begun.
//! A migration waits for the lock of a table [`TABLE_LOCK_PATIENCE`] at most and is rolled back and
//! tried again then ([`StoreError::is_outage`]): while it waits, everybody else waits behind it, and one long
//! transaction of the version beside it would hold up all of them. A migration that failed otherwise ends the process;
//! those before it stay. One with a number below what has been applied is never applied by anybody, which is
//! found and told: numbers are given in the order in which versions are published.

use std::time::Duration;

use refinery::{Migration, Runner};
use tokio_postgres::error::SqlState;

use crate::error::StoreError;
use crate::pool::Store;
use crate::rights::{self, RUNTIME_ROLE};

mod embedded {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "written by refinery's macro")]
    refinery::embed_migrations!("migrations");
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The advisory lock under which migrations run.
const LOCK: i64 = 0x6b6f_6d6d_756e_6501;
/// How long the lock of the migrations is waited for before it is told who holds it.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// The longest silence of a process that migrates: between two statements it has next to nothing to do.
pub const SESSION_PATIENCE: Duration = Duration::from_secs(60);
/// How long a migration waits for the lock of a table, as PostgreSQL writes it.
pub const TABLE_LOCK_PATIENCE: &str = "5s";

/// Brings the schema up to date and returns the names of the migrations that were applied now.
///
/// # Errors
/// [`StoreError::is_outage`]: try again. [`StoreError::Migrate`] and [`StoreError::Content`]: it needs a person.
pub async fn migrate(store: &Store) -> Result<Vec<String>, StoreError> {
    migrate_to(store, known(), LOCK_PATIENCE).await
}

async fn migrate_to(
    store: &Store,
    known: Vec<Migration>,
    lock_patience: Duration,
) -> Result<Vec<String>, StoreError> {
    let operation = "migrate the schema";
    let mut client = store.client(operation).await?;
    lock(&client, lock_patience, SESSION_PATIENCE).await?;
    let patience = format!("set lock_timeout = '{TABLE_LOCK_PATIENCE}'");
    let begun = client.batch_execute(&patience).await;
    let report = match begun {
        Ok(()) => Runner::new(&known)
            .set_abort_missing(false)
            .set_abort_divergent(true)
            .run_async(&mut **client)
            .await
            .map_err(|source| StoreError::Migrate { source: Box::new(source) }),
        Err(error) => Err(StoreError::query(operation)(error)),
    };
    let granted = match &report {
        Ok(_) => rights::grant(&**client, RUNTIME_ROLE).await,
        Err(_) => Ok(()),
    };
    let unlock = format!("reset lock_timeout; {RESET_SILENCE}; select pg_advisory_unlock({LOCK})");
    let unlocked = client.batch_execute(&unlock).await;
    let report = report?;
    granted.map_err(StoreError::query("grant the rights of the role of the service"))?;
    unlocked.map_err(StoreError::query(operation))?;
    drop(client);
    let left_out = missing_of(store, &known).await?;
    if !left_out.is_empty() {
        let reason = format!(
            "the migrations {} were never applied although later ones were; restore the backup of before the upgrade, or \
             ask who makes this program",
            left_out.join(", ")
        );
        return Err(StoreError::Content { operation, reason });
    }
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// Ends the session when it is silent; servers before PostgreSQL 14 cannot do that.
const LIMIT_SILENCE: &str =
    "select set_config(name, $1, false) from pg_settings where name = 'idle_session_timeout'";
/// As it was before.
const RESET_SILENCE: &str =
    "select set_config(name, reset_val, false) from pg_settings where name = 'idle_session_timeout'";

/// Takes the lock of the migrations for the session of `client`, which the server ends from now on when it is silent for
/// `silence`.
async fn lock(
    client: &tokio_postgres::Client,
    patience: Duration,
    silence: Duration,
) -> Result<(), StoreError> {
    let operation = "wait for the lock of the migrations";
    let failed = StoreError::query(operation);
    let wait = format!("set lock_timeout = {}", patience.as_millis().max(1));
    client.batch_execute(&wait).await.map_err(&failed)?;
    let locked = client.execute("select pg_advisory_lock($1)", &[&LOCK]).await;
    client.batch_execute("reset lock_timeout").await.map_err(&failed)?;
    match locked {
        Ok(_) => {}
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            return Err(StoreError::MigratorBusy { holder: holder(client).await.map_err(&failed)? });
        }
        Err(error) => return Err(failed(error)),
    }
    let silence = silence.as_millis().max(1).to_string();
    client.execute(LIMIT_SILENCE, &[&silence]).await.map(drop).map_err(failed)
}

/// Who holds the lock of the migrations, in words.
async fn holder(client: &tokio_postgres::Client) -> Result<String, tokio_postgres::Error> {
    let row = client
        .query_opt(
            "select coalesce(nullif(a.application_name, ''), 'a connection without a name'), l.pid, \
                    coalesce(host(a.client_addr), 'the machine of the database'), \
                    extract(epoch from clock_timestamp() - a.state_change)::bigint, coalesce(a.state, 'unknown') \
             from pg_locks l join pg_stat_activity a using (pid) \
             where l.locktype = 'advisory' and l.granted and l.objsubid = 1 \
               and l.database = (select oid from pg_database where datname = current_database()) \
               and (l.classid::bigint << 32 | l.objid::bigint) = $1 \
             limit 1",
            &[&LOCK],
        )
        .await?;
    let Some(row) = row else { return Ok("it has let go meanwhile".to_owned()) };
    let (name, pid, host): (String, i32, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (seconds, state): (i64, String) = (row.try_get(3)?, row.try_get(4)?);
    Ok(format!(
        "{name} from {host}, server process {pid}, {state} for {seconds} s; when nothing runs there any more, \
         select pg_terminate_backend({pid}) ends it"
    ))
}

/// The names of the migrations that this version needs and the database lacks, or the rights that the role of the
/// connection lacks; nothing = its schema fits and can be used. Changes nothing.
///
/// # Errors
/// The database is away, or what was applied cannot be read.
pub async fn missing(store: &Store) -> Result<Vec<String>, StoreError> {
    // first, since who has no rights cannot read which migrations were applied
    match rights::lacking(store).await? {
        Some(lacking) => Ok(vec![lacking]),
        None => missing_of(store, &known()).await,
    }
}

async fn missing_of(store: &Store, known: &[Migration]) -> Result<Vec<String>, StoreError> {
    let operation = "look for missing migrations";
    let client = store.client(operation).await?;
    let failed = StoreError::query(operation);
    let history = client.query_one("select to_regclass('refinery_schema_history') is not null", &[]).await;
    let applied: Vec<i32> = if history.map_err(&failed)?.try_get(0).map_err(&failed)? {
        let rows = client.query("select version::int4 from refinery_schema_history", &[]).await;
        rows.map_err(&failed)?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(&failed)?
    } else {
        Vec::new()
    };
    let mut lacking: Vec<&Migration> = known
        .iter()
        .filter(|one| !applied.iter().any(|version| i64::from(*version) == i64::from(one.version())))
        .collect();
    lacking.sort_by_key(|one| one.version());
    Ok(lacking.into_iter().map(ToString::to_string).collect())
}

/// The migrations of this version.
fn known() -> Vec<Migration> {
    #[cfg_attr(not(feature = "testing"), expect(unused_mut, reason = "only tests know more"))]
    let mut all = embedded::migrations::runner().get_migrations().clone();
    #[cfg(feature = "testing")]
    all.extend(crate::testing::newer_migration());
    all
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
