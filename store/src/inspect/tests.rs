//! Goal: operators see what is there: stages by their leases, what waits and for what, and the story of a mailbox in
//! its order. Method: the other stages' functions on a real database.

#![expect(clippy::disallowed_methods, reason = "what is looked at happened now")]

use std::time::Duration;

use calendar::{MailAddress, OriginId};
use jiff::Timestamp;

use crate::calls::{CallBook, CallEnd, CallLimits, Class, Permit, ReadCall};
use crate::operations::{NOT_SENT, OperationKind, Scope};
use crate::outbox::testing::{decide, decide_as, fence, new_resource, resource, slot, sql};
use crate::outbox::{Answer, Batch, KeyAnswer, Operation, Outcome, PageSize};
use crate::resource_list::import::ListImport;
use crate::testing::database;

use super::*;

fn mail(name: &str) -> MailAddress {
    MailAddress::parse(name).unwrap()
}

fn book(store: &crate::Store) -> CallBook {
    let limits = CallLimits { simultaneous_calls: 4, calls_per_minute: None, events_per_minute: None };
    CallBook::new(store.clone(), limits)
}

#[tokio::test]
async fn an_empty_store_can_be_looked_at() {
    let database = database().await;
    let work = database.store.work().await.unwrap();
    assert_eq!((work.leases.len(), work.groups.len(), work.budget), (0, 0, BudgetUse::default()));
    assert_eq!(database.store.oldest_unsent().await.unwrap(), None);
    assert_eq!(database.store.mailbox_facts(&mail("a@x.dk")).await.unwrap(), None);
    let facts = database.store.database_facts().await.unwrap();
    assert_eq!((facts.missing.len(), facts.forbidden.len(), facts.owner), (0, 0, true));
}

/// A first start records its schedules as if they had run (so that they run at their next time); nothing was read or
/// compared by that, and operators are not told so.
#[tokio::test]
async fn what_is_told_as_read_and_compared_was() {
    let database = database().await;
    let store = &database.store;
    new_resource(store, "a@x.dk").await;
    new_resource(store, "b@x.dk").await;
    let fence = fence(store, "communicator").await;
    store.record_run(&fence, "comparison", Timestamp::now()).await.unwrap();
    let told = async || {
        let work = store.work().await.unwrap();
        (work.full_pull_at.map(Timestamp::as_second), work.comparison_at.map(Timestamp::as_second))
    };
    sql(
        store,
        "update planner_resource set last_full_sync = null, adopted_at = null, compared_at = null; \
         update planner_resource set last_full_sync = to_timestamp(50), adopted_at = to_timestamp(60) \
          where mail = 'a@x.dk'",
    )
    .await;
    assert_eq!(told().await, (None, None), "one was never read and never taken over");
    sql(
        store,
        "update planner_resource set last_full_sync = to_timestamp(70), adopted_at = to_timestamp(70), \
                compared_at = to_timestamp(80) where mail = 'b@x.dk'",
    )
    .await;
    assert_eq!(told().await, (Some(50), Some(60)), "those that are furthest behind");
}

#[tokio::test]
async fn leases_groups_and_calls_are_told() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    sql(
        store,
        "insert into lease (key, owner, token, expires_at) values ('listener', 'one', 1, now() + interval '9 s'), \
             ('qualifier/0', 'two', 1, now() - interval '1 s'), ('affinity-group/1', 'one', 1, now() + interval '9 s'); \
         insert into subscription (endpoint, grouping_value, ordinal) values ('https://ex', 'g', 0); \
         insert into planner_resource_subscription (mail, subscription_id, ews_subscription_id) \
             select 'a@x.dk', id, 's' from subscription; \
         insert into application_log (at, event_id, severity, source, message, instance) \
             values (now(), 6904, 'error', 'PCS', 'm', 'one'), (now(), 6904, 'error', 'PCS', 'm', 'one'), \
                    (now(), 9108, 'information', 'EPS', 'm', 'one'), \
                    (now() - interval '2 h', 6901, 'error', 'PCS', 'm', 'one')",
    )
    .await;
    let fence = fence(store, "communicator").await;
    let call =
        ReadCall { operation: "GetEvents", mail: None, mailboxes: 1, lifetime: Duration::from_secs(60) };
    let Permit::Granted(start) = book(store).begin(&fence, &call).await.unwrap() else { panic!("no room") };
    let work = store.work().await.unwrap();
    let owner = |key: &str| work.leases.iter().find(|lease| lease.key == key).unwrap().owner.clone();
    assert_eq!((owner("listener").as_deref(), owner("qualifier/0")), (Some("one"), None));
    assert_eq!(work.groups.len(), 1);
    let group = &work.groups[0];
    assert_eq!((group.members, group.subscribed, group.failing), (1, 1, 0));
    assert_eq!((work.budget.calls, work.budget.in_flight, work.budget.events), (1, 1, 0));
    assert_eq!(work.events.len(), 1);
    assert_eq!((work.events[0].event_id, work.events[0].count), (6904, 2));
    book(store).end(start.id, &CallEnd::default()).await.unwrap();
    let work = store.work().await.unwrap();
    assert_eq!((work.budget.calls, work.budget.in_flight, work.budget.failed), (1, 0, 1));
}

