//! Handling live changes: the items of one mailbox that are due, in one go.
//!
//! Events are hints only. Each item (and its identifier before a move) is read; every group of keys that
//! this concerns is then settled on what is there now: the other items of the group are read too, and the
//! window where a series is or was concerned (B5); what an unreadable item of the window may hide is left alone.
//! Decisions, the series table and the notifications' move to
//! the log happen in one transaction.
//!
//! Failure: an item that cannot be read or whose decision cannot be stored fails alone. Anything that holds
//! for the mailbox or the service is an error of the whole, and nothing has happened then.

use std::collections::{BTreeMap, BTreeSet};

use calendar::decide::Standing;
use calendar::reconcile::{Covered, Decision, Reason, Scene, also_to_read, reconcile};
use calendar::source::{Mailbox, Reading, WindowReading};
use calendar::{Appointment, ItemId, Known, MailAddress, SourceError, Uid, Window, codes};
use jiff::Timestamp;
use store::decisions::{Applied, KeyQuery, Series, is_refusal};
use store::notification_queue::{Claimed, Finished, Subject};
use store::withheld::WithheldKey;
use tracing::Instrument;

use crate::error::QualifierError;
use crate::guarded;
use crate::plan::{self, Group, Readings, Tally};
use crate::reader::Reader;
use crate::schedule::{DueItem, LiveBatch};
use crate::work::{
    CONFLICTS_MAX, CONTENDED, Failure, Office, Report, continue_traces, later, tell_unknown_zones, traces,
};

/// Handles a batch.
pub async fn handle(office: &Office, batch: &LiveBatch) -> Result<Report, QualifierError> {
    let mut report = Report::default();
    let all = batch.items.iter().flat_map(|item| &item.notifications);
    let target = office.services.store.target(&batch.mail).await?;
    let Some((mailbox, _)) = office.mailbox(target, &batch.mail, all, &mut report).await? else {
        return Ok(report);
    };
    let reader = office.reader(&mailbox, batch.failures);
    let items: Vec<&DueItem> = batch.items.iter().collect();
    match together(office, &reader, &items).await? {
        Ok(done) => report.add(done),
        // One of them cannot be decided about; the others can.
        Err(_) if items.len() > 1 => {
            for item in &batch.items {
                report.add(alone(office, &reader, item).await?);
            }
        }
        Err(reason) => report.add(refused(office, &batch.mail, &batch.items, &reason).await?),
    }
    Ok(report)
}

async fn alone(office: &Office, reader: &Reader<'_>, item: &DueItem) -> Result<Report, QualifierError> {
    match together(office, reader, &[item]).await? {
        Ok(report) => Ok(report),
        Err(reason) => refused(office, &reader.mailbox.address, std::slice::from_ref(item), &reason).await,
    }
}

/// The decision about these items cannot be stored: that is their own failure.
async fn refused(
    office: &Office,
    mail: &MailAddress,
    items: &[DueItem],
    reason: &str,
) -> Result<Report, QualifierError> {
    tracing::error!(
        event_id = codes::DECISION_STORE_FAILED.id,
        mailbox = %mail,
        error = reason,
        "a decision could not be stored"
    );
    let notifications = items.iter().flat_map(|item| &item.notifications);
    let failure = |notification| Failure { notification, error: reason.to_owned(), own: true };
    office.fail(mail, notifications.map(failure).collect()).await
}

