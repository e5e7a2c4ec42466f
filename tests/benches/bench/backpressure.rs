//! The memory of the product while 100,000 changes wait: with Planner away for a minute in which people go on working,
//! and for a minute in which ten times as much waits as may be sent. The kernel's figure of the resident memory of
//! the process, beside the same at rest.

use std::time::Duration;

use end_to_end::load::{backlog, calls, most_memory, until_sendable};
use end_to_end::{Scene, Setting, mailbox};

use crate::figures::Figures;

pub(crate) const NAME: &str = "backpressure";
const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const MAILBOXES: u32 = 50;
const KEYS: u32 = 2_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Measures.
pub(crate) async fn run() -> Figures {
    let configuration =
        vec![("planner", "simultaneous_calls", "4"), ("planner", "sla_calls_per_minute", "480")];
    let mut scene =
        Scene::new(PROGRAM, Setting { mailboxes: MAILBOXES, configuration, ..Setting::default() }).await;
    let mut planner = scene.gate_before_planner();
    planner.open();
    scene.start_service().await;
    until_sendable(&scene).await;
    scene.outlook.create(&mailbox(1), scene.appointment("BEFORE", 3)).await.expect("an appointment is made");
    scene.until_in_step().await;
    let rest = most_memory(&scene, Duration::from_secs(2)).await;
    planner.shut().await;
    for n in 1..=MAILBOXES {
        backlog(&scene, &mailbox(n), KEYS, n % 2 == 0).await;
    }
    let began = tokio::time::Instant::now();
    let (mut away, mut made) = (0, 0);
    while tokio::time::Instant::now().duration_since(began) < MINUTE {
        made += 1;
        let item = scene.appointment(&format!("AWAY-{made}"), 3 + made % 80);
        let worker = mailbox(1 + u32::try_from(made).unwrap_or_default() % MAILBOXES);
        scene.outlook.create(&worker, item).await.expect("an appointment is made");
        away = away.max(most_memory(&scene, Duration::from_millis(40)).await);
    }
    let waiting = scene.count("select count(*) from calendar_event where pending").await;
    eprintln!("  {made} changes in a minute without Planner, {waiting} wait");
    planner.open();
    let flood = most_memory(&scene, MINUTE).await;
    eprintln!("  then {:?}", calls(&scene).await);
    scene.kill_service().await;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut figures = Figures::default();
    figures.add(&format!("{NAME}/planner away"), "MiB resident", mib(away), mib(rest));
    figures.add(&format!("{NAME}/ten times the budget"), "MiB resident", mib(flood), mib(rest));
    figures
}
