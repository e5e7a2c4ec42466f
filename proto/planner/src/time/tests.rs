//! The service's times: a table of texts in a zone with summer time, and what is written for an instant.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{TimeForm, WireTime, read_clock};

fn copenhagen() -> WireTime {
    WireTime::in_zone(TimeZone::get("Europe/Copenhagen").unwrap())
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn texts_are_read_as_the_instants_they_stand_for() {
    for (text, expected) in [
        ("2031-03-04T09:00:00+01:00", "2031-03-04T08:00:00Z"),
        ("2031-03-04T08:00:00Z", "2031-03-04T08:00:00Z"),
        // Without offset: the configured zone's, in winter and in summer.
        ("2031-03-04T09:00:00", "2031-03-04T08:00:00Z"),
        ("2031-07-04T09:00:00", "2031-07-04T07:00:00Z"),
        // The hour that occurs twice (26 October 2031) is the first of the two; the one that is skipped
        // (30 March 2031) lies as far behind the gap.
        ("2031-10-26T02:30:00", "2031-10-26T00:30:00Z"),
        ("2031-03-30T02:30:00", "2031-03-30T01:30:00Z"),
        ("2031-10-26T02:30:00+01:00", "2031-10-26T01:30:00Z"),
        ("2031-03-04T09:00:00.5-03:30", "2031-03-04T12:30:00.5Z"),
        ("2031-03-04T09:00:00.1234567899Z", "2031-03-04T09:00:00.123456789Z"),
        ("2031-03-04T24:00:00Z", "2031-03-05T00:00:00Z"),
        (" 2031-03-04T09:00:00Z\r\n", "2031-03-04T09:00:00Z"),
        ("2031-03-04T09:00:00+14:00", "2031-03-03T19:00:00Z"),
        // The least and the greatest time of the service's platform.
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ] {
        assert_eq!(copenhagen().read(text), Some(instant(expected)), "{text}");
    }
    assert_eq!(copenhagen().read("9999-12-31T23:59:59.9999999"), Some(Timestamp::MAX));
    assert_eq!(copenhagen().read("9999-12-31T23:59:59.9999999Z"), Some(Timestamp::MAX));
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "2031-03-04",
        "2031-03-04 09:00:00Z",
        "2031-3-4T09:00:00Z",
        "2031-02-29T09:00:00Z",
        "2031-03-04T25:00:00Z",
        "2031-03-04T24:00:01Z",
        "2031-03-04T09:00:60Z",
        "2031-03-04T09:00:00.Z",
        "2031-03-04T09:00:00z",
        "2031-03-04T09:00:00+1:00",
        "2031-03-04T09:00:00+14:01",
        "2031-03-04T09:00:00+01:60",
        "2031-03-04T09:00:00ZZ",
        "-031-03-04T09:00:00Z",
        "+2031-03-04T09:00:00Z",
        "20310304T090000Z",
        "２031-03-04T09:00:00Z",
    ] {
        assert_eq!(copenhagen().read(text), None, "{text}");
    }
}

#[test]
fn instants_are_written_in_the_form_asked_for() {
    let winter = instant("2031-03-04T08:00:00Z");
    let summer = instant("2031-07-04T07:00:00.25Z");
    assert_eq!(copenhagen().write(winter), "2031-03-04T09:00:00+01:00");
    assert_eq!(copenhagen().write(summer), "2031-07-04T09:00:00.25+02:00");
    let utc = WireTime { form: TimeForm::Utc, ..copenhagen() };
    assert_eq!(utc.write(winter), "2031-03-04T08:00:00Z");
    let bare = WireTime { form: TimeForm::Bare, ..copenhagen() };
    assert_eq!(bare.write(winter), "2031-03-04T09:00:00");
    assert_eq!(WireTime::in_zone(TimeZone::UTC).write(winter), "2031-03-04T08:00:00Z");
    let west = WireTime::in_zone(TimeZone::get("America/St_Johns").unwrap());
    assert_eq!(west.write(winter), "2031-03-04T04:30:00-03:30");
}

#[test]
fn an_offset_with_seconds_is_written_as_utc() {
    // Copenhagen kept local mean time, 50 minutes and 20 seconds, until 1894.
    let old = instant("1850-01-01T12:00:00Z");
    assert_eq!(copenhagen().write(old), "1850-01-01T12:00:00Z");
    assert_eq!(copenhagen().read("1850-01-01T12:00:00Z"), Some(old));
}

#[test]
fn a_wall_clock_drops_its_offset() {
    let clock = read_clock("0001-01-01T08:30:00+01:00").unwrap();
    assert_eq!(clock.to_string(), "0001-01-01T08:30:00");
}
