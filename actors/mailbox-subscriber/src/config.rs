//! Options of all mailbox subscribers.

use std::time::Duration;

use base::Backoff;

/// How mailboxes are tried again, and within which limits they catch up.
#[derive(Debug, Clone, Copy)]
pub struct SubscriberOptions {
    /// Pause after a failure that will pass (the service is away, the database is away).
    pub retry: Backoff,
    /// Pause after a failure of the mailbox itself (missing, forbidden, moved, unknown).
    pub park: Backoff,
    /// A failure of an unknown sort is tried this often like one that passes, then parked.
    pub few_tries: u32,
    /// A subscription that lived this long was sound: when it is lost a new one is made at once.
    pub sound_after: Duration,
    /// From this many failures in a row on, an outage too is written to the resource row.
    pub record_outage_after: u32,
    /// Catch-ups after a gap are spread over this time at random.
    pub catch_up_jitter: Duration,
    /// A mailbox that moved is located anew. Where that is switched off
    /// (`deactivate_solving_of_group_affinity`) its stored location is kept: nobody would find another.
    pub locates_anew: bool,
    /// Most pages of one catch-up; one page has up to 512 changes.
    pub catch_up_pages_max: u32,
}

impl Default for SubscriberOptions {
    fn default() -> Self {
        Self {
            retry: Backoff::doubling(Duration::from_millis(500), Duration::from_secs(60)),
            park: Backoff::doubling(Duration::from_secs(60), Duration::from_secs(3_600)),
            few_tries: 3,
            sound_after: base::pace::scaled(Duration::from_secs(60)),
            record_outage_after: 3,
            catch_up_jitter: Duration::from_secs(1),
            locates_anew: true,
            catch_up_pages_max: 20_000,
        }
    }
}
