//! What happened, in words. Pure.

use std::fmt::Display;

use calendar::{Slot, Window, codes};
use serde_json::{Value, json};
use store::inspect::{Happening, KeyState, MailboxFacts, Planner};
use store::operations::OperationKind;
use store::outbox::Operation;

use super::super::diff::{Sending, failure_values};
use super::super::show::{counted_in, moment, times};
use super::super::{reasons, stored, withheld as runs};
use crate::acts;
use crate::texts::{Language, Text, explain as t, in_language, withheld, words as w};

/// Says texts in one language.
#[derive(Clone, Copy)]
struct Voice(Language);

impl Voice {
    fn say(self, text: Text) -> String {
        text.say(self.0).to_owned()
    }

    fn fill(self, text: Text, values: &[(&str, &dyn Display)]) -> String {
        text.fill(self.0, values)
    }

    fn asked(self, operation: Option<Operation>) -> &'static str {
        let text = match operation {
            Some(Operation::Create) => t::THE_CREATION,
            Some(Operation::Update) => t::THE_UPDATE,
            Some(Operation::Delete) => t::THE_DELETION,
            None => t::A_CALL,
        };
        text.say(self.0)
    }

    /// What kind of notification, for people.
    fn kind(self, kind: &str) -> String {
        stored::kind(kind).map_or_else(|| self.fill(t::OTHER_KIND, &[("kind", &kind)]), |text| self.say(text))
    }

    /// A stored word, for people.
    fn word(self, known: Option<Text>, stored: &str) -> String {
        stored::say(known, stored, self.0)
    }

    /// So many, with the text for one or for many.
    fn counted(self, n: i32, one: Text, many: Text) -> String {
        counted_in(self.0, u64::try_from(n).unwrap_or_default(), one, many)
    }

    /// How often.
    fn times(self, n: i32) -> String {
        self.counted(n, t::ONE_TIME, t::TIMES)
    }
}

fn with(text: Option<&String>) -> String {
    text.filter(|text| !text.is_empty()).map(|text| format!(": {text}")).unwrap_or_default()
}

/// The same with a cause, of which the words that are ours are said in a language.
fn because(text: Option<&String>, voice: Voice) -> String {
    with(text.map(|text| stored::parts(text, voice.0)).as_ref())
}

/// What an event of the log says: its message is English and says what its code means, so for others that is said.
fn event_text(event_id: i32, logged: &str, language: Language) -> &str {
    match (language, u16::try_from(event_id).ok().and_then(codes::by_id)) {
        (Language::En, _) | (_, None) => logged,
        (_, Some(entry)) => in_language(entry.meaning, language),
    }
}

/// In words.
pub(super) fn of(what: &Happening, language: Language) -> String {
    use Happening as H;
    let voice = Voice(language);
    match what {
        H::Listed => voice.say(t::LISTED),
        H::NotInUse { reason } => {
            let why = reasons::or_none(reason.as_deref(), language);
            voice.fill(t::NOT_USED, &[("why", &why)])
        }
        H::Blocked { reason, by } => {
            let why = reasons::or_none(Some(reason.as_str()), language);
            voice.fill(t::BLOCKED, &[("by", by), ("why", &why)])
        }
        H::Allowed { reason, by } => voice.fill(t::ALLOWED, &[("by", by)]) + &with(reason.as_ref()),
        H::Withdrawn { by } => voice.fill(t::WITHDRAWN, &[("by", by)]),
        H::Located { endpoint } => voice.fill(t::LOCATED, &[("endpoint", endpoint)]),
        H::ListenedTo => voice.say(t::LISTENED),
        // it was never tried: nobody may, or nobody knows where
        H::CannotBeListenedTo { code, text, count: 0 } => {
            voice.fill(t::NOT_LISTENED_UNTRIED, &[("code", code)]) + &because(text.as_ref(), voice)
        }
        H::CannotBeListenedTo { code, text, count } => {
            voice.fill(t::NOT_LISTENED, &[("times", &voice.times(*count)), ("code", code)])
                + &because(text.as_ref(), voice)
        }
        H::Adopted => voice.say(t::ADOPTED),
        H::ReadInFull { whole: Some(false) } => voice.say(t::READ_PARTLY),
        H::ReadInFull { .. } => voice.say(t::READ),
        H::Compared => voice.say(t::COMPARED),
        H::Asked { .. } | H::Event { .. } | H::Acted { .. } | H::Withheld { .. } | H::Settled { .. } => {
            acted(what, voice)
        }
        H::Notified { .. } | H::Handled { .. } | H::Failing { .. } => notification(what, voice),
        H::Decided { .. }
        | H::Called { .. }
        | H::CallEnded { .. }
        | H::InFlight { .. }
        | H::Answered { .. } => sending(what, voice),
    }
}

