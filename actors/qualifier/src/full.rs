//! Reading a mailbox in full (B8): everything that overlaps the window, decided about as a whole, and what
//! is known, overlaps it and was not found inferred to be absent.
//!
//! A mailbox that answers with an error is never read as empty: nothing happens then but that the reading is
//! tried again, with growing pauses and without end, since nothing is sent for a new mailbox before. A key that cannot be stored is left out, with an event, and the others are stored.

use std::collections::{BTreeMap, BTreeSet};

use base::TraceContext;
use calendar::reconcile::{Covered, Decision, Reason, Reconciled, Scene, also_to_read, reconcile};
use calendar::source::Reading;
use calendar::{Appointment, ItemId, Known, SourceError, Uid, codes};
use jiff::Timestamp;
use store::decisions::{Applied, Effect, KeyQuery, is_refusal};
use store::notification_queue::{Claimed, Finished};
use tracing::Instrument;

use crate::error::QualifierError;
use crate::plan::{self, Readings, Tally};
use crate::reader::Reader;
use crate::schedule::FullBatch;
use crate::work::{CONFLICTS_MAX, CONTENDED, Failure, Office, Report, continue_traces, traces};

/// Handles the full reads that were asked for: one serves them all.
pub async fn handle(office: &Office, batch: &FullBatch) -> Result<Report, QualifierError> {
    let mut report = Report::default();
    let notifications = &batch.notifications;
    let Some(mailbox) = office.mailbox(&batch.mail, notifications.iter(), &mut report).await? else {
        return Ok(report);
    };
    let span = tracing::info_span!(
        parent: None,
        "qualifier.decide",
        mailbox = %batch.mail,
        notifications = notifications.len(),
        full_read = true,
        outcome = tracing::field::Empty,
    );
    continue_traces(&span, &traces(notifications.iter()));
    let reader = office.reader(&mailbox, batch.failures);
    for _ in 0..CONFLICTS_MAX {
        let done = once(office, &reader, notifications).instrument(span.clone()).await?;
        if let Some(done) = done {
            report.add(done);
            return Ok(report);
        }
    }
    let failure = |notification| Failure { notification, error: CONTENDED.to_owned(), own: true };
    office.fail(&batch.mail, notifications.iter().map(failure).collect()).await
}

struct Facts {
    began: Timestamp,
    covered: Covered,
    readings: Readings,
    found: Vec<Appointment>,
    known: Vec<Known>,
}

async fn once(
    office: &Office,
    reader: &Reader<'_>,
    notifications: &[Claimed],
) -> Result<Option<Report>, QualifierError> {
    let mailbox = reader.mailbox;
    let facts = match gather(office, reader).await? {
        Ok(facts) => facts,
        Err(error) => {
            tracing::Span::current().record("outcome", "failed");
            // Never set aside: without a full reading nothing is ever sent for a mailbox that is new.
            let failures =
                Failure::of_reading(notifications, &error).map(|one| Failure { own: false, ..one });
            return office.fail(&mailbox.address, failures.collect()).await.map(Some);
        }
    };
    let now = office.now();
    let gone = plan::gone_of(&facts.readings, &facts.found);
    let Reconciled { decisions, unrepresentable } = reconcile(&Scene {
        now,
        policy: &office.options.policy,
        known: &facts.known,
        found: &facts.found,
        gone: &gone,
        covered: Some(facts.covered),
    });
    if !unrepresentable.is_empty() {
        tracing::error!(
            event_id = codes::ITEM_NOT_REPRESENTABLE.id,
            mailbox = %mailbox.address,
            items = unrepresentable.len(),
            "appointments have identifiers that cannot be stored or sent"
        );
    }
    let mut effect = office.effect(&mailbox.address, facts.began, now);
    effect.bulk = true;
    effect.full_read = true;
    let uids: BTreeSet<Uid> = facts.found.iter().filter_map(|item| item.uid.clone()).collect();
    let uids: Vec<Uid> = uids.into_iter().collect();
    let series = office.services.store.series(&mailbox.address, &[], &uids).await?;
    let news = plan::series_news(&facts.readings, &facts.found, &series);
    office.learn_series(reader, news, &mut effect).await?;
    let tally = Tally::of(decisions.iter());
    let text = format!(
        "found {}, created {}, updated {}, deleted {}",
        facts.found.len(),
        tally.created,
        tally.updated,
        tally.deleted
    );
    let finished = |one: &Claimed| Finished { id: one.id, outcome: "full read", text: Some(text.clone()) };
    effect.finished = notifications.iter().map(finished).collect();
    let trace = telemetry::trace::current();
    effect.decisions = decisions.into_iter().map(|decision| (decision, trace.clone())).collect();
    tracing::Span::current().record("outcome", &*text);
    let applied = match office.services.store.apply(&office.fence, &effect).await {
        Err(error) if is_refusal(&error) => one_by_one(office, effect).await?,
        other => other?,
    };
    match applied {
        Applied::Conflict => Ok(None),
        Applied::Done(_) => Ok(Some(Report { finished: notifications.len(), ..Report::default() })),
    }
}

