//! The actor of one mailbox: performs what [`policy`](crate::policy) decides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, SendError, SpawnHandle,
};
use base::{Backoff, SharedClock};
use calendar::ids::SubscriptionId;
use calendar::source::Mailbox;
use calendar::{CalendarSource, codes};
use store::lease::Fence;
use store::resources::ResourceFailure;
use store::subscriptions::GroupId;
use store::{Store, StoreError};
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;

use crate::catch_up::CatchUp;
use crate::config::SubscriberOptions;
use crate::ending::end_subscription;
use crate::error::SubscriberError;
use crate::fresh::Fresh;
use crate::messages::{CatchUpNow, FromMailbox, GroupAffinity, SubscriptionLost, TryNow};
use crate::policy::{Directive, Failure, Input, Policy, Step};

/// How long a report that found the group's mailbox full waits for the next try.
const REPORT_AGAIN: Duration = Duration::from_millis(50);
/// Tries to write the state of the resource row, over about twenty minutes.
const RECORD_TRIES: u32 = 24;

/// What all mailboxes of the process share.
#[derive(Clone)]
pub struct Tools {
    /// Where appointments come from.
    pub source: Arc<dyn CalendarSource>,
    /// Where notifications and states go.
    pub store: Store,
    /// Where tasks run.
    pub runtime: Handle,
    /// The clock.
    pub clock: SharedClock,
    /// Limits and pauses.
    pub options: SubscriberOptions,
    /// Mailboxes that check, subscribe or catch up at one time, over all groups.
    pub work: Arc<Semaphore>,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The group that a mailbox belongs to.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which group.
    pub group: GroupId,
    /// The proof that this process owns it.
    pub fence: Fence,
    /// Its affinity, always current.
    pub affinity: watch::Receiver<GroupAffinity>,
    /// Where to report.
    pub reports: Recipient<FromMailbox>,
    /// Calls about subscriptions that outlive their actors; the end of the group waits for them.
    pub unfinished: TaskTracker,
}

/// The actor of one mailbox.
#[derive(Debug)]
pub struct MailboxSubscriber {
    tools: Arc<Tools>,
    place: Place,
    mailbox: Mailbox,
    child: ChildContext,
    policy: Policy,
    /// The cookie that the last subscription set.
    cookie: Option<String>,
    timer: Option<SpawnHandle>,
    /// Reports that the group had no room for.
    unreported: VecDeque<FromMailbox>,
    /// The last write of the resource row; a newer one replaces it.
    recording: Option<AbortOnDropHandle<()>>,
    /// Cancelled when this actor is gone.
    gone: CancellationToken,
    _gone: DropGuard,
}

impl MailboxSubscriber {
    /// A mailbox that has not begun. `left_behind`: a subscription that a former process had.
    pub fn new(
        tools: Arc<Tools>,
        place: Place,
        mailbox: Mailbox,
        left_behind: Option<SubscriptionId>,
        child: ChildContext,
    ) -> Self {
        let gone = CancellationToken::new();
        Self {
            _gone: gone.clone().drop_guard(),
            gone,
            tools,
            place,
            mailbox,
            child,
            policy: Policy::new(left_behind),
            cookie: None,
            timer: None,
            unreported: VecDeque::new(),
            recording: None,
        }
    }

    fn input(&mut self, input: Input, ctx: &mut Context<Self>) {
        let now = self.tools.clock.monotonic();
        let options = self.tools.options;
        for directive in self.policy.on(input, now, rand::random(), &options) {
            self.perform(directive, ctx);
        }
    }

