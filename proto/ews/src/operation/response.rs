//! Answers on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{AlternateId, FoundItems, ResolutionSet, Response, SyncChange, SyncPage, UpdatedItems};
use crate::message::codec::{Content, read_message, write_message};
use crate::wire::{boolean_attribute, read_all, write_attribute, write_value};
use crate::{
    EmailAddress, Error, Folder, Item, ItemId, MESSAGES_NS, ResponseMessage, StreamMessage, SubscriptionId,
    TYPES_NS,
};

impl Response {
    /// Reads the element in the body of an answer.
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let operation = match element.name() {
            (MESSAGES_NS, local) => local.strip_suffix("Response").unwrap_or_default().to_owned(),
            (_, local) => return Err(Error::unknown_operation(local)),
        };
        Ok(match operation.as_str() {
            "GetFolder" => Self::GetFolder(messages(reader, element, &operation)?),
            "ResolveNames" => Self::ResolveNames(messages(reader, element, &operation)?),
            "ConvertId" => Self::ConvertId(messages(reader, element, &operation)?),
            "Subscribe" => Self::Subscribe(messages(reader, element, &operation)?),
            "GetStreamingEvents" => {
                Self::GetStreamingEvents(read_messages(reader, element, &operation, StreamMessage::read)?)
            }
            "Unsubscribe" => Self::Unsubscribe(messages(reader, element, &operation)?),
            "SyncFolderItems" => Self::SyncFolderItems(messages(reader, element, &operation)?),
            "FindItem" => Self::FindItem(messages(reader, element, &operation)?),
            "GetItem" => Self::GetItem(messages(reader, element, &operation)?),
            "CreateItem" => Self::CreateItem(messages(reader, element, &operation)?),
            "UpdateItem" => Self::UpdateItem(messages(reader, element, &operation)?),
            "DeleteItem" => Self::DeleteItem(messages(reader, element, &operation)?),
            "MoveItem" => Self::MoveItem(messages(reader, element, &operation)?),
            _ => return Err(Error::unknown_operation(element.local())),
        })
    }

    /// Writes the operation's element with its messages; the namespaces stand on it, as on real servers.
    pub(crate) fn write(&self, writer: &mut Writer) {
        let name = self.name();
        writer.element(&format!("m:{name}Response"), |w| {
            w.attribute("xmlns:m", MESSAGES_NS);
            w.attribute("xmlns:t", TYPES_NS);
            w.element("m:ResponseMessages", |w| match self {
                Self::GetFolder(messages) => write_messages(w, name, messages),
                Self::ResolveNames(messages) => write_messages(w, name, messages),
                Self::ConvertId(messages) => write_messages(w, name, messages),
                Self::Subscribe(messages) => write_messages(w, name, messages),
                Self::GetStreamingEvents(messages) => messages.iter().for_each(|m| m.write(w)),
                Self::Unsubscribe(messages) | Self::DeleteItem(messages) => {
                    write_messages(w, name, messages);
                }
                Self::SyncFolderItems(messages) => write_messages(w, name, messages),
                Self::FindItem(messages) => write_messages(w, name, messages),
                Self::GetItem(messages) | Self::CreateItem(messages) | Self::MoveItem(messages) => {
                    write_messages(w, name, messages);
                }
                Self::UpdateItem(messages) => write_messages(w, name, messages),
            });
        });
    }
}

fn write_messages<T: Content>(writer: &mut Writer, operation: &str, messages: &[ResponseMessage<T>]) {
    let name = format!("m:{operation}ResponseMessage");
    messages.iter().for_each(|message| write_message(writer, &name, message));
}

fn messages<T: Content>(
    reader: &mut Reader<'_>,
    response: &Element<'_>,
    operation: &str,
) -> Result<Vec<ResponseMessage<T>>, Error> {
    read_messages(reader, response, operation, read_message)
}

fn read_messages<T>(
    reader: &mut Reader<'_>,
    response: &Element<'_>,
    operation: &str,
    mut read: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let name = format!("{operation}ResponseMessage");
    let mut messages = Vec::new();
    reader.children(response, |reader, list| {
        if list.is(MESSAGES_NS, "ResponseMessages") {
            messages.extend(read_all(reader, list, |reader, message| {
                message.is(MESSAGES_NS, &name).then(|| read(reader, message)).transpose()
            })?);
        }
        Ok::<_, Error>(())
    })?;
    Ok(messages)
}

impl Content for () {
    type Draft = ();

    fn read((): &mut (), _: &mut Reader<'_>, _: &Element<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn finish((): ()) -> Result<Self, Error> {
        Ok(())
    }

