//! Goal: each gets its own answer, asked for together or alone. Method: a real database; the turn is held until those stand
//! in line that are to go together.

use std::sync::Arc;
use std::time::Duration;

use store::full_reads::Target;
use tokio::task::JoinHandle;

use super::*;
use crate::testkit::{Kit, mail};

const PATIENCE: Duration = Duration::from_secs(60);

/// Begins to ask, and answers once it stands in line.
async fn line_up(
    kit: &Kit,
    beginnings: &Arc<Beginnings>,
    n: u32,
) -> JoinHandle<Result<(Beginning, LookedUp), QualifierError>> {
    let before = beginnings.lock().len();
    let (store, line) = (kit.services.store.clone(), Arc::clone(beginnings));
    let task = tokio::spawn(async move { line.of(&store, &mail(n), PATIENCE).await });
    tokio::time::timeout(Duration::from_secs(10), async {
        while beginnings.lock().len() == before {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it stands in line");
    task
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_at_the_same_time_gets_an_own_answer() {
    let (kit, beginnings) = (Kit::new(3).await, Arc::new(Beginnings::new(8)));
    let client = kit.database.store.client("test").await.unwrap();
    client
        .batch_execute(&format!(
            "update planner_resource set deleted_date = now() where mail = '{}'; \
             insert into calendar_event (mail, origin_id) values ('{}', 'a key')",
            mail(2),
            mail(3)
        ))
        .await
        .unwrap();
    let turn = beginnings.turn.acquire().await.unwrap();
    let mut tasks = Vec::new();
    // the fourth is nobody's mailbox, and the first is asked about twice
    for n in [3, 1, 4, 2, 1] {
        tasks.push((n, line_up(&kit, &beginnings, n).await));
    }
    drop(turn);
    for (n, task) in tasks {
        let (Beginning { target, is_new }, _looked_up) = task.await.unwrap().unwrap();
        let found = match target {
            Target::Located { .. } => "located",
            Target::NotLocated => "not located",
            Target::NotInUse => "not in use",
            Target::Unknown => "unknown",
        };
        let expected = match n {
            1 => ("located", true),
            2 => ("not in use", true),
            3 => ("located", false),
            _ => ("unknown", true),
        };
        assert_eq!((found, is_new), expected, "{n}");
    }
    assert_eq!(beginnings.lock().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_an_answer_is_everybodys_own_error() {
    let (kit, beginnings) = (Kit::new(2).await, Arc::new(Beginnings::new(8)));
    let client = kit.database.store.client("test").await.unwrap();
    client.batch_execute("alter table series rename to elsewhere").await.unwrap();
    let turn = beginnings.turn.acquire().await.unwrap();
    let tasks = [line_up(&kit, &beginnings, 1).await, line_up(&kit, &beginnings, 2).await];
    drop(turn);
    for task in tasks {
        let error = task.await.unwrap().unwrap_err();
        assert!(matches!(error, QualifierError::Store(store::StoreError::Query { .. })), "{error:?}");
    }
    assert_eq!(beginnings.lock().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_given_up_while_it_asks_leaves_the_others_to_themselves() {
    let (kit, beginnings) = (Kit::new(2).await, Arc::new(Beginnings::new(8)));
    let client = kit.database.store.client("test").await.unwrap();
    let turn = beginnings.turn.acquire().await.unwrap();
    let first = line_up(&kit, &beginnings, 1).await;
    let second = line_up(&kit, &beginnings, 2).await;
    // an adoption is being stored: the question waits
    client.batch_execute("begin; select from planner_resource for update").await.unwrap();
    drop(turn);
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    tokio::time::timeout(Duration::from_secs(10), async {
        while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it waits for the adoption");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    client.batch_execute("commit").await.unwrap();
    assert!(matches!(second.await.unwrap().unwrap().0.target, Target::Located { .. }));
}

/// Goal: those who wait to be looked up are asked for together, as soon as few are left that are looked up and not being
/// read. Method: two are looked up, and three wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_asked_while_enough_are_looked_up() {
    let (kit, beginnings) = (Kit::new(5).await, Arc::new(Beginnings::new(2)));
    let store = &kit.services.store;
    let first = beginnings.of(store, &mail(1), PATIENCE).await.unwrap();
    let second = beginnings.of(store, &mail(2), PATIENCE).await.unwrap();
    let mut tasks = Vec::new();
    for n in [3, 4, 5] {
        tasks.push(line_up(&kit, &beginnings, n).await);
    }
    // the first of them has the turn, and waits
    tokio::time::timeout(Duration::from_secs(10), async {
        while beginnings.turn.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("one has the turn");
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(beginnings.lock().len(), 3, "all three wait while two are looked up");
    drop(first);
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(
            tokio::time::timeout(Duration::from_secs(10), task).await.expect("asked").unwrap().unwrap(),
        );
    }
    assert_eq!(beginnings.ahead.count.load(Ordering::Relaxed), 4, "the second and these three are looked up");
    drop((second, answers));
    assert_eq!(beginnings.ahead.count.load(Ordering::Relaxed), 0);
}

/// Regression by design: who is given up while it waits, or before its answer is seen, must not count as looked up, or
/// nothing would be asked any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_given_up_does_not_count_as_looked_up() {
    let (kit, beginnings) = (Kit::new(2).await, Arc::new(Beginnings::new(1)));
    let turn = beginnings.turn.acquire().await.unwrap();
    let given_up = line_up(&kit, &beginnings, 1).await;
    let other = line_up(&kit, &beginnings, 2).await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    drop(turn);
    let (beginning, looked_up) =
        tokio::time::timeout(Duration::from_secs(10), other).await.expect("asked").unwrap().unwrap();
    assert!(matches!(beginning.target, Target::Located { .. }));
    assert_eq!(beginnings.ahead.count.load(Ordering::Relaxed), 1);
    drop(looked_up);
    assert_eq!(beginnings.ahead.count.load(Ordering::Relaxed), 0);
}

/// The other way out of the gate: as many wait as go into one question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_question_is_asked_however_many_are_looked_up() {
    const MANY: u32 = MAILBOXES_MAX as u32;
    let (kit, beginnings) = (Kit::new(MANY + 1).await, Arc::new(Beginnings::new(1)));
    let looked_up = beginnings.of(&kit.services.store, &mail(1), PATIENCE).await.unwrap();
    let mut tasks = Vec::new();
    for n in 2..=MANY + 1 {
        let (store, line) = (kit.services.store.clone(), Arc::clone(&beginnings));
        tasks.push(tokio::spawn(async move { line.of(&store, &mail(n), PATIENCE).await }));
    }
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(20), task).await.expect("asked").unwrap().unwrap();
    }
    drop(looked_up);
}
