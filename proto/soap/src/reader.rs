//! The pull reader: elements by (namespace, local name), within limits.
//!
//! A decoder gets an [`Element`] and asks the reader for what stands in it: [`Reader::text`],
//! [`Reader::children`], [`Reader::node`]. Whatever it leaves unread is skipped when its parent goes on, so
//! unknown elements need no care. Elements are positions in one pass: each can be read once, in document
//! order; asking again for one that is over gives nothing (no text, no children). Names and values are lent from the message
//! and not copied.

use std::borrow::Cow;
use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use quick_xml::Reader as XmlReader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, QName};

use self::names::Names;
use self::scope::{Namespace, Scope};
use crate::{Error, Limits};

pub(crate) mod escape;
mod names;
mod scope;
#[cfg(test)]
mod tests;

/// Longest name of an element or attribute, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// An attribute; namespace declarations are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'i> {
    /// Namespace; `None` for a name without prefix.
    namespace: Option<Namespace<'i>>,
    /// Name without prefix.
    pub local: &'i str,
    /// Value with references resolved and white space normalised.
    pub value: Cow<'i, str>,
}

impl Attribute<'_> {
    /// The namespace, empty for a name without prefix.
    pub fn namespace(&self) -> &str {
        self.namespace.as_ref().map_or("", Namespace::as_str)
    }
}

/// The start of an element: its name and attributes. Its content is still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element<'i> {
    namespace: Namespace<'i>,
    local: &'i str,
    attributes: Vec<Attribute<'i>>,
    /// Number of open elements, this one included: names the element while it is open.
    depth: usize,
    at: u64,
}

impl<'i> Element<'i> {
    /// Namespace (empty when it has none) and local name, made for `match`:
    /// `match child.name() { (TYPES, "Subject") => …, _ => … }`.
    pub fn name(&self) -> (&str, &str) {
        (self.namespace.as_str(), self.local)
    }

    /// The namespace, empty when the element has none.
    pub fn namespace(&self) -> &str {
        self.namespace.as_str()
    }

    /// The name without prefix.
    pub fn local(&self) -> &str {
        self.local
    }

    /// Is this the element `local` of `namespace`?
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace.as_str() == namespace
    }

    /// Its attributes in document order.
    pub fn attributes(&self) -> &[Attribute<'i>] {
        &self.attributes
    }

    /// Value of the attribute `local` that has no prefix.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attribute_ns("", local)
    }

    /// Value of the attribute `local` of `namespace`.
    pub fn attribute_ns(&self, namespace: &str, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.namespace() == namespace && a.local == local);
        found.map(|a| &*a.value)
    }

    /// Value of an attribute that must be there.
    pub fn require(&self, local: &'static str) -> Result<&str, Error> {
        self.attribute(local).ok_or(Error::Missing { name: local })
    }

    /// Value of an attribute read as a `T`; surrounding white space does not count.
    pub fn parse_attribute<T: FromStr>(&self, local: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.attribute(local) else { return Ok(None) };
        let value = value.trim().parse();
        value.map(Some).map_err(|_| Error::Value { name: Error::name(local), at: self.at })
    }

    /// Is `xsi:nil` true?
    pub fn is_nil(&self) -> bool {
        matches!(self.attribute_ns(crate::XSI_NS, "nil").map(str::trim), Some("true" | "1"))
    }

    /// An error that says that the value of this element does not fit its type.
    pub fn value_error(&self) -> Error {
        Error::Value { name: Error::name(self.local), at: self.at }
    }
}

/// One step of the reader; `O` is what it makes of the start of an element.
enum Step<'i, O> {
    Open(O),
    Close,
    Text(Cow<'i, str>),
    End,
}

/// The pull reader over one message.
#[derive(Debug)]
pub struct Reader<'i> {
    text: &'i str,
    /// There is no character in it that must be replaced, and no line end other than a line feed.
    is_tidy: bool,
    xml: XmlReader<&'i [u8]>,
    limits: Limits,
    depth: usize,
    elements: usize,
    scope: Scope<'i>,
    names: Names<'i>,
    /// The names of namespaces that trees bear, each once: all of them together are no longer than the message.
    shared: HashSet<Arc<str>>,
}

impl<'i> Reader<'i> {
    /// A reader over one message; refuses what is too large, not UTF-8, or damaged by a proxy. A byte order
    /// mark is passed over.
    pub fn new(message: &'i [u8], limits: Limits) -> Result<Self, Error> {
        text_of(message, limits).map(|text| Self::of_text(text, limits))
    }

