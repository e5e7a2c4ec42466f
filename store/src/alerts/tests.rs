//! Goal: what stands is what each living instance said last, and what waits for an operator is seen while it waits.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
use calendar::MailAddress;

use super::*;
use crate::testing::database;

fn alert(code: u16, occurrences: u64) -> Alert {
    Alert {
        code,
        since: "2026-11-22T10:00:00Z".parse().unwrap(),
        last_at: "2026-11-22T10:05:00Z".parse().unwrap(),
        occurrences,
        subjects: vec!["a@b".to_owned()],
    }
}

#[test]
fn subjects_that_are_not_named_are_counted() {
    let names = ["a@b".to_owned(), "c@d".to_owned()];
    for more in [0, 1, 995] {
        let subjects: Vec<String> = names.iter().cloned().chain(not_named(more)).collect();
        assert_eq!(named(&subjects), (&names[..], more));
    }
    assert_eq!(named(&[]), (&[][..], 0));
}

#[tokio::test]
async fn the_last_word_of_each_instance_stands() {
    let database = database().await;
    let store = &database.store;
    store.keep_alerts("one", &[alert(6904, 11), alert(4906, 1)]).await.unwrap();
    store.keep_alerts("two", &[alert(6904, 20)]).await.unwrap();
    store.keep_alerts("one", &[alert(6904, 12)]).await.unwrap();
    let standing = store.standing_alerts().await.unwrap();
    assert_eq!(standing, [("one".to_owned(), alert(6904, 12)), ("two".to_owned(), alert(6904, 20))]);
    store.keep_alerts("one", &[]).await.unwrap();
    assert_eq!(store.standing_alerts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_dead_instance_said_is_worth_nothing_after_a_while_and_goes() {
    let database = database().await;
    let store = &database.store;
    store.keep_alerts("dead", &[alert(6904, 11)]).await.unwrap();
    let client = store.client("test").await.unwrap();
    let age = |interval: &'static str| {
        let statement = format!("update standing_alert set confirmed_at = now() - interval '{interval}'");
        let client = &client;
        async move { client.batch_execute(&statement).await.unwrap() }
    };
    age("119 s").await;
    assert_eq!(store.standing_alerts().await.unwrap().len(), 1);
    age("3 min").await;
    assert_eq!(store.standing_alerts().await.unwrap(), []);
    store.keep_alerts("alive", &[]).await.unwrap();
    let rows = "select count(*) from standing_alert";
    assert_eq!(
        client.query_one(rows, &[]).await.unwrap().get::<_, i64>(0),
        1,
        "not old enough to be removed"
    );
    age("61 min").await;
    store.keep_alerts("alive", &[]).await.unwrap();
    assert_eq!(client.query_one(rows, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// Regression: the address of who was erased stood in the alerts, and would have come back with the next word of an instance
/// that still counted something about it.
#[tokio::test]
async fn an_erased_mailbox_is_not_named_again_by_who_still_counts_it() {
    let database = database().await;
    let store = &database.store;
    let about = |subjects: &[&str]| {
        vec![Alert {
            subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            ..alert(4906, 3)
        }]
    };
    let say = async || {
        store.keep_alerts("one", &about(&["anna@x.dk", "Bo@x.dk", "c@x.dk", "+2"])).await.unwrap();
        store.keep_alerts("two", &about(&["bo@x.dk"])).await.unwrap();
    };
    let told = async || -> Vec<Vec<String>> {
        store.standing_alerts().await.unwrap().into_iter().map(|(_, alert)| alert.subjects).collect()
    };
    say().await;
    assert_eq!(told().await, [vec!["anna@x.dk", "Bo@x.dk", "c@x.dk", "+2"], vec!["bo@x.dk"]]);
    let bo = MailAddress::parse("bo@x.dk").unwrap();
    let now: Timestamp = "2026-11-22T10:06:00Z".parse().unwrap();
    let erased = store.erase(&bo, "kim", false, true, now).await.unwrap();
    assert_eq!((erased.done, erased.rows), (true, vec![("standing_alert", 2)]));
    let left = [vec!["anna@x.dk", "c@x.dk", "+2"], vec![]];
    assert_eq!(told().await, left);
    say().await;
    assert_eq!(told().await, left, "as they have it in mind");
    assert!(store.forget_erasure(&bo).await.unwrap());
    say().await;
    assert_eq!(told().await[1], ["bo@x.dk"]);
}

/// Regression: what a killed instance had said last kept `status` from "all is well" for two minutes, though its work was
/// another's and nothing was wrong with it there.
#[tokio::test]
async fn what_a_dead_instance_said_does_not_stand_beside_a_living_one() {
    let database = database().await;
    let store = &database.store;
    let client = store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into instance (name, roles, version, expires_at) values \
             ('killed', '{listen}', '1', clock_timestamp() - interval '1 s')",
        )
        .await
        .unwrap();
    for name in ["killed", "beside"] {
        store.keep_alerts(name, &[alert(4922, 1)]).await.unwrap();
    }
    let told = async || -> Vec<String> {
        store.standing_alerts().await.unwrap().into_iter().map(|(instance, _)| instance).collect()
    };
    assert_eq!(told().await, ["beside", "killed"], "nobody else is there, so it is all that is known");
    client
        .batch_execute(
            "insert into instance (name, roles, version, expires_at) values \
             ('beside', '{listen}', '1', clock_timestamp() + interval '1 h')",
        )
        .await
        .unwrap();
    assert_eq!(told().await, ["beside"]);
}

#[tokio::test]
async fn what_waits_for_an_operator_is_seen_and_gone_when_settled() {
    let database = database().await;
    let store = &database.store;
    let seen = async || store.open_matters().await.unwrap();
    assert_eq!(seen().await, OpenMatters::default());
    let client = store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there)
             values ('a@b', 'full_read', to_timestamp(40), to_timestamp(10), 20, 30),
                    ('c@b', 'full_read', to_timestamp(29), to_timestamp(30), 20, 30),
                    ('d@b', 'full_read', to_timestamp(19), to_timestamp(20), 20, 30),
                    ('a@b', 'comparison', to_timestamp(9), to_timestamp(11), 20, 30);
             insert into withheld_list (withheld_at, in_use_before) values (to_timestamp(12), 50);
             insert into notification (mail, bucket, event_type, received_at, set_aside_at)
             values ('a@b', 1, 'Created', now(), to_timestamp(13)), ('n@b', 1, 'Created', now(), null);
             insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at, stopped_at,
                                         set_aside_version)
             values ('a@b', 'U', 2, true, now(), now() + interval '1 h', now(), to_timestamp(14), 2),
                    ('a@b', 'V', 3, true, now(), now() + interval '1 h', now(), null, 2),
                    ('a@b', 'W', 2, true, now(), now() + interval '1 h', to_timestamp(15), null, 2);",
        )
        .await
        .unwrap();
    // regression: since when, and how many, was what each process began anew with
    let waiting = |since: i64, last: i64, count: u64| {
        let at = |second| Timestamp::from_second(second).unwrap();
        Some(Waiting { since: at(since), last_at: at(last), count })
    };
    let all = OpenMatters {
        // regression: the run that was found again, and keeps its number, said when it was found first
        full_reads_withheld: waiting(10, 40, 3),
        comparisons_withheld: waiting(11, 11, 1),
        drops_withheld: waiting(12, 12, 1),
        notifications_set_aside: waiting(13, 13, 1),
        keys_set_aside: waiting(14, 15, 2),
    };
    assert_eq!(seen().await, all);
    let some = |first: &[&str], in_all| SomeMailboxes {
        first: first.iter().map(|mail| (*mail).to_owned()).collect(),
        in_all,
    };
    let whose = WaitingMailboxes {
        // regression: the rest of more than a thousand was told as that of the thousand
        full_reads_withheld: some(&["a@b", "c@b"], 3),
        comparisons_withheld: some(&["a@b"], 1),
        notifications_set_aside: some(&["a@b"], 1),
        keys_set_aside: some(&["a@b"], 1),
    };
    assert_eq!(store.waiting_mailboxes(2).await.unwrap(), whose);
    client
        .batch_execute(
            "update withheld_run set state = 'rejected', settled_at = now() where source = 'full_read';
             delete from notification;
             update calendar_event set version = version + 1;",
        )
        .await
        .unwrap();
    let left =
        OpenMatters { full_reads_withheld: None, notifications_set_aside: None, keys_set_aside: None, ..all };
    assert_eq!(seen().await, left);
    let left = WaitingMailboxes { comparisons_withheld: some(&["a@b"], 1), ..WaitingMailboxes::default() };
    assert_eq!(store.waiting_mailboxes(2).await.unwrap(), left);
}
