//! CalendarView: everything that overlaps a window, series unfolded; complete but for single items that are
//! named as unreadable, or an error; never a part.
//!
//! A view answers at most 1000 items and spans at most two years. A truncated part is asked for again in
//! halves, down to a limit; parts overlap at their edges (an item that crosses one is in both), so
//! items are told apart by their identifier. Both the number of calls and of items are bounded.
//!
//! RecurrenceId is not reliably given in a view. An unmodified occurrence stands at its original start, so
//! it can do without; for exceptions that lack it GetItem is asked.
//!
//! Failure: an item that cannot be read from the view is asked for by GetItem; when that fails too it is
//! named with its identifier. One that comes without identifier, and one for which the server refuses the whole
//! view (`ErrorItemCorrupt` and its like), is narrowed down by halving, so that the stretch about which nothing
//! can be concluded is short. So is one that makes the answer unreadable as XML (servers have been seen to write
//! characters into identifiers that XML does not have). Narrowing has a budget of its own; a server that refuses
//! everything, or whose answers are all unreadable, is told as the failure of the whole. An answer that is too large is
//! asked for in halves like one that was truncated. What holds for the service or the mailbox is an error of the whole
//! at once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base::Turns;
use calendar::source::{Mailbox, Reading, SourceErrorKind, Unreadable, WindowReading};
use calendar::{Appointment, AppointmentKind, ItemId, Slot, SourceError, codes};
use jiff::Timestamp;
use proto_ews::operation::FoundItems;
use proto_ews::{Item, Response};

use crate::classify::{self, MALFORMED, OVERSIZED, own};
use crate::source::{Exchange, only, ordinary, unexpected};
use crate::transport::Route;
use crate::{appointment, reading, request};

#[cfg(test)]
mod tests;

const OPERATION: &str = "FindItem";
/// Longest part asked for at once; Exchange refuses more than two years.
const PART_MAX: Duration = Duration::from_secs(700 * 24 * 60 * 60);
/// Shortest part: more than 1000 items within a minute are no calendar.
const PART_MIN: Duration = Duration::from_secs(60);
/// Shortest part that something unreadable without identifier is narrowed down to.
const NARROW_MIN: Duration = Duration::from_secs(60 * 60);
/// Most calls that narrow down what is unreadable, for one window.
const NARROWING_MAX: usize = 40;
/// Most answers that cannot be read as XML before one that can: enough to find the one item that spoils them anywhere in
/// a year; a proxy that answers with pages of its own is not asked for long.
const MALFORMED_MAX: usize = 14;
/// Most calls for one window.
const CALLS_MAX: usize = 2_000;
/// Most items of one window; some 25 MB, for each mailbox that is read at one time.
const ITEMS_MAX: usize = 50_000;

pub(crate) async fn read_window(
    exchange: &Exchange,
    mailbox: &Mailbox,
    window: Slot,
    turns: Option<&Turns>,
) -> Result<WindowReading, SourceError> {
    let mut collected = collect(exchange, mailbox, window, turns).await?;
    collected.unreadable.retain(|id, _| !collected.found.contains_key(id));
    second_look(exchange, mailbox, &mut collected, turns).await?;
    let mut found: Vec<Appointment> = collected.found.into_values().collect();
    found.sort_by(|a, b| (a.slot.start, &a.item_id).cmp(&(b.slot.start, &b.item_id)));
    let identified = collected.unreadable.into_iter();
    let mut unreadable: Vec<Unreadable> = identified
        .map(|(id, (stretch, error))| Unreadable { item: Some(id), stretch, error })
        .chain(collected.hidden)
        .collect();
    unreadable.sort_by(|a, b| (a.stretch.start, &a.item).cmp(&(b.stretch.start, &b.item)));
    tell(mailbox, &unreadable);
    Ok(WindowReading { found, unreadable })
}

/// What the parts of a window gave so far.
#[derive(Debug, Default)]
struct Collected {
    found: HashMap<ItemId, Appointment>,
    /// Items that could not be read, with the stretch in which they were met.
    unreadable: BTreeMap<ItemId, (Slot, SourceError)>,
    /// Stretches in which something without identifier could not be read.
    hidden: Vec<Unreadable>,
}

