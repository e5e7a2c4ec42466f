//! The actor: it only coordinates; looks and calls run on the runtime.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt as _, AsyncContext, Context, Handler, SpawnHandle, fut};
use calendar::{MailAddress, codes};
use futures::FutureExt as _;
use store::comparison::Unread;
use store::duty::{self, Tidings};
use store::lease::{Fence, Lease};
use store::wake::Channel;
use store::{Store, StoreError};
use supervision::{ChildContext, ChildRef, ChildSpec, Stop};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{ComparisonOptions, Deps};
use crate::error::ComparisonError;
use crate::messages::{Ended, Looked, News, OfDuty};
use crate::policy::{self, Directive, Event, Limits, Look, Policy};
use crate::read::{self, Due, Work};
use crate::{apply, schedule};

/// Mailboxes whose failures are counted; beyond it the counts begin anew.
const COUNTED_MAX: usize = 10_000;

/// Adopts and compares mailboxes.
#[derive(Debug)]
pub struct Comparison {
    child: ChildContext,
    deps: Deps,
    options: ComparisonOptions,
    policy: Policy,
    lease: Option<Lease>,
    timer: Option<SpawnHandle>,
    look: Option<AbortOnDropHandle<()>>,
    /// Calls under way, by one of their mailboxes, with all of them.
    calls: BTreeMap<MailAddress, (Vec<MailAddress>, AbortOnDropHandle<()>)>,
    /// Calls in a row without a usable answer, by mailbox.
    put_off: HashMap<MailAddress, u32>,
    /// Does the comparison of some mailboxes wait for their full reading?
    waits: bool,
    /// Was the comparison of this start asked for? A restarted actor is no start.
    started: Arc<AtomicBool>,
    watches: Vec<AbortOnDropHandle<()>>,
    /// Tells calls in flight that the duty ends.
    stop: CancellationToken,
}

