//! A calendar in memory behind the port [`CalendarSource`], for tests of what reads calendars: singles,
//! series with their occurrences, items in other folders, failures on demand, and a gate that holds
//! readings. It has no streams: what listens is tested against the Exchange simulator over sockets, so the
//! listening calls of the port answer with an error that says so.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::task::{Poll, Waker};

use async_trait::async_trait;

use crate::address::MailAddress;
use crate::appointment::{Appointment, AppointmentKind, FreeBusy, Slot};
use crate::ids::{FolderId, ItemId, SubscriptionId, SyncState, Uid};
use crate::source::{
    Affinity, CalendarFolder, CalendarSource, ChangePage, HintStream, Location, Mailbox, Reading,
    SourceError, SourceErrorKind, Subscribed, Unreadable, WindowReading,
};

/// A calendar in memory. All methods may be called from any thread.
#[derive(Debug, Default)]
pub struct FakeCalendar {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mailboxes: BTreeMap<MailAddress, BTreeMap<ItemId, Stored>>,
    failing_mailboxes: BTreeMap<MailAddress, SourceError>,
    failing_items: BTreeMap<ItemId, SourceError>,
    failing_batches: BTreeMap<ItemId, SourceError>,
    unreadable: BTreeMap<ItemId, (bool, SourceError)>,
    down: Option<SourceError>,
    closed: bool,
    waiting: Vec<Waker>,
    calls: Vec<Call>,
    reading_now: BTreeMap<MailAddress, usize>,
    most_at_once: usize,
    most_mailboxes_at_once: usize,
}

#[derive(Debug, Clone)]
struct Stored {
    item: Appointment,
    in_calendar: bool,
    occurrences: Vec<Appointment>,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `check`, `read_items`, `read_window` or `masters_of`.
    pub operation: &'static str,
    /// About whose calendar.
    pub mail: MailAddress,
    /// About which items.
    pub items: Vec<ItemId>,
}

/// A single busy appointment.
pub fn single(item: &str, uid: &str, slot: Slot) -> Appointment {
    Appointment {
        item_id: ItemId::new(item),
        uid: Some(Uid::new(uid)),
        kind: AppointmentKind::Single,
        recurrence_id: None,
        slot,
        is_all_day: false,
        free_busy: FreeBusy::Busy,
        is_cancelled: false,
        zone: None,
    }
}

/// An occurrence of a series, busy, where the pattern has it.
pub fn occurrence(item: &str, uid: &str, slot: Slot) -> Appointment {
    Appointment {
        kind: AppointmentKind::Occurrence,
        recurrence_id: Some(slot.start),
        ..single(item, uid, slot)
    }
}

/// A failure of the given kind.
pub fn failure(kind: SourceErrorKind) -> SourceError {
    SourceError { operation: "fake", kind, code: format!("{kind:?}"), text: "scripted".into(), after: None }
}

impl FakeCalendar {
    /// Puts a single appointment into the calendar of `mail`, or replaces it.
    pub fn put(&self, mail: &MailAddress, item: Appointment) {
        let stored = Stored { item: item.clone(), in_calendar: true, occurrences: Vec::new() };
        self.state().mailboxes.entry(mail.clone()).or_default().insert(item.item_id, stored);
    }

    /// Puts a series into the calendar of `mail`, or replaces it: its pattern under `master`, and what it
    /// unfolds to.
    pub fn put_series(&self, mail: &MailAddress, master: &str, uid: &str, occurrences: Vec<Appointment>) {
        let slot = occurrences
            .first()
            .map_or(Slot { start: jiff::Timestamp::UNIX_EPOCH, end: jiff::Timestamp::UNIX_EPOCH }, |first| {
                first.slot
            });
        let item = Appointment { kind: AppointmentKind::RecurringMaster, ..single(master, uid, slot) };
        let stored = Stored { item, in_calendar: true, occurrences };
        self.state().mailboxes.entry(mail.clone()).or_default().insert(ItemId::new(master), stored);
    }

