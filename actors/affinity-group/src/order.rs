//! What is to be streamed: the line from a group's actor to the actor of its stream.
//!
//! Protocol: the group places an [`Order`] (the desired state under a number of its own) and withdraws or replaces
//! it when that changes. The stream's actor begins an order, serves it once, and takes it away when it
//! has told its end. The line outlives the incarnations of both ends, so that a stream that is started anew
//! finds what is wanted now.
//!
//! Failure: an order that was begun by an incarnation which ended without a word is still there, marked as
//! begun; the next incarnation tells its end ([`Orders::take_begun`]), so that a gap is never taken for
//! a stream. A group that ends in whichever way withdraws its order ([`Desk`]).

use std::collections::HashMap;
use std::sync::Arc;

use calendar::MailAddress;
use calendar::ids::{FolderId, SubscriptionId};
use calendar::source::Affinity;
use tokio::sync::{mpsc, watch};

use crate::journal::Journal;
use crate::messages::FromTask;

#[cfg(test)]
mod tests;

/// One stream that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Which; a group never uses one twice.
    pub(crate) number: u64,
    pub(crate) affinity: Affinity,
    /// Whose subscription it is, and the folder to filter by.
    pub(crate) listened: Arc<HashMap<SubscriptionId, (MailAddress, FolderId)>>,
    /// Takes the notifications.
    pub(crate) journal: Journal,
    /// Takes everything else.
    pub(crate) reports: mpsc::Sender<FromTask>,
}

#[derive(Debug)]
struct Placed {
    order: Order,
    begun: bool,
}

/// The line; clones are the same line.
#[derive(Debug, Clone)]
pub(crate) struct Orders(Arc<watch::Sender<Option<Placed>>>);

/// The group's end of the line. Dropping it withdraws the order.
#[derive(Debug)]
pub(crate) struct Desk(Orders);

/// The stream's view of what is wanted.
#[derive(Debug)]
pub(crate) struct Wanted(watch::Receiver<Option<Placed>>);

impl Orders {
    /// A line without an order.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The end of a new incarnation of the group, which wants nothing yet.
    pub(crate) fn desk(&self) -> Desk {
        let desk = Desk(self.clone());
        desk.withdraw();
        desk
    }

    /// What is wanted, from now on.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted(self.0.subscribe())
    }

    /// Takes away an order that somebody began and did not end.
    pub(crate) fn take_begun(&self) -> Option<Order> {
        let mut taken = None;
        self.quietly(|slot| taken = slot.take_if(|placed| placed.begun));
        taken.map(|placed| placed.order)
    }

    /// Marks an order as begun. False when it is not wanted any more.
    pub(crate) fn begin(&self, number: u64) -> bool {
        let mut wanted = false;
        self.quietly(|slot| {
            if let Some(placed) = slot.as_mut().filter(|placed| placed.order.number == number) {
                placed.begun = true;
                wanted = true;
            }
        });
        wanted
    }

    /// Takes an order away whose end has been told.
    pub(crate) fn ended(&self, number: u64) {
        self.quietly(|slot| drop(slot.take_if(|placed| placed.order.number == number)));
    }

    /// Changes what the stream's own actor knows without being woken.
    fn quietly(&self, change: impl FnOnce(&mut Option<Placed>)) {
        self.0.send_if_modified(|slot| {
            change(slot);
            false
        });
    }
}

impl Desk {
    /// Wants this instead of whatever was wanted.
    pub(crate) fn place(&self, order: Order) {
        self.0.0.send_replace(Some(Placed { order, begun: false }));
    }

    /// Wants no stream.
    pub(crate) fn withdraw(&self) {
        self.0.0.send_replace(None);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl Wanted {
    /// Waits until something is wanted. Never ends when the line is gone.
    pub(crate) async fn next(&mut self) -> Order {
        if let Ok(slot) = self.0.wait_for(Option::is_some).await
            && let Some(placed) = &*slot
        {
            return placed.order.clone();
        }
        std::future::pending().await
    }

    /// Waits until something other than this order is wanted.
    pub(crate) async fn superseded(&mut self, number: u64) {
        let other = |slot: &Option<Placed>| slot.as_ref().is_none_or(|placed| placed.order.number != number);
        if self.0.wait_for(other).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
