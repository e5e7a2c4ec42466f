//! Why are the appointments of a mailbox not in step? The steps of appendix I, and those of ours.

use calendar::{MailAddress, codes};
use jiff::{SignedDuration, Timestamp};
use store::alerts::Alert;
use store::inspect::{Happening, HistoryQuery, MailboxFacts, Unsent};
use store::operations::Scope;
use url::Url;

use super::super::diff::{Sending, hold_text};
use super::super::show::{maybe, moment};
use super::super::unused::{self, Unused};
use super::super::{CommandError, Desk, reasons, stored};
use super::calls::{self, Known};
use super::host::{self, Proxies, Way};
use super::{Said, Step, Verdict, plain, ready, said, way};
use crate::commands::status::{self, alerts, stopped};
use crate::texts::{Text, doctor as d, doctor_mailbox as t, reasons as r, stream as s};

/// What the steps are made of.
struct Found {
    mail: String,
    facts: MailboxFacts,
    /// Stages that stand still.
    stopped: Vec<Text>,
    /// The alerts that stand.
    alerts: Vec<Alert>,
    oldest: Option<Unsent>,
    sending: Sending,
    /// Whether Planner can be reached from here.
    way: Way,
    /// The last call to Planner, of the last hour, worked.
    planner_answers: bool,
    /// Whether its Exchange can be.
    exchange: Way,
    /// The address of Exchange is configured: nobody asked where the mailbox is.
    is_configured: bool,
    /// Its full read fails.
    full_read: Option<FailingRead>,
}

/// A full read that failed and is tried again, or was set aside.
struct FailingRead {
    /// When it was asked for.
    at: Timestamp,
    error: String,
}

/// So far back it is looked for a full read that was asked for and fails.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Among so many of the latest happenings.
const LOOK_MAX: u32 = 1_000;

/// All steps; `offline`: without trying to reach Planner and Exchange.
pub(super) async fn steps(desk: &Desk, mail: &MailAddress, offline: bool) -> Result<Vec<Step>, CommandError> {
    let sending = Sending::now(desk).await?;
    let url = desk.config.planner.service_url.as_ref();
    let way = host::reach(url, &Proxies::to_planner(url), offline).await;
    let planner_answers = desk.store.planner_answers().await?;
    let Some(facts) = desk.store.mailbox_facts(mail).await? else {
        let why = unused::why(&desk.store, mail).await?.unwrap_or(Unused::NeverListed);
        let unlisted = unlisted(mail, why);
        // without its answers nobody is listed
        let alerts = alerts::merged(desk.store.standing_alerts().await?);
        return Ok(vec![unlisted, planner(&alerts, &sending, way, planner_answers)]);
    };
    let stopped = stopped(&desk.store.work().await?);
    let mut unsent = desk.store.unsent(&Scope::One(mail.clone()), 10_000).await?.keys;
    unsent.sort_by_key(|key| key.decided_at);
    let located = facts.endpoint.as_deref().and_then(|endpoint| Url::parse(endpoint).ok());
    let address = located.as_ref().or(ready::exchange_url(&desk.config));
    let proxies = Proxies::to_exchange(&desk.config.exchange.authentication());
    let exchange = host::reach(address, &proxies, offline).await;
    let full_read = failing_read(desk, mail).await?;
    let found = Found {
        mail: mail.to_string(),
        facts,
        stopped,
        alerts: alerts::merged(desk.store.standing_alerts().await?),
        oldest: unsent.into_iter().next(),
        sending,
        way,
        planner_answers,
        exchange,
        is_configured: desk.config.exchange.autodiscover_url.is_none(),
        full_read,
    };
    Ok(judge(&found))
}

