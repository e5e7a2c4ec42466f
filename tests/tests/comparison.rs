//! Goal: whatever Planner holds that was not decided (because somebody changed it there, because Planner applied a call
//! late, because a backup was restored) is put right, and what was decided is left alone. Method: change Planner's state
//! by its admin side or by faults, let the comparison come about as it does in service, look at Planner.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::collections::BTreeMap;

use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::DeleteType;
use serde_json::{Value, json};
use store::operations::Scope;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const COMPARED: &str =
    "select count(*) from planner_resource where compared_at is not null and compare_due_at is null";

async fn scene(mailboxes: u32) -> Scene {
    Scene::ready(PROGRAM, Setting { mailboxes, ..Setting::default() }).await
}

/// Asks for a comparison of all mailboxes and waits for it.
async fn compare(scene: &Scene) {
    let asked = scene.database.store.ask_for_comparison(&Scope::All).await.unwrap();
    let asked = i64::try_from(asked).unwrap();
    wait_for("the comparison", async || match scene.count(COMPARED).await {
        done if done >= asked => Ok(()),
        done => Err(format!("{done} of {asked} compared")),
    })
    .await;
}

async fn calls(scene: &Scene, operation: &str) -> u64 {
    scene.planner.meter().await.unwrap().calls.get(operation).copied().unwrap_or_default()
}

async fn plant(scene: &Scene, events: Vec<Value>) {
    scene.planner.admin().post("/admin/events", &Value::from(events)).await.unwrap();
}

fn event(scene: &Scene, mail: &str, origin_id: &str, days: i64) -> Value {
    json!({"mail": mail, "origin_id": origin_id, "start": scene.at(days, 9), "end": scene.at(days, 10)})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changed_in_planner_is_put_right() {
    let scene = scene(2).await;
    for number in 1..=5 {
        let appointment = scene.appointment(&format!("UID-{number}"), number);
        scene.outlook.create(&mailbox(1), appointment).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 5);
    compare(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 5);
    assert_eq!(
        (calls(&scene, "UpdateEvents").await, calls(&scene, "DeleteEvents").await),
        (0, 0),
        "nothing to do"
    );
    scene
        .planner
        .admin()
        .delete(&format!("/admin/events?mail={}&origin_id=UID-2", mailbox(1)))
        .await
        .unwrap();
    plant(
        &scene,
        vec![
            event(&scene, &mailbox(1), "UID-3", 30),
            event(&scene, &mailbox(2), "SOMEBODY'S", 12),
            event(&scene, "stranger@sim.test", "STRANGER'S", 12),
        ],
    )
    .await;
    compare(&scene).await;
    let strangers = |held: &BTreeMap<(String, String), _>| {
        held.keys().filter(|(mail, _)| mail == "stranger@sim.test").count()
    };
    let expected = scene.expected().await;
    wait_for("Planner being put right", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        assert_eq!(strangers(&held), 1, "of a mailbox that is none of ours");
        let mut ours = held;
        ours.retain(|(mail, _), _| mail != "stranger@sim.test");
        if ours == expected { Ok(()) } else { Err(format!("{ours:?}")) }
    })
    .await;
    assert!(!scene.raised(9406).await.is_empty(), "and operators are told");
    scene.assert_no_violations().await;
}

/// Duplicates in the answer are no differences.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_come_twice_are_one() {
    let scene = scene(1).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    scene
        .planner_fault(json!({"kind": "duplicate-rows", "operation": "GetEvents", "probability": 1.0}))
        .await;
    compare(&scene).await;
    assert_eq!(scene.count("select count(*) from calendar_event where pending or version > 1").await, 0);
    assert_eq!(scene.until_in_step().await.len(), 1);
}