    /// Looks through a message for all that a reader refuses, to its end, and gives its text without a byte order mark.
    /// It makes no elements, so that a message that something else will read is looked through at less cost than by
    /// [`root`](Self::root) and [`finish`](Self::finish).
    pub fn check(message: &'i [u8], limits: Limits) -> Result<&'i str, Error> {
        let text = text_of(message, limits)?;
        let mut reader = Self::of_text(text, limits);
        let mut begun = false;
        loop {
            match reader.step_by(Self::pass)? {
                Step::Open(()) if begun && reader.depth == 1 => {
                    return Err(reader.malformed("a second root element"));
                }
                Step::Open(()) => begun = true,
                Step::Text(text) if reader.depth == 0 && !is_blank(&text) => {
                    let what =
                        if begun { "text after the root element" } else { "text before the first element" };
                    return Err(reader.malformed(what));
                }
                Step::Text(_) | Step::Close => {}
                Step::End if begun => return Ok(text),
                Step::End => return Err(reader.malformed("no element")),
            }
        }
    }

    /// A reader over a text that was looked at by [`text_of`].
    fn of_text(text: &'i str, limits: Limits) -> Self {
        let mut xml = XmlReader::from_str(text);
        let config = xml.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        let limits = Limits { depth: limits.depth.min(Limits::DEPTH_MAX), ..limits };
        let is_tidy = escape::is_tidy(text);
        Self {
            text,
            is_tidy,
            xml,
            limits,
            depth: 0,
            elements: 0,
            scope: Scope::new(),
            names: Names::new(),
            shared: HashSet::new(),
        }
    }

    /// The document's root element.
    pub fn root(&mut self) -> Result<Element<'i>, Error> {
        loop {
            match self.step()? {
                Step::Open(element) => return Ok(element),
                Step::Text(text) if is_blank(&text) => {}
                Step::Text(_) => return Err(self.malformed("text before the first element")),
                Step::Close | Step::End => return Err(self.malformed("no element")),
            }
        }
    }

    /// Reads to the end of the document; an error when anything but white space follows the root.
    pub fn finish(&mut self) -> Result<(), Error> {
        loop {
            match self.step()? {
                Step::End => return Ok(()),
                Step::Open(_) if self.depth == 1 => return Err(self.malformed("a second root element")),
                Step::Text(text) if self.depth == 0 && !is_blank(&text) => {
                    return Err(self.malformed("text after the root element"));
                }
                Step::Open(_) | Step::Close | Step::Text(_) => {}
            }
        }
    }

    /// Calls `visit` for each child element of `parent`, in order, and skips what the visitor leaves
    /// unread; afterwards `parent` is over.
    pub fn children<E: From<Error>>(
        &mut self,
        parent: &Element<'_>,
        mut visit: impl FnMut(&mut Self, &Element<'i>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(child) = self.child(parent)? {
            visit(self, &child)?;
            self.skip(&child)?;
        }
        Ok(())
    }

