//! One mailbox: its stored items, the history that SyncFolderItems tells, and the actions on items,
//! each of which answers with the events that it raises.
//!
//! Every change gets the mailbox's next version. An item remembers the version of its creation and of
//! its last change; a deletion stays in the history as the id that is gone. An empty mailbox owns no
//! heap memory beyond its address: fifty thousand idle ones are a few megabytes.
//!
//! Limits: [`MAX_DELETIONS`] remembered deletions (older sync states are refused, and the client starts
//! over), [`MAX_TRASH`] items outside the calendar (the oldest are forgotten).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use proto_ews::CalendarItemKind as Kind;

use crate::event::{Action, Event, events};
use crate::ids::{FolderKey, FolderKind, ItemKey, MailboxKey, SyncState};
use crate::item::{Appointment, Shown, takes_time};

/// Deletions that a mailbox remembers for SyncFolderItems.
pub const MAX_DELETIONS: usize = 20_000;
/// Items kept in Deleted Items and the dumpster together.
pub const MAX_TRASH: usize = 1_000;

/// What the caller may do with a mailbox; a fault switches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything.
    #[default]
    Full,
    /// There is no such mailbox (`ErrorNonExistentMailbox`).
    Missing,
    /// Impersonating it is refused (`ErrorImpersonateUserDenied`).
    ImpersonationDenied,
    /// Its folders are refused (`ErrorAccessDenied`).
    AccessDenied,
    /// Its calendar cannot be found (`ErrorFolderNotFound`).
    FolderNotFound,
    /// Nobody was given rights on its calendar: without impersonation it cannot be found.
    Unshared,
    /// Others may see when it is free and no more: without impersonation its calendar can be named but not read.
    AvailabilityOnly,
    /// Others may read its calendar but for what is private: without impersonation its rights say so.
    PrivateHidden,
}

/// What Autodiscover says about a mailbox; a fault switches it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discovery {
    /// Where it is served.
    #[default]
    Full,
    /// No endpoint in SOAP; the plain service names one.
    NoEndpointInSoap,
    /// No endpoint.
    NoEndpoint,
    /// Ask for another address.
    RedirectAddress(String),
    /// Ask elsewhere.
    RedirectUrl(String),
}

/// A stored item.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Where it is.
    pub folder: FolderKind,
    /// The version at which it came there.
    pub created_at: u64,
    /// The version of its last change.
    pub changed_at: u64,
    /// What it is; shared with readers, copied when it changes.
    pub appointment: Arc<Appointment>,
}

/// An item that is gone from a folder.
#[derive(Debug, Clone, Copy)]
struct Deletion {
    version: u64,
    created_at: u64,
    item: ItemKey,
}

/// A mailbox.
#[derive(Debug)]
pub struct Mailbox {
    key: MailboxKey,
    address: Box<str>,
    /// The index of its grouping value.
    pub group: u16,
    /// What may be done with it.
    pub access: Access,
    /// What Autodiscover says about it.
    pub discovery: Discovery,
    /// The host name of its endpoint; any name of this server without it.
    pub host: Option<String>,
    version: u64,
    next_number: u64,
    items: BTreeMap<u64, Stored>,
    corrupt: BTreeSet<u64>,
    deletions: Vec<Deletion>,
    // The version up to which deletions have been forgotten.
    forgotten: u64,
    changed: Timestamp,
}

/// One entry of a sync page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// New since the state.
    Create(u64),
    /// Changed since the state.
    Update(u64),
    /// Gone since the state.
    Delete(ItemKey),
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub changes: Vec<Change>,
    /// What the client sends next time.
    pub next: SyncState,
    /// Nothing more at the moment.
    pub last: bool,
}

/// A sync state that cannot be continued (`ErrorInvalidSyncStateData`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sync state is of another folder, or older than the history")]
pub struct StaleState;

impl Mailbox {
    /// An empty mailbox.
    ///
    /// Versions and item numbers begin where no earlier incarnation of the mailbox can have come to, so
    /// that ids are not used again, and sync states of before are noticed, after a restart.
    pub fn new(address: &str, group: u16, now: Timestamp) -> Self {
        let begin = u64::try_from(now.as_second()).unwrap_or(0) << 16;
        Self {
            key: MailboxKey::of(address),
            address: address.trim().to_lowercase().into_boxed_str(),
            group,
            access: Access::Full,
            discovery: Discovery::Full,
            host: None,
            version: begin,
            next_number: begin + 1,
            items: BTreeMap::new(),
            corrupt: BTreeSet::new(),
            deletions: Vec::new(),
            forgotten: begin,
            changed: now,
        }
    }

    /// Its key in ids.
    pub fn key(&self) -> MailboxKey {
        self.key
    }

