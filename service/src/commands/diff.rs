//! `diff`: what Planner is to be told and was not yet, appointment by appointment, with what each waits for. With
//! `planner.dry_run` this is what would be sent.

use jiff::Timestamp;
use serde_json::{Value, json};
use store::inspect::{Hold, Unsent};
use store::operations::Scope;
use store::outbox::Operation;

use super::show::{moment, table_in, times};
use super::{CommandError, Desk};
use crate::cli::tools::DiffArgs;
use crate::texts::{Language, Text, diff as t, words as w};

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
        let language = desk.language;
        let headings = [w::MAILBOX, t::WOULD, w::START, w::END, t::PLANNER_HOLDS, t::WAITS_FOR, w::ORIGIN_ID];
        let rows = page.keys.iter().map(|key| row(key, dry_run, language)).collect();
        let mut lines = vec![table_in(language, &headings, rows, t::NOTHING)];
        if page.total > page.keys.len() as u64 {
            lines.push(t::MORE.fill(language, &[("n", &page.keys.len()), ("all", &page.total)]));
        }
        if dry_run {
            lines.push(t::DRY_RUN.say(language).to_owned());
        }
        lines.join("\n\n")
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

fn row(key: &Unsent, dry_run: bool, language: Language) -> Vec<String> {
    let held = match (&key.held, key.operation) {
        (Some(slot), _) => times(language, slot),
        (None, Operation::Create) => t::HELD_NOTHING.say(language).to_owned(),
        (None, _) => t::HELD_UNKNOWN.say(language).to_owned(),
    };
    let would = match key.operation {
        Operation::Create => t::CREATE,
        Operation::Update => t::UPDATE,
        Operation::Delete => t::DELETE,
    };
    vec![
        key.mail.clone(),
        would.say(language).to_owned(),
        moment(key.slot.start),
        moment(key.slot.end),
        held,
        waits(key.hold, dry_run, language),
        key.origin_id.to_string(),
    ]
}

/// What a key waits for, in words.
pub(crate) fn waits(hold: Hold, dry_run: bool, language: Language) -> String {
    match hold_text(hold, dry_run) {
        (text, Some(until)) => text.fill(language, &[("until", &moment(until))]),
        (text, None) => text.say(language).to_owned(),
    }
}

/// The text for what a key waits for, and the time that belongs into it as `until`.
pub(crate) const fn hold_text(hold: Hold, dry_run: bool) -> (Text, Option<Timestamp>) {
    match hold {
        Hold::NotInUse => (w::HOLD_NOT_IN_USE, None),
        Hold::NotAdopted => (w::HOLD_NOT_ADOPTED, None),
        Hold::NotRead => (w::HOLD_NOT_READ, None),
        Hold::InFlight => (w::HOLD_IN_FLIGHT, None),
        Hold::Pauses(until) => (w::HOLD_PAUSES, Some(until)),
        Hold::InTurn if dry_run => (w::HOLD_DRY_RUN, None),
        Hold::InTurn => (w::HOLD_IN_TURN, None),
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
