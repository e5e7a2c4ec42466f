//! The pool of connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use secrecy::SecretString;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::wake::Announcer;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://user:password@host/database` or the key=value form.
    pub url: SecretString,
    /// Most connections of this process (that for wake-ups and those of the leases come on top).
    pub pool_size: usize,
    /// How long to wait for a connection.
    pub patience: Duration,
    /// After this pause within a transaction the server ends the connection: its process is paused or gone, and
    /// others wait for what the transaction has locked. As long as a lease lives, so that a take-over waits no longer
    /// for the transaction than for the lease.
    pub idle_in_transaction: Duration,
    /// Trust for a server on another machine.
    pub tls: rustls::ClientConfig,
    /// Shown in pg_stat_activity.
    pub application_name: String,
}

/// The database. A clone is a handle on the same pool.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    patience: Duration,
    closing: Arc<Closing>,
    announcer: Arc<Announcer>,
}

/// What ends with [`Store::close`].
#[derive(Default)]
struct Closing {
    /// The pools of this database: the first, and those apart from it, which are a handful.
    pools: Mutex<Vec<Pool>>,
    closed: CancellationToken,
}

impl Closing {
    /// Closes `pool` with the others.
    fn with(&self, pool: &Pool) {
        self.pools.lock().expect("no holder of this lock can panic").push(pool.clone());
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}

impl Store {
    /// Prepares the pool; connections are opened when they are needed, so that a database that is away at
    /// start is an error of the first use, not of this.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let mut config = crate::address::parse(&options.url)?;
        config.application_name(&options.application_name);
        config.connect_timeout(options.patience);
        notice_silence(&mut config);
        config.ssl_mode(transport(&config));
        settle_sessions(&mut config, options.idle_in_transaction);
        let tls = MakeRustlsConnect::new(options.tls);
        let pool = pool(&config, &tls, options.pool_size, options.patience);
        let closing = Arc::new(Closing::default());
        closing.with(&pool);
        Ok(Self { pool, config, tls, patience: options.patience, closing, announcer: Announcer::new() })
    }

    /// The same database through `size` connections apart from those of this pool, so that neither waits for the
    /// other.
    pub(crate) fn apart(&self, size: usize) -> Self {
        let pool = pool(&self.config, &self.tls, size, self.patience);
        self.closing.with(&pool);
        Self { pool, ..self.clone() }
    }

    /// A connection of the pool, to do `operation`.
    pub async fn client(&self, operation: &'static str) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|source| StoreError::Connect {
            operation,
            at: crate::address::hosts(&self.config),
            source: match source {
                // what the pool says around the driver's error tells operators nothing
                PoolError::Backend(source) => Box::new(source),
                other => Box::new(other),
            },
        })
    }

    /// Asks whether the pool gives a connection and that answers, in its turn like everybody and with the pool's patience.
    ///
    /// # Errors
    /// It does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let operation = "ask whether it answers";
        let client = self.client(operation).await?;
        match tokio::time::timeout(self.patience, client.simple_query("select 1")).await {
            Ok(answer) => answer.map(drop).map_err(StoreError::query(operation)),
            Err(elapsed) => {
                // nobody else is to wait behind it
                drop(Object::take(client));
                Err(self.silent(operation)(elapsed))
            }
        }
    }

    /// The database did not answer in time.
    pub(crate) fn silent(
        &self,
        operation: &'static str,
    ) -> impl Fn(tokio::time::error::Elapsed) -> StoreError + use<'_> {
        move |elapsed| StoreError::Connect {
            operation,
            at: crate::address::hosts(&self.config),
            source: Box::new(elapsed),
        }
    }

    /// Connections in use and open, for metrics.
    pub fn pool_status(&self) -> deadpool_postgres::Status {
        self.pool.status()
    }

    /// Closes the pool and those apart from it, and ends the connection for wake-ups: later calls fail at once.
    pub fn close(&self) {
        self.closing.closed.cancel();
        let pools = self.closing.pools.lock().expect("no holder of this lock can panic");
        pools.iter().for_each(Pool::close);
    }

    /// Is cancelled when the store is closed, because the program ends.
    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.closing.closed
    }

    /// What announces the news of this store.
    pub(crate) const fn announcer(&self) -> &Arc<Announcer> {
        &self.announcer
    }

    /// A connection outside the pool, with its driver, to do `operation`; for LISTEN, and for what is left to be said when
    /// the pool is closed.
    pub(crate) async fn direct(
        &self,
        operation: &'static str,
    ) -> Result<
        (
            tokio_postgres::Client,
            tokio_postgres::Connection<
                tokio_postgres::Socket,
                <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>>::Stream,
            >,
        ),
        StoreError,
    > {
        self.config.connect(self.tls.clone()).await.map_err(|source| StoreError::Connect {
            operation,
            at: crate::address::hosts(&self.config),
            source: Box::new(source),
        })
    }
}

fn pool(config: &tokio_postgres::Config, tls: &MakeRustlsConnect, size: usize, patience: Duration) -> Pool {
    let manager = Manager::from_config(
        config.clone(),
        tls.clone(),
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    Pool::builder(manager)
        .max_size(size)
        // the one that was used last has prepared most and is warm in the server
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(patience), create: Some(patience), recycle: Some(patience) })
        .build()
        .expect("a pool with a runtime can have timeouts")
}

