//! What is still to be sent to Planner, for people: each key with what it waits for.

use calendar::{OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::operations::Scope;
use crate::outbox::{END, OPERATION, Operation, START};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// What a key that differs waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Its mailbox is not in use, and nobody withdrew its appointments: it is not sent.
    NotInUse,
    /// What Planner holds for its mailbox was not taken over yet (B9).
    NotAdopted,
    /// Its mailbox was not read in full since (B9).
    NotRead,
    /// It is in a call now.
    InFlight,
    /// It failed, and is sent again at this time.
    Pauses(Timestamp),
    /// Nothing but its turn.
    InTurn,
}

/// A key that differs from what Planner has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Its mailbox, as it is stored.
    pub mail: String,
    /// Its origin id.
    pub origin_id: OriginId,
    /// What is asked of Planner.
    pub operation: Operation,
    /// The times to be sent; for a deletion those that Planner holds, where they are known.
    pub slot: Slot,
    /// The times that Planner holds, where it holds it and they are known.
    pub held: Option<Slot>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Bulk work, that goes behind live changes.
    pub bulk: bool,
    /// What it waits for.
    pub hold: Hold,
}

/// Some of what is unsent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnsentPage {
    /// The keys.
    pub keys: Vec<Unsent>,
    /// How many there are in all.
    pub total: u64,
}

/// That the last call to Planner failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannerFailure {
    /// When it ended, by the database's clock.
    pub at: Timestamp,
    /// Since when calls fail: the first after the last that worked, among the latest 10,000.
    pub since: Timestamp,
    /// Which call.
    pub operation: String,
    /// The event that says what went wrong.
    pub event_id: Option<i32>,
    /// In words.
    pub text: Option<String>,
}

/// Among so many of the latest calls it is looked since when they fail.
const FAILURES_MAX: i64 = 10_000;

/// SQL: what the pending row `e` of the mailbox `r` waits for, as [`hold_of`] reads it.
const HOLD: &str = "case when r.deleted_date is not null and not (r.withdrawn_at is not null and not e.wanted) then 'unused' \
     when r.deleted_date is not null then 'turn' \
     when r.adopted_at is null then 'unadopted' \
     when r.full_read_began_at is null then 'unread' else 'turn' end";

impl Store {
    /// What is unsent of these mailboxes, by mailbox and start; at most `limit` keys.
    pub async fn unsent(&self, scope: &Scope, limit: u32) -> Result<UnsentPage, StoreError> {
        let operation = "list what is unsent";
        let client = self.client(operation).await?;
        let total = client
            .query_one(
                "select count(*) from calendar_event where pending and ($1::text is null or mail = $1)",
                &[&scope.mail()],
            )
            .await
            .and_then(|row| super::work::count(&row, 0))
            .map_err(StoreError::query(operation))?;
        let rows = client
            .query(&unsent_sql("true", "e.mail, 5, e.origin_id"), &[&scope.mail(), &i64::from(limit)])
            .await
            .map_err(StoreError::query(operation))?;
        let keys = rows.iter().map(read).collect::<Result<_, _>>().map_err(StoreError::query(operation))?;
        Ok(UnsentPage { keys, total })
    }

