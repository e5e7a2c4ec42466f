//! Goal: what appointments are about never leaves Exchange (B6), and no secret is shown. Method: appointments
//! whose content is marked, a sealed password, every kind of change and of reading, then a search: the requests to
//! Exchange by what they ask for, everything else (messages, log at its most talkative, traces, every table, the
//! pages) for the marks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; helpers outside #[test] too")]

use std::collections::BTreeSet;

use base64::Engine as _;
use end_to_end::collector::Collector;
use end_to_end::scene::{PASSWORD, USER, quote};
use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::{Attendee, Body, BodyType, CalendarItem, DeleteType, EmailAddress, Sensitivity, field};
use secrecy::ExposeSecret;
use serde_json::json;
use store::credentials::password_place;
use store::operations::Scope;
use trust::seal::{KeyRing, SealingKey};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
/// In the password of the database.
const DATABASE_PASSWORD: &str = "marked-database-9a41";
/// Of the account in the configuration, which does not count beside those of the database.
const UNUSED_PASSWORD: &str = "marked-unused-3fe0";
/// Of the admin calls.
const ADMIN_TOKEN: &str = "marked-admin-token-84c2d6e0f1a3b597";
/// What somebody tried instead.
const WRONG_TOKEN: &str = "marked-wrong-token-0b7e5f2d4c6a8190";
/// In all content.
const MARK: &str = "marked-content-77aa";

/// Everything that may be asked of Exchange: identity, times, free/busy status, and a folder's rights.
const MAY_BE_ASKED: [&str; 11] = [
    "item:ParentFolderId",
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:StartTimeZone",
    "folder:EffectiveRights",
];

fn with_content(item: CalendarItem) -> CalendarItem {
    CalendarItem {
        subject: Some(format!("{MARK} subject")),
        sensitivity: Some(Sensitivity::Private),
        body: Some(Body { body_type: BodyType::Text, is_truncated: None, text: format!("{MARK} body") }),
        categories: vec![format!("{MARK} category")],
        location: Some(format!("{MARK} place")),
        required_attendees: vec![attendee("required"), attendee("needed")],
        optional_attendees: vec![attendee("optional")],
        ..item
    }
}

/// Somebody who is invited, with the mark in the address and in the name.
fn attendee(who: &str) -> Attendee {
    let address = EmailAddress::smtp(format!("{MARK}-{who}@elsewhere.test"));
    let mailbox = EmailAddress { name: Some(format!("{MARK} {who} attendee")), ..address };
    Attendee { mailbox, ..Attendee::default() }
}

/// Every kind of change, among failures that make the product talk.
async fn change_everything(scene: &Scene) {
    let (one, other) = (mailbox(1), mailbox(2));
    let single = scene.outlook.create(&one, with_content(scene.appointment("UID-1", 3))).await.unwrap();
    let series = scene.outlook.create(&one, with_content(scene.series("UID-2", 4, 3))).await.unwrap();
    let moved = scene.outlook.create(&other, with_content(scene.appointment("UID-3", 5))).await.unwrap();
    scene.until_in_step().await;
    scene.exchange_fault(json!({"kind": "malformed", "operation": "GetItem", "next": 1})).await;
    scene
        .exchange_fault(
            json!({"kind": {"code": {"code": "ErrorOfTomorrow"}}, "operation": "FindItem", "next": 1}),
        )
        .await;
    scene.planner_fault(json!({"kind": "malformed-answer", "operation": "UpdateEvents", "next": 1})).await;
    scene
        .planner_fault(json!({"kind": {"refuse": {"code": 15}}, "operation": "CreateEvents", "next": 1}))
        .await;
    scene.outlook.update(&one, single.into(), scene.new_times(6)).await.unwrap();
    let subject = CalendarItem { subject: Some(format!("{MARK} again")), ..CalendarItem::default() };
    scene.outlook.update(&other, moved.clone().into(), vec![(field::SUBJECT, subject)]).await.unwrap();
    scene.outlook.create(&other, with_content(scene.series("UID-4", 6, 2))).await.unwrap();
    scene.outlook.move_to(&other, moved, "deleteditems").await.unwrap();
    scene.until_in_step().await;
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    scene.outlook.delete(&one, series.into(), DeleteType::HardDelete).await.unwrap();
    scene.until_in_step().await;
}

