//! How far an operation is, derived from what the stages wrote; and the booking of what is done.
//!
//! A mailbox that was seen to be done is taken off `operation_mailbox`. So what is left there is what was not seen to be done,
//! and `operation.meant` less that is what was.

use tokio_postgres::Row;

use super::{Operation, OperationKind};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Most mailboxes that are named as waiting, and as not in use any more.
const WAITING_MAX: i64 = 20;
/// After this time, in seconds, whoever asked has also told the stage.
const SETTLED_AFTER_S: f64 = 5.0;

/// Why deletions that were confirmed wait, of a mailbox that is not in use and was not withdrawn.
pub const NOT_SENT: &str = "not sent while the mailbox is not in use";

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Mailboxes for which it is done; for the resource list 0 or 1.
    pub done: u64,
    /// Mailboxes that were meant when it was asked for and are in use still; for the resource list 1.
    pub of: u64,
    /// Some of those for which it is not done: first those with a known reason.
    pub waiting: Vec<Waiting>,
    /// Some of those that were meant and are not in use any more, without it being done for them.
    pub unused: Vec<Unused>,
    /// What came of it, in words: of the resource list, of a settlement, and of the comparison of one mailbox.
    pub outcome: Option<String>,
}

/// A mailbox for which an operation is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its address.
    pub mail: String,
    /// What keeps it, as far as anybody wrote that down.
    pub reason: Option<String>,
}

/// A mailbox that an operation meant and that is not in use any more: nothing is done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its address.
    pub mail: String,
    /// Is it on the blacklist?
    pub blocked: bool,
    /// Why it is not in use: a word of ours, or what an operator gave.
    pub reason: Option<String>,
}

impl Progress {
    /// Is nothing left to do?
    pub const fn is_done(&self) -> bool {
        self.done >= self.of
    }

    /// Is nothing left to do because none of those that were meant is in use any more, so that nothing was done?
    pub const fn is_void(&self) -> bool {
        self.of == 0
    }
}

impl Store {
    /// How far an operation is. Mailboxes that came into use (again) after it was asked for do not count, and those that
    /// went out of use do not any more.
    pub async fn operation_progress(&self, operation: &Operation) -> Result<Progress, StoreError> {
        let (done, reason) = match operation.kind {
            OperationKind::ResourceList => return self.list_progress(operation).await,
            OperationKind::FullPull => (READ_SINCE, READ_ERROR),
            // a mailbox that went out of use and came back was adopted anew, and is not compared for that
            OperationKind::Comparison => ("greatest(r.compared_at, r.adopted_at) >= $2", READ_ERROR),
            OperationKind::Adoption => ("r.adopted_at >= $2", "null::text"),
            OperationKind::Rediscovery => (REDISCOVERED, "r.error_code"),
            OperationKind::Resend => (RESENT, RESEND_ERROR),
            OperationKind::Confirmation | OperationKind::Rejection => {
                return self.settlement_progress(operation).await;
            }
        };
        let done = format!("coalesce({done}, false)");
        match operation.meant {
            Some(_) => {
                self.book(operation, &done).await?;
                self.booked_progress(operation, &done, reason).await
            }
            None => self.mailbox_progress(operation, &done, reason).await,
        }
    }

    /// Takes the mailboxes that are done off those that are still meant. One whose place is to be found anew is not in doubt
    /// until its stage was asked, which follows the record of the operation at once. What has a time was done also where the
    /// mailbox went out of use before anybody looked; of the others, a place or a backlog that is gone tells nothing.
    async fn book(&self, operation: &Operation, done: &str) -> Result<(), StoreError> {
        let doing = "book what is done of an operation";
        let pause = if operation.kind == OperationKind::Rediscovery { SETTLED_AFTER_S } else { 0.0 };
        let has_time = matches!(
            operation.kind,
            OperationKind::FullPull | OperationKind::Comparison | OperationKind::Adoption
        );
        // of one mailbox it is told what came of it; of many its list tells that
        let outcome = match tells_whether_in_vain(operation) {
            true => format!(
                "update operation set outcome = {IN_VAIN} from booked r where id = $1 and r.error_code is not null"
            ),
            false => "select from booked".to_owned(),
        };
        let client = self.client(doing).await?;
        client
            .execute(
                &format!(
                    "with booked as ( \
                         delete from operation_mailbox m using planner_resource r \
                         where m.operation_id = $1 and r.mail = m.mail and (r.deleted_date is null or $4) and {done} \
                           and $2::timestamptz < clock_timestamp() - make_interval(secs => $3) \
                         returning r.error_code) \
                     {outcome}"
                ),
                &[&operation.id, &operation.asked_at, &pause, &has_time],
            )
            .await
            .map(drop)
            .map_err(StoreError::query(doing))
    }

