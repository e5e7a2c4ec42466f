//! The child `leases`: renews every lease of this process in one statement, at a third of their life or oftener, and hands
//! all of them back when it is stopped. It starts first and stops last, so that no part loses its lease while
//! it is ending in order.
//!
//! With each renewal the pool of the process is tried, too ([`PoolWatch`]): who cannot work does not keep its leases. Where
//! it does not answer, the connection of the renewals is asked whether the process waits for locks of others.
//!
//! When the database is away a renewal fails, is logged and tried again soon, within a second at the most, until it
//! succeeds: an outage costs no lease that ends within nine tenths of a life of the last renewal. Where it lasts, each owner
//! stops by its own clock before its lease can be taken.

use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, SpawnHandle,
    WrapFuture,
};
use base::{Backoff, SharedClock};
use calendar::codes;
use store::Store;
use store::lease::LeaseBook;
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::pool_watch::PoolWatch;

/// How long handing back may take.
const RELEASE_PATIENCE: Duration = Duration::from_secs(3);
/// The first pause after a renewal that failed.
const AGAIN_MIN: Duration = Duration::from_millis(250);
/// The longest.
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// What the keeper works with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) book: LeaseBook,
    /// The pool of all others.
    pub(crate) store: Store,
    pub(crate) clock: SharedClock,
    /// Where the database work runs.
    pub(crate) runtime: Handle,
    /// Told why this process is to end.
    pub(crate) broken: watch::Sender<Option<String>>,
    /// How long the pool may be silent while leases are renewed.
    pub(crate) pool_patience: Duration,
}

/// Renews and hands back.
#[derive(Debug)]
pub(crate) struct LeaseKeeper {
    book: LeaseBook,
    /// The pool of all others.
    store: Store,
    clock: SharedClock,
    /// Told why this process is to end.
    broken: watch::Sender<Option<String>>,
    pool: PoolWatch,
    trying: bool,
    every: Duration,
    runtime: Handle,
    context: ChildContext,
    renewing: bool,
    again: Again,
    /// The next try after a renewal that failed.
    retry: Option<SpawnHandle>,
}

/// When a renewal that failed is tried again. Pure.
#[derive(Debug)]
struct Again {
    pauses: Backoff,
    /// Renewals that failed in a row.
    failures: u32,
}

impl Again {
    fn new() -> Self {
        Self { pauses: Backoff::doubling(AGAIN_MIN, AGAIN_MAX), failures: 0 }
    }

    /// It worked: nothing is to be tried again.
    const fn renewed(&mut self) {
        self.failures = 0;
    }

    /// It failed: after which pause it is tried again, where `random` lies in 0..1.
    fn failed(&mut self, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.pauses.delay(self.failures, random)
    }
}

/// What a try of the pool came to.
enum Probed {
    Answers,
    /// It does not, and connections of this process wait for locks of others.
    WaitsForLocks,
    /// It does not.
    Silent(String),
}

async fn probe(store: Store, book: LeaseBook) -> Probed {
    match store.probe().await {
        Ok(()) => Probed::Answers,
        Err(_) if book.waits_for_locks().await.is_ok_and(|waits| waits) => Probed::WaitsForLocks,
        Err(error) => Probed::Silent(telemetry::chain(&error).to_string()),
    }
}

impl LeaseKeeper {
    /// A keeper that renews at every `every`.
    pub(crate) fn new(shared: &Tools, every: Duration, context: ChildContext) -> Self {
        let Tools { book, store, clock, runtime, broken, pool_patience } = shared.clone();
        let pool = PoolWatch::new(pool_patience);
        Self {
            book,
            store,
            clock,
            broken,
            pool,
            trying: false,
            every,
            runtime,
            context,
            renewing: false,
            again: Again::new(),
            retry: None,
        }
    }

    /// Tries the pool, unless a try is under way.
    fn try_pool(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.trying, true) {
            return;
        }
        let probe = self.runtime.spawn(probe(self.store.clone(), self.book.clone()));
        ctx.spawn(probe.into_actor(self).map(|result, actor, _| {
            actor.trying = false;
            match result.unwrap_or_else(|error| Probed::Silent(error.to_string())) {
                Probed::Answers => {
                    actor.pool.tried(true, actor.clock.monotonic());
                }
                Probed::WaitsForLocks => {
                    tracing::warn!("connections to the database wait for locks that others hold");
                    actor.pool.waits_for_locks();
                }
                Probed::Silent(error) => {
                    tracing::debug!(error, "the pool of connections to the database does not answer");
                    if actor.pool.tried(false, actor.clock.monotonic()) {
                        actor.give_up(error);
                    }
                }
            }
        }));
    }

    fn give_up(&self, error: String) {
        tracing::error!(
            event_id = codes::POOL_SILENT.id,
            error,
            "leases are renewed and the pool of connections does not answer, this process ends"
        );
        let reason = format!("the pool of connections to the database does not answer: {error}");
        self.broken.send_replace(Some(reason));
    }

    fn renew(&mut self, ctx: &mut Context<Self>) {
        if self.renewing {
            return;
        }
        self.renewing = true;
        // this one takes its place
        if let Some(retry) = self.retry.take() {
            ctx.cancel_future(retry);
        }
        self.context.busy(true);
        let book = self.book.clone();
        let renewal = self.runtime.spawn(async move {
            let has_part = book.has_part().await;
            book.renew().await.map(|_held| has_part)
        });
        ctx.spawn(renewal.into_actor(self).map(|result, actor, ctx| {
            actor.renewing = false;
            actor.context.busy(false);
            match result {
                Ok(Ok(true)) => actor.again.renewed(),
                // nothing was renewed, so nothing says that the database is there, and nobody waits for what is ours
                Ok(Ok(false)) => {
                    actor.again.renewed();
                    actor.pool.not_renewed();
                }
                Ok(Err(error)) => {
                    actor.pool.not_renewed();
                    let pause = actor.again.failed(rand::random());
                    actor.retry = Some(ctx.run_later(pause, Self::renew_again));
                    tracing::error!(
                        event_id = codes::DATABASE_UNREACHABLE.id,
                        error = &error as &dyn std::error::Error,
                        "leases not renewed, trying again"
                    );
                }
                Err(error) => actor.context.fail(format!("the renewal of leases ended: {error}")),
            }
        }));
    }

    fn renew_again(&mut self, ctx: &mut Context<Self>) {
        // it has begun, and there is nothing left to be cancelled
        self.retry = None;
        self.renew(ctx);
    }
}

impl Actor for LeaseKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // where it takes the place of one that failed nobody knows how long ago the last renewal was
        self.renew(ctx);
        ctx.run_interval(self.every, |actor, ctx| {
            actor.renew(ctx);
            actor.try_pool(ctx);
        });
    }
}

impl Handler<Stop> for LeaseKeeper {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let book = self.book.clone();
        let release = self
            .runtime
            .spawn(async move { tokio::time::timeout(RELEASE_PATIENCE, book.release_all()).await });
        Box::pin(release.into_actor(self).map(|result, _, ctx| {
            if !matches!(result, Ok(Ok(Ok(())))) {
                tracing::warn!("leases were not handed back in time; they run out by themselves");
            }
            ctx.stop();
        }))
    }
}

#[cfg(test)]
mod tests;
