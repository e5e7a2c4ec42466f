//! The tree of one message: made only of bytes that passed the bounded reader, and asked by namespace and
//! local name.

use std::borrow::Cow;
use std::collections::HashSet;

use proto_soap::{Limits, Reader, SOAP_NS};
use uppsala::{Document, Element, NodeId, NodeKind};

use crate::WsseError;
use crate::names::{EXCLUSIVE, WSU, XML};

#[cfg(test)]
mod tests;

/// Prefixes of one `InclusiveNamespaces` list at most.
const PREFIXES_MAX: usize = 32;

/// No tree is deeper: it is walked recursively.
const DEPTH_MAX: u32 = 128;

/// One message as a tree.
pub(crate) struct Tree<'m>(Document<'m>);

/// The parts of an envelope.
pub(crate) struct Parts {
    pub(crate) header: Option<NodeId>,
    pub(crate) body: NodeId,
}

/// Refuses what is too large, a document type, entities of its own and what is no XML, before a tree is made.
pub(crate) fn check(message: &[u8], limit_bytes: usize) -> Result<&str, WsseError> {
    Reader::check(message, Limits::standard().with_bytes(limit_bytes)).map_err(WsseError::Message)
}

/// The text as XML 1.0 has every reader see it and `uppsala` does not: line ends are line feeds (2.11), white space in an
/// attribute's value is spaces (3.3.3). What is written as a reference stays. Most messages are so already.
pub(crate) fn normalised(text: &str) -> Cow<'_, str> {
    if !text.bytes().fold(false, |any, byte| any | matches!(byte, b'\t' | b'\n' | b'\r')) {
        return Cow::Borrowed(text);
    }
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut normal, mut rest) = (String::with_capacity(lines.len()), lines.as_str());
    while let Some(start) = rest.find('<') {
        let (before, markup) = rest.split_at(start);
        normal.push_str(before);
        let aside = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        let aside = aside.iter().find(|(begin, _)| markup.starts_with(begin));
        let length = match aside {
            Some((begin, end)) => markup[begin.len()..].find(end).map(|at| begin.len() + at + end.len()),
            None => tag_length(markup),
        };
        // what does not end is refused by whoever reads it
        let (markup, after) = markup.split_at(length.unwrap_or(markup.len()));
        match aside {
            Some(_) => normal.push_str(markup),
            None => push_tag(&mut normal, markup),
        }
        rest = after;
    }
    normal.push_str(rest);
    Cow::Owned(normal)
}

/// The length of the tag that the text begins with.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    let end = text.bytes().position(|byte| match quote {
        Some(open) => {
            quote = quote.filter(|_| byte != open);
            false
        }
        None => {
            quote = Some(byte).filter(|byte| matches!(byte, b'"' | b'\''));
            byte == b'>'
        }
    });
    end.map(|end| end + 1)
}

/// The tag, with spaces in its quotes.
fn push_tag(normal: &mut String, tag: &str) {
    let mut quote = None;
    normal.extend(tag.chars().map(|letter| match (quote, letter) {
        (Some(_), '\t' | '\n') => ' ',
        (Some(open), _) => {
            quote = quote.filter(|_| letter != open);
            letter
        }
        (None, _) => {
            quote = Some(letter).filter(|letter| matches!(letter, '"' | '\''));
            letter
        }
    }));
}

impl<'m> Tree<'m> {
    /// The tree of a [`normalised`] text that [`check`] let pass, or that is ours.
    pub(crate) fn parse(text: &'m str) -> Result<Self, WsseError> {
        let parser = uppsala::Parser::new().with_forbid_dtd(true).with_forbid_entities(true);
        let parser = parser.with_max_depth(DEPTH_MAX);
        parser.parse(text).map(Self).map_err(|_| WsseError::Malformed)
    }

