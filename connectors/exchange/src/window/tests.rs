//! Goal: a window is read completely, whatever the server's limits, but for single items, which are named; or not
//! at all. Method: the cutting by property; the calls against a scripted server, and against one that knows a
//! calendar with a corrupt appointment.

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
    let found = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap().found;
    let ids: Vec<&str> = found.iter().map(|a| a.item_id.as_str()).collect();
    assert_eq!(ids, ["early", "crossing", "late"]);
    assert_eq!(windows_asked(&server), [(0, 4 * DAY), (0, 2 * DAY), (2 * DAY, 4 * DAY)]);
}

#[tokio::test]
async fn each_call_of_a_reading_by_turns_has_one() {
    let server = Scripted::start((0..8).map(|_| view(vec![], true))).await;
    let (exchange, mailbox) = (server.exchange(), server.mailbox("m1@sim.test"));
    let turns = Turns::new(1);
    let window = |day: i64| Slot { start: at(day * DAY), end: at((day + 1) * DAY) };
    let turn = turns.take().await;
    let by_turns = exchange.read_window_by_turns(&mailbox, window(9), &turns);
    let others = async {
        // begun after the one that waits, and answered one after the other
        for day in 0..5 {
            exchange.read_window(&mailbox, window(day)).await.unwrap();
        }
        let asked = windows_asked(&server).len();
        drop(turn);
        asked
    };
    let (read, asked) = tokio::join!(by_turns, others);
    assert!(read.unwrap().found.is_empty());
    assert_eq!(asked, 5, "none was made without a turn");
    assert_eq!(windows_asked(&server).len(), 6);
    // and it was given back
    drop(turns.take().await);
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
    let found = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap().found;
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
    let server = Scripted::start([
        view(vec![known, lacking, item("plain", 30, CalendarItemKind::Occurrence)], true),
        Reply::ok(Response::GetItem(vec![ResponseMessage::Success(vec![Item::from(told)])])),
        calendar_folder(),
    ])
    .await;
    let window = Slot { start: at(0), end: at(DAY) };
    let found = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap().found;
    let starts: Vec<_> = found.iter().map(|a| (a.item_id.as_str(), a.recurrence_id)).collect();
    assert_eq!(starts, [("known", Some(at(5))), ("lacking", Some(at(7))), ("plain", None)]);
    assert_eq!(server.asked().len(), 3);
}

fn corrupt() -> Reply {
    Reply::ok(Response::FindItem(vec![ResponseMessage::error(ResponseCode::known("ErrorItemCorrupt"), "")]))
}

fn item_answer(message: ResponseMessage<Vec<Item>>) -> Reply {
    Reply::ok(Response::GetItem(vec![message]))
}

fn calendar_folder() -> Reply {
    let folder = proto_ews::Folder {
        folder_id: Some(proto_ews::FolderId::new("cal")),
        ..proto_ews::Folder::new(proto_ews::FolderKind::CalendarFolder)
    };
    Reply::ok(Response::GetFolder(vec![ResponseMessage::Success(vec![folder])]))
}

