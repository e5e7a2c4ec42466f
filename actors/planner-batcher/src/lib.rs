//! Decisions become calls to Planner: batches under the SLA, one short-lived actor per batch in flight (B9).
//!
//! **Responsibility.** The difference between what was decided and what Planner acknowledged is sent, as
//! soon as the budget allows, and nothing else: superseded decisions never leave. What came back becomes
//! the acknowledged state. Everything that must survive a crash is in the database (`store::outbox`,
//! `store::calls`); this actor may be killed at any instant.
//!
//! **Protocol.** The batcher holds the lease of its duty. Woken by news, by the end of a batch, by the time
//! that something is due, or by the fallback interval, it *looks*: waits for a slot of the process's
//! [`CallBook`](store::calls::CallBook), asks the store for keys to be sent, plans batches of them, and
//! reserves one as a call. Each reserved call becomes a dynamic child `planner-batch/<n>`, which makes the
//! call, settles its receipts and records the answer. One look runs at a time, so that what is planned is
//! what is reserved.
//!
//! **Failure.** What is decided about a key after its receipt is the table of [`receipt`]. A call that
//! failed as a whole pauses all sending with capped back-off and is then tried with one call at a time; it
//! is never counted against its keys. After an unknown outcome the keys are sent again and their mailbox is
//! compared with what Planner holds. Repeated timeouts make the batches smaller ([`batch_size`]). A batch whose process dies
//! leaves its keys in flight until their deadline; they block nobody else. A database that is away stops
//! everything here and loses nothing.
#![forbid(unsafe_code)]

pub mod batch_size;
pub mod plan;
pub mod policy;
pub mod receipt;

mod actor;
mod batch;
mod config;
mod error;
mod look;
mod messages;
mod send;

pub use actor::PlannerBatcher;
pub use batch::PlannerBatch;
pub use config::{BatcherOptions, Deps};
pub use error::BatcherError;
pub use messages::{Observe, Observed};
