//! What operators ask for: a full pull, a comparison, an adoption, the resource list; who asked, and how far
//! it is.
//!
//! Protocol: an operation is a row of its own ([`Store::record_operation`]) with the mailboxes that it means, written
//! before the stage is asked in the stage's own way (`ask_for_…`). How far it is, is derived from what the stages
//! write: a mailbox is done when its reading, comparison or adoption is younger than the request
//! ([`Store::operation_progress`]). So nothing can disagree after a crash, and work that came about otherwise
//! counts too. What was seen to be done stays done, whatever happens with the mailbox afterwards: whoever looks takes
//! it off the mailboxes that the operation still means, and the service looks again and again
//! ([`Store::book_operations`]).
//!
//! Failure: an error means that nothing was recorded (or that this is unknown); asking twice is harmless. An
//! operation that could not be passed on keeps the reason ([`Store::operation_failed`]).

use calendar::MailAddress;
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};

use crate::{Store, StoreError, prepared};

mod asks;
mod progress;
mod run_keys;

pub use progress::{NOT_SENT, Progress, Unused, Waiting};
pub use run_keys::RunKey;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest reason or outcome that is kept, in characters.
const ERROR_MAX: usize = 1_000;
/// Most operations that are booked in one look.
const BOOKED_MAX: u32 = 20;
/// The longest name of somebody who asks, in characters.
const BY_MAX: usize = 200;

/// Which mailboxes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All that are in use.
    All,
    /// This one.
    One(MailAddress),
}

impl Scope {
    /// The one mailbox, as it stands in a column; `None` = all.
    pub fn mail(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::One(mail) => Some(mail.as_str()),
        }
    }
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Read the window of mailboxes in full (B8).
    FullPull,
    /// Compare what Planner holds with the store (B11).
    Comparison,
    /// Take over what Planner holds (B9).
    Adoption,
    /// Fetch the resource list (B10).
    ResourceList,
    /// Locate mailboxes anew (B12).
    Rediscovery,
    /// Send at once what waits for another try, and try again what was set aside (B9).
    Resend,
    /// Carry withheld deletions out (B8).
    Confirmation,
    /// Leave what was to be deleted (B8).
    Rejection,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::FullPull,
        Self::Comparison,
        Self::Adoption,
        Self::ResourceList,
        Self::Rediscovery,
        Self::Resend,
        Self::Confirmation,
        Self::Rejection,
    ];

    /// The name in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullPull => "full_pull",
            Self::Comparison => "comparison",
            Self::Adoption => "adoption",
            Self::ResourceList => "resource_list",
            Self::Rediscovery => "rediscovery",
            Self::Resend => "resend",
            Self::Confirmation => "confirmation",
            Self::Rejection => "rejection",
        }
    }

    /// Is it done mailbox by mailbox?
    pub(crate) const fn is_about_mailboxes(self) -> bool {
        match self {
            Self::FullPull | Self::Comparison | Self::Adoption | Self::Rediscovery | Self::Resend => true,
            Self::ResourceList | Self::Confirmation | Self::Rejection => false,
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub id: i64,
    /// What.
    pub kind: OperationKind,
    /// For which mailboxes.
    pub scope: Scope,
    /// What it is about where that is no mailbox: a withheld run, `17` (of a mailbox) or `L3` (of the resource list).
    pub subject: Option<String>,
    /// Who asked.
    pub asked_by: String,
    /// When, by the database's clock.
    pub asked_at: Timestamp,
    /// Why it could not be passed on to its stage, if so; or that no mailbox that is meant was in use.
    pub error: Option<String>,
    /// For how many mailboxes it was asked; `None` where it is about none, or where an older version asked. 0 for one that
    /// is about none and was seen to be done.
    pub meant: Option<u64>,
    /// What came of it, in words, once it was done; only where it is the resource list that was asked for.
    pub outcome: Option<String>,
}

const COLUMNS: &str = "id, kind, mail, asked_by, asked_at, error, subject, meant, outcome";

/// Why an operation comes to nothing that finds no mailbox in use.
const NOBODY: &str = "no such mailbox is in use, so there is nothing to be done";

impl Store {
    /// Records that somebody asks for something; the stage is asked next.
    ///
    /// # Errors
    /// Nothing was recorded, or this is unknown.
    pub async fn record_operation(
        &self,
        kind: OperationKind,
        scope: &Scope,
        by: &str,
    ) -> Result<Operation, StoreError> {
        self.record_operation_about(kind, scope, None, by).await
    }

    /// The same about something that is no mailbox ([`Operation::subject`]).
    ///
    /// # Errors
    /// Nothing was recorded, or this is unknown.
    pub async fn record_operation_about(
        &self,
        kind: OperationKind,
        scope: &Scope,
        subject: Option<&str>,
        by: &str,
    ) -> Result<Operation, StoreError> {
        let operation = "record an operation";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                &format!(
                    "with members as ( \
                         select mail from planner_resource \
                         where $5 and deleted_date is null and ($2::text is null or mail = $2)), \
                     recorded as ( \
                         insert into operation (kind, mail, subject, asked_by, meant, error) \
                         values ($1, $2, $3, $4, case when $5 then (select count(*) from members) end, \
                                 case when $5 and not exists (select from members) then $6::text end) \
                         returning {COLUMNS}), \
                     meant as ( \
                         insert into operation_mailbox (operation_id, mail) \
                         select recorded.id, members.mail from recorded cross join members) \
                     select {COLUMNS} from recorded"
                ),
                &[
                    &kind.as_str(),
                    &scope.mail(),
                    &subject,
                    &clean(by, BY_MAX),
                    &kind.is_about_mailboxes(),
                    &NOBODY,
                ],
            )
            .await
            .map_err(StoreError::query(operation))?;
        read(&row)
    }

    /// Records why an operation could not be passed on to its stage.
    ///
    /// # Errors
    /// Nothing was recorded, or this is unknown.
    pub async fn operation_failed(&self, id: i64, error: &str) -> Result<(), StoreError> {
        let operation = "record why an operation failed";
        let client = self.client(operation).await?;
        client
            .execute("update operation set error = $2 where id = $1", &[&id, &clean(error, ERROR_MAX)])
            .await
            .map(drop)
            .map_err(StoreError::query(operation))
    }

    /// The operation with this number.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn operation(&self, id: i64) -> Result<Option<Operation>, StoreError> {
        let operation = "look an operation up";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(&format!("select {COLUMNS} from operation where id = $1"), &[&id])
            .await
            .map_err(StoreError::query(operation))?;
        row.as_ref().map(read).transpose()
    }

    /// Books what is done of the operations of the last day that nothing is known to be wrong with: a look at each.
    ///
    /// # Errors
    /// The database cannot be asked; some may be booked.
    pub async fn book_operations(&self) -> Result<(), StoreError> {
        let operation = "look for operations that are under way";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                &format!(
                    "select {COLUMNS} from operation o where error is null \
                       and asked_at > clock_timestamp() - interval '1 day' \
                       and (meant is null or exists (select from operation_mailbox m where m.operation_id = o.id)) \
                     order by id desc limit {BOOKED_MAX}"
                ),
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        drop(client);
        for asked in rows.iter().filter_map(|row| read(row).ok()) {
            self.operation_progress(&asked).await?;
        }
        Ok(())
    }

    /// The latest operations, the youngest first.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn operations(&self, limit: u32) -> Result<Vec<Operation>, StoreError> {
        let operation = "list the operations";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                &format!("select {COLUMNS} from operation order by id desc limit $1"),
                &[&i64::from(limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        // what a newer version can be asked for is left out
        let known = |row: &&Row| row.try_get(1).is_ok_and(|kind: &str| OperationKind::named(kind).is_some());
        rows.iter().filter(known).map(read).collect()
    }
}

