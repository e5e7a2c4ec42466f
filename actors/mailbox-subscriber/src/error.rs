//! What can go wrong with one mailbox.

use base::Disposition;
use calendar::SourceError;
use store::StoreError;

/// A failed step of a mailbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriberError {
    /// Exchange said no, or nothing.
    #[error("asking exchange about the mailbox")]
    Source(#[source] SourceError),
    /// The database failed.
    #[error("storing what a catch-up found")]
    Store(#[source] StoreError),
    /// The source goes on telling of changes without end.
    #[error("catching up: more than {pages} pages of changes, or a sync state that does not move")]
    Endless {
        /// The limit.
        pages: u32,
    },
}

impl SubscriberError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Source(error) => error.disposition(),
            Self::Store(error) => error.disposition(),
            Self::Endless { .. } => Disposition::SetAside,
        }
    }
}
