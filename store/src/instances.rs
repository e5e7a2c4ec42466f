//! The instances of the service that are alive, and what they have to agree on.
//!
//! Protocol: each start of the program is an instance with a name that no other start shares; it owns leases by that
//! name. It registers before its stages begin ([`LeaseBook::register`]), its row is renewed in one go with its leases
//! ([`LeaseBook::renew`]), and it leaves before its stages end ([`LeaseBook::leave`]), so that the others reckon
//! without it from the first lease on that it hands back. Whoever comes or leaves wakes the others
//! ([`Channel::Lease`]).
//!
//! One that cannot work yet registers without taking a share of the groups and shards, and takes it later: else a new
//! instance with a wrong password would draw a part of the work to itself and leave it undone.
//!
//! All qualifiers must cut the mailboxes into the same number of shards, else two of them own one mailbox. The first
//! that registers says the number; who comes while another is alive, or while a shard is leased, takes that one's
//! instead of its own. A shard asks once more when it has its lease ([`Store::agreed_shards`]): from then on
//! nobody can change the number. So it changes when all qualifiers were down.
//!
//! What was held under the number of before is handed back with the change, in place of owners that may be paused.
//!
//! Failure: an instance that dies leaves a row that runs out with its leases. One that was paused for longer finds
//! its leases lost and goes on under the same name.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{GenericClient, Transaction};

use crate::lease::LeaseBook;
use crate::wake::{self, Channel};
use crate::{Store, StoreError, state};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The role of an instance that listens.
pub const LISTEN: &str = "listen";
/// The role of an instance that qualifies.
pub const QUALIFY: &str = "qualify";
/// The role of an instance that communicates.
pub const COMMUNICATE: &str = "communicate";
/// All roles.
pub const ROLES: [&str; 3] = [LISTEN, QUALIFY, COMMUNICATE];

/// The advisory lock under which instances come.
const LOCK: i64 = 0x6b6f_6d6d_756e_6502;
/// In `store_state`: into how many shards the qualifiers cut the mailboxes.
pub(crate) const SHARDS: &str = "qualifier_shards";
/// How long the rows of dead instances are kept for people.
const KEPT: &str = "1 hour";

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Which stages it runs: of [`ROLES`].
    pub roles: Vec<String>,
    /// The version of its program.
    pub version: String,
    /// Into how many shards it wants the mailboxes cut (`qualifier.shards`).
    pub shards: u8,
    /// Does it take its share of the groups and shards at once, or when it says so
    /// ([`LeaseBook::take_share`])?
    pub takes_share: bool,
    /// Does it send to Planner, or rehearse (`planner.dry_run`)? `None` where it has no part in sending.
    pub sends: Option<bool>,
}

/// Instances that are alive and have a part in sending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Senders {
    /// That send.
    pub sending: u64,
    /// That rehearse (`planner.dry_run`).
    pub rehearsing: u64,
}

impl Registration {
    /// Renews the row of the instance, or makes it anew when it was cleaned up.
    pub(crate) async fn renew(
        &self,
        client: &tokio_postgres::Client,
        name: &str,
        ttl_s: f64,
    ) -> Result<(), tokio_postgres::Error> {
        put(client, self, name, ttl_s).await
    }
}

/// An instance that registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Which stages it runs.
    pub roles: Vec<String>,
    /// The version of its program.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Is it alive, as far as is known?
    pub alive: bool,
    /// How many leases it holds.
    pub leases: u64,
    /// When it was heard of last; `None` where it is of a version that does not say.
    pub heard: Option<Heard>,
}

/// When an instance was heard of last: it renewed its row, or registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// How long ago, by the database's clock.
    pub ago: Duration,
    /// How long it is taken to be alive without another word. It is to be heard of three times within that at least
    /// ([`LeaseBook::renew_every`]).
    pub life: Duration,
}

/// The number of shards that holds for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgreedShards {
    /// Into how many shards the mailboxes are cut.
    pub shards: u8,
    /// Is it another number than the instance wanted?
    pub differs: bool,
}

