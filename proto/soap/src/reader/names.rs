//! Names of elements that were met before: a message repeats a few of them over and over, and what was looked at once
//! need not be looked at again where the prefixes stand for the same.

use super::scope::Namespace;

/// How many names are kept; messages here use about twenty. A power of two.
const KEPT: usize = 64;

#[derive(Debug)]
struct Name<'i> {
    /// As it was written.
    raw: &'i str,
    local: &'i str,
    namespace: Namespace<'i>,
    /// The state of the scope that says so.
    changes: u64,
}

/// The names that were met last, each in its place.
#[derive(Debug)]
pub(super) struct Names<'i>([Option<Name<'i>>; KEPT]);

impl<'i> Names<'i> {
    pub(super) const fn new() -> Self {
        Self([const { None }; KEPT])
    }

    /// What the name `raw` was found to be in this state of the scope: its name without prefix, and its namespace.
    pub(super) fn known(&self, raw: &str, changes: u64) -> Option<(&'i str, Namespace<'i>)> {
        let known = self.0[place(raw)].as_ref()?;
        (known.changes == changes && known.raw == raw).then(|| (known.local, known.namespace.clone()))
    }

    /// Keeps what was found, in the place of another name.
    pub(super) fn keep(&mut self, raw: &'i str, local: &'i str, namespace: Namespace<'i>, changes: u64) {
        self.0[place(raw)] = Some(Name { raw, local, namespace, changes });
    }
}

/// Where a name is kept. Any function does; with this one the names of Exchange's messages are nearly all in places of their own.
fn place(raw: &str) -> usize {
    let bytes = raw.as_bytes();
    let byte = |at: usize| bytes.get(at).map_or(0, |byte| usize::from(*byte));
    let len = bytes.len();
    let (last, before) = (byte(len.wrapping_sub(1)), byte(len.wrapping_sub(3)));
    (13 * len + 3 * last + 5 * byte(len / 2) + 3 * before) % KEPT
}
