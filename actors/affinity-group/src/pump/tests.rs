//! Goal: everything a stream says reaches journal and actor, in order, and every way in which it can end is
//! told. Method: a scripted source, the journal's channel read directly, paused time for silence.

use std::collections::BTreeSet;

use base::SystemClock;
use calendar::ItemId;
use calendar::ids::AccountId;
use calendar::source::{Affinity, ChangeKind, EventSubject, SourceErrorKind};
use tokio::sync::mpsc;

use super::*;
use crate::journal::Journal;
use crate::scripted::{Said, Script};

fn error(kind: SourceErrorKind, code: &str) -> SourceError {
    SourceError { operation: "test", kind, code: code.into(), text: String::new(), after: None }
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
    task: tokio_util::task::AbortOnDropHandle<End>,
}

fn start(opened: Result<(), SourceError>) -> World {
    let (says, heard) = mpsc::channel(64);
    let (offered, batches) = mpsc::channel(64);
    let (sender, reports) = mpsc::channel(64);
    let affinity =
        Affinity { endpoint: String::new(), account: AccountId::DEFAULT, anchor: mail(1), cookie: None };
    let listened = (1..=2).map(|n| (sub(n), (mail(n), FolderId::new("AAMkcal")))).collect();
    let order = Order {
        number: 7,
        affinity,
        listened: Arc::new(listened),
        journal: Journal::for_test(offered),
        reports: sender,
    };
    let pump = Pump {
        order,
        source: Arc::new(Script::of([opened.map(|()| heard)])),
        silence_limit: Duration::from_secs(110),
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
    assert_eq!(world.task.await.unwrap(), End::Closed);
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
    let unknown = error(SourceErrorKind::Unknown, "refused");
    let mut refused = start(Err(unknown.clone()));
    assert_eq!(refused.heard().await, Heard::Failed(unknown));
    assert_eq!(refused.task.await.unwrap(), End::Failed("refused".into()));

    let busy =
        SourceError { after: Some(Duration::from_secs(7)), ..error(SourceErrorKind::Unavailable, "busy") };
    let mut away = start(Err(busy.clone()));
    assert_eq!(away.heard().await, Heard::Away(busy));
    assert_eq!(away.task.await.unwrap(), End::Away(Some(Duration::from_secs(7))));

    // an answer has begun and broken off before the stream was open
    let reset = error(SourceErrorKind::Unavailable, "reset");
    let mut half = start(Ok(()));
    half.says.try_send(Err(reset.clone())).unwrap();
    assert_eq!(half.heard().await, Heard::Away(reset.clone()));
    assert_eq!(half.task.await.unwrap(), End::Away(None));

    let mut broken = start(Ok(()));
    broken.says.try_send(Ok(Hint::Events(sub(1), vec![item("a")]))).unwrap();
    broken.says.try_send(Err(reset.clone())).unwrap();
    assert!(matches!(broken.heard().await, Heard::Events { .. }));
    assert_eq!(broken.heard().await, Heard::Failed(reset.clone()));
    assert_eq!(broken.batches.recv().await.unwrap().notifications.len(), 1, "what came before is kept");
    assert_eq!(broken.task.await.unwrap(), End::Failed("reset".into()));

    let mut bad = start(Ok(()));
    let kind = SourceErrorKind::Resubscribe;
    bad.says.try_send(Ok(Hint::BadSubscriptions(vec![sub(2)], kind, "C".into()))).unwrap();
    assert_eq!(bad.heard().await, Heard::Bad { subscriptions: vec![sub(2)], code: "C".into() });
    // the source breaks off, which is no fault on top
    let _ = bad.says.try_send(Err(reset));
    assert_eq!(bad.task.await.unwrap(), End::Bad);
    assert_eq!(bad.reports.recv().await, None, "nothing more is told");
}
