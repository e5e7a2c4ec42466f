//! Goal: what an independent program signs is accepted, and every known attack on signed messages is refused
//! by the variant that names it. Method: `xmlsec1` signs; good messages are altered, and messages are
//! signed with the right key over the wrong things.

use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::testing::drawn::drawn;
use crate::testing::{
    Forge, LIMIT, TOLERANCE, accepted_by_xmlsec1, body, later, message, now, refusal, signed, star, stranger,
    timestamp, transform, xmlsec1,
};

/// A part of a text: from the first `begin` to the first `end` after it, both included.
fn part<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let from = text.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let to = from + text[from..].find(end).unwrap_or_else(|| panic!("no {end}")) + end.len();
    &text[from..to]
}

/// Lets xmlsec1 sign the message of a forge: it fills in digests and value.
fn signed_by_xmlsec1(forge: &Forge) -> Option<String> {
    let mut text = forge.message();
    let value = part(&text, "<ds:SignatureValue>", "</ds:SignatureValue>").to_owned();
    text = text.replace(&value, "<ds:SignatureValue></ds:SignatureValue>");
    while let Some(at) =
        text.find("<ds:DigestValue>").filter(|at| !text[*at..].starts_with("<ds:DigestValue><"))
    {
        let digest = part(&text[at..], "<ds:DigestValue>", "</ds:DigestValue>").to_owned();
        text = text.replace(&digest, "<ds:DigestValue></ds:DigestValue>");
    }
    let folder = TempDir::new().unwrap();
    let (template, key, out) =
        (folder.path().join("template.xml"), folder.path().join("key.pem"), folder.path().join("out.xml"));
    std::fs::write(&template, &text).unwrap();
    std::fs::write(&key, star().key.serialize_pem()).unwrap();
    let (key, to) = (key.to_str().unwrap(), out.to_str().unwrap());
    let said = xmlsec1(&["--sign", "--privkey-pem", key, "--output", to], &template);
    if !said.status.success() {
        println!("xmlsec1: {}", String::from_utf8_lossy(&said.stderr));
        return None;
    }
    Some(std::fs::read_to_string(&out).unwrap())
}

#[test]
fn what_xmlsec1_signs_is_accepted() {
    let inclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">\
        <ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"s wsu #default\"/></ds:Transform>";
    for transforms in [transform(EXCLUSIVE), inclusive.to_owned()] {
        for text in
            ["hello", "<a xmlns=\"urn:b\" z='1' b=\"&#10;\">\n  <!-- no --><c/></a>", "&amp;&lt;&#xe6;"]
        {
            let forge =
                Forge { body: body("body", text), transforms: transforms.clone(), ..Forge::default() };
            let message = signed_by_xmlsec1(&forge).expect("xmlsec1 signs it");
            let verified = star().verifier().verify(message.as_bytes(), now(), Some(now())).unwrap();
            assert!(!verified.envelope.contains("<!--"), "a comment is not signed");
        }
    }
}

/// As XML has every reader see it: raw white space in an attribute's value is spaces, and a reference is what it is.
#[test]
fn white_space_in_attributes_is_what_others_see() {
    let forge = Forge { body: body("body", "<a b=\"1 2 3&#9;\">\n</a>"), ..Forge::default() };
    let message = signed_by_xmlsec1(&forge).expect("xmlsec1 signs it");
    let good = star().verifier().verify(message.as_bytes(), now(), None).unwrap();
    assert!(good.envelope.contains("b=\"1 2 3&#x9;\">\n<"), "{}", good.envelope);
    let other = message.replace("1 2 3", "1\t2\r\n3").replace("<s:Body ", "<s:Body\n\t");
    assert!(accepted_by_xmlsec1(&other, &star().certificate_pem));
    assert_eq!(star().verifier().verify(other.as_bytes(), now(), None).unwrap(), good);
    let altered = message.replace("1 2 3", "1  2 3");
    assert_eq!(refusal(&altered), WsseError::AlteredBody);
}

