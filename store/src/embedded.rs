//! An embedded PostgreSQL server: the system's binaries on a private data folder, reachable only through a
//! Unix socket in a folder that nobody else can enter. Used where `database.url = "embedded"` says so.
//!
//! PostgreSQL refuses to run as root: then the server runs as the user `postgres` (uid and gid dropped, the
//! folders given to it). A server that a killed predecessor left behind on the same folder is used as it is.
//!
//! Failure: missing binaries, a folder that cannot be used or a server that does not come up are errors that
//! say what to do next. [`Embedded::stop`] asks for a fast shutdown; a dropped handle does so without waiting.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;

use crate::error::StoreError;

/// Where and how to run it.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Private folder for the cluster; made when missing.
    pub data_dir: PathBuf,
    /// Folder with `initdb` and `postgres`; searched for when absent.
    pub binaries: Option<PathBuf>,
    /// Give up durability for speed. For tests only.
    pub throw_away: bool,
    /// How long the server may take to answer.
    pub patience: Duration,
}

/// A running server.
#[derive(Debug)]
pub struct Embedded {
    data: PathBuf,
    socket: PathBuf,
    /// `None` when a predecessor's server was found running, or when it is to go on without us.
    child: Option<std::process::Child>,
}

/// Was a cluster ever made in this folder?
pub fn is_made(data_dir: &Path) -> bool {
    // a folder that cannot be looked into may well hold one
    data_dir.join("cluster").join("PG_VERSION").try_exists().unwrap_or(true)
}

/// The database and the role that are made.
const NAME: &str = "kommuneklient";

/// How often, and how long, it is looked whether others are connected before the server is stopped.
const ALONE_LOOK_EVERY: Duration = Duration::from_millis(10);
const ALONE_PATIENCE: Duration = Duration::from_secs(1);

impl Embedded {
    /// Starts the server, or finds it running, and waits until it answers.
    pub async fn start(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        let binaries = match &options.binaries {
            Some(folder) => folder.clone(),
            None => find_binaries()?,
        };
        let account = account()?;
        let root = prepare_folder(&options.data_dir, account)?;
        let data = root.join("cluster");
        let socket = socket_folder(&root, account)?;
        if !is_made(&options.data_dir) {
            initdb(&binaries, &data, account)?;
        }
        let mut this = Self { data, socket, child: None };
        if !this.is_running() {
            this.child = Some(this.spawn(&binaries, account, options.throw_away)?);
        }
        this.wait_until_it_answers(options.patience).await?;
        Ok(this)
    }

    /// The connection string of the product's database on this server.
    pub fn url(&self) -> SecretString {
        self.url_of(NAME)
    }

    /// The connection string of another database on this server.
    pub fn url_of(&self, database: &str) -> SecretString {
        format!("host='{}' user={NAME} dbname={database}", self.socket.display()).into()
    }

    /// The folder of the server's socket.
    #[cfg(feature = "testing")]
    pub(crate) fn socket_folder(&self) -> String {
        self.socket.display().to_string()
    }

    /// Lets the server go on when this handle is dropped.
    pub fn leave_running(mut self) {
        self.child = None;
    }

