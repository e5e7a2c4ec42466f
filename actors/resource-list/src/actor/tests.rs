//! Goal: the list is fetched until it works once, then it is ready; an empty or failed answer keeps the last
//! good list; a second instance is ready as soon as the first has fetched; stopping gives a call up and
//! hands the lease back; the schedule and operators are heard. Method: the real tree, a real database, a
//! Planner on a real socket.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use base::{Backoff, Clock, SharedClock, SystemClock};
use connector_planner::testing::{Behaviour, FakePlanner, options as planner_options};
use connector_planner::{CalendarResource, Planner, PlannerOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::outbox::testing::{number, resource, sql, wait_for};
use store::resource_list::withheld::{RunState, Settled};
use store::testing::{TestDatabase, database};
use store::wake::Wake;
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
    start_at(database, planner, owner, options, SystemClock::shared())
}

fn start_at(
    database: &TestDatabase,
    planner: &FakePlanner,
    owner: &str,
    options: &ResourceListOptions,
    clock: SharedClock,
) -> Running {
    start_with(database, planner.connect(clock.clone()).unwrap(), owner, options, clock)
}

fn start_with(
    database: &TestDatabase,
    planner: Planner,
    owner: &str,
    options: &ResourceListOptions,
    clock: SharedClock,
) -> Running {
    let store = database.store.clone();
    let limits = CallLimits { simultaneous_calls: 1, calls_per_minute: None, events_per_minute: None };
    let deps = Deps {
        book: CallBook::new(store.clone(), limits),
        planner,
        leases: LeaseBook::new(store, clock.clone(), owner.into(), Duration::from_secs(60)),
        wake: Wake::start(database.store.clone()),
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

/// The same; answers the events that were raised on the runtime, where a fetch runs.
fn system_telling(test: impl Future<Output = ()>) -> Vec<telemetry::RaisedEvent> {
    let options = telemetry::Options::events_alone(codes::REGISTRY);
    let (_telemetry, dispatch, mut events) = telemetry::Telemetry::build(options).unwrap();
    actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            // for as long as the thread lives
            .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
            .build()
            .unwrap()
    })
    .block_on(test);
    std::iter::from_fn(|| events.try_recv()).collect()
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

/// Regression: it was told as a list without resources (3202), which with a list before ended a standing alert.
#[test]
fn without_any_list_one_of_which_no_entry_can_be_used_does_not_make_ready() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.resources(resources(&["nonsense", "a@x", "a@x"]));
        let running = start(&database, &planner, "one", &options());
        planner.wait_for_calls(2).await;
        assert!(!running.tree.ready());
        let outcome = database.store.list_outcome().await.unwrap().unwrap();
        assert!(outcome.text.contains("3 of 3 entries of the resource list cannot be used"), "{outcome:?}");
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

/// A clock whose wall time is given; the monotonic one runs.
#[derive(Debug)]
struct WallClock(Mutex<Timestamp>, SharedClock);

impl WallClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(text.parse().unwrap()), SystemClock::shared()))
    }

    fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        self.1.monotonic()
    }
}

fn by_schedule() -> ResourceListOptions {
    let zone = TimeZone::get("Europe/Copenhagen").unwrap();
    ResourceListOptions { update_at_startup: false, zone, ..options() }
}

/// Waits until what an operator asked for has been answered.
async fn answered(database: &TestDatabase) {
    wait_for(async || match database.store.resource_list_asked().await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[test]
fn a_run_of_the_schedule_that_was_missed_is_made_up_at_start_and_only_once() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.resources(resources(&["a@x"]));
        let mut calls = 0;
        for (now, at_start) in [
            ("2026-01-10T12:00:00Z", 1), // nothing works without a list
            ("2026-01-10T23:00:00Z", 0),
            ("2026-01-13T08:00:00Z", 1), // 01:00 was missed, thrice
            ("2026-01-13T09:00:00Z", 0),
        ] {
            let running = start_at(&database, &planner, now, &by_schedule(), WallClock::at(now));
            assert!(running.tree.wait_ready().await);
            calls += at_start;
            planner.wait_for_calls(calls).await;
            // by the time that an operator's request is answered, the schedule has been looked at too
            database.store.ask_for_resource_list().await.unwrap();
            answered(&database).await;
            calls += 1;
            running.tree.shutdown().await;
            assert_eq!(planner.seen().len(), calls, "{now}");
        }
    });
}

