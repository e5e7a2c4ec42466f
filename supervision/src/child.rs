//! A child as its supervisor sees it: a name, how to build an incarnation, and its limits.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use serde::{Deserialize, Serialize};

use crate::core::Member;
use crate::health::{Node, Readiness};
use crate::strategy::Restart;
use crate::supervisor::SupervisorSpec;

pub mod context;
pub(crate) mod incarnation;
pub mod reference;

use context::ChildContext;
use incarnation::{ActorLaunch, Launch};
use reference::ChildRef;

/// The time from [`Stop`] to the abort of an actor whose specification names none.
pub const DEFAULT_SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);
/// The messages that wait in a mailbox whose specification names no number.
pub const DEFAULT_MAILBOX_CAPACITY: usize = 256;

/// The name of a child, unique under its supervisor, like `mailbox-subscriber/m0001@sim.test`. The path of
/// a child in the tree is the names from the root joined with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChildId(Arc<str>);

impl ChildId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ChildId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for ChildId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&Self> for ChildId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl Borrow<str> for ChildId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Ordered shutdown: the supervisor sends this once. The actor cleans up, for which it has its shutdown
/// deadline, and ends itself with `ctx.stop()`; after the deadline it is aborted. It takes its turn in the
/// mailbox behind what already waits there, and is never refused for want of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// How a child is built, restarted, stopped and watched.
pub struct ChildSpec {
    pub(crate) id: ChildId,
    pub(crate) restart: Restart,
    pub(crate) shutdown_deadline: Option<Duration>,
    pub(crate) progress_deadline: Option<Duration>,
    pub(crate) mailbox_capacity: usize,
    pub(crate) readiness: Readiness,
    pub(crate) kind: Kind,
    /// Incarnations so far, and the place in the status: both outlive the supervisor's incarnation.
    pub(crate) incarnations: Cell<u64>,
    pub(crate) node: RefCell<Option<Arc<Node>>>,
}

/// What a child is.
pub(crate) enum Kind {
    Actor(RefCell<Box<dyn Launch>>),
    Supervisor(SupervisorSpec),
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

impl ChildSpec {
    /// An actor. `factory` builds each incarnation from nothing, on the thread of the tree; `reference`
    /// follows the incarnations. Defaults: permanent, [`DEFAULT_SHUTDOWN_DEADLINE`], no progress deadline,
    /// [`DEFAULT_MAILBOX_CAPACITY`], ready when started.
    pub fn actor<A, F>(id: impl Into<ChildId>, reference: &ChildRef<A>, factory: F) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Stop>,
        F: FnMut(ChildContext) -> A + 'static,
    {
        let launch = ActorLaunch { reference: reference.clone(), factory };
        Self::new(id.into(), Some(DEFAULT_SHUTDOWN_DEADLINE), Kind::Actor(RefCell::new(Box::new(launch))))
    }

    /// A supervisor below a supervisor. It has no shutdown deadline unless one is given: each of its
    /// children has one, which bounds it.
    pub fn supervisor(spec: SupervisorSpec) -> Self {
        Self::new(spec.id.clone(), None, Kind::Supervisor(spec))
    }

    fn new(id: ChildId, shutdown_deadline: Option<Duration>, kind: Kind) -> Self {
        Self {
            id,
            restart: Restart::Permanent,
            shutdown_deadline,
            progress_deadline: None,
            mailbox_capacity: DEFAULT_MAILBOX_CAPACITY,
            readiness: Readiness::WhenStarted,
            kind,
            incarnations: Cell::new(0),
            node: RefCell::new(None),
        }
    }

    /// Which ends lead to a new incarnation.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// The time from [`Stop`] to the abort.
    #[must_use]
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.shutdown_deadline = Some(deadline);
        self
    }

    /// The longest time that an incarnation may be busy without progress; see [`ChildContext::busy`].
    /// Without it a child never counts as hung. Means nothing for a supervisor.
    #[must_use]
    pub fn progress_deadline(mut self, deadline: Duration) -> Self {
        self.progress_deadline = Some(deadline);
        self
    }

    /// The most messages that wait in the mailbox (at least 1). Means nothing for a supervisor.
    #[must_use]
    pub fn mailbox_capacity(mut self, messages: usize) -> Self {
        self.mailbox_capacity = messages.max(1);
        self
    }

    /// Ready as soon as it runs; the default.
    #[must_use]
    pub fn ready_when_started(mut self) -> Self {
        self.readiness = Readiness::WhenStarted;
        self
    }

    /// Ready when it says so with [`ChildContext::ready`]; each incarnation must say it anew.
    #[must_use]
    pub fn reports_readiness(mut self) -> Self {
        self.readiness = Readiness::Reported;
        self
    }

    /// Its state has no bearing on the readiness of its supervisor: for children of which there are many,
    /// so that one mailbox in trouble does not take the whole service out of rotation.
    #[must_use]
    pub fn without_bearing_on_readiness(mut self) -> Self {
        self.readiness = Readiness::NoBearing;
        self
    }

    /// The name.
    pub const fn id(&self) -> &ChildId {
        &self.id
    }

    pub(crate) fn member(&self) -> Member {
        Member {
            id: self.id.clone(),
            restart: self.restart,
            shutdown_deadline: self.shutdown_deadline,
            incarnation: self.incarnations.get(),
        }
    }
}
