//! Goal: a running service removes what is older than its retention from every table, a small batch at a time, and keeps what
//! is younger or still needed, while changes go on being sent. Method: rows on both sides of each limit before the start;
//! the limits are not the defaults; triggers count what each statement removes.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::collections::BTreeMap;
use std::time::Duration;

use end_to_end::{Scene, Setting, mailbox, wait_longer};
use store::outbox::testing::{resource, sql};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

/// The first round begins a minute after the start.
const PATIENCE: Duration = Duration::from_secs(180);

/// Retention in days, each different from its default.
const RETENTION: [(&str, &str, &str); 5] = [
    ("retention_days", "notification_log", "10"),
    ("retention_days", "sync_log", "20"),
    ("retention_days", "service_call_reference_log", "30"),
    ("retention_days", "application_log", "5"),
    ("retention_days", "calendar_event", "15"),
];

/// Rows a day older and a day younger than the retention. Rows of this test are known by their mailbox, the one kind that has
/// none by its event's number. The past appointments are of 120 mailboxes that are not used any more, so that three batches are
/// needed, and of one that is used.
const ROWS: &str = "
    insert into notification_log (id, mail, event_type, received_at, handled_at, attempts, outcome)
        select -n, 'gone001@x.dk', 'SyncCheck', at, at, 0, 'x'
        from generate_series(1, 2305) n,
             lateral (select now() - make_interval(days => case when n > 5 then 11 else 9 end) as at) t;
    insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, outcome, at)
        select gen_random_uuid(), 'gone001@x.dk', 'U' || n, 'C', 1, now(), now(), 'acknowledged',
               now() - make_interval(days => case when n > 3 then 21 else 19 end)
        from generate_series(1, 1203) n;
    insert into service_call_reference_log (call_id, operation, mail, items, started_at, deadline, ended_at)
        select gen_random_uuid(), 'CreateEvents', 'gone001@x.dk', 1, at, at, at
        from generate_series(1, 1102) n,
             lateral (select now() - make_interval(days => case when n > 2 then 31 else 29 end) as at) t;
    insert into application_log (at, event_id, severity, source, message, instance)
        select now() - make_interval(days => case when n > 4 then 6 else 4 end), 7, 'information', 'test', 'm', 'x'
        from generate_series(1, 1104) n;
    insert into planner_resource (mail, bucket, name, rid, is_case_worker, deleted_date, deleted_reason)
        select format('gone%s@x.dk', lpad(n::text, 3, '0')), 0, 'gone', 'gone' || n, true, now(), 'P-NotInPlanner'
        from generate_series(1, 120) n;
    insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at,
                                ack_there, ack_start, ack_end, ack_version, ack_at)
        select mail, kind, 1, true, start, start + interval '1 hour', start, true, start, start + interval '1 hour', 1, start
        from (select mail from planner_resource where name = 'gone' union all select 'm0001@sim.test') m,
             (values ('old', now() - interval '15 days 2 hours'), ('young', now() - interval '14 days')) k (kind, start);
";

/// What each statement removes is written down.
const WITNESSES: &str = "
    create table removed (table_name text, rows bigint, mailboxes bigint);
    create function witness() returns trigger language plpgsql as $$ begin
        insert into removed select tg_table_name, count(*), count(distinct to_jsonb(gone) ->> 'mail') from gone;
        return null;
    end $$;
    do $$ declare one text; begin
        foreach one in array array['notification_log', 'sync_log', 'service_call_reference_log', 'application_log',
                                   'calendar_event'] loop
            execute format('create trigger witness after delete on %I referencing old table as gone
                            for each statement execute function witness()', one);
        end loop;
    end $$;
";

/// Rows of this test by table, the old and the young together.
const LEFT: &str = "
    select 'notification_log', count(*) from notification_log where mail = 'gone001@x.dk'
    union all select 'sync_log', count(*) from sync_log where mail = 'gone001@x.dk'
    union all select 'service_call_reference_log', count(*) from service_call_reference_log where mail = 'gone001@x.dk'
    union all select 'application_log', count(*) from application_log where event_id = 7
    union all select 'calendar_event', count(*) from calendar_event where origin_id in ('old', 'young')
    union all select 'old', count(*) from calendar_event where origin_id = 'old'
";

async fn left(scene: &Scene) -> BTreeMap<String, i64> {
    let client = scene.database.store.client("test").await.unwrap();
    client.query(LEFT, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn table(rows: [(&str, i64); 6]) -> BTreeMap<String, i64> {
    rows.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_removes_what_is_older_than_its_retention_in_small_batches() {
    let setting = Setting { configuration: RETENTION.to_vec(), ..Setting::default() };
    let mut scene = Scene::new(PROGRAM, setting).await;
    // as a former run of the service left it
    resource(&scene.database.store, &mailbox(1)).await;
    sql(&scene.database.store, ROWS).await;
    sql(&scene.database.store, WITNESSES).await;
    let before = table([
        ("notification_log", 2_305),
        ("sync_log", 1_203),
        ("service_call_reference_log", 1_102),
        ("application_log", 1_104),
        ("calendar_event", 242),
        ("old", 121),
    ]);
    assert_eq!(left(&scene).await, before);
    scene.start_service().await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    assert_eq!(left(&scene).await, before, "a start has better things to do");

    let done = "kommuneklient_housekeeping_done_seconds";
    wait_longer(PATIENCE, "the end of a round", async || match scene.metric(done).await {
        Some(at) if at > 0.0 => Ok(()),
        found => Err(format!("{found:?}; {:?}; {}", left(&scene).await, scene.log_end())),
    })
    .await;
    let young = table([
        ("notification_log", 5),
        ("sync_log", 3),
        ("service_call_reference_log", 2),
        ("application_log", 4),
        ("calendar_event", 121),
        ("old", 0),
    ]);
    assert_eq!(left(&scene).await, young);
    for (name, removed) in [
        ("notification_log", 2_300.0),
        ("sync_log", 1_200.0),
        ("service_call_reference_log", 1_100.0),
        ("application_log", 1_100.0),
        ("calendar_event", 121.0),
    ] {
        let counter = format!("kommuneklient_housekeeping_rows_total{{table=\"{name}\"}}");
        assert_eq!(scene.metric(&counter).await, Some(removed), "{name}");
    }
    assert_batches_were_small(&scene).await;

    // what is needed is there, and changes go on being sent
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 4)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_no_violations().await;
}

/// No statement removed more than a batch, and there were as many as that makes.
async fn assert_batches_were_small(scene: &Scene) {
    let client = scene.database.store.client("test").await.unwrap();
    let query = "select table_name, max(rows), max(mailboxes), count(*) from removed where rows > 0 group by 1 order by 1";
    let seen: Vec<(String, i64, i64, i64)> = client
        .query(query, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect();
    let seen: Vec<_> =
        seen.iter().map(|(name, most, mails, times)| (name.as_str(), *most, *mails, *times)).collect();
    let expected = [
        ("application_log", 1_000, 0, 2),
        ("calendar_event", 50, 50, 3),
        ("notification_log", 1_000, 1, 3),
        ("service_call_reference_log", 1_000, 1, 2),
        ("sync_log", 1_000, 1, 2),
    ];
    assert_eq!(seen, expected, "table, most rows and mailboxes of a statement, statements");
}
