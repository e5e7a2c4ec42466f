//! A source with which the actor of one mailbox panics at its first step, each time.

use std::sync::Arc;

use async_trait::async_trait;
use calendar::ids::{SubscriptionId, SyncState};
use calendar::source::{
    Affinity, CalendarFolder, ChangePage, HintStream, Location, Mailbox, Reading, Subscribed, WindowReading,
};
use calendar::{CalendarSource, ItemId, MailAddress, Slot, SourceError};
use connector_exchange::Exchange;

/// Exchange, and a panic when `victim` is asked about.
#[derive(Debug)]
pub(crate) struct Poisoned {
    pub(crate) inner: Arc<Exchange>,
    pub(crate) victim: MailAddress,
}

#[async_trait]
impl CalendarSource for Poisoned {
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        self.inner.locate(mailboxes).await
    }

    async fn check(&self, mailbox: &Mailbox) -> Result<CalendarFolder, SourceError> {
        assert_ne!(mailbox.address, self.victim, "poison");
        self.inner.check(mailbox).await
    }

    async fn subscribe(&self, mailbox: &Mailbox, affinity: &Affinity) -> Result<Subscribed, SourceError> {
        self.inner.subscribe(mailbox, affinity).await
    }

    async fn unsubscribe(
        &self,
        mailbox: &Mailbox,
        affinity: &Affinity,
        id: &SubscriptionId,
    ) -> Result<(), SourceError> {
        self.inner.unsubscribe(mailbox, affinity, id).await
    }

    async fn listen(&self, affinity: &Affinity, ids: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        self.inner.listen(affinity, ids).await
    }

    async fn catch_up(
        &self,
        mailbox: &Mailbox,
        state: Option<&SyncState>,
    ) -> Result<ChangePage, SourceError> {
        self.inner.catch_up(mailbox, state).await
    }

    async fn read_items(&self, mailbox: &Mailbox, items: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        self.inner.read_items(mailbox, items).await
    }

    async fn masters_of(
        &self,
        mailbox: &Mailbox,
        occurrences: &[ItemId],
    ) -> Result<Vec<Option<ItemId>>, SourceError> {
        self.inner.masters_of(mailbox, occurrences).await
    }

    async fn read_window(&self, mailbox: &Mailbox, window: Slot) -> Result<WindowReading, SourceError> {
        self.inner.read_window(mailbox, window).await
    }
}
