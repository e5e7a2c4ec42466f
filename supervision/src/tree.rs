//! The whole tree: started, looked at, and ended from here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::SharedClock;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::child::ChildId;
use crate::child::context::Shared;
use crate::exit::ExitReason;
use crate::health::{Board, ChildState, Node, Readiness, TreeStatus, Unready};
use crate::supervisor::{SupervisorRef, SupervisorSpec, task};

#[cfg(test)]
mod outside_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

/// How often the tree shows that its thread runs.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How a tree ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// [`Tree::shutdown`] was called and everything has ended in order.
    Shutdown,
    /// The root gave up. The process is to end with an error code, so that it is started anew.
    Escalated {
        /// The failure that was one too many.
        reason: String,
    },
}

/// A running tree. Clones are the same tree and may go to any thread. Dropping them does not end it;
/// dropping the runtime does.
#[derive(Clone)]
pub struct Tree {
    root: Arc<Node>,
    reference: SupervisorRef,
    clock: SharedClock,
    stop: CancellationToken,
    ended: watch::Receiver<Option<Ended>>,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.root.id).field("ended", &*self.ended.borrow()).finish()
    }
}

impl Tree {
    /// Starts a tree on this thread, which must run an actix `System` (its arbiter's thread). The children
    /// are started after this returns; wait with [`wait_ready`](Self::wait_ready).
    ///
    /// # Panics
    /// Where no actix system runs.
    pub fn start(spec: SupervisorSpec, clock: SharedClock) -> Self {
        let board = Arc::new(Board::new(clock.monotonic()));
        let reference = spec.reference.clone();
        let root = Arc::new(Node::new(
            spec.id.clone(),
            spec.id.to_string(),
            Readiness::WhenStarted,
            Some(reference.clone()),
            Arc::clone(&board),
        ));
        let path = root.path.clone();
        let shared = Shared::new(spec.id.clone(), path, 1, Arc::clone(&clock), Arc::clone(&board));
        root.begin(Arc::new(shared), 1);
        root.set_state(ChildState::Starting);
        let stop = CancellationToken::new();
        let (up, is_up) = oneshot::channel();
        let run = actix_rt::spawn(task::run(task::Parts::of(&spec, &root, &clock), up, stop.clone()));
        let (tell_ended, ended) = watch::channel(None);
        actix_rt::spawn(watch_root(run, is_up, Arc::clone(&root), Arc::clone(&clock), tell_ended));
        Self { root, reference, clock, stop, ended }
    }

    /// The name of the root.
    pub fn id(&self) -> &ChildId {
        &self.root.id
    }

    /// The root supervisor.
    pub fn root(&self) -> SupervisorRef {
        self.reference.clone()
    }

    /// The supervisor at a path, which begins with the name of the root: `root/listener`.
    pub fn supervisor(&self, path: &str) -> Option<SupervisorRef> {
        self.root.find(path)?.reference.clone()
    }

    /// Every child as it is now.
    pub fn status(&self) -> TreeStatus {
        self.root.status()
    }

    /// Is everything ready that has a bearing on readiness?
    pub fn ready(&self) -> bool {
        self.root.ready()
    }

    /// What keeps it from being ready, without the parts that `skip` names by their path (and all below them): the
    /// deepest ones, `limit` of them at most by name.
    pub fn unready(&self, limit: usize, skip: impl Fn(&str) -> bool) -> Unready {
        let mut found = Unready::default();
        self.root.gather_unready(&skip, limit, &mut found);
        found
    }

    /// Waits until the tree is ready, or has ended: gives which.
    pub async fn wait_ready(&self) -> bool {
        self.wait_for(Self::ready).await
    }

    /// Waits until `condition` holds, or the tree has ended: gives which. The condition is looked at after
    /// every change of a state or of readiness, on whichever thread this is.
    pub async fn wait_for(&self, condition: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.root.board().watch();
        let mut ended = self.ended.clone();
        loop {
            changes.borrow_and_update();
            if condition(self) {
                return true;
            }
            if self.ended.borrow().is_some() {
                return false;
            }
            // The board lives as long as this tree, so that both ends of the race mean "look again".
            tokio::select! {
                _ = changes.changed() => {}
                _ = ended.changed() => {}
            }
        }
    }

    /// Restarts of actors and supervisors since the start.
    pub fn restarts_total(&self) -> u64 {
        self.root.board().restarts()
    }

    /// How long the thread of the tree has not run its tasks, beyond the second that is normal. A handler
    /// that blocks the thread blocks its supervisor with it, so that only another thread can tell: the
    /// liveness probe should fail when this grows.
    pub fn unresponsive_for(&self) -> Duration {
        if self.ended.borrow().is_some() {
            return Duration::ZERO;
        }
        self.clock.monotonic().saturating_duration_since(self.root.board().beat()).saturating_sub(BEAT_EVERY)
    }

    /// Ends the tree in order, in the reverse of its start order; gives how it ended, which is
    /// [`Ended::Escalated`] if the root gave up first. Each child has its deadline, so this ends, too.
    pub async fn shutdown(&self) -> Ended {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until the tree has ended.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let lost = || Ended::Escalated { reason: "the runtime of the tree has ended".to_owned() };
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }
}

/// Waits for the root's task and tells how it ended; meanwhile shows that the thread runs.
async fn watch_root(
    mut run: actix_rt::task::JoinHandle<ExitReason>,
    mut is_up: oneshot::Receiver<()>,
    root: Arc<Node>,
    clock: SharedClock,
    tell_ended: watch::Sender<Option<Ended>>,
) {
    let mut starting = true;
    let finished = loop {
        root.board().set_beat(clock.monotonic());
        tokio::select! {
            finished = &mut run => break finished,
            up = &mut is_up, if starting => {
                starting = false;
                // Else it ended before it was up, and that comes next.
                if up.is_ok() {
                    root.set_state(ChildState::Running);
                }
            }
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
    };
    let reason = match finished {
        Ok(reason) => reason,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => ExitReason::Panicked(crate::panics::describe(payload)),
            Err(_cancelled) => ExitReason::Aborted,
        },
    };
    root.end(&reason);
    root.set_state(ChildState::Ended);
    let ended = match reason {
        ExitReason::Normal => Ended::Shutdown,
        ExitReason::Escalated(reason) => Ended::Escalated { reason },
        other => Ended::Escalated { reason: other.to_string() },
    };
    info!(root = %root.id, ?ended, "supervision tree ended");
    // Whoever waits for it may have gone.
    let _ = tell_ended.send(Some(ended));
    root.board().changed();
}
