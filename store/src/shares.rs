//! This instance's share of the affinity groups and qualifier shards.
//!
//! Protocol: every instance looks at the same rows (who is alive, which groups there are, who holds which lease),
//! lets [`share`](crate::share) say who is to own what, and publishes its own part ([`Shares::subscribe`]). Who owns
//! a unit that is not in its part any more ends it in order and hands the lease back; who has it in its part waits for
//! the lease and is woken. So a unit moves by being let go, never by being taken away.
//!
//! A look follows every wake-up ([`Channel::Lease`], [`Channel::Group`]), the moment at which the next lease or
//! instance runs out, and some time without either.
//!
//! Failure: while the database is away the part stays as it is: what it covers is held by leases, which run out on
//! their own. After an outage everybody's rows may have run out, and all are given the time to renew them before
//! anything is shared anew; else the first to come back would draw everything to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::instances::{LISTEN, QUALIFY, left};
use crate::lease::LeaseBook;
use crate::share::share;
use crate::subscriptions::GroupId;
use crate::wake::{Channel, Wake};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest time between two looks.
const LOOK_AT_LEAST: Duration = Duration::from_secs(2);
/// The shortest: many wake-ups in a row are one look.
const LOOK_AT_MOST: Duration = Duration::from_millis(10);

/// Asks for a look that wait for one.
const ASKS_CAPACITY: usize = 16;

/// The lease of who forms the groups.
pub const LISTENER_LEASE: &str = "listener";
/// The lease of who sends to Planner.
pub const SENDER_LEASE: &str = "communicator/planner-batcher";
/// The lease of who compares with Planner.
pub const COMPARISON_LEASE: &str = "communicator/comparison";
/// The lease of who keeps the resource list.
pub const RESOURCE_LIST_LEASE: &str = "communicator/resource-list";
/// What the leases of affinity groups begin with.
pub const GROUP_LEASES: &str = "affinity-group/";
/// What the leases of the qualifier's shards begin with.
pub const SHARD_LEASES: &str = "qualifier/";

/// The key of the lease of an affinity group.
pub fn group_lease(group: GroupId) -> String {
    format!("{GROUP_LEASES}{}", group.get())
}

/// The key of the lease of a qualifier shard.
pub fn shard_lease(shard: u8) -> String {
    format!("{SHARD_LEASES}{shard}")
}

/// What this instance is to own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All there is: it is the only instance there can be.
    Everything,
    /// These.
    Of {
        /// Affinity groups.
        groups: BTreeSet<GroupId>,
        /// Qualifier shards.
        shards: BTreeSet<u8>,
    },
}

impl Part {
    /// Is the group among it?
    pub fn has_group(&self, group: GroupId) -> bool {
        match self {
            Self::Everything => true,
            Self::Of { groups, .. } => groups.contains(&group),
        }
    }

    /// Is the shard among it?
    pub fn has_shard(&self, shard: u8) -> bool {
        match self {
            Self::Everything => true,
            Self::Of { shards, .. } => shards.contains(&shard),
        }
    }
}

/// The part of this instance, always current. A clone follows the same.
#[derive(Debug, Clone)]
pub struct Shares {
    part: watch::Receiver<Option<Part>>,
    /// Asks for a look; `None` where nobody looks.
    asks: Option<mpsc::Sender<oneshot::Sender<()>>>,
    _looking: Option<Arc<AbortOnDropHandle<()>>>,
}

impl Shares {
    /// Shares with others from now on, in a task of the current runtime; it ends with the last clone. The instance
    /// has registered; there are `shards` shards.
    pub fn start(store: Store, leases: LeaseBook, wake: &Wake, shards: u8) -> Self {
        let (sender, part) = watch::channel(None);
        let news = [Channel::Lease, Channel::Group].map(|channel| wake.subscribe(channel));
        let (asks, asked) = mpsc::channel(ASKS_CAPACITY);
        let looking = Looking { store, leases, shards, sender, asked };
        let task = tokio::spawn(looking.keep(news));
        Self { part, asks: Some(asks), _looking: Some(Arc::new(AbortOnDropHandle::new(task))) }
    }

    /// What `part` says from time to time; for tests, and for who is alone.
    pub fn following(part: watch::Receiver<Option<Part>>) -> Self {
        Self { part, asks: None, _looking: None }
    }

    /// Everything, since nobody else is there.
    pub fn alone() -> Self {
        let (sender, part) = watch::channel(Some(Part::Everything));
        // a receiver keeps the last value of a sender that is gone
        drop(sender);
        Self::following(part)
    }

    /// The part from now on; `None` until it is known.
    pub fn subscribe(&self) -> watch::Receiver<Option<Part>> {
        self.part.clone()
    }

    /// Waits until the part is what a look says that began after this was called.
    pub async fn refreshed(&self) {
        let Some(asks) = &self.asks else { return };
        let (answer, answered) = oneshot::channel();
        if asks.send(answer).await.is_ok() {
            // it ends without an answer when nobody looks any more
            let _ = answered.await;
        }
    }

