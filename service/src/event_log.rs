//! The child `event-log`: writes coded events (B13) to the table `application_log`, in batches.
//!
//! A batch that the database does not take is kept and tried again; telemetry's queue in front of it is
//! bounded and drops the oldest, with a counter, so that a database outage costs memory only up to that bound.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use store::Store;
use store::application_log::{self, LoggedEvent};
use supervision::{ChildContext, Stop};
use telemetry::{EventReceiver, RaisedEvent};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Most rows of a batch.
const BATCH_MAX: usize = 500;
/// The pause after a batch that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the last batch may take at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Drains the events of telemetry into the database.
#[derive(Debug)]
pub(crate) struct EventLog {
    store: Store,
    /// Shared over incarnations: the queue goes on where the last one stopped.
    events: Arc<Mutex<EventReceiver>>,
    instance: String,
    runtime: Handle,
    context: ChildContext,
    stop: CancellationToken,
    drain: Option<tokio::task::JoinHandle<()>>,
}

impl EventLog {
    /// A writer for the process `instance`.
    pub(crate) fn new(
        store: Store,
        events: Arc<Mutex<EventReceiver>>,
        instance: String,
        runtime: Handle,
        context: ChildContext,
    ) -> Self {
        let stop = context.ended().child_token();
        Self { store, events, instance, runtime, context, stop, drain: None }
    }
}

impl Actor for EventLog {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let (store, events) = (self.store.clone(), Arc::clone(&self.events));
        let (instance, stop) = (self.instance.clone(), self.stop.clone());
        let context = self.context.clone();
        let guard = self.context.clone();
        self.drain = Some(self.runtime.spawn(guard.guarded("writing events", async move {
            drain(&store, &events, &instance, &stop).await;
            if !stop.is_cancelled() {
                context.fail("the queue of events has ended");
            }
        })));
    }
}

impl Handler<Stop> for EventLog {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stop.cancel();
        let drain = self.drain.take();
        let wait = async move {
            if let Some(drain) = drain {
                let _ = tokio::time::timeout(FLUSH_PATIENCE, drain).await;
            }
        };
        Box::pin(wait.into_actor(self).map(|(), _, ctx| ctx.stop()))
    }
}

/// Writes until told to stop, then writes once more what is waiting by then.
async fn drain(store: &Store, events: &Mutex<EventReceiver>, instance: &str, stop: &CancellationToken) {
    let mut events = events.lock().await;
    loop {
        let batch = tokio::select! {
            biased;
            batch = events.recv_many(BATCH_MAX) => batch,
            () = stop.cancelled() => return,
        };
        if batch.is_empty() {
            return; // telemetry has ended
        }
        let batch: Vec<LoggedEvent> = batch.into_iter().map(to_row).collect();
        while let Err(error) = application_log::append(store, instance, &batch).await {
            // without a code: an event about this would only come back here
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                rows = batch.len(),
                "coded events not written to the database, trying again"
            );
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

fn to_row(mut event: RaisedEvent) -> LoggedEvent {
    if event.alert == Some(true) {
        event.fields.insert("alert".to_owned(), true.into());
    }
    LoggedEvent {
        at: event.at,
        event_id: event.code,
        severity: serde_json::to_value(event.severity)
            .ok()
            .and_then(|value| value.as_str().map(ToOwned::to_owned))
            .unwrap_or_default(),
        source: event.source.to_owned(),
        message: event.message,
        fields: event.fields.into(),
        trace_id: event.trace_id,
    }
}
