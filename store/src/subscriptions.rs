//! Affinity groups and their members (B12; the original's Subscription and PlannerResource_Subscription).
//!
//! Protocol: who belongs to which group is written by the one holder of the listener's duty, in one
//! transaction a plan ([`Store::regroup`]), which wakes those that own groups ([`Channel::Group`]). A group's own facts (which subscription a member has) are written
//! under the fence of that group. A member that leaves takes its sync state with it, so that it is read in
//! full should it come back.

use std::collections::{BTreeMap, BTreeSet};

use base::Id;
use calendar::MailAddress;
use calendar::ids::{AccountId, SubscriptionId};
use calendar::source::Location;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::lease::{self, Fence};
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Marks identifiers of affinity groups.
#[derive(Debug)]
pub enum AffinityGroup {}

/// Identifies an affinity group.
pub type GroupId = Id<AffinityGroup>;

/// An affinity group as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGroup {
    /// Its identifier.
    pub id: GroupId,
    /// What its members have in common.
    pub location: Location,
    /// The service account that carries it.
    pub account: AccountId,
    /// Its members, by address.
    pub members: Vec<StoredMember>,
}

/// A member of an affinity group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMember {
    /// Its mailbox.
    pub mail: MailAddress,
    /// Its subscription, as far as is known; a former process may have left it behind.
    pub subscription: Option<SubscriptionId>,
    /// It could not be listened to, and nobody waits for the next try any more ([`Store::ask_for_rediscovery`]): it is to be
    /// tried at once. So until what came of a try is recorded.
    pub try_now: bool,
}

/// An affinity group to be formed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewGroup {
    /// What its members have in common.
    pub location: Location,
    /// The service account that is to carry it.
    pub account: AccountId,
    /// Its members. Those that are members elsewhere move, and keep their sync states.
    pub members: Vec<MailAddress>,
}

/// Changes of the memberships, applied in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regrouping {
    /// Mailboxes that are no longer members of any group; their sync states are dropped.
    pub leaving: Vec<MailAddress>,
    /// Groups that end. Their members must be leaving or joining others.
    pub dissolved: Vec<GroupId>,
    /// New members of groups that exist. A mailbox that is a member elsewhere moves, and keeps its sync state.
    pub joining: Vec<(GroupId, MailAddress)>,
    /// New groups.
    pub formed: Vec<NewGroup>,
}

impl Regrouping {
    /// Is there nothing to do?
    pub fn is_empty(&self) -> bool {
        self.leaving.is_empty()
            && self.dissolved.is_empty()
            && self.joining.is_empty()
            && self.formed.is_empty()
    }
}

const GROUPS: &str = "select g.id, g.endpoint, g.grouping_value, \
    coalesce(g.service_user_credential_id, 0) as account, m.mail, m.ews_subscription_id, \
    r.error_code is not null and r.retry_at is null as try_now \
    from subscription g left join planner_resource_subscription m on m.subscription_id = g.id \
    left join planner_resource r on r.mail = m.mail";

impl Store {
    /// All affinity groups, by id.
    pub async fn affinity_groups(&self) -> Result<Vec<StoredGroup>, StoreError> {
        let operation = "load the affinity groups";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(&format!("{GROUPS} order by g.id, m.mail"))
            .await
            .map_err(StoreError::query(operation))?;
        let rows = client.query(&statement, &[]).await.map_err(StoreError::query(operation))?;
        collect(&rows).map_err(StoreError::query(operation))
    }

    /// One affinity group; `None` when it was dissolved.
    pub async fn affinity_group(&self, id: GroupId) -> Result<Option<StoredGroup>, StoreError> {
        let operation = "load an affinity group";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(&format!("{GROUPS} where g.id = $1 order by m.mail"))
            .await
            .map_err(StoreError::query(operation))?;
        let rows = client.query(&statement, &[&id.get()]).await.map_err(StoreError::query(operation))?;
        Ok(collect(&rows).map_err(StoreError::query(operation))?.pop())
    }

