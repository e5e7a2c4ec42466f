//! Goal: mailboxes that are due are adopted, each from what Planner says of it, whatever goes wrong on the
//! way; one that Planner cannot answer holds up no other; stopping gives calls up. Method: the real tree, a
//! real database, a Planner on a real socket.

use base::{Backoff, Clock as _, SystemClock};
use calendar::Slot;
use calendar::window::Window;
use connector_planner::testing::{Behaviour, FakePlanner};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use std::time::Duration;
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::outbox::testing::{decide, key_row, new_resource, number, resource, sql, wait_for};
use store::testing::{TestDatabase, database};
use store::wake::Wake;
use supervision::{Intensity, Strategy, SupervisorSpec, Tree};

use super::*;

const MAIL: &str = "m0001@sim.test";

fn options() -> ComparisonOptions {
    ComparisonOptions {
        max_fetches_per_call: 3,
        interval: Duration::from_millis(200),
        call_timeout: Duration::from_millis(600),
        retry: Backoff::doubling(Duration::from_millis(20), Duration::from_millis(50)),
        zone: TimeZone::get("Europe/Copenhagen").unwrap(),
        ..ComparisonOptions::default()
    }
}

/// An hour on day `day` of the window.
fn slot(day: i64) -> Slot {
    let window = Window::at(SystemClock.now(), &options().zone, options().months);
    let start = window.start + (24 * day).hours() + 9.hours();
    Slot { start, end: start + 1.hours() }
}

fn start(database: &TestDatabase, planner: &FakePlanner, options: &ComparisonOptions) -> Tree {
    let clock = SystemClock::shared();
    let store = database.store.clone();
    let limits = CallLimits { simultaneous_calls: 4, calls_per_minute: None, events_per_minute: None };
    let deps = Deps {
        book: CallBook::new(store.clone(), limits),
        planner: planner.connect(clock.clone()).unwrap(),
        leases: LeaseBook::new(store.clone(), clock.clone(), "test".into(), Duration::from_secs(60)),
        wake: Wake::start(store),
        runtime: tokio::runtime::Handle::current(),
        clock: clock.clone(),
    };
    let intensity = Intensity { max_restarts: 3, window: Duration::from_secs(60) };
    let root = SupervisorSpec::new("communicator", Strategy::OneForOne, intensity).child(Comparison::child(
        &deps,
        options,
        &ChildRef::new(),
    ));
    Tree::start(root, clock)
}

async fn until(database: &TestDatabase, statement: &str, value: i64) {
    wait_for(async || {
        let now = number(&database.store, statement).await;
        if now == value { Ok(()) } else { Err(format!("{statement} gives {now}")) }
    })
    .await;
}

const DUE: &str = "select count(*) from planner_resource where adopt_due_at is not null";

fn system(test: impl Future<Output = ()>) {
    actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
    .block_on(test);
}

#[test]
fn new_mailboxes_are_adopted_a_few_in_each_call() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        for n in 1..=7 {
            let mail = format!("m{n:04}@sim.test");
            new_resource(&database.store, &mail).await;
            planner.hold(&mail, "U", slot(n));
        }
        // of other resources, and Planner's own
        planner.hold("stranger@sim.test", "X", slot(1));
        planner.extra(vec![
            connector_planner::CalendarEvent::new("stranger@sim.test", "Y", slot(1).start, slot(1).end),
            connector_planner::CalendarEvent::new(MAIL, "", slot(1).start, slot(1).end),
        ]);
        decide(&database.store, MAIL, "U", Some(slot(1))).await;
        let tree = start(&database, &planner, &options());
        until(&database, DUE, 0).await;
        assert_eq!(number(&database.store, "select count(*) from calendar_event where ack_there").await, 7);
        assert_eq!(number(&database.store, "select count(*) from calendar_event").await, 7);
        let row = key_row(&database.store, MAIL, "U").await.unwrap();
        assert!(row.acknowledged == Some(Some(slot(1))) && !row.pending, "nothing is to be sent");
        let asked: usize =
            planner.seen().iter().map(|call| call.query.as_ref().unwrap().resources.len()).sum();
        assert_eq!(asked, 7);
        assert!(planner.seen().iter().all(|call| call.query.as_ref().unwrap().resources.len() <= 3));
        assert!(planner.most_in_flight() <= 2, "half of the slots");
        until(&database, "select count(*) from service_call_reference_log where success and bulk and operation = 'GetEvents' and ended_at is not null", 3).await;
        tree.shutdown().await;
        assert_eq!(number(&database.store, "select count(*) from lease where owner <> ''").await, 0);
    });
}

/// Planner filters by the start: an appointment that reaches into the window must be found all the same.
#[test]
fn the_question_reaches_back_to_the_earliest_known_start() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        resource(&database.store, MAIL).await;
        let long = Slot { start: slot(0).start - (24 * 100).hours(), end: slot(5).end };
        decide(&database.store, MAIL, "sick leave", Some(long)).await;
        planner.hold(MAIL, "sick leave", long);
        sql(&database.store, "update planner_resource set adopt_due_at = now()").await;
        let tree = start(&database, &planner, &options());
        until(&database, DUE, 0).await;
        let row = key_row(&database.store, MAIL, "sick leave").await.unwrap();
        assert_eq!(row.acknowledged, Some(Some(long)));
        tree.shutdown().await;
    });
}

#[test]
fn every_failure_heals() {
    use Behaviour as B;
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        for n in 1..=5 {
            new_resource(&database.store, &format!("m{n:04}@sim.test")).await;
        }
        planner.script([
            B::Status(503),
            B::Fault(None),
            B::Garbage,
            B::Silent { done: false },
            B::Close { done: false },
            B::Truncated,
            B::Oversized(200_000),
        ]);
        let tree = start(&database, &planner, &options());
        until(&database, DUE, 0).await;
        assert_eq!(
            number(&database.store, "select count(*) from service_call_reference_log where not success")
                .await,
            7
        );
        assert_eq!(
            number(&database.store, "select count(*) from planner_resource where adopted_at is not null")
                .await,
            5
        );
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
    });
}

#[test]
fn a_mailbox_that_becomes_due_later_is_found_without_news() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        resource(&database.store, MAIL).await;
        let tree = start(&database, &planner, &options());
        sql(&database.store, "update planner_resource set adopt_due_at = now() + interval '300 ms'").await;
        until(&database, DUE, 0).await;
        assert_eq!(planner.seen().len(), 1);
        tree.shutdown().await;
    });
}

#[test]
fn stopping_gives_calls_up_and_records_their_end() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        new_resource(&database.store, MAIL).await;
        planner.script([Behaviour::Silent { done: false }]);
        let slow = ComparisonOptions { call_timeout: Duration::from_secs(60), ..options() };
        let tree = start(&database, &planner, &slow);
        planner.wait_for_calls(1).await;
        tree.shutdown().await;
        assert_eq!(
            number(&database.store, "select count(*) from service_call_reference_log where ended_at is null")
                .await,
            0
        );
        assert_eq!(number(&database.store, DUE).await, 1, "it is due as before");
        assert_eq!(number(&database.store, "select count(*) from lease where owner <> ''").await, 0);
    });
}
