//! Appointments that no sensible client makes.

use std::collections::BTreeSet;

use end_to_end::command::operate;
use end_to_end::scene::ZONE;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kommuneklient::demo::changes::Horizon;
use kommuneklient::demo::listing;
use kommuneklient::demo::oracle::Listed;
use proto_ews::{CalendarItem, DeleteType, ItemId, ItemRef, TimeZoneDefinition, field};
use serde_json::json;

use crate::PROGRAM;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_appointments_are_brought_as_they_are_or_left_and_hold_up_nobody() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let long = "ø".repeat(500);
    let strange = [
        "WITH$20310304-090000".to_owned(),
        "WITH#0123456789abcdef".to_owned(),
        "<&>\"'&amp;]]>".to_owned(),
        "  blanks  inside and around  ".to_owned(),
        long.clone(),
    ];
    for (number, uid) in strange.iter().enumerate() {
        let item = scene.appointment(uid, 3 + i64::try_from(number).unwrap());
        scene.outlook.create(&mailbox(1), item).await.unwrap();
    }
    // never ends, as far as Exchange can say so
    let endless = CalendarItem {
        end: Some("9999-12-30T21:00:00Z".parse().unwrap()),
        ..scene.appointment("ENDLESS", 4)
    };
    scene.outlook.create(&mailbox(2), endless).await.unwrap();
    // without a UID
    let nameless = scene.outlook.create(&mailbox(2), scene.appointment("NAMED", 5)).await.unwrap();
    let without = CalendarItem { uid: Some(String::new()), ..CalendarItem::default() };
    scene.outlook.update(&mailbox(2), nameless.into(), vec![(field::UID, without)]).await.unwrap();
    // ends before it starts
    let backward = scene.outlook.create(&mailbox(2), scene.appointment("BACKWARD", 6)).await.unwrap();
    scene
        .exchange_act(json!({
            "act": "distort", "mailbox": mailbox(2), "item": backward.id,
            "start": scene.at(6, 12), "end": scene.at(6, 8),
        }))
        .await;
    scene.outlook.create(&mailbox(3), scene.appointment("PLAIN", 3)).await.unwrap();
    let held = scene.until_in_step().await;
    let origins_of = |owner: &str| -> BTreeSet<&str> {
        held.keys().filter(|(mail, _)| mail == owner).map(|(_, origin)| origin.as_str()).collect()
    };
    // a UID is the name as it stands, to the last character: nothing is cut, replaced or taken for a mark of our own
    assert_eq!(origins_of(&mailbox(1)), strange.iter().map(String::as_str).collect::<BTreeSet<_>>());
    let (nameless, named): (Vec<&str>, Vec<&str>) =
        origins_of(&mailbox(2)).into_iter().partition(|origin| origin.starts_with("ITEM#"));
    assert_eq!((nameless.len(), named.as_slice()), (1, ["ENDLESS"].as_slice()), "{nameless:?} {named:?}");
    assert_eq!(nameless[0].len(), "ITEM#0123456789abcdef".len(), "{nameless:?}");
    assert_eq!(origins_of(&mailbox(3)), BTreeSet::from(["PLAIN"]));
    assert_eq!(held.len(), strange.len() + 3);

    // what Planner tells of them by these names is what was decided: nothing is sent once more
    wait_for("all receipts", async || match scene.count(WAITING).await {
        0 => Ok(()),
        waiting => Err(format!("{waiting} wait")),
    })
    .await;
    let before = changes_sent(&scene).await;
    let compared = operate(PROGRAM, &scene.configuration, "compare --all --wait --timeout 1m").await;
    assert_eq!(compared.status, 0, "{compared:?}");
    assert_eq!(scene.count(WAITING).await, 0, "the comparison found a difference");
    assert_eq!(changes_sent(&scene).await, before);
    assert_eq!(scene.until_in_step().await, held);
    scene.assert_unharmed().await;
}

