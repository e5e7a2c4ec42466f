//! More than can be sent at once, and what it does to the product and to Planner.

use std::time::Duration;

use serde_json::Value;
use simulator_kit::Page;
use simulator_planner::calls::{CallEntry, CallStep};
use store::outbox::testing::sql;

use crate::memory::resident_bytes;
use crate::scene::Scene;
use crate::wait::wait_for;

/// Waits until the product is ready and every mailbox was adopted and read in full: then its differences are sent.
pub async fn until_sendable(scene: &Scene) {
    scene.until_ready().await;
    let unready =
        "select count(*) from planner_resource where adopted_at is null or full_read_began_at is null";
    wait_for("every mailbox being adopted and read", async || match scene.count(unready).await {
        0 => Ok(()),
        count => Err(format!("{count} are not; {}", scene.log_end())),
    })
    .await;
}

/// Puts decisions into the database that wait to be sent, as a pull (`bulk`) or many people's changes leave them.
pub async fn backlog(scene: &Scene, mail: &str, keys: u32, bulk: bool) {
    backlogs(scene, [(mail.to_owned(), keys, bulk)]).await;
}

/// The same for several mailboxes, all of them at one instant: what waits alone for a moment is sent alone.
pub async fn backlogs(scene: &Scene, backlogs: impl IntoIterator<Item = (String, u32, bool)>) {
    let statements = backlogs.into_iter().map(|(mail, keys, bulk)| {
        let kind = if bulk { "bulk" } else { "live" };
        format!(
            "insert into calendar_event (mail, origin_id, uid, version, wanted, start_at, end_at, decided_at, bulk) \
             select '{mail}', '{kind}-' || n, '{kind}-' || n, 1, true, \
                    date_trunc('hour', now()) + interval '2 days' + n % 1000 * interval '1 hour', \
                    date_trunc('hour', now()) + interval '2 days' + n % 1000 * interval '1 hour' \
                        + interval '30 min', \
                    clock_timestamp(), {bulk} \
             from generate_series(1, {keys}) n; "
        )
    });
    // one message, so one transaction
    let all = statements.collect::<String>() + "notify kommuneklient_decision";
    sql(&scene.database.store, &all).await;
}

/// The most memory in bytes that the product used while `time` passed.
///
/// # Panics
/// When the product does not run.
pub async fn most_memory(scene: &Scene, time: Duration) -> u64 {
    let pid = scene.service.as_ref().and_then(|service| service.id()).expect("the product runs");
    let until = tokio::time::Instant::now() + time;
    let mut most = 0;
    while tokio::time::Instant::now() < until {
        most = most.max(resident_bytes(pid).expect("the product runs"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    most
}

/// A call that came to Planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When its body had come, by Planner's clock, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// The operation's name.
    pub operation: String,
    /// Appointments in it.
    pub items: u64,
}

/// The calls that came to Planner after the entry `after` of its log, in their order, and the number of its last entry.
///
/// # Panics
/// When it does not answer, or its log has lost some of them.
pub async fn arrivals(scene: &Scene, mut after: u64) -> (Vec<Arrival>, u64) {
    let mut all = Vec::new();
    loop {
        let path = format!("/admin/calls?after={after}");
        let page: Page<CallEntry> = scene.planner.admin().get(&path).await.expect("the log can be read");
        assert_eq!(page.lost, 0, "entries have made room for newer ones");
        let Some(last) = page.entries.last().map(|entry| entry.seq) else { return (all, after) };
        all.extend(page.entries.into_iter().filter_map(|entry| match entry.value.step {
            CallStep::Came { operation, items, .. } => {
                Some(Arrival { at_us: entry.value.at_us, operation, items: items as u64 })
            }
            CallStep::Went { .. } => None,
        }));
        after = last;
    }
}

/// What Planner's own meter counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// All calls.
    pub all: u64,
    /// The most in any of its minutes.
    pub most: u64,
    /// Appointments in changes.
    pub events: u64,
    /// The most of these in any of its minutes.
    pub most_events: u64,
}

/// Asks Planner's meter.
///
/// # Panics
/// When it does not answer.
pub async fn calls(scene: &Scene) -> Calls {
    let meter: Value = scene.planner.admin().get("/admin/meter").await.expect("the meter answers");
    let sum = |name: &str, counts: fn(&str) -> bool| -> u64 {
        let numbers = meter[name].as_object().expect("the meter counts by operation");
        numbers
            .iter()
            .filter(|(operation, _)| counts(operation))
            .filter_map(|(_, count)| count.as_u64())
            .sum()
    };
    let most = |name: &str| meter[name].as_u64().expect("the meter counts");
    Calls {
        all: sum("calls", |_| true),
        most: most("calls_per_minute_max"),
        events: sum("items", |operation| !operation.starts_with("Get")),
        most_events: most("events_per_minute_max"),
    }
}
