//! The taking half of the notification table (B7): a qualifier shard claims notifications, and each ends in
//! the log with an outcome, or waits for another try, or is set aside with its error.
//!
//! Protocol: each incarnation of a shard has a number of its own ([`Store::new_claim`]), which it puts on the rows that it
//! claims. Whoever claims or finishes does it under the shard's fence. Handing a row back (for a retry) takes the number off
//! again. It begins with what was left behind ([`Wanted::LeftBehind`]): rows that bear another number are those that a
//! predecessor had in hand when it ended, so a crash between claiming and finishing loses nothing. When a claim has
//! seen all of these no more of them can appear: they were claimed under an older fence, and every transaction under
//! that one has ended or is refused, since its check of the fence and the take-over wait for each other. From then on it
//! claims new rows alone ([`Wanted::New`]).
//!
//! A claim of new rows costs what it claims and not what waits: the buckets of the shard are walked along an index, each to
//! its share, the oldest first, and only buckets that had more than their share are walked further. So of each mailbox (which
//! lives in one bucket) the oldest come first, and those of a bucket with a flood do not hold up the others. Walked over are
//! rows that may not be claimed now: those of mailboxes that are left out, and those that wait for another try.
//!
//! Failure: an error means that nothing was done, or that this is unknown. A claim may have been committed
//! without its answer being seen: after an error what was left behind is looked for again. Then it is said what is in hand, and
//! rows that bear the own number without being in hand are given out again. The transaction of the claim that failed may
//! still be under way at the server (a commit that waits for a standby, a connection that was cut between), so claims of one
//! number are made one after the other under an advisory lock of that number: the next one begins when it has ended. An
//! incarnation looks for what was left behind once in a while besides, without having seen a failure: the end of a hint that
//! led to no decision may be undone by a crash of the database server ([`crate::decisions`]), and its row comes back with a
//! number whose bearer has forgotten it. So may the end of a full read, and a claim of these ([`Wanted::FullReads`]) says
//! always what is in hand.

use std::collections::HashMap;

use base::TraceContext;
use calendar::{ItemId, MailAddress};
use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use crate::lease::{self, Fence};
use crate::{Store, StoreError, prepared};

mod aside;

pub use aside::SetAsideNotification;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The advisory lock of the claims that bear the number 0; that of another number is so much higher.
const CLAIM_LOCK: i64 = 0x6e6f_7469_6679_0000;
/// SQL: waits for the claim of this number that is under way. What follows does not wait for the disk: when the database server
/// forgets a claim its rows are new again, or bear the number of before. Who has them in hand may be given them once more then,
/// and does with them what it would do with another hint at the same item.
const BEGIN_CLAIM: &str = "select pg_advisory_xact_lock($1), set_config('synchronous_commit', 'off', true)";
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
    /// Was it put off, and is due again? Not so what was asked for anew since, or never tried.
    pub due_again: bool,
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

/// Which notifications to claim. Of what is in hand the rows are named that the incarnation really has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Hints about items that nobody has claimed.
    New,
    /// Hints about items that are claimed although nobody has them: those that bear the number of a predecessor, and those
    /// that bear the own number without being `in_hand`. To be claimed first by a new incarnation, and after a claim that
    /// failed, until one has brought fewer than its limit and left no mailbox out.
    LeftBehind {
        /// What is in hand.
        in_hand: &'a [i64],
    },
    /// Full reads: those that nobody has claimed, and those that are left behind.
    FullReads {
        /// What is in hand.
        in_hand: &'a [i64],
        /// Mailboxes in a pause: of these what is not put off ([`Claimed::due_again`]).
        pausing: &'a [MailAddress],
    },
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
    /// Which notifications.
    pub wanted: Wanted<'a>,
    /// Mailboxes that are left out: in back-off, or with much in hand already.
    pub without: &'a [MailAddress],
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

    /// Claims notifications and answers them by age. Of the hints of a mailbox the oldest are claimed first; of full reads the
    /// oldest, but those of mailboxes that were never read before all others. Rows that nothing can be done with (an address
    /// that is none, a hint without an item) are set aside on the way.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when the fence is not the current one.
    pub async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Vec<Claimed>, StoreError> {
        let operation = "claim notifications";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, request.fence).await?;
        let lock = CLAIM_LOCK.wrapping_add(request.claim);
        prepared::execute(&tx, BEGIN_CLAIM, &[&lock]).await.map_err(StoreError::query(operation))?;
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let rows = match request.wanted {
            Wanted::New => claim_in_walks(&tx, request, Walked::Hints, limit).await,
            Wanted::LeftBehind { in_hand } => claim_left_behind(&tx, request, in_hand).await,
            Wanted::FullReads { in_hand, pausing } => {
                claim_full_reads(&tx, request, in_hand, pausing, limit).await
            }
        }
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

