//! How the stream of an affinity group stands, for operators: open or not, since when, and what happened to it last.
//!
//! Protocol: the owner of the group writes it down when it changes ([`Store::record_stream`]), in one statement that only takes
//! effect under the group's lease. Each row bears the token of the lease: whoever reads it
//! ([`crate::inspect::Group::stream`]) believes it only while that is the current one, so what somebody wrote who is gone
//! tells nothing. Nobody decides anything by it.
//!
//! Failure: an error means that the row may tell what was before; the next change, or trying again, makes up for it.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::lease::Fence;
use crate::subscriptions::GroupId;
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The longest code that is kept, in characters.
const CODE_MAX: usize = 200;

/// SQL: is the row `gs` of a stream that of the group's owner?
macro_rules! of_the_owner {
    () => {
        "exists (select from lease l where l.key = 'affinity-group/' || gs.subscription_id and l.token = gs.token \
                 and l.owner <> '' and l.expires_at > clock_timestamp())"
    };
}
/// SQL: what [`state_of`] reads.
macro_rules! stream_columns {
    () => {
        "gs.open, gs.since, gs.happening, gs.code, gs.happened_at"
    };
}
pub(crate) use {of_the_owner, stream_columns};

/// Reads the columns of a stream from that index on; `None` where there is no row.
pub(crate) fn state_of(row: &Row, first: usize) -> Result<Option<StreamState>, tokio_postgres::Error> {
    let Some(open) = row.try_get(first)? else { return Ok(None) };
    Ok(Some(StreamState {
        open,
        since: row.try_get(first + 1)?,
        happening: row.try_get(first + 2)?,
        code: row.try_get(first + 3)?,
        happened_at: row.try_get(first + 4)?,
    }))
}

/// What happens to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamEvent {
    /// Its group has an owner, and it was not opened yet.
    Begun,
    /// It was opened.
    Opened,
    /// The server ended it as planned; it is opened anew.
    Closed,
    /// Some of its subscriptions were not served; it is opened without them.
    NotServed,
    /// It could not be opened, because Exchange is away; it is tried again.
    Away,
    /// It was refused, or broke.
    Failed,
    /// Nothing came for too long.
    Silent,
    /// Its group closed it: its mailboxes changed, and it is opened anew where any are left.
    Withdrawn,
}

impl StreamEvent {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Begun,
        Self::Opened,
        Self::Closed,
        Self::NotServed,
        Self::Away,
        Self::Failed,
        Self::Silent,
        Self::Withdrawn,
    ];

    /// The name in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::NotServed => "not_served",
            Self::Away => "away",
            Self::Failed => "failed",
            Self::Silent => "silent",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The one of this name; `None` for one of a newer version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// How a stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Is it open?
    pub open: bool,
    /// Open, or not open, since then.
    pub since: Timestamp,
    /// What happened to it last: the name of a [`StreamEvent`], or of one that a newer version knows.
    pub happening: String,
    /// Exchange's response code of that, or a name of ours.
    pub code: Option<String>,
    /// When.
    pub happened_at: Timestamp,
}

impl Store {
    /// Writes down how the stream of a group stands, if `fence` is the current one and the group is still there. Answers whether
    /// it was.
    pub async fn record_stream(
        &self,
        fence: &Fence,
        group: GroupId,
        state: &StreamState,
    ) -> Result<bool, StoreError> {
        let operation = "record how a stream stands";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "with mine as materialized ( \
                     select l.token from lease l where l.key = $1 and l.token = $2 and l.owner = $3 for key share) \
                 insert into group_stream (subscription_id, token, open, since, happening, code, happened_at) \
                 select g.id, mine.token, $5, $6, $7, left($8, $10), $9 \
                 from mine, subscription g where g.id = $4 \
                 on conflict (subscription_id) do update set token = excluded.token, open = excluded.open, \
                     since = excluded.since, happening = excluded.happening, code = excluded.code, \
                     happened_at = excluded.happened_at",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let most = i32::try_from(CODE_MAX).unwrap_or(i32::MAX);
        let written = client
            .execute(
                &statement,
                &[
                    &fence.key,
                    &fence.token,
                    &&*fence.owner,
                    &group.get(),
                    &state.open,
                    &state.since,
                    &state.happening,
                    &state.code,
                    &state.happened_at,
                    &most,
                ],
            )
            .await
            .map_err(StoreError::query(operation))?;
        Ok(written > 0)
    }
}
