//! Verifying a message.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use jiff::{SignedDuration, Timestamp};
use proto_soap::SOAP_NS;
use uppsala::NodeId;

use crate::WsseError;
use crate::canonical::canonical;
use crate::names::{BASE64, DS, EXCLUSIVE, RSA_SHA256, SHA1, SHA256, WSSE, WSU, X509_V3};
use crate::sign::LIFETIME;
use crate::token::{self, Token};
use crate::tree::{self, Tree};

#[cfg(test)]
mod tests;

/// The largest `SignedInfo`, in bytes; that of a good message has about 1,100. It is rendered before it is known who
/// signed it, so that nobody may make that dear.
const SIGNED_INFO_BYTES_MAX: usize = 16 << 10;

/// Verifies messages by pinned certificates.
#[derive(Debug, Clone)]
pub struct Verifier {
    pinned: Vec<Pinned>,
    tolerance: SignedDuration,
    limit_bytes: usize,
}

/// A certificate whose signatures are accepted.
#[derive(Debug, Clone)]
struct Pinned {
    token: Token,
    /// The certificate in Base64, as it mostly stands in a message.
    text: String,
    /// Its key, read once and not for each message.
    key: ParsedPublicKey,
}

impl Pinned {
    fn read(der: &[u8]) -> Option<Self> {
        let token = Token::read(der)?;
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &token.key).ok()?;
        Some(Self { text: token::encode(&token.der), token, key })
    }
}

/// Identifies a signature: the digest of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureId(pub(crate) [u8; 32]);

/// What was signed, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// An envelope of the signed Body alone, without header blocks: the bytes that were digested.
    pub envelope: String,
    /// When it was made, as the signer says.
    pub created: Timestamp,
    /// Until when a message with this Timestamp is accepted: the tolerance is in it.
    pub acceptable_until: Timestamp,
    /// The signature, for [`SeenSignatures`](crate::SeenSignatures).
    pub signature: SignatureId,
}

/// The parts of the one `Security` header.
struct Security {
    timestamp: NodeId,
    signature: NodeId,
    token: NodeId,
}

impl Verifier {
    /// Accepts signatures by these certificates (DER), clocks that differ by up to `tolerance`, and messages
    /// of up to `limit_bytes`.
    ///
    /// # Errors
    /// [`WsseError::Pinned`] and [`WsseError::NothingPinned`].
    pub fn new<D: AsRef<[u8]>>(
        pinned: &[D],
        tolerance: SignedDuration,
        limit_bytes: usize,
    ) -> Result<Self, WsseError> {
        let pinned = pinned.iter().map(|der| Pinned::read(der.as_ref()).ok_or(WsseError::Pinned));
        let pinned = pinned.collect::<Result<Vec<_>, _>>()?;
        if pinned.is_empty() {
            return Err(WsseError::NothingPinned);
        }
        Ok(Self { pinned, tolerance: tolerance.abs(), limit_bytes })
    }

    /// Verifies a message that came at `now`, as an answer to a request made at `asked` when there was one.
    ///
    /// # Errors
    /// The [`WsseError`] that names the refusal.
    pub fn verify(
        &self,
        message: &[u8],
        now: Timestamp,
        asked: Option<Timestamp>,
    ) -> Result<Verified, WsseError> {
        let text = tree::normalised(tree::check(message, self.limit_bytes)?);
        let tree = Tree::parse(&text)?;
        let parts = tree.parts()?;
        tree.check_ids(parts.body)?;
        let security = security(&tree, parts.header)?;
        let signed_info = tree.need(security.signature, DS, "SignedInfo")?;
        if tree.document().node_range(signed_info).is_none_or(|range| range.len() > SIGNED_INFO_BYTES_MAX) {
            return Err(WsseError::Form { what: "SignedInfo of a usual size" });
        }
        let value = tree.need(security.signature, DS, "SignatureValue")?;
        let value = base64_text(&tree, value, "the signature's value")?;

        self.check_signature(&tree, &security, signed_info, &value, now)?;
        let body = check_references(&tree, signed_info, parts.body, security.timestamp)?;
        let (created, acceptable_until) = self.check_time(&tree, security.timestamp, now, asked)?;

        let mut id = [0; 32];
        id.copy_from_slice(digest::digest(&digest::SHA256, &value).as_ref());
        Ok(Verified { envelope: enveloped(&body), created, acceptable_until, signature: SignatureId(id) })
    }

