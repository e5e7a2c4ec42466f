//! The actor of a shard: it only coordinates. Reading, deciding and storing run as tasks on the runtime and
//! come back here; what to do next is [`Schedule`]'s decision.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::{Actor, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, StreamHandler};
use actix::{ActorContext, fut};
use base::{Backoff, Disposition};
use calendar::source::SourceErrorKind;
use calendar::{MailAddress, codes};
use jiff::Timestamp;
use store::StoreError;
use store::duty;
use store::notification_queue::Claimed;
use store::wake::Channel;
use supervision::{ChildContext, ChildRef, ChildSpec, Intensity, Stop, Strategy, SupervisorSpec};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{QualifierOptions, Services};
use crate::error::QualifierError;
use crate::messages::{Kinds, Woken};
use crate::office::{self, Incumbency, Shared};
use crate::schedule::{Batch, Limits, Schedule, until};
use crate::work::{Failure, Office, Report, in_time, later};
use crate::{full, live};

mod claims;
#[cfg(test)]
mod codes_tests;
#[cfg(test)]
mod dst_tests;
mod pull;
#[cfg(test)]
mod pull_tests;
#[cfg(test)]
mod tests;

/// Most notifications claimed in one statement.
const CLAIM_MAX: usize = 500;
/// Full reads in memory; the others wait in the database, where that of a new mailbox goes first. More are claimed when
/// half of them have begun.
const FULL_READS_AHEAD: usize = 128;
/// Restarts of shards that are normal.
const INTENSITY: Intensity = Intensity { max_restarts: 10, window: Duration::from_secs(60) };
/// The first and the longest pause before a shard is restarted: ten of them fit into the window, so that a shard that always
/// fails is not restarted for ever.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How long a shard goes on with what it is handling when it is told to stop, or to hand over.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a shard may take to end when it is told to stop.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// The supervisor `qualifier` with one child `qualifier/<n>` for each shard.
///
/// # Errors
/// [`QualifierError::Options`] for options that cannot work.
pub fn supervisor(options: QualifierOptions, services: Services) -> Result<SupervisorSpec, QualifierError> {
    options.check()?;
    let shared = Shared::new(&options);
    let options = Arc::new(options);
    let mut spec = SupervisorSpec::new("qualifier", Strategy::OneForOne, INTENSITY)
        .backoff(Backoff::doubling(PAUSES.0, PAUSES.1));
    for n in 0..options.shards {
        let (options, services, shared) = (Arc::clone(&options), services.clone(), shared.clone());
        // A handling has a deadline of its own; beyond twice that the actor itself is stuck.
        let progress_deadline = options.job_deadline * 2;
        let factory =
            move |child| Shard::new(n, Arc::clone(&options), services.clone(), shared.clone(), child);
        let child = ChildSpec::actor(format!("qualifier/{n}"), &ChildRef::new(), factory)
            .shutdown_deadline(SHUTDOWN_DEADLINE)
            .progress_deadline(progress_deadline)
            .reports_readiness();
        spec = spec.child(child);
    }
    Ok(spec)
}

/// One shard of the qualifier.
pub struct Shard {
    n: u8,
    options: Arc<QualifierOptions>,
    services: Services,
    shared: Shared,
    child: ChildContext,
    schedule: Schedule,
    incumbency: Option<(Incumbency, Arc<Office>)>,
    /// Counts terms of office: what belongs to an earlier one is not heard.
    term: u64,
    /// Ends with the term, and with it what was begun in it: its reads would be in vain, and their turns are waited for.
    term_over: CancellationToken,
    running: usize,
    claiming: bool,
    /// What is to be looked for when the claim that is under way has ended.
    claim_again: Kinds,
    /// Something may be claimed that nobody has: what predecessors had in hand, and what a claim took that failed. Looked
    /// for at each poll, too.
    claim_uncertain: bool,
    /// The last claim brought as many full reads as it asked for: there may be more.
    more_full: bool,
    /// Rows on their way back to the database: no longer in the schedule, and not to be claimed again yet.
    handing_back: Vec<i64>,
    full_read_requested: bool,
    timer: Option<SpawnHandle>,
    /// When the schedule of the full pull ran last; `None` until the database was asked.
    pulled: Option<Timestamp>,
    pull_timer: Option<SpawnHandle>,
    /// Out of office as soon as nothing is being handled, or after a while.
    leaving: bool,
    /// The lease is on its way back.
    giving_back: bool,
    /// Told to stop: ends when out of office.
    ending: bool,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("n", &self.n).field("term", &self.term).finish_non_exhaustive()
    }
}

