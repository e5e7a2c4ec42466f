//! TLS with certificates of both sides, and signed messages: with a test authority that is made at the start.
//!
//! The files that a client needs are written into a folder; the names are the constants here. Answers are signed
//! with the server's certificate. Faults spoil signatures as an attacker or a broken service would.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base::SharedClock;
use jiff::{SignedDuration, Timestamp};
use proto_planner::MESSAGE_BYTES_MAX;
use proto_wsse::{SeenSignatures, Signer, Verifier, WsseError};
use simulator_kit::authority::{Authority, Clients, Issued, Wanted};
use uuid::Uuid;

use crate::answer::Reply;
use crate::{Fault, SimulatorError};

#[cfg(test)]
mod tests;

/// The authority's own certificate: what a client has to trust.
pub const ROOT_FILE: &str = "root.pem";
/// The server's certificate, with which answers are signed: what a client pins.
pub const SERVER_FILE: &str = "server.pem";
/// A client's certificate.
pub const CLIENT_FILE: &str = "client.pem";
/// Its key.
pub const CLIENT_KEY_FILE: &str = "client.key";
/// A client's certificate that is no longer valid; its key is `expired.key`.
pub const EXPIRED_FILE: &str = "expired.pem";
/// A client's certificate of another authority; its key is `stranger.key`.
pub const STRANGER_FILE: &str = "stranger.pem";
/// The serial number in the subject of the clients' certificates.
pub const CLIENT_SERIAL_NUMBER: &str = "CVR:12345678-FID:1";

/// How much the client's clock may differ.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What was made at the start.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) tls: rustls::ServerConfig,
    server: Issued,
    client: Issued,
    stranger: Issued,
}

impl Certificates {
    /// Makes an authority with its certificates and writes what clients need into the folder.
    pub(crate) fn make(folder: &Path) -> Result<Self, SimulatorError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| SimulatorError::Option { option: "tls", reason: error.to_string() })?;
        let (authority, other) = (Authority::new("planner simulator")?, Authority::new("another authority")?);
        let function = || Wanted::client("kommune", CLIENT_SERIAL_NUMBER);
        let server = authority.issue(&Wanted::loopback())?;
        let client = authority.issue(&function())?;
        let stranger = other.issue(&function())?;
        for (issued, name) in [
            (&server, "server"),
            (&client, "client"),
            (&authority.issue(&function().expired())?, "expired"),
            (&stranger, "stranger"),
        ] {
            issued.write(folder, name)?;
        }
        let root = folder.join(ROOT_FILE);
        std::fs::write(&root, authority.root_pem())
            .map_err(|source| simulator_kit::KitError::WriteCertificate { path: root, source })?;
        let tls = server.server_config(Clients::Of(&authority))?;
        Ok(Self { tls, server, client, stranger })
    }
}

/// Signs answers and verifies requests.
#[derive(Debug)]
pub(crate) struct Messages {
    signer: Signer,
    stranger: Signer,
    verifier: Verifier,
    seen: Mutex<SeenSignatures>,
    last: Mutex<Option<String>>,
    clock: SharedClock,
}

impl Messages {
    pub(crate) fn new(certificates: &Certificates, clock: SharedClock) -> Result<Self, SimulatorError> {
        let client = certificates.client.certificate_der()?;
        let verifier = Verifier::new(&[client], TOLERANCE, MESSAGE_BYTES_MAX);
        Ok(Self {
            signer: signer(&certificates.server)?,
            stranger: signer(&certificates.stranger)?,
            verifier: verifier.map_err(SimulatorError::Keys)?,
            seen: Mutex::new(SeenSignatures::default()),
            last: Mutex::new(None),
            clock,
        })
    }

    /// The signed part of a request.
    pub(crate) fn verify(&self, request: &[u8]) -> Result<String, WsseError> {
        let now = self.clock.now();
        let verified = self.verifier.verify(request, now, None)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).admit(&verified, now)?;
        Ok(verified.envelope)
    }

    /// The answer with its signature, or as the fault says. What is no message stays as it is.
    pub(crate) fn seal(&self, reply: Reply, fault: Option<&Fault>) -> Reply {
        let Reply::Message { status, text, spoiled } = reply else { return reply };
        let now = self.clock.now();
        let sealed = match fault {
            Some(Fault::UnsignedAnswer) => None,
            Some(Fault::StrangersSignature) => sign(&self.stranger, &text, now),
            Some(Fault::ExpiredSignature) => sign(&self.signer, &text, now - SignedDuration::from_hours(1)),
            Some(Fault::AlteredAnswer) => sign(&self.signer, &text, now).map(|text| altered(&text)),
            Some(Fault::ReplayedAnswer) => self.last().clone().or_else(|| sign(&self.signer, &text, now)),
            _ => sign(&self.signer, &text, now),
        };
        let text = sealed.unwrap_or(text);
        *self.last() = Some(text.clone());
        Reply::Message { status, text, spoiled }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` for what is no whole message: a fault has cut it.
fn sign(signer: &Signer, text: &str, now: Timestamp) -> Option<String> {
    signer.sign(text, now, Uuid::new_v4()).ok()
}

/// The answer with a blank more at the end of its Body: nothing changes for a reader, all for the signature.
fn altered(text: &str) -> String {
    let close = text.rfind("Body>").and_then(|end| text[..end].rfind("</"));
    close.map_or_else(|| text.to_owned(), |at| format!("{} {}", &text[..at], &text[at..]))
}

fn signer(issued: &Issued) -> Result<Signer, SimulatorError> {
    Signer::new(&issued.certificate_der()?, &issued.key_der()?).map_err(SimulatorError::Keys)
}
