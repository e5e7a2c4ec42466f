//! Requests on the wire.

use jiff::Timestamp;
use proto_soap::{Element, Reader, Writer};

use super::AlternateId;
use super::{
    CalendarView, ConvertId, CreateItem, DeleteItem, FieldUpdate, FindItem, GetFolder, GetItem,
    GetStreamingEvents, ItemChange, MoveItem, Request, ResolveNames, Subscribe, SubscribedFolders,
    SyncFolderItems, Unsubscribe, UpdateItem, View,
};
use crate::time::{format_timestamp, parse_timestamp};
use crate::wire::{boolean_attribute, read_all, write_attribute, write_value};
use crate::{
    CalendarItem, Error, EventKind, FolderRef, FolderShape, Item, ItemId, ItemRef, ItemShape, MESSAGES_NS,
    PropertyPath, SubscriptionId, TYPES_NS,
};

impl Request {
    /// Reads the element in the body of a request.
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        Ok(match element.name() {
            (MESSAGES_NS, "GetFolder") => Self::GetFolder(GetFolder::read(reader, element)?),
            (MESSAGES_NS, "ResolveNames") => Self::ResolveNames(ResolveNames::read(reader, element)?),
            (MESSAGES_NS, "ConvertId") => Self::ConvertId(ConvertId::read(reader, element)?),
            (MESSAGES_NS, "Subscribe") => Self::Subscribe(Subscribe::read(reader, element)?),
            (MESSAGES_NS, "GetStreamingEvents") => {
                Self::GetStreamingEvents(GetStreamingEvents::read(reader, element)?)
            }
            (MESSAGES_NS, "Unsubscribe") => Self::Unsubscribe(Unsubscribe::read(reader, element)?),
            (MESSAGES_NS, "SyncFolderItems") => {
                Self::SyncFolderItems(SyncFolderItems::read(reader, element)?)
            }
            (MESSAGES_NS, "FindItem") => Self::FindItem(FindItem::read(reader, element)?),
            (MESSAGES_NS, "GetItem") => Self::GetItem(GetItem::read(reader, element)?),
            (MESSAGES_NS, "CreateItem") => Self::CreateItem(CreateItem::read(reader, element)?),
            (MESSAGES_NS, "UpdateItem") => Self::UpdateItem(UpdateItem::read(reader, element)?),
            (MESSAGES_NS, "DeleteItem") => Self::DeleteItem(DeleteItem::read(reader, element)?),
            (MESSAGES_NS, "MoveItem") => Self::MoveItem(MoveItem::read(reader, element)?),
            (_, name) => return Err(Error::unknown_operation(name)),
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element(&format!("m:{}", self.name()), |w| match self {
            Self::GetFolder(request) => request.write(w),
            Self::ResolveNames(request) => request.write(w),
            Self::ConvertId(request) => request.write(w),
            Self::Subscribe(request) => request.write(w),
            Self::GetStreamingEvents(request) => request.write(w),
            Self::Unsubscribe(request) => w.leaf("m:SubscriptionId", request.subscription_id.as_str()),
            Self::SyncFolderItems(request) => request.write(w),
            Self::FindItem(request) => request.write(w),
            Self::GetItem(request) => request.write(w),
            Self::CreateItem(request) => request.write(w),
            Self::UpdateItem(request) => request.write(w),
            Self::DeleteItem(request) => request.write(w),
            Self::MoveItem(request) => request.write(w),
        });
    }
}

fn text_attribute(element: &Element<'_>, name: &str) -> Option<String> {
    element.attribute(name).map(str::to_owned)
}

impl GetFolder {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut shape, mut folder_ids) = (None, Vec::new());
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "FolderShape") => shape = Some(FolderShape::read(reader, child)?),
                (MESSAGES_NS, "FolderIds") => folder_ids = FolderRef::read_list(reader, child)?,
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { shape: shape.ok_or(Error::missing("FolderShape"))?, folder_ids })
    }

    fn write(&self, writer: &mut Writer) {
        self.shape.write(writer, "m:FolderShape");
        FolderRef::write_list(writer, "m:FolderIds", &self.folder_ids);
    }
}

