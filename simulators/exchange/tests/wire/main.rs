//! The simulator on its sockets, byte by byte: the form of streams, authentication, affinity, limits,
//! every fault that can be injected, Autodiscover, loaded calendars, captured messages.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod client;
mod faults;
mod streams;

use client::{Answer, Client};
use proto_ews::operation::{
    CalendarView, CreateItem, DeleteItem, FindItem, GetFolder, GetItem, GetStreamingEvents, Subscribe,
    SubscribedFolders, View,
};
use proto_ews::{
    CalendarItem, DeleteType, EventKind, FolderRef, FolderShape, Item, ItemId, ItemShape, Limits, Request,
    Response, SubscriptionId, Traversal, autodiscover, decode_request, decode_response,
};
use simulator_exchange::{Options, Simulator};

const ONE: &str = "m0001@sim.test";

async fn start(options: Options) -> Simulator {
    let mailboxes = if options.mailboxes == 0 { 4 } else { options.mailboxes };
    Simulator::start(Options { mailboxes, ..options }).await.unwrap()
}

fn get_folder() -> Request {
    Request::GetFolder(GetFolder { shape: FolderShape::id_only(), folder_ids: vec![FolderRef::calendar()] })
}

fn subscribe() -> Request {
    Request::Subscribe(Subscribe {
        folders: SubscribedFolders::These(vec![FolderRef::calendar()]),
        event_kinds: vec![
            EventKind::Created,
            EventKind::Modified,
            EventKind::Moved,
            EventKind::Deleted,
            EventKind::FreeBusyChanged,
        ],
    })
}

async fn subscribed(client: &Client) -> SubscriptionId {
    let Response::Subscribe(mut answers) = client.ask(subscribe()).await.response() else {
        panic!("no answer")
    };
    answers.remove(0).into_result().unwrap()
}

fn stream(ids: &[&SubscriptionId]) -> Request {
    Request::GetStreamingEvents(GetStreamingEvents {
        subscription_ids: ids.iter().map(|id| (*id).clone()).collect(),
        connection_timeout_minutes: 1,
    })
}

fn create_item(start: &str, end: &str) -> Request {
    let item = CalendarItem {
        start: Some(start.parse().unwrap()),
        end: Some(end.parse().unwrap()),
        ..CalendarItem::default()
    };
    Request::CreateItem(CreateItem {
        message_disposition: None,
        send_meeting_invitations: Some("SendToNone".into()),
        saved_item_folder: None,
        items: vec![item.into()],
    })
}

fn item_id(answer: &Answer) -> ItemId {
    let Response::CreateItem(mut answers) = answer.response() else { panic!("no answer") };
    answers.remove(0).into_result().unwrap()[0].item_id().unwrap().clone()
}

async fn created(client: &Client) -> ItemId {
    item_id(&client.ask(create_item("2026-09-01T08:00:00Z", "2026-09-01T09:00:00Z")).await)
}

fn delete_item(id: &ItemId, delete_type: DeleteType) -> Request {
    Request::DeleteItem(DeleteItem {
        delete_type,
        send_meeting_cancellations: Some("SendToNone".into()),
        affected_task_occurrences: None,
        suppress_read_receipts: None,
        item_ids: vec![id.clone().into()],
    })
}

#[tokio::test]
async fn who_is_not_known_is_told_how_to_say_who_he_is() {
    let simulator = start(Options { accounts: 2, ..Options::default() }).await;
    let good = Client::new(simulator.url());
    for (user, password, expected) in [
        ("svc", "pw", 200),
        ("SIM\\svc2", "pw", 200),
        ("svc", "other", 401),
        ("svc3", "pw", 401),
        ("", "", 401),
    ] {
        let client = Client { user: user.into(), password: password.into(), ..good.clone() };
        let answer = client.ask_any(get_folder()).await;
        assert_eq!(answer.status, expected, "{user}");
        assert_eq!(answer.header("www-authenticate").is_some(), expected == 401);
    }
    simulator.stop().await;
}

impl Client {
    async fn ask_any(&self, request: Request) -> Answer {
        self.try_ask(request).await.expect("a whole answer")
    }
}

