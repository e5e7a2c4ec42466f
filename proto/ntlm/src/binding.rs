//! What ties a login to its TLS connection: the channel binding `tls-server-end-point` (RFC 5929 section 4), without
//! which somebody in the middle could pass a login on over a connection of his own. Exchange asks for it where
//! "Extended Protection" is on, as it is by default since Exchange Server 2019 CU14.

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::crypto;

#[cfg(test)]
mod tests;

const PREFIX: &[u8] = b"tls-server-end-point:";

/// The object identifiers of signatures that hash with SHA-384 and SHA-512, and of their hashes.
const SHA_384: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], // RSA
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],       // ECDSA
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
];
const SHA_512: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
];
/// The same with SHA-256; those with MD5 and SHA-1 count as SHA-256 (RFC 5929).
const SHA_256: [&[u8]; 6] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], // RSA with MD5
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], // RSA with SHA-1
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01],             // ECDSA with SHA-1
];
/// RSASSA-PSS: its hash stands in the parameters.
const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// The binding's data for a connection whose server showed this certificate (DER): the prefix and the certificate's
/// hash. `None` where RFC 5929 defines none: the certificate's signature hashes with nothing (Ed25519) or cannot be
/// read.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash = match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    Some([PREFIX, &hash].concat())
}

/// What stands in an NTLM message for a binding: the MD5 hash of the structure that GSS-API has for it (RFC 2744
/// section 3.11), with no addresses.
pub fn digest(data: &[u8]) -> [u8; 16] {
    let mut structure = vec![0; 16];
    structure.extend_from_slice(&(data.len() as u32).to_le_bytes());
    structure.extend_from_slice(data);
    crypto::md5(&structure)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

fn of_identifier(identifier: &[u8]) -> Option<Hash> {
    if SHA_256.contains(&identifier) {
        Some(Hash::Sha256)
    } else if SHA_384.contains(&identifier) {
        Some(Hash::Sha384)
    } else if SHA_512.contains(&identifier) {
        Some(Hash::Sha512)
    } else {
        None
    }
}

/// The hash of the signature on a certificate (X.509 section 4.1.1.2: the second part of the three).
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(outer, SEQUENCE)?;
    let (algorithm, _signature) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if identifier != PSS {
        return of_identifier(identifier);
    }
    let (parameters, _) = element(parameters, SEQUENCE)?;
    // without a hash in it: SHA-1, which counts as SHA-256
    let Some((tagged, _)) = element(parameters, CONTEXT_0) else { return Some(Hash::Sha256) };
    let (algorithm, _) = element(tagged, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    of_identifier(identifier).or(Some(Hash::Sha256))
}

/// The content of a DER element of this tag at the beginning, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let count = usize::from(first & 0x7f);
    let (length, rest) = match first & 0x80 {
        0 => (count, rest),
        _ if count == 0 || count > 3 => return None,
        _ => {
            let (digits, rest) = rest.split_at_checked(count)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    rest.split_at_checked(length)
}