#[test]
fn a_start_that_fetches_anyway_makes_a_missed_run_up_by_it() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.resources(resources(&["a@x"]));
        let at_start = ResourceListOptions { update_at_startup: true, ..by_schedule() };
        for (now, calls) in [("2026-01-10T12:00:00Z", 1), ("2026-01-13T08:00:00Z", 3)] {
            let running = start_at(&database, &planner, now, &at_start, WallClock::at(now));
            assert!(running.tree.wait_ready().await);
            planner.wait_for_calls(calls).await;
            until(&database, "select count(*) from service_call_reference_log where ended_at is null", 0)
                .await;
            database.store.ask_for_resource_list().await.unwrap();
            answered(&database).await;
            running.tree.shutdown().await;
            assert_eq!(planner.seen().len(), calls + 1, "{now}");
        }
    });
}

#[test]
fn at_its_time_of_day_the_list_is_fetched() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        resource(&database.store, "a@x").await;
        planner.resources(resources(&["a@x"]));
        let clock = WallClock::at("2026-01-10T23:59:59.8Z");
        let running = start_at(&database, &planner, "one", &by_schedule(), clock.clone());
        wait_for(async || match database.store.last_run(requests::SCHEDULE).await {
            Ok(Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        assert_eq!(planner.seen().len(), 0, "its first run is the next one");
        clock.set("2026-01-11T00:00:00Z");
        planner.wait_for_calls(1).await;
        running.tree.shutdown().await;
    });
}

#[test]
fn an_operator_is_heard_by_whichever_instance_keeps_the_list_also_without_a_wake_up() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.resources(resources(&["a@x"]));
        // asked before anybody runs
        resource(&database.store, "a@x").await;
        database.store.ask_for_resource_list().await.unwrap();
        let quick = ResourceListOptions { request_poll: Duration::from_millis(50), ..by_schedule() };
        let first = start(&database, &planner, "one", &quick);
        answered(&database).await;
        let second = start(&database, &planner, "two", &quick);
        // a request that nobody announces
        let write = "update store_state set value = to_char(clock_timestamp() at time zone 'UTC', \
             'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') where name = 'resource_list_asked_at'";
        sql(&database.store, write).await;
        answered(&database).await;
        // one that Planner does not answer at first is answered in the end, and fetched no oftener than needed
        planner.script([Behaviour::Status(500)]);
        database.store.ask_for_resource_list().await.unwrap();
        answered(&database).await;
        assert_eq!(planner.seen().len(), 4);
        let outcome = database.store.list_outcome().await.unwrap().unwrap();
        assert_eq!(outcome.text, "1 listed: 0 new, 0 used again, 0 not used any more");
        second.tree.shutdown().await;
        first.tree.shutdown().await;
    });
}

/// The original read a null list then, and stopped.
#[test]
fn regression_an_empty_resource_answer_keeps_everybody_with_and_without_a_whitelist() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        for mail in ["a@x", "b@x"] {
            resource(&database.store, mail).await;
        }
        let running = start(&database, &planner, "one", &by_schedule());
        for whitelist in [
            "",
            "insert into planner_resource_whitelist (mail, added_by) values ('a@x', 'me'), ('b@x', 'me')",
        ] {
            sql(&database.store, whitelist).await;
            planner.resources(Vec::new());
            database.store.ask_for_resource_list().await.unwrap();
            answered(&database).await;
            assert_eq!(number(&database.store, IN_USE).await, 2);
            let outcome = database.store.list_outcome().await.unwrap().unwrap();
            assert_eq!(outcome.text, "planner returned no resources, the last good list stays");
            // one of which no entry can be used is none that is empty: it is a failure, and asked for again (6906)
            planner.resources(resources(&["nonsense", "@"]));
            database.store.ask_for_resource_list().await.unwrap();
            let told = "failed, it is tried again: 2 of 2 entries of the resource list cannot be used";
            wait_for(async || match database.store.list_outcome().await {
                Ok(Some(outcome)) if outcome.text.starts_with(told) && !outcome.answered => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
            assert_eq!(number(&database.store, IN_USE).await, 2);
        }
        assert_eq!(running.tree.restarts_total(), 0);
        running.tree.shutdown().await;
    });
}

