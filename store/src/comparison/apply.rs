//! One mailbox's comparison takes effect: the keys as they are now, the pure table, the guard, the writes, in one
//! transaction.
//!
//! The keys are read twice: at first without locks, to know whether the guard withholds the deletions (that takes
//! its own rows, which are locked before keys everywhere), then locked, to act. What was to be deleted the first
//! time only is left, and so is what is to be deleted the second time only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::TraceContext;
use calendar::compare::{self, CompareScene, LeftBecause, PlannerRow, Stored, Verdict};
use calendar::guard::{self, GuardLimits, Judgement};
use calendar::window::Window;
use calendar::{MailAddress, OriginId, Slot};
use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::keys::{self, Key};
use super::write::{self, Repair, Write};
use crate::adoption::HeldEvent;
use crate::lease::{self, Fence};
use crate::wake::{Channel, News};
use crate::withheld::{self, MissingKey, WithheldSource, Withholding};
use crate::{Store, StoreError, operations, prepared};

/// What Planner answered for one mailbox.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Whose.
    pub mail: MailAddress,
    /// When the call began, by the database's clock ([`crate::calls::CallStart::began`]).
    pub began: Timestamp,
    /// The window (B3); what overlaps it is compared.
    pub window: Window,
    /// Planner was asked for what starts from here on: a key that starts earlier cannot be judged.
    pub from: Timestamp,
    /// The mailbox must have been read in full since then (the beginning of the day).
    pub read_since: Timestamp,
    /// What Planner holds, times to the second. A key may occur with different times.
    pub held: Vec<HeldEvent>,
    /// What of it may be deleted at once.
    pub guard: GuardLimits,
    /// How long after an unknown outcome a mailbox is compared.
    pub after_unknown_outcome: Duration,
    /// Where the trace of what it sends goes on.
    pub trace: Option<TraceContext>,
    /// The time of this process.
    pub now: Timestamp,
}

/// What became of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It took effect.
    Done(Compared),
    /// The mailbox is not in use any more, is to be adopted first, or is to be read first: nothing took effect.
    NotNow,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Keys that Planner lacked: they are created.
    pub created: usize,
    /// Keys that Planner held with other times: they are updated.
    pub updated: usize,
    /// Keys that Planner held and that nobody wants there: they are deleted.
    pub deleted: usize,
    /// Keys in step, of which something else was believed.
    pub corrected: usize,
    /// Keys that were left to a later comparison, by reason.
    pub left: BTreeMap<&'static str, usize>,
    /// The deletions were too many and are withheld.
    pub withheld: Option<Withheld>,
}

/// Deletions that the guard withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// The run that waits for an operator.
    pub run: i64,
    /// How many deletions.
    pub keys: usize,
    /// How many keys of the mailbox were there.
    pub there: usize,
}

impl Compared {
    /// In words, as an operation keeps it.
    fn in_words(&self) -> String {
        let found = [
            (self.created, "lacking in Planner"),
            (self.updated, "with other times in Planner"),
            (self.deleted, "in Planner only"),
            (self.corrected, "in step already, otherwise than believed"),
        ];
        let found = found.into_iter().filter(|(number, _)| *number > 0);
        let mut parts: Vec<String> = found.map(|(number, what)| format!("{number} {what}")).collect();
        let mut left: usize = self.left.values().sum();
        if let Some(Withheld { keys, there, .. }) = self.withheld {
            left = left.saturating_sub(self.left.get(WITHHELD).copied().unwrap_or_default());
            parts.push(format!("deletions withheld {keys} of {there}"));
        }
        if left > 0 {
            parts.push(format!("{left} left alone"));
        }
        if parts.is_empty() { "nothing to put right".to_owned() } else { parts.join(", ") }
    }
}

/// Why a key is left whose deletion is withheld.
const WITHHELD: &str = "withheld";