    /// The next child element of `parent`, or `None` when `parent` is over. What was left unread of the
    /// child before is skipped; text between children is passed over.
    pub fn child(&mut self, parent: &Element<'_>) -> Result<Option<Element<'i>>, Error> {
        self.close_below(parent.depth)?;
        while self.depth == parent.depth {
            match self.step()? {
                Step::Open(element) => return Ok(Some(element)),
                Step::Close | Step::Text(_) => {}
                Step::End => return Err(self.malformed("the document ends inside an element")),
            }
        }
        Ok(None)
    }

    /// The text of `element`, without that of elements inside it; afterwards `element` is over. White
    /// space is kept.
    pub fn text(&mut self, element: &Element<'_>) -> Result<String, Error> {
        self.content(element).map(Cow::into_owned)
    }

    /// The same, without a copy where it stands in one piece.
    pub fn content(&mut self, element: &Element<'_>) -> Result<Cow<'i, str>, Error> {
        self.close_below(element.depth)?;
        let mut text = Cow::Borrowed("");
        while self.depth >= element.depth {
            match self.step()? {
                Step::Text(piece) if self.depth == element.depth => {
                    if text.is_empty() {
                        text = piece;
                    } else {
                        self.append(text.to_mut(), &piece)?;
                    }
                }
                Step::Open(_) | Step::Close | Step::Text(_) => {}
                Step::End => return Err(self.malformed("the document ends inside an element")),
            }
        }
        Ok(text)
    }

    /// The text of `element` read as a `T`; surrounding white space does not count.
    pub fn parse<T: FromStr>(&mut self, element: &Element<'_>) -> Result<T, Error> {
        self.content(element)?.trim().parse().map_err(|_| element.value_error())
    }

    /// The text of `element` as an XML boolean: `true`, `false`, `1`, `0`.
    pub fn boolean(&mut self, element: &Element<'_>) -> Result<bool, Error> {
        match self.content(element)?.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(element.value_error()),
        }
    }

    /// Skips the rest of `element`.
    pub fn skip(&mut self, element: &Element<'_>) -> Result<(), Error> {
        self.close_below(element.depth.saturating_sub(1))
    }

    /// Resolves a prefixed name that stands in a text (`a:ErrorServerBusy`) by the declarations in scope
    /// now: the namespace when the prefix is declared, and the local name. The declarations of an element
    /// still hold right after its [`text`](Self::text) was read, until the reader goes on.
    pub fn resolve<'n>(&self, name: &'n str) -> (Option<String>, &'n str) {
        let Some((prefix, local)) = name.split_once(':') else { return (None, name) };
        (self.scope.of_prefix(prefix).map(|namespace| namespace.as_str().to_owned()), local)
    }

    /// Byte offset of the reader in the message.
    pub fn at(&self) -> u64 {
        self.xml.buffer_position()
    }

    /// Text collected piece by piece, within the limit.
    pub(crate) fn append(&self, text: &mut String, piece: &str) -> Result<(), Error> {
        if text.len() + piece.len() > self.limits.text {
            return Err(self.over("bytes of text", self.limits.text));
        }
        text.push_str(piece);
        Ok(())
    }

