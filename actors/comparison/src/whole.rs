//! What Planner holds for mailboxes, whole: a question whose answer is too large is asked in parts.
//!
//! Planner filters by the start, so the time that is asked about can be cut in two as often as it takes. Parts overlap
//! in one instant, and rows that come twice count once, so nothing falls between them. Only a question about a single
//! mailbox is cut; several are asked for one by one first (`policy`).
//!
//! Failure: the number of calls, the rows that are kept and the shortest part are bounded; beyond that the mailbox is
//! given up for a while and told as [`ComparisonError::TooMuch`]. When a part fails otherwise the whole fails as that.
//! Everything is dated by the first call that was answered: what was sent since is left alone, in the later parts too.

use std::collections::VecDeque;
use std::time::Duration;

use calendar::MailAddress;
use connector_planner::{EventsAnswer, PlannerError};
use jiff::Timestamp;
use store::calls::CallStart;
use store::lease::Fence;
use tokio_util::sync::CancellationToken;

use crate::config::{ComparisonOptions, Deps};
use crate::error::ComparisonError;
use crate::read;

#[cfg(test)]
mod tests;

/// Most calls for one mailbox.
const CALLS_MAX: usize = 100;
/// Most rows that are kept for one mailbox; some 25 MB.
const ROWS_MAX: usize = 50_000;
/// The shortest part.
const PART_MIN: Duration = Duration::from_secs(15 * 60);

/// The parts that are still to be asked for. Pure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    left: VecDeque<(Timestamp, Timestamp)>,
    calls: usize,
}

impl Parts {
    fn of(range: (Timestamp, Timestamp)) -> Self {
        Self { left: [range].into(), calls: 0 }
    }

    /// The next part, as long as there may be calls.
    fn next(&mut self) -> Option<(Timestamp, Timestamp)> {
        let part = self.left.pop_front()?;
        self.calls += 1;
        Some(part)
    }

    /// The answer about this part was too large. Answers whether its halves are asked for instead.
    fn halve(&mut self, (from, to): (Timestamp, Timestamp)) -> bool {
        let length = to.as_second().saturating_sub(from.as_second());
        let shortest = i64::try_from(PART_MIN.as_secs()).unwrap_or(i64::MAX);
        let Ok(middle) = Timestamp::from_second(from.as_second().saturating_add(length / 2)) else {
            return false;
        };
        if length < 2 * shortest || self.calls + self.left.len() + 2 > CALLS_MAX {
            return false;
        }
        self.left.push_front((middle, to));
        self.left.push_front((from, middle));
        true
    }
}

/// Asks Planner what it holds for these mailboxes of what starts between the two instants, in as many calls as that
/// takes. Answers also the first call that was answered.
pub(crate) async fn fetch(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    asked: &[MailAddress],
    range: (Timestamp, Timestamp),
    stop: &CancellationToken,
) -> Result<(EventsAnswer, CallStart), ComparisonError> {
    let mut parts = Parts::of(range);
    let mut whole: Option<(EventsAnswer, CallStart)> = None;
    while let Some(part) = parts.next() {
        let (answer, start) = match (read::fetch(deps, options, fence, asked, part, stop).await, asked) {
            (Ok(answered), _) => answered,
            (Err(ComparisonError::Fetch(PlannerError::TooLarge { .. })), [_]) if parts.halve(part) => {
                continue;
            }
            (Err(error), [mail]) => return Err(error.of_one(mail)),
            (Err(error), _) => return Err(error),
        };
        match &mut whole {
            None => whole = Some((answer, start)),
            Some((whole, _)) => whole.events.extend(answer.events),
        }
        if let (Some((whole, _)), [mail]) = (&whole, asked)
            && whole.events.len() > ROWS_MAX
        {
            return Err(ComparisonError::TooMuch { mail: mail.clone(), source: None });
        }
    }
    if parts.calls > 1 {
        tracing::info!(calls = parts.calls, "what planner holds for a mailbox came in parts");
    }
    Ok(whole.expect("there is a first part, and it was answered"))
}
