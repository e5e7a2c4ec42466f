//! Goal: an item that alone cannot be read ends being tried and is listed, and nothing is inferred from its absence;
//! a long series stops nobody. Method: a real database, a calendar in memory.
use calendar::source::SourceErrorKind;
use calendar::testing::{failure, occurrence, single};
use store::notifications::NotificationKind as Kind;

use crate::testkit::{Kit, mail, options, slot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_alone_is_forbidden_is_set_aside_in_the_end_and_listed() {
    let kit = Kit::new(1).await;
    for item in ["bad", "good"] {
        kit.source.put(&mail(1), single(item, item, slot(2, 9)));
    }
    kit.source.set_item_failing("bad", Some(failure(SourceErrorKind::Mailbox)));
    kit.hint(1, &[(Kind::Created, "bad", None), (Kind::Created, "good", None)]).await;
    for attempt in 1..=options().attempts {
        kit.work_anew().await.unwrap();
        assert_eq!(kit.keys(1).await, ["good"], "attempt {attempt}");
    }
    let [aside] =
        &kit.services.store.set_aside_notifications(&store::operations::Scope::All, 10).await.unwrap()[..]
    else {
        panic!("one")
    };
    assert_eq!((aside.mail.as_str(), aside.attempts), (mail(1).as_str(), options().attempts));
    // the right was given: another try is asked for
    kit.source.set_item_failing("bad", None);
    assert_eq!(kit.services.store.retry_notifications(Some(&[aside.id])).await.unwrap(), 1);
    kit.work_anew().await.unwrap();
    assert_eq!(kit.keys(1).await, ["bad", "good"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_refused_because_of_one_item_is_that_items_failure() {
    let kit = Kit::new(1).await;
    for item in ["bad", "good"] {
        kit.source.put(&mail(1), single(item, item, slot(2, 9)));
    }
    kit.source.set_batch_failing("bad", Some(failure(SourceErrorKind::Mailbox)));
    kit.hint(1, &[(Kind::Created, "bad", None), (Kind::Created, "good", None)]).await;
    kit.work_anew().await.unwrap();
    assert_eq!(kit.keys(1).await, ["good"]);
    assert_eq!(kit.waiting().await[0].0, 1, "its tries are counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_occurrence_that_cannot_be_read_stays_and_its_series_is_reconciled() {
    let kit = Kit::new(1).await;
    let all: Vec<_> = (0..5).map(|n| occurrence(&format!("s{n}"), "S", slot(2 + n, 9))).collect();
    kit.source.put_series(&mail(1), "s", "S", all.clone());
    kit.hint(1, &[(Kind::Created, "s", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 5);
    kit.source.set_unreadable_in_windows("s1", true, Some(failure(SourceErrorKind::BadAnswer)));
    kit.source.put_series(&mail(1), "s", "S", all[..3].to_vec());
    kit.hint(1, &[(Kind::Modified, "s", None)]).await;
    kit.work().await.unwrap();
    let items: Vec<String> = kit.there(1).await.into_iter().map(|(_, _, item)| item).collect();
    assert_eq!(items, ["s0", "s1", "s2"]);
    assert!(kit.waiting().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_with_thousands_of_exceptions_is_one_reading_of_the_window() {
    let kit = Kit::new(1).await;
    let all: Vec<_> = (0..3_000)
        .map(|n| occurrence(&format!("s{n:04}"), "S", slot(n / 40, 1 + n % 20)))
        .enumerate()
        .map(|(n, mut one)| {
            // each at a time of its own
            let minutes = jiff::SignedDuration::from_mins(if n % 40 < 20 { 0 } else { 30 });
            one.recurrence_id = one.recurrence_id.map(|at| at + minutes);
            one.slot.start += minutes;
            one
        })
        .collect();
    kit.source.put_series(&mail(1), "s", "S", all);
    let items: Vec<String> = (0..100).map(|n| format!("s{n:04}")).collect();
    let mut hints = vec![(Kind::Created, "s", None)];
    hints.extend(items.iter().map(|item| (Kind::Created, item.as_str(), None)));
    kit.hint(1, &hints).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 3_000);
    let reads = kit.source.calls().into_iter().filter(|call| call.operation == "read_window").count();
    assert_eq!(reads, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_uid_written_like_an_occurrence_of_another_one_is_settled_together_with_it() {
    let (slot_of_both, other) = (slot(2, 9), slot(5, 9));
    let series = [occurrence("s0", "S", slot_of_both)];
    let kit = Kit::new(1).await;
    kit.source.put_series(&mail(1), "s", "S", series.to_vec());
    kit.hint(1, &[(Kind::Created, "s", None)]).await;
    kit.work().await.unwrap();
    let name = kit.keys(1).await.pop().unwrap();
    // "a" comes before "s0", so the name is its own
    kit.source.put(&mail(1), single("a", &name, other));
    kit.hint(1, &[(Kind::Created, "a", None)]).await;
    kit.work().await.unwrap();
    let by_hints = kit.there(1).await;
    assert_eq!((by_hints[0].0.as_str(), by_hints[0].1, by_hints[0].2.as_str()), (name.as_str(), other, "a"));
    assert_eq!((by_hints.len(), by_hints[1].1, by_hints[1].2.as_str()), (2, slot_of_both, "s0"));
    assert!(kit.waiting().await.is_empty());
    // the same the other way round, and it goes again
    kit.hint(1, &[(Kind::Modified, "s0", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await, by_hints);
    kit.source.remove(&mail(1), "a");
    kit.hint(1, &[(Kind::Deleted, "a", None)]).await;
    kit.work().await.unwrap();
    let items: Vec<String> = kit.there(1).await.into_iter().map(|(_, _, item)| item).collect();
    assert_eq!(items, ["s0"]);
    // and after that the series still has its occurrence
    kit.hint(1, &[(Kind::Modified, "s", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.there(1).await.len(), 1);
}
