//! The computations of MS-NLMP section 3.3.2 (NTLMv2), and RC4, which its key exchange needs.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;

/// Length of all hashes and keys here, in bytes.
pub(crate) const KEY_BYTES: usize = 16;

pub(crate) type Key = [u8; KEY_BYTES];

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("hmac takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(crate) fn md5(bytes: &[u8]) -> Key {
    Md5::digest(bytes).into()
}

/// The key that all of NTLMv2 hangs on: of the password, the name in capitals, and the domain as it is.
pub(crate) fn response_key(password: &str, user: &str, domain: &str) -> Key {
    let of_password: Key = Md4::digest(utf16(password)).into();
    hmac_md5(&of_password, &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

/// RC4 of a key and a text, both short.
pub(crate) fn rc4(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|index| index as u8);
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
        state.swap(i, usize::from(j));
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    let next = |byte: &u8| {
        i = i.wrapping_add(1);
        j = j.wrapping_add(state[usize::from(i)]);
        state.swap(usize::from(i), usize::from(j));
        byte ^ state[usize::from(state[usize::from(i)].wrapping_add(state[usize::from(j)]))]
    };
    text.iter().map(next).collect()
}
