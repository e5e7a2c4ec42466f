//! Goal: the names that calendars really contain lead to the right rules, and local time is mapped to
//! instants as Exchange does, gaps and folds included.
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn names_of_every_kind_are_found() {
    for (name, id, iana) in [
        ("Romance Standard Time", "Romance Standard Time", Some("Europe/Paris")),
        ("Europe/Copenhagen", "Romance Standard Time", Some("Europe/Copenhagen")),
        ("\"Europe/Berlin\"", "W. Europe Standard Time", Some("Europe/Berlin")),
        ("/mozilla.org/20050126_1/Europe/London", "GMT Standard Time", Some("Europe/London")),
        ("/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires", "Argentina Standard Time", None),
        ("tzone://Microsoft/Utc", "UTC", Some("Etc/UTC")),
        ("UTC", "UTC", Some("Etc/UTC")),
    ] {
        let zone = Zone::find(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(zone.id(), id, "{name}");
        if iana.is_some() {
            assert_eq!(zone.iana(), iana, "{name}");
        }
    }
    for name in ["", "Customized Time Zone", "CET?", "/", "Europe/Atlantis", "nowhere"] {
        assert_eq!(Zone::find(name), None, "{name}");
    }
}

#[test]
fn every_name_of_the_table_is_a_windows_zone_with_the_same_rules() {
    let samples = ["2026-01-15T12:00:00Z", "2026-07-15T12:00:00Z", "2026-10-20T12:00:00Z"];
    for (windows, cities) in WINDOWS_NAMES {
        let zone = Zone::find(windows).unwrap_or_else(|| panic!("{windows}"));
        for city in *cities {
            let other = Zone::find(city).unwrap_or_else(|| panic!("{city}"));
            for sample in samples {
                assert_eq!(zone.local(at(sample)), other.local(at(sample)), "{windows} {city} {sample}");
            }
        }
    }
}

#[test]
fn gaps_move_forward_and_folds_take_the_first() {
    let zone = Zone::find("Europe/Copenhagen").unwrap();
    let gap = civil::date(2026, 3, 29).at(2, 30, 0, 0);
    assert_eq!(zone.instant(gap), at("2026-03-29T01:30:00Z"));
    assert_eq!(zone.local(zone.instant(gap)), civil::date(2026, 3, 29).at(3, 30, 0, 0));
    let fold = civil::date(2026, 10, 25).at(2, 30, 0, 0);
    assert_eq!(zone.instant(fold), at("2026-10-25T00:30:00Z"));
}

#[test]
fn midnights_on_days_of_23_and_25_hours() {
    let zone = Zone::find("Europe/Copenhagen").unwrap();
    assert_eq!(zone.midnight_before(at("2026-03-29T10:00:00Z")), at("2026-03-28T23:00:00Z"));
    assert_eq!(zone.midnight_after(at("2026-03-29T10:00:00Z")), at("2026-03-29T22:00:00Z"));
    assert_eq!(zone.midnight_after(at("2026-10-25T00:30:00Z")), at("2026-10-25T23:00:00Z"));
    assert_eq!(zone.midnight_after(at("2026-10-24T22:00:00Z")), at("2026-10-24T22:00:00Z"));
}

#[test]
fn posix_rules_make_a_custom_zone() {
    let zone = Zone::from_posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    assert_eq!(zone.id(), "tzone://Microsoft/Custom");
    assert_eq!(zone.local(at("2026-07-01T10:00:00Z")), civil::date(2026, 7, 1).at(12, 0, 0, 0));
    assert!(Zone::from_posix("nonsense").is_none());
}

#[test]
fn a_name_that_nobody_knows_is_a_zone_with_the_rules_that_were_there() {
    let summer = at("2026-07-15T12:00:00Z");
    let copenhagen = Zone::find("Romance Standard Time").unwrap();
    let unknown = copenhagen.by_another_name("Nowhere Standard Time");
    assert_eq!((unknown.id(), unknown.iana()), ("Nowhere Standard Time", None));
    assert_eq!(unknown.local(summer), copenhagen.local(summer));
    let known = copenhagen.by_another_name("Tokyo Standard Time");
    assert_eq!((known.iana(), known.local(summer).hour()), (Some("Asia/Tokyo"), 21));
}
