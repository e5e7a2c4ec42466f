//! Goal: mailboxes that are due are adopted or compared, each with what Planner says of it, whatever goes wrong on the
//! way; one that Planner cannot answer, or that was not read yet, holds up no other; stopping gives calls up. Method:
//! the real tree, a real database, a Planner on a real socket.

use base::{Backoff, Clock as _, SystemClock};
use calendar::Slot;
use calendar::window::Window;
use connector_planner::testing::{Behaviour, FakePlanner};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use std::time::Duration;
use store::calls::{CallBook, CallLimits, Class};
use store::lease::LeaseBook;
use store::operations::Scope;
use store::outbox::testing::{decide, key_row, new_resource, number, resource, sql, wait_for};
use store::outbox::{Operation, PageSize};
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

const COMPARED: &str =
    "select count(*) from planner_resource where compared_at is not null and compare_due_at is null";

/// A key that was decided and acknowledged.
async fn in_step(database: &TestDatabase, mail: &str, origin_id: &str, at: Slot) {
    decide(&database.store, mail, origin_id, Some(at)).await;
    let acknowledge = "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at";
    sql(&database.store, acknowledge).await;
}

/// What is sent next, as key and operation.
async fn sent_next(database: &TestDatabase) -> Vec<(String, Operation)> {
    let size = PageSize { mailboxes: 9, keys_per_mailbox: 99 };
    let page = database.store.pending_keys(Class::Bulk, "", size).await.unwrap();
    let mut keys: Vec<_> =
        page.keys.into_iter().map(|key| (key.origin_id.to_string(), key.operation)).collect();
    keys.sort();
    keys
}

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

#[test]
fn mailboxes_are_compared_a_few_in_each_call() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        for n in 1..=7 {
            let mail = format!("m{n:04}@sim.test");
            resource(&database.store, &mail).await;
            in_step(&database, &mail, "U", slot(n)).await;
            planner.hold(&mail, "U", slot(n));
        }
        let tree = start(&database, &planner, &options());
        database.store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 7).await;
        let asked: Vec<usize> =
            planner.seen().iter().map(|call| call.query.as_ref().unwrap().resources.len()).collect();
        assert!(asked.iter().all(|mailboxes| *mailboxes <= 3), "{asked:?}");
        assert_eq!((asked.iter().sum::<usize>(), asked.len()), (7, 3), "{asked:?}");
        assert_eq!(sent_next(&database).await, []);
        tree.shutdown().await;
    });
}

/// Planner filters by the start: an appointment that reaches into the window must be found all the same.
#[test]
fn the_question_reaches_back_to_the_earliest_known_start() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        resource(&database.store, MAIL).await;
        let long = Slot { start: slot(0).start - (24 * 100).hours(), end: slot(5).end };
        in_step(&database, MAIL, "sick leave", long).await;
        planner.hold(MAIL, "sick leave", long);
        sql(&database.store, "update planner_resource set compare_due_at = now()").await;
        let tree = start(&database, &planner, &options());
        until(&database, COMPARED, 1).await;
        let row = key_row(&database.store, MAIL, "sick leave").await.unwrap();
        assert!(row.version == 1 && row.acknowledged == Some(Some(long)) && !row.pending, "{row:?}");
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
        sql(&database.store, "update planner_resource set compare_due_at = now() + interval '300 ms'").await;
        until(&database, COMPARED, 1).await;
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

/// Somebody changes, removes and adds appointments in Planner; rows without an origin id are Planner's business.
#[test]
fn what_somebody_changed_in_planner_is_repaired() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        resource(store, MAIL).await;
        for id in ["same", "moved", "removed", "own"] {
            in_step(&database, MAIL, id, slot(3)).await;
        }
        sql(store, "update calendar_event set planner_own = true where origin_id = 'own'").await;
        planner.hold(MAIL, "same", slot(3));
        planner.hold(MAIL, "moved", slot(4));
        planner.hold(MAIL, "own", slot(9));
        planner.hold(MAIL, "added", slot(5));
        let extra = connector_planner::CalendarEvent::new;
        planner.extra(vec![
            extra(MAIL, "", slot(6).start, slot(6).end),
            extra("stranger@sim.test", "X", slot(6).start, slot(6).end),
            extra(MAIL, "same", slot(3).start, slot(3).end),
        ]);
        let tree = start(&database, &planner, &options());
        store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 1).await;
        let expected =
            [("added", Operation::Delete), ("moved", Operation::Update), ("removed", Operation::Create)];
        assert_eq!(sent_next(&database).await, expected.map(|(id, what)| (id.to_owned(), what)));
        assert_eq!(
            number(store, "select count(*) from calendar_event where mail <> 'm0001@sim.test'").await,
            0
        );
        assert_eq!(planner.seen().len(), 1, "one question");
        tree.shutdown().await;
    });
}

