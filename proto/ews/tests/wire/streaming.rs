//! Goal: a stream's envelopes come out whole and in order wherever the network cuts, and what is no
//! envelope is an error by its own name.

use proptest::prelude::*;
use proto_ews::{
    ConnectionStatus, Limits, Response, ResponseEnvelope, ServerVersion, SplitError, StreamMessage,
    StreamSplitter, decode_response, encode_response,
};

use crate::strategies::stream_envelope;

/// Pushes everything in pieces of `size` bytes.
fn split(stream: &[u8], size: usize) -> Result<Vec<Vec<u8>>, SplitError> {
    let mut splitter = StreamSplitter::new(1 << 20);
    let mut envelopes = Vec::new();
    for piece in stream.chunks(size.max(1)) {
        envelopes.extend(splitter.push(piece)?);
    }
    assert!(!splitter.is_inside(), "nothing is left over");
    Ok(envelopes)
}

#[test]
fn the_form_is_that_of_exchange() {
    let version = ServerVersion {
        major: 15,
        minor: 2,
        major_build: 2562,
        minor_build: 17,
        version: Some("V2017_07_11".to_owned()),
    };
    let message = encode_response(&ResponseEnvelope {
        server_version: Some(version),
        body: Ok(Response::GetStreamingEvents(vec![StreamMessage::status(ConnectionStatus::Ok)])),
    })
    .unwrap();
    let start = r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><soap11:Header xmlns:soap11="http://schemas.xmlsoap.org/soap/envelope/"><ServerVersionInfo MajorVersion="15""#;
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains("</soap11:Header><soap11:Body xmlns:soap11="));
    assert!(message.contains("<m:ConnectionStatus>OK</m:ConnectionStatus>"));
    assert!(message.ends_with("</m:GetStreamingEventsResponse></soap11:Body></Envelope>"));
}

#[test]
fn envelopes_with_every_disguise_of_their_end() {
    let tricky = [
        r#"<Envelope a="</Envelope>" b='<Envelope ">' c="/">x</Envelope>"#,
        "<Envelope><![CDATA[</Envelope>]] ]]]></Envelope>",
        "<Envelope><!-- </Envelope> - -- ---></Envelope>",
        "<Envelope><?pi </Envelope> ? ?></Envelope>",
        "<s:Envelope xmlns:s='u'><Envelope><Envelope/></Envelope></s:Envelope >",
        "<Envelope/>",
        "<e:Envelope a = '1' / >å\u{1f600}</e:Envelope>",
        "<Envelope\n>&lt;/Envelope></Envelope\n>",
    ];
    let between =
        ["", "\r\n ", "<?xml version=\"1.0\"?>", "<!-- <Envelope> -->", "\u{feff}<?xml version='1.0'?>\n"];
    let mut stream = String::new();
    for (number, envelope) in tricky.iter().enumerate() {
        stream.push_str(between[number % between.len()]);
        stream.push_str(envelope);
    }
    for size in [1, 2, 3, 7, 1000] {
        let envelopes = split(stream.as_bytes(), size).unwrap();
        let envelopes: Vec<_> = envelopes.iter().map(|e| std::str::from_utf8(e).unwrap()).collect();
        assert_eq!(envelopes, tricky, "pieces of {size}");
    }
}

#[test]
fn what_is_no_envelope_is_an_error() {
    let not_xml = |what| SplitError::NotXml { what };
    for (stream, expected) in [
        ("<html><body>", not_xml("another root element")),
        ("<Envelopes/>", not_xml("another root element")),
        ("<Envelope.x/>", not_xml("another root element")),
        ("Service unavailable", not_xml("text between envelopes")),
        ("<Envelope/>rest", not_xml("text between envelopes")),
        ("<!DOCTYPE html>", not_xml("a document type")),
        ("<Envelope><!DOCTYPE x></Envelope>", not_xml("a document type")),
        ("<Envelope><![CDAT[</Envelope>", not_xml("unknown markup")),
        ("</Envelope>", not_xml("a tag without a name")),
        ("<>", not_xml("a tag without a name")),
        ("\u{fe00}", not_xml("text between envelopes")),
        ("1f4\r\n<Envelope/>", SplitError::BrokenProxy),
        ("<Envelope/>\r\n2A\r\n<Envelope/>", SplitError::BrokenProxy),
        ("feed", not_xml("text between envelopes")),
        ("123456789\r\n", not_xml("text between envelopes")),
    ] {
        if stream == "feed" {
            // Hexadecimal so far: undecided until the next byte.
            let mut splitter = StreamSplitter::new(100);
            assert_eq!(splitter.push(b"feed"), Ok(vec![]));
            assert!(splitter.is_inside());
            assert_eq!(splitter.push(b" me"), Err(expected));
            continue;
        }
        for size in [1, 1000] {
            assert_eq!(split(stream.as_bytes(), size), Err(expected), "{stream:?}");
        }
    }
    let endless = format!("<{}", "e".repeat(10_000));
    assert_eq!(split(endless.as_bytes(), 10), Err(not_xml("an endless name")));
}

#[test]
fn an_error_stays_and_the_limit_is_exact() {
    let envelope = b"<Envelope>12345</Envelope>";
    let mut splitter = StreamSplitter::new(envelope.len());
    assert_eq!(splitter.push(envelope).unwrap().len(), 1);
    let mut splitter = StreamSplitter::new(envelope.len() - 1);
    let expected = Err(SplitError::TooLarge { limit: envelope.len() - 1 });
    assert_eq!(splitter.push(envelope), expected);
    assert_eq!(splitter.push(b"<Envelope/>"), expected, "nothing comes out after an error");
    assert_eq!(splitter.held(), 0);
}

#[test]
fn which_error_comes_first_does_not_depend_on_the_pieces() {
    // what is wrong behind the limit, at it, and before it (found by fuzzing)
    let wrong = b"<Envelope>12345<!DOCTYPE";
    // the 18th byte says that it is a document type
    const SEEN_AT: usize = 18;
    for limit in 1..=wrong.len() {
        for size in 1..=wrong.len() {
            let mut splitter = StreamSplitter::new(limit);
            let result = wrong.chunks(size).find_map(|piece| splitter.push(piece).err());
            let expected = if limit < SEEN_AT {
                SplitError::TooLarge { limit }
            } else {
                SplitError::NotXml { what: "a document type" }
            };
            assert_eq!(result, Some(expected), "limit {limit}, pieces of {size}");
        }
    }
}

#[test]
fn an_unfinished_envelope_is_noticed() {
    let mut splitter = StreamSplitter::new(100);
    assert!(!splitter.is_inside());
    for (piece, inside) in
        [("<Envelope><a", true), ("/></Envel", true), ("ope>", false), (" \r\n", false), ("<", true)]
    {
        splitter.push(piece.as_bytes()).unwrap();
        assert_eq!(splitter.is_inside(), inside, "{piece}");
    }
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces(envelopes in prop::collection::vec(stream_envelope(), 1..5),
                                sizes in prop::collection::vec(1usize..200, 1..20)) {
        let mut stream = Vec::new();
        for envelope in &envelopes {
            stream.extend_from_slice(encode_response(envelope).unwrap().as_bytes());
        }
        let mut splitter = StreamSplitter::new(1 << 20);
        let (mut rest, mut sizes) = (stream.as_slice(), sizes.iter().cycle());
        let mut decoded = Vec::new();
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = tail;
            for message in splitter.push(piece).unwrap() {
                decoded.push(decode_response(&message, Limits::standard()).unwrap());
            }
        }
        prop_assert!(!splitter.is_inside());
        prop_assert_eq!(decoded, envelopes);
    }
}
