//! Goal: the names that real servers send give the right offsets, everything else the configured zone.
use jiff::Timestamp;

use super::*;

fn offset_hours(zone: &TimeZone, at: &str) -> i32 {
    zone.to_offset(at.parse::<Timestamp>().unwrap()).seconds() / 3600
}

#[test]
fn windows_names_have_their_offsets_in_winter_and_summer() {
    for (name, winter, summer) in [
        ("Romance Standard Time", 1, 2),
        ("W. Europe Standard Time", 1, 2),
        ("Central Europe Standard Time", 1, 2),
        ("Central European Standard Time", 1, 2),
        ("GMT Standard Time", 0, 1),
        ("Greenwich Standard Time", 0, 0),
        ("Greenland Standard Time", -2, -1),
        ("FLE Standard Time", 2, 3),
        ("Turkey Standard Time", 3, 3),
        ("Eastern Standard Time", -5, -4),
        ("Pacific Standard Time", -8, -7),
        ("Tokyo Standard Time", 9, 9),
        ("UTC", 0, 0),
        ("UTC-11", -11, -11),
        ("Kamchatka Standard Time", 12, 12),
        ("tzone://Microsoft/Utc", 0, 0),
        ("Europe/Copenhagen", 1, 2),
        ("  Europe/Copenhagen ", 1, 2),
    ] {
        let zone = lookup(name).unwrap_or_else(|| panic!("{name} is not known"));
        assert_eq!(offset_hours(&zone, "2026-01-15T12:00:00Z"), winter, "{name} in winter");
        assert_eq!(offset_hours(&zone, "2026-07-15T12:00:00Z"), summer, "{name} in summer");
    }
}

#[test]
fn unknown_names_give_the_configured_zone() {
    let zones = Zones::named("Europe/Copenhagen").unwrap();
    let long = "x".repeat(10_000);
    for name in ["", "   ", "Customized Time Zone", "tzone://Microsoft/Custom", "Nowhere/Land", long.as_str()]
    {
        assert_eq!(lookup(name), None, "{name:.40}");
        assert_eq!(zones.of_item(Some(name)), *zones.configured());
    }
    assert_eq!(zones.of_item(None), *zones.configured());
}

#[test]
fn an_unknown_configured_zone_is_an_error() {
    assert_eq!(
        Zones::named("Europe/Kopenhagen").unwrap_err().to_string(),
        "there is no time zone named \"Europe/Kopenhagen\"; write an IANA name such as Europe/Copenhagen"
    );
}

#[test]
fn zones_that_nobody_knows_are_told_where_they_matter() {
    use crate::appointment::{AppointmentKind, FreeBusy, Slot};
    let item = |zone: Option<&str>, is_all_day| Appointment {
        item_id: crate::ids::ItemId::new("i"),
        uid: None,
        kind: AppointmentKind::Single,
        recurrence_id: None,
        slot: Slot { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH },
        is_all_day,
        free_busy: FreeBusy::Busy,
        is_cancelled: false,
        zone: zone.map(str::to_owned),
    };
    let long = "ø".repeat(1_000);
    let items = [
        item(Some("Nowhere Standard Time"), true),
        item(Some("Nowhere Standard Time"), true),
        item(Some("Romance Standard Time"), true),
        item(Some(""), true),
        item(None, true),
        // instants need no zone
        item(Some("Elsewhere Standard Time"), false),
        item(Some(&long), true),
    ];
    // a name may be text of an outsider: never told as it is
    let marks = unknown_marks(&items);
    assert_eq!(marks.len(), 2);
    assert!(marks.iter().all(|mark| !mark.contains("Nowhere") && !mark.contains("øø")), "{marks:?}");
    // printf %s "Nowhere Standard Time" | sha256sum
    assert!(marks.contains("dc9f2ce1/21"), "{marks:?}");
    assert!(marks.iter().any(|mark| mark.ends_with(&format!("/{}", long.chars().count()))), "{marks:?}");
}
