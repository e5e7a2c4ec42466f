//! Goal: an operation is done when every mailbox that it meant was worked on since, whatever brought that
//! about, and says what keeps the others. Method: a real database a test.

use calendar::MailAddress;

use super::*;
use crate::adoption::HeldEvent;
use crate::comparison::tests::{MAIL, began, comparison, done, held};
use crate::operations::Scope;
use crate::outbox::testing::{decide, fence, resource, slot, sql};
use crate::resource_list::requests::ListOutcome;
use crate::testing::database;

#[tokio::test]
async fn an_operation_is_done_when_every_mailbox_was_worked_on_since() {
    let database = database().await;
    let store = &database.store;
    for mail in ["a@x", "b@x", "gone@x"] {
        resource(store, mail).await;
    }
    sql(store, "update planner_resource set deleted_date = now() where mail = 'gone@x'").await;
    for (kind, column) in [
        (OperationKind::FullPull, "full_read_began_at"),
        (OperationKind::Comparison, "compared_at"),
        (OperationKind::Adoption, "adopted_at"),
    ] {
        let all = store.record_operation(kind, &Scope::All, "kim").await.unwrap();
        let scope = Scope::One(MailAddress::parse("b@x").unwrap());
        let one = store.record_operation(kind, &scope, "kim").await.unwrap();
        let gone = Scope::One(MailAddress::parse("gone@x").unwrap());
        let gone = store.record_operation(kind, &gone, "kim").await.unwrap();
        let progress = store.operation_progress(&all).await.unwrap();
        let names: Vec<_> = progress.waiting.iter().map(|waiting| waiting.mail.as_str()).collect();
        assert_eq!(
            (progress.done, progress.of, names, progress.is_done()),
            (0, 2, vec!["a@x", "b@x"], false)
        );
        sql(store, &format!("update planner_resource set {column} = clock_timestamp() where mail = 'b@x'"))
            .await;
        // comes into use later
        resource(store, &format!("later-{column}@x")).await;
        let progress = store.operation_progress(&all).await.unwrap();
        assert_eq!((progress.done, progress.of, progress.waiting.len()), (1, 2, 1));
        assert!(store.operation_progress(&one).await.unwrap().is_done());
        let progress = store.operation_progress(&gone).await.unwrap();
        assert_eq!((progress.done, progress.of), (0, 0));
        sql(
            store,
            &format!(
                "update planner_resource set {column} = clock_timestamp() where mail = 'a@x'; \
                             delete from planner_resource where mail like 'later%'"
            ),
        )
        .await;
        assert!(store.operation_progress(&all).await.unwrap().is_done());
    }
}

/// Who is in use changes while an operation runs; who was meant does not.
#[tokio::test]
async fn who_comes_and_goes_meanwhile_makes_no_operation_wrong() {
    let database = database().await;
    let store = &database.store;
    for mail in ["a@x", "b@x", "back@x"] {
        resource(store, mail).await;
    }
    let out_of_use = |mail| format!("update planner_resource set deleted_date = now() where mail = '{mail}'");
    sql(store, &out_of_use("back@x")).await;
    for kind in [OperationKind::FullPull, OperationKind::Comparison, OperationKind::Adoption] {
        sql(store, &out_of_use("back@x")).await;
        sql(store, "update planner_resource set deleted_date = null where mail = 'a@x'").await;
        let all = store.record_operation(kind, &Scope::All, "kim").await.unwrap();
        assert_eq!((all.meant, all.error.clone()), (Some(2), None));
        // one that was in use long ago comes back: nobody asked for it
        sql(store, "update planner_resource set deleted_date = null where mail = 'back@x'").await;
        assert_eq!(store.operation_progress(&all).await.unwrap().of, 2, "{kind:?}");
        // one that was meant is not used any more: it is not waited for
        sql(store, &out_of_use("a@x")).await;
        let progress = store.operation_progress(&all).await.unwrap();
        assert_eq!((progress.done, progress.of, progress.is_done()), (0, 1, false), "{kind:?}");
        let done = "update planner_resource set compared_at = clock_timestamp(), adopted_at = clock_timestamp(), \
                    full_read_began_at = clock_timestamp() where mail = 'b@x'";
        sql(store, done).await;
        assert!(store.operation_progress(&all).await.unwrap().is_done(), "{kind:?}");
    }
    // asked by an older version: by what is in use now
    sql(store, "update operation set meant = null").await;
    let old = store.operations(1).await.unwrap().remove(0);
    assert_eq!((old.meant, store.operation_progress(&old).await.unwrap().of), (None, 2));
}

