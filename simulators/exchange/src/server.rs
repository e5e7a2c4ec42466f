//! The HTTP side of EWS: authentication, faults on purpose, impersonation, affinity, and the form of
//! answers: faults with 500 and without `ServerVersionInfo` (field note 20), errors of single ids with 200.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use proto_ews::{
    Error as WireError, Fault as SoapFault, Limits, Problem, Request, RequestEnvelope, Response,
    ResponseCode, ResponseEnvelope, ServerVersion, StreamMessage, decode_request, encode_response,
};
use simulator_kit::login::ConnectionLogin;
use simulator_kit::{CaptureNumber, reply};

use crate::affinity::{BackEnd, OVERRIDE_COOKIE, Route, Wish, route};
use crate::faults::Fault;
use crate::ids::MailboxKey;
use crate::logon;
use crate::mailbox::Access;
use crate::ops;
use crate::service::{Caller, Service, World};
use crate::stream::{self, Cut, Opened};
use crate::zone::Zone;

/// The largest request: a CreateItem of a thousand items fits.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;

/// The version that this server says it is: Exchange Server SE.
pub fn server_version() -> ServerVersion {
    ServerVersion {
        major: 15,
        minor: 2,
        major_build: 2562,
        minor_build: 17,
        version: Some("V2017_07_11".into()),
    }
}

/// An answer whose connection is cut in its body.
pub fn cut() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/xml; charset=utf-8")
        .streaming(futures::stream::iter([Err::<Bytes, Cut>(Cut)]))
}

/// The page of an overloaded front end.
pub fn http_503() -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .content_type("text/html; charset=us-ascii")
        .body("<html><head><title>Service Unavailable</title></head><body><h2>Service Unavailable</h2></body></html>")
}

/// `POST /EWS/Exchange.asmx`.
pub async fn ews(request: HttpRequest, body: Bytes, service: web::Data<Service>) -> HttpResponse {
    let service = service.into_inner();
    let account = match logon::account(&service, &request) {
        Ok(account) => account,
        Err(answer) => return *answer,
    };
    let capture = service.capture.as_ref().map(|capture| {
        let number = capture.begin();
        capture.request(number, &body);
        number
    });
    let limits = Limits::standard().with_bytes(REQUEST_BYTES_MAX);
    let envelope = match decode_request(&body, limits) {
        Ok(envelope) => envelope,
        Err(error) => return Exchange::plain(&service, capture).fault(unreadable(&error)),
    };
    let operation = envelope.request.name();
    let headers = Headers::of(request.headers());
    service.world().count_request(operation);
    let target = envelope.impersonation.as_ref().map(|who| who.as_str());
    let concerned: Vec<&str> = target.into_iter().chain(headers.anchor).collect();
    let fault = service.draw(operation, &concerned);
    let mut exchange = Exchange::plain(&service, capture);
    let host = request.connection_info().host().to_owned();
    if !changes_items(&envelope.request)
        && concerned.iter().any(|mailbox| service.is_elsewhere(mailbox, &host))
    {
        return exchange.fault(cross_site());
    }
    match &fault {
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(*delay_ms)).await,
        Some(Fault::Http503) => return http_503(),
        Some(Fault::NotFound) => return HttpResponse::NotFound().finish(),
        Some(Fault::Unauthorized) => {
            ConnectionLogin::forget(&request);
            return logon::offers(&service);
        }
        Some(Fault::Disconnect) => return cut(),
        Some(Fault::ServerBusy { back_off_ms }) => return exchange.fault(busy(*back_off_ms)),
        Some(Fault::Code { code }) => return exchange.uncaptured().fault(injected(code)),
        _ => {}
    }
    let caller = match caller(&service, account, &envelope, &headers) {
        Ok((caller, route)) => {
            exchange.route = Some(route);
            caller
        }
        Err(fault) => return exchange.fault(fault),
    };
    match fault {
        Some(Fault::BusyInBody { back_off_ms }) => {
            exchange.answer(all_failed(&envelope.request, &busy_problem(back_off_ms)))
        }
        Some(Fault::CodeInBody { code }) => {
            let problem = Problem::new(ResponseCode::new(code), "Told by a fault rule.");
            exchange.uncaptured().answer(all_failed(&envelope.request, &problem))
        }
        fault => perform(exchange, &service, &caller, &envelope.request, fault.as_ref()),
    }
}

fn perform(
    exchange: Exchange<'_>,
    service: &Arc<Service>,
    caller: &Caller,
    request: &Request,
    fault: Option<&Fault>,
) -> HttpResponse {
    if let Request::GetStreamingEvents(request) = request {
        return match stream::open(service, caller, request, exchange.capture) {
            Ok(Opened::Stream(pump)) => exchange.streaming().streaming(Box::pin(pump.into_body())),
            Ok(Opened::Refused(messages)) => exchange.refused_stream(messages),
            Err(fault) => exchange.fault(fault),
        };
    }
    let Some(answer) = ops::answer(service, caller, request) else {
        return exchange.fault(SoapFault::new(ResponseCode::INVALID_REQUEST, "The request is invalid."));
    };
    match fault {
        Some(Fault::DisconnectAfter) => cut(),
        Some(Fault::Malformed) => exchange.uncaptured().spoiled(answer, |text| text.truncate(text.len() / 2)),
        Some(Fault::Oversized { bytes }) => exchange.uncaptured().spoiled(answer, |text| {
            // White space after the root element is well-formed: only the size is wrong.
            text.extend(std::iter::repeat_n(' ', bytes.saturating_sub(text.len())));
        }),
        _ => exchange.answer(answer),
    }
}

