//! Service accounts towards Exchange as the listener uses them (B12): the back-off of each, which all instances
//! share, and what each carries. (Their names and passwords are `credentials`'.)
//!
//! Protocol: whoever finds an account busy writes the time that is left ([`Store::record_back_offs`]) and wakes
//! the others by [`Channel::Account`](crate::wake::Channel); they read what is left ([`Store::back_offs`]). Only
//! durations go in and out, measured from the database's clock, so that the clocks of two machines do not
//! matter. A back-off is only ever lengthened; one that has passed is as good as none.
//!
//! Failure: an account whose back-off could not be written waits in this process all the same.

use std::time::Duration;

use calendar::ids::AccountId;
use deadpool_postgres::Transaction;
use jiff::Timestamp;

use crate::wake::{self, Channel};
use crate::{Store, StoreError};

mod refusals;

pub use refusals::Refusal;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Longest back-off that is kept or believed: a wrong one must not stop an account for days.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(3_600);

/// Why an account waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackOffReason {
    /// The server said that it is busy.
    Busy,
    /// The server refused its name or password; a directory locks accounts that keep trying.
    Refused,
}

impl BackOffReason {
    /// The name in the database and in tables for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Refused => "refused",
        }
    }

    /// A reason that a newer version writes is taken for `Busy`.
    fn parse(text: &str) -> Self {
        if text == Self::Refused.as_str() { Self::Refused } else { Self::Busy }
    }
}

/// The back-off of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Which account.
    pub account: AccountId,
    /// How much longer it waits.
    pub left: Duration,
    /// Busy answers, or refused logons, in a row.
    pub failures: u32,
    /// Why.
    pub reason: BackOffReason,
}

/// What an account carries, over all instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLoad {
    /// Which account.
    pub account: AccountId,
    /// Its name; `None` = the account of the configuration.
    pub user_name: Option<String>,
    /// Affinity groups that it carries.
    pub groups: usize,
    /// Mailboxes in them.
    pub mailboxes: usize,
    /// Until when its calls wait, and why; `None` = they do not. Where it was refused these are its calls to the service
    /// that did.
    pub waits: Option<(Timestamp, BackOffReason)>,
}

/// What all accounts carry, and what none does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountCapacity {
    /// By account. The account of the configuration is among them while it carries something or there is no
    /// other.
    pub accounts: Vec<AccountLoad>,
    /// Resources in use that find no place in any group: those that are located, and all where there is no account that could.
    pub not_covered: usize,
}

impl Store {
    /// Records that accounts wait for as long as `left` says, and wakes whoever else uses them.
    pub async fn record_back_offs(&self, back_offs: &[BackOff]) -> Result<(), StoreError> {
        if back_offs.is_empty() {
            return Ok(());
        }
        let operation = "record that accounts wait";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        let accounts: Vec<i64> = back_offs.iter().map(|one| one.account.get()).collect();
        let left: Vec<f64> = back_offs.iter().map(|one| one.left.min(BACK_OFF_MAX).as_secs_f64()).collect();
        let failures: Vec<i32> =
            back_offs.iter().map(|one| i32::try_from(one.failures).unwrap_or(i32::MAX)).collect();
        let reasons: Vec<&str> = back_offs.iter().map(|one| one.reason.as_str()).collect();
        tx.execute(
            "insert into account_back_off as b (account, until, failures, reason) \
             select account, clock_timestamp() + make_interval(secs => secs), failures, reason \
             from unnest($1::bigint[], $2::float8[], $3::int[], $4::text[]) \
             as n (account, secs, failures, reason) order by account \
             on conflict (account) do update set until = excluded.until, failures = excluded.failures, \
             reason = excluded.reason, changed_at = now() where excluded.until > b.until",
            &[&accounts, &left, &failures, &reasons],
        )
        .await
        .map_err(&failed)?;
        wake::notify(&tx, Channel::Account).await?;
        tx.commit().await.map_err(&failed)
    }

