//! From pending keys to batches: one mailbox and one operation each, the oldest first within a mailbox, all
//! mailboxes in turn, live changes before bulk work, which has every fifth turn. Pure.
//!
//! The keys come in pages, a walk over the mailboxes that goes on behind the mailbox served last, so that
//! none starves, however many there are.

use std::collections::VecDeque;

use calendar::MailAddress;
use store::calls::Class;
use store::outbox::{Batch, Operation, Page, PendingKey};

#[cfg(test)]
mod tests;

/// Live batches after which bulk work has its turn: bulk work is guaranteed a fifth.
const LIVE_TURNS: u32 = 4;

/// So many calls in a row without a receipt make a key suspect: it is sent alone, so that a key that makes
/// its call fail holds up no other.
const SUSPECT_AFTER: u32 = 2;

/// Makes batches of the keys of a page: the first batch of each mailbox in the order of the walk, then the
/// second ones, and so on. No batch has more than `size` keys.
pub fn batches(page: Vec<PendingKey>, class: Class, size: usize) -> Vec<Batch> {
    let size = size.max(1);
    let mut by_mailbox: Vec<(MailAddress, Vec<PendingKey>)> = Vec::new();
    for key in page {
        match by_mailbox.last_mut() {
            Some((mail, keys)) if *mail == key.mail => keys.push(key),
            _ => by_mailbox.push((key.mail.clone(), vec![key])),
        }
    }
    in_turn(by_mailbox.into_iter().map(|(mail, keys)| of_mailbox(&mail, keys, class, size)).collect())
}

/// The first of each queue in their order, then the second ones, and so on.
fn in_turn(mut queues: Vec<VecDeque<Batch>>) -> Vec<Batch> {
    let mut planned = Vec::new();
    while !queues.is_empty() {
        planned.extend(queues.iter_mut().filter_map(VecDeque::pop_front));
        queues.retain(|queue| !queue.is_empty());
    }
    planned
}

/// What is planned in batches of at most `size` keys. Within a mailbox the order of the keys stays; mailboxes have their
/// turns from the one that would be served next.
fn divided(planned: VecDeque<Batch>, size: usize) -> VecDeque<Batch> {
    let mut queues: Vec<VecDeque<Batch>> = Vec::new();
    for Batch { mail, operation, class, keys } in planned {
        let parts =
            keys.chunks(size).map(|keys| Batch { mail: mail.clone(), operation, class, keys: keys.to_vec() });
        match queues.iter_mut().find(|queue| queue.front().is_some_and(|first| first.mail == mail)) {
            Some(queue) => queue.extend(parts),
            None => queues.push(parts.collect()),
        }
    }
    in_turn(queues).into()
}

/// The batches of one mailbox: the operation with the oldest key goes first; where several are as old,
/// creations do, since they block time. Suspect keys come last and alone.
fn of_mailbox(mail: &MailAddress, keys: Vec<PendingKey>, class: Class, size: usize) -> VecDeque<Batch> {
    let (suspect, good): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.unanswered >= SUSPECT_AFTER);
    let mut groups: Vec<(Operation, Vec<PendingKey>)> = Vec::new();
    for key in good {
        match groups.iter_mut().find(|(operation, _)| *operation == key.operation) {
            Some((_, group)) => group.push(key),
            None => groups.push((key.operation, vec![key])),
        }
    }
    groups.sort_by_key(|(operation, group)| (group.iter().map(|key| key.decided_at).min(), *operation));
    let batch =
        |operation: Operation, keys: Vec<PendingKey>| Batch { mail: mail.clone(), operation, class, keys };
    let together = groups
        .iter()
        .flat_map(|(operation, keys)| keys.chunks(size).map(|keys| batch(*operation, keys.to_vec())));
    let alone = suspect.into_iter().map(|key| batch(key.operation, vec![key]));
    together.chain(alone).collect()
}

/// What is planned, and whose turn it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picker {
    live: Side,
    bulk: Side,
    live_turns: u32,
}

/// The walk of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Side {
    /// The mailbox behind which the walk goes on.
    after: String,
    /// The walk for something to send has been at the start already: the end is the end then.
    wrapped: bool,
    planned: VecDeque<Batch>,
}

impl Picker {
    /// The classes in the order in which they are to be served now.
    pub const fn order(&self) -> [Class; 2] {
        if self.live_turns >= LIVE_TURNS { [Class::Bulk, Class::Live] } else { [Class::Live, Class::Bulk] }
    }

    /// Where the walk of a class goes on (empty = at the start).
    pub fn after(&self, class: Class) -> &str {
        &self.side(class).after
    }

    /// There is news: what was planned of the live keys may be old.
    pub fn forget_live(&mut self) {
        self.live.planned.clear();
    }

    /// Repeated timeouts may have made the calls smaller since something was planned: nothing planned has more than `size` keys
    /// from now on.
    pub fn fit(&mut self, size: usize) {
        let size = size.max(1);
        for side in [&mut self.live, &mut self.bulk] {
            if side.planned.iter().any(|batch| batch.keys.len() > size) {
                side.planned = divided(std::mem::take(&mut side.planned), size);
            }
        }
    }

    /// Takes a page of the walk. Answers whether the walk must go on to find something: from the place
    /// where it stopped, or from the start when it began in the middle.
    pub fn offer(&mut self, class: Class, page: Page, size: usize) -> Walk {
        let side = self.side_mut(class);
        if !page.keys.is_empty() {
            side.planned = batches(page.keys, class, size).into();
            side.wrapped = false;
            return Walk::Found;
        }
        side.wrapped |= side.after.is_empty();
        let at_end = page.next.is_none();
        side.after = page.next.unwrap_or_default();
        if at_end && std::mem::take(&mut side.wrapped) { Walk::Nothing } else { Walk::GoOn }
    }

    /// The next planned batch of a class.
    pub fn take(&mut self, class: Class) -> Option<Batch> {
        self.side_mut(class).planned.pop_front()
    }

    /// Puts a batch back that could not be reserved yet.
    pub fn put_back(&mut self, batch: Batch) {
        self.side_mut(batch.class).planned.push_front(batch);
    }

    /// A call was reserved: the walk goes on behind its mailbox, and turns are counted.
    pub fn served(&mut self, class: Class, mail: &MailAddress) {
        self.side_mut(class).after = mail.as_str().to_owned();
        self.live_turns = match class {
            Class::Live => (self.live_turns + 1).min(LIVE_TURNS),
            Class::Bulk => 0,
        };
    }

    /// Nothing of a batch was to be sent any more: the walk goes on behind its mailbox all the same, so that
    /// it ends.
    pub fn passed(&mut self, class: Class, mail: &MailAddress) {
        self.side_mut(class).after = mail.as_str().to_owned();
    }

    /// There is nothing of this class: bulk work that does not wait has no turn to give away.
    pub fn nothing(&mut self, class: Class) {
        if class == Class::Bulk {
            self.live_turns = 0;
        }
    }

    const fn side(&self, class: Class) -> &Side {
        match class {
            Class::Live => &self.live,
            Class::Bulk => &self.bulk,
        }
    }

    const fn side_mut(&mut self, class: Class) -> &mut Side {
        match class {
            Class::Live => &mut self.live,
            Class::Bulk => &mut self.bulk,
        }
    }
}

/// What a page led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Something to send.
    Found,
    /// Nothing yet; ask for the page behind [`Picker::after`].
    GoOn,
    /// Nothing at all.
    Nothing,
}
