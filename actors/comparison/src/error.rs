//! What can go wrong with an adoption or a comparison.

use base::{Disposition, EventCode};
use calendar::{MailAddress, codes};
use connector_planner::{CallOutcome, PlannerError};
use store::StoreError;

/// Why mailboxes could not be adopted or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// The lease of the duty could not be had.
    #[error("the lease of the duty cannot be taken")]
    Lease(#[source] StoreError),
    /// The mailboxes that are due could not be found.
    #[error("mailboxes to be adopted or compared cannot be found")]
    Look(#[source] StoreError),
    /// Planner could not be asked.
    #[error("the appointments that planner holds cannot be fetched")]
    Fetch(#[source] PlannerError),
    /// The answer could not be taken over.
    #[error("what planner holds cannot be taken over")]
    Store(#[source] StoreError),
    /// The database does not take what Planner holds for one of the mailboxes.
    #[error("what planner holds cannot be stored")]
    Refused(#[source] StoreError),
    /// Planner holds more for one mailbox than answers within their limit can tell, however short the stretch.
    #[error("planner holds more for {mail} than can be asked for")]
    TooMuch {
        /// Which mailbox.
        mail: MailAddress,
        /// The answer that was too large; `None` where all of them together were.
        #[source]
        source: Option<Box<PlannerError>>,
    },
    /// Taking over what Planner holds panicked.
    #[error("taking over what planner holds panicked")]
    Panicked,
    /// The duty ends.
    #[error("given up because the duty ends")]
    Stopped,
}

impl ComparisonError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Lease(source) | Self::Look(source) | Self::Store(source) => source.disposition(),
            Self::Fetch(source) => source.disposition(),
            Self::Refused(_) | Self::TooMuch { .. } | Self::Panicked => Disposition::RETRY,
            Self::Stopped => Disposition::Discard,
        }
    }

    /// The same where a single mailbox was asked for: an answer that is too large is that mailbox's matter then.
    pub(crate) fn of_one(self, mail: &MailAddress) -> Self {
        match self {
            Self::Fetch(source @ PlannerError::TooLarge { .. }) => {
                Self::TooMuch { mail: mail.clone(), source: Some(Box::new(source)) }
            }
            other => other,
        }
    }

    /// The event that operators know it by.
    pub fn event(&self) -> EventCode {
        match self {
            Self::Fetch(source) => source.event(),
            Self::Refused(_) => codes::COMPARISON_NOT_STORED,
            Self::TooMuch { .. } => codes::MAILBOX_TOO_LARGE,
            Self::Lease(source) | Self::Look(source) | Self::Store(source) if source.is_outage() => {
                codes::COMMUNICATOR_DATABASE_FAILED
            }
            Self::Lease(_) | Self::Look(_) | Self::Store(_) | Self::Panicked | Self::Stopped => {
                codes::PLANNER_SYNC_UNKNOWN_ERROR
            }
        }
    }

    /// Is a whole service away, so that other mailboxes would fare no better?
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(PlannerError::Unsendable { .. })
            | Self::Refused(_)
            | Self::TooMuch { .. }
            | Self::Panicked => false,
            Self::Fetch(source) => source.outcome() != CallOutcome::Unknown,
            Self::Lease(_) | Self::Look(_) | Self::Store(_) | Self::Stopped => true,
        }
    }

    /// May it be about these mailboxes alone? A fault or an HTTP status may be either: all pauses then, and others have
    /// their turn first, so that a mailbox for which Planner always fails holds up nobody.
    pub fn may_be_of_mailboxes(&self) -> bool {
        match self {
            Self::Fetch(source) => !self.is_outage() || source.outcome() == CallOutcome::Failed,
            _ => !self.is_outage(),
        }
    }
}

#[cfg(test)]
mod tests {
    use connector_planner::{Operation, PlannerError as P};

    use super::*;

    const fn operation() -> Operation {
        Operation::GetEvents
    }

    #[test]
    fn an_outage_pauses_all_and_what_may_be_of_a_mailbox_puts_it_behind_the_others() {
        let of = |error: P| {
            let error = ComparisonError::Fetch(error);
            (error.is_outage(), error.may_be_of_mailboxes())
        };
        assert_eq!(of(P::Timeout { operation: operation() }), (false, true));
        assert_eq!(of(P::TooLarge { operation: operation(), limit_bytes: 1 }), (false, true));
        assert_eq!(of(P::Http { operation: operation(), status: 503 }), (true, true));
        assert_eq!(of(P::Http { operation: operation(), status: 404 }), (true, false));
        assert_eq!(of(P::TooLate { operation: operation() }), (true, false));
        let panicked = ComparisonError::Panicked;
        assert_eq!((panicked.is_outage(), panicked.may_be_of_mailboxes()), (false, true));
        assert_eq!(
            (ComparisonError::Stopped.is_outage(), ComparisonError::Stopped.may_be_of_mailboxes()),
            (true, false)
        );
    }
}
