//! One report of an outage for a whole group, instead of one for each of its mailboxes. Pure.
//!
//! What fails for the same passing reason (Exchange or the database is away, busy, refuses the account) usually
//! fails for all mailboxes of a group within moments. So the first such failure starts a short wait; then one report
//! tells how many are concerned, and another one when none is any more. A mailbox that is at fault itself is
//! told by itself and is nothing to this.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base::pace::scaled;
use calendar::MailAddress;

#[cfg(test)]
mod tests;

/// How long failures are gathered before they are told.
const GATHER: Duration = Duration::from_secs(3);

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// An outage goes on.
    Began {
        /// Mailboxes that it concerns so far.
        mailboxes: usize,
        /// The code of the first failure.
        code: String,
        /// The same in words.
        reason: String,
    },
    /// It is over.
    Over {
        /// The most mailboxes at one time.
        mailboxes: usize,
        /// How long it lasted.
        lasted: Duration,
    },
}

/// The outage of a group, if there is one.
#[derive(Debug, Default)]
pub(crate) struct OutageWatch {
    outage: Option<Outage>,
    /// The failure that was told last as a single one, and when.
    stumble: Option<(String, Instant)>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    code: String,
    reason: String,
    concerned: BTreeSet<MailAddress>,
    most: usize,
    told: bool,
}

impl OutageWatch {
    /// A mailbox fails because the service or the database is away; see also
    /// [`stumbled`](Self::stumbled).
    pub(crate) fn failed(&mut self, mailbox: &MailAddress, code: &str, reason: &str, now: Instant) {
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: now,
            code: code.to_owned(),
            reason: reason.to_owned(),
            concerned: BTreeSet::new(),
            most: 0,
            told: false,
        });
        outage.concerned.insert(mailbox.clone());
        outage.most = outage.most.max(outage.concerned.len());
    }

    /// A call about a mailbox failed with `code`, perhaps for a moment only. Is it to be told now? Not so shortly after
    /// another one of the same code: they come by the hundred.
    pub(crate) fn stumbled(&mut self, code: &str, now: Instant) -> bool {
        let again = self
            .stumble
            .as_ref()
            .is_some_and(|(told, at)| told == code && now.saturating_duration_since(*at) < scaled(GATHER));
        if !again {
            self.stumble = Some((code.to_owned(), now));
        }
        !again
    }

    /// A mailbox is well again, or none of ours any more, or at fault itself.
    pub(crate) fn out_of_it(&mut self, mailbox: &MailAddress, now: Instant) -> Option<Report> {
        let outage = self.outage.as_mut()?;
        outage.concerned.remove(mailbox);
        if !outage.concerned.is_empty() {
            return None;
        }
        let outage = self.outage.take()?;
        let lasted = now.saturating_duration_since(outage.since);
        outage.told.then_some(Report::Over { mailboxes: outage.most, lasted })
    }

    /// When to call [`due`](Self::due).
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.outage.as_ref().filter(|outage| !outage.told).map(|outage| outage.since + scaled(GATHER))
    }

    /// What is to be told now.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Report> {
        let outage =
            self.outage.as_mut().filter(|outage| !outage.told && now >= outage.since + scaled(GATHER))?;
        outage.told = true;
        Some(Report::Began {
            mailboxes: outage.concerned.len(),
            code: outage.code.clone(),
            reason: outage.reason.clone(),
        })
    }
}
