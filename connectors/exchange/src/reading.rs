//! GetItem in batches: items by identifier, and the masters of occurrences.
//!
//! Answers are matched by position. A batch that the server stops half-way (`ErrorBatchProcessingStopped`)
//! is sent again for the rest, as long as each round brings something.

use calendar::ids::FolderId;
use calendar::source::{Mailbox, Reading, SourceErrorKind};
use calendar::{ItemId, SourceError};
use proto_ews::{Item, Problem, Request, Response, ResponseCode, ResponseMessage};

use crate::appointment::{self, Incomplete};
use crate::classify::{self, own};
use crate::request;
use crate::source::{Exchange, ordinary, unexpected};

const OPERATION: &str = "GetItem";

type ItemMessage = ResponseMessage<Vec<Item>>;

pub(crate) async fn read_items(
    exchange: &Exchange,
    mailbox: &Mailbox,
    items: &[ItemId],
) -> Result<Vec<Reading>, SourceError> {
    let mut readings = Vec::with_capacity(items.len());
    for batch in items.chunks(request::ITEM_BATCH) {
        let batch: Vec<&ItemId> = batch.iter().collect();
        let messages = match all_messages(exchange, mailbox, &batch, request::items).await {
            Ok(messages) => messages,
            // what was read already is not thrown away
            Err(error) if !readings.is_empty() => {
                readings.extend(batch.iter().map(|_| Reading::Failed(error.clone())));
                continue;
            }
            Err(error) => return Err(error),
        };
        for (id, message) in batch.into_iter().zip(messages) {
            readings.push(reading(exchange, mailbox, id, message).await);
        }
    }
    whole_or_error(readings)
}

/// Nothing was read and the service is at fault: that is an error of the whole, not of each item.
fn whole_or_error(readings: Vec<Reading>) -> Result<Vec<Reading>, SourceError> {
    let outage = |reading: &Reading| matches!(reading, Reading::Failed(error) if error.is_outage());
    match readings.first() {
        Some(Reading::Failed(error)) if readings.iter().all(outage) => Err(error.clone()),
        _ => Ok(readings),
    }
}

async fn reading(exchange: &Exchange, mailbox: &Mailbox, id: &ItemId, message: ItemMessage) -> Reading {
    let mut found = match one_item(message) {
        Ok(Some(item)) => item,
        Ok(None) => return Reading::Gone,
        Err(error) if error.kind == SourceErrorKind::Gone => return Reading::Gone,
        Err(error) => return Reading::Failed(error),
    };
    let Some(parent) = found.parent_folder_id.as_ref() else {
        return Reading::Failed(incomplete(OPERATION, Incomplete("an item without its folder")));
    };
    match exchange.is_calendar(mailbox, &FolderId::new(parent.id.clone())).await {
        Ok(true) => match appointment::from_item(id.clone(), &mut found) {
            Ok(appointment) => Reading::There(appointment),
            Err(missing) => Reading::Failed(incomplete(OPERATION, missing)),
        },
        Ok(false) => Reading::Elsewhere,
        Err(error) => Reading::Failed(error),
    }
}

/// The calendar item of a message; `None` when it is something else (a meeting request, say).
fn one_item(message: ItemMessage) -> Result<Option<Box<proto_ews::CalendarItem>>, SourceError> {
    let items = message.into_result().map_err(|problem| classify::of_problem(OPERATION, &problem))?;
    match items.into_iter().next() {
        Some(Item::Calendar(item)) => Ok(Some(item)),
        Some(Item::Other(_)) => Ok(None),
        Some(Item::Unreadable { .. }) => Err(unreadable(OPERATION)),
        None => Err(own(OPERATION, SourceErrorKind::BadAnswer, "incomplete", "a success without item")),
    }
}

/// A value of one item cannot be read. That is a fault of this item alone, so it must not look like an outage.
pub(crate) fn unreadable(operation: &'static str) -> SourceError {
    own(operation, SourceErrorKind::OwnBug, "unreadable item", "a value of the item does not fit its type")
}

/// An item lacks what every calendar item has.
pub(crate) fn incomplete(operation: &'static str, missing: Incomplete) -> SourceError {
    own(operation, SourceErrorKind::OwnBug, "incomplete item", missing.0)
}

pub(crate) async fn masters_of(
    exchange: &Exchange,
    mailbox: &Mailbox,
    occurrences: &[ItemId],
) -> Result<Vec<Option<ItemId>>, SourceError> {
    let mut masters = Vec::with_capacity(occurrences.len());
    for batch in occurrences.chunks(request::ITEM_BATCH) {
        let batch: Vec<&ItemId> = batch.iter().collect();
        for message in all_messages(exchange, mailbox, &batch, request::masters).await? {
            match message.into_result() {
                Ok(items) => {
                    let id = items.first().and_then(Item::item_id);
                    masters.push(id.map(|id| ItemId::new(id.id.clone())));
                }
                Err(problem) => {
                    let error = classify::of_problem(OPERATION, &problem);
                    if error.is_outage() {
                        return Err(error);
                    }
                    // gone, or no occurrence: the source does not know a master
                    masters.push(None);
                }
            }
        }
    }
    Ok(masters)
}

/// Sends a batch until each identifier has its message.
async fn all_messages(
    exchange: &Exchange,
    mailbox: &Mailbox,
    batch: &[&ItemId],
    ask: impl Fn(&[&ItemId]) -> Request,
) -> Result<Vec<ItemMessage>, SourceError> {
    let mut done: Vec<ItemMessage> = Vec::with_capacity(batch.len());
    while done.len() < batch.len() {
        let rest = &batch[done.len()..];
        let answer = exchange.transport.call(ordinary(mailbox), ask(rest)).await;
        let messages = match answer {
            Ok(answer) => match answer.response {
                Response::GetItem(messages) => messages,
                _ => return Err(unexpected(OPERATION)),
            },
            Err(error) => return Err(error),
        };
        if messages.len() != rest.len() {
            let text = "not one message for each item";
            return Err(own(OPERATION, SourceErrorKind::BadAnswer, "wrong count", text));
        }
        let before = done.len();
        done.extend(messages.into_iter().take_while(|message| !is_stopped(message.problem())));
        if done.len() == before {
            let text = "the server stopped the batch before its first item";
            return Err(own(OPERATION, SourceErrorKind::Unavailable, "ErrorBatchProcessingStopped", text));
        }
    }
    Ok(done)
}

fn is_stopped(problem: Option<&Problem>) -> bool {
    problem.is_some_and(|problem| problem.code == ResponseCode::BATCH_PROCESSING_STOPPED)
}
