//! Where an account's name or password is refused (B12). Pure: time comes in as a value.
//!
//! A refusal (HTTP 401) is a matter of the service that said it: a proxy of one endpoint may be out of order, or a
//! mailbox moved to a forest that does not know the account, and all others take it as before. So each service (scheme,
//! host and port) has a pause of its own. When two of them refuse and none has taken the account since, the password
//! is wrong: then all wait, and no more attempts are made together than at one, since a directory locks an account
//! that keeps trying.
//!
//! When a pause ends one call goes as a probe; the others wait for what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base::Backoff;

#[cfg(test)]
mod tests;

/// Services that are remembered for one account; beyond it that which waits the shortest is forgotten.
const SERVICES_MAX: usize = 64;

/// Pauses after refused logons: a single one may be a server that throttles, a directory locks an account after a
/// handful within minutes.
fn pauses() -> Backoff {
    Backoff::doubling(Duration::from_secs(5), Duration::from_secs(300))
}

/// The refusals of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    services: BTreeMap<String, Refused>,
    /// Services at which a probe is under way.
    probes: BTreeSet<String>,
    /// When the latest call was sent that some service took.
    worked: Option<Instant>,
}

/// A service that refuses the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refused {
    /// Since when.
    since: Instant,
    /// Nobody tries before.
    until: Instant,
    /// Refusals in a row.
    failures: u32,
}

/// Whether a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Go,
    /// Yes, as the one that finds out; [`Refusals::probed`] must follow.
    Probe,
    /// Not before this time has passed.
    Wait(Duration),
    /// Another call finds out.
    Probed,
}

impl Refusals {
    /// May a call to `service` be sent at `now`?
    pub fn turn(&mut self, service: &str, now: Instant) -> Turn {
        let left = self.left(service, now);
        let everywhere = self.is_everywhere();
        if !left.is_zero() {
            return Turn::Wait(left);
        }
        let probed = if everywhere { !self.probes.is_empty() } else { self.probes.contains(service) };
        if probed {
            Turn::Probed
        } else if everywhere || self.services.contains_key(service) {
            self.probes.insert(service.to_owned());
            Turn::Probe
        } else {
            Turn::Go
        }
    }

    /// How long calls to `service` wait at `now`.
    pub fn left(&self, service: &str, now: Instant) -> Duration {
        let until = if self.is_everywhere() {
            self.services.values().map(|one| one.until).max()
        } else {
            self.services.get(service).map(|one| one.until)
        };
        until.map(|until| until.saturating_duration_since(now)).unwrap_or_default()
    }

    /// A probe is over, whatever came of it.
    pub fn probed(&mut self, service: &str) {
        self.probes.remove(service);
    }

    /// `service` refused a call that was sent at `sent`. Returns the pause; `None` when the call had been under way
    /// when the pause began, so that it says nothing new.
    pub fn refused(&mut self, service: &str, sent: Instant, now: Instant) -> Option<Duration> {
        if self.services.get(service).is_some_and(|one| sent < one.until) {
            return None;
        }
        self.remember(service, Refused { since: now, until: now, failures: 0 });
        let most = self.services.values().map(|one| one.failures).max().unwrap_or_default();
        let everywhere = self.is_everywhere();
        let one = self.services.get_mut(service)?;
        let before = if everywhere { most } else { one.failures };
        one.failures = before.saturating_add(1);
        let pause = pauses().delay(one.failures, 0.0);
        one.until = now + pause;
        Some(pause)
    }

    /// `service` took the account for a call that was sent at `sent`.
    pub fn worked(&mut self, service: &str, sent: Instant) {
        self.worked = self.worked.max(Some(sent));
        // a late answer to a call from before does not end the pause
        if self.services.get(service).is_some_and(|one| sent >= one.until) {
            self.services.remove(service);
        }
    }

    /// Another process was refused, and waits for `left` from now on. Never shortens a wait.
    pub fn hold(&mut self, service: &str, now: Instant, left: Duration, failures: u32) {
        self.remember(service, Refused { since: now, until: now, failures: 0 });
        if let Some(one) = self.services.get_mut(service)
            && now + left > one.until
        {
            one.until = now + left;
            one.failures = one.failures.max(failures);
        }
    }

    /// Services that refuse the account, with how long calls wait there and how often they did in a row.
    pub fn waiting(&self, now: Instant) -> impl Iterator<Item = (&str, Duration, u32)> {
        let waits = move |one: &Refused| one.until.saturating_duration_since(now);
        self.services
            .iter()
            .map(move |(service, one)| (service.as_str(), waits(one), one.failures))
            .filter(|(_, left, _)| !left.is_zero())
    }

    /// Two refuse it, and none has taken it since the first of them did.
    fn is_everywhere(&self) -> bool {
        let first = self.services.values().map(|one| one.since).min();
        self.services.len() > 1 && first.is_some_and(|first| self.worked.is_none_or(|at| at < first))
    }

    fn remember(&mut self, service: &str, new: Refused) {
        if !self.services.contains_key(service) && self.services.len() >= SERVICES_MAX {
            let shortest =
                self.services.iter().min_by_key(|(_, one)| one.until).map(|(service, _)| service.clone());
            if let Some(shortest) = shortest {
                self.services.remove(&shortest);
            }
        }
        self.services.entry(service.to_owned()).or_insert(new);
    }
}
