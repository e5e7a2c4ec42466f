//! Serving over real sockets, from a thread of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use base::SharedClock;
use tokio::sync::oneshot;

use crate::login::ConnectionLogin;
use crate::requests::{self, REQUESTS_KEPT, RequestLog};
use crate::{KitError, Ring};

#[cfg(test)]
mod tests;

/// The largest body of an admin request: a list of every resource fits.
const ADMIN_BYTES_MAX: usize = 64 << 20;
/// How long a connection may stay idle; longer than clients keep theirs, so that a client's request does
/// not meet a connection that the server is about to close.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// How a simulator is served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The simulator's name for people: `exchange simulator`.
    pub name: &'static str,
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// How many threads answer requests; at least one.
    pub workers: usize,
    /// End on SIGINT and SIGTERM? For a process of its own, not for a test.
    pub ends_by_signal: bool,
    /// TLS; plain HTTP without it.
    pub tls: Option<rustls::ServerConfig>,
    /// Tells the time in the log of requests.
    pub clock: SharedClock,
}

/// A simulator that is being served. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    address: SocketAddr,
    scheme: &'static str,
    handle: ServerHandle,
    ended: Option<oneshot::Receiver<std::io::Result<()>>>,
}

impl Server {
    /// Binds the address and serves the routes that `configure` adds. Returns when requests are answered.
    ///
    /// # Errors
    /// [`KitError::Listen`] when the address cannot be had, [`KitError::Serve`] when the server cannot
    /// start.
    pub async fn start<F>(options: ServerOptions, configure: F) -> Result<Self, KitError>
    where
        F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    {
        let name = options.name;
        let listen_failed = |source| KitError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let (begun, has_begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let serve = move || {
            // The receivers are gone only when nobody waits for this server any more.
            let result = System::new().block_on(serve(listener, options, configure, begun));
            let _ = end.send(result);
        };
        let thread = std::thread::Builder::new().name(name.replace(' ', "-"));
        thread.spawn(serve).map_err(|source| KitError::Serve { name, source })?;
        match has_begun.await {
            Ok(handle) => Ok(Self { name, address, scheme, handle, ended: Some(ended) }),
            Err(_) => Err(KitError::Serve { name, source: outcome(ended).await.err().unwrap_or_else(lost) }),
        }
    }

    /// The address that it listens on, with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` (`https` with TLS), without a slash at its end. An unspecified address is reached by loopback.
    pub fn url(&self) -> String {
        let mut reachable = self.address;
        if reachable.ip().is_unspecified() {
            reachable.set_ip(match reachable {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("{}://{reachable}", self.scheme)
    }

    /// The line that says on standard output that the simulator is ready:
    /// `planner simulator listening on http://127.0.0.1:PORT`.
    pub fn ready_line(&self) -> String {
        format!("{} listening on {}", self.name, self.url())
    }

    /// Prints the ready line on standard output, for whoever started this process and waits for it.
    pub fn announce(&self) {
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        // A reader that has gone away is no reason to end.
        let _ = writeln!(out, "{}", self.ready_line()).and_then(|()| out.flush());
    }

    /// Waits for the end, which only a signal or [`Server::stop`] brings.
    ///
    /// # Errors
    /// [`KitError::Serve`] when the server failed.
    pub async fn ended(&mut self) -> Result<(), KitError> {
        let Some(ended) = self.ended.take() else { return Ok(()) };
        outcome(ended).await.map_err(|source| KitError::Serve { name: self.name, source })
    }

    /// Ends the server at once; open connections are closed.
    ///
    /// # Errors
    /// [`KitError::Serve`] when the server had failed.
    pub async fn stop(mut self) -> Result<(), KitError> {
        self.handle.stop(false).await;
        self.ended().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The command is sent at once; nobody waits for its end.
        drop(self.handle.stop(false));
    }
}

/// What the server's thread reported at its end.
async fn outcome(ended: oneshot::Receiver<std::io::Result<()>>) -> std::io::Result<()> {
    ended.await.unwrap_or_else(|_| Err(lost()))
}

fn lost() -> std::io::Error {
    std::io::Error::other("the server's thread ended without a word")
}

async fn serve<F>(
    listener: TcpListener,
    options: ServerOptions,
    configure: F,
    begun: oneshot::Sender<ServerHandle>,
) -> std::io::Result<()>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let log = RequestLog { ring: Arc::new(Ring::new(REQUESTS_KEPT)), clock: options.clock };
    let server = HttpServer::new(move || {
        let recording = log.clone();
        App::new()
            .wrap(from_fn(move |request, next| requests::record(recording.clone(), request, next)))
            .app_data(web::PayloadConfig::new(options.body_bytes_max))
            .app_data(web::JsonConfig::default().limit(ADMIN_BYTES_MAX))
            .app_data(web::Data::new(log.clone()))
            .route("/admin/requests", web::get().to(requests::list))
            .configure(configure.clone())
    })
    .workers(options.workers.max(1))
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(1)
    // A client that gives up closes its connection; its handler is to notice, not to go on unheard.
    .h1_allow_half_closed(false)
    // What a connection's earlier requests told of who it is.
    .on_connect(|_stream, connection| {
        connection.insert(ConnectionLogin::default());
    });
    let server = match options.tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    let server = if options.ends_by_signal { server } else { server.disable_signals() }.run();
    // The caller may have given up meanwhile; then the server ends with its handle.
    if begun.send(server.handle()).is_err() {
        return Ok(());
    }
    server.await
}
