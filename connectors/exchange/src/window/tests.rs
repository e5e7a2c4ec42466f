//! Goal: a window is read completely, whatever the server's limits, or not at all. Method: the cutting by
//! property; the calls against a scripted server.

use calendar::CalendarSource;
use proptest::prelude::*;
use proto_ews::{CalendarItem, CalendarItemKind, ResponseCode, ResponseMessage};

use super::*;
use crate::scripted::{Reply, Scripted};

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn item(id: &str, start: i64, kind: CalendarItemKind) -> CalendarItem {
    CalendarItem {
        item_id: Some(proto_ews::ItemId::new(id)),
        parent_folder_id: Some(proto_ews::FolderId::new("cal")),
        uid: Some(format!("uid-{id}")),
        start: Some(at(start)),
        end: Some(at(start + 3_600)),
        kind: Some(kind),
        ..CalendarItem::default()
    }
}

fn view(items: Vec<CalendarItem>, whole: bool) -> Reply {
    let found = FoundItems {
        indexed_paging_offset: None,
        total_items_in_view: None,
        includes_last_item_in_range: whole,
        items: items.into_iter().map(Item::from).collect(),
    };
    Reply::ok(Response::FindItem(vec![ResponseMessage::Success(found)]))
}

fn windows_asked(server: &Scripted) -> Vec<(i64, i64)> {
    let of = |asked: &crate::scripted::Asked| match asked.envelope().request {
        proto_ews::Request::FindItem(find) => match find.view {
            proto_ews::operation::View::Calendar(view) => {
                assert_eq!(view.max_entries_returned, Some(1_000));
                Some((view.start.as_second() - 1_900_000_000, view.end.as_second() - 1_900_000_000))
            }
            other => panic!("{other:?}"),
        },
        _ => None,
    };
    server.asked().iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_truncated_window_is_asked_for_in_halves_and_edges_count_once() {
    let crossing = item("crossing", 2 * DAY - 60, CalendarItemKind::Single);
    let server = Scripted::start([
        view(vec![item("late", 3 * DAY, CalendarItemKind::Single)], false),
        view(vec![crossing.clone(), item("early", 0, CalendarItemKind::Single)], true),
        view(vec![crossing, item("late", 3 * DAY, CalendarItemKind::Single)], true),
    ])
    .await;
    let window = Slot { start: at(0), end: at(4 * DAY) };
    let found = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|a| a.item_id.as_str()).collect();
    assert_eq!(ids, ["early", "crossing", "late"]);
    assert_eq!(windows_asked(&server), [(0, 4 * DAY), (0, 2 * DAY), (2 * DAY, 4 * DAY)]);
}

#[tokio::test]
async fn too_many_as_an_error_is_cut_as_well() {
    let too_many = ResponseMessage::error(ResponseCode::EXCEEDED_FIND_COUNT_LIMIT, "");
    let server = Scripted::start([
        Reply::ok(Response::FindItem(vec![too_many])),
        view(vec![], true),
        view(vec![item("b", DAY, CalendarItemKind::Single)], true),
    ])
    .await;
    let window = Slot { start: at(0), end: at(2 * DAY) };
    let found = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn a_minute_that_is_still_too_full_is_an_error_and_no_loop() {
    let server = Scripted::start((0..50).map(|_| view(vec![], false))).await;
    let window = Slot { start: at(0), end: at(3_600) };
    let error = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SourceErrorKind::TooMuch, "truncated"));
    assert!(server.asked().len() < 10);
}

#[tokio::test]
async fn only_exceptions_without_their_original_start_are_asked_for_again() {
    let known = CalendarItem { recurrence_id: Some(at(5)), ..item("known", 10, CalendarItemKind::Exception) };
    let lacking = item("lacking", 20, CalendarItemKind::Exception);
    let told = CalendarItem { recurrence_id: Some(at(7)), ..lacking.clone() };
    let folder = proto_ews::Folder {
        folder_id: Some(proto_ews::FolderId::new("cal")),
        ..proto_ews::Folder::new(proto_ews::FolderKind::CalendarFolder)
    };
    let server = Scripted::start([
        view(vec![known, lacking, item("plain", 30, CalendarItemKind::Occurrence)], true),
        Reply::ok(Response::GetItem(vec![ResponseMessage::Success(vec![Item::from(told)])])),
        Reply::ok(Response::GetFolder(vec![ResponseMessage::Success(vec![folder])])),
    ])
    .await;
    let window = Slot { start: at(0), end: at(DAY) };
    let found = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    let starts: Vec<_> = found.iter().map(|a| (a.item_id.as_str(), a.recurrence_id)).collect();
    assert_eq!(starts, [("known", Some(at(5))), ("lacking", Some(at(7))), ("plain", None)]);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_window_with_an_item_that_cannot_be_read_is_an_error_and_never_a_part() {
    let broken = CalendarItem { end: None, ..item("broken", 0, CalendarItemKind::Single) };
    let server = Scripted::start([view(vec![item("good", 0, CalendarItemKind::Single), broken], true)]).await;
    let window = Slot { start: at(0), end: at(DAY) };
    let error = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap_err();
    assert_eq!(error.code, "incomplete item");
}

proptest! {
    #[test]
    fn pieces_cover_the_window_without_gap_and_fit_the_server(length in 0i64..10 * 366 * DAY) {
        let window = Slot { start: at(0), end: at(length) };
        let parts = pieces(window);
        let mut edge = window.start;
        for part in &parts {
            prop_assert_eq!(part.start, edge);
            prop_assert!(part.end > part.start);
            prop_assert!(part.end.as_second() - part.start.as_second() <= 731 * DAY);
            edge = part.end;
        }
        prop_assert_eq!(edge, window.end);
    }

    #[test]
    fn halves_cover_the_whole_and_end(length in 1i64..800 * DAY) {
        let mut part = Slot { start: at(0), end: at(length) };
        let mut depth = 0;
        while let Some((first, second)) = halves(part) {
            prop_assert_eq!((first.start, first.end, second.end), (part.start, second.start, part.end));
            prop_assert!(first.start < first.end && second.start < second.end);
            part = second;
            depth += 1;
        }
        prop_assert!(depth <= 24);
    }
}
