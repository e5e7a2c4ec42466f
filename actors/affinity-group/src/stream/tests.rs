//! Goal: only faults end an incarnation, each is told before, outages are waited out, and what is wanted is
//! followed. Method: a scripted source, the orders placed by the test, paused time.

use std::collections::HashMap;

use base::SystemClock;
use calendar::MailAddress;
use calendar::ids::{AccountId, FolderId, SubscriptionId};
use calendar::source::{Affinity, Hint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::journal::{Batch, Journal};
use crate::order::{Desk, Order};
use crate::scripted::{Said, Script};

fn error(kind: SourceErrorKind, code: &str, after: Option<u64>) -> SourceError {
    let after = after.map(Duration::from_secs);
    SourceError { operation: "test", kind, code: code.into(), text: String::new(), after }
}

fn reset() -> SourceError {
    error(SourceErrorKind::Unavailable, "reset", None)
}

/// One stream of the script: what the test makes it say.
fn stream() -> (mpsc::Sender<Said>, Result<mpsc::Receiver<Said>, SourceError>) {
    let (says, heard) = mpsc::channel(16);
    (says, Ok(heard))
}

struct World {
    source: Arc<Script>,
    orders: Orders,
    desk: Desk,
    sender: mpsc::Sender<FromTask>,
    reports: mpsc::Receiver<FromTask>,
    offered: mpsc::Sender<Batch>,
    batches: mpsc::Receiver<Batch>,
}

impl World {
    fn new(script: impl IntoIterator<Item = Result<mpsc::Receiver<Said>, SourceError>>) -> Self {
        let (sender, reports) = mpsc::channel(16);
        let (offered, batches) = mpsc::channel(16);
        let orders = Orders::new();
        let desk = orders.desk();
        Self { source: Arc::new(Script::of(script)), orders, desk, sender, reports, offered, batches }
    }

    /// A new incarnation.
    fn start(&self) -> JoinHandle<String> {
        let serving = Serving {
            orders: self.orders.clone(),
            source: self.source.clone(),
            clock: SystemClock::shared(),
            silence_limit: Duration::from_secs(110),
            reopen: Backoff::try_new(Duration::from_secs(1), 2.0, Duration::from_secs(8), 0.0).unwrap(),
        };
        tokio::spawn(serving.run())
    }

    fn place(&self, number: u64) {
        let anchor = MailAddress::parse("m1@sim.test").unwrap();
        let id = SubscriptionId::new(format!("s{number}"));
        self.desk.place(Order {
            number,
            affinity: Affinity {
                endpoint: String::new(),
                account: AccountId::DEFAULT,
                anchor: anchor.clone(),
                cookie: None,
            },
            listened: Arc::new(HashMap::from([(id, (anchor, FolderId::new("f")))])),
            journal: Journal::for_test(self.offered.clone()),
            reports: self.sender.clone(),
        });
    }

    async fn heard(&mut self, number: u64) -> Heard {
        match self.reports.recv().await {
            Some(FromTask::Stream(of, heard)) if of == number => heard,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_planned_end_and_a_change_of_what_is_wanted_are_no_faults() {
    let ((first, one), (second, two), (third, three)) = (stream(), stream(), stream());
    let mut world = World::new([one, two, three]);
    let task = world.start();
    world.place(1);
    for hint in [Hint::Opened, Hint::Closed] {
        first.send(Ok(hint)).await.unwrap();
    }
    assert_eq!(world.heard(1).await, Heard::Opened);
    assert_eq!(world.heard(1).await, Heard::Closed);
    world.place(2);
    second.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(world.heard(2).await, Heard::Opened);
    // without a pause, and the connection of the former one is closed
    world.place(3);
    second.closed().await;
    third.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(world.heard(3).await, Heard::Opened);
    world.desk.withdraw();
    third.closed().await;
    assert!(!task.is_finished());
    assert_eq!(world.source.asked().len(), 3);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_told_after_what_was_read_and_ends_the_incarnation_and_the_next_serves_the_next_order() {
    let ((first, one), (second, two)) = (stream(), stream());
    let mut world = World::new([one, two]);
    world.place(1);
    let task = world.start();
    let id = SubscriptionId::new("s1");
    let event = calendar::source::Event {
        kind: calendar::source::ChangeKind::Created,
        subject: calendar::source::EventSubject::Item {
            id: calendar::ItemId::new("a"),
            old_id: None,
            old_parent: None,
        },
        parent: Some(FolderId::new("f")),
        at: None,
    };
    for said in [Ok(Hint::Opened), Ok(Hint::Events(id, vec![event])), Err(reset())] {
        first.send(said).await.unwrap();
    }
    assert_eq!(task.await.unwrap(), "reset");
    assert_eq!(world.batches.try_recv().unwrap().notifications.len(), 1, "what was read is handed over");
    assert!(matches!(world.heard(1).await, Heard::Events { .. }));
    assert_eq!(world.heard(1).await, Heard::Opened);
    assert_eq!(world.heard(1).await, Heard::Failed(reset()));
    // the former order has been served: the next incarnation waits for another one
    let task = world.start();
    tokio::task::yield_now().await;
    assert_eq!(world.source.asked().len(), 1);
    world.place(2);
    second.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(world.heard(2).await, Heard::Opened);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn silence_and_a_refused_opening_are_faults() {
    let (says, one) = stream();
    let mut world = World::new([one, Err(error(SourceErrorKind::Resubscribe, "gone", None))]);
    let task = world.start();
    world.place(1);
    says.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(task.await.unwrap(), "silent");
    assert_eq!(world.heard(1).await, Heard::Opened);
    assert_eq!(world.heard(1).await, Heard::Silent);
    world.place(2);
    assert_eq!(world.start().await.unwrap(), "gone");
    assert!(matches!(world.heard(2).await, Heard::Failed(error) if error.code == "gone"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_is_waited_out_with_growing_pauses_even_if_what_is_wanted_changes() {
    let (says, last) = stream();
    let refused =
        (0..1_000).map(|n| Err(error(SourceErrorKind::Unavailable, "refused", (n == 1).then_some(5))));
    let mut world = World::new(refused.chain([last]));
    let task = world.start();
    let start = tokio::time::Instant::now();
    let mut at = Vec::new();
    world.place(1);
    for _ in 0..6 {
        assert!(matches!(world.heard(1).await, Heard::Away(_)));
        at.push((tokio::time::Instant::now() - start).as_secs());
    }
    assert_eq!(at, [0, 1, 6, 10, 18, 26], "1, the service's own 5, 4, 8, 8 seconds");
    // another order does not shorten the pause
    world.place(2);
    for _ in 6..1_000 {
        assert!(matches!(world.heard(2).await, Heard::Away(_)));
    }
    let outage = tokio::time::Instant::now() - start;
    assert_eq!(outage.as_secs(), 26 + 994 * 8);
    assert!(!task.is_finished());
    says.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(world.heard(2).await, Heard::Opened);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_successor_tells_the_end_that_its_predecessor_could_not_tell() {
    let ((first, one), (second, two)) = (stream(), stream());
    let mut world = World::new([one, two]);
    world.place(1);
    let task = world.start();
    first.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(world.heard(1).await, Heard::Opened);
    task.abort();
    assert!(task.await.is_err());
    let task = world.start();
    assert!(matches!(world.heard(1).await, Heard::Failed(error) if error.code == "stream interrupted"));
    world.place(2);
    second.send(Ok(Hint::Opened)).await.unwrap();
    assert_eq!(world.heard(2).await, Heard::Opened);
    task.abort();
}
