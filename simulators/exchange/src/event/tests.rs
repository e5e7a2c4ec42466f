//! Goal: each action raises the events of the reference's table, two to six, in cause order, and each
//! kind of subscription sees the ones that concern it.
use super::*;
use crate::ids::MailboxKey;

fn item(number: u64, folder: FolderKind) -> ItemKey {
    ItemKey { mailbox: MailboxKey(1), folder, number, occurrence: None }
}

fn at() -> Timestamp {
    "2026-03-02T09:15:07Z".parse().unwrap()
}

fn names(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event.object {
            Object::Item(_) => event.kind.as_str().trim_end_matches("Event").to_owned(),
            Object::Folder(folder) => {
                format!("{}({})", event.kind.as_str().trim_end_matches("Event"), folder.distinguished())
            }
        })
        .collect()
}

#[test]
fn each_action_raises_its_events() {
    let calendar = FolderKind::Calendar;
    for (action, number, takes_time, expected) in [
        (Action::Created, 1, true, &["Created", "FreeBusyChanged", "Modified(calendar)"][..]),
        (Action::Created, 1, false, &["Created", "Modified(calendar)"]),
        (
            Action::Created,
            3,
            true,
            &["Created", "FreeBusyChanged", "Modified", "FreeBusyChanged", "Modified", "Modified(calendar)"],
        ),
        (
            Action::Changed { free_busy: true },
            1,
            true,
            &["Modified", "FreeBusyChanged", "Modified(calendar)"],
        ),
        (Action::Changed { free_busy: false }, 1, true, &["Modified", "Modified(calendar)"]),
        (Action::Deleted, 1, true, &["Deleted", "Modified(calendar)"]),
    ] {
        assert_eq!(names(&events(action, item(number, calendar), takes_time, at())), expected, "{action:?}");
    }
}

#[test]
fn a_deletion_by_the_user_is_a_move_with_a_new_id() {
    let (old, new) = (item(1, FolderKind::Calendar), item(2, FolderKind::DeletedItems));
    let all = events(Action::Moved { old }, new, true, at());
    let seen: Vec<Event> = all
        .iter()
        .filter(|event| event.concerns(FolderKind::Calendar, Some(FolderKind::Calendar)))
        .copied()
        .collect();
    assert_eq!(
        names(&seen),
        ["Modified", "FreeBusyChanged", "Modified", "Moved", "FreeBusyChanged", "Modified(calendar)"]
    );
    let moved = seen[3];
    assert_eq!((moved.object, moved.parent), (Object::Item(new), FolderKind::DeletedItems));
    assert_eq!(moved.old, Some((old, FolderKind::Calendar)));
    assert_eq!(seen[4].object, Object::Item(new), "the late event carries the new id");
    assert_eq!(seen[4].parent, FolderKind::DeletedItems);
}

#[test]
fn all_folders_see_a_move_as_deletion_and_creation() {
    let (old, new) = (item(1, FolderKind::Calendar), item(2, FolderKind::DeletedItems));
    let all = events_of_all_folders(&events(Action::Moved { old }, new, false, at()));
    assert_eq!(names(&all), ["Deleted", "Created", "Modified(calendar)", "Modified(deleteditems)"]);
    assert_eq!(all[0].object, Object::Item(old));
    assert_eq!(all[1].object, Object::Item(new));
    assert!(all.iter().all(|event| event.old.is_none()));
}

#[test]
fn a_move_into_the_calendar_concerns_it() {
    let (old, new) = (item(1, FolderKind::DeletedItems), item(2, FolderKind::Calendar));
    let all = events(Action::Moved { old }, new, false, at());
    assert!(all[0].concerns(FolderKind::Calendar, Some(FolderKind::DeletedItems)));
    assert_eq!(all[0].parent, FolderKind::Calendar);
    let inbox = all.iter().filter(|event| event.concerns(FolderKind::Inbox, Some(FolderKind::DeletedItems)));
    assert_eq!(inbox.count(), 0);
}
