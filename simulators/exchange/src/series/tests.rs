//! Goal: rules give the starts that Exchange and RFC 5545 give, expansions are bounded, and every way
//! of asking (range, index, membership, last) tells the same.
use super::*;
use jiff::civil::{DateTime, date};
use proptest::prelude::*;

fn texts(starts: &[DateTime]) -> Vec<String> {
    starts.iter().map(ToString::to_string).collect()
}

#[test]
fn rules_as_exchange_understands_them() {
    let nine = |y, m, d| date(y, m, d).at(9, 0, 0, 0);
    for (first, rule, expected) in [
        (
            nine(2026, 3, 2),
            "FREQ=DAILY;INTERVAL=3;COUNT=3",
            vec![nine(2026, 3, 2), nine(2026, 3, 5), nine(2026, 3, 8)],
        ),
        (
            nine(2026, 3, 4),
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU;COUNT=4",
            vec![nine(2026, 3, 4), nine(2026, 3, 16), nine(2026, 3, 18), nine(2026, 3, 30)],
        ),
        // day 31 in shorter months is the last day: the form that pattern.rs writes
        (
            nine(2026, 1, 31),
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=3",
            vec![nine(2026, 1, 31), nine(2026, 2, 28), nine(2026, 3, 31)],
        ),
        (
            nine(2026, 1, 30),
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2",
            vec![nine(2026, 1, 30), nine(2026, 2, 27)],
        ),
        (
            nine(2024, 2, 29),
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1;COUNT=3",
            vec![nine(2024, 2, 29), nine(2025, 2, 28), nine(2026, 2, 28)],
        ),
        (
            nine(2026, 3, 2),
            "FREQ=DAILY;UNTIL=20260304",
            vec![nine(2026, 3, 2), nine(2026, 3, 3), nine(2026, 3, 4)],
        ),
        (nine(2026, 3, 2), "FREQ=DAILY;UNTIL=20260303T090000Z", vec![nine(2026, 3, 2), nine(2026, 3, 3)]),
    ] {
        let series = Series::new(first, rule, []).unwrap();
        let starts = series.starts(DateTime::MIN, DateTime::MAX);
        assert_eq!(texts(&starts), texts(&expected), "{rule}");
        assert_eq!(series.last(), expected.last().copied(), "{rule}");
    }
}

#[test]
fn a_start_outside_the_rule_counts_once() {
    let sunday = date(2026, 3, 1).at(9, 0, 0, 0);
    let series = Series::new(sunday, "FREQ=WEEKLY;BYDAY=MO;COUNT=3", []).unwrap();
    let starts = series.starts(DateTime::MIN, DateTime::MAX);
    assert_eq!(texts(&starts), ["2026-03-01T09:00:00", "2026-03-02T09:00:00", "2026-03-09T09:00:00"]);
    let snapped = Series::snapped(sunday, "FREQ=WEEKLY;BYDAY=MO;COUNT=3").unwrap();
    assert_eq!(snapped.first(), date(2026, 3, 2).at(9, 0, 0, 0));
    assert_eq!(snapped.starts(DateTime::MIN, DateTime::MAX).len(), 3);
}

#[test]
fn additional_dates_are_merged() {
    let first = date(2026, 3, 2).at(9, 0, 0, 0);
    let extra = date(2026, 3, 4).at(13, 0, 0, 0);
    let series = Series::new(first, "FREQ=WEEKLY;COUNT=2", [extra, first]).unwrap();
    assert_eq!(series.nth(1), Some(first));
    assert_eq!(series.nth(2), Some(extra));
    assert_eq!(series.nth(3), Some(date(2026, 3, 9).at(9, 0, 0, 0)));
    assert_eq!(series.nth(4), None);
    assert_eq!(series.nth(0), None);
    assert!(series.has(extra) && !series.has(date(2026, 3, 5).at(13, 0, 0, 0)));
}

#[test]
fn rules_without_sense_are_refused_and_endless_ones_bounded() {
    let first = date(2026, 3, 2).at(9, 0, 0, 0);
    for rule in ["", "FREQ=NEVER", "FREQ=WEEKLY;BYDAY=XX", "INTERVAL=1", "FREQ=DAILY;COUNT=x"] {
        assert!(matches!(Series::new(first, rule, []), Err(SeriesError::Rule(_))), "{rule}");
    }
    assert!(matches!(
        Series::snapped(first, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        Err(SeriesError::Empty | SeriesError::Rule(_))
    ));
    let endless = Series::new(first, "FREQ=SECONDLY", []).unwrap();
    assert_eq!(endless.starts(DateTime::MIN, DateTime::MAX).len(), MAX_STEPS);
    assert_eq!(endless.last(), None);
}

proptest! {
    #[test]
    fn every_way_of_asking_tells_the_same(interval in 1u32..5, count in 1u32..40, day in 1i8..28,
                                          kind in 0usize..3, extra in 0i8..28) {
        let first = date(2026, 1, day).at(8, 30, 0, 0);
        let freq = ["DAILY", "WEEKLY", "MONTHLY"][kind];
        let rule = format!("FREQ={freq};INTERVAL={interval};COUNT={count}");
        let additional = (extra > 0).then(|| date(2026, 2, extra).at(10, 0, 0, 0));
        let series = Series::new(first, &rule, additional).unwrap();
        let all = series.starts(DateTime::MIN, DateTime::MAX);
        prop_assert_eq!(all.len(), count as usize + usize::from(extra > 0));
        for (index, start) in all.iter().enumerate() {
            prop_assert_eq!(series.nth(index + 1), Some(*start));
            prop_assert!(series.has(*start));
        }
        prop_assert_eq!(series.nth(all.len() + 1), None);
        prop_assert_eq!(series.last(), all.last().copied());
        let middle = all[all.len() / 2];
        let (before, after) = (series.starts(DateTime::MIN, middle), series.starts(middle, DateTime::MAX));
        prop_assert_eq!([before, after].concat(), all);
    }
}
