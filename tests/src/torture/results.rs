//! What became of each seed: one line of JSON in a results file, so that a long run can be gone on with.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::contract::{Findings, Violation};
use super::error::TortureError;

/// How a seed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing lost, no promise broken.
    Green,
    /// Something was.
    Failed,
    /// It could not be run to its end: the harness or the machine is at fault, unless the error says otherwise.
    Broken,
}

/// One seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    /// Which.
    pub seed: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// How many instances ran.
    pub instances: u32,
    /// The safeguards that the program under test was built without, if any (`KOMMUNEKLIENT_BREAK`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_build: Option<String>,
    /// How long it took.
    pub took_ms: u64,
    /// Changes of calendars.
    pub changes: u64,
    /// Faults by kind.
    pub injected: BTreeMap<String, u64>,
    /// How many crash points instances were told to die at.
    #[serde(default)]
    pub armed_points: u64,
    /// Crash points at which an instance killed itself.
    pub crash_points: Vec<String>,
    /// Endings of instances that nobody asked for.
    pub escalations: Vec<String>,
    /// What the observer saw.
    pub findings: Findings,
    /// What differed when the bound was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// Why it could not be run to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was done, with times; only of a seed that is not green.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fault_log: Vec<String>,
    /// Where the logs are, when they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
}

impl SeedResult {
    /// A broken promise that the driver itself saw.
    pub fn violated(&mut self, invariant: &str, words: String) {
        self.findings.violations.push(Violation { invariant: invariant.to_owned(), at: None, words });
    }
}

/// Reads a results file; one that is not there is empty.
///
/// # Errors
/// [`TortureError::File`], [`TortureError::Results`].
pub fn read(path: &Path) -> Result<Vec<SeedResult>, TortureError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TortureError::file(path)(error)),
    };
    // a driver that was killed while it wrote leaves half a line at the end: that seed is run again
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|source| TortureError::Results {
                path: path.display().to_string(),
                line: index + 1,
                source,
            })
        })
        .collect()
}

/// Adds a line to a results file.
///
/// # Errors
/// [`TortureError::File`].
pub fn append(path: &Path, result: &SeedResult) -> Result<(), TortureError> {
    let line = serde_json::to_string(result).map_err(|error| TortureError::file(path)(error.into()))?;
    let open = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = open.map_err(TortureError::file(path))?;
    // half a line of a driver that was killed is given up
    let begun = std::fs::read(path).map_err(TortureError::file(path))?;
    let whole = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64).map_err(TortureError::file(path))?;
    writeln!(file, "{line}").map_err(TortureError::file(path))
}

/// Makes the file if it is not there: one that cannot be written is told before a seed is run in vain.
///
/// # Errors
/// [`TortureError::File`].
pub fn touch(path: &Path) -> Result<(), TortureError> {
    let open = std::fs::OpenOptions::new().create(true).append(true).open(path);
    open.map(drop).map_err(TortureError::file(path))
}

/// Which of `seeds` are still to be run: those whose latest line is missing or says that they were broken.
pub fn open(seeds: impl Iterator<Item = u64>, done: &[SeedResult]) -> Vec<u64> {
    let mut closed = BTreeSet::new();
    for result in done {
        match result.outcome {
            Outcome::Broken => closed.remove(&result.seed),
            Outcome::Green | Outcome::Failed => closed.insert(result.seed),
        };
    }
    seeds.filter(|seed| !closed.contains(seed)).collect()
}

#[cfg(test)]
mod tests {
    //! Goal: a run that was interrupted anywhere goes on with what is missing.
    use super::*;

    fn result(seed: u64, outcome: Outcome) -> SeedResult {
        SeedResult {
            seed,
            outcome,
            instances: 2,
            broken_build: None,
            took_ms: 1,
            changes: 2,
            injected: BTreeMap::from([("killed".to_owned(), 1)]),
            armed_points: 0,
            crash_points: vec![],
            escalations: vec![],
            findings: Findings::default(),
            difference: None,
            error: None,
            fault_log: vec![],
            kept: None,
        }
    }

    #[test]
    fn what_is_written_is_read_and_not_run_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results");
        assert_eq!(read(&path).expect("nothing yet"), []);
        let all = [result(1, Outcome::Green), result(2, Outcome::Failed), result(3, Outcome::Broken)];
        for result in &all {
            append(&path, result).expect("written");
        }
        let found = read(&path).expect("read");
        assert_eq!(found, all);
        assert_eq!(open(1..=4, &found), [3, 4]);
    }

    #[test]
    fn half_a_line_at_the_end_is_a_seed_that_is_run_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results");
        append(&path, &result(1, Outcome::Green)).expect("written");
        let whole = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, format!("{whole}{}", &whole[..40])).expect("written");
        assert_eq!(open(1..=2, &read(&path).expect("the rest is read")), [2]);
        append(&path, &result(2, Outcome::Green)).expect("written");
        assert_eq!(read(&path).expect("read").len(), 2);
    }

    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results");
        std::fs::write(&path, "one\ntwo\n").expect("written");
        assert!(matches!(read(&path), Err(TortureError::Results { line: 1, .. })));
    }
}
