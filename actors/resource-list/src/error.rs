//! What can go wrong with a fetch.

use base::{Disposition, EventCode};
use calendar::codes;
use connector_planner::PlannerError;
use store::StoreError;

/// Why the list could not be fetched or applied. The last good list stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceListError {
    /// The lease of the duty could not be had.
    #[error("the lease of the duty cannot be taken")]
    Lease(#[source] StoreError),
    /// Planner could not be asked.
    #[error("the resource list cannot be fetched")]
    Fetch(#[source] PlannerError),
    /// Planner named no resource (3202).
    #[error("planner returned no resources")]
    Empty,
    /// No entry of Planner's answer can be used (6906).
    #[error("{entries} of {entries} entries of the resource list cannot be used, the first: {reason}")]
    Unusable {
        /// How many there are.
        entries: usize,
        /// What is wrong with the first of them.
        reason: String,
    },
    /// The call or the list could not be recorded.
    #[error("the resource list cannot be stored")]
    Store(#[source] StoreError),
    /// The duty ends.
    #[error("given up because the duty ends")]
    Stopped,
}

impl ResourceListError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Lease(source) | Self::Store(source) => source.disposition(),
            Self::Fetch(source) => source.disposition(),
            Self::Empty | Self::Unusable { .. } => Disposition::RETRY,
            Self::Stopped => Disposition::Discard,
        }
    }

    /// The event that operators know it by.
    pub fn event(&self) -> EventCode {
        match self {
            Self::Fetch(source) => source.event(),
            Self::Empty => codes::RESOURCE_LIST_EMPTY,
            Self::Unusable { .. } => codes::PLANNER_ANSWER_UNUSABLE,
            Self::Lease(source) | Self::Store(source) if source.is_outage() => {
                codes::COMMUNICATOR_DATABASE_FAILED
            }
            Self::Lease(_) | Self::Store(_) | Self::Stopped => codes::RESOURCE_SYNC_UNKNOWN_ERROR,
        }
    }
}
