//! Goal: what the model expects of Planner follows B2-B4 for the entries that it draws.

use super::*;

fn horizon() -> Horizon {
    Horizon::at("2026-08-01T10:00:00Z".parse().unwrap(), &TimeZone::get("Europe/Copenhagen").unwrap(), 3)
}

fn times(start: &str, end: &str) -> Times {
    (start.parse().unwrap(), end.parse().unwrap())
}

#[test]
fn the_window_of_the_rules_example() {
    let horizon = horizon();
    assert_eq!(horizon.start, "2026-08-01T22:00:00Z".parse().unwrap());
    assert_eq!(horizon.end, "2026-11-01T23:00:00Z".parse().unwrap());
}

#[test]
fn an_occurrence_keeps_its_local_time_over_the_change_to_winter_time() {
    let series = Series {
        first: "2026-10-20".parse().unwrap(),
        at: Time::constant(9, 0, 0, 0),
        minutes: 30,
        rhythm: Rhythm::Weekly(1),
        count: 2,
        deleted: vec![],
        changed: HashMap::new(),
    };
    let entry = Entry {
        mailbox: "m@sim.test".into(),
        uid: "U".into(),
        content: Content::Series(series),
        free_busy: FreeBusy::Busy,
        away: false,
    };
    let key = |origin: &str| ("m@sim.test".to_owned(), origin.to_owned());
    assert_eq!(
        entry.expected(&horizon()),
        [
            (key("U$20261020-090000"), Some(times("2026-10-20T07:00:00Z", "2026-10-20T07:30:00Z"))),
            (key("U$20261027-090000"), Some(times("2026-10-27T08:00:00Z", "2026-10-27T08:30:00Z"))),
        ]
    );
}

#[test]
fn what_does_not_block_or_lies_outside_is_not_expected() {
    let entry = |free_busy, times| Entry {
        mailbox: "m@sim.test".into(),
        uid: "U".into(),
        content: Content::Single { times },
        free_busy,
        away: false,
    };
    let inside = times("2026-09-01T08:00:00Z", "2026-09-01T09:00:00Z");
    let today = times("2026-08-01T08:00:00Z", "2026-08-01T09:00:00Z");
    let expected = |entry: Entry| entry.expected(&horizon())[0].1;
    assert_eq!(expected(entry(FreeBusy::Oof, inside)), Some(inside));
    assert_eq!(expected(entry(FreeBusy::Free, inside)), None);
    assert_eq!(expected(entry(FreeBusy::Busy, today)), None);
    // entered today, running on: wanted
    let running = times("2026-08-01T08:00:00Z", "2026-08-03T08:00:00Z");
    assert_eq!(expected(entry(FreeBusy::Busy, running)), Some(running));
}
