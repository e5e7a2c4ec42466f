//! The child `gauges`: shows in the metrics how much waits and for how long, among it the age of the oldest
//! change that Planner has not acknowledged, and how often actors were restarted.
//!
//! One statement every few seconds for the whole installation. A failure leaves the last values and says so in
//! the log; `kommuneklient_gauges_taken_seconds` tells how fresh they are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use base::SharedClock;
use calendar::codes;
use calendar::ids::AccountId;
use jiff::Timestamp;
use store::accounts::AccountCapacity;
use store::overview::{Overview, overview};
use store::{Store, StoreError};
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
    /// Affinity groups that one service account carries at most.
    groups_per_account: usize,
    /// The accounts that were shown last.
    accounts: BTreeSet<AccountId>,
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
        groups_per_account: usize,
        context: ChildContext,
    ) -> Self {
        let accounts = BTreeSet::new();
        Self { store, clock, tree, runtime, groups_per_account, accounts, context, looking: false }
    }

    fn show_restarts(&self) {
        if let Some(tree) = self.tree.get() {
            gauge("kommuneklient_actor_restarts", "Restarts of actors by their supervisors since the start")
                .set(tree.restarts_total() as f64);
        }
    }

    fn show_accounts(&mut self, capacity: &AccountCapacity, now: Timestamp) {
        gauge(
            "kommuneklient_mailboxes_not_covered",
            "Mailboxes that no service account covers: nobody listens to them",
        )
        .set(capacity.not_covered as f64);
        let gone: Vec<AccountId> = std::mem::take(&mut self.accounts).into_iter().collect();
        for account in gone {
            show_account(account, [0.0; 4]);
        }
        for one in &capacity.accounts {
            let left = one.waits.map_or(0.0, |(until, _)| until.duration_since(now).as_secs_f64().max(0.0));
            let free = self.groups_per_account.saturating_sub(one.groups);
            show_account(one.account, [one.groups as f64, free as f64, one.mailboxes as f64, left]);
            self.accounts.insert(one.account);
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        let store = self.store.clone();
        let look = self.runtime.spawn(async move {
            Ok::<_, StoreError>((overview(&store).await?, store.account_capacity().await?))
        });
        ctx.spawn(look.into_actor(self).map(|result, actor, _| {
            actor.looking = false;
            match result {
                Ok(Ok((found, capacity))) => {
                    tracing::debug!(succeeded = codes::success::DATABASE, "the queues were looked at");
                    let now = actor.clock.now();
                    show(&found, now.as_second());
                    actor.show_accounts(&capacity, now);
                }
                Ok(Err(error)) => tracing::warn!(
                    event_id = codes::DATABASE_UNREACHABLE.id,
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

fn show_account(account: AccountId, values: [f64; 4]) {
    let names = [
        ("kommuneklient_account_groups", "Affinity groups that a service account carries"),
        ("kommuneklient_account_groups_free", "Affinity groups that a service account has room for"),
        ("kommuneklient_account_mailboxes", "Mailboxes that a service account listens to"),
        ("kommuneklient_account_waits_seconds", "How much longer all calls of a service account wait"),
    ];
    let account = account.to_string();
    for ((name, help), value) in names.into_iter().zip(values) {
        telemetry::metrics().gauge(name, help, &[("account", account.as_str())]).set(value);
    }
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
