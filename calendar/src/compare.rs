//! The comparison back (B11): what Planner holds against what the store has decided, for one mailbox.
//!
//! The store's side must be read *after* Planner answered, in one snapshot. What was decided, sent or
//! acknowledged since the call began may be newer than the answer and is left to the next comparison; so is
//! what is on its way anyhow. Rows without an origin id are a case worker's own and rows of another address
//! are somebody else's: they are never touched.
//!
//! Everything that a comparison deletes counts as inferred from absence (B8): the caller asks
//! [`guard::judge`](crate::guard::judge) before it acts on any [`Verdict::Delete`].

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::address::MailAddress;
use crate::appointment::Slot;
use crate::decide::{Known, Standing};
use crate::ids::OriginId;
use crate::placing::to_second;
use crate::window::Window;

#[cfg(test)]
mod tests;

/// What the store says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The latest decision wants it, with these times.
    There(Slot),
    /// The latest decision is "absent". With the times it had, where there were any.
    Absent(Option<Slot>),
    /// There is no decision: nobody but Planner knows it, or it was adopted and never decided about.
    Unknown,
    /// Planner said that the appointment is its own (receipt 13).
    PlannersOwn,
}

impl Stored {
    /// What the store says about a known key.
    pub fn of(known: &Known, planner_own: bool) -> Self {
        match known.standing() {
            _ if planner_own => Self::PlannersOwn,
            Standing::There(slot) => Self::There(slot),
            Standing::Absent if known.version > 0 => Self::Absent(known.slot),
            Standing::Absent | Standing::Adopted(_) => Self::Unknown,
        }
    }

    fn slot(self) -> Option<Slot> {
        match self {
            Self::There(slot) => Some(slot),
            Self::Absent(slot) => slot,
            Self::Unknown | Self::PlannersOwn => None,
        }
    }
}

/// What is going on with a key. That its decision was refused or set aside is not among it: such keys are
/// compared like any other, and the comparison may send them again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// When the latest decision was stored, by the clock that `began` was taken from (like all times here).
    pub decided_at: Option<Timestamp>,
    /// When a call about it last left.
    pub sent_at: Option<Timestamp>,
    /// When Planner last said something about it.
    pub acknowledged_at: Option<Timestamp>,
    /// It waits to be sent.
    pub pending: bool,
    /// A call about it is under way, or its outcome may still come.
    pub in_flight: bool,
    /// Its delete is withheld by the guard.
    pub withheld: bool,
    /// An operator has rejected its delete: it stays in Planner.
    pub rejected: bool,
}

/// One key of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key, together with the mailbox.
    pub origin_id: OriginId,
    /// What the store says about it.
    pub stored: Stored,
    /// What is going on with it.
    pub activity: Activity,
}

/// One row of Planner's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannerRow {
    /// Whose; `None` where the row has no usable address.
    pub mail: Option<MailAddress>,
    /// Its origin id; `None` (or empty) for what was not made by an external calendar.
    pub origin_id: Option<OriginId>,
    /// Its times.
    pub slot: Slot,
}

/// Everything that the comparison of one mailbox is made from.
#[derive(Debug, Clone, Copy)]
pub struct CompareScene<'a> {
    /// Whose.
    pub mail: &'a MailAddress,
    /// When the call to Planner began.
    pub began: Timestamp,
    /// The window (B3).
    pub window: &'a Window,
    /// Was the mailbox read in full, so that what nobody decided about is really not in its calendar?
    pub full_read_complete: bool,
    /// The store's keys of this mailbox: at least those that overlap the window, those of which Planner has
    /// rows, and those that are withheld or rejected.
    pub stored: &'a [StoredKey],
    /// Planner's answer; rows of other mailboxes may be among it.
    pub rows: &'a [PlannerRow],
}

/// What the comparison says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Store and Planner agree, or it is no business of ours.
    Nothing,
    /// Planner holds it with other times: send an UPDATE.
    Update,
    /// Planner lacks it: send a CREATE.
    Create,
    /// Planner holds what is not in the calendar: send a DELETE (unless the guard withholds it).
    Delete,
    /// It cannot be judged now.
    Left(LeftBecause),
}

/// Why a key is left to a later comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeftBecause {
    /// Its delete is withheld.
    Withheld,
    /// A call about it is under way.
    InFlight,
    /// It waits to be sent.
    Pending,
    /// It was decided after the call to Planner began.
    Decided,
    /// It was sent after the call to Planner began.
    Sent,
    /// It was acknowledged after the call to Planner began.
    Acknowledged,
    /// It would be deleted, which an operator has rejected.
    Rejected,
    /// Nobody decided about it, and the mailbox has not been read in full.
    NotReadInFull,
}

