//! Looking for mailboxes that are due, and one GetEvents call for some of them, on the runtime.

use std::time::{Duration, Instant};

use calendar::MailAddress;
use calendar::window::Window;
use connector_planner::{Call, EventsAnswer};
use jiff::Timestamp;
use store::adoption::DueAdoption;
use store::calls::{CallEnd, CallStart, Permit, ReadCall};
use store::comparison::{DueComparison, Unread};
use store::lease::Fence;
use tokio_util::sync::CancellationToken;

use crate::config::{ComparisonOptions, Deps};
use crate::error::ComparisonError;

/// The shortest wait for a mailbox that becomes due.
const SOON: Duration = Duration::from_millis(100);
/// How soon to look again while mailboxes wait for being read in full.
const READ_SOON: Duration = Duration::from_secs(1);

/// Mailboxes for one call.
#[derive(Debug)]
pub(crate) enum Work {
    /// To be adopted (B9).
    Adopt(Vec<DueAdoption>),
    /// To be compared (B11).
    Compare(Vec<DueComparison>),
}

impl Work {
    /// Whose mailboxes these are.
    pub(crate) fn mails(&self) -> Vec<MailAddress> {
        match self {
            Self::Adopt(due) => due.iter().map(|due| due.mail.clone()).collect(),
            Self::Compare(due) => due.iter().map(|due| due.mail.clone()).collect(),
        }
    }
}

/// What a look found.
#[derive(Debug)]
pub(crate) enum Due {
    /// These are due.
    Now(Work),
    /// None is.
    Later {
        /// The next will be after this time.
        next: Option<Duration>,
        /// So many are due and wait for being read in full.
        unread: Unread,
    },
}

/// Looks for up to `limit` mailboxes that are due and not in `busy`. Adoptions go first: nothing is sent for these
/// mailboxes until then. Mailboxes that are due for comparison and were not read in full today are asked to be read,
/// once none is left that can be compared.
pub(crate) async fn look(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    limit: usize,
    busy: &[MailAddress],
) -> Result<Due, ComparisonError> {
    let (window, today) = (window(deps, options), today(deps, options));
    let store = deps.book.store();
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let due = store.adoptions_due(limit, busy, window.slot()).await.map_err(ComparisonError::Look)?;
    if !due.is_empty() {
        return Ok(Due::Now(Work::Adopt(due)));
    }
    let due =
        store.comparisons_due(limit, busy, window.slot(), today).await.map_err(ComparisonError::Look)?;
    if !due.is_empty() {
        return Ok(Due::Now(Work::Compare(due)));
    }
    let now = deps.clock.now();
    let unread = store.read_before_comparison(fence, today, now).await.map_err(ComparisonError::Look)?;
    let adoption = store.next_adoption().await.map_err(ComparisonError::Look)?;
    let comparison = store.next_comparison(today).await.map_err(ComparisonError::Look)?;
    let waiting = (unread.waiting > 0).then_some(base::pace::scaled(READ_SOON));
    let next = [adoption, comparison, waiting].into_iter().flatten().min();
    let next = match next {
        // what is due and busy ends with a message of its own
        Some(Duration::ZERO) if !busy.is_empty() => waiting,
        // it became due a moment ago
        next => next.map(|next| next.max(SOON)),
    };
    Ok(Due::Later { next, unread })
}

/// The window now.
pub(crate) fn window(deps: &Deps, options: &ComparisonOptions) -> Window {
    Window::at(deps.clock.now(), &options.zone, options.months)
}

/// The beginning of the day in the configured zone: a mailbox that was not read in full since then is read first.
pub(crate) fn today(deps: &Deps, options: &ComparisonOptions) -> Timestamp {
    let now = deps.clock.now().to_zoned(options.zone.clone());
    // It only fails at the very ends of the calendar.
    now.start_of_day().map_or(Timestamp::MIN, |start| start.timestamp())
}

/// Asks Planner what it holds for these mailboxes of what starts between the two instants. When `stop` is cancelled, a
/// call in flight is given up (it changes nothing at Planner) and its end recorded.
pub(crate) async fn fetch(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    asked: &[MailAddress],
    (from, to): (Timestamp, Timestamp),
    stop: &CancellationToken,
) -> Result<(EventsAnswer, CallStart), ComparisonError> {
    let slot = tokio::select! {
        slot = deps.book.slot() => slot,
        () = stop.cancelled() => return Err(ComparisonError::Stopped),
    };
    let (start, began) = permit(deps, options, fence, asked, stop).await?;
    base::crash::point("comparison.permitted");
    let call =
        Call { id: start.id, deadline: began + options.call_timeout, trace: telemetry::trace::current() };
    let answer = tokio::select! {
        answer = deps.planner.events(&call, asked, from, to) => answer.map_err(ComparisonError::Fetch),
        () = stop.cancelled() => Err(ComparisonError::Stopped),
    };
    base::crash::point("comparison.answered");
    let recorded = deps.book.end(start.id, &end_of(&answer)).await;
    drop(slot);
    if let Err(error) = recorded {
        // The log entry stays open and counts in the budget until its deadline: that costs, and loses nothing.
        tracing::warn!(error = %telemetry::chain(&error), "the end of a call to planner could not be recorded");
    }
    Ok((answer?, start))
}

/// Waits for a permit. Answers also when the time of the call began: before the permit was recorded, so
/// that a paused process sends nothing late.
async fn permit(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    asked: &[MailAddress],
    stop: &CancellationToken,
) -> Result<(CallStart, Instant), ComparisonError> {
    let call = ReadCall {
        operation: "GetEvents",
        mail: match asked {
            [mail] => Some(mail),
            _ => None,
        },
        mailboxes: u32::try_from(asked.len()).unwrap_or(u32::MAX),
        lifetime: options.call_timeout,
    };
    loop {
        let began = deps.clock.monotonic();
        match deps.book.begin(fence, &call).await.map_err(ComparisonError::Store)? {
            Permit::Granted(start) => return Ok((start, began)),
            Permit::Wait(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return Err(ComparisonError::Stopped),
            },
        }
    }
}

fn end_of(answer: &Result<EventsAnswer, ComparisonError>) -> CallEnd {
    match answer {
        Ok(answer) => CallEnd { success: true, planner_call_id: Some(answer.call_id), ..CallEnd::default() },
        Err(error) => CallEnd {
            success: false,
            event_id: (!matches!(error, ComparisonError::Stopped)).then_some(error.event().id),
            text: Some(telemetry::chain(error).to_string()),
            planner_call_id: None,
        },
    }
}
