//! Goal: what a calendar shows of a series with exceptions and deletions, across the changes of the
//! clock; and what becomes of exceptions when the series changes.
use super::*;
use jiff::civil::date;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone() -> Arc<Zone> {
    Zone::find("Europe/Copenhagen").unwrap()
}

fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

/// Every Monday at nine (local), 45 minutes, over the change to summer time on 29 March 2026.
fn mondays() -> Appointment {
    let start = zone().instant(date(2026, 3, 16).at(9, 0, 0, 0));
    let details = Details::plain(start, start + SignedDuration::from_mins(45), zone());
    let series = Series::new(date(2026, 3, 16).at(9, 0, 0, 0), "FREQ=WEEKLY;COUNT=4", []).unwrap();
    Appointment {
        uid: "series".into(),
        details,
        repetition: Some(Repetition::new(series, None)),
        lone_instance: None,
        created: now(),
        modified: now(),
    }
}

fn starts(appointment: &Appointment, from: &str, to: &str) -> Vec<String> {
    let shown = appointment.shown(at(from), at(to));
    shown.iter().map(|shown| format!("{:?} {}", shown.kind, shown.details.start)).collect()
}

#[test]
fn occurrences_keep_their_local_time() {
    let all = starts(&mondays(), "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(
        all,
        [
            "Occurrence 2026-03-16T08:00:00Z",
            "Occurrence 2026-03-23T08:00:00Z",
            "Occurrence 2026-03-30T07:00:00Z",
            "Occurrence 2026-04-06T07:00:00Z",
        ]
    );
}

#[test]
fn the_window_is_open_at_both_ends() {
    let series = mondays();
    // ends exactly at the window's begin, starts exactly at its end
    let none = starts(&series, "2026-03-16T08:45:00Z", "2026-03-23T08:00:00Z");
    assert_eq!(none, Vec::<String>::new());
    let one = starts(&series, "2026-03-16T08:44:59Z", "2026-03-23T08:00:00Z");
    assert_eq!(one, ["Occurrence 2026-03-16T08:00:00Z"]);
    let other = starts(&series, "2026-03-16T08:45:00Z", "2026-03-23T08:00:01Z");
    assert_eq!(other, ["Occurrence 2026-03-23T08:00:00Z"]);
}

#[test]
fn an_exception_shows_where_it_went_with_its_original_start() {
    let mut series = mondays();
    let original = date(2026, 3, 23).at(9, 0, 0, 0);
    let patch = Patch {
        start: Some(at("2026-05-05T10:00:00Z")),
        end: Some(at("2026-05-05T11:00:00Z")),
        free_busy: Some(FreeBusy::Oof),
        ..Patch::default()
    };
    series.change_occurrence(original, patch, at("2026-03-02T00:00:00Z")).unwrap();
    assert_eq!(starts(&series, "2026-03-20T00:00:00Z", "2026-03-27T00:00:00Z"), Vec::<String>::new());
    let moved = series.shown(at("2026-05-01T00:00:00Z"), at("2026-06-01T00:00:00Z"));
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].kind, Kind::Exception);
    assert_eq!(moved[0].recurrence_id, Some(at("2026-03-23T08:00:00Z")));
    assert_eq!(moved[0].original, Some(original));
    assert_eq!(moved[0].details.free_busy, FreeBusy::Oof);
    assert_eq!(moved[0].modified, at("2026-03-02T00:00:00Z"));
    // a later change of something else keeps the earlier ones
    let patch = Patch { cancelled: Some(true), ..Patch::default() };
    series.change_occurrence(original, patch, now()).unwrap();
    let shown = series.occurrence(original).unwrap();
    assert!(shown.details.cancelled);
    assert_eq!(shown.details.start, at("2026-05-05T10:00:00Z"));
}

