//! Reading a mailbox in full (B8): everything that overlaps the window, decided about as a whole, and what
//! is known, overlaps it and was not found inferred to be absent, as far as the mass-delete guard lets it
//! (`guarded`).
//!
//! A mailbox that answers with an error is never read as empty: nothing happens then but that the reading is
//! tried again, with growing pauses and without end, since nothing is sent for a new mailbox before. What a
//! reading names as unreadable is left as it is. A key that cannot be stored is left out, with an event, and
//! the others are stored.
//!
//! While one mailbox is stored or its answer decoded the next is read: only the calls to the source are limited by
//! `simultaneous_calls_at_full_pull`. The deadline of a handling counts from the turn to read on: many wait for it, and slow
//! mailboxes must not cost those behind them their time.
//!
//! Cost: one reading, and of the database a few round trips for what is known and one short transaction, however
//! many keys there are; mailboxes that are ready at the same time share it (`together`).

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{TraceContext, Turn};
use calendar::reconcile::{Change, Covered, Decision, Reason, Reconciled, Scene, also_to_read, reconcile};
use calendar::source::{Reading, WindowReading};
use calendar::{Appointment, ItemId, Known, MailAddress, Policy, SourceError, Window, codes};
use jiff::Timestamp;
use store::decisions::{Applied, Effect, Guarded, GuardedRun, KeyQuery, Series, is_refusal};
use store::full_reads::{Beginning, FullReadFacts};
use store::notification_queue::{Claimed, Finished};
use store::withheld::WithheldKey;
use tracing::Instrument;

use crate::error::QualifierError;
use crate::guarded::{self, Case};
use crate::plan::{self, Readings, Tally};
use crate::reader::Reader;
use crate::schedule::FullBatch;
use crate::work::{
    CONFLICTS_MAX, CONTENDED, Failure, Office, Report, continue_traces, in_time, tell_unknown_zones, traces,
};

/// Handles the full reads that were asked for: one serves them all.
pub async fn handle(office: &Office, batch: &FullBatch) -> Result<Report, QualifierError> {
    let mut report = Report::default();
    let notifications = &batch.notifications;
    let (Beginning { target, is_new }, ahead) =
        office.beginnings.of(&office.services.store, &batch.mail, office.options.job_deadline).await?;
    let mut ahead = Some(ahead);
    let looked_up = office.mailbox(target, &batch.mail, notifications.iter(), &mut report);
    let Some((mailbox, looked_up_at)) = in_time(office, looked_up).await? else {
        return Ok(report);
    };
    let _under_way = office.together.begin();
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
    for attempt in 0..CONFLICTS_MAX {
        // After a conflict something is known, whatever was found before.
        let begun = Begun { looked_up_at, is_new: is_new && attempt == 0 };
        let turn = office.turn_of_window().await;
        drop(ahead.take());
        // boxed, so that it is not moved from one to another of those around it
        let done = Box::pin(once(office, &reader, begun, turn, notifications).instrument(span.clone()));
        let done = in_time(office, done).await?;
        if let Some(done) = done {
            report.add(done);
            return Ok(report);
        }
    }
    let failure = |notification| Failure { notification, error: CONTENDED.to_owned(), own: true };
    in_time(office, office.fail(&batch.mail, notifications.iter().map(failure).collect())).await
}

/// What was known of the mailbox when its full read began.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// By the database's clock.
    looked_up_at: Timestamp,
    /// Nothing.
    is_new: bool,
}

struct Facts {
    began: Timestamp,
    window: Window,
    covered: Covered,
    readings: Readings,
    found: Vec<Appointment>,
    /// The reading of the window; what it found stands in `found`.
    reading: WindowReading,
    known: Vec<Known>,
    series: Vec<Series>,
    withheld: Vec<WithheldKey>,
}