    /// Its mail address, lower case.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The version of its last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When it last changed.
    pub fn changed(&self) -> Timestamp {
        self.changed
    }

    /// How many deletions it remembers.
    pub fn deletions(&self) -> usize {
        self.deletions.len()
    }

    /// Its stored items with their numbers.
    pub fn items(&self) -> impl Iterator<Item = (u64, &Stored)> {
        self.items.iter().map(|(number, stored)| (*number, stored))
    }

    /// How many items a folder has.
    pub fn count(&self, folder: FolderKind) -> usize {
        self.items.values().filter(|stored| stored.folder == folder).count()
    }

    /// A stored item by its number.
    pub fn item(&self, number: u64) -> Option<&Stored> {
        self.items.get(&number)
    }

    /// The stored item of an id: the folder in the id must be the one that it is in.
    pub fn find(&self, key: ItemKey) -> Option<&Stored> {
        self.items.get(&key.number).filter(|stored| stored.folder == key.folder)
    }

    /// The id of a stored item.
    pub fn key_of(&self, number: u64, folder: FolderKind) -> ItemKey {
        ItemKey { mailbox: self.key, folder, number, occurrence: None }
    }

    /// The calendar's single appointments and series, to be expanded outside the lock.
    pub fn calendar(&self) -> Vec<(ItemKey, u64, Arc<Appointment>)> {
        self.items()
            .filter(|(_, stored)| stored.folder == FolderKind::Calendar)
            .map(|(number, stored)| {
                (self.key_of(number, stored.folder), stored.changed_at, Arc::clone(&stored.appointment))
            })
            .collect()
    }

    /// Makes an item corrupt, or sound again.
    pub fn set_corrupt(&mut self, key: ItemKey, corrupt: bool) {
        match corrupt {
            true => self.corrupt.insert(key.number),
            false => self.corrupt.remove(&key.number),
        };
    }

    /// Is this item corrupt?
    pub fn is_corrupt(&self, key: ItemKey) -> bool {
        self.corrupt.contains(&key.number)
    }

    /// The corrupt items' numbers.
    pub fn corrupt(&self) -> &BTreeSet<u64> {
        &self.corrupt
    }

    /// Refuses all sync states that were given out so far.
    pub fn forget_sync_states(&mut self, now: Timestamp) {
        self.forgotten = self.step(now);
    }

    fn step(&mut self, now: Timestamp) -> u64 {
        self.version += 1;
        self.changed = now;
        self.version
    }

    /// Stores a new item.
    pub fn create(
        &mut self,
        folder: FolderKind,
        appointment: Appointment,
        now: Timestamp,
    ) -> (ItemKey, Vec<Event>) {
        let busy = takes_time(appointment.details.free_busy);
        let key = self.put(folder, Arc::new(appointment), now);
        (key, events(Action::Created, key, busy, now))
    }

    fn put(&mut self, folder: FolderKind, appointment: Arc<Appointment>, now: Timestamp) -> ItemKey {
        let version = self.step(now);
        let number = self.next_number;
        self.next_number += 1;
        self.items.insert(number, Stored { folder, created_at: version, changed_at: version, appointment });
        self.key_of(number, folder)
    }

    /// Changes a stored item in place: `change` gets a copy, which is stored when it succeeds.
    /// `None` when the item is not there.
    pub fn update<E>(
        &mut self,
        key: ItemKey,
        now: Timestamp,
        change: impl FnOnce(&mut Appointment) -> Result<(), E>,
    ) -> Option<Result<Vec<Event>, E>> {
        let stored = self.find(key)?;
        let mut appointment = (*stored.appointment).clone();
        let (before, had_exceptions) = (appointment.details.clone(), exceptions(&appointment));
        if let Err(error) = change(&mut appointment) {
            return Some(Err(error));
        }
        let after = &appointment.details;
        let free_busy = (before.start, before.end, before.free_busy)
            != (after.start, after.end, after.free_busy)
            || had_exceptions != exceptions(&appointment);
        let busy = takes_time(before.free_busy) || takes_time(after.free_busy);
        let version = self.step(now);
        let stored = self.items.get_mut(&key.number)?;
        stored.changed_at = version;
        stored.appointment = Arc::new(appointment);
        Some(Ok(events(Action::Changed { free_busy }, key.master(), busy, now)))
    }

    /// Moves an item to another folder, where it has a new id. `None` when the item is not there.
    pub fn move_to(
        &mut self,
        key: ItemKey,
        folder: FolderKind,
        now: Timestamp,
    ) -> Option<(ItemKey, Vec<Event>)> {
        self.find(key)?;
        let stored = self.remove(key, now)?;
        let busy = takes_time(stored.appointment.details.free_busy);
        let new = self.put(folder, stored.appointment, now);
        self.forget_old_trash();
        Some((new, events(Action::Moved { old: key.master() }, new, busy, now)))
    }