#[tokio::test]
async fn what_the_last_event_of_a_code_was_caused_by_is_told() {
    let database = database().await;
    let store = &database.store;
    sql(
        store,
        "insert into application_log (at, event_id, severity, source, message, fields, instance) \
             values (now() - interval '2 min', 4908, 'error', 'ELS', 'older', '{\"code\": \"x\"}', 'one'), \
                    (now() - interval '1 min', 4908, 'error', 'ELS', 'newer', '{\"code\": \"HTTP 503\"}', 'one'), \
                    (now(), 9629, 'error', 'PCS', 'a call failed', '{\"error\": \"refused\", \"code\": \"y\"}', 'one'), \
                    (now(), 5201, 'warning', 'ELS', 'busy', '{}', 'one'), \
                    (now(), 6904, 'error', 'PCS', 'not asked for', '{}', 'one'), \
                    (now() - interval '2 days', 6901, 'error', 'PCS', 'too old', '{}', 'one')",
    )
    .await;
    let told = store.last_causes(&[9629, 4908, 5201, 6901]).await.unwrap();
    let told: Vec<(u16, &str)> = told.iter().map(|(code, words)| (*code, words.as_str())).collect();
    assert_eq!(told, [(4908, "HTTP 503"), (9629, "refused")]);
    assert!(store.last_causes(&[]).await.unwrap().is_empty());
}

/// Regression: the leases that dissolved groups had left behind came first and cut off those of the shards and duties,
/// which were told as nobody's.
#[tokio::test]
async fn leases_of_groups_that_are_gone_cut_nothing_off() {
    let database = database().await;
    let store = &database.store;
    sql(
        store,
        "insert into lease (key, owner, token, expires_at) \
             select 'affinity-group/' || n, '', 1, '-infinity' from generate_series(1, 2100) n; \
         update lease set owner = 'one', expires_at = now() + interval '1 h' where key = 'affinity-group/999'; \
         insert into lease (key, owner, token, expires_at) \
             select key, 'one', 1, now() + interval '1 h' \
             from unnest(array['communicator/comparison', 'listener', 'qualifier/0']) key",
    )
    .await;
    let work = store.work().await.unwrap();
    let held: Vec<&str> =
        work.leases.iter().filter(|lease| lease.owner.is_some()).map(|lease| &*lease.key).collect();
    assert_eq!(held, ["affinity-group/999", "communicator/comparison", "listener", "qualifier/0"]);
    assert!(work.leases.is_sorted_by(|one, other| one.key < other.key) && work.leases.len() == 2_000);
}

/// Regression: a mailbox that cannot be listened to counted as subscribed for as long as it had its last subscription.
#[tokio::test]
async fn a_mailbox_that_cannot_be_listened_to_is_not_subscribed() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    resource(store, "b@x.dk").await;
    sql(
        store,
        "insert into subscription (endpoint, grouping_value, ordinal) values ('https://ex', 'g', 0); \
         insert into planner_resource_subscription (mail, subscription_id, ews_subscription_id) \
             select mail, id, 's' from subscription, unnest(array['a@x.dk', 'b@x.dk']) mail; \
         update planner_resource set error_code = 'ErrorAccessDenied' where mail = 'b@x.dk'",
    )
    .await;
    let group = store.work().await.unwrap().groups.remove(0);
    assert_eq!((group.members, group.subscribed, group.failing), (2, 1, 1));
    let subscribed = async |of: &str| store.mailbox_facts(&mail(of)).await.unwrap().unwrap().subscribed;
    assert_eq!((subscribed("a@x.dk").await, subscribed("b@x.dk").await), (true, false), "told one by one");
}

