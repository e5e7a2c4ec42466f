//! Goal: mailboxes are found, reached and read whatever Exchange's installation is like: without SOAP, without
//! impersonation, with stored locations, moved, with appointments that cannot be read. Method: the whole
//! product against the simulators, and the oracle's word on what Planner should hold.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; helpers outside #[test] too")]

use std::time::Duration;

use end_to_end::{Scene, Setting, mailbox, wait_for, wait_longer};
use proto_ews::{CalendarItem, DeleteType, ItemRef, TimeZoneDefinition};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
/// A mailbox that cannot be used, or moved, is tried again after a minute.
const RETRY_PATIENCE: Duration = Duration::from_secs(150);

/// How often an operation was asked for.
async fn requests(scene: &Scene, operation: &str) -> u64 {
    let meter: Value = scene.exchange.get("/admin/meter").await.unwrap();
    meter["meter"]["requests"][operation].as_u64().unwrap_or(0)
}

/// Endpoint, grouping and error code of a resource.
async fn row(scene: &Scene, number: u32) -> (Option<String>, Option<String>, Option<String>) {
    let client = scene.database.store.client("look at a resource").await.unwrap();
    let query = "select endpoint, grouping_value, error_code from planner_resource where mail = $1";
    let row = client.query_one(query, &[&mailbox(number)]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

async fn until_error(scene: &Scene, number: u32, code: &str) {
    wait_for(&format!("{code} on the row"), async || match row(scene, number).await.2 {
        Some(told) if told == code => Ok(()),
        other => Err(format!("{other:?}; {}", scene.log_end())),
    })
    .await;
}

async fn held_by(scene: &Scene, count: usize) {
    wait_for(&format!("{count} appointments in Planner"), async || match scene.planner.listing().await {
        Ok(held) if held.len() == count => Ok(()),
        other => Err(format!("{other:?}; {}", scene.log_end())),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_soap_is_not_installed_mailboxes_are_located_plainly_and_all_goes_on() {
    let mut scene = Scene::new(PROGRAM, Setting { groups: 2, ..Setting::default() }).await;
    for number in 1..=3 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    scene
        .exchange_fault(json!({"kind": "not_found", "operation": "GetUserSettings", "probability": 1.0}))
        .await;
    scene.start_service().await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 3);
    let mut groupings = Vec::new();
    for number in 1..=3 {
        groupings.push(row(&scene, number).await.1.unwrap());
    }
    assert_eq!(groupings, ["Site-1", "Site-2", "Site-1"]);
    // the trial of the account at the start may ask for itself, once
    let (soap, plain) = (requests(&scene, "GetUserSettings").await, requests(&scene, "Autodiscover").await);
    assert!((3..=4).contains(&plain), "{plain}");
    assert!((1..=2).contains(&soap), "that there is no soap is remembered, {soap}");
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_locations_are_used_when_solving_is_switched_off_and_what_has_none_says_so() {
    let mut scene = Scene::ready(PROGRAM, Setting { groups: 2, ..Setting::default() }).await;
    scene.outlook.create(&mailbox(1), scene.appointment("BEFORE", 3)).await.unwrap();
    scene.until_in_step().await;
    let stored = row(&scene, 1).await;
    scene.stop_service().await;
    let client = scene.database.store.client("forget one").await.unwrap();
    // as if it had come to the list meanwhile
    client
        .execute("delete from planner_resource_subscription where mail = $1", &[&mailbox(3)])
        .await
        .unwrap();
    let forget = "update planner_resource set endpoint = null, grouping_value = null where mail = $1";
    client.execute(forget, &[&mailbox(3)]).await.unwrap();
    let asked = requests(&scene, "GetUserSettings").await;
    // nobody asks autodiscover, and it would not answer
    for operation in ["GetUserSettings", "Autodiscover"] {
        scene.exchange_fault(json!({"kind": "http503", "operation": operation, "probability": 1.0})).await;
    }
    scene.outlook.create(&mailbox(2), scene.appointment("MEANWHILE", 4)).await.unwrap();
    scene.configure("listener", "deactivate_solving_of_group_affinity", "true");
    scene.start_service().await;
    scene.until_ready().await;
    held_by(&scene, 2).await;
    scene.outlook.create(&mailbox(1), scene.appointment("LATER", 5)).await.unwrap();
    held_by(&scene, 3).await;
    assert_eq!(row(&scene, 1).await, stored);
    until_error(&scene, 3, "NotSolved").await;
    scene.until_raised(4925, &mailbox(3)).await;
    assert_eq!(requests(&scene, "GetUserSettings").await, asked);
    assert_eq!(requests(&scene, "Autodiscover").await, 0);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_product_works_with_rights_on_folders_instead_of_impersonation() {
    let setting = Setting {
        mailboxes: 5,
        configuration: vec![("exchange", "use_impersonation", "false")],
        capture: true,
        ..Setting::default()
    };
    let mut scene = Scene::new(PROGRAM, setting).await;
    scene.exchange_act(json!({"act": "access", "mailbox": mailbox(3), "access": "private_hidden"})).await;
    for (number, access) in [(4, "unshared"), (5, "availability_only")] {
        scene.exchange_act(json!({"act": "access", "mailbox": mailbox(number), "access": access})).await;
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    let early = scene.outlook.create(&mailbox(1), scene.appointment("EARLY", 3)).await.unwrap();
    scene.start_service().await;
    scene.until_ready().await;
    until_error(&scene, 4, "ErrorFolderNotFound").await;
    until_error(&scene, 5, "no right to read").await;
    scene.until_raised(4916, &mailbox(4)).await;
    scene.until_raised(4906, &mailbox(5)).await;
    scene.until_raised(9304, &mailbox(3)).await;
    // live changes: a series with a deleted occurrence, a day in another zone, a change, a deletion
    let series = scene.outlook.create(&mailbox(1), scene.series("SERIES", 4, 5)).await.unwrap();
    let tokyo = || Some(TimeZoneDefinition::id("Tokyo Standard Time"));
    let day = CalendarItem {
        is_all_day: Some(true),
        start_time_zone: tokyo(),
        end_time_zone: tokyo(),
        ..scene.appointment("DAY", 6)
    };
    scene.outlook.create(&mailbox(2), day).await.unwrap();
    held_by(&scene, 7).await;
    let second =
        ItemRef::Occurrence { recurring_master_id: series.id.clone(), change_key: None, instance_index: 2 };
    scene.outlook.delete(&mailbox(1), second, DeleteType::MoveToDeletedItems).await.unwrap();
    scene.outlook.update(&mailbox(1), early.clone().into(), scene.new_times(5)).await.unwrap();
    held_by(&scene, 6).await;
    // a gap: nobody tells of this but the catch-up
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    scene.outlook.delete(&mailbox(1), early.into(), DeleteType::HardDelete).await.unwrap();
    scene.outlook.create(&mailbox(3), scene.appointment("GAP", 4)).await.unwrap();
    // who is given rights later is listened to later; a new start does not wait for the retry
    scene.stop_service().await;
    for number in [4, 5] {
        scene.exchange_act(json!({"act": "access", "mailbox": mailbox(number), "access": "full"})).await;
    }
    scene.start_service().await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 8);
    wait_for("no error left on any resource", async || {
        match scene.count("select count(*) from planner_resource where error_code is not null").await {
            0 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    let messages = scene.captured("exchange");
    // the people's own client speaks another version
    let mut own = messages.iter().filter(|(_, text)| text.contains("Exchange2013_SP1")).peekable();
    assert!(own.peek().is_some(), "no request of the product was captured");
    for (name, text) in own {
        assert!(!text.contains("ExchangeImpersonation"), "{name} impersonates");
        if text.contains("DistinguishedFolderId") {
            assert!(text.contains("EmailAddress"), "{name} does not say whose calendar");
        }
    }
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_moves_is_located_anew_and_nothing_is_lost() {
    let mut scene = Scene::ready(PROGRAM, Setting { groups: 2, ..Setting::default() }).await;
    let kept = scene.outlook.create(&mailbox(1), scene.appointment("KEPT", 3)).await.unwrap();
    scene.outlook.create(&mailbox(3), scene.appointment("BESIDE", 3)).await.unwrap();
    scene.until_in_step().await;
    assert_eq!(row(&scene, 1).await.1.as_deref(), Some("Site-1"));
    scene.exchange_act(json!({"act": "move_mailbox", "mailbox": mailbox(1), "group": 2})).await;
    scene.outlook.delete(&mailbox(1), kept.into(), DeleteType::HardDelete).await.unwrap();
    scene.outlook.create(&mailbox(1), scene.appointment("MOVED", 4)).await.unwrap();
    // the others of its old group are not held up
    scene.outlook.create(&mailbox(3), scene.appointment("LIVE", 4)).await.unwrap();
    wait_for("the change beside it", async || match scene.planner.listing().await {
        Ok(held) if held.keys().any(|(_, origin)| origin == "LIVE") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    wait_longer(RETRY_PATIENCE, "the new place of the mailbox", async || match row(&scene, 1).await {
        (Some(_), Some(grouping), None) if grouping == "Site-2" => Ok(()),
        other => Err(format!("{other:?}; {}", scene.log_end())),
    })
    .await;
    let held = scene.until_in_step().await;
    assert_eq!(held.keys().filter(|(mail, _)| *mail == mailbox(1)).count(), 1);
    scene.outlook.create(&mailbox(1), scene.appointment("AFTERWARDS", 5)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 4);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_state_that_is_refused_means_starting_over_and_loses_nothing() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let gone = scene.outlook.create(&mailbox(1), scene.appointment("GONE", 3)).await.unwrap();
    scene.outlook.create(&mailbox(1), scene.appointment("STAYS", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.stop_service().await;
    scene.outlook.delete(&mailbox(1), gone.into(), DeleteType::HardDelete).await.unwrap();
    scene.outlook.create(&mailbox(1), scene.appointment("NEW", 4)).await.unwrap();
    // the database of the mailbox was restored: its history of deletions is gone
    scene.exchange_act(json!({"act": "forget_sync_states", "mailbox": mailbox(1)})).await;
    scene.start_service().await;
    scene.until_raised(9001, &mailbox(1)).await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_appointment_that_becomes_corrupt_stays_in_planner_and_hides_no_other() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let corrupt = scene.outlook.create(&mailbox(1), scene.appointment("CORRUPT", 3)).await.unwrap();
    let gone = scene.outlook.create(&mailbox(1), scene.appointment("GONE", 10)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.stop_service().await;
    let spoil = |corrupt_now: bool| json!({"act": "corrupt", "mailbox": mailbox(1), "item": corrupt.id, "corrupt": corrupt_now});
    scene.exchange_act(spoil(true)).await;
    scene.outlook.delete(&mailbox(1), gone.into(), DeleteType::HardDelete).await.unwrap();
    scene.outlook.create(&mailbox(1), scene.appointment("NEW", 12)).await.unwrap();
    // nothing tells of the deletion but a full reading
    scene.exchange_act(json!({"act": "forget_sync_states", "mailbox": mailbox(1)})).await;
    scene.start_service().await;
    scene.until_raised(9303, &mailbox(1)).await;
    wait_for("the new one and the corrupt one in Planner", async || match scene.planner.listing().await {
        Ok(held) => {
            let origins: Vec<&str> = held.keys().map(|(_, origin)| origin.as_str()).collect();
            if origins == ["CORRUPT", "NEW"] {
                Ok(())
            } else {
                Err(format!("{origins:?}; {}", scene.log_end()))
            }
        }
        Err(error) => Err(error.to_string()),
    })
    .await;
    scene.exchange_act(spoil(false)).await;
    scene.outlook.update(&mailbox(1), corrupt.clone().into(), scene.new_times(4)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
}
