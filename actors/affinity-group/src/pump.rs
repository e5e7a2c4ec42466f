//! The task of one stream: opens it, hears it, hands events to the journal, and tells the group's actor.
//!
//! Everything that has arrived is taken together, so that a message about many mailboxes becomes one batch. Each
//! mailbox of a batch gets a root span `exchange.notification`, whose context is stored with the
//! notifications and which ends when they are stored. The task ends with the stream; aborting it closes the
//! connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::SharedClock;
use calendar::ids::{FolderId, SubscriptionId};
use calendar::source::{Affinity, Event, Hint};
use calendar::{CalendarSource, MailAddress, SourceError};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::filter;
use crate::journal::{Batch, Journal};
use crate::messages::{FromTask, Heard};

#[cfg(test)]
mod tests;

/// Most hints that are taken together.
const TOGETHER: usize = 128;

/// One stream to be opened.
pub(crate) struct Pump {
    pub(crate) stream: u64,
    pub(crate) source: Arc<dyn CalendarSource>,
    pub(crate) affinity: Affinity,
    /// Whose subscription it is, and the folder to filter by.
    pub(crate) listened: HashMap<SubscriptionId, (MailAddress, FolderId)>,
    pub(crate) silence_limit: Duration,
    pub(crate) journal: Journal,
    pub(crate) reports: mpsc::Sender<FromTask>,
    pub(crate) clock: SharedClock,
}

impl Pump {
    /// Runs until the stream ends.
    pub(crate) async fn run(self) {
        let mut ids: Vec<SubscriptionId> = self.listened.keys().cloned().collect();
        ids.sort();
        let stream = match self.source.listen(&self.affinity, &ids).await {
            Ok(stream) => stream,
            Err(error) => return self.tell(Heard::Failed(error)).await,
        };
        let mut together = stream.ready_chunks(TOGETHER);
        loop {
            let next = tokio::time::timeout(self.silence_limit, together.next()).await;
            let hints = match next {
                Err(_) => return self.tell(Heard::Silent).await,
                Ok(None) => return self.tell(Heard::Failed(ended())).await,
                Ok(Some(hints)) => hints,
            };
            if !self.take(hints).await {
                return;
            }
        }
    }

    /// Hands events over, then tells the rest in order. False when the stream has ended.
    async fn take(&self, hints: Vec<Result<Hint, SourceError>>) -> bool {
        let mut events: BTreeMap<MailAddress, (FolderId, Vec<Event>)> = BTreeMap::new();
        let mut told = Vec::new();
        let mut goes_on = true;
        for hint in hints {
            match hint {
                Ok(Hint::Opened) => told.push(Heard::Opened),
                Ok(Hint::Heartbeat) => {}
                Ok(Hint::Events(id, some)) => {
                    // of a subscription that was not asked for: nothing is known of it
                    if let Some((mail, folder)) = self.listened.get(&id) {
                        events
                            .entry(mail.clone())
                            .or_insert_with(|| (folder.clone(), Vec::new()))
                            .1
                            .extend(some);
                    }
                }
                Ok(Hint::BadSubscriptions(subscriptions, _, code)) => {
                    told.push(Heard::Bad { subscriptions, code });
                }
                Ok(Hint::Missed(ids)) => told.push(Heard::Missed(ids)),
                Ok(Hint::Closed) => {
                    told.push(Heard::Closed);
                    goes_on = false;
                }
                Err(error) => {
                    told.push(Heard::Failed(error));
                    goes_on = false;
                }
            }
        }
        // before anything is waited for: from here on they are not lost when this task is aborted
        if let Some(heard) = self.hand_over(events) {
            self.tell(heard).await;
        }
        for heard in told {
            self.tell(heard).await;
        }
        goes_on
    }

    fn hand_over(&self, events: BTreeMap<MailAddress, (FolderId, Vec<Event>)>) -> Option<Heard> {
        if events.is_empty() {
            return None;
        }
        let received_at = self.clock.now();
        let (mut items, mut folders) = (Vec::new(), Vec::new());
        let mut batch = Batch::default();
        for (mail, (folder, some)) in events {
            let span = tracing::info_span!(
                parent: None,
                "exchange.notification",
                mailbox = %mail,
                events = some.len()
            );
            let trace = telemetry::trace::of(&span);
            let sorted = filter::sort(&mail, &folder, some, received_at, trace.as_ref());
            if sorted.folder_event {
                folders.push(mail.clone());
            }
            if !sorted.notifications.is_empty() {
                items.push(mail);
                batch.notifications.extend(sorted.notifications);
                batch.spans.push(span);
            }
        }
        if !batch.notifications.is_empty() {
            self.journal.offer(batch);
        }
        Some(Heard::Events { items, folders })
    }

    async fn tell(&self, heard: Heard) {
        // without a listener the group has ended, and this task is about to
        let _ = self.reports.send(FromTask::Stream(self.stream, heard)).await;
    }
}

/// The port promises that a stream ends after `Closed` or an error.
fn ended() -> SourceError {
    SourceError {
        operation: "GetStreamingEvents",
        kind: calendar::source::SourceErrorKind::Unavailable,
        code: "stream ended".to_owned(),
        text: String::new(),
        after: None,
    }
}
