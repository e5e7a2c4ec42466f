//! What is still to be sent to Planner: the difference between decisions and acknowledgements (B9).
//!
//! Protocol. [`Store::pending_keys`] shows keys that differ, mailbox by mailbox; a plan makes batches of
//! them (one mailbox, one operation). [`CallBook::reserve`](crate::calls::CallBook::reserve) turns a batch
//! into a call: in one transaction the permit and every key's row in `key_in_flight`, whose primary key is
//! the promise that no key is ever in two calls. Keys that changed since they were planned, or are in
//! another call, are left out. After the call [`CallBook::answer`](crate::calls::CallBook::answer) records
//! in one transaction what became of each key, ends the call and frees its keys. A key that was decided
//! anew in the meantime is simply still different.
//!
//! Failure. A process that dies leaves its keys in flight; they block nobody else, and when their deadline
//! has passed [`Store::expire_calls`] frees them with the mark `uncertain`: sent again, settled by receipts
//! 8 and 10. An answer that comes after that finds its keys gone and changes nothing. Instants are the
//! database's, so that instances with different clocks agree.

use std::time::Duration;

use base::TraceContext;
use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::calls::Class;
use crate::{Store, StoreError};

mod answer;
mod reserve;
#[cfg(feature = "testing")]
pub mod testing;

pub use answer::{Answer, KeyAnswer, Outcome};
pub use reserve::{Batch, Expired, Reserved};

#[cfg(test)]
#[cfg(feature = "testing")]
mod model_tests;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// What is asked of Planner for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Wanted, and Planner does not hold it.
    Create,
    /// Wanted, and Planner holds it with other or unknown times.
    Update,
    /// Not wanted, and Planner holds it or may do so.
    Delete,
}

impl Operation {
    /// All three, in the order in which they are sent when nothing else decides: what blocks time first.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// The letter in the database.
    pub const fn letter(self) -> char {
        match self {
            Self::Create => 'C',
            Self::Update => 'U',
            Self::Delete => 'D',
        }
    }

    /// The name of the call in the call log.
    pub const fn call_name(self) -> &'static str {
        match self {
            Self::Create => "CreateEvents",
            Self::Update => "UpdateEvents",
            Self::Delete => "DeleteEvents",
        }
    }

    pub(crate) const fn code(self) -> i8 {
        self.letter() as i8
    }

    pub(crate) fn of_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.code() == code)
    }
}

/// A key whose decision and acknowledgement differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingKey {
    /// Its mailbox.
    pub mail: MailAddress,
    /// Its origin id.
    pub origin_id: OriginId,
    /// What is asked of Planner.
    pub operation: Operation,
    /// The version of the decision.
    pub version: i64,
    /// The times to be sent; for a deletion those that Planner holds, where they are known.
    pub slot: Slot,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Where the trace of the decision goes on.
    pub trace: Option<TraceContext>,
    /// Failures of this key by itself since it was last taken: receipts that said "not now", and calls for it
    /// alone that failed while others succeeded.
    pub attempts: u32,
    /// Calls in a row that brought no receipt for it.
    pub unanswered: u32,
    /// The one conversion that its receipt could ask for (create → update, update → create) was made for
    /// this decision already.
    pub converted: bool,
    /// Receipts in a row that said "not now".
    pub put_off: u32,
    /// Since its last attempt another key was taken. Looked up only for keys that failed (`unanswered` or `put_off`
    /// above 0).
    pub others_succeeded: bool,
}

/// Some of the pending keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The keys, mailbox by mailbox in the order of the walk, the oldest first within one.
    pub keys: Vec<PendingKey>,
    /// The last mailbox of the walk: where to go on. `None` when the walk reached the end.
    pub next: Option<String>,
}

/// How much a page may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    /// Mailboxes with pending keys that are looked at, sendable or not.
    pub mailboxes: u32,
    /// Keys of one mailbox.
    pub keys_per_mailbox: u32,
}

/// SQL: the operation of a row `e` of `calendar_event`.
pub(crate) const OPERATION: &str =
    "(case when not e.wanted then 'D' when e.ack_there then 'U' else 'C' end)::\"char\"";
/// SQL: the times to be sent for a row `e`. A key that Planner holds with unknown times and that never was
/// wanted has none; Planner goes by the origin id, any valid times do.
pub(crate) const START: &str = "(case when e.wanted then e.start_at \
     else coalesce(e.ack_start, e.start_at, date_trunc('second', e.decided_at)) end)";
pub(crate) const END: &str = "(case when e.wanted then e.end_at \
     else coalesce(e.ack_end, e.end_at, date_trunc('second', e.decided_at) + interval '1 minute') end)";
/// SQL: may the key `e` of the mailbox `r` be sent? The mailbox is in use, its acknowledged state was taken over from
/// Planner, and it has been read in full since then: taking over forgets the reading before it (B9). Or it is not in
/// use, an operator withdrew its appointments, and this is one of their deletions (B10).
pub(crate) const SENDABLE: &str = "(case when r.deleted_date is null \
     then r.adopted_at is not null and r.full_read_began_at is not null \
     else r.withdrawn_at is not null and not e.wanted end)";

/// SQL: was another key taken since the last attempt of the row `e`?
const OTHERS_SUCCEEDED: &str = "coalesce((select max(a.at) from sync_log a where a.outcome = 'acknowledged') \
     > (select max(l.at) from sync_log l where l.mail = e.mail and l.origin_id = e.origin_id), false)";
