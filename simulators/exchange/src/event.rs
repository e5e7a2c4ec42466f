//! The events that one action on an item raises, in cause order (reference.md section 3, field notes
//! 6 to 12): two to six of them, the folder's own last.

use jiff::Timestamp;
use proto_ews::EventKind;

use crate::ids::{FolderKind, ItemKey};

/// What it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A stored item.
    Item(ItemKey),
    /// A folder.
    Folder(FolderKind),
}

/// One event. Its mailbox is that of the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When; whole seconds on the wire, so it cannot sort (field note 11).
    pub at: Timestamp,
    /// To what.
    pub object: Object,
    /// The folder above the object.
    pub parent: FolderKind,
    /// For a move: the former id and folder.
    pub old: Option<(ItemKey, FolderKind)>,
}

/// What was done to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Made in its folder.
    Created,
    /// Changed in place; for a series also when one occurrence was changed or deleted.
    Changed {
        /// Free/busy information changed too.
        free_busy: bool,
    },
    /// Moved: to Deleted Items, to the dumpster, into the calendar.
    Moved {
        /// The id that it had.
        old: ItemKey,
    },
    /// Gone for good.
    Deleted,
}

/// The events of an action on `item`, which takes time in the calendar or not, for a subscription to
/// single folders. The length of the burst varies with the item's number, as it does in real dumps.
pub fn events(action: Action, item: ItemKey, takes_time: bool, at: Timestamp) -> Vec<Event> {
    let of =
        |kind, item: ItemKey| Event { kind, at, object: Object::Item(item), parent: item.folder, old: None };
    let folder = |kind: FolderKind| Event {
        kind: EventKind::Modified,
        at,
        object: Object::Folder(kind),
        parent: kind.parent(),
        old: None,
    };
    let free_busy = |item: ItemKey| takes_time.then(|| of(EventKind::FreeBusyChanged, item));
    let long = item.number.is_multiple_of(3);
    let mut all = Vec::with_capacity(6);
    match action {
        Action::Created => {
            all.push(of(EventKind::Created, item));
            all.extend(free_busy(item));
            if long {
                all.push(of(EventKind::Modified, item));
                all.extend(free_busy(item));
                all.push(of(EventKind::Modified, item));
            }
        }
        Action::Changed { free_busy: changed } => {
            all.push(of(EventKind::Modified, item));
            if changed {
                all.extend(free_busy(item));
            }
            if long {
                all.push(of(EventKind::Modified, item));
            }
        }
        Action::Moved { old } => {
            if takes_time {
                all.push(of(EventKind::Modified, old));
                all.extend(free_busy(old));
                all.push(of(EventKind::Modified, old));
            }
            all.push(Event { old: Some((old, old.folder)), ..of(EventKind::Moved, item) });
            // A late event for the new id follows the move (field note 8).
            all.extend(free_busy(item));
            all.push(folder(old.folder));
        }
        Action::Deleted => all.push(of(EventKind::Deleted, item)),
    }
    if !matches!(action, Action::Moved { old } if old.folder == item.folder) {
        all.push(folder(item.folder));
    }
    all
}

/// The same action as a subscription to all folders sees it: a move shows as a deletion (from the
/// search folder over all items) and a creation.
pub fn events_of_all_folders(events: &[Event]) -> Vec<Event> {
    let mut all = Vec::with_capacity(events.len() + 1);
    for event in events {
        match (event.kind, event.old) {
            (EventKind::Moved, Some((old, parent))) => {
                let deleted = Object::Item(old);
                all.push(Event { kind: EventKind::Deleted, object: deleted, parent, old: None, ..*event });
                all.push(Event { kind: EventKind::Created, old: None, ..*event });
            }
            _ => all.push(*event),
        }
    }
    all
}

impl Event {
    /// Does a subscription to `folder` see it? The late free/busy event of an item that has just left
    /// for another folder is seen too (field note 6), so `moved_from` names the folder of the action.
    pub fn concerns(&self, folder: FolderKind, moved_from: Option<FolderKind>) -> bool {
        match self.object {
            Object::Folder(own) => own == folder,
            Object::Item(_) => {
                self.parent == folder
                    || self.old.is_some_and(|(_, parent)| parent == folder)
                    || (self.kind == EventKind::FreeBusyChanged && moved_from == Some(folder))
            }
        }
    }
}

#[cfg(test)]
mod tests;
