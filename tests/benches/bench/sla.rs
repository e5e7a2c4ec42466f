//! How much of what was agreed with Planner is used while ten times as much waits, over sixty-second minutes.
//!
//! The product as a process, with Planner's own meter and log as the measure. Within any minute no more than what was
//! agreed can come, so three times as much and one more cannot have come before three minutes after the first: how much
//! later it came is what was left unused. The cases run side by side, each with its own database and simulators; what they do in a minute
//! is little.

use std::time::Duration;

use end_to_end::load::{arrivals, backlog, calls, until_sendable};
use end_to_end::{Scene, Setting, mailbox, wait_longer};

use crate::figures::Figures;

pub(crate) const NAME: &str = "sla";
const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const MAILBOXES: u32 = 6;
const MINUTES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(300);

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Live,
    Bulk,
    Both,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    /// Calls a minute.
    calls: Option<&'static str>,
    /// Appointments a minute.
    events: Option<&'static str>,
    waits: Waits,
    /// Kill the product in the midst of each minute, and start it again.
    dies: bool,
}

const CASES: [Case; 6] = [
    Case { name: "calls, live changes", calls: Some("120"), events: None, waits: Waits::Live, dies: false },
    Case { name: "calls, a pull alone", calls: Some("120"), events: None, waits: Waits::Bulk, dies: false },
    Case { name: "calls, both", calls: Some("120"), events: None, waits: Waits::Both, dies: false },
    Case { name: "appointments, both", calls: None, events: Some("1200"), waits: Waits::Both, dies: false },
    Case {
        name: "both limits, both",
        calls: Some("120"),
        events: Some("1200"),
        waits: Waits::Both,
        dies: false,
    },
    Case {
        name: "calls, both, take-overs",
        calls: Some("120"),
        events: None,
        waits: Waits::Both,
        dies: true,
    },
];

/// Measures.
pub(crate) async fn run() -> Figures {
    let cases: Vec<_> = CASES.into_iter().map(|case| tokio::task::spawn_local(measure(case))).collect();
    let mut figures = Figures::default();
    for case in cases {
        let (case, used, limit) = case.await.expect("no case panics");
        let unit = if case.events.is_some() { "appointments/min" } else { "calls/min" };
        figures.add(&format!("{NAME}/{}", case.name), unit, f64::from(limit) * used, f64::from(limit));
    }
    figures
}

async fn measure(case: Case) -> (Case, f64, u32) {
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let limit = number(case.events.or(case.calls).expect("a limit"));
    let mut scene = begin(case).await;
    let keys = limit * MINUTES * 10 / MAILBOXES;
    let (_, before) = arrivals(&scene, 0).await;
    for n in 1..=MAILBOXES {
        let bulk = case.waits == Waits::Bulk || (case.waits == Waits::Both && n % 2 == 0);
        backlog(&scene, &mailbox(n), keys, bulk).await;
    }
    if case.dies {
        for _ in 0..MINUTES {
            tokio::time::sleep(Duration::from_secs(40)).await;
            scene.kill_service().await;
            scene.start_service().await;
        }
    }
    let worth = u64::from(limit * MINUTES);
    let (first, reached) = wait_longer(PATIENCE, "three minutes' worth and one more", async || {
        let (came, _) = arrivals(&scene, before).await;
        let mut sum = 0;
        let mut counted = came.iter().map(|call| {
            sum += if case.events.is_none() {
                1
            } else if call.operation.starts_with("Get") {
                0
            } else {
                call.items
            };
            (call.at_us, sum)
        });
        let beyond = counted.find(|(_, sum)| *sum > worth);
        match (came.first(), beyond) {
            (Some(first), Some((reached, _))) => Ok((first.at_us, reached)),
            _ => Err(format!("{} calls", came.len())),
        }
    })
    .await;
    let took = Duration::from_micros(u64::try_from(reached - first).expect("later"));
    let used = f64::from(60 * MINUTES) / took.as_secs_f64();
    let seen = calls(&scene).await;
    eprintln!("  {}: {:.2} % used; {seen:?}", case.name, used * 100.0);
    let kept = |most: u64, limit: Option<&str>| limit.is_none_or(|limit| most <= u64::from(number(limit)));
    assert!(kept(seen.most, case.calls) && kept(seen.most_events, case.events), "what was agreed is kept");
    scene.assert_no_violations().await;
    scene.kill_service().await;
    (case, used, limit)
}

/// A product at work whose budget is unused: the minute of its beginning is over.
async fn begin(case: Case) -> Scene {
    let mut configuration = vec![("planner", "simultaneous_calls", "4")];
    configuration.extend(case.calls.map(|limit| ("planner", "sla_calls_per_minute", limit)));
    configuration.extend(case.events.map(|limit| ("planner", "sla_events_per_minute", limit)));
    if case.events.is_none() {
        configuration.push(("planner", "max_calendar_event_updates_per_call", "1"));
    }
    let setting = Setting { mailboxes: MAILBOXES, configuration, ..Setting::default() };
    let mut scene = Scene::new(PROGRAM, setting).await;
    scene.start_service().await;
    until_sendable(&scene).await;
    let counts = "select count(*) from service_call_reference_log \
                  where coalesce(ended_at, deadline) > now() - interval '60 s'";
    wait_longer(PATIENCE, "an unused budget", async || match scene.count(counts).await {
        0 => Ok(()),
        count => Err(format!("{count} permits count")),
    })
    .await;
    scene
}
