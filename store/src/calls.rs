//! Calls to Planner: slots of this process, the persisted permits of the SLA budget, and the call log (B9).
//!
//! Protocol: whoever wants to call takes a [`Slot`] of the process's [`CallBook`] (first come, first
//! served), then a permit: a row in `service_call_reference_log`, written before the request leaves. Permits
//! are granted one after the other over all instances (an advisory lock), by the database's clock; the row
//! is the call's log entry too, and is completed when the call ends. A call whose process died is never
//! completed: it counts in the budget until 60 s after its deadline, and holds its slot until then or until its
//! owner's lease is gone, whichever comes first. An owner ends its calls before its lease can be taken over
//! (see [`lease`]), so a call of an owner without a lease has no client any more: its keys wait for the deadline,
//! since Planner may still do what was asked, and nobody else waits (B9).
//!
//! Failure: an error means that no permit was recorded, or that this is unknown; the caller then makes no
//! call. A permit that was recorded and not used costs budget and nothing else.

use std::sync::Arc;
use std::time::Duration;

use calendar::MailAddress;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::lease::{self, Fence};
use crate::outbox::SENDABLE;
use crate::{Store, StoreError, prepared, state};

pub mod budget;

pub use budget::{CallLimits, Class};

#[cfg(test)]
#[cfg(feature = "testing")]
mod model_tests;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The advisory lock under which permits are granted; any constant that nobody else uses.
const PERMIT_LOCK: i64 = 0x504c_414e_4e45_5201;
/// The shortest and the longest wait that is answered when there is no room: long waits are cut, since
/// another call may end earlier than its deadline says.
const WAIT: std::ops::RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(5);

/// The name of the note that a call which only reads found no room. What is to be sent waits in tables of its own; of
/// such a call nobody would know.
const READ_WAITS: &str = "planner/read_waits";
/// How long such a note holds: whoever waits writes it again at each ask, after [`WAIT`] at the latest.
const READ_WAITS_S: u64 = 2 * WAIT.end().as_secs();

/// SQL: does a logged call carry appointments to Planner?
const SENDS: &str = "operation in ('CreateEvents', 'UpdateEvents', 'DeleteEvents')";

/// The calls of this process to Planner; one book for all that call. A clone is a handle on the same book.
#[derive(Debug, Clone)]
pub struct CallBook {
    store: Store,
    limits: CallLimits,
    slots: Arc<Semaphore>,
}

/// The right of this process to have one call in flight; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// A call that is about to be made, and how long it may last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCall<'a> {
    /// `GetEvents` or `GetResources`.
    pub operation: &'static str,
    /// The mailbox, when it is about one.
    pub mail: Option<&'a MailAddress>,
    /// How many mailboxes it asks about.
    pub mailboxes: u32,
    /// When its request will certainly have ended.
    pub lifetime: Duration,
}

/// A recorded permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallStart {
    /// Our correlation id.
    pub id: Uuid,
    /// When the permit was recorded, by the database's clock: what was logged later was sent later.
    pub began: Timestamp,
}

/// The answer to an ask for a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit<T> {
    /// Go ahead.
    Granted(T),
    /// No room now; ask again after this time.
    Wait(Duration),
}

/// How a call ended, for the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallEnd {
    /// Was it answered, and could the answer be used?
    pub success: bool,
    /// The event that says what went wrong: 6901 to 6906.
    pub event_id: Option<u16>,
    /// In words; no appointment content.
    pub text: Option<String>,
    /// Planner's own identifier of the call.
    pub planner_call_id: Option<Uuid>,
}

impl CallBook {
    /// A book with `limits`; at least one simultaneous call.
    pub fn new(store: Store, limits: CallLimits) -> Self {
        let limits = CallLimits { simultaneous_calls: limits.simultaneous_calls.max(1), ..limits };
        let slots = Arc::new(Semaphore::new(limits.simultaneous_calls as usize));
        Self { store, limits, slots }
    }

    /// The limits.
    pub const fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// The database that the book is kept in.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Waits for a slot, first come, first served. May be dropped while waiting.
    pub async fn slot(&self) -> Slot {
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        Slot { _permit: permit.expect("the semaphore of a book is never closed") }
    }

