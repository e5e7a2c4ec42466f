//! Appointments.

use jiff::Timestamp;
use proto_soap::Node;

use crate::{
    Attendee, BodyType, CalendarItemKind, EffectiveRights, EmailAddress, ExtendedProperty, FolderId,
    FreeBusy, ItemId, Recurrence, Sensitivity,
};

/// `CalendarItem`: only what was asked for or set is there; properties without a value are absent. Fields
/// stand in the schema's order. The product itself reads no subject, body, place or people (B6): these serve the
/// simulator and its other clients.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CalendarItem {
    /// MIME content, base64.
    pub mime_content: Option<String>,
    /// Identifier.
    pub item_id: Option<ItemId>,
    /// The folder that holds it.
    pub parent_folder_id: Option<FolderId>,
    /// Says nothing reliable (field note 32).
    pub item_class: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Sensitivity.
    pub sensitivity: Option<Sensitivity>,
    /// Body.
    pub body: Option<Body>,
    /// When it came into the mailbox.
    pub date_time_received: Option<Timestamp>,
    /// Bytes.
    pub size: Option<i32>,
    /// Categories; empty when absent.
    pub categories: Vec<String>,
    /// `Low`, `Normal`, `High`.
    pub importance: Option<String>,
    /// Submitted?
    pub is_submitted: Option<bool>,
    /// Draft?
    pub is_draft: Option<bool>,
    /// Sent by the mailbox's owner to himself?
    pub is_from_me: Option<bool>,
    /// Sent again?
    pub is_resend: Option<bool>,
    /// Unchanged since it came?
    pub is_unmodified: Option<bool>,
    /// When it was sent.
    pub date_time_sent: Option<Timestamp>,
    /// When it was created.
    pub date_time_created: Option<Timestamp>,
    /// When the reminder counts as due.
    pub reminder_due_by: Option<Timestamp>,
    /// Reminder?
    pub reminder_is_set: Option<bool>,
    /// Minutes before the start, as text of the wire.
    pub reminder_minutes_before_start: Option<String>,
    /// Names, for display.
    pub display_cc: Option<String>,
    /// Names, for display.
    pub display_to: Option<String>,
    /// Attachments?
    pub has_attachments: Option<bool>,
    /// MAPI properties asked for or set.
    pub extended_properties: Vec<ExtendedProperty>,
    /// Language, `en-US`.
    pub culture: Option<String>,
    /// What the caller may do.
    pub effective_rights: Option<EffectiveRights>,
    /// Who changed it last.
    pub last_modified_name: Option<String>,
    /// When it was changed last.
    pub last_modified_time: Option<Timestamp>,
    /// Associated (hidden)?
    pub is_associated: Option<bool>,
    /// Identifier of the conversation.
    pub conversation_id: Option<ItemId>,
    /// The identifier that all of a series share; free text (field note 33).
    pub uid: Option<String>,
    /// Original start of an occurrence or exception.
    pub recurrence_id: Option<Timestamp>,
    /// When the iCalendar form was made.
    pub date_time_stamp: Option<Timestamp>,
    /// Start; for all-day items midnight in the item's zone.
    pub start: Option<Timestamp>,
    /// End, exclusive; may equal the start.
    pub end: Option<Timestamp>,
    /// Original start of an occurrence.
    pub original_start: Option<Timestamp>,
    /// All-day?
    pub is_all_day: Option<bool>,
    /// Free/busy status.
    pub free_busy: Option<FreeBusy>,
    /// Place.
    pub location: Option<String>,
    /// Times in words.
    pub when: Option<String>,
    /// Has attendees?
    pub is_meeting: Option<bool>,
    /// Cancelled by the organizer?
    pub is_cancelled: Option<bool>,
    /// False on masters (field note 30): use [`kind`](Self::kind).
    pub is_recurring: Option<bool>,
    /// Requests were sent?
    pub meeting_request_was_sent: Option<bool>,
    /// Answers wanted?
    pub is_response_requested: Option<bool>,
    /// `CalendarItemType`.
    pub kind: Option<CalendarItemKind>,
    /// The mailbox owner's answer.
    pub my_response_type: Option<String>,
    /// Organizer.
    pub organizer: Option<EmailAddress>,
    /// Attendees; empty when absent.
    pub required_attendees: Vec<Attendee>,
    /// Attendees; empty when absent.
    pub optional_attendees: Vec<Attendee>,
    /// Rooms and things; empty when absent.
    pub resources: Vec<Attendee>,
    /// ISO 8601 duration as text.
    pub duration: Option<String>,
    /// Display text of the zone.
    pub time_zone: Option<String>,
    /// When the mailbox's owner answered.
    pub appointment_reply_time: Option<Timestamp>,
    /// Sequence number.
    pub appointment_sequence_number: Option<i32>,
    /// MAPI's state bits: 1 meeting, 2 received, 4 cancelled.
    pub appointment_state: Option<i32>,
    /// Pattern and range of a master.
    pub recurrence: Option<Recurrence>,
    /// First occurrence of a master.
    pub first_occurrence: Option<OccurrenceInfo>,
    /// Last occurrence of a master with an end.
    pub last_occurrence: Option<OccurrenceInfo>,
    /// Exceptions of a master; empty when absent.
    pub modified_occurrences: Vec<OccurrenceInfo>,
    /// Deleted occurrences of a master; empty when absent.
    pub deleted_occurrences: Vec<DeletedOccurrence>,
    /// Zone of the start; comes only when asked for by name (field note 35).
    pub start_time_zone: Option<TimeZoneDefinition>,
    /// Zone of the end.
    pub end_time_zone: Option<TimeZoneDefinition>,
    /// Kind of conference.
    pub conference_type: Option<i32>,
    /// May attendees propose other times?
    pub allow_new_time_proposal: Option<bool>,
    /// Online meeting?
    pub is_online_meeting: Option<bool>,
    /// Identifier of the start's zone; may be `tzone://Microsoft/…` (field note 35).
    pub start_time_zone_id: Option<String>,
    /// Identifier of the end's zone.
    pub end_time_zone_id: Option<String>,
    /// Is the mailbox's owner the organizer?
    pub is_organizer: Option<bool>,
}

