//! Many seeds together: what was run, what was injected, what was found. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use base::crash::POINTS;
use serde::Serialize;

use super::fault::KINDS;
use super::results::{Outcome, SeedResult};
use super::schedule::Emphasis;

/// All seeds of a run, or of a results file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// How many were run to their end or not.
    pub seeds: usize,
    /// Nothing lost, no promise broken.
    pub green: usize,
    /// The others that ran to their end.
    pub failed: Vec<u64>,
    /// Those that could not be run to their end.
    pub broken: Vec<u64>,
    /// Changes of calendars.
    pub changes: u64,
    /// Faults by kind.
    pub injected: BTreeMap<String, u64>,
    /// Crash points that instances were told to die at; not all are met before the faults end.
    pub armed_points: u64,
    /// Instances that killed themselves at a crash point, by point.
    pub crash_points: BTreeMap<String, u64>,
    /// Endings of instances by their own decision.
    pub escalations: usize,
    /// Broken promises by invariant.
    pub violations: BTreeMap<String, usize>,
    /// Take-overs: number, median and worst in milliseconds.
    pub take_overs: Spread,
    /// The same of those during which the database was away.
    pub take_overs_without_database: Spread,
    /// From the end of the faults until the state was as it must be: number, median and worst in milliseconds.
    pub settled: Spread,
    /// How long a seed took: number, median and worst in milliseconds.
    pub took: Spread,
    /// Calls of paused processes, counted apart.
    pub sends_of_paused: u64,
    /// Writes that fences refused, as far as seen.
    pub refused_writes: u64,
    /// Seeds that were not run, because somebody interrupted.
    pub not_run: usize,
    /// Gentle seeds, and those of them in which a group lost its lease all the same.
    pub gentle: (usize, usize),
    /// Seeds in which nobody could judge what was left behind at Exchange.
    pub left_behind_unjudged: usize,
    /// How often groups waited for a slot of their account.
    pub slots_awaited: u64,
    /// Writes that the observer checked for their token.
    pub audited_writes: u64,
    /// The most memory that an instance used, in bytes.
    pub resident_bytes_max: u64,
    /// Calls that Planner saw.
    pub planner_calls: u64,
}

/// How values are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// The one in the middle.
    pub median_ms: u64,
    /// The largest.
    pub worst_ms: u64,
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        Self {
            count: values.len(),
            median_ms: values.get(values.len() / 2).copied().unwrap_or_default(),
            worst_ms: values.last().copied().unwrap_or_default(),
        }
    }
}

