//! The resource list with its white- and blacklist (B10): reading it, and applying what a refresh decided.
//!
//! Protocol: [`Store::refresh_resources`] reads the list and applies the changes that a pure plan makes of
//! it, in one transaction under the duty's lease. A new or revived mailbox is due for adoption at once and
//! counts as never read (B9). A blacklisted address is never touched, whatever the plan says. Whoever changes
//! the list, a refresh or an operator ([`lists`], [`withheld`]), does it under one advisory lock, so that
//! neither decides by what the other is changing.
//!
//! Failure: an error means that nothing was applied (or that this is unknown); refresh again.

use std::collections::BTreeSet;

use calendar::MailAddress;
use jiff::Timestamp;
use jiff::civil::Time;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::conflict;
use crate::erasure::{self, Erased};
use crate::lease::{self, Fence};
use crate::wake::{self, Channel};
use crate::{Store, StoreError, state};

pub mod import;
pub mod lists;
pub mod requests;
pub mod withdrawal;
pub mod withheld;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Under this name stands when the list was last fetched.
pub const FETCHED_AT: &str = "resource_list_fetched_at";

/// Why a resource is not used: Planner does not list it any more.
pub const NOT_IN_PLANNER: &str = "P-NotInPlanner";
/// Why a resource is not used: there is a whitelist and it is not on it.
pub const NON_WHITELIST: &str = "P-NonWhitelist";

/// The advisory lock under which the list is changed; any constant that nobody else uses.
const LIST_LOCK: i64 = 0x5245_534f_5552_4301;

/// SQL: what makes a resource like a new one, that is adopted and read in full before anything is sent (B9).
const REVIVAL: &str = "deleted_date = null, deleted_reason = null, adopted_at = null, adopt_due_at = now(), \
     withdrawn_at = null, withdrawn_by = null, compared_at = null, full_read_began_at = null, full_read_whole = null, last_full_sync = null, error_code = null, \
     error_description = null, error_date = null, error_count = 0, retry_at = null";
/// SQL: is the resource `r` not on the blacklist?
const NOT_BLACKLISTED: &str =
    "not exists (select from planner_resource_blacklist b where lower(trim(b.mail)) = r.mail)";

/// A case worker or a room as Planner lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedResource {
    /// The mailbox.
    pub mail: MailAddress,
    /// The name.
    pub name: String,
    /// The certificate number or, for rooms, any identifier.
    pub rid: String,
    /// Planner's identifier.
    pub planner_resource_id: Option<Uuid>,
    /// In words.
    pub description: Option<String>,
    /// Working hours; kept, not used.
    pub working_hours: Vec<WorkingHours>,
    /// A case worker (else a room).
    pub is_case_worker: bool,
}

/// The working hours of one weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkingHours {
    /// 1 to 7.
    pub weekday: i32,
    /// From.
    pub start: Time,
    /// To.
    pub end: Time,
}

/// A resource that the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownResource {
    /// The mailbox.
    pub mail: MailAddress,
    /// Is it in use (no deleted date)?
    pub in_use: bool,
    /// Why it is not.
    pub deleted_reason: Option<String>,
    /// How Planner named it when it was last listed.
    pub identity: Identity,
}

/// What tells a resource apart beside its address. An entry of the list whose address cannot be read may still say
/// by these whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Planner's identifier.
    pub planner_resource_id: Option<Uuid>,
    /// The certificate number or, for rooms, any identifier; empty where there is none.
    pub rid: String,
}

/// What a refresh starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownList {
    /// All resources, in use or not.
    pub resources: Vec<KnownResource>,
    /// Only these are used; empty = everyone.
    pub whitelist: BTreeSet<MailAddress>,
    /// These are never touched.
    pub blacklist: BTreeSet<MailAddress>,
    /// In use although Planner did not list them: they wait for an operator.
    pub withheld: BTreeSet<MailAddress>,
    /// In use although Planner did not list them: an operator wants to keep them.
    pub rejected: BTreeSet<MailAddress>,
    /// Their data was erased: they are passed over.
    pub erased: Erased,
}

