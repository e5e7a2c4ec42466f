//! What a run found, as a table for people and as one JSON object for programs.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::measure::{Latencies, Percentiles};
use super::oracle::Differences;

/// The result of a run. The field names are those of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Mailboxes kept in step.
    pub mailboxes: usize,
    /// Changes that were made in calendars.
    pub changes: u64,
    /// Calls that Planner got.
    pub planner_calls: u64,
    /// From change to receipt, for keys that were left alone for 5 s before and after.
    pub latency_ms: Percentiles,
    /// Should be in Planner and is not.
    pub missing: usize,
    /// Is in Planner with other times.
    pub stale: usize,
    /// Is in Planner and should not be.
    pub extra: usize,
    /// Times that the agreement on load and form of calls was broken.
    pub sla_violations: u64,
    /// Faults that hit a stream of notifications.
    pub stream_faults: u64,
    /// Actors that were restarted by their supervisors (of the service's last life).
    pub actor_restarts: u64,
    /// Nothing missing, stale or extra, and no violation.
    pub converged: bool,
    /// The same for keys that were changed again within 5 s.
    pub latency_repeated_ms: Percentiles,
    /// How many changes `latency_ms` is of.
    pub latency_count: usize,
    /// How many changes `latency_repeated_ms` is of.
    pub latency_repeated_count: usize,
    /// Changes that were overtaken by the next of the same key before they were sent.
    pub overtaken: usize,
    /// Times that the service was killed.
    pub kills: u64,
    /// Faults of all kinds that were injected.
    pub faults_injected: u64,
    /// How long the state needed to be right after the last change, in ms; absent when it never was.
    pub convergence_ms: Option<u64>,
    /// The seed that repeats the random choices.
    pub seed: u64,
    /// Appointments that Planner should hold at the end.
    pub appointments: usize,
}

/// What the parts of a run counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Calls that Planner got.
    pub planner_calls: u64,
    /// Violations that Planner counted.
    pub violations: u64,
    /// Faults that hit streams.
    pub stream_faults: u64,
    /// Faults of all kinds.
    pub faults: u64,
    /// Restarts of actors.
    pub actor_restarts: u64,
    /// Kills of the service.
    pub kills: u64,
}

impl Report {
    /// Puts the parts together and gives the verdict.
    pub fn new(
        (mailboxes, changes, appointments): (usize, u64, usize),
        latencies: &Latencies,
        differences: &Differences,
        counts: &Counts,
        convergence_ms: Option<u64>,
        seed: u64,
    ) -> Self {
        Self {
            mailboxes,
            changes,
            planner_calls: counts.planner_calls,
            latency_ms: latencies.apart,
            missing: differences.missing.len(),
            stale: differences.stale.len(),
            extra: differences.extra.len(),
            sla_violations: counts.violations,
            stream_faults: counts.stream_faults,
            actor_restarts: counts.actor_restarts,
            converged: differences.is_empty() && counts.violations == 0,
            latency_repeated_ms: latencies.repeated,
            latency_count: latencies.apart_count,
            latency_repeated_count: latencies.repeated_count,
            overtaken: latencies.overtaken_count,
            kills: counts.kills,
            faults_injected: counts.faults,
            convergence_ms,
            seed,
            appointments,
        }
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(["", "result"]);
        let percentiles = |p: &Percentiles, count| {
            format!("p50 {} ms · p95 {} ms · p99 {} ms ({count} changes)", p.p50, p.p95, p.p99)
        };
        let converged = match self.convergence_ms {
            Some(ms) => format!("{ms} ms after the last change"),
            None => "not within 30 s of the last change".to_owned(),
        };
        let rows = [
            ("mailboxes", self.mailboxes.to_string()),
            ("changes made in Exchange", self.changes.to_string()),
            ("appointments Planner should hold", self.appointments.to_string()),
            ("calls to Planner", self.planner_calls.to_string()),
            ("change to receipt", percentiles(&self.latency_ms, self.latency_count)),
            (
                "  same key again within 5 s",
                percentiles(&self.latency_repeated_ms, self.latency_repeated_count),
            ),
            ("  overtaken before sending", self.overtaken.to_string()),
            (
                "faults injected",
                format!("{} (streams {}, kills {})", self.faults_injected, self.stream_faults, self.kills),
            ),
            ("actors restarted", self.actor_restarts.to_string()),
            ("in step", converged),
            ("missing / stale / extra", format!("{} / {} / {}", self.missing, self.stale, self.extra)),
            ("violations of the agreed load", self.sla_violations.to_string()),
            ("seed", self.seed.to_string()),
            ("verdict", if self.converged { "in step" } else { "NOT IN STEP" }.to_owned()),
        ];
        for (name, value) in rows {
            table.add_row([name.to_owned(), value]);
        }
        table.to_string()
    }
}
