//! What Autodiscover refused lately (B12): a mailbox or a service that failed is not asked again for a while, so that
//! nobody hammers. Pure: time comes in.
//!
//! Bounded: what is out of date goes first; when there is still no room everything is forgotten, which only means
//! that somebody is asked once more.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use calendar::{MailAddress, SourceError};

use super::answer::Service;

/// Most mailboxes and most services that are remembered.
const MAILBOXES_MAX: usize = 100_000;
const SERVICES_MAX: usize = 1_000;
/// How long it is remembered that a service does not speak SOAP.
const WITHOUT_SOAP: Duration = Duration::from_secs(3_600);

/// The memory.
#[derive(Debug)]
pub(super) struct Memory {
    lasts: Duration,
    mailboxes: HashMap<MailAddress, Failed>,
    services: HashMap<Service, Failed>,
    without_soap: HashMap<Service, Instant>,
}

#[derive(Debug)]
struct Failed {
    until: Instant,
    error: SourceError,
}

impl Failed {
    fn told(&self, now: Instant) -> Option<SourceError> {
        let left = self.until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        let after = self.error.after.map_or(left, |after| after.max(left));
        Some(SourceError { after: Some(after), ..self.error.clone() })
    }
}

impl Memory {
    /// Remembers failures for `lasts`.
    pub(super) fn new(lasts: Duration) -> Self {
        Self { lasts, mailboxes: HashMap::new(), services: HashMap::new(), without_soap: HashMap::new() }
    }

    /// The failure that holds for a mailbox, with the time that it still holds.
    pub(super) fn mailbox(&self, mailbox: &MailAddress, now: Instant) -> Option<SourceError> {
        self.mailboxes.get(mailbox)?.told(now)
    }

    /// The failure that holds for a service.
    pub(super) fn service(&self, service: &Service, now: Instant) -> Option<SourceError> {
        self.services.get(service)?.told(now)
    }

    /// Is it known that this service does not speak SOAP?
    pub(super) fn lacks_soap(&self, service: &Service, now: Instant) -> bool {
        self.without_soap.get(service).is_some_and(|until| now < *until)
    }

    /// A mailbox failed.
    pub(super) fn mailbox_failed(&mut self, mailbox: &MailAddress, error: &SourceError, now: Instant) {
        let failed = Failed { until: now + self.lasts, error: error.clone() };
        remember(&mut self.mailboxes, MAILBOXES_MAX, mailbox.clone(), failed, |one| now < one.until);
    }

    /// A service failed as a whole.
    pub(super) fn service_failed(&mut self, service: &Service, error: &SourceError, now: Instant) {
        let failed = Failed { until: now + self.lasts, error: error.clone() };
        remember(&mut self.services, SERVICES_MAX, service.clone(), failed, |one| now < one.until);
    }

    /// A service does not speak SOAP.
    pub(super) fn no_soap(&mut self, service: &Service, now: Instant) {
        let until = now + WITHOUT_SOAP;
        remember(&mut self.without_soap, SERVICES_MAX, service.clone(), until, |one| now < *one);
    }
}

fn remember<K: Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    most: usize,
    key: K,
    value: V,
    holds: impl Fn(&V) -> bool,
) {
    if map.len() >= most && !map.contains_key(&key) {
        map.retain(|_, value| holds(value));
        if map.len() >= most {
            map.clear();
        }
    }
    map.insert(key, value);
}

#[cfg(test)]
mod tests;
