//! The decisions about many keys at once: all keys of some UIDs after a change (B2, B5), or all keys of a
//! mailbox after a full read (B8).
//!
//! Facts come in, the differences to what is known go out. Absence is never guessed: a key is absent when
//! its item was read and is not there, when its item goes by another name now, or when everything that
//! overlaps some stretch of time was read, the key overlaps it, was decided before that reading began, and
//! was not found.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::appointment::{Appointment, Slot};
use crate::decide::{Fact, Known, Policy, Standing, Verdict, decide, time_has_passed};
use crate::identity::{first_choice, is_appointment, is_representable, recurrence_time, second_choice};
use crate::ids::{ItemId, OriginId, Uid};
use crate::window::Window;

#[cfg(test)]
mod bad_input_tests;
#[cfg(test)]
mod passing_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod tests;

/// Everything that a reconciliation is made from.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// When the decision is made.
    pub now: Timestamp,
    /// The settings.
    pub policy: &'a Policy,
    /// The keys that are known of what is concerned: of the UIDs that were read again, or of everything
    /// that overlaps what was read.
    pub known: &'a [Known],
    /// What is in the calendar, in any order. Patterns of series may be among it.
    pub found: &'a [Appointment],
    /// Items that were read and are not in the calendar.
    pub gone: &'a BTreeSet<ItemId>,
    /// The stretch of time that was read completely, if one was.
    pub covered: Option<Covered>,
}

/// A stretch of time of which everything was read that overlaps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// The stretch.
    pub slot: Slot,
    /// When the reading began: what was decided since is left alone.
    pub began: Timestamp,
    /// Why it was read.
    pub reason: Reason,
}

/// Why a stretch of time was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A change of these UIDs was reported: what is missing of them was deleted (B5).
    Change,
    /// To see everything: what is missing is inferred to be absent (B8; the mass-delete guard's business).
    FullRead,
}

/// What a reconciliation gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// What changes, ordered by key.
    pub decisions: Vec<Decision>,
    /// Items whose identifiers cannot be stored or sent; they were left out.
    pub unrepresentable: Vec<ItemId>,
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The key, together with the mailbox.
    pub origin_id: OriginId,
    /// The UID.
    pub uid: Option<Uid>,
    /// The original start, for an occurrence.
    pub recurrence_time: Option<Timestamp>,
    /// The item it is now; for a deletion the one it was.
    pub item_id: Option<ItemId>,
    /// The version that this was decided against (0 = there was none).
    pub expected_version: i64,
    /// What changes.
    pub change: Change,
}

/// What a decision changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Planner shall hold it, with these times; it did not before.
    Create(Slot),
    /// Planner shall hold it with these times instead of others.
    Update(Slot),
    /// Planner shall not hold it any longer.
    Delete {
        /// The times it had.
        slot: Slot,
        /// Was that inferred from absence in a full read, and not reported?
        inferred: bool,
    },
    /// What was decided stands; only the item (or what is known of its identity) is another.
    Refresh,
}

/// Items that a reconciliation of `found` needs too, though nothing said that they changed: the holders of
/// names that found items would choose, where the holder lies before the window (so that no reading of the
/// window finds it) and may be left in Planner because its time has come. Hardly ever any.
pub fn also_to_read(
    now: Timestamp,
    policy: &Policy,
    known: &[Known],
    found: &[Appointment],
) -> BTreeSet<ItemId> {
    let window = policy.window(now);
    let mut holders: HashMap<&OriginId, &ItemId> = known
        .iter()
        .filter(|key| matches!(key.standing(), Standing::There(slot) if slot.end <= window.start))
        .filter_map(|key| Some((&key.origin_id, key.item_id.as_ref()?)))
        .collect();
    if holders.is_empty() {
        return BTreeSet::new();
    }
    let found_ids: HashSet<&ItemId> = found.iter().map(|item| &item.item_id).collect();
    holders.retain(|_, holder| !found_ids.contains(holder));
    let zone = policy.zones.configured();
    found
        .iter()
        .filter(|item| is_appointment(item))
        .filter_map(|item| holders.get(&first_choice(item, zone)).map(|holder| (*holder).clone()))
        .collect()
}

/// What bears a name.
struct Named<'a> {
    item: &'a Appointment,
    fact: Fact,
}

/// Compares what was found with what is known.
pub fn reconcile(scene: &Scene<'_>) -> Reconciled {
    let window = scene.policy.window(scene.now);
    let by_origin: HashMap<&OriginId, &Known> = scene.known.iter().map(|key| (&key.origin_id, key)).collect();
    let mut unrepresentable = Vec::new();
    let mut items: BTreeMap<&ItemId, &Appointment> = BTreeMap::new();
    for item in scene.found {
        if is_representable(item) {
            items.insert(&item.item_id, item);
        } else {
            unrepresentable.push(item.item_id.clone());
        }
    }
    let named = name_all(scene, &window, items.values().copied().filter(|item| is_appointment(item)));
    let mut missing: BTreeMap<&OriginId, Decision> = BTreeMap::new();
    for known in scene.known.iter().filter(|known| !named.contains_key(&known.origin_id)) {
        // An item of the calendar that is known under this key has another name now, or is a pattern.
        let elsewhere = |id: &ItemId| scene.gone.contains(id) || items.contains_key(id);
        let proven = known.item_id.as_ref().is_some_and(elsewhere);
        if let Some(decision) = decide_missing(scene, &window, known, proven) {
            missing.insert(&known.origin_id, decision);
        }
    }
    let mut decisions: Vec<Decision> = Vec::with_capacity(named.len() + missing.len());
    decisions.extend(named.into_iter().filter_map(|(origin_id, one)| {
        let known = by_origin.get(&origin_id).copied();
        decide_found(scene.now, &window, origin_id, &one, known)
    }));
    // each key is there once: names are given once, and none of them is missing
    decisions.extend(missing.into_values());
    decisions.sort_unstable_by(|a, b| a.origin_id.cmp(&b.origin_id));
    Reconciled { decisions, unrepresentable }
}

