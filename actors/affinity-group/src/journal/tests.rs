//! Goal: what is offered is stored in order, or its mailboxes are told as a gap; never neither. Method: a
//! real database whose table is locked or taken away.

use calendar::ItemId;
use jiff::Timestamp;
use store::notifications::NotificationKind;
use store::testing::{TestDatabase, database};

use super::*;

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

fn batch(n: u32, item: &str) -> Batch {
    let notification = NewNotification {
        mail: mail(n),
        kind: NotificationKind::Modified,
        item_id: Some(ItemId::new(item)),
        old_item_id: None,
        exchange_timestamp: None,
        received_at: Timestamp::from_second(1_900_000_000).unwrap(),
        trace: None,
    };
    Batch { notifications: vec![notification], spans: Vec::new() }
}

struct World {
    database: TestDatabase,
    journal: Journal,
    task: JournalTask,
    reports: mpsc::Receiver<FromTask>,
}

async fn world(capacity: usize) -> World {
    let database = database().await;
    let (sender, reports) = mpsc::channel(16);
    let (journal, task) = Journal::start(&Handle::current(), database.store.clone(), capacity, sender);
    World { database, journal, task, reports }
}

async fn stored(database: &TestDatabase) -> Vec<String> {
    let client = database.store.client("test").await.unwrap();
    let rows = client.query("select item_id from notification order by id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_stored_in_order_and_the_end_waits_for_them() {
    let World { database, journal, task, mut reports } = world(100).await;
    let items: Vec<String> = (0..50).map(|n| format!("i{n:02}")).collect();
    items.iter().for_each(|item| journal.offer(batch(1, item)));
    drop(journal);
    assert!(task.finish(Duration::from_secs(20)).await);
    assert_eq!(stored(&database).await, items);
    assert!(reports.recv().await.is_none(), "no gap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_is_told_as_a_gap_once_storing_works_again() {
    let World { database, journal, task, mut reports } = world(1).await;
    let blocker = database.store.client("test").await.unwrap();
    blocker.batch_execute("begin; lock table notification in access exclusive mode").await.unwrap();
    (1..=20).for_each(|n| journal.offer(batch(n, &format!("i{n}"))));
    blocker.batch_execute("rollback").await.unwrap();
    let Some(FromTask::Gap(gap)) = reports.recv().await else { panic!("a gap is told") };
    drop(journal);
    assert!(task.finish(Duration::from_secs(20)).await);
    let kept = stored(&database).await;
    assert!(!kept.is_empty() && !gap.is_empty());
    for n in 1..=20 {
        let in_table = kept.contains(&format!("i{n}"));
        assert!(in_table || gap.contains(&mail(n)), "{n} is neither stored nor told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_for_good_is_told_and_ends_the_task() {
    let World { database, journal, task, mut reports } = world(10).await;
    let client = database.store.client("test").await.unwrap();
    client.batch_execute("alter table notification rename to gone").await.unwrap();
    journal.offer(batch(1, "i"));
    assert!(matches!(reports.recv().await, Some(FromTask::JournalBroken(_))));
    assert!(task.finish(Duration::from_secs(20)).await);
}
