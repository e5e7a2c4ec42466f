//! When the batcher looks for work, how many calls it has in flight, and when it pauses. Pure: events and
//! the time go in, directives come out.

use std::time::{Duration, Instant};

use base::Backoff;
use connector_planner::CallOutcome;

use crate::batch_size::BatchSize;

#[cfg(test)]
mod tests;

/// After a look that could not be made (database away) the next comes after this time, at least.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There may be something to send.
    News,
    /// The time that was asked for has come (or nearly so).
    Timer,
    /// A look ended.
    Looked(Look),
    /// A batch ended.
    Ended(Ended),
    /// No new calls; end when those in flight have ended.
    Stop,
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A call was reserved and is in flight now.
    Reserved,
    /// Nothing is to be sent now; something will be due after this time.
    Nothing {
        /// `None`: nothing waits for time.
        due: Option<Duration>,
    },
    /// Something is to be sent and the budget has no room before this time.
    NoRoom(Duration),
    /// The look gave up before it found anything; there may be more.
    Unfinished,
    /// The database could not be asked.
    Failed,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Planner answered with receipts.
    Answered,
    /// The call failed as a whole.
    Failed {
        /// What is known.
        known: CallOutcome,
        /// By its time running out (6904).
        timed_out: bool,
    },
    /// The batch's own values cannot be sent; that says nothing about Planner.
    Unsendable,
    /// It ended without saying how.
    Lost,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Look for work. `fresh`: there was news, forget what was planned of the live keys.
    Look {
        /// Forget what was planned.
        fresh: bool,
        /// Most keys in a batch.
        size: usize,
    },
    /// Send a timer event at this instant instead of any earlier asked for.
    WakeAt(Instant),
    /// Repeated timeouts made the batches smaller.
    Smaller(usize),
    /// All sending pauses for this long.
    Paused(Duration),
    /// Sending works again.
    Resumed,
    /// Stopped: nothing is in flight any more.
    Finished,
}

/// Limits and pauses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Most calls in flight.
    pub simultaneous_calls: usize,
    /// Most keys in a call.
    pub max_events_per_call: usize,
    /// How often to look when nothing wakes.
    pub update_interval: Duration,
    /// The pause of all sending while calls fail.
    pub retry: Backoff,
}

/// The state of sending.
#[derive(Debug, Clone)]
pub struct Policy {
    limits: Limits,
    size: BatchSize,
    in_flight: usize,
    looking: bool,
    news: bool,
    fresh: bool,
    due: Option<Instant>,
    failures: u32,
    paused_until: Option<Instant>,
    stopping: bool,
}

impl Policy {
    /// Nothing in flight; looks at once.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            size: BatchSize::new(limits.max_events_per_call),
            in_flight: 0,
            looking: false,
            news: true,
            fresh: true,
            due: None,
            failures: 0,
            paused_until: None,
            stopping: false,
        }
    }

    /// Takes an event in. `random` is from 0 to 1.
    pub fn on(&mut self, event: Event, now: Instant, random: f64) -> Vec<Directive> {
        let mut directives = Vec::new();
        match event {
            Event::News => {
                self.news = true;
                self.fresh = true;
            }
            Event::Timer => {}
            Event::Looked(look) => self.looked(look, now),
            Event::Ended(ended) => self.ended(ended, now, random, &mut directives),
            Event::Stop => self.stopping = true,
        }
        self.go_on(now, &mut directives);
        directives
    }

    /// Calls in flight.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Most keys in a call now.
    pub const fn batch_size(&self) -> usize {
        self.size.get()
    }

    /// Does it look, or has it calls in flight?
    pub const fn is_busy(&self) -> bool {
        self.looking || self.in_flight > 0
    }

    fn looked(&mut self, look: Look, now: Instant) {
        self.looking = false;
        match look {
            Look::Reserved => {
                self.in_flight += 1;
                self.news = true;
            }
            Look::Nothing { due } => {
                let wait = due.unwrap_or(Duration::MAX).min(self.limits.update_interval);
                self.due = now.checked_add(wait);
            }
            Look::NoRoom(wait) => self.due = now.checked_add(wait),
            Look::Unfinished => self.news = true,
            Look::Failed => self.due = now.checked_add(LOOK_AGAIN),
        }
    }

    fn ended(&mut self, ended: Ended, now: Instant, random: f64, directives: &mut Vec<Directive>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.news = true;
        let pause = match ended {
            Ended::Answered => {
                if self.paused_until.take().is_some() {
                    directives.push(Directive::Resumed);
                }
                self.failures = 0;
                self.size.succeeded(now);
                None
            }
            Ended::Unsendable => None,
            // One call whose outcome is unknown may be its own fault: only repeated ones pause the others.
            Ended::Failed { known: CallOutcome::Unknown, .. } | Ended::Lost => {
                self.failures = self.failures.saturating_add(1);
                (self.failures > 1).then(|| self.limits.retry.delay(self.failures - 1, random))
            }
            Ended::Failed { known: CallOutcome::NotApplied | CallOutcome::Failed, .. } => {
                self.failures = self.failures.saturating_add(1);
                Some(self.limits.retry.delay(self.failures, random))
            }
        };
        if matches!(ended, Ended::Failed { timed_out: true, .. }) && self.size.timed_out(now) {
            directives.push(Directive::Smaller(self.size.get()));
        }
        if let Some(pause) = pause {
            self.paused_until = now.checked_add(pause);
            directives.push(Directive::Paused(pause));
        }
    }

    fn go_on(&mut self, now: Instant, directives: &mut Vec<Directive>) {
        if self.stopping {
            if !self.is_busy() {
                directives.push(Directive::Finished);
            }
            return;
        }
        if self.looking || self.in_flight >= self.allowed() {
            return;
        }
        let pause_ends = self.paused_until.filter(|until| *until > now);
        let is_due = self.due.is_some_and(|due| due <= now);
        if pause_ends.is_none() && (self.news || is_due) {
            self.looking = true;
            self.news = false;
            self.due = None;
            directives
                .push(Directive::Look { fresh: std::mem::take(&mut self.fresh), size: self.size.get() });
            return;
        }
        let next = match (pause_ends, self.due) {
            (Some(pause), _) if self.news => Some(pause),
            (Some(pause), Some(due)) => Some(pause.max(due)),
            (pause, due) => due.or(pause),
        };
        directives.extend(next.map(Directive::WakeAt));
    }

    /// After a failure one call at a time tries whether Planner is back.
    fn allowed(&self) -> usize {
        if self.failures > 0 { 1 } else { self.limits.simultaneous_calls.max(1) }
    }
}
