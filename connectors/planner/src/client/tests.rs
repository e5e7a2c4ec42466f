//! Goal: every way in which a call can go wrong ends, in time, in an error that says truly what is known
//! about the change, and the request carries what the contract asks for. Method: a Planner on a real socket
//! that misbehaves as told, with short deadlines.

use std::time::Duration;

use base::{Clock as _, SystemClock};
use calendar::Slot;
use simulator_kit::hostile::{HEAD_BYTES_MAX, Hostile, SSL_3_0, TLS_1_0, TLS_1_1, Wrong};
use tokio::net::TcpListener;

use super::*;
use crate::CallOutcome;
use crate::testing::{Behaviour, FakePlanner, options};

fn call(within: Duration) -> Call {
    let deadline = SystemClock.monotonic() + within;
    Call { id: Uuid::now_v7(), deadline, trace: None }
}

fn soon() -> Call {
    call(Duration::from_secs(10))
}

fn slot(hour: i64) -> Slot {
    let start = Timestamp::from_second(1_900_000_000 + hour * 3600).unwrap();
    Slot { start, end: start + Duration::from_secs(3600) }
}

fn event(origin_id: &str, hour: i64) -> CalendarEvent {
    CalendarEvent::new("m1@sim.test", origin_id, slot(hour).start, slot(hour).end)
}

async fn planner() -> (FakePlanner, Planner) {
    let fake = FakePlanner::start().await;
    let planner = fake.connect(SystemClock::shared()).unwrap();
    (fake, planner)
}

#[tokio::test]
async fn a_change_carries_all_that_the_contract_asks_for() {
    let (fake, planner) = planner().await;
    let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let call = Call { trace: Some(trace.clone()), ..soon() };
    let changed =
        planner.change(&call, Operation::CreateEvents, vec![event("a", 1), event("b", 2)]).await.unwrap();
    assert_eq!(changed.receipts.len(), 2);
    assert!(changed.receipts.iter().all(|receipt| receipt.error_code == 0));
    let held = fake.held();
    assert_eq!(held[&("m1@sim.test".to_owned(), "b".to_owned())], slot(2));
    let seen = &fake.seen()[0];
    assert_eq!(seen.operation, Operation::CreateEvents);
    assert_eq!(seen.headers["x-correlation-id"], call.id.to_string());
    assert_eq!(seen.headers["traceparent"], trace.as_str());
    assert_eq!(seen.headers["soapaction"], format!("\"{}\"", Operation::CreateEvents.soap_action()));
    assert_eq!(seen.headers["content-type"], "text/xml; charset=utf-8");
    assert_eq!(seen.user_full_name.as_deref(), Some("kommuneklient test : CreateEvents"));
}

#[tokio::test]
async fn update_delete_and_both_reads_work() {
    let (fake, planner) = planner().await;
    fake.hold("m1@sim.test", "a", slot(1));
    let codes = |changed: Changed| changed.receipts.iter().map(|r| r.error_code).collect::<Vec<_>>();
    let updated = planner.change(&soon(), Operation::UpdateEvents, vec![event("a", 5), event("x", 1)]).await;
    assert_eq!(codes(updated.unwrap()), [0, 10]);
    let mailboxes = [MailAddress::parse("m1@sim.test").unwrap()];
    let answer = planner.events(&soon(), &mailboxes, slot(0).start, slot(9).start).await.unwrap();
    assert_eq!(answer.events, [event("a", 5)]);
    let deleted = planner.change(&soon(), Operation::DeleteEvents, vec![event("a", 5)]).await;
    assert_eq!(codes(deleted.unwrap()), [0]);
    assert!(fake.held().is_empty());
    fake.resources(vec![proto_planner::CalendarResource::of_address("m1@sim.test")]);
    let resources = planner.resources(&soon()).await.unwrap();
    assert_eq!(resources.resources[0].email_address, "m1@sim.test");
}

/// One bad call: what is known, which event, and was it done after all?
async fn outcome_of(behaviour: Behaviour) -> (CallOutcome, u16, bool) {
    let (fake, planner) = planner().await;
    fake.script([behaviour]);
    let events = vec![event("a", 1), event("b", 2)];
    let error =
        planner.change(&call(Duration::from_millis(500)), Operation::CreateEvents, events).await.unwrap_err();
    (error.outcome(), error.event().id, !fake.held().is_empty())
}

#[tokio::test]
async fn every_failure_says_what_is_known() {
    use Behaviour as B;
    use CallOutcome::{Failed, Unknown};
    assert_eq!(outcome_of(B::Fault(Some(8))).await, (Failed, 6903, false));
    assert_eq!(outcome_of(B::Fault(None)).await, (Failed, 6902, false));
    assert_eq!(outcome_of(B::Status(503)).await, (Failed, 6901, false));
    assert_eq!(outcome_of(B::Status(404)).await, (CallOutcome::NotApplied, 6901, false));
    assert_eq!(outcome_of(B::Silent { done: false }).await, (Unknown, 6904, false));
    assert_eq!(outcome_of(B::Silent { done: true }).await, (Unknown, 6904, true));
    assert_eq!(outcome_of(B::Close { done: false }).await, (Unknown, 6905, false));
    assert_eq!(outcome_of(B::Close { done: true }).await, (Unknown, 6905, true));
    assert_eq!(outcome_of(B::Truncated).await, (Unknown, 6905, true));
    assert_eq!(outcome_of(B::Garbage).await, (Unknown, 6906, true));
    assert_eq!(outcome_of(B::Oversized(200_000)).await, (Unknown, 6906, true));
    assert_eq!(outcome_of(B::WrongOrder).await, (Unknown, 6906, true));
    assert_eq!(outcome_of(B::OneLess).await, (Unknown, 6906, true));
}

