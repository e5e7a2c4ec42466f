//! Goal: what is withheld waits for an operator, who settles exactly what they saw: seeing a resource again
//! takes it out, a list that lacks others replaces the run, a good one cancels it, and a rejected resource
//! stays until it is listed again. Method: a table for the course, a real database for the rest.

use super::*;
use crate::outbox::testing::{fence, number, resource, sql};
use crate::resource_list::requests::ListOutcome;
use crate::testing::database;

fn mails(names: &[&str]) -> BTreeSet<MailAddress> {
    names.iter().map(|name| MailAddress::parse(&format!("{name}@x")).unwrap()).collect()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

/// A refresh whose plan says this; what it knew.
async fn refresh(store: &Store, withheld: &[&str], reappeared: &[&str]) -> (KnownList, RunChange) {
    let fence = fence(store, "communicator/resource-list").await;
    let changes =
        ListChanges { withheld: mails(withheld), reappeared: mails(reappeared), ..ListChanges::default() };
    let outcome =
        |_: &KnownList| ListOutcome { began: now(), at: now(), answered: true, text: String::new() };
    let refreshed =
        store.refresh_resources(&fence, now(), |known| (changes, known.clone()), outcome).await.unwrap();
    (refreshed.summary, refreshed.run)
}

async fn in_use(store: &Store) -> i64 {
    number(store, "select count(*) from planner_resource where deleted_date is null").await
}

#[test]
fn the_course_of_a_run() {
    let (few, many, others) = (mails(&["a"]), mails(&["a", "b"]), mails(&["b", "c"]));
    let none = BTreeSet::new();
    for (open, withheld, expected) in [
        (None, &none, Course::Nothing),
        (None, &many, Course::Open),
        (Some(&many), &none, Course::Cancel),
        (Some(&many), &many, Course::Keep),
        (Some(&many), &few, Course::Keep),
        (Some(&many), &others, Course::Replace),
        (Some(&few), &many, Course::Replace),
        (Some(&none), &none, Course::Cancel),
        (Some(&none), &few, Course::Replace),
    ] {
        assert_eq!(course(open, withheld), expected, "{open:?} {withheld:?}");
    }
}

#[tokio::test]
async fn a_run_waits_shrinks_and_is_confirmed() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x", "b@x", "c@x", "d@x"] {
        resource(store, name).await;
    }
    let (_, RunChange::Opened(run)) = refresh(store, &["a", "b", "c"], &[]).await else {
        panic!("not opened")
    };
    let (known, change) = refresh(store, &["b", "c"], &["a"]).await;
    assert_eq!((known.withheld, change), (mails(&["a", "b", "c"]), RunChange::Kept(run)));
    let (list, resources) = store.withheld_list(run).await.unwrap().unwrap();
    assert_eq!((list.missing, list.in_use_before, list.state), (2, 4, RunState::Withheld));
    assert_eq!((resources.len(), resources[0].reappeared_at), (3, Some(now())));
    // c was blocked meanwhile: it stays as it is
    sql(store, "insert into planner_resource_blacklist (mail, reason, added_by) values ('c@x', 'r', 'me')")
        .await;
    assert_eq!(store.confirm_withheld_list(run, "kim", now()).await.unwrap(), Settled::Done(1));
    assert_eq!(
        number(
            store,
            "select count(*) from planner_resource where mail = 'b@x' and deleted_reason = 'P-NotInPlanner'"
        )
        .await,
        1
    );
    assert_eq!(in_use(store).await, 3);
    let again = store.reject_withheld_list(run, "bo", now()).await.unwrap();
    assert_eq!(again, Settled::Already(RunState::Confirmed));
    assert_eq!(store.withheld_lists(9).await.unwrap()[0].settled_by.as_deref(), Some("kim"));
    assert_eq!(store.confirm_withheld_list(77, "kim", now()).await.unwrap(), Settled::Unknown);
    assert_eq!(refresh(store, &[], &[]).await.1, RunChange::None);
}

#[tokio::test]
async fn a_list_that_lacks_others_replaces_the_run_and_one_that_lacks_few_cancels_it() {
    let database = database().await;
    let store = &database.store;
    let (_, RunChange::Opened(first)) = refresh(store, &["a", "b"], &[]).await else { panic!("not opened") };
    let (_, RunChange::Replaced { old, new }) = refresh(store, &["b", "c"], &["a"]).await else {
        panic!("not replaced")
    };
    assert_eq!(old, first);
    let settled = store.confirm_withheld_list(first, "kim", now()).await.unwrap();
    assert_eq!(settled, Settled::Already(RunState::Cancelled), "nobody confirms what they have not seen");
    let successor = async |run| store.withheld_list_successor(run).await.unwrap();
    assert_eq!((successor(first).await, successor(new).await), (Some(new), None));
    assert_eq!(refresh(store, &[], &["b"]).await.1, RunChange::Cancelled(new));
    let states: Vec<_> =
        store.withheld_lists(9).await.unwrap().iter().map(|list| (list.id, list.state)).collect();
    assert_eq!(states, [(new, RunState::Cancelled), (first, RunState::Cancelled)]);
    assert!(refresh(store, &[], &[]).await.0.withheld.is_empty());
}

#[tokio::test]
async fn a_rejected_resource_stays_until_it_is_listed_again() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x", "b@x"] {
        resource(store, name).await;
    }
    let (_, RunChange::Opened(run)) = refresh(store, &["a", "b"], &[]).await else { panic!("not opened") };
    assert_eq!(store.reject_withheld_list(run, "kim", now()).await.unwrap(), Settled::Done(0));
    assert_eq!(in_use(store).await, 2);
    let (known, change) = refresh(store, &[], &[]).await;
    assert_eq!((known.rejected, known.withheld.len(), change), (mails(&["a", "b"]), 0, RunChange::None));
    refresh(store, &[], &["a"]).await;
    assert_eq!(refresh(store, &[], &[]).await.0.rejected, mails(&["b"]));
}
