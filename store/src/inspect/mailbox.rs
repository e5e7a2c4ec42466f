//! Everything that is known of one mailbox, and of one of its appointments.

use std::collections::BTreeMap;

use calendar::{MailAddress, OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::work::count;
use crate::group_streams::{StreamState, of_the_owner, state_of, stream_columns};
use crate::{Store, StoreError, erasure};

/// A mailbox and how it stands. Instants are those that the stages wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailboxFacts {
    /// Its address.
    pub mail: String,
    /// The name that Planner gives it.
    pub name: String,
    /// A case worker (else a room).
    pub is_case_worker: bool,
    /// When Planner first listed it.
    pub created_at: Option<Timestamp>,
    /// Not in use since.
    pub deleted_date: Option<Timestamp>,
    /// Why.
    pub deleted_reason: Option<String>,
    /// An operator withdrew its appointments: when, and who.
    pub withdrawn: Option<(Timestamp, String)>,
    /// On the blacklist: why, by whom, when.
    pub blacklisted: Option<(String, String, Timestamp)>,
    /// Is it on the whitelist?
    pub whitelisted: bool,
    /// Why, by whom, when it was put there; the reason only where somebody gave one.
    pub whitelist_entry: Option<(Option<String>, String, Timestamp)>,
    /// Has the whitelist any entries?
    pub whitelist_in_use: bool,
    /// Where it was located.
    pub endpoint: Option<String>,
    /// Its grouping value there.
    pub grouping_value: Option<String>,
    /// When.
    pub located_at: Option<Timestamp>,
    /// Is its place in doubt?
    pub location_doubted: bool,
    /// Why it cannot be listened to.
    pub error_code: Option<String>,
    /// In words.
    pub error_description: Option<String>,
    /// Since when, the last time it was tried.
    pub error_date: Option<Timestamp>,
    /// How often in a row.
    pub error_count: i32,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// When it last began to be listened to.
    pub last_success: Option<Timestamp>,
    /// Its affinity group.
    pub group: Option<i64>,
    /// How the stream of that stands; `None` = not known ([`Group::stream`](super::Group::stream)).
    pub stream: Option<StreamState>,
    /// Has it a live subscription that can be listened to? As a group counts them ([`Group::subscribed`](super::Group::subscribed)).
    pub subscribed: bool,
    /// When this was looked at, by the database's clock.
    pub seen_at: Timestamp,
    /// When its changes were last read to the end.
    pub caught_up_at: Option<Timestamp>,
    /// When what Planner holds was taken over.
    pub adopted_at: Option<Timestamp>,
    /// When its last full reading ended.
    pub last_full_sync: Option<Timestamp>,
    /// Could everything be read then?
    pub full_read_whole: Option<bool>,
    /// Was it read in full since it was adopted, so that its differences are sent?
    pub sendable: bool,
    /// When it was last compared with Planner.
    pub compared_at: Option<Timestamp>,
    /// When it is to be compared next, apart from the schedule.
    pub compare_due_at: Option<Timestamp>,
    /// How many keys and notifications stand how.
    pub counts: MailboxCounts,
    /// The last notification: when it was received, its kind, and its outcome once it was handled, or `set aside`.
    pub last_notification: Option<(Timestamp, String, Option<String>)>,
    /// The last decision.
    pub last_decision: Option<KeyState>,
    /// The last call about it alone, of the last 30 days: when, which, and whether it worked; `None` = it is under way.
    pub last_call: Option<(Timestamp, String, Option<bool>)>,
    /// The last receipt: when, its code and what followed.
    pub last_receipt: Option<(Timestamp, Option<i32>, String)>,
    /// When Planner last accepted something of it.
    pub last_accepted: Option<Timestamp>,
}

/// How many keys and notifications of a mailbox stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailboxCounts {
    /// Keys whose latest decision is not "absent".
    pub there: u64,
    /// Keys that Planner has acknowledged to hold.
    pub held: u64,
    /// Keys that differ and are to be sent.
    pub unsent: u64,
    /// Keys in a call.
    pub in_flight: u64,
    /// Keys that were set aside.
    pub set_aside: u64,
    /// Keys that Planner refused.
    pub refused: u64,
    /// Keys that are Planner's own.
    pub planner_own: u64,
    /// Keys whose deletion is withheld.
    pub withheld: u64,
    /// Notifications that wait.
    pub notifications: u64,
    /// Notifications that were set aside.
    pub notifications_set_aside: u64,
}

/// What Planner has said that it holds for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planner {
    /// Nothing.
    Nothing,
    /// It, with times that are not known.
    Something,
    /// It, with these times.
    Holds(Slot),
}

