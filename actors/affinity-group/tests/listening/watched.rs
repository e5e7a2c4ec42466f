//! Exchange as the listener sees it, watched: how many catch-ups ask at one time; with which the actor of one mailbox may
//! panic at its first step, each time; and which keeps its answers to Subscribe to itself for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use calendar::ids::{SubscriptionId, SyncState};
use calendar::source::{
    Affinity, CalendarFolder, ChangePage, HintStream, Location, Mailbox, Reading, Subscribed, WindowReading,
};
use calendar::{CalendarSource, ItemId, MailAddress, Slot, SourceError};
use connector_exchange::Exchange;
use tokio::sync::{Notify, watch};

/// Catch-ups that ask at one time.
#[derive(Debug, Default)]
pub(crate) struct CatchUps {
    now: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
}

impl CatchUps {
    /// Most at one time so far.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// Questions that were answered so far.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

/// Exchange, and a panic when `victim` is asked about.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) inner: Arc<Exchange>,
    pub(crate) victim: Option<MailAddress>,
    pub(crate) catch_ups: Arc<CatchUps>,
    /// Do answers to Subscribe come through? Exchange has made the subscription all the same.
    pub(crate) answers: watch::Receiver<bool>,
    /// Told when a subscription is about to be ended.
    pub(crate) ending: Arc<Notify>,
}

#[async_trait]
impl CalendarSource for Watched {
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        self.inner.locate(mailboxes).await
    }

    async fn check(&self, mailbox: &Mailbox) -> Result<CalendarFolder, SourceError> {
        assert_ne!(Some(&mailbox.address), self.victim.as_ref(), "poison");
        self.inner.check(mailbox).await
    }

    async fn subscribe(&self, mailbox: &Mailbox, affinity: &Affinity) -> Result<Subscribed, SourceError> {
        let answer = self.inner.subscribe(mailbox, affinity).await;
        let _ = self.answers.clone().wait_for(|come| *come).await;
        answer
    }

    async fn unsubscribe(
        &self,
        mailbox: &Mailbox,
        affinity: &Affinity,
        id: &SubscriptionId,
    ) -> Result<(), SourceError> {
        self.ending.notify_one();
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
        let now = self.catch_ups.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.catch_ups.most.fetch_max(now, Ordering::SeqCst);
        let page = self.inner.catch_up(mailbox, state).await;
        self.catch_ups.now.fetch_sub(1, Ordering::SeqCst);
        self.catch_ups.done.fetch_add(1, Ordering::SeqCst);
        page
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
