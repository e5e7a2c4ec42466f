//! The rules, pure: who is meant (B2), which days count (B3), what Planner shall hold (B4, B5), what of it
//! is withheld (B8), how it compares with what Planner holds (B11), and the port to where appointments come from.
//!
//! Nothing here does I/O and nothing reads a clock: facts and instants come in, answers go out. The
//! stages differ only in where their facts come from, so the same facts give the same decision by every
//! path.
#![forbid(unsafe_code)]

pub mod address;
pub mod appointment;
pub mod codes;
pub mod compare;
pub mod decide;
pub mod guard;
pub mod identity;
pub mod ids;
pub mod placing;
pub mod reconcile;
pub mod source;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod window;
pub mod zone;

pub use address::{MailAddress, MailAddressError};
pub use appointment::{Appointment, AppointmentKind, FreeBusy, Slot};
pub use decide::{Known, Policy};
pub use ids::{ItemId, OriginId, Uid};
pub use source::{CalendarSource, SourceError};
pub use window::Window;
pub use zone::Zones;
