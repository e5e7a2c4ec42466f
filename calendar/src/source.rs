//! The one door to where appointments come from (house: the port `CalendarSource`). Exchange stands
//! behind it today; Microsoft Graph will.
//!
//! Protocol, per mailbox: [`locate`](CalendarSource::locate) → [`check`](CalendarSource::check) →
//! [`subscribe`](CalendarSource::subscribe) → [`catch_up`](CalendarSource::catch_up) →
//! [`listen`](CalendarSource::listen) (one stream for all subscriptions of an affinity group). What a
//! stream tells are hints only; the truth is read with [`read_items`](CalendarSource::read_items) and
//! [`read_window`](CalendarSource::read_window).
//!
//! Failure: every call answers with a [`SourceError`] that knows its class; no call retries by itself
//! beyond waiting out a back-off that holds for its whole account (B12).

use std::time::Duration;

use async_trait::async_trait;
use base::{Disposition, Turns};
use futures_core::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::MailAddress;
use crate::appointment::{Appointment, Slot};
use crate::ids::{AccountId, FolderId, ItemId, SubscriptionId, SyncState};

/// Where a mailbox lives: which endpoint serves it and which others can share a stream with it (B12).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The service's address for this mailbox.
    pub endpoint: String,
    /// The grouping value; mailboxes with the same endpoint and grouping can share a stream.
    pub grouping: String,
}

/// A mailbox with what is needed to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// Whose it is.
    pub address: MailAddress,
    /// The service's address for it.
    pub endpoint: String,
    /// The service account of its group, which makes the ordinary calls about it, too. `None` = it has no
    /// group: the source chooses one, always the same while the accounts stay the same.
    pub account: Option<AccountId>,
}

/// The affinity of a group: every call about its streams goes to the same back end (B12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affinity {
    /// The service's address for the whole group.
    pub endpoint: String,
    /// The service account of the group: subscriptions belong to the account that made them.
    pub account: AccountId,
    /// The group's anchor mailbox: its alphabetically first member.
    pub anchor: MailAddress,
    /// The back end that the first subscription was given; `None` until then.
    pub cookie: Option<String>,
}

/// A new subscription, with the affinity cookie if the answer set one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The subscription.
    pub id: SubscriptionId,
    /// The group's affinity cookie, when this answer set it.
    pub cookie: Option<String>,
}

/// What kind of change a hint tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    /// Something new.
    Created,
    /// Something changed.
    Modified,
    /// Something is gone.
    Deleted,
    /// Moved between folders: its identifier changed.
    Moved,
    /// Copied: the new one is meant.
    Copied,
    /// Its free/busy time changed.
    FreeBusyChanged,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: ChangeKind,
    /// To what.
    pub subject: EventSubject,
    /// The folder it is in now.
    pub parent: Option<FolderId>,
    /// The source's time of it (whole seconds; cannot be used to sort).
    pub at: Option<Timestamp>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSubject {
    /// An item.
    Item {
        /// Its identifier now.
        id: ItemId,
        /// Its identifier before a move or of the copied original.
        old_id: Option<ItemId>,
        /// The folder it was in before.
        old_parent: Option<FolderId>,
    },
    /// A folder.
    Folder(FolderId),
}

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// The stream is open.
    Opened,
    /// Nothing happened, the stream lives.
    Heartbeat,
    /// Events of one subscription, in cause order. The same subscription may come several times.
    Events(SubscriptionId, Vec<Event>),
    /// These subscriptions cannot be served on this stream; the others deliver nothing until the stream is
    /// reopened without them.
    BadSubscriptions(Vec<SubscriptionId>, SourceErrorKind, String),
    /// Events of these subscriptions were lost, the subscriptions live on. Empty = all of the stream.
    Missed(Vec<SubscriptionId>),
    /// The stream ended as planned (its timeout).
    Closed,
}

/// A stream of hints. Ends after `Closed` or after an error.
pub type HintStream = std::pin::Pin<Box<dyn Stream<Item = Result<Hint, SourceError>> + Send>>;

/// One page of changes since a sync state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// Items that are new or changed.
    pub changed: Vec<ItemId>,
    /// Items that are gone.
    pub deleted: Vec<ItemId>,
    /// The state after this page; save it only when what the page covers is durable (B7).
    pub state: SyncState,
    /// Is there more to fetch?
    pub more: bool,
}

/// The calendar folder of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarFolder {
    /// Its identifier, in the encoding that the events of the same server use.
    pub id: FolderId,
}

/// What reading one item gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It is in the calendar folder.
    There(Appointment),
    /// It exists, but not in the calendar folder.
    Elsewhere,
    /// It does not exist (or is no appointment).
    Gone,
    /// It alone could not be read; the others of the batch were.
    Failed(SourceError),
}

/// What reading a window gave: everything that overlaps it, series unfolded, but for what is named as
/// unreadable. One item that cannot be read does not take the others with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowReading {
    /// What could be read, by begin.
    pub found: Vec<Appointment>,
    /// What is there, or may be there, and could not be read. It must not be taken for absent.
    pub unreadable: Vec<Unreadable>,
}

/// Something in a window that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its identifier; `None` when not even that was told.
    pub item: Option<ItemId>,
    /// It lies, or parts of it lie, in this stretch of time.
    pub stretch: Slot,
    /// Why. Never of a kind that holds for the whole service or mailbox.
    pub error: SourceError,
}

