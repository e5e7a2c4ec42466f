//! What can go wrong with an adoption.

use base::{Disposition, EventCode};
use calendar::codes;
use connector_planner::{CallOutcome, PlannerError};
use store::StoreError;

/// Why mailboxes could not be adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// The lease of the duty could not be had.
    #[error("the lease of the duty cannot be taken")]
    Lease(#[source] StoreError),
    /// The mailboxes that are due could not be found.
    #[error("mailboxes to be adopted cannot be found")]
    Look(#[source] StoreError),
    /// Planner could not be asked.
    #[error("the appointments that planner holds cannot be fetched")]
    Fetch(#[source] PlannerError),
    /// The answer could not be taken over.
    #[error("what planner holds cannot be taken over")]
    Store(#[source] StoreError),
    /// The duty ends.
    #[error("given up because the duty ends")]
    Stopped,
}

impl ComparisonError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Lease(source) | Self::Look(source) | Self::Store(source) => source.disposition(),
            Self::Fetch(source) => source.disposition(),
            Self::Stopped => Disposition::Discard,
        }
    }

    /// The event that operators know it by.
    pub fn event(&self) -> EventCode {
        match self {
            Self::Fetch(source) => source.event(),
            Self::Lease(source) | Self::Look(source) | Self::Store(source) if source.is_outage() => {
                codes::COMMUNICATOR_DATABASE_FAILED
            }
            Self::Lease(_) | Self::Look(_) | Self::Store(_) | Self::Stopped => {
                codes::PLANNER_SYNC_UNKNOWN_ERROR
            }
        }
    }

    /// Is a whole service away, so that other mailboxes would fare no better?
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(source) => source.outcome() != CallOutcome::Unknown,
            Self::Lease(_) | Self::Look(_) | Self::Store(_) | Self::Stopped => true,
        }
    }
}
