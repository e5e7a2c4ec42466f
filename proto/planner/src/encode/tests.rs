//! What is written, compared by text for one message of each kind and by the real service's schema where
//! that is at hand; and what is refused before it is written.

use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::{
    CalendarEvent, CalendarEventReceipt, CalendarResource, ChangeAnswer, EventsAnswer, EventsQuery,
    FaultCode, FaultDetails, Headers, Operation, PlannerFault, Request, RequestEnvelope, ResourcesAnswer,
    Response, WireError, WireTime, WorkingHours, encode_fault, encode_request, encode_response,
};

fn time() -> WireTime {
    WireTime::in_zone(TimeZone::get("Europe/Copenhagen").unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn event() -> CalendarEvent {
    CalendarEvent::new(
        "m0001@sim.test",
        "0400AA$20310304-090000",
        at("2031-03-04T08:00:00Z"),
        at("2031-03-04T08:45:00Z"),
    )
}

fn envelope(request: Request) -> RequestEnvelope {
    let now = at("2031-03-01T10:00:00Z");
    let headers =
        Headers::of_system("10100", "CVR:12345678-FID:1", "Kommuneklient 0.1.0", request.operation(), now);
    RequestEnvelope { headers, request }
}

fn requests() -> Vec<Request> {
    let from = at("2031-01-29T23:00:00Z");
    vec![
        Request::CreateEvents(vec![event(), event()]),
        Request::UpdateEvents(vec![event()]),
        Request::DeleteEvents(vec![event()]),
        Request::GetEvents(EventsQuery::of_addresses(
            ["m0001@sim.test", "m0002@sim.test"],
            Some(from),
            Some(from),
        )),
        Request::GetEvents(EventsQuery::default()),
        Request::GetResources(vec![]),
        Request::GetResources(vec!["m0001@sim.test".to_owned()]),
    ]
}

fn responses() -> Vec<Response> {
    let call_id = Uuid::from_u128(7);
    let receipt = |error_code, message: Option<&str>| CalendarEventReceipt {
        planner_resource_identifier: (error_code == 0).then_some(Uuid::from_u128(1)),
        calendar_event_identifier: Uuid::from_u128(2),
        received_at: at("2031-03-01T10:00:00.123456Z"),
        error_code,
        message: message.map(str::to_owned),
        origin_system_identifier: "0400AA<&>".to_owned(),
        conflict_notification_sent: error_code == 13,
    };
    let answer = || ChangeAnswer { receipts: vec![receipt(0, None), receipt(13, Some("own"))], call_id };
    let mut known = event();
    known.planner_resource_identifier = Some(Uuid::from_u128(1));
    known.calendar_event_identifier = Some(Uuid::from_u128(2));
    let hours = WorkingHours {
        weekday: 1,
        start: "0001-01-01T08:00:00".parse().unwrap(),
        end: "0001-01-01T16:00:00".parse().unwrap(),
    };
    let resource = CalendarResource {
        name: "Case worker 1".to_owned(),
        planner_resource_identifier: Some(Uuid::from_u128(1)),
        working_hours: vec![hours; 5],
        description: Some("desk 4".to_owned()),
        is_case_worker: true,
        ..CalendarResource::of_address("m0001@sim.test")
    };
    vec![
        Response::CreateEvents(answer()),
        Response::UpdateEvents(answer()),
        Response::DeleteEvents(answer()),
        Response::GetEvents(EventsAnswer { events: vec![known, event()], call_id }),
        Response::GetEvents(EventsAnswer { events: vec![], call_id }),
        Response::GetResources(ResourcesAnswer {
            resources: vec![resource, CalendarResource::of_address("room1@sim.test")],
            unusable: Vec::new(),
            left_out: Vec::new(),
            call_id,
        }),
    ]
}

fn faults() -> Vec<PlannerFault> {
    let details = FaultDetails {
        error_code: Some(1001),
        message: Some("no".to_owned()),
        inner_exception: None,
        stack_trace: None,
        source: Some("planner".to_owned()),
    };
    vec![
        PlannerFault { code: FaultCode::Server, text: "failed".to_owned(), details: Some(details) },
        PlannerFault { code: FaultCode::Client, text: "wrong".to_owned(), details: None },
    ]
}

#[test]
fn a_create_carries_both_headers_and_the_four_values_only() {
    let message = encode_request(&envelope(Request::CreateEvents(vec![event()])), &time()).unwrap();
    let expected = concat!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>"#,
        r#"<ActiveOrganisationHeader xmlns="http://rep.oio.dk/ams.dk/xml/schemas/2005/09/01/">"#,
        "<OrganisationTypeIdentifier>8</OrganisationTypeIdentifier><OrganisationCode>10100</OrganisationCode>",
        "</ActiveOrganisationHeader>",
        r#"<RequestUserMetadataHeader xmlns="http://service.bm.dk/RequestUserMetadata/2015/01/21/">"#,
        r#"<RequestUserStructure xmlns="http://service.bm.dk/pjaktass/2015/01/21/RequestUserStructure/">"#,
        "<UserFullName>Kommuneklient 0.1.0 : CreateEvents</UserFullName>",
        r#"<RequestUserTypeIdentifier xmlns="http://service.bm.dk/pjaktass/2015/01/21/RequestUserTypeIdentifierCodeList/">"#,
        r#"<CodeListItemIdentifier xmlns="http://service.bm.dk/pjaktass/2013/06/07/CodeListBase/">3</CodeListItemIdentifier>"#,
        "</RequestUserTypeIdentifier><UserIdentifier>CVR:12345678-FID:1</UserIdentifier></RequestUserStructure>",
        r#"<RequestOrganisationStructure xmlns="http://service.bm.dk/pjaktass/2015/01/21/RequestOrganisationStructure/">"#,
        "<OrganisationTypeIdentifier>",
        r#"<CodeListItemIdentifier xmlns="http://service.bm.dk/pjaktass/2013/06/07/CodeListBase/">8</CodeListItemIdentifier>"#,
        "</OrganisationTypeIdentifier><OrganisationCode>10100</OrganisationCode></RequestOrganisationStructure>",
        "<RegistrationDateTime>2031-03-01T11:00:00+01:00</RegistrationDateTime></RequestUserMetadataHeader></s:Header>",
        r#"<s:Body><CreateEventsRequest xmlns="http://service.bm.dk/PlannerExternalCalendarService/2015/03/27/">"#,
        "<CalendarEvent><CalendarEventStartTime>2031-03-04T09:00:00+01:00</CalendarEventStartTime>",
        "<CalendarEventEndTime>2031-03-04T09:45:00+01:00</CalendarEventEndTime>",
        "<OriginSystemIdentifier>0400AA$20310304-090000</OriginSystemIdentifier>",
        "<OriginEmailAddress>m0001@sim.test</OriginEmailAddress></CalendarEvent>",
        "</CreateEventsRequest></s:Body></s:Envelope>",
    );
    assert_eq!(message, expected);
}

#[test]
fn what_the_schema_refuses_is_refused_here_and_named() {
    let changed = |change: fn(&mut CalendarEvent)| {
        let mut event = event();
        change(&mut event);
        envelope(Request::UpdateEvents(vec![self::event(), event]))
    };
    let headed = |change: fn(&mut Headers)| {
        let mut envelope = envelope(Request::UpdateEvents(vec![event()]));
        change(&mut envelope.headers);
        envelope
    };
    for (envelope, element) in [
        (changed(|e| e.start = "-000001-01-01T00:00:00Z".parse().unwrap()), "CalendarEventStartTime"),
        (changed(|e| e.end = "0000-06-01T00:00:00Z".parse().unwrap()), "CalendarEventEndTime"),
        (changed(|e| e.origin_system_identifier.clear()), "OriginSystemIdentifier"),
        (changed(|e| e.origin_system_identifier.push('\0')), "OriginSystemIdentifier"),
        (changed(|e| e.origin_system_identifier.push('\u{FFFF}')), "OriginSystemIdentifier"),
        (changed(|e| e.origin_email_address = "no address".to_owned()), "OriginEmailAddress"),
        (headed(|h| h.active_organisation = None), "ActiveOrganisationHeader"),
        (headed(|h| h.user_metadata = None), "RequestUserMetadataHeader"),
        (
            headed(|h| h.active_organisation.as_mut().unwrap().organisation_type = 101),
            "OrganisationTypeIdentifier",
        ),
        (
            headed(|h| h.active_organisation.as_mut().unwrap().organisation_code = "9".repeat(21)),
            "OrganisationCode",
        ),
        (
            headed(|h| h.user_metadata.as_mut().unwrap().organisation_code = "123456789".to_owned()),
            "OrganisationCode",
        ),
        (headed(|h| h.user_metadata.as_mut().unwrap().user_identifier.clear()), "UserIdentifier"),
    ] {
        let expected = WireError::Unsendable { operation: Operation::UpdateEvents, element };
        assert_eq!(encode_request(&envelope, &time()), Err(expected.clone()));
        assert_eq!(expected.disposition(), base::Disposition::SetAside);
    }
    assert_eq!(
        encode_request(&envelope(Request::DeleteEvents(vec![])), &time()),
        Err(WireError::NothingToSend { operation: Operation::DeleteEvents })
    );
}

#[test]
fn mail_addresses_are_judged_as_the_schema_does() {
    let long = |local: usize, domain: usize| format!("{}@{}", "å".repeat(local), "d".repeat(domain));
    for good in ["m0001@sim.test", "@x", "o'brien+x@a", &long(191, 64), "<a@b", "\u{a0}@b"] {
        assert!(crate::is_mail_address(good), "{good}");
    }
    for bad in
        ["", "a", "a@", "a@b@c", "a b@c", "a@b\n", "a>@b", "a;b@c", "a@[1]", &long(192, 1), &long(1, 65)]
    {
        assert!(!crate::is_mail_address(bad), "{bad}");
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused() {
    let mut event = event();
    event.origin_system_identifier = "x".repeat(crate::MESSAGE_BYTES_MAX);
    let refused = encode_request(&envelope(Request::CreateEvents(vec![event])), &time());
    assert!(matches!(refused, Err(WireError::Encoding(_))), "{refused:?}");
}

#[test]
fn the_callers_name_is_cut_to_its_longest_length() {
    let client = "æ".repeat(200);
    let headers = Headers::of_system("10100", "u", &client, Operation::GetEvents, at("2031-03-01T10:00:00Z"));
    assert_eq!(headers.user_metadata.unwrap().user_full_name, "æ".repeat(140));
}

#[test]
fn debug_prints_hold_no_times_and_no_words_of_planner() {
    let mut shown = format!("{:?}", event());
    for response in responses() {
        shown += &format!("{response:?}");
    }
    for fault in faults() {
        shown += &format!("{fault:?}");
    }
    assert!(!shown.contains("2031-03-04T"), "{shown}");
    assert!(!shown.contains("own\"") && !shown.contains("failed") && !shown.contains("planner\""), "{shown}");
}

/// The real service's schemas, where the reference material is at hand.
fn reference_schema() -> Option<PathBuf> {
    let root = std::env::var_os("KOMMUNEKLIENT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let schema = root.join("planner/schema/soap11.xsd");
    schema.is_file().then_some(schema)
}

#[test]
fn every_message_is_valid_by_the_services_schema() {
    let Some(schema) = reference_schema() else {
        println!("skipped: the reference material (KOMMUNEKLIENT_SHARED, ../shared) is not at hand");
        return;
    };
    if Command::new("xmllint").arg("--version").output().is_err() {
        println!("skipped: xmllint is not installed");
        return;
    }
    let mut messages = Vec::new();
    for time in [time(), WireTime::utc(), WireTime { form: crate::TimeForm::Bare, ..time() }] {
        messages
            .extend(requests().into_iter().map(|request| encode_request(&envelope(request), &time).unwrap()));
        messages.extend(responses().iter().map(|response| encode_response(response, &time).unwrap()));
    }
    messages.extend(faults().iter().map(|fault| encode_fault(fault).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> =
        (0..messages.len()).map(|number| folder.path().join(format!("{number}.xml"))).collect();
    for (file, message) in files.iter().zip(&messages) {
        std::fs::write(file, message).unwrap();
    }
    let run = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .args(&files)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
