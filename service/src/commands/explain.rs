//! `explain`: what happened with a mailbox, or with one of its appointments, in order and in words.
//!
//! Everything comes from the logs and tables of the stages; what an appointment is about is stored nowhere (B6), so it
//! cannot be told here either.

mod words;

use calendar::{MailAddress, Window};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::inspect::{Entry, History, HistoryQuery, KeyState, Planner};

use super::diff::Sending;
use super::show::{moment, table_in};
use super::{CommandError, Desk, mailbox};
use crate::cli::tools::ExplainArgs;
use crate::texts::{Language, Text, explain as t};
use words::Present;

/// Tells the story.
pub(crate) async fn explain(desk: Desk, args: &ExplainArgs) -> Result<(), CommandError> {
    let mail = &args.mailbox;
    let facts = desk.store.mailbox_facts(mail).await?;
    let Some(facts) = facts else {
        return Err(mailbox::unknown(&desk, mail).await?);
    };
    let key = match &args.origin_id {
        Some(origin_id) => desk.store.key_state(mail, origin_id).await?,
        None => None,
    };
    let back = SignedDuration::try_from(args.since.get()).unwrap_or(SignedDuration::MAX);
    let since = desk.now().checked_sub(back).unwrap_or(Timestamp::MIN);
    let query = HistoryQuery { mail, origin_id: args.origin_id.as_ref(), since, limit: args.limit };
    let history = desk.store.history(&query).await?;
    let entries: Vec<Value> = history.entries.iter().map(entry_value).collect();
    let sending = Sending::now(&desk).await?;
    let calendar = &desk.config.calendar;
    let months = calendar.calendar_events_period_in_months;
    let window = Window::at(desk.now(), &calendar.time_zone(), months);
    let present = Present { window, sending: &sending };
    let mut value = json!({ "mailbox": mail.as_str(), "since": since.to_string(), "entries": entries });
    value["complete"] = json!(!history.more);
    if let Some(origin_id) = &args.origin_id {
        value["origin_id"] = json!(origin_id.as_str());
        value["now"] = key.as_ref().map_or(Value::Null, key_value);
        value["standing"] = json!(match &key {
            None => words::unknown(&present, &calendar.busy_statuses, Language::En),
            Some(key) => words::standing(key, &facts, &present, Language::En),
        });
    }
    let aside = facts.counts.notifications_set_aside;
    value["notifications_set_aside"] = json!(aside);
    value["dry_run"] = json!(sending.dry_run);
    value["planner_failure"] = sending.failure_value();
    desk.answer(&value, || {
        let language = desk.language;
        let row = |entry: &Entry| vec![moment(entry.at), words::of(&entry.what, language)];
        let rows = history.entries.iter().map(row).collect();
        let mut text = table_in(language, &[t::WHEN, t::WHAT], rows, t::NOTHING);
        if history.more {
            let more = left_out(&history, args.limit);
            text.insert_str(0, &format!("{}\n\n", more.fill(language, &[("n", &args.limit)])));
        }
        let now = match (&args.origin_id, &key) {
            (None, _) => mailbox::state_of(&facts, language),
            (Some(_), None) => words::unknown(&present, &calendar.busy_statuses, language),
            (Some(_), Some(key)) => words::standing(key, &facts, &present, language),
        };
        let now = t::NOW.fill(language, &[("state", &now)]);
        let aside = set_aside(aside, mail, language);
        [text, String::new(), now].into_iter().chain(aside).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// What is said of notifications of the mailbox that were set aside, however long ago, if there are any.
fn set_aside(count: u64, mail: &MailAddress, language: Language) -> Option<String> {
    let text = if count == 1 { t::ONE_NOTIFICATION_ASIDE } else { t::NOTIFICATIONS_ASIDE };
    (count > 0).then(|| text.fill(language, &[("n", &count), ("mailbox", mail)]))
}

/// What is said above a story of which earlier entries were left out.
fn left_out(history: &History, limit: u32) -> Text {
    if history.entries.len() > limit as usize { t::MORE_AND_DECISION } else { t::MORE }
}

fn entry_value(entry: &Entry) -> Value {
    let mut value = words::fields(&entry.what);
    value["at"] = json!(entry.at.to_string());
    value["text"] = json!(words::of(&entry.what, Language::En));
    value
}

fn key_value(key: &KeyState) -> Value {
    let held = match key.planner {
        Planner::Nothing => Value::Null,
        Planner::Something => json!({}),
        Planner::Holds(slot) => json!({ "start": slot.start.to_string(), "end": slot.end.to_string() }),
    };
    json!({
        "version": key.version,
        "there": key.wanted,
        "start": key.slot.map(|slot| slot.start.to_string()),
        "end": key.slot.map(|slot| slot.end.to_string()),
        "decided_at": key.decided_at.map(|at| at.to_string()),
        "held_by_planner": held,
        "uncertain": key.uncertain,
        "planner_own": key.planner_own,
        "refused": key.refused,
        "set_aside": key.set_aside,
        "withheld": key.withheld,
        "deletion_rejected": key.kept.as_ref().map(|kept| json!({ "run": kept.run, "by": kept.by })),
        "unsent": key.pending,
        "next_attempt_at": key.next_attempt_at.map(|at| at.to_string()),
        "in_flight": key.in_flight,
    })
}

#[cfg(test)]
mod tests {
    use store::inspect::Happening;

    use super::*;

    /// Regression: five rows stood below "only the latest 4 entries", the first of them the decision that stands.
    #[test]
    fn the_decision_that_is_told_beyond_the_limit_is_not_counted_as_one_of_the_latest() {
        let story = |count| History {
            entries: vec![Entry { at: Timestamp::UNIX_EPOCH, what: Happening::Listed }; count],
            more: true,
        };
        assert_eq!(left_out(&story(4), 4), t::MORE);
        assert_eq!(left_out(&story(5), 4), t::MORE_AND_DECISION);
    }

    /// Regression: a notification that was set aside before the days that are told was told nowhere.
    #[test]
    fn notifications_that_were_set_aside_are_told_below_every_story() {
        let mail = MailAddress::parse("a@x.dk").unwrap();
        assert_eq!(set_aside(0, &mail, Language::En), None);
        let one = set_aside(1, &mail, Language::En).unwrap();
        assert!(one.starts_with("1 notification of it is set aside"), "{one}");
        assert!(one.ends_with("kommuneklient set-aside list --mailbox a@x.dk"), "{one}");
        let many = set_aside(3, &mail, Language::Da).unwrap();
        assert!(many.starts_with("3 notifikationer for den er lagt til side"), "{many}");
    }
}
