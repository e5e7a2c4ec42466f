//! What every crate may use: the clock, daily times, what to do about an error, back-off, typed identifiers,
//! the trace context that travels through the store, turns for what goes on a few at a time, the form of an event code, and the places at which a torture run
//! may let the process die.
//!
//! Nothing here knows calendars, Exchange or Planner, and nothing here does I/O. Failure behaviour:
//! constructors refuse impossible values with a typed error; everything else cannot fail.
#![forbid(unsafe_code)]

pub mod backoff;
pub mod clock;
pub mod crash;
pub mod daily;
pub mod disposition;
pub mod event_code;
pub mod event_entry;
pub mod id;
pub mod pace;
pub mod sabotage;
pub mod trace_context;
pub mod turns;

pub use backoff::{Backoff, BackoffError};
pub use clock::{Clock, SharedClock, SystemClock};
pub use daily::{DailyTimes, NoTimes};
pub use disposition::Disposition;
pub use event_code::{EventCode, Severity};
pub use event_entry::CodeEntry;
pub use id::Id;
pub use trace_context::TraceContext;
pub use turns::{Turn, Turns, give_way};
