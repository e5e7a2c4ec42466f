//! CreateItem, UpdateItem, DeleteItem, MoveItem. Each change and the queueing of its events happen under
//! one lock.

use std::sync::Arc;

use proto_ews::operation::{
    CreateItem, DeleteItem, FieldUpdate, ItemChange, MoveItem, UpdateItem, UpdatedItems,
};
use proto_ews::{
    CalendarItem, ConflictResolution, DeleteType, ExtendedFieldUri, ExtendedValue, Item, ItemId, ItemRef,
    Problem, PropertyPath, Recurrence, ResponseCode, ResponseMessage,
};

use crate::ids::{FolderKey, FolderKind, ItemKey, change_key_is, item_change_key};
use crate::item::{Appointment, Details, Patch};
use crate::ops;
use crate::pattern;
use crate::series::SeriesError;
use crate::service::{Caller, Service, World};
use crate::zone::Zone;

/// CreateItem.
pub fn create_item(
    service: &Service,
    caller: &Caller,
    request: &CreateItem,
) -> Vec<ResponseMessage<Vec<Item>>> {
    let one = |item: &Item| -> Result<Vec<Item>, Problem> {
        let Some(given) = item.as_calendar() else {
            return Err(Problem::new(
                ResponseCode::INVALID_REQUEST,
                "Only calendar items can be created here.",
            ));
        };
        let mut world = service.world();
        let calendar = proto_ews::FolderRef::calendar();
        let folder = request.saved_item_folder.as_ref().unwrap_or(&calendar);
        let folder = ops::folder(service, &world, caller, folder)?;
        let appointment = appointment(caller, given)?;
        let id = put(service, &mut world, caller, folder, appointment)?;
        Ok(vec![with_id(id)])
    };
    request
        .items
        .iter()
        .map(|item| one(item).map_or_else(ResponseMessage::Error, ResponseMessage::Success))
        .collect()
}

fn put(
    service: &Service,
    world: &mut World,
    caller: &Caller,
    folder: FolderKey,
    appointment: Appointment,
) -> Result<ItemId, Problem> {
    let mailbox = world.mailboxes.get_mut(&folder.mailbox).ok_or_else(ops::no_folder)?;
    let (key, events) = mailbox.create(folder.folder, appointment, caller.now);
    let version = mailbox.version();
    world.publish(&service.faults, folder.mailbox, &events, None, caller.now);
    Ok(item_id(key, version))
}

fn item_id(key: ItemKey, version: u64) -> ItemId {
    ItemId::new(key.encode()).with_change_key(item_change_key(key.mailbox, version))
}

fn with_id(id: ItemId) -> Item {
    CalendarItem { item_id: Some(id), ..CalendarItem::default() }.into()
}

/// A new appointment from what a client set.
fn appointment(caller: &Caller, given: &CalendarItem) -> Result<Appointment, Problem> {
    let now = caller.now;
    let mut changes = Changes::default();
    for uri in SETTABLE {
        changes.set(uri, given)?;
    }
    for property in &given.extended_properties {
        changes.set_extended(&property.uri, &property.value);
    }
    let zone = changes.patch.start_zone.clone().or_else(|| caller.zone.clone()).unwrap_or_else(Zone::utc);
    // Without times Exchange takes the next half hour.
    let start = changes.patch.start.unwrap_or(now);
    let end = changes.patch.end.unwrap_or(start + jiff::SignedDuration::from_mins(30));
    let mut details = Details::plain(start, end, Arc::clone(&zone));
    if changes.patch.end_zone.is_none() {
        changes.patch.end_zone = Some(zone);
    }
    changes.patch.apply(&mut details);
    details.align_all_day();
    in_order(&details)?;
    let uid = given.uid.clone().filter(|uid| !uid.is_empty()).unwrap_or_else(new_uid);
    let mut appointment =
        Appointment { uid, details, repetition: None, lone_instance: None, created: now, modified: now };
    if let Some(Some(recurrence)) = &changes.recurrence {
        repeat(&mut appointment, recurrence, now)?;
    }
    Ok(appointment)
}

/// A UID as Exchange makes them: the marker of global object ids and a random part.
pub(crate) fn new_uid() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("040000008200E00074C5B7101A82E00800000000{:016}{:016}10000000{random}", 0, 0)
}

fn in_order(details: &Details) -> Result<(), Problem> {
    if details.end < details.start {
        return Err(Problem::new(
            ResponseCode::CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE,
            "EndDate is earlier than StartDate",
        ));
    }
    Ok(())
}

