//! Goal: a state that is wrong by one appointment is seen to be wrong, and one that is right in every way the rules
//! allow is not.

use jiff::tz::TimeZone;
use serde_json::json;

use super::*;

fn horizon() -> Horizon {
    Horizon::at("2026-08-01T10:00:00Z".parse().unwrap(), &TimeZone::get("Europe/Copenhagen").unwrap(), 3)
}

fn item(mailbox: &str, uid: &str, start: &str, end: &str) -> Listed {
    Listed {
        mailbox: mailbox.into(),
        item_id: format!("id of {uid}"),
        uid: Some(uid.into()),
        recurrence_id: None,
        times: (start.parse().unwrap(), end.parse().unwrap()),
        all_day: false,
        zone: None,
        free_busy: "Busy".into(),
        cancelled: false,
    }
}

fn row(mail: &str, origin: &str, start: &str, end: &str) -> EventRow {
    let row = json!({
        "mail": mail, "origin_id": origin, "start": start, "end": end, "planner_own": false,
        "calendar_event_identifier": "00000000-0000-0000-0000-000000000000",
    });
    serde_json::from_value(row).unwrap()
}

const START: &str = "2026-08-05T08:00:00Z";
const END: &str = "2026-08-05T09:00:00Z";

fn use_of(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

fn words(calendars: &[Listed], held: &[EventRow]) -> String {
    in_words(&differences(calendars, held, &use_of(&["a@x"]), &horizon()), 5)
}

#[test]
fn one_appointment_too_few_too_many_or_elsewhere_is_seen() {
    let calendars = [item("A@x", "U", START, END)];
    assert_eq!(words(&calendars, &[row("a@x", "U", START, END)]), "");
    assert_eq!(words(&calendars, &[]), "1 missing (a@x U)");
    assert_eq!(words(&calendars, &[row("a@x", "U", START, "2026-08-05T10:00:00Z")]), "1 stale (a@x U)");
    let two = [row("a@x", "U", START, END), row("a@x", "V", START, END)];
    assert_eq!(words(&calendars, &two), "1 extra (a@x V)");
}

#[test]
fn who_is_not_in_use_and_what_is_planners_own_does_not_count() {
    let calendars = [item("b@x", "U", START, END)];
    let own = EventRow { planner_own: true, ..row("a@x", "W", START, END) };
    let nameless = row("a@x", "", START, END);
    let of_another = row("c@x", "X", START, END);
    assert_eq!(words(&calendars, &[own, nameless, of_another]), "");
}

#[test]
fn what_began_today_and_stands_unchanged_is_left_and_nothing_else_of_today() {
    let (start, end) = ("2026-08-01T12:00:00Z", "2026-08-01T13:00:00Z");
    let calendars = [item("a@x", "U", start, end)];
    assert_eq!(words(&calendars, &[row("a@x", "U", start, end)]), "");
    assert_eq!(words(&calendars, &[row("a@x", "U", start, "2026-08-01T14:00:00Z")]), "1 extra (a@x U)");
    assert_eq!(words(&[], &[row("a@x", "U", start, end)]), "1 extra (a@x U)");
}

#[test]
fn in_use_is_who_is_listed_once_and_not_shut_out() {
    let resource = |address: &str| Resource { address: address.into(), is_case_worker: true, name: None };
    let listed = ["a@x", "B@x", "b@x ", "c@x", "d@x"].map(resource);
    assert_eq!(in_use(&listed, &Lists::default()), use_of(&["a@x", "c@x", "d@x"]));
    let black = Lists { black: use_of(&["c@x"]), ..Lists::default() };
    assert_eq!(in_use(&listed, &black), use_of(&["a@x", "d@x"]));
    let both = Lists { white: use_of(&["c@x", "d@x"]), ..black };
    assert_eq!(in_use(&listed, &both), use_of(&["d@x"]));
}

#[test]
fn what_was_refused_and_who_was_away_is_left_out_and_nothing_else() {
    let key = |mail: &str, origin: &str| (mail.to_owned(), origin.to_owned());
    let all = || vec![key("a@x", "1"), key("a@x", "2"), key("b@x", "1")];
    let mut differences = Differences { missing: all(), stale: all(), extra: all() };
    leave_out(&mut differences, &BTreeSet::from(["b@x".to_owned()]), &BTreeSet::from([key("a@x", "1")]));
    let left = vec![key("a@x", "2")];
    assert_eq!(
        (differences.missing, differences.stale, differences.extra),
        (left.clone(), left.clone(), left)
    );
}
