//! Goal: whatever goes wrong between this process, the database and Planner, what was decided is in Planner
//! in the end, no key is ever in two calls, calls keep their bounds, and stopping loses nothing. Method:
//! the real tree, a real database, a Planner on a real socket that misbehaves as told; conditions are
//! waited for, never times.

use std::collections::{BTreeMap, BTreeSet};

use base::{Backoff, SystemClock};
use calendar::Slot;
use connector_planner::Operation;
use connector_planner::testing::{Behaviour, FakePlanner};
use store::calls::{CallBook, CallLimits, Class, Permit};
use store::lease::LeaseBook;
use store::outbox::testing::{decide, decide_as, key_row, number, resource, slot, sql, wait_for};
use store::outbox::{Batch, PageSize};
use store::testing::{TestDatabase, database};
use store::wake::Wake;
use store::{Store, StoreOptions};
use supervision::Tree;

use super::*;

mod duty;
mod limits;

const MAIL: &str = "m0001@sim.test";
/// The name of the product's own connections, so that a test can break them and go on watching.
const APPLICATION: &str = "the product";

fn options() -> BatcherOptions {
    BatcherOptions {
        // far away: it is the wake-ups that count
        update_interval: Duration::from_secs(60),
        call_timeout: Duration::from_millis(600),
        answer_grace: Duration::from_secs(2),
        retry: Backoff::doubling(Duration::from_millis(20), Duration::from_millis(100)),
        attempts_max: 4,
        ..BatcherOptions::default()
    }
}

fn limits(simultaneous_calls: u32) -> CallLimits {
    CallLimits { simultaneous_calls, calls_per_minute: None, events_per_minute: None }
}

/// A batcher in a tree, with a database and a Planner.
struct Running {
    database: TestDatabase,
    planner: FakePlanner,
    tree: Tree,
    batcher: ChildRef<PlannerBatcher>,
}

impl Running {
    async fn new(options: BatcherOptions, limits: CallLimits) -> Self {
        let database = database().await;
        resource(&database.store, MAIL).await;
        Self::on(database, options, limits).await
    }

    async fn on(database: TestDatabase, options: BatcherOptions, limits: CallLimits) -> Self {
        Self::with_lease(database, options, limits, Duration::from_secs(60)).await
    }

    /// The same with a lease that nobody renews and that is lost after this time.
    async fn with_lease(
        database: TestDatabase,
        options: BatcherOptions,
        limits: CallLimits,
        time_to_live: Duration,
    ) -> Self {
        let planner = FakePlanner::start().await;
        let clock = SystemClock::shared();
        let store = Store::open(StoreOptions {
            application_name: APPLICATION.to_owned(),
            ..store::testing::options(database.url.clone())
        })
        .unwrap();
        let deps = Deps {
            book: CallBook::new(store.clone(), limits),
            planner: planner.connect(clock.clone()).unwrap(),
            leases: LeaseBook::new(store.clone(), clock.clone(), "test".into(), time_to_live),
            wake: Wake::start(store),
            runtime: tokio::runtime::Handle::current(),
            clock: clock.clone(),
        };
        let batcher = ChildRef::new();
        let tree = Tree::start(PlannerBatcher::supervisor(&deps, &options, &batcher), clock);
        Self { database, planner, tree, batcher }
    }

    async fn decide(&self, origin_id: &str, wanted: Option<Slot>) {
        decide(&self.database.store, MAIL, origin_id, wanted).await;
    }

    /// Waits until everything decided is acknowledged and Planner holds exactly this for the mailbox.
    async fn until_held(&self, wanted: &[(&str, Slot)]) {
        let wanted: BTreeMap<String, Slot> =
            wanted.iter().map(|(id, slot)| ((*id).to_owned(), *slot)).collect();
        wait_for(async || {
            let held: BTreeMap<String, Slot> = self
                .planner
                .held()
                .into_iter()
                .filter(|((mail, _), _)| mail == MAIL)
                .map(|((_, id), slot)| (id, slot))
                .collect();
            let pending =
                number(&self.database.store, "select count(*) from calendar_event where pending").await;
            let in_flight = number(&self.database.store, "select count(*) from key_in_flight").await;
            if held == wanted && (pending, in_flight) == (0, 0) {
                Ok(())
            } else {
                Err(format!("held {held:?}, {pending} pending, {in_flight} in flight"))
            }
        })
        .await;
        assert_eq!(self.planner.violations(), Vec::<String>::new());
    }

    async fn until(&self, statement: &str, value: i64) {
        wait_for(async || {
            let now = number(&self.database.store, statement).await;
            if now == value { Ok(()) } else { Err(format!("{statement} gives {now}")) }
        })
        .await;
    }

