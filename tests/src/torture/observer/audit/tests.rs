//! Goal: the audit sees which lease a transaction holds, whatever else happens to the lease row meanwhile, and sees
//! writes that hold none. Method: connections that write as an instance would, on a real database.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use store::testing::TestDatabase;
use store::{Store, StoreOptions};

use super::*;
use crate::torture::invariants::fence;

/// Connections with the name of process `pid`.
fn writer(url: &SecretString, pid: u32) -> Store {
    Store::open(StoreOptions {
        url: url.expose_secret().into(),
        pool_size: 4,
        patience: Duration::from_secs(10),
        tls: trust::ClientTls { roots: trust::Roots::Nobody }.client_config().unwrap(),
        application_name: format!("kommuneklient/{pid}"),
        idle_in_transaction: Duration::from_secs(30),
    })
    .unwrap()
}

async fn audited() -> TestDatabase {
    with_lease("qualifier/0").await
}

/// A database with an audit and a lease of process 7.
async fn with_lease(key: &str) -> TestDatabase {
    trust::install_provider();
    let database = store::testing::database().await;
    install(&database.store).await.unwrap();
    let client = database.store.client("take a lease").await.unwrap();
    client
        .execute(
            "insert into lease (key, owner, token, expires_at) \
             values ($1, 'host/7/x', 4, now() + interval '1 hour')",
            &[&key],
        )
        .await
        .unwrap();
    database
}

const GUARD: &str = "select 1 from lease where key = 'qualifier/0' for key share";
const DECISION: &str = "insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at) \
     values ('m', gen_random_uuid()::text, 1, true, now(), now() + interval '1 hour')";

/// Writes a decision as process `pid`, with or without a fence.
async fn decide(database: &TestDatabase, pid: u32, guarded: bool) {
    let store = writer(&database.url, pid);
    let mut client = store.client("write").await.unwrap();
    let tx = client.transaction().await.unwrap();
    if guarded {
        tx.execute(GUARD, &[]).await.unwrap();
    }
    tx.execute(DECISION, &[]).await.unwrap();
    tx.execute(DECISION, &[]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_guarded_write_of_the_owner_is_good_and_noted_once_a_transaction() {
    let database = audited().await;
    decide(&database, 7, true).await;
    decide(&database, 7, true).await;
    let audited = read(&database.store).await.unwrap();
    assert_eq!(audited.trouble, [""; 0]);
    assert_eq!(audited.writes.len(), 2);
    let held = Held { key: "qualifier/0".into(), owner: "host/7/x".into(), token: 4 };
    assert!(audited.writes.iter().all(|write| write.lease.as_ref() == Some(&held)), "{:?}", audited.writes);
    assert_eq!(fence::check(&audited.writes), []);
}

#[tokio::test]
async fn a_write_without_a_fence_and_one_of_an_old_owner_are_caught() {
    let database = audited().await;
    decide(&database, 7, false).await;
    decide(&database, 8, true).await;
    let audited = read(&database.store).await.unwrap();
    let found = fence::check(&audited.writes);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].words.contains("without holding any lease"), "{found:?}");
    assert!(found[1].words.contains("which host/7/x owns"), "{found:?}");
}

#[tokio::test]
async fn the_fence_is_seen_while_others_hold_it_too_and_while_it_is_renewed() {
    let database = audited().await;
    let others = writer(&database.url, 7);
    let mut other = others.client("hold").await.unwrap();
    let holding = other.transaction().await.unwrap();
    holding.execute(GUARD, &[]).await.unwrap();
    let store = writer(&database.url, 7);
    let mut client = store.client("write").await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.execute(GUARD, &[]).await.unwrap();
    // a renewal passes, before and after the write
    let renew = "update lease set expires_at = expires_at + interval '1 second'";
    database.store.client("renew").await.unwrap().execute(renew, &[]).await.unwrap();
    tx.execute(DECISION, &[]).await.unwrap();
    database.store.client("renew").await.unwrap().execute(renew, &[]).await.unwrap();
    tx.execute("delete from key_in_flight", &[]).await.unwrap();
    tx.execute("insert into sync_state values ('m', 's', now(), now())", &[]).await.unwrap();
    tx.commit().await.unwrap();
    holding.rollback().await.unwrap();
    let audited = read(&database.store).await.unwrap();
    let told: Vec<&str> = audited.writes.iter().map(|write| write.what.as_str()).collect();
    assert_eq!(told, ["decision", "sync state"], "nothing was deleted, so nothing is told of it");
    let found = fence::check(&audited.writes);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].words.starts_with("sync state written by kommuneklient/7 under qualifier/0"),
        "{found:?}"
    );
}

