//! The requests: what is asked, and above all what is not (B6: identifiers, times, free/busy status and
//! what series need; never subject, body, place, categories, sensitivity, people or attachments).

use calendar::source::Mailbox;
use calendar::{ItemId, Slot};
use proto_ews::operation::{
    CalendarView, FindItem, GetFolder, GetItem, GetStreamingEvents, Subscribe, SubscribedFolders,
    SyncFolderItems, Unsubscribe, View,
};
use proto_ews::{
    DistinguishedFolderId, EmailAddress, EventKind, FolderRef, FolderShape, ItemRef, ItemShape, Request,
    Traversal, field,
};

/// Largest page of SyncFolderItems (schema).
pub(crate) const SYNC_PAGE: i32 = 512;
/// Most items that a FindItem answers at once (policy of Exchange).
pub(crate) const VIEW_PAGE: i32 = 1_000;
/// Most items of one GetItem: a batch runs at most a minute on the server.
pub(crate) const ITEM_BATCH: usize = 100;
/// Most subscriptions of one stream.
pub(crate) const STREAM_IDS: usize = 200;

/// What is asked of an appointment.
const APPOINTMENT_FIELDS: [&str; 9] = [
    field::UID,
    field::RECURRENCE_ID,
    field::START,
    field::END,
    field::IS_ALL_DAY_EVENT,
    field::LEGACY_FREE_BUSY_STATUS,
    field::IS_CANCELLED,
    field::CALENDAR_ITEM_TYPE,
    field::START_TIME_ZONE,
];

/// The events that are subscribed to.
const EVENTS: [EventKind; 6] = [
    EventKind::Copied,
    EventKind::Created,
    EventKind::Deleted,
    EventKind::Modified,
    EventKind::Moved,
    EventKind::FreeBusyChanged,
];

/// How a mailbox's calendar is named: by its role; with its owner when nobody is impersonated.
pub(crate) fn calendar_of(mailbox: &Mailbox, impersonate: bool) -> FolderRef {
    FolderRef::Distinguished(DistinguishedFolderId {
        name: "calendar".to_owned(),
        change_key: None,
        mailbox: (!impersonate).then(|| EmailAddress::smtp(mailbox.address.as_str())),
    })
}

pub(crate) fn check(folder: FolderRef) -> Request {
    Request::GetFolder(GetFolder {
        shape: FolderShape::with_fields([field::FOLDER_EFFECTIVE_RIGHTS]),
        folder_ids: vec![folder],
    })
}

pub(crate) fn folder_ids(ids: &[&str]) -> Request {
    Request::GetFolder(GetFolder {
        shape: FolderShape::id_only(),
        folder_ids: ids.iter().map(|id| FolderRef::id(*id)).collect(),
    })
}

pub(crate) fn subscribe(folder: FolderRef) -> Request {
    Request::Subscribe(Subscribe {
        folders: SubscribedFolders::These(vec![folder]),
        event_kinds: EVENTS.to_vec(),
    })
}

pub(crate) fn unsubscribe(id: &calendar::ids::SubscriptionId) -> Request {
    Request::Unsubscribe(Unsubscribe { subscription_id: proto_ews::SubscriptionId::new(id.as_str()) })
}

pub(crate) fn stream(ids: &[calendar::ids::SubscriptionId], minutes: u8) -> Request {
    Request::GetStreamingEvents(GetStreamingEvents {
        subscription_ids: ids.iter().map(|id| proto_ews::SubscriptionId::new(id.as_str())).collect(),
        connection_timeout_minutes: i32::from(minutes),
    })
}

pub(crate) fn changes(folder: FolderRef, state: Option<&calendar::ids::SyncState>) -> Request {
    Request::SyncFolderItems(SyncFolderItems {
        shape: ItemShape::id_only(),
        folder,
        sync_state: state.map(|state| state.as_str().to_owned()),
        ignore: Vec::new(),
        max_changes_returned: SYNC_PAGE,
        sync_scope: None,
    })
}

pub(crate) fn items(ids: &[&ItemId]) -> Request {
    Request::GetItem(GetItem {
        // an item may stand in another folder than the calendar by now; what a view of the calendar shows stands in it
        shape: ItemShape::with_fields(APPOINTMENT_FIELDS.into_iter().chain([field::PARENT_FOLDER_ID])),
        item_ids: ids.iter().map(|id| ItemRef::id(id.as_str())).collect(),
    })
}

pub(crate) fn masters(occurrences: &[&ItemId]) -> Request {
    let of =
        |id: &&ItemId| ItemRef::RecurringMaster { occurrence_id: id.as_str().to_owned(), change_key: None };
    Request::GetItem(GetItem { shape: ItemShape::id_only(), item_ids: occurrences.iter().map(of).collect() })
}

pub(crate) fn view(folder: FolderRef, window: Slot) -> Request {
    Request::FindItem(FindItem {
        traversal: Traversal::Shallow,
        shape: ItemShape::with_fields(APPOINTMENT_FIELDS),
        view: View::Calendar(CalendarView {
            max_entries_returned: Some(VIEW_PAGE),
            start: window.start,
            end: window.end,
        }),
        has_restriction: false,
        parent_folder_ids: vec![folder],
    })
}
