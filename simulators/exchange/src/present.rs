//! An appointment as the properties that a client asked for, and no others.
//!
//! `AllProperties` does not contain the time zones (field note 35); a view does not contain what would
//! need the whole item. `IsRecurring` is false on a master (field note 30).

use std::collections::HashSet;

use jiff::Timestamp;
use proto_ews::{
    Attendee, BaseShape, Body, BodyType, CalendarItem, CalendarItemKind as Kind, DeletedOccurrence,
    EmailAddress, FolderId, ItemId, ItemShape, OccurrenceInfo, PropertyPath, TimeZoneDefinition,
};

use crate::ids::{FolderKey, ItemKey, STUB_FOLDER, item_change_key};
use crate::item::{Appointment, Shown};
use crate::ops::folders::all_rights;

/// Properties that `AllProperties` leaves out.
const BY_NAME_ONLY: &[&str] = &["calendar:StartTimeZone", "calendar:EndTimeZone", "calendar:OriginalStart"];

/// Properties of the shape `Default`.
const DEFAULT: &[&str] = &[
    "item:Subject",
    "item:HasAttachments",
    "calendar:Start",
    "calendar:End",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Location",
    "calendar:Organizer",
];

/// Properties that a view cannot tell.
const NOT_IN_VIEWS: &[&str] = &[
    "item:Body",
    "item:MimeContent",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Recurrence",
    "calendar:FirstOccurrence",
    "calendar:LastOccurrence",
    "calendar:ModifiedOccurrences",
    "calendar:DeletedOccurrences",
];

/// Which properties are wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    base: BaseShape,
    named: HashSet<&'a str>,
    body_type: BodyType,
    without: Vec<&'static str>,
}

impl<'a> Wanted<'a> {
    /// Those of a request's shape.
    pub fn of(shape: &'a ItemShape) -> Self {
        let named = shape.additional.iter().filter_map(|path| match path {
            PropertyPath::Field(uri) => Some(uri.as_str()),
            PropertyPath::Extended(_) | PropertyPath::Indexed { .. } => None,
        });
        Self {
            base: shape.base,
            named: named.collect(),
            body_type: shape.body_type.unwrap_or(BodyType::Best),
            without: Vec::new(),
        }
    }

    /// Without those that a view cannot tell, and, where the server is told to be sparse, without
    /// `RecurrenceId`.
    pub fn in_view(mut self, sparse: bool) -> Self {
        self.without = NOT_IN_VIEWS.to_vec();
        if sparse {
            self.without.push("calendar:RecurrenceId");
        }
        self
    }

    fn has(&self, uri: &str) -> bool {
        if self.without.contains(&uri) {
            return false;
        }
        self.named.contains(uri)
            || match self.base {
                BaseShape::AllProperties => !BY_NAME_ONLY.contains(&uri),
                BaseShape::Default => DEFAULT.contains(&uri),
                _ => false,
            }
    }

    fn then<T>(&self, uri: &str, value: impl FnOnce() -> T) -> Option<T> {
        self.has(uri).then(value)
    }
}

/// What an item is, beside what is shown of it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The mailbox's address.
    pub address: &'a str,
    /// Its id; with the original start for an occurrence.
    pub key: ItemKey,
    /// The version of the stored item.
    pub version: u64,
    /// The stored item.
    pub appointment: &'a Appointment,
}

impl Subject<'_> {
    /// The item's id with its change key.
    pub fn item_id(&self) -> ItemId {
        ItemId::new(self.key.encode()).with_change_key(item_change_key(self.key.mailbox, self.version))
    }

    fn occurrence_id(&self, original: jiff::civil::DateTime) -> ItemId {
        let key = self.key.master().at(original);
        ItemId::new(key.encode()).with_change_key(item_change_key(key.mailbox, self.version))
    }
}

/// The wanted properties of an item.
pub fn present(subject: &Subject<'_>, shown: &Shown, wanted: &Wanted<'_>) -> CalendarItem {
    let mut item = CalendarItem { item_id: Some(subject.item_id()), ..CalendarItem::default() };
    of_any_item(&mut item, subject, shown, wanted);
    of_appointment(&mut item, subject, shown, wanted);
    of_people(&mut item, subject, shown, wanted);
    if shown.kind == Kind::RecurringMaster {
        of_master(&mut item, subject, wanted);
    }
    item
}

