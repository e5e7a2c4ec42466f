//! A race that the product's transaction loses, for tests.

use deadpool_postgres::Object;

use crate::Store;

/// A transaction that never looks for deadlocks, so that it is always the other one that is undone.
#[derive(Debug)]
pub(crate) struct Race {
    store: Store,
    client: Object,
}

const TOUCH: &str = "update planner_resource set name = 'x' where mail = $1";

impl Race {
    /// Changes the resource `first` and does not commit.
    pub(crate) async fn begin(store: &Store, first: &str) -> Self {
        let client = store.client("test").await.unwrap();
        client.batch_execute("begin; set local deadlock_timeout = '1h'").await.unwrap();
        client.execute(TOUCH, &[&first]).await.unwrap();
        Self { store: store.clone(), client }
    }

    /// When somebody waits for that, changes the resource `then`, which that one has changed already, and commits.
    pub(crate) async fn meet(self, then: &str) {
        until_waiting(&self.store).await;
        self.client.execute(TOUCH, &[&then]).await.unwrap();
        self.client.batch_execute("commit").await.unwrap();
    }
}

/// Waits until a statement of the product waits for a lock.
pub(crate) async fn until_waiting(store: &Store) {
    let client = store.client("test").await.unwrap();
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() \
                   and wait_event_type = 'Lock' and pid <> pg_backend_pid()";
    for _ in 0..100_000 {
        if client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody waits for a lock");
}
