//! Whole envelopes.

use proto_soap::{Body, Element, EnvelopeWriter, FaultCode, Limits, Reader, SOAP_NS, Writer, read_envelope};

use crate::wire::write_attribute;
use crate::{ERRORS_NS, Error, Fault, MESSAGES_NS, MessageXml, Request, Response, ResponseCode, TYPES_NS};

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
    let writer = EnvelopeWriter {
        declaration: true,
        namespaces: &[("m", MESSAGES_NS), ("t", TYPES_NS)],
        limit: Writer::STANDARD_LIMIT,
    };
    let message = writer.write(|w| envelope.write_header(w), |w| envelope.request.write(w))?;
    Ok(message)
}

/// Reads a request.
pub fn decode_request(message: &[u8], limits: Limits) -> Result<RequestEnvelope, Error> {
    let (mut server_version, mut impersonation, mut time_zone_context) = (None, None, None);
    let body = read_envelope(
        message,
        limits,
        |reader, block| {
            match block.name() {
                (TYPES_NS, "RequestServerVersion") => {
                    server_version = block.attribute("Version").map(str::to_owned);
                }
                (TYPES_NS, "ExchangeImpersonation") => impersonation = Impersonation::read(reader, block)?,
                (TYPES_NS, "TimeZoneContext") => time_zone_context = read_zone(reader, block)?,
                _ => {}
            }
            Ok(())
        },
        Request::read,
    )?;
    match body {
        Body::Content(request) => {
            Ok(RequestEnvelope { server_version, impersonation, time_zone_context, request })
        }
        Body::Fault(_) => Err(Error::unknown_operation("Fault")),
    }
}

/// Writes an answer: in the streaming form (unprefixed `Envelope`, no XML declaration) for
/// [`Response::GetStreamingEvents`], else with a declaration.
pub fn encode_response(envelope: &ResponseEnvelope) -> Result<String, Error> {
    let body = match &envelope.body {
        Ok(Response::GetStreamingEvents(_)) => return encode_stream(envelope),
        body => body,
    };
    let writer = EnvelopeWriter { declaration: true, namespaces: &[], limit: Writer::STANDARD_LIMIT };
    let header = |w: &mut Writer| {
        if let Some(version) = &envelope.server_version {
            version.write(w, "h:ServerVersionInfo", "xmlns:h");
        }
    };
    let message = writer.write(header, |w| match body {
        Ok(response) => response.write(w),
        Err(fault) => fault.write(w),
    })?;
    Ok(message)
}

/// The form of streaming answers: clients search for `<Envelope` (reference section 3).
fn encode_stream(envelope: &ResponseEnvelope) -> Result<String, Error> {
    let mut writer = Writer::new(Writer::STANDARD_LIMIT);
    writer.element("Envelope", |w| {
        w.attribute("xmlns", SOAP_NS);
        if let Some(version) = &envelope.server_version {
            w.element("soap11:Header", |w| {
                w.attribute("xmlns:soap11", SOAP_NS);
                version.write(w, "ServerVersionInfo", "xmlns");
            });
        }
        w.element("soap11:Body", |w| {
            w.attribute("xmlns:soap11", SOAP_NS);
            if let Ok(response) = &envelope.body {
                response.write(w);
            }
        });
    });
    Ok(writer.finish()?)
}

/// Reads an answer or a fault, whatever HTTP status it came with.
pub fn decode_response(message: &[u8], limits: Limits) -> Result<ResponseEnvelope, Error> {
    let mut server_version = None;
    let body = read_envelope(
        message,
        limits,
        |_, block| {
            if block.is(TYPES_NS, "ServerVersionInfo") {
                server_version = Some(ServerVersion::read(block)?);
            }
            Ok(())
        },
        Response::read,
    )?;
    let body = match body {
        Body::Content(response) => Ok(response),
        Body::Fault(fault) => Err(Fault::from_soap(&fault)),
    };
    Ok(ResponseEnvelope { server_version, body })
}

impl RequestEnvelope {
    fn write_header(&self, writer: &mut Writer) {
        if let Some(version) = &self.server_version {
            writer.element("t:RequestServerVersion", |w| w.attribute("Version", version));
        }
        if let Some(impersonation) = &self.impersonation {
            writer.element("t:ExchangeImpersonation", |w| {
                w.element("t:ConnectingSID", |w| w.leaf(impersonation.element(), impersonation.as_str()));
            });
        }
        if let Some(zone) = &self.time_zone_context {
            writer.element("t:TimeZoneContext", |w| {
                w.element("t:TimeZoneDefinition", |w| w.attribute("Id", zone));
            });
        }
    }
}

