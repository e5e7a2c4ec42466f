//! A served simulator over a real socket: its address, its log of requests, its limits, its end, and that
//! a handler is dropped when its client gives up (the meters of the simulators stand on that).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use base::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Server, ServerOptions};

fn options() -> ServerOptions {
    ServerOptions {
        name: "test simulator",
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        body_bytes_max: 100,
        workers: 1,
        ends_by_signal: false,
        tls: None,
        clock: SystemClock::shared(),
    }
}

/// Sends a request and reads the whole answer of a connection that is then closed.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn requests_are_answered_recorded_and_limited_until_the_end() {
    let echo = |config: &mut web::ServiceConfig| {
        config
            .route("/echo", web::post().to(|body: web::Bytes| async move { HttpResponse::Ok().body(body) }));
    };
    let server = Server::start(options(), echo).await.unwrap();
    let address = server.address();
    assert_eq!(server.ready_line(), format!("test simulator listening on http://{address}"));
    assert_ne!(address.port(), 0);

    assert!(ask(address, &post("/echo", "hello")).await.ends_with("\r\n\r\nhello"));
    assert!(ask(address, &post("/echo", &"x".repeat(101))).await.starts_with("HTTP/1.1 413"));
    let log = ask(address, &get("/admin/requests?after=1")).await;
    assert!(log.contains(r#""path":"/echo","soap_action":null,"traceparent":null,"status":413"#), "{log}");
    assert!(log.contains(r#""seq":2"#) && !log.contains(r#""seq":1,"#), "{log}");

    server.stop().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens after the end");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let first = Server::start(options(), |_| {}).await.unwrap();
    let again = ServerOptions { listen: first.address(), ..options() };
    let error = Server::start(again, |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), format!("listening on {}", first.address()));
}

#[tokio::test]
async fn dropping_a_server_ends_it() {
    let server = Server::start(options(), |_| {}).await.unwrap();
    let address = server.address();
    drop(server);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the listener is closed");
}

/// Counts itself down when its handler ends, however it ends.
struct Present(Arc<AtomicUsize>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_handler_ends_when_its_client_gives_up() {
    let present = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&present);
    let server = Server::start(options(), move |config| {
        let counter = Arc::clone(&counter);
        let wait = move |_body: web::Bytes| {
            counter.fetch_add(1, Ordering::SeqCst);
            let guard = Present(Arc::clone(&counter));
            async move {
                let _guard = guard;
                std::future::pending::<HttpResponse>().await
            }
        };
        config.route("/wait", web::post().to(wait));
    })
    .await
    .unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx").await.unwrap();
    let becomes = async |expected: usize| {
        while present.load(Ordering::SeqCst) != expected {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, becomes(1)).await.expect("the handler begins");
    drop(stream);
    tokio::time::timeout(limit, becomes(0)).await.expect("the handler is dropped with its connection");
    server.stop().await.unwrap();
}