/// How one key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// The key, together with the mailbox.
    pub origin_id: OriginId,
    /// The version of the latest decision; 0 = none, it is known by adoption alone.
    pub version: i64,
    /// Is it wanted? `None` = no decision.
    pub wanted: Option<bool>,
    /// Its times.
    pub slot: Option<Slot>,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// What Planner holds.
    pub planner: Planner,
    /// When that was learnt.
    pub ack_at: Option<Timestamp>,
    /// Is the outcome of the last call open?
    pub uncertain: bool,
    /// Is it Planner's own?
    pub planner_own: bool,
    /// The code with which Planner refused the decision.
    pub refused: Option<i32>,
    /// Why the decision was set aside.
    pub set_aside: Option<String>,
    /// Is its deletion withheld?
    pub withheld: bool,
    /// Is it to be sent?
    pub pending: bool,
    /// When it is sent again.
    pub next_attempt_at: Option<Timestamp>,
    /// Is it in a call now?
    pub in_flight: bool,
    /// It is gone from the calendar, and stays in Planner because somebody rejected its deletion.
    pub kept: Option<KeptBy>,
}

/// Somebody rejected a withheld deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBy {
    /// The number of the withheld run.
    pub run: i64,
    /// Who.
    pub by: String,
}

/// That a mailbox's data was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

const KEY: &str = "e.origin_id, e.version, e.wanted, e.start_at, e.end_at, e.decided_at, e.ack_there, e.ack_start, \
     e.ack_end, e.ack_at, e.uncertain, e.planner_own, \
     case when e.version > 0 and e.refused_version = e.version then e.refused_code end, \
     case when e.version > 0 and e.set_aside_version = e.version then coalesce(e.set_aside_reason, '') end, \
     exists (select from withheld_key w where w.mail = e.mail and w.origin_id = e.origin_id and w.version = e.version \
             and not w.rejected), \
     e.pending, case when e.next_attempt_at > clock_timestamp() then e.next_attempt_at end, \
     exists (select from key_in_flight f where f.mail = e.mail and f.origin_id = e.origin_id), k.run, k.settled_by";

/// SQL: the row `e`, and in `k` who rejected its deletion; as [`KEY`] reads them.
const KEY_FROM: &str = "calendar_event e left join lateral ( \
         select w.run, coalesce(r.settled_by, '') as settled_by from withheld_key w join withheld_run r on r.id = w.run \
         where w.mail = e.mail and w.origin_id = e.origin_id and w.version = e.version and w.rejected limit 1) k on true";

