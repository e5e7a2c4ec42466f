//! Where mailboxes live: Autodiscover, or the configured address.
//!
//! Protocol: SOAP (GetUserSettings, up to 100 mailboxes a question) at the configured service; plain XML at the
//! service beside it (one mailbox a question) when SOAP is not there or names no endpoint for a mailbox. Whether a
//! service speaks SOAP is remembered. An address that ends in `.xml` is spoken to plainly at once. What an answer
//! means and where a search goes next is decided by the pure [`answer`]; redirects lead only to https, at most ten
//! for a mailbox, of all sorts together (address, url, HTTP), and never in a circle.
//!
//! Failure: a mailbox, or a service as a whole, that failed is not asked again for
//! [`autodiscover_memory`](crate::ExchangeOptions::autodiscover_memory) (120 s); until then it fails in the same way
//! and says how long that still holds ([`memory`]). What is the account's own matter (it waits, or is refused) is not
//! remembered here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base::SharedClock;
use calendar::source::{Location, SourceErrorKind};
use calendar::{MailAddress, SourceError};
use proto_ews::autodiscover::{
    self, EXTERNAL_EWS_URL, GROUPING_INFORMATION, GetUserSettings, INTERNAL_EWS_URL, UserSettings,
};
use proto_ews::{Error as WireError, pox};
use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::classify::{self, own};
use crate::transport::{Posted, Transport};
use answer::{Dialect, Next, Safe, Search, Service};
use memory::Memory;

mod answer;
mod memory;
#[cfg(test)]
mod tests;

const OPERATION: &str = "GetUserSettings";
/// Most mailboxes of one SOAP question.
const USERS_MAX: usize = 100;
/// The grouping of mailboxes whose address is configured.
const GROUPING_CONFIGURED: &str = "configured";

/// Finds mailboxes, and remembers what failed.
pub(crate) struct Locator {
    memory: Mutex<Memory>,
    clock: SharedClock,
}

impl std::fmt::Debug for Locator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locator").finish_non_exhaustive()
    }
}

/// What a service said to a question.
enum Said {
    /// One answer for each mailbox that was asked for.
    Users(Vec<UserSettings>),
    /// The answer about the only mailbox.
    Plain(pox::PoxResponse),
    /// Ask elsewhere.
    Redirect(String),
    /// There is no SOAP here.
    NoSoap(SourceError),
}

impl Locator {
    pub(crate) fn new(lasts: Duration, clock: SharedClock) -> Self {
        Self { memory: Mutex::new(Memory::new(lasts)), clock }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no holder of this lock can panic")
    }

    fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    /// One result for each mailbox, in the same order.
    pub(crate) async fn locate(
        &self,
        transport: &Arc<Transport>,
        mailboxes: &[MailAddress],
    ) -> Vec<Result<Location, SourceError>> {
        let Some(url) = &transport.options.autodiscover_url else {
            return mailboxes.iter().map(|_| configured(transport)).collect();
        };
        let safe = Safe { without_tls: url.scheme() == "http" };
        let first = Service::configured(url);
        let mut round = Round { locator: self, mailboxes, located: Vec::new(), searches: VecDeque::new() };
        for (position, mailbox) in mailboxes.iter().enumerate() {
            let remembered = self.memory().mailbox(mailbox, self.now());
            if remembered.is_none() {
                let search = Search::new(position, first.clone(), mailbox.as_str().to_owned());
                round.searches.push_back(search);
            }
            let unanswered =
                || own(OPERATION, SourceErrorKind::BadAnswer, "no answer", "the mailbox was left out");
            round.located.push(Err(remembered.unwrap_or_else(unanswered)));
        }
        while let Some((service, searches)) = round.next_question() {
            match service.dialect {
                Dialect::Soap => round.ask(transport, &service, searches, safe).await,
                Dialect::Plain => round.ask_each(transport, &service, searches, safe).await,
            }
        }
        round.located
    }
}

/// One call of [`Locator::locate`].
struct Round<'a> {
    locator: &'a Locator,
    mailboxes: &'a [MailAddress],
    located: Vec<Result<Location, SourceError>>,
    searches: VecDeque<Search>,
}

