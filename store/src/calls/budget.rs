//! May one more call be made? Pure: what is in use goes in, what is granted comes out.
//!
//! A permit counts from before its request leaves until [`WINDOW`] after its answer (or its deadline, when
//! no answer was recorded). The request arrives at Planner somewhere between the two, so no 60 s window of
//! arrivals can hold more than the budget, whatever the latencies are (B9).
//!
//! The budget a minute has two reserved shares of a fifth: bulk work always has its share while it waits,
//! and leaves as much room for a live change that may come. A budget of one call a minute has no shares.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long a permit counts after its answer: the SLA speaks of any minute.
pub const WINDOW: Duration = Duration::from_secs(60);

/// What Planner allows, over all instances and all operations (B9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Most calls in flight, at least 1.
    pub simultaneous_calls: u32,
    /// Most calls in any 60 s; `None` = unlimited.
    pub calls_per_minute: Option<u32>,
    /// Most appointments sent in any 60 s; `None` = unlimited. Reading calls send none.
    pub events_per_minute: Option<u32>,
}

/// Who asks: a live change goes first, bulk work (pull, adoption, resource list) has a guaranteed share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A change that a person just made.
    Live,
    /// Work that may take its time.
    Bulk,
}

impl Class {
    /// As stored: is it bulk?
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::Bulk)
    }
}

/// The permits that count now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Calls without a recorded answer whose deadline has not passed.
    pub in_flight: u32,
    /// All permits.
    pub calls: u32,
    /// Those of bulk work.
    pub bulk_calls: u32,
    /// Appointments of all permits.
    pub events: u32,
    /// Those of bulk work.
    pub bulk_events: u32,
    /// Does bulk work wait?
    pub bulk_waits: bool,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Too many calls in flight.
    Slots,
    /// The calls of this minute are used up.
    Calls,
    /// The appointments of this minute are used up.
    Events,
}

/// Answers how many of `events` appointments one more call may carry now (0 for a call that only reads).
///
/// # Errors
/// The limit that leaves no room.
pub fn admit(limits: &CallLimits, usage: &Usage, class: Class, events: u32) -> Result<u32, Full> {
    if usage.in_flight >= limits.simultaneous_calls {
        return Err(Full::Slots);
    }
    if let Some(limit) = limits.calls_per_minute
        && room(limit, usage.calls, usage.bulk_calls, class, usage.bulk_waits) == 0
    {
        return Err(Full::Calls);
    }
    let Some(limit) = limits.events_per_minute else { return Ok(events) };
    if events == 0 {
        return Ok(0);
    }
    match room(limit, usage.events, usage.bulk_events, class, usage.bulk_waits) {
        0 => Err(Full::Events),
        room => Ok(events.min(room)),
    }
}

/// A fifth of the limit, at least 1 where the limit has room for both sides.
fn share(limit: u32) -> u32 {
    if limit < 2 { 0 } else { (limit / 5).max(1) }
}

/// How much of `limit` is free for `class`.
fn room(limit: u32, used: u32, used_by_bulk: u32, class: Class, bulk_waits: bool) -> u32 {
    let free = limit.saturating_sub(used);
    match class {
        Class::Live => {
            let kept = if bulk_waits { share(limit).saturating_sub(used_by_bulk) } else { 0 };
            free.saturating_sub(kept)
        }
        Class::Bulk => {
            let guaranteed = share(limit).saturating_sub(used_by_bulk);
            let beyond_head_room = free.saturating_sub(share(limit));
            free.min(guaranteed.max(beyond_head_room))
        }
    }
}
