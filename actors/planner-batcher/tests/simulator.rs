//! Goal: the communicator as a whole (resource list, adoption, sending) against the Planner simulator on a
//! real socket: through a storm of decisions and faults, with timeouts before and after applying, late
//! applications, broken connections, faults, refusals and lost receipts, Planner ends up holding exactly
//! what was decided, and the simulator's meter finds nothing that a client may not do. Method: decisions
//! drawn at random and put into the store as the qualifier would; what was decided is kept beside it; the
//! seed is printed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of a test, which clippy does not know as such here"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Backoff, Clock as _, SystemClock};
use calendar::Slot;
use calendar::window::Window;
use comparison::{Comparison, ComparisonOptions};
use connector_planner::testing::options as planner_options;
use connector_planner::{Planner, PlannerOptions};
use jiff::ToSpan as _;
use planner_batcher::{BatcherOptions, PlannerBatcher};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use resource_list::{ResourceList, ResourceListOptions};
use serde_json::{Value, json};
use simulator_planner::{Options as SimulatorOptions, Simulator};
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::outbox::testing::{decide_as, number, sql, wait_for};
use store::testing::{TestDatabase, database};
use store::wake::Wake;
use supervision::{ChildRef, ChildSpec, Intensity, Strategy, SupervisorSpec, Tree};

const MAILBOXES: u32 = 6;
const SIMULTANEOUS: u32 = 3;
const ADOPT_AFTER: Duration = Duration::from_millis(1_500);

/// What was decided last, by mailbox and origin id; `None` = absent.
type Decided = BTreeMap<(String, String), Option<Slot>>;

fn limits() -> CallLimits {
    CallLimits { simultaneous_calls: SIMULTANEOUS, calls_per_minute: None, events_per_minute: None }
}

fn communicator(database: &TestDatabase, simulator: &Simulator) -> Tree {
    let clock = SystemClock::shared();
    let store = database.store.clone();
    let url = simulator.endpoint().parse().unwrap();
    let options = PlannerOptions { answer_limit_bytes: 1_000_000, ..planner_options(url) };
    let planner = Planner::new(options, clock.clone()).unwrap();
    let book = CallBook::new(store.clone(), limits());
    let leases = LeaseBook::new(store.clone(), clock.clone(), "test".into(), Duration::from_secs(120));
    let wake = Wake::start(store);
    let runtime = tokio::runtime::Handle::current();
    let retry = Backoff::doubling(Duration::from_millis(20), Duration::from_millis(200));
    let call_timeout = Duration::from_millis(400);
    let batcher = PlannerBatcher::supervisor(
        &planner_batcher::Deps {
            book: book.clone(),
            planner: planner.clone(),
            leases: leases.clone(),
            wake: wake.clone(),
            runtime: runtime.clone(),
            clock: clock.clone(),
        },
        &BatcherOptions {
            call_timeout,
            answer_grace: Duration::from_secs(2),
            retry,
            adopt_after_unknown_outcome: ADOPT_AFTER,
            update_interval: Duration::from_secs(1),
            ..BatcherOptions::default()
        },
        &ChildRef::new(),
    );
    let list = ResourceList::child(
        &resource_list::Deps {
            book: book.clone(),
            planner: planner.clone(),
            leases: leases.clone(),
            runtime: runtime.clone(),
            clock: clock.clone(),
        },
        &ResourceListOptions { call_timeout, retry, ..ResourceListOptions::default() },
        &ChildRef::new(),
    );
    let comparison = Comparison::child(
        &comparison::Deps { book, planner, leases, wake, runtime, clock: clock.clone() },
        &ComparisonOptions {
            max_fetches_per_call: 2,
            interval: Duration::from_millis(200),
            call_timeout,
            retry,
            adopt_after_unknown_outcome: ADOPT_AFTER,
            ..ComparisonOptions::default()
        },
        &ChildRef::new(),
    );
    let intensity = Intensity { max_restarts: 5, window: Duration::from_secs(60) };
    let root = SupervisorSpec::new("communicator", Strategy::OneForOne, intensity)
        .child(ChildSpec::supervisor(batcher))
        .child(list)
        .child(comparison);
    Tree::start(root, clock)
}

/// Talks to the simulator's admin paths.
struct Admin {
    http: reqwest::Client,
    url: String,
}

impl Admin {
    async fn get(&self, path: &str) -> Value {
        let mut answer = self.http.get(format!("{}/admin/{path}", self.url)).send().await.unwrap();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.unwrap() {
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).unwrap()
    }

    async fn post(&self, path: &str, body: &Value) {
        let request =
            self.http.post(format!("{}/admin/{path}", self.url)).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    async fn clear_faults(&self) {
        let answer = self.http.delete(format!("{}/admin/faults", self.url)).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// What Planner holds, with the product's keys.
    async fn held(&self) -> BTreeMap<(String, String), Slot> {
        let list = self.get("events").await;
        let rows = list["events"].as_array().unwrap();
        let text = |row: &Value, name: &str| {
            row[name].as_str().unwrap_or_else(|| panic!("{name} in {row}")).to_owned()
        };
        let time = |row: &Value, name: &str| text(row, name).parse().unwrap();
        rows.iter()
            .map(|row| {
                let slot = Slot { start: time(row, "start"), end: time(row, "end") };
                ((text(row, "mail"), text(row, "origin_id")), slot)
            })
            .collect()
    }
}

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
                  + (select count(*) from planner_resource where adopt_due_at is not null)",
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
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    });
    system.block_on(async {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let simulator = Simulator::start(SimulatorOptions {
            mailboxes: MAILBOXES,
            allowed_in_flight: SIMULTANEOUS,
            seed,
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        trust::install_provider();
        let admin =
            Admin { http: reqwest::Client::builder().no_proxy().build().unwrap(), url: simulator.url() };
        let database = database().await;
        let tree = communicator(&database, &simulator);
        assert!(tree.wait_ready().await);
        let adopted = "select count(*) from planner_resource where adopted_at is not null";
        wait_for(async || match number(&database.store, adopted).await {
            count if count == i64::from(MAILBOXES) => Ok(()),
            count => Err(format!("{count} adopted")),
        })
        .await;
        // as the qualifier does when it has read each mailbox in full
        sql(&database.store, "update planner_resource set full_read_began_at = now()").await;
        let mut decided = Decided::new();
        for _ in 0..60 {
            one_decision(&database, &mut random, &mut decided).await;
        }
        until_equal(&database, &admin, &decided).await;
        admin.post("faults", &faults()).await;
        for _ in 0..250 {
            one_decision(&database, &mut random, &mut decided).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..25))).await;
        }
        admin.clear_faults().await;
        until_equal(&database, &admin, &decided).await;
        let meter = admin.get("meter").await;
        assert_eq!(meter["violations_total"], 0, "{meter:#}");
        assert!(meter["faults_fired"].as_u64().unwrap() > 0, "{meter:#}");
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
        simulator.stop().await.unwrap();
    });
}
