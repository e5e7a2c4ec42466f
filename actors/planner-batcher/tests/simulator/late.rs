//! Goal: a change that Planner applies after its caller gave up, even after later calls, is found and repaired (B9, B11).
//! Method: a table of what timed out and what was decided afterwards, each case in a mailbox of its own, all at once; in
//! the end Planner holds what was decided last, seen by a comparison that began after the late change.

use base::{Clock as _, SystemClock};
use calendar::Slot;
use calendar::window::Window;
use jiff::ToSpan as _;
use serde_json::{Value, json};
use simulator_planner::Options as SimulatorOptions;
use store::outbox::testing::{decide, number, wait_for};

use crate::world::{World, on_a_system};

/// How late Planner applies: after the call's timeout, before the comparison.
const LATE_S: f64 = 1.0;

/// One case: what Planner holds, what times out and is applied late, what is decided meanwhile. Numbers are slots.
struct Case {
    before: Option<i64>,
    late: Option<i64>,
    then: Vec<Option<i64>>,
    /// The late change undoes a later one, so that a comparison has to repair it with this operation.
    repaired_by: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let case = |before, late, then: &[Option<i64>], repaired_by| Case {
        before,
        late,
        then: then.to_vec(),
        repaired_by,
    };
    vec![
        // a creation, late: after our deletion it brings back what is gone
        case(None, Some(1), &[None], Some("DeleteEvents")),
        case(None, Some(1), &[], None),
        case(None, Some(1), &[Some(2)], None),
        case(None, Some(1), &[None, Some(2)], None),
        // an update, late: it brings back the old times
        case(Some(1), Some(2), &[Some(3)], Some("UpdateEvents")),
        case(Some(1), Some(2), &[Some(1)], Some("UpdateEvents")),
        case(Some(1), Some(2), &[], None),
        case(Some(1), Some(2), &[None], None),
        // a deletion, late: it takes away what is wanted again
        case(Some(1), None, &[Some(2)], Some("CreateEvents")),
        case(Some(1), None, &[Some(1)], Some("CreateEvents")),
        case(Some(1), None, &[], None),
    ]
}

fn mailbox(index: usize) -> String {
    format!("m{:04}@sim.test", index + 1)
}

fn slot(n: i64) -> Slot {
    let start = Window::at(SystemClock.now(), &jiff::tz::TimeZone::UTC, 3).start + (24 * n).hours();
    Slot { start, end: start + 1.hours() }
}

async fn decide_in(world: &World, mail: &str, wanted: Option<i64>) {
    decide(&world.database.store, mail, "U", wanted.map(slot)).await;
}

async fn until(world: &World, what: &str, statement: &str, value: i64) {
    wait_for(async || match number(&world.database.store, statement).await {
        now if now == value => Ok(()),
        now => Err(format!("{what}: {now} of {value}")),
    })
    .await;
}

/// The changes of a mailbox that Planner took, in their order.
fn taken(log: &Value, mail: &str) -> Vec<String> {
    let entries = log["entries"].as_array().unwrap().iter();
    let of = entries.filter(|entry| entry["mail"] == mail && entry["code"] == 0);
    of.map(|entry| entry["operation"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_planner_applies_late_is_repaired() {
    on_a_system(async {
        let cases = cases();
        let mailboxes = u32::try_from(cases.len()).unwrap();
        let world = World::new(SimulatorOptions { mailboxes, ..SimulatorOptions::default() }).await;
        let before = cases.iter().filter(|case| case.before.is_some()).count();
        for (index, case) in cases.iter().enumerate() {
            if case.before.is_some() {
                decide_in(&world, &mailbox(index), case.before).await;
            }
        }
        let acknowledged = "select count(*) from calendar_event where ack_there and not pending";
        until(&world, "acknowledged", acknowledged, i64::try_from(before).unwrap()).await;
        let rules: Vec<Value> = (0..cases.len())
            .map(|index| {
                json!({ "kind": { "apply-late": { "seconds": LATE_S } }, "mailbox": mailbox(index), "next": 1 })
            })
            .collect();
        world.admin.post("faults", &rules.into()).await;
        for (index, case) in cases.iter().enumerate() {
            decide_in(&world, &mailbox(index), case.late).await;
        }
        for (index, case) in cases.iter().enumerate() {
            let mail = mailbox(index);
            let left = format!(
                "select count(*) from (select from key_in_flight where mail = '{mail}' \
                                       union all select from sync_log where mail = '{mail}' and outcome = 'unknown' \
                                       limit 1) one"
            );
            until(&world, "the call that will be applied late", &left, 1).await;
            for wanted in &case.then {
                decide_in(&world, &mail, *wanted).await;
            }
        }
        let lost = "select count(distinct mail) from service_call_reference_log where event_id = 6904";
        until(&world, "timeouts", lost, i64::from(mailboxes)).await;
        // a comparison that began when everything late had been applied
        let compared = format!(
            "select count(*) from planner_resource r \
             where compared_at > (select max(started_at) + interval '{LATE_S} s' + interval '100 ms' \
                                  from service_call_reference_log c where c.mail = r.mail and c.event_id = 6904)"
        );
        until(&world, "compared", &compared, i64::from(mailboxes)).await;
        let open = "select (select count(*) from calendar_event where pending or uncertain) \
                         + (select count(*) from key_in_flight)";
        until(&world, "open", open, 0).await;
        let held = world.admin.held().await;
        let log = world.admin.get("log?after=0&limit=1000").await;
        for (index, case) in cases.iter().enumerate() {
            let mail = mailbox(index);
            let wanted = *case.then.last().unwrap_or(&case.late);
            let there = held.get(&(mail.clone(), "U".to_owned())).copied();
            let taken = taken(&log, &mail);
            assert_eq!(there, wanted.map(slot), "case {index}: {taken:?}");
            if let Some(operation) = case.repaired_by {
                assert_eq!(taken.last().map(String::as_str), Some(operation), "case {index}: {taken:?}");
            }
        }
        let meter = world.admin.get("meter").await;
        assert_eq!(meter["violations_total"], 0, "{meter:#}");
        assert_eq!(meter["faults_fired"].as_u64().unwrap(), u64::from(mailboxes));
        world.end().await;
    });
}
