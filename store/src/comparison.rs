//! Comparison back (B11): which mailboxes are to be compared with what Planner holds, and taking the result
//! into the store.
//!
//! Protocol: a mailbox is due from `compare_due_at` on; the schedule, an operator
//! ([`Store::ask_for_comparison`]) or a call of unknown outcome set it. A mailbox that was not read in full
//! today is read first ([`Store::read_before_comparison`]), since nobody can tell yet what its new day holds; it
//! waits for that reading and no other mailbox waits for it. The caller asks Planner (GetEvents) and hands the
//! answer to [`Store::compare`], which in one transaction lets the pure table of `calendar::compare` judge every
//! key, makes the acknowledged state of the judged keys what Planner holds, and so makes them waiting to be sent
//! where that differs from the decision. What Planner holds and nobody knows gets the decision "absent". How far
//! a run is, follows from `compared_at`.
//!
//! Failure: an error means that nothing took effect, or that this is unknown; compare again. A mailbox that was
//! asked for while its comparison ran stays due. An unknown outcome shortly before or during a comparison makes
//! the mailbox due again, at the latest [`LATE_APPLICATION`] after it: Planner may apply late (B9).

use std::time::Duration;

use calendar::{MailAddress, Slot};
use jiff::Timestamp;

use crate::conflict::{HELD, HELD_SCOPE};
use crate::lease::{self, Fence};
use crate::notifications::NotificationKind;
use crate::operations::Scope;
use crate::wake::{self, Channel, News};
use crate::{Store, StoreError, schedules};

mod apply;
mod keys;
mod write;

#[cfg(test)]
#[cfg(feature = "testing")]
mod matrix_tests;
#[cfg(test)]
#[cfg(feature = "testing")]
pub(crate) mod tests;

pub use apply::{Compared, Comparison, Fate, Withheld};

/// How long after an unknown outcome the last comparison that looks for it is made: B9 asks for one within 15
/// minutes, and the later it is, the more of what Planner applied late it finds.
pub const LATE_APPLICATION: Duration = Duration::from_secs(14 * 60);

/// SQL: when the mailbox `$mail` is to be compared because of unknown outcomes, as seen from a call that began at
/// `$began`: `$after` seconds after the last of them, then once more after [`LATE_APPLICATION`]; null when both
/// are over.
pub(crate) fn recheck_sql(mail: &str, began: &str, after_s: &str) -> String {
    let late_s = base::pace::scaled(LATE_APPLICATION).as_secs();
    format!(
        "(select case when max(l.at) + make_interval(secs => {after_s}) > {began} \
                      then max(l.at) + make_interval(secs => {after_s}) \
                      when max(l.at) + interval '{late_s} s' > {began} \
                      then max(l.at) + interval '{late_s} s' end \
          from sync_log l where l.mail = {mail} and l.outcome = 'unknown' \
            and l.at > {began}::timestamptz - make_interval(secs => greatest({after_s}, {late_s})))"
    )
}

/// SQL: when the resource `r` is to be compared. (`adopt_due_at` of one that is adopted was written by the
/// version before, after an unknown outcome.)
const DUE: &str = "case when r.adopted_at is not null and r.deleted_date is null \
                        then least(r.compare_due_at, r.adopt_due_at) end";
/// SQL: the same as a condition that the indexes serve.
const IS_DUE: &str = "r.adopted_at is not null and r.deleted_date is null \
                      and (r.compare_due_at <= now() or r.adopt_due_at <= now())";

/// A mailbox that is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueComparison {
    /// Whose.
    pub mail: MailAddress,
    /// The earliest start among its keys that overlap the window (decided or acknowledged): Planner filters by
    /// the start, so the question must reach back to it.
    pub earliest: Option<Timestamp>,
}

/// Mailboxes that are due and have to be read in full first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unread {
    /// How many there are.
    pub waiting: u64,
    /// For how many of them a reading was asked for now; it was asked for before for the others.
    pub asked: u64,
}

