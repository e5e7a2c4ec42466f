//! What the driver of a torture run and its observer tell each other: plain values, no behaviour.
//!
//! The driver tells the observer what it does to instances of the product ([`Noted`]), because nobody outside can
//! see that otherwise; what happened to calendars, calls and rows the observer reads by itself. The observer answers
//! with [`Findings`].
//!
//! The order: [`Observer::start`](super::observer::Observer::start) when the simulators run and the database is there
//! with its schema, before any instance is started; then
//!
//! - `fn note(&self, act: Act)`, which never waits;
//! - `async fn settled(&self, bound: Duration, told: impl Fn(&str)) -> Result<(), Difference>`, after [`Act::FaultsEnded`] was noted;
//! - `async fn settled_but(&self, away: &BTreeSet<String>, bound: Duration, told: impl Fn(&str)) -> Result<(), Difference>` before that, where a
//!   remedy is to be tried only on what needs it;
//! - `async fn finish(&self) -> Findings`, after all instances have ended in order (each noted as [`Act::Ended`]).

use std::path::PathBuf;
use std::time::Duration;

use base::SharedClock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What the observer needs to know of the world that it watches.
#[derive(Debug, Clone)]
pub struct ObserverConfig {
    /// `http://127.0.0.1:PORT` of the simulated Exchange: the simulator itself, never behind a gate, so its admin
    /// paths answer while the product sees it down.
    pub exchange_url: String,
    /// The same of the simulated Planner.
    pub planner_url: String,
    /// The job centre that calls act for.
    pub jobcenter: String,
    /// The connection string of the product's database. The server may be restarted and connections cut at any
    /// time; the observer connects again.
    pub database: SecretString,
    /// The configured zone.
    pub zone: TimeZone,
    /// `calendar_events_period_in_months`.
    pub months: i32,
    /// What was agreed with Planner.
    pub limits: Limits,
    /// `leases.ttl` of the instances.
    pub lease_ttl: Duration,
    /// No instance may ever use more memory than this (resident, bytes).
    pub resident_bytes_max: u64,
    /// How often the observer looks at what it must sample (memory, streams).
    pub look_every: Duration,
    /// The driver's clock, which is right; those of instances may not be.
    pub clock: SharedClock,
    /// At rest a subscription that is on no stream was left behind: nothing happened after which nobody can end it. That a
    /// group lost its lease because the machine was slow is no excuse.
    pub every_subscription_streamed: bool,
    /// Where the observer may leave evidence of a failing seed, if anywhere.
    pub keep: Option<PathBuf>,
}

/// What was agreed with Planner, for the whole of all instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `simultaneous_calls`.
    pub simultaneous_calls: usize,
    /// `max_calendar_event_updates_per_call`.
    pub events_per_call: usize,
    /// Calls in any [`window`](Self::window).
    pub calls_per_window: Option<usize>,
    /// Appointments in calls in any [`window`](Self::window).
    pub events_per_window: Option<usize>,
    /// The window: 60 s as agreed, shorter where timings are scaled down.
    pub window: Duration,
}

/// What the driver did, and when it was done (not when it was begun).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// When, by the driver's clock.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// What the driver does to instances and to the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// An instance was started. Leases name their owner `HOST/PID/UUID`, so the process id tells whose they are.
    Started {
        /// Its number, from 1; the same through all its restarts.
        instance: u32,
        /// Its process.
        pid: u32,
    },
    /// SIGKILL, or it killed itself at a crash point.
    Killed {
        /// Its number.
        instance: u32,
        /// Its former process.
        pid: u32,
    },
    /// It ended in order after SIGTERM.
    Ended {
        /// Its number.
        instance: u32,
        /// Its former process.
        pid: u32,
    },
    /// SIGSTOP is about to be sent: noted before, so that no call of a paused process is taken for one of a running
    /// one.
    Paused {
        /// Its number.
        instance: u32,
        /// Its process.
        pid: u32,
    },
    /// SIGCONT was sent.
    Resumed {
        /// Its number.
        instance: u32,
        /// Its process.
        pid: u32,
    },
    /// PostgreSQL is about to go away.
    DatabaseDown,
    /// PostgreSQL answers again.
    DatabaseUp,
    /// No fault is in force any more, and every instance that is to run does.
    FaultsEnded,
}

/// What is left of the difference between the state and the rules' answer when the bound was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// In words, bounded in length: which keys are missing, stale, extra, and what else has not come to rest.
    pub words: String,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which invariant, by its name in `torture::invariants`.
    pub invariant: String,
    /// When, as far as known.
    pub at: Option<Timestamp>,
    /// What was seen, in words; no appointment content but origin ids made by the driver.
    pub words: String,
}

/// What the observer has seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Broken promises; none is what a seed must end with.
    pub violations: Vec<Violation>,
    /// Figures for the report.
    pub figures: Figures,
}

/// Figures for the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Calls that Planner saw.
    pub planner_calls: u64,
    /// Appointments in them.
    pub planner_events: u64,
    /// The most calls in flight at one time.
    pub in_flight_max: u64,
    /// The most calls in any window.
    pub calls_per_window_max: u64,
    /// The most appointments in any window.
    pub events_per_window_max: u64,
    /// Calls that a process made which was paused between its check and its write: no violation, counted apart.
    pub sends_of_paused: u64,
    /// Writes that the fence refused, as far as seen.
    pub refused_writes: u64,
    /// How often a group had to wait for a slot of its service account.
    #[serde(default)]
    pub slots_awaited: u64,
    /// How often the lease of an affinity group was taken without having been handed back.
    #[serde(default)]
    pub groups_lost: u64,
    /// Take-overs of leases from a dead or paused owner: how long each was without a living owner, in milliseconds.
    pub take_overs_ms: Vec<u64>,
    /// The same of those during which the database was away: nobody can take anything over then.
    #[serde(default)]
    pub take_overs_without_database_ms: Vec<u64>,
    /// The most memory that an instance used (resident, bytes).
    pub resident_bytes_max: u64,
    /// How long after the end of the faults the state equalled the rules' answer, in milliseconds.
    pub settled_after_ms: Option<u64>,
    /// Writes of protected tables that were looked at.
    pub audited_writes: u64,
    /// Nobody could judge what was left behind at Exchange: the state had not come to rest, or an instance did not end in
    /// order.
    #[serde(default)]
    pub left_behind_unjudged: bool,
}
