//! Goal: whoever sends too much, too slowly, too often or nothing at all is cut off and told, and others are answered
//! meanwhile. Method: real sockets on port 0, with short deadlines.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::http::told::Told;

/// Answers what became of the body; `/large` with more than a socket holds.
struct Echo;

impl Answers for Echo {
    async fn answer(&self, mut call: Call) -> Answer {
        if call.path() == "/large" {
            return plain(StatusCode::OK, "text/plain", vec![b'x'; 64 * 1024 * 1024]);
        }
        let said = match call.body(1_000).await {
            Ok(body) => format!("{} bytes", body.len()),
            Err(why) => format!("{why:?}"),
        };
        plain(StatusCode::OK, "text/plain", said)
    }
}

fn open(limits: Limits) -> Pages {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    serve(&Door { what: "listening on", setting: "http.listen", listen, tls: None, limits }, Echo).unwrap()
}

fn short() -> Limits {
    let moment = Duration::from_millis(200);
    Limits { head: moment, body: moment, whole: Duration::from_secs(5), ..Limits::USUAL }
}

async fn connect(pages: &Pages) -> TcpStream {
    TcpStream::connect(pages.address()).await.unwrap()
}

/// What comes until the other side closes. A connection that is reset is as closed as one that is shut.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Sends all of it, as far as the other side takes it, and reads what is answered.
async fn ask(pages: &Pages, request: &[u8]) -> String {
    let mut stream = connect(pages).await;
    let _ = stream.write_all(request).await;
    rest(&mut stream).await
}

/// Sends `start`, then `more` again and again at a slow attacker's pace until the other side closes.
async fn drip(pages: &Pages, start: &[u8], more: &[u8]) -> String {
    let (mut reading, mut writing) = connect(pages).await.into_split();
    writing.write_all(start).await.unwrap();
    let mut said = Vec::new();
    let dripping = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if writing.write_all(more).await.is_err() {
                return std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = reading.read_to_end(&mut said) => {}
        () = dripping => {}
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn one_request_is_answered_and_the_connection_closed() {
    let (told, _guard) = Told::listen();
    let pages = open(Limits::USUAL);
    let said = ask(&pages, b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /again HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    assert!(said.contains("connection: close\r\n") && said.ends_with("\r\n\r\n0 bytes"), "{said}");
    assert_eq!(told.codes(), Vec::<u64>::new());
    pages.stop().await.unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_large_or_none_is_refused_and_told() {
    let (told, _guard) = Told::listen();
    let pages = open(Limits::USUAL);
    let large =
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "y".repeat(Limits::USUAL.head_bytes));
    let many: String = (0..Limits::USUAL.headers + 1).map(|number| format!("x-{number}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\n{many}\r\n");
    for (what, request, status) in [
        ("large", large.as_bytes(), "431"),
        ("many", many.as_bytes(), "431"),
        ("no head", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"),
        ("two lengths", b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx", "400"),
        ("a length and chunks", b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
    ] {
        let said = ask(&pages, request).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {said:?}");
        told.until(9660, "127.0.0.1").await;
    }
    // an endless head is not read on
    let endless = vec![b'y'; 4 * 1024 * 1024];
    let mut stream = connect(&pages).await;
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    assert!(stream.write_all(&endless).await.is_err() || rest(&mut stream).await.contains(" 431 "));
    assert_eq!(told.codes(), [9660], "a flood is one line");
    assert!(ask(&pages, b"GET / HTTP/1.1\r\n\r\n").await.contains("200 OK"));
}

#[tokio::test]
async fn a_head_that_drips_in_and_a_connection_that_is_silent_are_closed() {
    let (told, _guard) = Told::listen();
    let pages = open(short());
    assert_eq!(drip(&pages, b"GET / HTTP/1.1\r\nhost: x\r\n", b"x-a: b\r\n").await, "");
    told.until(9661, "the head of a request did not arrive in time").await;
    assert_eq!(rest(&mut connect(&pages).await).await, "");
    assert!(ask(&pages, b"GET / HTTP/1.1\r\n\r\n").await.contains("200 OK"));
    assert_eq!(told.codes(), [9661]);
}

#[tokio::test]
async fn a_body_that_drips_in_is_not_waited_for() {
    let (told, _guard) = Told::listen();
    let pages = open(short());
    for head in ["content-length: 900", "transfer-encoding: chunked"] {
        let said = drip(&pages, format!("POST / HTTP/1.1\r\n{head}\r\n\r\n").as_bytes(), b"1\r\nx\r\n").await;
        assert!(said.ends_with("\r\n\r\nSlow"), "{head}: {said:?}");
    }
    told.until(9661, "the body did not arrive in time").await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_its_sender_told_so() {
    let (told, _guard) = Told::listen();
    let pages = open(Limits::USUAL);
    let chunk = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    for (what, request) in [
        ("length", format!("POST / HTTP/1.1\r\ncontent-length: 1001\r\n\r\n{}", "x".repeat(1_001))),
        ("chunks", format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n")),
    ] {
        let said = ask(&pages, request.as_bytes()).await;
        assert!(said.ends_with("\r\n\r\nTooLarge"), "{what}: {said:?}");
    }
    let most = format!("POST / HTTP/1.1\r\ncontent-length: 1000\r\n\r\n{}", "x".repeat(1_000));
    assert!(ask(&pages, most.as_bytes()).await.ends_with("\r\n\r\n1000 bytes"));
    told.until(9663, "the body is too large").await;
    // one without end is not read to its end
    let endless = vec![b'x'; 16 * 1024 * 1024];
    let mut stream = connect(&pages).await;
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n").await.unwrap();
    assert!(stream.write_all(&endless).await.is_err(), "all of it was taken");
}

#[tokio::test]
async fn a_peer_gets_no_more_than_its_places_and_gets_them_back() {
    let (told, _guard) = Told::listen();
    let pages = open(Limits { connections: 3, per_peer: 2, ..Limits::USUAL });
    let held = [connect(&pages).await, connect(&pages).await];
    assert_eq!(rest(&mut connect(&pages).await).await, "");
    told.until(9662, "this peer has all that one may have").await;
    drop(held);
    for _ in 0..1_000 {
        if ask(&pages, b"GET / HTTP/1.1\r\n\r\n").await.contains("200 OK") {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("a place that was left is not free");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_holds_no_place_for_ever() {
    let (told, _guard) = Told::listen();
    let pages = open(Limits { connections: 1, whole: Duration::from_millis(300), ..Limits::USUAL });
    let mut stream = connect(&pages).await;
    stream.write_all(b"GET /large HTTP/1.1\r\n\r\n").await.unwrap();
    told.until(9661, "the connection lasted too long").await;
    let said = ask(&pages, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(said.contains("200 OK"), "{said}");
}

#[tokio::test]
async fn the_end_waits_for_nobody_who_is_silent() {
    let pages = open(Limits { shutdown: Duration::from_secs(600), ..Limits::USUAL });
    let mut silent = connect(&pages).await;
    // it is in
    silent.write_all(b"GET / HT").await.unwrap();
    let address = pages.address();
    timeout(Duration::from_secs(60), pages.stop()).await.expect("silent connections are closed").unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}
