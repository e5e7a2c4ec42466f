//! Goal: a client that follows SyncFolderItems ends up with what the folder holds, whatever happens
//! between and during its pages; ids change on a move and are never used again.
use std::collections::BTreeMap;

use super::*;
use crate::event::Object;
use crate::item::Details;
use crate::zone::Zone;
use proptest::prelude::*;
use proto_ews::EventKind;

fn now() -> Timestamp {
    "2026-03-02T09:15:07Z".parse().unwrap()
}

fn appointment(minute: i64) -> Appointment {
    let start = now() + jiff::SignedDuration::from_mins(minute);
    let details = Details::plain(start, start + jiff::SignedDuration::from_mins(30), Zone::utc());
    Appointment {
        uid: format!("uid-{minute}"),
        details,
        repetition: None,
        lone_instance: None,
        created: now(),
        modified: now(),
    }
}

fn mailbox() -> Mailbox {
    Mailbox::new("m0001@sim.test", 0, now())
}

const CALENDAR: FolderKind = FolderKind::Calendar;

/// What a client knows: ids, and the version of each.
#[derive(Debug, Default, PartialEq)]
struct Client {
    items: BTreeMap<u64, u64>,
    state: Option<SyncState>,
}

impl Client {
    /// Takes one page; says whether it was the last.
    fn page(&mut self, mailbox: &Mailbox, limit: usize) -> bool {
        let page = mailbox.sync(CALENDAR, self.state, limit).unwrap();
        assert!(page.changes.len() <= limit);
        for change in &page.changes {
            match change {
                Change::Create(number) | Change::Update(number) => {
                    self.items.insert(*number, mailbox.item(*number).unwrap().changed_at);
                }
                Change::Delete(key) => {
                    self.items.remove(&key.number);
                }
            }
        }
        // through the wire
        self.state = Some(SyncState::parse(&page.next.encode()).unwrap());
        page.last
    }

    fn finish(&mut self, mailbox: &Mailbox, limit: usize) {
        for _ in 0..1_000 {
            if self.page(mailbox, limit) {
                return;
            }
        }
        panic!("the rounds do not end");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Create,
    Update(usize),
    Delete(usize),
    ToTrash(usize),
    Back(usize),
    Page,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Create),
        3 => any::<usize>().prop_map(Step::Update),
        1 => any::<usize>().prop_map(Step::Delete),
        1 => any::<usize>().prop_map(Step::ToTrash),
        1 => any::<usize>().prop_map(Step::Back),
        3 => Just(Step::Page),
    ];
    proptest::collection::vec(step, 0..60)
}

fn pick(mailbox: &Mailbox, folder: FolderKind, index: usize) -> Option<ItemKey> {
    let all: Vec<_> = mailbox.items().filter(|(_, stored)| stored.folder == folder).map(|(n, _)| n).collect();
    (!all.is_empty()).then(|| mailbox.key_of(all[index % all.len()], folder))
}

proptest! {
    #[test]
    fn a_client_that_follows_holds_what_the_folder_holds(steps in steps(), limit in 1usize..6) {
        let (mut mailbox, mut client) = (mailbox(), Client::default());
        let mut last_number = 0;
        for step in steps {
            match step {
                Step::Create => {
                    let (key, _) = mailbox.create(CALENDAR, appointment(1), now());
                    prop_assert!(key.number > last_number);
                    last_number = key.number;
                }
                Step::Update(index) => if let Some(key) = pick(&mailbox, CALENDAR, index) {
                    let outcome = mailbox.update(key, now(), |item| { item.uid += "+"; Ok::<_, ()>(()) });
                    prop_assert!(matches!(outcome, Some(Ok(_))));
                },
                Step::Delete(index) => if let Some(key) = pick(&mailbox, CALENDAR, index) {
                    prop_assert!(mailbox.delete(key, now()).is_some());
                    prop_assert!(mailbox.find(key).is_none());
                },
                Step::ToTrash(index) => if let Some(key) = pick(&mailbox, CALENDAR, index) {
                    let (new, _) = mailbox.move_to(key, FolderKind::DeletedItems, now()).unwrap();
                    prop_assert!(new.number > last_number && mailbox.find(key).is_none());
                    last_number = new.number;
                },
                Step::Back(index) => if let Some(key) = pick(&mailbox, FolderKind::DeletedItems, index) {
                    let (new, _) = mailbox.move_to(key, CALENDAR, now()).unwrap();
                    last_number = new.number;
                },
                Step::Page => { client.page(&mailbox, limit); }
            }
        }
        client.finish(&mailbox, limit);
        let held: BTreeMap<u64, u64> = mailbox
            .items()
            .filter(|(_, stored)| stored.folder == CALENDAR)
            .map(|(number, stored)| (number, stored.changed_at))
            .collect();
        prop_assert_eq!(client.items, held);
        // and nothing more to say
        let quiet = mailbox.sync(CALENDAR, client.state, limit).unwrap();
        prop_assert!(quiet.last && quiet.changes.is_empty());
    }
}

