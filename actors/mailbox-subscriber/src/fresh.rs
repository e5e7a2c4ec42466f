//! A subscription that Exchange has made and that nobody answers for yet.
//!
//! Between the answer to Subscribe and the moment that its mailbox's actor takes the subscription, the actor can end:
//! its mailbox left the group, the group lost its lease, the process ends. Exchange counts the subscription against
//! the account for half an hour all the same, so whoever does not take it ends it.

use std::sync::Arc;

use calendar::ids::SubscriptionId;
use calendar::source::{Affinity, Mailbox, Subscribed};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::actor::Tools;
use crate::ending::end_subscription;

/// Ends its subscription when it is dropped, in the background, unless somebody takes it.
pub(crate) struct Fresh(Option<Made>);

struct Made {
    subscribed: Subscribed,
    mailbox: Mailbox,
    affinity: Affinity,
    tools: Arc<Tools>,
    /// The group's end in order waits for it.
    unfinished: TaskTrackerToken,
}

impl Fresh {
    /// What has just been made for `mailbox` within `affinity`.
    pub(crate) fn new(
        subscribed: Subscribed,
        mailbox: Mailbox,
        mut affinity: Affinity,
        tools: Arc<Tools>,
        unfinished: TaskTrackerToken,
    ) -> Self {
        // the first of a group is where its answer says
        if let Some(cookie) = &subscribed.cookie {
            affinity.cookie = Some(cookie.clone());
        }
        Self(Some(Made { subscribed, mailbox, affinity, tools, unfinished }))
    }

    /// Its id.
    pub(crate) fn id(&self) -> &SubscriptionId {
        &self.0.as_ref().expect(ONLY_TAKEN_AT_THE_END).subscribed.id
    }

    /// From here on the caller answers for it.
    pub(crate) fn take(mut self) -> Subscribed {
        self.0.take().expect(ONLY_TAKEN_AT_THE_END).subscribed
    }
}

const ONLY_TAKEN_AT_THE_END: &str = "a fresh subscription is taken by what consumes or drops it alone";

impl Drop for Fresh {
    fn drop(&mut self) {
        let Some(Made { subscribed, mailbox, affinity, tools, unfinished }) = self.0.take() else { return };
        let runtime = tools.runtime.clone();
        runtime.spawn(async move {
            end_subscription(&tools, &mailbox, &affinity, &subscribed.id).await;
            drop(unfinished);
        });
    }
}
