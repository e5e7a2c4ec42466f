//! Goal: each answer of either dialect has its meaning; searches end, follow only https, and never send the
//! password to an address without TLS. Method: answers by value, redirects also by property.

use proptest::prelude::*;
use proto_ews::pox::PoxSettings;

use super::*;

const TLS: Safe = Safe { without_tls: false };
const NO_TLS: Safe = Safe { without_tls: true };

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn search() -> Search {
    let service = Service::configured(&url("https://autodiscover.sim.test/autodiscover/autodiscover.svc"));
    Search::new(0, service, "m1@sim.test".to_owned())
}

fn plain_search() -> Search {
    let service = Service::configured(&url("https://autodiscover.sim.test/autodiscover/autodiscover.xml"));
    Search::new(0, service, "m1@sim.test".to_owned())
}

fn found(url: &str, grouping: Option<&str>) -> UserSettings {
    let mut settings = vec![(EXTERNAL_EWS_URL.to_owned(), url.to_owned())];
    settings.extend(grouping.map(|value| (GROUPING_INFORMATION.to_owned(), value.to_owned())));
    UserSettings { settings, ..UserSettings::default() }
}

fn with(outcome: UserOutcome) -> UserSettings {
    UserSettings { outcome, ..UserSettings::default() }
}

fn plain(url: Option<&str>, grouping: Option<&str>) -> PoxResponse {
    PoxResponse::Settings(PoxSettings {
        external_ews_url: url.map(str::to_owned),
        internal_ews_url: None,
        grouping_information: grouping.map(str::to_owned),
    })
}

fn place(next: Result<Next, SourceError>) -> Location {
    match next {
        Ok(Next::Located(location)) => location,
        other => panic!("{other:?}"),
    }
}

fn on(next: Result<Next, SourceError>) -> Search {
    match next {
        Ok(Next::Ask(search)) => search,
        other => panic!("{other:?}"),
    }
}

fn code(next: Result<Next, SourceError>) -> String {
    next.unwrap_err().code
}

#[test]
fn an_endpoint_and_a_grouping_are_taken_in_either_dialect() {
    let here = Location { endpoint: "https://mail.sim.test/EWS".into(), grouping: "Site-A".into() };
    assert_eq!(place(search().after_soap(&found("https://mail.sim.test/EWS", Some("Site-A")), TLS)), here);
    let answer = plain(Some("https://mail.sim.test/EWS"), Some("Site-A"));
    assert_eq!(place(plain_search().after_plain(&answer, TLS)), here);
    for grouping in [None, Some(""), Some(" \u{0}\n ")] {
        let located = place(search().after_soap(&found("https://mail.sim.test/EWS", grouping), TLS));
        assert_eq!(located.grouping, GROUPING_NONE, "{grouping:?}");
    }
    let long = "x".repeat(10_000);
    let located = place(search().after_soap(&found("https://mail.sim.test/EWS", Some(&long)), TLS));
    assert_eq!(located.grouping.len(), GROUPING_MAX);
    let inside = PoxResponse::Settings(PoxSettings {
        internal_ews_url: Some("https://inside.sim.test/EWS".into()),
        ..PoxSettings::default()
    });
    assert_eq!(place(plain_search().after_plain(&inside, TLS)).endpoint, "https://inside.sim.test/EWS");
}

#[test]
fn an_endpoint_that_would_tell_the_password_or_is_none_is_not_taken() {
    let long = format!("https://mail.sim.test/{}", "x".repeat(URL_MAX));
    for wrong in ["nonsense", "file:///etc/passwd", "https://", "https://user:pw@mail.sim.test/EWS", &long] {
        assert_eq!(code(plain_search().after_plain(&plain(Some(wrong), None), TLS)), classify::NO_ENDPOINT);
        assert_eq!(
            code(plain_search().after_plain(&plain(Some(wrong), None), NO_TLS)),
            classify::NO_ENDPOINT
        );
    }
    // in clear only where everything is (simulators)
    let clear = plain(Some("http://mail.sim.test/EWS"), None);
    assert_eq!(code(plain_search().after_plain(&clear, TLS)), classify::NO_ENDPOINT);
    assert_eq!(place(plain_search().after_plain(&clear, NO_TLS)).endpoint, "http://mail.sim.test/EWS");
}

