//! GetStreamingEvents: an answer that goes on for minutes, one envelope after the other.
//!
//! `ConnectionStatus OK` at once, then notifications as they happen, a heartbeat (`StatusEvent`) in
//! quiet times, at last `Closed` when the asked-for minutes are over. The body is pulled by the HTTP
//! server: no task of its own, and when the client goes away the body is dropped, which takes the stream
//! off its subscriptions. One timer a stream, none a subscription.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream as FutureStream;
use jiff::Timestamp;
use proto_ews::EventKind;
use proto_ews::operation::GetStreamingEvents;
use proto_ews::{
    ChangeEvent, ConnectionStatus, Event as WireEvent, Fault as SoapFault, FolderId, ItemId, Notification,
    Problem, Response, ResponseCode, ResponseEnvelope, StreamMessage, SubscriptionId, Target,
    encode_response,
};
use simulator_kit::CaptureNumber;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::event::{Event, Object};
use crate::faults::Fault;
use crate::hub::{Batch, MAX_IDS, Output, Refused};
use crate::ids::{
    FolderKey, FolderKind, MailboxKey, STUB_CALENDAR_FOLDER, STUB_FOLDER, STUB_ITEM, STUB_OLD_ITEM,
};
use crate::service::{Caller, Service};

/// How the request is answered.
#[derive(Debug)]
pub enum Opened {
    /// A stream.
    Stream(Box<Pump>),
    /// One envelope about bad subscriptions, and the end.
    Refused(Vec<StreamMessage>),
}

/// Opens a stream, or says why not. The fault is for the whole request.
pub fn open(
    service: &Arc<Service>,
    caller: &Caller,
    request: &GetStreamingEvents,
    capture: Option<CaptureNumber>,
) -> Result<Opened, SoapFault> {
    let minutes = request.connection_timeout_minutes;
    if !(1..=30).contains(&minutes) {
        return Err(SoapFault::new(
            ResponseCode::SCHEMA_VALIDATION,
            "The request failed schema validation: ConnectionTimeout is from 1 to 30.",
        ));
    }
    if request.subscription_ids.is_empty() || request.subscription_ids.len() > MAX_IDS {
        let text = "A stream carries from 1 to 200 subscriptions.";
        return Err(SoapFault::new(ResponseCode::INVALID_REQUEST, text));
    }
    let ids: Vec<String> = request.subscription_ids.iter().map(|id| id.as_str().to_owned()).collect();
    let limit = service.options.streams_per_account;
    let mut world = service.world();
    match world.hub.open(caller.account, caller.back_end, &ids, limit, caller.now) {
        Ok((number, wake)) => {
            world.count_stream();
            drop(world);
            let now = Instant::now();
            let minutes = service.options.stream_minute * minutes.unsigned_abs();
            let place = Place { service: Arc::clone(service), number };
            Ok(Opened::Stream(Box::new(Pump {
                place,
                wake,
                deadline: now + minutes,
                next_beat: now + service.options.heartbeat,
                heartbeat: service.options.heartbeat,
                first: ids.into_iter().next().unwrap_or_default(),
                waiting: VecDeque::from([StreamMessage::status(ConnectionStatus::Ok)]),
                state: State::Open,
                capture,
                part: 0,
            })))
        }
        Err(Refused::Subscriptions(bad)) => Ok(Opened::Refused(
            bad.into_iter()
                .map(|(code, ids)| problem(code, ids.into_iter().map(SubscriptionId::new).collect()))
                .collect(),
        )),
        Err(Refused::TooManyStreams) => Err(too_many(limit)),
    }
}

fn too_many(limit: usize) -> SoapFault {
    let text = "You have exceeded the available concurrent connections for your account.  Try again once \
                your other requests have completed.";
    let detail = format!(
        "This operation exceeds the throttling budget for policy part 'MaxStreamingConcurrency', policy \
         value '{limit}',  Budget type: 'Ews'.  Suggested backoff time 0 ms."
    );
    SoapFault::new(ResponseCode::EXCEEDED_CONNECTION_COUNT, text)
        .with_value("Policy", "MaxStreamingConcurrency")
        .with_value("MaxConcurrencyLimit", limit.to_string())
        .with_value("ErrorMessage", detail)
}

fn problem(code: ResponseCode, ids: Vec<SubscriptionId>) -> StreamMessage {
    let text = match code.as_str() {
        "ErrorSubscriptionNotFound" => "The specified subscription was not found.",
        "ErrorSubscriptionAccessDenied" => "The subscription belongs to another account.",
        "ErrorNewEventStreamConnectionOpened" => {
            "A new event stream connection was opened for the same subscription."
        }
        "ErrorMissedNotificationEvents" => "Events for the subscription were missed.",
        _ => "The subscription has ended.",
    };
    StreamMessage::error(Problem::new(code, text), ids)
}

/// The place of a stream in the hub, given back when the stream is dropped.
#[derive(Debug)]
struct Place {
    service: Arc<Service>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.service.now();
        self.service.world().hub.close(self.number, now);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Silent,
    Ended,
}

/// The connection is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream's connection is cut on purpose")]
pub struct Cut;

/// An open stream that gives envelopes one at a time.
#[derive(Debug)]
pub struct Pump {
    place: Place,
    wake: Arc<Notify>,
    deadline: Instant,
    next_beat: Instant,
    heartbeat: Duration,
    // The subscription under which heartbeats are sent.
    first: String,
    waiting: VecDeque<StreamMessage>,
    state: State,
    capture: Option<CaptureNumber>,
    part: u32,
}

