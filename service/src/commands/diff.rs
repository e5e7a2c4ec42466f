//! `diff`: what Planner is to be told and was not yet, appointment by appointment, with what each waits for. With
//! `planner.dry_run` this is what would be sent.

use serde_json::{Value, json};
use store::inspect::{Hold, PlannerFailure, Unsent};
use store::instances::Senders;
use store::operations::Scope;
use store::outbox::Operation;

use super::show::{moment, table_in, times};
use super::{CommandError, Desk};
use crate::cli::tools::DiffArgs;
use crate::texts::{Language, Text, diff as t, words as w};

/// What keeps everything from being sent, whatever an appointment itself waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sending {
    /// Nothing is sent: by what the instances that run say, and where none runs by the configuration.
    pub(crate) dry_run: bool,
    /// The configuration that this command reads says something else than the instances that run.
    pub(crate) differs: bool,
    /// Some instances send and others rehearse.
    pub(crate) mixed: bool,
    /// The last call to Planner failed.
    pub(crate) failure: Option<PlannerFailure>,
}

impl Sending {
    /// How it stands now, by what the instances say, by this configuration and by the log of calls.
    pub(crate) async fn now(desk: &Desk) -> Result<Self, CommandError> {
        let failure = desk.store.planner_failure().await?;
        Ok(Self { failure, ..Self::by(desk.store.senders().await?, desk.config.planner.dry_run) })
    }

    /// By the instances that are alive, and by the configuration where none of them says anything.
    pub(crate) fn by(senders: Senders, configured: bool) -> Self {
        let dry_run = match senders {
            Senders { sending: 0, rehearsing: 0 } => configured,
            Senders { sending, .. } => sending == 0,
        };
        let mixed = senders.sending > 0 && senders.rehearsing > 0;
        Self { dry_run, differs: dry_run != configured, mixed, failure: None }
    }

    /// What operators are to be told of it, beside the failure: the first is whether anything is sent.
    pub(crate) fn remarks(&self) -> Vec<Text> {
        let dry_run = self.dry_run.then_some(t::DRY_RUN);
        dry_run.into_iter().chain(self.warnings()).collect()
    }

    /// What is not as the reader of this configuration would think.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Text> {
        let differs = self.differs.then_some(if self.dry_run { t::FILE_SENDS } else { t::FILE_REHEARSES });
        differs.into_iter().chain(self.mixed.then_some(t::MIXED))
    }

    /// For programs: the failure of the last call, if it failed.
    pub(crate) fn failure_value(&self) -> Value {
        self.failure.as_ref().map_or(Value::Null, |failure| {
            json!({
                "at": failure.at.to_string(), "since": failure.since.to_string(), "call": failure.operation,
                "event_id": failure.event_id, "text": failure.text,
            })
        })
    }
}

/// When the last call failed and why, as the texts name them.
pub(crate) fn failure_values(failure: &PlannerFailure) -> Vec<(&'static str, String)> {
    let code = failure.event_id.map(|id| format!(" ({id})")).unwrap_or_default();
    let text = failure.text.as_deref().filter(|text| !text.is_empty());
    let why = format!("{}{code}", text.map(|text| format!(": {text}")).unwrap_or_default());
    vec![("at", moment(failure.at)), ("why", why)]
}

