//! What happened, in words. Pure.

use calendar::Slot;
use serde_json::{Value, json};
use store::inspect::{Happening, KeyState, MailboxFacts, Planner};
use store::outbox::Operation;

use super::super::show::moment;

fn times(slot: &Slot) -> String {
    format!("{} to {}", moment(slot.start), moment(slot.end))
}

const fn asked(operation: Option<Operation>) -> &'static str {
    match operation {
        Some(Operation::Create) => "the creation",
        Some(Operation::Update) => "the update",
        Some(Operation::Delete) => "the deletion",
        None => "a call",
    }
}

/// What kind of notification, for people.
fn kind(kind: &str) -> String {
    let words = match kind {
        "CreatedEvent" => "Exchange: an item is new",
        "ModifiedEvent" => "Exchange: an item changed",
        "DeletedEvent" => "Exchange: an item is gone",
        "MovedEvent" => "Exchange: an item moved",
        "CopiedEvent" => "Exchange: an item was copied",
        "FreeBusyChangedEvent" => "Exchange: the free/busy time of an item changed",
        "SyncChange" => "catch-up: an item is new or changed",
        "SyncDelete" => "catch-up: an item is gone",
        "SyncCheck" => "catch-up: an item is to be checked",
        "FullRead" => "the whole window is to be read",
        other => return format!("a notification of the kind {other}"),
    };
    words.to_owned()
}

fn with(text: Option<&String>) -> String {
    text.filter(|text| !text.is_empty()).map(|text| format!(": {text}")).unwrap_or_default()
}

/// What a receipt led to, for people.
fn outcome(outcome: &str) -> &str {
    match outcome {
        "acknowledged" => "accepted",
        "converted" => "the other way round it is asked next (create or update)",
        "own" => "it is Planner's own appointment, never sent again",
        "transient" => "not now, it is sent again",
        "refused" => "refused, not sent again until the decision changes",
        "set_aside" => "set aside",
        "unknown" => "nobody knows whether it was done, it is sent again",
        "unsure" => "it was hardly done, it is sent again",
        "unsent" => "it never reached Planner",
        other => other,
    }
}

/// In words.
pub(super) fn of(what: &Happening) -> String {
    use Happening as H;
    match what {
        H::Listed => "Planner listed the mailbox for the first time".to_owned(),
        H::NotInUse { reason } => {
            format!("not used any more: {}", reason.as_deref().unwrap_or("no reason given"))
        }
        H::Withdrawn { by } => format!("{by} withdrew its appointments from Planner"),
        H::Located { endpoint } => format!("located at {endpoint}"),
        H::ListenedTo => "listening began (the last time)".to_owned(),
        H::CannotBeListenedTo { code, text, count } => {
            format!("cannot be listened to, {count} times in a row: {code}{}", with(text.as_ref()))
        }
        H::Adopted => "what Planner holds was taken over".to_owned(),
        H::ReadInFull { whole: Some(false) } => {
            "the whole window was read, but some appointments in it could not be read".to_owned()
        }
        H::ReadInFull { .. } => "the whole window was read".to_owned(),
        H::Compared => "compared with what Planner holds".to_owned(),
        H::Asked { id, kind, by, all } => {
            let of = if *all { " of all mailboxes" } else { "" };
            format!("{by} asked for: {}{of} (operation {id})", kind.replace('_', " "))
        }
        H::Event { event_id, severity, message } => format!("event {event_id} ({severity}): {message}"),
        H::Withheld { run, source, keys, there, state } => format!(
            "{keys} of {there} deletions found by a {} were withheld (run {run}, {state})",
            source.replace('_', " ")
        ),
        H::Notified { .. } | H::Handled { .. } | H::Failing { .. } => notification(what),
        H::Decided { .. }
        | H::Called { .. }
        | H::CallEnded { .. }
        | H::InFlight { .. }
        | H::Answered { .. } => sending(what),
    }
}

fn notification(what: &Happening) -> String {
    match what {
        Happening::Notified { id, kind: sort } => format!("{} (notification {id})", kind(sort)),
        Happening::Handled { id, outcome, text, attempts, .. } => {
            let tries = if *attempts > 0 { format!(" after {attempts} failures") } else { String::new() };
            format!("notification {id} handled{tries}: {outcome}{}", with(text.as_ref()))
        }
        Happening::Failing { id, attempts, error, set_aside, .. } => {
            let then = if *set_aside { "set aside" } else { "tried again" };
            format!("notification {id} failed {attempts} times, {then}{}", with(error.as_ref()))
        }
        _ => String::new(),
    }
}

fn sending(what: &Happening) -> String {
    match what {
        Happening::Decided { origin_id, version, wanted, slot, bulk, .. } => {
            let by = if *bulk { "a full read or comparison" } else { "a live change" };
            let at = slot.as_ref().map(|slot| format!(", {}", times(slot))).unwrap_or_default();
            let verdict = if *wanted { "Planner is to hold it" } else { "Planner is not to hold it" };
            format!("decided by {by}: {verdict}{at} ({origin_id}, version {version})")
        }
        Happening::Called { call_id, operation, items } => {
            format!("call {operation} to Planner with {items} ({call_id})")
        }
        Happening::CallEnded { operation, success, event_id, text, planner_call_id, .. } => {
            let how = if *success { "answered".to_owned() } else { "failed".to_owned() };
            let code = event_id.map(|id| format!(" (event {id})")).unwrap_or_default();
            let theirs = planner_call_id.map(|id| format!(", Planner's number {id}")).unwrap_or_default();
            format!("call {operation} {how}{code}{}{theirs}", with(text.as_ref()))
        }
        Happening::InFlight { origin_id, operation, deadline } => format!(
            "{} of {origin_id} is under way, its answer is waited for until {}",
            asked(*operation),
            moment(*deadline)
        ),
        Happening::Answered { origin_id, operation, version, slot, code, outcome: word, text } => {
            let receipt = code.map_or_else(|| "no receipt".to_owned(), |code| format!("receipt {code}"));
            format!(
                "{receipt} for {} of {origin_id} ({}, version {version}): {}{}",
                asked(*operation),
                times(slot),
                outcome(word),
                with(text.as_ref())
            )
        }
        _ => String::new(),
    }
}