/// Gives each item its name (B2). What is left in Planner because its time has come keeps the name that it
/// has there; then the wanted ones choose, the smaller item id first; then the others.
fn name_all<'a>(
    scene: &Scene<'_>,
    window: &Window,
    items: impl Iterator<Item = &'a Appointment>,
) -> HashMap<OriginId, Named<'a>> {
    let zone = scene.policy.zones.configured();
    let mut held: HashMap<&ItemId, (&OriginId, Slot)> = HashMap::new();
    for key in scene.known {
        if let (Some(item), Standing::There(slot)) = (&key.item_id, key.standing()) {
            let holds = held.entry(item).or_insert((&key.origin_id, slot));
            if key.origin_id < *holds.0 {
                *holds = (&key.origin_id, slot);
            }
        }
    }
    let most = items.size_hint().1.unwrap_or_default();
    let mut named: HashMap<OriginId, Named<'a>> = HashMap::with_capacity(most);
    let mut choosing: Vec<(bool, &Appointment, Fact)> = Vec::with_capacity(most);
    for item in items {
        let fact = Fact::of(item, scene.policy);
        // Only a name that is its own: an item that goes by another UID now has left the name to others.
        let own = |name: &OriginId| *name == first_choice(item, zone) || *name == second_choice(item, zone);
        match held.get(&item.item_id) {
            Some((origin_id, slot))
                if !fact.is_wanted(window) && time_has_passed(&fact, *slot, window) && own(origin_id) =>
            {
                named.insert((*origin_id).clone(), Named { item, fact });
            }
            _ => choosing.push((!fact.is_wanted(window), item, fact)),
        }
    }
    choosing.sort_by(|a, b| (a.0, &a.1.item_id).cmp(&(b.0, &b.1.item_id)));
    for (_, item, fact) in choosing {
        let mut origin_id = first_choice(item, zone);
        if named.contains_key(&origin_id) {
            origin_id = second_choice(item, zone);
        }
        // A second choice can only be taken by a UID that imitates it; the item then has no name at all.
        if let Entry::Vacant(free) = named.entry(origin_id) {
            free.insert(Named { item, fact });
        }
    }
    named
}

fn decide_found(
    now: Timestamp,
    window: &Window,
    origin_id: OriginId,
    one: &Named<'_>,
    known: Option<&Known>,
) -> Option<Decision> {
    let standing = known.map_or(Standing::Absent, Known::standing);
    let recurrence_time = recurrence_time(one.item);
    let change = match decide(now, window, Some(&one.fact), standing) {
        Verdict::Create => Change::Create(one.fact.slot),
        Verdict::Update => Change::Update(one.fact.slot),
        Verdict::Delete => Change::Delete { slot: standing.slot()?, inferred: false },
        Verdict::Nothing => {
            let known = known?;
            let same = known.item_id.as_ref() == Some(&one.item.item_id)
                && known.uid == one.item.uid
                && known.recurrence_time == recurrence_time;
            // History needs no item any more; a duplicate that looks like it must not take its name.
            let is_alive = matches!(standing, Standing::There(slot) if slot.end > now);
            if same || !is_alive {
                return None;
            }
            Change::Refresh
        }
    };
    Some(Decision {
        origin_id,
        uid: one.item.uid.clone(),
        recurrence_time,
        item_id: Some(one.item.item_id.clone()),
        expected_version: known.map_or(0, |known| known.version),
        change,
    })
}

fn decide_missing(scene: &Scene<'_>, window: &Window, known: &Known, proven: bool) -> Option<Decision> {
    let standing = known.standing();
    let slot = standing.slot()?;
    let inferred = scene.covered.filter(|covered| {
        covered.slot.overlaps(slot)
            && window.overlaps(slot)
            && known.decided_at.is_none_or(|decided| decided < covered.began)
    });
    if !proven && inferred.is_none() {
        return None;
    }
    if decide(scene.now, window, None, standing) != Verdict::Delete {
        return None;
    }
    let inferred = !proven && inferred.is_some_and(|covered| covered.reason == Reason::FullRead);
    Some(Decision {
        origin_id: known.origin_id.clone(),
        uid: known.uid.clone(),
        recurrence_time: known.recurrence_time,
        item_id: known.item_id.clone(),
        expected_version: known.version,
        change: Change::Delete { slot, inferred },
    })
}
