//! Answers of Exchange to ordinary calls.

use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::DeleteType;
use serde_json::{Value, json};

use crate::PROGRAM;

/// The product reads at most 16 MiB.
pub(crate) const OVERSIZED: usize = 17 << 20;

/// An answer that cannot be used, by a fault of the simulator's.
pub(crate) struct Bad {
    /// The fault.
    pub(crate) kind: Value,
    /// What the event must say of it.
    pub(crate) words: &'static str,
    /// Does it concern the account or the server, and not what was asked for?
    pub(crate) outage: bool,
}

/// Every sort of bad answer.
pub(crate) fn bad_answers() -> [Bad; 7] {
    let bad = |kind, words| Bad { kind, words, outage: false };
    let outage = |kind, words| Bad { kind, words, outage: true };
    [
        bad(json!("malformed"), "malformed"),
        bad(json!({"oversized": {"bytes": OVERSIZED}}), "oversized"),
        bad(json!({"code": {"code": "ErrorOfTomorrow"}}), "ErrorOfTomorrow"),
        bad(json!({"code_in_body": {"code": "ErrorOfTheDayAfter"}}), "ErrorOfTheDayAfter"),
        outage(json!("http503"), "HTTP 503"),
        outage(json!({"server_busy": {"back_off_ms": 300}}), "ErrorServerBusy"),
        outage(json!({"busy_in_body": {"back_off_ms": 300}}), "ErrorServerBusy"),
    ]
}

/// Lets the next calls of this operation about this mailbox meet the fault.
pub(crate) async fn next(scene: &Scene, kind: &Value, operation: &str, mailbox: &str, count: u32) {
    scene
        .exchange_fault(json!({"kind": kind, "operation": operation, "mailbox": mailbox, "next": count}))
        .await;
}

