//! The decisions of one supervisor, pure: events in, [`Directive`]s out. No clock (time is an argument),
//! no I/O, no actix; jitter comes from a seed.
//!
//! # Protocol
//! The performer calls [`Core::start`] once and then one method per event (`on_started`, `on_exit`,
//! `on_timer`, `add`, `remove`, `shutdown`), carries out the directives in their order, and calls
//! `on_timer` when [`Core::next_timer`] has come. It owes the core one `on_exit` for every `Start`, whatever
//! happens; a `Kill` must lead to it soon. After `Exit` the core is dead and gives no more directives.
//!
//! # Rules
//! * Children are started in their order, one at a time: the next one when the one before has started or
//!   ended. They are stopped in the reverse order, one at a time; only the dynamic children of a
//!   `OneForOne` supervisor, which know nothing of each other, are told together (still in that order).
//! * A restart is granted by the [`RestartLog`] or the supervisor ends with [`Outcome::Escalated`] after it
//!   has stopped all its children.
//! * An event about an incarnation that is not the current one is ignored.
//! * At most one incarnation of a child is alive.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use base::Backoff;

use crate::backoff::{Attempts, Jitter};
use crate::child::ChildId;
use crate::error::SupervisorError;
use crate::exit::{ExitReason, Outcome};
use crate::health::ChildState;
use crate::intensity::{Intensity, RestartLog};
use crate::strategy::{Restart, Strategy};

#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

/// What the performer is to do. `incarnation` counts the starts of a child from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Build a fresh incarnation and run it.
    Start {
        /// Which child.
        child: ChildId,
        /// Its number.
        incarnation: u64,
    },
    /// Ask it to clean up and end.
    Stop {
        /// Which child.
        child: ChildId,
        /// Its number.
        incarnation: u64,
    },
    /// End it now, without its help.
    Kill {
        /// Which child.
        child: ChildId,
        /// Its number.
        incarnation: u64,
    },
    /// A restart was granted and will follow after `pause`; nothing to do but to tell the operator.
    RestartGranted {
        /// The child that ended (under a group strategy others go with it).
        child: ChildId,
        /// The time until its next start.
        pause: Duration,
    },
    /// The child is gone for good: drop what belongs to it.
    Forget {
        /// Which child.
        child: ChildId,
    },
    /// The supervisor has ended; always the last directive.
    Exit(Outcome),
}

/// What the core must know of a child.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub id: ChildId,
    /// Which ends lead to a restart.
    pub restart: Restart,
    /// The time from `Stop` to `Kill`; `None` waits without a limit (a supervisor's children have limits).
    pub shutdown_deadline: Option<Duration>,
    /// Incarnations that there were before this core.
    pub incarnation: u64,
}

/// How a supervisor behaves.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Who is restarted with whom.
    pub strategy: Strategy,
    /// When to escalate.
    pub intensity: Intensity,
    /// The pause before a restart.
    pub backoff: Backoff,
    /// The most dynamic children at a time.
    pub max_children: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// To be started when its turn comes.
    Waiting,
    Starting,
    Running,
    Stopping {
        kill_at: Option<Instant>,
        killed: bool,
    },
    BackingOff {
        until: Instant,
    },
    /// Not to be started again, except with its group.
    Ended,
}

impl Phase {
    const fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping { .. })
    }

    const fn state(self) -> ChildState {
        match self {
            Self::Waiting => ChildState::Waiting,
            Self::Starting => ChildState::Starting,
            Self::Running => ChildState::Running,
            Self::Stopping { .. } => ChildState::Stopping,
            Self::BackingOff { .. } => ChildState::BackingOff,
            Self::Ended => ChildState::Ended,
        }
    }
}

#[derive(Debug)]
struct Slot {
    member: Member,
    dynamic: bool,
    removing: bool,
    phase: Phase,
    started_at: Option<Instant>,
    attempts: Attempts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// Before `start`.
    New,
    Running,
    /// A group is being stopped, to be started again from `from` on when all of it has ended and `until`
    /// has come.
    Regrouping {
        from: u64,
        until: Instant,
    },
    Ending(Outcome),
    Gone,
}

/// The state machine of one supervisor; see the module.
#[derive(Debug)]
pub struct Core {
    policy: Policy,
    log: RestartLog,
    jitter: Jitter,
    mode: Mode,
    /// Children by start order.
    slots: BTreeMap<u64, Slot>,
    order_of: HashMap<ChildId, u64>,
    next_order: u64,
    dynamic_children: usize,
    any_exit: bool,
    changed: Vec<(ChildId, ChildState)>,
}

