//! What can be wrong with an EWS message.

use base::Disposition;

use crate::stream::SplitError;

/// Why a message could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The XML or its envelope is not right, or a value in it does not fit its type.
    #[error("coding an EWS message")]
    Soap(#[from] proto_soap::Error),
    /// The streaming answer cannot be cut into envelopes.
    #[error("cutting an EWS stream into envelopes")]
    Split(#[from] SplitError),
    /// The body holds an operation that this program does not know.
    #[error("reading an EWS message: unknown operation {name}")]
    UnknownOperation {
        /// Local name of the element, cut at 64 characters.
        name: String,
    },
    /// The request uses a form of a known operation that is not supported (push subscriptions …).
    #[error("reading an EWS request: {what} is not supported")]
    Unsupported {
        /// What it is.
        what: &'static str,
    },
}

impl Error {
    /// The disposition of the cause; unknown operations will be unknown again.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Soap(error) => error.disposition(),
            Self::Split(error) => error.disposition(),
            Self::UnknownOperation { .. } | Self::Unsupported { .. } => Disposition::SetAside,
        }
    }

    /// An operation that this program does not know.
    pub(crate) fn unknown_operation(name: &str) -> Self {
        Self::UnknownOperation { name: name.chars().take(64).collect() }
    }

    /// An element or attribute that must be there is missing.
    pub(crate) const fn missing(name: &'static str) -> Self {
        Self::Soap(proto_soap::Error::Missing { name })
    }
}
