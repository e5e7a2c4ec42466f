//! The child `back-offs`: keeps the back-offs of the service accounts in step with those of all other instances
//! (B12), through the database. What an answer to this process asked for is written at once; what others were
//! told is read when [`Channel::Account`](store::wake::Channel) wakes and every few seconds.
//!
//! No call waits for any of this: each goes by what its own process knows at that moment. Between the answer to one
//! instance and the others' knowing lies one write and one wake-up; a call that leaves meanwhile is answered
//! by the server the same way.
//!
//! Failure: while the database is away each process waits by what it was told itself; what could not be written is
//! written at the next turn, as far as it has not passed.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use calendar::ids::AccountId;
use connector_exchange::{Exchange, Reason};
use store::accounts::{BackOff, BackOffReason, Refusal};
use store::wake::{Channel, Wake};
use store::{Store, StoreError};
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How often others' back-offs are looked for when no wake-up came, and a failed write is made again.
const EVERY: Duration = Duration::from_secs(3);

/// Writes and reads back-offs.
#[derive(Debug)]
pub(crate) struct BackOffKeeper {
    exchange: Arc<Exchange>,
    store: Store,
    wake: Wake,
    runtime: Handle,
    context: ChildContext,
    /// Something is to be written.
    moved: bool,
    working: bool,
    again: bool,
}

impl BackOffKeeper {
    /// A keeper for the accounts of `exchange`; the database work runs on `runtime`.
    pub(crate) const fn new(
        exchange: Arc<Exchange>,
        store: Store,
        wake: Wake,
        runtime: Handle,
        context: ChildContext,
    ) -> Self {
        Self { exchange, store, wake, runtime, context, moved: false, working: false, again: false }
    }

    /// Calls `then` whenever there is news; when no more can come, the interval is left.
    fn await_news(mut news: watch::Receiver<u64>, moved: bool, ctx: &mut Context<Self>, this: &Self) {
        let next = async move { news.changed().await.is_ok().then_some(news) };
        ctx.spawn(next.into_actor(this).map(move |news, actor, ctx| {
            if let Some(news) = news {
                actor.moved |= moved;
                actor.work(ctx);
                Self::await_news(news, moved, ctx, actor);
            }
        }));
    }

    /// Writes what moved, then reads what others were told.
    fn work(&mut self, ctx: &mut Context<Self>) {
        if self.working {
            self.again = true;
            return;
        }
        self.working = true;
        self.context.busy(true);
        let write = std::mem::take(&mut self.moved);
        let (exchange, store) = (Arc::clone(&self.exchange), self.store.clone());
        let work = self.runtime.spawn(async move {
            if write {
                tell(&exchange, &store).await?;
            }
            learn(&exchange, &store).await
        });
        ctx.spawn(work.into_actor(self).map(move |result, actor, ctx| {
            actor.working = false;
            actor.context.busy(false);
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    actor.moved |= write;
                    tracing::warn!(
                        event_id = calendar::codes::BACK_OFFS_NOT_SHARED.id,
                        error = &error as &dyn std::error::Error,
                        "the back-offs of the service accounts could not be shared, each instance waits by itself"
                    );
                }
                Err(error) => actor.context.fail(format!("sharing the back-offs ended: {error}")),
            }
            if std::mem::take(&mut actor.again) {
                actor.work(ctx);
            }
        }));
    }
}

/// Writes the back-offs of this process.
async fn tell(exchange: &Exchange, store: &Store) -> Result<(), StoreError> {
    let mine: Vec<BackOff> = exchange
        .back_offs()
        .into_iter()
        .map(|one| BackOff {
            account: one.account,
            left: one.left,
            failures: one.failures,
            reason: match one.reason {
                Reason::Busy => BackOffReason::Busy,
                Reason::Refused => BackOffReason::Refused,
            },
        })
        .collect();
    store.record_back_offs(&mine).await?;
    let refusals: Vec<Refusal> = exchange
        .refusals()
        .into_iter()
        .map(|one| Refusal {
            account: one.account,
            service: one.service,
            left: one.left,
            failures: one.failures,
        })
        .collect();
    store.record_refusals(&refusals).await
}

/// Lets the accounts wait that others were told to. But where the account of the configuration was refused to another
/// process, it may have been given another password: a wrong one in a new version must not silence those that run.
async fn learn(exchange: &Exchange, store: &Store) -> Result<(), StoreError> {
    let mut waits = Waits::of(store).await?;
    waits.back_offs.retain(|one| one.account != AccountId::DEFAULT || one.reason != BackOffReason::Refused);
    waits.refusals.retain(|one| one.account != AccountId::DEFAULT);
    hold(exchange, &waits);
    Ok(())
}

/// What accounts wait for, as the database knows it.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    back_offs: Vec<BackOff>,
    refusals: Vec<Refusal>,
}

impl Waits {
    /// As of now.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub(crate) async fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { back_offs: store.back_offs().await?, refusals: store.refusals().await? })
    }
}

/// At the start: what a former process was told goes on.
pub(crate) fn go_on(exchange: &Exchange, waits: &Waits) {
    for one in &waits.back_offs {
        tracing::info!(
            account = one.account.get(),
            left_s = one.left.as_secs(),
            reason = one.reason.as_str(),
            "a service account still waits, as exchange asked for or refused it before this start"
        );
    }
    for one in &waits.refusals {
        tracing::info!(
            account = one.account.get(),
            left_s = one.left.as_secs(),
            service = one.service,
            "a service account still waits at a service that refused it before this start"
        );
    }
    hold(exchange, waits);
}

fn hold(exchange: &Exchange, waits: &Waits) {
    for one in &waits.back_offs {
        exchange.hold(&connector_exchange::BackOff {
            account: one.account,
            left: one.left,
            failures: one.failures,
            reason: match one.reason {
                BackOffReason::Busy => Reason::Busy,
                BackOffReason::Refused => Reason::Refused,
            },
        });
    }
    for one in &waits.refusals {
        exchange.hold_at(&connector_exchange::Refusal {
            account: one.account,
            service: one.service.clone(),
            left: one.left,
            failures: one.failures,
        });
    }
}

impl Actor for BackOffKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        Self::await_news(self.exchange.back_offs_moved(), true, ctx, self);
        Self::await_news(self.wake.subscribe(Channel::Account), false, ctx, self);
        // what was found out before this incarnation began
        self.moved = true;
        self.work(ctx);
        ctx.run_interval(base::pace::scaled(EVERY), Self::work);
    }
}

impl Handler<Stop> for BackOffKeeper {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests;
