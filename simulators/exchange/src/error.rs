//! What can keep the simulator from starting, or an admin request from being carried out.

use std::path::PathBuf;

use base::Disposition;
use simulator_kit::KitError;

use crate::ics::IcsError;

/// Why the simulator could not start or was told something impossible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// Serving, capture or a fault rule.
    #[error("running the exchange simulator")]
    Kit(#[from] KitError),
    /// The folder of calendars cannot be read.
    #[error("reading the calendars in {}", folder.display())]
    Calendars {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A calendar file cannot be read as one.
    #[error("reading the calendar {}", file.display())]
    Calendar {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: IcsError,
    },
    /// A zone that nobody knows.
    #[error("no time zone {name}")]
    Zone {
        /// Its name.
        name: String,
    },
    /// There is no such mailbox.
    #[error("no mailbox {address}")]
    NoMailbox {
        /// Its address.
        address: String,
    },
    /// There is no such item.
    #[error("no item {item}")]
    NoItem {
        /// Its id.
        item: String,
    },
    /// There are fewer groups.
    #[error("no group {group}; there are {groups}")]
    NoGroup {
        /// The group that was named.
        group: u16,
        /// How many there are.
        groups: u16,
    },
    /// An option has a value that can never work.
    #[error("taking the options: {reason}")]
    Options {
        /// What is wrong.
        reason: &'static str,
    },
}

impl SimulatorError {
    /// Nothing here gets better by trying again without a change from outside.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Kit(error) => error.disposition(),
            Self::NoMailbox { .. } | Self::NoItem { .. } | Self::NoGroup { .. } => Disposition::SetAside,
            _ => Disposition::Escalate,
        }
    }
}