    fn perform(&mut self, directive: Directive, ctx: &mut Context<Self>) {
        match directive {
            Directive::Check => self.check(ctx),
            Directive::Subscribe { replaces } => self.subscribe(replaces, ctx),
            Directive::CatchUp { delay } => self.catch_up(delay, ctx),
            Directive::TellLive(subscription, folder) => {
                let mailbox = self.mailbox.address.clone();
                let cookie = self.cookie.take();
                self.report(FromMailbox::Live { mailbox, subscription, folder, cookie }, ctx);
            }
            Directive::TellDown { own_fault } => {
                self.report(FromMailbox::Down { mailbox: self.mailbox.address.clone(), own_fault }, ctx);
            }
            Directive::RecordFailure { failure, retry_after, step } => {
                if failure.outage {
                    let (code, reason) = (failure.code.clone(), failure.description.clone());
                    let mailbox = self.mailbox.address.clone();
                    self.report(FromMailbox::Out { mailbox, code, reason }, ctx);
                }
                self.record_failure(failure, retry_after, step);
            }
            Directive::RecordSuccess => {
                self.report(FromMailbox::Well { mailbox: self.mailbox.address.clone() }, ctx);
                self.record_success();
            }
            Directive::DoubtLocation => self.doubt_location(),
            Directive::Timer(delay) => {
                if let Some(timer) = self.timer.take() {
                    ctx.cancel_future(timer);
                }
                self.timer = Some(ctx.run_later(delay, |actor, ctx| {
                    actor.timer = None;
                    actor.input(Input::Timer, ctx);
                }));
            }
        }
    }

    /// Runs a step on the runtime and feeds what came out into the policy. The step ends with the actor.
    fn run<F, T>(&self, step: F, ctx: &mut Context<Self>, then: impl FnOnce(&mut Self, T) -> Input + 'static)
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let task = AbortOnDropHandle::new(self.tools.runtime.spawn(step));
        let outcome = wrap_future::<_, Self>(task).map(move |outcome, actor, ctx| match outcome {
            Ok(outcome) => {
                let input = then(actor, outcome);
                actor.input(input, ctx);
            }
            Err(_) => actor.child.fail("a step of the mailbox panicked"),
        });
        ctx.spawn(outcome);
    }

    fn check(&self, ctx: &mut Context<Self>) {
        let (tools, mailbox) = (Arc::clone(&self.tools), self.mailbox.clone());
        let step = async move {
            let _permit = permit(&tools).await;
            tools.source.check(&mailbox).await
        };
        self.run(step, ctx, |_, checked| {
            Input::Checked(checked.map(|folder| folder.id).map_err(|error| Failure::from(&error)))
        });
    }

