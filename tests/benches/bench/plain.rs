//! What the pipeline wrote for changes, written again by the plainest batched client: one connection, statements over
//! arrays, transactions of a hundred rows, nothing read, nothing decided, nobody told.
//!
//! For a change that is: its notification; its decision and the notification's end; the call and its keys in flight; the
//! acknowledgement, its line in the log, the end of the call. Four transactions for a hundred changes, which wait for the
//! disk as those of the product do.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use store::Store;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

/// Rows of a transaction.
const BATCH: usize = 100;

/// The rows that a round of changes led to.
#[derive(Debug)]
pub(crate) struct Written {
    notifications: Vec<Row>,
    keys: Vec<Row>,
    calls: Vec<Row>,
}

impl Written {
    /// What was written since `since`.
    pub(crate) async fn since(store: &Store, since: Timestamp) -> Self {
        let client = store.client("bench").await.expect("a connection");
        let rows = async |query: &str| client.query(query, &[&since]).await.expect("a query that works");
        Self {
            notifications: rows(
                "select n.id, n.mail, r.bucket, n.event_type, n.item_id, n.exchange_timestamp, n.received_at, \
                        n.handled_at, n.outcome, n.trace_context \
                 from notification_log n join planner_resource r using (mail) \
                 where n.received_at >= $1 order by n.mail, n.id",
            )
            .await,
            keys: rows(
                "select e.mail, e.origin_id, e.uid, e.item_id, e.item_known_since, e.version, e.start_at, e.end_at, \
                        e.decided_at, e.reading_began, e.decision_trace, e.calendar_event_identifier, \
                        s.call_id, s.operation, s.at \
                 from calendar_event e join sync_log s using (mail, origin_id, version) \
                 where s.at >= $1 and s.outcome = 'acknowledged' order by e.mail, s.call_id, e.origin_id",
            )
            .await,
            calls: rows(
                "select call_id, operation, mail, items, started_at, deadline, ended_at, \
                        service_call_response_reference_id, lease_key, lease_token \
                 from service_call_reference_log where started_at >= $1 and operation like '%Events' \
                 and operation <> 'GetEvents' order by mail, call_id",
            )
            .await,
        }
    }

    /// Changes of keys.
    pub(crate) fn changes(&self) -> usize {
        self.keys.len()
    }

    /// For people.
    pub(crate) fn rows(&self) -> String {
        let [notifications, keys, calls] =
            [&self.notifications, &self.keys, &self.calls].map(|rows| rows.len());
        format!("{notifications} notifications, {keys} keys, {calls} calls")
    }

    /// Writes all of it into an empty database of the same server (or one that has the rounds before), and says how long
    /// that took.
    pub(crate) async fn write(&self, store: &Store) -> Duration {
        let mut client = store.client("bench").await.expect("a connection");
        let mut statements = Vec::new();
        for text in [NOTIFY, DECIDE, FINISH, CALL, RESERVE, FREE, ACKNOWLEDGE, LOG, CLOSE] {
            statements.push(client.prepare(text).await.expect("a statement that works"));
        }
        let [notify, decide, finish, call, reserve, free, acknowledge, log, close] = &*statements else {
            unreachable!("as many as there are texts")
        };
        let batches = self.batches();
        let began = Instant::now();
        for Batch { notifications, keys, calls } in &batches {
            let (notifications, keys, calls) = (
                &self.notifications[notifications.clone()],
                &self.keys[keys.clone()],
                &self.calls[calls.clone()],
            );
            for step in [
                vec![(notify, notified(notifications))],
                vec![(decide, decided(keys)), (finish, finished(notifications))],
                vec![(call, called(calls)), (reserve, reserved(keys))],
                vec![
                    (free, vec![column::<&str>(keys, "mail"), column::<&str>(keys, "origin_id")]),
                    (acknowledge, acknowledged(keys)),
                    (log, logged(keys)),
                    (close, closed(calls)),
                ],
            ] {
                let tx = client.transaction().await.expect("a transaction");
                for (statement, columns) in &step {
                    let parameters: Vec<&(dyn ToSql + Sync)> =
                        columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
                    tx.execute(*statement, &parameters).await.expect("rows can be written");
                }
                tx.commit().await.expect("a commit");
            }
        }
        Instant::now().duration_since(began)
    }

