//! Streaming: notifications and their events.

use jiff::Timestamp;

use crate::{ConnectionStatus, EventKind, FolderId, ItemId, Problem, SubscriptionId};

/// One `GetStreamingEventsResponseMessage`. Errors and contents are not exclusive here: grommunio goes on to
/// deliver the good subscriptions' events in messages of class Error (field note 50), and losing these would lose
/// changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamMessage {
    /// The error or warning, when the message is not of class Success.
    pub problem: Option<Problem>,
    /// The subscriptions that the error is about; empty when it is about the whole request.
    pub error_subscription_ids: Vec<SubscriptionId>,
    /// Notifications in order. Several may hold the same subscription (field note 10).
    pub notifications: Vec<Notification>,
    /// `OK` in the first envelope, `Closed` in the last, absent in others.
    pub connection_status: Option<ConnectionStatus>,
}

impl StreamMessage {
    /// The first message of a stream, or the last.
    pub fn status(status: ConnectionStatus) -> Self {
        Self { connection_status: Some(status), ..Self::default() }
    }

    /// A message with notifications.
    pub fn notifications(notifications: Vec<Notification>) -> Self {
        Self { notifications, ..Self::default() }
    }

    /// A message that names broken subscriptions.
    pub fn error(problem: Problem, error_subscription_ids: Vec<SubscriptionId>) -> Self {
        Self { problem: Some(problem), error_subscription_ids, ..Self::default() }
    }
}

/// `Notification`: events of one subscription in the order of their causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// More events wait on the server.
    pub more_events: Option<bool>,
    /// The events; at most 50 from Exchange.
    pub events: Vec<Event>,
}

/// One event.
#[expect(clippy::large_enum_variant, reason = "events are nearly all changes; heartbeats come alone")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `StatusEvent`: a heartbeat.
    Status,
    /// Something changed.
    Change(ChangeEvent),
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// What happened.
    pub kind: EventKind,
    /// When, in whole seconds from Exchange: cannot sort (field note 11).
    pub time_stamp: Timestamp,
    /// To what. Change keys in events are stubs.
    pub target: Target,
    /// The folder that holds it now. A folder's subscription also delivers events of items in other
    /// folders (field note 6): look at this.
    pub parent_folder_id: FolderId,
    /// What it was before a move or copy.
    pub old: Option<Target>,
    /// Where it was before a move or copy.
    pub old_parent_folder_id: Option<FolderId>,
    /// Unread items of a folder.
    pub unread_count: Option<i32>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An item.
    Item(ItemId),
    /// A folder.
    Folder(FolderId),
}

impl Target {
    /// The item's identifier, when it is an item.
    pub fn item_id(&self) -> Option<&ItemId> {
        match self {
            Self::Item(id) => Some(id),
            Self::Folder(_) => None,
        }
    }
}

mod codec;
