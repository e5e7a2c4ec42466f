//! The actor that keeps the actors of this instance's share of the affinity groups.
//!
//! Life: learn the share → read the groups → start the actors of those that are ours, end those that are not (any
//! more), tell those whose members changed → the same again when the share or the groups change, and at an interval.
//! A group that another instance has until now waits for its lease; one that is to go elsewhere ends its subscriptions
//! in order and hands its lease back. Streams of groups that stay are not touched.
//!
//! Failure: groups that cannot be read are read again with back-off, and those that run go on. When this actor fails,
//! its groups are started anew with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::fut::{wrap_future, wrap_stream};
use actix::prelude::{
    Actor, ActorContext, ActorFutureExt, ActorStreamExt, AsyncContext, Context, Handler, Message, SpawnHandle,
};
use calendar::{MailAddress, codes};
use futures::stream;
use store::shares::Shares;
use store::subscriptions::{GroupId, StoredGroup};
use store::wake::{Channel, Wake};
use store::{Store, StoreError};
use supervision::{ChildContext, ChildError, ChildId, ChildRef, Stop, SupervisorError, SupervisorRef};
use tokio::sync::{oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::config::ListenerOptions;
use crate::group::{GroupActor, GroupTools};
use crate::messages::MembersChanged;
use crate::tree;

/// How long after a group's supervisor was refused it is tried again.
const GROUP_AGAIN: Duration = Duration::from_millis(500);

/// Look at the share and the groups now, and say when what that leads to was begun.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct KeepNow {
    pub(crate) done: oneshot::Sender<()>,
}

/// The keeper.
pub(crate) struct Keeper {
    tools: Arc<GroupTools>,
    options: ListenerOptions,
    shares: Shares,
    wake: Wake,
    /// Supervises the groups.
    groups: SupervisorRef,
    child: ChildContext,
    kept: BTreeMap<GroupId, Kept>,
    looking: bool,
    look_again: bool,
    failures: u32,
    timer: Option<SpawnHandle>,
    /// The next look has every group compare its members with the rows.
    compare_all: bool,
    /// Who waits for the next look, and for the one that is under way.
    waiting: Vec<oneshot::Sender<()>>,
    served: Vec<oneshot::Sender<()>>,
}

/// A group whose actor is kept.
struct Kept {
    reference: ChildRef<GroupActor>,
    members: BTreeSet<MailAddress>,
}

/// What is to be done about the groups. Pure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// To be started.
    pub(crate) start: BTreeSet<GroupId>,
    /// To be ended.
    pub(crate) end: BTreeSet<GroupId>,
    /// To be told that their members changed, or that some of these are to be tried at once.
    pub(crate) tell: BTreeSet<GroupId>,
}

impl Work {
    /// `ours`: our groups with their members. `kept`: those whose actors are kept, with the members that they were
    /// told of last. `asked`: those of ours with members that are to be tried at once. `alive`: those that run, or are being
    /// restarted.
    pub(crate) fn of(
        ours: &BTreeMap<GroupId, BTreeSet<MailAddress>>,
        kept: &BTreeMap<GroupId, BTreeSet<MailAddress>>,
        asked: &BTreeSet<GroupId>,
        alive: impl Fn(GroupId) -> bool,
    ) -> Self {
        let mut work = Self::default();
        work.end.extend(kept.keys().filter(|id| !ours.contains_key(id)));
        for (id, members) in ours {
            match kept.get(id).filter(|_| alive(*id)) {
                None => work.start.insert(*id),
                Some(before) if before != members || asked.contains(id) => work.tell.insert(*id),
                Some(_) => false,
            };
        }
        work
    }
}

impl Keeper {
    pub(crate) fn new(
        tools: Arc<GroupTools>,
        options: ListenerOptions,
        shares: Shares,
        wake: Wake,
        groups: SupervisorRef,
        child: ChildContext,
    ) -> Self {
        Self {
            tools,
            options,
            shares,
            wake,
            groups,
            child,
            kept: BTreeMap::new(),
            looking: false,
            look_again: false,
            failures: 0,
            timer: None,
            compare_all: false,
            waiting: Vec::new(),
            served: Vec::new(),
        }
    }

