//! Goal: whatever instances come, go and die, every group and shard soon has one owner, evenly, and never two at
//! once. Method: real parties (a book, shares, and for each unit a task that holds what is in its part) on one real
//! database; a witness row for each unit tells two owners at once.

#![expect(clippy::disallowed_methods, reason = "leases live by real time")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base::SystemClock;

use super::*;
use crate::duty;
use crate::instances::{ROLES, Registration};
use crate::lease::guard;
use crate::testing::{TestDatabase, database};

const LIFE: Duration = Duration::from_millis(1_200);
const SHARDS: u8 = 8;

/// One instance: takes the shards of its part and gives back the others.
struct Instance {
    name: String,
    book: LeaseBook,
    shares: Shares,
    owns: Arc<Mutex<BTreeSet<u8>>>,
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl Instance {
    async fn start(database: &TestDatabase, wake: &Wake, name: &str) -> Self {
        let book = LeaseBook::new(database.store.clone(), SystemClock::shared(), name.into(), LIFE);
        book.wake_by(wake);
        let roles = ROLES.map(str::to_owned).to_vec();
        book.register(Registration {
            roles,
            version: "1".into(),
            shards: SHARDS,
            takes_share: true,
            sends: None,
        })
        .await
        .unwrap();
        let shares = Shares::start(database.store.clone(), book.clone(), wake, SHARDS);
        let owns = Arc::new(Mutex::new(BTreeSet::new()));
        let mut tasks: Vec<_> = (0..SHARDS)
            .map(|shard| {
                let worker =
                    worker(database.store.clone(), book.clone(), shares.clone(), Arc::clone(&owns), shard);
                AbortOnDropHandle::new(tokio::spawn(worker))
            })
            .collect();
        let renewed = book.clone();
        tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let _ = renewed.renew().await;
                tokio::time::sleep(renewed.renew_every()).await;
            }
        })));
        Self { name: name.to_owned(), book, shares, owns, tasks }
    }

    fn owned(&self) -> usize {
        self.owns.lock().unwrap().len()
    }

    /// As SIGKILL: nothing is handed back.
    fn dies(self) -> LeaseBook {
        drop(self.tasks);
        self.book
    }

    /// As SIGTERM.
    async fn ends(self) {
        self.book.leave().await.unwrap();
        drop(self.tasks);
        self.book.release_all().await.unwrap();
    }
}

