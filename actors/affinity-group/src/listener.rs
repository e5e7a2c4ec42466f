//! The actor that forms the affinity groups and keeps their actors.
//!
//! Life: wait for the listener's duty (a lease: one instance forms groups) → wait until a resource list exists
//! (and say so) → compare the resource table at every interval and whenever it changes, and apply the
//! difference. Groups that exist keep their streams: only members that come or go are told to them.
//!
//! Failure: a round that fails is done again with back-off. When the duty is lost the actor fails, and with
//! it all groups are started anew (they depend on it); each waits for its own lease again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{
    Actor, ActorContext, ActorFutureExt, ActorStreamExt, AsyncContext, Context, Handler, SpawnHandle,
};
use base::EventCode;
use calendar::codes;
use store::lease::Lease;
use store::subscriptions::GroupId;
use store::wake::{Channel, Wake};
use supervision::{ChildContext, ChildId, ChildRef, Stop, SupervisorError, SupervisorRef};
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Accounts, ListenerOptions};
use crate::error::ListenerError;
use crate::group::{GroupActor, GroupTools};
use crate::messages::{CompareNow, MembersChanged};
use crate::ownership;
use crate::round::{self, Outcome, Round};
use crate::tree;

/// The name of the listener's lease.
pub const LISTENER_LEASE: &str = "listener";
/// Shortest pause between two rounds that were not asked for.
const AT_LEAST: Duration = Duration::from_millis(200);
/// How often to look for the first resource list, besides wake-ups.
const LIST_AGAIN: Duration = Duration::from_secs(5);
/// How long after a group's supervisor was refused it is tried again.
const GROUP_AGAIN: Duration = Duration::from_millis(500);

/// The listener.
pub struct Listener {
    tools: Arc<GroupTools>,
    options: ListenerOptions,
    accounts: Accounts,
    wake: Wake,
    /// Supervises the groups.
    groups: SupervisorRef,
    child: ChildContext,
    lease: Option<Lease>,
    known: BTreeMap<GroupId, ChildRef<GroupActor>>,
    round_running: bool,
    round_again: bool,
    failures: u32,
    timer: Option<SpawnHandle>,
    told_waiting: bool,
    /// What was told last of mailboxes without a place: the event, and how many.
    told_uncovered: Option<(u16, usize)>,
}

impl Listener {
    /// A listener without duty yet.
    pub fn new(
        tools: Arc<GroupTools>,
        options: ListenerOptions,
        accounts: Accounts,
        wake: Wake,
        groups: SupervisorRef,
        child: ChildContext,
    ) -> Self {
        Self {
            tools,
            options,
            accounts,
            wake,
            groups,
            child,
            lease: None,
            known: BTreeMap::new(),
            round_running: false,
            round_again: false,
            failures: 0,
            timer: None,
            told_waiting: false,
            told_uncovered: None,
        }
    }

    fn acquire(&self, ctx: &mut Context<Self>) {
        let (tools, child) = (Arc::clone(&self.tools), self.child.clone());
        let task = AbortOnDropHandle::new(self.tools.mailboxes.runtime.spawn(async move {
            let patience = tools.options.lease_patience;
            ownership::acquire(&tools.leases, LISTENER_LEASE, patience, || child.ready(true)).await
        }));
        ctx.spawn(wrap_future::<_, Self>(task).map(|outcome, actor, ctx| match outcome {
            Ok(Ok(lease)) => actor.begin(lease, ctx),
            Ok(Err(error)) => actor.child.fail(chain(&error)),
            Err(_) => actor.child.fail("acquiring the listener's duty panicked"),
        }));
    }

    fn begin(&mut self, lease: Lease, ctx: &mut Context<Self>) {
        let lost = wrap_future::<_, Self>(lease.lost_signal()).map(|(), actor, _| {
            if !actor.child.stopping() {
                actor.child.fail("the listener's duty was lost");
            }
        });
        ctx.spawn(lost);
        self.lease = Some(lease);
        self.child.ready(false);
        let news = self.wake.subscribe(Channel::Resource);
        let news = futures::stream::unfold(news, |mut news| async {
            news.changed().await.ok().map(|()| ((), news))
        });
        // a stream of wake-ups that ends leaves the interval
        ctx.spawn(actix::fut::wrap_stream::<_, Self>(news).map(|(), actor, ctx| actor.round(ctx)).finish());
        let accounts = futures::stream::unfold(self.accounts.clone(), |mut accounts| async {
            accounts.changed().await.ok().map(|()| ((), accounts))
        });
        ctx.spawn(
            actix::fut::wrap_stream::<_, Self>(accounts).map(|(), actor, ctx| actor.round(ctx)).finish(),
        );
        self.round(ctx);
    }

    /// Does a round, or another one after the one that runs.
    fn round(&mut self, ctx: &mut Context<Self>) {
        let Some(lease) = &self.lease else { return };
        // a round follows when they are known
        let Some(accounts) = self.accounts.borrow().clone() else { return };
        if self.round_running {
            self.round_again = true;
            return;
        }
        self.round_running = true;
        self.round_again = false;
        let (tools, options, fence) = (Arc::clone(&self.tools), self.options, lease.fence());
        let task = AbortOnDropHandle::new(self.tools.mailboxes.runtime.spawn(async move {
            let round = Round {
                source: &*tools.mailboxes.source,
                store: &tools.mailboxes.store,
                fence: &fence,
                options: &options,
                accounts: &accounts,
                clock: &*tools.mailboxes.clock,
            };
            let outcome = round.run().await;
            (outcome, round::why_uncovered(&accounts))
        }));
        ctx.spawn(wrap_future::<_, Self>(task).map(|outcome, actor, ctx| {
            actor.round_running = false;
            match outcome {
                Ok((outcome, why)) => {
                    actor.tell_uncovered(&outcome, why);
                    actor.round_done(outcome, ctx);
                }
                Err(_) => actor.child.fail("a round of the listener panicked"),
            }
        }));
    }

