//! The SOAP 1.1 envelope: header blocks, body, fault.
//!
//! A message with a fault is read in the same way whatever HTTP status it came with: some servers send
//! faults with 200.

use crate::{Element, Error, Limits, Node, Reader, Writer};

#[cfg(test)]
mod tests;

/// Namespace of SOAP 1.1 envelopes.
pub const SOAP_NS: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of SOAP 1.2 envelopes, known only to be refused by name.
const SOAP12_NS: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Elements of a fault's detail that are kept; the rest is passed over.
const DETAIL_MAX: usize = 64;

/// What stood in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<T> {
    /// What the body's decoder made of its first element.
    Content(T),
    /// A fault.
    Fault(Fault),
}

/// A fault code: a qualified name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultCode {
    /// Its namespace, when it had a prefix and that was declared.
    pub namespace: Option<String>,
    /// The name without prefix: `Client`, `Server`, `ErrorServerBusy` …
    pub local: String,
}

/// A SOAP 1.1 fault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// `faultcode`.
    pub code: FaultCode,
    /// `faultstring`; for people, in any language.
    pub string: String,
    /// `xml:lang` of the fault string.
    pub lang: Option<String>,
    /// `faultactor`.
    pub actor: Option<String>,
    /// The elements of `detail`.
    pub detail: Vec<Node>,
}

impl Fault {
    /// The first element of the detail, at any depth, with that local name.
    pub fn find(&self, local: &str) -> Option<&Node> {
        self.detail.iter().find_map(|n| n.find(local))
    }

    /// Writes the fault with `prefix` (with its colon, `s:`) for SOAP's namespace, and the detail's
    /// elements without prefixes.
    pub fn write(&self, writer: &mut Writer, prefix: &str) {
        self.write_with(writer, prefix, |w| {
            for node in &self.detail {
                node.write(w, "");
            }
        });
    }

    /// The same with a detail that the caller writes; `detail` is left out when nothing is written.
    pub fn write_with(&self, writer: &mut Writer, prefix: &str, detail: impl FnOnce(&mut Writer)) {
        writer.element(&format!("{prefix}Fault"), |w| {
            w.element("faultcode", |w| match self.code.namespace.as_deref() {
                Some(SOAP_NS) => w.text(&format!("{prefix}{}", self.code.local)),
                Some(namespace) => {
                    w.attribute("xmlns:a", namespace);
                    w.text(&format!("a:{}", self.code.local));
                }
                None => w.text(&self.code.local),
            });
            w.element("faultstring", |w| {
                if let Some(lang) = &self.lang {
                    w.attribute("xml:lang", lang);
                }
                w.text(&self.string);
            });
            w.optional("faultactor", self.actor.as_deref());
            w.unless_empty("detail", detail);
        });
    }
}

impl Writer {
    /// An element that is left out when `content` writes nothing.
    pub fn unless_empty(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.end_tag();
        let before = self.len();
        let mut written = false;
        self.element(name, |w| {
            let start = w.len();
            content(w);
            written = w.len() > start;
        });
        if !written {
            self.take_back(before);
        }
    }
}

/// How an envelope is written.
#[derive(Debug, Clone, Copy)]
pub struct EnvelopeWriter<'a> {
    /// Begin with an XML declaration?
    pub declaration: bool,
    /// Prefixes declared on the envelope, besides `s` for SOAP.
    pub namespaces: &'a [(&'a str, &'a str)],
    /// Largest message in bytes.
    pub limit: usize,
}

impl EnvelopeWriter<'_> {
    /// Writes `<s:Envelope>` with the header blocks that `header` writes (no `s:Header` when it writes
    /// none) and the body that `body` writes.
    pub fn write(
        &self,
        header: impl FnOnce(&mut Writer),
        body: impl FnOnce(&mut Writer),
    ) -> Result<String, Error> {
        let mut writer = Writer::new(self.limit);
        if self.declaration {
            writer.declaration();
        }
        writer.element("s:Envelope", |w| {
            w.attribute("xmlns:s", SOAP_NS);
            for (prefix, namespace) in self.namespaces {
                w.attribute(&format!("xmlns:{prefix}"), namespace);
            }
            w.unless_empty("s:Header", header);
            w.element("s:Body", body);
        });
        writer.finish()
    }
}

/// Reads an envelope: `header` is called for each header block, `body` for the first element of the body
/// unless that is a fault. What they leave unread is skipped. Anything after the envelope is an error.
pub fn read_envelope<T, E: From<Error>>(
    message: &[u8],
    limits: Limits,
    mut header: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<(), E>,
    mut body: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<T, E>,
) -> Result<Body<T>, E> {
    let mut reader = Reader::new(message, limits)?;
    let envelope = reader.root()?;
    match envelope.name() {
        (SOAP_NS, "Envelope") => {}
        (SOAP12_NS, "Envelope") => return Err(Error::SoapVersion.into()),
        (_, found) => return Err(Error::NotAnEnvelope { found: Error::name(found) }.into()),
    }
    let mut content = None;
    reader.children(&envelope, |reader, part| match part.name() {
        (SOAP_NS, "Header") => reader.children(part, &mut header),
        (SOAP_NS, "Body") if content.is_none() => {
            if let Some(first) = reader.child(part)? {
                content = Some(match first.name() {
                    (SOAP_NS, "Fault") => Body::Fault(read_fault(reader, &first)?),
                    _ => Body::Content(body(reader, &first)?),
                });
            }
            Ok(())
        }
        _ => Ok(()),
    })?;
    reader.finish()?;
    content.ok_or_else(|| Error::NoBody.into())
}

/// Reads a fault. Its children have no namespace in SOAP 1.1; servers that qualify them are borne.
pub fn read_fault(reader: &mut Reader<'_>, fault: &Element<'_>) -> Result<Fault, Error> {
    let mut result = Fault::default();
    reader.children(fault, |reader, child| {
        match child.name() {
            ("" | SOAP_NS, "faultcode") => result.code = fault_code(reader, child)?,
            ("" | SOAP_NS, "faultstring") => {
                result.lang = child.attribute_ns(crate::XML_NS, "lang").map(str::to_owned);
                result.string = reader.text(child)?;
            }
            ("" | SOAP_NS, "faultactor") => result.actor = Some(reader.text(child)?),
            ("" | SOAP_NS, "detail") => reader.children(child, |reader, part| {
                if result.detail.len() < DETAIL_MAX {
                    result.detail.push(reader.node(part)?);
                }
                Ok::<_, Error>(())
            })?,
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(result)
}

/// The prefix may be declared on the element itself, whose declarations hold until the reader goes on.
fn fault_code(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<FaultCode, Error> {
    let text = reader.text(element)?;
    let (namespace, local) = reader.resolve(text.trim());
    Ok(FaultCode { namespace, local: local.to_owned() })
}