async fn once(
    office: &Office,
    reader: &Reader<'_>,
    begun: Begun,
    turn: Turn<'_>,
    notifications: &[Claimed],
) -> Result<Option<Report>, QualifierError> {
    let mailbox = reader.mailbox;
    let facts = match gather(office, reader, begun.is_new, turn).await? {
        Ok(facts) => facts,
        Err(error) => {
            tracing::Span::current().record("outcome", "failed");
            // Never set aside: without a full reading nothing is ever sent for a mailbox that is new.
            let failures =
                Failure::of_reading(notifications, &error).map(|one| Failure { own: false, ..one });
            return office.fail(&mailbox.address, failures.collect()).await.map(Some);
        }
    };
    base::crash::point("qualifier.window-read");
    base::give_way();
    let now = office.now();
    let (decisions, guarded) = decide(office, &mailbox.address, &facts, now);
    let mut effect = office.effect(&mailbox.address, facts.began, now);
    effect.bulk = true;
    effect.full_read = true;
    effect.fresh = facts.known.is_empty() && facts.withheld.is_empty();
    effect.full_read_began_db = Some(begun.looked_up_at);
    effect.full_read_whole = facts.reading.unreadable.is_empty();
    effect.guarded = guarded;
    let news = plan::series_news(&facts.readings, &facts.found, &facts.series);
    let turn = if news.unknown.is_empty() { None } else { Some(office.turn_to_read().await) };
    office.learn_series(reader, news, &mut effect).await?;
    if let Some(turn) = turn {
        turn.pass_on().await;
    }
    let text = told(&facts, &effect.guarded, Tally::of(decisions.iter()));
    let outcome = if effect.full_read_whole { "full read" } else { "full read in part" };
    let finished = |one: &Claimed| Finished { id: one.id, outcome, text: Some(text.clone()) };
    effect.finished = notifications.iter().map(finished).collect();
    let trace = telemetry::trace::current();
    effect.decisions = decisions.into_iter().map(|decision| (decision, trace.clone())).collect();
    tracing::Span::current().record("outcome", &*text);
    base::crash::point("qualifier.full-read-decided");
    let mut effect = Arc::new(effect);
    let applied = match office.together.apply(&office.services.store, &office.fence, &effect).await {
        Err(error) if is_refusal(&error) => one_by_one(office, Arc::make_mut(&mut effect)).await?,
        other => other?,
    };
    let Applied::Done(done) = applied else { return Ok(None) };
    base::crash::point("qualifier.full-read-stored");
    guarded::tell_seen(&mailbox.address, &effect.guarded.seen);
    if let (Some(run), GuardedRun::Withholds { keys, there, .. }) = (done.withheld, &effect.guarded.run) {
        tracing::error!(
            event_id = codes::DELETES_WITHHELD.id,
            mailbox = %mailbox.address,
            run,
            keys = keys.len(),
            there,
            "too many appointments are missing at once, their deletions are withheld until an operator decides: kommuneklient withheld show RUN, then confirm or reject"
        );
    }
    Ok(Some(Report { finished: notifications.len(), ..Report::default() }))
}

/// The decisions that the facts lead to, and what the mass-delete guard makes of them.
fn decide(office: &Office, mail: &MailAddress, facts: &Facts, now: Timestamp) -> (Vec<Decision>, Guarded) {
    let gone = plan::gone_of(&facts.readings, &facts.found);
    let Reconciled { mut decisions, unrepresentable } = reconcile(&Scene {
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
            mailbox = %mail,
            items = unrepresentable.len(),
            "appointments have identifiers that cannot be stored or sent"
        );
    }
    tell_unknown_zones(mail, &facts.found);
    plan::spare_hidden(&mut decisions, &facts.reading, &facts.known, &gone, &facts.found);
    let case = Case {
        limits: &office.options.guard,
        window: &facts.window,
        known: &facts.known,
        found: &facts.found,
        withheld: &facts.withheld,
    };
    let guarded = guarded::guard(&case, &mut decisions);
    (decisions, guarded)
}