/// No subject, body, place or people in logs: only what identifies the item and when it is.
impl std::fmt::Debug for CalendarItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CalendarItem")
            .field("item_id", &self.item_id)
            .field("uid", &self.uid)
            .field("kind", &self.kind)
            .field("recurrence_id", &self.recurrence_id)
            .field("start", &self.start)
            .field("end", &self.end)
            .field("is_all_day", &self.is_all_day)
            .field("free_busy", &self.free_busy)
            .field("is_cancelled", &self.is_cancelled)
            .field("last_modified_time", &self.last_modified_time)
            .finish_non_exhaustive()
    }
}

/// A body.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// HTML or text.
    pub body_type: BodyType,
    /// Cut by the server?
    pub is_truncated: Option<bool>,
    /// The body itself.
    pub text: String,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("body_type", &self.body_type).finish_non_exhaustive()
    }
}

/// An exception, or the first or last occurrence of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccurrenceInfo {
    /// Identifier of the occurrence.
    pub item_id: ItemId,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Start by the pattern.
    pub original_start: Timestamp,
}

/// A deleted occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedOccurrence {
    /// Start by the pattern.
    pub start: Timestamp,
}

/// `StartTimeZone`, `EndTimeZone`, `TimeZoneDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimeZoneDefinition {
    /// Windows name of the zone, or `tzone://Microsoft/…`.
    pub id: Option<String>,
    /// Name for display, in the server's language.
    pub name: Option<String>,
    /// `Periods`, `TransitionsGroups` and `Transitions`, as they came.
    pub definition: Vec<Node>,
}

impl TimeZoneDefinition {
    /// A zone by its Windows name.
    pub fn id(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }
}

mod codec;
mod time_zone;
