//! Which mailbox is handled when (pure). One reading of a mailbox at a time; several mailboxes side by side
//! up to a limit; the one that has waited longest first; live changes before full reads; a mailbox in
//! trouble waits without holding up the others.
//!
//! Memory is bounded: [`Schedule::room`] says how many notifications may still be claimed, and
//! [`Schedule::closed`] which mailboxes are not to be claimed for.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use calendar::{ItemId, MailAddress};
use store::notification_queue::{Claimed, Subject};

use crate::coalesce::{Item, Timing};

#[cfg(test)]
mod tests;

/// The limits of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How followers wait.
    pub timing: Timing,
    /// Most items in one batch.
    pub items_per_batch: usize,
    /// Most mailboxes handled at the same time for live changes.
    pub running: usize,
    /// Most notifications in memory.
    pub capacity: usize,
    /// From so many on a mailbox is not claimed for.
    pub capacity_per_mailbox: usize,
}

/// Items of one mailbox to be handled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBatch {
    /// Whose.
    pub mail: MailAddress,
    /// The items, each with its notifications (at least one, the oldest first).
    pub items: Vec<DueItem>,
    /// How often in a row the mailbox has failed before.
    pub failures: u32,
}

/// An item with the notifications that are handled by reading it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueItem {
    /// The item.
    pub item_id: ItemId,
    /// Why.
    pub notifications: Vec<Claimed>,
}

/// A mailbox to be read in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullBatch {
    /// Whose.
    pub mail: MailAddress,
    /// All full reads that were asked for; one serves them all.
    pub notifications: Vec<Claimed>,
    /// How often in a row the mailbox has failed before.
    pub failures: u32,
}

/// What was started and has ended or comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// Live changes.
    Live(LiveBatch),
    /// A full read.
    Full(FullBatch),
}

impl Batch {
    /// Whose.
    pub fn mail(&self) -> &MailAddress {
        match self {
            Self::Live(batch) => &batch.mail,
            Self::Full(batch) => &batch.mail,
        }
    }

    /// The rows of its notifications.
    pub fn rows(&self) -> Vec<i64> {
        match self {
            Self::Live(batch) => {
                batch.items.iter().flat_map(|item| &item.notifications).map(|one| one.id).collect()
            }
            Self::Full(batch) => batch.notifications.iter().map(|one| one.id).collect(),
        }
    }
}

/// The notifications of a shard that are in memory, by mailbox and item.
#[derive(Debug)]
pub struct Schedule {
    limits: Limits,
    mailboxes: HashMap<MailAddress, Mailbox>,
    /// Mailboxes that could be started, by when their next item is due.
    live: BTreeSet<(Instant, MailAddress)>,
    /// Mailboxes that could be read in full, by who asked first.
    full: BTreeSet<(i64, MailAddress)>,
    /// Ends of pauses, one a mailbox at most.
    pauses: BTreeSet<(Instant, MailAddress)>,
    running_live: usize,
    held: usize,
}

#[derive(Debug, Default)]
struct Mailbox {
    items: HashMap<ItemId, Item>,
    full: Vec<Claimed>,
    running: bool,
    in_hand: Vec<i64>,
    pause: Option<Pause>,
    failures: u32,
    /// Where it stands in the orders.
    live_place: Option<Instant>,
    full_place: Option<i64>,
}

/// What could not be handled waits until then.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    /// A full read ended it before: nothing waits in memory any more, but what was put off in the database still does.
    is_over: bool,
}

impl Mailbox {
    fn is_pausing(&self) -> bool {
        self.pause.is_some_and(|pause| !pause.is_over)
    }

    fn waiting(&self) -> usize {
        self.full.len() + self.items.values().map(Item::waiting).sum::<usize>()
    }

    fn due(&self, timing: Timing) -> Option<Instant> {
        self.items.values().filter_map(|item| item.due(timing)).min()
    }

