//! The service's own pages: `/health/live`, `/health/ready` and `/metrics`.
//!
//! `live` answers 200 as long as the thread of the tree moves: a broken database is no reason to kill the process,
//! a thread that has stood still for [`STUCK_AFTER`] is.
//! `ready` answers 200 when the process is able to do its work, else 503 with what is missing (what that means: module
//! `readiness`). `metrics` is Prometheus text.
//!
//! The pages are for the orchestrator and the operators, on loopback unless configured otherwise, and have a listener of
//! their own (module `server`, with its limits), which the admin calls do not share; no request has a body. They show
//! states and numbers and, in the names of the parts, which mailboxes there are; no secret and no appointment.

pub(crate) mod limits;
pub(crate) mod server;
#[cfg(test)]
pub(crate) mod told;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use telemetry::Metrics;

use crate::ServiceError;
use limits::Limits;
pub use server::Pages;
use server::{Answer, Answers, Call, Door};

/// The tree's thread only coordinates; one that has stood still for so long does not come back by itself.
pub const STUCK_AFTER: Duration = Duration::from_secs(30);

/// The setting that says where the pages are.
pub(crate) const SETTING: &str = "http.listen";

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

/// Can the address that `setting` names be had? Asked once at start, where a person or an orchestrator sees the answer
/// at once; later the child that listens there tries again by itself.
///
/// # Errors
/// [`ServiceError::Listen`] when it cannot.
pub fn try_address(setting: &'static str, listen: SocketAddr) -> Result<(), ServiceError> {
    let tried = TcpListener::bind(listen).map(drop);
    tried.map_err(|source| ServiceError::Listen { setting, address: listen, source })
}

/// Where the pages are served.
pub(crate) const fn door(listen: SocketAddr) -> Door {
    Door { what: "listening on", setting: SETTING, listen, tls: None, limits: Limits::USUAL }
}

/// Serves the pages from a thread of their own. They end when what is answered is dropped.
///
/// # Errors
/// [`ServiceError::Listen`] when the address cannot be had.
pub fn serve(listen: SocketAddr, sources: Sources) -> Result<Pages, ServiceError> {
    server::serve(&door(listen), sources)
}

impl Answers for Sources {
    async fn answer(&self, call: Call) -> Answer {
        let page = match call.path() {
            LIVE => live,
            READY => ready,
            METRICS => metrics,
            path if path == "/admin" || path.starts_with("/admin/") => return no_admin_here(),
            _ => return server::json(StatusCode::NOT_FOUND, &json!({ "pages": [LIVE, READY, METRICS] })),
        };
        match *call.method() {
            // some probes ask for the head only
            Method::GET | Method::HEAD => page(self),
            _ => {
                let words = json!({ "error": "pages are read: GET or HEAD" });
                let mut answer = server::json(StatusCode::METHOD_NOT_ALLOWED, &words);
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                answer
            }
        }
    }
}

/// They were here once; whoever still asks is told where they are.
fn no_admin_here() -> Answer {
    let words = "admin calls are served on http.admin_listen (by default port 8081 of loopback)";
    server::json(StatusCode::NOT_FOUND, &json!({ "error": words }))
}

fn live(sources: &Sources) -> Answer {
    let stuck_for = sources.readiness.stuck_for();
    let (code, status) = if stuck_for < STUCK_AFTER {
        (StatusCode::OK, "live")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stuck")
    };
    let body = json!({
        "status": status,
        "stuck_for_seconds": stuck_for.as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    server::json(code, &body)
}

fn ready(sources: &Sources) -> Answer {
    let readiness = sources.readiness.readiness();
    let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    server::json(code, &readiness)
}

fn metrics(sources: &Sources) -> Answer {
    match sources.metrics.encode() {
        Ok(text) => server::plain(StatusCode::OK, telemetry::metrics::CONTENT_TYPE, text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "metrics not encoded");
            server::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "metrics not encoded" }))
        }
    }
}

#[cfg(test)]
mod tests;
