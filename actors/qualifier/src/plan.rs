//! What a reading of some items means (pure): which groups of keys it concerns, what else must be read
//! before they can be decided about, and what to say about it afterwards.
//!
//! A group is all keys of one UID, or of one item without a UID. Groups are decided about as a whole (B2),
//! so a group of which something could not be read is left alone, and the notifications that asked for it
//! fail.

use std::collections::{BTreeMap, BTreeSet};

use calendar::decide::Standing;
use calendar::identity::{first_choice, second_choice};
use calendar::reconcile::{Change, Decision};
use calendar::source::{Reading, WindowReading};
use calendar::{Appointment, AppointmentKind, ItemId, Known, OriginId, Policy, SourceError, Uid, Window};
use store::decisions::Series;

#[cfg(test)]
mod tests;

/// Readings by item.
pub(crate) type Readings = BTreeMap<ItemId, Reading>;

/// Keys that are decided about together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// All of a UID.
    Uid(Uid),
    /// An item without a UID.
    Item(ItemId),
}

impl Group {
    fn of_item(item: &Appointment) -> Self {
        item.uid.clone().map_or_else(|| Self::Item(item.item_id.clone()), Self::Uid)
    }

    fn of_key(key: &Known) -> Option<Self> {
        key.uid.clone().map(Self::Uid).or_else(|| key.item_id.clone().map(Self::Item))
    }

    /// The group that a decision belongs to.
    pub(crate) fn of_decision(decision: &Decision) -> Option<Self> {
        decision.uid.clone().map(Self::Uid).or_else(|| decision.item_id.clone().map(Self::Item))
    }
}

/// The groups that each read item concerns: the one it is in now, and those of the keys and series that it
/// was known under.
pub(crate) fn groups(
    readings: &Readings,
    known: &[Known],
    series: &[Series],
) -> BTreeMap<ItemId, BTreeSet<Group>> {
    readings
        .iter()
        .map(|(id, reading)| {
            let mut groups = BTreeSet::new();
            if let Reading::There(item) = reading {
                groups.insert(Group::of_item(item));
            }
            groups.extend(
                known.iter().filter(|key| key.item_id.as_ref() == Some(id)).filter_map(Group::of_key),
            );
            let masters = series.iter().filter(|series| series.item_id == *id);
            groups.extend(masters.map(|series| Group::Uid(series.uid.clone())));
            (id.clone(), groups)
        })
        .collect()
}

/// Is an item gone of which nothing is known?
pub(crate) fn any_stranger_gone(readings: &Readings, groups: &BTreeMap<ItemId, BTreeSet<Group>>) -> bool {
    strangers_gone(readings, groups).next().is_some()
}

fn strangers_gone<'a>(
    readings: &'a Readings,
    groups: &'a BTreeMap<ItemId, BTreeSet<Group>>,
) -> impl Iterator<Item = &'a ItemId> {
    let gone = |reading: &Reading| matches!(reading, Reading::Gone | Reading::Elsewhere);
    let stranger = |id: &ItemId| groups.get(id).is_none_or(BTreeSet::is_empty);
    readings.iter().filter(move |(id, reading)| gone(reading) && stranger(id)).map(|(id, _)| id)
}

/// An item that is gone and of which nothing is known may have been the master of any series whose master could not
/// be found: it concerns them all.
pub(crate) fn suspect_masters(
    readings: &Readings,
    groups: &mut BTreeMap<ItemId, BTreeSet<Group>>,
    orphans: &[Uid],
) {
    let strangers: Vec<ItemId> = strangers_gone(readings, groups).cloned().collect();
    for id in strangers {
        groups.entry(id).or_default().extend(orphans.iter().cloned().map(Group::Uid));
    }
}

/// The items of single keys of the concerned groups that were not read yet: moved copies and duplicates are
/// settled on what is there now.
pub(crate) fn also_read(readings: &Readings, known: &[Known]) -> Vec<ItemId> {
    let ids: BTreeSet<&ItemId> = known
        .iter()
        .filter(|key| key.recurrence_time.is_none() && key.standing() != Standing::Absent)
        .filter_map(|key| key.item_id.as_ref())
        .filter(|id| !readings.contains_key(id))
        .collect();
    ids.into_iter().cloned().collect()
}

