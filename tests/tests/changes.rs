//! Goal: every kind of change in a calendar reaches Planner. Method: real changes over EWS, the oracle's word on
//! what Planner should hold, nothing looked at inside the product.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use end_to_end::{Scene, Setting};
use jiff::{Timestamp, ToSpan, Zoned};
use proto_ews::{
    CalendarItem, DeleteType, FreeBusy, ItemRef, Recurrence, RecurrencePattern, RecurrenceRange,
    TimeZoneDefinition, field,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const MAILBOX: &str = "m0001@sim.test";

/// `days` from now at `hour` o'clock, local time.
fn at(scene: &Scene, days: i64, hour: i8) -> Timestamp {
    let now: Zoned = scene.clock.now().in_tz("Europe/Copenhagen").unwrap();
    let day = now.date().saturating_add(days.days());
    day.at(hour, 0, 0, 0).in_tz("Europe/Copenhagen").unwrap().timestamp()
}

fn appointment(scene: &Scene, uid: &str, days: i64, hour: i8) -> CalendarItem {
    CalendarItem {
        subject: Some("marked-subject-77aa".into()),
        uid: Some(uid.into()),
        start: Some(at(scene, days, hour)),
        end: Some(at(scene, days, hour + 1)),
        free_busy: Some(FreeBusy::Busy),
        start_time_zone: Some(TimeZoneDefinition::id("Romance Standard Time")),
        end_time_zone: Some(TimeZoneDefinition::id("Romance Standard Time")),
        ..CalendarItem::default()
    }
}

fn with(set: impl FnOnce(&mut CalendarItem)) -> CalendarItem {
    let mut item = CalendarItem::default();
    set(&mut item);
    item
}

fn origins<'a>(held: impl IntoIterator<Item = &'a (String, String)>) -> Vec<&'a str> {
    held.into_iter().map(|(_, origin)| origin.as_str()).collect()
}

/// As in the original, for measuring beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_wake_ups_changes_go_by_the_intervals() {
    let configuration = vec![
        ("database", "wake_ups", "false"),
        ("qualifier", "notification_processing_interval", "\"300ms\""),
        ("planner", "calendar_event_update_interval", "\"300ms\""),
    ];
    let scene = Scene::ready(PROGRAM, Setting { configuration, ..Setting::default() }).await;
    scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3, 9)).await.unwrap();
    assert_eq!(origins(scene.until_in_step().await.keys()), ["UID-1"]);
    assert!(scene.log().contains("database.wake_ups is false"), "what is slow on purpose is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_appointment_is_created_changed_and_deleted() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3, 9)).await.unwrap();
    let held = scene.until_in_step().await;
    assert_eq!(origins(held.keys()), ["UID-1"]);
    assert_eq!(held.values().next().unwrap().0, at(&scene, 3, 9));

    let (start, end) = (at(&scene, 4, 13), at(&scene, 4, 15));
    let times =
        vec![(field::START, with(|i| i.start = Some(start))), (field::END, with(|i| i.end = Some(end)))];
    scene.outlook.update(MAILBOX, id.clone().into(), times).await.unwrap();
    let held = scene.until_in_step().await;
    assert_eq!(held.values().next(), Some(&(start, end)));

    // a changed subject is no change, and a changed status is
    let calls = scene.planner.meter().await.unwrap().calls;
    let subject = vec![(field::SUBJECT, with(|i| i.subject = Some("marked-subject-77bb".into())))];
    scene.outlook.update(MAILBOX, id.clone().into(), subject).await.unwrap();
    let free = vec![(field::LEGACY_FREE_BUSY_STATUS, with(|i| i.free_busy = Some(FreeBusy::Free)))];
    scene.outlook.update(MAILBOX, id.clone().into(), free).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    let after = scene.planner.meter().await.unwrap().calls;
    assert_eq!(after.get("UpdateEvents"), calls.get("UpdateEvents"), "the subject was sent");
    assert_eq!(after.get("DeleteEvents"), Some(&1));

    let busy = vec![(field::LEGACY_FREE_BUSY_STATUS, with(|i| i.free_busy = Some(FreeBusy::Oof)))];
    scene.outlook.update(MAILBOX, id.clone().into(), busy).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.outlook.delete(MAILBOX, id.into(), DeleteType::HardDelete).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_appointment_that_moves_out_and_back_keeps_its_key() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3, 9)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    let away = scene.outlook.move_to(MAILBOX, id.clone(), "deleteditems").await.unwrap();
    assert_ne!(away.id, id.id);
    assert_eq!(scene.until_in_step().await.len(), 0);
    let back = scene.outlook.move_to(MAILBOX, away, "calendar").await.unwrap();
    assert_eq!(origins(scene.until_in_step().await.keys()), ["UID-1"]);
    scene.outlook.delete(MAILBOX, back.into(), DeleteType::MoveToDeletedItems).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_with_an_exception_and_a_deleted_occurrence() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let mut series = appointment(&scene, "SERIES-1", 2, 10);
    let first = at(&scene, 2, 10).in_tz("Europe/Copenhagen").unwrap().date();
    series.recurrence = Some(Recurrence {
        pattern: RecurrencePattern::Daily { interval: 7 },
        range: RecurrenceRange::Numbered { start: first, occurrences: 5 },
    });
    let master = scene.outlook.create(MAILBOX, series).await.unwrap();
    let held = scene.until_in_step().await;
    assert_eq!(held.len(), 5);
    assert!(held.keys().all(|(_, origin)| origin.starts_with("SERIES-1$") && origin.ends_with("-100000")));

    let occurrence = |index| ItemRef::Occurrence {
        recurring_master_id: master.id.clone(),
        change_key: None,
        instance_index: index,
    };
    let (start, end) = (at(&scene, 10, 15), at(&scene, 10, 16));
    let times =
        vec![(field::START, with(|i| i.start = Some(start))), (field::END, with(|i| i.end = Some(end)))];
    scene.outlook.update(MAILBOX, occurrence(2), times).await.unwrap();
    scene.outlook.delete(MAILBOX, occurrence(4), DeleteType::MoveToDeletedItems).await.unwrap();
    let held = scene.until_in_step().await;
    assert_eq!(held.len(), 4);
    assert_eq!(held.values().filter(|times| **times == (start, end)).count(), 1, "{held:?}");
    // the exception keeps the name of its original start
    assert!(held.keys().all(|(_, origin)| origin.ends_with("-100000")));

    scene.outlook.delete(MAILBOX, master.into(), DeleteType::MoveToDeletedItems).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_days_and_several_mailboxes_in_several_groups() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 6, groups: 3, ..Setting::default() }).await;
    for number in 1..=6 {
        let mailbox = format!("m{number:04}@sim.test");
        let mut holiday = appointment(&scene, "SAME-UID", 5, 0);
        holiday.start = Some(at(&scene, 5, 0));
        holiday.end = Some(at(&scene, 7, 0));
        holiday.is_all_day = Some(true);
        scene.outlook.create(&mailbox, holiday).await.unwrap();
    }
    let held = scene.until_in_step().await;
    assert_eq!(held.len(), 6);
    assert!(held.values().all(|times| *times == (at(&scene, 5, 0), at(&scene, 7, 0))));
    scene.assert_no_violations().await;
}