#[test]
fn newest_first_in_pages() {
    let mut mailbox = mailbox();
    let numbers: Vec<u64> =
        (0..5).map(|minute| mailbox.create(CALENDAR, appointment(minute), now()).0.number).collect();
    let first = mailbox.sync(CALENDAR, None, 2).unwrap();
    assert_eq!(first.changes, [Change::Create(numbers[4]), Change::Create(numbers[3])]);
    assert!(!first.last);
    let second = mailbox.sync(CALENDAR, Some(first.next), 2).unwrap();
    assert_eq!(second.changes, [Change::Create(numbers[2]), Change::Create(numbers[1])]);
    let third = mailbox.sync(CALENDAR, Some(second.next), 2).unwrap();
    assert_eq!(third.changes, [Change::Create(numbers[0])]);
    assert!(third.last);
}

#[test]
fn what_came_and_went_between_two_rounds_is_not_told() {
    let mut mailbox = mailbox();
    let state = mailbox.sync(CALENDAR, None, 10).unwrap().next;
    let (key, _) = mailbox.create(CALENDAR, appointment(1), now());
    mailbox.delete(key, now()).unwrap();
    assert_eq!(mailbox.sync(CALENDAR, Some(state), 10).unwrap().changes, []);
}

#[test]
fn states_of_others_are_refused() {
    let (mine, mut other) = (mailbox(), Mailbox::new("m0002@sim.test", 0, now()));
    other.create(CALENDAR, appointment(1), now());
    let state = other.sync(CALENDAR, None, 10).unwrap().next;
    assert_eq!(mine.sync(CALENDAR, Some(state), 10), Err(StaleState));
    assert_eq!(other.sync(FolderKind::Inbox, Some(state), 10), Err(StaleState));
    // a server that was started anew knows nothing of the state, and uses no id again
    let mut anew = Mailbox::new("m0002@sim.test", 0, now() + jiff::SignedDuration::from_secs(1));
    assert_eq!(anew.sync(CALENDAR, Some(state), 10), Err(StaleState));
    let (key, _) = anew.create(CALENDAR, appointment(1), now());
    assert!(other.find(key).is_none());
}

#[test]
fn deletions_are_remembered_up_to_a_limit() {
    let mut mailbox = mailbox();
    let (kept, _) = mailbox.create(CALENDAR, appointment(0), now());
    let old = mailbox.sync(CALENDAR, None, 10).unwrap().next;
    for minute in 0..=i64::try_from(MAX_DELETIONS).unwrap() {
        let (key, _) = mailbox.create(CALENDAR, appointment(minute), now());
        mailbox.delete(key, now()).unwrap();
    }
    assert!(mailbox.deletions() <= MAX_DELETIONS);
    assert_eq!(mailbox.sync(CALENDAR, Some(old), 10), Err(StaleState));
    let anew = mailbox.sync(CALENDAR, None, 10).unwrap();
    assert_eq!(anew.changes, [Change::Create(kept.number)]);
}

#[test]
fn only_changes_of_times_and_status_change_free_busy() {
    let mut mailbox = mailbox();
    let (key, _) = mailbox.create(CALENDAR, appointment(1), now());
    let kinds = |events: Vec<Event>| -> Vec<EventKind> { events.iter().map(|event| event.kind).collect() };
    let events = mailbox.update(key, now(), |item| {
        item.details.subject = "other".into();
        Ok::<_, ()>(())
    });
    assert_eq!(kinds(events.unwrap().unwrap()), [EventKind::Modified, EventKind::Modified]);
    let events = mailbox.update(key, now(), |item| {
        item.details.end += jiff::SignedDuration::from_mins(5);
        Ok::<_, ()>(())
    });
    assert_eq!(
        kinds(events.unwrap().unwrap()),
        [EventKind::Modified, EventKind::FreeBusyChanged, EventKind::Modified]
    );
    let version = mailbox.version();
    let refused = mailbox.update(key, now(), |item| {
        item.uid.clear();
        Err("no")
    });
    assert_eq!(refused.unwrap().unwrap_err(), "no");
    assert_eq!((mailbox.version(), mailbox.find(key).unwrap().appointment.uid.as_str()), (version, "uid-1"));
}

#[test]
fn a_change_of_one_occurrence_is_one_of_the_master() {
    let mut mailbox = mailbox();
    let mut series = appointment(1);
    let first = Zone::utc().local(series.details.start);
    let rule = crate::series::Series::new(first, "FREQ=DAILY;COUNT=3", []).unwrap();
    series.repetition = Some(crate::item::Repetition::new(rule, None));
    let (key, _) = mailbox.create(CALENDAR, series, now());
    let events = mailbox.update(key.at(first), now(), |item| item.delete_occurrence(first, now()));
    let events = events.unwrap().unwrap();
    assert_eq!(events[0].object, Object::Item(key), "the master, not the occurrence");
    assert!(events.iter().any(|event| event.kind == EventKind::FreeBusyChanged));
    let later = now() + jiff::SignedDuration::from_hours(24 * 30);
    let shown = view(&mailbox.calendar(), now(), later);
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|(key, ..)| key.occurrence.is_some()));
}
