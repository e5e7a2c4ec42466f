//! Goal: an operator's change of a list takes effect at once and wholly, is refused where it would surprise,
//! and the blacklist beats the whitelist. Method: a real database a test.

use super::*;
use crate::outbox::testing::{number, resource, sql};
use crate::testing::database;

fn mail(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

async fn in_use(store: &Store) -> Vec<String> {
    let rows = store.resource_rows().await.unwrap();
    rows.into_iter().filter(|row| row.deleted_date.is_none()).map(|row| row.mail).collect()
}

fn done(edited: Edited) -> ListEdit {
    match edited {
        Edited::Done(edit) => edit,
        Edited::Refused(edit) => panic!("refused: {edit:?}"),
    }
}

#[test]
fn what_surprises_is_a_beginning_an_end_or_many() {
    // entries before and now, dropped, in use before
    for (before, now, dropped, in_use, expected) in [
        (0, 0, 0, 0, false),
        (0, 1, 0, 50, false),
        (0, 3, 1, 50, true),
        (0, 1, 49, 50, true),
        (1, 0, 0, 50, true),
        (5, 6, 0, 5, false),
        (5, 4, 1, 2, false),
        (5, 4, 2, 3, true),
        (5, 4, 1, 1, true),
        (99, 89, 10, 99, false),
        (99, 88, 11, 99, true),
        (200, 189, 11, 110, false),
        (200, 189, 11, 109, true),
    ] {
        let effect = Effect { entries_before: before, entries_now: now, dropped, in_use_before: in_use };
        assert_eq!(surprises(&effect), expected, "{effect:?}");
    }
}

#[tokio::test]
async fn the_whitelist_takes_effect_at_once_and_both_ways() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x", "b@x", "c@x", "d@x"] {
        resource(store, name).await;
    }
    // c was blocked by hand, d is long gone from Planner
    sql(store, "insert into planner_resource_blacklist (mail, reason, added_by) values (' C@x', 'r', 'me'); \
                update planner_resource set deleted_date = now(), deleted_reason = 'P-NotInPlanner' where mail = 'd@x'").await;
    let first = [mail("A@x"), mail("new@x"), mail("a@x")];
    let refused = store.add_to_whitelist(&first, "kim", false, now()).await.unwrap();
    assert!(matches!(refused, Edited::Refused(ListEdit { dropped: 1, .. })), "{refused:?}");
    let edit = done(store.add_to_whitelist(&first, "kim", true, now()).await.unwrap());
    assert_eq!(edit, ListEdit { entries: 2, dropped: 1, revived: 0, in_use_before: 3, entries_now: 2 });
    assert_eq!(in_use(store).await, ["a@x", "c@x"], "who is on the blacklist is not touched");
    let entries = store.whitelist().await.unwrap();
    let seen: Vec<_> = entries.iter().map(|entry| (entry.mail.as_str(), entry.in_use)).collect();
    assert_eq!(seen, [("a@x", Some(true)), ("new@x", None)]);
    assert_eq!((entries[0].added_by.as_str(), entries[0].added_at), ("kim", now()));
    // why, where somebody says so; for whoever is not on it there is nothing to say
    let noted =
        store.note_whitelist_reason(&[mail("A@x"), mail("new@x"), mail("b@x")], " pilot ").await.unwrap();
    let entries = store.whitelist().await.unwrap();
    let reasons: Vec<(&str, Option<&str>)> =
        entries.iter().map(|entry| (entry.mail.as_str(), entry.reason.as_deref())).collect();
    assert_eq!((noted, reasons), (2, vec![("a@x", Some("pilot")), ("new@x", Some("pilot"))]));
    // again: nothing
    let again = done(store.add_to_whitelist(&[mail("a@x")], "bo", false, now()).await.unwrap());
    assert_eq!((again.entries, again.dropped, again.revived), (0, 0, 0));
    // b and d come: d only when Planner lists it again
    let edit = done(store.add_to_whitelist(&[mail("b@x"), mail("d@x")], "kim", false, now()).await.unwrap());
    assert_eq!((edit.entries, edit.revived), (2, 1));
    assert_eq!(in_use(store).await, ["a@x", "b@x", "c@x"]);
    assert_eq!(
        number(
            store,
            "select count(*) from planner_resource where mail = 'b@x' and adopted_at is null \
        and adopt_due_at is not null and full_read_began_at is null"
        )
        .await,
        1,
        "adopted and pulled anew"
    );
    let edit = done(
        store.remove_from_whitelist(&[mail("A@x"), mail("nobody@x")], "kim", false, now()).await.unwrap(),
    );
    assert_eq!((edit.entries, edit.dropped), (1, 1));
    let row = store.resource_row(&mail("a@x")).await.unwrap().unwrap();
    assert_eq!((row.deleted_reason.as_deref(), row.deleted_date), (Some(NON_WHITELIST), Some(now())));
}

