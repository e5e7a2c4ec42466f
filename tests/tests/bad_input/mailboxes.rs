//! Mailboxes that cannot be listened to (B12).

use std::time::Duration;

use end_to_end::{Scene, Setting, mailbox, wait_for, wait_longer};
use serde_json::json;

use crate::PROGRAM;

/// What a change takes at most, on a busy machine, when nobody holds it up.
const FULL_SPEED: Duration = Duration::from_secs(5);
/// A mailbox that cannot be used is tried again after a minute.
const RETRY_PATIENCE: Duration = Duration::from_secs(150);

/// The error on a resource's row: code and description, complete or not there at all.
async fn error_of(scene: &Scene, mail: &str) -> Option<(String, String)> {
    let client = scene.database.store.client("look at a resource").await.unwrap();
    let row = client
        .query_one(
            "select error_code, error_description, error_date is not null, retry_at > now() - interval '5 s'
               from planner_resource where mail = $1",
            &[&mail],
        )
        .await
        .unwrap();
    let code: Option<String> = row.get(0);
    let code = code?;
    let (dated, retried): (bool, Option<bool>) = (row.get(2), row.get(3));
    assert!(dated, "{mail} has an error without a date");
    assert_eq!(retried, Some(true), "{mail} has an error and no time of the next try");
    Some((code, row.get::<_, Option<String>>(1).unwrap_or_default()))
}

async fn access(scene: &Scene, number: u32, access: &str) {
    scene.exchange_act(json!({"act": "access", "mailbox": mailbox(number), "access": access})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_cannot_be_used_says_why_and_holds_up_nobody() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 6, ..Setting::default() }).await;
    for number in 1..=6 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    // the alphabetically first is one of them: it would be the group's anchor
    for (number, forbidden) in
        [(1, "impersonation_denied"), (2, "missing"), (3, "access_denied"), (4, "folder_not_found")]
    {
        access(&scene, number, forbidden).await;
    }
    scene.start_service().await;
    scene.until_ready().await;
    wait_for("the appointments of the good mailboxes", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        let of: Vec<&str> = held.keys().map(|(mail, _)| mail.as_str()).collect();
        if of == [mailbox(5), mailbox(6)] { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    for (number, code, event) in [
        (1, "ErrorImpersonateUserDenied", 4906),
        (2, "InvalidUser", 4929),
        (3, "ErrorAccessDenied", 4906),
        (4, "ErrorFolderNotFound", 4916),
    ] {
        scene.until_raised(event, &mailbox(number)).await;
        wait_for("the error on the row", async || match error_of(&scene, &mailbox(number)).await {
            Some((told, description)) if told == code && !description.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
    // changes of the good ones are not held up
    scene.outlook.create(&mailbox(6), scene.appointment("LATER", 4)).await.unwrap();
    wait_for("the later appointment", async || match scene.planner.listing().await {
        Ok(held) if held.len() == 3 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;

    for number in 1..=4 {
        access(&scene, number, "full").await;
    }
    for number in 1..=4 {
        wait_longer(RETRY_PATIENCE, "the error being cleared", async || {
            error_of(&scene, &mailbox(number))
                .await
                .map_or(Ok(()), |error| Err(format!("{number}: {error:?}")))
        })
        .await;
    }
    assert_eq!(scene.until_in_step().await.len(), 7);
    scene.assert_unharmed().await;
}

/// Whatever is asked about it: the others are served as fast as ever, and it catches up when that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_whose_every_answer_is_garbage_holds_up_nobody() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    for operation in ["GetFolder", "GetItem", "FindItem", "SyncFolderItems", "Subscribe"] {
        let rule =
            json!({"kind": "malformed", "operation": operation, "mailbox": mailbox(1), "probability": 1.0});
        scene.exchange_fault(rule).await;
    }
    let mut ids = Vec::new();
    for number in 0..4 {
        let uid = format!("UID-{number}");
        ids.push(scene.outlook.create(&mailbox(1), scene.appointment(&uid, 3 + number)).await.unwrap());
        let began = scene.clock.monotonic();
        scene.outlook.create(&mailbox(2), scene.appointment(&uid, 3 + number)).await.unwrap();
        wait_for("the appointment of the good mailbox", async || {
            let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
            let there = held.keys().filter(|(mail, _)| *mail == mailbox(2)).count();
            if i64::try_from(there).unwrap() > number { Ok(()) } else { Err(format!("{held:?}")) }
        })
        .await;
        // far below every pause that the bad one is left alone for
        let took = scene.clock.monotonic().saturating_duration_since(began);
        assert!(took < FULL_SPEED, "{took:?}; {}", scene.log_end());
    }
    let of_bad = format!("select count(*) from calendar_event where mail = '{}'", mailbox(1));
    assert_eq!(scene.count(&of_bad).await, 0);
    scene.end_faults().await;
    // what was set aside meanwhile is tried again with its next change
    for (id, days) in ids.into_iter().zip(10..) {
        scene.outlook.update(&mailbox(1), id.into(), scene.new_times(days)).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 8);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_goes_away_while_listened_to_keeps_its_appointments_in_planner() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    for number in 1..=3 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 3);
    access(&scene, 2, "missing").await;
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    wait_for("the error on the row", async || match error_of(&scene, &mailbox(2)).await {
        Some((code, _)) if code == "ErrorNonExistentMailbox" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    scene.until_raised(4915, &mailbox(2)).await;
    scene.outlook.create(&mailbox(3), scene.appointment("LATER", 4)).await.unwrap();
    // an unreadable mailbox is never read as empty (B8)
    wait_for("the other mailbox's change", async || match scene.planner.listing().await {
        Ok(held) if held.len() == 4 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_vanishes_from_its_stream_and_comes_back_catches_up() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    scene.configure("listener", "mailbox_retry_initial", "\"500ms\"");
    scene.configure("listener", "mailbox_retry_cap", "\"2s\"");
    scene.start_service().await;
    scene.until_ready().await;
    let gone = scene.outlook.create(&mailbox(2), scene.appointment("GONE", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    // the group's stream goes on; the server only says that this subscription is not known any more
    access(&scene, 2, "missing").await;
    wait_for("the error on the row", async || match error_of(&scene, &mailbox(2)).await {
        Some((code, _)) if code == "ErrorNonExistentMailbox" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    scene.outlook.create(&mailbox(3), scene.appointment("LIVE", 4)).await.unwrap();
    wait_for("the other mailbox's change", async || match scene.planner.listing().await {
        Ok(held) if held.len() == 2 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    // what happens in the same moment as its return is found by the catch-up
    access(&scene, 2, "full").await;
    scene.outlook.delete(&mailbox(2), gone.into(), proto_ews::DeleteType::HardDelete).await.unwrap();
    scene.outlook.create(&mailbox(2), scene.appointment("BACK", 5)).await.unwrap();
    wait_for("the error being cleared", async || {
        error_of(&scene, &mailbox(2)).await.map_or(Ok(()), |error| Err(format!("{error:?}")))
    })
    .await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
}
