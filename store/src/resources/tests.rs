//! Goal: the state of a mailbox is written and read as it is, a failure counts, a success clears. Method: a
//! real database a test.

use super::*;
use crate::testing::{TestDatabase, database};

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
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
    let store = &database.store;
    let failure = |code: &str, description: String| ResourceFailure {
        code: code.into(),
        description,
        at: at(0),
        retry_at: Some(at(60)),
    };
    store.failed(&[(mail(1), failure("ErrorAccessDenied", "no".into()))]).await.unwrap();
    store
        .failed(&[(mail(1), failure("ErrorFolderNotFound", format!("nul\0 {}", "x".repeat(5_000))))])
        .await
        .unwrap();
    let error = ResourceError { code: "ErrorFolderNotFound".into(), count: 2, retry_at: Some(at(60)) };
    assert_eq!(
        store.active_resources().await.unwrap(),
        vec![
            ActiveResource { mail: mail(1), location: None, error: Some(error) },
            ActiveResource { mail: mail(2), location: None, error: None },
        ]
    );
    let client = store.client("test").await.unwrap();
    let description: String = client
        .query_one("select error_description from planner_resource where error_code is not null", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!((description.chars().count(), &description[..5]), (DESCRIPTION_MAX, "nul x"));

    store.listened_to(&[mail(1)], at(90)).await.unwrap();
    let row = client
        .query_one(
            "select last_success, error_code, error_date, error_count, retry_at from planner_resource \
             where mail = 'm0001@sim.test'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, Timestamp>(0), at(90));
    assert_eq!(row.get::<_, Option<String>>(1), None);
    assert_eq!(row.get::<_, Option<Timestamp>>(2), None);
    assert_eq!((row.get::<_, i32>(3), row.get::<_, Option<Timestamp>>(4)), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_is_kept_until_it_is_forgotten() {
    let database = database().await;
    add(&database, 1, false).await;
    let store = &database.store;
    let here = Location { endpoint: "https://mail/EWS".into(), grouping: "A".into() };
    store.located(&[(mail(1), here.clone()), (mail(9), here.clone())], at(0)).await.unwrap();
    assert_eq!(
        store.active_resources().await.unwrap(),
        vec![ActiveResource { mail: mail(1), location: Some(here), error: None }]
    );
    store.forget_location(&mail(1)).await.unwrap();
    assert_eq!(store.active_resources().await.unwrap()[0].location, None);
}
