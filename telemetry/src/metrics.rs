//! Counters, gauges and histograms, registered by name, help and labels, written as Prometheus text.
//!
//! An instrument is asked for by name and labels wherever it is needed; asking again gives the same
//! one. Keep the handle where the path is hot. The first use of a name fixes its kind and help; a second
//! use with another kind is a programming error: it is reported once in the log and the caller gets an
//! instrument that nobody reads. A metric takes at most [`SERIES_MAX`] label combinations; further ones
//! share the series in which every label is `other`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::{counter, gauge, histogram};
use prometheus_client::registry::Registry;

use crate::TelemetryError;

/// The most label combinations of one metric.
pub const SERIES_MAX: usize = 1_000;

/// The media type of [`Metrics::encode`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bucket bounds in seconds, for latencies from a millisecond to a minute.
pub const LATENCY_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A set of metrics; clones share it. [`metrics`] gives the one of the process.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Inner>>);

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(counter::Counter);

/// A number that goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(gauge::Gauge<f64, AtomicU64>);

/// A distribution of observed values.
#[derive(Debug, Clone)]
pub struct Histogram(histogram::Histogram);

type Labels = Vec<(String, String)>;

#[derive(Clone)]
struct Buckets(&'static [f64]);

impl MetricConstructor<histogram::Histogram> for Buckets {
    fn new_metric(&self) -> histogram::Histogram {
        histogram::Histogram::new(self.0.iter().copied())
    }
}

#[derive(Clone)]
enum Kind {
    Counter(Family<Labels, counter::Counter>),
    Gauge(Family<Labels, gauge::Gauge<f64, AtomicU64>>),
    Histogram(Family<Labels, histogram::Histogram, Buckets>),
}

/// A metric and the label combinations that it has.
struct Known {
    kind: Kind,
    series: HashSet<Labels>,
}

#[derive(Default)]
struct Inner {
    registry: Registry,
    families: HashMap<String, Known>,
    mistaken: BTreeSet<String>,
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(Metrics::new)
}

impl Metrics {
    /// An empty set, for a test of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter with this name and these labels. Its name is written with `_total` at the end, given
    /// or not.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        let name = name.strip_suffix("_total").unwrap_or(name);
        match self.family(name, help, labels, || Kind::Counter(Family::default())) {
            (Kind::Counter(family), labels) => Counter(family.get_or_create_owned(&labels)),
            _ => self.mistaken(name, Counter::default()),
        }
    }

    /// The gauge with this name and these labels.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        match self.family(name, help, labels, || Kind::Gauge(Family::default())) {
            (Kind::Gauge(family), labels) => Gauge(family.get_or_create_owned(&labels)),
            _ => self.mistaken(name, Gauge::default()),
        }
    }

    /// The histogram with this name and these labels, and upper bounds of its buckets in the unit of the
    /// metric (see [`LATENCY_SECONDS`]). The first use of a name fixes the buckets.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        buckets: &'static [f64],
    ) -> Histogram {
        let create = || Kind::Histogram(Family::new_with_constructor(Buckets(buckets)));
        match self.family(name, help, labels, create) {
            (Kind::Histogram(family), labels) => Histogram(family.get_or_create_owned(&labels)),
            _ => self.mistaken(name, Histogram(Buckets(buckets).new_metric())),
        }
    }

    /// All metrics as text ([`CONTENT_TYPE`]).
    ///
    /// # Errors
    /// [`TelemetryError::Encode`] when a value cannot be written; none is known that cannot.
    pub fn encode(&self) -> Result<String, TelemetryError> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.lock().registry)
            .map_err(|source| TelemetryError::Encode { source })?;
        Ok(without_empty_labels(&text))
    }

    /// The metric of this name, made now if it is new, and the labels to use with it.
    fn family(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        create: impl FnOnce() -> Kind,
    ) -> (Kind, Labels) {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), escaped(value))).collect();
        let inner = &mut *self.lock();
        if let Some(known) = inner.families.get_mut(name) {
            return (known.kind.clone(), known.bounded(labels));
        }
        let kind = create();
        // The encoder ends the help with a full stop of its own.
        let help = help.trim_end_matches('.');
        match kind.clone() {
            Kind::Counter(family) => inner.registry.register(name, help, family),
            Kind::Gauge(family) => inner.registry.register(name, help, family),
            Kind::Histogram(family) => inner.registry.register(name, help, family),
        }
        let mut known = Known { kind: kind.clone(), series: HashSet::new() };
        let labels = known.bounded(labels);
        inner.families.insert(name.to_owned(), known);
        (kind, labels)
    }

    fn mistaken<I>(&self, name: &str, detached: I) -> I {
        let first = self.lock().mistaken.insert(name.to_owned());
        if first {
            tracing::error!(metric = name, "metric used as two kinds; the second use is not published");
        }
        detached
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("names", &self.lock().families.len()).finish()
    }
}

/// A label value in the form of the text format: the encoder writes it as it is.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// The text with `name{} 1` written as `name 1`: both are correct, the second is what people grep for.
fn without_empty_labels(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        match line.split_once('{') {
            Some((name, rest)) if !line.starts_with('#') && rest.starts_with('}') => {
                plain.push_str(name);
                plain.push_str(&rest[1..]);
            }
            _ => plain.push_str(line),
        }
        plain.push('\n');
    }
    plain
}

impl Known {
    /// The labels, or `other` for each when the metric is full and does not know them.
    fn bounded(&mut self, labels: Labels) -> Labels {
        if self.series.contains(&labels) {
            return labels;
        }
        if self.series.len() < SERIES_MAX {
            self.series.insert(labels.clone());
            return labels;
        }
        labels.into_iter().map(|(key, _)| (key, "other".to_owned())).collect()
    }
}

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// `by` more.
    pub fn inc_by(&self, by: u64) {
        self.0.inc_by(by);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl Gauge {
    /// The number is now `value`.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds `by`, which may be negative.
    pub fn add(&self, by: f64) {
        self.0.inc_by(by);
    }

    /// The number now.
    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

impl Histogram {
    /// Takes one value into the distribution.
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }

    /// Takes a duration, in seconds.
    pub fn observe_duration(&self, duration: std::time::Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