    /// The signature's value is the pinned certificate's over SignedInfo.
    fn check_signature(
        &self,
        tree: &Tree<'_>,
        security: &Security,
        signed_info: NodeId,
        value: &[u8],
        now: Timestamp,
    ) -> Result<(), WsseError> {
        let canonicalization = tree.need(signed_info, DS, "CanonicalizationMethod")?;
        check_algorithm(tree, canonicalization, EXCLUSIVE, "canonicalization")?;
        let method = tree.need(signed_info, DS, "SignatureMethod")?;
        check_algorithm(tree, method, RSA_SHA256, "signature")?;
        let Pinned { token: signer, key, .. } = self.signer(tree, security)?;
        if now < signer.not_before {
            return Err(WsseError::CertificateNotYetValid { from: signer.not_before });
        }
        if now > signer.not_after {
            return Err(WsseError::CertificateExpired { end: signer.not_after });
        }
        let signed = canonical(tree.document(), signed_info, &tree.prefixes(canonicalization)?)?;
        key.verify_sig(signed.as_bytes(), value).map_err(|_| WsseError::BadSignature)
    }

    /// The pinned certificate that the token is.
    fn signer(&self, tree: &Tree<'_>, security: &Security) -> Result<&Pinned, WsseError> {
        let what = "token";
        let is_certificate = tree.attribute(security.token, "ValueType") == Some(X509_V3)
            && tree.attribute(security.token, "EncodingType").is_none_or(|encoding| encoding == BASE64);
        if !is_certificate {
            return Err(WsseError::Algorithm { what });
        }
        let key_info = tree.need(security.signature, DS, "KeyInfo")?;
        let reference = tree.need(key_info, WSSE, "SecurityTokenReference")?;
        let reference = tree.need(reference, WSSE, "Reference")?;
        let named = tree.attribute(reference, "URI").and_then(|uri| uri.strip_prefix('#'));
        if named.is_none() || named != tree.id(security.token) {
            return Err(WsseError::Form { what: "the reference to the token" });
        }
        let unreadable = WsseError::Form { what: "the token" };
        let Some(text) = tree.text(security.token) else { return Err(unreadable) };
        if let Some(pinned) = self.pinned.iter().find(|pinned| pinned.text == *text) {
            return Ok(pinned);
        }
        // the same certificate may stand there in several lines
        let der = token::decode(&text).ok_or(unreadable)?;
        self.pinned.iter().find(|pinned| pinned.token.der == der).ok_or(WsseError::OtherCertificate)
    }

    /// When the message was made, and until when it counts.
    fn check_time(
        &self,
        tree: &Tree<'_>,
        timestamp: NodeId,
        now: Timestamp,
        asked: Option<Timestamp>,
    ) -> Result<(Timestamp, Timestamp), WsseError> {
        let what = "the timestamp's time";
        let time = |node: NodeId| {
            let text = tree.text(node).ok_or(WsseError::Form { what })?;
            text.trim().parse::<Timestamp>().map_err(|_| WsseError::Form { what })
        };
        let out_of_range = |_| WsseError::Form { what };
        let created = time(tree.need(timestamp, WSU, "Created")?)?;
        // whatever the signer allows itself: what is older than this was not made for this call
        let latest = created.checked_add(LIFETIME).map_err(out_of_range)?;
        let end = match tree.only(timestamp, WSU, "Expires")? {
            Some(expires) => time(expires)?.min(latest),
            None => latest,
        };
        let acceptable_until = end.checked_add(self.tolerance).map_err(out_of_range)?;
        if created > now.checked_add(self.tolerance).map_err(out_of_range)? {
            return Err(WsseError::FromTheFuture { created });
        }
        if now > acceptable_until || end < created {
            return Err(WsseError::Expired { end });
        }
        if let Some(asked) = asked
            && created < asked.checked_sub(self.tolerance).map_err(out_of_range)?
        {
            return Err(WsseError::BeforeTheRequest { created });
        }
        Ok((created, acceptable_until))
    }
}