fn repeat(
    appointment: &mut Appointment,
    recurrence: &Recurrence,
    now: jiff::Timestamp,
) -> Result<(), Problem> {
    let start = appointment.details.start_zone.local(appointment.details.start);
    let repetition = pattern::repetition(recurrence, start).map_err(|error| invalid_recurrence(&error))?;
    appointment.set_repetition(Some(repetition), now);
    Ok(())
}

fn invalid_recurrence(error: &SeriesError) -> Problem {
    match error {
        SeriesError::Empty => Problem::new(
            ResponseCode::known("ErrorRecurrenceHasNoOccurrence"),
            "The recurrence has no occurrences.",
        ),
        SeriesError::Rule(_) => {
            Problem::new(ResponseCode::CALENDAR_INVALID_RECURRENCE, "The recurrence is invalid.")
        }
    }
}

/// The properties that a client may set, by field URI.
const SETTABLE: &[&str] = &[
    "item:Subject",
    "item:Body",
    "item:Sensitivity",
    "item:Importance",
    "item:Categories",
    "item:ReminderIsSet",
    "item:ReminderMinutesBeforeStart",
    "calendar:StartTimeZone",
    "calendar:EndTimeZone",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Location",
    "calendar:IsResponseRequested",
    "calendar:AllowNewTimeProposal",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Recurrence",
];

/// What one request changes of an item.
#[derive(Debug, Default)]
struct Changes {
    patch: Patch,
    // Set, or taken away.
    recurrence: Option<Option<Recurrence>>,
    uid: Option<String>,
}