/// What a refresh changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListChanges {
    /// Not known so far; with a reason when it is not to be used.
    pub added: Vec<(ListedResource, Option<&'static str>)>,
    /// Known and in use: its details may have changed.
    pub kept: Vec<ListedResource>,
    /// Known, not in use so far, to be used again.
    pub revived: Vec<ListedResource>,
    /// In use so far, not to be used any more, and why.
    pub dropped: Vec<(MailAddress, &'static str)>,
    /// Not in use, before and after, for a reason that has become another.
    pub relabelled: Vec<(MailAddress, &'static str)>,
    /// Would be dropped, but they are too many at once.
    pub withheld: BTreeSet<MailAddress>,
    /// Withheld or kept by an operator earlier, and listed again.
    pub reappeared: BTreeSet<MailAddress>,
}

impl ListChanges {
    /// Whose place in the list changes.
    fn moved(&self) -> Vec<&str> {
        let revived = self.revived.iter().map(|resource| resource.mail.as_str());
        let others = self.dropped.iter().chain(&self.relabelled).map(|(mail, _)| mail.as_str());
        revived.chain(others).collect()
    }
}

/// What a refresh led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed<T> {
    /// What the plan says about itself.
    pub summary: T,
    /// The run whose drops wait for an operator now, and how it stands to this refresh.
    pub run: withheld::RunChange,
}

impl Store {
    /// Reads the list, lets `plan` decide, applies what it says, and records the time of the fetch, the run of
    /// the schedule, and `outcome`, which is made of what the plan says about itself.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn refresh_resources<T>(
        &self,
        fence: &Fence,
        now: Timestamp,
        plan: impl FnOnce(&KnownList) -> (ListChanges, T),
        outcome: impl FnOnce(&T) -> requests::ListOutcome,
    ) -> Result<Refreshed<T>, StoreError> {
        let operation = "refresh the resource list";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        lock(&tx).await?;
        let (known, open_run) = known(&tx).await?;
        let (changes, summary) = plan(&known);
        conflict::hold_resources(&tx, &changes.moved()).await?;
        add(&tx, &changes.added, now).await?;
        update(&tx, &changes.kept, false, now).await?;
        update(&tx, &changes.revived, true, now).await?;
        drop_resources(&tx, &changes.dropped, now).await?;
        relabel(&tx, &changes.relabelled).await?;
        let in_use = known.resources.iter().filter(|resource| resource.in_use).count();
        let run = withheld::settle_by_refresh(&tx, open_run, &known, &changes, in_use, now).await?;
        state::put(&tx, FETCHED_AT, &now.to_string()).await?;
        requests::put_outcome(&tx, &outcome(&summary)).await?;
        wake::notify(&tx, Channel::Resource).await?;
        base::crash::point("resource-list.written");
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Refreshed { summary, run })
    }
}

/// Nobody else changes the list until the caller's transaction ends.
pub(crate) async fn lock(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute("select pg_advisory_xact_lock($1)", &[&LIST_LOCK])
        .await
        .map(drop)
        .map_err(StoreError::query("lock the resource list"))
}

/// The list, and the run that waits for an operator, if there is one.
async fn known(tx: &Transaction<'_>) -> Result<(KnownList, Option<i64>), StoreError> {
    let operation = "read the resource list";
    let mut list = KnownList::default();
    let rows = tx
        .query("select mail, deleted_date is null, deleted_reason, planner_resource_id, rid from planner_resource", &[])
        .await
        .map_err(StoreError::query(operation))?;
    for row in rows {
        let mail: &str = row.try_get(0).map_err(StoreError::query(operation))?;
        let Ok(mail) = MailAddress::parse(mail) else { continue };
        list.resources.push(KnownResource {
            mail,
            in_use: row.try_get(1).map_err(StoreError::query(operation))?,
            deleted_reason: row.try_get(2).map_err(StoreError::query(operation))?,
            identity: Identity {
                planner_resource_id: row.try_get(3).map_err(StoreError::query(operation))?,
                rid: row.try_get(4).map_err(StoreError::query(operation))?,
            },
        });
    }
    list.whitelist = addresses(tx, "select mail from planner_resource_whitelist").await?;
    list.blacklist = addresses(tx, "select mail from planner_resource_blacklist").await?;
    list.erased = erasure::erased(tx).await?;
    let open_run = withheld::read_into(tx, &mut list).await?;
    Ok((list, open_run))
}

/// Operators write these lists by hand: whatever is no address cannot match one and is passed over, except
/// that a whitelist must not become empty by it, which would mean "everyone".
async fn addresses(tx: &Transaction<'_>, statement: &str) -> Result<BTreeSet<MailAddress>, StoreError> {
    let operation = "read the white- and blacklist";
    let rows = tx.query(statement, &[]).await.map_err(StoreError::query(operation))?;
    let mut found = BTreeSet::new();
    for row in &rows {
        let text: &str = row.try_get(0).map_err(StoreError::query(operation))?;
        if let Ok(mail) = MailAddress::parse(text) {
            found.insert(mail);
        }
    }
    if found.is_empty() && !rows.is_empty() {
        let reason = format!("none of the {} entries of a list is a mail address", rows.len());
        return Err(StoreError::Content { operation, reason });
    }
    Ok(found)
}

/// Listed resources column by column, as `unnest` takes them.
struct Columns<'a> {
    mails: Vec<&'a str>,
    buckets: Vec<i16>,
    names: Vec<String>,
    rids: Vec<String>,
    ids: Vec<Option<Uuid>>,
    descriptions: Vec<Option<String>>,
    hours: Vec<Value>,
    case_workers: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(resources: impl Iterator<Item = &'a ListedResource> + Clone) -> Self {
        let clean = |text: &str| text.replace('\0', "");
        Self {
            mails: resources.clone().map(|r| r.mail.as_str()).collect(),
            buckets: resources.clone().map(|r| i16::from(r.mail.bucket())).collect(),
            names: resources.clone().map(|r| clean(&r.name)).collect(),
            rids: resources.clone().map(|r| clean(&r.rid)).collect(),
            ids: resources.clone().map(|r| r.planner_resource_id).collect(),
            descriptions: resources.clone().map(|r| r.description.as_deref().map(clean)).collect(),
            hours: resources.clone().map(|r| hours(&r.working_hours)).collect(),
            case_workers: resources.map(|r| r.is_case_worker).collect(),
        }
    }
}

