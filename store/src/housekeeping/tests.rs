//! Goal: what is old enough goes, in batches, under the fence of the duty; what is young, or still needed, stays. Method:
//! rows on both sides of each limit.

use crate::StoreError;
use crate::outbox::testing::{decide, fence, new_resource, number, resource, slot, sql};
use crate::testing::database;

use super::*;

/// Clears an area to its end; answers rows and batches.
async fn clear_all(store: &Store, fence: &Fence, area: Area, days: u32) -> (u64, u32) {
    let (mut rows, mut batches, mut after) = (0, 0, String::new());
    loop {
        let cleared = store.clear(fence, area, days, &after).await.unwrap();
        (rows, batches) = (rows + cleared.rows, batches + 1);
        match cleared.next {
            Some(next) => after = next,
            None => return (rows, batches),
        }
    }
}

#[tokio::test]
async fn logs_lose_what_is_old_in_batches() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "housekeeping").await;
    sql(
        store,
        "insert into notification_log (id, mail, event_type, received_at, handled_at, attempts, outcome) \
             select n, 'a@x', 'SyncCheck', now(), now() - make_interval(days => case when n <= 1500 then 91 else 89 end), \
                    0, 'x' from generate_series(1, 1600) n; \
         update notification_log set handled_at = now() where id = 3; \
         insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, outcome, at) \
             select gen_random_uuid(), 'a@x', 'U', 'C', 1, now(), now(), 'acknowledged', \
                    now() - make_interval(days => 399 + 2 * (n % 2)) from generate_series(1, 10) n; \
         insert into decision_history (mail, origin_id, version, wanted, decided_at, bulk, overruled_at) \
             select 'a@x', 'U', n, true, now() - interval '500 days', false, \
                    now() - make_interval(days => 399 + 2 * (n % 2)) from generate_series(1, 10) n; \
         insert into application_log (at, event_id, severity, source, message, instance) \
             select now() - make_interval(days => 29 + 2 * (n % 2)), 4906, 'error', 'ELS', 'm', 'one' \
             from generate_series(1, 10) n",
    )
    .await;
    assert_eq!(clear_all(store, &fence, Area::NotificationLog, 90).await, (1_499, 2));
    assert_eq!(
        number(store, "select count(*) from notification_log").await,
        101,
        "a late one hides no old ones"
    );
    assert_eq!(clear_all(store, &fence, Area::SyncLog, 400).await, (5, 1));
    assert_eq!(
        clear_all(store, &fence, Area::DecisionHistory, 400).await,
        (5, 1),
        "by when they were overruled"
    );
    assert_eq!(clear_all(store, &fence, Area::ApplicationLog, 30).await, (5, 1));
    assert_eq!(clear_all(store, &fence, Area::ApplicationLog, 30).await, (0, 1));
}

#[tokio::test]
async fn a_call_with_keys_in_flight_stays() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "housekeeping").await;
    sql(
        store,
        "insert into service_call_reference_log (call_id, operation, mail, items, started_at, deadline, ended_at) \
             select gen_random_uuid(), 'CreateEvents', 'a@x', n, now() - interval '500 days', \
                    now() - interval '500 days', case when n > 1 then now() - interval '500 days' end \
             from generate_series(1, 3) n; \
         insert into key_in_flight (mail, origin_id, call_id, position, operation, version, start_at, end_at, deadline) \
             select mail, 'U', call_id, 1, 'C', 1, now(), now(), deadline from service_call_reference_log where items = 1",
    )
    .await;
    assert_eq!(clear_all(store, &fence, Area::CallLog, 400).await, (2, 1));
    assert_eq!(number(store, "select count(*) from service_call_reference_log where items = 1").await, 1);
}

#[tokio::test]
async fn past_appointments_go_when_they_are_not_needed() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "housekeeping").await;
    for n in 0..120 {
        let name = format!("m{n:03}@x.dk");
        new_resource(store, &name).await;
        decide(store, &name, "old", Some(slot(1))).await;
        decide(store, &name, "young", Some(slot(1))).await;
    }
    sql(
        store,
        "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at, ack_version = 1; \
         update calendar_event set start_at = now() - interval '91 days 1 hour', end_at = now() - interval '91 days', \
                ack_start = now() - interval '91 days 1 hour', ack_end = now() - interval '91 days' \
         where origin_id = 'old'; \
         update calendar_event set ack_there = false where origin_id = 'old' and mail = 'm001@x.dk'; \
         update calendar_event set ack_there = false where origin_id = 'old' and mail = 'm002@x.dk'; \
         update planner_resource set deleted_date = now() where mail = 'm002@x.dk'",
    )
    .await;
    assert_eq!(clear_all(store, &fence, Area::PastAppointments, 90).await, (119, 3));
    let left =
        "select count(*) from calendar_event where origin_id = 'old' and mail = 'm001@x.dk' and pending";
    assert_eq!(number(store, left).await, 1, "it is still to be sent");
    assert_eq!(number(store, "select count(*) from calendar_event where origin_id = 'young'").await, 120);
}

