//! `resources list`: the case workers and rooms that Planner lists or listed.

use calendar::MailAddress;
use serde_json::{Value, json};
use store::Store;
use store::resource_list::lists::ResourceRow;

use super::show::{counted, maybe, moment, table};
use super::{CommandError, Desk};

/// Shows all resources.
pub(crate) async fn list(desk: Desk) -> Result<(), CommandError> {
    let rows = desk.store.resource_rows().await?;
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
        let text = table(&headings, lines.collect(), "Planner has listed nobody yet");
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
        (None, _, Some(error)) => format!("{blocked}in use, cannot be listened to: {error}"),
        (None, _, None) => format!("{blocked}in use"),
    }
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
