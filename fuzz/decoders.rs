//! What is fuzzed: each decoder that reads bytes from a network, and what must hold of it whatever the bytes are. No
//! decoder may panic, hang or hold more than its limits; besides,
//!
//! * what was read can be written, and is read again as the same (SOAP, EWS, Planner, Autodiscover, NTLM);
//! * where a stream is cut makes no difference;
//! * a signed message is believed for nothing but what its one signer has signed ([`wsse`]), however it is rearranged.
//!
//! Used twice: by the targets of cargo-fuzz, which look for new bytes (`make fuzz`), and by a test of `end-to-end`,
//! which tries all that are known (`fuzz/seeds`, `fuzz/findings`). Each answers whether the bytes were taken for a message.

use jiff::{SignedDuration, Timestamp};
use proto_ews::{autodiscover as discovery, pox as plain};
use proto_ntlm::message::{Authenticate, Challenge, Negotiate, read_pairs};
use proto_planner::{Operation, WireTime};
use proto_soap::{Body, Limits, Node, Reader, Writer};

/// Limits small enough that a short input reaches each of them.
const LIMITS: Limits = Limits { bytes: 1 << 16, depth: 16, text: 4_096, attributes: 8, elements: 500 };

/// Its name, and whether it takes these bytes.
type Decoder = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub(crate) const DECODERS: [Decoder; 8] = [
    ("soap", soap),
    ("ews", ews),
    ("stream", stream),
    ("planner", planner),
    ("autodiscover", autodiscover),
    ("pox", pox),
    ("ntlm", ntlm),
    ("wsse", wsse),
];

/// The XML reader beneath everything, and SOAP envelopes.
pub(crate) fn soap(bytes: &[u8]) -> bool {
    let envelope =
        proto_soap::read_envelope(bytes, LIMITS, |_, _| Ok(()), |reader, element| reader.node(element));
    let tree = |bytes: &[u8], limits| -> Result<Node, proto_soap::Error> {
        let mut reader = Reader::new(bytes, limits)?;
        let root = reader.root()?;
        let node = reader.node(&root)?;
        reader.finish()?;
        Ok(node)
    };
    let Ok(node) = tree(bytes, LIMITS) else {
        assert!(envelope.is_err(), "an envelope that is no document");
        return false;
    };
    let mut writer = Writer::new(Writer::STANDARD_LIMIT);
    node.write(&mut writer, "");
    let text = writer.finish().expect("a small tree is a small text");
    let again = tree(text.as_bytes(), Limits::standard()).expect("what is written can be read");
    assert_eq!(again, node, "{text}");
    if let Ok(Body::Fault(fault)) = &envelope {
        let _ = format!("{fault:?}");
    }
    envelope.is_ok()
}

/// Requests and answers of Exchange Web Services.
pub(crate) fn ews(bytes: &[u8]) -> bool {
    let request = proto_ews::decode_request(bytes, LIMITS);
    if let Ok(request) = &request {
        let read = |text: &str| proto_ews::decode_request(text.as_bytes(), Limits::standard());
        stays_the_same(request, proto_ews::encode_request, read);
    }
    let response = proto_ews::decode_response(bytes, LIMITS);
    if let Ok(response) = &response {
        let read = |text: &str| proto_ews::decode_response(text.as_bytes(), Limits::standard());
        stays_the_same(response, proto_ews::encode_response, read);
    }
    request.is_ok() || response.is_ok()
}

/// What was written and read again is the same. A value that this program does not know is not written, and of an item that
/// could not be read only the id is, so there it is the same from the first writing on; some of those do not show.
fn stays_the_same<T: PartialEq + std::fmt::Debug, E: std::fmt::Debug>(
    first: &T,
    write: impl Fn(&T) -> Result<String, E>,
    read: impl Fn(&str) -> Result<T, E>,
) {
    let Ok(text) = write(first) else { return };
    let again = read(&text).expect(&text);
    let rewritten = write(&again).expect(&text);
    assert_eq!(rewritten, text);
    assert!(read(&rewritten).expect(&text) == again, "{text}");
    let said = format!("{first:?}");
    if !said.contains("Unreadable {") && !said.contains("(Unknown)") {
        assert_eq!(format!("{again:?}"), said, "{text}");
    }
}

/// The splitter of GetStreamingEvents: the first byte says how large the pieces are.
pub(crate) fn stream(bytes: &[u8]) -> bool {
    const HELD_MAX: usize = 4_096;
    let Some((&size, body)) = bytes.split_first() else { return false };
    let cut = |size: usize| {
        let mut splitter = proto_ews::StreamSplitter::new(HELD_MAX);
        let mut envelopes = Vec::new();
        for piece in body.chunks(size) {
            envelopes.extend(splitter.push(piece)?);
            assert!(splitter.held() <= HELD_MAX, "{} bytes are held", splitter.held());
        }
        Ok::<_, proto_ews::SplitError>((envelopes, splitter.is_inside()))
    };
    let whole = cut(body.len().max(1));
    let pieces = cut(usize::from(size).max(1));
    assert_eq!(whole, pieces, "where the stream is cut makes a difference");
    let Ok((envelopes, _)) = whole else { return false };
    assert!(envelopes.iter().map(Vec::len).sum::<usize>() <= body.len(), "more comes out than goes in");
    for envelope in &envelopes {
        assert!(envelope.starts_with(b"<") && envelope.ends_with(b">"));
        let _ = proto_ews::decode_response(envelope, LIMITS);
    }
    !envelopes.is_empty()
}