    /// Deletes an item (a series with its occurrences) for good.
    pub fn remove(&self, mail: &MailAddress, item: &str) {
        self.state().mailboxes.entry(mail.clone()).or_default().remove(&ItemId::new(item));
    }

    /// Moves an item to another folder, or back: it gets a new identifier.
    pub fn relocate(&self, mail: &MailAddress, item: &str, new_item: &str, to_calendar: bool) {
        let mut state = self.state();
        let items = state.mailboxes.entry(mail.clone()).or_default();
        if let Some(mut stored) = items.remove(&ItemId::new(item)) {
            stored.item.item_id = ItemId::new(new_item);
            stored.in_calendar = to_calendar;
            items.insert(ItemId::new(new_item), stored);
        }
    }

    /// Everything fails with `error` from now on; `None` ends that.
    pub fn set_down(&self, error: Option<SourceError>) {
        self.state().down = error;
    }

    /// Everything about `mail` fails with `error` from now on; `None` ends that.
    pub fn set_mailbox_failing(&self, mail: &MailAddress, error: Option<SourceError>) {
        set(&mut self.state().failing_mailboxes, mail.clone(), error);
    }

    /// Reading `item` fails for it alone from now on; `None` ends that.
    pub fn set_item_failing(&self, item: &str, error: Option<SourceError>) {
        set(&mut self.state().failing_items, ItemId::new(item), error);
    }

    /// Every batch that holds `item` fails as a whole from now on; `None` ends that.
    pub fn set_batch_failing(&self, item: &str, error: Option<SourceError>) {
        set(&mut self.state().failing_batches, ItemId::new(item), error);
    }

    /// Readings of windows cannot read `item` from now on, and tell its identifier or not even that; `None` ends
    /// that. Reading the item by itself is another matter ([`set_item_failing`](Self::set_item_failing)).
    pub fn set_unreadable_in_windows(&self, item: &str, identified: bool, error: Option<SourceError>) {
        set(&mut self.state().unreadable, ItemId::new(item), error.map(|error| (identified, error)));
    }

    /// Holds all readings that are not done yet, until [`open`](Self::open).
    pub fn close(&self) {
        self.state().closed = true;
    }

