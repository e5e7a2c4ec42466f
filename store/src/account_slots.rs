//! The slots of service accounts: how many affinity groups an account really carries, over all instances.
//!
//! Who forms groups counts their rows ([`Store::regroup`]). A row says what is meant to be: a group that was dissolved,
//! or moved to another account, still has its stream and its subscriptions until its owner has ended them. So a group
//! takes a slot of its account before it asks Exchange for anything.
//!
//! Protocol: a slot belongs to the lease of its group. It is taken under the token of that lease, in the transaction that
//! checks the token and counts the account's other slots, and it is held for as long as the lease is held under that
//! token: handing the lease back, or its take-over, frees the slot, and nothing else does. A group that finds no room waits
//! as one does for a lease, and is woken when one is handed back. While it waits it says so, by a row with its token
//! below zero.
//!
//! Groups of a version before slots take none. The lease of a group without a row of either kind is taken for one of
//! those, as long as the group has its account: it counts. (A group of this version has no row between taking its lease
//! and asking for its slot; who is sent away because of that looks again within a second.)
//!
//! Failure: an owner that died or is paused leaves a lease that runs out. Its owner could still renew it while nobody else
//! has taken it (and nobody takes the lease of a group that was dissolved), so whoever needs the room hands that
//! lease back in its place first: from then on it cannot be renewed, and its token opens nothing. What Exchange still sends
//! to a process that is paused as a whole, it stops when that process wakes up, or at the end of the stream.

use std::time::Duration;

use calendar::ids::AccountId;

use crate::instances::left;
use crate::lease::{self, Fence};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The advisory lock under which slots are taken.
const LOCK: i64 = 0x6b6f_6d6d_756e_6503;

/// The answer to an ask for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountSlot {
    /// The group has one now.
    Taken,
    /// The account carries as many groups as it may.
    Full {
        /// When the first of their leases runs out unless it is renewed.
        free_in: Duration,
    },
}

impl Store {
    /// Takes a slot of `account` for the group whose lease `fence` proves, unless the account carries
    /// `groups_per_account` others. Taking it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], and failures of the database.
    pub async fn take_account_slot(
        &self,
        fence: &Fence,
        account: AccountId,
        groups_per_account: usize,
    ) -> Result<AccountSlot, StoreError> {
        let operation = "take a slot of a service account";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        // before the lease's row is locked: the one that is in here may have to lock the row of another lease
        tx.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(&failed)?;
        lease::guard(&tx, fence).await?;
        tx.execute(
            "delete from account_slot s using lease l \
             where s.account = $1 and l.key = s.lease_key and (l.owner = '' or l.token <> abs(s.token))",
            &[&account.get()],
        )
        .await
        .map_err(&failed)?;
        let others = others(&tx, fence, account).await?;
        let surplus = (others.len() + 1).saturating_sub(groups_per_account.max(1));
        if surplus > 0 && hand_back_dead(&tx, &others, surplus).await? < surplus {
            // what was handed back stays so
            enter(&tx, fence, -fence.token, account).await?;
            tx.commit().await.map_err(&failed)?;
            return Ok(AccountSlot::Full { free_in: others.first().map_or(Duration::ZERO, |one| one.left) });
        }
        enter(&tx, fence, fence.token, account).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(AccountSlot::Taken)
    }
}

/// Writes the row of a group: `token` is its fence's with a slot, and below zero while it waits for one.
async fn enter(
    tx: &deadpool_postgres::Transaction<'_>,
    fence: &Fence,
    token: i64,
    account: AccountId,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into account_slot (lease_key, token, account) values ($1, $2, $3) \
         on conflict (lease_key) do update \
         set token = excluded.token, account = excluded.account, taken_at = excluded.taken_at",
        &[&fence.key, &token, &account.get()],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("record a slot of a service account"))
}

/// A lease that has a slot, or whose owner knows of none.
struct Slotted {
    key: String,
    /// Until its lease runs out; nothing when it has.
    left: Duration,
}

/// The leases of other groups that have a slot of the account, or listen with it without one; the first to run out first.
async fn others(
    tx: &deadpool_postgres::Transaction<'_>,
    fence: &Fence,
    account: AccountId,
) -> Result<Vec<Slotted>, StoreError> {
    let failed = StoreError::query("count the slots of a service account");
    let rows = tx
        .query(
            "select l.key, extract(epoch from l.expires_at - clock_timestamp())::float8 \
             from account_slot s join lease l on l.key = s.lease_key \
             where s.account = $1 and s.lease_key <> $2 and l.owner <> '' and l.token = s.token \
             union all \
             select l.key, extract(epoch from l.expires_at - clock_timestamp())::float8 \
             from subscription g join lease l on l.key = 'affinity-group/' || g.id \
             where coalesce(g.service_user_credential_id, 0) = $1 and l.key <> $2 and l.owner <> '' \
                   and not exists (select from account_slot s where s.lease_key = l.key and abs(s.token) = l.token) \
             order by 2",
            &[&account.get(), &fence.key],
        )
        .await
        .map_err(&failed)?;
    rows.iter()
        .map(|row| Ok(Slotted { key: row.try_get(0)?, left: left(row.try_get(1)?) }))
        .collect::<Result<_, _>>()
        .map_err(failed)
}

/// Hands the leases back that have run out, at most `wanted`, in place of owners that did not renew them. One that is
/// being written under just now is left alone for the moment. Answers how many.
async fn hand_back_dead(
    tx: &deadpool_postgres::Transaction<'_>,
    others: &[Slotted],
    wanted: usize,
) -> Result<usize, StoreError> {
    let failed = StoreError::query("hand back leases that have run out");
    let dead: Vec<&str> =
        others.iter().filter(|one| one.left.is_zero()).map(|one| one.key.as_str()).collect();
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    let handed_back = tx
        .execute(
            "with dead as (select key from lease where key = any($1) and expires_at <= clock_timestamp() \
                           order by expires_at limit $2 for update skip locked) \
             update lease set owner = '', expires_at = '-infinity' from dead where lease.key = dead.key",
            &[&dead, &wanted],
        )
        .await
        .map_err(&failed)?;
    Ok(usize::try_from(handed_back).unwrap_or(usize::MAX))
}
