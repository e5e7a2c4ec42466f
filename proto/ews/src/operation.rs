//! The operations: what is asked and what is answered. Response messages come in the order of the
//! request's ids.

use jiff::Timestamp;

use crate::{
    CalendarItem, ConflictResolution, DeleteType, EmailAddress, EventKind, Folder, FolderRef, FolderShape,
    Item, ItemId, ItemRef, ItemShape, PropertyPath, ResponseMessage, StreamMessage, SubscriptionId,
    Traversal,
};

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `GetFolder`.
    GetFolder(GetFolder),
    /// `ResolveNames`.
    ResolveNames(ResolveNames),
    /// `ConvertId`.
    ConvertId(ConvertId),
    /// `Subscribe`, streaming.
    Subscribe(Subscribe),
    /// `GetStreamingEvents`.
    GetStreamingEvents(GetStreamingEvents),
    /// `Unsubscribe`.
    Unsubscribe(Unsubscribe),
    /// `SyncFolderItems`.
    SyncFolderItems(SyncFolderItems),
    /// `FindItem`.
    FindItem(FindItem),
    /// `GetItem`.
    GetItem(GetItem),
    /// `CreateItem`.
    CreateItem(CreateItem),
    /// `UpdateItem`.
    UpdateItem(UpdateItem),
    /// `DeleteItem`.
    DeleteItem(DeleteItem),
    /// `MoveItem`.
    MoveItem(MoveItem),
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// `GetFolderResponse`: one folder per success.
    GetFolder(Vec<ResponseMessage<Vec<Folder>>>),
    /// `ResolveNamesResponse`.
    ResolveNames(Vec<ResponseMessage<ResolutionSet>>),
    /// `ConvertIdResponse`.
    ConvertId(Vec<ResponseMessage<AlternateId>>),
    /// `SubscribeResponse`.
    Subscribe(Vec<ResponseMessage<SubscriptionId>>),
    /// `GetStreamingEventsResponse`, one of the envelopes of a stream.
    GetStreamingEvents(Vec<StreamMessage>),
    /// `UnsubscribeResponse`.
    Unsubscribe(Vec<ResponseMessage<()>>),
    /// `SyncFolderItemsResponse`.
    SyncFolderItems(Vec<ResponseMessage<SyncPage>>),
    /// `FindItemResponse`.
    FindItem(Vec<ResponseMessage<FoundItems>>),
    /// `GetItemResponse`: one item per success.
    GetItem(Vec<ResponseMessage<Vec<Item>>>),
    /// `CreateItemResponse`: one item per success, none when nothing was saved.
    CreateItem(Vec<ResponseMessage<Vec<Item>>>),
    /// `UpdateItemResponse`.
    UpdateItem(Vec<ResponseMessage<UpdatedItems>>),
    /// `DeleteItemResponse`.
    DeleteItem(Vec<ResponseMessage<()>>),
    /// `MoveItemResponse`: the item under its new identifier.
    MoveItem(Vec<ResponseMessage<Vec<Item>>>),
}

impl Request {
    /// Local name of its element.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetFolder(_) => "GetFolder",
            Self::ResolveNames(_) => "ResolveNames",
            Self::ConvertId(_) => "ConvertId",
            Self::Subscribe(_) => "Subscribe",
            Self::GetStreamingEvents(_) => "GetStreamingEvents",
            Self::Unsubscribe(_) => "Unsubscribe",
            Self::SyncFolderItems(_) => "SyncFolderItems",
            Self::FindItem(_) => "FindItem",
            Self::GetItem(_) => "GetItem",
            Self::CreateItem(_) => "CreateItem",
            Self::UpdateItem(_) => "UpdateItem",
            Self::DeleteItem(_) => "DeleteItem",
            Self::MoveItem(_) => "MoveItem",
        }
    }
}