impl Core {
    /// A supervisor with its static children in start order. Ids must differ (the specification checks
    /// that); of two equal ones the first counts.
    pub fn new(policy: Policy, statics: impl IntoIterator<Item = Member>, seed: u64) -> Self {
        let mut core = Self {
            policy,
            log: RestartLog::new(policy.intensity),
            jitter: Jitter::seeded(seed),
            mode: Mode::New,
            slots: BTreeMap::new(),
            order_of: HashMap::new(),
            next_order: 0,
            dynamic_children: 0,
            any_exit: false,
            changed: Vec::new(),
        };
        for member in statics {
            if !core.order_of.contains_key(&member.id) {
                core.insert(member, false);
            }
        }
        core
    }

    /// Begins: the static children are started in their order.
    pub fn start(&mut self, now: Instant) -> Vec<Directive> {
        if self.mode == Mode::New {
            self.mode = Mode::Running;
        }
        self.advance(now)
    }

    /// Has every child been started, or has one ended? Then a parent need not wait any longer for this
    /// supervisor before it starts the next child: a child that fails again and again must not hold up
    /// siblings of its supervisor.
    pub fn settled(&self) -> bool {
        let unsettled = |slot: &Slot| matches!(slot.phase, Phase::Waiting | Phase::Starting);
        self.mode != Mode::New && (self.any_exit || !self.slots.values().any(unsettled))
    }

    /// Incarnation `incarnation` of `child` is up.
    pub fn on_started(&mut self, child: &ChildId, incarnation: u64, now: Instant) -> Vec<Directive> {
        let Some(order) = self.current(child, incarnation) else { return Vec::new() };
        if self.slots[&order].phase == Phase::Starting {
            self.set_phase(order, Phase::Running);
        }
        self.advance(now)
    }

    /// Incarnation `incarnation` of `child` has ended.
    pub fn on_exit(
        &mut self,
        child: &ChildId,
        incarnation: u64,
        reason: &ExitReason,
        now: Instant,
    ) -> Vec<Directive> {
        let Some(order) = self.current(child, incarnation) else { return Vec::new() };
        self.any_exit = true;
        let mut out = Vec::new();
        let was_told = matches!(self.slots[&order].phase, Phase::Stopping { .. });
        let goes_with_group = match &self.mode {
            Mode::Ending(_) => true,
            Mode::Regrouping { from, .. } => order >= *from,
            Mode::New | Mode::Running | Mode::Gone => false,
        };
        if was_told || goes_with_group {
            self.settle(order, &mut out);
        } else {
            self.decide(order, reason, now, &mut out);
        }
        out.extend(self.advance(now));
        out
    }

    /// The time has come to `now`: kills what is overdue, restarts what has waited long enough.
    pub fn on_timer(&mut self, now: Instant) -> Vec<Directive> {
        let mut out = Vec::new();
        for slot in self.slots.values_mut() {
            if let Phase::Stopping { kill_at: Some(at), killed: killed @ false } = &mut slot.phase
                && *at <= now
            {
                *killed = true;
                let Member { id, incarnation, .. } = &slot.member;
                out.push(Directive::Kill { child: id.clone(), incarnation: *incarnation });
            }
        }
        out.extend(self.advance(now));
        out
    }

    /// When `on_timer` is due next, if ever.
    pub fn next_timer(&self) -> Option<Instant> {
        let of_children = self.slots.values().filter_map(|slot| match slot.phase {
            Phase::Stopping { kill_at, killed: false } => kill_at,
            Phase::BackingOff { until } if self.mode == Mode::Running => Some(until),
            _ => None,
        });
        let of_group = match self.mode {
            Mode::Regrouping { from, until } if !self.any_live(from) => Some(until),
            _ => None,
        };
        of_children.chain(of_group).min()
    }

    /// Adds a dynamic child at the end of the start order.
    pub fn add(&mut self, member: Member, now: Instant) -> Result<Vec<Directive>, SupervisorError> {
        if matches!(self.mode, Mode::Ending(_) | Mode::Gone) {
            return Err(SupervisorError::Stopping);
        }
        if self.order_of.contains_key(&member.id) {
            return Err(SupervisorError::AlreadyThere { child: member.id });
        }
        if self.dynamic_children >= self.policy.max_children {
            return Err(SupervisorError::TooMany { child: member.id, max: self.policy.max_children });
        }
        self.insert(member, true);
        Ok(self.advance(now))
    }

