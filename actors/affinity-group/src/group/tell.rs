//! What a group tells operators: how its stream stands, its faults, and outages once for all of its mailboxes.

use calendar::ids::SubscriptionId;
use calendar::{MailAddress, codes};
use store::group_streams::StreamEvent;

use super::GroupActor;
use crate::messages::Heard;
use crate::outage::Report;

impl GroupActor {
    /// Has it written down what happened to the stream that is wanted.
    pub(super) fn note(&mut self, event: StreamEvent, code: Option<&str>) {
        let now = self.tools.mailboxes.clock.now();
        if let Some(owned) = &mut self.owned {
            owned.record.happened(event, code, now);
        }
    }

    /// The same by what it says itself.
    pub(super) fn note_heard(&mut self, heard: &Heard) {
        match heard {
            Heard::Opened => self.note(StreamEvent::Opened, None),
            Heard::Closed => self.note(StreamEvent::Closed, None),
            Heard::Bad { code, .. } => self.note(StreamEvent::NotServed, Some(code)),
            Heard::Away(error) => self.note(StreamEvent::Away, Some(&error.code)),
            Heard::Failed(error) => self.note(StreamEvent::Failed, Some(&error.code)),
            Heard::Silent => self.note(StreamEvent::Silent, None),
            Heard::Missed(_) | Heard::Events { .. } => {}
        }
    }

    pub(super) fn tell_fault(&self, code: &str, what: &str) {
        tracing::error!(event_id = codes::STREAM_FAILED.id, group = self.id.get(), code, "{what}");
    }

    /// Subscriptions are not served. Those that were ended here are no news.
    pub(super) fn tell_not_served(&self, subscriptions: &[SubscriptionId], code: &str) {
        let (group, lost) = (self.id.get(), self.policy.lost_among(subscriptions));
        if lost == 0 {
            tracing::debug!(
                group,
                code,
                subscriptions = subscriptions.len(),
                "subscriptions ended as asked for"
            );
            return;
        }
        tracing::warn!(
            event_id = codes::SUBSCRIPTION_ATTACH_FAILED.id,
            group,
            code,
            subscriptions = lost,
            "subscriptions are not served"
        );
    }

    pub(super) fn tell_not_opened(&self, code: &str) {
        let (group, account) = (self.id.get(), self.owned.as_ref().map(|owned| owned.account.get()));
        tracing::error!(
            event_id = codes::STREAM_OPEN_FAILED.id,
            group,
            account,
            code,
            "a stream cannot be opened, it is tried again"
        );
    }

    pub(super) fn tell_outage(&self, report: Report) {
        let (group, account) = (self.id.get(), self.owned.as_ref().map(|owned| owned.account.get()));
        match report {
            Report::Began { mailboxes, code, reason } => tracing::error!(
                event_id = codes::GROUP_EXCHANGE_FAILED.id,
                group,
                account,
                mailboxes,
                code,
                reason,
                "an outage keeps mailboxes of a group from being listened to"
            ),
            Report::Over { mailboxes, lasted } => tracing::info!(
                event_id = codes::GROUP_OUTAGE_OVER.id,
                succeeded = codes::success::GROUP_WELL,
                group,
                account,
                mailboxes,
                lasted_s = lasted.as_secs(),
                "the outage of a group is over"
            ),
        }
    }

    /// A mailbox has no part in an outage (any more).
    pub(super) fn well(&mut self, mailbox: &MailAddress) {
        let now = self.tools.mailboxes.clock.monotonic();
        if let Some(report) = self.outage.out_of_it(mailbox, now) {
            self.tell_outage(report);
        }
    }

    /// A call about one mailbox failed for a reason that it probably has in common with others, perhaps for a moment
    /// only: one of them is told.
    pub(super) fn stumbled(&mut self, mailbox: &MailAddress, code: &str, reason: &str) {
        if self.outage.stumbled(code, self.tools.mailboxes.clock.monotonic()) {
            tracing::error!(
                event_id = codes::LISTENER_EXCHANGE_FAILED.id,
                group = self.id.get(),
                mailbox = %mailbox,
                code,
                reason,
                "talking to exchange about a mailbox failed, it is tried again"
            );
        }
    }
}
