//! The actor of one affinity group: performs what [`policy`](crate::policy) decides.
//!
//! Life: acquire the group's lease, and with it a slot of its account (`beginning`) → read the members → begin. Storing runs as a task on the
//! runtime, the stream is an actor beside this one (`stream`) that serves the orders placed here; both report
//! through one bounded channel. When the lease is lost the actor fails at once; its
//! supervisor starts it anew and it waits for the lease. When it is told to stop it ends the subscriptions of all its
//! mailboxes (so that they do not fill the server's limits during restarts), within a limit of time, and hands
//! the lease back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{Actor, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, StreamHandler};
use calendar::ids::{AccountId, SubscriptionId};
use calendar::source::{Location, Mailbox, SourceErrorKind};
use calendar::{MailAddress, codes};
use mailbox_subscriber::{
    CatchUpNow, FromMailbox, GroupAffinity, MailboxSubscriber, Place, SubscriptionLost, Tools, TryNow,
    end_subscription,
};
use store::group_streams::StreamEvent;
use store::lease::{Fence, Lease, LeaseBook};
use store::subscriptions::{GroupId, StoredGroup};
use supervision::{ChildContext, ChildId, ChildRef, ChildSpec, Stop, SupervisorError, SupervisorRef};
use tokio::sync::{mpsc, watch};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::config::GroupOptions;
use crate::folder_watch::FolderWatch;
use crate::journal::{Journal, JournalTask};
use crate::messages::{FromTask, Heard, MembersChanged};
use crate::order::{Desk, Order, Orders};
use crate::outage::OutageWatch;
use crate::policy::{Directive, Event, Policy};
use crate::record::Record;

mod beginning;
mod ending;
mod member;
mod tell;

use member::{Known, Member};

/// Reports of tasks that wait for the actor.
const REPORTS_CAPACITY: usize = 256;
/// Messages that wait for a mailbox; it gets few.
const MAILBOX_CAPACITY: usize = 16;
/// How long after the supervisor refused a mailbox it is asked again.
const ADD_AGAIN: Duration = Duration::from_millis(500);
/// How long after the members could not be read they are read again.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// What all groups of a process share.
#[derive(Debug, Clone)]
pub struct GroupTools {
    /// What their mailboxes share, and most of what they need themselves.
    pub mailboxes: Arc<Tools>,
    /// The leases of this process.
    pub leases: LeaseBook,
    /// Limits and pauses.
    pub options: GroupOptions,
}

/// The actor of one affinity group.
pub struct GroupActor {
    tools: Arc<GroupTools>,
    id: GroupId,
    /// Supervises the mailboxes.
    mailboxes: SupervisorRef,
    child: ChildContext,
    policy: Policy,
    folder_watch: FolderWatch,
    outage: OutageWatch,
    /// The stream that was heard of as open last.
    open: Option<u64>,
    /// It was told that no stream can be opened.
    told_away: bool,
    owned: Option<Owned>,
    /// Its members changed before it began.
    told_before: bool,
    /// Its members are being read; one reading at a time, so that an older one is never taken for a newer.
    reading: bool,
    /// They changed meanwhile.
    read_again: bool,
    /// Tells incarnations of members apart.
    joined: u64,
    members: BTreeMap<MailAddress, Member>,
    /// Where the stream's actor finds what is wanted.
    orders: Desk,
    timer: Option<SpawnHandle>,
}

/// What the group has once it owns its lease.
struct Owned {
    lease: Lease,
    fence: Fence,
    location: Location,
    account: AccountId,
    affinity: watch::Sender<GroupAffinity>,
    journal: Journal,
    journal_task: JournalTask,
    reports: mpsc::Sender<FromTask>,
    /// Tells operators how the stream stands.
    record: Record,
    /// Calls about subscriptions that nobody else waits for.
    unfinished: TaskTracker,
}

impl Owned {
    /// A member, as calls about it need it.
    fn mailbox(&self, address: &MailAddress) -> Mailbox {
        Mailbox {
            address: address.clone(),
            endpoint: self.location.endpoint.clone(),
            account: Some(self.account),
        }
    }
}