impl Impersonation {
    const fn element(&self) -> &'static str {
        match self {
            Self::PrincipalName(_) => "t:PrincipalName",
            Self::Sid(_) => "t:SID",
            Self::PrimarySmtpAddress(_) => "t:PrimarySmtpAddress",
            Self::SmtpAddress(_) => "t:SmtpAddress",
        }
    }

    fn read(reader: &mut Reader<'_>, block: &Element<'_>) -> Result<Option<Self>, Error> {
        let mut found = None;
        reader.children(block, |reader, sid| {
            if !sid.is(TYPES_NS, "ConnectingSID") {
                return Ok(());
            }
            reader.children(sid, |reader, child| {
                let form = match child.name() {
                    (TYPES_NS, "PrincipalName") => Self::PrincipalName,
                    (TYPES_NS, "SID") => Self::Sid,
                    (TYPES_NS, "PrimarySmtpAddress") => Self::PrimarySmtpAddress,
                    (TYPES_NS, "SmtpAddress") => Self::SmtpAddress,
                    _ => return Ok(()),
                };
                found = Some(form(reader.text(child)?.trim().to_owned()));
                Ok::<_, Error>(())
            })
        })?;
        Ok(found)
    }
}

/// The zone's identifier in a `TimeZoneContext`.
fn read_zone(reader: &mut Reader<'_>, block: &Element<'_>) -> Result<Option<String>, Error> {
    let mut zone = None;
    reader.children(block, |_, child| {
        if child.is(TYPES_NS, "TimeZoneDefinition") {
            zone = child.attribute("Id").map(str::to_owned);
        }
        Ok::<_, Error>(())
    })?;
    Ok(zone)
}

impl ServerVersion {
    fn read(block: &Element<'_>) -> Result<Self, Error> {
        let number = |name: &str| block.parse_attribute::<u32>(name).map(Option::unwrap_or_default);
        Ok(Self {
            major: number("MajorVersion")?,
            minor: number("MinorVersion")?,
            major_build: number("MajorBuildNumber")?,
            minor_build: number("MinorBuildNumber")?,
            version: block.attribute("Version").map(str::to_owned),
        })
    }

    fn write(&self, writer: &mut Writer, name: &str, declaration: &str) {
        writer.element(name, |w| {
            w.attribute("MajorVersion", &self.major.to_string());
            w.attribute("MinorVersion", &self.minor.to_string());
            w.attribute("MajorBuildNumber", &self.major_build.to_string());
            w.attribute("MinorBuildNumber", &self.minor_build.to_string());
            write_attribute(w, "Version", self.version.as_ref());
            w.attribute(declaration, TYPES_NS);
        });
    }
}

impl Fault {
    /// The code from the detail; from `faultcode` only where there is no detail (field note 21).
    fn from_soap(fault: &proto_soap::Fault) -> Self {
        let detail = |local: &str| fault.detail.iter().find(|node| node.local == local);
        let code = detail("ResponseCode").map(|node| node.text.trim()).filter(|code| !code.is_empty());
        let mut message_xml = MessageXml::default();
        for value in detail("MessageXml").iter().flat_map(|node| &node.children).take(MessageXml::VALUES_MAX)
        {
            let name = value.attribute("Name").unwrap_or(&value.local);
            message_xml.values.push((name.to_owned(), value.text.clone()));
        }
        Self {
            code: ResponseCode::new(code.unwrap_or(fault.code.local.trim())),
            text: fault.string.clone(),
            message_xml,
        }
    }

    fn write(&self, writer: &mut Writer) {
        let fault = proto_soap::Fault {
            code: FaultCode { namespace: Some(TYPES_NS.to_owned()), local: self.code.as_str().to_owned() },
            string: self.text.clone(),
            lang: Some("en-US".to_owned()),
            ..proto_soap::Fault::default()
        };
        fault.write_with(writer, "s:", |w| {
            for (name, text) in [("e:ResponseCode", self.code.as_str()), ("e:Message", &self.text)] {
                w.element(name, |w| {
                    w.attribute("xmlns:e", ERRORS_NS);
                    w.text(text);
                });
            }
            if !self.message_xml.values.is_empty() {
                w.element("t:MessageXml", |w| {
                    w.attribute("xmlns:t", TYPES_NS);
                    self.message_xml.write_values(w);
                });
            }
        });
    }
}
