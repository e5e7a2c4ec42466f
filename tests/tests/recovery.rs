//! Goal: nothing is lost between two stages, whichever of them is interrupted. Method: make one stage stand
//! still by a fault, kill the product there, start it anew, and compare.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use end_to_end::{Scene, Setting, wait_for};
use jiff::{Timestamp, ToSpan};
use proto_ews::{CalendarItem, DeleteType, FreeBusy, field};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const MAILBOX: &str = "m0001@sim.test";

fn at(scene: &Scene, days: i64, hour: i8) -> Timestamp {
    let now = scene.clock.now().in_tz("Europe/Copenhagen").unwrap();
    let day = now.date().saturating_add(days.days());
    day.at(hour, 0, 0, 0).in_tz("Europe/Copenhagen").unwrap().timestamp()
}

fn appointment(scene: &Scene, uid: &str, days: i64) -> CalendarItem {
    CalendarItem {
        uid: Some(uid.into()),
        start: Some(at(scene, days, 9)),
        end: Some(at(scene, days, 10)),
        free_busy: Some(FreeBusy::Busy),
        ..CalendarItem::default()
    }
}

fn new_times(scene: &Scene, days: i64) -> Vec<(&'static str, CalendarItem)> {
    let start = CalendarItem { start: Some(at(scene, days, 13)), ..CalendarItem::default() };
    let end = CalendarItem { end: Some(at(scene, days, 14)), ..CalendarItem::default() };
    vec![(field::START, start), (field::END, end)]
}

