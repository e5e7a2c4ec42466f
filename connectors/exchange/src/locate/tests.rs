//! Goal: every mailbox of a question gets its own answer, in whichever dialect the service speaks, and what failed
//! is left alone for a while. Method: whole rounds against a scripted server, with a clock set by hand. What single
//! answers mean is tested with [`answer`](super::answer).

use base::clock::ManualClock;
use calendar::CalendarSource;
use proto_ews::autodiscover::{GetUserSettingsResponse, UserOutcome, encode_response};
use proto_ews::pox::{PoxResponse, PoxSettings};

use proto_ews::Limits;

use super::*;
use crate::Exchange;
use crate::scripted::{Reply, Scripted};

fn found(url: &str, grouping: Option<&str>) -> UserSettings {
    let mut settings = vec![(EXTERNAL_EWS_URL.to_owned(), url.to_owned())];
    settings.extend(grouping.map(|value| (GROUPING_INFORMATION.to_owned(), value.to_owned())));
    UserSettings { settings, ..UserSettings::default() }
}

fn with(outcome: UserOutcome) -> UserSettings {
    UserSettings { outcome, ..UserSettings::default() }
}

fn answer(users: Vec<UserSettings>) -> Reply {
    let response =
        GetUserSettingsResponse { error_code: "NoError".into(), error_message: String::new(), users };
    Reply::bytes("200 OK", encode_response(&Ok(response)).unwrap())
}

fn plain(grouping: &str) -> Reply {
    let settings = PoxSettings {
        external_ews_url: Some("http://mail.sim.test/EWS".into()),
        internal_ews_url: None,
        grouping_information: Some(grouping.into()),
    };
    plain_reply(&PoxResponse::Settings(settings))
}

fn plain_reply(response: &PoxResponse) -> Reply {
    Reply::bytes("200 OK", pox::encode_response("somebody@sim.test", response).unwrap())
}

fn gone() -> Reply {
    Reply::bytes("404 Not Found", "")
}

fn mails(count: usize) -> Vec<MailAddress> {
    (0..count).map(|n| MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()).collect()
}

/// A connector whose clock stands still, that asks this server.
fn asking(server: &Scripted) -> (Exchange, Arc<ManualClock>) {
    let mut options = server.options();
    options.service_url = None;
    options.autodiscover_url = Some(server.url.clone());
    let clock = ManualClock::at("2026-03-02T08:00:00Z".parse().unwrap());
    (Exchange::new(options, clock.clone()).unwrap(), clock)
}

fn groupings(located: &[Result<Location, SourceError>]) -> Vec<&str> {
    located.iter().map(|one| one.as_ref().map_or("-", |location| &*location.grouping)).collect()
}

/// The path of each request.
fn paths(server: &Scripted) -> Vec<String> {
    let path = |head: &str| head.split(' ').nth(1).unwrap_or_default().to_owned();
    server.asked().iter().map(|asked| path(&asked.head)).collect()
}

async fn ask_all(server: &Scripted, count: usize) -> Vec<Result<Location, SourceError>> {
    let mut options = server.options();
    options.service_url = None;
    options.autodiscover_url = Some(server.url.clone());
    server.exchange_with(options).locate(&mails(count)).await
}

#[tokio::test]
async fn many_mailboxes_are_asked_for_a_hundred_at_a_time_and_matched_by_position() {
    let user = |n: usize| match n {
        7 => with(UserOutcome::Failed("InvalidUser".into())),
        _ => found("http://mail.sim.test/EWS", Some(&format!("g{}", n % 3))),
    };
    let server =
        Scripted::start([answer((0..100).map(user).collect()), answer((100..130).map(user).collect())]).await;
    let located = ask_all(&server, 130).await;
    assert_eq!(located.len(), 130);
    assert_eq!(located[7].as_ref().unwrap_err().code, "InvalidUser");
    for n in [0, 1, 99, 100, 129] {
        assert_eq!(located[n].as_ref().unwrap().grouping, format!("g{}", n % 3));
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].body.contains("m0100@sim.test") && !asked[1].body.contains("m0099@sim.test"));
}

