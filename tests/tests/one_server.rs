//! Goal: on one server the service does all its work as a role of the database that cannot change the schema, waits and says
//! so while it lacks a right, and writes its log to a file where that is asked for. Method: the program as a process with
//! real roles, beside both simulators.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use end_to_end::command::operate;
use end_to_end::scene::quote;
use end_to_end::{Scene, Setting, mailbox};
use secrecy::ExposeSecret;
use store::rights::RUNTIME_ROLE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

/// The status, and all that was said.
async fn run(configuration: &Path, line: &str) -> (i32, String) {
    let ended = operate(PROGRAM, configuration, line).await;
    (ended.status, ended.out + &ended.err)
}

/// The role belongs to the cluster that all tests share: whoever needs it makes it, and it stays.
async fn make_role(scene: &Scene) {
    let make = format!(
        "do $$ begin create role {RUNTIME_ROLE} login;
         exception when duplicate_object or unique_violation then null; end $$"
    );
    scene.database.store.client("test").await.unwrap().batch_execute(&make).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_and_its_commands_run_as_a_role_that_cannot_change_the_schema() {
    let mut scene = Scene::new(PROGRAM, Setting { without_schema: true, ..Setting::default() }).await;
    make_role(&scene).await;
    let (status, said) = run(&scene.configuration, "migrate").await;
    assert!(status == 0 && said.starts_with("applied V1__init"), "{said}");
    assert_eq!(run(&scene.configuration, "migrate").await, (0, "the schema is up to date\n".to_owned()));
    let owner = scene.database.url.expose_secret().to_owned();
    let service = owner.replace("user=kommuneklient ", &format!("user={RUNTIME_ROLE} "));
    assert_ne!(owner, service);
    scene.configure("database", "url", &quote(&service));
    scene.configure("database", "migrate", "false");
    let logs = tempfile::TempDir::new().unwrap();
    let log = logs.path().join("kommuneklient.log");
    scene.configure("telemetry", "log_file", &quote(log.to_str().unwrap()));
    scene.start_service().await;
    scene.until_ready().await;
    for day in 1..=3 {
        scene.outlook.create(&mailbox(1), scene.appointment(&format!("UID-{day}"), day)).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 3);
    let one = mailbox(2);
    for line in [
        "status",
        "mailbox list",
        &format!("mailbox show {one}"),
        &format!("explain {}", mailbox(1)),
        "pull --all --wait",
        "compare --all --wait",
        "adopt --all --wait",
        "resources refresh --wait",
        &format!("mailbox block {one} --reason test --withdraw"),
        &format!("erase {one} --yes"),
        &format!("erase {one} --undo"),
        "whitelist list",
        "withheld list",
        "set-aside list",
        "operations",
    ] {
        let (status, said) = run(&scene.configuration, line).await;
        assert_eq!(status, 0, "{line}: {said}");
    }
    let (_, doctor) = run(&scene.configuration, "doctor").await;
    assert!(doctor.contains(&format!("{RUNTIME_ROLE} may read and write all tables")), "{doctor}");
    // who may not migrate and is told to says what is refused, and changes nothing
    scene.configure("database", "migrate", "true");
    let (status, said) = run(&scene.configuration, "migrate").await;
    assert!(status == 1 && said.contains("permission denied for schema public"), "{said}");
    assert!(
        said.contains("names the role that owns the schema") && said.contains("database.migrate = false"),
        "{said}"
    );
    scene.stop_service().await;
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains("the schema is up to date") || lines.contains("affinity group begins"), "{lines}");
    assert!(!lines.contains("permission denied"), "{lines}");
    assert!(!scene.log().contains("\"level\""), "{}", scene.log());
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_lacks_a_right_waits_says_which_and_goes_on_when_it_was_given() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    make_role(&scene).await;
    assert_eq!(run(&scene.configuration, "migrate").await.0, 0);
    let client = scene.database.store.client("test").await.unwrap();
    client.batch_execute(&format!("revoke delete on calendar_event from {RUNTIME_ROLE}")).await.unwrap();
    drop(client);
    let owner = scene.configuration.with_file_name("owner.toml");
    std::fs::copy(&scene.configuration, &owner).unwrap();
    let service =
        scene.database.url.expose_secret().replace("user=kommuneklient ", &format!("user={RUNTIME_ROLE} "));
    scene.configure("database", "url", &quote(&service));
    scene.configure("database", "migrate", "false");
    let waiting = scene.start_part("waiting", "", &[]).await;
    waiting
        .until_not_ready(&format!("rights of {RUNTIME_ROLE} on calendar_event; run kommuneklient migrate"))
        .await;
    assert!(waiting.log().contains("\"event_id\":9310"), "{}", waiting.log_end());
    assert_eq!(run(&owner, "migrate").await.0, 0);
    waiting.until_ready().await;
}

/// The server that this process started ends with it: that is no database that went away (8901), nor anything else to be
/// looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_end_with_an_embedded_database_raises_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // the server's account must be able to enter
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let data = folder.path().join("data");
    scene.configure("database", "url", &quote("embedded"));
    scene.configure("database", "data_dir", &quote(data.to_str().unwrap()));
    scene.start_service().await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    let before = scene.log().lines().count();
    scene.stop_service().await;
    let log = scene.log();
    let end: Vec<&str> = log.lines().skip(before).collect();
    assert!(end.iter().any(|line| line.contains("ending in order")), "{end:#?}");
    let raised: Vec<&&str> =
        end.iter().filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\"")).collect();
    assert!(raised.is_empty(), "{raised:#?}");
}
