//! Goal: files as Outlook, Google, Apple and Mozilla write them give the appointments that people see
//! there. The files below are compositions with the peculiarities of real ones, not copies.
use super::*;
use crate::item::Shown;
use proto_ews::{CalendarItemKind as Kind, FreeBusy, RecurrencePattern, Sensitivity};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn zone() -> Arc<Zone> {
    Zone::find("Europe/Copenhagen").unwrap()
}

fn file(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", events.trim().replace('\n', "\r\n"))
}

fn load(events: &str) -> Loaded {
    read(&file(events), &zone(), now()).unwrap()
}

fn shown(loaded: &Loaded, from: &str, to: &str) -> Vec<Shown> {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let mut all: Vec<Shown> = loaded.appointments.iter().flat_map(|own| own.shown(from, to)).collect();
    all.sort_by_key(|shown| shown.details.start);
    all
}

fn starts(loaded: &Loaded) -> Vec<String> {
    let all = shown(loaded, "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
    all.iter().map(|shown| shown.details.start.to_string()).collect()
}

#[test]
fn outlook_windows_zone_series_with_moved_deleted_and_cancelled_occurrences() {
    let loaded = load(
        r#"
BEGIN:VTIMEZONE
TZID:Romance Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000000Aa
SUMMARY;LANGUAGE=da:Status\, ugentlig\; alle
DESCRIPTION:first line\nsecond
  folded
DTSTART;TZID=Romance Standard Time:20260316T090000
DTEND;TZID=Romance Standard Time:20260316T093000
RRULE:FREQ=WEEKLY;UNTIL=20260413T070000Z;INTERVAL=1;BYDAY=MO;WKST=MO
EXDATE;TZID=Romance Standard Time:20260323T090000
CLASS:PRIVATE
X-MICROSOFT-CDO-BUSYSTATUS:OOF
CATEGORIES:Blue category,With\, comma
BEGIN:VALARM
TRIGGER:-PT15M
DTSTART:19990101T000000
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000000Aa
RECURRENCE-ID;TZID=Romance Standard Time:20260330T090000
DTSTART;TZID=Romance Standard Time:20260331T130000
DTEND;TZID=Romance Standard Time:20260331T140000
X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE
END:VEVENT
BEGIN:VEVENT
UID:040000008200E00074C5B7101A82E00800000000Aa
RECURRENCE-ID:20260406T070000Z
DTSTART:20260406T070000Z
DTEND:20260406T073000Z
STATUS:CANCELLED
END:VEVENT
"#,
    );
    assert_eq!((loaded.appointments.len(), loaded.skipped.len()), (1, 0));
    assert_eq!(
        starts(&loaded),
        ["2026-03-16T08:00:00Z", "2026-03-31T11:00:00Z", "2026-04-06T07:00:00Z", "2026-04-13T07:00:00Z"]
    );
    let all = shown(&loaded, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let kinds: Vec<Kind> = all.iter().map(|shown| shown.kind).collect();
    assert_eq!(kinds, [Kind::Occurrence, Kind::Exception, Kind::Exception, Kind::Occurrence]);
    assert_eq!(all[1].recurrence_id, Some("2026-03-30T07:00:00Z".parse().unwrap()));
    assert_eq!(all[1].details.free_busy, FreeBusy::Tentative);
    assert!(all[2].details.cancelled && !all[3].details.cancelled);
    let series = &loaded.appointments[0];
    assert_eq!(series.uid, "040000008200E00074C5B7101A82E00800000000Aa");
    assert_eq!(series.details.subject, "Status, ugentlig; alle");
    assert_eq!(series.details.body.as_ref().unwrap().0, "first line\nsecond folded");
    assert_eq!(series.details.categories, ["Blue category", "With, comma"]);
    assert_eq!(series.details.sensitivity, Sensitivity::Private);
    assert_eq!(series.details.free_busy, FreeBusy::Oof);
    assert_eq!(series.details.start_zone.id(), "Romance Standard Time");
    let pattern = series.repetition.as_ref().unwrap().pattern.as_ref().unwrap();
    assert!(matches!(pattern.pattern, RecurrencePattern::Weekly { interval: 1, .. }));
}

#[test]
fn google_dates_floating_times_and_additional_dates() {
    let loaded = load(
        r#"
X-WR-TIMEZONE:America/New_York
BEGIN:VEVENT
UID:day@google.com
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261227
TRANSP:TRANSPARENT
SUMMARY:Off
END:VEVENT
BEGIN:VEVENT
UID:floating@google.com
DTSTART:20260701T120000
DURATION:PT1H30M
STATUS:TENTATIVE
END:VEVENT
BEGIN:VEVENT
UID:extra@google.com
DTSTART:20260701T080000Z
DTEND:20260701T090000Z
RDATE:20260703T080000Z,20260705T100000Z
END:VEVENT
BEGIN:VEVENT
UID:point@google.com
DTSTART;TZID=Europe/London:20260801T100000
END:VEVENT
"#,
    );
    assert_eq!(loaded.skipped, []);
    assert_eq!(
        starts(&loaded),
        [
            "2026-07-01T08:00:00Z",
            "2026-07-01T16:00:00Z",
            "2026-07-03T08:00:00Z",
            "2026-07-05T10:00:00Z",
            "2026-08-01T09:00:00Z",
            "2026-12-24T05:00:00Z",
        ]
    );
    let by_uid = |uid: &str| loaded.appointments.iter().find(|own| own.uid == uid).unwrap();
    let day = &by_uid("day@google.com").details;
    assert_eq!((day.all_day, day.free_busy), (true, FreeBusy::Free));
    assert_eq!(day.end, "2026-12-27T05:00:00Z".parse().unwrap());
    assert_eq!(day.start_zone.id(), "Eastern Standard Time");
    assert_eq!(by_uid("floating@google.com").details.free_busy, FreeBusy::Tentative);
    assert_eq!(by_uid("point@google.com").details.start, by_uid("point@google.com").details.end);
    assert!(by_uid("extra@google.com").repetition.as_ref().unwrap().pattern.is_none());
}

#[test]
fn all_day_series_with_dates_as_exceptions() {
    let loaded = load(
        r#"
BEGIN:VEVENT
UID:days
DTSTART;VALUE=DATE:20260327
RRULE:FREQ=DAILY;COUNT=4
EXDATE;VALUE=DATE:20260328
END:VEVENT
BEGIN:VEVENT
UID:timed
DTSTART;TZID=Europe/Copenhagen:20260327T100000
DTEND;TZID=Europe/Copenhagen:20260327T110000
RRULE:FREQ=DAILY;COUNT=3
EXDATE;VALUE=DATE:20260328
END:VEVENT
"#,
    );
    assert_eq!(
        starts(&loaded),
        [
            "2026-03-26T23:00:00Z",
            "2026-03-27T09:00:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T08:00:00Z",
            "2026-03-29T22:00:00Z",
        ]
    );
}

#[test]
fn zones_by_location_by_rules_and_unknown_ones() {
    let loaded = load(
        r#"
BEGIN:VTIMEZONE
TZID:Customized 1
X-LIC-LOCATION:Asia/Tokyo
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0900
TZOFFSETTO:+0900
END:STANDARD
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Own rules
BEGIN:STANDARD
DTSTART:20071104T020000
TZOFFSETFROM:-0300
TZOFFSETTO:-0330
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
TZOFFSETFROM:-0330
TZOFFSETTO:-0230
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Fixed
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0530
TZOFFSETTO:+0530
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:a
DTSTART;TZID=Customized 1:20260701T090000
END:VEVENT
BEGIN:VEVENT
UID:b
DTSTART;TZID="Own rules":20260702T090000
END:VEVENT
BEGIN:VEVENT
UID:c
DTSTART;TZID=Own rules:20261202T090000
END:VEVENT
BEGIN:VEVENT
UID:d
DTSTART;TZID=Fixed:20261203T090000
END:VEVENT
BEGIN:VEVENT
UID:e
DTSTART;TZID=Never heard of:20261204T090000
END:VEVENT
"#,
    );
    assert_eq!(
        starts(&loaded),
        [
            "2026-07-01T00:00:00Z",
            "2026-07-02T11:30:00Z",
            "2026-12-02T12:30:00Z",
            "2026-12-03T03:30:00Z",
            "2026-12-04T08:00:00Z",
        ]
    );
}

#[test]
fn an_invitation_to_one_meeting_of_a_series_stays_alone() {
    let loaded = load(
        r#"
BEGIN:VEVENT
UID:foreign
RECURRENCE-ID:20260316T080000Z
DTSTART:20260316T100000Z
DTEND:20260316T110000Z
END:VEVENT
BEGIN:VEVENT
UID:foreign
RECURRENCE-ID:20260323T080000Z
DTSTART:20260323T100000Z
DTEND:20260323T110000Z
END:VEVENT
"#,
    );
    let all = shown(&loaded, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|shown| shown.kind == Kind::Single));
    assert_eq!(all[0].recurrence_id, Some("2026-03-16T08:00:00Z".parse().unwrap()));
}

#[test]
fn what_cannot_be_used_is_skipped_with_its_line_and_reason() {
    let loaded = load(
        r#"
BEGIN:VEVENT
UID:nothing
END:VEVENT
BEGIN:VEVENT
UID:backwards
DTSTART:20260316T080000Z
DTEND:20260316T070000Z
END:VEVENT
BEGIN:VEVENT
UID:rule
DTSTART:20260316T080000Z
RRULE:FREQ=SOMETIMES
END:VEVENT
BEGIN:VEVENT
UID:when
DTSTART:soon
END:VEVENT
BEGIN:VEVENT
UID:date
DTSTART:20260316T080000Z
EXDATE:whenever
END:VEVENT
BEGIN:VTODO
DTSTART:20260316T080000Z
END:VTODO
BEGIN:VEVENT
DTSTART:20260316T080000Z
END:VEVENT
BEGIN:VEVENT
DTSTART:20260317T080000Z
END:VEVENT
"#,
    );
    let mut reasons: Vec<_> = loaded.skipped.iter().map(|skipped| (skipped.line, skipped.reason)).collect();
    reasons.sort_by_key(|(line, _)| *line);
    assert_eq!(
        reasons,
        [
            (3, SkipReason::NoStart),
            (6, SkipReason::EndsBeforeStart),
            (11, SkipReason::BadRule),
            (16, SkipReason::NoStart),
            (20, SkipReason::BadTime),
        ]
    );
    // two without a UID are two
    assert_eq!(loaded.appointments.len(), 2);
    assert_ne!(loaded.appointments[0].uid, loaded.appointments[1].uid);
}

#[test]
fn something_else_is_no_calendar() {
    for text in ["", "<html>", "BEGIN:VCARD\r\nEND:VCARD\r\n"] {
        assert_eq!(read(text, &zone(), now()).unwrap_err(), IcsError::NoCalendar, "{text}");
    }
    assert!(read("\u{feff}BEGIN:VCALENDAR\nEND:VCALENDAR\n", &zone(), now()).is_ok());
}

#[test]
fn a_calendar_that_is_cut_off_is_refused() {
    let whole = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20260302T090000Z\nEND:VEVENT\nEND:VCALENDAR\n";
    assert_eq!(read(whole, &zone(), now()).unwrap().appointments.len(), 1);
    let lines: Vec<&str> = whole.lines().collect();
    for kept in 1..lines.len() {
        let cut = lines[..kept].join("\n");
        assert_eq!(read(&cut, &zone(), now()).unwrap_err(), IcsError::Truncated, "{cut}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(BEGIN:VCALENDAR\n)?((BEGIN|END|DTSTART|RRULE|DTEND|RDATE|TZID|UID)[:;=,A-Z0-9T-]{0,30}\n){0,20}") {
        let _ = read(&text, &zone(), now());
    }
}
