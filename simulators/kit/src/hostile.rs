//! Servers that mean their client no good, on a port of this machine: one that answers a TLS handshake with a version
//! that nobody may speak any more, and one whose answer has a head that does not end.
//!
//! **Responsibility.** Does its one wrong to each client that comes and tells what the client did about it ([`Met`]). It
//! knows no protocol beyond that: a client that goes on is left alone until it closes.
//!
//! **Limits.** A head "without end" ends at [`HEAD_BYTES_MAX`], so that a test of a client that swallows everything
//! fails and does not fill the memory; a client's request is read up to [`REQUEST_BYTES_MAX`].

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[cfg(test)]
mod tests;

/// What the longest head comes to.
pub const HEAD_BYTES_MAX: usize = 32 << 20;
/// What is read of a client at most.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Clients that are remembered until somebody asks for them; those that come beyond are served and forgotten.
pub const CLIENTS_MAX: usize = 1_024;

/// TLS 1.1, as it stands in a handshake.
pub const TLS_1_1: [u8; 2] = [3, 2];
/// TLS 1.0.
pub const TLS_1_0: [u8; 2] = [3, 1];
/// SSL 3.0.
pub const SSL_3_0: [u8; 2] = [3, 0];

/// What is done to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Its handshake is answered with this version of TLS.
    OldTls([u8; 2]),
    /// Its request is answered with headers without number, each of a usual size.
    HeadersWithoutNumber,
    /// Its request is answered with one header without end.
    HeaderWithoutEnd,
}

/// What a client said and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// The versions of TLS that it offered, if it began a handshake.
    pub offered: Vec<[u8; 2]>,
    /// What it said to the old version, until it closed. An alert is `21, version, 0, 2, level, description`.
    pub answered: Vec<u8>,
    /// How many bytes of the head could be written before it closed.
    pub taken: usize,
}

impl Met {
    /// The alert that it sent, if it sent one: 70 says that the version of the protocol is refused.
    pub fn alert(&self) -> Option<u8> {
        match self.answered[..] {
            [21, _, _, 0, 2, _, description] => Some(description),
            _ => None,
        }
    }
}

/// The server. Ends with its value.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    met: mpsc::Receiver<Met>,
    server: JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Hostile {
    /// Starts on a free port of this machine.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(wrong: Wrong) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (tell, met) = mpsc::channel(CLIENTS_MAX);
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let tell = tell.clone();
                tokio::spawn(async move {
                    // who closes in the middle has been met no less
                    let mut met = Met::default();
                    let _closed = serve(socket, wrong, &mut met).await;
                    // who asks for none of so many wants no more
                    let _nobody_asks = tell.try_send(met);
                });
            }
        });
        Ok(Self { address, met, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a client that has not been told yet has closed, and tells it.
    pub async fn met(&mut self) -> Met {
        let met = self.met.recv().await;
        met.expect("the server lives as long as its value and holds a sender")
    }
}

async fn serve(mut socket: TcpStream, wrong: Wrong, met: &mut Met) -> io::Result<()> {
    match wrong {
        Wrong::OldTls(version) => {
            let mut head = [0; 5];
            socket.read_exact(&mut head).await?;
            let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            socket.read_exact(&mut hello).await?;
            met.offered = versions(&hello).unwrap_or_default();
            socket.write_all(&server_hello(version)).await?;
            let mut socket = socket.take(REQUEST_BYTES_MAX as u64);
            socket.read_to_end(&mut met.answered).await?;
            Ok(())
        }
        Wrong::HeadersWithoutNumber | Wrong::HeaderWithoutEnd => {
            until_asked(&mut socket).await?;
            socket.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            let piece = match wrong {
                Wrong::HeaderWithoutEnd => {
                    socket.write_all(b"X-Head: ").await?;
                    "x".repeat(8_192)
                }
                _ => "X-Head: of a usual size\r\n".repeat(300),
            };
            while met.taken < HEAD_BYTES_MAX {
                socket.write_all(piece.as_bytes()).await?;
                met.taken += piece.len();
            }
            Ok(())
        }
    }
}

/// Reads until the head of a request is there.
async fn until_asked(socket: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if request.len() > REQUEST_BYTES_MAX || socket.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// A ServerHello of this version and nothing after it, in its record.
fn server_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression
    hello.extend([0, 0, 0x2f, 0]);
    let length = u8::try_from(hello.len()).expect("it is 38 bytes long");
    let mut record = vec![22, version[0], version[1], 0, length + 4, 2, 0, 0, length];
    record.extend(hello);
    record
}

/// The versions that a ClientHello offers: those of its extension, or else its own.
fn versions(hello: &[u8]) -> Option<Vec<[u8; 2]>> {
    const SUPPORTED_VERSIONS: usize = 43;
    let mut rest = Bytes(hello);
    rest.take(4)?;
    let own = rest.take(2)?;
    rest.take(32)?;
    rest.block(1)?; // session
    rest.block(2)?; // suites
    rest.block(1)?; // compression
    let mut extensions = Bytes(rest.block(2)?);
    while let Some(kind) = extensions.number(2) {
        let content = extensions.block(2)?;
        if kind == SUPPORTED_VERSIONS {
            let versions = Bytes(content).block(1)?;
            return Some(versions.chunks_exact(2).map(|version| [version[0], version[1]]).collect());
        }
    }
    Some(vec![[own[0], own[1]]])
}

/// Bytes that are read from their beginning.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// What follows its length of so many bytes.
    fn block(&mut self, bytes: usize) -> Option<&'b [u8]> {
        let length = self.number(bytes)?;
        self.take(length)
    }
}
