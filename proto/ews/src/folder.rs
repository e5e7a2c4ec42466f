//! Folders.

use crate::{ExtendedProperty, FolderId, FolderKind};

/// A folder with the properties that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its element.
    pub kind: FolderKind,
    /// Identifier.
    pub folder_id: Option<FolderId>,
    /// The folder above.
    pub parent_folder_id: Option<FolderId>,
    /// `IPF.Appointment` …
    pub folder_class: Option<String>,
    /// Name, in the mailbox's language.
    pub display_name: Option<String>,
    /// Number of items.
    pub total_count: Option<i32>,
    /// Number of folders below.
    pub child_folder_count: Option<i32>,
    /// MAPI properties asked for.
    pub extended_properties: Vec<ExtendedProperty>,
    /// What the caller may do.
    pub effective_rights: Option<EffectiveRights>,
    /// Role, when it has one and the server tells.
    pub distinguished_folder_id: Option<String>,
    /// Unread items; only kind [`FolderKind::Folder`], `SearchFolder` and `TasksFolder` write it.
    pub unread_count: Option<i32>,
}

impl Folder {
    /// A folder without properties.
    pub const fn new(kind: FolderKind) -> Self {
        Self {
            kind,
            folder_id: None,
            parent_folder_id: None,
            folder_class: None,
            display_name: None,
            total_count: None,
            child_folder_count: None,
            extended_properties: Vec::new(),
            effective_rights: None,
            distinguished_folder_id: None,
            unread_count: None,
        }
    }
}

/// `EffectiveRights`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EffectiveRights {
    /// May create associated items.
    pub create_associated: bool,
    /// May create items.
    pub create_contents: bool,
    /// May create folders.
    pub create_hierarchy: bool,
    /// May delete.
    pub delete: bool,
    /// May change.
    pub modify: bool,
    /// May read.
    pub read: bool,
    /// May read private items; not told by 2007.
    pub view_private_items: Option<bool>,
}

mod codec;
