//! What a comparison writes.
//!
//! A key that is judged gets as its acknowledged state what Planner holds. Where that differs from the decision it is
//! decided anew, with the same content and the next version: so everything that held the decision back (a refusal,
//! having been set aside, its one conversion each way) is over, and the sender finds it.

use base::TraceContext;
use calendar::compare::Verdict;
use calendar::{OriginId, Slot};
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use uuid::Uuid;

use super::apply::Comparison;
use super::keys::Key;
use crate::adoption::HeldEvent;
use crate::decisions::overruled::keep_overruled;
use crate::{StoreError, prepared};

/// What Planner is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    Create,
    Update,
    Delete,
}

/// A key that changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write<'a> {
    origin_id: &'a OriginId,
    /// What Planner holds.
    holds: Option<&'a HeldEvent>,
    /// With these times; those of the decision where both are the same to the second.
    slot: Option<Slot>,
    pub(super) repair: Option<Repair>,
    /// Nobody has decided about it so far.
    undecided: bool,
}

/// What follows from a verdict that is not "left"; `None` when nothing changes.
pub(super) fn of<'a>(
    comparison: &'a Comparison,
    origin_id: &'a OriginId,
    verdict: Verdict,
    key: Option<&'a Key>,
) -> Option<Write<'a>> {
    let rows = || comparison.held.iter().filter(|event| event.origin_id == *origin_id);
    let wanted = key.filter(|key| key.known.wanted).and_then(|key| key.known.slot);
    let (holds, slot, repair) = match verdict {
        Verdict::Left(_) => return None,
        Verdict::Create => (None, None, Some(Repair::Create)),
        Verdict::Update => {
            let other = rows().find(|event| Some(event.slot) != wanted)?;
            (Some(other), Some(other.slot), Some(Repair::Update))
        }
        Verdict::Delete => {
            let held = rows().find(|event| comparison.window.overlaps(event.slot))?;
            (Some(held), Some(held.slot), Some(Repair::Delete))
        }
        Verdict::Nothing if key.is_none_or(|key| key.planner_own) => return None,
        Verdict::Nothing => match (wanted, rows().next()) {
            (Some(wanted), Some(held)) => (Some(held), Some(wanted), None),
            (None, None) => (None, None, None),
            // not wanted, and held outside the window: no business of the comparison
            (None, Some(_)) | (Some(_), None) => return None,
        },
    };
    let believed = |key: &Key| key.acknowledged == holds.map(|_| slot) && !key.uncertain && !key.stuck;
    let undecided = key.is_none_or(|key| key.known.version == 0);
    (repair.is_some() || !key.is_some_and(believed)).then_some(Write {
        origin_id,
        holds,
        slot,
        repair,
        undecided,
    })
}

/// The columns of some writes, as `unnest` takes them.
#[derive(Default)]
struct Columns<'a> {
    origin_ids: Vec<&'a str>,
    there: Vec<bool>,
    starts: Vec<Option<Timestamp>>,
    ends: Vec<Option<Timestamp>>,
    events: Vec<Option<Uuid>>,
    resources: Vec<Option<Uuid>>,
    repairs: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(writes: &[&'a Write<'a>]) -> Self {
        let mut columns = Self::default();
        for write in writes {
            columns.origin_ids.push(write.origin_id.as_str());
            columns.there.push(write.holds.is_some());
            columns.starts.push(write.slot.map(|slot| slot.start));
            columns.ends.push(write.slot.map(|slot| slot.end));
            columns.events.push(write.holds.and_then(|event| event.calendar_event_identifier));
            columns.resources.push(write.holds.and_then(|event| event.planner_resource_identifier));
            columns.repairs.push(write.repair.is_some());
        }
        columns
    }
}

