//! The latest of something: a bounded, numbered log that is read page by page.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The most entries that one page holds.
pub const PAGE_MAX: usize = 10_000;

/// A bounded log. Entries are numbered from 1; the oldest make room for the newest.
#[derive(Debug)]
pub struct Ring<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    entries: VecDeque<T>,
    /// Number of the newest entry; 0 before the first.
    last: u64,
}

/// One entry with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<T> {
    /// Its number, from 1.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub value: T,
}

/// Some entries in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// Entries in order of their numbers.
    pub entries: Vec<Entry<T>>,
    /// Number of the newest entry of the whole log; there is more to read while the page ends before it.
    pub last: u64,
    /// How many entries that were asked for have already made room for newer ones.
    pub lost: u64,
}

/// Which entries a page is to hold: those with a number above `after`, at most `limit`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Number of the last entry that the reader has; 0 for none.
    #[serde(default)]
    pub after: u64,
    /// How many at most; never above [`PAGE_MAX`].
    #[serde(default = "PageQuery::default_limit")]
    pub limit: usize,
}

impl PageQuery {
    const fn default_limit() -> usize {
        PAGE_MAX
    }
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { after: 0, limit: PAGE_MAX }
    }
}

impl<T> Ring<T> {
    /// A log of at most `capacity` entries (at least one). Memory is taken as it fills.
    pub const fn new(capacity: usize) -> Self {
        let capacity = if capacity == 0 { 1 } else { capacity };
        Self { capacity, state: Mutex::new(State { entries: VecDeque::new(), last: 0 }) }
    }

    /// Adds an entry and tells its number.
    pub fn push(&self, value: T) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.entries.len() >= self.capacity {
            state.entries.pop_front();
        }
        state.entries.push_back(value);
        state.last += 1;
        state.last
    }

    /// Number of the newest entry; 0 before the first.
    pub fn last(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last
    }
}

impl<T: Clone> Ring<T> {
    /// The entries that `query` asks for.
    pub fn page(&self, query: PageQuery) -> Page<T> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Number of the oldest entry that is still there.
        let oldest = state.last - state.entries.len() as u64 + 1;
        let first = query.after.saturating_add(1).max(oldest);
        let skipped = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        let chosen = state.entries.iter().skip(skipped).take(query.limit.min(PAGE_MAX));
        let entries = chosen.zip(first..).map(|(value, seq)| Entry { seq, value: value.clone() }).collect();
        let lost = oldest.saturating_sub(query.after.saturating_add(1));
        Page { entries, last: state.last, lost }
    }
}