/// One request's way to its answer.
struct Exchange<'a> {
    service: &'a Service,
    capture: Option<CaptureNumber>,
    route: Option<Route>,
}

impl<'a> Exchange<'a> {
    fn plain(service: &'a Service, capture: Option<CaptureNumber>) -> Self {
        Self { service, capture, route: None }
    }

    /// Answers that no schema knows are not captured.
    fn uncaptured(mut self) -> Self {
        self.capture = None;
        self
    }

    fn answer(self, response: Response) -> HttpResponse {
        let envelope = ResponseEnvelope { server_version: Some(server_version()), body: Ok(response) };
        self.send(StatusCode::OK, &envelope, |_| {})
    }

    fn spoiled(self, response: Response, spoil: impl FnOnce(&mut String)) -> HttpResponse {
        let envelope = ResponseEnvelope { server_version: Some(server_version()), body: Ok(response) };
        self.send(StatusCode::OK, &envelope, spoil)
    }

    fn fault(self, fault: SoapFault) -> HttpResponse {
        self.service.world().count_fault(&fault);
        let envelope = ResponseEnvelope { server_version: None, body: Err(fault) };
        self.send(StatusCode::INTERNAL_SERVER_ERROR, &envelope, |_| {})
    }

    fn send(
        self,
        status: StatusCode,
        envelope: &ResponseEnvelope,
        spoil: impl FnOnce(&mut String),
    ) -> HttpResponse {
        let mut text = match encode_response(envelope) {
            Ok(text) => text,
            Err(error) => return unwritable(&error),
        };
        if let (Some(number), Some(capture)) = (self.capture, &self.service.capture) {
            capture.response(number, text.as_bytes());
        }
        spoil(&mut text);
        let mut response = reply::xml(status, text);
        self.head(response.headers_mut());
        response
    }

    /// A stream of one envelope.
    fn refused_stream(self, messages: Vec<StreamMessage>) -> HttpResponse {
        let envelope = ResponseEnvelope {
            server_version: Some(server_version()),
            body: Ok(Response::GetStreamingEvents(messages)),
        };
        match encode_response(&envelope) {
            Ok(text) => {
                if let (Some(number), Some(capture)) = (self.capture, &self.service.capture) {
                    capture.response_part(number, 1, text.as_bytes());
                }
                self.streaming().streaming(futures::stream::iter([Ok::<_, Cut>(Bytes::from(text))]))
            }
            Err(error) => unwritable(&error),
        }
    }

    /// The head of a streaming answer.
    fn streaming(&self) -> actix_web::HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response.content_type("text/xml; charset=utf-8");
        let mut headers = HeaderMap::new();
        self.head(&mut headers);
        headers.insert(NO_BUFFERING, HeaderValue::from_static("1"));
        for (name, value) in &headers {
            response.append_header((name.clone(), value.clone()));
        }
        response
    }

    fn head(&self, headers: &mut HeaderMap) {
        let id = uuid::Uuid::new_v4().to_string();
        set(headers, "request-id", &id);
        let Some(route) = self.route else { return };
        let domain = &self.service.options.domain;
        set(headers, "x-beserver", &route.back_end.host(domain));
        if route.sets_cookie {
            let cookie = format!("{OVERRIDE_COOKIE}={}; path=/; HttpOnly", route.back_end.cookie(domain));
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                headers.append(SET_COOKIE, value);
            }
        }
    }
}

fn unwritable(error: &WireError) -> HttpResponse {
    tracing::error!(error = error as &dyn std::error::Error, "an answer could not be written");
    HttpResponse::InternalServerError().finish()
}

const NO_BUFFERING: HeaderName = HeaderName::from_static("x-nobuffering");

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// What a request says in its head.
struct Headers<'a> {
    anchor: Option<&'a str>,
    prefers_affinity: bool,
    cookie: Option<&'a str>,
}

impl<'a> Headers<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let cookies = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
        let cookie = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == OVERRIDE_COOKIE)
            .map(|(_, value)| value);
        Self {
            anchor: text("x-anchormailbox").filter(|anchor| !anchor.is_empty()),
            prefers_affinity: text("x-preferserveraffinity")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            // exchangelib sends it as a header of that name too.
            cookie: cookie.or_else(|| text("x-backendoverridecookie")),
        }
    }
}