/// How an appointment stands, and what follows.
pub(super) fn standing(key: &KeyState, facts: &MailboxFacts) -> String {
    let decided = match (key.wanted, &key.slot) {
        (Some(true), Some(slot)) => format!("it is to be in Planner, {}", times(slot)),
        (Some(true), None) => "it is to be in Planner".to_owned(),
        (Some(false), _) => "it is not to be in Planner".to_owned(),
        (None, _) => "nothing was decided about it, it is known from Planner alone".to_owned(),
    };
    let held = match key.planner {
        Planner::Nothing => "Planner does not hold it".to_owned(),
        Planner::Something => "Planner holds it, with times that are not known".to_owned(),
        Planner::Holds(slot) => format!("Planner holds it, {}", times(&slot)),
    };
    format!("{decided}; {held}; {}", next(key, facts))
}

fn next(key: &KeyState, facts: &MailboxFacts) -> String {
    if key.planner_own {
        return "it is Planner's own, and nothing is sent for it".to_owned();
    }
    if let Some(code) = key.refused {
        return format!(
            "Planner refused it with receipt code {code}: it is sent again when it changes or a comparison says so"
        );
    }
    if let Some(reason) = &key.set_aside {
        return format!("it was set aside ({reason}); `kommuneklient resend {}` tries it again", facts.mail);
    }
    if key.withheld {
        return "its deletion is withheld until an operator decides: `kommuneklient withheld list`"
            .to_owned();
    }
    if key.in_flight {
        return "it is in a call now".to_owned();
    }
    if !key.pending {
        return "nothing is to be sent".to_owned();
    }
    if facts.deleted_date.is_some() && !(facts.withdrawn.is_some() && key.wanted == Some(false)) {
        return "the difference is not sent, since the mailbox is not in use".to_owned();
    }
    if facts.deleted_date.is_none() && !facts.sendable {
        return "it is sent when the mailbox was adopted and read in full".to_owned();
    }
    match key.next_attempt_at {
        Some(at) => format!("it is sent again at {}", moment(at)),
        None => "it is sent when its turn comes".to_owned(),
    }
}

/// The values of an entry, for programs.
pub(super) fn fields(what: &Happening) -> Value {
    use Happening as H;
    match what {
        H::Listed => json!({ "what": "listed" }),
        H::NotInUse { reason } => json!({ "what": "not_in_use", "reason": reason }),
        H::Withdrawn { by } => json!({ "what": "withdrawn", "by": by }),
        H::Located { endpoint } => json!({ "what": "located", "endpoint": endpoint }),
        H::ListenedTo => json!({ "what": "listened_to" }),
        H::CannotBeListenedTo { code, count, .. } => {
            json!({ "what": "cannot_be_listened_to", "code": code, "count": count })
        }
        H::Adopted => json!({ "what": "adopted" }),
        H::ReadInFull { whole } => json!({ "what": "read_in_full", "whole": whole }),
        H::Compared => json!({ "what": "compared" }),
        H::Notified { id, kind } => json!({ "what": "notified", "id": id, "kind": kind }),
        H::Handled { id, kind, outcome, attempts, .. } => {
            json!({ "what": "handled", "id": id, "kind": kind, "outcome": outcome, "attempts": attempts })
        }
        H::Failing { id, kind, attempts, set_aside, .. } => {
            json!({ "what": "failing", "id": id, "kind": kind, "attempts": attempts, "set_aside": set_aside })
        }
        H::Decided { origin_id, version, wanted, slot, bulk, reading_began } => json!({
            "what": "decided", "origin_id": origin_id.as_str(), "version": version, "there": wanted,
            "start": slot.map(|slot| slot.start.to_string()), "end": slot.map(|slot| slot.end.to_string()),
            "bulk": bulk, "reading_began": reading_began.map(|at| at.to_string()),
        }),
        H::Called { call_id, operation, items } => {
            json!({ "what": "called", "call_id": call_id.to_string(), "operation": operation, "items": items })
        }
        H::CallEnded { call_id, operation, success, event_id, planner_call_id, .. } => json!({
            "what": "call_ended", "call_id": call_id.to_string(), "operation": operation, "success": success,
            "event_id": event_id, "planner_call_id": planner_call_id.map(|id| id.to_string()),
        }),
        H::InFlight { origin_id, operation, deadline } => json!({
            "what": "in_flight", "origin_id": origin_id.as_str(),
            "operation": operation.map(Operation::call_name), "deadline": deadline.to_string(),
        }),
        H::Answered { origin_id, operation, version, slot, code, outcome, .. } => json!({
            "what": "answered", "origin_id": origin_id.as_str(), "operation": operation.map(Operation::call_name),
            "version": version, "start": slot.start.to_string(), "end": slot.end.to_string(), "receipt_code": code,
            "outcome": outcome,
        }),
        H::Withheld { run, source, keys, there, state } => json!({
            "what": "withheld", "run": run, "source": source, "keys": keys, "there": there, "state": state,
        }),
        H::Asked { id, kind, by, all } => {
            json!({ "what": "asked", "operation": id, "kind": kind, "by": by, "all": all })
        }
        H::Event { event_id, severity, .. } => {
            json!({ "what": "event", "event_id": event_id, "severity": severity })
        }
    }
}

#[cfg(test)]
mod tests;
