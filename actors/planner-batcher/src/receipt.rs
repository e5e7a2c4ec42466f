//! What follows from a receipt, or from its absence: the table of B9. Pure.

use base::Backoff;
use connector_planner::CallOutcome;
use store::outbox::{Operation, Outcome, PendingKey};

#[cfg(test)]
mod tests;

/// Why a key is set aside after its second conversion.
pub const CONVERTED_TWICE: &str = "planner denied having it and not having it for the same decision";
/// Why a key is set aside after too many receipts that said "not now".
pub const NOT_NOW_TOO_OFTEN: &str = "planner said \"not now\" too often";
/// Why a key is set aside that cannot be written into a message.
pub const UNSENDABLE: &str = "its identifier or times cannot be written in a message to planner";

/// Limits and pauses of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceiptPolicy {
    /// The pause of a key.
    pub retry: Backoff,
    /// Receipts 15 and 16 in a row after which a key is set aside.
    pub attempts_max: u32,
}

impl ReceiptPolicy {
    /// What follows for `key`, which was sent as it is, from a receipt with `code`. `random` is from 0 to 1.
    pub fn settle(&self, key: &PendingKey, code: i32, random: f64) -> Outcome {
        match (key.operation, code) {
            (_, 0) => Outcome::Acknowledged,
            (Operation::Create, 8) if key.converted => {
                Outcome::SetAside { reason: CONVERTED_TWICE, there: Some(true) }
            }
            (Operation::Create, 8) => Outcome::Has,
            // what was to go is gone
            (Operation::Delete, 10) => Outcome::Acknowledged,
            (Operation::Update, 10) if key.converted => {
                Outcome::SetAside { reason: CONVERTED_TWICE, there: Some(false) }
            }
            (Operation::Update, 10) => Outcome::Lacks,
            (_, 13) => Outcome::Own,
            (_, 15 | 16) if key.attempts.saturating_add(1) >= self.attempts_max => {
                Outcome::SetAside { reason: NOT_NOW_TOO_OFTEN, there: None }
            }
            (_, 15 | 16) => {
                Outcome::Transient { after: self.retry.delay(key.attempts.saturating_add(1), random) }
            }
            (_, code) => Outcome::Refused { code },
        }
    }

    /// What follows for `key` from a call that brought no receipts.
    pub fn without_receipt(&self, key: &PendingKey, known: CallOutcome, random: f64) -> Outcome {
        let after = self.retry.delay(key.unanswered.saturating_add(1), random);
        match known {
            CallOutcome::NotApplied => Outcome::Unsent,
            CallOutcome::Failed => Outcome::Unsure { after },
            CallOutcome::Unknown => Outcome::Unknown { after },
        }
    }
}
