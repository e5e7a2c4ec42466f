//! What can be made to go wrong.

use std::time::Duration;

use proto_planner::Operation;
use serde::{Deserialize, Serialize};
use simulator_kit::fault::FaultKind;

/// The longest time that an answer may be held.
const HOLD_SECONDS_MAX: f64 = 3600.0;

/// A fault. `applied` says whether the change takes effect although the caller does not learn it.
///
/// Faults about receipts make sense for changes only; a rule of that kind without an operation leaves
/// reading calls as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Holds the answer and does nothing: a timeout before applying. Who waits longer gets HTTP 503.
    HoldBefore {
        /// How long.
        seconds: f64,
    },
    /// Applies at once, then holds the answer: a timeout after applying.
    HoldAfter {
        /// How long.
        seconds: f64,
    },
    /// Applies only after that time, also when the caller has given up meanwhile.
    ApplyLate {
        /// How late.
        seconds: f64,
    },
    /// A SOAP fault.
    SoapFault {
        /// With `FaultDetails` in its detail?
        #[serde(default)]
        detail: bool,
        /// Does the change take effect?
        #[serde(default)]
        applied: bool,
    },
    /// A bare HTTP status with a page in HTML.
    HttpStatus {
        /// 400 to 599.
        status: u16,
        /// Does the change take effect?
        #[serde(default)]
        applied: bool,
    },
    /// The connection breaks in the middle of the answer.
    BrokenConnection {
        /// Does the change take effect?
        #[serde(default)]
        applied: bool,
    },
    /// Every appointment of the call is refused with this code, and none is applied.
    Refuse {
        /// The receipt code; one below 0 is against the schema and is not captured.
        code: i32,
    },
    /// The receipts come in reverse order (nothing changes for a single one). Applied.
    ReceiptsInWrongOrder,
    /// The last receipt is missing. Applied.
    FewerReceipts,
    /// The last receipt comes twice. Applied.
    MoreReceipts,
    /// The first receipt stands in the place of every other one too, so that their number is right (nothing
    /// changes for a single one). Applied.
    RepeatedReceipt,
    /// The receipts name other origin ids than were sent. Applied.
    ForeignReceipts,
    /// Every row of the answer to `GetEvents` comes twice.
    DuplicateRows,
    /// The answer to `GetEvents` also holds what there is of mailboxes that were not asked for.
    ForeignRows,
    /// The answer is cut in the middle, with HTTP 200. Applied.
    MalformedAnswer,
    /// The answer is well-formed and larger than 5 MiB. Applied.
    OversizedAnswer,
    /// The answer is not signed (means something only where messages are signed, as all that follow). Applied.
    UnsignedAnswer,
    /// The answer is signed with the certificate of another authority. Applied.
    StrangersSignature,
    /// The Body is changed after it was signed. Applied.
    AlteredAnswer,
    /// The answer was signed an hour ago. Applied.
    ExpiredSignature,
    /// The answer before comes a second time, with its signature. Applied.
    ReplayedAnswer,
}

impl Fault {
    /// The names of the operations that a rule may use.
    pub(crate) const OPERATIONS: &'static [&'static str] = &[
        Operation::CreateEvents.name(),
        Operation::UpdateEvents.name(),
        Operation::DeleteEvents.name(),
        Operation::GetEvents.name(),
        Operation::GetResources.name(),
    ];

    /// Is the fault about receipts?
    pub(crate) const fn is_about_receipts(&self) -> bool {
        matches!(
            self,
            Self::Refuse { .. }
                | Self::ReceiptsInWrongOrder
                | Self::FewerReceipts
                | Self::MoreReceipts
                | Self::RepeatedReceipt
                | Self::ForeignReceipts
        )
    }
}

impl FaultKind for Fault {
    fn check(&self, operation: Option<&str>) -> Result<(), String> {
        let operation = operation.and_then(Operation::from_name);
        match self {
            Self::HoldBefore { seconds } | Self::HoldAfter { seconds } | Self::ApplyLate { seconds }
                if !(0.0..=HOLD_SECONDS_MAX).contains(seconds) =>
            {
                Err(format!("an answer is held for 0 to {HOLD_SECONDS_MAX} seconds"))
            }
            Self::HttpStatus { status, .. } if !(400..600).contains(status) => {
                Err("an http status of an error is between 400 and 599".to_owned())
            }
            fault
                if fault.is_about_receipts() && operation.is_some_and(|operation| !operation.is_change()) =>
            {
                Err("only changes have receipts".to_owned())
            }
            Self::DuplicateRows | Self::ForeignRows
                if operation.is_some_and(|operation| operation != Operation::GetEvents) =>
            {
                Err("only GetEvents has rows".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A checked number of seconds as a duration.
pub(crate) fn held_for(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
