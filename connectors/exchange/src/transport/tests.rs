//! Goal: what goes over the wire is what the reference demands, and whatever comes back becomes an answer or a
//! classified error, never a panic, a wait without end or a leak. Method: a scripted server on real sockets,
//! through the port.

use std::time::{Duration, Instant};

use base::Clock;
use calendar::CalendarSource;
use calendar::ids::SubscriptionId;
use calendar::source::{Reading, SourceErrorKind as K};
use calendar::{ItemId, Slot};
use proto_ews::operation::{FoundItems, SyncChange, SyncPage};
use proto_ews::{
    CalendarItem, EffectiveRights, Fault, Folder, FolderKind, Item, Problem, Response, ResponseCode,
    ResponseMessage,
};

use crate::scripted::{Reply, Scripted};

fn now() -> Instant {
    base::SystemClock.monotonic()
}

fn calendar_folder(read: bool) -> Folder {
    Folder {
        folder_id: Some(proto_ews::FolderId::new("cal")),
        effective_rights: Some(EffectiveRights { read, ..EffectiveRights::default() }),
        ..Folder::new(FolderKind::CalendarFolder)
    }
}

fn folder_answer() -> Reply {
    Reply::ok(Response::GetFolder(vec![ResponseMessage::Success(vec![calendar_folder(true)])]))
}

fn item(id: &str, parent: &str) -> Item {
    Item::from(CalendarItem {
        item_id: Some(proto_ews::ItemId::new(id)),
        parent_folder_id: Some(proto_ews::FolderId::new(parent)),
        uid: Some("uid".into()),
        start: Some("2026-03-02T09:00:00Z".parse().unwrap()),
        end: Some("2026-03-02T10:00:00Z".parse().unwrap()),
        ..CalendarItem::default()
    })
}

fn items_answer(messages: Vec<ResponseMessage<Vec<Item>>>) -> Reply {
    Reply::ok(Response::GetItem(messages))
}

fn ids(texts: &[&str]) -> Vec<ItemId> {
    texts.iter().map(|text| ItemId::new(*text)).collect()
}

/// Defect of the original (features.md, list C): its callback accepted any certificate of Exchange. Here a server whose
/// certificate is not trusted sees no request, and so no password.
#[tokio::test]
async fn regression_a_server_with_a_certificate_that_is_not_trusted_gets_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let (root, other_root) = (folder.path().join("root.pem"), folder.path().join("other.pem"));
    let trusted = Scripted::start_with_tls([folder_answer()], &root).await;
    let stranger = Scripted::start_with_tls([folder_answer()], &other_root).await;
    for (server, calls) in [(&trusted, 1), (&stranger, 0)] {
        let mut options = server.options();
        options.tls.roots = trust::Roots::Only(root.clone());
        let checked = server.exchange_with(options).check(&server.mailbox("m1@sim.test")).await;
        assert_eq!((checked.is_ok(), server.asked().len()), (calls == 1, calls));
    }
}

#[tokio::test]
async fn an_ordinary_call_is_anchored_on_its_mailbox_and_carries_no_affinity() {
    let server = Scripted::start([folder_answer()]).await;
    let folder = server.exchange().check(&server.mailbox("m1@sim.test")).await.unwrap();
    assert_eq!(folder.id.as_str(), "cal");
    let asked = &server.asked()[0];
    assert_eq!(asked.header("X-AnchorMailbox"), Some("m1@sim.test"));
    assert_eq!(asked.header("X-PreferServerAffinity"), None);
    assert_eq!(asked.header("Cookie"), None);
    assert_eq!(asked.header("Content-Type"), Some("text/xml; charset=utf-8"));
    assert_eq!(asked.header("Accept-Encoding"), None, "a compressed stream would be held back");
    // svc:pässword:1, as UTF-8
    assert_eq!(asked.header("Authorization"), Some("Basic c3ZjOnDDpHNzd29yZDox"));
    let envelope = asked.envelope();
    assert_eq!(envelope.impersonation.unwrap().as_str(), "m1@sim.test");
    assert_eq!(envelope.server_version.as_deref(), Some("Exchange2013_SP1"));
}

