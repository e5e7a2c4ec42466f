//! Goal: after an erasure no row of the database holds the address, others are untouched, and nothing brings it back.
//! Method: rows in every table that knows mailboxes, then a search through all text of the whole database.

use crate::outbox::testing::{decide, number, resource, slot, sql};
use crate::testing::database;

use super::*;

fn mail() -> MailAddress {
    MailAddress::parse("Anna@X.dk").unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Rows in every table that knows mailboxes, for two of them.
async fn filled(store: &Store) {
    for name in ["anna@x.dk", "bo@x.dk"] {
        resource(store, name).await;
        decide(store, name, "U", Some(slot(1))).await;
        let statements = format!(
            "insert into notification (mail, bucket, event_type, item_id, received_at) \
                 values ('{name}', 1, 'CreatedEvent', 'i', now()); \
             insert into notification_log (id, mail, event_type, received_at, handled_at, attempts, outcome) \
                 values (nextval('notification_claim'), '{name}', 'CreatedEvent', now(), now(), 0, 'decided'); \
             insert into series (mail, uid, item_id) values ('{name}', 'S', 'm'); \
             insert into sync_state (mail, state, asked_at, saved_at) values ('{name}', 's', now(), now()); \
             insert into service_call_reference_log (call_id, operation, mail, items, started_at, deadline, ended_at) \
                 values (gen_random_uuid(), 'CreateEvents', '{name}', 1, now(), now(), now()); \
             insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, outcome, at) \
                 values (gen_random_uuid(), '{name}', 'U', 'C', 1, now(), now(), 'acknowledged', now()); \
             insert into application_log (at, event_id, severity, source, message, fields, instance) \
                 values (now(), 4906, 'error', 'ELS', 'mailbox {name} is gone', '{{\"mailbox\": \"{name}\"}}', 'one'); \
             insert into decision_history (mail, origin_id, version, wanted, decided_at, bulk) \
                 values ('{name}', 'U', 1, false, now(), false); \
             insert into operation (kind, mail, asked_by) values ('full_pull', '{name}', 'kim'); \
             insert into operation_mailbox (operation_id, mail) select max(id), '{name}' from operation; \
             insert into subscription (endpoint, grouping_value, ordinal) values ('https://ex', 'g', 1) \
                 on conflict do nothing; \
             insert into planner_resource_subscription (mail, subscription_id) select '{name}', id from subscription; \
             insert into standing_alert as a (instance, code, since, last_at, occurrences, subjects) \
                 values ('one', 4906, now(), now(), 1, array['{name}']) \
                 on conflict (instance, code) do update set subjects = a.subjects || excluded.subjects; \
             insert into withheld_list (withheld_at, in_use_before, state, settled_at) \
                 values (now(), 2, 'confirmed', now()); \
             insert into withheld_list_resource (withheld_list_id, mail) select max(id), '{name}' from withheld_list; \
             insert into planner_resource_blacklist (mail, reason, added_by) values ('{name}', 'left', 'kim'); \
             insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
                 values ('{name}', 'full_read', now(), now(), 1, 1); \
             insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
                 select '{name}', 'U', max(id), 1, now(), now() from withheld_run; \
             insert into planner_resource_whitelist (mail, added_by) values (upper('{name}'), 'kim')"
        );
        sql(store, &statements).await;
    }
}

/// How many rows of all tables hold the text anywhere.
async fn mentions(store: &Store, text: &str) -> Vec<(String, i64)> {
    let client = store.client("test").await.unwrap();
    let tables =
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    let mut found = Vec::new();
    for row in client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let count = format!("select count(*) from {table} t where strpos(lower(t::text), $1) > 0");
        let count: i64 = client.query_one(&count, &[&text]).await.unwrap().get(0);
        if count > 0 {
            found.push((table, count));
        }
    }
    found
}

#[tokio::test]
async fn no_row_holds_the_address_afterwards_and_others_are_untouched() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    let (anna, bo) = (mentions(store, "anna@x.dk").await, mentions(store, "bo@x.dk").await);
    assert_eq!(anna.len(), bo.len());
    assert!(anna.len() >= 19, "{anna:?}");

    let refused = store.erase(&mail(), "kim", false, true, now()).await.unwrap();
    assert_eq!((refused.done, refused.held_by_planner), (false, 1), "it is to be in Planner");
    assert_eq!(mentions(store, "anna@x.dk").await, anna, "what is refused changes nothing");
    let counted = store.erase(&mail(), "kim", true, false, now()).await.unwrap();
    assert!(!counted.done && counted.rows.len() >= 18, "{counted:?}");
    assert_eq!(mentions(store, "anna@x.dk").await, anna, "counting changes nothing");

    let erased = store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    assert!(erased.done);
    assert_eq!(erased.rows, counted.rows);
    assert_eq!(mentions(store, "anna@x.dk").await, []);
    assert_eq!(mentions(store, "bo@x.dk").await, bo);
    // how often Planner was called is still known
    assert_eq!(number(store, "select count(*) from service_call_reference_log").await, 2);
    let again = store.erase(&mail(), "kim", false, true, now()).await.unwrap();
    assert!(again.done && again.rows.is_empty(), "{again:?}");
}

/// Columns that look as if they named a mailbox and that an erasure does not look at itself, and why.
const SPARED: [(&str, &str, &str); 3] = [
    ("key_in_flight", "mail", "an erasure is refused while there is such a row"),
    ("operation", "subject", "the number of a withheld run"),
    ("planner_resource_subscription", "mail", "goes with the row of planner_resource"),
];

