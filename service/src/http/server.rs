//! A listener of the service: connections in, calls to whoever answers them, answers out.
//!
//! Protocol: HTTP/1.1, over TLS where [`Door::tls`] is given, one request a connection. That one is answered and the
//! connection closed is what keeps the deadlines simple: [`Limits`] says how long each part may take and
//! how large it may be, and a connection that has outlived [`Limits::whole`] is gone, whoever holds it. Whoever
//! scrapes or probes comes every few seconds and can connect anew.
//!
//! Each listener has a thread of its own, so that neither a busy product nor a flood on another listener starves it.
//!
//! Failure: what is refused is told by an event (9660 to 9665) with the peer's address, at most one of a kind every 10 s,
//! with how many there were. A listener that cannot accept any more ends, which fails its child.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{SharedClock, SystemClock};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trust::{CertificateFacts, LiveServerTls};

use super::limits::{Attack, Crowd, Full as NoRoom, Limits, Peer, Teller};
use crate::ServiceError;

#[cfg(test)]
mod tests;

/// Failures to accept in a row, a pause after each, after which the listener gives up.
const ACCEPT_FAILURES_MAX: u32 = 50;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Of a body that is too large so much is still read, so that whoever sends it gets to the answer.
const DRAINED_MAX: usize = 256 * 1024;

/// What is answered.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Where and how a listener listens.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// What it serves, for logs.
    pub(crate) what: &'static str,
    /// The setting that says where, for errors.
    pub(crate) setting: &'static str,
    /// The address; port 0 picks a free one.
    pub(crate) listen: SocketAddr,
    /// TLS, where it is spoken.
    pub(crate) tls: Option<LiveServerTls>,
    /// What it bears.
    pub(crate) limits: Limits,
}

/// Who answers calls.
pub(crate) trait Answers: Send + Sync + 'static {
    /// The answer to one call.
    fn answer(&self, call: Call) -> impl Future<Output = Answer> + Send;
}

/// A call: its head is there, its body still comes.
pub(crate) struct Call {
    head: Parts,
    body: Incoming,
    /// Who calls.
    pub(crate) peer: Peer,
    /// The certificate that the caller has shown and that was verified.
    pub(crate) client: Option<CertificateFacts>,
    patience: Duration,
    reporter: Arc<Reporter>,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// It is larger than it may be.
    TooLarge,
    /// It did not arrive in time.
    Slow,
    /// The connection broke.
    Broken,
}

impl Call {
    pub(crate) fn method(&self) -> &Method {
        &self.head.method
    }

    pub(crate) fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// A header, if it is there once and is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.head.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    /// Tells of an attack by this caller.
    pub(crate) fn refused(&self, attack: Attack, detail: &str) {
        self.reporter.refused(attack, self.peer, detail);
    }

    /// The body, of at most `max` bytes.
    pub(crate) async fn body(&mut self, max: usize) -> Result<Bytes, NoBody> {
        let read = timeout(self.patience, read(&mut self.body, max)).await;
        let outcome = read.unwrap_or(Err(NoBody::Slow));
        match outcome {
            Err(NoBody::TooLarge) => self.refused(Attack::Body, "the body is too large"),
            Err(NoBody::Slow) => self.refused(Attack::Slow, "the body did not arrive in time"),
            Ok(_) | Err(NoBody::Broken) => {}
        }
        outcome
    }

    /// Reads the body away, as far as it is bearable, so that a caller who is refused gets to the answer.
    pub(crate) async fn drain(&mut self) {
        let _ = timeout(self.patience, read(&mut self.body, 0)).await;
    }
}

async fn read(body: &mut Incoming, max: usize) -> Result<Bytes, NoBody> {
    let (mut kept, mut all) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_broken| NoBody::Broken)?.into_data() else { continue };
        all = all.saturating_add(data.len());
        if all <= max {
            kept.extend_from_slice(&data);
        } else if all > max.saturating_add(DRAINED_MAX) {
            break;
        }
    }
    if all > max { Err(NoBody::TooLarge) } else { Ok(kept.into()) }
}

/// An answer of bytes that nobody is to keep.
pub(crate) fn plain(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    answer
}

/// The same in JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(text) => plain(status, "application/json", text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "an answer was not encoded");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "application/json", Bytes::new())
        }
    }
}

/// Tells of what is refused.
#[derive(Debug)]
struct Reporter {
    setting: &'static str,
    clock: SharedClock,
    teller: Mutex<Teller>,
}

impl Reporter {
    fn refused(&self, attack: Attack, peer: Peer, detail: &str) {
        let now = self.clock.monotonic();
        let told = self.teller.lock().unwrap_or_else(PoisonError::into_inner).observe(attack, now);
        let Some(count) = told else { return };
        let code = attack.code();
        tracing::warn!(event_id = code.id, listener = self.setting, %peer, count, detail, "{}", code.meaning);
    }
}

/// A listener at work. Dropping it ends it.
#[derive(Debug)]
pub struct Pages {
    address: SocketAddr,
    what: &'static str,
    scheme: &'static str,
    stop: CancellationToken,
    served: oneshot::Receiver<io::Result<()>>,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Pages {
    /// The address with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The line that says on standard output that the listener is open:
    /// `kommuneklient listening on http://127.0.0.1:PORT`.
    pub fn ready_line(&self) -> String {
        format!("kommuneklient {} {}://{}", self.what, self.scheme, self.address)
    }

    /// Waits until it ends, which only a failure or [`Pages::stop`] brings. Cancel-safe; not to be
    /// asked again after its answer.
    ///
    /// # Errors
    /// [`ServiceError::Pages`] when it failed.
    pub async fn ended(&mut self) -> Result<(), ServiceError> {
        let outcome = (&mut self.served).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        outcome.map_err(|source| ServiceError::Pages { address: self.address, source })
    }

    /// Ends it; requests in progress have 2 s.
    ///
    /// # Errors
    /// [`ServiceError::Pages`] when it had failed.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        self.stop.cancel();
        self.ended().await
    }
}

