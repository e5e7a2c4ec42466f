//! Goal: each stage can run in a process of its own and be restarted and upgraded alone; a process says that it is
//! ready when it can do its work and not before, and stays so while others are away; two versions run side by side
//! across a migration; a part that always fails ends the process, so that an orchestrator can act. Method: several
//! processes on one database against both simulators.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::time::Duration;

use end_to_end::scene::Part;
use end_to_end::{Scene, Setting, mailbox, wait_for, wait_longer};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
/// Makes a process one of a newer version, which knows one migration more.
const NEWER: &str = "KOMMUNEKLIENT_NEWER_SCHEMA=1";
const NEWER_NAME: &str = "V9001__of_a_newer_version";

/// Changes that people make one after the other, each in another mailbox.
struct People {
    made: u32,
}

impl People {
    /// A new appointment, and another one moved.
    async fn change(&mut self, scene: &Scene) {
        self.made += 1;
        let (owner, days) = (mailbox(1 + self.made % 3), 3 + i64::from(self.made % 40));
        let item = scene.appointment(&format!("UID-{}", self.made), days);
        let id = scene.outlook.create(&owner, item).await.unwrap();
        if self.made.is_multiple_of(2) {
            scene.outlook.update(&owner, id.into(), scene.new_times(days)).await.unwrap();
        }
    }
}