#[test]
fn a_mailbox_without_endpoint_in_soap_is_asked_for_plainly_once() {
    let asked = on(search().after_soap(&UserSettings::default(), TLS));
    assert_eq!(asked.service.url.as_str(), "https://autodiscover.sim.test/autodiscover/autodiscover.xml");
    assert_eq!(asked.service.dialect, Dialect::Plain);
    let here = plain(Some("https://mail.sim.test/EWS"), None);
    assert_eq!(place(asked.clone().after_plain(&here, TLS)).endpoint, "https://mail.sim.test/EWS");
    // what soap said counts when the plain one does not know either, or is not there
    assert_eq!(code(asked.clone().after_plain(&plain(None, None), TLS)), classify::NO_ENDPOINT);
    let failed = PoxResponse::Failed { code: "500".into(), message: String::new() };
    assert_eq!(code(asked.clone().after_plain(&failed, TLS)), classify::NO_ENDPOINT);
    let away = own(OPERATION, SourceErrorKind::Rediscover, "HTTP 404", "");
    assert_eq!(asked.failed_plainly(away).code, classify::NO_ENDPOINT);
}

#[test]
fn a_service_without_soap_is_asked_plainly_and_a_plain_one_has_nothing_beside_it() {
    let error = own(OPERATION, SourceErrorKind::Rediscover, "HTTP 404", "");
    assert_eq!(on(search().without_soap(error.clone())).service.dialect, Dialect::Plain);
    assert_eq!(code(plain_search().without_soap(error)), "HTTP 404");
}

#[test]
fn failures_say_whose_they_are() {
    let unknown = search().after_soap(&with(UserOutcome::Failed("InvalidUser".into())), TLS).unwrap_err();
    assert_eq!((unknown.kind, unknown.code.as_str()), (SourceErrorKind::Mailbox, "InvalidUser"));
    let busy = search().after_soap(&with(UserOutcome::Failed("ServerBusy".into())), TLS).unwrap_err();
    assert_eq!(busy.kind, SourceErrorKind::Unavailable);
    let failed = PoxResponse::Failed { code: "500".into(), message: "not found".into() };
    let failed = plain_search().after_plain(&failed, TLS).unwrap_err();
    assert_eq!((failed.kind, failed.code.as_str()), (SourceErrorKind::Mailbox, "autodiscover 500"));
}

#[test]
fn redirects_lead_to_https_only_whatever_says_so() {
    let soap = |target: &str| search().after_soap(&with(UserOutcome::RedirectUrl(target.into())), NO_TLS);
    let plain = |target: &str| plain_search().after_plain(&PoxResponse::RedirectUrl(target.into()), NO_TLS);
    let http = |target: &str| search().after_http_redirect(target);
    for wrong in ["http://other.sim.test/", "ftp://other.sim.test/", "https://u:p@other.sim.test/"] {
        assert_eq!(code(soap(wrong)), "bad redirect", "{wrong}");
        assert_eq!(code(plain(wrong)), "bad redirect", "{wrong}");
        assert_eq!(code(http(wrong)), "bad redirect", "{wrong}");
    }
    assert_eq!(code(soap("nonsense")), "bad redirect");
    let there = on(soap("https://other.sim.test/autodiscover/autodiscover.xml"));
    assert_eq!(there.service.dialect, Dialect::Plain);
    assert_eq!(
        on(plain("https://other.sim.test/autodiscover/autodiscover.svc")).service.dialect,
        Dialect::Soap
    );
    // relative ones are of the same host; what says nothing is spoken to as before
    let there = on(http("/elsewhere"));
    assert_eq!(there.service.url.as_str(), "https://autodiscover.sim.test/elsewhere");
    assert_eq!(there.service.dialect, Dialect::Soap);
    let clear = Search { service: Service::configured(&url("http://127.0.0.1/a.svc")), ..search() };
    assert_eq!(code(clear.after_http_redirect("/elsewhere")), "bad redirect");
    assert_eq!(
        code(search().after_soap(&with(UserOutcome::RedirectAddress("nobody".into())), TLS)),
        "bad redirect"
    );
}

