//! What is not sent any more as decided: keys that were set aside and keys that Planner refused (B9).
//!
//! Protocol: [`Store::set_aside_keys`] shows them page by page with the reason. [`Store::retry_set_aside`] gives
//! those that were set aside another chance as if they had just been decided: no attempts, no conversions, no
//! pause; they are sent by the batcher, which is woken. A refused key stays refused until its decision changes or
//! the comparison says otherwise (B9), so there is nothing to retry about it here.
//!
//! Failure: an error means that nothing changed, or that this is unknown; asking again is harmless.

use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::operations::Scope;
use crate::outbox::{END, OPERATION, Operation, START};
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Which keys to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideFilter {
    /// Of which mailboxes.
    pub scope: Scope,
    /// Also those that Planner refused.
    pub refused: bool,
}

/// Which part of the list to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsidePage {
    /// Behind this key ([`SetAsideList::next`]); `None` = from the start.
    pub after: Option<(MailAddress, OriginId)>,
    /// So many keys at most.
    pub limit: u32,
}

/// A part of the list, ordered by mail address and origin id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetAsideList {
    /// The keys.
    pub keys: Vec<SetAsideKey>,
    /// The last key; `None` when there are no more.
    pub next: Option<(MailAddress, OriginId)>,
}

/// A key that is not sent any more as decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideKey {
    /// Its mailbox.
    pub mail: MailAddress,
    /// Its origin id.
    pub origin_id: OriginId,
    /// What would be asked of Planner.
    pub operation: Operation,
    /// The times that would be sent.
    pub slot: Slot,
    /// Why it is not.
    pub reason: StopReason,
    /// The code of the latest receipt for it, when one is in the log.
    pub receipt_code: Option<i32>,
    /// How often it failed by itself.
    pub attempts: u32,
    /// Since when; the decision's time where nobody wrote that down.
    pub since: Timestamp,
}

/// How many keys are not sent any more as decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoppedCount {
    /// Those that were set aside.
    pub set_aside: u64,
    /// The others, which Planner refused.
    pub refused: u64,
}

/// Why a key is not sent any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// It was set aside, for this reason.
    SetAside(String),
    /// Planner refused it with this receipt code.
    Refused(i32),
}

/// SQL: is the latest decision of the row `e` set aside?
const IS_SET_ASIDE: &str = "(e.version > 0 and e.set_aside_version = e.version)";
/// SQL: is it refused or set aside? As the index says it.
const IS_STOPPED: &str =
    "e.version > 0 and (e.set_aside_version = e.version or e.refused_version = e.version)";

