//! `mailbox`: mailboxes one by one; whether they are used, why not, and everything that is known of one.

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::alerts::Alert;
use store::inspect::{MailboxFacts, Planner};
use store::resource_list::lists::ListEntry;
use store::resource_list::withdrawal::Withdrawal;

use super::diff::Sending;
use super::show::{counted_in, maybe, moment, pairs};
use super::unused::{self, Unused};
use super::{CommandError, Desk, lists, resources, status, stored, stream};
use crate::cli::tools::{
    MailboxAllowArgs, MailboxBlockArgs, MailboxListArgs, MailboxShowArgs, MailboxUnblockArgs,
};
use crate::texts::{Language, Text, lists as l, mailbox as t, words as w};

/// Shows mailboxes.
pub(crate) async fn list(desk: Desk, args: &MailboxListArgs) -> Result<(), CommandError> {
    resources::list_where(desk, !args.failing, |row, streams| match (args.failing, args.unused) {
        (true, _) => resources::is_failing(row, streams),
        (false, true) => row.deleted_date.is_some(),
        (false, false) => true,
    })
    .await
}

/// Blocks a mailbox, and with `withdraw` takes back what Planner holds.
pub(crate) async fn block(desk: Desk, args: &MailboxBlockArgs) -> Result<(), CommandError> {
    if !args.withdraw {
        return lists::block_mailbox(desk, &args.mailbox, &args.reason, &args.who).await;
    }
    let by = args.who.name();
    let store = &desk.store;
    let listed = store.resource_row(&args.mailbox).await?.is_some();
    // whoever was blocked before Planner's list came is no resource, and is known all the same
    if !listed && store.blocked(&args.mailbox).await?.is_none() {
        return Err(unknown(&desk, &args.mailbox).await?);
    }
    let done = store.add_to_blacklist_and_withdraw(&args.mailbox, &args.reason, &by, desk.now()).await?;
    let fields = json!({
        "mailbox": args.mailbox.as_str(), "reason": args.reason, "withdrawn": done.decided,
    });
    desk.record(&by, "mailbox block --withdraw", fields).await;
    let sending = Sending::now(&desk).await?;
    let value = json!({
        "mailbox": args.mailbox.as_str(),
        "new": done.edit.entries > 0,
        "was_in_use": done.edit.dropped > 0,
        "withdrawn": done.decided,
        "to_send": done.to_send,
        "adopted": done.adopted,
        "dry_run": sending.dry_run,
    });
    desk.answer(&value, || match listed {
        true => withdrawn_text(&args.mailbox, &done, &sending, desk.language),
        false => l::WITHDRAWN_UNLISTED.fill(desk.language, &[("mailbox", &args.mailbox)]),
    });
    Ok(())
}

fn withdrawn_text(mail: &MailAddress, done: &Withdrawal, sending: &Sending, language: Language) -> String {
    let text = if done.to_send == 1 { t::WITHDRAWN_ONE } else { t::WITHDRAWN_MANY };
    let mut text = text.fill(language, &[("mailbox", mail), ("n", &done.to_send)]);
    if !done.adopted {
        text.push_str(&format!("\n{}", t::WITHDRAWN_UNKNOWN.say(language)));
    }
    for remark in sending.remarks() {
        text.push_str(&format!("\n{}", remark.say(language)));
    }
    text
}

/// Ends a block.
pub(crate) async fn unblock(desk: Desk, args: &MailboxUnblockArgs) -> Result<(), CommandError> {
    lists::unblock_mailbox(desk, &args.mailbox, args.reason.as_deref(), &args.who).await
}