#[tokio::test]
async fn subscribing_carries_the_anchor_and_the_cookie_of_the_group() {
    let answer = |id: &str| {
        Reply::ok(Response::Subscribe(vec![ResponseMessage::Success(proto_ews::SubscriptionId::new(id))]))
    };
    let first = answer("s1")
        .header("Set-Cookie: exchangecookie=abc; path=/")
        .header("Set-Cookie: X-BackEndOverrideCookie=be01.sim.test~1942; path=/; secure; HttpOnly");
    let server = Scripted::start([first, answer("s2")]).await;
    let exchange = server.exchange();
    let anchor = server.affinity("a@sim.test", None);
    let subscribed = exchange.subscribe(&server.mailbox("a@sim.test"), &anchor).await.unwrap();
    assert_eq!(subscribed.id.as_str(), "s1");
    assert_eq!(subscribed.cookie.as_deref(), Some("be01.sim.test~1942"));

    let group = server.affinity("a@sim.test", subscribed.cookie.as_deref());
    let second = exchange.subscribe(&server.mailbox("b@sim.test"), &group).await.unwrap();
    assert_eq!(second.cookie, None);
    let asked = server.asked();
    assert_eq!(asked[0].header("Cookie"), None);
    assert_eq!(asked[1].header("Cookie"), Some("X-BackEndOverrideCookie=be01.sim.test~1942"));
    for request in &asked {
        assert_eq!(request.header("X-AnchorMailbox"), Some("a@sim.test"));
        assert_eq!(request.header("X-PreferServerAffinity"), Some("true"));
    }
    assert_eq!(asked[1].envelope().impersonation.unwrap().as_str(), "b@sim.test");
}

#[tokio::test]
async fn without_impersonation_the_folder_names_its_owner() {
    let server = Scripted::start([folder_answer()]).await;
    let mut options = server.options();
    options.use_impersonation = false;
    server.exchange_with(options).check(&server.mailbox("m1@sim.test")).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.envelope().impersonation, None);
    assert!(asked.body.contains("m1@sim.test"), "{}", asked.body);
}

/// B6: what is private is never asked for, in any request.
#[tokio::test]
async fn no_request_asks_for_what_is_private() {
    let page = SyncPage {
        sync_state: "s".into(),
        includes_last_item_in_range: true,
        changes: vec![SyncChange::Delete(proto_ews::ItemId::new("gone"))],
    };
    let found = FoundItems {
        indexed_paging_offset: None,
        total_items_in_view: Some(0),
        includes_last_item_in_range: true,
        items: vec![],
    };
    let subscription = proto_ews::SubscriptionId::new("s1");
    let server = Scripted::start([
        folder_answer(),
        Reply::ok(Response::Subscribe(vec![ResponseMessage::Success(subscription)])),
        Reply::ok(Response::SyncFolderItems(vec![ResponseMessage::Success(page)])),
        items_answer(vec![ResponseMessage::Success(vec![item("i", "cal")])]),
        Reply::ok(Response::FindItem(vec![ResponseMessage::Success(found)])),
        items_answer(vec![ResponseMessage::Success(vec![item("master", "cal")])]),
        Reply::ok(Response::Unsubscribe(vec![ResponseMessage::Success(())])),
        Reply::bytes("200 OK", ""),
    ])
    .await;
    let exchange = server.exchange();
    let mailbox = server.mailbox("m1@sim.test");
    let affinity = server.affinity("m1@sim.test", None);
    exchange.check(&mailbox).await.unwrap();
    exchange.subscribe(&mailbox, &affinity).await.unwrap();
    let page = exchange.catch_up(&mailbox, None).await.unwrap();
    assert_eq!((page.deleted, page.more), (ids(&["gone"]), false));
    assert!(matches!(exchange.read_items(&mailbox, &ids(&["i"])).await.unwrap()[..], [Reading::There(_)]));
    let day = |n: i64| jiff::Timestamp::from_second(1_900_000_000 + n * 86_400).unwrap();
    exchange.read_window(&mailbox, Slot { start: day(0), end: day(90) }).await.unwrap();
    let masters = exchange.masters_of(&mailbox, &ids(&["occurrence"])).await.unwrap();
    assert_eq!(masters, [Some(ItemId::new("master"))]);
    exchange.unsubscribe(&mailbox, &affinity, &SubscriptionId::new("s1")).await.unwrap();
    drop(exchange.listen(&affinity, &[SubscriptionId::new("s1")]).await.unwrap());

    let asked = server.asked();
    let operations: Vec<&str> = asked.iter().map(|asked| asked.envelope().request.name()).collect();
    assert_eq!(
        operations,
        [
            "GetFolder",
            "Subscribe",
            "SyncFolderItems",
            "GetItem",
            "FindItem",
            "GetItem",
            "Unsubscribe",
            "GetStreamingEvents"
        ]
    );
    let private = [
        "Subject",
        "Body",
        "Location",
        "Sensitivity",
        "Categor",
        "Attendee",
        "Organizer",
        "Attachment",
        "MimeContent",
        "AllProperties",
        ">Default<",
        "DisplayTo",
        "DisplayCc",
        "Preview",
        "Importance",
        "ExtendedFieldURI",
        "LastModifiedName",
    ];
    for request in asked {
        // the envelope's own Body is no property
        let body = request.body.split_once("Body>").unwrap().1.rsplit_once("</").unwrap().0;
        let body = body.rsplit_once("</").unwrap().0;
        for word in private {
            assert!(!body.contains(word), "{word} in {body}");
        }
    }
}

