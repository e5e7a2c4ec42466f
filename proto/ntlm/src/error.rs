//! What can be wrong with a message.

use base::Disposition;

/// A message that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NtlmError {
    /// It is longer than any real one.
    #[error("reading an ntlm message: it is longer than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// It ends before its fixed part does.
    #[error("reading an ntlm message: it ends within its {part}")]
    TooShort {
        /// Where.
        part: &'static str,
    },
    /// It does not begin as NTLM does, or is another message than the one that is due.
    #[error("reading an ntlm message: it is no {expected} message")]
    OtherMessage {
        /// The one that is due.
        expected: &'static str,
    },
    /// A field points outside of the message.
    #[error("reading an ntlm message: its {field} lies outside of it")]
    Outside {
        /// The field.
        field: &'static str,
    },
    /// A field holds what it cannot hold.
    #[error("reading an ntlm message: its {field} is not well-formed")]
    Malformed {
        /// The field.
        field: &'static str,
    },
}

impl NtlmError {
    /// The other side, or somebody before it, is out of order: that may pass.
    pub const fn disposition(&self) -> Disposition {
        Disposition::RETRY
    }
}