impl Store {
    /// Lets a comparison take effect.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn compare(&self, fence: &Fence, comparison: &Comparison) -> Result<Fate, StoreError> {
        let operation = "compare with what Planner holds";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let Some(reading) = full_reading(&tx, comparison).await? else { return Ok(Fate::NotNow) };
        let (deletable, withheld) = withhold(&tx, comparison, &reading).await?;
        let keys = keys::load(&tx, comparison, keys::Locks::Taken).await?;
        let verdicts = judge(comparison, &reading, &keys);
        let mut compared = Compared { withheld, ..Compared::default() };
        let mut writes: Vec<Write<'_>> = Vec::new();
        for (origin_id, verdict) in &verdicts {
            let key = keys.get(origin_id);
            match verdict {
                Verdict::Left(because) => *compared.left.entry(word(*because)).or_default() += 1,
                Verdict::Delete if !deletable.contains(origin_id) => {
                    *compared.left.entry(WITHHELD).or_default() += 1;
                }
                _ => {
                    let Some(write) = write::of(comparison, origin_id, *verdict, key) else { continue };
                    match write.repair {
                        Some(Repair::Create) => compared.created += 1,
                        Some(Repair::Update) => compared.updated += 1,
                        Some(Repair::Delete) => compared.deleted += 1,
                        None => compared.corrected += 1,
                    }
                    writes.push(write);
                }
            }
        }
        write::store(&tx, comparison, reading.began, &writes).await?;
        if !end(&tx, comparison).await? {
            return Ok(Fate::NotNow);
        }
        operations::answer_comparisons(&tx, &comparison.mail, comparison.began, &compared.in_words()).await?;
        base::crash::point("comparison.written");
        let repairs = writes.iter().any(|write| write.repair.is_some());
        self.commit(tx, News::of(Channel::Decision).when(repairs), operation).await?;
        Ok(Fate::Done(compared))
    }
}

/// The mailbox's last full reading.
struct FullReading {
    began: Timestamp,
    /// Was everything read and stored? Where some items could not be, what nobody knows may be one of them.
    whole: bool,
}

/// The mailbox's last full reading; `None` when it cannot be compared now.
async fn full_reading(
    tx: &Transaction<'_>,
    comparison: &Comparison,
) -> Result<Option<FullReading>, StoreError> {
    let operation = "look whether a mailbox can be compared";
    let row = prepared::query_opt(
        tx,
        "select r.full_read_began_at, coalesce(r.full_read_whole, false) \
         from planner_resource r \
         where r.mail = $1 and r.deleted_date is null and r.adopted_at is not null \
           and r.full_read_began_at >= $2",
        &[&comparison.mail.as_str(), &comparison.read_since],
    )
    .await
    .map_err(StoreError::query(operation))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(FullReading {
        began: row.try_get(0).map_err(StoreError::query(operation))?,
        whole: row.try_get(1).map_err(StoreError::query(operation))?,
    }))
}

