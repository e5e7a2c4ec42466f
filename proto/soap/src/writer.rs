//! The writer: elements with the prefixes that the caller chose.
//!
//! Names are the program's own and are written as they are; texts and values are escaped. Characters that
//! XML 1.0 forbids are dropped, since no reference may name them either. When the message grows beyond its
//! limit the writer goes silent and [`Writer::finish`] says so, so that encoders need no error handling.

use std::fmt::Write as _;

use crate::Error;

#[cfg(test)]
mod tests;

/// Writes one message.
#[derive(Debug)]
pub struct Writer {
    out: String,
    limit: usize,
    /// The start tag written last still lacks its `>`.
    tag_open: bool,
    full: bool,
}

impl Writer {
    /// Limit that suits every message of this product: 32 MiB.
    pub const STANDARD_LIMIT: usize = 32 << 20;

    /// A writer of at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { out: String::new(), limit, tag_open: false, full: false }
    }

    /// The XML declaration; first of all or not at all.
    pub fn declaration(&mut self) {
        self.push(r#"<?xml version="1.0" encoding="utf-8"?>"#);
    }

    /// An element with what `content` writes: attributes first, then text and children.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.end_tag();
        self.push("<");
        self.push(name);
        self.tag_open = true;
        content(self);
        if self.tag_open {
            self.tag_open = false;
            self.push("/>");
        } else {
            self.push("</");
            self.push(name);
            self.push(">");
        }
    }

    /// An element with a text.
    pub fn leaf(&mut self, name: &str, text: &str) {
        self.element(name, |w| w.text(text));
    }

    /// An element with a value's display form as text.
    pub fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        self.leaf(name, &value.to_string());
    }

    /// An element with a text, if there is one.
    pub fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str) {
        self.element(name, |_| {});
    }

    /// An attribute of the element just begun; ignored once the element has content, which would be the
    /// caller's mistake.
    pub fn attribute(&mut self, name: &str, value: &str) {
        debug_assert!(self.tag_open, "an attribute comes before the content");
        if !self.tag_open {
            return;
        }
        self.push(" ");
        self.push(name);
        self.push("=\"");
        self.escaped(value, true);
        self.push("\"");
    }

    /// Text, escaped.
    pub fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.end_tag();
        self.escaped(text, false);
    }

    /// A line end between elements, where the other side expects one.
    pub fn line(&mut self) {
        self.end_tag();
        self.push("\n");
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.out.len()
    }

    /// Nothing written yet?
    pub const fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The message, or the error that it grew too large.
    pub fn finish(self) -> Result<String, Error> {
        if self.full { Err(Error::OutputTooLarge { limit: self.limit }) } else { Ok(self.out) }
    }

    /// Takes back everything after `length` bytes: the start of an element that got no content.
    pub(crate) fn take_back(&mut self, length: usize) {
        self.out.truncate(length);
        self.tag_open = false;
    }

    /// Ends the start tag under construction, so that later text counts as content.
    pub(crate) fn end_tag(&mut self) {
        if self.tag_open {
            self.tag_open = false;
            self.push(">");
        }
    }

    fn push(&mut self, text: &str) {
        if self.full || self.out.len() + text.len() > self.limit {
            self.full = true;
            return;
        }
        self.out.push_str(text);
    }

    fn escaped(&mut self, text: &str, in_attribute: bool) {
        let mut plain_from = 0;
        for (position, character) in text.char_indices() {
            let replacement = match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' if in_attribute => "&quot;",
                // A reader would turn these into a line feed or a blank.
                '\r' => "&#xD;",
                '\n' if in_attribute => "&#xA;",
                '\t' if in_attribute => "&#x9;",
                c if crate::reader::escape::is_legal(c) => continue,
                _ => "",
            };
            self.push(&text[plain_from..position]);
            self.push(replacement);
            plain_from = position + character.len_utf8();
        }
        self.push(&text[plain_from..]);
    }
}

/// Formatting straight into the message as escaped text.
impl std::fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.text(text);
        Ok(())
    }
}

impl Writer {
    /// Text from format arguments.
    pub fn format(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing into this writer cannot fail; a value's own Display might, and then its text is cut.
        let _ = self.write_fmt(arguments);
    }
}
