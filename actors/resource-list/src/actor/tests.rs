//! Goal: the list is fetched until it works once, then it is ready; an empty or failed answer keeps the last
//! good list; a second instance is ready as soon as the first has fetched; stopping gives a call up and
//! hands the lease back. Method: the real tree, a real database, a Planner on a real socket.

use base::{Backoff, SystemClock};
use connector_planner::CalendarResource;
use connector_planner::testing::{Behaviour, FakePlanner};
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::outbox::testing::{number, resource, sql, wait_for};
use store::testing::{TestDatabase, database};
use supervision::{Intensity, Strategy, SupervisorSpec, Tree};

use super::*;

fn options() -> ResourceListOptions {
    ResourceListOptions {
        call_timeout: Duration::from_millis(600),
        retry: Backoff::doubling(Duration::from_millis(20), Duration::from_millis(50)),
        ..ResourceListOptions::default()
    }
}

struct Running {
    tree: Tree,
    list: ChildRef<ResourceList>,
}

fn start(
    database: &TestDatabase,
    planner: &FakePlanner,
    owner: &str,
    options: &ResourceListOptions,
) -> Running {
    let clock = SystemClock::shared();
    let store = database.store.clone();
    let limits = CallLimits { simultaneous_calls: 1, calls_per_minute: None, events_per_minute: None };
    let deps = Deps {
        book: CallBook::new(store.clone(), limits),
        planner: planner.connect(clock.clone()).unwrap(),
        leases: LeaseBook::new(store, clock.clone(), owner.into(), Duration::from_secs(60)),
        runtime: tokio::runtime::Handle::current(),
        clock: clock.clone(),
    };
    let list = ChildRef::new();
    let intensity = Intensity { max_restarts: 3, window: Duration::from_secs(60) };
    let root = SupervisorSpec::new("communicator", Strategy::OneForOne, intensity)
        .child(ResourceList::child(&deps, options, &list));
    Running { tree: Tree::start(root, clock), list }
}

fn resources(addresses: &[&str]) -> Vec<CalendarResource> {
    addresses.iter().map(|address| CalendarResource::of_address(address)).collect()
}

async fn until(database: &TestDatabase, statement: &str, value: i64) {
    wait_for(async || {
        let now = number(&database.store, statement).await;
        if now == value { Ok(()) } else { Err(format!("{statement} gives {now}")) }
    })
    .await;
}

const IN_USE: &str = "select count(*) from planner_resource where deleted_date is null";
const FAILED: &str =
    "select count(*) from service_call_reference_log where not success and operation = 'GetResources'";

fn system(test: impl Future<Output = ()>) {
    actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
    .block_on(test);
}

#[test]
fn the_list_is_fetched_until_it_works_once() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let failures = [
            Behaviour::Status(503),
            Behaviour::Fault(Some(1)),
            Behaviour::Silent { done: false },
            Behaviour::Garbage,
            Behaviour::Oversized(200_000),
        ];
        planner.script(failures);
        planner.resources(resources(&["a@x", "b@x", "B@X", "nonsense"]));
        let running = start(&database, &planner, "one", &options());
        assert!(running.tree.wait_ready().await);
        until(&database, IN_USE, 1).await;
        assert_eq!(number(&database.store, FAILED).await, 5);
        assert_eq!(planner.seen().len(), 6);
        until(&database, "select count(*) from planner_resource where adopt_due_at is not null", 1).await;
        assert_eq!(running.tree.restarts_total(), 0);
        running.tree.shutdown().await;
    });
}

#[test]
fn without_any_list_an_empty_answer_does_not_make_ready() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let running = start(&database, &planner, "one", &options());
        planner.wait_for_calls(2).await;
        assert!(!running.tree.ready());
        planner.resources(resources(&["a@x"]));
        assert!(running.tree.wait_ready().await);
        running.tree.shutdown().await;
    });
}

#[test]
fn an_empty_or_failed_answer_keeps_the_last_good_list() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        for mail in ["a@x", "b@x"] {
            resource(&database.store, mail).await;
        }
        let running = start(&database, &planner, "one", &options());
        assert!(running.tree.wait_ready().await, "there is a list, it is ready before any fetch");
        planner.wait_for_calls(1).await;
        planner.script([Behaviour::Status(500)]);
        wait_for(async || running.list.send(Refresh).await.map_err(|error| error.to_string())).await;
        planner.wait_for_calls(3).await;
        until(&database, "select count(*) from service_call_reference_log where ended_at is not null", 3)
            .await;
        assert_eq!(number(&database.store, IN_USE).await, 2);
        // and a good one is applied
        planner.resources(resources(&["b@x", "c@x"]));
        running.list.send(Refresh).await.unwrap();
        until(
            &database,
            "select count(*) from planner_resource where mail = 'a@x' and deleted_reason = 'P-NotInPlanner'",
            1,
        )
        .await;
        assert_eq!(number(&database.store, IN_USE).await, 2);
        running.tree.shutdown().await;
    });
}

#[test]
fn at_start_only_when_told_or_when_there_is_no_list() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let quiet = ResourceListOptions { update_at_startup: false, ..options() };
        planner.resources(resources(&["a@x"]));
        let first = start(&database, &planner, "one", &quiet);
        assert!(first.tree.wait_ready().await);
        assert_eq!(planner.seen().len(), 1, "there was none");
        first.tree.shutdown().await;
        let second = start(&database, &planner, "two", &quiet);
        assert!(second.tree.wait_ready().await);
        wait_for(async || {
            let held = number(&database.store, "select count(*) from lease where owner = 'two'").await;
            if held == 1 { Ok(()) } else { Err("the lease is not held".into()) }
        })
        .await;
        second.tree.shutdown().await;
        assert_eq!(planner.seen().len(), 1);
    });
}

#[test]
fn a_second_instance_is_ready_when_the_first_has_fetched_and_takes_over_when_it_stops() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let first = start(&database, &planner, "one", &options());
        planner.wait_for_calls(1).await;
        let second = start(&database, &planner, "two", &options());
        planner.resources(resources(&["a@x"]));
        assert!(first.tree.wait_ready().await && second.tree.wait_ready().await);
        let calls = planner.seen().len();
        first.tree.shutdown().await;
        planner.wait_for_calls(calls + 1).await;
        assert_eq!(number(&database.store, "select count(*) from lease where owner = 'two'").await, 1);
        second.tree.shutdown().await;
        assert_eq!(number(&database.store, "select count(*) from lease where owner <> ''").await, 0);
    });
}

#[test]
fn stopping_gives_a_fetch_up_and_records_its_end() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.script([Behaviour::Silent { done: false }]);
        let slow = ResourceListOptions { call_timeout: Duration::from_secs(60), ..options() };
        let running = start(&database, &planner, "one", &slow);
        planner.wait_for_calls(1).await;
        running.tree.shutdown().await;
        assert_eq!(number(&database.store, FAILED).await, 1);
        assert_eq!(
            number(&database.store, "select count(*) from service_call_reference_log where ended_at is null")
                .await,
            0
        );
        assert_eq!(number(&database.store, "select count(*) from lease where owner <> ''").await, 0);
    });
}

#[test]
fn a_lost_lease_restarts_it() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.resources(resources(&["a@x"]));
        let running = start(&database, &planner, "one", &options());
        assert!(running.tree.wait_ready().await);
        sql(&database.store, "update lease set token = token + 1").await;
        planner.resources(resources(&["a@x", "b@x"]));
        running.list.send(Refresh).await.unwrap();
        until(&database, IN_USE, 2).await;
        assert!(running.tree.restarts_total() >= 1);
        running.tree.shutdown().await;
    });
}