    async fn operations(&self) -> String {
        self.planner.seen().iter().map(|call| call.operation.name().chars().next().unwrap()).collect()
    }
}

/// Runs a test on an actix system over a runtime with threads of its own.
fn system(test: impl Future<Output = ()>) {
    actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
    .block_on(test);
}

#[test]
fn a_change_reaches_planner_and_its_answer_the_store() {
    system(async {
        let running = Running::new(options(), limits(1)).await;
        running.decide("U", Some(slot(1))).await;
        running.until_held(&[("U", slot(1))]).await;
        running.decide("U", Some(slot(2))).await;
        running.until_held(&[("U", slot(2))]).await;
        running.decide("U", None).await;
        running.until_held(&[]).await;
        assert_eq!(running.operations().await, "CUD");
        running
            .until("select count(*) from sync_log where receipt_code = 0 and outcome = 'acknowledged'", 3)
            .await;
        running
            .until(
                "select count(*) from service_call_reference_log where success and items = 1 \
                 and ended_at is not null and service_call_response_reference_id is not null",
                3,
            )
            .await;
        // the correlation id on the wire is the one in the log
        let id = &running.planner.seen()[0].headers["x-correlation-id"];
        running
            .until(&format!("select count(*) from service_call_reference_log where call_id = '{id}'"), 1)
            .await;
        running.tree.shutdown().await;
    });
}

/// List C of the features: the original sent delete-then-create as create-then-delete.
#[test]
fn superseded_decisions_are_never_sent_and_the_last_one_holds() {
    system(async {
        let database = database().await;
        resource(&database.store, MAIL).await;
        decide(&database.store, MAIL, "U", Some(slot(1))).await;
        decide(&database.store, MAIL, "U", None).await;
        decide(&database.store, MAIL, "V", Some(slot(1))).await;
        decide(&database.store, MAIL, "V", None).await;
        decide(&database.store, MAIL, "V", Some(slot(5))).await;
        let running = Running::on(database, options(), limits(2)).await;
        running.until_held(&[("V", slot(5))]).await;
        assert_eq!(running.operations().await, "C");
        running.decide("V", None).await;
        running.until_held(&[]).await;
        running.decide("V", Some(slot(6))).await;
        running.until_held(&[("V", slot(6))]).await;
        assert_eq!(running.operations().await, "CDC");
        running.tree.shutdown().await;
    });
}

#[test]
fn many_changes_go_in_bounded_calls_of_one_mailbox() {
    system(async {
        let database = database().await;
        for n in 1..=5 {
            let mail = format!("m{n:04}@sim.test");
            resource(&database.store, &mail).await;
            for id in 0..45 {
                let bulk = n > 3;
                decide_as(&database.store, &mail, &format!("U{id}"), Some(slot(id)), bulk, None).await;
            }
        }
        let running = Running::on(database, options(), limits(3)).await;
        running.until("select count(*) from calendar_event where pending", 0).await;
        let seen = running.planner.seen();
        assert_eq!(running.planner.held().len(), 225);
        assert!(seen.iter().all(|call| (1..=20).contains(&call.events.len())));
        assert_eq!(seen.len(), 15, "three calls a mailbox");
        assert!(running.planner.most_in_flight() <= 3);
        assert_eq!(running.planner.violations(), Vec::<String>::new());
        // every mailbox had its turn before any had its third, and bulk work did not wait for the end
        let first: BTreeSet<&String> = seen.iter().take(9).map(|call| &call.events[0].0.0).collect();
        assert!(first.len() >= 4, "{first:?}");
        running.tree.shutdown().await;
    });
}

