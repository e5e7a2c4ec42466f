//! Goal: a request is open until a fetch that began later has answered, whatever else happens. Method: a real
//! database a test.

use std::time::Duration;

use super::*;
use crate::outbox::testing::{fence, sql};
use crate::testing::database;

async fn outcome(store: &Store, fence: &Fence, began: Timestamp, answered: bool) {
    let outcome = ListOutcome { began, at: began, answered, text: "nul\0".into() };
    store.record_list_outcome(fence, &outcome).await.unwrap();
}

#[tokio::test]
async fn a_request_is_open_until_a_later_fetch_has_answered() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "communicator/resource-list").await;
    assert_eq!(store.resource_list_asked().await.unwrap(), None);
    store.ask_for_resource_list().await.unwrap();
    let asked = store.resource_list_asked().await.unwrap().unwrap();
    outcome(store, &fence, asked - Duration::from_secs(1), true).await;
    assert_eq!(store.resource_list_asked().await.unwrap(), Some(asked), "that fetch was under way already");
    outcome(store, &fence, asked + Duration::from_secs(1), false).await;
    assert_eq!(store.resource_list_asked().await.unwrap(), Some(asked), "it failed");
    assert_eq!(store.list_outcome().await.unwrap().unwrap().text, "nul ");
    let last_run = store.last_run(SCHEDULE).await.unwrap();
    assert_eq!(last_run, Some(asked - Duration::from_secs(1)), "what failed is no run of the schedule");
    outcome(store, &fence, asked, true).await;
    assert_eq!(store.resource_list_asked().await.unwrap(), None);
    assert_eq!(store.last_run(SCHEDULE).await.unwrap(), Some(asked));
    store.ask_for_resource_list().await.unwrap();
    assert!(store.resource_list_asked().await.unwrap().unwrap() > asked);
}

#[tokio::test]
async fn what_nobody_can_read_is_no_answer() {
    let database = database().await;
    let store = &database.store;
    store.ask_for_resource_list().await.unwrap();
    for text in ["", "{}", r#"{"began":"yesterday","at":"x","answered":true,"text":""}"#] {
        sql(
            store,
            &format!(
                "insert into store_state (name, value) values ('{OUTCOME}', '{text}') \
             on conflict (name) do update set value = excluded.value"
            ),
        )
        .await;
        assert_eq!(store.list_outcome().await.unwrap(), None);
        assert!(store.resource_list_asked().await.unwrap().is_some());
    }
    sql(store, &format!("update store_state set value = 'soon' where name = '{ASKED_AT}'")).await;
    assert_eq!(store.resource_list_asked().await.unwrap(), None);
}

#[tokio::test]
async fn whoever_lost_the_lease_records_nothing() {
    let database = database().await;
    let store = &database.store;
    let old = fence(store, "communicator/resource-list").await;
    fence(store, "communicator/resource-list").await;
    let outcome = ListOutcome {
        began: Timestamp::UNIX_EPOCH,
        at: Timestamp::UNIX_EPOCH,
        answered: true,
        text: String::new(),
    };
    let refused = store.record_list_outcome(&old, &outcome).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(store.list_outcome().await.unwrap(), None);
    assert_eq!(store.last_run(SCHEDULE).await.unwrap(), None);
}
