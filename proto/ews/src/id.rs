//! Identifiers of items, folders and subscriptions. All are opaque: case-sensitive, compared as text, and
//! only with ids that came from the same family of calls (field note 13).

use std::fmt;

use crate::EmailAddress;

/// `ItemId`: changes when the item moves to another folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId {
    /// The identifier.
    pub id: String,
    /// The version of the item; in events a stub that says nothing (reference section 3).
    pub change_key: Option<String>,
}

impl ItemId {
    /// An identifier without change key.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), change_key: None }
    }

    /// The same with a change key.
    #[must_use]
    pub fn with_change_key(mut self, change_key: impl Into<String>) -> Self {
        self.change_key = Some(change_key.into());
        self
    }
}

/// `FolderId`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderId {
    /// The identifier.
    pub id: String,
    /// The version of the folder.
    pub change_key: Option<String>,
}

impl FolderId {
    /// An identifier without change key.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), change_key: None }
    }

    /// The same with a change key.
    #[must_use]
    pub fn with_change_key(mut self, change_key: impl Into<String>) -> Self {
        self.change_key = Some(change_key.into());
        self
    }
}

/// `DistinguishedFolderId`: a folder by its role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedFolderId {
    /// The role: `calendar`, `root`, `msgfolderroot`, `deleteditems` …
    pub name: String,
    /// The version of the folder.
    pub change_key: Option<String>,
    /// Whose folder; the caller's (or the impersonated user's) own when absent.
    pub mailbox: Option<EmailAddress>,
}

/// A folder in a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FolderRef {
    /// By identifier.
    Id(FolderId),
    /// By role.
    Distinguished(DistinguishedFolderId),
}

impl FolderRef {
    /// The folder with this role in the impersonated mailbox.
    pub fn distinguished(name: impl Into<String>) -> Self {
        Self::Distinguished(DistinguishedFolderId { name: name.into(), change_key: None, mailbox: None })
    }

    /// The calendar of the impersonated mailbox.
    pub fn calendar() -> Self {
        Self::distinguished("calendar")
    }

    /// The folder with this identifier.
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(FolderId::new(id))
    }
}

/// An item in a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ItemRef {
    /// `ItemId`.
    Item(ItemId),
    /// `OccurrenceItemId`: an occurrence by its place in the series.
    Occurrence {
        /// Identifier of the master.
        recurring_master_id: String,
        /// Version of the master.
        change_key: Option<String>,
        /// Place in the series, from 1; deleted occurrences count.
        instance_index: i32,
    },
    /// `RecurringMasterItemId`: the master of an occurrence.
    RecurringMaster {
        /// Identifier of the occurrence.
        occurrence_id: String,
        /// Version of the occurrence.
        change_key: Option<String>,
    },
}

impl ItemRef {
    /// The item with this identifier.
    pub fn id(id: impl Into<String>) -> Self {
        Self::Item(ItemId::new(id))
    }
}

impl From<ItemId> for ItemRef {
    fn from(id: ItemId) -> Self {
        Self::Item(id)
    }
}

/// The identifier of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(String);

impl SubscriptionId {
    /// An identifier that a server gave.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

mod codec;
