//! PostgreSQL, the one place where the stages meet: migrations, one module per table group, durable
//! queues, leases with fencing, wake-ups, and an embedded server.
//!
//! Protocol: a [`Store`] is a pool; every function takes one connection, does one transaction, and says in
//! its error what it was doing. Writes that a lease protects call [`lease::guard`] first. Work is handed on
//! by rows; [`wake`] only shortens the wait for them.
//!
//! Failure: a connection that breaks is an error with disposition `Retry` and a new connection next time;
//! a lost lease is `Escalate` (the part that held it must end); anything else is a defect and escalates too.
#![forbid(unsafe_code)]

pub mod account_slots;
pub mod accounts;
pub mod address;
pub mod adoption;
pub mod alerts;
pub mod application_log;
pub mod calls;
pub mod clock;
pub mod comparison;
mod conflict;
pub mod credentials;
pub mod decisions;
pub mod duty;
pub mod embedded;
pub mod erasure;
pub mod error;
pub mod full_reads;
pub mod group_streams;
pub mod housekeeping;
pub mod inspect;
pub mod instances;
mod instant;
pub mod lease;
pub mod migrations;
pub mod notification_queue;
pub mod notifications;
pub mod operations;
pub mod outbox;
pub mod overview;
pub mod pool;
mod prepared;
pub mod resource_list;
pub mod resources;
pub mod rights;
pub mod schedules;
pub mod set_aside;
pub mod share;
pub mod shares;
pub mod state;
pub mod subscriptions;
pub mod sync_states;
#[cfg(feature = "testing")]
pub mod testing;
pub mod wake;
pub mod withheld;

pub use error::StoreError;
pub use pool::{Store, StoreOptions};