/// The properties that every kind of item has.
fn of_any_item(item: &mut CalendarItem, subject: &Subject<'_>, shown: &Shown, wanted: &Wanted<'_>) {
    let details = &shown.details;
    let folder = FolderKey { mailbox: subject.key.mailbox, folder: subject.key.folder };
    item.parent_folder_id =
        wanted.then("item:ParentFolderId", || FolderId::new(folder.encode()).with_change_key(STUB_FOLDER));
    item.item_class = wanted.then("item:ItemClass", || item_class(shown.kind).to_owned());
    item.subject = wanted.then("item:Subject", || details.subject.clone());
    item.sensitivity = wanted.then("item:Sensitivity", || details.sensitivity);
    if wanted.has("item:Body") {
        item.body = details.body.as_ref().map(|(text, form)| body(text, *form, wanted.body_type));
    }
    item.date_time_received = wanted.then("item:DateTimeReceived", || subject.appointment.created);
    item.size = wanted.then("item:Size", || {
        i32::try_from(1_000 + details.subject.len() + details.body.as_ref().map_or(0, |(text, _)| text.len()))
            .unwrap_or(i32::MAX)
    });
    item.categories = wanted.then("item:Categories", || details.categories.clone()).unwrap_or_default();
    item.importance = wanted.then("item:Importance", || details.importance.clone());
    item.is_submitted = wanted.then("item:IsSubmitted", || false);
    item.is_draft = wanted.then("item:IsDraft", || false);
    item.is_from_me = wanted.then("item:IsFromMe", || false);
    item.is_resend = wanted.then("item:IsResend", || false);
    item.is_unmodified = wanted.then("item:IsUnmodified", || false);
    item.date_time_sent = wanted.then("item:DateTimeSent", || subject.appointment.created);
    item.date_time_created = wanted.then("item:DateTimeCreated", || subject.appointment.created);
    item.reminder_due_by = wanted.then("item:ReminderDueBy", || details.start);
    item.reminder_is_set = wanted.then("item:ReminderIsSet", || details.reminder_is_set);
    item.reminder_minutes_before_start =
        wanted.then("item:ReminderMinutesBeforeStart", || details.reminder_minutes.to_string());
    item.display_cc = wanted.then("item:DisplayCc", String::new);
    item.display_to = wanted.then("item:DisplayTo", String::new);
    item.has_attachments = wanted.then("item:HasAttachments", || false);
    item.culture = wanted.then("item:Culture", || "en-US".to_owned());
    item.effective_rights = wanted.then("item:EffectiveRights", all_rights);
    item.last_modified_name = wanted.then("item:LastModifiedName", || subject.address.to_owned());
    item.last_modified_time = wanted.then("item:LastModifiedTime", || shown.modified);
    item.is_associated = wanted.then("item:IsAssociated", || false);
}

/// When and how it is.
fn of_appointment(item: &mut CalendarItem, subject: &Subject<'_>, shown: &Shown, wanted: &Wanted<'_>) {
    let details = &shown.details;
    item.uid = wanted.then("calendar:UID", || subject.appointment.uid.clone());
    if wanted.has("calendar:RecurrenceId") {
        item.recurrence_id = shown.recurrence_id;
    }
    item.date_time_stamp = wanted.then("calendar:DateTimeStamp", || shown.modified);
    item.start = wanted.then("calendar:Start", || details.start);
    item.end = wanted.then("calendar:End", || details.end);
    if wanted.has("calendar:OriginalStart") {
        item.original_start = shown.recurrence_id;
    }
    item.is_all_day = wanted.then("calendar:IsAllDayEvent", || details.all_day);
    item.free_busy = wanted.then("calendar:LegacyFreeBusyStatus", || details.free_busy);
    if wanted.has("calendar:Location") {
        item.location = details.location.clone();
    }
    let meeting = !details.required.is_empty() || !details.optional.is_empty();
    item.is_meeting = wanted.then("calendar:IsMeeting", || meeting);
    item.is_cancelled = wanted.then("calendar:IsCancelled", || details.cancelled);
    item.is_recurring =
        wanted.then("calendar:IsRecurring", || matches!(shown.kind, Kind::Occurrence | Kind::Exception));
    item.meeting_request_was_sent = wanted.then("calendar:MeetingRequestWasSent", || false);
    item.is_response_requested = wanted.then("calendar:IsResponseRequested", || details.response_requested);
    item.kind = wanted.then("calendar:CalendarItemType", || shown.kind);
    item.duration = wanted.then("calendar:Duration", || duration(details.start, details.end));
    item.time_zone = wanted.then("calendar:TimeZone", || details.start_zone.name().to_owned());
    item.appointment_sequence_number = wanted.then("calendar:AppointmentSequenceNumber", || 0);
    item.appointment_state = wanted
        .then("calendar:AppointmentState", || i32::from(meeting) | if details.cancelled { 4 } else { 0 });
    let zone = |zone: &crate::zone::Zone| TimeZoneDefinition {
        name: Some(zone.name().to_owned()),
        ..TimeZoneDefinition::id(zone.id())
    };
    item.start_time_zone = wanted.then("calendar:StartTimeZone", || zone(&details.start_zone));
    item.end_time_zone = wanted.then("calendar:EndTimeZone", || zone(&details.end_zone));
    item.allow_new_time_proposal = wanted.then("calendar:AllowNewTimeProposal", || details.allow_new_time);
    item.conference_type = wanted.then("calendar:ConferenceType", || 0);
    item.is_online_meeting = wanted.then("calendar:IsOnlineMeeting", || false);
    item.start_time_zone_id = wanted.then("calendar:StartTimeZoneId", || details.start_zone.id().to_owned());
    item.end_time_zone_id = wanted.then("calendar:EndTimeZoneId", || details.end_zone.id().to_owned());
    item.is_organizer = wanted.then("calendar:IsOrganizer", || true);
}

