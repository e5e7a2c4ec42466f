//! Where mailboxes live: Autodiscover's GetUserSettings, up to 100 mailboxes a call, or the configured
//! address.
//!
//! Redirects are followed a bounded number of times: to another address of the same person at the same
//! service, or to another service, which must speak https: the account's password goes with the
//! request. An endpoint must speak https too, unless Autodiscover itself was configured without.

use std::collections::VecDeque;

use calendar::source::{Location, SourceErrorKind};
use calendar::{MailAddress, SourceError};
use proto_ews::autodiscover::{
    self, EXTERNAL_EWS_URL, GROUPING_INFORMATION, GetUserSettings, INTERNAL_EWS_URL, UserOutcome,
    UserSettings,
};
use reqwest::StatusCode;
use url::Url;

use crate::classify::{self, own};
use crate::transport::Transport;

#[cfg(test)]
mod tests;

const OPERATION: &str = "GetUserSettings";
/// Most mailboxes of one call.
const USERS_MAX: usize = 100;
/// Most redirects of one mailbox, of both sorts together.
const REDIRECTS_MAX: u32 = 10;
/// The grouping of mailboxes whose address is configured, or whose server names none.
const GROUPING_CONFIGURED: &str = "configured";
const GROUPING_NONE: &str = "none";
/// Longest grouping value that is believed.
const GROUPING_MAX: usize = 500;

/// Some mailboxes that are asked for at one service.
struct Question {
    url: Url,
    redirects: u32,
    /// Position in the caller's list and the address to ask for.
    users: Vec<(usize, String)>,
}

pub(crate) async fn locate(
    transport: &Transport,
    mailboxes: &[MailAddress],
) -> Vec<Result<Location, SourceError>> {
    let Some(autodiscover_url) = &transport.options.autodiscover_url else {
        return mailboxes.iter().map(|_| configured(transport)).collect();
    };
    let unanswered =
        || Err(own(OPERATION, SourceErrorKind::BadAnswer, "no answer", "the mailbox was left out"));
    let mut located: Vec<Result<Location, SourceError>> = mailboxes.iter().map(|_| unanswered()).collect();
    let all: Vec<(usize, String)> =
        mailboxes.iter().enumerate().map(|(n, mail)| (n, mail.as_str().to_owned())).collect();
    let mut questions: VecDeque<Question> = all
        .chunks(USERS_MAX)
        .map(|users| Question { url: autodiscover_url.clone(), redirects: 0, users: users.to_vec() })
        .collect();
    while let Some(question) = questions.pop_front() {
        let users = match ask(transport, &question).await {
            Ok(users) => users,
            Err(error) => {
                for (position, _) in &question.users {
                    located[*position] = Err(error.clone());
                }
                continue;
            }
        };
        for ((position, address), settings) in question.users.iter().zip(users) {
            match answer_of(&settings, autodiscover_url, question.redirects) {
                Ok(Next::Located(location)) => located[*position] = Ok(location),
                Ok(Next::Ask { url, address: other }) => questions.push_back(Question {
                    url: url.unwrap_or_else(|| question.url.clone()),
                    redirects: question.redirects + 1,
                    users: vec![(*position, other.unwrap_or_else(|| address.clone()))],
                }),
                Err(error) => located[*position] = Err(error),
            }
        }
    }
    located
}

fn configured(transport: &Transport) -> Result<Location, SourceError> {
    let url = transport.options.service_url.as_ref();
    url.map(|url| Location { endpoint: url.to_string(), grouping: GROUPING_CONFIGURED.to_owned() })
        .ok_or_else(|| no_endpoint("no address is configured"))
}

/// Code [`NO_ENDPOINT`](crate::classify::NO_ENDPOINT): the mailbox is known, but not where it is served.
fn no_endpoint(text: &str) -> SourceError {
    own(OPERATION, SourceErrorKind::Mailbox, classify::NO_ENDPOINT, text)
}