    /// The next piece of `element`'s own text or its next child, for trees.
    pub(crate) fn piece(&mut self, element: &Element<'_>) -> Result<Option<Piece<'i>>, Error> {
        self.close_below(element.depth)?;
        while self.depth == element.depth {
            match self.step()? {
                Step::Open(child) => return Ok(Some(Piece::Child(child))),
                Step::Text(text) => return Ok(Some(Piece::Text(text))),
                Step::Close => {}
                Step::End => return Err(self.malformed("the document ends inside an element")),
            }
        }
        Ok(None)
    }

    /// Reads on until at most `depth` elements are open.
    fn close_below(&mut self, depth: usize) -> Result<(), Error> {
        while self.depth > depth {
            if let Step::End = self.step()? {
                return Err(self.malformed("the document ends inside an element"));
            }
        }
        Ok(())
    }

    /// The next step; everything that is refused is refused here, also in parts that are skipped.
    fn step(&mut self) -> Result<Step<'i, Element<'i>>, Error> {
        self.step_by(Self::open)
    }

    /// The same with what is made of the start of an element.
    fn step_by<O>(
        &mut self,
        open: impl Fn(&mut Self, &BytesStart<'_>) -> Result<O, Error>,
    ) -> Result<Step<'i, O>, Error> {
        self.scope.end_below(self.depth);
        loop {
            let event = match self.xml.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.xml_error(&error)),
            };
            match event {
                Event::Start(start) | Event::Empty(start) => return open(self, &start).map(Step::Open),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Step::Close);
                }
                Event::Text(text) => {
                    let text = if self.is_tidy { text.into_inner() } else { text.xml10_content() };
                    return self.piece_of_text(text).map(Step::Text);
                }
                Event::CData(text) => {
                    if self.depth == 0 {
                        return Err(self.malformed("CDATA outside of the root element"));
                    }
                    let text = if self.is_tidy { text.into_inner() } else { text.xml10_content() };
                    return self.piece_of_text(text).map(Step::Text);
                }
                Event::GeneralRef(name) => {
                    let at = self.at();
                    let character = escape::reference(&name, at)?;
                    return Ok(Step::Text(Cow::Owned(character.into())));
                }
                Event::Decl(declaration) => self.check_encoding(&declaration)?,
                Event::DocType(_) => return Err(Error::Doctype { at: self.at() }),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => {
                    if self.depth > 0 {
                        return Err(self.malformed("the document ends inside an element"));
                    }
                    return Ok(Step::End);
                }
            }
        }
    }

    fn piece_of_text(&self, text: Cow<'i, str>) -> Result<Cow<'i, str>, Error> {
        if text.len() > self.limits.text {
            return Err(self.over("bytes of text", self.limits.text));
        }
        Ok(if self.is_tidy { text } else { escape::legal(text) })
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<Element<'i>, Error> {
        self.enter(start)?;
        let begin = Begin::of(start, self.lent(start)?);
        // most elements have none
        let attributes = if begin.has_attributes() { self.attributes(&begin)? } else { Vec::new() };
        let (local, namespace) = self.name_of(begin.name())?;
        Ok(Element { namespace, local, attributes, depth: self.depth, at: self.at() })
    }

    /// The same where no element is wanted: what `open` refuses is refused.
    fn pass(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        self.enter(start)?;
        let begin = Begin::of(start, self.lent(start)?);
        if begin.has_attributes() {
            self.attributes(&begin)?;
        }
        self.name_of(begin.name()).map(drop)
    }

    /// What the parser read, for as long as the message lives: the parser lends its pieces for a shorter time.
    fn lent(&self, piece: &str) -> Result<&'i str, Error> {
        let offset = (piece.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let lent = self.text.get(offset..offset.wrapping_add(piece.len()));
        // it reads from a slice, and copies nothing
        lent.ok_or_else(|| self.malformed("a start that does not stand in the message"))
    }

    /// Counts an element that begins.
    fn enter(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        if self.depth >= self.limits.depth {
            return Err(self.over("open elements", self.limits.depth));
        }
        if self.elements >= self.limits.elements {
            return Err(self.over("elements", self.limits.elements));
        }
        self.depth += 1;
        self.elements += 1;
        if start.name().into_inner().len() > NAME_BYTES_MAX {
            return Err(self.over("bytes in a name", NAME_BYTES_MAX));
        }
        Ok(())
    }

    /// The name of an element without prefix, and its namespace.
    fn name_of(&mut self, name: QName<'i>) -> Result<(&'i str, Namespace<'i>), Error> {
        let raw = name.into_inner();
        if let Some(known) = self.names.known(raw, self.scope.changes()) {
            return Ok(known);
        }
        let (local, prefix) = name.decompose();
        let local = local.into_inner();
        if !escape::is_name(local) {
            return Err(self.malformed("malformed name of an element"));
        }
        let Some(namespace) = self.scope.of_element(prefix.map(|prefix| prefix.into_inner())) else {
            return Err(self.malformed("undeclared prefix of an element"));
        };
        self.names.keep(raw, local, namespace.clone(), self.scope.changes());
        Ok((local, namespace))
    }

    /// The attributes of a start, and what it declares.
    fn attributes(&mut self, begin: &Begin<'i>) -> Result<Vec<Attribute<'i>>, Error> {
        let mut attributes: Vec<Attribute<'i>> = Vec::new();
        // those with a prefix, which may be declared after them
        let mut prefixed: Vec<(usize, &'i str)> = Vec::new();
        for (number, attribute) in begin.attributes().enumerate() {
            if number >= self.limits.attributes {
                return Err(self.over("attributes", self.limits.attributes));
            }
            let attribute = attribute.map_err(|_| self.malformed("malformed attribute"))?;
            if attribute.key.into_inner().len() > NAME_BYTES_MAX {
                return Err(self.over("bytes in a name", NAME_BYTES_MAX));
            }
            if attribute.value.len() > self.limits.text {
                return Err(self.over("bytes in an attribute", self.limits.text));
            }
            let declared = match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Default) => Some(""),
                Some(PrefixDeclaration::Named("")) => return Err(self.malformed("malformed attribute")),
                Some(PrefixDeclaration::Named(prefix)) => Some(prefix),
                None => None,
            };
            if let Some(prefix) = declared {
                self.scope.declare(prefix, attribute.value, self.depth, self.xml.buffer_position())?;
                continue;
            }
            let (local, prefix) = attribute.key.decompose();
            if !escape::is_name(local.into_inner()) {
                return Err(self.malformed("malformed name of an attribute"));
            }
            let prefix = prefix.map(|prefix| prefix.into_inner());
            let same = |(place, one): (usize, &Attribute<'_>)| {
                // in the order of their places; looked for last, and not from the front: a start may have many attributes
                let of_one = || prefixed.binary_search_by_key(&place, |(number, _)| *number).ok();
                one.local == local.into_inner() && of_one().map(|found| prefixed[found].1) == prefix
            };
            if attributes.iter().enumerate().any(same) {
                return Err(self.malformed("an attribute that is there twice"));
            }
            if let Some(prefix) = prefix {
                prefixed.push((attributes.len(), prefix));
            }
            let value = escape::attribute_value(attribute.value, self.at())?;
            attributes.push(Attribute { namespace: None, local: local.into_inner(), value });
        }
        for (number, prefix) in prefixed {
            let Some(namespace) = self.scope.of_prefix(prefix) else {
                return Err(self.malformed("undeclared prefix of an attribute"));
            };
            // two prefixes may stand for one namespace
            let twice = |one: &Attribute<'_>| {
                one.local == attributes[number].local && one.namespace.as_ref() == Some(&namespace)
            };
            if attributes[..number].iter().any(twice) {
                return Err(self.malformed("an attribute that is there twice"));
            }
            attributes[number].namespace = Some(namespace);
        }
        Ok(attributes)
    }

    /// UTF-8 was checked already; a declaration that says otherwise belongs to a message whose bytes mean
    /// something else. ASCII is a part of UTF-8.
    fn check_encoding(&self, declaration: &quick_xml::events::BytesDecl<'_>) -> Result<(), Error> {
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].iter().any(|n| name.eq_ignore_ascii_case(n)) => {
                Ok(())
            }
            Some(Ok(_)) => Err(Error::NotUtf8 { at: self.at() }),
            Some(Err(_)) => Err(self.malformed("malformed XML declaration")),
        }
    }

    /// The name of a namespace as a tree keeps it.
    pub(crate) fn shared(&mut self, namespace: &str) -> Arc<str> {
        if let Some(known) = self.shared.get(namespace) {
            return Arc::clone(known);
        }
        let new: Arc<str> = namespace.into();
        self.shared.insert(Arc::clone(&new));
        new
    }

    fn over(&self, what: &'static str, limit: usize) -> Error {
        Error::Limit { what, limit, at: self.at() }
    }

    fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { what, at: self.at() }
    }

    /// The parser's error without the names that it repeats from the message.
    fn xml_error(&self, error: &quick_xml::Error) -> Error {
        let what = match error {
            quick_xml::Error::Syntax(_) => "markup that does not end",
            quick_xml::Error::IllFormed(_) => "ill-formed XML",
            quick_xml::Error::InvalidAttr(_) => "malformed attribute",
            quick_xml::Error::Escape(_) => "malformed reference",
            _ => "unreadable XML",
        };
        Error::Malformed { what, at: self.xml.error_position() }
    }
}