async fn until_count(scene: &Scene, what: &str, query: &str, at_least: i64) {
    wait_for(what, async || match scene.count(query).await {
        count if count >= at_least => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_the_gap_of_a_dropped_stream_is_caught_up() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "BEFORE", 3)).await.unwrap();
    scene.until_in_step().await;
    // the streams are cut, and what happens then is told to nobody
    scene.exchange_fault(json!({"kind": {"lose": {"what": "all"}}, "probability": 1.0})).await;
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    scene.outlook.create(MAILBOX, appointment(&scene, "IN-THE-GAP", 4)).await.unwrap();
    scene.outlook.delete(MAILBOX, id.into(), DeleteType::HardDelete).await.unwrap();
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    scene.end_faults().await;
    let held = scene.until_in_step().await;
    assert_eq!(held.keys().map(|(_, origin)| origin.as_str()).collect::<Vec<_>>(), ["IN-THE-GAP"]);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_a_silent_stream_is_caught_up() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.exchange_act(json!({"act": "silence_streams"})).await;
    scene.outlook.create(MAILBOX, appointment(&scene, "UNHEARD", 4)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
}

/// Regression (found by the demo): the stream told of the item, no catch-up had seen it, and a catch-up is told
/// nothing of an item that came and went since its sync state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_appointment_that_came_by_the_stream_and_went_in_a_gap_is_noticed() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "CAME", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.exchange_act(json!({"act": "silence_streams"})).await;
    scene.outlook.delete(MAILBOX, id.into(), DeleteType::HardDelete).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_made_while_the_service_is_dead_is_caught_up() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "BEFORE", 3)).await.unwrap();
    scene.until_in_step().await;
    scene.kill_service().await;
    scene.outlook.create(MAILBOX, appointment(&scene, "MEANWHILE", 4)).await.unwrap();
    scene.outlook.update(MAILBOX, id.into(), new_times(&scene, 6)).await.unwrap();
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_listener_and_qualifier() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    // the qualifier cannot read: the notification stays stored
    scene
        .exchange_fault(
            json!({"kind": {"slow": {"delay_ms": 60000}}, "operation": "GetItem", "probability": 1.0}),
        )
        .await;
    scene.outlook.create(MAILBOX, appointment(&scene, "STORED", 3)).await.unwrap();
    until_count(
        &scene,
        "a stored notification",
        "select count(*) from notification where item_id is not null",
        1,
    )
    .await;
    scene.kill_service().await;
    assert_eq!(scene.count("select count(*) from calendar_event").await, 0);
    scene.end_faults().await;
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_qualifier_and_communicator() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.planner_fault(json!({"kind": {"http-status": {"status": 503}}, "probability": 1.0})).await;
    scene.outlook.create(MAILBOX, appointment(&scene, "DECIDED", 3)).await.unwrap();
    until_count(&scene, "a stored decision", "select count(*) from calendar_event where pending", 1).await;
    scene.kill_service().await;
    scene.end_faults().await;
    assert_eq!(scene.planner.listing().await.unwrap().len(), 0);
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_planner_and_its_receipt() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let rule = json!({"kind": {"hold-after": {"seconds": 60.0}}, "operation": "CreateEvents", "next": 1});
    scene.planner_fault(rule).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "SENT", 3)).await.unwrap();
    wait_for("Planner having applied the create", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        if held.len() == 1 { Ok(()) } else { Err(format!("{} held", held.len())) }
    })
    .await;
    assert_eq!(scene.count("select count(*) from key_in_flight").await, 1);
    scene.kill_service().await;
    // the successor must find out what became of the call, also when something else is wanted by then
    scene.outlook.update(MAILBOX, id.into(), new_times(&scene, 5)).await.unwrap();
    scene.start_service().await;
    let held = scene.until_in_step().await;
    assert_eq!(held.values().next().unwrap().0, at(&scene, 5, 13));
    wait_for("no key left in flight", async || {
        match scene.count("select count(*) from key_in_flight").await {
            0 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_timed_out_before_it_was_applied_is_sent_again() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene
        .planner_fault(
            json!({"kind": {"hold-before": {"seconds": 4.0}}, "operation": "CreateEvents", "next": 1}),
        )
        .await;
    scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_timed_out_after_it_was_applied_is_settled() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    for operation in ["UpdateEvents", "DeleteEvents"] {
        let rule = json!({"kind": {"hold-after": {"seconds": 4.0}}, "operation": operation, "next": 1});
        scene.planner_fault(rule).await;
    }
    scene.outlook.update(MAILBOX, id.clone().into(), new_times(&scene, 5)).await.unwrap();
    scene.until_in_step().await;
    until_count(
        &scene,
        "the update being settled",
        "select count(*) from calendar_event where not pending",
        1,
    )
    .await;
    scene.outlook.delete(MAILBOX, id.into(), DeleteType::HardDelete).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    until_count(
        &scene,
        "the delete being settled",
        "select count(*) from calendar_event where not pending",
        1,
    )
    .await;
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_timed_out_followed_by_a_change_of_times() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene
        .planner_fault(
            json!({"kind": {"hold-after": {"seconds": 4.0}}, "operation": "CreateEvents", "next": 1}),
        )
        .await;
    let id = scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3)).await.unwrap();
    until_count(&scene, "a call in flight", "select count(*) from key_in_flight", 1).await;
    scene.outlook.update(MAILBOX, id.into(), new_times(&scene, 5)).await.unwrap();
    let held = scene.until_in_step().await;
    assert_eq!(held.values().next().unwrap().0, at(&scene, 5, 13));
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_store_adopts_what_planner_already_holds() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    for number in 1..=40 {
        scene.outlook.create(MAILBOX, appointment(&scene, &format!("UID-{number}"), number)).await.unwrap();
    }
    // Planner holds all of them, one with old times, and one that Exchange has no more
    let mut planted: Vec<_> = scene
        .expected()
        .await
        .into_iter()
        .map(|((mail, origin), (start, end))| json!({"mail": mail, "origin_id": origin, "start": start, "end": end}))
        .collect();
    planted[0]["end"] = json!(at(&scene, 60, 12));
    planted[0]["start"] = json!(at(&scene, 60, 11));
    planted.push(
        json!({"mail": MAILBOX, "origin_id": "GONE", "start": at(&scene, 9, 9), "end": at(&scene, 9, 10)}),
    );
    scene.planner.admin().post("/admin/events", &planted.into()).await.unwrap();
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 40);
    let calls = scene.planner.meter().await.unwrap().calls;
    assert_eq!(calls.get("CreateEvents"), None, "an empty store flooded Planner: {calls:?}");
    assert_eq!((calls.get("UpdateEvents"), calls.get("DeleteEvents")), (Some(&1), Some(&1)), "{calls:?}");
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_in_order_and_leaves_no_subscription_behind() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.outlook.create(MAILBOX, appointment(&scene, "UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    scene.stop_service().await;
    let meter: serde_json::Value = scene.exchange.get("/admin/meter").await.unwrap();
    assert_eq!(meter["subscriptions"], 0, "{meter}");
    assert_eq!(scene.count("select count(*) from lease where owner <> ''").await, 0);
}
