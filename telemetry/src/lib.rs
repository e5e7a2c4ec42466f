//! Logs, traces, metrics and coded events, and nothing about calendars.
//!
//! Responsibility: the one place that turns `tracing` spans and events into log lines (text or JSON,
//! with trace ids), into OTLP spans, into Prometheus metrics, and into coded events for
//! `application_log` (B13).
//!
//! Protocol: [`Telemetry::start`] installs everything for the process and answers with the handle and
//! the [`EventReceiver`]. Code raises an event by giving any `tracing` event a field
//! `event_id = <number>`: it is counted in `kommuneklient_events_total`, stands in the log and in the
//! trace, and is queued for the receiver. Meanings, severities and thresholds come from the registry that is
//! handed in; [`alerts`] says which events call for somebody. [`trace`] carries a trace through the database.
//!
//! Failure behaviour: telemetry never blocks and never fails the product. Queues are bounded: the event
//! queue drops its oldest entry and the span queue its newest, both counted. A collector that is away
//! costs spans, with one warning when it goes and one line when it comes back.
//! [`Telemetry::shutdown`] sends what is queued and says how many spans were lost.
#![forbid(unsafe_code)]

pub mod alerts;
pub mod events;
pub mod log;
pub mod metrics;
pub mod otlp;
pub mod trace;

mod chain;
mod error;
mod fields;
mod start;

pub use alerts::{AlertChange, Alerts, Held, StandingAlert};
pub use chain::{Chain, chain};
pub use error::TelemetryError;
pub use events::{EventRange, EventReceiver, RaisedEvent};
pub use log::{LogFormat, LogOutput, Rolling};
pub use metrics::{Counter, Gauge, Histogram, Metrics, metrics};
pub use start::{Options, Telemetry};
