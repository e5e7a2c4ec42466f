//! Goal: the schema comes up to date once, whoever begins and however many at once; an older version goes on beside
//! a newer one; what waits for a lock lets go. Method: real databases, empty and migrated.

use crate::testing;

use super::*;

fn names(known: &[Migration]) -> Vec<String> {
    known.iter().map(ToString::to_string).collect()
}

fn newer() -> Vec<Migration> {
    let mut all = known();
    all.push(testing::newer());
    all
}

#[tokio::test]
async fn two_that_migrate_an_empty_database_at_once_apply_each_migration_once() {
    let database = testing::empty_database().await;
    let other = Store::open(testing::options(database.url.clone())).unwrap();
    let mut all = known();
    all.sort_by_key(Migration::version);
    assert_eq!(missing(&database.store).await.unwrap(), names(&all));
    let (one, two) = tokio::join!(migrate(&database.store), migrate(&other));
    let mut applied = [one.unwrap(), two.unwrap()];
    applied.sort_by_key(Vec::len);
    assert_eq!(applied, [Vec::new(), names(&all)]);
    assert_eq!(missing(&other).await.unwrap(), Vec::<String>::new());
    other.close();
}

#[tokio::test]
async fn an_older_version_is_content_with_a_schema_that_a_newer_one_made() {
    let database = testing::database().await;
    assert_eq!(missing_of(&database.store, &newer()).await.unwrap(), ["V9001__of_a_newer_version"]);
    assert_eq!(
        migrate_to(&database.store, newer(), LOCK_PATIENCE).await.unwrap(),
        ["V9001__of_a_newer_version"]
    );
    // the older one has nothing to do and nothing to complain of
    assert_eq!(missing(&database.store).await.unwrap(), Vec::<String>::new());
    assert_eq!(migrate(&database.store).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_migration_that_was_left_out_is_told() {
    let database = testing::database().await;
    let client = database.store.client("test").await.unwrap();
    client.execute("delete from refinery_schema_history where version = 6", &[]).await.unwrap();
    drop(client);
    let error = migrate(&database.store).await.unwrap_err();
    assert!(!error.is_outage() && error.to_string().contains("V6__credentials"), "{error}");
}

#[tokio::test]
async fn a_migration_does_not_wait_long_behind_a_transaction_and_is_tried_again() {
    let database = testing::database().await;
    let mut client = database.store.client("test").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.execute("lock table calendar_event in access share mode", &[]).await.unwrap();
    let error = migrate_to(&database.store, newer(), LOCK_PATIENCE).await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
    // nothing of it is left, and nobody else waits behind it
    let other = database.store.client("test").await.unwrap();
    let there = "select count(*) from information_schema.columns where column_name = 'of_a_newer_version'";
    assert_eq!(other.query_one(there, &[]).await.unwrap().get::<_, i64>(0), 0);
    transaction.rollback().await.unwrap();
    assert_eq!(
        migrate_to(&database.store, newer(), LOCK_PATIENCE).await.unwrap(),
        ["V9001__of_a_newer_version"]
    );
}

/// Another process has begun to migrate and says nothing any more, as one that was stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migrator_that_is_stuck_is_named_and_does_not_hold_the_lock_for_ever() {
    let database = testing::empty_database().await;
    let silent = database.store.client("test").await.unwrap();
    let silence = Duration::from_millis(1_500);
    lock(&silent, Duration::from_secs(5), silence).await.unwrap();
    let error = migrate_to(&database.store, known(), Duration::from_millis(100)).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::MigratorBusy { .. }) && error.is_outage(), "{error:?}");
    assert!(text.contains("kommuneklient-test") && text.contains("pg_terminate_backend"), "{text}");
    // the server ends its session, and with it the lock
    let applied = migrate_to(&database.store, known(), Duration::from_secs(20)).await.unwrap();
    assert!(!applied.is_empty());
    assert!(silent.query("select 1", &[]).await.is_err(), "what wakes up then finds its session ended");
    // who migrated gave its connection back as it was
    let left = "select current_setting('idle_session_timeout') || ' ' || current_setting('lock_timeout')";
    for _ in 0..4 {
        let client = database.store.client("test").await.unwrap();
        assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, String>(0), "0 0");
    }
}