/// Reads and compares everything once more, as operators and schedules do.
async fn read_everything(scene: &Scene) {
    let (store, asked) = (&scene.database.store, scene.clock.now());
    let meant = store.ask_for_full_reads(&Scope::All, asked).await.unwrap();
    store.ask_for_comparison(&Scope::All).await.unwrap();
    let query = format!(
        "select count(*) from planner_resource where full_read_began_at >= '{asked}' and compared_at >= '{asked}'"
    );
    wait_for("full reads and comparisons", async || match scene.count(&query).await {
        done if done >= 3 && meant >= 3 => Ok(()),
        done => Err(format!("{done} of {meant}")),
    })
    .await;
}

/// Asks for a comparison over HTTP, as monitoring does, and with a token that is wrong.
async fn ask_over_http(scene: &Scene) {
    let url = format!("http://{}", scene.admin_address().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"kind": "comparison", "all": true, "by": "monitoring"}).to_string();
    let ask = async |token: &str| {
        let request = client.post(format!("{url}/admin/operations")).body(body.clone());
        let request = request.header("content-type", "application/json").bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask(WRONG_TOKEN).await, ask(ADMIN_TOKEN).await), (401, 202));
}

/// Puts the service account into the database, sealed, and only a useless one into the configuration; answers what
/// must not be shown of the key.
async fn seal_account(scene: &mut Scene) -> [String; 2] {
    let key = SealingKey::generate().unwrap();
    let text = key.text().expose_secret().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(&text).unwrap();
    let hexadecimal = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    scene.configure("secrets", "key", &quote(&text));
    scene.configure("exchange", "password", &quote(UNUSED_PASSWORD));
    let store = &scene.database.store;
    let account = store.next_credential().await.unwrap();
    let ring = KeyRing::new(key, []).unwrap();
    let sealed = ring.seal(password_place(account), &PASSWORD.into()).unwrap();
    assert!(store.add_credential(account, USER, &sealed).await.unwrap());
    [text, hexadecimal]
}

/// What the pages show.
async fn pages(scene: &Scene) -> String {
    let base = scene.service.as_ref().unwrap().url.trim_end_matches('/').to_owned();
    let mut all = String::new();
    for page in ["metrics", "health/ready", "health/live"] {
        all.push_str(&kommuneklient::demo::http::text(&format!("{base}/{page}")).await.unwrap());
    }
    all
}

/// The values of an attribute, wherever it stands.
fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let before = format!("{name}=\"");
    text.split(&before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The texts of elements of this local name.
fn elements<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let end = format!("{name}>");
    let parts: Vec<&str> = text.split(&end).collect();
    parts.iter().skip(1).step_by(2).filter_map(|part| part.split('<').next()).collect()
}