/// The original looked resources up by Planner's identifier, which Planner may leave out, and threw (features.md, list C).
/// One without an address cannot be used, and is told (9201) and skipped alone.
#[test]
fn regression_a_resource_without_id_is_used_like_the_others_and_one_without_an_address_is_skipped() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let mut list = resources(&["without@x", "with@x", "", "last@x"]);
        list[1].planner_resource_identifier = Some("00000000-0000-0000-0000-000000000001".parse().unwrap());
        planner.resources(list);
        let running = start(&database, &planner, "one", &by_schedule());
        assert!(running.tree.wait_ready().await);
        until(&database, IN_USE, 3).await;
        let without = "select count(*) from planner_resource where planner_resource_id is null and deleted_date is null";
        assert_eq!(number(&database.store, without).await, 2);
        let outcome = database.store.list_outcome().await.unwrap().unwrap();
        let told = "3 listed: 3 new, 0 used again, 0 not used any more, 1 without a usable address, skipped";
        assert_eq!(outcome.text, told);
        // it keeps its row when it is listed again, and when it has an identifier meanwhile
        let mut list = resources(&["without@x", "with@x", "last@x"]);
        list[0].planner_resource_identifier = Some("00000000-0000-0000-0000-000000000002".parse().unwrap());
        planner.resources(list);
        database.store.ask_for_resource_list().await.unwrap();
        answered(&database).await;
        let outcome = database.store.list_outcome().await.unwrap().unwrap();
        assert_eq!(outcome.text, "3 listed: 0 new, 0 used again, 0 not used any more");
        assert_eq!(number(&database.store, IN_USE).await, 3);
        assert_eq!(running.tree.restarts_total(), 0);
        running.tree.shutdown().await;
    });
}

/// One entry without the element of its address, and one with an identifier that is none, made the whole list unreadable
/// (6906); now they are skipped (9201), and the mailboxes that they may be stay in use.
#[test]
fn regression_an_entry_that_cannot_be_read_neither_spoils_the_list_nor_drops_its_mailbox() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let listed = |addresses: &[&str]| {
            let mut list = resources(addresses);
            for (resource, number) in list.iter_mut().zip(1_u8..) {
                resource.rid = format!("R{number}");
                let id = format!("00000000-0000-0000-0000-{number:012}");
                resource.planner_resource_identifier = Some(id.parse().unwrap());
            }
            list
        };
        planner.resources(listed(&["a@x", "b@x", "c@x", "d@x"]));
        let running = start(&database, &planner, "one", &by_schedule());
        assert!(running.tree.wait_ready().await);
        until(&database, IN_USE, 4).await;
        // the address of a@x goes, the identifier of b@x is none, c@x is missing altogether
        let without_address = "CalendarResourceEmailAddress>a@x<";
        let spoilt = move |answer: String| {
            let answer = answer.replace("-000000000002<", "-x<");
            let Some(at) = answer.find(without_address) else { return answer };
            let begin = answer[..at].rfind('<').unwrap();
            let end = at + answer[at..].find('>').unwrap() + 1;
            let end = end + answer[end..].find('>').unwrap() + 1;
            format!("{}{}", &answer[..begin], &answer[end..])
        };
        let mut list = listed(&["a@x", "b@x", "c@x", "d@x", "e@x"]);
        list.remove(2);
        planner.seal(spoilt);
        planner.resources(list);
        database.store.ask_for_resource_list().await.unwrap();
        answered(&database).await;
        let outcome = database.store.list_outcome().await.unwrap().unwrap();
        let told = "2 listed: 1 new, 0 used again, 1 not used any more, 2 that cannot be read, skipped";
        assert_eq!(outcome.text, told);
        let gone = "select count(*) from planner_resource where mail = 'c@x' and deleted_date is not null";
        assert_eq!((number(&database.store, IN_USE).await, number(&database.store, gone).await), (4, 1));
        running.tree.shutdown().await;
    });
}

#[test]
fn too_many_missing_wait_for_an_operator_until_a_good_list_comes() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let all: Vec<String> = (0..30).map(|n| format!("m{n:02}@x")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        planner.resources(resources(&all));
        let running = start(&database, &planner, "one", &by_schedule());
        assert!(running.tree.wait_ready().await);
        let fetch = async |addresses: &[&str]| {
            planner.resources(resources(addresses));
            database.store.ask_for_resource_list().await.unwrap();
            answered(&database).await;
            number(&database.store, IN_USE).await
        };
        assert_eq!(fetch(&all[..5]).await, 30);
        assert_eq!(database.store.withheld_lists(9).await.unwrap()[0].state, RunState::Withheld);
        assert_eq!(fetch(&all[..29]).await, 29, "a good one cancels");
        assert_eq!(database.store.withheld_lists(9).await.unwrap()[0].state, RunState::Cancelled);
        // rejected: they stay, and are not withheld once more
        assert_eq!(fetch(&all[..10]).await, 29);
        let run = database.store.withheld_lists(9).await.unwrap()[0].id;
        database.store.reject_withheld_list(run, "kim", database_now()).await.unwrap();
        assert_eq!(fetch(&all[..9]).await, 28, "one more is missing, that is no mass");
        // confirmed: gone at once; listed again: back, adopted and read anew
        assert_eq!(fetch(&all).await, 30);
        assert_eq!(fetch(&all[..8]).await, 30);
        let run = database.store.withheld_lists(9).await.unwrap()[0].id;
        let settled = database.store.confirm_withheld_list(run, "kim", database_now()).await.unwrap();
        assert_eq!(settled, Settled::Done(22));
        assert_eq!(number(&database.store, IN_USE).await, 8);
        assert_eq!(fetch(&all).await, 30);
        running.tree.shutdown().await;
    });
}