#[test]
fn a_mailbox_that_was_not_read_today_is_read_first_and_the_others_do_not_wait_for_it() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        for n in 1..=4 {
            resource(store, &format!("m{n:04}@sim.test")).await;
        }
        sql(store, &format!("update planner_resource set full_read_began_at = now() - interval '25 h' where mail = '{MAIL}'")).await;
        let tree = start(&database, &planner, &options());
        store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 3).await;
        until(&database, "select count(*) from notification where event_type = 'FullRead'", 1).await;
        let asked = planner.seen().len();
        // its reading is done: the qualifier tells nobody here
        sql(store, "delete from notification; update planner_resource set full_read_began_at = now()").await;
        until(&database, COMPARED, 4).await;
        assert_eq!(planner.seen().len(), asked + 1);
        tree.shutdown().await;
    });
}

#[test]
fn a_mailbox_for_which_planner_always_fails_holds_up_no_other() {
    use Behaviour as B;
    for always in
        [B::Garbage, B::Oversized(200_000), B::Fault(Some(7)), B::Status(500), B::Close { done: false }]
    {
        system(async {
            let (database, planner) = (database().await, FakePlanner::start().await);
            let store = &database.store;
            planner.poison(MAIL, always.clone());
            for n in 1..=5 {
                resource(store, &format!("m{n:04}@sim.test")).await;
            }
            new_resource(store, "m0006@sim.test").await;
            let tree = start(&database, &planner, &options());
            store.ask_for_comparison(&Scope::All).await.unwrap();
            sql(store, "update planner_resource set full_read_began_at = now()").await;
            until(&database, "select count(*) from planner_resource where compared_at is not null and mail between 'm0002' and 'm0006'", 4).await;
            // the new one may be adopted before or after the comparison is asked for, and is compared or not
            until(&database, "select count(*) from planner_resource where adopted_at is not null and mail = 'm0006@sim.test'", 1).await;
            assert_eq!(number(store, "select count(*) from planner_resource where compared_at is not null and mail = 'm0001@sim.test'").await, 0);
            assert_eq!(tree.restarts_total(), 0, "{always:?}");
            tree.shutdown().await;
        });
    }
}

/// A mailbox of which Planner holds more than an answer may be large is asked for in parts of the time.
#[test]
fn what_is_too_large_for_one_answer_is_asked_for_in_parts() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        new_resource(store, MAIL).await;
        // an answer may have 100,000 bytes
        for n in 0..900 {
            planner.hold(MAIL, &format!("{n:0100}"), slot(n % 60));
        }
        let tree = start(&database, &planner, &options());
        until(&database, "select count(*) from planner_resource where adopted_at is not null", 1).await;
        assert_eq!(number(store, "select count(*) from calendar_event where ack_there").await, 900);
        let asked = planner.seen().len();
        assert!((3..20).contains(&asked), "{asked} calls");
        // and compared
        sql(store, "update planner_resource set full_read_began_at = now()").await;
        store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 1).await;
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
    });
}

/// However short the stretch: given up for an hour with an event of its own, not tried every minute for ever.
#[test]
fn a_mailbox_that_is_too_large_however_it_is_asked_for_is_given_up_for_a_while() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        planner.poison(MAIL, Behaviour::Oversized(200_000));
        for n in 1..=3 {
            resource(store, &format!("m{n:04}@sim.test")).await;
        }
        let tree = start(&database, &planner, &options());
        store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 2).await;
        let put_off =
            "select count(*) from planner_resource where compare_due_at > now() + interval '50 min'";
        until(&database, put_off, 1).await;
        let told = "select count(*) from service_call_reference_log where not success";
        assert!(number(store, told).await <= 100);
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
    });
}

