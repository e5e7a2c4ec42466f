//! The taking half of the notification table (B7): a qualifier shard claims notifications, and each ends in
//! the log with an outcome, or waits for another try, or is set aside with its error.
//!
//! Protocol: each incarnation of a shard has a number of its own ([`Store::new_claim`]). It claims rows that
//! do not bear it: new ones, and those that a predecessor had in hand when it ended, so a crash between
//! claiming and finishing loses nothing. Whoever claims or finishes does it under the shard's fence.
//! Handing a row back (for a retry) takes the number off again.
//!
//! Failure: an error means that nothing was done, or that this is unknown. A claim may have been committed
//! without its answer being seen: after an error the next claim says what is in hand
//! ([`ClaimRequest::in_hand`]), and rows that bear the number without being in hand are given out again. A claim of full
//! reads says it always: the end of a full read may be undone by a crash of the database server
//! ([`crate::decisions`]), and its row comes back with a number whose bearer has forgotten it.

use base::TraceContext;
use calendar::{ItemId, MailAddress};
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};

use crate::lease::{self, Fence};
use crate::{Store, StoreError};

mod aside;

pub use aside::SetAsideNotification;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Longest error or outcome text that is kept, in characters.
const TEXT_MAX: usize = 1_000;

/// A notification that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its row.
    pub id: i64,
    /// Whose calendar.
    pub mail: MailAddress,
    /// What it is about.
    pub subject: Subject,
    /// When it was received.
    pub received_at: Timestamp,
    /// The trace that it began.
    pub trace: Option<TraceContext>,
    /// How often it has failed by itself.
    pub attempts: u32,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A hint about an item.
    Item {
        /// The item.
        id: ItemId,
        /// Its identifier before a move.
        old: Option<ItemId>,
    },
    /// The whole window is to be read.
    FullRead,
}

/// Which notifications to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Hints about items.
    Live,
    /// Full reads.
    Bulk,
}

/// What to claim.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    /// The shard's lease.
    pub fence: &'a Fence,
    /// The number of this incarnation.
    pub claim: i64,
    /// The buckets of the shard.
    pub buckets: &'a [i16],
    /// Which sort.
    pub class: Class,
    /// Mailboxes that are left out: in back-off, or with much in hand already.
    pub without: &'a [MailAddress],
    /// After a claim that failed, and for full reads always: the rows that the incarnation really has. Others that
    /// bear its number are claimed again.
    pub in_hand: Option<&'a [i64]>,
    /// The present.
    pub now: Timestamp,
    /// The most to claim.
    pub limit: u32,
}

/// The end of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its row.
    pub id: i64,
    /// What came of it, in one word or two.
    pub outcome: &'static str,
    /// Details; no appointment content.
    pub text: Option<String>,
}

/// A notification that failed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its row.
    pub id: i64,
    /// Why; no appointment content.
    pub error: String,
    /// When it is tried again; `None` sets it aside.
    pub again_at: Option<Timestamp>,
}

impl Store {
    /// A number for a new incarnation of a shard.
    pub async fn new_claim(&self) -> Result<i64, StoreError> {
        let operation = "begin to claim notifications";
        let client = self.client(operation).await?;
        let row = client
            .query_one("select nextval('notification_claim')", &[])
            .await
            .map_err(StoreError::query(operation))?;
        row.try_get(0).map_err(StoreError::query(operation))
    }

    /// Claims notifications, the oldest first, but full reads of mailboxes that were never read before those. Rows that nothing can be done with (an address that is none,
    /// a hint without an item) are set aside on the way.
    pub async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Vec<Claimed>, StoreError> {
        let operation = "claim notifications";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, request.fence).await?;
        let statement =
            tx.prepare_cached(&claim_sql(request.class)).await.map_err(StoreError::query(operation))?;
        let without: Vec<&str> = request.without.iter().map(MailAddress::as_str).collect();
        let rows = tx
            .query(
                &statement,
                &[
                    &request.claim,
                    &request.buckets,
                    &request.now,
                    &without,
                    &i64::from(request.limit),
                    &request.in_hand,
                ],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let mut claimed = Vec::with_capacity(rows.len());
        let mut unusable = Vec::new();
        for row in &rows {
            match claimed_row(row).map_err(StoreError::query(operation))? {
                Ok(one) => claimed.push(one),
                Err(failed) => unusable.push(failed),
            }
        }
        fail(&tx, &unusable, request.now).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        claimed.sort_by_key(|one| one.id);
        Ok(claimed)
    }

