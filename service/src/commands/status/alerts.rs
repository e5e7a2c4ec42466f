//! The alerts that stand, of all instances together, and which of them a group or a mailbox is concerned by. Pure.

use base::event_entry::Clears;
use calendar::codes;
use serde_json::{Value, json};
use store::alerts::{Alert, OpenMatters, SomeMailboxes, WaitingMailboxes, named, not_named};

use crate::alert_keeper::states;
use crate::texts::{Language, in_language, status as t};

/// An alert names no more subjects than this; more of them may be concerned.
pub(crate) const NAMED_MAX: usize = 5;

/// One alert a code, whichever instances tell of it: since the earliest of them, about the subjects of all. What waits for an
/// operator is not counted once an instance.
pub(crate) fn merged(told: Vec<(String, Alert)>) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for (_, alert) in told {
        let Some(known) = alerts.iter_mut().find(|known| known.code == alert.code) else {
            alerts.push(alert);
            continue;
        };
        known.since = known.since.min(alert.since);
        known.last_at = known.last_at.max(alert.last_at);
        known.occurrences = if is_state(&alert) {
            // each of them looks at the same
            known.occurrences.max(alert.occurrences)
        } else {
            known.occurrences.saturating_add(alert.occurrences)
        };
        let (names, more) = named(&alert.subjects);
        let (known_names, known_more) = named(&known.subjects);
        let others = names.iter().filter(|name| !known_names.contains(name));
        let all = known_names.iter().chain(others).cloned();
        known.subjects = all.chain(not_named(known_more.saturating_add(more))).collect();
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
    let settled =
        |code: u16| states(matters).iter().any(|(state, waiting)| *state == code && waiting.is_none());
    alerts.retain(|alert| !settled(alert.code));
}

/// The mailboxes that an alert of this code is about; `None` where it is about no mailboxes.
fn waiting_of(code: u16, mailboxes: &WaitingMailboxes) -> Option<&SomeMailboxes> {
    if code == codes::DELETES_WITHHELD.id {
        Some(&mailboxes.full_reads_withheld)
    } else if code == codes::COMPARISON_WITHHELD.id {
        Some(&mailboxes.comparisons_withheld)
    } else if code == codes::NOTIFICATION_SET_ASIDE.id {
        Some(&mailboxes.notifications_set_aside)
    } else if code == codes::KEY_SET_ASIDE.id {
        Some(&mailboxes.keys_set_aside)
    } else {
        None
    }
}

/// States that are about mailboxes although their events are not counted by mailbox ([`waiting_of`]).
const ABOUT_MAILBOXES: [u16; 4] = [
    codes::DELETES_WITHHELD.id,
    codes::COMPARISON_WITHHELD.id,
    codes::NOTIFICATION_SET_ASIDE.id,
    codes::KEY_SET_ASIDE.id,
];

/// Names the mailboxes for which something waits.
pub(crate) fn name_waiting(alerts: &mut [Alert], mailboxes: &WaitingMailboxes) {
    for alert in alerts {
        let Some(SomeMailboxes { first, in_all }) = waiting_of(alert.code, mailboxes) else { continue };
        let more = not_named(in_all.saturating_sub(first.len()));
        alert.subjects = first.iter().cloned().chain(more).collect();
    }
}

/// What the subjects of an alert are: "group", "mailbox", "account" …
fn kind_of_subjects(alert: &Alert) -> Option<&'static str> {
    let waits = ABOUT_MAILBOXES.contains(&alert.code).then_some("mailbox");
    codes::by_id(alert.code).and_then(|entry| entry.per).or(waits)
}

/// What the alert is about, in words: the first few, and how many more; nothing where it is about the whole.
pub(crate) fn about(alert: &Alert, language: Language) -> String {
    let kind = kind_of_subjects(alert);
    let (names, more) = named(&alert.subjects);
    let mut words: Vec<String> =
        names.iter().take(NAMED_MAX).map(|name| subject(kind, name, language)).collect();
    let more = more.saturating_add(names.len().saturating_sub(NAMED_MAX));
    if more > 0 {
        words.push(t::AND_MORE.fill(language, &[("count", &more)]));
    }
    words.join(", ")
}

