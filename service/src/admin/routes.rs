//! The calls themselves.

use std::sync::Arc;

use calendar::{MailAddress, codes};
use hyper::body::Bytes;
use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::operations::{OperationKind, Scope};

use super::limit::Verdict;
use super::{Admin, AdminCalls, BODY_MAX, PATIENCE};
use crate::acts;
use crate::cli::operators::RunId;
use crate::commands::{CommandError, record, withheld};
use crate::http::limits::Peer;
use crate::http::server::{self, Answer, Answers, Call, NoBody};

/// How many operations are told at once.
const SHOWN: u32 = 20;
/// The longest name of somebody who asks, in characters.
const BY_MAX: usize = 100;

/// The calls that there are, for who asks for another.
const CALLS: [&str; 6] = [
    "POST /admin/operations",
    "GET /admin/operations",
    "GET /admin/operations/{id}",
    "GET /admin/withheld",
    "POST /admin/withheld/{run}/confirm",
    "POST /admin/withheld/{run}/reject",
];

/// A call that there is.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Operations,
    Operation(String),
    Ask,
    Withheld,
    Settle { run: String, verdict: String },
}

impl Route {
    fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (get, post) = (*method == Method::GET, *method == Method::POST);
        match segments.as_slice() {
            ["admin", "operations"] if get => Ok(Self::Operations),
            ["admin", "operations"] if post => Ok(Self::Ask),
            ["admin", "operations", id] if get => Ok(Self::Operation((*id).to_owned())),
            ["admin", "withheld"] if get => Ok(Self::Withheld),
            ["admin", "withheld", run, verdict] if post => {
                Ok(Self::Settle { run: (*run).to_owned(), verdict: (*verdict).to_owned() })
            }
            ["admin", "operations" | "withheld"]
            | ["admin", "operations", _]
            | ["admin", "withheld", _, _] => Err(Refusal::OtherMethod),
            _ => Err(Refusal::NoSuchCall),
        }
    }

    /// Has it a body?
    const fn is_told_more(&self) -> bool {
        matches!(self, Self::Ask | Self::Settle { .. })
    }
}

impl Answers for AdminCalls {
    /// Lets the call pass or not, does its work on the service's runtime, and answers.
    async fn answer(&self, mut call: Call) -> Answer {
        let refusal = match self.0.judge(&call) {
            Verdict::Passes => None,
            Verdict::Unknown => Some(Refusal::Unknown(call.peer)),
            Verdict::TooMany(wait) => Some(Refusal::TooMany(wait.as_secs() + 1)),
        };
        if let Some(refusal) = refusal {
            call.drain().await;
            return refusal.answer();
        }
        let route = match Route::of(call.method(), call.path()) {
            Ok(route) => route,
            Err(refusal) => {
                call.drain().await;
                return refusal.answer();
            }
        };
        let body = match route.is_told_more() {
            true => call.body(BODY_MAX).await.map_err(Refusal::from),
            false => Ok(Bytes::new()),
        };
        let work = perform(Arc::clone(&self.0), route, body);
        let task = self.0.runtime.spawn(tokio::time::timeout(PATIENCE, work));
        match task.await {
            Ok(Ok(Ok(said))) => said.answer(),
            Ok(Ok(Err(refusal))) => refusal.answer(),
            // the task panicked: its place is in the log
            Ok(Err(_)) | Err(_) => Refusal::Slow.answer(),
        }
    }
}

async fn perform(admin: Arc<Admin>, route: Route, body: Result<Bytes, Refusal>) -> Result<Said, Refusal> {
    match route {
        Route::Operations => operations(&admin).await,
        Route::Operation(id) => operation(&admin, &id).await,
        Route::Ask => ask(&admin, &body?).await,
        Route::Withheld => runs(&admin).await,
        Route::Settle { run, verdict } => settle(&admin, &run, &verdict, &body?).await,
    }
}

/// Why a call is refused.
#[derive(Debug)]
enum Refusal {
    /// No token, or a wrong one; who called.
    Unknown(Peer),
    /// Too many calls; seconds to wait.
    TooMany(u64),
    /// The call cannot be understood.
    Wrong(String),
    /// Its body is larger than [`BODY_MAX`].
    TooLarge,
    /// Its body did not arrive in time.
    SlowBody,
    /// The command is none.
    UnknownCommand(String),
    /// There is no call with this path.
    NoSuchCall,
    /// There is one, but not with this method.
    OtherMethod,
    /// There is no such thing.
    Missing(String),
    /// It was refused or failed.
    Command(CommandError),
    /// It took too long.
    Slow,
}