/// Who calls, and which back end answers.
fn caller(
    service: &Service,
    account: usize,
    envelope: &RequestEnvelope,
    headers: &Headers<'_>,
) -> Result<(Caller, Route), SoapFault> {
    let world = service.world();
    let acting = match &envelope.impersonation {
        None => None,
        Some(who) => Some(impersonated(service, &world, who.as_str())?),
    };
    let home = |key: MailboxKey| world.mailboxes.get(&key).map(|mailbox| BackEnd::home(key, mailbox.group));
    let wish = Wish {
        prefers_affinity: headers.prefers_affinity,
        cookie: headers.cookie,
        anchor: headers.anchor.and_then(|anchor| home(MailboxKey::of(anchor))),
        target: acting.and_then(home),
    };
    let route = route(wish, &service.options.domain, service.options.groups);
    let zone = envelope.time_zone_context.as_deref().and_then(Zone::find);
    Ok((Caller { account, acting, back_end: route.back_end, zone, now: service.now() }, route))
}

fn impersonated(service: &Service, world: &World, address: &str) -> Result<MailboxKey, SoapFault> {
    let denied = || {
        SoapFault::new(
            ResponseCode::IMPERSONATE_USER_DENIED,
            "The account does not have permission to impersonate the requested user.",
        )
    };
    if !service.options.impersonation {
        return Err(denied());
    }
    let key = MailboxKey::of(address);
    match world.mailboxes.get(&key).map(|mailbox| mailbox.access) {
        None | Some(Access::Missing) => Err(SoapFault::new(
            ResponseCode::NON_EXISTENT_MAILBOX,
            "The SMTP address has no mailbox associated with it.",
        )
        .with_value("SmtpAddress", address)),
        Some(Access::ImpersonationDenied) => Err(denied()),
        Some(_) => Ok(key),
    }
}

/// Done by people's own clients, which find their mailbox by themselves.
const fn changes_items(request: &Request) -> bool {
    matches!(
        request,
        Request::CreateItem(_) | Request::UpdateItem(_) | Request::DeleteItem(_) | Request::MoveItem(_)
    )
}

fn cross_site() -> SoapFault {
    let text = "The request was made to the wrong site. Look the mailbox up anew.";
    SoapFault::new(ResponseCode::CROSS_SITE_REQUEST, text)
}

fn unreadable(error: &WireError) -> SoapFault {
    tracing::debug!(error = error as &dyn std::error::Error, "a request could not be read");
    match error {
        WireError::UnknownOperation { .. } | WireError::Unsupported { .. } => {
            SoapFault::new(ResponseCode::INVALID_REQUEST, "The request is invalid.")
        }
        _ => SoapFault::new(ResponseCode::SCHEMA_VALIDATION, "The request failed schema validation."),
    }
}

const BUSY: &str = "The server cannot service this request right now. Try again later.";

fn busy(back_off_ms: Option<u64>) -> SoapFault {
    let fault = SoapFault::new(ResponseCode::SERVER_BUSY, BUSY);
    match back_off_ms {
        Some(ms) => fault.with_value(proto_ews::MessageXml::BACK_OFF_MILLISECONDS, ms.to_string()),
        None => fault,
    }
}

fn busy_problem(back_off_ms: u64) -> Problem {
    let text = format!(
        "{BUSY}, This operation exceeds the throttling budget for policy part 'ConcurrentSyncCalls', policy \
         value '5',  Budget type: 'Ews'.  Suggested backoff time {back_off_ms} ms."
    );
    Problem::new(ResponseCode::SERVER_BUSY, text)
        .with_value(proto_ews::MessageXml::BACK_OFF_MILLISECONDS, back_off_ms.to_string())
}

fn injected(code: &str) -> SoapFault {
    SoapFault::new(ResponseCode::new(code), "Told by a fault rule.")
}

/// An answer in which every response message has the same problem.
fn all_failed(request: &Request, problem: &Problem) -> Response {
    use proto_ews::ResponseMessage as Message;
    fn all<T>(count: usize, problem: &Problem) -> Vec<Message<T>> {
        std::iter::repeat_with(|| Message::Error(problem.clone())).take(count).collect()
    }
    match request {
        Request::GetFolder(request) => Response::GetFolder(all(request.folder_ids.len(), problem)),
        Request::ResolveNames(_) => Response::ResolveNames(all(1, problem)),
        Request::ConvertId(request) => Response::ConvertId(all(request.source_ids.len(), problem)),
        Request::Subscribe(_) => Response::Subscribe(all(1, problem)),
        Request::Unsubscribe(_) => Response::Unsubscribe(all(1, problem)),
        Request::SyncFolderItems(_) => Response::SyncFolderItems(all(1, problem)),
        Request::FindItem(request) => Response::FindItem(all(request.parent_folder_ids.len(), problem)),
        Request::GetItem(request) => Response::GetItem(all(request.item_ids.len(), problem)),
        Request::CreateItem(request) => Response::CreateItem(all(request.items.len(), problem)),
        Request::UpdateItem(request) => Response::UpdateItem(all(request.changes.len(), problem)),
        Request::DeleteItem(request) => Response::DeleteItem(all(request.item_ids.len(), problem)),
        Request::MoveItem(request) => Response::MoveItem(all(request.item_ids.len(), problem)),
        Request::GetStreamingEvents(_) => {
            Response::GetStreamingEvents(vec![StreamMessage::error(problem.clone(), Vec::new())])
        }
    }
}
