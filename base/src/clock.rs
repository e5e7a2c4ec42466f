//! Time as a value. Rules and plans take instants as arguments; the few places that must ask for the
//! time ask a [`Clock`], so that a test (or the torture run, with clock offsets) can answer.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

/// Tells the time: by the calendar, and by a clock that never goes back.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant by the wall clock (UTC).
    fn now(&self) -> Timestamp;
    /// The current instant of a clock that never goes back; for durations, deadlines and leases.
    fn monotonic(&self) -> Instant;
}

/// A clock shared by everything in one process.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the machine. The monotonic part follows tokio's time, so that paused tests hold it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock behind the shared handle.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        #[cfg(feature = "crash-points")]
        let now = now.checked_add(crate::crash::clock_offset()).unwrap_or(now);
        now
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// A clock that stands still until a test moves it.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct ManualClock {
    state: std::sync::Mutex<(Timestamp, Instant)>,
}

#[cfg(any(test, feature = "testing"))]
impl ManualClock {
    /// A clock that shows `now`.
    #[expect(clippy::disallowed_methods, reason = "an Instant can only be had from the machine")]
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { state: std::sync::Mutex::new((now, Instant::now())) })
    }

    /// Moves both clocks forward by `by`.
    pub fn advance(&self, by: std::time::Duration) {
        let mut state = self.state.lock().expect("no holder of this lock can panic");
        state.0 += by;
        state.1 += by;
    }

    /// Sets the wall clock alone, as an operator or NTP may.
    pub fn set(&self, now: Timestamp) {
        self.state.lock().expect("no holder of this lock can panic").0 = now;
    }
}

#[cfg(any(test, feature = "testing"))]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state.lock().expect("no holder of this lock can panic").0
    }

    fn monotonic(&self) -> Instant {
        self.state.lock().expect("no holder of this lock can panic").1
    }
}
