//! Putting the layers together, and taking them down without losing anything.

use std::time::Duration;

use base::{CodeEntry, SharedClock, SystemClock};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use crate::alerts::Alerts;
use crate::events::{CodeBook, EventLayer, EventSender, channel, is_for_events};
use crate::log::LogLayer;
use crate::otlp::{self, SpanCounts};
use crate::{EventRange, EventReceiver, LogFormat, LogOutput, Metrics, TelemetryError, metrics};

/// The time that the last spans have to reach the collector.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that they have when nobody called [`Telemetry::shutdown`].
const DROP_TIMEOUT: Duration = Duration::from_secs(2);
/// Quiet unless a filter names them: the SDK repeats at every attempt what [`otlp`] says once.
const QUIET_TARGETS: &str = "opentelemetry=off";
/// Libraries whose spans are theirs and not the product's; the exporter's own must never be exported.
const FOREIGN_TARGETS: &[&str] =
    &["h2", "hyper", "tonic", "tower", "reqwest", "opentelemetry", "rustls", "sspi", "tokio", "mio"];

/// How telemetry is set up. `..Options::default()` gives text at `info` on stderr, without an exporter.
#[derive(Debug, Clone)]
pub struct Options {
    /// `service.name` of the traces.
    pub service_name: String,
    /// `service.version` of the traces; left out when empty.
    pub service_version: String,
    /// Where traces go (see [`otlp::endpoint`]); `None` sends none, trace ids are made all the same.
    pub otlp_endpoint: Option<String>,
    /// The share of new traces that is recorded, 0 to 1. A trace that came from elsewhere keeps the
    /// decision that was made there.
    pub trace_sample_ratio: f64,
    /// Text or JSON.
    pub log_format: LogFormat,
    /// What is logged, in the form of `RUST_LOG`: `info,store=debug`. Traces and coded events do not
    /// depend on it.
    pub log_filter: String,
    /// Where log lines go.
    pub log_output: LogOutput,
    /// The codes that are known.
    pub registry: &'static [CodeEntry],
    /// Runs of codes with one meaning.
    pub ranges: &'static [EventRange],
    /// Names of span fields that events inside the span inherit, in logs and in [`crate::RaisedEvent`].
    pub span_fields: &'static [&'static str],
    /// Coded events that wait for the receiver at most.
    pub event_queue: usize,
    /// Where events and spans are counted.
    pub metrics: Metrics,
    /// The clock of log lines and events.
    pub clock: SharedClock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            service_name: "kommuneklient".to_owned(),
            service_version: String::new(),
            otlp_endpoint: None,
            trace_sample_ratio: 1.0,
            log_format: LogFormat::default(),
            log_filter: "info".to_owned(),
            log_output: LogOutput::default(),
            registry: &[],
            ranges: &[],
            span_fields: &["mailbox"],
            event_queue: 10_000,
            metrics: metrics().clone(),
            clock: SystemClock::shared(),
        }
    }
}

impl Options {
    /// Coded events alone: nothing is logged, and nothing counted beside the process's own metrics. For who wants to see which
    /// events something raises.
    pub fn events_alone(registry: &'static [CodeEntry]) -> Self {
        Self { log_filter: "off".to_owned(), registry, metrics: Metrics::new(), ..Self::default() }
    }
}

/// Running telemetry. Dropping it without [`Telemetry::shutdown`] still gives the last spans 2 s.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    counts: Option<SpanCounts>,
    runtime: Option<Runtime>,
    events: EventSender,
}

impl Telemetry {
    /// Starts telemetry for the whole process.
    ///
    /// # Errors
    /// A [`TelemetryError`] for a filter or endpoint that cannot be used, a missing crypto provider
    /// (only needed with an endpoint), or when the process has telemetry already.
    pub fn start(options: Options) -> Result<(Self, EventReceiver), TelemetryError> {
        let (telemetry, dispatch, receiver) = Self::build(options)?;
        tracing::dispatcher::set_global_default(dispatch).map_err(|_taken| TelemetryError::AlreadyStarted)?;
        Ok((telemetry, receiver))
    }