impl Report {
    /// Of the latest result of each seed.
    pub fn of(results: &[SeedResult]) -> Self {
        let latest: BTreeMap<u64, &SeedResult> = results.iter().map(|result| (result.seed, result)).collect();
        let all = || latest.values();
        let numbered =
            |outcome| all().filter(|result| result.outcome == outcome).map(|result| result.seed).collect();
        let mut report = Self {
            seeds: latest.len(),
            green: all().filter(|result| result.outcome == Outcome::Green).count(),
            failed: numbered(Outcome::Failed),
            broken: numbered(Outcome::Broken),
            changes: all().map(|result| result.changes).sum(),
            armed_points: all().map(|result| result.armed_points).sum(),
            escalations: all().map(|result| result.escalations.len()).sum(),
            take_overs: Spread::of(
                all().flat_map(|result| result.findings.figures.take_overs_ms.iter().copied()).collect(),
            ),
            take_overs_without_database: Spread::of(
                all()
                    .flat_map(|result| &result.findings.figures.take_overs_without_database_ms)
                    .copied()
                    .collect(),
            ),
            settled: Spread::of(
                all().filter_map(|result| result.findings.figures.settled_after_ms).collect(),
            ),
            took: Spread::of(all().map(|result| result.took_ms).collect()),
            sends_of_paused: all().map(|result| result.findings.figures.sends_of_paused).sum(),
            refused_writes: all().map(|result| result.findings.figures.refused_writes).sum(),
            gentle: {
                let gentle = || all().filter(|result| Emphasis::of(result.seed) == Emphasis::Gentle);
                let lost = gentle().filter(|result| result.findings.figures.groups_lost > 0);
                (gentle().count(), lost.count())
            },
            left_behind_unjudged: all().filter(|result| result.findings.figures.left_behind_unjudged).count(),
            slots_awaited: all().map(|result| result.findings.figures.slots_awaited).sum(),
            audited_writes: all().map(|result| result.findings.figures.audited_writes).sum(),
            planner_calls: all().map(|result| result.findings.figures.planner_calls).sum(),
            resident_bytes_max: all()
                .map(|result| result.findings.figures.resident_bytes_max)
                .max()
                .unwrap_or_default(),
            ..Self::default()
        };
        for result in latest.values() {
            for (kind, count) in &result.injected {
                *report.injected.entry(kind.clone()).or_default() += count;
            }
            for point in &result.crash_points {
                *report.crash_points.entry(point.clone()).or_default() += 1;
            }
            for violation in &result.findings.violations {
                *report.violations.entry(violation.invariant.clone()).or_default() += 1;
            }
            if result.difference.is_some() {
                *report.violations.entry("nothing-lost".to_owned()).or_default() += 1;
            }
        }
        report
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // writing to a string cannot fail
        let mut line = |words: String| {
            let _written = writeln!(text, "{words}");
        };
        line(format!(
            "{} seeds: {} green, {} failed {:?}, {} could not be run {:?}",
            self.seeds,
            self.green,
            self.failed.len(),
            self.failed,
            self.broken.len(),
            self.broken
        ));
        let times = |spread: &Spread| {
            format!("{} times, median {} ms, worst {} ms", spread.count, spread.median_ms, spread.worst_ms)
        };
        line(format!("a seed took: {}", times(&self.took)));
        line(format!("in step after the end of the faults: {}", times(&self.settled)));
        line(format!("take-overs: {}", times(&self.take_overs)));
        let without = times(&self.take_overs_without_database);
        line(format!("take-overs while the database was away for some time: {without}"));
        line(format!(
            "{} changes, {} calls to Planner, {} writes checked for their token, {} refused by a fence, {} waits for a \
             slot of an account, {} sends of paused processes, {} endings by own decision, {} MiB at most",
            self.changes,
            self.planner_calls,
            self.audited_writes,
            self.refused_writes,
            self.slots_awaited,
            self.sends_of_paused,
            self.escalations,
            self.resident_bytes_max / 1024 / 1024
        ));
        if self.not_run > 0 {
            line(format!("interrupted: {} of the seeds were not run", self.not_run));
        }
        let (gentle, lost) = self.gentle;
        line(format!(
            "{gentle} gentle seeds, in which no subscription may be left over; in {lost} of them groups lost their leases"
        ));
        line(format!("in {} seeds nobody could judge what was left behind", self.left_behind_unjudged));
        for kind in KINDS {
            line(format!("  {:<34}{:>7}", kind, self.injected.get(kind).copied().unwrap_or_default()));
        }
        line(format!(
            "crash points: {} armed, {} times met, {} of {} different ones",
            self.armed_points,
            self.crash_points.values().sum::<u64>(),
            self.crash_points.len(),
            POINTS.len()
        ));
        let never =
            POINTS.iter().map(|point| point.name).filter(|name| !self.crash_points.contains_key(*name));
        let never: Vec<&str> = never.collect();
        if !never.is_empty() {
            line(format!("  never met: {}", never.join(", ")));
        }
        for (invariant, count) in &self.violations {
            line(format!("  broken: {invariant} {count} times"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    //! Goal: the sums are right, and a seed that was run again counts once.
    use super::super::contract::{Figures, Findings, Violation};
    use super::*;

    fn result(seed: u64, outcome: Outcome, took_ms: u64) -> SeedResult {
        SeedResult {
            seed,
            outcome,
            instances: 2,
            broken_build: None,
            took_ms,
            changes: 10,
            injected: BTreeMap::from([("killed".to_owned(), 2)]),
            armed_points: 4,
            crash_points: vec!["lease.taken".to_owned()],
            escalations: vec![],
            findings: Findings {
                violations: vec![],
                figures: Figures { take_overs_ms: vec![took_ms], ..Figures::default() },
            },
            difference: None,
            error: None,
            fault_log: vec![],
            kept: None,
        }
    }

    #[test]
    fn the_latest_result_of_a_seed_counts() {
        let mut failed = result(2, Outcome::Failed, 30);
        failed.findings.violations.push(Violation {
            invariant: "sla".to_owned(),
            at: None,
            words: "x".to_owned(),
        });
        failed.difference = Some("missing".to_owned());
        failed.findings.figures.left_behind_unjudged = true;
        let all = [
            result(1, Outcome::Broken, 500),
            result(1, Outcome::Green, 10),
            failed,
            result(3, Outcome::Broken, 20),
        ];
        let report = Report::of(&all);
        assert_eq!((report.seeds, report.green), (3, 1));
        assert_eq!((report.failed.as_slice(), report.broken.as_slice()), ([2].as_slice(), [3].as_slice()));
        assert_eq!(report.injected["killed"], 6);
        assert_eq!((report.armed_points, report.crash_points["lease.taken"]), (12, 3));
        assert_eq!(report.changes, 30);
        assert_eq!(report.take_overs, Spread { count: 3, median_ms: 20, worst_ms: 30 });
        assert_eq!(
            report.violations,
            BTreeMap::from([("nothing-lost".to_owned(), 1), ("sla".to_owned(), 1)])
        );
        let text = report.text();
        assert!(text.contains("in 1 seeds nobody could judge what was left behind"), "{text}");
        assert!(text.contains("3 seeds: 1 green, 1 failed [2], 1 could not be run [3]"), "{text}");
    }
}