/// How many rows a bucket is walked to, when `wanted` are wanted of so many buckets: twice as many as if they waited evenly,
/// so that a second walk is seldom needed.
fn share(wanted: usize, buckets: usize) -> usize {
    wanted.saturating_mul(2).div_ceil(buckets.max(1)).min(wanted)
}

/// What is walked along its index.
#[derive(Debug, Clone, Copy)]
enum Walked<'a> {
    /// Hints that nobody has claimed.
    Hints,
    /// Full reads that nobody has in hand.
    FullReads { first: bool, in_hand: &'a [i64], pausing: &'a [MailAddress] },
}

/// Claims in walks. One that did not find enough is followed by another through the buckets
/// that gave their whole share: fewer than half of those before, so there are few walks, and none looks at more than about
/// twice what it may bring, and of full reads at what is in hand or was brought by the walks before.
async fn claim_in_walks(
    tx: &Transaction<'_>,
    request: &ClaimRequest<'_>,
    walked: Walked<'_>,
    limit: usize,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let mut buckets = request.buckets.to_vec();
    let mut claimed = Vec::new();
    // of hints the claim is on the row and keeps it out of the next walk
    let mut in_hand = match walked {
        Walked::Hints => Vec::new(),
        Walked::FullReads { in_hand, .. } => in_hand.to_vec(),
    };
    while claimed.len() < limit && !buckets.is_empty() {
        let wanted = limit - claimed.len();
        let share = share(wanted, buckets.len());
        let walked = match walked {
            Walked::Hints => Walked::Hints,
            Walked::FullReads { first, pausing, .. } => {
                Walked::FullReads { first, in_hand: &in_hand, pausing }
            }
        };
        let walk = walk(tx, request, walked, &buckets, (share, wanted)).await?;
        let mut found: HashMap<i16, usize> = HashMap::new();
        for row in &walk {
            in_hand.push(row.try_get("id")?);
            *found.entry(row.try_get("bucket")?).or_default() += 1;
        }
        buckets.retain(|bucket| found.get(bucket).is_some_and(|found| *found >= share));
        claimed.extend(walk);
    }
    Ok(claimed)
}

/// Claims full reads, the first ones of their mailboxes before all others.
async fn claim_full_reads(
    tx: &Transaction<'_>,
    request: &ClaimRequest<'_>,
    in_hand: &[i64],
    pausing: &[MailAddress],
    limit: usize,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let walked = |first| Walked::FullReads { first, in_hand, pausing };
    let mut claimed = claim_in_walks(tx, request, walked(true), limit).await?;
    let rest = limit - claimed.len();
    claimed.extend(claim_in_walks(tx, request, walked(false), rest).await?);
    Ok(claimed)
}

/// Walks through `buckets`, each to `share` rows, and claims the `most` oldest of these.
async fn walk<'a>(
    tx: &Transaction<'_>,
    request: &ClaimRequest<'a>,
    walked: Walked<'a>,
    buckets: &[i16],
    (share, most): (usize, usize),
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let names =
        |mails: &'a [MailAddress]| -> Vec<&'a str> { mails.iter().map(MailAddress::as_str).collect() };
    let without = names(request.without);
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (most, share) = (number(most), number(share));
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&request.claim, Type::INT8),
        (&buckets, Type::INT2_ARRAY),
        (&request.now, Type::TIMESTAMPTZ),
        (&without, Type::TEXT_ARRAY),
        (&most, Type::INT8),
        (&share, Type::INT8),
    ];
    let pausing = match &walked {
        Walked::Hints => Vec::new(),
        Walked::FullReads { pausing, .. } => names(pausing),
    };
    let statement = match &walked {
        Walked::Hints => claim_new_sql(),
        Walked::FullReads { first, in_hand, .. } => {
            parameters.extend([
                (first as &(dyn ToSql + Sync), Type::BOOL),
                (in_hand, Type::INT8_ARRAY),
                (&pausing, Type::TEXT_ARRAY),
            ]);
            claim_full_reads_sql()
        }
    };
    // Not prepared: a plan that is kept is one for the length that the table had when it was made.
    tx.query_typed(&statement, &parameters).await
}