#[tokio::test]
async fn faults_are_500_without_a_version_and_errors_200_with_one() {
    let simulator = start(Options::default()).await;
    let client = Client::new(simulator.url());
    let fault = client.clone().acting("ghost@sim.test").ask(get_folder()).await;
    assert_eq!((fault.status, fault.fault_code().as_str()), (500, "ErrorNonExistentMailbox"));
    assert_eq!(fault.envelope().server_version, None);
    let Err(told) = fault.envelope().body else { panic!("no fault") };
    assert_eq!(told.message_xml.get("SmtpAddress"), Some("ghost@sim.test"));

    let missing = delete_item(&ItemId::new("bm9uZQ=="), DeleteType::HardDelete);
    let error = client.ask(missing).await;
    assert_eq!(error.status, 200);
    assert!(error.envelope().server_version.is_some());
    assert_eq!(error.header("content-type"), Some("text/xml; charset=utf-8"));

    for (body, expected) in [("no xml", "ErrorSchemaValidation"), ("", "ErrorSchemaValidation")] {
        let answer = client.raw("POST", "/EWS/Exchange.asmx", body).await.unwrap();
        assert_eq!((answer.status, answer.fault_code().as_str()), (500, expected));
    }
    let unknown = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
                   <GetRooms xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"/>\
                   </s:Body></s:Envelope>";
    let answer = client.raw("POST", "/EWS/Exchange.asmx", unknown).await.unwrap();
    assert_eq!(answer.fault_code(), "ErrorInvalidRequest");
    simulator.stop().await;

    let strict = start(Options { impersonation: false, ..Options::default() }).await;
    let denied = Client::new(strict.url()).ask(get_folder()).await;
    assert_eq!(denied.fault_code(), "ErrorImpersonateUserDenied");
}

