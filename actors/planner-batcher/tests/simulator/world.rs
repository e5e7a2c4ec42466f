//! The communicator as a whole (resource list, adoption, comparison, sending), a database and the simulated Planner.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Backoff, SystemClock};
use calendar::Slot;
use comparison::{Comparison, ComparisonOptions};
use connector_planner::testing::options as planner_options;
use connector_planner::{Planner, PlannerOptions};
use planner_batcher::{BatcherOptions, PlannerBatcher};
use resource_list::{ResourceList, ResourceListOptions};
use serde_json::Value;
use simulator_planner::{Options as SimulatorOptions, Simulator};
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::outbox::testing::{number, sql, wait_for};
use store::testing::{TestDatabase, database};
use store::wake::Wake;
use supervision::{ChildRef, ChildSpec, Intensity, Strategy, SupervisorSpec, Tree};

/// How soon a mailbox is compared after an unknown outcome.
pub(crate) const COMPARE_AFTER: Duration = Duration::from_millis(1_500);

/// A communicator whose mailboxes may be sent for.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) simulator: Simulator,
    pub(crate) admin: Admin,
    pub(crate) tree: Tree,
}

impl World {
    /// Starts all and waits until every mailbox is adopted; then each counts as read in full.
    pub(crate) async fn new(options: SimulatorOptions) -> Self {
        let (mailboxes, simultaneous) = (i64::from(options.mailboxes), options.allowed_in_flight);
        let simulator = Simulator::start(options).await.unwrap();
        let admin = Admin::of(&simulator);
        let database = database().await;
        let tree = communicator(&database, &simulator, simultaneous);
        assert!(tree.wait_ready().await);
        let adopted = "select count(*) from planner_resource where adopted_at is not null";
        wait_for(async || match number(&database.store, adopted).await {
            count if count == mailboxes => Ok(()),
            count => Err(format!("{count} adopted")),
        })
        .await;
        // as the qualifier does when it has read each mailbox in full
        sql(&database.store, "update planner_resource set full_read_began_at = now()").await;
        Self { database, simulator, admin, tree }
    }

    pub(crate) async fn end(self) {
        self.tree.shutdown().await;
        self.simulator.stop().await.unwrap();
    }
}

/// Runs a test on an actix system over a runtime with threads of its own.
pub(crate) fn on_a_system(test: impl Future<Output = ()>) {
    actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
    .block_on(test);
}

fn communicator(database: &TestDatabase, simulator: &Simulator, simultaneous_calls: u32) -> Tree {
    let clock = SystemClock::shared();
    let store = database.store.clone();
    let url = simulator.endpoint().parse().unwrap();
    let options = PlannerOptions { answer_limit_bytes: 1_000_000, ..planner_options(url) };
    let planner = Planner::new(options, clock.clone()).unwrap();
    let limits = CallLimits { simultaneous_calls, calls_per_minute: None, events_per_minute: None };
    let book = CallBook::new(store.clone(), limits);
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
            adopt_after_unknown_outcome: COMPARE_AFTER,
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
            wake: wake.clone(),
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
            compare_after_unknown_outcome: COMPARE_AFTER,
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
pub(crate) struct Admin {
    http: reqwest::Client,
    url: String,
}

impl Admin {
    pub(crate) fn of(simulator: &Simulator) -> Self {
        trust::install_provider();
        Self { http: reqwest::Client::builder().no_proxy().build().unwrap(), url: simulator.url() }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let mut answer = self.http.get(format!("{}/admin/{path}", self.url)).send().await.unwrap();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.unwrap() {
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) {
        let request =
            self.http.post(format!("{}/admin/{path}", self.url)).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    pub(crate) async fn clear_faults(&self) {
        let answer = self.http.delete(format!("{}/admin/faults", self.url)).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// What Planner holds, with the product's keys.
    pub(crate) async fn held(&self) -> BTreeMap<(String, String), Slot> {
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