    /// A hundred keys each, with the calls that none before had, and their share of the notifications.
    fn batches(&self) -> Vec<Batch> {
        let count = self.keys.len().div_ceil(BATCH);
        let mut calls = 0;
        let batch = |number: usize| {
            let keys = number * BATCH..((number + 1) * BATCH).min(self.keys.len());
            let last: Uuid = self.keys[keys.end - 1].get("call_id");
            let begin = calls;
            // both are in the order of mailboxes and calls
            let position = self.calls.iter().position(|row| row.get::<_, Uuid>("call_id") == last);
            calls = calls.max(position.expect("the call of a key was logged") + 1);
            let of = |number: usize| self.notifications.len() * number / count;
            Batch { notifications: of(number)..of(number + 1), keys, calls: begin..calls }
        };
        (0..count).map(batch).collect()
    }
}

/// What goes into the same transactions.
struct Batch {
    notifications: Range<usize>,
    keys: Range<usize>,
    calls: Range<usize>,
}

/// An array as a parameter.
type Column<'a> = Box<dyn ToSql + Sync + 'a>;

/// A column of rows.
fn column<'a, T>(rows: &'a [Row], name: &str) -> Column<'a>
where
    T: FromSql<'a> + ToSql + Sync + 'a,
{
    Box::new(rows.iter().map(|row| row.get::<_, T>(name)).collect::<Vec<T>>())
}

const NOTIFY: &str = "insert into notification (id, mail, bucket, event_type, item_id, exchange_timestamp, received_at, \
                               trace_context) overriding system value \
     select * from unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::timestamptz[], \
                          $7::timestamptz[], $8::text[])";

fn notified(rows: &[Row]) -> Vec<Column<'_>> {
    vec![
        column::<i64>(rows, "id"),
        column::<&str>(rows, "mail"),
        column::<i16>(rows, "bucket"),
        column::<&str>(rows, "event_type"),
        column::<Option<&str>>(rows, "item_id"),
        column::<Option<Timestamp>>(rows, "exchange_timestamp"),
        column::<Timestamp>(rows, "received_at"),
        column::<Option<&str>>(rows, "trace_context"),
    ]
}

const DECIDE: &str = "insert into calendar_event (mail, origin_id, uid, item_id, item_known_since, version, wanted, start_at, \
                                 end_at, decided_at, reading_began, decision_trace, decision_stored_at) \
     select mail, origin_id, uid, item_id, known_since, version, true, start_at, end_at, decided_at, began, trace, decided_at \
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::timestamptz[], \
                 $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[]) \
          as d (mail, origin_id, uid, item_id, known_since, version, start_at, end_at, decided_at, began, trace) \
     on conflict (mail, origin_id) do update set item_id = excluded.item_id, version = excluded.version, \
         start_at = excluded.start_at, end_at = excluded.end_at, decided_at = excluded.decided_at, \
         reading_began = excluded.reading_began, decision_trace = excluded.decision_trace, \
         decision_stored_at = excluded.decision_stored_at";

fn decided(rows: &[Row]) -> Vec<Column<'_>> {
    vec![
        column::<&str>(rows, "mail"),
        column::<&str>(rows, "origin_id"),
        column::<Option<&str>>(rows, "uid"),
        column::<Option<&str>>(rows, "item_id"),
        column::<Option<Timestamp>>(rows, "item_known_since"),
        column::<i64>(rows, "version"),
        column::<Timestamp>(rows, "start_at"),
        column::<Timestamp>(rows, "end_at"),
        column::<Timestamp>(rows, "decided_at"),
        column::<Option<Timestamp>>(rows, "reading_began"),
        column::<Option<&str>>(rows, "decision_trace"),
    ]
}

const FINISH: &str = "with done as (delete from notification where id = any ($1) returning *) \
     insert into notification_log (id, mail, event_type, item_id, old_item_id, exchange_timestamp, received_at, \
                                   handled_at, attempts, outcome, trace_context) \
     select d.id, d.mail, d.event_type, d.item_id, d.old_item_id, d.exchange_timestamp, d.received_at, f.handled_at, \
            d.attempts, f.outcome, d.trace_context \
     from done d join unnest($1, $2::timestamptz[], $3::text[]) as f (id, handled_at, outcome) using (id)";

