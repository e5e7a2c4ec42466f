//! What the mass-delete guard lets through (pure; B8).
//!
//! Deletions that a full read infers from absence count together. Beyond both limits all of them are withheld for
//! an operator, and the other decisions of the reading are stored as usual. Adopted keys (version 0, B9) count
//! among what is there, because a first reading that lacks them infers their absence in the same way. Keys that a
//! comparison withheld, or that an operator said shall stay, are left by every inference and do not count as
//! inferred. A key that is seen again is like any other.
//!
//! What an earlier full read withheld counts until it is seen again or decided about, also where a reading says nothing
//! about it (something unreadable may hide it): or else a reading that hides most of it would let the rest through and
//! end the run. It is withheld anew together with what is missing now. A reading that infers nothing leaves a run whose
//! keys it does not show to the operator as it is.

use std::collections::BTreeSet;

use calendar::guard::{GuardLimits, Judgement, judge, there};
use calendar::reconcile::{Change, Decision};
use calendar::{Appointment, ItemId, Known, MailAddress, OriginId, Window, codes};
use store::decisions::{Guarded, GuardedRun};
use store::withheld::{MissingKey, WithheldKey, WithheldSource};

#[cfg(test)]
mod tests;

/// What a full read found out, and what is withheld of its mailbox.
pub(crate) struct Case<'a> {
    pub(crate) limits: &'a GuardLimits,
    pub(crate) window: &'a Window,
    /// What is known, before the reading changes anything.
    pub(crate) known: &'a [Known],
    pub(crate) found: &'a [Appointment],
    pub(crate) withheld: &'a [WithheldKey],
}

/// Withheld and rejected keys that stand in the calendar, and of which no decision tells it already.
pub(crate) fn seen(
    decisions: &[Decision],
    known: &[Known],
    found: &[Appointment],
    withheld: &[WithheldKey],
) -> Vec<OriginId> {
    if withheld.is_empty() {
        return Vec::new();
    }
    let items: BTreeSet<&ItemId> = found.iter().map(|item| &item.item_id).collect();
    let is_seen = |origin_id: &OriginId| match decisions.iter().find(|one| one.origin_id == *origin_id) {
        Some(decision) => decision.change == Change::Refresh,
        None => known
            .iter()
            .filter(|key| key.origin_id == *origin_id && key.wanted)
            .any(|key| key.item_id.as_ref().is_some_and(|id| items.contains(id))),
    };
    withheld.iter().map(|key| &key.origin_id).filter(|key| is_seen(key)).cloned().collect()
}

/// Takes out of the decisions of a full read what is not to be decided, and says what becomes of it.
pub(crate) fn guard(case: &Case<'_>, decisions: &mut Vec<Decision>) -> Guarded {
    let seen = seen(decisions, case.known, case.found, case.withheld);
    let left: BTreeSet<&OriginId> = case
        .withheld
        .iter()
        .filter(|key| key.rejected || key.source == WithheldSource::Comparison)
        .map(|key| &key.origin_id)
        .collect();
    decisions.retain(|one| !(is_inferred(one) && left.contains(&one.origin_id)));
    let missing: Vec<MissingKey> = decisions.iter().filter_map(missing).collect();
    let unseen = unseen(case, decisions, &seen);
    if missing.is_empty() && !unseen.is_empty() {
        return Guarded { seen, run: GuardedRun::Stays };
    }
    let there = there(case.known.iter().map(Known::standing), case.window);
    let run = match judge(missing.len() + unseen.len(), there, case.limits) {
        Judgement::Withhold => {
            decisions.retain(|one| !is_inferred(one));
            let from = case.window.slot().start;
            GuardedRun::Withholds { keys: missing.into_iter().chain(unseen).collect(), from, there }
        }
        Judgement::Pass if case.withheld.iter().any(waits) => GuardedRun::Ends,
        Judgement::Pass => GuardedRun::Stays,
    };
    Guarded { seen, run }
}

/// Keys that an earlier full read withheld, that still stand there, and about which this reading says nothing.
fn unseen(case: &Case<'_>, decisions: &[Decision], seen: &[OriginId]) -> Vec<MissingKey> {
    let waiting: BTreeSet<&OriginId> =
        case.withheld.iter().filter(|key| waits(key)).map(|key| &key.origin_id).collect();
    if waiting.is_empty() {
        return Vec::new();
    }
    let told: BTreeSet<&OriginId> = decisions.iter().map(|one| &one.origin_id).chain(seen).collect();
    let still =
        case.known.iter().filter(|key| waiting.contains(&key.origin_id) && !told.contains(&key.origin_id));
    still
        .filter_map(|key| {
            let slot = key.standing().slot().filter(|slot| case.window.overlaps(*slot))?;
            Some(MissingKey { origin_id: key.origin_id.clone(), version: key.version, slot })
        })
        .collect()
}

fn waits(key: &WithheldKey) -> bool {
    key.source == WithheldSource::FullRead && !key.rejected
}

fn is_inferred(decision: &Decision) -> bool {
    matches!(decision.change, Change::Delete { inferred: true, .. })
}

fn missing(decision: &Decision) -> Option<MissingKey> {
    let Change::Delete { slot, inferred: true } = decision.change else { return None };
    Some(MissingKey { origin_id: decision.origin_id.clone(), version: decision.expected_version, slot })
}

/// Tells that withheld keys were seen again.
pub(crate) fn tell_seen(mail: &MailAddress, seen: &[OriginId]) {
    if !seen.is_empty() {
        tracing::info!(
            event_id = codes::WITHHELD_SEEN_AGAIN.id,
            mailbox = %mail,
            keys = seen.len(),
            "appointments whose deletion was withheld or rejected stand in the calendar again"
        );
    }
}