#[tokio::test]
async fn a_refused_connection_is_known_not_to_have_reached_planner() {
    // a port that was free a moment ago and that nobody listens on
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let planner = Planner::new(options(url), SystemClock::shared()).unwrap();
    let error = planner.change(&soon(), Operation::CreateEvents, vec![event("a", 1)]).await.unwrap_err();
    assert_eq!((error.outcome(), error.event().id), (CallOutcome::NotApplied, 6905));
    assert!(error.disposition().is_retry());
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_known_not_to_have_been_asked() {
    let fake = FakePlanner::start().await;
    let mut url = fake.url();
    url.set_scheme("https").unwrap();
    let planner = Planner::new(options(url), SystemClock::shared()).unwrap();
    let error = planner
        .change(&call(Duration::from_secs(5)), Operation::CreateEvents, vec![event("a", 1)])
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), CallOutcome::NotApplied, "{error}");
    assert!(fake.seen().is_empty());
}

/// It is told so by the alert `protocol_version`, and no request has left.
#[tokio::test]
async fn a_server_that_speaks_an_old_tls_is_refused_and_gets_nothing() {
    for version in [TLS_1_1, TLS_1_0, SSL_3_0] {
        let mut server = Hostile::start(Wrong::OldTls(version)).await.unwrap();
        let url = Url::parse(&format!("https://{}/", server.address())).unwrap();
        let planner = Planner::new(options(url), SystemClock::shared()).unwrap();
        let error = planner.resources(&call(Duration::from_secs(30))).await.unwrap_err();
        assert_eq!((error.outcome(), error.event().id), (CallOutcome::NotApplied, 6905), "{error:?}");
        let mut met = server.met().await;
        met.offered.sort_unstable();
        assert_eq!((met.offered.as_slice(), met.alert()), (&[[3, 3], [3, 4]][..], Some(70)), "{version:?}");
    }
}

/// An answer's head is as bounded as its body.
#[tokio::test]
async fn a_head_without_end_is_not_read_to_its_end() {
    for wrong in [Wrong::HeadersWithoutNumber, Wrong::HeaderWithoutEnd] {
        let mut server = Hostile::start(wrong).await.unwrap();
        let url = Url::parse(&format!("http://{}/", server.address())).unwrap();
        let planner = Planner::new(options(url), SystemClock::shared()).unwrap();
        let error = planner.resources(&call(Duration::from_secs(60))).await.unwrap_err();
        assert_eq!((error.outcome(), error.event().id), (CallOutcome::Unknown, 6905), "{error:?}");
        let taken = server.met().await.taken;
        assert!(taken < HEAD_BYTES_MAX / 2, "{wrong:?}: {taken} bytes");
    }
}

#[tokio::test]
async fn a_call_whose_time_is_over_does_not_leave() {
    let (fake, planner) = planner().await;
    let late = call(Duration::ZERO);
    let error = planner.change(&late, Operation::CreateEvents, vec![event("a", 1)]).await.unwrap_err();
    assert!(matches!(error, PlannerError::TooLate { .. }));
    assert_eq!(error.outcome(), CallOutcome::NotApplied);
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_named_and_the_call_does_not_leave() {
    let (fake, planner) = planner().await;
    let bad = CalendarEvent::new("no address", "b", slot(1).start, slot(1).end);
    let events = vec![event("a", 1), bad, event("c", 3)];
    let error = planner.change(&soon(), Operation::CreateEvents, events).await.unwrap_err();
    let PlannerError::Unsendable { positions, .. } = &error else { panic!("{error}") };
    assert_eq!(positions, &[1]);
    assert_eq!(error.disposition(), base::Disposition::SetAside);
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn a_wrong_header_is_not_blamed_on_the_appointments() {
    let fake = FakePlanner::start().await;
    let wrong = PlannerOptions { jobcenter_number: String::new(), ..options(fake.url()) };
    let planner = Planner::new(wrong, SystemClock::shared()).unwrap();
    let error = planner.change(&soon(), Operation::CreateEvents, vec![event("a", 1)]).await.unwrap_err();
    let PlannerError::Unsendable { positions, .. } = &error else { panic!("{error}") };
    assert!(positions.is_empty());
}

#[tokio::test]
async fn errors_do_not_hold_what_was_sent() {
    let (fake, planner) = planner().await;
    for behaviour in [
        Behaviour::Fault(Some(1)),
        Behaviour::WrongOrder,
        Behaviour::Garbage,
        Behaviour::Close { done: true },
    ] {
        fake.script([behaviour]);
        let events = vec![event("secret-id", 1), event("other", 2)];
        let error = planner.change(&soon(), Operation::CreateEvents, events).await.unwrap_err();
        let mut text = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(&format!(" {cause} {cause:?}"));
            source = cause.source();
        }
        assert!(!text.contains("secret-id") && !text.contains("2030"), "{text}");
    }
}
