use jiff::civil::{Date, date, time};
use proptest::prelude::*;

use super::*;

fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn daily(times: &[(i8, i8)]) -> DailyTimes {
    DailyTimes::new(times.iter().map(|(hour, minute)| time(*hour, *minute, 0, 0))).unwrap()
}

/// Every run of a schedule in the days from `from` to `to`, as local times with their offset.
fn runs(times: &DailyTimes, zone: &TimeZone, from: &str, to: &str) -> Vec<String> {
    let (mut now, to) = (at(from), at(to));
    let mut runs = Vec::new();
    while runs.len() < 100 {
        now = next_after(times, zone, now);
        if now > to {
            break;
        }
        runs.push(now.to_zoned(zone.clone()).strftime("%d %H:%M %:z").to_string());
    }
    runs
}

#[test]
fn a_schedule_has_a_time() {
    assert_eq!(DailyTimes::new([]), Err(NoTimes));
    assert_eq!(daily(&[(13, 0), (2, 0), (13, 0)]).times(), [time(2, 0, 0, 0), time(13, 0, 0, 0)]);
    assert_eq!(DailyTimes::once_at(time(2, 0, 0, 0)), daily(&[(2, 0)]));
}

#[test]
fn runs_at_each_of_its_times_in_the_zone() {
    let found =
        runs(&daily(&[(13, 30), (2, 0)]), &copenhagen(), "2026-06-10T00:00:00Z", "2026-06-12T00:00:00Z");
    // midnight UTC is 02:00 in summer, and a run is later than the instant that is asked about
    assert_eq!(found, ["10 13:30 +02:00", "11 02:00 +02:00", "11 13:30 +02:00", "12 02:00 +02:00"]);
}

#[test]
fn a_time_that_does_not_exist_in_spring_runs_at_the_first_instant_after_the_gap() {
    // 29 March 2026: 02:00 becomes 03:00
    for missing in [(2, 0), (2, 1), (2, 30), (2, 59)] {
        let found = runs(&daily(&[missing]), &copenhagen(), "2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z");
        assert_eq!(found, ["29 03:00 +02:00"], "{missing:?}");
    }
    let found = runs(&daily(&[(1, 59)]), &copenhagen(), "2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z");
    assert_eq!(found, ["29 01:59 +01:00"]);
}

#[test]
fn times_that_share_the_gap_in_spring_are_one_run() {
    let times = daily(&[(2, 0), (2, 30), (3, 0)]);
    let found = runs(&times, &copenhagen(), "2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z");
    assert_eq!(found, ["29 03:00 +02:00"]);
}

#[test]
fn a_time_that_occurs_twice_in_autumn_runs_once() {
    // 25 October 2026: 03:00 becomes 02:00
    for twice in [(2, 0), (2, 30), (2, 59)] {
        let found = runs(&daily(&[twice]), &copenhagen(), "2026-10-24T12:00:00Z", "2026-10-25T22:00:00Z");
        assert_eq!(found, [format!("25 {:02}:{:02} +02:00", twice.0, twice.1)]);
    }
    let found = runs(&daily(&[(3, 0)]), &copenhagen(), "2026-10-24T12:00:00Z", "2026-10-25T22:00:00Z");
    assert_eq!(found, ["25 03:00 +01:00"]);
}

#[test]
fn a_list_of_times_in_the_two_nights_of_dst_runs_at_each_of_its_instants_once() {
    let times = daily(&[(2, 0), (2, 30), (4, 0)]);
    let spring = runs(&times, &copenhagen(), "2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z");
    assert_eq!(spring, ["29 03:00 +02:00", "29 04:00 +02:00"]);
    let autumn = runs(&times, &copenhagen(), "2026-10-24T12:00:00Z", "2026-10-25T22:00:00Z");
    assert_eq!(autumn, ["25 02:00 +02:00", "25 02:30 +02:00", "25 04:00 +01:00"]);
}

