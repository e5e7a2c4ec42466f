//! When events become alerts, and when alerts are over. Pure: time comes in as a value.
//!
//! Each occurrence of a code is counted for its subject (the mailbox, group or account that it names) by the code's
//! threshold. A code's alert stands while one of its subjects is beyond the threshold. It is over when a success says
//! so, when what was counted has grown old, when its subject is not here any more, or, for a state, when somebody who
//! looked says so.
//!
//! | threshold | beyond it | over |
//! |---|---|---|
//! | always | at once | success, or nothing for [`QUIET`] |
//! | in a row | more than so many without a success | success, or nothing for [`FORGOTTEN`] |
//! | in a day | more than so many within [`DAY`] | success of the subject, or fewer within the day |
//!
//! A subject that has gone to another process, which then sees the success, or that there is no more ends with
//! [`AlertBook::ended`]. An alert that a success would end is also forgotten after [`FORGOTTEN`] without a further
//! occurrence.

use std::collections::{BTreeMap, VecDeque};

use base::event_entry::{Clears, CodeEntry, Threshold};
use jiff::{SignedDuration, Timestamp};

/// The window of "in a day".
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// An alert whose end nothing tells is over when its event has not come for so long.
pub const QUIET: SignedDuration = SignedDuration::from_hours(1);
/// An alert that a success ends is forgotten when its event has not come for so long.
pub const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);
/// Subjects of one code that are told apart; further ones are counted as one.
const SUBJECTS_MAX: usize = 1_000;
/// The subject of those.
const OTHERS: &str = "others";
/// Subjects that are named in an alert.
const NAMED_MAX: usize = 5;

/// An alert that began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertChange {
    /// It stands from now on.
    Began {
        /// Its code.
        code: u16,
        /// How often the event came, as far as it was counted.
        occurrences: u64,
    },
    /// It is over.
    Over {
        /// Its code.
        code: u16,
        /// Since when it stood.
        since: Timestamp,
        /// How often the event came meanwhile.
        occurrences: u64,
    },
}

/// An alert that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingAlert {
    /// Its code.
    pub code: u16,
    /// Since when.
    pub since: Timestamp,
    /// When its event came last.
    pub last_at: Timestamp,
    /// How often it came since it was first counted.
    pub occurrences: u64,
    /// What it is about (mailboxes, groups, accounts), the first few; empty when it is about the whole.
    pub subjects: Vec<String>,
    /// How many more than these.
    pub more: usize,
}

/// What somebody found who looked: that what a code is about is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Since when.
    pub since: Timestamp,
    /// When it became so last.
    pub last_at: Timestamp,
    /// How often it did, as far as that is still to be seen.
    pub times: u64,
}

#[derive(Debug)]
struct Rule {
    threshold: Threshold,
    more_than: usize,
    per: Option<&'static str>,
    clears: Clears,
}

/// The occurrences of one code that count.
#[derive(Debug)]
struct State {
    counts: BTreeMap<String, Count>,
    occurrences: u64,
    last: Timestamp,
    /// Somebody who looked said that it is so.
    held: bool,
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Count {
    /// The latest, one more than is borne at most, oldest first.
    times: VecDeque<Timestamp>,
    beyond: bool,
}

/// All codes.
#[derive(Debug, Default)]
pub(crate) struct AlertBook {
    rules: BTreeMap<u16, Rule>,
    states: BTreeMap<u16, State>,
}

impl AlertBook {
    /// A book in which nothing has happened yet. Codes that never call for anybody have no place in it.
    pub(crate) fn new(registry: &[CodeEntry]) -> Self {
        let rules = registry.iter().filter(|entry| entry.can_alert()).filter_map(|entry| {
            let rule = Rule {
                threshold: entry.threshold,
                more_than: usize::try_from(entry.threshold.more_than()?).ok()?,
                per: entry.per,
                clears: entry.clears,
            };
            Some((entry.code.id, rule))
        });
        Self { rules: rules.collect(), states: BTreeMap::new() }
    }

    /// The codes that can call for somebody.
    pub(crate) fn codes(&self) -> impl Iterator<Item = u16> + '_ {
        self.rules.keys().copied()
    }

    /// Is nothing counted, so that a success means nothing?
    pub(crate) fn is_calm(&self) -> bool {
        self.states.is_empty()
    }

