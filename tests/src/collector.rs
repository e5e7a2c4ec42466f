//! A collector of traces that keeps what arrives, byte for byte: to prove what is *not* in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest message that is taken.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An OTLP receiver over HTTP. Texts stand in protobuf as they are, so they can be searched for.
#[derive(Debug)]
pub struct Collector {
    /// For `telemetry.otlp_endpoint`.
    pub url: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// Starts one on a free port; it ends with the process.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(connection, &kept));
            }
        });
        Self { url: format!("http://{address}"), received }
    }

    /// Does this text stand anywhere in what arrived?
    pub fn holds(&self, text: &str) -> bool {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Takes messages until the client leaves.
fn serve(connection: TcpStream, kept: &Mutex<Vec<u8>>) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut connection = connection;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_ascii_lowercase();
        assert!(!head.contains("content-encoding"), "compressed messages cannot be searched: {head}");
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
        assert!(length <= MESSAGE_BYTES_MAX, "a message of {length} bytes");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&body);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}
