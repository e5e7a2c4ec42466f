//! Goal: the service accounts of the database carry the groups within their limits; too few, or none, are told, and
//! adding or removing one while the product runs covers or moves mailboxes without touching other streams; a back-off
//! holds over a restart. Method: the product as a process, accounts by its own commands, a simulated Exchange that
//! counts streams by account.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use base::SystemClock;
use calendar::ids::AccountId;
use end_to_end::scene::{PASSWORD, quote};
use end_to_end::{Scene, Setting, wait_for};
use jiff::ToSpan;
use proto_ews::{CalendarItem, FreeBusy};
use serde_json::{Value, json};
use store::account_slots::AccountSlot;
use store::lease::{Lease, LeaseBook};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const COVERED: &str =
    "select count(*) from planner_resource where last_success is not null and error_code is null";
const NOT_COVERED: &str = "select count(*) from planner_resource where error_code = 'NotCovered'";

/// Runs a command of the product with this input; gives what it printed.
fn command(scene: &Scene, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .args(["--config", scene.configuration.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn add_account(scene: &Scene, user: &str) {
    command(scene, &["credential", "add", user], PASSWORD);
}

/// A key to seal passwords under, as an operator makes it.
fn key() -> String {
    let output = Command::new(PROGRAM).args(["secrets", "generate"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Open streams by account, and the numbers of those streams.
async fn streams(scene: &Scene) -> BTreeMap<String, Vec<u64>> {
    let all: Vec<Value> = scene.exchange.get("/admin/streams").await.unwrap();
    let mut streams: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for stream in all {
        let account = stream["account"].as_str().unwrap().to_owned();
        streams.entry(account).or_default().push(stream["number"].as_u64().unwrap());
    }
    streams
}

/// Waits until so many mailboxes are listened to and so many are reported as not covered, with these streams.
async fn until(
    scene: &Scene,
    covered: i64,
    not: i64,
    wanted: &[(&str, usize)],
) -> BTreeMap<String, Vec<u64>> {
    wait_for("the coverage", async || {
        let now = (scene.count(COVERED).await, scene.count(NOT_COVERED).await);
        let streams = streams(scene).await;
        let carried: Vec<(&str, usize)> =
            streams.iter().map(|(account, some)| (account.as_str(), some.len())).collect();
        if now == (covered, not) && carried == wanted {
            Ok(streams)
        } else {
            Err(format!("{now:?} {carried:?}"))
        }
    })
    .await
}

/// Exchange knows so many accounts; the configuration names none, but a key for those of the database. Nothing runs yet.
async fn without_configured_account(accounts: u32) -> Scene {
    let mut scene = Scene::new(PROGRAM, Setting { accounts, ..Setting::default() }).await;
    scene.leave_out("exchange", "user");
    scene.leave_out("exchange", "password");
    scene.configure("secrets", "key", &quote(&key()));
    command(&scene, &["migrate"], "");
    scene
}

/// Requests that Exchange has answered, by operation.
async fn requests(scene: &Scene) -> Value {
    scene.exchange.get::<Value>("/admin/meter").await.unwrap()["meter"]["requests"].clone()
}

async fn create(scene: &Scene, n: u32) {
    let day = scene.clock.now().in_tz("Europe/Copenhagen").unwrap().date().saturating_add(5.days());
    let at = |hour: i8| day.at(hour, 0, 0, 0).in_tz("Europe/Copenhagen").unwrap().timestamp();
    let item = CalendarItem {
        start: Some(at(9)),
        end: Some(at(10)),
        free_busy: Some(FreeBusy::Busy),
        ..CalendarItem::default()
    };
    scene.outlook.create(&format!("m{n:04}@sim.test"), item).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_added_and_removed_while_the_product_runs() {
    let configuration = vec![
        ("listener", "mailboxes_per_subscription_group", "2"),
        ("listener", "subscription_groups_per_credential", "2"),
    ];
    let setting = Setting { mailboxes: 10, accounts: 5, configuration, ..Setting::default() };
    let mut scene = Scene::new(PROGRAM, setting).await;
    scene.configure("secrets", "key", &quote(&key()));
    command(&scene, &["migrate"], "");
    add_account(&scene, "svc2");
    add_account(&scene, "svc3");
    scene.start_service().await;
    // five groups are needed, two accounts carry four: the rest goes on
    let before = until(&scene, 8, 2, &[("svc2", 2), ("svc3", 2)]).await;
    assert_eq!(scene.count("select count(*) from application_log where event_id = 4934").await, 1);
    wait_for("the gauge", async || {
        let shown = scene.metric("kommuneklient_mailboxes_not_covered").await;
        if shown == Some(2.0) { Ok(()) } else { Err(format!("{shown:?}")) }
    })
    .await;
    assert_eq!(scene.metric(r#"kommuneklient_account_groups_free{account="1"}"#).await, Some(0.0));

    add_account(&scene, "svc4");
    let after = until(&scene, 10, 0, &[("svc2", 2), ("svc3", 2), ("svc4", 1)]).await;
    for account in ["svc2", "svc3"] {
        assert_eq!(before[account], after[account], "the streams of other groups go on");
    }
    for n in 1..=10 {
        create(&scene, n).await;
    }
    assert_eq!(scene.until_in_step().await.len(), 10);

    command(&scene, &["credential", "remove", "svc2", "--force"], "");
    let moved = until(&scene, 8, 2, &[("svc3", 2), ("svc4", 2)]).await;
    assert_eq!(moved["svc3"], after["svc3"], "the streams of other groups go on");
    add_account(&scene, "svc5");
    until(&scene, 10, 0, &[("svc3", 2), ("svc4", 2), ("svc5", 1)]).await;
    for n in 1..=10 {
        create(&scene, n).await;
    }
    assert_eq!(scene.until_in_step().await.len(), 20);
    let listed: Value =
        serde_json::from_str(&command(&scene, &["credential", "list", "--json"], "")).unwrap();
    let text = listed.to_string();
    assert!(
        ["svc3", "svc4", "svc5"].iter().all(|user| text.contains(user)) && !text.contains(PASSWORD),
        "{text}"
    );
    scene.stop_service().await;
    assert!(!scene.log().contains(PASSWORD));
}

/// The last account of the database is removed, and the configuration has none that could take its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_account_that_is_told_and_the_next_one_covers_everybody() {
    let mut scene = without_configured_account(3).await;
    add_account(&scene, "svc2");
    scene.start_service().await;
    until(&scene, 3, 0, &[("svc2", 1)]).await;
    assert_eq!(scene.raised(4933).await, Vec::<String>::new(), "there is one");

    command(&scene, &["credential", "remove", "svc2", "--force"], "");
    until(&scene, 0, 3, &[]).await;
    let told = scene.until_raised(4933, "there is no service account").await;
    assert!(told.contains("\"mailboxes\": 3"), "{told}");
    // nobody listens
    create(&scene, 1).await;

    add_account(&scene, "svc3");
    until(&scene, 3, 0, &[("svc3", 1)]).await;
    assert_eq!(scene.until_in_step().await.len(), 1, "it is caught up with");
    let told = (scene.raised(4933).await.len(), scene.raised(4934).await.len());
    assert_eq!(told, (1, 0), "once, and not as too few accounts");
}

/// Regression: mailboxes that nobody had located yet failed to be located, each by itself, instead of waiting for an account; and
/// when there was one, they waited for their next try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_without_any_account_it_says_so_and_waits_for_one() {
    let mut scene = without_configured_account(2).await;
    scene.start_service().await;
    until(&scene, 0, 3, &[]).await;
    let told = scene.until_raised(4933, "there is no service account").await;
    assert!(told.contains("\"mailboxes\": 3"), "{told}");
    assert_eq!(scene.raised(4929).await, Vec::<String>::new(), "no mailbox is blamed");

    add_account(&scene, "svc2");
    until(&scene, 3, 0, &[("svc2", 1)]).await;
    create(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_off_that_exchange_asked_for_holds_over_a_restart() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.exchange_act(json!({ "act": "busy", "for_ms": 1_500, "back_off_ms": 8_000 })).await;
    scene.exchange_act(json!({ "act": "drop_streams" })).await;
    wait_for("the back-off in the database", async || {
        let waits =
            scene.count("select count(*) from account_back_off where until > now() + interval '5 s'").await;
        if waits == 1 { Ok(()) } else { Err(format!("{waits}")) }
    })
    .await;
    scene.kill_service().await;
    // Exchange has recovered: only what is stored keeps the new process waiting
    wait_for("the end of the fault", async || {
        let left =
            scene.count("select count(*) from account_back_off where until > now() + interval '4 s'").await;
        if left == 0 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    let before = requests(&scene).await;
    scene.start_service().await;
    let over = "select count(*) from account_back_off where until > now() + interval '200 ms'";
    while scene.count(over).await > 0 {
        assert_eq!(requests(&scene).await, before, "no request leaves while the account waits");
        tokio::task::yield_now().await;
    }
    scene.until_ready().await;
    assert!(scene.log().contains("a service account still waits"), "{}", scene.log());
    create(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_s_timeout_is_the_configured_one_and_its_planned_end_is_no_gap() {
    let setting = Setting {
        configuration: vec![("exchange", "exchange_connection_timeout", "7")],
        capture: true,
        stream_minute: Duration::from_millis(250),
        ..Setting::default()
    };
    let scene = Scene::ready(PROGRAM, setting).await;
    create(&scene, 1).await;
    scene.until_in_step().await;
    let count = |requests: &Value, operation: &str| requests[operation].as_u64().unwrap_or(0);
    let before = requests(&scene).await;
    let after = wait_for("three planned ends", async || {
        let now = requests(&scene).await;
        let opened = count(&now, "GetStreamingEvents") - count(&before, "GetStreamingEvents");
        if opened >= 3 { Ok(now) } else { Err(format!("{opened}")) }
    })
    .await;
    for operation in ["Subscribe", "SyncFolderItems", "GetFolder"] {
        assert_eq!(
            count(&after, operation),
            count(&before, operation),
            "{operation}: the same subscriptions go on"
        );
    }
    let asked: Vec<String> = scene
        .captured("exchange")
        .into_iter()
        .map(|(_, text)| text)
        .filter(|text| text.contains("GetStreamingEvents>") && text.contains("ConnectionTimeout>"))
        .collect();
    assert!(asked.len() >= 4 && asked.iter().all(|text| text.contains("ConnectionTimeout>7<")), "{asked:?}");
    create(&scene, 2).await;
    assert_eq!(scene.until_in_step().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_once_a_group_and_not_once_a_mailbox() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 12, ..Setting::default() }).await;
    // nobody listens when the product is told of a gap, and it cannot be caught up for a while
    scene.exchange_fault(json!({ "kind": "http503", "probability": 1.0 })).await;
    scene.exchange_act(json!({ "act": "drop_streams" })).await;
    let lines = |event: u16| {
        let log = scene.log();
        log.lines().filter(|line| line.contains(&format!("\"event_id\":{event},"))).count()
    };
    wait_for("the outage in the log", async || match lines(4908) {
        0 => Err(scene.log().lines().last().unwrap_or_default().to_owned()),
        _ => Ok(()),
    })
    .await;
    scene.end_faults().await;
    create(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    assert_eq!(
        (lines(4908), lines(4911)),
        (1, 1),
        "the stream broke once, and could not be opened for a while"
    );
    assert_eq!(lines(4937) + lines(4906) + lines(4922), 0, "not one line for each mailbox");
    assert!(lines(4938) <= 1);
}

/// Another instance's group with the one slot of the account of the configuration: its row is gone already, and its
/// stream and its lease are not.
async fn dissolved_elsewhere(scene: &Scene) -> (LeaseBook, Lease) {
    let store = scene.database.store.clone();
    let life = Duration::from_secs(3);
    let elsewhere = LeaseBook::new(store, SystemClock::shared(), "elsewhere/1/1".into(), life);
    let lease = elsewhere.acquire("affinity-group/4711", Duration::from_secs(10)).await.unwrap();
    let slot = scene.database.store.take_account_slot(&lease.fence(), AccountId::new(0), 1).await.unwrap();
    assert_eq!(slot, AccountSlot::Taken);
    (elsewhere, lease)
}

/// Starts the product, whose group finds no room while that lease is renewed.
async fn starts_without_room(scene: &mut Scene, elsewhere: &LeaseBook) {
    scene.start_service().await;
    wait_for("a group that waits for room", async || {
        elsewhere.renew().await.unwrap();
        let waits = scene.log().contains("\"event_id\":9014");
        if waits { Ok(()) } else { Err(scene.log().lines().last().unwrap_or_default().to_owned()) }
    })
    .await;
    let asked = requests(scene).await;
    assert!(asked.get("Subscribe").is_none(), "nothing is asked of Exchange without a slot: {asked}");
}

async fn one_slot() -> Scene {
    let configuration = vec![("listener", "subscription_groups_per_credential", "1")];
    let scene = Scene::new(PROGRAM, Setting { mailboxes: 2, configuration, ..Setting::default() }).await;
    command(&scene, &["migrate"], "");
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_waits_for_the_slot_of_one_that_is_ending_and_begins_when_it_is_handed_back() {
    let mut scene = one_slot().await;
    let (elsewhere, ending) = dissolved_elsewhere(&scene).await;
    starts_without_room(&mut scene, &elsewhere).await;
    elsewhere.renew().await.unwrap();
    ending.release().await.unwrap();
    create(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    assert!(requests(&scene).await.get("Subscribe").is_some(), "and with one it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_takes_the_slot_of_one_whose_owner_died_when_its_lease_has_run_out() {
    let mut scene = one_slot().await;
    let (elsewhere, left) = dissolved_elsewhere(&scene).await;
    starts_without_room(&mut scene, &elsewhere).await;
    // nobody renews it any more
    create(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    let renewed = scene.database.store.take_account_slot(&left.fence(), AccountId::new(0), 1).await;
    assert!(
        matches!(renewed, Err(store::StoreError::LeaseLost { .. })),
        "who wakes up finds its token worth nothing: {renewed:?}"
    );
}