/// A subject of this kind in words; mailboxes say themselves what they are.
fn subject(kind: Option<&str>, name: &str, language: Language) -> String {
    let text = match kind {
        // what was counted as one
        _ if name == "others" => return t::OTHERS.say(language).to_owned(),
        Some("group") => t::ABOUT_GROUP,
        Some("account") if name == "0" => return t::ABOUT_CONFIGURED.say(language).to_owned(),
        Some("account") => t::ABOUT_ACCOUNT,
        Some("shard") => t::ABOUT_SHARD,
        _ => return name.to_owned(),
    };
    text.fill(language, &[("name", &name)])
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
    let (names, more) = named(&alert.subjects);
    json!({
        "code": alert.code,
        "meaning": meaning(alert.code, Language::En),
        "critical": is_critical(alert),
        "since": alert.since.to_string(),
        "last_at": alert.last_at.to_string(),
        "occurrences": alert.occurrences,
        "about": kind_of_subjects(alert),
        "subjects": names,
        "more": more,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::alerts::Waiting;

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
        let both = ["one", "two"].map(|instance| (instance.to_owned(), alert(9106, 0, &[])));
        assert_eq!(merged(both.into())[0].occurrences, 2, "both look at the same two runs");
    }

    #[test]
    fn what_was_settled_does_not_stand_and_what_waits_names_its_mailboxes() {
        let mut alerts = vec![
            alert(4908, 0, &["1"]),
            alert(9101, 0, &[]),
            alert(9106, 0, &[]),
            alert(9203, 0, &[]),
            alert(9404, 0, &[]),
        ];
        assert!(is_state(&alerts[1]) && !is_state(&alerts[0]));
        let waiting = Waiting { since: alerts[1].since, last_at: alerts[1].since, count: 1 };
        let matters = OpenMatters {
            full_reads_withheld: Some(waiting),
            notifications_set_aside: Some(waiting),
            keys_set_aside: Some(waiting),
            ..OpenMatters::default()
        };
        drop_settled(&mut alerts, &matters);
        assert_eq!(alerts.iter().map(|alert| alert.code).collect::<Vec<_>>(), [4908, 9101, 9106, 9203]);
        let some = |first: &[&str], in_all| SomeMailboxes {
            first: first.iter().map(|mail| (*mail).to_owned()).collect(),
            in_all,
        };
        let mailboxes = WaitingMailboxes {
            full_reads_withheld: some(&["b@x.dk"], 1),
            comparisons_withheld: some(&["c@x.dk"], 1),
            notifications_set_aside: some(&["n1@x.dk", "n2@x.dk"], 3_000),
            keys_set_aside: some(&["k@x.dk"], 1),
        };
        name_waiting(&mut alerts, &mailboxes);
        let subjects = |place: usize| alerts[place].subjects.join(" ");
        assert_eq!(subjects(0), "1");
        // regression: 9101 and 9203 named no mailbox
        assert_eq!(subjects(1), "n1@x.dk n2@x.dk +2998");
        assert_eq!(subjects(2), "b@x.dk");
        assert_eq!(subjects(3), "k@x.dk");
        let about = |alert: &Alert| value(alert)["about"].clone();
        assert_eq!(about(&alerts[0]), json!("group"));
        assert!(alerts[1..].iter().all(|alert| about(alert) == json!("mailbox")));
        // which states are about mailboxes is said twice, and the same
        for code in codes::REGISTRY.iter().map(|entry| entry.code.id) {
            assert_eq!(waiting_of(code, &mailboxes).is_some(), ABOUT_MAILBOXES.contains(&code), "{code}");
        }
    }

    /// Regression: subjects were cut at five without a word, and a bare number said neither group nor account.
    #[test]
    fn subjects_say_what_they_are_and_how_many_are_not_named() {
        for (code, subjects, english, danish) in [
            (4908, &["1", "12"][..], "group 1, group 12", "gruppe 1, gruppe 12"),
            (4906, &["a@x.dk"], "a@x.dk", "a@x.dk"),
            // regression: in the remark of `status` it stood as "((configuration))"
            (9006, &["0", "3"], "account of the configuration, account 3", "konfigurationens konto, konto 3"),
            (6906, &[], "", ""),
            (
                4908,
                &["1", "2", "3", "4", "others", "+7"],
                "group 1, group 2, group 3, group 4, others, and 7 more",
                "gruppe 1, gruppe 2, gruppe 3, gruppe 4, andre, og 7 flere",
            ),
            (
                4906,
                &["a@x", "b@x", "c@x", "d@x", "e@x", "f@x", "+2"],
                "a@x, b@x, c@x, d@x, e@x, and 3 more",
                "a@x, b@x, c@x, d@x, e@x, og 3 flere",
            ),
        ] {
            let alert = alert(code, 0, subjects);
            assert_eq!((&*about(&alert, Language::En), &*about(&alert, Language::Da)), (english, danish));
        }
        let told = [["1", "2", "+3"], ["2", "3", "+4"]];
        let told = told.map(|subjects| (String::new(), alert(4908, 0, &subjects)));
        let alerts = merged(told.into());
        assert_eq!(alerts[0].subjects, ["1", "2", "3", "+7"]);
        assert_eq!(value(&alerts[0])["subjects"], json!(["1", "2", "3"]));
        assert_eq!(value(&alerts[0])["more"], json!(7));
        assert_eq!(value(&alert(9101, 0, &[]))["more"], json!(0));
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
