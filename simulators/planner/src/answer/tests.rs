//! Answers as they leave: each fault by what the caller sees and by what Planner then holds.

use std::sync::Arc;

use jiff::Timestamp;
use proto_planner::{
    Answer, CalendarEvent, EventsQuery, FaultCode, Headers, MESSAGE_BYTES_MAX, Operation, Request, Response,
    decode_response,
};

use super::{Reply, check_headers, error_code};
use crate::shared::Shared;
use crate::{Fault, Options};

fn shared(options: Options) -> Arc<Shared> {
    Arc::new(Shared::new(Options { mailboxes: 3, log_entries: 100, ..options }, None).unwrap())
}

fn create(origins: &[&str]) -> Request {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let event = |origin: &&str| {
        CalendarEvent::new("m0001@sim.test", *origin, at("2031-03-04T08:00:00Z"), at("2031-03-04T09:00:00Z"))
    };
    Request::CreateEvents(origins.iter().map(event).collect())
}

fn query() -> Request {
    Request::GetEvents(EventsQuery::of_addresses(["m0001@sim.test"], None, None))
}

/// The receipts' origin ids and codes in an answer with status 200.
fn receipts(shared: &Shared, reply: &Reply, operation: Operation) -> Vec<(String, i32)> {
    let Reply::Message { status: 200, text, .. } = reply else { panic!("not an answer: {reply:?}") };
    match decode_response(operation, text.as_bytes(), &shared.time).unwrap() {
        Answer::Response(
            Response::CreateEvents(answer) | Response::UpdateEvents(answer) | Response::DeleteEvents(answer),
        ) => answer.receipts.into_iter().map(|r| (r.origin_system_identifier, r.error_code)).collect(),
        other => panic!("no receipts: {other:?}"),
    }
}

fn held(shared: &Shared) -> usize {
    shared.planner().rows_of("m0001@sim.test").count()
}

fn pair(origin: &str, code: i32) -> (String, i32) {
    (origin.to_owned(), code)
}

#[test]
fn without_a_fault_the_receipts_stand_in_the_order_sent_and_the_log_tells_all() {
    let shared = shared(Options::default());
    let reply = shared.reply(&create(&["b", "a", "b"]), None);
    let expected = [pair("b", 0), pair("a", 0), pair("b", 8)];
    assert_eq!(receipts(&shared, &reply, Operation::CreateEvents), expected);
    let log = shared.log.page(simulator_kit::PageQuery::default());
    let logged: Vec<_> =
        log.entries.iter().map(|e| (e.seq, e.value.origin_id.to_string(), e.value.code)).collect();
    assert_eq!(logged, [(1, "b".to_owned(), 0), (2, "a".to_owned(), 0), (3, "b".to_owned(), 8)]);
    assert!(log.entries.iter().all(|e| e.value.at_us > 0 && &*e.value.mail == "m0001@sim.test"));
    assert_eq!(shared.meter().report().receipts, [(0, 2), (8, 1)].into());
}

#[test]
fn faults_about_receipts_change_the_receipts_and_apply_except_refuse() {
    for (fault, origins, expected, then_held) in [
        (Fault::ReceiptsInWrongOrder, vec!["a", "b"], vec![pair("b", 0), pair("a", 0)], 2),
        (Fault::FewerReceipts, vec!["a", "b"], vec![pair("a", 0)], 2),
        (Fault::FewerReceipts, vec!["a"], vec![], 1),
        (Fault::MoreReceipts, vec!["a", "b"], vec![pair("a", 0), pair("b", 0), pair("b", 0)], 2),
        (Fault::RepeatedReceipt, vec!["a", "b"], vec![pair("a", 0), pair("a", 0)], 2),
        (Fault::RepeatedReceipt, vec!["a"], vec![pair("a", 0)], 1),
        (Fault::ForeignReceipts, vec!["a"], vec![pair("foreign-a", 0)], 1),
        (Fault::Refuse { code: 15 }, vec!["a", "b"], vec![pair("a", 15), pair("b", 15)], 0),
        (Fault::Refuse { code: -1 }, vec!["a"], vec![pair("a", -1)], 0),
    ] {
        let shared = shared(Options::default());
        let reply = shared.reply(&create(&origins), Some(&fault));
        assert_eq!(receipts(&shared, &reply, Operation::CreateEvents), expected, "{fault:?}");
        assert_eq!(held(&shared), then_held, "{fault:?}");
        let spoiled = expected.is_empty() || fault == Fault::Refuse { code: -1 };
        assert!(matches!(reply, Reply::Message { spoiled: s, .. } if s == spoiled), "{fault:?}");
    }
}