    fn subscribe(&self, replaces: Option<SubscriptionId>, ctx: &mut Context<Self>) {
        let (tools, mailbox, place) = (Arc::clone(&self.tools), self.mailbox.clone(), self.place.clone());
        let gone = self.gone.clone();
        let step = async move {
            // as long as it only waits for its turn it ends with the actor
            let permit = Arc::clone(&tools.work).acquire_owned().await.expect(NEVER_CLOSED);
            let (runtime, unfinished) = (tools.runtime.clone(), place.unfinished.clone());
            // Exchange may hear of it from here on: it goes on without the actor
            let making = unfinished.track_future(async move {
                let _permit = permit;
                make_subscription(&tools, &mailbox, &place, replaces, &gone).await
            });
            match runtime.spawn(making).await {
                Ok(made) => made,
                Err(failed) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // the runtime ends
                    Err(_) => std::future::pending().await,
                },
            }
        };
        self.run(step, ctx, |actor, made: Result<Fresh, SubscriberError>| {
            Input::Subscribed(match made {
                Ok(fresh) => {
                    let subscribed = fresh.take();
                    actor.cookie = subscribed.cookie;
                    Ok(subscribed.id)
                }
                Err(error) => Err(Failure::from(&error)),
            })
        });
    }

    fn catch_up(&self, delay: Duration, ctx: &mut Context<Self>) {
        let (tools, mailbox, fence) =
            (Arc::clone(&self.tools), self.mailbox.clone(), self.place.fence.clone());
        let step = async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let _permit = permit(&tools).await;
            let span = tracing::info_span!(
                parent: None,
                "exchange.catch_up",
                mailbox = %mailbox.address,
                changes = tracing::field::Empty,
                full = tracing::field::Empty
            );
            let trace = telemetry::trace::of(&span);
            let work = CatchUp {
                source: &*tools.source,
                store: &tools.store,
                fence: &fence,
                mailbox: &mailbox,
                pages_max: tools.options.catch_up_pages_max,
                clock: &*tools.clock,
            };
            let found = work.run(trace).instrument(span.clone()).await?;
            span.record("changes", found.changes);
            span.record("full", found.full);
            Ok::<_, SubscriberError>(())
        };
        let mailbox = self.mailbox.address.clone();
        let reports = self.place.reports.clone();
        self.run(step, ctx, move |_, outcome| {
            if outcome.is_ok() {
                tracing::debug!(succeeded = codes::success::MAILBOX_HEARD, mailbox = %mailbox, "caught up");
            }
            Input::CaughtUp(outcome.map_err(|error| {
                let failure = Failure::from(&error);
                if failure.outage {
                    let (code, reason) = (failure.code.clone(), failure.description.clone());
                    // a group that is too busy to hear this hears more of it when it lasts
                    let _ = reports.try_send(FromMailbox::Stumbled { mailbox, code, reason });
                } else {
                    tracing::warn!(
                        event_id = code_of_catch_up(&error),
                        mailbox = %mailbox,
                        error = &error as &dyn std::error::Error,
                        "catching up failed"
                    );
                }
                failure
            }))
        });
    }

    fn report(&mut self, report: FromMailbox, ctx: &mut Context<Self>) {
        self.unreported.push_back(report);
        // otherwise a timer is on its way already
        if self.unreported.len() == 1 {
            self.send_reports(ctx);
        }
    }

    fn send_reports(&mut self, ctx: &mut Context<Self>) {
        while let Some(report) = self.unreported.pop_front() {
            match self.place.reports.try_send(report) {
                Ok(()) => {}
                Err(SendError::Full(report)) => {
                    self.unreported.push_front(report);
                    ctx.run_later(REPORT_AGAIN, Self::send_reports);
                    return;
                }
                // the group has ended; its supervisor ends this actor, too
                Err(SendError::Closed(_)) => return,
            }
        }
    }

    fn record_failure(&mut self, failure: Failure, retry_after: Duration, step: Step) {
        // an outage concerns many: the group tells it once for all of them
        if failure.outage {
            tracing::debug!(
                mailbox = %self.mailbox.address,
                code = failure.code,
                step = ?step,
                retry_after_s = retry_after.as_secs(),
                "a mailbox cannot be listened to at present"
            );
        } else {
            tracing::error!(
                event_id = code_of_failure(&failure, step),
                mailbox = %self.mailbox.address,
                code = failure.code,
                step = ?step,
                retry_after_s = retry_after.as_secs(),
                "a mailbox cannot be listened to"
            );
        }
        let failure = ResourceFailure {
            code: failure.code,
            description: failure.description,
            retry_after: Some(retry_after),
        };
        let (mail, fence) = (self.mailbox.address.clone(), self.place.fence.clone());
        self.record(move |store| {
            let (row, fence) = ([(mail.clone(), failure.clone())], fence.clone());
            async move { store.failed(&fence, &row).await }
        });
    }

    fn record_success(&mut self) {
        let (mail, fence) = (self.mailbox.address.clone(), self.place.fence.clone());
        self.record(move |store| {
            let (row, fence) = ([mail.clone()], fence.clone());
            async move { store.listened_to(&fence, &row).await }
        });
    }

    fn doubt_location(&self) {
        let (store, mailbox) = (self.tools.store.clone(), self.mailbox.clone());
        let fence = self.place.fence.clone();
        // outlives the actor: the listener will move the mailbox because of it
        self.tools.runtime.spawn(async move {
            if let Err(error) = store.doubt_location(&fence, &mailbox.address).await {
                not_written(codes::SUBSCRIBER_STATUS_WRITE_FAILED.id, &mailbox, &error);
            }
        });
    }

    /// Writes the resource row, again and again while the database is away; a newer state replaces an older.
    fn record<F, W>(&mut self, write: F)
    where
        F: Fn(Store) -> W + Send + 'static,
        W: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let (store, mailbox) = (self.tools.store.clone(), self.mailbox.clone());
        let backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_secs(60));
        self.recording = Some(AbortOnDropHandle::new(self.tools.runtime.spawn(async move {
            for attempt in 1..=RECORD_TRIES {
                let Err(error) = write(store.clone()).await else { return };
                not_written(codes::SUBSCRIBER_STATUS_WRITE_FAILED.id, &mailbox, &error);
                if !error.is_outage() {
                    return;
                }
                tokio::time::sleep(backoff.delay_jittered(attempt)).await;
            }
        })));
    }
}

