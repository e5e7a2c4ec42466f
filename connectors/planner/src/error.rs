//! What can go wrong with a call to Planner, and what is known about the change then.

use base::{Disposition, EventCode};
use calendar::codes;
use proto_planner::{Operation, WireError};
use proto_wsse::WsseError;
use trust::RefusedCertificate;

/// What is known about the change that a failed call asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// Planner was not reached: nothing was done.
    NotApplied,
    /// Planner answered that it failed. It will hardly have done it; B9 treats this as passing.
    Failed,
    /// The request left and no usable answer came: Planner may have done it, or may do it later.
    Unknown,
}

/// A failed call. No variant holds content of an appointment or of the answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlannerError {
    /// The HTTP client cannot be built from the options.
    #[error("the client for planner cannot be built")]
    Client(#[source] reqwest::Error),
    /// The TLS files cannot be used.
    #[error("the TLS configuration for planner cannot be used")]
    Tls(#[from] trust::TrustError),
    /// Signed messages are asked for and there is no certificate to sign with.
    #[error("planner.security asks for signed messages and planner has no client certificate to sign with")]
    NoSigningCertificate,
    /// The certificates cannot sign or verify messages.
    #[error("the certificates cannot sign or verify messages with planner")]
    Keys(#[source] WsseError),
    /// The request could not be signed.
    #[error("{operation}: the request could not be signed")]
    Unsigned {
        /// The operation.
        operation: Operation,
        /// Why.
        #[source]
        source: WsseError,
    },
    /// A certificate was refused while connecting.
    #[error("{operation}: {}", refused_words(*whose))]
    Certificate {
        /// The operation.
        operation: Operation,
        /// Whose.
        whose: RefusedCertificate,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer whose signature is refused: who answered, and what, is not known.
    #[error("{operation}: the answer of planner is not signed as it must be")]
    Refused {
        /// The operation.
        operation: Operation,
        /// Why.
        #[source]
        source: WsseError,
    },
    /// These appointments (by position) have values that the service's schema refuses.
    #[error("{operation}: {} of the appointments cannot be sent", positions.len())]
    Unsendable {
        /// The operation.
        operation: Operation,
        /// Positions in the call; empty when it is not the appointments' fault.
        positions: Vec<usize>,
        /// What the encoder said.
        #[source]
        source: WireError,
    },
    /// The time for the call was over before its request could leave (the process was paused).
    #[error("{operation}: the deadline passed before the request left")]
    TooLate {
        /// The operation.
        operation: Operation,
    },
    /// No connection: refused, no such host, TLS not agreed.
    #[error("{operation}: no connection to planner")]
    Connect {
        /// The operation.
        operation: Operation,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// No complete answer before the deadline.
    #[error("{operation}: planner did not answer in time")]
    Timeout {
        /// The operation.
        operation: Operation,
    },
    /// The connection broke after the request left.
    #[error("{operation}: the connection to planner broke")]
    Broken {
        /// The operation.
        operation: Operation,
        /// How.
        #[source]
        source: reqwest::Error,
    },
    /// An HTTP status instead of an answer.
    #[error("{operation}: planner answered with HTTP status {status}{}", advice_on_status(*status))]
    Http {
        /// The operation.
        operation: Operation,
        /// The status.
        status: u16,
    },
    /// A page with an HTTP status came where a signed answer to a change was due. Nobody signed it, so that it does not
    /// say what became of the change.
    #[error(
        "{operation}: an unsigned page with HTTP status {status} came instead of planner's answer, what became of the \
         change is not known{}",
        advice_on_status(*status)
    )]
    Page {
        /// The operation.
        operation: Operation,
        /// The status.
        status: u16,
    },
    /// A SOAP fault. Planner's own number does not change what it is (its words stay out: they may repeat
    /// what was sent).
    #[error(
        "{operation}: planner answered with a fault ({code}{}){}",
        number.map_or_else(String::new, |n| format!(", error {n}")),
        advice_on_fault(code)
    )]
    Fault {
        /// The operation.
        operation: Operation,
        /// The fault code.
        code: String,
        /// Planner's number for it.
        number: Option<i32>,
        /// Were there details?
        detailed: bool,
    },
    /// The answer is longer than the limit.
    #[error("{operation}: the answer of planner is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The operation.
        operation: Operation,
        /// The limit.
        limit_bytes: usize,
    },
    /// The answer is not what the operation's answer looks like.
    #[error("{operation}: the answer of planner cannot be read")]
    Answer {
        /// The operation.
        operation: Operation,
        /// What the decoder said.
        #[source]
        source: WireError,
    },
    /// Another number of receipts than appointments.
    #[error(
        "{operation}: planner sent {} for {}",
        counted(*received, "receipt"),
        counted(*sent, "appointment")
    )]
    ReceiptCount {
        /// The operation.
        operation: Operation,
        /// Appointments in the call.
        sent: usize,
        /// Receipts in the answer.
        received: usize,
    },
    /// A receipt is not for the appointment at its position.
    #[error("{operation}: the receipt at position {position} is for another appointment")]
    ReceiptMismatch {
        /// The operation.
        operation: Operation,
        /// Counted from 0.
        position: usize,
    },
}