/// Handles items together. The inner error says why nothing of it can be stored.
async fn together(
    office: &Office,
    reader: &Reader<'_>,
    items: &[&DueItem],
) -> Result<Result<Report, String>, QualifierError> {
    let spans: Vec<tracing::Span> = items.iter().map(|item| span_of(reader.mailbox, item)).collect();
    let Some(first) = spans.first() else { return Ok(Ok(Report::default())) };
    for _ in 0..CONFLICTS_MAX {
        match once(office, reader, items, &spans).instrument(first.clone()).await {
            Ok(Some(report)) => return Ok(Ok(report)),
            Ok(None) => {}
            Err(QualifierError::Store(error)) if is_refusal(&error) => {
                return Ok(Err(telemetry::chain(&error).to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Err(CONTENDED.to_owned()))
}

fn span_of(mailbox: &Mailbox, item: &DueItem) -> tracing::Span {
    let span = tracing::info_span!(
        parent: None,
        "qualifier.decide",
        mailbox = %mailbox.address,
        notifications = item.notifications.len(),
        outcome = tracing::field::Empty,
    );
    continue_traces(&span, &traces(item.notifications.iter()));
    span
}

/// Everything that was read and loaded about a batch.
struct Facts {
    began: Timestamp,
    readings: Readings,
    groups: BTreeMap<ItemId, BTreeSet<Group>>,
    failed: BTreeMap<Group, SourceError>,
    found: Vec<Appointment>,
    known: Vec<Known>,
    series: Vec<Series>,
    covered: Option<Covered>,
    /// Groups of other UIDs that hold a name which an item that was found would choose.
    strangers: BTreeSet<Group>,
    /// The reading of the window, if there was one; what it found stands in `found`.
    window: WindowReading,
    withheld: Vec<WithheldKey>,
}

/// Reads, decides and stores; `None` when somebody else decided meanwhile.
async fn once(
    office: &Office,
    reader: &Reader<'_>,
    items: &[&DueItem],
    spans: &[tracing::Span],
) -> Result<Option<Report>, QualifierError> {
    let mailbox = reader.mailbox;
    let mut facts = gather_all(office, reader, items).await?;
    base::crash::point("qualifier.item-read");
    let Some(now) = settle_clocks(office, &mut facts) else { return Ok(None) };
    let gone = plan::gone_of(&facts.readings, &facts.found);
    let mut reconciled = reconcile(&Scene {
        now,
        policy: &office.options.policy,
        known: &facts.known,
        found: &facts.found,
        gone: &gone,
        covered: facts.covered,
    });
    plan::spare_hidden(&mut reconciled.decisions, &facts.window, &facts.known, &gone, &facts.found);
    tell_unknown_zones(&mailbox.address, &facts.found);
    for item in &reconciled.unrepresentable {
        tracing::error!(
            event_id = codes::ITEM_NOT_REPRESENTABLE.id,
            mailbox = %mailbox.address,
            bytes = item.as_str().len(),
            "an appointment has an identifier that cannot be stored or sent"
        );
    }
    let mut effect = office.effect(&mailbox.address, facts.began, now);
    effect.guarded.seen = guarded::seen(&reconciled.decisions, &facts.known, &facts.found, &facts.withheld);
    let news = plan::series_news(&facts.readings, &facts.found, &facts.series);
    office.learn_series(reader, news, &mut effect).await?;
    let mut failures = Vec::new();
    for (item, span) in items.iter().zip(spans) {
        let groups = groups_of(item, &facts.groups);
        if let Some(error) = failure_of(item, &facts, &groups) {
            span.record("outcome", "failed");
            office.tell_fetch_failed(&mailbox.address, error);
            failures.extend(Failure::of_reading(&item.notifications, error));
            continue;
        }
        let of_item =
            |decision: &&Decision| Group::of_decision(decision).is_some_and(|group| groups.contains(&group));
        let tally = Tally::of(reconciled.decisions.iter().filter(of_item));
        span.record("outcome", tally.outcome());
        let finished = |one: &Claimed| Finished { id: one.id, outcome: tally.outcome(), text: tally.text() };
        effect.finished.extend(item.notifications.iter().map(finished));
    }
    effect.decisions = with_traces(reconciled.decisions, items, &facts.groups, spans);
    let finished = effect.finished.len();
    base::crash::point("qualifier.decided");
    match office.services.store.apply(&office.fence, &effect).await? {
        Applied::Conflict => return Ok(None),
        Applied::Done(done) if !done.discarded.is_empty() => tracing::info!(
            event_id = codes::READING_STALE.id,
            mailbox = %mailbox.address,
            keys = done.discarded.len(),
            "a reading was older than the stored decisions"
        ),
        Applied::Done(_) => {}
    }
    base::crash::point("qualifier.decisions-stored");
    guarded::tell_seen(&mailbox.address, &effect.guarded.seen);
    let mut report = office.fail(&mailbox.address, failures).await?;
    report.finished += finished;
    Ok(Some(report))
}

/// The time of the decision; `None` when somebody decided since the reading began, so that it is to be done anew.
///
/// A decision that lies in the future comes from a clock that is ahead of this one (another instance's, or our own
/// before it was set back). A mailbox has one worker, so the decision is the older one all the same: without this
/// the change would be taken for older than it, and be lost.
fn settle_clocks(office: &Office, facts: &mut Facts) -> Option<Timestamp> {
    let now = office.now();
    let Some(newest) = facts.known.iter().filter_map(|key| key.decided_at).max() else { return Some(now) };
    if newest <= now {
        return (newest < facts.began).then_some(now);
    }
    let after = later(newest, std::time::Duration::from_micros(1));
    facts.began = after;
    if let Some(covered) = &mut facts.covered {
        covered.began = after;
    }
    Some(after)
}

/// Reads everything that the items concern. A UID that is written like the name of another one's occurrence or
/// duplicate (`A$20260801-100000`) contends with it for that name; the two are then settled together, as a full
/// read does.
async fn gather_all(
    office: &Office,
    reader: &Reader<'_>,
    items: &[&DueItem],
) -> Result<Facts, QualifierError> {
    /// A name that imitates a name that imitates a name is still found; after that the store's refusal holds.
    const ROUNDS_MAX: usize = 3;
    let mut also = BTreeSet::new();
    for _ in 1..ROUNDS_MAX {
        let facts = gather(office, reader, items, &also).await?;
        if facts.strangers.is_empty() {
            return Ok(facts);
        }
        also.extend(facts.strangers);
    }
    gather(office, reader, items, &also).await
}

/// Reads everything that the items and the groups in `also` concern, and loads what is known of it.
async fn gather(
    office: &Office,
    reader: &Reader<'_>,
    items: &[&DueItem],
    also: &BTreeSet<Group>,
) -> Result<Facts, QualifierError> {
    let store = &office.services.store;
    let mail = &reader.mailbox.address;
    let policy = &office.options.policy;
    let began = office.now();
    let mut readings = Readings::new();
    // Before what is known is loaded: who settles a run in between changes what is known.
    let withheld = store.withheld_keys(std::slice::from_ref(mail), began).await?;
    let ids = ids_of(items, also);
    reader.items(&ids, &mut readings).await.map_err(QualifierError::Source)?;
    let by_item = store.keys(mail, &KeyQuery { item_ids: ids.clone(), ..KeyQuery::default() }).await?;
    let by_master = store.series(mail, &ids, &[]).await?;
    let mut groups = plan::groups(&readings, &by_item, &by_master);
    if plan::any_stranger_gone(&readings, &groups) {
        let orphans = store.series_without_master(mail).await?;
        plan::suspect_masters(&readings, &mut groups, &orphans);
    }
    let mut concerned: BTreeSet<Group> = groups.values().flatten().chain(also).cloned().collect();
    let mut query = query_of(&concerned, &ids);
    let known = store.keys(mail, &query).await?;
    reader.items(&plan::also_read(&readings, &known), &mut readings).await.map_err(QualifierError::Source)?;
    let mut failed = plan::failed_groups(&readings, &groups, &known);
    concerned.retain(|group| !failed.contains_key(group));
    let mut series = store.series(mail, &ids, &query.uids).await?;
    let window = policy.window(office.now());
    let mut window_reading = WindowReading::default();
    let mut covered = None;
    let in_need = plan::in_need_of_window(&concerned, &readings, &known, &series, &window);
    if !in_need.is_empty() {
        match read_window(reader, window).await? {
            Ok(read) => {
                window_reading = read;
                covered = Some(Covered { slot: window.slot(), began, reason: Reason::Change });
            }
            Err(error) => {
                concerned.retain(|group| !in_need.contains(group));
                failed.extend(in_need.into_iter().map(|group| (group, error.clone())));
            }
        }
    }
    series.retain(|series| concerned.contains(&Group::Uid(series.uid.clone())));
    let window_items = std::mem::take(&mut window_reading.found);
    let mut found = plan::found_of(&concerned, &readings, &window_items);
    query.origin_ids = plan::names_of(&found, policy);
    let mut known = store.keys(mail, &query).await?;
    let more: Vec<ItemId> = also_to_read(office.now(), policy, &known, &found)
        .into_iter()
        .filter(|id| !readings.contains_key(id))
        .collect();
    if !more.is_empty() {
        reader.items(&more, &mut readings).await.map_err(QualifierError::Source)?;
        found = plan::found_of(&concerned, &readings, &window_items);
    }
    let strangers = plan::strangers(&known, &query.origin_ids, &concerned);
    // An adopted key bears no UID yet, and what another UID left absent is free: such keys belong here when an
    // item that was found claims their name.
    known.retain(|key| {
        let is_free = key.uid.is_none() || key.standing() == Standing::Absent;
        is_of(&concerned, &ids, key) || (is_free && query.origin_ids.contains(&key.origin_id))
    });
    Ok(Facts {
        began,
        readings,
        groups,
        failed,
        found,
        known,
        series,
        covered,
        strangers,
        window: window_reading,
        withheld,
    })
}

async fn read_window(
    reader: &Reader<'_>,
    window: Window,
) -> Result<Result<WindowReading, SourceError>, QualifierError> {
    let read = reader.window(window.slot()).await.map_err(QualifierError::Source)?;
    if let Err(error) = &read {
        tracing::error!(
            event_id = codes::SERIES_READ_FAILED.id,
            mailbox = %reader.mailbox.address,
            code = error.code,
            error = %telemetry::chain(error),
            "the occurrences of a series could not be read"
        );
    }
    Ok(read)
}

/// The items to be read for these, each once: the items, what they were before a move, and those without a UID
/// in `also`.
fn ids_of(items: &[&DueItem], also: &BTreeSet<Group>) -> Vec<ItemId> {
    let mut ids: BTreeSet<ItemId> = also
        .iter()
        .filter_map(|group| match group {
            Group::Item(id) => Some(id.clone()),
            Group::Uid(_) => None,
        })
        .collect();
    for item in items {
        ids.insert(item.item_id.clone());
        ids.extend(old_ids(item).cloned());
    }
    ids.into_iter().collect()
}

fn old_ids(item: &DueItem) -> impl Iterator<Item = &ItemId> {
    item.notifications.iter().filter_map(|one| match &one.subject {
        Subject::Item { old, .. } => old.as_ref(),
        Subject::FullRead => None,
    })
}

fn query_of(concerned: &BTreeSet<Group>, ids: &[ItemId]) -> KeyQuery {
    let uids: Vec<Uid> = concerned
        .iter()
        .filter_map(|group| match group {
            Group::Uid(uid) => Some(uid.clone()),
            Group::Item(_) => None,
        })
        .collect();
    KeyQuery { uids, origin_ids: Vec::new(), item_ids: ids.to_vec() }
}

/// Does a key belong to what can be decided about?
fn is_of(concerned: &BTreeSet<Group>, ids: &[ItemId], key: &Known) -> bool {
    match (&key.uid, &key.item_id) {
        (Some(uid), _) => concerned.contains(&Group::Uid(uid.clone())),
        (None, Some(id)) => ids.contains(id) && concerned.contains(&Group::Item(id.clone())),
        (None, None) => false,
    }
}

fn groups_of(item: &DueItem, groups: &BTreeMap<ItemId, BTreeSet<Group>>) -> BTreeSet<Group> {
    std::iter::once(&item.item_id)
        .chain(old_ids(item))
        .filter_map(|id| groups.get(id))
        .flatten()
        .cloned()
        .collect()
}

/// Why an item could not be handled, if it could not.
fn failure_of<'a>(item: &DueItem, facts: &'a Facts, groups: &BTreeSet<Group>) -> Option<&'a SourceError> {
    let own =
        std::iter::once(&item.item_id).chain(old_ids(item)).find_map(|id| match facts.readings.get(id) {
            Some(Reading::Failed(error)) => Some(error),
            _ => None,
        });
    own.or_else(|| groups.iter().find_map(|group| facts.failed.get(group)))
}

/// Gives each decision the trace of the first item that concerns its group.
fn with_traces(
    decisions: Vec<Decision>,
    items: &[&DueItem],
    groups: &BTreeMap<ItemId, BTreeSet<Group>>,
    spans: &[tracing::Span],
) -> Vec<(Decision, Option<base::TraceContext>)> {
    let traces: Vec<Option<base::TraceContext>> = spans.iter().map(telemetry::trace::of).collect();
    let by_item: Vec<BTreeSet<Group>> = items.iter().map(|item| groups_of(item, groups)).collect();
    decisions
        .into_iter()
        .map(|decision| {
            let group = Group::of_decision(&decision);
            let cause = group.and_then(|group| by_item.iter().position(|groups| groups.contains(&group)));
            let trace = traces.get(cause.unwrap_or_default()).cloned().flatten();
            (decision, trace)
        })
        .collect()
}

#[cfg(test)]
mod item_tests;
#[cfg(test)]
mod tests;
