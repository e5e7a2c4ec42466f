//! The picture for people.

use std::fmt::Display;

use jiff::Timestamp;
use store::instances::Instance;

use super::super::diff::waits;
use super::super::show::{moment, pairs, table};
use super::super::stored;
use super::super::stream::words;
use super::judge::{self, Pulse, Remark, Stage, Stream, age, short};
use super::{Picture, age_s, alerts, event_meaning, failing_of, listened_of};
use crate::texts::status as t;
use crate::texts::{Language, Text};

/// Most affinity groups that are shown.
const GROUPS_SHOWN: usize = 100;

/// All of it.
pub(super) fn page(picture: &Picture, language: Language) -> String {
    let parts = [
        remarks(picture, language),
        section(t::STAGES, stages(picture, language), language),
        section(t::INSTANCES, instances(picture, language), language),
        section(t::GROUPS, groups(picture, language), language),
        section(t::ACCOUNTS, accounts(picture, language), language),
        section(t::QUEUES, queues(picture, language), language),
        section(t::RESOURCES, resources(picture, language), language),
        section(t::BUDGET, budget(picture, language), language),
        section(t::ALERTS, standing(picture, language), language),
        section(t::RAISED, raised(picture, language), language),
    ];
    parts.join("\n\n")
}

fn section(title: Text, body: String, language: Language) -> String {
    format!("{}\n{body}", title.say(language))
}

fn headings<const N: usize>(texts: [Text; N], language: Language) -> [&'static str; N] {
    texts.map(|text| text.say(language))
}

fn remarks(picture: &Picture, language: Language) -> String {
    let (remarks, notes) = (judge::remarks(picture), judge::notes(picture));
    let title = if remarks.is_empty() { t::WELL } else { t::NOT_WELL };
    let mut text = told(title, &remarks, language);
    if !notes.is_empty() {
        text.push_str(&format!("\n\n{}", told(t::NOTES, &notes, language)));
    }
    text
}

fn told(title: Text, remarks: &[Remark], language: Language) -> String {
    let mut text = title.say(language).to_owned();
    for (what, next) in remarks.iter().map(|remark| remark.text(language)) {
        text.push_str(&format!("\n  {what}\n    {}: {next}", t::NEXT.say(language)));
    }
    text
}

fn standing(picture: &Picture, language: Language) -> String {
    let rows = picture.alerts.iter().map(|alert| {
        vec![
            alert.code.to_string(),
            alerts::meaning(alert.code, language).to_owned(),
            if alerts::is_critical(alert) { t::CRITICAL.say(language).to_owned() } else { String::new() },
            alerts::about(alert, language),
            alert.occurrences.to_string(),
            moment(alert.since),
            moment(alert.last_at),
        ]
    });
    let headings =
        headings([t::CODE, t::MEANING, t::CRITICAL_HEADING, t::ABOUT, t::TIMES, t::SINCE, t::LAST], language);
    table(&headings, rows.collect(), t::NONE.say(language))
}

fn stages(picture: &Picture, language: Language) -> String {
    let row = |stage: Stage| {
        let state = judge::stage_of(picture, stage);
        let words = match (state.runs(), state.missing.is_empty()) {
            (true, true) => t::RUNS.say(language).to_owned(),
            (true, false) if stage == Stage::Qualifier => {
                let shards = judge::free_shards(&picture.work);
                t::RUNS_SHARDS.fill(language, &[("count", &shards.free.len()), ("all", &shards.all)])
            }
            (true, false) => {
                let text = if state.missing.len() > 1 { t::RUN_PARTLY } else { t::RUNS_PARTLY };
                text.fill(language, &[("missing", &state.missing.join(", "))])
            }
            (false, _) => t::STANDS_STILL.say(language).to_owned(),
        };
        let owners: Vec<&str> = state.owners.iter().map(|owner| short(owner)).collect();
        vec![stage.text().say(language).to_owned(), words, owners.join(", ")]
    };
    let rows = Stage::ALL.into_iter().map(row).collect();
    table(&headings([t::STAGE, t::STATE, t::OWNERS], language), rows, "")
}

