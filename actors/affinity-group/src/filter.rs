//! Stream events to notifications. Pure (B7).
//!
//! A subscription to the calendar also tells of items in other folders (field note 6): those are left out by
//! their parent folder. Folder identifiers come in two encodings (field note 13); where the encodings differ
//! nothing can be said, and the event passes as the hint that it is.

use base::TraceContext;
use calendar::MailAddress;
use calendar::ids::FolderId;
use calendar::source::{ChangeKind, Event, EventSubject};
use jiff::Timestamp;
use store::notifications::{NewNotification, NotificationKind};

#[cfg(test)]
mod tests;

/// What the events of one mailbox amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sorted {
    /// To be stored, in cause order.
    pub notifications: Vec<NewNotification>,
    /// Was there an event of the calendar folder itself?
    pub folder_event: bool,
}

/// Sorts the events of one mailbox.
pub fn sort(
    mail: &MailAddress,
    calendar: &FolderId,
    events: Vec<Event>,
    received_at: Timestamp,
    trace: Option<&TraceContext>,
) -> Sorted {
    let mut sorted = Sorted::default();
    for event in events {
        match event.subject {
            EventSubject::Folder(folder) => sorted.folder_event |= may_be(calendar, Some(&folder)),
            EventSubject::Item { id, old_id, old_parent } => {
                let from_here = old_id.is_some() && may_be(calendar, old_parent.as_ref());
                if !may_be(calendar, event.parent.as_ref()) && !from_here {
                    continue;
                }
                sorted.notifications.push(NewNotification {
                    mail: mail.clone(),
                    kind: kind(event.kind),
                    item_id: Some(id),
                    old_item_id: old_id,
                    exchange_timestamp: event.at,
                    received_at,
                    trace: trace.cloned(),
                });
            }
        }
    }
    sorted
}

/// Can `other` be the calendar folder? Different texts of one encoding cannot.
fn may_be(calendar: &FolderId, other: Option<&FolderId>) -> bool {
    let encoding = |id: &FolderId| id.as_str().get(..4).map(str::to_owned);
    other.is_none_or(|other| other == calendar || encoding(other) != encoding(calendar))
}

fn kind(kind: ChangeKind) -> NotificationKind {
    match kind {
        ChangeKind::Created => NotificationKind::Created,
        ChangeKind::Modified => NotificationKind::Modified,
        ChangeKind::Deleted => NotificationKind::Deleted,
        ChangeKind::Moved => NotificationKind::Moved,
        ChangeKind::Copied => NotificationKind::Copied,
        ChangeKind::FreeBusyChanged => NotificationKind::FreeBusyChanged,
    }
}