    /// That the last call to Planner of the last hour failed, so that sending pauses (9206); `None` when it worked, or when
    /// there was none.
    pub async fn planner_failure(&self) -> Result<Option<PlannerFailure>, StoreError> {
        let operation = "look whether calls to Planner fail";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(
                // the latest calls are read only where the last of them failed
                "with latest as materialized ( \
                     select ended_at, success from service_call_reference_log where ended_at is not null \
                     order by coalesce(ended_at, deadline) desc limit $1) \
                 select ended_at, operation, event_id, text, \
                        coalesce((select min(failed.ended_at) from latest failed \
                                  where failed.ended_at > coalesce((select max(worked.ended_at) from latest worked \
                                                                    where worked.success), '-infinity')), ended_at) \
                 from ( \
                     select ended_at, operation, event_id, text, success from service_call_reference_log \
                     where coalesce(ended_at, deadline) > clock_timestamp() - interval '1 hour' \
                       and ended_at is not null \
                     order by coalesce(ended_at, deadline) desc limit 1) as last \
                 where success = false",
                &[&FAILURES_MAX],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let failure = |row: &Row| {
            Ok(PlannerFailure {
                at: row.try_get(0)?,
                operation: row.try_get(1)?,
                event_id: row.try_get(2)?,
                text: row.try_get(3)?,
                since: row.try_get(4)?,
            })
        };
        row.as_ref().map(failure).transpose().map_err(StoreError::query(operation))
    }

    /// How many mailboxes in use are still to be compared with Planner, apart from the schedule: what it holds for them was
    /// not taken over yet, or a comparison is due, or will be.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn to_be_compared(&self, scope: &Scope) -> Result<u64, StoreError> {
        let operation = "count the mailboxes to be compared";
        let client = self.client(operation).await?;
        client
            .query_one(
                "select count(*) from planner_resource \
                 where deleted_date is null and ($1::text is null or mail = $1) \
                   and (adopted_at is null or adopt_due_at is not null or compare_due_at is not null)",
                &[&scope.mail()],
            )
            .await
            .and_then(|row| super::work::count(&row, 0))
            .map_err(StoreError::query(operation))
    }

    /// Did the last call to Planner of the last hour work? Not where there was none.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn planner_answers(&self) -> Result<bool, StoreError> {
        let operation = "look whether calls to Planner work";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(
                "select success from service_call_reference_log \
                 where coalesce(ended_at, deadline) > clock_timestamp() - interval '1 hour' and ended_at is not null \
                 order by coalesce(ended_at, deadline) desc limit 1",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let worked = row.map(|row| row.try_get::<_, Option<bool>>(0)).transpose();
        worked.map(|success| success.flatten() == Some(true)).map_err(StoreError::query(operation))
    }

    /// The key that has been unsent for longest, among those that are to be sent at all.
    pub async fn oldest_unsent(&self) -> Result<Option<Unsent>, StoreError> {
        let operation = "look for the oldest unsent change";
        let client = self.client(operation).await?;
        let used = format!("{HOLD} <> 'unused'");
        let row = client
            .query_opt(&unsent_sql(&used, "e.decided_at"), &[&None::<&str>, &1_i64])
            .await
            .map_err(StoreError::query(operation))?;
        row.as_ref().map(read).transpose().map_err(StoreError::query(operation))
    }
}

fn unsent_sql(condition: &str, order: &str) -> String {
    format!(
        "select e.mail, e.origin_id, {OPERATION}, e.decided_at, {START}, {END}, \
                case when e.ack_there then e.ack_start end, case when e.ack_there then e.ack_end end, e.bulk, {HOLD}, \
                case when e.next_attempt_at > clock_timestamp() then e.next_attempt_at end, \
                exists (select from key_in_flight f where f.mail = e.mail and f.origin_id = e.origin_id) \
         from calendar_event e join planner_resource r on r.mail = e.mail \
         where e.pending and ($1::text is null or e.mail = $1) and {condition} order by {order} limit $2"
    )
}

fn read(row: &Row) -> Result<Unsent, tokio_postgres::Error> {
    let letter: i8 = row.try_get(2)?;
    let start: Option<Timestamp> = row.try_get(6)?;
    let end: Option<Timestamp> = row.try_get(7)?;
    let hold: &str = row.try_get(9)?;
    Ok(Unsent {
        mail: row.try_get(0)?,
        origin_id: OriginId::new(row.try_get::<_, String>(1)?),
        operation: Operation::of_code(letter).expect("the statement answers one of the three letters"),
        decided_at: row.try_get(3)?,
        slot: Slot { start: row.try_get(4)?, end: row.try_get(5)? },
        held: start.zip(end).map(|(start, end)| Slot { start, end }),
        bulk: row.try_get(8)?,
        hold: hold_of(hold, row.try_get(11)?, row.try_get(10)?),
    })
}

fn hold_of(text: &str, in_flight: bool, pauses: Option<Timestamp>) -> Hold {
    match (text, pauses) {
        _ if in_flight => Hold::InFlight,
        ("unused", _) => Hold::NotInUse,
        ("unadopted", _) => Hold::NotAdopted,
        ("unread", _) => Hold::NotRead,
        (_, Some(until)) => Hold::Pauses(until),
        (_, None) => Hold::InTurn,
    }
}
