//! Deletions that the mass-delete guard withheld (B8): runs of full reads and comparisons, their keys, and what
//! an operator says to them.
//!
//! Protocol: who finds too many keys missing calls [`withhold`] in the transaction that stores the rest of the
//! run; it takes the place of the run of the same mailbox and source that waits already, unless that lacks the same: then it goes
//! on waiting under the number that operators have in hand. Nothing is decided
//! about the keys then: what was decided before stands, and a deletion that would be pending is not sent
//! (`delete_withheld` makes `pending` false, so no sender has to look here). An operator confirms
//! ([`Store::confirm_withheld`]: the deletions are decided, for keys of which nothing was decided since and that were
//! not seen again) or rejects ([`Store::reject_withheld`]: the keys are left by every later inference). A key ends
//! being withheld or rejected by any decision about it (its version is another then), by being seen again ([`seen`]),
//! and when its time has passed.
//!
//! Locks are taken in one order: runs, withheld keys, keys. So call [`withhold`] and [`seen`] first in a transaction.
//!
//! Failure: an error means that nothing happened (or that this is unknown); a run is settled once, by the first
//! who does.

use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::{Store, StoreError};

mod operator;
mod readings;

pub(crate) use readings::withdraw;
pub use readings::{cancel, seen, withhold};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Most runs of a page.
const LIST_MAX: i64 = 1_000;

/// What found the keys missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithheldSource {
    /// A full read of the mailbox: keys that are there (or adopted) were not found in the calendar (B8).
    FullRead,
    /// A comparison: Planner holds what the store does not know or has decided to be absent (B11).
    Comparison,
}

impl WithheldSource {
    /// The name in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullRead => "full_read",
            Self::Comparison => "comparison",
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::FullRead, Self::Comparison].into_iter().find(|one| one.as_str() == text)
    }
}

/// A key whose deletion is to be withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKey {
    /// The key, together with the mailbox.
    pub origin_id: OriginId,
    /// The version of the decision that the run saw; 0 = none (adopted, or known to Planner alone).
    pub version: i64,
    /// The times it has: as decided, or as Planner holds them.
    pub slot: Slot,
}

/// A run whose inferred deletions are withheld.
#[derive(Debug, Clone, Copy)]
pub struct Withholding<'a> {
    /// Whose keys.
    pub mail: &'a MailAddress,
    /// What kind of run.
    pub source: WithheldSource,
    /// When its reading began.
    pub began: Timestamp,
    /// The present.
    pub at: Timestamp,
    /// Where the window begins that was looked at: what ended before says nothing by not being among the keys.
    pub from: Timestamp,
    /// How many keys were there.
    pub there: usize,
    /// The keys, none twice.
    pub keys: &'a [MissingKey],
}

/// A key that is withheld now, or was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldKey {
    /// Whose.
    pub mail: MailAddress,
    /// The key.
    pub origin_id: OriginId,
    /// What found it missing.
    pub source: WithheldSource,
    /// An operator said that it stays.
    pub rejected: bool,
}

/// A run that waits for an operator, or was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldRun {
    /// Its number.
    pub id: i64,
    /// Whose keys.
    pub mail: MailAddress,
    /// What found them missing.
    pub source: WithheldSource,
    /// When it was withheld.
    pub withheld_at: Timestamp,
    /// How many deletions it withheld …
    pub keys: u32,
    /// … of how many keys that were there.
    pub there: u32,
    /// How many of them a confirmation would delete now; the others were seen again, decided since, or are over.
    pub remaining: u32,
    /// `withheld`, `confirmed`, `rejected`, `cancelled` or `replaced`.
    pub state: String,
    /// Who or what settled it, and when.
    pub settled: Option<(String, Timestamp)>,
}

/// Runs, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldPage {
    /// The oldest first.
    pub runs: Vec<WithheldRun>,
    /// Ask for those before this run next; `None` = these were the last.
    pub next: Option<i64>,
}

/// What settling a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRun {
    /// Whose keys.
    pub mail: MailAddress,
    /// What found them missing.
    pub source: WithheldSource,
    /// Keys whose deletion was decided (confirmed), or that stay (rejected).
    pub keys: u64,
}

/// SQL: the row `w` of `withheld_key` stands: nothing was decided since, and its time has not passed at `$1`.
const STANDS: &str = "w.end_at > $1::timestamptz and w.version = coalesce((select e.version from calendar_event e \
                      where e.mail = w.mail and e.origin_id = w.origin_id), 0)";

impl Store {
    /// What is withheld or rejected of these mailboxes: keys that no inference may delete (B8, B11).
    pub async fn withheld_keys(
        &self,
        mails: &[MailAddress],
        now: Timestamp,
    ) -> Result<Vec<WithheldKey>, StoreError> {
        let operation = "look at what is withheld";
        let client = self.client(operation).await?;
        let statement = client.prepare_cached(&standing_sql()).await.map_err(StoreError::query(operation))?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        let rows = client.query(&statement, &[&now, &mails]).await.map_err(StoreError::query(operation))?;
        rows.iter().map(|row| key_of(row, operation)).collect()
    }