/// The full read of the mailbox that failed last and waits.
async fn failing_read(desk: &Desk, mail: &MailAddress) -> Result<Option<FailingRead>, CommandError> {
    let since = desk.now().checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
    let query = HistoryQuery { mail, origin_id: None, since, limit: LOOK_MAX };
    let history = desk.store.history(&query).await?;
    let failing = history.entries.into_iter().rev().find_map(|entry| match entry.what {
        Happening::Failing { kind, error, .. } if kind == FULL_READ => {
            Some(FailingRead { at: entry.at, error: error.unwrap_or_default() })
        }
        _ => None,
    });
    Ok(failing)
}

/// The kind of notification that asks for a full read.
const FULL_READ: &str = "FullRead";

/// The steps, by what was found. Pure.
fn judge(found: &Found) -> Vec<Step> {
    let mut steps = vec![known(found), used(found), synchronised(found)];
    if found.facts.deleted_date.is_none() {
        steps.push(way::judged(d::EXCHANGE, found.exchange.clone(), Some(is_heard(found))));
        steps.extend([exists(found), readable(found), stages(found), listened(found), adopted(found)]);
        steps.extend([notified(found), decided(found)]);
    }
    let to_planner = planner(&found.alerts, &found.sending, found.way.clone(), found.planner_answers);
    steps.extend([to_planner, sent(found), held(found)]);
    if found.facts.deleted_date.is_none() {
        steps.push(compared(found));
    }
    steps
}

/// Of one without a resource row.
fn unlisted(mail: &MailAddress, why: Unused) -> Step {
    let mailbox = ("mailbox", mail.to_string());
    match why {
        Unused::Erased(tombstone) => Step::new(
            t::KNOWN,
            Verdict::Fail,
            said(t::KNOWN_ERASED, [("at", moment(tombstone.at)), ("by", tombstone.by)]),
            said(t::KNOWN_ERASED_NEXT, [mailbox]),
        ),
        // the resource list passes over whoever is blocked
        Unused::Blocked(blocked) => {
            let values = [
                ("by", blocked.added_by),
                ("at", moment(blocked.added_at)),
                ("why", blocked.reason.unwrap_or_default()),
            ];
            let evidence = said(t::USED_BLOCKED, values);
            Step::new(t::USED, Verdict::Fail, evidence, said(t::USED_BLOCKED_NEXT, [mailbox]))
        }
        // one that was dropped has its row
        Unused::Dropped { .. } | Unused::NeverListed => {
            Step::new(t::KNOWN, Verdict::Fail, plain(t::KNOWN_NEVER), plain(t::KNOWN_NEXT))
        }
    }
}

fn known(found: &Found) -> Step {
    Step::ok(t::KNOWN, said(t::KNOWN_OK, [("at", maybe(found.facts.created_at))]))
}

fn used(found: &Found) -> Step {
    let facts = &found.facts;
    let mailbox = || [("mailbox", found.mail.clone())];
    if let Some((why, by, at)) = &facts.blacklisted {
        let evidence = said(t::USED_BLOCKED, [("by", by.clone()), ("at", moment(*at)), ("why", why.clone())]);
        return Step::new(t::USED, Verdict::Fail, evidence, said(t::USED_BLOCKED_NEXT, mailbox()));
    }
    let Some(since) = facts.deleted_date else { return Step::ok(t::USED, plain(t::USED_OK)) };
    if facts.whitelist_in_use && !facts.whitelisted {
        let next = said(t::USED_WHITELIST_NEXT, mailbox());
        return Step::new(t::USED, Verdict::Fail, plain(t::USED_WHITELIST), next);
    }
    let why = facts.deleted_reason.clone().unwrap_or_default();
    let at = ("at", moment(since));
    let evidence = match reasons::named(&why) {
        Some(reason) => {
            let words =
                said(r::WITH_CODE, [("code", reason.code.to_owned())]).with("words", plain(reason.words));
            said(t::USED_DELETED, [at]).with("why", words)
        }
        None => said(t::USED_DELETED, [at, ("why", why)]),
    };
    Step::new(t::USED, Verdict::Fail, evidence, plain(t::USED_DELETED_NEXT))
}

