//! Goal: through a storm of decisions and faults, with timeouts before and after applying, late applications, broken
//! connections, faults, refusals and lost receipts, Planner ends up holding exactly what was decided, and the
//! simulator's meter finds nothing that a client may not do. Method: decisions drawn at random and put into the store
//! as the qualifier would; what was decided is kept beside it; the seed is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Clock as _, SystemClock};
use calendar::window::Window;
use jiff::ToSpan as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use simulator_planner::Options as SimulatorOptions;
use store::outbox::testing::{decide_as, number, wait_for};
use store::testing::TestDatabase;

use crate::world::{Admin, World, on_a_system};
use calendar::Slot;

const MAILBOXES: u32 = 6;
const SIMULTANEOUS: u32 = 3;

/// What was decided last, by mailbox and origin id; `None` = absent.
type Decided = BTreeMap<(String, String), Option<Slot>>;

fn faults() -> Value {
    let kinds = [
        json!({ "hold-before": { "seconds": 5.0 } }),
        json!({ "hold-after": { "seconds": 5.0 } }),
        json!({ "apply-late": { "seconds": 0.9 } }),
        json!({ "soap-fault": { "detail": true } }),
        json!({ "soap-fault": { "applied": true } }),
        json!({ "http-status": { "status": 503, "applied": true } }),
        json!({ "broken-connection": { "applied": true } }),
        json!({ "broken-connection": {} }),
        json!({ "refuse": { "code": 15 } }),
        json!("receipts-in-wrong-order"),
        json!("fewer-receipts"),
        json!("foreign-receipts"),
        json!("malformed-answer"),
    ];
    kinds.into_iter().map(|kind| json!({ "kind": kind, "probability": 0.02 })).collect()
}

/// One random decision, in the window (the first week of it).
async fn one_decision(database: &TestDatabase, random: &mut StdRng, decided: &mut Decided) {
    let mail = format!("m{:04}@sim.test", random.random_range(1..=MAILBOXES));
    let origin_id = format!("U{}", random.random_range(0..12));
    let start = Window::at(SystemClock.now(), &jiff::tz::TimeZone::UTC, 3).start
        + random.random_range(0..150_i64).hours();
    let wanted = random.random_bool(0.75).then(|| Slot { start, end: start + 1.hours() });
    decide_as(&database.store, &mail, &origin_id, wanted, random.random_bool(0.2), None).await;
    decided.insert((mail, origin_id), wanted);
}

async fn until_equal(database: &TestDatabase, admin: &Admin, decided: &Decided) {
    let wanted: BTreeMap<_, _> =
        decided.iter().filter_map(|(key, slot)| slot.map(|slot| (key.clone(), slot))).collect();
    wait_for(async || {
        let open = number(
            &database.store,
            "select (select count(*) from calendar_event where pending or uncertain) + (select count(*) from key_in_flight) \
                  + (select count(*) from planner_resource where adopt_due_at is not null \
                                                            or compare_due_at <= now() + interval '1 min')",
        )
        .await;
        let held = admin.held().await;
        let wrong = wanted.iter().filter(|(key, slot)| held.get(key) != Some(slot)).count()
            + held.keys().filter(|key| !wanted.contains_key(key)).count();
        if (open, wrong) == (0, 0) { Ok(()) } else { Err(format!("{open} open, {wrong} wrong in planner")) }
    })
    .await;
}

#[test]
fn through_a_storm_of_faults_planner_holds_what_was_decided() {
    on_a_system(async {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let world = World::new(SimulatorOptions {
            mailboxes: MAILBOXES,
            allowed_in_flight: SIMULTANEOUS,
            seed,
            ..SimulatorOptions::default()
        })
        .await;
        let (database, admin) = (&world.database, &world.admin);
        let mut decided = Decided::new();
        for _ in 0..60 {
            one_decision(database, &mut random, &mut decided).await;
        }
        until_equal(database, admin, &decided).await;
        admin.post("faults", &faults()).await;
        for _ in 0..250 {
            one_decision(database, &mut random, &mut decided).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..25))).await;
        }
        admin.clear_faults().await;
        until_equal(database, admin, &decided).await;
        let meter = admin.get("meter").await;
        assert_eq!(meter["violations_total"], 0, "{meter:#}");
        assert!(meter["faults_fired"].as_u64().unwrap() > 0, "{meter:#}");
        assert_eq!(world.tree.restarts_total(), 0);
        world.end().await;
    });
}