/// Lets the guard judge the deletions; answers which may be carried out. Those that an earlier comparison withheld count
/// too where Planner holds them still, so that they cannot be exceeded little by little; they are never carried out
/// without an operator.
async fn withhold(
    tx: &Transaction<'_>,
    comparison: &Comparison,
    reading: &FullReading,
) -> Result<(BTreeSet<OriginId>, Option<Withheld>), StoreError> {
    let keys = keys::load(tx, comparison, keys::Locks::None).await?;
    let fresh: BTreeSet<OriginId> = judge(comparison, reading, &keys)
        .into_iter()
        .filter(|(_, verdict)| *verdict == Verdict::Delete)
        .map(|(origin_id, _)| origin_id)
        .collect();
    if fresh.is_empty() {
        return Ok((fresh, None));
    }
    let held: BTreeMap<&OriginId, Slot> =
        comparison.held.iter().map(|event| (&event.origin_id, event.slot)).collect();
    let before =
        keys.iter().filter(|(origin_id, key)| key.withheld_by_comparison && held.contains_key(origin_id));
    let all: BTreeSet<&OriginId> = fresh.iter().chain(before.map(|(origin_id, _)| origin_id)).collect();
    let there = guard::there(keys.values().map(|key| key.known.standing()), &comparison.window);
    if guard::judge(all.len(), there, &comparison.guard) == Judgement::Pass {
        return Ok((fresh, None));
    }
    let missing: Vec<MissingKey> = all
        .into_iter()
        .map(|origin_id| MissingKey {
            origin_id: origin_id.clone(),
            version: keys.get(origin_id).map_or(0, |key| key.known.version),
            slot: held.get(origin_id).copied().unwrap_or(comparison.window.slot()),
        })
        .collect();
    let run = Withholding {
        mail: &comparison.mail,
        source: WithheldSource::Comparison,
        began: comparison.began,
        at: comparison.now,
        from: comparison.window.slot().start,
        there,
        keys: &missing,
    };
    let run = withheld::withhold(tx, &run).await?;
    Ok((BTreeSet::new(), run.map(|run| Withheld { run, keys: missing.len(), there })))
}

fn judge(
    comparison: &Comparison,
    reading: &FullReading,
    keys: &BTreeMap<OriginId, Key>,
) -> Vec<(OriginId, Verdict)> {
    let stored: Vec<compare::StoredKey> = keys
        .iter()
        .map(|(origin_id, key)| compare::StoredKey {
            origin_id: origin_id.clone(),
            stored: Stored::of(&key.known, key.planner_own),
            activity: key.activity,
        })
        .collect();
    let rows: Vec<PlannerRow> = comparison
        .held
        .iter()
        .map(|event| PlannerRow {
            mail: Some(comparison.mail.clone()),
            origin_id: Some(event.origin_id.clone()),
            slot: event.slot,
        })
        .collect();
    let mut verdicts = compare::compare_mailbox(&CompareScene {
        mail: &comparison.mail,
        began: comparison.began,
        window: &comparison.window,
        full_read_complete: reading.whole,
        stored: &stored,
        rows: &rows,
    });
    // It was decided after the question was put together: whether Planner lacks it, was not asked.
    verdicts
        .retain(|(origin_id, _)| keys.get(origin_id).is_none_or(|key| !key.starts_before(comparison.from)));
    verdicts
}

const fn word(because: LeftBecause) -> &'static str {
    match because {
        LeftBecause::Withheld => WITHHELD,
        LeftBecause::InFlight => "in flight",
        LeftBecause::Pending => "waiting to be sent",
        LeftBecause::Decided => "decided since",
        LeftBecause::Sent => "sent since",
        LeftBecause::Acknowledged => "acknowledged since",
        LeftBecause::Rejected => "rejected",
        LeftBecause::NotReadInFull => "not read in full",
    }
}

/// Marks the mailbox as compared; `false` when it went out of use or is to be adopted anew.
async fn end(tx: &Transaction<'_>, comparison: &Comparison) -> Result<bool, StoreError> {
    let operation = "mark a mailbox as compared";
    // Who asked since the call began wants a comparison that began later: the mailbox stays due.
    let marked = prepared::execute(
        tx,
        &format!(
            "update planner_resource r \
             set compared_at = $2, \
                 adopt_due_at = case when r.adopt_due_at > $2 then r.adopt_due_at end, \
                 compare_due_at = least(case when r.compare_due_at > $2 then r.compare_due_at end, {recheck}) \
             where r.mail = $1 and r.deleted_date is null and r.adopted_at is not null",
            recheck = super::recheck_sql("$1", "$2", "$3")
        ),
        &[&comparison.mail.as_str(), &comparison.began, &comparison.after_unknown_outcome.as_secs_f64()],
    )
    .await
    .map_err(StoreError::query(operation))?;
    Ok(marked > 0)
}
