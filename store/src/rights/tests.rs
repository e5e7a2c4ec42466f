//! Goal: the role of the service can do what the service does and nothing to the schema, whichever of role and schema was
//! first. Method: real roles of their own in the tests' cluster, which connect; PostgreSQL is the judge.

use secrecy::ExposeSecret;

use crate::migrations;
use crate::testing::{self, TestDatabase};

use super::*;

/// A role that may log on, and its pool.
async fn role(database: &TestDatabase) -> (String, Store) {
    let role = format!("r_{}", uuid::Uuid::new_v4().simple());
    run(&database.store, &format!("create role {role} login")).await.unwrap();
    let url = database.url.expose_secret().replace("user=kommuneklient", &format!("user={role}"));
    assert_ne!(url, database.url.expose_secret());
    (role, Store::open(testing::options(url.into())).unwrap())
}

async fn run(store: &Store, statement: &str) -> Result<(), String> {
    let client = store.client("test").await.unwrap();
    client.batch_execute(statement).await.map_err(|e| e.as_db_error().unwrap().code().code().to_owned())
}

async fn give(database: &TestDatabase, role: &str) {
    grant(&**database.store.client("test").await.unwrap(), role).await.unwrap();
}

async fn remove(database: &TestDatabase, role: &str, store: Store) {
    store.close();
    run(&database.store, &format!("drop owned by {role}; drop role {role}")).await.unwrap();
}

/// Every table and sequence of the schema but the history, as the catalogue has them.
async fn tables(database: &TestDatabase) -> Vec<String> {
    let client = database.store.client("test").await.unwrap();
    let sql = "select tablename::text from pg_tables where schemaname = 'public' and tablename not like 'refinery%'";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn the_role_of_the_service_works_with_rows_and_cannot_touch_the_schema() {
    let database = testing::database().await;
    let (role, service) = role(&database).await;
    give(&database, &role).await;
    assert_eq!(lacking(&service).await.unwrap(), None);
    assert_eq!(migrations::missing(&service).await.unwrap(), Vec::<String>::new());
    let tables = tables(&database).await;
    assert!(tables.len() > 20, "{tables:?}");
    for table in &tables {
        run(&service, &format!("select * from {table} limit 1; delete from {table} where false"))
            .await
            .unwrap();
        for refused in [
            "alter table {} add column mine text",
            "drop table {}",
            "truncate {}",
            "create index on {} ((1))",
        ] {
            let refused = refused.replace("{}", table);
            assert_eq!(run(&service, &refused).await, Err("42501".to_owned()), "{refused}");
        }
    }
    let row = "insert into planner_resource_whitelist (mail, added_by) values ('a@b.test', 'test')";
    run(&service, row).await.unwrap();
    run(&service, "select nextval('notification_claim')").await.unwrap();
    for refused in [
        "create table mine (id int)",
        "create function mine() returns int language sql as 'select 1'",
        "delete from refinery_schema_history",
        "update refinery_schema_history set checksum = ''",
        "create schema mine",
        "create role mine",
    ] {
        assert_eq!(run(&service, refused).await, Err("42501".to_owned()), "{refused}");
    }
    remove(&database, &role, service).await;
}

#[tokio::test]
async fn who_lacks_a_right_is_told_and_the_next_migration_gives_it() {
    let database = testing::database().await;
    let (role, service) = role(&database).await;
    let told = migrations::missing(&service).await.unwrap().remove(0);
    assert!(told.starts_with(&format!("rights of {role} on ")) && told.ends_with(" more"), "{told}");
    give(&database, &role).await;
    run(&database.store, "create table newer (id int)").await.unwrap();
    run(&database.store, &format!("revoke delete on calendar_event from {role}")).await.unwrap();
    let told = lacking(&service).await.unwrap();
    assert_eq!(told, Some(format!("rights of {role} on calendar_event, newer")));
    assert_eq!(migrations::missing(&service).await.unwrap(), [told.unwrap()]);
    give(&database, &role).await;
    assert_eq!(lacking(&service).await.unwrap(), None);
    remove(&database, &role, service).await;
}

#[tokio::test]
async fn without_the_role_nothing_happens_and_the_owner_lacks_nothing() {
    let database = testing::database().await;
    give(&database, "nobody_has_this_name").await;
    assert_eq!(lacking(&database.store).await.unwrap(), None);
    assert!(!exists(&database.store, "nobody_has_this_name").await.unwrap());
    assert!(exists(&database.store, "kommuneklient").await.unwrap());
}