/// B9: as many calls as are allowed go side by side, and no more, of different keys. Method: Planner keeps each for a second,
/// within which the next one comes.
#[test]
fn calls_go_side_by_side_up_to_the_limit_and_each_key_in_one_of_them() {
    system(async {
        let database = database().await;
        let mails = [MAIL, "m0002@sim.test"];
        for mail in mails {
            resource(&database.store, mail).await;
            for n in 0..40 {
                decide(&database.store, mail, &format!("U{n}"), Some(slot(n))).await;
            }
        }
        let patient = BatcherOptions { call_timeout: Duration::from_secs(20), ..options() };
        // four calls of twenty wait
        let running = Running::on(database, patient, limits(2)).await;
        running.planner.script(vec![Behaviour::Slow(Duration::from_secs(1)); 4]);
        wait_for(async || match running.planner.most_in_flight() {
            2 => Ok(()),
            most => Err(format!("{most} calls at a time")),
        })
        .await;
        running.until("select count(*) from calendar_event where pending", 0).await;
        assert_eq!(running.planner.most_in_flight(), 2);
        let seen = running.planner.seen();
        let sizes: Vec<usize> = seen.iter().map(|call| call.events.len()).collect();
        assert_eq!(sizes, [20; 4]);
        let first: BTreeSet<&str> = seen[..2].iter().map(|call| call.events[0].0.0.as_str()).collect();
        assert_eq!(first, BTreeSet::from(mails), "each mailbox has one of the first two");
        let keys: BTreeSet<_> = seen.iter().flat_map(|call| &call.events).map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 80, "each key is in one call");
        assert_eq!(running.planner.held().len(), 80);
        assert_eq!(running.planner.violations(), Vec::<String>::new());
        running.tree.shutdown().await;
    });
}

/// Each way in which a call can go wrong, alone, for a creation, an update and a deletion.
#[test]
fn every_failure_of_a_call_heals() {
    use Behaviour as B;
    let failures = [
        B::Fault(Some(8)),
        B::Fault(None),
        B::Status(503),
        B::Status(404),
        B::Silent { done: false },
        B::Silent { done: true },
        B::Close { done: false },
        B::Close { done: true },
        B::Truncated,
        B::Garbage,
        B::Oversized(200_000),
        B::WrongOrder,
        B::OneLess,
        B::Refuse(15),
        B::Refuse(16),
    ];
    system(async move {
        let running = Running::new(options(), limits(2)).await;
        for (n, failure) in failures.into_iter().enumerate() {
            let hour = i64::try_from(n).unwrap() * 10;
            for wanted in [Some(slot(hour)), Some(slot(hour + 1)), None] {
                running.planner.script([failure.clone()]);
                // in one transaction, so that both are in the call that goes wrong
                running.decide("A", wanted).await;
                running.decide("B", wanted).await;
                let held: Vec<(&str, Slot)> =
                    wanted.iter().flat_map(|slot| [("A", *slot), ("B", *slot)]).collect();
                running.until_held(&held).await;
                running.until("select count(*) from calendar_event where uncertain", 0).await;
            }
        }
        // outcomes that are unknown made the mailbox due for a comparison
        running.until("select count(*) from planner_resource where compare_due_at is not null", 1).await;
        for event in [6901, 6902, 6903, 6904, 6905, 6906] {
            let count = format!(
                "select least(count(*), 1) from service_call_reference_log where event_id = {event} and not success"
            );
            running.until(&count, 1).await;
        }
        assert_eq!(running.tree.restarts_total(), 0);
        running.tree.shutdown().await;
    });
}

#[test]
fn a_timeout_on_a_create_followed_by_a_change_of_times() {
    system(async {
        for done in [true, false] {
            let running = Running::new(options(), limits(1)).await;
            running.planner.script([Behaviour::Silent { done }]);
            running.decide("U", Some(slot(1))).await;
            running.planner.wait_for_calls(1).await;
            running.decide("U", Some(slot(7))).await;
            running.until_held(&[("U", slot(7))]).await;
            let expected = if done { "CCU" } else { "CC" };
            assert_eq!(running.operations().await, expected);
            running.tree.shutdown().await;
        }
    });
}

#[test]
fn receipts_lead_where_the_table_says() {
    system(async {
        let running = Running::new(options(), limits(1)).await;
        let store = &running.database.store;
        // 8: Planner has it with other times
        running.planner.hold(MAIL, "has", slot(1));
        running.decide("has", Some(slot(2))).await;
        running.until_held(&[("has", slot(2))]).await;
        assert_eq!(running.operations().await, "CU");
        // 10: Planner lost it
        running.planner.lose(MAIL, "has");
        running.decide("has", Some(slot(3))).await;
        running.until_held(&[("has", slot(3))]).await;
        assert_eq!(running.operations().await, "CUUC");
        // 10 on a deletion is what was wanted
        running.planner.lose(MAIL, "has");
        running.decide("has", None).await;
        running.until_held(&[]).await;
        assert_eq!(running.operations().await, "CUUCD");
        // 13, a refusal, a code that nobody knows
        for (id, code) in [("own", 13), ("refused", 3), ("unknown", 77), ("negative", -2)] {
            running.planner.codes(id, [code]);
            running.decide(id, Some(slot(4))).await;
            running.until_held(&[]).await;
        }
        assert!(key_row(store, MAIL, "own").await.unwrap().planner_own);
        for (id, code) in [("refused", 3), ("unknown", 77), ("negative", -2)] {
            assert_eq!(key_row(store, MAIL, id).await.unwrap().refused, Some((1, code)));
        }
        let calls = running.planner.seen().len();
        // a new decision is sent, except for Planner's own
        for id in ["own", "refused", "unknown", "negative"] {
            running.decide(id, Some(slot(5))).await;
        }
        running.until_held(&[("negative", slot(5)), ("refused", slot(5)), ("unknown", slot(5))]).await;
        assert!(
            running.planner.seen()[calls..]
                .iter()
                .all(|call| call.events.iter().all(|(key, _)| key.1 != "own"))
        );
        running.tree.shutdown().await;
    });
}

