//! The calls themselves.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use calendar::{MailAddress, codes};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::operations::{OperationKind, Scope};

use super::limit::Verdict;
use super::{Admin, BODY_MAX, PATIENCE};
use crate::acts;
use crate::cli::operators::RunId;
use crate::commands::{CommandError, record, withheld};

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

/// Puts the calls on the pages; without an [`Admin`] there are none.
pub(crate) fn mount(admin: Option<Arc<Admin>>, app: &mut web::ServiceConfig) {
    let Some(admin) = admin else { return };
    app.service(
        web::scope("/admin")
            .app_data(web::Data::from(admin))
            .app_data(web::PayloadConfig::new(BODY_MAX))
            .service(
                web::resource("/operations")
                    .route(web::get().to(operations))
                    .route(web::post().to(ask))
                    .default_service(web::to(other_method)),
            )
            .service(
                web::resource("/operations/{id}")
                    .route(web::get().to(operation))
                    .default_service(web::to(other_method)),
            )
            .service(
                web::resource("/withheld").route(web::get().to(runs)).default_service(web::to(other_method)),
            )
            .service(
                web::resource("/withheld/{run}/{verdict}")
                    .route(web::post().to(settle))
                    .default_service(web::to(other_method)),
            )
            .default_service(web::to(elsewhere)),
    );
}

/// Why a call is refused.
#[derive(Debug)]
enum Refusal {
    /// No token, or a wrong one.
    Unknown,
    /// Too many calls; seconds to wait.
    TooMany(u64),
    /// The call cannot be understood.
    Wrong(String),
    /// Its body is larger than [`BODY_MAX`].
    TooLarge,
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

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Wrong(_) | Self::UnknownCommand(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
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
            Self::Unknown => "the header Authorization: Bearer TOKEN is missing or wrong".to_owned(),
            Self::TooMany(seconds) => format!("too many calls; try again in {seconds} s"),
            Self::Wrong(text) | Self::UnknownCommand(text) | Self::Missing(text) => text.clone(),
            Self::NoSuchCall => "there is no such admin call".to_owned(),
            Self::OtherMethod => "there is no such admin call with this method".to_owned(),
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
            Self::Unknown => tracing::warn!(
                event_id = codes::ADMIN_CALL_REFUSED.id,
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

    fn answer(&self) -> HttpResponse {
        self.tell();
        let mut answer = HttpResponse::build(self.status());
        match self {
            Self::Unknown => {
                answer.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            Self::TooMany(seconds) => {
                answer.insert_header((RETRY_AFTER, seconds.to_string()));
            }
            _ => {}
        }
        let mut body = json!({ "error": self.text() });
        if matches!(self, Self::NoSuchCall | Self::OtherMethod) {
            body["calls"] = json!(CALLS);
        }
        finish(answer, &body)
    }
}

fn finish(mut answer: HttpResponseBuilder, body: &Value) -> HttpResponse {
    answer.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// Lets the call pass or not, does its work on the service's runtime, and answers.
async fn perform<F>(
    request: &HttpRequest,
    admin: web::Data<Admin>,
    work: impl FnOnce(Arc<Admin>) -> F,
) -> HttpResponse
where
    F: Future<Output = Result<HttpResponseParts, Refusal>> + Send + 'static,
{
    let header = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let refusal = match admin.judge(header) {
        Verdict::Passes => None,
        Verdict::Unknown => Some(Refusal::Unknown),
        Verdict::TooMany(wait) => Some(Refusal::TooMany(wait.as_secs() + 1)),
    };
    if let Some(refusal) = refusal {
        return refusal.answer();
    }
    let runtime = admin.runtime.clone();
    let task = runtime.spawn(tokio::time::timeout(PATIENCE, work(admin.into_inner())));
    match task.await {
        Ok(Ok(Ok(parts))) => parts.answer(),
        Ok(Ok(Err(refusal))) => refusal.answer(),
        // the task panicked: its place is in the log
        Ok(Err(_)) | Err(_) => Refusal::Slow.answer(),
    }
}

/// What is answered.
struct HttpResponseParts {
    status: StatusCode,
    location: Option<String>,
    body: Value,
}

impl HttpResponseParts {
    const fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, location: None, body }
    }

    fn accepted(id: i64, body: Value) -> Self {
        Self { status: StatusCode::ACCEPTED, location: Some(format!("/admin/operations/{id}")), body }
    }

    fn answer(self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(location) = self.location {
            answer.insert_header((LOCATION, location));
        }
        finish(answer, &self.body)
    }
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    kind: String,
    mailbox: Option<String>,
    #[serde(default)]
    all: bool,
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
            (None, _) if kind == K::ResourceList => Scope::All,
            (Some(mailbox), false) if kind != K::ResourceList => Scope::One(
                MailAddress::parse(mailbox)
                    .map_err(|error| Refusal::Wrong(format!("\"mailbox\" is {error}")))?,
            ),
            (None, true) => Scope::All,
            _ => {
                return Err(Refusal::Wrong(
                    "give either \"mailbox\" or \"all\": true (neither for resource_list)".to_owned(),
                ));
            }
        };
        Ok((kind, scope, by))
    }
}

