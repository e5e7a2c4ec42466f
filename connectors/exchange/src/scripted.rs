//! A server for tests that answers what it was told to, in order, and remembers what it was asked. Real
//! sockets, HTTP/1.1, one answer a request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Backoff, SystemClock};
use calendar::MailAddress;
use calendar::ids::AccountId;
use calendar::source::{Affinity, Mailbox};
use proto_ews::{RequestEnvelope, Response, ResponseEnvelope, decode_request, encode_response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::{Exchange, ExchangeOptions};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(crate) fn envelope(&self) -> RequestEnvelope {
        decode_request(self.body.as_bytes(), proto_ews::Limits::standard()).expect("our own request decodes")
    }
}

/// One scripted answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    /// Close the connection in the middle of the body.
    broken: bool,
}

impl Reply {
    pub(crate) fn bytes(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: String::new(), body: body.into(), broken: false }
    }

    pub(crate) fn ok(response: Response) -> Self {
        let envelope = ResponseEnvelope { server_version: None, body: Ok(response) };
        Self::bytes("200 OK", encode_response(&envelope).expect("a test's answer encodes"))
    }

    pub(crate) fn fault(fault: proto_ews::Fault) -> Self {
        let envelope = ResponseEnvelope { server_version: None, body: Err(fault) };
        let body = encode_response(&envelope).expect("a test's fault encodes");
        Self::bytes("500 Internal Server Error", body)
    }

    pub(crate) fn header(mut self, line: &str) -> Self {
        self.headers.push_str(line);
        self.headers.push_str("\r\n");
        self
    }

    pub(crate) fn broken(mut self) -> Self {
        self.broken = true;
        self
    }
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
}

/// What is spoken over: a socket, or TLS on one.
trait Wire: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Wire for S {}

/// The server.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) url: Url,
    state: Arc<Mutex<State>>,
}

impl Scripted {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { replies: replies.into_iter().collect(), asked: Vec::new() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _ = serve(socket, shared).await;
                });
            }
        });
        Self { url: Url::parse(&url).unwrap(), state }
    }

    /// The same with TLS. The certificate that it can be trusted by is written to `root`.
    pub(crate) async fn start_with_tls(
        replies: impl IntoIterator<Item = Reply>,
        root: &std::path::Path,
    ) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(root, certificate.pem()).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/autodiscover/autodiscover.svc", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { replies: replies.into_iter().collect(), asked: Vec::new() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(socket) = acceptor.accept(socket).await {
                        let _ = serve(socket, shared).await;
                    }
                });
            }
        });
        Self { url: Url::parse(&url).unwrap(), state }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn mailbox(&self, address: &str) -> Mailbox {
        Mailbox {
            address: MailAddress::parse(address).unwrap(),
            endpoint: self.url.to_string(),
            account: None,
        }
    }

    pub(crate) fn affinity(&self, anchor: &str, cookie: Option<&str>) -> Affinity {
        Affinity {
            endpoint: self.url.to_string(),
            account: AccountId::DEFAULT,
            anchor: MailAddress::parse(anchor).unwrap(),
            cookie: cookie.map(str::to_owned),
        }
    }

    pub(crate) fn options(&self) -> ExchangeOptions {
        let mut options = ExchangeOptions::new("svc", "pässword:1".to_owned().into());
        options.service_url = Some(self.url.clone());
        options.request_timeout = Duration::from_secs(10);
        options.back_off = Backoff::doubling(Duration::from_millis(20), Duration::from_millis(200));
        options
    }

    pub(crate) fn exchange(&self) -> Exchange {
        self.exchange_with(self.options())
    }

    pub(crate) fn exchange_with(&self, options: ExchangeOptions) -> Exchange {
        Exchange::new(options, SystemClock::shared()).unwrap()
    }
}

async fn serve(mut socket: impl Wire, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some(asked) = read_request(&mut socket, &mut buffer).await? else { return Ok(()) };
        let reply = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked);
            state.replies.pop_front()
        };
        // a request that the script does not know gets no answer at all
        let Some(reply) = reply else { return Ok(()) };
        let length = reply.body.len() + if reply.broken { 100 } else { 0 };
        let head = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\n{}\r\n", reply.status, reply.headers);
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(&reply.body).await?;
        if reply.broken {
            return Ok(());
        }
    }
}

async fn read_request(socket: &mut impl Wire, buffer: &mut Vec<u8>) -> std::io::Result<Option<Asked>> {
    loop {
        let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length: usize = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                buffer.drain(..end + 4 + length);
                return Ok(Some(Asked { head, body }));
            }
        }
        let mut piece = [0; 8_192];
        match socket.read(&mut piece).await? {
            0 => return Ok(None),
            n => buffer.extend_from_slice(&piece[..n]),
        }
    }
}
