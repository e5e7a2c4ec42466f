//! The actor: it only coordinates. Looks and calls run on the runtime, decisions are in `policy` and `plan`.

use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt as _, Addr, AsyncContext, Context, Handler, SpawnHandle, fut,
};
use calendar::codes;
use store::duty::{self, Tidings};
use store::lease::{Fence, Lease};
use store::wake::Channel;
use supervision::{
    ChildContext, ChildId, ChildRef, ChildSpec, Intensity, Restart, Stop, Strategy, SupervisorRef,
    SupervisorSpec,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::batch::{PlannerBatch, Report};
use crate::config::{BatcherOptions, Deps};
use crate::error::BatcherError;
use crate::look::{self, Found};
use crate::messages::{BatchEnded, Looked, News, Observe, Observed, OfDuty};
use crate::plan::Picker;
use crate::policy::{Directive, Ended, Event, Limits, Look, Policy};
use crate::send::{Duty, Work};

/// How long answers that have come are still being recorded when the others are left.
const RECORD_PATIENCE: Duration = Duration::from_secs(2);
/// How long handing the lease back may take.
const HAND_BACK_PATIENCE: Duration = Duration::from_secs(2);

/// Turns decisions into calls.
#[derive(Debug)]
pub struct PlannerBatcher {
    child: ChildContext,
    deps: Deps,
    options: BatcherOptions,
    batches: SupervisorRef,
    policy: Policy,
    /// `None` while a look has it.
    picker: Option<Picker>,
    lease: Option<Lease>,
    next_batch: u64,
    /// Cancelled when the end waits no longer for calls in flight.
    leave: CancellationToken,
    /// Cancelled when no new work is to be taken.
    stop: CancellationToken,
    timer: Option<SpawnHandle>,
    look: Option<AbortOnDropHandle<()>>,
    /// Keeps the duty; waits for news.
    watches: Vec<AbortOnDropHandle<()>>,
}

impl PlannerBatcher {
    /// A batcher whose batches become children of `batches`.
    pub fn new(child: ChildContext, deps: Deps, options: BatcherOptions, batches: SupervisorRef) -> Self {
        let policy = Policy::new(Limits {
            simultaneous_calls: deps.book.limits().simultaneous_calls as usize,
            max_events_per_call: options.max_events_per_call,
            update_interval: options.update_interval,
            retry: options.retry,
        });
        Self {
            child,
            deps,
            options,
            batches,
            policy,
            picker: Some(Picker::default()),
            lease: None,
            next_batch: 0,
            leave: CancellationToken::new(),
            stop: CancellationToken::new(),
            timer: None,
            look: None,
            watches: Vec::new(),
        }
    }

    /// The batcher and the supervisor of its batches, below one supervisor `planner-batcher`. The batches
    /// are stopped after the batcher, which waits for them: calls in flight are ended in order, or left after
    /// [`BatcherOptions::stop_patience`].
    pub fn supervisor(deps: &Deps, options: &BatcherOptions, reference: &ChildRef<Self>) -> SupervisorSpec {
        let batches = SupervisorRef::new();
        let calls = deps.book.limits().simultaneous_calls as usize;
        let intensity = Intensity { max_restarts: 5, window: Duration::from_secs(60) };
        let patience = options.stop_patience + RECORD_PATIENCE + HAND_BACK_PATIENCE;
        let pool = SupervisorSpec::new("batches", Strategy::OneForOne, intensity)
            .max_children(calls.saturating_add(1))
            .reference(&batches);
        let (deps, options) = (deps.clone(), options.clone());
        let batcher = ChildSpec::actor("batcher", reference, move |child| {
            Self::new(child, deps.clone(), options.clone(), batches.clone())
        })
        .shutdown_deadline(patience);
        SupervisorSpec::new("planner-batcher", Strategy::OneForAll, intensity)
            .child(ChildSpec::supervisor(pool))
            .child(batcher)
    }

    fn tell(&mut self, event: Event, context: &mut Context<Self>) {
        let now = self.deps.clock.monotonic();
        for directive in self.policy.on(event, now, rand::random()) {
            self.perform(directive, now, context);
        }
    }

    fn perform(&mut self, directive: Directive, now: std::time::Instant, context: &mut Context<Self>) {
        match directive {
            Directive::Look { fresh, size } => self.start_look(fresh, size, context),
            Directive::WakeAt(at) => {
                if let Some(timer) = self.timer.take() {
                    context.cancel_future(timer);
                }
                let wait = at.saturating_duration_since(now);
                self.timer = Some(context.run_later(wait, |actor, context| {
                    actor.timer = None;
                    actor.tell(Event::Timer, context);
                }));
            }
            Directive::Smaller(size) => tracing::warn!(
                event_id = codes::BATCHES_SMALLER.id,
                size,
                "repeated timeouts made the batches to planner smaller"
            ),
            Directive::Paused(pause) => tracing::warn!(
                event_id = codes::SENDING_PAUSED.id,
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "sending to planner pauses"
            ),
            Directive::Resumed => {
                tracing::info!(event_id = codes::SENDING_RESUMED.id, "sending to planner goes on");
            }
            Directive::Finished => self.finish(context),
        }
    }

    fn start_look(&mut self, fresh: bool, size: usize, context: &mut Context<Self>) {
        let (Some(fence), Some(mut picker)) = (self.fence(), self.picker.take()) else {
            self.child.fail("a look without the lease, or two at once");
            return;
        };
        if fresh {
            picker.forget_live();
        }
        let (deps, options, address) = (self.deps.clone(), self.options.clone(), context.address());
        let stop = self.stop.clone();
        let look = self.child.guarded("a look", async move {
            let found = look::look(&deps, &options, &fence, &mut picker, size, &stop).await;
            // a batcher that is gone has a successor with a lease of its own
            let _ = address.send(Looked { picker, found }).await;
        });
        self.look = Some(AbortOnDropHandle::new(self.deps.runtime.spawn(look)));
    }

    fn fence(&self) -> Option<Fence> {
        self.lease.as_ref().map(Lease::fence)
    }

    /// Gives a reserved call to an actor of its own.
    fn start_batch(&mut self, work: Work, context: &mut Context<Self>) {
        self.next_batch += 1;
        let id = ChildId::from(format!("planner-batch/{}", self.next_batch));
        let report = Report { batcher: context.address(), summary: None };
        let (deps, options) = (self.deps.clone(), self.options.clone());
        let leave = self.leave.clone();
        let mut once = Some((work, report));
        let batcher: Addr<Self> = context.address();
        let spec = ChildSpec::actor(id.clone(), &ChildRef::new(), move |child| {
            let (work, report) = match once.take() {
                Some((work, report)) => (Some(work), report),
                None => (None, Report { batcher: batcher.clone(), summary: None }),
            };
            PlannerBatch::new(child, deps.clone(), options.clone(), work, report, leave.clone())
        })
        .restart(Restart::Temporary)
        .without_bearing_on_readiness()
        .shutdown_deadline(self.options.lifetime() + Duration::from_secs(1))
        .progress_deadline(self.options.lifetime() + Duration::from_secs(30));
        let batches = self.batches.clone();
        let added = async move { batches.add_child(spec).await };
        context.spawn(fut::wrap_future(added).map(move |result, actor: &mut Self, _| {
            if let Err(error) = result {
                // the report was dropped with the specification, so the policy knows already
                tracing::error!(
                    event_id = codes::PLANNER_SEND_UNKNOWN_ERROR.id,
                    batch = %id,
                    error = %error,
                    path = actor.child.path(),
                    "a reserved call could not be started, its keys wait for their deadline"
                );
            }
        }));
    }

    /// Nothing is in flight: the lease goes back, so that another instance can go on at once.
    fn finish(&mut self, context: &mut Context<Self>) {
        let Some(lease) = self.lease.take() else {
            context.stop();
            return;
        };
        let given_back = self.deps.runtime.spawn(duty::give_back(lease));
        context.spawn(fut::wrap_future(given_back).map(|_, _: &mut Self, context| context.stop()));
    }

    fn escalate(&self, error: &BatcherError) {
        tracing::error!(
            event_id = codes::COMMUNICATOR_RUN_FAILED.id,
            error = %telemetry::chain(error),
            "the planner batcher cannot go on"
        );
        self.child.fail(telemetry::chain(error));
    }
}

impl Actor for PlannerBatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let address = context.address();
        let tell = move |tidings| {
            let told = address.send(OfDuty(tidings));
            async move { told.await.is_ok() }
        };
        let duty = duty::keep(self.deps.leases.clone(), self.options.lease.clone(), tell);
        let duty = self.child.guarded("keeping the duty", duty);
        self.watches.push(AbortOnDropHandle::new(self.deps.runtime.spawn(duty)));
    }
}