/// An envelope of this Body alone.
fn enveloped(body: &str) -> String {
    let parts = ["<soap:Envelope xmlns:soap=\"", SOAP_NS, "\">", body, "</soap:Envelope>"];
    parts.concat()
}

/// The parts of the one `Security` header, each there once.
fn security(tree: &Tree<'_>, header: Option<NodeId>) -> Result<Security, WsseError> {
    let header = header.ok_or(WsseError::MissingSignature)?;
    let security = tree.only(header, WSSE, "Security")?.ok_or(WsseError::MissingSignature)?;
    let signature = tree.only(security, DS, "Signature")?.ok_or(WsseError::MissingSignature)?;
    let timestamp = tree.only(security, WSU, "Timestamp")?.ok_or(WsseError::MissingTimestamp)?;
    let token = tree.need(security, WSSE, "BinarySecurityToken")?;
    Ok(Security { timestamp, signature, token })
}

/// The two references are to this Body and this Timestamp, and their digests are right. Gives the Body as it
/// was digested.
fn check_references(
    tree: &Tree<'_>,
    signed_info: NodeId,
    body: NodeId,
    timestamp: NodeId,
) -> Result<String, WsseError> {
    let (mut signed_body, mut signed_timestamp) = (None, false);
    let mut seen = 0;
    for child in tree.children(signed_info) {
        if !tree.is(child, DS, "Reference") {
            let known = ["CanonicalizationMethod", "SignatureMethod"];
            if known.iter().any(|name| tree.is(child, DS, name)) {
                continue;
            }
            return Err(WsseError::Form { what: "what is signed" });
        }
        seen += 1;
        if seen > 2 {
            return Err(WsseError::ExtraReference);
        }
        let id = tree.attribute(child, "URI").and_then(|uri| uri.strip_prefix('#'));
        let id = id.ok_or(WsseError::ForeignReference)?;
        if tree.id(body) == Some(id) {
            signed_body = Some(digested(tree, child, body)?.ok_or(WsseError::AlteredBody)?);
        } else if tree.id(timestamp) == Some(id) {
            digested(tree, child, timestamp)?.ok_or(WsseError::AlteredTimestamp)?;
            signed_timestamp = true;
        } else {
            return Err(WsseError::ForeignReference);
        }
    }
    let signed_body = signed_body.ok_or(WsseError::UnsignedBody)?;
    if signed_timestamp { Ok(signed_body) } else { Err(WsseError::UnsignedTimestamp) }
}

/// The canonical bytes of `node` when they are what the reference's digest says.
fn digested(tree: &Tree<'_>, reference: NodeId, node: NodeId) -> Result<Option<String>, WsseError> {
    let transforms = tree.need(reference, DS, "Transforms")?;
    let transform = tree.need(transforms, DS, "Transform")?;
    if tree.children(transforms).count() != 1 {
        return Err(WsseError::Algorithm { what: "transforms" });
    }
    check_algorithm(tree, transform, EXCLUSIVE, "transform")?;
    let method = tree.need(reference, DS, "DigestMethod")?;
    check_algorithm(tree, method, SHA256, "digest")?;
    let value = tree.need(reference, DS, "DigestValue")?;
    let value = base64_text(tree, value, "a digest")?;
    let content = canonical(tree.document(), node, &tree.prefixes(transform)?)?;
    let digest = digest::digest(&digest::SHA256, content.as_bytes());
    Ok((digest.as_ref() == value).then_some(content))
}

fn check_algorithm(tree: &Tree<'_>, node: NodeId, wanted: &str, what: &'static str) -> Result<(), WsseError> {
    match tree.attribute(node, "Algorithm") {
        Some(algorithm) if algorithm == wanted => Ok(()),
        Some(algorithm) if SHA1.contains(&algorithm) => Err(WsseError::Sha1 { what }),
        _ => Err(WsseError::Algorithm { what }),
    }
}

fn base64_text(tree: &Tree<'_>, node: NodeId, what: &'static str) -> Result<Vec<u8>, WsseError> {
    let text = tree.text(node).ok_or(WsseError::Form { what })?;
    token::decode(&text).ok_or(WsseError::Form { what })
}
