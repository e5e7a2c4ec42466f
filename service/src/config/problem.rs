//! What is wrong with a configuration, collected.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use url::Url;

use super::origin::{HIDDEN, Origins};
use super::{DailyTime, original};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The dotted key: `planner.simultaneous_calls`.
    pub key: String,
    /// Where its value comes from: a file and line, or an environment variable.
    pub place: String,
    /// Its value as it was written; hidden where it is secret, absent where there is none.
    pub value: Option<String>,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.key, self.reason)?;
        let is_about_value = ["must ", "is no "].iter().any(|begin| self.reason.starts_with(begin));
        match &self.value {
            Some(value) if is_about_value && !self.key.contains('[') => {
                let bare = value.trim_matches('"');
                if bare == "[]" || bare == HIDDEN || self.reason.contains(bare) {
                    Ok(())
                } else {
                    write!(f, " (it is {value})")
                }
            }
            _ => Ok(()),
        }
    }
}

/// Everything that is wrong, in the order of the sections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    found: Vec<Problem>,
    section: Option<&'static str>,
    /// What each number or duration that was looked at may be, in words.
    ranges: BTreeMap<String, String>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.found.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Problems {
    /// Is nothing wrong?
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All that was found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// Is something known to be wrong with this whole key?
    pub(super) fn is_about(&self, key: &str) -> bool {
        self.found.iter().any(|problem| problem.key == key)
    }

    /// Reports a key that is missing, unless the file that was to hold its value is what is wrong (`<key>_file`).
    pub(super) fn missing(&mut self, key: &str, reason: &str) {
        if !self.is_about(&format!("{key}_file")) {
            self.add(key, reason);
        }
    }

    /// From now on keys are those of this section.
    pub(super) fn enter(&mut self, section: &'static str) {
        self.section = Some(section);
    }

    /// From now on keys are whole again.
    pub(super) fn leave(&mut self) {
        self.section = None;
    }

    /// Reports a key. One report a key is enough: the first is the cause.
    pub(super) fn add(&mut self, key: &str, reason: impl Into<String>) {
        let key = match self.section {
            Some(section) => format!("{section}.{key}"),
            None => key.to_owned(),
        };
        if !self.found.iter().any(|problem| problem.key == key) {
            self.found.push(Problem { key, place: String::new(), value: None, reason: reason.into() });
        }
    }

    /// What the values of a section may be: what a look at its defaults said of each key.
    pub(super) fn allowed(&self, key: &str) -> Option<&str> {
        self.ranges.get(key).map(String::as_str)
    }

    /// Reports a key that may be absent and whose value does not lie in the range.
    pub(super) fn range_if_set<T: PartialOrd + fmt::Display>(
        &mut self,
        key: &str,
        value: Option<T>,
        range: RangeInclusive<T>,
    ) {
        match value {
            Some(value) => self.range(key, value, range),
            None => self.note(key, &range),
        }
    }

    fn note<T: fmt::Display>(&mut self, key: &str, range: &RangeInclusive<T>) {
        self.ranges.insert(key.to_owned(), format!("from {} to {}", range.start(), range.end()));
    }

    /// Reports a key whose value does not lie in the range.
    pub(super) fn range<T: PartialOrd + fmt::Display>(
        &mut self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) {
        self.note(key, &range);
        if !range.contains(&value) {
            self.add(key, format!("must lie from {} to {}, not {value}", range.start(), range.end()));
        }
    }

    /// Reports an address that is not one of a web service.
    pub(super) fn web_address(&mut self, key: &str, url: Option<&Url>) {
        let Some(url) = url else { return };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            self.add(key, "must begin with https:// (or http:// for a simulator) and name a host");
        } else if !url.username().is_empty() || url.password().is_some() {
            self.add(key, "must not hold a user or password; there are keys of their own for these");
        }
    }

    /// Reports a text that is there and has nothing in it.
    pub(super) fn not_empty(&mut self, key: &str, value: &str) {
        if value.trim().is_empty() {
            self.add(key, "must not be empty");
        }
    }

    /// Reports a list of times of day that is empty, unless it is because none of its times can be read.
    pub(super) fn schedule(&mut self, key: &str, times: &[DailyTime]) {
        let item = format!("{}.{key}[", self.section.unwrap_or_default());
        if times.is_empty() && !self.found.iter().any(|problem| problem.key.starts_with(&item)) {
            self.add(key, "needs at least one time of day, like [\"02:00\"]");
        }
    }

    /// Says for each where its value comes from.
    pub(super) fn locate(&mut self, origins: &Origins) {
        for problem in &mut self.found {
            problem.place = origins.place(&problem.key);
            if !problem.reason.starts_with(UNKNOWN) {
                problem.value = origins.value(problem.key.split('[').next().unwrap_or_default());
            }
        }
    }
}

/// A deserializer's message in the words of people who write TOML and not Rust.
pub(super) fn plain(message: &str) -> String {
    let message = message.trim();
    if message == "invalid socket address syntax" {
        return "must be an address in numbers and a port, like \"127.0.0.1:8080\"".to_owned();
    }
    let mut plain = message
        .replace("expected a sequence", "expected a list like [\"a\", \"b\"]")
        .replace("expected a string", "expected a text in quotes");
    for kind in ["usize", "u8", "u16", "u32", "u64"] {
        if let Some(start) = plain.strip_suffix(&format!("expected {kind}")) {
            plain = format!("{start}expected a whole number");
        }
    }
    plain
}

/// A reason with what the key may be, where that is known and not said yet.
pub(super) fn with_allowed(reason: String, allowed: Option<&str>) -> String {
    match allowed {
        Some(allowed) => format!("{reason}, {allowed}"),
        None => reason,
    }
}

/// What the reason for a key that does not exist begins with. Its value may be anything, also a secret.
const UNKNOWN: &str = "is no known ";

/// The reason for a key that does not exist, with the nearest one that does, or the one that a name of the original
/// means.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> String {
    let meant: Vec<&str> = original::named(key).filter_map(original::OldSetting::key).collect();
    if let (Some(old), false) = (original::named(key).next(), meant.is_empty()) {
        return format!("{UNKNOWN}key here; what the original calls {} is {}", old.name, meant.join(" or "));
    }
    match nearest(key, known.iter().copied()) {
        Some(nearest) => format!("{UNKNOWN}key; did you mean {nearest}?"),
        None => format!("{UNKNOWN}key; known here are {}", known.join(", ")),
    }
}

/// The known name that is so near that it was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let nearest = known.min_by_key(|candidate| distance(name, candidate))?;
    (distance(name, nearest) <= name.len().max(6) / 3).then_some(nearest)
}

/// The number of letters to insert, drop or change to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (number, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], number + 1);
        for (column, other) in to.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
