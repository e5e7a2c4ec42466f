//! The actor that forms the affinity groups; their actors are the [keeper](crate::keeper)'s business.
//!
//! Life: wait for the listener's duty (a lease: one instance forms groups, for all) → wait until a resource list exists
//! (and say so) → compare the resource table at every interval and whenever it changes, and store the
//! difference. Groups that exist keep their streams: only members that come or go are told to them.
//!
//! Failure: a round that fails is done again with back-off. When the duty is lost the actor fails and waits for it
//! again; the groups that this instance has go on, whoever forms.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{
    Actor, ActorContext, ActorFutureExt, ActorStreamExt, AsyncContext, Context, Handler, SpawnHandle,
};
use base::EventCode;
use calendar::codes;
use store::duty;
use store::lease::Lease;
use store::wake::{Channel, Wake};
use supervision::{ChildContext, ChildRef, Stop};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Accounts, ListenerOptions};
use crate::error::ListenerError;
use crate::group::GroupTools;
use crate::keeper::{KeepNow, Keeper};
use crate::messages::CompareNow;
use crate::round::{self, Outcome, Round};

/// The name of the listener's lease.
pub use store::shares::LISTENER_LEASE;
/// Shortest pause between two rounds that were not asked for.
const AT_LEAST: Duration = Duration::from_millis(200);
/// How often to look for the first resource list, besides wake-ups.
const LIST_AGAIN: Duration = Duration::from_secs(5);

/// The listener.
pub struct Listener {
    tools: Arc<GroupTools>,
    options: ListenerOptions,
    accounts: Accounts,
    wake: Wake,
    /// Keeps the groups' actors.
    keeper: ChildRef<Keeper>,
    child: ChildContext,
    lease: Option<Lease>,
    round_running: bool,
    round_again: bool,
    failures: u32,
    timer: Option<SpawnHandle>,
    told_waiting: bool,
    told_nobody: bool,
    /// What was told last of mailboxes without a place: the event, and how many.
    told_uncovered: Option<(u16, usize)>,
}

impl Listener {
    /// A listener without duty yet.
    pub(crate) fn new(
        tools: Arc<GroupTools>,
        options: ListenerOptions,
        accounts: Accounts,
        wake: Wake,
        keeper: ChildRef<Keeper>,
        child: ChildContext,
    ) -> Self {
        Self {
            tools,
            options,
            accounts,
            wake,
            keeper,
            child,
            lease: None,
            round_running: false,
            round_again: false,
            failures: 0,
            timer: None,
            told_waiting: false,
            told_nobody: false,
            told_uncovered: None,
        }
    }

    fn acquire(&self, ctx: &mut Context<Self>) {
        let (tools, child) = (Arc::clone(&self.tools), self.child.clone());
        let task = AbortOnDropHandle::new(self.tools.mailboxes.runtime.spawn(async move {
            duty::hold(&tools.leases, LISTENER_LEASE, || child.ready(true))
                .await
                .map_err(|source| ListenerError::Lease { key: LISTENER_LEASE.to_owned(), source })
        }));
        ctx.spawn(wrap_future::<_, Self>(task).map(|outcome, actor, ctx| match outcome {
            Ok(Ok(lease)) => actor.begin(lease, ctx),
            Ok(Err(error)) => {
                tracing::error!(
                    event_id = codes::STREAMING_START_FAILED.id,
                    error = &error as &dyn std::error::Error,
                    "the listener cannot begin"
                );
                actor.child.fail(chain(&error));
            }
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
                Err(_) => {
                    tracing::error!(
                        event_id = codes::LISTENER_UNKNOWN_ERROR.id,
                        "a round of the listener panicked"
                    );
                    actor.child.fail("a round of the listener panicked");
                }
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
            Ok(Outcome::Formed { more, locate_in, nobody, .. }) => {
                self.failures = 0;
                self.told_waiting = false;
                tracing::debug!(succeeded = codes::success::LISTENER_ROUND, "the groups are formed");
                self.tell_nobody(nobody);
                self.ready_when_kept(ctx);
                self.next_round(more, locate_in)
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

    /// Ready as soon as the actors of the groups that are ours were begun.
    fn ready_when_kept(&self, ctx: &mut Context<Self>) {
        let (done, kept) = oneshot::channel();
        if let Err(error) = self.keeper.try_send(KeepNow { done }) {
            tracing::debug!(%error, "the keeper of the groups was not told");
        }
        // a keeper that is gone before it answers begins anew, with all groups
        ctx.spawn(wrap_future::<_, Self>(kept).map(|_, actor, _| actor.child.ready(true)));
    }

    /// One event when there is nobody to listen to.
    fn tell_nobody(&mut self, nobody: bool) {
        if nobody && !self.told_nobody {
            tracing::warn!(
                event_id = codes::NO_ACTIVE_MAILBOXES.id,
                "there is no active mailbox to listen to"
            );
        }
        self.told_nobody = nobody;
    }

    /// One event when mailboxes lack a place, and one whenever their number or the reason changes.
    fn tell_uncovered(
        &mut self,
        outcome: &Result<Outcome, ListenerError>,
        (event, reason): (EventCode, &'static str),
    ) {
        let Ok(Outcome::Formed { uncovered, .. }) = *outcome else { return };
        if uncovered == 0 {
            tracing::debug!(succeeded = codes::success::COVERAGE, "nobody lacks a place");
        }
        let now = (uncovered > 0).then_some((event.id, uncovered));
        if now == self.told_uncovered {
            return;
        }
        match now {
            Some(_) => tracing::error!(
                event_id = event.id,
                mailboxes = uncovered,
                reason,
                "mailboxes are not covered"
            ),
            None => tracing::info!("all mailboxes that were located are covered"),
        }
        self.told_uncovered = now;
    }

    fn next_round(&self, more: bool, locate_in: Option<Duration>) -> Duration {
        let interval = self.options.subscriber_update_time_interval;
        if more {
            return AT_LEAST;
        }
        locate_in.map_or(interval, |pause| pause.clamp(AT_LEAST, interval.max(AT_LEAST)))
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

/// Only the duty is to be handed back.
impl Handler<Stop> for Listener {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        let Some(lease) = self.lease.take() else { return ctx.stop() };
        let task = self.tools.mailboxes.runtime.spawn(duty::give_back(lease));
        ctx.spawn(wrap_future::<_, Self>(task).map(|_, _, ctx| ctx.stop()));
    }
}
