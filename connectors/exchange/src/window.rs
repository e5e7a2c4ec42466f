//! CalendarView: everything that overlaps a window, series unfolded; complete or an error, never a part.
//!
//! A view answers at most 1000 items and spans at most two years. A truncated part is asked for again in
//! halves, down to a limit; parts overlap at their edges (an item that crosses one is in both), so
//! items are told apart by their identifier. Both the number of calls and of items are bounded.
//!
//! RecurrenceId is not reliably given in a view. An unmodified occurrence stands at its original start, so
//! it can do without; for exceptions that lack it GetItem is asked.

use std::collections::HashMap;
use std::time::Duration;

use calendar::source::{Mailbox, SourceErrorKind};
use calendar::{Appointment, AppointmentKind, ItemId, Slot, SourceError};
use jiff::Timestamp;
use proto_ews::operation::FoundItems;
use proto_ews::{Item, Response};

use crate::classify::own;
use crate::source::{Exchange, only, ordinary, unexpected};
use crate::{appointment, reading, request};

#[cfg(test)]
mod tests;

const OPERATION: &str = "FindItem";
/// Longest part asked for at once; Exchange refuses more than two years.
const PART_MAX: Duration = Duration::from_secs(700 * 24 * 60 * 60);
/// Shortest part: more than 1000 items within a minute are no calendar.
const PART_MIN: Duration = Duration::from_secs(60);
/// Most calls for one window.
const CALLS_MAX: usize = 2_000;
/// Most items of one window.
const ITEMS_MAX: usize = 500_000;

pub(crate) async fn read_window(
    exchange: &Exchange,
    mailbox: &Mailbox,
    window: Slot,
) -> Result<Vec<Appointment>, SourceError> {
    let mut parts = pieces(window);
    // the last is taken first: keep the order of time
    parts.reverse();
    let mut found: HashMap<ItemId, Appointment> = HashMap::new();
    let mut calls = 0;
    while let Some(part) = parts.pop() {
        calls += 1;
        if calls > CALLS_MAX || found.len() > ITEMS_MAX {
            return Err(own(
                OPERATION,
                SourceErrorKind::TooMuch,
                "too many items",
                "the window holds too much",
            ));
        }
        match read_part(exchange, mailbox, part).await? {
            Part::Whole(appointments) => {
                found.extend(appointments.into_iter().map(|a| (a.item_id.clone(), a)));
            }
            Part::Truncated(error) => {
                let (first, second) = halves(part).ok_or(error)?;
                parts.push(second);
                parts.push(first);
            }
        }
    }
    complete_exceptions(exchange, mailbox, &mut found).await?;
    let mut appointments: Vec<Appointment> = found.into_values().collect();
    appointments.sort_by(|a, b| (a.slot.start, &a.item_id).cmp(&(b.slot.start, &b.item_id)));
    Ok(appointments)
}

enum Part {
    Whole(Vec<Appointment>),
    Truncated(SourceError),
}

async fn read_part(exchange: &Exchange, mailbox: &Mailbox, part: Slot) -> Result<Part, SourceError> {
    let asked = request::view(exchange.calendar(mailbox), part);
    let answer = exchange.transport.call(ordinary(mailbox), asked).await?;
    let Response::FindItem(messages) = answer.response else { return Err(unexpected(OPERATION)) };
    match only(OPERATION, messages) {
        Ok(found) if !found.includes_last_item_in_range => Ok(Part::Truncated(own(
            OPERATION,
            SourceErrorKind::TooMuch,
            "truncated",
            "more than the server tells at once",
        ))),
        Ok(found) => appointments(found).map(Part::Whole),
        Err(error) if error.kind == SourceErrorKind::TooMuch => Ok(Part::Truncated(error)),
        Err(error) => Err(error),
    }
}

/// Items that are no appointments do not count; one that cannot be read makes the whole an error, since what
/// is missing here will be taken for deleted.
fn appointments(found: FoundItems) -> Result<Vec<Appointment>, SourceError> {
    let mut appointments = Vec::with_capacity(found.items.len());
    for item in found.items {
        match item {
            Item::Calendar(item) => {
                let broken = |text| own(OPERATION, SourceErrorKind::OwnBug, "incomplete item", text);
                let id = item.item_id.as_ref().ok_or_else(|| broken("an item without identifier"))?;
                let id = ItemId::new(id.id.clone());
                appointments.push(appointment::from_item(id, &item).map_err(|missing| broken(missing.0))?);
            }
            Item::Other(_) => {}
            Item::Unreadable { .. } => return Err(reading::unreadable(OPERATION)),
        }
    }
    Ok(appointments)
}

/// Asks for the original start of exceptions that came without it.
async fn complete_exceptions(
    exchange: &Exchange,
    mailbox: &Mailbox,
    found: &mut HashMap<ItemId, Appointment>,
) -> Result<(), SourceError> {
    use calendar::source::Reading;
    let lacking: Vec<ItemId> = found
        .values()
        .filter(|a| a.kind == AppointmentKind::Exception && a.recurrence_id.is_none())
        .map(|a| a.item_id.clone())
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let readings = reading::read_items(exchange, mailbox, &lacking).await?;
    for (id, reading) in lacking.into_iter().zip(readings) {
        match reading {
            Reading::There(appointment) => {
                found.insert(id, appointment);
            }
            Reading::Elsewhere | Reading::Gone => {
                found.remove(&id);
            }
            Reading::Failed(error) => return Err(error),
        }
    }
    Ok(())
}

/// The window in parts that a server takes.
fn pieces(window: Slot) -> Vec<Slot> {
    let mut parts = Vec::new();
    let mut start = window.start;
    while start < window.end {
        let end = start.checked_add(PART_MAX).unwrap_or(window.end).min(window.end);
        parts.push(Slot { start, end });
        start = end;
    }
    parts
}

/// The two halves of a part, cut at a whole second; `None` when it is too short to be cut.
fn halves(part: Slot) -> Option<(Slot, Slot)> {
    let length = part.end.as_second() - part.start.as_second();
    if length < 2 * PART_MIN.as_secs() as i64 {
        return None;
    }
    let middle = Timestamp::from_second(part.start.as_second() + length / 2).ok()?;
    Some((Slot { start: part.start, end: middle }, Slot { start: middle, end: part.end }))
}
