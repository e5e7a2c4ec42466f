//! One fetch, on the runtime: slot, permit, call, plan, record.

use std::time::Instant;

use calendar::codes;
use connector_planner::{Call, ResourcesAnswer};
use jiff::Timestamp;
use store::calls::{CallEnd, CallStart, Permit, ReadCall};
use store::lease::Fence;
use store::resource_list::requests::ListOutcome;
use store::resource_list::withheld::RunChange;
use tokio_util::sync::CancellationToken;

use crate::config::{Deps, ResourceListOptions};
use crate::error::ResourceListError;
use crate::refresh::{self, Reading, Summary};

/// The most entries of one answer that each get an event of their own; the others are counted.
const EVENTS_MAX: usize = 100;

/// What a fetch led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The list was brought up to Planner's.
    Refreshed(Summary),
    /// Planner returned no resources; the last good list stays (3202).
    Kept,
}

/// Fetches the list, applies it and records what came of it. When `stop` is cancelled, a call in flight is
/// given up (it changes nothing at Planner) and its end recorded.
///
/// # Errors
/// The list was not applied; an empty answer is an error only where there is no list to keep, one of which no entry can
/// be used always.
#[tracing::instrument(name = "planner.resources", skip_all)]
pub(crate) async fn fetch(
    deps: &Deps,
    options: &ResourceListOptions,
    fence: &Fence,
    stop: &CancellationToken,
) -> Result<Fetched, ResourceListError> {
    let at = deps.clock.now();
    let slot = tokio::select! {
        slot = deps.book.slot() => slot,
        () = stop.cancelled() => return Err(ResourceListError::Stopped),
    };
    let (start, began) = permit(deps, options, fence, stop).await?;
    base::crash::point("resource-list.permitted");
    let answer = call(deps, options, &start, began, stop).await;
    drop(slot);
    base::crash::point("resource-list.fetched");
    let fetch = Fetch { deps, fence, began: start.began, at };
    let applied = match answer {
        Ok(answer) => fetch.apply(refresh::read(answer)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &applied
        && !matches!(error, ResourceListError::Stopped)
    {
        let text = telemetry::chain(error).to_string();
        fetch.record(&fetch.outcome(false, format!("failed, it is tried again: {text}"))).await;
    }
    applied
}

/// A fetch that was answered, or not.
struct Fetch<'a> {
    deps: &'a Deps,
    fence: &'a Fence,
    /// When the call began, by the database's clock.
    began: Timestamp,
    /// When it began, by ours.
    at: Timestamp,
}

impl Fetch<'_> {
    async fn apply(&self, reading: Reading) -> Result<Fetched, ResourceListError> {
        let store = self.deps.book.store();
        if reading.usable.is_empty() {
            report_entries(&reading);
            if let Some(reason) = reading.first_skipped() {
                return Err(ResourceListError::Unusable {
                    entries: reading.entries,
                    reason: reason.to_owned(),
                });
            }
            if !store.has_resource_list().await.map_err(ResourceListError::Store)? {
                return Err(ResourceListError::Empty);
            }
            tracing::warn!(
                event_id = codes::RESOURCE_LIST_EMPTY.id,
                "planner returned no resources, the last good list stays"
            );
            self.record(&self.outcome(true, "planner returned no resources, the last good list stays")).await;
            return Ok(Fetched::Kept);
        }
        let now = self.deps.clock.now();
        let refreshed = store
            .refresh_resources(
                self.fence,
                now,
                |known| refresh::plan(&reading, known),
                |summary| self.outcome(true, in_words(&reading, summary)),
            )
            .await
            .map_err(ResourceListError::Store)?;
        base::crash::point("resource-list.refreshed");
        report_entries(&reading);
        if reading.is_clean() {
            tracing::debug!(
                succeeded = codes::success::RESOURCE_ENTRIES,
                "every entry of the resource list can be used"
            );
        }
        report(&reading, &refreshed.summary, refreshed.run);
        Ok(Fetched::Refreshed(refreshed.summary))
    }

    fn outcome(&self, answered: bool, text: impl Into<String>) -> ListOutcome {
        ListOutcome { began: self.began, at: self.at, answered, text: text.into() }
    }

    /// Only tells operators how it went: an outcome that cannot be recorded costs one more fetch.
    async fn record(&self, outcome: &ListOutcome) {
        if let Err(error) = self.deps.book.store().record_list_outcome(self.fence, outcome).await {
            tracing::warn!(
                error = %telemetry::chain(&error),
                "what a fetch of the resource list came to could not be recorded"
            );
        }
    }
}

