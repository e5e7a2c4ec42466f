//! Goal: names as B2 writes them, over DST, for odd types, and without a UID.
use proptest::prelude::*;

use super::*;
use crate::appointment::{FreeBusy, Slot};

fn item(kind: AppointmentKind, uid: Option<&str>, recurrence: Option<&str>, start: &str) -> Appointment {
    Appointment {
        item_id: ItemId::new("AAMk=1"),
        uid: uid.map(Uid::new),
        kind,
        recurrence_id: recurrence.map(|at| at.parse().unwrap()),
        slot: Slot { start: start.parse().unwrap(), end: "2099-01-01T00:00:00Z".parse().unwrap() },
        is_all_day: false,
        free_busy: FreeBusy::Busy,
        is_cancelled: false,
        zone: None,
    }
}

#[test]
fn names_are_as_the_rule_writes_them() {
    use AppointmentKind as K;
    let zone = TimeZone::get("Europe/Copenhagen").unwrap();
    for (kind, uid, recurrence, start, name) in [
        (K::Single, Some("Uid-A"), None, "2026-03-01T08:00:00Z", "Uid-A"),
        // the original start counts, not the new one
        (K::Exception, Some("S"), Some("2026-03-02T08:00:00Z"), "2026-03-05T10:00:00Z", "S$20260302-090000"),
        (K::Occurrence, Some("S"), Some("2026-07-02T08:00:00Z"), "2026-07-02T08:00:00Z", "S$20260702-100000"),
        // nobody told the original start
        (K::Occurrence, Some("S"), None, "2026-07-02T08:00:00.7Z", "S$20260702-100000"),
        // a recurrence id makes an occurrence, whatever the type says
        (K::Single, Some("S"), Some("2026-03-02T08:00:00Z"), "2026-03-02T08:00:00Z", "S$20260302-090000"),
        (
            K::RecurringMaster,
            Some("S"),
            Some("2026-03-02T08:00:00Z"),
            "2026-03-02T08:00:00Z",
            "S$20260302-090000",
        ),
        // an all-day series made in another zone is converted, not moved to midnight
        (K::Occurrence, Some("S"), Some("2026-03-02T05:00:00Z"), "2026-03-02T05:00:00Z", "S$20260302-060000"),
        // no UID (SHA-256 of "AAMk=1", computed elsewhere)
        (K::Single, None, None, "2026-03-02T05:00:00Z", "ITEM#HASH"),
        (K::Occurrence, None, Some("2026-03-02T05:00:00Z"), "2026-03-02T05:00:00Z", "ITEM#HASH"),
    ] {
        let named = item(kind, uid, recurrence, start);
        let expected = name.replace("HASH", "b515ea44046f1d76");
        assert_eq!(first_choice(&named, &zone).as_str(), expected, "{kind:?} {recurrence:?}");
        if uid.is_some() {
            assert_eq!(second_choice(&named, &zone).as_str(), format!("{expected}#b515ea44046f1d76"));
        }
    }
}

#[test]
fn the_pattern_of_a_series_is_no_appointment() {
    let master = item(AppointmentKind::RecurringMaster, Some("S"), None, "2026-03-02T05:00:00Z");
    assert!(!is_appointment(&master));
    assert!(is_appointment(&item(AppointmentKind::Single, Some("S"), None, "2026-03-02T05:00:00Z")));
}

#[test]
fn identifiers_that_nothing_can_carry_are_seen() {
    let single = |uid: &str| item(AppointmentKind::Single, Some(uid), None, "2026-03-02T05:00:00Z");
    for good in [
        "a",
        "Møde 9:30 <&> \u{1F600}",
        "]]>&amp;<!--\"'",
        "a$20260101-000000",
        "a#0123456789abcdef",
        &"x".repeat(500),
        &"ø".repeat(500),
        // 500 characters of the longest kind
        &"\u{1F600}".repeat(500),
        &"x".repeat(UID_BYTES_MAX),
    ] {
        assert!(is_representable(&single(good)), "{good:.20}");
    }
    for bad in ["", "a\0b", "a\u{1}", "a\nb", "a\u{ffff}", &"x".repeat(UID_BYTES_MAX + 1)] {
        assert!(!is_representable(&single(bad)), "{bad:.20}");
    }
    let mut odd = single("a");
    odd.item_id = ItemId::new("");
    assert!(!is_representable(&odd));
}

