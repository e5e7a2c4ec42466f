//! Goal: what a reading concerns, and what else must be read, in each of the situations that B2 and B5 name.
use calendar::Slot;
use calendar::source::SourceErrorKind;
use calendar::testing::{failure, occurrence, single};

use super::*;
use crate::testkit::{policy, slot, window};

fn id(text: &str) -> ItemId {
    ItemId::new(text)
}

fn uid(text: &str) -> Group {
    Group::Uid(Uid::new(text))
}

fn known(key: &str, uid: Option<&str>, item: &str, recurrence: Option<Slot>) -> Known {
    Known {
        origin_id: OriginId::new(key),
        uid: uid.map(Uid::new),
        recurrence_time: recurrence.map(|slot| slot.start),
        item_id: Some(id(item)),
        version: 1,
        wanted: true,
        slot: Some(recurrence.unwrap_or(slot(1, 9))),
        decided_at: None,
        acknowledged: None,
    }
}

fn series(uid: &str, item: &str) -> Series {
    Series { uid: Uid::new(uid), item_id: id(item) }
}

fn master(item: &str, uid: &str) -> Appointment {
    Appointment { kind: AppointmentKind::RecurringMaster, ..single(item, uid, slot(1, 9)) }
}

fn readings(list: Vec<(&str, Reading)>) -> Readings {
    list.into_iter().map(|(item, reading)| (id(item), reading)).collect()
}

#[test]
fn an_item_concerns_what_it_is_and_what_it_was() {
    let mut nameless = single("n", "", slot(1, 9));
    nameless.uid = None;
    let readings = readings(vec![
        ("a", Reading::There(single("a", "A", slot(1, 9)))),
        ("n", Reading::There(nameless)),
        ("g", Reading::Gone),
        ("m", Reading::Elsewhere),
        ("x", Reading::Gone),
    ]);
    let keys = [
        known("B", Some("B"), "a", None),
        known("C", Some("C"), "g", None),
        known("ITEM#1", None, "g", None),
    ];
    let groups = groups(&readings, &keys, &[series("S", "m")]);
    let of = |item: &str| groups[&id(item)].iter().cloned().collect::<Vec<_>>();
    assert_eq!(of("a"), [uid("A"), uid("B")]);
    assert_eq!(of("n"), [Group::Item(id("n"))]);
    assert_eq!(of("g"), [uid("C"), Group::Item(id("g"))]);
    assert_eq!(of("m"), [uid("S")]);
    assert_eq!(of("x"), []);
}

#[test]
fn other_single_items_of_a_group_are_read_too() {
    let readings = readings(vec![("a", Reading::Gone)]);
    let mut absent = known("A#3", Some("A"), "d", None);
    absent.wanted = false;
    let keys = [
        known("A", Some("A"), "a", None),
        known("A#2", Some("A"), "b", None),
        known("A$1", Some("A"), "c", Some(slot(2, 9))),
        absent,
    ];
    assert_eq!(also_read(&readings, &keys), [id("b")]);
}

#[test]
fn series_take_the_window() {
    let need = |readings: &Readings, keys: &[Known], rows: &[Series]| {
        let concerned = [uid("A"), uid("B")].into_iter().collect();
        let groups = in_need_of_window(&concerned, readings, keys, rows, &window());
        groups.into_iter().collect::<Vec<_>>()
    };
    let there = |item: Appointment| readings(vec![("a", Reading::There(item))]);
    let none = Readings::new();
    assert_eq!(need(&there(single("a", "A", slot(1, 9))), &[], &[]), []);
    assert_eq!(need(&there(master("a", "A")), &[], &[]), [uid("A")]);
    assert_eq!(need(&there(occurrence("a", "B", slot(1, 9))), &[], &[]), [uid("B")]);
    // a recurrence id makes an occurrence whatever the type says
    let mut odd = occurrence("a", "B", slot(1, 9));
    odd.kind = AppointmentKind::Single;
    assert_eq!(need(&there(odd), &[], &[]), [uid("B")]);
    // was a series
    assert_eq!(need(&none, &[known("A$1", Some("A"), "c", Some(slot(2, 9)))], &[]), [uid("A")]);
    assert_eq!(need(&none, &[known("A$1", Some("A"), "c", Some(slot(-9, 9)))], &[]), []);
    assert_eq!(need(&none, &[], &[series("A", "m")]), [uid("A")]);
    // a group that is not concerned needs nothing
    assert_eq!(need(&there(master("a", "C")), &[], &[series("D", "d")]), []);
}

