//! SOAP 1.1 envelopes and the bounded, namespace-aware XML reader and writer under them.
//!
//! Responsibility: bytes to elements and back. Nothing here knows Exchange, Planner or calendars, and
//! nothing here does I/O.
//!
//! * [`Reader`] is a pull reader that knows elements by (namespace, local name), never by prefix. It takes
//!   UTF-8 only, refuses document types and entities of one's own, and stops at [`Limits`]: size, depth,
//!   elements, attributes, length of a text. Decoders walk it with [`Reader::children`], which skips what a
//!   decoder does not know.
//! * [`Writer`] writes with the prefixes that the caller chose, escapes, drops characters that XML 1.0
//!   forbids and stops at a size.
//! * [`envelope`] splits a message into header blocks and body and knows the [`Fault`].
//!
//! Failure behaviour: any input gives a value or an [`Error`]; nothing panics, nothing grows without limit
//! and no error holds text of the message beyond an element's name. A reader that gave an error must
//! not be used any more.
#![forbid(unsafe_code)]

pub mod envelope;
pub mod error;
pub mod limits;
pub mod node;
pub mod reader;
pub mod writer;

pub use envelope::{Body, EnvelopeWriter, Fault, FaultCode, SOAP_NS, read_envelope};
pub use error::Error;
pub use limits::Limits;
pub use node::{Node, NodeAttribute};
pub use reader::{Attribute, Element, Reader};
pub use writer::Writer;

/// Namespace of the prefix `xml` (`xml:lang`).
pub const XML_NS: &str = "http://www.w3.org/XML/1998/namespace";
/// Namespace of XML Schema instances (`xsi:type`, `xsi:nil`).
pub const XSI_NS: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Namespace of XML Schema itself.
pub const XSD_NS: &str = "http://www.w3.org/2001/XMLSchema";