/// Did a person make this request, not the product?
fn writes(request: &str) -> bool {
    ["CreateItem", "UpdateItem", "DeleteItem", "MoveItem"]
        .iter()
        .any(|name| request.contains(&format!("{name}>")) || request.contains(&format!("{name} ")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_what_appointments_are_about_is_asked_for_or_kept() {
    let collector = Collector::start();
    let mut scene = Scene::new(PROGRAM, Setting { capture: true, ..Setting::default() }).await;
    scene.configure("telemetry", "log_filter", "\"trace\"");
    scene.configure("telemetry", "otlp_endpoint", &quote(&collector.url));
    scene.configure("http", "admin_token", &quote(ADMIN_TOKEN));
    scene.configure("http", "admin_listen", &quote("127.0.0.1:0"));
    let url = format!("{} password={DATABASE_PASSWORD}", scene.database.url.expose_secret());
    scene.configure("database", "url", &quote(&url));
    let [key, hexadecimal] = seal_account(&mut scene).await;
    scene.start_service().await;
    scene.until_ready().await;
    change_everything(&scene).await;
    ask_over_http(&scene).await;
    read_everything(&scene).await;
    scene.assert_unharmed().await;
    let pages = pages(&scene).await;
    // the last spans and log lines
    scene.stop_service().await;

    assert_requests_are_modest(&scene);
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let secrets = [
        MARK,
        PASSWORD,
        UNUSED_PASSWORD,
        DATABASE_PASSWORD,
        ADMIN_TOKEN,
        WRONG_TOKEN,
        &credentials,
        &key,
        &hexadecimal,
    ];
    let log = scene.log();
    assert!(log.contains("\"level\":\"TRACE\"") && log.contains(&mailbox(1)), "the log is not talkative");
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} stands in the log");
        assert!(!collector.holds(secret), "{secret} stands in the traces");
        assert!(!pages.contains(secret), "{secret} stands on a page");
    }
    assert!(pages.contains("kommuneklient_events_total") && pages.contains("ready"), "{pages}");
    assert!(collector.holds("planner.send") && collector.holds(&mailbox(1)), "no traces arrived");
    for (name, message) in scene.captured("planner") {
        assert!(!message.contains(MARK), "{name} tells Planner: {message}");
    }
    assert_tables_hold_none(&scene, &secrets).await;
}

/// What is asked of Exchange is exactly what may be asked, and so no answer to the product holds content.
fn assert_requests_are_modest(scene: &Scene) {
    let captured = scene.captured("exchange");
    let mut asked = BTreeSet::new();
    let (mut people, mut marked) = (BTreeSet::new(), 0);
    let (mut shapes, mut requests) = (0, 0);
    for (name, text) in captured.iter().filter(|(name, _)| name.ends_with("-request.xml")) {
        if writes(text) {
            people.insert(name.split('-').next().unwrap());
            marked += text.matches(MARK).count();
            continue;
        }
        requests += 1;
        asked.extend(attributes(text, "FieldURI"));
        for shape in elements(text, "BaseShape") {
            assert_eq!(shape, "IdOnly", "{name}: {text}");
            shapes += 1;
        }
        for forbidden in ["IncludeMimeContent", "BodyType", "ExtendedFieldURI", "IndexedFieldURI", MARK] {
            assert!(!text.contains(forbidden), "{forbidden} in {name}: {text}");
        }
    }
    assert!(requests > 10 && shapes > 5, "{requests} requests with {shapes} shapes");
    assert_eq!(asked, BTreeSet::from(MAY_BE_ASKED));
    // the content was there to be asked for
    assert!(people.len() > 5 && marked > 36, "{people:?} {marked}");
    for (name, text) in &captured {
        if !people.contains(name.split('-').next().unwrap()) {
            assert!(!text.contains(MARK), "{name}: {text}");
        }
    }
}

async fn assert_tables_hold_none(scene: &Scene, secrets: &[&str]) {
    let client = scene.database.store.client("search every table").await.unwrap();
    let tables = client
        .query("select quote_ident(tablename) from pg_tables where schemaname = 'public'", &[])
        .await
        .unwrap();
    let mut with_mailbox = 0;
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let count = async |text: &str| -> i64 {
            let query = format!("select count(*) from {table} whole where position($1 in whole::text) > 0");
            client.query_one(&query, &[&text]).await.unwrap().get(0)
        };
        // the search finds what is there
        with_mailbox += i32::from(count(&mailbox(1)).await > 0);
        for secret in secrets {
            assert_eq!(count(secret).await, 0, "{secret} stands in the table {table}");
        }
    }
    assert!(with_mailbox >= 5, "only {with_mailbox} of {} tables hold the mailbox", tables.len());
}
