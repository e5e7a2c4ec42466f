//! Goal: spans reach a collector over both protocols, connected as the stages connected them through a
//! stored trace context, and nothing is lost at shutdown. Method: receivers in this process on port 0,
//! one speaking HTTP/1.1 with protobuf bodies by hand, one gRPC server; the receiver's view is checked,
//! never the exporter's.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; helpers outside #[test] too"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use telemetry::{Metrics, Options, Telemetry, TelemetryError, trace};

/// What a receiver got.
type Received = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// A collector that takes OTLP over HTTP, answering `status`.
fn http_collector(status: u16) -> (SocketAddr, Received) {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some(body) = read_post(&mut reader) {
                    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
                    if status == 200 {
                        kept.lock().unwrap().push(request);
                    }
                    write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    (address, received)
}

/// The body of the next request, which must be a POST of protobuf to /v1/traces.
fn read_post(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

struct Collector(Received);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A collector that takes OTLP over gRPC, on a runtime of its own.
fn grpc_collector() -> (SocketAddr, Received) {
    let received = Received::default();
    let service = TraceServiceServer::new(Collector(Arc::clone(&received)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
    });
    (address, received)
}

fn options(endpoint: String) -> Options {
    // The tests of this file share a process when cargo runs them: a second call finds it installed.
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Options {
        service_name: "kommuneklient-test".to_owned(),
        service_version: "1.2.3".to_owned(),
        otlp_endpoint: Some(endpoint),
        log_filter: "off".to_owned(),
        metrics: Metrics::new(),
        ..Options::default()
    }
}

fn spans(received: &Received) -> Vec<Span> {
    let requests = received.lock().unwrap();
    let resources = requests.iter().flat_map(|request| &request.resource_spans);
    resources.flat_map(|r| &r.scope_spans).flat_map(|s| s.spans.clone()).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut with_name = spans.iter().filter(|span| span.name == name);
    let found = with_name.next().unwrap_or_else(|| panic!("no span {name} among {}", spans.len()));
    assert!(with_name.next().is_none(), "{name} was sent twice");
    found
}

/// Three stages that hand over a stored context, and a batch that links to its members: the shape of
/// one change walking through the product.
fn walk() {
    let received = tracing::info_span!("stream event", mailbox = "a@b.test");
    let stored = {
        let _inside = received.enter();
        tracing::info_span!("store notification").in_scope(|| ());
        trace::current().expect("inside a sampled span")
    };
    assert_eq!(trace::of(&received), Some(stored.clone()));
    drop(received);

    // Another process or a restart: all that is left is the text.
    let stored = stored.to_string().parse().unwrap();
    let qualify = tracing::info_span!("qualify");
    trace::continue_from(&qualify, &stored);
    let decided = qualify.in_scope(|| trace::current().expect("inside a sampled span"));
    assert_eq!(decided.trace_id(), stored.trace_id());

    let batch = tracing::info_span!("batch");
    trace::link(&batch, &decided);
    batch.in_scope(|| tracing::info_span!("call planner").in_scope(|| ()));

    // Too late for a parent: the connection is kept as a link.
    let late = tracing::info_span!("late");
    late.in_scope(|| trace::continue_from(&late, &decided));
    // Debug spans and those of libraries stay at home.
    tracing::debug_span!("detail").in_scope(|| ());
    tracing::info_span!(target: "hyper::client", "foreign").in_scope(|| ());
}

fn check_walk(received: &Received) {
    let spans = spans(received);
    let event = named(&spans, "stream event");
    let notification = named(&spans, "store notification");
    let qualify = named(&spans, "qualify");
    let batch = named(&spans, "batch");
    let call = named(&spans, "call planner");
    let late = named(&spans, "late");
    assert_eq!(spans.len(), 6);
    assert!(event.parent_span_id.is_empty());
    assert_eq!(notification.parent_span_id, event.span_id);
    assert_eq!(qualify.parent_span_id, event.span_id);
    assert_eq!(qualify.trace_id, event.trace_id);
    assert_eq!(call.parent_span_id, batch.span_id);
    assert_ne!(batch.trace_id, event.trace_id);
    for linked in [batch, late] {
        assert_eq!(linked.links.len(), 1);
        assert_eq!(linked.links[0].trace_id, qualify.trace_id);
        assert_eq!(linked.links[0].span_id, qualify.span_id);
    }
    assert!(event.attributes.iter().any(|attribute| attribute.key == "mailbox"));
    let requests = received.lock().unwrap();
    let resource = requests[0].resource_spans[0].resource.as_ref().unwrap();
    let keys: Vec<_> = resource.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(keys.contains(&"service.name") && keys.contains(&"service.version"), "{keys:?}");
}

#[tokio::test]
async fn one_walk_over_http() {
    let (address, received) = http_collector(200);
    let (telemetry, dispatch, _events) = Telemetry::build(options(format!("http://{address}"))).unwrap();
    tracing::dispatcher::with_default(&dispatch, walk);
    telemetry.shutdown().await.unwrap();
    check_walk(&received);
}

/// On the current-thread runtime of this test a flush that blocks it would never end.
#[tokio::test]
async fn one_walk_over_grpc() {
    let (address, received) = grpc_collector();
    let (telemetry, dispatch, _events) = Telemetry::build(options(format!("grpc://{address}"))).unwrap();
    tracing::dispatcher::with_default(&dispatch, walk);
    telemetry.shutdown().await.unwrap();
    check_walk(&received);
}

/// Several batches' worth of spans that end right before shutdown all arrive, by either protocol, and
/// without a runtime around.
#[test]
fn nothing_is_lost_at_shutdown() {
    let (http, over_http) = http_collector(200);
    let (grpc, over_grpc) = grpc_collector();
    for (endpoint, received) in [(format!("http://{http}"), over_http), (format!("grpc://{grpc}"), over_grpc)]
    {
        let options = options(endpoint);
        let metrics = options.metrics.clone();
        let (telemetry, dispatch, _events) = Telemetry::build(options).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            for number in 0..3_000 {
                tracing::info_span!("one of many", number).in_scope(|| ());
            }
        });
        telemetry.shutdown_blocking().unwrap();
        assert_eq!(spans(&received).len(), 3_000);
        let text = metrics.encode().unwrap();
        assert!(text.contains("kommuneklient_spans_total{outcome=\"exported\"} 3000"), "{text}");
    }
}

