//! Autodiscover's GetUserSettings: where a mailbox is served, and which mailboxes may share a stream.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use proto_ews::Limits;
use proto_ews::autodiscover::{
    EXTERNAL_EWS_URL, GROUPING_INFORMATION, GetUserSettingsResponse, INTERNAL_EWS_URL, SettingError,
    UserOutcome, UserSettings, decode_request, encode_response,
};
use simulator_kit::reply;

use crate::faults::Fault;
use crate::ids::MailboxKey;
use crate::mailbox::Access;
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
    if server::account(&service, &request).is_none() {
        return server::unauthorized();
    }
    let asked = decode_request(&body, Limits::standard().with_bytes(REQUEST_BYTES_MAX));
    let Ok(asked) = asked else { return send(&Err(internal_fault())) };
    service.world().count_request("GetUserSettings");
    let concerned: Vec<&str> = asked.mailboxes.iter().map(String::as_str).collect();
    match service.draw("GetUserSettings", &concerned) {
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Http503) => return server::http_503(),
        Some(Fault::Unauthorized) => return server::unauthorized(),
        Some(Fault::Disconnect | Fault::DisconnectAfter) => return server::cut(),
        Some(Fault::Malformed) => return reply::xml(StatusCode::OK, "<s:Envelope xmlns:s=\"http"),
        Some(_) => return send(&Err(internal_fault())),
        None => {}
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

fn settings(service: &Service, host: &str, address: &str, asked: &[String]) -> UserSettings {
    let world = service.world();
    let mailbox = world.mailboxes.get(&MailboxKey::of(address));
    let Some(mailbox) = mailbox.filter(|mailbox| mailbox.access != Access::Missing) else {
        return UserSettings {
            outcome: UserOutcome::Failed("InvalidUser".into()),
            error_message: "Invalid user.".into(),
            ..UserSettings::default()
        };
    };
    let value = |name: &str| match name {
        EXTERNAL_EWS_URL | INTERNAL_EWS_URL => Some(format!("http://{host}/EWS/Exchange.asmx")),
        GROUPING_INFORMATION => Some(service.options.grouping(mailbox.group)),
        "UserDisplayName" => Some(mailbox.address().to_owned()),
        _ => None,
    };
    let mut user = UserSettings { error_message: "No error.".into(), ..UserSettings::default() };
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
    match encode_response(answer) {
        Ok(text) => reply::xml(status, text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "an answer could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