impl GroupActor {
    /// A group that owns nothing yet.
    pub(crate) fn new(
        tools: Arc<GroupTools>,
        id: GroupId,
        mailboxes: SupervisorRef,
        orders: &Orders,
        child: ChildContext,
    ) -> Self {
        let options = tools.options;
        Self {
            id,
            mailboxes,
            child,
            policy: Policy::new(options),
            folder_watch: FolderWatch::new(options.folder_event_grace, options.folder_catch_up_interval),
            outage: OutageWatch::default(),
            open: None,
            told_away: false,
            owned: None,
            told_before: false,
            reading: false,
            read_again: false,
            joined: 0,
            members: BTreeMap::new(),
            orders: orders.desk(),
            timer: None,
            tools,
        }
    }

    fn acquire(&self, ctx: &mut Context<Self>) {
        let (tools, child, id) = (Arc::clone(&self.tools), self.child.clone(), self.id);
        let task = AbortOnDropHandle::new(
            self.tools
                .mailboxes
                .runtime
                .spawn(async move { beginning::own(&tools, id, || child.ready(true)).await }),
        );
        ctx.spawn(wrap_future::<_, Self>(task).map(|outcome, actor, ctx| match outcome {
            Ok(Ok(Some((lease, group)))) => actor.begin(lease.keep(), group, ctx),
            // dissolved meanwhile: this actor is about to be ended
            Ok(Ok(None)) => actor.child.ready(true),
            Ok(Err(error)) => {
                tracing::error!(
                    event_id = codes::SUBSCRIPTIONS_READ_FAILED.id,
                    group = actor.id.get(),
                    error = &error as &dyn std::error::Error,
                    "an affinity group cannot begin"
                );
                actor.child.fail(error);
            }
            Err(_) => actor.child.fail("acquiring the group panicked"),
        }));
    }

    fn begin(&mut self, lease: Lease, group: StoredGroup, ctx: &mut Context<Self>) {
        base::crash::point("listener.group-taken");
        let (reports, heard) = mpsc::channel(REPORTS_CAPACITY);
        let heard = futures::stream::unfold(heard, |mut heard| async {
            heard.recv().await.map(|report| (report, heard))
        });
        ctx.add_stream(heard);
        let lost = wrap_future::<_, Self>(lease.lost_signal()).map(|(), actor, _| {
            if !actor.child.stopping() {
                actor.child.fail("the lease of the group was lost");
            }
        });
        ctx.spawn(lost);
        let tools = &self.tools.mailboxes;
        let (journal, journal_task) = Journal::start(
            &tools.runtime,
            tools.store.clone(),
            self.tools.options.journal_capacity,
            reports.clone(),
        );
        let affinity = watch::Sender::new(GroupAffinity {
            endpoint: group.location.endpoint.clone(),
            account: group.account,
            anchored: None,
        });
        let fence = lease.fence();
        let (location, account) = (group.location.clone(), group.account);
        let record = Record::start(&tools.runtime, tools.store.clone(), fence.clone(), self.id);
        self.owned = Some(Owned {
            lease,
            fence,
            location,
            account,
            affinity,
            journal,
            journal_task,
            reports,
            record,
            unfinished: TaskTracker::new(),
        });
        self.note(StreamEvent::Begun, None);
        tracing::info!(group = self.id.get(), members = group.members.len(), "affinity group begins");
        self.take_members(group, ctx);
        if std::mem::take(&mut self.told_before) {
            // what was read may be from before
            self.reload(ctx);
        }
    }

    fn take_members(&mut self, group: StoredGroup, ctx: &mut Context<Self>) {
        let members: BTreeSet<MailAddress> = group.members.iter().map(|member| member.mail.clone()).collect();
        let asked = group.members.iter().filter(|member| member.try_now);
        let asked: Vec<MailAddress> = asked.map(|member| member.mail.clone()).collect();
        for member in group.members {
            self.members.entry(member.mail).or_insert_with(|| {
                self.joined += 1;
                let known = Known::default();
                known.set(member.subscription);
                Member { joined: self.joined, reference: ChildRef::new(), known, folder: None }
            });
        }
        self.event(Event::Members(members), ctx);
        asked.iter().for_each(|mailbox| self.send(mailbox, TryNow));
    }

