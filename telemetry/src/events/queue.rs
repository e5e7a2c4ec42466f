//! The bounded queue between whoever raises an event and the writer of `application_log`: raising never
//! waits, and when the writer is behind the oldest event is dropped and counted. All events remain in
//! the log and in the counters, so a drop costs a row and no knowledge.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::RaisedEvent;
use crate::Counter;
use crate::alerts::Alerts;

/// The most unknown codes that are remembered as reported.
const REPORTED_MAX: usize = 1_000;

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    dropped: Counter,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<RaisedEvent>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that events go in. Never waits.
#[derive(Debug, Clone)]
pub(crate) struct EventSender(Arc<Shared>);

/// The end that events come out of.
#[derive(Debug)]
pub struct EventReceiver {
    shared: Arc<Shared>,
    alerts: Alerts,
    reported: BTreeSet<u16>,
}

/// A queue of at most `capacity` events (at least one); `dropped` counts those that were pushed out.
pub(crate) fn channel(capacity: usize, dropped: Counter, alerts: Alerts) -> (EventSender, EventReceiver) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        arrived: Notify::new(),
        dropped,
        capacity: capacity.max(1),
    });
    (EventSender(Arc::clone(&shared)), EventReceiver { shared, alerts, reported: BTreeSet::new() })
}

impl EventSender {
    /// Queues the event, pushing out the oldest when the queue is full. After [`Self::close`] it is
    /// dropped and counted.
    pub(crate) fn send(&self, event: RaisedEvent) {
        let mut state = self.0.lock();
        if state.closed {
            self.0.dropped.inc();
            return;
        }
        if state.waiting.len() >= self.0.capacity {
            state.waiting.pop_front();
            self.0.dropped.inc();
        }
        state.waiting.push_back(event);
        drop(state);
        self.0.arrived.notify_one();
    }

    /// No more events: the receiver ends when it has taken what is queued.
    pub(crate) fn close(&self) {
        self.0.lock().closed = true;
        self.0.arrived.notify_one();
    }
}

impl EventReceiver {
    /// The next events, at least one and at most `limit` (taken as 1 when 0), oldest first; empty when
    /// telemetry has been shut down and nothing is left. Cancel-safe: an event that was not returned
    /// stays in the queue.
    pub async fn recv_many(&mut self, limit: usize) -> Vec<RaisedEvent> {
        loop {
            // Registered before looking, so that an event between looking and waiting wakes us.
            let shared = Arc::clone(&self.shared);
            let arrived = shared.arrived.notified();
            {
                let mut state = self.shared.lock();
                let count = state.waiting.len().min(limit.max(1));
                let events: Vec<_> = state.waiting.drain(..count).collect();
                let ended = state.closed && events.is_empty();
                drop(state);
                if ended || !events.is_empty() {
                    self.report_unknown(&events);
                    return events;
                }
            }
            arrived.await;
        }
    }

    /// The next event; `None` when telemetry has been shut down and nothing is left. Cancel-safe.
    pub async fn recv(&mut self) -> Option<RaisedEvent> {
        self.recv_many(1).await.pop()
    }

    /// The next event if one is queued.
    pub fn try_recv(&mut self) -> Option<RaisedEvent> {
        let event = self.shared.lock().waiting.pop_front();
        self.report_unknown(event.as_slice());
        event
    }

    /// The alerts that come of the events.
    pub fn alerts(&self) -> Alerts {
        self.alerts.clone()
    }

    /// How many events were pushed out of the queue so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.get()
    }

    /// Says once per code that no registry knows it. Here and not where the event is raised: a layer
    /// must not raise events itself.
    fn report_unknown(&mut self, events: &[RaisedEvent]) {
        for event in events.iter().filter(|event| !event.known) {
            if self.reported.len() < REPORTED_MAX && self.reported.insert(event.code) {
                tracing::warn!(code = event.code, "event code stands in no registry");
            }
        }
    }
}