/// Puts a mailbox on the whitelist.
pub(crate) async fn allow(desk: Desk, args: &MailboxAllowArgs) -> Result<(), CommandError> {
    let by = args.who.name();
    let mail = &args.mailbox;
    let edit = lists::meant(desk.language, args.yes, async |sure| {
        desk.store.add_to_whitelist(std::slice::from_ref(mail), &by, sure, desk.now()).await
    })
    .await?;
    if let Some(reason) = &args.reason {
        desk.store.note_whitelist_reason(std::slice::from_ref(mail), reason).await?;
    }
    let facts = desk.store.mailbox_facts(mail).await?;
    let fields = json!({ "mailbox": mail.as_str(), "reason": args.reason, "dropped": edit.dropped });
    desk.record(&by, "mailbox allow", fields).await;
    let language = desk.language;
    let state = match &facts {
        Some(facts) => state_of(facts, language),
        None => unused::why(&desk.store, mail).await?.unwrap_or(Unused::NeverListed).text(language),
    };
    let value = json!({
        "mailbox": mail.as_str(), "new": edit.entries > 0, "dropped": edit.dropped, "revived": edit.revived,
        "in_use": facts.as_ref().map(|facts| facts.deleted_date.is_none()),
    });
    let erased = lists::erased_one(&desk, mail).await?;
    desk.answer(&lists::with_erased(value, &erased), || {
        let new = if edit.entries > 0 { t::ALLOWED_NOW } else { t::ALLOWED_BEFORE };
        let others = match edit.dropped {
            0 => String::new(),
            dropped => counted_in(language, dropped, t::OTHER_DROPPED, t::OTHERS_DROPPED),
        };
        let text = format!("{}{others}; {state}", new.fill(language, &[("mailbox", mail)]));
        lists::and_erased(text, &erased)
    });
    Ok(())
}

/// Shows everything that is known of a mailbox.
pub(crate) async fn show(desk: Desk, args: &MailboxShowArgs) -> Result<(), CommandError> {
    let mail = &args.mailbox;
    if let Some(facts) = desk.store.mailbox_facts(mail).await? {
        let alerts = status::alerts::merged(desk.store.standing_alerts().await?);
        let facts = with_stream(facts, &alerts);
        desk.answer(&value(&facts), || text(&facts, desk.language));
        return Ok(());
    }
    let blocked = match unused::why(&desk.store, mail).await?.unwrap_or(Unused::NeverListed) {
        Unused::Blocked(blocked) => blocked,
        other => return Err(other.refusal(mail)),
    };
    let whitelist = desk.store.whitelist().await?;
    let allowed = on_list(&whitelist, mail);
    let value = json!({
        "mailbox": mail.as_str(), "in_use": false, "listed_since": Value::Null,
        "blacklisted": {
            "reason": blocked.reason, "by": blocked.added_by, "since": blocked.added_at.to_string(),
        },
        "whitelisted": allowed.is_some(),
        "whitelist_entry": allowed.map(|entry| json!({
            "reason": entry.reason, "by": entry.added_by, "since": entry.added_at.to_string(),
        })),
    });
    desk.answer(&value, || unlisted_text(mail, &blocked, &whitelist, desk.language));
    Ok(())
}

/// The entry of this mailbox.
fn on_list<'a>(list: &'a [ListEntry], mail: &MailAddress) -> Option<&'a ListEntry> {
    list.iter().find(|entry| lists::normal(&entry.mail) == mail.as_str())
}

/// Somebody who is blocked, and of whom nothing else is stored but who may be on the whitelist.
fn unlisted_text(
    mail: &MailAddress,
    blocked: &ListEntry,
    whitelist: &[ListEntry],
    language: Language,
) -> String {
    let allowed = on_list(whitelist, mail);
    let entry = allowed.map(|entry| (entry.reason.as_deref(), entry.added_by.as_str(), entry.added_at));
    let lines = [
        (t::LABEL_MAILBOX, mail.to_string()),
        (t::LABEL_STATE, l::BLOCKED_UNLISTED.say(language).to_owned()),
        (t::LABEL_BLOCKED, blocked_text(blocked, t::BLOCKED, language)),
        (t::LABEL_WHITELIST, whitelist_text(!whitelist.is_empty(), allowed.is_some(), entry, language)),
    ];
    pairs(&lines.map(|(label, value)| (label.say(language), value)))
}

/// Is there a whitelist, is the mailbox on it, and if so why, by whom and since when?
fn whitelist_text(
    there_is_one: bool,
    is_on_it: bool,
    entry: Option<(Option<&str>, &str, Timestamp)>,
    language: Language,
) -> String {
    let text = match (there_is_one, is_on_it) {
        (false, _) => t::NO_WHITELIST,
        (true, true) => t::ON_WHITELIST,
        (true, false) => t::OFF_WHITELIST,
    };
    let allowed = entry.filter(|_| there_is_one).map(|(why, by, at)| {
        let why = why.unwrap_or(w::NO_REASON.say(language));
        format!(": {}", t::BLOCKED.fill(language, &[("why", &why), ("by", &by), ("at", &moment(at))]))
    });
    format!("{}{}", text.say(language), allowed.unwrap_or_default())
}

/// Why, by whom and since when somebody is blocked.
pub(super) fn blocked_text(blocked: &ListEntry, text: Text, language: Language) -> String {
    let why = blocked.reason.as_deref().unwrap_or(w::NO_REASON.say(language));
    text.fill(language, &[("why", &why), ("by", &blocked.added_by), ("at", &moment(blocked.added_at))])
}

