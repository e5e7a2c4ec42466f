//! Coalescing (B7): one change makes two to eight notifications of its item. The first is handled at once;
//! those that follow are handled together once more, after the item has been quiet for a while, and not
//! later than some limit. Pure: time comes in as a value.

use std::time::{Duration, Instant};

use store::notification_queue::Claimed;

#[cfg(test)]
mod tests;

/// How followers wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `coalesce_quiet`: followers are handled after so much quiet of their item.
    pub quiet: Duration,
    /// `coalesce_at_most`: but not later than so long after the first of them.
    pub at_most: Duration,
}

/// The notifications of one item that wait, and how recently there were any.
#[derive(Debug)]
pub(crate) struct Item {
    /// To be handled at once; since when.
    first: Option<(Instant, Vec<Claimed>)>,
    followers: Vec<Claimed>,
    followers_since: Option<Instant>,
    last_arrival: Instant,
}

impl Item {
    /// An item whose first notification just arrived, or whose notifications came back unhandled.
    pub(crate) fn new(first: Vec<Claimed>, now: Instant) -> Self {
        Self { first: Some((now, first)), followers: Vec::new(), followers_since: None, last_arrival: now }
    }

    /// One more notification. It is the first one again when the item had been quiet.
    pub(crate) fn arrive(&mut self, notification: Claimed, now: Instant, timing: Timing) {
        if self.is_over(now, timing) {
            self.first = Some((now, vec![notification]));
        } else {
            self.followers.push(notification);
            self.followers_since.get_or_insert(now);
        }
        self.last_arrival = now;
    }

    /// When the next handling is due.
    pub(crate) fn due(&self, timing: Timing) -> Option<Instant> {
        let first = self.first.as_ref().map(|(since, _)| *since);
        let followers =
            self.followers_since.map(|since| (self.last_arrival + timing.quiet).min(since + timing.at_most));
        first.or(followers)
    }

    /// Takes what is due at `now`.
    pub(crate) fn take(&mut self, now: Instant, timing: Timing) -> Vec<Claimed> {
        if self.due(timing).is_none_or(|due| due > now) {
            return Vec::new();
        }
        if let Some((_, first)) = self.first.take() {
            return first;
        }
        self.followers_since = None;
        std::mem::take(&mut self.followers)
    }

    /// Puts back what was taken and could not be handled: it is due at once.
    pub(crate) fn put_back(&mut self, mut notifications: Vec<Claimed>, now: Instant) {
        if let Some((_, first)) = self.first.take() {
            notifications.extend(first);
        }
        self.first = Some((now, notifications));
    }

    /// Has the item been quiet, with nothing left to handle? Then it can be forgotten.
    pub(crate) fn is_over(&self, now: Instant, timing: Timing) -> bool {
        self.waiting() == 0 && now >= self.last_arrival + timing.quiet
    }

    /// How many notifications wait.
    pub(crate) fn waiting(&self) -> usize {
        self.followers.len() + self.first.as_ref().map_or(0, |(_, first)| first.len())
    }

    /// The rows of those that wait.
    pub(crate) fn rows(&self) -> impl Iterator<Item = i64> {
        let first = self.first.iter().flat_map(|(_, first)| first);
        first.chain(&self.followers).map(|one| one.id)
    }

    /// Has one of those that are due failed before by itself? Such an item is handled alone.
    pub(crate) fn has_failed_before(&self) -> bool {
        let first = self.first.iter().flat_map(|(_, first)| first);
        first.chain(&self.followers).any(|one| one.attempts > 0)
    }
}
