//! Goal: every mailbox of a question gets its own answer, redirects end, and the password never goes to an
//! address without TLS. Method: answers by value; whole rounds against a scripted server.

use calendar::CalendarSource;
use proto_ews::autodiscover::{GetUserSettingsResponse, encode_response};

use super::*;
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

fn mails(count: usize) -> Vec<MailAddress> {
    (0..count).map(|n| MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()).collect()
}

async fn ask_all(server: &Scripted, count: usize) -> Vec<Result<Location, SourceError>> {
    let mut options = server.options();
    options.service_url = None;
    options.autodiscover_url = Some(server.url.clone());
    server.exchange_with(options).locate(&mails(count)).await
}

#[test]
fn each_outcome_has_its_meaning() {
    let https = Url::parse("https://autodiscover.sim.test/").unwrap();
    let http = Url::parse("http://127.0.0.1/").unwrap();
    let code = |settings: &UserSettings, url: &Url| answer_of(settings, url, 0).unwrap_err().code;
    let here = Location { endpoint: "https://mail.sim.test/EWS".into(), grouping: "Site-A".into() };
    assert_eq!(
        answer_of(&found("https://mail.sim.test/EWS", Some("Site-A")), &https, 0),
        Ok(Next::Located(here))
    );
    match answer_of(&found("https://mail.sim.test/EWS", None), &https, 0) {
        Ok(Next::Located(location)) => assert_eq!(location.grouping, GROUPING_NONE),
        other => panic!("{other:?}"),
    }
    assert_eq!(code(&UserSettings::default(), &https), classify::NO_ENDPOINT);
    assert_eq!(code(&found("nonsense", None), &https), classify::NO_ENDPOINT);
    // a password is not sent in clear, unless the whole installation is without TLS (simulators)
    assert_eq!(code(&found("http://mail.sim.test/EWS", None), &https), classify::NO_ENDPOINT);
    assert!(answer_of(&found("http://mail.sim.test/EWS", None), &http, 0).is_ok());
    assert_eq!(
        answer_of(&with(UserOutcome::RedirectUrl("https://other.sim.test/a".into())), &https, 0),
        Ok(Next::Ask { url: Some(Url::parse("https://other.sim.test/a").unwrap()), address: None })
    );
    assert_eq!(code(&with(UserOutcome::RedirectUrl("http://other.sim.test/".into())), &http), "bad redirect");
    assert_eq!(code(&with(UserOutcome::RedirectAddress("nobody".into())), &https), "bad redirect");
    let unknown = answer_of(&with(UserOutcome::Failed("InvalidUser".into())), &https, 0).unwrap_err();
    assert_eq!((unknown.kind, unknown.code.as_str()), (SourceErrorKind::Mailbox, "InvalidUser"));
    let busy = answer_of(&with(UserOutcome::Failed("ServerBusy".into())), &https, 0).unwrap_err();
    assert_eq!(busy.kind, SourceErrorKind::Unavailable);
    let circle = answer_of(&with(UserOutcome::RedirectAddress("a@sim.test".into())), &https, REDIRECTS_MAX);
    assert_eq!(circle.unwrap_err().code, "too many redirects");
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
