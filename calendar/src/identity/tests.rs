//! Goal: names as B2 writes them, over DST, for odd types, and without a UID.
use super::*;
use crate::appointment::{FreeBusy, Slot};
use crate::ids::Uid;

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
fn table() {
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
    for good in ["a", "Møde 9:30 <&> \u{1F600}", &"x".repeat(UID_BYTES_MAX)] {
        assert!(is_representable(&single(good)), "{good:.20}");
    }
    for bad in ["", "a\0b", "a\u{1}", "a\nb", "a\u{ffff}", &"x".repeat(UID_BYTES_MAX + 1)] {
        assert!(!is_representable(&single(bad)), "{bad:.20}");
    }
    let mut odd = single("a");
    odd.item_id = ItemId::new("");
    assert!(!is_representable(&odd));
}
