//! Erasing a person's data (GDPR), and keeping them from coming back.
//!
//! Protocol: [`Store::erase`] removes every row that names a mail address, in one transaction, and leaves the SHA-256
//! of the address in `erased_mailbox`. The resource list passes over an address whose hash stands there
//! ([`Erased`]), and no decision is stored about it. It is refused while Planner may hold something that would never be
//! deleted then: withdraw first ([`Store::add_to_blacklist_and_withdraw`]), or say that it is to be left there. It is
//! refused, too, for the last entry of the whitelist: an empty one lets everybody in, which nobody asked for here.
//! What somebody with a reading in hand writes afterwards is swept away by [`Store::sweep_erased`].
//!
//! The logs of calls and events are kept without the address: how often Planner was called counts for the agreement,
//! and it is nobody's data then. So are alerts; an instance that still counts something about the mailbox does not name it
//! again ([`Store::keep_alerts`]).
//!
//! Failure: an error means that nothing was erased, or that this is unknown; erasing again is harmless.

use std::collections::BTreeSet;

use calendar::MailAddress;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_postgres::Transaction;

use crate::operations::clean;
use crate::resource_list::lock;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest name that is kept, in characters.
const BY_MAX: usize = 200;

/// The hash of an address, as `erased_mailbox` keeps it.
pub fn hash(mail: &MailAddress) -> [u8; 32] {
    Sha256::digest(mail.as_str().as_bytes()).into()
}

/// SQL: the hash of the address `$1`.
pub(crate) const HASH: &str = "sha256(convert_to($1::text, 'UTF8'))";
/// The same of the column `d.mail`.
pub(crate) const HASH_OF_COLUMN: &str = "sha256(convert_to(d.mail, 'UTF8'))";

/// The addresses that were erased, as far as one can tell: by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erased(BTreeSet<[u8; 32]>);

impl Erased {
    /// Was this address erased?
    pub fn contains(&self, mail: &MailAddress) -> bool {
        !self.0.is_empty() && self.0.contains(&hash(mail))
    }
}

impl FromIterator<MailAddress> for Erased {
    fn from_iter<T: IntoIterator<Item = MailAddress>>(mails: T) -> Self {
        Self(mails.into_iter().map(|mail| hash(&mail)).collect())
    }
}

/// The erased addresses, within the caller's transaction.
pub(crate) async fn erased(tx: &Transaction<'_>) -> Result<Erased, StoreError> {
    let operation = "read who was erased";
    let rows =
        tx.query("select hash from erased_mailbox", &[]).await.map_err(StoreError::query(operation))?;
    let mut hashes = BTreeSet::new();
    for row in &rows {
        let hash: &[u8] = row.try_get(0).map_err(StoreError::query(operation))?;
        hashes.extend(<[u8; 32]>::try_from(hash).ok());
    }
    Ok(Erased(hashes))
}

/// What an erasure removes, table by table, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Rows by table, where there are any.
    pub rows: Vec<(&'static str, u64)>,
    /// Appointments that are not over and that Planner holds, or may hold: nothing would delete them afterwards.
    pub held_by_planner: u64,
    /// Appointments that are in a call now.
    pub in_flight: u64,
    /// It is the last on the whitelist, which would be empty without it, and so everybody be used.
    pub last_on_whitelist: bool,
    /// Was it done? Else nothing was changed.
    pub done: bool,
}

/// What is removed, in this order; the condition on `$1`, the address.
const REMOVED: [(&str, &str); 15] = [
    ("withheld_key", "mail = $1"),
    ("withheld_run", "mail = $1"),
    ("withheld_list_resource", "mail = $1"),
    ("notification", "lower(trim(mail)) = $1"),
    ("notification_log", "mail = $1"),
    ("sync_log", "mail = $1"),
    ("calendar_event", "mail = $1"),
    // after the decisions, so that whoever overrules one meanwhile has done it
    ("decision_history", "mail = $1"),
    ("series", "mail = $1"),
    ("operation_mailbox", "mail = $1"),
    ("operation", "mail = $1"),
    ("sync_state", "mail = $1"),
    ("planner_resource", "mail = $1"),
    ("planner_resource_whitelist", "lower(trim(mail)) = $1"),
    ("planner_resource_blacklist", "lower(trim(mail)) = $1"),
];
/// Where alerts that stand are kept.
const ALERTS: &str = "standing_alert";
/// What is kept without the address.
const ANONYMISED: [(&str, &str, &str); 3] = [
    ("service_call_reference_log", "mail = null", "mail = $1"),
    (
        "application_log",
        "fields = '{\"erased\": true}', message = '(erased)'",
        "strpos(lower(fields::text), $1) > 0 or strpos(lower(message), $1) > 0",
    ),
    (
        ALERTS,
        "subjects = array(select s from unnest(subjects) with ordinality as named (s, place) \
                          where lower(trim(s)) <> $1 order by place)",
        "exists (select from unnest(subjects) as named (s) where lower(trim(s)) = $1)",
    ),
];