#[tokio::test]
async fn autodiscover_tells_endpoint_and_grouping() {
    let simulator = start(Options { groups: 2, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    let request = autodiscover::GetUserSettings {
        server_version: Some("Exchange2013".into()),
        to: Some(simulator.autodiscover_url()),
        mailboxes: vec![ONE.into(), "m0002@sim.test".into(), "ghost@sim.test".into()],
        settings: vec!["ExternalEwsUrl".into(), "GroupingInformation".into(), "UserDN".into()],
    };
    let message = autodiscover::encode_request(&request).unwrap();
    let answer = client.raw("POST", "/autodiscover/autodiscover.svc", &message).await.unwrap();
    let told = autodiscover::decode_response(&answer.body, Limits::standard()).unwrap().unwrap();
    let values: Vec<_> =
        told.users.iter().map(|user| (user.get("ExternalEwsUrl"), user.get("GroupingInformation"))).collect();
    let url = simulator.ews_url();
    assert_eq!(
        values,
        [(Some(url.as_str()), Some("Site-1")), (Some(url.as_str()), Some("Site-2")), (None, None)]
    );
    assert_eq!(told.users[0].setting_errors[0].setting_name, "UserDN");
    assert_eq!(told.users[2].outcome, autodiscover::UserOutcome::Failed("InvalidUser".into()));
    let nobody = Client { password: "no".into(), ..client };
    assert_eq!(nobody.raw("POST", "/autodiscover/autodiscover.svc", &message).await.unwrap().status, 401);
    simulator.stop().await;
}

/// A folder below the target directory that is removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("simulator-exchange-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn calendars_are_loaded_and_told_to_the_oracle() {
    let folder = Folder::new("calendars");
    let events = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:one\nDTSTART;TZID=Europe/Copenhagen:20260316T090000\n\
                  DTEND;TZID=Europe/Copenhagen:20260316T100000\nRRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:secret\n\
                  END:VEVENT\nBEGIN:VEVENT\nUID:bad\nEND:VEVENT\nEND:VCALENDAR\n";
    std::fs::write(folder.0.join("anna.ics"), events).unwrap();
    std::fs::write(folder.0.join("bo@other.test.ics"), events).unwrap();
    std::fs::write(folder.0.join("readme.txt"), "not a calendar").unwrap();
    let simulator = start(Options { calendars: Some(folder.0.clone()), ..Options::default() }).await;
    let client = Client::new(simulator.url()).acting("anna@sim.test");
    let view = CalendarView {
        max_entries_returned: Some(1_000),
        start: "2026-03-01T00:00:00Z".parse().unwrap(),
        end: "2026-05-01T00:00:00Z".parse().unwrap(),
    };
    let find = Request::FindItem(FindItem {
        traversal: Traversal::Shallow,
        shape: ItemShape::with_fields(["calendar:Start"]),
        view: View::Calendar(view),
        has_restriction: false,
        parent_folder_ids: vec![FolderRef::calendar()],
    });
    let Response::FindItem(mut found) = client.ask(find).await.response() else { panic!("no answer") };
    assert_eq!(found.remove(0).into_result().unwrap().items.len(), 3);

    let (status, state) =
        client.admin("GET", "/admin/state?from=2026-03-01T00:00:00Z&to=2026-03-24T00:00:00Z", "").await;
    assert_eq!(status, 200);
    let mailboxes = state["mailboxes"].as_array().unwrap();
    let addresses: Vec<_> = mailboxes.iter().map(|own| own["mailbox"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["anna@sim.test", "bo@other.test"], "empty mailboxes are left out");
    let anna = &mailboxes[0];
    assert_eq!(anna["items"][0]["kind"], "RecurringMaster");
    assert_eq!(anna["occurrences"].as_array().unwrap().len(), 2);
    let second = &anna["occurrences"][1];
    assert_eq!(second["start"], "2026-03-23T08:00:00Z");
    assert_eq!(second["local_start"], "2026-03-23T09:00:00");
    assert_eq!(second["recurrence_id"], "2026-03-23T08:00:00Z");
    assert_eq!(second["zone"], "Romance Standard Time");
    assert_eq!(second["master_id"], anna["items"][0]["item_id"]);
    assert!(!state.to_string().contains("secret"), "no content is told");
    simulator.stop().await;

    let nowhere = Options { calendars: Some("/nonexistent".into()), ..Options::default() };
    let error = Simulator::start(nowhere).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent"), "{error}");
}

#[tokio::test]
async fn captured_messages_are_the_messages() {
    let folder = Folder::new("capture");
    let simulator = start(Options { capture: Some(folder.0.clone()), ..Options::default() }).await;
    let client = Client::new(simulator.url());
    let id = subscribed(&client).await;
    let (_, mut chunks) = client.open(stream(&[&id])).await;
    chunks.message().await;
    let item = created(&client).await;
    chunks.message().await;
    let get = GetItem { shape: ItemShape::id_only(), item_ids: vec![item.into()] };
    client.ask(Request::GetItem(get)).await;
    // An answer that no schema knows is not captured.
    client.admin("POST", "/admin/faults", r#"{"kind":{"code":{"code":"ErrorOfTomorrow"}},"next":1}"#).await;
    assert_eq!(client.ask(get_folder()).await.fault_code(), "ErrorOfTomorrow");
    simulator.stop().await;

    let (mut requests, mut responses) = (0, 0);
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let content = std::fs::read(&path).unwrap();
        if name.contains("request") {
            requests += 1;
            decode_request(&content, Limits::standard()).unwrap();
        } else {
            responses += 1;
            decode_response(&content, Limits::standard()).unwrap();
        }
        assert!(!String::from_utf8(content).unwrap().contains("ErrorOfTomorrow"));
    }
    // Subscribe, GetStreamingEvents (two envelopes), CreateItem, GetItem, GetFolder (request alone)
    assert_eq!((requests, responses), (5, 5));
}

#[tokio::test]
async fn mailboxes_come_and_go() {
    let simulator = start(Options { groups: 2, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    let (status, _) = client
        .admin(
            "POST",
            "/admin/mailboxes",
            r#"{"add":["New@sim.test"],"remove":["m0004@sim.test"],"group":2}"#,
        )
        .await;
    assert_eq!(status, 200);
    let (_, all) = client.admin("GET", "/admin/mailboxes", "").await;
    assert_eq!(
        all,
        serde_json::json!(["m0001@sim.test", "m0002@sim.test", "m0003@sim.test", "new@sim.test"])
    );
    for wrong in [
        r#"{"remove":["m0004@sim.test"]}"#,
        r#"{"add":["x@sim.test"],"group":3}"#,
        r#"{"added":["x@sim.test"]}"#,
        "nothing",
    ] {
        assert_eq!(client.admin("POST", "/admin/mailboxes", wrong).await.0, 400, "{wrong}");
    }
    let answer = client.clone().acting("new@sim.test").ask(get_folder()).await;
    assert_eq!(answer.status, 200);
    let (_, meter) = client.admin("GET", "/admin/meter", "").await;
    assert_eq!(meter["meter"]["requests"]["GetFolder"], 1);
    assert_eq!(meter["mailboxes"], 4);
    simulator.stop().await;
}

/// Everything that was sent fits the real schema; only where that and `xmllint` are at hand.
#[tokio::test]
async fn messages_fit_the_schema() {
    let shared = std::env::var_os("KOMMUNEKLIENT_SHARED").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        std::path::PathBuf::from,
    );
    let check = shared.join("check-wire");
    let has_xmllint = std::process::Command::new("xmllint").arg("--version").output().is_ok();
    if !check.exists() || !has_xmllint {
        println!("skipped: {} or xmllint is not at hand", check.display());
        return;
    }
    let folder = Folder::new("schema");
    let capture = Some(folder.0.join("exchange"));
    let simulator = start(Options { capture, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    every_operation(&client).await;
    simulator.stop().await;
    let output = std::process::Command::new(check).arg(&folder.0).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Each operation once, with success and with error.
async fn every_operation(client: &Client) {
    use proto_ews::operation::{ConvertId, MoveItem, ResolveNames, SyncFolderItems, Unsubscribe, UpdateItem};
    let id = subscribed(client).await;
    let (_, mut chunks) = client.open(stream(&[&id])).await;
    chunks.message().await;
    let item = created(client).await;
    chunks.message().await;
    let all = |item_ids| {
        let shape = ItemShape { base: proto_ews::BaseShape::AllProperties, ..ItemShape::id_only() };
        Request::GetItem(GetItem { shape, item_ids })
    };
    client.ask(all(vec![item.clone().into(), ItemId::new("bm9uZQ==").into()])).await;
    let to = |name: &str, id: ItemId| {
        let to_folder = FolderRef::distinguished(name);
        Request::MoveItem(MoveItem { to_folder, item_ids: vec![id.into()], return_new_item_ids: None })
    };
    client.ask(to("deleteditems", item)).await;
    client.ask(to("contacts", ItemId::new("bm9uZQ=="))).await;
    let sync = |sync_state: Option<&str>| {
        Request::SyncFolderItems(SyncFolderItems {
            shape: ItemShape::id_only(),
            folder: FolderRef::calendar(),
            sync_state: sync_state.map(str::to_owned),
            ignore: Vec::new(),
            max_changes_returned: 512,
            sync_scope: None,
        })
    };
    client.ask(sync(None)).await;
    client.ask(sync(Some("garbage"))).await;
    for entry in ["smtp:m0001@sim.test", "m0", "nobody"] {
        client
            .ask(Request::ResolveNames(ResolveNames {
                return_full_contact_data: false,
                search_scope: None,
                parent_folder_ids: Vec::new(),
                unresolved_entry: entry.into(),
            }))
            .await;
    }
    let source = proto_ews::operation::AlternateId {
        format: "EwsId".into(),
        id: "DUMMY".into(),
        mailbox: "DUMMY".into(),
        is_archive: None,
    };
    let convert = ConvertId { destination_format: "EntryId".into(), source_ids: vec![source] };
    client.ask(Request::ConvertId(convert)).await;
    let second = created(client).await;
    let update = UpdateItem {
        conflict_resolution: proto_ews::ConflictResolution::AlwaysOverwrite,
        message_disposition: Some("SaveOnly".into()),
        send_meeting_invitations_or_cancellations: Some("SendToNone".into()),
        suppress_read_receipts: None,
        saved_item_folder: None,
        changes: [second.clone(), ItemId::new("bm9uZQ==")]
            .map(|id| proto_ews::operation::ItemChange {
                item: id.into(),
                updates: vec![proto_ews::operation::FieldUpdate::Set {
                    path: proto_ews::PropertyPath::field("calendar:Location"),
                    item: Box::new(CalendarItem {
                        location: Some("there".into()),
                        ..CalendarItem::default()
                    }),
                }],
            })
            .into(),
    };
    client.ask(Request::UpdateItem(update)).await;
    for kind in [DeleteType::SoftDelete, DeleteType::HardDelete] {
        client.ask(delete_item(&second, kind)).await;
    }
    client.ask(get_folder()).await;
    client.clone().acting("ghost@sim.test").ask(get_folder()).await;
    client
        .admin(
            "POST",
            "/admin/faults",
            r#"[{"kind":{"server_busy":{"back_off_ms":10}},"next":1},
        {"kind":{"busy_in_body":{"back_off_ms":10}},"next":1}]"#,
        )
        .await;
    client.ask(sync(None)).await;
    client.ask(sync(None)).await;
    client.ask(Request::Unsubscribe(Unsubscribe { subscription_id: id.clone() })).await;
    client.ask(Request::Unsubscribe(Unsubscribe { subscription_id: id.clone() })).await;
    client.open(stream(&[&id])).await.1.message().await;
    let item: Item = CalendarItem::default().into();
    assert!(item.item_id().is_none());
}