impl Store {
    /// Up to `limit` mailboxes that are due, adopted and read in full since `read_since` (the beginning of the
    /// day), the longest waiting first, without those in `busy`.
    pub async fn comparisons_due(
        &self,
        limit: u32,
        busy: &[MailAddress],
        window: Slot,
        read_since: Timestamp,
    ) -> Result<Vec<DueComparison>, StoreError> {
        let operation = "look for mailboxes to be compared";
        let client = self.client(operation).await?;
        let overlaps = crate::adoption::OVERLAPS;
        let statement = client
            .prepare_cached(&format!(
                "select r.mail, (select min(least(e.start_at, e.ack_start)) from calendar_event e \
                                 where e.mail = r.mail and {overlaps}) \
                 from planner_resource r \
                 where {IS_DUE} and r.full_read_began_at >= $5 and not (r.mail = any ($1)) \
                 order by {DUE}, r.mail limit $4"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        let busy: Vec<&str> = busy.iter().map(MailAddress::as_str).collect();
        let rows = client
            .query(&statement, &[&busy, &window.start, &window.end, &i64::from(limit), &read_since])
            .await
            .map_err(StoreError::query(operation))?;
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            let mail: &str = row.try_get(0).map_err(StoreError::query(operation))?;
            let Ok(mail) = MailAddress::parse(mail) else { continue };
            due.push(DueComparison { mail, earliest: row.try_get(1).map_err(StoreError::query(operation))? });
        }
        Ok(due)
    }

    /// The time until the next mailbox that was read in full since `read_since` is due; zero when one is, `None`
    /// when none will be. (Those that are to be read first wake by their reading.)
    pub async fn next_comparison(&self, read_since: Timestamp) -> Result<Option<Duration>, StoreError> {
        let operation = "look when a mailbox is to be compared";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(&format!(
                "select extract(epoch from min({DUE}) filter (where r.full_read_began_at >= $1 or {DUE} > now()) \
                                           - now())::float8 \
                 from planner_resource r where r.compare_due_at is not null or r.adopt_due_at is not null"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        let seconds: Option<f64> = client
            .query_one(&statement, &[&read_since])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(StoreError::query(operation))?;
        Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
    }

    /// Asks for a full reading of every mailbox that is due and was not read in full since `read_since`, unless
    /// one waits or is under way: the first look of a day asks, the later ones find that it was asked.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn read_before_comparison(
        &self,
        fence: &Fence,
        read_since: Timestamp,
        now: Timestamp,
    ) -> Result<Unread, StoreError> {
        let operation = "ask for full readings before a comparison";
        let mut client = self.client(operation).await?;
        let unread = format!("{IS_DUE} and (r.full_read_began_at is null or r.full_read_began_at < $1)");
        let count = client
            .prepare_cached(&format!("select count(*) from planner_resource r where {unread}"))
            .await
            .map_err(StoreError::query(operation))?;
        let waiting: i64 = client
            .query_one(&count, &[&read_since])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(StoreError::query(operation))?;
        let waiting = u64::try_from(waiting).unwrap_or_default();
        if waiting == 0 {
            return Ok(Unread::default());
        }
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let asked = tx
            .execute(
                &format!(
                    "insert into notification (mail, bucket, event_type, received_at, first_read) \
                     select r.mail, r.bucket, $2, $3, r.last_full_sync is null from planner_resource r \
                     where {unread} \
                       and r.mail not in (select n.mail from notification n \
                                          where n.event_type = $2 and n.set_aside_at is null) \
                     order by r.mail"
                ),
                &[&read_since, &NotificationKind::FullRead.as_str(), &now],
            )
            .await
            .map_err(StoreError::query(operation))?;
        self.commit(tx, News::of(Channel::FullRead).when(asked > 0), operation).await?;
        Ok(Unread { waiting, asked })
    }

    /// Makes mailboxes due for comparison, because somebody asks. Answers how many; none when `scope` names a
    /// mailbox that is not in use.
    ///
    /// # Errors
    /// Nothing was asked for, or this is unknown; asking twice is harmless.
    pub async fn ask_for_comparison(&self, scope: &Scope) -> Result<u64, StoreError> {
        let operation = "ask for a comparison";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let asked = ask(&tx, scope).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(asked)
    }

    /// Makes all mailboxes due, because the schedule `name` says so, and records that it ran.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn ask_for_scheduled_comparison(
        &self,
        fence: &Fence,
        name: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let operation = "ask for the scheduled comparison";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let asked = ask(&tx, &Scope::All).await?;
        schedules::record_run(&tx, name, now).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(asked)
    }

    /// Puts the comparison of mailboxes off, because Planner could not be asked about them.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn postpone_comparison(
        &self,
        fence: &Fence,
        mails: &[MailAddress],
        after: Duration,
    ) -> Result<(), StoreError> {
        let operation = "put off a comparison";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        tx.execute(
            &format!(
                "{HELD} update planner_resource r set adopt_due_at = null, \
                        compare_due_at = now() + make_interval(secs => $2) \
                 from held where r.mail = held.mail and {IS_DUE}"
            ),
            &[&mails, &after.as_secs_f64()],
        )
        .await
        .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

async fn ask(tx: &tokio_postgres::Transaction<'_>, scope: &Scope) -> Result<u64, StoreError> {
    let asked = tx
        .execute(
            &format!(
                "{HELD_SCOPE} update planner_resource r set compare_due_at = now() \
                 from held where r.mail = held.mail and r.deleted_date is null"
            ),
            &[&scope.mail()],
        )
        .await
        .map_err(StoreError::query("ask for a comparison"))?;
    wake::notify(tx, Channel::Comparison).await?;
    Ok(asked)
}
