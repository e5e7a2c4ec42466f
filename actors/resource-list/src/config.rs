//! What the resource list must be told, and what it works with.

use std::time::Duration;

use base::daily::DailyTimes;
use base::{Backoff, SharedClock};
use connector_planner::Planner;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use store::calls::CallBook;
use store::lease::LeaseBook;
use store::wake::Wake;
use tokio::runtime::Handle;

/// Settings.
#[derive(Debug, Clone)]
pub struct ResourceListOptions {
    /// The lease of this duty.
    pub lease: String,
    /// Fetch the list at start (`planner.update_resources_at_startup`). Where there is no list at all it is
    /// fetched in any case: nothing works without one.
    pub update_at_startup: bool,
    /// The times of day at which it is fetched (`planner.resource_update_schedule`) …
    pub schedule: DailyTimes,
    /// … in this zone (`calendar.zone`).
    pub zone: TimeZone,
    /// How often operators' requests are looked for when no wake-up came.
    pub request_poll: Duration,
    /// The longest time for one call (`planner.call_timeout`).
    pub call_timeout: Duration,
    /// The pause after a fetch that failed.
    pub retry: Backoff,
}

impl Default for ResourceListOptions {
    fn default() -> Self {
        Self {
            lease: store::shares::RESOURCE_LIST_LEASE.into(),
            update_at_startup: true,
            schedule: DailyTimes::once_at(Time::constant(1, 0, 0, 0)),
            zone: TimeZone::UTC,
            request_poll: base::pace::scaled(Duration::from_secs(10)),
            call_timeout: Duration::from_secs(60),
            retry: Backoff::doubling(Duration::from_secs(1), Duration::from_secs(300)),
        }
    }
}

/// What the resource list works with. A clone is a handle on the same things.
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
