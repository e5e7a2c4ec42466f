//! Goal: EWS patterns give Exchange's dates, and what a rule of a file shows as a pattern gives the
//! rule's own dates again.
use super::*;
use jiff::civil::date;

fn every(pattern: RecurrencePattern, start: Date, count: i32) -> Vec<String> {
    let recurrence = Recurrence { pattern, range: RecurrenceRange::Numbered { start, occurrences: count } };
    let repetition = repetition(&recurrence, start.at(9, 0, 0, 0)).unwrap();
    let starts = repetition.series.starts(DateTime::MIN, DateTime::MAX);
    starts.iter().map(|start| start.date().to_string()).collect()
}

#[test]
fn patterns_give_the_dates_of_exchange() {
    use DayOfWeek::{Day, Friday, Monday, Thursday, Tuesday, Weekday, WeekendDay};
    for (pattern, start, expected) in [
        (
            RecurrencePattern::Daily { interval: 2 },
            date(2026, 3, 2),
            ["2026-03-02", "2026-03-04", "2026-03-06"],
        ),
        (
            RecurrencePattern::Weekly { interval: 1, days: vec![Tuesday, Thursday], first_day_of_week: None },
            date(2026, 3, 2),
            ["2026-03-03", "2026-03-05", "2026-03-10"],
        ),
        (
            RecurrencePattern::AbsoluteMonthly { interval: 1, day_of_month: 31 },
            date(2026, 1, 31),
            ["2026-01-31", "2026-02-28", "2026-03-31"],
        ),
        (
            RecurrencePattern::RelativeMonthly { interval: 1, day: Friday, index: DayOfWeekIndex::Last },
            date(2026, 1, 1),
            ["2026-01-30", "2026-02-27", "2026-03-27"],
        ),
        (
            RecurrencePattern::RelativeMonthly { interval: 2, day: Weekday, index: DayOfWeekIndex::First },
            date(2026, 8, 1),
            ["2026-08-03", "2026-10-01", "2026-12-01"],
        ),
        (
            RecurrencePattern::RelativeMonthly {
                interval: 1,
                day: WeekendDay,
                index: DayOfWeekIndex::Second,
            },
            date(2026, 8, 1),
            ["2026-08-02", "2026-09-06", "2026-10-04"],
        ),
        (
            RecurrencePattern::AbsoluteYearly { day_of_month: 29, month: Month::February },
            date(2024, 1, 1),
            ["2024-02-29", "2025-02-28", "2026-02-28"],
        ),
        (
            RecurrencePattern::RelativeYearly {
                day: Monday,
                index: DayOfWeekIndex::First,
                month: Month::September,
            },
            date(2026, 1, 1),
            ["2026-09-07", "2027-09-06", "2028-09-04"],
        ),
        (
            RecurrencePattern::RelativeYearly { day: Day, index: DayOfWeekIndex::Last, month: Month::June },
            date(2026, 1, 1),
            ["2026-06-30", "2027-06-30", "2028-06-30"],
        ),
    ] {
        assert_eq!(every(pattern.clone(), start, 3), expected, "{pattern:?}");
    }
}

#[test]
fn a_pattern_whose_first_day_does_not_match_begins_later() {
    let recurrence = Recurrence {
        pattern: RecurrencePattern::Weekly {
            interval: 1,
            days: vec![DayOfWeek::Wednesday],
            first_day_of_week: Some(DayOfWeek::Monday),
        },
        range: RecurrenceRange::EndDate { start: date(2026, 3, 2), end: date(2026, 3, 18) },
    };
    let repetition = repetition(&recurrence, date(2026, 3, 2).at(9, 0, 0, 0)).unwrap();
    assert_eq!(repetition.series.first(), date(2026, 3, 4).at(9, 0, 0, 0));
    assert_eq!(repetition.series.last(), Some(date(2026, 3, 18).at(9, 0, 0, 0)));
    let shown = repetition.pattern.unwrap();
    assert_eq!(shown.range, RecurrenceRange::EndDate { start: date(2026, 3, 4), end: date(2026, 3, 18) });
}

#[test]
fn rules_of_files_become_patterns_with_the_same_dates() {
    for (first, rule) in [
        (date(2026, 3, 2), "FREQ=DAILY;COUNT=5"),
        (date(2026, 3, 2), "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=7"),
        (date(2026, 3, 2), "FREQ=WEEKLY;INTERVAL=2;COUNT=5"),
        (date(2026, 3, 2), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=MO;COUNT=5"),
        (date(2026, 3, 15), "FREQ=MONTHLY;COUNT=5"),
        (date(2026, 3, 15), "FREQ=MONTHLY;BYMONTHDAY=15;INTERVAL=3;UNTIL=20270101T000000Z"),
        (date(2026, 3, 10), "FREQ=MONTHLY;BYDAY=2TU;COUNT=5"),
        (date(2026, 3, 31), "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=5"),
        (date(2026, 3, 27), "FREQ=MONTHLY;BYDAY=-1FR;COUNT=5"),
        (date(2026, 6, 5), "FREQ=YEARLY;COUNT=3"),
        (date(2026, 9, 7), "FREQ=YEARLY;BYMONTH=9;BYDAY=1MO;COUNT=3"),
    ] {
        let first = first.at(9, 0, 0, 0);
        let series = Series::new(first, rule, []).unwrap();
        let shown = recurrence(&series).unwrap_or_else(|| panic!("{rule}"));
        let again = repetition(&shown, first).unwrap().series;
        let all = |series: &Series| series.starts(DateTime::MIN, date(2035, 1, 1).at(0, 0, 0, 0));
        assert_eq!(all(&again), all(&series), "{rule}");
    }
    for rule in
        ["FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=YEARLY;INTERVAL=4", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=HOURLY"]
    {
        let series = Series::new(date(2026, 3, 31).at(9, 0, 0, 0), rule, []).unwrap();
        assert_eq!(recurrence(&series), None, "{rule}");
    }
}
