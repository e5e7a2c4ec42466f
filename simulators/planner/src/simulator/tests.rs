//! The simulator from outside, over its socket, with nothing but bytes: what a client sees of the service,
//! of the admin paths and of the faults that have to do with time and connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto_planner::{
    Answer, CalendarEvent, EventsQuery, Headers, Operation, PlannerFault, Request, RequestEnvelope, Response,
    SERVICE_PATH, WireTime, decode_response, encode_request,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::calls::{CallEntry, CallStep};
use crate::meter::{MeterReport, Violation};
use crate::{Options, Simulator};

/// How long a condition may take before the test gives up; far more than any of them needs.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client {
    address: SocketAddr,
}

impl Client {
    async fn of(options: Options) -> (Simulator, Self) {
        let simulator = Simulator::start(options).await.unwrap();
        let address = simulator.url().strip_prefix("http://").unwrap().parse().unwrap();
        (simulator, Self { address })
    }

    /// Sends a request whose answer ends with the connection.
    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    /// Status and body of the answer.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut answer = Vec::new();
        self.send(method, path, headers, body).await.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { dechunked(body) } else { body.to_owned() };
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    async fn admin(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.ask(method, path, "Content-Type: application/json\r\n", body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    async fn fault(&self, rule: &str) {
        self.admin("POST", "/admin/faults", rule).await;
    }

    async fn meter(&self) -> MeterReport {
        serde_json::from_value(self.admin("GET", "/admin/meter", "").await).unwrap()
    }

    /// Sends a call and leaves its answer to the caller.
    async fn begin(&self, request: &Request) -> TcpStream {
        let operation = request.operation();
        let now: Timestamp = "2031-03-01T00:00:00Z".parse().unwrap();
        let headers = Headers::of_system("10100", "CVR:12345678-FID:1", "test", operation, now);
        let message =
            encode_request(&RequestEnvelope { headers, request: request.clone() }, &time()).unwrap();
        self.send("POST", SERVICE_PATH, &soap_headers(operation), &message).await
    }

    async fn call(&self, request: &Request) -> Result<Response, PlannerFault> {
        let mut answer = Vec::new();
        self.begin(request).await.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        match decode_response(request.operation(), body.as_bytes(), &time()).unwrap() {
            Answer::Response(response) => Ok(response),
            Answer::Fault(fault) => Err(fault),
        }
    }

    /// The receipt codes of a change.
    async fn codes(&self, request: &Request) -> Vec<i32> {
        match self.call(request).await {
            Ok(
                Response::CreateEvents(answer)
                | Response::UpdateEvents(answer)
                | Response::DeleteEvents(answer),
            ) => answer.receipts.iter().map(|receipt| receipt.error_code).collect(),
            other => panic!("no receipts: {other:?}"),
        }
    }

    async fn held(&self, mail: &str) -> Vec<CalendarEvent> {
        match self.call(&Request::GetEvents(EventsQuery::of_addresses([mail], None, None))).await {
            Ok(Response::GetEvents(answer)) => answer.events,
            other => panic!("no rows: {other:?}"),
        }
    }

    /// Asks for the meter until it shows what is waited for.
    async fn meter_shows(&self, what: &str, holds: impl Fn(&MeterReport) -> bool) -> MeterReport {
        let begun = tokio::time::Instant::now();
        loop {
            let report = self.meter().await;
            if holds(&report) {
                return report;
            }
            assert!(begun + PATIENCE > tokio::time::Instant::now(), "{what}, last seen: {report:?}");
        }
    }
}

/// A body in chunks as one text.
fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
}

fn soap_headers(operation: Operation) -> String {
    format!("Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"{}\"\r\n", operation.soap_action())
}

fn time() -> WireTime {
    WireTime::in_zone(TimeZone::get("Europe/Copenhagen").unwrap())
}

fn event(mail: &str, origin: &str, hour: i64) -> CalendarEvent {
    let start = Timestamp::from_second(1_930_000_000 + hour * 3600).unwrap();
    CalendarEvent::new(mail, origin, start, start + jiff::SignedDuration::from_mins(45))
}

fn create(origin: &str) -> Request {
    Request::CreateEvents(vec![event("m0001@sim.test", origin, 0)])
}

#[tokio::test]
async fn the_five_operations_do_what_they_say() {
    let (simulator, client) = Client::of(Options { mailboxes: 12, ..Options::default() }).await;
    let mail = "m0002@sim.test";
    let two = vec![event(mail, "a", 0), event(mail, "b$20310304-090000", 1)];
    assert_eq!(client.codes(&Request::CreateEvents(two.clone())).await, [0, 0]);
    assert_eq!(client.codes(&Request::CreateEvents(two.clone())).await, [8, 8]);
    let moved = event(mail, "a", 5);
    assert_eq!(client.codes(&Request::UpdateEvents(vec![moved.clone(), event(mail, "c", 1)])).await, [0, 10]);
    assert_eq!(client.codes(&Request::DeleteEvents(vec![two[1].clone()])).await, [0]);
    let held = client.held("M0002@SIM.TEST").await;
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].start, held[0].end), (moved.start, moved.end));
    assert_eq!(
        (held[0].origin_system_identifier.as_str(), held[0].origin_email_address.as_str()),
        ("a", mail)
    );
    assert!(held[0].calendar_event_identifier.is_some() && held[0].planner_resource_identifier.is_some());

    let Ok(Response::GetResources(all)) = client.call(&Request::GetResources(vec![])).await else { panic!() };
    assert_eq!(all.resources.len(), 12);
    assert_eq!(all.resources[0].email_address, "m0001@sim.test");
    let rooms: Vec<_> = all.resources.iter().filter(|resource| !resource.is_case_worker).collect();
    assert_eq!(rooms.len(), 1, "every tenth is a room");
    let one = Request::GetResources(vec![mail.to_owned()]);
    let Ok(Response::GetResources(one)) = client.call(&one).await else { panic!() };
    assert_eq!(one.resources.len(), 1);

    let report = client.meter().await;
    assert_eq!((report.violations_total, report.refused_calls, report.in_flight), (0, 0, 0));
    assert_eq!(report.calls["CreateEvents"], 2);
    assert_eq!(report.receipts, [(0, 4), (8, 2), (10, 1)].into());
    simulator.stop().await.unwrap();
}