fn of_people(item: &mut CalendarItem, subject: &Subject<'_>, shown: &Shown, wanted: &Wanted<'_>) {
    let attendees = |addresses: &[String]| -> Vec<Attendee> {
        let attendee = |address: &String| Attendee {
            mailbox: mailbox(address),
            response_type: Some("Unknown".into()),
            last_response_time: None,
        };
        addresses.iter().map(attendee).collect()
    };
    item.my_response_type = wanted.then("calendar:MyResponseType", || "Organizer".to_owned());
    item.organizer = wanted.then("calendar:Organizer", || mailbox(subject.address));
    if wanted.has("calendar:RequiredAttendees") {
        item.required_attendees = attendees(&shown.details.required);
    }
    if wanted.has("calendar:OptionalAttendees") {
        item.optional_attendees = attendees(&shown.details.optional);
    }
}

fn mailbox(address: &str) -> EmailAddress {
    EmailAddress {
        name: Some(address.to_owned()),
        address: Some(address.to_owned()),
        routing_type: Some("SMTP".into()),
        mailbox_type: Some("Mailbox".into()),
    }
}

/// What a series says of its repetition.
fn of_master(item: &mut CalendarItem, subject: &Subject<'_>, wanted: &Wanted<'_>) {
    let appointment = subject.appointment;
    let Some(repetition) = &appointment.repetition else { return };
    let zone = &appointment.details.start_zone;
    if wanted.has("calendar:Recurrence") {
        item.recurrence = repetition.pattern.clone();
    }
    let info = |original| -> Option<OccurrenceInfo> {
        let shown = appointment.occurrence(original).ok()?;
        Some(OccurrenceInfo {
            item_id: subject.occurrence_id(original),
            start: shown.details.start,
            end: shown.details.end,
            original_start: zone.instant(original),
        })
    };
    if wanted.has("calendar:FirstOccurrence") || wanted.has("calendar:LastOccurrence") {
        // The first and last that are still there.
        let series = &repetition.series;
        let there = |original: &jiff::civil::DateTime| !repetition.deleted.contains(original);
        let (first, last) = match series.last() {
            Some(last) => {
                let all = series.starts(series.first(), last.saturating_add(jiff::Span::new().seconds(1)));
                (all.iter().copied().find(|at| there(at)), all.iter().rev().copied().find(|at| there(at)))
            }
            None => ((1..1_000).map_while(|index| series.nth(index)).find(|at| there(at)), None),
        };
        item.first_occurrence = first.and_then(info).filter(|_| wanted.has("calendar:FirstOccurrence"));
        item.last_occurrence = last.and_then(info).filter(|_| wanted.has("calendar:LastOccurrence"));
    }
    if wanted.has("calendar:ModifiedOccurrences") {
        item.modified_occurrences =
            repetition.exceptions.keys().filter_map(|original| info(*original)).collect();
    }
    if wanted.has("calendar:DeletedOccurrences") {
        item.deleted_occurrences = repetition
            .deleted
            .iter()
            .map(|original| DeletedOccurrence { start: zone.instant(*original) })
            .collect();
    }
}

fn item_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Occurrence => "IPM.Appointment.Occurrence",
        Kind::Exception => "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}",
        _ => "IPM.Appointment",
    }
}

/// The body in the form that was asked for. A text becomes HTML around it; HTML asked for as text is
/// given as it is, since nobody here renders it.
fn body(text: &str, form: BodyType, asked: BodyType) -> Body {
    match (form, asked) {
        (BodyType::Text, BodyType::Html) => {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let html = format!("<html><body>{escaped}</body></html>");
            Body { body_type: BodyType::Html, is_truncated: None, text: html }
        }
        (_, BodyType::Text) => Body { body_type: BodyType::Text, is_truncated: None, text: text.to_owned() },
        (form, _) => Body { body_type: form, is_truncated: None, text: text.to_owned() },
    }
}

/// `xs:duration` of an appointment, as Exchange writes it: `PT1H30M`, `P1D`.
fn duration(start: Timestamp, end: Timestamp) -> String {
    let minutes = end.duration_since(start).as_mins().max(0);
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let mut text = String::from("P");
    if days > 0 {
        text += &format!("{days}D");
    }
    if hours > 0 || minutes > 0 || days == 0 {
        text += "T";
    }
    if hours > 0 {
        text += &format!("{hours}H");
    }
    if minutes > 0 || (days == 0 && hours == 0) {
        text += &format!("{minutes}M");
    }
    text
}

#[cfg(test)]
mod tests;