/// Regression: a shard whose owner died was told like one that was never there.
#[tokio::test]
async fn a_lease_that_ran_out_tells_since_when_and_one_that_was_handed_back_does_not() {
    let database = database().await;
    let store = &database.store;
    assert_eq!(store.work().await.unwrap().shards, None);
    sql(
        store,
        "insert into store_state (name, value) values ('qualifier_shards', '4'); \
         insert into lease (key, owner, token, expires_at) values ('qualifier/0', 'one', 1, now() + interval '9 s'), \
             ('qualifier/1', 'two', 1, now() - interval '100 s'), ('qualifier/2', '', 1, '-infinity'), \
             ('qualifier/3', 'two', 1, '-infinity')",
    )
    .await;
    let work = store.work().await.unwrap();
    assert_eq!(work.shards, Some(4));
    let free: Vec<Option<bool>> = work
        .leases
        .iter()
        .map(|lease| {
            lease.free_since.map(|since| (95..160).contains(&work.at.duration_since(since).as_secs()))
        })
        .collect();
    assert_eq!(free, [None, Some(true), None, None], "{:?}", work.leases);
}

#[tokio::test]
async fn what_is_unsent_is_told_with_what_it_waits_for() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x.dk", "b@x.dk", "c@x.dk", "e@x.dk"] {
        resource(store, name).await;
    }
    new_resource(store, "d@x.dk").await;
    for name in ["a@x.dk", "b@x.dk", "c@x.dk", "d@x.dk", "e@x.dk"] {
        decide(store, name, "U", Some(slot(1))).await;
    }
    sql(
        store,
        "update calendar_event set next_attempt_at = now() + interval '1 h' where mail = 'b@x.dk'; \
         update planner_resource set deleted_date = now(), deleted_reason = 'x' where mail = 'c@x.dk'; \
         update calendar_event set decided_at = '2026-01-01' where mail = 'c@x.dk'; \
         update planner_resource set full_read_began_at = null where mail = 'e@x.dk'",
    )
    .await;
    let page = store.unsent(&Scope::All, 10).await.unwrap();
    let holds: Vec<(&str, &str)> = page
        .keys
        .iter()
        .map(|key| {
            let hold = match key.hold {
                Hold::InTurn => "turn",
                Hold::Pauses(_) => "pauses",
                Hold::NotInUse => "unused",
                Hold::NotAdopted => "unadopted",
                Hold::NotRead => "unread",
                Hold::InFlight => "in flight",
            };
            (key.mail.as_str(), hold)
        })
        .collect();
    let expected = [
        ("a@x.dk", "turn"),
        ("b@x.dk", "pauses"),
        ("c@x.dk", "unused"),
        ("d@x.dk", "unadopted"),
        ("e@x.dk", "unread"),
    ];
    assert_eq!(holds, expected);
    assert_eq!((page.total, page.keys[0].operation, page.keys[0].held), (5, Operation::Create, None));
    assert_eq!(store.unsent(&Scope::One(mail("b@x.dk")), 10).await.unwrap().total, 1);
    assert_eq!(store.unsent(&Scope::All, 2).await.unwrap().keys.len(), 2);
    let oldest = store.oldest_unsent().await.unwrap().unwrap();
    assert_eq!(oldest.mail, "a@x.dk", "what is not sent at all is not late");
}

/// Sends what is pending for a mailbox, and answers it.
async fn send(store: &crate::Store, name: &str, outcome: Outcome, code: i32) {
    let fence = fence(store, "communicator").await;
    let size = PageSize { mailboxes: 10, keys_per_mailbox: 10 };
    let page = store.pending_keys(Class::Live, "", size).await.unwrap();
    let keys: Vec<_> = page.keys.into_iter().filter(|key| key.mail.as_str() == name).collect();
    let batch = Batch { mail: mail(name), operation: keys[0].operation, class: Class::Live, keys };
    let permit = book(store).reserve(&fence, &batch, Duration::from_secs(60)).await.unwrap();
    let Permit::Granted(Some(reserved)) = permit else { panic!("{permit:?}") };
    let told = |key: &crate::outbox::PendingKey| KeyAnswer {
        origin_id: key.origin_id.clone(),
        outcome: outcome.clone(),
        receipt_code: Some(code),
        text: None,
        calendar_event_identifier: None,
        planner_resource_identifier: None,
    };
    let answer = Answer {
        call_id: reserved.call_id,
        mail: mail(name),
        end: CallEnd { success: true, ..CallEnd::default() },
        keys: reserved.keys.iter().map(told).collect(),
        adopt_after: None,
    };
    let deletes = batch.operation == Operation::Delete;
    assert_eq!(book(store).answer(&fence, &answer, deletes).await.unwrap(), reserved.keys.len() as u64);
}

