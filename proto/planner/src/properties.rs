//! Properties of encoder and decoder together. Goal: what one side sends is what the other reads, whatever
//! the values; and no bytes whatsoever make a decoder panic. Method: random messages, encoded and decoded
//! again; the same messages with bytes changed, removed and inserted; and arbitrary bytes.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use crate::{
    ActiveOrganisation, Answer, CalendarEvent, CalendarEventReceipt, CalendarResource, ChangeAnswer,
    EventsAnswer, EventsQuery, FaultCode, FaultDetails, Headers, Operation, PlannerFault, Request,
    RequestEnvelope, RequestUserMetadata, ResourcesAnswer, Response, TimeForm, WireTime, WorkingHours,
    decode_request, decode_response, encode_fault, encode_request, encode_response,
};

/// Text that XML can carry, with all that needs escaping.
fn text(max: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range('a', 'z'),
        1 => prop::sample::select(vec!['&', '<', '>', '"', '\'', ']', '\r', '\n', '\t', ' ', 'ø', '$', '#', '💡', '\u{FFFD}', '\u{85}']),
    ];
    vec(character, 1..max).prop_map(|characters| characters.into_iter().collect())
}

fn mail() -> impl Strategy<Value = String> {
    ("[a-zæøå0-9.&'<-]{0,191}", "[a-z0-9.-]{1,64}").prop_map(|(local, domain)| format!("{local}@{domain}"))
}

