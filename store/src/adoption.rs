//! Adoption: taking over from Planner what it holds for a mailbox, before anything is sent for it (B9): because
//! it is new, because it was revived, or because an operator asked, as after restoring an old backup
//! ([`Store::ask_for_adoption`]).
//!
//! Protocol: a mailbox that is not adopted (`adopted_at` is null) is due from `adopt_due_at` on. The caller asks Planner (GetEvents, the begin of the
//! call being recorded by the database's clock) and hands the answer to [`Store::adopt`], which in one
//! transaction makes the acknowledged state of every key that overlaps the window what Planner holds, and
//! learns the keys that only Planner knew (version 0: no decision yet). Keys in flight, and keys for which
//! anything was logged since the call began, are left: the answer may be older than they are.
//!
//! Keys that Planner refused and keys that were set aside are taken up again, as by a comparison (B9): a mailbox that
//! left Planner's list is refused there, and nothing else would send what it lacks when it is revived.
//!
//! The adoption opens the mailbox for sending once it has been read in full afterwards; a reading that was
//! complete before is forgotten and asked for again, since it could not know the learned keys. `adopted_at` is the
//! beginning of the call, so that a mailbox is done when it is younger than the request.
//!
//! An adoption does not wait for the disk. When the database server crashes before its commit is written, all of it is undone:
//! the mailbox is due again and adopted anew. Nothing outlives it that was built upon it: commits are written in their order,
//! and whoever saw an adoption commits after it. What is sent on the strength of it has a permit first, whose commit waits
//! for the disk ([`crate::calls`]) and takes the adoption with it, as the end of any live change does. A standby that takes
//! the server's place is no other case: who waits for it waits for all that came before.
//!
//! Failure: an error means that nothing was taken over (or that this is unknown); adopt again. A mailbox that was
//! asked for while its adoption ran stays due. An unknown outcome shortly before or during an adoption makes the
//! mailbox due for comparison, for Planner may apply late.

use std::time::Duration;

use calendar::{MailAddress, OriginId, Slot};
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::conflict::{HELD, HELD_SCOPE};
use crate::lease::{self, Fence};
use crate::notification_queue::first_read;
use crate::notifications::NotificationKind;
use crate::operations::Scope;
use crate::wake::{self, Channel, News};
use crate::{Store, StoreError, comparison, prepared};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// A mailbox that is to be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueAdoption {
    /// Whose.
    pub mail: MailAddress,
    /// The earliest start among its keys that overlap the window (decided or acknowledged): Planner filters
    /// by the start, so the question must reach back to it.
    pub earliest: Option<Timestamp>,
}

/// What Planner holds for one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Whose.
    pub mail: MailAddress,
    /// When the call began, by the database's clock ([`crate::calls::CallStart::began`]).
    pub began: Timestamp,
    /// The window (B3); what overlaps it is taken over.
    pub window: Slot,
    /// What Planner holds, one row a key, times to the second.
    pub held: Vec<HeldEvent>,
    /// How long after an unknown outcome a mailbox is compared.
    pub after_unknown_outcome: Duration,
    /// The time of this process; a reading that is asked for counts as received then.
    pub now: Timestamp,
}

/// One appointment that Planner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEvent {
    /// Its origin id.
    pub origin_id: OriginId,
    /// Its times.
    pub slot: Slot,
    /// Planner's identifier of it.
    pub calendar_event_identifier: Option<Uuid>,
    /// Planner's identifier of the resource.
    pub planner_resource_identifier: Option<Uuid>,
}

/// What an adoption changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Adopted {
    /// Known keys whose acknowledged state changed.
    pub corrected: u64,
    /// Keys that only Planner knew.
    pub learned: u64,
    /// The mailbox was not adopted before, or was asked to be adopted anew: only now may be sent for it (again).
    pub first: bool,
    /// A full reading was asked for.
    pub full_read: bool,
}

/// SQL: does the key `e` overlap the window `$2`..`$3`, as decided or as acknowledged?
pub(crate) const OVERLAPS: &str =
    "((e.end_at > $2 and e.start_at < $3) or (e.ack_end > $2 and e.ack_start < $3))";

