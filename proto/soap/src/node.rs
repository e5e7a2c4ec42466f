//! Small trees for the parts of a message whose form is open: the detail of a fault, lists of values.

use std::sync::Arc;

use crate::reader::Piece;
use crate::{Element, Error, Reader, Writer};

#[cfg(test)]
mod tests;

/// An attribute of a [`Node`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeAttribute {
    /// Namespace, empty for none; shared by all of a tree that bear it.
    pub namespace: Arc<str>,
    /// Name without prefix.
    pub local: String,
    /// Value.
    pub value: String,
}

/// An element with all that stands in it, within the reader's limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Namespace, empty for none; shared by all of a tree that bear it.
    pub namespace: Arc<str>,
    /// Name without prefix.
    pub local: String,
    /// Attributes without namespace declarations.
    pub attributes: Vec<NodeAttribute>,
    /// Its own text, pieces between children joined.
    pub text: String,
    /// Child elements.
    pub children: Vec<Self>,
}

impl Node {
    /// An element with a text and nothing else.
    pub fn leaf(namespace: &str, local: &str, text: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), local: local.to_owned(), text: text.into(), ..Self::default() }
    }

    /// Adds an attribute without namespace.
    #[must_use]
    pub fn with_attribute(mut self, local: &str, value: impl Into<String>) -> Self {
        let attribute =
            NodeAttribute { namespace: Arc::default(), local: local.to_owned(), value: value.into() };
        self.attributes.push(attribute);
        self
    }

    /// Is this the element `local` of `namespace`?
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        *self.namespace == *namespace && self.local == local
    }

    /// The first child of that name.
    pub fn child(&self, namespace: &str, local: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.is(namespace, local))
    }

    /// The first element of that local name in this tree, this node included, whatever its namespace;
    /// parents come before children.
    pub fn find(&self, local: &str) -> Option<&Self> {
        if self.local == local {
            return Some(self);
        }
        self.children.iter().find_map(|c| c.find(local))
    }

    /// Value of the attribute `local` that has no prefix.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.namespace.is_empty() && a.local == local);
        found.map(|a| a.value.as_str())
    }

    /// Writes the tree without prefixes: each element whose namespace differs from its parent's declares
    /// it as the default. `around` is the default namespace in scope ("" when there is none).
    pub fn write(&self, writer: &mut Writer, around: &str) {
        writer.element(&self.local, |w| {
            if *self.namespace != *around {
                w.attribute("xmlns", &self.namespace);
            }
            for (number, attribute) in self.attributes.iter().enumerate() {
                write_attribute(w, number, attribute);
            }
            w.text(&self.text);
            for child in &self.children {
                child.write(w, &self.namespace);
            }
        });
    }
}

/// An attribute of a namespace needs a prefix; each gets one of its own.
fn write_attribute(writer: &mut Writer, number: usize, attribute: &NodeAttribute) {
    match &*attribute.namespace {
        "" => writer.attribute(&attribute.local, &attribute.value),
        crate::XML_NS => writer.attribute(&format!("xml:{}", attribute.local), &attribute.value),
        namespace => {
            writer.attribute(&format!("xmlns:n{number}"), namespace);
            writer.attribute(&format!("n{number}:{}", attribute.local), &attribute.value);
        }
    }
}

impl Reader<'_> {
    /// Everything in `element` as a tree; afterwards `element` is over. Recursion is bounded by the limit of
    /// depth.
    pub fn node(&mut self, element: &Element<'_>) -> Result<Node, Error> {
        let mut node = Node {
            namespace: self.shared(element.namespace()),
            local: element.local().to_owned(),
            ..Node::default()
        };
        for attribute in element.attributes() {
            node.attributes.push(NodeAttribute {
                namespace: self.shared(attribute.namespace()),
                local: attribute.local.to_owned(),
                value: attribute.value.to_string(),
            });
        }
        while let Some(piece) = self.piece(element)? {
            match piece {
                Piece::Text(text) => self.append(&mut node.text, &text)?,
                Piece::Child(child) => node.children.push(self.node(&child)?),
            }
        }
        // White space between children says nothing.
        if !node.children.is_empty() && node.text.trim().is_empty() {
            node.text.clear();
        }
        Ok(node)
    }
}
