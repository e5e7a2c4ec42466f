//! When mailboxes are looked for, how many calls run, and when adoption and comparison pause. Pure.

use std::time::{Duration, Instant};

use base::Backoff;

#[cfg(test)]
mod tests;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There may be mailboxes to be adopted or compared.
    News,
    /// The time that was asked for has come.
    Timer,
    /// A look ended.
    Looked(Look),
    /// A call ended.
    Ended(Ended),
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A call was begun.
    Begun,
    /// Nothing is due; the next will be after this time.
    Nothing(Option<Duration>),
    /// The database could not be asked.
    Failed,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its mailboxes are done.
    Done,
    /// Planner or the database is away: other mailboxes would fare no better.
    Outage,
    /// No usable answer for these mailboxes; they were put off.
    PutOff,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Look for mailboxes that are due and begin a call for at most so many.
    Look {
        /// Most mailboxes.
        mailboxes: usize,
    },
    /// Send a timer event at this instant instead of any earlier asked for.
    WakeAt(Instant),
}

/// Limits and pauses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Most calls at a time.
    pub calls: usize,
    /// Most mailboxes in a call.
    pub mailboxes: usize,
    /// How often to look when nothing wakes.
    pub interval: Duration,
    /// The pause while calls fail.
    pub retry: Backoff,
}

/// The state of the work.
#[derive(Debug, Clone)]
pub struct Policy {
    limits: Limits,
    running: usize,
    looking: bool,
    news: bool,
    due: Option<Instant>,
    failures: u32,
    paused_until: Option<Instant>,
    /// After a call without a usable answer mailboxes are asked for one by one for so many calls.
    one_by_one: u32,
}

/// So many calls ask for one mailbox each after one that brought no usable answer.
const ONE_BY_ONE: u32 = 20;

impl Policy {
    /// Nothing runs; looks at once.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            running: 0,
            looking: false,
            news: true,
            due: None,
            failures: 0,
            paused_until: None,
            one_by_one: 0,
        }
    }

    /// Takes an event in. `random` is from 0 to 1.
    pub fn on(&mut self, event: Event, now: Instant, random: f64) -> Option<Directive> {
        match event {
            Event::News => self.news = true,
            Event::Timer => {}
            Event::Looked(look) => self.looked(look, now),
            Event::Ended(ended) => self.ended(ended, now, random),
        }
        self.go_on(now)
    }

    fn looked(&mut self, look: Look, now: Instant) {
        self.looking = false;
        match look {
            Look::Begun => {
                self.running += 1;
                self.one_by_one = self.one_by_one.saturating_sub(1);
                self.news = true;
            }
            Look::Nothing(next) => {
                self.due = now.checked_add(next.unwrap_or(Duration::MAX).min(self.limits.interval));
            }
            Look::Failed => self.due = now.checked_add(self.limits.retry.delay(1, 0.0)),
        }
    }

    fn ended(&mut self, ended: Ended, now: Instant, random: f64) {
        self.running = self.running.saturating_sub(1);
        self.news = true;
        match ended {
            Ended::Done => {
                self.failures = 0;
                self.paused_until = None;
            }
            Ended::PutOff => self.one_by_one = ONE_BY_ONE,
            Ended::Outage => {
                self.failures = self.failures.saturating_add(1);
                self.paused_until = now.checked_add(self.limits.retry.delay(self.failures, random));
            }
        }
    }

    fn go_on(&mut self, now: Instant) -> Option<Directive> {
        let allowed = if self.failures > 0 { 1 } else { self.limits.calls.max(1) };
        if self.looking || self.running >= allowed {
            return None;
        }
        let pause = self.paused_until.filter(|until| *until > now);
        if let Some(until) = pause {
            return Some(Directive::WakeAt(until));
        }
        if self.news || self.due.is_some_and(|due| due <= now) {
            self.looking = true;
            self.news = false;
            self.due = None;
            let mailboxes = if self.one_by_one > 0 { 1 } else { self.limits.mailboxes.max(1) };
            return Some(Directive::Look { mailboxes });
        }
        self.due.map(Directive::WakeAt)
    }
}
