//! End-to-end tests: the harness.
//!
//! A [`Scene`] is a database of its own, both simulators on sockets of their own, and the product as a process
//! of its own, configured with short patience. Nothing is shared between tests but the PostgreSQL cluster.
//! Nothing sleeps for effect: [`wait_for`] looks until a condition holds and reports the last status it saw.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a harness fails by panicking, with what it saw")]

pub mod calendar;
pub mod collector;
pub mod command;
pub mod events;
pub mod gate;
pub mod load;
pub mod memory;
pub mod scene;
pub mod torture;
pub mod wait;

pub use calendar::mailbox;
pub use command::Ended;
pub use scene::{Scene, Setting};
pub use wait::{wait_for, wait_longer};