/// Regression: an entry without an address, identifier and number may be whoever is missing, who left use in silence.
#[test]
fn regression_who_may_be_listed_by_an_entry_that_names_nobody_waits_for_an_operator() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        planner.resources(resources(&["a@x", "b@x", "c@x"]));
        let running = start(&database, &planner, "one", &by_schedule());
        assert!(running.tree.wait_ready().await);
        until(&database, IN_USE, 3).await;
        let fetch = async |addresses: &[&str]| {
            planner.resources(resources(addresses));
            database.store.ask_for_resource_list().await.unwrap();
            answered(&database).await;
            database.store.list_outcome().await.unwrap().unwrap().text
        };
        let told = "2 listed: 1 new, 0 used again, 0 not used any more, 2 missing, withheld, 1 without a usable address, skipped";
        assert_eq!(fetch(&["a@x", "d@x", ""]).await, told);
        until(&database, IN_USE, 4).await;
        assert_eq!(database.store.withheld_lists(9).await.unwrap()[0].state, RunState::Withheld);
        // once everybody is named, who is missing is dropped
        let told = "3 listed: 0 new, 0 used again, 1 not used any more";
        assert_eq!(fetch(&["a@x", "b@x", "d@x"]).await, told);
        until(&database, IN_USE, 3).await;
        assert_eq!(database.store.withheld_lists(9).await.unwrap()[0].state, RunState::Cancelled);
        running.tree.shutdown().await;
    });
}

fn database_now() -> Timestamp {
    SystemClock.now()
}

#[test]
fn ten_thousand_entries_with_duplicates_and_nonsense_are_taken_as_far_as_they_go() {
    let told = system_telling(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let mut addresses: Vec<String> = (0..9_700).map(|n| format!(" M{n:05}@Kommune.DK ")).collect();
        addresses.extend((0..150).map(|n| format!("m{n:05}@kommune.dk")));
        addresses.extend((0..150).map(|n| format!("nonsense {n}")));
        planner.resources(resources(&addresses.iter().map(String::as_str).collect::<Vec<_>>()));
        let large = PlannerOptions { answer_limit_bytes: 64 * 1024 * 1024, ..planner_options(planner.url()) };
        let clock = SystemClock::shared();
        let patient = ResourceListOptions { call_timeout: Duration::from_secs(60), ..options() };
        let planner = Planner::new(large, clock.clone()).unwrap();
        let running = start_with(&database, planner, "one", &patient, clock);
        assert!(running.tree.wait_ready().await);
        assert_eq!(number(&database.store, IN_USE).await, 9_550);
        let kept = "select count(*) from planner_resource where mail = 'm00150@kommune.dk'";
        assert_eq!(number(&database.store, kept).await, 1, "trimmed and in lower case");
        let outcome = database.store.list_outcome().await.unwrap().unwrap();
        assert_eq!(
            outcome.text,
            "9550 listed: 9550 new, 0 used again, 0 not used any more, 150 addresses listed twice, skipped, \
             150 without a usable address, skipped"
        );
        running.tree.shutdown().await;
    });
    // a hundred of each are told one by one, and all others in one event: bad lists come every night
    let of = |code: u16| -> Vec<_> {
        told.iter().filter(|event| event.code == code).map(|event| &event.fields).collect()
    };
    let (twice, skipped) = (of(codes::RESOURCE_ADDRESS_TWICE.id), of(codes::RESOURCE_ADDRESS_INVALID.id));
    for events in [&twice, &skipped] {
        assert_eq!(events.len(), 101, "{events:?}");
        assert_eq!(events[100]["more"], 50, "{events:?}");
    }
    assert_eq!(twice[0]["mailbox"], "m00000@kommune.dk");
    assert_eq!(skipped[0]["position"], 9_851);
    assert!(skipped[0]["reason"].is_string(), "{skipped:?}");
}
