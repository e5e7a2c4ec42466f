//! The list of resources (B10).

use end_to_end::{Scene, Setting, mailbox, wait_for};
use serde_json::{Value, json};

use crate::PROGRAM;

async fn list(scene: &Scene, addresses: &[&str]) {
    let resources: Vec<Value> = addresses.iter().map(|address| json!({"address": address})).collect();
    scene.planner.admin().post("/admin/resources", &resources.into()).await.unwrap();
}

/// What the pages say while the service is not ready: the body of the answer, whatever its status.
async fn not_ready(scene: &Scene) -> String {
    let url = format!("{}/health/ready", scene.service.as_ref().unwrap().url);
    kommuneklient::demo::http::text(&url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_list_at_the_start_is_told_and_asked_for_again() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID", 3)).await.unwrap();
    list(&scene, &[]).await;
    scene.start_service().await;
    scene.until_raised(3202, "").await;
    // the listener waits for a list, and says so
    scene.until_raised(9002, "").await;
    let status = not_ready(&scene).await;
    assert!(status.contains("resource-list"), "{status}");
    assert_eq!(scene.count("select count(*) from planner_resource").await, 0);
    list(&scene, &[&mailbox(1), &mailbox(2)]).await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_cannot_be_read_is_told_and_asked_for_again() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID", 3)).await.unwrap();
    for kind in
        [json!("malformed-answer"), json!("oversized-answer"), json!({"http-status": {"status": 500}})]
    {
        scene.planner_fault(json!({"kind": kind, "operation": "GetResources", "next": 1})).await;
    }
    scene.start_service().await;
    scene.until_raised(6906, "GetResources: the answer of planner cannot be read").await;
    scene.until_raised(6906, "GetResources: the answer of planner is longer").await;
    scene.until_raised(6901, "GetResources: planner answered with HTTP status 500").await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_unharmed().await;
}

/// It was told as one without resources (3202).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_which_no_entry_can_be_used_is_told_as_unusable_and_asked_for_again() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID", 3)).await.unwrap();
    list(&scene, &["nobody", "no one"]).await;
    scene.start_service().await;
    scene.until_raised(6906, "2 of 2 entries of the resource list cannot be used, the first: ").await;
    scene.until_raised(9201, "").await;
    assert_eq!(scene.count_raised(3202, "").await, 0);
    list(&scene, &[&mailbox(1), &mailbox(2)]).await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_unharmed().await;
}

async fn until_count(scene: &Scene, statement: &str, expected: i64) {
    wait_for(statement, async || match scene.count(statement).await {
        count if count == expected => Ok(()),
        count => Err(format!("{count}, not {expected}; {}", scene.log_end())),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_cannot_be_used_are_told_and_the_others_are_used() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 3, ..Setting::default() }).await;
    for number in [1, 3] {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    list(&scene, &[&mailbox(1), &mailbox(2), "M0002@SIM.test", "nobody", &mailbox(3).to_uppercase()]).await;
    scene.start_service().await;
    scene.until_raised(3201, &mailbox(2)).await;
    scene.until_raised(9201, "").await;
    scene.until_ready().await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    let client = scene.database.store.client("look at the resources").await.unwrap();
    let rows = client.query("select mail from planner_resource order by mail", &[]).await.unwrap();
    let mails: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(mails, [mailbox(1), mailbox(3)]);
    // somebody is called as long as an entry cannot be used: whose it is may never have been begun with
    let standing = "select count(*) from standing_alert where code = 9201";
    until_count(&scene, standing, 1).await;
    list(&scene, &[&mailbox(1), &mailbox(2), &mailbox(3)]).await;
    scene.database.store.ask_for_resource_list().await.unwrap();
    until_count(&scene, standing, 0).await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_list_later_keeps_the_last_good_one() {
    let mut scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    let before: Value = scene.planner.admin().get("/admin/resources").await.unwrap();
    scene.stop_service().await;
    list(&scene, &[]).await;
    scene.start_service().await;
    scene.until_raised(3202, "").await;
    scene.until_ready().await;
    let used = "select count(*) from planner_resource where deleted_date is null";
    assert_eq!(scene.count(used).await, 2);
    // (a Planner without resources refuses everything with code 1)
    scene.planner.admin().post("/admin/resources", &before).await.unwrap();
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    wait_for("no refusal", async || {
        match scene.count("select count(*) from calendar_event where pending").await {
            0 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    scene.assert_unharmed().await;
}