#[test]
fn faults_of_the_whole_call_apply_only_when_told_to() {
    for applied in [false, true] {
        for fault in [
            Fault::SoapFault { detail: true, applied },
            Fault::SoapFault { detail: false, applied },
            Fault::HttpStatus { status: 502, applied },
            Fault::BrokenConnection { applied },
        ] {
            let shared = shared(Options::default());
            let reply = shared.reply(&create(&["a"]), Some(&fault));
            assert_eq!(held(&shared), usize::from(applied), "{fault:?}");
            match (&fault, reply) {
                (Fault::SoapFault { detail, .. }, Reply::Message { status: 500, text, spoiled: false }) => {
                    let answer =
                        decode_response(Operation::CreateEvents, text.as_bytes(), &shared.time).unwrap();
                    let Answer::Fault(told) = answer else { panic!("no fault") };
                    assert_eq!(told.code, FaultCode::Server);
                    assert_eq!(told.details.map(|details| details.error_code), detail.then_some(Some(9001)));
                }
                (Fault::HttpStatus { .. }, Reply::Page { status: 502 })
                | (Fault::BrokenConnection { .. }, Reply::Broken { .. }) => {}
                (fault, other) => panic!("{fault:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn spoiled_answers_cannot_be_read_and_say_that_they_are_spoiled() {
    for fault in [Fault::MalformedAnswer, Fault::OversizedAnswer] {
        let shared = shared(Options::default());
        let Reply::Message { status: 200, text, spoiled: true } = shared.reply(&create(&["a"]), Some(&fault))
        else {
            panic!("{fault:?}");
        };
        assert!(decode_response(Operation::CreateEvents, text.as_bytes(), &shared.time).is_err());
        assert_eq!(text.len() > MESSAGE_BYTES_MAX, fault == Fault::OversizedAnswer);
        assert_eq!(held(&shared), 1, "the change took effect all the same");
    }
}

#[test]
fn rows_of_others_come_by_fault_beside_those_that_were_asked_for() {
    let shared = shared(Options::default());
    shared.reply(&create(&["a"]), None);
    let (start, end) = ("2031-03-04T08:00:00Z".parse().unwrap(), "2031-03-04T09:00:00Z".parse().unwrap());
    let others =
        [("m0002@sim.test", "b", start), ("stranger@sim.test", "c", start), ("m0003@sim.test", "later", end)];
    for (mail, origin, start) in others {
        let held = crate::model::Held { id: uuid::Uuid::new_v4(), start, end, planner_own: false };
        shared.planner().plant(crate::model::Row { mail: mail.into(), origin_id: origin.into(), held });
    }
    let ask = Request::GetEvents(EventsQuery::of_addresses(["M0001@sim.test"], None, Some(start)));
    let rows = |fault: Option<&Fault>| -> Vec<String> {
        let Reply::Message { text, spoiled: false, .. } = shared.reply(&ask, fault) else {
            panic!("no answer")
        };
        match decode_response(Operation::GetEvents, text.as_bytes(), &shared.time).unwrap() {
            Answer::Response(Response::GetEvents(answer)) => {
                answer.events.into_iter().map(|event| event.origin_system_identifier).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rows(None), ["a"]);
    assert_eq!(rows(Some(&Fault::ForeignRows)), ["a", "b", "c"], "what starts when it was asked for");
}

#[test]
fn rows_are_doubled_by_fault_and_by_option_and_receipts_faults_leave_reading_alone() {
    let rows = |shared: &Shared, fault: Option<&Fault>| {
        let Reply::Message { text, .. } = shared.reply(&query(), fault) else { panic!("no answer") };
        match decode_response(Operation::GetEvents, text.as_bytes(), &shared.time).unwrap() {
            Answer::Response(Response::GetEvents(answer)) => answer.events.len(),
            other => panic!("{other:?}"),
        }
    };
    for (duplicate_events, expected) in [(false, [1, 2]), (true, [2, 4])] {
        let shared = shared(Options { duplicate_events, ..Options::default() });
        shared.reply(&create(&["a"]), None);
        assert_eq!([rows(&shared, None), rows(&shared, Some(&Fault::DuplicateRows))], expected);
        assert_eq!(rows(&shared, Some(&Fault::Refuse { code: 7 })), expected[0]);
    }
}

#[test]
fn an_answer_beyond_the_limit_becomes_a_fault_with_a_reason() {
    let shared = shared(Options::default());
    let long = "x".repeat(100_000);
    let origins: Vec<String> = (0..60).map(|number| format!("{number}{long}")).collect();
    for origin in &origins {
        shared.perform(&create(&[origin]), None);
    }
    let Reply::Message { status: 500, text, spoiled: false } = shared.reply(&query(), None) else { panic!() };
    assert!(text.contains("ask for less"), "{text}");
}

#[test]
fn headers_must_name_this_job_centre_and_a_user() {
    let now = "2031-03-01T00:00:00Z".parse().unwrap();
    let good = Headers::of_system("10100", "CVR:12345678-FID:1", "test", Operation::GetEvents, now);
    assert_eq!(check_headers(&good, "10100"), Ok(()));
    let refused = |change: fn(&mut Headers)| {
        let mut headers = good.clone();
        change(&mut headers);
        let fault = check_headers(&headers, "10100").unwrap_err();
        assert_eq!(fault.code, FaultCode::Client);
        fault.details.and_then(|details| details.error_code)
    };
    assert_eq!(refused(|h| h.active_organisation = None), Some(error_code::NO_ORGANISATION));
    let foreign = Some(error_code::FOREIGN_ORGANISATION);
    assert_eq!(
        refused(|h| h.active_organisation.as_mut().unwrap().organisation_code = "10101".to_owned()),
        foreign
    );
    assert_eq!(refused(|h| h.active_organisation.as_mut().unwrap().organisation_type = 7), foreign);
    assert_eq!(refused(|h| h.user_metadata = None), Some(error_code::NO_USER));
    assert_eq!(
        refused(|h| h.user_metadata.as_mut().unwrap().user_identifier = " ".to_owned()),
        Some(error_code::NO_USER)
    );
}

#[test]
fn impossible_options_are_refused_with_their_name() {
    for (options, name) in [
        (Options { jobcenter: String::new(), ..Options::default() }, "jobcenter"),
        (Options { domain: "a b".to_owned(), ..Options::default() }, "domain"),
        (Options { zone: "Mars/Olympus".to_owned(), ..Options::default() }, "zone"),
        (Options { mailboxes: u32::MAX, ..Options::default() }, "mailboxes"),
        (
            Options {
                faults: vec![r#"{"kind":"fewer-receipts","operation":"GetEvents","next":1}"#.to_owned()],
                ..Options::default()
            },
            "running",
        ),
        (
            Options {
                faults: vec![r#"{"kind":{"http-status":{"status":200}},"next":1}"#.to_owned()],
                ..Options::default()
            },
            "running",
        ),
        (
            Options {
                faults: vec![r#"{"kind":{"hold-before":{"seconds":-1}},"next":1}"#.to_owned()],
                ..Options::default()
            },
            "running",
        ),
        (
            Options {
                faults: vec![r#"{"kind":"duplicate-rows","operation":"CreateEvents","next":1}"#.to_owned()],
                ..Options::default()
            },
            "running",
        ),
        (
            Options {
                faults: vec![r#"{"kind":"foreign-rows","operation":"DeleteEvents","next":1}"#.to_owned()],
                ..Options::default()
            },
            "running",
        ),
    ] {
        let error = Shared::new(options, None).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}
