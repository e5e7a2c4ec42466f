//! The keys of a mailbox as a comparison needs them.

use std::collections::BTreeMap;

use calendar::compare::Activity;
use calendar::{Known, OriginId, Slot};
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::apply::Comparison;
use crate::withheld::{self, WithheldKey, WithheldSource};
use crate::{StoreError, prepared};

/// A key, or what is withheld of one that nobody but Planner knows.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) known: Known,
    pub(super) planner_own: bool,
    pub(super) activity: Activity,
    /// What Planner has said it holds: `None` = nothing, the times are `None` where they are not known.
    pub(super) acknowledged: Option<Option<Slot>>,
    /// It is open what Planner holds.
    pub(super) uncertain: bool,
    /// Its decision was refused or set aside.
    pub(super) stuck: bool,
    /// A comparison withheld its deletion and an operator is still to say something about it.
    pub(super) withheld_by_comparison: bool,
}

impl Key {
    /// Does it start before this instant, as decided or as acknowledged?
    pub(super) fn starts_before(&self, instant: Timestamp) -> bool {
        let acknowledged = self.acknowledged.flatten();
        [self.known.slot, acknowledged].into_iter().flatten().any(|slot| slot.start < instant)
    }

    /// A key without a row.
    fn nowhere(origin_id: OriginId) -> Self {
        let known = Known {
            origin_id,
            uid: None,
            recurrence_time: None,
            item_id: None,
            version: 0,
            wanted: false,
            slot: None,
            decided_at: None,
            acknowledged: None,
        };
        Self {
            known,
            planner_own: false,
            activity: Activity::default(),
            acknowledged: None,
            uncertain: false,
            stuck: false,
            withheld_by_comparison: false,
        }
    }
}

/// Are the rows locked for what follows?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    None,
    Taken,
}

/// Loads the keys that overlap the window, as decided or as acknowledged, those of which Planner holds something that
/// does, and what is withheld or rejected of the mailbox.
pub(super) async fn load(
    tx: &Transaction<'_>,
    comparison: &Comparison,
    locks: Locks,
) -> Result<BTreeMap<OriginId, Key>, StoreError> {
    let operation = "load the keys of a mailbox to be compared";
    let window = comparison.window.slot();
    let held: Vec<&str> = comparison
        .held
        .iter()
        .filter(|event| event.slot.overlaps(window))
        .map(|event| event.origin_id.as_str())
        .collect();
    let overlaps = crate::adoption::OVERLAPS;
    // one order for everybody who locks keys, so that no two wait for each other
    let lock = if locks == Locks::Taken { "for update of e" } else { "" };
    let rows = prepared::query(
        tx,
        &format!(
            "select e.origin_id, e.version, coalesce(e.wanted, false), e.start_at, e.end_at, e.decided_at, \
                    e.ack_there, e.ack_start, e.ack_end, e.planner_own, e.uncertain, e.pending, \
                    coalesce(e.refused_version = e.version or e.set_aside_version = e.version, false), \
                    e.decision_stored_at, e.ack_at, \
                    (select max(l.at) from sync_log l \
                     where l.mail = e.mail and l.origin_id = e.origin_id and l.at >= $5), \
                    exists (select from key_in_flight f where f.mail = e.mail and f.origin_id = e.origin_id) \
             from calendar_event e \
             where e.mail = $1 and ({overlaps} or e.origin_id = any ($4)) order by e.origin_id {lock}"
        ),
        &[&comparison.mail.as_str(), &window.start, &window.end, &held, &comparison.began],
    )
    .await
    .map_err(StoreError::query(operation))?;
    let mut keys = BTreeMap::new();
    for row in &rows {
        let key = read(row).map_err(StoreError::query(operation))?;
        keys.insert(key.known.origin_id.clone(), key);
    }
    note_withheld(tx, comparison, &mut keys).await?;
    Ok(keys)
}

fn read(row: &Row) -> Result<Key, tokio_postgres::Error> {
    let slot = |start: usize, end: usize| -> Result<Option<Slot>, tokio_postgres::Error> {
        let (start, end): (Option<Timestamp>, Option<Timestamp>) = (row.try_get(start)?, row.try_get(end)?);
        Ok(start.zip(end).map(|(start, end)| Slot { start, end }))
    };
    let there: bool = row.try_get(6)?;
    let acknowledged = there.then_some(slot(7, 8)?);
    let known = Known {
        origin_id: row.try_get::<_, String>(0)?.into(),
        uid: None,
        recurrence_time: None,
        item_id: None,
        version: row.try_get(1)?,
        wanted: row.try_get(2)?,
        slot: slot(3, 4)?,
        decided_at: row.try_get(5)?,
        acknowledged: acknowledged.flatten(),
    };
    let activity = Activity {
        decided_at: row.try_get(13)?,
        sent_at: row.try_get(15)?,
        acknowledged_at: row.try_get(14)?,
        pending: row.try_get(11)?,
        in_flight: row.try_get(16)?,
        withheld: false,
        rejected: false,
    };
    Ok(Key {
        known,
        planner_own: row.try_get(9)?,
        activity,
        acknowledged,
        uncertain: row.try_get(10)?,
        stuck: row.try_get(12)?,
        withheld_by_comparison: false,
    })
}

/// Notes what is withheld or rejected, also of keys that have no row. (What was decided about since stands no longer.)
async fn note_withheld(
    tx: &Transaction<'_>,
    comparison: &Comparison,
    keys: &mut BTreeMap<OriginId, Key>,
) -> Result<(), StoreError> {
    let operation = "look at what is withheld of a mailbox";
    let mails = [comparison.mail.as_str()];
    let rows = prepared::query(tx, &withheld::standing_sql(), &[&comparison.now, &&mails[..]])
        .await
        .map_err(StoreError::query(operation))?;
    for row in rows {
        let WithheldKey { origin_id, source, rejected, .. } = withheld::key_of(&row, operation)?;
        let key = keys.entry(origin_id.clone()).or_insert_with(|| Key::nowhere(origin_id));
        key.activity.withheld |= !rejected;
        key.activity.rejected |= rejected;
        key.withheld_by_comparison |= source == WithheldSource::Comparison && !rejected;
    }
    Ok(())
}
