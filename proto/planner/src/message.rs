//! What the five operations carry.

use std::fmt;

use jiff::Timestamp;
use jiff::civil;
use uuid::Uuid;

use crate::names::RID_CHARS_MAX;
use crate::{Headers, Operation, PlannerFault};

/// A request with its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnvelope {
    /// On whose behalf, and by whom.
    pub headers: Headers,
    /// What is asked.
    pub request: Request,
}

/// One of the five requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Add these appointments (at least one).
    CreateEvents(Vec<CalendarEvent>),
    /// Change the times of these appointments (at least one).
    UpdateEvents(Vec<CalendarEvent>),
    /// Remove these appointments (at least one).
    DeleteEvents(Vec<CalendarEvent>),
    /// Which appointments are there?
    GetEvents(EventsQuery),
    /// Which resources are there? Empty asks for all of the job centre, else only for these addresses.
    GetResources(Vec<String>),
}

impl Request {
    /// The operation that the request belongs to.
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateEvents(_) => Operation::CreateEvents,
            Self::UpdateEvents(_) => Operation::UpdateEvents,
            Self::DeleteEvents(_) => Operation::DeleteEvents,
            Self::GetEvents(_) => Operation::GetEvents,
            Self::GetResources(_) => Operation::GetResources,
        }
    }

    /// A change of `events` by `operation`, or `None` when the operation changes nothing.
    pub fn change(operation: Operation, events: Vec<CalendarEvent>) -> Option<Self> {
        match operation {
            Operation::CreateEvents => Some(Self::CreateEvents(events)),
            Operation::UpdateEvents => Some(Self::UpdateEvents(events)),
            Operation::DeleteEvents => Some(Self::DeleteEvents(events)),
            Operation::GetEvents | Operation::GetResources => None,
        }
    }

    /// The appointments of a change; empty for the two that read.
    pub fn events(&self) -> &[CalendarEvent] {
        match self {
            Self::CreateEvents(events) | Self::UpdateEvents(events) | Self::DeleteEvents(events) => events,
            Self::GetEvents(_) | Self::GetResources(_) => &[],
        }
    }
}

/// What a call was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The operation's own answer.
    Response(Response),
    /// The call failed as a whole.
    Fault(PlannerFault),
}

/// One of the five answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The receipts of a creation.
    CreateEvents(ChangeAnswer),
    /// The receipts of an update.
    UpdateEvents(ChangeAnswer),
    /// The receipts of a deletion.
    DeleteEvents(ChangeAnswer),
    /// The appointments found.
    GetEvents(EventsAnswer),
    /// The resources found.
    GetResources(ResourcesAnswer),
}

impl Response {
    /// The operation that the answer belongs to.
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateEvents(_) => Operation::CreateEvents,
            Self::UpdateEvents(_) => Operation::UpdateEvents,
            Self::DeleteEvents(_) => Operation::DeleteEvents,
            Self::GetEvents(_) => Operation::GetEvents,
            Self::GetResources(_) => Operation::GetResources,
        }
    }

    /// The answer to a change by `operation`, or `None` when the operation changes nothing.
    pub fn change(operation: Operation, answer: ChangeAnswer) -> Option<Self> {
        match operation {
            Operation::CreateEvents => Some(Self::CreateEvents(answer)),
            Operation::UpdateEvents => Some(Self::UpdateEvents(answer)),
            Operation::DeleteEvents => Some(Self::DeleteEvents(answer)),
            Operation::GetEvents | Operation::GetResources => None,
        }
    }

    /// Planner's identifier of the call.
    pub const fn call_id(&self) -> Uuid {
        match self {
            Self::CreateEvents(answer) | Self::UpdateEvents(answer) | Self::DeleteEvents(answer) => {
                answer.call_id
            }
            Self::GetEvents(answer) => answer.call_id,
            Self::GetResources(answer) => answer.call_id,
        }
    }
}

/// The answer to a change: one receipt for each appointment, in the order in which they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeAnswer {
    /// The receipts. They carry no mail address: match them by position and verify the origin id (B9).
    pub receipts: Vec<CalendarEventReceipt>,
    /// Planner's identifier of this call (`ServiceRequestLogReferenceIdentifier`).
    pub call_id: Uuid,
}

/// The answer to `GetEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsAnswer {
    /// The appointments found; one may occur twice, and some may have no origin id (B11).
    pub events: Vec<CalendarEvent>,
    /// Planner's identifier of this call.
    pub call_id: Uuid,
}

/// The answer to `GetResources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcesAnswer {
    /// The resources found; an address may occur twice (B10).
    pub resources: Vec<CalendarResource>,
    /// The entries whose own content is wrong, in their order. Nobody sends one: encoding leaves them out.
    pub unusable: Vec<UnusableResource>,
    /// What the resources lack because it cannot be read, at most one for each, in their order. Encoding leaves them out.
    pub left_out: Vec<PartLeftOut>,
    /// Planner's identifier of this call.
    pub call_id: Uuid,
}

/// An entry of the resource list that cannot be used, and what it says of whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableResource {
    /// Its place in the answer among all entries, from 1.
    pub position: usize,
    /// The first thing that is wrong with what says whose it is: a value that does not fit, or something that is missing.
    pub error: proto_soap::Error,
    /// Its mail address, empty where it has none.
    pub email_address: String,
    /// Its number in the certificate's naming scheme, empty where it has none.
    pub rid: String,
    /// Planner's identifier of it, where there is one that can be read.
    pub planner_resource_identifier: Option<Uuid>,
}

