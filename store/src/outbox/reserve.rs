//! From a batch to a call: permit and keys in flight, in one transaction, before the request leaves.

use std::time::Duration;

use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use uuid::Uuid;

use super::{END, OPERATION, Operation, PendingKey, SENDABLE, START};
use crate::calls::{self, CallBook, Class, Permit};
use crate::conflict;
use crate::lease::{self, Fence};
use crate::{Store, StoreError};

/// Keys of one mailbox for which the same is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The mailbox.
    pub mail: MailAddress,
    /// What is asked.
    pub operation: Operation,
    /// Live or bulk.
    pub class: Class,
    /// The keys, at least one.
    pub keys: Vec<PendingKey>,
}

/// A call that may be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Our correlation id.
    pub call_id: Uuid,
    /// The mailbox.
    pub mail: MailAddress,
    /// What is asked.
    pub operation: Operation,
    /// The keys, in the order in which they are sent, with the times that are sent.
    pub keys: Vec<PendingKey>,
}

impl CallBook {
    /// Reserves a call for `batch`, whose request will certainly have ended within `lifetime`. `None` when
    /// none of its keys is still to be sent in this way.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn reserve(
        &self,
        fence: &Fence,
        batch: &Batch,
        lifetime: Duration,
    ) -> Result<Permit<Option<Reserved>>, StoreError> {
        let operation = "reserve a call to Planner";
        let mut client = self.store().client(operation).await?;
        let statement = client.prepare_cached(&reserve_sql()).await.map_err(StoreError::query(operation))?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let wanted = u32::try_from(batch.keys.len()).unwrap_or(u32::MAX);
        let grant = match calls::admit(&tx, self.limits(), batch.class, wanted).await? {
            Permit::Granted(grant) => grant,
            Permit::Wait(wait) => return Ok(Permit::Wait(wait)),
        };
        let asked = &batch.keys[..batch.keys.len().min(grant.events as usize)];
        let origin_ids: Vec<&str> = asked.iter().map(|key| key.origin_id.as_str()).collect();
        let versions: Vec<i64> = asked.iter().map(|key| key.version).collect();
        let call_id = Uuid::now_v7();
        let rows = tx
            .query(
                &statement,
                &[
                    &call_id,
                    &batch.mail.as_str(),
                    &batch.operation.code(),
                    &origin_ids,
                    &versions,
                    &grant.now,
                    &lifetime.as_secs_f64(),
                    &batch.operation.call_name(),
                    &batch.class.is_bulk(),
                    &fence.key,
                    &fence.token,
                ],
            )
            .await
            .map_err(StoreError::query(operation))?;
        if rows.is_empty() {
            return Ok(Permit::Granted(None));
        }
        let mut keys = Vec::with_capacity(rows.len());
        for row in &rows {
            let position: i64 = row.try_get("position").map_err(StoreError::query(operation))?;
            let key = usize::try_from(position - 1).ok().and_then(|index| asked.get(index));
            let mut key = key.expect("the statement answers positions of what was asked").clone();
            key.slot = Slot {
                start: row.try_get("start_at").map_err(StoreError::query(operation))?,
                end: row.try_get("end_at").map_err(StoreError::query(operation))?,
            };
            keys.push(key);
        }
        base::crash::point("communicator.reserving");
        tx.commit().await.map_err(StoreError::query(operation))?;
        base::crash::point("communicator.reserved");
        Ok(Permit::Granted(Some(Reserved {
            call_id,
            mail: batch.mail.clone(),
            operation: batch.operation,
            keys,
        })))
    }
}

/// One statement: the keys that are still as they were planned, their rows in flight (a conflict leaves a
/// key out), and the call with their number.
fn reserve_sql() -> String {
    format!(
        "with asked as ( \
             select * from unnest($4::text[], $5::bigint[]) with ordinality as a (origin_id, version, position)), \
         current as ( \
             select e.origin_id, e.version, a.position, {START} as start_at, {END} as end_at \
             from asked a \
             join calendar_event e on e.mail = $2 and e.origin_id = a.origin_id and e.version = a.version \
             join planner_resource r on r.mail = e.mail \
             where e.pending and {OPERATION} = $3 and {SENDABLE}), \
         reserved as ( \
             insert into key_in_flight (mail, origin_id, call_id, position, operation, version, \
                                        start_at, end_at, deadline) \
             select $2, origin_id, $1, position, $3, version, start_at, end_at, \
                    $6::timestamptz + make_interval(secs => $7) \
             from current order by position \
             on conflict (mail, origin_id) do nothing \
             returning position, start_at, end_at), \
         call as ( \
             insert into service_call_reference_log (call_id, operation, mail, items, bulk, started_at, deadline, \
                                                     lease_key, lease_token) \
             select $1, $8, $2, count(*), $9, $6, $6 + make_interval(secs => $7), $10, $11 from reserved \
             having count(*) > 0) \
         select position::bigint, start_at, end_at from reserved order by position"
    )
}