#[tokio::test]
async fn a_busy_server_makes_every_call_of_the_account_wait() {
    let busy = Fault::new(ResponseCode::SERVER_BUSY, "busy").with_value("BackOffMilliseconds", "300");
    let server = Scripted::start([Reply::fault(busy), folder_answer()]).await;
    let exchange = server.exchange();
    let start = now();
    let error = exchange.check(&server.mailbox("m1@sim.test")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Unavailable, "ErrorServerBusy"));
    assert_eq!(error.after, Some(Duration::from_millis(300)));
    // another mailbox, the same account
    exchange.check(&server.mailbox("m2@sim.test")).await.unwrap();
    assert!(now() - start >= Duration::from_millis(300));
}

/// A proxy of one endpoint that answers 401 is no reason to leave the calendars of all others alone.
#[tokio::test]
async fn a_refusal_at_one_endpoint_holds_up_no_other() {
    let refusing = Scripted::start([Reply::bytes("401 Unauthorized", ""), folder_answer()]).await;
    let server = Scripted::start([folder_answer(), folder_answer(), folder_answer()]).await;
    let mut options = server.options();
    options.back_off_patience = Duration::from_millis(50);
    let exchange = server.exchange_with(options);
    let moved = exchange.back_offs_moved();
    exchange.check(&server.mailbox("m1@sim.test")).await.unwrap();
    let error = exchange.check(&refusing.mailbox("m2@sim.test")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Credentials, "HTTP 401"));
    assert!(moved.has_changed().unwrap());
    exchange.check(&server.mailbox("m1@sim.test")).await.unwrap();
    let held = exchange.check(&refusing.mailbox("m3@sim.test")).await.unwrap_err();
    assert_eq!((held.code.as_str(), held.after.is_some()), ("back-off", true));
    assert_eq!((server.asked().len(), refusing.asked().len()), (2, 1));
    assert_eq!(exchange.back_offs(), [], "the account as a whole goes on");
    let [refusal] = &exchange.refusals()[..] else { panic!("{:?}", exchange.refusals()) };
    assert!(refusing.url.as_str().starts_with(&refusal.service), "{refusal:?}");
    // another process goes by it, too
    let other = server.exchange();
    other.hold_at(refusal);
    assert_eq!(other.refusals().len(), 1);
    other.check(&server.mailbox("m1@sim.test")).await.unwrap();
}

#[tokio::test]
async fn busy_inside_a_good_answer_makes_the_account_wait_too() {
    let problem = Problem::new(ResponseCode::SERVER_BUSY, "Suggested backoff time 250 ms.");
    let server = Scripted::start([
        Reply::ok(Response::SyncFolderItems(vec![ResponseMessage::Error(problem)])),
        folder_answer(),
    ])
    .await;
    let exchange = server.exchange();
    let mailbox = server.mailbox("m1@sim.test");
    let start = now();
    let error = exchange.catch_up(&mailbox, None).await.unwrap_err();
    assert_eq!(error.kind, K::Unavailable);
    exchange.check(&mailbox).await.unwrap();
    assert!(now() - start >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_long_back_off_is_not_waited_out_but_told() {
    let busy = Fault::new(ResponseCode::SERVER_BUSY, "busy").with_value("BackOffMilliseconds", "600000");
    let server = Scripted::start([Reply::fault(busy)]).await;
    let exchange = server.exchange();
    let mailbox = server.mailbox("m1@sim.test");
    exchange.check(&mailbox).await.unwrap_err();
    let start = now();
    let error = exchange.check(&mailbox).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Unavailable, "back-off"));
    assert!(error.after.unwrap() > Duration::from_secs(590));
    assert!(now() - start < Duration::from_secs(5));
    assert_eq!(server.asked().len(), 1, "nothing is sent meanwhile");
}

