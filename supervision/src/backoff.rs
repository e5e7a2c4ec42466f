//! The pause before a restart: `base::Backoff` applied to one child's failures in a row.

use std::time::{Duration, Instant};

use base::Backoff;

/// The pause when a specification names none: 100 ms, doubling to 30 s, half of it jitter.
pub fn default_backoff() -> Backoff {
    Backoff::doubling(Duration::from_millis(100), Duration::from_secs(30))
}

/// A small deterministic source of jitter (SplitMix64), so that the core stays a pure function of its
/// inputs and its seed. Not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// A source that always gives the same sequence for the same seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number in 0..1.
    pub fn next_share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        // 53 bits are what a double holds exactly.
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How often a child has failed in a row. A child that ran for a whole window without a failure starts
/// from the first pause again. The window is counted from its start and not from its last failure: else
/// a pause as long as the window would reset itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attempts(u32);

impl Attempts {
    /// Counts one more failure, at `now`, of an incarnation that was started at `started_at`; gives the
    /// number of failures in a row.
    pub fn failed(&mut self, started_at: Instant, now: Instant, window: Duration) -> u32 {
        if now.saturating_duration_since(started_at) >= window {
            self.0 = 0;
        }
        self.0 = self.0.saturating_add(1);
        self.0
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the machine")]
mod tests {
    //! Goal: failures in a row add up, a good run forgets them, and jitter stays a share.
    use super::*;

    #[test]
    fn failures_in_a_row_count_until_a_good_window() {
        let window = Duration::from_secs(60);
        let start = Instant::now();
        let mut attempts = Attempts::default();
        assert_eq!(attempts.failed(start, start + Duration::from_secs(59), window), 1);
        assert_eq!(attempts.failed(start, start, window), 2);
        assert_eq!(attempts.failed(start, start, window), 3);
        assert_eq!(attempts.failed(start, start + window, window), 1);
    }

    #[test]
    fn jitter_is_a_share_and_repeats_with_its_seed() {
        let mut one = Jitter::seeded(7);
        let mut same = Jitter::seeded(7);
        let numbers: Vec<f64> = (0..1_000).map(|_| one.next_share()).collect();
        assert!(numbers.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(numbers.iter().all(|share| *share == same.next_share()));
        let mean = numbers.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "mean {mean}");
    }
}
