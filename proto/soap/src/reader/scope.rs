//! Which namespaces the prefixes stand for where the reader is.
//!
//! A declaration holds from its own element on, and until the reader goes on after that element's end.

use std::borrow::Cow;
use std::sync::Arc;

use smol_str::SmolStr;

use super::escape;
use crate::Error;

/// How many namespace names a reader keeps shared; messages here use about five.
const NAMESPACES_KEPT: usize = 16;
/// Most declarations that hold at one time.
const DECLARATIONS_MAX: usize = 128;
/// What the prefix `xmlns` stands for; nobody may declare it.
const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";

#[derive(Debug)]
struct Declaration {
    /// Empty for the default namespace.
    prefix: SmolStr,
    namespace: Arc<str>,
    /// How many elements are open at least while it holds.
    depth: usize,
}

/// The declarations that hold now.
#[derive(Debug)]
pub(super) struct Scope {
    declarations: Vec<Declaration>,
    kept: Vec<Arc<str>>,
    none: Arc<str>,
    xml: Arc<str>,
}

impl Scope {
    pub(super) fn new() -> Self {
        Self { declarations: Vec::new(), kept: Vec::new(), none: "".into(), xml: crate::XML_NS.into() }
    }

    /// What was declared where more than `depth` elements were open ends.
    pub(super) fn end_below(&mut self, depth: usize) {
        while self.declarations.last().is_some_and(|last| last.depth > depth) {
            self.declarations.pop();
        }
    }

    /// Declares what `prefix` (`None`: no prefix) stands for, as it was written, with its references.
    pub(super) fn declare(
        &mut self,
        prefix: Option<&str>,
        raw: &str,
        depth: usize,
        at: u64,
    ) -> Result<(), Error> {
        let malformed = Error::Malformed { what: "malformed namespace declaration", at };
        // what it says, not how that is written
        let namespace = escape::attribute_value(Cow::Borrowed(raw), at)?;
        match prefix {
            Some("xml") if namespace == crate::XML_NS => return Ok(()),
            Some("xml" | "xmlns") => return Err(malformed),
            Some(_) if namespace == crate::XML_NS || namespace == XMLNS_NS => return Err(malformed),
            _ => {}
        }
        if self.declarations.len() >= DECLARATIONS_MAX {
            return Err(Error::Limit { what: "namespace declarations", limit: DECLARATIONS_MAX, at });
        }
        let namespace = self.shared(&namespace);
        self.declarations.push(Declaration { prefix: prefix.unwrap_or_default().into(), namespace, depth });
        Ok(())
    }

    /// The namespace of an element's name; `None` for an undeclared prefix.
    pub(super) fn of_element(&self, prefix: Option<&str>) -> Option<Arc<str>> {
        match prefix {
            Some(prefix) => self.of_prefix(prefix),
            None => Some(Arc::clone(self.declared("").unwrap_or(&self.none))),
        }
    }

    /// The namespace of a name with this prefix; `None` when it is not declared, or not any more.
    pub(super) fn of_prefix(&self, prefix: &str) -> Option<Arc<str>> {
        self.found(prefix).cloned()
    }

    /// Has an element's name with this prefix (`None`: without one) a namespace, or is it rightly in none?
    pub(super) fn knows(&self, prefix: Option<&str>) -> bool {
        prefix.is_none_or(|prefix| self.found(prefix).is_some())
    }

    fn found(&self, prefix: &str) -> Option<&Arc<str>> {
        match prefix {
            "" => None,
            "xml" => Some(&self.xml),
            _ => self.declared(prefix).filter(|namespace| !namespace.is_empty()),
        }
    }

    fn declared(&self, prefix: &str) -> Option<&Arc<str>> {
        let found = self.declarations.iter().rev().find(|one| one.prefix == prefix);
        found.map(|one| &one.namespace)
    }

    /// One shared copy of a namespace name, as long as there are few of them.
    fn shared(&mut self, namespace: &str) -> Arc<str> {
        if let Some(found) = self.kept.iter().find(|kept| ***kept == *namespace) {
            return Arc::clone(found);
        }
        let namespace: Arc<str> = namespace.into();
        if self.kept.len() < NAMESPACES_KEPT {
            self.kept.push(Arc::clone(&namespace));
        }
        namespace
    }
}
