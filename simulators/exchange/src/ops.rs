//! The operations: what each request is answered with.
//!
//! Each module takes the shared [`Service`], the [`Caller`] and the decoded request, and answers response
//! messages in the request's order. Errors of single ids are response messages; whatever concerns the
//! whole request is a fault and has been settled before (authentication, impersonation, throttling).

pub mod folders;
pub mod read;
pub mod subscribe;
pub mod sync;
pub mod write;

use std::sync::Arc;

use proto_ews::{FolderRef, ItemRef, Problem, Request, Response, ResponseCode};

use crate::ids::{FolderKey, FolderKind, ItemKey, MailboxKey};
use crate::item::{Appointment, OccurrenceError};
use crate::mailbox::{Access, Mailbox};
use crate::service::{Caller, Service, World};

/// Answers every operation but GetStreamingEvents, which is no single answer; `None` for that one.
pub fn answer(service: &Service, caller: &Caller, request: &Request) -> Option<Response> {
    Some(match request {
        Request::GetFolder(request) => Response::GetFolder(folders::get_folder(service, caller, request)),
        Request::ResolveNames(request) => Response::ResolveNames(folders::resolve_names(service, request)),
        Request::ConvertId(request) => Response::ConvertId(folders::convert_id(service, request)),
        Request::Subscribe(request) => Response::Subscribe(subscribe::subscribe(service, caller, request)),
        Request::Unsubscribe(request) => {
            Response::Unsubscribe(subscribe::unsubscribe(service, caller, request))
        }
        Request::SyncFolderItems(request) => {
            Response::SyncFolderItems(sync::sync_folder_items(service, caller, request))
        }
        Request::FindItem(request) => Response::FindItem(read::find_item(service, caller, request)),
        Request::GetItem(request) => Response::GetItem(read::get_item(service, caller, request)),
        Request::CreateItem(request) => Response::CreateItem(write::create_item(service, caller, request)),
        Request::UpdateItem(request) => Response::UpdateItem(write::update_item(service, caller, request)),
        Request::DeleteItem(request) => Response::DeleteItem(write::delete_item(service, caller, request)),
        Request::MoveItem(request) => Response::MoveItem(write::move_item(service, caller, request)),
        Request::GetStreamingEvents(_) => return None,
    })
}

/// The folder that a request means, when the caller may use it.
pub(crate) fn folder(
    service: &Service,
    world: &World,
    caller: &Caller,
    folder: &FolderRef,
) -> Result<FolderKey, Problem> {
    let key = match folder {
        FolderRef::Id(id) => FolderKey::parse(&id.id).map_err(|_| malformed())?,
        FolderRef::Distinguished(id) => {
            let named = id.mailbox.as_ref().and_then(|mailbox| mailbox.address.as_deref());
            let mailbox = match (named, caller.acting) {
                (Some(address), _) => MailboxKey::of(address),
                (None, Some(acting)) => acting,
                // The account's own mailbox; usually it has none.
                (None, None) => own_mailbox(service, caller),
            };
            let folder = FolderKind::from_distinguished(&id.name).ok_or_else(no_folder)?;
            FolderKey { mailbox, folder }
        }
    };
    service.permitted(world, caller, key.mailbox)?;
    let refused = mailbox(world, key.mailbox)?.access == Access::FolderNotFound;
    if refused && key.folder == FolderKind::Calendar {
        return Err(no_folder());
    }
    Ok(key)
}

/// Like [`folder`], for what reads it or listens to it.
pub(crate) fn readable_folder(
    service: &Service,
    world: &World,
    caller: &Caller,
    wanted: &FolderRef,
) -> Result<FolderKey, Problem> {
    let key = folder(service, world, caller, wanted)?;
    may_read(world, caller, key.mailbox).map(|()| key)
}

/// Free and busy is all that some give to others.
fn may_read(world: &World, caller: &Caller, key: MailboxKey) -> Result<(), Problem> {
    let only_availability = mailbox(world, key)?.access == Access::AvailabilityOnly;
    if only_availability && caller.acting.is_none() { Err(denied()) } else { Ok(()) }
}

