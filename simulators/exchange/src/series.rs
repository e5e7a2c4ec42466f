//! When a series takes place: the original starts of its occurrences, from a recurrence rule.
//!
//! The rule is expanded by the `rrule` crate in *local* time (as if the zone were UTC), and each local
//! start becomes an instant by the series' zone afterwards: so a weekly nine o'clock stays at nine
//! o'clock across the change to summer time, a start in the gap moves forward, and one in the fold is
//! the first of the two. Exceptions and deletions are not known here: they are kept by original start
//! beside the series (`item.rs`).
//!
//! Failure behaviour: a rule that cannot be read, or that yields nothing, is refused when the series is
//! made; an expansion stops after [`MAX_STEPS`] occurrences, whatever the rule says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Timestamp, civil, tz};
use rrule::{RRuleSet, RRuleSetIter};

/// The longest expansion: a start every day for 270 years, or every minute for ten weeks.
pub const MAX_STEPS: usize = 100_000;

/// The original starts of a recurring appointment, local in its zone.
#[derive(Debug, Clone)]
pub struct Series {
    first: civil::DateTime,
    rule: String,
    // What the rule makes, as far as anybody has asked; shared by all copies of the series.
    made: Arc<Mutex<Made>>,
    // Starts that the rule does not make: RDATEs, and a DTSTART that does not match the rule.
    extra: BTreeSet<civil::DateTime>,
}

/// The starts that a rule makes, in order, and where the expansion goes on: each start is computed once,
/// however often a calendar with a series of many years is looked at.
struct Made {
    starts: Vec<civil::DateTime>,
    rest: RRuleSetIter,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("starts", &self.starts.len()).finish_non_exhaustive()
    }
}

impl Made {
    fn new(set: &RRuleSet) -> Self {
        Self { starts: Vec::new(), rest: set.into_iter() }
    }

    /// Expands until `enough` says so of the latest start, to the end of the rule, or to [`MAX_STEPS`].
    fn expand(&mut self, enough: impl Fn(&[civil::DateTime]) -> bool) {
        while self.starts.len() < MAX_STEPS && !enough(&self.starts) {
            let Some(next) = self.rest.next() else { break };
            self.starts.push(local(next.timestamp()));
        }
    }
}

/// A rule that makes no series.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// The rule cannot be read.
    #[error("the recurrence rule cannot be read")]
    Rule(#[source] Box<rrule::RRuleError>),
    /// The rule has no occurrence at all.
    #[error("the recurrence rule has no occurrence")]
    Empty,
}

impl Series {
    /// A series that begins at `first`, repeats by `rule` (an RRULE value such as
    /// `FREQ=WEEKLY;BYDAY=MO`, its UNTIL in local time without `Z`), and has the additional starts
    /// `extra`. The first start counts as an occurrence even when the rule does not make it (RFC 5545).
    pub fn new(
        first: civil::DateTime,
        rule: &str,
        extra: impl IntoIterator<Item = civil::DateTime>,
    ) -> Result<Self, SeriesError> {
        let mut rule = local_until(rule);
        let mut extra: BTreeSet<_> = extra.into_iter().collect();
        let mut set = parse(first, &rule)?;
        let made_first = (&set).into_iter().next().map(|date| local(date.timestamp()));
        if made_first.is_none() && extra.is_empty() {
            return Err(SeriesError::Empty);
        }
        if made_first != Some(first) {
            extra.insert(first);
            if let Some(fewer) = one_occurrence_fewer(&rule) {
                rule = fewer;
                set = parse(first, &rule)?;
            }
        }
        Ok(Self { first, rule, made: Arc::new(Mutex::new(Made::new(&set))), extra })
    }

    /// The same rule from its first real occurrence on: what Exchange does with a pattern whose start
    /// date does not match it.
    pub fn snapped(start: civil::DateTime, rule: &str) -> Result<Self, SeriesError> {
        let set = parse(start, &local_until(rule))?;
        let first = (&set).into_iter().next().ok_or(SeriesError::Empty)?;
        Self::new(local(first.timestamp()), rule, [])
    }

    /// The local start of the first occurrence.
    pub fn first(&self) -> civil::DateTime {
        self.first
    }