impl Pump {
    /// The envelopes as the body of an answer.
    pub fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Cut>> + 'static {
        futures::stream::unfold(Some(self), |pump| async move {
            let mut pump = pump?;
            match pump.next().await {
                Some(Ok(envelope)) => Some((Ok(envelope), Some(pump))),
                Some(Err(cut)) => Some((Err(cut), None)),
                None => None,
            }
        })
    }

    /// The next envelope; `None` at the end.
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(self.encode(message));
            }
            match self.state {
                State::Ended => return None,
                State::Silent => {
                    self.wake.notified().await;
                    // Swallows what has come for it.
                    self.collect();
                }
                State::Open => match self.collect() {
                    Output::Nothing => self.wait().await,
                    Output::Events(events) => match self.place.service.faults.of_delivery() {
                        Some(fault) => {
                            self.place.service.world().count_injected(fault.name());
                            match fault {
                                Fault::SilenceStream => self.state = State::Silent,
                                Fault::DropStream => return Some(Err(Cut)),
                                Fault::DelayStream { delay_ms } => {
                                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                                    self.waiting.push_back(notifications(events));
                                }
                                other => {
                                    let envelope = notifications(events);
                                    return Some(self.spoiled(envelope, &other));
                                }
                            }
                        }
                        None => self.waiting.push_back(notifications(events)),
                    },
                    Output::Problem(code, ids) => self.waiting.push_back(problem(code, wire_ids(&ids))),
                    Output::Last(code, ids) => {
                        self.waiting.push_back(problem(code, wire_ids(&ids)));
                        self.state = State::Ended;
                    }
                    Output::Silence => self.state = State::Silent,
                    Output::Cut => return Some(Err(Cut)),
                },
            }
        }
    }

    fn collect(&self) -> Output {
        self.place.service.world().hub.collect(self.place.number)
    }

    /// Waits for something to send; time passing is something too.
    async fn wait(&mut self) {
        let until = self.deadline.min(self.next_beat);
        tokio::select! {
            () = self.wake.notified() => {}
            () = tokio::time::sleep_until(until) => {
                if until == self.deadline {
                    self.waiting.push_back(StreamMessage::status(ConnectionStatus::Closed));
                    self.state = State::Ended;
                } else {
                    self.next_beat = until + self.heartbeat;
                    self.waiting.push_back(StreamMessage::notifications(vec![Notification {
                        subscription_id: SubscriptionId::new(self.first.clone()),
                        more_events: None,
                        events: vec![WireEvent::Status],
                    }]));
                }
            }
        }
    }

    /// What stands on the stream instead of this message. Against every schema, so it is not captured.
    fn spoiled(&mut self, message: StreamMessage, fault: &Fault) -> Result<Bytes, Cut> {
        self.next_beat = Instant::now() + self.heartbeat;
        let mut text = written(message)?;
        match fault {
            Fault::PageOnStream => text = "<html><body><h2>Bad Gateway</h2></body></html>".to_owned(),
            Fault::OversizedEnvelope { bytes } => {
                // white space before the last end tag is well-formed: only the size is wrong
                let end = text.rfind("</").unwrap_or(text.len());
                text.insert_str(end, &" ".repeat(*bytes));
            }
            _ => {
                text.truncate(text.len() / 2);
                self.state = State::Ended;
            }
        }
        Ok(Bytes::from(text))
    }

    fn encode(&mut self, message: StreamMessage) -> Result<Bytes, Cut> {
        self.next_beat = Instant::now() + self.heartbeat;
        let text = written(message)?;
        if let (Some(number), Some(capture)) = (self.capture, &self.place.service.capture) {
            self.part += 1;
            capture.response_part(number, self.part, text.as_bytes());
        }
        Ok(Bytes::from(text))
    }
}

fn notifications(batches: Vec<Batch>) -> StreamMessage {
    let notification = |batch: Batch| Notification {
        subscription_id: SubscriptionId::new(&*batch.id),
        more_events: batch.more.then_some(true),
        events: batch
            .events
            .iter()
            .map(|event| WireEvent::Change(on_the_wire(event, batch.mailbox)))
            .collect(),
    };
    StreamMessage::notifications(batches.into_iter().map(notification).collect())
}

fn written(message: StreamMessage) -> Result<String, Cut> {
    let envelope = ResponseEnvelope {
        server_version: Some(crate::server::server_version()),
        body: Ok(Response::GetStreamingEvents(vec![message])),
    };
    encode_response(&envelope).map_err(|error| {
        tracing::error!(%error, "a stream's envelope could not be written");
        Cut
    })
}

fn wire_ids(ids: &[Arc<str>]) -> Vec<SubscriptionId> {
    ids.iter().map(|id| SubscriptionId::new(&**id)).collect()
}

/// An event with the stub change keys that real servers put there (field note 7).
fn on_the_wire(event: &Event, mailbox: MailboxKey) -> ChangeEvent {
    let folder = |folder: FolderKind| FolderId::new(FolderKey { mailbox, folder }.encode());
    let parent = |kind| folder(kind).with_change_key(STUB_FOLDER);
    let target = match event.object {
        Object::Item(key) => Target::Item(ItemId::new(key.encode()).with_change_key(STUB_ITEM)),
        Object::Folder(kind) => Target::Folder(folder(kind).with_change_key(STUB_CALENDAR_FOLDER)),
    };
    let old =
        |key: crate::ids::ItemKey| Target::Item(ItemId::new(key.encode()).with_change_key(STUB_OLD_ITEM));
    ChangeEvent {
        kind: event.kind,
        time_stamp: whole_seconds(event.at),
        target,
        parent_folder_id: parent(event.parent),
        old: event.old.map(|(key, _)| old(key)),
        old_parent_folder_id: event.old.map(|(_, kind)| parent(kind)),
        // Calendars never carried it (field note 12).
        unread_count: (event.kind == EventKind::NewMail).then_some(0),
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
