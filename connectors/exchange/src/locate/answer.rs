//! What an answer of Autodiscover means, in either dialect, and where a search goes next. Pure.
//!
//! The account's password goes with every question, so a search follows redirects only to https, only so many, and
//! never twice to the same question.

use calendar::source::{Location, SourceErrorKind};
use calendar::{MailAddress, SourceError};
use proto_ews::autodiscover::{
    EXTERNAL_EWS_URL, GROUPING_INFORMATION, INTERNAL_EWS_URL, UserOutcome, UserSettings,
};
use proto_ews::pox::PoxResponse;
use url::Url;

use super::OPERATION;
use crate::classify::{self, own};

/// Most redirects of one mailbox, of all sorts together.
pub(super) const REDIRECTS_MAX: u32 = 10;
/// The grouping of mailboxes whose server names none.
pub(super) const GROUPING_NONE: &str = "none";
/// Longest grouping value that is believed.
const GROUPING_MAX: usize = 500;
/// Longest address of a service that is believed.
const URL_MAX: usize = 2_000;

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Dialect {
    /// SOAP: many mailboxes a question.
    Soap,
    /// Plain XML: one mailbox a question.
    Plain,
}

impl Dialect {
    /// The dialect that an address stands for: what ends in `.xml` is plain, what ends in `.svc` is SOAP, and
    /// anything else is spoken to as before.
    pub(super) fn of(url: &Url, before: Self) -> Self {
        let path = url.path().to_ascii_lowercase();
        if path.ends_with(".xml") {
            Self::Plain
        } else if path.ends_with(".svc") {
            Self::Soap
        } else {
            before
        }
    }
}

/// A service in one dialect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Service {
    pub(super) url: Url,
    pub(super) dialect: Dialect,
}

impl Service {
    /// The service that a configured address stands for.
    pub(super) fn configured(url: &Url) -> Self {
        Self { url: url.clone(), dialect: Dialect::of(url, Dialect::Soap) }
    }

    /// The plain service beside a SOAP one; `None` beside a plain one.
    pub(super) fn plain_beside(&self) -> Option<Self> {
        if self.dialect == Dialect::Plain {
            return None;
        }
        let mut url = self.url.clone();
        url.set_path("/autodiscover/autodiscover.xml");
        url.set_query(None);
        Some(Self { url, dialect: Dialect::Plain })
    }
}

/// The search for one mailbox.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Position in the caller's list.
    pub(super) position: usize,
    /// Whom to ask next.
    pub(super) service: Service,
    /// The address to ask for.
    pub(super) address: String,
    redirects: u32,
    asked: Vec<(Service, String)>,
    /// What SOAP said before the plain service was asked; tells more than the plain one's refusal.
    without_endpoint: Option<SourceError>,
}

/// What a search leads to.
#[derive(Debug)]
pub(super) enum Next {
    /// Found.
    Located(Location),
    /// Ask on.
    Ask(Search),
}

impl Search {
    /// A search that begins at `service`.
    pub(super) fn new(position: usize, service: Service, address: String) -> Self {
        Self { position, service, address, redirects: 0, asked: Vec::new(), without_endpoint: None }
    }

    /// What a mailbox of a SOAP answer leads to.
    pub(super) fn after_soap(self, settings: &UserSettings, safe: Safe) -> Result<Next, SourceError> {
        match &settings.outcome {
            UserOutcome::Found => {
                let url = settings.get(EXTERNAL_EWS_URL).or_else(|| settings.get(INTERNAL_EWS_URL));
                match location(url, settings.get(GROUPING_INFORMATION), safe) {
                    Ok(location) => Ok(Next::Located(location)),
                    Err(error) => self.ask_plainly(error),
                }
            }
            UserOutcome::RedirectAddress(address) => self.sent_to_address(address),
            UserOutcome::RedirectUrl(url) => self.sent_to_url(url),
            UserOutcome::Failed(code) => {
                let kind = match classify::kind_of(code) {
                    SourceErrorKind::Unknown => SourceErrorKind::Mailbox,
                    kind => kind,
                };
                Err(own(OPERATION, kind, code, &settings.error_message))
            }
        }
    }

    /// What a plain answer leads to.
    pub(super) fn after_plain(self, answer: &PoxResponse, safe: Safe) -> Result<Next, SourceError> {
        match answer {
            PoxResponse::Settings(settings) => {
                let url = settings.external_ews_url.as_deref().or(settings.internal_ews_url.as_deref());
                location(url, settings.grouping_information.as_deref(), safe)
                    .map(Next::Located)
                    .map_err(|error| self.without_endpoint.unwrap_or(error))
            }
            PoxResponse::RedirectAddress(address) => self.sent_to_address(address),
            PoxResponse::RedirectUrl(url) => self.sent_to_url(url),
            PoxResponse::Failed { code, message } => Err(self.without_endpoint.unwrap_or_else(|| {
                let code = format!("autodiscover {code}");
                own(OPERATION, SourceErrorKind::Mailbox, &code, message)
            })),
        }
    }

