//! Folder events that nothing explains. Pure (B7).
//!
//! Every change of an item also changes its folder. A folder event that no item event of the same mailbox
//! explains within the grace time means that something changed of which the server does not tell more
//! (grommunio, field note 46): that mailbox catches up, at most once in an interval.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use calendar::MailAddress;

#[cfg(test)]
mod tests;

/// The folder events of a group's mailboxes.
#[derive(Debug)]
pub struct FolderWatch {
    grace: Duration,
    interval: Duration,
    mailboxes: BTreeMap<MailAddress, Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    item_at: Option<Instant>,
    unexplained_since: Option<Instant>,
    caught_up_at: Option<Instant>,
}

impl FolderWatch {
    /// Nothing seen yet.
    pub const fn new(grace: Duration, interval: Duration) -> Self {
        Self { grace, interval, mailboxes: BTreeMap::new() }
    }

    /// An item event of `mail`: explains folder events shortly before and after it.
    pub fn item(&mut self, mail: &MailAddress, now: Instant) {
        let watched = self.watched(mail);
        watched.item_at = Some(now);
        watched.unexplained_since = None;
    }

    /// An event of the calendar folder of `mail`.
    pub fn folder(&mut self, mail: &MailAddress, now: Instant) {
        let grace = self.grace;
        let watched = self.watched(mail);
        let explained = watched.item_at.is_some_and(|at| now.saturating_duration_since(at) <= grace);
        if !explained {
            watched.unexplained_since.get_or_insert(now);
        }
    }

    /// The mailboxes that are to catch up now.
    pub fn due(&mut self, now: Instant) -> Vec<MailAddress> {
        let (grace, interval) = (self.grace, self.interval);
        let mut due = Vec::new();
        for (mail, watched) in &mut self.mailboxes {
            if watched.due_at(grace, interval).is_some_and(|at| at <= now) {
                watched.unexplained_since = None;
                watched.caught_up_at = Some(now);
                due.push(mail.clone());
            }
        }
        due
    }

    /// When [`due`](Self::due) has something to say.
    pub fn wake_at(&self) -> Option<Instant> {
        self.mailboxes.values().filter_map(|watched| watched.due_at(self.grace, self.interval)).min()
    }

    /// A mailbox that is not listened to any more.
    pub fn forget(&mut self, mail: &MailAddress) {
        self.mailboxes.remove(mail);
    }

    fn watched(&mut self, mail: &MailAddress) -> &mut Watched {
        self.mailboxes.entry(mail.clone()).or_default()
    }
}

impl Watched {
    fn due_at(&self, grace: Duration, interval: Duration) -> Option<Instant> {
        let by_grace = self.unexplained_since? + grace;
        Some(self.caught_up_at.map_or(by_grace, |at| by_grace.max(at + interval)))
    }
}
