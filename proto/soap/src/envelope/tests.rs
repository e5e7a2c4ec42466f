//! Goal: header, body and fault are found in any legal form; what is no SOAP 1.1 envelope is named as such.

use proptest::prelude::*;

use super::*;

/// Name and text of the body's element.
type Content = (String, String);

/// Local names of the header blocks, and the body.
fn read(message: &str) -> Result<(Vec<String>, Body<Content>), Error> {
    let mut blocks = Vec::new();
    let body = read_envelope(
        message.as_bytes(),
        Limits::standard(),
        |_, block| {
            blocks.push(block.local().to_owned());
            Ok::<_, Error>(())
        },
        |reader, element| Ok((element.local().to_owned(), reader.text(element)?)),
    )?;
    Ok((blocks, body))
}

#[test]
fn splits_header_and_body() {
    let message = "<?xml version='1.0'?>\n<x:Envelope xmlns:x='http://schemas.xmlsoap.org/soap/envelope/'>\n \
         <x:Header><a/><b><c/></b></x:Header>\n <x:Body>\n  <op>text</op><ignored/></x:Body><later/>\n</x:Envelope>\n";
    let (blocks, body) = read(message).unwrap();
    assert_eq!(blocks, ["a", "b"]);
    assert_eq!(body, Body::Content(("op".to_owned(), "text".to_owned())));
}

#[test]
fn what_is_no_envelope_is_named() {
    let found = |message: &str| read(message).unwrap_err();
    assert_eq!(found("<html/>"), Error::NotAnEnvelope { found: "html".to_owned() });
    assert_eq!(found("<Envelope/>"), Error::NotAnEnvelope { found: "Envelope".to_owned() });
    assert_eq!(found("<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'/>"), Error::SoapVersion);
    for inner in ["", "<s:Header/>", "<s:Body/>", "<s:Body> text </s:Body>"] {
        let message =
            format!("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'>{inner}</s:Envelope>");
        assert_eq!(found(&message), Error::NoBody, "{inner}");
    }
}

#[test]
fn a_second_envelope_is_an_error() {
    let one =
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><a/></s:Body></s:Envelope>";
    assert!(read(one).is_ok());
    assert!(matches!(read(&format!("{one}{one}")), Err(Error::Malformed { .. })));
    assert!(matches!(read(&format!("{one}rest")), Err(Error::Malformed { .. })));
}

fn fault(inner: &str) -> Fault {
    let message = format!(
        "<s:Envelope xmlns:s='{SOAP_NS}' xmlns:t='urn:t'><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>"
    );
    match read(&message).unwrap().1 {
        Body::Fault(fault) => fault,
        Body::Content(content) => panic!("{content:?}"),
    }
}

#[test]
fn faults_in_all_their_forms() {
    let full = fault(
        "<faultcode xmlns:a='urn:a'>a:Busy</faultcode><faultstring xml:lang='nb-NO'>wait</faultstring>\
         <faultactor>me</faultactor><detail><e:C xmlns:e='urn:e'>Busy</e:C><t:X><t:V n='1'>2</t:V></t:X></detail>",
    );
    assert_eq!(full.code, FaultCode { namespace: Some("urn:a".to_owned()), local: "Busy".to_owned() });
    assert_eq!((full.string.as_str(), full.lang.as_deref()), ("wait", Some("nb-NO")));
    assert_eq!(full.actor.as_deref(), Some("me"));
    assert_eq!(full.find("C").map(|n| n.text.as_str()), Some("Busy"));
    assert_eq!(full.find("V").and_then(|n| n.attribute("n")), Some("1"));
    assert_eq!(full.detail.len(), 2);

    let of_code = |text: &str| fault(&format!("<faultcode>{text}</faultcode>")).code;
    assert_eq!(of_code("s:Client").namespace.as_deref(), Some(SOAP_NS));
    assert_eq!(of_code(" t:X\n"), FaultCode { namespace: Some("urn:t".to_owned()), local: "X".to_owned() });
    assert_eq!(of_code("nobody:X"), FaultCode { namespace: None, local: "X".to_owned() });
    assert_eq!(of_code("X"), FaultCode { namespace: None, local: "X".to_owned() });
    assert_eq!(fault(""), Fault::default());
    assert_eq!(fault("<s:faultstring>q</s:faultstring>").string, "q", "a server that qualifies them");
}

#[test]
fn a_detail_is_kept_up_to_a_number_of_elements() {
    let fault = fault(&format!("<detail>{}</detail>", "<a/>".repeat(DETAIL_MAX + 5)));
    assert_eq!(fault.detail.len(), DETAIL_MAX);
}

#[test]
fn writes_an_envelope() {
    let writer = EnvelopeWriter { declaration: true, namespaces: &[("m", "urn:m")], limit: 1000 };
    let with = writer.write(|w| w.empty("m:h"), |w| w.empty("m:op")).unwrap();
    assert_eq!(
        with,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:m=\"urn:m\">\
         <s:Header><m:h/></s:Header><s:Body><m:op/></s:Body></s:Envelope>"
    );
    let without = writer.write(|_| {}, |w| w.empty("m:op")).unwrap();
    assert!(!without.contains("Header"));
    let small = EnvelopeWriter { limit: 50, ..writer };
    assert_eq!(small.write(|_| {}, |_| {}), Err(Error::OutputTooLarge { limit: 50 }));
}

proptest! {
    #[test]
    fn faults_survive_writing_and_reading(
        namespace in prop::option::of(prop::sample::select(vec![SOAP_NS, "urn:a", "urn:b"])),
        local in "[A-Za-z]{1,12}", string in "[ -~å\r\n]{0,30}",
        lang in prop::option::of("[a-z]{2}-[A-Z]{2}"), actor in prop::option::of("[ -~]{0,10}"),
        detail in prop::collection::vec(("[A-Z][a-z]{0,8}", "[ -~]{0,10}"), 0..4),
    ) {
        let fault = Fault {
            code: FaultCode { namespace: namespace.map(str::to_owned), local },
            string,
            lang,
            actor,
            detail: detail.iter().map(|(name, text)| Node::leaf("urn:d", name, text.as_str())).collect(),
        };
        let writer = EnvelopeWriter { declaration: false, namespaces: &[], limit: 10_000 };
        let message = writer.write(|_| {}, |w| fault.write(w, "s:")).unwrap();
        prop_assert_eq!(read(&message).unwrap().1, Body::Fault(fault));
    }

    #[test]
    fn no_bytes_panic(message in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_envelope(&message, Limits::standard(), |_, _| Ok::<_, Error>(()), |_, _| Ok(()));
    }
}