#[test]
fn contradictions_and_endless_not_now_are_set_aside_and_stop_nobody() {
    system(async {
        let running = Running::new(options(), limits(1)).await;
        let store = &running.database.store;
        // says that it has it, then that it does not, then again that it has it
        running.planner.codes("liar", [8, 10, 8]);
        running.planner.codes("later", [15, 16].repeat(1_000));
        for id in ["liar", "later", "\u{1}"] {
            running.decide(id, Some(slot(1))).await;
        }
        // the others are taken all the time
        let mut hour = 1;
        wait_for(async || {
            hour += 1;
            running.decide("good", Some(slot(hour))).await;
            let set_aside = "select count(*) from calendar_event where set_aside_version = 1";
            match number(store, set_aside).await {
                3 => Ok(()),
                count => Err(format!("{count} set aside")),
            }
        })
        .await;
        running.until_held(&[("good", slot(hour))]).await;
        assert_eq!(key_row(store, MAIL, "later").await.unwrap().attempts, 4, "each counts, also the last");
        // a new decision is a new chance
        running.planner.forget_codes("later");
        running.decide("liar", Some(slot(2))).await;
        running.decide("later", Some(slot(2))).await;
        running.until_held(&[("good", slot(hour)), ("later", slot(2)), ("liar", slot(2))]).await;
        running.tree.shutdown().await;
    });
}

#[test]
fn an_outage_of_planner_counts_against_no_key() {
    system(async {
        let running = Running::new(options(), limits(3)).await;
        running.planner.script(vec![Behaviour::Status(503); 12]);
        running.decide("A", Some(slot(1))).await;
        running.decide("B", Some(slot(1))).await;
        running.until_held(&[("A", slot(1)), ("B", slot(1))]).await;
        running.until("select max(attempts)::bigint + max(unanswered) from calendar_event", 0).await;
        running.tree.shutdown().await;
    });
}

/// An appointment on which Planner fails, every time, whatever it is sent with.
#[test]
fn a_key_that_makes_its_calls_fail_holds_up_no_other() {
    system(async {
        for failure in [Behaviour::Fault(Some(1)), Behaviour::Silent { done: false }] {
            let database = database().await;
            resource(&database.store, MAIL).await;
            for id in ["poison", "a", "b", "c"] {
                decide(&database.store, MAIL, id, Some(slot(1))).await;
            }
            let quick = BatcherOptions {
                call_timeout: Duration::from_millis(200),
                attempts_max: 10_000,
                ..options()
            };
            let running = Running::on(database, quick, limits(1)).await;
            running.planner.poison("poison", failure);
            running.until("select count(*) from calendar_event where pending", 1).await;
            assert_eq!(running.planner.held().len(), 3);
            // others go on while it is tried again and again
            let calls = running.planner.seen().len();
            running.planner.wait_for_calls(calls + 3).await;
            running.decide("d", Some(slot(2))).await;
            running.until("select count(*) from calendar_event where pending", 1).await;
            assert_eq!(running.planner.held().len(), 4);
            running.tree.shutdown().await;
        }
    });
}

#[test]
fn the_budget_of_calls_holds_and_what_waits_is_sent_when_it_can_be() {
    system(async {
        let database = database().await;
        for n in 1..=12 {
            let mail = format!("m{n:04}@sim.test");
            resource(&database.store, &mail).await;
            decide(&database.store, &mail, "U", Some(slot(1))).await;
        }
        let limits = CallLimits { calls_per_minute: Some(5), ..limits(4) };
        let running = Running::on(database, options(), limits).await;
        for round in 1..=2 {
            running.until("select count(*) from calendar_event where not pending", 5 * round).await;
            running.until("select count(*) from key_in_flight", 0).await;
            let permits =
                "select count(*) from service_call_reference_log where ended_at > now() - interval '60 s'";
            assert_eq!(number(&running.database.store, permits).await, 5);
            assert_eq!(running.planner.seen().len(), usize::try_from(5 * round).unwrap());
            // a minute passes
            sql(
                &running.database.store,
                "update service_call_reference_log set ended_at = ended_at - interval '61 s'",
            )
            .await;
        }
        running.until("select count(*) from calendar_event where not pending", 12).await;
        running.tree.shutdown().await;
    });
}

