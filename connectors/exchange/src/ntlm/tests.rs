//! Goal: whatever a server sends in the middle of a login, nothing made of the password leaves unless the login is
//! NTLMv2, nothing waits or reads without end, and a connection that was closed is replaced without anybody noticing.
//! Method: scripted answers on real sockets; good logins are judged by the simulator (tests/simulator/logins.rs).

use std::time::Duration;

use calendar::CalendarSource;
use calendar::source::SourceErrorKind as K;
use proptest::prelude::*;
use proto_ews::{EffectiveRights, Folder, FolderKind, Response, ResponseMessage};
use proto_ntlm::acceptor::{Server, Strength};
use proto_ntlm::{header, message};
use secrecy::SecretString;

use super::Failure;
use super::login::Login;
use crate::Exchange;
use crate::config::Authentication;
use crate::scripted::{Reply, Scripted};

const NEGOTIATE: &[u8] = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2";

fn challenge() -> Vec<u8> {
    let server = Server { domain: "SIM".into(), computer: "MAIL".into(), binding: None };
    server.challenge(NEGOTIATE, Strength::V2, [7; 8], 133_000_000_000_000_000).unwrap().0
}

fn unauthorized(header: &str) -> Reply {
    Reply::bytes("401 Unauthorized", "<html>not yet</html>").header(&format!("WWW-Authenticate: {header}"))
}

fn challenged() -> Reply {
    unauthorized("Negotiate").header(&format!("WWW-Authenticate: {}", header::value(&challenge())))
}

fn folder_answer() -> Reply {
    Reply::ok(Response::GetFolder(vec![ResponseMessage::Success(vec![Folder {
        folder_id: Some(proto_ews::FolderId::new("cal")),
        effective_rights: Some(EffectiveRights { read: true, ..EffectiveRights::default() }),
        ..Folder::new(FolderKind::CalendarFolder)
    }])]))
}

fn exchange(server: &Scripted) -> Exchange {
    let mut options = server.options();
    options.authentication = Authentication::Ntlm;
    options.request_timeout = Duration::from_secs(5);
    server.exchange_with(options)
}

/// What came of one call against these answers, and the kinds of the messages that were sent.
async fn outcome(replies: impl IntoIterator<Item = Reply>) -> (Result<(), (K, String)>, Vec<Option<u8>>) {
    let server = Scripted::start(replies).await;
    let mailbox = server.mailbox("m1@sim.test");
    let outcome =
        exchange(&server).check(&mailbox).await.map(|_| ()).map_err(|error| (error.kind, error.code));
    (outcome, sent(&server))
}

/// The messages of a login that a server was sent, by their kind.
fn sent(server: &Scripted) -> Vec<Option<u8>> {
    let kind = |value: &str| header::message_in(value).unwrap().unwrap()[8];
    server.asked().iter().map(|asked| asked.header("Authorization").map(kind)).collect()
}

#[tokio::test]
async fn a_login_takes_two_requests_on_one_connection_and_the_next_call_one() {
    let server = Scripted::start([challenged(), folder_answer(), folder_answer()]).await;
    let exchange = exchange(&server);
    let mailbox = server.mailbox("m1@sim.test");
    exchange.check(&mailbox).await.unwrap();
    exchange.check(&mailbox).await.unwrap();
    assert_eq!(sent(&server), [Some(1), Some(3), None]);
    let asked = server.asked();
    assert_eq!(asked[0].body, "", "the call itself goes when it can be answered");
    for request in &asked {
        assert_eq!(request.header("X-AnchorMailbox"), Some("m1@sim.test"));
        assert_eq!(
            request.header("Host"),
            Some(&server.url[url::Position::BeforeHost..url::Position::AfterPort])
        );
        assert!(request.header("User-Agent").unwrap().starts_with("Kommuneklient/"));
    }
    assert_eq!(asked[1].envelope(), asked[2].envelope());
    assert_eq!(asked[0].header("Content-Length"), Some("0"));
}

#[tokio::test]
async fn what_is_no_challenge_gets_no_answer() {
    let other_message = header::value(&[b"NTLMSSP\0\x03\0\0\0".as_slice(), &[0; 80]].concat());
    let long = format!("NTLM {}", "A".repeat(message::BYTES_MAX * 2));
    for (value, expected) in [
        ("NTLM !!!!".to_owned(), (K::BadAnswer, "malformed")),
        (other_message, (K::BadAnswer, "malformed")),
        ("NTLM TlRMTVNTUAAC".to_owned(), (K::BadAnswer, "malformed")),
        (long, (K::BadAnswer, "malformed")),
        ("Negotiate".to_owned(), (K::Credentials, "login not offered")),
        ("Basic realm=\"x\"".to_owned(), (K::Credentials, "login not offered")),
        ("NTLM".to_owned(), (K::Credentials, "HTTP 401")),
    ] {
        let (outcome, sent) = outcome([unauthorized(&value)]).await;
        assert_eq!(outcome, Err((expected.0, expected.1.to_owned())), "{}", &value[..value.len().min(40)]);
        assert_eq!(sent, [Some(1)]);
    }
}