impl PlannerBatcher {
    fn held(&mut self, lease: Lease, context: &mut Context<Self>) {
        let mut news = self.deps.wake.subscribe(Channel::Decision);
        let address = context.address();
        self.watches.push(AbortOnDropHandle::new(self.deps.runtime.spawn(async move {
            while news.changed().await.is_ok() && address.send(News).await.is_ok() {}
        })));
        self.lease = Some(lease);
        tracing::info!("the planner batcher holds its lease and sends");
        if !self.child.stopping() {
            self.tell(Event::News, context);
        }
    }
}

impl Handler<OfDuty> for PlannerBatcher {
    type Result = ();

    fn handle(&mut self, OfDuty(tidings): OfDuty, context: &mut Self::Context) {
        match tidings {
            Tidings::Held(lease) => self.held(lease, context),
            Tidings::Lost if self.lease.is_some() => self.child.fail("the lease of the duty is lost"),
            Tidings::Lost => {}
            Tidings::Failed(error) => self.escalate(&BatcherError::Lease(error)),
        }
    }
}

impl Handler<News> for PlannerBatcher {
    type Result = ();

    fn handle(&mut self, _: News, context: &mut Self::Context) {
        self.tell(Event::News, context);
    }
}

impl Handler<Looked> for PlannerBatcher {
    type Result = ();

