//! Goal: what an owner writes down about its stream is seen while it owns the group, and by nobody else; whoever lost the
//! group writes nothing. Method: a real database a test.

use calendar::MailAddress;

use crate::outbox::testing::{fence, number, resource, sql};
use crate::testing::database;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn state(open: bool, since: i64, event: StreamEvent, code: Option<&str>) -> StreamState {
    StreamState {
        open,
        since: at(since),
        happening: event.as_str().to_owned(),
        code: code.map(str::to_owned),
        happened_at: at(since + 5),
    }
}

/// A group with one member; its number.
async fn group(store: &Store) -> GroupId {
    resource(store, "a@x.dk").await;
    sql(
        store,
        "insert into subscription (endpoint, grouping_value, ordinal) values ('https://ex', 'g', 1); \
         insert into planner_resource_subscription (mail, subscription_id) select 'a@x.dk', id from subscription",
    )
    .await;
    GroupId::new(number(store, "select id from subscription").await)
}

#[tokio::test]
async fn what_the_owner_writes_is_seen_while_it_owns_the_group() {
    let database = database().await;
    let store = &database.store;
    let group = group(store).await;
    let mail = MailAddress::parse("a@x.dk").unwrap();
    let seen = async || {
        let work = store.work().await.unwrap();
        let facts = store.mailbox_facts(&mail).await.unwrap().unwrap();
        assert_eq!(work.groups[0].stream, facts.stream);
        facts.stream
    };
    assert_eq!(seen().await, None);
    let fence = fence(store, &crate::shares::group_lease(group)).await;
    for state in [
        state(false, 0, StreamEvent::Begun, None),
        state(true, 10, StreamEvent::Opened, None),
        state(false, 20, StreamEvent::Failed, Some("ErrorAccessDenied")),
    ] {
        assert!(store.record_stream(&fence, group, &state).await.unwrap());
        assert_eq!(seen().await, Some(state));
    }
    // somebody else has the group now
    sql(store, "update lease set token = token + 1, owner = 'another'").await;
    assert_eq!(seen().await, None, "what a former owner wrote tells nothing");
    assert!(!store.record_stream(&fence, group, &state(true, 30, StreamEvent::Opened, None)).await.unwrap());
    assert_eq!(seen().await, None);
    // a long code of somebody else's does not fail it
    let fence = Fence { token: fence.token + 1, owner: "another".into(), ..fence };
    let long = "x".repeat(5_000);
    assert!(
        store.record_stream(&fence, group, &state(false, 40, StreamEvent::Away, Some(&long))).await.unwrap()
    );
    assert_eq!(seen().await.unwrap().code.unwrap().len(), CODE_MAX);
    // nobody holds it
    sql(store, "update lease set owner = ''").await;
    assert_eq!(seen().await, None);
}

#[tokio::test]
async fn a_group_that_was_dissolved_takes_it_along() {
    let database = database().await;
    let store = &database.store;
    let group = group(store).await;
    let fence = fence(store, &crate::shares::group_lease(group)).await;
    let open = state(true, 0, StreamEvent::Opened, None);
    assert!(store.record_stream(&fence, group, &open).await.unwrap());
    sql(store, "delete from planner_resource_subscription; delete from subscription").await;
    assert_eq!(number(store, "select count(*) from group_stream").await, 0);
    assert!(!store.record_stream(&fence, group, &open).await.unwrap(), "it is no error that it is gone");
}

#[test]
fn names_are_known_again() {
    for event in StreamEvent::ALL {
        assert_eq!(StreamEvent::named(event.as_str()), Some(event));
    }
    assert_eq!(StreamEvent::named("danced"), None);
}