#[tokio::test]
async fn an_operation_for_nobody_is_not_done_but_says_so() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x").await;
    sql(store, "update planner_resource set deleted_date = now()").await;
    for scope in [Scope::All, Scope::One(MailAddress::parse("a@x").unwrap())] {
        let operation = store.record_operation(OperationKind::FullPull, &scope, "kim").await.unwrap();
        assert_eq!(operation.meant, Some(0));
        assert!(operation.error.as_ref().unwrap().contains("no such mailbox is in use"), "{operation:?}");
        assert_eq!(store.operation(operation.id).await.unwrap(), Some(operation));
    }
    let list = store.record_operation(OperationKind::ResourceList, &Scope::All, "kim").await.unwrap();
    assert_eq!((list.meant, list.error), (None, None));
}

/// Who is blocked before anything was done for them is not done, whatever was asked for; who is blocked afterwards was.
#[tokio::test]
async fn an_operation_whose_mailbox_is_blocked_meanwhile_comes_to_nothing() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x").await;
    let mail = MailAddress::parse("a@x").unwrap();
    let one = Scope::One(mail.clone());
    let block = async || {
        let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        store.add_to_blacklist(&mail, "has left", "kim", now).await.unwrap();
    };
    let unblock = "delete from planner_resource_blacklist; \
                   update planner_resource set deleted_date = null, deleted_reason = null";
    for (kind, column) in [
        (OperationKind::FullPull, Some("full_read_began_at")),
        (OperationKind::Comparison, Some("compared_at")),
        (OperationKind::Adoption, Some("adopted_at")),
        (OperationKind::Rediscovery, None),
    ] {
        let asked = store.record_operation(kind, &one, "kim").await.unwrap();
        block().await;
        store.book_operations().await.unwrap();
        let progress = store.operation_progress(&asked).await.unwrap();
        assert_eq!((progress.done, progress.of, progress.is_void()), (0, 0, true), "{kind:?}");
        let [unused] = &progress.unused[..] else { panic!("{kind:?}: {progress:?}") };
        assert_eq!(
            (unused.mail.as_str(), unused.blocked, unused.reason.as_deref()),
            ("a@x", true, Some("has left")),
            "{kind:?}"
        );
        sql(store, unblock).await;
        let Some(column) = column else { continue };
        // nobody looked between what was done and the block
        sql(store, &format!("update planner_resource set {column} = clock_timestamp()")).await;
        block().await;
        let progress = store.operation_progress(&asked).await.unwrap();
        assert_eq!((progress.done, progress.of, progress.unused.len()), (1, 1, 0), "{kind:?}");
        sql(store, unblock).await;
    }
}

