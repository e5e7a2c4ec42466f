//! What the qualifier is told.

use std::sync::Arc;
use std::time::Duration;

use base::{Backoff, DailyTimes, SharedClock};
use calendar::guard::GuardLimits;
use calendar::{CalendarSource, MailAddress, Policy};
use jiff::civil::time;
use store::Store;
use store::lease::LeaseBook;
use store::shares::Shares;
use store::wake::Wake;

use crate::coalesce::Timing;
use crate::error::QualifierError;

/// The settings of all shards of a process.
#[derive(Debug, Clone)]
pub struct QualifierOptions {
    /// Number of shards, 1 to 64; shard n owns the buckets b with b % shards == n (B1).
    pub shards: u8,
    /// The settings that decisions depend on.
    pub policy: Policy,
    /// `notification_processing_interval`: the fallback where no wake-up comes.
    pub poll_interval: Duration,
    /// Mailboxes that one shard reads at the same time for live changes. (The connector limits the calls of
    /// the whole process.)
    pub simultaneous_mailboxes: usize,
    /// `simultaneous_calls_at_full_pull`: calls to the source that all full reads of the process together make at the same time.
    pub simultaneous_full_reads: usize,
    /// `full_appointment_pull_schedule`: when every mailbox is read in full, in the policy's zone (B8).
    pub full_reads_at: DailyTimes,
    /// The schedule is looked at again after this long at the latest: the clock on the wall may be set, or the machine
    /// sleep. Not a setting.
    pub look_again: Duration,
    /// `mass_delete_guard_count` and `mass_delete_guard_percent`: how many deletions a full read may infer.
    pub guard: GuardLimits,
    /// `make_full_calendar_pull_at_startup`.
    pub full_read_at_start: bool,
    /// How notifications of one item are coalesced.
    pub coalesce: Timing,
    /// `notification_attempts`: a notification that fails so often by itself is set aside.
    pub attempts: u32,
    /// The pauses after a failure of one item, and after an outage.
    pub retry: Backoff,
    /// The pauses after a failure of a whole mailbox (missing, forbidden, moving, not located yet).
    pub mailbox_retry: Backoff,
    /// Most notifications that a shard has in memory.
    pub capacity: usize,
    /// Most of these for one mailbox, about: one noisy mailbox must not keep out the others.
    pub capacity_per_mailbox: usize,
    /// Most items in one reading.
    pub items_per_call: usize,
    /// The longest that handling a mailbox once may take.
    pub job_deadline: Duration,
}

impl QualifierOptions {
    /// The defaults, with these settings for decisions.
    pub fn new(policy: Policy) -> Self {
        Self {
            shards: 4,
            policy,
            poll_interval: Duration::from_secs(4),
            simultaneous_mailboxes: 8,
            simultaneous_full_reads: 1,
            full_reads_at: DailyTimes::once_at(time(2, 0, 0, 0)),
            look_again: Duration::from_secs(30),
            guard: GuardLimits::DEFAULT,
            full_read_at_start: false,
            coalesce: Timing { quiet: Duration::from_secs(1), at_most: Duration::from_secs(5) },
            attempts: 5,
            retry: Backoff::doubling(Duration::from_millis(500), Duration::from_secs(60)),
            mailbox_retry: Backoff::doubling(Duration::from_secs(1), Duration::from_secs(300)),
            capacity: 4_000,
            capacity_per_mailbox: 1_000,
            items_per_call: 100,
            job_deadline: Duration::from_secs(300),
        }
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), QualifierError> {
        let refuse = |reason: &'static str| Err(QualifierError::Options { reason });
        if !(1..=MailAddress::BUCKETS).contains(&self.shards) {
            return refuse("the number of shards must lie from 1 to 64");
        }
        let counts = [
            self.simultaneous_mailboxes,
            self.simultaneous_full_reads,
            self.capacity,
            self.capacity_per_mailbox,
            self.items_per_call,
            self.attempts as usize,
        ];
        if counts.contains(&0) {
            return refuse("limits must be above zero");
        }
        if self.items_per_call > 100 {
            return refuse("a reading must not ask for more than 100 items");
        }
        if [self.poll_interval, self.look_again, self.job_deadline].iter().any(Duration::is_zero) {
            return refuse("intervals must be above zero");
        }
        Ok(())
    }

    /// The buckets of shard `n`.
    pub fn buckets(&self, n: u8) -> Vec<i16> {
        (0..MailAddress::BUCKETS).filter(|bucket| bucket % self.shards.max(1) == n).map(i16::from).collect()
    }
}

/// What the qualifier works with.
#[derive(Clone)]
pub struct Services {
    /// The database.
    pub store: Store,
    /// The leases of this process.
    pub leases: LeaseBook,
    /// Which shards are this instance's.
    pub shares: Shares,
    /// Wake-ups.
    pub wake: Wake,
    /// Where appointments come from.
    pub source: Arc<dyn CalendarSource>,
    /// The clock.
    pub clock: SharedClock,
    /// Where I/O runs; never the actors' own thread.
    pub runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Zones;

    fn options() -> QualifierOptions {
        QualifierOptions::new(Policy {
            zones: Zones::named("Europe/Copenhagen").unwrap(),
            months: 3,
            busy_statuses: Policy::BUSY_BY_DEFAULT.into_iter().collect(),
        })
    }

    #[test]
    fn every_bucket_has_one_shard() {
        for shards in [1, 4, 5, 63, 64] {
            let options = QualifierOptions { shards, ..options() };
            options.check().unwrap();
            let mut all: Vec<i16> = (0..shards).flat_map(|n| options.buckets(n)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..64).collect::<Vec<i16>>(), "{shards}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            QualifierOptions { shards: 0, ..options() },
            QualifierOptions { shards: 65, ..options() },
            QualifierOptions { attempts: 0, ..options() },
            QualifierOptions { capacity: 0, ..options() },
            QualifierOptions { items_per_call: 101, ..options() },
            QualifierOptions { poll_interval: Duration::ZERO, ..options() },
            QualifierOptions { look_again: Duration::ZERO, ..options() },
        ] {
            assert!(bad.check().is_err());
        }
    }
}