/// Waits until no rule is left that still waits for a call.
pub(crate) async fn until_met(scene: &Scene) {
    wait_for("every fault being met", async || {
        let faults: Value = scene.exchange.get("/admin/faults").await.map_err(|error| error.to_string())?;
        if faults["rules"].as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err(faults.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_about_an_item_is_told_and_the_item_read_again() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    for (number, bad) in bad_answers().iter().enumerate() {
        let event = if bad.outage { 2907 } else { 2903 };
        let before = scene.count_raised(event, bad.words).await;
        next(&scene, &bad.kind, "GetItem", &mailbox(1), 1).await;
        let item = scene.appointment(&format!("UID-{number}"), 3 + i64::try_from(number).unwrap());
        scene.outlook.create(&mailbox(1), item).await.unwrap();
        // nobody else waits for it
        scene.outlook.create(&mailbox(2), scene.appointment(&format!("UID-{number}"), 3)).await.unwrap();
        scene.until_raised_again(event, bad.words, before).await;
        assert_eq!(scene.until_in_step().await.len(), 2 * (number + 1));
        until_met(&scene).await;
    }
    // a busy server is told as such, too
    assert!(scene.count_raised(5201, "").await > 0, "{:?}", scene.codes_raised().await);
    // none of these is a reason to give an item up
    assert_eq!(scene.raised(9101).await, [""; 0]);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_about_a_window_is_told_and_the_series_read_again() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    for (number, bad) in bad_answers().iter().enumerate() {
        let event = if bad.outage { 2907 } else { 2954 };
        // one answer that cannot be read or is too large is asked for again in parts
        let in_parts = ["malformed", "oversized"].contains(&bad.words);
        let before = scene.count_raised(event, bad.words).await;
        next(&scene, &bad.kind, "FindItem", &mailbox(1), 1).await;
        let series = scene.series(&format!("SERIES-{number}"), 3 + i64::try_from(number).unwrap(), 2);
        scene.outlook.create(&mailbox(1), series).await.unwrap();
        if !in_parts {
            scene.until_raised_again(event, bad.words, before).await;
        }
        assert_eq!(scene.until_in_step().await.len(), 2 * (number + 1));
        until_met(&scene).await;
    }
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_to_a_catch_up_is_told_and_nothing_is_missed() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.outlook.create(&mailbox(1), scene.appointment("BEFORE", 2)).await.unwrap();
    scene.until_in_step().await;
    for (number, bad) in bad_answers().iter().enumerate() {
        let before = scene.count_raised(4937, bad.words).await;
        next(&scene, &bad.kind, "SyncFolderItems", &mailbox(1), 1).await;
        // only the catch-up can find it
        let kind = json!({"lose": {"what": "all_and_told"}});
        scene.exchange_fault(json!({"kind": kind, "mailbox": mailbox(1), "next": 1})).await;
        let item = scene.appointment(&format!("UID-{number}"), 3 + i64::try_from(number).unwrap());
        scene.outlook.create(&mailbox(1), item).await.unwrap();
        // what fails for everybody is told once for a while, whatever its form
        scene.until_raised_again(4937, bad.words, if bad.outage { 0 } else { before }).await;
        assert_eq!(scene.until_in_step().await.len(), number + 2);
        until_met(&scene).await;
    }
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_answers_while_the_service_starts_are_told_and_the_mailbox_listened_to_later() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 3)).await.unwrap();
    for (operation, kind) in [
        // one of these two answers the trial of the account at the start of the process
        ("GetFolder", json!({"code": {"code": "ErrorOfTheFolder"}})),
        ("GetFolder", json!({"code": {"code": "ErrorOfTheFolder"}})),
        ("GetFolder", json!("malformed")),
        ("Subscribe", json!({"code_in_body": {"code": "ErrorOfTheSubscription"}})),
        ("Subscribe", json!("malformed")),
        ("SyncFolderItems", json!("malformed")),
        ("FindItem", json!({"code": {"code": "ErrorOfTheWindow"}})),
    ] {
        next(&scene, &kind, operation, &mailbox(1), 1).await;
    }
    scene.start_service().await;
    scene.until_raised(4906, "ErrorOfTheFolder").await;
    scene.until_raised(4922, "ErrorOfTheSubscription").await;
    scene.until_raised(4937, "malformed").await;
    scene.until_raised(9104, "ErrorOfTheWindow").await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    until_met(&scene).await;
    wait_for("no error left on any resource", async || {
        match scene.count("select count(*) from planner_resource where error_code is not null").await {
            0 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_of_autodiscover_is_told_and_asked_for_again() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    // not the first mailbox: about that one the trial of the account at the start asks, too, and says nothing of it
    scene.outlook.create(&mailbox(2), scene.appointment("UID-1", 3)).await.unwrap();
    next(&scene, &json!("malformed"), "GetUserSettings", &mailbox(2), 1).await;
    scene.start_service().await;
    scene.until_raised(4929, "malformed").await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    until_met(&scene).await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_can_never_be_read_is_set_aside_and_stops_nobody() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    scene.configure("qualifier", "notification_attempts", "2");
    scene.start_service().await;
    scene.until_ready().await;
    let kind = json!({"code_in_body": {"code": "ErrorOfTomorrow"}});
    let rule = json!({"kind": kind, "operation": "GetItem", "mailbox": mailbox(1), "probability": 1.0});
    scene.exchange_fault(rule).await;
    let id = scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_raised(2905, "ErrorOfTomorrow").await;
    scene.until_raised(9101, "ErrorOfTomorrow").await;
    let kept = "select count(*) from notification where set_aside_at is not null
                   and last_error like '%ErrorOfTomorrow%' and attempts = 2";
    assert!(scene.count(kept).await > 0, "what was set aside is not kept with its error");
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 3)).await.unwrap();
    wait_for("the other mailbox's appointment", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        if held.len() == 1 { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    // the next change of the item is a new try
    scene.end_faults().await;
    scene.outlook.update(&mailbox(1), id.clone().into(), scene.new_times(4)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.outlook.delete(&mailbox(1), id.into(), DeleteType::HardDelete).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_unharmed().await;
}