#[tokio::test]
async fn what_keeps_a_mailbox_is_said_first() {
    let database = database().await;
    let store = &database.store;
    for mail in ["a@x", "b@x", "c@x"] {
        resource(store, mail).await;
    }
    let all = store.record_operation(OperationKind::FullPull, &Scope::All, "kim").await.unwrap();
    sql(
        store,
        "update planner_resource set error_code = 'ErrorFolderNotFound' where mail = 'b@x'; \
                insert into notification (mail, bucket, event_type, received_at, last_error) \
                values ('c@x', 1, 'FullRead', now(), 'ErrorAccessDenied')",
    )
    .await;
    let waiting = store.operation_progress(&all).await.unwrap().waiting;
    let seen: Vec<_> = waiting.iter().map(|one| (one.mail.as_str(), one.reason.as_deref())).collect();
    let expected = [("b@x", Some("ErrorFolderNotFound")), ("c@x", Some("ErrorAccessDenied")), ("a@x", None)];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_resource_list_is_done_when_a_later_fetch_was_answered() {
    let database = database().await;
    let store = &database.store;
    let operation = store.record_operation(OperationKind::ResourceList, &Scope::All, "kim").await.unwrap();
    assert_eq!(store.live_instances().await.unwrap(), 0);
    let fence = fence(store, "communicator/resource-list").await;
    assert_eq!(store.live_instances().await.unwrap(), 1);
    let before = operation.asked_at - std::time::Duration::from_secs(1);
    for (began, answered, done, outcome) in [
        (before, true, false, None),
        (operation.asked_at, false, false, Some("text")),
        (operation.asked_at, true, true, Some("text")),
    ] {
        let came = ListOutcome { began, at: began, answered, text: "text".into() };
        store.record_list_outcome(&fence, &came).await.unwrap();
        let progress = store.operation_progress(&operation).await.unwrap();
        assert_eq!((progress.is_done(), progress.outcome.as_deref()), (done, outcome));
    }
}

/// A mailbox that is adopted or read anew, or whose appointment is to be sent once more, is not what was asked for before.
#[tokio::test]
async fn what_was_done_once_stays_done() {
    let database = database().await;
    let store = &database.store;
    for mail in ["a@x", "b@x"] {
        resource(store, mail).await;
    }
    let one = Scope::One(MailAddress::parse("a@x").unwrap());
    for (kind, doing, undoing) in [
        (
            OperationKind::Adoption,
            "update planner_resource set adopted_at = clock_timestamp() where mail = 'a@x'",
            "update planner_resource set adopted_at = null",
        ),
        (
            OperationKind::FullPull,
            "update planner_resource set full_read_began_at = clock_timestamp() where mail = 'a@x'",
            "update planner_resource set full_read_began_at = null",
        ),
        (
            OperationKind::Comparison,
            "update planner_resource set compared_at = clock_timestamp() where mail = 'a@x'",
            "update planner_resource set compared_at = null, adopted_at = null",
        ),
    ] {
        let single = store.record_operation(kind, &one, "kim").await.unwrap();
        let both = store.record_operation(kind, &Scope::All, "kim").await.unwrap();
        sql(store, doing).await;
        // as the service looks
        store.book_operations().await.unwrap();
        sql(store, undoing).await;
        let progress = store.operation_progress(&single).await.unwrap();
        assert_eq!((progress.done, progress.of, progress.waiting.len()), (1, 1, 0), "{kind:?}");
        let progress = store.operation_progress(&both).await.unwrap();
        let waiting: Vec<_> = progress.waiting.iter().map(|one| one.mail.as_str()).collect();
        assert_eq!((progress.done, progress.of, waiting), (1, 2, vec!["b@x"]), "{kind:?}");
        // also when it is not used any more
        sql(store, "update planner_resource set deleted_date = now() where mail = 'a@x'").await;
        let progress = store.operation_progress(&both).await.unwrap();
        assert_eq!((progress.done, progress.of), (1, 2), "{kind:?}");
        sql(store, "update planner_resource set deleted_date = null").await;
    }
}

/// The resource list: what a later fetch comes to, or that it fails, is another matter.
#[tokio::test]
async fn each_refresh_keeps_its_own_outcome_whatever_later_fetches_do() {
    let database = database().await;
    let store = &database.store;
    let asked = store.record_operation(OperationKind::ResourceList, &Scope::All, "kim").await.unwrap();
    let fence = fence(store, "communicator/resource-list").await;
    let record = async |began, answered, text: &str| {
        let outcome = ListOutcome { began, at: began, answered, text: text.to_owned() };
        store.record_list_outcome(&fence, &outcome).await.unwrap();
        let asked = store.operation(asked.id).await.unwrap().unwrap();
        store.operation_progress(&asked).await.unwrap()
    };
    assert!(!record(asked.asked_at, false, "failed").await.is_done());
    // nobody looks between the two
    let outcome = ListOutcome {
        began: asked.asked_at,
        at: asked.asked_at,
        answered: true,
        text: "three listed, one new".into(),
    };
    store.record_list_outcome(&fence, &outcome).await.unwrap();
    let next = store.record_operation(OperationKind::ResourceList, &Scope::All, "kim").await.unwrap();
    for (answered, text) in [(false, "failed again"), (true, "three listed, none new")] {
        let first = record(next.asked_at, answered, text).await;
        let told = first.outcome.as_deref();
        assert_eq!((first.done, first.of, told), (1, 1, Some("three listed, one new")), "{text}");
        // also to who holds the row of before
        assert_eq!(store.operation_progress(&asked).await.unwrap().outcome, first.outcome);
    }
    let second = store.operation_progress(&next).await.unwrap();
    assert_eq!((second.is_done(), second.outcome.as_deref()), (true, Some("three listed, none new")));
}

/// A version that books no outcome fetched: the answer counts when somebody looks, and stays then.
#[tokio::test]
async fn an_answer_that_an_older_version_wrote_is_booked_when_it_is_seen() {
    let database = database().await;
    let store = &database.store;
    let asked = store.record_operation(OperationKind::ResourceList, &Scope::All, "kim").await.unwrap();
    let fence = fence(store, "communicator/resource-list").await;
    let outcome =
        ListOutcome { began: asked.asked_at, at: asked.asked_at, answered: true, text: "of then".into() };
    store.record_list_outcome(&fence, &outcome).await.unwrap();
    sql(store, "update operation set meant = null, outcome = null").await;
    let seen = store.operation_progress(&asked).await.unwrap();
    assert_eq!((seen.is_done(), seen.outcome.as_deref()), (true, Some("of then")));
    let booked = store.operation(asked.id).await.unwrap().unwrap();
    assert_eq!((booked.meant, booked.outcome.as_deref()), (Some(0), Some("of then")));
}

/// Who was erased was not done, and is not waited for.
#[tokio::test]
async fn an_erased_mailbox_counts_neither_as_done_nor_as_meant() {
    let database = database().await;
    let store = &database.store;
    for mail in ["a@x", "b@x"] {
        resource(store, mail).await;
    }
    let all = store.record_operation(OperationKind::FullPull, &Scope::All, "kim").await.unwrap();
    let mail = MailAddress::parse("a@x").unwrap();
    let erased = store.erase(&mail, "kim", true, true, all.asked_at).await.unwrap();
    assert!(erased.done);
    let progress = store.operation_progress(&all).await.unwrap();
    assert_eq!((progress.done, progress.of), (0, 1));
}

/// Regression: who asked for a comparison was told that it is done, and not whether anything was wrong.
#[tokio::test]
async fn the_comparison_of_one_mailbox_tells_what_it_found() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    for id in ["A", "B", "C"] {
        decide(store, MAIL, id, Some(slot(20))).await;
    }
    let in_step = "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at, \
                   ack_at = clock_timestamp()";
    sql(store, in_step).await;
    let one = Scope::One(MailAddress::parse(MAIL).unwrap());
    let ask =
        async |scope: &Scope| store.record_operation(OperationKind::Comparison, scope, "kim").await.unwrap();
    let compare = async |began, events: Vec<HeldEvent>| {
        done(store.compare(&fence, &comparison(began, events)).await.unwrap());
    };
    let told = async |asked: &Operation| {
        let progress = store.operation_progress(asked).await.unwrap();
        (progress.is_done(), progress.outcome)
    };
    let expected = |words: &str| (true, Some(words.to_owned()));
    let all_there = || vec![held("A", slot(20)), held("B", slot(20)), held("C", slot(20))];
    let before = began(&database, &fence).await;
    let first = ask(&one).await;
    // the call began before it was asked for
    compare(before, all_there()).await;
    assert_eq!(told(&first).await, (false, None));
    compare(began(&database, &fence).await, all_there()).await;
    let nothing = expected("nothing to put right");
    assert_eq!(told(&first).await, nothing);
    let (second, all) = (ask(&one).await, ask(&Scope::All).await);
    let events = || vec![held("A", slot(20)), held("B", slot(21)), held("X", slot(20))];
    compare(began(&database, &fence).await, events()).await;
    let found = expected("1 lacking in Planner, 1 with other times in Planner, 1 in Planner only");
    assert_eq!(told(&second).await, found);
    // of all nobody adds it up
    assert_eq!(told(&all).await, (true, None));
    // what was found waits to be sent now; a later comparison is none of the earlier ones' business
    let third = ask(&one).await;
    compare(began(&database, &fence).await, events()).await;
    assert_eq!(told(&third).await, expected("3 left alone"));
    assert_eq!((told(&first).await, told(&second).await), (nothing, found));
}
