//! Capped exponential back-off with jitter, as data: a policy and a pure function of the attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pace::scaled;

/// A back-off policy: `initial * factor^(attempt-1)`, at most `cap`, then spread by `jitter`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    initial: Duration,
    factor: f64,
    cap: Duration,
    jitter: f64,
}

/// A policy that could not work.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackoffError {
    /// The first pause is zero: a loop without a pause.
    #[error("the first pause of a back-off must be above zero")]
    ZeroInitial,
    /// The pause would shrink.
    #[error("the factor of a back-off must be 1 or more, not {0}")]
    Shrinking(f64),
    /// The cap is below the first pause.
    #[error("the cap of a back-off must not be below its first pause")]
    CapBelowInitial,
    /// Jitter is a share of the pause.
    #[error("the jitter of a back-off must lie from 0 to 1, not {0}")]
    Jitter(f64),
}

impl Backoff {
    /// A policy with the given first pause, growth factor (1 or more), longest pause, and jitter: the
    /// share of each pause (0 to 1) that is taken off at random.
    pub fn try_new(initial: Duration, factor: f64, cap: Duration, jitter: f64) -> Result<Self, BackoffError> {
        if initial.is_zero() {
            return Err(BackoffError::ZeroInitial);
        }
        if !factor.is_finite() || factor < 1.0 {
            return Err(BackoffError::Shrinking(factor));
        }
        if cap < initial {
            return Err(BackoffError::CapBelowInitial);
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(BackoffError::Jitter(jitter));
        }
        Ok(Self { initial, factor, cap, jitter })
    }

    /// Doubling from `initial` to `cap` with a jitter of one half: right for most callers.
    ///
    /// A zero `initial` becomes one millisecond and a `cap` below it is raised to it, so that this can
    /// not fail on settings that were checked elsewhere. In a rehearsal both are shorter ([`pace`](crate::pace)).
    pub fn doubling(initial: Duration, cap: Duration) -> Self {
        let (initial, cap) = (scaled(initial), scaled(cap));
        let initial = initial.max(Duration::from_millis(1));
        Self { initial, factor: 2.0, cap: cap.max(initial), jitter: 0.5 }
    }

    /// The pause before attempt number `attempt` + 1, where `attempt` counts failures from 1 (0 is taken
    /// as 1), and `random` lies in 0..1.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let exponent = attempt.saturating_sub(1).min(1_000) as i32;
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let capped = grown.min(self.cap.as_secs_f64());
        Duration::from_secs_f64(capped * (1.0 - self.jitter * random.clamp(0.0, 1.0)))
    }

    /// The same with a random number of this thread.
    pub fn delay_jittered(&self, attempt: u32) -> Duration {
        self.delay(attempt, rand::random())
    }

    /// The longest pause.
    pub const fn cap(&self) -> Duration {
        self.cap
    }
}

#[cfg(test)]
mod tests {
    //! Goal: a pause is never zero, never above the cap, never shrinks with the attempt.
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn impossible_policies_are_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(Backoff::try_new(Duration::ZERO, 2.0, second, 0.0), Err(BackoffError::ZeroInitial));
        assert_eq!(Backoff::try_new(second, 0.5, second, 0.0), Err(BackoffError::Shrinking(0.5)));
        assert_eq!(Backoff::try_new(second, 2.0, second / 2, 0.0), Err(BackoffError::CapBelowInitial));
        assert_eq!(Backoff::try_new(second, 2.0, second, 1.5), Err(BackoffError::Jitter(1.5)));
    }

    #[test]
    fn doubles_to_the_cap() {
        let policy = Backoff::try_new(Duration::from_secs(1), 2.0, Duration::from_secs(5), 0.0).unwrap();
        let seconds: Vec<_> = (0..6).map(|n| policy.delay(n, 0.9).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 5, 5]);
    }

    proptest! {
        #[test]
        fn stays_in_bounds(initial_ms in 1u64..10_000, more_ms in 0u64..100_000, factor in 1.0f64..10.0,
                           jitter in 0.0f64..0.99, attempt in any::<u32>(), random in 0.0f64..1.0) {
            let initial = Duration::from_millis(initial_ms);
            let cap = initial + Duration::from_millis(more_ms);
            let policy = Backoff::try_new(initial, factor, cap, jitter).unwrap();
            let pause = policy.delay(attempt, random);
            prop_assert!(!pause.is_zero());
            prop_assert!(pause <= cap);
            prop_assert!(policy.delay(attempt.saturating_add(1), random) >= pause);
        }
    }
}
