//! Field URIs that the program names itself. Requests of other clients may hold any.

/// Subject; never asked for by the product (B6).
pub const SUBJECT: &str = "item:Subject";
/// Sensitivity; never asked for by the product (B6).
pub const SENSITIVITY: &str = "item:Sensitivity";
/// Categories; never asked for by the product (B6).
pub const CATEGORIES: &str = "item:Categories";
/// Body; never asked for by the product (B6).
pub const BODY: &str = "item:Body";
/// Identifier, always answered.
pub const ITEM_ID: &str = "item:ItemId";
/// The folder that holds the item.
pub const PARENT_FOLDER_ID: &str = "item:ParentFolderId";
/// When the item was last changed.
pub const LAST_MODIFIED_TIME: &str = "item:LastModifiedTime";
/// The identifier that a series shares.
pub const UID: &str = "calendar:UID";
/// Original start of an occurrence.
pub const RECURRENCE_ID: &str = "calendar:RecurrenceId";
/// Start.
pub const START: &str = "calendar:Start";
/// End.
pub const END: &str = "calendar:End";
/// All-day?
pub const IS_ALL_DAY_EVENT: &str = "calendar:IsAllDayEvent";
/// Free/busy status.
pub const LEGACY_FREE_BUSY_STATUS: &str = "calendar:LegacyFreeBusyStatus";
/// Place; never asked for by the product (B6).
pub const LOCATION: &str = "calendar:Location";
/// Cancelled by the organizer?
pub const IS_CANCELLED: &str = "calendar:IsCancelled";
/// Single, occurrence, exception or master.
pub const CALENDAR_ITEM_TYPE: &str = "calendar:CalendarItemType";
/// Time zone of the start; comes only when named (field note 35).
pub const START_TIME_ZONE: &str = "calendar:StartTimeZone";
/// Time zone of the end.
pub const END_TIME_ZONE: &str = "calendar:EndTimeZone";
/// Identifier of the start's time zone.
pub const START_TIME_ZONE_ID: &str = "calendar:StartTimeZoneId";
/// Identifier of the end's time zone.
pub const END_TIME_ZONE_ID: &str = "calendar:EndTimeZoneId";
/// Pattern and range of a series.
pub const RECURRENCE: &str = "calendar:Recurrence";
/// Identifier of a folder, always answered.
pub const FOLDER_ID: &str = "folder:FolderId";
/// Display name of a folder.
pub const FOLDER_DISPLAY_NAME: &str = "folder:DisplayName";
/// Class of a folder.
pub const FOLDER_CLASS: &str = "folder:FolderClass";
/// Number of items.
pub const FOLDER_TOTAL_COUNT: &str = "folder:TotalCount";
/// What the caller may do in a folder.
pub const FOLDER_EFFECTIVE_RIGHTS: &str = "folder:EffectiveRights";
/// The folder's role.
pub const FOLDER_DISTINGUISHED_FOLDER_ID: &str = "folder:DistinguishedFolderId";