/// Why nothing is known of a mailbox.
pub(crate) async fn unknown(desk: &Desk, mail: &MailAddress) -> Result<CommandError, CommandError> {
    Ok(unused::why(&desk.store, mail).await?.unwrap_or(Unused::NeverListed).refusal(mail))
}

/// In use, blocked or not in use, and why.
pub(crate) fn state_of(facts: &MailboxFacts, language: Language) -> String {
    if let Some((why, by, at)) = &facts.blacklisted {
        return l::BLOCKED_BY.fill(language, &[("by", by), ("at", &moment(*at)), ("why", why)]);
    }
    let (reason, error) = (facts.deleted_reason.as_deref(), facts.error_code.as_deref());
    resources::use_state(facts.deleted_date, reason, error, language)
}

fn text(facts: &MailboxFacts, language: Language) -> String {
    let state = match facts.deleted_date.filter(|_| facts.blacklisted.is_some()) {
        // who, when and why stand on a line of their own
        Some(since) => t::BLOCKED_SINCE.fill(language, &[("at", &moment(since))]),
        None => state_of(facts, language),
    };
    let mut lines: Vec<(Text, String)> = vec![
        (t::LABEL_MAILBOX, facts.mail.clone()),
        (t::LABEL_NAME, facts.name.clone()),
        (t::LABEL_KIND, resources::kind_text(facts.is_case_worker).say(language).to_owned()),
        (t::LABEL_STATE, state),
    ];
    lines.extend(use_lines(facts, language));
    lines.extend(listening_lines(facts, language));
    lines.extend(planner_lines(facts, language));
    lines.extend(last_lines(facts, language));
    lines.retain(|(_, value)| !value.is_empty());
    let lines: Vec<(&str, String)> =
        lines.into_iter().map(|(label, value)| (label.say(language), value)).collect();
    pairs(&lines)
}

fn use_lines(facts: &MailboxFacts, language: Language) -> Vec<(Text, String)> {
    let entry = facts.whitelist_entry.as_ref().map(|(why, by, at)| (why.as_deref(), by.as_str(), *at));
    let whitelist = whitelist_text(facts.whitelist_in_use, facts.whitelisted, entry, language);
    let blocked = facts
        .blacklisted
        .as_ref()
        .map(|(why, by, at)| t::BLOCKED.fill(language, &[("why", why), ("by", by), ("at", &moment(*at))]));
    let withdrawn = facts.withdrawn.as_ref();
    let withdrawn =
        withdrawn.map(|(at, by)| t::WITHDRAWN.fill(language, &[("by", by), ("at", &moment(*at))]));
    vec![
        (t::LABEL_BLOCKED, blocked.unwrap_or_default()),
        (t::LABEL_WITHDRAWN, withdrawn.unwrap_or_default()),
        (t::LABEL_WHITELIST, whitelist),
        (t::LABEL_LISTED, maybe(facts.created_at)),
    ]
}

/// The facts as `status` and `mailbox list` count them: while the stream of its group fails it is not listened to, whatever
/// subscription it has.
fn with_stream(mut facts: MailboxFacts, alerts: &[Alert]) -> MailboxFacts {
    let fails = |group| status::stream_fails(group, facts.stream.as_ref(), alerts, facts.seen_at);
    if facts.deleted_date.is_none() && facts.group.is_some_and(fails) {
        (facts.subscribed, facts.last_success) = (false, None);
    }
    facts
}

/// Since when it has been listened to; nothing where it is not used any more, or cannot be listened to now, whenever that
/// once began.
fn listened_since(facts: &MailboxFacts) -> Option<Timestamp> {
    facts.last_success.filter(|_| facts.deleted_date.is_none() && facts.error_code.is_none())
}

