//! A small Planner on a real socket, for the tests of everything that talks to one: it holds appointments
//! by their keys, answers with receipts by B9's meaning of the codes, and misbehaves on demand.
//!
//! (The simulator is the faithful stand-in; this one is for tests that must say exactly what goes wrong
//! with which call.)

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::SharedClock;
use calendar::Slot;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto_planner::{
    CalendarEvent, CalendarEventReceipt, CalendarResource, ChangeAnswer, EventsAnswer, EventsQuery,
    FaultCode, FaultDetails, Operation, PlannerFault, Request, ResourcesAnswer, Response, WireTime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;
use uuid::Uuid;

use crate::{Planner, PlannerError, PlannerOptions};

/// How long a test waits for calls.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key as this Planner goes by it: mail address and origin id.
pub type Key = (String, String);

/// What happens to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Done and answered.
    Normal,
    /// Done and answered after this time.
    Slow(Duration),
    /// Not done; a fault, with details and this number or without.
    Fault(Option<i32>),
    /// Not done; this HTTP status and no SOAP.
    Status(u16),
    /// Done; this HTTP status and no SOAP, as somebody on the way may answer in Planner's place.
    Page(u16),
    /// Done and answered, with this HTTP status.
    Relabelled(u16),
    /// Never answered; done or not.
    Silent {
        /// Was it done?
        done: bool,
    },
    /// The connection is closed instead of an answer; done or not.
    Close {
        /// Was it done?
        done: bool,
    },
    /// Done; the answer is cut off in the middle.
    Truncated,
    /// Done; the answer is no XML.
    Garbage,
    /// Done; the answer is longer than this.
    Oversized(usize),
    /// Done; the receipts come in reverse order.
    WrongOrder,
    /// Done; the last receipt is missing.
    OneLess,
    /// Not done; every receipt has this code.
    Refuse(i32),
}

/// A call as it was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its operation.
    pub operation: Operation,
    /// Keys and times of a change.
    pub events: Vec<(Key, Slot)>,
    /// The question of a GetEvents.
    pub query: Option<EventsQuery>,
    /// The HTTP headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// `UserFullName`.
    pub user_full_name: Option<String>,
}

/// Changes an answer before it leaves.
type Seal = Box<dyn FnMut(String) -> String + Send>;

#[derive(Default)]
struct State {
    seal: Option<Seal>,
    held: BTreeMap<Key, Slot>,
    resources: Vec<CalendarResource>,
    script: VecDeque<Behaviour>,
    codes: HashMap<String, VecDeque<i32>>,
    poison: HashMap<String, Behaviour>,
    extra: Vec<CalendarEvent>,
    seen: Vec<Seen>,
    in_flight: BTreeSet<Key>,
    calls_in_flight: usize,
    most_in_flight: usize,
    violations: Vec<String>,
}

/// The fake. Ends with its value.
pub struct FakePlanner {
    state: Arc<Mutex<State>>,
    calls: watch::Receiver<usize>,
    url: Url,
    server: JoinHandle<()>,
}

