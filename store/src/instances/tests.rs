//! Goal: who is alive is known within a life, whoever leaves is reckoned without at once, and qualifiers never cut the
//! mailboxes differently side by side. Method: several books on one real database, short lives.

use base::SystemClock;

use super::*;
use crate::lease::Lease;
use crate::shares::shard_lease;
use crate::testing::{TestDatabase, database};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn book(database: &TestDatabase, name: &str, life: Duration) -> LeaseBook {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), name.into(), life)
}

fn wants(shards: u8) -> Registration {
    Registration {
        roles: ROLES.map(str::to_owned).to_vec(),
        version: "1".into(),
        shards,
        takes_share: true,
        sends: None,
    }
}

async fn names(database: &TestDatabase) -> Vec<(String, bool)> {
    let instances = database.store.instances().await.unwrap();
    instances.into_iter().map(|instance| (instance.name, instance.alive)).collect()
}

/// Waits until the row of `name` has run out.
async fn until_dead(database: &TestDatabase, name: &str) {
    while names(database).await.iter().any(|(one, alive)| one == name && *alive) {
        tokio::task::yield_now().await;
    }
}

async fn shard(book: &LeaseBook, shard: u8) -> Lease {
    book.acquire(&shard_lease(shard), Duration::ZERO).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_registers_is_alive_as_long_as_it_renews_and_who_leaves_is_gone() {
    let database = database().await;
    let (first, second) = (book(&database, "first", SHORT), book(&database, "second", LONG));
    first.register(wants(4)).await.unwrap();
    second.register(wants(4)).await.unwrap();
    let lease = second.acquire("duty", Duration::ZERO).await.unwrap();
    let there = database.store.instances().await.unwrap();
    let second_row = there.iter().find(|instance| instance.name == "second").unwrap();
    assert_eq!((second_row.leases, second_row.alive, &*second_row.version), (1, true, "1"));
    assert_eq!(second_row.roles, ROLES);
    until_dead(&database, "first").await;
    // one that was paused goes on under its name
    first.renew().await.unwrap();
    assert!(names(&database).await.contains(&("first".into(), true)));
    second.leave().await.unwrap();
    assert!(!names(&database).await.iter().any(|(name, _)| name == "second"));
    // what it holds it holds; a renewal does not bring its row back
    assert_eq!(second.renew().await.unwrap(), 1);
    assert!(lease.is_valid());
    assert!(!names(&database).await.iter().any(|(name, _)| name == "second"));
    second.leave().await.unwrap();
}

/// Regression: a process that had died was told as alive until its row ran out, and nothing said for how long it had been
/// silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_when_an_instance_was_heard_of_last() {
    let database = database().await;
    let first = book(&database, "first", LONG);
    first.register(wants(4)).await.unwrap();
    let heard = async || database.store.instances().await.unwrap()[0].heard;
    let change = async |set: &str| {
        let client = database.store.client("test").await.unwrap();
        client.batch_execute(&format!("update instance set {set}")).await.unwrap();
    };
    let at_first = heard().await.unwrap();
    assert!(at_first.ago < LONG && at_first.life.abs_diff(LONG) < Duration::from_millis(500), "{at_first:?}");
    change("seen_at = seen_at - interval '1 h', expires_at = expires_at - interval '1 h'").await;
    let dead = database.store.instances().await.unwrap().remove(0);
    assert!(!dead.alive && dead.heard.unwrap().ago >= Duration::from_secs(3_600), "{dead:?}");
    first.renew().await.unwrap();
    assert!(heard().await.unwrap().ago < LONG);
    // as a version that does not say
    change("seen_at = null").await;
    assert_eq!(heard().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_shards_is_that_of_the_first_until_all_have_ended() {
    let database = database().await;
    let (first, second, third) =
        (book(&database, "first", LONG), book(&database, "second", LONG), book(&database, "third", LONG));
    assert_eq!(database.store.agreed_shards().await.unwrap(), None);
    assert_eq!(first.register(wants(4)).await.unwrap(), AgreedShards { shards: 4, differs: false });
    assert_eq!(second.register(wants(8)).await.unwrap(), AgreedShards { shards: 4, differs: true });
    first.leave().await.unwrap();
    assert_eq!(third.register(wants(8)).await.unwrap(), AgreedShards { shards: 4, differs: true });
    second.leave().await.unwrap();
    third.leave().await.unwrap();
    // who starts anew keeps what was agreed on, or says what it is to be
    assert_eq!(first.register(wants(8)).await.unwrap(), AgreedShards { shards: 8, differs: false });
    assert_eq!(database.store.agreed_shards().await.unwrap(), Some(8));
    // asking again, as after an outage of the database, changes nothing
    assert_eq!(first.register(wants(8)).await.unwrap(), AgreedShards { shards: 8, differs: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_leased_holds_the_number_and_one_that_was_paused_finds_that_it_changed() {
    let database = database().await;
    let (paused, other) = (book(&database, "paused", SHORT), book(&database, "other", LONG));
    paused.register(wants(4)).await.unwrap();
    // the version before registers nothing, and holds shards
    let old = book(&database, "old", LONG);
    let held = shard(&old, 3).await;
    until_dead(&database, "paused").await;
    assert_eq!(other.register(wants(8)).await.unwrap().shards, 4);
    other.leave().await.unwrap();
    held.release().await.unwrap();
    assert_eq!(other.register(wants(8)).await.unwrap().shards, 8);
    // the lease is free, and the number tells the one that wakes up that nothing here is its own
    let woken = shard(&paused, 1).await;
    assert_eq!(database.store.agreed_shards().await.unwrap(), Some(8));
    woken.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_do_not_qualify_have_no_say() {
    let database = database().await;
    let (listener, qualifier) = (book(&database, "listener", LONG), book(&database, "qualifier", LONG));
    let only_listens = Registration { roles: vec![LISTEN.into()], ..wants(4) };
    assert!(!listener.register(only_listens).await.unwrap().differs);
    assert_eq!(qualifier.register(wants(8)).await.unwrap(), AgreedShards { shards: 8, differs: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_start_together_with_different_numbers_all_use_one() {
    let database = database().await;
    let starts: Vec<_> = (1..=8_u8)
        .map(|n| {
            let book = book(&database, &format!("instance-{n}"), LONG);
            tokio::spawn(async move { book.register(wants(n)).await.unwrap().shards })
        })
        .collect();
    let mut used = std::collections::BTreeSet::new();
    for start in starts {
        used.insert(start.await.unwrap());
    }
    let agreed = database.store.agreed_shards().await.unwrap();
    assert_eq!(used.into_iter().map(Some).collect::<Vec<_>>(), [agreed]);
}

/// Regression: who came looked whether anybody went by the number before it kept others from reading it. A shard whose
/// lease was taken in between read the number of before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_taken_while_somebody_comes_keeps_its_number() {
    let database = database().await;
    let (paused, comes) = (book(&database, "paused", SHORT), book(&database, "comes", LONG));
    paused.register(wants(4)).await.unwrap();
    until_dead(&database, "paused").await;
    // somebody reads the number under a lease
    let mut client = database.store.client("test").await.unwrap();
    let reading = client.transaction().await.unwrap();
    reading.query("select value from store_state where name = $1 for share", &[&SHARDS]).await.unwrap();
    let coming = tokio::spawn(async move { comes.register(wants(8)).await });
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    let observer = database.store.client("test").await.unwrap();
    while observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!coming.is_finished(), "changed the number while somebody read it");
        tokio::task::yield_now().await;
    }
    let holder = book(&database, "holder", LONG);
    let held = shard(&holder, 3).await;
    reading.commit().await.unwrap();
    assert_eq!(coming.await.unwrap().unwrap(), AgreedShards { shards: 4, differs: true });
    assert!(held.is_valid());
}

/// Regression: an instance that was paused until all others had ended, and the number of shards had changed, renewed its
/// leases when it woke up (they had run out, and nobody had taken them) and wrote under the number of before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wakes_up_after_the_number_changed_has_lost_its_shards() {
    let database = database().await;
    let (paused, other) = (book(&database, "paused", SHORT), book(&database, "other", LONG));
    paused.register(wants(4)).await.unwrap();
    let held = shard(&paused, 3).await;
    let _duty = paused.acquire("communicator", Duration::ZERO).await.unwrap();
    until_dead(&database, "paused").await;
    let mut client = database.store.client("test").await.unwrap();
    // what it had begun to write is waited for
    let writing = client.transaction().await.unwrap();
    crate::lease::guard(&writing, &held.fence()).await.unwrap();
    let observer = database.store.client("test").await.unwrap();
    let live = "select count(*) from lease where expires_at > clock_timestamp()";
    while observer.query_one(live, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
    let coming = tokio::spawn(async move { other.register(wants(8)).await });
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    while observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        if coming.is_finished() {
            panic!("changed the number past a guarded write: {:?}", coming.await);
        }
        tokio::task::yield_now().await;
    }
    writing.commit().await.unwrap();
    assert_eq!(coming.await.unwrap().unwrap(), AgreedShards { shards: 8, differs: false });
    let writing = client.transaction().await.unwrap();
    let late = crate::lease::guard(&writing, &held.fence()).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    drop(writing);
    assert_eq!(paused.renew().await.unwrap(), 1, "what has nothing to do with shards it has again");
    assert!(!held.is_valid());
    let anew = shard(&paused, 3).await;
    assert!(anew.fence().token > held.fence().token);
}
