//! Goal: an item becomes exactly the appointment that it is; what is missing is not invented.

use proto_ews::TimeZoneDefinition;

use super::*;

fn item() -> CalendarItem {
    CalendarItem {
        uid: Some("U1".into()),
        recurrence_id: Some("2026-03-09T08:00:00Z".parse().unwrap()),
        start: Some("2026-03-09T09:00:00Z".parse().unwrap()),
        end: Some("2026-03-09T10:00:00Z".parse().unwrap()),
        is_all_day: Some(true),
        free_busy: Some(proto_ews::FreeBusy::Oof),
        is_cancelled: Some(true),
        is_recurring: Some(false),
        kind: Some(CalendarItemKind::Exception),
        start_time_zone: Some(TimeZoneDefinition::id("Romance Standard Time")),
        start_time_zone_id: Some("tzone://Microsoft/Utc".into()),
        ..CalendarItem::default()
    }
}

#[test]
fn every_field_is_carried_over() {
    let expected = Appointment {
        item_id: ItemId::new("I"),
        uid: Some(Uid::new("U1")),
        kind: AppointmentKind::Exception,
        recurrence_id: Some("2026-03-09T08:00:00Z".parse().unwrap()),
        slot: Slot {
            start: "2026-03-09T09:00:00Z".parse().unwrap(),
            end: "2026-03-09T10:00:00Z".parse().unwrap(),
        },
        is_all_day: true,
        free_busy: FreeBusy::Oof,
        is_cancelled: true,
        zone: Some("Romance Standard Time".into()),
    };
    assert_eq!(from_item(ItemId::new("I"), &mut item().clone()), Ok(expected));
}

#[test]
fn what_a_server_leaves_out_takes_its_harmless_value() {
    let bare = CalendarItem { start: item().start, end: item().end, ..CalendarItem::default() };
    let appointment = from_item(ItemId::new("I"), &mut bare.clone()).unwrap();
    assert_eq!(
        (appointment.kind, appointment.free_busy, appointment.is_cancelled, appointment.is_all_day),
        (AppointmentKind::Single, FreeBusy::NoData, false, false)
    );
    assert_eq!((appointment.uid, appointment.zone, appointment.recurrence_id), (None, None, None));
    let empty_uid = CalendarItem { uid: Some(String::new()), ..bare };
    assert_eq!(from_item(ItemId::new("I"), &mut empty_uid.clone()).unwrap().uid, None);
}

#[test]
fn an_item_without_times_is_none() {
    let no_start = CalendarItem { start: None, ..item() };
    let no_end = CalendarItem { end: None, ..item() };
    assert_eq!(from_item(ItemId::new("I"), &mut no_start.clone()), Err(Incomplete("an item without start")));
    assert_eq!(from_item(ItemId::new("I"), &mut no_end.clone()), Err(Incomplete("an item without end")));
}
