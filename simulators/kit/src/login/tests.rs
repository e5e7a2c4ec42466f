//! Goal: a login is of the connection that it was begun on. The messages of a whole login stand in the tests of
//! `proto-ntlm`; a client of other make logs on in the connector's tests.

use proto_ntlm::acceptor::{Refused, Server, Strength};
use proto_ntlm::header;

use super::{ConnectionLogin, Ntlm};

const NOW: u64 = 133_000_000_000_000_000;

fn server() -> Server {
    Server { domain: "SIM".into(), computer: "MAIL".into(), binding: None }
}

fn judge(connection: &ConnectionLogin, authorization: Option<&str>) -> Ntlm {
    connection.judge_value(authorization, &server(), || Strength::V2, NOW, |_, _| Some("pw".to_owned()))
}

fn first() -> String {
    header::value(b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
}

/// A second message, the only good thing of which is its form.
fn second() -> String {
    let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
    message.resize(120, 0);
    header::value(&message)
}

#[test]
fn nobody_is_known_without_a_login() {
    let connection = ConnectionLogin::default();
    assert_eq!(judge(&connection, None), Ntlm::Silent);
    assert_eq!(judge(&connection, Some("Basic c3ZjOnB3")), Ntlm::Silent);
}

#[test]
fn a_second_message_without_a_challenge_on_its_connection_is_refused() {
    let (one, other) = (ConnectionLogin::default(), ConnectionLogin::default());
    assert!(matches!(judge(&one, Some(&first())), Ntlm::Challenge(_)));
    assert!(matches!(judge(&other, Some(&second())), Ntlm::Refused(Refused::Unreadable(_))));
    assert_eq!(judge(&one, Some(&second())), Ntlm::Refused(Refused::NotV2), "judged where it belongs");
    // and a challenge is good for one answer
    assert!(matches!(judge(&one, Some(&second())), Ntlm::Refused(Refused::Unreadable(_))));
    assert_eq!(judge(&one, None), Ntlm::Silent);
}
