//! The decision about one key (B4): what the calendar says against what was decided before.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::appointment::{Appointment, FreeBusy, Slot};
use crate::ids::{ItemId, OriginId, Uid};
use crate::placing::place;
use crate::window::Window;
use crate::zone::Zones;

#[cfg(test)]
mod tests;

/// The settings that decisions depend on. When they change, everything is decided anew (B4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The configured zone and the way to an item's own.
    pub zones: Zones,
    /// `calendar_events_period_in_months`.
    pub months: u32,
    /// `busy_statuses`: the free/busy statuses that block time.
    pub busy_statuses: BTreeSet<FreeBusy>,
}

impl Policy {
    /// The statuses that block time by default.
    pub const BUSY_BY_DEFAULT: [FreeBusy; 3] = [FreeBusy::Tentative, FreeBusy::Busy, FreeBusy::Oof];

    /// The window at `now`.
    pub fn window(&self, now: Timestamp) -> Window {
        Window::at(now, self.zones.configured(), self.months)
    }

    /// The settings as text, to notice that they changed.
    pub fn fingerprint(&self) -> String {
        let zone = self.zones.configured().iana_name().unwrap_or("unnamed");
        format!("zone={zone} months={} busy={:?}", self.months, self.busy_statuses)
    }
}

/// What the calendar says about an appointment now, as far as the decision needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its current item id.
    pub item_id: ItemId,
    /// Its times as Planner shall hold them.
    pub slot: Slot,
    /// Does it block time?
    pub blocking: bool,
}

impl Fact {
    /// The fact that an item of the calendar folder is.
    pub fn of(item: &Appointment, policy: &Policy) -> Self {
        let slot = place(item, &policy.zones);
        let blocking =
            !item.is_cancelled && slot.end > slot.start && policy.busy_statuses.contains(&item.free_busy);
        Self { item_id: item.item_id.clone(), slot, blocking }
    }

    /// Is it to be in Planner?
    pub fn is_wanted(&self, window: &Window) -> bool {
        self.blocking && window.overlaps(self.slot)
    }
}

/// What is stored about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The key, together with the mailbox.
    pub origin_id: OriginId,
    /// The UID it came from; `None` for an item without, and for a key that is known by adoption alone.
    pub uid: Option<Uid>,
    /// The original start, for an occurrence.
    pub recurrence_time: Option<Timestamp>,
    /// The item that it was last seen as.
    pub item_id: Option<ItemId>,
    /// How many decisions there were; 0 = none, the key is known by adoption alone (B9).
    pub version: i64,
    /// Does the latest decision want it in Planner?
    pub wanted: bool,
    /// The times of the latest decision that wanted it.
    pub slot: Option<Slot>,
    /// When the latest decision was made.
    pub decided_at: Option<Timestamp>,
    /// The times that Planner has said it holds.
    pub acknowledged: Option<Slot>,
}

/// How a key stands before a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not known, or the latest decision is "absent".
    Absent,
    /// The latest decision wants it, with these times.
    There(Slot),
    /// There is no decision, but Planner holds it with these times (adoption, B9).
    Adopted(Slot),
}

impl Known {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        match (self.version, self.wanted, self.slot, self.acknowledged) {
            (0, _, _, Some(slot)) => Standing::Adopted(slot),
            (1.., true, Some(slot), _) => Standing::There(slot),
            _ => Standing::Absent,
        }
    }
}

impl Standing {
    /// The times it stands with, unless it is absent.
    pub fn slot(self) -> Option<Slot> {
        match self {
            Self::Absent => None,
            Self::There(slot) | Self::Adopted(slot) => Some(slot),
        }
    }
}

/// What is to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Planner shall hold it, and was not meant to before.
    Create,
    /// Planner shall hold it with other times.
    Update,
    /// Planner shall not hold it any longer.
    Delete,
    /// What was decided before still holds.
    Nothing,
}

/// The table of B4 for one key: `fact` is what the calendar says now (`None`: it is not there), `standing`
/// what was decided before.
///
/// A key that is only adopted gets its first decision: what the calendar has becomes a CREATE (which sends
/// nothing where Planner holds the same times already), what it has not becomes a DELETE.
pub fn decide(now: Timestamp, window: &Window, fact: Option<&Fact>, standing: Standing) -> Verdict {
    let wanted = fact.filter(|fact| fact.is_wanted(window));
    match (wanted, standing) {
        (Some(_), Standing::Absent | Standing::Adopted(_)) => Verdict::Create,
        (Some(fact), Standing::There(slot)) if fact.slot != slot => Verdict::Update,
        (Some(_), Standing::There(_)) | (None, Standing::Absent) => Verdict::Nothing,
        (None, Standing::There(slot) | Standing::Adopted(slot)) => {
            let history = slot.end <= now;
            if history || fact.is_some_and(|fact| time_has_passed(fact, slot, window)) {
                Verdict::Nothing
            } else {
                Verdict::Delete
            }
        }
    }
}

/// Is an item unwanted only because its time has come? (Still blocking, unchanged, began before the window.)
pub(crate) fn time_has_passed(fact: &Fact, slot: Slot, window: &Window) -> bool {
    fact.blocking && fact.slot == slot && slot.start < window.start
}
