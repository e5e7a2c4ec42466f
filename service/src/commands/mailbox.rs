//! `mailbox`: mailboxes one by one; whether they are used, why not, and everything that is known of one.

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::inspect::{MailboxFacts, Planner};
use store::resource_list::lists::Edited;
use store::resource_list::withdrawal::Withdrawal;

use super::show::{counted, maybe, moment, pairs};
use super::{CommandError, Desk, lists, resources};
use crate::cli::tools::{
    MailboxAllowArgs, MailboxBlockArgs, MailboxListArgs, MailboxShowArgs, MailboxUnblockArgs,
};

/// Shows mailboxes.
pub(crate) async fn list(desk: Desk, args: &MailboxListArgs) -> Result<(), CommandError> {
    resources::list_where(desk, |row| match (args.failing, args.unused) {
        (true, _) => row.deleted_date.is_none() && row.error_code.is_some(),
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
    if store.resource_row(&args.mailbox).await?.is_none() {
        return Err(CommandError::UnknownMailbox { mail: args.mailbox.to_string() });
    }
    let done = store.add_to_blacklist_and_withdraw(&args.mailbox, &args.reason, &by, desk.now()).await?;
    let fields = json!({
        "mailbox": args.mailbox.as_str(), "reason": args.reason, "withdrawn": done.decided,
    });
    desk.record(&by, "mailbox block --withdraw", fields).await;
    let value = json!({
        "mailbox": args.mailbox.as_str(),
        "new": done.edit.entries > 0,
        "was_in_use": done.edit.dropped > 0,
        "withdrawn": done.decided,
        "to_send": done.to_send,
        "adopted": done.adopted,
    });
    desk.answer(&value, || withdrawn_text(&args.mailbox, &done));
    Ok(())
}

fn withdrawn_text(mail: &MailAddress, done: &Withdrawal) -> String {
    let mut text = format!(
        "{mail} is blocked; {} to be deleted in Planner, `kommuneklient diff {mail}` shows what is left of it",
        counted(done.to_send, "appointment is", "appointments are")
    );
    if !done.adopted {
        text.push_str(
            "\nwhat Planner holds for it was never taken over: appointments that are not known here stay there",
        );
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
    let edited = desk.store.add_to_whitelist(std::slice::from_ref(mail), &by, args.yes, desk.now()).await?;
    let edit = match edited {
        Edited::Refused(edit) => {
            return Err(CommandError::NotSure { consequence: lists::consequence(&edit) });
        }
        Edited::Done(edit) => edit,
    };
    if let Some(reason) = &args.reason {
        desk.store.note_whitelist_reason(mail, reason).await?;
    }
    let facts = desk.store.mailbox_facts(mail).await?;
    let fields = json!({ "mailbox": mail.as_str(), "reason": args.reason, "dropped": edit.dropped });
    desk.record(&by, "mailbox allow", fields).await;
    let state = facts.as_ref().map_or_else(|| "Planner never listed it".to_owned(), state);
    let value = json!({
        "mailbox": mail.as_str(), "new": edit.entries > 0, "dropped": edit.dropped, "revived": edit.revived,
        "in_use": facts.as_ref().map(|facts| facts.deleted_date.is_none()),
    });
    desk.answer(&value, || {
        let new = if edit.entries > 0 { "is on the whitelist now" } else { "was on the whitelist already" };
        let others = match edit.dropped {
            0 => String::new(),
            dropped => {
                format!("; {} not used any more", counted(dropped, "other mailbox is", "other mailboxes are"))
            }
        };
        format!("{mail} {new}{others}; {state}")
    });
    Ok(())
}

/// Shows everything that is known of a mailbox.
pub(crate) async fn show(desk: Desk, args: &MailboxShowArgs) -> Result<(), CommandError> {
    let mail = &args.mailbox;
    let Some(facts) = desk.store.mailbox_facts(mail).await? else {
        return Err(unknown(&desk, mail).await?);
    };
    desk.answer(&value(&facts), || text(&facts));
    Ok(())
}

/// Why nothing is known of a mailbox.
pub(crate) async fn unknown(desk: &Desk, mail: &MailAddress) -> Result<CommandError, CommandError> {
    let mailbox = mail.to_string();
    Ok(match desk.store.tombstone(mail).await? {
        Some(tombstone) => CommandError::Erased { mail: mailbox, at: moment(tombstone.at), by: tombstone.by },
        None => CommandError::UnknownMailbox { mail: mailbox },
    })
}

/// In use or not, and why.
pub(crate) fn state(facts: &MailboxFacts) -> String {
    match (facts.deleted_date, &facts.deleted_reason, &facts.error_code) {
        (Some(since), reason, _) => {
            format!("not in use since {}: {}", moment(since), reason.as_deref().unwrap_or("no reason given"))
        }
        (None, _, Some(error)) => format!("in use, cannot be listened to: {error}"),
        (None, _, None) => "in use".to_owned(),
    }
}

fn text(facts: &MailboxFacts) -> String {
    let mut lines: Vec<(&str, String)> = vec![
        ("mailbox", facts.mail.clone()),
        ("name", facts.name.clone()),
        ("kind", if facts.is_case_worker { "case worker" } else { "room" }.to_owned()),
        ("state", state(facts)),
    ];
    lines.extend(use_lines(facts));
    lines.extend(listening_lines(facts));
    lines.extend(planner_lines(facts));
    lines.extend(last_lines(facts));
    lines.retain(|(_, value)| !value.is_empty());
    pairs(&lines)
}

fn use_lines(facts: &MailboxFacts) -> Vec<(&'static str, String)> {
    let blocked = facts.blacklisted.as_ref();
    let whitelist = match (facts.whitelist_in_use, facts.whitelisted) {
        (false, _) => "no whitelist: everybody is used",
        (true, true) => "on it",
        (true, false) => "not on it",
    };
    vec![
        (
            "blocked",
            blocked.map(|(why, by, at)| format!("{why} (by {by}, {})", moment(*at))).unwrap_or_default(),
        ),
        (
            "withdrawn",
            facts.withdrawn.as_ref().map(|(at, by)| format!("by {by}, {}", moment(*at))).unwrap_or_default(),
        ),
        ("whitelist", whitelist.to_owned()),
        ("listed since", maybe(facts.created_at)),
    ]
}

fn listening_lines(facts: &MailboxFacts) -> Vec<(&'static str, String)> {
    let error = facts.error_code.as_ref().map(|code| {
        let tried = match facts.retry_at {
            Some(at) => format!("tried again at {}", moment(at)),
            None => "tried again at once".to_owned(),
        };
        format!(
            "{code}: {} ({} in a row, last at {}, {tried})",
            facts.error_description.as_deref().unwrap_or_default(),
            facts.error_count,
            maybe(facts.error_date),
        )
    });
    let subscription = match (facts.group, facts.subscribed) {
        (None, _) => "no group".to_owned(),
        (Some(group), true) => format!("group {group}, subscribed"),
        (Some(group), false) => format!("group {group}, not subscribed"),
    };
    let doubt = if facts.location_doubted { ", in doubt" } else { "" };
    let place = facts.endpoint.as_ref().map(|endpoint| {
        format!(
            "{endpoint} ({}{doubt}), found {}",
            facts.grouping_value.as_deref().unwrap_or_default(),
            maybe(facts.located_at)
        )
    });
    vec![
        ("lives at", place.unwrap_or_else(|| "not located yet".to_owned())),
        ("subscription", subscription),
        ("listened to since", maybe(facts.last_success)),
        ("changes read to the end", maybe(facts.caught_up_at)),
        ("error", error.unwrap_or_default()),
    ]
}

fn planner_lines(facts: &MailboxFacts) -> Vec<(&'static str, String)> {
    let counts = &facts.counts;
    let whole = match facts.full_read_whole {
        Some(false) => " (some appointments could not be read)",
        _ => "",
    };
    let appointments = [
        (counts.there, "there"),
        (counts.held, "held by Planner"),
        (counts.unsent, "to be sent"),
        (counts.in_flight, "in a call"),
        (counts.set_aside, "set aside"),
        (counts.refused, "refused"),
        (counts.planner_own, "Planner's own"),
        (counts.withheld, "with their deletion withheld"),
    ];
    let told = |all: &[(u64, &str)]| {
        let some = all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        some.collect::<Vec<_>>().join(", ")
    };
    let notifications =
        told(&[(counts.notifications, "waiting"), (counts.notifications_set_aside, "set aside")]);
    vec![
        ("adopted", facts.adopted_at.map_or_else(|| "not yet".to_owned(), moment)),
        (
            "read in full",
            facts.last_full_sync.map_or_else(|| "not yet".to_owned(), |at| format!("{}{whole}", moment(at))),
        ),
        ("compared", maybe(facts.compared_at)),
        ("compared next", maybe(facts.compare_due_at)),
        ("appointments", told(&appointments)),
        ("notifications", notifications),
    ]
}

fn last_lines(facts: &MailboxFacts) -> Vec<(&'static str, String)> {
    let notification = facts.last_notification.as_ref().map(|(at, kind, outcome)| {
        format!("{} {kind}: {}", moment(*at), outcome.as_deref().unwrap_or("waits"))
    });
    let decision = facts.last_decision.as_ref().map(|key| {
        let what = if key.wanted == Some(true) { "there" } else { "absent" };
        format!("{} {what}, {}", maybe(key.decided_at), key.origin_id)
    });
    let call = facts.last_call.as_ref().map(|(at, call, success)| {
        let how = match success {
            None => "under way",
            Some(true) => "worked",
            Some(false) => "failed",
        };
        format!("{} {call}: {how}", moment(*at))
    });
    let receipt = facts.last_receipt.as_ref().map(|(at, code, outcome)| {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        format!("{} code {code}: {outcome}", moment(*at))
    });
    vec![
        ("last notification", notification.unwrap_or_default()),
        ("last decision", decision.unwrap_or_default()),
        ("last call", call.unwrap_or_default()),
        ("last receipt", receipt.unwrap_or_default()),
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
        "listed_since": at(facts.created_at),
        "endpoint": facts.endpoint,
        "grouping_value": facts.grouping_value,
        "located_at": at(facts.located_at),
        "location_doubted": facts.location_doubted,
        "group": facts.group,
        "subscribed": facts.subscribed,
        "listened_to_since": at(facts.last_success),
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
