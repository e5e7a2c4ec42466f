//! Why a message cannot be signed, and why one is refused.

use base::Disposition;
use jiff::Timestamp;

/// A message that cannot be signed or is refused. No variant holds content of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WsseError {
    /// The key is no RSA key of 2048 bits or more.
    #[error("signing a message: the key is no rsa key of at least 2048 bits")]
    SigningKey,
    /// The certificate is none, or holds another key.
    #[error("signing a message: the certificate does not belong to the key")]
    SigningCertificate,
    /// The message is not of the kind that is signed.
    #[error("signing a message: {what}")]
    NotSignable {
        /// What stands in the way.
        what: &'static str,
    },
    /// No random numbers for the key's blinding.
    #[error("signing a message: the operating system gives no random numbers")]
    Random,
    /// A pinned certificate cannot verify anything.
    #[error("a pinned certificate is no x.509 certificate with an rsa key")]
    Pinned,
    /// There is no pinned certificate.
    #[error("there is no pinned certificate to verify messages with")]
    NothingPinned,

    /// Too large, a document type, an entity of its own, or no XML at all.
    #[error("verifying a message: it cannot be read")]
    Message(#[source] proto_soap::Error),
    /// The two parsers do not agree that it is XML.
    #[error("verifying a message: it is no well-formed document")]
    Malformed,
    /// No SOAP 1.1 envelope.
    #[error("verifying a message: it is no soap 1.1 envelope")]
    NotAnEnvelope,
    /// Something stands in the envelope that has no place there.
    #[error("verifying a message: an element stands in the envelope that has no place there")]
    StrayElement,
    /// There is no Body.
    #[error("verifying a message: it has no body")]
    NoBody,
    /// Two Bodies.
    #[error("verifying a message: a second body")]
    SecondBody,
    /// A Body elsewhere than in the envelope: the signed one was moved.
    #[error("verifying a message: a body stands where it is not read")]
    MovedBody,
    /// Two `Security` headers, or two Timestamps, tokens or signatures in it.
    #[error("verifying a message: more than one {what}")]
    Several {
        /// Of what.
        what: &'static str,
    },
    /// No signature.
    #[error("verifying a message: it is not signed")]
    MissingSignature,
    /// No Timestamp.
    #[error("verifying a message: it has no timestamp")]
    MissingTimestamp,
    /// The signature does not cover the Timestamp.
    #[error("verifying a message: its timestamp is not signed")]
    UnsignedTimestamp,
    /// The signature does not cover the Body.
    #[error("verifying a message: its body is not signed")]
    UnsignedBody,
    /// More references than the two.
    #[error("verifying a message: the signature covers more than the timestamp and the body")]
    ExtraReference,
    /// A reference to something else than the two, or out of the message.
    #[error("verifying a message: the signature covers something else than the timestamp and the body")]
    ForeignReference,
    /// An id occurs twice.
    #[error("verifying a message: an id occurs twice")]
    DuplicateId,
    /// SHA-1.
    #[error("verifying a message: sha-1 is refused in the {what}")]
    Sha1 {
        /// Where.
        what: &'static str,
    },
    /// Another algorithm or transform than the profile's.
    #[error("verifying a message: the {what} is not of this profile")]
    Algorithm {
        /// Where.
        what: &'static str,
    },
    /// A part of the signature is missing or cannot be read.
    #[error("verifying a message: {what} is missing or cannot be read")]
    Form {
        /// Which.
        what: &'static str,
    },
    /// Signed by a certificate that is not pinned.
    #[error("verifying a message: signed by another certificate than the pinned one")]
    OtherCertificate,
    /// The pinned certificate is over.
    #[error("verifying a message: the signer's certificate expired at {end}")]
    CertificateExpired {
        /// When.
        end: Timestamp,
    },
    /// The pinned certificate has not begun.
    #[error("verifying a message: the signer's certificate is valid only from {from}")]
    CertificateNotYetValid {
        /// From when.
        from: Timestamp,
    },
    /// The signature's value is not the signer's.
    #[error("verifying a message: the signature is wrong")]
    BadSignature,
    /// The Body is not what was signed.
    #[error("verifying a message: its body was altered")]
    AlteredBody,
    /// The Timestamp is not what was signed.
    #[error("verifying a message: its timestamp was altered")]
    AlteredTimestamp,
    /// Its time is over.
    #[error("verifying a message: its timestamp expired at {end}")]
    Expired {
        /// When, without tolerance.
        end: Timestamp,
    },
    /// Its time has not come.
    #[error("verifying a message: its timestamp is from the future: {created}")]
    FromTheFuture {
        /// When it says that it was made.
        created: Timestamp,
    },
    /// It was made before the question was asked.
    #[error("verifying a message: made at {created}, before it was asked for")]
    BeforeTheRequest {
        /// When it says that it was made.
        created: Timestamp,
    },
    /// The same signature was seen before.
    #[error("verifying a message: the same signed message came before")]
    Replayed,
    /// So many messages came within the tolerance that replays could not be told.
    #[error("verifying a message: more than {limit} messages within the tolerance for clocks")]
    TooManySeen {
        /// The limit.
        limit: usize,
    },
}

impl WsseError {
    /// A message that is refused means an attack or a wrong configuration, and one that cannot be signed a
    /// wrong certificate: people must look. Only bytes damaged on their way may be right the next time.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Message(error) => error.disposition(),
            Self::Random => Disposition::RETRY,
            _ => Disposition::Escalate,
        }
    }

    /// Is there no SOAP message at all, so that there is nothing to be refused (a proxy's page in HTML)?
    pub const fn is_no_message(&self) -> bool {
        matches!(
            self,
            Self::NotAnEnvelope
                | Self::Message(
                    proto_soap::Error::Malformed { .. }
                        | proto_soap::Error::NotUtf8 { .. }
                        | proto_soap::Error::Doctype { .. }
                        | proto_soap::Error::Entity { .. }
                )
        )
    }
}
