//! The actor: it only coordinates; a fetch runs on the runtime.

use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt as _, Addr, AsyncContext, Context, Handler, SpawnHandle, fut,
};
use calendar::codes;
use store::duty::{self, Tidings};
use store::lease::{Fence, Lease};
use store::resource_list::requests;
use store::wake::Channel;
use store::{Store, StoreError};
use supervision::{ChildContext, ChildRef, ChildSpec, Stop};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Deps, ResourceListOptions};
use crate::error::ResourceListError;
use crate::fetch::{self, Fetched};
use crate::messages::{Ended, Looked, OfDuty, Refresh};
use crate::policy::{Directive, Event, Policy};
use crate::schedule::Schedule;

/// The pause before the database is asked again whether there is a list.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Keeps the resource list.
#[derive(Debug)]
pub struct ResourceList {
    child: ChildContext,
    deps: Deps,
    options: ResourceListOptions,
    policy: Policy,
    lease: Option<Lease>,
    has_list: bool,
    timer: Option<SpawnHandle>,
    fetch: Option<AbortOnDropHandle<()>>,
    watches: Vec<AbortOnDropHandle<()>>,
    /// Tells a fetch in flight that the duty ends.
    stop: CancellationToken,
}

impl ResourceList {
    /// A resource list that has not begun.
    pub fn new(child: ChildContext, deps: Deps, options: ResourceListOptions) -> Self {
        let policy = Policy::new(options.retry);
        Self {
            child,
            deps,
            options,
            policy,
            lease: None,
            has_list: false,
            timer: None,
            fetch: None,
            watches: Vec::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The child `resource-list`: ready when there is a list.
    pub fn child(deps: &Deps, options: &ResourceListOptions, reference: &ChildRef<Self>) -> ChildSpec {
        let (deps, options) = (deps.clone(), options.clone());
        ChildSpec::actor("resource-list", reference, move |child| {
            Self::new(child, deps.clone(), options.clone())
        })
        .reports_readiness()
    }

    fn tell(&mut self, event: Event, context: &mut Context<Self>) {
        let Some(fence) = self.lease.as_ref().map(Lease::fence) else { return };
        if self.child.stopping() {
            return;
        }
        match self.policy.on(event, self.deps.clock.monotonic(), rand::random()) {
            None => {}
            Some(Directive::WakeAfter(pause)) => {
                if let Some(timer) = self.timer.take() {
                    context.cancel_future(timer);
                }
                self.timer = Some(context.run_later(pause, |actor, context| {
                    actor.timer = None;
                    actor.tell(Event::Timer, context);
                }));
            }
            Some(Directive::Fetch) => {
                let (deps, options, address) = (self.deps.clone(), self.options.clone(), context.address());
                let stop = self.stop.clone();
                let fetch = self.child.guarded("a fetch", async move {
                    let ended = fetch::fetch(&deps, &options, &fence, &stop).await;
                    // an actor that is gone has a successor with a lease of its own
                    let _ = address.send(Ended(ended)).await;
                });
                self.fetch = Some(AbortOnDropHandle::new(self.deps.runtime.spawn(fetch)));
            }
        }
    }

    fn finish(&mut self, context: &mut Context<Self>) {
        if self.fetch.is_some() {
            return;
        }
        let Some(lease) = self.lease.take() else {
            context.stop();
            return;
        };
        let given_back = self.deps.runtime.spawn(duty::give_back(lease));
        context.spawn(fut::wrap_future(given_back).map(|_, _: &mut Self, context| context.stop()));
    }

    fn escalate(&self, error: &ResourceListError) {
        tracing::error!(
            event_id = error.event().id,
            error = %telemetry::chain(error),
            "the resource list cannot go on"
        );
        self.child.fail(telemetry::chain(error));
    }
}

/// Is there a list? Waits while the database is away.
async fn has_list(store: &Store) -> bool {
    loop {
        match store.has_resource_list().await {
            Ok(there) => return there,
            Err(error) => tracing::warn!(
                event_id = codes::COMMUNICATOR_DATABASE_FAILED.id,
                error = %telemetry::chain(&error),
                "the database cannot be asked for a resource list"
            ),
        }
        tokio::time::sleep(base::pace::scaled(LOOK_AGAIN)).await;
    }
}

/// Asks for a fetch at the times of the schedule, and at once when one was missed, unless the list is fetched
/// now anyway.
async fn keep_schedule(
    deps: Deps,
    options: ResourceListOptions,
    fence: Fence,
    fetched_now: bool,
    list: Addr<ResourceList>,
) {
    let last_run = loop {
        match last_run(&deps, &fence).await {
            Ok(last_run) => break last_run,
            Err(error) => tracing::warn!(
                event_id = codes::COMMUNICATOR_DATABASE_FAILED.id,
                error = %telemetry::chain(&error),
                "the database cannot be asked when the resource list was last fetched"
            ),
        }
        tokio::time::sleep(base::pace::scaled(LOOK_AGAIN)).await;
    };
    let last_run = if fetched_now { deps.clock.now() } else { last_run };
    let mut schedule = Schedule::new(options.schedule, options.zone, last_run);
    loop {
        let look = schedule.look(deps.clock.now());
        if look.due && list.send(Refresh).await.is_err() {
            return;
        }
        tokio::time::sleep(look.again_after).await;
    }
}

/// When the list was last fetched by the schedule's reckoning. A schedule that never ran begins now.
async fn last_run(deps: &Deps, fence: &Fence) -> Result<jiff::Timestamp, StoreError> {
    let store = deps.book.store();
    if let Some(last_run) = store.last_run(requests::SCHEDULE).await? {
        return Ok(last_run);
    }
    let now = deps.clock.now();
    store.record_run(fence, requests::SCHEDULE, now).await?;
    Ok(now)
}

/// Passes on what operators ask for, each request once.
async fn watch_requests(deps: Deps, poll: Duration, list: Addr<ResourceList>) {
    let mut wake = deps.wake.subscribe(Channel::Operation);
    let mut passed_on = None;
    loop {
        match deps.book.store().resource_list_asked().await {
            Ok(Some(asked)) if passed_on != Some(asked) => {
                tracing::info!(
                    event_id = codes::RESOURCE_LIST_REQUESTED.id,
                    "an operator asked for the resource list"
                );
                passed_on = Some(asked);
                if list.send(Refresh).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                event_id = codes::COMMUNICATOR_DATABASE_FAILED.id,
                error = %telemetry::chain(&error),
                "the database cannot be asked for requests of operators"
            ),
        }
        tokio::select! {
            changed = wake.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(poll) => {}
        }
    }
}

impl Actor for ResourceList {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let address = context.address();
        let store = self.deps.book.store().clone();
        let (leases, key) = (self.deps.leases.clone(), self.options.lease.clone());
        let watch = self.child.guarded("keeping the duty", async move {
            // Readiness first: another instance may keep the list, this one is ready all the same.
            let there = has_list(&store).await;
            if address.send(Looked(there)).await.is_err() {
                return;
            }
            let wait_for_list = async {
                if !there {
                    while !has_list(&store).await {
                        tokio::time::sleep(base::pace::scaled(LOOK_AGAIN)).await;
                    }
                    let _ = address.send(Looked(true)).await;
                }
                std::future::pending::<()>().await;
            };
            let list = address.clone();
            let tell = move |tidings| {
                let told = list.send(OfDuty(tidings));
                async move { told.await.is_ok() }
            };
            tokio::select! {
                () = duty::keep(leases, key, tell) => {}
                () = wait_for_list => {}
            }
        });
        self.watches.push(AbortOnDropHandle::new(self.deps.runtime.spawn(watch)));
    }
}

impl Handler<Looked> for ResourceList {
    type Result = ();