/// The concerned groups that are a series, or were one: they take a reading of the window.
pub(crate) fn in_need_of_window(
    concerned: &BTreeSet<Group>,
    readings: &Readings,
    known: &[Known],
    series: &[Series],
    window: &Window,
) -> BTreeSet<Group> {
    let is_series = readings.values().filter_map(|reading| match reading {
        Reading::There(item) if item.kind != AppointmentKind::Single || item.recurrence_id.is_some() => {
            Some(Group::of_item(item))
        }
        _ => None,
    });
    let was_series = known
        .iter()
        .filter(|key| key.recurrence_time.is_some())
        .filter(|key| key.standing().slot().is_some_and(|slot| window.overlaps(slot)))
        .filter_map(Group::of_key);
    let is_known_series = series.iter().map(|series| Group::Uid(series.uid.clone()));
    is_series.chain(was_series).chain(is_known_series).filter(|group| concerned.contains(group)).collect()
}

/// What stands in the calendar of the concerned groups: by the readings of items, then (later, so they
/// win) by the reading of the window.
pub(crate) fn found_of(
    concerned: &BTreeSet<Group>,
    readings: &Readings,
    window_items: &[Appointment],
) -> Vec<Appointment> {
    let mut found: BTreeMap<&ItemId, &Appointment> = BTreeMap::new();
    for reading in readings.values() {
        if let Reading::There(item) = reading {
            found.insert(&item.item_id, item);
        }
    }
    found.extend(window_items.iter().map(|item| (&item.item_id, item)));
    found.into_values().filter(|item| concerned.contains(&Group::of_item(item))).cloned().collect()
}

/// Items that were read and are not in the calendar as an appointment of the concerned groups.
pub(crate) fn gone_of(readings: &Readings, found: &[Appointment]) -> BTreeSet<ItemId> {
    if readings.is_empty() {
        return BTreeSet::new();
    }
    let found: BTreeSet<&ItemId> = found.iter().map(|item| &item.item_id).collect();
    readings
        .iter()
        .filter(|(id, reading)| !matches!(reading, Reading::Failed(_)) && !found.contains(id))
        .map(|(id, _)| id.clone())
        .collect()
}

/// Takes out what a reading of the window with unreadable items in it cannot bear: that a key is absent which such
/// an item may be, and anything about a key that is known as such an item.
pub(crate) fn spare_hidden(
    decisions: &mut Vec<Decision>,
    reading: &WindowReading,
    known: &[Known],
    gone: &BTreeSet<ItemId>,
    found: &[Appointment],
) {
    if reading.unreadable.is_empty() {
        return;
    }
    let unreadable: BTreeSet<&ItemId> =
        reading.unreadable.iter().filter_map(|one| one.item.as_ref()).collect();
    let hidden: Vec<&Known> =
        known.iter().filter(|key| key.item_id.as_ref().is_some_and(|id| unreadable.contains(id))).collect();
    let found: BTreeSet<&ItemId> = found.iter().map(|item| &item.item_id).collect();
    let proven = |id: &ItemId| gone.contains(id) || found.contains(id);
    decisions.retain(|decision| {
        let is_hidden = hidden.iter().any(|key| {
            key.origin_id == decision.origin_id
                || (key.uid.is_some()
                    && key.uid == decision.uid
                    && key.recurrence_time == decision.recurrence_time)
        });
        let Change::Delete { slot, .. } = decision.change else { return !is_hidden };
        let item = decision.item_id.as_ref();
        !is_hidden && (item.is_some_and(proven) || !reading.may_hide(item, slot))
    });
}

/// The names that the found items may get.
pub(crate) fn names_of(found: &[Appointment], policy: &Policy) -> Vec<OriginId> {
    let zone = policy.zones.configured();
    found.iter().flat_map(|item| [first_choice(item, zone), second_choice(item, zone)]).collect()
}