impl WindowReading {
    /// A reading that nothing spoils.
    pub const fn whole(found: Vec<Appointment>) -> Self {
        Self { found, unreadable: Vec::new() }
    }

    /// May something unreadable be what is known as this item (`None`: no item is known, as of what was
    /// adopted from Planner) with these times? Then that it was not found says nothing about it.
    pub fn may_hide(&self, item: Option<&ItemId>, slot: Slot) -> bool {
        self.unreadable.iter().any(|one| match (&one.item, item) {
            (Some(unreadable), Some(known)) => unreadable == known,
            _ => one.stretch.overlaps(slot),
        })
    }
}

/// How a failure is to be treated (classes of the EWS reference, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceErrorKind {
    /// The subscription is dead: subscribe anew, catch up, reopen.
    Resubscribe,
    /// Events were missed, the subscription lives: catch up.
    Missed,
    /// The service is busy or away: wait, then the same request.
    Unavailable,
    /// The mailbox moved or cannot be served there: wait longer, locate anew.
    Rediscover,
    /// This mailbox cannot be used (missing, forbidden, no calendar): park it, tell, try again now and then.
    Mailbox,
    /// The thing asked for is gone: a normal outcome.
    Gone,
    /// The sync state is not accepted: start over.
    SyncStateRejected,
    /// More was asked for than the service gives at once: ask for less.
    TooMuch,
    /// Wrong user name or password.
    Credentials,
    /// The request is wrong: our own bug. No retry.
    OwnBug,
    /// The answer could not be understood (malformed, oversized).
    BadAnswer,
    /// A code that is not known: few tries, then park.
    Unknown,
}

/// A failed call to the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}")]
pub struct SourceError {
    /// What was asked, for example `GetItem`.
    pub operation: &'static str,
    /// How to treat it.
    pub kind: SourceErrorKind,
    /// The service's own response code, `HTTP 503`, or a name of ours such as `timeout`.
    pub code: String,
    /// The service's words; never contains appointment content. Not for matching: it is localised.
    pub text: String,
    /// How long the service asked to wait.
    pub after: Option<Duration>,
}

impl SourceError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        use SourceErrorKind as K;
        match self.kind {
            K::Unavailable
            | K::Resubscribe
            | K::Missed
            | K::Rediscover
            | K::Credentials
            | K::BadAnswer
            | K::Unknown => Disposition::Retry { after: self.after },
            K::SyncStateRejected | K::TooMuch => Disposition::RETRY,
            K::Mailbox | K::OwnBug => Disposition::SetAside,
            K::Gone => Disposition::Discard,
        }
    }

    /// Does this hold for the whole service (and so never counts as a failed try of one item, B7)?
    pub fn is_outage(&self) -> bool {
        matches!(
            self.kind,
            SourceErrorKind::Unavailable | SourceErrorKind::Credentials | SourceErrorKind::BadAnswer
        )
    }
}

/// Where appointments come from.
#[async_trait]
pub trait CalendarSource: Send + Sync + 'static {
    /// Finds where mailboxes live; one result for each, in the same order.
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>>;

    /// Proves that the calendar of a mailbox can be read and tells its folder.
    async fn check(&self, mailbox: &Mailbox) -> Result<CalendarFolder, SourceError>;

    /// Subscribes to the calendar of `mailbox` within the affinity of its group.
    async fn subscribe(&self, mailbox: &Mailbox, affinity: &Affinity) -> Result<Subscribed, SourceError>;

    /// Ends a subscription. One that is already gone is an error of the kind [`SourceErrorKind::Resubscribe`]: what was
    /// wanted is there, and it is worth telling.
    async fn unsubscribe(
        &self,
        mailbox: &Mailbox,
        affinity: &Affinity,
        id: &SubscriptionId,
    ) -> Result<(), SourceError>;

    /// Opens one stream for the subscriptions of a group (1 to 200). Dropping the stream closes it.
    async fn listen(&self, affinity: &Affinity, ids: &[SubscriptionId]) -> Result<HintStream, SourceError>;

    /// Fetches one page of what changed since `state`; from the beginning where `state` is `None`.
    async fn catch_up(&self, mailbox: &Mailbox, state: Option<&SyncState>)
    -> Result<ChangePage, SourceError>;

    /// Reads items; one reading for each, in the same order. Fails as a whole only when nothing was read.
    async fn read_items(&self, mailbox: &Mailbox, items: &[ItemId]) -> Result<Vec<Reading>, SourceError>;

    /// For occurrences: the identifiers of their series' masters, in the same order; `None` where the
    /// source does not know one.
    async fn masters_of(
        &self,
        mailbox: &Mailbox,
        occurrences: &[ItemId],
    ) -> Result<Vec<Option<ItemId>>, SourceError>;

    /// Reads everything that overlaps `window`, series unfolded. Complete but for single items that it names
    /// as unreadable, or an error; never a part.
    async fn read_window(&self, mailbox: &Mailbox, window: Slot) -> Result<WindowReading, SourceError>;

    /// The same, and each call that it takes has one of `turns`: full reads make only so many calls at one time (B8).
    /// A source that can tell its calls from its other work holds a turn only until an answer is there; here it is held
    /// for the whole reading.
    async fn read_window_by_turns(
        &self,
        mailbox: &Mailbox,
        window: Slot,
        turns: &Turns,
    ) -> Result<WindowReading, SourceError> {
        let _turn = turns.take().await;
        self.read_window(mailbox, window).await
    }
}
