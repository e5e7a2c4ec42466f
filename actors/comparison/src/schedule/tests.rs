//! Goal: every scheduled time runs once, a missed one is made up, the two days of DST are ordinary, and a start asks
//! only where the settings say so.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").unwrap()
}

fn half_past_one() -> DailyTimes {
    DailyTimes::once_at(jiff::civil::time(1, 30, 0, 0))
}

fn plan(last_run: Option<&str>, now: &str) -> Step {
    step(&half_past_one(), &zone(), last_run.map(at), false, at(now))
}

#[test]
fn a_schedule_that_never_ran_begins_now_and_has_missed_nothing() {
    assert_eq!(plan(None, "2031-01-10T12:00:00Z"), Step::Begin);
    assert_eq!(plan(Some("2031-01-10T12:00:00Z"), "2031-01-10T12:00:01Z"), Step::Sleep(LOOK_AGAIN));
}

#[test]
fn it_sleeps_until_its_time_and_no_longer() {
    let left = Step::Sleep(Duration::from_secs(20));
    assert_eq!(plan(Some("2031-01-10T12:00:00Z"), "2031-01-11T00:29:40Z"), left);
    assert_eq!(plan(Some("2031-01-10T12:00:00Z"), "2031-01-11T00:30:00Z"), Step::Ask(Why::Time));
    assert!(matches!(plan(Some("2031-01-11T00:30:00Z"), "2031-01-11T00:30:00Z"), Step::Sleep(_)));
}

#[test]
fn a_run_missed_while_down_is_made_up_once_however_long_that_was() {
    assert_eq!(plan(Some("2031-01-01T00:30:00Z"), "2031-01-09T12:00:00Z"), Step::Ask(Why::Time));
    assert!(matches!(plan(Some("2031-01-09T12:00:00Z"), "2031-01-09T12:00:00Z"), Step::Sleep(_)));
}

/// Regression: a run recorded while the clock was weeks ahead silenced the comparison for these weeks.
#[test]
fn a_record_from_the_future_stops_nothing() {
    // it counts as none: the present is recorded in its place, and the next time is the next run
    let (future, now) = ("2031-02-01T00:30:00Z", "2031-01-11T00:29:40Z");
    assert_eq!(plan(Some(future), now), Step::Begin);
    assert_eq!(plan(Some(now), now), Step::Sleep(Duration::from_secs(20)));
    assert_eq!(plan(Some(now), "2031-01-11T00:30:00Z"), Step::Ask(Why::Time));
    // a clock that was put right by less than an hour repeats nothing
    assert!(matches!(plan(Some("2031-01-11T00:30:00Z"), "2031-01-11T00:10:00Z"), Step::Sleep(_)));
    assert!(matches!(plan(Some("2031-01-11T00:30:00Z"), "2031-01-11T00:30:00Z"), Step::Sleep(_)));
}

#[test]
fn a_start_asks_where_the_settings_say_so() {
    for last_run in [None, Some("2031-01-10T12:00:00Z")] {
        let step = step(&half_past_one(), &zone(), last_run.map(at), true, at("2031-01-10T12:00:01Z"));
        assert_eq!(step, Step::Ask(Why::Start));
    }
}

/// Runs a clock over some days, minute by minute; answers the instants of the runs.
fn runs(times: &DailyTimes, from: &str, minutes: i64) -> Vec<Timestamp> {
    let mut last_run = at(from);
    let mut runs = Vec::new();
    for minute in 1..=minutes {
        let now = at(from) + Duration::from_secs(60 * minute.unsigned_abs());
        if step(times, &zone(), Some(last_run), false, now) == Step::Ask(Why::Time) {
            runs.push(now);
            last_run = now;
        }
    }
    runs
}

#[test]
fn on_the_two_days_of_dst_each_time_runs_once() {
    let half_past_two = DailyTimes::once_at(jiff::civil::time(2, 30, 0, 0));
    // 2:30 does not exist: the first instant after the gap is 3:00 summer time
    let spring = runs(&half_past_two, "2031-03-29T23:00:00Z", 24 * 60);
    assert_eq!(spring, [at("2031-03-30T01:00:00Z")]);
    // 2:30 occurs twice: the first counts
    let autumn = runs(&half_past_two, "2031-10-25T22:00:00Z", 24 * 60);
    assert_eq!(autumn, [at("2031-10-26T00:30:00Z")]);
}

#[test]
fn in_the_two_nights_of_dst_a_list_of_times_runs_at_each_of_its_instants_once() {
    let list = [(2, 0), (2, 30), (4, 0)].map(|(hour, minute)| jiff::civil::time(hour, minute, 0, 0));
    let times = DailyTimes::new(list).unwrap();
    // 2:00 and 2:30 share the gap
    let spring = runs(&times, "2031-03-29T23:00:00Z", 24 * 60);
    assert_eq!(spring, ["2031-03-30T01:00:00Z", "2031-03-30T02:00:00Z"].map(at));
    let autumn = runs(&times, "2031-10-25T22:00:00Z", 24 * 60);
    assert_eq!(autumn, ["2031-10-26T00:00:00Z", "2031-10-26T00:30:00Z", "2031-10-26T03:00:00Z"].map(at));
}
