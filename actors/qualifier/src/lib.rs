//! Notifications become decisions (B1, stage 2): claim, coalesce, read what is concerned, decide, store.
//!
//! Responsibility: one actor a shard ([`Shard`]), which owns the mailboxes of its buckets under the lease
//! `qualifier/<n>`. It claims stored notifications, coalesces them by item (`coalesce`, B7), handles one
//! mailbox at a time and several side by side (`schedule`), reads what an item concerns (`live`) or the whole
//! window (`full`, B8), lets the rules of crate `calendar` decide, and stores the decisions together with the
//! notifications' move to the log. Nothing here knows EWS or Planner.
//!
//! Protocol: hints are never believed, the calendar is read. Everything that a reading leads to happens in
//! one transaction under the shard's fence, so a crash anywhere repeats work and loses none. Wake-ups
//! shorten the wait, the poll interval is the fallback.
//!
//! Failure: what fails by itself (one item, one notification) is counted, retried with growing pauses, and
//! set aside with an event in the end; the others go on. What fails as a whole (service, mailbox, database) is
//! never counted: the mailbox pauses, its notifications go back to the database, memory stays bounded. A
//! panic in a handling counts as a failure of what it handled. A lost lease ends all work of the shard until
//! it is had again.
#![forbid(unsafe_code)]

mod actor;
mod beginnings;
pub mod coalesce;
pub mod config;
pub mod error;
pub mod full;
mod guarded;
pub mod live;
mod messages;
mod office;
mod plan;
mod reader;
pub mod schedule;
#[cfg(test)]
mod testkit;
mod together;
pub mod work;

pub use actor::{Shard, supervisor};
pub use coalesce::Timing;
pub use config::{QualifierOptions, Services};
pub use error::QualifierError;
