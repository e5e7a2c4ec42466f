//! What is read: messages composed here with other prefixes and orders than ours, with the liberties that
//! real services take, and with what must be refused.

use jiff::tz::TimeZone;
use proto_soap::Error;
use uuid::Uuid;

use super::saturating_number;
use crate::{
    Answer, CalendarEvent, CalendarResource, FaultCode, FaultDetails, MESSAGE_BYTES_MAX, Operation,
    PlannerFault, Request, ResourcesAnswer, Response, WireError, WireTime, WorkingHours, decode_request,
    decode_response, encode_response,
};

const E: &str = "http://service.bm.dk/PlannerExternalCalendarService/2015/03/27/";
const C: &str = "http://service.bm.dk/pjaktass/2013/06/07/CodeListBase/";
const CALL: &str = "00000000-0000-0000-0000-000000000007";

fn time() -> WireTime {
    WireTime::in_zone(TimeZone::get("Europe/Copenhagen").unwrap())
}

/// An envelope with prefixes that we never use ourselves.
fn enveloped(body: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='utf-8'?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV='http://schemas.xmlsoap.org/soap/envelope/' \
         xmlns:p='{E}' xmlns:code='{C}' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\n<SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>\n"
    )
}

fn answer(operation: Operation, body: &str) -> Result<Answer, WireError> {
    decode_response(operation, enveloped(body).as_bytes(), &time())
}

fn receipt(code: &str, more: &str) -> String {
    format!(
        "<p:CreateEventsResponse><p:CalendarEventReceipt>{more}<p:EventReceivalTime>2031-03-01T10:00:00.1234567+01:00</p:EventReceivalTime>\
         <p:EventErrorCode><code:CodeListItemIdentifier>{code}</code:CodeListItemIdentifier></p:EventErrorCode>\
         <p:OriginSystemIdentifier> A$1 </p:OriginSystemIdentifier><p:ConflictNotificationSent>1</p:ConflictNotificationSent>\
         </p:CalendarEventReceipt><p:ServiceRequestLogReferenceIdentifier>{CALL}</p:ServiceRequestLogReferenceIdentifier></p:CreateEventsResponse>"
    )
}

#[test]
fn receipts_are_read_with_any_prefix_and_any_code() {
    for (text, code) in [
        ("0", 0),
        (" 13\n", 13),
        ("48", 48),
        ("-1", -1),
        ("100000000", 100_000_000),
        ("99999999999999999999", i32::MAX),
        ("-99999999999", i32::MIN),
    ] {
        let message = receipt(
            text,
            "<p:CalendarEventIdentifier>00000000-0000-0000-0000-00000000000A</p:CalendarEventIdentifier>",
        );
        let Ok(Answer::Response(Response::CreateEvents(answer))) = answer(Operation::CreateEvents, &message)
        else {
            panic!("not read: {text}");
        };
        assert_eq!(answer.call_id, Uuid::from_u128(7));
        let [receipt] = &answer.receipts[..] else { panic!("one receipt") };
        assert_eq!(receipt.error_code, code, "{text}");
        // Origin ids are compared to the letter, blanks included.
        assert_eq!(receipt.origin_system_identifier, " A$1 ");
        assert_eq!(receipt.calendar_event_identifier, Uuid::from_u128(10));
        assert_eq!(receipt.received_at.to_string(), "2031-03-01T09:00:00.1234567Z");
        assert!(receipt.conflict_notification_sent);
        assert_eq!((receipt.message.as_deref(), receipt.planner_resource_identifier), (None, None));
    }
}

#[test]
fn a_receipt_of_a_refusal_may_lack_the_identifiers() {
    let message = receipt(
        "7",
        "<p:PlannerResourceIdentifier xsi:nil='true'/><p:EventMessage>nej &amp; nej</p:EventMessage>",
    );
    let Ok(Answer::Response(Response::CreateEvents(answer))) = answer(Operation::CreateEvents, &message)
    else {
        panic!("not read");
    };
    assert_eq!(answer.receipts[0].calendar_event_identifier, Uuid::nil());
    assert_eq!(answer.receipts[0].message.as_deref(), Some("nej & nej"));
}

