//! Goal: all-day appointments land on their dates whatever zone they were made in, over DST changes and
//! with zones that nobody knows; ordinary ones stay where they are, to the second.
use proptest::prelude::*;

use super::*;
use crate::appointment::{AppointmentKind, FreeBusy};
use crate::ids::ItemId;

fn zones() -> Zones {
    Zones::named("Europe/Copenhagen").unwrap()
}

fn appointment(start: &str, end: &str, is_all_day: bool, zone: Option<&str>) -> Appointment {
    Appointment {
        item_id: ItemId::new("i"),
        uid: None,
        kind: AppointmentKind::Single,
        recurrence_id: None,
        slot: Slot { start: start.parse().unwrap(), end: end.parse().unwrap() },
        is_all_day,
        free_busy: FreeBusy::Busy,
        is_cancelled: false,
        zone: zone.map(str::to_owned),
    }
}

#[test]
fn all_day_table() {
    for (zone, start, end, placed_start, placed_end) in [
        // made in Copenhagen, one date in winter and one in summer
        (
            Some("Romance Standard Time"),
            "2026-01-14T23:00:00Z",
            "2026-01-15T23:00:00Z",
            "2026-01-14T23:00:00Z",
            "2026-01-15T23:00:00Z",
        ),
        (
            Some("Romance Standard Time"),
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
        ),
        // made in New York: 15 January there is 15 January here
        (
            Some("Eastern Standard Time"),
            "2026-01-15T05:00:00Z",
            "2026-01-16T05:00:00Z",
            "2026-01-14T23:00:00Z",
            "2026-01-15T23:00:00Z",
        ),
        // made in Tokyo
        (
            Some("Tokyo Standard Time"),
            "2026-01-14T15:00:00Z",
            "2026-01-15T15:00:00Z",
            "2026-01-14T23:00:00Z",
            "2026-01-15T23:00:00Z",
        ),
        // made in UTC
        (
            Some("UTC"),
            "2026-07-15T00:00:00Z",
            "2026-07-16T00:00:00Z",
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
        ),
        // no zone, and one that nobody knows: the configured one
        (
            None,
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
        ),
        (
            Some("Customized Time Zone"),
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
        ),
        // the dates of the DST changes: 23 and 25 hours
        (
            Some("Romance Standard Time"),
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            Some("Romance Standard Time"),
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        // three dates over a change, made in a zone that changes on another day
        (
            Some("Eastern Standard Time"),
            "2026-03-28T04:00:00Z",
            "2026-03-31T04:00:00Z",
            "2026-03-27T23:00:00Z",
            "2026-03-30T22:00:00Z",
        ),
        // times that are no midnights of the zone: as many dates as it is long
        (
            Some("UTC"),
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
            "2026-07-13T22:00:00Z",
            "2026-07-14T22:00:00Z",
        ),
        (
            None,
            "2026-07-15T08:00:00Z",
            "2026-07-15T09:00:00Z",
            "2026-07-14T22:00:00Z",
            "2026-07-15T22:00:00Z",
        ),
    ] {
        let placed = place(&appointment(start, end, true, zone), &zones());
        assert_eq!(
            (placed.start.to_string(), placed.end.to_string()),
            (placed_start.to_owned(), placed_end.to_owned()),
            "{start} to {end} in {zone:?}"
        );
    }
}

#[test]
fn no_length_stays_no_length() {
    let placed = place(&appointment("2026-07-14T22:00:00Z", "2026-07-14T22:00:00Z", true, None), &zones());
    assert_eq!(placed.start, placed.end);
}

#[test]
fn ordinary_times_lose_their_fractions_only() {
    let placed = place(
        &appointment("2026-07-14T08:00:00.9Z", "2026-07-14T09:00:00.000001Z", false, Some("UTC")),
        &zones(),
    );
    assert_eq!(placed.start.to_string(), "2026-07-14T08:00:00Z");
    assert_eq!(placed.end.to_string(), "2026-07-14T09:00:00Z");
    assert_eq!(to_second("1969-12-31T23:59:58.5Z".parse().unwrap()).to_string(), "1969-12-31T23:59:58Z");
}

#[test]
fn an_all_day_appointment_in_a_zone_that_nobody_knows_is_placed_by_the_configured_zone() {
    let (start, end) = ("2026-07-14T22:00:00Z", "2026-07-16T22:00:00Z");
    let known = place(&appointment(start, end, true, Some("Romance Standard Time")), &zones());
    for name in ["Customized Time Zone", "tzone://Microsoft/Custom", "Nowhere Standard Time", ""] {
        assert_eq!(place(&appointment(start, end, true, Some(name)), &zones()), known, "{name}");
    }
    assert_eq!((known.start.to_string(), known.end.to_string()), (start.to_owned(), end.to_owned()));
}

#[test]
fn appointments_for_ever_are_cut_to_what_the_database_and_planner_hold() {
    let item = |start: Timestamp, end: Timestamp, is_all_day| {
        let mut item = appointment("2026-07-14T22:00:00Z", "2026-07-15T22:00:00Z", is_all_day, None);
        item.slot = Slot { start, end };
        item
    };
    let some_day = "2026-07-14T22:00:00Z".parse().unwrap();
    for is_all_day in [false, true] {
        // 9999-12-31 is read as the last instant that there is
        let endless = place(&item(some_day, Timestamp::MAX, is_all_day), &zones());
        assert_eq!(endless.start, some_day);
        assert!(endless.end.to_string().starts_with("9999-12-3"), "{}", endless.end);
        assert_eq!(
            endless.end.subsec_nanosecond(),
            0,
            "the database rounds fractions, so it would differ for ever"
        );
        // 0001-01-01 and before
        let ancient = place(&item(Timestamp::MIN, some_day, is_all_day), &zones());
        assert_eq!(ancient.start.to_string(), "0001-01-02T00:00:00Z");
        let always = place(&item(Timestamp::MIN, Timestamp::MAX, is_all_day), &zones());
        assert!(always.start < always.end);
    }
}

proptest! {
    #[test]
    fn any_times_are_placed_to_the_second_and_where_they_can_be_told(
        start in -400_000_000_000i64..=300_000_000_000, length in -1_000_000i64..400_000_000_000,
        nanosecond in 0i32..1_000_000_000, is_all_day in any::<bool>(),
    ) {
        let (min, max) = (Timestamp::MIN.as_second() + 1, Timestamp::MAX.as_second());
        let at = |second: i64| Timestamp::new(second.clamp(min, max), nanosecond).unwrap();
        let mut item = appointment("2026-07-14T22:00:00Z", "2026-07-15T22:00:00Z", is_all_day, None);
        item.slot = Slot { start: at(start), end: at(start.saturating_add(length)) };
        let placed = place(&item, &zones());
        for instant in [placed.start, placed.end] {
            prop_assert_eq!(instant.subsec_nanosecond(), 0);
            prop_assert!(instant.as_second() >= EARLIEST);
        }
        // what blocks no time before does not after
        if item.slot.end < item.slot.start {
            prop_assert!(placed.end <= placed.start);
        }
    }

    #[test]
    fn all_day_covers_its_dates_from_any_zone(
        day in 0i64..8_000, length in 1i64..30,
        zone in prop::sample::select(vec!["Europe/Copenhagen", "America/New_York", "Asia/Tokyo", "Pacific/Apia", "Australia/Lord_Howe", "UTC"]),
    ) {
        let own = jiff::tz::TimeZone::get(zone).unwrap();
        let first = jiff::civil::date(2015, 1, 1).saturating_add(day.days());
        let after = first.saturating_add(length.days());
        let mut item = appointment("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", true, Some(zone));
        item.slot = Slot { start: midnight(first, &own), end: midnight(after, &own) };
        let placed = place(&item, &zones());
        prop_assert_eq!(placed.start.to_zoned(zones().configured().clone()).date(), first);
        prop_assert_eq!(placed.end.to_zoned(zones().configured().clone()).date(), after);
        // placing what is placed changes nothing
        item.slot = placed;
        item.zone = None;
        prop_assert_eq!(place(&item, &zones()), placed);
    }
}