    /// Records failures of notifications by themselves: one more try is counted for each.
    pub async fn notifications_failed(
        &self,
        fence: &Fence,
        failures: &[Failed],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if failures.is_empty() {
            return Ok(());
        }
        let operation = "record failures of notifications";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        fail(&tx, failures, now).await?;
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// Hands notifications back until `again_at`, without counting a try: what failed was more than they.
    pub async fn postpone_notifications(
        &self,
        fence: &Fence,
        ids: &[i64],
        error: &str,
        again_at: Timestamp,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let operation = "put notifications off";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        tx.execute(
            "update notification set claim = null, next_attempt_at = $2, last_error = $3 where id = any ($1)",
            &[&ids, &again_at, &bounded(error)],
        )
        .await
        .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// SQL: what can be claimed now. Written out for each class, so that each uses its own partial index.
fn claim_sql(class: Class) -> String {
    let kind = match class {
        Class::Live => "<> 'FullRead'",
        Class::Bulk => "= 'FullRead'",
    };
    let can = format!(
        "n.bucket = any ($2) and n.set_aside_at is null and n.event_type {kind} \
         and (n.claim is distinct from $1 or not (n.id = any ($6))) \
         and (n.next_attempt_at is null or n.next_attempt_at <= $3) and not (n.mail = any ($4))"
    );
    let due = match class {
        Class::Live => {
            format!("select n.id from notification n where {can} order by n.id limit $5 for update")
        }
        // Nothing is sent for a mailbox before its first full read: it does not wait for the end of a pull. Both
        // ways lead along an index to the first few, so that a claim costs the same whatever waits.
        Class::Bulk => format!(
            "select n.id from notification n where n.id in ( \
                 (select n.id from planner_resource r join notification n on n.mail = r.mail \
                  where r.last_full_sync is null and r.deleted_date is null and {can} order by r.mail limit $5) \
                 union all \
                 (select n.id from notification n where {can} order by n.id limit $5)) \
             order by exists (select from planner_resource r \
                              where r.mail = n.mail and r.last_full_sync is not null), n.id limit $5 for update"
        ),
    };
    format!(
        "with due as ({due}) \
         update notification n set claim = $1 from due where n.id = due.id \
         returning n.id, n.mail, n.event_type, n.item_id, n.old_item_id, n.received_at, n.trace_context, n.attempts"
    )
}

/// What [`finish`] asks.
pub(crate) const FINISH: &str = "with done as ( \
          delete from notification n \
          using unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[]) \
                as f (id, outcome, text, handled_at) \
          where n.id = f.id returning n.*, f.outcome, f.text, f.handled_at) \
      insert into notification_log (id, mail, event_type, item_id, old_item_id, exchange_timestamp, \
                                    received_at, handled_at, attempts, outcome, text, trace_context) \
      select id, mail, event_type, item_id, old_item_id, exchange_timestamp, received_at, handled_at, \
             attempts, outcome, text, trace_context \
      from done on conflict (id) do nothing";

/// Moves notifications to the log, each with the time of its end, inside the caller's transaction.
pub async fn finish(
    tx: &deadpool_postgres::Transaction<'_>,
    finished: &[(&Finished, Timestamp)],
) -> Result<(), StoreError> {
    if finished.is_empty() {
        return Ok(());
    }
    let operation = "move notifications to the log";
    let ids: Vec<i64> = finished.iter().map(|(one, _)| one.id).collect();
    let outcomes: Vec<&str> = finished.iter().map(|(one, _)| one.outcome).collect();
    let texts: Vec<Option<String>> =
        finished.iter().map(|(one, _)| one.text.as_deref().map(bounded)).collect();
    let handled: Vec<Timestamp> = finished.iter().map(|(_, at)| *at).collect();
    let statement = tx.prepare_cached(FINISH).await.map_err(StoreError::query(operation))?;
    tx.execute(&statement, &[&ids, &outcomes, &texts, &handled])
        .await
        .map(drop)
        .map_err(StoreError::query(operation))
}

async fn fail(tx: &Transaction<'_>, failures: &[Failed], now: Timestamp) -> Result<(), StoreError> {
    if failures.is_empty() {
        return Ok(());
    }
    let operation = "record failures of notifications";
    let ids: Vec<i64> = failures.iter().map(|one| one.id).collect();
    let errors: Vec<String> = failures.iter().map(|one| bounded(&one.error)).collect();
    let again: Vec<Option<Timestamp>> = failures.iter().map(|one| one.again_at).collect();
    tx.execute(
        "update notification n \
         set attempts = n.attempts + 1, claim = null, last_error = f.error, next_attempt_at = f.again_at, \
             set_aside_at = case when f.again_at is null then $4::timestamptz end \
         from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as f (id, error, again_at) where n.id = f.id",
        &[&ids, &errors, &again, &now],
    )
    .await
    .map(drop)
    .map_err(StoreError::query(operation))
}

/// Reads a row; the inner error is for a row that nothing can be done with.
fn claimed_row(row: &Row) -> Result<Result<Claimed, Failed>, tokio_postgres::Error> {
    let id: i64 = row.try_get("id")?;
    let unusable = |reason: String| Ok(Err(Failed { id, error: reason, again_at: None }));
    let mail: &str = row.try_get("mail")?;
    let mail = match MailAddress::parse(mail) {
        Ok(mail) => mail,
        Err(error) => return unusable(error.to_string()),
    };
    let kind: &str = row.try_get("event_type")?;
    let item: Option<String> = row.try_get("item_id")?;
    let old: Option<String> = row.try_get("old_item_id")?;
    let subject = match item {
        _ if kind == "FullRead" => Subject::FullRead,
        // A type that another version stored is a hint like any other.
        Some(item) => Subject::Item { id: item.into(), old: old.map(ItemId::from) },
        None => return unusable(format!("a notification of type {kind} names no item")),
    };
    let trace: Option<&str> = row.try_get("trace_context")?;
    let attempts: i32 = row.try_get("attempts")?;
    Ok(Ok(Claimed {
        id,
        mail,
        subject,
        received_at: row.try_get("received_at")?,
        trace: trace.and_then(|text| text.parse().ok()),
        attempts: u32::try_from(attempts).unwrap_or_default(),
    }))
}

/// PostgreSQL's text takes no NUL, and errors come from outside.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT_MAX).collect()
}
