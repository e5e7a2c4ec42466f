//! Goal: no bytes make a decoder panic or hold more than its limits. Method: arbitrary bytes, and good
//! messages with bytes changed, lost, doubled and cut.

use proptest::prelude::*;
use proptest::sample::Index;
use proto_ews::{
    Limits, StreamSplitter, autodiscover, decode_request, decode_response, encode_request, encode_response,
    pox,
};

use crate::strategies::{request_envelope, response_envelope};

/// One change of a message.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Remove(Index, usize),
    Insert(Index, &'static str),
    Repeat(Index, usize),
    Cut(Index),
}

impl Damage {
    fn apply(&self, message: &mut Vec<u8>) {
        if message.is_empty() {
            return;
        }
        match self {
            Self::Set(at, byte) => {
                let at = at.index(message.len());
                message[at] = *byte;
            }
            Self::Remove(at, count) => {
                let from = at.index(message.len());
                let to = (from + count).min(message.len());
                message.drain(from..to);
            }
            Self::Insert(at, text) => {
                let at = at.index(message.len());
                message.splice(at..at, text.bytes());
            }
            Self::Repeat(at, count) => {
                let from = at.index(message.len());
                let piece = message[from..(from + count).min(message.len())].to_vec();
                message.splice(from..from, piece);
            }
            Self::Cut(at) => message.truncate(at.index(message.len())),
        }
    }
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let markup = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "\"",
        "<!--",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE x>",
        "&#x0;",
        "&x;",
        "</",
        "/>",
        "<a>",
        "\0",
        "xmlns=''",
        "-1",
        "99999999999999999999",
    ]);
    let one = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        (any::<Index>(), markup).prop_map(|(at, text)| Damage::Insert(at, text)),
        (any::<Index>(), 1..60_usize).prop_map(|(at, count)| Damage::Repeat(at, count)),
        any::<Index>().prop_map(Damage::Cut),
    ];
    prop::collection::vec(one, 1..4)
}

/// Every decoder once.
fn decode_with_all(message: &[u8], limits: Limits) {
    let _ = decode_request(message, limits);
    let _ = decode_response(message, limits);
    let _ = autodiscover::decode_request(message, limits);
    let _ = autodiscover::decode_response(message, limits);
    let _ = pox::decode_request(message, limits);
    let _ = pox::decode_response(message, limits);
}

proptest! {
    #[test]
    fn arbitrary_bytes(message in prop::collection::vec(any::<u8>(), 0..400)) {
        decode_with_all(&message, Limits::standard());
    }

    #[test]
    fn damaged_requests(envelope in request_envelope(), damage in damage()) {
        let mut message = encode_request(&envelope).unwrap().into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut message));
        decode_with_all(&message, Limits::standard());
    }

    #[test]
    fn damaged_responses(envelope in response_envelope(), damage in damage()) {
        let mut message = encode_response(&envelope).unwrap().into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut message));
        decode_with_all(&message, Limits::standard());
        // And what a decoder does accept can be sent again.
        if let Ok(decoded) = decode_response(&message, Limits::standard()) {
            prop_assert!(encode_response(&decoded).is_ok());
        }
    }

    #[test]
    fn limits_hold_for_whole_messages(envelope in response_envelope(), bytes in 0usize..3000,
                                      depth in 0usize..20, elements in 0usize..60) {
        let message = encode_response(&envelope).unwrap();
        let limits = Limits { bytes, depth, elements, ..Limits::standard() };
        let accepted = decode_response(message.as_bytes(), limits).is_ok();
        let count = message.matches('<').count() - message.matches("</").count() - message.matches("<?").count();
        if accepted {
            prop_assert!(message.len() <= bytes && count <= elements);
        }
    }

    #[test]
    fn the_splitter_holds_no_more_than_its_limit(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8), limit in 0usize..100,
    ) {
        let mut splitter = StreamSplitter::new(limit);
        for piece in pieces {
            let result = splitter.push(&piece);
            prop_assert!(splitter.held() <= limit);
            if let Ok(envelopes) = result {
                prop_assert!(envelopes.iter().all(|e| e.len() <= limit));
            }
        }
    }
}
