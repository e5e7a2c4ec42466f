//! Can this instance still use the database, other than to renew its leases? Pure.
//!
//! Leases are renewed by connections of their own, so that a pool that is used up costs nobody a lease. The reverse of that:
//! an instance whose pool never gives a connection again (each of them hangs, or the server refuses new ones) could keep
//! its groups, shards and duties for ever and do nothing for them. So the pool is tried with every renewal. When it has
//! not answered for [`PATIENCE`] although leases were renewed all the time, the process ends: its leases go to others,
//! and its successor has a pool of its own.
//!
//! While the database is away for everybody nobody can take over, and nothing is counted. The same while connections
//! wait for a lock that somebody holds (a migration that rewrites a table): every instance of this version waits for it, a
//! successor would as well, and ending all of them would turn a pause into an outage. A process that was paused as
//! a whole finds at most one try spoilt by that.

use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How long the pool may be silent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Tries that fail in a row, at least.
const TRIES: u32 = 3;

/// What is known of the pool.
#[derive(Debug)]
pub(crate) struct PoolWatch {
    patience: Duration,
    /// Tries that failed in a row, and when the first of them had failed.
    silent: Option<(u32, Instant)>,
}

impl PoolWatch {
    /// Nothing is known yet; `patience`: [`PATIENCE`].
    pub(crate) const fn new(patience: Duration) -> Self {
        Self { patience, silent: None }
    }

    /// The leases could not be renewed either: the database is away.
    pub(crate) const fn not_renewed(&mut self) {
        self.silent = None;
    }

    /// The pool was tried and did not answer, and connections of this process wait for locks of others.
    pub(crate) const fn waits_for_locks(&mut self) {
        self.silent = None;
    }

    /// The pool was tried. Answers true when this instance cannot work and should let go.
    pub(crate) fn tried(&mut self, answered: bool, now: Instant) -> bool {
        if answered {
            self.silent = None;
            return false;
        }
        let (tries, since) = self.silent.map_or((1, now), |(tries, since)| (tries.saturating_add(1), since));
        self.silent = Some((tries, since));
        tries >= TRIES && now.saturating_duration_since(since) >= self.patience
    }
}