#[tokio::test]
async fn changes_of_owner_are_told_and_renewals_are_not_and_permits_find_their_process() {
    let database = with_lease("communicator/comparison").await;
    let guard = GUARD.replace("qualifier/0", "communicator/comparison");
    let client = database.store.client("take over").await.unwrap();
    client.execute("update lease set expires_at = now()", &[]).await.unwrap();
    client.execute("update lease set owner = 'host/8/y', token = token + 1", &[]).await.unwrap();
    let store = writer(&database.url, 8);
    let mut client = store.client("call").await.unwrap();
    for token in [5_i64, 4] {
        let tx = client.transaction().await.unwrap();
        tx.execute(&guard, &[]).await.unwrap();
        tx.execute(
            "insert into service_call_reference_log \
                 (call_id, operation, items, started_at, deadline, lease_key, lease_token) \
             values (gen_random_uuid(), 'GetEvents', 1, now(), now(), 'communicator/comparison', $1)",
            &[&token],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
    let audited = read(&database.store).await.unwrap();
    let owners: Vec<(&str, i64)> =
        audited.changes.iter().map(|change| (change.owner.as_str(), change.token)).collect();
    assert_eq!(owners, [("host/7/x", 4), ("host/8/y", 5)]);
    let mut pids: Vec<Option<u32>> = audited.permits.values().map(|permit| permit.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, [Some(7), Some(8)]);
    let found = fence::check(&audited.writes);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].words.contains("under token 4 of communicator/comparison, whose token is 5"),
        "{found:?}"
    );
}

/// Operators' commands write without leases, by their own names.
#[tokio::test]
async fn operators_are_not_judged() {
    let database = audited().await;
    let client = database.store.client("act as an operator").await.unwrap();
    client.execute(DECISION, &[]).await.unwrap();
    assert_eq!(read(&database.store).await.unwrap().writes, []);
    let waiting = waiting(&database.store).await.unwrap();
    assert_eq!(waiting, Waiting { keys: 1, ..Waiting::default() });
}

#[tokio::test]
async fn a_call_that_is_given_up_before_its_deadline_is_told_and_one_that_ended_is_not() {
    let database = audited().await;
    let client = database.store.client("call").await.unwrap();
    client
        .batch_execute(
            "insert into service_call_reference_log (call_id, operation, items, started_at, deadline) \
             select gen_random_uuid(), operation, 1, now(), now() + interval '1 hour' \
             from unnest(array['answered', 'given up']) as operation; \
             update service_call_reference_log set ended_at = clock_timestamp() where operation = 'answered'; \
             insert into service_call_reference_log (call_id, operation, items, started_at, deadline) \
             values (gen_random_uuid(), 'overdue', 1, now(), now() - interval '1 s'); \
             update service_call_reference_log set ended_at = deadline where operation <> 'answered'",
        )
        .await
        .unwrap();
    let audited = read(&database.store).await.unwrap();
    assert_eq!(audited.trouble, [""; 0]);
    assert_eq!(audited.early.len(), 1, "{:?}", audited.early);
}

#[tokio::test]
async fn keys_that_are_free_before_their_deadline_are_told_once_a_call_with_who_freed_them() {
    let database = audited().await;
    let client = database.store.client("call").await.unwrap();
    client
        .batch_execute(
            "insert into service_call_reference_log (call_id, operation, items, started_at, deadline) \
             select gen_random_uuid(), operation, 2, now(), \
                    now() + case operation when 'early' then interval '1 hour' else interval '-1 s' end \
             from unnest(array['early', 'overdue']) as operation; \
             insert into key_in_flight (mail, origin_id, call_id, position, operation, version, start_at, end_at, deadline) \
             select 'm', c.operation || n, c.call_id, n, 'C', 1, now(), now(), c.deadline \
             from service_call_reference_log c, generate_series(1, 2) n",
        )
        .await
        .unwrap();
    let store = writer(&database.url, 8);
    let freeing = store.client("free keys").await.unwrap();
    freeing.execute("delete from key_in_flight", &[]).await.unwrap();
    let audited = read(&database.store).await.unwrap();
    assert_eq!(audited.trouble, [""; 0]);
    assert_eq!(audited.freed.len(), 1, "{:?}", audited.freed);
    assert_eq!(audited.freed[0].pid, Some(8));
}

#[tokio::test]
async fn a_group_that_was_taken_without_being_handed_back_is_lost() {
    let database = audited().await;
    let client = database.store.client("change hands").await.unwrap();
    let owned = async |owner: &str, token: i64| {
        let statement = "insert into lease (key, owner, token, expires_at) \
                         values ('affinity-group/1', $1, $2, now() + interval '1 hour') \
                         on conflict (key) do update set owner = excluded.owner, token = excluded.token";
        client.execute(statement, &[&owner, &token]).await.unwrap();
        groups_lost(&database.store).await.unwrap()
    };
    assert_eq!(owned("host/7/x", 1).await, 0);
    assert_eq!(owned("", 1).await, 0, "handed back");
    assert_eq!(owned("host/8/x", 2).await, 0);
    assert_eq!(owned("host/9/x", 3).await, 1, "another took it");
    assert_eq!(owned("host/9/x", 4).await, 2, "its owner took it anew");
}
