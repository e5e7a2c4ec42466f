//! Goal: an orchestrator that asks over a socket learns what is true: live while the process answers, ready
//! only when the tree is, what is missing when it is not, and the numbers. Method: real requests on port 0.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

async fn get(pages: &Pages, path: &str) -> (u16, String, String) {
    let url = format!("http://{}{path}", pages.address());
    ask(Method::GET, &url).await
}

async fn ask(method: Method, url: &str) -> (u16, String, String) {
    trust::install_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answer = client.request(method, url).send().await.unwrap();
    let kind = answer.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    (status, kind.unwrap_or_default(), String::from_utf8(body).unwrap())
}

fn pages(readiness: impl ReadinessSource, metrics: Metrics) -> Pages {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    serve(listen, Sources { readiness: Arc::new(readiness), metrics }).unwrap()
}

#[tokio::test]
async fn ready_follows_the_source_and_live_does_not() {
    let is_ready = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_ready);
    let source = move || {
        let ready = asked.load(Ordering::Relaxed);
        let not_ready = if ready { Vec::new() } else { vec!["root/listener (starting)".to_owned()] };
        Readiness { ready, roles: vec!["listen"], not_ready, ..Readiness::default() }
    };
    let pages = pages(source, Metrics::new());
    let (status, kind, body) = get(&pages, "/health/ready").await;
    assert_eq!((status, kind.as_str()), (503, "application/json"));
    assert_eq!(
        body,
        r#"{"ready":false,"roles":["listen"],"not_ready":["root/listener (starting)"],"settled":false,"unsettled":[]}"#
    );
    assert_eq!(get(&pages, "/health/live").await.0, 200);
    is_ready.store(true, Ordering::Relaxed);
    assert_eq!(get(&pages, "/health/ready").await.0, 200);
    pages.stop().await.unwrap();
}

#[tokio::test]
async fn metrics_are_text_for_prometheus() {
    let metrics = Metrics::new();
    metrics.gauge("oldest_unsent_seconds", "Age of the oldest unsent change", &[]).set(2.5);
    let pages = pages(Readiness::default, metrics);
    let (status, kind, body) = get(&pages, "/metrics").await;
    assert_eq!((status, kind.as_str()), (200, telemetry::metrics::CONTENT_TYPE));
    assert!(body.contains("\noldest_unsent_seconds 2.5\n"), "{body}");
}

#[tokio::test]
async fn other_pages_and_methods_are_refused() {
    let pages = pages(Readiness::default, Metrics::new());
    assert_eq!(get(&pages, "/admin").await.0, 404);
    let url = format!("http://{}/metrics", pages.address());
    assert_eq!(ask(Method::POST, &url).await.0, 405);
    // Some probes ask for the head only.
    assert_eq!(ask(Method::HEAD, &url).await.0, 200);
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let pages = pages(Readiness::default, Metrics::new());
    let sources = Sources { readiness: Arc::new(Readiness::default), metrics: Metrics::new() };
    let error = serve(pages.address(), sources).unwrap_err();
    assert!(error.to_string().contains(&pages.address().to_string()), "{error}");
    assert!(matches!(error, ServiceError::Listen { .. }));
}

#[tokio::test]
async fn a_tree_whose_thread_stands_still_is_not_live() {
    struct Stuck;
    impl ReadinessSource for Stuck {
        fn readiness(&self) -> Readiness {
            Readiness::default()
        }
        fn stuck_for(&self) -> Duration {
            STUCK_AFTER
        }
    }
    let pages = pages(Stuck, Metrics::new());
    let (status, _, body) = get(&pages, "/health/live").await;
    assert_eq!(status, 503);
    assert!(body.contains(r#""status":"stuck""#) && body.contains(r#""stuck_for_seconds":30"#), "{body}");
}

#[test]
fn an_address_in_use_is_said_at_once_with_its_remedy() {
    let holder = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = holder.local_addr().unwrap();
    let said = try_address(SETTING, address).unwrap_err().to_string();
    assert!(said.contains(&address.to_string()) && said.contains("set http.listen"), "{said}");
    try_address(SETTING, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
}
