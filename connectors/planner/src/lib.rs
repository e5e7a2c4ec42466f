//! Planner over HTTPS through DFDG: five operations, both headers, one answer or one typed error a call.
//!
//! **Responsibility.** [`Planner`] turns a call into an HTTP POST and its answer into verified receipts,
//! appointments or resources. It keeps no state between calls and never repeats one: whether a call is
//! made, and again, is decided above, under the SLA and with the keys in flight recorded (B9).
//!
//! **Protocol.** SOAP 1.1 (`proto-planner`), mutual TLS (`trust`), no redirects. Each call carries our call
//! id as `X-Correlation-Id`, its name and the client's in `UserFullName`, and the trace as `traceparent`. A
//! call ends by its deadline, whatever happens; an answer longer than the limit is not read to its end.
//!
//! With [`Security::MtlsWss`] each request is signed and each answer must be (`proto-wsse`): what is read is what
//! was signed, and an answer that is refused leaves the call's outcome unknown, whatever stood in it. So does a page
//! with an HTTP status, which nobody signs ([`PlannerError::Page`]); a call that changes nothing is judged by the
//! status of such a page. Beside a signed answer its status does not count. The files with certificates may change:
//! [`Planner::refresh_certificates`] takes them.
//!
//! **Failure.** A [`PlannerError`] answers three questions: what is known about the change
//! ([`PlannerError::outcome`]), which event it is ([`PlannerError::event`]), and what to do
//! ([`PlannerError::disposition`]). Receipts carry no mail address: they are matched by position, and one
//! that does not bear the origin id of its position makes the whole call's outcome unknown.
#![forbid(unsafe_code)]

mod client;
mod config;
mod error;
mod receipts;
mod security;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use client::{Call, Changed, Planner};
pub use config::PlannerOptions;
pub use error::{CallOutcome, PlannerError};
pub use proto_planner::{
    CalendarEvent, CalendarEventReceipt, CalendarResource, EventsAnswer, Operation, PartLeftOut,
    ResourcesAnswer, SERVICE_PATH, UnusableResource, WorkingHours,
};
pub use security::Security;
