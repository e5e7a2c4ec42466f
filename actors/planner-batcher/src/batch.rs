//! One batch in flight: a short-lived actor, so that a call that goes wrong takes nothing with it.

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler};
use supervision::{ChildContext, Stop};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::actor::PlannerBatcher;
use crate::config::{BatcherOptions, Deps};
use crate::messages::{BatchEnded, Sent};
use crate::send::{self, Summary, Work};

/// Makes one call, tells the batcher how it ended, and ends.
#[derive(Debug)]
pub struct PlannerBatch {
    child: ChildContext,
    deps: Deps,
    options: BatcherOptions,
    work: Option<Work>,
    report: Report,
    /// Cancelled when the end of the service waits no longer.
    leave: CancellationToken,
    task: Option<AbortOnDropHandle<()>>,
}

/// Tells the batcher that the batch has ended, whatever ends it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) batcher: Addr<PlannerBatcher>,
    pub(crate) summary: Option<Summary>,
}

impl Drop for Report {
    fn drop(&mut self) {
        // Its mailbox holds many more messages than there are batches; a batcher that is gone needs no report.
        let _ = self.batcher.try_send(BatchEnded(self.summary.take()));
    }
}

impl PlannerBatch {
    pub(crate) fn new(
        child: ChildContext,
        deps: Deps,
        options: BatcherOptions,
        work: Option<Work>,
        report: Report,
        leave: CancellationToken,
    ) -> Self {
        Self { child, deps, options, work, report, leave, task: None }
    }
}

impl Actor for PlannerBatch {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(work) = self.work.take() else {
            self.child.fail("a batch has its work only once");
            return;
        };
        self.child.busy(true);
        let (deps, options, address) = (self.deps.clone(), self.options.clone(), context.address());
        let task = self.deps.runtime.spawn(self.child.guarded("a call", async move {
            let summary = send::send(&deps, &options, work).await;
            // an actor that is gone was aborted, and its keys stay in flight until their deadline
            let _ = address.send(Sent(summary)).await;
        }));
        self.task = Some(AbortOnDropHandle::new(task));
    }
}

impl Handler<Sent> for PlannerBatch {
    type Result = ();

    fn handle(&mut self, Sent(summary): Sent, context: &mut Self::Context) {
        self.report.summary = Some(summary);
        context.stop();
    }
}

impl Handler<Stop> for PlannerBatch {
    type Result = ();

    /// A call in flight is not given up, it ends by its own deadline, and so does this; except when the batcher waits no
    /// longer.
    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        if self.leave.is_cancelled() {
            context.stop();
        }
    }
}