type Ctx = Context<Shard>;

impl Shard {
    fn new(
        n: u8,
        options: Arc<QualifierOptions>,
        services: Services,
        shared: Shared,
        child: ChildContext,
    ) -> Self {
        let schedule = Schedule::new(limits(&options));
        Self {
            n,
            options,
            services,
            shared,
            child,
            schedule,
            incumbency: None,
            term: 0,
            term_over: CancellationToken::new(),
            running: 0,
            claiming: false,
            claim_again: Kinds::NONE,
            claim_uncertain: true,
            more_full: false,
            handing_back: Vec::new(),
            full_read_requested: false,
            timer: None,
            pulled: None,
            pull_timer: None,
            leaving: false,
            giving_back: false,
            ending: false,
        }
    }

    /// Runs `task` on the runtime and hands its answer, or the fact that it panicked, to `done`, unless the
    /// term of office is over by then. The task ends with the term, and with the actor.
    fn run<T: Send + 'static>(
        &self,
        ctx: &mut Ctx,
        task: impl Future<Output = T> + Send + 'static,
        done: impl FnOnce(&mut Self, &mut Ctx, Option<T>) + 'static,
    ) {
        let term = self.term;
        let over = self.term_over.clone();
        let task = async move {
            tokio::select! {
                // first: what ends must not take the turn that another one gave back because it ended
                biased;
                () = over.cancelled() => None,
                answer = task => Some(answer),
            }
        };
        let handle = AbortOnDropHandle::new(self.services.runtime.spawn(task));
        ctx.spawn(fut::wrap_future::<_, Self>(handle).map(move |answer, act, ctx| {
            act.child.progress();
            if act.term == term {
                done(act, ctx, answer.ok().flatten());
            }
        }));
    }

    fn take_office(&self, ctx: &mut Ctx) {
        let task = office::take(
            self.n,
            Arc::clone(&self.options),
            self.services.clone(),
            self.shared.clone(),
            self.child.clone(),
        );
        self.run(ctx, task, |act, ctx, incumbency| match incumbency {
            Some(Ok(incumbency)) => act.in_office(ctx, incumbency),
            Some(Err(cut_anew)) => act.child.fail(cut_anew),
            None => act.child.fail("coming into office panicked"),
        });
    }

    fn in_office(&mut self, ctx: &mut Ctx, incumbency: Incumbency) {
        tracing::debug!(succeeded = codes::success::SHARD, shard = self.n, "in office");
        let lost = incumbency.lease.lost_signal();
        self.run(ctx, lost, |act, ctx, _| act.lost(ctx));
        let (shares, n) = (self.services.shares.clone(), self.n);
        let moved = async move { shares.until(|part| !part.has_shard(n)).await };
        self.run(ctx, moved, |act, ctx, _| {
            tracing::info!(shard = act.n, "qualifier shard is handed over to another instance");
            act.leave_soon(ctx);
        });
        let office = Office::new(
            Arc::clone(&self.options),
            self.services.clone(),
            incumbency.lease.fence(),
            &self.shared,
        );
        self.incumbency = Some((incumbency, Arc::new(office)));
        self.look_at_schedule(ctx);
        self.claim(ctx, Kinds::ALL);
    }

    /// The lease is lost: nothing of what is in memory is ours any more.
    fn lost(&mut self, ctx: &mut Ctx) {
        if self.incumbency.take().is_none() {
            return;
        }
        tracing::warn!(shard = self.n, "qualifier shard lost its lease, its work stops");
        self.out(ctx);
    }

    /// Ends what is under way. Its writes would be refused.
    fn next_term(&mut self) {
        self.term += 1;
        std::mem::replace(&mut self.term_over, CancellationToken::new()).cancel();
    }

    /// Out of office: what is under way is not heard any more, and its writes are refused.
    fn out(&mut self, ctx: &mut Ctx) {
        self.child.busy(false);
        if self.ending {
            return ctx.stop();
        }
        self.next_term();
        self.leaving = false;
        self.giving_back = false;
        self.schedule = Schedule::new(limits(&self.options));
        self.running = 0;
        self.claiming = false;
        self.claim_again = Kinds::NONE;
        self.claim_uncertain = true;
        self.handing_back.clear();
        self.full_read_requested = false;
        self.pulled = None;
        self.take_office(ctx);
    }

    /// What a failure of the store means outside a handling; the poll tries again.
    fn store_failed(&mut self, ctx: &mut Ctx, error: &StoreError) {
        if matches!(error, StoreError::LeaseLost { .. }) {
            self.lost(ctx);
        } else if error.is_outage() {
            tracing::error!(
                event_id = codes::DATABASE_UNREACHABLE.id,
                shard = self.n,
                error = %telemetry::chain(error),
                "the database is away, notifications wait"
            );
        } else {
            self.child.fail(telemetry::chain(error));
        }
    }

    /// Starts what is due and sets the timer for what is not.
    fn proceed(&mut self, ctx: &mut Ctx) {
        let Some((_, office)) = &self.incumbency else { return };
        if self.leaving {
            return;
        }
        let office = Arc::clone(office);
        let now = self.services.clock.monotonic();
        let pause_ended = self.schedule.tick(now);
        for batch in self.schedule.start_live(now) {
            self.start(ctx, Arc::clone(&office), Batch::Live(batch), None);
        }
        if self.schedule.can_start_full() && !self.full_read_requested {
            self.full_read_requested = true;
            let permits = Arc::clone(&self.shared.full_reads);
            self.run(ctx, permits.acquire_owned(), |act, ctx, permit| {
                act.full_read_requested = false;
                if let Some(Ok(permit)) = permit {
                    act.start_full_read(ctx, permit);
                }
            });
        }
        self.set_timer(ctx);
        self.child.busy(self.running > 0);
        if pause_ended {
            self.claim(ctx, Kinds::ALL);
        }
    }

    fn start_full_read(&mut self, ctx: &mut Ctx, permit: OwnedSemaphorePermit) {
        let Some((_, office)) = &self.incumbency else { return };
        if self.leaving {
            return;
        }
        let office = Arc::clone(office);
        if let Some(batch) = self.schedule.start_full() {
            self.start(ctx, office, Batch::Full(batch), Some(permit));
        }
        self.proceed(ctx);
    }

    fn start(
        &mut self,
        ctx: &mut Ctx,
        office: Arc<Office>,
        batch: Batch,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        self.running += 1;
        self.child.busy(true);
        let batch = Arc::new(batch);
        // boxed: it is large, and is moved some five times on its way to the runtime
        let task = Box::pin(handle(office, Arc::clone(&batch), permit));
        self.run(ctx, task, move |act, ctx, result| {
            act.running -= 1;
            let batch = Arc::unwrap_or_clone(batch);
            match result {
                Some(Ok(report)) => act.handled(ctx, &batch, report),
                Some(Err(error)) => act.interrupted(ctx, batch, &error),
                None => act.panicked(ctx, batch),
            }
            if act.leaving {
                act.leave(ctx);
            } else {
                act.proceed(ctx);
            }
        });
    }

    fn handled(&mut self, ctx: &mut Ctx, batch: &Batch, report: Report) {
        self.schedule.done(batch);
        if report.failed == 0 {
            tracing::debug!(succeeded = codes::success::MAILBOX_HANDLED, mailbox = %batch.mail(), "handled");
        }
        if let Some(again_at) = report.again_at {
            let pause = again_at.duration_since(self.services.clock.now());
            ctx.run_later(Duration::try_from(pause).unwrap_or_default(), |act, ctx| {
                act.claim(ctx, Kinds::ALL);
            });
        }
        // Full reads are claimed a few at a time; the end of a claim looks by itself whether it brought enough.
        let few_full = matches!(batch, Batch::Full(_)) && !self.claiming && self.has_few_full();
        match (self.schedule.room() <= CLAIM_MAX, few_full) {
            (true, true) => self.claim(ctx, Kinds::ALL),
            (true, false) => self.claim(ctx, Kinds::LIVE),
            (false, true) => self.claim(ctx, Kinds::FULL_READS),
            (false, false) => {}
        }
    }

    /// Handling was broken off: nothing has happened, and it is nobody's own failure.
    fn interrupted(&mut self, ctx: &mut Ctx, batch: Batch, error: &QualifierError) {
        let failures = self.schedule.failures(batch.mail());
        let backoff: &Backoff =
            if error.is_of_mailbox() { &self.options.mailbox_retry } else { &self.options.retry };
        let pause = backoff.delay_jittered(failures).max(error.after().unwrap_or_default());
        tell_interrupted(batch.mail(), failures, error);
        let now = self.services.clock.monotonic();
        match error {
            QualifierError::Store(StoreError::LeaseLost { .. }) => self.lost(ctx),
            QualifierError::Store(store) if store.is_outage() => {
                self.schedule.keep(batch, until(now, pause), now);
            }
            _ if error.disposition() == Disposition::Escalate => self.child.fail(telemetry::chain(error)),
            _ => {
                let rows = self.schedule.release(&batch, until(now, pause));
                let again_at = later(self.services.clock.now(), pause);
                self.hand_back(ctx, rows, telemetry::chain(error).to_string(), again_at);
            }
        }
    }

    /// A panic is a failure of what was handled: it is counted, so that it ends.
    fn panicked(&mut self, ctx: &mut Ctx, batch: Batch) {
        tracing::error!(
            event_id = codes::QUALIFIER_UNKNOWN_ERROR.id,
            mailbox = %batch.mail(),
            "handling a mailbox panicked"
        );
        let Some((_, office)) = &self.incumbency else { return };
        let office = Arc::clone(office);
        self.running += 1;
        let batch = Arc::new(batch);
        let task = count_panic(office, Arc::clone(&batch));
        self.run(ctx, task, move |act, ctx, result| {
            act.running -= 1;
            let batch = Arc::unwrap_or_clone(batch);
            match result {
                Some(Ok(report)) => act.handled(ctx, &batch, report),
                Some(Err(error)) => act.interrupted(ctx, batch, &error),
                None => act.child.fail("counting a panic panicked"),
            }
            if act.leaving {
                act.leave(ctx);
            } else {
                act.proceed(ctx);
            }
        });
    }

    fn set_timer(&mut self, ctx: &mut Ctx) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(at) = self.schedule.next() {
            let pause = at.saturating_duration_since(self.services.clock.monotonic());
            self.timer = Some(ctx.run_later(pause, |act, ctx| {
                act.timer = None;
                act.proceed(ctx);
            }));
        }
    }

    /// Leaves as soon as nothing is being handled, and after [`LEAVE_PATIENCE`] anyway: what is under way then is refused
    /// by its fence and done by whoever comes next, who has waited long enough.
    fn leave_soon(&mut self, ctx: &mut Ctx) {
        if !self.leaving {
            self.leaving = true;
            let term = self.term;
            ctx.run_later(LEAVE_PATIENCE, move |act, ctx| {
                if act.leaving && act.term == term {
                    act.give_back(ctx);
                }
            });
        }
        self.leave(ctx);
    }

    /// Leaves once nothing is being handled.
    fn leave(&mut self, ctx: &mut Ctx) {
        if self.running == 0 {
            self.give_back(ctx);
        }
    }

    /// Hands the lease back, and is out of office then.
    fn give_back(&mut self, ctx: &mut Ctx) {
        let Some((incumbency, _)) = self.incumbency.take() else {
            if self.ending && !self.giving_back {
                ctx.stop();
            }
            return;
        };
        self.giving_back = true;
        // nobody hears what is under way
        self.next_term();
        self.run(ctx, duty::give_back(incumbency.lease), |act, ctx, _| act.out(ctx));
    }
}

