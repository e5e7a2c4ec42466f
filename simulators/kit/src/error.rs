//! What can keep a simulator from starting.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::Disposition;

/// Why a simulator could not start or was told something impossible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The address is taken or not ours.
    #[error("listening on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server's thread could not be started, or the server ended with an error.
    #[error("serving {name}")]
    Serve {
        /// The simulator's name.
        name: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder for captured messages cannot be used.
    #[error("opening the capture folder {}", folder.display())]
    Capture {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A test certificate cannot be made or used.
    #[error("making a test certificate")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A test certificate cannot be written.
    #[error("writing the test certificate {}", path.display())]
    WriteCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A fault rule that can never mean anything.
    #[error("taking a fault rule: {reason}")]
    FaultRule {
        /// What is wrong with it.
        reason: String,
    },
    /// A fault rule that is not written as one.
    #[error("reading a fault rule")]
    FaultSyntax(#[source] serde_json::Error),
}

impl KitError {
    /// Nothing here gets better by trying again without a change from outside.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Listen { .. }
            | Self::Serve { .. }
            | Self::Capture { .. }
            | Self::Certificate(_)
            | Self::WriteCertificate { .. } => Disposition::Escalate,
            Self::FaultRule { .. } | Self::FaultSyntax(_) => Disposition::SetAside,
        }
    }
}
