//! Goal: what deploy/k8s relies on is so: the autoscaler's query runs on the real schema as a role that may do nothing else,
//! and a running service exports the metrics of the list that alert rules and dashboard are held against. Method: the
//! program as a process, with the query and the SQL as they are deployed. (The rest: `make check-k8s`.)
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeSet;
use std::path::Path;

use end_to_end::{Scene, Setting, mailbox};
use kommuneklient::demo::http::text;
use kommuneklient::metrics_list::{METRICS, by_name};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

fn deployed(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/k8s").join(file);
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_autoscaler_counts_affinity_groups_and_may_do_nothing_else() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 6, groups: 3, ..Setting::default() }).await;
    let objects = deployed("components/autoscaling/scaled-object.yaml");
    let query = objects.lines().find_map(|line| line.trim().strip_prefix("query: ")).unwrap();
    let client = scene.database.store.client("test").await.unwrap();
    // twice: it may be run again
    for _ in 0..2 {
        client.batch_execute(&deployed("sql/scaler.sql")).await.unwrap();
    }
    client.batch_execute("set role kommuneklient_scaler").await.unwrap();
    let rows = client.query(query, &[]).await.unwrap();
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "one number, or KEDA scales by nothing");
    assert_eq!(rows[0].columns()[0].type_().name(), "int8");
    assert_eq!(rows[0].get::<_, i64>(0), 3);
    for refused in [
        "select endpoint from subscription",
        "select mail from planner_resource",
        "select count(*) from calendar_event",
        "delete from subscription",
        "insert into subscription (endpoint, grouping_value, ordinal) values ('', '', 1)",
        "create table mine (id int)",
    ] {
        let error = client.batch_execute(refused).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{refused}: {error}");
    }
    client
        .batch_execute("reset role; delete from planner_resource_subscription; delete from subscription")
        .await
        .unwrap();
    client.batch_execute("set role kommuneklient_scaler").await.unwrap();
    let rows = client.query(query, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>(0), 0, "without groups it is still one number");
    client.batch_execute("reset role").await.unwrap();
}

/// The names of the labels of a line like `name{a="x",b="y, z"} 1`.
fn labels(line: &str) -> BTreeSet<String> {
    let inner =
        line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inner, _)| inner);
    let names = inner.split("=\"").map(|part| part.rsplit(['"', ',']).next().unwrap_or_default().to_owned());
    let mut names: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
    names.remove("le");
    if inner.is_empty() { BTreeSet::new() } else { names }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_running_service_exports_is_what_the_list_of_metrics_says() {
    // the metrics of traces are there where traces go somewhere, a collector or not
    let somewhere = ("telemetry", "otlp_endpoint", "\"http://127.0.0.1:1/v1/traces\"");
    // and that of certificates where there are some
    let setting =
        Setting { configuration: vec![somewhere], planner_security: Some(false), ..Setting::default() };
    let scene = Scene::ready(PROGRAM, setting).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 1)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    let url = format!("{}/metrics", scene.service.as_ref().unwrap().url);
    let exported = text(&url).await.unwrap();
    let mut seen = BTreeSet::new();
    for line in exported.lines().filter(|line| line.starts_with("# TYPE kommuneklient_")) {
        let (name, kind) = line.trim_start_matches("# TYPE ").split_once(' ').unwrap();
        let listed = METRICS.iter().find(|metric| metric.name.trim_end_matches("_total") == name);
        let listed = listed.unwrap_or_else(|| panic!("{name} is in no list"));
        assert_eq!(kind, listed.kind.word(), "{name}");
        seen.insert(listed.name);
    }
    for line in exported.lines().filter(|line| line.starts_with("kommuneklient_")) {
        let name = line.split(['{', ' ']).next().unwrap();
        let listed = by_name(name).unwrap_or_else(|| panic!("{name} is in no list"));
        let expected: BTreeSet<String> = listed.labels.iter().map(|&label| label.to_owned()).collect();
        assert_eq!(labels(line), expected, "{line}");
    }
    // housekeeping begins a while after the start
    let unseen: Vec<&str> =
        METRICS.iter().map(|metric| metric.name).filter(|name| !seen.contains(name)).collect();
    assert!(unseen.iter().all(|name| name.starts_with("kommuneklient_housekeeping")), "{unseen:?}");
}
