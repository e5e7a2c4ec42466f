//! The child `leases`: renews every lease of this process in one statement, at a third of their life or oftener, and hands
//! all of them back when it is stopped. It starts first and stops last, so that no part loses its lease while
//! it is ending in order.
//!
//! When the database is away a renewal fails, is logged and tried again at the next turn; each owner then stops by
//! its own clock before its lease can be taken.

use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture,
};
use calendar::codes;
use store::lease::LeaseBook;
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;

/// How long handing back may take.
const RELEASE_PATIENCE: Duration = Duration::from_secs(3);

/// Renews and hands back.
#[derive(Debug)]
pub(crate) struct LeaseKeeper {
    book: LeaseBook,
    every: Duration,
    runtime: Handle,
    context: ChildContext,
    renewing: bool,
}

impl LeaseKeeper {
    /// A keeper of `book` that renews at every `every`; the database work runs on `runtime`.
    pub(crate) fn new(book: LeaseBook, every: Duration, runtime: Handle, context: ChildContext) -> Self {
        Self { book, every, runtime, context, renewing: false }
    }

    fn renew(&mut self, ctx: &mut Context<Self>) {
        if self.renewing {
            return;
        }
        self.renewing = true;
        self.context.busy(true);
        let book = self.book.clone();
        let renewal = self.runtime.spawn(async move { book.renew().await });
        ctx.spawn(renewal.into_actor(self).map(|result, actor, _| {
            actor.renewing = false;
            actor.context.busy(false);
            match result {
                Ok(Ok(_held)) => {}
                Ok(Err(error)) => tracing::error!(
                    event_id = codes::DATABASE_UNREACHABLE.id,
                    error = &error as &dyn std::error::Error,
                    "leases not renewed, trying again"
                ),
                Err(error) => actor.context.fail(format!("the renewal of leases ended: {error}")),
            }
        }));
    }
}

impl Actor for LeaseKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.every, Self::renew);
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
