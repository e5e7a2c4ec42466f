//! What can go wrong when talking to a child or to a supervisor.

use base::Disposition;

use crate::child::ChildId;

/// A message could not be delivered, or its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The child has no incarnation at present: it was not started yet, is backing off or has ended.
    #[error("the child is not running")]
    NotRunning,
    /// The child has as much waiting as its mailbox may hold; the message was not taken.
    #[error("the mailbox of the child is full")]
    Full,
    /// The incarnation ended before it answered. Whether it handled the message is unknown.
    #[error("the child ended before it answered")]
    Lost,
}

impl ChildError {
    /// What to do about it: the next incarnation, or a later moment, may take the message.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::NotRunning | Self::Full | Self::Lost => Disposition::RETRY,
        }
    }
}

/// A supervisor refused a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// The supervisor has no incarnation at present.
    #[error("the supervisor is not running")]
    NotRunning,
    /// The supervisor is ending and takes no children.
    #[error("the supervisor is stopping")]
    Stopping,
    /// A child of this name lives, or is still being removed.
    #[error("there is a child {child} already")]
    AlreadyThere {
        /// The name.
        child: ChildId,
    },
    /// The supervisor has its maximum of dynamic children.
    #[error("no room for child {child}: {max} dynamic children are the most")]
    TooMany {
        /// The child that was refused.
        child: ChildId,
        /// The limit.
        max: usize,
    },
    /// There is no child of this name.
    #[error("there is no child {child}")]
    NotFound {
        /// The name.
        child: ChildId,
    },
    /// Children are built on the thread of the tree and can be added and removed only there.
    #[error("children can be added and removed on the thread of the tree only")]
    WrongThread,
}

impl SupervisorError {
    /// What to do about it.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::NotRunning => Disposition::RETRY,
            Self::Stopping | Self::AlreadyThere { .. } | Self::NotFound { .. } => Disposition::Discard,
            Self::TooMany { .. } => Disposition::SetAside,
            Self::WrongThread => Disposition::Escalate,
        }
    }
}
