//! Goal: everything a stream says reaches journal and actor, in order, and every way in which it can end is
//! told. Method: a scripted source, the journal's channel read directly, paused time for silence.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use base::SystemClock;
use calendar::ids::SyncState;
use calendar::source::{
    CalendarFolder, ChangeKind, ChangePage, EventSubject, HintStream, Location, Mailbox, Reading,
    SourceErrorKind, Subscribed,
};
use calendar::{Appointment, ItemId, Slot};

use super::*;

type Said = Result<Hint, SourceError>;

fn error(code: &str) -> SourceError {
    SourceError {
        operation: "test",
        kind: SourceErrorKind::Unavailable,
        code: code.into(),
        text: String::new(),
        after: None,
    }
}

/// Opens one stream that says what comes in through a channel.
struct Script(Mutex<Option<Result<mpsc::Receiver<Said>, SourceError>>>);

#[async_trait]
impl CalendarSource for Script {
    async fn listen(&self, _: &Affinity, _: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        let heard = self.0.lock().unwrap().take().expect("opened once")?;
        Ok(Box::pin(futures::stream::unfold(heard, |mut heard| async {
            heard.recv().await.map(|said| (said, heard))
        })))
    }
    async fn locate(&self, _: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        Vec::new()
    }
    async fn check(&self, _: &Mailbox) -> Result<CalendarFolder, SourceError> {
        Err(error("not scripted"))
    }
    async fn subscribe(&self, _: &Mailbox, _: &Affinity) -> Result<Subscribed, SourceError> {
        Err(error("not scripted"))
    }
    async fn unsubscribe(&self, _: &Mailbox, _: &Affinity, _: &SubscriptionId) -> Result<(), SourceError> {
        Err(error("not scripted"))
    }
    async fn catch_up(&self, _: &Mailbox, _: Option<&SyncState>) -> Result<ChangePage, SourceError> {
        Err(error("not scripted"))
    }
    async fn read_items(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        Err(error("not scripted"))
    }
    async fn masters_of(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Option<ItemId>>, SourceError> {
        Err(error("not scripted"))
    }
    async fn read_window(&self, _: &Mailbox, _: Slot) -> Result<Vec<Appointment>, SourceError> {
        Err(error("not scripted"))
    }
}

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

fn sub(n: u32) -> SubscriptionId {
    SubscriptionId::new(format!("s{n}"))
}

fn item(id: &str) -> Event {
    Event {
        kind: ChangeKind::Modified,
        subject: EventSubject::Item { id: ItemId::new(id), old_id: None, old_parent: None },
        parent: Some(FolderId::new("AAMkcal")),
        at: None,
    }
}

fn folder() -> Event {
    Event { subject: EventSubject::Folder(FolderId::new("AAMkcal")), ..item("") }
}

struct World {
    says: mpsc::Sender<Said>,
    batches: mpsc::Receiver<Batch>,
    reports: mpsc::Receiver<FromTask>,
    /// The stream's task: aborted when the test ends.
    task: tokio_util::task::AbortOnDropHandle<()>,
}

fn start(opened: Result<(), SourceError>) -> World {
    let (says, heard) = mpsc::channel(64);
    let (offered, batches) = mpsc::channel(64);
    let (sender, reports) = mpsc::channel(64);
    let affinity = Affinity { endpoint: String::new(), anchor: mail(1), cookie: None };
    let pump = Pump {
        stream: 7,
        source: Arc::new(Script(Mutex::new(Some(opened.map(|()| heard))))),
        affinity,
        listened: (1..=2).map(|n| (sub(n), (mail(n), FolderId::new("AAMkcal")))).collect(),
        silence_limit: Duration::from_secs(110),
        journal: Journal::for_test(offered),
        reports: sender,
        clock: SystemClock::shared(),
    };
    let task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(pump.run()));
    World { says, batches, reports, task }
}

impl World {
    async fn heard(&mut self) -> Heard {
        match self.reports.recv().await {
            Some(FromTask::Stream(7, heard)) => heard,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn events_of_all_mailboxes_that_came_together_are_one_batch_in_order() {
    let mut world = start(Ok(()));
    for said in [
        Hint::Opened,
        Hint::Events(sub(2), vec![item("b1")]),
        Hint::Events(sub(1), vec![item("a1"), item("a2"), folder()]),
        Hint::Events(sub(9), vec![item("of nobody")]),
        Hint::Events(sub(2), vec![item("b2")]),
        Hint::Missed(vec![sub(1)]),
        Hint::Closed,
    ] {
        world.says.try_send(Ok(said)).unwrap();
    }
    assert_eq!(world.heard().await, Heard::Events { items: vec![mail(1), mail(2)], folders: vec![mail(1)] });
    let batch = world.batches.recv().await.unwrap();
    let items: Vec<&str> = batch.notifications.iter().map(|n| n.item_id.as_ref().unwrap().as_str()).collect();
    assert_eq!(items, ["a1", "a2", "b1", "b2"]);
    assert_eq!(batch.spans.len(), 2, "one span a mailbox");
    let mails: BTreeSet<&MailAddress> = batch.notifications.iter().map(|n| &n.mail).collect();
    assert_eq!(mails.len(), 2);
    assert_eq!(world.heard().await, Heard::Opened);
    assert_eq!(world.heard().await, Heard::Missed(vec![sub(1)]));
    assert_eq!(world.heard().await, Heard::Closed);
    assert_eq!(world.reports.recv().await, None, "the task has ended");
}

#[tokio::test(start_paused = true)]
async fn silence_beyond_the_limit_is_told_and_heartbeats_are_no_silence() {
    let mut world = start(Ok(()));
    let start = tokio::time::Instant::now();
    world.says.try_send(Ok(Hint::Opened)).unwrap();
    assert_eq!(world.heard().await, Heard::Opened);
    let says = world.says.clone();
    let beats = tokio::spawn(async move {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(45)).await;
            says.send(Ok(Hint::Heartbeat)).await.unwrap();
        }
        says
    });
    assert_eq!(world.heard().await, Heard::Silent);
    let silent_after = tokio::time::Instant::now() - start;
    assert_eq!(silent_after, Duration::from_secs(4 * 45 + 110));
    drop(beats.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn every_end_is_told() {
    let mut refused = start(Err(error("refused")));
    assert_eq!(refused.heard().await, Heard::Failed(error("refused")));

    let mut broken = start(Ok(()));
    broken.says.try_send(Ok(Hint::Events(sub(1), vec![item("a")]))).unwrap();
    broken.says.try_send(Err(error("broken"))).unwrap();
    assert!(matches!(broken.heard().await, Heard::Events { .. }));
    assert_eq!(broken.heard().await, Heard::Failed(error("broken")));
    assert_eq!(broken.batches.recv().await.unwrap().notifications.len(), 1, "what came before is kept");

    let mut bad = start(Ok(()));
    let kind = SourceErrorKind::Resubscribe;
    bad.says.try_send(Ok(Hint::BadSubscriptions(vec![sub(2)], kind, "C".into()))).unwrap();
    assert_eq!(bad.heard().await, Heard::Bad { subscriptions: vec![sub(2)], code: "C".into() });
    // the source breaks off without a word
    bad.says = mpsc::channel(1).0;
    assert!(matches!(bad.heard().await, Heard::Failed(error) if error.code == "stream ended"));
    bad.task.await.unwrap();
}