    /// Lets the held readings go on.
    pub fn open(&self) {
        let mut state = self.state();
        state.closed = false;
        state.waiting.drain(..).for_each(Waker::wake);
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The greatest number of readings of one mailbox at the same time so far.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// The greatest number of mailboxes that were read at the same time so far.
    pub fn most_mailboxes_at_once(&self) -> usize {
        self.state().most_mailboxes_at_once
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    /// Notes the call, waits at the gate, and gives the failure that is due.
    async fn begin(
        &self,
        operation: &'static str,
        mail: &MailAddress,
        items: &[ItemId],
    ) -> Result<(), SourceError> {
        {
            let mut state = self.state();
            state.calls.push(Call { operation, mail: mail.clone(), items: items.to_vec() });
            let reading = state.reading_now.entry(mail.clone()).or_default();
            *reading += 1;
            let reading = *reading;
            state.most_at_once = state.most_at_once.max(reading);
            let mailboxes = state.reading_now.values().filter(|reading| **reading > 0).count();
            state.most_mailboxes_at_once = state.most_mailboxes_at_once.max(mailboxes);
        }
        let _done = Done { fake: self, mail };
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.closed {
                state.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        let state = self.state();
        let batch = items.iter().find_map(|item| state.failing_batches.get(item));
        match state.down.as_ref().or_else(|| state.failing_mailboxes.get(mail)).or(batch) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

/// Ends a reading, also one that was dropped while it waited.
struct Done<'a> {
    fake: &'a FakeCalendar,
    mail: &'a MailAddress,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if let Some(reading) = self.fake.state().reading_now.get_mut(self.mail) {
            *reading -= 1;
        }
    }
}

fn set<K: Ord, V>(failing: &mut BTreeMap<K, V>, key: K, error: Option<V>) {
    match error {
        Some(error) => failing.insert(key, error),
        None => failing.remove(&key),
    };
}

fn no_streams(operation: &'static str) -> SourceError {
    SourceError {
        operation,
        text: "the calendar in memory has no streams".into(),
        ..failure(SourceErrorKind::OwnBug)
    }
}

#[async_trait]
impl CalendarSource for FakeCalendar {
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        let location = Location { endpoint: "memory".into(), grouping: "memory".into() };
        mailboxes.iter().map(|_| Ok(location.clone())).collect()
    }

    async fn check(&self, mailbox: &Mailbox) -> Result<CalendarFolder, SourceError> {
        self.begin("check", &mailbox.address, &[]).await?;
        Ok(CalendarFolder { id: FolderId::new("calendar") })
    }

    async fn subscribe(&self, _: &Mailbox, _: &Affinity) -> Result<Subscribed, SourceError> {
        Err(no_streams("subscribe"))
    }

    async fn unsubscribe(&self, _: &Mailbox, _: &Affinity, _: &SubscriptionId) -> Result<(), SourceError> {
        Err(no_streams("unsubscribe"))
    }

    async fn listen(&self, _: &Affinity, _: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        Err(no_streams("listen"))
    }

    async fn catch_up(&self, _: &Mailbox, _: Option<&SyncState>) -> Result<ChangePage, SourceError> {
        Err(no_streams("catch up"))
    }

    async fn read_items(&self, mailbox: &Mailbox, items: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        self.begin("read_items", &mailbox.address, items).await?;
        let state = self.state();
        let stored = state.mailboxes.get(&mailbox.address);
        let read = |id: &ItemId| {
            if let Some(error) = state.failing_items.get(id) {
                return Reading::Failed(error.clone());
            }
            let Some(stored) = stored else { return Reading::Gone };
            match stored.get(id) {
                Some(one) if one.in_calendar => Reading::There(one.item.clone()),
                Some(_) => Reading::Elsewhere,
                None => stored
                    .values()
                    .filter(|series| series.in_calendar)
                    .flat_map(|series| &series.occurrences)
                    .find(|one| one.item_id == *id)
                    .map_or(Reading::Gone, |one| Reading::There(one.clone())),
            }
        };
        Ok(items.iter().map(read).collect())
    }

    async fn masters_of(
        &self,
        mailbox: &Mailbox,
        occurrences: &[ItemId],
    ) -> Result<Vec<Option<ItemId>>, SourceError> {
        self.begin("masters_of", &mailbox.address, occurrences).await?;
        let state = self.state();
        let stored = state.mailboxes.get(&mailbox.address);
        let master = |id: &ItemId| {
            stored?
                .values()
                .find(|series| series.occurrences.iter().any(|one| one.item_id == *id))
                .map(|series| series.item.item_id.clone())
        };
        Ok(occurrences.iter().map(master).collect())
    }

    async fn read_window(&self, mailbox: &Mailbox, window: Slot) -> Result<WindowReading, SourceError> {
        self.begin("read_window", &mailbox.address, &[]).await?;
        let state = self.state();
        let Some(stored) = state.mailboxes.get(&mailbox.address) else {
            return Ok(WindowReading::default());
        };
        let singles = stored
            .values()
            .filter(|one| one.in_calendar && one.item.kind != AppointmentKind::RecurringMaster)
            .map(|one| &one.item);
        let unfolded = stored.values().filter(|one| one.in_calendar).flat_map(|one| &one.occurrences);
        let mut reading = WindowReading::default();
        for item in singles.chain(unfolded).filter(|item| item.slot.overlaps(window)) {
            match state.unreadable.get(&item.item_id) {
                None => reading.found.push(item.clone()),
                Some((identified, error)) => reading.unreadable.push(Unreadable {
                    item: identified.then(|| item.item_id.clone()),
                    stretch: window,
                    error: error.clone(),
                }),
            }
        }
        Ok(reading)
    }
}