/// While Planner is away nothing is counted, and everything goes on when it is back.
#[test]
fn while_planner_is_away_all_waits() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        for n in 1..=4 {
            resource(store, &format!("m{n:04}@sim.test")).await;
        }
        planner.script(std::iter::repeat_n(Behaviour::Status(404), 6));
        let tree = start(&database, &planner, &options());
        store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 4).await;
        assert_eq!(
            number(store, "select count(*) from service_call_reference_log where not success").await,
            6
        );
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
    });
}

/// The database does not take an identifier of 12,800 characters that nothing can compress.
#[test]
fn what_the_database_does_not_take_stops_neither_the_actor_nor_the_others() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        for n in 1..=3 {
            resource(store, &format!("m{n:04}@sim.test")).await;
        }
        let noise: String = (0..200)
            .map(|_| format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
            .collect();
        planner.extra(vec![connector_planner::CalendarEvent::new(MAIL, noise, slot(6).start, slot(6).end)]);
        let tree = start(&database, &planner, &options());
        store.ask_for_comparison(&Scope::All).await.unwrap();
        until(&database, COMPARED, 2).await;
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
    });
}

/// `adopt --all` after an old backup was restored: nothing is sent until every mailbox was adopted and read in full,
/// and then Planner's truth stands in the place of what the backup believed.
#[test]
fn an_adoption_that_somebody_asks_for_replaces_what_was_believed() {
    system(async {
        let (database, planner) = (database().await, FakePlanner::start().await);
        let store = &database.store;
        resource(store, MAIL).await;
        in_step(&database, MAIL, "of the backup", slot(3)).await;
        planner.hold(MAIL, "since the backup", slot(4));
        let tree = start(&database, &planner, &options());
        assert_eq!(store.ask_for_adoption(&Scope::All).await.unwrap(), 1);
        until(
            &database,
            "select count(*) from planner_resource where adopted_at is not null and adopt_due_at is null",
            1,
        )
        .await;
        assert_eq!(key_row(store, MAIL, "of the backup").await.unwrap().acknowledged, None);
        let learned = key_row(store, MAIL, "since the backup").await.unwrap();
        assert_eq!((learned.version, learned.acknowledged), (0, Some(Some(slot(4)))));
        let size = PageSize { mailboxes: 9, keys_per_mailbox: 99 };
        let live = async || store.pending_keys(Class::Live, "", size).await.unwrap().keys.len();
        assert_eq!(live().await, 0, "it was not read in full since");
        sql(store, "update planner_resource set full_read_began_at = now()").await;
        assert_eq!(live().await, 1);
        tree.shutdown().await;
    });
}

/// Missed while nobody held the duty: made up once at start, and recorded.
#[test]
fn a_missed_comparison_is_made_up_and_a_start_asks_where_it_shall() {
    for (at_start, last_run, runs) in [
        (false, "now() - interval '3 days'", true),
        (false, "now() - interval '1 s'", false),
        (true, "now() - interval '1 s'", true),
    ] {
        system(async {
            let (database, planner) = (database().await, FakePlanner::start().await);
            let store = &database.store;
            resource(store, MAIL).await;
            sql(
                store,
                &format!(
                    "insert into store_state (name, value) values ('schedule/comparison', \
                     to_char(({last_run}) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))"
                ),
            )
            .await;
            // a time of day that is far from now, so that it is not due by itself
            let now = SystemClock.now().to_zoned(options().zone).time();
            let far = jiff::civil::time((now.hour() + 12) % 24, 0, 0, 0);
            let schedule = base::daily::DailyTimes::once_at(far);
            let tree = start(
                &database,
                &planner,
                &ComparisonOptions { compare_at_start: at_start, schedule, ..options() },
            );
            if runs {
                until(&database, COMPARED, 1).await;
            } else {
                until(&database, "select count(*) from lease where owner <> ''", 1).await;
                store.ask_for_comparison(&Scope::All).await.unwrap();
                until(&database, COMPARED, 1).await;
            }
            assert_eq!(planner.seen().len(), 1, "{at_start} {last_run}");
            tree.shutdown().await;
        });
    }
}