fn broken_item() -> CalendarItem {
    CalendarItem { end: None, ..item("broken", 0, CalendarItemKind::Single) }
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_named_and_the_others_are_found() {
    for message in [
        ResponseMessage::error(ResponseCode::known("ErrorItemCorrupt"), "a secret subject"),
        ResponseMessage::error(ResponseCode::ACCESS_DENIED, ""),
        ResponseMessage::Success(vec![Item::from(broken_item())]),
    ] {
        let server = Scripted::start([
            view(vec![item("good", 0, CalendarItemKind::Single), broken_item()], true),
            item_answer(message),
            calendar_folder(),
        ])
        .await;
        let window = Slot { start: at(0), end: at(DAY) };
        let read = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
        assert_eq!(read.found.iter().map(|a| a.item_id.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(read.unreadable.len(), 1, "{read:?}");
        assert_eq!(read.unreadable[0].item, Some(ItemId::new("broken")));
        // only what is known as this item, or as no item, may be hidden
        assert!(read.may_hide(Some(&ItemId::new("broken")), window));
        assert!(read.may_hide(None, window));
        assert!(!read.may_hide(Some(&ItemId::new("other")), window));
    }
}

#[tokio::test]
async fn an_item_that_only_the_view_cannot_tell_is_read_by_itself() {
    let whole = item("broken", 0, CalendarItemKind::Single);
    let server = Scripted::start([
        view(vec![broken_item()], true),
        item_answer(ResponseMessage::Success(vec![Item::from(whole)])),
        calendar_folder(),
    ])
    .await;
    let window = Slot { start: at(0), end: at(DAY) };
    let read = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    assert_eq!((read.found.len(), read.unreadable), (1, vec![]));
}

#[tokio::test]
async fn an_item_that_is_gone_meanwhile_is_neither_found_nor_unreadable() {
    let server = Scripted::start([
        view(vec![broken_item()], true),
        item_answer(ResponseMessage::error(ResponseCode::ITEM_NOT_FOUND, "")),
    ])
    .await;
    let window = Slot { start: at(0), end: at(DAY) };
    let read = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    assert_eq!(read, WindowReading::default());
}

#[tokio::test]
async fn an_outage_during_the_second_look_is_an_error_of_the_whole() {
    let server = Scripted::start([
        view(vec![broken_item()], true),
        item_answer(ResponseMessage::error(ResponseCode::known("ErrorMailboxStoreUnavailable"), "")),
    ])
    .await;
    let window = Slot { start: at(0), end: at(DAY) };
    let error = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap_err();
    assert_eq!(error.code, "ErrorMailboxStoreUnavailable");
}

#[tokio::test]
async fn what_makes_the_server_refuse_a_view_is_narrowed_down() {
    // 4 hours: refused; the first half is good, the second refused; its halves: refused, good
    let server = Scripted::start([
        corrupt(),
        view(vec![item("early", 0, CalendarItemKind::Single)], true),
        corrupt(),
        corrupt(),
        view(vec![item("late", 3 * 3_600, CalendarItemKind::Single)], true),
    ])
    .await;
    let window = Slot { start: at(0), end: at(4 * 3_600) };
    let read = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    assert_eq!(read.found.iter().map(|a| a.item_id.as_str()).collect::<Vec<_>>(), ["early", "late"]);
    let stretch = Slot { start: at(2 * 3_600), end: at(3 * 3_600) };
    let hidden: Vec<_> = read.unreadable.iter().map(|one| (one.item.clone(), one.stretch)).collect();
    assert_eq!(hidden, [(None, stretch)]);
    assert!(read.may_hide(Some(&ItemId::new("anything")), Slot { start: at(9_000), end: at(9_060) }));
    assert!(!read.may_hide(Some(&ItemId::new("anything")), Slot { start: at(0), end: at(3_600) }));
}

#[tokio::test]
async fn a_server_that_refuses_every_view_fails_as_a_whole_after_a_bounded_number_of_calls() {
    let server = Scripted::start((0..500).map(|_| corrupt())).await;
    let window = Slot { start: at(0), end: at(90 * DAY) };
    let error = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap_err();
    assert_eq!(error.code, "ErrorItemCorrupt");
    assert_eq!(server.asked().len(), NARROWING_MAX + 1);
}

/// One item spoils the answer for everybody: no XML parser takes it.
#[tokio::test]
async fn what_makes_an_answer_unreadable_is_narrowed_down() {
    let spoiled = || Reply::bytes("200 OK", "<Envelope>&#x1;");
    // 4 hours: unreadable; the first half too, its first half too; all others are good
    let server = Scripted::start([
        spoiled(),
        spoiled(),
        spoiled(),
        view(vec![item("second", 3_700, CalendarItemKind::Single)], true),
        view(vec![item("late", 3 * 3_600, CalendarItemKind::Single)], true),
    ])
    .await;
    let window = Slot { start: at(0), end: at(4 * 3_600) };
    let read = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    assert_eq!(read.found.iter().map(|a| a.item_id.as_str()).collect::<Vec<_>>(), ["second", "late"]);
    let hidden: Vec<_> = read.unreadable.iter().map(|one| (one.item.clone(), one.stretch)).collect();
    assert_eq!(hidden, [(None, Slot { start: at(0), end: at(3_600) })]);
}

#[tokio::test]
async fn a_server_whose_answers_are_all_unreadable_is_not_asked_for_long() {
    let server = Scripted::start((0..500).map(|_| Reply::bytes("200 OK", "<html>"))).await;
    let window = Slot { start: at(0), end: at(360 * DAY) };
    let error = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SourceErrorKind::BadAnswer, MALFORMED));
    assert_eq!(server.asked().len(), MALFORMED_MAX + 1);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_halves() {
    let server = Scripted::start([
        Reply::bytes("200 OK", vec![b' '; 70 << 10]),
        view(vec![item("early", 0, CalendarItemKind::Single)], true),
        view(vec![item("late", 3 * DAY, CalendarItemKind::Single)], true),
    ])
    .await;
    let mut options = server.options();
    options.answer_limit_bytes = 64 << 10;
    let window = Slot { start: at(0), end: at(4 * DAY) };
    let read =
        server.exchange_with(options).read_window(&server.mailbox("m1@sim.test"), window).await.unwrap();
    assert_eq!((read.found.len(), read.unreadable.len()), (2, 0));
}

#[tokio::test]
async fn a_refusal_that_blames_no_item_is_an_error_at_once() {
    let denied = ResponseMessage::error(ResponseCode::ACCESS_DENIED, "");
    let server = Scripted::start([Reply::ok(Response::FindItem(vec![denied]))]).await;
    let window = Slot { start: at(0), end: at(90 * DAY) };
    let error = server.exchange().read_window(&server.mailbox("m1@sim.test"), window).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SourceErrorKind::Mailbox, "ErrorAccessDenied"));
    assert_eq!(server.asked().len(), 1);
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
        while let Some((first, second)) = halves(part, PART_MIN) {
            prop_assert_eq!((first.start, first.end, second.end), (part.start, second.start, part.end));
            prop_assert!(first.start < first.end && second.start < second.end);
            part = second;
            depth += 1;
        }
        prop_assert!(depth <= 24);
    }
}
