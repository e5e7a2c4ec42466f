//! Items in answers and requests.

use crate::{CalendarItem, ItemId, ItemKind};

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An appointment.
    Calendar(Box<CalendarItem>),
    /// Anything else, by its identifier: a meeting request that was asked for as an item (field note 39) …
    Other(OtherItem),
    /// An item with a value that cannot be read. The rest of the answer is in order.
    Unreadable {
        /// Identifier, when that could be read.
        item_id: Option<ItemId>,
        /// What was wrong.
        error: proto_soap::Error,
    },
}

/// An item that is no appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherItem {
    /// Its element; unknown elements count as [`ItemKind::Item`].
    pub kind: ItemKind,
    /// Identifier.
    pub item_id: Option<ItemId>,
}

impl Item {
    /// Identifier, whatever the kind.
    pub fn item_id(&self) -> Option<&ItemId> {
        match self {
            Self::Calendar(item) => item.item_id.as_ref(),
            Self::Other(item) => item.item_id.as_ref(),
            Self::Unreadable { item_id, .. } => item_id.as_ref(),
        }
    }

    /// The appointment, if it is one.
    pub fn as_calendar(&self) -> Option<&CalendarItem> {
        match self {
            Self::Calendar(item) => Some(item),
            Self::Other(_) | Self::Unreadable { .. } => None,
        }
    }
}

impl From<CalendarItem> for Item {
    fn from(item: CalendarItem) -> Self {
        Self::Calendar(Box::new(item))
    }
}

mod codec;