#[tokio::test]
async fn calls_that_are_none_are_refused_with_a_reason() {
    let (_simulator, client) =
        Client::of(Options { jobcenter: "20200".to_owned(), ..Options::default() }).await;
    let fault = client.call(&create("a")).await.unwrap_err();
    assert_eq!(fault.details.and_then(|details| details.error_code), Some(1002), "another job centre");

    let soap = soap_headers(Operation::CreateEvents);
    let (status, body) = client.ask("POST", SERVICE_PATH, &soap, "<no xml").await;
    assert!(status == 500 && body.contains("cannot be read"), "{status} {body}");
    let (status, body) = client.ask("POST", SERVICE_PATH, "Content-Type: text/xml\r\n", "<a/>").await;
    assert!(status == 500 && body.contains("SOAPAction"), "{status} {body}");
    let (status, _) = client.ask("POST", SERVICE_PATH, "Content-Type: application/json\r\n", "{}").await;
    assert_eq!(status, 415);
    let huge = " ".repeat(proto_planner::MESSAGE_BYTES_MAX + 1);
    let (status, _) = client.ask("POST", SERVICE_PATH, &soap, &huge).await;
    assert_eq!(status, 413);
    assert_eq!(client.meter().await.calls.len(), 0, "none of them was a call");
    assert_eq!(client.admin("GET", "/admin/log", "").await["last"], 0);
}

#[tokio::test]
async fn the_description_names_the_address_by_which_it_was_asked() {
    let (simulator, client) = Client::of(Options::default()).await;
    let (status, text) = client.ask("GET", &format!("{SERVICE_PATH}?wsdl"), "", "").await;
    assert_eq!(status, 200);
    assert!(text.contains(&format!("location=\"{}\"", simulator.endpoint())), "{text}");
}