fn synchronised(found: &Found) -> Step {
    // a call that did not reach Planner since then says nothing of it
    match found.facts.last_accepted {
        Some(at) => Step::ok(t::SYNC, said(t::SYNC_OK, [("at", moment(at))])),
        None => Step::new(t::SYNC, Verdict::Ask, plain(t::SYNC_ASK), plain(t::SYNC_NEXT)),
    }
}

/// Codes that say that there is no such mailbox.
const NOT_THERE: [&str; 4] =
    ["ErrorNonExistentMailbox", "ErrorMailboxConfiguration", "NotLocated", "InvalidUser"];
/// Codes that say that it is there without a calendar, or without one that the service account may see.
const NO_CALENDAR: [&str; 2] = ["ErrorFolderNotFound", "ErrorItemNotFound"];

/// The code with which Exchange said that there is no such mailbox.
fn not_there(facts: &MailboxFacts) -> Option<&String> {
    facts.error_code.as_ref().filter(|code| NOT_THERE.contains(&code.as_str()))
}

fn exists(found: &Found) -> Step {
    let facts = &found.facts;
    if let Some(code) = not_there(facts) {
        let text = facts.error_description.clone().unwrap_or_default();
        let evidence = said(t::EXISTS_NOT, [("code", code.clone()), ("text", text)]);
        let next = said(t::EXISTS_NEXT, [("mailbox", found.mail.clone())]);
        return Step::new(t::EXISTS, Verdict::Fail, evidence, next);
    }
    match (&facts.endpoint, facts.located_at) {
        (Some(endpoint), _) if found.is_configured => {
            let evidence = said(t::EXISTS_CONFIGURED, [("endpoint", endpoint.clone())]);
            // who was listened to or read is there
            if facts.subscribed || facts.last_full_sync.is_some() {
                Step::ok(t::EXISTS, evidence)
            } else {
                Step::open(t::EXISTS, evidence)
            }
        }
        (Some(endpoint), at) => {
            Step::ok(t::EXISTS, said(t::EXISTS_OK, [("endpoint", endpoint.clone()), ("at", maybe(at))]))
        }
        (None, _) => Step::open(t::EXISTS, plain(t::EXISTS_NOT_YET)),
    }
}

fn readable(found: &Found) -> Step {
    let facts = &found.facts;
    let mailbox = || [("mailbox", found.mail.clone())];
    if not_there(facts).is_some() {
        // rights have nothing to do with that
        return Step::open(t::READABLE, plain(t::READABLE_NOT_THERE));
    }
    if let Some(code) = &facts.error_code {
        let evidence = said(
            t::READABLE_NOT,
            [
                ("code", code.clone()),
                ("text", facts.error_description.clone().unwrap_or_default()),
                ("count", facts.error_count.to_string()),
                ("at", maybe(facts.error_date)),
            ],
        );
        let (evidence, next) = if NO_CALENDAR.contains(&code.as_str()) {
            let evidence = ready::both(plain(r::TROUBLE_NO_CALENDAR), evidence);
            (evidence, said(t::READABLE_NO_CALENDAR_NEXT, mailbox()))
        } else if is_outage(code) {
            (evidence, plain(t::READABLE_OUTAGE_NEXT))
        } else {
            (evidence, said(t::READABLE_NEXT, mailbox()))
        };
        return Step::new(t::READABLE, Verdict::Fail, evidence, next);
    }
    if let Some(step) = reading_fails(found) {
        return step;
    }
    let Some(at) = facts.last_full_sync else {
        let next = said(t::READABLE_NOT_YET_NEXT, mailbox());
        return Step::new(t::READABLE, Verdict::Warn, plain(t::READABLE_NOT_YET), next);
    };
    if facts.full_read_whole == Some(false) {
        let evidence = said(t::READABLE_PARTLY, [("at", moment(at))]);
        return Step::new(t::READABLE, Verdict::Warn, evidence, said(t::READABLE_PARTLY_NEXT, mailbox()));
    }
    Step::ok(t::READABLE, said(t::READABLE_OK, [("at", moment(at))]))
}

