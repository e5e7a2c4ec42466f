//! Goal: lists of another installation are taken over whole, take effect at once, and leave what is there. Method: a
//! real database a test.

use super::*;
use crate::outbox::testing::resource;
use crate::testing::{TestDatabase, database};

fn mail(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

fn now() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

async fn import(
    database: &TestDatabase,
    white: &[&str],
    black: &[&str],
    sure: bool,
    rehearsal: bool,
) -> ListImportEnd {
    let whitelist: Vec<_> = white.iter().map(|one| (mail(one), None)).collect();
    let blacklist: Vec<_> = black.iter().map(|one| (mail(one), "has left".to_owned())).collect();
    let import =
        ListImport { whitelist: &whitelist, blacklist: &blacklist, by: "kim", sure, rehearsal, now: now() };
    database.store.import_lists(&import).await.unwrap()
}

async fn in_use(database: &TestDatabase) -> Vec<String> {
    let rows = database.store.resource_rows().await.unwrap();
    rows.into_iter().filter(|row| row.deleted_date.is_none()).map(|row| row.mail).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_lists_are_taken_over_and_take_effect_and_blocking_goes_before() {
    let database = database().await;
    for name in ["a@x", "b@x", "c@x"] {
        resource(&database.store, name).await;
    }
    let expected = ListImported {
        whitelisted: 3,
        blocked: 1,
        dropped: 2,
        in_use_before: 3,
        whitelist_now: 3,
        never_listed: vec!["new@x".into()],
        surprises: true,
        revived: 0,
    };
    let rehearsed = import(&database, &["a@x", "b@x", "new@x"], &["b@x"], false, true).await;
    assert_eq!(rehearsed, ListImportEnd::Rehearsed(expected.clone()));
    assert_eq!(in_use(&database).await, ["a@x", "b@x", "c@x"], "a rehearsal changes nothing");
    assert_eq!(database.store.whitelist().await.unwrap(), []);

    let refused = import(&database, &["a@x", "b@x", "new@x"], &["b@x"], false, false).await;
    assert_eq!(refused, ListImportEnd::Refused(expected.clone()), "two of three would be dropped");
    let done = import(&database, &["a@x", "b@x", "new@x"], &["b@x"], true, false).await;
    assert_eq!(done, ListImportEnd::Done(expected));
    assert_eq!(in_use(&database).await, ["a@x"]);
    let blocked = database.store.blacklist().await.unwrap();
    assert_eq!((blocked[0].reason.as_deref(), blocked[0].added_by.as_str()), (Some("has left"), "kim"));

    let again = import(&database, &["a@x", "A@X", "new@x"], &["b@x"], false, false).await;
    let ListImportEnd::Done(again) = again else { panic!("{again:?}") };
    assert_eq!((again.whitelisted, again.blocked, again.dropped, again.revived), (0, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_would_end_the_use_of_many_is_refused_until_it_is_meant() {
    let database = database().await;
    for number in 0..30 {
        resource(&database.store, &format!("m{number:02}@x")).await;
    }
    let refused = import(&database, &["m00@x"], &[], false, false).await;
    assert!(matches!(refused, ListImportEnd::Refused(ListImported { dropped: 29, .. })), "{refused:?}");
    assert_eq!(in_use(&database).await.len(), 30);
    let done = import(&database, &["m00@x"], &[], true, false).await;
    assert!(matches!(done, ListImportEnd::Done(_)), "{done:?}");
    assert_eq!(in_use(&database).await, ["m00@x"]);
}

/// Regression: whoever was blocked before the first list came, or was erased, was told as an address that Planner never listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_blocked_before_or_erased_is_not_called_never_listed() {
    let database = database().await;
    let store = &database.store;
    store.add_to_blacklist(&mail("eva@x"), "has left", "kim", now()).await.unwrap();
    assert!(store.erase(&mail("anna@x"), "kim", false, true, now()).await.unwrap().done);
    for rehearsal in [true, false] {
        let end = import(&database, &["anna@x", "ana@x"], &["eva@x", "ewa@x"], true, rehearsal).await;
        let (ListImportEnd::Done(told) | ListImportEnd::Rehearsed(told)) = end else { panic!("{end:?}") };
        assert_eq!(told.never_listed, ["ana@x", "ewa@x"], "{told:?}");
    }
}

/// Regression: see `a_change_that_loses_a_race_is_made_again` of the lists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_loses_a_race_is_made_again() {
    let database = database().await;
    for name in ["a@x", "b@x", "c@x"] {
        resource(&database.store, name).await;
    }
    let race = conflict::testing::Race::begin(&database.store, "b@x").await;
    let (end, ()) = tokio::join!(import(&database, &["c@x"], &[], true, false), race.meet("a@x"));
    assert!(matches!(end, ListImportEnd::Done(ListImported { whitelisted: 1, dropped: 2, .. })), "{end:?}");
    assert_eq!(in_use(&database).await, ["c@x"]);
}
