//! The child processes of a demo: both simulators and the service, each this same program with other arguments,
//! talking over sockets only. All of them end with the demo, however it ends by itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

use super::error::DemoError;

/// How long a child may take until it listens.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a child may take to end in order.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A running child process that listens on an address of its own choice.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    /// Where it listens, `http://127.0.0.1:PORT` or `https://…`.
    pub url: String,
    /// Where its admin side listens: the same but for a simulator whose service demands certificates.
    pub admin_url: String,
    _drain: AbortOnDropHandle<()>,
}

impl Process {
    /// Starts this program with `arguments`, its log going to `log`, and waits for its line with
    /// `listening on URL`.
    pub async fn start(name: &'static str, arguments: &[String], log: &Path) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(|error| failed(name, error))?;
        Self::start_program(name, &program, arguments, log).await
    }

    /// The same with another program; for tests, whose own program is not the product.
    pub async fn start_program(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        log: &Path,
    ) -> Result<Self, DemoError> {
        Self::start_program_with(name, program, arguments, &[], log).await
    }

    /// The same with variables for its environment.
    pub async fn start_program_with(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> Result<Self, DemoError> {
        Self::start_listening(name, program, arguments, environment, log, 1).await
    }

    /// Starts this program as a simulator with an admin side of its own, and waits for both.
    pub async fn start_with_admin(
        name: &'static str,
        arguments: &[String],
        log: &Path,
    ) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(|error| failed(name, error))?;
        Self::start_listening(name, &program, arguments, &[], log, 2).await
    }

    /// Waits for so many lines with an address: that of the service, and that of the admin side.
    async fn start_listening(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
        addresses: usize,
    ) -> Result<Self, DemoError> {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|source| DemoError::File { path: log.display().to_string(), source })?;
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .process_group(0) // Ctrl-C is for the demo, which ends its children in order
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(name, error))?;
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let urls = tokio::time::timeout(START_PATIENCE, async {
            let mut urls = Vec::new();
            while urls.len() < addresses
                && let Ok(Some(line)) = lines.next_line().await
            {
                urls.extend(address_in(&line));
            }
            urls
        })
        .await;
        let (url, admin_url) = match urls.as_deref() {
            Ok([url, .., admin]) => (url.clone(), admin.clone()),
            Ok([url]) if addresses == 1 => (url.clone(), url.clone()),
            Ok(_) => {
                let status = child.wait().await.map_or_else(|e| e.to_string(), |s| s.to_string());
                return Err(failed(name, format!("ended with {status} before it listened; {}", tail(log))));
            }
            Err(_) => return Err(failed(name, format!("does not listen; {}", tail(log)))),
        };
        // the pipe must be read on, or the child would block on a full one
        let drain = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { name, child, url, admin_url, _drain: AbortOnDropHandle::new(drain) })
    }

    /// The process id.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it at once, as a crash would.
    pub async fn kill(mut self) -> Result<(), DemoError> {
        self.child.kill().await.map_err(|error| failed(self.name, error))
    }

    /// Asks it to end (SIGTERM) and waits; kills it when it does not.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        if let Some(pid) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        match tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(self.name, format!("ended with {status}"))),
            Ok(Err(error)) => Err(failed(self.name, error)),
            Err(_) => {
                let _ = self.child.kill().await;
                Err(failed(self.name, "did not end within 30 s of SIGTERM"))
            }
        }
    }

    /// Has it ended by itself?
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

/// The folder with the logs, the database and the configuration of one run.
#[derive(Debug)]
pub struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    /// A new folder below the temporary one, which PostgreSQL's own account can enter.
    pub fn new() -> Result<Self, DemoError> {
        let fail = |source| DemoError::File { path: std::env::temp_dir().display().to_string(), source };
        let folder = tempfile::Builder::new().prefix("kommuneklient-demo-").tempdir().map_err(fail)?;
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).map_err(fail)?;
        Ok(Self { folder })
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps the folder when the run is over, for looking into it, and tells where it is.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Writes a file inside and returns its path.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        let path = self.path(name);
        std::fs::write(&path, text)
            .map_err(|source| DemoError::File { path: path.display().to_string(), source })?;
        Ok(path)
    }
}

/// The address in a ready line: what follows `listening on`.
fn address_in(line: &str) -> Option<String> {
    let (_, after) = line.split_once("listening on ")?;
    let url = after.split_whitespace().next()?.trim_end_matches([',', '.', '/']);
    ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)).then(|| url.to_owned())
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    format!("its log {} ends:\n{}", log.display(), lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
}

fn failed(name: &'static str, what: impl ToString) -> DemoError {
    DemoError::Child { name, what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_a_ready_line() {
        let url = |line| address_in(line);
        assert_eq!(
            url("simulated Planner listening on http://127.0.0.1:3210").as_deref(),
            Some("http://127.0.0.1:3210")
        );
        assert_eq!(
            url("x listening on http://127.0.0.1:1/, 50 mailboxes").as_deref(),
            Some("http://127.0.0.1:1")
        );
        assert_eq!(
            url("planner simulator listening on https://127.0.0.1:3/").as_deref(),
            Some("https://127.0.0.1:3")
        );
        assert_eq!(url("listening on 127.0.0.1:3"), None);
        assert_eq!(url("listening"), None);
    }
}
