//! Exclusive canonical XML 1.0 (without comments) of one element of a tree, as the W3C's recommendation of
//! 18 July 2002 says: only that element is walked, whatever else stands in the document.
//!
//! A name's namespace stands in the tree, so that nothing above the element is asked, but for the prefixes
//! of an `InclusiveNamespaces` list: these are followed from the root down. The element's ancestors are not
//! rendered, so that nothing is rendered when it begins.
//!
//! What a receiver reads is the text that comes out of here: a mistake in it makes a digest wrong, and shows
//! nothing as signed that was not. The tests hold it against bergshamra's canonical form of the whole
//! document and, through the tests of signing and verifying, against `xmlsec1`.

use std::borrow::Cow;

use uppsala::{Document, Element, NodeId, NodeKind, QName};

use crate::WsseError;
use crate::names::XML;

#[cfg(test)]
mod tests;

/// The canonical form of the element `apex`, with the prefixes of an `InclusiveNamespaces` list.
pub(crate) fn canonical(
    document: &Document<'_>,
    apex: NodeId,
    prefixes: &[String],
) -> Result<String, WsseError> {
    let room = document.node_range(apex).map_or(0, |range| range.len() + range.len() / 8);
    let mut walk = Walk {
        document,
        listed: prefixes.iter().map(|prefix| if prefix == "#default" { "" } else { prefix }).collect(),
        scope: Vec::new(),
        rendered: Vec::new(),
        text: String::with_capacity(room),
    };
    for ancestor in document.ancestors(apex).into_iter().rev() {
        if let Some(element) = document.element(ancestor) {
            walk.enter(element);
        }
    }
    let element = document.element(apex).ok_or(WsseError::Malformed)?;
    walk.element(apex, element);
    Ok(walk.text)
}

/// A prefix, empty for the default namespace, and what it stands for, empty for nothing.
type Binding<'d> = (&'d str, &'d str);

struct Walk<'d, 'm> {
    document: &'d Document<'m>,
    /// The prefixes of the list.
    listed: Vec<&'d str>,
    /// The declarations of these that hold, the innermost last.
    scope: Vec<Binding<'d>>,
    /// What has been rendered on the open elements, the innermost last.
    rendered: Vec<Binding<'d>>,
    text: String,
}

impl<'d, 'm> Walk<'d, 'm> {
    /// Recursive: no tree is deeper than the parser allows.
    fn element(&mut self, node: NodeId, element: &'d Element<'_>) {
        if let Some(text) = self.verbatim(node, element) {
            self.text.push_str(text);
            return;
        }
        let (in_scope, rendered) = (self.scope.len(), self.rendered.len());
        self.enter(element);
        self.text.push('<');
        push_name(&mut self.text, &element.name);
        self.namespaces(element);
        self.attributes(element);
        self.text.push('>');
        let document = self.document;
        for child in document.children_iter(node) {
            match document.node_kind(child) {
                Some(NodeKind::Element(element)) => self.element(child, element),
                Some(NodeKind::Text(text) | NodeKind::CData(text)) => push_text(&mut self.text, text),
                Some(NodeKind::ProcessingInstruction(instruction)) => {
                    self.text.push_str("<?");
                    self.text.push_str(&instruction.target);
                    if let Some(data) = instruction.data.as_deref().filter(|data| !data.is_empty()) {
                        self.text.push(' ');
                        push_escaped(&mut self.text, data, |byte| if byte == b'\r' { "&#xD;" } else { "" });
                    }
                    self.text.push_str("?>");
                }
                _ => {}
            }
        }
        self.text.push_str("</");
        push_name(&mut self.text, &element.name);
        self.text.push('>');
        self.scope.truncate(in_scope);
        self.rendered.truncate(rendered);
    }

