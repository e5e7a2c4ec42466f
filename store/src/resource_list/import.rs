//! Taking over the white- and the blacklist of another installation (B10): all rows in one transaction.
//!
//! Protocol: what is on a list already stays as it is, with its reason and its name. The rest is added, and takes
//! effect in the same transaction as if each row had been added by hand. A rehearsal does the same and undoes it, so
//! that what it tells is what would happen.
//!
//! Failure: an error means that nothing was changed (or that this is unknown); doing it again is harmless.

use calendar::MailAddress;
use jiff::Timestamp;
use tokio_postgres::Transaction;

use super::lists::{Effect, TEXT_MAX, apply_whitelist, sizes, surprises};
use super::lock;
use crate::conflict;
use crate::operations::clean;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// What is to be taken over.
#[derive(Debug, Clone, Copy)]
pub struct ListImport<'a> {
    /// Addresses for the whitelist, each with its reason if there is one.
    pub whitelist: &'a [(MailAddress, Option<String>)],
    /// Addresses to be blocked, each with its reason.
    pub blacklist: &'a [(MailAddress, String)],
    /// By whom.
    pub by: &'a str,
    /// It is meant, also where many stop or begin to be used.
    pub sure: bool,
    /// Only tell what would happen.
    pub rehearsal: bool,
    /// The present.
    pub now: Timestamp,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListImported {
    /// Entries that the whitelist got.
    pub whitelisted: u64,
    /// Entries that the blacklist got.
    pub blocked: u64,
    /// Resources that are not used any more.
    pub dropped: u64,
    /// Resources that are used now and were not before.
    pub revived: u64,
    /// Resources in use before.
    pub in_use_before: u64,
    /// Entries of the whitelist now.
    pub whitelist_now: u64,
    /// Addresses of the import that Planner never listed, in order; without those that were blocked before it, or erased, which
    /// Planner's list passes over.
    pub never_listed: Vec<String>,
    /// Is it refused where nobody says that it is meant?
    pub surprises: bool,
}

/// The answer to an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListImportEnd {
    /// Done.
    Done(ListImported),
    /// This would be done.
    Rehearsed(ListImported),
    /// Nothing was done, because it would have done this, and nobody said that it is meant.
    Refused(ListImported),
}

impl Store {
    /// Takes over lists.
    pub async fn import_lists(&self, import: &ListImport<'_>) -> Result<ListImportEnd, StoreError> {
        // which resources it changes is known only when it changes them, so they are not locked in order before
        conflict::again(|| self.import_lists_once(import)).await
    }

    async fn import_lists_once(&self, import: &ListImport<'_>) -> Result<ListImportEnd, StoreError> {
        let operation = "take over the white- and the blacklist";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        lock(&tx).await?;
        let (entries_before, in_use_before) = sizes(&tx).await?;
        let by = clean(import.by, TEXT_MAX);
        let mut done = ListImported { in_use_before, ..ListImported::default() };
        let white: Vec<&str> = import.whitelist.iter().map(|(mail, _)| mail.as_str()).collect();
        let black: Vec<&str> = import.blacklist.iter().map(|(mail, _)| mail.as_str()).collect();
        // before the import blocks them itself
        let both = [white.as_slice(), black.as_slice()].concat();
        done.never_listed = never_listed(&tx, &both).await.map_err(&failed)?;
        let why: Vec<String> = import.blacklist.iter().map(|(_, why)| clean(why, TEXT_MAX)).collect();
        done.blocked = tx
            .execute(
                "insert into planner_resource_blacklist (mail, reason, added_by, added_at) \
                 select distinct on (n.mail) n.mail, n.reason, $3, $4::timestamptz \
                 from unnest($1::text[], $2::text[]) as n (mail, reason) \
                 where not exists (select from planner_resource_blacklist b where lower(trim(b.mail)) = n.mail)",
                &[&black, &why, &by, &import.now],
            )
            .await
            .map_err(&failed)?;
        let blocked = tx
            .execute(
                "update planner_resource r set deleted_date = $2, deleted_reason = b.reason, adopt_due_at = null, \
                     compare_due_at = null, updated_at = $2 \
                 from planner_resource_blacklist b \
                 where r.mail = lower(trim(b.mail)) and r.mail = any ($1) and r.deleted_date is null",
                &[&black, &import.now],
            )
            .await
            .map_err(&failed)?;
        let why: Vec<Option<String>> =
            import.whitelist.iter().map(|(_, why)| why.as_ref().map(|why| clean(why, TEXT_MAX))).collect();
        done.whitelisted = tx
            .execute(
                "insert into planner_resource_whitelist (mail, reason, added_by, added_at) \
                 select distinct on (n.mail) n.mail, n.reason, $3, $4::timestamptz \
                 from unnest($1::text[], $2::text[]) as n (mail, reason) \
                 where not exists (select from planner_resource_whitelist w where lower(trim(w.mail)) = n.mail)",
                &[&white, &why, &by, &import.now],
            )
            .await
            .map_err(&failed)?;
        if done.whitelisted > 0 {
            (done.dropped, done.revived) = apply_whitelist(&tx, import.now).await?;
        }
        done.dropped += blocked;
        (done.whitelist_now, _) = sizes(&tx).await?;
        let (entries_now, dropped) = (done.whitelist_now, done.dropped);
        done.surprises = surprises(&Effect { entries_before, entries_now, dropped, in_use_before });
        // leaving here undoes everything
        if import.rehearsal {
            return Ok(ListImportEnd::Rehearsed(done));
        }
        if !import.sure && done.surprises {
            return Ok(ListImportEnd::Refused(done));
        }
        if done.dropped + done.revived > 0 {
            wake::notify(&tx, Channel::Resource).await?;
        }
        tx.commit().await.map_err(&failed)?;
        Ok(ListImportEnd::Done(done))
    }
}

/// Those of these addresses that Planner never listed, in order. Of who is blocked or was erased nobody knows: the resource
/// list passes over them.
async fn never_listed(tx: &Transaction<'_>, mails: &[&str]) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = tx
        .query(
            "select distinct n.mail from unnest($1::text[]) as n (mail) \
             where not exists (select from planner_resource r where r.mail = n.mail) \
               and not exists (select from planner_resource_blacklist b where lower(trim(b.mail)) = n.mail) \
               and not exists (select from erased_mailbox e where e.hash = sha256(convert_to(n.mail, 'UTF8'))) \
             order by n.mail",
            &[&mails],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
