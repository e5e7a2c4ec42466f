//! One SOAP call over HTTP: headers, accounts, limits, the status, and what a failed connection means.
//!
//! HTTP 200 and 500 are decoded alike (a fault is found by what stands in the body). Redirects are not
//! followed: Exchange answers 302 to an error page when it is out of order for a moment. Cookies are not kept by
//! the client; the one that matters (`X-BackEndOverrideCookie`) belongs to a group and is handed in and out.

use std::sync::{Arc, RwLock};
use std::time::Instant;

use base::{SharedClock, Turn, Turns};
use calendar::ids::AccountId;
use calendar::source::{Affinity, SourceErrorKind};
use calendar::{MailAddress, SourceError};
use proto_ews::{Impersonation, Limits, Request, RequestEnvelope, Response, decode_response, encode_request};
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Semaphore, watch};
use tracing::Instrument;
use url::Url;

use crate::accounts::{Account, Line, Maker, Pool};
use crate::classify::{self, own};
use crate::endpoints::Endpoints;
use crate::reply::{chain, check_status, read, redirect_target};
use crate::sending::{Lane, Sent};
use crate::throttle::{BackOff, Common, Pass, Refusal, StillClosed, Throttle};
use crate::{ExchangeError, ExchangeOptions};

#[cfg(test)]
mod tests;

const ANCHOR: HeaderName = HeaderName::from_static("x-anchormailbox");
const PREFER_AFFINITY: HeaderName = HeaderName::from_static("x-preferserveraffinity");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// The cookie that pins a group to its back end.
const AFFINITY_COOKIE: &str = "X-BackEndOverrideCookie";
/// Longest affinity cookie that is believed.
const COOKIE_MAX: usize = 1_024;

/// Whose call it is and by which way it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'a> {
    /// Where to.
    pub(crate) endpoint: &'a str,
    /// Whose mailbox.
    pub(crate) mailbox: &'a MailAddress,
    /// The service account of the mailbox's group, for ordinary calls. Those with an affinity are made by the
    /// affinity's.
    pub(crate) account: Option<AccountId>,
    /// The group whose back end is to answer; `None` for ordinary calls.
    pub(crate) affinity: Option<&'a Affinity>,
    /// A call has one of them until its answer is there, if any.
    pub(crate) turns: Option<&'a Turns>,
}

/// An answer with the affinity cookie that it set.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) cookie: Option<String>,
}

/// What came of posting a body that is no EWS envelope.
#[derive(Debug)]
pub(crate) enum Posted {
    /// An answer; the status is 200 or 500.
    Answer {
        /// Its status.
        status: StatusCode,
        /// What it says.
        body: Vec<u8>,
    },
    /// Told to ask elsewhere: the value of `Location`, not looked at.
    Redirect(String),
}

/// The HTTP side of all accounts.
pub(crate) struct Transport {
    pool: RwLock<Pool>,
    maker: Maker,
    common: Common,
    endpoints: Endpoints,
    pub(crate) options: ExchangeOptions,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    pub(crate) fn new(options: ExchangeOptions, clock: SharedClock) -> Result<Self, ExchangeError> {
        options.check()?;
        let common = Common {
            clock,
            policy: options.back_off,
            patience: options.back_off_patience,
            calls: Arc::new(Semaphore::new(options.simultaneous_calls)),
            moved: Arc::default(),
        };
        let maker = Maker::new(&options, common.clone());
        // also without accounts yet: what can never work is told at the start
        maker.tls()?;
        let pool = Pool::default().with(options.account.as_slice(), &maker)?;
        Ok(Self { pool: RwLock::new(pool), maker, common, endpoints: Endpoints::default(), options })
    }

    /// From now on there are these accounts and no others.
    pub(crate) fn set_accounts(&self, accounts: &[Account]) -> Result<(), ExchangeError> {
        let pool = self.pool().with(accounts, &self.maker)?;
        *self.pool.write().expect("no holder of this lock can panic") = pool;
        Ok(())
    }

    fn pool(&self) -> Pool {
        self.pool.read().expect("no holder of this lock can panic").clone()
    }

    /// The accounts whose calls wait.
    pub(crate) fn back_offs(&self) -> Vec<BackOff> {
        self.pool().lines().filter_map(|line| line.throttle.back_off()).collect()
    }

    /// Lets the calls of an account wait because of what somebody else was told.
    pub(crate) fn hold(&self, back_off: &BackOff) {
        if let Ok(line) = self.pool().exactly("hold", back_off.account) {
            line.throttle.hold(back_off.left, back_off.failures, back_off.reason);
        }
    }

