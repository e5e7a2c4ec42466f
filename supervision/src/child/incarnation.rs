//! One incarnation of an actor: its context's future in a task of its own, with the panic caught, the
//! progress watched and the actor's `fail` heard.
//!
//! The context's future is never dropped as actix left it: on drop it would poll a live actor once more,
//! which runs `stopping` and `stopped` of a value that has just panicked, while unwinding. It is
//! terminated first, so that an incarnation that failed or was aborted runs no code except its drop.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use futures::future::LocalBoxFuture;
use tokio::sync::oneshot;

use crate::child::Stop;
use crate::child::context::{ChildContext, Shared};
use crate::child::reference::ChildRef;
use crate::exit::ExitReason;
use crate::panics;

/// What an incarnation needs from its supervisor.
pub(crate) struct Env {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mailbox_capacity: usize,
    pub(crate) progress_deadline: Option<Duration>,
    /// Told when it is up.
    pub(crate) started: oneshot::Sender<()>,
}

/// An incarnation that has been built and not yet polled.
pub(crate) struct Launched {
    pub(crate) run: LocalBoxFuture<'static, ExitReason>,
    /// Asks it to end in order.
    pub(crate) stop: Box<dyn Fn()>,
}

/// Builds incarnations.
pub(crate) trait Launch {
    fn launch(&mut self, env: Env) -> Launched;
}

/// Builds incarnations of an actor.
pub(crate) struct ActorLaunch<A: Actor, F> {
    pub(crate) reference: ChildRef<A>,
    pub(crate) factory: F,
}

impl<A, F> Launch for ActorLaunch<A, F>
where
    A: Actor<Context = Context<A>> + Handler<Stop>,
    F: FnMut(ChildContext) -> A + 'static,
{
    fn launch(&mut self, env: Env) -> Launched {
        let child_context = ChildContext::new(Arc::clone(&env.shared));
        let built = catch_unwind(AssertUnwindSafe(|| (self.factory)(child_context)));
        let actor = match built {
            Ok(actor) => actor,
            Err(payload) => {
                let reason = panicked(payload);
                env.shared.set_ended();
                return Launched { run: Box::pin(async { reason }), stop: Box::new(|| {}) };
            }
        };
        let mut context = Context::new();
        context.set_mailbox_capacity(env.mailbox_capacity);
        let addr = context.address();
        let token = self.reference.point_at(addr.clone(), env.mailbox_capacity);
        let body = Body {
            future: Some(context.into_future(actor)),
            shared: env.shared,
            reference: self.reference.clone(),
            token,
            started: Some(env.started),
        };
        let stop = move || {
            // This address is used for nothing else, so actix has a place for its message even when the
            // mailbox is full. The one error left is a closed mailbox: it has ended already.
            let _ = addr.try_send(Stop);
        };
        Launched { run: Box::pin(run(body, env.progress_deadline)), stop: Box::new(stop) }
    }
}

async fn run<A: Actor<Context = Context<A>>>(
    mut body: Body<A>,
    progress_deadline: Option<Duration>,
) -> ExitReason {
    let shared = Arc::clone(&body.shared);
    let ended = tokio::select! {
        biased;
        reason = shared.failed() => ExitReason::Failed(reason),
        () = shared.hung(progress_deadline) => ExitReason::Hung,
        ended = &mut body => ended,
    };
    let after = body.end();
    match (ended, after) {
        // It may have said that it failed in the same breath in which it stopped.
        (ExitReason::Normal, ExitReason::Normal) => {
            shared.failure_reason().map_or(ExitReason::Normal, ExitReason::Failed)
        }
        (ExitReason::Normal, after) => after,
        (ended, _) => ended,
    }
}

/// The context's future and what must be put right when it ends, in whichever way.
struct Body<A: Actor<Context = Context<A>>> {
    future: Option<ContextFut<A, Context<A>>>,
    shared: Arc<Shared>,
    reference: ChildRef<A>,
    token: u64,
    started: Option<oneshot::Sender<()>>,
}

impl<A: Actor<Context = Context<A>>> Body<A> {
    /// Ends it: nobody reaches it any longer, its tasks are told, its value is dropped.
    fn end(&mut self) -> ExitReason {
        self.reference.clear(self.token);
        self.shared.set_ended();
        let Some(mut future) = self.future.take() else { return ExitReason::Normal };
        let dropped = catch_unwind(AssertUnwindSafe(move || {
            future.ctx().terminate();
            drop(future);
        }));
        dropped.map_or_else(panicked, |()| ExitReason::Normal)
    }
}

impl<A: Actor<Context = Context<A>>> Future for Body<A> {
    type Output = ExitReason;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<ExitReason> {
        let this = self.get_mut();
        let Some(future) = this.future.as_mut() else { return Poll::Ready(ExitReason::Normal) };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(cx)));
        match polled {
            Err(payload) => Poll::Ready(panicked(payload)),
            Ok(Poll::Ready(())) => Poll::Ready(ExitReason::Normal),
            Ok(Poll::Pending) => {
                // The first poll ran `started`. One that failed in it is not up.
                if this.started.is_some() && this.shared.failure_reason().is_none() {
                    let _ = this.started.take().map(|started| started.send(()));
                }
                Poll::Pending
            }
        }
    }
}

impl<A: Actor<Context = Context<A>>> Drop for Body<A> {
    fn drop(&mut self) {
        // A task that is aborted comes here; one that ended has nothing left to do.
        self.end();
    }
}

fn panicked(payload: Box<dyn Any + Send>) -> ExitReason {
    ExitReason::Panicked(panics::describe(payload))
}