/// Reads the window and what else it takes; the inner error says that something in it cannot be read.
async fn gather(office: &Office, reader: &Reader<'_>) -> Result<Result<Facts, SourceError>, QualifierError> {
    let store = &office.services.store;
    let policy = &office.options.policy;
    let mail = &reader.mailbox.address;
    let began = office.now();
    let window = policy.window(began);
    let found = match reader.window(window.slot()).await.map_err(QualifierError::Source)? {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(
                event_id = codes::FULL_READ_SKIPPED.id,
                mailbox = %mail,
                code = error.code,
                error = %telemetry::chain(&error),
                "a mailbox could not be read in full"
            );
            return Ok(Err(error));
        }
    };
    let mut known: BTreeMap<_, Known> = BTreeMap::new();
    let overlapping = store.keys_overlapping(mail, window.slot()).await?;
    let query = KeyQuery {
        uids: found.iter().filter_map(|item| item.uid.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        origin_ids: plan::names_of(&found, policy),
        item_ids: found.iter().map(|item| item.item_id.clone()).collect(),
    };
    let named = store.keys(mail, &query).await?;
    known.extend(overlapping.into_iter().chain(named).map(|key| (key.origin_id.clone(), key)));
    let known: Vec<Known> = known.into_values().collect();
    let mut readings = Readings::new();
    let more: Vec<ItemId> = also_to_read(office.now(), policy, &known, &found).into_iter().collect();
    reader.items(&more, &mut readings).await.map_err(QualifierError::Source)?;
    let mut all = found;
    all.extend(readings.values().filter_map(|reading| match reading {
        Reading::There(item) => Some(item.clone()),
        _ => None,
    }));
    let covered = Covered { slot: window.slot(), began, reason: Reason::FullRead };
    Ok(Ok(Facts { began, covered, readings, found: all, known }))
}

/// Stores the decisions one by one, because the database refused something in them, and then the rest of
/// the effect. What is refused is told and left out.
async fn one_by_one(office: &Office, mut effect: Effect) -> Result<Applied, QualifierError> {
    let decisions: Vec<(Decision, Option<TraceContext>)> = std::mem::take(&mut effect.decisions);
    let single = Effect { finished: Vec::new(), series: Vec::new(), full_read: false, ..effect.clone() };
    let mut refused = 0_usize;
    for decision in decisions {
        let one = Effect { decisions: vec![decision], ..single.clone() };
        match office.services.store.apply(&office.fence, &one).await {
            Ok(Applied::Conflict) => return Ok(Applied::Conflict),
            Ok(Applied::Done(_)) => {}
            Err(error) if is_refusal(&error) => {
                refused += 1;
                tracing::error!(
                    event_id = codes::DECISION_STORE_FAILED.id,
                    mailbox = %effect.mail,
                    error = %telemetry::chain(&error),
                    "a decision could not be stored"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    for finished in &mut effect.finished {
        finished.outcome = "full read in part";
        finished.text = finished.text.take().map(|text| format!("{text}, refused by the database {refused}"));
    }
    Ok(office.services.store.apply(&office.fence, &effect).await?)
}

#[cfg(test)]
mod tests;