#[tokio::test]
async fn the_story_of_an_appointment_is_told_in_order() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x.dk", "b@x.dk"] {
        resource(store, name).await;
        sql(
            store,
            &format!(
                "insert into notification_log (id, mail, event_type, item_id, received_at, handled_at, attempts, outcome) \
                 values (nextval('notification_claim'), '{name}', 'CreatedEvent', 'i', clock_timestamp(), \
                         clock_timestamp(), 0, 'decided'), \
                        (nextval('notification_claim'), '{name}', 'CreatedEvent', 'other', clock_timestamp(), \
                         clock_timestamp(), 0, 'decided')"
            ),
        )
        .await;
        decide_as(store, name, "U", Some(slot(1)), false, None).await;
        sql(store, "update calendar_event set item_id = 'i'").await;
    }
    send(store, "a@x.dk", Outcome::Acknowledged, 0).await;
    store.record_operation(OperationKind::Comparison, &Scope::One(mail("b@x.dk")), "kim").await.unwrap();
    store.record_operation(OperationKind::FullPull, &Scope::All, "kim").await.unwrap();
    sql(
        store,
        "insert into application_log (at, event_id, severity, source, message, fields, instance) \
         values (clock_timestamp(), 2903, 'error', 'EPS', 'm', '{\"mailbox\": \"a@x.dk\"}', 'one'), \
                (clock_timestamp(), 2903, 'error', 'EPS', 'm', '{\"mailbox\": \"a@x.dk\", \"origin_id\": \"V\"}', 'one'), \
                (clock_timestamp(), 2904, 'error', 'EPS', 'm', '{\"mailbox\": \"a@x.dk\", \"origin_id\": \"U\"}', 'one'), \
                (clock_timestamp(), 9503, 'information', 'ALL', 'm', \
                 '{\"mailboxes\": [\"b@x.dk\", \"a@x.dk\"], \"act\": \"whitelist add\", \"by\": \"kim\", \"reason\": \"pilot\"}', \
                 'one')",
    )
    .await;
    let (a, u) = (mail("a@x.dk"), OriginId::new("U".to_owned()));
    let query = HistoryQuery { mail: &a, origin_id: Some(&u), since: Timestamp::UNIX_EPOCH, limit: 100 };
    let history = store.history(&query).await.unwrap();
    let name = |what: &Happening| format!("{what:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
    let names: Vec<String> = history.entries.iter().map(|entry| name(&entry.what)).collect();
    let story: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "Adopted").collect();
    // neither what happened with the mailbox or with V, nor what was asked for all
    assert_eq!(
        story,
        ["Notified", "Handled", "Decided", "Called", "Answered", "CallEnded", "Event", "Acted"],
        "{history:?}"
    );
    let Happening::Acted { act, by, reason } = &history.entries.last().unwrap().what else { panic!() };
    assert_eq!((act.as_str(), by.as_str(), reason.as_deref()), ("whitelist add", "kim", Some("pilot")));
    assert!(history.entries.windows(2).all(|two| two[0].at <= two[1].at));
    let short = store.history(&HistoryQuery { limit: 2, ..query }).await.unwrap();
    // the decision that stands is told beyond the limit, and whenever it was made
    assert!(short.more && short.entries.len() == 3 && short.entries[0].what.stands(), "{short:?}");
    assert_eq!(short.entries[1..], history.entries[history.entries.len() - 2..]);
    let late = store.history(&HistoryQuery { since: Timestamp::MAX, ..query }).await.unwrap();
    assert!(matches!(late.entries[..], [Entry { what: Happening::Decided { .. }, .. }]), "{late:?}");
    let whole = store.history(&HistoryQuery { origin_id: None, ..query }).await.unwrap();
    let names: Vec<String> = whole.entries.iter().map(|entry| name(&entry.what)).collect();
    for told in ["Listed", "Asked", "Acted", "Decided"] {
        assert!(names.iter().any(|name| name == told), "{told}: {names:?}");
    }
    // of an appointment that is not known the mailbox may tell why
    let unknown = OriginId::new("nothing".to_owned());
    let unknown = store.history(&HistoryQuery { origin_id: Some(&unknown), ..query }).await.unwrap();
    assert!(
        unknown
            .entries
            .iter()
            .any(|entry| matches!(entry.what, Happening::ReadInFull { .. } | Happening::Listed))
    );

    let facts = store.mailbox_facts(&a).await.unwrap().unwrap();
    assert_eq!((facts.counts.there, facts.counts.held, facts.counts.unsent), (1, 1, 0));
    // regression: of one that was set aside it was told that it waits
    for (aside, outcome) in [("null", None), ("now()", Some("set aside"))] {
        sql(
            store,
            &format!(
                "insert into notification (mail, bucket, event_type, item_id, received_at, set_aside_at) \
                 values ('a@x.dk', 1, 'ModifiedEvent', 'J', clock_timestamp(), {aside})"
            ),
        )
        .await;
        let (_, kind, told) = store.mailbox_facts(&a).await.unwrap().unwrap().last_notification.unwrap();
        assert_eq!((kind.as_str(), told.as_deref()), ("ModifiedEvent", outcome));
    }
    assert_eq!(
        facts.last_receipt.as_ref().map(|(_, code, word)| (*code, word.as_str())),
        Some((Some(0), "acknowledged"))
    );
    assert_eq!(
        facts.last_call.as_ref().map(|(_, call, ok)| (call.as_str(), *ok)),
        Some(("CreateEvents", Some(true)))
    );
    let key = store.key_state(&a, &u).await.unwrap().unwrap();
    assert_eq!((key.planner, key.pending, key.wanted), (Planner::Holds(slot(1)), false, Some(true)));
    assert_eq!(store.key_state(&a, &OriginId::new("nothing".to_owned())).await.unwrap(), None);
}

