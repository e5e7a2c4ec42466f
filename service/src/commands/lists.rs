//! `whitelist` and `blacklist`.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use serde_json::{Value, json};
use store::StoreError;
use store::inspect::Tombstone;
use store::resource_list::lists::{Edited, ListEdit, ListEntry};

use super::error::Consequence;
use super::show::{counted_in, moment, table_in};
use super::unused::Unused;
use super::{CommandError, Desk, confirm, mailbox};
use crate::cli::operators::{BlacklistAddArgs, BlacklistRemoveArgs, WhitelistArgs, Who};
use crate::texts::{Language, Text, lists as l, mailbox as t, words as w};

/// Shows the whitelist.
pub(crate) async fn whitelist(desk: Desk) -> Result<(), CommandError> {
    let entries = desk.store.whitelist().await?;
    let blocked = blocked_by_address(&desk).await?;
    let unlisted = entries.iter().filter(|entry| entry.in_use.is_none());
    let unlisted: Vec<String> = unlisted.map(|entry| normal(&entry.mail)).collect();
    let unlisted: Vec<&str> = unlisted.iter().map(String::as_str).collect();
    let erased = desk.store.tombstones(&unlisted).await?;
    let state = |entry: &ListEntry| {
        let mail = normal(&entry.mail);
        if let Some(tombstone) = erased.get(&mail) {
            return Unused::Erased(tombstone.clone()).text(desk.language);
        }
        match (blocked.get(&mail), entry.in_use) {
            (Some(blocked), _) => mailbox::blocked_text(blocked, l::BLOCKED_BY, desk.language),
            (None, Some(true)) => l::IN_USE.say(desk.language).to_owned(),
            (None, Some(false)) => l::NOT_IN_USE.say(desk.language).to_owned(),
            (None, None) => l::NEVER_LISTED.say(desk.language).to_owned(),
        }
    };
    show(&desk, &entries, state, l::WHITELIST_EMPTY);
    Ok(())
}

/// Who is blocked, each with who, when and why.
pub(super) async fn blocked_by_address(desk: &Desk) -> Result<BTreeMap<String, ListEntry>, CommandError> {
    let entries = desk.store.blacklist().await?;
    Ok(entries.into_iter().map(|entry| (normal(&entry.mail), entry)).collect())
}

/// An address of a list, as it may have been written by hand, like those of mailboxes.
pub(super) fn normal(mail: &str) -> String {
    mail.trim().to_lowercase()
}

/// Shows the blacklist.
pub(crate) async fn blacklist(desk: Desk) -> Result<(), CommandError> {
    let entries = desk.store.blacklist().await?;
    // who, when and why are columns
    show(&desk, &entries, |_| l::BLOCKED.say(desk.language).to_owned(), l::BLACKLIST_EMPTY);
    Ok(())
}

fn show(desk: &Desk, entries: &[ListEntry], state: impl Fn(&ListEntry) -> String, empty: Text) {
    let value = |entry: &ListEntry| {
        json!({
            "mailbox": entry.mail,
            "in_use": entry.in_use,
            "reason": entry.reason,
            "added_by": entry.added_by,
            "added_at": entry.added_at.to_string(),
        })
    };
    let values: Vec<Value> = entries.iter().map(value).collect();
    desk.answer(&Value::from(values), || {
        let row = |entry: &ListEntry| {
            vec![
                entry.mail.clone(),
                state(entry),
                entry.reason.clone().unwrap_or_default(),
                moment(entry.added_at),
                entry.added_by.clone(),
            ]
        };
        let headings = [w::MAILBOX, w::STATE, l::REASON, l::SINCE, w::BY];
        table_in(desk.language, &headings, entries.iter().map(row).collect(), empty)
    });
}

/// The lines that say of each of these mailboxes that it was erased, where it was; and their addresses.
pub(super) async fn erased(
    desk: &Desk,
    mailboxes: &[MailAddress],
) -> Result<Vec<(String, String)>, CommandError> {
    let addresses: Vec<&str> = mailboxes.iter().map(MailAddress::as_str).collect();
    let tombstones = desk.store.tombstones(&addresses).await?;
    let line = |(mail, tombstone): (String, Tombstone)| {
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("mailbox", &mail), ("at", &moment(tombstone.at)), ("by", &tombstone.by)];
        let line = l::ERASED.fill(desk.language, &values);
        (mail, line)
    };
    Ok(tombstones.into_iter().map(line).collect())
}

/// Adds to an answer which of its mailboxes were erased, if any.
pub(super) fn with_erased(mut value: Value, erased: &[(String, String)]) -> Value {
    if !erased.is_empty() {
        value["erased"] = erased.iter().map(|(mail, _)| json!(mail)).collect();
    }
    value
}

/// [`erased`] of one mailbox.
pub(super) async fn erased_one(
    desk: &Desk,
    mail: &MailAddress,
) -> Result<Vec<(String, String)>, CommandError> {
    erased(desk, std::slice::from_ref(mail)).await
}