fn listening_lines(facts: &MailboxFacts, language: Language) -> Vec<(Text, String)> {
    let error = facts.error_code.as_ref().map(|code| {
        let next = match facts.retry_at {
            Some(at) => t::TRIED_AT.fill(language, &[("at", &moment(at))]),
            None => t::TRIED_NOW.say(language).to_owned(),
        };
        let text = stored::parts(facts.error_description.as_deref().unwrap_or_default(), language);
        let (n, at) = (facts.error_count, maybe(facts.error_date));
        t::ERROR.fill(language, &[("code", code), ("text", &text), ("n", &n), ("at", &at), ("next", &next)])
    });
    let subscription = match (facts.group, facts.subscribed) {
        (None, _) => t::NO_GROUP.say(language).to_owned(),
        (Some(group), true) => t::SUBSCRIBED.fill(language, &[("group", &group)]),
        (Some(group), false) => t::NOT_SUBSCRIBED.fill(language, &[("group", &group)]),
    };
    let place = facts.endpoint.as_ref().map(|endpoint| {
        let place = if facts.location_doubted { t::PLACE_DOUBTED } else { t::PLACE };
        let (group, at) = (facts.grouping_value.as_deref().unwrap_or_default(), maybe(facts.located_at));
        let group = stored::say((group == t::CONFIGURED.en).then_some(t::CONFIGURED), group, language);
        place.fill(language, &[("endpoint", endpoint), ("group", &group), ("at", &at)])
    });
    vec![
        (t::LABEL_PLACE, place.unwrap_or_else(|| t::NOT_LOCATED.say(language).to_owned())),
        (t::LABEL_SUBSCRIPTION, subscription),
        (
            t::LABEL_STREAM,
            facts.stream.as_ref().map(|state| stream::words(state, language)).unwrap_or_default(),
        ),
        (t::LABEL_LISTENED, maybe(listened_since(facts))),
        (t::LABEL_CAUGHT_UP, maybe(facts.caught_up_at)),
        (t::LABEL_ERROR, error.unwrap_or_default()),
    ]
}

fn planner_lines(facts: &MailboxFacts, language: Language) -> Vec<(Text, String)> {
    let counts = &facts.counts;
    let appointments = [
        (counts.there, t::N_THERE),
        (counts.held, t::N_HELD),
        (counts.unsent, t::N_UNSENT),
        (counts.in_flight, t::N_IN_CALL),
        (counts.set_aside, t::N_ASIDE),
        (counts.refused, t::N_REFUSED),
        (counts.planner_own, t::N_OWN),
        (counts.withheld, t::N_WITHHELD),
    ];
    let told = |all: &[(u64, Text)]| {
        let some = all.iter().filter(|(count, _)| *count > 0);
        some.map(|(count, what)| what.fill(language, &[("n", count)])).collect::<Vec<_>>().join(", ")
    };
    let notifications =
        told(&[(counts.notifications, t::N_WAITING), (counts.notifications_set_aside, t::N_ASIDE)]);
    let not_yet = || t::NOT_YET.say(language).to_owned();
    let read = facts.last_full_sync.map(|at| match facts.full_read_whole {
        Some(false) => t::READ_PARTLY.fill(language, &[("at", &moment(at))]),
        _ => moment(at),
    });
    vec![
        (t::LABEL_ADOPTED, facts.adopted_at.map_or_else(not_yet, moment)),
        (t::LABEL_READ, read.unwrap_or_else(not_yet)),
        (t::LABEL_COMPARED, maybe(facts.compared_at)),
        (t::LABEL_COMPARED_NEXT, maybe(facts.compare_due_at)),
        (t::LABEL_APPOINTMENTS, told(&appointments)),
        (t::LABEL_NOTIFICATIONS, notifications),
    ]
}

/// What became of a notification, where anything did.
fn notification_text(outcome: Option<&str>, language: Language) -> String {
    let Some(outcome) = outcome else { return t::STILL_WAITS.say(language).to_owned() };
    let aside = (outcome == t::NOTIFICATION_ASIDE.en).then_some(t::NOTIFICATION_ASIDE);
    stored::say(aside.or_else(|| stored::handled(outcome)), outcome, language)
}

fn last_lines(facts: &MailboxFacts, language: Language) -> Vec<(Text, String)> {
    let notification = facts.last_notification.as_ref().map(|(at, kind, outcome)| {
        let outcome = notification_text(outcome.as_deref(), language);
        format!("{} {}: {outcome}", moment(*at), stored::say(stored::kind(kind), kind, language))
    });
    let decision = facts.last_decision.as_ref().map(|key| {
        let what = if key.wanted == Some(true) { t::DECIDED_THERE } else { t::DECIDED_ABSENT };
        what.fill(language, &[("at", &maybe(key.decided_at)), ("origin", &key.origin_id)])
    });
    let call = facts.last_call.as_ref().map(|(at, call, success)| {
        let how = match success {
            None => t::UNDER_WAY,
            Some(true) => t::WORKED,
            Some(false) => t::FAILED,
        };
        how.fill(language, &[("at", &moment(*at)), ("call", call)])
    });
    let receipt = facts.last_receipt.as_ref().map(|(at, code, outcome)| {
        let code = code.map_or_else(|| t::NO_CODE.say(language).to_owned(), |code| code.to_string());
        let outcome = stored::say(stored::receipt(outcome), outcome, language);
        t::RECEIPT.fill(language, &[("at", &moment(*at)), ("code", &code), ("outcome", &outcome)])
    });
    vec![
        (t::LABEL_LAST_NOTIFICATION, notification.unwrap_or_default()),
        (t::LABEL_LAST_DECISION, decision.unwrap_or_default()),
        (t::LABEL_LAST_CALL, call.unwrap_or_default()),
        (t::LABEL_LAST_RECEIPT, receipt.unwrap_or_default()),
    ]
}

