//! What becomes of an answer of Planner: each mailbox is adopted or compared by itself, so that memory stays bounded and
//! one that the database does not take holds up no other.

use calendar::{MailAddress, codes};
use store::StoreError;
use store::adoption::{Adoption, DueAdoption};
use store::calls::CallStart;
use store::comparison::{Compared, Comparison, DueComparison, Fate};
use store::decisions::is_refusal;
use store::lease::Fence;
use tokio_util::sync::CancellationToken;

use crate::adoption::{self, Held};
use crate::config::{ComparisonOptions, Deps};
use crate::error::ComparisonError;
use crate::read::{self, Work};
use crate::whole;

/// Reads what Planner holds for these mailboxes and lets it take effect, mailbox by mailbox. Answers the mailboxes of which
/// the database did not take it, with why; they are put off.
#[tracing::instrument(name = "planner.compare", skip_all, fields(mailboxes = tracing::field::Empty))]
pub(crate) async fn perform(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    work: &Work,
    stop: &CancellationToken,
) -> Result<Vec<(MailAddress, ComparisonError)>, ComparisonError> {
    tracing::Span::current().record("mailboxes", work.mails().len());
    match work {
        Work::Adopt(due) => adopt(deps, options, fence, due, stop).await,
        Work::Compare(due) => compare(deps, options, fence, due, stop).await,
    }
}

async fn adopt(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    due: &[DueAdoption],
    stop: &CancellationToken,
) -> Result<Vec<(MailAddress, ComparisonError)>, ComparisonError> {
    let window = read::window(deps, options);
    let asked: Vec<MailAddress> = due.iter().map(|due| due.mail.clone()).collect();
    let range = adoption::range(due, &window);
    let (held, start) = ask(deps, options, fence, &asked, range, stop).await?;
    base::crash::point("comparison.adoption-fetched");
    let mut refused = Vec::new();
    for (mail, mut held) in held.by_mailbox {
        if base::sabotage::is_broken(base::sabotage::Safeguard::Adoption) {
            held.clear();
        }
        let adoption = Adoption {
            mail: mail.clone(),
            began: start.began,
            window: window.slot(),
            held: adoption::one_each(held),
            after_unknown_outcome: options.compare_after_unknown_outcome,
            now: deps.clock.now(),
        };
        match deps.book.store().adopt(fence, &adoption).await {
            Ok(Some(adopted)) => tracing::info!(
                mailbox = %adoption.mail,
                held = adoption.held.len(),
                corrected = adopted.corrected,
                learned = adopted.learned,
                opens_for_sending = adopted.first,
                "a mailbox was adopted"
            ),
            Ok(None) => {
                tracing::info!(mailbox = %adoption.mail, "a mailbox went out of use before it was adopted");
            }
            Err(error) => refused.push((mail, its_own(error)?)),
        }
        base::crash::point("comparison.adopted");
    }
    Ok(refused)
}

async fn compare(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    due: &[DueComparison],
    stop: &CancellationToken,
) -> Result<Vec<(MailAddress, ComparisonError)>, ComparisonError> {
    let (window, today) = (read::window(deps, options), read::today(deps, options));
    let asked: Vec<MailAddress> = due.iter().map(|due| due.mail.clone()).collect();
    let (from, to) = adoption::compared_range(due, &window);
    let (held, start) = ask(deps, options, fence, &asked, (from, to), stop).await?;
    base::crash::point("comparison.fetched");
    let mut refused = Vec::new();
    for (mail, held) in held.by_mailbox {
        let comparison = Comparison {
            mail: mail.clone(),
            began: start.began,
            window,
            from,
            read_since: today,
            held,
            guard: options.guard,
            after_unknown_outcome: options.compare_after_unknown_outcome,
            trace: telemetry::trace::current(),
            now: deps.clock.now(),
        };
        match deps.book.store().compare(fence, &comparison).await {
            Ok(Fate::Done(compared)) => report(&comparison, &compared),
            Ok(Fate::NotNow) => {
                tracing::info!(mailbox = %mail, "a mailbox cannot be compared now, it is to be adopted or read first");
            }
            Err(error) => refused.push((mail, its_own(error)?)),
        }
        base::crash::point("comparison.compared");
    }
    Ok(refused)
}

/// An error that comes from the data is the mailbox's own; any other ends the work.
fn its_own(error: StoreError) -> Result<ComparisonError, ComparisonError> {
    if is_refusal(&error) { Ok(ComparisonError::Refused(error)) } else { Err(ComparisonError::Store(error)) }
}

async fn ask(
    deps: &Deps,
    options: &ComparisonOptions,
    fence: &Fence,
    asked: &[MailAddress],
    range: (jiff::Timestamp, jiff::Timestamp),
    stop: &CancellationToken,
) -> Result<(Held, CallStart), ComparisonError> {
    let (answer, start) = whole::fetch(deps, options, fence, asked, range, stop).await?;
    let held = adoption::sort_out(asked, answer.events);
    if held.of_others > 0 {
        tracing::warn!(
            event_id = codes::ROWS_NOT_ASKED_FOR.id,
            rows = held.of_others,
            call_id = %start.id,
            "planner answered with appointments of mailboxes that were not asked for, they are not touched"
        );
    }
    if held.duplicates > 0 {
        tracing::debug!(rows = held.duplicates, "planner answered with rows that occur twice");
    }
    Ok((held, start))
}

fn report(comparison: &Comparison, compared: &Compared) {
    let Compared { created, updated, deleted, corrected, left, withheld } = compared;
    if let Some(withheld) = withheld {
        tracing::error!(
            event_id = codes::COMPARISON_WITHHELD.id,
            mailbox = %comparison.mail,
            run = withheld.run,
            deletions = withheld.keys,
            there = withheld.there,
            "planner holds many appointments that are not to be there, their deletions are withheld: look at them \
             with `kommuneklient withheld show`, then confirm or reject them"
        );
    }
    if created + updated + deleted > 0 {
        tracing::warn!(
            event_id = codes::COMPARISON_REPAIRED.id,
            mailbox = %comparison.mail,
            created,
            updated,
            deleted,
            "planner holds something else than was decided, the difference is sent"
        );
    }
    tracing::info!(
        mailbox = %comparison.mail,
        held = comparison.held.len(),
        created,
        updated,
        deleted,
        corrected,
        left = left.values().sum::<usize>(),
        "a mailbox was compared"
    );
}
