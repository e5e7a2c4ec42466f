//! Goal: who waits at the same time is stored in one transaction, and the trouble of one is nobody else's. Method: a real
//! database; the pen is held until those stand in line that are to go together.

use std::time::Duration;

use calendar::reconcile::{Change, Decision};
use calendar::{OriginId, Slot};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::*;
use crate::testkit::{Kit, mail};

fn slot() -> Slot {
    let at = |second| Timestamp::from_second(second).unwrap();
    Slot { start: at(1_900_000_000), end: at(1_900_003_600) }
}

fn effect(kit: &Kit, n: u32, expected_version: i64) -> Arc<Effect> {
    let decision = Decision {
        origin_id: OriginId::new(format!("key {n}")),
        uid: None,
        recurrence_time: None,
        item_id: None,
        expected_version,
        change: Change::Create(slot()),
    };
    let now = kit.office.now();
    let mut effect = kit.office.effect(&mail(n), now, now);
    effect.decisions = vec![(decision, None)];
    effect.full_read = true;
    effect.fresh = expected_version == 0;
    Arc::new(effect)
}

/// Begins to store, and answers once it stands in line.
async fn line_up(
    kit: &Kit,
    together: &Arc<Together>,
    effect: Arc<Effect>,
) -> JoinHandle<Result<Applied, StoreError>> {
    let before = together.lock().len();
    let (store, fence, line) = (kit.services.store.clone(), kit.office.fence.clone(), Arc::clone(together));
    let task = tokio::spawn(async move { line.apply(&store, &fence, &effect).await });
    tokio::time::timeout(Duration::from_secs(10), async {
        while together.lock().len() == before {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it stands in line");
    task
}

/// Mailboxes with a key, and transactions that stored them.
async fn stored(kit: &Kit) -> (i64, i64) {
    let client = kit.database.store.client("test").await.unwrap();
    let row = client
        .query_one("select count(distinct mail), count(distinct xmin::text) from calendar_event", &[])
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_goes_together() {
    let (kit, together) = (Kit::new(3).await, Arc::new(Together::new()));
    let pen = together.pens.acquire_many(WRITERS as u32).await.unwrap();
    let mut tasks = Vec::new();
    for n in 1..=3 {
        tasks.push(line_up(&kit, &together, effect(&kit, n, 0)).await);
    }
    drop(pen);
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), Applied::Done(Done::default()));
    }
    assert_eq!(stored(&kit).await, (3, 1));
    assert_eq!(together.lock().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_wrong_learns_it_alone() {
    let (kit, together) = (Kit::new(4).await, Arc::new(Together::new()));
    kit.refuse("key 2").await;
    let first = together.apply(&kit.services.store, &kit.office.fence, &effect(&kit, 3, 0)).await;
    assert_eq!(first.unwrap(), Applied::Done(Done::default()));
    let pen = together.pens.acquire_many(WRITERS as u32).await.unwrap();
    let mut tasks = Vec::new();
    for (n, expected_version) in [(1, 0), (2, 0), (3, 7), (4, 0)] {
        tasks.push(line_up(&kit, &together, effect(&kit, n, expected_version)).await);
    }
    drop(pen);
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(match task.await.unwrap() {
            Ok(Applied::Done(_)) => "done",
            Ok(Applied::Conflict) => "conflict",
            Err(error) if store::decisions::is_refusal(&error) => "refused",
            Err(error) => panic!("{error}"),
        });
    }
    assert_eq!(outcomes, ["done", "refused", "conflict", "done"]);
    assert_eq!(stored(&kit).await.0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_waiting_holds_up_nobody() {
    let (kit, together) = (Kit::new(3).await, Arc::new(Together::new()));
    let pen = together.pens.acquire_many(WRITERS as u32).await.unwrap();
    let first = line_up(&kit, &together, effect(&kit, 1, 0)).await;
    let second = line_up(&kit, &together, effect(&kit, 2, 0)).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    drop(pen);
    assert_eq!(second.await.unwrap().unwrap(), Applied::Done(Done::default()));
    let third = together.apply(&kit.services.store, &kit.office.fence, &effect(&kit, 3, 0)).await;
    assert_eq!(third.unwrap(), Applied::Done(Done::default()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_ready_waits_for_those_under_way_and_not_for_ever() {
    let patient = Together { linger: Duration::from_secs(10), ..Together::new() };
    let (kit, together) = (Kit::new(3).await, Arc::new(patient));
    // one more is under way and comes
    let (one, two) = (together.begin(), together.begin());
    let first = line_up(&kit, &together, effect(&kit, 1, 0)).await;
    let second = line_up(&kit, &together, effect(&kit, 2, 0)).await;
    for task in [first, second] {
        assert_eq!(task.await.unwrap().unwrap(), Applied::Done(Done::default()));
    }
    assert_eq!(stored(&kit).await, (2, 1));
    drop((one, two));
    assert_eq!(together.under_way.load(Ordering::Relaxed), 0);
    // one is under way and never comes
    let together = Together::new();
    let _late = (together.begin(), together.begin());
    let third = together.apply(&kit.services.store, &kit.office.fence, &effect(&kit, 3, 0)).await;
    assert_eq!(third.unwrap(), Applied::Done(Done::default()));
}

/// More than go at once, by several writers: each is stored once and learns it, and nobody is left in line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_stored_by_several_writers_each_once() {
    const MANY: u32 = 3 * MAILBOXES_MAX as u32;
    let (kit, together) = (Kit::new(MANY).await, Arc::new(Together::new()));
    let pens = together.pens.acquire_many(WRITERS as u32).await.unwrap();
    let mut tasks = Vec::new();
    for n in 1..=MANY {
        tasks.push(line_up(&kit, &together, effect(&kit, n, 0)).await);
    }
    drop(pens);
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), Applied::Done(Done::default()));
    }
    assert_eq!(stored(&kit).await, (i64::from(MANY), 3));
    assert_eq!(together.lock().len(), 0);
    assert_eq!(together.being_stored.load(Ordering::Relaxed), 0);
    assert_eq!(together.pens.available_permits(), WRITERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_has_its_limits() {
    let kit = Kit::new(1).await;
    let waiting = |decisions: usize| {
        let mut effect = Effect::clone(&effect(&kit, 1, 0));
        effect.decisions = std::iter::repeat_n(effect.decisions[0].clone(), decisions).collect();
        let fence = kit.office.fence.clone();
        Waiting { fence, effect: Arc::new(effect), stored: oneshot::channel().0 }
    };
    let sizes = |decisions: &[usize]| {
        let mut line: Vec<Waiting> = decisions.iter().map(|n| waiting(*n)).collect();
        (take(&mut line).len(), line.len())
    };
    assert_eq!(sizes(&[1; MAILBOXES_MAX + 3]), (MAILBOXES_MAX, 3));
    assert_eq!(sizes(&[DECISIONS_TOGETHER_MAX, 1, 1]), (1, 2));
    assert_eq!(sizes(&[DECISIONS_TOGETHER_MAX + 1, 1]), (1, 1), "one alone goes, however large");
    assert_eq!(sizes(&[1, DECISIONS_TOGETHER_MAX, 1]), (1, 2), "nobody is passed by");
    assert_eq!(sizes(&[]), (0, 0));
}