    /// Waits until `says` is true of the part. Never ends when it cannot change any more.
    pub async fn until(&self, says: impl Fn(&Part) -> bool) {
        let mut part = self.part.clone();
        if part.wait_for(|part| part.as_ref().is_some_and(&says)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The task that looks.
struct Looking {
    store: Store,
    leases: LeaseBook,
    shards: u8,
    sender: watch::Sender<Option<Part>>,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
}

impl Looking {
    async fn keep(mut self, [mut of_leases, mut of_groups]: [watch::Receiver<u64>; 2]) {
        let interval = (self.leases.time_to_live() / 8).clamp(LOOK_AT_MOST, LOOK_AT_LEAST);
        let mut blind = false;
        let mut asks = Vec::new();
        loop {
            while let Ok(ask) = self.asked.try_recv() {
                asks.push(ask);
            }
            let looked = self.store.owned(self.shards).await;
            if blind && looked.is_ok() {
                blind = false;
                // all renew what they have first
                tokio::time::sleep(self.leases.renew_every()).await;
                continue;
            }
            let pause = match looked {
                Ok(owned) => {
                    let part = owned.part_of(self.leases.owner());
                    self.sender.send_if_modified(|before| tell(before, part));
                    for ask in asks.drain(..) {
                        // who asked may have gone
                        let _ = oneshot::Sender::send(ask, ());
                    }
                    // a little later, so that it has run out
                    owned.next_expiry.map_or(interval, |next| interval.min(next + Duration::from_millis(5)))
                }
                // the program ends
                Err(_) if self.store.closed().is_cancelled() => return,
                Err(error) => {
                    if !blind {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "it cannot be seen what other instances own, this one keeps what it has"
                        );
                    }
                    blind = true;
                    interval
                }
            };
            tokio::time::sleep(LOOK_AT_MOST).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // the listening end lives as long as the process; without wake-ups the interval would remain
                Ok(()) = of_leases.changed() => {}
                Ok(()) = of_groups.changed() => {}
                Some(ask) = self.asked.recv() => asks.push(ask),
            }
        }
    }
}

/// Publishes a part; tells whether it is another one.
fn tell(before: &mut Option<Part>, part: Part) -> bool {
    if before.as_ref() == Some(&part) {
        return false;
    }
    if let Part::Of { groups, shards } = &part {
        tracing::info!(
            event_id = calendar::codes::SHARE_CHANGED.id,
            groups = groups.len(),
            shards = shards.len(),
            "this instance's share of the work changed"
        );
    }
    *before = Some(part);
    true
}

/// Who is there, and who owns what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owned {
    /// Instances that listen.
    listeners: BTreeSet<String>,
    /// Instances that qualify.
    qualifiers: BTreeSet<String>,
    groups: BTreeMap<GroupId, Option<String>>,
    shards: BTreeMap<u8, Option<String>>,
    /// When the next of all this runs out.
    next_expiry: Option<Duration>,
}

impl Owned {
    /// What `name` is to own: nothing, when it takes no part (any more).
    fn part_of(&self, name: &str) -> Part {
        let groups = share(&self.groups, &self.listeners);
        let shards = share(&self.shards, &self.qualifiers);
        Part::Of {
            groups: groups.into_iter().filter(|(_, owner)| owner == name).map(|(group, _)| group).collect(),
            shards: shards.into_iter().filter(|(_, owner)| owner == name).map(|(shard, _)| shard).collect(),
        }
    }
}

impl Store {
    /// Who is alive and who owns what, in one look.
    pub(crate) async fn owned(&self, shards: u8) -> Result<Owned, StoreError> {
        let operation = "look what the instances own";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select 'instance' as kind, null::bigint as unit, i.name as owner, i.roles, \
                        extract(epoch from i.expires_at - clock_timestamp())::float8 as left_s \
                 from instance i where i.expires_at > clock_timestamp() and i.takes_share \
                 union all \
                 select 'group', g.id, l.owner, null, extract(epoch from l.expires_at - clock_timestamp())::float8 \
                 from subscription g left join lease l on l.key = 'affinity-group/' || g.id \
                     and l.owner <> '' and l.expires_at > clock_timestamp() \
                 union all \
                 select 'shard', substr(l.key, 11)::bigint, l.owner, null, \
                        extract(epoch from l.expires_at - clock_timestamp())::float8 \
                 from lease l where l.key ~ '^qualifier/[0-9]{1,3}$' \
                     and l.owner <> '' and l.expires_at > clock_timestamp()",
            )
            .await
            .map_err(&failed)?;
        let rows = client.query(&statement, &[]).await.map_err(&failed)?;
        let mut owned =
            Owned { shards: (0..shards).map(|shard| (shard, None)).collect(), ..Owned::default() };
        for row in &rows {
            owned.add(row).map_err(&failed)?;
        }
        Ok(owned)
    }
}

impl Owned {
    fn add(&mut self, row: &tokio_postgres::Row) -> Result<(), tokio_postgres::Error> {
        let unit: Option<i64> = row.try_get("unit")?;
        let owner: Option<String> = row.try_get("owner")?;
        if let Some(seconds) = row.try_get::<_, Option<f64>>("left_s")? {
            let left = left(seconds);
            self.next_expiry = Some(self.next_expiry.map_or(left, |next| next.min(left)));
        }
        match (row.try_get::<_, &str>("kind")?, unit, owner) {
            ("instance", _, Some(name)) => {
                let roles: Vec<String> = row.try_get("roles")?;
                for (role, instances) in [(LISTEN, &mut self.listeners), (QUALIFY, &mut self.qualifiers)] {
                    if roles.iter().any(|one| one == role) {
                        instances.insert(name.clone());
                    }
                }
            }
            ("group", Some(id), owner) => {
                self.groups.insert(GroupId::new(id), owner);
            }
            ("shard", Some(shard), Some(owner)) => {
                // one beyond the number that was agreed on is nobody's concern
                if let Some(known) = u8::try_from(shard).ok().and_then(|shard| self.shards.get_mut(&shard)) {
                    *known = Some(owner);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
