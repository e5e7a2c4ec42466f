//! How a child, or a whole supervisor, ended.

use std::fmt;

/// Longer reasons are cut: they are kept in the status and logged.
const MAX_REASON_CHARS: usize = 300;

/// How an incarnation ended. The supervisor decides on this alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It stopped by itself (or as it was told to), with nothing wrong.
    Normal,
    /// It said so itself, with `ChildContext::fail`, or its supervisor could not build it.
    Failed(String),
    /// Its factory, a handler, `started` or a future of it panicked.
    Panicked(String),
    /// It had work and said no progress within its deadline.
    Hung,
    /// Its task was taken away: by the supervisor after the shutdown deadline, or with the runtime.
    Aborted,
    /// A supervisor whose children failed more often than its intensity allows.
    Escalated(String),
}

impl ExitReason {
    /// Is this anything but a stop?
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Normal)
    }

    /// A failure with this reason, cut to a bearable length.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(cut(reason))
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("stopped"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::Panicked(place) => write!(f, "panicked: {place}"),
            Self::Hung => f.write_str("hung: no progress within its deadline"),
            Self::Aborted => f.write_str("aborted"),
            Self::Escalated(reason) => write!(f, "escalated: {reason}"),
        }
    }
}

/// How a supervisor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to, and all its children have ended.
    Shutdown,
    /// Its children failed too often.
    Escalated {
        /// The failure that was one too many.
        reason: String,
    },
}

/// The text of `reason`, at most [`MAX_REASON_CHARS`] long.
pub(crate) fn cut(reason: impl fmt::Display) -> String {
    let text = reason.to_string();
    match text.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    //! Goal: reasons are bounded, and only a stop is no failure.
    use super::*;

    #[test]
    fn long_reasons_are_cut_at_a_character() {
        let reason = ExitReason::failed("ø".repeat(1_000));
        assert_eq!(reason, ExitReason::Failed(format!("{}…", "ø".repeat(MAX_REASON_CHARS))));
    }

    #[test]
    fn only_a_stop_is_no_failure() {
        assert!(!ExitReason::Normal.is_failure());
        let failures = [
            ExitReason::Failed(String::new()),
            ExitReason::Panicked(String::new()),
            ExitReason::Hung,
            ExitReason::Aborted,
            ExitReason::Escalated(String::new()),
        ];
        assert!(failures.iter().all(ExitReason::is_failure));
    }
}
