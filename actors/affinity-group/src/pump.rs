//! One stream: opens it, hears it, hands events to the journal, and tells the group's actor.
//!
//! Everything that has arrived is taken together, so that a message about many mailboxes becomes one batch. Each
//! mailbox of a batch gets a root span `exchange.notification`, whose context is stored with the
//! notifications and which ends when they are stored. It ends with the stream; dropping it closes the
//! connection, and nothing that was read is lost then: it is handed over before anything is waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::SharedClock;
use calendar::ids::{FolderId, SubscriptionId};
use calendar::source::{Event, Hint};
use calendar::{CalendarSource, MailAddress, SourceError};
use futures::StreamExt;

use crate::filter;
use crate::journal::Batch;
use crate::messages::{FromTask, Heard};
use crate::order::Order;

#[cfg(test)]
mod tests;

/// Most hints that are taken together.
const TOGETHER: usize = 128;

/// One stream to be opened.
pub(crate) struct Pump {
    pub(crate) order: Order,
    pub(crate) source: Arc<dyn CalendarSource>,
    pub(crate) silence_limit: Duration,
    pub(crate) clock: SharedClock,
}

/// How a stream ended; the group has been told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As planned.
    Closed,
    /// Some of its subscriptions are not served; the group wants another stream now.
    Bad,
    /// It could not be opened, by an outage; the service may have said how long to wait.
    Away(Option<Duration>),
    /// By a fault with this code.
    Failed(String),
}

impl Pump {
    /// Runs until the stream ends.
    pub(crate) async fn run(self) -> End {
        let mut ids: Vec<SubscriptionId> = self.order.listened.keys().cloned().collect();
        ids.sort();
        let mut opened = false;
        let stream = match self.source.listen(&self.order.affinity, &ids).await {
            Ok(stream) => stream,
            Err(error) => return self.broke(error, opened).await,
        };
        base::crash::point("listener.stream-opened");
        let mut together = stream.ready_chunks(TOGETHER);
        loop {
            let next = tokio::time::timeout(self.silence_limit, together.next()).await;
            let hints = match next {
                Err(_) => {
                    self.tell(Heard::Silent).await;
                    return End::Failed("silent".to_owned());
                }
                Ok(None) => return self.broke(ended(), opened).await,
                Ok(Some(hints)) => hints,
            };
            if let Some(end) = self.take(hints, &mut opened).await {
                return end;
            }
        }
    }

    /// Tells that the stream broke or could not be opened.
    async fn broke(&self, error: SourceError, opened: bool) -> End {
        let code = error.code.clone();
        if !opened && error.is_outage() {
            let after = error.after;
            self.tell(Heard::Away(error)).await;
            return End::Away(after);
        }
        self.tell(Heard::Failed(error)).await;
        End::Failed(code)
    }

    /// Hands events over, then tells the rest in order. Gives the end of the stream when it has come.
    async fn take(&self, hints: Vec<Result<Hint, SourceError>>, opened: &mut bool) -> Option<End> {
        let mut events: BTreeMap<MailAddress, (FolderId, Vec<Event>)> = BTreeMap::new();
        let mut told = Vec::new();
        let mut broken = None;
        for hint in hints {
            // whatever it says, it is open
            *opened |= hint.is_ok();
            match hint {
                Ok(Hint::Opened) => told.push(Heard::Opened),
                Ok(Hint::Heartbeat) => {}
                Ok(Hint::Events(id, some)) => {
                    // of a subscription that was not asked for: nothing is known of it
                    if let Some((mail, folder)) = self.order.listened.get(&id) {
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
                Ok(Hint::Closed) => told.push(Heard::Closed),
                Err(error) => broken = Some(error),
            }
        }
        // before anything is waited for: from here on they are not lost when this is dropped
        if let Some(heard) = self.hand_over(events) {
            self.tell(heard).await;
        }
        let closed = told.contains(&Heard::Closed);
        let bad = told.iter().any(|heard| matches!(heard, Heard::Bad { .. }));
        for heard in told {
            self.tell(heard).await;
        }
        if bad {
            // the server ends it now, which is no fault on top of what was told
            return Some(End::Bad);
        }
        match broken {
            Some(error) => Some(self.broke(error, *opened).await),
            None => closed.then_some(End::Closed),
        }
    }

    fn hand_over(&self, events: BTreeMap<MailAddress, (FolderId, Vec<Event>)>) -> Option<Heard> {
        if events.is_empty() {
            return None;
        }
        base::crash::point("listener.notification-received");
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
            self.order.journal.offer(batch);
        }
        Some(Heard::Events { items, folders })
    }

    async fn tell(&self, heard: Heard) {
        // without a listener the group has ended, and this is about to
        let _ = self.order.reports.send(FromTask::Stream(self.order.number, heard)).await;
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
