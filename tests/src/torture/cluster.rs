//! The PostgreSQL server of a run: one cluster for all seeds, one database a seed, stopped and started under
//! everybody's feet.
//!
//! Durability against crashes of PostgreSQL is real (`synchronous_commit`, full pages); only the wait for the disk is
//! left out, since no seed crashes the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use store::Store;
use store::embedded::{Embedded, EmbeddedOptions};
use tokio_postgres::NoTls;
use tokio_util::task::AbortOnDropHandle;

use super::error::TortureError;

/// The database that seeds are copied from.
const TEMPLATE: &str = "torture_template";
/// How long the server may take to answer, also after a crash.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is kept of a seed's database.
const EVIDENCE: [&str; 9] = [
    "calendar_event",
    "key_in_flight",
    "lease",
    "notification",
    "planner_resource",
    "planner_resource_subscription",
    "service_call_reference_log",
    "sync_log",
    "torture.lease_history",
];
/// How much of each table at most.
const EVIDENCE_ROWS: u32 = 20_000;

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    server: Option<Embedded>,
}

impl Cluster {
    /// Starts one in `folder` and makes the template.
    ///
    /// # Errors
    /// [`TortureError::Database`], [`TortureError::Statement`].
    pub async fn start(folder: &Path) -> Result<Self, TortureError> {
        let mut this = Self { folder: folder.to_owned(), server: None };
        this.come_back().await?;
        this.administer("leave out the wait for the disk", "alter system set fsync = off").await?;
        this.administer("read its settings", "select pg_reload_conf()").await?;
        this.administer("make the template", &format!("drop database if exists {TEMPLATE}")).await?;
        this.administer("make the template", &format!("create database {TEMPLATE}")).await?;
        let store = Store::open(store::testing::options(this.url_of(TEMPLATE)))
            .map_err(|source| TortureError::Database { operation: "open the template", source })?;
        let migrated = store::migrations::migrate(&store).await;
        store.close();
        migrated.map_err(|source| TortureError::Database { operation: "make the schema", source })?;
        Ok(this)
    }

    /// Makes the database of a seed, and answers its connection string.
    ///
    /// # Errors
    /// [`TortureError::Statement`].
    pub async fn database(&self, name: &str) -> Result<SecretString, TortureError> {
        // a pool that was closed a moment ago may still hold the template
        let free =
            format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{TEMPLATE}'");
        self.administer("free the template", &free).await?;
        self.administer("make a database", &format!("create database {name} template {TEMPLATE}")).await?;
        Ok(self.url_of(name))
    }

    /// Drops the database of a seed, with whoever is still connected.
    ///
    /// # Errors
    /// [`TortureError::Statement`].
    pub async fn drop_database(&self, name: &str) -> Result<(), TortureError> {
        self.administer("drop a database", &format!("drop database if exists {name} with (force)")).await
    }

    /// Cuts all connections to a database.
    ///
    /// # Errors
    /// [`TortureError::Statement`].
    pub async fn cut_connections(&self, name: &str) -> Result<(), TortureError> {
        let cut = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
        );
        self.administer("cut connections", &cut).await
    }

    /// Writes what the product holds in a database to files of `folder`, one JSON line a row: evidence of a seed.
    ///
    /// # Errors
    /// [`TortureError::Statement`], [`TortureError::File`].
    pub async fn dump(&self, name: &str, folder: &Path) -> Result<(), TortureError> {
        let failed = |source| TortureError::Statement { operation: "keep its rows", source };
        let config: tokio_postgres::Config = self.url_of(name).expose_secret().parse().map_err(failed)?;
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        for table in EVIDENCE {
            let query = format!("select row_to_json(t)::text from {table} t limit {EVIDENCE_ROWS}");
            let rows = client.query(&query, &[]).await.map_err(failed)?;
            let lines: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
            let path = folder.join(format!("{table}.jsonl"));
            std::fs::write(&path, lines.join("\n")).map_err(TortureError::file(&path))?;
        }
        Ok(())
    }

    /// Takes the server down: in order ("fast": open transactions are rolled back), or at once, as a crash would.
    ///
    /// # Errors
    /// [`TortureError::Database`].
    pub async fn go_down(&mut self, immediate: bool) -> Result<(), TortureError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        if immediate && let Some(pid) = self.postmaster() {
            // ends within moments; that it has ended is waited for below
            let _gone = kill_process(pid, Signal::QUIT);
        }
        server.stop().await.map_err(|source| TortureError::Database { operation: "be stopped", source })
    }

    /// Starts it again, and waits until it answers.
    ///
    /// # Errors
    /// [`TortureError::Database`].
    pub async fn come_back(&mut self) -> Result<(), TortureError> {
        if self.server.is_none() {
            let options = EmbeddedOptions {
                data_dir: self.folder.clone(),
                binaries: None,
                throw_away: false,
                patience: PATIENCE,
            };
            let started = Embedded::start(&options).await;
            self.server =
                Some(started.map_err(|source| TortureError::Database { operation: "be started", source })?);
        }
        Ok(())
    }

    /// Ends it for good.
    ///
    /// # Errors
    /// [`TortureError::Database`].
    pub async fn stop(mut self) -> Result<(), TortureError> {
        self.go_down(false).await
    }

    fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.folder.join("cluster/postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    fn url_of(&self, database: &str) -> SecretString {
        self.server.as_ref().map_or_else(|| String::new().into(), |server| server.url_of(database))
    }

    async fn administer(&self, operation: &'static str, statement: &str) -> Result<(), TortureError> {
        let failed = |source| TortureError::Statement { operation, source };
        let url = self.url_of("postgres");
        let config: tokio_postgres::Config = url.expose_secret().parse().map_err(failed)?;
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        client.batch_execute(statement).await.map_err(failed)
    }
}
