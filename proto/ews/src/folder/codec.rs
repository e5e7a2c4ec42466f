//! Folders on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{EffectiveRights, Folder};
use crate::wire::write_value;
use crate::{Error, ExtendedProperty, FolderId, FolderKind, TYPES_NS};

impl Folder {
    /// Reads one; `None` when the element is none.
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        let kind: FolderKind = match (element.namespace(), element.local().parse()) {
            (TYPES_NS, Ok(kind)) => kind,
            _ => return Ok(None),
        };
        let mut folder = Self::new(kind);
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "FolderId") => folder.folder_id = Some(FolderId::read(child)?),
                (TYPES_NS, "ParentFolderId") => folder.parent_folder_id = Some(FolderId::read(child)?),
                (TYPES_NS, "FolderClass") => folder.folder_class = Some(reader.text(child)?),
                (TYPES_NS, "DisplayName") => folder.display_name = Some(reader.text(child)?),
                (TYPES_NS, "TotalCount") => folder.total_count = Some(reader.parse(child)?),
                (TYPES_NS, "ChildFolderCount") => folder.child_folder_count = Some(reader.parse(child)?),
                (TYPES_NS, "ExtendedProperty") => {
                    folder.extended_properties.push(ExtendedProperty::read(reader, child)?);
                }
                (TYPES_NS, "EffectiveRights") => {
                    folder.effective_rights = Some(EffectiveRights::read(reader, child)?);
                }
                (TYPES_NS, "DistinguishedFolderId") => {
                    folder.distinguished_folder_id = Some(reader.text(child)?);
                }
                (TYPES_NS, "UnreadCount") => folder.unread_count = Some(reader.parse(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Some(folder))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element(&format!("t:{}", self.kind), |w| {
            if let Some(id) = &self.folder_id {
                id.write(w, "t:FolderId");
            }
            if let Some(id) = &self.parent_folder_id {
                id.write(w, "t:ParentFolderId");
            }
            w.optional("t:FolderClass", self.folder_class.as_deref());
            w.optional("t:DisplayName", self.display_name.as_deref());
            write_value(w, "t:TotalCount", self.total_count);
            write_value(w, "t:ChildFolderCount", self.child_folder_count);
            self.extended_properties.iter().for_each(|property| property.write(w));
            if let Some(rights) = &self.effective_rights {
                rights.write(w);
            }
            w.optional("t:DistinguishedFolderId", self.distinguished_folder_id.as_deref());
            if !matches!(self.kind, FolderKind::CalendarFolder | FolderKind::ContactsFolder) {
                write_value(w, "t:UnreadCount", self.unread_count);
            }
        });
    }
}

impl EffectiveRights {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut rights = Self::default();
        reader.children(element, |reader, child| {
            let right = match child.name() {
                (TYPES_NS, "CreateAssociated") => &mut rights.create_associated,
                (TYPES_NS, "CreateContents") => &mut rights.create_contents,
                (TYPES_NS, "CreateHierarchy") => &mut rights.create_hierarchy,
                (TYPES_NS, "Delete") => &mut rights.delete,
                (TYPES_NS, "Modify") => &mut rights.modify,
                (TYPES_NS, "Read") => &mut rights.read,
                (TYPES_NS, "ViewPrivateItems") => rights.view_private_items.insert(false),
                _ => return Ok::<_, Error>(()),
            };
            *right = reader.boolean(child)?;
            Ok(())
        })?;
        Ok(rights)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element("t:EffectiveRights", |w| {
            w.value("t:CreateAssociated", self.create_associated);
            w.value("t:CreateContents", self.create_contents);
            w.value("t:CreateHierarchy", self.create_hierarchy);
            w.value("t:Delete", self.delete);
            w.value("t:Modify", self.modify);
            w.value("t:Read", self.read);
            write_value(w, "t:ViewPrivateItems", self.view_private_items);
        });
    }
}