async fn collect(
    exchange: &Exchange,
    mailbox: &Mailbox,
    window: Slot,
    turns: Option<&Turns>,
) -> Result<Collected, SourceError> {
    let mut parts = pieces(window);
    // the last is taken first: keep the order of time
    parts.reverse();
    let mut collected = Collected::default();
    let (mut calls, mut narrowing, mut good) = (0_usize, 0_usize, 0_usize);
    while let Some(part) = parts.pop() {
        calls += 1;
        if calls > CALLS_MAX || collected.found.len() > ITEMS_MAX {
            let text = "the window holds too much";
            return Err(own(OPERATION, SourceErrorKind::TooMuch, "too many items", text));
        }
        let error = match read_part(exchange, mailbox, part, turns).await? {
            Part::Read(spoiled) => {
                good += 1;
                match collected.take(spoiled, part) {
                    None => continue,
                    Some(error) => error,
                }
            }
            Part::Refused(error) if good == 0 && calls > MALFORMED_MAX && error.code == MALFORMED => {
                return Err(error);
            }
            Part::Refused(error) => error,
            Part::Truncated(error) => {
                let (first, second) = halves(part, PART_MIN).ok_or(error)?;
                parts.push(second);
                parts.push(first);
                continue;
            }
        };
        let cut = halves(part, NARROW_MIN).filter(|_| narrowing + 2 <= NARROWING_MAX);
        if let Some((first, second)) = cut {
            narrowing += 2;
            parts.push(second);
            parts.push(first);
        } else {
            collected.hide(part, error);
        }
    }
    match collected.hidden.first() {
        // not one part could be read: that is not one item's fault
        Some(one) if good == 0 => Err(one.error.clone()),
        _ => Ok(collected),
    }
}

impl Collected {
    /// Takes over what a part gave; an error when something in it bears no identifier.
    fn take(&mut self, spoiled: Spoiled, part: Slot) -> Option<SourceError> {
        self.found.reserve(spoiled.found.len());
        self.found.extend(spoiled.found.into_iter().map(|a| (a.item_id.clone(), a)));
        for (id, error) in spoiled.unreadable {
            self.unreadable.entry(id).or_insert((part, error));
        }
        spoiled.hidden
    }

    /// Something without identifier lies in this part; parts come in the order of time, and what crosses from one
    /// into the next is one thing.
    fn hide(&mut self, part: Slot, error: SourceError) {
        match self.hidden.last_mut() {
            Some(last) if last.stretch.end == part.start && last.error.code == error.code => {
                last.stretch.end = part.end;
            }
            _ => self.hidden.push(Unreadable { item: None, stretch: part, error }),
        }
    }
}

/// What one part gave.
enum Part {
    /// All that it holds, but for what could not be read.
    Read(Spoiled),
    /// It holds more than the server tells at once.
    Truncated(SourceError),
    /// The server refuses it because of something in it.
    Refused(SourceError),
}

#[derive(Debug, Default)]
struct Spoiled {
    found: Vec<Appointment>,
    unreadable: Vec<(ItemId, SourceError)>,
    /// Why something without identifier could not be read.
    hidden: Option<SourceError>,
}

async fn read_part(
    exchange: &Exchange,
    mailbox: &Mailbox,
    part: Slot,
    turns: Option<&Turns>,
) -> Result<Part, SourceError> {
    let asked = request::view(exchange.calendar(mailbox), part);
    let answer = match exchange.transport.call(Route { turns, ..ordinary(mailbox) }, asked).await {
        Ok(answer) => answer,
        Err(error) => return part_failed(error),
    };
    let Response::FindItem(messages) = answer.response else { return Err(unexpected(OPERATION)) };
    match only(OPERATION, messages) {
        Ok(found) if !found.includes_last_item_in_range => Ok(Part::Truncated(own(
            OPERATION,
            SourceErrorKind::TooMuch,
            "truncated",
            "more than the server tells at once",
        ))),
        Ok(found) => Ok(Part::Read(appointments(found))),
        Err(error) => part_failed(error),
    }
}