    /// The same without installing it: for a test that wants its own, with
    /// `tracing::dispatcher::set_default`.
    ///
    /// # Errors
    /// As [`Telemetry::start`].
    pub fn build(options: Options) -> Result<(Self, Dispatch, EventReceiver), TelemetryError> {
        let filter = log_filter(&options.log_filter)?;
        let output = options.log_output.clone().open()?;
        let pipeline = match &options.otlp_endpoint {
            None => None,
            Some(text) => Some(otlp::pipeline(&otlp::endpoint(text)?, &options.metrics)?),
        };
        let ratio = Sampler::TraceIdRatioBased(options.trace_sample_ratio);
        let mut provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_max_links_per_span(1_000)
            .with_resource(resource(&options));
        let (mut counts, mut runtime) = (None, None);
        if let Some(pipeline) = pipeline {
            provider = provider.with_span_processor(pipeline.processor);
            counts = Some(pipeline.counts);
            runtime = pipeline.runtime;
        }
        let provider = provider.build();
        let dropped = options.metrics.counter(
            "kommuneklient_events_dropped",
            "Coded events that were dropped because their receiver was behind",
            &[],
        );
        let alerts = Alerts::new(options.registry, options.metrics.clone(), options.clock.clone());
        let (events, receiver) = channel(options.event_queue, dropped, alerts.clone());
        let event_layer = EventLayer {
            book: CodeBook { registry: options.registry, ranges: options.ranges },
            span_fields: options.span_fields,
            metrics: options.metrics,
            alerts,
            sender: events.clone(),
            clock: options.clock.clone(),
        };
        let log_layer = LogLayer { format: options.log_format, output, clock: options.clock };
        let trace_layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(options.service_name))
            .with_location(false)
            .with_threads(false)
            .with_target(true)
            .with_tracked_inactivity(false);
        let subscriber = tracing_subscriber::registry()
            .with(trace_layer.with_filter(filter_fn(is_traced)))
            .with(event_layer.with_filter(filter_fn(is_own_span_or_coded)))
            .with(log_layer.with_filter(filter.or(filter_fn(is_own_span))));
        let telemetry = Self { provider: Some(provider), counts, runtime, events };
        Ok((telemetry, Dispatch::new(subscriber), receiver))
    }

    /// Ends the event queue (the receiver gets what is queued, then its end) and sends the last spans,
    /// for at most 10 s. Spans that are still open are not sent: end the work first.
    ///
    /// # Errors
    /// [`TelemetryError::SpansLost`] when spans did not reach the collector, now or earlier.
    pub async fn shutdown(self) -> Result<(), TelemetryError> {
        // Flushing blocks; a blocked worker would hold up those who still work.
        match tokio::task::spawn_blocking(move || self.shutdown_blocking()).await {
            Ok(result) => result,
            Err(_stopped) => Err(TelemetryError::SpansLost { lost: 0 }),
        }
    }

    /// The same where nothing asynchronous runs.
    ///
    /// # Errors
    /// As [`Telemetry::shutdown`].
    pub fn shutdown_blocking(mut self) -> Result<(), TelemetryError> {
        self.stop(SHUTDOWN_TIMEOUT);
        match self.counts.as_ref().map_or(0, SpanCounts::lost) {
            0 => Ok(()),
            lost => Err(TelemetryError::SpansLost { lost }),
        }
    }

    fn stop(&mut self, timeout: Duration) {
        self.events.close();
        if let Some(provider) = self.provider.take() {
            // What it could tell is in the counts.
            let _counted = provider.shutdown_with_timeout(timeout);
        }
        if let Some(runtime) = self.runtime.take() {
            // Not an ordinary drop: that panics inside an asynchronous context.
            runtime.shutdown_background();
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.stop(DROP_TIMEOUT);
    }
}

fn resource(options: &Options) -> Resource {
    let version = (!options.service_version.is_empty())
        .then(|| KeyValue::new("service.version", options.service_version.clone()));
    Resource::builder()
        .with_service_name(options.service_name.clone())
        .with_attributes(version)
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
        .build()
}

/// Never logged, whatever is asked for: the library of NTLM logins shows messages from which a password can be guessed.
const SECRET_TARGETS: &str = "sspi=off";

pub(crate) fn log_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(format!("{QUIET_TARGETS},{text},{SECRET_TARGETS}"))
        .map_err(|source| TelemetryError::Filter { filter: text.to_owned(), source })
}

/// Spans and events from level INFO up, except those of the libraries below.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO && !FOREIGN_TARGETS.iter().any(|foreign| root.starts_with(foreign))
}

/// Log lines and coded events look for inherited fields in these, whatever the log filter says.
fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && is_traced(metadata)
}

fn is_own_span_or_coded(metadata: &Metadata<'_>) -> bool {
    is_own_span(metadata) || is_for_events(metadata)
}
