//! What the simulators share: serving over real sockets, capture, faults, logs of what happened.
//!
//! **Responsibility.** [`Server`] serves a simulator's routes on an address (port 0 picks a free one) from a
//! thread of its own, so that a simulator works the same in the `service` binary and inside a test,
//! whatever runtime that has. [`Capture`] writes SOAP messages to a folder, one envelope a file.
//! [`FaultPlan`] says which call meets which fault, by option at start and by `/admin/faults` at run time.
//! [`Ring`] keeps the latest of something, bounded and numbered. [`Credentials`] reads Basic
//! authentication. Nothing here knows Exchange, Planner or calendars.
//!
//! **Admin paths.** Every simulator answers `GET /admin/requests?after=SEQ&limit=N` (the latest HTTP
//! requests) and those that mount [`FaultPlan::routes`] answer `GET`, `POST` and `DELETE /admin/faults`.
//! They ask for no credentials: a simulator is for trying things out and listens on loopback by default.
//!
//! **Failure behaviour.** What cannot start says so by [`KitError`]. A capture that fails (a full disk) is
//! logged once and ends the capture, never the simulator. Every buffer and body has a limit.
#![forbid(unsafe_code)]

pub mod auth;
pub mod authority;
pub mod capture;
pub mod error;
pub mod fault;
pub mod hostile;
pub mod login;
pub mod reply;
pub mod requests;
pub mod ring;
pub mod server;

pub use auth::Credentials;
pub use authority::{Authority, Clients, Issued, Tls, Wanted};
pub use capture::{Capture, CaptureNumber};
pub use error::KitError;
pub use fault::{FaultKind, FaultPlan, FaultRule, FaultStatus};
pub use requests::RequestRecord;
pub use ring::{Entry, Page, PageQuery, Ring};
pub use server::{Server, ServerOptions};