impl Actor for Shard {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Ctx) {
        for (channel, kinds) in [(Channel::Notification, Kinds::LIVE), (Channel::FullRead, Kinds::FULL_READS)]
        {
            let buckets =
                self.options.buckets(self.n).into_iter().filter_map(|bucket| u8::try_from(bucket).ok());
            let news = self.services.wake.subscribe_parts(channel, buckets);
            ctx.add_stream(futures::stream::unfold(news, move |mut news| async move {
                news.changed().await.then_some((Woken(kinds), news))
            }));
        }
        ctx.run_interval(self.options.poll_interval, |act, ctx| {
            act.schedule.sweep(act.services.clock.monotonic());
            // costs what is in hand, and heals whatever forgot a claim
            act.claim_uncertain = true;
            act.claim(ctx, Kinds::ALL);
        });
        self.take_office(ctx);
    }
}

impl StreamHandler<Woken> for Shard {
    fn handle(&mut self, Woken(kinds): Woken, ctx: &mut Ctx) {
        self.claim(ctx, kinds);
    }

    /// No more wake-ups: the poll goes on.
    fn finished(&mut self, _: &mut Ctx) {}
}

impl Handler<Stop> for Shard {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Ctx) {
        self.ending = true;
        self.leave_soon(ctx);
    }
}

