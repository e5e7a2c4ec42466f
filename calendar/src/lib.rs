//! The rules, pure: who is meant (B2), which days count (B3), what Planner shall hold (B4, B5), and the
//! port to where appointments come from.
//!
//! Nothing here does I/O and nothing reads a clock: facts and instants come in, answers go out. The
//! stages differ only in where their facts come from, so the same facts give the same decision by every
//! path.
#![forbid(unsafe_code)]

pub mod address;
pub mod appointment;
pub mod codes;
pub mod ids;
pub mod source;

pub use address::{MailAddress, MailAddressError};
pub use appointment::{Appointment, AppointmentKind, FreeBusy, Slot};
pub use ids::{ItemId, OriginId, Uid};
pub use source::{CalendarSource, SourceError};
