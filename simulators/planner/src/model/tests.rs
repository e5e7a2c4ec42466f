//! What Planner does with a change: the receipt codes as a table, and against a plain map as a property.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use proto_planner::{CalendarEvent, CalendarResource, EventsQuery, Operation};
use uuid::Uuid;

use super::{Held, Planner, Row, code};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_930_000_000 + second).unwrap()
}

fn event(mail: &str, origin: &str, start: i64, end: i64) -> CalendarEvent {
    CalendarEvent::new(mail, origin, at(start), at(end))
}

fn planner() -> Planner {
    let mut planner = Planner::default();
    planner.set_resources(["a@x", "b@x"].map(CalendarResource::of_address).into());
    planner
}

fn take(planner: &mut Planner, operation: Operation, event: &CalendarEvent) -> i32 {
    planner.take(operation, event, Uuid::new_v4()).code
}

fn own(mail: &str, origin: &str, start: i64) -> Row {
    let held = Held { id: Uuid::new_v4(), start: at(start), end: at(start + 60), planner_own: true };
    Row { mail: mail.into(), origin_id: origin.into(), held }
}

#[test]
fn codes_follow_what_is_held() {
    use Operation::{CreateEvents, DeleteEvents, UpdateEvents};
    let mut planner = planner();
    let (first, moved) = (event("A@x", "1", 0, 60), event("a@X", "1", 30, 90));
    let foreign = event("c@x", "1", 0, 60);
    let reversed = event("a@x", "2", 60, 0);
    for (operation, event, code) in [
        (UpdateEvents, &first, code::MISSING),
        (DeleteEvents, &first, code::MISSING),
        (CreateEvents, &first, code::ACCEPTED),
        (CreateEvents, &first, code::EXISTS),
        (UpdateEvents, &moved, code::ACCEPTED),
        (CreateEvents, &reversed, code::ENDS_BEFORE_START),
        (UpdateEvents, &reversed, code::MISSING),
        (DeleteEvents, &reversed, code::MISSING),
        (CreateEvents, &foreign, code::UNKNOWN_MAILBOX),
        (UpdateEvents, &foreign, code::UNKNOWN_MAILBOX),
        (DeleteEvents, &foreign, code::UNKNOWN_MAILBOX),
        (DeleteEvents, &first, code::ACCEPTED),
        (DeleteEvents, &first, code::MISSING),
    ] {
        assert_eq!(take(&mut planner, operation, event), code, "{operation} of {event:?}");
    }
}

#[test]
fn planners_own_appointments_refuse_every_change() {
    let mut planner = planner();
    planner.plant(own("A@x", "1", 0));
    for operation in [Operation::CreateEvents, Operation::UpdateEvents, Operation::DeleteEvents] {
        assert_eq!(take(&mut planner, operation, &event("a@x", "1", 5, 6)), code::OWN);
    }
    assert_eq!(planner.rows_of("a@x").next().map(|row| row.held.start), Some(at(0)), "untouched");
}

#[test]
fn origin_ids_are_told_apart_by_case_and_mailboxes_are_not() {
    let mut planner = planner();
    assert_eq!(take(&mut planner, Operation::CreateEvents, &event("a@x", "uid", 0, 1)), code::ACCEPTED);
    assert_eq!(take(&mut planner, Operation::CreateEvents, &event("A@X", "UID", 0, 1)), code::ACCEPTED);
    assert_eq!(take(&mut planner, Operation::CreateEvents, &event("b@x", "uid", 0, 1)), code::ACCEPTED);
    assert_eq!(planner.rows_of("a@x").count(), 2);
}

#[test]
fn identifiers_stay_with_the_appointment() {
    let mut planner = planner();
    let created = planner.take(Operation::CreateEvents, &event("a@x", "1", 0, 1), Uuid::from_u128(1));
    let updated = planner.take(Operation::UpdateEvents, &event("a@x", "1", 0, 2), Uuid::from_u128(2));
    let deleted = planner.take(Operation::DeleteEvents, &event("a@x", "1", 0, 2), Uuid::from_u128(3));
    assert_eq!([created, updated, deleted].map(|taken| taken.event_id), [Some(Uuid::from_u128(1)); 3]);
}