    /// How far an operation is that knows its mailboxes.
    async fn booked_progress(
        &self,
        operation: &Operation,
        done: &str,
        reason: &str,
    ) -> Result<Progress, StoreError> {
        let doing = "look how far an operation is";
        let client = self.client(doing).await?;
        // who waits for it sees it done before that is booked
        let outcome = match tells_whether_in_vain(operation) {
            true => format!(
                "coalesce(o.outcome, (select {IN_VAIN} from operation_mailbox m join planner_resource r using (mail) \
                             where m.operation_id = $1 and {done}))"
            ),
            false => "o.outcome".to_owned(),
        };
        // who asks may hold a row of before an erasure
        let row = client
            .query_one(
                &format!(
                    "select coalesce((select meant from operation where id = $1), 0), \
                            (select count(*) from operation_mailbox where operation_id = $1), \
                            count(*), count(*) filter (where {done}), \
                            (select {outcome} from operation o where o.id = $1) \
                     from operation_mailbox m join planner_resource r using (mail) \
                     where m.operation_id = $1 and r.deleted_date is null \
                       and $2::timestamptz is not null"
                ),
                &[&operation.id, &operation.asked_at],
            )
            .await
            .map_err(StoreError::query(doing))?;
        let count = |n: usize| -> Result<u64, StoreError> {
            let count: i64 = row.try_get(n).map_err(StoreError::query(doing))?;
            Ok(u64::try_from(count).unwrap_or_default())
        };
        let booked = count(0)?.saturating_sub(count(1)?);
        let outcome = row.try_get(4).map_err(StoreError::query(doing))?;
        let rows = client
            .query(
                &format!(
                    "select mail, reason from (select r.mail, {reason} as reason \
                         from operation_mailbox m join planner_resource r using (mail) {KEPT} \
                         where m.operation_id = $1 and r.deleted_date is null and not {done} \
                           and $2::timestamptz is not null) as waiting \
                     order by reason is null, mail limit {WAITING_MAX}"
                ),
                &[&operation.id, &operation.asked_at],
            )
            .await
            .map_err(StoreError::query(doing))?;
        let waiting = waiting_of(&rows).map_err(StoreError::query(doing))?;
        let rows = client
            .query(
                &format!(
                    "select r.mail, exists (select from planner_resource_blacklist b \
                                            where lower(trim(b.mail)) = r.mail), r.deleted_reason \
                     from operation_mailbox m join planner_resource r using (mail) \
                     where m.operation_id = $1 and r.deleted_date is not null \
                     order by r.mail limit {WAITING_MAX}"
                ),
                &[&operation.id],
            )
            .await
            .map_err(StoreError::query(doing))?;
        let unused = unused_of(&rows).map_err(StoreError::query(doing))?;
        Ok(Progress { done: booked + count(3)?, of: booked + count(2)?, waiting, unused, outcome })
    }

    /// Writes down that an operation that is about no mailbox is done, and with what `outcome`.
    async fn book_whole(&self, operation: &Operation, outcome: Option<&str>) -> Result<(), StoreError> {
        let doing = "book that an operation is done";
        let client = self.client(doing).await?;
        client
            .execute(
                "update operation set meant = 0, outcome = $2 where id = $1 and meant is null",
                &[&operation.id, &outcome],
            )
            .await
            .map(drop)
            .map_err(StoreError::query(doing))
    }