    /// Applies a plan of the listener in one transaction, under the fence of its duty. Mailboxes that are no
    /// resources any more are left out. No account that is given a group carries more than `groups_per_account`
    /// afterwards, over all instances: otherwise nothing is changed.
    pub async fn regroup(
        &self,
        fence: &Fence,
        plan: &Regrouping,
        groups_per_account: usize,
    ) -> Result<(), StoreError> {
        let operation = "store affinity groups";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        lease::guard(&tx, fence).await?;
        hold_accounts(&tx, &plan.formed).await?;
        let joining = by_group(&plan.joining);
        hold_groups(&tx, &joining).await?;
        let leaving: Vec<&str> = plan.leaving.iter().map(MailAddress::as_str).collect();
        tx.execute("delete from planner_resource_subscription where mail = any($1)", &[&leaving])
            .await
            .map_err(&failed)?;
        tx.execute("delete from sync_state where mail = any($1)", &[&leaving]).await.map_err(&failed)?;
        for (group, mails) in &joining {
            join(&tx, *group, mails).await?;
        }
        for new in &plan.formed {
            let group = form(&tx, new).await?;
            join(&tx, group, &new.members).await?;
        }
        let dissolved: Vec<i64> = plan.dissolved.iter().map(|group| group.get()).collect();
        tx.execute(
            "delete from planner_resource_subscription where subscription_id = any($1)",
            &[&dissolved],
        )
        .await
        .map_err(&failed)?;
        tx.execute("delete from subscription where id = any($1)", &[&dissolved]).await.map_err(&failed)?;
        within_capacity(&tx, &plan.formed, groups_per_account).await?;
        wake::notify(&tx, Channel::Group).await?;
        tx.commit().await.map_err(&failed)
    }

    /// Records the subscriptions of members of one group, under its fence; `None` = it has none any more.
    pub async fn record_subscriptions(
        &self,
        fence: &Fence,
        group: GroupId,
        subscriptions: &[(MailAddress, Option<SubscriptionId>)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if subscriptions.is_empty() {
            return Ok(());
        }
        let operation = "record subscriptions";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        lease::guard(&tx, fence).await?;
        let statement = tx
            .prepare_cached(
                "update planner_resource_subscription m set ews_subscription_id = n.id, \
                 subscribed_at = case when n.id is null then null else $4::timestamptz end \
                 from unnest($1::text[], $2::text[]) as n (mail, id) \
                 where m.mail = n.mail and m.subscription_id = $3",
            )
            .await
            .map_err(&failed)?;
        let mails: Vec<&str> = subscriptions.iter().map(|(mail, _)| mail.as_str()).collect();
        let ids: Vec<Option<&str>> =
            subscriptions.iter().map(|(_, id)| id.as_ref().map(SubscriptionId::as_str)).collect();
        tx.execute(&statement, &[&mails, &ids, &group.get(), &now]).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)
    }
}

/// Keeps the accounts of new groups from being removed until they have them.
async fn hold_accounts(
    tx: &deadpool_postgres::Transaction<'_>,
    formed: &[NewGroup],
) -> Result<(), StoreError> {
    let failed = StoreError::query("look for the accounts of new groups");
    let accounts: BTreeSet<i64> = formed.iter().map(|new| new.account.get()).filter(|id| *id != 0).collect();
    let accounts: Vec<i64> = accounts.into_iter().collect();
    let held = tx
        .query("select id from service_user_credential where id = any($1) for key share", &[&accounts])
        .await
        .map_err(&failed)?;
    if held.len() == accounts.len() { Ok(()) } else { Err(StoreError::AccountGone) }
}

/// New members, group by group: a statement each, not one a mailbox.
fn by_group(joining: &[(GroupId, MailAddress)]) -> BTreeMap<GroupId, Vec<MailAddress>> {
    let mut groups = BTreeMap::<GroupId, Vec<MailAddress>>::new();
    for (group, mail) in joining {
        groups.entry(*group).or_default().push(mail.clone());
    }
    groups
}