/// It was read once, or is to be, and cannot be read now: by its full read, or by the alerts that stand.
fn reading_fails(found: &Found) -> Option<Step> {
    let is_reading = |alert: &&Alert| {
        alert.code == codes::EXCHANGE_CONNECTION_FAILED.id || alert.code == codes::MAILBOX_UNREACHABLE.id
    };
    let of_it = |alert: &&Alert| alert.subjects.contains(&found.mail);
    // the first few are named; a longer list may hold it, too
    let of_many = |alert: &&Alert| alert.subjects.len() >= alerts::NAMED_MAX;
    let standing = || found.alerts.iter().filter(is_reading);
    let (verdict, evidence) = if let Some(read) = &found.full_read {
        let values = [("text", read.error.clone()), ("at", moment(read.at))];
        (Verdict::Fail, said(t::READABLE_FAILS, values))
    } else {
        let named = standing().find(of_it).map(|alert| (Verdict::Fail, t::READABLE_ALERT, alert));
        let many = || standing().find(of_many).map(|alert| (Verdict::Warn, t::READABLE_ALERT_MANY, alert));
        let (verdict, text, alert) = named.or_else(many)?;
        (verdict, said(text, [("code", alert.code.to_string()), ("at", moment(alert.since))]))
    };
    let next = if found.exchange.is_closed() && !is_heard(found) {
        plain(t::READABLE_OUTAGE_NEXT)
    } else {
        said(t::READABLE_FAILS_NEXT, [("mailbox", found.mail.clone())])
    };
    Some(Step::new(t::READABLE, verdict, evidence, next))
}

fn stages(found: &Found) -> Step {
    if found.stopped.is_empty() {
        return Step::ok(t::STAGES, plain(t::STAGES_OK));
    }
    let names = found.stopped.iter().copied().map(plain).collect();
    let evidence = plain(t::STAGES_NOT).with_all("names", names);
    Step::new(t::STAGES, Verdict::Fail, evidence, plain(t::STAGES_NEXT))
}

fn listened(found: &Found) -> Step {
    let facts = &found.facts;
    match (facts.group, facts.subscribed) {
        (None, _) => Step::new(
            t::LISTENED,
            Verdict::Fail,
            plain(t::LISTENED_NO_GROUP),
            plain(t::LISTENED_NO_GROUP_NEXT),
        ),
        (Some(_), false) if facts.error_code.as_deref().is_some_and(|code| !is_outage(code)) => {
            listens_not(found)
        }
        (Some(group), _)
            if status::stream_fails(group, facts.stream.as_ref(), &found.alerts, facts.seen_at) =>
        {
            stream_fails(found, group)
        }
        (Some(group), true) => listens(found, group),
        (Some(_), false) => listens_not(found),
    }
}

/// Exchange holds the stream of its group open, and nobody was alarmed about that.
fn is_heard(found: &Found) -> bool {
    let (facts, alerts) = (&found.facts, &found.alerts);
    let has_alert = facts.group.is_none_or(|group| alerts::of_group(alerts, group).next().is_some());
    // whether it is itself listened to, which may be its own fault, is another question
    !has_alert && facts.stream.as_ref().is_some_and(|stream| stream.open)
}

/// It has no subscription: because the account is refused, or since its last try.
fn listens_not(found: &Found) -> Step {
    if found.alerts.iter().any(|alert| alert.code == codes::LOGON_REFUSED.id) {
        return Step::new(
            t::LISTENED,
            Verdict::Fail,
            plain(t::LISTENED_REFUSED),
            plain(t::LISTENED_REFUSED_NEXT),
        );
    }
    let evidence = match found.facts.retry_at {
        Some(at) => said(t::LISTENED_NOT, [("at", moment(at))]),
        None => plain(t::LISTENED_NOT_YET),
    };
    let next = said(t::LISTENED_NEXT, [("mailbox", found.mail.clone())]);
    Step::new(t::LISTENED, Verdict::Fail, evidence, next)
}

