//! Autodiscover: where a mailbox is served, and which mailboxes may share a stream; in SOAP (GetUserSettings, many
//! mailboxes a question) and plainly (one).

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use proto_ews::autodiscover::{
    EXTERNAL_EWS_URL, GROUPING_INFORMATION, GetUserSettingsResponse, INTERNAL_EWS_URL, SettingError,
    UserOutcome, UserSettings, decode_request, encode_response,
};
use proto_ews::pox::{self, PoxResponse, PoxSettings};
use proto_ews::{Error, Limits};
use simulator_kit::reply;

use crate::faults::{Fault, PLAIN_AUTODISCOVER};
use crate::ids::MailboxKey;
use crate::logon;
use crate::mailbox::{Access, Discovery, Mailbox};
use crate::server::{self, REQUEST_BYTES_MAX};
use crate::service::Service;

/// Users in one request, at most (Exchange's limit).
const USERS_MAX: usize = 100;
/// Namespace of WCF's own fault codes.
const DISPATCHER_NS: &str =
    "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher";

/// `POST /autodiscover/autodiscover.svc`.
pub async fn get_user_settings(
    request: HttpRequest,
    body: web::Bytes,
    service: web::Data<Service>,
) -> HttpResponse {
    if let Err(answer) = logon::account(&service, &request) {
        return *answer;
    }
    let asked = decode_request(&body, Limits::standard().with_bytes(REQUEST_BYTES_MAX));
    let Ok(asked) = asked else { return send(&Err(internal_fault())) };
    let concerned: Vec<&str> = asked.mailboxes.iter().map(String::as_str).collect();
    match spoiled(&service, "GetUserSettings", &concerned).await {
        Spoiled::No => {}
        Spoiled::By(answer) => return answer,
        Spoiled::Otherwise => return send(&Err(internal_fault())),
    }
    if asked.mailboxes.len() > USERS_MAX {
        return send(&Ok(GetUserSettingsResponse {
            error_code: "InvalidRequest".into(),
            error_message: format!("The number of users exceeds the maximum of {USERS_MAX}."),
            users: Vec::new(),
        }));
    }
    let host = request.connection_info().host().to_owned();
    let user = |address: &String| settings(&service, &host, address, &asked.settings);
    send(&Ok(GetUserSettingsResponse {
        error_code: "NoError".into(),
        error_message: String::new(),
        users: asked.mailboxes.iter().map(user).collect(),
    }))
}

/// `POST /autodiscover/autodiscover.xml`. Errors come with 200 (field note 43).
pub async fn plainly(request: HttpRequest, body: web::Bytes, service: web::Data<Service>) -> HttpResponse {
    if let Err(answer) = logon::account(&service, &request) {
        return *answer;
    }
    let asked = pox::decode_request(&body, Limits::standard().with_bytes(REQUEST_BYTES_MAX));
    let address = asked.as_deref().unwrap_or_default();
    match spoiled(&service, PLAIN_AUTODISCOVER, &[address]).await {
        Spoiled::No => {}
        Spoiled::By(answer) => return answer,
        Spoiled::Otherwise => return HttpResponse::InternalServerError().finish(),
    }
    let failed =
        |code: &str, message: &str| PoxResponse::Failed { code: code.into(), message: message.into() };
    let answer = if asked.is_err() {
        failed("600", "Invalid Request")
    } else {
        plain_settings(&service, request.connection_info().host(), address)
            .unwrap_or_else(|| failed("500", "The email address can't be found."))
    };
    written(StatusCode::OK, pox::encode_response(address, &answer))
}

/// What a fault makes of a question.
enum Spoiled {
    /// Nothing.
    No,
    /// This answer.
    By(HttpResponse),
    /// A failure in the service's own words.
    Otherwise,
}

async fn spoiled(service: &Service, operation: &str, concerned: &[&str]) -> Spoiled {
    service.world().count_request(operation);
    match service.draw(operation, concerned) {
        None => return Spoiled::No,
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Http503) => return Spoiled::By(server::http_503()),
        Some(Fault::NotFound) => return Spoiled::By(HttpResponse::NotFound().finish()),
        Some(Fault::Unauthorized) => return Spoiled::By(logon::offers(service)),
        Some(Fault::Disconnect | Fault::DisconnectAfter) => return Spoiled::By(server::cut()),
        Some(Fault::Malformed) => {
            return Spoiled::By(reply::xml(StatusCode::OK, "<s:Envelope xmlns:s=\"http"));
        }
        Some(_) => return Spoiled::Otherwise,
    }
    Spoiled::No
}

