//! Sending spans with OTLP: which protocol an endpoint speaks, the exporter, and the count of what
//! became of every span.
//!
//! Spans are batched by the SDK's own thread. Over gRPC that thread needs a tokio runtime that outlives
//! everything else, so the exporter has a small one of its own: neither the product's runtime nor its
//! end can lose spans. Over HTTP the blocking client is used; the asynchronous one panics in the batch
//! thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use tokio::runtime::Runtime;
use url::Url;

use crate::{Counter, Metrics, TelemetryError};

/// Spans that wait for the exporter at most; about a kilobyte each.
const QUEUE_MAX: usize = 16_384;
/// Spans in one request at most: well below the 4 MiB that a gRPC collector takes.
const BATCH_MAX: usize = 512;
/// A span waits at most this long for company.
const DELAY: Duration = Duration::from_secs(1);
/// One request, retries included, takes at most this long.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The protocol and the address that spans are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// OTLP over gRPC to this origin.
    Grpc(String),
    /// OTLP over HTTP with protobuf bodies to this full URL.
    Http(String),
}

/// Chooses by the URL: a path that ends in `/v1/traces` or port 4318 means HTTP; port 4317 or the scheme
/// `grpc`/`grpcs` means gRPC; anything else means HTTP, with `/v1/traces` added to the path.
///
/// # Errors
/// [`TelemetryError::Endpoint`] when it is no URL, has no host, or another scheme.
pub fn endpoint(text: &str) -> Result<Endpoint, TelemetryError> {
    let refuse = |reason: String| TelemetryError::Endpoint { endpoint: text.to_owned(), reason };
    let url = Url::parse(text).map_err(|error| refuse(format!("{error}; {EXAMPLE}")))?;
    let (scheme, explicit_grpc) = match url.scheme() {
        "http" => ("http", false),
        "https" => ("https", false),
        "grpc" => ("http", true),
        "grpcs" => ("https", true),
        other => return Err(refuse(format!("the scheme {other} is not known; {EXAMPLE}"))),
    };
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(refuse(format!("it names no host; {EXAMPLE}")));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("a user or password in the address would end up in logs".to_owned()));
    }
    let path = url.path().trim_end_matches('/');
    let http_path = path.ends_with("/v1/traces");
    if explicit_grpc || (url.port() == Some(4317) && !http_path) {
        let port = url.port().unwrap_or(4317);
        return Ok(Endpoint::Grpc(format!("{scheme}://{host}:{port}")));
    }
    let mut full = url.clone();
    if !http_path {
        full.set_path(&format!("{path}/v1/traces"));
    }
    Ok(Endpoint::Http(full.to_string()))
}

const EXAMPLE: &str = "write for example http://127.0.0.1:4317 (gRPC) or http://127.0.0.1:4318 (HTTP)";

/// The exporting half of a tracer provider.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) processor: Counting,
    pub(crate) counts: SpanCounts,
    /// The runtime of the gRPC client; it must outlive the provider.
    pub(crate) runtime: Option<Runtime>,
}

/// Builds exporter and batch processor for `endpoint`. Connects to nothing yet.
pub(crate) fn pipeline(endpoint: &Endpoint, metrics: &Metrics) -> Result<Pipeline, TelemetryError> {
    // reqwest and tonic both ask for the process-wide provider, and reqwest panics without one.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(TelemetryError::NoCryptoProvider);
    }
    let (exporter, runtime) = match endpoint {
        Endpoint::Grpc(origin) => {
            let (exporter, runtime) = grpc(origin)?;
            (exporter, Some(runtime))
        }
        Endpoint::Http(url) => (http(url)?, None),
    };
    let counts = SpanCounts::new(metrics);
    let address = match endpoint {
        Endpoint::Grpc(text) | Endpoint::Http(text) => text.clone(),
    };
    let exporter =
        Watched { exporter, counts: counts.clone(), failing: Arc::new(AtomicBool::new(false)), address };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(DELAY)
        .build();
    let batch = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Ok(Pipeline { processor: Counting { batch, ended: counts.ended.clone() }, counts, runtime })
}

fn http(url: &str) -> Result<OtlpExporter, TelemetryError> {
    OtlpExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|source| TelemetryError::Exporter { endpoint: url.to_owned(), source })
}

fn grpc(origin: &str) -> Result<(OtlpExporter, Runtime), TelemetryError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp")
        .enable_all()
        .build()
        .map_err(|source| TelemetryError::Runtime { source })?;
    let _inside = runtime.enter();
    let mut builder = OtlpExporter::builder().with_tonic().with_endpoint(origin).with_timeout(EXPORT_TIMEOUT);
    if origin.starts_with("https:") {
        builder = builder.with_tls_config(ClientTlsConfig::new().with_native_roots());
    }
    let exporter =
        builder.build().map_err(|source| TelemetryError::Exporter { endpoint: origin.to_owned(), source })?;
    drop(_inside);
    Ok((exporter, runtime))
}

/// What became of spans.
#[derive(Debug, Clone)]
pub(crate) struct SpanCounts {
    ended: Counter,
    exported: Counter,
    failed: Counter,
}

impl SpanCounts {
    fn new(metrics: &Metrics) -> Self {
        let counter = |outcome| {
            metrics.counter("kommuneklient_spans", "Sampled spans by outcome", &[("outcome", outcome)])
        };
        Self { ended: counter("ended"), exported: counter("exported"), failed: counter("failed") }
    }

    /// Spans that ended and did not reach the collector.
    pub(crate) fn lost(&self) -> u64 {
        self.ended.get().saturating_sub(self.exported.get())
    }
}

/// Counts ended spans before they are queued.
#[derive(Debug)]
pub(crate) struct Counting {
    batch: BatchSpanProcessor,
    ended: Counter,
}

impl SpanProcessor for Counting {
    fn on_start(&self, span: &mut Span, context: &opentelemetry::Context) {
        self.batch.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.ended.inc();
        }
        self.batch.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batch.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batch.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batch.set_resource(resource);
    }
}

/// Counts exported and failed spans, and says once when the collector goes and when it is back.
struct Watched {
    exporter: OtlpExporter,
    counts: SpanCounts,
    failing: Arc<AtomicBool>,
    address: String,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("address", &self.address).finish_non_exhaustive()
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        match &result {
            Ok(()) => {
                self.counts.exported.inc_by(count);
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(endpoint = %self.address, "trace collector takes spans again");
                }
            }
            Err(error) => {
                self.counts.failed.inc_by(count);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    let error = crate::chain(error);
                    tracing::warn!(endpoint = %self.address, %error, "trace collector takes no spans");
                }
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests;
