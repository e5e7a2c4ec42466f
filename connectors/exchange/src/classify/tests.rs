//! Goal: every code of the reference is treated as its table says, wherever it comes from. Method: the
//! table, code by code, plus what must hold for codes that nobody knows yet.

use std::time::Duration;

use calendar::source::SourceErrorKind as K;
use proto_ews::MessageXml;

use super::*;

#[test]
fn every_code_of_the_table_has_its_class() {
    let table: &[(K, &[&str])] = &[
        (
            K::Resubscribe,
            &[
                "ErrorSubscriptionNotFound",
                "ErrorInvalidSubscription",
                "ErrorExpiredSubscription",
                "ErrorReadEventsFailed",
                "ErrorInvalidWatermark",
                "ErrorSubscriptionUnsubscribed",
                "ErrorProxyRequestNotAllowed",
            ],
        ),
        (K::Missed, &["ErrorMissedNotificationEvents"]),
        (
            K::Unavailable,
            &[
                "ErrorServerBusy",
                "ErrorInternalServerTransientError",
                "ErrorConnectionFailed",
                "ErrorConnectionFailedTransientError",
                "ErrorMailboxStoreUnavailable",
                "ErrorMailboxFailover",
                "ErrorTimeoutExpired",
                "ErrorTooManyObjectsOpened",
                "ErrorADUnavailable",
                "ErrorADOperation",
                "ErrorNoRespondingCASInDestinationSite",
                "ErrorExceededConnectionCount",
                "ErrorExceededSubscriptionCount",
                "ErrorInsufficientResources",
                "ErrorInternalServerError",
                "ErrorNewEventStreamConnectionOpened",
                "ErrorBatchProcessingStopped",
            ],
        ),
        (
            K::Rediscover,
            &[
                "ErrorMailboxMoveInProgress",
                "ErrorCrossSiteRequest",
                "ErrorWrongServerVersion",
                "ErrorMailboxConfiguration",
            ],
        ),
        (
            K::Mailbox,
            &[
                "ErrorNonExistentMailbox",
                "ErrorImpersonateUserDenied",
                "ErrorImpersonationDenied",
                "ErrorImpersonationFailed",
                "ErrorAccessDenied",
                "ErrorAccountDisabled",
                "ErrorSubscriptionAccessDenied",
                "ErrorFolderNotFound",
                "ErrorInvalidExchangeImpersonationHeaderData",
                "ErrorCannotFindUser",
            ],
        ),
        (
            K::Gone,
            &[
                "ErrorItemNotFound",
                "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
                "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
            ],
        ),
        (K::SyncStateRejected, &["ErrorInvalidSyncStateData", "ErrorSyncFolderNotFound"]),
        (K::TooMuch, &["ErrorExceededFindCountLimit", "ErrorCalendarViewRangeTooBig"]),
        (
            K::OwnBug,
            &[
                "ErrorSchemaValidation",
                "ErrorInvalidRequest",
                "ErrorInvalidIdMalformed",
                "ErrorInvalidServerVersion",
                "ErrorCalendarFolderIsInvalidForCalendarView",
            ],
        ),
        (K::Unknown, &["ErrorOfTomorrow", "", "NoError"]),
    ];
    for (kind, codes) in table {
        for code in *codes {
            assert_eq!(kind_of(code), *kind, "{code}");
        }
    }
}

#[test]
fn autodiscovers_codes_have_their_class_too() {
    for (code, kind) in [
        ("ServerBusy", K::Unavailable),
        ("InternalServerError", K::Unavailable),
        ("InternalServiceFault", K::Unavailable),
        ("InvalidUser", K::Mailbox),
        ("InvalidDomain", K::Mailbox),
        ("NotFederated", K::Mailbox),
        ("InvalidRequest", K::OwnBug),
        ("InvalidSetting", K::OwnBug),
    ] {
        assert_eq!(kind_of(code), kind, "{code}");
    }
}

#[test]
fn an_unknown_code_that_says_transient_is_waited_out() {
    assert_eq!(kind_of("ErrorSomethingTransientOfTomorrow"), K::Unavailable);
}

#[test]
fn a_server_error_counts_by_what_it_hides() {
    let bare = Problem::new(ResponseCode::INTERNAL_SERVER_ERROR, "");
    assert_eq!(of_problem("GetItem", &bare).kind, K::Unavailable);
    let hidden = bare.with_value(MessageXml::INNER_ERROR_RESPONSE_CODE, "ErrorItemNotFound");
    let error = of_problem("GetItem", &hidden);
    assert_eq!((error.kind, error.code.as_str()), (K::Gone, "ErrorItemNotFound"));
}

#[test]
fn the_back_off_is_taken_from_fault_and_message_alike() {
    let values = |ms: &str| MessageXml { values: vec![("BackOffMilliseconds".into(), ms.into())] };
    let fault = Fault { code: ResponseCode::SERVER_BUSY, text: String::new(), message_xml: values("297749") };
    assert_eq!(of_fault("GetItem", &fault).after, Some(Duration::from_millis(297_749)));
    let zero = Fault { message_xml: values("0"), ..fault };
    assert_eq!(of_fault("GetItem", &zero).after, None);
    let in_text = Problem::new(ResponseCode::SERVER_BUSY, "Suggested backoff time 5000 ms.");
    assert_eq!(of_problem("GetItem", &in_text).after, Some(Duration::from_secs(5)));
    assert!(holds_for_account("ErrorServerBusy") && !holds_for_account("ErrorMailboxFailover"));
}

#[test]
fn words_from_outside_are_cut_and_kept_on_one_line() {
    let problem =
        Problem::new(ResponseCode::new("Error\nX"), format!("a\r\n\u{1b}[31m{}", "x".repeat(9_999)));
    let error = of_problem("GetItem", &problem);
    assert_eq!(error.code, "Error X");
    assert_eq!(error.text.chars().count(), TEXT_MAX);
    assert!(!error.text.contains(char::is_control));
}
