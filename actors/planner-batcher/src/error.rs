//! What ends a batcher. What goes wrong with a call or a key is no error here: it is an outcome.

use base::Disposition;
use store::StoreError;

/// Why a batcher cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatcherError {
    /// The lease of the duty could not be had, for another reason than a database that is away.
    #[error("the lease of the duty cannot be taken")]
    Lease(#[source] StoreError),
    /// The next call could not be prepared.
    #[error("the next call to planner cannot be prepared")]
    Look(#[source] StoreError),
    /// An answer could not be recorded in time.
    #[error("the answer of planner cannot be recorded")]
    Answer(#[source] StoreError),
}

impl BatcherError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Lease(source) | Self::Look(source) | Self::Answer(source) => source.disposition(),
        }
    }
}
