//! What a predecessor, or the loss of the duty, leaves behind.

use base::Clock as _;

use super::*;

/// With one call at a time (the default) too: the dead call's slot is no reason for other keys to wait.
#[test]
fn with_one_call_at_a_time_a_dead_call_blocks_its_own_keys_alone() {
    system(async {
        let database = database().await;
        for mail in [MAIL, "m0002@sim.test"] {
            resource(&database.store, mail).await;
            decide(&database.store, mail, "A", Some(slot(1))).await;
        }
        decide(&database.store, MAIL, "B", Some(slot(1))).await;
        let clock = SystemClock::shared();
        let leases = LeaseBook::new(database.store.clone(), clock, "dead".into(), Duration::from_millis(300));
        let lease = leases.acquire(&options().lease, Duration::from_secs(5)).await.unwrap();
        let book = CallBook::new(database.store.clone(), limits(1));
        let size = PageSize { mailboxes: 1, keys_per_mailbox: 1 };
        let keys = database.store.pending_keys(Class::Live, "", size).await.unwrap().keys;
        let batch =
            Batch { mail: keys[0].mail.clone(), operation: keys[0].operation, class: Class::Live, keys };
        let reserved = book.reserve(&lease.fence(), &batch, Duration::from_secs(600)).await.unwrap();
        assert!(matches!(reserved, Permit::Granted(Some(_))));
        // it dies: nobody hands the lease back, it runs out
        let running = Running::on(database, options(), limits(1)).await;
        running.until("select count(*) from calendar_event where pending", 1).await;
        let held: Vec<_> = running.planner.held().into_keys().collect();
        let key = |mail: &str, id: &str| (mail.to_owned(), id.to_owned());
        assert_eq!(held, [key(MAIL, "B"), key("m0002@sim.test", "A")]);
        running.until("select count(*) from key_in_flight where deadline > now()", 1).await;
        running.tree.shutdown().await;
    });
}

/// SIGTERM while Planner does not answer: the end waits so long and no longer, the call is cut off before the duty goes
/// on, and its key waits for its own deadline.
#[test]
fn the_end_waits_for_calls_in_flight_for_a_while_and_then_leaves_them() {
    system(async {
        let stop_patience = Duration::from_millis(400);
        let slow = BatcherOptions { call_timeout: Duration::from_secs(300), stop_patience, ..options() };
        let running = Running::new(slow, limits(2)).await;
        running.planner.script([Behaviour::Silent { done: true }]);
        running.decide("A", Some(slot(1))).await;
        running.planner.wait_for_calls(1).await;
        let began = SystemClock.monotonic();
        running.tree.shutdown().await;
        let took = SystemClock.monotonic() - began;
        assert!(took >= stop_patience, "the answer might have come: {took:?}");
        assert!(took < stop_patience + Duration::from_secs(3), "{took:?}");
        running.until("select count(*) from lease where owner <> ''", 0).await;
        let open = "select count(*) from key_in_flight where origin_id = 'A' and deadline > now() + interval '2 min'";
        assert_eq!(number(&running.database.store, open).await, 1, "its key waits");
    });
}

/// A call whose duty is lost is cut off before another can take the duty: Planner never sees two where one is allowed.
#[test]
fn a_call_is_cut_off_when_its_duty_is_lost() {
    system(async {
        let database = database().await;
        for mail in [MAIL, "m0002@sim.test"] {
            resource(&database.store, mail).await;
        }
        let patient = BatcherOptions { call_timeout: Duration::from_secs(300), ..options() };
        let ttl = Duration::from_secs(2);
        let running = Running::with_lease(database, patient, limits(1), ttl).await;
        running.planner.script([Behaviour::Silent { done: true }]);
        running.decide("A", Some(slot(1))).await;
        running.planner.wait_for_calls(1).await;
        decide(&running.database.store, "m0002@sim.test", "B", Some(slot(1))).await;
        running.planner.wait_for_calls(2).await;
        running
            .until("select count(*) from calendar_event where mail like 'm0002%' and not pending", 1)
            .await;
        assert_eq!(running.planner.most_in_flight(), 1);
        assert_eq!(running.planner.violations(), Vec::<String>::new());
        let open = "select count(*) from key_in_flight where origin_id = 'A' and deadline > now() + interval '2 min'";
        assert_eq!(number(&running.database.store, open).await, 1, "its own key waits");
        assert!(running.tree.restarts_total() >= 1);
        running.tree.shutdown().await;
    });
}
