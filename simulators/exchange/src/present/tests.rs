//! Goal: exactly the properties that were asked for, and the peculiarities of real servers.
use std::sync::Arc;

use super::*;
use crate::ids::{FolderKind, MailboxKey};
use crate::item::{Details, Repetition};
use crate::series::Series;
use crate::zone::Zone;
use jiff::civil::date;

fn series() -> Appointment {
    let zone = Zone::find("Romance Standard Time").unwrap();
    let first = date(2026, 3, 16).at(9, 0, 0, 0);
    let start = zone.instant(first);
    let mut details = Details::plain(start, start + jiff::SignedDuration::from_mins(90), Arc::clone(&zone));
    details.subject = "secret".into();
    details.body = Some(("1 < 2".into(), BodyType::Text));
    details.required = vec!["a@sim.test".into()];
    let repetition = Repetition::new(Series::new(first, "FREQ=WEEKLY;COUNT=3", []).unwrap(), None);
    let mut appointment = Appointment {
        uid: "uid".into(),
        details,
        repetition: Some(repetition),
        lone_instance: None,
        created: start,
        modified: start,
    };
    appointment.delete_occurrence(first, start).unwrap();
    appointment
}

fn shown(appointment: &Appointment, shape: &ItemShape, occurrence: Option<usize>) -> CalendarItem {
    let key = ItemKey { mailbox: MailboxKey(1), folder: FolderKind::Calendar, number: 1, occurrence: None };
    let (key, shown) = match occurrence {
        Some(index) => {
            let original = appointment.original_at(index).unwrap();
            (key.at(original), appointment.occurrence(original).unwrap())
        }
        None => (key, appointment.stored()),
    };
    let subject = Subject { address: "m0001@sim.test", key, version: 5, appointment };
    present(&subject, &shown, &Wanted::of(shape))
}

#[test]
fn only_what_was_asked_for() {
    let appointment = series();
    let item = shown(&appointment, &ItemShape::id_only(), None);
    assert_eq!(item, CalendarItem { item_id: item.item_id.clone(), ..CalendarItem::default() });

    let shape = ItemShape::with_fields(["calendar:UID", "calendar:Start", "calendar:RecurrenceId"]);
    let item = shown(&appointment, &shape, None);
    let only = CalendarItem {
        item_id: item.item_id.clone(),
        uid: Some("uid".into()),
        start: Some("2026-03-16T08:00:00Z".parse().unwrap()),
        ..CalendarItem::default()
    };
    assert_eq!(item, only, "a master has no RecurrenceId");
    let item = shown(&appointment, &shape, Some(2));
    assert_eq!(item.recurrence_id, Some("2026-03-23T08:00:00Z".parse().unwrap()));
}

#[test]
fn all_properties_are_without_zones_and_isrecurring_is_false_on_a_master() {
    let appointment = series();
    let all = ItemShape { base: BaseShape::AllProperties, ..ItemShape::id_only() };
    let master = shown(&appointment, &all, None);
    assert_eq!((master.start_time_zone, master.is_recurring), (None, Some(false)));
    assert_eq!(master.kind, Some(Kind::RecurringMaster));
    assert_eq!(master.duration.as_deref(), Some("PT1H30M"));
    assert_eq!(master.deleted_occurrences.len(), 1);
    assert_eq!(master.first_occurrence.unwrap().start, "2026-03-23T08:00:00Z".parse().unwrap());
    assert_eq!(master.last_occurrence.unwrap().start, "2026-03-30T07:00:00Z".parse().unwrap());
    let occurrence = shown(&appointment, &all, Some(2));
    assert_eq!(occurrence.is_recurring, Some(true));
    assert_eq!(occurrence.deleted_occurrences, []);
    let zone = shown(&appointment, &ItemShape::with_fields(["calendar:StartTimeZone"]), None).start_time_zone;
    assert_eq!(zone.unwrap().id.as_deref(), Some("Romance Standard Time"));
}

#[test]
fn a_view_has_no_body_and_a_sparse_one_no_recurrence_id() {
    let appointment = series();
    let shape = ItemShape { base: BaseShape::AllProperties, ..ItemShape::id_only() };
    let original = appointment.original_at(2).unwrap();
    let key = ItemKey {
        mailbox: MailboxKey(1),
        folder: FolderKind::Calendar,
        number: 1,
        occurrence: Some(original),
    };
    let subject = Subject { address: "m0001@sim.test", key, version: 5, appointment: &appointment };
    let occurrence = appointment.occurrence(original).unwrap();
    let full = present(&subject, &occurrence, &Wanted::of(&shape).in_view(false));
    assert!(full.body.is_none() && full.required_attendees.is_empty() && full.recurrence_id.is_some());
    let sparse = present(&subject, &occurrence, &Wanted::of(&shape).in_view(true));
    assert_eq!(sparse.recurrence_id, None);
}

#[test]
fn bodies_and_durations() {
    assert_eq!(body("1 < 2", BodyType::Text, BodyType::Best).text, "1 < 2");
    let html = body("1 < 2", BodyType::Text, BodyType::Html);
    assert_eq!((html.body_type, html.text.contains("1 &lt; 2")), (BodyType::Html, true));
    let start: Timestamp = "2026-03-16T08:00:00Z".parse().unwrap();
    for (minutes, expected) in
        [(0, "PT0M"), (60, "PT1H"), (1_440, "P1D"), (1_441, "P1DT1M"), (4_410, "P3DT1H30M")]
    {
        assert_eq!(duration(start, start + jiff::SignedDuration::from_mins(minutes)), expected);
    }
}
