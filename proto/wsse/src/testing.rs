//! For this crate's tests: certificates, a message, messages signed over anything, and the independent
//! program `xmlsec1`.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use jiff::{SignedDuration, Timestamp};
use proto_soap::SOAP_NS;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use tempfile::TempDir;
use uuid::Uuid;

use crate::names::{BASE64, DS, EXCLUSIVE, RSA_SHA256, SHA256, WSSE, WSU, X509_V3};
use crate::{Signer, Verifier, WsseError, token};

pub(crate) mod drawn;

pub(crate) const LIMIT: usize = 1 << 20;
pub(crate) const TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

/// A certificate and its key.
pub(crate) struct Party {
    pub(crate) certificate: Vec<u8>,
    pub(crate) certificate_pem: String,
    pub(crate) key: KeyPair,
}

impl Party {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2029, 1, 1));
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().to_vec(), certificate_pem: certificate.pem(), key }
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer::new(&self.certificate, &self.key.serialize_der()).unwrap()
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(&[&self.certificate], TOLERANCE, LIMIT).unwrap()
    }
}

/// The one that is pinned. Keys are dear: one for all tests of a process.
pub(crate) fn star() -> &'static Party {
    static STAR: OnceLock<Party> = OnceLock::new();
    STAR.get_or_init(|| Party::new("star.test"))
}

/// Another one.
pub(crate) fn stranger() -> &'static Party {
    static STRANGER: OnceLock<Party> = OnceLock::new();
    STRANGER.get_or_init(|| Party::new("stranger.test"))
}

pub(crate) fn now() -> Timestamp {
    "2026-06-01T10:00:00Z".parse().unwrap()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// A message as the writer of envelopes writes it.
pub(crate) fn message() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{SOAP_NS}\" xmlns:e=\"urn:test\">\
         <s:Header><e:Caller>nobody</e:Caller></s:Header>\
         <s:Body><e:Answer><e:Text>Grød &amp; \u{e6}g &lt;2&gt;</e:Text><e:Empty/></e:Answer></s:Body></s:Envelope>"
    )
}

pub(crate) fn signed() -> String {
    star().signer().sign(&message(), now(), Uuid::from_u128(7)).unwrap()
}

/// Verifies at the time of [`now`], pinned to [`star`].
pub(crate) fn refusal(message: &str) -> WsseError {
    match star().verifier().verify(message.as_bytes(), now(), None) {
        Ok(verified) => panic!("accepted: {verified:?}"),
        Err(error) => error,
    }
}

/// A message that is signed correctly, over whatever the test says.
pub(crate) struct Forge {
    pub(crate) body: String,
    pub(crate) timestamp: String,
    /// Beside the token, Timestamp and Signature.
    pub(crate) extra: String,
    /// What is signed: the URI and the canonical form of what it names.
    pub(crate) references: Vec<(String, String)>,
    pub(crate) digest: &'static str,
    pub(crate) method: &'static str,
    pub(crate) transforms: String,
    pub(crate) value_type: &'static str,
}

impl Default for Forge {
    fn default() -> Self {
        let body = body("body", "hello");
        let timestamp = timestamp("time", "2026-06-01T10:00:00Z", Some("2026-06-01T10:05:00Z"));
        Self {
            references: vec![("#time".into(), timestamp.clone()), ("#body".into(), body.clone())],
            body,
            timestamp,
            extra: String::new(),
            digest: SHA256,
            method: RSA_SHA256,
            transforms: transform(EXCLUSIVE),
            value_type: X509_V3,
        }
    }
}

pub(crate) fn transform(algorithm: &str) -> String {
    format!("<ds:Transform Algorithm=\"{algorithm}\"></ds:Transform>")
}

/// A Body in canonical form.
pub(crate) fn body(id: &str, text: &str) -> String {
    format!(
        "<s:Body xmlns:s=\"{SOAP_NS}\" xmlns:wsu=\"{WSU}\" wsu:Id=\"{id}\"><Answer>{text}</Answer></s:Body>"
    )
}

/// A Timestamp in canonical form.
pub(crate) fn timestamp(id: &str, created: &str, expires: Option<&str>) -> String {
    let expires = expires.map_or_else(String::new, |time| format!("<wsu:Expires>{time}</wsu:Expires>"));
    format!(
        "<wsu:Timestamp xmlns:wsu=\"{WSU}\" wsu:Id=\"{id}\"><wsu:Created>{created}</wsu:Created>{expires}</wsu:Timestamp>"
    )
}

impl Forge {
    pub(crate) fn signature(&self) -> String {
        let reference = |(uri, content): &(String, String)| {
            let digest = token::encode(digest::digest(&digest::SHA256, content.as_bytes()).as_ref());
            format!(
                "<ds:Reference URI=\"{uri}\"><ds:Transforms>{}</ds:Transforms>\
                 <ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>",
                self.transforms, self.digest
            )
        };
        let references: String = self.references.iter().map(reference).collect();
        let info = format!(
            "<ds:SignedInfo xmlns:ds=\"{DS}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod>{references}</ds:SignedInfo>",
            self.method
        );
        let key = RsaKeyPair::from_pkcs8(&star().key.serialize_der()).unwrap();
        let mut value = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), info.as_bytes(), &mut value).unwrap();
        let value = token::encode(&value);
        format!(
            "<ds:Signature xmlns:ds=\"{DS}\">{info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             <ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI=\"#token\"/></wsse:SecurityTokenReference></ds:KeyInfo>\
             </ds:Signature>"
        )
    }

    pub(crate) fn token(&self) -> String {
        format!(
            "<wsse:BinarySecurityToken EncodingType=\"{BASE64}\" ValueType=\"{}\" xmlns:wsu=\"{WSU}\" wsu:Id=\"token\">{}</wsse:BinarySecurityToken>",
            self.value_type,
            token::encode(&star().certificate)
        )
    }

    pub(crate) fn message(&self) -> String {
        self.around(&format!("{}{}{}{}", self.token(), self.timestamp, self.signature(), self.extra))
    }

    /// The envelope with this in its `Security` header.
    pub(crate) fn around(&self, security: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"{SOAP_NS}\"><s:Header><wsse:Security xmlns:wsse=\"{WSSE}\">{security}\
             </wsse:Security></s:Header>{}</s:Envelope>",
            self.body
        )
    }

    pub(crate) fn refusal(&self) -> WsseError {
        refusal(&self.message())
    }
}

/// Runs the independent program on a file, telling it which attributes are ids.
pub(crate) fn xmlsec1(arguments: &[&str], file: &Path) -> Output {
    Command::new("xmlsec1")
        .args(arguments)
        .args(["--id-attr:Id", &format!("{WSU}:Timestamp"), "--id-attr:Id", &format!("{SOAP_NS}:Body")])
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("xmlsec1 cannot be run ({error}); scripts/setup installs it"))
}

/// Does xmlsec1 accept it as signed by the certificate?
pub(crate) fn accepted_by_xmlsec1(message: &str, certificate_pem: &str) -> bool {
    let folder = TempDir::new().unwrap();
    let (file, certificate) = (folder.path().join("message.xml"), folder.path().join("certificate.pem"));
    std::fs::write(&file, message).unwrap();
    std::fs::write(&certificate, certificate_pem).unwrap();
    let certificate = certificate.to_str().unwrap();
    let said = xmlsec1(&["--verify", "--pubkey-cert-pem", certificate], &file);
    if !said.status.success() {
        println!("{}", String::from_utf8_lossy(&said.stderr));
    }
    said.status.success()
}
