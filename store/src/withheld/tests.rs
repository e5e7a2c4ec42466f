//! Goal: what is withheld is neither deleted nor sent until an operator says so; a key that was seen again or
//! decided about since is never deleted. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;
use calendar::reconcile::{Change, Decision};
use calendar::{ItemId, Known, Uid};

use super::*;
use crate::decisions::{Applied, Done, Effect, Guarded, GuardedRun, KeyQuery};
use crate::inspect::{Happening, HistoryQuery};
use crate::lease::{Fence, LeaseBook};
use crate::testing::{TestDatabase, database};

fn mail() -> MailAddress {
    MailAddress::parse("m0001@sim.test").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn slot(start: i64) -> Slot {
    Slot { start: at(start), end: at(start + 3_600) }
}

async fn fence(database: &TestDatabase) -> Fence {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), Duration::from_secs(60))
        .acquire("qualifier/0", Duration::from_secs(5))
        .await
        .unwrap()
        .fence()
}

async fn sql(database: &TestDatabase, statement: &str) {
    database.store.client("test").await.unwrap().batch_execute(statement).await.unwrap();
}

async fn number(database: &TestDatabase, statement: &str) -> i64 {
    database.store.client("test").await.unwrap().query_one(statement, &[]).await.unwrap().get(0)
}

fn decision(key: &str, expected_version: i64, change: Change) -> Decision {
    Decision {
        origin_id: OriginId::new(key),
        uid: Some(Uid::new(key)),
        recurrence_time: None,
        item_id: Some(ItemId::new(format!("item of {key}"))),
        expected_version,
        change,
    }
}

/// An effect of a reading that began at `began`.
fn effect(began: i64, decisions: Vec<Decision>, guarded: Guarded) -> Effect {
    Effect {
        mail: mail(),
        reading_began: at(began),
        decided_at: at(began + 1),
        bulk: false,
        decisions: decisions.into_iter().map(|decision| (decision, None)).collect(),
        series: Vec::new(),
        masters_gone: Vec::new(),
        fresh: false,
        finished: Vec::new(),
        full_read: false,
        full_read_whole: false,
        full_read_began_db: None,
        guarded,
    }
}

async fn apply(database: &TestDatabase, fence: &Fence, effect: &Effect) -> Done {
    match database.store.apply(fence, effect).await.unwrap() {
        Applied::Done(done) => done,
        Applied::Conflict => panic!("a conflict"),
    }
}

fn missing(key: &str, version: i64) -> MissingKey {
    MissingKey { origin_id: OriginId::new(key), version, slot: slot(10_000) }
}

fn withholds(keys: &[(&str, i64)]) -> Guarded {
    let keys = keys.iter().map(|(key, version)| missing(key, *version)).collect();
    Guarded { seen: Vec::new(), run: GuardedRun::Withholds { keys, from: at(0), there: 5 } }
}

fn seen(keys: &[&str]) -> Guarded {
    Guarded { seen: keys.iter().map(|key| OriginId::new(*key)).collect(), run: GuardedRun::Stays }
}

/// A mailbox in which A, B and C are there and in Planner, and a run that found them missing.
async fn withheld_abc(database: &TestDatabase, fence: &Fence) -> i64 {
    let create = |key| decision(key, 0, Change::Create(slot(10_000)));
    apply(database, fence, &effect(0, vec![create("A"), create("B"), create("C")], Guarded::default())).await;
    sql(database, "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at").await;
    let run = effect(100, Vec::new(), withholds(&[("A", 1), ("B", 1), ("C", 1)]));
    apply(database, fence, &run).await.withheld.unwrap()
}

async fn known(database: &TestDatabase, key: &str) -> Known {
    let query = KeyQuery { origin_ids: vec![OriginId::new(key)], ..KeyQuery::default() };
    database.store.keys(&mail(), &query).await.unwrap().remove(0)
}

async fn held(database: &TestDatabase) -> Vec<(String, bool)> {
    let keys = database.store.withheld_keys(&[mail()], at(200)).await.unwrap();
    keys.into_iter().map(|key| (key.origin_id.as_str().to_owned(), key.rejected)).collect()
}

