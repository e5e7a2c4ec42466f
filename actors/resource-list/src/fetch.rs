//! One fetch, on the runtime: slot, permit, call, plan, record.

use calendar::codes;
use connector_planner::{Call, PlannerError, ResourcesAnswer};
use store::StoreError;
use store::calls::{CallEnd, CallStart, Permit, ReadCall};
use store::lease::Fence;

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

/// Fetches the list and applies it.
///
/// # Errors
/// The list was not applied; an empty answer is an error only where there is no list to keep.
#[tracing::instrument(name = "planner.resources", skip_all)]
pub(crate) async fn fetch(
    deps: &Deps,
    options: &ResourceListOptions,
    fence: &Fence,
) -> Result<Fetched, ResourceListError> {
    let reading = read(deps, options, fence).await?;
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

async fn read(deps: &Deps, options: &ResourceListOptions, fence: &Fence) -> Result<Reading, ResourceListError> {
    let slot = deps.book.slot().await;
    // The time of the call begins before its permit is recorded, so that a paused process sends nothing late.
    let (start, began) = permit(deps, options, fence).await.map_err(ResourceListError::Store)?;
    let call =
        Call { id: start.id, deadline: began + options.call_timeout, trace: telemetry::trace::current() };
    let answer = deps.planner.resources(&call).await;
    let recorded = deps.book.end(start.id, &end_of(&answer)).await;
    drop(slot);
    if let Err(error) = recorded {
        // The log entry stays open and counts in the budget until its deadline: that costs, and loses nothing.
        tracing::warn!(error = %telemetry::chain(&error), "the end of a call to planner could not be recorded");
    }
    Ok(refresh::read(answer.map_err(ResourceListError::Fetch)?.resources))
}

async fn permit(
    deps: &Deps,
    options: &ResourceListOptions,
    fence: &Fence,
) -> Result<(CallStart, std::time::Instant), StoreError> {
    let call = ReadCall { operation: "GetResources", mail: None, mailboxes: 0, lifetime: options.call_timeout };
    loop {
        let began = deps.clock.monotonic();
        match deps.book.begin(fence, &call).await? {
            Permit::Granted(start) => return Ok((start, began)),
            Permit::Wait(wait) => tokio::time::sleep(wait).await,
        }
    }
}

fn end_of(answer: &Result<ResourcesAnswer, PlannerError>) -> CallEnd {
    match answer {
        Ok(answer) => CallEnd { success: true, planner_call_id: Some(answer.call_id), ..CallEnd::default() },
        Err(error) => CallEnd {
            success: false,
            event_id: Some(error.event().id),
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
