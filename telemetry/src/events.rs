//! Coded events (B13): every `tracing` event with a field `event_id = <number>` is counted in
//! `kommuneklient_events_total{source,code,severity}` and queued for the [`EventReceiver`], which the
//! service drains into `application_log`.
//!
//! An event with the field `succeeded = "<word>"` says that something worked; it ends alerts ([`crate::alerts`]) and is
//! neither counted nor delivered, unless it has a code as well.
//!
//! What a code means comes from the registry that is handed in; a code that stands in no registry and
//! no [`EventRange`] is still counted and delivered, under its number, and reported once in the log.

use base::{CodeEntry, Severity, SharedClock};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::Metrics;
use crate::alerts::Alerts;
use crate::fields::Fields;

mod queue;

pub use queue::EventReceiver;
pub(crate) use queue::{EventSender, channel};

/// The source of an event whose code nobody knows.
pub const UNKNOWN_SOURCE: &str = "unknown";

/// A run of codes that share one meaning, like one per answer code of another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRange {
    /// The first code.
    pub first: u16,
    /// The last code.
    pub last: u16,
    /// The stage that raises them.
    pub source: &'static str,
    /// How bad they are.
    pub severity: Severity,
}

/// One coded event, as `application_log` keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct RaisedEvent {
    /// The number.
    pub code: u16,
    /// From the registry; for an unknown code from the level of the event.
    pub severity: Severity,
    /// From the registry; [`UNKNOWN_SOURCE`] for an unknown code.
    pub source: &'static str,
    /// What the event said, at most 4,000 characters.
    pub message: String,
    /// The event's own fields and those of its spans that [`crate::Options::span_fields`] names; a
    /// field of the event wins over one of a span, an inner span over an outer one.
    pub fields: Map<String, Value>,
    /// When.
    pub at: Timestamp,
    /// The trace (32 hex digits) that it belongs to.
    pub trace_id: Option<String>,
    /// Does a registry know the code?
    pub known: bool,
    /// Is it beyond its threshold, so that it calls for somebody? `None` for a code that never does.
    pub alert: Option<bool>,
}

/// What is known of codes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeBook {
    pub(crate) registry: &'static [CodeEntry],
    pub(crate) ranges: &'static [EventRange],
}

impl CodeBook {
    /// Source and severity of `code`; an entry of the registry wins over a range.
    pub(crate) fn find(&self, code: u16) -> Option<(&'static str, Severity)> {
        let entry = self.registry.iter().map(|entry| entry.code).find(|entry| entry.id == code);
        let entry = entry.map(|entry| (entry.source, entry.severity));
        let in_range = |range: &&EventRange| (range.first..=range.last).contains(&code);
        entry.or_else(|| self.ranges.iter().find(in_range).map(|range| (range.source, range.severity)))
    }
}

/// Fields of a span that events inside it inherit; kept in the span's extensions.
#[derive(Debug, Default)]
pub(crate) struct Inherited(Map<String, Value>);

/// The layer that counts and queues coded events, and keeps the inherited fields of spans.
pub(crate) struct EventLayer {
    pub(crate) book: CodeBook,
    pub(crate) span_fields: &'static [&'static str],
    pub(crate) metrics: Metrics,
    pub(crate) alerts: Alerts,
    pub(crate) sender: EventSender,
    pub(crate) clock: SharedClock,
}

impl EventLayer {
    fn inherit(&self, into: &mut Inherited, record: impl FnOnce(&mut dyn Visit)) {
        let mut named = Named { names: self.span_fields, found: &mut into.0 };
        record(&mut named);
    }

    fn raise(&self, code: u16, message: String, fields: Map<String, Value>, level: Level) {
        let found = self.book.find(code);
        let (source, severity) = found.unwrap_or((UNKNOWN_SOURCE, severity_of(level)));
        let labels =
            [("source", source), ("code", &*code.to_string()), ("severity", severity_name(severity))];
        self.metrics
            .counter("kommuneklient_events", "Coded events by source, code and severity", &labels)
            .inc();
        let alert = self.alerts.raised(code, |name| in_words(&fields, name));
        self.sender.send(RaisedEvent {
            code,
            severity,
            source,
            message,
            fields,
            at: self.clock.now(),
            trace_id: crate::trace::current().map(|context| context.trace_id().to_owned()),
            known: found.is_some(),
            alert,
        });
    }
}

impl<S> Layer<S> for EventLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let has_named = |field: Field| self.span_fields.contains(&field.name());
        if !attributes.metadata().fields().iter().any(has_named) {
            return;
        }
        let mut inherited = Inherited::default();
        self.inherit(&mut inherited, |visitor| attributes.record(visitor));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(inherited);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(inherited) = span.extensions_mut().get_mut::<Inherited>()
        {
            self.inherit(inherited, |visitor| values.record(visitor));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !is_for_events(event.metadata()) {
            return;
        }
        let own = Fields::of(event);
        let mut fields = inherited(event, &context);
        fields.extend(own.rest);
        if let Some(Value::String(success)) = fields.remove(SUCCEEDED) {
            self.alerts.succeeded(&success, |name| in_words(&fields, name));
        }
        if let Some(code) = own.event_id {
            self.raise(code, own.message, fields, *event.metadata().level());
        }
    }
}

/// The field by which an event says that something worked.
const SUCCEEDED: &str = "succeeded";

/// Has the event a code, or does it tell of a success?
pub(crate) fn is_for_events(metadata: &Metadata<'_>) -> bool {
    metadata.fields().field("event_id").is_some() || metadata.fields().field(SUCCEEDED).is_some()
}

/// The value of a field as text.
fn in_words(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
}

/// The fields that `event` inherits from the spans it is in.
pub(crate) fn inherited<S>(event: &Event<'_>, context: &Context<'_, S>) -> Map<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut all = Map::new();
    for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
        if let Some(Inherited(fields)) = span.extensions().get::<Inherited>() {
            all.extend(fields.clone());
        }
    }
    all
}

/// Takes the named fields only.
struct Named<'a> {
    names: &'static [&'static str],
    found: &'a mut Map<String, Value>,
}

impl Named<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        if self.names.contains(&field.name()) {
            self.found.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Named<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if self.names.contains(&field.name()) {
            self.put(field, crate::fields::bounded(&format!("{value:?}")).into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, crate::fields::bounded(value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
}

fn severity_of(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        _ => Severity::Information,
    }
}

/// The word for a severity, as in logs and labels.
pub const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "information",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

#[cfg(test)]
mod tests;