#[test]
fn a_deleted_occurrence_is_gone_and_says_so() {
    let mut series = mondays();
    let original = date(2026, 3, 30).at(9, 0, 0, 0);
    series.delete_occurrence(original, now()).unwrap();
    assert_eq!(starts(&series, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z").len(), 3);
    assert_eq!(series.occurrence(original).unwrap_err(), OccurrenceError::Deleted);
    assert_eq!(series.delete_occurrence(original, now()), Err(OccurrenceError::Deleted));
    // its number stays taken
    assert_eq!(series.original_at(3), Ok(original));
    assert_eq!(series.original_at(5), Err(OccurrenceError::Unknown));
    let nowhere = date(2026, 3, 31).at(9, 0, 0, 0);
    assert_eq!(series.occurrence(nowhere).unwrap_err(), OccurrenceError::Unknown);
}

#[test]
fn other_times_of_the_series_drop_exceptions_and_other_content_does_not() {
    let mut series = mondays();
    let original = date(2026, 3, 23).at(9, 0, 0, 0);
    let cancelled = Patch { cancelled: Some(true), ..Patch::default() };
    series.change_occurrence(original, cancelled, now()).unwrap();
    series.delete_occurrence(date(2026, 3, 30).at(9, 0, 0, 0), now()).unwrap();

    series.change(&Patch { subject: Some("other".into()), ..Patch::default() }, now()).unwrap();
    let repetition = series.repetition.as_ref().unwrap();
    assert_eq!((repetition.exceptions.len(), repetition.deleted.len()), (1, 1));
    assert_eq!(series.occurrence(original).unwrap().details.subject, "other");

    let later = Patch {
        start: Some(at("2026-03-16T09:00:00Z")),
        end: Some(at("2026-03-16T10:00:00Z")),
        ..Patch::default()
    };
    series.change(&later, now()).unwrap();
    let all = starts(&series, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(
        all,
        [
            "Occurrence 2026-03-16T09:00:00Z",
            "Occurrence 2026-03-23T09:00:00Z",
            "Occurrence 2026-03-30T08:00:00Z",
            "Occurrence 2026-04-06T08:00:00Z",
        ]
    );
}

#[test]
fn a_single_becomes_a_series_and_back() {
    let mut appointment = mondays();
    let repetition = appointment.repetition.take();
    assert_eq!(appointment.kind(), Kind::Single);
    assert_eq!(starts(&appointment, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z").len(), 1);
    assert_eq!(
        appointment.occurrence(date(2026, 3, 16).at(9, 0, 0, 0)).unwrap_err(),
        OccurrenceError::NotRecurring
    );
    appointment.set_repetition(repetition, now());
    assert_eq!(appointment.kind(), Kind::RecurringMaster);
    appointment.set_repetition(None, now());
    assert_eq!(appointment.kind(), Kind::Single);
}

#[test]
fn all_day_appointments_lie_on_dates_of_their_zone() {
    for (start, end, expected) in [
        // noon to noon becomes two dates; on the day with 25 hours too
        ("2026-10-24T10:00:00Z", "2026-10-25T10:00:00Z", ("2026-10-23T22:00:00Z", "2026-10-25T23:00:00Z")),
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")),
        // an empty one becomes a day
        ("2026-03-28T23:00:00Z", "2026-03-28T23:00:00Z", ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")),
    ] {
        let mut details = Details::plain(at(start), at(end), zone());
        details.all_day = true;
        details.align_all_day();
        assert_eq!((details.start, details.end), (at(expected.0), at(expected.1)), "{start}");
    }
}

#[test]
fn an_all_day_series_has_days_of_23_and_25_hours() {
    let start = zone().instant(date(2026, 3, 28).at(0, 0, 0, 0));
    let mut details = Details::plain(start, zone().instant(date(2026, 3, 29).at(0, 0, 0, 0)), zone());
    details.all_day = true;
    let series = Series::new(date(2026, 3, 28).at(0, 0, 0, 0), "FREQ=DAILY;COUNT=3", []).unwrap();
    let appointment = Appointment { details, repetition: Some(Repetition::new(series, None)), ..mondays() };
    let shown = appointment.shown(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let hours: Vec<i64> =
        shown.iter().map(|shown| shown.details.end.duration_since(shown.details.start).as_hours()).collect();
    assert_eq!(hours, [24, 23, 24]);
}
