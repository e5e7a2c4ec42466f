//! A member of a group, and what Exchange may have of it.

use std::sync::{Arc, Mutex, PoisonError};

use calendar::ids::{FolderId, SubscriptionId};
use mailbox_subscriber::MailboxSubscriber;
use supervision::ChildRef;

/// A mailbox of the group.
pub(super) struct Member {
    /// Which of the times that this mailbox was a member.
    pub(super) joined: u64,
    pub(super) reference: ChildRef<MailboxSubscriber>,
    /// What the server may have of it: what a former owner left behind, then the last one that was live.
    pub(super) known: Known,
    pub(super) folder: Option<FolderId>,
}

/// The last subscription of a mailbox that Exchange may know of. A restarted actor begins with it, and whoever ends the
/// mailbox ends it, whether the mailbox is listened to at that time or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<Option<SubscriptionId>>>);

impl Known {
    pub(super) fn set(&self, subscription: Option<SubscriptionId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = subscription;
    }

    pub(super) fn get(&self) -> Option<SubscriptionId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
