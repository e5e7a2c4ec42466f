//! Any item and folder that the schema allows.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proto_ews::{
    Attendee, Body, BodyType, CalendarItem, CalendarItemKind, DayOfWeek, DayOfWeekIndex, DeletedOccurrence,
    EffectiveRights, Folder, FolderKind, FreeBusy, Item, ItemKind, Month, OccurrenceInfo, OtherItem,
    Recurrence, RecurrencePattern, RecurrenceRange, Sensitivity, TYPES_NS, TimeZoneDefinition,
};
use proto_soap::Node;

use crate::strategies::{address, extended_property, folder_id, item_id, one_of, text, time, token};

/// Sets one field of an appointment.
#[derive(Clone)]
struct Setter(Arc<dyn Fn(&mut CalendarItem)>);

impl fmt::Debug for Setter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setter")
    }
}

/// Strategies that set one field each, to `Some` value or to the value itself.
macro_rules! setters {
    ($($field:ident: $strategy:expr,)* ; $($list:ident: $list_strategy:expr,)*) => {
        vec![
            $($strategy.prop_map(|value| Setter(Arc::new(move |item: &mut CalendarItem| {
                item.$field = Some(value.clone());
            }))).boxed(),)*
            $(prop::collection::vec($list_strategy, 1..3).prop_map(|values| {
                Setter(Arc::new(move |item: &mut CalendarItem| item.$list = values.clone()))
            }).boxed(),)*
        ]
    };
}

/// An appointment with up to ten of its fields.
pub(crate) fn calendar_item() -> impl Strategy<Value = CalendarItem> {
    let setters = Union::new([item_fields(), event_fields(), series_fields()].concat());
    prop::collection::vec(setters, 0..10).prop_map(|setters| {
        let mut item = CalendarItem::default();
        setters.iter().for_each(|setter| (setter.0)(&mut item));
        item
    })
}

fn item_fields() -> Vec<BoxedStrategy<Setter>> {
    setters! {
        mime_content: token(),
        item_id: item_id(),
        parent_folder_id: folder_id(),
        item_class: text(),
        subject: text(),
        sensitivity: select(Sensitivity::ALL),
        body: body(),
        date_time_received: time(),
        size: any::<i32>(),
        importance: one_of(&["Low", "Normal", "High"]),
        is_submitted: any::<bool>(),
        is_draft: any::<bool>(),
        is_from_me: any::<bool>(),
        is_resend: any::<bool>(),
        is_unmodified: any::<bool>(),
        date_time_sent: time(),
        date_time_created: time(),
        reminder_due_by: time(),
        reminder_is_set: any::<bool>(),
        reminder_minutes_before_start: "[0-9]{1,4}",
        display_cc: text(),
        display_to: text(),
        has_attachments: any::<bool>(),
        culture: one_of(&["da-DK", "en-US"]),
        effective_rights: rights(),
        last_modified_name: text(),
        last_modified_time: time(),
        is_associated: any::<bool>(),
        conversation_id: item_id(),
        ;
        categories: text(),
        extended_properties: extended_property(),
    }
}

fn event_fields() -> Vec<BoxedStrategy<Setter>> {
    setters! {
        uid: text(),
        recurrence_id: time(),
        date_time_stamp: time(),
        start: time(),
        end: time(),
        original_start: time(),
        is_all_day: any::<bool>(),
        free_busy: select(FreeBusy::ALL),
        location: text(),
        when: text(),
        is_meeting: any::<bool>(),
        is_cancelled: any::<bool>(),
        is_recurring: any::<bool>(),
        meeting_request_was_sent: any::<bool>(),
        is_response_requested: any::<bool>(),
        kind: select(CalendarItemKind::ALL),
        my_response_type: one_of(&["Unknown", "Organizer", "Accept"]),
        ;
    }
}

fn series_fields() -> Vec<BoxedStrategy<Setter>> {
    setters! {
        organizer: address(),
        duration: text(),
        time_zone: text(),
        appointment_reply_time: time(),
        appointment_sequence_number: any::<i32>(),
        appointment_state: any::<i32>(),
        recurrence: recurrence(),
        first_occurrence: occurrence(),
        last_occurrence: occurrence(),
        start_time_zone: zone(),
        end_time_zone: zone(),
        conference_type: any::<i32>(),
        allow_new_time_proposal: any::<bool>(),
        is_online_meeting: any::<bool>(),
        start_time_zone_id: text(),
        end_time_zone_id: text(),
        is_organizer: any::<bool>(),
        ;
        required_attendees: attendee(),
        optional_attendees: attendee(),
        resources: attendee(),
        modified_occurrences: occurrence(),
        deleted_occurrences: time().prop_map(|start| DeletedOccurrence { start }),
    }
}

fn body() -> impl Strategy<Value = Body> {
    (select(vec![BodyType::Html, BodyType::Text]), option::of(any::<bool>()), text())
        .prop_map(|(body_type, is_truncated, text)| Body { body_type, is_truncated, text })
}

