//! Attempts, fairness, the size of calls, and codes that nobody knows.

use calendar::codes;
use store::operations::Scope;
use store::set_aside::{SetAsideFilter, SetAsidePage, StopReason};

use super::*;

/// The attempt limit counts failures of that item alone: it ends, the others go on, and it can be retried.
#[test]
fn a_key_that_always_fails_alone_is_set_aside_and_can_be_retried() {
    system(async {
        for failure in [Behaviour::Fault(Some(8)), Behaviour::Close { done: false }, Behaviour::Garbage] {
            let database = database().await;
            resource(&database.store, MAIL).await;
            let running = Running::on(database, options(), limits(1)).await;
            let store = &running.database.store;
            running.planner.poison("poison", failure);
            running.decide("poison", Some(slot(1))).await;
            // the others succeed all the time
            let mut hour = 1;
            let row = wait_for(async || {
                hour += 1;
                running.decide("good", Some(slot(hour))).await;
                let row = key_row(store, MAIL, "poison").await.unwrap();
                if row.set_aside == Some(1) { Ok(row) } else { Err(format!("{row:?}")) }
            })
            .await;
            assert!(!row.pending);
            let filter = SetAsideFilter { scope: Scope::All, refused: true };
            let page = SetAsidePage { after: None, limit: 10 };
            let list = store.set_aside_keys(&filter, &page).await.unwrap().keys;
            assert_eq!(list.len(), 1);
            assert_eq!(list[0].reason, StopReason::SetAside(crate::receipt::FAILS_ALONE.into()));
            // what was wrong is mended
            running.planner.poison("poison", Behaviour::Normal);
            assert_eq!(store.retry_set_aside(&Scope::All).await.unwrap(), 1);
            running.until_held(&[("good", slot(hour)), ("poison", slot(1))]).await;
            running.tree.shutdown().await;
        }
    });
}

/// Whatever kind of outage, and however long.
#[test]
fn no_outage_counts_against_a_key() {
    use Behaviour as B;
    system(async {
        let failures = [
            B::Fault(None),
            B::Status(503),
            B::Status(404),
            B::Close { done: false },
            B::Silent { done: false },
        ];
        for failure in failures {
            let quick = BatcherOptions { call_timeout: Duration::from_millis(100), ..options() };
            let running = Running::new(quick, limits(2)).await;
            // three times the attempts that a key has
            running.planner.script(vec![failure; 12]);
            running.decide("A", Some(slot(1))).await;
            running.until_held(&[("A", slot(1))]).await;
            assert!(running.planner.seen().len() > 12);
            running.until("select count(*) from calendar_event where set_aside_version is not null", 0).await;
            running.tree.shutdown().await;
        }
    });
}

/// Planner answers, and puts everybody off, for longer than a key has attempts: an outage too.
#[test]
fn everybody_put_off_for_long_is_nobodys_failure() {
    system(async {
        let database = database().await;
        for mail in [MAIL, "m0002@sim.test", "m0003@sim.test"] {
            resource(&database.store, mail).await;
            for id in ["A", "B"] {
                decide(&database.store, mail, id, Some(slot(1))).await;
            }
        }
        let running = Running::on(database, options(), limits(1)).await;
        // options: four attempts
        running.planner.script(vec![Behaviour::Refuse(16); 36]);
        running.planner.wait_for_calls(36).await;
        running.until("select count(*) from calendar_event where pending", 0).await;
        running.until("select count(*) from calendar_event where set_aside_version is not null", 0).await;
        assert_eq!(running.planner.held().len(), 6);
        running.tree.shutdown().await;
    });
}

/// The same with a single active mailbox, where nobody else is there to compare with.
#[test]
fn a_single_mailbox_put_off_for_long_loses_nothing() {
    system(async {
        let running = Running::new(options(), limits(1)).await;
        // options: four attempts
        running.planner.script(vec![Behaviour::Refuse(15); 24]);
        running.decide("A", Some(slot(1))).await;
        running.planner.wait_for_calls(24).await;
        running.until_held(&[("A", slot(1))]).await;
        running.until("select count(*) from calendar_event where set_aside_version is not null", 0).await;
        running.tree.shutdown().await;
    });
}