#[tokio::test]
async fn a_redirected_address_is_asked_for_and_the_answer_belongs_to_the_first() {
    let server = Scripted::start([
        answer(vec![
            with(UserOutcome::RedirectAddress("other@sim.test".into())),
            found("http://mail.sim.test/EWS", Some("A")),
        ]),
        answer(vec![found("http://mail.sim.test/EWS", Some("B"))]),
    ])
    .await;
    let located = ask_all(&server, 2).await;
    let groupings: Vec<&str> = located.iter().map(|l| l.as_ref().unwrap().grouping.as_str()).collect();
    assert_eq!(groupings, ["B", "A"]);
    assert!(server.asked()[1].body.contains("other@sim.test"));
}

#[tokio::test]
async fn an_answer_as_a_whole_fails_for_all_of_its_mailboxes() {
    let fault = proto_soap::Fault {
        code: proto_soap::envelope::FaultCode { namespace: None, local: "InternalServiceFault".into() },
        string: "sorry".into(),
        ..proto_soap::Fault::default()
    };
    let faulty = Reply::bytes("500 Internal Server Error", encode_response(&Err(fault)).unwrap());
    for (reply, code, kind) in [
        (faulty, "InternalServiceFault", SourceErrorKind::Unavailable),
        (Reply::bytes("503 Service Unavailable", ""), "HTTP 503", SourceErrorKind::Unavailable),
        (Reply::bytes("200 OK", "<a/>"), "malformed", SourceErrorKind::BadAnswer),
        (answer(vec![]), "wrong count", SourceErrorKind::BadAnswer),
    ] {
        let server = Scripted::start([reply]).await;
        for located in ask_all(&server, 2).await {
            let error = located.unwrap_err();
            assert_eq!((error.code.as_str(), error.kind), (code, kind));
        }
    }
}