    /// The services that refuse accounts.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.pool().lines().flat_map(|line| line.throttle.refused_at()).collect()
    }

    /// Lets the calls of an account to a service wait that refused it for somebody else.
    pub(crate) fn hold_at(&self, refusal: &Refusal) {
        if let Ok(line) = self.pool().exactly("hold", refusal.account) {
            line.throttle.hold_at(&refusal.service, refusal.left, refusal.failures);
        }
    }

    /// Changes whenever a call of this process closes the gate of an account, or lengthens that.
    pub(crate) fn back_offs_moved(&self) -> watch::Receiver<u64> {
        self.common.moved.subscribe()
    }

    /// Who makes a call.
    fn line(&self, operation: &'static str, route: &Route<'_>) -> Result<Arc<Line>, SourceError> {
        let pool = self.pool();
        match route.affinity {
            Some(affinity) => pool.exactly(operation, affinity.account),
            None => pool.for_mailbox(operation, route.account, route.mailbox),
        }
    }

    /// One ordinary call. The answer's operation is the request's.
    pub(crate) async fn call(&self, route: Route<'_>, request: Request) -> Result<Answer, SourceError> {
        let operation = request.name();
        let span = span_of(operation, route.mailbox);
        async {
            let line = self.line(operation, &route)?;
            let endpoint = self.endpoints.of(route.endpoint);
            let (url, service) = (endpoint.url(operation)?, &*endpoint.service);
            // all that can be made before the turn is: others wait for it
            let body = self.encode(&route, request)?;
            let headers = headers(&route, telemetry::trace::current());
            let turn = Turns::take_of(route.turns).await;
            let mut pass =
                line.throttle.pass(service).await.map_err(|closed| still_closed(operation, closed))?;
            let sent = line.throttle.now();
            let outcome = self.exchange(&line, operation, url, headers, body, (&mut pass, turn)).await;
            let told = outcome.as_ref().map(|answer| answer_problem(&answer.response));
            learn(&line.throttle, service, sent, told);
            drop(pass);
            outcome
        }
        .instrument(span)
        .await
        .inspect(|_answer| tracing::debug!(mailbox = %route.mailbox, operation, "exchange answered a call"))
        .inspect_err(|error| note(error, route.mailbox))
    }

    /// Posts a body that is no EWS envelope (Autodiscover) and gives the bounded answer. A redirect is not
    /// followed but told.
    ///
    /// What a server that was reached by a redirect says of the account (refused, busy) says nothing of the
    /// account at home: it closes no gate and is that service's failure.
    pub(crate) async fn post(
        &self,
        operation: &'static str,
        url: &Url,
        body: String,
    ) -> Result<Posted, SourceError> {
        let endpoint = self.endpoints.of(url.as_str());
        let service = &*endpoint.service;
        let line = self.pool().any(operation, service)?;
        let pass = line.throttle.pass(service).await.map_err(|closed| still_closed(operation, closed))?;
        let sent = line.throttle.now();
        let posting = async {
            let mut headers = HeaderMap::new();
            add_common(&mut headers, telemetry::trace::current());
            let mut sent = line.send(operation, Lane::Calls, url, headers, body).await?;
            if let Some(target) = redirect_target(&sent.response) {
                return Ok(Posted::Redirect(target));
            }
            let status = sent.response.status();
            check_status(operation, &sent.response)?;
            let body = read(operation, &mut sent.response, self.options.answer_limit_bytes).await?;
            sent.was_read();
            Ok(Posted::Answer { status, body })
        };
        let outcome = self.in_time(operation, posting).await;
        if self.is_elsewhere(url) {
            return outcome.map_err(not_accepted_elsewhere);
        }
        learn(&line.throttle, service, sent, outcome.as_ref().map(|_| None));
        drop(pass);
        outcome
    }

    /// Is this another server than the configured Autodiscover?
    fn is_elsewhere(&self, url: &Url) -> bool {
        self.options.autodiscover_url.as_ref().is_none_or(|home| home.origin() != url.origin())
    }

    /// Opens a stream: returns when the server has answered with its headers.
    pub(crate) async fn open_stream(&self, route: Route<'_>, request: Request) -> Result<Sent, SourceError> {
        let operation = request.name();
        let span = span_of(operation, route.mailbox);
        async {
            let line = self.line(operation, &route)?;
            let endpoint = self.endpoints.of(route.endpoint);
            let (url, service) = (endpoint.url(operation)?, &*endpoint.service);
            let pass = line.throttle.pass_stream(service).await;
            let pass = pass.map_err(|closed| still_closed(operation, closed))?;
            let sent = line.throttle.now();
            let body = self.encode(&route, request)?;
            let headers = headers(&route, telemetry::trace::current());
            let outcome = self.open(&line, operation, url, headers, body).await;
            learn(&line.throttle, service, sent, outcome.as_ref().map(|_| None));
            drop(pass);
            outcome
        }
        .instrument(span)
        .await
        .inspect_err(|error| note(error, route.mailbox))
    }

    async fn open(
        &self,
        line: &Line,
        operation: &'static str,
        url: &Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<Sent, SourceError> {
        let sending = line.send(operation, Lane::Streams, url, headers, body);
        let mut sent = self.in_time(operation, sending).await?;
        check_status(operation, &sent.response)?;
        if sent.response.status().is_success() {
            return Ok(sent);
        }
        let reading = read(operation, &mut sent.response, self.options.answer_limit_bytes);
        let bytes = self.in_time(operation, reading).await?;
        match decode(operation, &bytes, self.limits(), StatusCode::INTERNAL_SERVER_ERROR) {
            Ok(_) => {
                Err(own(operation, SourceErrorKind::BadAnswer, "HTTP 500", "status 500 without a fault"))
            }
            Err(error) => Err(error),
        }
    }

    /// A call, or a part of one, in the longest time that it may take.
    async fn in_time<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        match tokio::time::timeout(self.options.request_timeout, work).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let text = "no complete answer in time";
                Err(own(operation, SourceErrorKind::Unavailable, "timeout", text))
            }
        }
    }

    async fn exchange(
        &self,
        line: &Line,
        operation: &'static str,
        url: &Url,
        headers: HeaderMap,
        body: String,
        (pass, turn): (&mut Pass<'_>, Option<Turn<'_>>),
    ) -> Result<Answer, SourceError> {
        let calling = async {
            let mut sent = line.send(operation, Lane::Calls, url, headers, body).await?;
            let status = sent.response.status();
            check_status(operation, &sent.response)?;
            let cookie = affinity_cookie(sent.response.headers());
            let bytes = read(operation, &mut sent.response, self.options.answer_limit_bytes).await?;
            sent.was_read();
            Ok((status, cookie, bytes))
        };
        let (status, cookie, bytes) = self.in_time(operation, calling).await?;
        // the next may ask while this answer is decoded
        pass.answered();
        if let Some(turn) = turn {
            turn.pass_on().await;
        }
        let response = decode(operation, &bytes, self.limits(), status)?;
        if response.name() != operation {
            return Err(own(
                operation,
                SourceErrorKind::BadAnswer,
                "other operation",
                "the answer is to another question",
            ));
        }
        Ok(Answer { response, cookie })
    }

    /// Tells the gate of an error that came in a stream.
    pub(crate) fn learn_from_stream(&self, account: AccountId, error: &SourceError) {
        if classify::holds_for_account(&error.code)
            && let Ok(line) = self.pool().exactly(error.operation, account)
        {
            line.throttle.busy(line.throttle.now(), error.after);
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::standard().with_bytes(self.options.answer_limit_bytes)
    }

    fn encode(&self, route: &Route<'_>, request: Request) -> Result<String, SourceError> {
        let operation = request.name();
        // a stream is charged to its anchor
        let whom = match (&request, route.affinity) {
            (Request::GetStreamingEvents(_), Some(affinity)) => &affinity.anchor,
            _ => route.mailbox,
        };
        let envelope = RequestEnvelope {
            server_version: Some(self.options.server_version.clone()),
            impersonation: self
                .options
                .use_impersonation
                .then(|| Impersonation::SmtpAddress(whom.as_str().to_owned())),
            time_zone_context: None,
            request,
        };
        encode_request(&envelope)
            .map_err(|error| own(operation, SourceErrorKind::OwnBug, "not encoded", &error.to_string()))
    }
}

