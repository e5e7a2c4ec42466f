//! The form of an event code. The registry itself is domain knowledge and stands elsewhere; telemetry
//! and the store are given it.

use serde::Serialize;

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Information,
    /// Something is off and the program copes.
    Warning,
    /// Something did not work.
    Error,
}

/// One event that operators know by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EventCode {
    /// The number, 1000-9999; field `event_id` of logs and traces.
    pub id: u16,
    /// The stage that raises it, in the original's letters (ELS, EPS, PCS) or `all`.
    pub source: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means, in one line.
    pub meaning: &'static str,
}
