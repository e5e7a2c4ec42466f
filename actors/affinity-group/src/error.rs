//! What can go wrong with groups and with the listener.

use base::Disposition;
use store::StoreError;

/// A failed operation of the listener or of a group.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenerError {
    /// The lease could not be asked for.
    #[error("acquiring the lease {key}")]
    Lease {
        /// Which.
        key: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The groups or resources could not be read.
    #[error("reading groups and resources")]
    Read(#[source] StoreError),
    /// The slot of the service account could not be asked for.
    #[error("taking a slot of service account {account}")]
    Slot {
        /// Which account.
        account: i64,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The groups or the state of mailboxes could not be written.
    #[error("writing groups and the state of mailboxes")]
    Write(#[source] StoreError),
}

impl ListenerError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Lease { source, .. }
            | Self::Slot { source, .. }
            | Self::Read(source)
            | Self::Write(source) => source.disposition(),
        }
    }
}