    /// Nothing worth remembering?
    fn is_idle(&self) -> bool {
        self.items.is_empty()
            && self.full.is_empty()
            && !self.running
            && self.pause.is_none()
            && self.failures == 0
    }
}

impl Schedule {
    /// An empty schedule.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            mailboxes: HashMap::new(),
            live: BTreeSet::new(),
            full: BTreeSet::new(),
            pauses: BTreeSet::new(),
            running_live: 0,
            held: 0,
        }
    }

    /// How many notifications may still be claimed.
    pub fn room(&self) -> usize {
        self.limits.capacity.saturating_sub(self.held)
    }

    /// How many full reads wait, and are not under way.
    pub fn full_waiting(&self) -> usize {
        self.mailboxes.values().map(|mailbox| mailbox.full.len()).sum()
    }

    /// Mailboxes of which no hints are to be claimed: in a pause, or with much in memory.
    pub fn closed(&self) -> Vec<MailAddress> {
        self.mails(|mailbox| mailbox.is_pausing() || self.is_crowded(mailbox))
    }

    /// Mailboxes with much in memory: no full reads of them are to be claimed.
    pub fn crowded(&self) -> Vec<MailAddress> {
        self.mails(|mailbox| self.is_crowded(mailbox))
    }

    /// Mailboxes in a pause: no full reads of them are to be claimed but those that are not put off.
    pub fn pausing(&self) -> Vec<MailAddress> {
        self.mails(Mailbox::is_pausing)
    }

    fn is_crowded(&self, mailbox: &Mailbox) -> bool {
        mailbox.waiting() + mailbox.in_hand.len() >= self.limits.capacity_per_mailbox
    }

    fn mails(&self, which: impl Fn(&Mailbox) -> bool) -> Vec<MailAddress> {
        self.mailboxes.iter().filter(|(_, mailbox)| which(mailbox)).map(|(mail, _)| mail.clone()).collect()
    }

    /// The rows of everything in memory.
    pub fn rows(&self) -> Vec<i64> {
        self.mailboxes
            .values()
            .flat_map(|mailbox| {
                let items = mailbox.items.values().flat_map(Item::rows);
                let full = mailbox.full.iter().map(|one| one.id);
                items.chain(full).chain(mailbox.in_hand.iter().copied())
            })
            .collect()
    }

    /// The rows of full reads in memory, and of everything that is being handled.
    pub fn full_rows(&self) -> Vec<i64> {
        let rows = |mailbox: &Mailbox| -> Vec<i64> {
            mailbox.full.iter().map(|one| one.id).chain(mailbox.in_hand.iter().copied()).collect()
        };
        self.mailboxes.values().flat_map(rows).collect()
    }

    /// Takes in what was claimed. A full read that is not put off ends the pause of its mailbox: it was asked for since, by somebody
    /// who may have mended what it paused for. Its failures stay counted, so that the next pause is the longer one. Answers
    /// whether a pause ended: there may be something to claim that was left out because of it.
    pub fn arrive(&mut self, claimed: Vec<Claimed>, now: Instant) -> bool {
        let mut ended = false;
        let mut touched = BTreeSet::new();
        for notification in claimed {
            self.held += 1;
            touched.insert(notification.mail.clone());
            let mailbox = self.mailboxes.entry(notification.mail.clone()).or_default();
            match &notification.subject {
                Subject::FullRead => {
                    if !notification.due_again {
                        ended |= mailbox.is_pausing();
                        mailbox.pause = mailbox.pause.map(|pause| Pause { is_over: true, ..pause });
                    }
                    mailbox.full.push(notification);
                }
                Subject::Item { id, .. } => {
                    if let Some(item) = mailbox.items.get_mut(id) {
                        item.arrive(notification, now, self.limits.timing);
                    } else {
                        mailbox.items.insert(id.clone(), Item::new(vec![notification], now));
                    }
                }
            }
        }
        for mail in touched {
            self.place(&mail);
        }
        ended
    }

    /// Starts whatever is due at `now`, within the limits.
    pub fn start_live(&mut self, now: Instant) -> Vec<LiveBatch> {
        let mut started = Vec::new();
        while self.running_live < self.limits.running {
            let Some((_, mail)) = self.live.first().filter(|(due, _)| *due <= now).cloned() else { break };
            let timing = self.limits.timing;
            let Some(mailbox) = self.mailboxes.get_mut(&mail) else { break };
            let items = take_due(mailbox, now, timing, self.limits.items_per_batch);
            mailbox.running = true;
            mailbox.in_hand = items.iter().flat_map(|item| &item.notifications).map(|one| one.id).collect();
            let failures = mailbox.failures;
            self.running_live += 1;
            self.place(&mail);
            started.push(LiveBatch { mail, items, failures });
        }
        started
    }

    /// Could a mailbox be read in full now?
    pub fn can_start_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Starts a full read: of the mailbox for which one was asked for first.
    pub fn start_full(&mut self) -> Option<FullBatch> {
        let (_, mail) = self.full.first()?.clone();
        let mailbox = self.mailboxes.get_mut(&mail)?;
        let notifications = std::mem::take(&mut mailbox.full);
        mailbox.running = true;
        mailbox.in_hand = notifications.iter().map(|one| one.id).collect();
        let failures = mailbox.failures;
        self.place(&mail);
        Some(FullBatch { mail, notifications, failures })
    }

    /// A batch is done with, one way or the other, and its notifications are no longer ours.
    pub fn done(&mut self, batch: &Batch) {
        self.ended(batch);
        if let Some(mailbox) = self.mailboxes.get_mut(batch.mail()) {
            mailbox.failures = 0;
        }
        self.place(batch.mail());
    }

    /// A batch could not be handled and stays with us (the database is away): its mailbox pauses until
    /// `until`, then it is due at once. Answers nothing: nothing is forgotten.
    pub fn keep(&mut self, batch: Batch, until: Instant, now: Instant) {
        self.ended(&batch);
        let mail = batch.mail().clone();
        let mailbox = self.mailboxes.entry(mail.clone()).or_default();
        match batch {
            Batch::Full(batch) => {
                self.held += batch.notifications.len();
                mailbox.full.splice(0..0, batch.notifications);
            }
            Batch::Live(batch) => {
                for due in batch.items {
                    self.held += due.notifications.len();
                    if let Some(item) = mailbox.items.get_mut(&due.item_id) {
                        item.put_back(due.notifications, now);
                    } else {
                        mailbox.items.insert(due.item_id, Item::new(due.notifications, now));
                    }
                }
            }
        }
        self.pause(&mail, until);
    }

    /// A batch could not be handled because of its mailbox or of everything: the mailbox pauses until
    /// `until`, and everything of it leaves memory. Answers the rows that are to be handed back.
    pub fn release(&mut self, batch: &Batch, until: Instant) -> Vec<i64> {
        self.ended(batch);
        let mut rows = batch.rows();
        if let Some(mailbox) = self.mailboxes.get_mut(batch.mail()) {
            self.held -= mailbox.waiting();
            rows.extend(mailbox.items.values().flat_map(Item::rows));
            rows.extend(mailbox.full.iter().map(|one| one.id));
            mailbox.items.clear();
            mailbox.full.clear();
        }
        self.pause(batch.mail(), until);
        rows
    }

    /// How often in a row the mailbox has failed, this time included.
    pub fn failures(&self, mail: &MailAddress) -> u32 {
        self.mailboxes.get(mail).map_or(0, |mailbox| mailbox.failures).saturating_add(1)
    }

    /// Ends pauses. Answers whether the time of one came: then there may be something to claim.
    pub fn tick(&mut self, now: Instant) -> bool {
        let mut ended = false;
        while let Some((until, mail)) = self.pauses.first().cloned() {
            if until > now {
                break;
            }
            self.pauses.pop_first();
            if let Some(mailbox) = self.mailboxes.get_mut(&mail) {
                mailbox.pause = None;
            }
            self.place(&mail);
            ended = true;
        }
        ended
    }

    /// Forgets items that have been quiet, and mailboxes without any.
    pub fn sweep(&mut self, now: Instant) {
        let timing = self.limits.timing;
        self.mailboxes.retain(|_, mailbox| {
            mailbox.items.retain(|_, item| !item.is_over(now, timing));
            !mailbox.is_idle()
        });
    }

    /// When to look again, if nothing arrives before.
    pub fn next(&self) -> Option<Instant> {
        let due = self.live.first().map(|(due, _)| *due).filter(|_| self.running_live < self.limits.running);
        let pause = self.pauses.first().map(|(until, _)| *until);
        [due, pause].into_iter().flatten().min()
    }

    /// Is anything being handled?
    pub fn is_running(&self) -> bool {
        self.mailboxes.values().any(|mailbox| mailbox.running)
    }

    fn ended(&mut self, batch: &Batch) {
        if matches!(batch, Batch::Live(_)) {
            self.running_live -= 1;
        }
        if let Some(mailbox) = self.mailboxes.get_mut(batch.mail()) {
            self.held -= mailbox.in_hand.len();
            mailbox.in_hand.clear();
            mailbox.running = false;
        }
    }

    fn pause(&mut self, mail: &MailAddress, until: Instant) {
        let mailbox = self.mailboxes.entry(mail.clone()).or_default();
        mailbox.failures = mailbox.failures.saturating_add(1);
        if let Some(previous) = mailbox.pause.replace(Pause { until, is_over: false }) {
            self.pauses.remove(&(previous.until, mail.clone()));
        }
        self.pauses.insert((until, mail.clone()));
        self.place(mail);
    }

    /// Puts a mailbox where it belongs in the orders.
    fn place(&mut self, mail: &MailAddress) {
        let Some(mailbox) = self.mailboxes.get_mut(mail) else { return };
        let free = !mailbox.running && !mailbox.is_pausing();
        let live = mailbox.due(self.limits.timing).filter(|_| free);
        let full = mailbox.full.iter().map(|one| one.id).min().filter(|_| free);
        if mailbox.live_place != live {
            if let Some(place) = std::mem::replace(&mut mailbox.live_place, live) {
                self.live.remove(&(place, mail.clone()));
            }
            if let Some(place) = live {
                self.live.insert((place, mail.clone()));
            }
        }
        if mailbox.full_place != full {
            if let Some(place) = std::mem::replace(&mut mailbox.full_place, full) {
                self.full.remove(&(place, mail.clone()));
            }
            if let Some(place) = full {
                self.full.insert((place, mail.clone()));
            }
        }
    }
}

