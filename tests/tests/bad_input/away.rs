//! A database or a Planner that is away: at the start, and later.

use end_to_end::gate::Gate;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::DeleteType;

use crate::PROGRAM;

/// Changes that are made while connections break.
const CHANGES: u32 = 8;
/// How often all connections break about each of them.
const BREAKS: u32 = 12;

/// What the page says, whatever its status.
async fn readiness(scene: &Scene) -> String {
    let url = format!("{}/health/ready", scene.service.as_ref().unwrap().url);
    kommuneklient::demo::http::text(&url).await.unwrap()
}

/// Waits for an event in the log alone: the table cannot be written now.
async fn until_logged(scene: &Scene, code: u16) {
    wait_for(&format!("event {code} in the log"), async || {
        if scene.is_logged(code) { Ok(()) } else { Err(scene.log_end()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let mut gate = scene.gate_before_database();
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.start_service().await;
    until_logged(&scene, 8901).await;
    let status = readiness(&scene).await;
    assert!(status.contains("\"ready\":false") && status.contains("database"), "{status}");
    gate.open();
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    // what was raised while there was no table stands in it by now
    scene.until_raised(8901, "waiting for it").await;
    scene.assert_unharmed().await;
}

/// Breaks every connection `times` times, each time as soon as some work has connections again: now one, now
/// several.
async fn break_connections(gate: &mut Gate, times: u64) {
    for count in 0..times {
        gate.shut().await;
        let before = gate.passed();
        gate.open();
        wait_for("the product connecting again", async || match gate.passed() - before {
            passed if passed > count % 5 => Ok(()),
            passed => Err(format!("{passed}")),
        })
        .await;
    }
}

/// While connections break as fast as they are made, a slow machine may bring nothing to its end; so each
/// change meets its breaks, and then has the peace that it takes to become known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_the_database_that_break_lose_nothing() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let mut gate = scene.gate_before_database();
    gate.open();
    scene.start_service().await;
    scene.until_ready().await;
    let mut ids = Vec::new();
    for number in 0..CHANGES {
        let (owner, uid) = (mailbox(1 + number % 3), format!("UID-{number}"));
        let item = scene.appointment(&uid, 3 + i64::from(number));
        // the change is made amid the breaks, at another one each time
        break_connections(&mut gate, u64::from(number)).await;
        ids.push((owner.clone(), scene.outlook.create(&owner, item).await.unwrap()));
        break_connections(&mut gate, u64::from(BREAKS - number)).await;
        wait_for("the change being known", async || {
            match scene.count("select count(*) from calendar_event where wanted").await {
                count if count > i64::from(number) => Ok(()),
                count => Err(format!("{count} after {number}; {}", scene.log_end())),
            }
        })
        .await;
    }
    let half = CHANGES as usize / 2;
    for (owner, id) in ids.drain(..).take(half) {
        scene.outlook.delete(&owner, id.into(), DeleteType::HardDelete).await.unwrap();
    }
    break_connections(&mut gate, u64::from(BREAKS)).await;
    assert_eq!(scene.until_in_step().await.len(), half);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_for_longer_than_the_leases_live_loses_nothing() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let mut gate = scene.gate_before_database();
    gate.open();
    scene.start_service().await;
    scene.until_ready().await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(scene.outlook.create(&mailbox(number), scene.appointment("BEFORE", 3)).await.unwrap());
    }
    assert_eq!(scene.until_in_step().await.len(), 3);
    for round in 0..3 {
        gate.shut().await;
        let uid = format!("MEANWHILE-{round}");
        scene.outlook.create(&mailbox(1), scene.appointment(&uid, 4)).await.unwrap();
        scene.outlook.create(&mailbox(2), scene.series(&uid, 5, 2)).await.unwrap();
        scene.outlook.update(&mailbox(3), ids[2].clone().into(), scene.new_times(4 + round)).await.unwrap();
        wait_for("every lease having run out", async || {
            match scene.count("select count(*) from lease where expires_at > now() and owner <> ''").await {
                0 => Ok(()),
                count => Err(format!("{count}")),
            }
        })
        .await;
        until_logged(&scene, 8901).await;
        scene.outlook.create(&mailbox(3), scene.appointment(&uid, 9)).await.unwrap();
        gate.open();
        let held = scene.until_in_step().await.len();
        assert_eq!(held, 3 + 4 * (usize::try_from(round).unwrap() + 1));
    }
    scene.until_ready().await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planner_that_is_away_is_waited_for() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let mut gate = scene.gate_before_planner();
    scene.start_service().await;
    scene.until_raised(6905, "GetResources: no connection to planner").await;
    gate.open();
    scene.until_ready().await;
    let id = scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    gate.shut().await;
    scene.outlook.update(&mailbox(1), id.into(), scene.new_times(4)).await.unwrap();
    scene.until_raised(6905, "UpdateEvents: no connection to planner").await;
    // sending pauses as a whole, and the work waits in the database
    scene.until_raised(9206, "").await;
    for number in 1..=3 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID-2", 5)).await.unwrap();
    }
    wait_for("the work waiting", async || {
        match scene.count("select count(*) from calendar_event where pending").await {
            4 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    gate.open();
    assert_eq!(scene.until_in_step().await.len(), 4);
    scene.until_raised(9207, "").await;
    scene.assert_unharmed().await;
}
