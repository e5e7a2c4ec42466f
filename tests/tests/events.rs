//! Goal: an event calls for somebody when its threshold is passed and not before, everybody who may look sees it, and it
//! is over when things work again. Method: the whole product against both simulators; Planner fails call after call.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use end_to_end::{Scene, Setting, mailbox, wait_for};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

async fn until_metric(scene: &Scene, name: &str, value: f64) {
    wait_for(&format!("{name} being {value}"), async || match scene.metric(name).await {
        Some(found) if found >= value && (value > 0.0 || found == 0.0) => Ok(()),
        found => Err(format!("{found:?}; {}", scene.log_end())),
    })
    .await;
}

async fn until_count(scene: &Scene, what: &str, query: &str, value: i64) {
    wait_for(what, async || match scene.count(query).await {
        count if count == value => Ok(()),
        count => Err(format!("{count}; {}", scene.log_end())),
    })
    .await;
}

const ALERT: &str = "kommuneklient_alert_active{code=\"6901\"}";

/// 6901 is borne three times in a row (the original's table).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_planner_alerts_when_it_lasts_and_is_over_when_planner_answers() {
    let configuration = vec![("planner", "retry_initial", "\"50ms\""), ("planner", "retry_cap", "\"200ms\"")];
    let mut scene = Scene::ready(PROGRAM, Setting { configuration, ..Setting::default() }).await;
    assert_eq!(scene.metric(ALERT).await, Some(0.0), "there from the start");
    let fails = |next: u32| json!({"kind": {"http-status": {"status": 503}}, "operation": "CreateEvents", "next": next});

    // three failures, then a success: nobody is called
    scene.planner_fault(fails(3)).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    assert_eq!(scene.count_raised(6901, "").await, 3, "{:?}", scene.codes_raised().await);
    assert_eq!(scene.count_raised(6901, "\"alert\": true").await, 0);
    assert_eq!(scene.metric(ALERT).await, Some(0.0));

    // and one that lasts
    scene.planner_fault(fails(1_000)).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-2", 4)).await.unwrap();
    until_metric(&scene, ALERT, 1.0).await;
    scene.until_raised(6901, "\"alert\": true").await;
    let below = scene
        .count("select count(*) from application_log where event_id = 6901 and not fields ? 'alert'")
        .await;
    assert_eq!(below, 6, "three that were borne before each success or alert");
    until_metric(&scene, "kommuneklient_events_total{source=\"PCS\",code=\"6901\",severity=\"error\"}", 7.0)
        .await;
    let standing = "select count(*) from standing_alert where code = 6901 and occurrences > 3";
    until_count(&scene, "the alert in the table", standing, 1).await;
    assert!(scene.log().contains("an alert begins"), "{}", scene.log_end());

    scene.end_faults().await;
    until_metric(&scene, ALERT, 0.0).await;
    until_count(&scene, "the alert being gone", "select count(*) from standing_alert where code = 6901", 0)
        .await;
    assert!(scene.log().contains("an alert is over"), "{}", scene.log_end());
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
}
