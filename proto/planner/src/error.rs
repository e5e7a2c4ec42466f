//! What can go wrong between a message and its bytes.

use base::Disposition;

use crate::Operation;

/// Why a message could not be encoded or decoded. No variant holds content of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A value that the service's schema refuses; sending it would fail the whole call for ever.
    #[error("encoding {operation}: the value of {element} cannot be sent")]
    Unsendable {
        /// The operation.
        operation: Operation,
        /// The element whose value it is.
        element: &'static str,
    },
    /// A change without appointments, which the schema refuses.
    #[error("encoding {operation}: nothing to send")]
    NothingToSend {
        /// The operation.
        operation: Operation,
    },
    /// The message could not be written, for its size.
    #[error("encoding a message of planner")]
    Encoding(#[source] proto_soap::Error),
    /// The bytes are no message of the service.
    #[error("decoding a message of planner")]
    Decoding(#[from] proto_soap::Error),
    /// A well-formed envelope holds something else than what was waited for.
    #[error("decoding a message of planner: element {found} was not expected")]
    Unexpected {
        /// Local name of the element, cut at 64 characters.
        found: String,
    },
}

impl WireError {
    /// What cannot be sent stays so: set it aside. Bytes that could not be read say nothing about the work
    /// itself; after a change its outcome is unknown and it is resent (B9).
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Unsendable { .. } | Self::NothingToSend { .. } | Self::Encoding(_) => Disposition::SetAside,
            Self::Decoding(_) | Self::Unexpected { .. } => Disposition::RETRY,
        }
    }

    /// An unexpected element; the name is cut so that an error stays small.
    pub(crate) fn unexpected(found: &str) -> Self {
        Self::Unexpected { found: found.chars().take(64).collect() }
    }
}