impl LeaseBook {
    /// Enters this instance among those that are alive, and agrees on the number of shards with them. From now on
    /// [`renew`](Self::renew) keeps the row.
    pub async fn register(&self, registration: Registration) -> Result<AgreedShards, StoreError> {
        let operation = "register this instance";
        let failed = StoreError::query(operation);
        let mut mine = self.registration().lock().await;
        let mut client = self.taking().client(operation).await?;
        self.ask_time(&client).await.map_err(&failed)?;
        let tx = client.transaction().await.map_err(&failed)?;
        tx.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(&failed)?;
        tx.execute(
            &format!("delete from instance where expires_at < clock_timestamp() - interval '{KEPT}'"),
            &[],
        )
        .await
        .map_err(&failed)?;
        let shards = if registration.roles.iter().any(|role| role == QUALIFY) {
            agree(&tx, self.owner(), registration.shards).await?
        } else {
            registration.shards
        };
        put(&*tx, &registration, self.owner(), self.time_to_live().as_secs_f64()).await.map_err(&failed)?;
        wake::notify(&tx, Channel::Lease).await?;
        tx.commit().await.map_err(&failed)?;
        let agreed = AgreedShards { shards, differs: shards != registration.shards };
        *mine = Some(registration);
        Ok(agreed)
    }

    /// From now on this instance takes its share of the groups and shards, where it registered without.
    pub async fn take_share(&self) -> Result<(), StoreError> {
        let operation = "take a share of the work";
        let mut mine = self.registration().lock().await;
        let Some(registration) = mine.as_mut().filter(|mine| !mine.takes_share) else { return Ok(()) };
        let taking = Registration { takes_share: true, ..registration.clone() };
        // renewals wait for the registration: they must not wait long
        let patience = self.time_to_live() / 4;
        let told = tokio::time::timeout(patience, async {
            let mut client = self.taking().client(operation).await?;
            let tx = client.transaction().await.map_err(StoreError::query(operation))?;
            put(&*tx, &taking, self.owner(), self.time_to_live().as_secs_f64())
                .await
                .map_err(StoreError::query(operation))?;
            wake::notify(&tx, Channel::Lease).await?;
            tx.commit().await.map_err(StoreError::query(operation))
        });
        told.await.map_err(self.taking().silent(operation))??;
        *registration = taking;
        Ok(())
    }

    /// Takes this instance out of those that are alive: the others share what it will hand back. It holds what it
    /// holds until it hands that back. Does nothing when it is not among them.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let operation = "take leave of the other instances";
        let mut mine = self.registration().lock().await;
        if mine.take().is_none() {
            return Ok(());
        }
        let mut client = self.taking().client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        tx.execute("delete from instance where name = $1", &[&self.owner()])
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Lease).await?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// The number that holds: what was agreed, while anybody goes by it, else that of who comes.
async fn agree(tx: &Transaction<'_>, name: &str, wanted: u8) -> Result<u8, StoreError> {
    let failed = StoreError::query("agree on the number of shards");
    // Locked before it is looked who goes by it: a shard that asks after the look, with its lease taken before it, waits
    // for what is decided here.
    let row = tx
        .query_opt("select value from store_state where name = $1 for update", &[&SHARDS])
        .await
        .map_err(&failed)?;
    let agreed: Option<String> = row.map(|row| row.try_get(0)).transpose().map_err(&failed)?;
    let in_force: bool = tx
        .query_one(
            "select exists (select from instance \
                            where name <> $1 and $2 = any (roles) and expires_at > clock_timestamp()) \
                    or exists (select from lease where key like 'qualifier/%' and owner not in ('', $1) \
                               and expires_at > clock_timestamp())",
            &[&name, &QUALIFY],
        )
        .await
        .and_then(|row| row.try_get(0))
        .map_err(&failed)?;
    match agreed.and_then(|text| text.parse().ok()) {
        Some(agreed) if in_force || agreed == wanted => Ok(agreed),
        _ => {
            free_shards(tx).await?;
            state::put(tx, SHARDS, &wanted.to_string()).await?;
            Ok(wanted)
        }
    }
}