    fn round_done(&mut self, outcome: Result<Outcome, ListenerError>, ctx: &mut Context<Self>) {
        let next = match outcome {
            Ok(Outcome::NoList) => {
                self.failures = 0;
                if !self.told_waiting {
                    self.told_waiting = true;
                    tracing::info!(
                        event_id = codes::LISTENER_WAITS.id,
                        "waiting until a resource list has been fetched"
                    );
                }
                base::pace::scaled(LIST_AGAIN)
            }
            Ok(Outcome::Formed { groups, changed, more, locate_at, .. }) => {
                self.failures = 0;
                self.told_waiting = false;
                self.keep_groups(groups.into_iter().collect(), &changed, ctx);
                self.child.ready(true);
                self.next_round(more, locate_at)
            }
            Err(error) => {
                self.failures += 1;
                tracing::error!(
                    event_id = codes::SUBSCRIBERS_WRITE_FAILED.id,
                    error = &error as &dyn std::error::Error,
                    "the resource table could not be compared"
                );
                if !error.disposition().is_retry() {
                    return self.child.fail(chain(&error));
                }
                self.options.retry.delay_jittered(self.failures)
            }
        };
        let next = if self.round_again { Duration::ZERO } else { next };
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = Some(ctx.run_later(next, |actor, ctx| {
            actor.timer = None;
            actor.round(ctx);
        }));
    }

    /// One event when mailboxes lack a place, and one whenever their number or the reason changes.
    fn tell_uncovered(
        &mut self,
        outcome: &Result<Outcome, ListenerError>,
        (event, reason): (EventCode, &'static str),
    ) {
        let Ok(Outcome::Formed { uncovered, .. }) = *outcome else { return };
        let now = (uncovered > 0).then_some((event.id, uncovered));
        if now == self.told_uncovered {
            return;
        }
        match now {
            Some(_) => tracing::error!(
                event_id = event.id,
                mailboxes = uncovered,
                "mailboxes are not covered: {reason}"
            ),
            None => tracing::info!("all mailboxes that were located are covered"),
        }
        self.told_uncovered = now;
    }

    fn next_round(&self, more: bool, locate_at: Option<jiff::Timestamp>) -> Duration {
        let interval = self.options.subscriber_update_time_interval;
        if more {
            return AT_LEAST;
        }
        let now = self.tools.mailboxes.clock.now();
        let locate_in =
            locate_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO));
        locate_in.map_or(interval, |pause| pause.clamp(AT_LEAST, interval.max(AT_LEAST)))
    }

    /// Adds and removes groups, and tells those whose members changed.
    fn keep_groups(&mut self, wanted: BTreeSet<GroupId>, changed: &[GroupId], ctx: &mut Context<Self>) {
        let ended: Vec<GroupId> = self.known.keys().filter(|id| !wanted.contains(id)).copied().collect();
        for id in ended {
            self.known.remove(&id);
            let supervisor = self.groups.clone();
            let removing = async move { supervisor.remove_child(&tree::group_child_id(id)).await };
            ctx.spawn(wrap_future::<_, Self>(removing).map(|removed, _, _| {
                if let Err(error) = removed {
                    tracing::debug!(%error, "a group's actors were gone already");
                }
            }));
        }
        let running: BTreeSet<ChildId> = self.groups.children().into_iter().collect();
        for id in wanted {
            let alive = running.contains(&tree::group_child_id(id));
            if let Some(reference) = self.known.get(&id).filter(|_| alive) {
                // one that is being restarted reads its members anyway
                if changed.contains(&id)
                    && let Err(error) = reference.try_send(MembersChanged)
                {
                    tracing::debug!(group = id.get(), %error, "a group was not told");
                }
            } else {
                self.add_group(id, ctx);
            }
        }
    }

    fn add_group(&mut self, id: GroupId, ctx: &mut Context<Self>) {
        let reference = ChildRef::new();
        self.known.insert(id, reference.clone());
        let spec = tree::group_spec(id, &reference, &self.tools);
        let supervisor = self.groups.clone();
        let adding = async move { supervisor.add_child(spec).await };
        ctx.spawn(wrap_future::<_, Self>(adding).map(move |added, actor, ctx| {
            let Err(error) = added else { return };
            actor.known.remove(&id);
            match error {
                SupervisorError::NotRunning | SupervisorError::AlreadyThere { .. } => {
                    ctx.run_later(GROUP_AGAIN, Self::round);
                }
                error => tracing::error!(
                    event_id = codes::GROUP_CREATE_FAILED.id,
                    group = id.get(),
                    %error,
                    "a group cannot be started"
                ),
            }
        }));
    }
}

/// The whole chain of an error in one line; it holds no content.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.acquire(ctx);
    }
}

impl Handler<CompareNow> for Listener {
    type Result = ();

    fn handle(&mut self, _: CompareNow, ctx: &mut Context<Self>) {
        self.round(ctx);
    }
}

/// The groups have ended before; only the duty is left to be handed back.
impl Handler<Stop> for Listener {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        let Some(lease) = self.lease.take() else { return ctx.stop() };
        let task = self.tools.mailboxes.runtime.spawn(lease.release());
        ctx.spawn(wrap_future::<_, Self>(task).map(|released, _, ctx| {
            if let Ok(Err(error)) = released {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the listener's duty was not handed back"
                );
            }
            ctx.stop();
        }));
    }
}
