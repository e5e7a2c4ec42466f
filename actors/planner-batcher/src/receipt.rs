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
/// Why a key is set aside whose calls fail again and again while others succeed.
pub const FAILS_ALONE: &str = "its calls to planner failed too often while others succeeded";
/// Why a key is set aside that cannot be written into a message.
pub const UNSENDABLE: &str = "its identifier or times cannot be written in a message to planner";

/// Is it a receipt code without a known meaning: 17 to 48, which are not assigned, or outside 0 to 48? Handled as a
/// refusal; its first sight is told to operators.
pub const fn is_unassigned(code: i32) -> bool {
    code < 0 || code > 16
}

/// Limits and pauses of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceiptPolicy {
    /// The pause of a key.
    pub retry: Backoff,
    /// Failures of a key by itself after which it is set aside (`planner.attempts_max`).
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
            (_, 15 | 16) => self.put_off(key, random),
            (_, code) => Outcome::Refused { code },
        }
    }

    /// What follows from "not now". It counts as the key's own failure only when another key was taken since it was
    /// tried before: while nobody is taken it may be an outage, though Planner answers (B9), also when there is
    /// nobody else to compare with.
    fn put_off(&self, key: &PendingKey, random: f64) -> Outcome {
        let own = key.others_succeeded;
        if own && self.is_last(key) {
            return Outcome::SetAside { reason: NOT_NOW_TOO_OFTEN, there: None };
        }
        Outcome::Transient { after: self.retry.delay(key.put_off.saturating_add(1), random), own }
    }

    /// What follows for `key` from a call that brought no receipts. `alone`: it was the only key of the call.
    ///
    /// Such a failure counts as the key's own only when nothing else can be blamed: it was sent alone, and since
    /// it failed before, calls of others succeeded. An outage never counts (B9).
    pub fn without_receipt(&self, key: &PendingKey, known: CallOutcome, alone: bool, random: f64) -> Outcome {
        let after = self.retry.delay(key.unanswered.saturating_add(1), random);
        let own = alone && key.others_succeeded;
        match known {
            CallOutcome::NotApplied => Outcome::Unsent,
            CallOutcome::Failed | CallOutcome::Unknown if own && self.is_last(key) => {
                Outcome::SetAside { reason: FAILS_ALONE, there: None }
            }
            CallOutcome::Failed => Outcome::Unsure { after, own },
            CallOutcome::Unknown => Outcome::Unknown { after, own },
        }
    }

    /// Is one more failure of the key by itself one too many?
    const fn is_last(&self, key: &PendingKey) -> bool {
        key.attempts.saturating_add(1) >= self.attempts_max
    }
}