pub(crate) fn denied() -> Problem {
    Problem::new(ResponseCode::ACCESS_DENIED, "Access is denied. Check credentials and try again.")
}

pub(crate) fn corrupt() -> Problem {
    Problem::new(ResponseCode::known("ErrorItemCorrupt"), "The item is corrupt.")
}

fn own_mailbox(service: &Service, caller: &Caller) -> MailboxKey {
    let name = service.accounts.get(caller.account).map(String::as_str).unwrap_or_default();
    let local = name.rsplit('\\').next().unwrap_or_default();
    match local.contains('@') {
        true => MailboxKey::of(local),
        false => MailboxKey::of(&format!("{local}@{}", service.options.domain)),
    }
}

/// The mailbox of a key that has been permitted.
pub(crate) fn mailbox(world: &World, key: MailboxKey) -> Result<&Mailbox, Problem> {
    world
        .mailboxes
        .get(&key)
        .ok_or_else(|| Problem::new(ResponseCode::NON_EXISTENT_MAILBOX, "The mailbox does not exist."))
}

/// The item that a request means, when the caller may use it: its key (with the original start of an
/// occurrence) and the appointment as it is now.
pub(crate) fn item(
    service: &Service,
    world: &World,
    caller: &Caller,
    item: &ItemRef,
) -> Result<(ItemKey, u64, Arc<Appointment>), Problem> {
    let (text, index) = match item {
        ItemRef::Item(id) => (&id.id, None),
        ItemRef::Occurrence { recurring_master_id, instance_index, .. } => {
            (recurring_master_id, Some(*instance_index))
        }
        ItemRef::RecurringMaster { occurrence_id, .. } => (occurrence_id, None),
    };
    let mut key = ItemKey::parse(text).map_err(|_| malformed())?;
    service.permitted(world, caller, key.mailbox)?;
    may_read(world, caller, key.mailbox)?;
    let stored = mailbox(world, key.mailbox)?.find(key).ok_or_else(no_item)?;
    let appointment = Arc::clone(&stored.appointment);
    match item {
        ItemRef::RecurringMaster { .. } => {
            if appointment.repetition.is_none() || key.occurrence.is_none() {
                return Err(Problem::new(
                    ResponseCode::known("ErrorCalendarIsNotOccurrence"),
                    "The id is not that of an occurrence.",
                ));
            }
            key = key.master();
        }
        _ => {
            if let Some(index) = index {
                let index = usize::try_from(index).unwrap_or(0);
                key = key.master().at(appointment.original_at(index).map_err(occurrence_problem)?);
            }
            if let Some(original) = key.occurrence {
                // An id of an occurrence that is gone names nothing; an index says what became of it.
                appointment.occurrence(original).map_err(|error| match index {
                    Some(_) => occurrence_problem(error),
                    None => no_item(),
                })?;
            }
        }
    }
    Ok((key, stored.changed_at, appointment))
}

pub(crate) fn occurrence_problem(error: OccurrenceError) -> Problem {
    match error {
        OccurrenceError::Deleted => Problem::new(
            ResponseCode::CALENDAR_OCCURRENCE_IS_DELETED_FROM_RECURRENCE,
            "The occurrence has been deleted from the recurrence.",
        ),
        OccurrenceError::Unknown => Problem::new(
            ResponseCode::CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE,
            "Occurrence index is out of recurrence range.",
        ),
        OccurrenceError::NotRecurring => Problem::new(
            ResponseCode::known("ErrorCalendarIsNotRecurringMaster"),
            "The item is not a recurring master.",
        ),
    }
}

pub(crate) fn malformed() -> Problem {
    Problem::new(ResponseCode::INVALID_ID_MALFORMED, "Id is malformed.")
}

pub(crate) fn no_item() -> Problem {
    Problem::new(ResponseCode::ITEM_NOT_FOUND, "The specified object was not found in the store.")
}

pub(crate) fn no_folder() -> Problem {
    Problem::new(ResponseCode::FOLDER_NOT_FOUND, "The specified folder could not be found in the store.")
}

#[cfg(test)]
mod tests;