impl Changes {
    /// Takes the property of this URI from `item`; a property that this server does not keep is read over,
    /// as is one that `item` does not have.
    fn set(&mut self, uri: &str, item: &CalendarItem) -> Result<(), Problem> {
        let patch = &mut self.patch;
        match uri {
            "item:Subject" => patch.subject = item.subject.clone().or(patch.subject.take()),
            "item:Body" => {
                if let Some(body) = &item.body {
                    patch.body = Some(Some((body.text.clone(), body.body_type)));
                }
            }
            "item:Sensitivity" => patch.sensitivity = item.sensitivity.filter(|value| value.is_known()),
            "item:Importance" => patch.importance = item.importance.clone(),
            "item:Categories" => patch.categories = Some(item.categories.clone()),
            "item:ReminderIsSet" => patch.reminder_is_set = item.reminder_is_set,
            "item:ReminderMinutesBeforeStart" => {
                patch.reminder_minutes =
                    item.reminder_minutes_before_start.as_ref().and_then(|text| text.trim().parse().ok());
            }
            "calendar:UID" => self.uid = item.uid.clone(),
            "calendar:Start" => patch.start = item.start,
            "calendar:End" => patch.end = item.end,
            "calendar:IsAllDayEvent" => patch.all_day = item.is_all_day,
            "calendar:LegacyFreeBusyStatus" => {
                patch.free_busy = item.free_busy.filter(|value| value.is_known());
            }
            "calendar:Location" => patch.location = item.location.clone().map(Some),
            "calendar:IsResponseRequested" => patch.response_requested = item.is_response_requested,
            "calendar:AllowNewTimeProposal" => patch.allow_new_time = item.allow_new_time_proposal,
            "calendar:RequiredAttendees" => patch.required = Some(addresses(&item.required_attendees)),
            "calendar:OptionalAttendees" => patch.optional = Some(addresses(&item.optional_attendees)),
            "calendar:Recurrence" => self.recurrence = item.recurrence.clone().map(Some),
            "calendar:StartTimeZone" => {
                let given = item.start_time_zone.as_ref().and_then(|zone| zone.id.as_deref());
                patch.start_zone = given.map(zone).transpose()?;
            }
            "calendar:EndTimeZone" => {
                let given = item.end_time_zone.as_ref().and_then(|zone| zone.id.as_deref());
                patch.end_zone = given.map(zone).transpose()?;
            }
            "calendar:IsCancelled"
            | "calendar:CalendarItemType"
            | "calendar:RecurrenceId"
            | "item:ItemId" => {
                return Err(Problem::new(
                    ResponseCode::known("ErrorInvalidPropertySet"),
                    "Set action is invalid for property.",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// `PidLidAppointmentStateFlags` (0x8217), whose bit 4 says that the appointment was cancelled: the one
    /// way of a client to that state on a real server too.
    fn set_extended(&mut self, uri: &ExtendedFieldUri, value: &ExtendedValue) {
        let of_appointments = uri.distinguished_property_set_id.as_deref() == Some("Appointment")
            || uri.property_set_id.as_deref().is_some_and(|set| set.eq_ignore_ascii_case(APPOINTMENT_SET));
        if let (true, Some(0x8217), ExtendedValue::Single(text)) = (of_appointments, uri.property_id, value)
            && let Ok(flags) = text.trim().parse::<i32>()
        {
            self.patch.cancelled = Some(flags & 4 != 0);
        }
    }

    fn delete(&mut self, uri: &str) {
        match uri {
            "item:Subject" => self.patch.subject = Some(String::new()),
            "item:Body" => self.patch.body = Some(None),
            "item:Categories" => self.patch.categories = Some(Vec::new()),
            "calendar:Location" => self.patch.location = Some(None),
            "calendar:RequiredAttendees" => self.patch.required = Some(Vec::new()),
            "calendar:OptionalAttendees" => self.patch.optional = Some(Vec::new()),
            "calendar:Recurrence" => self.recurrence = Some(None),
            _ => {}
        }
    }

    fn of(updates: &[FieldUpdate]) -> Result<Self, Problem> {
        let mut changes = Self::default();
        for update in updates {
            match update {
                FieldUpdate::Set { path: PropertyPath::Field(uri), item }
                | FieldUpdate::Append { path: PropertyPath::Field(uri), item } => changes.set(uri, item)?,
                FieldUpdate::Set { path: PropertyPath::Extended(uri), item } => {
                    for property in item.extended_properties.iter().filter(|property| property.uri == *uri) {
                        changes.set_extended(uri, &property.value);
                    }
                }
                FieldUpdate::Delete { path: PropertyPath::Field(uri) } => changes.delete(uri),
                _ => {}
            }
        }
        Ok(changes)
    }
}

/// The property set of appointments.
const APPOINTMENT_SET: &str = "00062002-0000-0000-C000-000000000046";

fn zone(id: &str) -> Result<Arc<Zone>, Problem> {
    Zone::find(id)
        .ok_or_else(|| Problem::new(ResponseCode::known("ErrorTimeZone"), "The time zone is invalid."))
}

fn addresses(attendees: &[proto_ews::Attendee]) -> Vec<String> {
    attendees.iter().filter_map(|attendee| attendee.mailbox.address.clone()).collect()
}

/// UpdateItem: a stored item or one occurrence.
pub fn update_item(
    service: &Service,
    caller: &Caller,
    request: &UpdateItem,
) -> Vec<ResponseMessage<UpdatedItems>> {
    let one = |change: &ItemChange| -> Result<UpdatedItems, Problem> {
        let id = update(service, caller, change, request.conflict_resolution)?;
        Ok(UpdatedItems { items: vec![with_id(id)], conflict_count: Some(0) })
    };
    request
        .changes
        .iter()
        .map(|change| one(change).map_or_else(ResponseMessage::Error, ResponseMessage::Success))
        .collect()
}

fn update(
    service: &Service,
    caller: &Caller,
    change: &ItemChange,
    resolution: ConflictResolution,
) -> Result<ItemId, Problem> {
    let changes = Changes::of(&change.updates)?;
    let mut world = service.world();
    let (key, version, _) = ops::item(service, &world, caller, &change.item)?;
    check_change_key(&change.item, key, version, resolution)?;
    let now = caller.now;
    let mailbox = world.mailboxes.get_mut(&key.mailbox).ok_or_else(ops::no_item)?;
    let outcome = mailbox.update(key, now, |appointment| match key.occurrence {
        Some(original) => {
            if changes.recurrence.is_some() {
                return Err(Problem::new(
                    ResponseCode::known("ErrorCalendarOccurrenceIsNotRecurringMaster"),
                    "An occurrence has no recurrence of its own.",
                ));
            }
            let mut after = appointment.occurrence(original).map_err(ops::occurrence_problem)?.details;
            changes.patch.apply(&mut after);
            in_order(&after)?;
            let patch = changes.patch.clone();
            appointment.change_occurrence(original, patch, now).map_err(ops::occurrence_problem)
        }
        None => {
            let mut after = appointment.details.clone();
            changes.patch.apply(&mut after);
            in_order(&after)?;
            appointment.change(&changes.patch, now).map_err(|error| invalid_recurrence(&error))?;
            if let Some(uid) = changes.uid.clone() {
                appointment.uid = uid;
            }
            match &changes.recurrence {
                Some(Some(recurrence)) => repeat(appointment, recurrence, now)?,
                Some(None) => appointment.set_repetition(None, now),
                None => {}
            }
            Ok(())
        }
    });
    let events = outcome.ok_or_else(ops::no_item)??;
    let version = mailbox.version();
    world.publish(&service.faults, key.mailbox, &events, None, now);
    Ok(item_id(key, version))
}

fn check_change_key(
    item: &ItemRef,
    key: ItemKey,
    version: u64,
    resolution: ConflictResolution,
) -> Result<(), Problem> {
    let given = match item {
        ItemRef::Item(id) => &id.change_key,
        ItemRef::Occurrence { change_key, .. } | ItemRef::RecurringMaster { change_key, .. } => change_key,
    };
    match (resolution, given) {
        (ConflictResolution::AlwaysOverwrite, _) => Ok(()),
        (_, None) => Err(Problem::new(
            ResponseCode::known("ErrorChangeKeyRequired"),
            "A change key is required for this operation.",
        )),
        (ConflictResolution::NeverOverwrite, Some(given)) if !change_key_is(key.mailbox, version, given) => {
            Err(Problem::new(
                ResponseCode::IRRESOLVABLE_CONFLICT,
                "The send or update operation could not be performed because the change key passed in the \
                 request does not match the current change key for the item.",
            ))
        }
        _ => Ok(()),
    }
}

/// DeleteItem: for good, softly, to Deleted Items; or one occurrence, which a series just loses.
pub fn delete_item(service: &Service, caller: &Caller, request: &DeleteItem) -> Vec<ResponseMessage<()>> {
    let one = |item: &ItemRef| -> Result<(), Problem> {
        let mut world = service.world();
        let (key, ..) = ops::item(service, &world, caller, item)?;
        let now = caller.now;
        let mailbox = world.mailboxes.get_mut(&key.mailbox).ok_or_else(ops::no_item)?;
        let (events, from) = match (key.occurrence, request.delete_type) {
            (Some(original), _) => {
                let deleted = mailbox.update(key, now, |series| series.delete_occurrence(original, now));
                (deleted.ok_or_else(ops::no_item)?.map_err(ops::occurrence_problem)?, None)
            }
            (None, DeleteType::HardDelete) => (mailbox.delete(key, now).ok_or_else(ops::no_item)?, None),
            (None, DeleteType::SoftDelete) => {
                let moved = mailbox.move_to(key, FolderKind::Dumpster, now).ok_or_else(ops::no_item)?;
                (moved.1, Some(key.folder))
            }
            // What is in Deleted Items already is deleted for good.
            (None, DeleteType::MoveToDeletedItems) if key.folder == FolderKind::DeletedItems => {
                (mailbox.delete(key, now).ok_or_else(ops::no_item)?, None)
            }
            (None, DeleteType::MoveToDeletedItems) => {
                let moved = mailbox.move_to(key, FolderKind::DeletedItems, now).ok_or_else(ops::no_item)?;
                (moved.1, Some(key.folder))
            }
        };
        world.publish(&service.faults, key.mailbox, &events, from, now);
        Ok(())
    };
    request
        .item_ids
        .iter()
        .map(|item| one(item).map_or_else(ResponseMessage::Error, ResponseMessage::Success))
        .collect()
}

/// MoveItem: the item has another id afterwards. An occurrence cannot leave its series.
pub fn move_item(service: &Service, caller: &Caller, request: &MoveItem) -> Vec<ResponseMessage<Vec<Item>>> {
    let one = |item: &ItemRef| -> Result<Vec<Item>, Problem> {
        let mut world = service.world();
        let (key, _, appointment) = ops::item(service, &world, caller, item)?;
        let to = ops::folder(service, &world, caller, &request.to_folder)?;
        if key.occurrence.is_some() {
            return Err(Problem::new(
                ResponseCode::known("ErrorCalendarCannotMoveOrCopyOccurrence"),
                "An occurrence cannot be moved or copied.",
            ));
        }
        let now = caller.now;
        let mailbox = world.mailboxes.get_mut(&key.mailbox).ok_or_else(ops::no_item)?;
        if to.mailbox != key.mailbox {
            // To another mailbox: there it is new, here it is gone; no id is told, as on real servers.
            let events = mailbox.delete(key, now).ok_or_else(ops::no_item)?;
            world.publish(&service.faults, key.mailbox, &events, None, now);
            put(service, &mut world, caller, to, (*appointment).clone())?;
            return Ok(Vec::new());
        }
        let (new, events) = mailbox.move_to(key, to.folder, now).ok_or_else(ops::no_item)?;
        let version = mailbox.version();
        world.publish(&service.faults, key.mailbox, &events, Some(key.folder), now);
        let tells = request.return_new_item_ids.unwrap_or(true);
        Ok(if tells { vec![with_id(item_id(new, version))] } else { Vec::new() })
    };
    request
        .item_ids
        .iter()
        .map(|item| one(item).map_or_else(ResponseMessage::Error, ResponseMessage::Success))
        .collect()
}