#[tokio::test]
async fn what_would_surprise_is_refused_until_somebody_is_sure() {
    let database = database().await;
    let store = &database.store;
    for n in 0..12 {
        resource(store, &format!("m{n:02}@x")).await;
    }
    let first = [mail("m00@x")];
    let refused = store.add_to_whitelist(&first, "kim", false, now()).await.unwrap();
    let would = ListEdit { entries: 1, dropped: 11, revived: 0, in_use_before: 12, entries_now: 1 };
    assert_eq!(refused, Edited::Refused(would));
    assert_eq!((in_use(store).await.len(), store.whitelist().await.unwrap().len()), (12, 0));
    assert_eq!(done(store.add_to_whitelist(&first, "kim", true, now()).await.unwrap()), would);
    assert_eq!(in_use(store).await, ["m00@x"]);
    // the last entry goes: everybody
    let refused = store.remove_from_whitelist(&first, "kim", false, now()).await.unwrap();
    assert!(matches!(refused, Edited::Refused(ListEdit { revived: 11, entries_now: 0, .. })), "{refused:?}");
    assert_eq!(in_use(store).await, ["m00@x"]);
    done(store.remove_from_whitelist(&first, "kim", true, now()).await.unwrap());
    assert_eq!(in_use(store).await.len(), 12);
}

#[tokio::test]
async fn blocking_is_a_row_and_a_deleted_date_and_beats_the_whitelist() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x", "b@x"] {
        resource(store, name).await;
    }
    let edit = store.add_to_blacklist(&mail("a@x"), "on leave", "kim", now()).await.unwrap();
    assert_eq!((edit.entries, edit.dropped), (1, 1));
    let edit = store.add_to_blacklist(&mail("a@x"), "has left", "bo", now()).await.unwrap();
    assert_eq!((edit.entries, edit.dropped), (0, 0));
    let entries = store.blacklist().await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].reason.as_deref(), entries[0].added_by.as_str(), entries[0].in_use),
        (Some("has left"), "bo", Some(false))
    );
    let row = store.resource_row(&mail("a@x")).await.unwrap().unwrap();
    assert_eq!((row.deleted_reason.as_deref(), row.blacklisted), (Some("on leave"), true));
    done(store.add_to_whitelist(&[mail("a@x"), mail("b@x")], "kim", true, now()).await.unwrap());
    assert_eq!(in_use(store).await, ["b@x"]);
    // an unknown address can be blocked before it comes
    assert_eq!(store.add_to_blacklist(&mail("new@x"), "r", "kim", now()).await.unwrap().dropped, 0);
    assert!(!store.remove_from_blacklist(&mail("b@x")).await.unwrap());
    assert_eq!(store.resource_list_asked().await.unwrap(), None);
    assert!(store.remove_from_blacklist(&mail("A@x")).await.unwrap());
    assert!(store.resource_list_asked().await.unwrap().is_some(), "it comes back with the next refresh");
}

/// Regression: which resources a whitelist drops is not known before, so they are not locked in order; who lost the race
/// told an operator of a deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_loses_a_race_is_made_again() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x", "b@x", "c@x"] {
        resource(store, name).await;
    }
    let race = conflict::testing::Race::begin(store, "b@x").await;
    let only = [mail("c@x")];
    let (edit, ()) = tokio::join!(store.add_to_whitelist(&only, "kim", true, now()), race.meet("a@x"));
    let edit = done(edit.unwrap());
    assert_eq!((edit.entries, edit.dropped, edit.in_use_before), (1, 2, 3), "made once in the end");
    assert_eq!(in_use(store).await, ["c@x"]);
}
