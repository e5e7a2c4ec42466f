//! Goal: what is signed here is right by the judgement of an independent program, and by ours. Method:
//! `xmlsec1` verifies it; messages with and without header, with and without prefixes.

use proptest::prelude::*;

use super::*;
use crate::testing::drawn::drawn;
use crate::testing::{accepted_by_xmlsec1, message, now, signed, star, stranger};

#[test]
fn xmlsec1_verifies_what_we_sign() {
    let message = signed();
    assert!(accepted_by_xmlsec1(&message, &star().certificate_pem));
    assert!(!accepted_by_xmlsec1(&message, &stranger().certificate_pem));
    assert!(!accepted_by_xmlsec1(&message.replace("\u{e6}g", "\u{e6}gg"), &star().certificate_pem));
}

#[test]
fn every_form_of_envelope_is_signed() {
    let header = "<s:Header><e:Caller>nobody</e:Caller></s:Header>";
    let plain = message();
    let default = format!(
        "<Envelope xmlns=\"{SOAP_NS}\"><Body><Answer xmlns=\"urn:test\" b=\"2\" a='1'/></Body></Envelope>"
    );
    for text in [
        plain.clone(),
        plain.replace(header, ""),
        plain.replace(header, "<s:Header/>"),
        plain.replace(header, "<s:Header></s:Header>"),
        plain.replace(header, "<s:Header>\n  <e:Caller/>\n</s:Header>"),
        plain.replace("<s:Body>", "<s:Body  >"),
        default,
    ] {
        let signed = star().signer().sign(&text, now(), Uuid::from_u128(1)).unwrap();
        assert!(accepted_by_xmlsec1(&signed, &star().certificate_pem), "{text}");
        star().verifier().verify(signed.as_bytes(), now(), Some(now())).unwrap();
    }
}

#[test]
fn what_is_not_ours_is_not_signed() {
    let signer = star().signer();
    let sign = |text: &str| signer.sign(text, now(), Uuid::nil()).unwrap_err();
    assert!(matches!(sign(&signed()), WsseError::NotSignable { .. }), "signed already");
    assert_eq!(sign("<html/>"), WsseError::NotAnEnvelope);
    assert_eq!(sign("no xml"), WsseError::Malformed);
    assert_eq!(sign(&format!("<!DOCTYPE a>{}", message().split_once("?>").unwrap().1)), WsseError::Malformed);
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let key = stranger().key.serialize_der();
    assert_eq!(Signer::new(&star().certificate, &key).unwrap_err(), WsseError::SigningCertificate);
    assert_eq!(Signer::new(b"none", &key).unwrap_err(), WsseError::SigningCertificate);
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_der();
    assert_eq!(Signer::new(&star().certificate, &elliptic).unwrap_err(), WsseError::SigningKey);
    assert!(!format!("{:?}", star().signer()).contains("key"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn xmlsec1_verifies_whatever_we_sign(drawn in drawn()) {
        let envelope = format!("<s:Envelope xmlns:s=\"{SOAP_NS}\" xmlns:a='urn:a'><s:Body>{}</s:Body></s:Envelope>", drawn.text());
        let signed = star().signer().sign(&envelope, now(), Uuid::nil()).unwrap();
        prop_assert!(accepted_by_xmlsec1(&signed, &star().certificate_pem), "{}", signed);
        star().verifier().verify(signed.as_bytes(), now(), None).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever stands in a text comes out of the verified message as it went in.
    #[test]
    fn any_text_survives(text in "[^\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{0,40}", value in "[ -~\u{e5}\n\t]{0,20}") {
        let mut writer = proto_soap::Writer::new(10_000);
        writer.element("e:Text", |w| {
            w.attribute("xmlns:e", "urn:test");
            w.attribute("value", &value);
            w.text(&text);
        });
        let inner = writer.finish().unwrap();
        let envelope = format!("<s:Envelope xmlns:s=\"{SOAP_NS}\"><s:Body>{inner}</s:Body></s:Envelope>");
        let signed = star().signer().sign(&envelope, now(), Uuid::nil()).unwrap();
        let verified = star().verifier().verify(signed.as_bytes(), now(), None).unwrap();
        let read = |message: &str| {
            let limits = proto_soap::Limits::standard();
            let body = proto_soap::read_envelope(
                message.as_bytes(),
                limits,
                |_, _| Ok::<_, proto_soap::Error>(()),
                |reader, element| Ok((element.attribute("value").unwrap().to_owned(), reader.text(element)?)),
            );
            body.unwrap()
        };
        prop_assert_eq!(read(&verified.envelope), read(&envelope));
    }
}