/// What came of a full read, for the log.
fn told(facts: &Facts, guarded: &Guarded, tally: Tally) -> String {
    let Tally { created, updated, deleted } = tally;
    let found = facts.found.len();
    let mut text = format!("found {found}, created {created}, updated {updated}, deleted {deleted}");
    if let GuardedRun::Withholds { keys, there, .. } = &guarded.run {
        text += &format!(", deletions withheld {} of {there}", keys.len());
    }
    if !facts.reading.unreadable.is_empty() {
        text += &format!(", unreadable {}", facts.reading.unreadable.len());
    }
    text
}

/// Reads the window and what else it takes; the inner error says that the window cannot be read. Of a mailbox that
/// `is_new` there is nothing to load.
async fn gather(
    office: &Office,
    reader: &Reader<'_>,
    is_new: bool,
    turn: Turn<'_>,
) -> Result<Result<Facts, SourceError>, QualifierError> {
    let policy = &office.options.policy;
    let mail = &reader.mailbox.address;
    let (window, began, reading) = office.read_window(reader, turn).await;
    let mut reading = match reading.map_err(QualifierError::Source)? {
        Ok(reading) => reading,
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
    let mut found = std::mem::take(&mut reading.found);
    let stored = if is_new {
        FullReadFacts::default()
    } else {
        let query = query_of(&found, policy);
        office.services.store.full_read_facts(mail, window.slot(), &query, began).await?
    };
    let mut readings = Readings::new();
    let more: Vec<ItemId> = also_to_read(office.now(), policy, &stored.known, &found).into_iter().collect();
    let turn = if more.is_empty() { None } else { Some(office.turn_to_read().await) };
    reader.items(&more, &mut readings).await.map_err(QualifierError::Source)?;
    if let Some(turn) = turn {
        turn.pass_on().await;
    }
    found.extend(readings.values().filter_map(|reading| match reading {
        Reading::There(item) => Some(item.clone()),
        _ => None,
    }));
    let covered = Covered { slot: window.slot(), began, reason: Reason::FullRead };
    let FullReadFacts { known, series, withheld } = stored;
    Ok(Ok(Facts { began, window, covered, readings, found, reading, known, series, withheld }))
}

/// The keys that what was found may belong to.
fn query_of(found: &[Appointment], policy: &Policy) -> KeyQuery {
    KeyQuery {
        uids: found.iter().filter_map(|item| item.uid.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        origin_ids: plan::names_of(found, policy),
        item_ids: found.iter().map(|item| item.item_id.clone()).collect(),
    }
}

/// Stores the decisions one by one, because the database refused something in them, and then the rest of
/// the effect. What is refused is told and left out.
async fn one_by_one(office: &Office, effect: &mut Effect) -> Result<Applied, QualifierError> {
    let decisions: Vec<(Decision, Option<TraceContext>)> = std::mem::take(&mut effect.decisions);
    let single = Effect {
        finished: Vec::new(),
        series: Vec::new(),
        full_read: false,
        guarded: Guarded::default(),
        ..effect.clone()
    };
    let mut refused = 0_usize;
    for decision in decisions {
        let event = match decision.0.change {
            Change::Delete { .. } => codes::ABSENCE_STORE_FAILED,
            _ => codes::DECISION_STORE_FAILED,
        };
        let one = Effect { decisions: vec![decision], ..single.clone() };
        match office.services.store.apply(&office.fence, &one).await {
            Ok(Applied::Conflict) => return Ok(Applied::Conflict),
            Ok(Applied::Done(_)) => {}
            Err(error) if is_refusal(&error) => {
                refused += 1;
                tracing::error!(
                    event_id = event.id,
                    mailbox = %effect.mail,
                    error = %telemetry::chain(&error),
                    "a decision could not be stored"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    effect.full_read_whole = false;
    for finished in &mut effect.finished {
        finished.outcome = "full read in part";
        finished.text = finished.text.take().map(|text| format!("{text}, refused by the database {refused}"));
    }
    Ok(office.services.store.apply(&office.fence, effect).await?)
}

#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod tests;
