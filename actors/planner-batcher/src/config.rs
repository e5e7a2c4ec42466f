//! What the batcher must be told, and what it works with.

use std::time::Duration;

use base::{Backoff, SharedClock};
use connector_planner::Planner;
use store::calls::CallBook;
use store::lease::LeaseBook;
use store::wake::Wake;
use tokio::runtime::Handle;

/// Settings.
#[derive(Debug, Clone)]
pub struct BatcherOptions {
    /// The lease of this duty.
    pub lease: String,
    /// Most appointments in a call (`planner.max_calendar_event_updates_per_call`), at least 1.
    pub max_events_per_call: usize,
    /// How often to look when nothing wakes (`planner.calendar_event_update_interval`).
    pub update_interval: Duration,
    /// The longest time for one call, from before its permit to the end of its answer (`planner.call_timeout`).
    pub call_timeout: Duration,
    /// How much longer its keys stay in flight, so that the answer can be recorded.
    pub answer_grace: Duration,
    /// How long the end of the service waits for the answers of calls in flight; then they are left, and their keys wait
    /// for their deadline (B9).
    pub stop_patience: Duration,
    /// Pauses: of a key whose receipt said "not now" or that brought none, and of all sending while calls
    /// fail (`planner.retry_initial`, `planner.retry_cap`).
    pub retry: Backoff,
    /// Failures of a key by itself after which it is set aside (`planner.attempts_max`): receipts 15 and 16, and
    /// calls for it alone that failed while others succeeded.
    pub attempts_max: u32,
    /// How soon a mailbox is compared with what Planner holds after an unknown outcome
    /// (`planner.adopt_after_unknown_outcome`; at most 15 minutes, B9).
    pub adopt_after_unknown_outcome: Duration,
}

impl Default for BatcherOptions {
    fn default() -> Self {
        Self {
            lease: "communicator".into(),
            max_events_per_call: 20,
            update_interval: Duration::from_secs(20),
            call_timeout: Duration::from_secs(60),
            answer_grace: base::pace::scaled(Duration::from_secs(5)),
            stop_patience: base::pace::scaled(Duration::from_secs(20)),
            retry: Backoff::doubling(Duration::from_secs(1), Duration::from_secs(300)),
            attempts_max: 50,
            adopt_after_unknown_outcome: Duration::from_secs(60),
        }
    }
}

impl BatcherOptions {
    /// How long the keys of a call stay in flight at most.
    pub fn lifetime(&self) -> Duration {
        self.call_timeout + self.answer_grace
    }
}

/// What the batcher works with. A clone is a handle on the same things.
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
