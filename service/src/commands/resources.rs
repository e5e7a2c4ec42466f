//! `resources list`: the case workers and rooms that Planner lists or listed.

use calendar::MailAddress;
use serde_json::{Value, json};
use store::Store;
use store::resource_list::lists::ResourceRow;

use super::show::{counted, maybe, moment, table};
use super::{CommandError, Desk};

/// Shows all resources.
pub(crate) async fn list(desk: Desk) -> Result<(), CommandError> {
    list_where(desk, |_| true).await
}

/// Shows those that `shown` says.
pub(crate) async fn list_where(desk: Desk, shown: impl Fn(&ResourceRow) -> bool) -> Result<(), CommandError> {
    let mut rows = desk.store.resource_rows().await?;
    let known = rows.len();
    rows.retain(shown);
    let values: Vec<Value> = rows.iter().map(value).collect();
    desk.answer(&Value::from(values), || {
        let used = rows.iter().filter(|row| row.deleted_date.is_none()).count() as u64;
        let headings = ["MAILBOX", "KIND", "STATE", "LISTENED TO SINCE", "ADOPTED", "READ IN FULL"];
        let lines = rows.iter().map(|row| {
            vec![
                row.mail.clone(),
                kind(row).to_owned(),
                state(row),
                maybe(row.last_success),
                maybe(row.adopted_at),
                maybe(row.last_full_sync),
            ]
        });
        let empty = if known == 0 { "Planner has listed nobody yet" } else { "there is none" };
        let text = table(&headings, lines.collect(), empty);
        format!("{text}\n\n{} in use, {} in all", counted(used, "resource", "resources"), rows.len())
    });
    Ok(())
}

fn kind(row: &ResourceRow) -> &'static str {
    if row.is_case_worker { "case worker" } else { "room" }
}

fn state(row: &ResourceRow) -> String {
    let blocked = if row.blacklisted { "blocked, " } else { "" };
    match (row.deleted_date, &row.deleted_reason, &row.error_code) {
        (Some(since), reason, _) => format!(
            "{blocked}not in use since {}: {}",
            moment(since),
            reason.as_deref().unwrap_or("no reason given")
        ),
        (None, _, Some(error)) => format!("{blocked}in use, cannot be listened to: {}", trouble(error)),
        (None, _, None) => format!("{blocked}in use"),
    }
}

/// Why a mailbox cannot be listened to, in words; a code of Exchange stands behind them, for who looks it up.
pub(crate) fn trouble(code: &str) -> String {
    let words = match code {
        "NotCovered" => {
            return "no service account has room for it (kommuneklient credential list shows the room)"
                .to_owned();
        }
        "NotSolved" => {
            return "its address is not known, and listener.deactivate_solving_of_group_affinity forbids to ask for it"
                .to_owned();
        }
        "ErrorNonExistentMailbox" | "ErrorMailboxNotFound" => "Exchange has no such mailbox",
        "ErrorAccessDenied" | "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" => {
            "the service account may not read it"
        }
        "ErrorFolderNotFound" | "ErrorItemNotFound" => "it has no calendar, or none that may be read",
        "ErrorMailboxMoveInProgress" => "it is being moved",
        "ErrorMailboxStoreUnavailable" | "ErrorMailboxFailover" => "its database is away",
        _ => return code.to_owned(),
    };
    format!("{words} ({code})")
}

fn value(row: &ResourceRow) -> Value {
    json!({
        "mailbox": row.mail,
        "kind": kind(row),
        "in_use": row.deleted_date.is_none(),
        "deleted_date": row.deleted_date.map(|at| at.to_string()),
        "deleted_reason": row.deleted_reason,
        "blacklisted": row.blacklisted,
        "error_code": row.error_code,
        "last_success": row.last_success.map(|at| at.to_string()),
        "adopted_at": row.adopted_at.map(|at| at.to_string()),
        "last_full_sync": row.last_full_sync.map(|at| at.to_string()),
    })
}

/// Refuses a mailbox that nothing is done for, and says why.
pub(crate) async fn in_use(store: &Store, mail: &MailAddress) -> Result<(), CommandError> {
    let mailbox = mail.to_string();
    let Some(row) = store.resource_row(mail).await? else {
        return Err(CommandError::UnknownMailbox { mail: mailbox });
    };
    let Some(since) = row.deleted_date else { return Ok(()) };
    let reason = row.deleted_reason.unwrap_or_else(|| "no reason given".into());
    Err(if row.blacklisted {
        CommandError::Blocked { mail: mailbox, reason }
    } else {
        CommandError::NotInUse { mail: mailbox, since: moment(since), reason }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_words_and_not_our_codes() {
        assert!(trouble("NotCovered").contains("no service account has room"));
        assert!(!trouble("NotSolved").contains("NotSolved"));
        assert_eq!(
            trouble("ErrorNonExistentMailbox"),
            "Exchange has no such mailbox (ErrorNonExistentMailbox)"
        );
        assert_eq!(trouble("ErrorSomethingNew"), "ErrorSomethingNew");
    }
}
