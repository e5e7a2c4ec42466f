//! The daily comparison (B11): when it is asked for, and asking for it.
//!
//! Asking makes every mailbox due in one transaction together with the record of the run, so that a successor
//! neither forgets nor repeats it. A run that was missed while nobody held the duty is made up; a schedule that has
//! never run has missed nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::daily::{self, DailyTimes};
use calendar::codes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::StoreError;
use store::lease::Fence;

use crate::config::{ComparisonOptions, Deps};

#[cfg(test)]
mod tests;

/// The name of the schedule in the store.
pub(crate) const NAME: &str = "comparison";
/// The longest sleep: the wall clock may be set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// The pause after the database could not be asked.
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be done about the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask for a comparison of all mailboxes.
    Ask(Why),
    /// It has never run, as far as the record is to be believed: record the present, so that its first run is the next one.
    Begin,
    /// Look again after this time.
    Sleep(Duration),
}

/// Why a comparison of all mailboxes is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The settings say so for each start.
    Start,
    /// Its time has come, or came while nobody held the duty.
    Time,
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Time => "schedule",
        }
    }
}

/// What is to be done at `now`, when the schedule last ran at `last_run`.
pub(crate) fn step(
    times: &DailyTimes,
    zone: &TimeZone,
    last_run: Option<Timestamp>,
    at_start: bool,
    now: Timestamp,
) -> Step {
    if at_start {
        return Step::Ask(Why::Start);
    }
    let Some(last_run) = daily::believed(last_run, now) else { return Step::Begin };
    if daily::missed(times, zone, Some(last_run), now) {
        return Step::Ask(Why::Time);
    }
    let left = daily::next_after(times, zone, now).duration_since(now);
    Step::Sleep(Duration::try_from(left).unwrap_or_default().min(base::pace::scaled(LOOK_AGAIN)))
}

/// Keeps the schedule for as long as the lease is held. `started` says whether the comparison of this start was
/// asked for already.
pub(crate) async fn keep(deps: Deps, options: ComparisonOptions, fence: Fence, started: &AtomicBool) {
    loop {
        match once(&deps, &options, &fence, started).await {
            Ok(sleep) => {
                tracing::debug!(succeeded = codes::success::SCHEDULE, "the schedule was looked at");
                tokio::time::sleep(sleep).await;
            }
            Err(StoreError::LeaseLost { .. }) => return,
            Err(error) => {
                tracing::error!(
                    event_id = codes::DAILY_TIMER_FAILED.id,
                    error = %telemetry::chain(&error),
                    "the schedule of the comparison could not be kept, it is tried again"
                );
                tokio::time::sleep(base::pace::scaled(AGAIN)).await;
            }
        }
    }
}

async fn once(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    started: &AtomicBool,
) -> Result<Duration, StoreError> {
    let store = deps.book.store();
    let last_run = store.last_run(NAME).await?;
    let at_start = options.compare_at_start && !started.load(Ordering::Acquire);
    let now = deps.clock.now();
    match step(&options.schedule, &options.zone, last_run, at_start, now) {
        Step::Sleep(left) => return Ok(left),
        Step::Begin => store.record_run(fence, NAME, now).await?,
        Step::Ask(why) => {
            let mailboxes = store.ask_for_scheduled_comparison(fence, NAME, now).await?;
            started.store(true, Ordering::Release);
            tracing::info!(
                event_id = codes::COMPARISON_BEGAN.id,
                mailboxes,
                why = why.word(),
                "a comparison with planner was asked for"
            );
        }
    }
    Ok(Duration::ZERO)
}
