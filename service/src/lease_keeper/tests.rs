//! Goal: who renews its leases and can do nothing else says so. Method: a real database, and a pool whose only connection
//! is never given back.

use base::SystemClock;
use store::StoreOptions;
use supervision::{ChildRef, ChildSpec, Intensity, Strategy, SupervisorSpec, Tree};

use super::*;

#[test]
fn a_keeper_whose_pool_is_used_up_for_good_says_that_the_process_must_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    actix::System::new().block_on(async move {
        let database = store::testing::database().await;
        let store = Store::open(StoreOptions {
            pool_size: 1,
            patience: Duration::from_millis(100),
            ..store::testing::options(database.url.clone())
        })
        .unwrap();
        let clock = SystemClock::shared();
        let book = LeaseBook::new(store.clone(), clock.clone(), "test".into(), Duration::from_secs(12));
        let lease = book.acquire("listener", Duration::ZERO).await.unwrap();
        let broken = watch::Sender::new(None);
        let tools = Tools {
            book,
            store: store.clone(),
            clock: clock.clone(),
            runtime: handle,
            broken: broken.clone(),
            pool_patience: Duration::from_millis(500),
        };
        let never_given_back = store.client("test").await.unwrap();
        let every = Duration::from_millis(50);
        let keeper = ChildSpec::actor("leases", &ChildRef::new(), move |context| {
            LeaseKeeper::new(&tools, every, context)
        });
        let intensity = Intensity { max_restarts: 5, window: Duration::from_secs(60) };
        let root = SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(keeper);
        let tree = Tree::start(root, clock);
        let mut said = broken.subscribe();
        let reason = tokio::time::timeout(Duration::from_secs(20), said.wait_for(Option::is_some));
        let reason = reason.await.expect("in time").unwrap().clone().unwrap();
        assert!(reason.contains("pool"), "{reason}");
        assert!(lease.is_valid(), "its leases were renewed all the time");
        tree.shutdown().await;
        drop(never_given_back);
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
}