#[test]
fn a_predecessors_keys_wait_for_their_deadline_and_no_others_do() {
    system(async {
        let database = database().await;
        resource(&database.store, MAIL).await;
        for id in ["A", "B"] {
            decide(&database.store, MAIL, id, Some(slot(1))).await;
        }
        let leases = LeaseBook::new(
            database.store.clone(),
            SystemClock::shared(),
            "dead".into(),
            Duration::from_secs(60),
        );
        let lease = leases.acquire(&options().lease, Duration::from_secs(5)).await.unwrap();
        let book = CallBook::new(database.store.clone(), limits(2));
        let size = PageSize { mailboxes: 1, keys_per_mailbox: 1 };
        let keys = database.store.pending_keys(Class::Live, "", size).await.unwrap().keys;
        let batch =
            Batch { mail: keys[0].mail.clone(), operation: keys[0].operation, class: Class::Live, keys };
        let reserved = book.reserve(&lease.fence(), &batch, Duration::from_secs(600)).await.unwrap();
        assert!(matches!(reserved, Permit::Granted(Some(_))));
        lease.release().await.unwrap();
        let running = Running::on(database, options(), limits(2)).await;
        running.planner.wait_for_calls(1).await;
        running.until("select count(*) from calendar_event where pending", 1).await;
        assert_eq!(running.planner.held().len(), 1);
        sql(
            &running.database.store,
            "update key_in_flight set deadline = now(); notify kommuneklient_decision",
        )
        .await;
        running.until_held(&[("A", slot(1)), ("B", slot(1))]).await;
        running.until("select count(*) from service_call_reference_log where event_id = 9204", 1).await;
        running.tree.shutdown().await;
    });
}

#[test]
fn stopping_ends_calls_in_flight_and_hands_the_lease_back() {
    system(async {
        let running = Running::new(options(), limits(2)).await;
        running.planner.script([Behaviour::Slow(Duration::from_millis(300))]);
        running.decide("U", Some(slot(1))).await;
        running.planner.wait_for_calls(1).await;
        running.tree.shutdown().await;
        assert_eq!(
            key_row(&running.database.store, MAIL, "U").await.unwrap().acknowledged,
            Some(Some(slot(1)))
        );
        running.until("select count(*) from key_in_flight", 0).await;
        running.until("select count(*) from lease where owner <> ''", 0).await;
    });
}

#[test]
fn a_lost_lease_restarts_the_batcher_and_nothing_is_lost() {
    system(async {
        let running = Running::new(options(), limits(1)).await;
        running.decide("U", Some(slot(1))).await;
        running.until_held(&[("U", slot(1))]).await;
        // somebody else took it over
        sql(&running.database.store, "update lease set token = token + 1").await;
        running.decide("U", Some(slot(2))).await;
        running.until_held(&[("U", slot(2))]).await;
        assert!(running.tree.restarts_total() >= 1);
        let observed = running.batcher.send(Observe).await.unwrap();
        assert!(observed.holds_lease);
        running.tree.shutdown().await;
    });
}

#[test]
fn connections_that_break_at_any_time_lose_nothing() {
    system(async {
        let running = Running::new(options(), limits(2)).await;
        let kill = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where datname = current_database() and application_name = '{APPLICATION}'"
        );
        for round in 0..8 {
            running.planner.script([Behaviour::Slow(Duration::from_millis(30))]);
            let calls = running.planner.seen().len();
            running.decide("U", Some(slot(round))).await;
            if round % 2 == 0 {
                running.planner.wait_for_calls(calls + 1).await;
            }
            assert!(number(&running.database.store, &kill).await > 0);
            // the connection for wake-ups may be away: the news is told again
            sql(&running.database.store, "notify kommuneklient_decision").await;
            running.until_held(&[("U", slot(round))]).await;
        }
        running.tree.shutdown().await;
    });
}

#[test]
fn the_operations_letters_are_those_of_the_wire() {
    for (ours, wire) in [
        (store::outbox::Operation::Create, Operation::CreateEvents),
        (store::outbox::Operation::Update, Operation::UpdateEvents),
        (store::outbox::Operation::Delete, Operation::DeleteEvents),
    ] {
        assert_eq!(ours.call_name(), wire.name());
    }
}
