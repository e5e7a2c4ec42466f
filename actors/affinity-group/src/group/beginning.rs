//! The beginning of a group: its lease, a slot of its service account, its members.
//!
//! Protocol: the lease says who runs the group, the slot ([`store::account_slots`]) that its account has room for it,
//! however many rows say so: a group that was dissolved, or that another instance is still ending, has its stream until its
//! lease is handed back. Members are read anew with each try, since others may have come while the group waited; what
//! changes after the last reading the actor is told ([`MembersChanged`](crate::messages::MembersChanged)).
//!
//! Failure: a database that is away is waited for. Whoever is dropped while it waits hands the lease back at once.

use std::time::Duration;

use base::Backoff;
use calendar::codes;
use store::account_slots::AccountSlot;
use store::duty;
use store::lease::Provisional;
use store::shares::group_lease;
use store::subscriptions::{GroupId, StoredGroup};

use super::GroupTools;
use crate::error::ListenerError;

/// Waits until the group `id` is owned and its account has room for it; `None` when it was dissolved meanwhile. Calls
/// `standing_by` when there is a reason to wait.
pub(super) async fn own(
    tools: &GroupTools,
    id: GroupId,
    standing_by: impl Fn(),
) -> Result<Option<(Provisional, StoredGroup)>, ListenerError> {
    let key = group_lease(id);
    let lease = duty::hold(&tools.leases, &key, &standing_by)
        .await
        .map_err(|source| ListenerError::Lease { key, source })?
        .provisional();
    let mut queue = tools.leases.queue();
    let mut told = false;
    let mut failures = 0;
    loop {
        match room(tools, id, &lease).await {
            Ok(Room::Taken(group)) => return Ok(Some((lease, *group))),
            Ok(Room::Dissolved) => return Ok(None),
            Ok(Room::Full { free_in, account }) => {
                failures = 0;
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(
                        event_id = codes::ACCOUNT_SLOT_AWAITED.id,
                        group = id.get(),
                        account,
                        "an affinity group waits until its service account has room for it"
                    );
                    standing_by();
                }
                queue.pause(free_in).await;
            }
            Err(error) => outage(error, &mut failures).await?,
        }
    }
}

/// What became of the ask for room.
enum Room {
    /// The account carries the group from now on, as it was read just before.
    Taken(Box<StoredGroup>),
    /// It carries as many as it may.
    Full {
        /// When that may change.
        free_in: Duration,
        account: i64,
    },
    /// There is no such group any more.
    Dissolved,
}

async fn room(tools: &GroupTools, id: GroupId, lease: &Provisional) -> Result<Room, ListenerError> {
    let Some(group) = read(tools, id).await? else { return Ok(Room::Dissolved) };
    let (account, most) = (group.account, tools.options.groups_per_account);
    let slot = tools.mailboxes.store.take_account_slot(&lease.fence(), account, most).await;
    match slot.map_err(|source| ListenerError::Slot { account: account.get(), source })? {
        AccountSlot::Taken => Ok(Room::Taken(Box::new(group))),
        AccountSlot::Full { free_in } => Ok(Room::Full { free_in, account: account.get() }),
    }
}

/// The group with its members.
pub(super) async fn read(tools: &GroupTools, id: GroupId) -> Result<Option<StoredGroup>, ListenerError> {
    tools.mailboxes.store.affinity_group(id).await.map_err(ListenerError::Read)
}

/// The longest pause while the database cannot be used: a group that nobody runs hears nothing, and each step of its
/// beginning may meet the next break of a database that comes and goes.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Waits a while for a database that is away.
async fn outage(error: ListenerError, failures: &mut u32) -> Result<(), ListenerError> {
    if !error.disposition().is_retry() {
        return Err(error);
    }
    *failures = failures.saturating_add(1);
    tracing::warn!(
        event_id = codes::DATABASE_UNREACHABLE.id,
        error = &error as &dyn std::error::Error,
        failures,
        "an affinity group cannot begin now"
    );
    let backoff = Backoff::doubling(Duration::from_millis(100), PAUSE_MAX);
    tokio::time::sleep(backoff.delay_jittered(*failures)).await;
    Ok(())
}