const PENDING: &str = "select count(*) from calendar_event where pending";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withheld_run_waits_and_is_confirmed_once() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    assert_eq!(number(&database, PENDING).await, 0, "nothing is sent");
    let [listed] = &database.store.withheld_runs(false, at(200)).await.unwrap()[..] else {
        panic!("one run")
    };
    assert_eq!((listed.id, listed.keys, listed.there, listed.remaining), (run, 3, 5, 3));
    assert_eq!(
        (listed.source, &*listed.state, &listed.mail),
        (WithheldSource::FullRead, "withheld", &mail())
    );
    assert_eq!(held(&database).await, ["A", "B", "C"].map(|key| (key.to_owned(), false)));

    let settled = database.store.confirm_withheld(run, "Anna", at(300)).await.unwrap().unwrap();
    assert_eq!((settled.keys, settled.mail), (3, mail()));
    assert_eq!(number(&database, PENDING).await, 3, "the deletions are sent");
    assert!(!known(&database, "A").await.wanted);
    assert_eq!(known(&database, "A").await.version, 2);
    assert_eq!(held(&database).await, []);
    assert_eq!(database.store.withheld_runs(false, at(300)).await.unwrap(), []);
    let [settled] = &database.store.withheld_runs(true, at(300)).await.unwrap()[..] else {
        panic!("one run")
    };
    assert_eq!((&*settled.state, settled.settled.clone()), ("confirmed", Some(("Anna".to_owned(), at(300)))));
    for again in [run, run + 1_000] {
        assert_eq!(database.store.confirm_withheld(again, "Anna", at(301)).await.unwrap(), None);
        assert_eq!(database.store.reject_withheld(again, "Anna", at(301)).await.unwrap(), None);
    }
}