impl Store {
    /// Walks over the mailboxes with pending keys of one class in alphabetical order, beginning after
    /// `after` (empty = at the start), and shows the keys that can be sent now.
    pub async fn pending_keys(&self, class: Class, after: &str, size: PageSize) -> Result<Page, StoreError> {
        let operation = "look for what is to be sent";
        let client = self.client(operation).await?;
        let statement = client.prepare_cached(&pending_sql()).await.map_err(StoreError::query(operation))?;
        let mailboxes = i32::try_from(size.mailboxes).unwrap_or(i32::MAX);
        let rows = client
            .query(&statement, &[&class.is_bulk(), &after, &mailboxes, &i64::from(size.keys_per_mailbox)])
            .await
            .map_err(StoreError::query(operation))?;
        let walked: i32 = match rows.last() {
            Some(row) => row.try_get("n").map_err(StoreError::query(operation))?,
            None => 0,
        };
        let mut page = Page::default();
        if walked >= mailboxes
            && let Some(row) = rows.last()
        {
            page.next = row.try_get("walked").map_err(StoreError::query(operation))?;
        }
        for row in &rows {
            if let Some(key) = pending_key(row, operation)? {
                page.keys.push(key);
            }
        }
        Ok(page)
    }

    /// The time until something becomes due by itself: a key whose pause ends after `as_of`, or a call whose
    /// deadline passes. `None` when nothing waits for time.
    ///
    /// `as_of` is the database's time from before the walk that found nothing ([`Expired::as_of`]): a pause
    /// that ended since then is due at once, one that ended before belongs to a key that cannot be sent.
    pub async fn outbox_due(&self, as_of: Timestamp) -> Result<Option<Duration>, StoreError> {
        let operation = "look when something is to be sent again";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select extract(epoch from least( \
                     (select min(next_attempt_at) from calendar_event \
                      where pending and next_attempt_at is not null and next_attempt_at > $1), \
                     (select min(deadline) from key_in_flight)) - now())::float8",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let seconds: Option<f64> = client
            .query_one(&statement, &[&as_of])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(StoreError::query(operation))?;
        Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
    }
}

/// The walk goes from mailbox to mailbox by the index instead of over all rows, so that its cost follows
/// what is shown and not what waits.
fn pending_sql() -> String {
    format!(
        "with recursive walk (mail, n) as ( \
             (select e.mail, 1 from calendar_event e \
              where e.pending and e.bulk = $1 and e.mail > $2 order by e.mail limit 1) \
             union all \
             select following.mail, walk.n + 1 from walk cross join lateral ( \
                 select e.mail from calendar_event e \
                 where e.pending and e.bulk = $1 and e.mail > walk.mail order by e.mail limit 1) following \
             where walk.n < $3) \
         select walk.mail as walked, walk.n, k.* from walk left join lateral ( \
             select e.mail, e.origin_id, {OPERATION} as operation, e.version, {START} as start_at, \
                    {END} as end_at, e.decided_at, e.decision_trace, e.attempts, e.unanswered, \
                    coalesce(e.version = case when e.ack_there then e.converted_to_create_version \
                                              else e.converted_to_update_version end, false) as converted, \
                    e.put_off, \
                    e.unanswered + e.put_off > 0 and {OTHERS_SUCCEEDED} as others_succeeded \
             from calendar_event e join planner_resource r on r.mail = e.mail \
             where e.mail = walk.mail and e.pending and e.bulk = $1 and {SENDABLE} \
               and (e.next_attempt_at is null or e.next_attempt_at <= now()) \
               and not exists (select from key_in_flight f where f.mail = e.mail and f.origin_id = e.origin_id) \
             order by e.decided_at, e.origin_id limit $4) k on true \
         order by walk.n, k.decided_at, k.origin_id"
    )
}

/// Reads a row of the walk; `None` for a mailbox that has nothing to be sent now.
fn pending_key(row: &Row, operation: &'static str) -> Result<Option<PendingKey>, StoreError> {
    let mail: Option<&str> = row.try_get("mail").map_err(StoreError::query(operation))?;
    let Some(mail) = mail else { return Ok(None) };
    let Ok(mail) = MailAddress::parse(mail) else {
        tracing::warn!(length = mail.len(), "a key belongs to no mail address and is left out");
        return Ok(None);
    };
    read_key(row, mail).map(Some).map_err(StoreError::query(operation))
}

fn read_key(row: &Row, mail: MailAddress) -> Result<PendingKey, tokio_postgres::Error> {
    let code: i8 = row.try_get("operation")?;
    let trace: Option<&str> = row.try_get("decision_trace")?;
    let attempts: i32 = row.try_get("attempts")?;
    let unanswered: i32 = row.try_get("unanswered")?;
    let put_off: i32 = row.try_get("put_off")?;
    Ok(PendingKey {
        mail,
        origin_id: OriginId::new(row.try_get::<_, String>("origin_id")?),
        operation: Operation::of_code(code).expect("the statement answers one of the three letters"),
        version: row.try_get("version")?,
        slot: Slot { start: row.try_get("start_at")?, end: row.try_get("end_at")? },
        decided_at: row.try_get("decided_at")?,
        trace: trace.and_then(|text| text.parse().ok()),
        attempts: u32::try_from(attempts).unwrap_or_default(),
        unanswered: u32::try_from(unanswered).unwrap_or_default(),
        converted: row.try_get("converted")?,
        put_off: u32::try_from(put_off).unwrap_or_default(),
        others_succeeded: row.try_get("others_succeeded")?,
    })
}
