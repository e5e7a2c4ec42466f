//! Refreshes of the resource list that would have dropped too many at once: the drops wait for an operator
//! (B8's guard, for B10).
//!
//! Protocol: at most one run waits. A refresh that lacks too many opens it; one that lacks some of the same
//! keeps it, without those that are listed again; one that lacks others too replaces it, so that nobody
//! confirms what they have not seen; one that lacks few cancels it. A confirmed run's resources are dropped at
//! once. A rejected run's stay in use, without being counted or withheld again, until Planner lists them again
//! or an operator blocks them.
//!
//! Failure: an error means that nothing was settled (or that this is unknown); look and settle again.

use std::collections::BTreeSet;

use calendar::MailAddress;
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};

use super::{KnownList, ListChanges, NOT_IN_PLANNER, drop_resources, lock};
use crate::operations::clean;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest name that is kept, in characters.
const BY_MAX: usize = 200;

/// How the run that waits stands to a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunChange {
    /// Nothing waits and nothing did.
    None,
    /// A run waits from now on.
    Opened(i64),
    /// The run that waited goes on waiting.
    Kept(i64),
    /// Another one waits instead of the one that did.
    Replaced {
        /// It is cancelled.
        old: i64,
        /// It waits.
        new: i64,
    },
    /// The run that waited is cancelled.
    Cancelled(i64),
}

/// What becomes of the run that waits. Pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Nothing,
    Open,
    Keep,
    Replace,
    Cancel,
}

fn course(open: Option<&BTreeSet<MailAddress>>, withheld: &BTreeSet<MailAddress>) -> Course {
    match open {
        None if withheld.is_empty() => Course::Nothing,
        None => Course::Open,
        Some(_) if withheld.is_empty() => Course::Cancel,
        Some(open) if withheld.is_subset(open) => Course::Keep,
        Some(_) => Course::Replace,
    }
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It waits for an operator.
    Withheld,
    /// Its resources were dropped.
    Confirmed,
    /// Its resources stay.
    Rejected,
    /// A later list made it void.
    Cancelled,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Withheld, Self::Confirmed, Self::Rejected, Self::Cancelled];

    /// The name in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withheld => "withheld",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A refresh whose drops were withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldList {
    /// Its number.
    pub id: i64,
    /// When.
    pub withheld_at: Timestamp,
    /// Resources in use before.
    pub in_use_before: i64,
    /// How many would have been dropped and are not listed again.
    pub missing: i64,
    /// What became of it.
    pub state: RunState,
    /// Since when.
    pub settled_at: Option<Timestamp>,
    /// By whom.
    pub settled_by: Option<String>,
}

/// A resource of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldResource {
    /// Its address.
    pub mail: String,
    /// When it was listed again, if it was.
    pub reappeared_at: Option<Timestamp>,
}

/// The answer to an operator who settles a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done; so many resources were dropped (none when it was rejected).
    Done(u64),
    /// It does not wait any more.
    Already(RunState),
    /// There is no such run.
    Unknown,
}

const COLUMNS: &str = "w.id, w.withheld_at, w.in_use_before, \
     (select count(*) from withheld_list_resource r where r.withheld_list_id = w.id and r.reappeared_at is null), \
     w.state, w.settled_at, w.settled_by";

