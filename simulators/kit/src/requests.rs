//! The log of HTTP requests.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use base::{SharedClock, TraceContext};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{PageQuery, Ring, reply};

/// The most requests that are kept.
pub(crate) const REQUESTS_KEPT: usize = 10_000;

/// One HTTP request. Neither bodies nor credentials are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// When it came.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path without the query.
    pub path: String,
    /// The SOAP action that it named.
    pub soap_action: Option<String>,
    /// The trace that it belongs to.
    pub traceparent: Option<TraceContext>,
    /// The status of its answer.
    pub status: u16,
    /// Time to the answer's head, in microseconds.
    pub duration_us: u64,
}

/// What the middleware and the admin path share.
#[derive(Debug, Clone)]
pub(crate) struct RequestLog {
    pub(crate) ring: Arc<Ring<RequestRecord>>,
    pub(crate) clock: SharedClock,
}

/// Records a request when its answer begins.
pub(crate) async fn record(
    log: RequestLog,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let begun = log.clock.monotonic();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut record = RequestRecord {
        at: log.clock.now(),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        soap_action: header("soapaction").map(|action| action.trim_matches('"').to_owned()),
        traceparent: header("traceparent").and_then(|value| value.parse().ok()),
        status: 0,
        duration_us: 0,
    };
    let answered = next.call(request).await;
    record.status = match &answered {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    let duration = log.clock.monotonic().saturating_duration_since(begun);
    record.duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(
        method = record.method,
        path = record.path,
        soap_action = record.soap_action,
        status = record.status,
        duration_us = record.duration_us,
        "answered a request"
    );
    log.ring.push(record);
    answered
}

/// `GET /admin/requests`.
pub(crate) async fn list(log: web::Data<RequestLog>, query: web::Query<PageQuery>) -> HttpResponse {
    reply::json(&log.ring.page(*query))
}