#[test]
fn a_query_filters_by_start_with_both_ends_and_each_address_once() {
    let mut planner = planner();
    for start in [0, 10, 20, 30] {
        let one = event("a@x", &start.to_string(), start, start + 1000);
        assert_eq!(take(&mut planner, Operation::CreateEvents, &one), code::ACCEPTED);
    }
    planner.plant(own("a@x", "", 20));
    planner.plant(own("a@x", "", 20));
    let found = |addresses: &[&str], from: Option<i64>, to: Option<i64>| {
        let query = EventsQuery::of_addresses(addresses, from.map(at), to.map(at));
        let origins = planner.find(&query).into_iter().map(|event| event.origin_system_identifier);
        origins.collect::<Vec<_>>().join(",")
    };
    assert_eq!(found(&["a@x"], None, None), "0,10,20,30,,");
    assert_eq!(found(&["A@x", "a@x", "b@x", "c@x"], Some(10), Some(20)), "10,20,,");
    assert_eq!(found(&["a@x"], Some(21), None), "30");
    assert_eq!(found(&["a@x"], None, Some(-1)), "");
    assert_eq!(found(&[], None, None), "");
}

#[test]
fn resources_are_listed_in_order_and_with_their_duplicates() {
    let mut planner = planner();
    planner.set_resources(["b@x", "a@x", "B@x"].map(CalendarResource::of_address).into());
    let listed = |addresses: &[&str]| {
        let addresses: Vec<_> = addresses.iter().map(|address| (*address).to_owned()).collect();
        let found = planner.resources(&addresses).into_iter().map(|resource| resource.email_address);
        found.collect::<Vec<_>>().join(",")
    };
    assert_eq!(listed(&[]), "b@x,a@x,B@x");
    assert_eq!(listed(&["B@X"]), "b@x,B@x");
    assert_eq!(listed(&["c@x"]), "");
}

#[test]
fn appointments_of_an_address_that_left_the_list_stay() {
    let mut planner = planner();
    assert_eq!(take(&mut planner, Operation::CreateEvents, &event("a@x", "1", 0, 1)), code::ACCEPTED);
    planner.set_resources(vec![]);
    assert_eq!(take(&mut planner, Operation::DeleteEvents, &event("a@x", "1", 0, 1)), code::UNKNOWN_MAILBOX);
    assert_eq!(planner.rows_of("a@x").count(), 1);
}

#[test]
fn appointments_are_removed_by_key_by_address_and_all_together() {
    let mut planner = planner();
    for (mail, origin) in [("a@x", "1"), ("a@x", "2"), ("b@x", "1"), ("b@x", "3")] {
        planner.plant(own(mail, origin, 0));
    }
    planner.plant(own("b@x", "", 0));
    assert_eq!(planner.remove(Some("A@x"), Some("2")), 1);
    assert_eq!(planner.remove(Some("a@x"), Some("2")), 0);
    assert_eq!(planner.remove(None, Some("1")), 2);
    assert_eq!(planner.remove(Some("b@x"), None), 2);
    planner.plant(own("a@x", "9", 0));
    assert_eq!(planner.remove(None, None), 1);
    assert_eq!(planner.page(None, 10), None);
}

#[test]
fn pages_hold_every_mailbox_once() {
    let mut planner = Planner::default();
    for number in 0..25 {
        planner.plant(own(&format!("m{number:02}@x"), "1", number));
    }
    let (mut after, mut seen) = (None, Vec::new());
    while let Some((last, rows)) = planner.page(after.as_deref(), 10) {
        seen.extend(rows.into_iter().map(|row| row.mail.to_string()));
        after = Some(last);
    }
    assert_eq!(seen, (0..25).map(|number| format!("m{number:02}@x")).collect::<Vec<_>>());
}

proptest! {
    /// Against a plain map of keys: the same codes and the same content after any history.
    #[test]
    fn any_history_leaves_what_a_plain_map_would(
        history in prop::collection::vec((0..3_usize, 0..3_usize, 0..4_usize, 0..5_i64, 0..5_i64), 0..60),
    ) {
        let (mut planner, mut plain) = (planner(), BTreeMap::new());
        for (operation, mailbox, origin, start, end) in history {
            let operation = Operation::ALL[operation];
            let key = (["a@x", "b@x", "c@x"][mailbox], ["1", "2", "3", "4"][origin]);
            let change = event(key.0, key.1, start, end);
            let known = plain.contains_key(&key);
            let expected = match operation {
                _ if key.0 == "c@x" => code::UNKNOWN_MAILBOX,
                Operation::CreateEvents if known => code::EXISTS,
                Operation::UpdateEvents | Operation::DeleteEvents if !known => code::MISSING,
                Operation::DeleteEvents => { plain.remove(&key); code::ACCEPTED }
                _ if end < start => code::ENDS_BEFORE_START,
                _ => { plain.insert(key, (at(start), at(end))); code::ACCEPTED }
            };
            prop_assert_eq!(take(&mut planner, operation, &change), expected);
        }
        let rows = planner.page(None, 10).map(|(_, rows)| rows).unwrap_or_default();
        let held: Vec<_> = rows.iter().map(|row| ((&*row.mail, &*row.origin_id), (row.held.start, row.held.end))).collect();
        prop_assert_eq!(held, plain.into_iter().collect::<Vec<_>>());
    }
}