impl Round<'_> {
    /// The searches that go to the same service next, as many as one question takes; those that the memory settles
    /// are settled.
    fn next_question(&mut self) -> Option<(Service, Vec<Search>)> {
        loop {
            let service = self.searches.front()?.service.clone();
            let mut alike = Vec::new();
            let mut others = VecDeque::new();
            for search in self.searches.drain(..) {
                if search.service == service && alike.len() < USERS_MAX {
                    alike.push(search);
                } else {
                    others.push_back(search);
                }
            }
            self.searches = others;
            let now = self.locator.now();
            let (failed, lacks_soap) = {
                let memory = self.locator.memory();
                (memory.service(&service, now), memory.lacks_soap(&service, now))
            };
            if lacks_soap {
                let error = no_soap("the service is known not to speak soap");
                for search in alike {
                    self.settle(search.position, search.without_soap(error.clone()), false);
                }
            } else if let Some(error) = failed {
                for search in alike {
                    let (position, error) = (search.position, search.failed_plainly(error.clone()));
                    self.settle(position, Err(error), false);
                }
            } else {
                return Some((service, alike));
            }
        }
    }

    /// One question for all, in SOAP.
    async fn ask(&mut self, transport: &Transport, service: &Service, searches: Vec<Search>, safe: Safe) {
        let addresses: Vec<String> = searches.iter().map(|search| search.address.clone()).collect();
        match ask_soap(transport, service, addresses).await {
            Ok(Said::Users(users)) => {
                for (search, settings) in searches.into_iter().zip(users) {
                    self.settle(search.position, search.after_soap(&settings, safe), true);
                }
            }
            Ok(said) => searches.into_iter().for_each(|search| self.said(service, search, &said, safe)),
            Err(error) => self.service_failed(service, searches, &error),
        }
    }

    /// One question for each, plainly: the first alone, since it may tell that the service is away; then the others
    /// together (the account's limit holds them back).
    async fn ask_each(
        &mut self,
        transport: &Arc<Transport>,
        service: &Service,
        mut searches: Vec<Search>,
        safe: Safe,
    ) {
        let others = searches.split_off(searches.len().min(1));
        for some in [searches, others] {
            if let Some(error) = self.locator.memory().service(service, self.locator.now()) {
                for search in some {
                    self.settle(search.position, Err(search.failed_plainly(error.clone())), false);
                }
                continue;
            }
            let mut asking = JoinSet::new();
            for search in some {
                let (transport, service) = (Arc::clone(transport), service.clone());
                asking.spawn(async move {
                    let said = ask_plainly(&transport, &service, &search.address).await;
                    (search, said)
                });
            }
            while let Some(asked) = asking.join_next().await {
                // a question that panicked leaves its mailbox without answer, which is an error already
                let Ok((search, said)) = asked else { continue };
                match said {
                    Ok(said) => self.said(service, search, &said, safe),
                    Err(error) => self.service_failed(service, vec![search], &error),
                }
            }
        }
    }

    /// What was said about one search, and maybe about others too.
    fn said(&mut self, service: &Service, search: Search, said: &Said, safe: Safe) {
        let position = search.position;
        let next = match said {
            Said::Plain(answer) => search.after_plain(answer, safe),
            Said::Redirect(target) => search.after_http_redirect(target),
            Said::NoSoap(error) => {
                self.locator.memory().no_soap(service, self.locator.now());
                search.without_soap(error.clone())
            }
            Said::Users(_) => return,
        };
        self.settle(position, next, true);
    }

    /// A question failed as a whole.
    fn service_failed(&mut self, service: &Service, searches: Vec<Search>, error: &SourceError) {
        if blames_the_service(error) {
            self.locator.memory().service_failed(service, error, self.locator.now());
        }
        for search in searches {
            let (position, error) = (search.position, search.failed_plainly(error.clone()));
            self.settle(position, Err(error), false);
        }
    }

    fn settle(&mut self, position: usize, next: Result<Next, SourceError>, remember: bool) {
        match next {
            Ok(Next::Ask(search)) => self.searches.push_back(search),
            Ok(Next::Located(location)) => self.located[position] = Ok(location),
            Err(error) => {
                if remember {
                    let now = self.locator.now();
                    self.locator.memory().mailbox_failed(&self.mailboxes[position], &error, now);
                }
                self.located[position] = Err(error);
            }
        }
    }
}

fn configured(transport: &Transport) -> Result<Location, SourceError> {
    let url = transport.options.service_url.as_ref();
    url.map(|url| Location { endpoint: url.to_string(), grouping: GROUPING_CONFIGURED.to_owned() })
        .ok_or_else(|| answer::no_endpoint("no address is configured"))
}