/// Stores what changes.
pub(super) async fn store(
    tx: &Transaction<'_>,
    comparison: &Comparison,
    full_read_began: Timestamp,
    writes: &[Write<'_>],
) -> Result<(), StoreError> {
    let operation = "store what a comparison found";
    let mail = comparison.mail.as_str();
    let trace = comparison.trace.as_ref().map(TraceContext::as_str);
    let (new, known): (Vec<_>, Vec<_>) =
        writes.iter().partition(|write| write.undecided && write.repair == Some(Repair::Delete));
    let known = Columns::of(&known);
    prepared::execute(
        tx,
        KNOWN,
        &[
            &mail,
            &comparison.now,
            &trace,
            &known.origin_ids,
            &known.there,
            &known.starts,
            &known.ends,
            &known.events,
            &known.resources,
            &known.repairs,
        ],
    )
    .await
    .map_err(StoreError::query(operation))?;
    if new.is_empty() {
        return Ok(());
    }
    let deleted = Columns::of(&new);
    prepared::execute(
        tx,
        UNKNOWN,
        &[
            &mail,
            &comparison.now,
            &trace,
            &full_read_began,
            &deleted.origin_ids,
            &deleted.starts,
            &deleted.ends,
            &deleted.events,
            &deleted.resources,
        ],
    )
    .await
    .map(drop)
    .map_err(StoreError::query(operation))
}

/// Keys that have a decision (or had none and Planner has it no more). What is decided anew is kept as it was, too.
const KNOWN: &str = concat!(
    "with stored as (update calendar_event e set \
         ack_there = w.there, ack_start = w.start_at, ack_end = w.end_at, ack_at = clock_timestamp(), \
         uncertain = false, unanswered = 0, attempts = 0, next_attempt_at = null, \
         refused_version = null, refused_code = null, set_aside_version = null, set_aside_reason = null, \
         version = case when w.repair then e.version + 1 else e.version end, \
         decided_at = case when w.repair then $2 else e.decided_at end, \
         bulk = e.bulk or w.repair, \
         decision_trace = case when w.repair then $3 else e.decision_trace end, \
         calendar_event_identifier = coalesce(w.event_identifier, e.calendar_event_identifier), \
         planner_resource_identifier = coalesce(w.resource_identifier, e.planner_resource_identifier) \
     from unnest($4::text[], $5::bool[], $6::timestamptz[], $7::timestamptz[], $8::uuid[], $9::uuid[], $10::bool[]) \
          as w (origin_id, there, start_at, end_at, event_identifier, resource_identifier, repair) \
     where e.mail = $1 and e.origin_id = w.origin_id \
     returning e.mail, e.origin_id, case when w.repair then e.version end as version)",
    keep_overruled!(),
    " select count(*) from stored"
);

/// Keys that Planner holds and nobody decided about: they get the decision "absent". It bears the beginning of the full
/// reading that did not find them, so that any later reading goes before it.
const UNKNOWN: &str = "insert into calendar_event as e (mail, origin_id, version, wanted, start_at, end_at, decided_at, \
                                                 reading_began, bulk, decision_trace, ack_there, ack_start, ack_end, \
                                                 ack_at, calendar_event_identifier, planner_resource_identifier) \
     select $1, w.origin_id, 1, false, w.start_at, w.end_at, $2, $4, true, $3, true, w.start_at, w.end_at, \
            clock_timestamp(), w.event_identifier, w.resource_identifier \
     from unnest($5::text[], $6::timestamptz[], $7::timestamptz[], $8::uuid[], $9::uuid[]) \
          as w (origin_id, start_at, end_at, event_identifier, resource_identifier) \
     order by w.origin_id \
     on conflict (mail, origin_id) do update set \
         version = 1, wanted = false, start_at = coalesce(e.start_at, excluded.start_at), \
         end_at = coalesce(e.end_at, excluded.end_at), decided_at = excluded.decided_at, \
         reading_began = excluded.reading_began, bulk = true, decision_trace = excluded.decision_trace, \
         ack_there = true, ack_start = excluded.ack_start, ack_end = excluded.ack_end, ack_at = excluded.ack_at, \
         uncertain = false, unanswered = 0, attempts = 0, next_attempt_at = null, \
         refused_version = null, refused_code = null, set_aside_version = null, set_aside_reason = null \
     where e.version = 0";