/// The text, and behind it what is said of those that were erased.
pub(super) fn and_erased(mut text: String, erased: &[(String, String)]) -> String {
    for (_, line) in erased {
        text.push('\n');
        text.push_str(line);
    }
    text
}

/// Puts mailboxes on the whitelist.
pub(crate) async fn add_to_whitelist(desk: Desk, args: &WhitelistArgs) -> Result<(), CommandError> {
    let by = args.who.name();
    let edited = meant(desk.language, args.yes, async |sure| {
        desk.store.add_to_whitelist(&args.mailboxes, &by, sure, desk.now()).await
    });
    let edited = edited.await?;
    if let Some(reason) = &args.reason {
        desk.store.note_whitelist_reason(&args.mailboxes, reason).await?;
    }
    whitelist_edited(&desk, edited, &[], "whitelist add", &by, args).await
}

/// Takes mailboxes off the whitelist.
pub(crate) async fn remove_from_whitelist(desk: Desk, args: &WhitelistArgs) -> Result<(), CommandError> {
    let by = args.who.name();
    let absent = absent(&desk.store.whitelist().await?, &args.mailboxes);
    let edited = meant(desk.language, args.yes, async |sure| {
        desk.store.remove_from_whitelist(&args.mailboxes, &by, sure, desk.now()).await
    });
    whitelist_edited(&desk, edited.await?, &absent, REMOVE, &by, args).await
}

/// The command that takes mailboxes off the whitelist.
const REMOVE: &str = "whitelist remove";

/// The mailboxes that are not on this list.
fn absent(entries: &[ListEntry], mailboxes: &[MailAddress]) -> Vec<String> {
    let listed: BTreeSet<String> = entries.iter().map(|entry| normal(&entry.mail)).collect();
    let addresses = mailboxes.iter().map(MailAddress::as_str);
    addresses.filter(|mail| !listed.contains(*mail)).map(ToOwned::to_owned).collect()
}

/// Lets `edit` do it; where that would surprise, only when somebody says that it is meant.
///
/// # Errors
/// [`CommandError::NotSure`], with what it would do, or the database.
pub(crate) async fn meant(
    language: Language,
    sure: bool,
    edit: impl AsyncFn(bool) -> Result<Edited, StoreError>,
) -> Result<ListEdit, CommandError> {
    let would = match edit(sure).await? {
        Edited::Done(edit) => return Ok(edit),
        Edited::Refused(would) => would,
    };
    confirm::sure(Consequence::of(&would), language)?;
    match edit(true).await? {
        Edited::Done(edit) | Edited::Refused(edit) => Ok(edit),
    }
}

async fn whitelist_edited(
    desk: &Desk,
    edit: ListEdit,
    absent: &[String],
    act: &str,
    by: &str,
    args: &WhitelistArgs,
) -> Result<(), CommandError> {
    let adds = act != REMOVE;
    let unlisted = if adds { never_listed(desk, args).await? } else { Vec::new() };
    let blocked = if adds { blocked(desk, args).await? } else { Vec::new() };
    if edit.entries > 0 || args.reason.is_some() {
        let mailboxes: Vec<&str> = args.mailboxes.iter().map(MailAddress::as_str).collect();
        let mut fields = json!({ "mailboxes": mailboxes, "dropped": edit.dropped, "revived": edit.revived });
        if let Some(reason) = &args.reason {
            fields["reason"] = json!(reason);
        }
        desk.record(by, act, fields).await;
    }
    let erased = if adds { erased(desk, &args.mailboxes).await? } else { Vec::new() };
    let mut value = with_erased(edit_value(&edit), &erased);
    if !adds {
        value["not_on_list"] = json!(absent);
    }
    desk.answer(&value, || {
        let language = desk.language;
        let mut text = edit_text(&edit, if adds { l::ADDED } else { l::REMOVED }, absent, language);
        // Planner's list passes over who was erased or is blocked: of them nobody knows
        let is_other = |mail: &str, others: &[(String, String)]| {
            others.iter().all(|(other, _)| normal(other) != normal(mail))
        };
        let unlisted = unlisted.iter().filter(|mail| is_other(mail, &erased) && is_other(mail, &blocked));
        for mail in unlisted {
            text.push_str(&format!("\n{}", l::UNLISTED.fill(language, &[("mailbox", mail)])));
        }
        for (mail, reason) in blocked {
            let line = l::STAYS_BLOCKED.fill(language, &[("mailbox", &mail), ("why", &reason)]);
            text.push_str(&format!("\n{line}"));
        }
        if edit.entries_now > 0 && edit.in_use_before.saturating_sub(edit.dropped) + edit.revived == 0 {
            text.push_str(&format!("\n{}", l::NOBODY_USED.say(language)));
        }
        and_erased(text, &erased)
    });
    Ok(())
}

