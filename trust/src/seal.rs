//! Sealing of secrets that are kept in the database: a reader of the database, of a backup or of a replica
//! learns nothing from them, and nobody without the key can make one or move one to another place.
//!
//! Method: XChaCha20-Poly1305 with a nonce of 24 bytes from the operating system (docs/adr/0006). What is
//! sealed is bound to its [`Place`] (table, row, field) and to its key: a value that is copied to another row,
//! or said to be of another key, does not open.
//!
//! Layout of a sealed value: one byte for the version (1), the nonce, the ciphertext with its tag. The id of its
//! key stands beside it in the database. The length of the secret can be told from it.
//!
//! Failure: what does not open is an error that names place and key id; whether the key, the place or the bytes
//! are wrong cannot be told apart, and no error holds a key or a secret.

mod key;

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::TrustError;

pub use key::{KEY_FILE_BYTES_MAX, KeyId, SealingKey};

/// The present layout; also part of what a value is bound to.
const VERSION: u8 = 1;
/// Bytes of the nonce.
const NONCE_BYTES: usize = 24;
/// Bytes of the tag that Poly1305 appends.
const TAG_BYTES: usize = 16;
/// The longest secret that is sealed: a private key fits, a file that was named by mistake does not.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// Keys of one ring: the current one and those before it. Rotation removes the need for more.
pub const KEYS_MAX: usize = 16;

/// Where a sealed value is kept. It opens there and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The table's name.
    pub table: &'static str,
    /// The row's id, which never changes.
    pub row: i64,
    /// The column's name.
    pub field: &'static str,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} of row {}", self.table, self.field, self.row)
    }
}

/// A sealed value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key that opens it.
    pub key_id: KeyId,
    /// Version, nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// The key that seals, and older ones that still open.
#[derive(Debug, Clone)]
pub struct KeyRing {
    current: SealingKey,
    previous: Vec<SealingKey>,
}

impl KeyRing {
    /// Puts keys together. The current key among the previous ones, or one of them twice, counts once.
    ///
    /// # Errors
    /// [`TrustError::TooManyKeys`] above [`KEYS_MAX`].
    pub fn new(
        current: SealingKey,
        previous: impl IntoIterator<Item = SealingKey>,
    ) -> Result<Self, TrustError> {
        let mut ring = Self { current, previous: Vec::new() };
        for key in previous {
            if ring.key(key.id()).is_none() {
                ring.previous.push(key);
            }
        }
        if ring.previous.len() >= KEYS_MAX {
            return Err(TrustError::TooManyKeys { limit: KEYS_MAX });
        }
        Ok(ring)
    }

    /// The id of the key that seals.
    pub const fn current(&self) -> &KeyId {
        self.current.id()
    }

    /// The ids of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        std::iter::once(&self.current).chain(&self.previous).map(SealingKey::id)
    }

    /// Seals a secret for its place under the current key. Sealing the same twice gives different bytes.
    ///
    /// # Errors
    /// [`TrustError::SecretTooLong`]; [`TrustError::Seal`] when the operating system gives no random bytes.
    pub fn seal(&self, place: Place, secret: &SecretString) -> Result<Sealed, TrustError> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() > SECRET_BYTES_MAX {
            return Err(TrustError::SecretTooLong { place, limit_bytes: SECRET_BYTES_MAX });
        }
        let nonce = XNonce::try_generate().map_err(|_no_random_bytes| TrustError::Seal { place })?;
        let aad = bound_to(place, self.current.id());
        let ciphertext = cipher(&self.current)
            .encrypt(&nonce, Payload { msg: secret, aad: &aad })
            .map_err(|_opaque| TrustError::Seal { place })?;
        let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&ciphertext);
        Ok(Sealed { key_id: self.current.id().clone(), bytes })
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`TrustError::UnknownKey`] when no key of the ring has its id, [`TrustError::SealedForm`] when it is no
    /// sealed value of a version that is known here, [`TrustError::Open`] when it does not open: it was sealed
    /// for another place, or it was changed.
    pub fn open(&self, place: Place, sealed: &Sealed) -> Result<SecretString, TrustError> {
        let unknown = || TrustError::UnknownKey { place, key_id: sealed.key_id.clone() };
        let key = self.key(&sealed.key_id).ok_or_else(unknown)?;
        let (nonce, ciphertext) = parts(place, &sealed.bytes)?;
        let refused = || TrustError::Open { place, key_id: sealed.key_id.clone() };
        let plain = cipher(key)
            .decrypt(&nonce, Payload { msg: ciphertext, aad: &bound_to(place, key.id()) })
            .map(Zeroizing::new)
            .map_err(|_opaque| refused())?;
        let text = std::str::from_utf8(&plain).map_err(|_not_text| refused())?;
        Ok(text.into())
    }

    fn key(&self, id: &KeyId) -> Option<&SealingKey> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.id() == id)
    }
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

/// Nonce and ciphertext of a stored value.
fn parts(place: Place, bytes: &[u8]) -> Result<(XNonce, &[u8]), TrustError> {
    let form = |reason| TrustError::SealedForm { place, reason };
    let (version, rest) = bytes.split_first().ok_or_else(|| form("it is empty"))?;
    if *version != VERSION {
        return Err(form("it was made by a version of this program that is not known here"));
    }
    if rest.len() < NONCE_BYTES + TAG_BYTES || rest.len() > NONCE_BYTES + TAG_BYTES + SECRET_BYTES_MAX {
        return Err(form("it has a length that no sealed value has"));
    }
    let (nonce, ciphertext) = rest.split_at(NONCE_BYTES);
    let nonce = XNonce::try_from(nonce).map_err(|_length| form("it has no nonce"))?;
    Ok((nonce, ciphertext))
}

/// What a value is bound to, unambiguously: each part goes with its length.
fn bound_to(place: Place, key_id: &KeyId) -> Vec<u8> {
    let mut bound = Vec::with_capacity(96);
    bound.extend_from_slice(b"kommuneklient sealed secret");
    bound.push(VERSION);
    let row = place.row.to_be_bytes();
    for part in [place.table.as_bytes(), &row, place.field.as_bytes(), key_id.as_str().as_bytes()] {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}

#[cfg(test)]
mod tests;