/// How an instance stands, with how long it has been silent where it is.
pub(super) fn pulse(one: &Instance, language: Language) -> String {
    let ago = one.heard.map(|heard| age(heard.ago.as_secs_f64()));
    let (plain, with_age) = match judge::pulse(one) {
        Pulse::Beats => return t::ALIVE.say(language).to_owned(),
        Pulse::Late => (t::ALIVE, t::ALIVE_SEEN),
        Pulse::Silent => (t::ALIVE, t::SILENT_SEEN),
        Pulse::Gone => (t::GONE, t::GONE_SEEN),
    };
    match ago {
        Some(ago) => with_age.fill(language, &[("age", &ago)]),
        None => plain.say(language).to_owned(),
    }
}

fn instances(picture: &Picture, language: Language) -> String {
    let rows = picture.work.instances.iter().map(|one| {
        vec![
            short(&one.name).to_owned(),
            pulse(one, language),
            one.roles.join(", "),
            one.version.clone(),
            moment(one.started_at),
            one.leases.to_string(),
        ]
    });
    let headings = headings([t::INSTANCE, t::STATE, t::ROLES, t::VERSION, t::SINCE, t::LEASES], language);
    table(&headings, rows.collect(), t::NO_INSTANCE.say(language))
}

fn groups(picture: &Picture, language: Language) -> String {
    let (groups, streams) = (&picture.work.groups, picture.streams());
    let rows = groups.iter().take(GROUPS_SHOWN).map(|group| {
        let stream = match judge::stream(picture, group) {
            Stream::Nobodys => t::STREAM_NOBODY.say(language).to_owned(),
            Stream::Owned => t::STREAM_OWNED.say(language).to_owned(),
            Stream::Fails => {
                let codes: Vec<String> =
                    alerts::of_group(&picture.alerts, group.id).map(|alert| alert.code.to_string()).collect();
                let codes = codes.join(", ");
                match &group.stream {
                    Some(state) => {
                        let state = words(state, language);
                        t::STREAM_FAILS_STATE.fill(language, &[("codes", &codes), ("state", &state)])
                    }
                    None => t::STREAM_FAILS.fill(language, &[("codes", &codes)]),
                }
            }
            Stream::Open | Stream::NotOpen => {
                group.stream.as_ref().map(|state| words(state, language)).unwrap_or_default()
            }
        };
        vec![
            group.id.to_string(),
            group.endpoint.clone(),
            account_name(picture, group.account, group.user_name.as_ref(), language),
            group.members.to_string(),
            listened_of(group, &streams).to_string(),
            failing_of(group, &streams).to_string(),
            stream,
        ]
    });
    let headings = headings(
        [t::GROUP, t::ENDPOINT, t::ACCOUNT, t::MAILBOXES, t::SUBSCRIBED, t::FAILING, t::STREAM],
        language,
    );
    let mut text = table(&headings, rows.collect(), t::NO_GROUP.say(language));
    if groups.len() > GROUPS_SHOWN {
        text.push_str(&format!("\n… ({})", groups.len()));
    }
    text
}

/// The name of an account, with where it stands if that is the configuration.
fn account_name(picture: &Picture, number: i64, stored: Option<&String>, language: Language) -> String {
    let user = picture.user(number, stored);
    match (user, number) {
        (Some(user), 0) => format!("{user} {}", t::OF_CONFIGURATION.say(language)),
        (Some(user), _) => user.clone(),
        (None, 0) => t::OF_CONFIGURATION.say(language).to_owned(),
        (None, _) => number.to_string(),
    }
}

fn accounts(picture: &Picture, language: Language) -> String {
    let rows = picture.accounts.accounts.iter().map(|one| {
        let waits = one.waits.map(|(until, why)| {
            let why = judge::back_off(why).say(language);
            t::WAITS_UNTIL.fill(language, &[("why", &why), ("until", &moment(until))])
        });
        let most = picture.limits.groups;
        vec![
            account_name(picture, one.account.get(), one.user_name.as_ref(), language),
            t::OF_LIMIT.fill(language, &[("count", &one.groups), ("limit", &most)]),
            one.mailboxes.to_string(),
            waits.unwrap_or_default(),
        ]
    });
    let headings = headings([t::ACCOUNT, t::GROUPS_OF, t::MAILBOXES, t::WAITS], language);
    table(&headings, rows.collect(), t::NONE.say(language))
}