/// Hands the leases of all shards back in place of their owners, which are dead or paused (or are whoever comes here
/// anew): one that wakes up could renew a lease that ran out and that nobody took, and go on with mailboxes that belong to
/// other shards now. Their tokens stay, so that the next owner's is a greater one. The whole rows are locked, as for a
/// take-over: what is being written under one of them is waited for.
async fn free_shards(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute(
        "with shard as materialized (select key from lease where key like 'qualifier/%' order by key for update) \
         update lease set owner = '', expires_at = '-infinity' from shard where lease.key = shard.key",
        &[],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("hand the leases of the shards of before back"))
}

async fn put(
    client: &impl GenericClient,
    registration: &Registration,
    name: &str,
    ttl_s: f64,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "insert into instance (name, roles, version, expires_at, takes_share, sends, seen_at) \
             values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6, clock_timestamp()) \
             on conflict (name) do update set expires_at = excluded.expires_at, \
               takes_share = excluded.takes_share, seen_at = excluded.seen_at",
            &[
                &name,
                &registration.roles,
                &registration.version,
                &ttl_s,
                &registration.takes_share,
                &registration.sends,
            ],
        )
        .await
        .map(drop)
}

impl Store {
    /// Which of the instances that are alive send, and which rehearse.
    pub async fn senders(&self) -> Result<Senders, StoreError> {
        let operation = "look which instances send";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                "select count(*) filter (where sends), count(*) filter (where not sends) from instance \
                 where expires_at > clock_timestamp()",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let count = |index: usize| row.try_get(index).map(|n: i64| u64::try_from(n).unwrap_or_default());
        let read = || Ok(Senders { sending: count(0)?, rehearsing: count(1)? });
        read().map_err(StoreError::query(operation))
    }

    /// Into how many shards the mailboxes are cut, once an instance has said so. Who holds a shard's lease when it
    /// asks can rely on the answer for as long as it holds it.
    pub async fn agreed_shards(&self) -> Result<Option<u8>, StoreError> {
        let operation = "look into how many shards the mailboxes are cut";
        let client = self.client(operation).await?;
        // waits for who is changing it now
        let row = client
            .query_opt("select value from store_state where name = $1 for share", &[&SHARDS])
            .await
            .map_err(StoreError::query(operation))?;
        let text: Option<String> =
            row.map(|row| row.try_get(0)).transpose().map_err(StoreError::query(operation))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// The instances that registered, those that are alive first, then the youngest.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let operation = "load the instances";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select name, roles, version, started_at, expires_at > clock_timestamp() as alive, \
                        (select count(*) from lease l where l.owner = i.name and l.expires_at > clock_timestamp()), \
                        extract(epoch from clock_timestamp() - seen_at)::float8, \
                        extract(epoch from expires_at - seen_at)::float8 \
                 from instance i order by alive desc, started_at desc, name",
                &[],
            )
            .await
            .map_err(&failed)?;
        let read = |row: &tokio_postgres::Row| -> Result<Instance, tokio_postgres::Error> {
            Ok(Instance {
                name: row.try_get(0)?,
                roles: row.try_get(1)?,
                version: row.try_get(2)?,
                started_at: row.try_get(3)?,
                alive: row.try_get(4)?,
                leases: u64::try_from(row.try_get::<_, i64>(5)?).unwrap_or_default(),
                heard: heard(row.try_get(6)?, row.try_get(7)?),
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(&failed)
    }
}

/// When an instance was heard of last, by seconds of the database.
fn heard(ago_s: Option<f64>, life_s: Option<f64>) -> Option<Heard> {
    ago_s.zip(life_s).map(|(ago_s, life_s)| Heard { ago: left(ago_s), life: left(life_s) })
}

/// Seconds of the database as a duration; what is past is none.
pub(crate) fn left(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}
