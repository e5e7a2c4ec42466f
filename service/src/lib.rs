//! Wiring of Kommuneklient: configuration, the tree of actors, the command line and the pages for health
//! and metrics.
//!
//! Responsibility: everything that knows all parts. The rules stand in `calendar`, the stages in `actors/`;
//! here they get their settings and their place in the tree.
//!
//! Failure behaviour: a wrong configuration ends the process with status 2 before anything starts; what
//! fails later is the tree's business until the root gives up, which ends the process with status 1 and
//! leaves the restart to the orchestrator.
#![forbid(unsafe_code)]

mod account_keeper;
pub mod accounts;
mod acts;
mod admin;
mod alert_keeper;
mod back_offs;
mod certificate_keeper;
pub mod cli;
mod commands;
pub mod config;
pub mod database;
#[cfg(feature = "simulators")]
pub mod demo;
mod event_log;
mod gauges;
mod housekeeper;
pub mod http;
pub mod import;
mod lease_keeper;
pub mod lists_file;
mod logon;
pub mod metrics_list;
pub mod migrate;
mod pages;
mod pool_watch;
mod readiness;
pub mod run;
#[cfg(feature = "simulators")]
pub mod simulate;
#[cfg(test)]
mod sources;
pub mod texts;
mod wiring;

mod error;

pub use error::ServiceError;