#[tokio::test]
async fn a_configured_address_needs_no_question() {
    let server = Scripted::start([]).await;
    let located = server.exchange().locate(&mails(1)).await;
    assert_eq!(located[0].as_ref().unwrap().endpoint, server.url.to_string());
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn where_soap_is_not_there_mailboxes_are_asked_for_plainly_and_that_is_remembered() {
    for missing in [
        gone(),
        Reply::bytes("405 Method Not Allowed", ""),
        // an EWS server that does not know the operation
        Reply::ok(proto_ews::Response::Unsubscribe(Vec::new())),
    ] {
        let server = Scripted::start([missing, plain("A"), plain("B"), plain("C")]).await;
        let (exchange, clock) = asking(&server);
        let located = exchange.locate(&mails(2)).await;
        let mut found = groupings(&located);
        found.sort_unstable();
        assert_eq!(found, ["A", "B"], "{located:?}");
        let asked = server.asked();
        assert_eq!(paths(&server)[1..], ["/autodiscover/autodiscover.xml"; 2]);
        assert_eq!(
            pox::decode_request(asked[1].body.as_bytes(), Limits::standard()).unwrap(),
            "m0000@sim.test"
        );
        // nobody asks for soap again
        clock.advance(Duration::from_secs(600));
        assert_eq!(groupings(&exchange.locate(&mails(1)).await), ["C"]);
        assert_eq!(paths(&server)[3], "/autodiscover/autodiscover.xml");
    }
}

#[tokio::test]
async fn an_address_that_ends_in_xml_is_spoken_to_plainly_at_once() {
    let server = Scripted::start([plain("A")]).await;
    let mut options = server.options();
    options.service_url = None;
    options.autodiscover_url = Some(server.url.join("/autodiscover/autodiscover.xml").unwrap());
    let located = server.exchange_with(options).locate(&mails(1)).await;
    assert_eq!(groupings(&located), ["A"]);
    assert_eq!(paths(&server), ["/autodiscover/autodiscover.xml"]);
}

#[tokio::test]
async fn only_the_mailbox_without_endpoint_is_asked_for_plainly() {
    let users = vec![found("http://mail.sim.test/EWS", Some("A")), UserSettings::default()];
    let server = Scripted::start([answer(users), plain("B")]).await;
    let (exchange, _) = asking(&server);
    assert_eq!(groupings(&exchange.locate(&mails(2)).await), ["A", "B"]);
    assert!(server.asked()[1].body.contains("m0001@sim.test"));
}

#[tokio::test]
async fn without_any_autodiscover_soaps_word_counts() {
    let server = Scripted::start([answer(vec![UserSettings::default()]), gone()]).await;
    let (exchange, _) = asking(&server);
    let error = exchange.locate(&mails(1)).await.remove(0).unwrap_err();
    assert_eq!(error.code, classify::NO_ENDPOINT);
    let server = Scripted::start([gone(), gone()]).await;
    let (exchange, _) = asking(&server);
    for located in exchange.locate(&mails(3)).await {
        assert_eq!(located.unwrap_err().code, "HTTP 404");
    }
    // the first of three told that the service is not there
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_plain_redirect_of_the_address_is_followed_and_an_http_redirect_without_tls_is_not() {
    let to = PoxResponse::RedirectAddress("other@sim.test".into());
    let server = Scripted::start([gone(), plain_reply(&to), plain("B")]).await;
    let (exchange, _) = asking(&server);
    assert_eq!(groupings(&exchange.locate(&mails(1)).await), ["B"]);
    assert!(server.asked()[2].body.contains("other@sim.test"));

    // the password would go in clear to another host: it is not asked
    let other = Scripted::start([plain("stolen"), plain("stolen")]).await;
    let elsewhere = format!("Location: {}", other.url);
    let server = Scripted::start([Reply::bytes("302 Found", "").header(&elsewhere)]).await;
    let (exchange, _) = asking(&server);
    for located in exchange.locate(&mails(2)).await {
        assert_eq!(located.unwrap_err().code, "bad redirect");
    }
    assert!(other.asked().is_empty());
    let to = PoxResponse::RedirectUrl(other.url.to_string());
    let server = Scripted::start([gone(), plain_reply(&to)]).await;
    let (exchange, _) = asking(&server);
    assert_eq!(exchange.locate(&mails(1)).await.remove(0).unwrap_err().code, "bad redirect");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_mailbox_that_failed_is_left_alone_for_120_seconds_and_the_others_are_not() {
    let unknown = || with(UserOutcome::Failed("InvalidUser".into()));
    let here = || found("http://mail.sim.test/EWS", Some("A"));
    let server = Scripted::start([
        answer(vec![unknown(), here()]),
        answer(vec![here()]),
        answer(vec![here(), here()]),
    ])
    .await;
    let (exchange, clock) = asking(&server);
    assert_eq!(groupings(&exchange.locate(&mails(2)).await), ["-", "A"]);
    clock.advance(Duration::from_secs(119));
    let again = exchange.locate(&mails(2)).await;
    let error = again[0].as_ref().unwrap_err();
    assert_eq!((error.code.as_str(), error.after), ("InvalidUser", Some(Duration::from_secs(1))));
    assert_eq!(groupings(&again), ["-", "A"]);
    assert!(!server.asked()[1].body.contains("m0000@sim.test"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(groupings(&exchange.locate(&mails(2)).await), ["A", "A"]);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_service_that_failed_is_left_alone_for_120_seconds_by_all() {
    let server = Scripted::start([
        Reply::bytes("200 OK", "<a/>"),
        answer(vec![found("http://mail.sim.test/EWS", Some("A"))]),
    ])
    .await;
    let (exchange, clock) = asking(&server);
    assert_eq!(exchange.locate(&mails(2)).await[1].as_ref().unwrap_err().code, "malformed");
    clock.advance(Duration::from_secs(60));
    // also those that were not asked for then
    let later = exchange.locate(&mails(3)).await;
    let error = later[2].as_ref().unwrap_err();
    assert_eq!((error.code.as_str(), error.after), ("malformed", Some(Duration::from_secs(60))));
    assert_eq!(server.asked().len(), 1);
    clock.advance(Duration::from_secs(60));
    assert_eq!(groupings(&exchange.locate(&mails(1)).await), ["A"]);
}

#[tokio::test]
async fn many_mailboxes_are_located_plainly_together() {
    let server = Scripted::start(std::iter::once(gone()).chain((0..150).map(|_| plain("A")))).await;
    let (exchange, _) = asking(&server);
    let located = exchange.locate(&mails(150)).await;
    assert!(located.iter().all(Result::is_ok), "{located:?}");
    assert_eq!(server.asked().len(), 151);
}

#[tokio::test]
async fn redirects_are_followed_to_a_server_with_tls_that_is_trusted_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (root, other_root) = (folder.path().join("root.pem"), folder.path().join("other.pem"));
    let here = || answer(vec![found("https://mail.sim.test/EWS", Some("A"))]);
    let trusted = Scripted::start_with_tls([here(), here()], &root).await;
    let stranger = Scripted::start_with_tls([here()], &other_root).await;
    let by_answer = |server: &Scripted| answer(vec![with(UserOutcome::RedirectUrl(server.url.to_string()))]);
    let by_http =
        |server: &Scripted| Reply::bytes("302 Found", "").header(&format!("Location: {}", server.url));
    for (reply, expected) in
        [(by_answer(&trusted), "A"), (by_http(&trusted), "A"), (by_answer(&stranger), "-")]
    {
        let server = Scripted::start([reply]).await;
        let mut options = server.options();
        options.service_url = None;
        options.autodiscover_url = Some(server.url.clone());
        options.tls.roots = trust::Roots::Only(root.clone());
        let located = server.exchange_with(options).locate(&mails(1)).await;
        assert_eq!(groupings(&located), [expected], "{located:?}");
    }
    assert!(trusted.asked().iter().all(|asked| asked.header("authorization").is_some()));
    assert_eq!((trusted.asked().len(), stranger.asked().len()), (2, 0));
}

#[test]
fn what_is_the_accounts_own_matter_is_not_held_against_the_service() {
    let blamed = |kind, code| blames_the_service(&own(OPERATION, kind, code, ""));
    assert!(blamed(SourceErrorKind::Unavailable, "HTTP 503"));
    assert!(blamed(SourceErrorKind::BadAnswer, "malformed"));
    assert!(!blamed(SourceErrorKind::Credentials, "HTTP 401"));
    assert!(!blamed(SourceErrorKind::Unavailable, classify::BACK_OFF));
    assert!(!blamed(SourceErrorKind::Unavailable, classify::NO_ACCOUNT));
}

/// A mailbox that has moved to another organisation: that one does not know our account, or is busy. Neither may stop
/// the calls of everybody else.
#[tokio::test]
async fn what_a_service_elsewhere_says_of_the_account_holds_up_nobody_else() {
    for (status, code) in [("401 Unauthorized", "HTTP 401"), ("429 Too Many Requests", "HTTP 429")] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root.pem");
        let refused = Reply::bytes(status, "").header("Retry-After: 3600");
        let elsewhere = Scripted::start_with_tls([refused], &root).await;
        let moved = || answer(vec![with(UserOutcome::RedirectUrl(elsewhere.url.to_string()))]);
        let here = answer(vec![found("https://mail.sim.test/EWS", Some("A"))]);
        let server = Scripted::start([moved(), moved(), here]).await;
        let mut options = server.options();
        options.service_url = None;
        options.autodiscover_url = Some(server.url.clone());
        options.tls.roots = trust::Roots::Only(root.clone());
        let exchange = server.exchange_with(options);
        let mails = mails(3);
        // the second learns from the first one's failure, which is the service's
        for mail in &mails[..2] {
            let located = exchange.locate(std::slice::from_ref(mail)).await;
            assert_eq!(located[0].as_ref().unwrap_err().code, code);
        }
        assert_eq!(elsewhere.asked().len(), 1, "it is left alone for a while");
        assert_eq!(exchange.back_offs(), [], "{status}: no account waits");
        assert_eq!(groupings(&exchange.locate(&mails[2..]).await), ["A"]);
    }
}
