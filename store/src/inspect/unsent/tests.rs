//! Goal: that calls to Planner fail is told with when that began. Method: calls in the log, ended minutes ago.

use crate::outbox::testing::sql;
use crate::testing::database;

#[tokio::test]
async fn calls_fail_since_the_first_after_the_last_that_worked() {
    let database = database().await;
    let store = &database.store;
    assert_eq!(store.planner_failure().await.unwrap(), None);
    assert!(!store.planner_answers().await.unwrap(), "there was no call");
    sql(
        store,
        "insert into service_call_reference_log (call_id, operation, items, started_at, deadline, ended_at, success, \
                                                 event_id, text) \
             select gen_random_uuid(), 'CreateEvents', 1, now() - interval '1 d', now() - interval '1 d', \
                    now() - make_interval(mins => ago), ok, case when not ok then 6904 end, \
                    case when not ok then 'no answer' end \
             from (values (200, false), (50, true), (40, false), (20, false), (1, false)) as calls (ago, ok); \
         insert into service_call_reference_log (call_id, operation, items, started_at, deadline) \
             values (gen_random_uuid(), 'GetEvents', 1, now(), now() + interval '1 minute')",
    )
    .await;
    let lasts = async || {
        let failure = store.planner_failure().await.unwrap().expect("the last one failed");
        assert_eq!((failure.operation.as_str(), failure.event_id), ("CreateEvents", Some(6904)));
        failure.at.duration_since(failure.since).as_mins()
    };
    assert_eq!(lasts().await, 39);
    assert!(!store.planner_answers().await.unwrap());
    sql(store, "delete from service_call_reference_log where success").await;
    assert_eq!(lasts().await, 199, "none is known to have worked");
    sql(
        store,
        "update service_call_reference_log set success = true where ended_at > now() - interval '10 min'",
    )
    .await;
    assert_eq!(store.planner_failure().await.unwrap(), None);
    assert!(store.planner_answers().await.unwrap());
    sql(store, "update service_call_reference_log set ended_at = ended_at - interval '2 h'").await;
    assert!(!store.planner_answers().await.unwrap(), "that was long ago");
}