/// A coded event stands in the span in which it happened, with its code as an attribute (B13), though the log is off.
#[test]
fn a_code_stands_in_its_span() {
    let (address, received) = grpc_collector();
    let (telemetry, dispatch, _events) = Telemetry::build(options(format!("grpc://{address}"))).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::info_span!("call").in_scope(|| {
            tracing::error!(event_id = 6901u16, "no connection");
            tracing::debug!(event_id = 6902u16, "not told at this level");
        });
    });
    telemetry.shutdown_blocking().unwrap();
    let spans = spans(&received);
    let codes: Vec<i64> = spans[0]
        .events
        .iter()
        .flat_map(|event| &event.attributes)
        .filter(|attribute| attribute.key == "event_id")
        .filter_map(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
            Value::IntValue(code) => Some(*code),
            Value::StringValue(code) => code.parse().ok(),
            _ => None,
        })
        .collect();
    assert_eq!((spans[0].name.as_str(), codes), ("call", vec![6901]), "{:?}", spans[0].events);
}

/// Who forgets to shut down still gets the last spans out.
#[test]
fn dropping_sends_the_rest() {
    let (address, received) = grpc_collector();
    let (telemetry, dispatch, _events) = Telemetry::build(options(format!("grpc://{address}"))).unwrap();
    tracing::dispatcher::with_default(&dispatch, || tracing::info_span!("last").in_scope(|| ()));
    drop(telemetry);
    assert_eq!(spans(&received).len(), 1);
}

/// A collector that refuses, and one that is not there, stop nothing; the loss is told.
#[tokio::test]
async fn a_broken_collector_is_told_and_stops_nothing() {
    let (refusing, _) = http_collector(400);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{refusing}"), format!("http://{nobody}"), format!("grpc://{nobody}")] {
        let (telemetry, dispatch, _events) = Telemetry::build(options(endpoint.clone())).unwrap();
        tracing::dispatcher::with_default(&dispatch, || tracing::info_span!("span").in_scope(|| ()));
        let result = telemetry.shutdown().await;
        assert!(matches!(result, Err(TelemetryError::SpansLost { lost: 1 })), "{endpoint}: {result:?}");
    }
}

/// The process has one subscriber; a second start is refused, and shutdown ends the event queue.
#[tokio::test]
async fn starting_twice_is_refused_and_shutdown_ends_the_events() {
    let start = || Telemetry::start(Options { log_filter: "off".to_owned(), ..Options::default() });
    let (telemetry, mut events) = start().unwrap();
    assert!(matches!(start(), Err(TelemetryError::AlreadyStarted)));
    tracing::warn!(event_id = 9001u16, "left in the queue");
    telemetry.shutdown().await.unwrap();
    assert_eq!(events.recv().await.map(|event| event.code), Some(9001));
    assert_eq!(events.recv().await, None);
}