fn part_failed(error: SourceError) -> Result<Part, SourceError> {
    if error.kind == SourceErrorKind::TooMuch || error.code == OVERSIZED {
        Ok(Part::Truncated(error))
    } else if classify::blames_an_item(&error.code) || error.code == MALFORMED {
        Ok(Part::Refused(error))
    } else {
        Err(error)
    }
}

/// Items that are no appointments do not count.
fn appointments(found: FoundItems) -> Spoiled {
    let mut spoiled = Spoiled { found: Vec::with_capacity(found.items.len()), ..Spoiled::default() };
    for mut item in found.items {
        let id = match &mut item {
            Item::Calendar(item) => item.item_id.take(),
            Item::Unreadable { item_id, .. } => item_id.take(),
            Item::Other(_) => continue,
        };
        let id = id.map(|id| ItemId::new(id.id));
        let error = match (item, &id) {
            (Item::Other(_), _) => continue,
            (Item::Calendar(mut item), Some(id)) => match appointment::from_item(id.clone(), &mut item) {
                Ok(appointment) => {
                    spoiled.found.push(appointment);
                    continue;
                }
                Err(missing) => reading::incomplete(OPERATION, missing),
            },
            (Item::Calendar(_), None) => {
                reading::incomplete(OPERATION, appointment::Incomplete("an item without identifier"))
            }
            (Item::Unreadable { .. }, _) => reading::unreadable(OPERATION),
        };
        match id {
            Some(id) => spoiled.unreadable.push((id, error)),
            None => spoiled.hidden = Some(error),
        }
    }
    spoiled
}

/// Asks for the original start of exceptions that came without it, and once more for what was unreadable.
async fn second_look(
    exchange: &Exchange,
    mailbox: &Mailbox,
    collected: &mut Collected,
    turns: Option<&Turns>,
) -> Result<(), SourceError> {
    let lacking = collected
        .found
        .values()
        .filter(|a| a.kind == AppointmentKind::Exception && a.recurrence_id.is_none())
        .map(|a| a.item_id.clone());
    let asked: Vec<ItemId> = lacking.chain(collected.unreadable.keys().cloned()).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let _turn = Turns::take_of(turns).await;
    let readings = match reading::read_items(exchange, mailbox, &asked).await {
        Ok(readings) => readings,
        Err(error) if is_of_the_whole(&error) => return Err(error),
        Err(error) => asked.iter().map(|_| Reading::Failed(error.clone())).collect(),
    };
    for (id, reading) in asked.into_iter().zip(readings) {
        let before = collected.found.remove(&id);
        match reading {
            // a view never shows patterns, GetItem does
            Reading::There(item) if item.kind != AppointmentKind::RecurringMaster => {
                collected.unreadable.remove(&id);
                collected.found.insert(id, item);
            }
            Reading::There(_) | Reading::Elsewhere | Reading::Gone => {
                collected.unreadable.remove(&id);
            }
            Reading::Failed(error) if is_of_the_whole(&error) => return Err(error),
            Reading::Failed(error) => {
                if let Some(item) = before {
                    collected.unreadable.insert(id, (item.slot, error));
                }
            }
        }
    }
    Ok(())
}

/// Does this hold for more than the item that was asked for?
fn is_of_the_whole(error: &SourceError) -> bool {
    error.is_outage() || error.kind == SourceErrorKind::Rediscover
}

fn tell(mailbox: &Mailbox, unreadable: &[Unreadable]) {
    let Some(first) = unreadable.first() else { return };
    tracing::error!(
        event_id = codes::WINDOW_ITEMS_UNREADABLE.id,
        mailbox = %mailbox.address,
        items = unreadable.len(),
        without_identifier = unreadable.iter().filter(|one| one.item.is_none()).count(),
        code = first.error.code,
        "appointments of a calendar cannot be read, they are left as they are"
    );
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

/// The two halves of a part, cut at a whole second; `None` when they would be shorter than `shortest`.
fn halves(part: Slot, shortest: Duration) -> Option<(Slot, Slot)> {
    let length = part.end.as_second() - part.start.as_second();
    if length < 2 * shortest.as_secs() as i64 {
        return None;
    }
    let middle = Timestamp::from_second(part.start.as_second() + length / 2).ok()?;
    Some((Slot { start: part.start, end: middle }, Slot { start: middle, end: part.end }))
}
