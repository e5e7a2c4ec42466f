//! What the group and its mailboxes tell each other.

use actix::Message;
use calendar::MailAddress;
use calendar::ids::{AccountId, FolderId, SubscriptionId};
use calendar::source::Affinity;

/// The affinity of the group as its mailboxes need it, always current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAffinity {
    /// The service's address for the whole group.
    pub endpoint: String,
    /// The service account of the group.
    pub account: AccountId,
    /// The anchor and the cookie, once a first subscription has settled them.
    pub anchored: Option<(MailAddress, Option<String>)>,
}

impl GroupAffinity {
    /// The affinity for a call about `mailbox`, which stands for the anchor until there is one.
    pub fn for_mailbox(&self, mailbox: &MailAddress) -> Affinity {
        let (anchor, cookie) = self.anchored.clone().unwrap_or_else(|| (mailbox.clone(), None));
        Affinity { endpoint: self.endpoint.clone(), account: self.account, anchor, cookie }
    }
}

/// A mailbox to its group.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum FromMailbox {
    /// It has a live subscription: listen to it.
    Live {
        /// Which mailbox.
        mailbox: MailAddress,
        /// Its subscription.
        subscription: SubscriptionId,
        /// Its calendar folder, to filter events by.
        folder: FolderId,
        /// The affinity cookie, when the subscription set one.
        cookie: Option<String>,
    },
    /// It cannot be listened to now; it goes on trying by itself.
    Down {
        /// Which mailbox.
        mailbox: MailAddress,
        /// Is the mailbox itself at fault (`true`) or something that all have in common?
        own_fault: bool,
    },
    /// A catch-up failed, for a reason that it probably has in common with others; it is made again.
    Stumbled {
        /// Which mailbox.
        mailbox: MailAddress,
        /// The code of the failure.
        code: String,
        /// The failure in words.
        reason: String,
    },
    /// It has been failing for a while, for a reason that it probably has in common with others: the group tells
    /// that once for all of them.
    Out {
        /// Which mailbox.
        mailbox: MailAddress,
        /// The code of the failure.
        code: String,
        /// The failure in words.
        reason: String,
    },
    /// It is listened to and has caught up.
    Well {
        /// Which mailbox.
        mailbox: MailAddress,
    },
}

/// The group to a mailbox: its subscription is dead, make a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct SubscriptionLost;

/// The group to a mailbox: somebody asks that it be tried at once, instead of after its pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct TryNow;

/// The group to a mailbox: there was a gap, catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct CatchUpNow {
    /// Many mailboxes are told at the same time: spread them (jitter).
    pub spread: bool,
}
