//! The part of the supervision tree that listens.
//!
//! ```text
//! listener (one_for_all) ─┬─ forming          the listener's actor
//!                         └─ groups (one_for_one)
//!                              └─ affinity-group/<id> (one_for_all) ─┬─ group
//!                                                                    └─ mailboxes (one_for_one)
//!                                                                         └─ mailbox-subscriber/<address> …
//! ```
//! Groups depend on the listener's duty, mailboxes on their group's lease and affinity: each pair lives and dies
//! together. One mailbox or group in trouble does not touch its siblings.

use std::sync::Arc;
use std::time::Duration;

use store::subscriptions::GroupId;
use store::wake::Wake;
use supervision::{ChildId, ChildRef, ChildSpec, Intensity, Strategy, SupervisorRef, SupervisorSpec};

use crate::config::ListenerOptions;
use crate::group::{GroupActor, GroupTools};
use crate::listener::Listener;

/// Messages that wait for a group: reports of its mailboxes, above all.
const GROUP_CAPACITY: usize = 1_024;
/// Room for the members of a group beyond Exchange's limit, while some leave and others come.
const MEMBERS_MAX: usize = 1_024;

/// The listener as a child of the root. `tools.options` is replaced by `options.group`.
pub fn listener_spec(
    reference: &ChildRef<Listener>,
    tools: GroupTools,
    options: ListenerOptions,
    wake: Wake,
) -> ChildSpec {
    let tools = Arc::new(GroupTools { options: options.group, ..tools });
    let groups = SupervisorRef::new();
    let forming = {
        let groups = groups.clone();
        ChildSpec::actor("forming", reference, move |child| {
            Listener::new(Arc::clone(&tools), options, wake.clone(), groups.clone(), child)
        })
        .reports_readiness()
    };
    let max_groups = options.subscription_groups_per_credential * options.accounts.max(1) + 8;
    let groups = SupervisorSpec::new("groups", Strategy::OneForOne, tolerant(20))
        .max_children(max_groups)
        .reference(&groups);
    let listener = SupervisorSpec::new("listener", Strategy::OneForAll, tolerant(5))
        .child(forming)
        .child(ChildSpec::supervisor(groups));
    ChildSpec::supervisor(listener)
}

/// One group with its mailboxes.
pub(crate) fn group_spec(
    id: GroupId,
    reference: &ChildRef<GroupActor>,
    tools: &Arc<GroupTools>,
) -> ChildSpec {
    let mailboxes = SupervisorRef::new();
    let deadline = tools.options.stop_patience + Duration::from_secs(2);
    let group = {
        let (tools, mailboxes) = (Arc::clone(tools), mailboxes.clone());
        ChildSpec::actor("group", reference, move |child| {
            GroupActor::new(Arc::clone(&tools), id, mailboxes.clone(), child)
        })
        .mailbox_capacity(GROUP_CAPACITY)
        .shutdown_deadline(deadline)
        .reports_readiness()
    };
    let mailboxes = SupervisorSpec::new("mailboxes", Strategy::OneForOne, tolerant(100))
        .max_children(MEMBERS_MAX)
        .reference(&mailboxes);
    let spec = SupervisorSpec::new(group_child_id(id), Strategy::OneForAll, tolerant(10))
        .child(group)
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
