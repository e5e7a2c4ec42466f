use std::time::Duration;

use base::SystemClock;

use super::*;
use crate::lease::LeaseBook;
use crate::testing::database;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_run_is_remembered_until_the_next() {
    let db = database().await;
    let book = LeaseBook::new(db.store.clone(), SystemClock::shared(), "one".into(), Duration::from_secs(60));
    let fence = book.acquire("duty", Duration::ZERO).await.unwrap().fence();
    assert_eq!(db.store.last_run("comparison").await.unwrap(), None);
    for run in ["2026-06-10T00:00:00.123456Z", "2026-06-11T00:00:00Z"] {
        db.store.record_run(&fence, "comparison", at(run)).await.unwrap();
        assert_eq!(db.store.last_run("comparison").await.unwrap(), Some(at(run)));
    }
    assert_eq!(db.store.last_run("resources").await.unwrap(), None, "names are apart");
}

#[tokio::test]
async fn who_lost_the_duty_records_nothing() {
    let db = database().await;
    let old = Fence { key: "duty".into(), token: 7, owner: "one".into() };
    let answer = db.store.record_run(&old, "comparison", at("2026-06-10T00:00:00Z")).await;
    assert!(matches!(answer, Err(StoreError::LeaseLost { .. })), "{answer:?}");
    assert_eq!(db.store.last_run("comparison").await.unwrap(), None);
}
