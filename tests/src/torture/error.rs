//! What keeps a torture run from being made. (What it finds is no error but a [`Violation`](super::contract::Violation).)

use kommuneklient::demo::error::DemoError;
use store::StoreError;

/// A run that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TortureError {
    /// PostgreSQL cannot be had or did not come back.
    #[error("the database could not {operation}")]
    Database {
        /// What it was to do.
        operation: &'static str,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// A statement of an administrator failed.
    #[error("could not {operation} in the database")]
    Statement {
        /// What was tried.
        operation: &'static str,
        /// Why not.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A simulator cannot be started.
    #[error("the simulated {which} cannot be started")]
    Simulator {
        /// Which.
        which: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A simulator or a process of the product does not do what it must.
    #[error("could not {what}")]
    Demo {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: DemoError,
    },
    /// A file or folder.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A process cannot be told what to do.
    #[error("could not {what}: {reason}")]
    Process {
        /// What was tried.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A file of results that cannot be read.
    #[error("line {line} of the results file {path} is not one of ours")]
    Results {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The observer could not be started.
    #[error("the observer could not begin")]
    Observer {
        /// Why not.
        #[source]
        source: super::observer::ObserverError,
    },
}

impl TortureError {
    /// A run is made again by whoever wanted it.
    pub const fn disposition(&self) -> base::Disposition {
        base::Disposition::Escalate
    }

    /// For `map_err` of what the demo's parts answer.
    pub(crate) fn demo(what: &'static str) -> impl FnOnce(DemoError) -> Self {
        move |source| Self::Demo { what, source }
    }

    /// For `map_err` of files.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}
