//! How many restarts are normal. More than that, and restarting does not help: escalate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// At most `max_restarts` restarts are granted in any span of length `window`; the next failure
/// escalates. Zero restarts means that the first failure escalates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts granted in a window. The restart of a group counts once.
    pub max_restarts: u32,
    /// The window; also the time that a child must run without a failure for its back-off to start anew.
    pub window: Duration,
}

/// The restarts granted lately. Never longer than `max_restarts`.
#[derive(Debug, Clone)]
pub struct RestartLog {
    intensity: Intensity,
    granted: VecDeque<Instant>,
}

impl RestartLog {
    /// An empty log.
    pub fn new(intensity: Intensity) -> Self {
        let intensity = Intensity { window: base::pace::scaled(intensity.window), ..intensity };
        Self { intensity, granted: VecDeque::new() }
    }

    /// Grants a restart at `now` and remembers it, or refuses it: then it is time to escalate.
    #[must_use]
    pub fn grant(&mut self, now: Instant) -> bool {
        while let Some(oldest) = self.granted.front() {
            if now.saturating_duration_since(*oldest) < self.intensity.window {
                break;
            }
            self.granted.pop_front();
        }
        if self.granted.len() >= self.intensity.max_restarts as usize {
            return false;
        }
        self.granted.push_back(now);
        true
    }

    /// The limit that this log keeps.
    pub const fn intensity(&self) -> Intensity {
        self.intensity
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the machine")]
mod tests {
    //! Goal: the log never grants more than the limit in any window, and forgets what has passed.
    use super::*;
    use proptest::prelude::*;

    fn log(max_restarts: u32, seconds: u64) -> RestartLog {
        RestartLog::new(Intensity { max_restarts, window: Duration::from_secs(seconds) })
    }

    #[test]
    fn zero_restarts_refuses_the_first() {
        assert!(!log(0, 60).grant(Instant::now()));
    }

    #[test]
    fn a_restart_leaves_the_window_at_its_end() {
        let start = Instant::now();
        let mut log = log(1, 10);
        assert!(log.grant(start));
        assert!(!log.grant(start + Duration::from_millis(9_999)));
        assert!(log.grant(start + Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn never_above_the_limit_in_any_window(
            max in 0u32..6, window_ms in 1u64..5_000, steps in prop::collection::vec(0u64..2_000, 0..100),
        ) {
            let mut log = RestartLog::new(Intensity {
                max_restarts: max, window: Duration::from_millis(window_ms),
            });
            let mut now = Instant::now();
            let mut granted: Vec<Instant> = Vec::new();
            for step in steps {
                now += Duration::from_millis(step);
                if log.grant(now) {
                    granted.push(now);
                }
                let inside = granted.iter().filter(|t| now - **t < Duration::from_millis(window_ms)).count();
                prop_assert!(inside <= max as usize);
                prop_assert!(log.granted.len() <= max as usize);
            }
        }
    }
}
