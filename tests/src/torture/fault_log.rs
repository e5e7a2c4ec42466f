//! What was done in a seed, and when: printed with a seed that failed, and told to the observer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use base::SharedClock;

use super::contract::Act;
use super::observer::Observer;

/// The most lines that are kept.
const LINES_MAX: usize = 5_000;

/// The log of one seed. A clone is a handle on the same log.
#[derive(Debug, Clone)]
pub struct FaultLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: SharedClock,
    begin: Instant,
    lines: Mutex<Vec<String>>,
    observer: OnceLock<Arc<Observer>>,
}

impl FaultLog {
    /// Begins now.
    pub fn new(clock: SharedClock) -> Self {
        let begin = clock.monotonic();
        let inner = Inner { clock, begin, lines: Mutex::default(), observer: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// What is noted is told to `observer` from now on.
    pub fn tell(&self, observer: Arc<Observer>) {
        // a second one would be a mistake of the driver, and the first goes on
        let _second = self.inner.observer.set(observer);
    }

    /// What was done to an instance or to the database.
    pub fn note(&self, act: Act) {
        self.say(&serde_json::to_string(&act).unwrap_or_default());
        if let Some(observer) = self.inner.observer.get() {
            observer.note(act);
        }
    }

    /// Anything else.
    pub fn say(&self, text: &str) {
        let at = self.inner.clock.monotonic().saturating_duration_since(self.inner.begin);
        let mut lines = self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINES_MAX {
            lines.push(format!("{:>7} ms  {text}", at.as_millis()));
        }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