impl Store {
    /// Shows what is not sent any more.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn set_aside_keys(
        &self,
        filter: &SetAsideFilter,
        page: &SetAsidePage,
    ) -> Result<SetAsideList, StoreError> {
        let operation = "list what is not sent any more";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(&format!(
                "select e.mail, e.origin_id, {OPERATION} as operation, {START} as start_at, {END} as end_at, \
                        case when {IS_SET_ASIDE} then coalesce(e.set_aside_reason, '') end as set_aside_reason, \
                        e.refused_code, e.attempts, coalesce(e.stopped_at, e.decided_at, now()) as since, \
                        (select l.receipt_code from sync_log l \
                         where l.mail = e.mail and l.origin_id = e.origin_id and l.receipt_code is not null \
                         order by l.id desc limit 1) as receipt_code \
                 from calendar_event e \
                 where {IS_STOPPED} and ({IS_SET_ASIDE} or $1) and ($2::text is null or e.mail = $2) \
                   and ($3::text is null or (e.mail, e.origin_id) > ($3, $4)) \
                 order by e.mail, e.origin_id limit $5"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        let after_mail = page.after.as_ref().map(|(mail, _)| mail.as_str());
        let after_id = page.after.as_ref().map_or("", |(_, origin_id)| origin_id.as_str());
        let limit = page.limit.max(1);
        let rows = client
            .query(
                &statement,
                &[&filter.refused, &filter.scope.mail(), &after_mail, &after_id, &i64::from(limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let keys = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let is_full = keys.len() >= limit as usize;
        let next = keys.last().filter(|_| is_full).map(|key| (key.mail.clone(), key.origin_id.clone()));
        Ok(SetAsideList { keys, next })
    }

    /// Counts what is not sent any more.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn stopped(&self, scope: &Scope) -> Result<StoppedCount, StoreError> {
        let operation = "count what is not sent any more";
        let client = self.client(operation).await?;
        let statement = format!(
            "select count(*) filter (where {IS_SET_ASIDE}), count(*) filter (where {IS_SET_ASIDE} is not true) \
             from calendar_event e where {IS_STOPPED} and ($1::text is null or e.mail = $1)"
        );
        let row =
            client.query_one(&statement, &[&scope.mail()]).await.map_err(StoreError::query(operation))?;
        let count = |column: usize| -> Result<u64, StoreError> {
            let count: i64 = row.try_get(column).map_err(StoreError::query(operation))?;
            Ok(u64::try_from(count).unwrap_or_default())
        };
        Ok(StoppedCount { set_aside: count(0)?, refused: count(1)? })
    }

    /// Sends again what was set aside. Answers how many keys. With [`Scope::All`] they go as bulk work, behind
    /// the changes of the day.
    ///
    /// # Errors
    /// Nothing changed, or this is unknown.
    pub async fn retry_set_aside(&self, scope: &Scope) -> Result<u64, StoreError> {
        self.retry_where(scope.mail(), None).await
    }

    /// Sends one key again that was set aside. Answers whether there was one.
    ///
    /// # Errors
    /// Nothing changed, or this is unknown.
    pub async fn retry_set_aside_key(
        &self,
        mail: &MailAddress,
        origin_id: &OriginId,
    ) -> Result<bool, StoreError> {
        self.retry_where(Some(mail.as_str()), Some(origin_id.as_str())).await.map(|keys| keys > 0)
    }

    async fn retry_where(&self, mail: Option<&str>, origin_id: Option<&str>) -> Result<u64, StoreError> {
        let operation = "send again what was set aside";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let retried = tx
            .execute(
                &format!(
                    "update calendar_event e set \
                         set_aside_version = null, set_aside_reason = null, stopped_at = null, attempts = 0, \
                         put_off = 0, unanswered = 0, next_attempt_at = null, converted_to_update_version = null, \
                         converted_to_create_version = null, bulk = e.bulk or $1::text is null \
                     where {IS_SET_ASIDE} and ($1::text is null or e.mail = $1) \
                       and ($2::text is null or e.origin_id = $2)"
                ),
                &[&mail, &origin_id],
            )
            .await
            .map_err(StoreError::query(operation))?;
        if retried > 0 {
            wake::notify(&tx, Channel::Decision).await?;
        }
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(retried)
    }
}

fn read(row: &Row) -> Result<SetAsideKey, StoreError> {
    let operation = "read what is not sent any more";
    let content = |reason: &str| StoreError::Content { operation, reason: reason.to_owned() };
    let mail: &str = row.try_get("mail").map_err(StoreError::query(operation))?;
    let letter: i8 = row.try_get("operation").map_err(StoreError::query(operation))?;
    let set_aside: Option<String> = row.try_get("set_aside_reason").map_err(StoreError::query(operation))?;
    let refused: Option<i32> = row.try_get("refused_code").map_err(StoreError::query(operation))?;
    let attempts: i32 = row.try_get("attempts").map_err(StoreError::query(operation))?;
    Ok(SetAsideKey {
        mail: MailAddress::parse(mail).map_err(|_error| content("a key of no mail address"))?,
        origin_id: OriginId::new(
            row.try_get::<_, String>("origin_id").map_err(StoreError::query(operation))?,
        ),
        operation: Operation::of_code(letter).ok_or_else(|| content("an operation that nobody knows"))?,
        slot: Slot {
            start: row.try_get("start_at").map_err(StoreError::query(operation))?,
            end: row.try_get("end_at").map_err(StoreError::query(operation))?,
        },
        reason: match set_aside {
            Some(reason) => StopReason::SetAside(reason),
            None => StopReason::Refused(refused.unwrap_or_default()),
        },
        receipt_code: row.try_get("receipt_code").map_err(StoreError::query(operation))?,
        attempts: u32::try_from(attempts).unwrap_or_default(),
        since: row.try_get("since").map_err(StoreError::query(operation))?,
    })
}