    /// Reads the members anew.
    fn reload(&mut self, ctx: &mut Context<Self>) {
        if self.owned.is_none() {
            self.told_before = true;
            return;
        }
        if self.reading {
            self.read_again = true;
            return;
        }
        self.reading = true;
        let (tools, id) = (Arc::clone(&self.tools), self.id);
        let task = AbortOnDropHandle::new(
            self.tools.mailboxes.runtime.spawn(async move { beginning::read(&tools, id).await }),
        );
        ctx.spawn(wrap_future::<_, Self>(task).map(|outcome, actor, ctx| {
            actor.reading = false;
            let again = std::mem::take(&mut actor.read_again);
            match outcome {
                // out of date perhaps
                Ok(Ok(_)) if again => actor.reload(ctx),
                Ok(Ok(Some(group))) => actor.take_members(group, ctx),
                // dissolved: the listener ends this actor
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(
                        event_id = codes::MEMBERSHIPS_READ_FAILED.id,
                        group = actor.id.get(),
                        error = &error as &dyn std::error::Error,
                        "the members of a group cannot be read"
                    );
                    ctx.run_later(base::pace::scaled(READ_AGAIN), |actor, ctx| actor.reload(ctx));
                }
                Err(_) => actor.child.fail("reading the members panicked"),
            }
        }));
    }

    fn event(&mut self, event: Event, ctx: &mut Context<Self>) {
        if self.child.stopping() {
            return;
        }
        let now = self.tools.mailboxes.clock.monotonic();
        for directive in self.policy.on(event, now, rand::random()) {
            self.perform(directive, ctx);
        }
        self.child.ready(self.policy.is_ready());
        self.set_timer(ctx);
    }

    /// One timer for everything that is due later.
    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let due = self.policy.wake_at().into_iter().chain(self.folder_watch.wake_at());
        let due = due.chain(self.outage.wake_at()).min();
        let Some(due) = due else { return };
        let delay = due.saturating_duration_since(self.tools.mailboxes.clock.monotonic());
        self.timer = Some(ctx.run_later(delay, |actor, ctx| {
            actor.timer = None;
            let now = actor.tools.mailboxes.clock.monotonic();
            for mailbox in actor.folder_watch.due(now) {
                actor.catch_up(&mailbox, false);
            }
            if let Some(report) = actor.outage.due(now) {
                actor.tell_outage(report);
            }
            actor.event(Event::Tick, ctx);
        }));
    }

    fn perform(&mut self, directive: Directive, ctx: &mut Context<Self>) {
        match directive {
            Directive::Affinity(anchored) => {
                if let Some(owned) = &self.owned {
                    owned.affinity.send_modify(|affinity| affinity.anchored = anchored);
                }
            }
            Directive::Start(mailbox) => self.start_mailbox(mailbox, ctx),
            Directive::Resubscribe(mailbox) => {
                // the server has forgotten it
                if let Some(member) = self.members.get(&mailbox) {
                    member.known.set(None);
                }
                self.send(&mailbox, SubscriptionLost);
            }
            Directive::End(mailbox) => self.end_mailbox(mailbox, ctx),
            Directive::Unsubscribe(mailbox, subscription) => self.unsubscribe(&mailbox, subscription),
            Directive::Open { stream, members } => self.open(stream, members),
            Directive::Close => {
                self.orders.withdraw();
                self.note(StreamEvent::Withdrawn, None);
            }
            Directive::CatchUp { mailbox, spread } => {
                self.send(&mailbox, CatchUpNow { spread });
            }
            Directive::TellAllLost => tracing::warn!(
                event_id = codes::SUBSCRIPTIONS_LOST.id,
                group = self.id.get(),
                "all subscriptions of a group were lost, it is set up anew"
            ),
            Directive::TellNoneLive => tracing::error!(
                event_id = codes::STREAM_WITHOUT_SUBSCRIPTIONS.id,
                group = self.id.get(),
                "no mailbox of a group could be subscribed to"
            ),
        }
    }

    fn catch_up(&self, mailbox: &MailAddress, spread: bool) {
        self.send(mailbox, CatchUpNow { spread });
    }

    /// A message to a mailbox. One that cannot be delivered means that its actor is being restarted, and it
    /// begins anew with a subscription and a catch-up, which is what the message was about.
    fn send<M>(&self, mailbox: &MailAddress, message: M)
    where
        M: actix::Message<Result = ()> + Send + 'static,
        MailboxSubscriber: Handler<M>,
    {
        if let Some(member) = self.members.get(mailbox)
            && let Err(error) = member.reference.try_send(message)
        {
            tracing::debug!(mailbox = %mailbox, %error, "a mailbox was not told");
        }
    }

    fn start_mailbox(&mut self, mailbox: MailAddress, ctx: &mut Context<Self>) {
        let (Some(owned), Some(member)) = (&self.owned, self.members.get(&mailbox)) else { return };
        let joined = member.joined;
        let tools = Arc::clone(&self.tools.mailboxes);
        let place = Place {
            group: self.id,
            fence: owned.fence.clone(),
            affinity: owned.affinity.subscribe(),
            reports: ctx.address().recipient(),
            unfinished: owned.unfinished.clone(),
        };
        let whose = owned.mailbox(&mailbox);
        let known = member.known.clone();
        let spec = ChildSpec::actor(child_id(&mailbox), &member.reference, move |child| {
            let tools = Arc::clone(&tools);
            MailboxSubscriber::new(tools, place.clone(), whose.clone(), known.get(), child)
        })
        .mailbox_capacity(MAILBOX_CAPACITY)
        .without_bearing_on_readiness();
        let supervisor = self.mailboxes.clone();
        let adding = async move { supervisor.add_child(spec).await };
        ctx.spawn(wrap_future::<_, Self>(adding).map(move |added, actor, ctx| {
            let Err(error) = added else { return };
            match error {
                // the supervisor starts after this actor, or a former actor of the mailbox is still ending
                SupervisorError::NotRunning | SupervisorError::AlreadyThere { .. } => {
                    ctx.run_later(ADD_AGAIN, move |actor, ctx| {
                        // a mailbox that left and came back meanwhile has a start of its own
                        if actor.members.get(&mailbox).is_some_and(|member| member.joined == joined) {
                            actor.start_mailbox(mailbox, ctx);
                        }
                    });
                }
                error => {
                    tracing::error!(
                        event_id = codes::SUBSCRIBER_ADD_FAILED.id,
                        mailbox = %mailbox,
                        %error,
                        "a mailbox cannot be added"
                    );
                    actor.event(Event::Down { mailbox, own_fault: true }, ctx);
                }
            }
        }));
    }

    fn end_mailbox(&mut self, mailbox: MailAddress, ctx: &mut Context<Self>) {
        self.folder_watch.forget(&mailbox);
        self.well(&mailbox);
        // whether it is listened to at present or not
        if let Some(subscription) = self.members.remove(&mailbox).and_then(|member| member.known.get()) {
            self.unsubscribe(&mailbox, subscription);
        }
        let supervisor = self.mailboxes.clone();
        let removing = async move { supervisor.remove_child(&child_id(&mailbox)).await };
        ctx.spawn(wrap_future::<_, Self>(removing).map(|removed, _, _| {
            if let Err(error) = removed {
                tracing::debug!(%error, "a mailbox's actor was gone already");
            }
        }));
    }

    /// Ends one subscription in the background; it ages out on the server if this fails.
    fn unsubscribe(&self, mailbox: &MailAddress, subscription: SubscriptionId) {
        let Some(owned) = &self.owned else { return };
        let affinity = owned.affinity.borrow().for_mailbox(mailbox);
        let whose = owned.mailbox(mailbox);
        let tools = Arc::clone(&self.tools.mailboxes);
        let ending = owned.unfinished.track_future(async move {
            end_subscription(&tools, &whose, &affinity, &subscription).await;
        });
        self.tools.mailboxes.runtime.spawn(ending);
    }

    fn open(&self, stream: u64, members: Vec<(MailAddress, SubscriptionId)>) {
        let Some(owned) = &self.owned else { return };
        let Some(anchor) = members.first().map(|(mail, _)| mail.clone()) else { return };
        let affinity = owned.affinity.borrow().for_mailbox(&anchor);
        let listened = members
            .into_iter()
            .filter_map(|(mail, id)| {
                let folder = self.members.get(&mail)?.folder.clone()?;
                Some((id, (mail, folder)))
            })
            .collect();
        self.orders.place(Order {
            number: stream,
            affinity,
            listened: Arc::new(listened),
            journal: owned.journal.clone(),
            reports: owned.reports.clone(),
        });
    }

    fn heard(&mut self, stream: u64, heard: Heard, ctx: &mut Context<Self>) {
        let group = self.id.get();
        // what was replaced meanwhile is no fault any more
        let current = self.policy.is_current(stream);
        if current {
            self.note_heard(&heard);
        }
        match heard {
            Heard::Opened => {
                tracing::debug!(succeeded = codes::success::STREAM_OPEN, group, stream, "stream open");
                self.open = Some(stream);
                self.told_away = false;
                self.event(Event::Opened(stream), ctx);
            }
            Heard::Closed => self.event(Event::Closed(stream), ctx),
            Heard::Missed(subscriptions) => self.event(Event::Missed { stream, subscriptions }, ctx),
            Heard::Bad { subscriptions, code } => {
                if current {
                    self.tell_not_served(&subscriptions, &code);
                }
                self.event(Event::Bad { stream, subscriptions }, ctx);
            }
            Heard::Away(error) => {
                // told once an outage: it is tried again every few seconds
                if !std::mem::replace(&mut self.told_away, true) {
                    self.tell_not_opened(&error.code);
                }
                self.event(Event::Away(stream), ctx);
            }
            Heard::Failed(error) => {
                if !current {
                    tracing::debug!(group, stream, code = error.code, "a stream that was replaced ended");
                } else if self.open == Some(stream) {
                    self.tell_fault(&error.code, "a stream failed");
                } else {
                    self.tell_not_opened(&error.code);
                }
                let all_lost = error.kind == SourceErrorKind::Resubscribe;
                self.event(Event::Failed { stream, all_lost, after: error.after }, ctx);
            }
            Heard::Silent => {
                self.tell_fault("silent", "a stream fell silent");
                self.event(Event::Failed { stream, all_lost: false, after: None }, ctx);
            }
            Heard::Events { items, folders } => {
                let now = self.tools.mailboxes.clock.monotonic();
                items.iter().for_each(|mailbox| self.folder_watch.item(mailbox, now));
                folders.iter().for_each(|mailbox| self.folder_watch.folder(mailbox, now));
                if !folders.is_empty() {
                    self.set_timer(ctx);
                }
            }
        }
    }
}

