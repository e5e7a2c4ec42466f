//! Goal: what the database refuses of a decision, and a handling that takes too long, are told by their codes. Method: a
//! real database with a constraint that no decision meets; a calendar that does not answer.
use calendar::testing::single;
use store::notifications::NotificationKind as Kind;
use telemetry::{EventReceiver, Telemetry};
use tracing::Dispatch;

use super::tests::{start, system};
use super::*;
use crate::testkit::{Kit, mail, notification, options, resources, services, slot, wait_for};

/// Telemetry of its own, whose events this test takes.
fn telemetry() -> (Telemetry, Dispatch, EventReceiver) {
    let options = telemetry::Options::events_alone(codes::REGISTRY);
    Telemetry::build(options).unwrap()
}

/// The codes raised since the last time, without those that others raise.
fn raised(events: &mut EventReceiver, of: &[u16]) -> Vec<u16> {
    std::iter::from_fn(|| events.try_recv())
        .map(|event| event.code)
        .filter(|code| of.contains(code))
        .collect()
}

const OF_STORING: [u16; 2] = [codes::DECISION_STORE_FAILED.id, codes::ABSENCE_STORE_FAILED.id];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_is_told_as_a_decision_or_as_an_absence() {
    let (_telemetry, dispatch, mut events) = telemetry();
    // handling runs on this thread
    let _here = tracing::dispatcher::set_default(&dispatch);
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(raised(&mut events, &OF_STORING), [0; 0], "nothing is refused yet");

    // live
    kit.refuse("B").await;
    kit.source.put(&mail(1), single("b", "B", slot(3, 9)));
    kit.hint(1, &[(Kind::Created, "b", None)]).await;
    assert_eq!(kit.work().await.unwrap().failed, 1);
    assert_eq!(raised(&mut events, &OF_STORING), [codes::DECISION_STORE_FAILED.id]);

    // in a full read: what is there, and what is not there any more
    let client = kit.database.store.client("test").await.unwrap();
    client.batch_execute("delete from notification").await.unwrap();
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(raised(&mut events, &OF_STORING), [codes::DECISION_STORE_FAILED.id]);
    kit.source.remove(&mail(1), "b");
    kit.source.remove(&mail(1), "a");
    client.batch_execute("alter table calendar_event add constraint stays check (wanted)").await.unwrap();
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(raised(&mut events, &OF_STORING), [codes::ABSENCE_STORE_FAILED.id]);
    assert_eq!(kit.keys(1).await, ["A"], "it is decided when it can be stored");
}

/// Somebody decided meanwhile on a later reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_is_older_than_the_decision_is_told() {
    let (_telemetry, dispatch, mut events) = telemetry();
    let _here = tracing::dispatcher::set_default(&dispatch);
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    kit.work().await.unwrap();
    let client = kit.database.store.client("test").await.unwrap();
    let later = "update calendar_event set version = 7, start_at = start_at + interval '1 day', \
                 end_at = end_at + interval '1 day', reading_began = now() + interval '1 hour'";
    client.batch_execute(later).await.unwrap();
    kit.hint(1, &[(Kind::Modified, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(raised(&mut events, &[codes::READING_STALE.id]), [codes::READING_STALE.id]);
}

#[test]
fn handling_that_takes_too_long_is_told_and_the_mailbox_waits() {
    system(async {
        let (_telemetry, dispatch, mut events) = telemetry();
        // the actor's handlers run on this thread
        let _here = tracing::dispatcher::set_default(&dispatch);
        let database = store::testing::database().await;
        resources(&database, 1).await;
        let source = Arc::new(calendar::testing::FakeCalendar::default());
        source.put(&mail(1), single("a", "A", slot(2, 9)));
        let services = services(&database, &source).await;
        source.close();
        let options = QualifierOptions { job_deadline: Duration::from_millis(300), ..options() };
        let tree = start(&services, options);
        services.store.append(&[notification(1, (Kind::Created, "a", None))]).await.unwrap();
        wait_for(async || match raised(&mut events, &[codes::DECISION_FAILED.id]).as_slice() {
            [] => Err(format!("{} calls of the calendar", source.calls().len())),
            _ => Ok(()),
        })
        .await;
        source.open();
        tree.shutdown().await;
    });
}
