//! Cutting the body of GetStreamingEvents into envelopes.
//!
//! The body is one complete envelope after the other, cut into pieces wherever the network likes, in the middle of
//! a character too. An envelope ends where its root element ends, so the splitter follows the markup byte by
//! byte: tags with their quoted attributes, comments, CDATA, processing instructions. UTF-8 needs no care: no
//! byte of a longer character looks like markup. Between envelopes white space, XML declarations and comments
//! are passed over; anything else is an error, and so is a root element other than `Envelope` (a proxy's HTML
//! page). The splitter does not check the XML: the decoder does.

use base::Disposition;
use memchr::{memchr, memchr3};

/// Longest name of a root element, with its prefix.
const ROOT_NAME_MAX: usize = 256;
/// What follows `<!` where CDATA begins.
const CDATA: &[u8] = b"[CDATA[";
/// A byte order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Longest line with a chunk's length, in digits.
const CHUNK_DIGITS_MAX: usize = 8;

/// Cuts a stream of envelopes, given in arbitrary pieces, into messages.
#[derive(Debug)]
pub struct StreamSplitter {
    limit: usize,
    /// The unfinished envelope, from the first byte of its root element.
    buffer: Vec<u8>,
    /// An envelope's root element has begun.
    inside: bool,
    /// Open elements; 0 between envelopes and in a root's start tag.
    depth: usize,
    /// Name of the root element that begins.
    root_name: Vec<u8>,
    state: State,
    failed: Option<SplitError>,
}

/// Where in the markup the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Text, or white space between envelopes.
    Text,
    /// After `<`.
    Open,
    /// After `<!`.
    Bang,
    /// After `<!-`.
    BangDash,
    /// After `<!` and so many bytes of [`CDATA`].
    BangCData { matched: usize },
    /// In a comment, after so many dashes (at most 2).
    Comment { dashes: u8 },
    /// In CDATA, after so many closing brackets (at most 2).
    CData { brackets: u8 },
    /// In a processing instruction or XML declaration, perhaps after `?`.
    Instruction { question: bool },
    /// In the name of a root element.
    RootName,
    /// In a start tag, perhaps in a quoted value, perhaps right after a slash.
    StartTag { quote: Option<u8>, slash: bool },
    /// In an end tag.
    EndTag,
    /// Between envelopes, in hexadecimal digits: perhaps a chunk's length.
    Digits { count: usize },
    /// Between envelopes, in a byte order mark.
    ByteOrderMark { matched: usize },
}

/// What a byte did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing that concerns an envelope's borders.
    None,
    /// A root element begins; its `<` was the byte before.
    Begins,
    /// The root element ends with this byte.
    Ends,
}

/// Why a stream cannot be cut. The connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// An envelope is larger than the limit.
    #[error("an envelope of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Something that is no envelope stands in the stream; an HTML page of a proxy, for example.
    #[error("the stream holds no envelope: {what}")]
    NotXml {
        /// What was found.
        what: &'static str,
    },
    /// The length of an HTTP chunk stands between envelopes.
    #[error("http chunk lengths stand inside the stream, a proxy on the way is broken")]
    BrokenProxy,
}

impl SplitError {
    /// A new connection may well be in order; what is too large may come again, so the owner of the
    /// connection has to decide.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::TooLarge { .. } => Disposition::Escalate,
            Self::NotXml { .. } | Self::BrokenProxy => Disposition::RETRY,
        }
    }
}

impl StreamSplitter {
    /// Largest envelope that a stream of this product needs: 4 MiB.
    pub const STANDARD_LIMIT: usize = 4 << 20;

