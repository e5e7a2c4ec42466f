//! Identifiers of the calendar side. All are opaque, case-sensitive text.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it stands.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

/// Which service account makes a call (B12). Opaque to everybody but the source, which knows the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(i64);

impl AccountId {
    /// The account of the configuration. Those of the database are numbered from 1.
    pub const DEFAULT: Self = Self(0);

    /// The account with this number in the database.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_id! {
    /// The source's identifier of a stored item or of one occurrence. Changes when an item moves (B2).
    ItemId
}
text_id! {
    /// The iCalendar UID of an appointment or of a whole series. Free text, case-sensitive (B2).
    Uid
}
text_id! {
    /// What Planner knows an appointment by, together with the mail address (B2): the UID of a single
    /// appointment, `UID$yyyyMMdd-HHmmss` of an occurrence. Never parsed.
    OriginId
}
text_id! {
    /// The source's identifier of a folder.
    FolderId
}
text_id! {
    /// The source's mark of how far changes of a calendar have been read. Opaque, may be large.
    SyncState
}
text_id! {
    /// The source's identifier of a live subscription.
    SubscriptionId
}