#[tokio::test]
async fn a_timeout_before_applying_leaves_nothing_behind() {
    let (_simulator, client) = Client::of(Options::default()).await;
    client.fault(r#"{"kind": {"hold-before": {"seconds": 3600}}, "next": 1}"#).await;
    let held = client.begin(&create("a")).await;
    client.meter_shows("the call is in flight", |report| report.in_flight == 1).await;
    drop(held);
    client
        .meter_shows("the call is over", |report| report.in_flight == 0 && report.abandoned_calls == 1)
        .await;
    assert_eq!(client.codes(&create("a")).await, [0], "it had not been applied");
    assert_eq!(client.meter().await.violations_total, 0);
}

#[tokio::test]
async fn a_timeout_after_applying_leaves_the_change() {
    let (_simulator, client) = Client::of(Options::default()).await;
    client.fault(r#"{"kind": {"hold-after": {"seconds": 3600}}, "next": 1}"#).await;
    let held = client.begin(&create("a")).await;
    client.meter_shows("the change is applied", |report| report.receipts.get(&0) == Some(&1)).await;
    drop(held);
    client.meter_shows("the call is over", |report| report.in_flight == 0).await;
    assert_eq!(client.codes(&create("a")).await, [8], "it had been applied");
}

#[tokio::test]
async fn a_late_change_is_applied_after_its_caller_has_left() {
    let (_simulator, client) = Client::of(Options::default()).await;
    client.fault(r#"{"kind": {"apply-late": {"seconds": 0.3}}, "next": 1}"#).await;
    let held = client.begin(&create("a")).await;
    client.meter_shows("the call is in flight", |report| report.in_flight == 1).await;
    drop(held);
    let report =
        client.meter_shows("the change is applied", |report| report.receipts.get(&0) == Some(&1)).await;
    assert_eq!((report.in_flight, report.abandoned_calls), (0, 1));
    assert_eq!(client.held("m0001@sim.test").await.len(), 1);
}

/// What makes a timeout dangerous: the change that nobody waits for any more undoes a later one.
#[tokio::test]
async fn a_late_change_takes_effect_after_later_calls_were_answered() {
    let (_simulator, client) = Client::of(Options::default()).await;
    let Request::CreateEvents(events) = create("a") else { panic!("a creation") };
    let delete = Request::DeleteEvents(events);
    client
        .fault(r#"{"kind": {"apply-late": {"seconds": 0.5}}, "operation": "CreateEvents", "next": 1}"#)
        .await;
    drop(client.begin(&create("a")).await);
    client.meter_shows("the caller has left", |report| report.abandoned_calls == 1).await;
    assert_eq!(client.codes(&delete).await, [10], "there is nothing yet");
    client.meter_shows("the creation is applied", |report| report.receipts.get(&0) == Some(&1)).await;
    assert_eq!(client.held("m0001@sim.test").await.len(), 1, "though it was deleted after it was asked for");
}

#[tokio::test]
async fn two_calls_in_flight_for_one_key_are_seen_on_the_wire() {
    let (_simulator, client) = Client::of(Options { allowed_in_flight: 1, ..Options::default() }).await;
    client.fault(r#"{"kind": {"hold-after": {"seconds": 3600}}, "next": 1}"#).await;
    let _held = client.begin(&create("a")).await;
    client.meter_shows("the first is in flight", |report| report.in_flight == 1).await;
    assert_eq!(client.codes(&create("a")).await, [8]);
    let report = client.meter().await;
    assert_eq!(report.violations.get(&Violation::SameKeyInFlight), Some(&1));
    assert_eq!(report.violations.get(&Violation::TooManyInFlight), Some(&1));
    assert_eq!((report.violations_total, report.faults_fired), (2, 1));
}

#[tokio::test]
async fn a_broken_connection_ends_in_the_middle_of_the_answer() {
    let (_simulator, client) = Client::of(Options::default()).await;
    client.fault(r#"{"kind": {"broken-connection": {"applied": true}}, "next": 1}"#).await;
    let mut answer = Vec::new();
    // Whether the end comes as a reset or as a plain end is the system's affair.
    let _ = client.begin(&create("a")).await.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).unwrap();
    assert!(!text.contains("</s:Envelope>"), "{text}");
    assert_eq!(client.held("m0001@sim.test").await.len(), 1);
}

#[tokio::test]
async fn the_admin_paths_plant_list_remove_and_set_resources() {
    let (_simulator, client) = Client::of(Options { mailboxes: 2, ..Options::default() }).await;
    let own = r#"[{"mail": "M0001@sim.test", "origin_id": "own", "start": "2031-03-04T08:00:00Z", "end": "2031-03-04T09:00:00Z", "planner_own": true},
                  {"mail": "m0002@sim.test", "start": "2031-03-04T08:00:00Z", "end": "2031-03-04T09:00:00Z"}]"#;
    assert_eq!(client.admin("POST", "/admin/events", own).await["planted"], 2);
    assert_eq!(client.codes(&Request::DeleteEvents(vec![event("m0001@sim.test", "own", 0)])).await, [13]);
    assert_eq!(client.codes(&create("a")).await, [0]);
    let list = client.admin("GET", "/admin/events", "").await;
    let keys: Vec<_> = list["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["mail"].as_str().unwrap(), row["origin_id"].as_str().unwrap(), row["planner_own"] == true)
        })
        .collect();
    assert_eq!(
        keys,
        [("m0001@sim.test", "a", false), ("m0001@sim.test", "own", true), ("m0002@sim.test", "", false)]
    );
    let one = client.admin("GET", "/admin/events?mail=m0001%40sim.test&origin_id=own", "").await;
    assert_eq!(one["events"][0]["start"], "2031-03-04T08:00:00Z");
    assert_eq!(client.admin("DELETE", "/admin/events?mail=m0001%40sim.test", "").await["removed"], 2);
    assert_eq!(client.admin("DELETE", "/admin/events", "").await["removed"], 1);
    assert_eq!(client.admin("GET", "/admin/events", "").await["events"], Value::Array(vec![]));

    let resources = r#"[{"address": "x@y"}, {"address": "X@y", "is_case_worker": false, "name": "Room"}]"#;
    assert_eq!(client.admin("POST", "/admin/resources", resources).await["resources"], 2);
    let Ok(Response::GetResources(answer)) = client.call(&Request::GetResources(vec![])).await else {
        panic!()
    };
    let told: Vec<_> = answer
        .resources
        .iter()
        .map(|r| (r.email_address.as_str(), r.name.as_str(), r.is_case_worker))
        .collect();
    assert_eq!(told, [("x@y", "x", true), ("X@y", "Room", false)]);
    assert_eq!(client.codes(&create("a")).await, [3], "no resource any more");
    client.admin("POST", "/admin/resources", "[]").await;
    let Ok(Response::GetResources(answer)) = client.call(&Request::GetResources(vec![])).await else {
        panic!()
    };
    assert_eq!(answer.resources, []);

    let log = client.admin("GET", "/admin/log?after=1&limit=1", "").await;
    assert_eq!(
        (&log["entries"][0]["seq"], &log["entries"][0]["code"], &log["last"]),
        (&Value::from(2), &Value::from(0), &Value::from(3))
    );
    let (status, text) = client.ask("POST", "/admin/faults", "", r#"{"kind": "fewer-receipts"}"#).await;
    assert!(status == 400 && text.contains("either probability or next"), "{status} {text}");
    assert_eq!(client.admin("DELETE", "/admin/meter", "").await["violations_total"], 0);
}

/// The log of calls tells both ends of each, whose they are and what they change; a client that leaves is told so.
#[tokio::test]
async fn the_log_of_calls_tells_when_each_came_and_went() {
    let (_simulator, client) = Client::of(Options::default()).await;
    assert_eq!(client.codes(&create("a")).await, [0]);
    client.held("m0001@sim.test").await;
    client.fault(r#"{"kind": {"hold-before": {"seconds": 60}}, "next": 1}"#).await;
    drop(client.begin(&create("b")).await);
    client.meter_shows("that the client left", |meter| meter.abandoned_calls == 1).await;
    let log = client.admin("GET", "/admin/calls", "").await;
    let page: simulator_kit::Page<CallEntry> = serde_json::from_value(log).unwrap();
    let entries: Vec<CallEntry> = page.entries.into_iter().map(|entry| entry.value).collect();
    assert!(entries.is_sorted_by_key(|entry| entry.at_us));
    let told: Vec<(u64, CallStep)> = entries.into_iter().map(|entry| (entry.call, entry.step)).collect();
    let came = |operation: &str, origins: &[&str]| CallStep::Came {
        operation: operation.to_owned(),
        correlation_id: None,
        items: 1,
        keys: origins.iter().map(|origin| ("m0001@sim.test".to_owned(), (*origin).to_owned())).collect(),
    };
    let went = |abandoned| CallStep::Went { abandoned };
    let expected = [
        (1, came("CreateEvents", &["a"])),
        (1, went(false)),
        (2, came("GetEvents", &[])),
        (2, went(false)),
        (3, came("CreateEvents", &["b"])),
        (3, went(true)),
    ];
    assert_eq!(told, expected);
}

/// A slow Planner: what it is told to do late it does, and answers who still waits.
#[tokio::test]
async fn who_waits_long_enough_is_answered_by_a_slow_planner() {
    let (_simulator, client) = Client::of(Options::default()).await;
    client.fault(r#"{"kind": {"apply-late": {"seconds": 0.2}}, "probability": 1.0}"#).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(client.codes(&create("a")).await, [0]);
    assert!(tokio::time::Instant::now() - begun >= Duration::from_millis(200));
}

#[tokio::test]
async fn captured_messages_are_valid_by_the_services_schema() {
    let folder = tempfile::tempdir().unwrap();
    let captured = folder.path().join("planner");
    let options = Options { capture: Some(captured.clone()), mailboxes: 12, ..Options::default() };
    let (simulator, client) = Client::of(options).await;
    let mail = "m0002@sim.test";
    let two = vec![event(mail, "a <&> b", 0), event(mail, "b", 1)];
    client.codes(&Request::CreateEvents(two.clone())).await;
    client.codes(&Request::CreateEvents(two.clone())).await;
    client.codes(&Request::UpdateEvents(two.clone())).await;
    client.codes(&Request::DeleteEvents(two[..1].to_vec())).await;
    client.held(mail).await;
    client.call(&Request::GetResources(vec![])).await.unwrap();
    client.fault(r#"[{"kind": {"soap-fault": {"detail": true}}, "next": 1}, {"kind": {"soap-fault": {}}, "next": 1}, {"kind": "receipts-in-wrong-order", "next": 1}]"#).await;
    client.call(&create("a")).await.unwrap_err();
    client.call(&create("a")).await.unwrap_err();
    client.codes(&Request::UpdateEvents(two)).await;
    // An answer that breaks the schema on purpose is not captured.
    client.fault(r#"{"kind": "fewer-receipts", "next": 1}"#).await;
    assert_eq!(client.codes(&create("z")).await, Vec::<i32>::new());
    simulator.stop().await.unwrap();
    assert_eq!(std::fs::read_dir(&captured).unwrap().count(), 10 + 9, "ten requests, nine answers");

    let shared = std::env::var_os("KOMMUNEKLIENT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let check = shared.join("check-wire");
    if !check.is_file() {
        println!(
            "skipped the schema: the reference material (KOMMUNEKLIENT_SHARED, ../shared) is not at hand"
        );
        return;
    }
    let run = Command::new(check).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("wire: 19 valid, 0 invalid"), "{said}");
}