    /// Records the permit of a call that only reads; always bulk work.
    pub async fn begin(&self, fence: &Fence, call: &ReadCall<'_>) -> Result<Permit<CallStart>, StoreError> {
        let operation = "record a call to Planner";
        let mut client = self.store.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let grant = match admit(&tx, &self.limits, Class::Bulk, 0).await? {
            Permit::Granted(grant) => grant,
            Permit::Wait(wait) => {
                if self.limits.calls_per_minute.is_some() {
                    // live changes, which ask at the very instant that room comes back, would take it every time
                    state::put(&tx, READ_WAITS, call.operation).await?;
                    tx.commit().await.map_err(StoreError::query(operation))?;
                }
                return Ok(Permit::Wait(wait));
            }
        };
        prepared::execute(&tx, "delete from store_state where name = $1", &[&READ_WAITS])
            .await
            .map_err(StoreError::query(operation))?;
        let id = Uuid::now_v7();
        let mail = call.mail.map(MailAddress::as_str);
        let items = i32::try_from(call.mailboxes).unwrap_or(i32::MAX);
        prepared::execute(
            &tx,
            "insert into service_call_reference_log (call_id, operation, mail, items, bulk, started_at, deadline, \
                                                     lease_key, lease_token) \
             values ($1, $2, $3, $4, true, $5::timestamptz, $5::timestamptz + make_interval(secs => $6), $7, $8)",
            &[
                &id,
                &call.operation,
                &mail,
                &items,
                &grant.now,
                &call.lifetime.as_secs_f64(),
                &fence.key,
                &fence.token,
            ],
        )
        .await
        .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Permit::Granted(CallStart { id, began: grant.now }))
    }

    /// Completes the log of a call that only reads. Needs no fence: it tells what happened.
    pub async fn end(&self, id: Uuid, end: &CallEnd) -> Result<(), StoreError> {
        let operation = "record the end of a call to Planner";
        let mut client = self.store.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        close(&tx, id, end).await?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// What was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    /// How many appointments the call may carry.
    pub(crate) events: u32,
    /// The database's time.
    pub(crate) now: Timestamp,
}

/// Is there room for one more call with `events` appointments? Holds the permit lock until the transaction
/// ends, so that nobody else is granted the same room.
pub(crate) async fn admit(
    tx: &Transaction<'_>,
    limits: &CallLimits,
    class: Class,
    events: u32,
) -> Result<Permit<Grant>, StoreError> {
    let operation = "look for room for a call to Planner";
    let lock = "select pg_advisory_xact_lock($1), clock_timestamp()";
    let now: Timestamp = prepared::query_one(tx, lock, &[&PERMIT_LOCK])
        .await
        .and_then(|row| row.try_get(1))
        .map_err(StoreError::query(operation))?;
    let limited = limits.calls_per_minute.is_some() || limits.events_per_minute.is_some();
    let window = if limited { base::pace::scaled(budget::WINDOW) } else { Duration::ZERO };
    let usage = usage(tx, now, window, class).await?;
    let freed = if budget::asks_what_is_freed(limits, &usage.usage, class, events) {
        freed(tx, now, window, limits, events).await?
    } else {
        Vec::new()
    };
    match budget::admit(limits, &usage.usage, class, events, window, &freed) {
        Ok(events) => Ok(Permit::Granted(Grant { events, now })),
        Err(full) => {
            let free_at = if full == budget::Full::Slots { usage.slot_at } else { usage.room_at };
            let wait = wait_until(free_at, now);
            let pace = budget::pace(limits, class, events, window).filter(|_| full != budget::Full::Slots);
            Ok(Permit::Wait(pace.map_or(wait, |pace| wait.min(pace))))
        }
    }
}

/// What counts now, and when that changes by itself.
struct Counted {
    usage: budget::Usage,
    /// The earliest deadline of the calls in flight.
    slot_at: Option<Timestamp>,
    /// When the next permit stops counting.
    room_at: Option<Timestamp>,
}

/// Does work of a class wait that could go now? What may not be sent (its mailbox is not in use, or not adopted), what
/// pauses and what is in flight keeps no room from others.
fn waits(class: Class) -> String {
    let keys = format!(
        "exists (select from calendar_event e join planner_resource r on r.mail = e.mail \
                 where e.pending and e.bulk = {} and {SENDABLE} \
                   and (e.next_attempt_at is null or e.next_attempt_at <= $1) \
                   and not exists (select from key_in_flight f \
                                   where f.mail = e.mail and f.origin_id = e.origin_id))",
        class.is_bulk()
    );
    match class {
        Class::Live => keys,
        // a mailbox that was not read for a day waits for that, and not for Planner
        Class::Bulk => format!(
            "exists (select from planner_resource r where r.deleted_date is null \
                     and (r.adopt_due_at <= $1 \
                          or (r.compare_due_at <= $1 and r.adopted_at is not null \
                              and r.full_read_began_at >= $1::timestamptz - interval '1 day'))) \
             or exists (select from store_state where name = '{READ_WAITS}' \
                          and changed_at > $1::timestamptz - interval '{READ_WAITS_S} s') \
             or {keys}"
        ),
    }
}

