//! Response codes to classes: the table of the EWS reference, section 6, with the field notes.
//!
//! Pure. The same code can come as a fault or inside an answer and means the same. Texts are never looked
//! at: they are localised (field note 22).

use calendar::SourceError;
use calendar::source::SourceErrorKind;
use proto_ews::{Fault, Problem, ResponseCode};

#[cfg(test)]
mod tests;

/// Longest text of a server that is kept, in characters.
const TEXT_MAX: usize = 300;

/// Our own code for a mailbox of which Autodiscover tells no endpoint (4930).
pub const NO_ENDPOINT: &str = "no endpoint";

/// Our own code for a call that was not made because its account waits.
pub(crate) const BACK_OFF: &str = "back-off";
/// Our own code for a call that was not made because there is no account for it.
pub(crate) const NO_ACCOUNT: &str = "no account";

/// Our own code for an answer that cannot be read.
pub(crate) const MALFORMED: &str = "malformed";
/// Our own code for an answer that is larger than `answer_limit_bytes`.
pub(crate) const OVERSIZED: &str = "oversized";

/// Our own code for a server that asks for a weaker login than NTLMv2.
pub const LOGIN_WEAKENED: &str = "ntlm downgrade";
/// Our own code for a server that does not offer the configured way to log on.
pub const LOGIN_NOT_OFFERED: &str = "login not offered";
/// Our own code for a token service that refuses the account.
pub const TOKEN_REFUSED: &str = "token refused";
/// Our own code for a token that could not be had for now.
pub const TOKEN_UNAVAILABLE: &str = "no token";

/// Does the code say that the account cannot log on, so that its calls to the service have to wait?
pub fn refuses_logon(code: &str) -> bool {
    matches!(code, "HTTP 401" | LOGIN_WEAKENED | LOGIN_NOT_OFFERED | TOKEN_REFUSED)
}

/// The class of a response code.
pub fn kind_of(code: &str) -> SourceErrorKind {
    use SourceErrorKind as K;
    match code {
        // the subscription is dead
        "ErrorSubscriptionNotFound"
        | "ErrorInvalidSubscription"
        | "ErrorExpiredSubscription"
        | "ErrorReadEventsFailed"
        | "ErrorInvalidWatermark"
        | "ErrorSubscriptionUnsubscribed"
        | "ErrorProxyRequestNotAllowed" => K::Resubscribe,
        "ErrorMissedNotificationEvents" => K::Missed,
        // wait, then the same request
        "ErrorServerBusy"
        | "ErrorInternalServerTransientError"
        | "ErrorInternalServerError"
        | "ErrorConnectionFailed"
        | "ErrorConnectionFailedTransientError"
        | "ErrorMailboxStoreUnavailable"
        | "ErrorMailboxFailover"
        | "ErrorTimeoutExpired"
        | "ErrorTooManyObjectsOpened"
        | "ErrorADUnavailable"
        | "ErrorADOperation"
        | "ErrorNoRespondingCASInDestinationSite"
        | "ErrorExceededConnectionCount"
        | "ErrorExceededSubscriptionCount"
        | "ErrorInsufficientResources"
        | "ErrorBatchProcessingStopped"
        // another stream took the subscriptions over; they live on
        | "ErrorNewEventStreamConnectionOpened" => K::Unavailable,
        // the mailbox moved, or is moving
        "ErrorMailboxMoveInProgress"
        | "ErrorCrossSiteRequest"
        | "ErrorWrongServerVersion"
        | "ErrorMailboxConfiguration" => K::Rediscover,
        // this mailbox cannot be used
        "ErrorNonExistentMailbox"
        | "ErrorCannotFindUser"
        | "ErrorImpersonateUserDenied"
        | "ErrorImpersonationDenied"
        | "ErrorImpersonationFailed"
        | "ErrorInvalidExchangeImpersonationHeaderData"
        | "ErrorAccessDenied"
        | "ErrorAccountDisabled"
        | "ErrorSubscriptionAccessDenied"
        | "ErrorFolderNotFound" => K::Mailbox,
        "ErrorItemNotFound"
        | "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
        | "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange" => K::Gone,
        "ErrorInvalidSyncStateData" | "ErrorSyncFolderNotFound" => K::SyncStateRejected,
        "ErrorExceededFindCountLimit" | "ErrorCalendarViewRangeTooBig" => K::TooMuch,
        "ErrorSchemaValidation"
        | "ErrorInvalidRequest"
        | "ErrorInvalidId"
        | "ErrorInvalidIdMalformed"
        | "ErrorCorruptData"
        | "ErrorInvalidServerVersion"
        | "ErrorInvalidSubscriptionRequest"
        | "ErrorCalendarFolderIsInvalidForCalendarView" => K::OwnBug,
        other if other.contains("Transient") => K::Unavailable,
        other => autodiscover_kind_of(other),
    }
}

