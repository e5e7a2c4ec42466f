//! Identifiers as clients see them: item ids, folder ids, change keys, subscription ids.
//!
//! They look like Exchange's (base64 of a mailbox GUID and numbers, so they are case-sensitive and
//! carry their mailbox), and clients must treat them as opaque. An item that moves to another folder
//! gets a new number and with it a new id; an occurrence's id is its master's id followed by the
//! original local start, so it is stable however often the occurrence is changed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil;
use sha2::{Digest, Sha256};

/// A mailbox's GUID, derived from its address: the same address has the same GUID after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxKey(pub u128);

impl MailboxKey {
    /// The key of an address (compared without case).
    pub fn of(address: &str) -> Self {
        let digest = Sha256::digest(address.trim().to_lowercase().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(bytes))
    }

    fn text(self) -> String {
        uuid::Uuid::from_u128(self.0).hyphenated().to_string()
    }
}

/// The folders that a simulated mailbox has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FolderKind {
    /// `root`: the invisible top of the mailbox.
    Root,
    /// `msgfolderroot`: what people see as the top.
    MsgFolderRoot,
    /// `inbox`, always empty here.
    Inbox,
    /// `calendar`.
    Calendar,
    /// `deleteditems`.
    DeletedItems,
    /// `recoverableitemsdeletions`, the dumpster.
    Dumpster,
}

impl FolderKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Root, Self::MsgFolderRoot, Self::Inbox, Self::Calendar, Self::DeletedItems, Self::Dumpster];

    /// The folder of a `DistinguishedFolderId`; `None` for those that this server does not have.
    pub fn from_distinguished(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.distinguished() == name)
    }

    /// The name in a `DistinguishedFolderId`.
    pub const fn distinguished(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::MsgFolderRoot => "msgfolderroot",
            Self::Inbox => "inbox",
            Self::Calendar => "calendar",
            Self::DeletedItems => "deleteditems",
            Self::Dumpster => "recoverableitemsdeletions",
        }
    }

    /// The name that people see.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::MsgFolderRoot => "Top of Information Store",
            Self::Inbox => "Inbox",
            Self::Calendar => "Calendar",
            Self::DeletedItems => "Deleted Items",
            Self::Dumpster => "Deletions",
        }
    }

    /// The folder above; `Root` is its own.
    pub const fn parent(self) -> Self {
        match self {
            Self::Root | Self::MsgFolderRoot | Self::Dumpster => Self::Root,
            Self::Inbox | Self::Calendar | Self::DeletedItems => Self::MsgFolderRoot,
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Root => 1,
            Self::MsgFolderRoot => 8,
            Self::Inbox => 12,
            Self::Calendar => 13,
            Self::DeletedItems => 10,
            Self::Dumpster => 17,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// What an item id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ItemKey {
    /// The mailbox that holds the item.
    pub mailbox: MailboxKey,
    /// The folder that it was in when the id was made.
    pub folder: FolderKind,
    /// The item's number in its mailbox, never used again.
    pub number: u64,
    /// For an occurrence: its original start, local in the series' zone.
    pub occurrence: Option<civil::DateTime>,
}

/// What a folder id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FolderKey {
    /// The mailbox.
    pub mailbox: MailboxKey,
    /// The folder in it.
    pub folder: FolderKind,
}

/// Text that is no id of this server (`ErrorInvalidIdMalformed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this server")]
pub struct MalformedId;

// An id starts like Exchange's own (base64 of it begins with AAMk): a marker and the length of the GUID.
const HEAD: [u8; 3] = [0x00, 0x03, 0x24];
const GUID_TEXT: usize = 36;
const ITEM: u8 = 0x46;
const FOLDER: u8 = 0x2e;
const BODY: usize = HEAD.len() + GUID_TEXT;

fn head(mailbox: MailboxKey, marker: u8, folder: FolderKind) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend(HEAD);
    bytes.extend(mailbox.text().as_bytes());
    bytes.extend([0, marker, folder.number()]);
    bytes
}

fn parse_head(bytes: &[u8], marker: u8) -> Result<(MailboxKey, FolderKind, &[u8]), MalformedId> {
    let rest = bytes.strip_prefix(&HEAD).ok_or(MalformedId)?;
    let (guid, rest) = rest.split_at_checked(GUID_TEXT).ok_or(MalformedId)?;
    let guid = std::str::from_utf8(guid).map_err(|_| MalformedId)?;
    let mailbox = MailboxKey(uuid::Uuid::parse_str(guid).map_err(|_| MalformedId)?.as_u128());
    let [0, found, folder, rest @ ..] = rest else { return Err(MalformedId) };
    if *found != marker {
        return Err(MalformedId);
    }
    Ok((mailbox, FolderKind::from_number(*folder).ok_or(MalformedId)?, rest))
}

impl ItemKey {
    /// The id on the wire.
    pub fn encode(&self) -> String {
        let mut bytes = head(self.mailbox, ITEM, self.folder);
        bytes.extend(self.number.to_be_bytes());
        if let Some(at) = self.occurrence {
            let year = u16::try_from(at.year()).unwrap_or(0);
            bytes.extend(year.to_be_bytes());
            bytes.extend([at.month(), at.day(), at.hour(), at.minute(), at.second()].map(i8::unsigned_abs));
        }
        STANDARD.encode(bytes)
    }