fn finished(rows: &[Row]) -> Vec<Column<'_>> {
    vec![column::<i64>(rows, "id"), column::<Timestamp>(rows, "handled_at"), column::<&str>(rows, "outcome")]
}

const CALL: &str = "insert into service_call_reference_log (call_id, operation, mail, items, started_at, deadline, lease_key, \
                                             lease_token) \
     select * from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::timestamptz[], \
                          $7::text[], $8::bigint[])";

fn called(rows: &[Row]) -> Vec<Column<'_>> {
    vec![
        column::<Uuid>(rows, "call_id"),
        column::<&str>(rows, "operation"),
        column::<Option<&str>>(rows, "mail"),
        column::<i32>(rows, "items"),
        column::<Timestamp>(rows, "started_at"),
        column::<Timestamp>(rows, "deadline"),
        column::<Option<&str>>(rows, "lease_key"),
        column::<Option<i64>>(rows, "lease_token"),
    ]
}

const RESERVE: &str = "insert into key_in_flight (mail, origin_id, call_id, position, operation, version, start_at, end_at, deadline) \
     select mail, origin_id, call_id, 1, operation, version, start_at, end_at, at \
     from unnest($1::text[], $2::text[], $3::uuid[], $4::\"char\"[], $5::bigint[], $6::timestamptz[], $7::timestamptz[], \
                 $8::timestamptz[]) as k (mail, origin_id, call_id, operation, version, start_at, end_at, at)";

fn reserved(rows: &[Row]) -> Vec<Column<'_>> {
    vec![
        column::<&str>(rows, "mail"),
        column::<&str>(rows, "origin_id"),
        column::<Uuid>(rows, "call_id"),
        column::<i8>(rows, "operation"),
        column::<i64>(rows, "version"),
        column::<Timestamp>(rows, "start_at"),
        column::<Timestamp>(rows, "end_at"),
        column::<Timestamp>(rows, "at"),
    ]
}

const FREE: &str = "delete from key_in_flight k using unnest($1::text[], $2::text[]) as d (mail, origin_id) \
     where k.mail = d.mail and k.origin_id = d.origin_id";

const ACKNOWLEDGE: &str = "update calendar_event e set ack_there = true, ack_start = a.start_at, ack_end = a.end_at, \
         ack_version = a.version, ack_at = a.at, calendar_event_identifier = a.identifier \
     from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::uuid[]) \
          as a (mail, origin_id, version, start_at, end_at, at, identifier) \
     where e.mail = a.mail and e.origin_id = a.origin_id";

fn acknowledged(rows: &[Row]) -> Vec<Column<'_>> {
    vec![
        column::<&str>(rows, "mail"),
        column::<&str>(rows, "origin_id"),
        column::<i64>(rows, "version"),
        column::<Timestamp>(rows, "start_at"),
        column::<Timestamp>(rows, "end_at"),
        column::<Timestamp>(rows, "at"),
        column::<Option<Uuid>>(rows, "calendar_event_identifier"),
    ]
}

const LOG: &str = "insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, receipt_code, outcome, at) \
     select call_id, mail, origin_id, operation, version, start_at, end_at, 0, 'acknowledged', at \
     from unnest($3::uuid[], $1::text[], $2::text[], $4::\"char\"[], $5::bigint[], $6::timestamptz[], $7::timestamptz[], \
                 $8::timestamptz[]) as k (call_id, mail, origin_id, operation, version, start_at, end_at, at)";

fn logged(rows: &[Row]) -> Vec<Column<'_>> {
    reserved(rows)
}

const CLOSE: &str = "update service_call_reference_log c set ended_at = d.ended_at, success = true, \
         service_call_response_reference_id = d.theirs \
     from unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) as d (call_id, ended_at, theirs) where c.call_id = d.call_id";

fn closed(rows: &[Row]) -> Vec<Column<'_>> {
    vec![
        column::<Uuid>(rows, "call_id"),
        column::<Option<Timestamp>>(rows, "ended_at"),
        column::<Option<Uuid>>(rows, "service_call_response_reference_id"),
    ]
}
