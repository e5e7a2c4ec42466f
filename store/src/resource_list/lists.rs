//! The whitelist and the blacklist in the hands of operators (B10), and the resources as they see them.
//!
//! Protocol: a change of a list takes effect in the same transaction, without asking Planner: whoever the
//! whitelist does not name any more gets a deleted date (`P-NonWhitelist`), whoever is named again is revived
//! as if new, and blocking is a blacklist row with a deleted date. That works because every address of
//! Planner's last list is a row here, used or not. Who leaves the blacklist comes back with the next refresh,
//! which is asked for at once, since only Planner knows whether it still lists them.
//!
//! A change that would end or begin the use of many at once is refused unless the operator says that this is
//! meant ([`surprises`]): the first whitelist entry excludes everybody else, and the removal of the last one admits everybody.
//!
//! Failure: an error means that nothing was changed (or that this is unknown); doing it again is harmless.

use calendar::MailAddress;
use calendar::guard::{GuardLimits, Judgement, judge};
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};

use super::{NON_WHITELIST, NOT_BLACKLISTED, REVIVAL, lock, requests};
use crate::conflict;
use crate::operations::clean;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest name and the longest reason that are kept, in characters.
pub(super) const TEXT_MAX: usize = 500;

/// A row of the whitelist or the blacklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The address as it was written.
    pub mail: String,
    /// Why; on the whitelist only where somebody said so.
    pub reason: Option<String>,
    /// By whom.
    pub added_by: String,
    /// When.
    pub added_at: Timestamp,
    /// Does Planner list, or did it list, such a resource, and is it in use?
    pub in_use: Option<bool>,
}

/// What a change of a list did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListEdit {
    /// Entries that were added or removed.
    pub entries: u64,
    /// Resources that are not used any more.
    pub dropped: u64,
    /// Resources that are used now and were not before.
    pub revived: u64,
    /// Resources in use before.
    pub in_use_before: u64,
    /// Entries of the list now.
    pub entries_now: u64,
}

/// The answer to an operator who changes the whitelist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// Done.
    Done(ListEdit),
    /// Nothing was done, because it would have done this, and nobody said that it is meant.
    Refused(ListEdit),
}

/// A resource as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRow {
    /// Its address.
    pub mail: String,
    /// A case worker (else a room).
    pub is_case_worker: bool,
    /// Not in use since.
    pub deleted_date: Option<Timestamp>,
    /// Why it is not.
    pub deleted_reason: Option<String>,
    /// Is it on the blacklist?
    pub blacklisted: bool,
    /// Why it cannot be listened to.
    pub error_code: Option<String>,
    /// Since when it has been listened to, the last time that this began.
    pub last_success: Option<Timestamp>,
    /// When its acknowledged state was taken over from Planner.
    pub adopted_at: Option<Timestamp>,
    /// When its last full reading ended.
    pub last_full_sync: Option<Timestamp>,
    /// Its affinity group.
    pub group: Option<i64>,
}

/// What decides whether an operator has to say that a change of the lists is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    /// Entries of the whitelist before.
    pub(super) entries_before: u64,
    /// Entries of the whitelist now.
    pub(super) entries_now: u64,
    /// Resources that are not used any more.
    pub(super) dropped: u64,
    /// Resources in use before.
    pub(super) in_use_before: u64,
}

/// Would this surprise whoever did not think of it? It does where it begins a whitelist and so excludes anybody, empties it,
/// drops more than half of those in use, or goes beyond what the guard of the resource list lets through (B8).
pub(super) fn surprises(effect: &Effect) -> bool {
    let Effect { entries_before, entries_now, dropped, in_use_before } = *effect;
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let begun = entries_before == 0 && entries_now > 0 && dropped > 0;
    let emptied = entries_before > 0 && entries_now == 0;
    let most = dropped.saturating_mul(2) > in_use_before;
    let many = judge(number(dropped), number(in_use_before), &GuardLimits::DEFAULT) == Judgement::Withhold;
    begun || emptied || most || many
}

impl Store {
    /// The whitelist, by address.
    pub async fn whitelist(&self) -> Result<Vec<ListEntry>, StoreError> {
        self.entries("planner_resource_whitelist", None).await
    }

    /// Records why mailboxes are on the whitelist, in place of what was recorded; answers how many of them are there.
    pub async fn note_whitelist_reason(
        &self,
        mails: &[MailAddress],
        reason: &str,
    ) -> Result<u64, StoreError> {
        let operation = "note why mailboxes are on the whitelist";
        let client = self.client(operation).await?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        client
            .execute(
                "update planner_resource_whitelist set reason = $2 where lower(trim(mail)) = any ($1)",
                &[&mails, &clean(reason.trim(), TEXT_MAX)],
            )
            .await
            .map_err(StoreError::query(operation))
    }

    /// The blacklist, by address.
    pub async fn blacklist(&self) -> Result<Vec<ListEntry>, StoreError> {
        self.entries("planner_resource_blacklist", None).await
    }

