//! Goal: what was decided reaches Planner whatever becomes of a call or of the process that makes it, within the agreed
//! limits, and what cannot be brought there is told and can be retried. Method: the whole product against both
//! simulators; faults of Planner, hard kills.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::DeleteType;
use serde_json::{Value, json};
use store::operations::Scope;
use store::set_aside::{SetAsideFilter, SetAsidePage, StopReason};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

const PENDING: &str = "select count(*) from calendar_event where pending";

async fn until_count(scene: &Scene, what: &str, query: &str, value: i64) {
    wait_for(what, async || match scene.count(query).await {
        count if count == value => Ok(()),
        count => Err(format!("{count}; {}", scene.log_end())),
    })
    .await;
}

/// Waits until Planner holds this many appointments of a mailbox.
async fn until_held(scene: &Scene, mail: &str, value: usize) {
    wait_for("what Planner holds", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        match held.keys().filter(|(owner, _)| owner == mail).count() {
            count if count == value => Ok(()),
            count => Err(format!("{count}; {}", scene.log_end())),
        }
    })
    .await;
}

/// B9: a successor waits out the deadlines of the keys of its predecessor and no others, with one call at a time too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_the_only_call_in_flight_other_keys_do_not_wait() {
    let configuration = vec![("planner", "call_timeout", "\"30s\"")];
    let mut scene = Scene::ready(PROGRAM, Setting { configuration, ..Setting::default() }).await;
    let rule = json!({"kind": {"hold-before": {"seconds": 600.0}}, "operation": "CreateEvents", "next": 1});
    scene.planner_fault(rule).await;
    scene.outlook.create(&mailbox(1), scene.appointment("HELD", 3)).await.unwrap();
    until_count(&scene, "the call", "select count(*) from key_in_flight", 1).await;
    scene.kill_service().await;
    scene.outlook.create(&mailbox(1), scene.appointment("ANOTHER", 4)).await.unwrap();
    scene.outlook.create(&mailbox(2), scene.appointment("UID-1", 4)).await.unwrap();
    scene.start_service().await;
    until_held(&scene, &mailbox(1), 1).await;
    until_held(&scene, &mailbox(2), 1).await;
    let waits = "select count(*) from key_in_flight where origin_id = 'HELD' and deadline > now()";
    assert_eq!(scene.count(waits).await, 1, "the dead call's own key waits for its deadline");
    // and is sent when that is over
    let over = "update key_in_flight set deadline = now(); notify kommuneklient_decision";
    scene.database.store.client("test").await.unwrap().batch_execute(over).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 3);
    scene.until_raised(9204, "").await;
    scene.assert_unharmed().await;
}

/// "Not now" too often, and codes that nobody knows: told, listed with their reason, in nobody's way, and retried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_aside_is_told_listed_and_retried() {
    let configuration = vec![
        ("planner", "attempts_max", "3"),
        ("planner", "retry_initial", "\"20ms\""),
        ("planner", "retry_cap", "\"50ms\""),
    ];
    let mut scene = Scene::ready(PROGRAM, Setting { configuration, ..Setting::default() }).await;
    for (number, code) in [(1, 15), (2, 33)] {
        let kind = json!({"refuse": {"code": code}});
        scene.planner_fault(json!({"kind": kind, "mailbox": mailbox(number), "operation": "CreateEvents", "probability": 1.0})).await;
    }
    for number in 1..=3 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    // while Planner took nothing at all it could be an outage: others are taken
    let mut taken = 1;
    let set_aside = "select count(*) from calendar_event where set_aside_version = version";
    while scene.count(set_aside).await == 0 && taken < 200 {
        taken += 1;
        let name = format!("UID-{taken}");
        scene.outlook.create(&mailbox(3), scene.appointment(&name, 3 + i64::from(taken) % 60)).await.unwrap();
    }
    scene.until_raised(9203, &mailbox(1)).await;
    scene.until_raised(6233, &mailbox(2)).await;
    scene.until_raised(9208, "33").await;
    until_held(&scene, &mailbox(3), taken as usize).await;
    let filter = SetAsideFilter { scope: Scope::All, refused: true };
    let page = SetAsidePage { after: None, limit: 10 };
    let store = &scene.database.store;
    let listed = store.set_aside_keys(&filter, &page).await.unwrap().keys;
    let reasons: Vec<_> = listed.iter().map(|key| (key.mail.to_string(), key.reason.clone())).collect();
    let too_often = "planner said \"not now\" too often".to_owned();
    assert_eq!(
        reasons,
        [(mailbox(1), StopReason::SetAside(too_often)), (mailbox(2), StopReason::Refused(33))]
    );
    assert_eq!(
        scene
            .count(
                "select attempts::bigint from calendar_event where origin_id = 'UID' and mail like 'm0001%'"
            )
            .await,
        3
    );
    scene.end_faults().await;
    assert_eq!(store.retry_set_aside(&Scope::All).await.unwrap(), 1);
    until_held(&scene, &mailbox(1), 1).await;
    // a refusal ends with the decision
    let items = scene.outlook.create(&mailbox(2), scene.appointment("NEW", 5)).await.unwrap();
    until_held(&scene, &mailbox(2), 1).await;
    scene.outlook.delete(&mailbox(2), items.into(), DeleteType::HardDelete).await.unwrap();
    until_held(&scene, &mailbox(2), 0).await;
    assert_eq!(scene.count_raised(9208, "").await, 1, "told once");
    scene.assert_unharmed().await;
}

/// The agreed number of calls a minute, over all that the product does, from its first second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agreed_number_of_calls_a_minute_is_kept_through_a_kill() {
    let configuration = vec![
        ("planner", "sla_calls_per_minute", "12"),
        ("planner", "max_calendar_event_updates_per_call", "1"),
        ("planner", "simultaneous_calls", "3"),
    ];
    let mut scene =
        Scene::ready(PROGRAM, Setting { configuration, mailboxes: 2, ..Setting::default() }).await;
    for days in 1..=20 {
        scene.outlook.create(&mailbox(1), scene.appointment(&format!("UID-{days}"), days)).await.unwrap();
    }
    let decided = "select count(*) from calendar_event where version > 0";
    until_count(&scene, "the decisions", decided, 20).await;
    scene.kill_service().await;
    scene.start_service().await;
    scene.until_ready().await;
    let permits = "select count(*) from service_call_reference_log \
                   where coalesce(ended_at, deadline) > now() - interval '60 s'";
    wait_for("the budget being used up", async || match scene.count(permits).await {
        count if count >= 12 => Ok(()),
        count => Err(format!("{count}; {}", scene.log_end())),
    })
    .await;
    // a second opinion: Planner's meter, which counts by its own clock
    let meter: Value = scene.planner.admin().get("/admin/meter").await.unwrap();
    assert!(meter["calls_per_minute_max"].as_u64().unwrap() <= 12, "{meter:#}");
    assert!(scene.count(PENDING).await > 0, "the rest waits");
    // minutes pass for what the product has recorded (and not for the meter, so it is not asked any more)
    while scene.count(PENDING).await > 0 {
        let passed = "update service_call_reference_log \
                      set ended_at = ended_at - interval '61 s', deadline = deadline - interval '61 s'";
        scene.database.store.client("test").await.unwrap().batch_execute(passed).await.unwrap();
        wait_for("the rest of a minute", async || {
            match (scene.count(PENDING).await, scene.count(permits).await) {
                (0, _) | (_, 12..) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
    assert_eq!(scene.until_in_step().await.len(), 20);
}
