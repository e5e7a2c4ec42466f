//! One call, from its request to its answer.

use std::sync::Arc;
use std::time::Instant;

use base::{SharedClock, TraceContext};
use calendar::MailAddress;
use jiff::Timestamp;
use proto_planner::{
    Answer, CalendarEvent, CalendarEventReceipt, EventsAnswer, EventsQuery, Headers, Operation, PlannerFault,
    Request, RequestEnvelope, ResourcesAnswer, Response, WireError, WireTime,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use trust::{LiveTls, Refresh, Watched};
use url::Url;
use uuid::Uuid;

use crate::receipts;
use crate::security::Messages;
use crate::{PlannerError, PlannerOptions, Security};

#[cfg(test)]
mod tests;

/// Our call id on the wire, beside Planner's own in the answer.
const CORRELATION_ID: &str = "x-correlation-id";
/// The W3C trace context.
const TRACEPARENT: &str = "traceparent";

/// Planner, as a client sees it. A clone is a handle on the same connections.
#[derive(Debug, Clone)]
pub struct Planner {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    service_url: Url,
    jobcenter_number: String,
    request_user_identifier: String,
    client_name: String,
    answer_limit_bytes: usize,
    time: WireTime,
    tls: LiveTls,
    /// Where messages are signed.
    messages: Option<Messages>,
    clock: SharedClock,
}

/// What identifies and bounds one call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Our correlation id, as recorded with the permit.
    pub id: Uuid,
    /// When the call ends at the latest, by the monotonic clock. Counted from before the permit was
    /// recorded, so that a paused process does not send under a permit that no longer counts.
    pub deadline: Instant,
    /// The trace that goes on in Planner.
    pub trace: Option<TraceContext>,
}

/// The verified answer to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// One receipt for each appointment, in the order in which they were sent.
    pub receipts: Vec<CalendarEventReceipt>,
    /// Planner's identifier of the call.
    pub planner_call_id: Uuid,
}