/// Planner's answers to each of the five operations, and the requests that the simulator reads.
pub(crate) fn planner(bytes: &[u8]) -> bool {
    let time = WireTime::utc();
    let request = proto_planner::decode_request(bytes, &time);
    if let Ok(request) = &request
        && let Ok(text) = proto_planner::encode_request(request, &time)
    {
        let again = proto_planner::decode_request(text.as_bytes(), &time);
        assert_eq!(again.as_ref().ok(), Some(request), "{text}");
    }
    let mut known = request.is_ok();
    for operation in Operation::ALL {
        let answer = proto_planner::decode_response(operation, bytes, &time);
        if let Ok(proto_planner::Answer::Response(response)) = &answer
            && let Ok(text) = proto_planner::encode_response(response, &time)
        {
            let again = proto_planner::decode_response(operation, text.as_bytes(), &time);
            assert_eq!(again.as_ref().ok(), answer.as_ref().ok(), "{text}");
        }
        known |= answer.is_ok();
    }
    known
}

/// Autodiscover over SOAP.
pub(crate) fn autodiscover(bytes: &[u8]) -> bool {
    let request = discovery::decode_request(bytes, LIMITS);
    if let Ok(request) = &request
        && let Ok(text) = discovery::encode_request(request)
    {
        let again = discovery::decode_request(text.as_bytes(), Limits::standard());
        assert_eq!(again.as_ref().ok(), Some(request), "{text}");
    }
    let response = discovery::decode_response(bytes, LIMITS);
    if let Ok(response) = &response
        && let Ok(text) = discovery::encode_response(response)
    {
        let again = discovery::decode_response(text.as_bytes(), Limits::standard());
        assert_eq!(again.as_ref().ok(), Some(response), "{text}");
    }
    request.is_ok() || response.is_ok()
}

/// Autodiscover in plain XML.
pub(crate) fn pox(bytes: &[u8]) -> bool {
    let request = plain::decode_request(bytes, LIMITS);
    if let Ok(address) = &request
        && let Ok(text) = plain::encode_request(address)
    {
        let again = plain::decode_request(text.as_bytes(), Limits::standard());
        assert_eq!(again.as_ref().ok(), Some(address), "{text}");
    }
    let response = plain::decode_response(bytes, LIMITS);
    if let Ok(response) = &response
        && let Ok(text) = plain::encode_response("somebody@kommune.test", response)
    {
        let again = plain::decode_response(text.as_bytes(), Limits::standard());
        assert_eq!(again.as_ref().ok(), Some(response), "{text}");
    }
    request.is_ok() || response.is_ok()
}

/// The messages of an NTLM login, bare and as headers' values, and the certificate that a login is bound to.
pub(crate) fn ntlm(bytes: &[u8]) -> bool {
    use proto_ntlm::acceptor::{Server, Strength};
    const NOW: u64 = 133_000_000_000_000_000;
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = proto_ntlm::header::offer(text.lines());
    }
    let _ = (read_pairs(bytes), proto_ntlm::binding::end_point(bytes));
    let challenge = Challenge::decode(bytes);
    if let Ok(challenge) = &challenge {
        let again = Challenge::decode(&challenge.encode());
        assert_eq!(again.as_ref().ok(), Some(challenge));
        let _ = challenge.weakness();
    }
    let server = Server { domain: "Domain".to_owned(), computer: "Server".to_owned(), binding: None };
    let (_, pending) = server
        .challenge(b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2", Strength::V2, [1; 8], NOW)
        .expect("a first message");
    let judged = pending.judge(bytes, NOW, |_, _| Some("Password".to_owned()));
    assert!(judged.is_err(), "a login without the password: {judged:?}");
    challenge.is_ok() || Negotiate::decode(bytes).is_ok() || Authenticate::decode(bytes).is_ok()
}

/// Messages that are to be signed by `fuzz/signer.der`: whose key signed one Body and is gone.
pub(crate) fn wsse(bytes: &[u8]) -> bool {
    const SIGNER: &[u8] = include_bytes!("signer.der");
    /// What was signed, as it is handed on.
    const SIGNED: &str = include_str!("signed-envelope.xml");
    let tolerance = SignedDuration::from_mins(2);
    let verifier = proto_wsse::Verifier::new(&[SIGNER], tolerance, LIMITS.bytes).expect("a certificate");
    let now: Timestamp = "2026-06-01T10:00:30Z".parse().expect("an instant");
    match verifier.verify(bytes, now, None) {
        Ok(verified) => {
            assert_eq!(verified.envelope, SIGNED, "believed, and never signed");
            true
        }
        Err(error) => {
            let _ = error.to_string();
            false
        }
    }
}