    /// Stops a child and forgets it. `Forget` follows at once when it is not alive.
    pub fn remove(&mut self, child: &ChildId, now: Instant) -> Result<Vec<Directive>, SupervisorError> {
        if self.mode == Mode::Gone {
            return Err(SupervisorError::Stopping);
        }
        let Some(&order) = self.order_of.get(child) else {
            return Err(SupervisorError::NotFound { child: child.clone() });
        };
        let mut out = Vec::new();
        let slot = self.slots.get_mut(&order).expect("order_of and slots hold the same children");
        slot.removing = true;
        match slot.phase {
            Phase::Starting | Phase::Running => self.stop(order, now, &mut out),
            Phase::Stopping { .. } => {}
            Phase::Waiting | Phase::BackingOff { .. } | Phase::Ended => self.forget(order, &mut out),
        }
        out.extend(self.advance(now));
        Ok(out)
    }

    /// Ends the supervisor in order. While it is ending already, nothing changes.
    pub fn shutdown(&mut self, now: Instant) -> Vec<Directive> {
        if !matches!(self.mode, Mode::Ending(_) | Mode::Gone) {
            self.end(Outcome::Shutdown);
        }
        self.advance(now)
    }

    /// The children whose state changed since the last call, in order of change.
    pub fn take_changes(&mut self) -> Vec<(ChildId, ChildState)> {
        std::mem::take(&mut self.changed)
    }

    // === deciding ===

    /// A child ended that was meant to live.
    fn decide(&mut self, order: u64, reason: &ExitReason, now: Instant, out: &mut Vec<Directive>) {
        let slot = self.slots.get_mut(&order).expect("the caller found this child");
        if !slot.member.restart.wants_restart(reason.is_failure()) {
            return self.end_child(order, out);
        }
        let child = slot.member.id.clone();
        if !self.log.grant(now) {
            let Intensity { max_restarts, window } = self.policy.intensity;
            let reason = format!(
                "more than {max_restarts} restarts in {window:?}, the last one for {child}: {reason}"
            );
            self.set_phase(order, Phase::Ended);
            return self.end(Outcome::Escalated { reason: crate::exit::cut(reason) });
        }
        let started_at = slot.started_at.unwrap_or(now);
        let failures = slot.attempts.failed(started_at, now, self.policy.intensity.window);
        let pause = self.policy.backoff.delay(failures, self.jitter.next_share());
        let until = now + pause;
        self.set_phase(order, Phase::BackingOff { until });
        match self.policy.strategy {
            Strategy::OneForOne => {}
            Strategy::OneForAll => self.regroup(0, until),
            Strategy::RestForOne => self.regroup(order, until),
        }
        out.push(Directive::RestartGranted { child, pause });
    }

    /// Begins to restart a group, or widens the one under way.
    fn regroup(&mut self, from: u64, until: Instant) {
        let (from, until) = match self.mode {
            Mode::Regrouping { from: other_from, until: other } => (from.min(other_from), until.max(other)),
            _ => (from, until),
        };
        self.mode = Mode::Regrouping { from, until };
    }

    /// Begins to end; what is not alive stays so.
    fn end(&mut self, outcome: Outcome) {
        self.mode = Mode::Ending(outcome);
        let idle: Vec<u64> =
            self.orders(|slot| matches!(slot.phase, Phase::Waiting | Phase::BackingOff { .. }));
        for order in idle {
            self.set_phase(order, Phase::Ended);
        }
    }

    /// A child ended as it was told to, or while its group is being stopped anyway.
    fn settle(&mut self, order: u64, out: &mut Vec<Directive>) {
        let slot = &self.slots[&order];
        if slot.removing {
            self.forget(order, out);
        } else if matches!(self.mode, Mode::Ending(_)) {
            self.set_phase(order, Phase::Ended);
        } else if slot.member.restart == Restart::Temporary {
            self.end_child(order, out);
        } else {
            self.set_phase(order, Phase::Waiting);
        }
    }

    /// A child is not to come back: a static one stays visible, a dynamic one makes room.
    fn end_child(&mut self, order: u64, out: &mut Vec<Directive>) {
        if self.slots[&order].dynamic {
            self.forget(order, out);
        } else {
            self.set_phase(order, Phase::Ended);
        }
    }

    // === advancing: whatever is due in the present mode ===

    fn advance(&mut self, now: Instant) -> Vec<Directive> {
        let mut out = Vec::new();
        match self.mode.clone() {
            Mode::New | Mode::Gone => {}
            Mode::Running => self.start_next(now, &mut out),
            Mode::Regrouping { from, until } => {
                if self.any_live(from) {
                    self.stop_next(from, now, &mut out);
                } else if now >= until {
                    self.finish_regrouping(from);
                    self.start_next(now, &mut out);
                }
            }
            Mode::Ending(outcome) => {
                if self.any_live(0) {
                    self.stop_next(0, now, &mut out);
                } else {
                    self.mode = Mode::Gone;
                    out.push(Directive::Exit(outcome));
                }
            }
        }
        out
    }