#[test]
fn the_window_wins_over_the_items_and_others_stay_out() {
    let readings = readings(vec![
        ("a", Reading::There(single("a", "A", slot(1, 9)))),
        ("b", Reading::There(single("b", "B", slot(1, 9)))),
        ("c", Reading::Elsewhere),
        ("d", Reading::Failed(failure(SourceErrorKind::Unknown))),
    ]);
    let concerned: BTreeSet<Group> = [uid("A")].into_iter().collect();
    let later = single("a", "A", slot(2, 10));
    let found = found_of(&concerned, &readings, &[later.clone(), single("z", "Z", slot(1, 9))]);
    assert_eq!(found, [later]);
    let gone: Vec<ItemId> = gone_of(&readings, &found).into_iter().collect();
    // "b" is no appointment of these groups; "d" is unknown
    assert_eq!(gone, [id("b"), id("c")]);
    assert_eq!(names_of(&found, &policy())[0], OriginId::new("A"));
}

#[test]
fn a_group_fails_with_any_of_its_items() {
    let readings = readings(vec![
        ("a", Reading::There(single("a", "A", slot(1, 9)))),
        ("b", Reading::Failed(failure(SourceErrorKind::Unknown))),
        ("c", Reading::There(single("c", "C", slot(1, 9)))),
    ]);
    let keys = [known("A#2", Some("A"), "b", None), known("C", Some("C"), "c", None)];
    // "b" was read because of its key, nobody hinted at it
    let hinted = groups(&readings, &[], &[]);
    let failed = failed_groups(&readings, &hinted, &keys);
    assert_eq!(failed.into_keys().collect::<Vec<_>>(), [uid("A")]);
}

#[test]
fn news_of_series() {
    let readings = readings(vec![
        ("new", Reading::There(master("new", "A"))),
        ("old", Reading::Gone),
        ("single", Reading::There(single("single", "B", slot(1, 9)))),
    ]);
    let found = [
        master("new", "A"),
        single("single", "B", slot(1, 9)),
        occurrence("a1", "A", slot(1, 9)),
        occurrence("c1", "C", slot(1, 9)),
        occurrence("c2", "C", slot(2, 9)),
        occurrence("d1", "D", slot(2, 9)),
    ];
    let known = [series("A", "old"), series("B", "single"), series("D", "d")];
    let news = series_news(&readings, &found, &known);
    assert_eq!(news.learned, [series("A", "new")]);
    assert_eq!(news.gone, [id("old"), id("single")]);
    assert_eq!(news.unknown, [(Uid::new("C"), id("c1"))]);
}

#[test]
fn outcomes() {
    let tally = |created, updated, deleted| Tally { created, updated, deleted };
    for (tally, outcome, text) in [
        (tally(0, 0, 0), "unchanged", None),
        (tally(1, 0, 0), "created", None),
        (tally(0, 1, 0), "updated", None),
        (tally(0, 0, 1), "deleted", None),
        (tally(2, 0, 0), "created", Some("created 2, updated 0, deleted 0")),
        (tally(1, 0, 1), "several", Some("created 1, updated 0, deleted 1")),
    ] {
        assert_eq!((tally.outcome(), tally.text().as_deref()), (outcome, text));
    }
}
