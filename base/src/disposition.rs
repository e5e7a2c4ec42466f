//! What is to be done about an error: every error type of the workspace answers with one of these, so
//! that an actor needs no knowledge of the layers below it.

use std::time::Duration;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing is wrong with the work itself; do it again after `after`, or after the caller's own
    /// back-off when the other side named no time.
    Retry {
        /// The pause that the other side asked for.
        after: Option<Duration>,
    },
    /// This item or mailbox alone cannot be handled: put it aside with the error and go on with the rest.
    SetAside,
    /// The part that met the error cannot go on; its supervisor decides (restart, then escalation).
    Escalate,
    /// The work has become pointless (what it was about is gone); drop it and count that as done.
    Discard,
}

impl Disposition {
    /// A retry after the caller's own back-off.
    pub const RETRY: Self = Self::Retry { after: None };

    /// Is the same work to be done again?
    pub const fn is_retry(self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}