impl Store {
    /// The runs that wait and the latest others, at most `limit`, the youngest first.
    pub async fn withheld_lists(&self, limit: u32) -> Result<Vec<WithheldList>, StoreError> {
        let operation = "list withheld refreshes";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                &format!("select {COLUMNS} from withheld_list w order by w.id desc limit $1"),
                &[&i64::from(limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        rows.iter().map(read).collect()
    }

    /// A run with its resources, by address; `None` when there is none with this number.
    pub async fn withheld_list(
        &self,
        id: i64,
    ) -> Result<Option<(WithheldList, Vec<WithheldResource>)>, StoreError> {
        let operation = "look a withheld refresh up";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(&format!("select {COLUMNS} from withheld_list w where w.id = $1"), &[&id])
            .await
            .map_err(StoreError::query(operation))?;
        let Some(row) = row else { return Ok(None) };
        let rows = client
            .query(
                "select mail, reappeared_at from withheld_list_resource where withheld_list_id = $1 order by mail",
                &[&id],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let resource = |row: &Row| -> Result<WithheldResource, tokio_postgres::Error> {
            Ok(WithheldResource { mail: row.try_get(0)?, reappeared_at: row.try_get(1)? })
        };
        let resources: Result<Vec<_>, _> = rows.iter().map(resource).collect();
        Ok(Some((read(&row)?, resources.map_err(StoreError::query(operation))?)))
    }

    /// Drops the resources of a run that waits: those that were not listed again, are still in use and not
    /// on the blacklist.
    pub async fn confirm_withheld_list(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        self.settle_withheld_list(id, RunState::Confirmed, by, now).await
    }

    /// Keeps the resources of a run that waits in use, until Planner lists them again.
    pub async fn reject_withheld_list(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        self.settle_withheld_list(id, RunState::Rejected, by, now).await
    }

    async fn settle_withheld_list(
        &self,
        id: i64,
        to: RunState,
        by: &str,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let operation = "settle a withheld refresh";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lock(&tx).await?;
        let row = tx
            .query_opt("select state from withheld_list where id = $1", &[&id])
            .await
            .map_err(StoreError::query(operation))?;
        let Some(row) = row else { return Ok(Settled::Unknown) };
        let state = state_of(row.try_get(0).map_err(StoreError::query(operation))?)?;
        if state != RunState::Withheld {
            return Ok(Settled::Already(state));
        }
        close(&tx, id, to, by, now).await?;
        let mut dropped = 0;
        if to == RunState::Confirmed {
            let missing: Vec<_> =
                missing(&tx, id).await?.into_iter().map(|mail| (mail, NOT_IN_PLANNER)).collect();
            dropped = drop_resources(&tx, &missing, now).await?;
            wake::notify(&tx, Channel::Resource).await?;
        }
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(Settled::Done(dropped))
    }
}

/// Reads what waits and what was rejected into the list; answers the run that waits.
pub(super) async fn read_into(tx: &Transaction<'_>, list: &mut KnownList) -> Result<Option<i64>, StoreError> {
    let operation = "read what is withheld of the resource list";
    let open = tx
        .query_opt("select id from withheld_list where state = 'withheld'", &[])
        .await
        .and_then(|row| row.map(|row| row.try_get::<_, i64>(0)).transpose())
        .map_err(StoreError::query(operation))?;
    if let Some(id) = open {
        list.withheld = missing(tx, id).await?;
    }
    let rows = tx
        .query(
            "select distinct r.mail from withheld_list w join withheld_list_resource r on r.withheld_list_id = w.id \
             where w.state = 'rejected' and r.reappeared_at is null",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    list.rejected = addresses(&rows)?;
    Ok(open)
}

/// Brings the run that waits up to what a refresh found.
pub(super) async fn settle_by_refresh(
    tx: &Transaction<'_>,
    open: Option<i64>,
    known: &KnownList,
    changes: &ListChanges,
    in_use_before: usize,
    now: Timestamp,
) -> Result<RunChange, StoreError> {
    reappeared(tx, &changes.reappeared, now).await?;
    let course = course(open.is_some().then_some(&known.withheld), &changes.withheld);
    Ok(match (course, open) {
        (Course::Keep, Some(id)) => RunChange::Kept(id),
        (Course::Cancel, Some(id)) => {
            close(tx, id, RunState::Cancelled, "a later list that lacks few", now).await?;
            RunChange::Cancelled(id)
        }
        (Course::Replace, Some(old)) => {
            close(tx, old, RunState::Cancelled, "a later list that lacks others too", now).await?;
            RunChange::Replaced { old, new: begin(tx, &changes.withheld, in_use_before, now).await? }
        }
        (Course::Open, None) => RunChange::Opened(begin(tx, &changes.withheld, in_use_before, now).await?),
        _ => RunChange::None,
    })
}

async fn begin(
    tx: &Transaction<'_>,
    withheld: &BTreeSet<MailAddress>,
    in_use_before: usize,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let operation = "withhold a refresh";
    let in_use = i64::try_from(in_use_before).unwrap_or(i64::MAX);
    let row = tx
        .query_one(
            "insert into withheld_list (withheld_at, in_use_before) values ($1, $2) returning id",
            &[&now, &in_use],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let id: i64 = row.try_get(0).map_err(StoreError::query(operation))?;
    let mails: Vec<&str> = withheld.iter().map(MailAddress::as_str).collect();
    tx.execute(
        "insert into withheld_list_resource (withheld_list_id, mail) select $1, unnest($2::text[])",
        &[&id, &mails],
    )
    .await
    .map_err(StoreError::query(operation))?;
    Ok(id)
}

async fn close(
    tx: &Transaction<'_>,
    id: i64,
    state: RunState,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "update withheld_list set state = $2, settled_at = $3, settled_by = $4 where id = $1",
        &[&id, &state.as_str(), &now, &clean(by, BY_MAX)],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("settle a withheld refresh"))
}

async fn reappeared(
    tx: &Transaction<'_>,
    mails: &BTreeSet<MailAddress>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if mails.is_empty() {
        return Ok(());
    }
    let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
    tx.execute(
        "update withheld_list_resource r set reappeared_at = $2 from withheld_list w \
         where w.id = r.withheld_list_id and w.state in ('withheld', 'rejected') \
           and r.mail = any ($1) and r.reappeared_at is null",
        &[&mails, &now],
    )
    .await
    .map(drop)
    .map_err(StoreError::query("note resources that are listed again"))
}

async fn missing(tx: &Transaction<'_>, id: i64) -> Result<BTreeSet<MailAddress>, StoreError> {
    let rows = tx
        .query(
            "select mail from withheld_list_resource where withheld_list_id = $1 and reappeared_at is null",
            &[&id],
        )
        .await
        .map_err(StoreError::query("read what a refresh withheld"))?;
    addresses(&rows)
}

fn addresses(rows: &[Row]) -> Result<BTreeSet<MailAddress>, StoreError> {
    let operation = "read what a refresh withheld";
    rows.iter()
        .map(|row| {
            let text: &str = row.try_get(0).map_err(StoreError::query(operation))?;
            MailAddress::parse(text)
                .map_err(|error| StoreError::Content { operation, reason: error.to_string() })
        })
        .collect()
}

fn state_of(text: &str) -> Result<RunState, StoreError> {
    RunState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| StoreError::Content {
        operation: "read a withheld refresh",
        reason: format!("the unknown state {text}"),
    })
}

fn read(row: &Row) -> Result<WithheldList, StoreError> {
    let operation = "read a withheld refresh";
    Ok(WithheldList {
        id: row.try_get(0).map_err(StoreError::query(operation))?,
        withheld_at: row.try_get(1).map_err(StoreError::query(operation))?,
        in_use_before: row.try_get(2).map_err(StoreError::query(operation))?,
        missing: row.try_get(3).map_err(StoreError::query(operation))?,
        state: state_of(row.try_get(4).map_err(StoreError::query(operation))?)?,
        settled_at: row.try_get(5).map_err(StoreError::query(operation))?,
        settled_by: row.try_get(6).map_err(StoreError::query(operation))?,
    })
}