/// The start of an element as it stands in the message: name and attributes.
struct Begin<'i> {
    content: &'i str,
    name: usize,
}

impl<'i> Begin<'i> {
    fn of(start: &BytesStart<'_>, content: &'i str) -> Self {
        Self { content, name: start.name().into_inner().len() }
    }

    fn name(&self) -> QName<'i> {
        QName(&self.content[..self.name])
    }

    fn has_attributes(&self) -> bool {
        self.content.len() > self.name
    }

    fn attributes(&self) -> Attributes<'i> {
        let mut attributes = Attributes::new(self.content, self.name);
        // whether one is there twice is looked for by the reader, which need not keep their names for that
        attributes.with_checks(false);
        attributes
    }
}

/// A piece of an element's content.
pub(crate) enum Piece<'i> {
    Child(Element<'i>),
    Text(Cow<'i, str>),
}

/// The text of a message that is neither too large nor damaged, without a byte order mark.
fn text_of(message: &[u8], limits: Limits) -> Result<&str, Error> {
    if message.len() > limits.bytes {
        return Err(Error::TooLarge { bytes: message.len(), limit: limits.bytes });
    }
    let text =
        simdutf8::compat::from_utf8(message).map_err(|e| Error::NotUtf8 { at: e.valid_up_to() as u64 })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if begins_with_chunk_length(text) { Err(Error::BrokenProxy) } else { Ok(text) }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The first bytes are hexadecimal digits and CRLF: the length line of an HTTP chunk.
fn begins_with_chunk_length(text: &str) -> bool {
    let digits = text.bytes().take(9).take_while(u8::is_ascii_hexdigit).count();
    (1..=8).contains(&digits) && text[digits..].starts_with("\r\n")
}