/// What to check when the service's host answers with this status instead of the service.
const fn advice_on_status(status: u16) -> &'static str {
    match status {
        300..=399 => ", which sends elsewhere and is not followed: check planner.service_url",
        401 | 403 => ", which refuses this client: check planner.client_certificate",
        404 | 405 | 410 => ", there is no such service: check planner.service_url",
        407 => ", a proxy stands before it and wants to know who calls",
        _ => "",
    }
}

/// What to check when the service says that the fault is the client's.
fn advice_on_fault(code: &str) -> &'static str {
    if code == "Client" {
        ", which refuses the call itself: check planner.jobcenter_number and planner.request_user_identifier"
    } else {
        ""
    }
}

fn refused_words(whose: RefusedCertificate) -> &'static str {
    match whose {
        RefusedCertificate::Theirs => {
            "the certificate of planner is refused: check planner.root_certificates and planner.server_pin_file"
        }
        RefusedCertificate::Ours => "planner refuses our certificate: check planner.client_certificate",
    }
}

/// So many of them.
fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

impl PlannerError {
    /// What an unsigned page with an HTTP status means where answers are signed. Whoever stands in the connection can
    /// write one, also after he has passed the request on. Of a change it proves nothing; a call that changes nothing
    /// has failed by it, as it would have without it.
    pub(crate) const fn unsigned_page(operation: Operation, status: u16) -> Self {
        if operation.is_change() {
            Self::Page { operation, status }
        } else {
            Self::Http { operation, status }
        }
    }

    /// What is known about the change.
    pub const fn outcome(&self) -> CallOutcome {
        match self {
            Self::Client(_)
            | Self::Tls(_)
            | Self::NoSigningCertificate
            | Self::Keys(_)
            | Self::Unsigned { .. }
            // a handshake failed: the other side reads nothing before it has verified our certificate
            | Self::Certificate { .. }
            | Self::Unsendable { .. }
            | Self::TooLate { .. }
            | Self::Connect { .. } => CallOutcome::NotApplied,
            // Redirects and client errors are answers of whatever stands before the service.
            Self::Http { status, .. } if *status < 500 => CallOutcome::NotApplied,
            Self::Http { .. } | Self::Fault { .. } => CallOutcome::Failed,
            Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::TooLarge { .. }
            | Self::Answer { .. }
            | Self::Page { .. }
            | Self::Refused { .. }
            | Self::ReceiptCount { .. }
            | Self::ReceiptMismatch { .. } => CallOutcome::Unknown,
        }
    }

    /// The event that operators know it by (B13).
    pub const fn event(&self) -> EventCode {
        match self {
            Self::Client(_) | Self::Tls(_) | Self::NoSigningCertificate | Self::Keys(_) => {
                codes::COMMUNICATOR_SETUP_FAILED
            }
            Self::Certificate { whose: RefusedCertificate::Theirs, .. } => codes::PLANNER_CERTIFICATE_REFUSED,
            Self::Certificate { whose: RefusedCertificate::Ours, .. } => codes::OWN_CERTIFICATE_REFUSED,
            Self::Refused { .. } => codes::PLANNER_SIGNATURE_REFUSED,
            Self::Unsigned { .. }
            | Self::Unsendable { .. }
            | Self::TooLate { .. }
            | Self::Http { .. }
            | Self::Page { .. } => codes::PLANNER_CALL_FAILED,
            Self::Fault { detailed: false, .. } => codes::PLANNER_FAULT,
            Self::Fault { detailed: true, .. } => codes::PLANNER_FAULT_DETAILED,
            Self::Timeout { .. } => codes::PLANNER_TIMEOUT,
            Self::Connect { .. } | Self::Broken { .. } => codes::PLANNER_TRANSPORT_FAILED,
            Self::TooLarge { .. }
            | Self::Answer { .. }
            | Self::ReceiptCount { .. }
            | Self::ReceiptMismatch { .. } => codes::PLANNER_ANSWER_UNUSABLE,
        }
    }

