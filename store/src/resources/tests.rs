//! Goal: the state of a mailbox is written and read as it is, a failure counts, a success clears. Method: a
//! real database a test.

use super::*;
use crate::lease::LeaseBook;
use crate::testing::{TestDatabase, database};
use base::SystemClock;
use jiff::Timestamp;

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

async fn fence(database: &TestDatabase) -> Fence {
    let life = Duration::from_secs(60);
    let book = LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), life);
    book.acquire("listener", life).await.unwrap().fence()
}

async fn add(database: &TestDatabase, n: u32, deleted: bool) {
    let client = database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker, deleted_date) \
             values ($1, $2, 'name', 'rid', true, case when $3 then now() end)",
            &[&mail(n).as_str(), &i16::from(mail(n).bucket()), &deleted],
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_exists_once_it_was_fetched_even_if_it_named_nobody_in_use() {
    let database = database().await;
    assert!(!database.store.has_resource_list().await.unwrap());
    add(&database, 1, true).await;
    assert!(database.store.has_resource_list().await.unwrap());
    assert_eq!(database.store.active_resources().await.unwrap(), vec![]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_count_and_success_clears() {
    let database = database().await;
    for n in 1..=3 {
        add(&database, n, n == 3).await;
    }
    let (store, fence) = (&database.store, fence(&database).await);
    let failure = |code: &str, description: String| ResourceFailure {
        code: code.into(),
        description,
        retry_after: Some(Duration::from_secs(60)),
    };
    store.failed(&fence, &[(mail(1), failure("ErrorAccessDenied", "no".into()))]).await.unwrap();
    store
        .failed(&fence, &[(mail(1), failure("ErrorFolderNotFound", format!("nul\0 {}", "x".repeat(5_000))))])
        .await
        .unwrap();
    let mut resources = store.active_resources().await.unwrap();
    let error = resources[0].error.as_mut().expect("it failed");
    let retry_in = error.retry_in.take().expect("it waits");
    assert!((Duration::from_secs(50)..=Duration::from_secs(60)).contains(&retry_in), "{retry_in:?}");
    let error = ResourceError { code: "ErrorFolderNotFound".into(), count: 2, retry_in: None };
    assert_eq!(
        resources,
        vec![
            ActiveResource { mail: mail(1), location: None, location_doubted: false, error: Some(error) },
            ActiveResource { mail: mail(2), location: None, location_doubted: false, error: None },
        ]
    );
    let old = Fence { token: fence.token - 1, ..fence.clone() };
    let refused = store.failed(&old, &[(mail(1), failure("Late", String::new()))]).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert!(matches!(store.listened_to(&old, &[mail(1)]).await, Err(StoreError::LeaseLost { .. })));
    assert!(matches!(store.doubt_location(&old, &mail(1)).await, Err(StoreError::LeaseLost { .. })));
    let client = store.client("test").await.unwrap();
    let description: String = client
        .query_one("select error_description from planner_resource where error_code is not null", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!((description.chars().count(), &description[..5]), (DESCRIPTION_MAX, "nul x"));

    store.listened_to(&fence, &[mail(1)]).await.unwrap();
    let row = client
        .query_one(
            "select last_success, error_code, error_date, error_count, retry_at from planner_resource \
             where mail = 'm0001@sim.test'",
            &[],
        )
        .await
        .unwrap();
    assert!(row.get::<_, Option<Timestamp>>(0).is_some());
    assert_eq!(row.get::<_, Option<String>>(1), None);
    assert_eq!(row.get::<_, Option<Timestamp>>(2), None);
    assert_eq!((row.get::<_, i32>(3), row.get::<_, Option<Timestamp>>(4)), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubted_location_holds_until_another_is_known_and_the_group_is_doubted_with_it() {
    let database = database().await;
    for n in 1..=3 {
        add(&database, n, false).await;
    }
    let (store, fence) = (&database.store, fence(&database).await);
    let here = |grouping: &str| Location { endpoint: "https://mail/EWS".into(), grouping: grouping.into() };
    let all = [(mail(1), here("A")), (mail(2), here("A")), (mail(3), here("A")), (mail(9), here("A"))];
    store.located(&fence, &all).await.unwrap();
    let client = store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into subscription (endpoint, grouping_value, ordinal) values ('https://mail/EWS', 'A', 1); \
             insert into planner_resource_subscription (mail, subscription_id) \
             select mail, s.id from planner_resource, subscription s where mail <> 'm0003@sim.test'",
        )
        .await
        .unwrap();
    let state = async || {
        let rows = store.active_resources().await.unwrap();
        let of = |row: ActiveResource| {
            (row.location.unwrap().grouping, row.location_doubted, row.error.map(|error| error.code))
        };
        rows.into_iter().map(of).collect::<Vec<_>>()
    };
    let row = |grouping: &str, doubted, error: Option<&str>| {
        (grouping.to_owned(), doubted, error.map(str::to_owned))
    };
    let failure = ResourceFailure {
        code: "ErrorProxyRequestNotAllowed".into(),
        description: "served elsewhere".into(),
        retry_after: Some(Duration::from_secs(60)),
    };
    let both = [(mail(1), failure.clone()), (mail(2), failure)];
    store.failed(&fence, &both).await.unwrap();
    store.doubt_location(&fence, &mail(2)).await.unwrap();
    let code = Some("ErrorProxyRequestNotAllowed");
    assert_eq!(state().await, [row("A", true, code), row("A", true, code), row("A", false, None)]);
    // one is found elsewhere and has no error any more, the other is where it was and keeps it
    store.located(&fence, &[(mail(1), here("B")), (mail(2), here("A"))]).await.unwrap();
    assert_eq!(state().await, [row("B", false, None), row("A", false, code), row("A", false, None)]);
    // nobody knows: what is stored holds
    store.doubt_location(&fence, &mail(3)).await.unwrap();
    assert_eq!(state().await[2], row("A", true, None));
    store.keep_locations(&fence, &[mail(3)]).await.unwrap();
    assert_eq!(state().await[2], row("A", false, None));
}
