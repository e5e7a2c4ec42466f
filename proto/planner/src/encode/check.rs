//! What the service's schema refuses, found before anything is written.

use jiff::Timestamp;

use crate::names::{RID_CHARS_MAX, is_mail_address, is_xml_char};
use crate::{
    CalendarEvent, CalendarResource, EventsQuery, Headers, Request, RequestEnvelope, Response, WireError,
    WireTime,
};

/// The largest number of a code list.
const CODE_MAX: i32 = 100_000_000;
/// The most working days that a resource may have.
const WORKING_DAYS_MAX: usize = 5;

/// Checks a request with its headers.
pub(super) fn request(envelope: &RequestEnvelope) -> Result<(), WireError> {
    let operation = envelope.request.operation();
    let unsendable = |element| WireError::Unsendable { operation, element };
    headers(&envelope.headers).map_err(unsendable)?;
    match &envelope.request {
        Request::CreateEvents(events) | Request::UpdateEvents(events) | Request::DeleteEvents(events) => {
            if events.is_empty() {
                return Err(WireError::NothingToSend { operation });
            }
            events.iter().try_for_each(event).map_err(unsendable)
        }
        Request::GetEvents(query) => self::query(query).map_err(unsendable),
        Request::GetResources(addresses) => {
            let sendable = addresses.iter().all(|address| is_mail_address(address));
            ensure(sendable, "EmailAddressIdentifier").map_err(unsendable)
        }
    }
}

/// Checks the times of an answer; everything else in it may be wrong on purpose.
pub(super) fn response(response: &Response) -> Result<(), WireError> {
    let operation = response.operation();
    let times_of = |event: &CalendarEvent| {
        time(event.start, "CalendarEventStartTime")?;
        time(event.end, "CalendarEventEndTime")
    };
    match response {
        Response::CreateEvents(answer) | Response::UpdateEvents(answer) | Response::DeleteEvents(answer) => {
            answer.receipts.iter().try_for_each(|receipt| time(receipt.received_at, "EventReceivalTime"))
        }
        Response::GetEvents(answer) => answer.events.iter().try_for_each(times_of),
        Response::GetResources(_) => Ok(()),
    }
    .map_err(|element| WireError::Unsendable { operation, element })
}

fn headers(headers: &Headers) -> Result<(), &'static str> {
    let organisation = headers.active_organisation.as_ref().ok_or("ActiveOrganisationHeader")?;
    ensure((1..=100).contains(&organisation.organisation_type), "OrganisationTypeIdentifier")?;
    text(&organisation.organisation_code, 1, 20, "OrganisationCode")?;
    let user = headers.user_metadata.as_ref().ok_or("RequestUserMetadataHeader")?;
    text(&user.user_full_name, 1, 140, "UserFullName")?;
    ensure((0..=CODE_MAX).contains(&user.user_type), "RequestUserTypeIdentifier")?;
    text(&user.user_identifier, 1, 255, "UserIdentifier")?;
    ensure(user.user_email.as_deref().is_none_or(is_mail_address), "UserEmail")?;
    ensure((0..=CODE_MAX).contains(&user.organisation_type), "OrganisationTypeIdentifier")?;
    let code = user.organisation_code.as_str();
    let digits = (1..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    ensure(code == "-1" || digits, "OrganisationCode")?;
    time(user.registered_at, "RegistrationDateTime")
}

fn event(event: &CalendarEvent) -> Result<(), &'static str> {
    time(event.start, "CalendarEventStartTime")?;
    time(event.end, "CalendarEventEndTime")?;
    text(&event.origin_system_identifier, 1, usize::MAX, "OriginSystemIdentifier")?;
    ensure(is_mail_address(&event.origin_email_address), "OriginEmailAddress")
}

fn query(query: &EventsQuery) -> Result<(), &'static str> {
    query.resources.iter().try_for_each(resource)?;
    query.start_from.map_or(Ok(()), |from| time(from, "EventStartFromDateTime"))?;
    query.start_to.map_or(Ok(()), |to| time(to, "EventStartToDateTime"))
}

fn resource(resource: &CalendarResource) -> Result<(), &'static str> {
    text(&resource.name, 0, usize::MAX, "CalendarResourceName")?;
    text(&resource.rid, 1, RID_CHARS_MAX, "RID")?;
    ensure(is_mail_address(&resource.email_address), "CalendarResourceEmailAddress")?;
    let description = resource.description.as_deref().unwrap_or_default();
    text(description, 0, usize::MAX, "CalendarResourceDescription")?;
    ensure(resource.working_hours.len() <= WORKING_DAYS_MAX, "WorkingHours")?;
    for hours in &resource.working_hours {
        ensure((1..=7).contains(&hours.weekday), "WorkingHoursWeekday")?;
        ensure(hours.start.year() >= 1 && hours.end.year() >= 1, "WorkingHours")?;
    }
    Ok(())
}

/// A text of `min` to `max` characters that XML can carry.
fn text(text: &str, min: usize, max: usize, element: &'static str) -> Result<(), &'static str> {
    let length = text.chars().count();
    ensure((min..=max).contains(&length) && text.chars().all(is_xml_char), element)
}

fn time(instant: Timestamp, element: &'static str) -> Result<(), &'static str> {
    ensure(WireTime::can_write(instant), element)
}

fn ensure(holds: bool, element: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(element) }
}
