//! How many admin calls there may be: a bucket for those with the token, and a smaller one for those without, so that
//! whoever guesses neither gets far nor keeps the operator out. Pure.

use std::time::{Duration, Instant};

/// Calls at once with the token …
pub(crate) const CALLS: u32 = 20;
/// … and how soon there is room for another.
pub(crate) const CALL_EVERY: Duration = Duration::from_millis(200);
/// Wrong tokens at once …
pub(crate) const WRONG: u32 = 5;
/// … and how soon another is answered as such.
pub(crate) const WRONG_EVERY: Duration = Duration::from_secs(12);

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is made.
    Passes,
    /// It has no token, or a wrong one.
    Unknown,
    /// There were too many; ask again after this time.
    TooMany(Duration),
}

/// A bucket that fills by one every so often.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    most: u32,
    every: Duration,
    left: u32,
    /// When the last one was put in.
    filled: Instant,
}

impl Bucket {
    const fn full(most: u32, every: Duration, now: Instant) -> Self {
        Self { most, every, left: most, filled: now }
    }

    /// Takes one; else how long until there is one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled);
        let new = u32::try_from(passed.as_nanos() / self.every.as_nanos()).unwrap_or(u32::MAX);
        if new >= self.most - self.left {
            (self.left, self.filled) = (self.most, now);
        } else {
            self.left += new;
            self.filled += self.every * new;
        }
        if self.left == 0 {
            return Err(self.every.saturating_sub(now.saturating_duration_since(self.filled)));
        }
        self.left -= 1;
        Ok(())
    }
}

/// Lets calls pass or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    calls: Bucket,
    wrong: Bucket,
}

impl Gate {
    /// A gate with full buckets.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { calls: Bucket::full(CALLS, CALL_EVERY, now), wrong: Bucket::full(WRONG, WRONG_EVERY, now) }
    }

    /// May a call be made; `known` = with the right token?
    pub(crate) fn pass(&mut self, known: bool, now: Instant) -> Verdict {
        let (bucket, verdict) =
            if known { (&mut self.calls, Verdict::Passes) } else { (&mut self.wrong, Verdict::Unknown) };
        bucket.take(now).map_or_else(Verdict::TooMany, |()| verdict)
    }
}

#[cfg(test)]
mod tests {
    use base::{Clock, SystemClock};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_guesses_is_slowed_down_and_keeps_nobody_out() {
        let now = SystemClock.monotonic();
        let mut gate = Gate::new(now);
        for _ in 0..WRONG {
            assert_eq!(gate.pass(false, now), Verdict::Unknown);
        }
        assert_eq!(gate.pass(false, now), Verdict::TooMany(WRONG_EVERY));
        assert_eq!(gate.pass(true, now), Verdict::Passes);
        let later = now + Duration::from_secs(5);
        assert_eq!(gate.pass(false, later), Verdict::TooMany(Duration::from_secs(7)));
        assert_eq!(gate.pass(false, now + WRONG_EVERY), Verdict::Unknown);
        for _ in 1..CALLS {
            assert_eq!(gate.pass(true, now), Verdict::Passes);
        }
        assert_eq!(gate.pass(true, now), Verdict::TooMany(CALL_EVERY));
    }

    proptest! {
        /// In any stretch no more pass than the bucket holds and what flowed in meanwhile.
        #[test]
        fn never_more_than_flowed_in(steps in proptest::collection::vec(0_u64..2_000, 1..200)) {
            let start = SystemClock.monotonic();
            let mut gate = Gate::new(start);
            let (mut now, mut passed) = (start, 0_u128);
            for step in steps {
                now += Duration::from_millis(step);
                if gate.pass(true, now) == Verdict::Passes {
                    passed += 1;
                }
                let flowed = (now - start).as_millis() / CALL_EVERY.as_millis();
                prop_assert!(passed <= u128::from(CALLS) + flowed);
            }
        }
    }
}
