//! `resources list`: the case workers and rooms that Planner lists or listed.

use std::collections::BTreeMap;

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use store::resource_list::lists::{ListEntry, ResourceRow};

use super::show::{counted_in, maybe, moment, table_in};
use super::{CommandError, Desk, lists, mailbox, reasons};
use crate::texts::{Language, Text, lists as l, mailbox as t, reasons as r, words as w};

/// Shows all resources.
pub(crate) async fn list(desk: Desk) -> Result<(), CommandError> {
    list_where(desk, |_| true).await
}

/// Shows those that `shown` says.
pub(crate) async fn list_where(desk: Desk, shown: impl Fn(&ResourceRow) -> bool) -> Result<(), CommandError> {
    let mut rows = desk.store.resource_rows().await?;
    // the sum is of all, whatever is shown
    let (known, used) = (rows.len(), rows.iter().filter(|row| row.deleted_date.is_none()).count() as u64);
    rows.retain(shown);
    let blocked = match rows.iter().any(|row| row.blacklisted) {
        true => lists::blocked_by_address(&desk).await?,
        false => BTreeMap::new(),
    };
    let values: Vec<Value> = rows.iter().map(|row| value(row, blocked.get(&row.mail))).collect();
    desk.answer(&Value::from(values), || {
        let language = desk.language;
        let headings =
            [w::MAILBOX, t::KIND, w::STATE, t::LISTENED_HEADING, t::ADOPTED_HEADING, t::READ_HEADING];
        let lines = rows.iter().map(|row| {
            vec![
                row.mail.clone(),
                kind_text(row.is_case_worker).say(language).to_owned(),
                state(row, blocked.get(&row.mail), language),
                maybe(listened_since(row)),
                maybe(row.adopted_at),
                maybe(row.last_full_sync),
            ]
        });
        let empty = if known == 0 { t::NOBODY_LISTED } else { t::THERE_IS_NONE };
        let text = table_in(language, &headings, lines.collect(), empty);
        let used = counted_in(language, used, w::ONE_RESOURCE, w::RESOURCES);
        format!("{text}\n\n{}", t::SUM.fill(language, &[("used", &used), ("all", &known)]))
    });
    Ok(())
}

/// Since when it has been listened to; nothing where it is not used any more, or cannot be listened to now.
fn listened_since(row: &ResourceRow) -> Option<Timestamp> {
    row.last_success.filter(|_| row.deleted_date.is_none() && row.error_code.is_none())
}

fn kind(row: &ResourceRow) -> &'static str {
    if row.is_case_worker { "case worker" } else { "room" }
}

/// A case worker or a room.
pub(crate) const fn kind_text(is_case_worker: bool) -> Text {
    if is_case_worker { t::CASE_WORKER } else { t::ROOM }
}

fn state(row: &ResourceRow, blocked: Option<&ListEntry>, language: Language) -> String {
    if let Some(blocked) = blocked {
        return mailbox::blocked_text(blocked, l::BLOCKED_BY, language);
    }
    use_state(row.deleted_date, row.deleted_reason.as_deref(), row.error_code.as_deref(), language)
}

/// In use or not, and why; `error` is the code of what keeps it from being listened to.
pub(crate) fn use_state(
    deleted: Option<Timestamp>,
    reason: Option<&str>,
    error: Option<&str>,
    language: Language,
) -> String {
    let reason = reasons::or_none(reason, language);
    match (deleted, error.map(|code| trouble(code, language))) {
        (Some(since), _) => w::NOT_IN_USE.fill(language, &[("at", &moment(since)), ("why", &reason)]),
        (None, Some(error)) => w::NOT_LISTENED.fill(language, &[("error", &error)]),
        (None, None) => w::IN_USE.say(language).to_owned(),
    }
}

/// Why a mailbox cannot be listened to, in words; a code of Exchange stands behind them, for who looks it up.
fn trouble(code: &str, language: Language) -> String {
    let words = match code {
        "NotCovered" => return r::TROUBLE_NOT_COVERED.say(language).to_owned(),
        "NotSolved" => return r::TROUBLE_NOT_SOLVED.say(language).to_owned(),
        "ErrorNonExistentMailbox" | "ErrorMailboxNotFound" => r::TROUBLE_NO_MAILBOX,
        "ErrorAccessDenied" | "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" => r::TROUBLE_DENIED,
        "ErrorFolderNotFound" | "ErrorItemNotFound" => r::TROUBLE_NO_CALENDAR,
        "ErrorMailboxMoveInProgress" => r::TROUBLE_MOVED,
        "ErrorMailboxStoreUnavailable" | "ErrorMailboxFailover" => r::TROUBLE_AWAY,
        _ => return code.to_owned(),
    };
    r::WITH_CODE.fill(language, &[("words", &words.say(language)), ("code", &code)])
}

