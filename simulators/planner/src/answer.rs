//! From a request to its answer: applying it, and spoiling the answer where a fault says so.

use proto_planner::{
    ANSWER_BYTES_MAX, CalendarEventReceipt, ChangeAnswer, EventsAnswer, FaultCode, FaultDetails, Headers,
    MESSAGE_BYTES_MAX, ORGANISATION_TYPE_JOBCENTRE, PlannerFault, Request, ResourcesAnswer, Response,
    encode_fault, encode_response,
};
use uuid::Uuid;

use crate::Fault;
use crate::admin::LogEntry;
use crate::model::{Taken, code};
use crate::shared::Shared;

#[cfg(test)]
mod tests;

/// Numbers of the errors in a fault's detail; the simulator's own.
pub(crate) mod error_code {
    /// The header about the active organisation is missing.
    pub(crate) const NO_ORGANISATION: i32 = 1001;
    /// The call acts for another organisation than this job centre.
    pub(crate) const FOREIGN_ORGANISATION: i32 = 1002;
    /// The header about the user is missing or names nobody.
    pub(crate) const NO_USER: i32 = 1003;
    /// Something failed inside.
    pub(crate) const INTERNAL: i32 = 9001;
}

/// An answer as it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A SOAP message with its HTTP status. `spoiled` when it is against the schema on purpose.
    Message { status: u16, text: String, spoiled: bool },
    /// A page in HTML with its HTTP status.
    Page { status: u16 },
    /// The first half of a SOAP message, then the end of the connection.
    Broken { text: String },
}

/// Do the headers allow the call?
pub(crate) fn check_headers(headers: &Headers, jobcenter: &str) -> Result<(), Box<PlannerFault>> {
    let refused =
        |number, text: &str| Err(Box::new(fault(FaultCode::Client, "the call was refused", number, text)));
    let Some(organisation) = &headers.active_organisation else {
        return refused(error_code::NO_ORGANISATION, "the header ActiveOrganisationHeader is missing");
    };
    if organisation.organisation_type != ORGANISATION_TYPE_JOBCENTRE
        || organisation.organisation_code != jobcenter
    {
        return refused(error_code::FOREIGN_ORGANISATION, "the active organisation is not this job centre");
    }
    match &headers.user_metadata {
        None => refused(error_code::NO_USER, "the header RequestUserMetadataHeader is missing"),
        Some(user) if user.user_identifier.trim().is_empty() || user.user_full_name.trim().is_empty() => {
            refused(error_code::NO_USER, "the header RequestUserMetadataHeader names nobody")
        }
        Some(_) => Ok(()),
    }
}

/// A fault with a detail.
pub(crate) fn fault(code: FaultCode, text: &str, number: i32, message: &str) -> PlannerFault {
    let details = FaultDetails {
        error_code: Some(number),
        message: Some(message.to_owned()),
        source: Some("planner simulator".to_owned()),
        ..FaultDetails::default()
    };
    PlannerFault { code, text: text.to_owned(), details: Some(details) }
}

/// A fault as it leaves.
pub(crate) fn fault_reply(fault: &PlannerFault) -> Reply {
    match encode_fault(fault) {
        Ok(text) => Reply::Message { status: 500, text, spoiled: false },
        Err(_) => Reply::Page { status: 500 },
    }
}

impl Shared {
    /// Carries the request out and answers it. `refuse_with` gives every receipt that code instead.
    pub(crate) fn perform(&self, request: &Request, refuse_with: Option<i32>) -> Response {
        let call_id = Uuid::new_v4();
        let operation = request.operation();
        match request {
            Request::CreateEvents(_) | Request::UpdateEvents(_) | Request::DeleteEvents(_) => {
                let receipts = self.change(request, refuse_with);
                let answer = ChangeAnswer { receipts, call_id };
                Response::change(operation, answer).expect("these three operations are changes")
            }
            Request::GetEvents(query) => {
                let mut events = self.planner().find(query);
                if self.options.duplicate_events {
                    events = events.into_iter().flat_map(|event| [event.clone(), event]).collect();
                }
                Response::GetEvents(EventsAnswer { events, call_id })
            }
            Request::GetResources(addresses) => {
                let resources = self.planner().resources(addresses);
                Response::GetResources(ResourcesAnswer {
                    resources,
                    unusable: Vec::new(),
                    left_out: Vec::new(),
                    call_id,
                })
            }
        }
    }

    /// Takes the appointments of a change in their order, logs each, and gives the receipts.
    fn change(&self, request: &Request, refuse_with: Option<i32>) -> Vec<CalendarEventReceipt> {
        let operation = request.operation();
        let mut receipts = Vec::with_capacity(request.events().len());
        // One lock over the whole call: the log has the order in which changes took effect.
        let mut planner = self.planner();
        for event in request.events() {
            let taken = match refuse_with {
                None => planner.take(operation, event, Uuid::new_v4()),
                Some(code) => Taken {
                    code,
                    mail: event.origin_email_address.as_str().into(),
                    origin_id: event.origin_system_identifier.as_str().into(),
                    event_id: None,
                    resource_id: None,
                },
            };
            let now = self.clock.now();
            receipts.push(CalendarEventReceipt {
                planner_resource_identifier: taken.resource_id,
                calendar_event_identifier: taken.event_id.unwrap_or(Uuid::nil()),
                received_at: now,
                error_code: taken.code,
                message: explanation(taken.code),
                origin_system_identifier: event.origin_system_identifier.clone(),
                conflict_notification_sent: false,
            });
            self.log.push(LogEntry {
                at_us: now.as_microsecond(),
                operation: operation.name().into(),
                mail: taken.mail,
                origin_id: taken.origin_id,
                start: event.start,
                end: event.end,
                code: taken.code,
            });
        }
        drop(planner);
        let mut meter = self.meter();
        receipts.iter().for_each(|receipt| meter.receipt(receipt.error_code));
        receipts
    }

