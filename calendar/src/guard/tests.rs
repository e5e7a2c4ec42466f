//! Goal: the guard's edges: "beyond both" means more than the count and more than the share, whatever the
//! numbers are. Method: a table on both sides of each edge, and properties over all numbers.
use proptest::prelude::*;

use super::*;

#[test]
fn withheld_only_beyond_both_limits() {
    use Judgement::{Pass, Withhold};
    let limits = GuardLimits::default();
    for (inferred, there, judgement) in [
        (0, 0, Pass),
        (0, 500, Pass),
        // few are let through, however small the mailbox is
        (10, 10, Pass),
        (10, 11, Pass),
        (10, 0, Pass),
        // more than the count: the share decides; exactly a tenth is not beyond a tenth
        (11, 110, Pass),
        (11, 109, Withhold),
        (11, 11, Withhold),
        (100, 1_000, Pass),
        (101, 1_000, Withhold),
        (100, 1_001, Pass),
        // nothing was there: the count decides alone
        (11, 0, Withhold),
        // a whole tenth more than a share that is no whole number
        (12, 115, Withhold),
        (12, 120, Pass),
    ] {
        assert_eq!(judge(inferred, there, &limits), judgement, "{inferred} of {there}");
    }
}

#[test]
fn limits_at_their_ends() {
    let withheld = |inferred, there, count, percent| {
        judge(inferred, there, &GuardLimits { count, percent }) == Judgement::Withhold
    };
    assert!(withheld(1, 1, 0, 0), "0 and 0 withhold every inferred delete");
    assert!(!withheld(0, 0, 0, 0), "but not a run without any");
    assert!(!withheld(1_000, 1_000, 0, 100), "100 % is never beyond");
    assert!(withheld(usize::MAX, 1, u32::MAX, u32::MAX));
    assert!(!withheld(usize::MAX, usize::MAX, 10, 100));
    assert!(withheld(usize::MAX, usize::MAX, 10, 99));
}

#[test]
fn what_is_there_overlaps_the_window_and_is_not_decided_absent() {
    let zone = jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap();
    let window = Window::at("2026-08-01T08:00:00Z".parse().unwrap(), &zone, 3);
    let slot = |start: &str, end: &str| Slot { start: start.parse().unwrap(), end: end.parse().unwrap() };
    let inside = slot("2026-08-10T08:00:00Z", "2026-08-10T09:00:00Z");
    let into_it = slot("2026-08-01T06:00:00Z", "2026-08-03T09:00:00Z");
    let today = slot("2026-08-01T06:00:00Z", "2026-08-01T22:00:00Z");
    let beyond = slot("2026-11-01T23:00:00Z", "2026-11-02T09:00:00Z");
    let standings = [
        Standing::There(inside),
        Standing::There(into_it),
        Standing::Adopted(inside),
        Standing::There(today),
        Standing::There(beyond),
        Standing::Absent,
    ];
    assert_eq!(there(standings, &window), 3);
}

proptest! {
    #[test]
    fn more_deletes_are_never_safer_and_more_keys_never_less_safe(
        inferred in any::<usize>(), there in any::<usize>(), count in any::<u32>(), percent in 0u32..200,
    ) {
        let limits = GuardLimits { count, percent };
        let withheld = |inferred, there| judge(inferred, there, &limits) == Judgement::Withhold;
        if withheld(inferred, there) {
            prop_assert!(withheld(inferred.saturating_add(1), there));
            prop_assert!(withheld(inferred, there / 2));
            prop_assert!(inferred as u128 > u128::from(count));
        } else {
            prop_assert!(!withheld(inferred / 2, there));
            prop_assert!(!withheld(inferred, there.saturating_add(1)));
        }
    }
}