    /// The accounts that wait now.
    pub async fn back_offs(&self) -> Result<Vec<BackOff>, StoreError> {
        let operation = "read which accounts wait";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select account, extract(epoch from until - clock_timestamp())::float8, failures, reason \
                 from account_back_off where until > clock_timestamp() order by account",
            )
            .await
            .map_err(&failed)?;
        let rows = client.query(&statement, &[]).await.map_err(&failed)?;
        rows.iter()
            .map(|row| {
                let failures: i32 = row.try_get(2)?;
                Ok(BackOff {
                    account: AccountId::new(row.try_get(0)?),
                    left: duration(row.try_get(1)?),
                    failures: u32::try_from(failures).unwrap_or_default(),
                    reason: BackOffReason::parse(row.try_get(3)?),
                })
            })
            .collect::<Result<_, _>>()
            .map_err(&failed)
    }

    /// Ends the back-off of an account whose name or password was changed.
    pub async fn end_back_off(&self, account: AccountId) -> Result<(), StoreError> {
        let operation = "end the back-off of an account";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        forget_back_off(&tx, account).await.map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// What every account carries at present, and how many mailboxes none does.
    pub async fn account_capacity(&self) -> Result<AccountCapacity, StoreError> {
        let operation = "read what the accounts carry";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "with carried as ( \
                     select coalesce(g.service_user_credential_id, 0) as account, \
                     count(distinct g.id) as groups, count(m.mail) as mailboxes \
                     from subscription g left join planner_resource_subscription m on m.subscription_id = g.id \
                     group by 1), \
                 known as ( \
                     select id as account, user_name from service_user_credential \
                     union all select 0, null where exists (select from carried where account = 0) \
                         or not exists (select from service_user_credential)) \
                 select k.account, k.user_name, coalesce(c.groups, 0), coalesce(c.mailboxes, 0), \
                 b.until, b.reason from known k left join carried c using (account) \
                 left join lateral ( \
                     select until, reason from account_back_off where account = k.account \
                     union all select until, 'refused' from account_refusal where account = k.account \
                     order by until desc limit 1) b on b.until > clock_timestamp() \
                 order by k.account",
            )
            .await
            .map_err(&failed)?;
        let rows = client.query(&statement, &[]).await.map_err(&failed)?;
        let accounts = rows.iter().map(load).collect::<Result<_, _>>().map_err(&failed)?;
        let row = client
            .query_one(
                "select count(*) from planner_resource r \
                 where deleted_date is null and (endpoint is not null or error_code = 'NotCovered') \
                 and not exists (select from planner_resource_subscription m where m.mail = r.mail)",
                &[],
            )
            .await
            .map_err(&failed)?;
        Ok(AccountCapacity { accounts, not_covered: count(row.try_get(0).map_err(&failed)?) })
    }
}

/// Ends the groups that an account carries, in the transaction that removes it. Their mailboxes find other places
/// in the listener's next round, with their sync states. Returns how many groups there were.
pub async fn release_groups(tx: &Transaction<'_>, account: AccountId) -> Result<u64, StoreError> {
    let operation = "end the groups of an account";
    let failed = StoreError::query(operation);
    // keeps the listener from giving it further groups until the account is gone
    tx.execute("select from service_user_credential where id = $1 for update", &[&account.get()])
        .await
        .map_err(&failed)?;
    // nor its groups further members between their members' end and their own
    tx.execute(
        "select from subscription where service_user_credential_id = $1 order by id for update",
        &[&account.get()],
    )
    .await
    .map_err(&failed)?;
    tx.execute(
        "delete from planner_resource_subscription m using subscription g \
         where g.id = m.subscription_id and g.service_user_credential_id = $1",
        &[&account.get()],
    )
    .await
    .map_err(&failed)?;
    let groups = tx
        .execute("delete from subscription where service_user_credential_id = $1", &[&account.get()])
        .await
        .map_err(&failed)?;
    forget_back_off(tx, account).await.map_err(&failed)?;
    wake::notify(tx, Channel::Group).await?;
    Ok(groups)
}

/// Forgets that an account was busy or refused, in the transaction that changes it.
pub(crate) async fn forget_back_off(
    tx: &Transaction<'_>,
    account: AccountId,
) -> Result<(), tokio_postgres::Error> {
    for table in ["account_back_off", "account_refusal"] {
        tx.execute(&format!("delete from {table} where account = $1"), &[&account.get()]).await?;
    }
    Ok(())
}

fn load(row: &tokio_postgres::Row) -> Result<AccountLoad, tokio_postgres::Error> {
    let until: Option<Timestamp> = row.try_get(4)?;
    let reason: Option<&str> = row.try_get(5)?;
    Ok(AccountLoad {
        account: AccountId::new(row.try_get(0)?),
        user_name: row.try_get(1)?,
        groups: count(row.try_get(2)?),
        mailboxes: count(row.try_get(3)?),
        waits: until.zip(reason.map(BackOffReason::parse)),
    })
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Seconds of the database; what is past or no number is no time.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default().min(BACK_OFF_MAX)
}
