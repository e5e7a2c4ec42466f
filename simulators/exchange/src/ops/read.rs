//! FindItem and GetItem.

use std::sync::Arc;

use jiff::{SignedDuration, ToSpan};
use proto_ews::operation::{CalendarView, FindItem, FoundItems, GetItem, View};
use proto_ews::{FolderRef, Item, Problem, ResponseCode, ResponseMessage, Traversal};

use crate::ids::FolderKind;
use crate::mailbox::view;
use crate::ops;
use crate::present::{Subject, Wanted, present};
use crate::service::{Caller, Service};

/// Items that a view without `MaxEntriesReturned` may hold (EWSFindCountLimit).
const FIND_LIMIT: usize = 1_000;
/// Ids in one GetItem.
const IDS_MAX: usize = 1_000;

/// GetItem: one item per id, in the request's order.
pub fn get_item(service: &Service, caller: &Caller, request: &GetItem) -> Vec<ResponseMessage<Vec<Item>>> {
    let wanted = Wanted::of(&request.shape);
    let one = |item| -> Result<Vec<Item>, Problem> {
        let (key, version, appointment, address) = {
            let world = service.world();
            let (key, version, appointment) = ops::item(service, &world, caller, item)?;
            let mailbox = ops::mailbox(&world, key.mailbox)?;
            if mailbox.is_corrupt(key) {
                return Err(ops::corrupt());
            }
            (key, version, appointment, mailbox.address().to_owned())
        };
        let shown = match key.occurrence {
            Some(original) => appointment.occurrence(original).map_err(ops::occurrence_problem)?,
            None => appointment.stored(),
        };
        let subject = Subject { address: &address, key, version, appointment: &appointment };
        Ok(vec![present(&subject, &shown, &wanted).into()])
    };
    let answers = request.item_ids.iter().enumerate().map(|(position, item)| match position < IDS_MAX {
        true => one(item).map_or_else(ResponseMessage::Error, ResponseMessage::Success),
        false => ResponseMessage::Warning { content: None, problem: stopped() },
    });
    answers.collect()
}

fn stopped() -> Problem {
    Problem::new(
        ResponseCode::BATCH_PROCESSING_STOPPED,
        "An internal server error occurred. The operation failed.",
    )
}

/// FindItem: a calendar's window with series expanded, or what a folder stores.
pub fn find_item(service: &Service, caller: &Caller, request: &FindItem) -> Vec<ResponseMessage<FoundItems>> {
    let one = |folder| match &request.view {
        View::Calendar(window) => calendar_view(service, caller, request, folder, *window),
        View::Everything => stored(service, caller, request, folder, (None, 0, true)),
        View::Indexed { max_entries_returned, offset, from_beginning } => {
            stored(service, caller, request, folder, (*max_entries_returned, *offset, *from_beginning))
        }
    };
    let folders = request.parent_folder_ids.iter();
    folders.map(|folder| one(folder).map_or_else(ResponseMessage::Error, ResponseMessage::Success)).collect()
}

fn calendar_view(
    service: &Service,
    caller: &Caller,
    request: &FindItem,
    folder: &FolderRef,
    window: CalendarView,
) -> Result<FoundItems, Problem> {
    check_window(&window)?;
    if request.has_restriction || request.traversal != Traversal::Shallow {
        return Err(Problem::new(
            ResponseCode::INVALID_REQUEST,
            "A calendar view takes neither a restriction nor another traversal.",
        ));
    }
    let (calendar, address, corrupt) = {
        let world = service.world();
        let key = ops::readable_folder(service, &world, caller, folder)?;
        if key.folder != FolderKind::Calendar {
            return Err(Problem::new(
                ResponseCode::CALENDAR_FOLDER_IS_INVALID_FOR_CALENDAR_VIEW,
                "The folder is invalid for a calendar view.",
            ));
        }
        let mailbox = ops::mailbox(&world, key.mailbox)?;
        (mailbox.calendar(), mailbox.address().to_owned(), mailbox.corrupt().clone())
    };
    let all = view(&calendar, window.start, window.end);
    if all.iter().any(|(key, ..)| corrupt.contains(&key.number)) {
        return Err(ops::corrupt());
    }
    let most = match window.max_entries_returned {
        Some(most) => usize::try_from(most).unwrap_or(0).max(1),
        None if all.len() > FIND_LIMIT => return Err(too_many()),
        None => FIND_LIMIT,
    };
    let wanted = Wanted::of(&request.shape).in_view(service.options.sparse_views);
    let items = all.iter().take(most).map(|(key, version, appointment, shown)| {
        let subject = Subject { address: &address, key: *key, version: *version, appointment };
        Item::from(present(&subject, shown, &wanted))
    });
    Ok(FoundItems {
        indexed_paging_offset: None,
        total_items_in_view: i32::try_from(all.len()).ok(),
        includes_last_item_in_range: all.len() <= most,
        items: items.collect(),
    })
}