/// Compares one mailbox; a verdict for each key that is concerned, ordered by key.
///
/// Concerned is a key whose stored times overlap the window, or of which Planner has a row that does. A row
/// of Planner outside the window deletes nothing, for nobody has read that far. Where the store wants the
/// key inside the window, though, such a row tells that Planner holds it with other times; taking it for
/// missing would send a CREATE that Planner answers with 8, and end in the same UPDATE.
pub fn compare_mailbox(scene: &CompareScene<'_>) -> Vec<(OriginId, Verdict)> {
    let mut keys: BTreeMap<&OriginId, (Option<&StoredKey>, Vec<Slot>)> = BTreeMap::new();
    for key in scene.stored {
        keys.entry(&key.origin_id).or_default().0 = Some(key);
    }
    for row in scene.rows.iter().filter(|row| row.mail.as_ref() == Some(scene.mail)) {
        if let Some(origin_id) = row.origin_id.as_ref().filter(|id| !id.as_str().is_empty()) {
            keys.entry(origin_id).or_default().1.push(row.slot);
        }
    }
    keys.into_iter()
        .filter_map(|(origin_id, (key, rows))| {
            let stored = key.map_or(Stored::Unknown, |key| key.stored);
            let activity = key.map_or_else(Activity::default, |key| key.activity);
            let row = one_of(&rows, stored, scene.window);
            verdict(scene, stored, &activity, row).map(|verdict| (origin_id.clone(), verdict))
        })
        .collect()
}

/// Which of several rows with one key stands for them. Planner knows a key once, so rows that differ mean
/// that one is out of date, and none tells which: where any differs from what the store wants, that one
/// counts, for an UPDATE in vain costs one call and a missed one a double booking. For what is to be deleted
/// the one that overlaps the window counts.
fn one_of(rows: &[Slot], stored: Stored, window: &Window) -> Option<Slot> {
    let preferred = |slot: &Slot| match stored {
        Stored::There(wanted) => !same(*slot, wanted),
        Stored::Absent(_) | Stored::Unknown | Stored::PlannersOwn => window.overlaps(*slot),
    };
    rows.iter().copied().min_by_key(|slot| (!preferred(slot), slot.start, slot.end))
}

/// The table of B11 for one key; `None` where it is not concerned.
fn verdict(
    scene: &CompareScene<'_>,
    stored: Stored,
    activity: &Activity,
    row: Option<Slot>,
) -> Option<Verdict> {
    let in_window = |slot: Option<Slot>| slot.is_some_and(|slot| scene.window.overlaps(slot));
    if !in_window(stored.slot()) && !in_window(row) {
        return None;
    }
    let verdict = match (stored, row) {
        (Stored::There(wanted), Some(held)) if same(wanted, held) => Verdict::Nothing,
        (Stored::There(_), Some(_)) => Verdict::Update,
        (Stored::There(_), None) => Verdict::Create,
        (Stored::Absent(_) | Stored::Unknown, held) if !in_window(held) => Verdict::Nothing,
        (Stored::Absent(_), _) => Verdict::Delete,
        (Stored::Unknown, _) if scene.full_read_complete => Verdict::Delete,
        (Stored::Unknown, _) => Verdict::Left(LeftBecause::NotReadInFull),
        (Stored::PlannersOwn, _) => return Some(Verdict::Nothing),
    };
    Some(match left(activity, scene.began) {
        Some(because) => Verdict::Left(because),
        None if verdict == Verdict::Delete && activity.rejected => Verdict::Left(LeftBecause::Rejected),
        None => verdict,
    })
}

/// Why a key is left whatever the two sides say. What happened in the very instant in which the call began
/// may have come after it.
fn left(activity: &Activity, began: Timestamp) -> Option<LeftBecause> {
    let since = |at: Option<Timestamp>| at.is_some_and(|at| at >= began);
    [
        (activity.withheld, LeftBecause::Withheld),
        (activity.in_flight, LeftBecause::InFlight),
        (activity.pending, LeftBecause::Pending),
        (since(activity.decided_at), LeftBecause::Decided),
        (since(activity.sent_at), LeftBecause::Sent),
        (since(activity.acknowledged_at), LeftBecause::Acknowledged),
    ]
    .into_iter()
    .find_map(|(holds, because)| holds.then_some(because))
}

/// Are these the same times, to the second?
fn same(one: Slot, other: Slot) -> bool {
    to_second(one.start) == to_second(other.start) && to_second(one.end) == to_second(other.end)
}