#[test]
fn appointments_without_key_and_without_offset_are_read() {
    let message = format!(
        "<GetEventsResponse xmlns='{E}'><future:New xmlns:future='urn:x'><CalendarEvent/></future:New>\
         <CalendarEvent><OriginEmailAddress> M0001@sim.test\n</OriginEmailAddress>\
         <CalendarEventEndTime>2031-07-04T10:00:00</CalendarEventEndTime><CalendarEventStartTime>2031-07-04T09:00:00</CalendarEventStartTime>\
         <OriginSystemIdentifier xsi:nil='true'/><CalendarEventIdentifier>{CALL}</CalendarEventIdentifier></CalendarEvent>\
         <ServiceRequestLogReferenceIdentifier>{CALL}</ServiceRequestLogReferenceIdentifier></GetEventsResponse>"
    );
    let Ok(Answer::Response(Response::GetEvents(answer))) = answer(Operation::GetEvents, &message) else {
        panic!("not read");
    };
    let mut expected = CalendarEvent::new(
        "M0001@sim.test",
        "",
        "2031-07-04T07:00:00Z".parse().unwrap(),
        "2031-07-04T08:00:00Z".parse().unwrap(),
    );
    expected.calendar_event_identifier = Some(Uuid::from_u128(7));
    assert!(answer.events == [expected], "{:?}", answer.events);
}

#[test]
fn an_answer_that_lacks_what_decides_is_an_error_that_names_it() {
    let whole = receipt("0", "");
    for missing in [
        "EventErrorCode",
        "OriginSystemIdentifier",
        "EventReceivalTime",
        "ServiceRequestLogReferenceIdentifier",
    ] {
        let broken = whole.replace(missing, "Other");
        let error = answer(Operation::CreateEvents, &broken).unwrap_err();
        assert_eq!(error, WireError::Decoding(Error::Missing { name: missing }));
        assert!(error.disposition().is_retry());
    }
    for bad in ["", "x", "1x", "--1", "1.0", "+", "-"] {
        let error = answer(Operation::CreateEvents, &receipt(bad, "")).unwrap_err();
        assert!(matches!(error, WireError::Decoding(Error::Value { .. })), "{bad}: {error:?}");
    }
}

#[test]
fn a_fault_is_read_with_and_without_its_detail() {
    let fault = |detail: &str| {
        format!(
            "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Server</faultcode><faultstring xml:lang='da'>fejl</faultstring>{detail}</SOAP-ENV:Fault>"
        )
    };
    let bare =
        Answer::Fault(PlannerFault { code: FaultCode::Server, text: "fejl".to_owned(), details: None });
    assert_eq!(answer(Operation::GetEvents, &fault("")), Ok(bare.clone()));
    // A detail of a stranger is not Planner's.
    assert_eq!(
        answer(Operation::GetEvents, &fault("<detail><FaultDetails xmlns='urn:x'/></detail>")),
        Ok(bare)
    );
    let detail = "<detail><q:FaultDetails xmlns:q='http://service.bm.dk/xml/schemas/2011/01/12/'><q:ErrorCode>1001</q:ErrorCode>\
                  <q:Message>besked</q:Message><q:InnerException xsi:nil='true'/></q:FaultDetails></detail>";
    let details = FaultDetails {
        error_code: Some(1001),
        message: Some("besked".to_owned()),
        ..FaultDetails::default()
    };
    let whole = PlannerFault { code: FaultCode::Server, text: "fejl".to_owned(), details: Some(details) };
    assert_eq!(answer(Operation::GetEvents, &fault(detail)), Ok(Answer::Fault(whole)));
}