fn rights() -> impl Strategy<Value = EffectiveRights> {
    (any::<[bool; 6]>(), option::of(any::<bool>())).prop_map(|(rights, view_private_items)| EffectiveRights {
        create_associated: rights[0],
        create_contents: rights[1],
        create_hierarchy: rights[2],
        delete: rights[3],
        modify: rights[4],
        read: rights[5],
        view_private_items,
    })
}

fn attendee() -> impl Strategy<Value = Attendee> {
    (address(), option::of(one_of(&["Unknown", "Accept", "Decline"])), option::of(time())).prop_map(
        |(mailbox, response_type, last_response_time)| Attendee {
            mailbox,
            response_type,
            last_response_time,
        },
    )
}

fn occurrence() -> impl Strategy<Value = OccurrenceInfo> {
    (item_id(), time(), time(), time()).prop_map(|(item_id, start, end, original_start)| OccurrenceInfo {
        item_id,
        start,
        end,
        original_start,
    })
}

fn zone() -> impl Strategy<Value = TimeZoneDefinition> {
    let periods = prop::collection::vec(token(), 0..2).prop_map(|ids| {
        let period = |id: String| {
            Node::leaf(TYPES_NS, "Period", "")
                .with_attribute("Bias", "-PT60M")
                .with_attribute("Name", "Standard")
                .with_attribute("Id", id)
        };
        let periods: Vec<Node> = ids.into_iter().map(period).collect();
        match periods.is_empty() {
            true => Vec::new(),
            false => vec![Node { children: periods, ..Node::leaf(TYPES_NS, "Periods", "") }],
        }
    });
    (option::of(text()), option::of(text()), periods).prop_map(|(id, name, definition)| TimeZoneDefinition {
        id,
        name,
        definition,
    })
}

fn date() -> impl Strategy<Value = Date> {
    (1..=9999_i16, 1..=12_i8, 1..=28_i8).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

fn recurrence() -> impl Strategy<Value = Recurrence> {
    let (day, index) = (select(DayOfWeek::ALL), select(DayOfWeekIndex::ALL));
    let month = select(Month::ALL);
    let days = prop::collection::vec(select(DayOfWeek::ALL), 1..4);
    let first = option::of(select(&DayOfWeek::ALL[..7]));
    let pattern = prop_oneof![
        (1..100).prop_map(|interval| RecurrencePattern::Daily { interval }),
        (1..100, days, first).prop_map(|(interval, days, first_day_of_week)| {
            RecurrencePattern::Weekly { interval, days, first_day_of_week }
        }),
        (1..100, 1..=31).prop_map(|(interval, day_of_month)| RecurrencePattern::AbsoluteMonthly {
            interval,
            day_of_month
        }),
        (1..100, day.clone(), index.clone())
            .prop_map(|(interval, day, index)| RecurrencePattern::RelativeMonthly { interval, day, index }),
        (1..=31, month.clone())
            .prop_map(|(day_of_month, month)| RecurrencePattern::AbsoluteYearly { day_of_month, month }),
        (day, index, month).prop_map(|(day, index, month)| RecurrencePattern::RelativeYearly {
            day,
            index,
            month
        }),
    ];
    let range = prop_oneof![
        date().prop_map(|start| RecurrenceRange::NoEnd { start }),
        (date(), date()).prop_map(|(start, end)| RecurrenceRange::EndDate { start, end }),
        (date(), 1..1000).prop_map(|(start, occurrences)| RecurrenceRange::Numbered { start, occurrences }),
    ];
    (pattern, range).prop_map(|(pattern, range)| Recurrence { pattern, range })
}

/// An appointment, or another kind of item that lists of items may hold.
pub(crate) fn item() -> impl Strategy<Value = Item> {
    let kinds = vec![ItemKind::Item, ItemKind::Message, ItemKind::MeetingRequest, ItemKind::Task];
    prop_oneof![
        4 => calendar_item().prop_map(Item::from),
        1 => (select(kinds), option::of(item_id()))
            .prop_map(|(kind, item_id)| Item::Other(OtherItem { kind, item_id })),
    ]
}

pub(crate) fn folder() -> impl Strategy<Value = Folder> {
    let ids = (select(FolderKind::ALL), option::of(folder_id()), option::of(folder_id()));
    let texts = (option::of(text()), option::of(text()), option::of(one_of(&["calendar", "inbox", "root"])));
    let counts = (option::of(0..100), option::of(0..100), option::of(0..100));
    let rest = (prop::collection::vec(extended_property(), 0..3), option::of(rights()));
    (ids, texts, counts, rest).prop_map(|(ids, texts, counts, rest)| Folder {
        kind: ids.0,
        folder_id: ids.1,
        parent_folder_id: ids.2,
        folder_class: texts.0,
        display_name: texts.1,
        total_count: counts.0,
        child_folder_count: counts.1,
        extended_properties: rest.0,
        effective_rights: rest.1,
        distinguished_folder_id: texts.2,
        unread_count: counts
            .2
            .filter(|_| !matches!(ids.0, FolderKind::CalendarFolder | FolderKind::ContactsFolder)),
    })
}