fn check_window(window: &CalendarView) -> Result<(), Problem> {
    if window.end < window.start {
        return Err(Problem::new(
            ResponseCode::CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE,
            "EndDate is earlier than StartDate.",
        ));
    }
    if window.max_entries_returned.is_some_and(|most| most < 1) {
        return Err(Problem::new(ResponseCode::INVALID_REQUEST, "MaxEntriesReturned is at least 1."));
    }
    // Two years by the calendar, and a day for zones.
    let start = window.start.to_zoned(jiff::tz::TimeZone::UTC);
    let latest = start
        .checked_add(2.years())
        .map(|latest| latest.timestamp())
        .and_then(|latest| latest.checked_add(SignedDuration::from_hours(24)));
    match latest {
        Ok(latest) if window.end > latest => Err(Problem::new(
            ResponseCode::CALENDAR_VIEW_RANGE_TOO_BIG,
            "The specified view range exceeds the maximum range of two years.",
        )),
        _ => Ok(()),
    }
}

fn too_many() -> Problem {
    Problem::new(
        ResponseCode::EXCEEDED_FIND_COUNT_LIMIT,
        "You have exceeded the maximum number of objects that can be returned for the find operation.",
    )
    .with_value("PolicyLimit", FIND_LIMIT.to_string())
}

/// What a folder stores (singles and masters), by start, a page of it.
fn stored(
    service: &Service,
    caller: &Caller,
    request: &FindItem,
    folder: &FolderRef,
    (most, offset, from_beginning): (Option<i32>, i32, bool),
) -> Result<FoundItems, Problem> {
    if request.has_restriction {
        return Err(Problem::new(
            ResponseCode::known("ErrorUnsupportedPathForQuery"),
            "This server answers no restrictions.",
        ));
    }
    let world = service.world();
    let key = ops::readable_folder(service, &world, caller, folder)?;
    let mailbox = ops::mailbox(&world, key.mailbox)?;
    let mut all: Vec<_> = mailbox
        .items()
        .filter(|(_, stored)| stored.folder == key.folder && request.traversal == Traversal::Shallow)
        .map(|(number, stored)| (number, stored.changed_at, Arc::clone(&stored.appointment)))
        .collect();
    all.sort_by_key(|(number, _, appointment)| (appointment.details.start, *number));
    let offset = usize::try_from(offset).unwrap_or(0).min(all.len());
    let most = most.map_or(FIND_LIMIT, |most| usize::try_from(most).unwrap_or(0)).min(FIND_LIMIT);
    let begin = if from_beginning { offset } else { all.len().saturating_sub(offset + most) };
    let page = &all[begin..(begin + most).min(all.len())];
    let wanted = Wanted::of(&request.shape).in_view(service.options.sparse_views);
    let items = page.iter().map(|(number, version, appointment)| {
        let key = mailbox.key_of(*number, key.folder);
        let subject = Subject { address: mailbox.address(), key, version: *version, appointment };
        Item::from(present(&subject, &appointment.stored(), &wanted))
    });
    let next = begin + page.len();
    Ok(FoundItems {
        indexed_paging_offset: i32::try_from(next).ok(),
        total_items_in_view: i32::try_from(all.len()).ok(),
        includes_last_item_in_range: next >= all.len(),
        items: items.collect(),
    })
}