#[test]
fn strangers_answers_are_refused() {
    for (body, name) in [
        (
            format!("<CreateEventsResponse xmlns='urn:x'>{CALL}</CreateEventsResponse>"),
            "CreateEventsResponse",
        ),
        ("<p:UpdateEventsResponse/>".to_owned(), "UpdateEventsResponse"),
        ("<html/>".to_owned(), "html"),
    ] {
        let expected = WireError::Unexpected { found: name.to_owned() };
        assert_eq!(answer(Operation::CreateEvents, &body), Err(expected));
    }
    let long = format!("<{}/>", "n".repeat(500));
    let Err(WireError::Unexpected { found }) = answer(Operation::CreateEvents, &long) else {
        panic!("accepted")
    };
    assert_eq!(found.len(), 64);
}

#[test]
fn oversized_deep_and_hostile_messages_are_refused() {
    let huge = " ".repeat(MESSAGE_BYTES_MAX + 1);
    let deep = enveloped(&format!(
        "<p:GetEventsResponse>{}{}</p:GetEventsResponse>",
        "<a>".repeat(1000),
        "</a>".repeat(1000)
    ));
    let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
    for message in [huge.as_str(), &deep, bomb, ""] {
        let error = decode_response(Operation::GetEvents, message.as_bytes(), &time()).unwrap_err();
        assert!(matches!(error, WireError::Decoding(_)), "{error:?}");
        let as_request = decode_request(message.as_bytes(), &time()).unwrap_err();
        assert!(as_request.disposition().is_retry());
    }
}

/// Regression: one entry without an address, or with an identifier that is none, made the whole list unreadable.
#[test]
fn a_resource_that_cannot_be_read_costs_itself_and_not_the_list() {
    let id = |text: &str| format!("<p:PlannerResourceIdentifier>{text}</p:PlannerResourceIdentifier>");
    let mail =
        |text: &str| format!("<p:CalendarResourceEmailAddress>{text}</p:CalendarResourceEmailAddress>");
    let worker = "<p:IsCaseWorker>true</p:IsCaseWorker>";
    let hours = |weekday: &str| {
        format!(
            "<p:WorkingHours><p:WorkingHoursWeekday>{weekday}</p:WorkingHoursWeekday>\
             <p:WorkingHoursStartTime>2031-07-04T08:00:00</p:WorkingHoursStartTime></p:WorkingHours>"
        )
    };
    let missing = |name| Some(Error::Missing { name });
    let bad = |name: &str| Some(Error::Value { name: name.to_owned(), at: 0 });
    // what stands in the entry, what is wrong, and whether address and identifier are known all the same
    let table = [
        (format!("{}{worker}", id(CALL)), missing("CalendarResourceEmailAddress"), false, true),
        (
            format!("{}{}{worker}", id("no-uuid"), mail(" b@x ")),
            bad("PlannerResourceIdentifier"),
            true,
            false,
        ),
        (format!("{}{}{worker}", mail("b@x"), id("x")), bad("PlannerResourceIdentifier"), true, false),
        (
            format!("{}{worker}{}", hours("man"), id(CALL)),
            missing("CalendarResourceEmailAddress"),
            false,
            true,
        ),
        (String::new(), missing("CalendarResourceEmailAddress"), false, false),
        (format!("{}{}{worker}", mail("b@x"), id("")), None, true, false),
    ];
    for (entry, wrong, has_mail, has_id) in table {
        let good =
            |address: &str| format!("<p:CalendarResource>{}{worker}</p:CalendarResource>", mail(address));
        let list = format!(
            "<p:GetResourcesResponse>{}<p:CalendarResource><p:RID>R2</p:RID>{entry}</p:CalendarResource>{}\
             <p:ServiceRequestLogReferenceIdentifier>{CALL}</p:ServiceRequestLogReferenceIdentifier></p:GetResourcesResponse>",
            good("a@x"),
            good("c@x"),
        );
        let Ok(Answer::Response(Response::GetResources(read))) = answer(Operation::GetResources, &list)
        else {
            panic!("not read: {entry}");
        };
        let mails: Vec<&str> = read.resources.iter().map(|resource| &*resource.email_address).collect();
        assert_eq!(read.call_id, Uuid::from_u128(7));
        let Some(wrong) = wrong else {
            assert_eq!((mails, read.unusable.len()), (vec!["a@x", "b@x", "c@x"], 0));
            continue;
        };
        assert_eq!(mails, ["a@x", "c@x"], "{entry}");
        let [unusable] = &read.unusable[..] else { panic!("one is unusable: {entry}") };
        let told = match &unusable.error {
            Error::Value { name, .. } => Error::Value { name: name.clone(), at: 0 },
            other => other.clone(),
        };
        assert_eq!((told, unusable.position, &*unusable.rid), (wrong, 2, "R2"), "{entry}");
        assert_eq!(unusable.email_address, if has_mail { "b@x" } else { "" }, "{entry}");
        assert_eq!(unusable.planner_resource_identifier, has_id.then_some(Uuid::from_u128(7)), "{entry}");
    }
    // what is no message any more is one error, and an answer needs its number
    for broken in [
        "<p:GetResourcesResponse><p:CalendarResource><p:RID></p:CalendarResource></p:GetResourcesResponse>",
        "<p:GetResourcesResponse><p:CalendarResource/></p:GetResourcesResponse>",
    ] {
        let read = answer(Operation::GetResources, broken);
        assert!(matches!(read, Err(WireError::Decoding(_))), "{read:?}");
    }
}