/// Claims hints that are claimed although nobody has them.
async fn claim_left_behind(
    tx: &Transaction<'_>,
    request: &ClaimRequest<'_>,
    in_hand: &[i64],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let without: Vec<&str> = request.without.iter().map(MailAddress::as_str).collect();
    tx.query_typed(
        &claim_left_behind_sql(),
        &[
            (&request.claim, Type::INT8),
            (&request.buckets, Type::INT2_ARRAY),
            (&without, Type::TEXT_ARRAY),
            (&i64::from(request.limit), Type::INT8),
            (&in_hand, Type::INT8_ARRAY),
        ],
    )
    .await
}

/// SQL: is a full read of the mailbox `mail` that is asked for now its first? Said of a notification that is stored, it orders the
/// queue and nothing else: where it is not true any more, a full read comes earlier than it need.
pub(crate) fn first_read(mail: &str) -> String {
    format!("exists (select from planner_resource f where f.mail = {mail} and f.last_full_sync is null)")
}

/// SQL: is the notification `n` due at `$3`, and not of the mailboxes `$4`?
const DUE: &str = "(n.next_attempt_at is null or n.next_attempt_at <= $3) and not (n.mail = any ($4))";

/// SQL: the columns of a claimed row, for [`claimed_row`].
const CLAIMED: &str = "n.bucket, n.id, n.mail, n.event_type, n.item_id, n.old_item_id, n.received_at, n.trace_context, \
                       n.attempts, n.next_attempt_at is not null as due_again";

/// SQL: the rows are found along the index of what is new and claimed by their ids, whatever else the table holds. What was
/// claimed while the lock of a row was waited for is left.
fn claim_new_sql() -> String {
    format!(
        "update notification n set claim = $1 \
         where n.id = any (array( \
             select due.id from unnest($2::smallint[]) as b (bucket) cross join lateral ( \
                 select n.id from notification n \
                 where n.bucket = b.bucket and n.claim is null and n.set_aside_at is null \
                   and n.event_type <> 'FullRead' and {DUE} \
                 order by n.id limit $6) due \
             order by due.id limit $5)) \
           and n.claim is null and n.set_aside_at is null \
         returning {CLAIMED}"
    )
}

/// SQL: the same along the index of what is claimed, which costs what is in hand. Each was due by the clock of who claimed it.
fn claim_left_behind_sql() -> String {
    format!(
        "update notification n set claim = $1 \
         where n.id = any (array( \
             select n.id from notification n \
             where n.bucket = any ($2) and n.claim is not null and n.set_aside_at is null \
               and n.event_type <> 'FullRead' and (n.claim <> $1 or not (n.id = any ($5))) \
               and not (n.mail = any ($3)) \
             order by n.id limit $4)) \
           and n.claim is not null and n.set_aside_at is null \
         returning {CLAIMED}"
    )
}

/// SQL: the same along the index of full reads, of which those that others left behind are claimed with the rest. An
/// operator who asks for one that is put off takes the time off it: what bears one was not asked for since.
fn claim_full_reads_sql() -> String {
    format!(
        "update notification n set claim = $1 \
         where n.id = any (array( \
             select due.id from unnest($2::smallint[]) as b (bucket) cross join lateral ( \
                 select n.id from notification n \
                 where n.bucket = b.bucket and n.first_read = $7 and n.set_aside_at is null \
                   and n.event_type = 'FullRead' and not (n.id = any ($8)) and {DUE} \
                   and (n.next_attempt_at is null or not (n.mail = any ($9))) \
                 order by n.id limit $6) due \
             order by due.id limit $5)) \
           and n.set_aside_at is null \
         returning {CLAIMED}"
    )
}

/// What [`finish`] asks.
const FINISH: &str = "with done as ( \
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
    // Not prepared, as no statement is that looks for rows of this table: it is empty one moment and long the next, and a plan
    // that is kept from the first reads all of it for each row in the second.
    tx.query_typed(
        FINISH,
        &[
            (&ids, Type::INT8_ARRAY),
            (&outcomes, Type::TEXT_ARRAY),
            (&texts, Type::TEXT_ARRAY),
            (&handled, Type::TIMESTAMPTZ_ARRAY),
        ],
    )
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
        due_again: row.try_get("due_again")?,
    }))
}

/// PostgreSQL's text takes no NUL, and errors come from outside.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT_MAX).collect()
}
