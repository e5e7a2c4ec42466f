//! Autodiscover in plain XML ("POX"): where one mailbox lives, for services that do not speak SOAP.
//!
//! One mailbox a request. The answer lists protocols: `EXPR` is for callers outside, `EXCH` for those inside; each
//! may name an EWS address, `EXPR` also the grouping value. Protocols that stand inside others (`WEB`) and
//! unknown ones are read over. An error comes with HTTP 200, and in another namespace than a success (field
//! note 43), so everything below the root is known by its local name.

use proto_soap::{Element, Reader, Writer};

use crate::{Error, Limits};

/// Namespace of requests.
const REQUEST_NS: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
/// Namespace of an answer's root, and of errors.
const ROOT_NS: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
/// Namespace of an answer's content.
const RESPONSE_NS: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// What is known of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoxResponse {
    /// `settings`.
    Settings(PoxSettings),
    /// `redirectAddr`: ask for this address instead.
    RedirectAddress(String),
    /// `redirectUrl`: ask there.
    RedirectUrl(String),
    /// An error.
    Failed {
        /// `500` (no such mailbox), `600` (a request that is not understood) …
        code: String,
        /// For people.
        message: String,
    },
}

/// Where a mailbox is served.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoxSettings {
    /// The EWS address for callers outside (`EXPR`).
    pub external_ews_url: Option<String>,
    /// The EWS address inside (`EXCH`).
    pub internal_ews_url: Option<String>,
    /// The grouping value.
    pub grouping_information: Option<String>,
}

/// Writes a request for one address.
pub fn encode_request(address: &str) -> Result<String, Error> {
    let mut writer = Writer::new(Writer::STANDARD_LIMIT);
    writer.declaration();
    writer.element("Autodiscover", |w| {
        w.attribute("xmlns", REQUEST_NS);
        w.element("Request", |w| {
            w.leaf("EMailAddress", address);
            w.leaf("AcceptableResponseSchema", RESPONSE_NS);
        });
    });
    Ok(writer.finish()?)
}

/// Reads a request: the address that it asks for.
pub fn decode_request(message: &[u8], limits: Limits) -> Result<String, Error> {
    let mut address = None;
    document(message, limits, |reader, root| {
        reader.children(root, |reader, request| {
            if request.local() != "Request" {
                return Ok(());
            }
            reader.children(request, |reader, child| {
                if child.local() == "EMailAddress" {
                    address = Some(reader.text(child)?.trim().to_owned());
                }
                Ok::<_, Error>(())
            })
        })
    })?;
    address.ok_or(Error::missing("EMailAddress"))
}

/// Writes an answer about `address`.
pub fn encode_response(address: &str, response: &PoxResponse) -> Result<String, Error> {
    let mut writer = Writer::new(Writer::STANDARD_LIMIT);
    writer.declaration();
    writer.element("Autodiscover", |w| {
        w.attribute("xmlns", ROOT_NS);
        w.element("Response", |w| {
            if let PoxResponse::Failed { code, message } = response {
                w.element("Error", |w| {
                    w.leaf("ErrorCode", code);
                    w.leaf("Message", message);
                    w.empty("DebugData");
                });
                return;
            }
            w.attribute("xmlns", RESPONSE_NS);
            w.element("User", |w| w.leaf("AutoDiscoverSMTPAddress", address));
            w.element("Account", |w| response.write_account(w));
        });
    });
    Ok(writer.finish()?)
}

impl PoxResponse {
    fn write_account(&self, w: &mut Writer) {
        w.leaf("AccountType", "email");
        match self {
            Self::RedirectAddress(target) => {
                w.leaf("Action", "redirectAddr");
                w.leaf("RedirectAddr", target);
            }
            Self::RedirectUrl(target) => {
                w.leaf("Action", "redirectUrl");
                w.leaf("RedirectUrl", target);
            }
            Self::Settings(settings) => {
                w.leaf("Action", "settings");
                w.element("Protocol", |w| {
                    w.leaf("Type", "EXCH");
                    w.optional("EwsUrl", settings.internal_ews_url.as_deref());
                });
                w.element("Protocol", |w| {
                    w.leaf("Type", "EXPR");
                    w.optional("EwsUrl", settings.external_ews_url.as_deref());
                    w.optional("GroupingInformation", settings.grouping_information.as_deref());
                });
            }
            Self::Failed { .. } => {}
        }
    }
}

/// Reads an answer.
pub fn decode_response(message: &[u8], limits: Limits) -> Result<PoxResponse, Error> {
    let mut found = None;
    document(message, limits, |reader, root| {
        reader.children(root, |reader, response| {
            if response.local() != "Response" {
                return Ok(());
            }
            reader.children(response, |reader, child| {
                match child.local() {
                    "Error" => found = Some(read_error(reader, child)?),
                    "Account" => found = Some(read_account(reader, child)?),
                    _ => {}
                }
                Ok::<_, Error>(())
            })
        })
    })?;
    found.ok_or(Error::missing("Account"))
}

/// Reads a document whose root is `Autodiscover`, to its end.
fn document(
    message: &[u8],
    limits: Limits,
    read: impl FnOnce(&mut Reader<'_>, &Element<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut reader = Reader::new(message, limits)?;
    let root = reader.root()?;
    if root.local() != "Autodiscover" {
        return Err(Error::unknown_operation(root.local()));
    }
    read(&mut reader, &root)?;
    Ok(reader.finish()?)
}

fn read_error(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<PoxResponse, Error> {
    let (mut code, mut message) = (String::new(), String::new());
    reader.children(element, |reader, child| {
        match child.local() {
            "ErrorCode" => code = reader.text(child)?.trim().to_owned(),
            "Message" => message = reader.text(child)?.trim().to_owned(),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(PoxResponse::Failed { code, message })
}

fn read_account(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<PoxResponse, Error> {
    let (mut action, mut address, mut url) = (None, String::new(), String::new());
    let mut settings = PoxSettings::default();
    reader.children(element, |reader, child| {
        match child.local() {
            "Action" => action = Some(reader.text(child)?.trim().to_owned()),
            "RedirectAddr" => address = reader.text(child)?.trim().to_owned(),
            "RedirectUrl" => url = reader.text(child)?.trim().to_owned(),
            "Protocol" => settings.read_protocol(reader, child)?,
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(match action.as_deref() {
        Some(action) if action.eq_ignore_ascii_case("redirectAddr") => PoxResponse::RedirectAddress(address),
        Some(action) if action.eq_ignore_ascii_case("redirectUrl") => PoxResponse::RedirectUrl(url),
        _ => PoxResponse::Settings(settings),
    })
}

impl PoxSettings {
    /// Takes over what one protocol tells; the first that names a thing counts.
    fn read_protocol(&mut self, reader: &mut Reader<'_>, element: &Element<'_>) -> Result<(), Error> {
        let (mut kind, mut url, mut grouping) = (String::new(), None, None);
        reader.children(element, |reader, child| {
            match child.local() {
                "Type" => kind = reader.text(child)?.trim().to_owned(),
                "EwsUrl" => url = filled(reader.text(child)?),
                "GroupingInformation" => grouping = filled(reader.text(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let place = match kind.as_str() {
            "EXPR" => &mut self.external_ews_url,
            "EXCH" => &mut self.internal_ews_url,
            _ => return Ok(()),
        };
        if place.is_none() {
            *place = url;
        }
        if self.grouping_information.is_none() {
            self.grouping_information = grouping;
        }
        Ok(())
    }
}

fn filled(text: String) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