/// It has its subscription, and nobody was alarmed about the stream of its group.
fn listens(found: &Found, group: i64) -> Step {
    let facts = &found.facts;
    let values = [("group", group.to_string()), ("at", maybe(facts.last_success))];
    match &facts.stream {
        None => Step::ok(t::LISTENED, said(t::LISTENED_OK, values)),
        Some(state) if state.open => {
            let [group, at] = values;
            Step::ok(t::LISTENED, said(t::LISTENED_OPEN, [group, at, ("open", moment(state.since))]))
        }
        Some(state) => {
            let evidence = calls::not_open(group, state);
            Step::new(t::LISTENED, Verdict::Warn, evidence, plain(t::LISTENED_NOT_OPEN_NEXT))
        }
    }
}

/// The group has its subscriptions, and nothing comes: its stream cannot be opened, or breaks.
fn stream_fails(found: &Found, group: i64) -> Step {
    let alerts: Vec<&Alert> = alerts::of_group(&found.alerts, group).collect();
    let since = alerts.iter().map(|alert| alert.since).min();
    let codes: Vec<String> = alerts.iter().map(|alert| alert.code.to_string()).collect();
    let evidence = match &found.facts.stream {
        // it has been so for long, and nobody was alarmed
        Some(state) if alerts.is_empty() => calls::not_open(group, state),
        _ => said(
            t::LISTENED_FAILS,
            [("group", group.to_string()), ("codes", codes.join(", ")), ("at", maybe(since))],
        ),
    };
    Step::new(t::LISTENED, Verdict::Fail, evidence, plain(t::LISTENED_FAILS_NEXT))
}

/// Does the code say that Exchange was not reached, or did not answer? Rights have nothing to do with that.
fn is_outage(code: &str) -> bool {
    matches!(code, "no connection" | "timeout" | "broken connection" | "stream ended")
        || code.starts_with("HTTP 5")
}

fn adopted(found: &Found) -> Step {
    match found.facts.adopted_at {
        Some(at) => Step::ok(t::ADOPTED, said(t::ADOPTED_OK, [("at", moment(at))])),
        None => Step::new(t::ADOPTED, Verdict::Warn, plain(t::ADOPTED_NOT), plain(t::ADOPTED_NEXT)),
    }
}

fn notified(found: &Found) -> Step {
    let facts = &found.facts;
    let Some((at, kind, outcome)) = &facts.last_notification else {
        return Step::ok(t::NOTIFIED, plain(t::NOTIFIED_NONE));
    };
    if facts.counts.notifications_set_aside > 0 {
        let count = facts.counts.notifications_set_aside.to_string();
        let evidence = said(t::NOTIFIED_ASIDE, [("count", count), ("at", moment(*at))]);
        let next = said(t::NOTIFIED_ASIDE_NEXT, [("mailbox", found.mail.clone())]);
        return Step::new(t::NOTIFIED, Verdict::Warn, evidence, next);
    }
    let (when, kind) = ([("at", moment(*at))], word(stored::kind(kind), kind));
    let evidence = match outcome {
        Some(outcome) => {
            let outcome = word(stored::handled(outcome), outcome);
            said(t::NOTIFIED_OK, when).with("kind", kind).with("outcome", outcome)
        }
        None => said(t::NOTIFIED_WAITS, when).with("kind", kind),
    };
    Step::ok(t::NOTIFIED, evidence)
}

/// What a stored word is called, or the word.
fn word(known: Option<Text>, stored: &str) -> Said {
    known.map_or_else(|| said(s::OTHER, [("what", stored.to_owned())]), plain)
}

