//! What operators ask for: a full pull, a comparison, an adoption, the resource list; who asked, and how far
//! it is.
//!
//! Protocol: an operation is a row of its own ([`Store::record_operation`]), written before the stage is asked
//! in the stage's own way (`ask_for_…`). How far it is, is never booked but derived from what the stages
//! write: a mailbox is done when its reading, comparison or adoption is younger than the request
//! ([`Store::operation_progress`]). So nothing can disagree after a crash, and work that came about otherwise
//! counts too.
//!
//! Failure: an error means that nothing was recorded (or that this is unknown); asking twice is harmless. An
//! operation that could not be passed on keeps the reason ([`Store::operation_failed`]).

use calendar::MailAddress;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::{Store, StoreError};

mod progress;
mod run_keys;

pub use progress::{Progress, Waiting};
pub use run_keys::RunKey;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest reason that is kept, in characters.
const ERROR_MAX: usize = 1_000;
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
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FullPull, Self::Comparison, Self::Adoption, Self::ResourceList];

    /// The name in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullPull => "full_pull",
            Self::Comparison => "comparison",
            Self::Adoption => "adoption",
            Self::ResourceList => "resource_list",
        }
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
    /// Who asked.
    pub asked_by: String,
    /// When, by the database's clock.
    pub asked_at: Timestamp,
    /// Why it could not be passed on to its stage, if so.
    pub error: Option<String>,
}

const COLUMNS: &str = "id, kind, mail, asked_by, asked_at, error";

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
        let operation = "record an operation";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                &format!(
                    "insert into operation (kind, mail, asked_by) values ($1, $2, $3) returning {COLUMNS}"
                ),
                &[&kind.as_str(), &scope.mail(), &clean(by, BY_MAX)],
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
        rows.iter().map(read).collect()
    }
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
        kind: OperationKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
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
    })
}