/// Keeps the groups that get members from ending with their account until they have them. One that has ended
/// since it was planned with is no fault: the next plan is made without it.
async fn hold_groups(
    tx: &deadpool_postgres::Transaction<'_>,
    joining: &BTreeMap<GroupId, Vec<MailAddress>>,
) -> Result<(), StoreError> {
    let failed = StoreError::query("look for the groups that get members");
    let groups: Vec<i64> = joining.keys().map(|group| group.get()).collect();
    let held = tx
        .query("select id from subscription where id = any($1) order by id for key share", &[&groups])
        .await
        .map_err(&failed)?;
    if held.len() == groups.len() { Ok(()) } else { Err(StoreError::AccountGone) }
}

/// The last word on how many groups an account carries, whatever the plan was made from.
async fn within_capacity(
    tx: &deadpool_postgres::Transaction<'_>,
    formed: &[NewGroup],
    groups_per_account: usize,
) -> Result<(), StoreError> {
    let failed = StoreError::query("count the groups of accounts");
    let accounts: Vec<i64> = formed.iter().map(|new| new.account.get()).collect();
    let most = i64::try_from(groups_per_account).unwrap_or(i64::MAX);
    let overfull = tx
        .query_opt(
            "select coalesce(service_user_credential_id, 0) as account from subscription \
             where coalesce(service_user_credential_id, 0) = any($1) \
             group by 1 having count(*) > $2 order by 1 limit 1",
            &[&accounts, &most],
        )
        .await
        .map_err(&failed)?;
    match overfull {
        Some(row) => Err(StoreError::AccountOverfull { account: row.try_get(0).map_err(&failed)? }),
        None => Ok(()),
    }
}

/// Inserts a group with the next free ordinal of its location.
async fn form(tx: &deadpool_postgres::Transaction<'_>, new: &NewGroup) -> Result<GroupId, StoreError> {
    let operation = "form an affinity group";
    let row = tx
        .query_one(
            "insert into subscription (endpoint, grouping_value, ordinal, service_user_credential_id) \
             select $1, $2, coalesce(max(ordinal) + 1, 1), nullif($3::bigint, 0) from subscription \
             where endpoint = $1 and grouping_value = $2 returning id",
            &[&new.location.endpoint, &new.location.grouping, &new.account.get()],
        )
        .await
        .map_err(StoreError::query(operation))?;
    Ok(GroupId::new(row.try_get(0).map_err(StoreError::query(operation))?))
}

/// Makes mailboxes members of a group.
async fn join(
    tx: &deadpool_postgres::Transaction<'_>,
    group: GroupId,
    members: &[MailAddress],
) -> Result<(), StoreError> {
    let operation = "add members to an affinity group";
    let statement = tx
        .prepare_cached(
            "insert into planner_resource_subscription (mail, subscription_id) \
             select mail, $2 from planner_resource where mail = any($1) \
             on conflict (mail) do update set subscription_id = excluded.subscription_id, \
             ews_subscription_id = null, subscribed_at = null",
        )
        .await
        .map_err(StoreError::query(operation))?;
    let members: Vec<&str> = members.iter().map(MailAddress::as_str).collect();
    tx.execute(&statement, &[&members, &group.get()]).await.map_err(StoreError::query(operation))?;
    Ok(())
}

/// Folds rows that are ordered by group into groups.
fn collect(rows: &[Row]) -> Result<Vec<StoredGroup>, tokio_postgres::Error> {
    let mut groups: Vec<StoredGroup> = Vec::new();
    for row in rows {
        let id = GroupId::new(row.try_get("id")?);
        if groups.last().is_none_or(|group| group.id != id) {
            let location =
                Location { endpoint: row.try_get("endpoint")?, grouping: row.try_get("grouping_value")? };
            let account = AccountId::new(row.try_get("account")?);
            groups.push(StoredGroup { id, location, account, members: Vec::new() });
        }
        let mail: Option<&str> = row.try_get("mail")?;
        // what was stored came from a MailAddress; another version's row is left out
        let Some(mail) = mail.and_then(|text| MailAddress::parse(text).ok()) else { continue };
        let subscription: Option<String> = row.try_get("ews_subscription_id")?;
        let (subscription, try_now) = (subscription.map(SubscriptionId::from), row.try_get("try_now")?);
        if let Some(group) = groups.last_mut() {
            group.members.push(StoredMember { mail, subscription, try_now });
        }
    }
    Ok(groups)
}
