//! Goal: the window of B3 on ordinary days, at month ends, over both DST changes, and at the calendar's end.
use proptest::prelude::*;

use super::*;

fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").unwrap()
}

fn at(now: &str, months: u32) -> (String, String) {
    let zone = copenhagen();
    let window = Window::at(now.parse().unwrap(), &zone, months);
    let show = |instant: Timestamp| instant.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M%z").to_string();
    (show(window.start), show(window.end))
}

#[test]
fn table() {
    for (now, months, start, end) in [
        // the rule's own example
        ("2026-08-01T10:00:00Z", 3, "2026-08-02T00:00+0200", "2026-11-02T00:00+0100"),
        // just before and after midnight in Copenhagen, not UTC
        ("2026-08-01T21:59:59Z", 1, "2026-08-02T00:00+0200", "2026-09-02T00:00+0200"),
        ("2026-08-01T22:00:00Z", 1, "2026-08-03T00:00+0200", "2026-09-03T00:00+0200"),
        // month ends
        ("2026-01-30T12:00:00Z", 1, "2026-01-31T00:00+0100", "2026-02-28T00:00+0100"),
        ("2028-01-30T12:00:00Z", 1, "2028-01-31T00:00+0100", "2028-02-29T00:00+0100"),
        ("2026-02-27T12:00:00Z", 1, "2026-02-28T00:00+0100", "2026-03-28T00:00+0100"),
        ("2026-12-31T12:00:00Z", 12, "2027-01-01T00:00+0100", "2028-01-01T00:00+0100"),
        // the days of 23 and 25 hours
        ("2026-03-28T12:00:00Z", 1, "2026-03-29T00:00+0100", "2026-04-29T00:00+0200"),
        ("2026-10-24T12:00:00Z", 1, "2026-10-25T00:00+0200", "2026-11-25T00:00+0100"),
    ] {
        assert_eq!(at(now, months), (start.to_owned(), end.to_owned()), "{now} + {months}");
    }
}

#[test]
fn a_midnight_that_does_not_exist_is_the_first_instant_after_it() {
    // Cuba jumps from 00:00 to 01:00 on 8 March 2026
    let zone = TimeZone::get("America/Havana").unwrap();
    let window = Window::at("2026-03-07T17:00:00Z".parse().unwrap(), &zone, 1);
    assert_eq!(window.start.to_string(), "2026-03-08T05:00:00Z");
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for months in [0, 1, u32::MAX] {
        Window::at(Timestamp::MAX, &copenhagen(), months);
        Window::at(Timestamp::MIN, &copenhagen(), months);
    }
}

proptest! {
    #[test]
    fn starts_after_now_within_25_hours_and_contains_its_middle(seconds in 0i64..4_000_000_000, months in 1u32..=24) {
        let now = Timestamp::from_second(seconds).unwrap();
        let window = Window::at(now, &copenhagen(), months);
        prop_assert!(window.start > now);
        prop_assert!(window.start.duration_since(now).as_hours() <= 25);
        prop_assert!(window.end > window.start);
        let days = window.end.duration_since(window.start).as_hours() / 24;
        prop_assert!((i64::from(months) * 28 - 1..=i64::from(months) * 31 + 1).contains(&days), "{} days", days);
        prop_assert!(window.overlaps(window.slot()));
        let before = Slot { start: Timestamp::MIN, end: window.start };
        prop_assert!(!window.overlaps(before));
        let after = Slot { start: window.end, end: Timestamp::MAX };
        prop_assert!(!window.overlaps(after));
    }
}
