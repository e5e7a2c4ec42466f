//! Goal: every envelope of a stream becomes the hints that it means, and every end of a stream is told from
//! another. Method: envelopes by value for the meaning, a scripted server for the ends.

use calendar::CalendarSource;
use calendar::source::HintStream;
use futures::StreamExt;
use jiff::Timestamp;
use proto_ews::{Fault, Notification, Problem, ResponseCode, ResponseEnvelope, encode_response};

use super::*;
use crate::scripted::{Reply, Scripted};

fn envelope(messages: Vec<StreamMessage>) -> ResponseEnvelope {
    ResponseEnvelope { server_version: None, body: Ok(Response::GetStreamingEvents(messages)) }
}

fn told(messages: Vec<StreamMessage>) -> Told {
    hints_of(Ok(envelope(messages)))
}

fn at() -> Timestamp {
    "2026-03-02T09:15:07Z".parse().unwrap()
}

fn change(kind: EventKind, target: Target) -> ChangeEvent {
    ChangeEvent {
        kind,
        time_stamp: at(),
        target,
        parent_folder_id: proto_ews::FolderId::new("cal"),
        old: None,
        old_parent_folder_id: None,
        unread_count: None,
    }
}

fn item(id: &str) -> Target {
    Target::Item(proto_ews::ItemId::new(id))
}

fn notification(id: &str, events: Vec<proto_ews::Event>) -> Notification {
    Notification { subscription_id: proto_ews::SubscriptionId::new(id), more_events: None, events }
}

#[test]
fn events_keep_their_order_even_when_a_subscription_comes_twice() {
    let moved = ChangeEvent {
        old: Some(item("old")),
        old_parent_folder_id: Some(proto_ews::FolderId::new("cal")),
        parent_folder_id: proto_ews::FolderId::new("trash"),
        ..change(EventKind::Moved, item("new"))
    };
    let folder = change(EventKind::Modified, Target::Folder(proto_ews::FolderId::new("cal")));
    let answer = told(vec![StreamMessage::notifications(vec![
        notification("s1", vec![proto_ews::Event::Change(change(EventKind::Created, item("a")))]),
        notification("s2", vec![proto_ews::Event::Change(moved), proto_ews::Event::Change(folder)]),
        notification("s1", vec![proto_ews::Event::Change(change(EventKind::FreeBusyChanged, item("a")))]),
    ])]);
    let event = |kind, id: &str| Event {
        kind,
        subject: EventSubject::Item { id: ItemId::new(id), old_id: None, old_parent: None },
        parent: Some(FolderId::new("cal")),
        at: Some(at()),
    };
    let expected = vec![
        Hint::Events(SubscriptionId::new("s1"), vec![event(ChangeKind::Created, "a")]),
        Hint::Events(
            SubscriptionId::new("s2"),
            vec![
                Event {
                    kind: ChangeKind::Moved,
                    subject: EventSubject::Item {
                        id: ItemId::new("new"),
                        old_id: Some(ItemId::new("old")),
                        old_parent: Some(FolderId::new("cal")),
                    },
                    parent: Some(FolderId::new("trash")),
                    at: Some(at()),
                },
                Event {
                    kind: ChangeKind::Modified,
                    subject: EventSubject::Folder(FolderId::new("cal")),
                    parent: Some(FolderId::new("cal")),
                    at: Some(at()),
                },
            ],
        ),
        Hint::Events(SubscriptionId::new("s1"), vec![event(ChangeKind::FreeBusyChanged, "a")]),
    ];
    assert_eq!(answer, Told { hints: expected, error: None, closed: false });
}

#[test]
fn statuses_and_heartbeats() {
    assert_eq!(told(vec![StreamMessage::status(ConnectionStatus::Ok)]).hints[0], Hint::Opened);
    let heartbeat = StreamMessage::notifications(vec![notification("s1", vec![proto_ews::Event::Status])]);
    assert_eq!(told(vec![heartbeat]).hints, [Hint::Heartbeat]);
    assert_eq!(told(vec![StreamMessage::default()]).hints, [Hint::Heartbeat]);
    assert!(told(vec![StreamMessage::status(ConnectionStatus::Closed)]).closed);
}

#[test]
fn errors_with_ids_concern_these_alone_and_without_ids_the_stream() {
    let error = |code: &ResponseCode, ids: &[&str]| {
        let ids = ids.iter().map(|id| proto_ews::SubscriptionId::new(*id)).collect();
        told(vec![StreamMessage::error(Problem::new(code.clone(), "words"), ids)])
    };
    let bad = Hint::BadSubscriptions(
        vec![SubscriptionId::new("s2")],
        SourceErrorKind::Resubscribe,
        "ErrorSubscriptionNotFound".into(),
    );
    assert_eq!(error(&ResponseCode::SUBSCRIPTION_NOT_FOUND, &["s2"]).hints, [bad]);
    let missed = error(&ResponseCode::MISSED_NOTIFICATION_EVENTS, &["s1"]);
    assert_eq!((missed.hints, missed.error), (vec![Hint::Missed(vec![SubscriptionId::new("s1")])], None));
    let whole = error(&ResponseCode::SERVER_BUSY, &[]);
    assert_eq!(whole.error.unwrap().kind, SourceErrorKind::Unavailable);
    let missed = error(&ResponseCode::MISSED_NOTIFICATION_EVENTS, &[]);
    assert_eq!(missed.hints, [Hint::Missed(vec![])]);
}