/// No mailbox starves: thousands of changes of one do not delay the single change of another by more than a call.
#[test]
fn a_mailbox_with_thousands_of_changes_delays_another_by_a_call_at_most() {
    system(async {
        let database = database().await;
        for mail in ["a@sim.test", "b@sim.test", "c@sim.test"] {
            resource(&database.store, mail).await;
        }
        sql(
            &database.store,
            "insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at) \
             select 'b@sim.test', 'U' || n, 1, true, to_timestamp(1900000800), to_timestamp(1900004400), now() \
             from generate_series(1, 5000) n",
        )
        .await;
        let running = Running::on(database, options(), limits(1)).await;
        running.planner.script(vec![Behaviour::Slow(Duration::from_millis(60)); 100]);
        for (calls, mail) in [(3, "a@sim.test"), (10, "c@sim.test"), (15, "a@sim.test")] {
            running.planner.wait_for_calls(calls).await;
            let hour = i64::try_from(calls).unwrap();
            let before = running.planner.seen().len();
            decide(&running.database.store, mail, "single", Some(slot(hour))).await;
            let of = |seen: &connector_planner::testing::Seen| seen.events[0].0.0 == mail;
            let position = wait_for(async || {
                running.planner.seen().iter().skip(before).position(of).ok_or_else(|| "not sent".to_owned())
            })
            .await;
            // one call was under way or chosen when it was decided
            assert!(position <= 2, "{mail} waited for {position} calls");
        }
        running.tree.shutdown().await;
    });
}

/// Codes 17 to 48 are not assigned: refused, counted by their event, and told to operators at their first sight.
#[test]
fn an_unassigned_receipt_code_is_told_once() {
    system(async {
        let running = Running::new(options(), limits(1)).await;
        let counted = |event: &str| {
            let labels = [("operation", "CreateEvents"), ("event", event)];
            let help = "receipts by operation and event code (6200 = accepted)";
            telemetry::metrics().counter("kommuneklient_planner_receipts", help, &labels).get()
        };
        for (id, code) in [("A", 17), ("B", 48), ("C", 17), ("D", 49), ("E", -1), ("F", i32::MAX)] {
            running.planner.codes(id, [code]);
            running.decide(id, Some(slot(1))).await;
            running.until(
                &format!("select count(*) from calendar_event where origin_id = '{id}' and refused_code = {code}"),
                1,
            )
            .await;
        }
        let seen =
            "select count(*) from store_state where name in ('receipt/6217', 'receipt/6248', 'receipt/6249')";
        running.until(seen, 3).await;
        running.until("select count(*) from store_state where name like 'receipt/%'", 3).await;
        assert_eq!([counted("6217"), counted("6248"), counted("6249")], [2, 1, 3]);
        running.tree.shutdown().await;
    });
}

/// B9: repeated timeouts make the next call smaller, also where it was planned before them.
#[test]
fn repeated_timeouts_make_the_next_call_smaller_also_what_was_planned_before() {
    system(async {
        // the actor's handlers run on this thread
        let telemetry = telemetry::Options::events_alone(codes::REGISTRY);
        let (_telemetry, dispatch, mut events) = telemetry::Telemetry::build(telemetry).unwrap();
        let _here = tracing::dispatcher::set_default(&dispatch);
        let database = database().await;
        for mail in [MAIL, "m0002@sim.test"] {
            resource(&database.store, mail).await;
            for n in 0..40 {
                decide_as(&database.store, mail, &format!("U{n}"), Some(slot(n)), true, None).await;
            }
        }
        let options = BatcherOptions { call_timeout: Duration::from_millis(300), ..options() };
        // all four calls of twenty are planned at once
        let running = Running::on(database, options, limits(1)).await;
        running.planner.script(vec![Behaviour::Silent { done: false }; 2]);
        running.until("select count(*) from calendar_event where pending", 0).await;
        let sizes: Vec<usize> = running.planner.seen().iter().map(|call| call.events.len()).collect();
        assert_eq!(sizes[..2], [20, 20]);
        assert!(sizes[2..].iter().all(|size| (1..=10).contains(size)), "{sizes:?}");
        assert_eq!(running.planner.held().len(), 80);
        assert_eq!(running.planner.violations(), Vec::<String>::new());
        let smaller = std::iter::from_fn(|| events.try_recv()).find(|event| event.code == 9205);
        assert_eq!(smaller.expect("it is told").fields["size"], 10);
        running.tree.shutdown().await;
    });
}