    /// The element as it stands in the message, when that is its canonical form to the byte: its name, one text in which
    /// nothing is escaped, its name again. Most of a message is such elements, and they are copied in one piece.
    fn verbatim(&self, node: NodeId, element: &Element<'_>) -> Option<&'m str> {
        let declares = !element.attributes.is_empty() || !element.namespace_declarations.is_empty();
        if declares || !self.listed.is_empty() || self.is_new(binding(&element.name)) {
            return None;
        }
        let document = self.document;
        let child = document.first_child(node)?;
        let Some(NodeKind::Text(Cow::Borrowed(text))) = document.node_kind(child) else { return None };
        if document.next_sibling(child).is_some() || has_special(text) {
            return None;
        }
        // white space in a tag, a reference, CDATA or a comment would make it longer than this
        let length = "<></>".len() + 2 * name_length(&element.name) + text.len();
        document.node_source(node).filter(|source| source.len() == length)
    }

    /// What the element declares holds from here on, if it is asked for by the list.
    fn enter(&mut self, element: &'d Element<'_>) {
        if self.listed.is_empty() {
            return;
        }
        for (prefix, namespace) in &element.namespace_declarations {
            if self.listed.contains(&&**prefix) {
                self.scope.push((prefix, namespace));
            }
        }
    }

    /// Renders what the element visibly uses, and what is listed and holds here, unless it is rendered
    /// already.
    fn namespaces(&mut self, element: &'d Element<'_>) {
        let begin = self.rendered.len();
        self.render(begin, binding(&element.name));
        for attribute in &element.attributes {
            if attribute.name.namespace_uri.is_some() {
                self.render(begin, binding(&attribute.name));
            }
        }
        for at in 0..self.listed.len() {
            let prefix = self.listed[at];
            let holds = self.scope.iter().rev().find(|(declared, _)| *declared == prefix);
            match holds {
                Some((_, namespace)) if !namespace.is_empty() => self.render(begin, (prefix, namespace)),
                // only the default namespace can end again
                _ if prefix.is_empty() => self.render(begin, ("", "")),
                _ => {}
            }
        }
        self.rendered[begin..].sort_unstable();
        for (prefix, namespace) in &self.rendered[begin..] {
            self.text.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            self.text.push_str(prefix);
            push_value(&mut self.text, namespace);
        }
    }

    /// To be rendered on this element, whose own begin at `begin`, when it says something new.
    fn render(&mut self, begin: usize, binding: Binding<'d>) {
        if self.is_new(binding) {
            debug_assert!(self.rendered[begin..].iter().all(|(known, _)| *known != binding.0));
            self.rendered.push(binding);
        }
    }

    /// Does it say something that was not rendered yet?
    fn is_new(&self, (prefix, namespace): Binding<'_>) -> bool {
        let known = self.rendered.iter().rev().find(|(known, _)| *known == prefix);
        // nobody declares `xml`, and an element in no namespace needs to say so only below one that is in some
        let new = known.map_or(!namespace.is_empty(), |(_, known)| !same(known, namespace));
        new && prefix != "xml"
    }

    /// In the order of their namespaces, those in none first, and of their names.
    fn attributes(&mut self, element: &'d Element<'_>) {
        let mut attributes: Vec<_> = element.attributes.iter().collect();
        attributes.sort_unstable_by_key(|attribute| {
            (attribute.name.namespace_uri.as_deref().unwrap_or_default(), &*attribute.name.local_name)
        });
        for attribute in attributes {
            self.text.push(' ');
            push_name(&mut self.text, &attribute.name);
            push_value(&mut self.text, &attribute.value);
        }
    }
}

/// Are the texts equal? Namespaces mostly stand at one place of the message, and they are long.
fn same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// What a name's prefix stands for.
fn binding<'d>(name: &'d QName<'_>) -> Binding<'d> {
    match name.namespace_uri.as_deref() {
        Some(XML) => ("xml", XML),
        namespace => (name.prefix.as_deref().unwrap_or_default(), namespace.unwrap_or_default()),
    }
}

fn push_name(text: &mut String, name: &QName<'_>) {
    if let Some(prefix) = name.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
        text.push_str(prefix);
        text.push(':');
    }
    text.push_str(&name.local_name);
}

/// Of what [`push_name`] puts.
fn name_length(name: &QName<'_>) -> usize {
    let prefix = name.prefix.as_deref().filter(|prefix| !prefix.is_empty());
    prefix.map_or(0, |prefix| prefix.len() + 1) + name.local_name.len()
}

/// `="value"`.
fn push_value(text: &mut String, value: &str) {
    text.push_str("=\"");
    push_escaped(text, value, |byte| match byte {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'"' => "&quot;",
        b'\t' => "&#x9;",
        b'\n' => "&#xA;",
        b'\r' => "&#xD;",
        _ => "",
    });
    text.push('"');
}

fn push_text(text: &mut String, content: &str) {
    push_escaped(text, content, |byte| match byte {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'\r' => "&#xD;",
        _ => "",
    });
}

/// Is there anything that is escaped anywhere? Hardly ever; asked without a branch for each byte.
fn has_special(content: &str) -> bool {
    let special = |byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\t' | b'\n' | b'\r');
    content.bytes().fold(false, |any, byte| any | special(byte))
}

/// Puts what `escape` says, if anything, in the place of a byte. Only ASCII is escaped, so that what is
/// between stays UTF-8.
fn push_escaped(text: &mut String, content: &str, escape: impl Fn(u8) -> &'static str) {
    if !has_special(content) {
        text.push_str(content);
        return;
    }
    let mut done = 0;
    for (at, byte) in content.bytes().enumerate() {
        let escaped = escape(byte);
        if !escaped.is_empty() {
            text.push_str(&content[done..at]);
            text.push_str(escaped);
            done = at + 1;
        }
    }
    text.push_str(&content[done..]);
}
