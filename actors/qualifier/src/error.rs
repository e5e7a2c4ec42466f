//! What can go wrong in the qualifier.

use std::time::Duration;

use base::Disposition;
use calendar::SourceError;
use calendar::source::SourceErrorKind;
use store::StoreError;

/// Why handling a mailbox was broken off. Failures of single items are no error here: they are recorded
/// with their notifications and the rest goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QualifierError {
    /// The options cannot work.
    #[error("the qualifier cannot work with its options: {reason}")]
    Options {
        /// Why.
        reason: &'static str,
    },
    /// The source, or the whole mailbox, cannot be read now (2907, 2951).
    #[error("the calendar cannot be read")]
    Source(#[source] SourceError),
    /// The listener has not found out yet where the mailbox lives.
    #[error("it is not known yet where the mailbox lives")]
    NotLocated,
    /// It took too long.
    #[error("reading the calendar took longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// The database failed, or the shard's lease is lost (8901, 2952).
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl QualifierError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Options { .. } => Disposition::Escalate,
            Self::Source(error) => match error.disposition() {
                // The mailbox waits, its notifications are kept: nobody would tell us again.
                Disposition::SetAside | Disposition::Discard => Disposition::RETRY,
                other => other,
            },
            Self::NotLocated | Self::TooLong(_) => Disposition::RETRY,
            Self::Store(error) => error.disposition(),
        }
    }

    /// Does it concern the one mailbox, so that longer pauses are in order?
    pub(crate) fn is_of_mailbox(&self) -> bool {
        match self {
            Self::NotLocated => true,
            Self::Source(error) => {
                matches!(error.kind, SourceErrorKind::Mailbox | SourceErrorKind::Rediscover)
            }
            _ => false,
        }
    }

    /// How long the other side asked to wait.
    pub(crate) fn after(&self) -> Option<Duration> {
        match self {
            Self::Source(error) => error.after,
            _ => None,
        }
    }
}