async fn ask(transport: &Transport, question: &Question) -> Result<Vec<UserSettings>, SourceError> {
    let request = GetUserSettings {
        server_version: Some("Exchange2013".to_owned()),
        to: Some(question.url.to_string()),
        mailboxes: question.users.iter().map(|(_, address)| address.clone()).collect(),
        settings: [EXTERNAL_EWS_URL, INTERNAL_EWS_URL, GROUPING_INFORMATION].map(str::to_owned).to_vec(),
    };
    let bad = |code, text: &str| own(OPERATION, SourceErrorKind::BadAnswer, code, text);
    let body = autodiscover::encode_request(&request)
        .map_err(|error| own(OPERATION, SourceErrorKind::OwnBug, "not encoded", &error.to_string()))?;
    let (status, bytes) = transport.post(OPERATION, question.url.as_str(), body).await?;
    let answer = match autodiscover::decode_response(&bytes, transport.limits()) {
        Ok(Ok(answer)) => answer,
        Ok(Err(fault)) => {
            let code = fault.code.local.trim();
            return Err(own(OPERATION, fault_kind(code), code, &fault.string));
        }
        Err(error) if status == StatusCode::INTERNAL_SERVER_ERROR => {
            return Err(own(OPERATION, SourceErrorKind::Unavailable, "HTTP 500", &error.to_string()));
        }
        Err(error) => return Err(bad("malformed", &error.to_string())),
    };
    if answer.error_code != "NoError" {
        let kind = classify::kind_of(&answer.error_code);
        return Err(own(OPERATION, kind, &answer.error_code, &answer.error_message));
    }
    if answer.users.len() != question.users.len() {
        return Err(bad("wrong count", "not one answer for each mailbox"));
    }
    Ok(answer.users)
}

/// A fault of Autodiscover says little; one that nobody knows is waited out.
fn fault_kind(code: &str) -> SourceErrorKind {
    match classify::kind_of(code) {
        SourceErrorKind::Unknown => SourceErrorKind::Unavailable,
        known => known,
    }
}

/// What the answer about one mailbox leads to.
#[derive(Debug, PartialEq)]
enum Next {
    Located(Location),
    Ask { url: Option<Url>, address: Option<String> },
}

/// Pure: what the answer about one mailbox means.
fn answer_of(settings: &UserSettings, autodiscover_url: &Url, redirects: u32) -> Result<Next, SourceError> {
    let follow = |next| {
        if redirects < REDIRECTS_MAX {
            return Ok(next);
        }
        Err(own(
            OPERATION,
            SourceErrorKind::Mailbox,
            "too many redirects",
            "autodiscover redirects in circles",
        ))
    };
    match &settings.outcome {
        UserOutcome::Found => located(settings, autodiscover_url).map(Next::Located),
        UserOutcome::RedirectAddress(address) => {
            let address = MailAddress::parse(address).map_err(|_| {
                own(OPERATION, SourceErrorKind::Mailbox, "bad redirect", "redirected to what is no address")
            })?;
            follow(Next::Ask { url: None, address: Some(address.into()) })
        }
        UserOutcome::RedirectUrl(url) => {
            let url = Url::parse(url).ok().filter(|url| url.scheme() == "https" && url.has_host());
            let url = url.ok_or_else(|| {
                own(
                    OPERATION,
                    SourceErrorKind::Mailbox,
                    "bad redirect",
                    "redirected to what is no https address",
                )
            })?;
            follow(Next::Ask { url: Some(url), address: None })
        }
        UserOutcome::Failed(code) => {
            let kind = match classify::kind_of(code) {
                SourceErrorKind::Unknown => SourceErrorKind::Mailbox,
                kind => kind,
            };
            Err(own(OPERATION, kind, code, &settings.error_message))
        }
    }
}

fn located(settings: &UserSettings, autodiscover_url: &Url) -> Result<Location, SourceError> {
    let text = settings
        .get(EXTERNAL_EWS_URL)
        .or_else(|| settings.get(INTERNAL_EWS_URL))
        .ok_or_else(|| no_endpoint("autodiscover names no ews address"))?;
    let url = Url::parse(text).ok().filter(Url::has_host);
    let url = url.ok_or_else(|| no_endpoint("autodiscover names something that is no address"))?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && autodiscover_url.scheme() == "http");
    if !safe {
        return Err(no_endpoint("autodiscover names an address without tls, the password would be readable"));
    }
    let grouping = settings.get(GROUPING_INFORMATION).unwrap_or(GROUPING_NONE);
    let grouping = grouping.chars().take(GROUPING_MAX).collect();
    Ok(Location { endpoint: url.to_string(), grouping })
}