fn value(row: &ResourceRow, blocked: Option<&ListEntry>) -> Value {
    json!({
        "mailbox": row.mail,
        "kind": kind(row),
        "in_use": row.deleted_date.is_none(),
        "deleted_date": row.deleted_date.map(|at| at.to_string()),
        "deleted_reason": row.deleted_reason,
        "blacklisted": row.blacklisted,
        "blocked": blocked.map(|entry| json!({
            "reason": entry.reason, "by": entry.added_by, "since": entry.added_at.to_string(),
        })),
        "error_code": row.error_code,
        "last_success": row.last_success.map(|at| at.to_string()),
        "adopted_at": row.adopted_at.map(|at| at.to_string()),
        "last_full_sync": row.last_full_sync.map(|at| at.to_string()),
    })
}

/// Refuses a mailbox that nothing is done for, and says why.
pub(crate) async fn in_use(store: &Store, mail: &MailAddress) -> Result<(), CommandError> {
    let mailbox = mail.to_string();
    let row = store.resource_row(mail).await?;
    if row.as_ref().is_some_and(|row| row.deleted_date.is_none()) {
        return Ok(());
    }
    if let Some(blocked) = store.blocked(mail).await? {
        return Err(CommandError::blocked(mail, blocked));
    }
    Err(match row.and_then(|row| Some((row.deleted_date?, row.deleted_reason))) {
        Some((since, reason)) => CommandError::NotInUse { mail: mailbox, since: moment(since), reason },
        None => CommandError::UnknownMailbox { mail: mailbox },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_blocked_is_called_so_with_who_when_and_why() {
        let at = Timestamp::UNIX_EPOCH;
        let row = ResourceRow {
            mail: "anna@x.dk".into(),
            is_case_worker: true,
            deleted_date: Some(at),
            deleted_reason: Some("P-NonWhitelist".into()),
            blacklisted: true,
            error_code: None,
            last_success: None,
            adopted_at: None,
            last_full_sync: None,
        };
        let entry = ListEntry {
            mail: "Anna@x.dk".into(),
            reason: Some("has left".into()),
            added_by: "kim".into(),
            added_at: at,
            in_use: Some(false),
        };
        let told = state(&row, Some(&entry), Language::En);
        assert_eq!(told, format!("blocked by kim {}: has left", moment(at)));
        assert_eq!(value(&row, Some(&entry))["blocked"]["by"], "kim");
        let told = state(&row, None, Language::En);
        assert!(told.ends_with(": not on the whitelist (P-NonWhitelist)"), "{told}");
    }

    /// Regression: a mailbox that could not be listened to any more was shown as listened to since it last could be.
    #[test]
    fn only_what_can_be_listened_to_is_listened_to_since() {
        let at = Timestamp::UNIX_EPOCH;
        let heard = ResourceRow {
            mail: "anna@x.dk".into(),
            is_case_worker: true,
            deleted_date: None,
            deleted_reason: None,
            blacklisted: false,
            error_code: None,
            last_success: Some(at),
            adopted_at: None,
            last_full_sync: None,
        };
        assert_eq!(listened_since(&heard), Some(at));
        let failing = ResourceRow { error_code: Some("ErrorAccessDenied".into()), ..heard.clone() };
        let unused = ResourceRow { deleted_date: Some(at), ..heard };
        assert_eq!((listened_since(&failing), listened_since(&unused)), (None, None));
    }

    #[test]
    fn people_read_words_and_not_our_codes() {
        let in_english = |code| trouble(code, Language::En);
        assert!(in_english("NotCovered").contains("no service account has room"));
        assert!(!in_english("NotSolved").contains("NotSolved"));
        assert_eq!(
            in_english("ErrorNonExistentMailbox"),
            "Exchange has no such mailbox (ErrorNonExistentMailbox)"
        );
        assert_eq!(in_english("ErrorSomethingNew"), "ErrorSomethingNew");
    }

    #[test]
    fn danish_lists_tell_it_in_danish() {
        let told = |code| use_state(None, None, Some(code), Language::Da);
        let expected =
            "i brug, men der kan ikke lyttes til den: servicekontoen må ikke læse den (ErrorAccessDenied)";
        assert_eq!(told("ErrorAccessDenied"), expected);
        for code in [
            "NotCovered",
            "NotSolved",
            "ErrorMailboxNotFound",
            "ErrorItemNotFound",
            "ErrorMailboxMoveInProgress",
            "ErrorMailboxFailover",
        ] {
            assert_ne!(trouble(code, Language::Da), trouble(code, Language::En), "{code}");
        }
    }
}