    /// An event came; `field` gives its fields in words. Answers whether it is beyond its threshold (`None` for a code
    /// that never is), and what changed.
    pub(crate) fn raised(
        &mut self,
        code: u16,
        field: impl Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> (Option<bool>, Option<AlertChange>) {
        let Some(rule) = self.rules.get(&code) else { return (None, None) };
        let state = self.states.entry(code).or_insert_with(|| State::new(now));
        let mut subject = rule.per.and_then(field).unwrap_or_default();
        if state.counts.len() >= SUBJECTS_MAX && !state.counts.contains_key(&subject) {
            OTHERS.clone_into(&mut subject);
        }
        state.occurrences = state.occurrences.saturating_add(1);
        state.last = now;
        let count =
            state.counts.entry(subject).or_insert_with(|| Count { times: VecDeque::new(), beyond: false });
        count.times.push_back(now);
        rule.judge(count, now);
        let beyond = count.beyond;
        (Some(beyond), state.turn(code, now))
    }

    /// Something worked: what it ends is over.
    pub(crate) fn succeeded(
        &mut self,
        success: &str,
        field: impl Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        for (code, state) in &mut self.states {
            let ends = |rule: &&Rule| matches!(rule.clears, Clears::On(word) if word == success);
            let Some(rule) = self.rules.get(code).filter(ends) else { continue };
            match rule.per.and_then(&field) {
                Some(subject) => drop(state.counts.remove(&subject)),
                None => state.counts.clear(),
            }
            changes.extend(state.turn(*code, now));
        }
        self.forget();
        changes
    }

    /// Somebody looked at `as_of` and says whether what the code is about is so, and then since when: it may have been so before
    /// this process began. What was raised since is newer.
    pub(crate) fn hold(
        &mut self,
        code: u16,
        found: Option<Held>,
        as_of: Timestamp,
        now: Timestamp,
    ) -> Option<AlertChange> {
        if !self.rules.contains_key(&code) {
            return None;
        }
        let state = match self.states.get_mut(&code) {
            Some(state) => state,
            None => {
                let held = found?;
                self.states.entry(code).or_insert_with(|| State::new(held.last_at.min(now)))
            }
        };
        if found.is_none() && state.last > as_of && !state.held {
            return None;
        }
        state.held = found.is_some();
        match found {
            Some(held) => {
                state.occurrences = state.occurrences.max(held.times);
                state.last = state.last.max(held.last_at.min(now));
            }
            None => state.counts.clear(),
        }
        let change = state.turn(code, now);
        if let Some(held) = found {
            state.since = state.since.map(|since| since.min(held.since));
        }
        self.forget();
        change
    }

    /// The subjects for which something is counted.
    pub(crate) fn counted(&self) -> Vec<(u16, String)> {
        let of = |(code, state): (&u16, &State)| {
            let named = state.counts.keys().filter(|subject| !subject.is_empty());
            named.map(|subject| (*code, subject.clone())).collect::<Vec<_>>()
        };
        self.states.iter().flat_map(of).collect()
    }

    /// The codes about the whole, without a subject, of which something is counted.
    pub(crate) fn counted_of_the_whole(&self) -> Vec<u16> {
        let of_the_whole = |code: &u16| self.rules.get(code).is_some_and(|rule| rule.per.is_none());
        let counted = self.states.iter().filter(|(_, state)| !state.counts.is_empty());
        counted.map(|(code, _)| *code).filter(of_the_whole).collect()
    }

    /// Somebody looked at `as_of`, and the subject (empty: the duty about which the whole code is) was not here any more. What was raised about it since is newer.
    pub(crate) fn ended(
        &mut self,
        code: u16,
        subject: &str,
        as_of: Timestamp,
        now: Timestamp,
    ) -> Option<AlertChange> {
        let state = self.states.get_mut(&code)?;
        let last = *state.counts.get(subject)?.times.back()?;
        if last > as_of {
            return None;
        }
        state.counts.remove(subject);
        let change = state.turn(code, now);
        self.forget();
        change
    }

    /// Lets go of what has grown old.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        for (code, state) in &mut self.states {
            let Some(rule) = self.rules.get(code) else { continue };
            state.counts.retain(|_, count| {
                rule.judge(count, now);
                !count.times.is_empty()
            });
            changes.extend(state.turn(*code, now));
        }
        self.forget();
        changes
    }

    /// The alerts that stand.
    pub(crate) fn standing(&self) -> Vec<StandingAlert> {
        let standing = self.states.iter().filter_map(|(code, state)| {
            let beyond = state.counts.iter().filter(|(subject, count)| count.beyond && !subject.is_empty());
            let more = beyond.clone().count().saturating_sub(NAMED_MAX);
            Some(StandingAlert {
                code: *code,
                since: state.since?,
                last_at: state.last,
                occurrences: state.occurrences,
                subjects: beyond.take(NAMED_MAX).map(|(subject, _)| subject.clone()).collect(),
                more,
            })
        });
        standing.collect()
    }

    fn forget(&mut self) {
        self.states.retain(|_, state| state.held || !state.counts.is_empty());
    }
}

impl Rule {
    /// Keeps what counts now, and says whether it is too much.
    fn judge(&self, count: &mut Count, now: Timestamp) {
        while count.times.len() > self.more_than + 1 {
            count.times.pop_front();
        }
        let patience = match (self.threshold, self.clears) {
            (Threshold::InADay { .. }, _) => DAY,
            (_, Clears::Quiet) => QUIET,
            (_, Clears::On(_)) => FORGOTTEN,
            (_, Clears::State) => SignedDuration::MAX,
        };
        let old = |at: &Timestamp| now.duration_since(*at) > patience;
        if matches!(self.threshold, Threshold::InADay { .. }) {
            while count.times.front().is_some_and(old) {
                count.times.pop_front();
            }
        } else if count.times.back().is_some_and(old) {
            count.times.clear();
        }
        count.beyond = count.times.len() > self.more_than;
    }
}

impl State {
    const fn new(now: Timestamp) -> Self {
        Self { counts: BTreeMap::new(), occurrences: 0, last: now, held: false, since: None }
    }

    /// What changed for the whole code.
    fn turn(&mut self, code: u16, now: Timestamp) -> Option<AlertChange> {
        let stands = self.held || self.counts.values().any(|count| count.beyond);
        match (self.since, stands) {
            (None, true) => {
                self.since = Some(now);
                Some(AlertChange::Began { code, occurrences: self.occurrences })
            }
            (Some(since), false) => {
                self.since = None;
                Some(AlertChange::Over { code, since, occurrences: self.occurrences })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
