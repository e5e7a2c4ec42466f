//! What can go wrong in the binary.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use base::Disposition;

use crate::config::Problems;
use crate::texts::{Language, refusals};

/// A failure of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration {}", file.display())]
    ReadConfiguration {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The configuration file is not TOML.
    #[error("{}:{line}:{column}: not readable as TOML: {reason}", file.display())]
    ConfigurationSyntax {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The parser's words.
        reason: String,
    },
    /// The configuration says something that cannot be done.
    #[error("the configuration {} cannot be used:\n{problems}", file.display())]
    Configuration {
        /// The file.
        file: PathBuf,
        /// Everything that is wrong.
        problems: Problems,
    },
    /// A file of the original cannot be imported.
    #[error(transparent)]
    Import(crate::import::ImportError),
    /// Telemetry cannot start.
    #[error("telemetry cannot start")]
    Telemetry(#[source] Box<telemetry::TelemetryError>),
    /// Certificates or keys cannot be used.
    #[error("TLS cannot be set up for {what}")]
    Trust {
        /// Which connection.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<trust::TrustError>,
    },
    /// The database cannot be used.
    #[error("cannot {operation}")]
    Database {
        /// What was being done.
        operation: &'static str,
        /// Why.
        #[source]
        source: store::StoreError,
    },
    /// The role of `database.url` may not change the schema.
    #[error(
        "the role of database.url may not change the schema; run `kommuneklient migrate` with a configuration whose \
         database.url names the role that owns the schema, and set database.migrate = false where the service runs as \
         another role"
    )]
    MayNotMigrate(#[source] store::StoreError),
    /// Service accounts are stored, and not one of them can be used.
    #[error("no service account can be used; the first of them is {user} (number {number})")]
    Account {
        /// Its name.
        user: String,
        /// Its number.
        number: i64,
        /// Why.
        #[source]
        source: Box<crate::accounts::AccountError>,
    },
    /// The address of the health and metrics pages, or of the admin calls, cannot be had.
    #[error("cannot listen on {address}; set {setting} to a free address of this machine (port 0 picks one)")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The health and metrics pages, or the admin calls, ended.
    #[error("the pages on {address} ended")]
    Pages {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The asynchronous runtime cannot be started.
    #[error("the runtime cannot be started")]
    Runtime(#[source] std::io::Error),
    /// A simulator cannot be run.
    #[error("the simulator of {what} failed")]
    Simulator {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part of the service cannot be put together.
    #[error("{what} cannot be set up")]
    Wiring {
        /// Which part.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The root of the tree gave up.
    #[error("the service gave up: {reason}")]
    Escalated {
        /// The failure that was one too many.
        reason: String,
    },
    /// A command failed for a reason of its own.
    #[error("{}", refusals::COMMAND_FAILED.fill(*language, &[("command", command)]))]
    Command {
        /// Which command.
        command: &'static str,
        /// In which language that is told.
        language: Language,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<telemetry::TelemetryError> for ServiceError {
    fn from(error: telemetry::TelemetryError) -> Self {
        Self::Telemetry(Box::new(error))
    }
}

impl ServiceError {
    /// Bringing the schema up to date failed while trying to `operation`.
    pub(crate) fn not_migrated(operation: &'static str) -> impl Fn(store::StoreError) -> Self {
        move |source| {
            if source.lacks_right() {
                Self::MayNotMigrate(source)
            } else {
                Self::Database { operation, source }
            }
        }
    }

    /// The language in which it is told.
    pub const fn language(&self) -> Language {
        match self {
            Self::Command { language, .. } => *language,
            _ => Language::En,
        }
    }

    /// The status that the process ends with: 2 for a configuration that must be changed before another
    /// attempt makes sense, 1 for anything else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::ReadConfiguration { .. }
            | Self::ConfigurationSyntax { .. }
            | Self::Configuration { .. }
            | Self::Import(_)
            | Self::Account { .. } => 2,
            _ => 1,
        })
    }

    /// Why, in one line: the error with its causes, and of a configuration the first thing that is wrong and how many more there
    /// are.
    pub fn first_cause(&self) -> String {
        let Self::Configuration { file, problems } = self else { return telemetry::chain(self).to_string() };
        let first = problems.iter().next().map(ToString::to_string).unwrap_or_default();
        let more = match problems.iter().count().saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        format!("the configuration {} cannot be used: {first}{more}", file.display())
    }

    /// All of these end the command; the orchestrator decides about another attempt.
    pub const fn disposition(&self) -> Disposition {
        Disposition::Escalate
    }
}
