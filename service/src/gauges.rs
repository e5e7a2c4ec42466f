//! The child `gauges`: shows in the metrics how much waits and for how long, among it the age of the oldest
//! change that Planner has not acknowledged, and how often actors were restarted.
//!
//! One statement every few seconds for the whole installation. A failure leaves the last values and says so in
//! the log; `kommuneklient_gauges_taken_seconds` tells how fresh they are.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use base::SharedClock;
use store::Store;
use store::overview::{Overview, overview};
use supervision::{ChildContext, Stop, Tree};
use tokio::runtime::Handle;

/// How often the queues are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// How often the restarts are looked at, which costs nothing.
const RESTARTS_EVERY: Duration = Duration::from_millis(500);

/// Looks at the queues.
#[derive(Debug)]
pub(crate) struct Gauges {
    store: Store,
    clock: SharedClock,
    tree: Arc<OnceLock<Tree>>,
    runtime: Handle,
    context: ChildContext,
    looking: bool,
}

impl Gauges {
    /// A sampler; `tree` is set once the tree that this is part of has been started.
    pub(crate) fn new(
        store: Store,
        clock: SharedClock,
        tree: Arc<OnceLock<Tree>>,
        runtime: Handle,
        context: ChildContext,
    ) -> Self {
        Self { store, clock, tree, runtime, context, looking: false }
    }

    fn show_restarts(&self) {
        if let Some(tree) = self.tree.get() {
            gauge("kommuneklient_actor_restarts", "Restarts of actors by their supervisors since the start")
                .set(tree.restarts_total() as f64);
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        let store = self.store.clone();
        let look = self.runtime.spawn(async move { overview(&store).await });
        ctx.spawn(look.into_actor(self).map(|result, actor, _| {
            actor.looking = false;
            match result {
                Ok(Ok(found)) => show(&found, actor.clock.now().as_second()),
                Ok(Err(error)) => tracing::warn!(
                    event_id = 3906,
                    error = &error as &dyn std::error::Error,
                    "the queues could not be looked at"
                ),
                Err(error) => actor.context.fail(format!("looking at the queues ended: {error}")),
            }
        }));
    }
}

fn gauge(name: &str, help: &str) -> telemetry::Gauge {
    telemetry::metrics().gauge(name, help, &[])
}

fn show(found: &Overview, now_s: i64) {
    let values = [
        (
            "kommuneklient_notifications_waiting",
            "Notifications that wait to be handled",
            found.notifications as f64,
        ),
        (
            "kommuneklient_oldest_notification_seconds",
            "Age of the oldest notification that waits",
            found.oldest_notification_s.unwrap_or(0.0),
        ),
        (
            "kommuneklient_notifications_set_aside",
            "Notifications that kept failing and were set aside",
            found.notifications_set_aside as f64,
        ),
        (
            "kommuneklient_changes_unsent",
            "Keys that Planner has not acknowledged as decided",
            found.unsent as f64,
        ),
        (
            "kommuneklient_oldest_unsent_change_seconds",
            "Age of the oldest change that Planner has not acknowledged",
            found.oldest_unsent_s.unwrap_or(0.0),
        ),
        ("kommuneklient_keys_in_flight", "Keys in a call to Planner", found.in_flight as f64),
        ("kommuneklient_resources", "Resources in use", found.resources as f64),
        (
            "kommuneklient_resources_failing",
            "Resources in use whose mailbox cannot be listened to",
            found.resources_failing as f64,
        ),
        (
            "kommuneklient_resources_not_adopted",
            "Resources in use for which nothing is sent yet: to be adopted, or read in full since",
            found.resources_not_adopted as f64,
        ),
        ("kommuneklient_gauges_taken_seconds", "When these gauges were taken, in Unix time", now_s as f64),
    ];
    for (name, help, value) in values {
        gauge(name, help).set(value);
    }
}

impl Actor for Gauges {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
        ctx.run_interval(EVERY, Self::look);
        ctx.run_interval(RESTARTS_EVERY, |gauges, _| gauges.show_restarts());
    }
}

impl Handler<Stop> for Gauges {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
