//! A real database for each test.
//!
//! One PostgreSQL cluster serves all test processes of a user: the first that needs it starts it below the
//! temporary folder, without durability, and leaves it running for the next (`make test` stops it at the
//! end). Each test gets a copy of a migrated template and drops it afterwards.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use tokio_postgres::NoTls;

use crate::embedded::{Embedded, EmbeddedOptions};
use crate::migrations;
use crate::pool::{Store, StoreOptions};
use crate::wake::Wake;

/// A database of its own, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    /// The pool.
    pub store: Store,
    /// Its connection string.
    pub url: SecretString,
    name: String,
    socket: String,
}

/// Where the cluster of this user's tests lives.
pub fn cluster_folder() -> PathBuf {
    std::env::temp_dir().join(format!("kommuneklient-test-{}", rustix::process::geteuid().as_raw()))
}

/// Makes a migrated database.
///
/// # Panics
/// When PostgreSQL cannot be started: a test cannot go on then.
pub async fn database() -> TestDatabase {
    let (server, template) = tokio::task::spawn_blocking(prepare).await.expect("preparing does not panic");
    let name = format!("t_{}", uuid::Uuid::new_v4().simple());
    admin(&server, "postgres", &format!("create database {name} template {template}")).await;
    let url: SecretString = format!("host='{server}' user=kommuneklient dbname={name}").into();
    let store = Store::open(options(url.clone())).expect("the string was made here");
    TestDatabase { store, url, name, socket: server }
}

/// Wake-ups whose connection stands: what is subscribed to changes with what is announced, and not because listening began.
///
/// # Panics
/// When no connection stands after twenty seconds.
pub async fn listening(store: &Store) -> Wake {
    let wake = Wake::start(store.clone());
    tokio::time::timeout(Duration::from_secs(20), wake.listens())
        .await
        .expect("a connection for wake-ups stands");
    wake
}

/// Makes a database without a schema.
///
/// # Panics
/// When PostgreSQL cannot be started.
pub async fn empty_database() -> TestDatabase {
    let (server, _) = tokio::task::spawn_blocking(prepare).await.expect("preparing does not panic");
    let name = format!("t_{}", uuid::Uuid::new_v4().simple());
    admin(&server, "postgres", &format!("create database {name}")).await;
    let url: SecretString = format!("host='{server}' user=kommuneklient dbname={name}").into();
    let store = Store::open(options(url.clone())).expect("the string was made here");
    TestDatabase { store, url, name, socket: server }
}

/// What a version after this one might add to the schema: to every table a column with a default, and a table with a
/// trigger that writes there. What names its columns does not notice.
const NEWER: &str = "
    do $$ declare name text; begin
        for name in select tablename from pg_tables where schemaname = 'public' and tablename <> 'refinery_schema_history'
        loop execute format('alter table %I add column of_a_newer_version text not null default ''new''', name); end loop;
    end $$;
    create table of_a_newer_version (id bigint generated always as identity primary key, mail text not null);
    create function of_a_newer_version() returns trigger language plpgsql as $$
    begin insert into of_a_newer_version (mail) values (new.mail); return new; end $$;
    create trigger of_a_newer_version after insert or update of version on calendar_event
        for each row execute function of_a_newer_version();";
static KNOWS_NEWER: AtomicBool = AtomicBool::new(false);

/// From now on this process is of a newer version: it knows one migration more. For the test of a rolling upgrade.
pub fn become_newer() {
    KNOWS_NEWER.store(true, Ordering::Relaxed);
}

/// The migration of the newer version, when this process is of it.
pub(crate) fn newer_migration() -> Option<refinery::Migration> {
    KNOWS_NEWER.load(Ordering::Relaxed).then(newer)
}

pub(crate) fn newer() -> refinery::Migration {
    refinery::Migration::unapplied("V9001__of_a_newer_version", NEWER).expect("its name is in order")
}

/// Options for a test's own pool on `url`.
pub fn options(url: SecretString) -> StoreOptions {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    StoreOptions {
        url,
        pool_size: 8,
        patience: Duration::from_secs(10),
        idle_in_transaction: Duration::from_secs(60),
        tls,
        application_name: "kommuneklient-test".into(),
    }
}

/// Starts or finds the cluster and makes the template, under a file lock shared by all test processes.
/// Returns the socket folder and the template's name.
fn prepare() -> (String, String) {
    let folder = cluster_folder();
    let lock_path = folder.with_extension("lock");
    let lock = fs::File::create(&lock_path).expect("the temporary folder can be written");
    lock.lock().expect("a file can be locked");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let server = Embedded::start(&EmbeddedOptions {
            data_dir: folder,
            binaries: None,
            throw_away: true,
            patience: Duration::from_secs(60),
        })
        .await
        .expect("the embedded server starts");
        let socket = server.socket_folder();
        server.leave_running();
        let template = format!("template_{:016x}", migrations::fingerprint());
        make_template(&socket, &template).await;
        (socket, template)
    });
    drop(lock);
    answer
}

async fn make_template(socket: &str, template: &str) {
    let client = connect(socket, "postgres").await;
    let there = client
        .query_opt("select datistemplate from pg_database where datname = $1", &[&template])
        .await
        .expect("the catalogue can be read");
    if there.is_some_and(|row| row.get(0)) {
        return;
    }
    // not marked as a template: a predecessor died while making it
    client.batch_execute(&format!("drop database if exists {template} with (force)")).await.expect("dropped");
    client.batch_execute(&format!("create database {template}")).await.expect("created");
    let url = format!("host='{socket}' user=kommuneklient dbname={template}");
    let store = Store::open(options(url.into())).expect("the string was made here");
    migrations::migrate(&store).await.expect("the schema is made");
    store.close();
    drop(store);
    client
        .batch_execute(&format!("alter database {template} with is_template true allow_connections false"))
        .await
        .expect("marked");
    let _ = client
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", &[&template])
        .await;
}

async fn connect(socket: &str, database: &str) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(socket).user("kommuneklient").dbname(database);
    let (client, connection) = config.connect(NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}

async fn admin(socket: &str, database: &str, statement: &str) {
    let client = connect(socket, database).await;
    client.batch_execute(statement).await.expect("an administrator's statement works");
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.store.close();
        let (socket, name) = (self.socket.clone(), self.name.clone());
        // a thread of its own: the test's runtime may be ending or have its time paused
        let done = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(admin(
                &socket,
                "postgres",
                &format!("drop database if exists {name} with (force)"),
            ));
            Ok::<_, std::io::Error>(())
        });
        let _ = done.join();
    }
}