/// Takes the items of a mailbox that are due, the oldest first. One that has failed before by itself goes
/// alone, so that it cannot take others down with it.
fn take_due(mailbox: &mut Mailbox, now: Instant, timing: Timing, limit: usize) -> Vec<DueItem> {
    let mut due: Vec<(Instant, bool, ItemId)> = mailbox
        .items
        .iter()
        .filter_map(|(id, item)| Some((item.due(timing)?, item.has_failed_before(), id.clone())))
        .filter(|(due, _, _)| *due <= now)
        .collect();
    due.sort();
    let alone = due.first().is_some_and(|(_, failed_before, _)| *failed_before);
    let chosen: Vec<ItemId> = due
        .into_iter()
        .filter(|(_, failed_before, _)| *failed_before == alone)
        .map(|(_, _, id)| id)
        .take(if alone { 1 } else { limit })
        .collect();
    let mut taken = Vec::with_capacity(chosen.len());
    for item_id in chosen {
        let Some(item) = mailbox.items.get_mut(&item_id) else { continue };
        let notifications = item.take(now, timing);
        taken.push(DueItem { item_id, notifications });
    }
    taken
}

/// The pause that ends at `after` from `now`.
pub fn until(now: Instant, after: Duration) -> Instant {
    now.checked_add(after).unwrap_or(now)
}
