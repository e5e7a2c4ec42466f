//! The three messages (MS-NLMP section 2.2.1): reading all of them within limits, writing the server's.

use crate::NtlmError;

#[cfg(test)]
pub(crate) mod tests;

/// The longest message that is read, in bytes. Real ones stay below 3 KiB, whatever the names in a directory.
pub const BYTES_MAX: usize = 12 << 10;
/// Attribute-value pairs that are read at most; the specification knows eleven kinds.
const PAIRS_MAX: usize = 64;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Flags of a negotiation (MS-NLMP section 2.2.2.5) that matter here.
pub mod flag {
    /// Texts are UTF-16.
    pub const UNICODE: u32 = 0x0000_0001;
    /// The client wants to know whom it talks to.
    pub const REQUEST_TARGET: u32 = 0x0000_0004;
    /// What follows the login is signed.
    pub const SIGN: u32 = 0x0000_0010;
    /// What follows the login is encrypted.
    pub const SEAL: u32 = 0x0000_0020;
    /// LAN Manager's session key: the weakest of all.
    pub const LM_KEY: u32 = 0x0000_0080;
    /// NTLM at all.
    pub const NTLM: u32 = 0x0000_0200;
    /// Nobody in particular logs on.
    pub const ANONYMOUS: u32 = 0x0000_0800;
    /// The name in the challenge is a domain's.
    pub const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
    /// A session key is made for signing always.
    pub const ALWAYS_SIGN: u32 = 0x0000_8000;
    /// Session security of the second kind; NTLMv2 has it.
    pub const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    /// The challenge tells of the server, which NTLMv2 signs.
    pub const TARGET_INFO: u32 = 0x0080_0000;
    /// A version stands in the message.
    pub const VERSION: u32 = 0x0200_0000;
    /// Keys of 128 bits.
    pub const KEY_128: u32 = 0x2000_0000;
    /// The client chooses the session key and sends it encrypted.
    pub const KEY_EXCHANGE: u32 = 0x4000_0000;
    /// Keys of 56 bits.
    pub const KEY_56: u32 = 0x8000_0000;
}

/// Kinds of attribute-value pairs (MS-NLMP section 2.2.2.1).
pub mod pair {
    /// The last one.
    pub const END: u16 = 0;
    /// The server's NetBIOS name.
    pub const COMPUTER: u16 = 1;
    /// Its domain's NetBIOS name.
    pub const DOMAIN: u16 = 2;
    /// Flags; bit 1 says that the message is protected by an integrity check.
    pub const FLAGS: u16 = 6;
    /// When the challenge was made.
    pub const TIMESTAMP: u16 = 7;
    /// The MD5 hash of the channel binding.
    pub const CHANNEL_BINDINGS: u16 = 10;
}

/// In the value of [`pair::FLAGS`]: an integrity check is there.
pub const FLAG_INTEGRITY: u32 = 2;

/// An attribute-value pair: its kind and its value.
pub type Pair = (u16, Vec<u8>);

/// How a challenge asks for less than NTLMv2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It does not want NTLM, or wants LAN Manager's key.
    Lm,
    /// It has no extended session security: NTLMv1.
    V1,
    /// It tells nothing of the server, so that an answer would not be bound to it: NTLMv1.
    NoTargetInfo,
    /// Its texts are not UTF-16: older than all of this.
    Oem,
}

impl Weakness {
    /// For logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lm => "lm",
            Self::V1 => "ntlmv1",
            Self::NoTargetInfo => "ntlmv1 (no target information)",
            Self::Oem => "oem character set",
        }
    }
}

/// The client's first message, as a server reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiate {
    /// What it proposes.
    pub flags: u32,
}

impl Negotiate {
    /// Reads it.
    ///
    /// # Errors
    /// [`NtlmError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, NtlmError> {
        let reader = Reader::of(bytes, 1, "negotiate")?;
        Ok(Self { flags: reader.u32(12, "flags")? })
    }
}

/// The server's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What it agrees to.
    pub flags: u32,
    /// The random number that the answer is made of.
    pub nonce: [u8; 8],
    /// The server's or its domain's name.
    pub target_name: Vec<u8>,
    /// What it tells of itself; without the pair that ends the list.
    pub target_info: Vec<Pair>,
}

impl Challenge {
    const FIXED: usize = 56;