    /// Stops the server: open transactions are rolled back, everything committed is kept.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // in any case it is stopped
        let _late = tokio::time::timeout(ALONE_PATIENCE, self.until_alone()).await;
        interrupt(&child);
        let waited = tokio::task::spawn_blocking(move || child.wait()).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed("be stopped", error)),
            Err(error) => Err(failed("be stopped", error)),
        }
    }

    /// Waits a moment until nobody is connected any more: connections that were closed just now are on their way out, and
    /// would meet the shutdown as a failure. Whoever stays longer meets it.
    async fn until_alone(&self) {
        let query = "select not exists (select from pg_stat_activity \
                     where backend_type = 'client backend' and pid <> pg_backend_pid())";
        let Ok((client, connection)) = self.administration().connect(tokio_postgres::NoTls).await else {
            return;
        };
        let driver = tokio::spawn(connection);
        while let Ok(row) = client.query_one(query, &[]).await
            && row.try_get(0).is_ok_and(|alone: bool| !alone)
        {
            tokio::time::sleep(ALONE_LOOK_EVERY).await;
        }
        drop(client);
        let _ended = driver.await;
    }

    /// How the database is reached that is there from the start.
    fn administration(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.socket).user(NAME).dbname("postgres");
        config
    }

    /// Is a server of this folder alive?
    fn is_running(&self) -> bool {
        let Ok(text) = fs::read_to_string(self.data.join("postmaster.pid")) else { return false };
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else {
            return false;
        };
        fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.contains(&*self.data.to_string_lossy()))
    }

    fn spawn(
        &self,
        binaries: &Path,
        account: Option<Account>,
        throw_away: bool,
    ) -> Result<std::process::Child, StoreError> {
        let log = fs::File::create(self.data.with_file_name("server.log"))
            .map_err(|error| failed("write its log", error))?;
        let mut command = command(&binaries.join("postgres"), account);
        command
            .arg("-D")
            .arg(&self.data)
            .arg("-k")
            .arg(&self.socket)
            .args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"])
            .args(["-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "jit=off"])
            .args(["-c", "log_min_messages=warning", "-c", "timezone=UTC"]);
        if throw_away {
            command
                .args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"])
                .args(["-c", "autovacuum=off"]);
        }
        // a group of its own: Ctrl-C at the terminal is for us, who then stop it in order
        command.process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| failed("be started", error))
    }

    async fn wait_until_it_answers(&mut self, patience: Duration) -> Result<(), StoreError> {
        let attempts = (patience.as_millis() / 25).max(1);
        let mut last = String::new();
        for _ in 0..attempts {
            match self.ensure_database().await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                last = format!("it ended with {status}; {}", self.log_tail());
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(StoreError::Embedded { operation: "answer in time", reason: last })
    }

    async fn ensure_database(&self) -> Result<(), String> {
        let text = |error: tokio_postgres::Error| chain(&error);
        let (client, connection) =
            self.administration().connect(tokio_postgres::NoTls).await.map_err(text)?;
        let driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
        let there =
            client.query_opt("select 1 from pg_database where datname = $1", &[&NAME]).await.map_err(text)?;
        if there.is_none()
            && let Err(error) = client.batch_execute(&format!("create database {NAME}")).await
            && error.code() != Some(&tokio_postgres::error::SqlState::DUPLICATE_DATABASE)
            && error.code() != Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION)
        {
            return Err(chain(&error));
        }
        drop(driver);
        Ok(())
    }

    fn log_tail(&self) -> String {
        let path = self.data.with_file_name("server.log");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let tail: Vec<&str> = text.lines().rev().take(3).collect();
        format!("its log {} ends: {}", path.display(), tail.into_iter().rev().collect::<Vec<_>>().join(" / "))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            interrupt(child);
        }
    }
}

/// SIGINT is PostgreSQL's "fast shutdown".
fn interrupt(child: &std::process::Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }
}

/// The account that the server runs as, when we are root.
#[derive(Debug, Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

fn account() -> Result<Option<Account>, StoreError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users =
        fs::read_to_string("/etc/passwd").map_err(|error| failed("look for the user postgres", error))?;
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some("postgres")).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid })
    });
    found.map(Some).ok_or_else(|| StoreError::Embedded {
        operation: "run as root",
        reason: "PostgreSQL refuses root and there is no user postgres; install the package postgresql, or run as \
                 another user"
            .into(),
    })
}

/// Looks in `PATH`, then in Debian's folders, newest first.
pub fn find_binaries() -> Result<PathBuf, StoreError> {
    let usable = |folder: &PathBuf| folder.join("postgres").is_file() && folder.join("initdb").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(usable) {
        // the entries may be links into a folder that holds the rest
        let real =
            fs::canonicalize(folder.join("postgres")).ok().and_then(|p| p.parent().map(Path::to_owned));
        return Ok(real.filter(usable).unwrap_or(folder));
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| usable(folder))
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder).ok_or_else(|| StoreError::Embedded {
        operation: "be found",
        reason: "there is no initdb in PATH or /usr/lib/postgresql/*/bin; install it with `apt-get install \
                 postgresql`, or set database.postgres_bin to its folder"
            .into(),
    })
}

