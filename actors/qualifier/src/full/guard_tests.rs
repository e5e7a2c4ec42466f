//! Goal: the mass-delete guard of the full read in the database: withheld, confirmed, rejected, cancelled by
//! reappearance, replaced; and what a reading cannot read is left as it is. Method: a real database, a calendar in memory.
use calendar::source::SourceErrorKind;
use calendar::testing::{failure, occurrence, single};
use store::notifications::NotificationKind as Kind;
use store::withheld::{WithheldRun, WithheldSource};

use crate::testkit::{Kit, mail, slot};

/// Twenty appointments, read once.
async fn twenty() -> Kit {
    let kit = Kit::new(1).await;
    (0..20).for_each(|n| put(&kit, n));
    read(&kit).await;
    assert_eq!(kit.keys(1).await.len(), 20);
    kit
}

fn put(kit: &Kit, n: i64) {
    kit.source.put(&mail(1), single(&format!("i{n:02}"), &format!("U{n:02}"), slot(2 + n, 9)));
}

fn remove(kit: &Kit, items: std::ops::Range<i64>) {
    items.for_each(|n| kit.source.remove(&mail(1), &format!("i{n:02}")));
}

async fn read(kit: &Kit) {
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
}

async fn runs(kit: &Kit) -> Vec<WithheldRun> {
    kit.services.store.withheld_runs(false, kit.office.now()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_missing_are_withheld_and_everything_else_is_stored() {
    let kit = twenty().await;
    remove(&kit, 0..10);
    kit.source.put(&mail(1), single("new", "N", slot(3, 9)));
    kit.source.put(&mail(1), single("i19", "U19", slot(30, 9)));
    read(&kit).await;
    assert_eq!(kit.keys(1).await.len(), 11, "ten are within the limits");
    remove(&kit, 10..20);
    (40..45).for_each(|n| put(&kit, n));
    kit.source.remove(&mail(1), "new");
    read(&kit).await;
    // all eleven are missing: none is deleted, the five new ones are there
    assert_eq!(kit.keys(1).await.len(), 16);
    let [run] = &runs(&kit).await[..] else { panic!("one run") };
    assert_eq!((run.keys, run.there, run.remaining, run.source), (11, 11, 11, WithheldSource::FullRead));
    let client = kit.database.store.client("test").await.unwrap();
    let text = "select text from notification_log order by id desc limit 1";
    let text: String = client.query_one(text, &[]).await.unwrap().get(0);
    assert_eq!(text, "found 5, created 5, updated 0, deleted 0, deletions withheld 11 of 11");
    // the same reading again: one run, not two, and under the number that was told
    read(&kit).await;
    let again = runs(&kit).await;
    assert_eq!((again.len(), again[0].id, again[0].remaining, again[0].there), (1, run.id, 11, 16));
    kit.services.store.confirm_withheld(again[0].id, "Anna", kit.office.now()).await.unwrap().unwrap();
    assert_eq!(kit.keys(1).await.len(), 5);
    assert_eq!(runs(&kit).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reappearance_cancels_key_by_key_by_a_change_and_by_a_full_read() {
    let kit = twenty().await;
    remove(&kit, 0..15);
    read(&kit).await;
    assert_eq!(runs(&kit).await[0].remaining, 15);
    // the same item again, told by a hint; then one under a new item id, as after a restore
    put(&kit, 0);
    kit.hint(1, &[(Kind::Created, "i00", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(runs(&kit).await[0].remaining, 14);
    kit.source.put(&mail(1), single("restored", "U01", slot(3, 9)));
    kit.hint(1, &[(Kind::Created, "restored", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(runs(&kit).await[0].remaining, 13);
    // moved to other times: a decision
    kit.source.put(&mail(1), single("i02", "U02", slot(40, 9)));
    kit.hint(1, &[(Kind::Created, "i02", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(runs(&kit).await[0].remaining, 12);
    let run = runs(&kit).await[0].id;
    // the rest comes back; the reading says so
    (3..15).for_each(|n| put(&kit, n));
    read(&kit).await;
    assert_eq!(runs(&kit).await, []);
    assert_eq!(kit.services.store.confirm_withheld(run, "Anna", kit.office.now()).await.unwrap(), None);
    assert_eq!(kit.keys(1).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_keys_stay_until_they_are_explicitly_deleted() {
    let kit = twenty().await;
    remove(&kit, 0..15);
    read(&kit).await;
    let run = runs(&kit).await[0].id;
    kit.services.store.reject_withheld(run, "Anna", kit.office.now()).await.unwrap().unwrap();
    read(&kit).await;
    assert_eq!(kit.keys(1).await.len(), 20, "no inference deletes them");
    assert_eq!(runs(&kit).await, []);
    kit.hint(1, &[(Kind::Deleted, "i00", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 19);
    // one comes back and goes again: it is like any other
    put(&kit, 1);
    read(&kit).await;
    remove(&kit, 1..2);
    read(&kit).await;
    assert_eq!(kit.keys(1).await.len(), 18);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reported_deletions_and_a_series_that_was_read_again_are_not_guarded() {
    let kit = twenty().await;
    let occurrences: Vec<_> =
        (0..30).map(|n| occurrence(&format!("s{n:02}"), "S", slot(2 + n, 12))).collect();
    kit.source.put_series(&mail(1), "s", "S", occurrences[..30].to_vec());
    kit.hint(1, &[(Kind::Created, "s", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 50);
    // its end date was moved: 29 occurrences are gone
    kit.source.put_series(&mail(1), "s", "S", occurrences[..1].to_vec());
    kit.hint(1, &[(Kind::Modified, "s", None)]).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 21);
    remove(&kit, 0..20);
    let items: Vec<String> = (0..20).map(|n| format!("i{n:02}")).collect();
    let hints: Vec<_> = items.iter().map(|item| (Kind::Deleted, item.as_str(), None)).collect();
    kit.hint(1, &hints).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 1);
    assert_eq!(runs(&kit).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_read_that_lacks_what_planner_holds_is_guarded() {
    let kit = Kit::new(1).await;
    let client = kit.database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end) \
             select 'm0001@sim.test', 'P' || n, true, $1, $2 from generate_series(1, 30) as n",
            &[&slot(2, 9).start, &slot(2, 9).end],
        )
        .await
        .unwrap();
    (0..5).for_each(|n| put(&kit, n));
    read(&kit).await;
    let [run] = &runs(&kit).await[..] else { panic!("one run") };
    assert_eq!((run.keys, run.there), (30, 30));
    let pending = "select count(*) from calendar_event where pending";
    let pending = async || -> i64 { client.query_one(pending, &[]).await.unwrap().get(0) };
    assert_eq!(pending().await, 5, "the new ones are sent, nothing is deleted");
    kit.services.store.confirm_withheld(run.id, "Anna", kit.office.now()).await.unwrap().unwrap();
    assert_eq!(pending().await, 35);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_answers_empty_deletes_nothing() {
    let kit = twenty().await;
    remove(&kit, 0..20);
    read(&kit).await;
    assert_eq!(kit.keys(1).await.len(), 20);
    assert_eq!(runs(&kit).await[0].remaining, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_cannot_be_read_is_never_taken_for_absent_and_hides_nobody_else() {
    let kit = Kit::new(1).await;
    (0..4).for_each(|n| put(&kit, n));
    read(&kit).await;
    kit.source.set_unreadable_in_windows("i00", true, Some(failure(SourceErrorKind::BadAnswer)));
    remove(&kit, 1..2);
    kit.source.put(&mail(1), single("i02", "U02", slot(12, 9)));
    put(&kit, 7);
    read(&kit).await;
    // the missing one is deleted, the others are as they are, the unreadable one is as it was
    assert_eq!(kit.keys(1).await, ["U00", "U02", "U03", "U07"]);
    assert_eq!(kit.there(1).await[1].1, slot(12, 9));
    assert_eq!(kit.log().await.last().unwrap().1, "full read in part");
    let client = kit.database.store.client("test").await.unwrap();
    let read_in_full = "select last_full_sync is not null from planner_resource";
    assert!(client.query_one(read_in_full, &[]).await.unwrap().get::<_, bool>(0), "sending can begin");
    let whole = async || -> Option<bool> {
        client.query_one("select full_read_whole from planner_resource", &[]).await.unwrap().get(0)
    };
    assert_eq!(whole().await, Some(false));
    // not even known which one: then nothing in that time is inferred to be absent
    kit.source.set_unreadable_in_windows("i00", false, Some(failure(SourceErrorKind::BadAnswer)));
    remove(&kit, 2..4);
    put(&kit, 8);
    read(&kit).await;
    assert_eq!(kit.keys(1).await, ["U00", "U02", "U03", "U07", "U08"]);
    kit.source.set_unreadable_in_windows("i00", false, None);
    read(&kit).await;
    assert_eq!(kit.keys(1).await, ["U00", "U07", "U08"]);
    assert_eq!(whole().await, Some(true));
    // what the database refuses was not stored
    kit.refuse("U09").await;
    put(&kit, 9);
    read(&kit).await;
    assert_eq!(whole().await, Some(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_is_not_worn_down_by_readings_that_hide_most_of_it() {
    let kit = twenty().await;
    remove(&kit, 0..18);
    read(&kit).await;
    assert_eq!(runs(&kit).await[0].remaining, 18);
    // something unreadable lies over all but five of them
    let stretch = calendar::Slot { start: slot(7, 0).start, end: slot(21, 0).start };
    kit.source.put(&mail(1), single("long", "L", stretch));
    kit.source.set_unreadable_in_windows("long", false, Some(failure(SourceErrorKind::BadAnswer)));
    for _ in 0..2 {
        read(&kit).await;
        assert_eq!(kit.keys(1).await.len(), 20, "nothing is deleted without an operator");
        assert_eq!(runs(&kit).await[0].remaining, 18);
    }
    // it can be read, most come back: what is still lacking is within the limits
    kit.source.set_unreadable_in_windows("long", false, None);
    kit.source.remove(&mail(1), "long");
    (5..18).for_each(|n| put(&kit, n));
    read(&kit).await;
    assert_eq!(kit.keys(1).await.len(), 15);
    assert_eq!(runs(&kit).await, []);
}