impl Comparison {
    fn new(child: ChildContext, deps: Deps, options: ComparisonOptions, started: Arc<AtomicBool>) -> Self {
        let slots = deps.book.limits().simultaneous_calls as usize;
        let policy = Policy::new(Limits {
            // half of the slots at the most: live changes are not to wait behind it
            calls: (slots / 2).max(1),
            mailboxes: options.max_fetches_per_call,
            interval: options.interval,
            retry: options.retry,
        });
        Self {
            child,
            deps,
            options,
            policy,
            lease: None,
            timer: None,
            look: None,
            calls: BTreeMap::new(),
            put_off: HashMap::new(),
            waits: false,
            started,
            watches: Vec::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The child `comparison`.
    pub fn child(deps: &Deps, options: &ComparisonOptions, reference: &ChildRef<Self>) -> ChildSpec {
        let (deps, options) = (deps.clone(), options.clone());
        let started = Arc::new(AtomicBool::new(false));
        ChildSpec::actor("comparison", reference, move |child| {
            Self::new(child, deps.clone(), options.clone(), Arc::clone(&started))
        })
    }

    fn fence(&self) -> Option<Fence> {
        self.lease.as_ref().map(Lease::fence)
    }

    fn tell(&mut self, event: Event, context: &mut Context<Self>) {
        if self.lease.is_none() || self.child.stopping() {
            return;
        }
        let now = self.deps.clock.monotonic();
        match self.policy.on(event, now, rand::random()) {
            None => {}
            Some(Directive::WakeAt(at)) => {
                if let Some(timer) = self.timer.take() {
                    context.cancel_future(timer);
                }
                let wait = at.saturating_duration_since(now);
                self.timer = Some(context.run_later(wait, |actor, context| {
                    actor.timer = None;
                    actor.tell(Event::Timer, context);
                }));
            }
            Some(Directive::Look { mailboxes }) => {
                let Some(fence) = self.fence() else { return };
                let busy: Vec<MailAddress> =
                    self.calls.values().flat_map(|(mails, _)| mails.iter().cloned()).collect();
                let (deps, options, address) = (self.deps.clone(), self.options.clone(), context.address());
                let look = self.child.guarded("a look", async move {
                    let due = read::look(&deps, &options, &fence, mailboxes, &busy).await;
                    // an actor that is gone has a successor with a lease of its own
                    let _ = address.send(Looked(due)).await;
                });
                self.look = Some(AbortOnDropHandle::new(self.deps.runtime.spawn(look)));
            }
        }
    }

    fn begin(&mut self, work: Work, context: &mut Context<Self>) {
        let Some(fence) = self.fence() else { return };
        let mails = work.mails();
        let Some(first) = mails.first().cloned() else { return };
        let (deps, options, address) = (self.deps.clone(), self.options.clone(), context.address());
        let pauses: BTreeMap<MailAddress, Duration> =
            mails.iter().map(|mail| (mail.clone(), self.pause_of(mail))).collect();
        let (asked, stop) = (mails.clone(), self.stop.clone());
        let task = self.deps.runtime.spawn(self.child.guarded("a call", async move {
            let performed = AssertUnwindSafe(apply::perform(&deps, &options, &fence, &work, &stop));
            // a panic is these mailboxes' own failure: they have their turn behind the others
            let mut result = performed.catch_unwind().await.unwrap_or(Err(ComparisonError::Panicked));
            let failed: Vec<&MailAddress> = match &result {
                Ok(refused) => refused.iter().map(|(mail, _)| mail).collect(),
                Err(error) if error.may_be_of_mailboxes() => asked.iter().collect(),
                Err(_) => Vec::new(),
            };
            let given_up = matches!(result, Err(ComparisonError::TooMuch { .. }));
            for mail in failed {
                let pause = pauses.get(mail).copied().unwrap_or_default();
                let pause = if given_up { pause.max(options.too_much_again) } else { pause };
                if let Err(error) = put_off(deps.book.store(), &fence, &work, mail, pause).await {
                    result = Err(ComparisonError::Store(error));
                    break;
                }
            }
            let _ = address.send(Ended { mails: asked, result }).await;
        }));
        self.calls.insert(first, (mails, AbortOnDropHandle::new(task)));
    }

    /// How long a mailbox is put off should the next call fail for it.
    fn pause_of(&self, mail: &MailAddress) -> Duration {
        self.options.retry.delay_jittered(self.put_off.get(mail).copied().unwrap_or_default() + 1)
    }

    fn count(&mut self, mail: &MailAddress) {
        if self.put_off.len() >= COUNTED_MAX {
            self.put_off.clear();
        }
        let count = self.put_off.entry(mail.clone()).or_default();
        *count = count.saturating_add(1);
    }

    fn failed(&mut self, mails: &[MailAddress], error: &ComparisonError) -> policy::Ended {
        tracing::error!(
            event_id = error.event().id,
            error = %telemetry::chain(error),
            "mailboxes could not be compared with planner or adopted, it is tried again"
        );
        if matches!(error, ComparisonError::Fetch(_)) {
            tracing::error!(
                event_id = codes::EVENTS_FETCH_FAILED.id,
                mailboxes = mails.iter().map(MailAddress::as_str).collect::<Vec<_>>().join(" "),
                "the appointments that planner holds for these mailboxes could not be fetched"
            );
        }
        if error.may_be_of_mailboxes() {
            mails.iter().for_each(|mail| self.count(mail));
        }
        if error.is_outage() { policy::Ended::Outage } else { policy::Ended::PutOff }
    }

    fn done(&mut self, mails: &[MailAddress], refused: &[(MailAddress, ComparisonError)]) -> policy::Ended {
        for success in [codes::success::COMPARISON, codes::success::PLANNER_CALL] {
            tracing::debug!(succeeded = success, "planner told what it holds");
        }
        for mail in mails {
            self.put_off.remove(mail);
        }
        for (mail, error) in refused {
            tracing::error!(
                event_id = error.event().id,
                mailbox = %mail,
                error = %telemetry::chain(error),
                "what planner holds for a mailbox cannot be stored, it is tried again"
            );
            self.count(mail);
        }
        policy::Ended::Done
    }

    /// Tells when comparisons begin to wait for full readings, and when they do so no more.
    fn tell_unread(&mut self, unread: Unread) {
        let waits = unread.waiting > 0;
        if waits != self.waits || unread.asked > 0 {
            tracing::info!(
                event_id = codes::COMPARISON_WAITS.id,
                mailboxes = unread.waiting,
                asked = unread.asked,
                "mailboxes that are to be compared wait for being read in full"
            );
        }
        self.waits = waits;
    }

    fn finish(&mut self, context: &mut Context<Self>) {
        if !self.calls.is_empty() {
            return;
        }
        let Some(lease) = self.lease.take() else {
            context.stop();
            return;
        };
        let given_back = self.deps.runtime.spawn(duty::give_back(lease));
        context.spawn(fut::wrap_future(given_back).map(|_, _: &mut Self, context| context.stop()));
    }

    fn escalate(&self, error: &ComparisonError) {
        tracing::error!(
            event_id = error.event().id,
            error = %telemetry::chain(error),
            "the comparison cannot go on"
        );
        self.child.fail(telemetry::chain(error));
    }
}

/// Puts a mailbox behind the others.
async fn put_off(
    store: &Store,
    fence: &Fence,
    work: &Work,
    mail: &MailAddress,
    pause: Duration,
) -> Result<(), StoreError> {
    let mails = std::slice::from_ref(mail);
    match work {
        Work::Adopt(_) => store.postpone_adoption(fence, mails, pause).await,
        Work::Compare(_) => store.postpone_comparison(fence, mails, pause).await,
    }
}

impl Actor for Comparison {
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

impl Comparison {
    fn held(&mut self, lease: Lease, context: &mut Context<Self>) {
        for channel in [Channel::Resource, Channel::Comparison] {
            let (mut news, address) = (self.deps.wake.subscribe(channel), context.address());
            self.watches.push(AbortOnDropHandle::new(self.deps.runtime.spawn(async move {
                while news.changed().await.is_ok() && address.send(News).await.is_ok() {}
            })));
        }
        let (deps, options, fence) = (self.deps.clone(), self.options.clone(), lease.fence());
        let started = Arc::clone(&self.started);
        let schedule = self.child.guarded("the schedule", async move {
            schedule::keep(deps, options, fence, &started).await;
        });
        self.watches.push(AbortOnDropHandle::new(self.deps.runtime.spawn(schedule)));
        let cutting_off = duty::cut_off_when_lost(&lease, self.stop.clone());
        self.watches.push(AbortOnDropHandle::new(self.deps.runtime.spawn(cutting_off)));
        self.lease = Some(lease);
        self.tell(Event::News, context);
    }
}

impl Handler<OfDuty> for Comparison {
    type Result = ();

    fn handle(&mut self, OfDuty(tidings): OfDuty, context: &mut Self::Context) {
        match tidings {
            Tidings::Held(lease) => self.held(lease, context),
            Tidings::Lost if self.lease.is_some() => self.child.fail("the lease of the duty is lost"),
            Tidings::Lost => {}
            Tidings::Failed(error) => self.escalate(&ComparisonError::Lease(error)),
        }
    }
}

impl Handler<News> for Comparison {
    type Result = ();

    fn handle(&mut self, _: News, context: &mut Self::Context) {
        self.tell(Event::News, context);
    }
}

impl Handler<Looked> for Comparison {
    type Result = ();

    fn handle(&mut self, Looked(result): Looked, context: &mut Self::Context) {
        self.look = None;
        let look = match result {
            Ok(Due::Now(work)) => {
                self.begin(work, context);
                Look::Begun
            }
            Ok(Due::Later { next, unread }) => {
                self.tell_unread(unread);
                Look::Nothing(next)
            }
            Err(error) if error.disposition().is_retry() => {
                tracing::error!(
                    event_id = error.event().id,
                    error = %telemetry::chain(&error),
                    "the database cannot be asked which mailboxes are to be adopted or compared"
                );
                Look::Failed
            }
            Err(error) => return self.escalate(&error),
        };
        self.tell(Event::Looked(look), context);
    }
}

impl Handler<Ended> for Comparison {
    type Result = ();

    fn handle(&mut self, Ended { mails, result }: Ended, context: &mut Self::Context) {
        if let Some(first) = mails.first() {
            self.calls.remove(first);
        }
        if self.child.stopping() {
            self.finish(context);
            return;
        }
        let ended = match result {
            Ok(refused) => self.done(&mails, &refused),
            Err(error) if error.disposition().is_retry() || matches!(error, ComparisonError::Fetch(_)) => {
                self.failed(&mails, &error)
            }
            Err(error) => return self.escalate(&error),
        };
        self.tell(Event::Ended(ended), context);
    }
}

impl Handler<Stop> for Comparison {
    type Result = ();

    /// Calls in flight are given up: they change nothing at Planner. The lease goes back when they have ended.
    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        self.look = None;
        self.watches.clear();
        self.stop.cancel();
        self.finish(context);
    }
}

#[cfg(test)]
mod tests;
