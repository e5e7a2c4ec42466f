//! Asking for the resource list, and what the last fetch of it came to.
//!
//! Protocol: [`Store::ask_for_resource_list`] writes the time of the request (`resource_list_asked_at` in
//! `store_state`) and wakes whoever keeps the list, who finds it by [`Store::resource_list_asked`]. It is
//! answered by a fetch that began later: the outcome of the last fetch (`resource_list_outcome`) says when it
//! began. A fetch that failed answers nothing; it is tried again. One that answered is booked with the operations that it
//! answers ([`Store::operation_progress`]), so that each keeps what it came to.
//!
//! Failure: an error means that nothing was written, or that this is unknown; asking twice is harmless.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::lease::{self, Fence};
use crate::wake::{self, Channel};
use crate::{Store, StoreError, operations, schedules, state};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

const ASKED_AT: &str = "resource_list_asked_at";
const OUTCOME: &str = "resource_list_outcome";

/// The name of the schedule by which the list is fetched ([`Store::last_run`]).
pub const SCHEDULE: &str = "resource_list";

/// What a fetch of the resource list came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOutcome {
    /// When its call began, by the database's clock.
    pub began: Timestamp,
    /// When it began, by the clock of this process: a run of the schedule, when it answered.
    pub at: Timestamp,
    /// Was the list applied, or the last good one kept? Else it failed and is tried again.
    pub answered: bool,
    /// In words.
    pub text: String,
}

impl Store {
    /// Asks for the resource list to be fetched now, whoever keeps it.
    pub async fn ask_for_resource_list(&self) -> Result<(), StoreError> {
        let operation = "ask for the resource list";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        ask(&tx).await?;
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// When the list was asked for, if no fetch that began later has answered.
    pub async fn resource_list_asked(&self) -> Result<Option<Timestamp>, StoreError> {
        let Some(asked) = state::get(self, ASKED_AT).await? else { return Ok(None) };
        let Ok(asked) = asked.parse::<Timestamp>() else { return Ok(None) };
        let outcome = self.list_outcome().await?;
        let answered = outcome.is_some_and(|outcome| outcome.answered && outcome.began >= asked);
        Ok((!answered).then_some(asked))
    }

    /// What the last fetch came to.
    pub async fn list_outcome(&self) -> Result<Option<ListOutcome>, StoreError> {
        Ok(state::get(self, OUTCOME).await?.as_deref().and_then(read))
    }

    /// Records what a fetch came to that did not change the list.
    pub async fn record_list_outcome(&self, fence: &Fence, outcome: &ListOutcome) -> Result<(), StoreError> {
        let operation = "record what a fetch of the resource list came to";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        put_outcome(&tx, outcome).await?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

/// Asks within the caller's transaction.
pub(super) async fn ask(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let operation = "ask for the resource list";
    let row = tx.query_one("select clock_timestamp()", &[]).await.map_err(StoreError::query(operation))?;
    let now: Timestamp = row.try_get(0).map_err(StoreError::query(operation))?;
    state::put(tx, ASKED_AT, &now.to_string()).await?;
    wake::notify(tx, Channel::Operation).await
}

pub(super) async fn put_outcome(tx: &Transaction<'_>, outcome: &ListOutcome) -> Result<(), StoreError> {
    let value = json!({
        "began": outcome.began.to_string(),
        "at": outcome.at.to_string(),
        "answered": outcome.answered,
        "text": outcome.text.replace('\0', " "),
    });
    if outcome.answered {
        schedules::record_run(tx, SCHEDULE, outcome.at).await?;
        operations::answer_list_operations(tx, outcome.began, &outcome.text).await?;
    }
    state::put(tx, OUTCOME, &value.to_string()).await
}

/// What nobody can read counts as no outcome: the list is fetched once more.
fn read(text: &str) -> Option<ListOutcome> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(ListOutcome {
        began: value["began"].as_str()?.parse().ok()?,
        at: value["at"].as_str()?.parse().ok()?,
        answered: value["answered"].as_bool()?,
        text: value["text"].as_str()?.to_owned(),
    })
}
