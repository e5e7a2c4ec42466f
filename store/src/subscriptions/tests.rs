//! Goal: memberships change as planned in one transaction, by the holder of the duty alone, and a mailbox
//! that leaves is read in full when it comes back. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;
use calendar::ids::SyncState;

use super::*;
use crate::lease::{Lease, LeaseBook};
use crate::testing::{TestDatabase, database};

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn here(grouping: &str) -> Location {
    Location { endpoint: "https://mail/EWS".into(), grouping: grouping.into() }
}

async fn with_resources(count: u32) -> (TestDatabase, Lease) {
    let database = database().await;
    let client = database.store.client("test").await.unwrap();
    for n in 1..=count {
        client
            .execute(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker) values ($1, 0, '', '', true)",
                &[&mail(n).as_str()],
            )
            .await
            .unwrap();
    }
    let book =
        LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60));
    let lease = book.acquire("listener", Duration::ZERO).await.unwrap();
    (database, lease)
}

fn new(location: Location, members: Vec<MailAddress>) -> NewGroup {
    NewGroup { location, account: AccountId::DEFAULT, members }
}

fn members(group: &StoredGroup) -> Vec<String> {
    group.members.iter().map(|member| member.mail.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_form_grow_shrink_and_dissolve() {
    let (database, lease) = with_resources(5).await;
    let store = &database.store;
    let formed = Regrouping {
        formed: vec![
            new(here("A"), vec![mail(1), mail(2), mail(99)]),
            new(here("A"), vec![mail(3)]),
            new(here("B"), vec![mail(4)]),
        ],
        ..Regrouping::default()
    };
    store.regroup(&lease.fence(), &formed, 3).await.unwrap();
    let groups = store.affinity_groups().await.unwrap();
    assert_eq!(groups.len(), 3);
    assert_eq!(members(&groups[0]), ["m0001@sim.test", "m0002@sim.test"], "99 is no resource");
    let (a1, a2, b) = (groups[0].id, groups[1].id, groups[2].id);

    store
        .append_with_sync_state(&lease.fence(), &mail(1), &SyncState::new("s1"), &[], Some(at(0)), at(0))
        .await
        .unwrap();
    store
        .append_with_sync_state(&lease.fence(), &mail(3), &SyncState::new("s3"), &[], Some(at(0)), at(0))
        .await
        .unwrap();
    let changed = Regrouping {
        leaving: vec![mail(1)],
        dissolved: vec![a2],
        joining: vec![(a1, mail(3)), (b, mail(5))],
        formed: vec![],
    };
    store.regroup(&lease.fence(), &changed, 3).await.unwrap();
    let groups = store.affinity_groups().await.unwrap();
    assert_eq!(groups.iter().map(|group| group.id).collect::<Vec<_>>(), [a1, b]);
    assert_eq!(members(&groups[0]), ["m0002@sim.test", "m0003@sim.test"]);
    assert_eq!(members(&groups[1]), ["m0004@sim.test", "m0005@sim.test"]);
    assert_eq!(store.sync_state(&mail(1)).await.unwrap(), None, "left: starts over when it returns");
    assert_eq!(store.sync_state(&mail(3)).await.unwrap(), Some(SyncState::new("s3")), "moved: goes on");
    assert_eq!(store.affinity_group(a2).await.unwrap(), None);
    assert_eq!(store.affinity_group(b).await.unwrap().as_ref(), Some(&groups[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_holder_of_the_duty_regroups() {
    let (database, lease) = with_resources(1).await;
    let stale = Fence { token: lease.fence().token - 1, ..lease.fence() };
    let plan = Regrouping { formed: vec![new(here("A"), vec![mail(1)])], ..Regrouping::default() };
    let refused = database.store.regroup(&stale, &plan, 3).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(database.store.affinity_groups().await.unwrap(), vec![]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_is_recorded_for_a_member_of_the_group_only() {
    let (database, lease) = with_resources(2).await;
    let store = &database.store;
    let plan = Regrouping {
        formed: vec![new(here("A"), vec![mail(1)]), new(here("B"), vec![mail(2)])],
        ..Regrouping::default()
    };
    store.regroup(&lease.fence(), &plan, 3).await.unwrap();
    let a = store.affinity_groups().await.unwrap()[0].id;
    let id = SubscriptionId::new("sub-1");
    let both = [(mail(1), Some(id.clone())), (mail(2), Some(id.clone()))];
    store.record_subscriptions(&lease.fence(), a, &both, at(0)).await.unwrap();
    let subscriptions = |groups: Vec<StoredGroup>| {
        groups.iter().map(|group| group.members[0].subscription.clone()).collect::<Vec<_>>()
    };
    assert_eq!(subscriptions(store.affinity_groups().await.unwrap()), [Some(id), None]);
    store.record_subscriptions(&lease.fence(), a, &[(mail(1), None)], at(1)).await.unwrap();
    assert_eq!(subscriptions(store.affinity_groups().await.unwrap()), [None, None]);
}

/// Regression: a rediscovery was done without the mailbox having been tried: whoever listens never heard of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_failed_is_to_be_tried_from_when_somebody_asks_until_it_was() {
    use crate::operations::{OperationKind, Scope};
    use crate::resources::ResourceFailure;

    let (database, lease) = with_resources(2).await;
    let (store, fence) = (&database.store, lease.fence());
    store.located(&fence, &[(mail(1), here("A")), (mail(2), here("A"))]).await.unwrap();
    let plan = Regrouping { formed: vec![new(here("A"), vec![mail(1), mail(2)])], ..Regrouping::default() };
    store.regroup(&fence, &plan, 3).await.unwrap();
    let to_be_tried = async || {
        let group = store.affinity_groups().await.unwrap().remove(0);
        group.members.iter().map(|member| member.try_now).collect::<Vec<_>>()
    };
    let refused = || ResourceFailure {
        code: "ErrorAccessDenied".to_owned(),
        description: "no".to_owned(),
        retry_after: Some(Duration::from_secs(3_600)),
    };
    store.failed(&fence, &[(mail(2), refused())]).await.unwrap();
    assert_eq!(to_be_tried().await, [false, false], "its own pause is respected");

    let operation = store.record_operation(OperationKind::Rediscovery, &Scope::All, "kim").await.unwrap();
    store.ask_for_rediscovery(&Scope::All).await.unwrap();
    assert_eq!(to_be_tried().await, [false, true]);
    let done = async || store.operation_progress(&operation).await.unwrap().done;
    // both are where they were
    store.located(&fence, &[(mail(1), here("A")), (mail(2), here("A"))]).await.unwrap();
    assert_eq!((to_be_tried().await, done().await), (vec![false, true], 1), "it was not tried yet");
    store.failed(&fence, &[(mail(2), refused())]).await.unwrap();
    assert_eq!((to_be_tried().await, done().await), (vec![false, false], 2), "tried in vain");
    store.ask_for_rediscovery(&Scope::One(mail(2))).await.unwrap();
    assert_eq!(to_be_tried().await, [false, true]);
    store.listened_to(&fence, &[mail(2)]).await.unwrap();
    assert_eq!(to_be_tried().await, [false, false]);
}

async fn account(database: &TestDatabase, name: &str) -> AccountId {
    let client = database.store.client("test").await.unwrap();
    let insert = "insert into service_user_credential (user_name) values ($1) returning id";
    AccountId::new(client.query_one(insert, &[&name]).await.unwrap().get(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_account_is_ever_given_more_groups_than_allowed() {
    let (database, lease) = with_resources(3).await;
    let one = account(&database, "one").await;
    let form = |n: u32| Regrouping {
        formed: vec![NewGroup { location: here(&n.to_string()), account: one, members: vec![mail(n)] }],
        ..Regrouping::default()
    };
    for n in 1..=2 {
        database.store.regroup(&lease.fence(), &form(n), 2).await.unwrap();
    }
    let groups = database.store.affinity_groups().await.unwrap();
    assert_eq!(groups.iter().map(|group| group.account).collect::<Vec<_>>(), [one, one]);
    let refused = database.store.regroup(&lease.fence(), &form(3), 2).await;
    assert!(matches!(refused, Err(StoreError::AccountOverfull { account }) if account == one.get()));
    assert_eq!(database.store.affinity_groups().await.unwrap(), groups, "nothing was changed");
    // one that ends in the same transaction makes room
    let swap = Regrouping { dissolved: vec![groups[0].id], leaving: vec![mail(1)], ..form(3) };
    database.store.regroup(&lease.fence(), &swap, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_was_removed_meanwhile_is_planned_for_anew() {
    let (database, lease) = with_resources(1).await;
    let gone = AccountId::new(77);
    let plan = Regrouping {
        formed: vec![NewGroup { location: here("A"), account: gone, members: vec![mail(1)] }],
        ..Regrouping::default()
    };
    let refused = database.store.regroup(&lease.fence(), &plan, 3).await.unwrap_err();
    assert!(matches!(refused, StoreError::AccountGone) && refused.disposition().is_retry(), "{refused:?}");
}

/// An operator removes an account between the plan and its storing: its groups are gone, which must not bring the
/// listener down.
#[tokio::test]
async fn a_group_that_ended_with_its_account_meanwhile_is_planned_for_anew() {
    let (database, lease) = with_resources(3).await;
    let store = &database.store;
    let formed = Regrouping { formed: vec![new(here("A"), vec![mail(1)])], ..Regrouping::default() };
    store.regroup(&lease.fence(), &formed, 3).await.unwrap();
    let there = store.affinity_groups().await.unwrap()[0].id;
    let ended = GroupId::new(there.get() + 1_000);
    let plan = Regrouping { joining: vec![(there, mail(2)), (ended, mail(3))], ..Regrouping::default() };
    let refused = store.regroup(&lease.fence(), &plan, 3).await.unwrap_err();
    assert!(refused.disposition().is_retry(), "{refused:?}");
    assert_eq!(members(&store.affinity_groups().await.unwrap()[0]), ["m0001@sim.test"], "all or nothing");
}