#[test]
fn gaps_at_midnight_and_missing_days_lose_no_run() {
    // Beirut, 26 March 2023: midnight becomes 01:00
    let beirut = TimeZone::get("Asia/Beirut").unwrap();
    let found = runs(&daily(&[(0, 0), (0, 30)]), &beirut, "2022-03-26T12:00:00Z", "2022-03-27T12:00:00Z");
    assert_eq!(found, ["27 01:00 +03:00"]);
    // Apia had no 30 December 2011: that day's run comes with the first instant of the 31st
    let apia = TimeZone::get("Pacific/Apia").unwrap();
    let found = runs(&daily(&[(12, 0)]), &apia, "2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z");
    assert_eq!(found, ["29 12:00 -10:00", "31 00:00 +14:00", "31 12:00 +14:00", "01 12:00 +14:00"]);
}

#[test]
fn a_run_is_missed_when_its_time_passed_since_the_last_one() {
    let (times, zone) = (daily(&[(2, 0)]), copenhagen());
    let last = Some(at("2026-06-10T00:00:03Z"));
    assert!(!missed(&times, &zone, last, at("2026-06-10T23:59:59Z")));
    assert!(missed(&times, &zone, last, at("2026-06-11T00:00:00Z")));
    assert!(missed(&times, &zone, last, at("2026-06-20T12:00:00Z")), "days later too");
    assert!(!missed(&times, &zone, None, at("2026-06-20T12:00:00Z")), "the first start ever");
    let future = Some(at("2026-07-01T00:00:00Z"));
    assert!(!missed(&times, &zone, future, at("2026-06-20T12:00:00Z")), "the clock was set back");
}

#[test]
fn a_record_is_believed_when_it_is_not_far_ahead() {
    let now = at("2026-06-20T12:00:00Z");
    for (last_run, counts) in [
        ("2026-06-01T00:00:00Z", true),
        ("2026-06-20T12:00:00Z", true),
        ("2026-06-20T13:00:00Z", true),
        ("2026-06-20T13:00:01Z", false),
        ("2026-07-20T12:00:00Z", false),
    ] {
        let last_run = Some(at(last_run));
        assert_eq!(believed(last_run, now), last_run.filter(|_| counts), "{last_run:?}");
    }
    assert_eq!(believed(None, now), None);
    assert_eq!(believed(Some(Timestamp::MAX), Timestamp::MIN), None);
}

#[test]
fn the_end_of_time_is_no_panic() {
    assert_eq!(next_after(&daily(&[(2, 0)]), &copenhagen(), Timestamp::MAX), Timestamp::MAX);
}

fn instants() -> impl Strategy<Value = Timestamp> {
    // 2020 to 2035, to the second
    (1_577_836_800_i64..2_051_222_400).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn schedules() -> impl Strategy<Value = DailyTimes> {
    prop::collection::vec((0_i8..24, 0_i8..60), 1..4).prop_map(|times| daily(&times))
}

proptest! {
    #[test]
    fn the_next_run_is_later_and_within_a_day_and_an_hour(times in schedules(), after in instants()) {
        let next = next_after(&times, &copenhagen(), after);
        prop_assert!(next > after);
        prop_assert!(next.duration_since(after) <= SignedDuration::from_hours(25));
    }

    #[test]
    fn no_run_is_skipped_whichever_instant_is_asked_about(times in schedules(), after in instants(), ahead in 0_i64..100_000) {
        // asking again at any instant before the next run gives the same run
        let zone = copenhagen();
        let next = next_after(&times, &zone, after);
        let between = after.checked_add(SignedDuration::from_secs(ahead)).unwrap();
        if between < next {
            prop_assert_eq!(next_after(&times, &zone, between), next);
        } else {
            prop_assert!(missed(&times, &zone, Some(after), between));
        }
    }

    #[test]
    fn each_time_runs_exactly_once_a_day(hour in 0_i8..24, minute in 0_i8..60, day in 0_i32..5_000) {
        let zone = copenhagen();
        let civil: Date = date(2020, 1, 1).checked_add(day.days()).unwrap();
        let midnight = |date: Date| date.to_zoned(zone.clone()).unwrap().timestamp();
        let (from, to) = (midnight(civil), midnight(civil.tomorrow().unwrap()));
        let mut now = from.checked_sub(SignedDuration::from_secs(1)).unwrap();
        let mut runs = 0;
        loop {
            now = next_after(&daily(&[(hour, minute)]), &zone, now);
            if now >= to {
                break;
            }
            runs += 1;
        }
        prop_assert_eq!(runs, 1);
    }
}