/// The groups, beyond the concerned ones, whose keys stand under one of these names.
pub(crate) fn strangers(known: &[Known], names: &[OriginId], concerned: &BTreeSet<Group>) -> BTreeSet<Group> {
    let names: BTreeSet<&OriginId> = names.iter().collect();
    known
        .iter()
        .filter(|key| names.contains(&key.origin_id) && key.standing() != Standing::Absent)
        .filter_map(Group::of_key)
        .filter(|group| !concerned.contains(group))
        .collect()
}

/// The groups that cannot be decided about, each with why.
pub(crate) fn failed_groups(
    readings: &Readings,
    groups: &BTreeMap<ItemId, BTreeSet<Group>>,
    known: &[Known],
) -> BTreeMap<Group, SourceError> {
    let mut failed = BTreeMap::new();
    for (id, reading) in readings {
        let Reading::Failed(error) = reading else { continue };
        let by_key = known.iter().filter(|key| key.item_id.as_ref() == Some(id)).filter_map(Group::of_key);
        for group in groups.get(id).into_iter().flatten().cloned().chain(by_key) {
            failed.insert(group, error.clone());
        }
    }
    failed
}

/// What a reading says about series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SeriesNews {
    /// Series whose master was read.
    pub(crate) learned: Vec<Series>,
    /// Masters that are gone, or are no masters any more.
    pub(crate) gone: Vec<ItemId>,
    /// One occurrence of each series whose master nobody knows.
    pub(crate) unknown: Vec<(Uid, ItemId)>,
}

/// Compares what was read with the series that are known.
pub(crate) fn series_news(readings: &Readings, found: &[Appointment], known: &[Series]) -> SeriesNews {
    let mut news = SeriesNews::default();
    for item in found {
        if let (AppointmentKind::RecurringMaster, Some(uid)) = (item.kind, &item.uid) {
            news.learned.push(Series { uid: uid.clone(), item_id: item.item_id.clone() });
        }
    }
    let is_master = |id: &ItemId| news.learned.iter().any(|series| series.item_id == *id);
    let was_read =
        |id: &ItemId| readings.get(id).is_some_and(|reading| !matches!(reading, Reading::Failed(_)));
    news.gone = known
        .iter()
        .map(|series| &series.item_id)
        .filter(|id| was_read(id) && !is_master(id))
        .cloned()
        .collect();
    let mut sure: BTreeSet<&Uid> = news.learned.iter().map(|series| &series.uid).collect();
    sure.extend(known.iter().filter(|series| !news.gone.contains(&series.item_id)).map(|series| &series.uid));
    let mut unknown = BTreeMap::new();
    for item in found {
        let is_occurrence = item.recurrence_id.is_some()
            || matches!(item.kind, AppointmentKind::Occurrence | AppointmentKind::Exception);
        if let Some(uid) = item.uid.as_ref().filter(|uid| is_occurrence && !sure.contains(uid)) {
            unknown.entry(uid).or_insert(&item.item_id);
        }
    }
    news.unknown = unknown.into_iter().map(|(uid, id)| (uid.clone(), id.clone())).collect();
    news
}

/// How many keys changed in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) created: usize,
    pub(crate) updated: usize,
    pub(crate) deleted: usize,
}

impl Tally {
    /// Counts decisions.
    pub(crate) fn of<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Self {
        let mut tally = Self::default();
        for decision in decisions {
            match decision.change {
                Change::Create(_) => tally.created += 1,
                Change::Update(_) => tally.updated += 1,
                Change::Delete { .. } => tally.deleted += 1,
                Change::Refresh => {}
            }
        }
        tally
    }

    /// The outcome in one word.
    pub(crate) fn outcome(self) -> &'static str {
        match (self.created > 0, self.updated > 0, self.deleted > 0) {
            (false, false, false) => "unchanged",
            (true, false, false) => "created",
            (false, true, false) => "updated",
            (false, false, true) => "deleted",
            _ => "several",
        }
    }

    /// The numbers, unless one word says it all.
    pub(crate) fn text(self) -> Option<String> {
        (self.created + self.updated + self.deleted > 1)
            .then(|| format!("created {}, updated {}, deleted {}", self.created, self.updated, self.deleted))
    }
}