fn prepare_folder(folder: &Path, account: Option<Account>) -> Result<PathBuf, StoreError> {
    let bad = |error: std::io::Error| StoreError::Embedded {
        operation: "use its data folder",
        reason: format!(
            "{}: {error}; set database.data_dir to a folder that can be written{}",
            folder.display(),
            who_may(&error)
        ),
    };
    fs::create_dir_all(folder).map_err(bad)?;
    let folder = fs::canonicalize(folder).map_err(bad)?;
    if let Some(account) = account {
        give(&folder, account).map_err(bad)?;
        for parent in folder.ancestors().skip(1) {
            let mode = fs::metadata(parent).map_err(bad)?;
            let enterable =
                mode.mode() & 0o001 != 0 || (mode.uid() == account.uid && mode.mode() & 0o100 != 0);
            if !enterable {
                return Err(StoreError::Embedded {
                    operation: "use its data folder",
                    reason: format!(
                        "the user postgres cannot enter {}; set database.data_dir to a folder below one that it \
                         can enter, such as /var/lib/kommuneklient",
                        parent.display()
                    ),
                });
            }
        }
    }
    Ok(folder)
}

fn give(folder: &Path, account: Account) -> std::io::Result<()> {
    let now = fs::metadata(folder)?;
    if now.uid() != account.uid {
        chown(folder, Some(account.uid), Some(account.gid))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// A socket's whole path has room for 107 bytes: a deep data folder gets a short folder elsewhere.
fn socket_folder(root: &Path, account: Option<Account>) -> Result<PathBuf, StoreError> {
    let mut folder = root.join("socket");
    if folder.as_os_str().len() > 80 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        root.hash(&mut hasher);
        folder = std::env::temp_dir().join(format!("kommuneklient-{:016x}", hasher.finish()));
    }
    let bad = |operation: &'static str| {
        let shown = folder.display().to_string();
        move |error: std::io::Error| StoreError::Embedded {
            operation,
            reason: format!("{shown}: {error}{}", who_may(&error)),
        }
    };
    fs::create_dir_all(&folder).map_err(bad("make its socket folder"))?;
    if let Some(account) = account {
        give(&folder, account).map_err(bad("make its socket folder"))?;
    } else {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
            .map_err(bad("protect its socket folder"))?;
    }
    Ok(folder)
}

/// What to do where a folder belongs to somebody else: only who made the database can use it.
fn who_may(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; run as the user of the service, to whom the database belongs"
        }
        _ => "",
    }
}

fn initdb(binaries: &Path, data: &Path, account: Option<Account>) -> Result<(), StoreError> {
    let output = command(&binaries.join("initdb"), account)
        .arg("-D")
        .arg(data)
        // names are compared byte by byte: the same order as that of C.UTF-8, at a fraction of its cost in each index
        .args(["-U", NAME, "-E", "UTF8", "--locale=C.UTF-8", "--lc-collate=C", "--auth=trust", "--no-sync"])
        .output()
        .map_err(|error| failed("be initialised", error))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = text.lines().rev().filter(|line| !line.is_empty()).take(3).collect();
    Err(StoreError::Embedded { operation: "be initialised", reason: last.join(" / ") })
}

fn command(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    // our own folder may be closed to that account
    command.current_dir("/").env_remove("PGDATA").env_remove("PGOPTIONS");
    command
}

fn failed(operation: &'static str, error: impl ToString) -> StoreError {
    StoreError::Embedded { operation, reason: error.to_string() }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    /// Only its owner can change the rights of a folder.
    #[test]
    fn who_may_not_is_told_as_whom_to_run() {
        assert!(
            who_may(&Error::from(ErrorKind::PermissionDenied)).contains("run as the user of the service")
        );
        assert_eq!(who_may(&Error::from(ErrorKind::NotFound)), "");
    }
}
