//! The alerts that stand, of all instances together, and which of them a group or a mailbox is concerned by. Pure.

use std::collections::BTreeSet;

use base::event_entry::Clears;
use calendar::codes;
use serde_json::{Value, json};
use store::alerts::{Alert, OpenMatters};
use store::withheld::{WithheldRun, WithheldSource};

use crate::alert_keeper::states;
use crate::texts::{Language, in_language};

/// An alert names no more subjects than this; more of them may be concerned.
const NAMED_MAX: usize = 5;

/// One alert a code, whichever instances tell of it: since the earliest of them, about the subjects of all.
pub(crate) fn merged(told: Vec<(String, Alert)>) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for (_, alert) in told {
        let Some(known) = alerts.iter_mut().find(|known| known.code == alert.code) else {
            alerts.push(alert);
            continue;
        };
        known.since = known.since.min(alert.since);
        known.last_at = known.last_at.max(alert.last_at);
        known.occurrences = known.occurrences.saturating_add(alert.occurrences);
        for subject in alert.subjects {
            if !known.subjects.contains(&subject) {
                known.subjects.push(subject);
            }
        }
    }
    alerts.sort_by_key(|alert| alert.code);
    alerts
}

/// What the code means; nothing for a code of a newer version.
pub(crate) fn meaning(code: u16, language: Language) -> &'static str {
    codes::by_id(code).map_or("", |entry| in_language(entry.meaning, language))
}

/// Is it one of those for which somebody is called at night?
pub(crate) fn is_critical(alert: &Alert) -> bool {
    codes::by_id(alert.code).is_some_and(|entry| entry.critical)
}

/// Is it about something that waits for an operator?
pub(crate) fn is_state(alert: &Alert) -> bool {
    codes::by_id(alert.code).is_some_and(|entry| entry.clears == Clears::State)
}

/// Leaves out what does not wait for an operator any more: whoever keeps the alerts looks only now and then.
pub(crate) fn drop_settled(alerts: &mut Vec<Alert>, matters: &OpenMatters) {
    let settled = |code: u16| states(matters).iter().any(|(state, so)| *state == code && !so);
    alerts.retain(|alert| !settled(alert.code));
}

/// What withheld the deletions that the alert is about.
fn withheld_by(code: u16) -> Option<WithheldSource> {
    if code == codes::DELETES_WITHHELD.id {
        Some(WithheldSource::FullRead)
    } else if code == codes::COMPARISON_WITHHELD.id {
        Some(WithheldSource::Comparison)
    } else {
        None
    }
}

/// Names the mailboxes whose deletions are withheld by these runs.
pub(crate) fn name_withheld(alerts: &mut [Alert], runs: &[WithheldRun]) {
    for alert in alerts {
        let Some(source) = withheld_by(alert.code) else { continue };
        let of_it = runs.iter().filter(|run| run.source == source);
        let mails: BTreeSet<String> = of_it.map(|run| run.mail.to_string()).collect();
        alert.subjects = mails.into_iter().take(NAMED_MAX).collect();
    }
}

/// What the subjects of an alert are: "group", "mailbox", "account" …
fn kind_of_subjects(alert: &Alert) -> Option<&'static str> {
    let withheld = withheld_by(alert.code).map(|_| "mailbox");
    codes::by_id(alert.code).and_then(|entry| entry.per).or(withheld)
}

/// The alerts about the stream of this group.
pub(crate) fn of_group(alerts: &[Alert], group: i64) -> impl Iterator<Item = &Alert> {
    let name = group.to_string();
    alerts.iter().filter(move |alert| {
        kind_of_subjects(alert) == Some("group")
            // the first few are named; a longer list may hold it, too
            && (alert.subjects.contains(&name) || alert.subjects.len() >= NAMED_MAX)
    })
}

/// An alert for programs.
pub(super) fn value(alert: &Alert) -> Value {
    json!({
        "code": alert.code,
        "meaning": meaning(alert.code, Language::En),
        "critical": is_critical(alert),
        "since": alert.since.to_string(),
        "last_at": alert.last_at.to_string(),
        "occurrences": alert.occurrences,
        "about": kind_of_subjects(alert),
        "subjects": alert.subjects,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn alert(code: u16, second: i64, subjects: &[&str]) -> Alert {
        let at = Timestamp::from_second(1_900_000_000 + second).unwrap();
        let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
        Alert { code, since: at, last_at: at, occurrences: 2, subjects }
    }

    #[test]
    fn what_several_instances_tell_is_one_alert() {
        let told = vec![
            ("two".to_owned(), alert(9101, 0, &[])),
            ("one".to_owned(), alert(4908, 5, &["1", "2"])),
            ("two".to_owned(), alert(4908, 3, &["2", "3"])),
        ];
        let alerts = merged(told);
        assert_eq!(alerts.iter().map(|alert| alert.code).collect::<Vec<_>>(), [4908, 9101]);
        assert_eq!(alerts[0].subjects, ["1", "2", "3"]);
        assert_eq!((alerts[0].since, alerts[0].occurrences), (alert(0, 3, &[]).since, 4));
        assert_eq!(alerts[0].last_at, alert(0, 5, &[]).last_at);
    }

    #[test]
    fn what_was_settled_does_not_stand_and_what_waits_names_its_mailboxes() {
        let mut alerts = vec![alert(4908, 0, &["1"]), alert(9106, 0, &[]), alert(9404, 0, &[])];
        assert!(is_state(&alerts[1]) && !is_state(&alerts[0]));
        drop_settled(&mut alerts, &OpenMatters { full_reads_withheld: true, ..OpenMatters::default() });
        assert_eq!(alerts.iter().map(|alert| alert.code).collect::<Vec<_>>(), [4908, 9106]);
        let run = |mail: &str, source| WithheldRun {
            id: 1,
            mail: calendar::MailAddress::parse(mail).unwrap(),
            source,
            withheld_at: Timestamp::UNIX_EPOCH,
            keys: 20,
            there: 30,
            remaining: 20,
            state: "withheld".to_owned(),
            settled: None,
        };
        let runs = [run("b@x.dk", WithheldSource::FullRead), run("c@x.dk", WithheldSource::Comparison)];
        name_withheld(&mut alerts, &runs);
        assert_eq!(alerts[1].subjects, ["b@x.dk"]);
        assert_eq!(alerts[0].subjects, ["1"]);
        let about = |alert: &Alert| value(alert)["about"].clone();
        assert_eq!((about(&alerts[1]), about(&alerts[0])), (json!("mailbox"), json!("group")));
    }

    #[test]
    fn a_group_has_the_alerts_that_name_it_and_those_that_name_too_many() {
        let alerts = [
            alert(4908, 0, &["1", "2"]),
            alert(4911, 0, &["3", "4", "5", "6", "7"]),
            // about mailboxes, whatever they are called
            alert(4906, 0, &["1"]),
        ];
        let of = |group| of_group(&alerts, group).map(|alert| alert.code).collect::<Vec<_>>();
        assert_eq!(of(1), [4908, 4911]);
        assert_eq!(of(9), [4911]);
        assert!(is_critical(&alerts[0]) && !is_critical(&alert(60_000, 0, &[])));
        assert!(!meaning(4908, Language::Da).is_empty() && meaning(60_000, Language::En).is_empty());
    }
}