/// A part of a resource that cannot be read and is not needed: some of its working hours are missing then, or it counts as
/// no case worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLeftOut {
    /// The place of the resource in the answer among all entries, from 1.
    pub position: usize,
    /// The first thing that is wrong.
    pub error: proto_soap::Error,
}

/// An appointment as Planner knows it. Mail address and origin id together are its key.
#[derive(Clone, PartialEq, Eq)]
pub struct CalendarEvent {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The origin id (B2). Empty in an answer where Planner has none.
    pub origin_system_identifier: String,
    /// The mailbox it belongs to.
    pub origin_email_address: String,
    /// Planner's identifier of the resource; the product never sends it.
    pub planner_resource_identifier: Option<Uuid>,
    /// Planner's identifier of the appointment; the product never sends it.
    pub calendar_event_identifier: Option<Uuid>,
}

impl CalendarEvent {
    /// An appointment as the product sends it: without Planner's identifiers.
    pub fn new(
        origin_email_address: impl Into<String>,
        origin_system_identifier: impl Into<String>,
        start: Timestamp,
        end: Timestamp,
    ) -> Self {
        Self {
            start,
            end,
            origin_system_identifier: origin_system_identifier.into(),
            origin_email_address: origin_email_address.into(),
            planner_resource_identifier: None,
            calendar_event_identifier: None,
        }
    }
}

/// Shows the key and keeps the times to itself: a debug print must not carry a person's calendar.
impl fmt::Debug for CalendarEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CalendarEvent")
            .field("origin_email_address", &self.origin_email_address)
            .field("origin_system_identifier", &self.origin_system_identifier)
            .finish_non_exhaustive()
    }
}

/// What Planner did with one appointment of a change.
#[derive(Clone, PartialEq, Eq)]
pub struct CalendarEventReceipt {
    /// Planner's identifier of the resource.
    pub planner_resource_identifier: Option<Uuid>,
    /// Planner's identifier of the appointment; the nil UUID where there is none.
    pub calendar_event_identifier: Uuid,
    /// When Planner received it.
    pub received_at: Timestamp,
    /// 0 is success; every other code as it came (B9). A number beyond 32 bits is cut to the nearest
    /// representable one, which no rule mistakes for a known code.
    pub error_code: i32,
    /// Planner's words, for people.
    pub message: Option<String>,
    /// The origin id of the appointment.
    pub origin_system_identifier: String,
    /// Did Planner tell somebody about a conflict?
    pub conflict_notification_sent: bool,
}

/// Leaves Planner's words out: they may repeat what was sent.
impl fmt::Debug for CalendarEventReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CalendarEventReceipt")
            .field("origin_system_identifier", &self.origin_system_identifier)
            .field("error_code", &self.error_code)
            .field("calendar_event_identifier", &self.calendar_event_identifier)
            .finish_non_exhaustive()
    }
}

/// Which appointments `GetEvents` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsQuery {
    /// The mailboxes.
    pub resources: Vec<CalendarResource>,
    /// Only appointments that start at this instant or later. Planner filters by the *start* (B9).
    pub start_from: Option<Timestamp>,
    /// Only appointments that start at this instant or earlier.
    pub start_to: Option<Timestamp>,
}

impl EventsQuery {
    /// Asks for the appointments of `addresses`: only the address is filled, and repeated as `RID`.
    pub fn of_addresses<A: AsRef<str>>(
        addresses: impl IntoIterator<Item = A>,
        start_from: Option<Timestamp>,
        start_to: Option<Timestamp>,
    ) -> Self {
        let resources = addresses.into_iter().map(|address| CalendarResource::of_address(address.as_ref()));
        Self { resources: resources.collect(), start_from, start_to }
    }
}

/// A resource of the job centre: a case worker or a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarResource {
    /// Its name for people.
    pub name: String,
    /// Its number in the certificate's naming scheme, 1 to 64 characters.
    pub rid: String,
    /// Its mail address.
    pub email_address: String,
    /// Planner's identifier of it.
    pub planner_resource_identifier: Option<Uuid>,
    /// Up to five working days.
    pub working_hours: Vec<WorkingHours>,
    /// A description for people.
    pub description: Option<String>,
    /// True for a case worker, false for a room.
    pub is_case_worker: bool,
}

impl CalendarResource {
    /// A resource of which only the address is known, as `GetEvents` names it.
    pub fn of_address(address: &str) -> Self {
        Self {
            name: String::new(),
            rid: address.chars().take(RID_CHARS_MAX).collect(),
            email_address: address.to_owned(),
            planner_resource_identifier: None,
            working_hours: Vec::new(),
            description: None,
            is_case_worker: false,
        }
    }
}

/// The working hours of one weekday. The wire has dates before the hours; they mean nothing, and an
/// offset means nothing either, so both times are kept as the wall clock showed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkingHours {
    /// 1 to 7.
    pub weekday: i32,
    /// When work begins.
    pub start: civil::DateTime,
    /// When work ends.
    pub end: civil::DateTime,
}