#[test]
fn circles_are_seen_at_once() {
    let to = |who: &str| with(UserOutcome::RedirectAddress(who.into()));
    let second = on(search().after_soap(&to("m2@sim.test"), TLS));
    assert_eq!(second.address, "m2@sim.test");
    assert_eq!(code(second.clone().after_soap(&to("m1@sim.test"), TLS)), "redirected in a circle");
    assert_eq!(code(second.after_soap(&to("m2@sim.test"), TLS)), "redirected in a circle");
    let same = search().service.url.to_string();
    assert_eq!(
        code(search().after_soap(&with(UserOutcome::RedirectUrl(same)), TLS)),
        "redirected in a circle"
    );
}

/// A sort of redirect: where a search begins, and what its redirect of this number leads to.
type Redirects = (&'static str, fn() -> Search, fn(Search, u32) -> Result<Next, SourceError>);

/// Goal: ten redirects are followed and no more, whatever they are. Method: each sort by itself, then all in turn; no
/// two lead to the same question.
#[test]
fn ten_redirects_are_followed_and_the_eleventh_is_an_error() {
    let sorts: [Redirects; 6] = [
        ("SOAP, redirectAddress", search, |search, number| {
            let outcome = UserOutcome::RedirectAddress(format!("to{number}@sim.test"));
            search.after_soap(&with(outcome), TLS)
        }),
        ("SOAP, redirectUrl", search, |search, number| {
            let url = format!("https://a{number}.sim.test/autodiscover/autodiscover.svc");
            search.after_soap(&with(UserOutcome::RedirectUrl(url)), TLS)
        }),
        ("POX, redirectAddr", plain_search, |search, number| {
            search.after_plain(&PoxResponse::RedirectAddress(format!("to{number}@sim.test")), TLS)
        }),
        ("POX, redirectUrl", plain_search, |search, number| {
            let url = format!("https://a{number}.sim.test/autodiscover/autodiscover.xml");
            search.after_plain(&PoxResponse::RedirectUrl(url), TLS)
        }),
        ("HTTP 302", search, |search, number| search.after_http_redirect(&format!("/elsewhere/{number}"))),
        ("in turn", search, |search, number| match number % 3 {
            0 => search.after_http_redirect(&format!("https://a{number}.sim.test/")),
            1 => {
                let outcome = UserOutcome::RedirectAddress(format!("to{number}@sim.test"));
                search.after_soap(&with(outcome), TLS)
            }
            _ => {
                let url = format!("https://a{number}.sim.test/autodiscover/autodiscover.xml");
                search.after_plain(&PoxResponse::RedirectUrl(url), TLS)
            }
        }),
    ];
    for (sort, begin, redirect) in sorts {
        let mut search = begin();
        for number in 1..=10 {
            search = match redirect(search, number) {
                Ok(Next::Ask(on)) => on,
                other => panic!("{sort}, redirect {number}: {other:?}"),
            };
        }
        let eleventh = redirect(search, 11).unwrap_err();
        assert_eq!(
            (eleventh.kind, eleventh.code.as_str()),
            (SourceErrorKind::Mailbox, "too many redirects"),
            "{sort}"
        );
    }
}

proptest! {
    /// Whatever a server answers, a search ends after ten redirects and never asks without TLS.
    #[test]
    fn searches_end(answers in prop::collection::vec((0_u8..5, 0_u16..2_000), 40)) {
        let mut search = search();
        let mut redirects = 0;
        for (kind, number) in answers {
            prop_assert_eq!(search.service.url.scheme(), "https");
            let next = match kind {
                0 => search.after_soap(&with(UserOutcome::RedirectAddress(format!("m{number}@sim.test"))), TLS),
                1 => search.after_plain(&PoxResponse::RedirectUrl(format!("https://a{number}.sim.test/x.svc")), TLS),
                2 => search.after_http_redirect(&format!("/{number}.xml")),
                3 => search.after_http_redirect(&format!("http://a{number}.sim.test/")),
                _ => search.after_soap(&UserSettings::default(), TLS),
            };
            match next {
                Ok(Next::Ask(on)) => search = on,
                Ok(Next::Located(_)) => unreachable!("no answer names an endpoint"),
                Err(_) => return Ok(()),
            }
            if kind < 3 {
                redirects += 1;
            }
            prop_assert!(redirects <= REDIRECTS_MAX);
        }
        prop_assert!(false, "forty answers without an end");
    }
}
