//! NTLM (MS-NLMP) as far as a login over HTTP needs it: its messages, what binds them to a TLS connection, and the
//! accepting side. No I/O, no clock.
//!
//! Responsibility: [`message`] reads the three messages of a login within limits and writes the server's;
//! [`header`] finds them in HTTP headers (`WWW-Authenticate`, `Authorization`); [`binding`] computes the channel
//! binding `tls-server-end-point` (RFC 5929) of a server's certificate; [`acceptor`] judges a login as a server does.
//! The client's own computations are those of the crate `sspi`, in the connector; here they are done a second time
//! and apart from it, so that the simulator's yes is the yes of somebody else. The figures of MS-NLMP section 4.2.4
//! hold both to the specification.
//!
//! Protocol: negotiate (client), challenge (server), authenticate (client), all on one connection, which is logged
//! on from then on. Before anything that is made of the password is sent, [`message::Challenge::weakness`] says
//! whether the server (or somebody before it) tries to talk the client down to less than NTLMv2.
//!
//! Failure: whatever cannot be read is an [`NtlmError`] that names the field; nothing is guessed, no length is
//! believed beyond the message, and a message is at most [`message::BYTES_MAX`] long.
#![forbid(unsafe_code)]

pub mod acceptor;
pub mod binding;
pub mod header;
pub mod message;

mod crypto;
mod error;

pub use error::NtlmError;
