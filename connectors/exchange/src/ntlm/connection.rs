//! One connection, made by hand: HTTP/1.1 over TCP or TLS, one call after another.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, USER_AGENT};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Origin, Url};

use super::{Failure, response_of};
use crate::sending::USER_AGENT_VALUE;

/// What a connection could not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// It was not made.
    #[error("connecting")]
    Connect(#[source] std::io::Error),
    /// It was not made in time.
    #[error("connecting: no connection in time")]
    Timeout,
    /// HTTP did not begin on it.
    #[error("beginning http")]
    Begin(#[source] hyper::Error),
    /// It had been closed; nothing was sent.
    #[error("sending: the connection was closed before")]
    Unsent,
    /// It broke before an answer.
    #[error("sending")]
    Send(#[source] hyper::Error),
    /// It broke within an answer.
    #[error("reading")]
    Body(#[source] reqwest::Error),
}

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Connection {
    origin: Origin,
    sender: SendRequest<Full<Bytes>>,
    /// What a login is bound by; `None` without TLS.
    binding: Option<Vec<u8>>,
}

impl Connection {
    /// Opens one to the server of `url`.
    pub(crate) async fn open(
        url: &Url,
        tls: &Arc<rustls::ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let host = url.host_str().ok_or(Failure::Address)?;
        // an IPv6 address stands in brackets in an address, and without them in a certificate and a socket
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().ok_or(Failure::Address)?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Failure::Address),
        };
        let opening = async {
            let socket = TcpStream::connect((bare.as_str(), port)).await.map_err(Broken::Connect)?;
            // calls are small and waited for
            socket.set_nodelay(true).map_err(Broken::Connect)?;
            if !encrypted {
                return Ok((begin(socket).await?, None));
            }
            let name = ServerName::try_from(bare.clone()).map_err(|_| Failure::Address)?;
            let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, socket);
            let stream = connecting.await.map_err(Broken::Connect)?;
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let binding = certificate.and_then(|one| proto_ntlm::binding::end_point(one));
            Ok::<_, Failure>((begin(stream).await?, binding))
        };
        let opened = tokio::time::timeout(timeout, opening).await.map_err(|_| Broken::Timeout)?;
        let (sender, binding) = opened?;
        Ok(Self { origin: url.origin(), sender, binding })
    }

    /// Is it to the server of this address?
    pub(crate) fn leads_to(&self, url: &Url) -> bool {
        self.origin == url.origin()
    }

    /// What a login over it is bound by.
    pub(crate) fn binding(&self) -> Option<&[u8]> {
        self.binding.as_deref()
    }

    /// Can nothing more be sent on it? Waits until what went before is over.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.sender.ready().await.is_err()
    }

    /// Posts, and returns the answer when its headers are there.
    pub(crate) async fn post(
        &mut self,
        url: &Url,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Response, Broken> {
        let mut request = hyper::Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = hyper::Method::POST;
        // an address has no characters that a request's target cannot have
        *request.uri_mut() = url[url::Position::BeforePath..url::Position::AfterQuery]
            .parse()
            .unwrap_or_else(|_| hyper::Uri::from_static("/"));
        *request.headers_mut() = headers.clone();
        let headers = request.headers_mut();
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        if let Ok(host) = HeaderValue::try_from(host) {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
        // also when there is none: a POST without it is refused by some servers
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response_of(response)),
            Err(mut error) => match error.take_message() {
                Some(_unsent) => Err(Broken::Unsent),
                None => Err(Broken::Send(error.into_error())),
            },
        }
    }
}

/// Begins HTTP; the connection lives as long as somebody sends on it or reads from it.
async fn begin(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>, Broken> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Broken::Begin)?;
    // ends when the sender and the answer's body are gone; what breaks is told to the call that is under way
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