#[test]
fn events_beside_an_error_are_not_lost() {
    let message = StreamMessage {
        notifications: vec![notification(
            "s1",
            vec![proto_ews::Event::Change(change(EventKind::Created, item("a")))],
        )],
        ..StreamMessage::error(
            Problem::new(ResponseCode::INVALID_SUBSCRIPTION, ""),
            vec![proto_ews::SubscriptionId::new("s2")],
        )
    };
    let answer = told(vec![message]);
    assert!(matches!(&answer.hints[..], [Hint::Events(..), Hint::BadSubscriptions(..)]), "{answer:?}");
}

#[test]
fn a_fault_in_a_stream_is_its_error() {
    let envelope = ResponseEnvelope {
        server_version: None,
        body: Err(Fault::new(ResponseCode::EXCEEDED_CONNECTION_COUNT, "")),
    };
    assert_eq!(hints_of(Ok(envelope)).error.unwrap().code, "ErrorExceededConnectionCount");
}

async fn listen(server: &Scripted) -> HintStream {
    let affinity = server.affinity("a@sim.test", Some("be~1"));
    server
        .exchange()
        .listen(&affinity, &[SubscriptionId::new("s1"), SubscriptionId::new("s2")])
        .await
        .unwrap()
}

fn body(messages: Vec<StreamMessage>) -> String {
    messages.into_iter().map(|message| encode_response(&envelope(vec![message])).unwrap()).collect()
}

#[tokio::test]
async fn a_stream_is_asked_for_by_its_anchor_and_read_to_its_planned_end() {
    let answer = body(vec![
        StreamMessage::status(ConnectionStatus::Ok),
        StreamMessage::notifications(vec![notification(
            "s2",
            vec![proto_ews::Event::Change(change(EventKind::Deleted, item("a")))],
        )]),
        StreamMessage::status(ConnectionStatus::Closed),
    ]);
    let server = Scripted::start([Reply::bytes("200 OK", answer)]).await;
    let hints: Vec<_> = listen(&server).await.collect().await;
    assert!(matches!(&hints[..], [Ok(Hint::Opened), Ok(Hint::Events(..)), Ok(Hint::Closed)]), "{hints:?}");
    let asked = &server.asked()[0];
    assert_eq!(asked.header("Cookie"), Some("X-BackEndOverrideCookie=be~1"));
    assert_eq!(asked.header("X-AnchorMailbox"), Some("a@sim.test"));
    assert_eq!(asked.envelope().impersonation.unwrap().as_str(), "a@sim.test");
    match asked.envelope().request {
        proto_ews::Request::GetStreamingEvents(get) => {
            assert_eq!((get.subscription_ids.len(), get.connection_timeout_minutes), (2, 30));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_that_just_ends_breaks_or_is_no_stream_is_an_error() {
    let open = || body(vec![StreamMessage::status(ConnectionStatus::Ok)]);
    let half = format!("{}{}", open(), &open()[..40]);
    for (reply, code) in [
        (Reply::bytes("200 OK", open()), "stream ended"),
        (Reply::bytes("200 OK", half), "stream ended"),
        (Reply::bytes("200 OK", open()).broken(), "broken connection"),
        (Reply::bytes("200 OK", format!("{}garbage", open())), "malformed"),
    ] {
        let server = Scripted::start([reply]).await;
        let hints: Vec<_> = listen(&server).await.collect().await;
        let (last, before) = hints.split_last().unwrap();
        assert_eq!(last.as_ref().unwrap_err().code, code, "nothing follows an error: {hints:?}");
        // what came in one piece with garbage may be lost with it: an error is a gap
        assert!(before == [Ok(Hint::Opened)] || (before.is_empty() && code == "malformed"), "{hints:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_fails_to_open() {
    let fault = Fault::new(ResponseCode::EXCEEDED_CONNECTION_COUNT, "too many");
    let server = Scripted::start([Reply::fault(fault)]).await;
    let affinity = server.affinity("a@sim.test", None);
    let refused = server.exchange().listen(&affinity, &[SubscriptionId::new("s1")]).await;
    let error = refused.err().expect("refused");
    assert_eq!(error.code, "ErrorExceededConnectionCount");
}

#[tokio::test]
async fn a_stream_of_none_or_of_too_many_is_not_asked_for() {
    let server = Scripted::start([]).await;
    let affinity = server.affinity("a@sim.test", None);
    for count in [0, 201] {
        let ids: Vec<_> = (0..count).map(|n| SubscriptionId::new(format!("s{n}"))).collect();
        let error = server.exchange().listen(&affinity, &ids).await.err().expect("refused");
        assert_eq!(error.kind, SourceErrorKind::OwnBug);
    }
    assert!(server.asked().is_empty());
}