#[test]
fn what_is_returned_is_what_was_signed() {
    let verified = star().verifier().verify(signed().as_bytes(), now(), Some(now())).unwrap();
    assert_eq!(verified.created, now());
    assert_eq!(verified.acceptable_until, now() + LIFETIME + TOLERANCE);
    assert!(verified.envelope.contains("Grød &amp; \u{e6}g &lt;2&gt;"), "{}", verified.envelope);
    assert!(!verified.envelope.contains("nobody"), "header blocks are not signed");
    assert!(Forge::default().message().contains("hello"));
    let forged = star().verifier().verify(Forge::default().message().as_bytes(), now(), None).unwrap();
    assert!(forged.envelope.contains("<Answer>hello</Answer>"), "{}", forged.envelope);
}

#[test]
fn an_altered_body_is_refused() {
    assert_eq!(refusal(&signed().replace("\u{e6}g", "\u{e6}gg")), WsseError::AlteredBody);
    assert_eq!(refusal(&signed().replace("<e:Empty/>", "")), WsseError::AlteredBody);
    let other = signed().replacen("urn:test", "urn:else", 1);
    assert_eq!(refusal(&other), WsseError::AlteredBody, "another namespace is another content");
}

#[test]
fn an_altered_timestamp_or_signature_is_refused() {
    let text = signed();
    let later = text.replace("2026-06-01T10:05", "2026-06-01T10:06");
    assert_eq!(refusal(&later), WsseError::AlteredTimestamp);
    let value = part(&text, "<ds:SignatureValue>", "</ds:SignatureValue>");
    let other = stranger().signer().sign(&message(), now(), Uuid::from_u128(7)).unwrap();
    let theirs = part(&other, "<ds:SignatureValue>", "</ds:SignatureValue>");
    assert_eq!(refusal(&text.replace(value, theirs)), WsseError::BadSignature);
    let digest = part(&text, "<ds:DigestValue>", "</ds:DigestValue>");
    let zero = format!("<ds:DigestValue>{}</ds:DigestValue>", token::encode(&[0; 32]));
    assert_eq!(refusal(&text.replace(digest, &zero)), WsseError::BadSignature);
}

/// The classic: the signed Body goes somewhere else, another one is read.
#[test]
fn a_moved_body_is_refused() {
    let text = Forge::default().message();
    let good = body("body", "hello");
    for evil in
        [body("evil", "evil"), body("body", "evil"), "<s:Body><Answer>evil</Answer></s:Body>".to_owned()]
    {
        let in_header =
            text.replace(&good, &evil).replace("</s:Header>", &format!("<x>{good}</x></s:Header>"));
        assert_eq!(refusal(&in_header), WsseError::MovedBody);
        let in_body = text.replace(&good, &evil.replace("</Answer>", &format!("{good}</Answer>")));
        assert_eq!(refusal(&in_body), WsseError::MovedBody);
        let in_security =
            text.replace(&good, &evil).replace("</wsse:Security>", &format!("{good}</wsse:Security>"));
        assert_eq!(refusal(&in_security), WsseError::MovedBody);
    }
    // what was signed as something else than a Body does not become one
    let element = good.replace("s:Body", "s:Other");
    let forge = Forge {
        references: vec![Forge::default().references[0].clone(), ("#body".into(), element.clone())],
        body: body("evil", "evil"),
        extra: element,
        ..Forge::default()
    };
    assert_eq!(forge.refusal(), WsseError::ForeignReference);
}

#[test]
fn a_second_body_is_refused() {
    let text = Forge::default().message();
    let evil = body("evil", "evil");
    assert_eq!(refusal(&text.replace("</s:Header>", &format!("</s:Header>{evil}"))), WsseError::SecondBody);
    assert_eq!(
        refusal(&text.replace("</s:Envelope>", &format!("{evil}</s:Envelope>"))),
        WsseError::SecondBody
    );
    let stray = text.replace("</s:Envelope>", "<x/></s:Envelope>");
    assert_eq!(refusal(&stray), WsseError::StrayElement);
    let header = text.replace("</s:Envelope>", "<s:Header/></s:Envelope>");
    assert_eq!(refusal(&header), WsseError::StrayElement);
}