impl Store {
    /// Up to `limit` mailboxes that are due, the longest waiting first, without those in `busy`.
    pub async fn adoptions_due(
        &self,
        limit: u32,
        busy: &[MailAddress],
        window: Slot,
    ) -> Result<Vec<DueAdoption>, StoreError> {
        let operation = "look for mailboxes to be adopted";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(&format!(
                "select r.mail, (select min(least(e.start_at, e.ack_start)) from calendar_event e \
                                 where e.mail = r.mail and {OVERLAPS}) \
                 from planner_resource r \
                 where r.adopt_due_at <= now() and r.adopted_at is null and r.deleted_date is null \
                   and not (r.mail = any ($1)) \
                 order by r.adopt_due_at, r.mail limit $4"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        let busy: Vec<&str> = busy.iter().map(MailAddress::as_str).collect();
        let rows = client
            .query(&statement, &[&busy, &window.start, &window.end, &i64::from(limit)])
            .await
            .map_err(StoreError::query(operation))?;
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            let mail: &str = row.try_get(0).map_err(StoreError::query(operation))?;
            let Ok(mail) = MailAddress::parse(mail) else { continue };
            due.push(DueAdoption { mail, earliest: row.try_get(1).map_err(StoreError::query(operation))? });
        }
        Ok(due)
    }

    /// The time until the next mailbox is due; zero when one is, `None` when none will be.
    pub async fn next_adoption(&self) -> Result<Option<Duration>, StoreError> {
        let operation = "look when a mailbox is to be adopted";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select extract(epoch from min(adopt_due_at) - now())::float8 from planner_resource \
                 where adopt_due_at is not null and adopted_at is null and deleted_date is null",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let seconds: Option<f64> = client
            .query_one(&statement, &[])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(StoreError::query(operation))?;
        Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
    }

    /// Takes over what Planner holds. `None` when the mailbox is not in use any more.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn adopt(&self, fence: &Fence, adoption: &Adoption) -> Result<Option<Adopted>, StoreError> {
        let operation = "adopt what Planner holds";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let ((), ()) = tokio::try_join!(biased; lease::guard(&tx, fence), hurry(&tx))?;
        let mail = adoption.mail.as_str();
        let mut adopted = Adopted::default();
        (adopted.corrected, adopted.learned) = take_over(&tx, adoption).await?;
        // The resource row comes last, as everywhere: keys before resources, so that no two wait for each other.
        let row = prepared::query_opt(
            &tx,
            "select adopted_at is null, full_read_began_at is not null from planner_resource \
             where mail = $1 and deleted_date is null for update",
            &[&mail],
        )
        .await
        .map_err(StoreError::query(operation))?;
        let Some(row) = row else { return Ok(None) };
        adopted.first = row.try_get(0).map_err(StoreError::query(operation))?;
        let read_before: bool = row.try_get(1).map_err(StoreError::query(operation))?;
        if adopted.first {
            let waiting = waiting_full_read(&tx, mail).await?;
            adopted.full_read = waiting.calls_for_another(read_before);
            if adopted.full_read {
                ask_for_full_read(&tx, &adoption.mail, adoption.now).await?;
            } else if waiting.unmarked {
                mark_first_read(&tx, mail).await?;
            }
        }
        // Who asked for an adoption since the call began wants one that began later: it stays due.
        prepared::execute(
            &tx,
            &format!(
                "update planner_resource r \
                 set adopted_at = case when r.adopt_due_at > $2 then r.adopted_at \
                                       else coalesce(r.adopted_at, $2) end, \
                     full_read_began_at = case when r.adopted_at is null then null \
                                               else r.full_read_began_at end, \
                     full_read_whole = case when r.adopted_at is not null then r.full_read_whole end, \
                     adopt_due_at = case when r.adopt_due_at > $2 then r.adopt_due_at end, \
                     compare_due_at = least(r.compare_due_at, {recheck}) \
                 where r.mail = $1",
                recheck = comparison::recheck_sql("$1", "$2", "$3")
            ),
            &[&mail, &adoption.began, &adoption.after_unknown_outcome.as_secs_f64()],
        )
        .await
        .map_err(StoreError::query(operation))?;
        base::crash::point("comparison.adoption-written");
        let news = News::of_parts(Channel::FullRead, [adoption.mail.bucket()])
            .when(adopted.full_read)
            .with(News::of(Channel::Decision));
        self.commit(tx, news, operation).await?;
        Ok(Some(adopted))
    }