/// Opens a listener with a thread of its own.
///
/// # Errors
/// [`ServiceError::Listen`] when the address cannot be had.
pub(crate) fn serve(door: &Door, answers: impl Answers) -> Result<Pages, ServiceError> {
    let failed = |source| ServiceError::Listen { setting: door.setting, address: door.listen, source };
    let listener = TcpListener::bind(door.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let reporter = Reporter { setting: door.setting, clock: SystemClock::shared(), teller: Mutex::default() };
    let shared = Arc::new(Shared {
        answers,
        limits: door.limits,
        acceptor: door.tls.as_ref().map(acceptor),
        crowd: Arc::default(),
        reporter: Arc::new(reporter),
        stop: CancellationToken::new(),
    });
    let stop = shared.stop.clone();
    let (told, served) = oneshot::channel();
    // what the thread tells goes where its opener's events go
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let work = move || {
        let outcome = tracing::dispatcher::with_default(&dispatch, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(accept(listener, shared))
        });
        // nobody may be waiting any more
        let _ = told.send(outcome);
    };
    std::thread::Builder::new().name(door.setting.to_owned()).spawn(work).map_err(failed)?;
    tracing::info!(%address, listener = door.setting, "listening");
    let scheme = if door.tls.is_some() { "https" } else { "http" };
    Ok(Pages { address, what: door.what, scheme, stop, served })
}

/// TLS with HTTP/1.1 alone: no other protocol is spoken behind it.
fn acceptor(tls: &LiveServerTls) -> TlsAcceptor {
    let mut config = tls.server_config();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

struct Shared<A> {
    answers: A,
    limits: Limits,
    acceptor: Option<TlsAcceptor>,
    crowd: Arc<Mutex<Crowd>>,
    reporter: Arc<Reporter>,
    stop: CancellationToken,
}

/// A place among those who are in; left when it is dropped.
struct Seat {
    crowd: Arc<Mutex<Crowd>>,
    peer: Peer,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner).leave(self.peer);
    }
}

/// Lets connections in until the end.
async fn accept<A: Answers>(listener: TcpListener, shared: Arc<Shared<A>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = TaskTracker::new();
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                failures = 0;
                if let Some(seat) = shared.seat(from.ip().into()) {
                    connections.spawn(Arc::clone(&shared).connection(stream, seat));
                }
            }
            // of the one connection, and not of the listener
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                failures += 1;
                if failures >= ACCEPT_FAILURES_MAX {
                    return Err(error);
                }
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let _ = timeout(shared.limits.shutdown, connections.wait()).await;
    Ok(())
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionAborted | K::ConnectionReset | K::BrokenPipe | K::UnexpectedEof | K::NotConnected
    )
}

impl<A: Answers> Shared<A> {
    fn refused(&self, attack: Attack, peer: Peer, detail: &str) {
        self.reporter.refused(attack, peer, detail);
    }

    fn seat(&self, peer: Peer) -> Option<Seat> {
        let entered = self.crowd.lock().unwrap_or_else(PoisonError::into_inner).enter(peer, &self.limits);
        match entered {
            Ok(()) => return Some(Seat { crowd: Arc::clone(&self.crowd), peer }),
            Err(NoRoom::All) => self.refused(Attack::Full, peer, "all places are taken"),
            Err(NoRoom::Peer) => self.refused(Attack::Full, peer, "this peer has all that one may have"),
        }
        None
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, seat: Seat) {
        let peer = seat.peer;
        if timeout(self.limits.whole, self.secure(stream, peer)).await.is_err() {
            self.refused(Attack::Slow, peer, "the connection lasted too long");
        }
    }

    /// TLS, where it is spoken.
    async fn secure(&self, stream: TcpStream, peer: Peer) {
        let Some(acceptor) = &self.acceptor else { return self.exchange(stream, peer, None).await };
        let accepted = tokio::select! {
            accepted = timeout(self.limits.handshake, acceptor.accept(stream)) => accepted,
            () = self.stop.cancelled() => return,
        };
        match accepted {
            Err(_elapsed) => self.refused(Attack::Slow, peer, "the TLS handshake was not done in time"),
            // somebody looked whether the port is open
            Ok(Err(error)) if is_of_peer(&error) => {}
            Ok(Err(error)) => self.refused(Attack::Handshake, peer, &error.to_string()),
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let client = shown.and_then(|certificate| CertificateFacts::of(certificate));
                self.exchange(stream, peer, client).await;
            }
        }
    }

    /// One request and its answer.
    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: Peer,
        client: Option<CertificateFacts>,
    ) {
        let answer = service_fn(|request: Request<Incoming>| {
            let (head, body) = request.into_parts();
            let (patience, reporter) = (self.limits.body, Arc::clone(&self.reporter));
            let call = Call { head, body, peer, client: client.clone(), patience, reporter };
            async move { Ok::<_, Infallible>(self.answers.answer(call).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_header_size(self.limits.head_bytes)
            .max_headers(self.limits.headers)
            .max_buf_size(self.limits.head_bytes.max(8 * 1024))
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        match outcome {
            Ok(()) => {}
            Err(error) if error.is_timeout() => {
                self.refused(Attack::Slow, peer, "the head of a request did not arrive in time");
            }
            Err(error) if error.is_parse() => self.refused(Attack::Head, peer, &error.to_string()),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke"),
        }
    }
}
