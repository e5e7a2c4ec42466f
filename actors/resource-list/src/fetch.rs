//! One fetch, on the runtime: slot, permit, call, plan, record.

use std::time::Instant;

use calendar::codes;
use connector_planner::{Call, ResourcesAnswer};
use store::calls::{CallEnd, CallStart, Permit, ReadCall};
use store::lease::Fence;
use tokio_util::sync::CancellationToken;

use crate::config::{Deps, ResourceListOptions};
use crate::error::ResourceListError;
use crate::refresh::{self, Reading, Summary};

/// What a fetch led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The list was brought up to Planner's.
    Refreshed(Summary),
    /// Planner returned no usable resource; the last good list stays (3202).
    Kept,
}

/// Fetches the list and applies it. When `stop` is cancelled, a call in flight is given up (it changes
/// nothing at Planner) and its end recorded.
///
/// # Errors
/// The list was not applied; an empty answer is an error only where there is no list to keep.
#[tracing::instrument(name = "planner.resources", skip_all)]
pub(crate) async fn fetch(
    deps: &Deps,
    options: &ResourceListOptions,
    fence: &Fence,
    stop: &CancellationToken,
) -> Result<Fetched, ResourceListError> {
    let reading = read(deps, options, fence, stop).await?;
    if reading.usable.is_empty() {
        if deps.book.store().has_resource_list().await.map_err(ResourceListError::Store)? {
            tracing::warn!(
                event_id = codes::RESOURCE_LIST_EMPTY.id,
                "planner returned no resources, the last good list stays"
            );
            return Ok(Fetched::Kept);
        }
        return Err(ResourceListError::Empty);
    }
    let summary = deps
        .book
        .store()
        .refresh_resources(fence, deps.clock.now(), |known| refresh::plan(&reading, known))
        .await
        .map_err(ResourceListError::Store)?;
    report(&reading, &summary);
    Ok(Fetched::Refreshed(summary))
}

async fn read(
    deps: &Deps,
    options: &ResourceListOptions,
    fence: &Fence,
    stop: &CancellationToken,
) -> Result<Reading, ResourceListError> {
    let slot = tokio::select! {
        slot = deps.book.slot() => slot,
        () = stop.cancelled() => return Err(ResourceListError::Stopped),
    };
    let (start, began) = permit(deps, options, fence, stop).await?;
    let call =
        Call { id: start.id, deadline: began + options.call_timeout, trace: telemetry::trace::current() };
    let answer = tokio::select! {
        answer = deps.planner.resources(&call) => answer.map_err(ResourceListError::Fetch),
        () = stop.cancelled() => Err(ResourceListError::Stopped),
    };
    let recorded = deps.book.end(start.id, &end_of(&answer)).await;
    drop(slot);
    if let Err(error) = recorded {
        // The log entry stays open and counts in the budget until its deadline: that costs, and loses nothing.
        tracing::warn!(error = %telemetry::chain(&error), "the end of a call to planner could not be recorded");
    }
    Ok(refresh::read(answer?.resources))
}

/// Waits for a permit. Answers also when the time of the call began: before the permit was recorded, so
/// that a paused process sends nothing late.
async fn permit(
    deps: &Deps,
    options: &ResourceListOptions,
    fence: &Fence,
    stop: &CancellationToken,
) -> Result<(CallStart, Instant), ResourceListError> {
    let call =
        ReadCall { operation: "GetResources", mail: None, mailboxes: 0, lifetime: options.call_timeout };
    loop {
        let began = deps.clock.monotonic();
        match deps.book.begin(fence, &call).await.map_err(ResourceListError::Store)? {
            Permit::Granted(start) => return Ok((start, began)),
            Permit::Wait(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return Err(ResourceListError::Stopped),
            },
        }
    }
}

fn end_of(answer: &Result<ResourcesAnswer, ResourceListError>) -> CallEnd {
    match answer {
        Ok(answer) => CallEnd { success: true, planner_call_id: Some(answer.call_id), ..CallEnd::default() },
        Err(error) => CallEnd {
            success: false,
            event_id: (!matches!(error, ResourceListError::Stopped)).then_some(error.event().id),
            text: Some(telemetry::chain(error).to_string()),
            planner_call_id: None,
        },
    }
}

fn report(reading: &Reading, summary: &Summary) {
    for mail in &reading.duplicates {
        tracing::warn!(
            event_id = codes::RESOURCE_ADDRESS_TWICE.id,
            mailbox = %mail,
            "an address occurs more than once in the resource list, its entries are skipped"
        );
    }
    if reading.invalid > 0 {
        tracing::warn!(
            event_id = codes::RESOURCE_ADDRESS_INVALID.id,
            entries = reading.invalid,
            "entries of the resource list have no usable mail address and are skipped"
        );
    }
    if summary.withheld > 0 {
        tracing::error!(
            event_id = codes::RESOURCE_DROP_WITHHELD.id,
            missing = summary.withheld,
            in_use = summary.in_use_before,
            "too many resources are missing in the answer of planner, none is dropped"
        );
    }
    tracing::info!(
        added = summary.added,
        revived = summary.revived,
        dropped = summary.dropped,
        listed = reading.usable.len(),
        "the resource list is up to date"
    );
}