fn in_words(reading: &Reading, summary: &Summary) -> String {
    let Summary { added, revived, dropped, withheld, .. } = summary;
    let mut text = format!(
        "{} listed: {added} new, {revived} used again, {dropped} not used any more",
        reading.usable.len()
    );
    let twice = match reading.duplicates.len() {
        1 => "address listed twice, skipped",
        _ => "addresses listed twice, skipped",
    };
    for (count, words) in [
        (*withheld, "missing, withheld"),
        (reading.duplicates.len(), twice),
        (reading.invalid.len(), "without a usable address, skipped"),
        (reading.unreadable.len(), "that cannot be read, skipped"),
        (reading.left_out.len(), "of which a part cannot be read, used without it"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {words}"));
        }
    }
    text
}

async fn call(
    deps: &Deps,
    options: &ResourceListOptions,
    start: &CallStart,
    began: Instant,
    stop: &CancellationToken,
) -> Result<ResourcesAnswer, ResourceListError> {
    let call =
        Call { id: start.id, deadline: began + options.call_timeout, trace: telemetry::trace::current() };
    let answer = tokio::select! {
        answer = deps.planner.resources(&call) => answer.map_err(ResourceListError::Fetch),
        () = stop.cancelled() => Err(ResourceListError::Stopped),
    };
    if let Err(error) = deps.book.end(start.id, &end_of(&answer)).await {
        // The log entry stays open and counts in the budget until its deadline: that costs, and loses nothing.
        tracing::warn!(error = %telemetry::chain(&error), "the end of a call to planner could not be recorded");
    }
    answer
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

/// One event for each entry that cannot be used, up to a limit.
fn report_entries(reading: &Reading) {
    for mail in reading.duplicates.iter().take(EVENTS_MAX) {
        tracing::warn!(
            event_id = codes::RESOURCE_ADDRESS_TWICE.id,
            mailbox = %mail,
            "an address occurs more than once in the resource list, its entries are skipped"
        );
    }
    for entry in reading.skipped().take(EVENTS_MAX) {
        tracing::warn!(
            event_id = codes::RESOURCE_ADDRESS_INVALID.id,
            position = entry.position,
            reason = entry.reason,
            "an entry of the resource list cannot be used and is skipped"
        );
    }
    for part in reading.left_out.iter().take(EVENTS_MAX) {
        tracing::warn!(
            event_id = codes::RESOURCE_ADDRESS_INVALID.id,
            position = part.position,
            reason = %part.error,
            "a part of an entry of the resource list cannot be read and is left out, the rest of the entry is used"
        );
    }
    let more = |count: usize| count.saturating_sub(EVENTS_MAX);
    for (code, more) in [
        (codes::RESOURCE_ADDRESS_TWICE, more(reading.duplicates.len())),
        (codes::RESOURCE_ADDRESS_INVALID, more(reading.skipped().count())),
    ] {
        if more > 0 {
            tracing::warn!(event_id = code.id, more, "further entries of the resource list are skipped");
        }
    }
    if more(reading.left_out.len()) > 0 {
        tracing::warn!(
            event_id = codes::RESOURCE_ADDRESS_INVALID.id,
            more = more(reading.left_out.len()),
            "a part is left out of further entries of the resource list"
        );
    }
}

fn report(reading: &Reading, summary: &Summary, run: RunChange) {
    if let RunChange::Cancelled(run) | RunChange::Replaced { old: run, .. } = run {
        tracing::info!(
            event_id = codes::RESOURCE_DROP_CANCELLED.id,
            run,
            "the withheld drops are void, a later list lacks few or others"
        );
    }
    match run {
        RunChange::None | RunChange::Cancelled(_) => {}
        RunChange::Opened(run) | RunChange::Kept(run) | RunChange::Replaced { new: run, .. } => {
            tracing::error!(
                event_id = codes::RESOURCE_DROP_WITHHELD.id,
                run,
                missing = summary.withheld,
                in_use = summary.in_use_before,
                unsure = summary.unsure,
                "resources are missing in the answer of planner, too many or (unsure) while an entry that names nobody may be one of them, none is dropped until an operator confirms: kommuneklient withheld show L<run>, then confirm or reject"
            );
        }
    }
    tracing::info!(
        added = summary.added,
        revived = summary.revived,
        dropped = summary.dropped,
        listed = reading.usable.len(),
        "the resource list is up to date"
    );
}

#[cfg(test)]
mod tests {
    use calendar::MailAddress;

    use super::*;

    /// Regression: there was "1 addresses listed twice".
    #[test]
    fn one_address_that_is_listed_twice_is_one() {
        let told = |duplicates: &[&str]| {
            let duplicates = duplicates.iter().map(|mail| MailAddress::parse(mail).unwrap()).collect();
            in_words(&Reading { duplicates, ..Reading::default() }, &Summary::default())
        };
        assert!(told(&["a@x.dk"]).ends_with(", 1 address listed twice, skipped"), "{}", told(&["a@x.dk"]));
        assert!(told(&["a@x.dk", "b@x.dk"]).ends_with(", 2 addresses listed twice, skipped"));
    }
}