/// Tells the account's gate how a call to `service` went. An error inside a good answer can ask to wait, too.
fn learn(
    throttle: &Throttle,
    service: &str,
    sent: Instant,
    outcome: Result<Option<SourceError>, &SourceError>,
) {
    let error = match &outcome {
        Ok(None) => return throttle.worked(service, sent),
        Ok(Some(error)) => error,
        Err(error) => error,
    };
    let holds =
        classify::holds_for_account(&error.code) || matches!(error.code.as_str(), "HTTP 503" | "HTTP 429");
    if classify::refuses_logon(&error.code) {
        throttle.refused(service, sent);
    } else if holds {
        throttle.busy(sent, error.after);
    } else if !error.is_outage() {
        throttle.worked(service, sent);
    }
}

/// A refusal by another server than the configured one is that service's matter.
fn not_accepted_elsewhere(error: SourceError) -> SourceError {
    match error.kind {
        SourceErrorKind::Credentials => SourceError {
            kind: SourceErrorKind::Unavailable,
            text: "the service that autodiscover names does not accept the account".to_owned(),
            ..error
        },
        _ => error,
    }
}

fn headers(route: &Route<'_>, trace: Option<base::TraceContext>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    add_common(&mut headers, trace);
    let anchor = route.affinity.map_or(route.mailbox, |affinity| &affinity.anchor);
    // an address has no control characters, so this holds for every address
    if let Ok(value) = HeaderValue::from_bytes(anchor.as_str().as_bytes()) {
        headers.insert(ANCHOR, value);
    }
    if let Some(affinity) = route.affinity {
        headers.insert(PREFER_AFFINITY, HeaderValue::from_static("true"));
        let cookie = affinity.cookie.as_ref().map(|value| format!("{AFFINITY_COOKIE}={value}"));
        if let Some(Ok(mut value)) = cookie.map(HeaderValue::try_from) {
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }
    headers
}

fn add_common(headers: &mut HeaderMap, trace: Option<base::TraceContext>) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/xml"));
    if let Some(Ok(value)) = trace.map(|trace| HeaderValue::try_from(trace.as_str())) {
        headers.insert(TRACE_PARENT, value);
    }
}