impl From<NoBody> for Refusal {
    fn from(why: NoBody) -> Self {
        match why {
            NoBody::TooLarge => Self::TooLarge,
            NoBody::Slow => Self::SlowBody,
            NoBody::Broken => Self::Wrong("the body cannot be read".to_owned()),
        }
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Wrong(_) | Self::UnknownCommand(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Missing(_) | Self::NoSuchCall => StatusCode::NOT_FOUND,
            Self::OtherMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::GATEWAY_TIMEOUT,
            Self::Command(error) => match error {
                CommandError::Store(_) | CommandError::Schema(_) => StatusCode::SERVICE_UNAVAILABLE,
                CommandError::UnknownMailbox { .. }
                | CommandError::UnknownOperation { .. }
                | CommandError::UnknownRun { .. } => StatusCode::NOT_FOUND,
                _ => StatusCode::CONFLICT,
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Unknown(_) => {
                "neither the token (Authorization: Bearer TOKEN) nor a certificate that counts".to_owned()
            }
            Self::TooMany(seconds) => format!("too many calls; try again in {seconds} s"),
            Self::Wrong(text) | Self::UnknownCommand(text) | Self::Missing(text) => text.clone(),
            Self::NoSuchCall => "there is no such admin call".to_owned(),
            Self::OtherMethod => "there is no such admin call with this method".to_owned(),
            Self::SlowBody => "the body did not arrive in time".to_owned(),
            Self::TooLarge => format!("the body is larger than {BODY_MAX} bytes"),
            // what the database says stays in the log
            Self::Command(error) => error.to_string(),
            Self::Slow => format!("not done within {} s; it may be done all the same", PATIENCE.as_secs()),
        }
    }

    /// Raises what operators are to know of.
    fn tell(&self) {
        match self {
            // no more often than the bucket for those without the token allows
            Self::Unknown(peer) => tracing::warn!(
                event_id = codes::ADMIN_CALL_REFUSED.id,
                %peer,
                "an admin call without the right token was refused"
            ),
            Self::UnknownCommand(_) | Self::NoSuchCall | Self::OtherMethod => {
                let text = self.text();
                tracing::error!(event_id = codes::COMMAND_UNKNOWN.id, error = %text, "unknown admin call");
            }
            Self::Command(error @ (CommandError::Store(_) | CommandError::Schema(_))) => tracing::error!(
                event_id = codes::COMMAND_FAILED.id,
                error = %telemetry::chain(error),
                "an admin call failed"
            ),
            Self::Slow => {
                tracing::error!(event_id = codes::COMMAND_FAILED.id, error = %self.text(), "an admin call failed");
            }
            _ => {}
        }
    }

    fn answer(&self) -> Answer {
        self.tell();
        let mut body = json!({ "error": self.text() });
        if matches!(self, Self::NoSuchCall | Self::OtherMethod) {
            body["calls"] = json!(CALLS);
        }
        let mut answer = server::json(self.status(), &body);
        match self {
            Self::Unknown(_) => {
                answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooMany(seconds) => {
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            _ => {}
        }
        answer
    }
}

/// What is answered to a call that was made.
struct Said {
    status: StatusCode,
    /// The operation to follow.
    operation: Option<i64>,
    body: Value,
}

impl Said {
    const fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, operation: None, body }
    }

    const fn accepted(id: i64, body: Value) -> Self {
        Self { status: StatusCode::ACCEPTED, operation: Some(id), body }
    }

    fn answer(self) -> Answer {
        let mut answer = server::json(self.status, &self.body);
        let place = self.operation.map(|id| format!("/admin/operations/{id}"));
        if let Some(place) = place.and_then(|place| HeaderValue::try_from(place).ok()) {
            answer.headers_mut().insert(LOCATION, place);
        }
        answer
    }
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    kind: String,
    mailbox: Option<String>,
    all: Option<bool>,
    by: String,
}

/// Who settles a run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    by: String,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Wrong(format!("the body is not as expected: {error}")))
}

