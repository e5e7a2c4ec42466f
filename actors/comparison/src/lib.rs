//! What Planner holds, read back: adoption of mailboxes (B9) and comparison with what was decided (B11).
//!
//! **Responsibility.** A mailbox that is new, that was revived, or that an operator asked for is *adopted*: what Planner
//! holds for it becomes its acknowledged state, and until then nothing is sent for it, so an empty store neither wipes
//! nor floods Planner. A mailbox that is adopted is *compared* once a day and after each call of unknown outcome: where
//! Planner holds something else than was decided, the difference is sent. What Planner holds and nobody knows is
//! deleted, unless that is so much that the mass-delete guard withholds it.
//!
//! **Protocol.** The actor holds the lease of its duty. It keeps the daily schedule, looks for mailboxes that are due
//! (woken by news of the resource list or of somebody who asks, by the time of the next one, or by its interval), and
//! reads a few of them in each GetEvents call, several calls at a time but never more than half of the slots, so that
//! live changes are not held up. What of the answer counts is decided by the pure [`adoption`], what follows from it by
//! `calendar::compare`; the store lets it take effect, mailbox by mailbox. A mailbox that was not read in full today is
//! read before it is compared; meanwhile others are compared.
//!
//! **Failure.** A call that fails is tried again. Failures of Planner as a whole pause all work with capped back-off;
//! one without a usable answer puts its mailboxes off with a back-off of their own, and mailboxes are then asked for one
//! by one, so that one that Planner cannot answer holds up no other (3936). Where both can be meant (a fault, an HTTP
//! status), all pauses and others are asked for first. What is due stands in the database: a successor goes on with the
//! mailboxes that are left.
#![forbid(unsafe_code)]

pub mod adoption;
pub mod policy;

mod actor;
mod apply;
mod config;
mod error;
mod messages;
mod read;
mod schedule;
mod whole;

pub use actor::Comparison;
pub use config::{ComparisonOptions, Deps};
pub use error::ComparisonError;
