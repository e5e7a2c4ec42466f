//! The tree as seen from outside: what state every child is in, and whether the tree is ready.
//!
//! Supervisors write here and any thread may read. Readiness: an actor is ready when it runs and, if its
//! specification says `reports_readiness`, has said so; a supervisor is ready when it runs and every child
//! with a bearing on readiness is ready or has ended for good.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::watch;

use crate::child::ChildId;
use crate::child::context::Shared;
use crate::supervisor::SupervisorRef;

/// The state of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    /// Its turn to be started has not come.
    Waiting,
    /// Built, and `started` has not returned.
    Starting,
    /// Up.
    Running,
    /// Told to stop.
    Stopping,
    /// It failed and will be started after a pause.
    BackingOff,
    /// Not alive, and not to be started again by itself.
    Ended,
}

/// How a child takes part in readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    WhenStarted,
    Reported,
    NoBearing,
}

/// One child and all below it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeStatus {
    /// Its name.
    pub id: ChildId,
    /// The names from the root, joined with `/`.
    pub path: String,
    /// Is it a supervisor?
    pub supervisor: bool,
    /// Its state.
    pub state: ChildState,
    /// The number of its present or last incarnation, from 1; 0 before the first.
    pub incarnation: u64,
    /// Incarnations after the first.
    pub restarts: u64,
    /// How the last incarnation ended, if one has.
    pub last_exit: Option<String>,
    /// Is it ready?
    pub ready: bool,
    /// Its children in start order; none for an actor.
    pub children: Vec<TreeStatus>,
}

impl TreeStatus {
    /// The status of what lies at `path`, which begins with the name of this one.
    pub fn find(&self, path: &str) -> Option<&Self> {
        if self.path == path {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(path))
    }
}

/// What keeps a tree from being ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unready {
    /// The deepest parts that are not ready, in start order, with their state: the first few.
    pub first: Vec<(String, ChildState)>,
    /// How many there are in all.
    pub total: usize,
}

impl Unready {
    fn add(&mut self, node: &Node, limit: usize) {
        self.total += 1;
        if self.first.len() < limit {
            self.first.push((node.path.clone(), node.lock().state));
        }
    }
}

/// What the whole tree shares.
pub(crate) struct Board {
    version: watch::Sender<u64>,
    restarts: AtomicU64,
    beat: Mutex<Instant>,
}

impl Board {
    pub(crate) fn new(now: Instant) -> Self {
        Self { version: watch::channel(0).0, restarts: AtomicU64::new(0), beat: Mutex::new(now) }
    }

    /// Something that readers may wait for has changed.
    pub(crate) fn changed(&self) {
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn set_beat(&self, now: Instant) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub(crate) fn beat(&self) -> Instant {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one child in the status.
pub(crate) struct Node {
    pub(crate) id: ChildId,
    pub(crate) path: String,
    pub(crate) readiness: Readiness,
    /// For supervisors.
    pub(crate) reference: Option<SupervisorRef>,
    board: Arc<Board>,
    state: Mutex<NodeState>,
}

struct NodeState {
    state: ChildState,
    incarnation: u64,
    last_exit: Option<String>,
    current: Option<Arc<Shared>>,
    children: Vec<Arc<Node>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Node {
    pub(crate) fn new(
        id: ChildId,
        path: String,
        readiness: Readiness,
        reference: Option<SupervisorRef>,
        board: Arc<Board>,
    ) -> Self {
        let state = NodeState {
            state: ChildState::Waiting,
            incarnation: 0,
            last_exit: None,
            current: None,
            children: Vec::new(),
        };
        Self { id, path, readiness, reference, board, state: Mutex::new(state) }
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    pub(crate) fn set_state(&self, state: ChildState) {
        self.lock().state = state;
        self.board.changed();
    }

    /// A new incarnation begins.
    pub(crate) fn begin(&self, shared: Arc<Shared>, incarnation: u64) {
        let mut state = self.lock();
        state.current = Some(shared);
        state.incarnation = incarnation;
        if incarnation > 1 {
            self.board.count_restart();
        }
    }

    /// Its incarnation ended.
    pub(crate) fn end(&self, reason: &impl fmt::Display) {
        let mut state = self.lock();
        state.current = None;
        state.last_exit = Some(reason.to_string());
    }

    pub(crate) fn set_children(&self, children: Vec<Arc<Node>>) {
        self.lock().children = children;
        self.board.changed();
    }

    pub(crate) fn add_child(&self, child: Arc<Node>) {
        self.lock().children.push(child);
        self.board.changed();
    }

    pub(crate) fn forget_child(&self, child: &ChildId) {
        self.lock().children.retain(|node| node.id != *child);
        self.board.changed();
    }

    pub(crate) fn children(&self) -> Vec<Arc<Self>> {
        self.lock().children.clone()
    }

    pub(crate) fn find(self: &Arc<Self>, path: &str) -> Option<Arc<Self>> {
        if self.path == path {
            return Some(Arc::clone(self));
        }
        // Names may hold slashes, so a child's path is compared and not taken apart.
        let below = |child: &Arc<Self>| path.starts_with(child.path.as_str());
        self.children().iter().filter(|child| below(child)).find_map(|child| child.find(path))
    }

    pub(crate) fn ready(&self) -> bool {
        let (itself, children) = self.itself_ready();
        itself && children.iter().all(|child| child.lets_parent_be_ready())
    }

    /// Is it ready as far as it depends on itself? With its children.
    fn itself_ready(&self) -> (bool, Vec<Arc<Self>>) {
        let state = self.lock();
        let said_ready = state.current.as_ref().is_some_and(|shared| shared.is_ready());
        // A supervisor has nothing to say beyond its children.
        let said = said_ready || self.readiness != Readiness::Reported || self.reference.is_some();
        (state.state == ChildState::Running && said, state.children.clone())
    }

    /// Gathers what is not ready here and below, without the children that `skip` names by their path; gives
    /// whether there is nothing. One walk, which leaves out what has no bearing.
    pub(crate) fn gather_unready(
        &self,
        skip: &impl Fn(&str) -> bool,
        limit: usize,
        found: &mut Unready,
    ) -> bool {
        let (itself, children) = self.itself_ready();
        let mut below = true;
        for child in &children {
            let no_bearing =
                child.readiness == Readiness::NoBearing || child.lock().state == ChildState::Ended;
            if !no_bearing && !skip(&child.path) {
                below &= child.gather_unready(skip, limit, found);
            }
        }
        if below && !itself {
            found.add(self, limit);
        }
        below && itself
    }

    fn lets_parent_be_ready(&self) -> bool {
        self.readiness == Readiness::NoBearing || self.lock().state == ChildState::Ended || self.ready()
    }

    pub(crate) fn status(&self) -> TreeStatus {
        let ready = self.ready();
        let (mut status, children) = {
            let state = self.lock();
            let status = TreeStatus {
                id: self.id.clone(),
                path: self.path.clone(),
                supervisor: self.reference.is_some(),
                state: state.state,
                incarnation: state.incarnation,
                restarts: state.incarnation.saturating_sub(1),
                last_exit: state.last_exit.clone(),
                ready,
                children: Vec::new(),
            };
            (status, state.children.clone())
        };
        status.children = children.iter().map(|child| child.status()).collect();
        status
    }

    fn lock(&self) -> MutexGuard<'_, NodeState> {
        // Nothing panics under this lock, and its content is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