fn name(by: &str) -> Result<String, Refusal> {
    let by = by.trim();
    if by.is_empty() || by.chars().count() > BY_MAX || by.chars().any(char::is_control) {
        return Err(Refusal::Wrong(format!(
            "\"by\" must be the name of who asks, at most {BY_MAX} characters"
        )));
    }
    Ok(format!("{by} (http)"))
}

impl Ask {
    fn check(&self) -> Result<(OperationKind, Scope, String), Refusal> {
        use OperationKind as K;
        let by = name(&self.by)?;
        let kind = K::named(&self.kind).filter(|kind| !matches!(kind, K::Confirmation | K::Rejection));
        let Some(kind) = kind else {
            return Err(Refusal::UnknownCommand(
                "\"kind\" is none of full_pull, comparison, adoption, rediscovery, resend, resource_list"
                    .to_owned(),
            ));
        };
        let scope = match (&self.mailbox, self.all) {
            (None, None) if kind == K::ResourceList => Scope::All,
            (Some(mailbox), None | Some(false)) if kind != K::ResourceList => Scope::One(
                MailAddress::parse(mailbox)
                    .map_err(|error| Refusal::Wrong(format!("\"mailbox\" is {error}")))?,
            ),
            (None, Some(true)) if kind != K::ResourceList => Scope::All,
            _ => {
                return Err(Refusal::Wrong(
                    "give either \"mailbox\" or \"all\": true (neither for resource_list)".to_owned(),
                ));
            }
        };
        Ok((kind, scope, by))
    }
}

async fn ask(admin: &Admin, body: &[u8]) -> Result<Said, Refusal> {
    let (kind, scope, by) = read::<Ask>(body)?.check()?;
    let operation = acts::ask(&admin.store, admin.allowed, kind, &scope, &by, admin.clock.now()).await?;
    told(admin, operation.id).await
}

async fn settle(admin: &Admin, run: &str, verdict: &str, body: &[u8]) -> Result<Said, Refusal> {
    let confirm = match verdict {
        "confirm" => true,
        "reject" => false,
        _ => return Err(Refusal::Missing("a run is settled by /confirm or /reject".to_owned())),
    };
    let run: RunId = run.parse().map_err(|reason| Refusal::Wrong(format!("the run {reason}")))?;
    let by = name(&read::<Settle>(body)?.by)?;
    let (operation, count) = acts::settle(&admin.store, run, confirm, &by, admin.clock.now()).await?;
    let act = if confirm { "withheld confirm" } else { "withheld reject" };
    record(&admin.store, &by, act, json!({ "run": run.to_string(), "count": count })).await;
    told(admin, operation.id).await
}

/// An operation that was asked for just now.
async fn told(admin: &Admin, id: i64) -> Result<Said, Refusal> {
    one(admin, id).await.map(|body| Said::accepted(id, body))
}

async fn one(admin: &Admin, id: i64) -> Result<Value, Refusal> {
    let operation = admin.store.operation(id).await.map_err(CommandError::from)?;
    let operation = operation.ok_or(CommandError::UnknownOperation { id })?;
    let progress = admin.store.operation_progress(&operation).await.map_err(CommandError::from)?;
    Ok(acts::value(&operation, &progress))
}

async fn operation(admin: &Admin, id: &str) -> Result<Said, Refusal> {
    let id: i64 =
        id.parse().map_err(|_error| Refusal::Missing("operations are named by a number".to_owned()))?;
    one(admin, id).await.map(Said::ok)
}

async fn operations(admin: &Admin) -> Result<Said, Refusal> {
    let operations = admin.store.operations(SHOWN).await.map_err(CommandError::from)?;
    let mut values = Vec::with_capacity(operations.len());
    for operation in &operations {
        let progress = admin.store.operation_progress(operation).await.map_err(CommandError::from)?;
        values.push(acts::value(operation, &progress));
    }
    Ok(Said::ok(Value::from(values)))
}

async fn runs(admin: &Admin) -> Result<Said, Refusal> {
    let runs = withheld::waiting(&admin.store, admin.clock.now()).await?;
    Ok(Said::ok(Value::from(runs)))
}
