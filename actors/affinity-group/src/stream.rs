//! The actor of a group's streaming connection, restarted by its supervisor when the stream fails.
//!
//! Life: read what the group wants ([`Orders`]) → open the stream and serve it ([`Pump`]) → again. What ends a
//! stream, and what follows:
//! * the server's planned end: told, and the same incarnation serves the group's next order;
//! * subscriptions that are not served: told, and the next order is served, which is without them;
//! * the group wants something else: the connection is closed and the new order is served;
//! * an opening that fails by an outage (Exchange is away, busy, or answers nonsense): told, and tried again by this
//!   incarnation after a pause. An outage concerns all streams, restarting one helps nobody, and hours of it
//!   must not use up the restarts that the supervisors grant;
//! * every other fault (an open stream breaks, ends without a word or falls silent, or an opening is refused):
//!   told, and then the incarnation fails.
//!
//! Failure: the end of a stream is told before the incarnation fails, and events were handed to the
//! journal before that. An incarnation that could not tell it (a panic) leaves its order behind marked as begun,
//! and its successor tells.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler};
use base::{Backoff, SharedClock};
use calendar::source::SourceErrorKind;
use calendar::{CalendarSource, SourceError};
use supervision::{ChildContext, Stop};
use tokio_util::task::AbortOnDropHandle;

use crate::group::GroupTools;
use crate::messages::{FromTask, Heard};
use crate::order::Orders;
use crate::pump::{End, Pump};

#[cfg(test)]
mod tests;

/// The actor of a stream.
pub(crate) struct StreamActor {
    tools: Arc<GroupTools>,
    orders: Orders,
    child: ChildContext,
}

impl StreamActor {
    /// Serves what `orders` want.
    pub(crate) const fn new(tools: Arc<GroupTools>, orders: Orders, child: ChildContext) -> Self {
        Self { tools, orders, child }
    }
}

impl Actor for StreamActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let tools = &self.tools.mailboxes;
        let serving = Serving {
            orders: self.orders.clone(),
            source: Arc::clone(&tools.source),
            clock: tools.clock.clone(),
            silence_limit: self.tools.options.stream_silence_limit,
            reopen: self.tools.options.reopen,
        };
        // ends with this actor, and the connection with it
        let task = AbortOnDropHandle::new(tools.runtime.spawn(serving.run()));
        ctx.spawn(wrap_future::<_, Self>(task).map(|outcome, actor, _| match outcome {
            Ok(code) => actor.child.fail(format_args!("the stream failed: {code}")),
            Err(_) => actor.child.fail("serving a stream panicked"),
        }));
    }
}

impl Handler<Stop> for StreamActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// The task of one incarnation.
struct Serving {
    orders: Orders,
    source: Arc<dyn CalendarSource>,
    clock: SharedClock,
    silence_limit: Duration,
    reopen: Backoff,
}

impl Serving {
    /// Serves orders until one fails; gives the code of the failure, which holds no content.
    async fn run(self) -> String {
        let mut wanted = self.orders.wanted();
        if let Some(order) = self.orders.take_begun() {
            let lost = Heard::Failed(interrupted());
            // without a listener the group has ended, and this actor is about to
            let _ = order.reports.send(FromTask::Stream(order.number, lost)).await;
        }
        let mut outages = 0_u32;
        // kept over a change of what is wanted: that is no reason to hurry
        let mut pause = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let order = wanted.next().await;
            let number = order.number;
            tokio::select! {
                biased;
                () = wanted.superseded(number) => continue,
                () = &mut pause => {}
            }
            if !self.orders.begin(number) {
                continue;
            }
            let pump = Pump {
                order,
                source: Arc::clone(&self.source),
                silence_limit: self.silence_limit,
                clock: self.clock.clone(),
            };
            let end = tokio::select! {
                biased;
                () = wanted.superseded(number) => continue,
                end = pump.run() => end,
            };
            match end {
                End::Closed => {
                    base::crash::point("listener.stream-closed");
                    self.orders.ended(number);
                    outages = 0;
                }
                End::Bad => {
                    self.orders.ended(number);
                    outages = 0;
                }
                End::Away(after) => {
                    outages = outages.saturating_add(1);
                    let again = self.reopen.delay_jittered(outages).max(after.unwrap_or_default());
                    pause.set(tokio::time::sleep(again));
                }
                End::Failed(code) => {
                    self.orders.ended(number);
                    return code;
                }
            }
        }
    }
}

/// A stream whose incarnation ended before it could tell.
fn interrupted() -> SourceError {
    SourceError {
        operation: "GetStreamingEvents",
        kind: SourceErrorKind::Unavailable,
        code: "stream interrupted".to_owned(),
        text: String::new(),
        after: None,
    }
}