    /// The runs that wait for an operator, the oldest first; with `settled` also the latest ones that do not, because
    /// they were settled or nothing of them is left. At most a page of the latest.
    pub async fn withheld_runs(&self, settled: bool, now: Timestamp) -> Result<Vec<WithheldRun>, StoreError> {
        Ok(self.withheld_runs_before(settled, now, None).await?.runs)
    }

    /// A page of them: the latest that are older than the run `before`, the oldest first.
    pub async fn withheld_runs_before(
        &self,
        settled: bool,
        now: Timestamp,
        before: Option<i64>,
    ) -> Result<WithheldPage, StoreError> {
        let condition = "(r.state = 'withheld' or $2) and ($4::bigint is null or r.id < $4)";
        let rows = self.withheld_rows(condition, &[&now, &settled, &LIST_MAX, &before]).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= LIST_MAX);
        let mut runs: Vec<WithheldRun> = rows.iter().map(run_of).collect::<Result<_, _>>()?;
        let next = runs.first().map(|run| run.id).filter(|_| full);
        runs.retain(|run| settled || run.remaining > 0);
        Ok(WithheldPage { runs, next })
    }

    /// The run with this number.
    pub async fn withheld_run(&self, id: i64, now: Timestamp) -> Result<Option<WithheldRun>, StoreError> {
        let one: i64 = 1;
        let rows = self.withheld_rows("$2 and r.id = $4", &[&now, &true, &one, &id]).await?;
        rows.first().map(run_of).transpose()
    }

    async fn withheld_rows(
        &self,
        condition: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let operation = "list what is withheld";
        let client = self.client(operation).await?;
        let statement = format!(
            "select id, mail, source, withheld_at, keys, there, remaining, state, settled_by, settled_at from ( \
                 select r.*, (select count(*) from withheld_key w where w.run = r.id and {STANDS}) as remaining \
                 from withheld_run r where {condition} order by r.id desc limit $3) as latest order by id"
        );
        client.query(&statement, parameters).await.map_err(StoreError::query(operation))
    }
}

/// SQL: what is withheld or rejected at `$1` of the mailboxes `$2`, for [`key_of`].
pub(crate) fn standing_sql() -> String {
    format!(
        "select w.mail, w.origin_id, r.source, w.rejected from withheld_key w join withheld_run r on r.id = w.run \
         where w.mail = any ($2) and {STANDS} order by w.mail, w.origin_id"
    )
}

/// Reads a row of [`standing_sql`].
pub(crate) fn key_of(row: &Row, operation: &'static str) -> Result<WithheldKey, StoreError> {
    Ok(WithheldKey {
        mail: mail_of(row, 0, operation)?,
        origin_id: OriginId::new(row.try_get::<_, String>(1).map_err(StoreError::query(operation))?),
        source: source_of(row, 2, operation)?,
        rejected: row.try_get(3).map_err(StoreError::query(operation))?,
    })
}

fn mail_of(row: &Row, column: usize, operation: &'static str) -> Result<MailAddress, StoreError> {
    let text: &str = row.try_get(column).map_err(StoreError::query(operation))?;
    MailAddress::parse(text).map_err(|_error| StoreError::Content {
        operation,
        reason: "something withheld for no address".into(),
    })
}

fn source_of(row: &Row, column: usize, operation: &'static str) -> Result<WithheldSource, StoreError> {
    let text: &str = row.try_get(column).map_err(StoreError::query(operation))?;
    WithheldSource::of(text).ok_or_else(|| StoreError::Content {
        operation,
        reason: format!("a withheld run of the unknown source {text}"),
    })
}

fn run_of(row: &Row) -> Result<WithheldRun, StoreError> {
    let operation = "list what is withheld";
    let count = |column: usize| -> Result<u32, tokio_postgres::Error> {
        Ok(u32::try_from(row.try_get::<_, i32>(column)?).unwrap_or_default())
    };
    let mail = mail_of(row, 1, operation)?;
    let source = source_of(row, 2, operation)?;
    let read = || -> Result<WithheldRun, tokio_postgres::Error> {
        let by: Option<String> = row.try_get(8)?;
        let at: Option<Timestamp> = row.try_get(9)?;
        Ok(WithheldRun {
            id: row.try_get(0)?,
            mail,
            source,
            withheld_at: row.try_get(3)?,
            keys: count(4)?,
            there: count(5)?,
            remaining: u32::try_from(row.try_get::<_, i64>(6)?).unwrap_or(u32::MAX),
            state: row.try_get(7)?,
            settled: by.zip(at),
        })
    };
    read().map_err(StoreError::query(operation))
}
