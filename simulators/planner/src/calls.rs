//! The log of calls: when each came and went, so that somebody outside can judge the load by itself.
//!
//! `GET /admin/calls?after=SEQ&limit=N` answers a [`simulator_kit::Page`] of [`CallEntry`]. Entries stand in the order in
//! which the meter saw them. A client that gives up is noticed up to [`GRACE`](crate::meter::GRACE) late.

use serde::{Deserialize, Serialize};

/// A call came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEntry {
    /// When, by the wall clock, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// The call's number, from 1; the same as in the meter's violations.
    pub call: u64,
    /// What of it.
    #[serde(flatten)]
    pub step: CallStep,
}

/// The two ends of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum CallStep {
    /// Its body has come.
    Came {
        /// The operation's name.
        operation: String,
        /// The header `x-correlation-id`, where there was one.
        correlation_id: Option<String>,
        /// Appointments, addresses or resources in it.
        items: usize,
        /// What it changes: lower-cased mail address and origin id, in their order; empty for reading.
        keys: Vec<(String, String)>,
    },
    /// It was answered, or its client left before.
    Went {
        /// Its client left.
        abandoned: bool,
    },
}
