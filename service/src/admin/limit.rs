//! How many admin calls there may be: a bucket for those with the token, and smaller ones for those without, one for each
//! peer and one for all of them, so that whoever guesses neither gets far nor keeps the operator out. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::http::limits::Peer;

/// Calls at once with the token …
pub(crate) const CALLS: u32 = 20;
/// … and how soon there is room for another.
pub(crate) const CALL_EVERY: Duration = Duration::from_millis(200);
/// Wrong tokens of one peer at once …
pub(crate) const WRONG: u32 = 5;
/// … and how soon another is answered as such.
pub(crate) const WRONG_EVERY: Duration = Duration::from_secs(12);
/// The same of all peers together.
pub(crate) const WRONG_OF_ALL: u32 = 20;
/// …
pub(crate) const WRONG_OF_ALL_EVERY: Duration = Duration::from_secs(3);
/// Peers that are counted apart at most.
pub(crate) const PEERS_MAX: usize = 256;

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

    /// Puts in what flowed in until `now`.
    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled);
        let new = u32::try_from(passed.as_nanos() / self.every.as_nanos()).unwrap_or(u32::MAX);
        if new >= self.most - self.left {
            (self.left, self.filled) = (self.most, now);
        } else {
            self.left += new;
            self.filled += self.every * new;
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        let mut filled = *self;
        filled.fill(now);
        filled.left == filled.most
    }

    /// Takes one; else how long until there is one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.left == 0 {
            return Err(self.every.saturating_sub(now.saturating_duration_since(self.filled)));
        }
        self.left -= 1;
        Ok(())
    }
}

/// Lets calls pass or not.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    calls: Bucket,
    wrong: Bucket,
    /// Those who guessed lately, at most [`PEERS_MAX`].
    guessers: HashMap<Peer, Bucket>,
}

impl Gate {
    /// A gate with full buckets.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            calls: Bucket::full(CALLS, CALL_EVERY, now),
            wrong: Bucket::full(WRONG_OF_ALL, WRONG_OF_ALL_EVERY, now),
            guessers: HashMap::new(),
        }
    }

    /// May a call of `peer` be made; `known` = with the right token or certificate?
    pub(crate) fn pass(&mut self, known: bool, peer: Peer, now: Instant) -> Verdict {
        if known {
            return self.calls.take(now).map_or_else(Verdict::TooMany, |()| Verdict::Passes);
        }
        // first the peer's own: who is stopped there takes nothing of what all have together
        let taken = match self.guesser(peer, now) {
            Some(bucket) => bucket.take(now).and_then(|()| self.wrong.take(now)),
            None => self.wrong.take(now),
        };
        taken.map_or_else(Verdict::TooMany, |()| Verdict::Unknown)
    }

    /// The bucket of a peer; `None` when there are too many, who then have only what all have together.
    fn guesser(&mut self, peer: Peer, now: Instant) -> Option<&mut Bucket> {
        if self.guessers.len() >= PEERS_MAX && !self.guessers.contains_key(&peer) {
            // who has been quiet until the bucket is full again is as good as new
            self.guessers.retain(|_, bucket| !bucket.is_full(now));
            if self.guessers.len() >= PEERS_MAX {
                return None;
            }
        }
        Some(self.guessers.entry(peer).or_insert_with(|| Bucket::full(WRONG, WRONG_EVERY, now)))
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
            assert_eq!(gate.pass(false, eve(), now), Verdict::Unknown);
        }
        assert_eq!(gate.pass(false, eve(), now), Verdict::TooMany(WRONG_EVERY));
        assert_eq!(gate.pass(true, eve(), now), Verdict::Passes);
        let later = now + Duration::from_secs(5);
        assert_eq!(gate.pass(false, eve(), later), Verdict::TooMany(Duration::from_secs(7)));
        assert_eq!(gate.pass(false, eve(), now + WRONG_EVERY), Verdict::Unknown);
        for _ in 1..CALLS {
            assert_eq!(gate.pass(true, eve(), now), Verdict::Passes);
        }
        assert_eq!(gate.pass(true, eve(), now), Verdict::TooMany(CALL_EVERY));
    }

    fn eve() -> Peer {
        peer(1)
    }

    fn peer(number: u16) -> Peer {
        let [high, low] = number.to_be_bytes();
        std::net::IpAddr::from([10, 0, high, low]).into()
    }

    #[test]
    fn who_guesses_from_many_addresses_gets_no_further_and_takes_no_room() {
        let now = SystemClock.monotonic();
        let mut gate = Gate::new(now);
        let looked_at =
            (0..2_000).filter(|number| gate.pass(false, peer(number % 1_000), now) == Verdict::Unknown);
        assert_eq!(looked_at.count(), WRONG_OF_ALL as usize);
        assert_eq!(gate.guessers.len(), PEERS_MAX);
        assert_eq!(gate.pass(true, peer(7), now), Verdict::Passes, "who knows the token is not kept out");
        // when those are quiet again others take their places
        let later = now + WRONG_EVERY * WRONG;
        assert_eq!(gate.pass(false, peer(5_000), later), Verdict::Unknown);
        assert_eq!(gate.guessers.len(), 1);
    }

    #[test]
    fn one_who_is_stopped_takes_nothing_from_others() {
        let now = SystemClock.monotonic();
        let mut gate = Gate::new(now);
        for _ in 0..1_000 {
            gate.pass(false, eve(), now);
        }
        assert_eq!(gate.pass(false, eve(), now), Verdict::TooMany(WRONG_EVERY));
        assert_eq!(
            gate.pass(false, peer(2), now),
            Verdict::Unknown,
            "a slip of somebody else is told as such"
        );
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
                if gate.pass(true, eve(), now) == Verdict::Passes {
                    passed += 1;
                }
                let flowed = (now - start).as_millis() / CALL_EVERY.as_millis();
                prop_assert!(passed <= u128::from(CALLS) + flowed);
            }
        }
    }
}
