//! Bytes to messages.
//!
//! Elements are known by namespace and name; what is not known is skipped. A request must hold all that the
//! service needs. An answer is read with more patience where the missing part changes nothing: an
//! appointment without origin id or mail address is read with an empty one and is left alone above (B11), and a
//! listed resource whose own content is wrong costs itself and not the list (B10); one of which only the working hours
//! or the kind are wrong is read without them.

use jiff::Timestamp;
use proto_soap::{Body, Element, Error, Limits, Reader};
use uuid::Uuid;

use crate::names::{
    ACTIVE_ORGANISATION, CODE_LIST, EVENTS, FAULT, ORGANISATION, USER, USER_METADATA, USER_TYPE,
};
use crate::{
    ANSWER_BYTES_MAX, ActiveOrganisation, Answer, CalendarEvent, CalendarEventReceipt, CalendarResource,
    ChangeAnswer, EventsAnswer, EventsQuery, FaultCode, FaultDetails, Headers, MESSAGE_BYTES_MAX, Operation,
    PartLeftOut, PlannerFault, Request, RequestEnvelope, RequestUserMetadata, ResourcesAnswer, Response,
    UnusableResource, WireError, WireTime, WorkingHours, time,
};

#[cfg(test)]
mod tests;

/// Bounds of one request. The deepest known element is seven deep; a stack trace in a fault is the longest
/// text; 400,000 elements is more than [`MESSAGE_BYTES_MAX`] of real appointments can hold.
const LIMITS: Limits =
    Limits { bytes: MESSAGE_BYTES_MAX, depth: 32, text: 1 << 20, attributes: 32, elements: 400_000 };

/// Bounds of one answer of so many bytes: the elements grow with them.
const fn answer_limits(bytes: usize) -> Limits {
    let times = bytes.div_ceil(MESSAGE_BYTES_MAX);
    let times = if times == 0 { 1 } else { times };
    Limits { bytes: ANSWER_BYTES_MAX, elements: LIMITS.elements * times, ..LIMITS }
}

/// Reads a request. Headers that are missing are left empty; one that is there must be whole.
///
/// # Errors
/// [`WireError::Decoding`] when the bytes are no such message, [`WireError::Unexpected`] when the body holds
/// something else than one of the five requests.
pub fn decode_request(message: &[u8], wire_time: &WireTime) -> Result<RequestEnvelope, WireError> {
    let mut headers = Headers::default();
    let body = proto_soap::read_envelope(
        message,
        LIMITS,
        |reader, element| read_header(reader, element, &mut headers, wire_time),
        |reader, element| read_request(reader, element, wire_time),
    )?;
    match body {
        Body::Content(request) => Ok(RequestEnvelope { headers, request }),
        Body::Fault(_) => Err(WireError::unexpected("Fault")),
    }
}

/// Reads the answer to a call of `operation`: its response, or a fault. Whoever asked bounds the answer's bytes
/// (`planner.answer_limit_bytes`), [`ANSWER_BYTES_MAX`] is only the most that anybody may want.
///
/// # Errors
/// [`WireError::Decoding`] when the bytes are no such message, [`WireError::Unexpected`] when the body holds
/// something else than the answer to this operation.
pub fn decode_response(
    operation: Operation,
    message: &[u8],
    wire_time: &WireTime,
) -> Result<Answer, WireError> {
    let body = proto_soap::read_envelope(
        message,
        answer_limits(message.len()),
        |_, _| Ok::<_, WireError>(()),
        |reader, element| read_response(operation, reader, element, wire_time),
    )?;
    Ok(match body {
        Body::Content(response) => Answer::Response(response),
        Body::Fault(fault) => Answer::Fault(planner_fault(fault)),
    })
}

// === headers ===

fn read_header(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    headers: &mut Headers,
    wire_time: &WireTime,
) -> Result<(), WireError> {
    match element.name() {
        (ACTIVE_ORGANISATION, "ActiveOrganisationHeader") => {
            headers.active_organisation = Some(read_active_organisation(reader, element)?);
        }
        (USER_METADATA, "RequestUserMetadataHeader") => {
            headers.user_metadata = Some(read_user_metadata(reader, element, wire_time)?);
        }
        _ => {}
    }
    Ok(())
}

