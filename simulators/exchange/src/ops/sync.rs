//! SyncFolderItems.

use proto_ews::operation::{SyncChange, SyncFolderItems, SyncPage};
use proto_ews::{Item, ItemId, Problem, ResponseCode, ResponseMessage};

use crate::ids::{STUB_OLD_ITEM, SyncState};
use crate::mailbox::Change;
use crate::ops;
use crate::present::{Subject, Wanted, present};
use crate::service::{Caller, Service};

/// Changes in one answer, at most (the schema's limit too).
const CHANGES_MAX: i32 = 512;

/// SyncFolderItems: stored items only, newest first.
pub fn sync_folder_items(
    service: &Service,
    caller: &Caller,
    request: &SyncFolderItems,
) -> Vec<ResponseMessage<SyncPage>> {
    vec![page(service, caller, request).map_or_else(ResponseMessage::Error, ResponseMessage::Success)]
}

fn page(service: &Service, caller: &Caller, request: &SyncFolderItems) -> Result<SyncPage, Problem> {
    let world = service.world();
    let folder = ops::readable_folder(service, &world, caller, &request.folder)?;
    let mailbox = ops::mailbox(&world, folder.mailbox)?;
    let state = match request.sync_state.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(SyncState::parse(text).map_err(|_| invalid_state())?),
        None => None,
    };
    let limit = usize::try_from(request.max_changes_returned.clamp(1, CHANGES_MAX)).unwrap_or(1);
    let page = mailbox.sync(folder.folder, state, limit).map_err(|_| invalid_state())?;
    let wanted = Wanted::of(&request.shape);
    let show = |number: u64| -> Option<Item> {
        let stored = mailbox.item(number)?;
        let subject = Subject {
            address: mailbox.address(),
            key: mailbox.key_of(number, stored.folder),
            version: stored.changed_at,
            appointment: &stored.appointment,
        };
        Some(present(&subject, &stored.appointment.stored(), &wanted).into())
    };
    let ignored = |change: &Change| {
        let key = match change {
            Change::Create(number) | Change::Update(number) => mailbox.key_of(*number, folder.folder),
            Change::Delete(key) => *key,
        };
        !request.ignore.is_empty() && request.ignore.iter().any(|id| id.id == key.encode())
    };
    let changes = page.changes.iter().filter(|change| !ignored(change)).filter_map(|change| match change {
        Change::Create(number) => show(*number).map(SyncChange::Create),
        Change::Update(number) => show(*number).map(SyncChange::Update),
        Change::Delete(key) => {
            Some(SyncChange::Delete(ItemId::new(key.encode()).with_change_key(STUB_OLD_ITEM)))
        }
    });
    Ok(SyncPage {
        changes: changes.collect(),
        sync_state: page.next.encode(),
        includes_last_item_in_range: page.last,
    })
}

fn invalid_state() -> Problem {
    Problem::new(
        ResponseCode::INVALID_SYNC_STATE_DATA,
        "Synchronization state data is corrupt or otherwise invalid.",
    )
}