/// All that the story of a mailbox tells.
async fn story(store: &crate::Store, name: &str) -> Vec<Happening> {
    let mail = mail(name);
    let query = HistoryQuery { mail: &mail, origin_id: None, since: Timestamp::UNIX_EPOCH, limit: 100 };
    store.history(&query).await.unwrap().entries.into_iter().map(|entry| entry.what).collect()
}

/// Regression: who came on a list with `lists import` had nothing of it in the story, since of that act the numbers alone are
/// written down.
#[tokio::test]
async fn who_came_on_a_list_with_an_import_is_told_by_the_list_and_no_act_is_told_twice() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x.dk", "b@x.dk"] {
        resource(store, name).await;
    }
    let import = ListImport {
        whitelist: &[(mail("b@x.dk"), None)],
        blacklist: &[(mail("a@x.dk"), "has left".to_owned())],
        by: "kim",
        sure: true,
        rehearsal: false,
        now: Timestamp::now(),
    };
    store.import_lists(&import).await.unwrap();
    let blocked = Happening::Blocked { reason: "has left".to_owned(), by: "kim".to_owned() };
    let allowed = Happening::Allowed { reason: None, by: "kim".to_owned() };
    let told = story(store, "a@x.dk").await;
    let is_blocked = |what: &Happening| *what == blocked;
    let is_unused = |what: &Happening| matches!(what, Happening::NotInUse { .. });
    let (first, then) = (told.iter().position(is_blocked), told.iter().position(is_unused));
    assert!(first.is_some() && first < then, "{told:?}");
    assert!(story(store, "b@x.dk").await.contains(&allowed));
    sql(
        store,
        "insert into application_log (at, event_id, severity, source, message, fields, instance) \
         values (clock_timestamp(), 9503, 'information', 'ALL', 'm', \
                 '{\"mailbox\": \"a@x.dk\", \"act\": \"blacklist add\", \"by\": \"kim\", \"reason\": \"has left\"}', \
                 'one')",
    )
    .await;
    let told = story(store, "a@x.dk").await;
    assert!(!told.contains(&blocked), "{told:?}");
    assert!(told.iter().any(|what| matches!(what, Happening::Acted { .. })), "{told:?}");
}