    fn is_something(&self) -> bool {
        false
    }

    fn write(&self, _: &mut Writer) {}
}

impl Content for Vec<Folder> {
    type Draft = Self;

    fn read(draft: &mut Self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        if child.is(MESSAGES_NS, "Folders") {
            *draft = read_all(reader, child, Folder::read)?;
        }
        Ok(())
    }

    fn finish(draft: Self) -> Result<Self, Error> {
        Ok(draft)
    }

    fn is_something(&self) -> bool {
        !self.is_empty()
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:Folders", |w| self.iter().for_each(|folder| folder.write(w)));
    }

    fn write_nothing(writer: &mut Writer) {
        writer.empty("m:Folders");
    }
}

impl Content for Vec<Item> {
    type Draft = Self;

    fn read(draft: &mut Self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        if child.is(MESSAGES_NS, "Items") {
            *draft = Item::read_list(reader, child)?;
        }
        Ok(())
    }

    fn finish(draft: Self) -> Result<Self, Error> {
        Ok(draft)
    }

    fn is_something(&self) -> bool {
        !self.is_empty()
    }

    fn write(&self, writer: &mut Writer) {
        Item::write_list(writer, "m:Items", self);
    }

    fn write_nothing(writer: &mut Writer) {
        writer.empty("m:Items");
    }
}

impl Content for UpdatedItems {
    type Draft = (Vec<Item>, Option<i32>);

    fn read(draft: &mut Self::Draft, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        match child.name() {
            (MESSAGES_NS, "Items") => draft.0 = Item::read_list(reader, child)?,
            (MESSAGES_NS, "ConflictResults") => reader.children(child, |reader, count| {
                if count.is(TYPES_NS, "Count") {
                    draft.1 = Some(reader.parse(count)?);
                }
                Ok::<_, Error>(())
            })?,
            _ => {}
        }
        Ok(())
    }

    fn finish((items, conflict_count): Self::Draft) -> Result<Self, Error> {
        Ok(Self { items, conflict_count })
    }

    fn is_something(&self) -> bool {
        !self.items.is_empty()
    }

    fn write(&self, writer: &mut Writer) {
        Item::write_list(writer, "m:Items", &self.items);
        if let Some(count) = self.conflict_count {
            writer.element("m:ConflictResults", |w| w.value("t:Count", count));
        }
    }

    fn write_nothing(writer: &mut Writer) {
        writer.empty("m:Items");
    }
}

impl Content for SubscriptionId {
    type Draft = Option<Self>;

    fn read(draft: &mut Self::Draft, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        if child.is(MESSAGES_NS, "SubscriptionId") {
            *draft = Some(Self::read(reader, child)?);
        }
        Ok(())
    }

    fn finish(draft: Self::Draft) -> Result<Self, Error> {
        draft.ok_or(Error::missing("SubscriptionId"))
    }

    fn write(&self, writer: &mut Writer) {
        writer.leaf("m:SubscriptionId", self.as_str());
    }
}

impl Content for AlternateId {
    type Draft = Option<Self>;

    fn read(draft: &mut Self::Draft, _: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        if child.is(MESSAGES_NS, "AlternateId") {
            *draft = Some(Self::read(child)?);
        }
        Ok(())
    }

    fn finish(draft: Self::Draft) -> Result<Self, Error> {
        draft.ok_or(Error::missing("AlternateId"))
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:AlternateId", |w| {
            // The schema's type of the element is abstract.
            w.attribute("xmlns:xsi", proto_soap::XSI_NS);
            w.attribute("xsi:type", "t:AlternateIdType");
            self.write_attributes(w);
        });
    }
}

impl Content for ResolutionSet {
    type Draft = Option<Self>;

    fn read(draft: &mut Self::Draft, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        if !child.is(MESSAGES_NS, "ResolutionSet") {
            return Ok(());
        }
        *draft = Some(Self {
            total_items_in_view: child.parse_attribute("TotalItemsInView")?,
            includes_last_item_in_range: boolean_attribute(child, "IncludesLastItemInRange")?,
            mailboxes: read_all(reader, child, |reader, resolution| match resolution.name() {
                (TYPES_NS, "Resolution") => EmailAddress::read_inside(reader, resolution),
                _ => Ok(None),
            })?,
        });
        Ok(())
    }