fn acted(what: &Happening, voice: Voice) -> String {
    match what {
        Happening::Asked { id, kind, by, all } => {
            let known = OperationKind::named(kind).map(acts::words);
            let what = known.map_or_else(|| kind.replace('_', " "), |text| voice.say(text));
            // the resource list is no list of those in use
            let of_mailboxes = OperationKind::named(kind) != Some(OperationKind::ResourceList);
            let text = if *all && of_mailboxes { t::ASKED_ALL } else { t::ASKED };
            voice.fill(text, &[("by", by), ("what", &what), ("id", id)])
        }
        Happening::Event { event_id, severity, message } => {
            let severity = voice.word(stored::severity(severity), severity);
            let message = event_text(*event_id, message, voice.0);
            voice.fill(t::EVENT, &[("id", event_id), ("severity", &severity), ("message", &message)])
        }
        Happening::Acted { act, by, reason } => {
            voice.fill(t::ACTED, &[("by", by), ("act", act)]) + &with(reason.as_ref())
        }
        Happening::Withheld { run, source, keys, there, state } => {
            let source = match source.as_str() {
                "full_read" => t::A_FULL_READ.say(voice.0),
                "comparison" => t::A_COMPARISON.say(voice.0),
                other => other,
            };
            let state = voice.word(withheld::state(state), state);
            let values: [(&str, &dyn Display); 5] =
                [("n", keys), ("all", there), ("source", &source), ("run", run), ("state", &state)];
            voice.fill(t::WITHHELD, &values)
        }
        Happening::Settled { run, state, by } => {
            let settled = runs::settled(state, by, voice.0);
            voice.fill(t::SETTLED, &[("run", run), ("settled", &settled)])
        }
        _ => String::new(),
    }
}

fn notification(what: &Happening, voice: Voice) -> String {
    match what {
        Happening::Notified { id, kind } => {
            voice.fill(t::NOTIFIED, &[("what", &voice.kind(kind)), ("id", id)])
        }
        Happening::Handled { id, outcome, text, attempts, .. } => {
            let handled = if *attempts > 0 { t::HANDLED_LATE } else { t::HANDLED };
            let failures = voice.counted(*attempts, t::ONE_FAILURE, t::FAILURES);
            let outcome = voice.word(stored::handled(outcome), outcome);
            let text = text.as_deref().map(|text| stored::parts(text, voice.0));
            let values: [(&str, &dyn Display); 3] =
                [("id", id), ("failures", &failures), ("outcome", &outcome)];
            voice.fill(handled, &values) + &with(text.as_ref())
        }
        Happening::Failing { id, attempts, error, set_aside, .. } => {
            let failing = match (set_aside, attempts) {
                (true, _) => t::ASIDE,
                // what is not its own fault is not counted
                (false, 0) => t::PUT_OFF,
                (false, _) => t::FAILING,
            };
            voice.fill(failing, &[("id", id), ("times", &voice.times(*attempts))])
                + &because(error.as_ref(), voice)
        }
        _ => String::new(),
    }
}