    /// A splitter that holds at most `limit` bytes of an unfinished envelope.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: Vec::new(),
            inside: false,
            depth: 0,
            root_name: Vec::new(),
            state: State::Text,
            failed: None,
        }
    }

    /// Takes the next piece of the body and gives the envelopes that it completes, in order, each with
    /// nothing before its root element. After an error nothing more comes out, only the same error;
    /// envelopes that the same piece completed before it are lost with the connection, which the sync after
    /// every gap repairs (B7).
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, SplitError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.split(piece);
        if let Err(error) = result {
            self.failed = Some(error);
            self.buffer = Vec::new();
        }
        result
    }

    /// Is something begun and not yet complete? Asked at the end of the body: an envelope was lost then.
    pub const fn is_inside(&self) -> bool {
        self.inside || !matches!(self.state, State::Text)
    }

    /// Bytes held of an unfinished envelope; never above the limit.
    pub const fn held(&self) -> usize {
        self.buffer.len()
    }

    fn split(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, SplitError> {
        let mut envelopes = Vec::new();
        // While inside: bytes of this piece from here on are not yet in the buffer.
        let mut from = 0;
        let mut position = 0;
        while position < piece.len() {
            position += self.skip(&piece[position..]);
            let Some(&byte) = piece.get(position) else { break };
            // before the byte is looked at, so that it does not depend on the pieces which error comes first
            if self.inside && self.buffer.len() + (position - from) >= self.limit {
                return Err(SplitError::TooLarge { limit: self.limit });
            }
            match self.step(byte)? {
                Effect::None => {}
                Effect::Begins => {
                    self.keep(b"<")?;
                    from = position;
                }
                Effect::Ends => {
                    self.keep(&piece[from..=position])?;
                    envelopes.push(std::mem::take(&mut self.buffer));
                }
            }
            position += 1;
        }
        if self.inside {
            self.keep(&piece[from..])?;
        }
        Ok(envelopes)
    }

    /// Goes over bytes that stand between two that matter, and says how many: text inside an envelope, and what
    /// stands in tags. Most bytes of a stream are such.
    fn skip(&mut self, rest: &[u8]) -> usize {
        let found = match self.state {
            State::Text if self.inside => memchr(b'<', rest),
            State::EndTag => memchr(b'>', rest),
            State::StartTag { quote: Some(quote), .. } => memchr(quote, rest),
            State::StartTag { quote: None, .. } => memchr3(b'>', b'"', b'\'', rest),
            _ => return 0,
        };
        let skipped = found.unwrap_or(rest.len());
        if let (State::StartTag { quote: None, slash }, Some(last)) =
            (&mut self.state, rest[..skipped].last())
        {
            *slash = *last == b'/';
        }
        skipped
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        if self.buffer.len() + bytes.len() > self.limit {
            return Err(SplitError::TooLarge { limit: self.limit });
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<Effect, SplitError> {
        let mut effect = Effect::None;
        self.state = match self.state {
            State::Text if byte == b'<' => State::Open,
            State::Text if self.inside => State::Text,
            State::Text => between(byte)?,
            State::Open if byte == b'!' => State::Bang,
            State::Open if byte == b'?' => State::Instruction { question: false },
            State::Open if byte == b'/' && self.inside => State::EndTag,
            State::Open if self.inside => self.start_tag(byte, None, false, &mut effect),
            State::Open => {
                self.begin(byte)?;
                effect = Effect::Begins;
                State::RootName
            }
            State::Bang if byte == b'-' => State::BangDash,
            State::Bang if byte == CDATA[0] && self.inside => State::BangCData { matched: 1 },
            State::Bang => return Err(SplitError::NotXml { what: "a document type" }),
            State::BangDash if byte == b'-' => State::Comment { dashes: 0 },
            State::BangDash => return Err(SplitError::NotXml { what: "unknown markup" }),
            State::BangCData { matched } if byte != CDATA[matched] => {
                return Err(SplitError::NotXml { what: "unknown markup" });
            }
            State::BangCData { matched } if matched + 1 == CDATA.len() => State::CData { brackets: 0 },
            State::BangCData { matched } => State::BangCData { matched: matched + 1 },
            State::Comment { dashes: 2 } if byte == b'>' => State::Text,
            State::Comment { dashes } => State::Comment { dashes: run(dashes, byte == b'-') },
            State::CData { brackets: 2 } if byte == b'>' => State::Text,
            State::CData { brackets } => State::CData { brackets: run(brackets, byte == b']') },
            State::Instruction { question: true } if byte == b'>' => State::Text,
            State::Instruction { .. } => State::Instruction { question: byte == b'?' },
            State::RootName => self.root_name(byte, &mut effect)?,
            State::StartTag { quote, slash } => self.start_tag(byte, quote, slash, &mut effect),
            State::EndTag if byte == b'>' => self.close(&mut effect),
            State::EndTag => State::EndTag,
            State::Digits { count } => digits(byte, count)?,
            State::ByteOrderMark { matched } => byte_order_mark(byte, matched)?,
        };
        Ok(effect)
    }

    fn begin(&mut self, byte: u8) -> Result<(), SplitError> {
        if matches!(byte, b'/' | b'>' | b' ' | b'\t' | b'\r' | b'\n') {
            return Err(SplitError::NotXml { what: "a tag without a name" });
        }
        self.inside = true;
        self.root_name.clear();
        self.root_name.push(byte);
        Ok(())
    }

    fn root_name(&mut self, byte: u8, effect: &mut Effect) -> Result<State, SplitError> {
        if !matches!(byte, b'/' | b'>' | b' ' | b'\t' | b'\r' | b'\n') {
            if self.root_name.len() >= ROOT_NAME_MAX {
                return Err(SplitError::NotXml { what: "an endless name" });
            }
            self.root_name.push(byte);
            return Ok(State::RootName);
        }
        let local = self.root_name.rsplit(|b| *b == b':').next();
        if local != Some(b"Envelope") {
            return Err(SplitError::NotXml { what: "another root element" });
        }
        Ok(self.start_tag(byte, None, false, effect))
    }

    fn start_tag(&mut self, byte: u8, quote: Option<u8>, slash: bool, effect: &mut Effect) -> State {
        match (quote, byte) {
            (Some(open), _) => State::StartTag { quote: (byte != open).then_some(open), slash: false },
            (None, b'>') => {
                self.depth += 1;
                if slash { self.close(effect) } else { State::Text }
            }
            (None, b'"' | b'\'') => State::StartTag { quote: Some(byte), slash: false },
            (None, _) => State::StartTag { quote: None, slash: byte == b'/' },
        }
    }

    /// An element ends with this byte.
    fn close(&mut self, effect: &mut Effect) -> State {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.inside = false;
            *effect = Effect::Ends;
        }
        State::Text
    }
}

/// One more of a run of equal bytes that ends a comment or CDATA; two of them are enough.
fn run(seen: u8, one_more: bool) -> u8 {
    if one_more { (seen + 1).min(2) } else { 0 }
}

/// A byte between envelopes that is no markup.
fn between(byte: u8) -> Result<State, SplitError> {
    match byte {
        b' ' | b'\t' | b'\r' | b'\n' => Ok(State::Text),
        b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => Ok(State::Digits { count: 1 }),
        _ if byte == BYTE_ORDER_MARK[0] => Ok(State::ByteOrderMark { matched: 1 }),
        _ => Err(SplitError::NotXml { what: "text between envelopes" }),
    }
}

fn digits(byte: u8, count: usize) -> Result<State, SplitError> {
    match byte {
        b'\r' => Err(SplitError::BrokenProxy),
        _ if byte.is_ascii_hexdigit() && count < CHUNK_DIGITS_MAX => Ok(State::Digits { count: count + 1 }),
        _ => Err(SplitError::NotXml { what: "text between envelopes" }),
    }
}

fn byte_order_mark(byte: u8, matched: usize) -> Result<State, SplitError> {
    if byte != BYTE_ORDER_MARK[matched] {
        return Err(SplitError::NotXml { what: "text between envelopes" });
    }
    let complete = matched + 1 == BYTE_ORDER_MARK.len();
    Ok(if complete { State::Text } else { State::ByteOrderMark { matched: matched + 1 } })
}