/// What a change of the whitelist did, and of whom there was nothing to be removed.
fn edit_text(edit: &ListEdit, done: Text, absent: &[String], language: Language) -> String {
    let entries = |n: u64| counted_in(language, n, l::ONE_ENTRY, l::ENTRIES);
    let values: [(&str, &dyn std::fmt::Display); 4] = [
        ("entries", &entries(edit.entries)),
        ("dropped", &edit.dropped),
        ("revived", &edit.revived),
        ("now", &entries(edit.entries_now)),
    ];
    // "removed 0 entries" would sound as if something had been done
    let head = (edit.entries > 0 || absent.is_empty()).then(|| done.fill(language, &values));
    let not_there = absent.iter().map(|mail| l::NOT_ON_WHITELIST.fill(language, &[("mailbox", mail)]));
    head.into_iter().chain(not_there).collect::<Vec<_>>().join("\n")
}

/// The mailboxes of these arguments that Planner never listed: mistyped, or not there yet.
async fn never_listed(desk: &Desk, args: &WhitelistArgs) -> Result<Vec<String>, CommandError> {
    let entries = desk.store.whitelist().await?;
    let meant = |entry: &ListEntry| {
        entry.in_use.is_none() && args.mailboxes.iter().any(|mailbox| mailbox.as_str() == entry.mail)
    };
    Ok(entries.into_iter().filter(meant).map(|entry| entry.mail).collect())
}

/// The mailboxes of these arguments that are blocked, with the reason.
async fn blocked(desk: &Desk, args: &WhitelistArgs) -> Result<Vec<(String, String)>, CommandError> {
    let entries = desk.store.blacklist().await?;
    let is_meant = |entry: &ListEntry| {
        let mail = entry.mail.trim().to_lowercase();
        args.mailboxes.iter().any(|mailbox| mailbox.as_str() == mail)
    };
    let no_reason = || w::NO_REASON.say(desk.language).to_owned();
    let reason = |entry: ListEntry| (entry.mail, entry.reason.unwrap_or_else(no_reason));
    Ok(entries.into_iter().filter(is_meant).map(reason).collect())
}

fn edit_value(edit: &ListEdit) -> Value {
    json!({ "entries": edit.entries, "dropped": edit.dropped, "revived": edit.revived, "entries_now": edit.entries_now })
}

/// Blocks a mailbox.
pub(crate) async fn block(desk: Desk, args: &BlacklistAddArgs) -> Result<(), CommandError> {
    block_mailbox(desk, &args.mailbox, &args.reason, &args.who).await
}

/// The same for whoever has other arguments.
pub(crate) async fn block_mailbox(
    desk: Desk,
    mail: &MailAddress,
    reason: &str,
    who: &Who,
) -> Result<(), CommandError> {
    let by = who.name();
    let edit = desk.store.add_to_blacklist(mail, reason, &by, desk.now()).await?;
    desk.record(&by, "blacklist add", json!({ "mailbox": mail.as_str(), "reason": reason })).await;
    let was_used = edit.dropped > 0;
    let erased = erased_one(&desk, mail).await?;
    // the resource list passes over whoever was blocked before, so of them this says nothing
    let unlisted = edit.entries > 0 && erased.is_empty() && desk.store.resource_row(mail).await?.is_none();
    let value = json!({
        "mailbox": mail.as_str(), "new": edit.entries > 0, "was_in_use": was_used, "never_listed": unlisted,
    });
    desk.answer(&with_erased(value, &erased), || {
        let outcome = match (edit.entries > 0, was_used) {
            (_, true) => t::BLOCKED_DROPPED,
            (true, false) => t::BLOCKED_UNUSED,
            (false, false) => t::BLOCKED_AGAIN,
        };
        let mut text = outcome.fill(desk.language, &[("mailbox", mail)]);
        if unlisted {
            text.push_str(&format!("\n{}", l::UNLISTED.fill(desk.language, &[("mailbox", mail)])));
        }
        and_erased(text, &erased)
    });
    Ok(())
}

/// Ends the block of a mailbox.
pub(crate) async fn unblock(desk: Desk, args: &BlacklistRemoveArgs) -> Result<(), CommandError> {
    unblock_mailbox(desk, &args.mailbox, None, &args.who).await
}

/// The same for whoever has other arguments.
pub(crate) async fn unblock_mailbox(
    desk: Desk,
    mail: &MailAddress,
    reason: Option<&str>,
    who: &Who,
) -> Result<(), CommandError> {
    let by = who.name();
    let removed = desk.store.remove_from_blacklist(mail).await?;
    if removed {
        let mut fields = json!({ "mailbox": mail.as_str() });
        if let Some(reason) = reason {
            fields["reason"] = json!(reason);
        }
        desk.record(&by, "blacklist remove", fields).await;
    }
    desk.answer(&json!({ "mailbox": mail.as_str(), "removed": removed }), || {
        let outcome = if removed { t::UNBLOCKED } else { t::NOT_BLOCKED };
        outcome.fill(desk.language, &[("mailbox", mail)])
    });
    Ok(())
}