/// Waits until a part has ended by itself, and gives how.
async fn until_ended(part: &mut Part, patience: Duration) -> String {
    let cell = std::cell::RefCell::new(part);
    wait_longer(patience, "the process ending by itself", async || {
        let mut part = cell.borrow_mut();
        part.ended().ok_or_else(|| part.log_end())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_with_one_role_each_are_the_pipeline_and_each_restarts_alone() {
    let scene = Scene::new(PROGRAM, Setting::default()).await;
    // in any order: who comes too early waits, and says for what (B1)
    let listener = scene.start_part("listener", "listen", &[]).await;
    listener.until_not_ready("root/listener/forming").await;
    let qualifier = scene.start_part("qualifier", "qualify", &[]).await;
    qualifier.until_not_ready("root/qualifier/qualifier/0").await;
    let communicator = scene.start_part("communicator", "communicate", &[]).await;
    let mut parts = [listener, qualifier, communicator];
    for part in &parts {
        part.until_settled().await;
    }
    let roles: Vec<_> = futures_of(&parts).await.into_iter().map(|body| body["roles"].to_string()).collect();
    assert_eq!(roles, ["[\"listen\"]", "[\"qualify\"]", "[\"communicate\"]"]);
    let mut people = People { made: 0 };
    people.change(&scene).await;
    scene.until_in_step().await;
    for round in 0..2 {
        for part in &mut parts {
            people.change(&scene).await;
            // once as a crash would, once as an upgrade does
            if round == 0 {
                part.kill().await;
            } else {
                part.stop().await;
            }
            people.change(&scene).await;
            part.start().await;
            people.change(&scene).await;
        }
    }
    assert_eq!(scene.until_in_step().await.len(), people.made as usize);
    for part in &mut parts {
        part.until_settled().await;
        assert_eq!(part.ended(), None);
        assert!(!part.log().contains("panicked at"), "{}", part.log_end());
    }
    scene.assert_no_violations().await;
}

/// What all of them say.
async fn futures_of(parts: &[Part]) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for part in parts {
        all.push(part.readiness().await);
    }
    all
}

/// A stage that is down delays; it never loses, and holds up no other (B1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_is_down_delays_and_never_loses() {
    let scene = Scene::new(PROGRAM, Setting::default()).await;
    let mut communicator = scene.start_part("communicator", "communicate", &[]).await;
    let mut others = scene.start_part("others", "listen,qualify", &[]).await;
    others.until_settled().await;
    communicator.until_settled().await;
    communicator.stop().await;
    let mut people = People { made: 0 };
    for _ in 0..4 {
        people.change(&scene).await;
    }
    // decided without it
    wait_for("the decisions", async || {
        match scene.count("select count(*) from calendar_event where pending").await {
            4 => Ok(()),
            count => Err(format!("{count}; {}", others.log_end())),
        }
    })
    .await;
    assert_eq!(scene.planner.listing().await.unwrap().len(), 0);
    communicator.start().await;
    assert_eq!(scene.until_in_step().await.len(), 4);
    others.stop().await;
    people.change(&scene).await;
    others.start().await;
    assert_eq!(scene.until_in_step().await.len(), 5);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_whose_account_is_refused_is_not_ready_and_harms_nobody() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.configure_text("exchange", "password", "wrong");
    let wrong = scene.start_part("wrong", "", &[]).await;
    wrong.until_not_ready("root/logon").await;
    // the one that runs goes on at full speed: what is refused to the other is the other's
    let mut people = People { made: 0 };
    people.change(&scene).await;
    people.change(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.until_ready().await;
    assert_eq!(wrong.readiness().await["ready"], false);
    scene.configure_text("exchange", "password", end_to_end::scene::PASSWORD);
    let right = scene.start_part("right", "", &[]).await;
    right.until_ready().await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_exchange_keeps_no_process_from_being_ready() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.stop_service().await;
    scene.exchange_fault(json!({"kind": "http503", "probability": 1.0})).await;
    scene.start_service().await;
    let new = scene.start_part("new", "listen", &[]).await;
    new.until_ready().await;
    // what is not at work is told beside it
    let said = new.readiness().await;
    assert_eq!(said["ready"], true, "{said}");
    scene.end_faults().await;
    scene.until_ready().await;
    new.until_settled().await;
    People { made: 0 }.change(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    // and an outage later takes nobody's readiness away
    scene.exchange_fault(json!({"kind": "http503", "probability": 1.0})).await;
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    wait_for("the outage being felt", async || {
        // whoever of the two has the group
        let told = |code: u16| scene.is_logged(code) || new.log().contains(&format!("\"event_id\":{code}"));
        if told(4908) || told(4911) { Ok(()) } else { Err(format!("{}{}", scene.log_end(), new.log_end())) }
    })
    .await;
    assert_eq!(new.readiness().await["ready"], true);
    scene.end_faults().await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_may_not_migrate_waits_and_says_for_what() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.configure("database", "migrate", "false");
    let waiting = scene.start_part("waiting", "", &[NEWER]).await;
    waiting.until_not_ready(NEWER_NAME).await;
    waiting.until_not_ready("run kommuneklient migrate").await;
    assert!(waiting.log().contains("\"event_id\":9310"), "{}", waiting.log_end());
    // the one that runs goes on meanwhile
    People { made: 0 }.change(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.configure("database", "migrate", "true");
    let migrating = scene.start_part("migrating", "communicate", &[NEWER]).await;
    migrating.until_ready().await;
    waiting.until_ready().await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_and_a_new_version_run_side_by_side_across_a_migration() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let mut people = People { made: 0 };
    for _ in 0..6 {
        people.change(&scene).await;
    }
    assert_eq!(scene.until_in_step().await.len(), 6);
    // statements of the old version are prepared by now; the new one changes every table below it
    let mut new = scene.start_part("new", "", &[NEWER]).await;
    people.change(&scene).await;
    new.until_ready().await;
    assert_eq!(scene.count("select count(*) from refinery_schema_history where version = 9001").await, 1);
    for _ in 0..6 {
        people.change(&scene).await;
    }
    assert_eq!(scene.until_in_step().await.len(), 13);
    scene.assert_unharmed().await;
    // the old one goes, then the new one dies and the old one comes back: it is content with the newer schema
    scene.stop_service().await;
    people.change(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 14);
    new.kill().await;
    people.change(&scene).await;
    scene.start_service().await;
    assert_eq!(scene.until_in_step().await.len(), 15);
    scene.until_ready().await;
    new.start().await;
    new.until_ready().await;
    scene.stop_service().await;
    people.change(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 16);
    // the nine that were made when the schema was the newer one for certain; the one made meanwhile may be one of them
    assert!(scene.count("select count(*) from of_a_newer_version").await >= 9);
    assert!(!new.log().contains("panicked at"), "{}", new.log_end());
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_start_at_once_on_a_schema_of_before_both_go_on() {
    let scene = Scene::new(PROGRAM, Setting::default()).await;
    let one = scene.start_part("one", "", &[NEWER]);
    let two = scene.start_part("two", "", &[NEWER]);
    let (one, two) = tokio::join!(one, two);
    one.until_settled().await;
    two.until_settled().await;
    People { made: 0 }.change(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_no_violations().await;
}

/// The ladder: the shard, the qualifier, the process. docs/runtime-semantics.md states the bound and the status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_always_panics_ends_the_process_with_status_1_and_a_restart_goes_on() {
    let scene = Scene::new(PROGRAM, Setting { mailboxes: 3, ..Setting::default() }).await;
    let mut broken = scene.start_part("broken", "", &["KOMMUNEKLIENT_PANIC_AT=qualifier.claimed"]).await;
    People { made: 0 }.change(&scene).await;
    // the bound of docs/runtime-semantics.md
    let status = until_ended(&mut broken, Duration::from_secs(300)).await;
    assert_eq!(status, "exit status: 1", "{}", broken.log_end());
    let log = broken.log();
    for step in ["root/qualifier/qualifier/", "escalat", "the service gave up", "\"event_id\":9301"] {
        assert!(log.contains(step), "{step} is not in the log: {}", broken.log_end());
    }
    assert!(
        !log.contains("told to panic at"),
        "the message of a panic may hold anything and stays out of the log"
    );
    // the orchestrator starts it anew, with the cause gone
    let mended = scene.start_part("mended", "", &[]).await;
    mended.until_settled().await;
    assert_eq!(scene.until_in_step().await.len(), 1);
}

/// One panic, in each stage: the part is restarted, nobody else, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_each_stage_costs_a_restart_and_loses_nothing() {
    let scene = Scene::new(PROGRAM, Setting::default()).await;
    let at = |point: &str| format!("KOMMUNEKLIENT_PANIC_AT={point}:2");
    let listener = scene.start_part("listener", "listen", &[&at("listener.notification-received")]).await;
    let qualifier = scene.start_part("qualifier", "qualify", &[&at("qualifier.decided")]).await;
    let communicator = scene.start_part("communicator", "communicate", &[&at("communicator.answered")]).await;
    let mut parts = [listener, qualifier, communicator];
    for part in &parts {
        part.until_settled().await;
    }
    let mut people = People { made: 0 };
    for _ in 0..6 {
        people.change(&scene).await;
    }
    let in_step = tokio::time::timeout(Duration::from_secs(50), scene.until_in_step()).await;
    let logs =
        || parts.iter().map(|part| format!("{}:\n{}\n", part.name, part.log_end())).collect::<String>();
    assert_eq!(in_step.unwrap_or_else(|_| panic!("not in step; {}", logs())).len(), 6);
    for part in &mut parts {
        assert!(part.log().contains("\"event_id\":9302"), "{} did not panic: {}", part.name, part.log_end());
        assert_eq!(part.ended(), None, "{}", part.log_end());
    }
    scene.assert_no_violations().await;
}
