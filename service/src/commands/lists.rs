//! `whitelist` and `blacklist`.

use calendar::MailAddress;
use serde_json::{Value, json};
use store::StoreError;
use store::resource_list::lists::{Edited, ListEdit, ListEntry};

use super::show::{counted, moment, table};
use super::{CommandError, Desk, confirm};
use crate::cli::operators::{BlacklistAddArgs, BlacklistRemoveArgs, WhitelistArgs, Who};
use crate::texts::mailbox as t;

/// Shows the whitelist.
pub(crate) async fn whitelist(desk: Desk) -> Result<(), CommandError> {
    let entries = desk.store.whitelist().await?;
    show(&desk, &entries, false, "the whitelist is empty: everybody whom Planner lists is used");
    Ok(())
}

/// Shows the blacklist.
pub(crate) async fn blacklist(desk: Desk) -> Result<(), CommandError> {
    let entries = desk.store.blacklist().await?;
    show(&desk, &entries, true, "the blacklist is empty: nobody is blocked");
    Ok(())
}

fn show(desk: &Desk, entries: &[ListEntry], reasons: bool, empty: &str) {
    let value = |entry: &ListEntry| {
        let mut value = json!({
            "mailbox": entry.mail,
            "in_use": entry.in_use,
            "added_by": entry.added_by,
            "added_at": entry.added_at.to_string(),
        });
        if reasons {
            value["reason"] = json!(entry.reason);
        }
        value
    };
    let values: Vec<Value> = entries.iter().map(value).collect();
    desk.answer(&Value::from(values), || {
        let state = |entry: &ListEntry| match entry.in_use {
            Some(true) => "in use",
            Some(false) => "not in use",
            None => "never listed by Planner",
        };
        let row = |entry: &ListEntry| {
            let mut row = vec![entry.mail.clone(), state(entry).to_owned()];
            if reasons {
                row.push(entry.reason.clone().unwrap_or_default());
            }
            row.extend([moment(entry.added_at), entry.added_by.clone()]);
            row
        };
        let headings: &[&str] = if reasons {
            &["MAILBOX", "STATE", "REASON", "SINCE", "BY"]
        } else {
            &["MAILBOX", "STATE", "SINCE", "BY"]
        };
        table(headings, entries.iter().map(row).collect(), empty)
    });
}

/// Puts mailboxes on the whitelist.
pub(crate) async fn add_to_whitelist(desk: Desk, args: &WhitelistArgs) -> Result<(), CommandError> {
    let by = args.who.name();
    let edited = meant(args.yes, async |sure| {
        desk.store.add_to_whitelist(&args.mailboxes, &by, sure, desk.now()).await
    });
    whitelist_edited(&desk, edited.await?, "added", "whitelist add", &by, args).await
}

/// Takes mailboxes off the whitelist.
pub(crate) async fn remove_from_whitelist(desk: Desk, args: &WhitelistArgs) -> Result<(), CommandError> {
    let by = args.who.name();
    let edited = meant(args.yes, async |sure| {
        desk.store.remove_from_whitelist(&args.mailboxes, &by, sure, desk.now()).await
    });
    whitelist_edited(&desk, edited.await?, "removed", "whitelist remove", &by, args).await
}

/// Lets `edit` do it; where that would surprise, only when somebody says that it is meant.
///
/// # Errors
/// [`CommandError::NotSure`], with what it would do, or the database.
pub(crate) async fn meant(
    sure: bool,
    edit: impl AsyncFn(bool) -> Result<Edited, StoreError>,
) -> Result<ListEdit, CommandError> {
    let would = match edit(sure).await? {
        Edited::Done(edit) => return Ok(edit),
        Edited::Refused(would) => would,
    };
    confirm::sure(consequence(&would))?;
    match edit(true).await? {
        Edited::Done(edit) | Edited::Refused(edit) => Ok(edit),
    }
}

async fn whitelist_edited(
    desk: &Desk,
    edit: ListEdit,
    verb: &str,
    act: &str,
    by: &str,
    args: &WhitelistArgs,
) -> Result<(), CommandError> {
    let unlisted = if verb == "added" { never_listed(desk, args).await? } else { Vec::new() };
    let blocked = if verb == "added" { blocked(desk, args).await? } else { Vec::new() };
    if edit.entries > 0 {
        let mailboxes: Vec<&str> = args.mailboxes.iter().map(MailAddress::as_str).collect();
        let fields = json!({ "mailboxes": mailboxes, "dropped": edit.dropped, "revived": edit.revived });
        desk.record(by, act, fields).await;
    }
    desk.answer(&edit_value(&edit), || {
        let mut text = format!(
            "{verb} {}; {} not used any more, {} used again; the whitelist has {} now",
            counted(edit.entries, "entry", "entries"),
            edit.dropped,
            edit.revived,
            counted(edit.entries_now, "entry", "entries")
        );
        for mail in unlisted {
            text.push_str(&format!(
                "\nPlanner never listed {mail}; `kommuneklient resources list` shows whom it lists"
            ));
        }
        for (mail, reason) in blocked {
            text.push_str(&format!(
                "\n{mail} stays unused: it is blocked ({reason}), and the blacklist goes before the whitelist; \
                 `kommuneklient blacklist remove {mail}` ends that"
            ));
        }
        if edit.entries_now > 0 && edit.in_use_before.saturating_sub(edit.dropped) + edit.revived == 0 {
            text.push_str("\nnobody is used now: no mailbox on the whitelist is one that Planner lists");
        }
        text
    });
    Ok(())
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
    let reason =
        |entry: ListEntry| (entry.mail, entry.reason.unwrap_or_else(|| "no reason given".to_owned()));
    Ok(entries.into_iter().filter(is_meant).map(reason).collect())
}

fn consequence(edit: &ListEdit) -> String {
    if edit.entries_now == 0 {
        return format!(
            "the whitelist would be empty, and so everybody be used ({} again)",
            counted(edit.revived, "resource", "resources")
        );
    }
    not_used_any_more(edit.dropped, edit.in_use_before)
}

/// What a change of the lists would end.
pub(super) fn not_used_any_more(dropped: u64, in_use_before: u64) -> String {
    let of = counted(in_use_before, "resource", "resources");
    format!("{dropped} of {of} would not be used any more (their appointments stay in Planner)")
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
    let value = json!({ "mailbox": mail.as_str(), "new": edit.entries > 0, "was_in_use": was_used });
    desk.answer(&value, || {
        let outcome = match (edit.entries > 0, was_used) {
            (_, true) => t::BLOCKED_DROPPED,
            (true, false) => t::BLOCKED_UNUSED,
            (false, false) => t::BLOCKED_AGAIN,
        };
        outcome.fill(desk.language, &[("mailbox", mail)])
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