/// What came as the body.
type Body = Result<web::Bytes, actix_web::Error>;

/// The body of a call; one that is too large or ended early is refused in words like any other.
fn whole(body: Body) -> Result<web::Bytes, Refusal> {
    body.map_err(|error| match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Wrong("the body cannot be read".to_owned()),
    })
}

async fn ask(request: HttpRequest, admin: web::Data<Admin>, body: Body) -> HttpResponse {
    let body = whole(body);
    perform(&request, admin, |admin| async move {
        let (kind, scope, by) = read::<Ask>(&body?)?.check()?;
        let operation = acts::ask(&admin.store, admin.allowed, kind, &scope, &by, admin.clock.now()).await?;
        told(&admin, operation.id).await
    })
    .await
}

async fn settle(
    request: HttpRequest,
    admin: web::Data<Admin>,
    path: web::Path<(String, String)>,
    body: Body,
) -> HttpResponse {
    let body = whole(body);
    perform(&request, admin, |admin| async move {
        let (run, verdict) = path.into_inner();
        let confirm = match verdict.as_str() {
            "confirm" => true,
            "reject" => false,
            _ => return Err(Refusal::Missing("a run is settled by /confirm or /reject".to_owned())),
        };
        let run: RunId = run.parse().map_err(|reason| Refusal::Wrong(format!("the run {reason}")))?;
        let by = name(&read::<Settle>(&body?)?.by)?;
        let (operation, count) = acts::settle(&admin.store, run, confirm, &by, admin.clock.now()).await?;
        let act = if confirm { "withheld confirm" } else { "withheld reject" };
        record(&admin.store, &by, act, json!({ "run": run.to_string(), "count": count })).await;
        told(&admin, operation.id).await
    })
    .await
}

/// An operation that was asked for just now.
async fn told(admin: &Admin, id: i64) -> Result<HttpResponseParts, Refusal> {
    one(admin, id).await.map(|body| HttpResponseParts::accepted(id, body))
}

async fn one(admin: &Admin, id: i64) -> Result<Value, Refusal> {
    let operation = admin.store.operation(id).await.map_err(CommandError::from)?;
    let operation = operation.ok_or(CommandError::UnknownOperation { id })?;
    let progress = admin.store.operation_progress(&operation).await.map_err(CommandError::from)?;
    Ok(acts::value(&operation, &progress))
}

async fn operation(request: HttpRequest, admin: web::Data<Admin>, path: web::Path<String>) -> HttpResponse {
    perform(&request, admin, |admin| async move {
        let id = path.into_inner();
        let id: i64 =
            id.parse().map_err(|_error| Refusal::Missing("operations are named by a number".to_owned()))?;
        one(&admin, id).await.map(HttpResponseParts::ok)
    })
    .await
}

async fn operations(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    perform(&request, admin, |admin| async move {
        let operations = admin.store.operations(SHOWN).await.map_err(CommandError::from)?;
        let mut values = Vec::with_capacity(operations.len());
        for operation in &operations {
            let progress = admin.store.operation_progress(operation).await.map_err(CommandError::from)?;
            values.push(acts::value(operation, &progress));
        }
        Ok(HttpResponseParts::ok(Value::from(values)))
    })
    .await
}

async fn runs(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    perform(&request, admin, |admin| async move {
        let runs = withheld::waiting(&admin.store, admin.clock.now()).await?;
        Ok(HttpResponseParts::ok(Value::from(runs)))
    })
    .await
}

async fn elsewhere(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    perform(&request, admin, |_admin| async { Err(Refusal::NoSuchCall) }).await
}

async fn other_method(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    perform(&request, admin, |_admin| async { Err(Refusal::OtherMethod) }).await
}