    fn handle(&mut self, Looked { picker, found }: Looked, context: &mut Self::Context) {
        self.picker = Some(picker);
        self.look = None;
        let found = match found {
            Ok(found) => {
                tracing::debug!(succeeded = codes::success::COMMUNICATOR, "looked what is to be sent");
                found
            }
            Err(error) if look::passes(&error) => {
                tracing::error!(
                    event_id = codes::COMMUNICATOR_DATABASE_FAILED.id,
                    error = %telemetry::chain(&error),
                    "the database cannot be asked what is to be sent"
                );
                Found { look: Look::Failed, call: None }
            }
            Err(error) => return self.escalate(&BatcherError::Look(error)),
        };
        if let (Some((reserved, slot, began)), Some(lease)) = (found.call, &self.lease) {
            let duty = Duty::of(lease, self.leave.clone());
            self.start_batch(Work { reserved, slot, began, duty }, context);
        }
        self.tell(Event::Looked(found.look), context);
    }
}

impl Handler<BatchEnded> for PlannerBatcher {
    type Result = ();

    fn handle(&mut self, BatchEnded(summary): BatchEnded, context: &mut Self::Context) {
        let ended = match summary {
            Some(summary) => {
                if let Some(error) = summary.unrecorded.filter(|error| !look::passes(error)) {
                    return self.escalate(&BatcherError::Answer(error));
                }
                summary.ended
            }
            None => Ended::Lost,
        };
        self.tell(Event::Ended(ended), context);
    }
}

impl Handler<Observe> for PlannerBatcher {
    type Result = Observed;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observed {
        Observed {
            holds_lease: self.lease.is_some(),
            in_flight: self.policy.in_flight(),
            batch_size: self.policy.batch_size(),
        }
    }
}

impl Handler<Stop> for PlannerBatcher {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        if self.lease.is_none() {
            context.stop();
            return;
        }
        self.stop.cancel();
        context.run_later(self.options.stop_patience, |actor, context| {
            // their connections are closed before the lease goes back: the successor need not count them
            actor.leave.cancel();
            context.run_later(RECORD_PATIENCE, Self::finish);
        });
        self.tell(Event::Stop, context);
    }
}

#[cfg(test)]
mod tests;