    /// Reads it.
    ///
    /// # Errors
    /// [`NtlmError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, NtlmError> {
        let reader = Reader::of(bytes, 2, "challenge")?;
        let flags = reader.u32(20, "flags")?;
        let nonce = reader.array(24, "server challenge")?;
        let target_name = reader.field(12, "target name")?.to_vec();
        let target_info = match flags & flag::TARGET_INFO {
            0 => Vec::new(),
            _ => read_pairs(reader.field(40, "target information")?)?,
        };
        Ok(Self { flags, nonce, target_name, target_info })
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let info = write_pairs(&self.target_info);
        let mut bytes = Vec::with_capacity(Self::FIXED + self.target_name.len() + info.len());
        bytes.extend_from_slice(SIGNATURE);
        bytes.extend_from_slice(&2_u32.to_le_bytes());
        put_field(&mut bytes, self.target_name.len(), Self::FIXED);
        bytes.extend_from_slice(&self.flags.to_le_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&[0; 8]);
        put_field(&mut bytes, info.len(), Self::FIXED + self.target_name.len());
        // Windows 10, as a server of these days says; the last byte is the revision of NTLM
        bytes.extend_from_slice(&[10, 0, 0x63, 0x45, 0, 0, 0, 15]);
        bytes.extend_from_slice(&self.target_name);
        bytes.extend_from_slice(&info);
        bytes
    }

    /// How it asks for less than NTLMv2; `None` = it does not. To be asked before anything is answered: what an answer
    /// of the older kinds is made of gives the password away.
    pub fn weakness(&self) -> Option<Weakness> {
        let lacks = |wanted: u32| self.flags & wanted == 0;
        if lacks(flag::UNICODE) {
            Some(Weakness::Oem)
        } else if lacks(flag::NTLM) || (!lacks(flag::LM_KEY) && lacks(flag::EXTENDED_SESSION_SECURITY)) {
            Some(Weakness::Lm)
        } else if lacks(flag::EXTENDED_SESSION_SECURITY) {
            Some(Weakness::V1)
        } else if lacks(flag::TARGET_INFO) || self.target_info.is_empty() {
            Some(Weakness::NoTargetInfo)
        } else {
            None
        }
    }
}

/// The client's second message, as a server reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// What is agreed.
    pub flags: u32,
    /// The domain that the account is of.
    pub domain: String,
    /// The account.
    pub user: String,
    /// The answer of LAN Manager's kind.
    pub lm_response: Vec<u8>,
    /// The answer.
    pub nt_response: Vec<u8>,
    /// The session key that the client chose, encrypted; empty = none.
    pub session_key: Vec<u8>,
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate")
            .field("domain", &self.domain)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Authenticate {
    /// Where the integrity check stands when there is one.
    pub(crate) const INTEGRITY: std::ops::Range<usize> = 72..88;

    /// Reads it.
    ///
    /// # Errors
    /// [`NtlmError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, NtlmError> {
        let reader = Reader::of(bytes, 3, "authenticate")?;
        let flags = reader.u32(60, "flags")?;
        let text = |at, field| utf16_text(reader.field(at, field)?, field);
        Ok(Self {
            flags,
            domain: text(28, "domain")?,
            user: text(36, "user")?,
            lm_response: reader.field(12, "lm response")?.to_vec(),
            nt_response: reader.field(20, "nt response")?.to_vec(),
            session_key: reader.field(52, "session key")?.to_vec(),
        })
    }
}

/// Reads within a message.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8], kind: u32, expected: &'static str) -> Result<Self, NtlmError> {
        if bytes.len() > BYTES_MAX {
            return Err(NtlmError::TooLong { limit_bytes: BYTES_MAX });
        }
        let reader = Self { bytes };
        if !bytes.starts_with(SIGNATURE) || reader.u32(8, "type")? != kind {
            return Err(NtlmError::OtherMessage { expected });
        }
        Ok(reader)
    }

    fn array<const N: usize>(&self, at: usize, part: &'static str) -> Result<[u8; N], NtlmError> {
        let piece = self.bytes.get(at..at + N).and_then(|piece| piece.try_into().ok());
        piece.ok_or(NtlmError::TooShort { part })
    }

    fn u32(&self, at: usize, part: &'static str) -> Result<u32, NtlmError> {
        self.array(at, part).map(u32::from_le_bytes)
    }

    /// What the lengths and the offset at `at` point to.
    fn field(&self, at: usize, field: &'static str) -> Result<&'a [u8], NtlmError> {
        let length = usize::from(u16::from_le_bytes(self.array(at, field)?));
        let offset = self.u32(at + 4, field)? as usize;
        if length == 0 {
            return Ok(&[]);
        }
        let end = offset.checked_add(length).ok_or(NtlmError::Outside { field })?;
        self.bytes.get(offset..end).ok_or(NtlmError::Outside { field })
    }
}

fn utf16_text(bytes: &[u8], field: &'static str) -> Result<String, NtlmError> {
    if !bytes.len().is_multiple_of(2) {
        return Err(NtlmError::Malformed { field });
    }
    let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| NtlmError::Malformed { field })
}

/// Reads attribute-value pairs up to the one that ends them.
///
/// # Errors
/// [`NtlmError::Malformed`]: no end, a length beyond the list, or more pairs than there can be.
pub fn read_pairs(mut bytes: &[u8]) -> Result<Vec<Pair>, NtlmError> {
    let malformed = NtlmError::Malformed { field: "target information" };
    let mut pairs = Vec::new();
    loop {
        let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return Err(malformed) };
        let kind = u16::from_le_bytes([head[0], head[1]]);
        if kind == pair::END {
            return Ok(pairs);
        }
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let Some((value, rest)) = rest.split_at_checked(length) else { return Err(malformed) };
        if pairs.len() == PAIRS_MAX {
            return Err(malformed);
        }
        pairs.push((kind, value.to_vec()));
        bytes = rest;
    }
}

pub(crate) fn write_pairs(pairs: &[Pair]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, value) in pairs {
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
        bytes.extend_from_slice(value);
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

pub(crate) fn put_field(bytes: &mut Vec<u8>, length: usize, offset: usize) {
    let length = (length as u16).to_le_bytes();
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&(offset as u32).to_le_bytes());
}