/// Keys of decisions that are kept of a mailbox, each once.
async fn decided(store: &Store, mail: &str) -> Vec<String> {
    let client = store.client("test").await.unwrap();
    let query = "select distinct origin_id from decision_history where mail = $1 order by 1";
    client.query(query, &[&mail]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_was_decided_before_goes_with_its_appointment() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "housekeeping").await;
    for n in 0..60 {
        let name = format!("m{n:03}@x.dk");
        new_resource(store, &name).await;
        // over and done; over, and still to be sent; moved to a time that is to come
        for key in ["over", "unsent", "moved"] {
            decide(store, &name, key, Some(slot(1))).await;
        }
    }
    sql(
        store,
        "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at, ack_version = 1; \
         update calendar_event set start_at = now() - interval '91 days 1 hour', end_at = now() - interval '91 days', \
                ack_start = now() - interval '91 days 1 hour', ack_end = now() - interval '91 days' \
         where origin_id in ('over', 'unsent'); \
         update calendar_event set ack_there = false where origin_id = 'unsent'; \
         insert into decision_history (mail, origin_id, version, wanted, start_at, end_at, decided_at, bulk, overruled_at) \
             select mail, origin_id, 1, true, now() - interval '91 days 1 hour', now() - interval '91 days', \
                    now() - interval '92 days', false, now() - interval '91 days' from calendar_event; \
         insert into decision_history (mail, origin_id, version, wanted, start_at, end_at, decided_at, bulk, overruled_at) \
             select 'm000@x.dk', key, 1, true, ends - interval '1 hour', ends, now() - interval '92 days', false, overruled \
             from (values ('never wanted', null::timestamptz, now() - interval '91 days'), \
                          ('was to come', now() + interval '300 days', now() - interval '91 days'), \
                          ('overruled lately', now() - interval '91 days', now() - interval '89 days'), \
                          ('young', now() - interval '89 days', now() - interval '89 days'), \
                          ('in a call', now() - interval '91 days', now() - interval '91 days')) \
                  as kept (key, ends, overruled); \
         insert into service_call_reference_log (call_id, operation, mail, items, started_at, deadline) \
             values (gen_random_uuid(), 'CreateEvents', 'm000@x.dk', 1, now(), now()); \
         insert into key_in_flight (mail, origin_id, call_id, position, operation, version, start_at, end_at, deadline) \
             select mail, 'in a call', call_id, 1, 'C', 1, now(), now(), deadline from service_call_reference_log",
    )
    .await;
    // of the mailbox that has them, what belongs to no appointment that is kept; the appointments are all there yet
    assert_eq!(clear_all(store, &fence, Area::PastDecisions, 90).await, (3, 2));
    assert_eq!(decided(store, "m000@x.dk").await, ["in a call", "moved", "over", "unsent", "young"]);

    // a round, as housekeeping does it
    let mut removed = Vec::new();
    for area in Area::ALL {
        let days = if area == Area::SyncLog || area == Area::DecisionHistory { 400 } else { 90 };
        let (rows, _) = clear_all(store, &fence, area, days).await;
        removed.extend((rows > 0).then_some((area, rows)));
    }
    assert_eq!(removed, [(Area::PastAppointments, 60), (Area::PastDecisions, 60)]);
    assert_eq!(decided(store, "m000@x.dk").await, ["in a call", "moved", "unsent", "young"]);
    assert_eq!(decided(store, "m059@x.dk").await, ["moved", "unsent"], "explain tells of what is kept");
}

#[tokio::test]
async fn rejected_deletions_of_past_appointments_go_and_what_waits_for_an_operator_stays() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "housekeeping").await;
    new_resource(store, "a@x.dk").await;
    // withheld over and over: its appointment is kept
    decide(store, "a@x.dk", "U5", Some(slot(1))).await;
    sql(
        store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there, state, settled_at, settled_by) \
             values ('a@x.dk', 'full_read', now(), now(), 5, 5, 'rejected', now(), 'kim'), \
                    ('b@x.dk', 'full_read', now(), now(), 5, 5, 'withheld', null, null); \
         insert into withheld_key (mail, origin_id, run, version, start_at, end_at, rejected) \
             select mail, 'U' || n, id, 1, now() - interval '200 days', \
                    now() - make_interval(days => 89 + 2 * (n % 2)), state = 'rejected' \
             from withheld_run, generate_series(1, 5) n",
    )
    .await;
    assert_eq!(clear_all(store, &fence, Area::PastWithheld, 90).await, (2, 1));
    let left = "select count(*) from withheld_key where mail = 'a@x.dk' and origin_id in ('U2', 'U4', 'U5')";
    assert_eq!(number(store, left).await, 3);
    assert_eq!(number(store, "select count(*) from withheld_key where mail = 'b@x.dk'").await, 5);
    assert_eq!(number(store, "select count(*) from withheld_run").await, 2);
}

#[tokio::test]
async fn only_who_has_the_duty_removes_anything() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    let old = fence(store, "housekeeping").await;
    sql(store, "update lease set token = token + 1").await;
    for area in Area::ALL {
        let refused = store.clear(&old, area, 1, "").await;
        assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{area:?}: {refused:?}");
    }
}
