//! What can go wrong when telemetry starts or stops.

use base::Disposition;

/// A failure of telemetry's start or stop. In between, telemetry has no errors: it counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("the log filter {filter:?} cannot be read; write for example \"info\" or \"info,store=debug\"")]
    Filter {
        /// What was given.
        filter: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The log file cannot be opened, or another process writes it.
    #[error(
        "the log file {} cannot be written; its folder must exist, it must be writable for this user, and each process \
         needs a file of its own",
        file.display()
    )]
    LogFile {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The endpoint is no URL that OTLP can be sent to.
    #[error("the OTLP endpoint {endpoint:?} cannot be used: {reason}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// The exporter cannot be built.
    #[error("the exporter to {endpoint} cannot be built")]
    Exporter {
        /// Where to.
        endpoint: String,
        /// Why.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The exporter's own runtime cannot be started.
    #[error("the runtime of the OTLP exporter cannot be started")]
    Runtime {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No process-wide crypto provider: `trust::install_provider` was not called first.
    #[error("no TLS crypto provider is installed; call trust::install_provider() before telemetry starts")]
    NoCryptoProvider,
    /// A subscriber is installed in this process already.
    #[error("telemetry has been started in this process already")]
    AlreadyStarted,
    /// The last spans did not reach the collector.
    #[error("{lost} spans did not reach the collector")]
    SpansLost {
        /// Dropped because the queue was full, refused by the collector, or not sent in time; since the
        /// start.
        lost: u64,
    },
    /// The metrics cannot be written as text.
    #[error("the metrics cannot be encoded")]
    Encode {
        /// Why.
        #[source]
        source: std::fmt::Error,
    },
}

impl TelemetryError {
    /// Faults of configuration escalate; lost spans and metrics are not worth an action.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::SpansLost { .. } | Self::Encode { .. } => Disposition::Discard,
            _ => Disposition::Escalate,
        }
    }
}