    /// Why and by whom this address is blocked, whether or not Planner ever listed it; `None` when it is not.
    pub async fn blocked(&self, mail: &MailAddress) -> Result<Option<ListEntry>, StoreError> {
        Ok(self.entries("planner_resource_blacklist", Some(mail)).await?.pop())
    }

    /// The entries of a list, or that of one address.
    async fn entries(&self, table: &str, of: Option<&MailAddress>) -> Result<Vec<ListEntry>, StoreError> {
        let operation = "read the white- or the blacklist";
        let client = self.client(operation).await?;
        let statement = format!(
            "select l.mail, l.reason, l.added_by, l.added_at, r.deleted_date is null and r.mail is not null, \
                    r.mail is not null \
             from {table} l left join planner_resource r on r.mail = lower(trim(l.mail)) \
             where $1::text is null or lower(trim(l.mail)) = $1 order by lower(trim(l.mail))"
        );
        let rows = client
            .query(&statement, &[&of.map(MailAddress::as_str)])
            .await
            .map_err(StoreError::query(operation))?;
        let entry = |row: &Row| -> Result<ListEntry, tokio_postgres::Error> {
            Ok(ListEntry {
                mail: row.try_get(0)?,
                reason: row.try_get(1)?,
                added_by: row.try_get(2)?,
                added_at: row.try_get(3)?,
                in_use: row.try_get::<_, bool>(5)?.then_some(row.try_get(4)?),
            })
        };
        rows.iter().map(entry).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }

    /// Puts addresses on the whitelist. Without `sure` it is refused where it begins the list and somebody would not be
    /// used any more by that, and where many would not.
    pub async fn add_to_whitelist(
        &self,
        mails: &[MailAddress],
        by: &str,
        sure: bool,
        now: Timestamp,
    ) -> Result<Edited, StoreError> {
        let statement = "insert into planner_resource_whitelist (mail, added_by, added_at) \
             select n.mail, $2, $3::timestamptz from (select distinct unnest($1::text[]) as mail) n \
             where not exists (select from planner_resource_whitelist w where lower(trim(w.mail)) = n.mail)";
        self.edit_whitelist(statement, mails, by, sure, now).await
    }

    /// Takes addresses off the whitelist. Without `sure` it is refused where many would not be used any more,
    /// and where the list would become empty, so that everybody is used.
    pub async fn remove_from_whitelist(
        &self,
        mails: &[MailAddress],
        by: &str,
        sure: bool,
        now: Timestamp,
    ) -> Result<Edited, StoreError> {
        // `$2` and `$3` stand for who and when, which a removal does not record
        let statement = "delete from planner_resource_whitelist \
             where lower(trim(mail)) = any ($1) and $2::text is not null and $3::timestamptz is not null";
        self.edit_whitelist(statement, mails, by, sure, now).await
    }

    async fn edit_whitelist(
        &self,
        statement: &str,
        mails: &[MailAddress],
        by: &str,
        sure: bool,
        now: Timestamp,
    ) -> Result<Edited, StoreError> {
        // which resources it changes is known only when it changes them, so they are not locked in order before
        conflict::again(|| self.edit_whitelist_once(statement, mails, by, sure, now)).await
    }