fn bad(code: &str, text: &str) -> SourceError {
    own(OPERATION, SourceErrorKind::BadAnswer, code, text)
}

fn no_soap(text: &str) -> SourceError {
    own(OPERATION, SourceErrorKind::Rediscover, "no soap", text)
}

/// Did the service fail, and not the account: one that waits, is missing, or is refused? A refused account has a pause
/// of its own, and what helps it (another password) must help at once.
fn blames_the_service(error: &SourceError) -> bool {
    error.kind != SourceErrorKind::Credentials
        && !matches!(error.code.as_str(), classify::BACK_OFF | classify::NO_ACCOUNT)
}

/// Does this code of a failed call mean that SOAP is not there?
fn means_no_soap(code: &str) -> bool {
    matches!(code, "HTTP 404" | "HTTP 405" | "HTTP 410" | "HTTP 415" | "HTTP 501")
}

async fn ask_soap(
    transport: &Transport,
    service: &Service,
    addresses: Vec<String>,
) -> Result<Said, SourceError> {
    let asked = addresses.len();
    let request = GetUserSettings {
        server_version: Some("Exchange2013".to_owned()),
        to: Some(service.url.to_string()),
        mailboxes: addresses,
        settings: [EXTERNAL_EWS_URL, INTERNAL_EWS_URL, GROUPING_INFORMATION].map(str::to_owned).to_vec(),
    };
    let body = autodiscover::encode_request(&request)
        .map_err(|error| own(OPERATION, SourceErrorKind::OwnBug, "not encoded", &error.to_string()))?;
    let (status, bytes) = match transport.post(OPERATION, &service.url, body).await {
        Ok(Posted::Answer { status, body }) => (status, body),
        Ok(Posted::Redirect(target)) => return Ok(Said::Redirect(target)),
        Err(error) if means_no_soap(&error.code) => return Ok(Said::NoSoap(error)),
        Err(error) => return Err(error),
    };
    let answer = match autodiscover::decode_response(&bytes, transport.limits()) {
        Ok(Ok(answer)) => answer,
        Ok(Err(fault)) => {
            let code = fault.code.local.trim();
            if matches!(code, "ActionNotSupported" | "EndpointNotFound" | "DestinationUnreachable") {
                return Ok(Said::NoSoap(own(OPERATION, SourceErrorKind::Rediscover, code, &fault.string)));
            }
            return Err(own(OPERATION, fault_kind(code), code, &fault.string));
        }
        Err(WireError::UnknownOperation { .. }) => {
            return Ok(Said::NoSoap(no_soap("the answer is of another service")));
        }
        Err(error) if status == StatusCode::INTERNAL_SERVER_ERROR => {
            return Err(own(OPERATION, SourceErrorKind::Unavailable, "HTTP 500", &error.to_string()));
        }
        Err(error) => return Err(bad("malformed", &error.to_string())),
    };
    if answer.error_code != "NoError" {
        let kind = fault_kind(&answer.error_code);
        return Err(own(OPERATION, kind, &answer.error_code, &answer.error_message));
    }
    if answer.users.len() != asked {
        return Err(bad("wrong count", "not one answer for each mailbox"));
    }
    Ok(Said::Users(answer.users))
}

async fn ask_plainly(transport: &Transport, service: &Service, address: &str) -> Result<Said, SourceError> {
    let body = pox::encode_request(address)
        .map_err(|error| own(OPERATION, SourceErrorKind::OwnBug, "not encoded", &error.to_string()))?;
    let (status, bytes) = match transport.post(OPERATION, &service.url, body).await? {
        Posted::Answer { status, body } => (status, body),
        Posted::Redirect(target) => return Ok(Said::Redirect(target)),
    };
    match pox::decode_response(&bytes, transport.limits()) {
        Ok(answer) => Ok(Said::Plain(answer)),
        Err(error) if status == StatusCode::INTERNAL_SERVER_ERROR => {
            Err(own(OPERATION, SourceErrorKind::Unavailable, "HTTP 500", &error.to_string()))
        }
        Err(error) => Err(bad("malformed", &error.to_string())),
    }
}

/// A fault of Autodiscover says little; one that nobody knows is waited out.
fn fault_kind(code: &str) -> SourceErrorKind {
    match classify::kind_of(code) {
        SourceErrorKind::Unknown => SourceErrorKind::Unavailable,
        known => known,
    }
}