/// What every session is given, whatever the server, the database or the role have by default.
///
/// The server ends sessions that are idle within a transaction for `pause`. A commit is on the disk (and with the
/// synchronous standbys, where there are any) before it is answered: what must not be lost is told to Exchange and
/// Planner as done. What is looked up is in memory, so a page anywhere costs little more than the next one: by the server's
/// default, which is that of disks that turn, tables that grow and shrink within minutes are read as a whole for a few rows. The
/// address may say otherwise of all three.
///
/// Not of the isolation: each statement of a transaction must see what was committed before it, else a lease that was
/// taken over while [`guard`](crate::lease::guard) waited is a serialization failure instead of a lost lease, and what is
/// locked first and looked up then is looked up as it was before it was locked.
fn settle_sessions(config: &mut tokio_postgres::Config, pause: Duration) {
    let pause = format!("-c idle_in_transaction_session_timeout={}", pause.as_millis().max(1));
    let theirs = config.get_options().map(str::to_owned);
    // of two that say something about the same the later one counts
    let options: Vec<&str> = [pause.as_str(), "-c synchronous_commit=on", "-c random_page_cost=1.1"]
        .into_iter()
        .chain(theirs.as_deref())
        .chain(["-c default_transaction_isolation=read\\ committed"])
        .collect();
    config.options(options.join(" "));
}

/// A server that is gone without a word (a lost machine, a cut network) must end statements within seconds, not
/// after the quarter of an hour that the system's defaults take.
fn notice_silence(config: &mut tokio_postgres::Config) {
    config.keepalives_idle(Duration::from_secs(10));
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(5));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(15));
    }
}

/// TLS is never silently given up: what the driver calls "prefer" would send the password in clear when the
/// server (or somebody in between) says no, so it becomes "require" unless the server is on this machine.
fn transport(config: &tokio_postgres::Config) -> SslMode {
    let local = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    });
    match config.get_ssl_mode() {
        SslMode::Prefer if local => SslMode::Disable,
        SslMode::Prefer => SslMode::Require,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "testing")]
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_silent_server_is_noticed_within_seconds() {
        let config = |url: &str| {
            let mut config: tokio_postgres::Config = url.parse().unwrap();
            notice_silence(&mut config);
            config
        };
        let ours = config("postgres://u:p@db.kommune.dk/d");
        let interval = ours.get_keepalives_interval().unwrap() * ours.get_keepalives_retries().unwrap();
        assert!(ours.get_keepalives_idle() + interval <= Duration::from_secs(30));
        assert_eq!(ours.get_tcp_user_timeout(), Some(&Duration::from_secs(15)));
        let theirs = config("postgres://u:p@db.kommune.dk/d?tcp_user_timeout=40");
        assert_eq!(theirs.get_tcp_user_timeout(), Some(&Duration::from_secs(40)));
    }

    #[test]
    fn sessions_are_settled_and_the_address_may_say_more() {
        let options = |url: &str| {
            let mut config: tokio_postgres::Config = url.parse().unwrap();
            settle_sessions(&mut config, Duration::from_secs(12));
            config.get_options().unwrap().to_owned()
        };
        let ours =
            "-c idle_in_transaction_session_timeout=12000 -c synchronous_commit=on -c random_page_cost=1.1";
        let isolation = "-c default_transaction_isolation=read\\ committed";
        assert_eq!(options("postgres://u:p@db/d"), format!("{ours} {isolation}"));
        let theirs = "postgres://u:p@db/d?options=-c%20jit%3Doff";
        assert_eq!(options(theirs), format!("{ours} -c jit=off {isolation}"));
    }

    /// Goal: what a server, a database or an address says by default changes nothing of what the protocols rest on.
    /// Method: a real database with other defaults.
    #[cfg(feature = "testing")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_defaults_of_the_database_do_not_count() {
        let database = crate::testing::empty_database().await;
        let client = database.store.client("test").await.unwrap();
        let name: String = client.query_one("select current_database()", &[]).await.unwrap().get(0);
        for setting in ["default_transaction_isolation = 'repeatable read'", "synchronous_commit = off"] {
            client.batch_execute(&format!("alter database {name} set {setting}")).await.unwrap();
        }
        let url = database.url.expose_secret().to_owned();
        let url = format!("{url} options='-c default_transaction_isolation=serializable -c jit=off'");
        let store = Store::open(crate::testing::options(url.into())).unwrap();
        let shown = async |store: &Store, setting: &str| -> String {
            let mut client = store.client("test").await.unwrap();
            let tx = client.transaction().await.unwrap();
            tx.query_one(&format!("show {setting}"), &[]).await.unwrap().get(0)
        };
        assert_eq!(shown(&store, "transaction_isolation").await, "read committed");
        assert_eq!(shown(&store, "synchronous_commit").await, "on");
        assert_eq!(shown(&store, "jit").await, "off", "what else the address says counts");
        // those of the leases, and that of the wake-ups
        assert_eq!(shown(&store.apart(1), "transaction_isolation").await, "read committed");
        let (direct, connection) = store.direct("test").await.unwrap();
        tokio::spawn(connection);
        let row = direct.query_one("show transaction_isolation", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "read committed");
        drop(client);
        store.close();
    }

    #[test]
    fn tls_is_required_beyond_this_machine() {
        let mode = |url: &str| transport(&url.parse().unwrap());
        assert_eq!(mode("postgres://u:p@localhost/d"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@127.0.0.1/d"), SslMode::Disable);
        assert_eq!(mode("host=/run/postgresql dbname=d"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@db.kommune.dk/d"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@db.kommune.dk/d?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@localhost/d?sslmode=require"), SslMode::Require);
    }
}
