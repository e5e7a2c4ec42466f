//! `resources list`: the case workers and rooms that Planner lists or listed.

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use store::resource_list::lists::ResourceRow;

use super::show::{counted_in, maybe, moment, table_in};
use super::{CommandError, Desk};
use crate::texts::{Language, Text, mailbox as t, words as w};

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
        let language = desk.language;
        let used = rows.iter().filter(|row| row.deleted_date.is_none()).count() as u64;
        let headings =
            [w::MAILBOX, t::KIND, w::STATE, t::LISTENED_HEADING, t::ADOPTED_HEADING, t::READ_HEADING];
        let lines = rows.iter().map(|row| {
            vec![
                row.mail.clone(),
                kind_text(row.is_case_worker).say(language).to_owned(),
                state(row, language),
                maybe(listened_since(row)),
                maybe(row.adopted_at),
                maybe(row.last_full_sync),
            ]
        });
        let empty = if known == 0 { t::NOBODY_LISTED } else { t::THERE_IS_NONE };
        let text = table_in(language, &headings, lines.collect(), empty);
        let used = counted_in(language, used, w::ONE_RESOURCE, w::RESOURCES);
        format!("{text}\n\n{}", t::SUM.fill(language, &[("used", &used), ("all", &rows.len())]))
    });
    Ok(())
}

/// Since when it has been listened to; nothing where it is not used any more.
fn listened_since(row: &ResourceRow) -> Option<Timestamp> {
    row.last_success.filter(|_| row.deleted_date.is_none())
}

fn kind(row: &ResourceRow) -> &'static str {
    if row.is_case_worker { "case worker" } else { "room" }
}

/// A case worker or a room.
pub(crate) const fn kind_text(is_case_worker: bool) -> Text {
    if is_case_worker { t::CASE_WORKER } else { t::ROOM }
}

fn state(row: &ResourceRow, language: Language) -> String {
    let error = row.error_code.as_deref().map(trouble);
    let state = use_state(row.deleted_date, row.deleted_reason.as_deref(), error.as_deref(), language);
    if row.blacklisted { t::BLOCKED_PREFIX.fill(language, &[("state", &state)]) } else { state }
}

/// In use or not, and why.
pub(crate) fn use_state(
    deleted: Option<Timestamp>,
    reason: Option<&str>,
    error: Option<&str>,
    language: Language,
) -> String {
    let reason = reason.unwrap_or(w::NO_REASON.say(language));
    match (deleted, error) {
        (Some(since), _) => w::NOT_IN_USE.fill(language, &[("at", &moment(since)), ("why", &reason)]),
        (None, Some(error)) => w::NOT_LISTENED.fill(language, &[("error", &error)]),
        (None, None) => w::IN_USE.say(language).to_owned(),
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
        return Err(match store.blocked(mail).await?.map(|entry| entry.reason) {
            Some(reason) => CommandError::Blocked { mail: mailbox, reason },
            None => CommandError::UnknownMailbox { mail: mailbox },
        });
    };
    let Some(since) = row.deleted_date else { return Ok(()) };
    let reason = row.deleted_reason;
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
