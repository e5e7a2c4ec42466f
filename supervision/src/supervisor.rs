//! A supervisor: its specification, a reference to it that survives its restarts, and (in `task`) the
//! task that performs what [`Core`](crate::core::Core) decides.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Backoff;
use tokio::sync::{mpsc, oneshot};

use crate::backoff::default_backoff;
use crate::child::{ChildId, ChildSpec};
use crate::core::Policy;
use crate::error::SupervisorError;
use crate::health::Node;
use crate::intensity::Intensity;
use crate::strategy::Strategy;

pub(crate) mod task;

/// The dynamic children of a supervisor whose specification names no number.
pub const DEFAULT_MAX_CHILDREN: usize = 1_024;
/// Requests to a supervisor that wait for it; more wait for room.
const COMMAND_CAPACITY: usize = 64;

/// How a supervisor is built, and what it does about its children.
pub struct SupervisorSpec {
    pub(crate) id: ChildId,
    pub(crate) policy: Policy,
    pub(crate) children: Vec<Rc<ChildSpec>>,
    pub(crate) reference: SupervisorRef,
}

impl fmt::Debug for SupervisorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorSpec")
            .field("id", &self.id)
            .field("policy", &self.policy)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

impl SupervisorSpec {
    /// A supervisor without children, with [`default_backoff`] and [`DEFAULT_MAX_CHILDREN`].
    pub fn new(id: impl Into<ChildId>, strategy: Strategy, intensity: Intensity) -> Self {
        let backoff = default_backoff();
        let policy = Policy { strategy, intensity, backoff, max_children: DEFAULT_MAX_CHILDREN };
        Self { id: id.into(), policy, children: Vec::new(), reference: SupervisorRef::new() }
    }

    /// The pause before a restart. Mind the intensity: failures that the pauses spread wider than the
    /// window never escalate.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// Adds a static child: it is started with the supervisor, after those added before it, and anew with
    /// every restart of the supervisor. Two static children of one name make the supervisor fail at start.
    #[must_use]
    pub fn child(mut self, spec: ChildSpec) -> Self {
        self.children.push(Rc::new(spec));
        self
    }

    /// The most dynamic children at a time; static ones do not count.
    #[must_use]
    pub fn max_children(mut self, children: usize) -> Self {
        self.policy.max_children = children;
        self
    }

    /// The reference through which others reach this supervisor.
    #[must_use]
    pub fn reference(mut self, reference: &SupervisorRef) -> Self {
        self.reference = reference.clone();
        self
    }

    /// The name.
    pub const fn id(&self) -> &ChildId {
        &self.id
    }

    fn duplicate_child(&self) -> Option<&ChildId> {
        let mut seen = std::collections::HashSet::new();
        self.children.iter().map(|child| &child.id).find(|id| !seen.insert(*id))
    }
}

/// A reference to one supervisor, whichever incarnation lives. Clones refer to the same one.
///
/// It may be sent anywhere, but [`add_child`](Self::add_child) and [`remove_child`](Self::remove_child)
/// work on the thread of the tree only, since actors are built there and their factories need not be
/// `Send`. An actor of the tree calls them in a future that it spawns in its context.
#[derive(Clone, Default)]
pub struct SupervisorRef {
    slot: Arc<Mutex<Option<Current>>>,
}

#[derive(Clone)]
struct Current {
    key: u64,
    node: Arc<Node>,
}

impl fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.lock().as_ref().map(|current| current.node.path.clone());
        f.debug_struct("SupervisorRef").field("running", &path).finish()
    }
}

/// A request to a supervisor's task.
enum Command {
    Add { spec: Box<ChildSpec>, reply: Reply },
    Remove { child: ChildId, reply: Reply },
}

type Reply = oneshot::Sender<Result<(), SupervisorError>>;

thread_local! {
    /// The supervisors of this thread. Specifications are not `Send`, so neither is a channel of them,
    /// and a reference that may go anywhere can hold no more than a key.
    static ON_THIS_THREAD: RefCell<HashMap<u64, mpsc::Sender<Command>>> = RefCell::new(HashMap::new());
}

/// Makes a supervisor reachable for as long as it lives.
struct Registration {
    key: u64,
    reference: SupervisorRef,
}

impl Registration {
    fn new(reference: &SupervisorRef, node: &Arc<Node>) -> (Self, mpsc::Receiver<Command>) {
        static NEXT_KEY: AtomicU64 = AtomicU64::new(1);
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(COMMAND_CAPACITY);
        ON_THIS_THREAD.with(|all| all.borrow_mut().insert(key, sender));
        *reference.lock() = Some(Current { key, node: Arc::clone(node) });
        (Self { key, reference: reference.clone() }, receiver)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // At the end of the thread the map may be gone, and this entry with it.
        let _ = ON_THIS_THREAD.try_with(|all| all.borrow_mut().remove(&self.key));
        let mut slot = self.reference.lock();
        if slot.as_ref().is_some_and(|current| current.key == self.key) {
            *slot = None;
        }
    }
}

impl SupervisorRef {
    /// A reference to a supervisor that has not been started: give it to one `SupervisorSpec`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dynamic child at the end of the start order; it is gone after a restart of the supervisor.
    /// Returns when the child has been accepted: whether it starts is the supervisor's business from then.
    ///
    /// # Errors
    /// All but [`SupervisorError::NotFound`]; the specification is dropped then.
    pub async fn add_child(&self, spec: ChildSpec) -> Result<(), SupervisorError> {
        let spec = Box::new(spec);
        self.request(|reply| Command::Add { spec, reply }).await
    }

    /// Stops a child in order and forgets it. Returns when it is gone, which takes its shutdown deadline
    /// at the most. A static child comes back with the next restart of the supervisor.
    ///
    /// # Errors
    /// [`SupervisorError::NotFound`], [`SupervisorError::NotRunning`] (also when the supervisor ended
    /// meanwhile: then the child has ended, too) and [`SupervisorError::WrongThread`].
    pub async fn remove_child(&self, child: &ChildId) -> Result<(), SupervisorError> {
        let child = child.clone();
        self.request(|reply| Command::Remove { child, reply }).await
    }

    /// The names of the children in start order; none while the supervisor is not running.
    pub fn children(&self) -> Vec<ChildId> {
        let current = self.lock().clone();
        current.map_or_else(Vec::new, |current| {
            current.node.children().iter().map(|child| child.id.clone()).collect()
        })
    }

    /// Has it an incarnation at present?
    pub fn running(&self) -> bool {
        self.lock().is_some()
    }

    async fn request(&self, command: impl FnOnce(Reply) -> Command) -> Result<(), SupervisorError> {
        let key = self.lock().as_ref().map(|current| current.key).ok_or(SupervisorError::NotRunning)?;
        let sender = ON_THIS_THREAD.with(|all| all.borrow().get(&key).cloned());
        let sender = sender.ok_or(SupervisorError::WrongThread)?;
        let (reply, answer) = oneshot::channel();
        sender.send(command(reply)).await.map_err(|_| SupervisorError::NotRunning)?;
        answer.await.unwrap_or(Err(SupervisorError::NotRunning))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        // Nothing panics under this lock, and its content is always whole.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