#[test]
fn another_certificate_is_refused() {
    let theirs = stranger().signer().sign(&message(), now(), Uuid::from_u128(7)).unwrap();
    assert_eq!(refusal(&theirs), WsseError::OtherCertificate);
    // their signature under our token
    let ours = part(&signed(), "<wsse:BinarySecurityToken", "</wsse:BinarySecurityToken>").to_owned();
    let mixed =
        theirs.replace(part(&theirs, "<wsse:BinarySecurityToken", "</wsse:BinarySecurityToken>"), &ours);
    assert_eq!(refusal(&mixed), WsseError::BadSignature);
    let both = Verifier::new(&[&stranger().certificate, &star().certificate], TOLERANCE, LIMIT).unwrap();
    both.verify(theirs.as_bytes(), now(), None).unwrap();
    both.verify(signed().as_bytes(), now(), None).unwrap();
    assert_eq!(Verifier::new::<Vec<u8>>(&[], TOLERANCE, LIMIT).unwrap_err(), WsseError::NothingPinned);
    assert_eq!(Verifier::new(&[b"none"], TOLERANCE, LIMIT).unwrap_err(), WsseError::Pinned);
}

/// The token is compared by its bytes, however its Base64 is broken into lines.
#[test]
fn a_token_may_stand_in_several_lines() {
    let text = signed();
    let good = star().verifier().verify(text.as_bytes(), now(), None).unwrap();
    let broken = text.replacen(">MII", ">\n  M\r\nII", 1);
    assert_ne!(broken, text);
    assert_eq!(star().verifier().verify(broken.as_bytes(), now(), None).unwrap(), good);
    assert_eq!(refusal(&text.replacen(">MII", ">M*II", 1)), WsseError::Form { what: "the token" });
}