/// Shows the differences.
pub(crate) async fn diff(desk: Desk, args: &DiffArgs) -> Result<(), CommandError> {
    let scope = args.mailbox.clone().map_or(Scope::All, Scope::One);
    if let Scope::One(mail) = &scope
        && desk.store.resource_row(mail).await?.is_none()
    {
        return Err(CommandError::UnknownMailbox { mail: mail.to_string() });
    }
    let sending = Sending::now(&desk).await?;
    let page = desk.store.unsent(&scope, args.limit).await?;
    let value = json!({
        "dry_run": sending.dry_run,
        "dry_run_of_this_file": desk.config.planner.dry_run,
        "some_send_some_rehearse": sending.mixed,
        "planner_failure": sending.failure_value(),
        "total": page.total,
        "complete": page.total <= page.keys.len() as u64,
        "appointments": page.keys.iter().map(|key| value(key, &sending)).collect::<Vec<_>>(),
    });
    desk.answer(&value, || {
        let language = desk.language;
        let headings = [w::MAILBOX, t::WOULD, w::START, w::END, t::PLANNER_HOLDS, t::WAITS_FOR, w::ORIGIN_ID];
        let rows = page.keys.iter().map(|key| row(key, &sending, language)).collect();
        let mut lines = vec![table_in(language, &headings, rows, t::NOTHING)];
        if page.total > page.keys.len() as u64 {
            lines.push(t::MORE.fill(language, &[("n", &page.keys.len()), ("all", &page.total)]));
        }
        lines.extend(sending.remarks().into_iter().map(|text| text.say(language).to_owned()));
        if let Some(failure) = sending.failure.as_ref().filter(|_| page.total > 0) {
            lines.push(filled(t::PLANNER_FAILS, &failure_values(failure), language));
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

fn row(key: &Unsent, sending: &Sending, language: Language) -> Vec<String> {
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
        waits(key.hold, sending, language),
        key.origin_id.to_string(),
    ]
}

/// What a key waits for, in words.
pub(crate) fn waits(hold: Hold, sending: &Sending, language: Language) -> String {
    let (text, values) = hold_text(hold, sending);
    filled(text, &values, language)
}

fn filled(text: Text, values: &[(&'static str, String)], language: Language) -> String {
    let values: Vec<(&str, &dyn std::fmt::Display)> =
        values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
    text.fill(language, &values)
}

/// The text for what a key waits for, and the values that belong into it.
pub(crate) fn hold_text(hold: Hold, sending: &Sending) -> (Text, Vec<(&'static str, String)>) {
    match (hold, &sending.failure) {
        (Hold::NotInUse, _) => (w::HOLD_NOT_IN_USE, Vec::new()),
        (Hold::NotAdopted, _) => (w::HOLD_NOT_ADOPTED, Vec::new()),
        (Hold::NotRead, _) => (w::HOLD_NOT_READ, Vec::new()),
        (Hold::InFlight, _) => (w::HOLD_IN_FLIGHT, Vec::new()),
        (Hold::Pauses(_) | Hold::InTurn, _) if sending.dry_run => (w::HOLD_DRY_RUN, Vec::new()),
        (Hold::Pauses(until), _) => (w::HOLD_PAUSES, vec![("until", moment(until))]),
        (Hold::InTurn, Some(failure)) => (w::HOLD_PLANNER_FAILS, failure_values(failure)),
        (Hold::InTurn, None) => (w::HOLD_IN_TURN, Vec::new()),
    }
}

/// What a key waits for, for programs.
pub(crate) const fn hold_name(hold: Hold, sending: &Sending) -> &'static str {
    match hold {
        Hold::Pauses(_) | Hold::InTurn if sending.dry_run => "dry_run",
        Hold::InTurn if sending.failure.is_some() => "planner_fails",
        Hold::NotInUse => "not_in_use",
        Hold::NotAdopted => "not_adopted",
        Hold::NotRead => "not_read",
        Hold::InFlight => "in_flight",
        Hold::Pauses(_) => "pauses",
        Hold::InTurn => "in_turn",
    }
}

fn value(key: &Unsent, sending: &Sending) -> Value {
    json!({
        "mailbox": key.mail,
        "origin_id": key.origin_id.as_str(),
        "would": verb(key.operation),
        "start": key.slot.start.to_string(),
        "end": key.slot.end.to_string(),
        "held": key.held.map(|slot| json!({ "start": slot.start.to_string(), "end": slot.end.to_string() })),
        "decided_at": key.decided_at.to_string(),
        "bulk": key.bulk,
        "waits_for": hold_name(key.hold, sending),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// The instances that run count, not the file that the command was given.
    #[test]
    fn whether_anything_is_sent_is_told_by_the_instances() {
        let by = |sending, rehearsing, file| Sending::by(Senders { sending, rehearsing }, file);
        for (now, dry_run, warnings) in [
            (by(0, 0, false), false, vec![]),
            (by(0, 0, true), true, vec![]),
            (by(1, 0, false), false, vec![]),
            (by(0, 2, true), true, vec![]),
            (by(1, 0, true), false, vec![t::FILE_REHEARSES]),
            (by(0, 1, false), true, vec![t::FILE_SENDS]),
            (by(1, 1, false), false, vec![t::MIXED]),
            (by(1, 1, true), false, vec![t::FILE_REHEARSES, t::MIXED]),
        ] {
            let words = |texts: Vec<Text>| -> Vec<&str> {
                texts.into_iter().map(|text| text.say(Language::En)).collect()
            };
            assert_eq!(now.dry_run, dry_run, "{now:?}");
            assert_eq!(words(now.warnings().collect()), words(warnings), "{now:?}");
        }
    }

    /// "its turn" is said only where nothing else keeps it; tables and programs are told the same.
    #[test]
    fn what_keeps_everything_is_named_and_not_hidden_behind_a_turn() {
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let failure = PlannerFailure {
            at,
            since: at,
            operation: "CreateEvents".to_owned(),
            event_id: Some(6904),
            text: Some("connection refused".to_owned()),
        };
        let rehearsal = Sending { dry_run: true, ..Sending::default() };
        let fails = Sending { failure: Some(failure), ..Sending::default() };
        let well = Sending::default();
        for (hold, sending, name, words) in [
            (Hold::InTurn, &well, "in_turn", "its turn"),
            (Hold::InTurn, &rehearsal, "dry_run", "the end of dry_run"),
            (Hold::Pauses(at), &rehearsal, "dry_run", "the end of dry_run"),
            (Hold::InTurn, &fails, "planner_fails", "connection refused (6904)"),
            (Hold::Pauses(at), &fails, "pauses", "another try"),
            (Hold::NotAdopted, &fails, "not_adopted", "the adoption"),
        ] {
            assert_eq!(hold_name(hold, sending), name, "{hold:?}");
            let text = waits(hold, sending, Language::En);
            assert!(text.contains(words) && !text.contains('{'), "{hold:?}: {text}");
        }
    }
}
