//! WS-Security 1.0 with the X.509 token profile: signs a SOAP 1.1 message and verifies one, strictly.
//!
//! **Responsibility.** [`Signer`] puts a signature over the Timestamp and the Body into a message;
//! [`Verifier`] accepts a message that carries exactly such a signature by a pinned certificate, and gives
//! back what was signed; [`SeenSignatures`] refuses one that comes a second time. No I/O; the time comes in
//! as a value.
//!
//! **Protocol.** One `Security` header with a BinarySecurityToken (X.509 v3), a Timestamp and a Signature:
//! RSA with SHA-256 over exclusive canonical XML, two references by `wsu:Id`, to the Body and to the
//! Timestamp. Nothing else is spoken: the general signature standard with its transforms, external references
//! and key lookup is the way in for most attacks on it, so that no general verifier is used. The tree is
//! `uppsala`'s; the canonical form is made here of the one element that is asked for, because the library for
//! it (`bergshamra-c14n`, which the tests hold it against) walks the whole message each time.
//!
//! **Against wrapping.** The two references are compared with the ids of the one Body and the one Timestamp
//! that stand in their places; no id may occur twice and no second Body may stand anywhere. What
//! [`Verifier::verify`] returns is made of the very bytes that were digested, so that no other reader of the
//! original message can see something else than was signed. Header blocks are not signed and not returned.
//!
//! **Failure behaviour.** Any bytes end in a [`Verified`] or in a [`WsseError`] whose variant names the
//! refusal. Nothing panics, no error holds content of a message, and size, depth and number of elements are
//! limited before a tree is made.
#![forbid(unsafe_code)]

mod canonical;
mod error;
mod names;
mod seen;
mod sign;
#[cfg(test)]
mod testing;
mod token;
mod tree;
mod verify;

pub use error::WsseError;
pub use seen::{SEEN_MAX, SeenSignatures};
pub use sign::{LIFETIME, Signer};
pub use verify::{SignatureId, Verified, Verifier};