/// A mailbox for programs.
pub(crate) fn value(facts: &MailboxFacts) -> Value {
    let at = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let counts = &facts.counts;
    json!({
        "mailbox": facts.mail,
        "name": facts.name,
        "kind": if facts.is_case_worker { "case worker" } else { "room" },
        "in_use": facts.deleted_date.is_none(),
        "deleted_date": at(facts.deleted_date),
        "deleted_reason": facts.deleted_reason,
        "blacklisted": facts.blacklisted.as_ref().map(|(reason, by, since)| {
            json!({ "reason": reason, "by": by, "since": since.to_string() })
        }),
        "withdrawn": facts.withdrawn.as_ref().map(|(since, by)| json!({ "by": by, "since": since.to_string() })),
        "whitelisted": facts.whitelisted,
        "whitelist_entry": facts.whitelist_entry.as_ref().map(|(reason, by, since)| {
            json!({ "reason": reason, "by": by, "since": since.to_string() })
        }),
        "listed_since": at(facts.created_at),
        "endpoint": facts.endpoint,
        "grouping_value": facts.grouping_value,
        "located_at": at(facts.located_at),
        "location_doubted": facts.location_doubted,
        "group": facts.group,
        "stream": stream::value(facts.stream.as_ref()),
        "subscribed": facts.subscribed,
        "listened_to_since": at(listened_since(facts)),
        "caught_up_at": at(facts.caught_up_at),
        "error": facts.error_code.as_ref().map(|code| json!({
            "code": code, "text": facts.error_description, "since": at(facts.error_date),
            "count": facts.error_count, "retry_at": at(facts.retry_at),
        })),
        "adopted_at": at(facts.adopted_at),
        "last_full_sync": at(facts.last_full_sync),
        "full_read_whole": facts.full_read_whole,
        "sends": facts.sendable,
        "compared_at": at(facts.compared_at),
        "compare_due_at": at(facts.compare_due_at),
        "appointments": {
            "there": counts.there, "held": counts.held, "unsent": counts.unsent, "in_flight": counts.in_flight,
            "set_aside": counts.set_aside, "refused": counts.refused, "planner_own": counts.planner_own,
            "withheld": counts.withheld,
        },
        "notifications": { "waiting": counts.notifications, "set_aside": counts.notifications_set_aside },
        "last_notification": facts.last_notification.as_ref().map(|(at, kind, outcome)| {
            json!({ "at": at.to_string(), "kind": kind, "outcome": outcome })
        }),
        "last_decision": facts.last_decision.as_ref().map(|key| json!({
            "at": at(key.decided_at), "origin_id": key.origin_id.as_str(), "version": key.version,
            "there": key.wanted, "held": !matches!(key.planner, Planner::Nothing),
        })),
        "last_call": facts.last_call.as_ref().map(|(at, call, success)| {
            json!({ "at": at.to_string(), "call": call, "success": success })
        }),
        "last_receipt": facts.last_receipt.as_ref().map(|(at, code, outcome)| {
            json!({ "at": at.to_string(), "code": code, "outcome": outcome })
        }),
    })
}

#[cfg(test)]
mod tests {
    use store::group_streams::StreamState;

    use super::*;

    /// Regression: a notification that was set aside was told as waiting, two lines below their number.
    #[test]
    fn the_last_notification_tells_that_it_was_set_aside() {
        for (outcome, english, danish) in [
            (None, "waits", "venter"),
            (Some("set aside"), "set aside", "lagt til side"),
            (Some("unchanged"), "unchanged", "uændret"),
            (Some("put off"), "put off", "put off"),
        ] {
            let told = |language| notification_text(outcome, language);
            assert_eq!((told(Language::En).as_str(), told(Language::Da).as_str()), (english, danish));
        }
    }

