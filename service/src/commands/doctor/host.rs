//! What this machine is and what can be reached from it.

use std::path::Path;
use std::time::Duration;

use connector_exchange::Authentication;
use hyper_util::client::proxy::matcher::Matcher;
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
    /// A proxy is for calls to it, and a connection to that could be opened.
    ProxyOpen {
        /// Where to.
        address: String,
        /// The proxy's host and port.
        proxy: String,
    },
    /// A proxy is for calls to it, and no connection to that could be opened.
    ProxyClosed {
        /// Where to.
        address: String,
        /// The proxy's host and port.
        proxy: String,
        /// Why not.
        why: String,
    },
}

impl Way {
    /// Was it tried in vain?
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::ProxyClosed { .. })
    }
}

/// The proxies that calls go through, by the rules of the HTTP client of both connectors.
#[derive(Debug)]
pub(super) struct Proxies(Option<Matcher>);

impl Proxies {
    /// Those of this process's environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` but for `NO_PROXY`.
    fn of_environment() -> Self {
        Self(Some(Matcher::from_system()))
    }

    /// None, whatever the environment says.
    const fn none() -> Self {
        Self(None)
    }

    /// Those for calls to Planner at `url`: one on this machine is called directly.
    pub(super) fn to_planner(url: Option<&Url>) -> Self {
        let is_here = match url.and_then(Url::host) {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if is_here { Self::none() } else { Self::of_environment() }
    }

    /// Those for calls to Exchange: NTLM, which logs a connection on, goes directly.
    pub(super) fn to_exchange(authentication: &Authentication) -> Self {
        match authentication {
            Authentication::Ntlm => Self::none(),
            Authentication::Basic | Authentication::OAuth(_) => Self::of_environment(),
        }
    }

    /// Host and port of the one for calls to `url`.
    fn of(&self, url: &Url) -> Option<(String, u16)> {
        let intercept = self.0.as_ref()?.intercept(&url.as_str().parse().ok()?)?;
        let uri = intercept.uri();
        let usual = match uri.scheme_str() {
            Some("https") => 443,
            Some("http") | None => 80,
            Some(_socks) => 1080,
        };
        Some((bare(uri.host()?), uri.port_u16().unwrap_or(usual)))
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).to_owned()
}

/// Opens a connection to the service at `url`, or to the one of `proxies` that is for it, and closes it again, unless
/// `offline`.
pub(super) async fn reach(url: Option<&Url>, proxies: &Proxies, offline: bool) -> Way {
    let Some(url) = url else { return Way::NoAddress };
    if offline {
        return Way::NotTried;
    }
    let (host, port) = (bare(url.host_str().unwrap_or_default()), url.port_or_known_default().unwrap_or(443));
    let address = format!("{host}:{port}");
    let Some((host, port)) = proxies.of(url) else {
        return match connect(&host, port).await {
            Ok(()) => Way::Open(address),
            Err(why) => Way::Closed { address, why },
        };
    };
    let proxy = format!("{host}:{port}");
    match connect(&host, port).await {
        Ok(()) => Way::ProxyOpen { address, proxy },
        Err(why) => Way::ProxyClosed { address, proxy, why },
    }
}

/// Opens a connection and closes it again; otherwise why not.
async fn connect(host: &str, port: u16) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_connection)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!("no connection within {} s", PATIENCE.as_secs())),
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
        let direct = Proxies::none();
        assert_eq!(reach(Some(&url), &direct, false).await, Way::Open(address.to_string()));
        drop(listener);
        let Way::Closed { address: told, why } = reach(Some(&url), &direct, false).await else {
            panic!("nothing listens any more");
        };
        assert_eq!(told, address.to_string());
        assert!(why.contains("refused"), "{why}");
        assert_eq!(reach(Some(&url), &direct, true).await, Way::NotTried);
        assert_eq!(reach(None, &direct, false).await, Way::NoAddress);
    }

    /// Regression: a direct connection was tried where calls go through a proxy.
    #[tokio::test]
    async fn where_a_proxy_is_for_calls_that_is_tried_instead() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap().to_string();
        let matcher =
            Matcher::builder().https(format!("http://kim:hidden@{proxy}")).no("kommune.test,10.0.0.0/8");
        let proxies = Proxies(Some(matcher.build()));
        // nobody has this name
        let url: Url = "https://planner.invalid/x".parse().unwrap();
        let address = "planner.invalid:443".to_owned();
        let open = reach(Some(&url), &proxies, false).await;
        assert_eq!(open, Way::ProxyOpen { address: address.clone(), proxy: proxy.clone() });
        for direct in ["https://mail.kommune.test/x", "https://10.1.2.3/x", "http://planner.invalid/x"] {
            assert_eq!(proxies.of(&direct.parse().unwrap()), None, "{direct}");
        }
        drop(listener);
        let closed = reach(Some(&url), &proxies, false).await;
        assert!(closed.is_closed(), "{closed:?}");
        let Way::ProxyClosed { address: to, proxy: told, .. } = closed else { panic!("not of the proxy") };
        assert_eq!((to, told), (address, proxy));
        assert_eq!(reach(Some(&url), &proxies, true).await, Way::NotTried);
    }

    #[test]
    fn the_port_of_a_proxy_is_that_of_its_scheme_where_it_names_none() {
        for (proxy, host, port) in [
            ("proxy.test:3128", "proxy.test", 3128),
            ("http://proxy.test", "proxy.test", 80),
            ("https://proxy.test", "proxy.test", 443),
            ("socks5h://proxy.test", "proxy.test", 1080),
            ("http://[::1]:8080", "::1", 8080),
        ] {
            let proxies = Proxies(Some(Matcher::builder().all(proxy).build()));
            let of = proxies.of(&"https://planner.invalid/x".parse().unwrap());
            assert_eq!(of, Some((host.to_owned(), port)), "{proxy}");
        }
    }

    #[test]
    fn what_is_called_directly_has_no_proxy_whatever_the_environment_says() {
        assert!(Proxies::to_exchange(&Authentication::Ntlm).0.is_none());
        assert!(Proxies::to_exchange(&Authentication::Basic).0.is_some());
        for (url, has_proxies) in [
            ("https://localhost/x", false),
            ("https://127.0.0.2/x", false),
            ("https://[::1]/x", false),
            ("https://planner.invalid/x", true),
        ] {
            let url: Url = url.parse().unwrap();
            assert_eq!(Proxies::to_planner(Some(&url)).0.is_some(), has_proxies, "{url}");
        }
    }
}