    /// Reads the groups, now or after the look that is under way.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.child.stopping() {
            return;
        }
        if self.looking {
            self.look_again = true;
            return;
        }
        let share = self.shares.subscribe();
        // a look follows when it is known
        let Some(part) = share.borrow().clone() else { return };
        self.looking = true;
        self.look_again = false;
        self.served.append(&mut self.waiting);
        let store: Store = self.tools.mailboxes.store.clone();
        let task = AbortOnDropHandle::new(
            self.tools.mailboxes.runtime.spawn(async move { store.affinity_groups().await }),
        );
        ctx.spawn(wrap_future::<_, Self>(task).map(move |read, actor, ctx| {
            let pause = match read {
                Ok(Ok(groups)) => {
                    actor.failures = 0;
                    actor.keep(groups.into_iter().filter(|group| part.has_group(group.id)), ctx);
                    actor.options.subscriber_update_time_interval
                }
                Ok(Err(error)) => {
                    actor.looking = false;
                    actor.unread(&error)
                }
                Err(_) => return actor.child.fail("reading the groups panicked"),
            };
            actor.set_timer(pause, ctx);
        }));
    }

    /// The groups could not be read; answers when they are read again.
    fn unread(&mut self, error: &StoreError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        tracing::error!(
            event_id = codes::SUBSCRIPTIONS_READ_FAILED.id,
            error = error as &dyn std::error::Error,
            "the affinity groups cannot be read"
        );
        if !error.is_outage() {
            self.child.fail(telemetry::chain(error));
        }
        self.options.retry.delay_jittered(self.failures)
    }

    fn set_timer(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = Some(ctx.run_later(pause, |actor, ctx| {
            actor.timer = None;
            actor.compare_all = true;
            actor.look(ctx);
        }));
    }

    /// Starts and ends actors, and tells those whose members changed.
    fn keep(&mut self, ours: impl Iterator<Item = StoredGroup>, ctx: &mut Context<Self>) {
        let mut asked: BTreeSet<GroupId> = BTreeSet::new();
        let ours: BTreeMap<GroupId, BTreeSet<MailAddress>> = ours
            .map(|group| {
                if group.members.iter().any(|member| member.try_now) {
                    asked.insert(group.id);
                }
                (group.id, group.members.into_iter().map(|member| member.mail).collect())
            })
            .collect();
        let running: BTreeSet<ChildId> = self.groups.children().into_iter().collect();
        let kept = self.kept.iter().map(|(id, kept)| (*id, kept.members.clone())).collect();
        let work = Work::of(&ours, &kept, &asked, |id| running.contains(&tree::group_child_id(id)));
        work.end.iter().for_each(|id| self.end(*id, ctx));
        if std::mem::take(&mut self.compare_all) {
            // whatever a group makes of its members, it compares them with the rows now and then (B12)
            let others = self.kept.iter().filter(|(id, _)| ours.contains_key(id) && !work.tell.contains(id));
            for (id, kept) in others {
                if let Err(error) = kept.reference.try_send(MembersChanged) {
                    tracing::debug!(group = id.get(), %error, "a group was not told to compare");
                }
            }
        }
        for id in &work.tell {
            let Some(kept) = self.kept.get_mut(id) else { continue };
            match kept.reference.try_send(MembersChanged) {
                Ok(()) => kept.members.clone_from(&ours[id]),
                // one that is being restarted reads its members anyway
                Err(ChildError::NotRunning | ChildError::Lost) => kept.members.clone_from(&ours[id]),
                Err(error) => {
                    tracing::debug!(group = id.get(), %error, "a group was not told, it is told again");
                    ctx.run_later(GROUP_AGAIN, Self::look);
                }
            }
        }
        let starting: Vec<_> = work.start.iter().map(|id| self.start(*id, ours[id].clone())).collect();
        let started = wrap_future::<_, Self>(futures::future::join_all(starting));
        ctx.spawn(started.map(|started, actor, ctx| {
            started.into_iter().for_each(|(id, added)| actor.started_one(id, added, ctx));
            actor.looking = false;
            actor.child.ready(true);
            actor.served.drain(..).for_each(|served| {
                // who asked may have gone
                let _ = served.send(());
            });
            if actor.look_again {
                actor.look(ctx);
            }
        }));
    }

    fn end(&mut self, id: GroupId, ctx: &mut Context<Self>) {
        self.kept.remove(&id);
        let supervisor = self.groups.clone();
        let removing = async move { supervisor.remove_child(&tree::group_child_id(id)).await };
        ctx.spawn(wrap_future::<_, Self>(removing).map(move |removed, _, _| match removed {
            // what could not be stored for it is its new owner's matter: an alert about it (4910) must not stay here
            Ok(()) => tracing::info!(
                succeeded = codes::success::NOTIFICATIONS_STORED,
                group = id.get(),
                "affinity group ended here"
            ),
            Err(error) => tracing::debug!(group = id.get(), %error, "a group's actors were gone already"),
        }));
    }

    fn start(
        &mut self,
        id: GroupId,
        members: BTreeSet<MailAddress>,
    ) -> impl Future<Output = (GroupId, Result<(), SupervisorError>)> + use<> {
        let reference = ChildRef::new();
        let spec = tree::group_spec(id, &reference, &self.tools);
        self.kept.insert(id, Kept { reference, members });
        let supervisor = self.groups.clone();
        async move { (id, supervisor.add_child(spec).await) }
    }

    fn started_one(&mut self, id: GroupId, added: Result<(), SupervisorError>, ctx: &mut Context<Self>) {
        let Err(error) = added else { return };
        self.kept.remove(&id);
        match error {
            // the supervisor starts after this actor, or the group's former actors are still ending
            SupervisorError::NotRunning | SupervisorError::AlreadyThere { .. } => {
                ctx.run_later(GROUP_AGAIN, Self::look);
            }
            // the listener ends
            SupervisorError::Stopping => {
                tracing::debug!(group = id.get(), "a group is not started, the listener ends");
            }
            error => tracing::error!(
                event_id = codes::GROUP_CREATE_FAILED.id,
                group = id.get(),
                %error,
                "a group cannot be started"
            ),
        }
    }

    /// Looks whenever `news` has some. A stream of wake-ups that ends leaves the interval.
    fn follow<T: 'static>(news: watch::Receiver<T>, ctx: &mut Context<Self>) {
        let news = stream::unfold(news, |mut news| async { news.changed().await.ok().map(|()| ((), news)) });
        ctx.spawn(wrap_stream::<_, Self>(news).map(|(), actor, ctx| actor.look(ctx)).finish());
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        Self::follow(self.shares.subscribe(), ctx);
        // accounts that are removed take their groups with them
        for channel in [Channel::Group, Channel::Account] {
            Self::follow(self.wake.subscribe(channel), ctx);
        }
        self.look(ctx);
    }
}

