//! Which namespaces the prefixes stand for where the reader is.
//!
//! A declaration holds from its own element on, and until the reader goes on after that element's end.

use std::borrow::Cow;
use std::sync::Arc;

use super::escape;
use crate::Error;

/// Most declarations that hold at one time.
const DECLARATIONS_MAX: usize = 128;
/// What the prefix `xmlns` stands for; nobody may declare it.
const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";

/// The name of a namespace.
#[derive(Debug, Clone)]
pub(super) enum Namespace<'i> {
    /// As it stands in the message.
    Lent(&'i str),
    /// Put together from what was written with references.
    Kept(Arc<str>),
}

impl Namespace<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Lent(name) => name,
            Self::Kept(name) => name,
        }
    }
}

impl PartialEq for Namespace<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Namespace<'_> {}

#[derive(Debug)]
struct Declaration<'i> {
    /// Empty for the default namespace.
    prefix: &'i str,
    namespace: Namespace<'i>,
    /// How many elements are open at least while it holds.
    depth: usize,
}

/// The declarations that hold now.
#[derive(Debug)]
pub(super) struct Scope<'i> {
    declarations: Vec<Declaration<'i>>,
    changes: u64,
}

impl<'i> Scope<'i> {
    pub(super) const fn new() -> Self {
        Self { declarations: Vec::new(), changes: 0 }
    }

    /// Differs when a prefix may stand for something else than before.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// What was declared where more than `depth` elements were open ends.
    #[inline]
    pub(super) fn end_below(&mut self, depth: usize) {
        while self.declarations.last().is_some_and(|last| last.depth > depth) {
            self.declarations.pop();
            self.changes += 1;
        }
    }

    /// Declares what `prefix` (empty: no prefix) stands for, as it was written, with its references. The name of a namespace is
    /// bounded, since trees bear it at each of their elements.
    pub(super) fn declare(
        &mut self,
        prefix: &'i str,
        raw: Cow<'i, str>,
        depth: usize,
        at: u64,
    ) -> Result<(), Error> {
        let malformed = Error::Malformed { what: "malformed namespace declaration", at };
        // what it says, not how that is written
        let namespace = escape::attribute_value(raw, at)?;
        if namespace.len() > super::NAME_BYTES_MAX {
            let what = "bytes in the name of a namespace";
            return Err(Error::Limit { what, limit: super::NAME_BYTES_MAX, at });
        }
        match prefix {
            // says what holds anyway
            "xml" if namespace == crate::XML_NS => {}
            "xml" | "xmlns" => return Err(malformed),
            "" => {}
            _ if namespace == crate::XML_NS || namespace == XMLNS_NS => return Err(malformed),
            _ => {}
        }
        if self.declarations.len() >= DECLARATIONS_MAX {
            return Err(Error::Limit { what: "namespace declarations", limit: DECLARATIONS_MAX, at });
        }
        let of_this_element = self.declarations.iter().rev().take_while(|one| one.depth == depth);
        if of_this_element.into_iter().any(|one| one.prefix == prefix) {
            return Err(malformed);
        }
        let namespace = match namespace {
            Cow::Borrowed(name) => Namespace::Lent(name),
            Cow::Owned(name) => Namespace::Kept(name.into()),
        };
        self.declarations.push(Declaration { prefix, namespace, depth });
        self.changes += 1;
        Ok(())
    }

    /// The namespace of an element's name; `None` for an undeclared prefix.
    pub(super) fn of_element(&self, prefix: Option<&str>) -> Option<Namespace<'i>> {
        match prefix {
            Some(prefix) => self.of_prefix(prefix),
            None => Some(self.declared("").cloned().unwrap_or(Namespace::Lent(""))),
        }
    }

    /// The namespace of a name with this prefix; `None` when it is not declared, or not any more.
    pub(super) fn of_prefix(&self, prefix: &str) -> Option<Namespace<'i>> {
        match prefix {
            "" => None,
            "xml" => Some(Namespace::Lent(crate::XML_NS)),
            _ => self.declared(prefix).filter(|namespace| !namespace.as_str().is_empty()).cloned(),
        }
    }

    fn declared(&self, prefix: &str) -> Option<&Namespace<'i>> {
        let found = self.declarations.iter().rev().find(|one| one.prefix == prefix);
        found.map(|one| &one.namespace)
    }
}
