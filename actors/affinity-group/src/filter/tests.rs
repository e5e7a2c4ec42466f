//! Goal: whatever concerns the calendar is kept, in order, with all that is known; what surely does not is
//! left out; doubt keeps. Method: the actions of the reference's table of events.

use calendar::ItemId;

use super::*;

fn mail() -> MailAddress {
    MailAddress::parse("m1@sim.test").unwrap()
}

fn calendar() -> FolderId {
    FolderId::new("AAMkcalendar")
}

fn at() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

fn event(kind: ChangeKind, parent: &str) -> Event {
    Event {
        kind,
        subject: EventSubject::Item { id: ItemId::new("i"), old_id: None, old_parent: None },
        parent: Some(FolderId::new(parent)),
        at: Some(at()),
    }
}

fn moved(parent: &str, old_parent: &str) -> Event {
    Event {
        subject: EventSubject::Item {
            id: ItemId::new("new"),
            old_id: Some(ItemId::new("old")),
            old_parent: Some(FolderId::new(old_parent)),
        },
        ..event(ChangeKind::Moved, parent)
    }
}

fn folder(id: &str) -> Event {
    Event { subject: EventSubject::Folder(FolderId::new(id)), ..event(ChangeKind::Modified, "AAMkroot") }
}

fn sorted(events: Vec<Event>) -> Sorted {
    sort(&mail(), &calendar(), events, at(), None)
}

fn kinds(events: Vec<Event>) -> Vec<NotificationKind> {
    sorted(events).notifications.iter().map(|n| n.kind).collect()
}

#[test]
fn a_new_appointment_keeps_its_events_in_order() {
    let kept = sorted(vec![
        event(ChangeKind::Created, "AAMkcalendar"),
        event(ChangeKind::FreeBusyChanged, "AAMkcalendar"),
        event(ChangeKind::Modified, "AAMkcalendar"),
        folder("AAMkcalendar"),
    ]);
    let kinds: Vec<_> = kept.notifications.iter().map(|n| n.kind).collect();
    use NotificationKind as K;
    assert_eq!(kinds, [K::Created, K::FreeBusyChanged, K::Modified]);
    assert!(kept.folder_event);
    let first = &kept.notifications[0];
    assert_eq!((first.exchange_timestamp, first.received_at), (Some(at()), at()));
    assert_eq!(first.item_id, Some(ItemId::new("i")));
}

#[test]
fn moves_out_of_and_into_the_calendar_are_kept_and_others_not() {
    let out = sorted(vec![moved("AAMktrash", "AAMkcalendar")]);
    assert_eq!(out.notifications[0].old_item_id, Some(ItemId::new("old")));
    assert_eq!(kinds(vec![moved("AAMkcalendar", "AAMktrash")]), [NotificationKind::Moved]);
    assert_eq!(kinds(vec![moved("AAMktrash", "AAMkinbox")]), []);
}

#[test]
fn events_of_other_folders_are_left_out_unless_the_encodings_differ() {
    assert_eq!(kinds(vec![event(ChangeKind::FreeBusyChanged, "AAMktrash")]), []);
    assert_eq!(
        kinds(vec![event(ChangeKind::FreeBusyChanged, "AQMkwhatever")]),
        [NotificationKind::FreeBusyChanged]
    );
    let unknown = Event { parent: None, ..event(ChangeKind::Deleted, "") };
    assert_eq!(kinds(vec![unknown]), [NotificationKind::Deleted]);
    assert!(!sorted(vec![folder("AAMktrash")]).folder_event);
    assert!(sorted(vec![folder("AQMkwhatever")]).folder_event);
}

#[test]
fn every_kind_of_change_has_its_name() {
    for (from, to) in [
        (ChangeKind::Created, NotificationKind::Created),
        (ChangeKind::Modified, NotificationKind::Modified),
        (ChangeKind::Deleted, NotificationKind::Deleted),
        (ChangeKind::Moved, NotificationKind::Moved),
        (ChangeKind::Copied, NotificationKind::Copied),
        (ChangeKind::FreeBusyChanged, NotificationKind::FreeBusyChanged),
    ] {
        assert_eq!(kind(from), to);
    }
}