impl Response {
    /// Name of the operation that it answers, as [`Request::name`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetFolder(_) => "GetFolder",
            Self::ResolveNames(_) => "ResolveNames",
            Self::ConvertId(_) => "ConvertId",
            Self::Subscribe(_) => "Subscribe",
            Self::GetStreamingEvents(_) => "GetStreamingEvents",
            Self::Unsubscribe(_) => "Unsubscribe",
            Self::SyncFolderItems(_) => "SyncFolderItems",
            Self::FindItem(_) => "FindItem",
            Self::GetItem(_) => "GetItem",
            Self::CreateItem(_) => "CreateItem",
            Self::UpdateItem(_) => "UpdateItem",
            Self::DeleteItem(_) => "DeleteItem",
            Self::MoveItem(_) => "MoveItem",
        }
    }
}

/// Asks for folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetFolder {
    /// What to tell of them.
    pub shape: FolderShape,
    /// Which; at least one.
    pub folder_ids: Vec<FolderRef>,
}

/// Asks whose address a name or address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveNames {
    /// Tell the contact's data too.
    pub return_full_contact_data: bool,
    /// `ActiveDirectory`, `ActiveDirectoryContacts`, `Contacts`, `ContactsActiveDirectory`.
    pub search_scope: Option<String>,
    /// Folders of contacts to look in.
    pub parent_folder_ids: Vec<FolderRef>,
    /// The name; `smtp:` before an address makes the search exact.
    pub unresolved_entry: String,
}

/// What a name resolved to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolutionSet {
    /// How many there are.
    pub total_items_in_view: Option<i32>,
    /// All of them are here?
    pub includes_last_item_in_range: Option<bool>,
    /// The mailboxes; contacts' data is read over.
    pub mailboxes: Vec<EmailAddress>,
}

/// Asks for identifiers in another format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertId {
    /// `EwsId`, `EntryId`, `HexEntryId`, `StoreId`, `OwaId`, `EwsLegacyId`.
    pub destination_format: String,
    /// The identifiers; at least one. Those of public folders are read over.
    pub source_ids: Vec<AlternateId>,
}

/// An identifier in a named format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternateId {
    /// Format.
    pub format: String,
    /// Identifier.
    pub id: String,
    /// Address of the mailbox.
    pub mailbox: String,
    /// In the archive?
    pub is_archive: Option<bool>,
}

/// Asks for a streaming subscription of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Where.
    pub folders: SubscribedFolders,
    /// What.
    pub event_kinds: Vec<EventKind>,
}

/// The folders of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscribedFolders {
    /// `SubscribeToAllFolders`.
    All,
    /// These.
    These(Vec<FolderRef>),
}

/// Opens a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetStreamingEvents {
    /// At most 200 (Exchange's limit).
    pub subscription_ids: Vec<SubscriptionId>,
    /// When the server ends the stream: 1 to 30 minutes.
    pub connection_timeout_minutes: i32,
}

/// Ends a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Which.
    pub subscription_id: SubscriptionId,
}

/// Asks what changed in a folder since a sync state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncFolderItems {
    /// What to tell of the items.
    pub shape: ItemShape,
    /// The folder.
    pub folder: FolderRef,
    /// Where to go on; absent the first time.
    pub sync_state: Option<String>,
    /// Items not to be told.
    pub ignore: Vec<ItemId>,
    /// 1 to 512.
    pub max_changes_returned: i32,
    /// `NormalItems` or `NormalAndAssociatedItems`.
    pub sync_scope: Option<String>,
}

/// One page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPage {
    /// Where to go on after this page; to be kept only when the page is durable.
    pub sync_state: String,
    /// No more pages?
    pub includes_last_item_in_range: bool,
    /// The changes; newest first from Exchange.
    pub changes: Vec<SyncChange>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncChange {
    /// New in the folder.
    Create(Item),
    /// Changed.
    Update(Item),
    /// Gone from the folder.
    Delete(ItemId),
    /// Read or unread.
    ReadFlagChange {
        /// Which.
        item_id: ItemId,
        /// Read?
        is_read: bool,
    },
}

/// Asks for items of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindItem {
    /// Which items of a folder.
    pub traversal: Traversal,
    /// What to tell of them.
    pub shape: ItemShape,
    /// Which part.
    pub view: View,
    /// The request holds a restriction, grouping or query, which are not decoded: a simulator should refuse it.
    /// Never written.
    pub has_restriction: bool,
    /// Folders; at least one.
    pub parent_folder_ids: Vec<FolderRef>,
}