    /// Regression: who was blocked and is no resource had no line of the whitelist; and who was erased, and may be listed
    /// again, was told to have been blocked before Planner's list came.
    #[test]
    fn who_is_blocked_and_no_resource_is_told_with_the_whitelist_and_nothing_that_may_be_wrong() {
        let mail = MailAddress::parse("eva@x.dk").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let entry = |mail: &str, reason: Option<&str>| ListEntry {
            mail: mail.into(),
            reason: reason.map(str::to_owned),
            added_by: "kim".into(),
            added_at: at,
            in_use: None,
        };
        let blocked = entry("eva@x.dk", Some("has left"));
        let told = |list: &[ListEntry], language| unlisted_text(&mail, &blocked, list, language);
        let on_it = [entry("bo@x.dk", None), entry(" Eva@X.dk", Some("pilot"))];
        for (list, english) in [
            (&on_it[..], format!("on it: pilot (by kim, {})", moment(at))),
            (&on_it[..1], "not on it".to_owned()),
            (&on_it[..0], "no whitelist: everybody is used".to_owned()),
        ] {
            let page = told(list, Language::En);
            assert!(page.ends_with(&english), "{page}");
            assert!(page.contains("nothing else is known of it") && !page.contains("before"), "{page}");
            assert_ne!(told(list, Language::Da), page);
        }
    }

    /// Regression: it was called subscribed while `status` counted nobody, and `mailbox list` said that the stream fails.
    #[test]
    fn who_is_on_a_stream_that_fails_is_not_listened_to() {
        let at = |second| Timestamp::from_second(1_900_000_000 + second).unwrap();
        let facts = |open: bool, seen: i64| MailboxFacts {
            group: Some(4),
            subscribed: true,
            last_success: Some(at(0)),
            seen_at: at(seen),
            stream: Some(StreamState {
                open,
                since: at(0),
                happening: "away".to_owned(),
                code: None,
                happened_at: at(0),
            }),
            ..MailboxFacts::default()
        };
        let alert = Alert {
            code: 4908,
            since: at(1),
            last_at: at(1),
            occurrences: 1,
            subjects: vec!["4".to_owned()],
        };
        let (none, alarmed): (&[Alert], &[Alert]) = (&[], std::slice::from_ref(&alert));
        for (open, seen, alerts, listened) in [
            (true, 600, none, true),
            // it was opened again, and the alert is not over yet
            (true, 600, alarmed, true),
            (false, 10, none, true),
            (false, 10, alarmed, false),
            (false, 600, none, false),
        ] {
            let told = with_stream(facts(open, seen), alerts);
            assert_eq!((told.subscribed, told.last_success.is_some()), (listened, listened), "{open} {seen}");
        }
        let told = text(&with_stream(facts(false, 600), none), Language::En);
        assert!(told.contains("group 4, not subscribed") && told.contains("not open since"), "{told}");
    }

    /// Whoever withdraws while nothing is sent must not think that Planner is told.
    #[test]
    fn a_withdrawal_says_that_nothing_is_sent_while_nothing_is() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let done = Withdrawal { to_send: 2, adopted: true, ..Withdrawal::default() };
        let told = |dry_run, language| {
            withdrawn_text(&mail, &done, &Sending { dry_run, ..Sending::default() }, language)
        };
        assert!(told(true, Language::En).ends_with("planner.dry_run is set: nothing is sent"));
        assert!(told(true, Language::Da).ends_with("planner.dry_run er sat: intet sendes"));
        assert!(!told(false, Language::En).contains("dry_run"));
    }

    /// It may have been adopted long ago, and an adoption asked for again: then "never" would be wrong.
    #[test]
    fn a_withdrawal_before_an_adoption_says_what_may_stay_and_nothing_of_what_was_before() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let told = |adopted, language| {
            let done = Withdrawal { to_send: 2, adopted, ..Withdrawal::default() };
            withdrawn_text(&mail, &done, &Sending::default(), language)
        };
        let (english, danish) = (told(false, Language::En), told(false, Language::Da));
        assert!(
            english.contains("its adoption was still to be done, for the first time or anew"),
            "{english}"
        );
        assert!(danish.contains("dens overtagelse manglede endnu, første gang eller på ny"), "{danish}");
        assert!(!english.contains("never") && !danish.contains("aldrig"), "{english}\n{danish}");
        assert!(!told(true, Language::En).contains("adoption"));
    }
}
