//! Planner's external calendar service on the wire: five operations, two headers, one fault detail.
//!
//! **Responsibility.** Turns the service's messages into bytes and back, in both directions: the
//! connector encodes requests and decodes answers, the simulator the reverse. No I/O, no clock, no
//! rules: what a receipt code *means* is decided above (B9).
//!
//! **Protocol.** SOAP 1.1, document/literal. An operation `X` sends an element `XRequest` and is answered
//! by `XResponse` or by a fault whose detail may hold [`FaultDetails`]; the HTTP header `SOAPAction`
//! carries [`Operation::soap_action`]. Names are matched by namespace and local name, never by prefix.
//! Four values are all that leaves the house about an appointment: start, end, origin id and mail
//! address ([`CalendarEvent`], B6). Times are instants; [`WireTime`] says in which zone and form they
//! are written, and in which zone a time without offset is read.
//!
//! **Limits.** [`MESSAGE_BYTES_MAX`] bytes a request and [`ANSWER_BYTES_MAX`] an answer, of which the caller may
//! want far fewer; and bounds on depth, text and elements beneath it.
//!
//! **Failure behaviour.** Encoding refuses, with [`WireError`], what the service's schema would refuse.
//! Decoding any bytes whatsoever ends in a value or in a [`WireError`]; it never panics. Errors name the
//! element, never its content, so that no appointment reaches a log through them.
#![forbid(unsafe_code)]

mod decode;
mod encode;
mod error;
mod fault;
mod headers;
mod message;
mod names;
mod operation;
#[cfg(test)]
mod properties;
mod time;

pub use decode::{decode_request, decode_response};
pub use encode::{encode_fault, encode_request, encode_response};
pub use error::WireError;
pub use fault::{FaultCode, FaultDetails, PlannerFault};
pub use headers::{
    ActiveOrganisation, Headers, ORGANISATION_TYPE_JOBCENTRE, RequestUserMetadata, USER_TYPE_SYSTEM,
};
pub use message::{
    Answer, CalendarEvent, CalendarEventReceipt, CalendarResource, ChangeAnswer, EventsAnswer, EventsQuery,
    PartLeftOut, Request, RequestEnvelope, ResourcesAnswer, Response, UnusableResource, WorkingHours,
};
pub use names::{MAIL_DOMAIN_CHARS_MAX, MAIL_LOCAL_CHARS_MAX, RID_CHARS_MAX, SERVICE_PATH, is_mail_address};
pub use operation::Operation;
pub use time::{TimeForm, WireTime};

/// The largest request that is encoded or decoded, in bytes, and what is usual for an answer (contract: 5 MiB).
pub const MESSAGE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The largest answer that is encoded or decoded, in bytes: the most that `planner.answer_limit_bytes` may allow. An
/// answer about very many case workers (the resource list) is larger than [`MESSAGE_BYTES_MAX`].
pub const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