/// Regression: what was asked for all mailboxes was told of one that was not in use then, as if it had been done for it.
#[tokio::test]
async fn what_was_asked_for_all_is_not_told_of_a_mailbox_that_was_not_in_use() {
    let database = database().await;
    let store = &database.store;
    for name in ["a@x.dk", "b@x.dk"] {
        resource(store, name).await;
    }
    let ask = async |kind| store.record_operation(kind, &Scope::All, "kim").await.unwrap().id;
    let before = ask(OperationKind::FullPull).await;
    store.add_to_blacklist(&mail("a@x.dk"), "has left", "kim", Timestamp::now()).await.unwrap();
    let after = ask(OperationKind::Comparison).await;
    let list = ask(OperationKind::ResourceList).await;
    let asked = async |name| -> Vec<i64> {
        let number = |what: Happening| match what {
            Happening::Asked { id, .. } => Some(id),
            _ => None,
        };
        story(store, name).await.into_iter().filter_map(number).collect()
    };
    assert_eq!(asked("a@x.dk").await, [before, list]);
    assert_eq!(asked("b@x.dk").await, [before, after, list]);
}

/// Regression: notifications that came together were told in falling order of their numbers.
#[tokio::test]
async fn what_came_at_the_same_instant_is_told_by_rising_number() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    // the last of them was handled first
    sql(
        store,
        "insert into notification_log (id, mail, event_type, item_id, received_at, handled_at, attempts, outcome) \
         select nextval('notification_claim'), 'a@x.dk', 'CreatedEvent', 'i', now(), \
                now() + make_interval(secs => 10 + n % 2), 0, 'unchanged' \
         from generate_series(1, 9) n",
    )
    .await;
    let a = mail("a@x.dk");
    let query = HistoryQuery { mail: &a, origin_id: None, since: Timestamp::UNIX_EPOCH, limit: 100 };
    let history = store.history(&query).await.unwrap();
    let came: Vec<i64> = history
        .entries
        .iter()
        .filter_map(|entry| match entry.what {
            Happening::Notified { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    assert!(came.len() == 9 && came.is_sorted(), "{came:?}");
    let handled: Vec<(Timestamp, i64)> = history
        .entries
        .iter()
        .filter_map(|entry| match entry.what {
            Happening::Handled { id, .. } => Some((entry.at, id)),
            _ => None,
        })
        .collect();
    assert!(handled.len() == 9 && handled.is_sorted(), "{handled:?}");
}

/// Regression: nobody was told who keeps an appointment in Planner that the calendar lacks.
#[tokio::test]
async fn who_rejected_the_deletion_of_an_appointment_is_known_of_it() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "U", Some(slot(1))).await;
    sql(
        store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('a@x.dk', 'full_read', clock_timestamp(), now(), 1, 1); \
         insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select 'a@x.dk', 'U', r.id, e.version, e.start_at, e.end_at from withheld_run r, calendar_event e",
    )
    .await;
    let (a, u) = (mail("a@x.dk"), OriginId::new("U".to_owned()));
    let key = store.key_state(&a, &u).await.unwrap().unwrap();
    assert_eq!((key.withheld, key.kept), (true, None));
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    assert_eq!(store.reject_withheld(1, "kim", now).await.unwrap().unwrap().keys, 1);
    let key = store.key_state(&a, &u).await.unwrap().unwrap();
    assert_eq!((key.withheld, key.kept), (false, Some(KeptBy { run: 1, by: "kim".to_owned() })));
    // a decision about it that comes later is another
    decide(store, "a@x.dk", "U", Some(slot(2))).await;
    assert_eq!(store.key_state(&a, &u).await.unwrap().unwrap().kept, None);
}

#[tokio::test]
async fn asking_for_rediscovery_and_resend_is_followed() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    resource(store, "b@x.dk").await;
    sql(
        store,
        "update planner_resource set endpoint = 'https://ex', grouping_value = 'g' where mail = 'a@x.dk'",
    )
    .await;
    let rediscovery = store.record_operation(OperationKind::Rediscovery, &Scope::All, "kim").await.unwrap();
    assert_eq!(store.ask_for_rediscovery(&Scope::All).await.unwrap(), 2);
    let progress = store.operation_progress(&rediscovery).await.unwrap();
    assert_eq!((progress.done, progress.of), (0, 2));
    let location = calendar::source::Location { endpoint: "https://ex".into(), grouping: "g".into() };
    let listener = fence(store, "listener").await;
    store.located(&listener, &[(mail("a@x.dk"), location)]).await.unwrap();
    sql(
        store,
        "update planner_resource set error_date = clock_timestamp(), error_code = 'e' where mail = 'b@x.dk'",
    )
    .await;
    assert!(store.operation_progress(&rediscovery).await.unwrap().is_done(), "found, and tried in vain");

    decide(store, "a@x.dk", "U", Some(slot(1))).await;
    sql(store, "update calendar_event set next_attempt_at = now() + interval '1 h'").await;
    decide(store, "b@x.dk", "V", Some(slot(1))).await;
    sql(
        store,
        "update calendar_event set set_aside_version = 1, set_aside_reason = 'x' where origin_id = 'V'",
    )
    .await;
    let resend = store.record_operation(OperationKind::Resend, &Scope::All, "kim").await.unwrap();
    assert_eq!(store.ask_for_resend(&Scope::All).await.unwrap(), 2);
    assert_eq!(store.operation_progress(&resend).await.unwrap().done, 0);
    send(store, "a@x.dk", Outcome::Acknowledged, 0).await;
    let progress = store.operation_progress(&resend).await.unwrap();
    assert_eq!((progress.done, progress.of, progress.waiting[0].mail.as_str()), (1, 2, "b@x.dk"));
}