/// Regression: one value of the working hours, or of whether it is a case worker, cost the whole resource, and a new
/// colleague with a good address was never begun with. Nothing is synchronised by either.
#[test]
fn working_hours_or_a_kind_that_cannot_be_read_cost_themselves_and_not_the_resource() {
    let worker = |text: &str| format!("<p:IsCaseWorker>{text}</p:IsCaseWorker>");
    let hours = |weekday: &str, end: &str| {
        format!(
            "<p:WorkingHours><p:WorkingHoursWeekday>{weekday}</p:WorkingHoursWeekday>\
             <p:WorkingHoursStartTime>2031-07-04T08:00:00</p:WorkingHoursStartTime>{end}</p:WorkingHours>"
        )
    };
    let end = "<p:WorkingHoursEndTime>2031-07-04T16:00:00</p:WorkingHoursEndTime>";
    let missing = |name| Some(Error::Missing { name });
    let bad = |name: &str| Some(Error::Value { name: name.to_owned(), at: 0 });
    // what stands in the entry, what is left out, the weekdays that are read and whether it is a case worker
    let table: [(String, Option<Error>, &[i32], bool); 8] = [
        (format!("{}{}", hours("1", end), worker("true")), None, &[1], true),
        (worker("0"), None, &[], false),
        (format!("{}{}", hours("1", ""), worker("true")), missing("WorkingHoursEndTime"), &[], true),
        (
            format!("{}{}{}", hours("man", end), worker("true"), hours("2", end)),
            bad("WorkingHoursWeekday"),
            &[2],
            true,
        ),
        (hours("1", end), missing("IsCaseWorker"), &[1], false),
        (worker("ja"), bad("IsCaseWorker"), &[], false),
        (format!("{}{}", worker("ja"), hours("man", end)), bad("IsCaseWorker"), &[], false),
        (format!("{}{}", hours("man", end), worker("ja")), bad("WorkingHoursWeekday"), &[], false),
    ];
    let address = "<p:CalendarResourceEmailAddress>b@x</p:CalendarResourceEmailAddress>";
    for (parts, lacks, weekdays, is_case_worker) in table {
        let list = format!(
            "<p:GetResourcesResponse><p:CalendarResource/><p:CalendarResource>{parts}{address}</p:CalendarResource>\
             <p:ServiceRequestLogReferenceIdentifier>{CALL}</p:ServiceRequestLogReferenceIdentifier></p:GetResourcesResponse>"
        );
        let Ok(Answer::Response(Response::GetResources(read))) = answer(Operation::GetResources, &list)
        else {
            panic!("not read: {parts}");
        };
        let [resource] = &read.resources[..] else { panic!("one can be used: {parts}") };
        let found: Vec<i32> = resource.working_hours.iter().map(|day| day.weekday).collect();
        assert_eq!((&*resource.email_address, resource.is_case_worker), ("b@x", is_case_worker), "{parts}");
        assert_eq!((&found[..], read.unusable.len()), (weekdays, 1), "{parts}");
        let told = read.left_out.iter().map(|part| match &part.error {
            Error::Value { name, .. } => (part.position, Error::Value { name: name.clone(), at: 0 }),
            other => (part.position, other.clone()),
        });
        let expected: Vec<_> = lacks.map(|error| (2, error)).into_iter().collect();
        assert_eq!(told.collect::<Vec<_>>(), expected, "{parts}");
    }
}

