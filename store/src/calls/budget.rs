//! May one more call be made? Pure: what is in use goes in, what is granted comes out.
//!
//! A permit counts from before its request leaves until [`WINDOW`] after its answer (or its deadline, when
//! no answer was recorded). The request arrives at Planner somewhere between the two, so no 60 s window of
//! arrivals can hold more than the budget, whatever the latencies are (B9).
//!
//! Live changes go first, and neither side starves. While both wait each has a fifth of the budget for itself. While
//! only bulk work waits it may use all of the budget, in such a way that live changes which came one after the other
//! from now on, evenly and as fast as the budget allows in the long run, would each find room at once, or when the next
//! permit stops counting: from a standstill a fifth stays free, and the more evenly permits stop counting, the less
//! has to. So a pull of hours uses the whole budget, and a live change waits for one interval of it (60 s / budget).
//! A budget of one call a minute has no shares.

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
    /// Does work of the other class wait, which could go now?
    pub others_wait: bool,
}

/// A permit that stops counting soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// After this time.
    pub after: Duration,
    /// How many appointments it carried.
    pub events: u32,
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

/// Answers how many of `events` appointments one more call may carry now (0 for a call that only reads). `window` is
/// the minute ([`WINDOW`], or less in a rehearsal); `freed` tells the permits that stop counting within the [`horizon`],
/// the next first. It is looked at for bulk work alone.
///
/// # Errors
/// The limit that leaves no room.
pub fn admit(
    limits: &CallLimits,
    usage: &Usage,
    class: Class,
    events: u32,
    window: Duration,
    freed: &[Freed],
) -> Result<u32, Full> {
    if usage.in_flight >= limits.simultaneous_calls {
        return Err(Full::Slots);
    }
    if let Some(limit) = limits.calls_per_minute {
        let used = Used { all: usage.calls, bulk: usage.bulk_calls, others_wait: usage.others_wait };
        let back = || freed.iter().map(|one| (one.after, 1));
        if room(limit, used, class, 1, window, back) == 0 {
            return Err(Full::Calls);
        }
    }
    let Some(limit) = limits.events_per_minute else { return Ok(events) };
    if events == 0 {
        return Ok(0);
    }
    let used = Used { all: usage.events, bulk: usage.bulk_events, others_wait: usage.others_wait };
    let back = || freed.iter().map(|one| (one.after, one.events));
    match room(limit, used, class, events, window, back) {
        0 => Err(Full::Events),
        // With time there will be room for the rest of it: small pieces would use up the calls.
        room if class.is_bulk()
            && !usage.others_wait
            && room < events.min(limit.saturating_sub(usage.events)) =>
        {
            Err(Full::Events)
        }
        room => Ok(events.min(room)),
    }
}

/// How soon bulk work that found no room may find some although no permit stops counting: the head room that it must
/// leave to live changes becomes smaller with time. `None` for live changes, which leave none.
pub fn pace(limits: &CallLimits, class: Class, events: u32, window: Duration) -> Option<Duration> {
    let calls = limits.calls_per_minute.map(|limit| window / limit.max(1));
    let events = limits.events_per_minute.map(|limit| window * events.max(1) / limit.max(1));
    let interval = calls.into_iter().chain(events).min()?;
    class.is_bulk().then(|| interval.max(window / 600))
}

/// Must the permits that stop counting soon be known to answer? They cost a look of their own.
pub fn asks_what_is_freed(limits: &CallLimits, usage: &Usage, class: Class, events: u32) -> bool {
    let scarce = |limit: Option<u32>, used: u32, wanted: u32| {
        limit.is_some_and(|limit| limit.saturating_sub(used) < share(limit).saturating_add(wanted))
    };
    class.is_bulk()
        && !usage.others_wait
        && (scarce(limits.calls_per_minute, usage.calls, 1)
            || scarce(limits.events_per_minute, usage.events, events))
}

/// A fifth of the limit, at least 1 where the limit has room for both sides.
fn share(limit: u32) -> u32 {
    if limit < 2 { 0 } else { (limit / 5).max(1) }
}

/// What is used of one limit.
#[derive(Debug, Clone, Copy)]
struct Used {
    all: u32,
    bulk: u32,
    others_wait: bool,
}

/// How much of `limit` is free for `class`, which wants `wanted`.
fn room<I: Iterator<Item = (Duration, u32)>>(
    limit: u32,
    used: Used,
    class: Class,
    wanted: u32,
    window: Duration,
    back: impl Fn() -> I,
) -> u32 {
    let free = limit.saturating_sub(used.all);
    let guaranteed = share(limit).saturating_sub(used.bulk);
    match class {
        Class::Live if used.others_wait => free.saturating_sub(guaranteed),
        Class::Live => free,
        Class::Bulk => {
            let beyond = if used.others_wait {
                free.saturating_sub(share(limit))
            } else {
                beyond_head_room(limit, free, wanted, window, back())
            };
            free.min(guaranteed.max(beyond))
        }
    }
}

/// How much bulk work may take so that live changes, coming evenly at the rate of the whole limit from now on until the
/// horizon, find room. Those that come until the first room is back may wait for it, as long as `wanted` takes at that
/// rate: without that much slack a budget that is used evenly would never be used up.
fn beyond_head_room(
    limit: u32,
    free: u32,
    wanted: u32,
    window: Duration,
    back: impl Iterator<Item = (Duration, u32)>,
) -> u32 {
    let horizon = horizon_of(limit, wanted, window);
    // what live changes may have taken until then, beyond those that may wait
    let due = |after: Duration| {
        let due = f64::from(limit) * after.as_secs_f64() / window.as_secs_f64();
        // what is due by rounding alone is not
        ((due - 1e-9).ceil() as u32).saturating_sub(wanted)
    };
    let (mut most, mut returned) = (free, 0_u32);
    for (after, rooms) in back.take_while(|(after, _)| *after <= horizon) {
        most = most.min(free.saturating_add(returned).saturating_sub(due(after)));
        returned = returned.saturating_add(rooms);
    }
    let kept = if returned > 0 { due(horizon) } else { share(limit) };
    most.min(free.saturating_add(returned).saturating_sub(kept))
}

/// How far ahead head room is kept: a fifth of the window, and at least until one call's worth would be due.
fn horizon_of(limit: u32, wanted: u32, window: Duration) -> Duration {
    (window / 5).max((window * wanted.max(1) / limit.max(1)).min(window))
}

/// The same over all limits: what stops counting until then must be known to [`admit`].
pub fn horizon(limits: &CallLimits, events: u32, window: Duration) -> Duration {
    let calls = limits.calls_per_minute.map(|limit| horizon_of(limit, 1, window));
    let events = limits.events_per_minute.map(|limit| horizon_of(limit, events, window));
    calls.into_iter().chain(events).max().unwrap_or_default()
}
