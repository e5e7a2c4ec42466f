//! Goal: that calls to Planner fail is told with when that began. Method: calls in the log, ended minutes ago.

use calendar::MailAddress;

use crate::operations::Scope;
use crate::outbox::testing::{new_resource, resource, sql};
use crate::testing::database;

#[tokio::test]
async fn who_is_still_to_be_compared_is_counted() {
    let database = database().await;
    let store = &database.store;
    for mail in ["a@x.dk", "b@x.dk", "gone@x.dk"] {
        resource(store, mail).await;
    }
    sql(
        store,
        "update planner_resource set deleted_date = now(), adopted_at = null where mail = 'gone@x.dk'",
    )
    .await;
    let counted = async |scope: &Scope| store.to_be_compared(scope).await.unwrap();
    assert_eq!(counted(&Scope::All).await, 0);
    // never adopted; and due, now or after an outcome that is not known
    new_resource(store, "new@x.dk").await;
    assert_eq!(counted(&Scope::All).await, 1);
    for due in ["now()", "now() + interval '1 hour'"] {
        sql(store, &format!("update planner_resource set compare_due_at = {due} where mail = 'a@x.dk'"))
            .await;
        assert_eq!(counted(&Scope::All).await, 2, "{due}");
    }
    let one = |mail| Scope::One(MailAddress::parse(mail).unwrap());
    assert_eq!((counted(&one("a@x.dk")).await, counted(&one("b@x.dk")).await), (1, 0));
}

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