fn lines(lines: &[(Text, String)], language: Language) -> String {
    let lines: Vec<(&str, String)> =
        lines.iter().map(|(name, value)| (name.say(language), value.clone())).collect();
    pairs(&lines)
}

fn queues(picture: &Picture, language: Language) -> String {
    let (work, queues) = (&picture.work, &picture.work.queues);
    let waiting = |count: i64, age_s: Option<f64>| match age_s {
        Some(seconds) if count > 0 => t::OLDEST.fill(language, &[("count", &count), ("age", &age(seconds))]),
        _ => count.to_string(),
    };
    let oldest = picture.oldest.as_ref().map_or_else(
        || t::NONE.say(language).to_owned(),
        |key| {
            let age = age(age_s(key.decided_at, work.at));
            let hold = waits(key.hold, &picture.sending, language);
            t::OLDEST_IS.fill(language, &[("age", &age), ("mailbox", &key.mail), ("hold", &hold)])
        },
    );
    let all = [
        (t::NOTIFICATIONS, waiting(queues.notifications, queues.oldest_notification_s)),
        (t::NOTIFICATIONS_ASIDE, queues.notifications_set_aside.to_string()),
        (t::UNSENT, queues.unsent.to_string()),
        (t::OLDEST_UNSENT, oldest),
        (t::IN_CALLS, queues.in_flight.to_string()),
        (t::KEYS_ASIDE, work.keys_set_aside.to_string()),
        (t::KEYS_REFUSED, work.keys_refused.to_string()),
        (t::WITHHELD, work.withheld.to_string()),
        (t::WITHDRAWN, work.withdrawals_unsent.to_string()),
    ];
    lines(&all, language)
}

fn resources(picture: &Picture, language: Language) -> String {
    let (work, queues) = (&picture.work, &picture.work.queues);
    let when = |at: Option<Timestamp>| at.map_or_else(|| t::NEVER.say(language).to_owned(), moment);
    let all = [
        (t::IN_USE, queues.resources.to_string()),
        (t::RESOURCES_FAILING, picture.failing().to_string()),
        (t::NOT_ADOPTED, queues.resources_not_adopted.to_string()),
        (t::NOT_COVERED, picture.accounts.not_covered.to_string()),
        (t::LIST_FETCHED, when(queues.resource_list_fetched_at)),
        (t::FULL_PULL, when(work.full_pull_at)),
        (t::COMPARISON, when(work.comparison_at)),
    ];
    lines(&all, language)
}

fn budget(picture: &Picture, language: Language) -> String {
    let (used, limits) = (&picture.work.budget, &picture.limits);
    let of = |count: u64, limit: Option<&dyn Display>| match limit {
        Some(limit) => t::OF_LIMIT.fill(language, &[("count", &count), ("limit", limit)]),
        None => t::UNLIMITED.fill(language, &[("count", &count)]),
    };
    let all = [
        (t::CALLS, of(used.calls, limits.calls.as_ref().map(|limit| limit as &dyn Display))),
        (t::EVENTS, of(used.events, limits.events.as_ref().map(|limit| limit as &dyn Display))),
        (t::IN_FLIGHT, of(used.in_flight, Some(&limits.simultaneous))),
        (t::CALLS_FAILED, used.failed.to_string()),
    ];
    lines(&all, language)
}

fn raised(picture: &Picture, language: Language) -> String {
    let rows = picture.work.events.iter().map(|event| {
        vec![
            event.event_id.to_string(),
            event_meaning(event.event_id, language).to_owned(),
            stored::say(stored::severity(&event.severity), &event.severity, language),
            event.count.to_string(),
            moment(event.last_at),
        ]
    });
    let headings = headings([t::CODE, t::MEANING, t::SEVERITY, t::TIMES, t::LAST], language);
    table(&headings, rows.collect(), t::NONE.say(language))
}
