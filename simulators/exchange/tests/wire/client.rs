//! A client of raw sockets: sees status line, head and chunks as they are on the wire.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto_ews::{
    Impersonation, Limits, Request, RequestEnvelope, Response, ResponseEnvelope, StreamMessage,
    decode_response, encode_request,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// How long anything may take; a test that fails says what it waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Who asks, and with which head.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) acting: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// An answer with its head.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn envelope(&self) -> ResponseEnvelope {
        decode_response(&self.body, Limits::standard()).unwrap_or_else(|e| panic!("{e:?}: {}", self.text()))
    }

    pub(crate) fn response(&self) -> Response {
        self.envelope().body.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    pub(crate) fn fault_code(&self) -> String {
        match self.envelope().body {
            Err(fault) => fault.code.to_string(),
            Ok(response) => panic!("no fault but {response:?}"),
        }
    }
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            address: url.trim_start_matches("http://").to_owned(),
            user: "svc".into(),
            password: "pw".into(),
            acting: Some("m0001@sim.test".into()),
            headers: Vec::new(),
        }
    }

    pub(crate) fn acting(mut self, address: &str) -> Self {
        self.acting = Some(address.into());
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn message(&self, request: Request) -> String {
        let envelope = RequestEnvelope {
            server_version: Some("Exchange2016".into()),
            impersonation: self.acting.clone().map(Impersonation::SmtpAddress),
            time_zone_context: None,
            request,
        };
        encode_request(&envelope).unwrap()
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> (BufReader<TcpStream>, Answer) {
        let mut connection = TcpStream::connect(&self.address).await.unwrap();
        let credentials = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {credentials}\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n",
            self.address,
            if path.starts_with("/admin") { "application/json" } else { "text/xml; charset=utf-8" },
            body.len()
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        connection.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        let mut connection = BufReader::new(connection);
        let mut answer = Answer { status: 0, headers: Vec::new(), body: Vec::new() };
        let status = line(&mut connection).await.unwrap_or_default();
        answer.status = status.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        while let Some(header) = line(&mut connection).await.filter(|header| !header.is_empty()) {
            let (name, value) = header.split_once(':').unwrap();
            answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        (connection, answer)
    }

    /// Any request; `None` for a connection that is cut before the end of the answer.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let asked = async {
            let (mut connection, mut answer) = self.send(method, path, body).await;
            match answer.header("content-length").map(|text| text.parse::<usize>().unwrap()) {
                Some(length) => {
                    answer.body = vec![0; length];
                    connection.read_exact(&mut answer.body).await.ok()?;
                }
                None => {
                    let mut chunks = Chunks { connection };
                    while let Some(chunk) = chunks.next().await? {
                        answer.body.extend(chunk);
                    }
                }
            }
            Some(answer)
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("no answer from {path}"))
    }

    /// A SOAP request.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        let message = self.message(request);
        self.raw("POST", "/EWS/Exchange.asmx", &message).await.expect("a whole answer")
    }

    /// A SOAP request whose connection may be cut.
    pub(crate) async fn try_ask(&self, request: Request) -> Option<Answer> {
        let message = self.message(request);
        self.raw("POST", "/EWS/Exchange.asmx", &message).await
    }

    /// A SOAP request whose answer is a stream.
    pub(crate) async fn open(&self, request: Request) -> (Answer, Chunks) {
        let message = self.message(request);
        let asked = self.send("POST", "/EWS/Exchange.asmx", &message);
        let (connection, answer) = tokio::time::timeout(PATIENCE, asked).await.expect("a stream opens");
        (answer, Chunks { connection })
    }

    /// An admin request with a JSON answer.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let answer = self.raw(method, path, body).await.expect("a whole answer");
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }
}

async fn line(connection: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = Vec::new();
    loop {
        match connection.read_u8().await.ok()? {
            b'\n' => break,
            byte => text.push(byte),
        }
    }
    Some(String::from_utf8(text).unwrap().trim_end_matches('\r').to_owned())
}

/// The chunks of a body.
#[derive(Debug)]
pub(crate) struct Chunks {
    connection: BufReader<TcpStream>,
}

impl Chunks {
    /// The next chunk as it is on the wire; `Some(None)` at the end of the body, `None` for a cut connection.
    pub(crate) async fn next(&mut self) -> Option<Option<Vec<u8>>> {
        let length = usize::from_str_radix(line(&mut self.connection).await?.trim(), 16).ok()?;
        let mut chunk = vec![0; length];
        self.connection.read_exact(&mut chunk).await.ok()?;
        line(&mut self.connection).await?;
        Some((length > 0).then_some(chunk))
    }

    /// The next envelope of a stream, which is one chunk; waits for it.
    pub(crate) async fn envelope(&mut self) -> Next {
        let next = tokio::time::timeout(PATIENCE, self.next()).await.expect("the stream says something");
        match next {
            None => Next::Cut,
            Some(None) => Next::End,
            Some(Some(chunk)) => {
                let text = String::from_utf8(chunk).unwrap();
                let envelope = decode_response(text.as_bytes(), Limits::standard()).unwrap();
                let Ok(Response::GetStreamingEvents(mut messages)) = envelope.body else { panic!("{text}") };
                assert_eq!(messages.len(), 1);
                Next::Message(Box::new(messages.remove(0)), text)
            }
        }
    }

    /// The next envelope's message.
    pub(crate) async fn message(&mut self) -> StreamMessage {
        match self.envelope().await {
            Next::Message(message, _) => *message,
            other => panic!("no message but {other:?}"),
        }
    }
}

/// What comes next on a stream.
#[derive(Debug)]
pub(crate) enum Next {
    Message(Box<StreamMessage>, String),
    End,
    Cut,
}

/// Waits until `condition` gives something; `status` says what it was like when it did not.
pub(crate) async fn wait_for<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut status = String::new();
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            match condition().await {
                Ok(found) => return found,
                Err(now) => status = now,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    match waited.await {
        Ok(found) => found,
        Err(_) => panic!("waited for {what}: {status}"),
    }
}
