//! Looking for mailboxes that are due, and one call for some of them, on the runtime.

use std::time::{Duration, Instant};

use calendar::MailAddress;
use calendar::window::Window;
use connector_planner::{Call, EventsAnswer};
use jiff::Timestamp;
use store::adoption::{Adoption, DueAdoption};
use store::calls::{CallEnd, CallStart, Permit, ReadCall};
use store::lease::Fence;
use tokio_util::sync::CancellationToken;

use crate::adoption::{self, Held};
use crate::config::{ComparisonOptions, Deps};
use crate::error::ComparisonError;

/// The shortest wait for a mailbox that becomes due.
const SOON: Duration = Duration::from_millis(100);

/// What a look found.
#[derive(Debug)]
pub(crate) enum Due {
    /// These are due.
    Now(Vec<DueAdoption>),
    /// None is; the next will be after this time.
    Later(Option<Duration>),
}

/// Looks for up to `limit` mailboxes that are due and not in `busy`.
pub(crate) async fn look(
    deps: &Deps,
    options: &ComparisonOptions,
    limit: usize,
    busy: &[MailAddress],
) -> Result<Due, ComparisonError> {
    let window = window(deps, options).slot();
    let store = deps.book.store();
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let due = store.adoptions_due(limit, busy, window).await.map_err(ComparisonError::Look)?;
    if !due.is_empty() {
        return Ok(Due::Now(due));
    }
    let next = store.next_adoption().await.map_err(ComparisonError::Look)?;
    Ok(Due::Later(match next {
        // what is due and busy ends with a message of its own
        Some(Duration::ZERO) if !busy.is_empty() => None,
        // it became due a moment ago
        next => next.map(|next| next.max(SOON)),
    }))
}

fn window(deps: &Deps, options: &ComparisonOptions) -> Window {
    Window::at(deps.clock.now(), &options.zone, options.months)
}

/// Reads what Planner holds for these mailboxes and takes it over, mailbox by mailbox. When `stop` is
/// cancelled, a call in flight is given up (it changes nothing at Planner) and its end recorded.
#[tracing::instrument(name = "planner.adopt", skip_all, fields(mailboxes = due.len()))]
pub(crate) async fn adopt(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    due: &[DueAdoption],
    stop: &CancellationToken,
) -> Result<(), ComparisonError> {
    let window = window(deps, options);
    let asked: Vec<MailAddress> = due.iter().map(|due| due.mail.clone()).collect();
    let range = adoption::range(due, &window);
    let (answer, start) = fetch(deps, options, fence, &asked, range, stop).await?;
    let held = adoption::sort_out(&asked, answer.events);
    report(&held);
    for (mail, held) in held.by_mailbox {
        let adoption = Adoption {
            mail,
            began: start.began,
            window: window.slot(),
            held,
            after_unknown_outcome: options.adopt_after_unknown_outcome,
            now: deps.clock.now(),
        };
        let adopted = deps.book.store().adopt(fence, &adoption).await.map_err(ComparisonError::Store)?;
        match adopted {
            Some(adopted) => tracing::info!(
                mailbox = %adoption.mail,
                held = adoption.held.len(),
                corrected = adopted.corrected,
                learned = adopted.learned,
                first = adopted.first,
                "a mailbox was adopted"
            ),
            None => {
                tracing::info!(mailbox = %adoption.mail, "a mailbox went out of use before it was adopted");
            }
        }
    }
    Ok(())
}

async fn fetch(
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
    let call =
        Call { id: start.id, deadline: began + options.call_timeout, trace: telemetry::trace::current() };
    let answer = tokio::select! {
        answer = deps.planner.events(&call, asked, from, to) => answer.map_err(ComparisonError::Fetch),
        () = stop.cancelled() => Err(ComparisonError::Stopped),
    };
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

fn report(held: &Held) {
    if held.of_others > 0 || held.duplicates > 0 {
        tracing::warn!(
            of_others = held.of_others,
            duplicates = held.duplicates,
            "planner answered with rows that were not asked for or occur twice, they are passed over"
        );
    }
}
