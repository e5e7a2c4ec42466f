//! Log lines, as text for people or JSON for machines, each with the ids of its trace and span.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use base::SharedClock;
use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::TelemetryError;
use crate::fields::Fields;
use rolling::RollingFile;

pub use rolling::Rolling;

mod rolling;

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `<time> <LEVEL> <target>: <message> <field>=<value> …`
    #[default]
    Text,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, `event_id`, `trace_id`,
    /// `span_id`, `fields`.
    Json,
}

/// Where log lines go. A line that cannot be written (a closed pipe, a full disk) is dropped: logging never stops
/// the product.
#[derive(Debug, Clone, Default)]
pub enum LogOutput {
    /// Standard error.
    #[default]
    Stderr,
    /// Standard output.
    Stdout,
    /// A file that is rolled by size.
    File(Rolling),
    /// Memory, for tests; never shortened.
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl LogOutput {
    /// # Errors
    /// [`TelemetryError::LogFile`].
    pub(crate) fn open(self) -> Result<Sink, TelemetryError> {
        Ok(match self {
            Self::Stderr => Sink::Stderr,
            Self::Stdout => Sink::Stdout,
            Self::Memory(bytes) => Sink::Memory(bytes),
            Self::File(rolling) => {
                let file = rolling.file.clone();
                let opened = RollingFile::open(rolling);
                Sink::File(Mutex::new(opened.map_err(|source| TelemetryError::LogFile { file, source })?))
            }
        })
    }
}

/// A [`LogOutput`] that is open.
#[derive(Debug)]
pub(crate) enum Sink {
    Stderr,
    Stdout,
    File(Mutex<RollingFile>),
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl Sink {
    fn write(&self, line: &str) {
        // Errors have nowhere to go: see the documentation of `LogOutput`.
        let _unwritable = match self {
            Self::Stderr => std::io::stderr().lock().write_all(line.as_bytes()),
            Self::Stdout => std::io::stdout().lock().write_all(line.as_bytes()),
            Self::File(file) => {
                file.lock().unwrap_or_else(PoisonError::into_inner).write(line);
                Ok(())
            }
            Self::Memory(bytes) => {
                bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line.as_bytes());
                Ok(())
            }
        };
    }
}

/// Can the filter be read? For a configuration that is checked before anything starts.
///
/// # Errors
/// [`TelemetryError::Filter`] with what is wrong.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    crate::start::log_filter(filter).map(drop)
}

/// The layer that writes log lines.
#[derive(Debug)]
pub(crate) struct LogLayer {
    pub(crate) format: LogFormat,
    pub(crate) output: Sink,
    pub(crate) clock: SharedClock,
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let own = Fields::of(event);
        let mut fields = crate::events::inherited(event, &context);
        fields.extend(own.rest);
        let active = opentelemetry::Context::current();
        let span = active.span().span_context().clone();
        let line = Line {
            timestamp: format!("{:.6}", self.clock.now()),
            level: metadata.level().as_str(),
            target: metadata.target(),
            message: own.message,
            event_id: own.event_id,
            trace: span.is_valid().then(|| (span.trace_id().to_string(), span.span_id().to_string())),
            fields,
        };
        self.output.write(&match self.format {
            LogFormat::Text => line.text(),
            LogFormat::Json => line.json(),
        });
    }
}

/// One line before it has a form.
#[derive(Debug)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    target: &'a str,
    message: String,
    event_id: Option<u16>,
    /// Trace id and span id.
    trace: Option<(String, String)>,
    fields: Map<String, Value>,
}

impl Line<'_> {
    fn text(&self) -> String {
        let mut line =
            format!("{} {:<5} {}: {}", self.timestamp, self.level, self.target, one_line(&self.message));
        // Writing to a String cannot fail.
        if let Some(code) = self.event_id {
            let _infallible = write!(line, " event_id={code}");
        }
        for (name, value) in &self.fields {
            let _infallible = match value {
                Value::String(text) if is_plain(text) => write!(line, " {name}={text}"),
                Value::String(text) => write!(line, " {name}={text:?}"),
                other => write!(line, " {name}={other}"),
            };
        }
        if let Some((trace_id, span_id)) = &self.trace {
            let _infallible = write!(line, " trace_id={trace_id} span_id={span_id}");
        }
        line.push('\n');
        line
    }

    fn json(self) -> String {
        let mut object = Map::new();
        object.insert("timestamp".to_owned(), self.timestamp.into());
        object.insert("level".to_owned(), self.level.into());
        object.insert("target".to_owned(), self.target.into());
        object.insert("message".to_owned(), self.message.into());
        if let Some(code) = self.event_id {
            object.insert("event_id".to_owned(), code.into());
        }
        if let Some((trace_id, span_id)) = self.trace {
            object.insert("trace_id".to_owned(), trace_id.into());
            object.insert("span_id".to_owned(), span_id.into());
        }
        if !self.fields.is_empty() {
            object.insert("fields".to_owned(), self.fields.into());
        }
        format!("{}\n", Value::Object(object))
    }
}

/// Can the text stand after `name=` without quotes?
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=')
}

/// The text with control characters written out, so that it can neither end the line nor steer a
/// terminal.
fn one_line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests;
