//! Goal: the window of B3 on ordinary days, at month ends, over both DST changes, and at the calendar's end.
use proptest::prelude::*;

use super::*;
use crate::appointment::Appointment;
use crate::placing::place;
use crate::testing::single;
use crate::zone::Zones;

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
fn ordinary_days_month_ends_and_changes_of_the_clock() {
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
fn the_29th_of_february_and_the_end_of_the_year() {
    for (now, months, start, end) in [
        // tomorrow is 29 February: a year later there is none
        ("2028-02-28T12:00:00Z", 1, "2028-02-29T00:00+0100", "2028-03-29T00:00+0200"),
        ("2028-02-28T12:00:00Z", 12, "2028-02-29T00:00+0100", "2029-02-28T00:00+0100"),
        ("2028-02-28T12:00:00Z", 24, "2028-02-29T00:00+0100", "2030-02-28T00:00+0100"),
        // no leap year: tomorrow is 1 March
        ("2027-02-28T12:00:00Z", 12, "2027-03-01T00:00+0100", "2028-03-01T00:00+0100"),
        // to and from 31 December
        ("2026-12-30T12:00:00Z", 2, "2026-12-31T00:00+0100", "2027-02-28T00:00+0100"),
        ("2026-12-31T22:59:59Z", 1, "2027-01-01T00:00+0100", "2027-02-01T00:00+0100"),
        ("2026-12-31T23:00:00Z", 1, "2027-01-02T00:00+0100", "2027-02-02T00:00+0100"),
        ("2026-09-29T12:00:00Z", 5, "2026-09-30T00:00+0200", "2027-02-28T00:00+0100"),
        ("2026-05-30T12:00:00Z", 1, "2026-05-31T00:00+0200", "2026-06-30T00:00+0200"),
        ("2026-05-30T12:00:00Z", 24, "2026-05-31T00:00+0200", "2028-05-31T00:00+0200"),
    ] {
        assert_eq!(at(now, months), (start.to_owned(), end.to_owned()), "{now} + {months}");
    }
}

#[test]
fn days_have_23_and_25_hours() {
    let hours = |now: &str| {
        let window = Window::at(now.parse().unwrap(), &copenhagen(), 1);
        window.end.duration_since(window.start).as_hours()
    };
    // March, April; September to October; October to November
    assert_eq!(hours("2026-03-09T12:00:00Z"), 31 * 24 - 1);
    assert_eq!(hours("2026-04-09T12:00:00Z"), 30 * 24);
    assert_eq!(hours("2026-10-09T12:00:00Z"), 31 * 24 + 1);
    // the window begins on the day of the change itself
    assert_eq!(hours("2026-03-28T12:00:00Z"), 31 * 24 - 1);
    assert_eq!(hours("2026-10-24T12:00:00Z"), 31 * 24 + 1);
}

/// A pull at 02:00 and 02:30, on the eves of the two days and in their nights, where these times lie beyond the gap
/// or come twice; and pulls whose window ends on these days.
#[test]
fn the_windows_of_pulls_in_the_nights_of_dst() {
    for (now, start, end) in [
        // the eves: the window begins with the day of 23 or 25 hours
        ("2026-03-28T01:00:00Z", "2026-03-29T00:00+0100", "2026-06-29T00:00+0200"),
        ("2026-10-24T00:30:00Z", "2026-10-25T00:00+0200", "2027-01-25T00:00+0100"),
        // the nights: it begins with the next day, whichever 02:00 it is
        ("2026-03-29T00:59:59Z", "2026-03-30T00:00+0200", "2026-06-30T00:00+0200"),
        ("2026-03-29T01:00:00Z", "2026-03-30T00:00+0200", "2026-06-30T00:00+0200"),
        ("2026-10-25T00:00:00Z", "2026-10-26T00:00+0100", "2027-01-26T00:00+0100"),
        ("2026-10-25T01:30:00Z", "2026-10-26T00:00+0100", "2027-01-26T00:00+0100"),
        // three months before: it ends as that day begins, and a day later as it ends
        ("2025-12-28T01:00:00Z", "2025-12-29T00:00+0100", "2026-03-29T00:00+0100"),
        ("2025-12-29T01:00:00Z", "2025-12-30T00:00+0100", "2026-03-30T00:00+0200"),
        ("2026-07-24T00:00:00Z", "2026-07-25T00:00+0200", "2026-10-25T00:00+0200"),
        ("2026-07-25T00:00:00Z", "2026-07-26T00:00+0200", "2026-10-26T00:00+0100"),
    ] {
        assert_eq!(at(now, 3), (start.to_owned(), end.to_owned()), "{now}");
    }
}

/// Whole days on the two days and beside them, made in several zones: each lies in the windows of the pulls that it
/// belongs to and touches no other, to the hour.
#[test]
fn whole_days_on_the_days_of_dst_stand_in_the_right_windows() {
    let zones = Zones::named("Europe/Copenhagen").unwrap();
    let whole_day = |date: Date, made_in: &str| {
        let own = TimeZone::get(made_in).unwrap();
        let slot = Slot { start: midnight(date, &own), end: midnight(date.tomorrow().unwrap(), &own) };
        let item = Appointment { is_all_day: true, zone: Some(made_in.to_owned()), ..single("i", "U", slot) };
        place(&item, &zones)
    };
    for (day, hours, at_two) in [
        (jiff::civil::date(2026, 3, 29), 23, "2026-03-29T01:00:00Z"),
        (jiff::civil::date(2026, 10, 25), 25, "2026-10-25T01:00:00Z"),
    ] {
        let now: Timestamp = at_two.parse().unwrap();
        let eve = now.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap();
        let window = |now: Timestamp| Window::at(now, zones.configured(), 3);
        let (on_the_eve, in_the_night) = (window(eve), window(now));
        for made_in in ["Europe/Copenhagen", "UTC", "America/New_York", "Asia/Tokyo"] {
            let placed = whole_day(day, made_in);
            assert_eq!(placed.end.duration_since(placed.start).as_hours(), hours, "{day} in {made_in}");
            assert_eq!(placed.start, on_the_eve.start, "{day} in {made_in}");
            assert_eq!(placed.end, in_the_night.start, "{day} in {made_in}");
            assert!(on_the_eve.overlaps(placed) && !in_the_night.overlaps(placed), "{day} in {made_in}");
            let after = whole_day(day.tomorrow().unwrap(), made_in);
            assert_eq!(after.start, in_the_night.start, "{day} in {made_in}");
            assert!(in_the_night.overlaps(after), "{day} in {made_in}");
            let before = whole_day(day.yesterday().unwrap(), made_in);
            assert!(!on_the_eve.overlaps(before), "{day} in {made_in}");
        }
    }
    // where a window ends on such a day, that day is outside, and where it ends a day later inside
    for (now, day, inside) in [
        ("2025-12-28T01:00:00Z", jiff::civil::date(2026, 3, 29), false),
        ("2025-12-29T01:00:00Z", jiff::civil::date(2026, 3, 29), true),
        ("2026-07-24T00:00:00Z", jiff::civil::date(2026, 10, 25), false),
        ("2026-07-25T00:00:00Z", jiff::civil::date(2026, 10, 25), true),
    ] {
        let window = Window::at(now.parse().unwrap(), zones.configured(), 3);
        assert_eq!(window.overlaps(whole_day(day, "Europe/Copenhagen")), inside, "{now}");
    }
}

#[test]
fn midnights_that_do_not_exist_or_come_twice() {
    for (zone, now, months, start, end) in [
        // Brazil until 2019: 4 November 2018 begins at 01:00
        ("America/Sao_Paulo", "2018-11-03T12:00:00Z", 1, "2018-11-04T03:00:00Z", "2018-12-04T02:00:00Z"),
        ("America/Sao_Paulo", "2018-10-03T12:00:00Z", 1, "2018-10-04T03:00:00Z", "2018-11-04T03:00:00Z"),
        // Lebanon: 29 March 2026 begins at 01:00
        ("Asia/Beirut", "2026-03-28T12:00:00Z", 1, "2026-03-28T22:00:00Z", "2026-04-28T21:00:00Z"),
        ("Asia/Beirut", "2026-01-28T12:00:00Z", 2, "2026-01-28T22:00:00Z", "2026-03-28T22:00:00Z"),
        // Cuba: 1 November 2026 has two midnights, the first one counts
        ("America/Havana", "2026-10-31T12:00:00Z", 1, "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
        // Samoa left out 30 December 2011 altogether
        ("Pacific/Apia", "2011-12-29T12:00:00Z", 1, "2011-12-30T10:00:00Z", "2012-01-29T10:00:00Z"),
    ] {
        let zone = TimeZone::get(zone).unwrap();
        let window = Window::at(now.parse().unwrap(), &zone, months);
        assert_eq!(
            (window.start.to_string(), window.end.to_string()),
            (start.to_owned(), end.to_owned()),
            "{now}"
        );
    }
}

#[test]
fn every_day_of_five_years_and_every_number_of_months() {
    let zone = copenhagen();
    let last_of = |date: Date| date.last_of_month().day();
    let mut today = jiff::civil::date(2024, 1, 1);
    while today.year() < 2029 {
        let noon = zone.to_timestamp(today.at(12, 0, 0, 0)).unwrap();
        for months in 1..=24u32 {
            let window = Window::at(noon, &zone, months);
            let (first, end) = (window.start.to_zoned(zone.clone()), window.end.to_zoned(zone.clone()));
            assert_eq!(window.today, today);
            assert_eq!(first.date(), today.tomorrow().unwrap());
            assert_eq!((first.hour(), end.hour(), end.minute()), (0, 0, 0), "{today} + {months}");
            // counted in months, not in days
            let counted = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month());
            assert_eq!(counted(end.date()) - counted(first.date()), i32::try_from(months).unwrap());
            assert_eq!(end.day(), first.day().min(last_of(end.date())), "{today} + {months}");
        }
        today = today.tomorrow().unwrap();
    }
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
