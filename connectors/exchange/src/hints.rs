//! The stream of a group: bytes to hints.

use std::sync::Arc;

use calendar::ids::{FolderId, SubscriptionId};
use calendar::source::{Affinity, ChangeKind, Event, EventSubject, Hint, HintStream, SourceErrorKind};
use calendar::{ItemId, SourceError};
use proto_ews::{
    ChangeEvent, ConnectionStatus, EventKind, Response, StreamMessage, StreamSplitter, Target,
    decode_response,
};

use crate::classify::{self, own};
use crate::reply::broken;
use crate::request;
use crate::transport::{Route, Transport};

#[cfg(test)]
mod tests;

const OPERATION: &str = "GetStreamingEvents";

/// Opens the stream of a group and gives its hints. Dropping it closes the connection.
pub(crate) async fn listen(
    transport: &Arc<Transport>,
    affinity: &Affinity,
    ids: &[SubscriptionId],
) -> Result<HintStream, SourceError> {
    if ids.is_empty() || ids.len() > request::STREAM_IDS {
        return Err(own(
            OPERATION,
            SourceErrorKind::OwnBug,
            "wrong count",
            "a stream takes 1 to 200 subscriptions",
        ));
    }
    let route = Route {
        endpoint: &affinity.endpoint,
        mailbox: &affinity.anchor,
        account: None,
        affinity: Some(affinity),
        turns: None,
    };
    let account = affinity.account;
    let asked = request::stream(ids, transport.options.stream_timeout_minutes);
    let mut sent = transport.open_stream(route, asked).await?;
    let transport = Arc::clone(transport);
    let limits = transport.limits();
    Ok(Box::pin(async_stream::stream! {
        let mut splitter = StreamSplitter::new(transport.options.answer_limit_bytes);
        loop {
            let piece = match sent.response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => {
                    yield Err(ended(splitter.is_inside()));
                    return;
                }
                Err(error) => {
                    yield Err(broken(OPERATION, &error));
                    return;
                }
            };
            let envelopes = match splitter.push(&piece) {
                Ok(envelopes) => envelopes,
                Err(error) => {
                    yield Err(own(OPERATION, SourceErrorKind::BadAnswer, "malformed", &error.to_string()));
                    return;
                }
            };
            for envelope in envelopes {
                let told = hints_of(decode_response(&envelope, limits));
                for hint in told.hints {
                    yield Ok(hint);
                }
                if let Some(error) = told.error {
                    transport.learn_from_stream(account, &error);
                    yield Err(error);
                    return;
                }
                if told.closed {
                    yield Ok(Hint::Closed);
                    return;
                }
            }
        }
    }))
}

fn ended(inside: bool) -> SourceError {
    let text =
        if inside { "the stream broke off inside a message" } else { "the stream ended without saying so" };
    own(OPERATION, SourceErrorKind::Unavailable, "stream ended", text)
}

/// What one envelope says.
#[derive(Debug, Default, PartialEq)]
struct Told {
    hints: Vec<Hint>,
    error: Option<SourceError>,
    closed: bool,
}

/// Pure: what an envelope of a stream means.
fn hints_of(envelope: Result<proto_ews::ResponseEnvelope, proto_ews::Error>) -> Told {
    let bad = |code, text: &str| Told {
        error: Some(own(OPERATION, SourceErrorKind::BadAnswer, code, text)),
        ..Told::default()
    };
    let body = match envelope {
        Ok(envelope) => envelope.body,
        Err(error) => return bad("malformed", &error.to_string()),
    };
    let messages = match body {
        Ok(Response::GetStreamingEvents(messages)) => messages,
        Ok(_) => return bad("other operation", "the answer is to another question"),
        Err(fault) => {
            return Told { error: Some(classify::of_fault(OPERATION, &fault)), ..Told::default() };
        }
    };
    let mut told = Told::default();
    for message in messages {
        add(message, &mut told);
    }
    told
}

fn add(message: StreamMessage, told: &mut Told) {
    let before = told.hints.len();
    if message.connection_status == Some(ConnectionStatus::Ok) && message.problem.is_none() {
        told.hints.push(Hint::Opened);
    }
    // events may come beside an error (field note 50); losing them would lose changes
    for notification in message.notifications {
        let events: Vec<Event> = notification.events.into_iter().filter_map(event).collect();
        if !events.is_empty() {
            told.hints.push(Hint::Events(SubscriptionId::new(notification.subscription_id.as_str()), events));
        }
    }
    if let Some(problem) = message.problem {
        let error = classify::of_problem(OPERATION, &problem);
        let ids: Vec<SubscriptionId> =
            message.error_subscription_ids.iter().map(|id| SubscriptionId::new(id.as_str())).collect();
        match error.kind {
            SourceErrorKind::Missed => told.hints.push(Hint::Missed(ids)),
            _ if ids.is_empty() => told.error = Some(error),
            kind => told.hints.push(Hint::BadSubscriptions(ids, kind, error.code)),
        }
    }
    if message.connection_status == Some(ConnectionStatus::Closed) {
        told.closed = true;
    } else if told.hints.len() == before && told.error.is_none() {
        // whatever else it says, the stream lives
        told.hints.push(Hint::Heartbeat);
    }
}

fn event(event: proto_ews::Event) -> Option<Event> {
    match event {
        proto_ews::Event::Status => None,
        proto_ews::Event::Change(change) => change_event(change),
    }
}

fn change_event(change: ChangeEvent) -> Option<Event> {
    let kind = match change.kind {
        EventKind::Created => ChangeKind::Created,
        EventKind::Modified => ChangeKind::Modified,
        EventKind::Deleted => ChangeKind::Deleted,
        EventKind::Moved => ChangeKind::Moved,
        EventKind::Copied => ChangeKind::Copied,
        EventKind::FreeBusyChanged => ChangeKind::FreeBusyChanged,
        EventKind::NewMail => return None,
    };
    let subject = match change.target {
        Target::Item(id) => EventSubject::Item {
            id: ItemId::new(id.id),
            old_id: change.old.and_then(|old| old.item_id().map(|id| ItemId::new(id.id.clone()))),
            old_parent: change.old_parent_folder_id.map(|folder| FolderId::new(folder.id)),
        },
        Target::Folder(id) => EventSubject::Folder(FolderId::new(id.id)),
    };
    Some(Event {
        kind,
        subject,
        parent: Some(FolderId::new(change.parent_folder_id.id)),
        at: Some(change.time_stamp),
    })
}