/// Whoever adds a table with mailboxes is told here that it is to be erased (and filled above), or spared for a reason.
#[tokio::test]
async fn every_column_that_may_name_a_mailbox_is_erased_or_spared_for_a_reason() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    let columns = "select table_name::text, column_name::text from information_schema.columns \
                   where table_schema = 'public' and column_name::text ~ '(mail|subject|address|recipient)' \
                   order by 1, 2";
    let client = store.client("test").await.unwrap();
    let rows = client.query(columns, &[]).await.unwrap();
    let found: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let seen: BTreeSet<String> =
        mentions(store, "anna@x.dk").await.into_iter().map(|(table, _)| table).collect();
    let erased = |table: &str| {
        REMOVED.iter().any(|(name, _)| *name == table) || ANONYMISED.iter().any(|(name, ..)| *name == table)
    };
    let spared =
        |table: &str, column: &str| SPARED.iter().any(|(name, of_it, _)| *name == table && *of_it == column);
    let forgotten: Vec<_> = found
        .iter()
        .filter(|(table, column)| !(spared(table, column) || (erased(table) && seen.contains(table))))
        .collect();
    assert!(forgotten.is_empty(), "neither erased (and filled in these tests) nor spared: {forgotten:?}");
    for (table, column, why) in SPARED {
        let is_there = found.iter().any(|(name, of_it)| name == table && of_it == column);
        assert!(is_there, "{table}.{column} is not there, and was spared because: {why}");
    }
}

#[tokio::test]
async fn what_is_in_a_call_is_not_erased() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    sql(
        store,
        "insert into key_in_flight (mail, origin_id, call_id, position, operation, version, start_at, end_at, deadline) \
         select mail, 'U', call_id, 1, 'C', 1, now(), now(), now() from service_call_reference_log \
         where mail = 'anna@x.dk'",
    )
    .await;
    let refused = store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    assert_eq!((refused.done, refused.in_flight), (false, 1));
}

#[tokio::test]
async fn who_was_erased_is_known_by_the_hash_and_comes_back_when_that_is_undone() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    let known = async || {
        let mut client = store.client("test").await.unwrap();
        let tx = client.transaction().await.unwrap();
        erased(&tx).await.unwrap().contains(&mail())
    };
    assert!(known().await);
    assert_eq!(store.tombstone(&mail()).await.unwrap().unwrap().by, "kim");
    assert!(!erased_set().contains(&MailAddress::parse("bo@x.dk").unwrap()));
    assert!(store.forget_erasure(&mail()).await.unwrap());
    assert!(!known().await && !store.forget_erasure(&mail()).await.unwrap());
}

/// Regression: erasing again put itself in the place of who had erased the mailbox, and of when.
#[tokio::test]
async fn who_erases_again_removes_what_is_left_and_the_first_stays_known() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    let first = store.tombstone(&mail()).await.unwrap().unwrap();
    decide(store, "anna@x.dk", "U", Some(slot(1))).await;
    let again = store.erase(&mail(), "bo", true, true, now()).await.unwrap();
    assert!(again.done && again.rows.iter().any(|(table, _)| *table == "calendar_event"), "{again:?}");
    assert_eq!(mentions(store, "anna@x.dk").await, []);
    assert_eq!(store.tombstone(&mail()).await.unwrap(), Some(first.clone()));
    let known = store.tombstones(&["bo@x.dk", "anna@x.dk"]).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [("anna@x.dk".to_owned(), first)]);
}

fn erased_set() -> Erased {
    [mail()].into_iter().collect()
}

#[tokio::test]
async fn what_is_written_afterwards_is_swept_away() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    assert_eq!(store.sweep_erased().await.unwrap(), 0, "nobody was erased");
    store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    decide(store, "anna@x.dk", "U", Some(slot(1))).await;
    assert_eq!(store.sweep_erased().await.unwrap(), 1);
    assert_eq!(mentions(store, "anna@x.dk").await, []);
    assert_eq!(number(store, "select count(*) from calendar_event").await, 1);
}

/// Whoever erases the last entry would open the service to everybody, and nobody said that this is meant.
#[tokio::test]
async fn the_last_on_the_whitelist_is_not_erased_while_it_is_there() {
    let database = database().await;
    let store = &database.store;
    filled(store).await;
    sql(store, "delete from planner_resource_whitelist where lower(mail) = 'bo@x.dk'").await;
    let before = mentions(store, "anna@x.dk").await;
    let counted = store.erase(&mail(), "kim", true, false, now()).await.unwrap();
    assert!(counted.last_on_whitelist, "{counted:?}");
    let refused = store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    assert!(refused.last_on_whitelist && !refused.done, "{refused:?}");
    assert_eq!(mentions(store, "anna@x.dk").await, before);

    // others that are not on it may be erased
    let bo = MailAddress::parse("bo@x.dk").unwrap();
    assert!(store.erase(&bo, "kim", true, true, now()).await.unwrap().done);
    // and she, once the list was opened by order
    store.remove_from_whitelist(&[mail()], "kim", true, now()).await.unwrap();
    let erased = store.erase(&mail(), "kim", true, true, now()).await.unwrap();
    assert!(erased.done && !erased.last_on_whitelist, "{erased:?}");
}