    fn handle(&mut self, Looked(there): Looked, _: &mut Self::Context) {
        self.has_list = there;
        self.child.ready(there);
    }
}

impl ResourceList {
    fn held(&mut self, lease: Lease, context: &mut Context<Self>) {
        let (deps, options) = (self.deps.clone(), self.options.clone());
        let poll = options.request_poll;
        let at_start = self.options.update_at_startup || !self.has_list;
        let schedule = keep_schedule(deps.clone(), options, lease.fence(), at_start, context.address());
        let requests = watch_requests(deps, poll, context.address());
        let schedule = self.child.guarded("the schedule", schedule);
        let requests = self.child.guarded("the watch over requests", requests);
        let runtime = &self.deps.runtime;
        self.watches.extend([runtime.spawn(schedule), runtime.spawn(requests)].map(AbortOnDropHandle::new));
        let cutting_off = duty::cut_off_when_lost(&lease, self.stop.clone());
        self.watches.push(AbortOnDropHandle::new(runtime.spawn(cutting_off)));
        self.lease = Some(lease);
        if at_start && !self.child.stopping() {
            self.tell(Event::Wanted, context);
        }
    }
}

impl Handler<OfDuty> for ResourceList {
    type Result = ();

    fn handle(&mut self, OfDuty(tidings): OfDuty, context: &mut Self::Context) {
        match tidings {
            Tidings::Held(lease) => self.held(lease, context),
            Tidings::Lost if self.lease.is_some() => self.child.fail("the lease of the duty is lost"),
            Tidings::Lost => {}
            Tidings::Failed(error) => self.escalate(&ResourceListError::Lease(error)),
        }
    }
}

impl Handler<Refresh> for ResourceList {
    type Result = ();

    fn handle(&mut self, _: Refresh, context: &mut Self::Context) {
        if self.lease.is_none() {
            tracing::info!("another instance keeps the resource list, it is not refreshed here");
        }
        self.tell(Event::Wanted, context);
    }
}

impl Handler<Ended> for ResourceList {
    type Result = ();

    fn handle(&mut self, Ended(result): Ended, context: &mut Self::Context) {
        self.fetch = None;
        if self.child.stopping() {
            self.finish(context);
            return;
        }
        let event = match result {
            Ok(fetched @ (Fetched::Refreshed(_) | Fetched::Kept)) => {
                tracing::debug!(succeeded = codes::success::PLANNER_CALL, "planner told its resources");
                if matches!(fetched, Fetched::Refreshed(_)) {
                    tracing::debug!(
                        succeeded = codes::success::RESOURCE_LIST,
                        "the resource list is refreshed"
                    );
                }
                self.has_list = true;
                self.child.ready(true);
                Event::Fetched
            }
            Err(error) if error.disposition().is_retry() => {
                tracing::error!(
                    event_id = error.event().id,
                    error = %telemetry::chain(&error),
                    "the resource list could not be refreshed, it is tried again"
                );
                Event::Failed
            }
            Err(error) => return self.escalate(&error),
        };
        self.tell(event, context);
    }
}

impl Handler<Stop> for ResourceList {
    type Result = ();

    /// A fetch in flight is given up: it changes nothing at Planner. The lease goes back when it has ended.
    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        self.stop.cancel();
        self.finish(context);
    }
}

#[cfg(test)]
mod tests;