/// Autodiscover's own codes.
fn autodiscover_kind_of(code: &str) -> SourceErrorKind {
    use SourceErrorKind as K;
    match code {
        "ServerBusy" | "InternalServerError" | "InternalServiceFault" => K::Unavailable,
        "InvalidUser" | "InvalidDomain" | "NotFederated" => K::Mailbox,
        "InvalidRequest" | "InvalidSetting" => K::OwnBug,
        _ => K::Unknown,
    }
}

/// Does the code say that one item of what was asked for is at fault, and not the request, the mailbox or the
/// service? Exchange refuses a whole view because of one such item.
pub fn blames_an_item(code: &str) -> bool {
    matches!(
        code,
        "ErrorItemCorrupt"
            | "ErrorCorruptData"
            | "ErrorItemPropertyRequestFailed"
            | "ErrorPropertyValidationFailure"
            | "ErrorRequiredPropertyMissing"
            | "ErrorContentConversionFailed"
            | "ErrorMimeContentConversionFailed"
            | "ErrorMimeContentInvalid"
            | "ErrorUnsupportedRecurrence"
            | "ErrorRecurrenceHasNoOccurrence"
            | "ErrorRecurrenceEndDateTooBig"
            | "ErrorCalendarInvalidDayForWeeklyRecurrence"
            | "ErrorCalendarInvalidPropertyState"
            | "ErrorCalendarInvalidPropertyValue"
            | "ErrorCalendarInvalidRecurrence"
            | "ErrorCalendarInvalidTimeZone"
            | "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
            | "ErrorTimeZone"
    )
}

/// Does the code ask every caller on the account to wait?
pub fn holds_for_account(code: &str) -> bool {
    matches!(
        code,
        "ErrorServerBusy" | "ErrorExceededConnectionCount" | "ErrorInsufficientResources" | "ServerBusy"
    )
}

/// The error of a response message.
pub fn of_problem(operation: &'static str, problem: &Problem) -> SourceError {
    of(operation, &problem.effective_code(), &problem.text, problem.back_off())
}

/// The error of a fault.
pub fn of_fault(operation: &'static str, fault: &Fault) -> SourceError {
    of(operation, &fault.effective_code(), &fault.text, fault.back_off())
}

fn of(
    operation: &'static str,
    code: &ResponseCode,
    text: &str,
    after: Option<std::time::Duration>,
) -> SourceError {
    let code = clean(code.as_str(), 80);
    SourceError { operation, kind: kind_of(&code), code, text: clean(text, TEXT_MAX), after }
}

/// An error of our own making.
pub(crate) fn own(operation: &'static str, kind: SourceErrorKind, code: &str, text: &str) -> SourceError {
    SourceError { operation, kind, code: code.to_owned(), text: clean(text, TEXT_MAX), after: None }
}

/// Text from outside: one line, bounded, nothing that confuses a terminal or a log.
fn clean(text: &str, max: usize) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}