#[tokio::test]
async fn every_status_has_its_class() {
    for (status, kind, code) in [
        ("401 Unauthorized", K::Credentials, "HTTP 401"),
        ("302 Found", K::Unavailable, "HTTP 302"),
        ("404 Not Found", K::Rediscover, "HTTP 404"),
        ("503 Service Unavailable", K::Unavailable, "HTTP 503"),
        ("500 Internal Server Error", K::Unavailable, "HTTP 500"),
        ("418 Teapot", K::BadAnswer, "HTTP 418"),
    ] {
        let server = Scripted::start([Reply::bytes(status, "<html>an error page</html>")]).await;
        let error = server.exchange().check(&server.mailbox("m1@sim.test")).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (kind, code), "{error:?}");
    }
}

#[tokio::test]
async fn retry_after_of_a_503_is_kept() {
    let reply = Reply::bytes("503 Service Unavailable", "").header("Retry-After: 7");
    let server = Scripted::start([reply]).await;
    let error = server.exchange().check(&server.mailbox("m1@sim.test")).await.unwrap_err();
    assert_eq!(error.after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn answers_that_cannot_be_understood_are_errors_of_their_own_class() {
    let big = vec![b'x'; 70 << 10];
    for (reply, code) in [
        (Reply::bytes("200 OK", "<not xml"), "malformed"),
        (Reply::bytes("200 OK", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), "malformed"),
        (Reply::bytes("200 OK", big), "oversized"),
        (Reply::ok(Response::Unsubscribe(vec![])), "other operation"),
        (Reply::ok(Response::GetFolder(vec![])), "wrong count"),
        (
            Reply::ok(Response::GetFolder(vec![ResponseMessage::Success(vec![Folder::new(
                FolderKind::CalendarFolder,
            )])])),
            "incomplete",
        ),
    ] {
        let server = Scripted::start([reply]).await;
        let mut options = server.options();
        options.answer_limit_bytes = 64 << 10;
        let error = server.exchange_with(options).check(&server.mailbox("m1@sim.test")).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (K::BadAnswer, code), "{error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_or_cannot_be_made_is_an_outage() {
    let server = Scripted::start([folder_answer().broken()]).await;
    let error = server.exchange().check(&server.mailbox("m1@sim.test")).await.unwrap_err();
    assert_eq!((error.kind, error.is_outage()), (K::Unavailable, true), "{error:?}");

    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut mailbox = server.mailbox("m1@sim.test");
    mailbox.endpoint = format!("http://127.0.0.1:{port}/");
    let error = server.exchange().check(&mailbox).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Unavailable, "no connection"));
}

#[tokio::test]
async fn codes_of_the_mailbox_and_unknown_codes_keep_their_names() {
    for (code, kind) in [
        ("ErrorNonExistentMailbox", K::Mailbox),
        ("ErrorImpersonateUserDenied", K::Mailbox),
        ("ErrorOfTomorrow", K::Unknown),
    ] {
        let server = Scripted::start([Reply::fault(Fault::new(ResponseCode::new(code), "words"))]).await;
        let error = server.exchange().check(&server.mailbox("m1@sim.test")).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (kind, code));
    }
    let no_right =
        Reply::ok(Response::GetFolder(vec![ResponseMessage::Success(vec![calendar_folder(false)])]));
    let server = Scripted::start([no_right]).await;
    let error = server.exchange().check(&server.mailbox("m1@sim.test")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Mailbox, "no right to read"));
}