fn hours(days: &[WorkingHours]) -> Value {
    let day = |day: &WorkingHours| json!({ "weekday": day.weekday, "start": day.start.to_string(), "end": day.end.to_string() });
    days.iter().map(day).collect()
}

const LISTED: &str = "unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::uuid[], $6::text[], \
     $7::jsonb[], $8::bool[]) as n (mail, bucket, name, rid, id, description, hours, case_worker)";

async fn add(
    tx: &Transaction<'_>,
    added: &[(ListedResource, Option<&'static str>)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if added.is_empty() {
        return Ok(());
    }
    let n = Columns::of(added.iter().map(|(resource, _)| resource));
    let reasons: Vec<Option<&str>> = added.iter().map(|(_, reason)| *reason).collect();
    tx.execute(
        "insert into planner_resource (mail, bucket, name, rid, planner_resource_id, description, \
             working_hours, is_case_worker, created_at, updated_at, deleted_date, deleted_reason, adopt_due_at) \
         select n.mail, n.bucket, n.name, n.rid, n.id, n.description, n.hours, n.case_worker, $9::timestamptz, $9, \
             case when n.reason is not null then $9::timestamptz end, n.reason, case when n.reason is null then now() end \
         from unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::jsonb[], \
             $8::bool[], $10::text[]) as n (mail, bucket, name, rid, id, description, hours, case_worker, reason) \
         where not exists (select from planner_resource_blacklist b where lower(trim(b.mail)) = n.mail) \
         on conflict (mail) do nothing",
        &[
            &n.mails, &n.buckets, &n.names, &n.rids, &n.ids, &n.descriptions, &n.hours, &n.case_workers,
            &now, &reasons,
        ],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("add resources"))
}

/// Brings details up to date; with `revive` also takes the resource into use again, as if it were new.
async fn update(
    tx: &Transaction<'_>,
    resources: &[ListedResource],
    revive: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    if resources.is_empty() {
        return Ok(());
    }
    let n = Columns::of(resources.iter());
    let statement = format!(
        "update planner_resource r set name = n.name, rid = n.rid, planner_resource_id = n.id, \
             description = n.description, working_hours = n.hours, is_case_worker = n.case_worker, updated_at = $9 \
             {revival} \
         from {LISTED} \
         where r.mail = n.mail \
           and {NOT_BLACKLISTED} \
           and {condition}",
        revival = if revive { format!(", {REVIVAL}") } else { String::new() },
        condition = if revive {
            "r.deleted_date is not null"
        } else {
            "(r.name, r.rid, r.planner_resource_id, r.description, r.working_hours, r.is_case_worker) \
             is distinct from (n.name, n.rid, n.id, n.description, n.hours, n.case_worker)"
        },
    );
    tx.execute(
        &statement,
        &[&n.mails, &n.buckets, &n.names, &n.rids, &n.ids, &n.descriptions, &n.hours, &n.case_workers, &now],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("update resources"))
}

/// Answers how many were dropped.
async fn drop_resources(
    tx: &Transaction<'_>,
    dropped: &[(MailAddress, &'static str)],
    now: Timestamp,
) -> Result<u64, StoreError> {
    if dropped.is_empty() {
        return Ok(0);
    }
    let mails: Vec<&str> = dropped.iter().map(|(mail, _)| mail.as_str()).collect();
    let reasons: Vec<&str> = dropped.iter().map(|(_, reason)| *reason).collect();
    tx.execute(
        &format!(
            "update planner_resource r set deleted_date = $3, deleted_reason = n.reason, adopt_due_at = null, \
                 compare_due_at = null, updated_at = $3 \
             from unnest($1::text[], $2::text[]) as n (mail, reason) \
             where r.mail = n.mail and r.deleted_date is null and {NOT_BLACKLISTED}"
        ),
        &[&mails, &reasons, &now],
    )
    .await
    .map_err(StoreError::query("drop resources"))
}

/// The reason of resources that are not in use; only where it is one that a refresh gave.
async fn relabel(tx: &Transaction<'_>, relabelled: &[(MailAddress, &'static str)]) -> Result<(), StoreError> {
    if relabelled.is_empty() {
        return Ok(());
    }
    let mails: Vec<&str> = relabelled.iter().map(|(mail, _)| mail.as_str()).collect();
    let reasons: Vec<&str> = relabelled.iter().map(|(_, reason)| *reason).collect();
    tx.execute(
        &format!(
            "update planner_resource r set deleted_reason = n.reason \
             from unnest($1::text[], $2::text[]) as n (mail, reason) \
             where r.mail = n.mail and r.deleted_reason in ('{NOT_IN_PLANNER}', '{NON_WHITELIST}') \
               and {NOT_BLACKLISTED}"
        ),
        &[&mails, &reasons],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("say why resources are not used"))
}