fn instant() -> impl Strategy<Value = Timestamp> {
    // Years 1 to 9999, often with a fraction.
    (-62_135_510_400_i64..253_370_764_800, prop_oneof![Just(0), 0..1_000_000_000])
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn event() -> impl Strategy<Value = CalendarEvent> {
    (instant(), instant(), text(80), mail(), option::of(id()), option::of(id())).prop_map(
        |(start, end, origin, mail, resource, event)| CalendarEvent {
            planner_resource_identifier: resource,
            calendar_event_identifier: event,
            ..CalendarEvent::new(mail, origin, start, end)
        },
    )
}

fn receipt() -> impl Strategy<Value = CalendarEventReceipt> {
    (option::of(id()), id(), instant(), any::<i32>(), option::of(text(40)), text(80), any::<bool>()).prop_map(
        |(resource, event, received_at, error_code, message, origin, conflict)| CalendarEventReceipt {
            planner_resource_identifier: resource,
            calendar_event_identifier: event,
            received_at,
            error_code,
            message,
            origin_system_identifier: origin,
            conflict_notification_sent: conflict,
        },
    )
}

fn working_hours() -> impl Strategy<Value = WorkingHours> {
    let clock = (1_i16..=9999, 0_i8..24, 0_i8..60)
        .prop_map(|(year, hour, minute)| DateTime::new(year, 1, 1, hour, minute, 0, 0).unwrap());
    (1..=7, clock.clone(), clock).prop_map(|(weekday, start, end)| WorkingHours { weekday, start, end })
}

fn resource() -> impl Strategy<Value = CalendarResource> {
    let hours = vec(working_hours(), 0..=5);
    (text(40), text(64), mail(), option::of(id()), hours, option::of(text(40)), any::<bool>()).prop_map(
        |(name, rid, email_address, id, working_hours, description, is_case_worker)| CalendarResource {
            name,
            rid,
            email_address,
            planner_resource_identifier: id,
            working_hours,
            description,
            is_case_worker,
        },
    )
}

fn headers() -> impl Strategy<Value = Headers> {
    let active = (1..=100, text(20));
    let user = (text(140), 0..=100_000_000, text(255), option::of(mail()));
    let organisation = (0..=100_000_000, "-1|[0-9]{1,8}");
    (active, user, organisation, instant()).prop_map(|(active, user, organisation, registered_at)| Headers {
        active_organisation: Some(ActiveOrganisation {
            organisation_type: active.0,
            organisation_code: active.1,
        }),
        user_metadata: Some(RequestUserMetadata {
            user_full_name: user.0,
            user_type: user.1,
            user_identifier: user.2,
            user_email: user.3,
            organisation_type: organisation.0,
            organisation_code: organisation.1,
            registered_at,
        }),
    })
}

fn request() -> impl Strategy<Value = RequestEnvelope> {
    let change = (0..3_usize, vec(event(), 1..5))
        .prop_map(|(operation, events)| Request::change(Operation::ALL[operation], events).unwrap());
    let query = (vec(resource(), 0..4), option::of(instant()), option::of(instant())).prop_map(
        |(resources, start_from, start_to)| {
            Request::GetEvents(EventsQuery { resources, start_from, start_to })
        },
    );
    let request =
        prop_oneof![3 => change, 1 => query, 1 => vec(mail(), 0..4).prop_map(Request::GetResources)];
    (headers(), request).prop_map(|(headers, request)| RequestEnvelope { headers, request })
}

fn response() -> impl Strategy<Value = Response> {
    let change = (0..3_usize, vec(receipt(), 0..5), id()).prop_map(|(operation, receipts, call_id)| {
        Response::change(Operation::ALL[operation], ChangeAnswer { receipts, call_id }).unwrap()
    });
    let events = (vec(event(), 0..5), id())
        .prop_map(|(events, call_id)| Response::GetEvents(EventsAnswer { events, call_id }));
    let resources = (vec(resource(), 0..5), id()).prop_map(|(resources, call_id)| {
        Response::GetResources(ResourcesAnswer {
            resources,
            unusable: Vec::new(),
            left_out: Vec::new(),
            call_id,
        })
    });
    prop_oneof![3 => change, 1 => events, 1 => resources]
}

fn fault() -> impl Strategy<Value = PlannerFault> {
    let code = prop_oneof![
        Just(FaultCode::Client),
        Just(FaultCode::Server),
        "[A-Z][a-zA-Z]{2,20}".prop_map(|name| FaultCode::from_local_name(&name)),
    ];
    let details =
        (option::of(any::<i32>()), option::of(text(40)), option::of(text(40)), option::of(text(400)))
            .prop_map(|(error_code, message, inner_exception, stack_trace)| FaultDetails {
                error_code,
                source: message.clone(),
                message,
                inner_exception,
                stack_trace,
            });
    (code, text(80), option::of(details)).prop_map(|(code, text, details)| PlannerFault {
        code,
        text,
        details,
    })
}

/// Forms that lose nothing; the bare form loses which of two equal hours is meant.
fn wire_time() -> impl Strategy<Value = WireTime> {
    let zone =
        prop::sample::select(vec!["Europe/Copenhagen", "UTC", "America/St_Johns", "Pacific/Kiritimati"]);
    let form = prop::sample::select(vec![TimeForm::Offset, TimeForm::Utc]);
    (zone, form).prop_map(|(zone, form)| WireTime { zone: TimeZone::get(zone).unwrap(), form })
}

/// The message with some bytes changed, removed, doubled or cut.
fn mutated(message: String) -> impl Strategy<Value = Vec<u8>> {
    let length = message.len();
    let edit = (any::<prop::sample::Index>(), 0..5_u8, any::<u8>());
    vec(edit, 1..8).prop_map(move |edits| {
        let mut bytes = message.clone().into_bytes();
        for (index, kind, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len().min(length));
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_sent(envelope in request(), time in wire_time()) {
        let message = encode_request(&envelope, &time).unwrap();
        let read = decode_request(message.as_bytes(), &time).unwrap();
        // Surrounding blanks of an address mean nothing; the strategy makes none.
        prop_assert_eq!(read, envelope);
    }

    #[test]
    fn an_answer_is_read_as_it_was_sent(response in response(), time in wire_time()) {
        let message = encode_response(&response, &time).unwrap();
        let read = decode_response(response.operation(), message.as_bytes(), &time).unwrap();
        prop_assert_eq!(read, Answer::Response(response));
    }

    #[test]
    fn a_fault_is_read_as_it_was_sent(fault in fault(), operation in 0..5_usize) {
        let message = encode_fault(&fault).unwrap();
        let read = decode_response(Operation::ALL[operation], message.as_bytes(), &WireTime::utc()).unwrap();
        // A detail without any part is no detail worth telling from an empty one.
        prop_assert_eq!(read, Answer::Fault(fault));
    }

    #[test]
    fn an_answer_of_another_operation_is_refused(response in response(), other in 0..5_usize) {
        let other = Operation::ALL[other];
        prop_assume!(other != response.operation());
        let message = encode_response(&response, &WireTime::utc()).unwrap();
        prop_assert!(decode_response(other, message.as_bytes(), &WireTime::utc()).is_err());
    }

    #[test]
    fn mutated_messages_never_panic(
        bytes in prop_oneof![
            (request(), wire_time()).prop_map(|(e, t)| encode_request(&e, &t).unwrap()),
            (response(), wire_time()).prop_map(|(r, t)| encode_response(&r, &t).unwrap()),
            fault().prop_map(|f| encode_fault(&f).unwrap()),
        ].prop_flat_map(mutated),
    ) {
        decode_all(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_a_message(bytes in vec(any::<u8>(), 0..2000)) {
        prop_assert!(!decode_all(&bytes));
    }

    #[test]
    fn any_text_as_time_never_panics(text in "\\PC{0,40}|[0-9T:Z+.-]{0,40}") {
        let _ = WireTime::utc().read(&text);
    }
}

/// Gives the bytes to every decoder; did one of them accept?
fn decode_all(bytes: &[u8]) -> bool {
    let time = WireTime::in_zone(TimeZone::get("Europe/Copenhagen").unwrap());
    let as_request = decode_request(bytes, &time).is_ok();
    Operation::ALL
        .into_iter()
        .fold(as_request, |accepted, operation| decode_response(operation, bytes, &time).is_ok() || accepted)
}
