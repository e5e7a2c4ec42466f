//! Goal: every crash point can be hit, the process dies there as it was told, and what was lost is made up after the next
//! start. Method: one scene goes through everything that the product does, with a trace of the points that it passes; a few
//! points are hit for real.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; helpers outside #[test] too")]

use std::collections::BTreeSet;
use std::time::Duration;

use base::crash::POINTS;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::{DeleteType, ItemRef};
use serde_json::{Value, json};
use store::operations::Scope;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

fn short() -> Setting {
    Setting {
        configuration: vec![
            ("exchange", "exchange_connection_timeout", "1"),
            ("planner", "call_timeout", "\"1s\""),
        ],
        stream_minute: Duration::from_secs(2),
        ..Setting::default()
    }
}

fn passed(trace: &std::path::Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    text.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_life_passes_every_crash_point() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut scene = Scene::new(PROGRAM, short()).await;
    scene.environment("KOMMUNEKLIENT_CRASH_TRACE", trace.to_str().unwrap());
    scene.start_service().await;
    scene.until_ready().await;
    // a change by the stream, a full read, a comparison
    let item = scene.outlook.create(&mailbox(1), scene.appointment("ONE", 3)).await.unwrap();
    scene.until_in_step().await;
    scene.database.store.ask_for_comparison(&Scope::All).await.unwrap();
    // a gap with changes in it, and subscriptions that are replaced
    scene.exchange_fault(json!({"kind": {"lose": {"what": "all"}}, "next": 1})).await;
    scene.outlook.update(&mailbox(1), ItemRef::Item(item.clone()), scene.new_times(4)).await.unwrap();
    scene.exchange_act(json!({"act": "expire_subscriptions"})).await;
    scene.until_in_step().await;
    // a call whose answer is lost with its process: its keys are freed by the successor
    scene
        .planner_fault(
            json!({"kind": {"hold-before": {"seconds": 30}}, "operation": "DeleteEvents", "next": 1}),
        )
        .await;
    scene.outlook.delete(&mailbox(1), ItemRef::Item(item), DeleteType::HardDelete).await.unwrap();
    wait_for("the call in flight", async || {
        let meter: Value = scene.planner.admin().get("/admin/meter").await.unwrap();
        if meter["in_flight"] == 1 { Ok(()) } else { Err(meter["in_flight"].to_string()) }
    })
    .await;
    scene.kill_service().await;
    scene.start_service().await;
    scene.until_ready().await;
    scene.until_in_step().await;
    let all: BTreeSet<String> = POINTS.iter().map(|point| point.name.to_owned()).collect();
    let at_the_end =
        ["listener.group-ending", "listener.group-unsubscribed", "lease.releasing", "lease.released"];
    wait_for("all points but those of the end", async || {
        let passed = passed(&trace);
        let left: Vec<_> =
            all.difference(&passed).filter(|name| !at_the_end.contains(&name.as_str())).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    scene.stop_service().await;
    assert_eq!(passed(&trace), all);
}

/// Waits until the product has died, and changes a calendar now and then meanwhile. Answers how it ended.
async fn until_dead(scene: &mut Scene, point: &str, days: i64) -> String {
    const LOOKS_A_CHANGE: u32 = 20;
    let begin = scene.clock.monotonic();
    let mut looks = 0;
    loop {
        if let Some(end) = scene.service.as_mut().and_then(|service| service.ended()) {
            return end;
        }
        let waited = scene.clock.monotonic() - begin;
        assert!(waited < Duration::from_secs(60), "{point} was not passed; {}", scene.log_end());
        if looks % LOOKS_A_CHANGE == 0 {
            let uid = format!("{point} {looks}");
            scene.outlook.create(&mailbox(2), scene.appointment(&uid, days)).await.unwrap();
        }
        looks += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Dies at each of these points at its first pass, and is started again without the order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_dies_where_it_is_told_and_nothing_is_lost() {
    let mut scene = Scene::new(PROGRAM, short()).await;
    for (days, point) in [
        "listener.subscribed",
        "listener.notification-received",
        "qualifier.decisions-written",
        "communicator.reserved",
        "communicator.answered",
        "lease.taken",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(POINTS.iter().any(|known| known.name == point), "{point}");
        scene.environment("KOMMUNEKLIENT_CRASH_AT", point);
        scene.start_service().await;
        let days = i64::try_from(days).unwrap() + 3;
        scene.outlook.create(&mailbox(1), scene.appointment(point, days)).await.unwrap();
        // changes that come by the stream, now and then, for the points of that path
        let end = until_dead(&mut scene, point, days + 30).await;
        assert!(end.contains("signal: 9"), "{point}: {end}");
        assert!(
            scene.log_end().contains(&format!("killed at the crash point {point}")),
            "{}",
            scene.log_end()
        );
        scene.service = None;
        scene.environment("KOMMUNEKLIENT_CRASH_AT", "");
        scene.start_service().await;
        scene.until_in_step().await;
        scene.kill_service().await;
    }
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_point_that_nobody_knows_is_refused() {
    let mut scene = Scene::new(PROGRAM, short()).await;
    let run = std::process::Command::new(PROGRAM)
        .args(["run", "--config"])
        .arg(&scene.configuration)
        .env("KOMMUNEKLIENT_CRASH_AT", "qualifier.dreams")
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("names no crash point: qualifier.dreams"), "{said}");
    assert!(scene.service.take().is_none());
}