async fn usage(
    tx: &Transaction<'_>,
    now: Timestamp,
    window: Duration,
    class: Class,
) -> Result<Counted, StoreError> {
    let operation = "look for room for a call to Planner";
    let other = match class {
        Class::Live => Class::Bulk,
        Class::Bulk => Class::Live,
    };
    let others_wait = waits(other);
    // a build that forgets at a take-over what was sent before it
    let own = if base::sabotage::is_broken(base::sabotage::Safeguard::Budget) {
        "exists (select from lease where key = lease_key and token = lease_token)"
    } else {
        "true"
    };
    let statement = format!(
        "select count(*) filter (where p.in_flight), \
                count(*), \
                count(*) filter (where p.bulk), \
                coalesce(sum(p.items) filter (where p.sends), 0), \
                coalesce(sum(p.items) filter (where p.sends and p.bulk), 0), \
                min(p.deadline) filter (where p.in_flight), \
                min(coalesce(p.ended_at, p.deadline)) + make_interval(secs => $2), \
                $2 > 0 and ({others_wait}) \
         from (select ended_at, deadline, bulk, items, {SENDS} as sends, \
                      ended_at is null and deadline > $1 \
                          and (lease_key is null \
                               or exists (select from lease \
                                          where key = lease_key and token = lease_token and owner <> '' \
                                            and expires_at > $1)) as in_flight \
               from service_call_reference_log \
               where coalesce(ended_at, deadline) > $1::timestamptz - make_interval(secs => $2) and {own}) p"
    );
    let row = prepared::query_one(tx, &statement, &[&now, &window.as_secs_f64()])
        .await
        .map_err(StoreError::query(operation))?;
    let read = |index: usize| -> Result<u32, StoreError> {
        let count: i64 = row.try_get(index).map_err(StoreError::query(operation))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    let usage = budget::Usage {
        in_flight: read(0)?,
        calls: read(1)?,
        bulk_calls: read(2)?,
        events: read(3)?,
        bulk_events: read(4)?,
        others_wait: row.try_get(7).map_err(StoreError::query(operation))?,
    };
    let at = |index: usize| row.try_get(index).map_err(StoreError::query(operation));
    Ok(Counted { usage, slot_at: at(5)?, room_at: at(6)? })
}

/// The permits that stop counting within the horizon, the next first; as many as can matter.
async fn freed(
    tx: &Transaction<'_>,
    now: Timestamp,
    window: Duration,
    limits: &CallLimits,
    events: u32,
) -> Result<Vec<budget::Freed>, StoreError> {
    let operation = "look when there is room for calls to Planner";
    let most = limits.calls_per_minute.into_iter().chain(limits.events_per_minute).max().unwrap_or_default();
    let horizon = budget::horizon(limits, events, window).as_secs_f64();
    let statement = format!(
        "select extract(epoch from coalesce(ended_at, deadline) - $1::timestamptz)::float8 + $2, \
                case when {SENDS} then items else 0 end \
         from service_call_reference_log \
         where coalesce(ended_at, deadline) > $1::timestamptz - make_interval(secs => $2) \
           and coalesce(ended_at, deadline) <= $1::timestamptz - make_interval(secs => $2 - $4) \
         order by coalesce(ended_at, deadline) limit $3"
    );
    let seconds = window.as_secs_f64();
    let rows = prepared::query(tx, &statement, &[&now, &seconds, &i64::from(most), &horizon])
        .await
        .map_err(StoreError::query(operation))?;
    rows.iter()
        .map(|row| {
            let (after, items): (f64, i32) = (row.try_get(0)?, row.try_get(1)?);
            let after = Duration::try_from_secs_f64(after.max(0.0)).unwrap_or_default();
            Ok(budget::Freed { after, events: u32::try_from(items).unwrap_or_default() })
        })
        .collect::<Result<_, tokio_postgres::Error>>()
        .map_err(StoreError::query(operation))
}

fn wait_until(free_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = free_at.map(|at| at.duration_since(now)).and_then(|left| Duration::try_from(left).ok());
    left.unwrap_or_default().clamp(*WAIT.start(), *WAIT.end())
}

/// Completes the log entry of a call, unless it is complete already.
pub(crate) async fn close(tx: &Transaction<'_>, id: Uuid, end: &CallEnd) -> Result<(), StoreError> {
    prepared::execute(
        tx,
        "update service_call_reference_log \
         set ended_at = clock_timestamp(), success = $2, event_id = $3, text = $4, \
             service_call_response_reference_id = $5 \
         where call_id = $1 and ended_at is null",
        &[
            &id,
            &end.success,
            &end.event_id.map(i32::from),
            &end.text.as_deref().map(clean),
            &end.planner_call_id,
        ],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("record the end of a call to Planner"))
}

/// Text from outside as PostgreSQL takes it: without NUL, and not longer than a log needs.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(1_000).collect()
}
