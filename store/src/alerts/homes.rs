//! Where what alerts are about is at home: which instance owns a group, a shard or a mailbox now, and whether it is there at
//! all. Whoever counts events about something that went elsewhere will never see it work again.
//!
//! Protocol: statements that only read, about what is asked for and nothing else. A unit may move between two of them; the
//! next look tells it. A lease that has run out is nobody's: its owner of before may take it again after an outage.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use crate::instances::SHARDS;
use crate::shares::{GROUP_LEASES, LISTENER_LEASE, SHARD_LEASES, group_lease, shard_lease};
use crate::subscriptions::GroupId;
use crate::{Store, StoreError};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// Affinity groups.
    pub groups: Vec<i64>,
    /// Service accounts.
    pub accounts: Vec<i64>,
    /// Addresses of mailboxes.
    pub mailboxes: Vec<String>,
}

/// Where it is. What was asked for and is not among it is not there (any more).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Homes {
    /// The groups, each with its owner.
    pub groups: BTreeMap<i64, Option<String>>,
    /// The service accounts.
    pub accounts: BTreeSet<i64>,
    /// The mailboxes in use, each with its group and that one's owner.
    pub mailboxes: BTreeMap<String, MailboxHome>,
    /// The owners of the qualifier's shards, one for each that there is; `None` until their number is known.
    pub shards: Option<Vec<Option<String>>>,
    /// Who forms the groups.
    pub listener: Option<String>,
    /// The leases of duties that somebody owns, the listener's among them, each with its owner. Neither groups nor shards.
    pub duties: BTreeMap<String, String>,
}

/// Where a mailbox in use is listened to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxHome {
    /// Its group; `None` = it has none yet.
    pub group: Option<i64>,
    /// The owner of that.
    pub owner: Option<String>,
}

impl Store {
    /// Looks where these are.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn homes(&self, sought: &Sought) -> Result<Homes, StoreError> {
        let operation = "look who owns what alerts are about";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let leases = client
            .query("select key, owner from lease where owner <> '' and expires_at > clock_timestamp()", &[])
            .await
            .map_err(&failed)?;
        let known = client
            .query(
                "select 'group' as kind, id, null::text as value from subscription where id = any ($1) \
                 union all select 'account', id, null from service_user_credential where id = any ($2) \
                 union all select 'shards', 0, value from store_state where name = $3",
                &[&sought.groups, &sought.accounts, &SHARDS],
            )
            .await
            .map_err(&failed)?;
        let mailboxes = client
            .query(
                "select r.mail, m.subscription_id from planner_resource r \
                 left join planner_resource_subscription m on m.mail = r.mail \
                 where r.mail = any ($1) and r.deleted_date is null",
                &[&sought.mailboxes],
            )
            .await
            .map_err(&failed)?;
        read(&leases, &known, &mailboxes).map_err(&failed)
    }
}

fn read(leases: &[Row], known: &[Row], mailboxes: &[Row]) -> Result<Homes, tokio_postgres::Error> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for row in leases {
        owners.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let owner = |key: &str| owners.get(key).cloned();
    let of_a_unit = |key: &str| key.starts_with(GROUP_LEASES) || key.starts_with(SHARD_LEASES);
    let duties = owners.iter().filter(|(key, _)| !of_a_unit(key));
    let duties = duties.map(|(key, owner)| (key.clone(), owner.clone())).collect();
    let mut homes = Homes { listener: owner(LISTENER_LEASE), duties, ..Homes::default() };
    for row in known {
        let (kind, id): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        match kind {
            "group" => {
                homes.groups.insert(id, owner(&group_lease(GroupId::new(id))));
            }
            "account" => {
                homes.accounts.insert(id);
            }
            _ => {
                let number: Option<u8> =
                    row.try_get::<_, Option<&str>>(2)?.and_then(|text| text.parse().ok());
                homes.shards = number.map(|all| (0..all).map(|shard| owner(&shard_lease(shard))).collect());
            }
        }
    }
    for row in mailboxes {
        let group: Option<i64> = row.try_get(1)?;
        let owner = group.and_then(|id| owner(&group_lease(GroupId::new(id))));
        homes.mailboxes.insert(row.try_get(0)?, MailboxHome { group, owner });
    }
    Ok(homes)
}

#[cfg(all(test, feature = "testing"))]
mod tests;