fn sending(what: &Happening, voice: Voice) -> String {
    match what {
        Happening::Decided { origin_id, version, wanted, slot, bulk, overruled_at, withdrawn_by, .. } => {
            let by = match (bulk, withdrawn_by) {
                (_, Some(who)) => voice.fill(t::BY_WITHDRAWAL, &[("who", who)]),
                (false, None) => voice.say(t::BY_CHANGE),
                (true, None) if *wanted => voice.say(t::BY_PULL),
                // who comes back is not withdrawn any more
                (true, None) => voice.say(t::BY_PULL_OR_WITHDRAWAL),
            };
            let at = slot.as_ref().map(|slot| format!(", {}", times(voice.0, slot))).unwrap_or_default();
            let verdict = voice.say(if *wanted { t::TO_HOLD } else { t::NOT_TO_HOLD }) + &at;
            let values: [(&str, &dyn Display); 4] =
                [("by", &by), ("verdict", &verdict), ("origin", origin_id), ("version", version)];
            let decision = voice.fill(t::DECIDED, &values);
            match overruled_at {
                Some(at) => voice.fill(t::OVERRULED, &[("decision", &decision), ("at", &moment(*at))]),
                None => decision,
            }
        }
        Happening::Called { call_id, operation, items } => {
            let appointments = voice.counted(*items, w::ONE_APPOINTMENT, w::APPOINTMENTS);
            let mailboxes = voice.counted(*items, w::ONE_MAILBOX, w::MAILBOXES);
            let called = if operation == "GetEvents" { t::CALLED_ABOUT } else { t::CALLED };
            let values: [(&str, &dyn Display); 4] = [
                ("call", operation),
                ("appointments", &appointments),
                ("mailboxes", &mailboxes),
                ("id", call_id),
            ];
            voice.fill(called, &values)
        }
        Happening::CallEnded { operation, success, event_id, text, planner_call_id, .. } => {
            let how = if *success { t::CALL_ANSWERED } else { t::CALL_FAILED };
            let code = event_id.map(|id| voice.fill(t::OF_EVENT, &[("id", &id)])).unwrap_or_default();
            let theirs = planner_call_id.map(|id| voice.fill(t::THEIR_NUMBER, &[("id", &id)]));
            let how = voice.fill(how, &[("call", operation)]);
            format!("{how}{code}{}{}", because(text.as_ref(), voice), theirs.unwrap_or_default())
        }
        Happening::InFlight { origin_id, operation, deadline } => {
            let (what, at) = (voice.asked(*operation), moment(*deadline));
            voice.fill(t::UNDER_WAY, &[("what", &what), ("origin", origin_id), ("at", &at)])
        }
        Happening::Answered { origin_id, operation, version, slot, code, outcome, text } => {
            let receipt = match code {
                Some(code) => voice.fill(t::RECEIPT, &[("code", code)]),
                None => voice.say(t::NO_RECEIPT),
            };
            let values: [(&str, &dyn Display); 6] = [
                ("receipt", &receipt),
                ("what", &voice.asked(*operation)),
                ("origin", origin_id),
                ("times", &times(voice.0, slot)),
                ("version", version),
                ("outcome", &voice.word(stored::receipt(outcome), outcome)),
            ];
            voice.fill(t::ANSWERED, &values) + &because(text.as_ref(), voice)
        }
        _ => String::new(),
    }
}

/// How an appointment stands, and what follows.
pub(super) fn standing(
    key: &KeyState,
    facts: &MailboxFacts,
    now: &Present<'_>,
    language: Language,
) -> String {
    let voice = Voice(language);
    let decided = match (key.wanted, &key.slot) {
        (Some(true), Some(slot)) => format!("{}, {}", voice.say(t::IS_WANTED), times(language, slot)),
        (Some(true), None) => voice.say(t::IS_WANTED),
        // of a mailbox that is not used the times tell nothing
        (Some(false), Some(slot)) if facts.deleted_date.is_none() => {
            format!("{}: {}", voice.say(t::IS_UNWANTED), why_not(*slot, now, voice))
        }
        (Some(false), _) => voice.say(t::IS_UNWANTED),
        (None, _) => voice.say(t::IS_UNDECIDED),
    };
    let decided = match &key.kept {
        Some(kept) => {
            let text = if key.wanted == Some(false) { t::KEPT_UNWANTED } else { t::KEPT };
            voice.fill(text, &[("by", &kept.by), ("run", &kept.run), ("decided", &decided)])
        }
        None => decided,
    };
    let held = match key.planner {
        Planner::Nothing => voice.say(t::HOLDS_NOT),
        Planner::Something => voice.say(t::HOLDS_SOME),
        Planner::Holds(slot) => format!("{}, {}", voice.say(t::HOLDS), times(language, &slot)),
    };
    format!("{decided}; {held}; {}", next(key, facts, now.sending, voice))
}

/// What an appointment is judged by now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present<'a> {
    /// The days that are kept in step.
    pub(super) window: Window,
    /// What keeps everything from being sent.
    pub(super) sending: &'a Sending,
}