    /// The rule, an RRULE value with its UNTIL in local time.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The starts that the rule does not make.
    pub fn extra(&self) -> &BTreeSet<civil::DateTime> {
        &self.extra
    }

    /// The original starts from `from` up to, not including, `to`, in order.
    pub fn starts(&self, from: civil::DateTime, to: civil::DateTime) -> Vec<civil::DateTime> {
        let mut all: BTreeSet<civil::DateTime> = self.with_made(|made| {
            made.expand(|starts| starts.last().is_some_and(|last| *last >= to));
            let begin = made.starts.partition_point(|start| *start < from);
            let end = made.starts.partition_point(|start| *start < to);
            made.starts.get(begin..end).unwrap_or_default().iter().copied().collect()
        });
        if from < to {
            all.extend(self.extra.range(from..to));
        }
        all.into_iter().collect()
    }

    fn with_made<T>(&self, ask: impl FnOnce(&mut Made) -> T) -> T {
        // A panic inside leaves whole starts behind, in order.
        ask(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is this the original start of an occurrence?
    pub fn has(&self, start: civil::DateTime) -> bool {
        let after = start.checked_add(jiff::Span::new().seconds(1)).unwrap_or(civil::DateTime::MAX);
        !self.starts(start, after).is_empty()
    }

    /// The original start number `index`, counted from 1 and with deleted ones included.
    pub fn nth(&self, index: usize) -> Option<civil::DateTime> {
        let index = index.checked_sub(1)?;
        let made: Vec<civil::DateTime> = self.with_made(|made| {
            made.expand(|starts| starts.len() > index);
            made.starts.iter().take(index.saturating_add(1)).copied().collect()
        });
        if self.extra.is_empty() {
            return made.get(index).copied();
        }
        let all: BTreeSet<_> = made.into_iter().chain(self.extra.iter().copied()).collect();
        all.into_iter().nth(index)
    }

    /// The original start of the last occurrence; `None` for a series without end.
    pub fn last(&self) -> Option<civil::DateTime> {
        if !has_part(&self.rule, "COUNT") && !has_part(&self.rule, "UNTIL") {
            return None;
        }
        self.starts(civil::DateTime::MIN, civil::DateTime::MAX).pop()
    }
}

fn parse(first: civil::DateTime, rule: &str) -> Result<RRuleSet, SeriesError> {
    let first = first.strftime("%Y%m%dT%H%M%SZ");
    let set: RRuleSet = format!("DTSTART:{first}\nRRULE:{rule}")
        .parse()
        .map_err(|error| SeriesError::Rule(Box::new(error)))?;
    Ok(set.limit())
}

fn local(second: i64) -> civil::DateTime {
    Timestamp::from_second(second).map(|at| tz::TimeZone::UTC.to_datetime(at)).unwrap_or(civil::DateTime::MAX)
}

fn has_part(rule: &str, name: &str) -> bool {
    rule.split(';').any(|part| part.trim().to_ascii_uppercase().starts_with(&format!("{name}=")))
}

/// The rule in the form that `rrule` wants beside a start in "UTC": UNTIL with a time and `Z`. A date
/// alone means the whole day.
fn local_until(rule: &str) -> String {
    rule.trim()
        .split(';')
        .filter(|part| !part.trim().is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("UNTIL") => {
                let value = value.trim().trim_end_matches(['Z', 'z']);
                let time = if value.contains('T') { "" } else { "T235959" };
                format!("UNTIL={value}{time}Z")
            }
            _ => part.trim().to_owned(),
        })
        .collect::<Vec<_>>()
        .join(";")
}

/// The rule with COUNT lowered by one; `None` when there is no COUNT that can be.
fn one_occurrence_fewer(rule: &str) -> Option<String> {
    let mut lowered = false;
    let parts: Vec<String> = rule
        .split(';')
        .map(|part| match part.split_once('=') {
            Some((name, count)) if name.eq_ignore_ascii_case("COUNT") => match count.parse::<u32>() {
                Ok(count) if count > 1 => {
                    lowered = true;
                    format!("COUNT={}", count - 1)
                }
                _ => part.to_owned(),
            },
            _ => part.to_owned(),
        })
        .collect();
    lowered.then(|| parts.join(";"))
}

#[cfg(test)]
mod tests;