fn limits(options: &QualifierOptions) -> Limits {
    Limits {
        timing: options.coalesce,
        items_per_batch: options.items_per_call,
        running: options.simultaneous_mailboxes,
        capacity: options.capacity,
        capacity_per_mailbox: options.capacity_per_mailbox,
    }
}

async fn handle(
    office: Arc<Office>,
    batch: Arc<Batch>,
    _permit: Option<OwnedSemaphorePermit>,
) -> Result<Report, QualifierError> {
    match &*batch {
        Batch::Live(batch) => in_time(&office, live::handle(&office, batch)).await,
        // it has the whole time for each part that it does not wait for others
        Batch::Full(batch) => full::handle(&office, batch).await,
    }
}

async fn count_panic(office: Arc<Office>, batch: Arc<Batch>) -> Result<Report, QualifierError> {
    let notifications: Vec<&Claimed> = match &*batch {
        Batch::Live(batch) => batch.items.iter().flat_map(|item| &item.notifications).collect(),
        Batch::Full(batch) => batch.notifications.iter().collect(),
    };
    let failure = |notification| Failure { notification, error: "handling panicked".to_owned(), own: true };
    office.fail(batch.mail(), notifications.into_iter().map(failure).collect()).await
}

fn tell_interrupted(mail: &MailAddress, failures: u32, error: &QualifierError) {
    let error_text = telemetry::chain(error);
    match error {
        QualifierError::Store(StoreError::LeaseLost { .. }) => {}
        QualifierError::Store(store) if store.is_outage() => tracing::error!(
            event_id = codes::DATABASE_UNREACHABLE.id,
            mailbox = %mail,
            failures,
            error = %error_text,
            "the database is away, the mailbox waits"
        ),
        QualifierError::Store(_) => tracing::error!(
            event_id = codes::DECISION_STORE_FAILED.id,
            mailbox = %mail,
            error = %error_text,
            "the store failed while handling a mailbox"
        ),
        QualifierError::Source(source) if source.kind == SourceErrorKind::Mailbox => tracing::error!(
            event_id = codes::MAILBOX_UNREACHABLE.id,
            mailbox = %mail,
            failures,
            code = source.code,
            error = %error_text,
            "the mailbox cannot be reached, it waits"
        ),
        QualifierError::NotLocated => {
            tracing::info!(mailbox = %mail, failures, "the mailbox is not located yet, it waits");
        }
        QualifierError::TooLong(_) => tracing::error!(
            event_id = codes::DECISION_FAILED.id,
            mailbox = %mail,
            failures,
            error = %error_text,
            "handling a mailbox took too long, it waits"
        ),
        _ => tracing::error!(
            event_id = codes::EXCHANGE_CONNECTION_FAILED.id,
            mailbox = %mail,
            failures,
            error = %error_text,
            "the calendar cannot be read now, the mailbox waits"
        ),
    }
}
