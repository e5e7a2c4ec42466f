//! Whole envelopes.

use proto_soap::Limits;

use crate::{Error, Fault, Request, Response};

/// A request with its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnvelope {
    /// `RequestServerVersion`: `Exchange2013_SP1`, `Exchange2016` …
    pub server_version: Option<String>,
    /// On whose behalf.
    pub impersonation: Option<Impersonation>,
    /// `TimeZoneContext`: Windows name of the zone in which the server shall answer; UTC when absent.
    pub time_zone_context: Option<String>,
    /// The operation.
    pub request: Request,
}

/// `ExchangeImpersonation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impersonation {
    /// UPN.
    PrincipalName(String),
    /// SID.
    Sid(String),
    /// The primary address.
    PrimarySmtpAddress(String),
    /// Any address.
    SmtpAddress(String),
}

impl Impersonation {
    /// The name or address, whatever its form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::PrincipalName(name)
            | Self::Sid(name)
            | Self::PrimarySmtpAddress(name)
            | Self::SmtpAddress(name) => name,
        }
    }
}

/// An answer with its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseEnvelope {
    /// The server's version; absent in most faults (field note 20).
    pub server_version: Option<ServerVersion>,
    /// The answer, or the fault.
    pub body: Result<Response, Fault>,
}

/// `ServerVersionInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerVersion {
    /// 15 since 2013.
    pub major: u32,
    /// 0: 2013, 1: 2016, 2: 2019 and SE, 20: Online.
    pub minor: u32,
    /// Build.
    pub major_build: u32,
    /// Part of the build.
    pub minor_build: u32,
    /// Schema version, free text (field note 16); absent in 2007.
    pub version: Option<String>,
}

/// Writes a request with an XML declaration, as UTF-8.
pub fn encode_request(envelope: &RequestEnvelope) -> Result<String, Error> {
    let _ = envelope;
    Err(Error::Unsupported { what: "encoding, until the next commit" })
}

/// Reads a request.
pub fn decode_request(message: &[u8], limits: Limits) -> Result<RequestEnvelope, Error> {
    let _ = (message, limits);
    Err(Error::Unsupported { what: "decoding, until the next commit" })
}

/// Writes an answer: in the streaming form (unprefixed `Envelope`, no XML declaration) for
/// [`Response::GetStreamingEvents`], else with a declaration.
pub fn encode_response(envelope: &ResponseEnvelope) -> Result<String, Error> {
    let _ = envelope;
    Err(Error::Unsupported { what: "encoding, until the next commit" })
}

/// Reads an answer or a fault, whatever HTTP status it came with.
pub fn decode_response(message: &[u8], limits: Limits) -> Result<ResponseEnvelope, Error> {
    let _ = (message, limits);
    Err(Error::Unsupported { what: "decoding, until the next commit" })
}
