//! Is this process ready (`/health/ready`)?
//!
//! Ready means: able to do its work as an instance, as far as that lies with itself. An orchestrator waits for it
//! before it goes on with a roll-out, and must not be made to restart or hold up what an outage elsewhere
//! keeps from working: waiting outages out is the work of each stage.
//!
//! * *Until it has been ready once* it needs: its database, with a schema that fits; service accounts that open,
//!   of which one at least is not refused by Exchange (only where it reads Exchange; child `logon`); a resource list
//!   (B1); and each of its stages up. An Exchange or Planner that does not answer is no reason to wait.
//! * *From then on* it is ready while each part below the root runs and it has not been told to end. A database,
//!   Exchange or Planner that goes away changes nothing: the stages wait, and events tell.
//!
//! That it has been ready is noted when it becomes so ([`Start::note_when_ready`]), whether or not anybody asks: an
//! orchestrator that asks for the first time during an outage is told the same as one that has asked all along.
//!
//! Beside that the page says whether the process is *settled*: every part at work, every stream of its groups
//! opened once. That is for people and tests, and has no influence on the status of the answer.
//!
//! Limits: [`NAMED_MAX`] parts by name, the others by their number, whatever the number of mailboxes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use supervision::{ChildState, Tree, Unready};
use tokio::sync::watch;

use crate::http::{Readiness, ReadinessSource};

/// Parts that are named; of more there is the number.
pub(crate) const NAMED_MAX: usize = 20;
/// Where the affinity groups are. Whether their streams open is Exchange's part, too.
const GROUPS: &str = "root/listener/sharing/groups";

/// How far the start has come, told by those who do it.
#[derive(Debug)]
pub(crate) struct Start {
    roles: Vec<&'static str>,
    /// What the start waits for, until everything is part of the tree.
    waits_for: watch::Sender<Option<String>>,
    ending: AtomicBool,
    /// Has it been ready once?
    was_ready: AtomicBool,
}

impl Start {
    /// A process with these roles, before its first step.
    pub(crate) fn new(roles: Vec<&'static str>) -> Self {
        let first = "the database: waiting for it and its schema".to_owned();
        Self {
            roles,
            waits_for: watch::Sender::new(Some(first)),
            ending: AtomicBool::new(false),
            was_ready: AtomicBool::new(false),
        }
    }

    /// What is waited for from now on.
    pub(crate) fn waits_for(&self, what: &str) {
        self.waits_for.send_replace(Some(what.to_owned()));
    }

    /// Every part is part of the tree.
    pub(crate) fn staged(&self) {
        self.waits_for.send_replace(None);
    }

    /// The process has been told to end.
    pub(crate) fn ending(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Waits until the process is ready for the first time and notes it; ends without that when `tree` ends before.
    /// Looks at the tree once it is whole, after each of its changes, without the groups: so at a few parts only,
    /// whatever the number of mailboxes.
    pub(crate) async fn note_when_ready(&self, tree: &Tree) {
        let mut waits_for = self.waits_for.subscribe();
        // the sender is here, so this ends with its word alone; a statement of its own, for the lock that the answer holds
        let whole = waits_for.wait_for(Option::is_none).await.is_ok();
        if whole && tree.wait_for(|tree| self.not_ready(&self.look(tree)).is_empty()).await {
            tracing::debug!("this process is ready");
        }
    }

    /// What is known now.
    fn look(&self, tree: &Tree) -> Seen {
        Seen {
            ending: self.ending.load(Ordering::Acquire),
            waits_for: self.waits_for.borrow().clone(),
            starting: tree.unready(NAMED_MAX, |path| path == GROUPS),
            fallen: fallen(tree),
        }
    }

    /// Why the process is not ready; nothing = it is, which is noted.
    fn not_ready(&self, seen: &Seen) -> Vec<String> {
        let reasons = decide(self.was_ready.load(Ordering::Acquire), seen);
        if reasons.is_empty() {
            self.was_ready.store(true, Ordering::Release);
        }
        reasons
    }
}

/// What is known at one moment.
#[derive(Debug, Default)]
struct Seen {
    ending: bool,
    waits_for: Option<String>,
    /// Unready parts of the start, the groups left out.
    starting: Unready,
    /// Parts directly below the root that do not run.
    fallen: Unready,
}

/// Why the process is not ready; nothing = it is.
fn decide(was_ready: bool, seen: &Seen) -> Vec<String> {
    if seen.ending {
        return vec!["the process is ending".to_owned()];
    }
    if was_ready {
        return name(&seen.fallen);
    }
    let mut reasons: Vec<String> = seen.waits_for.iter().cloned().collect();
    reasons.extend(name(&seen.starting));
    reasons
}

/// The parts directly below the root that do not run.
fn fallen(tree: &Tree) -> Unready {
    // names further below may hold slashes, those of the root's children do not
    let mut fallen = tree.unready(NAMED_MAX, |path| path.matches('/').count() > 1);
    fallen.first.retain(|(_, state)| *state != ChildState::Running);
    fallen.total = fallen.first.len();
    fallen
}

/// The parts with their states, and how many more there are.
fn name(parts: &Unready) -> Vec<String> {
    let mut named: Vec<String> =
        parts.first.iter().map(|(path, state)| format!("{path} ({})", state_name(*state))).collect();
    let more = parts.total.saturating_sub(named.len());
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named
}

fn state_name(state: ChildState) -> &'static str {
    match state {
        ChildState::Waiting => "waiting",
        ChildState::Starting => "starting",
        ChildState::Running => "running",
        ChildState::Stopping => "stopping",
        ChildState::BackingOff => "backing_off",
        ChildState::Ended => "ended",
    }
}

/// What the pages say of the tree.
pub(crate) struct TreeHealth {
    tree: Arc<OnceLock<Tree>>,
    start: Arc<Start>,
}

impl TreeHealth {
    /// The health of `tree`, which is set once it has been started.
    pub(crate) fn new(tree: Arc<OnceLock<Tree>>, start: Arc<Start>) -> Self {
        Self { tree, start }
    }
}

impl ReadinessSource for TreeHealth {
    fn readiness(&self) -> Readiness {
        let roles = self.start.roles.clone();
        let Some(tree) = self.tree.get() else {
            return Readiness { roles, not_ready: vec!["root (waiting)".to_owned()], ..Readiness::default() };
        };
        let seen = self.start.look(tree);
        let not_ready = self.start.not_ready(&seen);
        let unsettled = name(&tree.unready(NAMED_MAX, |_| false));
        Readiness {
            ready: not_ready.is_empty(),
            roles,
            not_ready,
            settled: seen.waits_for.is_none() && unsettled.is_empty(),
            unsettled,
        }
    }

    fn stuck_for(&self) -> Duration {
        self.tree.get().map_or(Duration::ZERO, Tree::unresponsive_for)
    }
}

#[cfg(test)]
mod tests;
