//! The service's own path: calls by POST, the description by GET.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::stream;
use proto_planner::{FaultCode, Operation, PlannerFault, Request, decode_request};
use simulator_kit::reply;
use tokio::sync::oneshot;

use crate::answer::{Reply, check_headers, fault_reply, mailboxes};
use crate::fault::held_for;
use crate::shared::{InFlight, Shared};
use crate::{Fault, wsdl};

/// The caller's own name of a call.
const CORRELATION_ID: &str = "x-correlation-id";

/// `GET`: the description where the query asks for it.
pub(crate) async fn describe(http: HttpRequest) -> HttpResponse {
    let query = http.query_string();
    if query.eq_ignore_ascii_case("wsdl") || query.eq_ignore_ascii_case("singlewsdl") {
        let info = http.connection_info().clone();
        let address = format!("{}://{}{}", info.scheme(), info.host(), http.path());
        return reply::xml(StatusCode::OK, wsdl::description(&address));
    }
    HttpResponse::Ok()
        .content_type("text/plain")
        .body("planner simulator: POST SOAP 1.1 here, or GET ?wsdl\n")
}

/// `POST`: a call.
pub(crate) async fn call(shared: web::Data<Shared>, http: HttpRequest, body: Bytes) -> HttpResponse {
    carry_out(shared.into_inner(), http, body, Door::Service).await
}

/// `POST` on the admin listener: a call that only reads, for whoever observes; never signed.
pub(crate) async fn observe(shared: web::Data<Shared>, http: HttpRequest, body: Bytes) -> HttpResponse {
    carry_out(shared.into_inner(), http, body, Door::Observers).await
}

/// Where a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Service,
    Observers,
}

async fn carry_out(shared: Arc<Shared>, http: HttpRequest, body: Bytes, door: Door) -> HttpResponse {
    if !is_soap(&http) {
        shared.meter().refused();
        return HttpResponse::UnsupportedMediaType().finish();
    }
    let exchange = shared.capture.as_ref().map(|capture| (capture, capture.begin()));
    if let Some((capture, number)) = exchange {
        capture.request(number, &body);
    }
    let reply = match accept(&shared, &http, &body, door) {
        Ok(request) => {
            let correlation_id = http.headers().get(CORRELATION_ID).and_then(|value| value.to_str().ok());
            let flight = InFlight::enter(&shared, &request, correlation_id);
            let reply = answer(&shared, request, door).await;
            flight.answered();
            reply
        }
        Err(fault) => {
            tracing::debug!(?fault, "refused a call");
            shared.meter().refused();
            sealed(&shared, fault_reply(&fault), None, door)
        }
    };
    if let (Some((capture, number)), Reply::Message { text, spoiled: false, .. }) = (exchange, &reply) {
        capture.response(number, text.as_bytes());
    }
    on_http(reply)
}

/// Is the body announced as SOAP 1.1?
fn is_soap(http: &HttpRequest) -> bool {
    let content_type = http.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("text/xml")
}

/// The request, when it can be read, its action fits and its headers allow it.
fn accept(
    shared: &Shared,
    http: &HttpRequest,
    body: &[u8],
    door: Door,
) -> Result<Request, Box<PlannerFault>> {
    let client_fault = |text: String| Box::new(PlannerFault { code: FaultCode::Client, text, details: None });
    let action = http.headers().get("soapaction").and_then(|value| value.to_str().ok());
    let action = action.and_then(Operation::from_soap_action);
    let action = action.ok_or_else(|| client_fault("SOAPAction names none of the operations".to_owned()))?;
    let decode = |message: &[u8]| {
        decode_request(message, &shared.time).map_err(|error| {
            let reason =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            client_fault(format!("the message cannot be read: {reason}"))
        })
    };
    let mut envelope = decode(body)?;
    if door == Door::Observers && envelope.request.operation().is_change() {
        return Err(client_fault("changes are taken by the service itself".to_owned()));
    }
    if let Some(messages) = shared.messages.as_ref().filter(|_| door == Door::Service) {
        // the header blocks are not signed; what is done is what was signed
        let refused = |error| client_fault(format!("the signature is refused: {error}"));
        envelope.request = decode(messages.verify(body).map_err(refused)?.as_bytes())?.request;
    }
    if envelope.request.operation() != action {
        return Err(client_fault("SOAPAction and body name different operations".to_owned()));
    }
    check_headers(&envelope.headers, &shared.options.jobcenter)?;
    Ok(envelope.request)
}

/// Answers a call in its time.
async fn answer(shared: &Arc<Shared>, request: Request, door: Door) -> Reply {
    let fault = shared.faults.draw(request.operation().name(), &mailboxes(&request));
    let delay = shared.options.answer_delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let reply = match fault {
        Some(Fault::HoldBefore { seconds }) => {
            tokio::time::sleep(held_for(seconds)).await;
            Reply::Page { status: 503 }
        }
        Some(Fault::HoldAfter { seconds }) => {
            let reply = shared.reply(&request, None);
            tokio::time::sleep(held_for(seconds)).await;
            reply
        }
        Some(Fault::ApplyLate { seconds }) => {
            // A task of its own: it goes on when the client leaves and this handler is dropped.
            let (done, answer) = oneshot::channel();
            let late = Arc::clone(shared);
            actix_web::rt::spawn(async move {
                tokio::time::sleep(held_for(seconds)).await;
                // Nobody listens any more when the client has left.
                let _ = done.send(late.reply(&request, None));
            });
            answer.await.unwrap_or(Reply::Page { status: 503 })
        }
        ref other => shared.reply(&request, other.as_ref()),
    };
    sealed(shared, reply, fault.as_ref(), door)
}

/// Signed where messages are.
fn sealed(shared: &Shared, reply: Reply, fault: Option<&Fault>, door: Door) -> Reply {
    match &shared.messages {
        Some(messages) if door == Door::Service => messages.seal(reply, fault),
        _ => reply,
    }
}

fn on_http(answer: Reply) -> HttpResponse {
    let status_of = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match answer {
        Reply::Message { status, text, .. } => reply::xml(status_of(status), text),
        Reply::Page { status } => HttpResponse::build(status_of(status))
            .content_type("text/html; charset=utf-8")
            .body("<html><body>planner simulator: told to fail</body></html>"),
        Reply::Broken { text } => {
            let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "told to break");
            let parts = stream::iter([Ok(Bytes::from(text)), Err(broken)]);
            HttpResponse::Ok().content_type("text/xml; charset=utf-8").streaming(parts)
        }
    }
}