#[test]
fn an_expired_certificate_is_refused() {
    let year = |year: &str| format!("{year}-06-01T10:00:00Z").parse::<Timestamp>().unwrap();
    for (at, early) in [(year("2025"), true), (year("2030"), false)] {
        let text = star().signer().sign(&message(), at, Uuid::nil()).unwrap();
        let error = star().verifier().verify(text.as_bytes(), at, None).unwrap_err();
        match error {
            WsseError::CertificateNotYetValid { .. } => assert!(early),
            WsseError::CertificateExpired { .. } => assert!(!early),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn time_is_judged_with_tolerance() {
    let text = signed();
    let at = |seconds: i64, asked: Option<i64>| {
        star().verifier().verify(text.as_bytes(), later(seconds), asked.map(later)).map(drop)
    };
    assert!(at(0, None).is_ok() && at(300 + 120, None).is_ok() && at(-120, None).is_ok());
    assert_eq!(at(300 + 121, None), Err(WsseError::Expired { end: later(300) }));
    assert_eq!(at(-121, None), Err(WsseError::FromTheFuture { created: now() }));
    assert!(at(10, Some(120)).is_ok());
    assert_eq!(at(10, Some(121)), Err(WsseError::BeforeTheRequest { created: now() }));
}

#[test]
fn a_timestamp_is_what_the_profile_says() {
    let with = |timestamp: String| {
        let references = vec![("#time".into(), timestamp.clone()), Forge::default().references[1].clone()];
        let forge = Forge { timestamp, references, ..Forge::default() };
        star().verifier().verify(forge.message().as_bytes(), now(), None).map(drop)
    };
    let created = "2026-06-01T10:00:00Z";
    assert_eq!(with(timestamp("time", created, None)), Ok(()), "then five minutes count");
    assert_eq!(with(timestamp("time", "2026-06-01T12:00:00+02:00", None)), Ok(()));
    // the signer's own generosity does not count
    let old = with(timestamp("time", "2026-06-01T09:00:00Z", Some("2026-06-02T09:00:00Z")));
    assert!(matches!(old, Err(WsseError::Expired { .. })));
    let backwards = with(timestamp("time", created, Some("2026-06-01T09:59:00Z")));
    assert!(matches!(backwards, Err(WsseError::Expired { .. })));
    for wrong in ["", "yesterday", "2026-06-01T10:00:00", "9999999999"] {
        assert!(matches!(with(timestamp("time", wrong, None)), Err(WsseError::Form { .. })), "{wrong}");
    }
    let two = timestamp("time", created, None)
        .replace("</wsu:Timestamp>", "<wsu:Created>2026</wsu:Created></wsu:Timestamp>");
    assert_eq!(with(two), Err(WsseError::Several { what: "Created" }));
}

#[test]
fn a_message_without_its_parts_is_refused() {
    assert_eq!(refusal(&message()), WsseError::MissingSignature);
    assert_eq!(
        refusal(&message().replace("<s:Header><e:Caller>nobody</e:Caller></s:Header>", "")),
        WsseError::MissingSignature
    );
    let text = signed();
    let without = |begin: &str, end: &str| refusal(&text.replace(part(&text, begin, end), ""));
    assert_eq!(without("<ds:Signature ", "</ds:Signature>"), WsseError::MissingSignature);
    assert_eq!(without("<wsu:Timestamp", "</wsu:Timestamp>"), WsseError::MissingTimestamp);
    assert!(matches!(
        without("<wsse:BinarySecurityToken", "</wsse:BinarySecurityToken>"),
        WsseError::Form { .. }
    ));
    assert!(matches!(without("<ds:KeyInfo>", "</ds:KeyInfo>"), WsseError::Form { .. }));
    assert!(matches!(without("<ds:SignatureValue>", "</ds:SignatureValue>"), WsseError::Form { .. }));
    assert_eq!(without("<s:Body", "</s:Body>"), WsseError::NoBody);
}

#[test]
fn parts_that_come_twice_are_refused() {
    let text = Forge::default().message();
    let twice = |name: &str, begin: &str, end: &str| {
        let copy =
            part(&text, begin, end).replace("\"time\"", "\"time2\"").replace("\"token\"", "\"token2\"");
        let error = refusal(&text.replace("</wsse:Security>", &format!("{copy}</wsse:Security>")));
        assert!(matches!(error, WsseError::Several { what } if what == name), "{name}: {error}");
    };
    twice("Timestamp", "<wsu:Timestamp", "</wsu:Timestamp>");
    twice("Signature", "<ds:Signature ", "</ds:Signature>");
    twice("BinarySecurityToken", "<wsse:BinarySecurityToken", "</wsse:BinarySecurityToken>");
    let security = part(&text, "<wsse:Security ", "</wsse:Security>").to_owned();
    let empty = format!("<wsse:Security xmlns:wsse=\"{WSSE}\"></wsse:Security>");
    assert_eq!(
        refusal(&text.replace(&security, &format!("{empty}{security}"))),
        WsseError::Several { what: "Security" }
    );
}

#[test]
fn a_signature_over_less_or_more_is_refused() {
    let both = Forge::default().references;
    let over = |references: Vec<(String, String)>| Forge { references, ..Forge::default() }.refusal();
    assert_eq!(over(vec![both[0].clone()]), WsseError::UnsignedBody);
    assert_eq!(over(vec![both[1].clone()]), WsseError::UnsignedTimestamp);
    assert_eq!(over(vec![]), WsseError::UnsignedBody);
    assert_eq!(over(vec![both[1].clone(), both[1].clone()]), WsseError::UnsignedTimestamp);
    let three = vec![both[0].clone(), both[1].clone(), both[1].clone()];
    assert_eq!(over(three), WsseError::ExtraReference);
    for uri in ["", "#", "#token", "body", "http://localhost/body", "#xpointer(/)", "file:///etc/hostname"] {
        let error = over(vec![both[0].clone(), (uri.to_owned(), both[1].1.clone())]);
        assert_eq!(error, WsseError::ForeignReference, "{uri}");
    }
}

#[test]
fn an_id_that_occurs_twice_is_refused() {
    let text = Forge::default().message();
    for attribute in ["Id=\"body\"", "ID=\"body\"", "id=\"time\"", "xml:id=\"body\""] {
        let error = refusal(&text.replace("</s:Header>", &format!("<x {attribute}/></s:Header>")));
        assert_eq!(error, WsseError::DuplicateId, "{attribute}");
    }
    let wsu = format!("<x xmlns:u=\"{WSU}\" u:Id=\"time\"/></s:Header>");
    assert_eq!(refusal(&text.replace("</s:Header>", &wsu)), WsseError::DuplicateId);
}

/// Signed with SHA-1 by xmlsec1, so that nothing but the algorithm is wrong.
#[test]
fn sha_1_is_refused() {
    let [sha1_signature, .., sha1_digest] = SHA1;
    let digest = Forge { digest: sha1_digest, ..Forge::default() };
    let by_digest = signed_by_xmlsec1(&digest).unwrap_or_else(|| digest.message());
    assert_eq!(refusal(&by_digest), WsseError::Sha1 { what: "digest" });
    let method = Forge { method: sha1_signature, ..Forge::default() };
    let by_method = signed_by_xmlsec1(&method).unwrap_or_else(|| method.message());
    assert_eq!(refusal(&by_method), WsseError::Sha1 { what: "signature" });
}

#[test]
fn other_algorithms_and_transforms_are_refused() {
    let with = |forge: Forge| match forge.refusal() {
        WsseError::Algorithm { what } => what,
        other => panic!("{other}"),
    };
    let hmac = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    assert_eq!(with(Forge { method: hmac, ..Forge::default() }), "signature");
    assert_eq!(
        with(Forge { digest: "http://www.w3.org/2001/04/xmldsig-more#md5", ..Forge::default() }),
        "digest"
    );
    for algorithm in [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    ] {
        assert_eq!(with(Forge { transforms: transform(algorithm), ..Forge::default() }), "transform");
    }
    let two = Forge { transforms: format!("{}<x></x>", transform(EXCLUSIVE)), ..Forge::default() };
    assert_eq!(with(two), "transforms");
    assert_eq!(with(Forge { value_type: "urn:other", ..Forge::default() }), "token");
}

#[test]
fn what_no_message_needs_is_refused_before_a_tree_is_made() {
    let text = Forge::default().message();
    let read = |message: &str| match refusal(message) {
        WsseError::Message(error) => error,
        other => panic!("{other}"),
    };
    use proto_soap::Error;
    assert!(matches!(read(&format!("<!DOCTYPE s>{text}")), Error::Doctype { .. }));
    let entity = format!("<!DOCTYPE s [<!ENTITY x \"hello\">]>{}", text.replace("hello", "&x;"));
    assert!(matches!(read(&entity), Error::Doctype { .. }));
    assert!(matches!(read(&text.replace("hello", "&x;")), Error::Entity { .. }));
    assert!(matches!(read(&text.replace("hello", &"x".repeat(LIMIT))), Error::TooLarge { .. }));
    assert!(matches!(read(&text.replace("hello", &"<a>".repeat(200))), Error::Limit { .. }));
    assert!(matches!(read(&text[..text.len() - 20]), Error::Malformed { .. }));
    assert_eq!(refusal("<html></html>"), WsseError::NotAnEnvelope);
    assert!(refusal("<html></html>").is_no_message() && refusal("<html>").is_no_message());
    assert!(!refusal(&message()).is_no_message());
}

/// Whoever answers, whether he can sign or not, cannot make us render much before we know who he is.
#[test]
fn a_signed_info_beyond_all_measure_is_refused_before_it_is_rendered() {
    let text = Forge::default().message();
    let padded = |bytes: usize| {
        text.replace(
            "<ds:SignatureMethod ",
            &format!("<x>{}</x><ds:SignatureMethod ", "<y/>".repeat(bytes / 4)),
        )
    };
    assert_eq!(refusal(&padded(16 << 10)), WsseError::Form { what: "SignedInfo of a usual size" });
    assert_eq!(refusal(&padded(8 << 10)), WsseError::BadSignature);
}

/// No error repeats what stood in the message.
#[test]
fn errors_hold_no_content() {
    for text in [signed().replace("Grød", "Secret"), message().replace("Grød", "Secret")] {
        let error = refusal(&text);
        assert!(!format!("{error} {error:?}").contains("Secret"));
        assert_eq!(error.disposition(), base::Disposition::Escalate);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_xmlsec1_signs_is_accepted(drawn in drawn()) {
        let forge = Forge { body: body("body", &drawn.text()), ..Forge::default() };
        let message = signed_by_xmlsec1(&forge).expect("xmlsec1 signs it");
        if let Err(error) = star().verifier().verify(message.as_bytes(), now(), None) {
            prop_assert!(false, "{}: {}", error, message);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Any byte changed: refused, or the signed content is the same (white space in markup, a header block).
    #[test]
    fn a_changed_byte_changes_nothing_that_is_returned(at in 0_usize..4_000, byte in any::<u8>()) {
        let mut bytes = signed().into_bytes();
        let good = star().verifier().verify(&bytes, now(), None).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(verified) = star().verifier().verify(&bytes, now(), None) {
            prop_assert_eq!(verified, good);
        }
    }

    #[test]
    fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(star().verifier().verify(&bytes, now(), None).is_err());
    }
}