    /// What to do about it. Everything but a wrong configuration and an unsendable value is tried again;
    /// how soon, and after what, is the caller's knowledge (B9).
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Client(_) | Self::Tls(_) | Self::NoSigningCertificate | Self::Keys(_) => {
                Disposition::Escalate
            }
            Self::Unsendable { .. } => Disposition::SetAside,
            _ => Disposition::RETRY,
        }
    }

    /// Did the time run out (6904)? Repeated timeouts make batches smaller.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The original let a fault's own number take the place of 6903, and such calls were never sent again.
    #[test]
    fn a_faults_number_does_not_change_its_event() {
        let fault = |number, detailed| PlannerError::Fault {
            operation: Operation::CreateEvents,
            code: "Server".into(),
            number,
            detailed,
        };
        for number in [None, Some(0), Some(8), Some(6901), Some(-5)] {
            let error = fault(number, true);
            assert_eq!(error.event().id, 6903);
            assert!(error.disposition().is_retry());
            assert_eq!(error.outcome(), CallOutcome::Failed);
        }
        assert_eq!(fault(None, false).event().id, 6902);
    }

    /// Whoever reads the error at night learns which setting it is about.
    /// Regression: there were "0 receipts for 1 appointments".
    #[test]
    fn one_receipt_is_one() {
        let told = |received, sent| {
            let operation = Operation::CreateEvents;
            PlannerError::ReceiptCount { operation, sent, received }.to_string()
        };
        assert_eq!(told(0, 1), "CreateEvents: planner sent 0 receipts for 1 appointment");
        assert_eq!(told(1, 2), "CreateEvents: planner sent 1 receipt for 2 appointments");
    }

    #[test]
    fn errors_of_configuration_name_the_setting() {
        let operation = Operation::CreateEvents;
        for (status, setting) in [
            (301, "planner.service_url"),
            (401, "planner.client_certificate"),
            (403, "planner.client_certificate"),
            (404, "planner.service_url"),
            (405, "planner.service_url"),
        ] {
            let error = PlannerError::Http { operation, status };
            assert!(error.to_string().ends_with(setting), "{error}");
        }
        let plain = PlannerError::Http { operation, status: 503 };
        assert_eq!(plain.to_string(), "CreateEvents: planner answered with HTTP status 503");
        let fault = |code: &str| PlannerError::Fault {
            operation,
            code: code.into(),
            number: Some(1002),
            detailed: true,
        };
        let refused = fault("Client").to_string();
        assert!(refused.contains("error 1002") && refused.contains("planner.jobcenter_number"), "{refused}");
        assert!(!fault("Server").to_string().contains("check"), "its own failure is nobody's setting");
    }

    /// Somebody on the way can write a page with any status after he has passed the change on.
    #[test]
    fn an_unsigned_page_says_nothing_of_a_change() {
        for status in [301, 400, 401, 403, 404, 405, 407, 410, 429, 500, 502, 503, 504, 599] {
            for operation in Operation::ALL {
                let error = PlannerError::unsigned_page(operation, status);
                assert_eq!(error.event().id, 6901, "{error}");
                assert!(error.disposition().is_retry(), "{error}");
                assert!(!error.is_timeout(), "batches do not become smaller by it");
                // what a call that changes nothing left undone is for the status to say
                let said = PlannerError::Http { operation, status }.outcome();
                let known = if operation.is_change() { CallOutcome::Unknown } else { said };
                assert_eq!(error.outcome(), known, "{error}");
            }
        }
        let error = PlannerError::unsigned_page(Operation::CreateEvents, 403);
        assert!(error.to_string().ends_with("check planner.client_certificate"), "{error}");
    }

    /// The original did not send again after 6901.
    #[test]
    fn a_general_failure_is_tried_again() {
        for status in [301, 400, 403, 404, 500, 503] {
            let error = PlannerError::Http { operation: Operation::DeleteEvents, status };
            assert_eq!(error.event().id, 6901);
            assert!(error.disposition().is_retry(), "{status}");
            assert_eq!(error.outcome() == CallOutcome::Failed, status >= 500, "{status}");
        }
    }
}