async fn worker(store: Store, book: LeaseBook, shares: Shares, owns: Arc<Mutex<BTreeSet<u8>>>, shard: u8) {
    loop {
        shares.until(|part| part.has_shard(shard)).await;
        let key = shard_lease(shard);
        let lease = tokio::select! {
            held = duty::hold(&book, &key, || {}) => held.unwrap(),
            () = shares.until(|part| !part.has_shard(shard)) => continue,
        };
        owns.lock().unwrap().insert(shard);
        let write = async {
            loop {
                witness(&store, &lease.fence()).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = write => {}
            () = lease.lost() => {}
            () = shares.until(|part| !part.has_shard(shard)) => {}
        }
        owns.lock().unwrap().remove(&shard);
        duty::give_back(lease).await;
    }
}

/// A guarded write. Tokens only grow: an old one that gets through after a newer one is a second owner.
async fn witness(store: &Store, fence: &crate::lease::Fence) {
    let mut client = store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    if guard(&tx, fence).await.is_err() {
        return;
    }
    let name = format!("witness/{}", fence.key);
    let before = tx.query_opt("select value from store_state where name = $1", &[&name]).await.unwrap();
    let before: i64 = before.map_or(0, |row| row.get::<_, String>(0).parse().unwrap());
    assert!(before <= fence.token, "{}: {} wrote after {before}", fence.key, fence.token);
    crate::state::put(&tx, &name, &fence.token.to_string()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Waits until the shards are shared like this, in any order.
async fn until_shared(instances: &[&Instance], expected: &[usize]) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let mut now: Vec<usize> = instances.iter().map(|instance| instance.owned()).collect();
        now.sort_unstable();
        if now == expected {
            return;
        }
        let parts: BTreeMap<&str, Option<Part>> =
            instances.iter().map(|one| (&*one.name, one.shares.subscribe().borrow().clone())).collect();
        assert!(tokio::time::Instant::now() < deadline, "{now:?} instead of {expected:?}: {parts:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_are_shared_evenly_by_those_that_come_go_and_die() {
    let database = database().await;
    let wake = Wake::start(database.store.clone());
    let a = Instance::start(&database, &wake, "a").await;
    until_shared(&[&a], &[8]).await;
    let b = Instance::start(&database, &wake, "b").await;
    until_shared(&[&a, &b], &[4, 4]).await;
    let c = Instance::start(&database, &wake, "c").await;
    until_shared(&[&a, &b, &c], &[2, 3, 3]).await;
    // in order: the others have everything long before a lease could run out
    let began = tokio::time::Instant::now();
    b.ends().await;
    until_shared(&[&a, &c], &[4, 4]).await;
    let took = began.elapsed();
    assert!(took < LIFE, "handed over after {took:?}");
    // by force: as soon as the leases run out
    let began = tokio::time::Instant::now();
    let dead = c.dies();
    until_shared(&[&a], &[8]).await;
    let took = began.elapsed();
    assert!(took < LIFE * 2, "taken over after {took:?}");
    // one that was only paused has lost all and begins anew under its name
    assert_eq!(dead.renew().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_come_are_in_somebodys_part_and_those_that_go_in_nobodys() {
    let database = database().await;
    let wake = Wake::start(database.store.clone());
    let start = async |name: &str| {
        let book = LeaseBook::new(database.store.clone(), SystemClock::shared(), name.into(), 20 * LIFE);
        let roles = vec![LISTEN.to_owned()];
        book.register(Registration { roles, version: "1".into(), shards: 4, takes_share: true, sends: None })
            .await
            .unwrap();
        Shares::start(database.store.clone(), book, &wake, 4)
    };
    let (a, b) = (start("a").await, start("b").await);
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into subscription (endpoint, grouping_value, ordinal) \
             select 'e', 'g', n from generate_series(1, 5) n; notify kommuneklient_group",
        )
        .await
        .unwrap();
    let part = |shares: &Shares| match shares.subscribe().borrow().clone() {
        Some(Part::Of { groups, shards }) => (groups, shards),
        other => panic!("{other:?}"),
    };
    for shares in [&a, &b] {
        shares.refreshed().await;
    }
    let ((of_a, shards), (of_b, _)) = (part(&a), part(&b));
    assert_eq!((of_a.len(), of_b.len()), (3, 2), "the rest to the first");
    assert!(of_a.is_disjoint(&of_b));
    assert!(shards.is_empty(), "nobody qualifies");
    client.batch_execute("delete from subscription; notify kommuneklient_group").await.unwrap();
    for shares in [&a, &b] {
        shares.refreshed().await;
        assert!(part(shares).0.is_empty());
    }
}

/// A new instance that cannot work yet draws nothing to itself, and says when it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_no_share_leaves_all_to_the_others_until_it_does() {
    let database = database().await;
    let book = |name: &str| LeaseBook::new(database.store.clone(), SystemClock::shared(), name.into(), LIFE);
    let (one, two) = (book("one"), book("two"));
    let roles = vec![QUALIFY.to_owned()];
    let registration = |takes_share| Registration {
        roles: roles.clone(),
        version: "1".into(),
        shards: 4,
        takes_share,
        sends: None,
    };
    one.register(registration(true)).await.unwrap();
    two.register(registration(false)).await.unwrap();
    let shards = async |book: &LeaseBook| {
        let owned = database.store.owned(4).await.unwrap();
        (0..4).filter(|shard| owned.part_of(book.owner()).has_shard(*shard)).count()
    };
    assert_eq!((shards(&one).await, shards(&two).await), (4, 0));
    two.renew().await.unwrap();
    assert_eq!((shards(&one).await, shards(&two).await), (4, 0));
    two.take_share().await.unwrap();
    assert_eq!((shards(&one).await, shards(&two).await), (2, 2));
    two.take_share().await.unwrap();
    two.renew().await.unwrap();
    assert_eq!(shards(&two).await, 2);
}