/// Subscribes, writes down what was made, and ends what it replaces.
async fn make_subscription(
    tools: &Arc<Tools>,
    mailbox: &Mailbox,
    place: &Place,
    replaces: Option<SubscriptionId>,
    gone: &CancellationToken,
) -> Result<Fresh, SubscriberError> {
    let affinity = place.affinity.borrow().for_mailbox(&mailbox.address);
    let subscribed = tools.source.subscribe(mailbox, &affinity).await.map_err(SubscriberError::Source)?;
    let unfinished = place.unfinished.token();
    let fresh = Fresh::new(subscribed, mailbox.clone(), affinity, Arc::clone(tools), unfinished);
    base::crash::point("listener.subscribed");
    if gone.is_cancelled() {
        // nobody takes it, so it is ended; its mailbox may have another actor by now, with a record of its own
        return Ok(fresh);
    }
    let known = [(mailbox.address.clone(), Some(fresh.id().clone()))];
    let written =
        tools.store.record_subscriptions(&place.fence, place.group, &known, tools.clock.now()).await;
    if let Err(error) = written {
        not_written(codes::SUBSCRIPTIONS_WRITE_FAILED.id, mailbox, &error);
        // another owner has the group and knows nothing of this one
        if matches!(error, StoreError::LeaseLost { .. }) {
            return Err(SubscriberError::Store(error));
        }
        // otherwise only a successor needs it, to end what was left behind
    }
    base::crash::point("listener.subscription-recorded");
    if let Some(old) = replaces.filter(|old| old != fresh.id()) {
        let (ours, mailbox) = (Arc::clone(tools), mailbox.clone());
        let affinity = place.affinity.borrow().for_mailbox(&mailbox.address);
        let ending = place.unfinished.track_future(async move {
            end_subscription(&ours, &mailbox, &affinity, &old).await;
        });
        // nobody waits to be listened to for that
        tools.runtime.spawn(ending);
    }
    Ok(fresh)
}

const NEVER_CLOSED: &str = "this semaphore is never closed";

async fn permit(tools: &Tools) -> tokio::sync::SemaphorePermit<'_> {
    tools.work.acquire().await.expect(NEVER_CLOSED)
}

fn not_written(event_id: u16, mailbox: &Mailbox, error: &StoreError) {
    tracing::warn!(
        event_id,
        mailbox = %mailbox.address,
        error = error as &dyn std::error::Error,
        "the state of a mailbox was not written"
    );
}

/// The event of a failed mailbox: the original told apart what was missing.
fn code_of_failure(failure: &Failure, step: Step) -> u16 {
    match (failure.code.as_str(), step) {
        ("ErrorNonExistentMailbox" | "ErrorCannotFindUser", _) => codes::MAILBOX_NOT_FOUND.id,
        ("ErrorFolderNotFound", _) => codes::CALENDAR_FOLDER_MISSING.id,
        (_, Step::Check) => codes::GROUP_MAILBOX_FAILED.id,
        (_, Step::Subscribe) => codes::SUBSCRIPTION_ADD_FAILED.id,
        (_, Step::CatchUp) => codes::LISTENER_EXCHANGE_FAILED.id,
    }
}

fn code_of_catch_up(error: &SubscriberError) -> u16 {
    match error {
        SubscriberError::Store(_) => codes::NOTIFICATION_STORE_FAILED.id,
        SubscriberError::Source(_) | SubscriberError::Endless { .. } => codes::LISTENER_EXCHANGE_FAILED.id,
    }
}

impl Actor for MailboxSubscriber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.input(Input::Begin, ctx);
    }
}

impl Handler<SubscriptionLost> for MailboxSubscriber {
    type Result = ();

    fn handle(&mut self, _: SubscriptionLost, ctx: &mut Context<Self>) {
        self.input(Input::SubscriptionLost, ctx);
    }
}

impl Handler<TryNow> for MailboxSubscriber {
    type Result = ();

    fn handle(&mut self, _: TryNow, ctx: &mut Context<Self>) {
        self.input(Input::TryNow, ctx);
    }
}

impl Handler<CatchUpNow> for MailboxSubscriber {
    type Result = ();

    fn handle(&mut self, message: CatchUpNow, ctx: &mut Context<Self>) {
        self.input(Input::Gap { spread: message.spread }, ctx);
    }
}

/// The group ends the subscriptions of all its mailboxes together, so this one just ends.
impl Handler<Stop> for MailboxSubscriber {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