impl ResolveNames {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut parent_folder_ids, mut entry) = (Vec::new(), None);
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "ParentFolderIds") => parent_folder_ids = FolderRef::read_list(reader, child)?,
                (MESSAGES_NS, "UnresolvedEntry") => entry = Some(reader.text(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            return_full_contact_data: boolean_attribute(element, "ReturnFullContactData")?.unwrap_or(false),
            search_scope: text_attribute(element, "SearchScope"),
            parent_folder_ids,
            unresolved_entry: entry.ok_or(Error::missing("UnresolvedEntry"))?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        write_attribute(writer, "ReturnFullContactData", Some(self.return_full_contact_data));
        write_attribute(writer, "SearchScope", self.search_scope.as_ref());
        if !self.parent_folder_ids.is_empty() {
            FolderRef::write_list(writer, "m:ParentFolderIds", &self.parent_folder_ids);
        }
        writer.leaf("m:UnresolvedEntry", &self.unresolved_entry);
    }
}

impl ConvertId {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let destination_format = element.require("DestinationFormat")?.to_owned();
        let mut source_ids = Vec::new();
        reader.children(element, |reader, child| {
            if child.is(MESSAGES_NS, "SourceIds") {
                source_ids = read_all(reader, child, |_, id| match id.name() {
                    (TYPES_NS, "AlternateId") => AlternateId::read(id).map(Some),
                    _ => Ok(None),
                })?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { destination_format, source_ids })
    }

    fn write(&self, writer: &mut Writer) {
        writer.attribute("DestinationFormat", &self.destination_format);
        writer.element("m:SourceIds", |w| {
            self.source_ids.iter().for_each(|id| w.element("t:AlternateId", |w| id.write_attributes(w)));
        });
    }
}

impl AlternateId {
    pub(super) fn read(element: &Element<'_>) -> Result<Self, Error> {
        Ok(Self {
            format: element.require("Format")?.to_owned(),
            id: element.require("Id")?.to_owned(),
            mailbox: element.require("Mailbox")?.to_owned(),
            is_archive: boolean_attribute(element, "IsArchive")?,
        })
    }

    pub(super) fn write_attributes(&self, writer: &mut Writer) {
        writer.attribute("Format", &self.format);
        writer.attribute("Id", &self.id);
        writer.attribute("Mailbox", &self.mailbox);
        write_attribute(writer, "IsArchive", self.is_archive);
    }
}

impl Subscribe {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut request = None;
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "StreamingSubscriptionRequest") => {
                    request = Some(Self::read_streaming(reader, child)?);
                }
                (MESSAGES_NS, "PullSubscriptionRequest") => {
                    return Err(Error::Unsupported { what: "a pull subscription" });
                }
                (MESSAGES_NS, "PushSubscriptionRequest") => {
                    return Err(Error::Unsupported { what: "a push subscription" });
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        request.ok_or(Error::missing("StreamingSubscriptionRequest"))
    }

    fn read_streaming(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let all = boolean_attribute(element, "SubscribeToAllFolders")?.unwrap_or(false);
        let (mut these, mut event_kinds) = (Vec::new(), Vec::new());
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "FolderIds") => these = FolderRef::read_list(reader, child)?,
                (TYPES_NS, "EventTypes") => {
                    event_kinds = read_all(reader, child, |reader, kind| match kind.name() {
                        (TYPES_NS, "EventType") => Ok(Some(reader.parse::<EventKind>(kind)?)),
                        _ => Ok(None),
                    })?;
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let folders = if all { SubscribedFolders::All } else { SubscribedFolders::These(these) };
        Ok(Self { folders, event_kinds })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:StreamingSubscriptionRequest", |w| {
            match &self.folders {
                SubscribedFolders::All => w.attribute("SubscribeToAllFolders", "true"),
                SubscribedFolders::These(folders) => FolderRef::write_list(w, "t:FolderIds", folders),
            }
            w.element("t:EventTypes", |w| {
                self.event_kinds.iter().for_each(|kind| w.leaf("t:EventType", kind.as_str()));
            });
        });
    }
}

