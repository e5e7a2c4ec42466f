//! What the tasks of a group tell its actor, and the listener its groups.

use std::collections::BTreeSet;

use actix::Message;
use calendar::ids::SubscriptionId;
use calendar::{MailAddress, SourceError};

/// The memberships have changed: read them anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct MembersChanged;

/// Compare the resource table now (an operator or a refresh of the list says so).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct CompareNow;

/// A task of the group to its actor.
#[derive(Debug, PartialEq)]
pub(crate) enum FromTask {
    /// What the stream with this number says.
    Stream(u64, Heard),
    /// Notifications of these mailboxes had to wait for the database, or were lost: a gap.
    Gap(BTreeSet<MailAddress>),
    /// The database refuses notifications for a reason that does not pass.
    JournalBroken(String),
}

/// What a stream says.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// It is open.
    Opened,
    /// Mailboxes with item events, and mailboxes with events of their calendar folder.
    Events { items: Vec<MailAddress>, folders: Vec<MailAddress> },
    /// These subscriptions cannot be served.
    Bad { subscriptions: Vec<SubscriptionId>, code: String },
    /// Events of these were lost.
    Missed(Vec<SubscriptionId>),
    /// It ended as planned.
    Closed,
    /// It cannot be opened at present, by an outage; it will be tried again under the same number.
    Away(SourceError),
    /// It was refused or broke.
    Failed(SourceError),
    /// It was silent for too long.
    Silent,
}
