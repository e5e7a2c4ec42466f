//! Keys: made here, written as one line of base64, told apart by an id that is derived from them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::Key;
use chacha20poly1305::aead::Generate;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::TrustError;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of the hash that make a key's id.
const ID_BYTES: usize = 8;
/// The largest file that a key is read from.
pub const KEY_FILE_BYTES_MAX: u64 = 1024;

/// Tells keys apart: 16 hexadecimal digits derived from the key. Nothing can be learnt from it about the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// An id as it was stored; any text, since an id that no key has only finds no key.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that seals and opens. Its bytes are wiped when the last copy is dropped, and never shown.
#[derive(Clone)]
pub struct SealingKey {
    id: KeyId,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SealingKey {
    /// A new key from the operating system's random numbers.
    ///
    /// # Errors
    /// [`TrustError::GenerateKey`] when there are none.
    pub fn generate() -> Result<Self, TrustError> {
        let key = Key::try_generate().map_err(|_none| TrustError::GenerateKey)?;
        Ok(Self::of(Zeroizing::new(key.into())))
    }

    /// Reads a key as it is written: 32 bytes in base64 (44 characters) or hexadecimal (64). White space around
    /// it does not count. `origin` names it in the error, like `secrets.key`.
    ///
    /// # Errors
    /// [`TrustError::KeyForm`].
    pub fn parse(text: &SecretString, origin: &str) -> Result<Self, TrustError> {
        let form = |reason| TrustError::KeyForm { origin: origin.to_owned(), reason };
        let text = text.expose_secret().trim();
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if text.len() == 2 * KEY_BYTES {
            hex::decode_to_slice(text, bytes.as_mut_slice())
                .map_err(|_shows_a_character| form("it has 64 characters that are no hexadecimal digits"))?;
        } else {
            // the buffer that the decoder asks for is larger than what it fills
            let mut decoded = Zeroizing::new([0; 2 * KEY_BYTES]);
            let length = STANDARD
                .decode_slice(text, decoded.as_mut_slice())
                .map_err(|_shows_a_character| form("it is neither base64 nor hexadecimal of 32 bytes"))?;
            if length != KEY_BYTES {
                return Err(form("it is base64, but not of 32 bytes"));
            }
            bytes.copy_from_slice(&decoded[..KEY_BYTES]);
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(form("it is one byte repeated, which is no key"));
        }
        Ok(Self::of(bytes))
    }

    /// Reads the file that holds a key and nothing else.
    ///
    /// # Errors
    /// [`TrustError::Read`], [`TrustError::KeyForm`].
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let failed = |source| TrustError::Read { what: "a sealing key", path: path.to_owned(), source };
        let mut text = Zeroizing::new(String::new());
        let file = File::open(path).map_err(failed)?;
        file.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > KEY_FILE_BYTES_MAX {
            return Err(failed(std::io::Error::other("larger than any key")));
        }
        Self::parse(&text.as_str().into(), &path.display().to_string())
    }

    /// Writes the key to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`TrustError::WriteKey`]; a file that exists is never overwritten: what is sealed under the key in it
    /// would be lost.
    pub fn write_new(&self, path: &Path) -> Result<(), TrustError> {
        let failed = |source| TrustError::WriteKey { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(self.text().expose_secret().as_bytes()).map_err(failed)?;
        file.write_all(b"\n").map_err(failed)?;
        // a key that is lost with the machine's power takes every secret with it
        file.sync_all().map_err(failed)
    }

    /// Which users besides its owner can read or change this file? `None` when only the owner's group may read
    /// it (a mounted secret is like that).
    ///
    /// # Errors
    /// [`TrustError::Read`].
    pub fn exposed(path: &Path) -> Result<Option<&'static str>, TrustError> {
        let failed = |source| TrustError::Read { what: "a sealing key", path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(failed)?.mode();
        Ok(match mode {
            _ if mode & 0o002 != 0 => Some("every user of this machine can change it"),
            _ if mode & 0o004 != 0 => Some("every user of this machine can read it"),
            _ if mode & 0o020 != 0 => Some("its group can change it"),
            _ => None,
        })
    }

    /// Its id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key in base64, as [`parse`](Self::parse) reads it.
    pub fn text(&self) -> SecretString {
        STANDARD.encode(self.bytes.as_slice()).into()
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    fn of(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let hash = Sha256::new()
            .chain_update(b"kommuneklient id of a sealing key")
            .chain_update(bytes.as_slice())
            .finalize();
        Self { id: KeyId(hex::encode(&hash[..ID_BYTES])), bytes }
    }
}
