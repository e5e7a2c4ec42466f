//! Signing a message.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use jiff::{SignedDuration, Timestamp};
use proto_soap::SOAP_NS;
use uppsala::{Attribute, NodeId, QName};
use uuid::Uuid;

use crate::WsseError;
use crate::canonical::canonical;
use crate::names::{BASE64, DS, EXCLUSIVE, RSA_SHA256, SHA256, WSSE, WSU, X509_V3};
use crate::token::{self, Token};
use crate::tree::{Tree, normalised};

#[cfg(test)]
mod tests;

/// How long a message is good: from `Created` to `Expires`.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The smallest key, in bytes of its modulus.
const MODULUS_BYTES_MIN: usize = 256;

/// Signs with one certificate and its key.
pub struct Signer {
    key: RsaKeyPair,
    /// The certificate in Base64.
    token: String,
    random: SystemRandom,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs with this certificate (DER) and its RSA key (DER: PKCS #8 or PKCS #1).
    ///
    /// # Errors
    /// [`WsseError::SigningKey`] and [`WsseError::SigningCertificate`].
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, WsseError> {
        let key = RsaKeyPair::from_pkcs8(key).or_else(|_| RsaKeyPair::from_der(key));
        let key = key.map_err(|_| WsseError::SigningKey)?;
        if key.public_modulus_len() < MODULUS_BYTES_MIN {
            return Err(WsseError::SigningKey);
        }
        let token = Token::read(certificate).filter(|token| token.key == key.public_key().as_ref());
        let token = token.ok_or(WsseError::SigningCertificate)?;
        Ok(Self { key, token: token::encode(&token.der), random: SystemRandom::new() })
    }

    /// The message with a `Security` header: signed over its Body and a Timestamp of `now`. `id` is new for
    /// each message; it makes the ids in it.
    ///
    /// # Errors
    /// [`WsseError::NotSignable`] when the message is no envelope of ours, [`WsseError::Random`].
    pub fn sign(&self, envelope: &str, now: Timestamp, id: Uuid) -> Result<String, WsseError> {
        let envelope = normalised(envelope);
        let mut tree = Tree::parse(&envelope)?;
        let parts = tree.parts()?;
        let body_id = format!("body-{id}");
        let places = Places::of(&tree, parts.header, parts.body)?;
        let declared = format!(" xmlns:wsu=\"{WSU}\" wsu:Id=\"{body_id}\"");
        give_id(&mut tree, parts.body, &body_id)?;
        let body = canonical(tree.document(), parts.body, &[])?;
        let security = self.security(body.as_bytes(), &body_id, now, id)?;

        let mut signed = String::with_capacity(envelope.len() + security.len() + declared.len() + 64);
        signed.push_str(&envelope[..places.header.start]);
        if places.make_header {
            let name = |local: &str| match &places.prefix {
                Some(prefix) => format!("{prefix}:{local}"),
                None => local.to_owned(),
            };
            signed.push_str(&format!("<{0}>{security}</{0}>", name("Header")));
        } else {
            signed.push_str(&security);
        }
        signed.push_str(&envelope[places.header.end..places.body_attributes]);
        signed.push_str(&declared);
        signed.push_str(&envelope[places.body_attributes..]);
        Ok(signed)
    }

    /// The header block. Timestamp and SignedInfo are written in their canonical form, so that they need not
    /// be canonicalised: every namespace on the element that uses it, no empty tags, attributes in order.
    fn security(&self, body: &[u8], body_id: &str, now: Timestamp, id: Uuid) -> Result<String, WsseError> {
        let time = |instant: Timestamp| instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let (created, expires) = (time(now), time(now + LIFETIME));
        let timestamp = format!(
            "<wsu:Timestamp xmlns:wsu=\"{WSU}\" wsu:Id=\"time-{id}\"><wsu:Created>{created}</wsu:Created>\
             <wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>"
        );
        let reference = |id: &str, content: &[u8]| {
            let digest = token::encode(digest::digest(&digest::SHA256, content).as_ref());
            format!(
                "<ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{EXCLUSIVE}\">\
                 </ds:Transform></ds:Transforms><ds:DigestMethod Algorithm=\"{SHA256}\"></ds:DigestMethod>\
                 <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
            )
        };
        let references =
            [reference(&format!("time-{id}"), timestamp.as_bytes()), reference(body_id, body)].concat();
        let signed_info = format!(
            "<ds:SignedInfo xmlns:ds=\"{DS}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">\
             </ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"{RSA_SHA256}\"></ds:SignatureMethod>\
             {references}</ds:SignedInfo>"
        );
        let mut value = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &self.random, signed_info.as_bytes(), &mut value)
            .map_err(|_| WsseError::Random)?;
        let (value, token) = (token::encode(&value), &self.token);
        Ok(format!(
            "<wsse:Security xmlns:wsse=\"{WSSE}\" xmlns:soap=\"{SOAP_NS}\" soap:mustUnderstand=\"1\">\
             <wsse:BinarySecurityToken xmlns:wsu=\"{WSU}\" EncodingType=\"{BASE64}\" ValueType=\"{X509_V3}\" \
             wsu:Id=\"token-{id}\">{token}</wsse:BinarySecurityToken>{timestamp}\
             <ds:Signature xmlns:ds=\"{DS}\">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             <ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI=\"#token-{id}\" \
             ValueType=\"{X509_V3}\"></wsse:Reference></wsse:SecurityTokenReference></ds:KeyInfo>\
             </ds:Signature></wsse:Security>"
        ))
    }
}

/// Where things are inserted into the text.
struct Places {
    /// What the header block replaces: nothing, or an empty Header.
    header: std::ops::Range<usize>,
    /// Must a Header be written around it?
    make_header: bool,
    prefix: Option<String>,
    /// Behind the name in the Body's start tag.
    body_attributes: usize,
}

impl Places {
    fn of(tree: &Tree<'_>, header: Option<NodeId>, body: NodeId) -> Result<Self, WsseError> {
        let unknown = || WsseError::NotSignable { what: "the place of its parts is unknown" };
        let document = tree.document();
        let range = |node| document.node_range(node).ok_or_else(unknown);
        let name = &document.element(body).ok_or_else(unknown)?.name;
        let body_start = range(body)?.start;
        let body_attributes = body_start + 1 + name.prefixed_name().len();
        let prefix = name.prefix.as_deref().map(str::to_owned);
        let (header, make_header) = match header {
            None => (body_start..body_start, true),
            Some(header) => match document.first_child(header) {
                None => (range(header)?, true),
                Some(first) => {
                    let start = range(first)?.start;
                    (start..start, false)
                }
            },
        };
        Ok(Self { header, make_header, prefix, body_attributes })
    }
}

/// Puts the id on the Body in the tree, as it will stand in the text.
fn give_id(tree: &mut Tree<'_>, body: NodeId, id: &str) -> Result<(), WsseError> {
    let element = tree.document_mut().element_mut(body);
    let element = element.ok_or(WsseError::NotSignable { what: "it has no body" })?;
    let named = element.namespace_declarations.iter().any(|(prefix, _)| &**prefix == "wsu");
    if named || element.get_attribute_ns(WSU, "Id").is_some() {
        return Err(WsseError::NotSignable { what: "it bears an id already" });
    }
    element.namespace_declarations.push(("wsu".into(), WSU.into()));
    element.attributes.push(Attribute { name: QName::full("wsu", WSU, "Id"), value: id.to_owned().into() });
    Ok(())
}