impl GetStreamingEvents {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut subscription_ids, mut timeout) = (Vec::new(), None);
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "SubscriptionIds") => {
                    subscription_ids = read_all(reader, child, |reader, id| match id.name() {
                        (TYPES_NS, "SubscriptionId") => SubscriptionId::read(reader, id).map(Some),
                        _ => Ok(None),
                    })?;
                }
                (MESSAGES_NS, "ConnectionTimeout") => timeout = Some(reader.parse(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let connection_timeout_minutes = timeout.ok_or(Error::missing("ConnectionTimeout"))?;
        Ok(Self { subscription_ids, connection_timeout_minutes })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:SubscriptionIds", |w| {
            self.subscription_ids.iter().for_each(|id| w.leaf("t:SubscriptionId", id.as_str()));
        });
        writer.value("m:ConnectionTimeout", self.connection_timeout_minutes);
    }
}

impl Unsubscribe {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut subscription_id = None;
        reader.children(element, |reader, child| {
            if child.is(MESSAGES_NS, "SubscriptionId") {
                subscription_id = Some(SubscriptionId::read(reader, child)?);
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { subscription_id: subscription_id.ok_or(Error::missing("SubscriptionId"))? })
    }
}

impl SyncFolderItems {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut shape, mut folder, mut sync_state, mut ignore) = (None, None, None, Vec::new());
        let (mut max_changes_returned, mut sync_scope) = (None, None);
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "ItemShape") => shape = Some(ItemShape::read(reader, child)?),
                (MESSAGES_NS, "SyncFolderId") => folder = Some(FolderRef::read_only(reader, child)?),
                (MESSAGES_NS, "SyncState") => sync_state = Some(reader.text(child)?),
                (MESSAGES_NS, "Ignore") => {
                    ignore = read_all(reader, child, |_, id| match id.name() {
                        (TYPES_NS, "ItemId") => ItemId::read(id).map(Some),
                        _ => Ok(None),
                    })?;
                }
                (MESSAGES_NS, "MaxChangesReturned") => max_changes_returned = Some(reader.parse(child)?),
                (MESSAGES_NS, "SyncScope") => sync_scope = Some(reader.text(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            shape: shape.ok_or(Error::missing("ItemShape"))?,
            folder: folder.ok_or(Error::missing("SyncFolderId"))?,
            sync_state: sync_state.filter(|state| !state.is_empty()),
            ignore,
            max_changes_returned: max_changes_returned.ok_or(Error::missing("MaxChangesReturned"))?,
            sync_scope,
        })
    }

    fn write(&self, writer: &mut Writer) {
        self.shape.write(writer, "m:ItemShape");
        writer.element("m:SyncFolderId", |w| self.folder.write(w));
        writer.optional("m:SyncState", self.sync_state.as_deref());
        if !self.ignore.is_empty() {
            writer.element("m:Ignore", |w| self.ignore.iter().for_each(|id| id.write(w, "t:ItemId")));
        }
        writer.value("m:MaxChangesReturned", self.max_changes_returned);
        writer.optional("m:SyncScope", self.sync_scope.as_deref());
    }
}

impl FindItem {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let traversal = element.parse_attribute("Traversal")?.ok_or(Error::missing("Traversal"))?;
        let (mut shape, mut view, mut parent_folder_ids) = (None, View::Everything, Vec::new());
        let mut has_restriction = false;
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "ItemShape") => shape = Some(ItemShape::read(reader, child)?),
                (MESSAGES_NS, "CalendarView") => view = View::Calendar(CalendarView::read(child)?),
                (MESSAGES_NS, "IndexedPageItemView") => view = View::read_indexed(child)?,
                (MESSAGES_NS, "ParentFolderIds") => parent_folder_ids = FolderRef::read_list(reader, child)?,
                // The order is no restriction on what is found, and a view has its own.
                (MESSAGES_NS, "SortOrder") => {}
                (MESSAGES_NS, _) => has_restriction = true,
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let shape = shape.ok_or(Error::missing("ItemShape"))?;
        Ok(Self { traversal, shape, view, has_restriction, parent_folder_ids })
    }

    fn write(&self, writer: &mut Writer) {
        writer.attribute("Traversal", self.traversal.as_str());
        self.shape.write(writer, "m:ItemShape");
        match self.view {
            View::Everything => {}
            View::Calendar(view) => view.write(writer),
            View::Indexed { max_entries_returned, offset, from_beginning } => {
                writer.element("m:IndexedPageItemView", |w| {
                    write_attribute(w, "MaxEntriesReturned", max_entries_returned);
                    w.attribute("Offset", &offset.to_string());
                    w.attribute("BasePoint", if from_beginning { "Beginning" } else { "End" });
                });
            }
        }
        FolderRef::write_list(writer, "m:ParentFolderIds", &self.parent_folder_ids);
    }
}