    /// Reads an id of the wire.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        let bytes = STANDARD.decode(text).map_err(|_| MalformedId)?;
        let (mailbox, folder, rest) = parse_head(&bytes, ITEM)?;
        let (number, rest) = rest.split_first_chunk::<8>().ok_or(MalformedId)?;
        let occurrence = match *rest {
            [] => None,
            [y1, y2, month, day, hour, minute, second] => {
                let part = |byte: u8| i8::try_from(byte).map_err(|_| MalformedId);
                let year = i16::try_from(u16::from_be_bytes([y1, y2])).map_err(|_| MalformedId)?;
                let (month, day) = (part(month)?, part(day)?);
                let (hour, minute, second) = (part(hour)?, part(minute)?, part(second)?);
                let at = civil::DateTime::new(year, month, day, hour, minute, second, 0);
                Some(at.map_err(|_| MalformedId)?)
            }
            _ => return Err(MalformedId),
        };
        Ok(Self { mailbox, folder, number: u64::from_be_bytes(*number), occurrence })
    }

    /// The id of the series that this occurrence belongs to; the id itself for a stored item.
    pub const fn master(mut self) -> Self {
        self.occurrence = None;
        self
    }

    /// The id of one occurrence of this series.
    pub const fn at(mut self, original: civil::DateTime) -> Self {
        self.occurrence = Some(original);
        self
    }
}

impl FolderKey {
    /// The id on the wire.
    pub fn encode(&self) -> String {
        STANDARD.encode(head(self.mailbox, FOLDER, self.folder))
    }

    /// Reads an id of the wire.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        let bytes = STANDARD.decode(text).map_err(|_| MalformedId)?;
        let (mailbox, folder, rest) = parse_head(&bytes, FOLDER)?;
        if !rest.is_empty() {
            return Err(MalformedId);
        }
        Ok(Self { mailbox, folder })
    }
}

/// The change key of an item at one version of its mailbox.
pub fn item_change_key(mailbox: MailboxKey, version: u64) -> String {
    change_key(0x0f, mailbox, version)
}

/// The change key of a folder at one version of its mailbox.
pub fn folder_change_key(mailbox: MailboxKey, version: u64) -> String {
    change_key(0x02, mailbox, version)
}

/// What real servers put in events instead of a change key (field note 7): an item.
pub const STUB_ITEM: &str = "DwAAAA==";
/// … an item that is no longer there under that id.
pub const STUB_OLD_ITEM: &str = "CQAAAA==";
/// … a parent folder.
pub const STUB_FOLDER: &str = "AQAAAA==";
/// … the calendar folder as the object of an event.
pub const STUB_CALENDAR_FOLDER: &str = "AgAAAA==";

fn change_key(kind: u8, mailbox: MailboxKey, version: u64) -> String {
    let mut bytes = vec![kind, 0, 0, 0, 0x16, 0, 0, 0];
    bytes.extend(mailbox.0.to_be_bytes());
    bytes.extend(&version.to_be_bytes()[2..]);
    STANDARD.encode(bytes)
}

/// Does a change key that a client sent belong to this version of the item?
pub fn change_key_is(mailbox: MailboxKey, version: u64, text: &str) -> bool {
    item_change_key(mailbox, version) == text
}

/// The id of a subscription, built like Exchange's: length and name of the server, a GUID, the time of
/// its creation in 100 ns ticks since the year 1, the mailbox.
pub fn subscription_id(server: &str, number: u128, created: jiff::Timestamp, mailbox: MailboxKey) -> String {
    const TICKS_AT_UNIX_EPOCH: i128 = 621_355_968_000_000_000;
    let ticks = i64::try_from(created.as_nanosecond() / 100 + TICKS_AT_UNIX_EPOCH).unwrap_or(i64::MAX);
    let length = u16::try_from(server.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(64 + server.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend(server.as_bytes());
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend(ticks.to_le_bytes());
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(mailbox.0.to_be_bytes());
    STANDARD.encode(bytes)
}

/// A sync state: where a client stands in one folder's history.
///
/// A round delivers everything after `since` up to `until`, newest first; `before` is how far back the
/// pages of the round have come. Between rounds all three are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncState {
    /// The folder.
    pub folder: FolderKey,
    /// Everything up to this version has been delivered in earlier rounds.
    pub since: u64,
    /// The version at which this round began.
    pub until: u64,
    /// The round has delivered what is at or above this version.
    pub before: u64,
}

impl SyncState {
    /// The opaque text.
    pub fn encode(&self) -> String {
        let mut bytes = head(self.folder.mailbox, b'S', self.folder.folder);
        for number in [self.since, self.until, self.before] {
            bytes.extend(number.to_be_bytes());
        }
        let check = Sha256::digest(&bytes);
        bytes.extend(&check[..4]);
        STANDARD.encode(bytes)
    }

    /// Reads it; anything that this server did not write is refused.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| MalformedId)?;
        let (content, check) = bytes.split_last_chunk::<4>().ok_or(MalformedId)?;
        if Sha256::digest(content)[..4] != *check {
            return Err(MalformedId);
        }
        let (mailbox, folder, rest) = parse_head(content, b'S')?;
        let numbers: Vec<u64> = rest
            .chunks_exact(8)
            .map(|chunk| chunk.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
            .collect();
        match numbers[..] {
            [since, until, before] if rest.len() == 24 && since <= until => {
                Ok(Self { folder: FolderKey { mailbox, folder }, since, until, before })
            }
            _ => Err(MalformedId),
        }
    }
}

// The length of the common part is what real decoders rely on; keep the constant honest.
const _: () = assert!(BODY == 39);

#[cfg(test)]
mod tests;