#[test]
fn names_keep_case_and_specials_as_they_stand() {
    let zone = TimeZone::get("Europe/Copenhagen").unwrap();
    let name = |uid: &str, recurrence: Option<&str>| {
        let start = "2026-03-02T08:00:00Z";
        first_choice(&item(AppointmentKind::Single, Some(uid), recurrence, start), &zone).as_str().to_owned()
    };
    for uid in ["UID", "uid", "Uid", "a$b", "a#b", "<&>\"'", " a ", "ITEM#b515ea44046f1d76", &"ø".repeat(500)]
    {
        assert_eq!(name(uid, None), uid);
        assert_eq!(name(uid, Some("2026-03-02T08:00:00Z")), format!("{uid}$20260302-090000"));
    }
}

#[test]
fn the_hour_that_comes_twice_gives_two_occurrences_two_names() {
    // 25 October 2026 02:30 comes twice in Copenhagen; the local time alone cannot tell the two apart
    let zone = TimeZone::get("Europe/Copenhagen").unwrap();
    let at =
        |recurrence| item(AppointmentKind::Occurrence, Some("S"), Some(recurrence), "2026-10-25T00:30:00Z");
    let (first, second) = (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z"));
    assert_eq!(first_choice(&first, &zone), first_choice(&second, &zone));
    assert_ne!(second_choice(&second, &zone), first_choice(&first, &zone));
    // and the hour that does not exist is none: 02:30 is told as what the clock shows then
    let spring =
        item(AppointmentKind::Occurrence, Some("S"), Some("2026-03-29T01:30:00Z"), "2026-03-29T01:30:00Z");
    assert_eq!(first_choice(&spring, &zone).as_str(), "S$20260329-033000");
}

#[test]
fn another_configured_zone_gives_occurrences_other_names_and_singles_the_same() {
    let (copenhagen, london) =
        (TimeZone::get("Europe/Copenhagen").unwrap(), TimeZone::get("Europe/London").unwrap());
    let single = item(AppointmentKind::Single, Some("A"), None, "2026-07-02T08:00:00Z");
    assert_eq!(first_choice(&single, &copenhagen), first_choice(&single, &london));
    let occurrence =
        item(AppointmentKind::Occurrence, Some("A"), Some("2026-07-02T08:00:00Z"), "2026-07-02T08:00:00Z");
    assert_eq!(first_choice(&occurrence, &copenhagen).as_str(), "A$20260702-100000");
    assert_eq!(first_choice(&occurrence, &london).as_str(), "A$20260702-090000");
}

#[test]
fn items_without_a_uid_are_told_apart_by_their_item() {
    let zone = TimeZone::get("Europe/Copenhagen").unwrap();
    let one = item(AppointmentKind::Single, None, None, "2026-07-02T08:00:00Z");
    let mut other = one.clone();
    other.item_id = ItemId::new("AAMk=2");
    assert_ne!(first_choice(&one, &zone), first_choice(&other, &zone));
    assert_eq!(first_choice(&one, &zone), first_choice(&one.clone(), &zone));
    // item ids differ in case only, too
    other.item_id = ItemId::new("AAMK=1");
    assert_ne!(first_choice(&one, &zone), first_choice(&other, &zone));
}

/// What is looked at byte by byte says what the characters say.
#[test]
fn each_character_is_carried_or_not_wherever_it_stands() {
    for character in (0..=0x2_ffff_u32).filter_map(char::from_u32) {
        let carried = character >= ' ' && !matches!(character, '\u{fffe}' | '\u{ffff}');
        for text in [character.to_string(), format!("AAMk{character}="), format!("\u{ffef}{character}")] {
            assert_eq!(is_carried(&text), carried, "{character:?}");
        }
    }
}

proptest! {
    /// The stamp of an occurrence is what the library writes by the rule's pattern.
    #[test]
    fn an_original_start_is_written_as_the_library_writes_it(second in -70_000_000_000_i64..250_000_000_000) {
        let original = Timestamp::from_second(second).unwrap();
        for zone in ["Europe/Copenhagen", "America/Nuuk", "UTC"] {
            let zone = TimeZone::get(zone).unwrap();
            let expected = format!("S${}", original.to_zoned(zone.clone()).strftime("%Y%m%d-%H%M%S"));
            prop_assert_eq!(named_at(&Uid::new("S"), zone.to_datetime(original)), expected);
        }
    }
}