impl Store {
    /// Erases a mailbox. Without `really` it only counts; without `leave_in_planner` it is refused (`done` is false)
    /// while Planner holds, or may hold, appointments of it that are not over. The last entry of the whitelist is refused in
    /// any case. Of one that was erased already what is left is removed, and who erased it and when stays as it is.
    pub async fn erase(
        &self,
        mail: &MailAddress,
        by: &str,
        leave_in_planner: bool,
        really: bool,
        now: Timestamp,
    ) -> Result<Erasure, StoreError> {
        let operation = "erase a mailbox";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lock(&tx).await?;
        let row = tx
            .query_one(
                "select count(*) filter (where (ack_there or uncertain or (wanted and pending)) and not planner_own \
                             and coalesce(greatest(end_at, ack_end), $2) >= $2), \
                        (select count(*) from key_in_flight where mail = $1), \
                        exists (select from planner_resource_whitelist where lower(trim(mail)) = $1) \
                            and not exists (select from planner_resource_whitelist where lower(trim(mail)) <> $1) \
                 from calendar_event where mail = $1",
                &[&mail.as_str(), &now],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let count = |index: usize| -> Result<u64, StoreError> {
            let count: i64 = row.try_get(index).map_err(StoreError::query(operation))?;
            Ok(u64::try_from(count).unwrap_or_default())
        };
        let mut erasure = Erasure {
            held_by_planner: count(0)?,
            in_flight: count(1)?,
            last_on_whitelist: row.try_get(2).map_err(StoreError::query(operation))?,
            ..Erasure::default()
        };
        let left_there = erasure.held_by_planner == 0 || leave_in_planner;
        let allowed = erasure.in_flight == 0 && left_there && !erasure.last_on_whitelist;
        erasure.done = really && allowed;
        erasure.rows = remove(&tx, mail).await?;
        if !erasure.done {
            // the transaction ends without a commit: this was counting only
            return Ok(erasure);
        }
        tx.execute(
            &format!(
                "insert into erased_mailbox (hash, erased_by) values ({HASH}, $2) \
                 on conflict (hash) do nothing"
            ),
            &[&mail.as_str(), &clean(by, BY_MAX)],
        )
        .await
        .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Resource).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(erasure)
    }

    /// Lets an erased mailbox be listed again. Answers whether it was erased.
    pub async fn forget_erasure(&self, mail: &MailAddress) -> Result<bool, StoreError> {
        let operation = "let an erased mailbox be listed again";
        let client = self.client(operation).await?;
        let removed = client
            .execute(&format!("delete from erased_mailbox where hash = {HASH}"), &[&mail.as_str()])
            .await
            .map_err(StoreError::query(operation))?;
        Ok(removed > 0)
    }

    /// Removes what somebody who had a reading in hand wrote about erased mailboxes. Answers how many rows.
    pub async fn sweep_erased(&self) -> Result<u64, StoreError> {
        let operation = "sweep away what is left of erased mailboxes";
        let client = self.client(operation).await?;
        let any = client
            .query_one("select exists (select from erased_mailbox)", &[])
            .await
            .and_then(|row| row.try_get::<_, bool>(0))
            .map_err(StoreError::query(operation))?;
        if !any {
            return Ok(0);
        }
        let mut swept = 0;
        for table in
            ["calendar_event", "decision_history", "notification", "notification_log", "sync_state", "series"]
        {
            let statement = format!(
                "delete from {table} t using (select distinct mail from {table}) m \
                 where t.mail = m.mail and sha256(convert_to(m.mail, 'UTF8')) in (select hash from erased_mailbox)"
            );
            swept += client.execute(&statement, &[]).await.map_err(StoreError::query(operation))?;
        }
        Ok(swept)
    }
}

/// Removes and anonymises; answers the rows by table.
async fn remove(tx: &Transaction<'_>, mail: &MailAddress) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let operation = "erase a mailbox";
    let mut rows = Vec::new();
    // what an operation means no more was not done by it
    tx.execute(
        "update operation set meant = meant - 1 \
         where id in (select operation_id from operation_mailbox where mail = $1) and meant > 0",
        &[&mail.as_str()],
    )
    .await
    .map_err(StoreError::query(operation))?;
    for (table, condition) in REMOVED {
        let statement = format!("delete from {table} where {condition}");
        let removed =
            tx.execute(&statement, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        rows.push((table, removed));
    }
    for (table, change, condition) in ANONYMISED {
        if table == ALERTS {
            // Who writes alerts (`Store::keep_alerts`) is either seen here, or sees the hash that is left. The last of all,
            // since all of them wait: before it whole logs are walked through.
            tx.batch_execute("lock table standing_alert in share row exclusive mode")
                .await
                .map_err(StoreError::query(operation))?;
        }
        let statement = format!("update {table} set {change} where {condition}");
        let changed =
            tx.execute(&statement, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        rows.push((table, changed));
    }
    rows.retain(|(_, count)| *count > 0);
    Ok(rows)
}