fn child_id(mailbox: &MailAddress) -> ChildId {
    ChildId::from(format!("mailbox-subscriber/{mailbox}"))
}

impl Actor for GroupActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.acquire(ctx);
    }
}

impl StreamHandler<FromTask> for GroupActor {
    fn handle(&mut self, report: FromTask, ctx: &mut Context<Self>) {
        match report {
            FromTask::Stream(stream, heard) => self.heard(stream, heard, ctx),
            FromTask::Gap(mailboxes) => {
                let spread = mailboxes.len() > 1;
                mailboxes.iter().for_each(|mailbox| self.catch_up(mailbox, spread));
            }
            FromTask::JournalBroken(reason) => self.child.fail(reason),
        }
    }

    /// The channel ends only when the actor does.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<FromMailbox> for GroupActor {
    type Result = ();

    fn handle(&mut self, report: FromMailbox, ctx: &mut Context<Self>) {
        match report {
            FromMailbox::Live { mailbox, subscription, folder, cookie } => {
                if let Some(member) = self.members.get_mut(&mailbox) {
                    member.folder = Some(folder);
                    member.known.set(Some(subscription.clone()));
                }
                self.event(Event::Live { mailbox, subscription, cookie }, ctx);
            }
            FromMailbox::Out { mailbox, code, reason } => {
                let now = self.tools.mailboxes.clock.monotonic();
                if self.members.contains_key(&mailbox) {
                    self.stumbled(&mailbox, &code, &reason);
                    self.outage.failed(&mailbox, &code, &reason, now);
                    self.set_timer(ctx);
                }
            }
            FromMailbox::Stumbled { mailbox, code, reason } => self.stumbled(&mailbox, &code, &reason),
            FromMailbox::Well { mailbox } => self.well(&mailbox),
            FromMailbox::Down { mailbox, own_fault } => {
                if own_fault {
                    self.well(&mailbox);
                }
                self.event(Event::Down { mailbox, own_fault }, ctx);
            }
        }
    }
}

impl Handler<MembersChanged> for GroupActor {
    type Result = ();

    fn handle(&mut self, _: MembersChanged, ctx: &mut Context<Self>) {
        self.reload(ctx);
    }
}

impl Handler<Stop> for GroupActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        self.stop(ctx);
    }
}