    /// The group has ended: all of it is to be started again, except what never comes back.
    fn finish_regrouping(&mut self, from: u64) {
        self.mode = Mode::Running;
        let members: Vec<u64> = self.orders(|slot| !(slot.phase.is_live() || never_back(slot)));
        for order in members.into_iter().filter(|order| *order >= from) {
            self.set_phase(order, Phase::Waiting);
        }
    }

    /// Starts the first child that waits, unless one is starting.
    fn start_next(&mut self, now: Instant, out: &mut Vec<Directive>) {
        let due = self.orders(|slot| matches!(slot.phase, Phase::BackingOff { until } if until <= now));
        for order in due {
            self.set_phase(order, Phase::Waiting);
        }
        if self.slots.values().any(|slot| slot.phase == Phase::Starting) {
            return;
        }
        let first = self.slots.iter_mut().find(|(_, slot)| slot.phase == Phase::Waiting);
        let Some((&order, slot)) = first else { return };
        slot.member.incarnation += 1;
        slot.started_at = Some(now);
        let Member { id, incarnation, .. } = &slot.member;
        out.push(Directive::Start { child: id.clone(), incarnation: *incarnation });
        self.set_phase(order, Phase::Starting);
    }

    /// Tells the last live child to stop; when it may stop along with those before it, them as well.
    fn stop_next(&mut self, from: u64, now: Instant, out: &mut Vec<Directive>) {
        let one_for_one = self.policy.strategy == Strategy::OneForOne;
        let mut to_stop = Vec::new();
        let mut later_lives = false;
        for (&order, slot) in self.slots.range(from..).rev().filter(|(_, slot)| slot.phase.is_live()) {
            if later_lives && !(slot.dynamic && one_for_one) {
                break;
            }
            later_lives = true;
            if !matches!(slot.phase, Phase::Stopping { .. }) {
                to_stop.push(order);
            }
        }
        for order in to_stop {
            self.stop(order, now, out);
        }
    }

    // === small steps ===

    fn stop(&mut self, order: u64, now: Instant, out: &mut Vec<Directive>) {
        let Member { id, incarnation, shutdown_deadline, .. } = &self.slots[&order].member;
        let kill_at = shutdown_deadline.map(|deadline| now + deadline);
        out.push(Directive::Stop { child: id.clone(), incarnation: *incarnation });
        self.set_phase(order, Phase::Stopping { kill_at, killed: false });
    }

    fn forget(&mut self, order: u64, out: &mut Vec<Directive>) {
        let slot = self.slots.remove(&order).expect("the caller found this child");
        self.order_of.remove(&slot.member.id);
        self.dynamic_children -= usize::from(slot.dynamic);
        out.push(Directive::Forget { child: slot.member.id });
    }

    fn insert(&mut self, member: Member, dynamic: bool) {
        let order = self.next_order;
        self.next_order += 1;
        self.dynamic_children += usize::from(dynamic);
        self.order_of.insert(member.id.clone(), order);
        let attempts = Attempts::default();
        let slot =
            Slot { member, dynamic, removing: false, phase: Phase::Waiting, started_at: None, attempts };
        self.slots.insert(order, slot);
    }

    fn set_phase(&mut self, order: u64, phase: Phase) {
        let slot = self.slots.get_mut(&order).expect("the caller found this child");
        if slot.phase != phase {
            slot.phase = phase;
            self.changed.push((slot.member.id.clone(), phase.state()));
        }
    }

    /// The place of `child` if `incarnation` is the one that lives.
    fn current(&self, child: &ChildId, incarnation: u64) -> Option<u64> {
        let order = *self.order_of.get(child)?;
        let slot = &self.slots[&order];
        (slot.member.incarnation == incarnation && slot.phase.is_live()).then_some(order)
    }

    fn any_live(&self, from: u64) -> bool {
        self.slots.range(from..).any(|(_, slot)| slot.phase.is_live())
    }

    fn orders(&self, wanted: impl Fn(&Slot) -> bool) -> Vec<u64> {
        self.slots.iter().filter(|(_, slot)| wanted(slot)).map(|(order, _)| *order).collect()
    }
}

/// A temporary child that has ended stays so, whatever its group does.
fn never_back(slot: &Slot) -> bool {
    slot.member.restart == Restart::Temporary && slot.phase == Phase::Ended
}