impl Planner {
    /// A client with these options. Connects to nothing yet.
    ///
    /// # Errors
    /// [`PlannerError::Tls`] and [`PlannerError::Client`]: faults of configuration.
    pub fn new(options: PlannerOptions, clock: SharedClock) -> Result<Self, PlannerError> {
        let tls = options.tls.open(clock.now())?;
        let messages = match options.security {
            Security::Mtls => None,
            Security::MtlsWss { tolerance } => {
                Some(Messages::new(&tls, tolerance, options.answer_limit_bytes)?)
            }
        };
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.client_config())
            .connect_timeout(options.connect_timeout)
            .redirect(reqwest::redirect::Policy::none());
        if is_this_machine(&options.service_url) {
            // a proxy of the environment is for the world outside
            http = http.no_proxy();
        }
        let http = http.build().map_err(PlannerError::Client)?;
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                service_url: options.service_url,
                jobcenter_number: options.jobcenter_number,
                request_user_identifier: options.request_user_identifier,
                client_name: options.client_name,
                answer_limit_bytes: options.answer_limit_bytes,
                time: WireTime::in_zone(options.zone),
                tls,
                messages,
                clock,
            }),
        })
    }

    /// Looks at the files with certificates and takes them when they have changed: new connections and new
    /// messages use them. Answers whether anything changed. Reads files: not for a thread that must not wait.
    ///
    /// # Errors
    /// [`PlannerError::Tls`], [`PlannerError::Keys`] when the new files cannot be used: told once for each
    /// content of the files.
    pub fn refresh_certificates(&self) -> Result<bool, PlannerError> {
        match self.inner.tls.refresh(self.inner.clock.now()) {
            Refresh::Unchanged => Ok(false),
            Refresh::Refused(error) => Err(error.into()),
            Refresh::Changed => {
                self.inner.messages.as_ref().map_or(Ok(()), |messages| messages.refresh(&self.inner.tls))?;
                Ok(true)
            }
        }
    }

    /// The certificates in use whose end is to be watched.
    pub fn certificates(&self) -> Vec<Watched> {
        self.inner.tls.watched()
    }

    /// Creates, updates or deletes appointments (of one mailbox, B9).
    ///
    /// # Errors
    /// A [`PlannerError`] whose `outcome` says what is known. An operation that changes nothing is
    /// [`PlannerError::Unsendable`].
    pub async fn change(
        &self,
        call: &Call,
        operation: Operation,
        events: Vec<CalendarEvent>,
    ) -> Result<Changed, PlannerError> {
        let request = Request::change(operation, events).ok_or_else(|| PlannerError::Unsendable {
            operation,
            positions: Vec::new(),
            source: WireError::NothingToSend { operation },
        })?;
        let answer = match self.call(call, &request).await? {
            Response::CreateEvents(answer)
            | Response::UpdateEvents(answer)
            | Response::DeleteEvents(answer) => answer,
            Response::GetEvents(_) | Response::GetResources(_) => return Err(other_answer(operation)),
        };
        receipts::verify(operation, request.events(), &answer.receipts)?;
        Ok(Changed { receipts: answer.receipts, planner_call_id: answer.call_id })
    }

    /// Reads the appointments of `mailboxes` that *start* from `from` to `to`.
    ///
    /// # Errors
    /// A [`PlannerError`].
    pub async fn events(
        &self,
        call: &Call,
        mailboxes: &[MailAddress],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<EventsAnswer, PlannerError> {
        let addresses = mailboxes.iter().map(MailAddress::as_str);
        let request = Request::GetEvents(EventsQuery::of_addresses(addresses, Some(from), Some(to)));
        match self.call(call, &request).await? {
            Response::GetEvents(answer) => Ok(answer),
            _ => Err(other_answer(Operation::GetEvents)),
        }
    }

    /// Reads all resources of the job centre.
    ///
    /// # Errors
    /// A [`PlannerError`].
    pub async fn resources(&self, call: &Call) -> Result<ResourcesAnswer, PlannerError> {
        match self.call(call, &Request::GetResources(Vec::new())).await? {
            Response::GetResources(answer) => Ok(answer),
            _ => Err(other_answer(Operation::GetResources)),
        }
    }

    async fn call(&self, call: &Call, request: &Request) -> Result<Response, PlannerError> {
        let operation = request.operation();
        let message = self.encode(request)?;
        if self.inner.clock.monotonic() >= call.deadline {
            return Err(PlannerError::TooLate { operation });
        }
        let asked = self.inner.clock.now();
        let message = match &self.inner.messages {
            None => message,
            Some(messages) => messages
                .sign(&message, asked, call.id)
                .map_err(|source| PlannerError::Unsigned { operation, source })?,
        };
        let exchange = self.exchange(call, operation, message);
        let deadline = tokio::time::Instant::from_std(call.deadline);
        let (status, body) = match tokio::time::timeout_at(deadline, exchange).await {
            Ok(result) => result?,
            Err(_) => return Err(PlannerError::Timeout { operation }),
        };
        let (status, failed) = (status.as_u16(), !status.is_success());
        let (body, signed) = match &self.inner.messages {
            None => (body, false),
            Some(messages) => match messages.verify(&body, self.inner.clock.now(), asked) {
                Ok(envelope) => (envelope.into_bytes(), true),
                // a page, not a message
                Err(refused) if refused.is_no_message() && failed => {
                    return Err(PlannerError::unsigned_page(operation, status));
                }
                Err(source) => return Err(PlannerError::Refused { operation, source }),
            },
        };
        let answer = proto_planner::decode_response(operation, &body, &self.inner.time);
        match answer {
            // a fault may come with any status, and a status with any body
            Ok(Answer::Fault(fault)) => Err(fault_error(operation, &fault)),
            // a status is never signed: beside what is it counts for nothing
            _ if failed && !signed => Err(PlannerError::Http { operation, status }),
            Ok(Answer::Response(response)) => Ok(response),
            Err(source) => Err(PlannerError::Answer { operation, source }),
        }
    }

    /// Encodes the request. When an appointment cannot be written the others are not to suffer for it: the
    /// error names its position.
    fn encode(&self, request: &Request) -> Result<String, PlannerError> {
        let operation = request.operation();
        let headers = Headers::of_system(
            &self.inner.jobcenter_number,
            &self.inner.request_user_identifier,
            &self.inner.client_name,
            operation,
            self.inner.clock.now(),
        );
        let encode = |request: Request| {
            proto_planner::encode_request(
                &RequestEnvelope { headers: headers.clone(), request },
                &self.inner.time,
            )
        };
        encode(request.clone()).map_err(|source| {
            let alone = |event: &CalendarEvent| {
                Request::change(operation, vec![event.clone()])
                    .is_some_and(|request| encode(request).is_err())
            };
            let events = request.events().iter().enumerate();
            let mut positions: Vec<usize> =
                events.filter(|(_, event)| alone(event)).map(|(position, _)| position).collect();
            if positions.len() == request.events().len() {
                // every single one: the headers are at fault, not the appointments, unless there is just one
                let blameless = Request::GetResources(Vec::new());
                if encode(blameless).is_err() {
                    positions.clear();
                }
            }
            PlannerError::Unsendable { operation, positions, source }
        })
    }

    /// Sends the request and reads the answer through the limit.
    async fn exchange(
        &self,
        call: &Call,
        operation: Operation,
        message: String,
    ) -> Result<(reqwest::StatusCode, Vec<u8>), PlannerError> {
        let request = self
            .inner
            .http
            .post(self.inner.service_url.clone())
            .headers(http_headers(call, operation))
            .body(message);
        let broken = |source: reqwest::Error| {
            let source = source.without_url();
            if let Some(whose) = trust::refused_certificate(&source) {
                PlannerError::Certificate { operation, whose, source }
            } else if source.is_connect() || source.is_builder() {
                PlannerError::Connect { operation, source }
            } else {
                PlannerError::Broken { operation, source }
            }
        };
        let mut answer = request.send().await.map_err(broken)?;
        let limit_bytes = self.inner.answer_limit_bytes;
        let announced = answer.content_length().unwrap_or_default();
        if announced > limit_bytes as u64 {
            return Err(PlannerError::TooLarge { operation, limit_bytes });
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > limit_bytes {
                return Err(PlannerError::TooLarge { operation, limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((answer.status(), body))
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn http_headers(call: &Call, operation: Operation) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let action = format!("\"{}\"", operation.soap_action());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    let texts = [("soapaction", action), (CORRELATION_ID, call.id.to_string())];
    let trace = call.trace.as_ref().map(|trace| (TRACEPARENT, trace.to_string()));
    for (name, text) in texts.into_iter().chain(trace) {
        // ids, actions and trace contexts are visible ASCII by their types
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers
}

fn fault_error(operation: Operation, fault: &PlannerFault) -> PlannerError {
    PlannerError::Fault {
        operation,
        code: fault.code.local_name().chars().take(64).collect(),
        number: fault.details.as_ref().and_then(|details| details.error_code),
        detailed: fault.details.is_some(),
    }
}

fn other_answer(operation: Operation) -> PlannerError {
    let found = "an answer of another operation".to_owned();
    PlannerError::Answer { operation, source: WireError::Unexpected { found } }
}