impl View {
    fn read_indexed(element: &Element<'_>) -> Result<Self, Error> {
        Ok(Self::Indexed {
            max_entries_returned: element.parse_attribute("MaxEntriesReturned")?,
            offset: element.parse_attribute("Offset")?.ok_or(Error::missing("Offset"))?,
            from_beginning: element.attribute("BasePoint") != Some("End"),
        })
    }
}

impl CalendarView {
    fn read(element: &Element<'_>) -> Result<Self, Error> {
        let time = |name: &'static str| -> Result<Timestamp, Error> {
            let text = element.require(name)?;
            Ok(parse_timestamp(text).ok_or_else(|| element.value_error())?)
        };
        Ok(Self {
            max_entries_returned: element.parse_attribute("MaxEntriesReturned")?,
            start: time("StartDate")?,
            end: time("EndDate")?,
        })
    }

    fn write(self, writer: &mut Writer) {
        writer.element("m:CalendarView", |w| {
            write_attribute(w, "MaxEntriesReturned", self.max_entries_returned);
            w.attribute("StartDate", &format_timestamp(self.start));
            w.attribute("EndDate", &format_timestamp(self.end));
        });
    }
}

impl GetItem {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut shape, mut item_ids) = (None, Vec::new());
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "ItemShape") => shape = Some(ItemShape::read(reader, child)?),
                (MESSAGES_NS, "ItemIds") => item_ids = ItemRef::read_list(reader, child)?,
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { shape: shape.ok_or(Error::missing("ItemShape"))?, item_ids })
    }

    fn write(&self, writer: &mut Writer) {
        self.shape.write(writer, "m:ItemShape");
        ItemRef::write_list(writer, "m:ItemIds", &self.item_ids);
    }
}

impl CreateItem {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut saved_item_folder, mut items) = (None, Vec::new());
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "SavedItemFolderId") => {
                    saved_item_folder = Some(FolderRef::read_only(reader, child)?);
                }
                (MESSAGES_NS, "Items") => items = Item::read_list_strictly(reader, child)?,
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            message_disposition: text_attribute(element, "MessageDisposition"),
            send_meeting_invitations: text_attribute(element, "SendMeetingInvitations"),
            saved_item_folder,
            items,
        })
    }

    fn write(&self, writer: &mut Writer) {
        write_attribute(writer, "MessageDisposition", self.message_disposition.as_ref());
        write_attribute(writer, "SendMeetingInvitations", self.send_meeting_invitations.as_ref());
        write_saved_item_folder(writer, self.saved_item_folder.as_ref());
        Item::write_list(writer, "m:Items", &self.items);
    }
}

fn write_saved_item_folder(writer: &mut Writer, folder: Option<&FolderRef>) {
    if let Some(folder) = folder {
        writer.element("m:SavedItemFolderId", |w| folder.write(w));
    }
}

impl UpdateItem {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let conflict_resolution =
            element.parse_attribute("ConflictResolution")?.ok_or(Error::missing("ConflictResolution"))?;
        let (mut saved_item_folder, mut changes) = (None, Vec::new());
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "SavedItemFolderId") => {
                    saved_item_folder = Some(FolderRef::read_only(reader, child)?);
                }
                (MESSAGES_NS, "ItemChanges") => {
                    changes = read_all(reader, child, |reader, change| match change.name() {
                        (TYPES_NS, "ItemChange") => ItemChange::read(reader, change).map(Some),
                        _ => Ok(None),
                    })?;
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            conflict_resolution,
            message_disposition: text_attribute(element, "MessageDisposition"),
            send_meeting_invitations_or_cancellations: text_attribute(
                element,
                "SendMeetingInvitationsOrCancellations",
            ),
            suppress_read_receipts: boolean_attribute(element, "SuppressReadReceipts")?,
            saved_item_folder,
            changes,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.attribute("ConflictResolution", self.conflict_resolution.as_str());
        write_attribute(writer, "MessageDisposition", self.message_disposition.as_ref());
        let send = self.send_meeting_invitations_or_cancellations.as_ref();
        write_attribute(writer, "SendMeetingInvitationsOrCancellations", send);
        write_attribute(writer, "SuppressReadReceipts", self.suppress_read_receipts);
        write_saved_item_folder(writer, self.saved_item_folder.as_ref());
        writer.element("m:ItemChanges", |w| self.changes.iter().for_each(|change| change.write(w)));
    }
}