    /// What the failure of a plain service means for a search that SOAP sent there.
    pub(super) fn failed_plainly(self, error: SourceError) -> SourceError {
        self.without_endpoint.unwrap_or(error)
    }

    /// An answer of HTTP that says to ask elsewhere.
    pub(super) fn after_http_redirect(self, target: &str) -> Result<Next, SourceError> {
        match self.service.url.join(target) {
            Ok(url) => self.sent_to_url(url.as_str()),
            Err(_) => Err(bad_redirect("redirected to what is no address")),
        }
    }

    /// The service does not speak SOAP: the plain one beside it is asked.
    pub(super) fn without_soap(mut self, error: SourceError) -> Result<Next, SourceError> {
        self.service = self.service.plain_beside().ok_or(error)?;
        Ok(Next::Ask(self))
    }

    /// SOAP named no endpoint.
    fn ask_plainly(mut self, error: SourceError) -> Result<Next, SourceError> {
        let Some(plain) = self.service.plain_beside().filter(|_| self.without_endpoint.is_none()) else {
            return Err(self.without_endpoint.unwrap_or(error));
        };
        self.without_endpoint = Some(error);
        self.asked.push((self.service.clone(), self.address.clone()));
        self.service = plain;
        Ok(Next::Ask(self))
    }

    fn sent_to_address(self, address: &str) -> Result<Next, SourceError> {
        let address =
            MailAddress::parse(address).map_err(|_| bad_redirect("redirected to what is no mail address"))?;
        let service = self.service.clone();
        self.redirected(service, address.into())
    }

    fn sent_to_url(self, url: &str) -> Result<Next, SourceError> {
        let url = trusted_url(url)
            .filter(|url| url.scheme() == "https")
            .ok_or_else(|| bad_redirect("redirected to what is no https address"))?;
        let dialect = Dialect::of(&url, self.service.dialect);
        let address = self.address.clone();
        self.redirected(Service { url, dialect }, address)
    }

    fn redirected(mut self, service: Service, address: String) -> Result<Next, SourceError> {
        self.asked.push((self.service, self.address));
        self.redirects += 1;
        let circle = self.asked.iter().any(|(one, who)| *one == service && *who == address);
        if circle || self.redirects > REDIRECTS_MAX {
            let (code, text) = if circle {
                ("redirected in a circle", "autodiscover redirects to what was asked before")
            } else {
                ("too many redirects", "autodiscover redirects more than ten times")
            };
            return Err(own(OPERATION, SourceErrorKind::Mailbox, code, text));
        }
        self.service = service;
        self.address = address;
        Ok(Next::Ask(self))
    }
}

/// May an endpoint be spoken to without TLS? Only where Autodiscover itself is (simulators): otherwise the
/// password would be readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Safe {
    /// Yes.
    pub(super) without_tls: bool,
}

fn bad_redirect(text: &str) -> SourceError {
    own(OPERATION, SourceErrorKind::Mailbox, "bad redirect", text)
}

/// Code [`NO_ENDPOINT`](classify::NO_ENDPOINT): the mailbox is known, but not where it is served.
pub(super) fn no_endpoint(text: &str) -> SourceError {
    own(OPERATION, SourceErrorKind::Mailbox, classify::NO_ENDPOINT, text)
}

/// An address with a host, without a name or password in it, and of a sensible length.
fn trusted_url(text: &str) -> Option<Url> {
    let text = text.trim();
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_MAX)?;
    (url.has_host() && url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn location(url: Option<&str>, grouping: Option<&str>, safe: Safe) -> Result<Location, SourceError> {
    let text = url.ok_or_else(|| no_endpoint("autodiscover names no ews address"))?;
    let url = trusted_url(text).filter(|url| matches!(url.scheme(), "https" | "http"));
    let url = url.ok_or_else(|| no_endpoint("autodiscover names something that is no address"))?;
    if url.scheme() != "https" && !safe.without_tls {
        return Err(no_endpoint("autodiscover names an address without tls, the password would be readable"));
    }
    let grouping: String =
        grouping.unwrap_or_default().chars().filter(|c| !c.is_control()).take(GROUPING_MAX).collect();
    let grouping = if grouping.trim().is_empty() { GROUPING_NONE.to_owned() } else { grouping };
    Ok(Location { endpoint: url.to_string(), grouping })
}

#[cfg(test)]
mod tests;