    /// The same for one that an older version asked for: by who is in use now.
    async fn mailbox_progress(
        &self,
        operation: &Operation,
        done: &str,
        reason: &str,
    ) -> Result<Progress, StoreError> {
        let doing = "look how far an operation is";
        let client = self.client(doing).await?;
        let scope = "r.deleted_date is null and ($1::text is null or r.mail = $1) and r.created_at <= $2";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&operation.scope.mail(), &operation.asked_at];
        let row = client
            .query_one(
                &format!(
                    "select count(*) filter (where {done}), count(*) from planner_resource r where {scope}"
                ),
                &parameters,
            )
            .await
            .map_err(StoreError::query(doing))?;
        let count = |n: usize| -> Result<u64, StoreError> {
            let count: i64 = row.try_get(n).map_err(StoreError::query(doing))?;
            Ok(u64::try_from(count).unwrap_or_default())
        };
        let rows = client
            .query(
                &format!(
                    "select mail, reason from (select r.mail, {reason} as reason from planner_resource r {KEPT} \
                         where {scope} and not {done}) as waiting \
                     order by reason is null, mail limit {WAITING_MAX}"
                ),
                &parameters,
            )
            .await
            .map_err(StoreError::query(doing))?;
        let waiting = waiting_of(&rows).map_err(StoreError::query(doing))?;
        Ok(Progress { done: count(0)?, of: count(1)?, waiting, ..Progress::default() })
    }

    async fn list_progress(&self, operation: &Operation) -> Result<Progress, StoreError> {
        // read before the row: a fetch that answers meanwhile has booked its outcome there
        let latest = self.list_outcome().await?.filter(|outcome| outcome.began >= operation.asked_at);
        // who asks may hold the row of before
        let known = match operation.meant {
            Some(_) => None,
            None => self.operation(operation.id).await?,
        };
        let known = known.as_ref().unwrap_or(operation);
        if known.meant.is_some() {
            // a later fetch is none of its business
            return Ok(Progress { done: 1, of: 1, outcome: known.outcome.clone(), ..Progress::default() });
        }
        // an answer that was not booked: an older version fetched
        let answered = latest.as_ref().filter(|outcome| outcome.answered);
        if let Some(outcome) = answered {
            self.book_whole(operation, Some(&outcome.text)).await?;
        }
        let done = u64::from(answered.is_some());
        Ok(Progress { done, of: 1, outcome: latest.map(|outcome| outcome.text), ..Progress::default() })
    }

    /// How far the settlement of a withheld run is: the deletions that were decided by it and are still to be sent.
    async fn settlement_progress(&self, settlement: &Operation) -> Result<Progress, StoreError> {
        let operation = "look how far a settlement is";
        let whole = Progress { done: 1, of: 1, ..Progress::default() };
        let booked = settlement.meant.is_some();
        let subject = settlement.subject.as_deref().unwrap_or_default();
        let Ok(run) = subject.parse::<i64>() else {
            // one of the resource list takes effect at once
            return Ok(whole);
        };
        let client = self.client(operation).await?;
        let row = client
            .query_opt(
                "select r.state, coalesce(r.deleted, 0)::bigint, \
                        (select count(*) from calendar_event e \
                         where e.mail = r.mail and e.pending and not e.wanted and e.decided_at = r.settled_at), \
                        r.mail, p.mail is null or (p.deleted_date is not null and p.withdrawn_at is null) \
                 from withheld_run r left join planner_resource p on p.mail = r.mail where r.id = $1",
                &[&run],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let Some(row) = row else { return Ok(whole) };
        let read = || -> Result<Progress, tokio_postgres::Error> {
            let state: &str = row.try_get(0)?;
            let (deleted, unsent): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            let of = u64::try_from(deleted).unwrap_or_default();
            let done = of.saturating_sub(u64::try_from(unsent).unwrap_or_default());
            let outcome = Some(state.to_owned());
            let (mail, is_unused): (String, bool) = (row.try_get(3)?, row.try_get(4)?);
            let waits = Waiting { mail, reason: is_unused.then(|| NOT_SENT.to_owned()) };
            Ok(match state {
                // a deletion that a comparison asked for anew is none of its business
                "confirmed" if booked => Progress { done: of.max(1), of: of.max(1), outcome, ..whole },
                "withheld" => Progress { done: 0, of: 1, outcome, ..Progress::default() },
                "confirmed" if of > 0 => {
                    let waiting = if done < of { vec![waits] } else { Vec::new() };
                    Progress { done, of, outcome, waiting, ..Progress::default() }
                }
                _ => Progress { outcome, ..whole },
            })
        };
        let progress = read().map_err(StoreError::query(operation))?;
        if progress.is_done() && !booked {
            self.book_whole(settlement, None).await?;
        }
        Ok(progress)
    }

    /// How many instances of the service are alive: hold a lease that has not run out.
    pub async fn live_instances(&self) -> Result<u64, StoreError> {
        let operation = "look for running instances";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                "select count(distinct owner) from lease where owner <> '' and expires_at > clock_timestamp()",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let count: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

fn waiting_of(rows: &[Row]) -> Result<Vec<Waiting>, tokio_postgres::Error> {
    let waiting = |row: &Row| Ok(Waiting { mail: row.try_get(0)?, reason: row.try_get(1)? });
    rows.iter().map(waiting).collect()
}

fn unused_of(rows: &[Row]) -> Result<Vec<Unused>, tokio_postgres::Error> {
    let unused =
        |row: &Row| Ok(Unused { mail: row.try_get(0)?, blocked: row.try_get(1)?, reason: row.try_get(2)? });
    rows.iter().map(unused).collect()
}

/// SQL: was the mailbox `r` read in full since `$2`? By the database's clock, which said when that was asked; by that of
/// the process only where an older version read.
const READ_SINCE: &str =
    "r.full_read_began_at is not null and coalesce(r.full_read_began_db, r.full_read_began_at) >= $2";

/// SQL: why the mailbox `r` is not read: what its full read failed of, or why it cannot be listened to.
const READ_ERROR: &str = "coalesce(kept.last_error, r.error_code)";

/// SQL: what the full reads that wait failed of, each mailbox with its latest; looked through once, not once a mailbox.
const KEPT: &str = "left join (select distinct on (n.mail) n.mail, n.last_error from notification n \
     where n.event_type = 'FullRead' and n.last_error is not null order by n.mail, n.id desc) kept \
     on kept.mail = r.mail";

/// SQL: was the mailbox `r` located anew since `$2`, or tried in vain? Asking puts its place in doubt where it has one, and takes
/// the time of the next try from one that cannot be listened to: whoever listens tries it, and writes down what comes of that.
/// One without a group has nobody who would.
const REDISCOVERED: &str = "case when r.endpoint is null then r.error_date >= $2 \
     else r.location_doubted_at is null \
          and not (r.error_code is not null and r.retry_at is null \
                   and exists (select from planner_resource_subscription own where own.mail = r.mail)) end";

/// Is this a rediscovery of one mailbox, which says whether that helped? Of many `mailbox list --failing` tells it.
fn tells_whether_in_vain(operation: &Operation) -> bool {
    operation.kind == OperationKind::Rediscovery && operation.scope.mail().is_some()
}

/// SQL: what came of the rediscovery of the mailbox `r`, if it was in vain.
const IN_VAIN: &str = "'it cannot be listened to: ' || r.error_code";

/// SQL: is nothing of the mailbox `r` left that was decided before `$2`?
const RESENT: &str =
    "not exists (select from calendar_event e where e.mail = r.mail and e.pending and e.decided_at <= $2)";
/// SQL: why something is.
const RESEND_ERROR: &str = "(select s.outcome || coalesce(': ' || s.text, '') from sync_log s \
     where s.mail = r.mail and s.at >= $2 and s.outcome <> 'acknowledged' order by s.at desc limit 1)";
