//! What the comparison must be told, and what it works with.

use std::time::Duration;

use base::daily::DailyTimes;
use base::{Backoff, SharedClock};
use calendar::guard::GuardLimits;
use connector_planner::Planner;
use jiff::tz::TimeZone;
use store::calls::CallBook;
use store::lease::LeaseBook;
use store::wake::Wake;
use tokio::runtime::Handle;

/// Settings.
#[derive(Debug, Clone)]
pub struct ComparisonOptions {
    /// The lease of this duty.
    pub lease: String,
    /// Most mailboxes in a call (`planner.max_calendar_event_fetches_per_call`), at least 1.
    pub max_fetches_per_call: usize,
    /// How often to look when nothing wakes.
    pub interval: Duration,
    /// The longest time for one call (`planner.call_timeout`).
    pub call_timeout: Duration,
    /// The pause after a call that failed.
    pub retry: Backoff,
    /// When a mailbox is asked for again of which Planner holds more than can be asked for.
    pub too_much_again: Duration,
    /// How soon a mailbox is compared after an unknown outcome (`planner.compare_after_unknown_outcome`).
    pub compare_after_unknown_outcome: Duration,
    /// When all mailboxes are compared (`planner.calendar_synchronization_schedule`).
    pub schedule: DailyTimes,
    /// Compare all mailboxes at start, too (`planner.update_calendar_at_startup`).
    pub compare_at_start: bool,
    /// What may be deleted at once because it was missing (`mass_delete_guard_count` and `…_percent`).
    pub guard: GuardLimits,
    /// The configured zone (`calendar.zone`).
    pub zone: TimeZone,
    /// Months of the window (`calendar.calendar_events_period_in_months`).
    pub months: u32,
}

impl Default for ComparisonOptions {
    fn default() -> Self {
        Self {
            lease: store::shares::COMPARISON_LEASE.into(),
            max_fetches_per_call: 1,
            interval: base::pace::scaled(Duration::from_secs(10)),
            call_timeout: Duration::from_secs(60),
            retry: Backoff::doubling(Duration::from_secs(1), Duration::from_secs(300)),
            too_much_again: base::pace::scaled(Duration::from_secs(3_600)),
            compare_after_unknown_outcome: Duration::from_secs(60),
            schedule: DailyTimes::once_at(jiff::civil::time(1, 30, 0, 0)),
            compare_at_start: false,
            guard: GuardLimits::DEFAULT,
            zone: TimeZone::UTC,
            months: 3,
        }
    }
}

/// What the comparison works with. A clone is a handle on the same things.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Slots and permits, shared by all that call Planner.
    pub book: CallBook,
    /// Planner.
    pub planner: Planner,
    /// The leases of this process.
    pub leases: LeaseBook,
    /// Wake-ups.
    pub wake: Wake,
    /// Where I/O runs.
    pub runtime: Handle,
    /// The time.
    pub clock: SharedClock,
}