/// It says why nothing is deleted, and keeps its number and its time while the same is missing.
#[tokio::test]
async fn a_run_that_waits_is_told_however_long_it_has() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    sql(
        store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('a@x.dk', 'full_read', '2020-01-01', '2020-01-01', 11, 12)",
    )
    .await;
    let address = mail("a@x.dk");
    let since = Timestamp::from_second(1_700_000_000).unwrap();
    let query = HistoryQuery { mail: &address, origin_id: None, since, limit: 10 };
    let told = async || {
        let history = store.history(&query).await.unwrap();
        history.entries.iter().any(|entry| matches!(entry.what, Happening::Withheld { .. }))
    };
    assert!(told().await);
    sql(store, "update withheld_run set state = 'cancelled', settled_at = '2020-01-02', settled_by = 'kim'")
        .await;
    assert!(!told().await);
}

#[tokio::test]
async fn the_settlement_of_a_run_is_followed_to_its_last_deletion() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    decide(store, "a@x.dk", "U", Some(slot(1))).await;
    send(store, "a@x.dk", Outcome::Acknowledged, 0).await;
    sql(
        store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('a@x.dk', 'full_read', clock_timestamp(), now(), 1, 1); \
         insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select 'a@x.dk', 'U', r.id, e.version, e.start_at, e.end_at from withheld_run r, calendar_event e",
    )
    .await;
    assert_eq!(store.withheld_run_state(1).await.unwrap().as_deref(), Some("withheld"));
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    assert_eq!(store.confirm_withheld(1, "kim", now).await.unwrap().unwrap().keys, 1);
    let scope = Scope::One(mail("a@x.dk"));
    let operation =
        store.record_operation_about(OperationKind::Confirmation, &scope, Some("1"), "kim").await.unwrap();
    let waits = async || {
        let progress = store.operation_progress(&operation).await.unwrap();
        assert_eq!((progress.done, progress.of), (0, 1));
        let [one] = &progress.waiting[..] else { panic!("{progress:?}") };
        assert_eq!(one.mail, "a@x.dk");
        one.reason.clone()
    };
    assert_eq!(waits().await, None);
    // regression: of a mailbox that is not in use nothing was told of what keeps it
    sql(store, "update planner_resource set deleted_date = now()").await;
    assert_eq!(waits().await.as_deref(), Some(NOT_SENT));
    sql(store, "update planner_resource set withdrawn_at = now(), withdrawn_by = 'kim'").await;
    assert_eq!(waits().await, None, "the deletions of one that was withdrawn are sent");
    sql(
        store,
        "update planner_resource set deleted_date = null, withdrawn_at = null, withdrawn_by = null; \
         update calendar_event set bulk = false",
    )
    .await;
    send(store, "a@x.dk", Outcome::Acknowledged, 0).await;
    let progress = store.operation_progress(&operation).await.unwrap();
    assert_eq!((progress.done, progress.of, progress.outcome.as_deref()), (1, 1, Some("confirmed")));
    assert!(progress.waiting.is_empty(), "{progress:?}");
    let list =
        store.record_operation_about(OperationKind::Rejection, &Scope::All, Some("L3"), "kim").await.unwrap();
    assert!(store.operation_progress(&list).await.unwrap().is_done());
    // a kind that a newer version knows does not hide the others
    sql(store, "insert into operation (kind, asked_by) values ('dance', 'kim')").await;
    assert_eq!(store.operations(10).await.unwrap().len(), 2);
}