/// The part of a folder that FindItem tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Everything stored: masters, no occurrences.
    Everything,
    /// A window with series expanded.
    Calendar(CalendarView),
    /// A page of what is stored.
    Indexed {
        /// Size of the page.
        max_entries_returned: Option<i32>,
        /// Where it begins.
        offset: i32,
        /// Counted from the beginning (`true`) or from the end.
        from_beginning: bool,
    },
}

/// `CalendarView`: items with end after `start` and start before `end`, expanded; at most two years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarView {
    /// Most items to tell; more make `includes_last_item_in_range` false.
    pub max_entries_returned: Option<i32>,
    /// Beginning of the window.
    pub start: Timestamp,
    /// End of the window.
    pub end: Timestamp,
}

/// Items found in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundItems {
    /// Where the next page begins; absent in a CalendarView.
    pub indexed_paging_offset: Option<i32>,
    /// All that match; may be larger than the items here.
    pub total_items_in_view: Option<i32>,
    /// Nothing left out? Servers always say; absent counts as true.
    pub includes_last_item_in_range: bool,
    /// The items.
    pub items: Vec<Item>,
}

/// Asks for items by identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetItem {
    /// What to tell of them.
    pub shape: ItemShape,
    /// Which; at least one.
    pub item_ids: Vec<ItemRef>,
}

/// Creates items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateItem {
    /// `SaveOnly` …
    pub message_disposition: Option<String>,
    /// `SendToNone`, `SendOnlyToAll`, `SendToAllAndSaveCopy`; demanded for appointments.
    pub send_meeting_invitations: Option<String>,
    /// Where; the calendar when absent.
    pub saved_item_folder: Option<FolderRef>,
    /// The items; at least one.
    pub items: Vec<Item>,
}

/// Changes items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateItem {
    /// What to do when the item changed meanwhile.
    pub conflict_resolution: ConflictResolution,
    /// `SaveOnly` …
    pub message_disposition: Option<String>,
    /// `SendToNone` …; demanded for appointments.
    pub send_meeting_invitations_or_cancellations: Option<String>,
    /// Without receipts?
    pub suppress_read_receipts: Option<bool>,
    /// Where copies go.
    pub saved_item_folder: Option<FolderRef>,
    /// The changes; at least one.
    pub changes: Vec<ItemChange>,
}

/// Changes of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemChange {
    /// Which.
    pub item: ItemRef,
    /// In order.
    pub updates: Vec<FieldUpdate>,
}

/// Change of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldUpdate {
    /// `SetItemField`: the item holds just that property.
    Set {
        /// Which.
        path: PropertyPath,
        /// Its value.
        item: Box<CalendarItem>,
    },
    /// `DeleteItemField`.
    Delete {
        /// Which.
        path: PropertyPath,
    },
    /// `AppendToItemField`.
    Append {
        /// Which.
        path: PropertyPath,
        /// What to append.
        item: Box<CalendarItem>,
    },
}

/// Changed items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedItems {
    /// Under their new versions.
    pub items: Vec<Item>,
    /// Conflicts resolved.
    pub conflict_count: Option<i32>,
}

/// Deletes items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteItem {
    /// How.
    pub delete_type: DeleteType,
    /// `SendToNone` …; demanded for appointments.
    pub send_meeting_cancellations: Option<String>,
    /// `AllOccurrences`, `SpecifiedOccurrenceOnly`; for tasks.
    pub affected_task_occurrences: Option<String>,
    /// Without receipts?
    pub suppress_read_receipts: Option<bool>,
    /// Which; at least one.
    pub item_ids: Vec<ItemRef>,
}

/// Moves items to a folder; they get new identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveItem {
    /// Where to.
    pub to_folder: FolderRef,
    /// Which; at least one.
    pub item_ids: Vec<ItemRef>,
    /// Tell the new identifiers? They are told when absent.
    pub return_new_item_ids: Option<bool>,
}

mod request;
mod response;