/// The endpoint of a mailbox, for who asked at `asked` (with its port): that of its own host where it has one.
fn endpoint(service: &Service, asked: &str, mailbox: &Mailbox) -> String {
    let host = match (&mailbox.host, asked.rsplit_once(':')) {
        (Some(own), Some((_, port))) => format!("{own}:{port}"),
        (Some(own), None) => own.clone(),
        (None, _) => asked.to_owned(),
    };
    let scheme = if service.options.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{host}/EWS/Exchange.asmx")
}

/// What the plain service says about a mailbox; `None` for one that it does not know.
fn plain_settings(service: &Service, host: &str, address: &str) -> Option<PoxResponse> {
    let world = service.world();
    let mailbox = world.mailboxes.get(&MailboxKey::of(address));
    let mailbox = mailbox.filter(|mailbox| mailbox.access != Access::Missing)?;
    Some(match &mailbox.discovery {
        Discovery::RedirectAddress(to) => PoxResponse::RedirectAddress(to.clone()),
        Discovery::RedirectUrl(to) => PoxResponse::RedirectUrl(to.clone()),
        Discovery::NoEndpoint => PoxResponse::Settings(PoxSettings::default()),
        Discovery::Full | Discovery::NoEndpointInSoap => PoxResponse::Settings(PoxSettings {
            external_ews_url: Some(endpoint(service, host, mailbox)),
            internal_ews_url: Some(endpoint(service, host, mailbox)),
            grouping_information: Some(service.options.grouping(mailbox.group)),
        }),
    })
}

fn settings(service: &Service, host: &str, address: &str, asked: &[String]) -> UserSettings {
    let world = service.world();
    let said = |outcome, words: &str| UserSettings {
        outcome,
        error_message: words.into(),
        ..UserSettings::default()
    };
    let mailbox = world.mailboxes.get(&MailboxKey::of(address));
    let Some(mailbox) = mailbox.filter(|mailbox| mailbox.access != Access::Missing) else {
        return said(UserOutcome::Failed("InvalidUser".into()), "Invalid user.");
    };
    let named = match &mailbox.discovery {
        Discovery::RedirectAddress(to) => {
            return said(UserOutcome::RedirectAddress(to.clone()), "Redirected.");
        }
        Discovery::RedirectUrl(to) => return said(UserOutcome::RedirectUrl(to.clone()), "Redirected."),
        Discovery::Full => true,
        Discovery::NoEndpoint | Discovery::NoEndpointInSoap => false,
    };
    let value = |name: &str| match name {
        EXTERNAL_EWS_URL | INTERNAL_EWS_URL => named.then(|| endpoint(service, host, mailbox)),
        GROUPING_INFORMATION => Some(service.options.grouping(mailbox.group)),
        "UserDisplayName" => Some(mailbox.address().to_owned()),
        _ => None,
    };
    let mut user = said(UserOutcome::Found, "No error.");
    for name in asked {
        match value(name) {
            Some(value) => user.settings.push((name.clone(), value)),
            None => user.setting_errors.push(SettingError {
                error_code: "SettingIsNotAvailable".into(),
                error_message: format!("User setting '{name}' is not available. "),
                setting_name: name.clone(),
            }),
        }
    }
    user
}

fn internal_fault() -> proto_soap::Fault {
    proto_soap::Fault {
        code: proto_soap::FaultCode {
            namespace: Some(DISPATCHER_NS.into()),
            local: "InternalServiceFault".into(),
        },
        string: "The server was unable to process the request due to an internal error.".into(),
        lang: Some("en-US".into()),
        ..proto_soap::Fault::default()
    }
}

fn send(answer: &Result<GetUserSettingsResponse, proto_soap::Fault>) -> HttpResponse {
    let status = match answer {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    written(status, encode_response(answer))
}

fn written(status: StatusCode, text: Result<String, Error>) -> HttpResponse {
    match text {
        Ok(text) => reply::xml(status, text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "an answer could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