impl Store {
    /// What is known of a mailbox; `None` when Planner never listed it (or it was erased).
    pub async fn mailbox_facts(&self, mail: &MailAddress) -> Result<Option<MailboxFacts>, StoreError> {
        let operation = "look at a mailbox";
        let client = self.client(operation).await?;
        let row = client.query_opt(FACTS, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        let Some(row) = row else { return Ok(None) };
        let mut facts = facts_of(&row).map_err(StoreError::query(operation))?;
        let counts =
            client.query_one(COUNTS, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        facts.counts = counts_of(&counts).map_err(StoreError::query(operation))?;
        let last = client.query_one(LAST, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        last_of(&last, &mut facts).map_err(StoreError::query(operation))?;
        let decision = client
            .query_opt(
                &format!(
                    "select {KEY} from {KEY_FROM} where e.mail = $1 and e.version > 0 \
                     order by e.decided_at desc limit 1"
                ),
                &[&mail.as_str()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        facts.last_decision =
            decision.as_ref().map(key_of).transpose().map_err(StoreError::query(operation))?;
        Ok(Some(facts))
    }

    /// How a key stands; `None` when nothing is known of it.
    pub async fn key_state(
        &self,
        mail: &MailAddress,
        origin_id: &OriginId,
    ) -> Result<Option<KeyState>, StoreError> {
        let operation = "look at an appointment";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(
                &format!("select {KEY} from {KEY_FROM} where e.mail = $1 and e.origin_id = $2"),
                &[&mail.as_str(), &origin_id.as_str()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        row.as_ref().map(key_of).transpose().map_err(StoreError::query(operation))
    }

    /// Whether the data of this mailbox was erased.
    pub async fn tombstone(&self, mail: &MailAddress) -> Result<Option<Tombstone>, StoreError> {
        let operation = "look for an erased mailbox";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(
                "select erased_at, erased_by from erased_mailbox where hash = $1",
                &[&erasure::hash(mail).as_slice()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let tombstone = |row: &Row| Ok(Tombstone { at: row.try_get(0)?, by: row.try_get(1)? });
        row.as_ref().map(tombstone).transpose().map_err(StoreError::query(operation))
    }

    /// Which of these addresses, as [`MailAddress`] writes them, were erased.
    pub async fn tombstones(&self, mails: &[&str]) -> Result<BTreeMap<String, Tombstone>, StoreError> {
        let operation = "look for erased mailboxes";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select n.mail, e.erased_at, e.erased_by from unnest($1::text[]) as n (mail) \
                 join erased_mailbox e on e.hash = sha256(convert_to(n.mail, 'UTF8'))",
                &[&mails],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let tombstone = |row: &Row| -> Result<(String, Tombstone), tokio_postgres::Error> {
            Ok((row.try_get(0)?, Tombstone { at: row.try_get(1)?, by: row.try_get(2)? }))
        };
        rows.iter().map(tombstone).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }
}

const FACTS: &str = concat!(
    "select r.mail, r.name, r.is_case_worker, r.created_at, r.deleted_date, r.deleted_reason, \
            r.withdrawn_at, r.withdrawn_by, b.reason, b.added_by, b.added_at, \
            exists (select from planner_resource_whitelist w where lower(trim(w.mail)) = r.mail), \
            exists (select from planner_resource_whitelist), r.endpoint, r.grouping_value, r.located_at, \
            r.location_doubted_at is not null, r.error_code, r.error_description, r.error_date, r.error_count, \
            r.retry_at, r.last_success, m.subscription_id, \
            m.ews_subscription_id is not null and r.error_code is null, s.saved_at, r.adopted_at, \
            r.last_full_sync, r.full_read_whole, \
            r.deleted_date is null and r.adopted_at is not null and r.full_read_began_at is not null, r.compared_at, \
            r.compare_due_at, w.reason, w.added_by, w.added_at, ",
    stream_columns!(),
    ", clock_timestamp() from planner_resource r \
     left join lateral (select * from planner_resource_blacklist b where lower(trim(b.mail)) = r.mail limit 1) b on true \
     left join lateral (select * from planner_resource_whitelist w where lower(trim(w.mail)) = r.mail limit 1) w on true \
     left join planner_resource_subscription m on m.mail = r.mail \
     left join sync_state s on s.mail = r.mail \
     left join group_stream gs on gs.subscription_id = m.subscription_id and ",
    of_the_owner!(),
    " where r.mail = $1"
);

fn facts_of(row: &Row) -> Result<MailboxFacts, tokio_postgres::Error> {
    let withdrawn: Option<Timestamp> = row.try_get(6)?;
    let withdrawn_by: Option<String> = row.try_get(7)?;
    let reason: Option<String> = row.try_get(8)?;
    let blocked_by: Option<String> = row.try_get(9)?;
    let blocked_at: Option<Timestamp> = row.try_get(10)?;
    let allowed_why: Option<String> = row.try_get(32)?;
    let allowed_by: Option<String> = row.try_get(33)?;
    let allowed_at: Option<Timestamp> = row.try_get(34)?;
    Ok(MailboxFacts {
        mail: row.try_get(0)?,
        name: row.try_get(1)?,
        is_case_worker: row.try_get(2)?,
        created_at: Some(row.try_get(3)?),
        deleted_date: row.try_get(4)?,
        deleted_reason: row.try_get(5)?,
        withdrawn: withdrawn.map(|at| (at, withdrawn_by.unwrap_or_default())),
        blacklisted: reason.zip(blocked_by).zip(blocked_at).map(|((reason, by), at)| (reason, by, at)),
        whitelisted: row.try_get(11)?,
        whitelist_entry: allowed_by.zip(allowed_at).map(|(by, at)| (allowed_why, by, at)),
        whitelist_in_use: row.try_get(12)?,
        endpoint: row.try_get(13)?,
        grouping_value: row.try_get(14)?,
        located_at: row.try_get(15)?,
        location_doubted: row.try_get(16)?,
        error_code: row.try_get(17)?,
        error_description: row.try_get(18)?,
        error_date: row.try_get(19)?,
        error_count: row.try_get(20)?,
        retry_at: row.try_get(21)?,
        last_success: row.try_get(22)?,
        group: row.try_get(23)?,
        subscribed: row.try_get(24)?,
        caught_up_at: row.try_get(25)?,
        adopted_at: row.try_get(26)?,
        last_full_sync: row.try_get(27)?,
        full_read_whole: row.try_get(28)?,
        sendable: row.try_get(29)?,
        compared_at: row.try_get(30)?,
        compare_due_at: row.try_get(31)?,
        stream: state_of(row, 35)?,
        seen_at: row.try_get(40)?,
        ..MailboxFacts::default()
    })
}

const COUNTS: &str = "select count(*) filter (where e.wanted), count(*) filter (where e.ack_there), \
            count(*) filter (where e.pending), \
            (select count(*) from key_in_flight where mail = $1), \
            count(*) filter (where e.version > 0 and e.set_aside_version = e.version), \
            count(*) filter (where e.version > 0 and e.refused_version = e.version), \
            count(*) filter (where e.planner_own), \
            (select count(*) from withheld_key w left join calendar_event k using (mail, origin_id) \
             where w.mail = $1 and not w.rejected and w.end_at > clock_timestamp() \
               and w.version = coalesce(k.version, 0)), \
            (select count(*) from notification where mail = $1 and set_aside_at is null), \
            (select count(*) from notification where mail = $1 and set_aside_at is not null) \
     from calendar_event e where e.mail = $1";

fn counts_of(row: &Row) -> Result<MailboxCounts, tokio_postgres::Error> {
    Ok(MailboxCounts {
        there: count(row, 0)?,
        held: count(row, 1)?,
        unsent: count(row, 2)?,
        in_flight: count(row, 3)?,
        set_aside: count(row, 4)?,
        refused: count(row, 5)?,
        planner_own: count(row, 6)?,
        withheld: count(row, 7)?,
        notifications: count(row, 8)?,
        notifications_set_aside: count(row, 9)?,
    })
}

/// One row, whatever there is.
const LAST: &str = "select n.received_at, n.event_type, n.outcome, c.started_at, c.operation, c.success, s.at, s.receipt_code, \
            s.outcome, \
            (select max(at) from sync_log where mail = $1 and outcome = 'acknowledged') \
     from (select) as one \
     left join lateral ( \
         select received_at, event_type, outcome from ( \
             (select received_at, event_type, outcome from notification_log where mail = $1 \
              order by handled_at desc limit 1) \
             union all \
             (select received_at, event_type, case when set_aside_at is not null then 'set aside' end \
              from notification where mail = $1 order by id desc limit 1)) as known \
         order by received_at desc limit 1) n on true \
     left join lateral ( \
         select started_at, operation, success from service_call_reference_log \
         where mail = $1 and coalesce(ended_at, deadline) > clock_timestamp() - interval '30 days' \
         order by started_at desc limit 1) c on true \
     left join lateral ( \
         select at, receipt_code, outcome from sync_log where mail = $1 order by at desc limit 1) s on true";

fn last_of(row: &Row, facts: &mut MailboxFacts) -> Result<(), tokio_postgres::Error> {
    let received: Option<Timestamp> = row.try_get(0)?;
    let kind: Option<String> = row.try_get(1)?;
    let outcome: Option<String> = row.try_get(2)?;
    facts.last_notification = received.zip(kind).map(|(at, kind)| (at, kind, outcome));
    let started: Option<Timestamp> = row.try_get(3)?;
    let call: Option<String> = row.try_get(4)?;
    let success: Option<bool> = row.try_get(5)?;
    facts.last_call = started.zip(call).map(|(at, call)| (at, call, success));
    let at: Option<Timestamp> = row.try_get(6)?;
    let code: Option<i32> = row.try_get(7)?;
    let outcome: Option<String> = row.try_get(8)?;
    facts.last_receipt = at.zip(outcome).map(|(at, outcome)| (at, code, outcome));
    facts.last_accepted = row.try_get(9)?;
    Ok(())
}

/// Reads a row of [`KEY`].
fn key_of(row: &Row) -> Result<KeyState, tokio_postgres::Error> {
    let slot = |start: usize, end: usize| -> Result<Option<Slot>, tokio_postgres::Error> {
        let (start, end): (Option<Timestamp>, Option<Timestamp>) = (row.try_get(start)?, row.try_get(end)?);
        Ok(start.zip(end).map(|(start, end)| Slot { start, end }))
    };
    let there: bool = row.try_get(6)?;
    let (run, by): (Option<i64>, Option<String>) = (row.try_get(18)?, row.try_get(19)?);
    Ok(KeyState {
        origin_id: OriginId::new(row.try_get::<_, String>(0)?),
        version: row.try_get(1)?,
        wanted: row.try_get(2)?,
        slot: slot(3, 4)?,
        decided_at: row.try_get(5)?,
        planner: match (there, slot(7, 8)?) {
            (false, _) => Planner::Nothing,
            (true, None) => Planner::Something,
            (true, Some(slot)) => Planner::Holds(slot),
        },
        ack_at: row.try_get(9)?,
        uncertain: row.try_get(10)?,
        planner_own: row.try_get(11)?,
        refused: row.try_get(12)?,
        set_aside: row.try_get(13)?,
        withheld: row.try_get(14)?,
        pending: row.try_get(15)?,
        next_attempt_at: row.try_get(16)?,
        in_flight: row.try_get(17)?,
        kept: run.zip(by).map(|(run, by)| KeptBy { run, by }),
    })
}
