//! Goal: the full pull (B8) finds what nobody told of, deletes nothing in masses on its own, and makes up for nights in
//! which the service was down. Method: Exchange loses its events, so that only a full read can notice.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use calendar::codes;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::{CalendarItem, DeleteType, FreeBusy, ItemId};
use serde_json::json;
use store::operations::Scope;
use store::withheld::WithheldRun;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

/// Exchange tells of nothing from now on.
async fn events_are_lost(scene: &Scene) {
    scene.exchange_fault(json!({"kind": {"lose": {"what": "all"}}, "probability": 1.0})).await;
}

async fn create(scene: &Scene, uids: std::ops::Range<i64>) -> Vec<ItemId> {
    let mut items = Vec::new();
    for n in uids {
        let item = scene.appointment(&format!("UID-{n}"), 2 + n);
        items.push(scene.outlook.create(&mailbox(1), item).await.unwrap());
    }
    items
}

async fn delete(scene: &Scene, items: Vec<ItemId>) {
    for id in items {
        scene.outlook.delete(&mailbox(1), id.into(), DeleteType::HardDelete).await.unwrap();
    }
}

/// Asks for a full pull of all mailboxes and waits until it is over.
async fn pull(scene: &Scene) {
    let now = scene.clock.now();
    scene.database.store.ask_for_full_reads(&Scope::All, now).await.unwrap();
    until_read_since(scene, now).await;
}

async fn until_read_since(scene: &Scene, since: jiff::Timestamp) {
    wait_for("every mailbox being read in full", async || {
        let query = format!(
            "select count(*) from planner_resource where full_read_began_at is null or full_read_began_at < '{since}'"
        );
        match scene.count(&query).await {
            0 => Ok(()),
            left => Err(format!("{left} mailboxes left")),
        }
    })
    .await;
}

async fn withheld(scene: &Scene) -> Vec<WithheldRun> {
    scene.database.store.withheld_runs(false, scene.clock.now()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_finds_what_exchange_lost_without_a_word() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let items = create(&scene, 0..3).await;
    assert_eq!(scene.until_in_step().await.len(), 3);
    events_are_lost(&scene).await;
    create(&scene, 3..5).await;
    delete(&scene, items[..1].to_vec()).await;
    pull(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 4);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mass_deletion_that_nobody_told_of_waits_for_an_operator() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let items = create(&scene, 0..15).await;
    assert_eq!(scene.until_in_step().await.len(), 15);
    events_are_lost(&scene).await;
    delete(&scene, items).await;
    pull(&scene).await;
    let [run] = &withheld(&scene).await[..] else { panic!("one run") };
    assert_eq!((run.keys, run.there, run.mail.as_str()), (15, 15, mailbox(1).as_str()));
    scene.until_raised(codes::DELETES_WITHHELD.id, "withheld").await;
    // nothing was sent, and a second pull changes nothing
    pull(&scene).await;
    assert_eq!(scene.planner.listing().await.unwrap().len(), 15);
    let [run] = &withheld(&scene).await[..] else { panic!("one run") };
    scene.database.store.confirm_withheld(run.id, "Anna", scene.clock.now()).await.unwrap().unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    scene.assert_no_violations().await;
}

/// Of what is withheld, the appointments that stand in the calendar again are told and no longer wait for anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_withheld_and_comes_back_is_told_and_waits_for_nobody() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let items = create(&scene, 0..15).await;
    assert_eq!(scene.until_in_step().await.len(), 15);
    events_are_lost(&scene).await;
    delete(&scene, items).await;
    pull(&scene).await;
    assert_eq!(withheld(&scene).await.len(), 1);
    // restored, with new item ids
    create(&scene, 0..15).await;
    pull(&scene).await;
    let told = scene.until_raised(codes::WITHHELD_SEEN_AGAIN.id, &mailbox(1)).await;
    assert!(told.contains("\"keys\": 15"), "{told}");
    assert_eq!(withheld(&scene).await.len(), 0);
    assert_eq!(scene.until_in_step().await.len(), 15);
    let calls = scene.planner.meter().await.unwrap().calls;
    assert_eq!(calls.get("DeleteEvents"), None, "{calls:?}");
    scene.assert_no_violations().await;
}