/// The call that timed out is settled by a delete that Planner answered with 10; then Planner applies it after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_planner_applies_after_the_delete_is_deleted_again() {
    let scene = scene(1).await;
    let late = json!({"kind": {"apply-late": {"seconds": 3.2}}, "operation": "CreateEvents", "next": 1});
    scene.planner_fault(late).await;
    let id = scene.outlook.create(&mailbox(1), scene.appointment("LATE", 3)).await.unwrap();
    wait_for("the create being in flight", async || {
        match scene.count("select count(*) from key_in_flight").await {
            0 => Err("none in flight".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    scene.outlook.delete(&mailbox(1), id.into(), DeleteType::HardDelete).await.unwrap();
    wait_for("the second delete", async || match calls(&scene, "DeleteEvents").await {
        2 => Ok(()),
        deletes => Err(format!("{deletes} deletes, holding {:?}", scene.planner.listing().await)),
    })
    .await;
    assert_eq!(scene.until_in_step().await.len(), 0);
    assert!(scene.count(COMPARED.split(" and").next().unwrap()).await > 0);
    scene.assert_no_violations().await;
}

/// Defect of the original: a full pull that created an appointment anew, after it had been deleted, left its mark
/// "deleted", and the next comparison deleted it in Planner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_pull_recreating_a_deleted_event_is_not_deleted_again_by_the_comparison() {
    let scene = scene(1).await;
    let id = scene.outlook.create(&mailbox(1), scene.appointment("AGAIN", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.outlook.delete(&mailbox(1), id.into(), DeleteType::HardDelete).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 0);
    // only a full pull can tell of it
    scene.exchange_fault(json!({"kind": {"lose": {"what": "all"}}, "probability": 1.0})).await;
    scene.outlook.create(&mailbox(1), scene.appointment("AGAIN", 3)).await.unwrap();
    let now = scene.clock.now();
    scene.database.store.ask_for_full_reads(&Scope::All, now).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    wait_for("its receipt", async || {
        match scene.count("select count(*) from calendar_event where pending").await {
            0 => Ok(()),
            pending => Err(format!("{pending} pending")),
        }
    })
    .await;
    compare(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    assert_eq!(scene.count("select count(*) from calendar_event where pending or not wanted").await, 0);
    assert_eq!(calls(&scene, "DeleteEvents").await, 1, "the one of before");
}

/// "When the date has changed since a mailbox was last read in full, the next comparison reads it first": so it also
/// finds what was lost without a trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_comparison_of_a_day_reads_the_mailbox_first() {
    let scene = scene(1).await;
    scene.outlook.create(&mailbox(1), scene.appointment("BEFORE", 3)).await.unwrap();
    scene.until_in_step().await;
    scene.exchange_fault(json!({"kind": {"lose": {"what": "all"}}, "probability": 1.0})).await;
    scene.outlook.create(&mailbox(1), scene.appointment("LOST", 4)).await.unwrap();
    let client = scene.database.store.client("test").await.unwrap();
    let yesterday = "update planner_resource set full_read_began_at = full_read_began_at - interval '1 day'";
    client.batch_execute(yesterday).await.unwrap();
    plant(&scene, vec![event(&scene, &mailbox(1), "SOMEBODY'S", 12)]).await;
    compare(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    assert!(!scene.raised(9401).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_that_nobody_knows_waits_for_an_operator() {
    let scene = scene(1).await;
    scene.outlook.create(&mailbox(1), scene.appointment("OURS", 3)).await.unwrap();
    scene.until_in_step().await;
    let strangers = (0..12).map(|n| event(&scene, &mailbox(1), &format!("STRANGER-{n}"), 5 + n)).collect();
    plant(&scene, strangers).await;
    compare(&scene).await;
    scene.until_raised(9404, "withheld").await;
    compare(&scene).await;
    assert_eq!((scene.planner.listing().await.unwrap().len(), calls(&scene, "DeleteEvents").await), (13, 0));
    let now = scene.clock.now();
    let runs = scene.database.store.withheld_runs(false, now).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.keys).collect::<Vec<_>>(), [12]);
    scene.database.store.confirm_withheld(runs[0].id, "test", now).await.unwrap().unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_no_violations().await;
}

/// The database goes back by some hours while Planner does not: nothing that came since is lost or made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adopt_all_after_restoring_an_old_backup_neither_wipes_nor_floods_planner() {
    let mut scene = scene(2).await;
    let mut ids = Vec::new();
    for number in 1..=6 {
        let appointment = scene.appointment(&format!("OLD-{number}"), number);
        ids.push(scene.outlook.create(&mailbox(1), appointment).await.unwrap());
    }
    scene.until_in_step().await;
    let client = scene.database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "create table old_event as table calendar_event; create table old_state as table sync_state",
        )
        .await
        .unwrap();
    for number in 1..=6 {
        scene.outlook.create(&mailbox(2), scene.appointment(&format!("NEW-{number}"), number)).await.unwrap();
    }
    scene.outlook.delete(&mailbox(1), ids[0].clone().into(), DeleteType::HardDelete).await.unwrap();
    scene.outlook.update(&mailbox(1), ids[1].clone().into(), scene.new_times(20)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 11);
    scene.stop_service().await;
    restore(&scene).await;
    let before = scene.planner.meter().await.unwrap().calls;
    assert_eq!(scene.database.store.ask_for_adoption(&Scope::All).await.unwrap(), 2);
    // and what happens while it is down is noticed as well
    scene.outlook.delete(&mailbox(1), ids[2].clone().into(), DeleteType::HardDelete).await.unwrap();
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 10);
    let after = scene.planner.meter().await.unwrap().calls;
    let more = |operation: &str| {
        after.get(operation).copied().unwrap_or_default() - before.get(operation).copied().unwrap_or_default()
    };
    assert_eq!(
        (more("CreateEvents"), more("UpdateEvents"), more("DeleteEvents")),
        (0, 0, 1),
        "{before:?} {after:?}"
    );
    scene.assert_no_violations().await;
}

/// Puts the tables back as they were when they were copied.
async fn restore(scene: &Scene) {
    let client = scene.database.store.client("test").await.unwrap();
    let columns: String = client
        .query_one(
            "select string_agg(column_name, ', ') from information_schema.columns \
             where table_name = 'calendar_event' and is_generated = 'NEVER'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    client
        .batch_execute(&format!(
            "delete from calendar_event; insert into calendar_event ({columns}) select {columns} from old_event; \
             delete from sync_state; insert into sync_state table old_state"
        ))
        .await
        .unwrap();
}
