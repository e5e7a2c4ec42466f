//! `diff`: what Planner is to be told and was not yet, appointment by appointment, with what each waits for. With
//! `planner.dry_run` this is what would be sent.

use serde_json::{Value, json};
use store::inspect::{Hold, Unsent};
use store::operations::Scope;
use store::outbox::Operation;

use super::show::{moment, table};
use super::{CommandError, Desk};
use crate::cli::tools::DiffArgs;

/// Shows the differences.
pub(crate) async fn diff(desk: Desk, args: &DiffArgs) -> Result<(), CommandError> {
    let scope = args.mailbox.clone().map_or(Scope::All, Scope::One);
    if let Scope::One(mail) = &scope
        && desk.store.resource_row(mail).await?.is_none()
    {
        return Err(CommandError::UnknownMailbox { mail: mail.to_string() });
    }
    let dry_run = desk.config.planner.dry_run;
    let page = desk.store.unsent(&scope, args.limit).await?;
    let value = json!({
        "dry_run": dry_run,
        "total": page.total,
        "complete": page.total <= page.keys.len() as u64,
        "appointments": page.keys.iter().map(value).collect::<Vec<_>>(),
    });
    desk.answer(&value, || {
        let headings = ["MAILBOX", "WOULD", "START", "END", "PLANNER HOLDS", "WAITS FOR", "ORIGIN ID"];
        let rows = page.keys.iter().map(|key| row(key, dry_run)).collect();
        let mut text = table(&headings, rows, "Planner holds what it should: nothing is to be sent");
        if page.total > page.keys.len() as u64 {
            text.push_str(&format!("\n\n{} of {}; --limit shows more", page.keys.len(), page.total));
        }
        if dry_run {
            text.push_str("\n\nplanner.dry_run is set: nothing is sent");
        }
        text
    });
    Ok(())
}

const fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}

fn row(key: &Unsent, dry_run: bool) -> Vec<String> {
    let held = match (&key.held, key.operation) {
        (Some(slot), _) => format!("{} to {}", moment(slot.start), moment(slot.end)),
        (None, Operation::Create) => "nothing".to_owned(),
        (None, _) => "not known".to_owned(),
    };
    vec![
        key.mail.clone(),
        verb(key.operation).to_owned(),
        moment(key.slot.start),
        moment(key.slot.end),
        held,
        waits(key.hold, dry_run),
        key.origin_id.to_string(),
    ]
}

/// What a key waits for, in words.
pub(crate) fn waits(hold: Hold, dry_run: bool) -> String {
    match hold {
        Hold::NotInUse => "never sent: the mailbox is not in use".to_owned(),
        Hold::NotAdopted => "the adoption of its mailbox".to_owned(),
        Hold::NotRead => "the full read of its mailbox".to_owned(),
        Hold::InFlight => "the answer to a call".to_owned(),
        Hold::Pauses(until) => format!("another try at {}", moment(until)),
        Hold::InTurn if dry_run => "the end of dry_run".to_owned(),
        Hold::InTurn => "its turn".to_owned(),
    }
}

/// What a key waits for, for programs.
pub(crate) const fn hold_name(hold: Hold) -> &'static str {
    match hold {
        Hold::NotInUse => "not_in_use",
        Hold::NotAdopted => "not_adopted",
        Hold::NotRead => "not_read",
        Hold::InFlight => "in_flight",
        Hold::Pauses(_) => "pauses",
        Hold::InTurn => "in_turn",
    }
}

fn value(key: &Unsent) -> Value {
    json!({
        "mailbox": key.mail,
        "origin_id": key.origin_id.as_str(),
        "would": verb(key.operation),
        "start": key.slot.start.to_string(),
        "end": key.slot.end.to_string(),
        "held": key.held.map(|slot| json!({ "start": slot.start.to_string(), "end": slot.end.to_string() })),
        "decided_at": key.decided_at.to_string(),
        "bulk": key.bulk,
        "waits_for": hold_name(key.hold),
    })
}