/// Calls whose process recorded no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// The database's time at the beginning.
    pub as_of: Timestamp,
    /// How many calls.
    pub calls: u32,
    /// How many keys they held.
    pub keys: u32,
}

impl Store {
    /// Frees keys in flight whose deadline has passed: the process that sent them died, or could not reach
    /// the database. What Planner did with them is unknown; their mailboxes are compared with
    /// what it holds within `adopt_after`.
    pub async fn expire_calls(
        &self,
        fence: &Fence,
        event_id: u16,
        adopt_after: Duration,
    ) -> Result<Expired, StoreError> {
        conflict::again(|| self.expire_once(fence, event_id, adopt_after)).await
    }

    async fn expire_once(
        &self,
        fence: &Fence,
        event_id: u16,
        adopt_after: Duration,
    ) -> Result<Expired, StoreError> {
        let operation = "free keys of calls without an answer";
        let mut client = self.client(operation).await?;
        let passed = passed();
        let there = client
            .prepare_cached(&format!("select now(), exists (select from key_in_flight where {passed})"))
            .await
            .map_err(StoreError::query(operation))?;
        let row = client.query_one(&there, &[]).await.map_err(StoreError::query(operation))?;
        let as_of: Timestamp = row.try_get(0).map_err(StoreError::query(operation))?;
        if !row.try_get::<_, bool>(1).map_err(StoreError::query(operation))? {
            return Ok(Expired { as_of, calls: 0, keys: 0 });
        }
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let row = tx
            .query_one(expire_sql(passed).as_str(), &[&i32::from(event_id), &adopt_after.as_secs_f64()])
            .await
            .map_err(StoreError::query(operation))?;
        let read = |index: usize| -> Result<u32, StoreError> {
            let count: i64 = row.try_get(index).map_err(StoreError::query(operation))?;
            Ok(u32::try_from(count).unwrap_or(u32::MAX))
        };
        let expired = Expired { as_of, calls: read(0)?, keys: read(1)? };
        tx.commit().await.map_err(StoreError::query(operation))?;
        base::crash::point("communicator.keys-freed");
        Ok(expired)
    }

    /// The calls in flight with their keys; for tests and for people.
    pub async fn keys_in_flight(&self) -> Result<Vec<(Uuid, MailAddress, OriginId)>, StoreError> {
        let operation = "look at the keys in flight";
        let client = self.client(operation).await?;
        let rows = client
            .query("select call_id, mail, origin_id from key_in_flight order by call_id, position", &[])
            .await
            .map_err(StoreError::query(operation))?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let mail: &str = row.try_get(1).map_err(StoreError::query(operation))?;
            let Ok(mail) = MailAddress::parse(mail) else { continue };
            let origin_id: String = row.try_get(2).map_err(StoreError::query(operation))?;
            keys.push((
                row.try_get(0).map_err(StoreError::query(operation))?,
                mail,
                OriginId::new(origin_id),
            ));
        }
        Ok(keys)
    }
}

/// SQL: has the call of a key in flight certainly ended?
fn passed() -> &'static str {
    if base::sabotage::is_broken(base::sabotage::Safeguard::InFlight) { "true" } else { "deadline <= now()" }
}

fn expire_sql(passed: &str) -> String {
    format!("with gone as (delete from key_in_flight where {passed} returning *), {EXPIRE}")
}

const EXPIRE: &str = "marked as ( \
         update calendar_event e set uncertain = true, next_attempt_at = null \
         from gone g where e.mail = g.mail and e.origin_id = g.origin_id), \
     logged as ( \
         insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, outcome, text, at) \
         select call_id, mail, origin_id, operation, version, start_at, end_at, 'unknown', \
                'no answer was recorded before the deadline', clock_timestamp() from gone), \
     closed as ( \
         update service_call_reference_log c \
         set ended_at = c.deadline, success = false, event_id = $1, text = 'no answer was recorded' \
         from (select distinct call_id from gone) g where c.call_id = g.call_id and c.ended_at is null), \
     due as ( \
         update planner_resource r \
         set compare_due_at = least(r.compare_due_at, now() + make_interval(secs => $2)) \
         from (select distinct mail from gone) g where r.mail = g.mail and r.deleted_date is null) \
     select count(distinct call_id), count(*) from gone";
