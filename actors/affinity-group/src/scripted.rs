//! A calendar source for tests: its streams say what comes in through channels.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use calendar::ids::{SubscriptionId, SyncState};
use calendar::source::{
    Affinity, CalendarFolder, ChangePage, Hint, HintStream, Location, Mailbox, Reading, SourceErrorKind,
    Subscribed, WindowReading,
};
use calendar::{CalendarSource, ItemId, MailAddress, Slot, SourceError};
use tokio::sync::mpsc;

pub(crate) type Said = Result<Hint, SourceError>;
type Opening = Result<mpsc::Receiver<Said>, SourceError>;

/// Answers each opening with the next of the script.
pub(crate) struct Script {
    openings: Mutex<VecDeque<Opening>>,
    asked: Mutex<Vec<Vec<SubscriptionId>>>,
}

impl Script {
    pub(crate) fn of(openings: impl IntoIterator<Item = Opening>) -> Self {
        Self { openings: Mutex::new(openings.into_iter().collect()), asked: Mutex::default() }
    }

    /// What was asked to be streamed, opening by opening.
    pub(crate) fn asked(&self) -> MutexGuard<'_, Vec<Vec<SubscriptionId>>> {
        self.asked.lock().unwrap()
    }
}

fn unscripted() -> SourceError {
    SourceError {
        operation: "test",
        kind: SourceErrorKind::OwnBug,
        code: "not scripted".into(),
        text: String::new(),
        after: None,
    }
}

#[async_trait]
impl CalendarSource for Script {
    async fn listen(&self, _: &Affinity, ids: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        self.asked().push(ids.to_vec());
        let heard = self.openings.lock().unwrap().pop_front().expect("an opening is scripted")?;
        Ok(Box::pin(futures::stream::unfold(heard, |mut heard| async {
            heard.recv().await.map(|said| (said, heard))
        })))
    }
    async fn locate(&self, _: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        Vec::new()
    }
    async fn check(&self, _: &Mailbox) -> Result<CalendarFolder, SourceError> {
        Err(unscripted())
    }
    async fn subscribe(&self, _: &Mailbox, _: &Affinity) -> Result<Subscribed, SourceError> {
        Err(unscripted())
    }
    async fn unsubscribe(&self, _: &Mailbox, _: &Affinity, _: &SubscriptionId) -> Result<(), SourceError> {
        Err(unscripted())
    }
    async fn catch_up(&self, _: &Mailbox, _: Option<&SyncState>) -> Result<ChangePage, SourceError> {
        Err(unscripted())
    }
    async fn read_items(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        Err(unscripted())
    }
    async fn masters_of(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Option<ItemId>>, SourceError> {
        Err(unscripted())
    }
    async fn read_window(&self, _: &Mailbox, _: Slot) -> Result<WindowReading, SourceError> {
        Err(unscripted())
    }
}