    /// Makes mailboxes due for adoption as if they were new, because somebody asks: nothing is sent for them until
    /// they are adopted and read in full. What Planner has acknowledged is replaced by what it holds. Answers how
    /// many; none when `scope` names a mailbox that is not in use.
    ///
    /// # Errors
    /// Nothing was asked for, or this is unknown; asking twice is harmless.
    pub async fn ask_for_adoption(&self, scope: &Scope) -> Result<u64, StoreError> {
        let operation = "ask for an adoption";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let asked = tx
            .execute(
                &format!(
                    "{HELD_SCOPE} update planner_resource r \
                     set adopted_at = null, full_read_began_at = null, full_read_whole = null, adopt_due_at = now() \
                     from held where r.mail = held.mail and r.deleted_date is null"
                ),
                &[&scope.mail()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::Comparison).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(asked)
    }

    /// Puts the adoption of mailboxes off, because Planner could not be asked about them.
    pub async fn postpone_adoption(
        &self,
        fence: &Fence,
        mails: &[MailAddress],
        after: Duration,
    ) -> Result<(), StoreError> {
        let operation = "put off an adoption";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        tx.execute(
            &format!(
                "{HELD} update planner_resource r set adopt_due_at = now() + make_interval(secs => $2) from held \
                 where r.mail = held.mail and r.adopt_due_at is not null and r.adopted_at is null"
            ),
            &[&mails, &after.as_secs_f64()],
        )
        .await
        .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// The commit does not wait for the disk (see above).
async fn hurry(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.batch_execute("set local synchronous_commit = off")
        .await
        .map_err(StoreError::query("adopt what Planner holds"))
}

/// Corrects known keys and inserts learned ones; answers how many of each.
///
/// Learned ones come first: who decides about one of them at this moment is waited for, and the key is known then. The other
/// way round it would be neither corrected nor learned, and be sent although Planner holds it.
async fn take_over(tx: &Transaction<'_>, adoption: &Adoption) -> Result<(u64, u64), StoreError> {
    let mail = adoption.mail.as_str();
    let (from, to) = (adoption.window.start, adoption.window.end);
    let rows = Rows::of(&adoption.held);
    // One order for everybody who locks keys, so that no two wait for each other: an update locks as its plan reads.
    prepared::execute(
        tx,
        &format!(
            "select from calendar_event e where e.mail = $1 and ({OVERLAPS} or e.origin_id = any ($4)) \
             order by e.origin_id for update"
        ),
        &[&mail, &from, &to, &rows.origin_ids],
    )
    .await
    .map_err(StoreError::query("lock the keys to be adopted"))?;
    let learned = learn(tx, adoption, &rows).await?;
    let corrected = correct(tx, adoption, &rows).await?;
    prepared::execute(
        tx,
        &format!(
            "update calendar_event e set refused_version = null, refused_code = null, \
                 set_aside_version = null, set_aside_reason = null, attempts = 0 \
             where e.mail = $1 and {OVERLAPS} \
               and (e.refused_version = e.version or e.set_aside_version = e.version)"
        ),
        &[&mail, &from, &to],
    )
    .await
    .map_err(StoreError::query("take up what was refused"))?;
    Ok((corrected, learned))
}

/// What Planner holds, as columns.
struct Rows<'a> {
    origin_ids: Vec<&'a str>,
    starts: Vec<Timestamp>,
    ends: Vec<Timestamp>,
    events: Vec<Option<Uuid>>,
    resources: Vec<Option<Uuid>>,
}

impl<'a> Rows<'a> {
    fn of(held: &'a [HeldEvent]) -> Self {
        Self {
            origin_ids: held.iter().map(|event| event.origin_id.as_str()).collect(),
            starts: held.iter().map(|event| event.slot.start).collect(),
            ends: held.iter().map(|event| event.slot.end).collect(),
            events: held.iter().map(|event| event.calendar_event_identifier).collect(),
            resources: held.iter().map(|event| event.planner_resource_identifier).collect(),
        }
    }
}

/// Inserts the keys that only Planner knew.
async fn learn(tx: &Transaction<'_>, adoption: &Adoption, rows: &Rows<'_>) -> Result<u64, StoreError> {
    let Rows { origin_ids, starts, ends, events, resources } = rows;
    prepared::execute(
        tx,
        "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end, ack_at, \
                                     calendar_event_identifier, planner_resource_identifier) \
         select $1, h.origin_id, true, h.start_at, h.end_at, clock_timestamp(), \
                h.event_identifier, h.resource_identifier \
         from unnest($4::text[], $5::timestamptz[], $6::timestamptz[], $7::uuid[], $8::uuid[]) \
              as h (origin_id, start_at, end_at, event_identifier, resource_identifier) \
         where h.end_at > $2 and h.start_at < $3 order by h.origin_id \
         on conflict (mail, origin_id) do nothing",
        &[
            &adoption.mail.as_str(),
            &adoption.window.start,
            &adoption.window.end,
            origin_ids,
            starts,
            ends,
            events,
            resources,
        ],
    )
    .await
    .map_err(StoreError::query("adopt what only Planner knew"))
}

/// Makes the acknowledged state of the known keys what Planner holds.
async fn correct(tx: &Transaction<'_>, adoption: &Adoption, rows: &Rows<'_>) -> Result<u64, StoreError> {
    let Rows { origin_ids, starts, ends, events, resources } = rows;
    let statement = format!(
        "with held as ( \
             select * from unnest($4::text[], $5::timestamptz[], $6::timestamptz[], $7::uuid[], $8::uuid[]) \
             as h (origin_id, start_at, end_at, event_identifier, resource_identifier)), \
         fact as ( \
             select e.origin_id, h.start_at, h.end_at, h.event_identifier, h.resource_identifier \
             from calendar_event e left join held h on h.origin_id = e.origin_id \
             where e.mail = $1 and ({OVERLAPS} or (h.end_at > $2 and h.start_at < $3)) \
               and not exists (select from key_in_flight f \
                               where f.mail = $1 and f.origin_id = e.origin_id) \
               and not exists (select from sync_log l \
                               where l.mail = $1 and l.origin_id = e.origin_id and l.at >= $9)) \
         update calendar_event e set \
             ack_there = f.start_at is not null, ack_start = f.start_at, ack_end = f.end_at, \
             ack_at = clock_timestamp(), uncertain = false, \
             unanswered = 0, next_attempt_at = null, \
             calendar_event_identifier = coalesce(f.event_identifier, e.calendar_event_identifier), \
             planner_resource_identifier = coalesce(f.resource_identifier, e.planner_resource_identifier) \
         from fact f \
         where e.mail = $1 and e.origin_id = f.origin_id \
           and (e.ack_there, e.ack_start, e.ack_end, e.uncertain) \
               is distinct from (f.start_at is not null, f.start_at, f.end_at, false)"
    );
    prepared::execute(
        tx,
        &statement,
        &[
            &adoption.mail.as_str(),
            &adoption.window.start,
            &adoption.window.end,
            origin_ids,
            starts,
            ends,
            events,
            resources,
            &adoption.began,
        ],
    )
    .await
    .map_err(StoreError::query("adopt what Planner holds"))
}

async fn ask_for_full_read(
    tx: &Transaction<'_>,
    mail: &MailAddress,
    now: Timestamp,
) -> Result<(), StoreError> {
    prepared::execute(
        tx,
        &format!(
            "insert into notification (mail, bucket, event_type, received_at, first_read) \
             values ($1, $2, $3, $4, {})",
            first_read("$1")
        ),
        &[&mail.as_str(), &i16::from(mail.bucket()), &NotificationKind::FullRead.as_str(), &now],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("ask for a full reading"))
}

/// A full read that was asked for before its mailbox was to be read as if for the first time does not wait for those of others.
async fn mark_first_read(tx: &Transaction<'_>, mail: &str) -> Result<(), StoreError> {
    let mark = format!(
        "update notification set first_read = true \
         where mail = $1 and event_type = 'FullRead' and set_aside_at is null and claim is null and {}",
        first_read("$1")
    );
    tx.execute_typed(&mark, &[(&mail, Type::TEXT)])
        .await
        .map(drop)
        .map_err(StoreError::query("put a full reading before others"))
}

/// What there is of a mailbox that leads, or has led, to its full reading.
struct WaitingFullRead {
    /// One is queued that has not begun.
    queued: bool,
    /// And it was not asked for as the first of its mailbox.
    unmarked: bool,
    /// One may be under way.
    claimed: bool,
    /// It has had its first catch-up.
    caught_up: bool,
}

impl WaitingFullRead {
    /// Must the mailbox be read in full once more? Yes when it was read already, or when a reading may be under
    /// way; not when one is queued that has not begun, or when its first catch-up will ask for it. A mailbox with a
    /// sync state has had its first catch-up: the reading that it asked for is lost when the mailbox was out of use
    /// for a moment or when it was set aside.
    const fn calls_for_another(&self, read_before: bool) -> bool {
        !self.queued && (read_before || self.claimed || self.caught_up)
    }
}

/// The resource row is locked by now: a reading that is claimed after this look
/// waits for the commit ([`Store::begin_full_reads`]) and knows what was learned.
async fn waiting_full_read(tx: &Transaction<'_>, mail: &str) -> Result<WaitingFullRead, StoreError> {
    let operation = "look for a queued full reading";
    // not prepared: see notification_queue::finish
    let look = "select coalesce(bool_or(claim is null), false), \
                       coalesce(bool_or(claim is null and not first_read), false), \
                       coalesce(bool_or(claim is not null), false), \
                       exists (select from sync_state where mail = $1) \
                from notification where mail = $1 and event_type = 'FullRead' and set_aside_at is null";
    let rows = tx.query_typed(look, &[(&mail, Type::TEXT)]).await.map_err(StoreError::query(operation))?;
    // an aggregate is one row
    let value = |column: usize| rows.first().map_or(Ok(false), |row| row.try_get(column));
    Ok(WaitingFullRead {
        queued: value(0).map_err(StoreError::query(operation))?,
        unmarked: value(1).map_err(StoreError::query(operation))?,
        claimed: value(2).map_err(StoreError::query(operation))?,
        caught_up: value(3).map_err(StoreError::query(operation))?,
    })
}
