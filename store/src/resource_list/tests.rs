//! Goal: what a plan says is applied wholly and once, a blacklisted row is never touched, and a revived
//! mailbox starts as a new one. Method: a real database a test.

use super::*;
use crate::outbox::testing::{fence, number, resource, sql};
use crate::testing::database;

fn listed(mail: &str) -> ListedResource {
    ListedResource {
        mail: MailAddress::parse(mail).unwrap(),
        name: format!("Name of {mail}\0"),
        rid: "7".into(),
        planner_resource_id: Some(Uuid::from_u128(1)),
        description: None,
        working_hours: vec![WorkingHours {
            weekday: 1,
            start: Time::constant(8, 0, 0, 0),
            end: Time::constant(16, 30, 0, 0),
        }],
        is_case_worker: true,
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

/// An outcome of a fetch that began so many seconds after the epoch.
fn outcome(second: i64) -> requests::ListOutcome {
    let began = Timestamp::from_second(second).unwrap();
    requests::ListOutcome { began, at: began, answered: true, text: "fine".into() }
}

async fn refresh(store: &Store, changes: ListChanges) -> KnownList {
    let fence = fence(store, "communicator/resource-list").await;
    let refreshed =
        store.refresh_resources(&fence, now(), |known| (changes, known.clone()), |_| outcome(1)).await;
    refreshed.unwrap().summary
}

#[tokio::test]
async fn a_refresh_adds_updates_revives_and_drops() {
    let database = database().await;
    let store = &database.store;
    for mail in ["kept@x", "back@x", "gone@x"] {
        resource(store, mail).await;
    }
    sql(store, "update planner_resource set deleted_date = now(), deleted_reason = 'P-NotInPlanner', error_code = 'E' where mail = 'back@x'").await;
    sql(store, "insert into planner_resource_whitelist (mail, added_by) values (' New@x', 'me')").await;
    let changes = ListChanges {
        added: vec![(listed("new@x"), None), (listed("other@x"), Some("P-NonWhitelist"))],
        kept: vec![listed("kept@x")],
        revived: vec![listed("back@x")],
        dropped: vec![(MailAddress::parse("gone@x").unwrap(), "P-NotInPlanner")],
        ..ListChanges::default()
    };
    let before = refresh(store, changes).await;
    assert_eq!(before.resources.len(), 3);
    assert_eq!(before.whitelist.iter().map(MailAddress::as_str).collect::<Vec<_>>(), ["new@x"]);
    let count = |condition: &'static str| async move {
        number(store, &format!("select count(*) from planner_resource where {condition}")).await
    };
    assert_eq!(count("mail = 'new@x' and adopt_due_at <= now() and adopted_at is null and deleted_date is null \
                      and name = 'Name of new@x' and working_hours -> 0 ->> 'end' = '16:30:00' and bucket between 0 and 63").await, 1);
    assert_eq!(
        count("mail = 'other@x' and deleted_reason = 'P-NonWhitelist' and adopt_due_at is null").await,
        1
    );
    assert_eq!(count("mail = 'kept@x' and rid = '7' and adopted_at is not null").await, 1);
    assert_eq!(
        count(
            "mail = 'back@x' and deleted_date is null and deleted_reason is null and adopted_at is null \
                      and full_read_began_at is null and full_read_whole is null and adopt_due_at <= now() \
                      and error_code is null"
        )
        .await,
        1
    );
    assert_eq!(
        count("mail = 'gone@x' and deleted_date is not null and deleted_reason = 'P-NotInPlanner'").await,
        1
    );
    assert!(store.has_resource_list().await.unwrap());
    assert_eq!(state::get(store, FETCHED_AT).await.unwrap(), Some(now().to_string()));
    // a second time: nothing new happens to any of them
    sql(store, "update planner_resource set updated_at = 'epoch'").await;
    refresh(store, ListChanges { kept: vec![listed("kept@x"), listed("new@x")], ..ListChanges::default() })
        .await;
    assert_eq!(count("updated_at > 'epoch'").await, 0, "unchanged details are not written");
}

#[tokio::test]
async fn a_blacklisted_row_is_not_touched_whatever_the_plan_says() {
    let database = database().await;
    let store = &database.store;
    resource(store, "black@x").await;
    resource(store, "blocked@x").await;
    sql(
        store,
        "update planner_resource set deleted_date = 'epoch', deleted_reason = 'blocked by hand' where mail = 'blocked@x'; \
         insert into planner_resource_blacklist (mail, reason, added_by) \
         values ('Black@x', 'r', 'me'), ('blocked@x', 'r', 'me'), ('never@x', 'r', 'me')",
    )
    .await;
    let changes = ListChanges {
        added: vec![(listed("never@x"), None)],
        kept: vec![listed("black@x")],
        revived: vec![listed("blocked@x")],
        dropped: vec![(MailAddress::parse("black@x").unwrap(), "P-NotInPlanner")],
        ..ListChanges::default()
    };
    let known = refresh(store, changes).await;
    assert_eq!(known.blacklist.len(), 3);
    assert_eq!(number(store, "select count(*) from planner_resource where mail = 'never@x'").await, 0);
    assert_eq!(number(store, "select count(*) from planner_resource where mail = 'black@x' and deleted_date is null and rid = 'black@x'").await, 1);
    assert_eq!(
        number(store, "select count(*) from planner_resource where deleted_reason = 'blocked by hand'").await,
        1
    );
}

#[tokio::test]
async fn a_whitelist_of_nonsense_does_not_become_everyone() {
    let database = database().await;
    let store = &database.store;
    sql(store, "insert into planner_resource_whitelist (mail, added_by) values ('nobody', 'me')").await;
    let fence = fence(store, "communicator/resource-list").await;
    let refused =
        store.refresh_resources(&fence, now(), |_| (ListChanges::default(), ()), |()| outcome(1)).await;
    assert!(matches!(refused, Err(StoreError::Content { .. })), "{refused:?}");
}

#[tokio::test]
async fn whoever_lost_the_lease_changes_no_list() {
    let database = database().await;
    let store = &database.store;
    let old = fence(store, "communicator/resource-list").await;
    fence(store, "communicator/resource-list").await;
    let changes = ListChanges { added: vec![(listed("new@x"), None)], ..ListChanges::default() };
    let refused = store.refresh_resources(&old, now(), |_| (changes, ()), |()| outcome(1)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert!(!store.has_resource_list().await.unwrap());
}

#[tokio::test]
async fn the_reason_of_who_is_not_used_follows_the_list_but_an_operators_words_stay() {
    let database = database().await;
    let store = &database.store;
    for mail in ["gone@x", "excluded@x", "blocked@x"] {
        resource(store, mail).await;
    }
    sql(
        store,
        "update planner_resource set deleted_date = 'epoch', deleted_reason = case mail \
        when 'gone@x' then 'P-NotInPlanner' when 'excluded@x' then 'P-NonWhitelist' else 'on leave' end",
    )
    .await;
    let changes = ListChanges {
        relabelled: [
            ("gone@x", NON_WHITELIST),
            ("excluded@x", NOT_IN_PLANNER),
            ("blocked@x", NOT_IN_PLANNER),
        ]
        .map(|(mail, reason)| (MailAddress::parse(mail).unwrap(), reason))
        .into(),
        ..ListChanges::default()
    };
    refresh(store, changes).await;
    let rows = store.resource_rows().await.unwrap();
    let reasons: Vec<_> = rows.iter().map(|row| row.deleted_reason.as_deref().unwrap()).collect();
    assert_eq!(reasons, ["on leave", "P-NotInPlanner", "P-NonWhitelist"]);
    assert!(rows.iter().all(|row| row.deleted_date == Some(Timestamp::UNIX_EPOCH)));
}

#[tokio::test]
async fn ten_thousand_resources_are_a_handful_of_statements() {
    let database = database().await;
    let store = &database.store;
    let all: Vec<ListedResource> = (0..10_000).map(|n| listed(&format!("m{n:05}@x"))).collect();
    let clock = base::SystemClock::shared();
    let began = clock.monotonic();
    let added = all.iter().map(|resource| (resource.clone(), None)).collect();
    refresh(store, ListChanges { added, ..ListChanges::default() }).await;
    let first = clock.monotonic() - began;
    assert_eq!(
        number(store, "select count(*) from planner_resource where deleted_date is null").await,
        10_000
    );
    let dropped = all[..5_000].iter().map(|resource| (resource.mail.clone(), NOT_IN_PLANNER)).collect();
    let known =
        refresh(store, ListChanges { kept: all[5_000..].to_vec(), dropped, ..ListChanges::default() }).await;
    println!("10,000 new: {first:?}; 5,000 kept and 5,000 dropped: {:?}", clock.monotonic() - began - first);
    assert_eq!(known.resources.len(), 10_000);
    assert_eq!(
        number(store, "select count(*) from planner_resource where deleted_date is null").await,
        5_000
    );
    // row by row this would be tens of thousands of round trips; the bound only tells these apart
    assert!(clock.monotonic() - began < std::time::Duration::from_secs(60));
}