impl Handler<KeepNow> for Keeper {
    type Result = ();

    fn handle(&mut self, KeepNow { done }: KeepNow, ctx: &mut Context<Self>) {
        let shares = self.shares.clone();
        let refreshed = async move { shares.refreshed().await };
        ctx.spawn(wrap_future::<_, Self>(refreshed).map(|(), actor, ctx| {
            actor.waiting.push(done);
            actor.look(ctx);
        }));
    }
}

/// The groups have ended before.
impl Handler<Stop> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> BTreeMap<GroupId, BTreeSet<MailAddress>> {
        let members = |text: &str| {
            text.chars().map(|c| MailAddress::parse(&format!("{c}@sim.test")).unwrap()).collect()
        };
        text.split_whitespace()
            .map(|group| group.split_once(':').unwrap())
            .map(|(id, mails)| (GroupId::new(id.parse().unwrap()), members(mails)))
            .collect()
    }

    fn ids(work: &BTreeSet<GroupId>) -> Vec<i64> {
        work.iter().map(|id| id.get()).collect()
    }

    #[test]
    fn what_is_ours_runs_and_nothing_else() {
        for (what, ours, kept, asked, dead, start, end, tell) in [
            ("the first groups", "1:ab 2:c", "", 0, "", &[1, 2][..], &[][..], &[][..]),
            ("nothing changed", "1:ab", "1:ab", 0, "", &[], &[], &[]),
            ("a member came", "1:abc 2:d", "1:ab 2:d", 0, "", &[], &[], &[1]),
            ("a member is to be tried", "1:ab 2:d", "1:ab 2:d", 2, "", &[], &[], &[2]),
            ("one that starts tries all", "1:ab 2:d", "1:ab", 2, "", &[2], &[], &[]),
            ("a group goes to another instance", "1:ab", "1:ab 2:c", 0, "", &[], &[2], &[]),
            ("one comes and one goes", "2:c", "1:ab", 0, "", &[2], &[1], &[]),
            ("one whose actors are gone", "1:abc", "1:ab", 0, "1", &[1], &[], &[]),
            ("nothing is ours any more", "", "1:a 2:b", 0, "", &[], &[1, 2], &[]),
        ] {
            let asked = BTreeSet::from([GroupId::new(asked)]);
            let alive = |id: GroupId| id.get().to_string() != dead;
            let work = Work::of(&groups(ours), &groups(kept), &asked, alive);
            assert_eq!(ids(&work.start), start, "{what}");
            assert_eq!(ids(&work.end), end, "{what}");
            assert_eq!(ids(&work.tell), tell, "{what}");
        }
    }
}