fn decode(
    operation: &'static str,
    bytes: &[u8],
    limits: Limits,
    status: StatusCode,
) -> Result<Response, SourceError> {
    match decode_response(bytes, limits) {
        Ok(envelope) => envelope.body.map_err(|fault| classify::of_fault(operation, &fault)),
        // the error page of a server or proxy
        Err(error) if status == StatusCode::INTERNAL_SERVER_ERROR => {
            Err(own(operation, SourceErrorKind::Unavailable, "HTTP 500", &chain(&error)))
        }
        Err(error) => Err(own(operation, SourceErrorKind::BadAnswer, classify::MALFORMED, &chain(&error))),
    }
}

/// The first problem of an answer that asks every call of the account to wait.
fn answer_problem(response: &Response) -> Option<SourceError> {
    let operation = response.name();
    let mut problems: Box<dyn Iterator<Item = &proto_ews::Problem>> = match response {
        Response::GetFolder(messages) => Box::new(messages.iter().filter_map(|m| m.problem())),
        Response::Subscribe(messages) => Box::new(messages.iter().filter_map(|m| m.problem())),
        Response::Unsubscribe(messages) => Box::new(messages.iter().filter_map(|m| m.problem())),
        Response::SyncFolderItems(messages) => Box::new(messages.iter().filter_map(|m| m.problem())),
        Response::FindItem(messages) => Box::new(messages.iter().filter_map(|m| m.problem())),
        Response::GetItem(messages) => Box::new(messages.iter().filter_map(|m| m.problem())),
        _ => return None,
    };
    problems
        .find(|problem| classify::holds_for_account(problem.effective_code().as_str()))
        .map(|problem| classify::of_problem(operation, problem))
}

fn still_closed(operation: &'static str, closed: StillClosed) -> SourceError {
    let mut error = own(
        operation,
        SourceErrorKind::Unavailable,
        classify::BACK_OFF,
        "exchange is busy, the account waits",
    );
    error.after = Some(closed.left);
    error
}

/// The affinity cookie that an answer sets. Never logged: it names servers.
fn affinity_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|cookie| cookie.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(AFFINITY_COOKIE))
        .map(|(_, value)| value.trim())
        .filter(|value| {
            !value.is_empty()
                && value.len() <= COOKIE_MAX
                && value.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b))
        })
        .map(str::to_owned)
}

fn note(error: &SourceError, mailbox: &MailAddress) {
    tracing::debug!(
        mailbox = %mailbox,
        operation = error.operation,
        code = error.code,
        kind = ?error.kind,
        "a call to exchange failed"
    );
}

/// Names of spans must be known when the program is built.
fn span_of(operation: &'static str, mailbox: &MailAddress) -> tracing::Span {
    macro_rules! named {
        ($name:literal) => {
            tracing::info_span!($name, mailbox = %mailbox)
        };
    }
    match operation {
        "GetItem" => named!("exchange.get_item"),
        "FindItem" => named!("exchange.find_item"),
        "GetFolder" => named!("exchange.get_folder"),
        "Subscribe" => named!("exchange.subscribe"),
        "Unsubscribe" => named!("exchange.unsubscribe"),
        "SyncFolderItems" => named!("exchange.sync_folder_items"),
        "GetStreamingEvents" => named!("exchange.open_stream"),
        _ => named!("exchange.call"),
    }
}
