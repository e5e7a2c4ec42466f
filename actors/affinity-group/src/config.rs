//! Options of the listener and of affinity groups.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Backoff;
use base::pace::scaled;
use calendar::ids::AccountId;
use tokio::sync::watch;

/// The service accounts that can be used, always current; `None` until they are known. Empty = there is none
/// (4933).
pub type Accounts = watch::Receiver<Option<BTreeSet<AccountId>>>;

/// Groups of one account, unless said otherwise (B12).
const GROUPS_PER_ACCOUNT: usize = 3;

/// Limits and pauses of one affinity group.
#[derive(Debug, Clone, Copy)]
pub struct GroupOptions {
    /// Silence longer than this means that the stream is dead.
    pub stream_silence_limit: Duration,
    /// While members are added the stream is opened anew at most this often, and less often the longer it goes on:
    /// each time twice as long, up to `growth_pause_max`.
    pub growth_pause: Duration,
    /// Longest pause between two openings while members are added. Below `no_gap_within`, so that who waits for the
    /// stream needs no further catch-up.
    pub growth_pause_max: Duration,
    /// A stream that ended as planned and is open again within this time has missed nothing.
    pub no_gap_within: Duration,
    /// Pause before a stream is opened again that an outage kept from being opened, or that the server ended in
    /// order and too soon.
    pub reopen: Backoff,
    /// Pause before the actor of a stream that failed is started again. Its cap must stay well below the
    /// window of the supervisor of streams, else faults never escalate (see `tree`).
    pub restart: Backoff,
    /// A stream that lived this long was sound: the next end that comes too soon counts as the first.
    pub sound_after: Duration,
    /// While no stream can be opened, all live mailboxes catch up this often.
    pub deaf_catch_up_every: Duration,
    /// How long a folder event waits for an item event that explains it.
    pub folder_event_grace: Duration,
    /// An unexplained folder event makes a mailbox catch up at most this often.
    pub folder_catch_up_interval: Duration,
    /// Batches of notifications that wait for the database; what comes beyond makes its mailboxes catch up.
    pub journal_capacity: usize,
    /// Longest time that ending the subscriptions of a group takes when it stops.
    pub stop_patience: Duration,
    /// Most groups of one service account at work at one time, over all instances
    /// ([`ListenerOptions::subscription_groups_per_credential`]).
    pub groups_per_account: usize,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            stream_silence_limit: Duration::from_secs(110),
            growth_pause: scaled(Duration::from_secs(1)),
            growth_pause_max: scaled(Duration::from_secs(8)),
            no_gap_within: scaled(Duration::from_secs(10)),
            reopen: Backoff::doubling(Duration::from_millis(250), Duration::from_secs(30)),
            restart: Backoff::doubling(Duration::from_millis(250), Duration::from_secs(4)),
            sound_after: scaled(Duration::from_secs(10)),
            deaf_catch_up_every: scaled(Duration::from_secs(60)),
            folder_event_grace: Duration::from_secs(2),
            folder_catch_up_interval: Duration::from_secs(10),
            journal_capacity: 500,
            stop_patience: Duration::from_secs(8),
            groups_per_account: GROUPS_PER_ACCOUNT,
        }
    }
}

/// How the listener forms groups.
#[derive(Debug, Clone, Copy)]
pub struct ListenerOptions {
    /// How often the resource table is compared, besides wake-ups.
    pub subscriber_update_time_interval: Duration,
    /// Most mailboxes of one group; Exchange allows 200.
    pub mailboxes_per_subscription_group: usize,
    /// Most groups of one service account, over all instances.
    pub subscription_groups_per_credential: usize,
    /// Use stored locations only, ask nobody.
    pub deactivate_solving_of_group_affinity: bool,
    /// Pause before a mailbox that could not be located is asked for again.
    pub locate_again: Backoff,
    /// Most mailboxes located before the groups are formed with what is known.
    pub locate_at_once: usize,
    /// Pause after a failed round (the database is away).
    pub retry: Backoff,
    /// Options of each group.
    pub group: GroupOptions,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            subscriber_update_time_interval: Duration::from_secs(600),
            mailboxes_per_subscription_group: 200,
            subscription_groups_per_credential: GROUPS_PER_ACCOUNT,
            deactivate_solving_of_group_affinity: false,
            locate_again: Backoff::doubling(Duration::from_secs(30), Duration::from_secs(3_600)),
            locate_at_once: 1_000,
            retry: Backoff::doubling(Duration::from_millis(500), Duration::from_secs(30)),
            group: GroupOptions::default(),
        }
    }
}
