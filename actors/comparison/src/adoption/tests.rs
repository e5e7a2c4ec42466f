//! Goal: only rows that are ours count, each key once, and the question reaches back far enough.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn mail(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn event(address: &str, id: &str) -> CalendarEvent {
    CalendarEvent::new(address, id, at("2031-03-04T08:00:00.7Z"), at("2031-03-04T09:00:00Z"))
}

#[test]
fn only_our_rows_count_and_each_key_once() {
    let asked = [mail("a@x"), mail("b@x")];
    let events = vec![
        event("A@x ", "U"),
        event("a@x", "u"),
        event("a@x", "U"),
        CalendarEvent { end: at("2031-03-04T10:00:00Z"), ..event("a@x", "U") },
        event("a@x", ""),
        event("c@x", "U"),
        event("not an address", "U"),
    ];
    let held = sort_out(&asked, events);
    let ids: Vec<&str> = held.by_mailbox[&mail("a@x")].iter().map(|row| row.origin_id.as_str()).collect();
    assert_eq!(
        ids,
        ["U", "u", "U"],
        "identifiers are case-sensitive, addresses are not, rows that differ stay"
    );
    let each = one_each(held.by_mailbox[&mail("a@x")].clone());
    assert_eq!(each.iter().map(|row| row.origin_id.as_str()).collect::<Vec<_>>(), ["U", "u"]);
    assert_eq!(each[0].slot.end, at("2031-03-04T09:00:00Z"), "the first");
    assert_eq!(held.by_mailbox[&mail("b@x")], []);
    assert_eq!((held.without_origin_id, held.of_others, held.duplicates), (1, 2, 1));
    assert_eq!(held.by_mailbox[&mail("a@x")][0].slot.start, at("2031-03-04T08:00:00Z"), "to the second");
}

#[test]
fn the_question_reaches_back_31_days_or_to_the_earliest_known_start() {
    let window = Window::at(at("2031-08-01T10:00:00Z"), &TimeZone::get("Europe/Copenhagen").unwrap(), 3);
    let due = |earliest: Option<&str>| DueAdoption { mail: mail("a@x"), earliest: earliest.map(at) };
    let back = window.start - REACH_BACK;
    assert_eq!(range(&[due(None)], &window), (back, window.end));
    assert_eq!(range(&[due(Some("2031-08-20T00:00:00Z"))], &window), (back, window.end));
    let early = range(&[due(None), due(Some("2031-01-01T00:00:00Z"))], &window);
    assert_eq!(early, (at("2031-01-01T00:00:00Z"), window.end));
}

#[test]
fn a_comparison_asks_from_the_window_or_from_the_earliest_known_start() {
    let window = Window::at(at("2031-08-01T10:00:00Z"), &TimeZone::get("Europe/Copenhagen").unwrap(), 3);
    let due = |earliest: Option<&str>| DueComparison { mail: mail("a@x"), earliest: earliest.map(at) };
    assert_eq!(compared_range(&[due(None)], &window), (window.start, window.end));
    assert_eq!(compared_range(&[due(Some("2031-08-20T00:00:00Z"))], &window), (window.start, window.end));
    let early = compared_range(&[due(None), due(Some("2030-01-01T00:00:00Z"))], &window);
    assert_eq!(early, (at("2030-01-01T00:00:00Z"), window.end));
}

proptest! {
    #[test]
    fn every_row_is_counted_once(rows in prop::collection::vec(("[abc]@x", "[UV]?"), 0..30)) {
        let count = rows.len();
        let asked = [mail("a@x"), mail("b@x")];
        let held = sort_out(&asked, rows.iter().map(|(address, id)| event(address, id)).collect());
        let taken: usize = held.by_mailbox.values().map(Vec::len).sum();
        prop_assert_eq!(taken + held.without_origin_id + held.of_others + held.duplicates, count);
        prop_assert_eq!(held.by_mailbox.len(), 2);
    }
}
