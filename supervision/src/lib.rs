//! Supervision trees on actix, without domain knowledge: who is started after whom, who is restarted when
//! it fails, when restarting is given up, and how everything ends in order.
//!
//! # Parts
//! * [`core`]: the decisions of one supervisor as a pure state machine (events and time in, directives
//!   out). [`strategy`], [`intensity`] and [`backoff`] are its vocabulary.
//! * [`child`]: what a child is ([`ChildSpec`]), how it talks to its supervisor ([`ChildContext`]), how others
//!   reach it through its restarts ([`ChildRef`]).
//! * [`supervisor`]: specifications of supervisors, and the task that performs what the core decides.
//! * [`tree`] and [`health`]: the whole, its status and its readiness.
//!
//! # Words
//! A *child* is an actor or a supervisor below a supervisor. An *incarnation* is one life of a child: built
//! by the factory from nothing, with a mailbox and an address of its own. To *stop* is to send [`Stop`] and
//! wait; to *abort* is to take the task away. To *escalate* is to give up: the supervisor stops its
//! children, ends, and thereby fails in the eyes of its own supervisor; above the root is the process.
//!
//! # Order
//! * Static children start in the order of their specification, each when `started` of the one before has
//!   returned (for a supervisor: when it has been through its own children once). A child that fails at
//!   start does not hold up its siblings under `OneForOne`; under the group strategies it restarts the group.
//! * Children stop in the reverse of the start order, each when the one after it has ended. Dynamic children
//!   of a `OneForOne` supervisor know nothing of each other and are told together, in that order.
//! * Messages from one sender to one incarnation are handled in the order of sending. There is no order
//!   across incarnations, nor between a message and [`Stop`] of different senders.
//!
//! # Ends
//! An incarnation ends when it stops itself, says that it failed ([`ChildContext::fail`]), panics in its
//! factory, in `started`, in a handler or in a future of its context, or was busy without progress for its
//! deadline. All of these but the first are failures. [`Restart`] says which ends call for a new incarnation,
//! [`Strategy`] who goes with it, [`Intensity`] how many are normal. After the pause of the back-off the new
//! incarnation starts.
//!
//! A stop is in order: [`Stop`] takes its turn in the mailbox, the actor cleans up and calls `ctx.stop()`.
//! An actor that failed, hung or missed its shutdown deadline runs no code any more except its `Drop`:
//! neither `stopping` nor `stopped` is called on a value that may be broken. A panic there is caught as well.
//!
//! # What is lost at a restart
//! The value of the actor; every message in its mailbox (who waits for an answer gets
//! [`ChildError::Lost`]; after `try_send` nobody is told); the futures and timers of its context. So whatever
//! must not be lost lives in the database, and messages between actors are hints. Not lost, and to be ended
//! by whoever began them: tasks that the actor spawned on the runtime; they watch [`ChildContext::ended`].
//! A restarted supervisor has its static children anew and its dynamic ones not at all, until whoever
//! manages them adds them again.
//!
//! # Limits
//! A `ResponseFuture` does not belong to the context: actix spawns it, so that it outlives its incarnation,
//! and a panic in it loses the reply and keeps the actor. Where that matters, use a `ResponseActFuture`.
//! A handler that blocks the thread blocks
//! its supervisor, too: nobody on that thread can call it hung; [`Tree::unresponsive_for`] tells other threads,
//! for the liveness probe. All actors of a tree live on one thread, that of [`Tree::start`]; statuses,
//! readiness and [`ChildRef`] may be used from any. `panic = "abort"` is refused at compile time.
#![forbid(unsafe_code)]

#[cfg(panic = "abort")]
compile_error!("supervision restarts children that panicked: build with panic = \"unwind\"");

pub mod backoff;
pub mod child;
pub mod core;
pub mod error;
pub mod exit;
pub mod health;
pub mod intensity;
mod ladder;
pub mod panics;
pub mod strategy;
pub mod supervisor;
pub mod tree;

pub use child::context::ChildContext;
pub use child::reference::ChildRef;
pub use child::{ChildId, ChildSpec, Stop};
pub use error::{ChildError, SupervisorError};
pub use exit::{ExitReason, Outcome};
pub use health::{ChildState, TreeStatus, Unready};
pub use intensity::Intensity;
pub use strategy::{Restart, Strategy};
pub use supervisor::{SupervisorRef, SupervisorSpec};
pub use tree::{Ended, Tree};