#[tokio::test]
async fn a_batch_mixes_what_is_there_elsewhere_gone_and_broken() {
    let other_folder = Response::GetFolder(vec![ResponseMessage::Success(vec![Folder {
        folder_id: Some(proto_ews::FolderId::new("trash")),
        ..Folder::new(FolderKind::Folder)
    }])]);
    let other_encoding = Response::GetFolder(vec![ResponseMessage::Success(vec![calendar_folder(true)])]);
    let no_start = match item("e", "cal") {
        Item::Calendar(mut item) => {
            item.start = None;
            Item::Calendar(item)
        }
        other => other,
    };
    let server = Scripted::start([
        items_answer(vec![
            ResponseMessage::Success(vec![item("a", "cal")]),
            ResponseMessage::Success(vec![item("b", "AQMk-trash")]),
            ResponseMessage::error(ResponseCode::ITEM_NOT_FOUND, "gone"),
            ResponseMessage::Success(vec![item("d", "AQMk-cal")]),
            ResponseMessage::Success(vec![no_start]),
            ResponseMessage::error(ResponseCode::new("ErrorOfTomorrow"), "?"),
        ]),
        folder_answer(),
        Reply::ok(other_folder),
        Reply::ok(other_encoding),
        // the same folders again: nothing is asked twice
        items_answer(vec![
            ResponseMessage::Success(vec![item("b", "AQMk-trash")]),
            ResponseMessage::Success(vec![item("d", "AQMk-cal")]),
        ]),
    ])
    .await;
    let exchange = server.exchange();
    let mailbox = server.mailbox("m1@sim.test");
    let readings = exchange.read_items(&mailbox, &ids(&["a", "b", "c", "d", "e", "f"])).await.unwrap();
    assert!(matches!(&readings[0], Reading::There(a) if a.item_id.as_str() == "a"));
    assert_eq!(readings[1], Reading::Elsewhere);
    assert_eq!(readings[2], Reading::Gone);
    assert!(matches!(&readings[3], Reading::There(_)), "another encoding of the same folder");
    assert!(
        matches!(&readings[4], Reading::Failed(error) if error.code == "incomplete item" && !error.is_outage())
    );
    assert!(matches!(&readings[5], Reading::Failed(error) if error.code == "ErrorOfTomorrow"));
    let again = exchange.read_items(&mailbox, &ids(&["b", "d"])).await.unwrap();
    assert!(matches!(&again[..], [Reading::Elsewhere, Reading::There(_)]));
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn a_stopped_batch_is_sent_again_for_the_rest() {
    let stopped = || ResponseMessage::Warning {
        content: None,
        problem: Problem::new(ResponseCode::BATCH_PROCESSING_STOPPED, ""),
    };
    let there = |id: &str| ResponseMessage::Success(vec![item(id, "cal")]);
    let server = Scripted::start([
        folder_answer(),
        items_answer(vec![there("a"), stopped(), stopped()]),
        items_answer(vec![there("b"), stopped()]),
        items_answer(vec![there("c")]),
        items_answer(vec![stopped()]),
    ])
    .await;
    let exchange = server.exchange();
    let mailbox = server.mailbox("m1@sim.test");
    exchange.check(&mailbox).await.unwrap();
    let readings = exchange.read_items(&mailbox, &ids(&["a", "b", "c"])).await.unwrap();
    assert_eq!(readings.len(), 3);
    assert!(readings.iter().all(|reading| matches!(reading, Reading::There(_))));
    // no progress is an outage, not a loop
    let error = exchange.read_items(&mailbox, &ids(&["d"])).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::Unavailable, "ErrorBatchProcessingStopped"));
}

#[tokio::test]
async fn an_answer_with_too_few_messages_is_not_matched_by_guess() {
    let server =
        Scripted::start([items_answer(vec![ResponseMessage::Success(vec![item("a", "cal")])])]).await;
    let error =
        server.exchange().read_items(&server.mailbox("m1@sim.test"), &ids(&["a", "b"])).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (K::BadAnswer, "wrong count"));
}

#[tokio::test]
async fn unsubscribing_what_is_gone_is_told_as_that() {
    let gone = ResponseMessage::error(ResponseCode::SUBSCRIPTION_NOT_FOUND, "");
    let server = Scripted::start([Reply::ok(Response::Unsubscribe(vec![gone]))]).await;
    let affinity = server.affinity("m1@sim.test", None);
    let mailbox = server.mailbox("m1@sim.test");
    let ended = server.exchange().unsubscribe(&mailbox, &affinity, &SubscriptionId::new("s")).await;
    assert_eq!(ended.unwrap_err().kind, K::Resubscribe);
}

#[test]
fn a_cookie_that_could_break_a_header_is_not_believed() {
    let cookie = |line: &str| {
        let mut headers = super::HeaderMap::new();
        headers.append(super::header::SET_COOKIE, super::HeaderValue::from_str(line).unwrap());
        super::affinity_cookie(&headers)
    };
    assert_eq!(cookie("X-BackEndOverrideCookie=a~1; path=/").as_deref(), Some("a~1"));
    assert_eq!(cookie("x-backendoverridecookie=a~1").as_deref(), Some("a~1"));
    assert_eq!(cookie("X-BackEndOverrideCookie=a b"), None);
    assert_eq!(cookie("X-BackEndOverrideCookie="), None);
    assert_eq!(cookie("X-BackEndCookie=a~1"), None);
    assert_eq!(cookie(&format!("X-BackEndOverrideCookie={}", "x".repeat(2_000))), None);
}
