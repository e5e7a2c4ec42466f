//! Messages to bytes.
//!
//! What is sent to the service is checked against its schema's types first, since a message that the
//! schema refuses fails the whole call. Answers are written as they are given: a simulator must be able to
//! send what the real service must not (no receipts, a code below zero).

use jiff::Timestamp;
use proto_soap::{EnvelopeWriter, Fault, Writer};
use uuid::Uuid;

use crate::names::{
    ACTIVE_ORGANISATION, CODE_LIST, EVENTS, FAULT, ORGANISATION, USER, USER_METADATA, USER_TYPE,
};
use crate::{
    ANSWER_BYTES_MAX, ActiveOrganisation, CalendarEvent, CalendarEventReceipt, CalendarResource,
    ChangeAnswer, EventsQuery, FaultCode, FaultDetails, MESSAGE_BYTES_MAX, PlannerFault, Request,
    RequestEnvelope, RequestUserMetadata, Response, WireError, WireTime,
};

mod check;
#[cfg(test)]
mod tests;

/// The request as an envelope.
///
/// # Errors
/// [`WireError::Unsendable`] and [`WireError::NothingToSend`] for what the schema refuses,
/// [`WireError::Encoding`] beyond [`MESSAGE_BYTES_MAX`].
pub fn encode_request(envelope: &RequestEnvelope, time: &WireTime) -> Result<String, WireError> {
    check::request(envelope)?;
    let headers = &envelope.headers;
    write_envelope(
        MESSAGE_BYTES_MAX,
        |w| {
            if let Some(organisation) = &headers.active_organisation {
                write_active_organisation(w, organisation);
            }
            if let Some(user) = &headers.user_metadata {
                write_user_metadata(w, user, time);
            }
        },
        |w| {
            let operation = envelope.request.operation();
            in_events_namespace(w, operation.request_element(), |w| match &envelope.request {
                Request::CreateEvents(events)
                | Request::UpdateEvents(events)
                | Request::DeleteEvents(events) => {
                    events.iter().for_each(|event| write_event(w, event, time));
                }
                Request::GetEvents(query) => write_query(w, query, time),
                Request::GetResources(addresses) => {
                    addresses.iter().for_each(|address| w.leaf("EmailAddressIdentifier", address));
                }
            });
        },
    )
}

/// The answer as an envelope.
///
/// # Errors
/// [`WireError::Unsendable`] for a time before the year 1, [`WireError::Encoding`] beyond
/// [`ANSWER_BYTES_MAX`].
pub fn encode_response(response: &Response, time: &WireTime) -> Result<String, WireError> {
    check::response(response)?;
    write_envelope(
        ANSWER_BYTES_MAX,
        |_| {},
        |w| {
            in_events_namespace(w, response.operation().response_element(), |w| match response {
                Response::CreateEvents(answer)
                | Response::UpdateEvents(answer)
                | Response::DeleteEvents(answer) => write_change_answer(w, answer, time),
                Response::GetEvents(answer) => {
                    answer.events.iter().for_each(|event| write_event(w, event, time));
                    write_call_id(w, answer.call_id);
                }
                Response::GetResources(answer) => {
                    answer.resources.iter().for_each(|resource| write_resource(w, resource));
                    write_call_id(w, answer.call_id);
                }
            });
        },
    )
}

/// The fault as an envelope, with [`FaultDetails`] in its detail where there are any.
///
/// # Errors
/// [`WireError::Encoding`] beyond [`ANSWER_BYTES_MAX`].
pub fn encode_fault(fault: &PlannerFault) -> Result<String, WireError> {
    let soap_fault = Fault {
        code: proto_soap::FaultCode {
            namespace: match fault.code {
                FaultCode::Client | FaultCode::Server => Some(proto_soap::SOAP_NS.to_owned()),
                FaultCode::Other(_) => None,
            },
            local: fault.code.local_name().to_owned(),
        },
        string: fault.text.clone(),
        ..Fault::default()
    };
    write_envelope(
        ANSWER_BYTES_MAX,
        |_| {},
        |w| {
            soap_fault.write_with(w, "s:", |w| {
                if let Some(details) = &fault.details {
                    write_fault_details(w, details);
                }
            });
        },
    )
}

fn write_envelope(
    limit: usize,
    header: impl FnOnce(&mut Writer),
    body: impl FnOnce(&mut Writer),
) -> Result<String, WireError> {
    EnvelopeWriter { declaration: false, namespaces: &[], limit }
        .write(header, body)
        .map_err(WireError::Encoding)
}

/// An element whose descendants are in the same namespace and need no prefix.
fn in_events_namespace(w: &mut Writer, name: &str, content: impl FnOnce(&mut Writer)) {
    w.element(name, |w| {
        w.attribute("xmlns", EVENTS);
        content(w);
    });
}

fn write_active_organisation(w: &mut Writer, organisation: &ActiveOrganisation) {
    w.element("ActiveOrganisationHeader", |w| {
        w.attribute("xmlns", ACTIVE_ORGANISATION);
        w.value("OrganisationTypeIdentifier", organisation.organisation_type);
        w.leaf("OrganisationCode", &organisation.organisation_code);
    });
}

