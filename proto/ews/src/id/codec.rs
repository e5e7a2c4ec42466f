//! Identifiers on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{DistinguishedFolderId, FolderId, FolderRef, ItemId, ItemRef};
use crate::wire::{read_all, write_attribute};
use crate::{EmailAddress, Error, TYPES_NS};

fn change_key(element: &Element<'_>) -> Option<String> {
    element.attribute("ChangeKey").map(str::to_owned)
}

impl ItemId {
    pub(crate) fn read(element: &Element<'_>) -> Result<Self, Error> {
        Ok(Self { id: element.require("Id")?.to_owned(), change_key: change_key(element) })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            w.attribute("Id", &self.id);
            write_attribute(w, "ChangeKey", self.change_key.as_ref());
        });
    }
}

impl FolderId {
    pub(crate) fn read(element: &Element<'_>) -> Result<Self, Error> {
        Ok(Self { id: element.require("Id")?.to_owned(), change_key: change_key(element) })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            w.attribute("Id", &self.id);
            write_attribute(w, "ChangeKey", self.change_key.as_ref());
        });
    }
}

impl FolderRef {
    /// Reads one; `None` when the element is none.
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        match element.name() {
            (TYPES_NS, "FolderId") => Ok(Some(Self::Id(FolderId::read(element)?))),
            (TYPES_NS, "DistinguishedFolderId") => {
                let name = element.require("Id")?.to_owned();
                let mut mailbox = None;
                reader.children(element, |reader, child| {
                    if child.is(TYPES_NS, "Mailbox") {
                        mailbox = Some(EmailAddress::read(reader, child)?);
                    }
                    Ok::<_, Error>(())
                })?;
                let change_key = change_key(element);
                Ok(Some(Self::Distinguished(DistinguishedFolderId { name, change_key, mailbox })))
            }
            _ => Ok(None),
        }
    }

    /// Reads the list in `element`.
    pub(crate) fn read_list(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<Self>, Error> {
        read_all(reader, element, Self::read)
    }

    /// Reads the only one in `element`.
    pub(crate) fn read_only(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        Self::read_list(reader, element)?.pop().ok_or(Error::missing("FolderId"))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Id(id) => id.write(writer, "t:FolderId"),
            Self::Distinguished(folder) => writer.element("t:DistinguishedFolderId", |w| {
                w.attribute("Id", &folder.name);
                write_attribute(w, "ChangeKey", folder.change_key.as_ref());
                if let Some(mailbox) = &folder.mailbox {
                    mailbox.write(w, "t:Mailbox");
                }
            }),
        }
    }

    /// The list `name`.
    pub(crate) fn write_list(writer: &mut Writer, name: &str, folders: &[Self]) {
        writer.element(name, |w| folders.iter().for_each(|folder| folder.write(w)));
    }
}

impl ItemRef {
    /// Reads one; `None` when the element is none.
    pub(crate) fn read(_: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        match element.name() {
            (TYPES_NS, "ItemId") => Ok(Some(Self::Item(ItemId::read(element)?))),
            (TYPES_NS, "OccurrenceItemId") => Ok(Some(Self::Occurrence {
                recurring_master_id: element.require("RecurringMasterId")?.to_owned(),
                change_key: change_key(element),
                instance_index: element
                    .parse_attribute("InstanceIndex")?
                    .ok_or(Error::missing("InstanceIndex"))?,
            })),
            (TYPES_NS, "RecurringMasterItemId") => Ok(Some(Self::RecurringMaster {
                occurrence_id: element.require("OccurrenceId")?.to_owned(),
                change_key: change_key(element),
            })),
            _ => Ok(None),
        }
    }

    /// Reads the list in `element`.
    pub(crate) fn read_list(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<Self>, Error> {
        read_all(reader, element, Self::read)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Item(id) => id.write(writer, "t:ItemId"),
            Self::Occurrence { recurring_master_id, change_key, instance_index } => {
                writer.element("t:OccurrenceItemId", |w| {
                    w.attribute("RecurringMasterId", recurring_master_id);
                    write_attribute(w, "ChangeKey", change_key.as_ref());
                    w.attribute("InstanceIndex", &instance_index.to_string());
                });
            }
            Self::RecurringMaster { occurrence_id, change_key } => {
                writer.element("t:RecurringMasterItemId", |w| {
                    w.attribute("OccurrenceId", occurrence_id);
                    write_attribute(w, "ChangeKey", change_key.as_ref());
                });
            }
        }
    }

    /// The list `name`.
    pub(crate) fn write_list(writer: &mut Writer, name: &str, items: &[Self]) {
        writer.element(name, |w| items.iter().for_each(|item| item.write(w)));
    }
}
