//! The service's own pages: `/health/live`, `/health/ready` and `/metrics`.
//!
//! `live` answers 200 as long as the thread of the tree moves: a broken database is no reason to kill the process,
//! a thread that has stood still for [`STUCK_AFTER`] is.
//! `ready` answers 200 when the process is able to do its work, else 503 with what is missing (what that means: module
//! `readiness`). `metrics` is Prometheus text.
//!
//! Limits: [`CONNECTIONS_MAX`] connections, requests must arrive within [`REQUEST_TIMEOUT`], no request has
//! a body. The pages are for the orchestrator and the operators, on loopback unless configured otherwise;
//! they show states and numbers and, in the names of the parts, which mailboxes there are; no secret and no
//! appointment.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use telemetry::Metrics;
use tokio::task::JoinHandle;

use crate::ServiceError;
use crate::admin::{self, Admin};

/// Connections at one time; one more waits.
pub const CONNECTIONS_MAX: usize = 64;
/// The tree's thread only coordinates; one that has stood still for so long does not come back by itself.
pub const STUCK_AFTER: Duration = Duration::from_secs(30);
/// The time that a request has to arrive in.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is closed after this time; scrapers come every 15 s or so.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests in progress at the end have this long.
const SHUTDOWN_SECONDS: u64 = 2;

const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";
const METRICS: &str = "/metrics";

/// Is the service ready, and if not, what is missing? Bounded, whatever the number of mailboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The process is able to do its work.
    pub ready: bool,
    /// The stages that it runs.
    pub roles: Vec<&'static str>,
    /// Why it is not ready.
    pub not_ready: Vec<String>,
    /// Every part is at work, every stream was opened. Has no bearing on `ready`.
    pub settled: bool,
    /// What is not at work yet or now, with its state.
    pub unsettled: Vec<String>,
}

/// Who knows whether the service is ready. Asked for each request; must not wait.
pub trait ReadinessSource: Send + Sync + 'static {
    /// The readiness now.
    fn readiness(&self) -> Readiness;

    /// For how long the thread of the tree has stood still.
    fn stuck_for(&self) -> Duration {
        Duration::ZERO
    }
}

impl<F: Fn() -> Readiness + Send + Sync + 'static> ReadinessSource for F {
    fn readiness(&self) -> Readiness {
        self()
    }
}

/// What the pages show.
#[derive(Clone)]
pub struct Sources {
    /// For `/health/ready`.
    pub readiness: Arc<dyn ReadinessSource>,
    /// For `/metrics`.
    pub metrics: Metrics,
}

/// The pages being served. Dropping it ends them.
#[derive(Debug)]
pub struct Pages {
    address: SocketAddr,
    handle: ServerHandle,
    served: JoinHandle<io::Result<()>>,
}

/// Can the address be had? Asked once at start, where a person or an orchestrator sees the answer at once; later
/// the child `http` tries again by itself.
///
/// # Errors
/// [`ServiceError::Listen`] when it cannot.
pub fn try_address(listen: SocketAddr) -> Result<(), ServiceError> {
    TcpListener::bind(listen).map(drop).map_err(|source| ServiceError::Listen { address: listen, source })
}

/// Serves the pages from threads of their own, so that a busy product cannot starve them. Call it inside a
/// tokio runtime; the pages end with it.
///
/// # Errors
/// [`ServiceError::Listen`] when the address cannot be had.
pub fn serve(listen: SocketAddr, sources: Sources) -> Result<Pages, ServiceError> {
    serve_with(listen, sources, None)
}

/// The same with the admin calls, where there are any.
pub(crate) fn serve_with(
    listen: SocketAddr,
    sources: Sources,
    admin: Option<Arc<Admin>>,
) -> Result<Pages, ServiceError> {
    let failed = |source| ServiceError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(sources.clone()))
            .service(web::resource(LIVE).route(web::get().to(live)).route(web::head().to(live)))
            .service(web::resource(READY).route(web::get().to(ready)).route(web::head().to(ready)))
            .service(web::resource(METRICS).route(web::get().to(metrics)).route(web::head().to(metrics)))
            .configure(|app| admin::mount(admin.clone(), app))
            .default_service(web::to(elsewhere))
    })
    .workers(1)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(REQUEST_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listener)
    .map_err(failed)?
    .run();
    let handle = server.handle();
    tracing::info!(%address, "listening");
    Ok(Pages { address, handle, served: tokio::spawn(server) })
}

impl Pages {
    /// The address with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The line that says on standard output that the service listens:
    /// `kommuneklient listening on http://127.0.0.1:PORT`.
    pub fn ready_line(&self) -> String {
        format!("kommuneklient listening on http://{}", self.address)
    }

    /// Waits until the pages end, which only a failure or [`Pages::stop`] brings. Cancel-safe; not to be
    /// asked again after its answer.
    ///
    /// # Errors
    /// [`ServiceError::Pages`] when they failed.
    pub async fn ended(&mut self) -> Result<(), ServiceError> {
        let outcome = (&mut self.served).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        outcome.map_err(|source| ServiceError::Pages { address: self.address, source })
    }

    /// Ends the pages; requests in progress have 2 s.
    ///
    /// # Errors
    /// [`ServiceError::Pages`] when they had failed.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        self.handle.stop(true).await;
        self.ended().await
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.served.abort();
    }
}

async fn live(sources: web::Data<Sources>) -> HttpResponse {
    let stuck_for = sources.readiness.stuck_for();
    let (mut answer, status) = if stuck_for < STUCK_AFTER {
        (HttpResponse::Ok(), "live")
    } else {
        (HttpResponse::ServiceUnavailable(), "stuck")
    };
    let body = serde_json::json!({
        "status": status,
        "stuck_for_seconds": stuck_for.as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    answer.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

async fn ready(sources: web::Data<Sources>) -> HttpResponse {
    let readiness = sources.readiness.readiness();
    let mut answer = if readiness.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header((CACHE_CONTROL, "no-store")).json(readiness)
}

async fn metrics(sources: web::Data<Sources>) -> HttpResponse {
    match sources.metrics.encode() {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, telemetry::metrics::CONTENT_TYPE))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "metrics not encoded");
            HttpResponse::InternalServerError().finish()
        }
    }
}

async fn elsewhere() -> HttpResponse {
    HttpResponse::NotFound().json(serde_json::json!({ "pages": [LIVE, READY, METRICS] }))
}

#[cfg(test)]
mod tests;
