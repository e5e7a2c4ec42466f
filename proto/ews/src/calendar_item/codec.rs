//! Appointments on the wire. Elements are read in any order (grommunio keeps none) and written in the
//! schema's.

use proto_soap::{Element, Reader, Writer};

use super::{Body, CalendarItem, DeletedOccurrence, OccurrenceInfo, TimeZoneDefinition};
use crate::wire::{read_strings, read_time, write_time, write_value};
use crate::{
    Attendee, EffectiveRights, EmailAddress, Error, ExtendedProperty, FolderId, ItemId, Recurrence, TYPES_NS,
};

impl CalendarItem {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut item = Self::default();
        item.read_into(reader, element)?;
        Ok(item)
    }

    /// Reads into a default value, so that the caller keeps what was read before an error. Only direct
    /// children count: occurrences and conflicting meetings nest elements of the same names (field note 31).
    pub(crate) fn read_into(&mut self, reader: &mut Reader<'_>, element: &Element<'_>) -> Result<(), Error> {
        reader.children(element, |reader, child| {
            if child.namespace() != TYPES_NS {
                return Ok(());
            }
            // what appointments are asked for most comes first
            if !self.read_event_field(reader, child)? && !self.read_item_field(reader, child)? {
                self.read_series_field(reader, child)?;
            }
            Ok(())
        })
    }

    /// Fields that all items have. False when it is none of them.
    fn read_item_field(&mut self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<bool, Error> {
        match child.local() {
            "MimeContent" => self.mime_content = Some(reader.text(child)?),
            "ItemId" => self.item_id = Some(ItemId::read(child)?),
            "ParentFolderId" => self.parent_folder_id = Some(FolderId::read(child)?),
            "ItemClass" => self.item_class = Some(reader.text(child)?),
            "Subject" => self.subject = Some(reader.text(child)?),
            "Sensitivity" => self.sensitivity = Some(reader.parse(child)?),
            "Body" => self.body = Some(Body::read(reader, child)?),
            "DateTimeReceived" => self.date_time_received = Some(read_time(reader, child)?),
            "Size" => self.size = Some(reader.parse(child)?),
            "Categories" => self.categories = read_strings(reader, child, "String")?,
            "Importance" => self.importance = Some(reader.text(child)?),
            "IsSubmitted" => self.is_submitted = Some(reader.boolean(child)?),
            "IsDraft" => self.is_draft = Some(reader.boolean(child)?),
            "IsFromMe" => self.is_from_me = Some(reader.boolean(child)?),
            "IsResend" => self.is_resend = Some(reader.boolean(child)?),
            "IsUnmodified" => self.is_unmodified = Some(reader.boolean(child)?),
            "DateTimeSent" => self.date_time_sent = Some(read_time(reader, child)?),
            "DateTimeCreated" => self.date_time_created = Some(read_time(reader, child)?),
            "ReminderDueBy" => self.reminder_due_by = Some(read_time(reader, child)?),
            "ReminderIsSet" => self.reminder_is_set = Some(reader.boolean(child)?),
            "ReminderMinutesBeforeStart" => self.reminder_minutes_before_start = Some(reader.text(child)?),
            "DisplayCc" => self.display_cc = Some(reader.text(child)?),
            "DisplayTo" => self.display_to = Some(reader.text(child)?),
            "HasAttachments" => self.has_attachments = Some(reader.boolean(child)?),
            "ExtendedProperty" => self.extended_properties.push(ExtendedProperty::read(reader, child)?),
            "Culture" => self.culture = Some(reader.text(child)?),
            "EffectiveRights" => self.effective_rights = Some(EffectiveRights::read(reader, child)?),
            "LastModifiedName" => self.last_modified_name = Some(reader.text(child)?),
            "LastModifiedTime" => self.last_modified_time = Some(read_time(reader, child)?),
            "IsAssociated" => self.is_associated = Some(reader.boolean(child)?),
            "ConversationId" => self.conversation_id = Some(ItemId::read(child)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Fields of appointments with plain values. False when it is none of them.
    fn read_event_field(&mut self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<bool, Error> {
        match child.local() {
            "UID" => self.uid = Some(reader.text(child)?),
            "RecurrenceId" => self.recurrence_id = Some(read_time(reader, child)?),
            "DateTimeStamp" => self.date_time_stamp = Some(read_time(reader, child)?),
            "Start" => self.start = Some(read_time(reader, child)?),
            "End" => self.end = Some(read_time(reader, child)?),
            "OriginalStart" => self.original_start = Some(read_time(reader, child)?),
            "IsAllDayEvent" => self.is_all_day = Some(reader.boolean(child)?),
            "LegacyFreeBusyStatus" => self.free_busy = Some(reader.parse(child)?),
            "Location" => self.location = Some(reader.text(child)?),
            "When" => self.when = Some(reader.text(child)?),
            "IsMeeting" => self.is_meeting = Some(reader.boolean(child)?),
            "IsCancelled" => self.is_cancelled = Some(reader.boolean(child)?),
            "IsRecurring" => self.is_recurring = Some(reader.boolean(child)?),
            "MeetingRequestWasSent" => self.meeting_request_was_sent = Some(reader.boolean(child)?),
            "IsResponseRequested" => self.is_response_requested = Some(reader.boolean(child)?),
            "CalendarItemType" => self.kind = Some(reader.parse(child)?),
            "MyResponseType" => self.my_response_type = Some(reader.text(child)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Fields of appointments with parts of their own, and those after them.
    fn read_series_field(&mut self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        match child.local() {
            "Organizer" => self.organizer = EmailAddress::read_inside(reader, child)?,
            "RequiredAttendees" => self.required_attendees = Attendee::read_list(reader, child)?,
            "OptionalAttendees" => self.optional_attendees = Attendee::read_list(reader, child)?,
            "Resources" => self.resources = Attendee::read_list(reader, child)?,
            "Duration" => self.duration = Some(reader.text(child)?),
            "TimeZone" => self.time_zone = Some(reader.text(child)?),
            "AppointmentReplyTime" => self.appointment_reply_time = Some(read_time(reader, child)?),
            "AppointmentSequenceNumber" => self.appointment_sequence_number = Some(reader.parse(child)?),
            "AppointmentState" => self.appointment_state = Some(reader.parse(child)?),
            "Recurrence" => self.recurrence = Some(Recurrence::read(reader, child)?),
            "FirstOccurrence" => self.first_occurrence = Some(OccurrenceInfo::read(reader, child)?),
            "LastOccurrence" => self.last_occurrence = Some(OccurrenceInfo::read(reader, child)?),
            "ModifiedOccurrences" => self.modified_occurrences = OccurrenceInfo::read_list(reader, child)?,
            "DeletedOccurrences" => self.deleted_occurrences = DeletedOccurrence::read_list(reader, child)?,
            "StartTimeZone" => self.start_time_zone = Some(TimeZoneDefinition::read(reader, child)?),
            "EndTimeZone" => self.end_time_zone = Some(TimeZoneDefinition::read(reader, child)?),
            "ConferenceType" => self.conference_type = Some(reader.parse(child)?),
            "AllowNewTimeProposal" => self.allow_new_time_proposal = Some(reader.boolean(child)?),
            "IsOnlineMeeting" => self.is_online_meeting = Some(reader.boolean(child)?),
            "StartTimeZoneId" => self.start_time_zone_id = Some(reader.text(child)?),
            "EndTimeZoneId" => self.end_time_zone_id = Some(reader.text(child)?),
            "IsOrganizer" => self.is_organizer = Some(reader.boolean(child)?),
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element("t:CalendarItem", |w| {
            self.write_item_fields(w);
            self.write_event_fields(w);
            self.write_series_fields(w);
        });
    }

    fn write_item_fields(&self, w: &mut Writer) {
        w.optional("t:MimeContent", self.mime_content.as_deref());
        if let Some(id) = &self.item_id {
            id.write(w, "t:ItemId");
        }
        if let Some(id) = &self.parent_folder_id {
            id.write(w, "t:ParentFolderId");
        }
        w.optional("t:ItemClass", self.item_class.as_deref());
        w.optional("t:Subject", self.subject.as_deref());
        write_value(w, "t:Sensitivity", self.sensitivity.filter(|value| value.is_known()));
        if let Some(body) = &self.body {
            body.write(w, "t:Body");
        }
        write_time(w, "t:DateTimeReceived", self.date_time_received);
        write_value(w, "t:Size", self.size);
        if !self.categories.is_empty() {
            w.element("t:Categories", |w| self.categories.iter().for_each(|s| w.leaf("t:String", s)));
        }
        w.optional("t:Importance", self.importance.as_deref());
        write_value(w, "t:IsSubmitted", self.is_submitted);
        write_value(w, "t:IsDraft", self.is_draft);
        write_value(w, "t:IsFromMe", self.is_from_me);
        write_value(w, "t:IsResend", self.is_resend);
        write_value(w, "t:IsUnmodified", self.is_unmodified);
        write_time(w, "t:DateTimeSent", self.date_time_sent);
        write_time(w, "t:DateTimeCreated", self.date_time_created);
        write_time(w, "t:ReminderDueBy", self.reminder_due_by);
        write_value(w, "t:ReminderIsSet", self.reminder_is_set);
        w.optional("t:ReminderMinutesBeforeStart", self.reminder_minutes_before_start.as_deref());
        w.optional("t:DisplayCc", self.display_cc.as_deref());
        w.optional("t:DisplayTo", self.display_to.as_deref());
        write_value(w, "t:HasAttachments", self.has_attachments);
        self.extended_properties.iter().for_each(|property| property.write(w));
        w.optional("t:Culture", self.culture.as_deref());
        if let Some(rights) = &self.effective_rights {
            rights.write(w);
        }
        w.optional("t:LastModifiedName", self.last_modified_name.as_deref());
        write_time(w, "t:LastModifiedTime", self.last_modified_time);
        write_value(w, "t:IsAssociated", self.is_associated);
        if let Some(id) = &self.conversation_id {
            id.write(w, "t:ConversationId");
        }
    }

    fn write_event_fields(&self, w: &mut Writer) {
        w.optional("t:UID", self.uid.as_deref());
        write_time(w, "t:RecurrenceId", self.recurrence_id);
        write_time(w, "t:DateTimeStamp", self.date_time_stamp);
        write_time(w, "t:Start", self.start);
        write_time(w, "t:End", self.end);
        write_time(w, "t:OriginalStart", self.original_start);
        write_value(w, "t:IsAllDayEvent", self.is_all_day);
        write_value(w, "t:LegacyFreeBusyStatus", self.free_busy.filter(|value| value.is_known()));
        w.optional("t:Location", self.location.as_deref());
        w.optional("t:When", self.when.as_deref());
        write_value(w, "t:IsMeeting", self.is_meeting);
        write_value(w, "t:IsCancelled", self.is_cancelled);
        write_value(w, "t:IsRecurring", self.is_recurring);
        write_value(w, "t:MeetingRequestWasSent", self.meeting_request_was_sent);
        write_value(w, "t:IsResponseRequested", self.is_response_requested);
        write_value(w, "t:CalendarItemType", self.kind.filter(|value| value.is_known()));
        w.optional("t:MyResponseType", self.my_response_type.as_deref());
    }

    fn write_series_fields(&self, w: &mut Writer) {
        if let Some(organizer) = &self.organizer {
            w.element("t:Organizer", |w| organizer.write(w, "t:Mailbox"));
        }
        Attendee::write_list(w, "t:RequiredAttendees", &self.required_attendees);
        Attendee::write_list(w, "t:OptionalAttendees", &self.optional_attendees);
        Attendee::write_list(w, "t:Resources", &self.resources);
        w.optional("t:Duration", self.duration.as_deref());
        w.optional("t:TimeZone", self.time_zone.as_deref());
        write_time(w, "t:AppointmentReplyTime", self.appointment_reply_time);
        write_value(w, "t:AppointmentSequenceNumber", self.appointment_sequence_number);
        write_value(w, "t:AppointmentState", self.appointment_state);
        if let Some(recurrence) = &self.recurrence {
            recurrence.write(w);
        }
        if let Some(occurrence) = &self.first_occurrence {
            occurrence.write(w, "t:FirstOccurrence");
        }
        if let Some(occurrence) = &self.last_occurrence {
            occurrence.write(w, "t:LastOccurrence");
        }
        if !self.modified_occurrences.is_empty() {
            w.element("t:ModifiedOccurrences", |w| {
                self.modified_occurrences.iter().for_each(|o| o.write(w, "t:Occurrence"));
            });
        }
        if !self.deleted_occurrences.is_empty() {
            w.element("t:DeletedOccurrences", |w| self.deleted_occurrences.iter().for_each(|o| o.write(w)));
        }
        if let Some(zone) = &self.start_time_zone {
            zone.write(w, "t:StartTimeZone");
        }
        if let Some(zone) = &self.end_time_zone {
            zone.write(w, "t:EndTimeZone");
        }
        write_value(w, "t:ConferenceType", self.conference_type);
        write_value(w, "t:AllowNewTimeProposal", self.allow_new_time_proposal);
        write_value(w, "t:IsOnlineMeeting", self.is_online_meeting);
        w.optional("t:StartTimeZoneId", self.start_time_zone_id.as_deref());
        w.optional("t:EndTimeZoneId", self.end_time_zone_id.as_deref());
        write_value(w, "t:IsOrganizer", self.is_organizer);
    }
}
