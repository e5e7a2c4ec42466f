//! Cutting the body of GetStreamingEvents into envelopes.

use base::Disposition;

/// Cuts a stream of envelopes, given in arbitrary pieces, into messages.
#[derive(Debug)]
pub struct StreamSplitter {
    limit: usize,
}

/// Why a stream cannot be cut. The connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// An envelope is larger than the limit.
    #[error("an envelope of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Something that is no XML stands between or in envelopes; an HTML page of a proxy, for example.
    #[error("the stream holds no envelope: {what}")]
    NotXml {
        /// What was found.
        what: &'static str,
    },
    /// The stream begins with the length of an HTTP chunk.
    #[error("http chunk lengths stand inside the stream, a proxy on the way is broken")]
    BrokenProxy,
}

impl SplitError {
    /// A new connection may well be in order; what is too large stays so.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::TooLarge { .. } => Disposition::Escalate,
            Self::NotXml { .. } | Self::BrokenProxy => Disposition::RETRY,
        }
    }
}

impl StreamSplitter {
    /// Largest envelope that a stream of this product needs: 4 MiB.
    pub const STANDARD_LIMIT: usize = 4 << 20;

    /// A splitter that holds at most `limit` bytes of an unfinished envelope.
    pub const fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// Takes the next piece of the body and gives the envelopes that it completes, in order, each with
    /// nothing before its root element. After an error nothing more comes out.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, SplitError> {
        let _ = piece;
        Err(SplitError::NotXml { what: "splitting comes with the next commit" })
    }

    /// Is an envelope begun and not yet complete? Asked at the end of the body: an envelope was lost then.
    pub const fn is_inside(&self) -> bool {
        self.limit == 0
    }
}
