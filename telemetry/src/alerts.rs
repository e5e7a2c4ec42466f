//! Alerts: the thresholds of the registry, evaluated by the program (B13).
//!
//! Protocol: the layer for coded events hands every occurrence in, and every event with the field
//! `succeeded = "<word>"`, which is how code says that something worked (at level DEBUG: it is in no log unless asked
//! for). `kommuneklient_alert_active{code}` is 1 while an alert stands, and is there from the start for every code that
//! can call for somebody. [`Alerts::look`] lets what is old go and tells what changed, for a log and a table.
//!
//! What was counted belongs to this process and ends with it: a restart begins to count anew. What is a state of the
//! installation ([`base::event_entry::Clears::State`]) is looked up by the service and held by [`Alerts::hold`], since it is so. What
//! became of the subjects of alerts (a mailbox that is another process's now) is looked up by it, too: it asks for them
//! with [`Alerts::counted`] and lets go of those that are not here any more with [`Alerts::ended`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::SharedClock;
use base::event_entry::CodeEntry;
use jiff::Timestamp;

use crate::Metrics;

mod book;

use book::AlertBook;
pub use book::{AlertChange, DAY, FORGOTTEN, Held, QUIET, StandingAlert};

/// Changes that wait to be told; older ones are dropped, the gauges and [`Alerts::standing`] know them.
const CHANGES_MAX: usize = 1_000;

/// The alerts of this process; clones share them.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    metrics: Metrics,
    clock: SharedClock,
}

#[derive(Default)]
struct State {
    book: AlertBook,
    changes: VecDeque<AlertChange>,
}

impl Alerts {
    /// Alerts by this registry, shown in `metrics`.
    pub(crate) fn new(registry: &[CodeEntry], metrics: Metrics, clock: SharedClock) -> Self {
        let book = AlertBook::new(registry);
        for code in book.codes() {
            show(&metrics, code, false);
        }
        Self(Arc::new(Inner { state: Mutex::new(State { book, changes: VecDeque::new() }), metrics, clock }))
    }

    /// An event came. Is it beyond its threshold?
    pub(crate) fn raised(&self, code: u16, field: impl Fn(&str) -> Option<String>) -> Option<bool> {
        let mut state = self.lock();
        let (beyond, change) = state.book.raised(code, field, self.0.clock.now());
        self.tell(&mut state, change);
        beyond
    }

    /// Something worked.
    pub(crate) fn succeeded(&self, success: &str, field: impl Fn(&str) -> Option<String>) {
        let mut state = self.lock();
        if state.book.is_calm() {
            return;
        }
        let changes = state.book.succeeded(success, field, self.0.clock.now());
        self.tell(&mut state, changes);
    }

    /// Says that what a code is about was so, and since when, or that it was not, at `as_of`. An occurrence since then is newer than
    /// a "not".
    pub fn hold(&self, code: u16, found: Option<Held>, as_of: Timestamp) {
        let mut state = self.lock();
        let change = state.book.hold(code, found, as_of, self.0.clock.now());
        self.tell(&mut state, change);
    }

    /// The subjects for which something is counted now, whether or not that is beyond a threshold: by code.
    pub fn counted(&self) -> Vec<(u16, String)> {
        self.lock().book.counted()
    }

    /// The codes that are counted without a subject, of which something is counted now: those about a duty as a whole.
    pub fn counted_of_the_whole(&self) -> Vec<u16> {
        self.lock().book.counted_of_the_whole()
    }

    /// Says that `subject` (empty: the duty that the code is about) was not here any more at `as_of`, so that no success will be told of it here: what was counted of
    /// `code` for it is over. An occurrence since then is newer.
    pub fn ended(&self, code: u16, subject: &str, as_of: Timestamp) {
        let mut state = self.lock();
        let change = state.book.ended(code, subject, as_of, self.0.clock.now());
        self.tell(&mut state, change);
    }

    /// The time by the clock of these alerts.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Lets go of what has grown old, and answers what changed since the last look.
    pub fn look(&self) -> Vec<AlertChange> {
        let mut state = self.lock();
        let changes = state.book.expire(self.0.clock.now());
        self.tell(&mut state, changes);
        state.changes.drain(..).collect()
    }

    /// The alerts that stand now, by code.
    pub fn standing(&self) -> Vec<StandingAlert> {
        self.lock().book.standing()
    }

    fn tell(&self, state: &mut State, changes: impl IntoIterator<Item = AlertChange>) {
        for change in changes {
            match change {
                AlertChange::Began { code, .. } => show(&self.0.metrics, code, true),
                AlertChange::Over { code, .. } => show(&self.0.metrics, code, false),
            }
            if state.changes.len() >= CHANGES_MAX {
                state.changes.pop_front();
            }
            state.changes.push_back(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts").field("standing", &self.standing()).finish()
    }
}

fn show(metrics: &Metrics, code: u16, stands: bool) {
    let help = "1 while an event calls for somebody by its threshold";
    metrics.gauge("kommuneklient_alert_active", help, &[("code", &*code.to_string())]).set(if stands {
        1.0
    } else {
        0.0
    });
}
