//! Goal: each scheduled time runs once, also across a change of clocks, a pause of the process, a wall clock
//! that is set, and a time that was missed while nobody was there. Method: instants as values.

use jiff::civil::Time;
use proptest::prelude::*;

use super::*;

fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(times: &[(i8, i8)], last_run: &str) -> Schedule {
    let times = times.iter().map(|(hour, minute)| Time::constant(*hour, *minute, 0, 0));
    Schedule::new(DailyTimes::new(times).unwrap(), copenhagen(), at(last_run))
}

#[test]
fn a_time_is_due_once_when_it_has_come() {
    let mut schedule = schedule(&[(1, 0)], "2026-01-10T12:00:00Z");
    assert!(!schedule.look(at("2026-01-10T23:59:59Z")).due);
    assert!(schedule.look(at("2026-01-11T00:00:00Z")).due, "01:00 in Copenhagen");
    assert!(!schedule.look(at("2026-01-11T00:00:01Z")).due);
    assert!(schedule.look(at("2026-01-12T00:00:30Z")).due);
}

#[test]
fn what_was_missed_is_made_up_once() {
    let mut schedule = schedule(&[(1, 0), (13, 0)], "2026-01-10T12:30:00Z");
    assert!(schedule.look(at("2026-01-14T09:00:00Z")).due);
    assert!(!schedule.look(at("2026-01-14T09:01:00Z")).due);
    assert!(schedule.look(at("2026-01-14T12:00:00Z")).due);
}

#[test]
fn a_restart_after_the_run_does_not_repeat_it() {
    assert!(!schedule(&[(1, 0)], "2026-01-11T00:00:05Z").look(at("2026-01-11T00:10:00Z")).due);
}

#[test]
fn spring_runs_after_the_gap_and_autumn_once() {
    let mut spring = schedule(&[(2, 30)], "2026-03-28T12:00:00Z");
    assert!(!spring.look(at("2026-03-29T00:59:59Z")).due);
    assert!(spring.look(at("2026-03-29T01:00:00Z")).due, "02:30 does not exist, 03:00 follows 02:00");
    let mut autumn = schedule(&[(2, 30)], "2026-10-24T12:00:00Z");
    assert!(autumn.look(at("2026-10-25T00:30:00Z")).due);
    assert!(!autumn.look(at("2026-10-25T01:30:00Z")).due, "the second 02:30 of that night");
}

#[test]
fn in_the_two_nights_of_dst_a_list_of_times_runs_at_each_of_its_instants_once() {
    let runs = |from: &str| -> Vec<String> {
        let mut schedule = schedule(&[(2, 0), (2, 30), (4, 0)], from);
        let minutes = (1..24 * 60).map(|minute| at(from) + Duration::from_secs(60 * minute));
        minutes.filter(|now| schedule.look(*now).due).map(|now| now.to_string()).collect()
    };
    // 02:00 and 02:30 share the gap
    assert_eq!(runs("2026-03-28T23:00:00Z"), ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
    let autumn = ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"];
    assert_eq!(runs("2026-10-24T22:00:00Z"), autumn);
}

#[test]
fn a_clock_that_was_set_back_or_far_ahead_delays_by_a_look_at_most() {
    let mut schedule = schedule(&[(1, 0)], "2036-01-01T00:00:00Z");
    let look = schedule.look(at("2026-01-10T23:59:30Z"));
    assert_eq!(look, Look { due: false, again_after: Duration::from_secs(30) });
    assert!(schedule.look(at("2026-01-11T00:00:00Z")).due);
    assert_eq!(schedule.look(at("2026-01-11T00:00:00Z")).again_after, Duration::from_secs(60));
}

proptest! {
    #[test]
    fn however_often_one_looks_each_day_runs_once(steps in prop::collection::vec(1i64..40_000, 1..200)) {
        let mut schedule = schedule(&[(1, 0)], "2026-02-01T12:00:00Z");
        let (mut now, mut runs) = (at("2026-02-01T12:00:00Z"), Vec::new());
        for step in steps {
            now += Duration::from_secs(step.unsigned_abs());
            if schedule.look(now).due {
                runs.push(now.to_zoned(copenhagen()).date());
            }
        }
        let days = at("2026-02-01T12:00:00Z").to_zoned(copenhagen()).date().until(now.to_zoned(copenhagen()).date());
        let days = usize::try_from(days.unwrap().get_days()).unwrap();
        prop_assert!(runs.len() <= days);
        prop_assert!(runs.windows(2).all(|pair| pair[0] < pair[1]), "{runs:?}");
        // looks are less than half a day apart, so no day is missed but perhaps the last
        prop_assert!(runs.len() + 1 >= days);
    }
}
