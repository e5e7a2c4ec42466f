//! How large a message may be, so that a hostile or broken peer costs a bounded amount of work.

/// Limits of one message. Every number is inclusive: exactly that much still passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message.
    pub bytes: usize,
    /// Elements open at one time. Above [`Limits::DEPTH_MAX`] it counts as that.
    pub depth: usize,
    /// Bytes of the text of one element, and of one attribute's value.
    pub text: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Elements of the whole message.
    pub elements: usize,
}

impl Limits {
    /// No message may be deeper, whatever the setting: [`Node`](crate::Node) trees are walked recursively.
    pub const DEPTH_MAX: usize = 256;

    /// Limits for an answer with up to about a thousand calendar items: 32 MiB, 64 deep, 4 MiB of text in
    /// one element, 64 attributes, a million elements.
    pub const fn standard() -> Self {
        Self { bytes: 32 << 20, depth: 64, text: 4 << 20, attributes: 64, elements: 1_000_000 }
    }

    /// The same with another size of the whole message.
    pub const fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::standard()
    }
}