fn decided(found: &Found) -> Step {
    let facts = &found.facts;
    let there = facts.counts.there.to_string();
    let text = if facts.counts.there == 1 { t::DECIDED_ONE } else { t::DECIDED_OK };
    match facts.last_decision.as_ref().and_then(|key| key.decided_at) {
        Some(at) => Step::ok(t::DECIDED, said(text, [("at", moment(at)), ("there", there)])),
        None => Step::ok(t::DECIDED, plain(t::DECIDED_NONE)),
    }
}

/// Can Planner be reached, and do calls to it work? As `doctor` tells it.
fn planner(alerts: &[Alert], sending: &Sending, way: Way, planner_answers: bool) -> Step {
    let failure = sending.failure.clone();
    let known = Known { alerts: alerts.to_vec(), failure, planner_answers, ..Known::default() };
    calls::planner(t::PLANNER, way, Some(&known))
}

fn sent(found: &Found) -> Step {
    // what was refused does not hide what waits
    let told = [stopped_keys(found), waiting_keys(found)].into_iter().flatten();
    let told =
        told.reduce(|(stopped, list), (waits, look)| (ready::both(stopped, waits), ready::both(list, look)));
    match told {
        Some((evidence, next)) => Step::new(t::SENT, Verdict::Warn, evidence, next),
        None => received(found),
    }
}

/// What Planner refused and what was set aside, and what to do.
fn stopped_keys(found: &Found) -> Option<(Said, Said)> {
    let counts = &found.facts.counts;
    let values = [("refused", counts.refused.to_string()), ("aside", counts.set_aside.to_string())];
    let next = || said(t::SENT_STOPPED_NEXT, [("mailbox", found.mail.clone())]);
    (counts.set_aside + counts.refused > 0).then(|| (said(t::SENT_STOPPED, values), next()))
}

/// What is to be sent, what it waits for, and what to do.
fn waiting_keys(found: &Found) -> Option<(Said, Said)> {
    let oldest = found.oldest.as_ref()?;
    let values = [("count", found.facts.counts.unsent.to_string()), ("at", moment(oldest.decided_at))];
    let (text, holds) = hold_text(oldest.hold, &found.sending);
    let hold = Said { text, values: holds, words: Vec::new() };
    let next = match (&found.sending.failure, found.sending.dry_run) {
        (Some(_), false) => plain(t::SENT_FAILS_NEXT),
        _ => said(t::SENT_UNSENT_NEXT, [("mailbox", found.mail.clone())]),
    };
    Some((said(t::SENT_UNSENT, values).with("hold", hold), next))
}

/// The last receipt.
fn received(found: &Found) -> Step {
    match &found.facts.last_receipt {
        Some((at, code, outcome)) => {
            let code = code.map_or_else(|| "-".to_owned(), |code| code.to_string());
            let outcome = word(stored::receipt(outcome), outcome);
            Step::ok(
                t::SENT,
                said(t::SENT_OK, [("at", moment(*at)), ("code", code)]).with("outcome", outcome),
            )
        }
        None => Step::ok(t::SENT, plain(t::SENT_NONE)),
    }
}

fn held(found: &Found) -> Step {
    match found.facts.counts.withheld {
        0 => Step::ok(t::HELD, plain(t::HELD_NONE)),
        count => Step::new(
            t::HELD,
            Verdict::Warn,
            said(t::HELD_SOME, [("count", count.to_string())]),
            plain(t::HELD_NEXT),
        ),
    }
}

fn compared(found: &Found) -> Step {
    // taking over compares, too
    match found.facts.compared_at.max(found.facts.adopted_at) {
        Some(at) => Step::ok(t::COMPARED, said(t::COMPARED_OK, [("at", moment(at))])),
        None => Step::new(
            t::COMPARED,
            Verdict::Open,
            plain(t::COMPARED_NOT),
            said(t::COMPARED_NEXT, [("mailbox", found.mail.clone())]),
        ),
    }
}

#[cfg(test)]
mod tests;