fn write_user_metadata(w: &mut Writer, user: &RequestUserMetadata, time: &WireTime) {
    w.element("RequestUserMetadataHeader", |w| {
        w.attribute("xmlns", USER_METADATA);
        w.element("RequestUserStructure", |w| {
            w.attribute("xmlns", USER);
            w.leaf("UserFullName", &user.user_full_name);
            w.element("RequestUserTypeIdentifier", |w| {
                w.attribute("xmlns", USER_TYPE);
                write_code(w, user.user_type);
            });
            w.leaf("UserIdentifier", &user.user_identifier);
            w.optional("UserEmail", user.user_email.as_deref());
        });
        w.element("RequestOrganisationStructure", |w| {
            w.attribute("xmlns", ORGANISATION);
            w.element("OrganisationTypeIdentifier", |w| write_code(w, user.organisation_type));
            w.leaf("OrganisationCode", &user.organisation_code);
        });
        write_time(w, "RegistrationDateTime", user.registered_at, time);
    });
}

/// A code of a code list: the value stands one element deeper, in the code lists' namespace.
fn write_code(w: &mut Writer, code: i32) {
    w.element("CodeListItemIdentifier", |w| {
        w.attribute("xmlns", CODE_LIST);
        w.text(&code.to_string());
    });
}

fn write_event(w: &mut Writer, event: &CalendarEvent, time: &WireTime) {
    w.element("CalendarEvent", |w| {
        write_time(w, "CalendarEventStartTime", event.start, time);
        write_time(w, "CalendarEventEndTime", event.end, time);
        w.leaf("OriginSystemIdentifier", &event.origin_system_identifier);
        w.leaf("OriginEmailAddress", &event.origin_email_address);
        write_optional_id(w, "PlannerResourceIdentifier", event.planner_resource_identifier);
        write_optional_id(w, "CalendarEventIdentifier", event.calendar_event_identifier);
    });
}

fn write_query(w: &mut Writer, query: &EventsQuery, time: &WireTime) {
    query.resources.iter().for_each(|resource| write_resource(w, resource));
    if let Some(from) = query.start_from {
        write_time(w, "EventStartFromDateTime", from, time);
    }
    if let Some(to) = query.start_to {
        write_time(w, "EventStartToDateTime", to, time);
    }
}

fn write_resource(w: &mut Writer, resource: &CalendarResource) {
    w.element("CalendarResource", |w| {
        w.leaf("CalendarResourceName", &resource.name);
        w.leaf("RID", &resource.rid);
        w.leaf("CalendarResourceEmailAddress", &resource.email_address);
        write_optional_id(w, "PlannerResourceIdentifier", resource.planner_resource_identifier);
        for hours in &resource.working_hours {
            w.element("WorkingHours", |w| {
                w.value("WorkingHoursWeekday", hours.weekday);
                w.value("WorkingHoursStartTime", hours.start);
                w.value("WorkingHoursEndTime", hours.end);
            });
        }
        w.optional("CalendarResourceDescription", resource.description.as_deref());
        w.value("IsCaseWorker", resource.is_case_worker);
    });
}

fn write_change_answer(w: &mut Writer, answer: &ChangeAnswer, time: &WireTime) {
    answer.receipts.iter().for_each(|receipt| write_receipt(w, receipt, time));
    write_call_id(w, answer.call_id);
}

fn write_receipt(w: &mut Writer, receipt: &CalendarEventReceipt, time: &WireTime) {
    w.element("CalendarEventReceipt", |w| {
        write_optional_id(w, "PlannerResourceIdentifier", receipt.planner_resource_identifier);
        w.value("CalendarEventIdentifier", receipt.calendar_event_identifier);
        write_time(w, "EventReceivalTime", receipt.received_at, time);
        w.element("EventErrorCode", |w| write_code(w, receipt.error_code));
        w.optional("EventMessage", receipt.message.as_deref());
        w.leaf("OriginSystemIdentifier", &receipt.origin_system_identifier);
        w.value("ConflictNotificationSent", receipt.conflict_notification_sent);
    });
}

fn write_fault_details(w: &mut Writer, details: &FaultDetails) {
    w.element("FaultDetails", |w| {
        w.attribute("xmlns", FAULT);
        if let Some(code) = details.error_code {
            w.value("ErrorCode", code);
        }
        w.optional("Message", details.message.as_deref());
        w.optional("InnerException", details.inner_exception.as_deref());
        w.optional("StackTrace", details.stack_trace.as_deref());
        w.optional("Source", details.source.as_deref());
    });
}

fn write_call_id(w: &mut Writer, call_id: Uuid) {
    w.value("ServiceRequestLogReferenceIdentifier", call_id);
}

fn write_optional_id(w: &mut Writer, name: &str, id: Option<Uuid>) {
    if let Some(id) = id {
        w.value(name, id);
    }
}

fn write_time(w: &mut Writer, name: &str, instant: Timestamp, time: &WireTime) {
    w.leaf(name, &time.write(instant));
}
