//! Collects the fields of a `tracing` event or span as JSON values, bounded.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// The most fields that are kept of one event; more are counted in the field `fields_left_out`.
const FIELDS_MAX: usize = 32;
/// The longest text that is kept of one value, in characters. Error chains fit, whole documents do not.
const TEXT_MAX_CHARS: usize = 4_000;

/// The fields of one event.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// The field `message`.
    pub(crate) message: String,
    /// The field `event_id`, when it is a number that a code can have.
    pub(crate) event_id: Option<u16>,
    /// All others, in order.
    pub(crate) rest: Map<String, Value>,
    left_out: usize,
}

impl Fields {
    /// The fields of `event`.
    pub(crate) fn of(event: &tracing::Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        if fields.left_out > 0 {
            fields.rest.insert("fields_left_out".to_owned(), fields.left_out.into());
        }
        fields
    }

    fn put(&mut self, field: &Field, value: Value) {
        if self.rest.len() < FIELDS_MAX || self.rest.contains_key(field.name()) {
            self.rest.insert(field.name().to_owned(), value);
        } else {
            self.left_out += 1;
        }
    }

    fn put_number(&mut self, field: &Field, number: Option<u16>, value: Value) {
        match (field.name(), number) {
            ("event_id", Some(code)) => self.event_id = Some(code),
            _ => self.put(field, value),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = bounded(&format!("{value:?}"));
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, Value::String(text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = bounded(value);
        } else {
            self.put(field, Value::String(bounded(value)));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_number(field, value.try_into().ok(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_number(field, value.try_into().ok(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity.
        let value =
            serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number);
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let text = bounded(&crate::chain(value).to_string());
        self.put(field, Value::String(text));
    }
}

/// The text, cut to its bound with a mark that something is missing.
pub(crate) fn bounded(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
