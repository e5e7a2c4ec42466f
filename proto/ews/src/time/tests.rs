//! Goal: every form of time that servers and clients write is read as the instant it means; others are
//! refused; what is written is read back.

use proptest::prelude::*;

use super::*;

#[test]
fn forms_of_times() {
    for (text, expected) in [
        ("2026-03-02T09:15:07Z", "2026-03-02T09:15:07Z"),
        (" 2026-03-02T09:15:07Z\n", "2026-03-02T09:15:07Z"),
        ("2026-03-02T09:15:07.5Z", "2026-03-02T09:15:07.5Z"),
        ("2026-11-22T01:02:29.499128343Z", "2026-11-22T01:02:29.499128343Z"),
        ("2026-03-02T09:15:07+05:30", "2026-03-02T03:45:07Z"),
        ("2026-03-02T09:15:07.25-14:00", "2026-03-02T23:15:07.25Z"),
        ("2026-03-02T09:15:07", "2026-03-02T09:15:07Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("1601-01-01T00:00:00Z", "1601-01-01T00:00:00Z"),
    ] {
        assert_eq!(parse_timestamp(text), Some(expected.parse().unwrap()), "{text}");
    }
    for never in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999-14:00"] {
        assert_eq!(parse_timestamp(never), Some(Timestamp::MAX), "{never}");
    }
}

proptest! {
    /// The usual form is read as the library reads it, and what is nearly of that form is not read as something else.
    #[test]
    fn the_usual_form_is_read_as_the_library_reads_it(
        text in "(0[0-9]|19|20|99)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|z|a|)",
    ) {
        let by_library: Option<Timestamp> = text.parse().ok();
        if let Some(time) = usual_timestamp(&text) {
            prop_assert_eq!(Some(time), by_library);
        }
        // seconds of 60, and the end of the library's range, are the other path's business
        let unusual = text.contains(":60") || text.starts_with("9999");
        if text.ends_with('Z') && !unusual {
            prop_assert_eq!(usual_timestamp(&text), by_library);
        }
    }
}

#[test]
fn no_times() {
    for text in [
        "",
        "T",
        "2026-03-02",
        "09:15:07Z",
        "2026-03-02T",
        "2026-02-30T00:00:00Z",
        "2026-03-02T25:00:00Z",
        "2026-03-02T09:15:07Zulu",
        "2026-03-02T09:15:07+1",
        "2026-03-02T09:15:07+01:60",
        "2026-03-02T09:15:07+14:01",
        "2026-03-02T09:15:07+-1:00",
        "2026-03-02T09:15:07[Europe/Copenhagen]",
        "ÅT+:",
    ] {
        assert_eq!(parse_timestamp(text), None, "{text}");
    }
}

#[test]
fn forms_of_dates() {
    let date = Some(jiff::civil::date(2026, 12, 2));
    for text in
        ["2026-12-02", "2026-12-02Z", " 2026-12-02+01:00", "2026-12-02T00:00:00.000000Z", "2026-12-02-05:00"]
    {
        assert_eq!(parse_date(text), date, "{text}");
    }
    for text in ["", "2026-12-2", "2026-13-01", "2026-12-02x", "2026-12-0å", "20261202"] {
        assert_eq!(parse_date(text), None, "{text}");
    }
    assert_eq!(format_date(jiff::civil::date(2026, 12, 2)), "2026-12-02Z");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), near in "[0-9TZ:+.å-]{0,30}") {
        let _ = (parse_timestamp(&text), parse_date(&text), parse_timestamp(&near), parse_date(&near));
    }

    #[test]
    fn what_is_written_is_read_back(seconds in -62_135_596_800_i64..253_370_764_800, fraction in 0..1_000_000_000) {
        let time = Timestamp::new(seconds, fraction).unwrap();
        prop_assert_eq!(parse_timestamp(&format_timestamp(time)), Some(time));
    }

    #[test]
    fn an_offset_moves_the_instant(seconds in 0_i64..4_000_000_000, minutes in -840_i64..=840) {
        let time = Timestamp::from_second(seconds).unwrap();
        let local = Offset::UTC.to_datetime(Timestamp::from_second(seconds + minutes * 60).unwrap());
        let sign = if minutes < 0 { '-' } else { '+' };
        let text = format!("{local}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        prop_assert_eq!(parse_timestamp(&text), Some(time));
    }
}
