//! Events with a code, as they are raised: for tests.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// The events of this thread, and of listeners that are opened from it, since it was made.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<(u64, String)>>>);

impl Told {
    /// Begins to listen; ends when the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        let told = Self::default();
        let guard = tracing::subscriber::set_default(told.clone());
        (told, guard)
    }

    /// The codes so far, with what was said, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<(u64, String)> {
        self.0.lock().unwrap().clone()
    }

    /// Only the codes.
    pub(crate) fn codes(&self) -> Vec<u64> {
        self.all().into_iter().map(|(code, _)| code).collect()
    }

    /// Waits until an event with this code has come whose values hold `words`.
    pub(crate) async fn until(&self, code: u64, words: &str) {
        for _ in 0..1_000 {
            if self.all().iter().any(|(told, said)| *told == code && said.contains(words)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("event {code} with {words:?} did not come: {:?}", self.all());
    }
}

#[derive(Default)]
struct Values {
    code: Option<u64>,
    said: String,
}

impl Visit for Values {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "event_id" {
            self.code = Some(value);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.said.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut values = Values::default();
        event.record(&mut values);
        if let Some(code) = values.code {
            self.0.lock().unwrap().push((code, values.said));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