    /// Deletes an item for good. `None` when it is not there.
    pub fn delete(&mut self, key: ItemKey, now: Timestamp) -> Option<Vec<Event>> {
        self.find(key)?;
        let stored = self.remove(key, now)?;
        let busy = takes_time(stored.appointment.details.free_busy);
        Some(events(Action::Deleted, key.master(), busy, now))
    }

    fn remove(&mut self, key: ItemKey, now: Timestamp) -> Option<Stored> {
        let version = self.step(now);
        let stored = self.items.remove(&key.number)?;
        self.corrupt.remove(&key.number);
        self.deletions.push(Deletion { version, created_at: stored.created_at, item: key.master() });
        if self.deletions.len() > MAX_DELETIONS {
            let dropped: Vec<_> = self.deletions.drain(..MAX_DELETIONS / 2).collect();
            self.forgotten = dropped.last().map_or(self.forgotten, |deletion| deletion.version);
        }
        Some(stored)
    }

    fn forget_old_trash(&mut self) {
        let trash: Vec<u64> = self
            .items()
            .filter(|(_, stored)| stored.folder != FolderKind::Calendar)
            .map(|(number, _)| number)
            .collect();
        for number in trash.iter().take(trash.len().saturating_sub(MAX_TRASH)) {
            self.items.remove(number);
        }
    }

    /// The next page of a folder's history after `state` (from the beginning without one), at most
    /// `limit` changes, newest first.
    pub fn sync(
        &self,
        folder: FolderKind,
        state: Option<SyncState>,
        limit: usize,
    ) -> Result<Page, StaleState> {
        let folder_key = FolderKey { mailbox: self.key, folder };
        let state = match state {
            // A new round begins where the last one ended.
            Some(state) if state.before <= state.since => {
                SyncState { since: state.until, until: self.version, before: self.version + 1, ..state }
            }
            Some(state) => state,
            None => SyncState { folder: folder_key, since: 0, until: self.version, before: self.version + 1 },
        };
        let unknown =
            state.folder != folder_key || state.until > self.version || state.until < self.forgotten;
        if unknown || (state.since > 0 && state.since < self.forgotten) {
            return Err(StaleState);
        }
        let span = state.since + 1..state.before;
        let mut found: Vec<(u64, Change)> = self
            .items()
            .filter(|(_, stored)| stored.folder == folder && span.contains(&stored.changed_at))
            .map(|(number, stored)| match stored.created_at > state.since {
                true => (stored.changed_at, Change::Create(number)),
                false => (stored.changed_at, Change::Update(number)),
            })
            .collect();
        let gone = self.deletions.iter().filter(|deletion| {
            deletion.item.folder == folder
                && deletion.created_at <= state.since
                && span.contains(&deletion.version)
        });
        found.extend(gone.map(|deletion| (deletion.version, Change::Delete(deletion.item))));
        found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        let finished = found.len() <= limit;
        found.truncate(limit);
        let before = match found.last() {
            Some((version, _)) if !finished => *version,
            _ => state.since,
        };
        let next = SyncState { before, ..state };
        let last = finished && state.until == self.version;
        Ok(Page { changes: found.into_iter().map(|(_, change)| change).collect(), next, last })
    }
}

fn exceptions(appointment: &Appointment) -> Option<(usize, usize, Timestamp)> {
    let repetition = appointment.repetition.as_ref()?;
    let latest = repetition.exceptions.values().map(|exception| exception.modified).max();
    Some((repetition.exceptions.len(), repetition.deleted.len(), latest.unwrap_or_default()))
}

/// What a calendar shows of these items between two instants, by start, then id.
pub fn view(
    calendar: &[(ItemKey, u64, Arc<Appointment>)],
    from: Timestamp,
    to: Timestamp,
) -> Vec<(ItemKey, u64, Arc<Appointment>, Shown)> {
    let mut all: Vec<_> = calendar
        .iter()
        .flat_map(|(key, version, appointment)| {
            appointment.shown(from, to).into_iter().map(move |shown| {
                let key = ItemKey { occurrence: shown.original, ..*key };
                (key, *version, Arc::clone(appointment), shown)
            })
        })
        .collect();
    all.sort_by_key(|(key, _, _, shown)| (shown.details.start, key.number, key.occurrence));
    debug_assert!(all.iter().all(|(_, _, _, shown)| shown.kind != Kind::RecurringMaster));
    all
}

#[cfg(test)]
mod tests;
