//! What this machine is and what can be reached from it.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use url::Url;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
const GIB: u64 = 1 << 30;

/// A machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host {
    /// Processors that this process may use.
    pub(super) cores: usize,
    /// Memory in GiB; 0 = not known.
    pub(super) memory_gib: u64,
    /// Free disk in GiB where the data is; 0 = not known.
    pub(super) disk_gib: u64,
}

impl Host {
    /// This one, with the disk of `folder` (or of the nearest folder above it that exists).
    pub(super) fn here(folder: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_of(&text));
        let disk = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
        Self {
            cores,
            memory_gib: memory.unwrap_or_default() / GIB,
            disk_gib: disk.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) / GIB),
        }
    }

    /// Is it large enough for an installation of some hundred mailboxes?
    pub(super) const fn suffices(&self) -> bool {
        self.cores >= 2 && self.memory_gib >= 1 && self.disk_gib >= 5
    }
}

/// Bytes of memory, from `/proc/meminfo`.
fn memory_of(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What came of trying to reach a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// No address of it is configured.
    NoAddress,
    /// Nobody tried.
    NotTried,
    /// A connection could be opened to this host and port.
    Open(String),
    /// None could be: host and port, and why.
    Closed {
        /// Where to.
        address: String,
        /// Why not.
        why: String,
    },
}

/// Opens a connection to the service at `url` and closes it again, unless `offline`.
pub(super) async fn reach(url: Option<&Url>, offline: bool) -> Way {
    let Some(url) = url else { return Way::NoAddress };
    if offline {
        return Way::NotTried;
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let address = format!("{host}:{port}");
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_connection)) => Way::Open(address),
        Ok(Err(error)) => Way::Closed { address, why: error.to_string() },
        Err(_elapsed) => {
            Way::Closed { address, why: format!("no connection within {} s", PATIENCE.as_secs()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernel() {
        assert_eq!(memory_of("MemTotal:       16316412 kB\nMemFree: 1 kB\n"), Some(16_316_412 * 1024));
        assert_eq!(memory_of("nothing"), None);
        let host = Host::here(Path::new("/nowhere/that/exists"));
        assert!(host.cores > 0 && host.memory_gib > 0);
    }

    #[tokio::test]
    async fn what_listens_is_reached_and_what_does_not_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url: Url = format!("http://{address}/x").parse().unwrap();
        assert_eq!(reach(Some(&url), false).await, Way::Open(address.to_string()));
        drop(listener);
        let Way::Closed { address: told, why } = reach(Some(&url), false).await else {
            panic!("nothing listens any more");
        };
        assert_eq!(told, address.to_string());
        assert!(why.contains("refused"), "{why}");
        assert_eq!(reach(Some(&url), true).await, Way::NotTried);
        assert_eq!(reach(None, false).await, Way::NoAddress);
    }
}
