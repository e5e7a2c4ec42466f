//! The database's time, for every instance.
//!
//! The wall clocks of two machines differ, by minutes when nobody looks after them. What one instance writes another
//! reads: when a reading began, when something is to be tried again, when a schedule ran. So they all go by one clock,
//! the database's: [`DatabaseClock`] is told its time with every renewal of the leases and goes on from there by the
//! machine's monotonic clock. The wall clock of the machine counts until the database was asked once, which is before
//! any stage begins.
//!
//! Accuracy: half of a round trip; of the last few, the shortest counts. Within a process the time does not go
//! back by less than [`STEP`]; a real step (the database's clock was set, the machine was asleep) is followed at once.
//!
//! Failure: while the database is away the monotonic clock goes on alone, which costs milliseconds an hour.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{Clock, SharedClock};
use calendar::codes;
use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
mod tests;

/// How many round trips are remembered.
const SAMPLES: usize = 8;
/// What differs by more than this from what is known, beyond the length of the round trip, is another time.
const STEP: Duration = Duration::from_millis(250);
/// A machine whose wall clock differs by more than this from the database's is told of.
const TELL: Duration = Duration::from_secs(5);

/// A clock that shows the database's time.
#[derive(Debug)]
pub struct DatabaseClock {
    machine: SharedClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    samples: VecDeque<Sample>,
    /// The latest time that was shown.
    shown: Option<Timestamp>,
    /// It was told that the machine's clock differs.
    told: bool,
}

/// An answer of the database: what its clock showed at about `at`.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    shows: Timestamp,
    /// It was `at` up to half of this earlier or later.
    round_trip: Duration,
}

impl Sample {
    fn at(&self, instant: Instant) -> Timestamp {
        let shown = if instant >= self.at {
            self.shows.checked_add(instant.duration_since(self.at))
        } else {
            self.shows.checked_sub(self.at.duration_since(instant))
        };
        // only at the end of time
        shown.unwrap_or(self.shows)
    }
}

impl State {
    fn best(&self) -> Option<&Sample> {
        self.samples.iter().min_by_key(|sample| sample.round_trip)
    }
}

impl DatabaseClock {
    /// A clock that shows the machine's time until it is told the database's.
    pub fn new(machine: SharedClock) -> Arc<Self> {
        Arc::new(Self { machine, state: Mutex::default() })
    }

    /// The database's clock showed `shows` at some time between `asked` and `answered`.
    pub fn tell(&self, asked: Instant, shows: Timestamp, answered: Instant) {
        let round_trip = answered.saturating_duration_since(asked);
        let sample = Sample { at: asked + round_trip / 2, shows, round_trip };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = state.best().is_some_and(|best| {
            let off = best.at(sample.at).duration_since(sample.shows).unsigned_abs();
            off > (best.round_trip + sample.round_trip) / 2 + STEP
        });
        if steps {
            tracing::info!("the clock of the database was set, or this machine was asleep");
            state.samples.clear();
            state.shown = None;
        }
        if state.samples.len() == SAMPLES {
            state.samples.pop_front();
        }
        state.samples.push_back(sample);
        self.tell_difference(&mut state, answered);
    }

    /// Tells once when the machine's clock differs much, and again after it was right.
    fn tell_difference(&self, state: &mut State, now: Instant) {
        let Some(right) = state.best().map(|best| best.at(now)) else { return };
        let off = self.machine.now().duration_since(right);
        let differs = off.unsigned_abs() > TELL;
        if differs && !state.told {
            tracing::warn!(
                event_id = codes::CLOCK_DIFFERS.id,
                ahead_ms = i64::try_from(off.as_millis()).unwrap_or(i64::MAX),
                "the clock of this machine differs from the database's, which counts"
            );
        }
        state.told = differs;
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(best) = state.best() else { return self.machine.now() };
        let now = best.at(self.machine.monotonic());
        let step = SignedDuration::try_from(STEP).unwrap_or_default();
        let now = match state.shown {
            Some(shown) if shown > now && shown.duration_since(now) <= step => shown,
            _ => now,
        };
        state.shown = Some(now);
        now
    }

    fn monotonic(&self) -> Instant {
        self.machine.monotonic()
    }
}
