//! Goal: who renews its leases and can do nothing else says so, and who only waits for a lock does not. Method: a real
//! database, and a pool whose only connection is never given back, or waits behind the lock of a migration.

use base::SystemClock;
use store::StoreOptions;
use supervision::{ChildRef, ChildSpec, Intensity, Strategy, SupervisorSpec, Tree};

use super::*;

/// How long the pool may be silent here.
const PATIENCE: Duration = Duration::from_millis(500);

/// A keeper at work, and what its process is told.
struct Scene {
    database: store::testing::TestDatabase,
    /// The pool, of one connection.
    store: Store,
    lease: Option<store::lease::Lease>,
    said: watch::Receiver<Option<String>>,
    tree: Tree,
}

/// How often leases are renewed here.
const EVERY: Duration = Duration::from_millis(50);

async fn scene(runtime: Handle) -> Scene {
    scene_of(runtime, true, EVERY, "").await
}

/// A keeper that begins its work when `before` was done to the database.
async fn scene_of(runtime: Handle, holds_a_lease: bool, every: Duration, before: &str) -> Scene {
    let database = store::testing::database().await;
    let store = Store::open(StoreOptions {
        pool_size: 1,
        patience: Duration::from_millis(100),
        ..store::testing::options(database.url.clone())
    })
    .unwrap();
    let clock = SystemClock::shared();
    let book = LeaseBook::new(store.clone(), clock.clone(), "test".into(), Duration::from_secs(12));
    let lease = match holds_a_lease {
        true => Some(book.acquire("listener", Duration::ZERO).await.unwrap()),
        false => None,
    };
    database.store.client("test").await.unwrap().batch_execute(before).await.unwrap();
    let broken = watch::Sender::new(None);
    let said = broken.subscribe();
    let tools =
        Tools { book, store: store.clone(), clock: clock.clone(), runtime, broken, pool_patience: PATIENCE };
    let keeper =
        ChildSpec::actor("leases", &ChildRef::new(), move |context| LeaseKeeper::new(&tools, every, context));
    let intensity = Intensity { max_restarts: 5, window: Duration::from_secs(60) };
    let root = SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(keeper);
    Scene { database, store, lease, said, tree: Tree::start(root, clock) }
}

impl Scene {
    fn holds(&self) -> bool {
        self.lease.as_ref().is_some_and(store::lease::Lease::is_valid)
    }

    /// Waits until the process is told that it must end.
    async fn told(&mut self) -> String {
        let reason = tokio::time::timeout(Duration::from_secs(20), self.said.wait_for(Option::is_some)).await;
        reason.expect("in time").unwrap().clone().unwrap()
    }
}

fn run(test: impl AsyncFnOnce(Handle)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    actix::System::new().block_on(test(runtime.handle().clone()));
    runtime.shutdown_timeout(Duration::from_secs(5));
}

#[test]
fn a_keeper_whose_pool_is_used_up_for_good_says_that_the_process_must_end() {
    run(async |runtime| {
        let mut scene = scene(runtime).await;
        let never_given_back = scene.store.client("test").await.unwrap();
        let reason = scene.told().await;
        assert!(reason.contains("pool"), "{reason}");
        assert!(scene.holds(), "its leases were renewed all the time");
        scene.tree.shutdown().await;
        drop(never_given_back);
    });
}

/// Regression: a migration that held a table for longer than the patience ended every instance of the version before, one
/// after the other and their successors, too.
#[test]
fn a_keeper_whose_pool_waits_for_a_lock_waits_with_it() {
    run(async |runtime| {
        let mut scene = scene(runtime.clone()).await;
        let mut migrator = scene.database.store.client("test").await.unwrap();
        let migration = migrator.transaction().await.unwrap();
        migration.batch_execute("lock table store_state in access exclusive mode").await.unwrap();
        // works as everybody does: it has the only connection, and waits; when the pool was too slow it comes again
        let reader = scene.store.clone();
        let reading = runtime.spawn(async move {
            loop {
                match store::state::get(&reader, "any").await {
                    Err(error) if error.is_outage() => tokio::task::yield_now().await,
                    other => return other,
                }
            }
        });
        // as long as nobody says anything: six times its patience, with a try at least at each fifth of it
        let patient = tokio::time::timeout(PATIENCE * 6, scene.said.wait_for(Option::is_some)).await;
        assert!(patient.is_err(), "{patient:?}");
        assert!(!reading.is_finished(), "else nothing was waited for");
        drop(patient);
        migration.commit().await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), None);
        assert!(scene.holds());
        // and a pool that is dead without a lock is told as ever
        let never_given_back = scene.store.client("test").await.unwrap();
        assert!(scene.told().await.contains("pool"));
        scene.tree.shutdown().await;
        drop(never_given_back);
    });
}

/// Regression: a renewal that failed was tried again at the next turn, a third of a life later, so that an outage shorter
/// than a life could cost every lease.
#[test]
fn a_renewal_that_failed_is_tried_again_before_its_next_turn() {
    // the first three renewals fail, which a sequence counts whatever is rolled back
    let fails = "create sequence tried;
        create function fail() returns trigger language plpgsql as $$
            begin
                if nextval('tried') <= 3 then raise exception 'not now'; end if;
                return new;
            end $$;
        update lease set expires_at = clock_timestamp() + interval '3 s';
        create trigger fail before update on lease for each row execute function fail();";
    run(async |runtime| {
        // the next turn is beyond this test
        let scene = scene_of(runtime, true, Duration::from_secs(3_600), fails).await;
        let client = scene.database.store.client("test").await.unwrap();
        let renewed = async {
            loop {
                let seen =
                    "select last_value, expires_at > clock_timestamp() + interval '6 s' from tried, lease";
                let row = client.query_one(seen, &[]).await.unwrap();
                if row.get::<_, bool>(1) {
                    return row.get::<_, i64>(0);
                }
                tokio::task::yield_now().await;
            }
        };
        let tries = tokio::time::timeout(Duration::from_secs(20), renewed).await.expect("renewed in time");
        assert_eq!(tries, 4);
        assert!(scene.holds());
        scene.tree.shutdown().await;
    });
}

#[test]
fn renewals_are_tried_again_within_a_second_and_not_at_once() {
    for random in [0.0, 0.5, 0.999] {
        let mut again = Again::new();
        for failures in 1..100 {
            let pause = again.failed(random);
            assert!(pause >= AGAIN_MIN / 2 && pause <= AGAIN_MAX, "{failures}: {pause:?}");
        }
        assert!(again.failed(random) >= AGAIN_MAX / 2);
        again.renewed();
        assert!(again.failed(random) <= AGAIN_MIN, "an outage that is over says nothing of the next");
    }
}

/// Regression: an instance that waited for the database at its start, without a lease or a name among the others, ended
/// after the patience, because the renewal of nothing succeeded all the time (torture, an ending by own decision while
/// PostgreSQL was restarted).
#[test]
fn a_keeper_without_anything_to_renew_waits_for_the_database() {
    run(async |runtime| {
        let mut scene = scene_of(runtime, false, EVERY, "").await;
        let never_given_back = scene.store.client("test").await.unwrap();
        // as long as nobody says anything: six times its patience, with a try at least at each fifth of it
        let patient = tokio::time::timeout(PATIENCE * 6, scene.said.wait_for(Option::is_some)).await;
        assert!(patient.is_err(), "{patient:?}");
        drop(patient);
        scene.tree.shutdown().await;
        drop(never_given_back);
    });
}
