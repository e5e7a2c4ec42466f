//! What can be wrong with a message.

use base::Disposition;

/// Why a message could not be read or written. `at` is a byte offset into the message. No variant holds
/// text or attribute values of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message is larger than [`Limits::bytes`](crate::Limits::bytes).
    #[error("reading a message of {bytes} bytes: the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Another limit was passed.
    #[error("reading a message: more than {limit} {what} at byte {at}")]
    Limit {
        /// What there was too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Where.
        at: u64,
    },
    /// The bytes are not UTF-8, or the message declares another encoding.
    #[error("reading a message: not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Where.
        at: u64,
    },
    /// The message begins with the length of an HTTP chunk: a proxy took the chunks apart wrongly and left
    /// the lengths inside (seen with Exchange 2010). The same request may well succeed on another path.
    #[error("reading a message: http chunk lengths stand inside it, a proxy on the way is broken")]
    BrokenProxy,
    /// A document type, which SOAP forbids and attacks need.
    #[error("reading a message: document type at byte {at} refused")]
    Doctype {
        /// Where.
        at: u64,
    },
    /// An entity that XML does not predefine.
    #[error("reading a message: entity at byte {at} refused")]
    Entity {
        /// Where.
        at: u64,
    },
    /// The bytes are not XML with namespaces.
    #[error("reading a message: {what} at byte {at}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// The document is no SOAP 1.1 envelope; an HTML page of a proxy for example.
    #[error("reading a message: element {found} is no SOAP 1.1 envelope")]
    NotAnEnvelope {
        /// Local name of the element found, cut at 64 characters.
        found: String,
    },
    /// An envelope of another SOAP version.
    #[error("reading a message: the envelope is of another SOAP version than 1.1")]
    SoapVersion,
    /// The envelope has no body, or nothing stands in it.
    #[error("reading a message: the envelope has no body")]
    NoBody,
    /// An element or attribute holds a value that does not fit its type.
    #[error("reading a message: the value of {name} before byte {at} does not fit its type")]
    Value {
        /// Local name of the element or attribute, cut at 64 characters.
        name: String,
        /// Where.
        at: u64,
    },
    /// An element or attribute that must be there is missing.
    #[error("reading a message: {name} is missing")]
    Missing {
        /// Local name of what is missing.
        name: &'static str,
    },
    /// The message to be sent would be larger than allowed.
    #[error("writing a message: larger than the limit of {limit} bytes")]
    OutputTooLarge {
        /// The limit.
        limit: usize,
    },
}

impl Error {
    /// Longest part of a name that an error repeats.
    const NAME_MAX: usize = 64;

    /// A name for an error, cut to a bounded length.
    pub(crate) fn name(name: &str) -> String {
        name.chars().take(Self::NAME_MAX).collect()
    }

    /// Bytes that were damaged on their way, or a stranger that answered, may be right the next time;
    /// what is too large or does not fit its type will be the same again.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::NotUtf8 { .. }
            | Self::BrokenProxy
            | Self::Malformed { .. }
            | Self::NotAnEnvelope { .. }
            | Self::NoBody => Disposition::RETRY,
            Self::TooLarge { .. }
            | Self::Limit { .. }
            | Self::Doctype { .. }
            | Self::Entity { .. }
            | Self::SoapVersion
            | Self::Value { .. }
            | Self::Missing { .. }
            | Self::OutputTooLarge { .. } => Disposition::SetAside,
        }
    }
}
