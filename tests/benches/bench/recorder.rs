//! A door before an HTTP server that keeps every request, so that exactly the same can be sent again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A request as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The path.
    pub(crate) path: String,
    /// All headers but those of the connection.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The bytes that one connection sent.
type Sent = Arc<Mutex<Vec<u8>>>;

/// The door.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    connections: Arc<Mutex<Vec<Sent>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Recorder {
    /// A door before `server`.
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connections: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let kept = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let sent = Sent::default();
                kept.lock().expect("nobody panics with the list").push(Arc::clone(&sent));
                tokio::spawn(pass(client, server, sent));
            }
        });
        Self { address, connections, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Everything that was sent so far, connection by connection.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let connections = self.connections.lock().expect("nobody panics with the list");
        connections
            .iter()
            .flat_map(|sent| parse(&sent.lock().expect("nobody panics with the bytes")))
            .collect()
    }
}

async fn pass(client: TcpStream, server: SocketAddr, sent: Sent) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return to_server.shutdown().await;
            }
            sent.lock().expect("nobody panics with the bytes").extend_from_slice(&buffer[..read]);
            to_server.write_all(&buffer[..read]).await?;
        }
    };
    tokio::try_join!(there, tokio::io::copy(&mut from_server, &mut to_client)).map(drop)
}

/// HTTP/1.1 requests with a content length, one after the other, as our client writes them.
fn parse(mut bytes: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = std::str::from_utf8(&bytes[..end]).expect("headers are text");
        let mut lines = head.split("\r\n");
        let path = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a request line").to_owned();
        let mut headers = HeaderMap::new();
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.parse().expect("a content length is a number"),
                "host" | "connection" => {}
                name => {
                    let name = HeaderName::from_bytes(name.as_bytes()).expect("a name that was sent");
                    headers.append(name, HeaderValue::from_str(value).expect("a value that was sent"));
                }
            }
        }
        let body = bytes.get(end + 4..end + 4 + length).expect("the body was sent whole").to_vec();
        bytes = &bytes[end + 4 + length..];
        requests.push(Request { path, headers, body });
    }
    requests
}