    async fn edit_whitelist_once(
        &self,
        statement: &str,
        mails: &[MailAddress],
        by: &str,
        sure: bool,
        now: Timestamp,
    ) -> Result<Edited, StoreError> {
        let operation = "change the whitelist";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lock(&tx).await?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        let (entries_before, in_use_before) = sizes(&tx).await?;
        let by = clean(by, TEXT_MAX);
        let entries =
            tx.execute(statement, &[&mails, &by, &now]).await.map_err(StoreError::query(operation))?;
        let (entries_now, _) = sizes(&tx).await?;
        let (dropped, revived) = if entries > 0 { apply_whitelist(&tx, now).await? } else { (0, 0) };
        let edit = ListEdit { entries, dropped, revived, in_use_before, entries_now };
        if !sure && surprises(&Effect { entries_before, entries_now, dropped, in_use_before }) {
            return Ok(Edited::Refused(edit));
        }
        if dropped + revived > 0 {
            wake::notify(&tx, Channel::Resource).await?;
        }
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Edited::Done(edit))
    }

    /// Blocks a resource: a row of the blacklist and, where the resource is in use, a deleted date. An
    /// address that is blocked already gets the new reason.
    pub async fn add_to_blacklist(
        &self,
        mail: &MailAddress,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<ListEdit, StoreError> {
        let operation = "put an address on the blacklist";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let edit = block(&tx, mail, reason, by, now).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(edit)
    }

    /// Takes an address off the blacklist and asks for the resource list, with which it comes back when
    /// Planner lists it and the whitelist allows it. Answers whether it was on it.
    pub async fn remove_from_blacklist(&self, mail: &MailAddress) -> Result<bool, StoreError> {
        let operation = "take an address off the blacklist";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lock(&tx).await?;
        let removed = unlist(&tx, mail).await? > 0;
        if removed {
            requests::ask(&tx).await?;
        }
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(removed)
    }

    /// All resources that Planner lists or ever listed, by address.
    pub async fn resource_rows(&self) -> Result<Vec<ResourceRow>, StoreError> {
        self.resource_rows_where("true", &[]).await
    }

    /// The resource with this address.
    pub async fn resource_row(&self, mail: &MailAddress) -> Result<Option<ResourceRow>, StoreError> {
        Ok(self.resource_rows_where("r.mail = $1", &[&mail.as_str()]).await?.pop())
    }

    async fn resource_rows_where(
        &self,
        condition: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<ResourceRow>, StoreError> {
        let operation = "list the resources";
        let client = self.client(operation).await?;
        let statement = format!(
            "select r.mail, r.is_case_worker, r.deleted_date, r.deleted_reason, not ({NOT_BLACKLISTED}), \
                 r.error_code, r.last_success, r.adopted_at, r.last_full_sync, \
                 (select m.subscription_id from planner_resource_subscription m where m.mail = r.mail) \
             from planner_resource r where {condition} order by r.mail"
        );
        let rows = client.query(&statement, parameters).await.map_err(StoreError::query(operation))?;
        let resource = |row: &Row| -> Result<ResourceRow, tokio_postgres::Error> {
            Ok(ResourceRow {
                mail: row.try_get(0)?,
                is_case_worker: row.try_get(1)?,
                deleted_date: row.try_get(2)?,
                deleted_reason: row.try_get(3)?,
                blacklisted: row.try_get(4)?,
                error_code: row.try_get(5)?,
                last_success: row.try_get(6)?,
                adopted_at: row.try_get(7)?,
                last_full_sync: row.try_get(8)?,
                group: row.try_get(9)?,
            })
        };
        rows.iter().map(resource).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }
}

/// Blocks a resource in the caller's transaction.
pub(super) async fn block(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> Result<ListEdit, StoreError> {
    let operation = "put an address on the blacklist";
    lock(tx).await?;
    let (_, in_use_before) = sizes(tx).await?;
    let (reason, by) = (clean(reason, TEXT_MAX), clean(by, TEXT_MAX));
    let removed = unlist(tx, mail).await?;
    tx.execute(
        "insert into planner_resource_blacklist (mail, reason, added_by, added_at) values ($1, $2, $3, $4)",
        &[&mail.as_str(), &reason, &by, &now],
    )
    .await
    .map_err(StoreError::query(operation))?;
    let dropped = tx
        .execute(
            "update planner_resource set deleted_date = $2, deleted_reason = $3, adopt_due_at = null, \
                 compare_due_at = null, updated_at = $2 where mail = $1 and deleted_date is null",
            &[&mail.as_str(), &now, &reason],
        )
        .await
        .map_err(StoreError::query(operation))?;
    wake::notify(tx, Channel::Resource).await?;
    Ok(ListEdit { entries: u64::from(removed == 0), dropped, in_use_before, ..ListEdit::default() })
}

/// Entries of the whitelist, and resources in use.
pub(super) async fn sizes(tx: &Transaction<'_>) -> Result<(u64, u64), StoreError> {
    let operation = "count the resources";
    let row = tx
        .query_one(
            "select (select count(*) from planner_resource_whitelist), \
                    (select count(*) from planner_resource where deleted_date is null)",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let count = |n: usize| -> Result<u64, StoreError> {
        let count: i64 = row.try_get(n).map_err(StoreError::query(operation))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    Ok((count(0)?, count(1)?))
}

/// Takes the rows of an address off the blacklist, however they are written; answers how many.
async fn unlist(tx: &Transaction<'_>, mail: &MailAddress) -> Result<u64, StoreError> {
    tx.execute("delete from planner_resource_blacklist where lower(trim(mail)) = $1", &[&mail.as_str()])
        .await
        .map_err(StoreError::query("take an address off the blacklist"))
}

/// Brings the resources up to the whitelist; answers how many were dropped and how many revived.
pub(super) async fn apply_whitelist(tx: &Transaction<'_>, now: Timestamp) -> Result<(u64, u64), StoreError> {
    let operation = "apply the whitelist";
    let listed = "exists (select from planner_resource_whitelist w where lower(trim(w.mail)) = r.mail)";
    let empty = "not exists (select from planner_resource_whitelist)";
    let dropped = tx
        .execute(
            &format!(
                "update planner_resource r set deleted_date = $1, deleted_reason = '{NON_WHITELIST}', \
                     adopt_due_at = null, compare_due_at = null, updated_at = $1 \
                 where r.deleted_date is null and not ({empty} or {listed}) and {NOT_BLACKLISTED}"
            ),
            &[&now],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let revived = tx
        .execute(
            &format!(
                "update planner_resource r set {REVIVAL}, updated_at = $1 \
                 where r.deleted_reason = '{NON_WHITELIST}' and ({empty} or {listed}) and {NOT_BLACKLISTED}"
            ),
            &[&now],
        )
        .await
        .map_err(StoreError::query(operation))?;
    Ok((dropped, revived))
}