    fn finish(draft: Self::Draft) -> Result<Self, Error> {
        draft.ok_or(Error::missing("ResolutionSet"))
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:ResolutionSet", |w| {
            write_attribute(w, "TotalItemsInView", self.total_items_in_view);
            write_attribute(w, "IncludesLastItemInRange", self.includes_last_item_in_range);
            for mailbox in &self.mailboxes {
                w.element("t:Resolution", |w| mailbox.write(w, "t:Mailbox"));
            }
        });
    }
}

impl Content for SyncPage {
    type Draft = (Option<String>, Option<bool>, Vec<SyncChange>);

    fn read(draft: &mut Self::Draft, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        match child.name() {
            (MESSAGES_NS, "SyncState") => draft.0 = Some(reader.text(child)?),
            (MESSAGES_NS, "IncludesLastItemInRange") => draft.1 = Some(reader.boolean(child)?),
            (MESSAGES_NS, "Changes") => draft.2 = read_all(reader, child, SyncChange::read)?,
            _ => {}
        }
        Ok(())
    }

    fn finish((sync_state, includes_last, changes): Self::Draft) -> Result<Self, Error> {
        Ok(Self {
            // An empty state would begin anew; a success without one is no success.
            sync_state: sync_state.filter(|state| !state.is_empty()).ok_or(Error::missing("SyncState"))?,
            includes_last_item_in_range: includes_last.ok_or(Error::missing("IncludesLastItemInRange"))?,
            changes,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.leaf("m:SyncState", &self.sync_state);
        writer.value("m:IncludesLastItemInRange", self.includes_last_item_in_range);
        writer.element("m:Changes", |w| self.changes.iter().for_each(|change| change.write(w)));
    }

    fn write_nothing(writer: &mut Writer) {
        writer.empty("m:SyncState");
        writer.value("m:IncludesLastItemInRange", true);
    }
}

impl SyncChange {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        if element.namespace() != TYPES_NS {
            return Ok(None);
        }
        let kind = element.local().to_owned();
        let (mut item, mut item_id, mut is_read) = (None, None, None);
        reader.children(element, |reader, child| {
            match (kind.as_str(), child.name()) {
                ("Create" | "Update", _) => item = Item::read(reader, child)?.or(item.take()),
                (_, (TYPES_NS, "ItemId")) => item_id = Some(ItemId::read(child)?),
                (_, (TYPES_NS, "IsRead")) => is_read = Some(reader.boolean(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let item = item.ok_or(Error::missing("CalendarItem"));
        let item_id = item_id.ok_or(Error::missing("ItemId"));
        Ok(Some(match kind.as_str() {
            "Create" => Self::Create(item?),
            "Update" => Self::Update(item?),
            "Delete" => Self::Delete(item_id?),
            "ReadFlagChange" => {
                Self::ReadFlagChange { item_id: item_id?, is_read: is_read.ok_or(Error::missing("IsRead"))? }
            }
            _ => return Ok(None),
        }))
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Create(item) => writer.element("t:Create", |w| item.write(w)),
            Self::Update(item) => writer.element("t:Update", |w| item.write(w)),
            Self::Delete(id) => writer.element("t:Delete", |w| id.write(w, "t:ItemId")),
            Self::ReadFlagChange { item_id, is_read } => writer.element("t:ReadFlagChange", |w| {
                item_id.write(w, "t:ItemId");
                write_value(w, "t:IsRead", Some(is_read));
            }),
        }
    }
}

impl Content for FoundItems {
    type Draft = Option<Self>;

    fn read(draft: &mut Self::Draft, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<(), Error> {
        if !child.is(MESSAGES_NS, "RootFolder") {
            return Ok(());
        }
        let mut found = Self {
            indexed_paging_offset: child.parse_attribute("IndexedPagingOffset")?,
            total_items_in_view: child.parse_attribute("TotalItemsInView")?,
            includes_last_item_in_range: boolean_attribute(child, "IncludesLastItemInRange")?.unwrap_or(true),
            items: Vec::new(),
        };
        reader.children(child, |reader, list| {
            if list.is(TYPES_NS, "Items") {
                found.items.extend(Item::read_list(reader, list)?);
            }
            Ok::<_, Error>(())
        })?;
        *draft = Some(found);
        Ok(())
    }

    fn finish(draft: Self::Draft) -> Result<Self, Error> {
        draft.ok_or(Error::missing("RootFolder"))
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:RootFolder", |w| {
            write_attribute(w, "IndexedPagingOffset", self.indexed_paging_offset);
            write_attribute(w, "TotalItemsInView", self.total_items_in_view);
            write_attribute(w, "IncludesLastItemInRange", Some(self.includes_last_item_in_range));
            Item::write_list(w, "t:Items", &self.items);
        });
    }
}