/// Why an appointment with these times is not to be in Planner, as far as its times tell.
fn why_not(slot: Slot, now: &Present<'_>, voice: Voice) -> String {
    let window = now.window;
    if window.overlaps(slot) {
        return voice.say(t::NOT_BUSY);
    }
    let (text, at) =
        if slot.end <= window.start { (t::TOO_EARLY, window.start) } else { (t::TOO_LATE, window.end) };
    voice.fill(text, &[("at", &moment(at))])
}

/// Why nothing may be known of an appointment.
pub(super) fn unknown(now: &Present<'_>, busy: &[String], language: Language) -> String {
    let (start, end) = (moment(now.window.start), moment(now.window.end));
    t::UNKNOWN.fill(language, &[("start", &start), ("end", &end), ("busy", &busy.join(", "))])
}

fn next(key: &KeyState, facts: &MailboxFacts, sending: &Sending, voice: Voice) -> String {
    if key.planner_own {
        return voice.say(t::NEXT_OWN);
    }
    if let Some(code) = key.refused {
        return voice.fill(t::NEXT_REFUSED, &[("code", &code)]);
    }
    if let Some(reason) = &key.set_aside {
        let reason = &stored::parts(reason, voice.0);
        return voice.fill(t::NEXT_ASIDE, &[("why", reason), ("mailbox", &facts.mail)]);
    }
    if key.withheld {
        return voice.say(t::NEXT_WITHHELD);
    }
    if key.in_flight {
        return voice.say(t::NEXT_IN_CALL);
    }
    if !key.pending {
        return voice.say(t::NEXT_NOTHING);
    }
    if facts.deleted_date.is_some() && !(facts.withdrawn.is_some() && key.wanted == Some(false)) {
        return voice.say(t::NEXT_NOT_USED);
    }
    if facts.deleted_date.is_none() && !facts.sendable {
        return voice.say(t::NEXT_UNREADY);
    }
    if sending.dry_run {
        return voice.say(t::NEXT_DRY_RUN);
    }
    if let (None, Some(failure)) = (key.next_attempt_at, &sending.failure) {
        let values = failure_values(failure);
        let values = values.iter().map(|(name, value)| (*name, stored::parts(value, voice.0)));
        let values: Vec<(&str, String)> = values.collect();
        let values: Vec<(&str, &dyn Display)> =
            values.iter().map(|(name, value)| (*name, value as &dyn Display)).collect();
        return voice.fill(t::NEXT_PLANNER_FAILS, &values);
    }
    match key.next_attempt_at {
        Some(at) => voice.fill(t::NEXT_AT, &[("at", &moment(at))]),
        None => voice.say(t::NEXT_TURN),
    }
}

/// The values of an entry, for programs.
pub(super) fn fields(what: &Happening) -> Value {
    use Happening as H;
    match what {
        H::Listed => json!({ "what": "listed" }),
        H::NotInUse { reason } => json!({ "what": "not_in_use", "reason": reason }),
        H::Blocked { reason, by } => json!({ "what": "blocked", "reason": reason, "by": by }),
        H::Allowed { reason, by } => json!({ "what": "allowed", "reason": reason, "by": by }),
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
        H::Decided { origin_id, version, wanted, slot, bulk, reading_began, overruled_at, withdrawn_by } => {
            json!({
                "what": "decided", "origin_id": origin_id.as_str(), "version": version, "there": wanted,
                "start": slot.map(|slot| slot.start.to_string()), "end": slot.map(|slot| slot.end.to_string()),
                "bulk": bulk, "reading_began": reading_began.map(|at| at.to_string()),
                "overruled_at": overruled_at.map(|at| at.to_string()), "withdrawn_by": withdrawn_by,
            })
        }
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
        H::Settled { run, state, by } => json!({ "what": "settled", "run": run, "state": state, "by": by }),
        H::Asked { id, kind, by, all } => {
            json!({ "what": "asked", "operation": id, "kind": kind, "by": by, "all": all })
        }
        H::Acted { act, by, reason } => {
            json!({ "what": "acted", "event_id": codes::OPERATOR_ACTED.id, "act": act, "by": by, "reason": reason })
        }
        H::Event { event_id, severity, .. } => {
            json!({ "what": "event", "event_id": event_id, "severity": severity })
        }
    }
}

#[cfg(test)]
mod tests;