impl std::fmt::Debug for FakePlanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakePlanner").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Drop for FakePlanner {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakePlanner {
    /// Starts on a free port of this machine, holding nothing.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let url = Url::parse(&format!("http://127.0.0.1:{port}{}", proto_planner::SERVICE_PATH));
        let state = Arc::new(Mutex::new(State::default()));
        let (counted, calls) = watch::channel(0);
        let counted = Arc::new(counted);
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared), Arc::clone(&counted)));
            }
        });
        Self { state, calls, url: url.expect("the address is well formed"), server }
    }

    /// Where it answers.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// A connector to it.
    ///
    /// # Errors
    /// As [`Planner::new`].
    pub fn connect(&self, clock: SharedClock) -> Result<Planner, PlannerError> {
        Planner::new(options(self.url()), clock)
    }

    /// The next calls behave like this, one after the other; then all are normal.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.lock().script.extend(behaviours);
    }

    /// The next receipts for this origin id have these codes (nothing is done for them); then they are normal.
    pub fn codes(&self, origin_id: &str, codes: impl IntoIterator<Item = i32>) {
        self.lock().codes.entry(origin_id.to_owned()).or_default().extend(codes);
    }

    /// What [`codes`](Self::codes) still holds for this origin id is forgotten.
    pub fn forget_codes(&self, origin_id: &str) {
        self.lock().codes.remove(origin_id);
    }

    /// Every call that carries this origin id, or asks for this mail address, behaves like this.
    pub fn poison(&self, name: &str, behaviour: Behaviour) {
        self.lock().poison.insert(name.to_owned(), behaviour);
    }

    /// Puts an appointment in as if it had been created before.
    pub fn hold(&self, mail: &str, origin_id: &str, slot: Slot) {
        self.lock().held.insert((mail.to_owned(), origin_id.to_owned()), slot);
    }

    /// Changes every answer before it leaves: signs it, or spoils what was signed.
    pub fn seal(&self, seal: impl FnMut(String) -> String + Send + 'static) {
        self.lock().seal = Some(Box::new(seal));
    }

    /// Takes an appointment out behind the product's back.
    pub fn lose(&self, mail: &str, origin_id: &str) {
        self.lock().held.remove(&(mail.to_owned(), origin_id.to_owned()));
    }

    /// Rows that every GetEvents answers in addition, whatever was asked.
    pub fn extra(&self, events: Vec<CalendarEvent>) {
        self.lock().extra = events;
    }

    /// The resources of the job centre.
    pub fn resources(&self, resources: Vec<CalendarResource>) {
        self.lock().resources = resources;
    }

    /// What it holds.
    pub fn held(&self) -> BTreeMap<Key, Slot> {
        self.lock().held.clone()
    }

    /// The calls so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// Most calls that were in flight at one time.
    pub fn most_in_flight(&self) -> usize {
        self.lock().most_in_flight
    }

    /// What was wrong with the calls: two calls in flight for one key, mixed mailboxes.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Waits until `count` calls have arrived.
    pub async fn wait_for_calls(&self, count: usize) {
        let mut calls = self.calls.clone();
        let waiting = tokio::time::timeout(PATIENCE, calls.wait_for(|&seen| seen >= count));
        let arrived = matches!(waiting.await, Ok(Ok(_)));
        assert!(arrived, "{count} calls were waited for, {} came", *self.calls.borrow());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Options for a Planner at `service_url`, without TLS files.
pub fn options(service_url: Url) -> PlannerOptions {
    PlannerOptions {
        service_url,
        jobcenter_number: "10100".into(),
        request_user_identifier: "CVR:12345678-FID:1".into(),
        client_name: "kommuneklient test".into(),
        connect_timeout: Duration::from_secs(2),
        answer_limit_bytes: 100_000,
        tls: trust::MutualTls::default(),
        security: crate::Security::Mtls,
        zone: TimeZone::get("Europe/Copenhagen").unwrap_or(TimeZone::UTC),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a call leads to on its connection.
enum Reply {
    Message(u16, Vec<u8>),
    Cut(Vec<u8>),
    Nothing,
    Close,
}

async fn serve(mut socket: TcpStream, state: Arc<Mutex<State>>, counted: Arc<watch::Sender<usize>>) {
    let mut buffer = Vec::new();
    while let Some((headers, body)) = read_request(&mut socket, &mut buffer).await {
        let (reply, pause, keys) = handle(&state, headers, &body);
        counted.send_modify(|count| *count += 1);
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        let reply = match reply {
            Reply::Message(status, body) => Reply::Message(status, sealed(&state, body)),
            other => other,
        };
        let sent = match reply {
            Reply::Message(status, body) => write_reply(&mut socket, status, &body, body.len()).await,
            Reply::Cut(body) => {
                let _ = write_reply(&mut socket, 200, &body[..body.len() / 2], body.len()).await;
                false
            }
            Reply::Nothing => {
                // until the client gives up
                let mut rest = [0; 64];
                while matches!(socket.read(&mut rest).await, Ok(read) if read > 0) {}
                false
            }
            Reply::Close => false,
        };
        let mut state = lock(&state);
        state.calls_in_flight -= 1;
        for key in keys {
            state.in_flight.remove(&key);
        }
        if !sent {
            return;
        }
    }
}

fn sealed(state: &Mutex<State>, body: Vec<u8>) -> Vec<u8> {
    match (&mut lock(state).seal, String::from_utf8(body)) {
        (Some(seal), Ok(text)) => seal(text).into_bytes(),
        (None, Ok(text)) => text.into_bytes(),
        (_, Err(error)) => error.into_bytes(),
    }
}

async fn read_request(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> Option<(HashMap<String, String>, Vec<u8>)> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let headers: HashMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    let end = head_end + 4 + length;
    while buffer.len() < end {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head_end + 4..end].to_vec();
    buffer.drain(..end);
    Some((headers, body))
}

async fn write_reply(socket: &mut TcpStream, status: u16, body: &[u8], announced: usize) -> bool {
    let head =
        format!("HTTP/1.1 {status} Any\r\ncontent-type: text/xml\r\ncontent-length: {announced}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.is_ok() && socket.write_all(body).await.is_ok()
}

fn handle(
    state: &Mutex<State>,
    headers: HashMap<String, String>,
    body: &[u8],
) -> (Reply, Option<Duration>, Vec<Key>) {
    let mut state = lock(state);
    state.calls_in_flight += 1;
    state.most_in_flight = state.most_in_flight.max(state.calls_in_flight);
    let envelope = match proto_planner::decode_request(body, &WireTime::utc()) {
        Ok(envelope) => envelope,
        Err(error) => {
            state.violations.push(format!("unreadable request: {error}"));
            return (Reply::Message(400, Vec::new()), None, Vec::new());
        }
    };
    let keys = note(&mut state, &envelope, headers);
    let asked: Vec<&str> = match &envelope.request {
        Request::GetEvents(query) => query.resources.iter().map(|one| one.email_address.as_str()).collect(),
        _ => Vec::new(),
    };
    let names = keys.iter().map(|(_, origin_id)| origin_id.as_str()).chain(asked);
    let poisoned = names.into_iter().find_map(|name| state.poison.get(name).cloned());
    let behaviour = poisoned.or_else(|| state.script.pop_front()).unwrap_or(Behaviour::Normal);
    let (reply, pause) = perform(&mut state, &envelope.request, behaviour);
    (reply, pause, keys)
}

/// Records the call and what is wrong with it; answers its keys.
fn note(
    state: &mut State,
    envelope: &proto_planner::RequestEnvelope,
    headers: HashMap<String, String>,
) -> Vec<Key> {
    let request = &envelope.request;
    let events: Vec<(Key, Slot)> = request.events().iter().map(|event| (key(event), slot(event))).collect();
    let keys: Vec<Key> = events.iter().map(|(key, _)| key.clone()).collect();
    for key in &keys {
        if !state.in_flight.insert(key.clone()) {
            state.violations.push(format!("two calls in flight for {key:?}"));
        }
        if key.0 != keys[0].0 {
            state.violations.push("mixed mailboxes in a call".into());
        }
    }
    let query = match request {
        Request::GetEvents(query) => Some(query.clone()),
        _ => None,
    };
    let user_full_name = envelope.headers.user_metadata.as_ref().map(|user| user.user_full_name.clone());
    state.seen.push(Seen { operation: request.operation(), events, query, headers, user_full_name });
    keys
}

fn perform(state: &mut State, request: &Request, behaviour: Behaviour) -> (Reply, Option<Duration>) {
    let mut pause = None;
    let reply = match behaviour {
        Behaviour::Normal => message(200, &answer(state, request)),
        Behaviour::Slow(time) => {
            pause = Some(time);
            message(200, &answer(state, request))
        }
        Behaviour::Fault(number) => {
            let details =
                number.map(|number| FaultDetails { error_code: Some(number), ..FaultDetails::default() });
            let fault = PlannerFault { code: FaultCode::Server, text: "words".into(), details };
            let text = proto_planner::encode_fault(&fault).unwrap_or_default();
            Reply::Message(500, text.into_bytes())
        }
        Behaviour::Status(status) => Reply::Message(status, b"<html>no</html>".to_vec()),
        Behaviour::Page(status) => {
            answer(state, request);
            Reply::Message(status, b"<html>no</html>".to_vec())
        }
        Behaviour::Relabelled(status) => message(status, &answer(state, request)),
        Behaviour::Silent { done } => {
            done.then(|| answer(state, request));
            Reply::Nothing
        }
        Behaviour::Close { done } => {
            done.then(|| answer(state, request));
            Reply::Close
        }
        Behaviour::Truncated => match message(200, &answer(state, request)) {
            Reply::Message(_, body) => Reply::Cut(body),
            other => other,
        },
        Behaviour::Garbage => {
            answer(state, request);
            Reply::Message(200, b"this is <not & xml".to_vec())
        }
        Behaviour::Oversized(length) => {
            answer(state, request);
            Reply::Message(200, vec![b' '; length])
        }
        Behaviour::WrongOrder => {
            message(200, &receipts_changed(state, request, |receipts| receipts.reverse()))
        }
        Behaviour::OneLess => message(
            200,
            &receipts_changed(state, request, |receipts| {
                receipts.pop();
            }),
        ),
        Behaviour::Refuse(code) => {
            for event in request.events() {
                let codes = state.codes.entry(event.origin_system_identifier.clone()).or_default();
                codes.push_front(code);
            }
            message(200, &answer(state, request))
        }
    };
    (reply, pause)
}

fn receipts_changed(
    state: &mut State,
    request: &Request,
    change: impl FnOnce(&mut Vec<CalendarEventReceipt>),
) -> Response {
    let mut response = answer(state, request);
    if let Response::CreateEvents(answer) | Response::UpdateEvents(answer) | Response::DeleteEvents(answer) =
        &mut response
    {
        change(&mut answer.receipts);
    }
    response
}

fn message(status: u16, response: &Response) -> Reply {
    Reply::Message(
        status,
        proto_planner::encode_response(response, &WireTime::utc()).unwrap_or_default().into_bytes(),
    )
}

fn answer(state: &mut State, request: &Request) -> Response {
    let call_id = Uuid::new_v4();
    let mut change = |events: &[CalendarEvent]| ChangeAnswer {
        receipts: events.iter().map(|event| receipt(state, request.operation(), event)).collect(),
        call_id,
    };
    match request {
        Request::CreateEvents(events) => Response::CreateEvents(change(events)),
        Request::UpdateEvents(events) => Response::UpdateEvents(change(events)),
        Request::DeleteEvents(events) => Response::DeleteEvents(change(events)),
        Request::GetEvents(query) => {
            Response::GetEvents(EventsAnswer { events: found(state, query), call_id })
        }
        Request::GetResources(_) => {
            let resources = state.resources.clone();
            Response::GetResources(ResourcesAnswer {
                resources,
                unusable: Vec::new(),
                left_out: Vec::new(),
                call_id,
            })
        }
    }
}

fn receipt(state: &mut State, operation: Operation, event: &CalendarEvent) -> CalendarEventReceipt {
    let scripted = state.codes.get_mut(&event.origin_system_identifier).and_then(VecDeque::pop_front);
    let there = state.held.contains_key(&key(event));
    let error_code = match (scripted, operation) {
        (Some(code), _) => code,
        (None, Operation::CreateEvents) if there => 8,
        (None, Operation::UpdateEvents | Operation::DeleteEvents) if !there => 10,
        (None, Operation::DeleteEvents) => {
            state.held.remove(&key(event));
            0
        }
        (None, _) => {
            state.held.insert(key(event), slot(event));
            0
        }
    };
    CalendarEventReceipt {
        planner_resource_identifier: Some(Uuid::from_u128(1)),
        calendar_event_identifier: Uuid::new_v4(),
        received_at: Timestamp::UNIX_EPOCH,
        error_code,
        message: None,
        origin_system_identifier: event.origin_system_identifier.clone(),
        conflict_notification_sent: false,
    }
}

fn found(state: &State, query: &EventsQuery) -> Vec<CalendarEvent> {
    let asked = |mail: &str| query.resources.iter().any(|resource| resource.email_address == mail);
    let in_time = |slot: &Slot| {
        query.start_from.is_none_or(|from| slot.start >= from)
            && query.start_to.is_none_or(|to| slot.start <= to)
    };
    let held = state.held.iter().filter(|((mail, _), slot)| asked(mail) && in_time(slot));
    let rows =
        held.map(|((mail, origin_id), slot)| CalendarEvent::new(mail, origin_id, slot.start, slot.end));
    rows.chain(state.extra.iter().cloned()).collect()
}

fn key(event: &CalendarEvent) -> Key {
    (event.origin_email_address.clone(), event.origin_system_identifier.clone())
}

fn slot(event: &CalendarEvent) -> Slot {
    Slot { start: event.start, end: event.end }
}
