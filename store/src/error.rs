//! What can go wrong with the database.

use std::time::Duration;

use base::Disposition;
use tokio_postgres::error::SqlState;

/// A failed database operation. `operation` says what was being done, in words for a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The connection string cannot be used.
    #[error("database.url cannot be used: {reason}")]
    Url {
        /// What is wrong with it; never the string itself, it holds a password.
        reason: String,
    },
    /// No connection could be had (8901).
    #[error("cannot open a connection to the database at {at} to {operation}")]
    Connect {
        /// What it was for.
        operation: &'static str,
        /// Its hosts with their ports.
        at: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement failed (3906).
    #[error("the database failed to {operation}")]
    Query {
        /// What it was for.
        operation: &'static str,
        /// Why.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A stored value is not what this version expects.
    #[error(
        "the database holds something that this version does not understand while trying to {operation}: {reason}"
    )]
    Content {
        /// What it was for.
        operation: &'static str,
        /// What was found.
        reason: String,
    },
    /// Migrations could not be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migrate {
        /// Why.
        #[source]
        source: Box<refinery::Error>,
    },
    /// Another process holds the lock of the migrations, and did not let go in time (9017).
    #[error("another process brings the schema up to date, or is stuck in doing so: {holder}")]
    MigratorBusy {
        /// Who it is, as the server knows it.
        holder: String,
    },
    /// Somebody else owns it now: whoever meets this must stop what the lease covered.
    #[error("the lease {key} is no longer held")]
    LeaseLost {
        /// Which lease.
        key: String,
    },
    /// Somebody else owns it, and did not let go in time.
    #[error("the lease {key} is held by another instance")]
    LeaseTaken {
        /// Which lease.
        key: String,
    },
    /// A service account was removed meanwhile: plan anew.
    #[error("a service account that was to carry a group does not exist any more")]
    AccountGone,
    /// More groups than allowed would be carried by one account: the plan is wrong.
    #[error("service account {account} would carry more affinity groups than allowed")]
    AccountOverfull {
        /// Which account.
        account: i64,
    },
    /// The embedded server could not be started.
    #[error("the embedded PostgreSQL server cannot {operation}: {reason}")]
    Embedded {
        /// What it was to do.
        operation: &'static str,
        /// Why not, with the next step.
        reason: String,
    },
}

impl StoreError {
    /// Wraps the error of a statement; for `map_err`.
    pub fn query(operation: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |source| Self::Query { operation, source }
    }

    /// What to do about it: a connection that broke and a server that restarts are tried again, a transaction that lost
    /// a race ([`is_conflict`](Self::is_conflict)) at once; everything else ends the part that met it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Connect { .. } | Self::AccountGone | Self::MigratorBusy { .. } => Disposition::RETRY,
            _ if self.is_conflict() => Disposition::Retry { after: Some(Duration::ZERO) },
            Self::Query { source, .. } if passes(source) => Disposition::RETRY,
            Self::Migrate { source }
                if inner(source).is_some_and(|error| passes(error) || is_lost(error)) =>
            {
                Disposition::RETRY
            }
            _ => Disposition::Escalate,
        }
    }

    /// Did a transaction lose a race against another, so that the server undid it? It can be made again at once.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Query { source, .. } if is_lost(source))
    }

    /// Does the database lack a table or column of this version: has it not been migrated?
    pub fn lacks_schema(&self) -> bool {
        let lacking = [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::UNDEFINED_COLUMN)];
        matches!(self, Self::Query { source, .. } if lacking.contains(&source.code()))
    }

    /// Has the role of the connection no right to do that?
    pub fn lacks_right(&self) -> bool {
        let found = match self {
            Self::Query { source, .. } => Some(source),
            Self::Migrate { source } => inner(source),
            _ => None,
        };
        found.and_then(tokio_postgres::Error::code) == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
    }

    /// Is the database away (and not our statement wrong)?
    pub fn is_outage(&self) -> bool {
        self.disposition().is_retry()
    }
}

/// The driver's error below refinery's.
fn inner(error: &refinery::Error) -> Option<&tokio_postgres::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A transaction lost a race against another.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    const LOST: [SqlState; 2] = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|code| LOST.contains(code))
}

fn passes(error: &tokio_postgres::Error) -> bool {
    const PASSING: [SqlState; 10] = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::DISK_FULL,
        SqlState::OUT_OF_MEMORY,
        SqlState::QUERY_CANCELED,
        // the process was paused within a transaction
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::IDLE_SESSION_TIMEOUT,
    ];
    match error.code() {
        Some(code) => code.code().starts_with("08") || PASSING.contains(code),
        // no SQLSTATE: the error did not come from the server, so the connection is at fault, unless our own
        // types do not fit the statement
        None => {
            error.is_closed() || std::error::Error::source(error).is_some_and(|s| s.is::<std::io::Error>())
        }
    }
}
