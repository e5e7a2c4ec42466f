//! A stand-in for Planner: its external calendar service with real semantics, a meter for what a client may
//! not do, and faults.
//!
//! **Responsibility.** Serves the five operations over HTTP at
//! [`SERVICE_PATH`](proto_planner::SERVICE_PATH) and a description of them, in this project's own words and
//! structure, at `?wsdl`. What it holds is keyed by mail address (without case) and origin id (with case).
//! Calls need both headers; a missing or foreign job centre is answered by a fault with `FaultDetails`.
//!
//! **Receipt codes.** 0 accepted; 8 create of what it has; 10 update or delete of what it does not have;
//! 13 the appointment is Planner's own (such are planted by `POST /admin/events`). Two of the codes whose
//! meaning nobody published are used for refusals that the real service must have as well: 3 for an
//! address that is no resource of the job centre, 4 for an appointment that ends before it begins.
//! `GetEvents` filters by an appointment's start, both ends included; asked for no resource it finds nothing.
//!
//! **Meter.** [`meter`] counts calls, items and violations: too many items, mixed mailboxes, too many calls
//! in flight or per minute, two calls in flight for one key. A call is in flight from the moment its body
//! has come until it is answered or its client has gone away.
//!
//! **Faults.** [`Fault`] lists them; rules come by option at start or by `/admin/faults` at run time, in the
//! form of [`simulator_kit::fault`]. Answers that a fault spoils on purpose are not captured, so that what
//! is captured is what the real schemas allow.
//!
//! **Security** ([`security`]). With `--tls DIR` the service is served over TLS to clients with a certificate of a
//! test authority that is made at the start, and the admin paths (with the reading calls, for observers) on a second,
//! plain listener of loopback; with
//! `--signed` requests must be signed (WS-Security) and answers are.
//!
//! **Admin paths** (JSON, see [`admin`]): `GET /admin/events`, `POST /admin/events`, `DELETE /admin/events`,
//! `GET /admin/meter`, `DELETE /admin/meter`, `GET /admin/log?after=SEQ`, `GET /admin/calls?after=SEQ`, `GET` and `POST /admin/resources`,
//! `/admin/faults`, `GET /admin/requests`.
//!
//! **Failure behaviour.** Bad options are [`SimulatorError`]s at start. No request can end the simulator.
#![forbid(unsafe_code)]

pub mod admin;
mod answer;
pub mod calls;
mod error;
mod fault;
pub mod meter;
mod model;
mod options;
pub mod security;
mod service;
mod shared;
mod simulator;
mod wsdl;

pub use error::SimulatorError;
pub use fault::Fault;
pub use options::{Options, TimeFormOption};
pub use simulator::{Simulator, run};