/// Answers what was asked for of the resource list before the fetch that `began` then: each keeps what its own fetch came
/// to, whatever later ones do.
pub(crate) async fn answer_list_operations(
    tx: &Transaction<'_>,
    began: Timestamp,
    outcome: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "update operation set meant = 0, outcome = $3 where kind = $1 and meant is null and asked_at <= $2",
        &[&OperationKind::ResourceList.as_str(), &began, &clean(outcome, ERROR_MAX)],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("book what a fetch of the resource list came to"))
}

/// Tells who asked for the comparison of this mailbox alone what the first one found that `began` since. One that somebody
/// writes at this moment (an erasure, say) is not waited for: it stays without.
pub(crate) async fn answer_comparisons(
    tx: &deadpool_postgres::Transaction<'_>,
    mail: &MailAddress,
    began: Timestamp,
    outcome: &str,
) -> Result<(), StoreError> {
    prepared::execute(
        tx,
        "update operation set outcome = $4 \
         where id in (select o.id from operation o \
                      where o.kind = $1 and o.mail = $2 and o.asked_at <= $3 and o.outcome is null \
                        and exists (select from operation_mailbox m where m.operation_id = o.id and m.mail = $2) \
                      for update of o skip locked)",
        &[&OperationKind::Comparison.as_str(), &mail.as_str(), &began, &clean(outcome, ERROR_MAX)],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("book what a comparison found"))
}

/// Text from outside as a column takes it.
pub(crate) fn clean(text: &str, most: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(most).collect()
}

fn read(row: &Row) -> Result<Operation, StoreError> {
    let operation = "read an operation";
    let content = |reason| StoreError::Content { operation, reason };
    let kind: &str = row.try_get(1).map_err(StoreError::query(operation))?;
    let mail: Option<&str> = row.try_get(2).map_err(StoreError::query(operation))?;
    Ok(Operation {
        id: row.try_get(0).map_err(StoreError::query(operation))?,
        kind: OperationKind::named(kind)
            .ok_or_else(|| content(format!("an operation of the unknown kind {kind}")))?,
        scope: match mail {
            None => Scope::All,
            Some(mail) => Scope::One(
                MailAddress::parse(mail).map_err(|_error| content("an operation for no address".into()))?,
            ),
        },
        asked_by: row.try_get(3).map_err(StoreError::query(operation))?,
        asked_at: row.try_get(4).map_err(StoreError::query(operation))?,
        error: row.try_get(5).map_err(StoreError::query(operation))?,
        subject: row.try_get(6).map_err(StoreError::query(operation))?,
        meant: row
            .try_get::<_, Option<i64>>(7)
            .map_err(StoreError::query(operation))?
            .and_then(|meant| u64::try_from(meant).ok()),
        outcome: row.try_get(8).map_err(StoreError::query(operation))?,
    })
}