fn read_active_organisation(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
) -> Result<ActiveOrganisation, Error> {
    let (mut organisation_type, mut code) = (None, None);
    reader.children(parent, |reader, child| {
        match child.name() {
            (ACTIVE_ORGANISATION, "OrganisationTypeIdentifier") => {
                organisation_type = Some(reader.parse(child)?);
            }
            (ACTIVE_ORGANISATION, "OrganisationCode") => code = Some(reader.text(child)?),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(ActiveOrganisation {
        organisation_type: required(organisation_type, "OrganisationTypeIdentifier")?,
        organisation_code: required(code, "OrganisationCode")?,
    })
}

fn read_user_metadata(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    wire_time: &WireTime,
) -> Result<RequestUserMetadata, Error> {
    let (mut full_name, mut user_type, mut identifier, mut email) = (None, None, None, None);
    let (mut organisation_type, mut organisation_code, mut registered_at) = (None, None, None);
    reader.children(parent, |reader, part| match part.name() {
        (USER, "RequestUserStructure") => reader.children(part, |reader, child| {
            match child.name() {
                (USER, "UserFullName") => full_name = Some(reader.text(child)?),
                (USER_TYPE, "RequestUserTypeIdentifier") => user_type = Some(read_code(reader, child)?),
                (USER, "UserIdentifier") => identifier = Some(reader.text(child)?),
                (USER, "UserEmail") => email = Some(reader.text(child)?),
                _ => {}
            }
            Ok(())
        }),
        (ORGANISATION, "RequestOrganisationStructure") => reader.children(part, |reader, child| {
            match child.name() {
                (ORGANISATION, "OrganisationTypeIdentifier") => {
                    organisation_type = Some(read_code(reader, child)?);
                }
                (ORGANISATION, "OrganisationCode") => organisation_code = Some(reader.text(child)?),
                _ => {}
            }
            Ok(())
        }),
        (USER_METADATA, "RegistrationDateTime") => {
            registered_at = Some(read_time(reader, part, wire_time)?);
            Ok(())
        }
        _ => Ok::<_, Error>(()),
    })?;
    Ok(RequestUserMetadata {
        user_full_name: required(full_name, "UserFullName")?,
        user_type: required(user_type, "RequestUserTypeIdentifier")?,
        user_identifier: required(identifier, "UserIdentifier")?,
        user_email: email,
        organisation_type: required(organisation_type, "OrganisationTypeIdentifier")?,
        organisation_code: required(organisation_code, "OrganisationCode")?,
        registered_at: required(registered_at, "RegistrationDateTime")?,
    })
}

// === requests ===

fn read_request(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    wire_time: &WireTime,
) -> Result<Request, WireError> {
    let named = |operation: &Operation| element.is(EVENTS, operation.request_element());
    let operation = Operation::ALL.into_iter().find(named);
    let operation = operation.ok_or_else(|| WireError::unexpected(element.local()))?;
    Ok(match operation {
        Operation::CreateEvents => Request::CreateEvents(read_events(reader, element, wire_time)?),
        Operation::UpdateEvents => Request::UpdateEvents(read_events(reader, element, wire_time)?),
        Operation::DeleteEvents => Request::DeleteEvents(read_events(reader, element, wire_time)?),
        Operation::GetEvents => Request::GetEvents(read_query(reader, element, wire_time)?),
        Operation::GetResources => Request::GetResources(read_addresses(reader, element)?),
    })
}

/// The appointments of a change; at least one, each with its key.
fn read_events(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    wire_time: &WireTime,
) -> Result<Vec<CalendarEvent>, Error> {
    let mut events = Vec::new();
    reader.children(parent, |reader, child| {
        if child.is(EVENTS, "CalendarEvent") {
            let event = read_event(reader, child, wire_time)?;
            if event.origin_system_identifier.is_empty() {
                return Err(Error::Missing { name: "OriginSystemIdentifier" });
            }
            if event.origin_email_address.is_empty() {
                return Err(Error::Missing { name: "OriginEmailAddress" });
            }
            events.push(event);
        }
        Ok(())
    })?;
    if events.is_empty() {
        return Err(Error::Missing { name: "CalendarEvent" });
    }
    Ok(events)
}

fn read_query(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    wire_time: &WireTime,
) -> Result<EventsQuery, Error> {
    let mut query = EventsQuery::default();
    reader.children(parent, |reader, child| {
        match child.name() {
            (EVENTS, "CalendarResource") => query.resources.push(read_resource(reader, child)?),
            (EVENTS, "EventStartFromDateTime") => {
                query.start_from = read_optional_time(reader, child, wire_time)?;
            }
            (EVENTS, "EventStartToDateTime") => {
                query.start_to = read_optional_time(reader, child, wire_time)?;
            }
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(query)
}

fn read_addresses(reader: &mut Reader<'_>, parent: &Element<'_>) -> Result<Vec<String>, Error> {
    let mut addresses = Vec::new();
    reader.children(parent, |reader, child| {
        if child.is(EVENTS, "EmailAddressIdentifier") {
            addresses.push(read_trimmed(reader, child)?);
        }
        Ok::<_, Error>(())
    })?;
    Ok(addresses)
}

// === answers ===

fn read_response(
    operation: Operation,
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    wire_time: &WireTime,
) -> Result<Response, WireError> {
    if !element.is(EVENTS, operation.response_element()) {
        return Err(WireError::unexpected(element.local()));
    }
    Ok(match operation {
        Operation::CreateEvents => Response::CreateEvents(read_change_answer(reader, element, wire_time)?),
        Operation::UpdateEvents => Response::UpdateEvents(read_change_answer(reader, element, wire_time)?),
        Operation::DeleteEvents => Response::DeleteEvents(read_change_answer(reader, element, wire_time)?),
        Operation::GetEvents => {
            let mut events = Vec::new();
            let call_id = read_parts(reader, element, |reader, child| {
                if child.is(EVENTS, "CalendarEvent") {
                    events.push(read_event(reader, child, wire_time)?);
                }
                Ok(())
            })?;
            Response::GetEvents(EventsAnswer { events, call_id })
        }
        Operation::GetResources => {
            let (mut resources, mut unusable, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
            let call_id = read_parts(reader, element, |reader, child| {
                if child.is(EVENTS, "CalendarResource") {
                    let position = resources.len() + unusable.len() + 1;
                    match read_entry(reader, child)?.whole(position) {
                        Ok((resource, lacks)) => {
                            resources.push(resource);
                            left_out.extend(lacks.map(|error| PartLeftOut { position, error }));
                        }
                        Err(entry) => unusable.push(entry),
                    }
                }
                Ok(())
            })?;
            Response::GetResources(ResourcesAnswer { resources, unusable, left_out, call_id })
        }
    })
}

fn read_change_answer(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    wire_time: &WireTime,
) -> Result<ChangeAnswer, Error> {
    let mut receipts = Vec::new();
    let call_id = read_parts(reader, parent, |reader, child| {
        if child.is(EVENTS, "CalendarEventReceipt") {
            receipts.push(read_receipt(reader, child, wire_time)?);
        }
        Ok(())
    })?;
    Ok(ChangeAnswer { receipts, call_id })
}

/// Reads the parts of an answer with `part`, and the call's identifier that stands among them.
fn read_parts(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    mut part: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<(), Error>,
) -> Result<Uuid, Error> {
    let mut call_id = None;
    reader.children(parent, |reader, child| {
        if child.is(EVENTS, "ServiceRequestLogReferenceIdentifier") {
            call_id = Some(reader.parse(child)?);
            return Ok(());
        }
        part(reader, child)
    })?;
    required(call_id, "ServiceRequestLogReferenceIdentifier")
}

fn read_receipt(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    wire_time: &WireTime,
) -> Result<CalendarEventReceipt, Error> {
    let (mut resource, mut event, mut received_at, mut code) = (None, None, None, None);
    let (mut message, mut origin, mut conflict) = (None, None, None);
    reader.children(parent, |reader, child| {
        match child.name() {
            (EVENTS, "PlannerResourceIdentifier") => resource = read_optional_id(reader, child)?,
            (EVENTS, "CalendarEventIdentifier") => event = read_optional_id(reader, child)?,
            (EVENTS, "EventReceivalTime") => received_at = Some(read_time(reader, child, wire_time)?),
            (EVENTS, "EventErrorCode") => code = Some(read_code(reader, child)?),
            (EVENTS, "EventMessage") => message = read_optional_text(reader, child)?,
            (EVENTS, "OriginSystemIdentifier") => origin = Some(reader.text(child)?),
            (EVENTS, "ConflictNotificationSent") => conflict = Some(reader.boolean(child)?),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(CalendarEventReceipt {
        planner_resource_identifier: resource,
        calendar_event_identifier: event.unwrap_or(Uuid::nil()),
        received_at: required(received_at, "EventReceivalTime")?,
        error_code: required(code, "EventErrorCode")?,
        message,
        origin_system_identifier: required(origin, "OriginSystemIdentifier")?,
        conflict_notification_sent: required(conflict, "ConflictNotificationSent")?,
    })
}

// === parts of both ===

/// An appointment; origin id and mail address are empty where they are missing.
fn read_event(
    reader: &mut Reader<'_>,
    parent: &Element<'_>,
    wire_time: &WireTime,
) -> Result<CalendarEvent, Error> {
    let (mut start, mut end, mut origin, mut mail) = (None, None, String::new(), String::new());
    let (mut resource, mut event) = (None, None);
    reader.children(parent, |reader, child| {
        match child.name() {
            (EVENTS, "CalendarEventStartTime") => start = Some(read_time(reader, child, wire_time)?),
            (EVENTS, "CalendarEventEndTime") => end = Some(read_time(reader, child, wire_time)?),
            (EVENTS, "OriginSystemIdentifier") => origin = reader.text(child)?,
            (EVENTS, "OriginEmailAddress") => mail = read_trimmed(reader, child)?,
            (EVENTS, "PlannerResourceIdentifier") => resource = read_optional_id(reader, child)?,
            (EVENTS, "CalendarEventIdentifier") => event = read_optional_id(reader, child)?,
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(CalendarEvent {
        start: required(start, "CalendarEventStartTime")?,
        end: required(end, "CalendarEventEndTime")?,
        origin_system_identifier: origin,
        origin_email_address: mail,
        planner_resource_identifier: resource,
        calendar_event_identifier: event,
    })
}

/// A resource of a request: all of it must be right.
fn read_resource(reader: &mut Reader<'_>, parent: &Element<'_>) -> Result<CalendarResource, Error> {
    let (resource, lacks) = read_entry(reader, parent)?.whole(1).map_err(|unusable| unusable.error)?;
    lacks.map_or(Ok(resource), Err)
}

/// What can be read of a resource. What makes the bytes no message any more is an error.
fn read_entry(reader: &mut Reader<'_>, parent: &Element<'_>) -> Result<ResourceParts, Error> {
    let mut parts = ResourceParts::default();
    reader.children(parent, |reader, child| match parts.read(reader, child) {
        // the rest of the entry is read all the same: it may say whose it is
        Err(error @ (Error::Value { .. } | Error::Missing { .. })) => {
            let can_lack = child.is(EVENTS, "WorkingHours") || child.is(EVENTS, "IsCaseWorker");
            let told = if can_lack { &mut parts.lacks } else { &mut parts.wrong };
            told.get_or_insert(error);
            Ok(())
        }
        read => read,
    })?;
    if parts.is_case_worker.is_none() {
        parts.lacks.get_or_insert(Error::Missing { name: "IsCaseWorker" });
    }
    Ok(parts)
}

/// What was read of a resource so far.
#[derive(Default)]
struct ResourceParts {
    name: String,
    rid: String,
    email_address: Option<String>,
    id: Option<Uuid>,
    working_hours: Vec<WorkingHours>,
    description: Option<String>,
    is_case_worker: Option<bool>,
    /// The first thing that is wrong with what says whose it is.
    wrong: Option<Error>,
    /// The first thing that is wrong with the rest, which nothing is synchronised by.
    lacks: Option<Error>,
}

impl ResourceParts {
    fn read(&mut self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        match child.name() {
            (EVENTS, "CalendarResourceName") => self.name = reader.text(child)?,
            (EVENTS, "RID") => self.rid = reader.text(child)?,
            (EVENTS, "CalendarResourceEmailAddress") => {
                self.email_address = Some(read_trimmed(reader, child)?);
            }
            (EVENTS, "PlannerResourceIdentifier") => self.id = read_optional_id(reader, child)?,
            (EVENTS, "WorkingHours") => self.working_hours.push(read_working_hours(reader, child)?),
            (EVENTS, "CalendarResourceDescription") => self.description = read_optional_text(reader, child)?,
            (EVENTS, "IsCaseWorker") => self.is_case_worker = Some(reader.boolean(child)?),
            _ => {}
        }
        Ok(())
    }

    /// The resource with what it lacks (its kind, working hours), unless it is not known whose it is.
    fn whole(self, position: usize) -> Result<(CalendarResource, Option<Error>), UnusableResource> {
        match (self.wrong, self.email_address) {
            (None, Some(email_address)) => {
                let resource = CalendarResource {
                    name: self.name,
                    rid: self.rid,
                    email_address,
                    planner_resource_identifier: self.id,
                    working_hours: self.working_hours,
                    description: self.description,
                    is_case_worker: self.is_case_worker.unwrap_or_default(),
                };
                Ok((resource, self.lacks))
            }
            (wrong, email_address) => Err(UnusableResource {
                position,
                error: wrong.unwrap_or(Error::Missing { name: "CalendarResourceEmailAddress" }),
                email_address: email_address.unwrap_or_default(),
                rid: self.rid,
                planner_resource_identifier: self.id,
            }),
        }
    }
}

fn read_working_hours(reader: &mut Reader<'_>, parent: &Element<'_>) -> Result<WorkingHours, Error> {
    let (mut weekday, mut start, mut end) = (None, None, None);
    let clock = |reader: &mut Reader<'_>, child: &Element<'_>| {
        time::read_clock(&reader.text(child)?).ok_or_else(|| child.value_error())
    };
    reader.children(parent, |reader, child| {
        match child.name() {
            (EVENTS, "WorkingHoursWeekday") => weekday = Some(reader.parse(child)?),
            (EVENTS, "WorkingHoursStartTime") => start = Some(clock(reader, child)?),
            (EVENTS, "WorkingHoursEndTime") => end = Some(clock(reader, child)?),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(WorkingHours {
        weekday: required(weekday, "WorkingHoursWeekday")?,
        start: required(start, "WorkingHoursStartTime")?,
        end: required(end, "WorkingHoursEndTime")?,
    })
}

/// The number inside an element of a code list. One beyond 32 bits is cut to the nearest representable.
fn read_code(reader: &mut Reader<'_>, parent: &Element<'_>) -> Result<i32, Error> {
    let mut code = None;
    reader.children(parent, |reader, child| {
        if child.is(CODE_LIST, "CodeListItemIdentifier") {
            let text = reader.text(child)?;
            code = Some(saturating_number(text.trim()).ok_or_else(|| child.value_error())?);
        }
        Ok::<_, Error>(())
    })?;
    required(code, "CodeListItemIdentifier")
}

fn saturating_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(if sign < 0 { i32::MIN } else { i32::MAX })
}

fn planner_fault(fault: proto_soap::Fault) -> PlannerFault {
    let details = fault
        .detail
        .iter()
        .find_map(|node| node.find("FaultDetails"))
        .filter(|node| *node.namespace == *FAULT);
    let details = details.map(|node| {
        let text =
            |local| node.child(FAULT, local).map(|child| child.text.clone()).filter(|text| !text.is_empty());
        FaultDetails {
            error_code: text("ErrorCode").and_then(|code| saturating_number(code.trim())),
            message: text("Message"),
            inner_exception: text("InnerException"),
            stack_trace: text("StackTrace"),
            source: text("Source"),
        }
    });
    PlannerFault { code: FaultCode::from_local_name(&fault.code.local), text: fault.string, details }
}

// === values ===

fn read_time(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    wire_time: &WireTime,
) -> Result<Timestamp, Error> {
    wire_time.read(&reader.text(element)?).ok_or_else(|| element.value_error())
}

fn read_optional_time(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    wire_time: &WireTime,
) -> Result<Option<Timestamp>, Error> {
    if element.is_nil() { Ok(None) } else { read_time(reader, element, wire_time).map(Some) }
}

/// An identifier; an empty or nil element holds none.
fn read_optional_id(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Uuid>, Error> {
    match reader.text(element)?.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| element.value_error()),
    }
}

/// A text; a nil element holds none.
fn read_optional_text(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<String>, Error> {
    if element.is_nil() { Ok(None) } else { reader.text(element).map(Some) }
}

fn read_trimmed(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<String, Error> {
    Ok(reader.text(element)?.trim().to_owned())
}

fn required<T>(value: Option<T>, name: &'static str) -> Result<T, Error> {
    value.ok_or(Error::Missing { name })
}
