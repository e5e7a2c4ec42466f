//! Addresses of services: few, stored as texts beside each mailbox, and each is parsed once and not with every call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use calendar::SourceError;
use calendar::source::SourceErrorKind;
use url::Url;

use crate::classify::own;

#[cfg(test)]
mod tests;

/// Most addresses that are kept; with more of them all are parsed anew.
const KEPT_MAX: usize = 256;
/// Longest name of a service whose address is none, in characters.
const SERVICE_MAX: usize = 200;

/// An address of a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: Option<Url>,
    /// Which service it belongs to: scheme, host and port. What is no address is a service of its own.
    pub(crate) service: String,
}

impl Endpoint {
    fn parse(text: &str) -> Self {
        let url = Url::parse(text).ok().filter(can_be_called);
        let service = url.as_ref().and_then(service_of);
        Self { service: service.unwrap_or_else(|| text.chars().take(SERVICE_MAX).collect()), url }
    }

    /// Where to send to; an error when it is no address.
    pub(crate) fn url(&self, operation: &'static str) -> Result<&Url, SourceError> {
        let text = "the stored address of the service is no http or https address";
        self.url.as_ref().ok_or_else(|| own(operation, SourceErrorKind::Rediscover, "no connection", text))
    }
}

fn can_be_called(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Which service an address belongs to.
fn service_of(url: &Url) -> Option<String> {
    let origin = url.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// The addresses in use.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(Mutex<HashMap<String, Arc<Endpoint>>>);

impl Endpoints {
    /// What stands in `text`.
    pub(crate) fn of(&self, text: &str) -> Arc<Endpoint> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(text) {
            return Arc::clone(found);
        }
        let endpoint = Arc::new(Endpoint::parse(text));
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(text.to_owned(), Arc::clone(&endpoint));
        endpoint
    }
}