/// B4: what blocks by the settings of before and not by those of now is taken back at the next start, and only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_settings_decide_everything_anew_at_the_next_start_and_are_told() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    for n in 0..15 {
        let item = CalendarItem {
            free_busy: Some(FreeBusy::Tentative),
            ..scene.appointment(&format!("T-{n}"), 2 + n)
        };
        scene.outlook.create(&mailbox(1), item).await.unwrap();
    }
    create(&scene, 0..1).await;
    assert_eq!(scene.until_in_step().await.len(), 16);
    // the same settings: nothing is new
    scene.stop_service().await;
    scene.start_service().await;
    scene.until_ready().await;
    assert_eq!(scene.raised(codes::SETTINGS_CHANGED.id).await, [""; 0]);
    scene.stop_service().await;
    scene.configure("calendar", "busy_statuses", "[\"Busy\", \"OOF\"]");
    scene.start_service().await;
    scene.until_raised(codes::SETTINGS_CHANGED.id, "mailboxes").await;
    // these are seen and block no more: no inference, so nothing is withheld
    wait_for("what blocks no more being taken back", async || match scene.planner.listing().await {
        Ok(held) if held.keys().all(|(_, origin)| origin == "UID-0") && held.len() == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(withheld(&scene).await.len(), 0);
    // and back
    scene.stop_service().await;
    scene.configure("calendar", "busy_statuses", "[\"Busy\", \"Tentative\", \"OOF\"]");
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 16);
    scene.assert_unharmed().await;
}

/// Regression (features.md, C): the original left such an event marked as deleted, and its comparison deleted it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_appointment_that_a_pull_finds_again_is_created_and_stays() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let items = create(&scene, 0..1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    delete(&scene, items).await;
    assert_eq!(scene.until_in_step().await.len(), 0);
    events_are_lost(&scene).await;
    create(&scene, 0..1).await;
    pull(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    let compared = "select count(*) from planner_resource where compared_at is not null";
    let before = scene
        .count("select coalesce(extract(epoch from max(compared_at)), 0)::bigint from planner_resource")
        .await;
    scene.database.store.ask_for_comparison(&Scope::All).await.unwrap();
    wait_for("the comparison", async || {
        let newer = format!("{compared} and extract(epoch from compared_at)::bigint >= {before}");
        match scene.count(&newer).await {
            3 => Ok(()),
            done => Err(format!("{done} of 3 mailboxes compared")),
        }
    })
    .await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    assert_eq!(scene.count("select count(*) from calendar_event where wanted and not pending").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_in_which_the_service_was_down_is_made_up_at_start_once() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.until_in_step().await;
    scene.stop_service().await;
    let since = scene.clock.now();
    let client = scene.database.store.client("test").await.unwrap();
    let recorded = "select count(*) from store_state where name like 'schedule/full_pull/%'";
    assert_eq!(scene.count(recorded).await, 64, "the first start ever began the records");
    let two_days_ago = (since - jiff::SignedDuration::from_hours(48)).to_string();
    client
        .execute("update store_state set value = $1 where name like 'schedule/full_pull/%'", &[&two_days_ago])
        .await
        .unwrap();
    scene.start_service().await;
    until_read_since(&scene, since).await;
    scene.until_raised(codes::FULL_PULL_BEGAN.id, "full pull").await;
    scene.stop_service().await;
    let before = scene.raised(codes::FULL_PULL_BEGAN.id).await.len();
    scene.start_service().await;
    scene.until_ready().await;
    create(&scene, 0..1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.stop_service().await;
    assert_eq!(scene.raised(codes::FULL_PULL_BEGAN.id).await.len(), before, "once for that night");
}
