//! What Planner holds, read back: adoption of mailboxes (B9). The whole comparison (B11) comes later and
//! will live here, too.
//!
//! **Responsibility.** A mailbox that is new, that was revived, or for which a call's outcome is unknown is
//! due for adoption: what Planner holds for it becomes its acknowledged state. Until the first adoption
//! nothing is sent for a mailbox, so an empty store neither wipes nor floods Planner.
//!
//! **Protocol.** The actor holds the lease of its duty. It looks for mailboxes that are due (woken by news of
//! the resource list, by the time of the next one, or by its interval), and reads a few of them in each
//! GetEvents call, several calls at a time but never more than half of the slots, so that live changes are
//! not held up. What of the answer counts is decided by the pure [`adoption`]; the store takes it over.
//!
//! **Failure.** A call that fails is tried again. Failures of Planner as a whole pause all adoption with
//! capped back-off; one without a usable answer puts its mailboxes off with a back-off of their own, and
//! mailboxes are then asked for one by one, so that one that Planner cannot answer holds up no other (3936).
#![forbid(unsafe_code)]

pub mod adoption;
pub mod policy;

mod actor;
mod config;
mod error;
mod messages;
mod read;

pub use actor::Comparison;
pub use config::{ComparisonOptions, Deps};
pub use error::ComparisonError;