/// A daily series of which every one of 3,000 occurrences was moved by an hour, half of them gone by, as a calendar file.
fn much_changed_series(scene_begins: Date) -> String {
    let day = |n: i64| scene_begins.saturating_add((n - 1_500).days()).strftime("%Y%m%d").to_string();
    let series = format!(
        "BEGIN:VEVENT\r\nUID:MUCH-CHANGED\r\nDTSTART:{0}T080000Z\r\nDTEND:{0}T083000Z\r\nRRULE:FREQ=DAILY;COUNT=3000\r\n\
         END:VEVENT\r\n",
        day(0)
    );
    let exception = |n| {
        format!(
            "BEGIN:VEVENT\r\nUID:MUCH-CHANGED\r\nRECURRENCE-ID:{0}T080000Z\r\nDTSTART:{0}T090000Z\r\nDTEND:{0}T093000Z\r\n\
             END:VEVENT\r\n",
            day(n)
        )
    };
    let exceptions: String = (0..3_000).map(exception).collect();
    format!("BEGIN:VCALENDAR\r\n{series}{exceptions}END:VCALENDAR\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_with_3000_exceptions_is_brought_and_one_change_in_it_is_one_change_to_planner() {
    let folder = tempfile::tempdir().unwrap();
    let today = base::Clock::now(&base::SystemClock).in_tz(ZONE).unwrap().date();
    std::fs::write(folder.path().join("m0001.ics"), much_changed_series(today)).unwrap();
    let setting = Setting { calendars: Some(folder.path().to_owned()), ..Setting::default() };
    let mut scene = Scene::ready(PROGRAM, setting).await;
    // three months of days, each with the name of its original start
    let held = scene.until_in_step().await;
    assert!((89..=93).contains(&held.len()), "{}", held.len());
    assert!(
        held.keys().all(|(mail, origin)| *mail == mailbox(1) && origin.starts_with("MUCH-CHANGED$")),
        "{held:?}"
    );
    wait_for("all receipts", async || match scene.count(WAITING).await {
        0 => Ok(()),
        waiting => Err(format!("{waiting} wait")),
    })
    .await;
    let before = changes_sent(&scene).await;

    // one is moved, one is deleted, and the mailbox's other appointments and those of others go on
    let horizon = Horizon::at(scene.clock.now(), &TimeZone::get(ZONE).unwrap(), 3);
    let listed = listing::listed(&scene.exchange, &horizon).await.unwrap();
    let on = |days: i64| {
        let date = scene.at(days, 12).in_tz(ZONE).unwrap().date();
        let there = |one: &&Listed| one.times.0.in_tz(ZONE).unwrap().date() == date;
        ItemRef::from(ItemId::new(listed.iter().find(there).unwrap().item_id.clone()))
    };
    scene.outlook.update(&mailbox(1), on(10), scene.new_times(10)).await.unwrap();
    scene.outlook.delete(&mailbox(1), on(20), DeleteType::MoveToDeletedItems).await.unwrap();
    scene.outlook.create(&mailbox(1), scene.appointment("OWN", 30)).await.unwrap();
    scene.outlook.create(&mailbox(2), scene.appointment("OTHER", 30)).await.unwrap();
    let after = scene.until_in_step().await;
    let moved = (scene.at(10, 13), scene.at(10, 14));
    assert_eq!(after.values().filter(|times| **times == moved).count(), 1);
    assert_eq!(after.len(), held.len() + 1);
    let unchanged = held.iter().filter(|(key, times)| after.get(*key) == Some(*times)).count();
    assert_eq!(unchanged, held.len() - 2);
    let calls = changes_sent(&scene).await;
    let more: Vec<_> = calls.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(more[1..], [1, 1], "updates and deletions");
    scene.assert_unharmed().await;
}

/// What is still to be sent, or has no receipt yet.
const WAITING: &str = "select count(*) from calendar_event where pending";

/// The calls so far that create, update and delete, by Planner's own meter.
async fn changes_sent(scene: &Scene) -> [u64; 3] {
    let calls = scene.planner.meter().await.unwrap().calls;
    ["CreateEvents", "UpdateEvents", "DeleteEvents"]
        .map(|operation| calls.get(operation).copied().unwrap_or_default())
}

/// The name of a zone that nobody knows, as somebody outside may have written it.
const NOWHERE: &str = "Marked-Nowhere-4e7d Standard Time";

/// A whole day of that zone.
async fn a_day_nowhere(scene: &Scene, owner: &str) -> ItemId {
    let copenhagen = TimeZoneDefinition::id("Romance Standard Time");
    let (start, end) = (scene.at(4, 0), scene.at(5, 0));
    let day = CalendarItem {
        start: Some(start),
        end: Some(end),
        is_all_day: Some(true),
        start_time_zone: Some(copenhagen.clone()),
        end_time_zone: Some(copenhagen),
        ..scene.appointment("DAY", 4)
    };
    let id = scene.outlook.create(owner, day).await.unwrap();
    scene
        .exchange_act(json!({
            "act": "distort", "mailbox": owner, "item": id.id, "start": start, "end": end, "zone": NOWHERE,
        }))
        .await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_nobody_knows_is_told_its_days_stand_and_its_name_is_in_no_log() {
    let setting =
        Setting { configuration: vec![("telemetry", "log_filter", "\"trace\"")], ..Setting::default() };
    let mut scene = Scene::new(PROGRAM, setting).await;
    // found by the first full reading
    a_day_nowhere(&scene, &mailbox(1)).await;
    scene.start_service().await;
    scene.until_ready().await;
    scene.until_raised(9120, &mailbox(1)).await;
    // found by a notification
    a_day_nowhere(&scene, &mailbox(2)).await;
    scene.until_raised(9120, &mailbox(2)).await;
    let held = scene.until_in_step().await;
    let day = (scene.at(4, 0), scene.at(5, 0));
    assert_eq!(held.values().copied().collect::<Vec<_>>(), [day, day]);
    // and the rest goes on
    scene.outlook.create(&mailbox(3), scene.appointment("PLAIN", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 3);
    scene.assert_unharmed().await;
    scene.stop_service().await;
    let log = scene.log();
    assert!(log.contains("\"level\":\"TRACE\"") && log.contains("zone_mark"), "the log is not talkative");
    for words in [NOWHERE, "Marked-Nowhere"] {
        assert_eq!(log.lines().find(|line| line.contains(words)), None, "{words}");
    }
    let told =
        "select count(*) from application_log where position('Marked-Nowhere' in application_log::text) > 0";
    assert_eq!(scene.count(told).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identifier_with_a_control_character_is_told_and_left_and_holds_up_nobody() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let (one, other) = (mailbox(1), mailbox(2));
    let unsendable = scene.appointment("CONTROL\tCHARACTER", 3);
    // found by the first full reading, and by a notification; others of the same mailbox are brought
    let mut strange = vec![(&one, scene.outlook.create(&one, unsendable.clone()).await.unwrap())];
    scene.start_service().await;
    scene.until_ready().await;
    scene.until_raised(9103, &one).await;
    strange.push((&other, scene.outlook.create(&other, unsendable).await.unwrap()));
    scene.until_raised(9103, &other).await;
    for owner in [&one, &other] {
        scene.outlook.create(owner, scene.appointment("PLAIN", 4)).await.unwrap();
    }
    wait_for("the others being brought", async || match scene.planner.listing().await {
        Ok(held) if held.keys().all(|(_, origin)| origin == "PLAIN") && held.len() == 2 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    for (owner, id) in strange {
        scene.outlook.delete(owner, id.into(), DeleteType::HardDelete).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
}