impl ItemChange {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut item, mut updates) = (None, Vec::new());
        reader.children(element, |reader, child| {
            if child.is(TYPES_NS, "Updates") {
                updates = read_all(reader, child, FieldUpdate::read)?;
            } else if let Some(found) = ItemRef::read(reader, child)? {
                item = Some(found);
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { item: item.ok_or(Error::missing("ItemId"))?, updates })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("t:ItemChange", |w| {
            self.item.write(w);
            w.element("t:Updates", |w| self.updates.iter().for_each(|update| update.write(w)));
        });
    }
}

impl FieldUpdate {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        let (mut path, mut item) = (None, None);
        reader.children(element, |reader, child| {
            if let Some(found) = PropertyPath::read(child)? {
                path = Some(found);
            } else if child.namespace() == TYPES_NS {
                // Some clients write t:Item for properties that all items have.
                item = Some(Box::new(CalendarItem::read(reader, child)?));
            }
            Ok::<_, Error>(())
        })?;
        let path = path.ok_or(Error::missing("FieldURI"));
        let item = item.ok_or(Error::missing("CalendarItem"));
        Ok(Some(match element.name() {
            (TYPES_NS, "SetItemField") => Self::Set { path: path?, item: item? },
            (TYPES_NS, "DeleteItemField") => Self::Delete { path: path? },
            (TYPES_NS, "AppendToItemField") => Self::Append { path: path?, item: item? },
            _ => return Ok(None),
        }))
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Set { path, item } => writer.element("t:SetItemField", |w| {
                path.write(w);
                item.write(w);
            }),
            Self::Delete { path } => writer.element("t:DeleteItemField", |w| path.write(w)),
            Self::Append { path, item } => writer.element("t:AppendToItemField", |w| {
                path.write(w);
                item.write(w);
            }),
        }
    }
}

impl DeleteItem {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut item_ids = Vec::new();
        reader.children(element, |reader, child| {
            if child.is(MESSAGES_NS, "ItemIds") {
                item_ids = ItemRef::read_list(reader, child)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            delete_type: element.parse_attribute("DeleteType")?.ok_or(Error::missing("DeleteType"))?,
            send_meeting_cancellations: text_attribute(element, "SendMeetingCancellations"),
            affected_task_occurrences: text_attribute(element, "AffectedTaskOccurrences"),
            suppress_read_receipts: boolean_attribute(element, "SuppressReadReceipts")?,
            item_ids,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.attribute("DeleteType", self.delete_type.as_str());
        write_attribute(writer, "SendMeetingCancellations", self.send_meeting_cancellations.as_ref());
        write_attribute(writer, "AffectedTaskOccurrences", self.affected_task_occurrences.as_ref());
        write_attribute(writer, "SuppressReadReceipts", self.suppress_read_receipts);
        ItemRef::write_list(writer, "m:ItemIds", &self.item_ids);
    }
}

impl MoveItem {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut to_folder, mut item_ids, mut return_new_item_ids) = (None, Vec::new(), None);
        reader.children(element, |reader, child| {
            match child.name() {
                (MESSAGES_NS, "ToFolderId") => to_folder = Some(FolderRef::read_only(reader, child)?),
                (MESSAGES_NS, "ItemIds") => item_ids = ItemRef::read_list(reader, child)?,
                (MESSAGES_NS, "ReturnNewItemIds") => return_new_item_ids = Some(reader.boolean(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let to_folder = to_folder.ok_or(Error::missing("ToFolderId"))?;
        Ok(Self { to_folder, item_ids, return_new_item_ids })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:ToFolderId", |w| self.to_folder.write(w));
        ItemRef::write_list(writer, "m:ItemIds", &self.item_ids);
        write_value(writer, "m:ReturnNewItemIds", self.return_new_item_ids);
    }
}
