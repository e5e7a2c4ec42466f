//! The part of the supervision tree that listens.
//!
//! ```text
//! listener (one_for_one) ─┬─ sharing (one_for_all) ─┬─ keeping     the keeper's actor
//!                         │                         └─ groups (one_for_one)
//!                         │    affinity-group/<id> (one_for_all) ─┬─ group
//!                         │                                       ├─ streams (one_for_one)
//!                         │                                       │    └─ stream
//!                         │                                       └─ mailboxes (one_for_one)
//!                         │                                            └─ mailbox-subscriber/<address> …
//!                         └─ forming          the listener's actor
//! ```
//! Groups depend on their keeper, mailboxes on their group's lease and affinity: each pair lives and dies
//! together. One mailbox or group in trouble does not touch its siblings, and who forms groups, here or in another
//! instance, touches none of them.
//!
//! A fault of a stream restarts the actor `stream` and nothing else: subscriptions outlive the connection, so
//! a new connection and a catch-up repair it. A seventh fault within half a minute ([`STREAM_FAULTS`]) is not
//! repaired by that: `streams` escalates, and the group is set up anew with lease, affinity and subscriptions.
//! More than ten such restarts of a group within a minute restart all groups, and so on up to the root.
//!
//! What must not climb that ladder is an outage of Exchange, which may last for hours. Hence:
//! * An opening that an outage prevents is no fault; the stream's actor waits it out (see `stream`). An outage
//!   costs each stream one restart, when it breaks.
//! * A service that lets streams open and breaks them at once, again and again, does restart groups, but no
//!   more: the pauses before the six restarts (`GroupOptions::restart`, 250 ms doubling to 4 s, up to half of it
//!   taken off) add up to 5.9 s at least and 11.75 s at most. The upper sum lies within the window, so that such a
//!   stream does escalate; the lower one, with the group's own growing pauses (100 ms doubling), lets a group
//!   restart at most eight times a minute, which is below its limit of ten. A test recounts this.
//! * A stream that breaks every ten seconds stays below the limit: it is opened again within 4 s each time.

use std::sync::Arc;
use std::time::Duration;

use store::shares::Shares;
use store::subscriptions::GroupId;
use store::wake::Wake;
use supervision::{ChildId, ChildRef, ChildSpec, Intensity, Strategy, SupervisorRef, SupervisorSpec};

use crate::config::{Accounts, GroupOptions, ListenerOptions};
use crate::group::{GroupActor, GroupTools};
use crate::keeper::Keeper;
use crate::listener::Listener;
use crate::order::Orders;
use crate::stream::StreamActor;

#[cfg(test)]
mod tests;

/// Messages that wait for a group: reports of its mailboxes, above all.
const GROUP_CAPACITY: usize = 1_024;
/// Room for the members of a group beyond Exchange's limit, while some leave and others come.
const MEMBERS_MAX: usize = 1_024;
/// Groups of one process. With three an account, more accounts than anybody has.
const GROUPS_MAX: usize = 1_024;
/// Faults of one stream that are repaired by opening it again.
const STREAM_FAULTS: Intensity = Intensity { max_restarts: 6, window: Duration::from_secs(30) };
/// Restarts of a group.
const GROUP_FAULTS: Intensity = tolerant(10);

/// The listener as a child of the root. `tools.options` is replaced by `options.group`, with the groups of an account
/// that `options` allow; of the groups, those run here that `shares` gives to this instance.
pub fn listener_spec(
    reference: &ChildRef<Listener>,
    tools: GroupTools,
    options: ListenerOptions,
    accounts: Accounts,
    wake: Wake,
    shares: Shares,
) -> ChildSpec {
    let group =
        GroupOptions { groups_per_account: options.subscription_groups_per_credential, ..options.group };
    let tools = Arc::new(GroupTools { options: group, ..tools });
    let keeper = ChildRef::new();
    let sharing = sharing(&keeper, &tools, options, &wake, shares);
    let forming = ChildSpec::actor("forming", reference, move |child| {
        Listener::new(Arc::clone(&tools), options, accounts.clone(), wake.clone(), keeper.clone(), child)
    })
    .reports_readiness();
    let listener = SupervisorSpec::new("listener", Strategy::OneForOne, tolerant(5))
        .child(ChildSpec::supervisor(sharing))
        .child(forming);
    ChildSpec::supervisor(listener)
}

/// The keeper with the groups that it keeps.
fn sharing(
    keeper: &ChildRef<Keeper>,
    tools: &Arc<GroupTools>,
    options: ListenerOptions,
    wake: &Wake,
    shares: Shares,
) -> SupervisorSpec {
    let groups = SupervisorRef::new();
    let keeping = {
        let (tools, wake, groups) = (Arc::clone(tools), wake.clone(), groups.clone());
        ChildSpec::actor("keeping", keeper, move |child| {
            Keeper::new(Arc::clone(&tools), options, shares.clone(), wake.clone(), groups.clone(), child)
        })
        .reports_readiness()
    };
    let groups = SupervisorSpec::new("groups", Strategy::OneForOne, tolerant(20))
        .max_children(GROUPS_MAX)
        .reference(&groups);
    SupervisorSpec::new("sharing", Strategy::OneForAll, tolerant(5))
        .child(keeping)
        .child(ChildSpec::supervisor(groups))
}

/// One group with its mailboxes.
pub(crate) fn group_spec(
    id: GroupId,
    reference: &ChildRef<GroupActor>,
    tools: &Arc<GroupTools>,
) -> ChildSpec {
    let mailboxes = SupervisorRef::new();
    let orders = Orders::new();
    let deadline = tools.options.stop_patience + Duration::from_secs(2);
    let group = {
        let (tools, mailboxes, orders) = (Arc::clone(tools), mailboxes.clone(), orders.clone());
        ChildSpec::actor("group", reference, move |child| {
            GroupActor::new(Arc::clone(&tools), id, mailboxes.clone(), &orders, child)
        })
        .mailbox_capacity(GROUP_CAPACITY)
        .shutdown_deadline(deadline)
        .reports_readiness()
    };
    let stream = {
        let tools = Arc::clone(tools);
        ChildSpec::actor("stream", &ChildRef::new(), move |child| {
            StreamActor::new(Arc::clone(&tools), orders.clone(), child)
        })
        // the group says whether it is ready; a stream that is being opened again is no reason to be taken out of
        // rotation
        .without_bearing_on_readiness()
    };
    let streams = SupervisorSpec::new("streams", Strategy::OneForOne, STREAM_FAULTS)
        .backoff(tools.options.restart)
        .child(stream);
    let mailboxes = SupervisorSpec::new("mailboxes", Strategy::OneForOne, tolerant(100))
        .max_children(MEMBERS_MAX)
        .reference(&mailboxes);
    let spec = SupervisorSpec::new(group_child_id(id), Strategy::OneForAll, GROUP_FAULTS)
        .child(group)
        .child(ChildSpec::supervisor(streams))
        .child(ChildSpec::supervisor(mailboxes));
    ChildSpec::supervisor(spec)
}

/// The name of a group's supervisor.
pub(crate) fn group_child_id(id: GroupId) -> ChildId {
    ChildId::from(format!("affinity-group/{}", id.get()))
}

/// So many restarts a minute are normal while Exchange or the database are in trouble.
const fn tolerant(restarts: u32) -> Intensity {
    Intensity { max_restarts: restarts, window: Duration::from_secs(60) }
}