/// A confirmation forgets its keys; the story of each tells it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_of_a_key_tells_who_settled_its_run() {
    let database = database().await;
    let fence = fence(&database).await;
    let told = async |key: &str| -> Vec<(&'static str, i64, String, String, Timestamp)> {
        let (mail, key) = (mail(), OriginId::new(key));
        let query =
            HistoryQuery { mail: &mail, origin_id: Some(&key), since: Timestamp::UNIX_EPOCH, limit: 1_000 };
        let history = database.store.history(&query).await.unwrap();
        let told = history.entries.into_iter().filter_map(|entry| match entry.what {
            Happening::Settled { run, state, by } => Some(("settled", run, state, by, entry.at)),
            Happening::Withheld { run, state, .. } => Some(("withheld", run, state, String::new(), entry.at)),
            _ => None,
        });
        told.collect()
    };
    let run = withheld_abc(&database, &fence).await;
    assert_eq!(told("A").await.len(), 1, "it waits");
    database.store.reject_withheld(run, "Anna", at(200)).await.unwrap().unwrap();
    let [(_, _, state, ..), settled] = &told("A").await[..] else { panic!("both are told") };
    assert_eq!(state, "rejected");
    assert_eq!(*settled, ("settled", run, "rejected".to_owned(), "Anna".to_owned(), at(200)));

    sql(&database, "delete from withheld_run").await;
    let missing = effect(300, Vec::new(), withholds(&[("A", 1), ("B", 1)]));
    let run = apply(&database, &fence, &missing).await.withheld.unwrap();
    database.store.confirm_withheld(run, "Bo", at(400)).await.unwrap().unwrap();
    let [_, settled] = &told("A").await[..] else { panic!("both are told") };
    assert_eq!(*settled, ("settled", run, "confirmed".to_owned(), "Bo".to_owned(), at(400)));
    assert_eq!(told("C").await, [], "it was not in the run");
    // overruled, and told nevertheless
    let back = decision("A", 2, Change::Create(slot(10_000)));
    apply(&database, &fence, &effect(500, vec![back], Guarded::default())).await;
    assert_eq!(told("A").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_seen_or_decided_since_is_not_deleted_by_a_confirmation() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    // A is seen again as it was, B was moved to another time
    apply(&database, &fence, &effect(110, Vec::new(), seen(&["A"]))).await;
    let moved = decision("B", 1, Change::Update(slot(20_000)));
    apply(&database, &fence, &effect(110, vec![moved], Guarded::default())).await;
    assert_eq!(held(&database).await, [("C".to_owned(), false)]);
    assert_eq!(database.store.withheld_runs(false, at(200)).await.unwrap()[0].remaining, 1);
    assert_eq!(database.store.confirm_withheld(run, "Anna", at(300)).await.unwrap().unwrap().keys, 1);
    for (key, wanted) in [("A", true), ("B", true), ("C", false)] {
        assert_eq!(known(&database, key).await.wanted, wanted, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_history() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    let later = at(10_000 + 3_600);
    assert_eq!(database.store.withheld_runs(false, later).await.unwrap(), [], "nothing of it is left");
    assert_eq!(database.store.withheld_runs(true, later).await.unwrap()[0].remaining, 0);
    assert_eq!(database.store.confirm_withheld(run, "Anna", later).await.unwrap().unwrap().keys, 0);
    assert!(known(&database, "A").await.wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_keys_were_all_seen_again_is_cancelled() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    apply(&database, &fence, &effect(110, Vec::new(), seen(&["A", "B"]))).await;
    assert_eq!(database.store.withheld_runs(false, at(200)).await.unwrap().len(), 1);
    apply(&database, &fence, &effect(120, Vec::new(), seen(&["C"]))).await;
    assert_eq!(database.store.withheld_runs(false, at(200)).await.unwrap(), []);
    assert_eq!(database.store.withheld_runs(true, at(200)).await.unwrap()[0].state, "cancelled");
    assert_eq!(database.store.confirm_withheld(run, "Anna", at(300)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_saw_a_key_that_was_confirmed_meanwhile_looks_anew() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    // a reading saw A while the operator confirmed
    database.store.confirm_withheld(run, "Anna", at(300)).await.unwrap().unwrap();
    let late = effect(290, Vec::new(), seen(&["A"]));
    assert_eq!(database.store.apply(&fence, &late).await.unwrap(), Applied::Conflict);
    // it finds the deletion, and its own reading is the later one
    let revived = effect(290, vec![decision("A", 2, Change::Create(slot(10_000)))], Guarded::default());
    assert_eq!(apply(&database, &fence, &revived).await, Done::default());
    assert!(known(&database, "A").await.wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_key_stays_until_a_decision() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    assert_eq!(database.store.reject_withheld(run, "Anna", at(300)).await.unwrap().unwrap().keys, 3);
    assert_eq!(held(&database).await, ["A", "B", "C"].map(|key| (key.to_owned(), true)));
    assert!(known(&database, "A").await.wanted);
    // Exchange reports A as deleted; B is seen again
    let deleted = decision("A", 1, Change::Delete { slot: slot(10_000), inferred: false });
    apply(&database, &fence, &effect(310, vec![deleted], seen(&["B"]))).await;
    assert_eq!(held(&database).await, [("C".to_owned(), true)]);
    assert_eq!(number(&database, PENDING).await, 1, "the reported deletion is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_run_takes_the_place_of_the_one_that_waits() {
    let database = database().await;
    let fence = fence(&database).await;
    let first = withheld_abc(&database, &fence).await;
    let again = effect(400, Vec::new(), withholds(&[("A", 1), ("B", 1)]));
    let second = apply(&database, &fence, &again).await.withheld.unwrap();
    let waiting = database.store.withheld_runs(false, at(500)).await.unwrap();
    assert_eq!(waiting.iter().map(|run| (run.id, run.remaining)).collect::<Vec<_>>(), [(second, 2)]);
    assert_eq!(
        database.store.confirm_withheld(first, "Anna", at(500)).await.unwrap(),
        None,
        "it was replaced"
    );
    let successor = async |run| database.store.withheld_run_successor(run).await.unwrap();
    assert_eq!((successor(first).await, successor(second).await), (Some(second), None));
    let within = Guarded { seen: Vec::new(), run: GuardedRun::Ends };
    let deletes = decision("A", 1, Change::Delete { slot: slot(10_000), inferred: true });
    apply(&database, &fence, &effect(600, vec![deletes], within)).await;
    assert_eq!(database.store.withheld_runs(false, at(700)).await.unwrap(), []);
    assert_eq!(held(&database).await, []);
    assert_eq!(number(&database, PENDING).await, 1);
}

/// A calendar that stays broken is found so by each reading: the number that an operator has in hand goes on being good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_keys_are_still_missing_goes_on_waiting() {
    let database = database().await;
    let fence = fence(&database).await;
    let first = withheld_abc(&database, &fence).await;
    let waiting = async || database.store.withheld_runs(false, at(500)).await.unwrap();
    let before = waiting().await;
    let again = effect(400, Vec::new(), withholds(&[("C", 1), ("A", 1), ("B", 1)]));
    assert_eq!(apply(&database, &fence, &again).await.withheld, Some(first));
    assert_eq!(waiting().await, before);
    assert_eq!(held(&database).await, ["A", "B", "C"].map(|key| (key.to_owned(), false)));
    // a key more is another finding, and so are as many others
    let more = effect(500, Vec::new(), withholds(&[("A", 1), ("B", 1), ("C", 1), ("D", 0)]));
    let second = apply(&database, &fence, &more).await.withheld.unwrap();
    assert_ne!(second, first);
    let others = effect(600, Vec::new(), withholds(&[("A", 1), ("B", 1), ("C", 1), ("E", 0)]));
    assert_ne!(apply(&database, &fence, &others).await.withheld, Some(second));
}

/// The window goes on by a day each night, and what lies before it is not looked for any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_which_some_have_left_the_window_goes_on_waiting() {
    let database = database().await;
    let fence = fence(&database).await;
    let create = |key, start| decision(key, 0, Change::Create(slot(start)));
    let there = vec![create("A", 10_000), create("B", 90_000), create("C", 90_000)];
    apply(&database, &fence, &effect(0, there, Guarded::default())).await;
    let missing = |key: &str, start| MissingKey { slot: slot(start), ..missing(key, 1) };
    let withholds = |keys, from| {
        let run = GuardedRun::Withholds { keys, from: at(from), there: 3 };
        Guarded { seen: Vec::new(), run }
    };
    let all = vec![missing("A", 10_000), missing("B", 90_000), missing("C", 90_000)];
    let first = apply(&database, &fence, &effect(100, Vec::new(), withholds(all, 0))).await.withheld.unwrap();
    let rest = || vec![missing("B", 90_000), missing("C", 90_000)];
    let next_day = effect(200, Vec::new(), withholds(rest(), 13_600));
    assert_eq!(apply(&database, &fence, &next_day).await.withheld, Some(first));
    let [run] = &database.store.withheld_runs(false, at(500)).await.unwrap()[..] else { panic!("one run") };
    assert_eq!((run.id, run.keys, run.remaining), (first, 2, 2));
    assert_eq!(held(&database).await, ["B", "C"].map(|key| (key.to_owned(), false)));
    // in the same window it is another finding
    let fewer = effect(300, Vec::new(), withholds(vec![missing("C", 90_000)], 13_600));
    assert_ne!(apply(&database, &fence, &fewer).await.withheld, Some(first));
}

/// Regression: a reading that had looked before the operator said so withheld the keys again, and a confirmation of that run
/// deleted what was to stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rejected_since_a_reading_looked_stays_rejected() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = withheld_abc(&database, &fence).await;
    database.store.reject_withheld(run, "Anna", at(200)).await.unwrap().unwrap();
    let late = effect(150, Vec::new(), withholds(&[("A", 1), ("B", 1), ("C", 1)]));
    assert_eq!(apply(&database, &fence, &late).await.withheld, None);
    assert_eq!(held(&database).await, ["A", "B", "C"].map(|key| (key.to_owned(), true)));
    assert_eq!(database.store.withheld_runs(false, at(300)).await.unwrap(), []);
}

/// Whoever has an old number in hand is told of the run that counts, over all that came between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_replaced_names_the_last_of_its_successors() {
    let database = database().await;
    let fence = fence(&database).await;
    let first = withheld_abc(&database, &fence).await;
    let newer = async |began, keys: &[(&str, i64)]| {
        let effect = effect(began, Vec::new(), withholds(keys));
        apply(&database, &fence, &effect).await.withheld.unwrap()
    };
    let second = newer(400, &[("A", 1), ("B", 1)]).await;
    let third = newer(500, &[("B", 1), ("C", 1)]).await;
    let successor = async |run| database.store.withheld_run_successor(run).await.unwrap();
    assert_eq!((successor(first).await, successor(second).await), (Some(third), Some(third)));
    // what comes after a run that was settled does not take its place
    database.store.confirm_withheld(third, "Anna", at(600)).await.unwrap().unwrap();
    let other = newer(700, &[("A", 1)]).await;
    assert_eq!((successor(first).await, successor(third).await), (Some(third), None));
    assert_eq!((successor(other).await, successor(99).await), (None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_changed_meanwhile_are_not_withheld() {
    let database = database().await;
    let fence = fence(&database).await;
    let done = apply(&database, &fence, &effect(100, Vec::new(), withholds(&[("A", 1), ("B", 2)]))).await;
    assert_eq!(done, Done::default(), "none of them has that version");
    assert_eq!(number(&database, "select count(*) from withheld_run").await, 0);
}

/// Withholds what a comparison would delete.
async fn compared(database: &TestDatabase, keys: &[MissingKey]) -> i64 {
    let mut client = database.store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    let mail = mail();
    let source = WithheldSource::Comparison;
    let run = Withholding { mail: &mail, source, began: at(100), at: at(101), from: at(0), there: 5, keys };
    let id = withhold(&tx, &run).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    id
}

/// A was decided to be absent though Planner holds it; U is known to Planner alone.
async fn compared_au(database: &TestDatabase, fence: &Fence) -> i64 {
    let create = decision("A", 0, Change::Create(slot(10_000)));
    apply(database, fence, &effect(0, vec![create], Guarded::default())).await;
    let delete = decision("A", 1, Change::Delete { slot: slot(10_000), inferred: false });
    apply(database, fence, &effect(10, vec![delete], Guarded::default())).await;
    assert_eq!(number(database, PENDING).await, 0, "Planner never had it, as far as is known");
    compared(database, &[missing("A", 2), missing("U", 0)]).await
}

const ACKNOWLEDGE: &str = "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at where origin_id = 'A'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparisons_deletions_are_sent_when_they_are_confirmed() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = compared_au(&database, &fence).await;
    // an adoption learns what Planner holds; nothing is sent all the same
    sql(&database, ACKNOWLEDGE).await;
    sql(
        &database,
        "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end) \
         select mail, 'U', true, ack_start, ack_end from calendar_event where origin_id = 'A'",
    )
    .await;
    assert_eq!(number(&database, PENDING).await, 0);
    assert_eq!(database.store.confirm_withheld(run, "Anna", at(300)).await.unwrap().unwrap().keys, 2);
    assert_eq!(number(&database, PENDING).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmed_key_that_only_planner_knows_is_learnt_and_deleted() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = compared_au(&database, &fence).await;
    assert_eq!(database.store.confirm_withheld(run, "Anna", at(300)).await.unwrap().unwrap().keys, 2);
    assert_eq!(number(&database, PENDING).await, 2);
    let unknown = known(&database, "U").await;
    assert_eq!((unknown.version, unknown.wanted, unknown.acknowledged), (1, false, Some(slot(10_000))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_comparison_keeps_planners_keys_until_they_are_decided_about() {
    let database = database().await;
    let fence = fence(&database).await;
    let run = compared_au(&database, &fence).await;
    database.store.reject_withheld(run, "Anna", at(300)).await.unwrap().unwrap();
    sql(&database, ACKNOWLEDGE).await;
    assert_eq!(number(&database, PENDING).await, 0, "it stays in Planner");
    // A comes back and is deleted for good
    let back = decision("A", 2, Change::Create(slot(10_000)));
    apply(&database, &fence, &effect(400, vec![back], Guarded::default())).await;
    assert_eq!(held(&database).await, [("U".to_owned(), true)]);
    let gone = decision("A", 3, Change::Delete { slot: slot(10_000), inferred: false });
    apply(&database, &fence, &effect(500, vec![gone], Guarded::default())).await;
    assert_eq!(number(&database, PENDING).await, 1, "a later deletion is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_comparison_lets_deletions_go_on() {
    let database = database().await;
    let fence = fence(&database).await;
    compared_au(&database, &fence).await;
    sql(&database, ACKNOWLEDGE).await;
    let mut client = database.store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert!(cancel(&tx, &mail(), WithheldSource::Comparison, at(300)).await.unwrap());
    assert!(!cancel(&tx, &mail(), WithheldSource::FullRead, at(300)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(number(&database, PENDING).await, 1);
    assert_eq!(held(&database).await, []);
}