    pub(crate) fn document(&self) -> &Document<'m> {
        &self.0
    }

    pub(crate) fn document_mut(&mut self) -> &mut Document<'m> {
        &mut self.0
    }

    /// Header and Body, each in its place and no third thing beside them.
    pub(crate) fn parts(&self) -> Result<Parts, WsseError> {
        let root = self.0.document_element().ok_or(WsseError::NotAnEnvelope)?;
        if !self.is(root, SOAP_NS, "Envelope") {
            return Err(WsseError::NotAnEnvelope);
        }
        let (mut header, mut body) = (None, None);
        for child in self.children(root) {
            if self.is(child, SOAP_NS, "Header") && header.is_none() && body.is_none() {
                header = Some(child);
            } else if self.is(child, SOAP_NS, "Body") {
                if body.replace(child).is_some() {
                    return Err(WsseError::SecondBody);
                }
            } else {
                return Err(WsseError::StrayElement);
            }
        }
        Ok(Parts { header, body: body.ok_or(WsseError::NoBody)? })
    }

    /// Refuses an id that occurs twice and a Body in another place.
    pub(crate) fn check_ids(&self, body: NodeId) -> Result<(), WsseError> {
        let mut ids = HashSet::new();
        for (node, element) in self.elements() {
            if node != body && element.matches_name_ns(SOAP_NS, "Body") {
                return Err(WsseError::MovedBody);
            }
            for attribute in &element.attributes {
                let (namespace, local) =
                    (attribute.name.namespace_uri.as_deref(), &*attribute.name.local_name);
                let is_id = match namespace {
                    Some(WSU) => local == "Id",
                    Some(XML) => local == "id",
                    None | Some("") => matches!(local, "Id" | "ID" | "id"),
                    Some(_) => false,
                };
                if is_id && !ids.insert(&*attribute.value) {
                    return Err(WsseError::DuplicateId);
                }
            }
        }
        Ok(())
    }

    /// Every element of the message, in its order. The tree numbers its nodes from 0 without a gap, so that no
    /// way through it need be remembered.
    fn elements(&self) -> impl Iterator<Item = (NodeId, &Element<'m>)> {
        let nodes = (0..).map(NodeId::new).map_while(|node| Some((node, self.0.node_kind(node)?)));
        nodes.filter_map(|(node, kind)| match kind {
            NodeKind::Element(element) => Some((node, element)),
            _ => None,
        })
    }

    /// The child elements.
    pub(crate) fn children(&self, parent: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.0.children_iter(parent).filter(|child| self.0.element(*child).is_some())
    }

    /// The only child element of that name: none is `None`.
    pub(crate) fn only(
        &self,
        parent: NodeId,
        namespace: &str,
        local: &'static str,
    ) -> Result<Option<NodeId>, WsseError> {
        let mut found = self.children(parent).filter(|child| self.is(*child, namespace, local));
        let first = found.next();
        match found.next() {
            Some(_) => Err(WsseError::Several { what: local }),
            None => Ok(first),
        }
    }

    /// The same, and it must be there.
    pub(crate) fn need(
        &self,
        parent: NodeId,
        namespace: &str,
        local: &'static str,
    ) -> Result<NodeId, WsseError> {
        self.only(parent, namespace, local)?.ok_or(WsseError::Form { what: local })
    }

    pub(crate) fn is(&self, node: NodeId, namespace: &str, local: &str) -> bool {
        self.0.element(node).is_some_and(|element| element.matches_name_ns(namespace, local))
    }

    /// An attribute without prefix.
    pub(crate) fn attribute(&self, node: NodeId, local: &str) -> Option<&str> {
        let found = |element: &'_ Element<'_>| {
            element.attributes.iter().position(|attribute| attribute.name.matches(None, local))
        };
        let element = self.0.element(node)?;
        found(element).map(|index| &*element.attributes[index].value)
    }

    /// `wsu:Id`.
    pub(crate) fn id(&self, node: NodeId) -> Option<&str> {
        self.0.element(node)?.get_attribute_ns(WSU, "Id").filter(|id| !id.is_empty())
    }

    /// The text of an element that holds nothing but text.
    pub(crate) fn text(&self, node: NodeId) -> Option<Cow<'_, str>> {
        let mut text = Cow::Borrowed("");
        for child in self.0.children_iter(node) {
            let Some(NodeKind::Text(part) | NodeKind::CData(part)) = self.0.node_kind(child) else {
                return None;
            };
            if text.is_empty() {
                text = Cow::Borrowed(&**part);
            } else {
                text.to_mut().push_str(part);
            }
        }
        Some(text)
    }

    /// The prefixes of the `InclusiveNamespaces` of a transform or method; nothing else may stand in it.
    pub(crate) fn prefixes(&self, node: NodeId) -> Result<Vec<String>, WsseError> {
        let what = "inclusive namespaces";
        let mut prefixes = Vec::new();
        for child in self.children(node) {
            let list = self
                .attribute(child, "PrefixList")
                .filter(|_| self.is(child, EXCLUSIVE, "InclusiveNamespaces"));
            let list = list.ok_or(WsseError::Algorithm { what })?;
            prefixes.extend(list.split_ascii_whitespace().map(str::to_owned));
            if prefixes.len() > PREFIXES_MAX {
                return Err(WsseError::Algorithm { what });
            }
        }
        Ok(prefixes)
    }
}