#[tokio::test]
async fn an_answer_before_the_login_is_what_it_is() {
    for (reply, expected) in [
        (Reply::bytes("503 Service Unavailable", ""), (K::Unavailable, "HTTP 503")),
        (Reply::bytes("404 Not Found", ""), (K::Rediscover, "HTTP 404")),
        // a server that asks for nothing: the request was empty, so its answer is to nothing
        (folder_answer(), (K::Credentials, "login not offered")),
    ] {
        assert_eq!(outcome([reply]).await.0, Err((expected.0, expected.1.to_owned())));
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_begun_again() {
    let (outcome, sent) = outcome([challenged(), unauthorized("NTLM")]).await;
    assert_eq!(outcome, Err((K::Credentials, "HTTP 401".to_owned())));
    assert_eq!(sent, [Some(1), Some(3)]);
}

#[tokio::test]
async fn a_server_that_closes_the_connection_between_the_messages_is_out_of_order() {
    let (outcome, sent) = outcome([challenged().header("Connection: close")]).await;
    assert_eq!(outcome, Err((K::Unavailable, "broken connection".to_owned())));
    assert_eq!(sent, [Some(1)], "the last message belongs to the connection that is gone");
}

#[tokio::test]
async fn a_page_without_end_beside_the_challenge_is_not_read() {
    let page = vec![b'x'; super::LOGIN_BODY_MAX + 1];
    let reply = Reply::bytes("401 Unauthorized", page)
        .header(&format!("WWW-Authenticate: {}", header::value(&challenge())));
    let (outcome, sent) = outcome([reply]).await;
    assert_eq!(outcome, Err((K::Unavailable, "broken connection".to_owned())));
    assert_eq!(sent, [Some(1)]);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let closing = folder_answer().header("Connection: close");
    let server = Scripted::start([challenged(), closing, challenged(), folder_answer()]).await;
    let exchange = exchange(&server);
    let mailbox = server.mailbox("m1@sim.test");
    exchange.check(&mailbox).await.unwrap();
    exchange.check(&mailbox).await.unwrap();
    assert_eq!(sent(&server), [Some(1), Some(3), Some(1), Some(3)]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Scripted::start([]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut mailbox = server.mailbox("m1@sim.test");
    mailbox.endpoint = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
    let mut options = server.options();
    options.authentication = Authentication::Ntlm;
    options.request_timeout = Duration::from_millis(200);
    let error = server.exchange_with(options).check(&mailbox).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Unavailable, "timeout"));
}

fn login() -> Login {
    Login::new("SIM\\svc", SecretString::from("pw"))
}

#[test]
fn the_password_is_in_no_message_and_in_no_text() {
    let login = Login::new("SIM\\svc", SecretString::from("a-long-password"));
    let (attempt, negotiate) = login.begin().unwrap();
    let answer = attempt.answer(&challenge(), Some(b"tls-server-end-point:x")).unwrap();
    let wide: Vec<u8> = "a-long-password".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&negotiate, &answer] {
        assert!(!bytes.windows(wide.len()).any(|part| part == wide));
        assert!(!bytes.windows(15).any(|part| part == b"a-long-password"));
    }
    assert!(!format!("{login:?}").contains("a-long-password"));
}

#[test]
fn a_weak_challenge_is_named() {
    let server = Server { domain: "SIM".into(), computer: "MAIL".into(), binding: None };
    for (strength, name) in [(Strength::V1, "ntlmv1"), (Strength::Lm, "lm")] {
        let (weak, _) = server.challenge(NEGOTIATE, strength, [7; 8], 0).unwrap();
        match login().begin().unwrap().0.answer(&weak, None) {
            Err(Failure::Weak(weakness)) => assert_eq!(weakness.name(), name),
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn no_challenge_makes_the_login_panic(at in 0_usize..100, value in any::<u8>(), length in 0_usize..200) {
        let mut bytes = challenge();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        bytes.truncate(length);
        let _ = login().begin().unwrap().0.answer(&bytes, None);
    }
}