/// A resource list of many case workers is larger than a request may be: how much is read is for `planner.answer_limit_bytes`
/// to say.
#[test]
fn an_answer_may_be_larger_than_a_request_and_hold_more_elements() {
    let at = |hour| jiff::civil::date(2031, 7, 4).at(hour, 0, 0, 0);
    let hours = |weekday| WorkingHours { weekday, start: at(8), end: at(16) };
    let resources = (0..17_000).map(|n| CalendarResource {
        working_hours: (1..=5).map(hours).collect(),
        ..CalendarResource::of_address(&format!("m{n:05}@kommune.test"))
    });
    let response = Response::GetResources(ResourcesAnswer {
        resources: resources.collect(),
        unusable: Vec::new(),
        left_out: Vec::new(),
        call_id: Uuid::nil(),
    });
    let message = encode_response(&response, &time()).unwrap();
    assert!(message.len() > MESSAGE_BYTES_MAX);
    let elements = message.matches("</").count();
    assert!(elements > super::LIMITS.elements, "{elements}");
    let read = decode_response(Operation::GetResources, message.as_bytes(), &time());
    assert!(read == Ok(Answer::Response(response)), "something else was read");
    assert!(matches!(decode_request(message.as_bytes(), &time()), Err(WireError::Decoding(_))));
}

#[test]
fn a_request_needs_its_keys_but_may_lack_its_headers() {
    let request = |parts: &str| {
        let body = format!(
            "<p:DeleteEventsRequest><p:CalendarEvent><p:CalendarEventStartTime>2031-07-04T09:00:00Z</p:CalendarEventStartTime>\
             <p:CalendarEventEndTime>2031-07-04T09:00:00Z</p:CalendarEventEndTime>{parts}</p:CalendarEvent></p:DeleteEventsRequest>"
        );
        decode_request(enveloped(&body).as_bytes(), &time())
    };
    let whole = request("<p:OriginSystemIdentifier>A</p:OriginSystemIdentifier><p:OriginEmailAddress>a@b</p:OriginEmailAddress>").unwrap();
    assert_eq!(whole.headers, crate::Headers::default());
    assert!(
        matches!(&whole.request, Request::DeleteEvents(events) if events[0].origin_system_identifier == "A")
    );
    let lacking = request("<p:OriginSystemIdentifier>A</p:OriginSystemIdentifier>").unwrap_err();
    assert_eq!(lacking, WireError::Decoding(Error::Missing { name: "OriginEmailAddress" }));
    let empty = decode_request(enveloped("<p:DeleteEventsRequest/>").as_bytes(), &time()).unwrap_err();
    assert_eq!(empty, WireError::Decoding(Error::Missing { name: "CalendarEvent" }));
}

#[test]
fn errors_repeat_no_content() {
    let secret = receipt("hemmelig", "<p:EventMessage>hemmelig</p:EventMessage>");
    let error = answer(Operation::CreateEvents, &secret).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hemmelig"));
}

#[test]
fn numbers_beyond_the_range_are_cut() {
    assert_eq!(saturating_number("+2147483648"), Some(i32::MAX));
    assert_eq!(saturating_number("-2147483648"), Some(i32::MIN));
    assert_eq!(saturating_number("२"), None);
}
