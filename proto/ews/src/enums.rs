//! Enumerations of the schema.
//!
//! Those that appear in answers have a variant `Unknown` for values that a later server may send; it is
//! never written: an element or attribute whose value is `Unknown` is left out. Those of requests only
//! have none: a wrong value there is an error, as it is on a real server.

macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)* } $($unknown:ident)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vmeta])* #[doc = concat!("`", $text, "`")] $variant,)*
            $(#[doc = "A value that this program does not know."] $unknown,)?
        }

        impl $name {
            /// Every value of the schema, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The value on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    $(Self::$unknown => stringify!($unknown),)?
                }
            }

            wire_enum!(@known $($unknown)?);
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, UnknownValue> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => wire_enum!(@other $($unknown)?),
                }
            }
        }
    };
    (@other) => { Err(UnknownValue) };
    (@other $unknown:ident) => { Ok(Self::$unknown) };
    (@known) => {};
    (@known $unknown:ident) => {
        /// Is it a value of the schema? Others are not written.
        pub const fn is_known(self) -> bool {
            !matches!(self, Self::$unknown)
        }
    };
}

/// Text that is no value of the enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no value of the enumeration")]
pub struct UnknownValue;

wire_enum! {
    /// `LegacyFreeBusyStatus`.
    FreeBusy {
        Free = "Free",
        Tentative = "Tentative",
        Busy = "Busy",
        Oof = "OOF",
        WorkingElsewhere = "WorkingElsewhere",
        NoData = "NoData",
    } Unknown
}

wire_enum! {
    /// `Sensitivity`.
    Sensitivity {
        Normal = "Normal",
        Personal = "Personal",
        Private = "Private",
        Confidential = "Confidential",
    } Unknown
}

wire_enum! {
    /// `CalendarItemType`: the one truth about what an item is (`IsRecurring` lies on masters, field note 30).
    CalendarItemKind {
        Single = "Single",
        Occurrence = "Occurrence",
        Exception = "Exception",
        RecurringMaster = "RecurringMaster",
    } Unknown
}

wire_enum! {
    /// Kinds of events; [`Event::Status`](crate::Event::Status) stands apart.
    EventKind {
        Copied = "CopiedEvent",
        Created = "CreatedEvent",
        Deleted = "DeletedEvent",
        Modified = "ModifiedEvent",
        Moved = "MovedEvent",
        NewMail = "NewMailEvent",
        FreeBusyChanged = "FreeBusyChangedEvent",
    }
}

wire_enum! {
    /// `ConnectionStatus` of a streaming answer.
    ConnectionStatus {
        Ok = "OK",
        Closed = "Closed",
    } Unknown
}

wire_enum! {
    /// Element names of folders.
    FolderKind {
        Folder = "Folder",
        CalendarFolder = "CalendarFolder",
        ContactsFolder = "ContactsFolder",
        SearchFolder = "SearchFolder",
        TasksFolder = "TasksFolder",
    }
}

wire_enum! {
    /// Element names of items other than `CalendarItem`.
    ItemKind {
        Item = "Item",
        Message = "Message",
        SharingMessage = "SharingMessage",
        Contact = "Contact",
        DistributionList = "DistributionList",
        MeetingMessage = "MeetingMessage",
        MeetingRequest = "MeetingRequest",
        MeetingResponse = "MeetingResponse",
        MeetingCancellation = "MeetingCancellation",
        Task = "Task",
        PostItem = "PostItem",
        RoleMember = "RoleMember",
        Network = "Network",
        Person = "Person",
    }
}

wire_enum! {
    /// `BaseShape`.
    BaseShape {
        IdOnly = "IdOnly",
        Default = "Default",
        AllProperties = "AllProperties",
        PcxPeopleSearch = "PcxPeopleSearch",
    }
}

wire_enum! {
    /// Type of a body.
    BodyType {
        Html = "HTML",
        Text = "Text",
        Best = "Best",
    } Unknown
}

wire_enum! {
    /// `Traversal` of FindItem.
    Traversal {
        Shallow = "Shallow",
        SoftDeleted = "SoftDeleted",
        Associated = "Associated",
    }
}

wire_enum! {
    /// `DeleteType` of DeleteItem.
    DeleteType {
        HardDelete = "HardDelete",
        SoftDelete = "SoftDelete",
        MoveToDeletedItems = "MoveToDeletedItems",
    }
}

wire_enum! {
    /// `ConflictResolution` of UpdateItem.
    ConflictResolution {
        NeverOverwrite = "NeverOverwrite",
        AutoResolve = "AutoResolve",
        AlwaysOverwrite = "AlwaysOverwrite",
    }
}

wire_enum! {
    /// Days and groups of days in a recurrence.
    DayOfWeek {
        Sunday = "Sunday",
        Monday = "Monday",
        Tuesday = "Tuesday",
        Wednesday = "Wednesday",
        Thursday = "Thursday",
        Friday = "Friday",
        Saturday = "Saturday",
        Day = "Day",
        Weekday = "Weekday",
        WeekendDay = "WeekendDay",
    }
}

wire_enum! {
    /// Which of the days of a month.
    DayOfWeekIndex {
        First = "First",
        Second = "Second",
        Third = "Third",
        Fourth = "Fourth",
        Last = "Last",
    }
}

wire_enum! {
    /// Names of months.
    Month {
        January = "January",
        February = "February",
        March = "March",
        April = "April",
        May = "May",
        June = "June",
        July = "July",
        August = "August",
        September = "September",
        October = "October",
        November = "November",
        December = "December",
    }
}
