//! Response codes: an open set, so unknown ones survive.

use std::borrow::Cow;
use std::fmt;

/// A response code: the text on the wire. Servers send codes that no schema lists (reference section 6), so
/// this is a text with constants for those that the program knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseCode(Cow<'static, str>);

impl ResponseCode {
    /// A code from the wire. Known codes cost no allocation to compare, unknown ones are kept as they are.
    pub fn new(code: impl Into<String>) -> Self {
        Self(Cow::Owned(code.into()))
    }

    /// A code known at compile time.
    pub const fn known(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// The code as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it `NoError`?
    pub fn is_no_error(&self) -> bool {
        *self == Self::NO_ERROR
    }

    /// Does the name say that the condition passes by itself (`…Transient…`)? The rule for unknown codes.
    pub fn is_transient_by_name(&self) -> bool {
        self.0.contains("Transient")
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal;)*) => {
        impl ResponseCode {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self::known($text);)*
            /// Every code that has a constant here.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    NO_ERROR = "NoError";
    ACCESS_DENIED = "ErrorAccessDenied";
    ACCOUNT_DISABLED = "ErrorAccountDisabled";
    AD_OPERATION = "ErrorADOperation";
    AD_UNAVAILABLE = "ErrorADUnavailable";
    BATCH_PROCESSING_STOPPED = "ErrorBatchProcessingStopped";
    CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE = "ErrorCalendarEndDateIsEarlierThanStartDate";
    CALENDAR_FOLDER_IS_INVALID_FOR_CALENDAR_VIEW = "ErrorCalendarFolderIsInvalidForCalendarView";
    CALENDAR_INVALID_RECURRENCE = "ErrorCalendarInvalidRecurrence";
    CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE =
        "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange";
    CALENDAR_OCCURRENCE_IS_DELETED_FROM_RECURRENCE = "ErrorCalendarOccurrenceIsDeletedFromRecurrence";
    CALENDAR_VIEW_RANGE_TOO_BIG = "ErrorCalendarViewRangeTooBig";
    CANNOT_DELETE_OBJECT = "ErrorCannotDeleteObject";
    CANNOT_FIND_USER = "ErrorCannotFindUser";
    CONNECTION_FAILED = "ErrorConnectionFailed";
    CONNECTION_FAILED_TRANSIENT = "ErrorConnectionFailedTransientError";
    CORRUPT_DATA = "ErrorCorruptData";
    CROSS_SITE_REQUEST = "ErrorCrossSiteRequest";
    EXCEEDED_CONNECTION_COUNT = "ErrorExceededConnectionCount";
    EXCEEDED_FIND_COUNT_LIMIT = "ErrorExceededFindCountLimit";
    EXCEEDED_SUBSCRIPTION_COUNT = "ErrorExceededSubscriptionCount";
    EXPIRED_SUBSCRIPTION = "ErrorExpiredSubscription";
    FOLDER_NOT_FOUND = "ErrorFolderNotFound";
    IMPERSONATE_USER_DENIED = "ErrorImpersonateUserDenied";
    IMPERSONATION_DENIED = "ErrorImpersonationDenied";
    IMPERSONATION_FAILED = "ErrorImpersonationFailed";
    INSUFFICIENT_RESOURCES = "ErrorInsufficientResources";
    INTERNAL_SERVER_ERROR = "ErrorInternalServerError";
    INTERNAL_SERVER_TRANSIENT_ERROR = "ErrorInternalServerTransientError";
    INVALID_EXCHANGE_IMPERSONATION_HEADER_DATA = "ErrorInvalidExchangeImpersonationHeaderData";
    INVALID_ID = "ErrorInvalidId";
    INVALID_ID_MALFORMED = "ErrorInvalidIdMalformed";
    INVALID_REQUEST = "ErrorInvalidRequest";
    INVALID_SERVER_VERSION = "ErrorInvalidServerVersion";
    INVALID_SUBSCRIPTION = "ErrorInvalidSubscription";
    INVALID_SUBSCRIPTION_REQUEST = "ErrorInvalidSubscriptionRequest";
    INVALID_SYNC_STATE_DATA = "ErrorInvalidSyncStateData";
    INVALID_WATERMARK = "ErrorInvalidWatermark";
    IRRESOLVABLE_CONFLICT = "ErrorIrresolvableConflict";
    ITEM_NOT_FOUND = "ErrorItemNotFound";
    MAILBOX_CONFIGURATION = "ErrorMailboxConfiguration";
    MAILBOX_FAILOVER = "ErrorMailboxFailover";
    MAILBOX_MOVE_IN_PROGRESS = "ErrorMailboxMoveInProgress";
    MAILBOX_STORE_UNAVAILABLE = "ErrorMailboxStoreUnavailable";
    MISSED_NOTIFICATION_EVENTS = "ErrorMissedNotificationEvents";
    NAME_RESOLUTION_MULTIPLE_RESULTS = "ErrorNameResolutionMultipleResults";
    NAME_RESOLUTION_NO_MAILBOX = "ErrorNameResolutionNoMailbox";
    NAME_RESOLUTION_NO_RESULTS = "ErrorNameResolutionNoResults";
    NEW_EVENT_STREAM_CONNECTION_OPENED = "ErrorNewEventStreamConnectionOpened";
    NON_EXISTENT_MAILBOX = "ErrorNonExistentMailbox";
    NO_RESPONDING_CAS_IN_DESTINATION_SITE = "ErrorNoRespondingCASInDestinationSite";
    PROXY_REQUEST_NOT_ALLOWED = "ErrorProxyRequestNotAllowed";
    READ_EVENTS_FAILED = "ErrorReadEventsFailed";
    SCHEMA_VALIDATION = "ErrorSchemaValidation";
    SERVER_BUSY = "ErrorServerBusy";
    SUBSCRIPTION_ACCESS_DENIED = "ErrorSubscriptionAccessDenied";
    SUBSCRIPTION_NOT_FOUND = "ErrorSubscriptionNotFound";
    SUBSCRIPTION_UNSUBSCRIBED = "ErrorSubscriptionUnsubscribed";
    SYNC_FOLDER_NOT_FOUND = "ErrorSyncFolderNotFound";
    TIMEOUT_EXPIRED = "ErrorTimeoutExpired";
    TOO_MANY_OBJECTS_OPENED = "ErrorTooManyObjectsOpened";
    UPDATE_PROPERTY_MISMATCH = "ErrorUpdatePropertyMismatch";
    WRONG_SERVER_VERSION = "ErrorWrongServerVersion";
}