    /// The answer to the request, spoiled as the fault says. Faults about time are the caller's.
    pub(crate) fn reply(&self, request: &Request, fault: Option<&Fault>) -> Reply {
        let fault = fault.filter(|fault| request.operation().is_change() || !fault.is_about_receipts());
        match fault {
            Some(Fault::SoapFault { detail, applied }) => {
                self.perform_if(*applied, request);
                let number = error_code::INTERNAL;
                let mut told = self::fault(FaultCode::Server, "the service failed", number, "told to fail");
                if !*detail {
                    told.details = None;
                }
                fault_reply(&told)
            }
            Some(Fault::HttpStatus { status, applied }) => {
                self.perform_if(*applied, request);
                Reply::Page { status: *status }
            }
            Some(Fault::BrokenConnection { applied }) => {
                self.perform_if(*applied, request);
                // What the answer would have been does not matter: half of it says nothing.
                let text =
                    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Bo".to_owned();
                Reply::Broken { text }
            }
            Some(Fault::Refuse { code }) => {
                let spoiled = *code < 0;
                self.encode(&self.perform(request, Some(*code)), spoiled)
            }
            Some(Fault::MalformedAnswer) => {
                let whole = self.encode(&self.perform(request, None), true);
                map_text(whole, |text| text.chars().take(text.chars().count() / 2).collect())
            }
            Some(Fault::OversizedAnswer) => {
                let whole = self.encode(&self.perform(request, None), true);
                map_text(whole, |text| text + &" ".repeat(MESSAGE_BYTES_MAX + 1))
            }
            other => {
                let mut response = self.perform(request, None);
                if let (Some(Fault::ForeignRows), Request::GetEvents(query), Response::GetEvents(answer)) =
                    (other, request, &mut response)
                {
                    answer.events.extend(self.planner().find_of_others(query));
                }
                let spoiled = other.is_some_and(|fault| spoil(&mut response, fault));
                self.encode(&response, spoiled)
            }
        }
    }

    fn perform_if(&self, applied: bool, request: &Request) {
        if applied {
            self.perform(request, None);
        }
    }

    fn encode(&self, response: &Response, spoiled: bool) -> Reply {
        // nobody can ask for less of the resource list
        let bytes_max = match response {
            Response::GetResources(_) => ANSWER_BYTES_MAX,
            _ => MESSAGE_BYTES_MAX,
        };
        let error = match encode_response(response, &self.time) {
            Ok(text) if text.len() <= bytes_max => return Reply::Message { status: 200, text, spoiled },
            Ok(text) => format!("{} bytes", text.len()),
            Err(error) => error.to_string(),
        };
        tracing::warn!(operation = %response.operation(), error, "an answer cannot be written");
        let text = "the answer is too large or cannot be written; ask for less";
        fault_reply(&fault(FaultCode::Server, "the service failed", error_code::INTERNAL, text))
    }
}

/// Changes the receipts or rows of an answer as the fault says; does it thereby break the schema?
fn spoil(response: &mut Response, fault: &Fault) -> bool {
    let receipts = match response {
        Response::CreateEvents(answer) | Response::UpdateEvents(answer) | Response::DeleteEvents(answer) => {
            &mut answer.receipts
        }
        Response::GetEvents(answer) => {
            if *fault == Fault::DuplicateRows {
                answer.events.extend_from_within(..);
            }
            return false;
        }
        Response::GetResources(_) => return false,
    };
    match fault {
        Fault::ReceiptsInWrongOrder => receipts.reverse(),
        Fault::FewerReceipts => drop(receipts.pop()),
        Fault::MoreReceipts => receipts.extend(receipts.last().cloned()),
        Fault::RepeatedReceipt => {
            if let Some(first) = receipts.first().cloned() {
                receipts.fill(first);
            }
        }
        Fault::ForeignReceipts => {
            receipts
                .iter_mut()
                .for_each(|receipt| receipt.origin_system_identifier.insert_str(0, "foreign-"));
        }
        _ => {}
    }
    receipts.is_empty()
}

fn map_text(reply: Reply, change: impl FnOnce(String) -> String) -> Reply {
    match reply {
        Reply::Message { status, text, spoiled } => Reply::Message { status, text: change(text), spoiled },
        other => other,
    }
}

/// Words for a receipt's code.
fn explanation(receipt_code: i32) -> Option<String> {
    let text = match receipt_code {
        code::ACCEPTED => return None,
        code::UNKNOWN_MAILBOX => "no resource of this job centre has the address",
        code::ENDS_BEFORE_START => "the appointment ends before it begins",
        code::EXISTS => "there is such an appointment already",
        code::MISSING => "there is no such appointment",
        code::OWN => "the appointment is Planner's own",
        _ => "refused",
    };
    Some(text.to_owned())
}

/// The operation's mailboxes, for fault rules that name one.
pub(crate) fn mailboxes(request: &Request) -> Vec<&str> {
    match request {
        Request::CreateEvents(events) | Request::UpdateEvents(events) | Request::DeleteEvents(events) => {
            events.iter().map(|event| event.origin_email_address.as_str()).collect()
        }
        Request::GetEvents(query) => {
            query.resources.iter().map(|resource| resource.email_address.as_str()).collect()
        }
        Request::GetResources(addresses) => addresses.iter().map(String::as_str).collect(),
    }
}
