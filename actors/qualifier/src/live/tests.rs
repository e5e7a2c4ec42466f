//! Goal: after a change was handled, the decisions are what the calendar says, whatever the hints were; what
//! fails alone fails alone, and an outage counts for nothing. Method: a real database, a calendar in memory.
use calendar::source::SourceErrorKind;
use calendar::testing::{failure, occurrence, single};
use calendar::{FreeBusy, Slot};
use store::notifications::NotificationKind as Kind;

use super::*;
use crate::testkit::{Kit, mail, options, slot, window};

fn of<'a>(entries: &'a [(&'a str, Slot, &'a str)]) -> Vec<(String, Slot, String)> {
    entries.iter().map(|(key, slot, item)| ((*key).to_owned(), *slot, (*item).to_owned())).collect()
}

fn outcomes(log: &[(String, String)]) -> Vec<&str> {
    log.iter().map(|(_, outcome)| outcome.as_str()).collect()
}

fn name(uid: &str, slot: Slot) -> String {
    let zone = jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap();
    format!("{uid}${}", slot.start.to_zoned(zone).strftime("%Y%m%d-%H%M%S"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn create_update_free_and_delete() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    let report = kit.work().await.unwrap();
    assert_eq!((report.finished, report.failed), (1, 0));
    assert_eq!(kit.there(1).await, of(&[("A", slot(2, 9), "a")]));
    kit.source.put(&mail(1), single("a", "A", slot(3, 9)));
    kit.hint(1, &[(Kind::Modified, "a", None), (Kind::FreeBusyChanged, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, of(&[("A", slot(3, 9), "a")]));
    // nothing that matters changed
    kit.hint(1, &[(Kind::Modified, "a", None)]).await;
    kit.work().await.unwrap();
    // free, and busy again
    kit.source.put(&mail(1), Appointment { free_busy: FreeBusy::Free, ..single("a", "A", slot(3, 9)) });
    kit.hint(1, &[(Kind::FreeBusyChanged, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, []);
    kit.source.put(&mail(1), single("a", "A", slot(3, 9)));
    kit.hint(1, &[(Kind::Modified, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, of(&[("A", slot(3, 9), "a")]));
    kit.source.remove(&mail(1), "a");
    kit.hint(1, &[(Kind::Deleted, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, []);
    assert_eq!(
        outcomes(&kit.log().await),
        ["created", "updated", "updated", "unchanged", "deleted", "created", "deleted"]
    );
    assert!(kit.waiting().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_alone_proves_nothing() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    // said to be deleted, but it is there; said to be created, but it is not
    kit.hint(1, &[(Kind::Deleted, "a", None), (Kind::Created, "b", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"]);
    assert_eq!(outcomes(&kit.log().await), ["created", "unchanged"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_the_calendar_and_back_under_a_new_id() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    kit.work().await.unwrap();
    kit.source.relocate(&mail(1), "a", "b", false);
    // a user's delete: the item moves to another folder; late events come for the new id
    kit.hint(
        1,
        &[(Kind::Modified, "a", None), (Kind::Moved, "b", Some("a")), (Kind::FreeBusyChanged, "b", None)],
    )
    .await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, []);
    kit.source.relocate(&mail(1), "b", "c", true);
    kit.hint(1, &[(Kind::Moved, "c", Some("b"))]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, of(&[("A", slot(2, 9), "c")]));
    // the late word that "a" is gone removes nothing
    kit.hint(1, &[(Kind::Deleted, "a", None), (Kind::SyncDelete, "b", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"]);
    // moved within one reading: only the item id is another
    kit.source.relocate(&mail(1), "c", "d", true);
    kit.hint(1, &[(Kind::SyncDelete, "c", None), (Kind::SyncChange, "d", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, of(&[("A", slot(2, 9), "d")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_of_a_uid_are_settled_on_what_is_there() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("b", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "b", None)]).await;
    kit.work().await.unwrap();
    // a copy with a smaller id takes the name; the first one gets one of its own
    kit.source.put(&mail(1), single("a", "A", slot(3, 9)));
    kit.hint(1, &[(Kind::Copied, "a", Some("b"))]).await;
    kit.work().await.unwrap();
    let there = kit.there(1).await;
    assert_eq!(there.len(), 2);
    assert_eq!((there[0].0.as_str(), there[0].1, there[0].2.as_str()), ("A", slot(3, 9), "a"));
    assert!(there[1].0.starts_with("A#") && there[1].0.len() == "A#".len() + 16);
    assert_eq!((there[1].1, there[1].2.as_str()), (slot(2, 9), "b"));
    // the copy goes, and nobody says anything about the other
    kit.source.remove(&mail(1), "a");
    kit.hint(1, &[(Kind::Deleted, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, of(&[("A", slot(2, 9), "b")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_to_series_to_single() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("x", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "x", None)]).await;
    kit.work().await.unwrap();
    let days = [slot(2, 9), slot(3, 9), slot(4, 9)];
    let unfold = |moved: Slot| {
        let mut occurrences: Vec<_> =
            days.iter().enumerate().map(|(n, day)| occurrence(&format!("x{n}"), "A", *day)).collect();
        occurrences[1].slot = moved;
        occurrences
    };
    kit.source.put_series(&mail(1), "x", "A", unfold(days[1]));
    kit.hint(1, &[(Kind::Modified, "x", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, days.map(|day| name("A", day)));
    // an exception: the key stays that of its original start
    kit.source.put_series(&mail(1), "x", "A", unfold(slot(3, 14)));
    kit.hint(1, &[(Kind::Modified, "x", None)]).await;
    kit.work().await.unwrap();
    let there = kit.there(1).await;
    assert_eq!((there[1].0.clone(), there[1].1), (name("A", days[1]), slot(3, 14)));
    // one occurrence deleted
    let mut fewer = unfold(slot(3, 14));
    fewer.remove(2);
    kit.source.put_series(&mail(1), "x", "A", fewer);
    kit.hint(1, &[(Kind::Modified, "x", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, [name("A", days[0]), name("A", days[1])]);
    kit.source.put(&mail(1), single("x", "A", slot(5, 9)));
    kit.hint(1, &[(Kind::Modified, "x", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, of(&[("A", slot(5, 9), "x")]));
    let series = kit.services.store.series(&mail(1), &[], &[Uid::new("A")]).await.unwrap();
    assert!(series.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_master_takes_its_occurrences_with_it() {
    let kit = Kit::new(1).await;
    let occurrences = vec![
        occurrence("x1", "A", slot(2, 9)),
        occurrence("x2", "A", slot(3, 9)),
        occurrence("x3", "A", slot(400, 9)),
    ];
    kit.source.put_series(&mail(1), "x", "A", occurrences);
    kit.source.put(&mail(1), single("b", "B", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "x", None), (Kind::Created, "b", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 3);
    kit.source.remove(&mail(1), "x");
    kit.hint(1, &[(Kind::Deleted, "x", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["B"]);
    assert_eq!(kit.log().await.last().unwrap().1, "deleted");
}

/// The masters of series that a full read found are asked for, and that may fail: the deletion of one names an
/// item that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_master_that_could_not_be_found_takes_its_occurrences_with_it() {
    let kit = Kit::new(1).await;
    kit.source.put_series(&mail(1), "x", "A", vec![occurrence("x1", "A", slot(2, 9))]);
    kit.source.put_series(&mail(1), "y", "B", vec![occurrence("y1", "B", slot(3, 9))]);
    kit.source.put(&mail(1), single("c", "C", slot(2, 9)));
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 3);
    let client = kit.database.store.client("test").await.unwrap();
    client.batch_execute("delete from series").await.unwrap();
    kit.source.remove(&mail(1), "x");
    kit.hint(1, &[(Kind::Deleted, "x", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, [name("B", slot(3, 9)), "C".to_owned()]);
    // the other's master was asked for again, so a stranger costs no more than its own reading
    let before = kit.source.calls().len();
    kit.hint(1, &[(Kind::Deleted, "stranger", None)]).await;
    kit.work().await.unwrap();
    let calls = kit.source.calls().split_off(before);
    assert_eq!(calls.iter().map(|call| call.operation).collect::<Vec<_>>(), ["read_items"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_master_is_learned_again() {
    let kit = Kit::new(1).await;
    kit.source.put_series(&mail(1), "x", "A", vec![occurrence("x1", "A", slot(2, 9))]);
    kit.hint(1, &[(Kind::Created, "x", None)]).await;
    kit.work().await.unwrap();
    kit.source.relocate(&mail(1), "x", "y", true);
    // only that the old one is gone is told
    kit.hint(1, &[(Kind::SyncDelete, "x", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, [name("A", slot(2, 9))]);
    let series = kit.services.store.series(&mail(1), &[], &[Uid::new("A")]).await.unwrap();
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].item_id.as_str(), "y");
    // a hint about an occurrence itself concerns its series
    kit.source.put_series(
        &mail(1),
        "y",
        "A",
        vec![occurrence("x1", "A", slot(2, 9)), occurrence("x2", "A", slot(3, 9))],
    );
    kit.hint(1, &[(Kind::Modified, "x2", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_takes_one_reading_and_one_of_the_window() {
    let kit = Kit::new(1).await;
    kit.source.put_series(&mail(1), "x", "A", vec![occurrence("x1", "A", slot(2, 9))]);
    kit.source.put_series(&mail(1), "y", "B", vec![occurrence("y1", "B", slot(2, 9))]);
    kit.source.put(&mail(1), single("c", "C", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "x", None), (Kind::Created, "y", None), (Kind::Created, "c", None)]).await;
    kit.work().await.unwrap();
    let calls = kit.source.calls();
    assert_eq!(calls.iter().map(|call| call.operation).collect::<Vec<_>>(), ["read_items", "read_window"]);
    assert_eq!(calls[0].items.len(), 3);
    assert_eq!(kit.keys(1).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_counts_for_nothing_and_changes_nothing() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    for kind in [SourceErrorKind::Unavailable, SourceErrorKind::Credentials, SourceErrorKind::BadAnswer] {
        kit.source.set_down(Some(failure(kind)));
        let error = kit.work_anew().await.unwrap_err();
        assert!(error.disposition().is_retry(), "{kind:?}: {error:?}");
    }
    assert_eq!(kit.waiting().await, [(0, None, false)]);
    kit.source.set_down(None);
    kit.work_anew().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_mailbox_is_an_error_of_the_whole() {
    let kit = Kit::new(1).await;
    kit.source.set_mailbox_failing(&mail(1), Some(failure(SourceErrorKind::Mailbox)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    let error = kit.work().await.unwrap_err();
    assert!(error.is_of_mailbox() && error.disposition().is_retry(), "{error:?}");
    assert_eq!(kit.waiting().await, [(0, None, false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisonous_item_fails_alone_and_is_set_aside() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("good", "A", slot(2, 9)));
    kit.source.put(&mail(1), single("bad", "B", slot(2, 9)));
    kit.source.put(&mail(1), single("worse", "C", slot(2, 9)));
    // the one says so itself, the other breaks every batch that it is in
    kit.source.set_item_failing("bad", Some(failure(SourceErrorKind::Unknown)));
    kit.source.set_batch_failing("worse", Some(failure(SourceErrorKind::BadAnswer)));
    let created = |item| (Kind::Created, item, None);
    kit.hint(1, &[created("bad"), created("worse"), created("good")]).await;
    let report = kit.work().await.unwrap();
    assert_eq!((report.finished, report.failed), (1, 2));
    assert!(report.again_at.is_some());
    assert_eq!(kit.keys(1).await, ["A"]);
    for attempt in 2..=options().attempts {
        let report = kit.work().await.unwrap();
        assert_eq!((report.finished, report.failed), (0, 2), "attempt {attempt}");
    }
    let waiting = kit.waiting().await;
    let error = "fake failed: Unknown: scripted".to_owned();
    assert_eq!(waiting[0], (3, Some(error), true));
    assert_eq!(waiting[1], (3, Some("fake failed: BadAnswer: scripted".to_owned()), true));
    // set aside for good; others of the mailbox go on
    kit.hint(1, &[created("good")]).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_on_which_the_service_chokes_waits_without_counting_and_without_holding_up_others() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("good", "A", slot(2, 9)));
    kit.source.put(&mail(1), single("choke", "B", slot(2, 9)));
    kit.source.set_batch_failing("choke", Some(failure(SourceErrorKind::Unavailable)));
    kit.hint(1, &[(Kind::Created, "choke", None), (Kind::Created, "good", None)]).await;
    // at first it looks like an outage
    assert!(kit.work().await.is_err());
    assert_eq!(kit.keys(1).await, Vec::<String>::new());
    // then it is doubted
    let report = kit.work_anew_after(3).await.unwrap();
    assert_eq!((report.finished, report.failed), (1, 1));
    assert_eq!(kit.keys(1).await, ["A"]);
    assert_eq!(kit.waiting().await[0].0, 0);
    assert!(!kit.waiting().await[0].2);
    // a real outage is still one
    kit.source.set_down(Some(failure(SourceErrorKind::Unavailable)));
    assert!(kit.work_anew_after(9).await.is_err());
    kit.source.set_down(None);
    kit.source.set_batch_failing("choke", None);
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"], "claimed already");
    kit.work_anew().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A", "B"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_is_the_failure_of_its_item() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("good", "A", slot(2, 9)));
    kit.refuse("B").await;
    kit.source.put(&mail(1), single("bad", "B", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "bad", None), (Kind::Created, "good", None)]).await;
    let report = kit.work().await.unwrap();
    assert_eq!((report.finished, report.failed), (1, 1));
    assert_eq!(kit.keys(1).await, ["A"]);
    for _ in 2..=options().attempts {
        kit.work().await.unwrap();
    }
    let waiting = kit.waiting().await;
    assert_eq!((waiting[0].0, waiting[0].2), (3, true));
    assert!(waiting[0].1.as_ref().unwrap().contains("store decisions"), "{waiting:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_that_nothing_can_carry_do_not_stop_the_others() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("bad", "A\u{1}B", slot(2, 9)));
    kit.source.put(&mail(1), single("long", &"x".repeat(5_000), slot(2, 9)));
    kit.source.put(&mail(1), single("good", "A", slot(2, 9)));
    let created = |item| (Kind::Created, item, None);
    kit.hint(1, &[created("bad"), created("long"), created("good")]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_without_uid_has_a_key_of_its_own() {
    let kit = Kit::new(1).await;
    let nameless = |day| Appointment { uid: None, ..single("n", "", slot(day, 9)) };
    kit.source.put(&mail(1), nameless(2));
    kit.hint(1, &[(Kind::Created, "n", None)]).await;
    kit.work().await.unwrap();
    let keys = kit.keys(1).await;
    assert!(keys[0].starts_with("ITEM#") && keys.len() == 1, "{keys:?}");
    kit.source.put(&mail(1), nameless(3));
    kit.hint(1, &[(Kind::Modified, "n", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await[0].1, slot(3, 9));
    kit.source.remove(&mail(1), "n");
    kit.hint(1, &[(Kind::Deleted, "n", None)]).await;
    kit.work().await.unwrap();
    assert!(kit.keys(1).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_that_are_not_in_use_or_not_located() {
    let kit = Kit::new(2).await;
    let client = kit.database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "update planner_resource set deleted_date = now() where mail = 'm0001@sim.test';
             update planner_resource set endpoint = null where mail = 'm0002@sim.test'",
        )
        .await
        .unwrap();
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
    kit.hint(7, &[(Kind::Created, "a", None)]).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
    assert_eq!(outcomes(&kit.log().await), ["not in use", "no such resource"]);
    kit.hint(2, &[(Kind::Created, "a", None)]).await;
    assert!(matches!(kit.work().await, Err(QualifierError::NotLocated)));
    assert_eq!(kit.waiting().await, [(0, None, false)]);
    assert!(kit.source.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_older_than_the_decision_is_discarded() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    kit.work().await.unwrap();
    // somebody decided meanwhile on a later reading
    let client = kit.database.store.client("test").await.unwrap();
    client
        .execute(
            "update calendar_event set version = 7, start_at = $1, end_at = $2, reading_began = now() + interval '1 hour'",
            &[&slot(9, 9).start, &slot(9, 9).end],
        )
        .await
        .unwrap();
    kit.hint(1, &[(Kind::Modified, "a", None)]).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
    assert_eq!(kit.there(1).await, of(&[("A", slot(9, 9), "a")]));
    assert!(kit.waiting().await.is_empty());
}

/// The shard came from an instance whose clock is ahead, or our own clock was set back: what was decided there is
/// no reason to lose what happens now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_from_the_future_loses_no_change() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    let series = [occurrence("o1", "S", slot(3, 9)), occurrence("o2", "S", slot(4, 9))];
    series.iter().for_each(|one| kit.source.put(&mail(1), one.clone()));
    kit.hint(1, &[(Kind::Created, "a", None), (Kind::Created, "o1", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 3);
    let client = kit.database.store.client("test").await.unwrap();
    let ahead = "update calendar_event set reading_began = reading_began + interval '1 hour', \
                                           decided_at = decided_at + interval '1 hour'";
    client.batch_execute(ahead).await.unwrap();
    kit.source.put(&mail(1), single("a", "A", slot(5, 9)));
    kit.source.remove(&mail(1), "o2");
    kit.hint(1, &[(Kind::Modified, "a", None), (Kind::Modified, "o1", None)]).await;
    kit.work().await.unwrap();
    let there = kit.there(1).await;
    assert_eq!(there.len(), 2, "{there:?}");
    assert_eq!(there[0], ("A".to_owned(), slot(5, 9), "a".to_owned()));
    // and once more, against decisions that still lie in the future
    kit.source.remove(&mail(1), "a");
    kit.hint(1, &[(Kind::Deleted, "a", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adopted_keys_are_decided_about_by_their_names() {
    let kit = Kit::new(1).await;
    let client = kit.database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end) \
             values ('m0001@sim.test', 'A', true, $1, $2), ('m0001@sim.test', 'B', true, $1, $2)",
            &[&slot(2, 9).start, &slot(2, 9).end],
        )
        .await
        .unwrap();
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.source.put(&mail(1), Appointment { free_busy: FreeBusy::Free, ..single("b", "B", slot(2, 9)) });
    kit.hint(1, &[(Kind::Modified, "a", None), (Kind::Modified, "b", None)]).await;
    kit.work().await.unwrap();
    let rows = client
        .query("select origin_id, wanted, pending from calendar_event order by origin_id", &[])
        .await
        .unwrap();
    let rows: Vec<(&str, bool, bool)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(rows, [("A", true, false), ("B", false, true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lease_stops_the_work() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    let batch = LiveBatch {
        mail: mail(1),
        items: vec![DueItem { item_id: ItemId::new("a"), notifications: kit.claim().await }],
        failures: 0,
    };
    kit.services.leases.acquire("qualifier/0", std::time::Duration::from_secs(5)).await.unwrap();
    let error = handle(&kit.office, &batch).await.unwrap_err();
    assert!(matches!(error, QualifierError::Store(store::StoreError::LeaseLost { .. })), "{error:?}");
    assert!(kit.keys(1).await.is_empty());
    assert!(window().overlaps(slot(2, 9)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_left_alone_while_one_of_its_items_cannot_be_read() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("b", "A", slot(2, 9)));
    kit.source.put(&mail(1), single("x", "X", slot(2, 9)));
    kit.hint(1, &[(Kind::Created, "b", None)]).await;
    kit.work().await.unwrap();
    // a copy comes, and the first one cannot be read: which of them has the name cannot be told
    kit.source.put(&mail(1), single("a", "A", slot(3, 9)));
    kit.source.set_item_failing("b", Some(failure(SourceErrorKind::Unknown)));
    kit.hint(1, &[(Kind::Created, "a", None), (Kind::Created, "x", None)]).await;
    let report = kit.work().await.unwrap();
    assert_eq!((report.finished, report.failed), (1, 1));
    assert_eq!(kit.there(1).await, of(&[("A", slot(2, 9), "b"), ("X", slot(2, 9), "x")]));
    kit.source.set_item_failing("b", None);
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await.len(), 3);
}
